//! Provides the digest of a whole object. The two hash functions run side by side, since SHA-256 is four
//! times as slow as BLAKE3 and tools of others know only it.

use coherence::digest::{Digest, ObjectDigest};
use formats::file::ObjectFile;
use sha2::Digest as _;

use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// Bytes that are read at once: fits into the cache beside what works on it.
const BLOCK_BYTES: usize = 256 << 10;

/// Reads the object once for each hash function.
pub fn hash_object(file: &ObjectFile, progress: &Progress) -> Result<ObjectDigest> {
    std::thread::scope(|scope| {
        let blake3 = scope.spawn(|| {
            let mut hasher = blake3::Hasher::new();
            each_block(file, |block| {
                hasher.update(block);
                Ok(())
            })?;
            Ok::<_, Failure>(Digest(*hasher.finalize().as_bytes()))
        });
        let mut hasher = sha2::Sha256::new();
        each_block(file, |block| {
            hasher.update(block);
            progress.advance(block.len() as u64)
        })?;
        let blake3 =
            blake3.join().map_err(|_| Failure::Other("bug in isoform: hashing panicked".into()))??;
        Ok(ObjectDigest { blake3, sha256: Digest(hasher.finalize().into()), size: file.len() })
    })
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
