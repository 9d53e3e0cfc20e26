//! Provides the reading and writing of integers and decimals, in their one canonical text and leniently.

use super::digits;
use arrow_buffer::i256;

/// Splits a minus sign from what follows.
#[inline]
pub(crate) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    }
}

/// Whether a run of digits may stand as an integer: not empty, no leading zero.
#[inline]
pub(crate) fn is_canonical_run(digits: &[u8]) -> bool {
    match digits {
        [] => false,
        [b'0', rest @ ..] => rest.is_empty(),
        _ => true,
    }
}

/// A type of integer that can be read from its canonical text.
pub(crate) trait Integer: Copy + Default {
    /// The value of a canonical text; `None` if it is not one or is out of range.
    fn read(text: &[u8]) -> Option<Self>;
    /// Writes the canonical text.
    fn write(self, out: &mut Vec<u8>);
}

#[inline]
fn read_i64(text: &[u8]) -> Option<i64> {
    let (negative, run) = split_sign(text);
    if run.len() > 19 || !is_canonical_run(run) {
        return None;
    }
    let magnitude = digits::value(run)?;
    if negative {
        // Zero has no sign; the most negative number has no positive counterpart.
        if magnitude == 0 { None } else { 0i64.checked_sub_unsigned(magnitude) }
    } else {
        i64::try_from(magnitude).ok()
    }
}

#[inline]
fn read_u64(text: &[u8]) -> Option<u64> {
    if !is_canonical_run(text) {
        return None;
    }
    match text.len() {
        0..=19 => digits::value(text),
        20 => {
            let (high, low) = text.split_at(19);
            digits::value(high)?.checked_mul(10)?.checked_add(digits::value(low)?)
        }
        _ => None,
    }
}

fn write_i64(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    digits::write_u64(out, value.unsigned_abs());
}

macro_rules! integer {
    ($read:ident, $write:expr, $wide:ty, $($t:ty),*) => {$(
        impl Integer for $t {
            #[inline]
            fn read(text: &[u8]) -> Option<Self> {
                $read(text).and_then(|v| <$t>::try_from(v).ok())
            }

            #[inline]
            fn write(self, out: &mut Vec<u8>) {
                $write(<$wide>::from(self), out)
            }
        }
    )*};
}

integer!(read_i64, write_i64, i64, i8, i16, i32, i64);
integer!(read_u64, |v, out| digits::write_u64(out, v), u64, u8, u16, u32, u64);

/// Removes a plus sign and leading zeros, and the minus sign of zero: the canonical text of an integer that
/// was written otherwise. `None` if the text is no integer.
pub(crate) fn normalise_integer(text: &[u8]) -> Option<Vec<u8>> {
    let (negative, run) = match text {
        [b'+', rest @ ..] => (false, rest),
        _ => split_sign(text),
    };
    if run.is_empty() || !run.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let first = run.iter().position(|&b| b != b'0').unwrap_or(run.len() - 1);
    let mut out = Vec::with_capacity(run.len() + 1);
    if negative && run[first] != b'0' {
        out.push(b'-');
    }
    out.extend_from_slice(&run[first..]);
    Some(out)
}

/// A type that holds the unscaled value of a decimal.
pub(crate) trait Unscaled: Copy + Default {
    /// The value of the integral digits followed by the fractional ones.
    fn compose(negative: bool, integral: &[u8], fraction: &[u8]) -> Option<Self>;
    /// Whether the value has at most so many digits.
    fn within(self, precision: u8) -> bool;
    /// The value, if it fits into 64 bits.
    fn narrow(self) -> Option<i64>;
    /// Writes the digits of the magnitude; returns whether the value is negative.
    fn magnitude(self, out: &mut Vec<u8>) -> bool;
}

impl Unscaled for i128 {
    #[inline]
    fn compose(negative: bool, integral: &[u8], fraction: &[u8]) -> Option<Self> {
        let magnitude = if integral.len() + fraction.len() <= 19 {
            let high = digits::value(integral)?;
            let low = digits::value(fraction)?;
            i128::from(high.wrapping_mul(digits::POWERS[fraction.len()]).wrapping_add(low))
        } else {
            let high = i128::try_from(digits::value_128(integral)?).ok()?;
            let low = i128::try_from(digits::value_128(fraction)?).ok()?;
            high.checked_mul(10i128.checked_pow(fraction.len() as u32)?)?.checked_add(low)?
        };
        Some(if negative { -magnitude } else { magnitude })
    }

    #[inline]
    fn within(self, precision: u8) -> bool {
        let power = match usize::from(precision) {
            small @ 0..=19 => u128::from(digits::POWERS[small]),
            large => 10u128.checked_pow(large as u32).unwrap_or(u128::MAX),
        };
        self.unsigned_abs() < power
    }

    #[inline]
    fn narrow(self) -> Option<i64> {
        i64::try_from(self).ok()
    }

    fn magnitude(self, out: &mut Vec<u8>) -> bool {
        digits::write_u128(out, self.unsigned_abs());
        self < 0
    }
}

macro_rules! narrow_unscaled {
    ($($t:ty),*) => {$(
        impl Unscaled for $t {
            fn compose(negative: bool, integral: &[u8], fraction: &[u8]) -> Option<Self> {
                <$t>::try_from(i128::compose(negative, integral, fraction)?).ok()
            }

            fn within(self, precision: u8) -> bool {
                i128::from(self).within(precision)
            }

            fn narrow(self) -> Option<i64> {
                Some(i64::from(self))
            }

            fn magnitude(self, out: &mut Vec<u8>) -> bool {
                i128::from(self).magnitude(out)
            }
        }
    )*};
}

narrow_unscaled!(i32, i64);

impl Unscaled for i256 {
    fn compose(negative: bool, integral: &[u8], fraction: &[u8]) -> Option<Self> {
        let high = digits::value_256(integral)?;
        let low = digits::value_256(fraction)?;
        let magnitude = high.checked_mul(digits::power_256(fraction.len() as u32)?)?.checked_add(low)?;
        if negative { magnitude.checked_neg() } else { Some(magnitude) }
    }

    fn within(self, precision: u8) -> bool {
        match (self.checked_abs(), digits::power_256(u32::from(precision))) {
            (Some(magnitude), Some(power)) => magnitude < power,
            _ => false,
        }
    }

    fn narrow(self) -> Option<i64> {
        self.to_i128().and_then(|value| i64::try_from(value).ok())
    }

    fn magnitude(self, out: &mut Vec<u8>) -> bool {
        let text = self.to_string();
        let (negative, run) = split_sign(text.as_bytes());
        out.extend_from_slice(run);
        negative
    }
}

/// How a decimal is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecimalText {
    pub(crate) precision: u8,
    pub(crate) scale: i8,
    pub(crate) mark: u8,
    /// Whether an integral zero before the mark is left out.
    pub(crate) bare_mark: bool,
}

impl DecimalText {
    /// The unscaled value of a canonical text: no leading zeros, no plus, no negative zero, exactly as many
    /// fractional digits as the scale.
    #[inline]
    pub(crate) fn read<U: Unscaled + PartialEq>(&self, text: &[u8]) -> Option<U> {
        let (negative, run) = split_sign(text);
        let (integral, fraction) = match self.scale {
            0 => (run, &[][..]),
            scale if scale > 0 => {
                let at = run.len().checked_sub(scale as usize + 1)?;
                if run[at] != self.mark {
                    return None;
                }
                (&run[..at], &run[at + 1..])
            }
            scale if run != b"0" => {
                let (head, zeros) = run.split_at(run.len().checked_sub(usize::from(scale.unsigned_abs()))?);
                if zeros.iter().any(|&b| b != b'0') || head == b"0" {
                    return None;
                }
                (head, &[][..])
            }
            _ => (run, &[][..]),
        };
        let led = match self.bare_mark && self.scale > 0 {
            true => integral.first() != Some(&b'0'),
            false => is_canonical_run(integral),
        };
        if !led {
            return None;
        }
        let value = U::compose(negative, integral, fraction)?;
        (value.within(self.precision) && !(negative && value == U::default())).then_some(value)
    }

    /// The unscaled value of a text with at most as many fractional digits as the scale, leading zeros and a
    /// plus sign allowed.
    pub(crate) fn read_leniently<U: Unscaled>(&self, text: &[u8]) -> Option<U> {
        let at = text.iter().position(|&b| b == self.mark);
        let (integral, fraction) = match at {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &[][..]),
        };
        let scale = usize::try_from(self.scale).ok()?;
        let kept = fraction.len() - fraction.iter().rev().take_while(|&&b| b == b'0').count();
        if kept > scale || !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut padded = fraction[..kept].to_vec();
        padded.resize(scale, b'0');
        let negative = integral.first() == Some(&b'-');
        let integral = normalise_integer(integral)?;
        let value = U::compose(negative, split_sign(&integral).1, &padded)?;
        value.within(self.precision).then_some(value)
    }

    /// Writes the canonical text.
    #[inline]
    pub(crate) fn write<U: Unscaled>(&self, value: U, out: &mut Vec<u8>) {
        match (value.narrow(), usize::try_from(self.scale)) {
            (Some(value), Ok(scale @ 0..=19)) => {
                if value < 0 {
                    out.push(b'-');
                }
                let (integral, fraction) = match scale {
                    0 => (value.unsigned_abs(), 0),
                    _ => (
                        value.unsigned_abs() / digits::POWERS[scale],
                        value.unsigned_abs() % digits::POWERS[scale],
                    ),
                };
                if integral != 0 || scale == 0 || !self.bare_mark {
                    digits::write_u64(out, integral);
                }
                if scale > 0 {
                    out.push(self.mark);
                    digits::write_padded(out, fraction, scale);
                }
            }
            _ => self.write_wide(value, out),
        }
    }

    fn write_wide<U: Unscaled>(&self, value: U, out: &mut Vec<u8>) {
        let mut run = Vec::with_capacity(80);
        if value.magnitude(&mut run) {
            out.push(b'-');
        }
        let Ok(scale) = usize::try_from(self.scale) else {
            out.extend_from_slice(&run);
            let zeros = if run == b"0" { 0 } else { usize::from(self.scale.unsigned_abs()) };
            return out.resize(out.len() + zeros, b'0');
        };
        let (integral, fraction) = run.split_at(run.len().saturating_sub(scale));
        match integral {
            [] if self.bare_mark => {}
            [] => out.push(b'0'),
            _ => out.extend_from_slice(integral),
        }
        if scale > 0 {
            out.push(self.mark);
            out.resize(out.len() + scale - fraction.len(), b'0');
            out.extend_from_slice(fraction);
        }
    }
}
