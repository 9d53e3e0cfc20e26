//! Provides the errors that scan and decoder share, so that both say the same about the same bytes.

use super::detect::shown;
use super::dialect::{Above, Given};
use crate::{Error, Place};

/// What is told of a quote without an end, which no record after it can be told apart from.
const UNCLOSED: &str = "the quoted field that begins here is not closed; close it, or name the quote \
                        character with --quote, none where quotes stand for themselves";

const FORMAT: &str = "CSV";

/// What is said of a delimiter that was not found, but given; whoever knows by whom says that behind it.
pub const GIVEN: &str = "given as the delimiter";

/// A record has no number where it may be the header.
fn place(record: impl Into<Option<u64>>, byte: u64) -> Place {
    Place { byte: Some(byte), row: record.into(), ..Place::default() }
}

/// The quote at `open`, in record number `record`, is never closed.
pub(super) fn unclosed(record: impl Into<Option<u64>>, open: u64) -> Error {
    Error::malformed(FORMAT, place(record, open), UNCLOSED)
}

/// A byte at `at` that neither ends the field nor the record follows a closing quote.
pub(super) fn stray(record: impl Into<Option<u64>>, at: u64) -> Error {
    Error::malformed(FORMAT, place(record, at), stray_reason())
}

pub(super) fn stray_reason() -> String {
    "text follows a closing quote; a quote inside of a quoted field must be doubled".to_owned()
}

/// Record number `record`, which begins at `start`, has `found` fields. Where it has more than the first
/// ones, these may stand above the table; where the delimiter was given, that may be another one.
pub(super) fn field_count(
    record: impl Into<Option<u64>>,
    start: u64,
    (found, expected): (usize, usize),
    (above, given): (Option<Above>, Option<(u8, Given)>),
) -> Error {
    let mut reason = field_count_reason(found, expected);
    if let Some((delimiter, Given { fitting })) = given {
        reason += &format!(", with {} {GIVEN}", shown(delimiter));
        if let Some(other) = fitting {
            let next = format!("{} fits the first records: give that, or leave it to be found", shown(other));
            return Error::malformed(FORMAT, place(record, start), format!("{reason}; {next}"));
        }
    }
    let aside = "--rejects FILE sets bad records aside";
    let next = match above.filter(|_| found > expected) {
        Some(above) => above.advice(),
        None if found < expected => format!("--ragged fills short records with null, and {aside}"),
        None => aside.to_owned(),
    };
    Error::malformed(FORMAT, place(record, start), format!("{reason}; {next}"))
}

pub(super) fn field_count_reason(found: usize, expected: usize) -> String {
    let fields = if found == 1 { "field" } else { "fields" };
    format!("{found} {fields} where {expected} are expected")
}

/// The byte at `at` is not part of a UTF-8 character.
pub(super) fn not_utf8(record: impl Into<Option<u64>>, at: u64) -> Error {
    Error::malformed(FORMAT, place(record, at), not_utf8_reason())
}

pub(super) fn not_utf8_reason() -> String {
    "invalid UTF-8; if the text is Latin-1 or Windows-1252, name it with --encoding, or with --encoding \
     guess where another source is not"
        .to_owned()
}

/// The byte at `at` is NUL.
pub(super) fn nul(record: impl Into<Option<u64>>, at: u64) -> Error {
    Error::malformed(FORMAT, place(record, at), nul_reason())
}

pub(super) fn nul_reason() -> String {
    "NUL byte: this is binary, or UTF-16 that --encoding does not name".to_owned()
}

/// The record or comment line that begins at `start` is too long.
pub(super) fn too_long(record: impl Into<Option<u64>>, start: u64, max: usize) -> Error {
    Error::Limit {
        place: Box::new(place(record, start)),
        what: "length of a record in bytes",
        max: max as u64,
        hint: "look for a quote that is not closed, or name another quote byte".to_owned(),
    }
}
