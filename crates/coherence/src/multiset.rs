//! A digest of rows whose order is free: LtHash (Bellare and Micciancio 1997; Lewi et al. 2019).
//!
//! Each row is expanded to 1024 lanes of 64 bits, and rows are summed lane by lane modulo 2^64. Lanes are
//! that wide because a multiset repeats rows: in 16-bit lanes, 65,536 copies of a row would cancel out. A
//! plain additive checksum is not an alternative, since collisions for it are found in seconds.

use crate::cells::{Cells, Values};
use crate::content::{self, ContentError};
use crate::digest::Digest;
use crate::numeric;
use crate::schema::Schema;

/// Name of the scheme, bound into every digest.
pub const SCHEME: &str = "isoform-multiset/v1";

/// Lanes of the sum.
const LANES: usize = 1024;
/// Prefix of the hash that expands a row.
const ROW_PREFIX: u8 = 4;
/// Prefix of the hash that closes a digest.
const DIGEST_PREFIX: u8 = 5;

/// Computes the digest of a multiset of rows; the order of rows and of merges leaves no trace.
#[derive(Clone, Debug)]
pub struct MultisetDigester {
    schema: Schema,
    rows: u64,
    lanes: Vec<u64>,
}

impl MultisetDigester {
    /// A digester for rows of this schema.
    pub fn new(schema: &Schema) -> Self {
        Self { schema: schema.clone(), rows: 0, lanes: vec![0; LANES] }
    }

    /// Takes rows. After an error nothing of the batch has been taken.
    pub fn push(&mut self, batch: &[Cells<'_>]) -> Result<(), ContentError> {
        let expected = self.schema.columns();
        if batch.len() != expected {
            return Err(ContentError::Columns { expected, found: batch.len() });
        }
        let rows = batch.first().map_or(0, Cells::len);
        for (column, (field, cells)) in self.schema.fields.iter().zip(batch).enumerate() {
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
            bytes.push(ROW_PREFIX);
            batch.iter().for_each(|cells| put_cell(&mut bytes, cells, row));
            self.add_row(&bytes);
        }
        Ok(())
    }

    /// Adds the rows of another digester of the same schema; false, and nothing added, when schemas differ.
    #[must_use]
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.schema != other.schema {
            return false;
        }
        self.rows = self.rows.wrapping_add(other.rows);
        for (lane, added) in self.lanes.iter_mut().zip(&other.lanes) {
            *lane = lane.wrapping_add(*added);
        }
        true
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The digest: binds the scheme, the schema, the count of rows and the sum.
    pub fn finish(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[DIGEST_PREFIX]);
        for text in [SCHEME.as_bytes(), &self.schema.canonical_bytes()] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        hasher.update(&self.rows.to_le_bytes());
        for lane in &self.lanes {
            hasher.update(&lane.to_le_bytes());
        }
        Digest(*hasher.finalize().as_bytes())
    }

    fn add_row(&mut self, bytes: &[u8]) {
        let mut expanded = [0; LANES * 8];
        blake3::Hasher::new().update(bytes).finalize_xof().fill(&mut expanded);
        for (lane, added) in self.lanes.iter_mut().zip(expanded.as_chunks::<8>().0) {
            *lane = lane.wrapping_add(u64::from_le_bytes(*added));
        }
        self.rows = self.rows.wrapping_add(1);
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
