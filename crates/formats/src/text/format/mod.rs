//! Provides the formatter of a column: an arrow array to the text of its fields under one typing.

mod nested;
mod writers;

use super::exceptions::{Exception, OddValue, same_number};
use super::float::FloatText;
use super::number::DecimalText;
use super::{BOOL_WORDS, ColumnTyping, Form, GivenPattern, Style};
use crate::annotation::inside;
use crate::error::{Error, Place, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{ArrowNativeType, NullBuffer, ScalarBuffer, i256};
use arrow_schema::{DataType, IntervalUnit};
use writers::{
    BinaryWriter, BoolWriter, DaysWriter, DecimalWriter, FixedBinaryWriter, FloatWriter, HalfWriter,
    IndirectWriter, IntegerWriter, IntervalWriter, NothingWriter, TextWriter, UuidWriter, Values, Writer,
};

/// Writes the values of one array as the text of fields.
///
/// The text is not quoted. Whoever writes it into a record must quote a value whose text is the text of null
/// ([`Style::null_text`]), the empty one above all, and must not quote a null.
pub struct ColumnFormatter {
    nulls: Option<NullBuffer>,
    null: Vec<u8>,
    writer: Box<dyn Writer>,
    /// Rows of the array and their texts, where these are not the ones that the style gives.
    exceptions: Vec<(usize, String)>,
}

impl ColumnFormatter {
    /// A formatter of this array. Text, binary and lists may be held in another way than the typing says
    /// (offset width, views, dictionaries): the values count.
    ///
    /// # Errors
    /// If the form of the style cannot hold the values, or text cannot carry their type at all.
    pub fn new(typing: &ColumnTyping, array: &dyn Array) -> Result<Self> {
        ColumnFormatter::at_row(typing, array, 0)
    }

    /// The same for an array whose first row is this one of the column, counted from 0: exceptions to the
    /// style stand in rows of the column.
    ///
    /// # Errors
    /// As for [`ColumnFormatter::new`].
    pub fn at_row(typing: &ColumnTyping, array: &dyn Array, first: u64) -> Result<Self> {
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(ColumnFormatter {
            exceptions: exceptions(&typing.style, array, nulls.as_ref(), first),
            nulls,
            null: typing.style.null_text().as_bytes().to_vec(),
            writer: match (&typing.style.form, array.data_type()) {
                (Form::Json, t) if !inside(t).is_empty() => nested::writer(&typing.data_type, array)?,
                _ => writer(&typing.style, array)?,
            },
        })
    }

    /// Appends the text of a row and says whether it is a value; for a null the text of null is appended.
    ///
    /// # Panics
    /// If the array has no such row.
    #[inline]
    pub fn write(&self, row: usize, out: &mut Vec<u8>) -> bool {
        let null = self.is_null(row);
        match self.exception(row) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None if null => out.extend_from_slice(&self.null),
            None => self.writer.write(row, out),
        }
        !null
    }

    #[inline]
    fn exception(&self, row: usize) -> Option<&str> {
        if self.exceptions.is_empty() {
            return None;
        }
        let found = self.exceptions.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        Some(&self.exceptions[found].1)
    }

    /// Every byte that the text of any value holds, where they are known before they are written.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.writer.bytes().filter(|_| self.exceptions.is_empty())
    }

    /// Whether a row is null.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }
}

/// The exceptions of a style that stand in this array: those whose value is the one in their row.
fn exceptions(
    style: &Style,
    array: &dyn Array,
    nulls: Option<&NullBuffer>,
    first: u64,
) -> Vec<(usize, String)> {
    let odd = style.exceptions.within(first..first.saturating_add(array.len() as u64));
    let holds = |odd: &&Exception| {
        let row = (odd.row - first) as usize;
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return style.refused.contains(&odd.text);
        }
        match (OddValue::read(style, &odd.text), array.data_type()) {
            (Some(OddValue::Bool(value)), DataType::Boolean) => array.as_boolean().value(row) == value,
            (Some(OddValue::Float(value)), DataType::Float64) => {
                same_number(array.as_primitive::<Float64Type>().value(row), value)
            }
            _ => false,
        }
    };
    odd.iter().filter(holds).map(|odd| ((odd.row - first) as usize, odd.text.clone())).collect()
}

fn natives<N: ArrowNativeType>(array: &dyn Array) -> ScalarBuffer<N> {
    let data = array.to_data();
    match data.buffers().first() {
        Some(buffer) => ScalarBuffer::new(buffer.clone(), data.offset(), data.len()),
        None => ScalarBuffer::from(Vec::new()),
    }
}

fn values<N: ArrowNativeType, W: Values<N> + 'static>(array: &dyn Array, how: W) -> Box<dyn Writer> {
    Box::new(writers::Primitive { values: natives::<N>(array), how })
}

/// The writer of an array's own type in this style.
pub(super) fn writer(style: &Style, array: &dyn Array) -> Result<Box<dyn Writer>> {
    let t = array.data_type();
    Ok(match (&style.form, t) {
        (_, DataType::Null) => Box::new(NothingWriter),
        (form, DataType::Dictionary(..)) if *form != Form::Empty => dictionary(style, array)?,
        (form, DataType::RunEndEncoded(_, value)) if *form != Form::Empty => {
            writer(style, &recast(array, value.data_type())?)?
        }
        (Form::Empty, _) if array.logical_null_count() == array.len() => Box::new(NothingWriter),
        (Form::Text | Form::Ambiguous(_), DataType::Utf8) => {
            Box::new(TextWriter(array.as_string::<i32>().clone()))
        }
        (Form::Text | Form::Ambiguous(_), DataType::LargeUtf8) => {
            Box::new(TextWriter(array.as_string::<i64>().clone()))
        }
        (Form::Text | Form::Ambiguous(_), DataType::Utf8View) => {
            Box::new(writers::ViewWriter(array.as_string_view().clone()))
        }
        (Form::Bool { words }, DataType::Boolean) => {
            let words = *BOOL_WORDS.get(*words).ok_or_else(|| mismatch(style, t))?;
            Box::new(BoolWriter { array: array.as_boolean().clone(), words })
        }
        (Form::Binary, DataType::Binary) => Box::new(BinaryWriter(array.as_binary::<i32>().clone())),
        (Form::Binary, DataType::LargeBinary) => Box::new(BinaryWriter(array.as_binary::<i64>().clone())),
        (Form::Binary, DataType::BinaryView) => writer(style, &recast(array, &DataType::LargeBinary)?)?,
        (Form::Binary, DataType::FixedSizeBinary(_)) => {
            Box::new(FixedBinaryWriter(array.as_fixed_size_binary().clone()))
        }
        (Form::Uuid, DataType::FixedSizeBinary(16)) => {
            Box::new(UuidWriter(array.as_fixed_size_binary().clone()))
        }
        (Form::Json, t) => nested::writer(t, array)?,
        (Form::Integer, _) => integers(style, array)?,
        (Form::Decimal | Form::Float(_), _) => fractions(style, array)?,
        _ => moments(style, array)?,
    })
}

fn recast(array: &dyn Array, to: &DataType) -> Result<ArrayRef> {
    arrow_cast::cast(array, to).map_err(|error| {
        Error::unsupported(Place::default(), error.to_string(), "give the column the type of its values")
    })
}

fn dictionary(style: &Style, array: &dyn Array) -> Result<Box<dyn Writer>> {
    let dictionary = array.as_any_dictionary();
    // A dictionary without values has only null rows, and arrow gives it no keys.
    if dictionary.values().is_empty() {
        return Ok(Box::new(NothingWriter));
    }
    let keys = dictionary.normalized_keys();
    Ok(Box::new(IndirectWriter { keys, inner: writer(style, dictionary.values().as_ref())? }))
}

fn integers(style: &Style, array: &dyn Array) -> Result<Box<dyn Writer>> {
    Ok(match array.data_type() {
        DataType::Int8 => values::<i8, _>(array, IntegerWriter),
        DataType::Int16 => values::<i16, _>(array, IntegerWriter),
        DataType::Int32 => values::<i32, _>(array, IntegerWriter),
        DataType::Int64 => values::<i64, _>(array, IntegerWriter),
        DataType::UInt8 => values::<u8, _>(array, IntegerWriter),
        DataType::UInt16 => values::<u16, _>(array, IntegerWriter),
        DataType::UInt32 => values::<u32, _>(array, IntegerWriter),
        DataType::UInt64 => values::<u64, _>(array, IntegerWriter),
        _ => fractions(style, array)?,
    })
}

fn fractions(style: &Style, array: &dyn Array) -> Result<Box<dyn Writer>> {
    let (mark, bare_mark) = (style.mark, style.bare_mark);
    let text = |precision: &u8, scale: &i8| {
        DecimalWriter(DecimalText { precision: *precision, scale: *scale, mark: mark.byte(), bare_mark })
    };
    Ok(match (&style.form, array.data_type()) {
        (Form::Integer | Form::Decimal, DataType::Decimal32(p, s)) => values::<i32, _>(array, text(p, s)),
        (Form::Integer | Form::Decimal, DataType::Decimal64(p, s)) => values::<i64, _>(array, text(p, s)),
        (Form::Integer | Form::Decimal, DataType::Decimal128(p, s)) => values::<i128, _>(array, text(p, s)),
        (Form::Integer | Form::Decimal, DataType::Decimal256(p, s)) => values::<i256, _>(array, text(p, s)),
        (Form::Float(float), DataType::Float16) => {
            values::<writers::Half, _>(array, HalfWriter(FloatText { style: *float, mark, bare_mark }))
        }
        (Form::Float(float), DataType::Float32) => {
            values::<f32, _>(array, FloatWriter(FloatText { style: *float, mark, bare_mark }))
        }
        (Form::Float(float), DataType::Float64) => {
            values::<f64, _>(array, FloatWriter(FloatText { style: *float, mark, bare_mark }))
        }
        (_, t) => return Err(mismatch(style, t)),
    })
}

fn moments(style: &Style, array: &dyn Array) -> Result<Box<dyn Writer>> {
    use super::default::unit_digits;
    use writers::{DurationWriter, HalfDayWriter, TimeWriter, TimestampWriter, WrittenWriter};
    Ok(match (&style.form, array.data_type()) {
        (Form::Date(pattern), DataType::Date32) => values::<i32, _>(array, DaysWriter(*pattern)),
        (Form::Date(pattern), DataType::Date64) => values::<i64, _>(array, DaysWriter(*pattern)),
        (&Form::Time { seconds, fraction }, DataType::Time32(unit)) => {
            values::<i32, _>(array, TimeWriter { seconds, fraction, digits: unit_digits(*unit) })
        }
        (&Form::Time { seconds, fraction }, DataType::Time64(unit)) => {
            values::<i64, _>(array, TimeWriter { seconds, fraction, digits: unit_digits(*unit) })
        }
        (&Form::HalfDay(pattern), DataType::Time32(unit)) => {
            values::<i32, _>(array, HalfDayWriter { pattern, digits: unit_digits(*unit) })
        }
        (&Form::HalfDay(pattern), DataType::Time64(unit)) => {
            values::<i64, _>(array, HalfDayWriter { pattern, digits: unit_digits(*unit) })
        }
        (Form::Timestamp(pattern), DataType::Timestamp(unit, _)) => {
            values::<i64, _>(array, TimestampWriter { pattern: *pattern, digits: unit_digits(*unit) })
        }
        (Form::Written(pattern), DataType::Date32) if pattern.clock.is_none() => {
            values::<i32, _>(array, DaysWriter(*pattern))
        }
        (Form::Written(pattern), DataType::Date64) if pattern.clock.is_none() => {
            values::<i64, _>(array, DaysWriter(*pattern))
        }
        (Form::Written(pattern), DataType::Timestamp(unit, None)) if pattern.clock.is_some() => {
            values::<i64, _>(array, WrittenWriter { pattern: *pattern, digits: unit_digits(*unit) })
        }
        (Form::Given(pattern), data_type) if pattern.check(data_type).is_ok() => given(pattern, array)?,
        (Form::Duration, DataType::Duration(unit)) => {
            values::<i64, _>(array, DurationWriter { digits: unit_digits(*unit) })
        }
        (Form::Interval, DataType::Interval(IntervalUnit::YearMonth)) => {
            values::<i32, _>(array, IntervalWriter)
        }
        (Form::Interval, DataType::Interval(IntervalUnit::DayTime)) => {
            values::<arrow_buffer::IntervalDayTime, _>(array, IntervalWriter)
        }
        (Form::Interval, DataType::Interval(IntervalUnit::MonthDayNano)) => {
            values::<arrow_buffer::IntervalMonthDayNano, _>(array, IntervalWriter)
        }
        (_, t) => return Err(mismatch(style, t)),
    })
}

/// Values in a pattern that was given, which goes with their type.
fn given(pattern: &GivenPattern, array: &dyn Array) -> Result<Box<dyn Writer>> {
    use super::default::unit_digits;
    use writers::{GivenDateWriter, GivenWriter};
    let writer = |digits| GivenWriter { pattern: pattern.clone(), digits };
    Ok(match array.data_type() {
        DataType::Date32 => values::<i32, _>(array, GivenDateWriter(pattern.clone())),
        DataType::Time32(unit) => values::<i32, _>(array, writer(unit_digits(*unit))),
        DataType::Time64(unit) | DataType::Timestamp(unit, _) => {
            values::<i64, _>(array, writer(unit_digits(*unit)))
        }
        other => return Err(Error::Bug(format!("a pattern for values of type {other}"))),
    })
}

fn mismatch(style: &Style, data_type: &DataType) -> Error {
    Error::Misuse(format!("values of type {data_type} cannot be written in the form {:?}", style.form))
}
