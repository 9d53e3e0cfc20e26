//! Tests of typing as a whole: a table of columns with their typings, and the laws that every column obeys.

mod arrays;
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

fn profile(options: &TypingOptions, fields: &[&str]) -> Result<Profile> {
    let mut profile = Profile::with_options(options)?;
    for (row, text) in fields.iter().enumerate() {
        profile.observe(row as u64, field(text));
    }
    Ok(profile)
}

fn resolve(options: &TypingOptions, fields: &[&str]) -> Resolved {
    profile(options, fields).expect("options of a test are valid").resolve()
}

fn parse(typing: &ColumnTyping, fields: &[&str]) -> Option<ArrayRef> {
    let mut parser = ColumnParser::new(typing).expect("a resolved typing has a parser");
    let raw: Vec<RawField<'_>> = fields.iter().map(|text| field(text)).collect();
    parser.push_all(&raw).ok()?;
    Some(parser.finish().expect("parsed fields are an array"))
}

/// The text of every row, and whether it is a value.
fn format(typing: &ColumnTyping, array: &ArrayRef) -> Vec<(String, bool)> {
    let formatter = ColumnFormatter::new(typing, array).expect("an array of the typing has a formatter");
    let write = |row| {
        let mut out = Vec::new();
        let is_value = formatter.write(row, &mut out);
        (String::from_utf8(out).expect("text is UTF-8"), is_value)
    };
    (0..array.len()).map(write).collect()
}

/// What remains of a field's text once quoting is forgotten, and whether it stands for a value.
fn content(typing: &ColumnTyping, text: &str) -> (String, bool) {
    let raw = field(text);
    let text = String::from_utf8_lossy(raw.bytes).into_owned();
    let is_null = !raw.quoted && text == typing.style.null_text();
    (text, !is_null)
}
