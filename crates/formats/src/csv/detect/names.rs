//! Provides the answer to whether the first record of a text holds the names of its columns.

use super::sample::Sample;
use crate::csv::dialect::Dialect;
use crate::text::is_date_or_time;

/// Records that the question looks at.
const RECORDS_MAX: usize = 1_000;

/// What stands below one field of the first record, empty fields aside.
#[derive(Clone)]
struct Column {
    filled: bool,
    /// Whether all fields are values.
    values: bool,
    /// Whether all fields are dates or times in words: of months, or of the half of the day.
    moments: bool,
    /// Whether the field of the first record comes again.
    repeats: bool,
    /// Whether the field of the first record is quoted where no other is that need not be.
    quoted: bool,
}

/// What stands below the first record.
struct Below {
    columns: Vec<Column>,
    records: usize,
    /// Whether the sample ends with the first record, and the text too.
    nothing_more: bool,
}

impl Below {
    fn new(first: &[String], dialect: &Dialect, sample: &Sample) -> Self {
        let unseen = Column { filled: false, values: true, moments: true, repeats: false, quoted: false };
        let mut columns = vec![unseen; first.len()];
        let mut records = 0;
        let broken = sample.cut(dialect, &mut |_, fields| {
            records += 1;
            if records == 1 {
                let fields = fields.iter().zip(&mut columns);
                fields.for_each(|((_, quoted), column)| column.quoted = *quoted);
            }
            if records == 1 || records > RECORDS_MAX {
                return;
            }
            let below = fields.iter().zip(first).zip(&mut columns);
            for (((field, quoted), name), column) in below.filter(|(((field, _), _), _)| !field.is_empty()) {
                column.filled = true;
                column.values = column.values && is_value(field);
                column.moments = column.moments && is_moment(field);
                column.repeats |= *field == name.as_bytes();
                column.quoted &= !quoted || needs_quotes(field, dialect);
            }
        });
        Below { columns, records: records.max(1) - 1, nothing_more: sample.whole && !broken }
    }
}

/// Whether the first record holds names.
pub(super) struct Told {
    pub(super) header: bool,
    /// Why.
    pub(super) why: String,
    /// Whether anybody would say so.
    pub(super) is_plain: bool,
}

/// The first record holds names.
fn header(why: String) -> Told {
    Told { header: true, why: format!("header: {why}"), is_plain: false }
}

/// It does not.
fn no_header(why: String) -> Told {
    Told { header: false, why: format!("no header: {why}"), is_plain: false }
}

/// Whether the first record holds names, and why.
pub(super) fn is_header(first: &[String], dialect: &Dialect, sample: &Sample) -> Told {
    if first.iter().all(String::is_empty) {
        return no_header("the first record is empty".to_owned());
    }
    let below = Below::new(first, dialect, sample);
    // What is quoted above fields that are not, as some programs write names, is a name whatever it reads as.
    let said = |column: &Column| column.filled && column.quoted;
    let mut values =
        first.iter().zip(&below.columns).filter(|(field, _)| is_value(field.as_bytes())).peekable();
    let quoted = values.peek().map(|(name, _)| *name);
    if let Some((value, _)) = values.find(|(_, column)| !said(column)) {
        return no_header(format!("{value:?} in the first record is a value, not a name"));
    }
    if let Some(name) = quoted {
        return header(format!("{name:?} is quoted, and what stands below it is not"));
    }
    if below.records == 0 {
        return header(match below.nothing_more {
            true => "there is only one record".to_owned(),
            false => {
                format!("the default, since the first {} bytes hold no other record", sample.bytes.len())
            }
        });
    }
    let named = || first.iter().zip(&below.columns);
    if let Some((value, _)) =
        named().find(|(name, column)| column.filled && column.moments && is_moment(name.as_bytes()))
    {
        return no_header(format!("{value:?} in the first record is a value, as those below it"));
    }
    if let Some((name, _)) = named().find(|(_, column)| column.filled && (column.values || column.moments)) {
        return Told { is_plain: true, ..header(format!("{name:?} stands above a column of values")) };
    }
    if first.iter().skip(1).any(String::is_empty) {
        return no_header("a field of the first record is empty".to_owned());
    }
    if let Some((name, _)) = named().find(|(_, column)| column.repeats && !said(column)) {
        return no_header(format!("{name:?} comes again in its column"));
    }
    header("the default, since nothing in the first records says otherwise".to_owned())
}

/// Whether the text reads as a number, date, time or truth value.
pub(in crate::csv) fn is_value(field: &[u8]) -> bool {
    let text = field.trim_ascii();
    let truth = [&b"true"[..], b"false"];
    if truth.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return true;
    }
    let begins = match text {
        [b'+' | b'-' | b'.' | b',', rest @ ..] => {
            rest.first().is_some_and(|b| b.is_ascii_digit() || *b == b'.')
        }
        [first, ..] => first.is_ascii_digit(),
        [] => false,
    };
    let allowed = |b: &u8| b.is_ascii_digit() || b"+-.,:/ eETZ%".contains(b);
    begins && text.iter().any(u8::is_ascii_digit) && text.iter().all(allowed)
}

/// Whether a field could not be written without quotes.
fn needs_quotes(field: &[u8], dialect: &Dialect) -> bool {
    field
        .iter()
        .any(|&byte| byte == dialect.delimiter || Some(byte) == dialect.quote || b"\r\n".contains(&byte))
}

/// Whether the text is a date or a time as people write them, with words in it. A name may be one too, as of
/// the column of a day.
fn is_moment(field: &[u8]) -> bool {
    is_date_or_time(field.trim_ascii())
}
