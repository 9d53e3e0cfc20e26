//! Numbers that are kept as exceptions to the style of their column.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_schema::DataType;

use super::super::{Decoder, Resolved};
use super::*;
use crate::limits::EXCEPTIONS_MAX;

/// The text of records with these values of `a`.
fn text<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    values.into_iter().map(|value| format!("{{\"a\":{value}}}\n")).collect()
}

/// How the records are typed, having come back as they were.
fn typed(text: &str) -> Resolved {
    let found = profiled(text.as_bytes()).unwrap().resolve(false);
    let batches = decoded(text.as_bytes(), &found.schema, &found.typings).unwrap();
    assert!(found.typings.iter().all(Typing::is_reversible));
    assert_eq!(String::from_utf8(encoded(&batches, &found.schema, &found.typings).unwrap()).unwrap(), text);
    let wire = serde_json::to_string(&found.typings).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Typing>>(&wire).unwrap(), found.typings);
    found
}

fn exceptions(values: &[&str]) -> Vec<String> {
    let found = typed(&text(values.iter().copied()));
    assert_eq!(found.schema.field(0).data_type(), &DataType::Float64, "{values:?}");
    let why = &found.why_by_column()[0];
    assert!(why.contains("kept as"), "{why}");
    found.typings[0].exceptions.iter().map(|odd| odd.text.clone()).collect()
}

#[test]
fn integers_and_floats_are_floats_in_any_order() {
    assert_eq!(exceptions(&["1.0", "2", "0.25"]), ["2"]);
    assert_eq!(exceptions(&["2", "1.0", "null", "4"]), ["1.0"]);
    assert_eq!(exceptions(&["1.5", "2", "3.0", "4", "5"]), ["3.0"]);
    assert_eq!(exceptions(&["1E5", "1E5", "2E5", "1.5", "2.25", "7"]), ["1E5", "1E5", "2E5"]);
    assert_eq!(exceptions(&["1.50", "2.25", "3.125"]), ["1.50"]);
    assert_eq!(exceptions(&["1.5", "-0", "-0.0"]), ["-0"]);
}

#[test]
fn what_a_double_does_not_hold_is_no_exception() {
    for odd in ["9007199254740993", "0.1000000000000000000001", "1e999", "123456789012345678901.25"] {
        let found = typed(&text(["1.0", "2.5", odd]));
        assert_eq!(found.schema.field(0).data_type(), &DataType::Utf8, "{odd}");
    }
}

#[test]
fn exceptions_are_bounded() {
    let column = |odd: usize| {
        let values = (0..3 * EXCEPTIONS_MAX).map(|row| match row % 3 {
            0 if row / 3 < odd => "7",
            0 => "0.5",
            _ => "7.0",
        });
        text(values)
    };
    assert_eq!(typed(&column(EXCEPTIONS_MAX)).typings[0].exceptions.len(), EXCEPTIONS_MAX);
    let one_more = column(EXCEPTIONS_MAX) + &text(["7"]);
    assert_eq!(typed(&one_more).schema.field(0).data_type(), &DataType::Utf8);
}

#[test]
fn objects_have_exceptions_and_arrays_have_none() {
    let nested = "{\"o\":{\"x\":1.0}}\n{\"o\":null}\n{\"o\":{\"x\":2}}\n{\"o\":{\"x\":0.5}}\n";
    let found = typed(nested);
    let odd = &found.typings[0].children[0].exceptions;
    assert_eq!(odd.iter().map(|odd| (odd.row, &*odd.text)).collect::<Vec<_>>(), [(2, "2")]);
    let list = typed("{\"l\":[1.0,2,0.5]}\n");
    assert!(
        matches!(list.schema.field(0).data_type(), DataType::List(item) if *item.data_type() == DataType::Utf8)
    );
    let mut forged = list.typings.clone();
    forged[0].children[0].exceptions = odd.clone();
    assert!(Decoder::new(&list.schema, &forged).is_err());
}

#[test]
fn an_exception_stands_in_its_row_for_its_value() {
    let found = typed(&text(["1.0", "2", "0.5"]));
    let read = |values: [&str; 3]| decoded(text(values).as_bytes(), &found.schema, &found.typings);
    for misfit in [["2", "1.0", "0.5"], ["1.0", "2.0", "0.5"], ["1.0", "3", "0.5"]] {
        assert!(matches!(read(misfit), Err(crate::Error::Retype { .. })), "{misfit:?}");
    }
    let other = read(["1.0", "7.5", "0.5"]).unwrap();
    assert_eq!(other[0].column(0).as_primitive::<Float64Type>().value(1), 7.5);
    let written = encoded(&other, &found.schema, &found.typings).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), text(["1.0", "7.5", "0.5"]));
    let mut forged = found.typings.clone();
    for word in ["NaN", "1.", "1 ", "x", "9007199254740993", "123456789012345678.9", "1e-400"] {
        let odd = format!("[[1,{word:?}]]");
        forged[0].exceptions = serde_json::from_str(&odd).unwrap();
        assert!(Decoder::new(&found.schema, &forged).is_err(), "{word}");
    }
    forged[0] = found.typings[0].clone();
    forged[0].forget_rows();
    assert!(!forged[0].is_reversible());
}
