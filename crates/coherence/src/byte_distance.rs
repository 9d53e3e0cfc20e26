//! The distance between two byte strings: every byte is a symbol, so d² counts the bytes that differ.

use crate::distance::{DistanceError, SignatureMismatch};
use crate::evidence::{ColumnEvidence, ColumnRule};

/// Bytes that are first tried as one block, so that equal strings are compared at the speed of memory.
const BLOCK_BYTES: usize = 4096;

/// Compares two byte strings piece by piece.
#[derive(Clone, Debug)]
pub struct BytesComparison {
    /// What is known so far.
    pub evidence: ColumnEvidence,
    /// Offset of the first byte that differs.
    pub first_differing: Option<u64>,
}

/// Why two byte strings are infinitely far apart: their lengths, which are all the signature they have.
pub fn length_mismatch(left: u64, right: u64) -> Option<SignatureMismatch> {
    (left != right).then_some(SignatureMismatch::Bytes { left, right })
}

impl BytesComparison {
    /// A comparison that has seen nothing.
    pub fn new() -> Self {
        Self { evidence: ColumnEvidence::new(ColumnRule::Exact), first_differing: None }
    }

    /// Takes the next bytes of both sides, equally many of each.
    pub fn push(&mut self, left: &[u8], right: &[u8]) -> Result<(), DistanceError> {
        if left.len() != right.len() {
            return Err(DistanceError::Length { left: left.len(), right: right.len() });
        }
        let begin = self.evidence.cells;
        let mut differing = 0;
        for (block, (a, b)) in left.chunks(BLOCK_BYTES).zip(right.chunks(BLOCK_BYTES)).enumerate() {
            if a == b {
                continue;
            }
            differing += a.iter().zip(b).filter(|(a, b)| a != b).count() as u64;
            if self.first_differing.is_none() {
                let within = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or_default();
                self.first_differing = Some(begin + (block * BLOCK_BYTES + within) as u64);
            }
        }
        Ok(self.evidence.add_symbols(left.len() as u64, differing)?)
    }
}

impl Default for BytesComparison {
    fn default() -> Self {
        Self::new()
    }
}
