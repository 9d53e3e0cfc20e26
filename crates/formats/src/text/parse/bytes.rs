//! Provides the growing cells of columns that are not of fixed width: text, binary, booleans, and nothing.

use super::cells::{Cells, NullRows, broken};
use crate::error::{Error, Place, Result};
use crate::text::datetime::{read_date, timestamp_orders};
use crate::text::digits::write_first;
use crate::text::uuid::{nibble, read_uuid};
use crate::text::written::is_written;
use crate::text::{Ambiguous, WrittenPattern};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, StringArray, new_null_array};
use arrow_buffer::{BooleanBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;

/// Bytes of variable length one after the other.
pub(super) struct Strings {
    bytes: Vec<u8>,
    ends: Vec<i32>,
    nulls: NullRows,
    overflow: bool,
}

/// Appends a text. One of 4 to 16 bytes is moved by a fixed size and cut back, without a call.
#[inline]
fn extend_short(out: &mut Vec<u8>, text: &[u8]) {
    let count = text.len();
    if let (8..=16, Some(first), Some(last)) = (count, text.first_chunk::<8>(), text.last_chunk::<8>()) {
        // Both ends hold the bytes that they share.
        let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        let whole = u128::from(first) | u128::from(last) << (8 * (count - 8));
        return write_first(out, &whole.to_le_bytes(), count);
    }
    if let (4..8, Some(first), Some(last)) = (count, text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        let whole = u64::from(first) | u64::from(last) << (8 * (count - 4));
        return write_first(out, &whole.to_le_bytes(), count);
    }
    out.extend_from_slice(text);
}

impl Strings {
    pub(super) fn new() -> Self {
        Strings { bytes: Vec::new(), ends: vec![0], nulls: NullRows::default(), overflow: false }
    }

    #[inline]
    fn end_row(&mut self) {
        match i32::try_from(self.bytes.len()) {
            Ok(end) => self.ends.push(end),
            Err(_) => {
                self.overflow = true;
                self.ends.push(i32::MAX);
            }
        }
    }

    #[inline]
    pub(super) fn push(&mut self, text: &[u8]) {
        extend_short(&mut self.bytes, text);
        self.end_row();
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        self.nulls.push(self.rows());
        self.end_row();
    }

    #[inline]
    pub(super) fn rows(&self) -> usize {
        self.ends.len() - 1
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
        self.bytes.truncate(self.ends.last().map_or(0, |&end| end as usize));
        self.nulls.truncate(rows);
    }

    fn finish(&mut self) -> Result<(Vec<u8>, OffsetBuffer<i32>, Option<arrow_buffer::NullBuffer>)> {
        if self.overflow {
            return Err(Error::Limit {
                place: Box::new(Place::default()),
                what: "text of one column in one batch",
                max: i32::MAX as u64,
                hint: "give the parser fewer rows at a time".to_owned(),
            });
        }
        let rows = self.rows();
        let nulls = self.nulls.finish(rows);
        let mut next = Vec::with_capacity(rows + 1);
        next.push(0);
        let ends = std::mem::replace(&mut self.ends, next);
        // The next batch will be about as long; a little more room saves it from growing.
        let capacity = self.bytes.len() + self.bytes.len() / 8;
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(capacity));
        Ok((bytes, OffsetBuffer::new(ScalarBuffer::from(ends)), nulls))
    }

    pub(super) fn finish_text(&mut self) -> Result<ArrayRef> {
        let (bytes, ends, nulls) = self.finish()?;
        let array = StringArray::try_new(ends, bytes.into(), nulls)
            .map_err(|error| Error::malformed("text", Place::default(), error.to_string()))?;
        Ok(std::sync::Arc::new(array))
    }

    pub(super) fn finish_binary(&mut self) -> Result<ArrayRef> {
        let (bytes, ends, nulls) = self.finish()?;
        Ok(std::sync::Arc::new(BinaryArray::try_new(ends, bytes.into(), nulls).map_err(broken)?))
    }
}

/// Cells of text.
pub(super) struct TextCells {
    strings: Strings,
    /// Whether every text must be a date in both orders of day and month.
    /// What every field has to be.
    ambiguous: Option<Ambiguous>,
}

impl TextCells {
    pub(super) fn new(ambiguous: Option<Ambiguous>) -> Self {
        TextCells { strings: Strings::new(), ambiguous }
    }
}

impl Cells for TextCells {
    #[inline]
    fn push_text(&mut self, text: &[u8]) -> bool {
        if self.ambiguous.is_some_and(|what| !is_ambiguous(text, what)) {
            return false;
        }
        self.strings.push(text);
        true
    }

    #[inline]
    fn push_null(&mut self) {
        self.strings.push_null();
    }

    fn rows(&self) -> usize {
        self.strings.rows()
    }

    fn truncate(&mut self, rows: usize) {
        self.strings.truncate(rows);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.strings.finish_text()
    }
}

/// Whether a text is this in both orders of day and month.
fn is_ambiguous(text: &[u8], what: Ambiguous) -> bool {
    match what {
        Ambiguous::Date(day_first) => [Some(day_first), day_first.month_first()]
            .into_iter()
            .all(|order| order.is_some_and(|order| read_date(text, order).is_some())),
        Ambiguous::Timestamp(pattern) => timestamp_orders(text, pattern) == [true; 2],
        Ambiguous::Written(pattern) => {
            let orders = [Some(pattern.date), pattern.date.month_first()];
            let fits = |date| is_written(text, WrittenPattern { date, ..pattern });
            orders.into_iter().all(|date| date.is_some_and(fits))
        }
    }
}

/// Cells of bytes written as `0x` and hexadecimal digits, or as UUIDs.
pub(super) struct BinaryCells {
    strings: Strings,
    scratch: Vec<u8>,
    /// Bytes of every value, if they are of fixed width.
    width: Option<usize>,
    /// Whether they are written as UUIDs.
    uuids: bool,
}

impl BinaryCells {
    pub(super) fn new(width: Option<usize>) -> Self {
        BinaryCells { strings: Strings::new(), scratch: Vec::new(), width, uuids: false }
    }

    pub(super) fn of_uuids() -> Self {
        BinaryCells { uuids: true, ..BinaryCells::new(None) }
    }
}

impl Cells for BinaryCells {
    fn push_text(&mut self, text: &[u8]) -> bool {
        if self.uuids {
            let read = read_uuid(text);
            read.iter().for_each(|bytes| self.strings.push(bytes));
            return read.is_some();
        }
        let Some(run) = text.strip_prefix(b"0x") else {
            return false;
        };
        let (pairs, rest) = run.as_chunks::<2>();
        if !rest.is_empty() || self.width.is_some_and(|width| width != pairs.len()) {
            return false;
        }
        self.scratch.clear();
        for &[high, low] in pairs {
            match (nibble(high), nibble(low)) {
                (Some(high), Some(low)) => self.scratch.push(high << 4 | low),
                _ => return false,
            }
        }
        self.strings.push(&self.scratch);
        true
    }

    fn push_null(&mut self) {
        self.strings.push_null();
    }

    fn rows(&self) -> usize {
        self.strings.rows()
    }

    fn truncate(&mut self, rows: usize) {
        self.strings.truncate(rows);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.strings.finish_binary()
    }
}

/// Cells of booleans.
pub(super) struct BoolCells {
    yes: &'static [u8],
    no: &'static [u8],
    yes_word: Option<(usize, u64)>,
    no_word: Option<(usize, u64)>,
    lenient: bool,
    values: Vec<bool>,
    nulls: NullRows,
}

impl BoolCells {
    pub(super) fn new(words: (&'static str, &'static str), lenient: bool) -> Self {
        let (yes, no) = (words.0.as_bytes(), words.1.as_bytes());
        let (yes_word, no_word) = (word(yes), word(no));
        BoolCells { yes, no, yes_word, no_word, lenient, values: Vec::new(), nulls: NullRows::default() }
    }

    /// Appends a value that does not come from a text.
    pub(super) fn push_value(&mut self, value: bool) {
        self.values.push(value);
    }

    /// The value of a text.
    #[inline]
    pub(super) fn value_of(&self, text: &[u8]) -> Option<bool> {
        let word = word(text);
        if word == self.yes_word {
            Some(true)
        } else if word == self.no_word {
            Some(false)
        } else if self.lenient && text.eq_ignore_ascii_case(self.yes) {
            Some(true)
        } else if self.lenient && text.eq_ignore_ascii_case(self.no) {
            Some(false)
        } else {
            None
        }
    }
}

/// A text of one to eight bytes as its length and a number, which compare in one step. No word of a boolean
/// is longer or empty.
#[inline]
fn word(text: &[u8]) -> Option<(usize, u64)> {
    let bytes = match *text {
        [a] => u64::from(a),
        [a, b] => u64::from(a) | u64::from(b) << 8,
        [a, b, c] => u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16,
        [..] if text.len() <= 8 => {
            // Both halves hold the bytes that they share.
            let (first, last) = (text.first_chunk::<4>()?, text.last_chunk::<4>()?);
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
        }
        [..] => return None,
    };
    Some((text.len(), bytes))
}

impl Cells for BoolCells {
    #[inline]
    fn push_text(&mut self, text: &[u8]) -> bool {
        let Some(value) = self.value_of(text) else { return false };
        self.values.push(value);
        true
    }

    #[inline]
    fn push_null(&mut self) {
        self.nulls.push(self.values.len());
        self.values.push(false);
    }

    fn rows(&self) -> usize {
        self.values.len()
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let rows = self.values.len();
        let values = BooleanBuffer::from(&self.values[..]);
        self.values.clear();
        Ok(std::sync::Arc::new(BooleanArray::new(values, self.nulls.finish(rows))))
    }
}

/// Cells that hold nothing but null.
pub(super) struct EmptyCells {
    data_type: DataType,
    rows: usize,
}

impl EmptyCells {
    pub(super) fn new(data_type: DataType) -> Self {
        EmptyCells { data_type, rows: 0 }
    }
}

impl Cells for EmptyCells {
    fn push_text(&mut self, _: &[u8]) -> bool {
        false
    }

    fn push_null(&mut self) {
        self.rows += 1;
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(new_null_array(&self.data_type, std::mem::take(&mut self.rows)))
    }
}

/// Cells that are held in another way than they are collected: views, large offsets, dictionaries, runs.
pub(super) struct CastCells {
    pub(super) inner: Box<dyn Cells>,
    pub(super) data_type: DataType,
}

impl Cells for CastCells {
    fn push_text(&mut self, text: &[u8]) -> bool {
        self.inner.push_text(text)
    }

    fn push_null(&mut self) {
        self.inner.push_null();
    }

    fn rows(&self) -> usize {
        self.inner.rows()
    }

    fn truncate(&mut self, rows: usize) {
        self.inner.truncate(rows);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let array = self.inner.finish()?;
        arrow_cast::cast(&array, &self.data_type).map_err(|error| {
            Error::unsupported(
                Place::default(),
                format!("{} values cannot be held as {}: {error}", array.data_type(), self.data_type),
                "give the column the type of its values",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::BOOL_WORDS;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_are_appended_as_they_are(texts in proptest::collection::vec("[a-z]{0,40}", 0..20)) {
            let mut out = Vec::new();
            texts.iter().for_each(|text| extend_short(&mut out, text.as_bytes()));
            prop_assert_eq!(out, texts.concat().into_bytes());
        }
    }

    #[test]
    fn words_of_booleans_are_told_from_all_that_are_like_them() {
        for words in BOOL_WORDS {
            let cells = BoolCells::new(words, false);
            for (text, value) in [(words.0, true), (words.1, false)] {
                assert_eq!(cells.value_of(text.as_bytes()), Some(value), "{text}");
                let (other, more) = (format!("{}~", &text[..text.len() - 1]), format!("{text}\0"));
                for unlike in [&text[1..], &other, &more, &format!("{text}{text}{text}"), ""] {
                    let known = unlike == words.0 || unlike == words.1;
                    assert!(known || cells.value_of(unlike.as_bytes()).is_none(), "{unlike:?}");
                }
            }
        }
    }
}
