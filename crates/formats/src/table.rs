//! Provides the two small traits that every table format fulfils: a source of typed batches and an encoder.
//!
//! A target is always `header ‖ part 0 ‖ … ‖ part n ‖ footer`. A part is encoded without knowing where it
//! will lie, so parts can be made anywhere and in any order; what the footer must know of a part travels
//! beside its bytes as the *sidecar*.

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::bytes::Settings;
use crate::error::{Error, Result};
use crate::pieces::Pieces;

/// Typed batches in row order.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<RecordBatch>> + Send + 'a>;

/// The name of a column that has none: `column_1` for the first.
pub fn numbered_name(at: usize) -> String {
    format!("column_{}", at + 1)
}

/// Bytes that the values of a batch take in memory, whatever its buffers hold besides.
pub(crate) fn rows_bytes(batch: &RecordBatch) -> Result<usize> {
    let sizes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size());
    let size = sizes.sum::<std::result::Result<usize, _>>();
    size.map_err(|error| Error::Bug(format!("the size of a batch: {error}")))
}

/// A table that can be read from any row, by several threads at once.
pub trait TableSource: Send + Sync {
    /// Names and types of the columns.
    fn schema(&self) -> &SchemaRef;

    /// Number of rows.
    fn rows(&self) -> u64;

    /// The bytes of the source that hold `rows`: exact for text, the whole groups touched for binary formats.
    fn byte_range(&self, rows: Range<u64>) -> Range<u64>;

    /// Decodes `rows`. Batches hold at most [`crate::limits::BATCH_ROWS`] rows.
    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>>;

    /// Bytes of the largest piece that must be in memory whole while a row of it is decoded; 0 where that is
    /// no more than a batch or a page. Of text, what a thread holds of its longest record on the way to the
    /// target.
    fn held_bytes(&self) -> u64 {
        0
    }

    /// What of the object is no part of the table, and so not kept, for people to read.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Checks that every byte of the object belongs to a structure that decoding reads.
    fn check_structure(&self) -> Result<()>;
}

/// One encoded part: bytes that are placed verbatim, and what the footer needs to know of them.
#[derive(Debug)]
pub struct Encoded {
    /// Number of rows.
    pub rows: u64,
    /// The bytes of the part, position independent.
    pub bytes: Pieces,
    /// Format specific facts for the footer, position independent.
    pub sidecar: Vec<u8>,
}

/// Where an encoded part lies in the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Number of rows.
    pub rows: u64,
    /// The bytes of the target that it fills.
    pub bytes: Range<u64>,
    /// The sidecar of the part.
    pub sidecar: Vec<u8>,
}

/// Makes targets of one format under one schema and one set of options.
pub trait TableEncoder: Send + Sync {
    /// The bytes before the first part.
    fn header(&self) -> Result<Vec<u8>>;

    /// Begins the part whose first row is this one of the table.
    fn part(&self, first_row: u64) -> Result<Box<dyn PartEncoder + '_>>;

    /// The bytes after the last part. `placed` is in the order of the parts and without gaps.
    fn footer(&self, placed: &[Placed]) -> Result<Vec<u8>>;

    /// The member of a wrapping that all of these bytes become, one after another through an
    /// [`crate::bytes::Outlet`]; of most targets none.
    fn member(&self) -> Option<Settings> {
        None
    }
}

/// A part being encoded.
pub trait PartEncoder: Send {
    /// Adds rows.
    fn push(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Closes the part.
    fn finish(self: Box<Self>) -> Result<Encoded>;
}

/// Of batches that begin at row `start`, those rows that lie in `rows`.
pub(crate) fn trimmed<'a>(batches: Batches<'a>, start: u64, rows: Range<u64>) -> Batches<'a> {
    let mut at = start;
    let cut = move |batch: Result<RecordBatch>| {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return Some(Err(error)),
        };
        let (first, next) = (at, at + batch.num_rows() as u64);
        at = next;
        let (from, to) = (first.max(rows.start), next.min(rows.end));
        (from < to).then(|| Ok(batch.slice((from - first) as usize, (to - from) as usize)))
    };
    Box::new(batches.filter_map(cut))
}
