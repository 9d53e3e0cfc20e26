//! Tiles: the squares of an image, of which each must keep the floor of a budget.
//!
//! They lie on a grid from the upper left corner, so that their places follow from the size of the image
//! alone; the last of a row and of a column are what is left. The evidence of all tiles is, to the bit, that
//! of the whole: sums are exact.

use std::ops::Range;

use crate::distance::DistanceError;
use crate::evidence::ColumnEvidence;
use crate::sample::SampleType;
use crate::signal::{Rules, SignalComparison};

/// How an image is cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiles {
    rows: u64,
    columns: u64,
    /// Samples of a pixel.
    channels: u64,
    /// Pixels of a side of a tile.
    side: u64,
}

impl Tiles {
    /// Tiles of `side` pixels in each direction of an array of rows × columns × channels; `None` for an array
    /// of another shape, without any sample or of more than 64 bits can count, or a side of 0.
    pub fn new(shape: &[u64], side: u64) -> Option<Self> {
        let [rows, columns, channels] = *shape else { return None };
        let samples = rows.checked_mul(columns)?.checked_mul(channels)?;
        side.checked_mul(side)?.checked_mul(channels)?;
        (samples > 0 && side > 0).then_some(Self { rows, columns, channels, side })
    }

    /// Pixels of a side of a tile.
    pub fn side(&self) -> u64 {
        self.side
    }

    /// Number of tiles.
    pub fn count(&self) -> u64 {
        self.across() * self.rows.div_ceil(self.side)
    }

    /// Samples of a tile that is not the last of a row or column.
    pub fn samples(&self) -> u64 {
        self.side * self.side * self.channels
    }

    /// Tiles in a row of them.
    fn across(&self) -> u64 {
        self.columns.div_ceil(self.side)
    }

    /// Column and row of a tile in the grid, from 0.
    pub fn place(&self, index: u64) -> (u64, u64) {
        (index % self.across(), index / self.across())
    }

    /// Columns and rows of the pixels of a tile.
    pub fn pixels(&self, index: u64) -> (Range<u64>, Range<u64>) {
        let (across, down) = self.place(index);
        let range = |at: u64, end: u64| {
            let begin = at.saturating_mul(self.side).min(end);
            begin..begin.saturating_add(self.side).min(end)
        };
        (range(across, self.columns), range(down, self.rows))
    }

    /// Samples of a tile.
    pub fn samples_of(&self, index: u64) -> u64 {
        let (x, y) = self.pixels(index);
        (x.end - x.start) * (y.end - y.start) * self.channels
    }

    /// What is found of each tile, in their order, from all samples of both sides, little-endian.
    pub fn compare(
        &self,
        sample: SampleType,
        rules: Rules,
        left: &[u8],
        right: &[u8],
    ) -> Result<Vec<ColumnEvidence>, DistanceError> {
        let pixel = self.channels as usize * sample.width();
        let row = self.columns as usize * pixel;
        if left.len() != right.len() || left.len() != row * self.rows as usize {
            return Err(DistanceError::Length { left: left.len(), right: right.len() });
        }
        let mut found = vec![SignalComparison::new(sample, rules[0]); self.count() as usize];
        let across = self.across() as usize;
        let run = (self.side as usize).saturating_mul(pixel);
        for (y, (ours, theirs)) in left.chunks_exact(row).zip(right.chunks_exact(row)).enumerate() {
            let first = y / self.side as usize * across;
            let runs = ours.chunks(run).zip(theirs.chunks(run));
            for (tile, (ours, theirs)) in found[first..].iter_mut().zip(runs) {
                tile.push(ours, theirs)?;
            }
        }
        Ok(found.into_iter().map(|comparison| comparison.evidence).collect())
    }
}
