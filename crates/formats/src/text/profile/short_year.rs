//! Provides the patterns that read a date or timestamp whose year has two digits, to be offered.

use arrow_schema::DataType;

use super::moments::split;
use crate::text::default::unit_digits;
use crate::text::parse_given;
use crate::text::written::MONTHS;

/// Orders of the numbers of a date: those with the year last, and the one with the year first.
const ORDERS: [[char; 3]; 3] = [['d', 'm', 'y'], ['m', 'd', 'y'], ['y', 'm', 'd']];

/// What says how such a text is read, with each order of its numbers in which it is a date.
pub(super) fn patterns_hint(text: &[u8]) -> String {
    let options: Vec<String> = patterns(text).iter().map(|given| option(given)).collect();
    match options.is_empty() {
        true => "a pattern says it, after --type COLUMN=date: or --type COLUMN=timestamp:".to_owned(),
        false => format!("a pattern says it, as in {}", options.join(" or ")),
    }
}

/// A pattern as it is typed.
fn option(given: &str) -> String {
    match given.contains(' ') {
        true => format!("--type 'COLUMN={given}'"),
        false => format!("--type COLUMN={given}"),
    }
}

/// Types with patterns under which the text has a value.
fn patterns(text: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(text) else { return Vec::new() };
    let (date, clock) = match split(text.as_bytes()) {
        Some((date, clock)) => (&text[..date.len()], &text[text.len() - clock.len()..]),
        None => (text, ""),
    };
    let Some((clock, zone)) = clock_pattern(clock) else { return Vec::new() };
    let between = &text[date.len()..date.len() + usize::from(!clock.is_empty())];
    let of = |order| {
        let ty = if clock.is_empty() { "date".to_owned() } else { format!("timestamp{zone}") };
        Some(format!("{ty}:{}{between}{clock}", date_pattern(date, order)?))
    };
    // Nobody writes the month or the year first before points, or the year before the name of a month.
    let only = date.contains(|letter: char| letter == '.' || letter.is_ascii_alphabetic());
    let orders = if only { &ORDERS[..1] } else { &ORDERS[..] };
    let mut found: Vec<String> = orders.iter().filter_map(|order| of(*order)).collect();
    found.retain(|given| reads(given, text.as_bytes()));
    found
}

/// Whether the text has a value under this type and pattern.
fn reads(given: &str, text: &[u8]) -> bool {
    let Ok((ty, Some(pattern))) = parse_given(given) else { return false };
    match ty {
        DataType::Timestamp(unit, _) => pattern.read_units(text, unit_digits(unit), true).is_some(),
        _ => pattern.read_days(text, true).is_some(),
    }
}

/// The runs of digits, of letters and of other characters.
fn runs(text: &str) -> Vec<&str> {
    let kind = |letter: char| (letter.is_ascii_digit(), letter.is_ascii_alphabetic());
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter| kind(letter) != kind(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        found.push(run);
        rest = after;
    }
    found
}

/// The pattern of a date whose numbers have this order; where one is the name of a month, the others have.
fn date_pattern(date: &str, order: [char; 3]) -> Option<String> {
    let runs = runs(date);
    let named = runs.iter().any(|run| run.starts_with(|letter: char| letter.is_ascii_alphabetic()));
    let mut parts = order.into_iter().filter(|part| !named || *part != 'm');
    // A number of one digit shows that none is padded.
    let padded = !runs.iter().any(|run| matches!(run.as_bytes(), [b'1'..=b'9']));
    let mut pattern = String::new();
    for run in runs {
        match run.as_bytes()[0] {
            b'0'..=b'9' => match parts.next()? {
                'y' => pattern.push_str("%y"),
                part if padded => pattern.extend(['%', part]),
                part => pattern.extend(['%', '-', part]),
            },
            b'a'..=b'z' | b'A'..=b'Z' => {
                let full = run.len() > 3 && MONTHS.iter().any(|month| month.eq_ignore_ascii_case(run));
                let upper = run.bytes().all(|letter| letter.is_ascii_uppercase());
                pattern.push_str(if upper { "%^" } else { "%" });
                pattern.push(if full { 'B' } else { 'b' });
            }
            _ => pattern.push_str(run),
        }
    }
    parts.next().is_none().then_some(pattern)
}

/// The pattern of a time of day, and what goes behind the type for its zone; `None` where no pattern tells
/// its zone.
fn clock_pattern(clock: &str) -> Option<(String, &'static str)> {
    let runs = runs(clock);
    let half =
        runs.last().is_some_and(|run| run.eq_ignore_ascii_case("am") || run.eq_ignore_ascii_case("pm"));
    let (mut pattern, mut zone, mut numbers) = (String::new(), "", 0);
    for run in runs {
        match run.as_bytes()[0] {
            b'0'..=b'9' => {
                let directives = ["%H", "%M", "%S", if run.len() == 3 { "%3f" } else { "%f" }];
                pattern.push_str(match (numbers, half, run.len()) {
                    (0, true, 1) => "%-I",
                    (0, true, _) => "%I",
                    (0, false, 1) => "%-H",
                    _ => directives.get(numbers)?,
                });
                numbers += 1;
            }
            b'P' | b'A' => pattern.push_str("%p"),
            b'p' | b'a' => pattern.push_str("%P"),
            b'Z' => {
                pattern.push('Z');
                zone = "[us, UTC]";
            }
            b':' | b'.' | b' ' => pattern.push_str(run),
            _ => return None,
        }
    }
    Some((pattern, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_reads_the_text() {
        for (text, expected) in [
            ("31.12.24", "a pattern says it, as in --type COLUMN=date:%d.%m.%y"),
            ("5.1.24 9:05", "a pattern says it, as in --type 'COLUMN=timestamp:%-d.%-m.%y %-H:%M'"),
            ("12/31/24", "a pattern says it, as in --type COLUMN=date:%m/%d/%y"),
            ("1/8/90", "--type COLUMN=date:%-d/%-m/%y or --type COLUMN=date:%-m/%-d/%y"),
            ("24-01-25", "--type COLUMN=date:%d-%m-%y or --type COLUMN=date:%y-%m-%d"),
            ("1/25/90 3:45 PM", "as in --type 'COLUMN=timestamp:%-m/%-d/%y %-I:%M %p'"),
            ("5-Jan-24", "as in --type COLUMN=date:%-d-%b-%y"),
            ("05-JAN-24 10:00:00", "as in --type 'COLUMN=timestamp:%d-%^b-%y %H:%M:%S'"),
            ("31.12.24 10:00:00Z", "'COLUMN=timestamp[us, UTC]:%d.%m.%y %H:%M:%SZ'"),
            ("31.12.24T10:00:00.123", "--type COLUMN=timestamp:%d.%m.%yT%H:%M:%S.%3f"),
            ("January 5, 24", "--type 'COLUMN=date:%B %-d, %y'"),
            (
                "31.12.24 10:00+01:00",
                "a pattern says it, after --type COLUMN=date: or --type COLUMN=timestamp:",
            ),
        ] {
            let told = patterns_hint(text.as_bytes());
            assert!(told.ends_with(expected), "{text}: {told}");
        }
    }
}
