//! Provides [`Cells`]: a view of an array from which single values are encoded.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, ScalarBuffer, i256};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field};

use super::cursor::{write_bytes, write_long};
use crate::error::{Error, Result};

/// The cells of one column.
pub(super) struct Cells {
    /// Whether the type is a union with null, and the nulls there are.
    nullable: bool,
    nulls: Option<NullBuffer>,
    values: Values,
}

enum Values {
    Null,
    Boolean(BooleanBuffer),
    Int(ScalarBuffer<i32>),
    Long(ScalarBuffer<i64>),
    Float(ScalarBuffer<f32>),
    Double(ScalarBuffer<f64>),
    Bytes(Ends, Buffer),
    Fixed(usize, Buffer),
    Decimal128(ScalarBuffer<i128>),
    Decimal256(ScalarBuffer<i256>),
    Array(Ends, Box<Cells>),
    Map(Ends, Box<Cells>, Box<Cells>),
    Record(Vec<Cells>),
}

/// Offsets of either width.
enum Ends {
    Narrow(ScalarBuffer<i32>),
    Wide(ScalarBuffer<i64>),
}

impl Ends {
    fn range(&self, row: usize) -> std::ops::Range<usize> {
        match self {
            Ends::Narrow(ends) => ends[row].as_usize()..ends[row + 1].as_usize(),
            Ends::Wide(ends) => ends[row].as_usize()..ends[row + 1].as_usize(),
        }
    }
}

impl Cells {
    /// The cells of a column of a physical batch.
    pub(super) fn new(array: &ArrayRef, field: &Field) -> Result<Self> {
        let data = array.to_data();
        let values = match array.data_type() {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Boolean(array.as_boolean().values().clone()),
            DataType::Int32 | DataType::Date32 | DataType::Time32(_) => Values::Int(scalars(&data)),
            DataType::Int64 | DataType::Time64(_) | DataType::Timestamp(..) => Values::Long(scalars(&data)),
            DataType::Float32 => Values::Float(scalars(&data)),
            DataType::Float64 => Values::Double(scalars(&data)),
            DataType::Decimal128(..) => Values::Decimal128(scalars(&data)),
            DataType::Decimal256(..) => Values::Decimal256(scalars(&data)),
            DataType::Utf8 | DataType::Binary => Values::Bytes(narrow(&data), data.buffers()[1].clone()),
            DataType::LargeUtf8 | DataType::LargeBinary => {
                Values::Bytes(wide(&data), data.buffers()[1].clone())
            }
            DataType::FixedSizeBinary(size) => {
                let size = size.as_usize();
                let bytes = data.buffers()[0].slice_with_length(data.offset() * size, data.len() * size);
                Values::Fixed(size, bytes)
            }
            DataType::List(item) => {
                let items = Cells::new(array.as_list::<i32>().values(), item)?;
                Values::Array(narrow(&data), Box::new(items))
            }
            DataType::LargeList(item) => {
                let items = Cells::new(array.as_list::<i64>().values(), item)?;
                Values::Array(wide(&data), Box::new(items))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let DataType::Struct(pair) = map.entries().data_type() else {
                    return Err(Error::Bug("a map whose entries are no struct".into()));
                };
                let keys = Cells::new(map.keys(), &pair[0].as_ref().clone().with_nullable(false))?;
                let values = Cells::new(map.values(), &pair[1])?;
                Values::Map(narrow(&data), Box::new(keys), Box::new(values))
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns().iter().zip(fields);
                Values::Record(
                    columns.map(|(column, field)| Cells::new(column, field)).collect::<Result<_>>()?,
                )
            }
            other => {
                return Err(Error::Bug(format!("data/types.toml lets {other} into an Avro file")));
            }
        };
        let nullable = field.is_nullable() && !matches!(values, Values::Null);
        Ok(Cells { nullable, nulls: array.nulls().cloned(), values })
    }

    /// Appends the encoding of one value.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.nullable {
            let valid = self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            write_long(out, i64::from(valid));
            if !valid {
                return;
            }
        }
        match &self.values {
            Values::Null => {}
            Values::Boolean(values) => out.push(u8::from(values.value(row))),
            Values::Int(values) => write_long(out, i64::from(values[row])),
            Values::Long(values) => write_long(out, values[row]),
            Values::Float(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Values::Double(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Values::Bytes(ends, data) => write_bytes(out, &data[ends.range(row)]),
            Values::Fixed(size, data) => out.extend_from_slice(&data[row * size..(row + 1) * size]),
            Values::Decimal128(values) => write_decimal(out, &values[row].to_be_bytes()),
            Values::Decimal256(values) => write_decimal(out, &values[row].to_be_bytes()),
            Values::Array(ends, items) => write_items(out, ends.range(row), |at, out| items.write(at, out)),
            Values::Map(ends, keys, values) => write_items(out, ends.range(row), |at, out| {
                keys.write(at, out);
                values.write(at, out);
            }),
            Values::Record(fields) => fields.iter().for_each(|field| field.write(row, out)),
        }
    }
}

fn scalars<T: ArrowNativeType>(data: &ArrayData) -> ScalarBuffer<T> {
    ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())
}

fn narrow(data: &ArrayData) -> Ends {
    Ends::Narrow(offsets(data))
}

fn wide(data: &ArrayData) -> Ends {
    Ends::Wide(offsets(data))
}

/// An array without rows may have no offsets at all.
fn offsets<T: ArrowNativeType>(data: &ArrayData) -> ScalarBuffer<T> {
    if data.is_empty() {
        return ScalarBuffer::from(Vec::new());
    }
    ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len() + 1)
}

/// As few bytes as keep the sign.
fn write_decimal(out: &mut Vec<u8>, bytes: &[u8]) {
    let sign = if bytes[0] & 0x80 != 0 { 0xff } else { 0 };
    let mut skip = bytes.iter().take_while(|byte| **byte == sign).count().min(bytes.len() - 1);
    if (bytes[skip] ^ sign) & 0x80 != 0 {
        skip -= 1;
    }
    write_bytes(out, &bytes[skip..]);
}

fn write_items(out: &mut Vec<u8>, range: std::ops::Range<usize>, mut write: impl FnMut(usize, &mut Vec<u8>)) {
    if !range.is_empty() {
        write_long(out, range.len() as i64);
        for at in range {
            write(at, out);
        }
    }
    out.push(0);
}
