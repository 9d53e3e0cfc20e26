//! Provides the reading and writing of dates, times and timestamps.
//!
//! The calendar is the proleptic Gregorian one. Inferred columns hold years 0001 to 9999 with four digits;
//! typed columns may hold any year that their type can, which is then written with its sign (ISO 8601
//! expanded form).

use super::digits::{self, POWERS, value, write_2, write_padded};
use super::number::split_sign;
use super::style::{DatePattern, OffsetForm, TimestampPattern, Zone};
use super::written::is_likely_year;

/// Seconds in a day.
pub(crate) const DAY_SECONDS: i64 = 86_400;

/// Days from 1970-01-01 to a date (Hinnant, "chrono-compatible low-level date algorithms").
pub(crate) fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let from_march = i64::from((month + 9) % 12);
    let of_year = (153 * from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The same for years 1 to 9999 (Neri and Schneider, "Euclidean affine functions and their application to
/// calendar algorithms").
#[inline]
fn days_of_near_date(year: u32, month: u32, day: u32) -> i64 {
    let early = u32::from(month <= 2);
    let (year, month) = (year - early, month + 12 * early);
    let century = year / 100;
    let days = 1_461 * year / 4 - century + century / 4 + (979 * month - 2_919) / 32 + day;
    i64::from(days) - 719_469
}

/// The date that lies so many days after 1970-01-01.
#[inline]
pub(crate) fn civil_from_days(days: i64) -> (i64, u32, u32) {
    match u32::try_from(days + 719_468) {
        Ok(days @ 0..4_000_000) => near_civil(days),
        _ => far_civil(days),
    }
}

/// The date that lies so many days, at most 2^28, after 0000-03-01 (Neri and Schneider, as above).
#[inline]
fn near_civil(days: u32) -> (i64, u32, u32) {
    let of_centuries = 4 * days + 3;
    let of_century = (of_centuries % 146_097) | 3;
    let wide = 2_939_745 * u64::from(of_century);
    let year = 100 * (of_centuries / 146_097) + (wide >> 32) as u32;
    let of_year = wide as u32 / 2_939_745 / 4;
    let months = 2_141 * of_year + 197_913;
    let (month, day) = (months >> 16, (months & 0xFFFF) / 2_141 + 1);
    // Years begin in March here.
    let next = u32::from(of_year >= 306);
    (i64::from(year + next), month - 12 * next, day)
}

fn far_civil(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * from_march + 2) / 5 + 1) as u32;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 } as u32;
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[inline]
fn days_in_month(year: u32, month: u32) -> u32 {
    let leap = if year.is_multiple_of(100) { year.is_multiple_of(400) } else { year.is_multiple_of(4) };
    match month {
        2 => 28 + u32::from(leap),
        // Long and short months alternate, with two long ones in the middle.
        _ => 30 | (month ^ (month >> 3)),
    }
}

#[inline]
fn two(text: &[u8], at: usize) -> Option<u32> {
    let tens = text.get(at)?.wrapping_sub(b'0');
    let ones = text.get(at + 1)?.wrapping_sub(b'0');
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// Whether there is such a day. Leap years repeat after 400.
#[inline]
fn is_day(year: u32, month: u32, day: u32) -> bool {
    (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month)
}

/// The number of four digits; more than 9999 if one of them is none.
#[inline]
fn four(text: [u8; 4]) -> u32 {
    digits::four(u32::from_le_bytes(text)).unwrap_or(1_000_000)
}

/// Days from 1970-01-01 of a date in this pattern, years 0001 to 9999.
#[inline]
pub(crate) fn read_date(text: &[u8], pattern: DatePattern) -> Option<i64> {
    let (year, rest) = match *text {
        [a, b, c, d, m, n, x, y] if pattern == DatePattern::Compact => ([a, b, c, d], [m, n, x, y]),
        [a, b, c, d, first, e, f, second, g, h] => {
            let (mark, year, rest) = match pattern {
                DatePattern::YmdDash => (b'-', [a, b, c, d], [e, f, g, h]),
                DatePattern::YmdSlash => (b'/', [a, b, c, d], [e, f, g, h]),
                DatePattern::YmdDot => (b'.', [a, b, c, d], [e, f, g, h]),
                _ => return read_date_year_last(text, pattern),
            };
            if first != mark || second != mark || (mark == b'.' && !is_likely_year(four(year))) {
                return None;
            }
            (year, rest)
        }
        _ => return None,
    };
    near_date(four(year), four(rest))
}

fn read_date_year_last(text: &[u8], pattern: DatePattern) -> Option<i64> {
    let &[a, b, first, c, d, second, y, e, a2, r] = text else { return None };
    let rest = match pattern {
        DatePattern::DmySlash | DatePattern::DmyDot | DatePattern::DmyDash => [c, d, a, b],
        DatePattern::MdySlash | DatePattern::MdyDash => [a, b, c, d],
        _ => return None,
    };
    let marked = [first, second] == [pattern.mark(); 2];
    marked.then(|| near_date(four([y, e, a2, r]), four(rest))).flatten()
}

/// The date of a year and a month and day held in one number.
#[inline]
pub(crate) fn near_date(year: u32, month_day: u32) -> Option<i64> {
    let (month, day) = (month_day / 100, month_day % 100);
    let near = (1..=9_999).contains(&year) && is_day(year, month, day);
    near.then(|| days_of_near_date(year, month, day))
}

/// Reads a date with a year outside 0001 to 9999, which has a sign: `-0001-01-01`, `+10000-01-01`; and year
/// 0.
fn read_far_date(text: &[u8]) -> Option<i64> {
    let at = text.len().checked_sub(6)?;
    let (year_text, rest) = text.split_at(at);
    if rest[0] != b'-' || rest[3] != b'-' {
        return None;
    }
    let (negative, run) = split_sign(year_text);
    let run = run.strip_prefix(b"+").filter(|_| !negative).unwrap_or(run);
    if run.len() > 15 {
        return None;
    }
    let year = i64::try_from(value(run)?).ok()?;
    let year = if negative { -year } else { year };
    let mut canonical = Vec::with_capacity(20);
    write_year(year, &mut canonical);
    if canonical != year_text {
        return None;
    }
    let (month, day) = (two(rest, 1)?, two(rest, 4)?);
    let real = is_day(year.rem_euclid(400) as u32, month, day);
    real.then(|| days_from_civil(year, month, day))
}

/// Days from 1970-01-01 of a date of any year.
#[inline]
pub(crate) fn read_date_any_year(text: &[u8], pattern: DatePattern) -> Option<i64> {
    match read_date(text, pattern) {
        None if pattern == DatePattern::YmdDash => read_far_date(text),
        near => near,
    }
}

/// Writes a year of four digits, or of at least four after a sign where it is not one of 0 to 9999.
pub(crate) fn write_year(year: i64, out: &mut Vec<u8>) {
    match year {
        0..=9_999 => write_padded(out, year as u64, 4),
        _ => {
            out.push(if year < 0 { b'-' } else { b'+' });
            write_padded(out, year.unsigned_abs(), 4);
        }
    }
}

/// Writes a date.
pub(crate) fn write_date(days: i64, pattern: DatePattern, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days);
    let pair = |number: u32| digits::PAIRS[number as usize % 100];
    let (m, d) = (pair(month), pair(day));
    let mark = pattern.mark();
    match (pattern, u32::try_from(year)) {
        (_, Ok(year @ 0..=9_999)) if pattern.is_year_first() => {
            let (c, y) = (pair(year / 100), pair(year % 100));
            out.extend_from_slice(&[c[0], c[1], y[0], y[1], mark, m[0], m[1], mark, d[0], d[1]]);
        }
        (DatePattern::YmdDash | DatePattern::YmdSlash | DatePattern::YmdDot, _) => {
            write_year(year, out);
            out.extend_from_slice(&[mark, m[0], m[1], mark, d[0], d[1]]);
        }
        (DatePattern::Compact, _) => {
            write_year(year, out);
            out.extend_from_slice(&[m[0], m[1], d[0], d[1]]);
        }
        (DatePattern::DmySlash | DatePattern::DmyDot | DatePattern::DmyDash, _) => {
            out.extend_from_slice(&[d[0], d[1], mark, m[0], m[1], mark]);
            write_year(year, out);
        }
        (DatePattern::MdySlash | DatePattern::MdyDash, _) => {
            out.extend_from_slice(&[m[0], m[1], mark, d[0], d[1], mark]);
            write_year(year, out);
        }
    }
}

/// Units of 10^-`digits` seconds since midnight of `%H:%M` or `%H:%M:%S` with `fraction` digits of a second.
#[inline]
pub(crate) fn read_clock(text: &[u8], seconds: bool, fraction: u8, digits: u8) -> Option<i64> {
    let fraction = usize::from(fraction);
    let length = match (seconds, fraction) {
        (false, _) => 5,
        (true, 0) => 8,
        (true, _) => 9 + fraction,
    };
    if text.len() != length {
        return None;
    }
    let &[a, b, first, c, d, ref rest @ ..] = text else { return None };
    let second = match *rest {
        [] => 0,
        [b':', e, f, ..] => four([b'0', b'0', e, f]),
        _ => return None,
    };
    let (hour, minute) = (four([b'0', b'0', a, b]), four([b'0', b'0', c, d]));
    if first != b':' || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let whole = i64::from(hour * 3_600 + minute * 60 + second) * POWERS[usize::from(digits)] as i64;
    if fraction == 0 || !seconds {
        return Some(whole);
    }
    if text[8] != b'.' {
        return None;
    }
    let part = value(&text[9..])? as i64;
    let digits = usize::from(digits);
    if fraction <= digits {
        return Some(whole + part * POWERS[digits - fraction] as i64);
    }
    let cut = POWERS[fraction - digits] as i64;
    (part % cut == 0).then_some(whole + part / cut)
}

/// Writes a time of day given in units of 10^-`digits` seconds.
pub(crate) fn write_clock(units: u64, seconds: bool, fraction: u8, digits: u8, out: &mut Vec<u8>) {
    let per_second = POWERS[usize::from(digits)];
    let (whole, part) = (units / per_second, units % per_second);
    if whole < DAY_SECONDS as u64 && fraction <= 9 && digits <= 9 {
        let second = whole as u32;
        let pair = |number: u32| digits::PAIRS[number as usize % 100];
        let ([a, b], [c, d], [e, f]) = (pair(second / 3_600), pair(second / 60 % 60), pair(second % 60));
        let [g, h, i, j, k, l, m, n, o] = digits::nine((part * POWERS[9 - usize::from(digits)]) as u32);
        let clock = [a, b, b':', c, d, b':', e, f, b'.', g, h, i, j, k, l, m, n, o];
        let length = match (seconds, usize::from(fraction)) {
            (false, _) => 5,
            (true, 0) => 8,
            (true, fraction) => 9 + fraction,
        };
        return digits::write_first(out, &clock, length);
    }
    // A day has few hours, but a time of day from elsewhere may exceed it.
    write_padded(out, whole / 3_600, 2);
    out.push(b':');
    write_2(out, (whole / 60 % 60) as u32);
    if !seconds {
        return;
    }
    out.push(b':');
    write_2(out, (whole % 60) as u32);
    if fraction == 0 {
        return;
    }
    out.push(b'.');
    let (fraction, digits) = (usize::from(fraction), usize::from(digits));
    if fraction <= digits {
        write_padded(out, part / POWERS[digits - fraction], fraction);
    } else {
        write_padded(out, part * POWERS[fraction - digits], fraction);
    }
}

/// Splits the zone from the end of a timestamp and checks that it is this one; gives the rest.
#[inline]
fn strip_zone(text: &[u8], zone: Zone) -> Option<&[u8]> {
    match zone {
        Zone::None => Some(text),
        Zone::Z => text.strip_suffix(b"Z"),
        Zone::Offset { minutes, form } => {
            let length = match form {
                OffsetForm::Colon => 6,
                OffsetForm::Digits => 5,
                OffsetForm::Hours => 3,
            };
            let at = text.len().checked_sub(length)?;
            (read_offset(&text[at..]) == Some((minutes, form))).then_some(&text[..at])
        }
    }
}

/// Minutes east of UTC of `+02:00`, `+0200` or `+02`, and which of them it is. `-00:00` is refused: it would
/// be given back as `+00:00`.
pub(crate) fn read_offset(text: &[u8]) -> Option<(i16, OffsetForm)> {
    let negative = match text.first()? {
        b'+' => false,
        b'-' => true,
        _ => return None,
    };
    let (minute, form) = match (text.len(), text.get(3)) {
        (6, Some(b':')) => (two(text, 4)?, OffsetForm::Colon),
        (5, _) => (two(text, 3)?, OffsetForm::Digits),
        (3, _) => (0, OffsetForm::Hours),
        _ => return None,
    };
    let hour = two(text, 1)?;
    if hour > 23 || minute > 59 || (negative && hour == 0 && minute == 0) {
        return None;
    }
    let minutes = (hour * 60 + minute) as i16;
    Some((if negative { -minutes } else { minutes }, form))
}

fn zone_minutes(zone: Zone) -> i64 {
    match zone {
        Zone::Offset { minutes, .. } => i64::from(minutes),
        Zone::None | Zone::Z => 0,
    }
}

/// Reads a timestamp as units of 10^-`digits` seconds since the epoch, exactly.
#[inline]
pub(crate) fn read_timestamp(text: &[u8], pattern: TimestampPattern, digits: u8) -> Option<i64> {
    let local = strip_zone(text, pattern.zone)?;
    let separator = if pattern.t { b'T' } else { b' ' };
    if let Some((date, [mark, clock @ ..])) = local.split_at_checked(10)
        && *mark == separator
        && let Some(days) = read_date(date, pattern.date)
    {
        let units = read_clock_of(clock, pattern, digits)?;
        let seconds = days * DAY_SECONDS - zone_minutes(pattern.zone) * 60;
        let power = POWERS[usize::from(digits)] as i64;
        return match seconds.checked_mul(power).and_then(|whole| whole.checked_add(units)) {
            // The whole seconds may lie beyond the range although their sum with the rest does not.
            None => from_wide(i128::from(seconds) * i128::from(power) + i128::from(units)),
            near => near,
        };
    }
    read_far_timestamp(local, separator, pattern, digits)
}

/// The time of day of a timestamp.
#[inline]
fn read_clock_of(clock: &[u8], pattern: TimestampPattern, digits: u8) -> Option<i64> {
    if !pattern.trimmed {
        return read_clock(clock, pattern.seconds, pattern.fraction, digits);
    }
    let fraction = clock.len().saturating_sub(9);
    let fits = fraction <= usize::from(pattern.fraction) && is_trimmed(clock);
    fits.then(|| read_clock(clock, true, fraction as u8, digits)).flatten()
}

/// Whether a clock with seconds has no zeros at the end of its fraction.
pub(crate) fn is_trimmed(clock: &[u8]) -> bool {
    clock.len() == 8 || (clock.len() > 9 && clock.last() != Some(&b'0'))
}

/// Digits of a second without the zeros at their end.
fn digits_of(mut part: u64, mut digits: u8) -> u8 {
    while digits > 0 && part.is_multiple_of(10) {
        part /= 10;
        digits -= 1;
    }
    digits
}

#[cold]
fn from_wide(units: i128) -> Option<i64> {
    i64::try_from(units).ok()
}

#[cold]
fn read_far_timestamp(local: &[u8], separator: u8, pattern: TimestampPattern, digits: u8) -> Option<i64> {
    if pattern.date != DatePattern::YmdDash {
        return None;
    }
    let at = local.iter().position(|&b| b == separator)?;
    let days = read_far_date(&local[..at])?;
    let units = read_clock_of(&local[at + 1..], pattern, digits)?;
    let seconds = i128::from(days) * i128::from(DAY_SECONDS) - i128::from(zone_minutes(pattern.zone) * 60);
    from_wide(seconds * i128::from(POWERS[usize::from(digits)]) + i128::from(units))
}

/// Writes a timestamp given in units of 10^-`digits` seconds since the epoch.
pub(crate) fn write_timestamp(units: i64, pattern: TimestampPattern, digits: u8, out: &mut Vec<u8>) {
    let power = POWERS[usize::from(digits)] as i64;
    let (seconds, part) = (units.div_euclid(power), units.rem_euclid(power));
    let of_day = seconds.rem_euclid(DAY_SECONDS) + zone_minutes(pattern.zone) * 60;
    let day = seconds.div_euclid(DAY_SECONDS) + of_day.div_euclid(DAY_SECONDS);
    write_date(day, pattern.date, out);
    out.push(if pattern.t { b'T' } else { b' ' });
    let clock = of_day.rem_euclid(DAY_SECONDS) * power + part;
    let fraction = if pattern.trimmed { digits_of(part as u64, digits) } else { pattern.fraction };
    write_clock(clock as u64, pattern.seconds, fraction, digits, out);
    match pattern.zone {
        Zone::None => {}
        Zone::Z => out.push(b'Z'),
        Zone::Offset { minutes, form } => write_offset(minutes, form, out),
    }
}

pub(crate) fn write_offset(minutes: i16, form: OffsetForm, out: &mut Vec<u8>) {
    out.push(if minutes < 0 { b'-' } else { b'+' });
    write_2(out, u32::from(minutes.unsigned_abs() / 60));
    match form {
        OffsetForm::Colon => out.push(b':'),
        OffsetForm::Digits => {}
        OffsetForm::Hours => return,
    }
    write_2(out, u32::from(minutes.unsigned_abs() % 60));
}

/// The pattern of a text that looks like a timestamp, read from its marks; whether it is one is for
/// [`timestamp_orders`] to say. Where the year is last it has the day first.
pub(crate) fn timestamp_pattern(text: &[u8]) -> Option<TimestampPattern> {
    let date = match *text.first_chunk::<10>()? {
        [_, _, _, _, b'-', _, _, b'-', ..] => DatePattern::YmdDash,
        [_, _, _, _, b'/', _, _, b'/', ..] => DatePattern::YmdSlash,
        [_, _, _, _, b'.', _, _, b'.', ..] => DatePattern::YmdDot,
        [_, _, b'/', _, _, b'/', ..] => DatePattern::DmySlash,
        [_, _, b'.', _, _, b'.', ..] => DatePattern::DmyDot,
        [_, _, b'-', _, _, b'-', ..] => DatePattern::DmyDash,
        _ => return None,
    };
    let t = match text.get(10)? {
        b'T' => true,
        b' ' => false,
        _ => return None,
    };
    let (zone, end) = match text.last()? {
        b'Z' => (Zone::Z, text.len() - 1),
        _ => {
            let clock = &text[11..];
            match clock.iter().position(|&b| b == b'+' || b == b'-') {
                Some(at) => {
                    let (minutes, form) = read_offset(&clock[at..])?;
                    (Zone::Offset { minutes, form }, 11 + at)
                }
                None => (Zone::None, text.len()),
            }
        }
    };
    let (seconds, fraction) = match end.checked_sub(11)? {
        5 => (false, 0),
        8 => (true, 0),
        more @ 10..=18 => (true, more as u8 - 9),
        _ => return None,
    };
    let marked = |at: usize, mark: u8| text.get(at) == Some(&mark);
    let is_clock = marked(13, b':') && (!seconds || marked(16, b':')) && (fraction == 0 || marked(19, b'.'));
    is_clock.then_some(TimestampPattern { date, t, seconds, fraction, trimmed: false, zone })
}

/// Whether a text is a timestamp of this pattern with the day first, and whether with the month first. Where
/// the year is first both are the same, and with points before it the day is first.
pub(crate) fn timestamp_orders(text: &[u8], pattern: TimestampPattern) -> [bool; 2] {
    let digits = if pattern.fraction > 6 { 9 } else { 6 };
    let reads = |pattern| read_timestamp(text, pattern, digits).is_some();
    match (pattern.date, pattern.date.month_first()) {
        (_, Some(date)) => [reads(pattern), reads(TimestampPattern { date, ..pattern })],
        (DatePattern::DmyDot, None) => [reads(pattern), false],
        _ => [reads(pattern); 2],
    }
}

/// The pattern of a text of this pattern where zeros at the end of fractions are left out, without how many
/// digits there are at most; `None` if they are not left out here.
pub(crate) fn trimmed_pattern(text: &[u8], pattern: TimestampPattern) -> Option<TimestampPattern> {
    let end = 19 + if pattern.fraction > 0 { 1 + usize::from(pattern.fraction) } else { 0 };
    let trimmed = pattern.seconds && text.get(11..end).is_some_and(is_trimmed);
    trimmed.then_some(TimestampPattern { fraction: 0, trimmed: true, ..pattern })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_ten_thousand_years_is_read_back() {
        let mut text = Vec::new();
        for days in days_from_civil(1, 1, 1)..=days_from_civil(9_999, 12, 31) {
            text.clear();
            write_date(days, DatePattern::YmdDash, &mut text);
            assert_eq!(read_date(&text, DatePattern::YmdDash), Some(days));
        }
    }

    #[test]
    fn near_dates_are_found_like_far_ones() {
        for days in 0..4_000_000 {
            assert_eq!(near_civil(days), far_civil(i64::from(days) - 719_468));
        }
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in ["2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-04-31", "0000-01-01"] {
            assert_eq!(read_date(text.as_bytes(), DatePattern::YmdDash), None, "{text}");
        }
        assert!(read_date(b"2000-02-29", DatePattern::YmdDash).is_some());
        assert_eq!(read_clock(b"23:59:60", true, 0, 6), None);
    }
}
