//! A digest of rows whose order is free: LtHash (Bellare and Micciancio 1997; Lewi et al. 2019).
//!
//! Each row is expanded to 1024 lanes of 64 bits, and rows are summed lane by lane modulo 2^64. Lanes are
//! that wide because a multiset repeats rows: in 16-bit lanes, 65,536 copies of a row would cancel out. A
//! plain additive checksum is not an alternative, since collisions for it are found in seconds.

use crate::cells::Cells;
use crate::content::ContentError;
use crate::digest::Digest;
use crate::rows;
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
        let schema = std::mem::take(&mut self.schema);
        let taken = rows::each(&schema, ROW_PREFIX, batch, |bytes| self.add_row(bytes));
        self.schema = schema;
        taken
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
