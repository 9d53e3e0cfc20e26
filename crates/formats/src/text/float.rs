//! Provides the reading and writing of floating-point numbers in their shortest text.
//!
//! A text is canonical under a style if it is the text that the style writes for the number it reads as.
//! For plain texts of at most 15 significant digits that is decided by their syntax alone: different
//! decimals of 15 digits are different doubles, so the shortest text of such a number has the same digits.

use super::digits;
use super::held::is_held;
use super::number::{is_canonical_run, split_sign};
use super::plain::Plain;
use super::style::{Exponent, FloatStyle, Mark, Scientific};

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
    /// Whether an integral zero before the mark is left out.
    pub(crate) bare_mark: bool,
}

impl FloatText {
    /// The number of a canonical text.
    #[inline]
    pub(crate) fn read<F: Float>(&self, text: &[u8]) -> Option<F> {
        if F::EXACT_DIGITS > 0
            && let Some(plain) = Plain::scan(text, self.mark.byte())
            && self.style.exponent.plain_range().contains(&plain.exponent)
        {
            if plain.significant > F::EXACT_DIGITS {
                return self.read_value(F::narrow(plain.value()), text);
            }
            let fits = plain.fits(self.style.point_zero) && plain.is_led(self.bare_mark);
            return fits.then(|| F::narrow(plain.value()));
        }
        self.read_slowly(text)
    }

    #[inline(never)]
    fn read_slowly<F: Float>(&self, text: &[u8]) -> Option<F> {
        self.read_value(read_any::<F>(text, self.mark)?, text)
    }

    /// The number nearest to a text, if that is how this style writes it.
    fn read_value<F: Float>(&self, value: F, text: &[u8]) -> Option<F> {
        if self.is_printed_alike(value.widen())
            && value.shortest(&mut zmij::Buffer::new()).as_bytes() == text
            && (self.style.point_zero || !text.ends_with(b".0"))
        {
            return Some(value);
        }
        self.is_text_of(value, text).then_some(value)
    }

    /// Whether the shortest printer lays out a number of this size as this style does, but for a final `.0`.
    /// Numbers of these sizes have no exponent in these styles, and digits on both sides of the mark.
    fn is_printed_alike(&self, value: f64) -> bool {
        self.mark == Mark::Point
            && !self.bare_mark
            && !matches!(self.style.exponent, Exponent::R | Exponent::Scientific(_) | Exponent::Always)
            && (1e-3..1e7).contains(&value.abs())
    }

    /// Whether this style writes a number so.
    pub(crate) fn is_text_of<F: Float>(&self, value: F, text: &[u8]) -> bool {
        let mut rest = Expected(Some(text));
        self.put(value, &mut rest);
        // Integers have no negative zero, so a column of integral numbers gives it no text.
        rest.0.is_some_and(<[u8]>::is_empty) && text != b"-0"
    }

    /// Writes the text of a number.
    #[inline]
    pub(crate) fn write<F: Float>(&self, value: F, out: &mut Vec<u8>) {
        self.put(value, out);
    }

    fn put<F: Float>(&self, value: F, out: &mut impl Sink) {
        let wide = value.widen();
        if wide.is_nan() {
            return out.put(FloatStyle::NAN_WORDS[self.style.nan].as_bytes());
        }
        if wide.is_sign_negative() {
            out.put(b"-");
        }
        if wide.is_infinite() {
            return out.put(FloatStyle::INFINITY_WORDS[self.style.infinity].as_bytes());
        }
        if let Exponent::Scientific(notation) = self.style.exponent {
            return put_scientific(wide, notation, &[self.mark.byte()], out);
        }
        if self.is_printed_alike(wide) {
            let mut buffer = zmij::Buffer::new();
            let printed = split_sign(value.shortest(&mut buffer).as_bytes()).1;
            let whole = printed.strip_suffix(b".0").filter(|_| !self.style.point_zero);
            return out.put(whole.unwrap_or(printed));
        }
        Shortest::of(value).put(self, out);
    }
}

/// What takes the pieces of a text.
trait Sink {
    fn put(&mut self, bytes: &[u8]);
    fn zeros(&mut self, count: usize);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[inline]
    fn zeros(&mut self, count: usize) {
        self.resize(self.len() + count, b'0');
    }
}

/// What is left of an expected text; nothing once a piece differed.
struct Expected<'a>(Option<&'a [u8]>);

impl Sink for Expected<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0 = self.0.and_then(|rest| rest.strip_prefix(bytes));
    }

    fn zeros(&mut self, count: usize) {
        let zeros = |rest: &&[u8]| rest.len() >= count && rest[..count].iter().all(|&b| b == b'0');
        self.0 = self.0.filter(zeros).map(|rest| &rest[count..]);
    }
}

/// The styles, of those without words, that write a number of double width in this text.
pub(crate) fn styles_of(text: &[u8], value: f64, mark: Mark, mut found: impl FnMut(bool, Exponent)) {
    let shortest = Shortest::of(value);
    let bare_mark = split_sign(text).1.first() == Some(&mark.byte());
    for point_zero in [false, true] {
        for exponent in Exponent::ALL {
            let style = FloatStyle { point_zero, exponent, nan: 0, infinity: 0 };
            let mut rest = Expected(Some(split_sign(text).1));
            shortest.put(&FloatText { style, mark, bare_mark }, &mut rest);
            if rest.0.is_some_and(<[u8]>::is_empty) && text != b"-0" {
                found(point_zero, exponent);
            }
        }
    }
}

/// The notation of a number that always has an exponent; `None` if the text has another.
pub(crate) fn scientific_of(text: &[u8], value: f64, mark: Mark) -> Option<Scientific> {
    let run = split_sign(text).1;
    let at = run.iter().position(|b| matches!(b, b'e' | b'E'))?;
    let digits =
        u8::try_from(at.saturating_sub(2)).ok().filter(|&digits| digits <= Scientific::DIGITS_MAX)?;
    let notation = Scientific { digits, upper: run[at] == b'E' };
    let mut rest = Expected(Some(run));
    put_scientific(value, notation, &[mark.byte()], &mut rest);
    rest.0.is_some_and(<[u8]>::is_empty).then_some(notation)
}

/// Writes the magnitude of a finite number, rounded to nearest and to even, as C's `printf` does.
fn put_scientific(value: f64, notation: Scientific, mark: &[u8], out: &mut impl Sink) {
    let text = format!("{:.*e}", usize::from(notation.digits), value.abs());
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (integral, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    out.put(integral.as_bytes());
    if !fraction.is_empty() {
        out.put(mark);
        out.put(fraction.as_bytes());
    }
    let power = power.parse().unwrap_or(0);
    put_power(power, if notation.upper { b"E" } else { b"e" }, true, true, out);
}

/// Writes an exponent: after this letter, with a plus sign or without, with at least two digits or one.
fn put_power(power: i32, letter: &[u8], plus: bool, two: bool, out: &mut impl Sink) {
    out.put(letter);
    if power < 0 {
        out.put(b"-");
    } else if plus {
        out.put(b"+");
    }
    let size = power.unsigned_abs() as usize;
    let pair = digits::PAIRS[size % 100];
    if size >= 100 {
        out.put(&digits::PAIRS[size / 100][1..]);
    }
    out.put(if size < 10 && !two { &pair[1..] } else { &pair });
}

/// The number of a text in any style, words included; `None` if the text is no number.
pub(crate) fn read_any<F: Float>(text: &[u8], mark: Mark) -> Option<F> {
    let (negative, rest) = split_sign(text);
    match rest.first()? {
        b'0'..=b'9' => {}
        byte if *byte == mark.byte() && rest.get(1).is_some_and(u8::is_ascii_digit) => {}
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
            let mut pointed = [0; LENGTH_MAX];
            for (to, &from) in pointed.iter_mut().zip(text) {
                *to = if from == b',' { b'.' } else { from };
            }
            F::nearest(std::str::from_utf8(&pointed[..text.len()]).ok()?)
        }
    }?;
    // A text beyond the range reads as infinity, which is not its value.
    value.widen().is_finite().then_some(value)
}

/// What is the matter with a number that has a point for its mark and is too large or too small for a double;
/// `None` if it is neither.
pub(crate) fn out_of_range(text: &[u8]) -> Option<&'static str> {
    let is_led = split_sign(text).1.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.');
    let value: f64 = std::str::from_utf8(text).ok().filter(|_| is_led)?.parse().ok()?;
    let mut mantissa = text.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
    match value {
        _ if value.is_infinite() => Some("is beyond the range of float64"),
        0.0 if mantissa.any(|byte| matches!(byte, b'1'..=b'9')) => {
            Some("is nearer to zero than a float64 can be")
        }
        _ => None,
    }
}

/// Significant digits beyond which a double no longer holds a decimal.
const LENIENT_DIGITS_MAX: usize = 17;

/// Whether a number that no style writes so may be an exception to one: it has at most as many significant
/// digits as a double holds, a fraction or an exponent, no leading zeros and no plus sign.
pub(crate) fn is_odd_number(text: &[u8], mark: Mark, value: f64) -> bool {
    let run = split_sign(text).1;
    let (mantissa, power) = match run.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&run[..at], Some(&run[at + 1..])),
        None => (run, None),
    };
    let (integral, fraction) = match mantissa.iter().position(|&b| b == mark.byte()) {
        Some(at) => (&mantissa[..at], Some(&mantissa[at + 1..])),
        None => (mantissa, None),
    };
    let digits = || mantissa.iter().filter(|b| b.is_ascii_digit());
    let leading = digits().take_while(|&&b| b == b'0').count();
    let trailing = digits().rev().take_while(|&&b| b == b'0').count();
    let is_run = |run: &[u8]| !run.is_empty() && run.iter().all(u8::is_ascii_digit);
    let is_power = |run: &[u8]| is_run(run.strip_prefix(b"+").unwrap_or(split_sign(run).1));
    (fraction.is_some() || power.is_some())
        && (is_canonical_run(integral) || (integral.is_empty() && fraction.is_some()))
        && integral.iter().all(u8::is_ascii_digit)
        && fraction.is_none_or(is_run)
        && power.is_none_or(is_power)
        && digits().count().saturating_sub(leading + trailing) <= LENIENT_DIGITS_MAX
        // A number that is too small for a double reads as zero, which is not its value.
        && (value != 0.0 || leading == digits().count())
}

/// The number of a text in any style, a plus sign and surplus zeros allowed; `None` if it has more digits
/// than a double holds, or others than this number has.
pub(crate) fn read_leniently<F: Float>(text: &[u8], mark: Mark) -> Option<F> {
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let mantissa = text.split(|b| matches!(b, b'e' | b'E')).next()?;
    let digits = mantissa.iter().filter(|b| b.is_ascii_digit()).skip_while(|&&b| b == b'0');
    let (mut count, mut zeros) = (0, 0);
    for &digit in digits {
        count += 1;
        zeros = if digit == b'0' { zeros + 1 } else { 0 };
    }
    let number = if count - zeros > LENIENT_DIGITS_MAX { None } else { read_any(text, mark) }?;
    (count == 0 || is_held(text, mark, number)).then_some(number)
}

/// Bytes of the longest text of any style: a sign, 39 digits, a mark and more than 324 zeros.
pub(crate) const LENGTH_MAX: usize = 400;

/// The shortest digits of a number and the exponent of the first of them.
struct Shortest {
    digits: [u8; 24],
    count: usize,
    exponent: i32,
}

impl Shortest {
    /// The shortest digits of a finite number.
    fn of<F: Float>(value: F) -> Shortest {
        let mut buffer = zmij::Buffer::new();
        Shortest::of_text(value.shortest(&mut buffer).as_bytes())
    }

    /// Takes the text of the shortest printer apart, whatever its notation.
    fn of_text(text: &[u8]) -> Shortest {
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

    fn put(&self, text: &FloatText, out: &mut impl Sink) {
        let digits = &self.digits[..self.count];
        let mark = [text.mark.byte()];
        if !text.style.exponent.is_plain(self.exponent, self.count) {
            return self.put_exponent(digits, &mark, text.style, out);
        }
        if self.exponent < 0 {
            if !text.bare_mark {
                out.put(b"0");
            }
            out.put(&mark);
            out.zeros((-self.exponent - 1) as usize);
            return out.put(digits);
        }
        let integral = self.exponent as usize + 1;
        if self.count > integral {
            out.put(&digits[..integral]);
            out.put(&mark);
            return out.put(&digits[integral..]);
        }
        let omitted = text.bare_mark && text.style.point_zero && digits == b"0";
        if !omitted {
            out.put(digits);
            out.zeros(integral - self.count);
        }
        if text.style.point_zero {
            out.put(&mark);
            out.put(b"0");
        }
    }

    fn put_exponent(&self, digits: &[u8], mark: &[u8], style: FloatStyle, out: &mut impl Sink) {
        let notation = style.exponent;
        out.put(&digits[..1]);
        if digits.len() > 1 {
            out.put(mark);
            out.put(&digits[1..]);
        } else if notation == Exponent::Java && style.point_zero {
            out.put(mark);
            out.put(b"0");
        }
        let letter = if matches!(notation, Exponent::Java | Exponent::DotNet) { b"E" } else { b"e" };
        let plus = !matches!(notation, Exponent::Short | Exponent::Plain | Exponent::Java | Exponent::Always);
        let two = matches!(notation, Exponent::Python | Exponent::R | Exponent::DotNet);
        put_power(self.exponent, letter, plus, two, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow<F: Float>(text: &FloatText, value: F) -> Vec<u8> {
        let mut out = Vec::new();
        if value.widen().is_sign_negative() {
            out.push(b'-');
        }
        Shortest::of(value).put(text, &mut out);
        out
    }

    fn agree<F: Float + PartialEq + std::fmt::Debug>(value: F) -> Result<(), TestCaseError> {
        for mark in [Mark::Point, Mark::Comma] {
            for (point_zero, bare_mark) in [(false, false), (true, false), (false, true), (true, true)] {
                for exponent in Exponent::ALL.into_iter().chain([Exponent::Always]) {
                    let style = FloatStyle { point_zero, exponent, nan: 0, infinity: 0 };
                    let text = FloatText { style, mark, bare_mark };
                    let (mut fast, slow) = (Vec::new(), slow(&text, value));
                    text.write(value, &mut fast);
                    prop_assert_eq!(&fast, &slow);
                    // Integral numbers have no negative zero in a style that writes them like integers.
                    let read = (slow != b"-0").then_some(value);
                    prop_assert_eq!(text.read_slowly::<F>(&slow), read);
                    // Whatever else is read is the text of what it reads as.
                    let longer = [&slow[..], b"0"].concat();
                    if let Some(other) = text.read_slowly::<F>(&longer) {
                        prop_assert_eq!(self::slow(&text, other), longer);
                    }
                }
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn the_printers_layout_is_that_of_the_styles(digits in 0i64..100_000_000_000_000_000, power in -12i32..12) {
            let value = digits as f64 * 10f64.powi(power - 12);
            agree(value)?;
            agree(-value)?;
            agree(value as f32)?;
            agree(value.trunc())?;
        }
    }

    /// What Rust itself writes is the reference.
    #[test]
    fn an_exponent_on_every_number_is_that_of_the_standard_library() {
        let style = FloatStyle { exponent: Exponent::Always, ..FloatStyle::PYTHON };
        let text = FloatText { style, mark: Mark::Point, bare_mark: false };
        for value in [0.0, -0.0, 1.0, 1e5, 3.5e-7, -123.25, 5e-324, f64::MAX, 0.1, 1e16, 1e100] {
            let mut out = Vec::new();
            text.write(value, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("{value:e}"));
        }
    }

    #[test]
    fn the_edges_of_the_short_cut() {
        for value in
            [0.001, 0.0009999999999999998, 0.0010000000000000002, 1e7, 9_999_999.999_999_998, 0.0, -0.0, 1.0]
        {
            agree(value).unwrap();
            agree(value as f32).unwrap();
        }
    }
}
