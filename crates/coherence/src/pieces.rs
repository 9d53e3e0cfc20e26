//! Pieces: runs of samples, such as the seconds of a sound, or tiles of an image, of which each must keep the
//! floor of a budget, however the work was cut into parts.
//!
//! Of a run that is complete only what is asked of all of them is kept, so that hours take no more room
//! than a second. The evidence of all pieces is summed beside, exactly, so that it can be shown to be that of
//! the whole.

use std::collections::BTreeMap;

use crate::budget::{Budget, Floor, OverBudget};
use crate::distance::DistanceError;
use crate::evidence::{ColumnEvidence, Evidence, EvidenceError};
use crate::sample::SampleType;
use crate::signal::{self, Rules, SignalComparison};
use crate::tiles::Tiles;

/// What was measured of one piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// Its index, from 0.
    pub index: u64,
    /// What is asked of it.
    floor: Floor,
    /// Its coherence.
    pub coherence: f64,
}

/// How the samples of the only array of a signal belong to pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Runs of so many samples of so many in all; the last may be shorter.
    Runs(u64, u64),
    /// Squares of an image.
    Tiles(Tiles),
}

/// What is known of the pieces of the only array of a signal.
#[derive(Clone, Debug)]
pub struct Pieces {
    rules: Rules,
    budget: Budget,
    cut: Cut,
    /// What was measured of each tile: an image has few of them.
    tiles: BTreeMap<u64, ColumnEvidence>,
    /// Evidence of all pieces, and of those of which something is still missing.
    whole: ColumnEvidence,
    open: BTreeMap<u64, ColumnEvidence>,
    complete: u64,
    /// The piece that puts the most strain on its floor, and the one with the least coherence; of several the
    /// first.
    strained: Option<Piece>,
    least: Option<Piece>,
}

impl Piece {
    /// What its floor looks at: its distance, its root mean square error or its largest error.
    pub fn found(&self) -> f64 {
        self.floor.found
    }
}

impl Cut {
    /// Samples of a piece that is not cut short by an end of the array.
    fn samples(&self) -> u64 {
        match self {
            Self::Runs(samples, _) => *samples,
            Self::Tiles(tiles) => tiles.samples(),
        }
    }

    /// Number of pieces.
    fn count(&self) -> u64 {
        match self {
            Self::Runs(samples, total) => total.div_ceil(*samples),
            Self::Tiles(tiles) => tiles.count(),
        }
    }

    /// Samples of a piece.
    fn samples_of(&self, index: u64) -> u64 {
        match self {
            Self::Runs(samples, total) => total.saturating_sub(index.saturating_mul(*samples)).min(*samples),
            Self::Tiles(tiles) => tiles.samples_of(index),
        }
    }
}

impl Pieces {
    /// Pieces of `samples` samples each of an array that has `total`; the last may be shorter.
    pub fn new(rules: Rules, budget: Budget, samples: u64, total: u64) -> Self {
        Self::cut(rules, budget, Cut::Runs(samples.max(1), total))
    }

    /// Tiles of an image.
    pub fn of_tiles(rules: Rules, budget: Budget, tiles: Tiles) -> Self {
        Self::cut(rules, budget, Cut::Tiles(tiles))
    }

    fn cut(rules: Rules, budget: Budget, cut: Cut) -> Self {
        Self {
            rules,
            budget,
            cut,
            tiles: BTreeMap::new(),
            whole: ColumnEvidence::new(rules[0]),
            open: BTreeMap::new(),
            complete: 0,
            strained: None,
            least: None,
        }
    }

    /// Adds evidence about samples of one piece, in any order.
    pub fn add(&mut self, index: u64, found: &ColumnEvidence) -> Result<(), EvidenceError> {
        self.whole.merge(found)?;
        let mut piece = self.open.remove(&index).unwrap_or_else(|| ColumnEvidence::new(self.rules[0]));
        piece.merge(found)?;
        if piece.cells < self.cut.samples_of(index) {
            self.open.insert(index, piece);
            return Ok(());
        }
        if let Cut::Tiles(_) = self.cut {
            self.tiles.insert(index, piece.clone());
        }
        let evidence = signal::evidence(self.rules, piece);
        let floor = self.budget.floor(&evidence)?;
        let piece = Piece { index, floor, coherence: evidence.coherence()? };
        self.complete += 1;
        let first = |found: &Piece, than: &Piece| found.index < than.index;
        let more = |found: &Piece, than: &Piece| match (found.floor.holds, than.floor.holds) {
            (true, false) => false,
            (false, true) => true,
            _ => found.floor.strain > than.floor.strain,
        };
        if self
            .strained
            .is_none_or(|than| more(&piece, &than) || !more(&than, &piece) && first(&piece, &than))
        {
            self.strained = Some(piece);
        }
        let least = |than: Piece| {
            piece.coherence < than.coherence || piece.coherence == than.coherence && first(&piece, &than)
        };
        if self.least.is_none_or(least) {
            self.least = Some(piece);
        }
        Ok(())
    }

    /// Samples of a piece that is not cut short by an end of the array.
    pub fn samples(&self) -> u64 {
        self.cut.samples()
    }

    /// Number of pieces.
    pub fn count(&self) -> u64 {
        self.cut.count()
    }

    /// The tiles that they are, where they are such, with what was measured of each that is complete, in
    /// their order.
    pub fn tiles(&self) -> Option<(Tiles, impl Iterator<Item = (u64, &ColumnEvidence)>)> {
        match self.cut {
            Cut::Tiles(tiles) => Some((tiles, self.tiles.iter().map(|(index, found)| (*index, found)))),
            Cut::Runs(..) => None,
        }
    }

    /// The piece that comes closest to missing its floor, or misses it by most.
    pub fn strained(&self) -> Option<&Piece> {
        self.strained.as_ref()
    }

    /// The piece with the least coherence.
    pub fn least(&self) -> Option<&Piece> {
        self.least.as_ref()
    }

    /// The evidence of all pieces.
    pub fn evidence(&self) -> Evidence {
        signal::evidence(self.rules, self.whole.clone())
    }

    /// Whether every sample of the array belongs to a piece that was measured, and these make this whole, to
    /// the bit.
    pub(crate) fn make(&self, whole: &Evidence) -> bool {
        self.open.is_empty() && self.complete == self.count() && self.evidence() == *whole
    }

    /// Checks the bound on the whole and the floor of every piece; the piece that misses it most is named.
    pub fn check(&self, budget: &Budget) -> Result<(), OverBudget> {
        if (Budget { whole: budget.whole, ..self.budget }) != *budget {
            return Err(OverBudget::OtherFloor);
        }
        if let Some(Piece { index, floor, .. }) = self.strained.filter(|piece| !piece.floor.holds) {
            let Floor { measure, found, allowed, absolute, .. } = floor;
            let part = usize::try_from(index).unwrap_or(usize::MAX);
            return Err(OverBudget::Part { part, measure, found, allowed, absolute });
        }
        budget.check_whole(&self.evidence())
    }

    /// How much of its bounds the whole uses up, or the piece that uses up most: more than 1 where one is
    /// missed.
    pub fn strain(&self) -> Result<f64, EvidenceError> {
        let whole = Budget { part: self.budget.whole, ..self.budget }.strain(&self.evidence())?;
        Ok(self.strained.map_or(whole, |piece| whole.max(piece.floor.strain)))
    }
}

/// Compares a run of samples of one array, and tells the pieces that it touches apart.
#[derive(Clone, Debug)]
pub struct PieceComparison {
    sample: SampleType,
    rules: Rules,
    samples: u64,
    next: u64,
    /// The pieces that were touched, by index, with what was measured of them here.
    found: Vec<(u64, SignalComparison)>,
}

impl PieceComparison {
    /// A comparison of samples of this type from sample `first` of the array on, in pieces of `samples`.
    pub fn new(sample: SampleType, rules: Rules, samples: u64, first: u64) -> Self {
        Self { sample, rules, samples: samples.max(1), next: first, found: Vec::new() }
    }

    /// Takes the next samples of both sides, equally many of each, little-endian.
    pub fn push(&mut self, left: &[u8], right: &[u8]) -> Result<(), DistanceError> {
        let width = self.sample.width();
        if left.len() != right.len() || !left.len().is_multiple_of(width) {
            return Err(DistanceError::Length { left: left.len(), right: right.len() });
        }
        let (mut left, mut right) = (left, right);
        while !left.is_empty() {
            let index = self.next / self.samples;
            let room = (self.samples - self.next % self.samples).min((left.len() / width) as u64);
            let ((ours, more), (theirs, rest)) =
                (left.split_at(room as usize * width), right.split_at(room as usize * width));
            if self.found.last().is_none_or(|(last, _)| *last != index) {
                self.found.push((index, SignalComparison::new(self.sample, self.rules[0])));
            }
            if let Some((_, comparison)) = self.found.last_mut() {
                comparison.push(ours, theirs)?;
            }
            self.next += room;
            (left, right) = (more, rest);
        }
        Ok(())
    }

    /// Takes out the pieces that no more samples belong to, so that they need not be held.
    pub fn take_complete(&mut self) -> impl Iterator<Item = (u64, ColumnEvidence)> + '_ {
        let next = self.next / self.samples;
        let complete = self.found.iter().take_while(|(index, _)| *index < next).count();
        self.found.drain(..complete).map(|(index, comparison)| (index, comparison.evidence))
    }

    /// The pieces that were touched, with what was measured of them here.
    pub fn finish(self) -> impl Iterator<Item = (u64, ColumnEvidence)> {
        self.found.into_iter().map(|(index, comparison)| (index, comparison.evidence))
    }
}
