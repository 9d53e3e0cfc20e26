//! Provides the tiles of an image: each of them keeps the floor of a budget.

use coherence::budget::{Bound, Budget, OverBudget};
use coherence::evidence::Evidence;
use coherence::pieces::{Piece, Pieces};
use coherence::signal::{APPROXIMATE_RULES, Signature};
use coherence::tiles::Tiles;
use formats::image::Image;

use super::super::signal::{Place, Tightest};
use crate::failure::{Result, untold};

/// Steps between black and full intensity of which a tile has lost nothing that anybody sees, where it is off
/// by one on average: those of 8 bits. A JPEG of colours cannot come nearer than 0.6 to 0.8 of such a step,
/// whatever its quality, since it rounds brightness and colours.
const UNSEEN: f64 = 255.0;

/// The rate from which on a bound asks nothing: that at which the result is as far from its source as nothing
/// at all.
const RATE_OF_NOTHING: f64 = 1.0;

/// The tiles of an image that have a floor.
#[derive(Debug, Clone, Copy)]
pub struct Floored {
    /// Where they lie.
    tiles: Tiles,
    /// The budget, with the root mean square error that a floor in proportion to the norm leaves to a black
    /// tile.
    pub budget: Budget,
}

/// The tile that has the least coherence.
#[derive(Debug, Clone)]
pub struct Worst {
    /// Where it lies.
    pub place: Place,
    /// Its coherence.
    pub coherence: f64,
}

impl Floored {
    /// The tiles of `side` pixels of an image under a budget; `None` where nobody asked for any distance.
    pub fn of(signature: &Signature, budget: Budget, side: u64) -> Option<Self> {
        let [array] = signature.arrays.as_slice() else { return None };
        let tiles = Tiles::new(&array.shape, side)?;
        let part_absolute = match budget.part {
            Bound::Rate(rate) if rate >= RATE_OF_NOTHING => return None,
            Bound::Rate(rate) if rate > 0.0 => array.peak? / UNSEEN,
            _ => 0.0,
        };
        Some(Self { tiles, budget: Budget { part_absolute, ..budget } })
    }

    /// The tiles that a certificate states, under the budget that it states.
    pub fn certified(signature: &Signature, budget: Budget, side: u64) -> Option<Self> {
        let [array] = signature.arrays.as_slice() else { return None };
        Some(Self { tiles: Tiles::new(&array.shape, side)?, budget })
    }

    /// Pixels of a side.
    pub fn side(&self) -> u64 {
        self.tiles.side()
    }

    /// Samples of one that is not the last of a row or column.
    pub fn samples(&self) -> u64 {
        self.tiles.samples()
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.tiles.count()
    }

    /// The same tiles under another budget.
    pub fn within(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// What is found of all tiles of an image and of what was made of it.
    pub fn measured(&self, source: &Image, made: &Image) -> Result<Pieces> {
        let mut pieces = Pieces::of_tiles(APPROXIMATE_RULES, self.budget, self.tiles);
        let found = self.tiles.compare(source.sample, APPROXIMATE_RULES, &source.samples, &made.samples);
        let found = found.map_err(untold)?;
        (0..).zip(&found).try_for_each(|(index, found)| pieces.add(index, found)).map_err(untold)?;
        Ok(pieces)
    }

    /// Where a tile lies.
    pub fn place(&self, index: u64) -> Place {
        let (x, y) = self.tiles.pixels(index);
        Place::Tile { at: self.tiles.place(index), x, y }
    }

    /// Whether there is more than one.
    fn are_several(&self) -> bool {
        self.count() > 1
    }
}

/// The tile that comes closest to missing its floor, of several.
pub fn tightest(floored: Option<Floored>, pieces: Option<&Pieces>) -> Option<Tightest> {
    let floored = floored.filter(Floored::are_several)?;
    let piece = pieces?.strained().filter(|piece| piece.found() > 0.0)?;
    let found = match floored.budget.part {
        Bound::Rate(_) => Bound::Rate(1.0 - piece.coherence),
        Bound::Rmse(_) => Bound::Rmse(piece.found()),
        Bound::MaxAbs(_) => Bound::MaxAbs(piece.found()),
    };
    Some(Tightest { place: floored.place(piece.index), found })
}

/// The tile with the least coherence, of several.
pub fn worst(floored: Option<Floored>, pieces: Option<&Pieces>) -> Option<Worst> {
    let floored = floored.filter(Floored::are_several)?;
    let Piece { index, coherence, .. } = pieces?.least()?;
    Some(Worst { place: floored.place(*index), coherence: *coherence })
}

/// Checks the bound on an image, and then the floor of its tiles where these have one.
pub fn check(
    budget: &Budget,
    evidence: &Evidence,
    tiles: Option<&Pieces>,
) -> std::result::Result<(), OverBudget> {
    match tiles {
        Some(tiles) => {
            Budget { part: Bound::MaxAbs(f64::INFINITY), ..*budget }.check([evidence])?;
            tiles.check(budget)
        }
        None => budget.check([evidence]),
    }
}

/// The tile that misses its floor, of several, as a person is told it.
pub fn missed(floored: Option<Floored>, missed: &OverBudget) -> Option<String> {
    let OverBudget::Part { part, .. } = missed else { return None };
    let floored = floored.filter(Floored::are_several)?;
    Some(floored.place(*part as u64).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use coherence::sample::SampleType;
    use formats::image::Channels;

    fn image(width: u32, height: u32, sample: SampleType) -> Image {
        let samples = vec![0; (width * height) as usize * 3 * sample.width()];
        let (attributes, ignored) = (Vec::new(), Vec::new());
        Image { width, height, channels: Channels::Rgb, sample, samples, attributes, ignored, declared: None }
    }

    #[test]
    fn a_black_tile_may_be_off_by_a_step_of_8_bits() {
        let budget = Budget::within(Bound::Rate(0.01));
        for (sample, step) in [(SampleType::U8, 1u64), (SampleType::U16, 257)] {
            let source = image(70, 64, sample);
            let floored = Floored::of(&source.signature(), budget, 64).unwrap();
            let off = |by: u64| {
                let mut made = source.clone();
                let width = sample.width();
                for raw in made.samples.chunks_exact_mut(width) {
                    raw.copy_from_slice(&by.to_le_bytes()[..width]);
                }
                let pieces = floored.measured(&source, &made).unwrap();
                pieces.strained().map(|piece| (piece.index, pieces.strain().unwrap() <= 1.0)).unwrap()
            };
            // The whole has no companion: it is the tiles that are looked at here.
            assert_eq!(floored.measured(&source, &source).unwrap().check(&floored.budget), Ok(()));
            let whole = Floored { budget: Budget { whole: Bound::MaxAbs(9e9), ..floored.budget }, ..floored };
            let keeps = |by: u64| {
                let mut made = source.clone();
                for raw in made.samples.chunks_exact_mut(sample.width()) {
                    raw.copy_from_slice(&by.to_le_bytes()[..sample.width()]);
                }
                whole.measured(&source, &made).unwrap().check(&whole.budget).is_ok()
            };
            assert!(keeps(step) && !keeps(step + 1), "{sample}");
            assert_eq!(off(2 * step), (0, false));
        }
    }

    #[test]
    fn only_a_floor_in_proportion_has_a_companion_and_none_is_asked_of_gates_alone() {
        let signature = image(9, 9, SampleType::U8).signature();
        let of = |part| Floored::of(&signature, Budget::within(part), 512).map(|found| found.budget);
        for part in [Bound::Rmse(1.0), Bound::MaxAbs(1.0), Bound::ZERO] {
            assert_eq!(of(part).unwrap().part_absolute, 0.0);
        }
        assert_eq!(of(Bound::Rate(0.5)).unwrap().part_absolute, 1.0);
        assert_eq!(of(Bound::Rate(1.0)), None);
    }

    #[test]
    fn a_ruined_tile_is_found_although_the_mean_is_fine() {
        let source = image(1000, 1000, SampleType::U8);
        let mut made = source.clone();
        // 3 of 512 rows of the second tile of the second row.
        for row in 600..603 {
            made.samples[(row * 1000 + 512) * 3..(row * 1000 + 1000) * 3].fill(90);
        }
        let budget = Budget { part: Bound::Rmse(5.0), ..Budget::within(Bound::Rmse(5.0)) };
        let floored = Floored::of(&source.signature(), budget, 512).unwrap();
        let pieces = floored.measured(&source, &made).unwrap();
        let whole = pieces.evidence();
        assert!(whole.rmse().unwrap() < 5.0 && budget.check([&whole]).is_ok());
        let error = check(&budget, &whole, Some(&pieces)).unwrap_err();
        assert_eq!(missed(Some(floored), &error).unwrap(), "tile 1,1 (x 512 to 1000, y 512 to 1000)");
        let Place::Tile { at, .. } = worst(Some(floored), Some(&pieces)).unwrap().place else { panic!() };
        assert_eq!(at, (1, 1));
        assert!(tightest(Some(floored), Some(&pieces)).is_some());
    }
}
