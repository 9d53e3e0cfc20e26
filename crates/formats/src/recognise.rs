//! Provides the finding of an object's format: by what was said, by its bytes, or by its name.

use std::sync::Arc;

use crate::bytes::BytesReader;
use crate::bytes::codec::HEAD_BYTES;
use crate::bytes::names::{self, wrapping_of};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::image::ImageFormat;
use crate::media::{Model, catalog};
use crate::memory;
use crate::registry::{Format, Wrapping};
use crate::signal::SignalFormat;
use crate::words::argument;

/// First bytes of a text that are looked at where no name tells its format.
const START_BYTES: usize = 4096;

/// The format of an object: what was said, else what its first bytes tell, else what its name tells. Of what
/// is wrapped and has the name of no format, the first bytes inside tell.
pub fn detect(file: &ObjectFile, said: Option<Format>) -> Result<(Format, Wrapping)> {
    let mut start = [0u8; HEAD_BYTES];
    let n = file.read_at(&mut start, 0)?;
    let start = &start[..n];
    let wrapping = wrapping_of(start, file.path());
    // A text of no bytes may be a table; what is wrapped has some even then.
    if let (true, Some(named)) = (start.is_empty(), names::split(file.path()).1) {
        return Err(empty(named.name()));
    }
    if let Some(format) = said {
        return Ok((format, if format.is_text() { wrapping } else { Wrapping::Raw }));
    }
    let named = Format::of_name(file.path()).map(|(format, _)| format);
    if let Some(format) = Format::of_bytes(start)
        && (named.is_none_or(|named| !named.is_text()) || ends_like(file, format)?)
    {
        return Ok((format, Wrapping::Raw));
    }
    if start.starts_with(b"PK\x03\x04") {
        let hint = "unpack it first: unzip -p FILE | isoform convert - TARGET --from FORMAT";
        return Err(Error::unsupported(Place::default(), "this is a zip archive or a spreadsheet", hint));
    }
    match named {
        Some(format @ (Format::Csv | Format::Tsv)) if is_array(start) => Err(array(Some(format))),
        Some(format) if format.is_text() => Ok((format, wrapping)),
        // Before version 0.15 a message began with its length.
        Some(Format::ArrowFile | Format::ArrowStream) if matches!(start, [_, _, _, 0, ..]) => {
            Ok((Format::ArrowStream, Wrapping::Raw))
        }
        Some(format) if wrapping != Wrapping::Raw => Err(packed(file, format.name(), wrapping)),
        Some(format) if start.is_empty() => Err(empty(format.name())),
        Some(format) => {
            let what = format!("the name says {}, but the bytes do not begin like it", format.name());
            Err(Error::malformed("file", Place::at_byte(0), what))
        }
        None if wrapping != Wrapping::Raw => Ok((inside(file, wrapping)?, wrapping)),
        None if is_array(start) => Err(array(None)),
        None => match no_table(&names::split(file.path()).0) {
            Some(name) if start.is_empty() => Err(empty(name)),
            _ => Err(unknown(start)),
        },
    }
}

/// That a file of this format has no bytes.
pub(crate) fn empty(format: &'static str) -> Error {
    Error::malformed(format, Place::at_byte(0), "there are no bytes at all")
}

/// The image or the container of arrays that the ending of a name tells.
fn no_table(name: &str) -> Option<&'static str> {
    let ending = name.rsplit_once('.')?.1;
    let models = [Model::Images, Model::Arrays];
    let media = models.iter().find_map(|model| catalog().of_ending(ending, *model))?;
    Some(&media.name)
}

/// Whether text begins as a JSON array of objects does.
fn is_array(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    matches!(start, [b'[', rest @ ..] if rest.trim_ascii_start().starts_with(b"{"))
}

/// That a file is a JSON array, whatever its name says.
fn array(named: Option<Format>) -> Error {
    let mut hint = "write one record on each line first: jq -c '.[]' FILE > FILE.jsonl".to_owned();
    if let Some(named) = named {
        hint += &format!("; or say --from {}", named.name());
    }
    Error::unsupported(Place::default(), "this is a JSON array of records", hint)
}

/// That nothing tells the format of an object that begins so.
fn unknown(start: &[u8]) -> Error {
    let what = "neither the bytes nor the name tell a format";
    let hint = match of_text(start) {
        Some(Format::JsonLines) => {
            "name the format with --from: jsonl where each line is one record, as jq -c . FILE writes it"
        }
        _ => "name the format with --from",
    };
    Error::unsupported(Place::default(), what, hint)
}

/// The format of text that is in no file with a name: JSON Lines begin with a brace, and text that does not
/// is delimited. `None` where this is no text.
pub fn of_stream(file: &ObjectFile) -> Result<Option<Format>> {
    let mut start = [0; START_BYTES];
    let count = file.read_at(&mut start, 0)?;
    let start = &start[..count];
    let plain = Format::of_bytes(start).is_none() && wrapping_of(start, file.path()) == Wrapping::Raw;
    Ok(plain.then(|| of_text(start)).flatten())
}

/// The format of what is inside a wrapping.
fn inside(file: &ObjectFile, wrapping: Wrapping) -> Result<Format> {
    let start = front(file, wrapping)?;
    match within(&start)? {
        Some(name) => Err(packed(file, name, wrapping)),
        None if Wrapping::of_bytes(&start).is_some() => Err(packed(file, "another wrapping", wrapping)),
        None => of_text(&start).ok_or_else(|| unknown(&start)),
    }
}

/// The format of these first bytes, where they are no text.
fn within(start: &[u8]) -> Result<Option<&'static str>> {
    let found = Format::of_bytes(start).map(Format::name);
    let found = found.or_else(|| ImageFormat::of_bytes(start).map(ImageFormat::name));
    Ok(match found {
        None => SignalFormat::of_file(&*memory::object(&[start])?)?.map(SignalFormat::name),
        found => found,
    })
}

/// Why an object is not read as what its wrapping hides: an image, arrays, or a table that is no text.
/// `None` where it is not wrapped, or hides none of these as far as its first bytes and its name tell.
pub fn hidden(file: &ObjectFile) -> Result<Option<Error>> {
    let mut start = [0u8; HEAD_BYTES];
    let count = file.read_at(&mut start, 0)?;
    let wrapping = wrapping_of(&start[..count], file.path());
    if wrapping == Wrapping::Raw || Format::of_name(file.path()).is_some_and(|(format, _)| format.is_text()) {
        return Ok(None);
    }
    let inner = names::split(file.path()).0;
    let ending = inner.rsplit_once('.').map_or("", |(_, ending)| ending);
    let models = [Model::Arrays, Model::Images, Model::Tables];
    let named = || models.iter().find_map(|model| catalog().of_ending(ending, *model));
    let name = within(&front(file, wrapping)?)?.or_else(|| named().map(|media| media.name.as_str()));
    Ok(name.map(|name| packed(file, name, wrapping)))
}

/// A wrapping around what is not read through it.
fn packed(file: &ObjectFile, what: &str, wrapping: Wrapping) -> Error {
    let (name, path) = (wrapping.name(), file.path());
    let hint = match names::unwrapped(path) {
        plain if plain == path => {
            format!("unwrap it first: isoform convert {} UNWRAPPED --from {name} --to raw", argument(path))
        }
        plain => format!("unwrap it first: isoform convert {} {}", argument(path), argument(&plain)),
    };
    Error::unsupported(Place::default(), format!("this is {what} inside {name}"), hint)
}

/// The first bytes inside a wrapping. What is broken ends them: whoever reads all of it meets the fault, and
/// tells it with its place.
fn front(file: &ObjectFile, wrapping: Wrapping) -> Result<Vec<u8>> {
    let mut reader = BytesReader::new(wrapping, Arc::new(file.shared()?));
    let mut start = vec![0; START_BYTES];
    let filled = reader.fill(&mut start);
    let count = filled.unwrap_or(usize::try_from(reader.totals().bytes).unwrap_or(0));
    start.truncate(count);
    Ok(start)
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
