//! Provides the comparison of two tables, whatever their formats: row by row ([`in_order`]), row by row of
//! one key ([`by_key`]), or as multisets of rows ([`unordered()`]).
//!
//! Nothing here takes more memory than it was given, apart from the batches that a table decodes: what does
//! not fit goes into temporaries, cut by the digest of the key.

mod common;
mod findings;
mod keyed;
mod order;
mod plan;
mod spill;
mod tally;
#[cfg(test)]
mod tests;
mod unordered;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coherence::distance::SignatureMismatch;
use coherence::evidence::ColumnEvidence;
use coherence::tolerance::Tolerance;

use crate::table::TableSource;

pub use keyed::by_key;
pub use order::in_order;
pub use plan::Plan;
pub use unordered::{digest_rows, unordered};

/// One of the two tables.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its rows.
    pub table: &'a dyn TableSource,
    /// Where it comes from, for errors.
    pub path: &'a Path,
}

/// Which of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The first one.
    Left,
    /// The second one.
    Right,
}

/// How two tables are compared.
#[derive(Clone, Debug)]
pub struct CompareOptions {
    /// Rows of each kind that are remembered at most.
    pub show: usize,
    /// How far numbers may differ.
    pub tolerances: Tolerances,
    /// Columns whose cells tell which rows belong together; empty where the order does.
    pub key: Vec<String>,
    /// Bytes of rows that are held at once.
    pub memory: usize,
    /// Directory for temporaries.
    pub spill_dir: PathBuf,
}

/// How far numbers may differ, by column.
#[derive(Clone, Debug, Default)]
pub struct Tolerances {
    /// For every column of numbers that is not named and not part of the key.
    pub general: Option<Tolerance>,
    /// For single columns.
    pub columns: BTreeMap<String, Tolerance>,
}

impl Tolerances {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.general.is_none() && self.columns.is_empty()
    }
}

/// The index of a compared column, and the text of its cell on both sides; `None` is null.
pub type DifferingCell = (usize, Option<String>, Option<String>);

/// What a comparison found.
#[derive(Debug)]
pub struct Comparison {
    /// Why the distance is infinite; empty where it is finite. What both sides have is compared all the same.
    pub signature: Vec<SignatureMismatch>,
    /// The columns that both sides have, in the order of the left.
    pub columns: Vec<ComparedColumn>,
    /// Rows that were compared with each other; none where the order is free.
    pub pairs: u64,
    /// The first differing pairs, by the row of the left, counted from 0.
    pub rows: BTreeMap<u64, DifferingRow>,
    /// Rows that only one side has: of the left, of the right.
    pub alone: [Alone; 2],
}

/// What was found in one column.
#[derive(Clone, Debug)]
pub struct ComparedColumn {
    /// Its name; that of the left where the names differ.
    pub name: String,
    /// Distance and norm. Empty where the order of rows is free.
    pub evidence: ColumnEvidence,
    /// How far its numbers may differ.
    pub tolerance: Option<Tolerance>,
    /// Differing cells that are within the tolerance.
    pub within: u64,
    /// The type under which both sides were read, where their own types differ.
    pub read_as: Option<String>,
}

/// Two rows that belong together and differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingRow {
    /// Row of the right, counted from 0.
    pub right: u64,
    /// Cells of the key, in its order.
    pub key: Vec<Option<String>>,
    /// The cells that differ, by more than the tolerance.
    pub cells: Vec<DifferingCell>,
}

/// Rows of one side without a partner on the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alone {
    /// How many there are.
    pub count: u64,
    /// The first of them, counted from 0. Where the order is free, equal rows are told once.
    pub rows: BTreeMap<u64, AloneRow>,
}

/// A row, or several equal ones, of which one side has more than the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AloneRow {
    /// Cells of the compared columns.
    pub cells: Vec<Option<String>>,
    /// How often the left and the right have such a row.
    pub times: [u64; 2],
}

impl Comparison {
    /// Whether nothing differs by more than the tolerance.
    pub fn is_equal(&self) -> bool {
        let same = |column: &ComparedColumn| column.evidence.differing == column.within;
        self.signature.is_empty() && self.columns.iter().all(same)
    }
}
