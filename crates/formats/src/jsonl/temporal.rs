//! Provides dates, times, timestamps, durations and intervals as ISO 8601 text, for each value of their
//! types.
//!
//! Fractions have exactly the digits of the unit. Years outside 0000 to 9999 have a sign. Times outside a
//! day, which Arrow does not rule out, keep counting hours and may have a minus sign.

use arrow_schema::{DataType, IntervalUnit, TimeUnit};

use super::number::{push_i64, push_u64};

/// A temporal type whose values are one integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temporal {
    /// Days: `2024-02-29`.
    Days,
    /// Milliseconds; as a date where they are whole days, else as a timestamp.
    DateMillis,
    /// Time of day with this many digits of a second: `12:30:00.000`.
    Time(usize),
    /// Timestamp: `2024-02-29T12:30:00.000`, with `Z` if the type has a zone.
    Timestamp(usize, bool),
    /// `PT-1.500S`.
    Duration(usize),
    /// `P14M`.
    Months,
}

/// Digits after the second in this unit.
fn digits(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

const POWERS: [i64; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

const DAY_SECONDS: i64 = 86_400;
const DAY_MILLIS: i64 = DAY_SECONDS * 1_000;

impl Temporal {
    /// How values of this type are written, if it is temporal and one integer.
    pub(crate) fn of(data_type: &DataType) -> Option<Temporal> {
        Some(match data_type {
            DataType::Date32 => Temporal::Days,
            DataType::Date64 => Temporal::DateMillis,
            DataType::Time32(unit) | DataType::Time64(unit) => Temporal::Time(digits(*unit)),
            DataType::Timestamp(unit, zone) => Temporal::Timestamp(digits(*unit), zone.is_some()),
            DataType::Duration(unit) => Temporal::Duration(digits(*unit)),
            DataType::Interval(IntervalUnit::YearMonth) => Temporal::Months,
            _ => return None,
        })
    }

    /// Appends the text of a value.
    pub(crate) fn write(self, value: i64, out: &mut Vec<u8>) {
        match self {
            Temporal::Days => write_date(value, out),
            Temporal::DateMillis if value % DAY_MILLIS == 0 => write_date(value / DAY_MILLIS, out),
            Temporal::DateMillis => write_timestamp(value, 3, out),
            Temporal::Time(digits) => {
                if value < 0 {
                    out.push(b'-');
                }
                write_time(value.unsigned_abs(), digits, out);
            }
            Temporal::Timestamp(digits, zone) => {
                write_timestamp(value, digits, out);
                if zone {
                    out.push(b'Z');
                }
            }
            Temporal::Duration(digits) => {
                out.extend_from_slice(b"PT");
                write_seconds(value, digits, out);
            }
            Temporal::Months => {
                out.push(b'P');
                push_i64(value, out);
                out.push(b'M');
            }
        }
    }

    /// The value of exactly the text that `write` gives for it.
    pub(crate) fn read(self, text: &[u8]) -> Option<i64> {
        let mut text = Text(text);
        let value = match self {
            Temporal::Days => text.date()?,
            Temporal::DateMillis => {
                let days = text.date()?;
                if text.0.is_empty() {
                    days.checked_mul(DAY_MILLIS)?
                } else {
                    let millis = text.timestamp(days, 3)?;
                    // Midnight is written as a date.
                    (millis % DAY_MILLIS != 0).then_some(millis)?
                }
            }
            Temporal::Time(digits) => {
                let negative = text.eat(b"-");
                text.time(digits).and_then(|units| signed(units, negative))?
            }
            Temporal::Timestamp(digits, zone) => {
                let days = text.date()?;
                let value = text.timestamp(days, digits)?;
                (!zone || text.eat(b"Z")).then_some(value)?
            }
            Temporal::Duration(digits) => text.eat(b"PT").then(|| text.seconds(digits))??,
            Temporal::Months => {
                let value = text.eat(b"P").then(|| text.integer())??;
                text.eat(b"M").then_some(value)?
            }
        };
        text.0.is_empty().then_some(value)
    }
}

/// Appends `P3DT4.005S`: days and milliseconds, which may each be negative.
pub(crate) fn write_day_time(days: i32, millis: i32, out: &mut Vec<u8>) {
    out.push(b'P');
    push_i64(i64::from(days), out);
    out.extend_from_slice(b"DT");
    write_seconds(i64::from(millis), 3, out);
}

/// Reads what `write_day_time` writes.
pub(crate) fn read_day_time(text: &[u8]) -> Option<(i32, i32)> {
    let mut text = Text(text.strip_prefix(b"P")?);
    let days = i32::try_from(text.integer()?).ok()?;
    let millis = text.eat(b"DT").then(|| text.seconds(3))??;
    text.0.is_empty().then_some((days, i32::try_from(millis).ok()?))
}

/// Appends `P1M2DT3.000000004S`: months, days and nanoseconds, which may each be negative.
pub(crate) fn write_month_day_nano(months: i32, days: i32, nanos: i64, out: &mut Vec<u8>) {
    out.push(b'P');
    push_i64(i64::from(months), out);
    out.push(b'M');
    push_i64(i64::from(days), out);
    out.extend_from_slice(b"DT");
    write_seconds(nanos, 9, out);
}

/// Reads what `write_month_day_nano` writes.
pub(crate) fn read_month_day_nano(text: &[u8]) -> Option<(i32, i32, i64)> {
    let mut text = Text(text.strip_prefix(b"P")?);
    let months = i32::try_from(text.integer()?).ok()?;
    let days = text.eat(b"M").then(|| text.integer())??;
    let nanos = text.eat(b"DT").then(|| text.seconds(9))??;
    text.0.is_empty().then_some((months, i32::try_from(days).ok()?, nanos))
}

fn push_padded(value: u64, width: usize, out: &mut Vec<u8>) {
    let used = value.checked_ilog10().unwrap_or(0) as usize + 1;
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(used)));
    push_u64(value, out);
}

fn write_fraction(part: u64, digits: usize, out: &mut Vec<u8>) {
    if digits > 0 {
        out.push(b'.');
        push_padded(part, digits, out);
    }
}

fn write_seconds(value: i64, digits: usize, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let power = POWERS[digits].unsigned_abs();
    push_u64(value.unsigned_abs() / power, out);
    write_fraction(value.unsigned_abs() % power, digits, out);
    out.push(b'S');
}

fn write_time(value: u64, digits: usize, out: &mut Vec<u8>) {
    let power = POWERS[digits].unsigned_abs();
    let seconds = value / power;
    push_padded(seconds / 3_600, 2, out);
    out.push(b':');
    push_padded(seconds / 60 % 60, 2, out);
    out.push(b':');
    push_padded(seconds % 60, 2, out);
    write_fraction(value % power, digits, out);
}

fn write_timestamp(value: i64, digits: usize, out: &mut Vec<u8>) {
    let day = DAY_SECONDS * POWERS[digits];
    write_date(value.div_euclid(day), out);
    out.push(b'T');
    write_time(value.rem_euclid(day).unsigned_abs(), digits, out);
}

/// Days after 1970-01-01 to a date of the proleptic Gregorian calendar, after Howard Hinnant's
/// "chrono-compatible low-level date algorithms".
fn write_date(days: i64, out: &mut Vec<u8>) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if !(0..10_000).contains(&year) {
        out.push(if year < 0 { b'-' } else { b'+' });
    }
    push_padded(year.unsigned_abs(), 4, out);
    out.push(b'-');
    push_padded(month.unsigned_abs(), 2, out);
    out.push(b'-');
    push_padded((day_of_year - (153 * march_month + 2) / 5 + 1).unsigned_abs(), 2, out);
}

fn days_from(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let march_month = (month + 9) % 12;
    let of_era = year.rem_euclid(400);
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    Some(year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468)
}

fn signed(units: u64, negative: bool) -> Option<i64> {
    match (negative, units) {
        (true, 0) => None,
        (true, _) => 0_i64.checked_sub_unsigned(units),
        (false, _) => i64::try_from(units).ok(),
    }
}

/// The rest of a text that is being read.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    #[inline]
    fn eat(&mut self, wanted: &[u8]) -> bool {
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Exactly `width` digits.
    #[inline]
    fn fixed(&mut self, width: usize) -> Option<u64> {
        let (text, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        text.iter().try_fold(0_u64, |sum, b| {
            let digit = b.wrapping_sub(b'0');
            (digit < 10).then(|| sum.wrapping_mul(10).wrapping_add(u64::from(digit)))
        })
    }

    /// At least `width` digits, with leading zeros only to reach the width.
    fn padded(&mut self, width: usize) -> Option<u64> {
        let count = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        if count < width || count > 19 || (count > width && self.0[0] == b'0') {
            return None;
        }
        self.fixed(count)
    }

    fn integer(&mut self) -> Option<i64> {
        let negative = self.eat(b"-");
        signed(self.padded(1)?, negative)
    }

    fn date(&mut self) -> Option<i64> {
        let year = match self.0.first()? {
            b'+' | b'-' => {
                let negative = self.eat(b"-") || !self.eat(b"+");
                let year = signed(self.padded(4)?, negative)?;
                // Far beyond what any type holds; keeps the arithmetic below from overflowing.
                let expanded = !(0..10_000).contains(&year) && year.unsigned_abs() < 1_000_000_000_000;
                expanded.then_some(year)?
            }
            _ => self.fixed(4)? as i64,
        };
        let month = self.eat(b"-").then(|| self.fixed(2))??;
        let day = self.eat(b"-").then(|| self.fixed(2))??;
        days_from(year, month as i64, day as i64)
    }

    fn time(&mut self, digits: usize) -> Option<u64> {
        let hours = self.padded(2)?;
        let minutes = self.eat(b":").then(|| self.fixed(2))??;
        let seconds = self.eat(b":").then(|| self.fixed(2))??;
        if minutes > 59 || seconds > 59 {
            return None;
        }
        let whole = hours.checked_mul(3_600)?.checked_add(minutes * 60 + seconds)?;
        whole.checked_mul(POWERS[digits].unsigned_abs())?.checked_add(self.fraction(digits)?)
    }

    fn fraction(&mut self, digits: usize) -> Option<u64> {
        if digits == 0 { Some(0) } else { self.eat(b".").then(|| self.fixed(digits))? }
    }

    fn timestamp(&mut self, days: i64, digits: usize) -> Option<i64> {
        let time = self.eat(b"T").then(|| self.time(digits))??;
        let day = i128::from(DAY_SECONDS) * i128::from(POWERS[digits]);
        if i128::from(time) >= day {
            return None;
        }
        i64::try_from(i128::from(days) * day + i128::from(time)).ok()
    }

    fn seconds(&mut self, digits: usize) -> Option<i64> {
        let negative = self.eat(b"-");
        let whole = self.padded(1)?.checked_mul(POWERS[digits].unsigned_abs())?;
        let units = whole.checked_add(self.fraction(digits)?)?;
        self.eat(b"S").then(|| signed(units, negative))?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Temporal; 9] = [
        Temporal::Days,
        Temporal::DateMillis,
        Temporal::Time(0),
        Temporal::Time(9),
        Temporal::Timestamp(0, true),
        Temporal::Timestamp(6, false),
        Temporal::Timestamp(9, true),
        Temporal::Duration(3),
        Temporal::Months,
    ];

    fn text(kind: Temporal, value: i64) -> String {
        let mut out = Vec::new();
        kind.write(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_texts() {
        assert_eq!(text(Temporal::Days, 0), "1970-01-01");
        assert_eq!(text(Temporal::Days, 19_782), "2024-02-29");
        assert_eq!(text(Temporal::Days, -719_529), "-0001-12-31");
        assert_eq!(text(Temporal::Timestamp(3, true), -1), "1969-12-31T23:59:59.999Z");
        assert_eq!(text(Temporal::Duration(3), -1_500), "PT-1.500S");
        assert_eq!(text(Temporal::Time(0), 90_000), "25:00:00");
        assert_eq!(text(Temporal::DateMillis, 86_400_000), "1970-01-02");
        for bad in ["2023-02-29", "2024-2-29", "0", "+2024-01-01", "2024-02-29T", "-0000-01-01", ""] {
            assert_eq!(Temporal::Days.read(bad.as_bytes()), None, "{bad}");
        }
        for bad in
            ["1970-01-01T24:00:00Z", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z", "1970-01-01T00:00:60Z"]
        {
            assert_eq!(Temporal::Timestamp(0, true).read(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_value_reads_back(value in any::<i64>(), shift in 0_u32..64, nanos in any::<i64>()) {
            let value = value >> shift;
            for kind in ALL {
                // Dates are 32 bits wide.
                let value = if kind == Temporal::Days { i64::from(value as i32) } else { value };
                let text = text(kind, value);
                prop_assert_eq!(kind.read(text.as_bytes()), Some(value), "{}", text);
            }
            let (months, days) = ((value >> 32) as i32, value as i32);
            let mut out = Vec::new();
            write_month_day_nano(months, days, nanos, &mut out);
            prop_assert_eq!(read_month_day_nano(&out), Some((months, days, nanos)));
            out.clear();
            write_day_time(months, days, &mut out);
            prop_assert_eq!(read_day_time(&out), Some((months, days)));
        }
    }

    #[test]
    fn extreme_values_read_back() {
        for kind in ALL {
            for value in [i64::MIN, i64::MAX, 0, -1, 1] {
                let value = if kind == Temporal::Days {
                    value.clamp(i64::from(i32::MIN), i64::from(i32::MAX))
                } else {
                    value
                };
                assert_eq!(
                    kind.read(text(kind, value).as_bytes()),
                    Some(value),
                    "{kind:?} {}",
                    text(kind, value)
                );
            }
        }
    }
}
