//! Provides the JSON text of values that are neither arrays nor objects.

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrowPrimitiveType, Float64Array};
use arrow_schema::{DataType, IntervalUnit};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::encode::Write;
use super::lexer::{Cursor, special};
use super::number::{Width, push_i64, push_u64};
use super::temporal::{self, Temporal};
use super::typing::{FloatStyle, Style, Typing};
use crate::text::number::{DecimalText, Unscaled};
use crate::text::{Exceptions, Mark, read_any, same_number, write_uuid};
use crate::{Error, Place, Result};

/// How the values of a scalar type are written, of which the first is that of this row of the table; `None`
/// where they are in an array.
pub(super) fn scalar<'a>(array: &'a dyn Array, typing: &Typing, first: Option<u64>) -> Result<Write<'a>> {
    use DataType as T;
    Ok(match array.data_type() {
        T::Boolean => {
            let array = array.as_boolean();
            Box::new(move |row, out| {
                out.extend_from_slice(if array.value(row) { b"true" } else { b"false" });
            })
        }
        T::Utf8 | T::LargeUtf8 | T::Utf8View => text(array, typing)?,
        T::FixedSizeBinary(16) if typing.style == Style::Uuid => {
            let array = array.as_fixed_size_binary();
            Box::new(move |row, out| quoted(out, |out| write_uuid(array.value(row), out)))
        }
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => binary(array),
        T::Float16 | T::Float32 | T::Float64 => float(array, typing, first),
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => decimal(array),
        T::Interval(IntervalUnit::DayTime) => {
            let values = array.as_primitive::<IntervalDayTimeType>().values();
            Box::new(move |row, out| {
                let value = values[row];
                quoted(out, |out| temporal::write_day_time(value.days, value.milliseconds, out));
            })
        }
        T::Interval(IntervalUnit::MonthDayNano) => {
            let values = array.as_primitive::<IntervalMonthDayNanoType>().values();
            Box::new(move |row, out| {
                let value = values[row];
                quoted(out, |out| {
                    temporal::write_month_day_nano(value.months, value.days, value.nanoseconds, out);
                });
            })
        }
        other => match Temporal::of(other) {
            Some(kind) => temporal_values(array, kind),
            None => integers(array)?,
        },
    })
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

/// Appends a JSON string.
pub(super) fn push_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let at = special(rest, 0);
        out.extend_from_slice(&rest[..at]);
        let Some(&byte) = rest.get(at) else { break };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => {
                let hex = |digit: u8| {
                    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
                };
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.push(b'"');
}

fn text<'a>(array: &'a dyn Array, typing: &Typing) -> Result<Write<'a>> {
    match array.data_type() {
        DataType::LargeUtf8 => {
            let texts = array.as_string::<i64>();
            text_by(array, typing, move |row| texts.value(row))
        }
        DataType::Utf8View => {
            let texts = array.as_string_view();
            text_by(array, typing, move |row| texts.value(row))
        }
        _ => {
            let texts = array.as_string::<i32>();
            text_by(array, typing, move |row| texts.value(row))
        }
    }
}

fn text_by<'a>(
    array: &'a dyn Array,
    typing: &Typing,
    value: impl Fn(usize) -> &'a str + 'a,
) -> Result<Write<'a>> {
    let raw = matches!(typing.style, Style::Json | Style::EmptyObject);
    if !raw {
        return Ok(Box::new(move |row, out| push_string(value(row).as_bytes(), out)));
    }
    for row in (0..array.len()).filter(|&row| array.is_valid(row)) {
        let text = value(row).as_bytes();
        let mut cursor = Cursor::new(text);
        let valid = cursor.at == 0 && cursor.value(0).is_ok() && cursor.at == text.len() && text != b"null";
        if !valid || text.contains(&b'\n') {
            let what = "text of a column that holds JSON is not one JSON value on one line";
            return Err(Error::malformed("JSON", Place::default(), what));
        }
    }
    Ok(Box::new(move |row, out| out.extend_from_slice(value(row).as_bytes())))
}

fn binary<'a>(array: &'a dyn Array) -> Write<'a> {
    let value: Box<dyn Fn(usize) -> &'a [u8] + 'a> = match array.data_type() {
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            Box::new(move |row| array.value(row))
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            Box::new(move |row| array.value(row))
        }
        DataType::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            Box::new(move |row| array.value(row))
        }
        _ => {
            let array = array.as_binary::<i32>();
            Box::new(move |row| array.value(row))
        }
    };
    Box::new(move |row, out| {
        // Whole groups of three bytes have no padding, so that pieces can be written one after another.
        let mut piece = [0; 1024];
        quoted(out, |out| {
            for bytes in value(row).chunks(768) {
                let length = BASE64_STANDARD.encode_slice(bytes, &mut piece).unwrap_or_default();
                out.extend_from_slice(&piece[..length]);
            }
        });
    })
}

fn float<'a>(array: &'a dyn Array, typing: &Typing, first: Option<u64>) -> Write<'a> {
    let style = if let Style::Float(style) = typing.style { style } else { FloatStyle::default() };
    match array.data_type() {
        DataType::Float16 => {
            let values = array.as_primitive::<Float16Type>().values();
            Box::new(move |row, out| push_float(values[row].to_f64(), Width::Half, style, out))
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            Box::new(move |row, out| push_float(f64::from(values[row]), Width::Single, style, out))
        }
        _ => {
            let array = array.as_primitive::<Float64Type>();
            let values = array.values();
            let write =
                move |row: usize, out: &mut Vec<u8>| push_float(values[row], Width::Double, style, out);
            let odd = first.map(|first| exceptions(array, &typing.exceptions, first)).unwrap_or_default();
            if odd.is_empty() {
                return Box::new(write);
            }
            Box::new(move |row, out| match odd.binary_search_by_key(&row, |(row, _)| *row) {
                Ok(found) => out.extend_from_slice(odd[found].1.as_bytes()),
                Err(_) => write(row, out),
            })
        }
    }
}

/// The exceptions that stand in this array: those whose value is the one in their row.
fn exceptions(array: &Float64Array, all: &Exceptions, first: u64) -> Vec<(usize, String)> {
    let odd = all.within(first..first.saturating_add(array.len() as u64)).iter();
    let odd = odd.map(|odd| ((odd.row - first) as usize, odd.text.clone()));
    let holds = |(row, text): &(usize, String)| {
        let value = read_any(text.as_bytes(), Mark::Point);
        array.is_valid(*row) && value.is_some_and(|value| same_number(array.value(*row), value))
    };
    odd.filter(holds).collect()
}

fn push_float(value: f64, width: Width, style: FloatStyle, out: &mut Vec<u8>) {
    if value.is_finite() {
        style.write(value, width, out);
    } else if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else {
        out.extend_from_slice(if value > 0.0 { b"\"Infinity\"".as_slice() } else { b"\"-Infinity\"" });
    }
}

fn decimal<'a>(array: &'a dyn Array) -> Write<'a> {
    let text = |precision: u8, scale: i8| DecimalText { precision, scale, mark: b'.', bare_mark: false };
    match *array.data_type() {
        DataType::Decimal32(precision, scale) => decimal_of::<Decimal32Type>(array, text(precision, scale)),
        DataType::Decimal64(precision, scale) => decimal_of::<Decimal64Type>(array, text(precision, scale)),
        DataType::Decimal128(precision, scale) => decimal_of::<Decimal128Type>(array, text(precision, scale)),
        DataType::Decimal256(precision, scale) => decimal_of::<Decimal256Type>(array, text(precision, scale)),
        _ => Box::new(|_, _| ()),
    }
}

fn decimal_of<'a, T: ArrowPrimitiveType>(array: &'a dyn Array, text: DecimalText) -> Write<'a>
where
    T::Native: Unscaled,
{
    let values = array.as_primitive::<T>().values();
    Box::new(move |row, out| text.write(values[row], out))
}

fn signed<'a, T: ArrowPrimitiveType>(array: &'a dyn Array) -> Write<'a>
where
    i64: From<T::Native>,
{
    let values = array.as_primitive::<T>().values();
    Box::new(move |row, out| push_i64(i64::from(values[row]), out))
}

fn unsigned<'a, T: ArrowPrimitiveType>(array: &'a dyn Array) -> Write<'a>
where
    u64: From<T::Native>,
{
    let values = array.as_primitive::<T>().values();
    Box::new(move |row, out| push_u64(u64::from(values[row]), out))
}

fn integers<'a>(array: &'a dyn Array) -> Result<Write<'a>> {
    Ok(match array.data_type() {
        DataType::Int8 => signed::<Int8Type>(array),
        DataType::Int16 => signed::<Int16Type>(array),
        DataType::Int32 => signed::<Int32Type>(array),
        DataType::Int64 => signed::<Int64Type>(array),
        DataType::UInt8 => unsigned::<UInt8Type>(array),
        DataType::UInt16 => unsigned::<UInt16Type>(array),
        DataType::UInt32 => unsigned::<UInt32Type>(array),
        DataType::UInt64 => unsigned::<UInt64Type>(array),
        other => return Err(Error::Bug(format!("no JSON text for {other}"))),
    })
}

fn temporal_values<'a>(array: &'a dyn Array, kind: Temporal) -> Write<'a> {
    match array.data_type() {
        DataType::Date32 => short::<Date32Type>(array, kind),
        DataType::Time32(arrow_schema::TimeUnit::Second) => short::<Time32SecondType>(array, kind),
        DataType::Time32(_) => short::<Time32MillisecondType>(array, kind),
        DataType::Interval(_) => short::<IntervalYearMonthType>(array, kind),
        // The others are 64 bits wide, and their bits are the number.
        _ => {
            let data = array.to_data();
            Box::new(move |row, out| quoted(out, |out| kind.write(data.buffer::<i64>(0)[row], out)))
        }
    }
}

fn short<'a, T: ArrowPrimitiveType<Native = i32>>(array: &'a dyn Array, kind: Temporal) -> Write<'a> {
    let values = array.as_primitive::<T>().values();
    Box::new(move |row, out| quoted(out, |out| kind.write(i64::from(values[row]), out)))
}
