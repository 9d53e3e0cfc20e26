//! Provides the choice of cells for a typing.

use super::Column;
use super::bytes::{BinaryCells, BoolCells, CastCells, EmptyCells, TextCells};
use super::cells::{Cells, Slot};
use super::nested::NestedCells;
use super::readers::{
    DateRead, DayTimeRead, DecimalRead, FloatRead, GivenDateRead, HalfRead, IntegerRead, MillisecondDateRead,
    MonthDayNanoRead, MonthsRead, ShortTimeRead, UnitsRead, UnitsText,
};
use crate::error::{Error, Result};
use crate::text::datetime::read_offset;
use crate::text::float::FloatText;
use crate::text::number::DecimalText;
use crate::text::{BOOL_WORDS, ColumnTyping, FloatStyle, Form, Style, TimestampPattern, Zone, default};
use arrow_schema::{DataType, IntervalUnit};
use std::marker::PhantomData;

/// The cells of a column of this typing.
pub(super) fn column(typing: &ColumnTyping) -> Result<Column> {
    let (data_type, style) = (&typing.data_type, &typing.style);
    let slot_type = data_type.clone();
    Ok(match (&style.form, data_type) {
        (Form::Text, DataType::Utf8) => Column::Text(TextCells::new(None)),
        (Form::Ambiguous(what), DataType::Utf8) => Column::Text(TextCells::new(Some(*what))),
        (Form::Bool { words }, DataType::Boolean) => {
            let words = BOOL_WORDS.get(*words).ok_or_else(|| mismatch(typing))?;
            Column::Bool(BoolCells::new(*words, style.lenient))
        }
        (Form::Integer, DataType::Int64) => Column::Int64(Slot::new(slot_type, integer(style))),
        (Form::Integer, DataType::UInt64) => Column::UInt64(Slot::new(slot_type, integer(style))),
        (Form::Integer | Form::Decimal, DataType::Decimal128(p, s)) => {
            Column::Decimal128(Slot::new(slot_type, decimal(style, *p, *s)))
        }
        (Form::Float(float), DataType::Float64) => {
            Column::Float64(Slot::new(slot_type, floats(style, *float)))
        }
        (Form::Date(pattern), DataType::Date32) => {
            Column::Date32(Slot::new(slot_type, DateRead { pattern: *pattern }))
        }
        (
            Form::Time { .. } | Form::HalfDay(_) | Form::Timestamp(_) | Form::Written(_),
            DataType::Time64(_) | DataType::Timestamp(..),
        ) => Column::Units(Slot::new(slot_type, units(typing)?)),
        _ => Column::Other(other(typing)?),
    })
}

/// Cells of a nested value's leaf, or of a column that inference does not yield.
pub(super) fn other(typing: &ColumnTyping) -> Result<Box<dyn Cells>> {
    let (data_type, style) = (&typing.data_type, &typing.style);
    let t = data_type.clone();
    Ok(match (&style.form, data_type) {
        (Form::Empty, _) => Box::new(EmptyCells::new(t)),
        (Form::Text, DataType::Utf8) => Box::new(TextCells::new(None)),
        (Form::Ambiguous(what), DataType::Utf8) => Box::new(TextCells::new(Some(*what))),
        (Form::Text | Form::Ambiguous(_), DataType::LargeUtf8 | DataType::Utf8View) => {
            cast_from(typing, DataType::Utf8)?
        }
        (Form::Binary, DataType::Binary) => Box::new(BinaryCells::new(None)),
        (Form::Binary, DataType::FixedSizeBinary(width)) => {
            let inner = Box::new(BinaryCells::new(usize::try_from(*width).ok()));
            Box::new(CastCells { inner, data_type: t })
        }
        (Form::Uuid, DataType::FixedSizeBinary(16)) => {
            Box::new(CastCells { inner: Box::new(BinaryCells::of_uuids()), data_type: t })
        }
        (Form::Binary, DataType::LargeBinary | DataType::BinaryView) => cast_from(typing, DataType::Binary)?,
        (_, DataType::Dictionary(_, value)) => cast_from(typing, value.as_ref().clone())?,
        (_, DataType::RunEndEncoded(_, value)) => cast_from(typing, value.data_type().clone())?,
        (_, DataType::ListView(item)) => cast_from(typing, DataType::List(item.clone()))?,
        (_, DataType::LargeListView(item)) => cast_from(typing, DataType::LargeList(item.clone()))?,
        (Form::Json, _) => Box::new(NestedCells::new(data_type)?),
        (Form::Integer | Form::Decimal | Form::Float(_), _) => number(typing)?,
        (Form::Bool { words }, DataType::Boolean) => {
            let words = BOOL_WORDS.get(*words).ok_or_else(|| mismatch(typing))?;
            Box::new(BoolCells::new(*words, style.lenient))
        }
        _ => moment(typing)?,
    })
}

fn cast_from(typing: &ColumnTyping, data_type: DataType) -> Result<Box<dyn Cells>> {
    let inner = other(&ColumnTyping { data_type, ..typing.clone() })?;
    Ok(Box::new(CastCells { inner, data_type: typing.data_type.clone() }))
}

fn number(typing: &ColumnTyping) -> Result<Box<dyn Cells>> {
    let style = &typing.style;
    let t = typing.data_type.clone();
    Ok(match (&style.form, &typing.data_type) {
        (Form::Integer, DataType::Int8) => Box::new(Slot::new(t, integer::<i8>(style))),
        (Form::Integer, DataType::Int16) => Box::new(Slot::new(t, integer::<i16>(style))),
        (Form::Integer, DataType::Int32) => Box::new(Slot::new(t, integer::<i32>(style))),
        (Form::Integer, DataType::Int64) => Box::new(Slot::new(t, integer::<i64>(style))),
        (Form::Integer, DataType::UInt8) => Box::new(Slot::new(t, integer::<u8>(style))),
        (Form::Integer, DataType::UInt16) => Box::new(Slot::new(t, integer::<u16>(style))),
        (Form::Integer, DataType::UInt32) => Box::new(Slot::new(t, integer::<u32>(style))),
        (Form::Integer, DataType::UInt64) => Box::new(Slot::new(t, integer::<u64>(style))),
        (Form::Integer | Form::Decimal, DataType::Decimal32(p, s)) => {
            Box::new(Slot::new(t, decimal::<i32>(style, *p, *s)))
        }
        (Form::Integer | Form::Decimal, DataType::Decimal64(p, s)) => {
            Box::new(Slot::new(t, decimal::<i64>(style, *p, *s)))
        }
        (Form::Integer | Form::Decimal, DataType::Decimal128(p, s)) => {
            Box::new(Slot::new(t, decimal::<i128>(style, *p, *s)))
        }
        (Form::Integer | Form::Decimal, DataType::Decimal256(p, s)) => {
            Box::new(Slot::new(t, decimal::<arrow_buffer::i256>(style, *p, *s)))
        }
        (Form::Float(f), DataType::Float16) => Box::new(Slot::new(t, HalfRead(floats(style, *f)))),
        (Form::Float(f), DataType::Float32) => Box::new(Slot::new(t, floats::<f32>(style, *f))),
        (Form::Float(f), DataType::Float64) => Box::new(Slot::new(t, floats::<f64>(style, *f))),
        _ => return Err(mismatch(typing)),
    })
}

fn moment(typing: &ColumnTyping) -> Result<Box<dyn Cells>> {
    let t = typing.data_type.clone();
    Ok(match (&typing.style.form, &typing.data_type) {
        (Form::Date(pattern), DataType::Date32) => Box::new(Slot::new(t, DateRead { pattern: *pattern })),
        (Form::Date(pattern), DataType::Date64) => {
            Box::new(Slot::new(t, MillisecondDateRead { pattern: *pattern }))
        }
        (Form::Written(pattern), DataType::Date32) if pattern.clock.is_none() => {
            Box::new(Slot::new(t, DateRead { pattern: *pattern }))
        }
        (Form::Written(pattern), DataType::Date64) if pattern.clock.is_none() => {
            Box::new(Slot::new(t, MillisecondDateRead { pattern: *pattern }))
        }
        (Form::Given(pattern), DataType::Date32) if pattern.check(&DataType::Date32).is_ok() => {
            let (pattern, lenient) = (pattern.clone(), typing.style.lenient);
            Box::new(Slot::new(t, GivenDateRead { pattern, lenient }))
        }
        (Form::Time { .. } | Form::HalfDay(_) | Form::Given(_), DataType::Time32(_)) => {
            Box::new(Slot::new(t, ShortTimeRead(units(typing)?)))
        }
        (Form::Time { .. } | Form::HalfDay(_) | Form::Given(_), DataType::Time64(_))
        | (Form::Timestamp(_) | Form::Written(_) | Form::Given(_), DataType::Timestamp(..))
        | (Form::Duration, DataType::Duration(_)) => Box::new(Slot::new(t, units(typing)?)),
        (Form::Interval, DataType::Interval(IntervalUnit::YearMonth)) => Box::new(Slot::new(t, MonthsRead)),
        (Form::Interval, DataType::Interval(IntervalUnit::DayTime)) => Box::new(Slot::new(t, DayTimeRead)),
        (Form::Interval, DataType::Interval(IntervalUnit::MonthDayNano)) => {
            Box::new(Slot::new(t, MonthDayNanoRead))
        }
        _ => return Err(mismatch(typing)),
    })
}

fn integer<N>(style: &Style) -> IntegerRead<N> {
    IntegerRead { lenient: style.lenient, native: PhantomData }
}

fn decimal<U>(style: &Style, precision: u8, scale: i8) -> DecimalRead<U> {
    let text = DecimalText { precision, scale, mark: style.mark.byte(), bare_mark: style.bare_mark };
    DecimalRead { text, lenient: style.lenient, native: PhantomData }
}

fn floats<F>(style: &Style, float: FloatStyle) -> FloatRead<F> {
    let text = FloatText { style: float, mark: style.mark, bare_mark: style.bare_mark };
    FloatRead { text, lenient: style.lenient, native: PhantomData }
}

fn units(typing: &ColumnTyping) -> Result<UnitsRead> {
    let unit = match &typing.data_type {
        DataType::Time32(unit)
        | DataType::Time64(unit)
        | DataType::Timestamp(unit, _)
        | DataType::Duration(unit) => *unit,
        _ => return Err(mismatch(typing)),
    };
    let text = match (&typing.style.form, &typing.data_type) {
        (&Form::Time { seconds, fraction }, _) if fraction <= 9 => UnitsText::Time { seconds, fraction },
        (&Form::HalfDay(pattern), DataType::Time32(_) | DataType::Time64(_)) => UnitsText::HalfDay(pattern),
        (Form::Duration, _) => UnitsText::Duration,
        (Form::Timestamp(_), DataType::Timestamp(_, zone)) if typing.style.lenient => {
            UnitsText::AnyTimestamp { zoned: zone.is_some() }
        }
        (Form::Timestamp(pattern), DataType::Timestamp(_, zone))
            if pattern.fraction <= 9 && zone_fits(*pattern, zone.as_deref()) =>
        {
            UnitsText::Timestamp(*pattern)
        }
        (Form::Written(pattern), DataType::Timestamp(_, None))
            if pattern.clock.is_some() && pattern.fraction() <= 9 =>
        {
            UnitsText::Written(*pattern)
        }
        (Form::Given(pattern), data_type) if pattern.check(data_type).is_ok() => {
            UnitsText::Given { pattern: pattern.clone(), lenient: typing.style.lenient }
        }
        _ => return Err(mismatch(typing)),
    };
    Ok(UnitsRead { text, digits: default::unit_digits(unit) })
}

/// Whether a pattern names instants exactly where its type holds instants.
fn zone_fits(pattern: TimestampPattern, zone: Option<&str>) -> bool {
    (pattern.zone == Zone::None) == zone.is_none()
}

/// Minutes east of UTC of a zone that is a fixed offset: `UTC`, `Z`, `+02:00`, `+0200` or `+02`.
pub(in crate::text) fn offset_of_zone(zone: &str) -> Option<i16> {
    match zone {
        "UTC" | "utc" | "Z" | "GMT" | "Etc/UTC" => Some(0),
        "-00:00" => Some(0),
        _ => read_offset(zone.as_bytes()).map(|(minutes, _)| minutes),
    }
}

fn mismatch(typing: &ColumnTyping) -> Error {
    Error::Misuse(format!("the form {:?} cannot hold values of type {}", typing.style.form, typing.data_type))
}
