//! The laws of typing, over columns made of fields that lie close to the borders between types.

use super::{STRIDE, content, format_at, parse_at, profile};
use crate::text::{DateOrder, DecimalMarks, Mode, Resolved, TypingOptions};
use proptest::prelude::*;

fn number() -> BoxedStrategy<String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        (-20i32..20).prop_map(|n| n.to_string()),
        "-?[0-9]{1,80}",
        "-?[0-9]{1,3}\\.[0-9]{2}",
        "-?[0-9]{1,20}[.,][0-9]{1,20}",
        any::<f64>().prop_map(|x| format!("{x:?}")),
        any::<f64>().prop_map(|x| format!("{x}")),
        (-1e6..1e6f64).prop_map(|x| format!("{x}")),
        "-?[0-9]{1,2}(\\.[0-9]{1,3})?[eE][+-]?[0-9]{1,3}",
        "-?0?\\.[0-9]{1,3}",
        (-1e3..1e3f64).prop_map(|x| format!("{x}0")),
        (-1e3..1e3f64).prop_map(|x| format!("{x:.15}")),
    ]
    .boxed()
}

fn moment() -> BoxedStrategy<String> {
    prop_oneof![
        "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])",
        "(0[1-9]|1[0-3])/(0[1-9]|1[0-3])/20[0-9]{2}",
        "(0[1-9]|[12][0-9])\\.(0[1-9]|1[0-2])\\.20[0-9]{2}",
        written(),
        "[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{3})?",
        "[0-2][0-9]{3}-0[1-9]-[0-2][0-9][T ][0-2][0-9]:[0-5][0-9]",
        "[0-2][0-9]{3}-0[1-9]-[0-2][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](Z|[+-]0[0-2]:?[03]0)?",
        "[0-2][0-9]{3}-0[1-9]-[0-2][0-9][T ]0[0-9]:[0-5][0-9]:[0-5][0-9]\\.[0-9]{1,9}(Z|[+-]0[0-2]:?[03]0)?",
    ]
    .boxed()
}

/// Dates as people write them, some with a time of day.
fn written() -> BoxedStrategy<String> {
    prop_oneof![
        "[01]?[0-9]/[0-3]?[0-9]/20[0-9]{2}( [12]?[0-9]:[0-5][0-9])?",
        "[01]?[0-9]/[0-3]?[0-9]/2024 [01]?[0-9]:[0-5][0-9](:[0-5][0-9])? ?[AP]M",
        "[0-3]?[0-9]\\.[01]?[0-9]\\.20[0-9]{2}",
        "20[0-9]{2}-[01]?[0-9]-[0-3]?[0-9]( [01]?[0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?)?",
        "(Jan|May|June|December) [0-3]?[0-9],? 20[0-9]{2}",
        "[0-3]?[0-9]-(Jan|MAY|May|DEC)-20[0-9]{2}( [0-9]:[0-5][0-9])?",
    ]
    .boxed()
}

fn word() -> BoxedStrategy<String> {
    const WORDS: [&str; 38] = [
        "", "\"\"", "NA", "\"NA\"", "NULL", "-", "\\N", "true", "false", "True", "FALSE", "nan", "NaN",
        "inf", "-inf", "Infinity", "0", "-0", "0.0", "-0.0", "1", "007", "+5", "1.", ".5", "1e5", "x", "1E5",
        "1.0E7", "1.00e+05", "2.50e-05", "1e+05", "1E-05", "1.00E+05", "123456", "100000", "0.00e+00",
        "\"7\"",
    ];
    prop_oneof![proptest::sample::select(&WORDS[..]).prop_map(str::to_owned), "[a-z\"é ]{0,5}"].boxed()
}

/// Numbers of one style with a few that are not.
fn odd_float() -> BoxedStrategy<String> {
    prop_oneof![
        8 => (-1e6..1e6f64).prop_map(|x| format!("{x}")),
        1 => (-1e3..1e3f64).prop_map(|x| format!("{x:.1}0")),
        1 => (-1e6..1e6f64).prop_map(|x| format!("{x:E}")),
        1 => (-9i32..9).prop_map(|x| format!("{x}e3")),
        1 => proptest::sample::select(&["nan", "NaN", "inf", "-Infinity", "", "1e999", "-0.0"][..])
            .prop_map(str::to_owned),
    ]
    .boxed()
}

/// Columns most of whose fields are of one kind.
fn column() -> impl Strategy<Value = Vec<String>> {
    let one = prop_oneof![number(), moment(), word()];
    prop_oneof![
        prop::collection::vec(one, 0..8),
        prop::collection::vec(number(), 0..8),
        prop::collection::vec(moment(), 0..6),
        prop::collection::vec(word(), 0..6),
        // Columns of one kind of number, which stay typed more often.
        prop::collection::vec((-1e6..1e6f64).prop_map(|x| format!("{x:?}")), 1..8),
        prop::collection::vec(odd_float(), 1..40),
        prop::collection::vec(proptest::sample::select(&["true", "false", "", "True", "FALSE"][..]), 1..9)
            .prop_map(|words| words.into_iter().map(str::to_owned).collect()),
        prop::collection::vec("-?[1-9]?\\.[0-9]{2}", 1..8),
        prop::collection::vec("-?[1-9][0-9]{0,20}\\.[0-9]{3}", 1..8),
        prop::collection::vec("-?[1-9][0-9]{0,40}", 1..8),
        prop::collection::vec("2020-0[1-9]-[0-2][1-9] [01][0-9]:[0-5][0-9]:[0-5][0-9]", 1..8),
        // Dates that mostly agree in what they show.
        prop::collection::vec("[1-9]/[12]?[1-9]/2024", 1..6),
        prop::collection::vec("1?[1-2]/[12]?[1-9]/2024 1?[1-2]:00( PM)?", 1..4),
        prop::collection::vec("(Jan|May|May|July) [12]?[1-9], 2024", 1..4),
        // Two spellings of null among dates of any order, and what is none of these.
        prop::collection::vec("|NA|N/A|(31|[12])/(12|[12])/(1999|2024)|32/1/2024|1|x", 2..9),
    ]
}

fn options() -> impl Strategy<Value = TypingOptions> {
    let mode = prop_oneof![4 => Just(Mode::Reversible), 2 => Just(Mode::Value), 1 => Just(Mode::Text)];
    let tokens = prop_oneof![
        4 => Just(vec![]),
        1 => Just(vec!["NA"]),
        1 => Just(vec!["", "NA"]),
        2 => Just(vec!["NA", "-", "0"]),
        1 => Just(vec!["nan", "NULL", "true", ""]),
    ];
    let order = prop_oneof![Just(DateOrder::Unknown), Just(DateOrder::DayFirst), Just(DateOrder::MonthFirst)];
    let marks = prop_oneof![Just(DecimalMarks::Point), Just(DecimalMarks::Comma), Just(DecimalMarks::Either)];
    (mode, tokens, order, marks).prop_map(|(mode, tokens, date_order, decimal_marks)| TypingOptions {
        mode,
        null_tokens: tokens.into_iter().map(str::to_owned).collect(),
        date_order,
        decimal_marks,
        marks_told: false,
        fixed: None,
    })
}

/// A stride between rows: exceptions that stand close make a column text.
fn stride() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1), Just(STRIDE), Just(2 * STRIDE)]
}

fn resolve_at(options: &TypingOptions, fields: &[&str], stride: u64) -> Resolved {
    profile(options, fields, stride).expect("options of a test are valid").resolve()
}

fn refs(fields: &[String]) -> Vec<&str> {
    fields.iter().map(String::as_str).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Type and style give back every field's text.
    #[test]
    fn a_reversible_typing_gives_back_the_text(
        options in options(),
        fields in column(),
        stride in stride(),
    ) {
        let fields = refs(&fields);
        let typing = resolve_at(&options, &fields, stride).typing;
        let array = parse_at(&typing, &fields, 0, stride);
        prop_assert!(array.is_some(), "{typing:?}");
        let json = typing.to_json().unwrap();
        prop_assert_eq!(&crate::text::ColumnTyping::from_json(&json).unwrap(), &typing);
        if let Some(array) = array.filter(|_| typing.reversible) {
            prop_assert_eq!(array.data_type(), &typing.data_type);
            let expected: Vec<_> = fields.iter().map(|text| content(&typing, text)).collect();
            prop_assert_eq!(format_at(&typing, &array, stride), expected, "{:?}", typing);
        }
    }

    /// Merging in any grouping and order gives what one profile of all rows gives.
    #[test]
    fn profiles_merge_to_the_whole(
        options in options(),
        fields in column(),
        owners in prop::collection::vec(0usize..4, 40),
        order in Just(vec![0usize, 1, 2, 3]).prop_shuffle(),
        stride in stride(),
    ) {
        let fields = refs(&fields);
        let whole = resolve_at(&options, &fields, stride);
        let mut parts: Vec<_> = (0..4).map(|_| profile(&options, &[], 1).unwrap()).collect();
        for (row, text) in fields.iter().enumerate() {
            parts[owners[row]].observe(row as u64 * stride, super::field(text));
        }
        let mut left = profile(&options, &[], 1).unwrap();
        for &part in &order {
            left.merge(&parts[part]);
        }
        prop_assert_eq!(&left.resolve(), &whole);
        let (mut a, mut b) = (parts[order[3]].clone(), parts[order[1]].clone());
        a.merge(&parts[order[2]]);
        b.merge(&parts[order[0]]);
        b.merge(&a);
        prop_assert_eq!(&b.resolve(), &whole);
    }

    /// A field that fits the typing of a sample does not change it.
    #[test]
    fn a_fitting_field_changes_nothing(
        options in options(),
        fields in column(),
        more in column(),
        stride in stride(),
    ) {
        let mut fields = refs(&fields);
        let typing = resolve_at(&options, &fields, stride).typing;
        for text in &more {
            if parse_at(&typing, &[text], fields.len() as u64 * stride, 1).is_some() {
                fields.push(text);
            }
        }
        prop_assert_eq!(resolve_at(&options, &fields, stride).typing, typing);
    }

    /// A field that does not fit leaves the parser as it was.
    #[test]
    fn a_misfit_leaves_no_trace(fields in column(), more in column()) {
        let fields = refs(&fields);
        let typing = resolve_at(&TypingOptions::default(), &fields, 1).typing;
        let mut parser = super::ColumnParser::new(&typing).unwrap();
        for text in fields.iter().copied().chain(refs(&more)) {
            let before = parser.rows();
            let fits = parse_at(&typing, &[text], before as u64, 1).is_some();
            let taken = parser.push(super::field(text));
            prop_assert_eq!(taken.is_ok(), fits);
            prop_assert_eq!(parser.rows(), before + usize::from(fits));
        }
        let rows = parser.rows();
        prop_assert_eq!(parser.finish().unwrap().len(), rows);
    }
}
