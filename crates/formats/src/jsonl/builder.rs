//! Provides empty columns for Arrow types, and says which types have no place in JSON.

use std::sync::Arc;

use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder};
use arrow_schema::{DataType, Field, FieldRef, Fields as ArrowFields, IntervalUnit};

use super::column::{Bytes, Column, Slot};
use super::fields::Fields;
use super::lexer::Cursor;
use super::number::Width;
use super::odd_numbers::may_be_odd;
use super::temporal::Temporal;
use super::typing::{FloatStyle, Style, Typing, told};
use crate::annotation::with_inside;
use crate::carry::{twice, type_told, union};
use crate::text::Exception;
use crate::{Error, Place, Result, limits};

/// The type that values of `data_type` are read as: dictionaries and runs by their values.
pub(super) fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => plain_type(value),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        other => with_inside(other, &mut plain_field),
    }
}

/// The field that values of `field` are read as.
pub(super) fn plain_field(field: &FieldRef) -> FieldRef {
    let data_type = plain_type(field.data_type());
    if data_type == *field.data_type() {
        return Arc::clone(field);
    }
    let plain = Field::new(field.name(), data_type, field.is_nullable());
    Arc::new(plain.with_metadata(field.metadata().clone()))
}

/// Refuses a table that JSON objects cannot hold: fields of one object with the same name, and types that
/// have no place in JSON.
pub(super) fn check_fields(fields: &ArrowFields, depth: usize) -> Result<()> {
    let mut names = std::collections::HashSet::new();
    for field in fields {
        if !names.insert(field.name()) {
            return Err(twice("jsonl", field).at(Place::default().column(field.name())));
        }
        check_type(field, field.data_type(), depth)?;
    }
    Ok(())
}

fn check_type(field: &Field, data_type: &DataType, depth: usize) -> Result<()> {
    use DataType as T;
    if depth > limits::DEPTH_MAX {
        return Err(Error::Limit {
            place: Box::new(Place::default().column(field.name())),
            what: "nesting",
            max: limits::DEPTH_MAX as u64,
            hint: "flatten the column first".to_owned(),
        });
    }
    match data_type {
        T::Struct(fields) => check_fields(fields, depth + 1),
        T::List(f) | T::LargeList(f) | T::ListView(f) | T::LargeListView(f) | T::FixedSizeList(f, _) => {
            check_type(f, f.data_type(), depth + 1)
        }
        T::Map(entries, _) => match entries.data_type() {
            T::Struct(pair) if pair.len() == 2 => check_fields(pair, depth + 1),
            other => Err(Error::Misuse(format!("a map has entries of type {other}"))),
        },
        T::Dictionary(_, value) => check_type(field, value, depth),
        T::RunEndEncoded(_, values) => check_type(field, values.data_type(), depth),
        T::Union(..) => Err(union(&type_told(data_type))?),
        _ => Ok(()),
    }
}

/// Columns for these fields, which `check_fields` accepted and `plain_field` simplified.
pub(super) fn columns(fields: &ArrowFields, typings: &[Typing]) -> Result<Fields> {
    fields_in(fields, typings, false)
}

/// The same; `array` says that they stand in one, where a row has any number of values.
fn fields_in(fields: &ArrowFields, typings: &[Typing], array: bool) -> Result<Fields> {
    if fields.len() != typings.len() {
        return Err(Error::Misuse(format!("{} typings for {} columns", typings.len(), fields.len())));
    }
    let slots = fields
        .iter()
        .zip(typings)
        .map(|(field, typing)| slot(field, typing, array))
        .collect::<Result<_>>()?;
    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    Ok(Fields::new(&names, slots, told(fields, typings)?))
}

fn slot(field: &Field, typing: &Typing, array: bool) -> Result<Slot> {
    let data_type = field.data_type().clone();
    let is_number = |odd: &Exception| {
        let mut cursor = Cursor::new(odd.text.as_bytes());
        cursor.number().is_ok_and(|number| number.text == odd.text.as_bytes() && may_be_odd(&number))
    };
    let possible = !array && data_type == DataType::Float64 && typing.exceptions.iter().all(is_number);
    if !typing.exceptions.is_empty() && !possible {
        let name = field.name();
        return Err(Error::Misuse(format!("column {name:?} cannot have these exceptions to its style")));
    }
    // A record has one value of a column, which its batch has room for, and any number of those in an array.
    let absent = if array { null_bytes(&data_type) } else { absent_bytes(&data_type) };
    Ok(Slot {
        column: column(&data_type, typing, array)?,
        nulls: NullBufferBuilder::new(0),
        absent_bytes: usize::try_from(absent).unwrap_or(usize::MAX),
        data_type,
        absence: typing.absence,
        nullable: field.is_nullable(),
        exact: typing.reversible,
    })
}

fn column(data_type: &DataType, typing: &Typing, array: bool) -> Result<Column> {
    use DataType as T;
    if let Some(column) = number(data_type, typing).or_else(|| string(data_type, typing.style)) {
        return Ok(column);
    }
    let child = |at: usize| {
        let lacks = || Error::Misuse(format!("a typing lacks a child for {data_type}"));
        typing.children.get(at).ok_or_else(lacks)
    };
    let list = |field: &Field, size| -> Result<Column> {
        let child = Box::new(slot(field, child(0)?, true)?);
        Ok(Column::List { offsets: vec![0], child, size, elements: 0 })
    };
    Ok(match data_type {
        T::Null => Column::Null,
        T::Boolean => Column::Boolean(BooleanBufferBuilder::new(0)),
        T::List(f) | T::LargeList(f) | T::ListView(f) | T::LargeListView(f) => list(f, None)?,
        T::FixedSizeList(f, size) => list(f, Some(usize::try_from(*size).unwrap_or(0)))?,
        T::Struct(fields) => Column::Struct(Box::new(fields_in(fields, &typing.children, array)?)),
        T::Map(entries, _) => {
            let T::Struct(pair) = entries.data_type() else {
                return Err(Error::Misuse(format!("a map has entries of type {}", entries.data_type())));
            };
            let entries = Box::new((slot(&pair[0], child(0)?, true)?, slot(&pair[1], child(1)?, true)?));
            Column::Map { offsets: vec![0], entries, elements: 0 }
        }
        other => return Err(Error::Bug(format!("no JSON column for {other}"))),
    })
}

/// Bytes of a value that is no list, struct or text, about.
const SCALAR_BYTES: u64 = 16;

/// Bytes that an absent value of this type holds, or the absent values in a list of it, where these are many:
/// no text stands for them.
pub(crate) fn absent_bytes(data_type: &DataType) -> u64 {
    use DataType as T;
    let each = |field: &FieldRef| absent_bytes(field.data_type()).max(SCALAR_BYTES);
    match data_type {
        T::FixedSizeBinary(width) => u64::try_from(*width).unwrap_or(u64::MAX),
        T::FixedSizeList(item, width) => u64::try_from(*width).unwrap_or(u64::MAX).saturating_mul(each(item)),
        T::List(item) | T::LargeList(item) | T::ListView(item) | T::LargeListView(item) | T::Map(item, _) => {
            absent_bytes(item.data_type())
        }
        T::Struct(fields) => fields.iter().map(each).fold(0, u64::saturating_add),
        _ => 0,
    }
}

/// Bytes that a null of this type holds as one of the many in an array, where each takes the room of a value.
fn null_bytes(data_type: &DataType) -> u64 {
    use DataType as T;
    match data_type {
        T::FixedSizeList(item, width) => {
            u64::try_from(*width).unwrap_or(u64::MAX).saturating_mul(null_bytes(item.data_type()))
        }
        T::Struct(fields) => {
            fields.iter().map(|field| null_bytes(field.data_type())).fold(0, u64::saturating_add)
        }
        T::FixedSizeBinary(_) => absent_bytes(data_type).max(SCALAR_BYTES),
        T::Decimal256(..) => 2 * SCALAR_BYTES,
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Interval(_) => SCALAR_BYTES,
        _ => SCALAR_BYTES / 2,
    }
}

/// The column of a type whose values stand as JSON numbers.
fn number(data_type: &DataType, typing: &Typing) -> Option<Column> {
    use DataType as T;
    let uint = |max| Column::UInt { values: Vec::new(), max };
    Some(match *data_type {
        T::Int8 => int(i8::MIN.into(), i8::MAX.into()),
        T::Int16 => int(i16::MIN.into(), i16::MAX.into()),
        T::Int32 => int(i32::MIN.into(), i32::MAX.into()),
        T::Int64 => int(i64::MIN, i64::MAX),
        T::UInt8 => uint(u8::MAX.into()),
        T::UInt16 => uint(u16::MAX.into()),
        T::UInt32 => uint(u32::MAX.into()),
        T::UInt64 => uint(u64::MAX),
        T::Float16 => float(Width::Half, typing),
        T::Float32 => float(Width::Single, typing),
        T::Float64 => float(Width::Double, typing),
        T::Decimal32(precision, scale) | T::Decimal64(precision, scale) | T::Decimal128(precision, scale) => {
            Column::Decimal { values: Vec::new(), precision, scale }
        }
        T::Decimal256(precision, scale) => Column::Decimal256 { values: Vec::new(), precision, scale },
        _ => return None,
    })
}

/// The column of a type whose values stand as JSON strings, or are JSON text themselves.
fn string(data_type: &DataType, style: Style) -> Option<Column> {
    use DataType as T;
    if let Some(kind) = Temporal::of(data_type) {
        // Dates, short times and months are 32 bits wide.
        let narrow = matches!(data_type, T::Date32 | T::Time32(_) | T::Interval(_));
        let (min, max) = if narrow { (i32::MIN.into(), i32::MAX.into()) } else { (i64::MIN, i64::MAX) };
        return Some(Column::Temporal { values: Vec::new(), kind, min, max });
    }
    let bytes = Bytes::new();
    Some(match data_type {
        T::Utf8 | T::LargeUtf8 | T::Utf8View => match style {
            Style::Json => Column::Json { bytes, empty: false },
            Style::EmptyObject => Column::Json { bytes, empty: true },
            _ => Column::Text(bytes),
        },
        T::Binary | T::LargeBinary | T::BinaryView => Column::Binary { bytes, size: None },
        T::FixedSizeBinary(16) if style == Style::Uuid => Column::Uuid(bytes),
        T::FixedSizeBinary(size) => Column::Binary { bytes, size: Some(usize::try_from(*size).unwrap_or(0)) },
        T::Interval(IntervalUnit::DayTime) => Column::DayTime(Vec::new()),
        T::Interval(IntervalUnit::MonthDayNano) => Column::MonthDayNano(Vec::new()),
        _ => return None,
    })
}

fn int(min: i64, max: i64) -> Column {
    Column::Int { values: Vec::new(), min, max }
}

fn float(width: Width, typing: &Typing) -> Column {
    let style = if let Style::Float(style) = typing.style { style } else { FloatStyle::default() };
    let exceptions = typing.exceptions.clone();
    Column::Float { values: Vec::new(), width, style, open: None, scratch: Vec::new(), exceptions }
}
