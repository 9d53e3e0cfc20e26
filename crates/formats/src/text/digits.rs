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
    let mut buffer = [0u8; 20];
    let mut at = 20;
    while number >= 100 {
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    if number >= 10 {
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[number as usize]);
    } else {
        at -= 1;
        buffer[at] = b'0' + number as u8;
    }
    out.extend_from_slice(&buffer[at..]);
}

/// Writes a number with at least `width` digits.
pub(crate) fn write_padded(out: &mut Vec<u8>, number: u64, width: usize) {
    let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    out.resize(out.len() + width.saturating_sub(digits), b'0');
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
        fn reads_what_it_writes(number: u128) {
            let mut text = Vec::new();
            let number = number % 10u128.pow(38);
            write_u128(&mut text, number);
            prop_assert_eq!(number.to_string().into_bytes(), text.clone());
            prop_assert_eq!(value_128(&text), Some(number));
            prop_assert_eq!(value_256(&text), Some(i256::from_i128(number as i128)));
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
