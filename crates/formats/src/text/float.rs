//! Provides the reading and writing of floating-point numbers in their shortest text.
//!
//! A text is canonical under a style if it is the text that the style writes for the number it reads as.
//! For plain texts of at most 15 significant digits that is decided by their syntax alone: different
//! decimals of 15 digits are different doubles, so the shortest text of such a number has the same digits.

use super::digits;
use super::number::{is_canonical_run, split_sign};
use super::style::{Exponent, FloatStyle, Mark};

/// A width of floating-point number.
pub(crate) trait Float: Copy + Default {
    /// The nearest number to a text that holds only digits, signs, a point and an exponent.
    fn nearest(text: &str) -> Option<Self>;
    /// The number, exactly.
    fn widen(self) -> f64;
    /// The number nearest to a double.
    fn narrow(value: f64) -> Self;
    /// Shortest digits that read back as this finite number: text of some style.
    fn shortest(self, buffer: &mut zmij::Buffer) -> &str;
    /// Significant digits up to which a plain text is canonical by its syntax; 0 if that is not used.
    const EXACT_DIGITS: usize;
}

impl Float for f64 {
    const EXACT_DIGITS: usize = 15;

    fn nearest(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn widen(self) -> f64 {
        self
    }

    fn narrow(value: f64) -> Self {
        value
    }

    fn shortest(self, buffer: &mut zmij::Buffer) -> &str {
        buffer.format_finite(self)
    }
}

impl Float for f32 {
    const EXACT_DIGITS: usize = 0;

    fn nearest(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn widen(self) -> f64 {
        f64::from(self)
    }

    fn narrow(value: f64) -> Self {
        value as f32
    }

    fn shortest(self, buffer: &mut zmij::Buffer) -> &str {
        buffer.format_finite(self)
    }
}

/// How floating-point numbers of one column are read and written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FloatText {
    pub(crate) style: FloatStyle,
    pub(crate) mark: Mark,
}

impl FloatText {
    /// The number of a canonical text.
    #[inline]
    pub(crate) fn read<F: Float>(&self, text: &[u8]) -> Option<F> {
        if F::EXACT_DIGITS > 0
            && let Some(plain) = Plain::scan(text, self.mark.byte())
            && plain.significant <= F::EXACT_DIGITS
            && self.style.exponent.plain_range().contains(&plain.exponent)
        {
            return plain.fits(self.style.point_zero).then(|| F::narrow(plain.value()));
        }
        self.read_slowly(text)
    }

    #[cold]
    fn read_slowly<F: Float>(&self, text: &[u8]) -> Option<F> {
        let value = read_any(text, self.mark)?;
        let mut written = Vec::with_capacity(32);
        self.write::<F>(value, &mut written);
        let negative_zero = text.first() == Some(&b'-') && value.widen() == 0.0 && !self.style.point_zero;
        (written == text && !negative_zero).then_some(value)
    }

    /// Writes the text of a number.
    pub(crate) fn write<F: Float>(&self, value: F, out: &mut Vec<u8>) {
        let wide = value.widen();
        if wide.is_nan() {
            return out.extend_from_slice(FloatStyle::NAN_WORDS[self.style.nan].as_bytes());
        }
        if wide.is_sign_negative() {
            out.push(b'-');
        }
        if wide.is_infinite() {
            return out.extend_from_slice(FloatStyle::INFINITY_WORDS[self.style.infinity].as_bytes());
        }
        let mut buffer = zmij::Buffer::new();
        let shortest = Shortest::of(value.shortest(&mut buffer).as_bytes());
        shortest.write(self, out);
    }
}

/// The number of a text in any style, words included; `None` if the text is no number.
pub(crate) fn read_any<F: Float>(text: &[u8], mark: Mark) -> Option<F> {
    let (negative, rest) = split_sign(text);
    match rest.first()? {
        b'0'..=b'9' => {}
        b'n' | b'N' => {
            let known = FloatStyle::NAN_WORDS.iter().any(|w| w.as_bytes() == text);
            return known.then(|| F::narrow(f64::NAN));
        }
        _ => {
            let known = FloatStyle::INFINITY_WORDS.iter().any(|w| w.as_bytes() == rest);
            let value = if negative { f64::NEG_INFINITY } else { f64::INFINITY };
            return known.then(|| F::narrow(value));
        }
    }
    let allowed = |b: &u8| b.is_ascii_digit() || matches!(b, b'e' | b'E' | b'+' | b'-') || *b == mark.byte();
    if text.len() > LENGTH_MAX || !text.iter().all(allowed) {
        return None;
    }
    let value = match mark {
        Mark::Point => F::nearest(std::str::from_utf8(text).ok()?),
        Mark::Comma => {
            let pointed: Vec<u8> = text.iter().map(|&b| if b == b',' { b'.' } else { b }).collect();
            F::nearest(std::str::from_utf8(&pointed).ok()?)
        }
    }?;
    // A text beyond the range reads as infinity, which is not its value.
    value.widen().is_finite().then_some(value)
}

/// Significant digits beyond which a double no longer holds a decimal.
const LENIENT_DIGITS_MAX: usize = 17;

/// The number of a text in any style, a plus sign and surplus zeros allowed; `None` if it has more digits
/// than a double holds.
pub(crate) fn read_leniently<F: Float>(text: &[u8], mark: Mark) -> Option<F> {
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let mantissa = text.split(|b| matches!(b, b'e' | b'E')).next()?;
    let digits = mantissa.iter().filter(|b| b.is_ascii_digit()).skip_while(|&&b| b == b'0');
    let (mut count, mut zeros) = (0, 0);
    for &digit in digits {
        count += 1;
        zeros = if digit == b'0' { zeros + 1 } else { 0 };
    }
    if count - zeros > LENIENT_DIGITS_MAX { None } else { read_any(text, mark) }
}

/// Bytes of the longest text of any style: a sign, 39 digits, a mark and more than 324 zeros.
const LENGTH_MAX: usize = 400;

/// A number without exponent, taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain {
    pub(crate) negative: bool,
    /// All digits as one number; meaningful up to 19 of them.
    mantissa: u64,
    /// Digits after the mark; 0 if there is no mark.
    pub(crate) decimals: usize,
    /// Digits from the first that is not zero to the last.
    pub(crate) significant: usize,
    /// Exponent of the first digit that is not zero; 0 for zero.
    pub(crate) exponent: i32,
    /// Whether the last digit is zero.
    ends_in_zero: bool,
}

impl Plain {
    /// Takes a text apart; `None` if it is not digits, or digits, mark and digits, or has leading zeros, or
    /// is longer than 19 digits.
    #[inline]
    pub(crate) fn scan(text: &[u8], mark: u8) -> Option<Plain> {
        let (negative, run) = split_sign(text);
        if run.len() > 20 {
            return None;
        }
        let mut at = 0;
        let mut mantissa = 0u64;
        while let Some(digit) = run.get(at).map(|b| b.wrapping_sub(b'0')).filter(|&d| d <= 9) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            at += 1;
        }
        if !is_canonical_run(&run[..at]) {
            return None;
        }
        let fraction = match run.get(at) {
            None => &[][..],
            Some(&b) if b == mark && at + 1 < run.len() => &run[at + 1..],
            Some(_) => return None,
        };
        for &byte in fraction {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        }
        if at + fraction.len() > 19 {
            return None;
        }
        let significant = mantissa.checked_ilog10().map_or(0, |log| log as usize + 1);
        let exponent = if significant == 0 { 0 } else { significant as i32 - 1 - fraction.len() as i32 };
        let ends_in_zero = run.last() == Some(&b'0');
        Some(Plain { negative, mantissa, decimals: fraction.len(), significant, exponent, ends_in_zero })
    }

    /// Whether this is how the number is written, given how integral numbers are.
    #[inline]
    pub(crate) fn fits(&self, point_zero: bool) -> bool {
        match self.decimals {
            0 if self.negative && self.mantissa == 0 => false,
            0 => !point_zero,
            1 if self.ends_in_zero => point_zero,
            _ => !self.ends_in_zero,
        }
    }

    /// The nearest double: both operands are exact and the division rounds once (Clinger 1990).
    #[inline]
    fn value(&self) -> f64 {
        const TENS: [f64; 20] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
            1e18, 1e19,
        ];
        let magnitude = self.mantissa as f64 / TENS[self.decimals];
        if self.negative { -magnitude } else { magnitude }
    }
}

/// The shortest digits of a number and the exponent of the first of them.
struct Shortest {
    digits: [u8; 24],
    count: usize,
    exponent: i32,
}

impl Shortest {
    /// Takes the text of the shortest printer apart, whatever its notation.
    fn of(text: &[u8]) -> Shortest {
        let (mut digits, mut count, mut exponent) = ([b'0'; 24], 0, -1i32);
        let (mut point, mut power) = (false, 0i32);
        let mut bytes = split_sign(text).1.iter();
        for &byte in bytes.by_ref() {
            match byte {
                b'.' => point = true,
                b'e' | b'E' => {
                    let (negative, run) = split_sign(bytes.as_slice());
                    let run = run.strip_prefix(b"+").unwrap_or(run);
                    power = digits::value(run).unwrap_or(0) as i32 * if negative { -1 } else { 1 };
                    break;
                }
                _ => {
                    if count == 0 && byte == b'0' {
                        exponent -= i32::from(point);
                        continue;
                    }
                    exponent += i32::from(!point);
                    // The printer pads with zeros beyond 17 digits at most.
                    if count < digits.len() {
                        digits[count] = byte;
                        count += 1;
                    }
                }
            }
        }
        while count > 0 && digits[count - 1] == b'0' {
            count -= 1;
        }
        if count == 0 {
            (count, exponent, power) = (1, 0, 0);
        }
        Shortest { digits, count, exponent: exponent + power }
    }

    fn write(&self, text: &FloatText, out: &mut Vec<u8>) {
        let digits = &self.digits[..self.count];
        let mark = text.mark.byte();
        if !text.style.exponent.plain_range().contains(&self.exponent) {
            return self.write_exponent(digits, mark, text.style.exponent, out);
        }
        if self.exponent < 0 {
            out.extend_from_slice(&[b'0', mark]);
            out.resize(out.len() + (-self.exponent - 1) as usize, b'0');
            return out.extend_from_slice(digits);
        }
        let integral = self.exponent as usize + 1;
        if self.count > integral {
            out.extend_from_slice(&digits[..integral]);
            out.push(mark);
            return out.extend_from_slice(&digits[integral..]);
        }
        out.extend_from_slice(digits);
        out.resize(out.len() + integral - self.count, b'0');
        if text.style.point_zero {
            out.extend_from_slice(&[mark, b'0']);
        }
    }

    fn write_exponent(&self, digits: &[u8], mark: u8, style: Exponent, out: &mut Vec<u8>) {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(mark);
            out.extend_from_slice(&digits[1..]);
        }
        out.push(b'e');
        if self.exponent < 0 {
            out.push(b'-');
        } else if matches!(style, Exponent::Python | Exponent::JavaScript) {
            out.push(b'+');
        }
        let width = if style == Exponent::Python { 2 } else { 1 };
        digits::write_padded(out, u64::from(self.exponent.unsigned_abs()), width);
    }
}
