//! Provides the finding of an object's format: by what was said, by its bytes, or by its name.

use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::registry::{Format, Wrapping};

/// The format of an object: what was said, else what its first bytes tell, else what its name tells.
pub fn detect(file: &ObjectFile, said: Option<Format>) -> Result<(Format, Wrapping)> {
    let mut start = [0u8; 16];
    let n = file.read_at(&mut start, 0)?;
    let start = &start[..n];
    let wrapping = Wrapping::of_bytes(start);
    if let Some(format) = said {
        return Ok((format, if format.is_text() { wrapping } else { Wrapping::Plain }));
    }
    let named = Format::of_name(file.path()).map(|(format, _)| format);
    if let Some(format) = Format::of_bytes(start)
        && (named.is_none_or(|named| !named.is_text()) || ends_like(file, format)?)
    {
        return Ok((format, Wrapping::Plain));
    }
    if let Some((packed, by)) = packed_by_others(start) {
        let hint = format!("unpack it first: {by} FILE | isoform convert - TARGET --from FORMAT");
        return Err(Error::unsupported(Place::default(), format!("this is {packed}"), hint));
    }
    match named {
        Some(format) if format.is_text() => Ok((format, wrapping)),
        Some(format) => {
            let what = format!("the name says {}, but the bytes do not begin like it", format.name());
            Err(Error::malformed("file", Place::at_byte(0), what))
        }
        None => Err(Error::unsupported(
            Place::default(),
            "neither the bytes nor the name tell a format",
            "name the format with --from",
        )),
    }
}

/// Whether a file ends as files of this format do. Text may begin like one: with a column called PAR1.
fn ends_like(file: &ObjectFile, format: Format) -> Result<bool> {
    let mut end = [0u8; 6];
    let at = file.len().saturating_sub(6);
    let n = file.read_at(&mut end, at)?;
    Ok(match format {
        Format::Parquet => end[..n].ends_with(b"PAR1") || end[..n].ends_with(b"PARE"),
        Format::ArrowFile => end[..n].ends_with(b"ARROW1"),
        _ => true,
    })
}

/// What bytes are that others have packed in a way that is not read here, and the command that unpacks them.
fn packed_by_others(start: &[u8]) -> Option<(&'static str, &'static str)> {
    match start {
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => {
            Some(("packed with bzip2", "bzip2 -dc"))
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(("packed with xz", "xz -dc")),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(("packed with lz4", "lz4 -dc")),
        [b'P', b'K', 3, 4, ..] => Some(("a zip archive or a spreadsheet", "unzip -p")),
        _ => None,
    }
}
