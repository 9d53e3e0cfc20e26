//! Provides the question whether a floating-point number holds what a text says, where no style of ours
//! writes it so.

use super::Mark;
use super::float::Float;

/// The digits of a number from the first that is not zero, and its decimal exponent.
struct Written {
    digits: Vec<u8>,
    exponent: i64,
}

impl Written {
    /// Takes the text of a number apart: a sign, digits with one mark at most, an exponent.
    fn of(text: &[u8], mark: u8) -> Option<Self> {
        let (mantissa, power) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&text[..at], std::str::from_utf8(&text[at + 1..]).ok()?.parse().ok()?),
            None => (text, 0_i64),
        };
        let whole = mantissa.iter().position(|&byte| byte == mark).unwrap_or(mantissa.len());
        let count = |run: &[u8]| run.iter().filter(|byte| byte.is_ascii_digit()).count();
        let leading =
            mantissa.iter().filter(|byte| byte.is_ascii_digit()).take_while(|&&digit| digit == b'0').count();
        let digits = mantissa.iter().copied().filter(u8::is_ascii_digit).skip(leading).collect();
        let first = i64::try_from(count(&mantissa[..whole])).ok()? - 1 - i64::try_from(leading).ok()?;
        Some(Written { digits, exponent: power.checked_add(first)? })
    }

    fn without_zeros(&self) -> &[u8] {
        let count = self.digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
        &self.digits[..count]
    }
}

/// Whether the text is the number rounded to as many digits as the text has, or its shortest digits: so
/// `0.10000000000000001` is the double nearest to it and `9007199254740993` is not.
pub(super) fn is_held<F: Float>(text: &[u8], mark: Mark, number: F) -> bool {
    let Some(written) = Written::of(text, mark.byte()) else { return false };
    let value = number.widen().abs();
    let Some(last) = written.digits.len().checked_sub(1) else { return value == 0.0 };
    let mut buffer = zmij::Buffer::new();
    let shortest = Written::of(number.shortest(&mut buffer).as_bytes(), b'.');
    let rounded = || Written::of(format!("{value:.last$e}").as_bytes(), b'.');
    let same = |other: &Written| written.exponent == other.exponent;
    shortest.is_some_and(|other| same(&other) && written.without_zeros() == other.without_zeros())
        || rounded().is_some_and(|other| same(&other) && written.digits == other.digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held<F: Float>(text: &str) -> bool {
        let number = super::super::float::read_any::<F>(text.as_bytes(), Mark::Point).unwrap();
        is_held(text.as_bytes(), Mark::Point, number)
    }

    #[test]
    fn a_number_is_held_if_it_is_the_text_in_as_many_digits() {
        for text in [
            "1.50",
            "0.0",
            "-0.0",
            "00.00",
            "0.1",
            "0.10000000000000001",
            "1e22",
            "1E+05",
            "-.5",
            "5e-324",
            "1000000000000000000000000",
            "9007199254740992",
            "0.30000000000000004",
            "2.2250738585072014e-308",
        ] {
            assert!(held::<f64>(text), "{text}");
        }
        for text in ["9007199254740993", "1e-400", "0.10000000000000004", "123456789012345678", "4e-324"] {
            assert!(!held::<f64>(text), "{text}");
        }
        for text in ["16777216", "0.1", "0.100", "1e10", "0.123456791"] {
            assert!(held::<f32>(text), "{text}");
        }
        for text in ["16777217", "0.123456789", "30000001", "1e-60"] {
            assert!(!held::<f32>(text), "{text}");
        }
        assert!(is_held(b"1,50", Mark::Comma, 1.5) && !is_held(b"1,51", Mark::Comma, 1.5));
        // Powers that no number has.
        assert!(
            !is_held(b"1e99999999999999999999", Mark::Point, 1.0)
                && !is_held(b"1e9223372036854775807", Mark::Point, 1.0)
        );
    }
}
