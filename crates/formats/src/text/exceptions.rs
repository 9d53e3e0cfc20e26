//! Provides the few fields of a column that are not written as its style says.

use super::float::{LENGTH_MAX, read_any};
use super::{BOOL_WORDS, Form, Style};
use crate::limits::EXCEPTIONS_MAX;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::Range;
use std::sync::Arc;

/// A field that is not written as the style of its column says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Row, counted from 0.
    pub row: u64,
    /// The text of the field.
    pub text: String,
}

/// Exceptions in the order of their rows, at most [`EXCEPTIONS_MAX`].
///
/// The text of an exception stands for its value in its row only, or for null if it is a spelling of null
/// that the style refuses elsewhere. What else is in that row, in a table that lost rows since, is written as
/// the style says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exceptions(Option<Arc<[Exception]>>);

impl Serialize for Exceptions {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter().map(|odd| (odd.row, &odd.text)))
    }
}

impl<'de> Deserialize<'de> for Exceptions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let wire = Vec::<(u64, String)>::deserialize(from)?;
        let odd = wire.into_iter().map(|(row, text)| Exception { row, text }).collect();
        let wrong = "exceptions are too many, too long, or not in the order of rows";
        Exceptions::new(odd).ok_or_else(|| D::Error::custom(wrong))
    }
}

impl std::ops::Deref for Exceptions {
    type Target = [Exception];

    fn deref(&self) -> &[Exception] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Exceptions {
    /// Exceptions in the order of their rows; `None` if they are not, are too many, or too long.
    pub fn new(all: Vec<Exception>) -> Option<Self> {
        let ordered = all.windows(2).all(|pair| pair[0].row < pair[1].row);
        let bounded = all.len() <= EXCEPTIONS_MAX && all.iter().all(|odd| odd.text.len() <= LENGTH_MAX);
        (ordered && bounded).then(|| Exceptions((!all.is_empty()).then(|| all.into())))
    }

    /// Whether there are none.
    pub(crate) fn are_none(&self) -> bool {
        self.0.is_none()
    }

    /// Those in these rows.
    #[inline]
    pub(crate) fn within(&self, rows: Range<u64>) -> &[Exception] {
        if self.are_none() {
            return &[];
        }
        let position = |row| self.partition_point(|odd| odd.row < row);
        &self[position(rows.start)..position(rows.end).max(position(rows.start))]
    }
}

/// The value of an exception.
#[derive(Debug, Clone, Copy)]
pub(super) enum OddValue {
    Bool(bool),
    Float(f64),
}

impl OddValue {
    /// The value of an exceptional text in a column of this style; `None` if it has none.
    pub(super) fn read(style: &Style, text: &str) -> Option<OddValue> {
        match style.form {
            Form::Bool { words } => {
                let (yes, no) = BOOL_WORDS.get(words)?;
                let value = text.eq_ignore_ascii_case(yes);
                (value || text.eq_ignore_ascii_case(no)).then_some(OddValue::Bool(value))
            }
            Form::Float(_) => read_any(text.as_bytes(), style.mark).map(OddValue::Float),
            _ => None,
        }
    }
}

/// Whether two numbers are the same content: of the same bits, all that are not numbers being one.
pub(crate) fn same_number(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd(rows: &[u64]) -> Option<Exceptions> {
        Exceptions::new(rows.iter().map(|&row| Exception { row, text: "1e3".to_owned() }).collect())
    }

    #[test]
    fn exceptions_are_ordered_and_bounded() {
        assert!(odd(&[]).is_some_and(|all| all.is_empty()));
        assert!(odd(&[1, 2, 7]).is_some());
        assert!(odd(&[1, 1]).is_none());
        assert!(odd(&[2, 1]).is_none());
        let many: Vec<u64> = (0..=EXCEPTIONS_MAX as u64).collect();
        assert!(odd(&many).is_none());
        assert!(odd(&many[1..]).is_some());
        let long = Exception { row: 0, text: "1".repeat(LENGTH_MAX + 1) };
        assert!(Exceptions::new(vec![long]).is_none());
    }

    #[test]
    fn exceptions_are_found_by_rows() {
        let all = odd(&[1, 2, 7]).expect("rows ascend");
        let rows = |range| all.within(range).iter().map(|odd| odd.row).collect::<Vec<_>>();
        assert_eq!(rows(0..10), [1, 2, 7]);
        assert_eq!(rows(2..7), [2]);
        assert_eq!(rows(8..9), [0u64; 0]);
    }
}
