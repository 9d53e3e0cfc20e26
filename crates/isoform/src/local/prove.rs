//! Provides the second half of a conversion: the finished file, decoded again and digested.

use std::ops::Range;

use coherence::content::PartContent;
use coherence::digest::Digest;
use coherence::schema::Schema;
use formats::convert::read_part;
use formats::file::ObjectFile;
use formats::table::TableSource;

use super::encode::{share, stopped};
use super::pool;
use crate::failure::Result;
use crate::progress::Progress;

/// Decodes `parts` of a table and digests them; the result is in the order of the parts.
pub fn reread(
    table: &dyn TableSource,
    parts: &[Range<u64>],
    schema: &Schema,
    workers: usize,
    progress: &Progress,
) -> Result<Vec<PartContent>> {
    let make = |index: usize| {
        let rows = parts[index].clone();
        let watch = share(table, &rows, progress);
        read_part(table, rows, schema, &watch).map_err(stopped)
    };
    let mut contents = Vec::with_capacity(parts.len());
    pool::in_order(workers, parts.len(), make, |_, content| {
        contents.push(content);
        Ok(())
    })?;
    Ok(contents)
}

/// BLAKE3 of a range of a file's bytes.
pub fn digest_range(file: &ObjectFile, bytes: Range<u64>) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut at = bytes.start;
    while at < bytes.end {
        let n = buffer.len().min(usize::try_from(bytes.end - at).unwrap_or(usize::MAX));
        file.read_exact_at(&mut buffer[..n], at)?;
        hasher.update(&buffer[..n]);
        at += n as u64;
    }
    Ok(Digest(*hasher.finalize().as_bytes()))
}
