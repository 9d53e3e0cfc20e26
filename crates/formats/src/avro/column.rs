//! Provides [`Column`]: the values of one type as they are decoded, row by row, and the array they become.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, ListArray, MapArray, NullArray, StringArray, StructArray, make_array,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBufferBuilder, Buffer, IntervalMonthDayNano, NullBuffer, NullBufferBuilder,
    OffsetBuffer, i256,
};
use arrow_data::ArrayDataBuilder;
use arrow_schema::DataType;

use super::cursor::{Cursor, Fault};
use super::schema::{Branches, Kind, Shape};
use crate::limits::AVRO_EMPTY_VALUES_MAX;

/// Values being decoded.
pub(super) struct Column {
    data_type: DataType,
    union: Option<Branches>,
    valid: NullBufferBuilder,
    values: Values,
    /// Bytes that the place of a null fills.
    place_bytes: usize,
}

enum Values {
    Null(usize),
    Boolean(BooleanBufferBuilder),
    Int(Vec<i32>),
    Long(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Strings),
    Fixed(usize, Vec<u8>),
    Decimal128(Option<usize>, Vec<i128>),
    Decimal256(Option<usize>, Vec<i256>),
    Duration(Vec<IntervalMonthDayNano>),
    Enum(Arc<[String]>, Strings),
    Array(Vec<i32>, Box<Column>),
    Map(Vec<i32>, Strings, Box<Column>),
    Record(Vec<Column>),
}

/// Byte strings one after another.
struct Strings {
    ends: Vec<i32>,
    data: Vec<u8>,
}

impl Strings {
    fn new() -> Self {
        Strings { ends: vec![0], data: Vec::new() }
    }

    /// Blocks are far below 2^31 bytes, and a batch is closed long before.
    fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.data.extend_from_slice(bytes);
        let end = i32::try_from(self.data.len()).map_err(|_| "2^31 bytes in one batch".to_owned())?;
        self.ends.push(end);
        Ok(())
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        (OffsetBuffer::new(ends.into()), Buffer::from_vec(std::mem::take(&mut self.data)))
    }
}

impl Column {
    pub(super) fn new(shape: &Shape) -> Self {
        let values = match &shape.kind {
            Kind::Null => Values::Null(0),
            Kind::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            Kind::Int => Values::Int(Vec::new()),
            Kind::Long => Values::Long(Vec::new()),
            Kind::Float => Values::Float(Vec::new()),
            Kind::Double => Values::Double(Vec::new()),
            Kind::Bytes => Values::Bytes(Strings::new()),
            Kind::Fixed(size) => Values::Fixed(*size, Vec::new()),
            Kind::Decimal(size) if matches!(shape.data_type, DataType::Decimal256(..)) => {
                Values::Decimal256(*size, Vec::new())
            }
            Kind::Decimal(size) => Values::Decimal128(*size, Vec::new()),
            Kind::Duration => Values::Duration(Vec::new()),
            Kind::Enum(symbols) => Values::Enum(symbols.clone(), Strings::new()),
            Kind::Array(item) => Values::Array(vec![0], Box::new(Column::new(item))),
            Kind::Map(value) => Values::Map(vec![0], Strings::new(), Box::new(Column::new(value))),
            Kind::Record(fields) => Values::Record(fields.iter().map(Column::new).collect()),
        };
        let data_type = shape.data_type.clone();
        let place_bytes = shape.place_bytes();
        Column { data_type, union: shape.union, valid: NullBufferBuilder::new(0), values, place_bytes }
    }

    /// Decodes one value.
    pub(super) fn decode(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if let Some(union) = self.union {
            let start = cursor.at();
            let branch = cursor.long()?;
            if Some(branch) == union.null {
                cursor.spend(self.place_bytes)?;
                self.push_absent();
                return Ok(());
            }
            if branch != union.value {
                return Err(Fault { at: start, what: format!("branch {branch} of a union that has fewer") });
            }
        }
        self.valid.append_non_null();
        match &mut self.values {
            Values::Null(rows) => *rows += 1,
            Values::Boolean(values) => values.append(cursor.boolean()?),
            Values::Int(values) => values.push(cursor.int()?),
            Values::Long(values) => values.push(cursor.long()?),
            Values::Float(values) => values.push(cursor.float()?),
            Values::Double(values) => values.push(cursor.double()?),
            Values::Bytes(strings) => {
                let bytes = cursor.bytes()?;
                strings.push(bytes).or_else(|what| cursor.fault(what))?;
            }
            Values::Fixed(size, data) => data.extend_from_slice(cursor.take(*size)?),
            Values::Decimal128(size, values) => values.push(i128::from_be_bytes(widened(*size, cursor)?)),
            Values::Decimal256(size, values) => values.push(i256::from_be_bytes(widened(*size, cursor)?)),
            Values::Duration(values) => values.push(duration(cursor)?),
            Values::Enum(symbols, strings) => {
                let start = cursor.at();
                let index = cursor.int()?;
                let symbol = usize::try_from(index).ok().and_then(|index| symbols.get(index));
                let Some(symbol) = symbol else {
                    let what = format!("symbol {index} of an enum with {}", symbols.len());
                    return Err(Fault { at: start, what });
                };
                cursor.spend(symbol.len())?;
                strings.push(symbol.as_bytes()).or_else(|what| cursor.fault(what))?;
            }
            Values::Array(ends, item) => {
                items(cursor, ends, |cursor| item.decode(cursor))?;
            }
            Values::Map(ends, keys, value) => items(cursor, ends, |cursor| {
                let key = cursor.bytes()?;
                keys.push(key).or_else(|what| cursor.fault(what))?;
                value.decode(cursor)
            })?,
            Values::Record(fields) => {
                for field in fields {
                    field.decode(cursor)?;
                }
            }
        }
        Ok(())
    }

    /// Fills the place of a value under a null.
    fn push_absent(&mut self) {
        if self.union.is_some_and(|union| union.null.is_some()) {
            self.valid.append_null();
        } else {
            self.valid.append_non_null();
        }
        let same_end = |ends: &mut Vec<i32>| ends.push(ends.last().copied().unwrap_or(0));
        match &mut self.values {
            Values::Null(rows) => *rows += 1,
            Values::Boolean(values) => values.append(false),
            Values::Int(values) => values.push(0),
            Values::Long(values) => values.push(0),
            Values::Float(values) => values.push(0.0),
            Values::Double(values) => values.push(0.0),
            Values::Bytes(strings) | Values::Enum(_, strings) => same_end(&mut strings.ends),
            Values::Fixed(size, data) => data.resize(data.len() + *size, 0),
            Values::Decimal128(_, values) => values.push(0),
            Values::Decimal256(_, values) => values.push(i256::ZERO),
            Values::Duration(values) => values.push(IntervalMonthDayNano::new(0, 0, 0)),
            Values::Array(ends, _) | Values::Map(ends, ..) => same_end(ends),
            Values::Record(fields) => fields.iter_mut().for_each(Column::push_absent),
        }
    }

    /// The array of `rows` values, leaving the column empty.
    pub(super) fn finish(&mut self, rows: usize) -> Result<ArrayRef, String> {
        let nulls = self.valid.finish();
        let data_type = self.data_type.clone();
        Ok(match &mut self.values {
            Values::Null(count) => Arc::new(NullArray::new(std::mem::take(count))),
            Values::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Int(values) => plain(data_type, values, nulls)?,
            Values::Long(values) => plain(data_type, values, nulls)?,
            Values::Float(values) => plain(data_type, values, nulls)?,
            Values::Double(values) => plain(data_type, values, nulls)?,
            Values::Decimal128(_, values) => plain(data_type, values, nulls)?,
            Values::Decimal256(_, values) => plain(data_type, values, nulls)?,
            Values::Duration(values) => plain(data_type, values, nulls)?,
            Values::Fixed(_, data) => {
                let data = Buffer::from_vec(std::mem::take(data));
                let array = ArrayDataBuilder::new(data_type).len(rows).add_buffer(data).nulls(nulls);
                make_array(array.build().map_err(|error| error.to_string())?)
            }
            Values::Bytes(strings) | Values::Enum(_, strings) => {
                let (ends, data) = strings.finish();
                match data_type {
                    DataType::Utf8 => Arc::new(text(ends, data, nulls)?),
                    _ => {
                        Arc::new(BinaryArray::try_new(ends, data, nulls).map_err(|error| error.to_string())?)
                    }
                }
            }
            Values::Array(ends, item) => {
                let DataType::List(field) = data_type else {
                    return Err(format!("an array as {data_type}"));
                };
                let ends = OffsetBuffer::new(std::mem::replace(ends, vec![0]).into());
                let items = item.finish(length(&ends))?;
                Arc::new(ListArray::try_new(field, ends, items, nulls).map_err(|error| error.to_string())?)
            }
            Values::Map(ends, keys, value) => {
                let DataType::Map(field, sorted) = data_type else {
                    return Err(format!("a map as {data_type}"));
                };
                let DataType::Struct(pair) = field.data_type() else {
                    return Err("a map without pairs".into());
                };
                let ends = OffsetBuffer::new(std::mem::replace(ends, vec![0]).into());
                let (key_ends, data) = keys.finish();
                let keys = text(key_ends, data, None)?;
                let columns = vec![Arc::new(keys) as ArrayRef, value.finish(length(&ends))?];
                let entries =
                    StructArray::try_new(pair.clone(), columns, None).map_err(|error| error.to_string())?;
                let map = MapArray::try_new(field, ends, entries, nulls, sorted);
                Arc::new(map.map_err(|error| error.to_string())?)
            }
            Values::Record(fields) => {
                let DataType::Struct(names) = data_type else {
                    return Err(format!("a record as {data_type}"));
                };
                let columns =
                    fields.iter_mut().map(|field| field.finish(rows)).collect::<Result<Vec<_>, _>>()?;
                let record = StructArray::try_new_with_length(names, columns, nulls, rows);
                Arc::new(record.map_err(|error| error.to_string())?)
            }
        })
    }
}

fn length(ends: &OffsetBuffer<i32>) -> usize {
    ends.last().map_or(0, |end| end.unsigned_abs() as usize)
}

fn plain<T: ArrowNativeType>(
    data_type: DataType,
    values: &mut Vec<T>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, String> {
    let array = ArrayDataBuilder::new(data_type).len(values.len()).nulls(nulls);
    let array = array.add_buffer(Buffer::from_vec(std::mem::take(values))).build();
    array.map(make_array).map_err(|error| error.to_string())
}

fn text(ends: OffsetBuffer<i32>, data: Buffer, nulls: Option<NullBuffer>) -> Result<StringArray, String> {
    StringArray::try_new(ends, data, nulls).map_err(|error| format!("a string is not UTF-8: {error}"))
}

/// The blocks of an array or a map.
fn items(
    cursor: &mut Cursor<'_>,
    ends: &mut Vec<i32>,
    mut decode: impl FnMut(&mut Cursor<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut end = i64::from(ends.last().copied().unwrap_or(0));
    loop {
        let start = cursor.at();
        let count = cursor.count()?;
        if count == 0 {
            break;
        }
        // Items that take bytes cannot outnumber them; items that take none are bounded by the batch.
        let bound = (cursor.left() as u64).max(AVRO_EMPTY_VALUES_MAX.saturating_sub(end.unsigned_abs()));
        if count > bound {
            return Err(Fault {
                at: start,
                what: format!("{count} items where {} bytes are left", cursor.left()),
            });
        }
        for _ in 0..count {
            decode(cursor)?;
        }
        end += count as i64;
    }
    match i32::try_from(end) {
        Ok(end) => ends.push(end),
        Err(_) => return cursor.fault("2^31 items in one batch"),
    }
    Ok(())
}

/// The big-endian two's complement bytes of a decimal, extended to `N`.
fn widened<const N: usize>(size: Option<usize>, cursor: &mut Cursor<'_>) -> Result<[u8; N], Fault> {
    let start = cursor.at();
    let bytes = match size {
        Some(size) => cursor.take(size)?,
        None => cursor.bytes()?,
    };
    let sign = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 0xff } else { 0 };
    let (head, tail) = bytes.split_at(bytes.len().saturating_sub(N));
    let fits = head.iter().all(|byte| *byte == sign) && (head.is_empty() || (tail[0] ^ sign) & 0x80 == 0);
    if !fits {
        return Err(Fault {
            at: start,
            what: format!("a decimal of {} bytes does not fit its precision", bytes.len()),
        });
    }
    let mut wide = [sign; N];
    wide[N - tail.len()..].copy_from_slice(tail);
    Ok(wide)
}

fn duration(cursor: &mut Cursor<'_>) -> Result<IntervalMonthDayNano, Fault> {
    let start = cursor.at();
    let bytes = cursor.take(12)?;
    let part = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    match (i32::try_from(part(0)), i32::try_from(part(4))) {
        (Ok(months), Ok(days)) => Ok(IntervalMonthDayNano::new(months, days, i64::from(part(8)) * 1_000_000)),
        _ => Err(Fault { at: start, what: "a duration of more than 2^31 months or days".into() }),
    }
}
