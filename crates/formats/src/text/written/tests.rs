//! Tests of dates as people write them: what is written is read, and what has another spelling is not.

use super::*;
use crate::text::datetime::{civil_from_days, days_from_civil};
use crate::text::{HalfDayPattern, OffsetForm, TimestampPattern, Zone};

/// Every pattern without a time of day.
fn dates() -> impl Iterator<Item = WrittenPattern> {
    let of = |date| [true, false].map(|padded| WrittenPattern { date, padded, clock: None });
    WrittenDate::all().flat_map(of)
}

/// Every time of day, with few digits of a second.
fn clocks() -> impl Iterator<Item = ClockPattern> {
    let bits = |word: u8| [0, 1, 2, 3].map(|bit| word >> bit & 1 == 1);
    let halves = (0..16).map(bits).map(|[seconds, padded, space, upper]| {
        ClockPattern::Half(HalfDayPattern { seconds, padded, space, upper })
    });
    let days = [(false, 0), (true, 0), (true, 3)].into_iter().flat_map(|(seconds, fraction)| {
        [true, false].map(|padded| ClockPattern::Day { padded, seconds, fraction })
    });
    halves.chain(days)
}

fn is_hour_padded(clock: ClockPattern) -> bool {
    match clock {
        ClockPattern::Day { padded, .. } => padded,
        ClockPattern::Half(pattern) => pattern.padded,
    }
}

/// The date with the day first, and with a short name.
fn plainest(date: WrittenDate) -> WrittenDate {
    let twin = WrittenDate::all().find(|day_first| day_first.month_first() == Some(date));
    match date {
        WrittenDate::Named(named) => WrittenDate::Named(NamedDate { full: false, ..named }),
        WrittenDate::Numbers(_) => twin.unwrap_or(date),
    }
}

/// Whether a property is shown as it is, or not at all.
fn agrees(shown: Option<bool>, shows: bool, is: bool) -> bool {
    shown == shows.then_some(is)
}

#[test]
fn every_day_comes_back_in_every_pattern() {
    let years = [1, 1999, 2024, 9_999];
    let version =
        WrittenPattern { date: WrittenDate::Numbers(DatePattern::YmdDot), padded: false, clock: None };
    assert_eq!(read_written_date(b"2024.1.5", version), None);
    let patterns = dates().filter(|pattern| *pattern != version);
    for (pattern, year) in patterns.flat_map(|pattern| years.map(|year| (pattern, year))) {
        for days in days_from_civil(year, 1, 1)..=days_from_civil(year, 12, 31) {
            let mut text = Vec::new();
            write_written_date(days, pattern, &mut text);
            let name = String::from_utf8_lossy(&text);
            assert_eq!(read_written_date(&text, pattern), Some(days), "{name} {pattern:?}");
            let (_, month, day) = civil_from_days(days);
            let is_numbers = matches!(pattern.date, WrittenDate::Numbers(_));
            let shows = day < 10 || (is_numbers && month < 10);
            let Some(shown) = shown(&text) else {
                assert!(is_numbers && shows && pattern.padded, "{name} {pattern:?}");
                continue;
            };
            assert_eq!(
                shown.pattern,
                WrittenPattern { date: plainest(pattern.date), padded: true, clock: None }
            );
            assert!(agrees(shown.padded, shows, pattern.padded), "{name} {shown:?}");
            let full = matches!(pattern.date, WrittenDate::Named(named) if named.full);
            assert!(agrees(shown.full, !is_numbers && month != 5, full), "{name} {shown:?}");
            let order = usize::from(plainest(pattern.date).month_first() == Some(pattern.date));
            assert!(shown.orders[order], "{name} {shown:?}");
        }
    }
}

#[test]
fn times_of_a_day_come_back_after_every_date() {
    let day = days_from_civil(2024, 11, 25);
    for (date, clock) in dates().flat_map(|date| clocks().map(move |clock| (date, clock))) {
        let pattern = WrittenPattern { clock: Some(clock), ..date };
        for minute in (0..24 * 60).step_by(19) {
            let units = (day * 86_400 + minute * 60) * 1_000;
            let mut text = Vec::new();
            write_written_timestamp(units, pattern, 3, &mut text);
            let name = String::from_utf8_lossy(&text);
            assert_eq!(read_written_timestamp(&text, pattern, 3), Some(units), "{name} {pattern:?}");
            let shown = shown(&text).unwrap_or_else(|| panic!("{name} shows no pattern"));
            let plain = WrittenPattern { date: plainest(date.date), padded: true, clock: Some(clock) };
            assert_eq!(shown.pattern, plain.with_hour(true), "{name}");
            let hour = minute / 60;
            let shows = match clock {
                ClockPattern::Day { .. } => hour < 10,
                ClockPattern::Half(_) => (1..10).contains(&(hour % 12)),
            };
            assert!(agrees(shown.hour, shows, is_hour_padded(clock)), "{name} {shown:?}");
        }
    }
}

/// Dates whose numbers are padded, each with its pattern with the day first: all those with marks in years on
/// both sides of what a date may be.
fn plain_dates() -> impl Iterator<Item = (Vec<u8>, DatePattern)> {
    let years = [1, 2, 1_599, 1_600, 2_024, 2_299, 2_300, 9_999];
    let days = years.map(|year| days_from_civil(year, 1, 1)..=days_from_civil(year, 12, 31));
    let days: Vec<i64> = days.into_iter().flatten().collect();
    let patterns = DatePattern::ALL.into_iter().filter(|pattern| *pattern != DatePattern::Compact);
    patterns.flat_map(move |pattern| {
        let day_first = DatePattern::ALL.into_iter().find(|other| other.month_first() == Some(pattern));
        days.clone().into_iter().map(move |day| {
            let mut text = Vec::new();
            datetime::write_date(day, pattern, &mut text);
            (text, day_first.unwrap_or(pattern))
        })
    })
}

#[test]
fn a_date_shows_the_same_by_the_plain_pattern_that_it_fits() {
    for (text, pattern) in plain_dates() {
        assert_eq!(shown_of_date(&text, pattern), shown(&text), "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn a_timestamp_shows_the_same_by_the_plain_pattern_that_it_fits() {
    let clocks = [(false, 0), (true, 0), (true, 3), (true, 7)];
    let zones = [Zone::None, Zone::Z, Zone::Offset { minutes: 60, form: OffsetForm::Hours }];
    let dates = || DatePattern::ALL.into_iter().filter(|pattern| *pattern != DatePattern::Compact);
    let mut patterns = Vec::new();
    for (date, t) in dates().flat_map(|date| [false, true].map(|t| (date, t))) {
        patterns.extend(clocks.iter().flat_map(|&(seconds, fraction)| {
            zones.map(|zone| TimestampPattern { date, t, seconds, fraction, trimmed: false, zone })
        }));
    }
    // In the second of these years nanoseconds end.
    let days = [2_024, 2_262].map(|year| days_from_civil(year, 1, 1)..=days_from_civil(year, 12, 31));
    let mut seen = 0;
    for (pattern, days) in patterns.into_iter().flat_map(|pattern| days.clone().map(|days| (pattern, days))) {
        for (day, hour) in days.step_by(3).flat_map(|day| [0, 9, 10, 23].map(|hour| (day, hour))) {
            let mut text = Vec::new();
            datetime::write_timestamp((day * 24 + hour) * 3_600_000_000, pattern, 6, &mut text);
            let found = datetime::timestamp_pattern(&text).unwrap();
            let orders = datetime::timestamp_orders(&text, found);
            if orders.contains(&true) {
                let name = String::from_utf8_lossy(&text);
                assert_eq!(shown_of_timestamp(&text, found, orders), shown(&text), "{name}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100_000, "{seen}");
}

/// Texts, separated by `|`, that are no such dates, or written in two ways at once.
const OTHERS: &[&str] = &[
    "|1|1/|1/5|1/5/|1/5/24|1/5/024|1/5/20245|1/5/0000|0/5/2024|1/0/2024|1/05/2024|01/5/2024",
    "001/5/2024|1/5-2024|1.5/2024|13/13/2024|2/30/2024|31.2.2024|1.13.2024|5. 1.2024|1/5/2024 ",
    " 1/5/2024|1//2024|/5/2024|-1/5/2024|+1/5/2024|2024-1-05|2024-01-5|2024-13-1|2024-1/5",
    "2024.1.5|202-1-5|20240-1-5|2024-2-30|2024-01-05|05/01/2024|01.05.2024|05/01/2024 09:05",
    "2024-01-05 00:00:00.5|1/5/2024T9:05|1/5/2024  9:05|1/5/2024 9|1/5/2024 9:5|1/5/2024 24:00",
    "1/5/2024 9:60|1/5/2024 9:05:60|1/5/2024 9:05:|1/5/2024 9:05:00.|1/5/2024 9:05:00.1234567890",
    "1/5/2024 9:05Z|1/5/2024 9:05 +01:00|1/5/2024 009:05|1/5/2024 -9:05|1/5/2024 :05",
    "1/5/2024 0:05 AM|1/5/2024 13:05 PM|1/5/2024 9:05 Pm|1/5/2024 9:05  PM|1/5/2024, 9:05",
    "jan 5 2024|JAn 5 2024|Jan 05, 24|Jan 5,2024|Jan5 2024|Jan 5|Jan 2024|Jan 32 2024|Feb 30 2024",
    "Jan 0 2024|Jan. 5 2024|Sept 5 2024|Janu 5 2024|January5 2024|Mon 5 2024|Jan 005 2024",
    "5 Jan, 2024|5-Jan 2024|5 Jan-2024|5-Jan-24|5-jan-2024|5-JAn-2024|Jan-5-2024|2024-Jan-5",
    "5/Jan/2024|5 January, 2024|5th Jan 2024|Jan 5th 2024|JANuary 5 2024|Jan 5 2024 |Jan  5 2024",
    "5.1.2600|6.1.7601|6.2.9200|4.6.1590|2.3.1000|1-1-1000|1/5/1599|1/5/2300|2600-1-5",
    "Jänner 5 2024|M\u{e4}r 5 2024|May|May 2024",
];

#[test]
fn what_has_another_spelling_is_refused() {
    for text in OTHERS.iter().flat_map(|texts| texts.split('|')) {
        assert_eq!(shown(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn fields_show_what_they_can() {
    let shows = |text: &str| {
        let Shown { orders: [day, month], padded, full, hour, .. } = shown(text.as_bytes()).unwrap();
        (day, month, padded, full, hour)
    };
    for (text, expected) in [
        ("1/5/2024", (true, true, Some(false), None, None)),
        ("1/15/2024", (false, true, Some(false), None, None)),
        ("15/1/2024", (true, false, Some(false), None, None)),
        ("12/25/2024", (false, true, None, None, None)),
        ("12/11/2024", (true, true, None, None, None)),
        ("5.1.2024", (true, false, Some(false), None, None)),
        ("2024/1/5", (true, true, Some(false), None, None)),
        ("2024-12-31", (true, true, None, None, None)),
        ("12/25/2024 9:05", (false, true, None, None, Some(false))),
        ("12/25/2024 09:05", (false, true, None, None, Some(true))),
        ("12/25/2024 10:05", (false, true, None, None, None)),
        ("01/05/2024 10:05", (true, true, Some(true), None, None)),
        ("01/05/2024 0:05", (true, true, Some(true), None, Some(false))),
        ("01/05/2024 09:05 PM", (true, true, Some(true), None, Some(true))),
        ("2024-01-05 03:45:10 PM", (true, true, Some(true), None, Some(true))),
        ("Jan 1 2000", (true, true, Some(false), Some(false), None)),
        ("January 05, 2024", (true, true, Some(true), Some(true), None)),
        ("May 15 2024", (true, true, None, None, None)),
        ("05-MAY-2024 12:00 AM", (true, true, Some(true), None, None)),
    ] {
        assert_eq!(shows(text), expected, "{text}");
    }
    // Nanoseconds end within a day, and not in both orders.
    let last = shown(b"4/11/2262 23:00:00.0000000").unwrap();
    assert_eq!(last.orders, [false, true]);
    assert_eq!(shown(b"5/6/2262 23:00:00.0000000"), None);
}

#[test]
fn values_beyond_a_pattern_are_not_written_as_others() {
    for pattern in dates() {
        for days in [days_from_civil(0, 12, 31), days_from_civil(-1, 5, 5), days_from_civil(10_000, 1, 1)] {
            let mut text = Vec::new();
            write_written_date(days, pattern, &mut text);
            assert_eq!(read_written_date(&text, pattern), None, "{}", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn patterns_have_a_json_form() {
    let clocks: Vec<_> = clocks().map(Some).chain([None]).collect();
    for (date, clock) in dates().flat_map(|date| clocks.iter().map(move |clock| (date, *clock))) {
        let pattern = WrittenPattern { clock, ..date };
        let json = serde_json::to_value(WrittenJson::from(pattern)).unwrap();
        let again: WrittenJson = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(again.pattern(), Ok(pattern), "{json}");
    }
    for clock in [
        r#"{"day": {"padded": true, "seconds": false, "fraction": 1}}"#,
        r#"{"day": {"padded": true, "seconds": true, "fraction": 10}}"#,
    ] {
        let json = format!(r#"{{"date": "%-d/%-m/%Y", "clock": {clock}}}"#);
        let wrong: WrittenJson = serde_json::from_str(&json).unwrap();
        assert!(wrong.pattern().is_err(), "{json}");
    }
    let shown = |text: &str| shown(text.as_bytes()).unwrap().pattern.date_notation();
    assert_eq!(shown("12/11/2024"), "%d/%m/%Y");
    assert_eq!(shown("January 5, 2024"), "%b %d, %Y");
    assert_eq!(shown("5-JAN-2024"), "%d-%^b-%Y");
}
