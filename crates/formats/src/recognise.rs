//! Provides the finding of an object's format: by what was said, by its bytes, or by its name.

use std::io::{self, Read};

use crate::bytes::{Codec, names};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::registry::{Format, Wrapping};
use crate::spool::front;

/// First bytes of a text that are looked at where no name tells its format.
const START_BYTES: usize = 4096;

/// The format of an object: what was said, else what its first bytes tell, else what its name tells. Of what
/// is wrapped and has the name of no format, the first bytes inside tell.
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
        // Before version 0.15 a message began with its length.
        Some(Format::ArrowFile | Format::ArrowStream) if matches!(start, [_, _, _, 0, ..]) => {
            Ok((Format::ArrowStream, Wrapping::Plain))
        }
        Some(format) => {
            let what = format!("the name says {}, but the bytes do not begin like it", format.name());
            Err(Error::malformed("file", Place::at_byte(0), what))
        }
        None if wrapping != Wrapping::Plain => Ok((inside(file, wrapping)?, wrapping)),
        None if is_array(start) => {
            let hint = "write one record on each line first: jq -c '.[]' FILE > FILE.jsonl";
            Err(Error::unsupported(Place::default(), "this is a JSON array of records", hint))
        }
        None if names::split(file.path()).1 == Some(Codec::Brotli) => {
            let what = "the name says brotli, which is looked into only where bytes are kept";
            let hint = "unwrap it first: isoform convert FILE UNWRAPPED --from brotli --to raw";
            Err(Error::unsupported(Place::default(), what, hint))
        }
        None => Err(unknown()),
    }
}

/// Whether text begins as a JSON array of objects does.
fn is_array(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    matches!(start, [b'[', rest @ ..] if rest.trim_ascii_start().starts_with(b"{"))
}

fn unknown() -> Error {
    let what = "neither the bytes nor the name tell a format";
    Error::unsupported(Place::default(), what, "name the format with --from")
}

/// The format of text that is in no file with a name: JSON Lines begin with a brace, and text that does not
/// is delimited. `None` where this is no text.
pub fn of_stream(file: &ObjectFile) -> Result<Option<Format>> {
    let mut start = [0; START_BYTES];
    let count = file.read_at(&mut start, 0)?;
    let start = &start[..count];
    let plain = Format::of_bytes(start).is_none() && Wrapping::of_bytes(start) == Wrapping::Plain;
    Ok(plain.then(|| of_text(start)).flatten())
}

/// The format of what is inside a wrapping.
fn inside(file: &ObjectFile, wrapping: Wrapping) -> Result<Format> {
    let start = front(Front { file, at: 0 }, wrapping, START_BYTES);
    let name = if wrapping == Wrapping::Gzip { "gzip" } else { "zstd" };
    let unwrapped = format!("unwrap it first: isoform convert FILE UNWRAPPED --from {name} --to raw");
    if let Some(format) = Format::of_bytes(&start) {
        let what = format!("this is {} inside {name}, which compresses inside itself", format.name());
        return Err(Error::unsupported(Place::default(), what, unwrapped));
    }
    if Wrapping::of_bytes(&start) != Wrapping::Plain {
        let what = format!("there is another wrapping inside {name}");
        return Err(Error::unsupported(Place::default(), what, unwrapped));
    }
    of_text(&start).ok_or_else(unknown)
}

fn of_text(start: &[u8]) -> Option<Format> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let marked = start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff");
    match start.trim_ascii_start() {
        [] => None,
        [b'{', ..] => Some(Format::JsonLines),
        text if text.contains(&0) && !marked => None,
        _ => Some(Format::Csv),
    }
}

/// Reads an object from its beginning.
struct Front<'a> {
    file: &'a ObjectFile,
    at: u64,
}

impl Read for Front<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at).map_err(io::Error::other)?;
        self.at += count as u64;
        Ok(count)
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
