//! Provides dates, times, timestamps, durations and intervals as ISO 8601 text, for each value of their
//! types.
//!
//! Fractions have exactly the digits of the unit. Years outside 0000 to 9999 have a sign. Times outside a
//! day, which Arrow does not rule out, keep counting hours and may have a minus sign.

use arrow_schema::{DataType, IntervalUnit, TimeUnit};

use super::number::{push_i64, push_u64};
use crate::text::datetime;
use crate::text::default::MILLISECONDS;
use crate::text::digits::write_padded;
use crate::text::{DatePattern, TimestampPattern, Zone};

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
            Temporal::Days => datetime::write_date(value, DATE, out),
            Temporal::DateMillis if value % DAY_MILLIS == 0 => {
                datetime::write_date(value / DAY_MILLIS, DATE, out);
            }
            Temporal::DateMillis => datetime::write_timestamp(value, MILLISECONDS, 3, out),
            Temporal::Time(digits) => {
                if value < 0 {
                    out.push(b'-');
                }
                write_time(value.unsigned_abs(), digits, out);
            }
            Temporal::Timestamp(digits, zone) => {
                datetime::write_timestamp(value, timestamp(digits, zone), digits as u8, out);
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
        match self {
            Temporal::Days => datetime::read_date_any_year(text, DATE),
            Temporal::DateMillis => match datetime::read_date_any_year(text, DATE) {
                Some(days) => days.checked_mul(DAY_MILLIS),
                // Midnight is written as a date.
                None => {
                    datetime::read_timestamp(text, MILLISECONDS, 3).filter(|millis| millis % DAY_MILLIS != 0)
                }
            },
            Temporal::Timestamp(digits, zone) => {
                datetime::read_timestamp(text, timestamp(digits, zone), digits as u8)
            }
            Temporal::Time(digits) => whole(text, |text| {
                let negative = text.eat(b"-");
                text.time(digits).and_then(|units| signed(units, negative))
            }),
            Temporal::Duration(digits) => {
                whole(text, |text| text.eat(b"PT").then(|| text.seconds(digits))?)
            }
            Temporal::Months => whole(text, |text| {
                let value = text.eat(b"P").then(|| text.integer())??;
                text.eat(b"M").then_some(value)
            }),
        }
    }
}

/// What is read from a text, if that is all of it.
fn whole(text: &[u8], read: impl FnOnce(&mut Text<'_>) -> Option<i64>) -> Option<i64> {
    let mut text = Text(text);
    let value = read(&mut text)?;
    text.0.is_empty().then_some(value)
}

/// How dates are laid out.
const DATE: DatePattern = DatePattern::YmdDash;

/// How timestamps are laid out: with this many digits of a second, and `Z` where their type has a zone.
fn timestamp(digits: usize, zone: bool) -> TimestampPattern {
    let zone = if zone { Zone::Z } else { Zone::None };
    TimestampPattern { fraction: digits as u8, zone, ..MILLISECONDS }
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

fn write_fraction(part: u64, digits: usize, out: &mut Vec<u8>) {
    if digits > 0 {
        out.push(b'.');
        write_padded(out, part, digits);
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
    write_padded(out, seconds / 3_600, 2);
    out.push(b':');
    write_padded(out, seconds / 60 % 60, 2);
    out.push(b':');
    write_padded(out, seconds % 60, 2);
    write_fraction(value % power, digits, out);
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
