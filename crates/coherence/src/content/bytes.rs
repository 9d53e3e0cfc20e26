//! The content digest of byte strings: one leaf for each run of 1 MiB, whatever format wraps the bytes.

use super::{Grid, PartContent, leaf_digest};
use crate::digest::Digest;

/// Bytes in one run: the grid on which leaves of a byte string lie.
pub const LEAF_BYTES: u64 = 1 << 20;

/// Computes the leaves of a part from bytes that arrive in pieces. The first byte must begin a run of the
/// whole.
#[derive(Clone, Debug, Default)]
pub struct BytesDigester {
    leaf: blake3::Hasher,
    leaf_bytes: u64,
    bytes: u64,
    leaves: Vec<Digest>,
}

impl BytesDigester {
    /// A digester that has seen no bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = usize::try_from(LEAF_BYTES - self.leaf_bytes).unwrap_or(usize::MAX);
            let (run, rest) = bytes.split_at(room.min(bytes.len()));
            self.leaf.update(run);
            self.leaf_bytes += run.len() as u64;
            if self.leaf_bytes == LEAF_BYTES {
                self.close_leaf();
            }
            bytes = rest;
        }
    }

    /// The content of all bytes pushed.
    pub fn finish(mut self) -> PartContent {
        if self.leaf_bytes > 0 {
            self.close_leaf();
        }
        PartContent { grid: Grid::Bytes, units: self.bytes, leaves: self.leaves }
    }

    fn close_leaf(&mut self) {
        let stream = Digest(*self.leaf.finalize().as_bytes());
        self.leaves.push(leaf_digest(self.leaf_bytes, &[stream]));
        self.leaf.reset();
        self.leaf_bytes = 0;
    }
}
