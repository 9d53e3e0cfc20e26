//! Provides comments as Vorbis has them (Vorbis I, section 5): the name of a program, and pairs of a name and
//! a text. FLAC and Opus have them too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::tags::{self, Found, PICTURE};
use crate::error::{Error, Place, Result};

/// The comment that tells a layout of channels which is not the usual one, as the reference encoder of FLAC
/// writes it.
pub(crate) const MASK: &str = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK";
/// The comment that is a picture: a `PICTURE` block of FLAC in base64.
pub(crate) const PICTURE_BLOCK: &str = "METADATA_BLOCK_PICTURE";

/// What comments tell besides tags.
pub(crate) struct Told<'a> {
    /// A mask of channels.
    pub mask: Option<u32>,
    /// What follows the comments.
    pub rest: &'a [u8],
}

/// Reads comments that begin with their first length; `at` is where they lie.
pub(crate) fn read<'a>(
    format: &'static str,
    block: &'a [u8],
    at: u64,
    found: &mut Found,
) -> Result<Told<'a>> {
    let cut =
        || Error::malformed(format, Place::at_byte(at), "the comments tell of more bytes than there are");
    let (_program, rest) = counted(block).ok_or_else(cut)?;
    let (count, mut rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let mut mask = None;
    for _ in 0..u32::from_le_bytes(*count) {
        let (comment, after) = counted(rest).ok_or_else(cut)?;
        rest = after;
        let comment = tags::text(comment);
        let pair = comment.split_once('=').filter(|(name, _)| tags::is_name(name));
        let Some((name, value)) = pair else {
            found.ignored.push(format!("the comment {comment:?}, which has no name"));
            continue;
        };
        match read_mask(name, value) {
            Some(told) => mask = Some(told),
            None => found.tag(name, value)?,
        }
    }
    Ok(Told { mask, rest })
}

/// The same in Ogg, where a picture is a comment and loudspeakers are told by their number alone.
pub(crate) fn read_in_ogg<'a>(
    format: &'static str,
    block: &'a [u8],
    at: u64,
    found: &mut Found,
) -> Result<&'a [u8]> {
    let mut all = Found::default();
    let told = read(format, block, at, &mut all)?;
    found.ignored.append(&mut all.ignored);
    if told.mask.is_some() {
        found.ignored.push(format!("the comment {MASK}, which this format has no use for"));
    }
    let picture = format!("{}{PICTURE_BLOCK}", tags::TAG);
    for (key, value) in all.finish() {
        match STANDARD.decode(&value) {
            Ok(block) if key == picture => found.add(PICTURE.into(), block)?,
            _ => found.add(key, value)?,
        }
    }
    Ok(told.rest)
}

/// Bytes behind their number, and what follows them.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, after) = bytes.split_first_chunk::<4>()?;
    after.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)
}

fn read_mask(name: &str, value: &str) -> Option<u32> {
    let hex = value.strip_prefix("0x").or_else(|| value.strip_prefix("0X"))?;
    let mask = u32::from_str_radix(hex, 16).ok()?;
    name.eq_ignore_ascii_case(MASK).then_some(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(comments: &[&[u8]]) -> Vec<u8> {
        let mut block = b"\x01\0\0\0x".to_vec();
        block.extend((comments.len() as u32).to_le_bytes());
        for comment in comments {
            block.extend((comment.len() as u32).to_le_bytes());
            block.extend(*comment);
        }
        block
    }

    #[test]
    fn comments_become_tags_and_pictures() {
        let held = block(&[b"title=a=b", b"METADATA_BLOCK_PICTURE=AAEC", b"nothing", b"ARTIST=\xfc"]);
        let mut found = Found::default();
        assert_eq!(read_in_ogg("x", &[&held[..], b"rest"].concat(), 7, &mut found).unwrap(), b"rest");
        assert_eq!(found.ignored, ["the comment \"nothing\", which has no name"]);
        let attributes = found.finish();
        let expected =
            [("picture", &[0u8, 1, 2][..]), ("tag:ARTIST", "ü".as_bytes()), ("tag:TITLE", &b"a=b"[..])];
        assert!(attributes.iter().map(|(key, value)| (key.as_str(), value.as_slice())).eq(expected));
        for end in 0..held.len() {
            let cut = read("x", &held[..end], 7, &mut Found::default()).map(|_| ()).unwrap_err();
            assert!(cut.to_string().starts_with("byte 7: malformed x"), "{cut}");
        }
    }
}
