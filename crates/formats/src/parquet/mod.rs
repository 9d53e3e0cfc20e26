//! Apache Parquet: reading by row range, and encoding parts that can be placed anywhere in a file.

mod annotations;
mod choose;
mod coarse;
mod decode;
mod encode;
mod footer;
mod groups;
mod lists;
mod pages;
mod thrift;
mod wide;

pub use decode::ParquetSource;
pub use encode::{Codec, ParquetEncoder, ParquetOptions};

use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::errors::ParquetError;

use crate::error::{Error, Place};
use crate::pieces;

/// Name of the format in errors.
const NAME: &str = "Parquet";

/// A fault that the library reports while it reads is a fault of the bytes.
fn malformed(error: ParquetError) -> Error {
    Error::malformed(NAME, Place::default(), told(&error))
}

/// What the library says, without the names that it gives kinds of errors and the notation of its code.
fn told(error: &dyn std::fmt::Display) -> String {
    const KINDS: [&str; 6] =
        ["Parquet argument error: ", "Parquet error: ", "Arrow: ", "External: ", "EOF: ", "NYI: "];
    let text = error.to_string();
    let mut rest = text.as_str();
    while let Some(after) = KINDS.iter().find_map(|kind| rest.strip_prefix(kind)) {
        rest = after;
    }
    if rest.contains(ARROW_SCHEMA_META_KEY) {
        return format!("the Arrow schema that the footer holds as {ARROW_SCHEMA_META_KEY} is damaged");
    }
    let named = rest.strip_prefix("Unexpected ").and_then(|rest| rest.split_once(' '));
    if let Some((kind, number)) = named.filter(|(_, number)| number.parse::<i64>().is_ok()) {
        return format!("{number} stands for no {kind} of Parquet");
    }
    // What stands in braces, and the name before it, are of the code. A semicolon would be that of a next
    // step.
    let words = rest.split_once(" {").and_then(|(before, _)| before.rsplit_once(": "));
    words.map_or(rest, |(words, _)| words).replace("; ", ", ")
}

/// A fault that the library reports while it writes is a fault of ours: what cannot be written is refused
/// before.
fn write_failed(error: ParquetError) -> Error {
    let bug = |error: &dyn std::fmt::Display| Error::Bug(format!("writing Parquet: {error}"));
    match error {
        // Only what lies in a temporary can fail in this way.
        ParquetError::External(error) => match error.downcast::<std::io::Error>() {
            Ok(error) => Error::io(pieces::directory(), *error),
            Err(error) => bug(&error),
        },
        error => bug(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_in_the_notation_of_code() {
        for (said, expected) in [
            ("Parquet error: EOF: eof decoding byte array", "eof decoding byte array"),
            ("Arrow: Parquet argument error: a: b", "a: b"),
            (
                "Unable to get root as message stored in ARROW:schema: RangeOutOfBounds { range: 1..5 }",
                "the Arrow schema that the footer holds as ARROW:schema is damaged",
            ),
            ("Unexpected PageType 8", "8 stands for no PageType of Parquet"),
            ("Unexpected end of page", "Unexpected end of page"),
            ("snappy: corrupt input (a; b)", "snappy: corrupt input (a, b)"),
            ("not read: Fault { at: 3 }", "not read"),
        ] {
            assert_eq!(told(&said), expected);
        }
    }
}
