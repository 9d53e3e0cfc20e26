//! Provides the writers of single values.

use crate::text::date_text::DateText;
use crate::text::default::MILLISECONDS;
use crate::text::digits::write_first;
use crate::text::float::{Float, FloatText};
use crate::text::number::{DecimalText, Integer, Unscaled};
use crate::text::{GivenPattern, HalfDayPattern, TimestampPattern, WrittenPattern, write_uuid};
use crate::text::{datetime, duration, half_day, written};
use arrow_array::types::{ArrowPrimitiveType, Float16Type};
use arrow_array::{
    BooleanArray, FixedSizeBinaryArray, GenericBinaryArray, GenericStringArray, OffsetSizeTrait,
    StringViewArray,
};
use arrow_buffer::{ArrowNativeType, IntervalDayTime, IntervalMonthDayNano, ScalarBuffer};

/// Half-precision numbers, under the name that arrow gives them.
pub(super) type Half = <Float16Type as ArrowPrimitiveType>::Native;

/// Writes the values of one array.
pub(in crate::text) trait Writer: Send + Sync {
    /// Appends the text of a row that is not null.
    fn write(&self, row: usize, out: &mut Vec<u8>);

    /// Every byte that any text holds, where they are known before they are written.
    fn bytes(&self) -> Option<&[u8]> {
        None
    }
}

/// Writes one fixed-width value.
pub(super) trait Values<N>: Send + Sync {
    fn text(&self, value: N, out: &mut Vec<u8>);
}

/// Fixed-width values.
pub(super) struct Primitive<N: ArrowNativeType, W> {
    pub(super) values: ScalarBuffer<N>,
    pub(super) how: W,
}

impl<N: ArrowNativeType, W: Values<N>> Writer for Primitive<N, W> {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        self.how.text(self.values[row], out);
    }
}

pub(super) struct IntegerWriter;

impl<N: Integer> Values<N> for IntegerWriter {
    fn text(&self, value: N, out: &mut Vec<u8>) {
        value.write(out);
    }
}

pub(super) struct DecimalWriter(pub(super) DecimalText);

impl<U: Unscaled> Values<U> for DecimalWriter {
    fn text(&self, value: U, out: &mut Vec<u8>) {
        self.0.write(value, out);
    }
}

pub(super) struct FloatWriter(pub(super) FloatText);

impl<F: Float> Values<F> for FloatWriter {
    fn text(&self, value: F, out: &mut Vec<u8>) {
        self.0.write(value, out);
    }
}

pub(super) struct HalfWriter(pub(super) FloatText);

impl Values<Half> for HalfWriter {
    fn text(&self, value: Half, out: &mut Vec<u8>) {
        self.0.write(value.to_f32(), out);
    }
}

/// Days, or milliseconds, since the epoch.
pub(super) struct DaysWriter<P>(pub(super) P);

impl<P: DateText> Values<i32> for DaysWriter<P> {
    fn text(&self, value: i32, out: &mut Vec<u8>) {
        self.0.write_days(i64::from(value), out);
    }
}

impl<P: DateText> Values<i64> for DaysWriter<P> {
    fn text(&self, value: i64, out: &mut Vec<u8>) {
        let day = datetime::DAY_SECONDS * 1_000;
        if value % day == 0 {
            self.0.write_days(value / day, out);
        } else {
            datetime::write_timestamp(value, MILLISECONDS, 3, out);
        }
    }
}

pub(super) struct TimeWriter {
    pub(super) seconds: bool,
    pub(super) fraction: u8,
    pub(super) digits: u8,
}

impl Values<i32> for TimeWriter {
    fn text(&self, value: i32, out: &mut Vec<u8>) {
        self.text(i64::from(value), out);
    }
}

impl Values<i64> for TimeWriter {
    fn text(&self, value: i64, out: &mut Vec<u8>) {
        // Arrow gives a time of day no sign; what has one nevertheless must not pass for another time.
        if value < 0 {
            out.push(b'-');
        }
        datetime::write_clock(value.unsigned_abs(), self.seconds, self.fraction, self.digits, out);
    }
}

pub(super) struct HalfDayWriter {
    pub(super) pattern: HalfDayPattern,
    pub(super) digits: u8,
}

impl Values<i32> for HalfDayWriter {
    fn text(&self, value: i32, out: &mut Vec<u8>) {
        self.text(i64::from(value), out);
    }
}

impl Values<i64> for HalfDayWriter {
    fn text(&self, value: i64, out: &mut Vec<u8>) {
        if value < 0 {
            out.push(b'-');
        }
        half_day::write_half_day(value.unsigned_abs(), self.pattern, self.digits, out);
    }
}

pub(super) struct TimestampWriter {
    pub(super) pattern: TimestampPattern,
    pub(super) digits: u8,
}

impl Values<i64> for TimestampWriter {
    fn text(&self, value: i64, out: &mut Vec<u8>) {
        datetime::write_timestamp(value, self.pattern, self.digits, out);
    }
}

pub(super) struct WrittenWriter {
    pub(super) pattern: WrittenPattern,
    pub(super) digits: u8,
}

impl Values<i64> for WrittenWriter {
    fn text(&self, value: i64, out: &mut Vec<u8>) {
        written::write_written_timestamp(value, self.pattern, self.digits, out);
    }
}

pub(super) struct GivenDateWriter(pub(super) GivenPattern);

impl Values<i32> for GivenDateWriter {
    fn text(&self, value: i32, out: &mut Vec<u8>) {
        self.0.write_days(i64::from(value), out);
    }
}

pub(super) struct GivenWriter {
    pub(super) pattern: GivenPattern,
    pub(super) digits: u8,
}

impl Values<i32> for GivenWriter {
    fn text(&self, value: i32, out: &mut Vec<u8>) {
        self.text(i64::from(value), out);
    }
}

impl Values<i64> for GivenWriter {
    fn text(&self, value: i64, out: &mut Vec<u8>) {
        self.pattern.write_units(value, self.digits, out);
    }
}

pub(super) struct DurationWriter {
    pub(super) digits: u8,
}

impl Values<i64> for DurationWriter {
    fn text(&self, value: i64, out: &mut Vec<u8>) {
        duration::write_duration(value, self.digits, out);
    }
}

pub(super) struct IntervalWriter;

impl Values<i32> for IntervalWriter {
    fn text(&self, months: i32, out: &mut Vec<u8>) {
        out.push(b'P');
        months.write(out);
        out.push(b'M');
    }
}

impl Values<IntervalDayTime> for IntervalWriter {
    fn text(&self, value: IntervalDayTime, out: &mut Vec<u8>) {
        duration::write_interval(0, value.days, i64::from(value.milliseconds), 3, out);
    }
}

impl Values<IntervalMonthDayNano> for IntervalWriter {
    fn text(&self, value: IntervalMonthDayNano, out: &mut Vec<u8>) {
        duration::write_interval(value.months, value.days, value.nanoseconds, 9, out);
    }
}

pub(super) struct TextWriter<O: OffsetSizeTrait>(pub(super) GenericStringArray<O>);

/// Bytes that are moved at once; most texts are shorter.
const MOVED_BYTES: usize = 32;

impl<O: OffsetSizeTrait> Writer for TextWriter<O> {
    #[inline]
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        let offsets = &self.0.value_offsets()[row..row + 2];
        let (start, end) = (offsets[0].as_usize(), offsets[1].as_usize());
        match self.0.value_data()[start..].first_chunk::<MOVED_BYTES>() {
            Some(bytes) if end - start <= MOVED_BYTES => write_first(out, bytes, end - start),
            _ => out.extend_from_slice(&self.0.value_data()[start..end]),
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        let (first, last) = (self.0.value_offsets().first()?, self.0.value_offsets().last()?);
        self.0.value_data().get(first.as_usize()..last.as_usize())
    }
}

pub(super) struct ViewWriter(pub(super) StringViewArray);

impl Writer for ViewWriter {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.value(row).as_bytes());
    }
}

pub(super) struct BoolWriter {
    pub(super) array: BooleanArray,
    pub(super) words: (&'static str, &'static str),
}

impl Writer for BoolWriter {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        let word = if self.array.value(row) { self.words.0 } else { self.words.1 };
        out.extend_from_slice(word.as_bytes());
    }
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"0x");
    for &byte in bytes {
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

pub(super) struct BinaryWriter<O: OffsetSizeTrait>(pub(super) GenericBinaryArray<O>);

impl<O: OffsetSizeTrait> Writer for BinaryWriter<O> {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        write_hex(self.0.value(row), out);
    }
}

pub(super) struct FixedBinaryWriter(pub(super) FixedSizeBinaryArray);

impl Writer for FixedBinaryWriter {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        write_hex(self.0.value(row), out);
    }
}

pub(super) struct UuidWriter(pub(super) FixedSizeBinaryArray);

impl Writer for UuidWriter {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        write_uuid(self.0.value(row), out);
    }

    fn bytes(&self) -> Option<&[u8]> {
        Some(b"0123456789abcdef-")
    }
}

/// The values of a dictionary, by its keys.
pub(super) struct IndirectWriter {
    pub(super) keys: Vec<usize>,
    pub(super) inner: Box<dyn Writer>,
}

impl Writer for IndirectWriter {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        self.inner.write(self.keys[row], out);
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.inner.bytes()
    }
}

/// An array of nulls.
pub(super) struct NothingWriter;

impl Writer for NothingWriter {
    fn write(&self, _: usize, _: &mut Vec<u8>) {}
}
