//! Provides numbers without exponent, taken apart.

use super::digits;
use super::number::{is_canonical_run, split_sign};

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
    /// Whether nothing stands before the mark.
    pub(crate) bare_mark: bool,
    /// Whether the mark comes after zero or nothing.
    pub(crate) below_one: bool,
}

impl Plain {
    /// Takes a text apart; `None` if it is not digits, or perhaps digits, mark and digits, or has leading
    /// zeros, or is longer than 19 digits.
    #[inline]
    pub(crate) fn scan(text: &[u8], mark: u8) -> Option<Plain> {
        let (negative, run) = split_sign(text);
        if run.len() > 20 {
            return None;
        }
        let at = run.iter().position(|&byte| byte == mark).unwrap_or(run.len());
        let bare_mark = at == 0 && run.len() > 1;
        if !is_canonical_run(&run[..at]) && !bare_mark {
            return None;
        }
        let fraction = match run.get(at) {
            None => &[][..],
            Some(_) if at + 1 < run.len() => &run[at + 1..],
            Some(_) => return None,
        };
        if at + fraction.len() > 19 {
            return None;
        }
        let (integral, part) = (digits::value(&run[..at])?, digits::value(fraction)?);
        let mantissa = integral.wrapping_mul(digits::POWERS[fraction.len()]).wrapping_add(part);
        let significant = mantissa.checked_ilog10().map_or(0, |log| log as usize + 1);
        let exponent = if significant == 0 { 0 } else { significant as i32 - 1 - fraction.len() as i32 };
        let ends_in_zero = run.last() == Some(&b'0');
        let decimals = fraction.len();
        let below_one = decimals > 0 && (bare_mark || run[0] == b'0');
        Some(Plain {
            negative,
            mantissa,
            decimals,
            significant,
            exponent,
            ends_in_zero,
            bare_mark,
            below_one,
        })
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

    /// Significant digits, without zeros at the end of an integer; meaningful up to 19 digits.
    pub(crate) fn digits(&self) -> usize {
        let (mut digits, mut rest) = (self.significant, self.mantissa);
        while digits > 1 && rest.is_multiple_of(10) {
            (digits, rest) = (digits - 1, rest / 10);
        }
        digits
    }

    /// Whether a style that leaves out integral zeros, or one that does not, writes this.
    #[inline]
    pub(crate) fn is_led(&self, bare_mark: bool) -> bool {
        !self.below_one || self.bare_mark == bare_mark
    }

    /// The nearest double.
    #[inline]
    pub(crate) fn value(&self) -> f64 {
        // Where both are exact the division rounds once (Clinger 1990).
        const TENS: [f64; 20] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
            1e18, 1e19,
        ];
        let magnitude = match self.significant {
            0..=15 => self.mantissa as f64 / TENS[self.decimals],
            _ => digits::quotient(self.mantissa, self.decimals),
        };
        if self.negative { -magnitude } else { magnitude }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_taken_apart_as_their_text_says(
            text in "-?(0|[1-9][0-9]{0,19})?([.,][0-9]{0,19})?[.,ex-]?",
        ) {
            let run = text.strip_prefix('-').unwrap_or(&text);
            let (integral, fraction) = run.split_once('.').unwrap_or((run, ""));
            let of_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
            let parted = run.contains('.');
            let plain = of_digits(integral)
                && of_digits(fraction)
                && (parted != fraction.is_empty())
                && (parted || !integral.is_empty())
                && (integral.len() < 2 || !integral.starts_with('0'))
                && integral.len() + fraction.len() <= 19;
            let found = Plain::scan(text.as_bytes(), b'.');
            prop_assert_eq!(found.is_some(), plain);
            if let Some(found) = found {
                prop_assert_eq!(found.value().to_bits(), text.parse::<f64>().unwrap().to_bits());
                prop_assert_eq!(found.decimals, fraction.len());
                prop_assert_eq!(found.bare_mark, integral.is_empty());
                let digits = [integral, fraction].concat();
                prop_assert_eq!(found.significant, digits.trim_start_matches('0').len());
            }
        }
    }
}
