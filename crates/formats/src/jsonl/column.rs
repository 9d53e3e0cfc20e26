//! Provides the columns that JSON values are read into: one growing buffer for each Arrow layout.
//!
//! A value either fits exactly as its column's typing would write it, or reading stops with `Fault::Misfit`.
//! After any fault the columns are ragged and must be thrown away.

use arrow_array::types::{IntervalDayTime, IntervalMonthDayNano};
use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder, i256};
use arrow_schema::DataType;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::fields::Fields;
use super::layouts::Layouts;
use super::lexer::{Cursor, Fault, Number};
use super::number::{self, Width};
use super::number_profile::{as_i64, as_u64, is_decimal};
use super::temporal::{self, Temporal};
use super::typing::{Absence, FloatStyle};
use crate::limits;
use crate::text::{Exceptions, Mark, read_any, read_uuid, same_number};

/// One column: its values, which of them are absent, and how strictly they are read.
pub(super) struct Slot {
    pub(super) column: Column,
    pub(super) nulls: NullBufferBuilder,
    pub(super) data_type: DataType,
    pub(super) absence: Absence,
    pub(super) nullable: bool,
    /// Whether only texts are accepted that would be written back the same.
    pub(super) exact: bool,
    /// Bytes that an absent value holds, about.
    pub(super) absent_bytes: usize,
}

/// Values laid out one after another in one buffer.
pub(super) struct Bytes {
    pub(super) offsets: Vec<i32>,
    pub(super) values: Vec<u8>,
}

impl Bytes {
    pub(super) fn new() -> Self {
        Bytes { offsets: vec![0], values: Vec::new() }
    }

    #[inline]
    fn close(&mut self) -> Result<(), Fault> {
        close(&mut self.offsets, self.values.len())
    }
}

/// Notes that a value ends at `end`. Batches are cut long before the offset could overflow.
#[inline]
fn close(offsets: &mut Vec<i32>, end: usize) -> Result<(), Fault> {
    offsets.push(i32::try_from(end).map_err(|_| Fault::Syntax("one batch holds more than 2 GiB of values"))?);
    Ok(())
}

/// The values of a column.
pub(super) enum Column {
    Null,
    Boolean(BooleanBufferBuilder),
    /// Signed integers of any width, with the bounds of theirs.
    Int {
        values: Vec<i64>,
        min: i64,
        max: i64,
    },
    UInt {
        values: Vec<u64>,
        max: u64,
    },
    Float {
        values: Vec<f64>,
        width: Width,
        style: FloatStyle,
        /// The layouts that are left to be decided on; where there are none, `style` is.
        open: Option<Layouts>,
        scratch: Vec<u8>,
        exceptions: Exceptions,
    },
    Decimal {
        values: Vec<i128>,
        precision: u8,
        scale: i8,
    },
    Decimal256 {
        values: Vec<i256>,
        precision: u8,
        scale: i8,
    },
    Temporal {
        values: Vec<i64>,
        kind: Temporal,
        min: i64,
        max: i64,
    },
    DayTime(Vec<IntervalDayTime>),
    MonthDayNano(Vec<IntervalMonthDayNano>),
    Text(Bytes),
    /// Base64; with the length of each value where the type fixes it.
    Binary {
        bytes: Bytes,
        size: Option<usize>,
    },
    /// Values of 16 bytes as hexadecimal digits with hyphens.
    Uuid(Bytes),
    /// The text of any value; with `empty`, of `{}` only.
    Json {
        bytes: Bytes,
        empty: bool,
    },
    /// Arrays; with the number of elements where the type fixes it.
    List {
        offsets: Vec<i32>,
        child: Box<Slot>,
        size: Option<usize>,
        elements: usize,
    },
    Struct(Box<Fields>),
    /// Arrays of pairs.
    Map {
        offsets: Vec<i32>,
        entries: Box<(Slot, Slot)>,
        elements: usize,
    },
}

impl Slot {
    /// Reads the value under the cursor; `depth` is the number of arrays and objects around it.
    #[inline]
    pub(super) fn value(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Fault> {
        if cursor.peek() == b'n' {
            if self.absence == Absence::Missing || !self.nullable {
                return Err(cursor.misfit());
            }
            cursor.literal()?;
            cursor.absent(self.absent_bytes)?;
            self.null()
        } else {
            self.column.value(cursor, self.exact, depth)?;
            self.nulls.append_non_null();
            Ok(())
        }
    }

    /// Notes that the key was left out.
    pub(super) fn missing(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if self.absence == Absence::Null || !self.nullable {
            return Err(Fault::Misfit);
        }
        cursor.absent(self.absent_bytes)?;
        self.null()
    }

    /// Notes whether the key of the column before was left out.
    pub(super) fn flag(&mut self, left_out: bool) {
        if let Column::Boolean(values) = &mut self.column {
            values.append(left_out);
            self.nulls.append_non_null();
        }
    }

    /// Visits the open layouts of this column and of all nested in it, in the order of their typings.
    pub(super) fn each_open(&mut self, visit: &mut dyn FnMut(&mut Option<Layouts>)) {
        match &mut self.column {
            Column::Float { open, .. } => visit(open),
            Column::List { child, .. } => child.each_open(visit),
            Column::Struct(fields) => fields.slots.iter_mut().for_each(|slot| slot.each_open(visit)),
            Column::Map { entries, .. } => {
                entries.0.each_open(visit);
                entries.1.each_open(visit);
            }
            _ => {}
        }
    }

    /// Appends an absent value, also where only an absent parent makes it so.
    fn null(&mut self) -> Result<(), Fault> {
        self.nulls.append_null();
        self.column.placeholder()
    }
}

impl Column {
    fn placeholder(&mut self) -> Result<(), Fault> {
        match self {
            Column::Null => {}
            Column::Boolean(values) => values.append(false),
            Column::Int { values, .. } | Column::Temporal { values, .. } => values.push(0),
            Column::UInt { values, .. } => values.push(0),
            Column::Float { values, .. } => values.push(0.0),
            Column::Decimal { values, .. } => values.push(0),
            Column::Decimal256 { values, .. } => values.push(i256::ZERO),
            Column::DayTime(values) => values.push(IntervalDayTime::ZERO),
            Column::MonthDayNano(values) => values.push(IntervalMonthDayNano::ZERO),
            Column::Binary { bytes, size: Some(size) } => {
                bytes.values.resize(bytes.values.len() + *size, 0);
                bytes.close()?;
            }
            Column::Uuid(bytes) => {
                bytes.values.resize(bytes.values.len() + 16, 0);
                bytes.close()?;
            }
            Column::Text(bytes) | Column::Binary { bytes, .. } | Column::Json { bytes, .. } => {
                bytes.close()?
            }
            Column::List { child, size: Some(size), elements, .. } => {
                for _ in 0..*size {
                    child.null()?;
                }
                *elements += *size;
            }
            Column::List { offsets, elements, .. } | Column::Map { offsets, elements, .. } => {
                close(offsets, *elements)?;
            }
            Column::Struct(fields) => {
                for slot in &mut fields.slots {
                    slot.null()?;
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn value(&mut self, cursor: &mut Cursor<'_>, exact: bool, depth: usize) -> Result<(), Fault> {
        match self {
            Column::Text(bytes) => {
                if cursor.peek() != b'"' {
                    return Err(cursor.misfit());
                }
                cursor.string()?.append_to(&mut bytes.values);
                bytes.close()
            }
            Column::Int { .. }
            | Column::UInt { .. }
            | Column::Float { .. }
            | Column::Decimal { .. }
            | Column::Decimal256 { .. } => self.numeric(cursor, exact),
            Column::Boolean(values) => {
                let start = cursor.at;
                match cursor.peek() {
                    b't' | b'f' => values.append(cursor.literal()?[0] == b't'),
                    _ => {
                        cursor.at = start;
                        return Err(cursor.misfit());
                    }
                }
                Ok(())
            }
            Column::List { .. } | Column::Struct(_) | Column::Map { .. } => self.nested(cursor, depth),
            Column::Json { bytes, empty } => {
                let start = cursor.at;
                let text = cursor.value(depth)?;
                if *empty && text.iter().any(|b| !matches!(b, b'{' | b'}' | b' ' | b'\t' | b'\r')) {
                    cursor.at = start;
                    return Err(Fault::Misfit);
                }
                bytes.values.extend_from_slice(text);
                bytes.close()
            }
            Column::Null => Err(cursor.misfit()),
            _ => self.quoted(cursor),
        }
    }

    /// Reads a number into a column of numbers.
    #[inline]
    fn numeric(&mut self, cursor: &mut Cursor<'_>, exact: bool) -> Result<(), Fault> {
        let start = cursor.at;
        if !matches!(cursor.peek(), b'-' | b'0'..=b'9') {
            if let Column::Float { values, style, .. } = self
                && style.words
                && cursor.peek() == b'"'
            {
                let value = match cursor.string()?.raw {
                    b"NaN" => f64::NAN,
                    b"Infinity" => f64::INFINITY,
                    b"-Infinity" => f64::NEG_INFINITY,
                    _ => {
                        cursor.at = start;
                        return Err(Fault::Misfit);
                    }
                };
                values.push(value);
                return Ok(());
            }
            return Err(cursor.misfit());
        }
        let number = cursor.number()?;
        if self.push_number(&number, cursor.row, exact).is_none() {
            cursor.at = start;
            return Err(Fault::Misfit);
        }
        Ok(())
    }

    #[inline]
    fn push_number(&mut self, number: &Number<'_>, row: u64, exact: bool) -> Option<()> {
        match self {
            Column::Int { values, min, max } => {
                let value = match as_i64(number) {
                    None if !exact => number::at_scale(number, 0, 19)?.parse().ok(),
                    value => value,
                };
                values.push(value.filter(|value| (*min..=*max).contains(value))?);
            }
            Column::UInt { values, max } => {
                let value = match as_u64(number) {
                    None if !exact => number::at_scale(number, 0, 20)?.parse().ok(),
                    value => value,
                };
                values.push(value.filter(|value| value <= max)?);
            }
            Column::Float { values, width, style, open, scratch, exceptions } => {
                let mut read = || match open {
                    Some(open) => open.read(number, *width, scratch),
                    None if exact => style.read(number, *width, scratch),
                    None => number::parse_exactly(number, *width),
                };
                values.push(match exceptions.within(row..row.saturating_add(1)) {
                    [] => read()?,
                    [odd, ..] => at_exception(&odd.text, number, read)?,
                });
            }
            Column::Decimal { values, precision, scale } => {
                if exact && *scale >= 0 && number.digits <= 18 && number.digits <= usize::from(*precision) {
                    if !is_decimal(number) || number.fraction != *scale as usize {
                        return None;
                    }
                    let value = i128::from(number.mantissa);
                    values.push(if number.negative { -value } else { value });
                } else {
                    values.push(decimal(number, *precision, *scale, exact)?.parse().ok()?);
                }
            }
            Column::Decimal256 { values, precision, scale } => {
                values.push(i256::from_string(&decimal(number, *precision, *scale, exact)?)?);
            }
            _ => return None,
        }
        Some(())
    }

    /// Reads a string into a column whose values are not text.
    fn quoted(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let start = cursor.at;
        if cursor.peek() != b'"' {
            return Err(cursor.misfit());
        }
        let text = cursor.string()?.bytes();
        if self.push_quoted(&text).is_none() {
            cursor.at = start;
            return Err(Fault::Misfit);
        }
        match self {
            Column::Binary { bytes, .. } | Column::Uuid(bytes) => bytes.close(),
            _ => Ok(()),
        }
    }

    fn push_quoted(&mut self, text: &[u8]) -> Option<()> {
        match self {
            Column::Temporal { values, kind, min, max } => {
                values.push(kind.read(text).filter(|value| (*min..=*max).contains(value))?);
            }
            Column::DayTime(values) => {
                let (days, milliseconds) = temporal::read_day_time(text)?;
                values.push(IntervalDayTime { days, milliseconds });
            }
            Column::MonthDayNano(values) => {
                let (months, days, nanoseconds) = temporal::read_month_day_nano(text)?;
                values.push(IntervalMonthDayNano { months, days, nanoseconds });
            }
            Column::Uuid(bytes) => bytes.values.extend_from_slice(&read_uuid(text)?),
            Column::Binary { bytes, size } => {
                let start = bytes.values.len();
                BASE64_STANDARD.decode_vec(text, &mut bytes.values).ok()?;
                size.is_none_or(|size| bytes.values.len() - start == size).then_some(())?;
            }
            _ => return None,
        }
        Some(())
    }

    /// Reads an array or an object.
    fn nested(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Fault> {
        let open = if matches!(self, Column::Struct(_)) { b'{' } else { b'[' };
        if cursor.peek() != open {
            return Err(cursor.misfit());
        }
        if depth >= limits::DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        match self {
            Column::Struct(fields) => fields.object(cursor, depth + 1).map_err(|(reason, _)| reason),
            Column::List { offsets, child, size, elements } => {
                let start = (cursor.at, *elements);
                let mut more = cursor.open(b']');
                while more {
                    child.value(cursor, depth + 1)?;
                    *elements += 1;
                    more = cursor.more(b']')?;
                }
                match size {
                    None => close(offsets, *elements),
                    Some(size) if *elements - start.1 == *size => Ok(()),
                    Some(_) => {
                        cursor.at = start.0;
                        Err(Fault::Misfit)
                    }
                }
            }
            Column::Map { offsets, entries, elements } => {
                let mut more = cursor.open(b']');
                while more {
                    pair(entries, cursor, depth + 1)?;
                    *elements += 1;
                    more = cursor.more(b']')?;
                }
                close(offsets, *elements)
            }
            _ => Err(Fault::Misfit),
        }
    }
}

/// The number in the row of an exception: the exception, or another value as the column is read elsewhere.
fn at_exception(odd: &str, number: &Number<'_>, read: impl FnOnce() -> Option<f64>) -> Option<f64> {
    let value = read_any(odd.as_bytes(), Mark::Point)?;
    if odd.as_bytes() == number.text {
        return Some(value);
    }
    // The same value in the text of the style would be given back as the text of the exception.
    read().filter(|read| !same_number(*read, value))
}

/// Reads `[key,value]`.
fn pair(entries: &mut (Slot, Slot), cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Fault> {
    if cursor.peek() != b'[' {
        return Err(cursor.misfit());
    }
    let start = cursor.at;
    if cursor.open(b']') {
        entries.0.value(cursor, depth)?;
        if cursor.more(b']')? {
            entries.1.value(cursor, depth)?;
            if !cursor.more(b']')? {
                return Ok(());
            }
        }
    }
    cursor.at = start;
    Err(Fault::Misfit)
}

/// The stored integer of a decimal, as text.
fn decimal(number: &Number<'_>, precision: u8, scale: i8, exact: bool) -> Option<String> {
    if exact && (!is_decimal(number) || number.fraction as i64 != i64::from(scale.max(0))) {
        return None;
    }
    number::at_scale(number, i32::from(scale), usize::from(precision))
}
