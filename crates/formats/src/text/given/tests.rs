//! Checks patterns of dates by the ways back, by what they refuse, and by columns of text.

use arrow_schema::DataType;
use proptest::prelude::*;

use super::*;
use crate::text::{
    ColumnFormatter, ColumnParser, ColumnTyping, Form, Profile, RawField, Resolved, TypingOptions, parse_type,
};

fn pattern(notation: &str) -> GivenPattern {
    GivenPattern::parse(notation).unwrap()
}

/// The reading of a timestamp in microseconds, strictly and leniently.
fn reads(notation: &str, text: &str) -> [Option<i64>; 2] {
    [false, true].map(|lenient| pattern(notation).read_units(text.as_bytes(), 6, lenient))
}

fn resolved(fixed: &str, fields: &[&str]) -> Resolved {
    let options = TypingOptions { fixed: Some(fixed.into()), ..TypingOptions::default() };
    let part = |rows: std::ops::Range<usize>| {
        let mut profile = Profile::with_options(&options).unwrap();
        rows.for_each(|row| profile.observe(row as u64, RawField::plain(fields[row].as_bytes())));
        profile
    };
    let whole = part(0..fields.len()).resolve();
    // Parts in any order conclude the same.
    let half = fields.len() / 2;
    let mut late = part(half..fields.len());
    late.merge(&part(0..half));
    assert_eq!(late.resolve(), whole);
    whole
}

/// The fields as they come back under a typing; `None` where one does not fit.
fn back(typing: &ColumnTyping, fields: &[&str]) -> Option<Vec<String>> {
    let mut parser = ColumnParser::new(typing).unwrap();
    for field in fields {
        parser.push(RawField::plain(field.as_bytes())).ok()?;
    }
    let array = parser.finish().unwrap();
    let writer = ColumnFormatter::new(typing, array.as_ref()).unwrap();
    let text = |row| {
        let mut out = Vec::new();
        writer.write(row, &mut out);
        String::from_utf8(out).unwrap()
    };
    Some((0..fields.len()).map(text).collect())
}

#[test]
fn years_of_two_digits_are_those_of_posix() {
    for (text, year) in [("69", 1969), ("99", 1999), ("00", 2000), ("68", 2068)] {
        let days = pattern("%d.%m.%y").read_days(format!("01.02.{text}").as_bytes(), false).unwrap();
        assert_eq!(datetime::civil_from_days(days), (year, 2, 1));
    }
}

#[test]
fn unknown_and_senseless_patterns_are_refused_with_the_reason() {
    for (notation, told) in [
        ("%Q", "%Q is no directive here; the directives are %Y %y"),
        ("%d.%m.%Y %z", "%z is no directive"),
        ("%", "% is no directive"),
        ("%d.%m.%d", "the day is told twice"),
        ("%m/%Y", "a date has a year, a month and a day"),
        ("%H:%M %p", "%p goes with %I"),
        ("%I:%M", "%I goes with %p"),
        ("%M", "minutes go with hours"),
        ("%-d%m%Y", "without padding"),
        ("%-d1.%m.%Y", "without padding"),
    ] {
        let error = GivenPattern::parse(notation).unwrap_err();
        assert!(error.contains(told), "{notation}: {error}");
    }
    for (given, told) in [
        ("date:%d.%m.%Y %H:%M", "take the type timestamp"),
        ("date:", "a date has a year"),
        ("time:%d.%m.%Y", "has no date"),
        ("timestamp:%H:%M", "a timestamp has a year"),
        ("timestamp[s]:%F %T.%f", "more digits of a second"),
        ("timestamp[us, Europe/Oslo]:%F %T", "only UTC"),
        ("int64:%F", "only the types date, time and timestamp"),
        ("dat:%F", "there is no type"),
    ] {
        let error = parse_given(given).unwrap_err().to_string();
        assert!(error.contains(told), "{given}: {error}");
    }
}

#[test]
fn a_pattern_begins_behind_the_colon_of_its_type() {
    let told = |text| parse_given(text).map(|(ty, p)| (ty, p.map(|p| p.as_str().to_owned()))).unwrap();
    assert_eq!(told("timestamp[us, +02:00]"), (parse_type("timestamp[us, +02:00]").unwrap(), None));
    assert_eq!(told("date:%d [%m] %Y"), (DataType::Date32, Some("%d [%m] %Y".into())));
    assert_eq!(told("time[ms]:%T.%3f"), (parse_type("time[ms]").unwrap(), Some("%T.%3f".into())));
    assert_eq!(told("timestamp[s, UTC]:%FT%TZ").1.as_deref(), Some("%FT%TZ"));
}

#[test]
fn a_lenient_reading_takes_what_strptime_takes_and_guesses_nothing() {
    let day = 19_754 * 86_400_000_000;
    assert_eq!(reads("%d.%m.%Y", "01.02.2024"), [Some(day); 2]);
    assert_eq!(reads("%d.%m.%Y", "1.2.2024"), [None, Some(day)]);
    assert_eq!(reads("%-d.%-m.%Y", "1.2.2024"), [Some(day); 2]);
    assert_eq!(reads("%-d.%-m.%Y", "01.2.2024"), [None, Some(day)]);
    assert_eq!(reads("%a %d/%b/%y %I:%M %p", "Thu 01/Feb/24 12:00 AM"), [Some(day); 2]);
    assert_eq!(reads("%a %d/%b/%y %I:%M %p", "thu 1/FEB/24 12:00 am"), [None, Some(day)]);
    // Where the digits of two numbers meet, only their widths tell them apart.
    assert_eq!(reads("%Y%m%d", "2024201"), [None; 2]);
    let fails = ["31.02.2024", "1.13.2024", "01.02.24", "01.02.0000", "01.02.2024 ", "", "01-02-2024"];
    fails.iter().for_each(|text| assert_eq!(reads("%d.%m.%Y", text), [None; 2], "{text}"));
    assert_eq!(reads("%A %F", "Friday 2024-02-01"), [None; 2]);
    assert_eq!(reads("%F %T", "2024-02-01 23:59:60"), [None; 2]);
    assert_eq!(reads("%F %I:%M %p", "2024-02-01 13:00 PM"), [None; 2]);
    assert_eq!(reads("%F %T.%f", "2024-02-01 00:00:00.5"), [None, Some(day + 500_000)]);
}

#[test]
fn a_column_comes_back_or_says_which_record_does_not() {
    let fields = ["01.02.24 09:05", "", "31.12.99 23:59"];
    let found = resolved("timestamp[s]:%d.%m.%y %H:%M", &fields);
    assert!(found.typing.reversible && found.unfit.is_none() && found.why.is_empty());
    assert_eq!(back(&found.typing, &fields).unwrap(), fields);
    let again = ColumnTyping::from_json(&found.typing.to_json().unwrap()).unwrap();
    assert_eq!(again, found.typing);

    let loose = resolved("date:%d.%m.%Y", &["01.02.2024", "3.4.2024"]);
    assert!(!loose.typing.reversible && loose.why.contains("record 2: \"3.4.2024\" is not as"), "{loose:?}");
    assert_eq!(back(&loose.typing, &["3.4.2024"]).unwrap(), ["03.04.2024"]);

    let wrong = resolved("date:%d.%m.%Y", &["01.02.2024", "3.4.2024", "2024-01-01"]);
    assert!(
        wrong.unfit.is_some() && wrong.why.contains("record 3: \"2024-01-01\" does not fit"),
        "{wrong:?}"
    );
    assert!(matches!(wrong.typing.style.form, Form::Given(_)));
    assert!(back(&wrong.typing, &["2024-01-01"]).is_none());
}

const DATES: [&str; 8] =
    ["%d.%m.%Y", "%-m/%-d/%y", "%Y%m%d", "%a, %-d %b %Y", "%A %^B %d %Y", "%D", "%F", "%%%b-%d-%y ü"];
const CLOCKS: [&str; 6] = ["%H:%M", "%T.%9f", "%-I:%M:%S %p", "%I%M%P", "%-H.%M", "%R:%S,%3f"];

proptest! {
    #[test]
    fn every_moment_comes_back_through_a_pattern(
        days in -719_162i64..=2_932_896,
        nanos in 0i64..86_400_000_000_000,
        date in proptest::sample::select(DATES.as_slice()),
        clock in proptest::sample::select(CLOCKS.as_slice()),
    ) {
        let whole = pattern(&format!("{date} {clock}"));
        // What the pattern leaves away is 0: a value is one that it wrote.
        let mut text = Vec::new();
        whole.write(Moment { days, nanos }, &mut text);
        let read = whole.read(&text, false);
        let of_two_digits = date.contains("%y") || date == "%D";
        let year = datetime::civil_from_days(days).0;
        if !of_two_digits || (1969..=2068).contains(&year) {
            prop_assert_eq!(read.map(|moment| moment.days), Some(days));
        }
        let moment = read.unwrap();
        let mut again = Vec::new();
        whole.write(moment, &mut again);
        prop_assert_eq!(&again, &text);
        prop_assert_eq!(whole.read(&text, true), Some(moment));
    }

    #[test]
    fn no_text_reads_strictly_that_would_not_be_written(text in "[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}") {
        let given = pattern("%-d.%m.%Y");
        if let Some(days) = given.read_days(text.as_bytes(), false) {
            let mut again = Vec::new();
            given.write_days(days, &mut again);
            prop_assert_eq!(again, text.as_bytes());
        }
    }
}
