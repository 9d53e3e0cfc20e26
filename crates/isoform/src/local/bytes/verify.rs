//! Provides the later check of byte strings: of a target alone, and against its source where that is at hand.

use std::path::PathBuf;
use std::sync::Arc;

use coherence::content::{Model, PartContent};
use coherence::digest::Digest;
use coherence::statement::{BytesContent, Predicate};
use coherence::verified::Records;
use formats::bytes::Codec;
use formats::file::ObjectFile;
use formats::words::{all_were, counted};

use super::super::memory::{BASE_BYTES, unwrapping};
use super::super::verify::{Checked, NOT_AT_HAND, as_stated_of_equal, differs};
use super::content_of;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// The root of a content.
pub fn root(content: &PartContent) -> Result<Digest> {
    let root = Model::Bytes.root(content.units, &content.leaves);
    root.map_err(Failure::bug)
}

/// Decodes the target, and the source where there is one, and compares both with what was certified. Returns
/// the number of bytes of content.
pub fn check_content(
    file: &Arc<ObjectFile>,
    (predicate, content): (&Predicate, &BytesContent),
    source: Option<&PathBuf>,
    machine: (usize, u64),
    checks: &mut Vec<Checked>,
    progress: &Progress,
) -> Result<u64> {
    let conversion = &predicate.conversion;
    let (found, totals) = decoded(file, &conversion.to, machine, progress)?;
    if root(&found)?.to_string() != content.target || found.units.to_string() != content.bytes {
        return Err(differs(file.path()));
    }
    let (bytes, members) = (found.units, totals);
    let (all, from) = (all_were(bytes, "byte"), counted(members, "member"));
    let text = format!("{all} decoded, from {from}; the digest is that of the certificate");
    checks.push(Checked { name: "content", found: text });
    let text = match source {
        None => NOT_AT_HAND.into(),
        Some(path) => {
            let theirs = decoded(&Arc::new(ObjectFile::open(path)?), &conversion.from, machine, progress)?.0;
            if root(&theirs)?.to_string() != content.source || theirs != found {
                return Err(differs(path));
            }
            let records = Records { counted: bytes, set_aside: 0 };
            as_stated_of_equal(predicate, (records, None, true), file.path())?;
            format!("{}: decoded again, and equal to the target", path.display())
        }
    };
    checks.push(Checked { name: "source", found: text });
    Ok(bytes)
}

fn decoded(
    file: &Arc<ObjectFile>,
    media_type: &str,
    (workers, memory): (usize, u64),
    progress: &Progress,
) -> Result<(PartContent, u64)> {
    let codec = Codec::named(media_type)
        .ok_or_else(|| Failure::Other(format!("{media_type} wraps no bytes that this program can read")))?;
    let unwrapping = unwrapping(workers, memory.saturating_sub(BASE_BYTES), codec);
    let (content, totals) = content_of(file, codec, unwrapping, progress)?;
    Ok((content, totals.members))
}
