//! Provides Arrow arrays from columns that were filled.

use std::sync::Arc;

use arrow_array::types::*;
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
    FixedSizeListArray, LargeBinaryArray, LargeListArray, LargeListViewArray, LargeStringArray, ListArray,
    ListViewArray, MapArray, NullArray, PrimitiveArray, StringArray, StringViewArray, StructArray,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, TimeUnit};

use super::column::{Column, Slot};
use super::fields::Fields;
use crate::{Error, Result};

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
        Column::MonthDayNano(values) => {
            Ok(primitive::<IntervalMonthDayNanoType>(data_type, take(values), nulls))
        }
        Column::Text(bytes)
        | Column::Json { bytes, .. }
        | Column::Binary { bytes, .. }
        | Column::Uuid(bytes) => {
            let offsets = take_offsets(&mut bytes.offsets);
            variable(data_type, offsets, take(&mut bytes.values), nulls, length)
        }
        Column::List { offsets, child, elements, .. } => {
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
        Column::Map { offsets, entries, elements } => {
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
    let narrow: Option<Vec<T::Native>> =
        values.iter().map(|value| T::Native::try_from(*value).ok()).collect();
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
        offsets.windows(2).map(|pair| (pair[0], pair[1] - pair[0])).unzip()
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
