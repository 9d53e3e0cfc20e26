//! The grid of a content: how its units (rows, bytes) lie on the leaves of its digest.

use std::fmt;

use super::{CHUNK_ROWS, ContentError, LEAF_BYTES, RUN_SAMPLES};
use crate::digest::Digest;

/// How the units of a content lie on leaves. A chunk is a run of units; each array of the content (each
/// column of a table, the only array of a byte string) has one leaf in each chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grid {
    /// Rows of this many columns.
    Table {
        /// Number of columns.
        columns: usize,
    },
    /// Samples of one array of a signal.
    Signal,
    /// Bytes.
    Bytes,
}

/// The place of one leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafAt {
    /// A column within a chunk of rows.
    Cells {
        /// Index of the chunk.
        chunk: u64,
        /// Index of the column.
        column: usize,
    },
    /// A run of samples of an array.
    Samples {
        /// Index of its first sample.
        from: u64,
    },
    /// A run of bytes.
    Bytes {
        /// Offset of its first byte.
        from: u64,
    },
}

impl fmt::Display for LeafAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cells { chunk, column } => write!(f, "chunk {chunk}, column {column}"),
            Self::Samples { from } => write!(f, "the run of samples from {from}"),
            Self::Bytes { from } => write!(f, "the run of bytes from {from}"),
        }
    }
}

impl Grid {
    /// What the units are called.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Table { .. } => "rows",
            Self::Signal => "samples",
            Self::Bytes => "bytes",
        }
    }

    /// Units in one chunk.
    pub fn chunk_units(self) -> u64 {
        match self {
            Self::Table { .. } => CHUNK_ROWS,
            Self::Signal => RUN_SAMPLES,
            Self::Bytes => LEAF_BYTES,
        }
    }

    /// Arrays that lie side by side, and so leaves in one chunk.
    pub fn arrays(self) -> usize {
        match self {
            Self::Table { columns } => columns,
            Self::Signal | Self::Bytes => 1,
        }
    }

    /// Columns of the evidence about such content: one for each array of a table or byte string; of a signal
    /// one for what may be approximated, and one for all else.
    pub fn evidence_columns(self) -> usize {
        match self {
            Self::Table { columns } => columns,
            Self::Signal => 2,
            Self::Bytes => 1,
        }
    }

    /// Number of leaves over this many units: chunks times arrays. `None` when the product does not fit.
    pub fn leaf_count(self, units: u64) -> Option<u64> {
        units.div_ceil(self.chunk_units()).checked_mul(u64::try_from(self.arrays()).ok()?)
    }

    /// Fails unless the leaves cover exactly these units.
    pub(crate) fn check_leaves(self, units: u64, leaves: &[Digest]) -> Result<(), ContentError> {
        let expected = self.leaf_count(units).unwrap_or(u64::MAX);
        let found = leaves.len() as u64;
        if expected == found { Ok(()) } else { Err(ContentError::Leaves { expected, found }) }
    }

    /// The place of a leaf, by its array and its index among all leaves.
    fn place(self, index: usize) -> (usize, LeafAt) {
        match self {
            Self::Table { columns } => {
                let (chunk, column) = (index / columns.max(1), index % columns.max(1));
                (column, LeafAt::Cells { chunk: chunk as u64, column })
            }
            Self::Signal => (0, LeafAt::Samples { from: (index as u64).saturating_mul(RUN_SAMPLES) }),
            Self::Bytes => (0, LeafAt::Bytes { from: (index as u64).saturating_mul(LEAF_BYTES) }),
        }
    }

    /// The array and place of every leaf that differs, or that only one side has, in order.
    pub fn mismatches<'a>(
        self,
        left: &'a [Digest],
        right: &'a [Digest],
    ) -> impl Iterator<Item = (usize, LeafAt)> + 'a {
        (0..left.len().max(right.len()))
            .filter(|index| left.get(*index) != right.get(*index))
            .map(move |index| self.place(index))
    }
}
