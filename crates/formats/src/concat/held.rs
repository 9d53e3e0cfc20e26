//! Provides the look at columns that sources hold and their directories tell as well: whether both say the
//! same.
//!
//! What a directory tells is read as a value of the column's own type, spelled as the column spells its
//! values or as they are spelled by default. Numbers and moments have other spellings beside: `1`, `01` and
//! `1.0` are one value wherever a type has exactly that, and so are `05:00` and `05:00:00.000`; bytes are
//! what they are.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, Float64Array, StringArray};
use arrow_schema::{DataType, TimeUnit};

use super::more::{place, repeated, told};
use super::{Concat, Kind, Member};
use crate::error::{Error, Place, Result};
use crate::partition::{is_text, one_row};
use crate::text::{ColumnTyping, Exceptions};

/// A column that a source holds and its directories tell as well.
pub(super) struct Held {
    /// Its index in the whole.
    pub(super) column: usize,
    /// What the directories tell; `None` is null.
    pub(super) text: Option<Vec<u8>>,
    /// Whether the directories of all sources tell numbers.
    pub(super) is_number: bool,
}

impl Concat {
    /// Fails where a record does not hold the value that the directories of its source tell, however it is
    /// spelled. `row` is the first of these in the source, counted from 0.
    pub(super) fn check_held(&self, member: &Member, row: u64, columns: &[ArrayRef]) -> Result<()> {
        // A source of a union that has no such column holds null.
        for Held { column, text, is_number } in &member.held {
            let (found, text) = (&columns[*column], text.as_deref());
            let rows = spellings(text, &self.typing_of(*column)?)?;
            let number = text.and_then(Number::read).filter(|_| *is_number);
            let Some(first) = first_other(found, &rows, number.as_ref())? else { continue };
            let place = place(member, self.schema.field(*column).name());
            let place = Place { row: Some(row + first as u64 + 1), ..place };
            let told = told(text);
            let what =
                format!("its directory tells {told} of this column, and the record holds another value");
            let hint = "mend one of them, or keep what the file holds with --no-partition-columns";
            return Err(Error::unsupported(place, what, hint));
        }
        Ok(())
    }

    /// How a text of this column is read.
    fn typing_of(&self, column: usize) -> Result<ColumnTyping> {
        match &self.kind {
            Kind::Fields { typings, .. } => {
                let mut typing = typings[column].clone();
                typing.style.exceptions = Exceptions::default();
                typing.style.lenient = false;
                Ok(typing)
            }
            _ => ColumnTyping::default_of(self.schema.field(column)),
        }
    }
}

/// What a directory tells as one row of a column, in each way in which it has a value there.
fn spellings(text: Option<&[u8]>, own: &ColumnTyping) -> Result<Vec<ArrayRef>> {
    let default = ColumnTyping::default_for(&own.data_type)?;
    let mut rows: Vec<ArrayRef> = one_row(text, own)?.into_iter().chain(one_row(text, &default)?).collect();
    if let Some(number) = text.and_then(Number::read) {
        rows.extend(number.row(&default)?);
    }
    rows.extend(text.and_then(|text| moment(text, &own.data_type).or_else(|| bytes(text, &own.data_type))));
    Ok(rows)
}

/// A moment or time of day in any layout, where a type has exactly that.
fn moment(text: &[u8], data_type: &DataType) -> Option<ArrayRef> {
    let finest = match data_type {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()),
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Nanosecond),
        _ => return None,
    };
    let text: ArrayRef = Arc::new(StringArray::from(vec![std::str::from_utf8(text).ok()?]));
    let exact = arrow_cast::cast(&text, &finest).ok().filter(|exact| exact.is_valid(0))?;
    let row = arrow_cast::cast(&exact, data_type).ok()?;
    let again = arrow_cast::cast(&row, &finest).ok()?;
    (again.as_ref() == exact.as_ref()).then_some(row)
}

/// Bytes, where a type has bytes.
fn bytes(text: &[u8], data_type: &DataType) -> Option<ArrayRef> {
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![text]));
    let is_bytes = matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
    is_bytes.then(|| arrow_cast::cast(&bytes, data_type).ok()).flatten()
}

/// The first row of a column that is none of these, nor a text of this number.
fn first_other(found: &ArrayRef, rows: &[ArrayRef], number: Option<&Number>) -> Result<Option<usize>> {
    let texts = match number.is_some() && is_text(found.data_type()) {
        true => arrow_cast::cast(found, &DataType::Utf8).ok(),
        false => None,
    };
    let is_number = |row: usize| {
        let texts = texts.as_ref().map(|texts| texts.as_string::<i32>());
        let text = texts.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row).as_bytes());
        text.is_some_and(|text| Number::read(text).as_ref() == number)
    };
    let is_told = |row: usize| {
        let here = found.slice(row, 1);
        rows.iter().any(|wanted| wanted.as_ref() == here.as_ref()) || is_number(row)
    };
    for wanted in rows {
        if repeated(wanted, found.len())?.as_ref() == found.as_ref() {
            return Ok(None);
        }
    }
    Ok((0..found.len()).find(|row| !is_told(*row)))
}

/// A number by its digits.
#[derive(Debug, PartialEq, Eq)]
struct Number {
    negative: bool,
    /// Digits before the point, without leading zeros.
    integral: String,
    /// Digits behind it, without those zeros that end it.
    fraction: String,
}

/// Digits behind the point that a floating-point number of 64 bits has at most.
const FRACTION_DIGITS_MAX: usize = 1074;

impl Number {
    /// The number that a text tells without an exponent.
    fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (negative, run) = text.strip_prefix('-').map_or((false, text), |run| (true, run));
        let (integral, fraction) = run.split_once('.').unwrap_or((run, "0"));
        let is_run = |run: &str| !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_digit());
        if !is_run(integral) || !is_run(fraction) {
            return None;
        }
        let integral = integral.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let is_zero = integral.is_empty() && fraction.is_empty();
        Some(Number { negative: negative && !is_zero, integral, fraction })
    }

    /// The same number as one row of this type; `None` where that does not have exactly it.
    fn row(&self, typing: &ColumnTyping) -> Result<Option<ArrayRef>> {
        let text = match &typing.data_type {
            data_type if data_type.is_floating() => return Ok(self.float(data_type)),
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale) => self.text(usize::try_from(*scale).unwrap_or(0)),
            data_type if data_type.is_integer() => self.text(0),
            _ => None,
        };
        text.map_or(Ok(None), |text| one_row(Some(text.as_bytes()), typing))
    }

    /// Its text with so many digits behind the point; `None` where it has more.
    fn text(&self, digits: usize) -> Option<String> {
        let (sign, point) = (if self.negative { "-" } else { "" }, if digits > 0 { "." } else { "" });
        let integral = if self.integral.is_empty() { "0" } else { &self.integral };
        let fraction = &self.fraction;
        (fraction.len() <= digits).then(|| format!("{sign}{integral}{point}{fraction:0<digits$}"))
    }

    fn float(&self, data_type: &DataType) -> Option<ArrayRef> {
        let value: f64 = self.text(self.fraction.len())?.parse().ok()?;
        let whole = format!("{value:.FRACTION_DIGITS_MAX$}");
        let wide: ArrayRef = Arc::new(Float64Array::from(vec![value]));
        let row = arrow_cast::cast(&wide, data_type).ok()?;
        let back = arrow_cast::cast(&row, &DataType::Float64).ok()?;
        let exact = Number::read(whole.as_bytes()).as_ref() == Some(self) && back.as_ref() == wide.as_ref();
        exact.then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringArray};
    use arrow_schema::TimeUnit;

    use super::*;

    /// What a directory tells, as a column of this type has it in its own text.
    fn read(text: &str, data_type: &DataType) -> Vec<ArrayRef> {
        let typing = ColumnTyping::default_for(data_type).unwrap();
        spellings(Some(text.as_bytes()), &typing).unwrap()
    }

    fn is_same(told: &str, held: &str, data_type: &DataType) -> bool {
        let typing = ColumnTyping::default_for(data_type).unwrap();
        let held = one_row(Some(held.as_bytes()), &typing).unwrap().unwrap();
        first_other(&held, &read(told, data_type), None).unwrap().is_none()
    }

    #[test]
    fn one_value_has_several_spellings() {
        for (told, held, data_type) in [
            ("1", "1", DataType::Int64),
            ("01", "1", DataType::Int8),
            ("1.0", "1", DataType::UInt32),
            ("1", "1.00", DataType::Decimal128(9, 2)),
            ("-1.5", "-1.50", DataType::Decimal64(9, 2)),
            ("2020-01-01", "2020-01-01", DataType::Date32),
            ("true", "true", DataType::Boolean),
        ] {
            assert!(is_same(told, held, &data_type), "{told} {data_type}");
        }
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![3.0, 3.0]));
        for data_type in [DataType::Float64, DataType::Float32, DataType::Float16] {
            let held = arrow_cast::cast(&floats, &data_type).unwrap();
            assert_eq!(first_other(&held, &read("3", &data_type), None).unwrap(), None, "{data_type}");
        }
        assert!(!read("0.1", &DataType::Float64).is_empty(), "a float's own text");
    }

    #[test]
    fn nothing_is_rounded_or_cut_to_become_a_value() {
        let time = |unit| DataType::Timestamp(unit, None);
        for (told, data_type) in [
            ("1.25", DataType::Decimal128(5, 1)),
            ("0.1", DataType::Decimal128(5, 0)),
            ("1.5", DataType::Int64),
            ("300", DataType::Int8),
            ("-1", DataType::UInt8),
            ("9007199254740993", DataType::Float64),
            ("1.00000001", DataType::Float32),
            ("16777217", DataType::Float32),
            ("2049", DataType::Float16),
            ("1e400", DataType::Float64),
            ("2020-01-01T05:00:00", DataType::Date32),
            ("5", DataType::Date32),
            ("1", DataType::Boolean),
            ("1", time(TimeUnit::Second)),
            ("2020-01-01T00:00:00.123456789", time(TimeUnit::Millisecond)),
        ] {
            assert!(read(told, &data_type).is_empty(), "{told} {data_type}");
        }
    }

    #[test]
    fn texts_of_one_number_are_told_apart_from_others() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["1", "01", "1.0", "a"]));
        let rows = read("1", &DataType::Utf8);
        let number = Number::read(b"1");
        assert_eq!(first_other(&texts, &rows, number.as_ref()).unwrap(), Some(3));
        assert_eq!(first_other(&texts, &rows, None).unwrap(), Some(1));
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 2]));
        assert_eq!(first_other(&whole, &read("01", &DataType::Int64), None).unwrap(), Some(2));
    }

    #[test]
    fn a_number_is_known_by_its_digits() {
        let number = |text: &str| Number::read(text.as_bytes());
        assert_eq!(number("-0.0"), number("0"));
        assert_eq!(number("007.50"), number("7.5"));
        assert_ne!(number("-1"), number("1"));
        for text in ["", "-", ".5", "5.", "1e3", "+1", "1,5", " 1", "1.2.3", "NaN"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
