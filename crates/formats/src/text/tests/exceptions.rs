//! Fields that are kept as exceptions to the style of their column.

use super::{format, parse, parse_at};
use crate::limits::EXCEPTIONS_MAX;
use crate::text::{ColumnFormatter, ColumnTyping, Form, Mode, Profile, RawField, Resolved, TypingOptions};
use arrow_array::{ArrayRef, Float64Array};
use arrow_schema::DataType;
use std::sync::Arc;

/// A column of floats, every hundredth of which has a trailing zero, profiled in pieces.
fn sparse(exceptions: usize) -> Resolved {
    let mut pieces = vec![Profile::new(); 7];
    for row in 0..exceptions * 100 + 50 {
        let text = if row % 100 == 50 { "2.50".to_owned() } else { format!("{row}.25") };
        // The last fifty rows have none, and the first one keeps the column from being decimals of one scale.
        let text = if row > 0 && row / 100 < exceptions { text } else { "0.125".to_owned() };
        pieces[row / 777 % 7].observe(row as u64, RawField::plain(text.as_bytes()));
    }
    let mut whole = Profile::new();
    for piece in pieces.iter().rev() {
        whole.merge(piece);
    }
    whole.resolve()
}

#[test]
fn exceptions_are_kept_up_to_their_bound() {
    let kept = sparse(EXCEPTIONS_MAX);
    assert_eq!(kept.typing.data_type, DataType::Float64);
    assert_eq!(kept.typing.style.exceptions.len(), EXCEPTIONS_MAX);
    assert_eq!(
        kept.why,
        "record 51: \"2.50\" has trailing zeros; the texts of it and 999 more are kept as exceptions"
    );
    assert_eq!(ColumnTyping::from_json(&kept.typing.to_json().unwrap()).unwrap(), kept.typing);
    let beyond = sparse(EXCEPTIONS_MAX + 1);
    assert_eq!(beyond.typing.style.form, Form::Text);
    let why = "record 100051: \"2.50\" has trailing zeros; the rows before it are float64, and 1000 of them are \
               exceptions already, of which a column keeps at most 1000 and one in 100 rows";
    assert!(beyond.why.starts_with(why), "{}", beyond.why);
}

#[test]
fn json_with_too_many_exceptions_is_refused() {
    let typing = sparse(3).typing;
    let good = typing.to_json().unwrap();
    let rows = [(0..=EXCEPTIONS_MAX).collect::<Vec<_>>(), vec![1, 1]];
    for rows in rows {
        let mut bad = good.clone();
        bad["style"]["exceptions"] = rows.into_iter().map(|row| serde_json::json!([row, "2.50"])).collect();
        assert!(ColumnTyping::from_json(&bad).is_err());
    }
    let mut odd = good;
    odd["style"]["exceptions"] = serde_json::json!([[5, "x"]]);
    let odd = ColumnTyping::from_json(&odd).unwrap();
    assert!(crate::text::ColumnParser::new(&odd).is_err());
}

#[test]
fn an_exception_stands_in_its_row_for_its_value() {
    let typing = sparse(1).typing;
    assert_eq!(typing.style.exceptions[0].row, 50);
    assert!(parse_at(&typing, &["2.50"], 50, 1).is_some());
    assert!(parse_at(&typing, &["1.25", "2.50", "3.25", ""], 49, 1).is_some());
    for row in [49, 51] {
        assert!(parse_at(&typing, &["2.50"], row, 1).is_none());
    }
    // Its value in the text of the style would be given back as the exception.
    assert!(parse_at(&typing, &["2.5"], 50, 1).is_none());
    assert!(parse_at(&typing, &["7.5"], 50, 1).is_some());
    assert!(parse_at(&typing, &["7.50"], 50, 1).is_none());
}

#[test]
fn another_value_in_the_row_of_an_exception_is_written_in_the_style() {
    let typing = sparse(1).typing;
    let array: ArrayRef = Arc::new(Float64Array::from(vec![Some(2.5), Some(7.5), None]));
    let texts = ["2.50", "7.5", ""];
    for (row, text) in texts.into_iter().enumerate() {
        let mut out = Vec::new();
        let one = array.slice(row, 1);
        ColumnFormatter::at_row(&typing, &one, 50).unwrap().write(0, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
    assert_eq!(format(&typing, &array)[0].0, "2.5");
}

#[test]
fn exceptions_do_not_need_a_row_of_their_own_type() {
    let mut profile = Profile::new();
    for (row, text) in ["1", "NA", "1e3", "", "3"].iter().enumerate() {
        profile.observe(row as u64, RawField::plain(text.as_bytes()));
    }
    assert_eq!(profile.resolve().typing.style.form, Form::Text);
    let mut profile = Profile::new();
    for (row, text) in ["1", "NA", "1e3", "NA", "3"].iter().enumerate() {
        profile.observe(row as u64, RawField::plain(text.as_bytes()));
    }
    let typing = profile.resolve().typing;
    assert!(typing.reversible);
    let array = parse(&typing, &["1", "NA", "1e3", "NA", "3"]).unwrap();
    let texts: Vec<String> = format(&typing, &array).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, ["1", "NA", "1e3", "NA", "3"]);
}

/// A column under several given spellings of null.
fn spelled(fields: &[&str], tokens: &[&str], mode: Mode, stride: u64) -> Resolved {
    let null_tokens = tokens.iter().map(|&token| token.to_owned()).collect();
    let options = TypingOptions { null_tokens, mode, ..TypingOptions::default() };
    super::profile(&options, fields, stride).unwrap().resolve()
}

#[test]
fn the_rarer_spelling_of_null_is_an_exception() {
    for (fields, data_type) in [
        (["7", "NULL", "NULL", "NA", "NULL", "8"], DataType::Int64),
        (["x", "NULL", "NULL", "NA", "NULL", "\"NA\""], DataType::Utf8),
        (["1.5", "NULL", "NULL", "NA", "NULL", "2.5E1"], DataType::Float64),
        (["NULL", "NULL", "NULL", "NA", "NULL", "NULL"], DataType::Utf8),
    ] {
        for mode in [Mode::Reversible, Mode::Value, Mode::Text] {
            let found = spelled(&fields, &["NA", "NULL", "NA"], mode, super::STRIDE);
            let typing = found.typing;
            assert!(typing.reversible && typing.style.null.as_deref() == Some("NULL"), "{typing:?}");
            let wanted = if mode == Mode::Text { &DataType::Utf8 } else { &data_type };
            assert_eq!(&typing.data_type, wanted);
            let why = "record 181: \"NA\" is another spelling of null; it is kept as an exception";
            assert!(found.why.ends_with(why), "{}", found.why);
            let array = parse_at(&typing, &fields, 0, super::STRIDE).unwrap();
            let expected: Vec<_> = fields.iter().map(|text| super::content(&typing, text)).collect();
            assert_eq!(super::format_at(&typing, &array, super::STRIDE), expected);
            // In the row of the exception the usual spelling would be given back as the rare one.
            assert!(parse_at(&typing, &["NULL"], 3 * super::STRIDE, 1).is_none());
            assert!(parse_at(&typing, &["NA"], 2 * super::STRIDE, 1).is_none());
        }
    }
}

#[test]
fn too_many_spellings_of_null_are_all_null_all_the_same() {
    let rows = 2 * EXCEPTIONS_MAX + 2;
    let fields: Vec<&str> = (0..rows).map(|row| ["NULL", "\\N"][row % 2]).collect();
    for (first, mode, data_type) in
        [("7", Mode::Reversible, DataType::Int64), ("x", Mode::Text, DataType::Utf8)]
    {
        let fields = [&[first], fields.as_slice()].concat();
        let kept = spelled(&fields[..rows], &["NA", "NULL", "\\N"], mode, 1).typing;
        assert!(kept.reversible && kept.style.exceptions.len() == EXCEPTIONS_MAX, "{kept:?}");
        let lost = spelled(&fields, &["NA", "NULL", "\\N"], mode, 1);
        assert!(!lost.typing.reversible);
        assert_eq!((&lost.typing.data_type, lost.typing.style.also_null.len()), (&data_type, 2));
        let why = "record 3: \"\\\\N\" is another spelling of null, and there are more than 1000";
        assert!(lost.why.contains(why), "{}", lost.why);
        assert_eq!(parse(&lost.typing, &fields).unwrap().null_count(), rows);
    }
}
