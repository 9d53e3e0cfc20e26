//! Provides what a caller may say about the typing of a column.

use super::Mark;

/// What a caller may say about the typing of a column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TypingOptions {
    /// Which readings are allowed.
    pub mode: Mode,
    /// Unquoted texts that are null, in text columns too. If any is given it replaces the built-in rule, so
    /// an empty field is null only if the empty text is among them.
    pub null_tokens: Vec<String>,
    /// Order of day and month where both are possible.
    pub date_order: DateOrder,
    /// Marks that may stand before the fractional digits.
    pub decimal_marks: DecimalMarks,
    /// Whether a person told these. Otherwise marks that may separate thousands are no decimal marks.
    pub marks_told: bool,
    /// The type that the column must have, in the notation of [`super::parse_type`].
    pub fixed: Option<String>,
}

/// Which readings are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Only typings that give back the text of every field.
    #[default]
    Reversible,
    /// If no reversible typing but text fits, one that keeps the values and loses some of their text.
    Value,
    /// Every column is text.
    Text,
}

/// Order of day and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateOrder {
    /// Not said: a column that fits both orders stays text.
    #[default]
    Unknown,
    /// The day stands first.
    DayFirst,
    /// The month stands first.
    MonthFirst,
}

impl DateOrder {
    /// The order of this name: `dmy` or `mdy`.
    pub fn named(name: &str) -> Option<Self> {
        [DateOrder::DayFirst, DateOrder::MonthFirst].into_iter().find(|order| order.name() == Some(name))
    }

    /// Its name, if it is said.
    pub fn name(self) -> Option<&'static str> {
        match self {
            DateOrder::Unknown => None,
            DateOrder::DayFirst => Some("dmy"),
            DateOrder::MonthFirst => Some("mdy"),
        }
    }
}

/// Marks that may stand before the fractional digits. A column holds one of them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DecimalMarks {
    /// A point.
    #[default]
    Point,
    /// A comma.
    Comma,
    /// Either, as fits a table that is delimited by semicolons.
    Either,
}

impl DecimalMarks {
    /// Whether a column may have this mark.
    pub(crate) fn allow(self, mark: Mark) -> bool {
        match self {
            DecimalMarks::Point => mark == Mark::Point,
            DecimalMarks::Comma => mark == Mark::Comma,
            DecimalMarks::Either => true,
        }
    }
}

/// Words that are null where they stand unquoted beside values of another type.
pub(crate) const NULL_WORDS: [&str; 9] = ["NA", "N/A", "NULL", "null", "\\N", "-", "None", "#N/A", "n/a"];
