//! Exact sums of floating-point terms: the same bits in whatever order and grouping terms are added.
//!
//! The sum is kept as one wide fixed-point integer in units of 2^-1074, the smallest positive `f64`, so no
//! addition ever rounds. After Kulisch's long accumulator.

use archmage::autoversion;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Bits in a limb.
const LIMB_BITS: usize = 32;
/// Values below 2^1024 take 2098 bits; 64 more leave room for 2^64 of them, and for a sign.
const LIMBS: usize = 68;
/// Terms in a block. Of each at most 2^51 units are taken: those of a block fit 63 bits.
const BLOCK_TERMS: usize = 1024;
/// Terms side by side whose magnitudes are added independently, so that vector instructions add them.
const LANES: usize = 8;
/// Times that units are taken from a block, at two scales each, before what is left is added term by term:
/// enough for terms over 40 orders of magnitude.
const ROUNDS: usize = 2;
/// Bits of the fraction of an `f64`.
const FRACTION_BITS: u64 = 52;
/// The exponent of the greatest `f64`, as its bits have it.
const EXPONENT_MAX: u64 = 0x7fe;
/// After this many additions carries are settled; each adds less than 2^32 to a limb of 63 bits.
const ADDITIONS_MAX: u32 = 1 << 30;

/// A sum that cannot be formed or read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SumError {
    /// A term is infinite or not a number.
    #[error("a term of the sum is not finite")]
    NonFinite,
    /// The sum is beyond the largest finite `f64`.
    #[error("the sum is too large for a 64-bit floating-point number")]
    Overflow,
    /// Text that is not a sum.
    #[error("not the text of an exact sum")]
    Malformed,
}

/// A sum of `f64` terms without any rounding.
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    /// Empty for a sum to which nothing was added, so that unused sums take no room.
    limbs: Vec<i64>,
    additions: u32,
}

impl ExactSum {
    /// The empty sum: zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one term. A term that is not finite is refused and leaves the sum as it was.
    pub fn add(&mut self, term: f64) -> Result<(), SumError> {
        if !term.is_finite() {
            return Err(SumError::NonFinite);
        }
        if term == 0.0 {
            return Ok(());
        }
        let bits = term.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as usize;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, shift) =
            if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let count = mantissa.cast_signed();
        self.add_units(if term < 0.0 { -count } else { count }, shift);
        Ok(())
    }

    /// Adds terms, to the same sum as one by one. Where one is not finite, all are refused and the sum stays
    /// as it was.
    pub fn add_all(&mut self, terms: &[f64]) -> Result<(), SumError> {
        let bound = sum_of_magnitudes(terms);
        if !bound.is_finite() && !terms.iter().all(|term| term.is_finite()) {
            return Err(SumError::NonFinite);
        }
        // The bound is below 2^51 units of the second exponent after its own.
        let exponent = (bound.to_bits() >> FRACTION_BITS).max(1) + 2;
        terms.chunks(BLOCK_TERMS).try_for_each(|block| self.add_block(block, exponent, ROUNDS))
    }

    /// Adds a block of terms, each of 2^51 units of an exponent at most.
    fn add_block(&mut self, block: &[f64], exponent: u64, rounds: usize) -> Result<(), SumError> {
        if rounds == 0 || exponent > EXPONENT_MAX {
            return block.iter().try_for_each(|term| self.add(*term));
        }
        let taker = Taker::new(exponent);
        let taken = take(&taker, block);
        self.add_units(taken.high, taker.high.shift());
        self.add_units(taken.low, taker.low.shift());
        if !taken.any_left {
            return Ok(());
        }
        let mut rest = [0.0; BLOCK_TERMS];
        let rest = &mut rest[..block.len()];
        rest.iter_mut().zip(block).for_each(|(rest, term)| *rest = taker.left(*term));
        self.add_block(rest, taker.low.below(), rounds - 1)
    }

    /// Adds this many times 2^shift times the smallest positive `f64`.
    fn add_units(&mut self, count: i64, shift: usize) {
        if self.limbs.is_empty() {
            self.limbs = vec![0; LIMBS];
        }
        let wide = u128::from(count.unsigned_abs()) << (shift % LIMB_BITS);
        for (part, limb) in self.limbs[shift / LIMB_BITS..].iter_mut().take(3).enumerate() {
            let piece = i64::from((wide >> (part * LIMB_BITS)) as u32);
            *limb += if count < 0 { -piece } else { piece };
        }
        self.additions += 1;
        if self.additions >= ADDITIONS_MAX {
            self.settle();
        }
    }

    /// Adds all terms of another sum.
    pub fn merge(&mut self, other: &Self) {
        let other = other.settled();
        if self.limbs.is_empty() {
            self.limbs = vec![0; LIMBS];
        }
        self.settle();
        for (limb, added) in self.limbs.iter_mut().zip(other) {
            *limb += added;
        }
        self.settle();
    }

    /// True when the terms add up to nothing.
    pub fn is_zero(&self) -> bool {
        self.settled().iter().all(|limb| *limb == 0)
    }

    /// The sum rounded once, to the nearest `f64`, ties to even.
    pub fn to_f64(&self) -> Result<f64, SumError> {
        let (negative, magnitude) = self.magnitude();
        let Some(top) = top_bit(&magnitude) else {
            return Ok(0.0);
        };
        let bits = if top <= 52 {
            // Below 2^53 units the integer is itself the bit pattern.
            u64::from(magnitude[0]) | u64::from(magnitude[1]) << LIMB_BITS
        } else {
            let low = top - 52;
            let mantissa =
                (0..53).rev().fold(0u64, |m, bit| m << 1 | u64::from(bit_at(&magnitude, low + bit)));
            let half = bit_at(&magnitude, low - 1);
            let sticky = (0..low - 1).any(|bit| bit_at(&magnitude, bit));
            let up = half && (sticky || mantissa & 1 == 1);
            // A mantissa that rounds up to 2^53 carries into the exponent, as it should.
            ((low as u64 + 1) << 52) + (mantissa - (1 << 52)) + u64::from(up)
        };
        let value = f64::from_bits(bits);
        if bits >= f64::INFINITY.to_bits() {
            return Err(SumError::Overflow);
        }
        Ok(if negative { -value } else { value })
    }

    /// Carries settled: every limb but the last within 0..2^32. One sum has one such form.
    fn settled(&self) -> [i64; LIMBS] {
        let mut limbs = [0; LIMBS];
        limbs[..self.limbs.len()].copy_from_slice(&self.limbs);
        settle(&mut limbs);
        limbs
    }

    fn settle(&mut self) {
        settle(&mut self.limbs);
        self.additions = 0;
    }

    /// Sign and absolute value, lowest limb first; two more limbs hold what the last limb of 64 bits may.
    fn magnitude(&self) -> (bool, [u32; LIMBS + 1]) {
        let mut limbs = self.settled();
        let negative = limbs[LIMBS - 1] < 0;
        if negative {
            limbs.iter_mut().for_each(|limb| *limb = -*limb);
            settle(&mut limbs);
        }
        let mut magnitude = [0; LIMBS + 1];
        for (out, limb) in magnitude.iter_mut().zip(limbs) {
            *out = limb as u32;
        }
        magnitude[LIMBS] = (limbs[LIMBS - 1] >> LIMB_BITS) as u32;
        (negative, magnitude)
    }
}

/// An upper bound of all magnitudes, not finite where one of them is not.
#[autoversion(v3)]
fn sum_of_magnitudes(terms: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (groups, tail) = terms.as_chunks::<LANES>();
    for group in groups {
        for (sum, term) in sums.iter_mut().zip(group) {
            *sum += term.abs();
        }
    }
    sums.iter().sum::<f64>() + tail.iter().map(|term| term.abs()).sum::<f64>()
}

/// Numbers of one exponent, which are in order and evenly spaced, as integers are. One unit is their last
/// place.
#[derive(Clone, Copy)]
struct Scale {
    /// The exponent, as the bits of a number have it.
    exponent: u64,
    /// Three times 2^51 units. A number of at most 2^51 units that is added to it leaves it its exponent, and
    /// is rounded to whole units.
    centre: f64,
}

impl Scale {
    fn new(exponent: u64) -> Self {
        Self { exponent, centre: f64::from_bits(exponent << FRACTION_BITS | 1 << (FRACTION_BITS - 1)) }
    }

    /// The unit, as the power of two that it is of the smallest positive `f64`.
    fn shift(self) -> usize {
        self.exponent as usize - 1
    }

    /// The exponent of which half a unit of this scale is 2^51 units, or the least: its unit leaves nothing.
    fn below(self) -> u64 {
        self.exponent.saturating_sub(FRACTION_BITS).max(1)
    }

    /// The bits that count the units of a number, from those of the centre, and what the number has left.
    #[inline]
    fn split(self, number: f64) -> (u64, f64) {
        let near = self.centre + number;
        (near.to_bits(), number - (near - self.centre))
    }

    /// The sum of units in a sum of bits, of this many numbers.
    fn units(self, bits: u64, numbers: usize) -> i64 {
        bits.wrapping_sub(self.centre.to_bits().wrapping_mul(numbers as u64)).cast_signed()
    }
}

/// Takes terms apart without any rounding: units of a high scale, then of a low one, and a rest that is
/// nearly always nothing. After the error-free extraction of Rump, Ogita and Oishi (Accurate Floating-Point
/// Summation, 2008); units are summed as integers.
struct Taker {
    high: Scale,
    low: Scale,
}

/// What was taken from a block.
struct Taken {
    high: i64,
    low: i64,
    any_left: bool,
}

impl Taker {
    /// For terms of 2^51 units of an exponent at most.
    fn new(exponent: u64) -> Self {
        let high = Scale::new(exponent);
        Self { high, low: Scale::new(high.below()) }
    }

    fn left(&self, term: f64) -> f64 {
        self.low.split(self.high.split(term).1).1
    }
}

#[autoversion(v3)]
fn take(taker: &Taker, block: &[f64]) -> Taken {
    // Only integers are added up here, in whatever order vector instructions do it.
    let (mut high, mut low, mut left) = (0u64, 0u64, 0u64);
    for term in block {
        let (bits, rest) = taker.high.split(*term);
        high = high.wrapping_add(bits);
        let (bits, rest) = taker.low.split(rest);
        low = low.wrapping_add(bits);
        left |= rest.to_bits();
    }
    let (high, low) = (taker.high.units(high, block.len()), taker.low.units(low, block.len()));
    // Neither zero is anything left.
    Taken { high, low, any_left: left << 1 != 0 }
}

fn settle(limbs: &mut [i64]) {
    let mut carry = 0;
    let last = limbs.len().saturating_sub(1);
    for (index, limb) in limbs.iter_mut().enumerate() {
        *limb += carry;
        if index < last {
            carry = *limb >> LIMB_BITS;
            *limb &= 0xffff_ffff;
        }
    }
}

fn top_bit(magnitude: &[u32]) -> Option<usize> {
    let limb = magnitude.iter().rposition(|limb| *limb != 0)?;
    Some(limb * LIMB_BITS + 31 - magnitude[limb].leading_zeros() as usize)
}

fn bit_at(magnitude: &[u32], bit: usize) -> bool {
    magnitude[bit / LIMB_BITS] >> (bit % LIMB_BITS) & 1 == 1
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &Self) -> bool {
        self.settled() == other.settled()
    }
}

impl Eq for ExactSum {}

/// Sign, hexadecimal integer, `@`, and the count of zero limbs dropped at its low end: one text for one sum.
impl fmt::Display for ExactSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (negative, magnitude) = self.magnitude();
        let Some(low) = magnitude.iter().position(|limb| *limb != 0) else {
            return f.write_str("0@0");
        };
        let high = magnitude.iter().rposition(|limb| *limb != 0).unwrap_or(low);
        let sign = if negative { "-" } else { "" };
        write!(f, "{sign}{:x}", magnitude[high])?;
        magnitude[low..high].iter().rev().try_for_each(|limb| write!(f, "{limb:08x}"))?;
        write!(f, "@{low}")
    }
}

impl FromStr for ExactSum {
    type Err = SumError;

    fn from_str(text: &str) -> Result<Self, SumError> {
        let (number, low) = text.split_once('@').ok_or(SumError::Malformed)?;
        let (negative, digits) = match number.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number),
        };
        let low: usize = low.parse().map_err(|_| SumError::Malformed)?;
        if low >= LIMBS || digits.len().div_ceil(8) > LIMBS - low || !digits.is_ascii() {
            return Err(SumError::Malformed);
        }
        let mut sum = Self { limbs: vec![0; LIMBS], additions: 0 };
        for (limb, group) in sum.limbs[low..].iter_mut().zip(digits.as_bytes().rchunks(8)) {
            let group = std::str::from_utf8(group).map_err(|_| SumError::Malformed)?;
            *limb = u32::from_str_radix(group, 16).map_err(|_| SumError::Malformed)?.into();
        }
        if negative {
            sum.limbs.iter_mut().for_each(|limb| *limb = -*limb);
        }
        sum.settle();
        // Whatever else reads as the same number (leading zeros, signs, upper case) is not its text.
        if sum.to_string() == text { Ok(sum) } else { Err(SumError::Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(terms: &[f64]) -> ExactSum {
        let mut sum = ExactSum::new();
        terms.iter().for_each(|term| sum.add(*term).expect("terms are finite"));
        sum
    }

    #[test]
    fn rounding_is_to_the_nearest_even() {
        let tiny = f64::from_bits(1);
        assert_eq!(sum(&[1e300, 1.0, -1e300]).to_f64(), Ok(1.0));
        assert_eq!(sum(&[1.0, f64::EPSILON / 2.0]).to_f64(), Ok(1.0));
        assert_eq!(sum(&[1.0, f64::EPSILON / 2.0, tiny]).to_f64(), Ok(1.0 + f64::EPSILON));
        assert_eq!(sum(&[1.0 + f64::EPSILON, f64::EPSILON / 2.0]).to_f64(), Ok(1.0 + 2.0 * f64::EPSILON));
        assert_eq!(sum(&[2.0 - f64::EPSILON, f64::EPSILON / 2.0]).to_f64(), Ok(2.0));
        assert_eq!(sum(&[tiny, tiny]).to_f64(), Ok(f64::from_bits(2)));
        assert_eq!(sum(&[f64::MIN_POSITIVE, -tiny]).to_f64(), Ok(f64::MIN_POSITIVE - tiny));
        assert_eq!(sum(&[-3.0, 1.0]).to_f64(), Ok(-2.0));
    }

    #[test]
    fn overflow_is_an_error_until_it_is_taken_back() {
        let mut over = sum(&[f64::MAX, f64::MAX]);
        assert_eq!(over.to_f64(), Err(SumError::Overflow));
        over.add(-f64::MAX).expect("a finite term");
        assert_eq!(over.to_f64(), Ok(f64::MAX));
        assert_eq!(over.add(f64::NAN), Err(SumError::NonFinite));
        assert_eq!(over.add(f64::INFINITY), Err(SumError::NonFinite));
        assert_eq!(over.to_f64(), Ok(f64::MAX));
    }

    #[test]
    fn text_round_trips_and_is_strict() {
        for terms in [&[][..], &[1.0], &[-1.5, 1e-300], &[f64::MAX, f64::MAX], &[-f64::from_bits(1)]] {
            let sum = sum(terms);
            assert_eq!(sum.to_string().parse(), Ok(sum));
        }
        for bad in ["", "0", "@", "1@x", "1@68", "+1@0", "01@0", "A@0", "-0@0", "100000000@0", "é@1", "1@-1"]
        {
            assert_eq!(bad.parse::<ExactSum>(), Err(SumError::Malformed), "{bad}");
        }
    }
}
