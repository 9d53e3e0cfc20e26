//! Provides the distance between the contents of two objects as byte strings.

use std::sync::Arc;

use coherence::byte_distance::{BytesComparison, length_mismatch};
use coherence::distance::SignatureMismatch;
use formats::bytes::{Ahead, Codec};
use formats::file::ObjectFile;

use super::super::memory::{BASE_BYTES, unwrapping};
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;

/// Content of each side that is compared at once.
const BLOCK_BYTES: usize = 256 << 10;

/// What was found.
pub struct Compared {
    /// Bytes of content on both sides.
    pub bytes: (u64, u64),
    /// What both sides have, byte by byte.
    pub comparison: BytesComparison,
    /// Why the distance is infinite, where it is.
    pub signature: Option<SignatureMismatch>,
}

impl Compared {
    /// Whether the contents are the same.
    pub fn is_equal(&self) -> bool {
        self.signature.is_none() && self.comparison.evidence.differing == 0
    }
}

/// Decodes both objects side by side, each on as many threads as half of the memory has room for.
pub fn compare(
    left: (&Arc<ObjectFile>, Codec),
    right: (&Arc<ObjectFile>, Codec),
    (workers, memory): (usize, u64),
    progress: &Progress,
) -> Result<Compared> {
    let half = memory.saturating_sub(BASE_BYTES) / 2;
    let read = |(file, codec): (&Arc<ObjectFile>, Codec)| {
        let reader = Ahead::new(codec, file, unwrapping(workers, half, codec));
        reader.map_err(|error| error.in_file(file.path()))
    };
    let mut readers = [read(left)?, read(right)?];
    let mut blocks = [vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]];
    let mut comparison = BytesComparison::new();
    let size = left.0.len() + right.0.len();
    progress.begin(Stage::Comparing, size, size);
    let mut at = [0; 2];
    loop {
        let mut counts = [0; 2];
        for (side, file) in [left.0, right.0].into_iter().enumerate() {
            let filled = readers[side].fill(&mut blocks[side]);
            counts[side] = filled.map_err(|error| error.in_file(file.path()))?;
            let now = readers[side].position();
            progress.advance(now.saturating_sub(at[side]))?;
            at[side] = now;
        }
        let shared = counts[0].min(counts[1]);
        let pushed = comparison.push(&blocks[0][..shared], &blocks[1][..shared]);
        pushed.map_err(Failure::bug)?;
        if counts == [0, 0] {
            break;
        }
    }
    let bytes = (readers[0].totals().bytes, readers[1].totals().bytes);
    Ok(Compared { bytes, comparison, signature: length_mismatch(bytes.0, bytes.1) })
}
