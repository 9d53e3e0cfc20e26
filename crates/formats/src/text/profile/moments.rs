//! Provides what is the matter with a text that looks like a date or a timestamp.

use super::resolve::{timestamp_type, written_type};
use crate::text::half_day::half_day_pattern;
use crate::text::number::split_sign;
use crate::text::{DateOrder, DatePattern, datetime, written};
use arrow_schema::DataType;

/// What is the matter with a date whose year has two digits.
pub(super) const SHORT_YEAR: &str = "has a year of two digits, whose century would be a guess";

/// What is the matter with a text that looks like a date or a timestamp, and whether its value can be read
/// all the same; `None` if it does not look like one.
pub(super) fn describe_moment(text: &[u8]) -> Option<(&'static str, bool)> {
    if is_date(text) {
        return Some(("is a date in another pattern or order", false));
    }
    if let Some(fault) = fault_of_date(text) {
        return Some((fault.of_date(), false));
    }
    let marks = text.iter().filter(|byte| b"-./".contains(byte)).count();
    if text.len() == 10 && marks == 2 && text.iter().all(|b| b.is_ascii_digit() || b"-./".contains(b)) {
        return Some(("is no date in a layout that is recognised", false));
    }
    describe_timestamp(text).or_else(|| describe_time(text).map(|told| (told, false)))
}

/// What is the matter with a text that looks like a time of day.
fn describe_time(text: &[u8]) -> Option<&'static str> {
    let moment = [b"2000-12-31 ", text].concat();
    let is_plain = matches!(type_of_timestamp(&moment), Some(DataType::Timestamp(_, None)));
    if half_day_pattern(text).is_some() || (is_plain && text.get(2) == Some(&b':')) {
        return Some("is a time in another pattern");
    }
    if written::is_clock(text) {
        return Some("is a time in a layout that is not recognised");
    }
    has_layout_of_clock(text).then_some("is no time of day that a clock shows")
}

fn describe_timestamp(text: &[u8]) -> Option<(&'static str, bool)> {
    let pattern = datetime::timestamp_pattern(text);
    if let Some(pattern) = pattern
        && datetime::timestamp_orders(text, pattern).contains(&true)
    {
        return Some(match pattern.date {
            DatePattern::DmySlash | DatePattern::DmyDot | DatePattern::DmyDash => {
                ("is a timestamp in another pattern, order or offset", false)
            }
            _ => ("is a timestamp in another pattern or offset", true),
        });
    }
    if written::shown(text).is_some() {
        return Some(("is a timestamp in another pattern or order", false));
    }
    let general = pattern.map(|_| "is no moment that a timestamp can hold");
    fault_of_timestamp(text).or(general).map(|told| (told, false))
}

/// Whether a text is a date in some layout that has marks.
pub(super) fn is_date(text: &[u8]) -> bool {
    (text.len() == 10 && DatePattern::ALL.iter().any(|pattern| datetime::read_date(text, *pattern).is_some()))
        || written::shown(text).is_some_and(|shown| shown.pattern.clock.is_none())
}

/// The type of a text that is a timestamp.
pub(super) fn type_of_timestamp(text: &[u8]) -> Option<DataType> {
    let plain = datetime::timestamp_pattern(text);
    let plain = plain.filter(|pattern| datetime::timestamp_orders(text, *pattern).contains(&true));
    let written = || written::shown(text).map(|shown| shown.pattern).filter(|found| found.clock.is_some());
    plain.map(timestamp_type).or_else(|| written().map(written_type))
}

/// Whether a date, or that of a timestamp, has another order of day and month and not this one.
pub(super) fn contradicts(text: &[u8], order: DateOrder) -> bool {
    match (order, orders(text)) {
        (DateOrder::DayFirst, [day_first, month_first]) => month_first && !day_first,
        (DateOrder::MonthFirst, [day_first, month_first]) => day_first && !month_first,
        (DateOrder::Unknown, _) => false,
    }
}

/// Whether a text is a date or timestamp with the day first, and whether with the month first.
fn orders(text: &[u8]) -> [bool; 2] {
    let plain = datetime::timestamp_pattern(text).map(|pattern| datetime::timestamp_orders(text, pattern));
    let day_first = text.get(2).map(|mark| DatePattern::day_first(*mark));
    let date = [day_first, day_first.and_then(DatePattern::month_first)]
        .map(|pattern| pattern.is_some_and(|pattern| datetime::read_date(text, pattern).is_some()));
    let written = written::shown(text).map(|shown| shown.orders);
    let found = [plain, Some(date), written].into_iter().flatten();
    found.fold([false; 2], |[day, month], orders| [day || orders[0], month || orders[1]])
}

/// What may be the matter with a text that has the layout of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// With the day first there is no such date.
    DayFirst,
    /// There is no such date.
    Calendar,
    /// There is no such date, or it is beyond those of its type.
    Range,
    /// Its year has two digits.
    ShortYear,
    /// A date in such a year may be a version.
    Unlikely,
    /// Its year stands first and before points, and nothing else shows that it is no version.
    Bare,
    /// One of its numbers is padded, and one is not.
    HalfPadded,
}

impl Fault {
    /// What is to be said of a date.
    fn of_date(self) -> &'static str {
        match self {
            Fault::DayFirst => "is no date with the day first",
            Fault::Calendar => "is no date of the calendar",
            Fault::Range => "is no date of the calendar, or beyond those that a date holds",
            Fault::ShortYear => SHORT_YEAR,
            Fault::Unlikely => "has no year from 1600 to 2299, so it may be a version and no date",
            Fault::Bare => "has no zero before the day or the month, so it may be a version and no date",
            Fault::HalfPadded => "has a zero before the day or the month, but not before both",
        }
    }

    /// What is to be said of a timestamp with such a date.
    fn of_timestamp(self) -> Option<&'static str> {
        match self {
            Fault::DayFirst => Some("has no date with the day first"),
            Fault::Calendar => Some("has no date of the calendar"),
            Fault::ShortYear | Fault::HalfPadded => Some(self.of_date()),
            Fault::Range | Fault::Unlikely | Fault::Bare => None,
        }
    }
}

/// What is the matter with a text that looks like a date and is none.
fn fault_of_date(text: &[u8]) -> Option<Fault> {
    // Three short numbers with points may be a version.
    if (text.len() == 8 || !text.contains(&b'.')) && has_short_year(text) {
        return Some(Fault::ShortYear);
    }
    if written::is_unlikely(text) {
        return Some(Fault::Unlikely);
    }
    if written::is_named(text) {
        return Some(Fault::Calendar);
    }
    let padded = padded(text);
    if padded.len() > text.len() && is_date(&padded) {
        let bare = text.get(4) == Some(&b'.') && !text[4..].windows(2).any(|pair| pair == b".0");
        return Some(if bare { Fault::Bare } else { Fault::HalfPadded });
    }
    let layout: Vec<u8> = padded.iter().map(|b| if b.is_ascii_digit() { b'0' } else { *b }).collect();
    let far = split_sign(&layout).1.strip_suffix(b"-00-00");
    match &layout[..] {
        b"00.00.0000" => Some(Fault::DayFirst),
        b"0000-00-00" if !padded.starts_with(b"0000") => Some(Fault::Calendar),
        b"0000.00.00" if is_date(&[b"2000", &padded[4..]].concat()) => Some(Fault::Unlikely),
        b"0000.00.00" | b"0000/00/00" | b"00/00/0000" | b"00-00-0000" => Some(Fault::Calendar),
        _ if far.is_some_and(|year| year.len() >= 4 && year.iter().all(|&b| b == b'0')) => Some(Fault::Range),
        _ => None,
    }
}

/// What is the matter with a text that looks like a date with a time of day and is none.
fn fault_of_timestamp(text: &[u8]) -> Option<&'static str> {
    let (date, clock) = split(text)?;
    let full = [b"2000-12-31 ", clock].concat();
    let is_clock = type_of_timestamp(&full).is_some();
    match (is_date(date), is_clock) {
        (true, false) => has_layout_of_clock(clock).then_some("has a time of day that no clock shows"),
        (false, true) if has_short_year(date) => Some(Fault::ShortYear.of_date()),
        (false, true) => fault_of_date(date).and_then(Fault::of_timestamp),
        _ => None,
    }
}

/// The date and the time of day of a text that may have both.
pub(super) fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().position(|&byte| byte == b':')?;
    let hour = text[..colon].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (date, clock) = text.split_at(colon - hour);
    match date.split_last()? {
        (b' ' | b'T', date) => Some((date, clock)),
        _ => None,
    }
}

/// Whether a text would be a time of day, without an offset, if all its digits were ones.
fn has_layout_of_clock(text: &[u8]) -> bool {
    let ones: Vec<u8> = text.iter().map(|byte| if byte.is_ascii_digit() { b'1' } else { *byte }).collect();
    written::is_clock(&ones)
}

/// Whether a text would be a date if its year, of two digits, had four.
fn has_short_year(text: &[u8]) -> bool {
    let year = text.split_last_chunk::<2>().filter(|(_, year)| year.iter().all(u8::is_ascii_digit));
    year.is_some_and(|(before, year)| is_date(&[before, b"20", year].concat()))
}

/// The text with a zero before every number of one digit.
fn padded(text: &[u8]) -> Vec<u8> {
    let numbers = text.chunk_by(|left, right| left.is_ascii_digit() == right.is_ascii_digit());
    let pad = |run: &[u8]| if matches!(run, [b'0'..=b'9']) { [b"0", run].concat() } else { run.to_vec() };
    numbers.flat_map(pad).collect()
}
