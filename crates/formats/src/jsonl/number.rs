//! Provides the text of floating point numbers: shortest digits in one of the layouts that writers use, and
//! whether a number's text is exactly what a layout gives back.

use super::lexer::Number;
use super::typing::{Exponent, FloatStyle};
use crate::text::digits;

/// Width of a floating point type; shortest digits depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// IEEE 754 binary16.
    Half,
    /// IEEE 754 binary32.
    Single,
    /// IEEE 754 binary64.
    Double,
}

impl FloatStyle {
    /// Decimal exponents of the first digit for which no exponent is written: from, and up to but without.
    fn positional(self) -> (i32, i32) {
        match self.exponent {
            Exponent::Python => (-4, 16),
            Exponent::Ecma => (-6, 21),
            Exponent::Rust => (-5, 16),
            Exponent::Java => (-3, 7),
            Exponent::Never => (i32::MIN, i32::MAX),
        }
    }

    /// Sizes that this style writes without an exponent: from, and below. Zero is written so as well.
    fn bounds(self) -> (f64, f64) {
        match self.exponent {
            Exponent::Python => (1e-4, 1e15),
            Exponent::Ecma | Exponent::Never => (1e-6, 1e15),
            Exponent::Rust => (1e-5, 1e15),
            Exponent::Java => (1e-3, 1e7),
        }
    }

    /// Appends a finite `value` of this width (held exactly in a double).
    pub(crate) fn write(self, value: f64, width: Width, out: &mut Vec<u8>) {
        if value.is_sign_negative() {
            out.push(b'-');
        }
        let value = value.abs();
        if width == Width::Double && in_every_range(value) {
            // The layout of the printer is that of every style here, but for a final `.0`.
            let mut buffer = zmij::Buffer::new();
            let text = buffer.format_finite(value).as_bytes();
            let text = if self.point_zero { text } else { text.strip_suffix(b".0").unwrap_or(text) };
            return out.extend_from_slice(text);
        }
        let mut digits = [0; 32];
        let (length, first) = shortest(value, width, &mut digits);
        let digits = &digits[..length];
        let (low, high) = self.positional();
        if first < low || first >= high {
            self.write_exponent(digits, first, out);
        } else if first < 0 {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', first.unsigned_abs() as usize - 1));
            out.extend_from_slice(digits);
        } else {
            let whole = first as usize + 1;
            let point = whole.min(digits.len());
            out.extend_from_slice(&digits[..point]);
            out.extend(std::iter::repeat_n(b'0', whole - point));
            if point < digits.len() {
                out.push(b'.');
                out.extend_from_slice(&digits[point..]);
            } else if self.point_zero {
                out.extend_from_slice(b".0");
            }
        }
    }

    fn write_exponent(self, digits: &[u8], first: i32, out: &mut Vec<u8>) {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        } else if self.exponent == Exponent::Java && self.point_zero {
            out.extend_from_slice(b".0");
        }
        out.push(if self.exponent == Exponent::Java { b'E' } else { b'e' });
        let signed = matches!(self.exponent, Exponent::Python | Exponent::Ecma);
        if first < 0 {
            out.push(b'-');
        } else if signed {
            out.push(b'+');
        }
        let size = first.unsigned_abs();
        if size < 10 && self.exponent == Exponent::Python {
            out.push(b'0');
        }
        push_u64(u64::from(size), out);
    }

    /// The value of `number` if this style writes exactly that text for it.
    #[inline]
    pub(crate) fn read(self, number: &Number<'_>, width: Width, scratch: &mut Vec<u8>) -> Option<f64> {
        if let Some(value) = plain(number, width) {
            let (low, high) = self.bounds();
            let zero_end = number.fraction > 0 && number.mantissa.is_multiple_of(10);
            let form = match number.fraction {
                0 => !self.point_zero,
                1 if zero_end => self.point_zero,
                _ => !zero_end,
            };
            if form && (value == 0.0 || (value.abs() >= low && value.abs() < high)) {
                // `0.00` is caught here because its last digit is a zero and it has two of them.
                return Some(value);
            }
        }
        let value = parse(number, width)?;
        scratch.clear();
        self.write(value, width, scratch);
        (scratch == number.text).then_some(value)
    }
}

/// Whether a number of this size is written without an exponent in every style.
pub(crate) fn in_every_range(value: f64) -> bool {
    let size = value.abs();
    size == 0.0 || (1e-3..1e7).contains(&size)
}

/// The nearest double, by the short cut where it is right.
pub(crate) fn nearest(number: &Number<'_>) -> Option<f64> {
    plain(number, Width::Double).or_else(|| parse(number, Width::Double))
}

/// The value of a number of at most 15 digits without an exponent.
///
/// Two such numbers never share a double (DBL_DIG is 15), so that its digits are the shortest; and both the
/// integer of its digits and the power of ten are exact, so that one division rounds once.
#[inline]
fn plain(number: &Number<'_>, width: Width) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    if number.exponent || number.digits > 15 || width != Width::Double {
        return None;
    }
    let value = number.mantissa as f64 / POWERS.get(number.fraction)?;
    Some(if number.negative { -value } else { value })
}

/// The nearest value of this width, if it is finite.
pub(crate) fn parse(number: &Number<'_>, width: Width) -> Option<f64> {
    if width == Width::Double && !number.exponent && number.digits <= 19 {
        let value = digits::quotient(number.mantissa, number.fraction);
        return Some(if number.negative { -value } else { value });
    }
    let text = number.as_str();
    let value = match width {
        Width::Double => text.parse::<f64>().ok()?,
        Width::Single => f64::from(text.parse::<f32>().ok()?),
        Width::Half => to_half(text.parse::<f64>().ok()?),
    };
    value.is_finite().then_some(value)
}

/// The value of a number in any form, if it is the same decimal as the shortest digits of the value.
pub(crate) fn parse_exactly(number: &Number<'_>, width: Width) -> Option<f64> {
    let value = parse(number, width)?;
    if value == 0.0 {
        return number.is_zero().then_some(value);
    }
    let mut found = [0; 32];
    let (length, first) = shortest(value.abs(), width, &mut found);
    (significant(number)? == (found[..length].to_vec(), i64::from(first))).then_some(value)
}

/// The digits of a number without zeros around them, and the decimal exponent of the first.
fn significant(number: &Number<'_>) -> Option<(Vec<u8>, i64)> {
    let (mantissa, exponent) = scientific(number.as_str())?;
    let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    let first = i64::from(exponent) + (digits.len() - number.fraction) as i64 - 1 - leading as i64;
    digits.drain(..leading);
    let length = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    digits.truncate(length);
    Some((digits, first))
}

/// The text of a number before its exponent, and the exponent.
fn scientific(text: &str) -> Option<(&str, i32)> {
    match text.find(['e', 'E']) {
        Some(at) => Some((&text[..at], text[at + 1..].parse().ok()?)),
        None => Some((text, 0)),
    }
}

/// Rounds to the nearest binary16.
fn to_half(value: f64) -> f64 {
    use arrow_array::types::{ArrowPrimitiveType, Float16Type};
    <Float16Type as ArrowPrimitiveType>::Native::from_f64(value).to_f64()
}

/// Fewest digits that read back as `value` (finite, not negative), and the decimal exponent of the first.
fn shortest(value: f64, width: Width, digits: &mut [u8; 32]) -> (usize, i32) {
    let mut buffer = zmij::Buffer::new();
    let half;
    let text = match width {
        Width::Double => buffer.format_finite(value),
        Width::Single => buffer.format_finite(value as f32),
        Width::Half => {
            half = shortest_half(value);
            &half
        }
    };
    let (mantissa, exponent) = match text.bytes().position(|b| b.eq_ignore_ascii_case(&b'e')) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().unwrap_or_default()),
        None => (text, 0),
    };
    let point = mantissa.find('.').unwrap_or(mantissa.len()) as i32;
    let mut length = 0;
    let mut leading = 0;
    for byte in mantissa.bytes().filter(u8::is_ascii_digit) {
        if length == 0 && byte == b'0' {
            leading += 1;
        } else {
            digits[length] = byte;
            length += 1;
        }
    }
    while length > 0 && digits[length - 1] == b'0' {
        length -= 1;
    }
    if length == 0 {
        digits[0] = b'0';
        return (1, 0);
    }
    (length, exponent + point - 1 - leading)
}

/// Five digits tell any two binary16 numbers apart.
fn shortest_half(value: f64) -> String {
    let mut text = format!("{value:.4e}");
    for precision in (0..4).rev() {
        let shorter = format!("{value:.precision$e}");
        if to_half(shorter.parse().unwrap_or(f64::NAN)) != value {
            break;
        }
        text = shorter;
    }
    text
}

/// Appends an unsigned integer.
#[inline]
pub(crate) fn push_u64(value: u64, out: &mut Vec<u8>) {
    digits::write_u64(out, value);
}

/// Appends a signed integer.
#[inline]
pub(crate) fn push_i64(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    push_u64(value.unsigned_abs(), out);
}

/// The digits of a number at this scale as an integer's text, whatever form the number is written in; none if
/// it is not a multiple of the last place or longer than `digits_max`.
pub(crate) fn at_scale(number: &Number<'_>, scale: i32, digits_max: usize) -> Option<String> {
    let (mantissa, exponent) = scientific(number.as_str())?;
    let mut digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let zeros = i64::from(exponent) + i64::from(scale) - number.fraction as i64;
    if digits.bytes().all(|b| b == b'0') {
        return Some("0".to_owned());
    }
    if zeros >= 0 {
        if zeros > digits_max as i64 {
            return None;
        }
        digits.extend(std::iter::repeat_n('0', zeros as usize));
    } else {
        for _ in zeros..0 {
            if digits.pop() != Some('0') {
                return None;
            }
        }
    }
    let digits = digits.trim_start_matches('0');
    (digits.len() <= digits_max).then(|| format!("{}{digits}", if number.negative { "-" } else { "" }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lexer::Cursor;
    use super::*;

    const ALL: [Exponent; 5] =
        [Exponent::Python, Exponent::Ecma, Exponent::Rust, Exponent::Java, Exponent::Never];

    fn text(value: f64, exponent: Exponent, point_zero: bool) -> String {
        let mut out = Vec::new();
        FloatStyle { point_zero, exponent, words: true }.write(value, Width::Double, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn read(text: &str, style: FloatStyle) -> Option<f64> {
        style.read(&Cursor::new(text.as_bytes()).number().unwrap(), Width::Double, &mut Vec::new())
    }

    #[test]
    fn layouts_are_those_of_their_writers() {
        // Expected texts were printed by Python's repr, JavaScript's String and Java's Double.toString.
        for (value, python, ecma, java) in [
            (1e16, "1e+16", "10000000000000000", "1.0E16"),
            (1e-5, "1e-05", "0.00001", "1.0E-5"),
            (1.5e300, "1.5e+300", "1.5e+300", "1.5E300"),
            (123456789.0, "123456789.0", "123456789", "1.23456789E8"),
            (1e21, "1e+21", "1e+21", "1.0E21"),
            (1e-7, "1e-07", "1e-7", "1.0E-7"),
            (0.001, "0.001", "0.001", "0.001"),
            (-0.0, "-0.0", "-0", "-0.0"),
            (5e-324, "5e-324", "5e-324", "5.0E-324"),
        ] {
            assert_eq!(text(value, Exponent::Python, true), python);
            assert_eq!(text(value, Exponent::Ecma, false), ecma);
            assert_eq!(text(value, Exponent::Java, true), java);
        }
    }

    proptest! {
        #[test]
        fn text_gives_back_the_value(
            bits in any::<u64>(), point_zero in any::<bool>(), small in any::<bool>(),
        ) {
            let value = if small { (bits % 1_000_000) as f64 / 1000.0 } else { f64::from_bits(bits) };
            prop_assume!(value.is_finite());
            for exponent in ALL {
                let text = text(value, exponent, point_zero);
                let found = read(&text, FloatStyle { point_zero, exponent, words: true });
                prop_assert_eq!(found.map(f64::to_bits), Some(value.to_bits()), "{}", text);
            }
        }

        #[test]
        fn the_short_cut_agrees_with_the_long_way(
            digits in 0_u64..10_000_000_000_000_000, fraction in 0_usize..17, zero in any::<bool>(),
        ) {
            let padded = format!("{digits:0>width$}", width = fraction + 1);
            let (whole, part) = padded.split_at(padded.len() - fraction);
            let text = if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") };
            for exponent in ALL {
                let style = FloatStyle { point_zero: zero, exponent, words: false };
                let mut long = Vec::new();
                style.write(text.parse().unwrap(), Width::Double, &mut long);
                prop_assert_eq!(read(&text, style).is_some(), long == text.as_bytes(), "{}", &text);
            }
        }

        #[test]
        fn half_and_single_digits_read_back(bits in any::<u32>()) {
            let single = f32::from_bits(bits);
            prop_assume!(single.is_finite());
            let style = FloatStyle::default();
            let half = to_half(f64::from(single));
            for (value, width) in [(f64::from(single), Width::Single), (half, Width::Half)] {
                prop_assume!(value.is_finite());
                let mut out = Vec::new();
                style.write(value, width, &mut out);
                let number = Cursor::new(&out).number().unwrap();
                let found = style.read(&number, width, &mut Vec::new());
                prop_assert_eq!(found.map(f64::to_bits), Some(value.to_bits()));
            }
        }
    }

    #[test]
    fn readings_of_equal_value_are_the_same_decimal() {
        let read = |text: &str, width| parse_exactly(&Cursor::new(text.as_bytes()).number().unwrap(), width);
        for (text, value) in [
            ("1.50", 1.5),
            ("1E5", 1e5),
            ("100000.0", 1e5),
            ("-0.0050", -0.005),
            ("0.1e1", 1.0),
            ("0e5", 0.0),
            ("12300e-2", 123.0),
            ("5e-324", 5e-324),
        ] {
            assert_eq!(read(text, Width::Double), Some(value), "{text}");
        }
        for text in ["9007199254740993", "0.30000000000000001", "12345678901234567890123", "1e-400", "1e400"]
        {
            assert_eq!(read(text, Width::Double), None, "{text}");
        }
        for (text, width) in [("3.14159265358979", Width::Single), ("2.71828", Width::Half)] {
            assert_eq!(read(text, width), None, "{text}");
        }
        assert_eq!(read("0.10", Width::Single), Some(f64::from(0.1_f32)));
        assert_eq!(read("0.50", Width::Half), Some(0.5));
    }

    #[test]
    fn scaled_digits() {
        let at = |text: &str, scale| at_scale(&Cursor::new(text.as_bytes()).number().unwrap(), scale, 38);
        assert_eq!(at("1.5", 2).as_deref(), Some("150"));
        assert_eq!(at("-1.5e1", 0).as_deref(), Some("-15"));
        assert_eq!(at("1.50", 1).as_deref(), Some("15"));
        assert_eq!(at("1.55", 1), None);
        assert_eq!(at("1e99", 0), None);
        assert_eq!(at("0e99", 0).as_deref(), Some("0"));
    }
}
