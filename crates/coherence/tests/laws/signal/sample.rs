//! Samples, and what they mean by the definitions of their types: exact rationals and symbols, without the
//! code under test.

use coherence::sample::SampleType;
use coherence::sum::ExactSum;
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

/// What a sample is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// A finite number.
    Number(BigRational),
    /// No finite number.
    Symbol(&'static str),
}

/// Bits of exponent and of fraction of a type of floats.
fn layout(ty: SampleType) -> Option<(u32, u32)> {
    match ty {
        SampleType::F8E4M3 => Some((4, 3)),
        SampleType::F8E5M2 => Some((5, 2)),
        SampleType::F16 => Some((5, 10)),
        SampleType::Bf16 => Some((8, 7)),
        SampleType::F32 => Some((8, 23)),
        SampleType::F64 => Some((11, 52)),
        _ => None,
    }
}

fn raw(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |wide, byte| wide << 8 | u64::from(*byte))
}

fn power_of_two(exponent: i64) -> BigRational {
    let power = BigRational::from_integer(BigInt::from(1) << exponent.unsigned_abs());
    if exponent < 0 { power.recip() } else { power }
}

pub(super) fn meaning(ty: SampleType, bytes: &[u8]) -> Meaning {
    let raw = raw(bytes);
    let Some((exponent_bits, fraction_bits)) = layout(ty) else {
        let signed = matches!(ty, SampleType::I8 | SampleType::I16 | SampleType::I32 | SampleType::I64);
        let unused = 64 - 8 * ty.width() as u32;
        let signed_value = i128::from(((raw << unused) as i64) >> unused);
        return Meaning::Number(BigInt::from(if signed { signed_value } else { raw.into() }).into());
    };
    let (fraction, top) = (raw & ((1 << fraction_bits) - 1), (1u64 << exponent_bits) - 1);
    let (exponent, negative) = (raw >> fraction_bits & top, raw >> (exponent_bits + fraction_bits) == 1);
    // E4M3 has numbers at the top exponent, and NaN only where the fraction is all ones.
    let e4m3 = ty == SampleType::F8E4M3;
    if exponent == top && (!e4m3 || fraction == 7) {
        return Meaning::Symbol(match (fraction != 0, negative) {
            (true, _) => "nan",
            (false, true) => "-inf",
            (false, false) => "inf",
        });
    }
    let hidden = u64::from(exponent > 0) << fraction_bits;
    let bias = (1i64 << (exponent_bits - 1)) - 1;
    let unit = power_of_two((exponent.max(1)) as i64 - bias - i64::from(fraction_bits));
    let magnitude = BigRational::from_integer(BigInt::from(hidden | fraction)) * unit;
    Meaning::Number(if negative { -magnitude } else { magnitude })
}

/// The bytes of samples that the digest covers: every NaN is the positive one of whose fraction only the top
/// bit is set (in E4M3, where that is a number, all bits).
pub(super) fn canonical(ty: SampleType, samples: &[u8]) -> Vec<u8> {
    let Some((exponent_bits, fraction_bits)) = layout(ty) else { return samples.to_vec() };
    let infinity = ((1u64 << exponent_bits) - 1) << fraction_bits;
    let (greatest, nan) = match ty {
        SampleType::F8E4M3 => (infinity | 6, infinity | 7),
        _ => (infinity, infinity | 1 << (fraction_bits - 1)),
    };
    let magnitude = |sample: &[u8]| raw(sample) & !(1 << (exponent_bits + fraction_bits));
    let mut out = samples.to_vec();
    for sample in out.chunks_mut(ty.width()).filter(|sample| magnitude(sample) > greatest) {
        sample.copy_from_slice(&nan.to_le_bytes()[..ty.width()]);
    }
    out
}

pub(super) fn types() -> impl Strategy<Value = SampleType> {
    proptest::sample::select(SampleType::ALL.to_vec())
}

/// A sample of a type: any bits at all, or one of those on which code goes wrong. The squares of the doubles
/// are finite.
pub(super) fn sample(ty: SampleType) -> BoxedStrategy<Vec<u8>> {
    let width = ty.width();
    let bytes = move |raw: u64| raw.to_le_bytes()[..width].to_vec();
    if ty == SampleType::Bool {
        return (0..2u64).prop_map(bytes).boxed();
    }
    let bits = any::<u64>();
    let any = match ty {
        SampleType::F64 => {
            bits.prop_map(|raw| raw & !(0x7ff << 52) | (600 + (raw >> 52) % 800) << 52).boxed()
        }
        _ => bits.boxed(),
    };
    let Some((exponent_bits, fraction_bits)) = layout(ty) else {
        let sign = 1u64 << (8 * width as u32 - 1);
        let edges = vec![0, 1, sign - 1, sign, u64::MAX];
        return prop_oneof![3 => any, 1 => proptest::sample::select(edges)].prop_map(bytes).boxed();
    };
    let infinity = ((1u64 << exponent_bits) - 1) << fraction_bits;
    let sign = 1u64 << (exponent_bits + fraction_bits);
    let one = ((1u64 << (exponent_bits - 1)) - 1) << fraction_bits;
    let magnitudes = [0, 1, one, one + 1, infinity, infinity + 1, infinity | ((1 << fraction_bits) - 1)];
    let edges = magnitudes.iter().flat_map(|magnitude| [*magnitude, magnitude | sign]).collect::<Vec<_>>();
    prop_oneof![2 => any, 1 => proptest::sample::select(edges)].prop_map(bytes).boxed()
}

/// Two runs of samples of one type and length, of which the second is mostly the first; where it is not, it
/// is often only of another sign, or has another last bit.
pub(super) fn runs(samples: usize) -> impl Strategy<Value = (SampleType, Vec<u8>, Vec<u8>)> {
    types().prop_flat_map(move |ty| {
        let row = (sample(ty), sample(ty), 0..12u8);
        proptest::collection::vec(row, 0..samples).prop_map(move |rows| {
            let left = rows.iter().flat_map(|(left, _, _)| left.clone()).collect();
            let right = rows.into_iter().flat_map(|(mut left, right, kind)| match kind {
                0..3 => right,
                3 if ty != SampleType::Bool => {
                    left[ty.width() - 1] ^= 0x80;
                    left
                }
                4 => {
                    left[0] ^= 1;
                    left
                }
                _ => left,
            });
            (ty, left, right.collect())
        })
    })
}

/// The nearest `f64`, ties to even, of a number whose denominator is a power of two.
pub(super) fn nearest(exact: &BigRational) -> f64 {
    let (numerator, places) = (exact.numer().magnitude(), exact.denom().bits() as i64 - 1);
    // What is kept has 53 bits, and fewer below the least normal number.
    let dropped = (numerator.bits() as i64 - 53).max(places - 1074).max(0);
    let (kept, half) = (numerator >> dropped, (numerator >> (dropped - 1).max(0)).bit(0));
    let tie = numerator.trailing_zeros().is_none_or(|zeros| zeros as i64 >= dropped - 1);
    let up = dropped > 0 && half && (!tie || kept.bit(0));
    let mantissa = kept.iter_u64_digits().next().unwrap_or(0) + u64::from(up);
    let exponent = dropped - places;
    let unit = if exponent < -1022 { 1 << (exponent + 1074) } else { ((exponent + 1023) as u64) << 52 };
    let magnitude = mantissa as f64 * f64::from_bits(unit);
    if *exact.numer() < BigInt::ZERO { -magnitude } else { magnitude }
}

/// A sum as the rational that its text tells.
pub(super) fn told(sum: &ExactSum) -> BigRational {
    let text = sum.to_string();
    let (digits, low) = text.split_once('@').expect("digits and a place");
    let integer = BigInt::parse_bytes(digits.as_bytes(), 16).expect("hexadecimal");
    BigRational::from_integer(integer) * power_of_two(32 * low.parse::<i64>().expect("a place") - 1074)
}
