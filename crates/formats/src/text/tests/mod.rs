//! Tests of typing as a whole: a table of columns with their typings, and the laws that every column obeys.

mod arrays;
mod exceptions;
mod laws;
mod table;

use super::{ColumnFormatter, ColumnParser, ColumnTyping, Profile, RawField, Resolved, TypingOptions};
use crate::error::Result;
use arrow_array::ArrayRef;

/// A field in the notation of the tests: `""` with the quotes is quoted.
fn field(text: &str) -> RawField<'_> {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => RawField::quoted(inner.as_bytes()),
        None => RawField::plain(text.as_bytes()),
    }
}

/// Rows from one field to the next, in tests of exceptions, which must stand apart.
const STRIDE: u64 = 60;

fn profile(options: &TypingOptions, fields: &[&str], stride: u64) -> Result<Profile> {
    let mut profile = Profile::with_options(options)?;
    for (row, text) in fields.iter().enumerate() {
        profile.observe(row as u64 * stride, field(text));
    }
    Ok(profile)
}

fn resolve(options: &TypingOptions, fields: &[&str]) -> Resolved {
    profile(options, fields, 1).expect("options of a test are valid").resolve()
}

fn parse(typing: &ColumnTyping, fields: &[&str]) -> Option<ArrayRef> {
    parse_at(typing, fields, 0, 1)
}

/// Parses fields of which the first is in this row.
fn parse_at(typing: &ColumnTyping, fields: &[&str], first: u64, stride: u64) -> Option<ArrayRef> {
    let mut parser = ColumnParser::new(typing).expect("a resolved typing has a parser");
    parser.seek(first);
    let raw: Vec<RawField<'_>> = fields.iter().map(|text| field(text)).collect();
    if stride == 1 {
        parser.push_all(&raw).ok()?;
    } else {
        for (row, field) in raw.into_iter().enumerate() {
            parser.seek(first + row as u64 * stride);
            parser.push(field).ok()?;
        }
    }
    Some(parser.finish().expect("parsed fields are an array"))
}

/// The text of every row, and whether it is a value.
fn format(typing: &ColumnTyping, array: &ArrayRef) -> Vec<(String, bool)> {
    format_at(typing, array, 1)
}

fn format_at(typing: &ColumnTyping, array: &ArrayRef, stride: u64) -> Vec<(String, bool)> {
    let whole = ColumnFormatter::new(typing, array).expect("an array of the typing has a formatter");
    let write = |row: usize| {
        let mut out = Vec::new();
        let is_value = if stride == 1 {
            whole.write(row, &mut out)
        } else {
            let one = array.slice(row, 1);
            let one = ColumnFormatter::at_row(typing, &one, row as u64 * stride);
            one.expect("a slice of the array has a formatter").write(0, &mut out)
        };
        (String::from_utf8(out).expect("text is UTF-8"), is_value)
    };
    (0..array.len()).map(write).collect()
}

/// What remains of a field's text once quoting is forgotten, and whether it stands for a value.
fn content(typing: &ColumnTyping, text: &str) -> (String, bool) {
    let raw = field(text);
    let text = String::from_utf8_lossy(raw.bytes).into_owned();
    let is_null = !raw.quoted && (text == typing.style.null_text() || typing.style.refused.contains(&text));
    (text, !is_null)
}
