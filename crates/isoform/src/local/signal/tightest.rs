//! Provides the part of a target that comes closest to missing its floor: a second of a sound, or a part of
//! an array.

use std::fmt;
use std::ops::Range;

use coherence::budget::{Bound, Budget};
use coherence::evidence::{Evidence, EvidenceError};
use coherence::verified::VerifiedWhole;
use formats::signal::Part;

use super::Opened;
use super::work::Parts;
use crate::failure::{Result, untold};

/// Where a part lies.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// When a piece of a sound begins and ends, in seconds.
    Seconds(f64, f64),
    /// Samples of the array of a name.
    Samples(String, Range<u64>),
    /// A tile of an image: its column and row among the tiles, and the columns and rows of its pixels.
    Tile {
        /// Column and row among the tiles, from 0.
        at: (u64, u64),
        /// Columns of pixels.
        x: Range<u64>,
        /// Rows of pixels.
        y: Range<u64>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to_milliseconds = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
        match self {
            Self::Seconds(from, to) => {
                write!(f, "from {} s to {} s", to_milliseconds(*from), to_milliseconds(*to))
            }
            Self::Samples(name, samples) => {
                write!(f, "samples {} to {} of array {name:?}", samples.start, samples.end)
            }
            Self::Tile { at, x, y } => {
                let (column, row) = at;
                write!(f, "tile {column},{row} (x {} to {}, y {} to {})", x.start, x.end, y.start, y.end)
            }
        }
    }
}

/// The part of several that uses up most of its floor.
#[derive(Debug, Clone)]
pub struct Tightest {
    /// Where it lies.
    pub place: Place,
    /// What was measured of it, as the bound that it just keeps.
    pub found: Bound,
}

/// The part of a whole within a budget that comes closest to missing its floor; `None` where there is one
/// part alone, or nothing differs.
pub fn tightest(opened: &Opened, parts: &Parts, whole: &VerifiedWhole) -> Result<Option<Tightest>> {
    let Some(budget) = opened.budget.filter(|_| !whole.is_equal()) else { return Ok(None) };
    if let (Some(seconds), Some(pieces)) = (opened.seconds, whole.pieces()) {
        let of = |piece: &coherence::pieces::Piece| {
            let (begin, end) = seconds.times(piece.index);
            let found = match budget.part {
                Bound::Rate(_) => Bound::Rate(1.0 - piece.coherence),
                Bound::Rmse(_) => Bound::Rmse(piece.found()),
                Bound::MaxAbs(_) => Bound::MaxAbs(piece.found()),
            };
            Tightest { place: Place::Seconds(begin, end), found }
        };
        return Ok(pieces.strained().map(of));
    }
    let mut order: Vec<&Part> = parts.parts.iter().collect();
    order.sort_by_key(|part| (part.array, part.samples.start));
    let evidence: Vec<&Evidence> = whole.parts().iter().map(|part| &part.claim().evidence).collect();
    let Some(at) = most_strained(&budget, &evidence).map_err(untold)? else { return Ok(None) };
    let (part, evidence) = (order[at], evidence[at]);
    let found = match budget.part {
        Bound::Rate(_) => Bound::Rate(1.0 - evidence.coherence().map_err(untold)?),
        Bound::Rmse(_) => Bound::Rmse(evidence.rmse().map_err(untold)?),
        Bound::MaxAbs(_) => Bound::MaxAbs(evidence.max_abs()),
    };
    let name = opened.arrays.signature().arrays[part.array].name.clone();
    Ok(Some(Tightest { place: Place::Samples(name, part.samples.clone()), found }))
}

/// Which of several uses up most of its floor, the first of equal ones.
fn most_strained(budget: &Budget, parts: &[&Evidence]) -> std::result::Result<Option<usize>, EvidenceError> {
    let floor = Budget { whole: budget.part, ..*budget };
    let mut most: Option<(usize, f64)> = None;
    for (at, evidence) in parts.iter().enumerate() {
        let strain = floor.strain(evidence)?;
        if most.is_none_or(|(_, than)| strain > than) {
            most = Some((at, strain));
        }
    }
    Ok(most.filter(|(_, strain)| parts.len() > 1 && *strain > 0.0).map(|(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coherence::sample::SampleType;
    use coherence::signal::{APPROXIMATE_RULES, SignalComparison, evidence};

    /// Evidence of samples that are 1 in the source and `off` more in the target.
    fn part(samples: usize, off: f64) -> Evidence {
        let side = |value: f64| value.to_le_bytes().repeat(samples);
        let mut comparison = SignalComparison::new(SampleType::F64, APPROXIMATE_RULES[0]);
        comparison.push(&side(1.0), &side(1.0 + off)).unwrap();
        evidence(APPROXIMATE_RULES, comparison.evidence)
    }

    #[test]
    fn the_part_that_is_nearest_to_its_floor_is_found() {
        let (near, far, long, same) = (part(2, 0.25), part(2, 0.5), part(99, 0.25), part(2, 0.0));
        for floor in [Bound::Rate(0.75), Bound::Rmse(0.75), Bound::MaxAbs(0.75)] {
            let budget = Budget { part: floor, ..Budget::within(Bound::Rate(0.1)) };
            let found = |parts: &[&Evidence]| most_strained(&budget, parts).unwrap();
            assert_eq!(found(&[&same, &near, &far, &long]), Some(2), "{floor:?}");
            assert_eq!(found(&[&far, &far, &near]), Some(0), "{floor:?}");
            assert_eq!((found(&[&far]), found(&[&same, &same]), found(&[])), (None, None, None), "{floor:?}");
        }
    }
}
