//! Provides the reading and writing of dates as people write them, alone or before a time of day: days and
//! months of one digit, hours of twice twelve, names of months.
//!
//! What a column does alike shows in some of its fields only: that days are not padded in those below 10,
//! that names of months are short in all but `May`. Hence a field tells of its pattern what it shows.

mod json;
mod pattern;
mod plain;
#[cfg(test)]
mod tests;

pub(super) use json::WrittenJson;
pub use pattern::{ClockPattern, NamedDate, NamedLayout, WrittenDate, WrittenPattern};
pub(super) use plain::{shown_of_date, shown_of_timestamp};

use super::datetime::{self, DAY_SECONDS};
use super::digits::{POWERS, write_padded};
use super::half_day::{half_day_pattern, read_half_day, write_half_day};
use super::style::DatePattern;
pub(super) use pattern::MONTHS;
use pattern::Part;

/// Bytes of the longest time of day of 24 hours.
const CLOCK_BYTES_MAX: usize = 18;

/// Days from 1970-01-01 of a date in this pattern, years 0001 to 9999.
pub(super) fn read_written_date(text: &[u8], pattern: WrittenPattern) -> Option<i64> {
    let (days, rest) = take_date(text, pattern.date, pattern.padded)?;
    let is_date = match pattern.date {
        // Versions are written so: `2024.1.5`.
        WrittenDate::Numbers(DatePattern::YmdDot) => pattern.padded && is_likely(days),
        WrittenDate::Numbers(_) => is_likely(days),
        WrittenDate::Named(_) => true,
    };
    (pattern.clock.is_none() && rest.is_empty() && is_date).then_some(days)
}

/// Whether three numbers are a date by their year.
fn is_likely(days: i64) -> bool {
    u32::try_from(datetime::civil_from_days(days).0).is_ok_and(is_likely_year)
}

/// Whether three numbers are a date and not more likely those of a version, as in `6.1.7601`: by the year, of
/// which the first and the last one stand for no day at all.
pub(super) fn is_likely_year(year: u32) -> bool {
    matches!(year, 1 | 1_600..=2_299 | 9_999)
}

/// Whether three numbers would be a date in another year.
pub(super) fn is_unlikely(text: &[u8]) -> bool {
    let is_far =
        |date| take_date(text, date, false).is_some_and(|(days, rest)| rest.is_empty() && !is_likely(days));
    match date_of(text) {
        Some(date @ WrittenDate::Numbers(_)) => is_far(date) || date.month_first().is_some_and(is_far),
        _ => false,
    }
}

/// Whether a text has the layout of a date with the name of its month, whether there is such a day or not.
pub(super) fn is_named(text: &[u8]) -> bool {
    let Some(WrittenDate::Named(named)) = date_of(text) else { return false };
    [(false, false), (false, true), (true, false), (true, true)].into_iter().any(|(full, padded)| {
        let date = WrittenDate::Named(NamedDate { full, ..named });
        take_numbers(text, date, padded).is_some_and(|(_, rest)| rest.is_empty())
    })
}

/// Whether a text is a time of day, as it stands after a date.
pub(super) fn is_clock(text: &[u8]) -> bool {
    clock_of(text).is_some()
}

/// Whether a text is a date or a time of day with words in it, or with numbers that are not padded.
pub(crate) fn is_date_or_time(text: &[u8]) -> bool {
    shown(text).is_some() || half_day_pattern(text).is_some()
}

/// Units of 10^-`digits` seconds since the epoch of a date and time in this pattern.
pub(super) fn read_written_timestamp(text: &[u8], pattern: WrittenPattern, digits: u8) -> Option<i64> {
    let (days, rest) = take_date(text, pattern.date, pattern.padded)?;
    let units = read_clock(rest.strip_prefix(b" ")?, pattern.clock?, digits)?;
    let whole = i128::from(days * DAY_SECONDS) * i128::from(POWERS[usize::from(digits)]);
    i64::try_from(whole + i128::from(units)).ok()
}

/// Whether a text is a date, or a date and time, in this pattern.
pub(super) fn is_written(text: &[u8], pattern: WrittenPattern) -> bool {
    match pattern.clock {
        None => read_written_date(text, pattern).is_some(),
        Some(_) => read_written_timestamp(text, pattern, digits_of(pattern)).is_some(),
    }
}

/// Digits after the second of the unit in which moments of a pattern are held.
fn digits_of(pattern: WrittenPattern) -> u8 {
    if pattern.fraction() > 6 { 9 } else { 6 }
}

/// The date that a text begins with, in days from 1970-01-01, and what follows it.
fn take_date(text: &[u8], date: WrittenDate, padded: bool) -> Option<(i64, &[u8])> {
    let ([year, month, day], rest) = take_numbers(text, date, padded)?;
    datetime::near_date(year, month * 100 + day).map(|days| (days, rest))
}

/// Year, month and day that a text begins with, whether there is such a day or not, and what follows them.
fn take_numbers(text: &[u8], date: WrittenDate, padded: bool) -> Option<([u32; 3], &[u8])> {
    let (parts, marks) = date.layout();
    let (mut year, mut month, mut day, mut rest) = (0, 0, 0, text);
    for (part, mark) in parts.into_iter().zip([marks[0], marks[1], ""]) {
        let (number, after) = match (part, date) {
            (Part::Year, _) => take_year(rest)?,
            (Part::Month, WrittenDate::Named(named)) => take_name(rest, named)?,
            (Part::Month | Part::Day, _) => take_number(rest, padded)?,
        };
        match part {
            Part::Year => year = number,
            Part::Month => month = number,
            Part::Day => day = number,
        }
        rest = after.strip_prefix(mark.as_bytes())?;
    }
    Some(([year, month, day], rest))
}

fn take_year(text: &[u8]) -> Option<(u32, &[u8])> {
    let (year, rest) = text.split_first_chunk::<4>()?;
    year.iter().all(u8::is_ascii_digit).then(|| (number(year), rest))
}

/// A number of two digits, or of one where it is not padded and needs no more.
fn take_number(text: &[u8], padded: bool) -> Option<(u32, &[u8])> {
    let count = text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    let (run, rest) = text.split_at(count);
    let fits = if padded { count == 2 } else { count > 0 && run[0] != b'0' };
    fits.then(|| (number(run), rest))
}

fn take_name(text: &[u8], named: NamedDate) -> Option<(u32, &[u8])> {
    (1..).zip(MONTHS).find_map(|(month, name)| {
        let letters = named.letters(name);
        let (shown, rest) = text.split_at_checked(letters.len())?;
        letters.eq(shown.iter().copied()).then_some((month, rest))
    })
}

/// The number of a few digits.
fn number(run: &[u8]) -> u32 {
    run.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

fn read_clock(text: &[u8], clock: ClockPattern, digits: u8) -> Option<i64> {
    let (padded, seconds, fraction) = match clock {
        ClockPattern::Day { padded, seconds, fraction } => (padded, seconds, fraction),
        ClockPattern::Half(pattern) => return read_half_day(text, pattern, digits),
    };
    let bare = is_bare(text);
    // An hour of one digit has a zero before it exactly where hours are padded.
    if (bare && padded) || (!bare && text.first() == Some(&b'0') && !padded) {
        return None;
    }
    let (lead, mut full) = (usize::from(bare), [b'0'; CLOCK_BYTES_MAX]);
    let full = full.get_mut(..lead + text.len())?;
    full[lead..].copy_from_slice(text);
    datetime::read_clock(full, seconds, fraction, digits)
}

/// Whether the hour of a clock has one digit.
fn is_bare(clock: &[u8]) -> bool {
    clock.get(1) == Some(&b':')
}

/// Writes a date given in days from 1970-01-01.
pub(super) fn write_written_date(days: i64, pattern: WrittenPattern, out: &mut Vec<u8>) {
    let (year, month, day) = datetime::civil_from_days(days);
    let (parts, marks) = pattern.date.layout();
    let width = if pattern.padded { 2 } else { 1 };
    for (part, mark) in parts.into_iter().zip([marks[0], marks[1], ""]) {
        match (part, pattern.date) {
            (Part::Year, _) => datetime::write_year(year, out),
            (Part::Month, WrittenDate::Named(named)) => out.extend(named.letters(MONTHS[month as usize - 1])),
            (Part::Month, WrittenDate::Numbers(_)) => write_padded(out, month.into(), width),
            (Part::Day, _) => write_padded(out, day.into(), width),
        }
        out.extend_from_slice(mark.as_bytes());
    }
}

/// Writes a date and time given in units of 10^-`digits` seconds since the epoch.
pub(super) fn write_written_timestamp(units: i64, pattern: WrittenPattern, digits: u8, out: &mut Vec<u8>) {
    let day = DAY_SECONDS * POWERS[usize::from(digits)] as i64;
    write_written_date(units.div_euclid(day), pattern, out);
    let Some(clock) = pattern.clock else { return };
    out.push(b' ');
    let of_day = units.rem_euclid(day) as u64;
    match clock {
        ClockPattern::Half(half) => write_half_day(of_day, half, digits, out),
        ClockPattern::Day { padded, seconds, fraction } => {
            let start = out.len();
            datetime::write_clock(of_day, seconds, fraction, digits, out);
            if !padded && out[start] == b'0' {
                out.remove(start);
            }
        }
    }
}

/// What a date, alone or with a time, tells of the pattern of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    /// The pattern, with the day first where the year is last, and with all padded and names short, whether
    /// they are or not.
    pub(super) pattern: WrittenPattern,
    /// Whether it is a date with the day first, and whether with the month first; with the year first, or the
    /// name of the month, it is both.
    pub(super) orders: [bool; 2],
    /// Whether days and months are padded, where that shows.
    pub(super) padded: Option<bool>,
    /// Whether names of months are whole, where that shows.
    pub(super) full: Option<bool>,
    /// Whether hours are padded, where that shows.
    pub(super) hour: Option<bool>,
}

/// What a text shows as a date as people write them; `None` if it is no such date, or shows that it is of
/// another pattern ([`DatePattern`], [`super::TimestampPattern`]).
pub(super) fn shown(text: &[u8]) -> Option<Shown> {
    let date = date_of(text)?;
    let variants = match date {
        WrittenDate::Numbers(_) => [Some(date), date.month_first()],
        WrittenDate::Named(named) => {
            [false, true].map(|full| Some(WrittenDate::Named(NamedDate { full, ..named })))
        }
    };
    let read = |date: Option<WrittenDate>, padded| date.and_then(|date| take_date(text, date, padded));
    let reads = variants.map(|date| [false, true].map(|padded| read(date, padded)));
    let (_, rest) = reads.as_flattened().iter().flatten().next()?;
    let (clock, hour) = match rest.strip_prefix(b" ") {
        None if rest.is_empty() => (None, None),
        None => return None,
        Some(clock) => clock_of(clock).map(|(clock, hour)| (Some(clock), hour))?,
    };
    let padded = choice([0, 1].map(|padded| reads.iter().any(|read| read[padded].is_some())));
    let pattern = |date| WrittenPattern { date, padded: padded.unwrap_or(true), clock };
    let fits = |date| is_written(text, pattern(date).with_hour(hour.unwrap_or(true)));
    let [first, second] = variants.map(|date| date.is_some_and(fits));
    let (orders, full) = match date {
        WrittenDate::Numbers(numbers) if numbers.is_year_first() => ([first; 2], None),
        WrittenDate::Numbers(_) => ([first, second], None),
        WrittenDate::Named(_) => ([first || second; 2], choice([first, second])),
    };
    let pattern = WrittenPattern { padded: true, ..pattern(date) }.with_hour(true);
    let found = Shown { pattern, orders, padded, full, hour };
    (orders.contains(&true) && !found.is_plain()).then_some(found)
}

impl Shown {
    /// Whether a column with this field can only be of another pattern.
    fn is_plain(self) -> bool {
        let plain_clock = match self.pattern.clock {
            None => true,
            Some(ClockPattern::Day { .. }) => self.hour == Some(true),
            Some(ClockPattern::Half(_)) => false,
        };
        matches!(self.pattern.date, WrittenDate::Numbers(_)) && self.padded == Some(true) && plain_clock
    }
}

/// Which of two it is, no and yes, if it is one of them only.
fn choice(fits: [bool; 2]) -> Option<bool> {
    match fits {
        [true, false] => Some(false),
        [false, true] => Some(true),
        _ => None,
    }
}

/// The date that a text looks like by its marks, with the day first where the year is last, and a short name.
fn date_of(text: &[u8]) -> Option<WrittenDate> {
    let digits = text.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    let (mark, next) = (*text.get(digits)?, *text.get(digits + 1)?);
    let named = |layout, at: usize| {
        let upper = text.get(at + 1).is_some_and(u8::is_ascii_uppercase);
        WrittenDate::Named(NamedDate { layout, full: false, upper })
    };
    Some(match (digits, mark) {
        (0, b'A'..=b'Z') if text.contains(&b',') => named(NamedLayout::MonthFirstComma, 0),
        (0, b'A'..=b'Z') => named(NamedLayout::MonthFirst, 0),
        (1 | 2, b' ') => named(NamedLayout::DayFirst, digits + 1),
        (1 | 2, b'-') if next.is_ascii_alphabetic() => named(NamedLayout::DayFirstDash, digits + 1),
        (1 | 2, b'-' | b'/' | b'.') => WrittenDate::Numbers(DatePattern::day_first(mark)),
        (4, b'-' | b'/' | b'.') => WrittenDate::Numbers(DatePattern::year_first(mark)),
        _ => return None,
    })
}

/// The pattern of a time of day, and whether its hour is padded, where that shows.
fn clock_of(text: &[u8]) -> Option<(ClockPattern, Option<bool>)> {
    if let Some((pattern, shows)) = half_day_pattern(text) {
        return Some((ClockPattern::Half(pattern), shows.then_some(pattern.padded)));
    }
    let bare = is_bare(text);
    let (seconds, fraction) = match text.len() + usize::from(bare) {
        5 => (false, 0),
        8 => (true, 0),
        more @ 10..=CLOCK_BYTES_MAX => (true, more as u8 - 9),
        _ => return None,
    };
    let clock = ClockPattern::Day { padded: !bare, seconds, fraction };
    read_clock(text, clock, 9)?;
    Some((clock, (bare || text[0] == b'0').then_some(!bare)))
}
