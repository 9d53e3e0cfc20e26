//! Provides the digest of a whole object: BLAKE3, and SHA-256 because the tools of others know only that.

use coherence::digest::{Digest, ObjectDigest};
use formats::file::ObjectFile;
use sha2::Digest as _;

use crate::failure::Result;
use crate::progress::Progress;

/// Bytes that are read at once: fits into the cache beside what works on it.
const BLOCK_BYTES: usize = 256 << 10;

/// Reads the object once; each block goes through both hash functions while it is in the cache.
pub fn hash_object(file: &ObjectFile, progress: &Progress) -> Result<ObjectDigest> {
    let (mut blake3, mut sha256) = (blake3::Hasher::new(), sha2::Sha256::new());
    each_block(file, |block| {
        blake3.update(block);
        sha256.update(block);
        progress.advance(block.len() as u64)
    })?;
    let blake3 = Digest(*blake3.finalize().as_bytes());
    Ok(ObjectDigest { blake3, sha256: Digest(sha256.finalize().into()), size: file.len() })
}

fn each_block(file: &ObjectFile, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut at = 0;
    while at < file.len() {
        let n = file.read_at(&mut buffer, at)?;
        if n == 0 {
            return Err(formats::Error::Changed(file.path().to_owned()).into());
        }
        take(&buffer[..n])?;
        at += n as u64;
    }
    Ok(())
}
