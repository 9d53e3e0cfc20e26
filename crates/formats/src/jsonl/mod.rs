//! JSON Lines: one JSON object on each non-blank line, UTF-8 (RFC 8259, jsonlines.org).
//!
//! Reading is strict: control characters, lone surrogates, repeated keys and a second value on a line are
//! refused with their place. See `profile` for what counts as content and `encode` for how each Arrow type
//! stands in JSON.

mod builder;
mod column;
pub mod decode;
pub mod encode;
mod fields;
mod finish;
mod layouts;
mod lexer;
mod number;
mod number_profile;
mod odd_numbers;
pub mod profile;
mod resolved;
mod scalar;
pub mod scan;
mod table;
mod temporal;
pub mod typing;

#[cfg(test)]
mod tests;

pub use crate::spool::ReadAt;
pub(crate) use builder::absent_bytes;
pub use decode::{Decoder, Reader};
pub use encode::Encoder;
pub use layouts::Layouts;
pub(crate) use layouts::each_layout;
pub use profile::{JsonProfile, JsonText};
pub use resolved::{Resolved, Said};
pub use scan::{Mark, Scan, scan, scan_within};
pub use table::{JsonEncoder, JsonTable, observe};
pub use typing::{Absence, Exponent, FloatStyle, Style, Typing};

use lexer::{Cursor, Fault};

use crate::{Error, Place, limits};

/// The name of this format in errors.
const FORMAT: &str = "JSON Lines";

/// The text of one record, without its line end, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Records before this one.
    pub row: u64,
    /// Offset of its first byte in the file.
    pub byte: u64,
    /// Its text, which is valid UTF-8.
    pub text: &'a [u8],
}

/// Whether a line holds no record.
#[inline]
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r'))
}

/// What to say of a record that does not begin with a brace.
fn not_an_object(cursor: &mut Cursor<'_>) -> Fault {
    // The first line of a long array may be no more than its bracket.
    if cursor.peek() == b'[' {
        return Fault::Syntax(
            "a record is one JSON object on one line, and this is an array; \
             jq -c '.[]' FILE writes one record on each line",
        );
    }
    let start = cursor.at;
    match cursor.value(0) {
        Ok(_) => {
            cursor.at = start;
            Fault::Syntax("a record is one JSON object on one line, and this is another value")
        }
        Err(reason) => reason,
    }
}

/// The error for a fault at the cursor; `column` is the index of the top-level column.
fn fault(record: Record<'_>, cursor: &Cursor<'_>, reason: Fault, column: usize) -> Error {
    let path: Vec<&str> = cursor.trail.iter().rev().map(String::as_str).collect();
    let place = Place {
        path: None,
        byte: Some(record.byte + cursor.at as u64),
        row: Some(record.row + 1),
        column: (!path.is_empty()).then(|| path.join(".")),
    };
    match reason {
        Fault::Syntax(what) => Error::malformed(FORMAT, place, what),
        Fault::Misfit => Error::Retype { place: Box::new(place), column },
        Fault::TooDeep => Error::Limit {
            place: Box::new(place),
            what: "nesting",
            max: limits::DEPTH_MAX as u64,
            hint: "keep the nested value as a string in the source".to_owned(),
        },
        Fault::TooManyKeys(max) => too_many_keys(place, max),
        Fault::TooManyNulls => Error::Limit {
            place: Box::new(place),
            what: "bytes that the nulls of one record hold",
            max: limits::NULL_BYTES_MAX as u64,
            hint: "cut the record into several; where a certificate tells types this wide, find them by the \
                   values with --no-certified-types"
                .to_owned(),
        },
    }
}

/// What is said of keys of which memory does not hold what is known.
pub(crate) const TOO_MANY_KEYS: &str = "the number of keys, of nested objects too, within this --memory";

fn too_many_keys(place: Place, max: usize) -> Error {
    Error::Limit {
        place: Box::new(place),
        what: TOO_MANY_KEYS,
        max: max as u64,
        hint: "give it more --memory, or keep the varying keys as strings in the source".to_owned(),
    }
}

/// Bytes that are no UTF-8, at this offset of the file.
fn not_utf8(row: u64, byte: u64) -> Error {
    let place = Place { byte: Some(byte), ..Place::at_row(row + 1) };
    Error::malformed(FORMAT, place, "these bytes are not UTF-8")
}

/// A record that is too long.
fn too_long(row: u64, byte: u64, max: usize) -> Error {
    Error::Limit {
        place: Box::new(Place { byte: Some(byte), ..Place::at_row(row + 1) }),
        what: "bytes in one record",
        max: max as u64,
        hint: "cut the record into several".to_owned(),
    }
}
