//! Provides the reading and writing of times of day of twice twelve hours: `9:05 PM`.

use super::datetime::{self, DAY_SECONDS};
use super::digits::{POWERS, write_2, write_padded};
use super::style::HalfDayPattern;

/// Seconds in half a day, and in an hour.
const HALF_SECONDS: u64 = DAY_SECONDS as u64 / 2;
const HOUR_SECONDS: u64 = 3_600;

/// The pattern of a time, and whether its hour shows how hours are padded, which one of two digits that it
/// needs does not; `None` if it is no time.
pub(super) fn half_day_pattern(text: &[u8]) -> Option<(HalfDayPattern, bool)> {
    let (clock, word) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let space = clock.last() == Some(&b' ');
    let clock = clock.strip_suffix(b" ").unwrap_or(clock);
    let padded = clock.get(1) != Some(&b':');
    let pattern = HalfDayPattern { seconds: clock.len() > 5, padded, space, upper: word[1] == b'M' };
    read_half_day(text, pattern, 0)?;
    Some((pattern, !padded || clock[0] == b'0'))
}

/// Units of 10^-`digits` seconds since midnight of a time in this pattern.
pub(super) fn read_half_day(text: &[u8], pattern: HalfDayPattern, digits: u8) -> Option<i64> {
    let (clock, word) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let late = word == pattern.word(true);
    if !late && word != pattern.word(false) {
        return None;
    }
    let clock = if pattern.space { clock.strip_suffix(b" ")? } else { clock };
    let bare = clock.get(1) == Some(&b':');
    // An hour of one digit has a zero before it exactly where hours are padded.
    if (bare && pattern.padded) || (clock.first() == Some(&b'0') && !pattern.padded) {
        return None;
    }
    let (lead, length) = (usize::from(bare), pattern.clock_bytes());
    if lead + clock.len() != length {
        return None;
    }
    let mut full = [b'0'; 8];
    full[lead..length].copy_from_slice(clock);
    let units = datetime::read_clock(&full[..length], pattern.seconds, 0, digits)?;
    let power = POWERS[usize::from(digits)] as i64;
    let (hour, half) = (units / power / HOUR_SECONDS as i64, HALF_SECONDS as i64 * power);
    let of_half = if hour == 12 { units - half } else { units };
    (1..=12).contains(&hour).then_some(if late { of_half + half } else { of_half })
}

/// Writes a time of day given in units of 10^-`digits` seconds.
pub(super) fn write_half_day(units: u64, pattern: HalfDayPattern, digits: u8, out: &mut Vec<u8>) {
    let whole = units / POWERS[usize::from(digits)];
    let hour = whole / HOUR_SECONDS;
    let shown = if hour.is_multiple_of(12) { 12 } else { hour % 12 };
    write_padded(out, shown, if pattern.padded { 2 } else { 1 });
    out.push(b':');
    write_2(out, (whole / 60 % 60) as u32);
    if pattern.seconds {
        out.push(b':');
        write_2(out, (whole % 60) as u32);
    }
    if pattern.space {
        out.push(b' ');
    }
    out.extend_from_slice(pattern.word(hour % 24 >= 12));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Option<i64> {
        half_day_pattern(text.as_bytes())
            .map(|(pattern, _)| read_half_day(text.as_bytes(), pattern, 0).unwrap())
    }

    #[test]
    fn every_minute_comes_back_in_every_pattern() {
        for bits in 0..16 {
            let has = |bit: u32| bits >> bit & 1 == 1;
            let pattern = HalfDayPattern { seconds: has(0), padded: has(1), space: has(2), upper: has(3) };
            for minute in 0..24 * 60 {
                let units = minute * 60_000;
                let mut text = Vec::new();
                write_half_day(units, pattern, 3, &mut text);
                assert_eq!(read_half_day(&text, pattern, 3), Some(units as i64), "{pattern:?}");
                let (found, shows) = half_day_pattern(&text).unwrap();
                let hour = minute / 60 % 12;
                assert_eq!(shows, (1..10).contains(&hour), "{pattern:?}");
                let padded = if shows { pattern.padded } else { true };
                assert_eq!(found, HalfDayPattern { padded, ..pattern });
            }
        }
    }

    #[test]
    fn what_is_no_such_time_is_refused() {
        assert_eq!(reads("12:00 AM"), Some(0));
        assert_eq!(reads("12:00:01pm"), Some(12 * 3_600 + 1));
        assert_eq!(reads("9:05PM"), Some(21 * 3_600 + 300));
        let bad = [
            "",
            "AM",
            ":05 AM",
            "0:05 AM",
            "00:05 AM",
            "13:05 PM",
            "9:5 AM",
            "9:60 AM",
            "9:05:60 AM",
            "9:05 Am",
            "9:05  AM",
            "109:05 AM",
            "9:05: AM",
            "9:05:1 AM",
            "19:05 AM",
            "a:05 AM",
            "9.05 AM",
            "9:05",
            "9:05 XM",
            "+9:05 AM",
        ];
        for text in bad {
            assert_eq!(half_day_pattern(text.as_bytes()), None, "{text}");
        }
    }
}
