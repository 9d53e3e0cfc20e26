//! Provides random tables of every plain type, for the tests of this crate.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray, ListArray, MapArray, NullArray,
    RecordBatch, RecordBatchOptions, StringArray, StructArray, make_array,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, i256};
use arrow_data::ArrayDataBuilder;
use arrow_schema::{DataType, Field, FieldRef, Fields, IntervalUnit, Schema, TimeUnit};

/// A small generator of pseudo-random numbers (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// A type for every row of the table of types but those with types inside and unions.
pub(crate) fn scalar_types() -> Vec<DataType> {
    use DataType::*;
    use TimeUnit::*;
    let mut types = vec![
        Null,
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Utf8,
        LargeUtf8,
        Binary,
        LargeBinary,
        Date32,
        Date64,
    ];
    types.extend([FixedSizeBinary(1), FixedSizeBinary(12), FixedSizeBinary(0)]);
    types.extend([(1, 0), (9, 2), (18, 18), (30, 4), (38, 38)].map(|(p, s)| Decimal128(p, s)));
    types.extend([(39, 0), (57, 20), (76, 76)].map(|(p, s)| Decimal256(p, s)));
    types.extend([Decimal128(9, -2), Decimal256(40, -7)]);
    types.extend([Time32(Second), Time32(Millisecond), Time64(Microsecond), Time64(Nanosecond)]);
    for unit in [Second, Millisecond, Microsecond, Nanosecond] {
        types.push(Timestamp(unit, None));
        types.extend(
            ["UTC", "Europe/Oslo", "+00:00", "-07:30"].map(|zone| Timestamp(unit, Some(zone.into()))),
        );
        types.push(Duration(unit));
    }
    types.extend([IntervalUnit::YearMonth, IntervalUnit::DayTime, IntervalUnit::MonthDayNano].map(Interval));
    types.push(Struct(Fields::empty()));
    types
}

/// The types that have `inner` inside.
pub(crate) fn around(inner: &DataType) -> Vec<DataType> {
    let field = |name: &str| Arc::new(Field::new(name, inner.clone(), true));
    let mut types = vec![
        DataType::List(field("item")),
        DataType::LargeList(field("element")),
        DataType::FixedSizeList(field("item"), 3),
        DataType::Struct(vec![field("a"), Arc::new(Field::new("b", DataType::Boolean, false))].into()),
        map(DataType::Utf8, inner.clone()),
    ];
    if *inner != DataType::Null {
        types.push(DataType::List(Arc::new(Field::new("item", inner.clone(), false))));
        types.push(DataType::FixedSizeList(Arc::new(Field::new("item", inner.clone(), false)), 2));
        types.push(map(inner.clone(), DataType::Int64));
    }
    types
}

pub(crate) fn map(key: DataType, value: DataType) -> DataType {
    let pair = vec![Field::new("key", key, false), Field::new("value", value, true)];
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(pair.into()), false)), false)
}

/// A random type of at most `depth` further levels.
pub(crate) fn any_type(random: &mut Random, depth: usize) -> DataType {
    let scalars = scalar_types();
    let scalar = scalars[random.below(scalars.len())].clone();
    if depth == 0 || random.below(3) == 0 {
        return scalar;
    }
    let inner = any_type(random, depth - 1);
    let mut types = around(&inner);
    let names = ["", "ä b", "x", "1", "a.b", "x"];
    let fields = (0..random.below(4)).map(|at| Field::new(names[at], any_type(random, depth - 1), true));
    types.push(DataType::Struct(fields.collect::<Fields>()));
    let pick = random.below(types.len());
    types.swap_remove(pick)
}

/// A random schema.
pub(crate) fn any_schema(random: &mut Random) -> Schema {
    let names = ["id", "id", "", "naïve", "with space", "0", "c1_", "Ok_1"];
    let fields = (0..random.below(names.len() + 1)).map(|at| {
        let data_type = any_type(random, 3);
        let nullable = data_type == DataType::Null || random.below(2) == 0;
        Field::new(names[at], data_type, nullable)
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// Random rows under a schema.
pub(crate) fn batch(random: &mut Random, schema: &Arc<Schema>, rows: usize) -> RecordBatch {
    let columns = schema.fields().iter().map(|field| column(random, field, rows)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).unwrap()
}

fn column(random: &mut Random, field: &FieldRef, rows: usize) -> ArrayRef {
    let nulls = match field.is_nullable() && random.below(4) > 0 {
        true => Some(NullBuffer::from_iter((0..rows).map(|_| random.below(3) > 0))),
        false => None,
    };
    array(random, field.data_type(), rows, nulls)
}

fn array(random: &mut Random, data_type: &DataType, rows: usize, nulls: Option<NullBuffer>) -> ArrayRef {
    let words = ["", "a", "NA", "naïve \u{1f600}", "line\nbreak", "\0"];
    match data_type {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => {
            let values = (0..rows).map(|_| random.below(2) == 0).collect();
            Arc::new(BooleanArray::new(values, nulls))
        }
        DataType::Utf8 | DataType::LargeUtf8 => {
            let text = StringArray::from_iter_values((0..rows).map(|_| words[random.below(words.len())]));
            let (offsets, data, _) = text.into_parts();
            arrow_cast::cast(&StringArray::new(offsets, data, nulls), data_type).unwrap()
        }
        DataType::Binary | DataType::LargeBinary => {
            let bytes = BinaryArray::from_iter_values((0..rows).map(|_| {
                let length = random.below(5);
                random.next().to_le_bytes()[..length].to_vec()
            }));
            let (offsets, data, _) = bytes.into_parts();
            arrow_cast::cast(&BinaryArray::new(offsets, data, nulls), data_type).unwrap()
        }
        DataType::List(item) => {
            let ends = OffsetBuffer::from_lengths((0..rows).map(|_| random.below(4)));
            let items = column(random, item, ends[rows] as usize);
            Arc::new(ListArray::new(item.clone(), ends, items, nulls))
        }
        DataType::LargeList(item) => {
            let narrow = array(random, &DataType::List(item.clone()), rows, nulls);
            arrow_cast::cast(&narrow, data_type).unwrap()
        }
        DataType::FixedSizeList(item, size) => {
            let items = column(random, item, rows * *size as usize);
            Arc::new(FixedSizeListArray::new(item.clone(), *size, items, nulls))
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| column(random, field, rows)).collect();
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, rows).unwrap())
        }
        DataType::Map(entries, sorted) => {
            let DataType::Struct(pair) = entries.data_type() else { unreachable!("maps have pairs") };
            let ends = OffsetBuffer::from_lengths((0..rows).map(|_| random.below(3)));
            let columns = pair.iter().map(|field| column(random, field, ends[rows] as usize)).collect();
            let held =
                StructArray::try_new_with_length(pair.clone(), columns, None, ends[rows] as usize).unwrap();
            Arc::new(MapArray::new(entries.clone(), ends, held, nulls, *sorted))
        }
        plain => {
            let mut bytes = Vec::new();
            (0..rows).for_each(|_| value(random, plain, &mut bytes));
            let data = ArrayDataBuilder::new(plain.clone()).len(rows).nulls(nulls);
            make_array(data.add_buffer(Buffer::from_vec(bytes)).align_buffers(true).build().unwrap())
        }
    }
}

/// The bytes of one value: often an extreme, and within the range that its type means.
fn value(random: &mut Random, data_type: &DataType, out: &mut Vec<u8>) {
    use TimeUnit::*;
    let bits = match random.below(6) {
        0 => 0,
        1 => u64::MAX,
        2 => 1 << 63,
        _ => random.next(),
    };
    let within = |bound: u64| bits % bound;
    match data_type {
        DataType::FixedSizeBinary(size) => (0..*size).for_each(|_| out.push(random.next() as u8)),
        DataType::Time32(Second) => out.extend((within(86_400) as i32).to_le_bytes()),
        DataType::Time32(_) => out.extend((within(86_400_000) as i32).to_le_bytes()),
        DataType::Time64(Microsecond) => out.extend((within(86_400_000_000) as i64).to_le_bytes()),
        DataType::Time64(_) => out.extend((within(86_400_000_000_000) as i64).to_le_bytes()),
        DataType::Timestamp(Second, _) => out.extend((bits as i64 / 1000).to_le_bytes()),
        DataType::Decimal128(precision, _) => {
            let value = (i128::from(bits as i64) << 62).wrapping_add(i128::from(random.next()));
            out.extend((value % 10i128.pow(u32::from(*precision))).to_le_bytes());
        }
        DataType::Decimal256(precision, _) => {
            let value = i256::from_parts(u128::from(random.next()) << 7, i128::from(bits as i64) << 60);
            let bound = i256::from_i128(10).wrapping_pow(u32::from(*precision));
            out.extend(value.wrapping_rem(bound).to_le_bytes());
        }
        other => {
            let width = other.primitive_width().unwrap_or(0);
            out.extend([bits.to_le_bytes(), random.next().to_le_bytes()].concat()[..width].iter());
        }
    }
}

/// Equal values under equal logical types: offset widths and names of inner fields of lists are no content.
pub(crate) fn assert_same(want: &RecordBatch, got: &RecordBatch) -> Result<(), String> {
    let (a, b) =
        (crate::cells::logical_schema(want.schema_ref()), crate::cells::logical_schema(got.schema_ref()));
    let (a, b) = (a.map_err(|e| e.to_string())?, b.map_err(|e| e.to_string())?);
    if a != b || want.num_rows() != got.num_rows() {
        return Err(format!("{} rows of {a:?} became {} of {b:?}", want.num_rows(), got.num_rows()));
    }
    for (index, (want, got)) in want.columns().iter().zip(got.columns()).enumerate() {
        let common = common_type(want.data_type());
        let cast = |array: &ArrayRef| arrow_cast::cast(array, &common).map_err(|error| error.to_string());
        let (want, got) = (cast(want)?, cast(got)?);
        if want.to_data() != got.to_data() {
            let first =
                (0..want.len()).find(|row| want.slice(*row, 1).to_data() != got.slice(*row, 1).to_data());
            let row = first.unwrap_or(0);
            return Err(format!(
                "column {index}, row {first:?}: {:?} became {:?}",
                want.slice(row, 1.min(want.len())),
                got.slice(row, 1.min(got.len()))
            ));
        }
    }
    Ok(())
}

/// One way to hold a logical type.
fn common_type(data_type: &DataType) -> DataType {
    let rename = |field: &FieldRef, name: &str| Field::new(name, common_type(field.data_type()), true);
    match data_type {
        DataType::LargeUtf8 => DataType::Utf8,
        DataType::LargeBinary => DataType::Binary,
        DataType::List(item) | DataType::LargeList(item) => DataType::List(Arc::new(rename(item, "item"))),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(Arc::new(rename(item, "item")), *size),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| rename(field, field.name())).collect::<Fields>())
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(pair) = entries.data_type() else { unreachable!("maps have pairs") };
            let key = Field::new("key", common_type(pair[0].data_type()), false);
            let pair = DataType::Struct(vec![key, rename(&pair[1], "value")].into());
            DataType::Map(Arc::new(Field::new("entries", pair, false)), false)
        }
        other => other.clone(),
    }
}
