//! Provides the refusal to compare as bytes what is more than bytes on one side, unless somebody asks for it:
//! the answer would be about layouts, and look like one about content.

use std::fmt::Display;
use std::path::Path;

use ::formats::bytes::{Codec as Wrapping, names};
use ::formats::file::ObjectFile;
use ::formats::media::Codec;
use ::formats::registry::Format;

use crate::cli::Compare;
use crate::commands::{cascade, signal};
use crate::failure::{Failure, Result};

/// Fails where the two sides are of different kinds, or one is of none that is known and is not wrapped
/// either. `files` has a file of each side, which of a directory is one in it.
pub(super) fn refuse(args: &Compare, files: [&Path; 2]) -> Result<()> {
    let [left, right] = [args.left.display(), args.right.display()];
    let bytes = "--from bytes compares the bytes of both";
    let unknown = |shown: &dyn Display, other: &dyn Display, codec: Codec| {
        format!(
            "{shown}: neither its bytes nor its name tell a format, and {other} is {}; {}{bytes}",
            in_words(codec),
            next(codec)
        )
    };
    Err(Failure::Usage(match [known(files[0])?, known(files[1])?] {
        [Some(mine), Some(theirs)] if mine.model() != theirs.model() => format!(
            "{left} is {}, and {right} is {}: convert one of them to the kind of the other first; {bytes}",
            in_words(mine),
            in_words(theirs)
        ),
        [Some(codec), None] if is_unknown(args, files[1])? => unknown(&right, &left, codec),
        [None, Some(codec)] if is_unknown(args, files[0])? => unknown(&left, &right, codec),
        _ => return Ok(()),
    }))
}

/// What a file is that is more than bytes.
fn known(path: &Path) -> Result<Option<Codec>> {
    match signal::of_source(path, None)? {
        Some(format) => Ok(Some(Codec::Arrays(format))),
        None => cascade::source_of(path, None),
    }
}

/// Whether a file is not wrapped bytes either. A directory holds none.
fn is_unknown(args: &Compare, path: &Path) -> Result<bool> {
    let in_directory = path != args.left && path != args.right;
    Ok(in_directory || names::of_source(&ObjectFile::open(path)?, None)?.0 == Wrapping::Raw)
}

fn in_words(codec: Codec) -> String {
    let what = match codec {
        Codec::Table(_) => "a table",
        Codec::Image(_) => "an image",
        Codec::Arrays(format) if format.is_sound() => "a sound",
        Codec::Arrays(_) => "a container of arrays",
        Codec::Bytes(_) => "wrapped",
    };
    format!("{what} ({})", codec.name())
}

/// How a file without a format is compared with one of this. Formats that are no text are known by their
/// bytes.
fn next(codec: Codec) -> String {
    let format = match codec {
        Codec::Table(format) if format.is_text() => codec.name(),
        Codec::Table(_) | Codec::Arrays(_) => Format::Csv.name(),
        Codec::Image(_) | Codec::Bytes(_) => return String::new(),
    };
    format!("name its format with --from, such as --from {format}; ")
}
