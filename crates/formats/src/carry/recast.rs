//! Provides the reversible mappings between a logical and a physical array. A mapping is named by its two
//! types alone and runs both ways through one function, so that what was written under one version of the
//! table of types can always be read.

use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeListArray, Float16Array, Float32Array,
    Int64Array, ListArray, MapArray, PrimitiveArray, StructArray, make_array,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_cast::CastOptions;
use arrow_data::ArrayDataBuilder;
use arrow_schema::{ArrowError, DataType, FieldRef, Fields, IntervalUnit, TimeUnit};

use super::record::scalar_text;

/// Why an array does not fit: in words, for a message that names the column.
type Unfit = String;

/// The same values under type `to`.
///
/// # Errors
/// A pair of types that no mapping joins; a value that the mapping cannot hold.
pub(super) fn recast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Unfit> {
    use DataType::{Boolean, FixedSizeList, LargeList, List, Map, Struct};
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    Ok(match (from, to) {
        (List(_) | LargeList(_) | FixedSizeList(..), List(_) | LargeList(_) | FixedSizeList(..)) => {
            lists(array, to)?
        }
        (Struct(a), Struct(b)) if a.len() == b.len() => Arc::new(structure(array.as_struct(), b)?),
        (Map(..), Map(entries, sorted)) => {
            let map = array.as_map();
            let Struct(pair) = entries.data_type() else {
                return Err(strange(from, to));
            };
            let held = structure(map.entries(), pair)?;
            let offsets = map.offsets().clone();
            let map = MapArray::try_new(entries.clone(), offsets, held, map.nulls().cloned(), *sorted);
            Arc::new(map.map_err(words)?)
        }
        (Map(..), List(item)) => {
            let map = array.as_map();
            let Struct(pair) = item.data_type() else {
                return Err(strange(from, to));
            };
            let held = Arc::new(structure(map.entries(), pair)?);
            let list = ListArray::try_new(item.clone(), map.offsets().clone(), held, map.nulls().cloned());
            Arc::new(list.map_err(words)?)
        }
        (List(item), Map(entries, sorted)) => {
            let list = array.as_list::<i32>();
            let (Struct(_), Struct(pair)) = (item.data_type(), entries.data_type()) else {
                return Err(strange(from, to));
            };
            let held = structure(list.values().as_struct(), pair)?;
            let offsets = list.offsets().clone();
            let map = MapArray::try_new(entries.clone(), offsets, held, list.nulls().cloned(), *sorted);
            Arc::new(map.map_err(words)?)
        }
        (_, Boolean) if says_nothing(from) => {
            let values = arrow_buffer::BooleanBuffer::new_set(array.len());
            Arc::new(BooleanArray::new(values, array.nulls().cloned()))
        }
        (Boolean, _) if says_nothing(to) => {
            let held = array.as_boolean();
            if held.true_count() + held.null_count() != held.len() {
                return Err("false stands where a value without content was written".into());
            }
            let data = ArrayDataBuilder::new(to.clone()).len(array.len()).nulls(array.nulls().cloned());
            let bytes =
                matches!(to, DataType::FixedSizeBinary(_)).then(|| Buffer::from_vec(Vec::<u8>::new()));
            make_array(bytes.into_iter().fold(data, ArrayDataBuilder::add_buffer).build().map_err(words)?)
        }
        _ => scalar(array, to)?,
    })
}

/// Lists of any kind as lists of another.
fn lists(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Unfit> {
    use DataType::{FixedSizeList, LargeList, List};
    let from = array.data_type();
    Ok(match (from, to) {
        (List(_), List(item)) => {
            let list = array.as_list::<i32>();
            let values = recast(list.values(), item.data_type())?;
            let offsets = list.offsets().clone();
            Arc::new(ListArray::try_new(item.clone(), offsets, values, list.nulls().cloned()).map_err(words)?)
        }
        (LargeList(held), List(_)) => recast(&cast(array, &List(held.clone()))?, to)?,
        (List(_), LargeList(item)) => cast(&recast(array, &List(item.clone()))?, to)?,
        (LargeList(_), LargeList(item)) => {
            let list = array.as_list::<i64>();
            let values = recast(list.values(), item.data_type())?;
            let offsets = list.offsets().clone();
            let list =
                arrow_array::LargeListArray::try_new(item.clone(), offsets, values, list.nulls().cloned());
            Arc::new(list.map_err(words)?)
        }
        (FixedSizeList(_, a), FixedSizeList(item, b)) if a == b => {
            let list = array.as_fixed_size_list();
            let values = recast(list.values(), item.data_type())?;
            Arc::new(fixed_list(item, *b, values, list.nulls().cloned(), list.len())?)
        }
        (FixedSizeList(..), List(item)) => unfixed(array.as_fixed_size_list(), item)?,
        (List(_), FixedSizeList(item, size)) => refixed(array.as_list::<i32>(), item, *size)?,
        _ => return Err(strange(from, to)),
    })
}

/// Types whose values differ only in being null or not.
fn says_nothing(data_type: &DataType) -> bool {
    match data_type {
        DataType::FixedSizeBinary(size) => *size == 0,
        DataType::Struct(fields) => fields.is_empty(),
        _ => false,
    }
}

fn words(error: ArrowError) -> Unfit {
    error.to_string()
}

fn strange(from: &DataType, to: &DataType) -> Unfit {
    format!("no mapping joins {from} and {to}")
}

fn structure(array: &StructArray, fields: &Fields) -> Result<StructArray, Unfit> {
    if array.columns().len() != fields.len() {
        return Err(format!("a struct of {} fields for one of {}", array.columns().len(), fields.len()));
    }
    let columns = array.columns().iter().zip(fields).map(|(column, field)| recast(column, field.data_type()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let nulls = array.nulls().cloned();
    StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len()).map_err(words)
}

fn fixed_list(
    item: &FieldRef,
    size: i32,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
    len: usize,
) -> Result<FixedSizeListArray, Unfit> {
    FixedSizeListArray::try_new_with_length(item.clone(), size, values, nulls, len).map_err(words)
}

/// Lists of one length as lists of any; what lies under a null list is dropped.
fn unfixed(list: &FixedSizeListArray, item: &FieldRef) -> Result<ArrayRef, Unfit> {
    let size = list.value_length() as usize;
    let nulls = list.nulls().filter(|nulls| nulls.null_count() > 0);
    let (offsets, values) = match nulls {
        None => {
            let offsets = OffsetBuffer::from_repeated_length(size, list.len());
            (offsets, recast(&list.values().slice(0, size * list.len()), item.data_type())?)
        }
        Some(nulls) => {
            let offsets = OffsetBuffer::from_lengths(nulls.iter().map(|valid| if valid { size } else { 0 }));
            let mut keep = BooleanBufferBuilder::new(size * list.len());
            nulls.iter().for_each(|valid| keep.append_n(size, valid));
            let keep = BooleanArray::new(keep.finish(), None);
            let kept = |values: &ArrayRef| arrow_select::filter::filter(values, &keep).map_err(words);
            // Filtering loses the length of binaries without bytes, so mapping comes first; a value that
            // cannot be mapped may lie under a null list, and then filtering does.
            let values = match recast(list.values(), item.data_type()) {
                Ok(values) => kept(&values)?,
                Err(_) => recast(&kept(list.values())?, item.data_type())?,
            };
            (offsets, values)
        }
    };
    Ok(Arc::new(ListArray::try_new(item.clone(), offsets, values, list.nulls().cloned()).map_err(words)?))
}

/// The way back from [`unfixed`]: each list must have the length; under a null list stand nulls.
fn refixed(list: &ListArray, item: &FieldRef, size: i32) -> Result<ArrayRef, Unfit> {
    let width = usize::try_from(size).map_err(|_| format!("a list length of {size}"))?;
    let mut indices = Vec::with_capacity(list.len() * width);
    for row in 0..list.len() {
        if list.is_null(row) {
            indices.extend(std::iter::repeat_n(None, width));
            continue;
        }
        let start = i64::from(list.value_offsets()[row]);
        let length = list.value_length(row);
        if length != size {
            return Err(format!("a list has {length} items where each was written with {size}"));
        }
        indices.extend((start..start + i64::from(size)).map(Some));
    }
    let values = arrow_select::take::take(list.values(), &Int64Array::from(indices), None).map_err(words)?;
    let values = recast(&values, item.data_type())?;
    Ok(Arc::new(fixed_list(item, size, values, list.nulls().cloned(), list.len())?))
}

fn scalar(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Unfit> {
    use DataType::{
        Binary, Decimal128, FixedSizeBinary, Float16, Float32, Int8, Int16, Int32, Int64, LargeBinary,
        LargeUtf8, Time32, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8,
    };
    use TimeUnit::{Millisecond, Second};
    let from = array.data_type();
    match (from, to) {
        (Utf8, LargeUtf8) | (LargeUtf8, Utf8) | (Binary, LargeBinary) | (LargeBinary, Binary) => {
            cast(array, to)
        }
        (Int8 | Int16 | UInt8 | UInt16, Int32) | (Int32, Int8 | Int16 | UInt8 | UInt16) => cast(array, to),
        (UInt32, Int64) | (Int64, UInt32) => cast(array, to),
        (UInt64, Decimal128(20, 0)) | (Decimal128(20, 0), UInt64) => cast(array, to),
        (Timestamp(Second, _), Timestamp(Millisecond, _)) => {
            scaled::<Int64Type>(array, to, |v| v.checked_mul(1000))
        }
        (Timestamp(Millisecond, _), Timestamp(Second, _)) => {
            scaled::<Int64Type>(array, to, |v| (v % 1000 == 0).then_some(v / 1000))
        }
        (Time32(Second), Time32(Millisecond)) => scaled::<Int32Type>(array, to, |v| v.checked_mul(1000)),
        (Time32(Millisecond), Time32(Second)) => {
            scaled::<Int32Type>(array, to, |v| (v % 1000 == 0).then_some(v / 1000))
        }
        (Float16, Float32) => Ok(Arc::new(widened(array.as_primitive::<Float16Type>()))),
        (Float32, Float16) => Ok(Arc::new(narrowed(array.as_primitive::<Float32Type>())?)),
        (FixedSizeBinary(width), _) if bit_width(to) == usize::try_from(*width).ok() => bits(array, to),
        (_, FixedSizeBinary(width)) if bit_width(from) == usize::try_from(*width).ok() => bits(array, to),
        (Timestamp(a, _), Timestamp(b, _)) if a != b => Err(strange(from, to)),
        _ if counts(from).is_some() && counts(from) == counts(to) => bits(array, to),
        _ => Err(strange(from, to)),
    }
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Unfit> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    arrow_cast::cast_with_options(array, to, &options).map_err(words)
}

/// Bytes of the types that have no other home than their bits.
fn bit_width(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Float16 => Some(2),
        DataType::UInt64 | DataType::Interval(IntervalUnit::DayTime) => Some(8),
        DataType::Decimal128(..) | DataType::Interval(IntervalUnit::MonthDayNano) => Some(16),
        DataType::Decimal256(..) => Some(32),
        _ => None,
    }
}

/// Bytes of the integer behind types that count something: one such type can stand for another bit by bit.
fn counts(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => Some(4),
        DataType::Interval(IntervalUnit::YearMonth) => Some(4),
        DataType::Int64 | DataType::Date64 | DataType::Time64(_) => Some(8),
        DataType::Timestamp(..) | DataType::Duration(_) => Some(8),
        _ => None,
    }
}

/// The same bytes under another type of the same width. Arrow's values are little-endian.
fn bits(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Unfit> {
    let data = array.to_data();
    let width = match (data.data_type(), data.data_type().primitive_width()) {
        (_, Some(width)) => width,
        (DataType::FixedSizeBinary(width), None) => usize::try_from(*width).map_err(|e| e.to_string())?,
        (other, None) => return Err(strange(other, to)),
    };
    let buffer = data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width);
    let data = ArrayDataBuilder::new(to.clone())
        .len(array.len())
        .add_buffer(buffer)
        .nulls(array.nulls().cloned())
        .align_buffers(true)
        .build();
    Ok(make_array(data.map_err(words)?))
}

/// Every valid value through `f`, which says None for a value that the other type cannot hold.
fn scaled<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    to: &DataType,
    f: impl Fn(T::Native) -> Option<T::Native>,
) -> Result<ArrayRef, Unfit> {
    let native = if T::DATA_TYPE == *array.data_type() { array.clone() } else { bits(array, &T::DATA_TYPE)? };
    let native: &PrimitiveArray<T> = native.as_primitive::<T>();
    let told = |value| {
        let (from, to) = (scalar_text(array.data_type()), scalar_text(to));
        format!("the value {value:?} of type {from} cannot be held as {to}")
    };
    let moved = native.try_unary::<_, T, Unfit>(|value| f(value).ok_or_else(|| told(value)))?;
    bits(&(Arc::new(moved) as ArrayRef), to)
}

/// Widening by bits: a conversion by the processor would quieten signalling NaNs.
fn widened(array: &Float16Array) -> Float32Array {
    let values: ScalarBuffer<f32> =
        array.values().iter().map(|half| f32::from_bits(wide_bits(half.to_bits()))).collect();
    Float32Array::new(values, array.nulls().cloned())
}

fn narrowed(array: &Float32Array) -> Result<Float16Array, Unfit> {
    let mut halves: Vec<u16> = Vec::with_capacity(array.len());
    for (row, value) in array.values().iter().enumerate() {
        match narrow_bits(value.to_bits()) {
            Some(half) => halves.push(half),
            None if array.is_null(row) => halves.push(0),
            None => return Err(format!("the value {value} is no half-precision number")),
        }
    }
    let values = ScalarBuffer::new(Buffer::from_vec(halves), 0, array.len());
    Ok(Float16Array::new(values, array.nulls().cloned()))
}

fn wide_bits(half: u16) -> u32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from(half >> 10) & 0x1f;
    let mantissa = u32::from(half & 0x3ff);
    sign | match (exponent, mantissa) {
        (0, 0) => 0,
        (0, _) => {
            // A subnormal half is a normal single: the leading bit moves to the implicit place.
            let shift = mantissa.leading_zeros() - 21;
            ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13)
        }
        (0x1f, _) => 0x7f80_0000 | (mantissa << 13),
        _ => ((exponent + 112) << 23) | (mantissa << 13),
    }
}

/// The half whose widening is this single; None where there is none.
fn narrow_bits(single: u32) -> Option<u16> {
    let sign = ((single >> 16) & 0x8000) as u16;
    let exponent = (single >> 23) & 0xff;
    let mantissa = single & 0x7f_ffff;
    let half = match exponent {
        0 => 0,
        0xff => 0x7c00 | (mantissa >> 13) as u16,
        103..=112 => ((0x80_0000 | mantissa) >> (126 - exponent)) as u16,
        113..=142 => ((exponent - 112) << 10) as u16 | (mantissa >> 13) as u16,
        _ => return None,
    };
    let half = sign | half;
    (wide_bits(half) == single).then_some(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_as_a_single() {
        for half in 0..=u16::MAX {
            let single = wide_bits(half);
            assert_eq!(narrow_bits(single), Some(half));
            let number = f32::from_bits(single);
            if !number.is_nan() {
                let (mantissa, exponent) = (f64::from(half & 0x3ff), i32::from((half >> 10) & 0x1f));
                let magnitude = match exponent {
                    0 => mantissa * 2f64.powi(-24),
                    31 => f64::INFINITY,
                    e => (1024.0 + mantissa) * 2f64.powi(e - 25),
                };
                assert_eq!(f64::from(number.abs()), magnitude, "{half:#x}");
                assert_eq!(number.is_sign_negative(), half & 0x8000 != 0);
            }
        }
    }

    #[test]
    fn a_single_between_halves_is_refused() {
        for single in [1.000_001f32, 65_536.0, 1e-9, f32::MIN_POSITIVE, f32::from_bits(0x7fc0_0001)] {
            assert_eq!(narrow_bits(single.to_bits()), None, "{single}");
        }
    }
}
