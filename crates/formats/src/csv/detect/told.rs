//! Provides the first line by which a text tells spreadsheet programs its delimiter: `sep=;`.

use super::read_from;
use crate::Result;
use crate::csv::dialect::{CsvOptions, validate};
use crate::spool::ReadAt;

const NAME: &[u8] = b"sep=";

/// The delimiter that the first line tells, unless it is said how many lines are skipped, or that a byte of
/// `sep=` stands between fields: then the line is a record.
pub(super) fn delimiter<S: ReadAt + ?Sized>(source: &S, options: &CsvOptions) -> Result<Option<u8>> {
    if options.skip_lines.is_some() || options.delimiter.is_some_and(|given| NAME.contains(&given)) {
        return Ok(None);
    }
    let begin = read_from(source, 0, NAME.len() + 2)?;
    let (line, end) = begin.split_at(begin.len().min(NAME.len() + 1));
    if !is_like(line) || !matches!(end, [] | [b'\n' | b'\r']) {
        return Ok(None);
    }
    let told = line.get(NAME.len()).copied().filter(|byte| !byte.is_ascii_alphanumeric());
    let can_be = |byte: &u8| validate(&CsvOptions { delimiter: Some(*byte), ..options.clone() }).is_ok();
    Ok(told.filter(can_be))
}

/// Whether a line that begins with this field, unquoted, may be such a line.
pub(in crate::csv) fn is_like(field: &[u8]) -> bool {
    let (name, rest) = field.split_at(field.len().min(NAME.len()));
    name.eq_ignore_ascii_case(NAME) && rest.len() <= 1
}

/// What is said of the line.
pub(super) fn note(told: u8, given: Option<u8>) -> String {
    let line = format!("sep={}", char::from(told));
    let other = if given.is_some_and(|given| given != told) { ", but another one is given" } else { "" };
    format!("the first line, {line:?}, is left out: it names the delimiter{other}; --skip-lines 0 keeps it")
}
