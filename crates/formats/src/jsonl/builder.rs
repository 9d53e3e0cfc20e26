//! Provides columns for Arrow types, and Arrow arrays from columns that were filled.

use std::sync::Arc;

use arrow_array::types::*;
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
    FixedSizeListArray, LargeBinaryArray, LargeListArray, LargeListViewArray, LargeStringArray, ListArray,
    ListViewArray, MapArray, NullArray, PrimitiveArray, StringArray, StringViewArray, StructArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields as ArrowFields, IntervalUnit, TimeUnit};

use super::column::{Bytes, Column, Fields, Slot};
use super::number::Width;
use super::temporal::Temporal;
use super::typing::{FloatStyle, Style, Typing};
use crate::{Error, Place, Result, limits};

/// The type that values of `data_type` are read as: dictionaries and runs by their values.
pub(super) fn plain_type(data_type: &DataType) -> DataType {
    use DataType as T;
    match data_type {
        T::Dictionary(_, value) => plain_type(value),
        T::RunEndEncoded(_, values) => plain_type(values.data_type()),
        T::List(f) => T::List(plain_field(f)),
        T::LargeList(f) => T::LargeList(plain_field(f)),
        T::ListView(f) => T::ListView(plain_field(f)),
        T::LargeListView(f) => T::LargeListView(plain_field(f)),
        T::FixedSizeList(f, size) => T::FixedSizeList(plain_field(f), *size),
        T::Map(f, ordered) => T::Map(plain_field(f), *ordered),
        T::Struct(fields) => T::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
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
            return Err(Error::unsupported(
                Place::default().column(field.name()),
                "two columns of this name cannot stand in one JSON object",
                "rename one of them in the source",
            ));
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
            other => Err(Error::Bug(format!("a map has entries of type {other}"))),
        },
        T::Dictionary(_, value) => check_type(field, value, depth),
        T::RunEndEncoded(_, values) => check_type(field, values.data_type(), depth),
        T::Union(..) => Err(Error::unsupported(
            Place::default().column(field.name()),
            "a union cannot stand in JSON without losing which of its types a value has",
            "leave the column out, or convert to Arrow IPC",
        )),
        _ => Ok(()),
    }
}

/// Columns for these fields, which `check_fields` accepted and `plain_field` simplified.
pub(super) fn columns(fields: &ArrowFields, typings: &[Typing]) -> Result<Fields> {
    if fields.len() != typings.len() {
        return Err(Error::Misuse(format!(
            "{} typings for {} columns",
            typings.len(),
            fields.len()
        )));
    }
    let slots = fields
        .iter()
        .zip(typings)
        .map(|(field, typing)| slot(field, typing))
        .collect::<Result<_>>()?;
    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    Ok(Fields::new(&names, slots))
}

fn slot(field: &Field, typing: &Typing) -> Result<Slot> {
    let data_type = field.data_type().clone();
    Ok(Slot {
        column: column(&data_type, typing)?,
        nulls: NullBufferBuilder::new(0),
        data_type,
        absence: typing.absence,
        nullable: field.is_nullable(),
        exact: typing.reversible,
    })
}

fn column(data_type: &DataType, typing: &Typing) -> Result<Column> {
    use DataType as T;
    let child = |at: usize| {
        typing
            .children
            .get(at)
            .ok_or_else(|| Error::Misuse(format!("a typing lacks a child for {data_type}")))
    };
    let list = |field: &Field, size| -> Result<Column> {
        let child = Box::new(slot(field, child(0)?)?);
        Ok(Column::List {
            offsets: vec![0],
            child,
            size,
            elements: 0,
        })
    };
    if let T::Utf8 | T::LargeUtf8 | T::Utf8View = data_type {
        return Ok(match typing.style {
            Style::Json => Column::Json {
                bytes: Bytes::new(),
                empty: false,
            },
            Style::EmptyObject => Column::Json {
                bytes: Bytes::new(),
                empty: true,
            },
            _ => Column::Text(Bytes::new()),
        });
    }
    if let Some(kind) = Temporal::of(data_type) {
        // Dates, short times and months are 32 bits wide.
        let narrow = matches!(data_type, T::Date32 | T::Time32(_) | T::Interval(_));
        let (min, max) = if narrow {
            (i32::MIN.into(), i32::MAX.into())
        } else {
            (i64::MIN, i64::MAX)
        };
        return Ok(Column::Temporal {
            values: Vec::new(),
            kind,
            min,
            max,
        });
    }
    Ok(match data_type {
        T::Null => Column::Null,
        T::Boolean => Column::Boolean(BooleanBufferBuilder::new(0)),
        T::Int8 => int(i8::MIN.into(), i8::MAX.into()),
        T::Int16 => int(i16::MIN.into(), i16::MAX.into()),
        T::Int32 => int(i32::MIN.into(), i32::MAX.into()),
        T::Int64 => int(i64::MIN, i64::MAX),
        T::UInt8 => Column::UInt {
            values: Vec::new(),
            max: u8::MAX.into(),
        },
        T::UInt16 => Column::UInt {
            values: Vec::new(),
            max: u16::MAX.into(),
        },
        T::UInt32 => Column::UInt {
            values: Vec::new(),
            max: u32::MAX.into(),
        },
        T::UInt64 => Column::UInt {
            values: Vec::new(),
            max: u64::MAX,
        },
        T::Float16 => float(Width::Half, typing.style),
        T::Float32 => float(Width::Single, typing.style),
        T::Float64 => float(Width::Double, typing.style),
        &(T::Decimal32(precision, scale)
        | T::Decimal64(precision, scale)
        | T::Decimal128(precision, scale)) => Column::Decimal {
            values: Vec::new(),
            precision,
            scale,
        },
        &T::Decimal256(precision, scale) => Column::Decimal256 {
            values: Vec::new(),
            precision,
            scale,
        },
        T::Interval(IntervalUnit::DayTime) => Column::DayTime(Vec::new()),
        T::Interval(IntervalUnit::MonthDayNano) => Column::MonthDayNano(Vec::new()),
        T::Binary | T::LargeBinary | T::BinaryView => Column::Binary {
            bytes: Bytes::new(),
            size: None,
        },
        T::FixedSizeBinary(size) => Column::Binary {
            bytes: Bytes::new(),
            size: Some(usize::try_from(*size).unwrap_or(0)),
        },
        T::List(f) | T::LargeList(f) | T::ListView(f) | T::LargeListView(f) => list(f, None)?,
        T::FixedSizeList(f, size) => list(f, Some(usize::try_from(*size).unwrap_or(0)))?,
        T::Struct(fields) => Column::Struct(Box::new(columns(fields, &typing.children)?)),
        T::Map(entries, _) => {
            let T::Struct(pair) = entries.data_type() else {
                return Err(Error::Bug(format!(
                    "a map has entries of type {}",
                    entries.data_type()
                )));
            };
            let entries = Box::new((slot(&pair[0], child(0)?)?, slot(&pair[1], child(1)?)?));
            Column::Map {
                offsets: vec![0],
                entries,
                elements: 0,
            }
        }
        other => return Err(Error::Bug(format!("no JSON column for {other}"))),
    })
}

fn int(min: i64, max: i64) -> Column {
    Column::Int {
        values: Vec::new(),
        min,
        max,
    }
}

fn float(width: Width, style: Style) -> Column {
    let style = if let Style::Float(style) = style {
        style
    } else {
        FloatStyle::default()
    };
    Column::Float {
        values: Vec::new(),
        width,
        style,
        scratch: Vec::new(),
    }
}

impl Fields {
    /// The arrays of all columns, which are empty afterwards.
    pub(super) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        self.slots.iter_mut().map(finish).collect()
    }
}

fn broken(error: ArrowError) -> Error {
    Error::Bug(format!("JSON columns do not make an array: {error}"))
}

/// Takes the filled buffer and leaves one of the same capacity.
fn take<T>(values: &mut Vec<T>) -> Vec<T> {
    let fresh = Vec::with_capacity(values.len());
    std::mem::replace(values, fresh)
}

fn take_offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let taken = take(offsets);
    offsets.push(0);
    OffsetBuffer::new(taken.into())
}

fn finish(slot: &mut Slot) -> Result<ArrayRef> {
    let length = slot.nulls.len();
    let nulls = slot.nulls.finish();
    let data_type = &slot.data_type;
    match &mut slot.column {
        Column::Null => Ok(Arc::new(NullArray::new(length))),
        Column::Boolean(values) => Ok(Arc::new(BooleanArray::new(values.finish(), nulls))),
        Column::Int { values, .. } | Column::Temporal { values, .. } => {
            signed(data_type, take(values), nulls)
        }
        Column::UInt { values, .. } => unsigned(data_type, take(values), nulls),
        Column::Float { values, .. } => Ok(floats(data_type, take(values), nulls)),
        Column::Decimal { values, .. } => decimals(data_type, take(values), nulls),
        Column::Decimal256 { values, .. } => Ok(primitive::<Decimal256Type>(data_type, take(values), nulls)),
        Column::DayTime(values) => Ok(primitive::<IntervalDayTimeType>(data_type, take(values), nulls)),
        Column::MonthDayNano(values) => Ok(primitive::<IntervalMonthDayNanoType>(
            data_type,
            take(values),
            nulls,
        )),
        Column::Text(bytes) | Column::Json { bytes, .. } | Column::Binary { bytes, .. } => {
            let offsets = take_offsets(&mut bytes.offsets);
            variable(data_type, offsets, take(&mut bytes.values), nulls, length)
        }
        Column::List {
            offsets,
            child,
            elements,
            ..
        } => {
            *elements = 0;
            let values = finish(child)?;
            let offsets = take_offsets(offsets);
            list(data_type, offsets, values, nulls, length)
        }
        Column::Struct(fields) => {
            let arrays = fields.finish()?;
            let DataType::Struct(fields) = data_type else {
                return Err(mismatch(data_type));
            };
            let array = StructArray::try_new_with_length(fields.clone(), arrays, nulls, length);
            Ok(Arc::new(array.map_err(broken)?))
        }
        Column::Map {
            offsets,
            entries,
            elements,
        } => {
            let count = std::mem::take(elements);
            let pair = vec![finish(&mut entries.0)?, finish(&mut entries.1)?];
            let DataType::Map(field, ordered) = data_type else {
                return Err(mismatch(data_type));
            };
            let DataType::Struct(fields) = field.data_type() else {
                return Err(mismatch(data_type));
            };
            let entries =
                StructArray::try_new_with_length(fields.clone(), pair, None, count).map_err(broken)?;
            let array = MapArray::try_new(Arc::clone(field), take_offsets(offsets), entries, nulls, *ordered);
            Ok(Arc::new(array.map_err(broken)?))
        }
    }
}

fn mismatch(data_type: &DataType) -> Error {
    Error::Bug(format!("a JSON column does not fit its type {data_type}"))
}

fn primitive<T: ArrowPrimitiveType>(
    data_type: &DataType,
    values: impl Into<ScalarBuffer<T::Native>>,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(data_type.clone()))
}

/// Values whose range was checked when they were read, in their own width.
fn narrow<T: ArrowPrimitiveType, W: Copy>(
    data_type: &DataType,
    values: Vec<W>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef>
where
    T::Native: TryFrom<W>,
{
    let narrow: Option<Vec<T::Native>> = values
        .iter()
        .map(|value| T::Native::try_from(*value).ok())
        .collect();
    let narrow = narrow.ok_or_else(|| mismatch(data_type))?;
    Ok(primitive::<T>(data_type, narrow, nulls))
}

fn signed(data_type: &DataType, values: Vec<i64>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    use DataType as T;
    match data_type {
        T::Int8 => narrow::<Int8Type, _>(data_type, values, nulls),
        T::Int16 => narrow::<Int16Type, _>(data_type, values, nulls),
        T::Int32 => narrow::<Int32Type, _>(data_type, values, nulls),
        T::Date32 => narrow::<Date32Type, _>(data_type, values, nulls),
        T::Time32(TimeUnit::Second) => narrow::<Time32SecondType, _>(data_type, values, nulls),
        T::Time32(_) => narrow::<Time32MillisecondType, _>(data_type, values, nulls),
        T::Interval(_) => narrow::<IntervalYearMonthType, _>(data_type, values, nulls),
        T::Int64 => Ok(primitive::<Int64Type>(data_type, values, nulls)),
        T::Date64 => Ok(primitive::<Date64Type>(data_type, values, nulls)),
        T::Time64(TimeUnit::Microsecond) => Ok(primitive::<Time64MicrosecondType>(data_type, values, nulls)),
        T::Time64(_) => Ok(primitive::<Time64NanosecondType>(data_type, values, nulls)),
        T::Timestamp(unit, _) => Ok(match unit {
            TimeUnit::Second => primitive::<TimestampSecondType>(data_type, values, nulls),
            TimeUnit::Millisecond => primitive::<TimestampMillisecondType>(data_type, values, nulls),
            TimeUnit::Microsecond => primitive::<TimestampMicrosecondType>(data_type, values, nulls),
            TimeUnit::Nanosecond => primitive::<TimestampNanosecondType>(data_type, values, nulls),
        }),
        T::Duration(unit) => Ok(match unit {
            TimeUnit::Second => primitive::<DurationSecondType>(data_type, values, nulls),
            TimeUnit::Millisecond => primitive::<DurationMillisecondType>(data_type, values, nulls),
            TimeUnit::Microsecond => primitive::<DurationMicrosecondType>(data_type, values, nulls),
            TimeUnit::Nanosecond => primitive::<DurationNanosecondType>(data_type, values, nulls),
        }),
        other => Err(mismatch(other)),
    }
}

fn unsigned(data_type: &DataType, values: Vec<u64>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    match data_type {
        DataType::UInt8 => narrow::<UInt8Type, _>(data_type, values, nulls),
        DataType::UInt16 => narrow::<UInt16Type, _>(data_type, values, nulls),
        DataType::UInt32 => narrow::<UInt32Type, _>(data_type, values, nulls),
        _ => Ok(primitive::<UInt64Type>(data_type, values, nulls)),
    }
}

/// Narrowing is exact here: the values were read in their own width.
fn floats(data_type: &DataType, values: Vec<f64>, nulls: Option<NullBuffer>) -> ArrayRef {
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    match data_type {
        DataType::Float16 => {
            let values: Vec<Half> = values.into_iter().map(Half::from_f64).collect();
            primitive::<Float16Type>(data_type, values, nulls)
        }
        DataType::Float32 => {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            primitive::<Float32Type>(data_type, values, nulls)
        }
        _ => primitive::<Float64Type>(data_type, values, nulls),
    }
}

fn decimals(data_type: &DataType, values: Vec<i128>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    match data_type {
        DataType::Decimal32(..) => narrow::<Decimal32Type, _>(data_type, values, nulls),
        DataType::Decimal64(..) => narrow::<Decimal64Type, _>(data_type, values, nulls),
        _ => Ok(primitive::<Decimal128Type>(data_type, values, nulls)),
    }
}

fn long(offsets: &OffsetBuffer<i32>) -> OffsetBuffer<i64> {
    OffsetBuffer::new(offsets.iter().map(|&offset| i64::from(offset)).collect())
}

/// Text and binary of each layout.
fn variable(
    data_type: &DataType,
    offsets: OffsetBuffer<i32>,
    values: Vec<u8>,
    nulls: Option<NullBuffer>,
    length: usize,
) -> Result<ArrayRef> {
    let values = Buffer::from_vec(values);
    Ok(match data_type {
        DataType::Utf8 => Arc::new(StringArray::try_new(offsets, values, nulls).map_err(broken)?),
        DataType::LargeUtf8 => {
            Arc::new(LargeStringArray::try_new(long(&offsets), values, nulls).map_err(broken)?)
        }
        DataType::Utf8View => {
            let array = StringArray::try_new(offsets, values, nulls).map_err(broken)?;
            Arc::new(StringViewArray::from(&array))
        }
        DataType::Binary => Arc::new(BinaryArray::try_new(offsets, values, nulls).map_err(broken)?),
        DataType::LargeBinary => {
            Arc::new(LargeBinaryArray::try_new(long(&offsets), values, nulls).map_err(broken)?)
        }
        DataType::BinaryView => {
            let array = BinaryArray::try_new(offsets, values, nulls).map_err(broken)?;
            Arc::new(BinaryViewArray::from(&array))
        }
        DataType::FixedSizeBinary(size) => {
            let array = FixedSizeBinaryArray::try_new_with_len(*size, values, nulls, length);
            Arc::new(array.map_err(broken)?)
        }
        other => return Err(mismatch(other)),
    })
}

/// Lists of each layout.
fn list(
    data_type: &DataType,
    offsets: OffsetBuffer<i32>,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
    length: usize,
) -> Result<ArrayRef> {
    let starts = |offsets: &OffsetBuffer<i32>| -> (Vec<i32>, Vec<i32>) {
        offsets
            .windows(2)
            .map(|pair| (pair[0], pair[1] - pair[0]))
            .unzip()
    };
    let widen = |values: Vec<i32>| -> ScalarBuffer<i64> { values.into_iter().map(i64::from).collect() };
    Ok(match data_type {
        DataType::List(f) => Arc::new(ListArray::try_new(f.clone(), offsets, values, nulls).map_err(broken)?),
        DataType::LargeList(f) => {
            Arc::new(LargeListArray::try_new(f.clone(), long(&offsets), values, nulls).map_err(broken)?)
        }
        DataType::ListView(f) => {
            let (starts, sizes) = starts(&offsets);
            let array = ListViewArray::try_new(f.clone(), starts.into(), sizes.into(), values, nulls);
            Arc::new(array.map_err(broken)?)
        }
        DataType::LargeListView(f) => {
            let (starts, sizes) = starts(&offsets);
            let array = LargeListViewArray::try_new(f.clone(), widen(starts), widen(sizes), values, nulls);
            Arc::new(array.map_err(broken)?)
        }
        DataType::FixedSizeList(f, size) => {
            let array = FixedSizeListArray::try_new_with_length(f.clone(), *size, values, nulls, length);
            Arc::new(array.map_err(broken)?)
        }
        other => return Err(mismatch(other)),
    })
}
