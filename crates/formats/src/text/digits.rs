//! Provides the reading and writing of runs of decimal digits, the innermost step of every numeric column.

use arrow_buffer::i256;

/// 10^0 to 10^19.
pub(crate) const POWERS: [u64; 20] = {
    let mut powers = [1u64; 20];
    let mut i = 1;
    while i < 20 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// The value of at most 19 digits; `None` if any byte is not one. An empty run is zero.
#[inline]
pub(crate) fn value(digits: &[u8]) -> Option<u64> {
    debug_assert!(digits.len() <= 19);
    match digits.len() {
        0..=3 => few(0, digits),
        count @ 4..=7 => {
            // Both words hold the digits that they share, so their union is the whole run. Zeros fill it up.
            let (first, last) = (digits.first_chunk::<4>()?, digits.last_chunk::<4>()?);
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            let run = u64::from(first) | u64::from(last) << (8 * (count - 4));
            eight(run << (8 * (8 - count)) | ZEROS >> (8 * count))
        }
        count @ 8..=16 => {
            let high = eight(u64::from_le_bytes(*digits.first_chunk::<8>()?))?;
            if count == 8 {
                return Some(high);
            }
            // Zeros take the place of those digits that the first word has, too.
            let shared = (1u64 << (8 * (16 - count))) - 1;
            let last = u64::from_le_bytes(*digits.last_chunk::<8>()?);
            Some(high * POWERS[count - 8] + eight(last & !shared | ZEROS & shared)?)
        }
        _ => {
            let (head, tail) = digits.split_at(16);
            few(value(head)?, tail)
        }
    }
}

/// Eight digits zero.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The number of some digits followed by a few more.
#[inline]
fn few(before: u64, digits: &[u8]) -> Option<u64> {
    let mut total = before;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        total = total.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    Some(total)
}

/// The value of eight digits held in one word, first digit lowest (Lemire, "Quickly parsing eight digits").
#[inline]
fn eight(word: u64) -> Option<u64> {
    let high = word & 0xF0F0_F0F0_F0F0_F0F0;
    let carry = word.wrapping_add(0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0;
    if high != 0x3030_3030_3030_3030 || carry != 0x3030_3030_3030_3030 {
        return None;
    }
    let ones = word & 0x0F0F_0F0F_0F0F_0F0F;
    let pairs = (ones.wrapping_mul(10)).wrapping_add(ones >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100)).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some((fours.wrapping_mul(10_000)).wrapping_add(fours >> 32) & 0xFFFF_FFFF)
}

/// The value of four digits held in one word, likewise.
#[inline]
pub(crate) fn four(word: u32) -> Option<u32> {
    let high = word & 0xF0F0_F0F0;
    let carry = word.wrapping_add(0x0606_0606) & 0xF0F0_F0F0;
    if high != 0x3030_3030 || carry != 0x3030_3030 {
        return None;
    }
    let ones = word & 0x0F0F_0F0F;
    let pairs = (ones.wrapping_mul(10)).wrapping_add(ones >> 8) & 0x00FF_00FF;
    Some((pairs.wrapping_mul(100)).wrapping_add(pairs >> 16) & 0xFFFF)
}

/// The double nearest to `digits` divided by 10^`places`, at most 19 of them.
///
/// The quotient is taken to more bits than a double has, and its last bit says whether something is left
/// over, so that it rounds as the exact quotient would.
#[inline]
pub(crate) fn quotient(digits: u64, places: usize) -> f64 {
    let power = POWERS[places];
    if digits == 0 {
        return 0.0;
    }
    // Both with their highest bit set: the quotient is between 2^62 and 2^64.
    let (up, down) = (digits.leading_zeros(), power.leading_zeros());
    let dividend = u128::from(digits << up) << 63;
    let divisor = u128::from(power << down);
    let (whole, rest) = ((dividend / divisor) as u64, dividend % divisor);
    let rounded = (whole | u64::from(rest != 0)) as f64;
    // Between 2^-1 and 2^127: far from where doubles lose digits.
    let scale = 1023 - (u64::from(up) + 63 - u64::from(down));
    rounded * f64::from_bits(scale << 52)
}

/// The value of at most 38 digits.
pub(crate) fn value_128(digits: &[u8]) -> Option<u128> {
    if digits.len() <= 19 {
        return value(digits).map(u128::from);
    }
    if digits.len() > 38 {
        return None;
    }
    let (high, low) = digits.split_at(digits.len() - 19);
    Some(u128::from(value(high)?) * 10_000_000_000_000_000_000 + u128::from(value(low)?))
}

/// The value of at most 76 digits.
pub(crate) fn value_256(digits: &[u8]) -> Option<i256> {
    if digits.len() <= 38 {
        return value_128(digits).and_then(|v| i128::try_from(v).ok()).map(i256::from_i128);
    }
    if digits.len() > 76 {
        return None;
    }
    let (high, low) = digits.split_at(digits.len() - 38);
    let high = i256::from_i128(i128::try_from(value_128(high)?).ok()?);
    let low = i256::from_i128(i128::try_from(value_128(low)?).ok()?);
    high.checked_mul(power_256(38)?)?.checked_add(low)
}

/// 10^n, if it fits.
pub(crate) fn power_256(n: u32) -> Option<i256> {
    i256::from_i128(10).checked_pow(n)
}

/// Two digits of every number below 100.
pub(crate) const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0u8; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

/// Writes a number with two digits.
#[inline]
pub(crate) fn write_2(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&PAIRS[(number % 100) as usize]);
}

/// Writes a number without leading zeros.
#[inline]
pub(crate) fn write_u64(out: &mut Vec<u8>, mut number: u64) {
    let count = count(number);
    let mut buffer = [0u8; 20];
    let mut at = count;
    while at >= 2 {
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    if at == 1 {
        buffer[0] = b'0' + number as u8;
    }
    write_first(out, &buffer, count);
}

/// Writes the first bytes of some: all of them are appended and the others taken back, since a move of a
/// fixed size is much quicker than one whose size is known only then.
#[inline]
pub(crate) fn write_first<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N], count: usize) {
    let end = out.len() + count;
    out.extend_from_slice(bytes);
    out.truncate(end);
}

/// Digits of a number; zero has one.
#[inline]
fn count(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// All nine digits of a number below 10^9.
#[inline]
pub(crate) fn nine(number: u32) -> [u8; 9] {
    let (first, eight) = (number / 100_000_000, number % 100_000_000);
    let (high, low) = (eight / 10_000, eight % 10_000);
    let pair = |number: u32| PAIRS[(number % 100) as usize];
    let ([a, b], [c, d]) = (pair(high / 100), pair(high));
    let ([e, f], [g, h]) = (pair(low / 100), pair(low));
    [b'0' + first as u8, a, b, c, d, e, f, g, h]
}

/// Writes a number with at least `width` digits, of which there is one at least.
#[inline]
pub(crate) fn write_padded(out: &mut Vec<u8>, number: u64, width: usize) {
    if width <= 9 && number < POWERS[width] {
        return write_first(out, &nine((number * POWERS[9 - width]) as u32), width);
    }
    out.resize(out.len() + width.saturating_sub(count(number)), b'0');
    write_u64(out, number);
}

/// Writes a number without leading zeros.
pub(crate) fn write_u128(out: &mut Vec<u8>, number: u128) {
    const SPLIT: u128 = 10_000_000_000_000_000_000;
    if let Ok(small) = u64::try_from(number) {
        return write_u64(out, small);
    }
    write_u128(out, number / SPLIT);
    write_padded(out, (number % SPLIT) as u64, 19);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quotients_are_rounded_once(digits: u64, short in 0_u32..64, places in 0_usize..20) {
            let digits = digits >> short;
            let text = format!("{digits}e-{places}");
            prop_assert_eq!(quotient(digits, places), text.parse::<f64>().unwrap(), "{}", text);
        }

        #[test]
        fn quotients_halfway_between_doubles_are_even(double in 1_u64 << 52..1 << 53, places in 0_usize..4) {
            // Halves of odd numbers of 54 bits, and their neighbours.
            let halfway = 2 * double + 1;
            for digits in [halfway - 1, halfway, halfway + 1].map(|digits| digits * POWERS[places]) {
                let text = format!("{digits}e-{places}");
                prop_assert_eq!(quotient(digits, places), text.parse::<f64>().unwrap(), "{}", text);
            }
        }

        #[test]
        fn four_digits_are_read_alike(bytes: [u8; 4], digits in 0_u32..10_000) {
            let expected = bytes.iter().all(u8::is_ascii_digit).then(|| value(&bytes)).flatten();
            prop_assert_eq!(four(u32::from_le_bytes(bytes)).map(u64::from), expected);
            let text = format!("{digits:04}");
            prop_assert_eq!(four(u32::from_le_bytes(*text.as_bytes().first_chunk().unwrap())), Some(digits));
        }

        #[test]
        fn reads_what_it_writes(number: u128) {
            let mut text = Vec::new();
            let number = number % 10u128.pow(38);
            write_u128(&mut text, number);
            prop_assert_eq!(number.to_string().into_bytes(), text.clone());
            prop_assert_eq!(value_128(&text), Some(number));
            prop_assert_eq!(value_256(&text), Some(i256::from_i128(number as i128)));
        }

        #[test]
        fn pads_what_is_short(number: u64, short in 0_u32..64, width in 1_usize..22) {
            let number = number >> short;
            let mut text = Vec::new();
            write_padded(&mut text, number, width);
            prop_assert_eq!(String::from_utf8(text).unwrap(), format!("{number:0width$}"));
        }

        #[test]
        fn refuses_what_is_not_a_digit(text in "[0-9]{0,18}", at in 0usize..18, byte: u8) {
            let mut bytes = text.clone().into_bytes();
            prop_assert_eq!(value(&bytes), Some(text.parse().unwrap_or(0)));
            if at < bytes.len() && !byte.is_ascii_digit() {
                bytes[at] = byte;
                prop_assert_eq!(value(&bytes), None);
            }
        }
    }
}
