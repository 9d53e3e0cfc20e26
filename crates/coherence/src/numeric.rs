//! Cells as numbers, for columns that a conversion may approximate.

use crate::cells::{Cells, Values};
use crate::distance::DistanceError;
use crate::schema::LogicalType;

/// A finite number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// `unscaled * 10^-scale`.
    Decimal { unscaled: i128, scale: i8 },
    /// Binary floating point, widened without loss.
    Float(f64),
}

/// A cell that is no finite number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    Null,
    Nan,
    Infinite { negative: bool },
}

/// The decimal scale of a type of numbers (0 for integers and floats); `None` for any other type.
pub(crate) fn exponent(ty: &LogicalType) -> Option<i8> {
    match ty {
        LogicalType::Int { .. } | LogicalType::Float { .. } => Some(0),
        LogicalType::Decimal { precision, scale } if *precision <= 38 => Some(*scale),
        _ => None,
    }
}

/// The finite number in a cell; `None` when the cell holds a symbol.
pub(crate) fn number(
    ty: &LogicalType,
    cells: &Cells<'_>,
    row: usize,
) -> Result<Option<Number>, DistanceError> {
    if cells.is_null(row) {
        return Ok(None);
    }
    match cells.values() {
        Values::Float { width, bytes } if matches!(ty, LogicalType::Float { .. }) => {
            let value = float(&bytes[row * width..(row + 1) * width]);
            Ok(value.is_finite().then_some(Number::Float(value)))
        }
        Values::Fixed { width, bytes } if ty.value_width() == Some(*width) => {
            let scale = exponent(ty).ok_or_else(|| DistanceError::NotNumeric(ty.clone()))?;
            let signed = !matches!(ty, LogicalType::Int { signed: false, .. });
            let unscaled = integer(&bytes[row * width..(row + 1) * width], signed);
            Ok(Some(Number::Decimal { unscaled, scale }))
        }
        _ => Err(DistanceError::Layout),
    }
}

/// The symbol in a cell that holds no finite number.
pub(crate) fn symbol(cells: &Cells<'_>, row: usize) -> Symbol {
    match cells.values() {
        Values::Float { width, bytes } if !cells.is_null(row) => {
            let value = float(&bytes[row * width..(row + 1) * width]);
            if value.is_nan() { Symbol::Nan } else { Symbol::Infinite { negative: value < 0.0 } }
        }
        _ => Symbol::Null,
    }
}

impl Number {
    /// The nearest `f64`, up to one more rounding for a decimal scale.
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Decimal { unscaled, scale } => shift(unscaled as f64, scale),
            Self::Float(value) => value,
        }
    }

    /// `self - other`. Integers and decimals are subtracted exactly before rounding, wherever that fits; so
    /// are a float and an integer that is no `f64`.
    pub(crate) fn minus(self, other: Self) -> f64 {
        if let Some((a, b, scale)) = self.aligned(other)
            && let Some(difference) = a.checked_sub(b)
        {
            return shift(difference as f64, scale);
        }
        let apart = match (self, other) {
            (Self::Decimal { unscaled, scale: 0 }, Self::Float(float)) => integer_minus(unscaled, float),
            (Self::Float(float), Self::Decimal { unscaled, scale: 0 }) => {
                integer_minus(unscaled, float).map(std::ops::Neg::neg)
            }
            _ => None,
        };
        apart.unwrap_or_else(|| self.to_f64() - other.to_f64())
    }

    /// True when no reader could tell the two apart as values: -0.0 is not 0.0.
    pub(crate) fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Decimal { .. }, Self::Decimal { .. }) => {
                // Where two decimals have no common scale within 38 digits, they are far from equal.
                self.aligned(other).is_some_and(|(a, b, _)| a == b)
            }
            (Self::Decimal { unscaled, scale: 0 }, Self::Float(float))
            | (Self::Float(float), Self::Decimal { unscaled, scale: 0 }) => {
                (unscaled as f64).to_bits() == float.to_bits() && float as i128 == unscaled
            }
            _ => self.to_f64().to_bits() == other.to_f64().to_bits(),
        }
    }

    /// Two decimals as integers of one scale; `None` for a float, and where 38 digits do not hold both.
    fn aligned(self, other: Self) -> Option<(i128, i128, i8)> {
        let (Self::Decimal { unscaled: a, scale }, Self::Decimal { unscaled: b, scale: other_scale }) =
            (self, other)
        else {
            return None;
        };
        let common = scale.max(other_scale);
        let raise = |unscaled: i128, from: i8| {
            let power = u32::try_from(i32::from(common) - i32::from(from)).ok()?;
            if unscaled == 0 { Some(0) } else { unscaled.checked_mul(10i128.checked_pow(power)?) }
        };
        Some((raise(a, scale)?, raise(b, other_scale)?, common))
    }
}

/// An integer beyond those that each have an `f64`, minus a float; `None` for any other, and for a float of
/// more than 126 bits.
fn integer_minus(unscaled: i128, float: f64) -> Option<f64> {
    const EVERY: u128 = 1 << f64::MANTISSA_DIGITS;
    let is_near = unscaled.unsigned_abs() > EVERY && float.abs() < 2f64.powi(126);
    let difference = is_near.then(|| unscaled.checked_sub(float.trunc() as i128))??;
    Some(difference as f64 - float.fract())
}

fn shift(value: f64, scale: i8) -> f64 {
    let power = 10f64.powi(i32::from(scale).abs());
    if scale >= 0 { value / power } else { value * power }
}

/// A little-endian integer of at most 16 bytes.
fn integer(bytes: &[u8], signed: bool) -> i128 {
    let negative = signed && bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    wide[..bytes.len()].copy_from_slice(bytes);
    i128::from_le_bytes(wide)
}

/// A little-endian IEEE 754 value of 2, 4 or 8 bytes, widened without loss.
pub(crate) fn float(bytes: &[u8]) -> f64 {
    match *bytes {
        [a, b] => half(u16::from_le_bytes([a, b])),
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => f64::NAN,
    }
}

/// An IEEE 754 `binary16`, widened without loss.
#[inline]
pub(crate) fn half(bits: u16) -> f64 {
    widen(bits >> 15, bits & 0x7fff, (10, 15), 0x7c00)
}

/// A float of 16 bits or fewer, from its sign, its magnitude, its layout (bits of fraction, bias), and the
/// least magnitude that is no number. Without branches, so that arrays are widened by vector instructions.
#[inline]
pub(crate) fn widen(sign: u16, magnitude: u16, (fraction, bias): (u32, u32), symbols: u16) -> f64 {
    // All of them are singles, of which a vector holds twice as many as of doubles.
    let magnitude = u32::from(magnitude);
    let unit = f32::from_bits((128 - bias - fraction) << 23);
    let subnormal = (magnitude.cast_signed() as f32 * unit).to_bits();
    let normal = (magnitude << (23 - fraction)) + ((127 - bias) << 23);
    let number = if magnitude >> fraction == 0 { subnormal } else { normal };
    let symbol = if magnitude >= u32::from(symbols) { 0xff << 23 } else { 0 };
    f32::from_bits(number | symbol | u32::from(sign) << 31).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_widen_exactly() {
        assert_eq!(half(0x3c00), 1.0);
        assert_eq!(half(0xc000), -2.0);
        assert_eq!(half(0x0001), 2f64.powi(-24));
        assert_eq!(half(0x7bff), 65504.0);
        assert_eq!(half(0x7c00), f64::INFINITY);
        assert!(half(0x7c01).is_nan());
        assert_eq!(half(0x8000).to_bits(), (-0.0f64).to_bits());
        assert_eq!(half(0xfc00), f64::NEG_INFINITY);
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
            let magnitude = match exponent {
                0 => fraction * 2f64.powi(-24),
                31 if fraction == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
            };
            let wanted = if bits >> 15 == 1 { -magnitude } else { magnitude };
            let found = half(bits);
            assert!(found.to_bits() == wanted.to_bits() || (found.is_nan() && wanted.is_nan()), "{bits:x}");
        }
    }

    #[test]
    fn an_integer_beyond_doubles_is_far_from_one_by_what_it_is() {
        let whole = |unscaled| Number::Decimal { unscaled, scale: 0 };
        let odd = (1_i128 << 53) + 1;
        for (unscaled, float, wanted) in [
            (odd, 2f64.powi(53), 1.0),
            (odd, 0.5, 2f64.powi(53)),
            (-odd, -(2f64.powi(53)), -1.0),
            ((1 << 60) + 100, 2f64.powi(60), 100.0),
            (i128::MAX, 2f64.powi(127), 0.0),
            (odd - 1, 0.5, 2f64.powi(53) - 0.5),
        ] {
            assert_eq!(whole(unscaled).minus(Number::Float(float)), wanted, "{unscaled}");
            assert_eq!(Number::Float(float).minus(whole(unscaled)), -wanted, "{unscaled}");
        }
    }

    #[test]
    fn integers_widen_with_their_sign() {
        assert_eq!(integer(&[0xff], true), -1);
        assert_eq!(integer(&[0xff], false), 255);
        assert_eq!(integer(&[0x00, 0x80], true), -32768);
        assert_eq!(integer(&i128::MIN.to_le_bytes(), true), i128::MIN);
    }

    #[test]
    fn close_large_integers_are_told_apart() {
        let number = |unscaled| Number::Decimal { unscaled, scale: 0 };
        assert_eq!(number((1 << 60) + 1).minus(number(1 << 60)), 1.0);
        assert!(!number((1 << 60) + 1).same(number(1 << 60)));
        assert!(!number((1 << 60) + 1).same(Number::Float((1u64 << 60) as f64)));
        assert!(number(1 << 60).same(Number::Float((1u64 << 60) as f64)));
    }

    #[test]
    fn decimals_of_different_scales_are_aligned() {
        let (tenths, hundredths) =
            (Number::Decimal { unscaled: 11, scale: 1 }, Number::Decimal { unscaled: 111, scale: 2 });
        assert_eq!(tenths.minus(hundredths), -0.01);
        assert!(!tenths.same(hundredths));
        assert!(tenths.same(Number::Decimal { unscaled: 110, scale: 2 }));
        let huge = Number::Decimal { unscaled: i128::MAX, scale: -100 };
        assert!(!huge.same(Number::Decimal { unscaled: i128::MAX, scale: 100 }));
    }
}
