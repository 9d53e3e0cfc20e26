//! Provides the records with a field that does not have the type that was given for its column.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::decode::{Reject, TextBatch};
use super::dialect::Dialect;
use super::rows::Rows;
use super::split::Rules;
use crate::error::{Error, Result};
use crate::spool::TextFile;
use crate::text::{Fresh, RawField};

/// Characters of the name of a column at most that a reason has.
const NAME_CHARS_MAX: usize = 200;

/// The records of a batch with a field that does not have the type that was given for its column, which
/// `fresh` tells, in ascending order.
pub(crate) fn misfits(
    text: &TextFile,
    dialect: &Dialect,
    batch: &TextBatch<'_>,
    fresh: &Fresh,
) -> Result<Vec<Reject>> {
    let mut found = BTreeMap::new();
    for (column, profile) in fresh.given() {
        let fields: Vec<RawField<'_>> = batch.column(column).collect();
        for (row, why) in profile.misfits(&fields) {
            found.entry(row).or_insert_with(|| format!("column {:?}: {why}", name(dialect, column)));
        }
    }
    let reject = |(row, reason)| {
        let (record, span) = (batch.record_number(row), batch.record_span(row));
        Ok(Reject { record, byte: span.start, bytes: record_in(text, dialect, span)?, reason })
    };
    found.into_iter().map(reject).collect()
}

/// The name of a column, cut: it comes again with each record.
fn name(dialect: &Dialect, column: usize) -> Cow<'_, str> {
    let name = &dialect.names[column].name;
    match name.char_indices().nth(NAME_CHARS_MAX) {
        None => Cow::Borrowed(name),
        Some((end, _)) => Cow::Owned(format!("{}…", &name[..end])),
    }
}

/// The bytes of the record with which these begin, without its line end: in a batch they were unescaped.
fn record_in(text: &TextFile, dialect: &Dialect, span: std::ops::Range<u64>) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(span.end - span.start).unwrap_or(usize::MAX)];
    let mut filled = 0;
    while filled < bytes.len() {
        match text.read_at(span.start + filled as u64, &mut bytes[filled..])? {
            0 => return Err(Error::Changed(text.path().to_owned())),
            count => filled += count,
        }
    }
    let mut rows = Rows::default();
    Rules::free(dialect, 1).cut(&bytes, 0, true, &mut rows);
    bytes.truncate(rows.fields.last().map_or(0, |field| field.record_end()));
    Ok(bytes)
}
