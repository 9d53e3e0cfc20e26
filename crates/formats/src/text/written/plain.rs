//! Provides what a date, alone or with a time of day, shows as people write dates where a pattern with all
//! numbers padded ([`DatePattern`], [`TimestampPattern`]) fits it as well: the same as [`super::shown`]
//! finds, without reading it again. Most dates are of such a pattern, so this is quick.

use super::{ClockPattern, Shown, WrittenDate, WrittenPattern, is_likely_year, number};
use crate::text::{DatePattern, TimestampPattern, Zone, datetime};

/// What a date of this pattern shows. The pattern has marks; one with the year last has the day first here,
/// and the date has that order or the other one.
pub(in crate::text) fn shown_of_date(text: &[u8], pattern: DatePattern) -> Option<Shown> {
    let year = if pattern.is_year_first() { text.get(..4)? } else { text.get(6..)? };
    if has_zero(text, pattern) || !is_likely_year(number(year)) {
        return None;
    }
    let reads = |pattern: DatePattern| datetime::read_date(text, pattern).is_some();
    let orders = match pattern.is_year_first() {
        true => [true; 2],
        false => [reads(pattern), pattern.month_first().is_some_and(reads)],
    };
    let pattern = WrittenPattern { date: WrittenDate::Numbers(pattern), padded: true, clock: None };
    Some(Shown { pattern, orders, padded: None, full: None, hour: None })
}

/// What a timestamp of this pattern shows, which is one in these orders of day and month.
pub(in crate::text) fn shown_of_timestamp(
    text: &[u8],
    pattern: TimestampPattern,
    orders: [bool; 2],
) -> Option<Shown> {
    let TimestampPattern { date, seconds, fraction, .. } = pattern;
    if pattern.t || pattern.zone != Zone::None {
        return None;
    }
    let shows = |zero: bool| zero.then_some(true);
    let (padded, hour) = (shows(has_zero(text, date)), shows(text.get(11) == Some(&b'0')));
    let clock = Some(ClockPattern::Day { padded: true, seconds, fraction });
    let pattern = WrittenPattern { date: WrittenDate::Numbers(date), padded: true, clock };
    let found = Shown { pattern, orders, padded, full: None, hour };
    (!found.is_plain()).then_some(found)
}

/// Whether a zero stands before the day or the month, which shows that they are padded.
fn has_zero(text: &[u8], pattern: DatePattern) -> bool {
    let places = if pattern.is_year_first() { [5, 8] } else { [0, 3] };
    places.into_iter().any(|at| text.get(at) == Some(&b'0'))
}
