//! Text fields to typed values and back, by a reversible rule per column.
//!
//! One column of a text table is a sequence of [`RawField`]s. A [`Profile`] looks at all of them and
//! proposes a [`ColumnTyping`]: an arrow type and a [`Style`] that together give back the text of every
//! field. A [`ColumnParser`] then reads fields into arrow arrays and a [`ColumnFormatter`] writes them
//! back.
//!
//! The profile is a lattice fold. Its candidates stand in one fixed order, each candidate says of every
//! field whether it fits, and the column takes the first candidate that all its fields fit. So the outcome
//! depends on the set of fields alone, not on how they were cut and merged, and a file whose fields all fit
//! the typing proposed from a sample has that same typing as a whole.
//!
//! It does not read files: cutting records into fields is the business of the format modules.

mod date_text;
pub(crate) mod datetime;
pub(crate) mod default;
pub(crate) mod digits;
mod duration;
mod exceptions;
mod float;
mod format;
mod given;
mod half_day;
mod held;
mod json;
pub(crate) mod number;
mod options;
mod parse;
mod plain;
mod profile;
mod style;
mod types;
mod uuid;
mod wire;
mod written;

pub(crate) use exceptions::same_number;
pub use exceptions::{Exception, Exceptions};
pub(crate) use float::{LENGTH_MAX as NUMBER_BYTES_MAX, is_odd_number, read_any};
pub use format::ColumnFormatter;
pub use given::{GivenPattern, parse_given};
pub(crate) use options::NULL_WORDS;
pub use options::{DateOrder, DecimalMarks, Mode, TypingOptions};
pub use parse::ColumnParser;
pub use profile::{Fresh, Grouped, Profile, Resolved, Unfit};
pub(crate) use profile::{Thousands, merge};
pub use style::{
    Ambiguous, BOOL_WORDS, ColumnTyping, DatePattern, Exponent, FloatStyle, Form, HalfDayPattern, Mark,
    OffsetForm, Scientific, Style, TimestampPattern, Zone,
};
pub(crate) use types::shown_type;
pub use types::{parse_type, type_name};
pub(crate) use uuid::{read_uuid, write_uuid};
pub(crate) use written::is_date_or_time;
pub use written::{ClockPattern, NamedDate, NamedLayout, WrittenDate, WrittenPattern};

/// One field of a text record, after unescaping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawField<'a> {
    /// The contents: no quotes, no escapes.
    pub bytes: &'a [u8],
    /// Whether the field was held in quotes. Only the difference between a quoted and an unquoted null
    /// spelling (the empty field above all) is content; otherwise quoting is a way of holding.
    pub quoted: bool,
}

impl<'a> RawField<'a> {
    /// A field that was not quoted.
    pub fn plain(bytes: &'a [u8]) -> Self {
        RawField { bytes, quoted: false }
    }

    /// A field that was quoted.
    pub fn quoted(bytes: &'a [u8]) -> Self {
        RawField { bytes, quoted: true }
    }
}

/// A field that does not fit the typing of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit {
    /// Rows that the parser took before it, counted from its last `finish`.
    pub row: usize,
}

#[cfg(test)]
mod tests;
