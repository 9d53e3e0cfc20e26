//! Provides the view of Arrow arrays as cells of content, without copying values, and the logical schema
//! behind it.
//!
//! Only plain types (see [`crate::normal`]) are seen here.

use arrow_array::cast::AsArray;
use arrow_array::types::ByteArrayType;
use arrow_array::{
    Array, GenericByteArray, GenericListArray, OffsetSizeTrait, RecordBatch, downcast_primitive_array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow_schema::{
    DataType, Fields, IntervalUnit as ArrowInterval, Schema as ArrowSchema, TimeUnit as ArrowUnit,
};
use coherence::cells::{Bits, Cells, Offsets, Values};
use coherence::schema::{Field, IntervalUnit, LogicalType, Schema, TimeUnit};

use crate::error::{Error, Result};

/// The logical schema of a plain Arrow schema.
pub fn logical_schema(schema: &ArrowSchema) -> Result<Schema> {
    Ok(Schema { fields: logical_fields(schema.fields())? })
}

fn logical_fields(fields: &Fields) -> Result<Vec<Field>> {
    fields.iter().map(|f| Ok(Field { name: f.name().clone(), ty: logical_type(f.data_type())? })).collect()
}

/// The logical type of a plain Arrow type.
pub fn logical_type(data_type: &DataType) -> Result<LogicalType> {
    let int = |bits, signed| LogicalType::Int { bits, signed };
    let boxed = |data_type: &DataType| Ok::<_, Error>(Box::new(logical_type(data_type)?));
    Ok(match data_type {
        DataType::Null => LogicalType::Null,
        DataType::Boolean => LogicalType::Bool,
        DataType::Int8 => int(8, true),
        DataType::Int16 => int(16, true),
        DataType::Int32 => int(32, true),
        DataType::Int64 => int(64, true),
        DataType::UInt8 => int(8, false),
        DataType::UInt16 => int(16, false),
        DataType::UInt32 => int(32, false),
        DataType::UInt64 => int(64, false),
        DataType::Float16 => LogicalType::Float { bits: 16 },
        DataType::Float32 => LogicalType::Float { bits: 32 },
        DataType::Float64 => LogicalType::Float { bits: 64 },
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            LogicalType::Decimal { precision: *precision, scale: *scale }
        }
        DataType::Utf8 | DataType::LargeUtf8 => LogicalType::Utf8,
        DataType::Binary | DataType::LargeBinary => LogicalType::Binary,
        DataType::FixedSizeBinary(size) => LogicalType::FixedBinary { size: size.unsigned_abs() },
        DataType::Date32 => LogicalType::Date { unit: TimeUnit::Day },
        DataType::Date64 => LogicalType::Date { unit: TimeUnit::Millisecond },
        DataType::Time32(at) | DataType::Time64(at) => LogicalType::Time { unit: unit(at) },
        DataType::Timestamp(at, zone) => {
            LogicalType::Timestamp { unit: unit(at), zone: zone.as_ref().map(|zone| zone.to_string()) }
        }
        DataType::Duration(at) => LogicalType::Duration { unit: unit(at) },
        DataType::Interval(ArrowInterval::YearMonth) => {
            LogicalType::Interval { unit: IntervalUnit::YearMonth }
        }
        DataType::Interval(ArrowInterval::DayTime) => LogicalType::Interval { unit: IntervalUnit::DayTime },
        DataType::Interval(ArrowInterval::MonthDayNano) => {
            LogicalType::Interval { unit: IntervalUnit::MonthDayNano }
        }
        DataType::List(item) | DataType::LargeList(item) => LogicalType::List(boxed(item.data_type())?),
        DataType::FixedSizeList(item, size) => {
            LogicalType::FixedList { size: size.unsigned_abs(), item: boxed(item.data_type())? }
        }
        DataType::Struct(fields) => LogicalType::Struct(logical_fields(fields)?),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                LogicalType::Map { key: boxed(pair[0].data_type())?, value: boxed(pair[1].data_type())? }
            }
            other => return Err(Error::Bug(format!("a map whose entries are {other}"))),
        },
        other => return Err(Error::Bug(format!("type {other} is not plain"))),
    })
}

fn unit(unit: &ArrowUnit) -> TimeUnit {
    match unit {
        ArrowUnit::Second => TimeUnit::Second,
        ArrowUnit::Millisecond => TimeUnit::Millisecond,
        ArrowUnit::Microsecond => TimeUnit::Microsecond,
        ArrowUnit::Nanosecond => TimeUnit::Nanosecond,
    }
}

/// The columns of a plain batch as cells.
pub fn columns(batch: &RecordBatch) -> Result<Vec<Cells<'_>>> {
    batch.columns().iter().map(|array| cells(array.as_ref())).collect()
}

/// A plain array as cells.
pub fn cells(array: &dyn Array) -> Result<Cells<'_>> {
    let values = match array.data_type() {
        DataType::Null => Values::Null,
        DataType::Boolean => Values::Bool(bits(array.as_boolean().values())),
        DataType::Utf8 => bytes(array.as_string::<i32>()),
        DataType::LargeUtf8 => bytes(array.as_string::<i64>()),
        DataType::Binary => bytes(array.as_binary::<i32>()),
        DataType::LargeBinary => bytes(array.as_binary::<i64>()),
        DataType::FixedSizeBinary(size) => {
            let width = size.unsigned_abs() as usize;
            Values::Fixed { width, bytes: array.as_fixed_size_binary().value_data() }
        }
        DataType::List(_) => list(array.as_list::<i32>())?,
        DataType::LargeList(_) => list(array.as_list::<i64>())?,
        DataType::FixedSizeList(_, size) => {
            let child = cells(array.as_fixed_size_list().values().as_ref())?;
            Values::FixedList { size: size.unsigned_abs() as usize, child: Box::new(child) }
        }
        DataType::Struct(_) => {
            let children = array.as_struct().columns().iter();
            Values::Struct(children.map(|child| cells(child.as_ref())).collect::<Result<_>>()?)
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let child = cells(map.entries())?;
            Values::List { offsets: offsets(map.offsets()), child: Box::new(child) }
        }
        _ => primitive(array)?,
    };
    let validity = array.nulls().filter(|nulls| nulls.null_count() > 0).map(NullBuffer::inner).map(bits);
    Cells::new(array.len(), validity, values).map_err(|error| Error::Bug(format!("a view of cells: {error}")))
}

fn bits(buffer: &BooleanBuffer) -> Bits<'_> {
    Bits { bytes: buffer.values(), offset: buffer.offset() }
}

fn bytes<T: ByteArrayType>(array: &GenericByteArray<T>) -> Values<'_> {
    Values::Bytes { offsets: offsets(array.offsets()), data: array.value_data() }
}

fn list<O: OffsetSizeTrait>(array: &GenericListArray<O>) -> Result<Values<'_>> {
    let child = cells(array.values().as_ref())?;
    Ok(Values::List { offsets: offsets(array.offsets()), child: Box::new(child) })
}

/// Offsets of either width. The conversion looks at the width alone, since the types are known by then.
fn offsets<O: OffsetSizeTrait>(buffer: &OffsetBuffer<O>) -> Offsets<'_> {
    let buffer = buffer.inner().inner();
    if O::IS_LARGE { Offsets::I64(buffer.typed_data()) } else { Offsets::I32(buffer.typed_data()) }
}

fn primitive(array: &dyn Array) -> Result<Values<'_>> {
    let width = array.data_type().primitive_width();
    let width = width.ok_or_else(|| Error::Bug(format!("type {} is not plain", array.data_type())))?;
    downcast_primitive_array!(
        array => {
            let bytes = array.values().inner().as_slice();
            Ok(match array.data_type() {
                DataType::Float16 | DataType::Float32 | DataType::Float64 => Values::Float { width, bytes },
                _ => Values::Fixed { width, bytes },
            })
        },
        other => Err(Error::Bug(format!("type {other} is not plain")))
    )
}
