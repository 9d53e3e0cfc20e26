//! Provides the readers of fixed-width values.

use super::cells::Read;
use crate::text::date_text::DateText;
use crate::text::default::MILLISECONDS;
use crate::text::float::{Float, FloatText, read_leniently};
use crate::text::number::{DecimalText, Integer, Unscaled, normalise_integer};
use crate::text::{GivenPattern, HalfDayPattern, TimestampPattern, WrittenPattern, Zone};
use crate::text::{datetime, duration, half_day, written};
use arrow_array::types::{ArrowPrimitiveType, Float16Type};
use arrow_buffer::{ArrowNativeType, IntervalDayTime, IntervalMonthDayNano};
use std::marker::PhantomData;

/// Half-precision numbers, under the name that arrow gives them.
pub(super) type Half = <Float16Type as ArrowPrimitiveType>::Native;

/// Integers.
pub(super) struct IntegerRead<N> {
    pub(super) lenient: bool,
    pub(super) native: PhantomData<N>,
}

impl<N: Integer + ArrowNativeType> Read for IntegerRead<N> {
    type Native = N;

    #[inline]
    fn read(&self, text: &[u8]) -> Option<N> {
        match <N as Integer>::read(text) {
            None if self.lenient => <N as Integer>::read(&normalise_integer(text)?),
            value => value,
        }
    }
}

/// Decimals, by their unscaled value.
pub(super) struct DecimalRead<U> {
    pub(super) text: DecimalText,
    pub(super) lenient: bool,
    pub(super) native: PhantomData<U>,
}

impl<U: Unscaled + ArrowNativeType> Read for DecimalRead<U> {
    type Native = U;

    #[inline]
    fn read(&self, text: &[u8]) -> Option<U> {
        match self.text.read(text) {
            None if self.lenient => self.text.read_leniently(text),
            value => value,
        }
    }
}

/// Floating-point numbers.
pub(super) struct FloatRead<F> {
    pub(super) text: FloatText,
    pub(super) lenient: bool,
    pub(super) native: PhantomData<F>,
}

impl<F: Float + ArrowNativeType> Read for FloatRead<F> {
    type Native = F;

    #[inline]
    fn read(&self, text: &[u8]) -> Option<F> {
        match self.text.read(text) {
            None if self.lenient => read_leniently(text, self.text.mark),
            value => value,
        }
    }
}

/// Half-precision numbers, which are written as the single-precision numbers equal to them.
pub(super) struct HalfRead(pub(super) FloatRead<f32>);

impl Read for HalfRead {
    type Native = Half;

    fn read(&self, text: &[u8]) -> Option<Half> {
        let wide = self.0.read(text)?;
        let half = Half::from_f32(wide);
        (half.to_f32() == wide || wide.is_nan()).then_some(half)
    }
}

/// Days since the epoch.
pub(super) struct DateRead<P> {
    pub(super) pattern: P,
}

impl<P: DateText> Read for DateRead<P> {
    type Native = i32;

    #[inline]
    fn read(&self, text: &[u8]) -> Option<i32> {
        self.pattern.read_days(text).and_then(|days| i32::try_from(days).ok())
    }
}

/// Days since the epoch, in a pattern that was given.
pub(super) struct GivenDateRead {
    pub(super) pattern: GivenPattern,
    pub(super) lenient: bool,
}

impl Read for GivenDateRead {
    type Native = i32;

    fn read(&self, text: &[u8]) -> Option<i32> {
        self.pattern.read_days(text, self.lenient).and_then(|days| i32::try_from(days).ok())
    }
}

/// Milliseconds since the epoch: a date, or a date and time where a value is not at midnight.
pub(super) struct MillisecondDateRead<P> {
    pub(super) pattern: P,
}

impl<P: DateText> Read for MillisecondDateRead<P> {
    type Native = i64;

    fn read(&self, text: &[u8]) -> Option<i64> {
        if let Some(days) = self.pattern.read_days(text) {
            return days.checked_mul(datetime::DAY_SECONDS * 1_000);
        }
        let value = datetime::read_timestamp(text, MILLISECONDS, 3)?;
        (value % (datetime::DAY_SECONDS * 1_000) != 0).then_some(value)
    }
}

/// Seconds or fractions of them.
pub(super) struct UnitsRead {
    pub(super) text: UnitsText,
    /// Digits after the second that the unit stands for.
    pub(super) digits: u8,
}

/// What the text of a number of seconds looks like.
pub(super) enum UnitsText {
    Time { seconds: bool, fraction: u8 },
    HalfDay(HalfDayPattern),
    Timestamp(TimestampPattern),
    Written(WrittenPattern),
    Given { pattern: GivenPattern, lenient: bool },
    AnyTimestamp { zoned: bool },
    Duration,
}

impl Read for UnitsRead {
    type Native = i64;

    #[inline]
    fn read(&self, text: &[u8]) -> Option<i64> {
        match &self.text {
            &UnitsText::Time { seconds, fraction } => {
                datetime::read_clock(text, seconds, fraction, self.digits)
            }
            &UnitsText::HalfDay(pattern) => half_day::read_half_day(text, pattern, self.digits),
            &UnitsText::Timestamp(pattern) => datetime::read_timestamp(text, pattern, self.digits),
            &UnitsText::Written(pattern) => written::read_written_timestamp(text, pattern, self.digits),
            UnitsText::Given { pattern, lenient } => pattern.read_units(text, self.digits, *lenient),
            &UnitsText::AnyTimestamp { zoned } => {
                let pattern = datetime::timestamp_pattern(text)?;
                // Whether the day or the month comes first is not known of a single field.
                let told = pattern.date.is_year_first();
                let same = told && zoned == (pattern.zone != Zone::None);
                same.then(|| datetime::read_timestamp(text, pattern, self.digits)).flatten()
            }
            UnitsText::Duration => duration::read_duration(text, self.digits),
        }
    }
}

/// Seconds or milliseconds since midnight in 32 bits.
pub(super) struct ShortTimeRead(pub(super) UnitsRead);

impl Read for ShortTimeRead {
    type Native = i32;

    fn read(&self, text: &[u8]) -> Option<i32> {
        self.0.read(text).and_then(|value| i32::try_from(value).ok())
    }
}

/// Months.
pub(super) struct MonthsRead;

impl Read for MonthsRead {
    type Native = i32;

    fn read(&self, text: &[u8]) -> Option<i32> {
        let months = text.strip_prefix(b"P")?.strip_suffix(b"M")?;
        <i32 as Integer>::read(months)
    }
}

/// Days and milliseconds.
pub(super) struct DayTimeRead;

impl Read for DayTimeRead {
    type Native = IntervalDayTime;

    fn read(&self, text: &[u8]) -> Option<IntervalDayTime> {
        let (months, days, units) = duration::read_interval(text, 3)?;
        let milliseconds = i32::try_from(units).ok()?;
        (months == 0).then_some(IntervalDayTime { days, milliseconds })
    }
}

/// Months, days and nanoseconds.
pub(super) struct MonthDayNanoRead;

impl Read for MonthDayNanoRead {
    type Native = IntervalMonthDayNano;

    fn read(&self, text: &[u8]) -> Option<IntervalMonthDayNano> {
        let (months, days, nanoseconds) = duration::read_interval(text, 9)?;
        Some(IntervalMonthDayNano { months, days, nanoseconds })
    }
}
