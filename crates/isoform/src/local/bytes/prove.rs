//! Provides the second half of a conversion of bytes: the finished file, decoded again and compared.

use std::path::Path;
use std::sync::Arc;

use coherence::claim::{Claim, ReadBack};
use coherence::content::{BytesDigester, LeafAt, Model, PartContent};
use coherence::digest::{Digest, ObjectDigest};
use coherence::verified::{Mismatch, Records, Verified, VerifiedWhole};
use formats::bytes::{Ahead, BytesReader, Codec, Settings, Totals};
use formats::file::ObjectFile;
use formats::words::counted;

use super::super::{hash_parts, pool, unreadable};
use super::work::Parts;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// Content that is decoded at once: fits into the cache beside what digests it.
const BLOCK_BYTES: usize = 256 << 10;

/// A proven target.
pub struct Proof {
    /// The witness.
    pub whole: VerifiedWhole,
    /// The bytes of the target.
    pub object: ObjectDigest,
}

/// Decodes the finished temporary as if it were anybody's, and compares: on `workers` threads where its parts
/// stand side by side, else on `unwrapping`.
pub fn read_back(
    to: Settings,
    parts: &Parts,
    records: Records,
    source: Digest,
    path: &Path,
    (workers, unwrapping): (usize, usize),
    progress: &Progress,
) -> Result<Proof> {
    let file = Arc::new(ObjectFile::open(path)?);
    let bytes: Vec<_> = parts.entries.iter().map(|entry| entry.bytes.clone()).collect();
    let decode = || decode(to.codec, &file, parts, (workers, unwrapping), progress);
    let (hashed, contents) = pool::meanwhile(|| hash_parts(&file, &bytes, progress), decode)?;
    let (object, digests) = hashed?;
    let contents = contents.map_err(|failure| match failure {
        Failure::Format(error) => unreadable("the finished target", error),
        other => other,
    })?;
    let mut verified = Vec::with_capacity(parts.entries.len());
    for ((entry, content), digest) in parts.entries.iter().zip(contents).zip(digests) {
        let claim = Claim::exact(entry.part as u64, entry.content.clone(), source, entry.digest);
        let found = ReadBack::exact(content, digest);
        let checked = Verified::check(claim, &found);
        verified.push(checked.map_err(|error| mismatch(&error, to.part_bytes()))?);
    }
    let whole = VerifiedWhole::assemble(&Model::Bytes, verified, records);
    let whole = whole.map_err(|error| Failure::Mismatch(error.to_string()))?;
    file.check_unchanged()?;
    Ok(Proof { whole, object })
}

/// Tells a mismatch by the byte of the content.
fn mismatch(error: &Mismatch, part_bytes: u64) -> Failure {
    let Mismatch::Content { part, at: LeafAt::Bytes { from } } = error else {
        return Failure::Mismatch(error.to_string());
    };
    let start = part * part_bytes + from;
    let end = start + coherence::content::LEAF_BYTES;
    Failure::Mismatch(format!(
        "bytes {start} to at most {end} of the content did not survive; nothing was written: please report \
         this"
    ))
}

/// The content of every part, decoded from the file. Every byte of the file is decoded: parts that are
/// members of their own are decoded apart, each from the first to the last byte of its stretch, and the
/// stretches must lie side by side from the beginning to the end of the file; else the file is decoded as
/// one.
fn decode(
    codec: Codec,
    file: &Arc<ObjectFile>,
    parts: &Parts,
    (workers, unwrapping): (usize, usize),
    progress: &Progress,
) -> Result<Vec<PartContent>> {
    let entries = &parts.entries;
    let mut at = 0;
    for entry in entries {
        if entry.bytes.start != at {
            return Err(Failure::Mismatch(format!("part {} does not begin at byte {at}", entry.part)));
        }
        at = entry.bytes.end;
    }
    if at > file.len() {
        return Err(Failure::Mismatch("the finished target is shorter than its parts".into()));
    }
    // A mark of the end, or the rest of the one stream, belongs to no part.
    let apart = at == file.len() && codec != Codec::Bgzf;
    let mut contents = Vec::with_capacity(entries.len());
    if apart {
        let make = |index: usize| {
            let range = entries[index].bytes.clone();
            let reader = BytesReader::range(codec, file.clone(), range);
            digest(&mut Ahead::from(reader), u64::MAX, progress)
        };
        pool::in_order(workers, entries.len(), make, |_, content| {
            contents.push(content);
            Ok(())
        })?;
        return Ok(contents);
    }
    let mut reader = Ahead::new(codec, file, unwrapping)?;
    for entry in entries {
        contents.push(digest(&mut reader, entry.content.units, progress)?);
    }
    let more = digest(&mut reader, u64::MAX, progress)?;
    if more.units > 0 {
        let found = more.units;
        return Err(Failure::Mismatch(format!(
            "the target holds {} more than the source",
            counted(found, "byte")
        )));
    }
    Ok(contents)
}

/// Digests up to `bytes` of what the reader gives next.
fn digest(reader: &mut Ahead, bytes: u64, progress: &Progress) -> Result<PartContent> {
    digest_shown(reader, bytes, &mut |_| (), progress)
}

/// The same, where each block is shown to somebody else too: `BLOCK_BYTES`, or fewer at its end.
pub fn digest_shown(
    reader: &mut Ahead,
    bytes: u64,
    show: &mut dyn FnMut(&[u8]),
    progress: &Progress,
) -> Result<PartContent> {
    let mut digester = BytesDigester::new();
    let mut block = vec![0; BLOCK_BYTES];
    let (mut left, mut at) = (bytes, reader.position());
    while left > 0 {
        let want = BLOCK_BYTES.min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = reader.fill(&mut block[..want])?;
        digester.push(&block[..count]);
        show(&block[..count]);
        let now = reader.position();
        progress.advance(now.saturating_sub(at))?;
        at = now;
        left -= count as u64;
        if count < want {
            break;
        }
    }
    Ok(digester.finish())
}

/// The content of a whole object that up to `unwrapping` threads decode, and what was counted.
pub fn content_of(
    file: &Arc<ObjectFile>,
    codec: Codec,
    unwrapping: usize,
    progress: &Progress,
) -> Result<(PartContent, Totals)> {
    let read = || -> Result<(PartContent, Totals)> {
        let mut reader = Ahead::new(codec, file, unwrapping)?;
        let content = digest(&mut reader, u64::MAX, progress)?;
        Ok((content, reader.totals()))
    };
    read().map_err(|failure| match failure {
        Failure::Format(error) => Failure::Format(error.in_file(file.path())),
        other => other,
    })
}
