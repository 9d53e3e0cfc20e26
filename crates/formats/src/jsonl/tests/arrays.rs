//! Every Arrow type comes back from its JSON text under the same schema.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringDictionaryBuilder};
use arrow_array::types::*;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeListArray,
    LargeBinaryArray, LargeListArray, LargeListViewArray, LargeStringArray, ListArray, ListViewArray,
    MapArray, NullArray, PrimitiveArray, RunArray, StringArray, StringViewArray, StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, i256};
use arrow_schema::{DataType, Field, Fields, IntervalUnit, TimeUnit};
use proptest::prelude::*;

use super::*;
use crate::Error;

fn leaf_types() -> Vec<DataType> {
    use DataType as T;
    use TimeUnit as U;
    let mut types = vec![
        T::Null,
        T::Boolean,
        T::Int8,
        T::Int16,
        T::Int32,
        T::Int64,
        T::UInt8,
        T::UInt16,
        T::UInt32,
        T::UInt64,
        T::Float16,
        T::Float32,
        T::Float64,
        T::Utf8,
        T::LargeUtf8,
        T::Utf8View,
        T::Binary,
        T::LargeBinary,
        T::BinaryView,
        T::FixedSizeBinary(3),
        T::Decimal32(7, 2),
        T::Decimal64(18, 0),
        T::Decimal128(38, 5),
        T::Decimal128(20, -3),
        T::Decimal256(76, 40),
        T::Date32,
        T::Date64,
        T::Time32(U::Second),
        T::Time32(U::Millisecond),
        T::Time64(U::Microsecond),
        T::Time64(U::Nanosecond),
        T::Interval(IntervalUnit::YearMonth),
        T::Interval(IntervalUnit::DayTime),
        T::Interval(IntervalUnit::MonthDayNano),
    ];
    for unit in [U::Second, U::Millisecond, U::Microsecond, U::Nanosecond] {
        types.push(T::Timestamp(unit, None));
        types.push(T::Timestamp(unit, Some("Europe/Berlin".into())));
        types.push(T::Duration(unit));
    }
    types
}

fn random_type(random: &mut Random, depth: usize) -> DataType {
    let leaves = leaf_types();
    if depth == 0 || random.below(2) == 0 {
        return leaves[random.below(leaves.len())].clone();
    }
    let item = |random: &mut Random| Arc::new(Field::new("item", random_type(random, depth - 1), true));
    match random.below(7) {
        0 => DataType::List(item(random)),
        1 => DataType::LargeList(item(random)),
        2 => DataType::ListView(item(random)),
        3 => DataType::LargeListView(item(random)),
        4 => DataType::FixedSizeList(item(random), random.below(3) as i32),
        5 => {
            let key = Field::new("keys", leaves[random.below(leaves.len() - 1) + 1].clone(), false);
            let value = Field::new("values", random_type(random, depth - 1), true);
            let entries = Field::new("entries", DataType::Struct(vec![key, value].into()), false);
            DataType::Map(Arc::new(entries), false)
        }
        _ => {
            let count = random.below(4);
            let field = |at| Field::new(format!("f\"{at}"), random_type(random, depth - 1), true);
            DataType::Struct((0..count).map(field).collect())
        }
    }
}

/// A number of any size: small ones are as likely as large ones.
fn bits(random: &mut Random) -> i64 {
    let shift = random.below(64);
    (random.next() as i64) >> shift
}

fn nulls(random: &mut Random, length: usize, nullable: bool) -> Option<NullBuffer> {
    (nullable && random.below(3) > 0).then(|| (0..length).map(|_| random.below(4) > 0).collect())
}

fn primitive<T: ArrowPrimitiveType>(
    data_type: &DataType,
    nulls: Option<NullBuffer>,
    length: usize,
    value: impl FnMut(usize) -> T::Native,
) -> ArrayRef {
    let values: Vec<T::Native> = (0..length).map(value).collect();
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(data_type.clone()))
}

fn text(random: &mut Random) -> String {
    let pieces = [
        "a",
        "é",
        "😀",
        "\"",
        "\\",
        "\n",
        "\r",
        "\t",
        "\u{0}",
        "\u{1f}",
        "\u{7f}",
        "/",
        "longer text ",
        "null",
    ];
    (0..random.below(6)).map(|_| *random.pick(&pieces.each_ref())).collect()
}

fn floats(random: &mut Random) -> f64 {
    match random.below(8) {
        0 => *random.pick(&[&f64::NAN, &f64::INFINITY, &f64::NEG_INFINITY, &-0.0, &0.0]),
        1 => f64::from_bits(random.next()),
        2 => bits(random) as f64,
        _ => (bits(random) % 1_000_000) as f64 / 1000.0,
    }
}

fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

#[expect(clippy::too_many_lines, reason = "one arm for each Arrow type")]
fn array(random: &mut Random, data_type: &DataType, length: usize, nullable: bool) -> ArrayRef {
    use DataType as T;
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    let nulls = nulls(random, length, nullable);
    macro_rules! of {
        ($type:ty, $value:expr) => {
            primitive::<$type>(data_type, nulls, length, $value)
        };
    }
    let child = |random: &mut Random, field: &Arc<Field>| -> (ArrayRef, Vec<i32>) {
        let mut offsets = vec![0];
        for _ in 0..length {
            offsets.push(offsets[offsets.len() - 1] + random.below(4) as i32);
        }
        (array(random, field.data_type(), offsets[length] as usize, field.is_nullable()), offsets)
    };
    let long = |offsets: Vec<i32>| -> Vec<i64> { offsets.into_iter().map(i64::from).collect() };
    let present =
        |row: usize, nulls: &Option<NullBuffer>| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let texts = |random: &mut Random, nulls: &Option<NullBuffer>| -> Vec<Option<String>> {
        (0..length).map(|row| present(row, nulls).then(|| text(random))).collect()
    };
    match data_type {
        T::Null => Arc::new(NullArray::new(length)),
        T::Boolean => Arc::new(BooleanArray::new((0..length).map(|_| random.below(2) == 0).collect(), nulls)),
        T::Int8 => of!(Int8Type, |_| bits(random) as i8),
        T::Int16 => of!(Int16Type, |_| bits(random) as i16),
        T::Int32 => of!(Int32Type, |_| bits(random) as i32),
        T::Int64 => of!(Int64Type, |_| bits(random)),
        T::UInt8 => of!(UInt8Type, |_| bits(random) as u8),
        T::UInt16 => of!(UInt16Type, |_| bits(random) as u16),
        T::UInt32 => of!(UInt32Type, |_| bits(random) as u32),
        T::UInt64 => of!(UInt64Type, |_| bits(random) as u64),
        T::Float16 => of!(Float16Type, |_| Half::from_f64(canonical(floats(random)))),
        T::Float32 => of!(Float32Type, |_| canonical(floats(random)) as f32),
        T::Float64 => of!(Float64Type, |_| canonical(floats(random))),
        T::Decimal32(..) => of!(Decimal32Type, |_| (bits(random) % 10_000_000) as i32),
        T::Decimal64(..) => of!(Decimal64Type, |_| bits(random) % 1_000_000_000_000_000_000),
        T::Decimal128(precision, _) => {
            let bound = 10_i128.pow(u32::from(*precision));
            of!(Decimal128Type, |_| (i128::from(bits(random)) * i128::from(bits(random))) % bound)
        }
        T::Decimal256(..) => of!(Decimal256Type, |_| {
            i256::from_i128(i128::from(bits(random)) << 50).wrapping_mul(i256::from_i128(bits(random).into()))
        }),
        T::Date32 => of!(Date32Type, |_| bits(random) as i32),
        T::Date64 => of!(Date64Type, |_| bits(random)),
        T::Time32(TimeUnit::Second) => of!(Time32SecondType, |_| bits(random) as i32),
        T::Time32(_) => of!(Time32MillisecondType, |_| bits(random) as i32),
        T::Time64(TimeUnit::Microsecond) => of!(Time64MicrosecondType, |_| bits(random)),
        T::Time64(_) => of!(Time64NanosecondType, |_| bits(random)),
        T::Timestamp(TimeUnit::Second, _) => of!(TimestampSecondType, |_| bits(random)),
        T::Timestamp(TimeUnit::Millisecond, _) => of!(TimestampMillisecondType, |_| bits(random)),
        T::Timestamp(TimeUnit::Microsecond, _) => of!(TimestampMicrosecondType, |_| bits(random)),
        T::Timestamp(TimeUnit::Nanosecond, _) => of!(TimestampNanosecondType, |_| bits(random)),
        T::Duration(TimeUnit::Second) => of!(DurationSecondType, |_| bits(random)),
        T::Duration(TimeUnit::Millisecond) => of!(DurationMillisecondType, |_| bits(random)),
        T::Duration(TimeUnit::Microsecond) => of!(DurationMicrosecondType, |_| bits(random)),
        T::Duration(TimeUnit::Nanosecond) => of!(DurationNanosecondType, |_| bits(random)),
        T::Interval(IntervalUnit::YearMonth) => of!(IntervalYearMonthType, |_| bits(random) as i32),
        T::Interval(IntervalUnit::DayTime) => {
            of!(IntervalDayTimeType, |_| { IntervalDayTime::new(bits(random) as i32, bits(random) as i32) })
        }
        T::Interval(IntervalUnit::MonthDayNano) => of!(IntervalMonthDayNanoType, |_| {
            IntervalMonthDayNano::new(bits(random) as i32, bits(random) as i32, bits(random))
        }),
        T::Utf8 => Arc::new(StringArray::from_iter(texts(random, &nulls))),
        T::LargeUtf8 => Arc::new(LargeStringArray::from_iter(texts(random, &nulls))),
        T::Utf8View => Arc::new(StringViewArray::from_iter(texts(random, &nulls))),
        T::Binary => Arc::new(BinaryArray::from_iter(texts(random, &nulls))),
        T::LargeBinary => Arc::new(LargeBinaryArray::from_iter(texts(random, &nulls))),
        T::BinaryView => Arc::new(BinaryViewArray::from_iter(texts(random, &nulls))),
        T::FixedSizeBinary(size) => {
            let mut builder = FixedSizeBinaryBuilder::new(*size);
            for row in 0..length {
                match present(row, &nulls) {
                    true => builder.append_value(&random.next().to_le_bytes()[..3]).unwrap(),
                    false => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        T::List(field) => {
            let (values, offsets) = child(random, field);
            Arc::new(ListArray::new(field.clone(), OffsetBuffer::new(offsets.into()), values, nulls))
        }
        T::LargeList(field) => {
            let (values, offsets) = child(random, field);
            Arc::new(LargeListArray::new(
                field.clone(),
                OffsetBuffer::new(long(offsets).into()),
                values,
                nulls,
            ))
        }
        T::ListView(field) => {
            // Views that overlap and stand in no order.
            let (values, _) = child(random, field);
            let ends = values.len() + 1;
            let starts: Vec<i32> = (0..length).map(|_| random.below(ends) as i32).collect();
            let sizes: Vec<i32> =
                starts.iter().map(|&start| random.below(ends - start as usize) as i32).collect();
            Arc::new(ListViewArray::new(field.clone(), starts.into(), sizes.into(), values, nulls))
        }
        T::LargeListView(field) => {
            let (values, mut offsets) = child(random, field);
            let sizes: Vec<i64> = offsets.windows(2).map(|pair| i64::from(pair[1] - pair[0])).collect();
            offsets.pop();
            Arc::new(LargeListViewArray::new(
                field.clone(),
                long(offsets).into(),
                sizes.into(),
                values,
                nulls,
            ))
        }
        T::FixedSizeList(field, size) => {
            let values = array(random, field.data_type(), length * *size as usize, true);
            let list = FixedSizeListArray::try_new_with_length(field.clone(), *size, values, nulls, length);
            Arc::new(list.unwrap())
        }
        T::Map(field, _) => {
            let (entries, offsets) = child(random, field);
            let entries = entries.as_any().downcast_ref::<StructArray>().unwrap().clone();
            Arc::new(MapArray::new(field.clone(), OffsetBuffer::new(offsets.into()), entries, nulls, false))
        }
        T::Struct(fields) => {
            let of = |field: &Arc<Field>| array(random, field.data_type(), length, field.is_nullable());
            let columns = fields.iter().map(of).collect();
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, length).unwrap())
        }
        other => panic!("no test values of {other}"),
    }
}

fn batch(random: &mut Random, fields: Fields, length: usize) -> RecordBatch {
    let columns = fields.iter().map(|f| array(random, f.data_type(), length, f.is_nullable())).collect();
    RecordBatch::from(StructArray::try_new_with_length(fields, columns, None, length).unwrap())
}

/// Logical equality by cells: two arrays with the same JSON text under the strict rules are the same, so the
/// second text is compared as well as the arrays.
fn round_trip(batch: &RecordBatch) {
    let schema = batch.schema();
    let mut typings = Typing::of_schema(&schema);
    let text = encoded(std::slice::from_ref(batch), &schema, &typings).unwrap();
    assert_eq!(scanned(&text).end.row, batch.num_rows() as u64);
    for line in text.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
        assert!(
            serde_json::from_slice::<serde_json::Value>(line).is_ok(),
            "{}",
            String::from_utf8_lossy(line)
        );
    }
    let back = decoded(&text, &schema, &typings).unwrap();
    let back = arrow_select::concat::concat_batches(
        &back.first().map_or(schema.clone(), RecordBatch::schema),
        &back,
    )
    .unwrap();
    assert_eq!(back.num_rows(), batch.num_rows());
    for (mine, theirs) in back.columns().iter().zip(batch.columns()) {
        assert!(
            mine.to_data() == theirs.to_data(),
            "{}\n{mine:?}\n{theirs:?}",
            String::from_utf8_lossy(&text)
        );
    }
    typings.iter_mut().for_each(|typing| typing.absence = super::super::Absence::Missing);
    let left_out = encoded(std::slice::from_ref(batch), &schema, &typings).unwrap();
    let again = decoded(&left_out, &schema, &typings).unwrap();
    assert_eq!(again.first().map(|batch| batch.columns()), (back.num_rows() > 0).then(|| back.columns()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nested_batches_come_back(seed in any::<u64>(), columns in 0_usize..5, rows in 0_usize..20) {
        let mut random = Random(seed);
        let field = |at| Field::new(format!("c{at}"), random_type(&mut random, 3), true);
        let fields: Fields = (0..columns).map(field).collect();
        round_trip(&batch(&mut random, fields, rows));
    }
}

#[test]
fn every_type_comes_back() {
    let mut random = Random(7);
    for data_type in leaf_types() {
        for nullable in [true, data_type == DataType::Null] {
            let fields = Fields::from(vec![Field::new("value", data_type.clone(), nullable)]);
            round_trip(&batch(&mut random, fields, 300));
        }
    }
}

#[test]
fn a_slice_is_written_from_its_own_start() {
    let mut random = Random(11);
    let fields: Fields =
        leaf_types().into_iter().enumerate().map(|(at, t)| Field::new(format!("{at}"), t, true)).collect();
    round_trip(&batch(&mut random, fields, 40).slice(13, 20));
}

#[test]
fn dictionaries_and_runs_come_back_as_their_values() {
    let mut words = StringDictionaryBuilder::<Int8Type>::new();
    for word in [Some("a"), None, Some("b"), Some("a"), Some("a")] {
        words.append_option(word);
    }
    let words = words.finish();
    let runs =
        [Some("x"), Some("x"), None, Some("y"), Some("y")].into_iter().collect::<RunArray<Int32Type>>();
    let fields = vec![
        Field::new("words", words.data_type().clone(), true),
        Field::new("runs", runs.data_type().clone(), true),
    ];
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(words), Arc::new(runs)]).unwrap();
    let mut typings = Typing::of_schema(&schema);
    let text = encoded(std::slice::from_ref(&batch), &schema, &typings).unwrap();
    let expected = "{\"words\":\"a\",\"runs\":\"x\"}\n{\"words\":null,\"runs\":\"x\"}\n{\"words\":\"b\",\"runs\":null}\n\
        {\"words\":\"a\",\"runs\":\"y\"}\n{\"words\":\"a\",\"runs\":\"y\"}\n";
    assert_eq!(String::from_utf8(text.clone()).unwrap(), expected);
    let back = decoded(&text, &schema, &typings).unwrap();
    assert_eq!(*back[0].column(0).data_type(), DataType::Utf8);
    let strings = StringArray::from(vec![Some("a"), None, Some("b"), Some("a"), Some("a")]);
    assert_eq!(back[0].column(0).as_ref(), &strings as &dyn Array);
    typings.iter_mut().for_each(|typing| typing.absence = super::super::Absence::Missing);
    let text = String::from_utf8(encoded(&[batch], &schema, &typings).unwrap()).unwrap();
    assert!(text.contains("\n{\"runs\":\"x\"}\n{\"words\":\"b\"}\n"), "{text}");
}

#[test]
fn known_texts() {
    let fields = vec![
        Field::new("f", DataType::Float32, true),
        Field::new("d", DataType::Decimal128(10, 3), true),
        Field::new("b", DataType::Binary, true),
    ];
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![
            Arc::new(arrow_array::Float32Array::from(vec![0.1, f32::NEG_INFINITY])),
            Arc::new(
                arrow_array::Decimal128Array::from(vec![-5, 12_345]).with_precision_and_scale(10, 3).unwrap(),
            ),
            Arc::new(BinaryArray::from(vec![b"hi".as_slice(), b""])),
        ],
    )
    .unwrap();
    let text =
        encoded(std::slice::from_ref(&batch), &batch.schema(), &Typing::of_schema(&batch.schema())).unwrap();
    let expected = "{\"f\":0.1,\"d\":-0.005,\"b\":\"aGk=\"}\n{\"f\":\"-Infinity\",\"d\":12.345,\"b\":\"\"}\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn batches_end_where_absent_values_fill_them() {
    let wide = Field::new("a", DataType::FixedSizeBinary(1 << 20), true);
    let schema = Schema::new(vec![Field::new_struct("s", vec![wide], true)]);
    let text = "{\"s\":null}\n".repeat(64);
    let batches = decoded(text.as_bytes(), &schema, &Typing::of_schema(&schema)).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 64);
    assert!(batches.iter().all(|batch| batch.num_rows() <= 32), "{}", batches.len());
}

#[test]
fn nulls_that_would_fill_the_memory_are_refused() {
    let list = |item: DataType| Schema::new(vec![Field::new_list("l", Field::new("item", item, true), true)]);
    let vector = |item: DataType, width| {
        let item = Arc::new(Field::new("item", item, true));
        DataType::FixedSizeList(item, width)
    };
    let nulls = |count: usize| format!("{{\"l\":[{}]}}\n", vec!["null"; count].join(","));
    let wide: Vec<Field> =
        (0..4).map(|at| Field::new(format!("w{at}"), vector(DataType::Int8, 1 << 26), true)).collect();
    let (one, two, empty) = (nulls(1), nulls(2), "{\"l\":[{}]}\n".to_owned());
    let refused = [
        (list(DataType::FixedSizeBinary((1 << 27) + 1)), &two),
        (list(vector(DataType::Int8, 1 << 26)), &one),
        (list(vector(DataType::Decimal256(76, 0), 1 << 24)), &one),
        (list(DataType::Struct(wide.clone().into())), &one),
        (list(DataType::Struct(wide.into())), &empty),
    ];
    for (schema, text) in refused {
        let mut typings = Typing::of_schema(&schema);
        for field in &mut typings[0].children[0].children {
            field.absence = super::super::Absence::Mixed;
        }
        match decoded(text.as_bytes(), &schema, &typings) {
            Err(Error::Limit { place, what, max, .. }) => {
                assert_eq!((what, max), ("bytes that the nulls of one record hold", 256 << 20));
                assert!(place.row == Some(1) && place.column.is_some(), "{place:?}");
            }
            other => panic!("{schema:?}: {:?}", other.map(|batches| batches.len())),
        }
    }
    // Those of several records are in batches of their own.
    let small = list(DataType::FixedSizeBinary(1 << 20));
    let batches = decoded(two.repeat(3).as_bytes(), &small, &Typing::of_schema(&small)).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn what_json_cannot_hold_is_refused() {
    let twice =
        Schema::new(vec![Field::new("a", DataType::Int8, true), Field::new("a", DataType::Int8, true)]);
    let union = DataType::Union(
        [(0, Arc::new(Field::new("x", DataType::Int8, true)))].into_iter().collect(),
        arrow_schema::UnionMode::Dense,
    );
    let union = Schema::new(vec![Field::new("u", union, true)]);
    for schema in [twice, union] {
        let refused = Encoder::new(&schema, &Typing::of_schema(&schema));
        assert!(matches!(refused, Err(Error::Unsupported { .. })));
    }
    // A column that must hold JSON text, but does not.
    let schema = Arc::new(Schema::new(vec![Field::new("j", DataType::Utf8, true)]));
    let typings = [Typing { style: super::super::Style::Json, reversible: true, ..Typing::default() }];
    for bad in ["{", "1 2", "[1,\n2]", " 1", "null", "NaN"] {
        let batch =
            RecordBatch::try_new(schema.clone(), vec![Arc::new(StringArray::from(vec![bad]))]).unwrap();
        assert!(matches!(encoded(&[batch], &schema, &typings), Err(Error::Malformed { .. })), "{bad}");
    }
}
