//! Provides the digest of a whole object: BLAKE3, and SHA-256 because the tools of others know only that; and
//! BLAKE3 of its parts.

use std::ops::Range;

use coherence::digest::{Digest, ObjectDigest, ObjectHasher};
use formats::file::ObjectFile;
use sha2::Digest as _;

use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// Bytes that are read at once: fits into the cache beside what works on it.
const BLOCK_BYTES: usize = 256 << 10;

/// Reads the object once; each block goes through both hash functions while it is in the cache.
pub fn hash_object(file: &ObjectFile, progress: &Progress) -> Result<ObjectDigest> {
    hash_parts(file, &[], progress).map(|(object, _)| object)
}

/// The same where there is nobody to tell of progress.
pub fn hash_untold(file: &ObjectFile) -> Result<ObjectDigest> {
    let mut hasher = ObjectHasher::new();
    each_block(file, |_, block| {
        hasher.update(block);
        Ok(())
    })?;
    Ok(hasher.finish())
}

/// The same, with BLAKE3 of parts of the object.
///
/// # Errors
/// [`Failure::Mismatch`] where the parts do not follow each other in the object.
pub fn hash_parts(
    file: &ObjectFile,
    parts: &[Range<u64>],
    progress: &Progress,
) -> Result<(ObjectDigest, Vec<Digest>)> {
    let ordered = parts.iter().all(|part| part.start <= part.end)
        && parts.windows(2).all(|pair| pair[0].end <= pair[1].start)
        && parts.last().is_none_or(|last| last.end <= file.len());
    if !ordered {
        return Err(Failure::Mismatch("the parts do not follow each other in the finished target".into()));
    }
    let (mut blake3, mut sha256) = (blake3::Hasher::new(), sha2::Sha256::new());
    let mut of_parts = PartHasher { parts, hasher: blake3::Hasher::new(), done: Vec::new() };
    of_parts.update(0, &[]);
    each_block(file, |at, block| {
        blake3.update(block);
        sha256.update(block);
        of_parts.update(at, block);
        progress.advance(block.len() as u64)
    })?;
    let blake3 = Digest(*blake3.finalize().as_bytes());
    let object = ObjectDigest { blake3, sha256: Digest(sha256.finalize().into()), size: file.len() };
    Ok((object, of_parts.done))
}

/// Hashes stretches of bytes that come in blocks.
struct PartHasher<'a> {
    parts: &'a [Range<u64>],
    hasher: blake3::Hasher,
    /// The digests of the parts that have ended.
    done: Vec<Digest>,
}

impl PartHasher<'_> {
    /// Takes the block that begins at `at`.
    fn update(&mut self, at: u64, block: &[u8]) {
        let end = at + block.len() as u64;
        while let Some(part) = self.parts.get(self.done.len()) {
            let (from, to) = (part.start.max(at), part.end.min(end));
            if from < to {
                self.hasher.update(&block[(from - at) as usize..(to - at) as usize]);
            }
            if part.end > end {
                break;
            }
            self.done.push(Digest(*self.hasher.finalize().as_bytes()));
            self.hasher.reset();
        }
    }
}

fn each_block(file: &ObjectFile, mut take: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut at = 0;
    while at < file.len() {
        let n = file.read_at(&mut buffer, at)?;
        if n == 0 {
            return Err(formats::Error::Changed(file.path().to_owned()).into());
        }
        take(at, &buffer[..n])?;
        at += n as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Output, When};

    #[test]
    fn parts_have_the_digests_of_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("object");
        let bytes: Vec<u8> = (0..3 * BLOCK_BYTES as u32 + 5).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = ObjectFile::open(&path).unwrap();
        let output =
            Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
        let progress = Progress::new(&output).unwrap();
        let (block, end) = (BLOCK_BYTES as u64, bytes.len() as u64);
        let ends = [0, 7, 7, 8, block, block + 1, 3 * block, end, end];
        let parts: Vec<_> = ends.windows(2).map(|pair| pair[0]..pair[1]).collect();
        let (object, digests) = hash_parts(&file, &parts, &progress).unwrap();
        assert_eq!(object.blake3, Digest::blake3(&bytes));
        assert_eq!(hash_untold(&file).unwrap(), object);
        let expected =
            parts.iter().map(|part| Digest::blake3(&bytes[part.start as usize..part.end as usize]));
        assert_eq!(digests, expected.collect::<Vec<_>>());
        for parts in [[7..8, end..end + 1], [8..9, 7..8]] {
            let found = hash_parts(&file, &parts, &progress);
            assert!(matches!(found, Err(Failure::Mismatch(_))), "{parts:?}: {found:?}");
        }
    }
}
