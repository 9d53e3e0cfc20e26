//! Provides what lies around the frames of an MP3: tags of ID3, before them and after, and of APE.

use std::ops::Range;

use super::{bad, id3};
use crate::error::Result;
use crate::file::ObjectFile;
use crate::sound::tags::{self, Found};

/// Bytes of an ID3v1 tag, and of the end of an APE tag.
const OLD_BYTES: u64 = 128;
const APE_END_BYTES: u64 = 32;
/// Tags before the frames at most: programs that write a second one do so by mistake.
const TAGS_MAX: usize = 16;

/// What is around the frames.
pub(super) struct Around {
    /// The bytes that are left for frames.
    pub frames: Range<u64>,
    /// Whether some program changed the gain of the frames, and noted that.
    pub gain_changed: bool,
}

/// Reads all tags.
pub(super) fn read(file: &ObjectFile, found: &mut Found) -> Result<Around> {
    let (mut begin, mut tagged) = (0, false);
    for _ in 0..TAGS_MAX {
        let mut head = [0; id3::HEAD_BYTES];
        let count = file.read_at(&mut head, begin)?;
        let Some(bytes) = id3::bytes(&head[..count]) else { break };
        let to = begin + bytes;
        if to > file.len() {
            return Err(bad(begin, "an ID3 tag tells of more bytes than follow"));
        }
        id3::read(&tags::chunk(file, begin..to)?, begin, found)?;
        (begin, tagged) = (to, true);
    }
    let mut end = file.len();
    let mut old = [0; OLD_BYTES as usize];
    if end - begin >= OLD_BYTES && file.read_at(&mut old, end - OLD_BYTES)? > 0 && old.starts_with(b"TAG") {
        end -= OLD_BYTES;
        match tagged {
            true => found.ignored.push("an ID3v1 tag, beside a newer one".into()),
            false => id3::read_old(&old, found)?,
        }
    }
    let (end, gain_changed) = pass_ape(file, begin..end, found)?;
    Ok(Around { frames: begin..end, gain_changed })
}

/// Passes over an APE tag at the end (APEv2), which says how long it is.
fn pass_ape(file: &ObjectFile, span: Range<u64>, found: &mut Found) -> Result<(u64, bool)> {
    let mut last = [0; APE_END_BYTES as usize];
    if span.end - span.start < APE_END_BYTES {
        return Ok((span.end, false));
    }
    file.read_exact_at(&mut last, span.end - APE_END_BYTES)?;
    if !last.starts_with(b"APETAGEX") {
        return Ok((span.end, false));
    }
    let number = |at: usize| u32::from_le_bytes([last[at], last[at + 1], last[at + 2], last[at + 3]]);
    let head_bytes = if number(20) >> 31 == 1 { APE_END_BYTES } else { 0 };
    let bytes = u64::from(number(12)) + head_bytes;
    let begin = span.end.checked_sub(bytes).filter(|begin| *begin >= span.start && bytes >= APE_END_BYTES);
    let begin = begin
        .ok_or_else(|| bad(span.end - APE_END_BYTES, "an APE tag tells of more bytes than there are"))?;
    let tag = tags::chunk(file, begin..span.end)?;
    found.ignored.push(format!("an APE tag of {bytes} bytes"));
    Ok((begin, memchr::memmem::find(&tag, b"MP3GAIN_UNDO").is_some()))
}
