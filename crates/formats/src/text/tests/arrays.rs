//! Typed values to text and back, for every type that text can carry.

use super::format;
use crate::text::{ColumnParser, ColumnTyping, RawField, parse_type};
use arrow_array::builder::{Int32Builder, MapBuilder, StringBuilder};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Int32Array, LargeListArray, ListArray, StringArray, StructArray,
    make_array,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, i256};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, TimeUnit};
use proptest::prelude::*;
use std::sync::Arc;

/// Parses the text of an array back and compares, then again from a slice of it.
fn check(array: &ArrayRef) -> Result<(), TestCaseError> {
    let typing = ColumnTyping::default_for(array.data_type()).unwrap();
    prop_assert!(typing.reversible);
    prop_assert_eq!(&ColumnTyping::from_json(&typing.to_json().unwrap()).unwrap(), &typing);
    for array in [array.clone(), array.slice(array.len() / 3, array.len() / 2)] {
        let texts = format(&typing, &array);
        let mut parser = ColumnParser::new(&typing).unwrap();
        for (text, is_value) in &texts {
            let field = RawField { bytes: text.as_bytes(), quoted: *is_value };
            prop_assert_eq!(parser.push(field), Ok(()), "{} of {}", text, array.data_type());
        }
        let back = parser.finish().unwrap();
        prop_assert_eq!(back.data_type(), array.data_type());
        prop_assert_eq!(back.len(), array.len());
        prop_assert_eq!(format(&typing, &back), texts);
        prop_assert_eq!(
            back.logical_nulls().map(|n| n.null_count()).unwrap_or(0),
            array.logical_null_count()
        );
        if !holds_nan(&array)
            && !matches!(array.data_type(), DataType::Dictionary(..) | DataType::RunEndEncoded(..))
        {
            prop_assert_eq!(&back, &array);
        }
    }
    Ok(())
}

fn holds_nan(array: &ArrayRef) -> bool {
    array.data_type().is_floating()
}

/// Types whose values are any bits of their width.
const FIXED_WIDTH: [(&str, usize); 21] = [
    ("int8", 1),
    ("int16", 2),
    ("int32", 4),
    ("int64", 8),
    ("uint8", 1),
    ("uint16", 2),
    ("uint32", 4),
    ("uint64", 8),
    ("float16", 2),
    ("float32", 4),
    ("float64", 8),
    ("date", 4),
    ("date64", 8),
    ("timestamp[s]", 8),
    ("timestamp[ms, UTC]", 8),
    ("timestamp[us, Europe/Berlin]", 8),
    ("timestamp[ns, +05:30]", 8),
    ("duration[s]", 8),
    ("duration[ns]", 8),
    ("interval[year_month]", 4),
    ("interval[day_time]", 8),
];

fn from_bytes(data_type: DataType, width: usize, bytes: &[u8], nulls: &[bool]) -> ArrayRef {
    let rows = (bytes.len() / width).min(nulls.len());
    let nulls = NullBuffer::from(&nulls[..rows]);
    let data = ArrayData::builder(data_type)
        .len(rows)
        .add_buffer(Buffer::from(&bytes[..rows * width]))
        .nulls(Some(nulls))
        .align_buffers(true)
        .build();
    make_array(data.unwrap())
}

fn text_array(texts: &[Option<String>]) -> ArrayRef {
    Arc::new(StringArray::from_iter(texts.iter().map(Option::as_deref)))
}

fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
    prop::collection::vec(prop::option::weighted(0.8, any::<String>()), 0..12)
}

fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, true))
}

/// Offsets of lists over so many items.
fn cut(items: usize, cuts: &[usize]) -> OffsetBuffer<i32> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (items + 1)).collect();
    ends.sort_unstable();
    let mut lengths = Vec::new();
    let mut last = 0;
    for end in ends {
        lengths.push(end - last);
        last = end;
    }
    OffsetBuffer::from_lengths(lengths)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bits_come_back(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0u8), Just(0xFF)], 0..200),
        nulls in prop::collection::vec(any::<bool>(), 200),
    ) {
        for (name, width) in FIXED_WIDTH {
            check(&from_bytes(parse_type(name).unwrap(), width, &bytes, &nulls))?;
        }
        check(&from_bytes(parse_type("interval[month_day_nano]").unwrap(), 16, &bytes, &nulls))?;
    }

    #[test]
    fn times_come_back(
        values in prop::collection::vec(0i64..86_400, 0..20),
        nulls in prop::collection::vec(any::<bool>(), 20),
    ) {
        const UNITS: [(&str, i64); 4] =
            [("time[s]", 1), ("time[ms]", 1_000), ("time[us]", 1_000_000), ("time[ns]", 1_000_000_000)];
        for (name, scale) in UNITS {
            let data_type = parse_type(name).unwrap();
            let bytes: Vec<u8> = if matches!(data_type, DataType::Time32(_)) {
                let short = |v: &i64| (v * scale) as i32 + 7 * i32::from(scale > 7);
                values.iter().flat_map(|v| short(v).to_le_bytes()).collect()
            } else {
                values.iter().flat_map(|v| (v * scale + 7).to_le_bytes()).collect()
            };
            let width = if matches!(data_type, DataType::Time32(_)) { 4 } else { 8 };
            check(&from_bytes(data_type, width, &bytes, &nulls))?;
        }
    }

    #[test]
    fn decimals_come_back(
        values in prop::collection::vec(any::<i128>(), 0..20),
        scale in -5i8..=9,
        shift in 0u32..100,
    ) {
        let nulls = vec![true; values.len()];
        let bounded = |digits: u32| values.iter().map(move |v| (v >> shift) % 10i128.pow(digits));
        let bytes: Vec<u8> = bounded(9).flat_map(|v| (v as i32).to_le_bytes()).collect();
        check(&from_bytes(DataType::Decimal32(9, scale), 4, &bytes, &nulls))?;
        let bytes: Vec<u8> = bounded(18).flat_map(|v| (v as i64).to_le_bytes()).collect();
        check(&from_bytes(DataType::Decimal64(18, scale), 8, &bytes, &nulls))?;
        let bytes: Vec<u8> = bounded(38).flat_map(i128::to_le_bytes).collect();
        check(&from_bytes(DataType::Decimal128(38, scale * 4), 16, &bytes, &nulls))?;
        let factor = i256::from_i128(10i128.pow(37));
        let wide = bounded(38).map(|v| i256::from_i128(v).wrapping_mul(factor));
        let bytes: Vec<u8> = wide.flat_map(|v| v.to_le_bytes()).collect();
        check(&from_bytes(DataType::Decimal256(76, scale * 8), 32, &bytes, &nulls))?;
    }

    #[test]
    fn text_and_bytes_come_back(texts in texts()) {
        let array = text_array(&texts);
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let run = DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            Arc::new(Field::new("values", DataType::Utf8, true)),
        );
        for t in [
            DataType::Utf8,
            DataType::LargeUtf8,
            DataType::Utf8View,
            DataType::Binary,
            DataType::LargeBinary,
            DataType::BinaryView,
            dictionary,
        ] {
            check(&arrow_cast::cast(&array, &t).unwrap())?;
        }
        // Arrow cannot encode no rows as runs.
        if !array.is_empty() && array.len() / 2 > 0 {
            check(&arrow_cast::cast(&array, &run).unwrap())?;
        }
        let padded: Vec<Option<String>> =
            texts.iter().map(|t| t.as_ref().map(|t| format!("{:04}", t.len()))).collect();
        let binary = arrow_cast::cast(&text_array(&padded), &DataType::Binary).unwrap();
        check(&arrow_cast::cast(&binary, &DataType::FixedSizeBinary(4)).unwrap())?;
    }

    #[test]
    fn nested_values_come_back(
        texts in texts(),
        numbers in prop::collection::vec(prop::option::of(any::<i32>()), 0..12),
        floats in prop::collection::vec(
            prop_oneof![-1e300..1e300f64, Just(f64::INFINITY), Just(-0.0)],
            0..12,
        ),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let rows = texts.len().min(numbers.len()).min(floats.len());
        let text = text_array(&texts).slice(0, rows);
        let number: ArrayRef = Arc::new(Int32Array::from(numbers).slice(0, rows));
        let float: ArrayRef = Arc::new(arrow_array::Float64Array::from(floats).slice(0, rows));
        let stamp = arrow_cast::cast(
            &arrow_cast::cast(&number, &DataType::Int64).unwrap(),
            &DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        ).unwrap();
        let structs: ArrayRef = Arc::new(StructArray::new(
            vec![
                Field::new("a \"b\"", DataType::Utf8, true),
                Field::new("n", DataType::Int32, true),
                Field::new("f", DataType::Float64, true),
                Field::new("t", stamp.data_type().clone(), true),
            ].into(),
            vec![text.clone(), number.clone(), float, stamp],
            Some(NullBuffer::from_iter((0..rows).map(|row| row % 3 != 1))),
        ));
        check(&structs)?;
        let offsets = cut(rows, &cuts);
        let lists = offsets.len() - 1;
        let nulls = NullBuffer::from_iter((0..lists).map(|row| row % 4 != 2));
        let list: ArrayRef =
            Arc::new(ListArray::new(item(structs.data_type().clone()), offsets, structs, Some(nulls)));
        let list_field = item(list.data_type().clone());
        let outer: ArrayRef = Arc::new(ListArray::new(list_field, cut(list.len(), &cuts), list, None));
        check(&outer)?;
        let long = OffsetBuffer::<i64>::from_lengths([rows]);
        check(&(Arc::new(LargeListArray::new(item(DataType::Utf8), long, text, None)) as ArrayRef))?;
        let pairs = number.slice(0, rows / 2 * 2);
        let nulls = NullBuffer::from_iter((0..rows / 2).map(|row| row % 2 == 0));
        let fixed = item(DataType::Int32);
        let fixed = FixedSizeListArray::try_new_with_length(fixed, 2, pairs, Some(nulls), rows / 2);
        check(&(Arc::new(fixed.unwrap()) as ArrayRef))?;
    }
}

#[test]
fn maps_come_back_with_their_order_and_repeated_keys() {
    let mut by_text = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    let mut by_number = MapBuilder::new(None, Int32Builder::new(), StringBuilder::new());
    for row in 0..6 {
        for entry in 0..row {
            by_text.keys().append_value(if entry == 2 { "a" } else { "b\n" });
            by_text.values().append_option((entry != 1).then_some(entry));
            by_number.keys().append_value(-entry);
            by_number.values().append_option((entry != 1).then_some("x"));
        }
        by_text.append(row != 4).unwrap();
        by_number.append(true).unwrap();
    }
    check(&(Arc::new(by_text.finish()) as ArrayRef)).unwrap();
    check(&(Arc::new(by_number.finish()) as ArrayRef)).unwrap();
}

#[test]
fn nothing_but_null_comes_back() {
    check(&arrow_array::new_null_array(&DataType::Null, 5)).unwrap();
    check(&arrow_array::new_null_array(&DataType::Boolean, 5)).unwrap();
}

#[test]
fn documented_texts_are_what_is_written() {
    let cases = [
        ("timestamp[us, +02:00]", 1i64, "1970-01-01T02:00:00.000001+02:00"),
        ("timestamp[us, Europe/Berlin]", 1, "1970-01-01T00:00:00.000001Z"),
        ("timestamp[s]", -1, "1969-12-31T23:59:59"),
        ("duration[ms]", 1_500, "PT1.500S"),
        ("duration[s]", -2, "PT-2S"),
        ("date64", 86_400_000, "1970-01-02"),
        ("date64", 1, "1970-01-01T00:00:00.001"),
    ];
    for (name, value, text) in cases {
        let data_type = parse_type(name).unwrap();
        let typing = ColumnTyping::default_for(&data_type).unwrap();
        let array = from_bytes(data_type, 8, &value.to_le_bytes(), &[true]);
        assert_eq!(format(&typing, &array), [(text.to_owned(), true)]);
    }
}

#[test]
fn types_beyond_text_are_refused() {
    let mut deep = DataType::Int32;
    for _ in 0..70 {
        deep = DataType::List(item(deep));
    }
    assert!(matches!(ColumnTyping::default_for(&deep), Err(crate::Error::Limit { .. })));
    let union = DataType::Union(arrow_schema::UnionFields::empty(), arrow_schema::UnionMode::Sparse);
    assert!(matches!(ColumnTyping::default_for(&union), Err(crate::Error::Unsupported { .. })));
}

#[test]
fn nested_text_is_read_strictly() {
    let data_type = DataType::List(item(DataType::Float64));
    let typing = ColumnTyping::default_for(&data_type).unwrap();
    for text in ["[1.0", "[1.0,]", "[ 1.0]", "[01.0]", "[\"1.0\"]", "[nan]", "null", "[1.0]x", "{}"] {
        let mut parser = ColumnParser::new(&typing).unwrap();
        assert!(parser.push(RawField::plain(text.as_bytes())).is_err(), "{text}");
        assert!(parser.push(RawField::plain(b"[1.0,\"nan\",null]")).is_ok());
        assert_eq!(parser.finish().unwrap().len(), 1);
    }
}
