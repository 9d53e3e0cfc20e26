//! A table of bad input, each with the record and byte that its error must name.

use super::*;
use crate::{Error, Place};

const BAD: [(&str, u64, u64, &str); 33] = [
    ("{\"a\":1}\n{\"a\":", 2, 13, "ends too early"),
    ("{\"a\":1}\n{\"a\":\"x", 2, 15, "ends inside a string"),
    ("{\"a\":1}\n{\"a\"", 2, 12, "ends too early"),
    ("{\"a\":1}\n{", 2, 9, "ends too early"),
    ("{\"a\":1,}", 1, 7, "after the comma"),
    ("{\"a\":[1,]}", 1, 8, "after the comma"),
    ("{\"a\":NaN}", 1, 5, "JSON has no NaN"),
    ("{\"a\":Infinity}", 1, 5, "JSON has no NaN"),
    ("{\"a\":nul}", 1, 5, "value was expected"),
    ("{\"a\":nullx}", 1, 5, "value was expected"),
    ("{\"a\":truely}", 1, 5, "value was expected"),
    ("{\"a\":\"\\ud800\"}", 1, 6, "surrogate"),
    ("{\"a\":\"\\udc00x\"}", 1, 6, "surrogate"),
    ("{\"a\":\"\\q\"}", 1, 6, "unknown escape"),
    ("{\"a\":\"\\u12g4\"}", 1, 6, "hexadecimal"),
    ("{\"a\":\"\u{1}\"}", 1, 6, "control character"),
    ("{\"a\":\"\t\"}", 1, 6, "control character"),
    ("{\"a\":1,\"a\":2}", 1, 7, "twice"),
    ("{\"b\":{\"a\":1,\"\\u0061\":2}}", 1, 12, "twice"),
    ("{\"a\":1} {\"a\":2}", 1, 8, "text after the value"),
    ("{\"a\":1},", 1, 7, "text after the value"),
    ("{\"a\":1},{\"a\":2}", 1, 7, "where commas stand between all records"),
    ("[1]", 1, 0, "this is an array; jq -c"),
    ("\n [\n{\"a\":1},", 1, 2, "this is an array; jq -c"),
    ("\n\n 5", 1, 3, "another value"),
    ("{\"a\" 1}", 1, 5, "colon"),
    ("{a:1}", 1, 1, "string was expected"),
    ("{'a':1}", 1, 1, "double quotes"),
    ("{\"a\":01}", 1, 5, "begins with a zero"),
    ("{\"a\":-}", 1, 6, "digit"),
    ("{\"a\":1.}", 1, 7, "digit"),
    ("{\"a\":1e}", 1, 7, "digit"),
    ("{\"a\":+1}", 1, 5, "value was expected"),
];

fn check(error: Error, row: u64, byte: u64, part: &str, text: &str) {
    let Error::Malformed { place, what, .. } = error else { panic!("{text}: {error}") };
    assert_eq!((place.row, place.byte), (Some(row), Some(byte)), "{text}: {what}");
    assert!(what.contains(part), "{text}: {what}");
}

#[test]
fn bad_input_is_refused_with_its_place() {
    let good = profiled(b"{\"a\":1,\"b\":{\"a\":1}}\n{\"a\":null}\n{\"a\":\"x\"}\n{\"a\":[1]}")
        .unwrap()
        .resolve(false);
    let mut typings = good.typings.clone();
    typings.iter_mut().for_each(|typing| typing.absence = super::super::Absence::Mixed);
    for (text, row, byte, part) in BAD {
        check(profiled(text.as_bytes()).expect_err(text), row, byte, part, text);
        // The decoder sees JSON text of any kind in column `a`, so that only the syntax is at fault.
        check(decoded(text.as_bytes(), &good.schema, &typings).expect_err(text), row, byte, part, text);
    }
}

#[test]
fn bytes_that_are_no_utf8_are_refused_with_their_place() {
    let mut text = b"{\"a\":1}\n\n{\"a\":\"x".to_vec();
    text.extend_from_slice(b"\xed\xa0\x80\"}\n");
    let found = profiled(b"{\"a\":1}").unwrap().resolve(false);
    for error in
        [profiled(&text).err().unwrap(), decoded(&text, &found.schema, &found.typings).err().unwrap()]
    {
        check(error, 2, 16, "UTF-8", "a surrogate as bytes");
    }
}

#[test]
fn depth_has_a_limit() {
    let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{{\"a\":{}1{}}}", "{\"b\":".repeat(depth), "}".repeat(depth));
    for (good, bad) in [(nested(64), nested(65)), (objects(64), objects(65)), (nested(64), nested(100_000))] {
        let found = profiled(good.as_bytes()).unwrap().resolve(false);
        let batches = decoded(good.as_bytes(), &found.schema, &found.typings).unwrap();
        assert_eq!(encoded(&batches, &found.schema, &found.typings).unwrap(), format!("{good}\n").as_bytes());
        assert!(matches!(profiled(bad.as_bytes()), Err(Error::Limit { .. })));
        // Under a type of depth 64 nothing deeper fits; under JSON text the limit is met again.
        assert!(decoded(bad.as_bytes(), &found.schema, &found.typings).is_err());
        let mixed = profiled(b"{\"a\":1}\n{\"a\":\"x\"}").unwrap().resolve(false);
        let error = decoded(bad.as_bytes(), &mixed.schema, &mixed.typings).err().unwrap();
        assert!(matches!(error, Error::Limit { .. }), "{error}");
    }
}

#[test]
fn what_does_not_fit_names_its_column() {
    let found = profiled(b"{\"a\":1,\"b\":{\"c\":[1.5]}}").unwrap().resolve(false);
    let cases: [(&str, usize, &str, u64); 7] = [
        ("{\"a\":1.5,\"b\":{\"c\":[1.5]}}", 0, "a", 5),
        ("{\"a\":1,\"b\":{\"c\":[1.50]}}", 1, "b.c", 17),
        ("{\"a\":1,\"b\":{\"c\":[1.5,\"x\"]}}", 1, "b.c", 21),
        ("{\"a\":1,\"b\":{\"d\":1}}", 1, "b.d", 12),
        ("{\"a\":1,\"d\":1}", 2, "d", 7),
        ("{\"a\":1}", 1, "b", 7),
        ("{\"a\":-0,\"b\":null}", 0, "a", 5),
    ];
    for (text, index, name, byte) in cases {
        let error = decoded(text.as_bytes(), &found.schema, &found.typings).expect_err(text);
        let Error::Retype { place, column } = error else { panic!("{text}: {error}") };
        let expected = Place { path: None, byte: Some(byte), row: Some(1), column: Some(name.to_owned()) };
        assert_eq!((column, *place), (index, expected), "{text}");
    }
}

#[test]
fn readings_of_equal_value_are_accepted_where_the_typing_says_so() {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
    use arrow_schema::{DataType, Field};
    let fields = [("i", DataType::Int64), ("f", DataType::Float64), ("d", DataType::Decimal128(10, 2))];
    let schema = Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec());
    let mut typings = Typing::of_schema(&schema);
    let text = b"{\"i\":10.0e1,\"f\":1.50,\"d\":1e1}";
    assert!(matches!(decoded(text, &schema, &typings), Err(Error::Retype { column: 0, .. })));
    typings.iter_mut().for_each(|typing| typing.reversible = false);
    let batch = &decoded(text, &schema, &typings).unwrap()[0];
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), 100);
    assert_eq!(batch.column(1).as_primitive::<Float64Type>().value(0), 1.5);
    assert_eq!(batch.column(2).as_primitive::<Decimal128Type>().value(0), 1_000);
    let text = b"{\"i\":1.5,\"f\":1.5,\"d\":1}";
    assert!(matches!(decoded(text, &schema, &typings), Err(Error::Retype { column: 0, .. })));
}
