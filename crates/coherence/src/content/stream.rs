//! Streams: the hashers beneath a leaf, fed in pieces of any size.
//!
//! BLAKE3 is fast only on long inputs, so short pieces are gathered into blocks; long pieces are hashed where
//! they lie. A stream that never fills a block costs no more than its bytes.

use crate::cells::Bits;
use crate::digest::Digest;

/// Bytes in a block: sixteen BLAKE3 chunks, which the widest vector units hash at once.
const BLOCK_BYTES: usize = 16_384;

/// One stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Stream {
    staged: Vec<u8>,
    hasher: Option<Box<blake3::Hasher>>,
}

impl Stream {
    /// Appends bytes.
    #[inline]
    pub(super) fn update(&mut self, bytes: &[u8]) {
        if self.staged.len() + bytes.len() < BLOCK_BYTES {
            self.staged.extend_from_slice(bytes);
        } else {
            self.update_blocks(bytes);
        }
    }

    /// Only whole blocks are hashed, so that each stays aligned within the hash tree.
    fn update_blocks(&mut self, mut bytes: &[u8]) {
        let hasher = self.hasher.get_or_insert_default();
        if !self.staged.is_empty() {
            let (head, rest) = bytes.split_at(BLOCK_BYTES - self.staged.len());
            self.staged.extend_from_slice(head);
            hasher.update(&self.staged);
            self.staged.clear();
            bytes = rest;
        }
        let (whole, rest) = bytes.split_at(bytes.len() / BLOCK_BYTES * BLOCK_BYTES);
        hasher.update(whole);
        self.staged.extend_from_slice(rest);
    }

    /// The digest of the stream, which is empty afterwards.
    pub(super) fn finish(&mut self) -> Digest {
        let digest = match self.hasher.take() {
            None => blake3::hash(&self.staged),
            Some(mut hasher) => hasher.update(&self.staged).finalize(),
        };
        self.staged.clear();
        Digest(*digest.as_bytes())
    }
}

/// A stream of bits, least significant first, filled with clear bits to a whole byte.
#[derive(Debug, Default)]
pub(super) struct BitStream {
    word: u64,
    filled: usize,
    stream: Stream,
}

impl BitStream {
    /// Appends the low `count` bits of `word`, whose other bits are clear.
    pub(super) fn push_word(&mut self, word: u64, count: usize) {
        self.word |= word << self.filled;
        if self.filled + count < 64 {
            self.filled += count;
            return;
        }
        self.stream.update(&self.word.to_le_bytes());
        self.word = word.checked_shr((64 - self.filled) as u32).unwrap_or(0);
        self.filled = self.filled + count - 64;
    }

    /// Appends bits `start..end`.
    pub(super) fn push_bits(&mut self, bits: &Bits<'_>, start: usize, end: usize) {
        for at in (start..end).step_by(64) {
            let count = (end - at).min(64);
            self.push_word(bits.word(at, count), count);
        }
    }

    /// Appends set bits.
    pub(super) fn push_ones(&mut self, mut count: u64) {
        while count > 0 {
            let step = count.min(64);
            self.push_word(u64::MAX >> (64 - step), step as usize);
            count -= step;
        }
    }

    /// The digest of the stream, which is empty afterwards.
    pub(super) fn finish(&mut self) -> Digest {
        let bytes = self.word.to_le_bytes();
        self.stream.update(&bytes[..self.filled.div_ceil(8)]);
        self.word = 0;
        self.filled = 0;
        self.stream.finish()
    }
}

/// The validity stream: empty when every cell is valid, and otherwise one bit for each cell.
#[derive(Debug, Default)]
pub(super) struct Validity {
    /// Valid cells seen before the first null; they are written when a null comes.
    valid: u64,
    bits: Option<Box<BitStream>>,
}

impl Validity {
    /// Appends cells that are all valid.
    pub(super) fn push_valid(&mut self, count: usize) {
        match &mut self.bits {
            None => self.valid += count as u64,
            Some(stream) => stream.push_ones(count as u64),
        }
    }

    /// Appends cells of which at least one is null.
    pub(super) fn push_bits(&mut self, bits: &Bits<'_>, start: usize, end: usize) {
        let stream = self.bits.get_or_insert_default();
        stream.push_ones(std::mem::take(&mut self.valid));
        stream.push_bits(bits, start, end);
    }

    /// The digest of the stream, which is empty afterwards.
    pub(super) fn finish(&mut self) -> Digest {
        self.valid = 0;
        self.bits.take().unwrap_or_default().finish()
    }
}
