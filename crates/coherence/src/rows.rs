//! The canonical bytes of single rows, and digests of sequences of rows that are cheap to have many of.
//!
//! A content digest lies on a grid of chunks and takes a hash state for each column, which is too much where
//! one pass over a table feeds thousands of sequences at once. Here a row is hashed by itself, and a sequence
//! is the hash of its rows' digests: one hash state, and the order of rows is bound.

use crate::cells::{Cells, Values};
use crate::content::{self, ContentError};
use crate::digest::Digest;
use crate::numeric;
use crate::schema::Schema;

/// Name of the scheme, bound into every digest of a sequence.
pub const SCHEME: &str = "isoform-rows/v1";

/// Prefix of the hash of a row.
const ROW_PREFIX: u8 = 7;
/// Prefix of the hash of a sequence.
const SEQUENCE_PREFIX: u8 = 8;

/// Calls `take` with the canonical bytes of each row, which begin with `prefix`. After an error it was not
/// called.
pub(crate) fn each(
    schema: &Schema,
    prefix: u8,
    batch: &[Cells<'_>],
    mut take: impl FnMut(&[u8]),
) -> Result<(), ContentError> {
    let expected = schema.columns();
    if batch.len() != expected {
        return Err(ContentError::Columns { expected, found: batch.len() });
    }
    let rows = batch.first().map_or(0, Cells::len);
    for (column, (field, cells)) in schema.fields.iter().zip(batch).enumerate() {
        if cells.len() != rows {
            return Err(ContentError::Rows { column, expected: rows, found: cells.len() });
        }
        if !content::fits(&field.ty, cells) {
            return Err(ContentError::Layout { column, expected: field.ty.clone() });
        }
    }
    let mut bytes = Vec::new();
    for row in 0..rows {
        bytes.clear();
        bytes.push(prefix);
        batch.iter().for_each(|cells| put_cell(&mut bytes, cells, row));
        take(&bytes);
    }
    Ok(())
}

/// The digest of each row of a batch, in order.
///
/// # Errors
/// A batch that does not have the columns of the schema.
pub fn row_digests(schema: &Schema, batch: &[Cells<'_>]) -> Result<Vec<Digest>, ContentError> {
    let mut digests = Vec::with_capacity(batch.first().map_or(0, Cells::len));
    each(schema, ROW_PREFIX, batch, |bytes| digests.push(Digest::blake3(bytes)))?;
    Ok(digests)
}

/// Rows in an order: how many, and their digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Number of rows.
    pub rows: u64,
    /// Binds scheme, schema, count, and the rows in their order.
    pub digest: Digest,
}

/// Computes the digest of rows in their order, from the digests of single rows.
#[derive(Clone, Debug)]
pub struct SequenceDigester {
    rows: u64,
    hasher: blake3::Hasher,
}

impl SequenceDigester {
    /// A digester of rows of this schema.
    pub fn new(schema: &Schema) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[SEQUENCE_PREFIX]);
        for text in [SCHEME.as_bytes(), &schema.canonical_bytes()] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        Self { rows: 0, hasher }
    }

    /// Takes the next rows.
    pub fn push(&mut self, rows: &[Digest]) {
        self.rows += rows.len() as u64;
        for row in rows {
            self.hasher.update(row.as_bytes());
        }
    }

    /// The rows so far. The count closes the hash, so that no sequence is the beginning of another.
    pub fn finish(&self) -> Sequence {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.rows.to_le_bytes());
        Sequence { rows: self.rows, digest: Digest(*hasher.finalize().as_bytes()) }
    }
}

/// Appends one cell: 0 for null; otherwise 1 and the value, behind its length where types leave that open.
fn put_cell(out: &mut Vec<u8>, cells: &Cells<'_>, row: usize) {
    if cells.is_null(row) {
        out.push(0);
        return;
    }
    out.push(1);
    match cells.values() {
        Values::Null => {}
        Values::Bool(bits) => out.push(u8::from(bits.get(row))),
        Values::Fixed { width, bytes } => out.extend(&bytes[row * width..(row + 1) * width]),
        Values::Float { width, bytes } => {
            let value = &bytes[row * width..(row + 1) * width];
            match width {
                _ if !numeric::float(value).is_nan() => out.extend(value),
                2 => out.extend(0x7e00u16.to_le_bytes()),
                4 => out.extend(0x7fc0_0000u32.to_le_bytes()),
                _ => out.extend(0x7ff8_0000_0000_0000u64.to_le_bytes()),
            }
        }
        Values::Bytes { offsets, data } => {
            let value = &data[offsets.get(row)..offsets.get(row + 1)];
            out.extend((value.len() as u64).to_le_bytes());
            out.extend(value);
        }
        Values::List { offsets, child } => {
            let items = offsets.get(row)..offsets.get(row + 1);
            out.extend((items.len() as u64).to_le_bytes());
            items.for_each(|item| put_cell(out, child, item));
        }
        Values::FixedList { size, child } => {
            (row * size..(row + 1) * size).for_each(|item| put_cell(out, child, item));
        }
        Values::Struct(fields) => fields.iter().for_each(|field| put_cell(out, field, row)),
    }
}
