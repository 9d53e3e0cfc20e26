//! Provides the change of a sample type: to the nearest value, ties to even, rounded once.
//!
//! What a type cannot hold becomes what IEEE 754 makes of it (an infinity, or NaN in E4M3FN, which has none),
//! and the nearest end of the range in integers. Whoever asked measures the distance, and refuses symbols
//! that changed.

use archmage::autoversion;
use coherence::sample::{self, Sample as _, SampleType};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// Samples that are cast at once where the processor casts several with one instruction.
const LANES: usize = 256;

/// A sample without its type.
#[derive(Clone, Copy)]
enum Number {
    Integer(i128),
    Float(f64),
}

/// Appends samples of type `from`, little-endian, to `out` as samples of type `to`.
pub fn cast(from: SampleType, to: SampleType, samples: &[u8], out: &mut Vec<u8>) {
    use SampleType::{Bf16, F8E4M3, F8E5M2, F16, F32, F64};
    out.reserve(samples.len() / from.width() * to.width());
    match (from, to) {
        _ if from == to => out.extend_from_slice(samples),
        (F32, Bf16) => to_bf16(samples, out),
        (Bf16, F32) => of_bf16(samples, out),
        (F32, F16) => halve(samples, out),
        (F16, F32) => unhalve(samples, out),
        (F32, F8E4M3) => map(samples, out, |raw| [narrow_f8::<3, 0x7f, 0x7f>(u32::from_le_bytes(raw))]),
        (F32, F8E5M2) => map(samples, out, |raw| [narrow_f8::<2, 0x7e, 0x7c>(u32::from_le_bytes(raw))]),
        (F8E4M3 | F8E5M2, F32) => widen_f8(from, samples, out),
        // Whatever these are is an f32, so that only the second step rounds.
        (F8E4M3 | F8E5M2 | F16 | Bf16, F8E4M3 | F8E5M2 | F16 | Bf16) => {
            let mut wide = Vec::with_capacity(LANES * F32.width());
            for block in samples.chunks(LANES * from.width()) {
                wide.clear();
                cast(from, F32, block, &mut wide);
                cast(F32, to, &wide, out);
            }
        }
        (F64, F32) => map(samples, out, |raw| (f64::from_le_bytes(raw) as f32).to_le_bytes()),
        (F32, F64) => map(samples, out, |raw| f64::from(f32::from_le_bytes(raw)).to_le_bytes()),
        _ => {
            for raw in samples.chunks_exact(from.width()) {
                write(to, read(from, raw), out);
            }
        }
    }
}

#[autoversion(v3)]
fn to_bf16(samples: &[u8], out: &mut Vec<u8>) {
    map(samples, out, |raw| narrow_bf16(u32::from_le_bytes(raw)).to_le_bytes());
}

#[autoversion(v3)]
fn of_bf16(samples: &[u8], out: &mut Vec<u8>) {
    map(samples, out, |raw| widen_bf16(u16::from_le_bytes(raw)).to_le_bytes());
}

#[inline(always)]
fn map<const A: usize, const B: usize>(samples: &[u8], out: &mut Vec<u8>, make: impl Fn([u8; A]) -> [u8; B]) {
    let samples = samples.as_chunks::<A>().0;
    let start = out.len();
    out.resize(start + samples.len() * B, 0);
    for (made, raw) in out[start..].as_chunks_mut::<B>().0.iter_mut().zip(samples) {
        *made = make(*raw);
    }
}

/// The bits of the `bf16` nearest to an `f32`, without a branch, so that several are made at once.
fn narrow_bf16(bits: u32) -> u16 {
    let half = 0x7fff + (bits >> 16 & 1);
    let rounded = bits.wrapping_add(half) >> 16;
    let quiet = bits >> 16 | 0x40;
    let is_nan = bits & 0x7fff_ffff > 0x7f80_0000;
    (if is_nan { quiet } else { rounded }) as u16
}

/// The bits of the `f32` that a `bf16` is; NaN is quiet.
fn widen_bf16(bits: u16) -> u32 {
    let is_nan = bits & 0x7fff > 0x7f80;
    u32::from(if is_nan { bits | 0x40 } else { bits }) << 16
}

/// `f32` to `f16`.
fn halve(samples: &[u8], out: &mut Vec<u8>) {
    let (mut wide, mut narrow) = ([0.0; LANES], [f16::ZERO; LANES]);
    for block in samples.as_chunks::<4>().0.chunks(LANES) {
        let (wide, narrow) = (&mut wide[..block.len()], &mut narrow[..block.len()]);
        wide.iter_mut().zip(block).for_each(|(value, raw)| *value = f32::from_le_bytes(*raw));
        narrow.convert_from_f32_slice(wide);
        let start = out.len();
        out.resize(start + 2 * block.len(), 0);
        let made = out[start..].as_chunks_mut().0.iter_mut();
        made.zip(narrow).for_each(|(made, value)| *made = value.to_le_bytes());
    }
}

/// `f16` to `f32`.
fn unhalve(samples: &[u8], out: &mut Vec<u8>) {
    let (mut wide, mut narrow) = ([0.0; LANES], [f16::ZERO; LANES]);
    for block in samples.as_chunks::<2>().0.chunks(LANES) {
        let (wide, narrow) = (&mut wide[..block.len()], &mut narrow[..block.len()]);
        narrow.iter_mut().zip(block).for_each(|(value, raw)| *value = f16::from_le_bytes(*raw));
        narrow.convert_to_f32_slice(wide);
        let start = out.len();
        out.resize(start + 4 * block.len(), 0);
        let made = out[start..].as_chunks_mut().0.iter_mut();
        made.zip(wide).for_each(|(made, value)| *made = value.to_le_bytes());
    }
}

/// The nearest of the types of 8 bits to an `f32`, by their fraction bits, what NaN is, and what is beyond
/// the largest number; without a branch.
fn narrow_f8<const FRACTION: u32, const NAN: u8, const OVERFLOW: u8>(bits: u32) -> u8 {
    // Exponents have 7 − FRACTION bits.
    let bias = (1 << (6 - FRACTION)) - 1;
    let sign = (bits >> 24 & 0x80) as u8;
    let magnitude = bits & 0x7fff_ffff;
    let cut = 23 - FRACTION;
    let half = (1 << (cut - 1)) - 1 + (magnitude >> cut & 1);
    let normal = ((magnitude + half) >> cut).wrapping_sub((127 - bias) << FRACTION);
    // Added to this, a number loses what is below the last bit of a subnormal one.
    let ruler = f32::from_bits((150 - bias - FRACTION + 1) << 23);
    let subnormal = (f32::from_bits(magnitude) + ruler).to_bits().wrapping_sub(ruler.to_bits());
    let rounded = if magnitude < (128 - bias) << 23 { subnormal } else { normal };
    let code = rounded.min(OVERFLOW.into()) as u8;
    sign | if magnitude > 0x7f80_0000 { NAN } else { code }
}

/// A type of 8 bits to `f32`.
fn widen_f8(ty: SampleType, samples: &[u8], out: &mut Vec<u8>) {
    let mut table = [[0; 4]; 256];
    for (bits, value) in (0..=u8::MAX).zip(&mut table) {
        *value = (widen(ty, bits) as f32).to_le_bytes();
    }
    map(samples, out, |[bits]| table[usize::from(bits)]);
}

/// The first bytes of a sample, padded with zeros: every type reads its own width of them.
fn wide(raw: &[u8]) -> [u8; 8] {
    let mut wide = [0; 8];
    wide[..raw.len()].copy_from_slice(raw);
    wide
}

fn read(ty: SampleType, raw: &[u8]) -> Number {
    let bits = u64::from_le_bytes(wide(raw));
    match ty {
        SampleType::Bool | SampleType::U8 | SampleType::U16 | SampleType::U32 | SampleType::U64 => {
            Number::Integer(bits.into())
        }
        SampleType::I8 => Number::Integer((bits as i8).into()),
        SampleType::I16 => Number::Integer((bits as i16).into()),
        SampleType::I32 => Number::Integer((bits as i32).into()),
        SampleType::I64 => Number::Integer((bits as i64).into()),
        SampleType::F8E4M3 | SampleType::F8E5M2 => Number::Float(widen(ty, bits as u8)),
        SampleType::F16 => Number::Float(f16::from_bits(bits as u16).to_f64()),
        SampleType::Bf16 => Number::Float(bf16::from_bits(bits as u16).to_f64()),
        SampleType::F32 => Number::Float(f32::from_bits(bits as u32).into()),
        SampleType::F64 => Number::Float(f64::from_bits(bits)),
    }
}

fn write(ty: SampleType, number: Number, out: &mut Vec<u8>) {
    let integer = |min: i128, max: i128| match number {
        Number::Integer(value) => value.clamp(min, max),
        // A float-to-integer `as` saturates, and makes 0 of NaN.
        Number::Float(value) => (value.round_ties_even() as i128).clamp(min, max),
    };
    let float = || match number {
        Number::Integer(value) => value as f64,
        Number::Float(value) => value,
    };
    match ty {
        SampleType::Bool => out.push(u8::from(float() != 0.0)),
        SampleType::I8 => out.extend((integer(i8::MIN.into(), i8::MAX.into()) as i8).to_le_bytes()),
        SampleType::I16 => out.extend((integer(i16::MIN.into(), i16::MAX.into()) as i16).to_le_bytes()),
        SampleType::I32 => out.extend((integer(i32::MIN.into(), i32::MAX.into()) as i32).to_le_bytes()),
        SampleType::I64 => out.extend((integer(i64::MIN.into(), i64::MAX.into()) as i64).to_le_bytes()),
        SampleType::U8 => out.push(integer(0, u8::MAX.into()) as u8),
        SampleType::U16 => out.extend((integer(0, u16::MAX.into()) as u16).to_le_bytes()),
        SampleType::U32 => out.extend((integer(0, u32::MAX.into()) as u32).to_le_bytes()),
        SampleType::U64 => out.extend((integer(0, u64::MAX.into()) as u64).to_le_bytes()),
        SampleType::F8E4M3 | SampleType::F8E5M2 => out.push(narrow(ty, float())),
        SampleType::F16 => out.extend(f16::from_f32(to_odd(float())).to_le_bytes()),
        SampleType::Bf16 => out.extend(bf16::from_f32(to_odd(float())).to_le_bytes()),
        SampleType::F32 => out.extend(match number {
            Number::Integer(value) => (value as f32).to_le_bytes(),
            Number::Float(value) => (value as f32).to_le_bytes(),
        }),
        SampleType::F64 => out.extend(float().to_le_bytes()),
    }
}

/// A number cut to `binary32` with the last bit set where anything was cut off, so that rounding it again to
/// at most 22 bits is as if it had been rounded once (Boldo and Melquiond, Emulation of FMA and correctly
/// rounded sums, 2008).
fn to_odd(value: f64) -> f32 {
    let nearest = value as f32;
    let back = f64::from(nearest);
    if back == value || !value.is_finite() {
        return nearest;
    }
    // Towards zero, then odd. An infinity that rounding made is one step beyond the largest number.
    let cut = if back.abs() > value.abs() { nearest.to_bits() - 1 } else { nearest.to_bits() };
    f32::from_bits(cut | 1)
}

/// Fraction bits and bias of the floating-point types of 8 bits.
fn layout(ty: SampleType) -> (u32, i32) {
    match ty {
        SampleType::F8E4M3 => (3, 7),
        _ => (2, 15),
    }
}

/// The number that 8 bits are.
fn widen(ty: SampleType, bits: u8) -> f64 {
    match ty {
        SampleType::F8E4M3 => sample::F8E4M3::read([bits]).to_f64(),
        _ => sample::F8E5M2::read([bits]).to_f64(),
    }
}

/// The 8 bits nearest to a number.
fn narrow(ty: SampleType, value: f64) -> u8 {
    let (fraction_bits, bias) = layout(ty);
    let sign = u8::from(value.is_sign_negative()) << 7;
    let (nan, overflow) = match ty {
        SampleType::F8E4M3 => (0x7f, 0x7f),
        _ => (0x7e, 0x7c),
    };
    if value.is_nan() {
        return sign | nan;
    }
    let magnitude = value.abs();
    // The exponent of a normal number; that of the smallest one for anything below.
    let exponent = ((magnitude.to_bits() >> 52) as i32 - 1023).clamp(1 - bias, 1023);
    let unit = 2f64.powi(exponent - fraction_bits as i32);
    // Dividing by a power of two is exact here, so there is one rounding. Rounding up to the next power of
    // two carries into the exponent, as it should.
    let steps = (magnitude / unit).round_ties_even();
    let base = f64::from((exponent + bias - 1) << fraction_bits);
    let bits = base + steps;
    let largest = if ty == SampleType::F8E4M3 { 0x7e } else { 0x7b };
    if bits > f64::from(largest) { sign | overflow } else { sign | bits as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SampleType::{Bf16, Bool, F8E4M3, F8E5M2, F16, F32, F64, I8, I64, U8};

    fn one(from: SampleType, to: SampleType, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        cast(from, to, bytes, &mut out);
        out
    }

    /// The nearest of all values by exhaustive search, the even one of two.
    fn nearest(ty: SampleType, value: f64) -> u8 {
        let finite = (0..=0x7f).filter(|bits| widen(ty, *bits).is_finite());
        let best = finite.min_by(|a, b| {
            let distance = |bits: u8| (widen(ty, bits) - value.abs()).abs();
            distance(*a).total_cmp(&distance(*b)).then((a & 1).cmp(&(b & 1)))
        });
        best.unwrap() | u8::from(value.is_sign_negative()) << 7
    }

    #[test]
    fn eight_bits_hold_the_nearest_value() {
        for ty in [F8E4M3, F8E5M2] {
            for bits in 0..=255u8 {
                let value = widen(ty, bits);
                let back = narrow(ty, value);
                assert!(back == bits || value.is_nan() && widen(ty, back).is_nan(), "{ty} {bits:02x}");
            }
            let largest = if ty == F8E4M3 { 448.0 } else { 57344.0 };
            let mut value: f64 = 1e-8;
            while value < largest {
                for value in [value, -value, value.next_up(), value * 1.0625] {
                    if value.abs() <= largest {
                        assert_eq!(narrow(ty, value), nearest(ty, value), "{ty} {value}");
                    }
                }
                value *= 1.01;
            }
        }
        assert_eq!(narrow(F8E4M3, 464.0), 0x7e, "half way to what would be 480 rounds to even");
        assert!(widen(F8E4M3, narrow(F8E4M3, 465.0)).is_nan());
        assert_eq!(widen(F8E5M2, narrow(F8E5M2, -1e9)), f64::NEG_INFINITY);
        assert_eq!(narrow(F8E5M2, -0.0), 0x80);
    }

    #[test]
    fn many_at_once_are_what_one_by_one_is() {
        let halves: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let by_one = |make: fn(u16) -> f32| -> Vec<u8> {
            (0..=u16::MAX).flat_map(|bits| make(bits).to_le_bytes()).collect()
        };
        assert!(one(Bf16, F32, &halves) == by_one(|bits| bf16::from_bits(bits).to_f32()));
        assert!(one(F16, F32, &halves) == by_one(|bits| f16::from_bits(bits).to_f32()));
        // Around all values of 16 bits, and half way between them.
        let tails = [0u32, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
        let near = (0..=u16::MAX).flat_map(|head| tails.map(|tail| u32::from(head) << 16 | tail));
        let between = (0..=u16::MAX).flat_map(|bits| {
            let bits = f16::from_bits(bits).to_f32().to_bits();
            [bits, bits ^ 0x1000, bits ^ 0x1001, bits ^ 0x0fff]
        });
        let all: Vec<u32> = near.chain(between).collect();
        let raw: Vec<u8> = all.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let by_one = |make: fn(f32) -> u16| -> Vec<u8> {
            all.iter().flat_map(|bits| make(f32::from_bits(*bits)).to_le_bytes()).collect()
        };
        assert!(one(F32, Bf16, &raw) == by_one(|value| bf16::from_f32(value).to_bits()));
        assert!(one(F32, F16, &raw) == by_one(|value| f16::from_f32(value).to_bits()));
        assert_eq!(one(F32, F16, &raw[..1200]), one(F32, F16, &raw)[..600], "whatever the number");
        for ty in [F8E4M3, F8E5M2] {
            let found = one(F32, ty, &raw);
            for (bits, found) in all.iter().zip(found) {
                let value = f32::from_bits(*bits);
                assert_eq!(found, narrow(ty, value.into()), "{ty} {value:e} {bits:08x}");
            }
            for bits in 0..=u8::MAX {
                let (found, value) = (one(ty, F32, &[bits]), widen(ty, bits) as f32);
                assert_eq!(found, value.to_le_bytes(), "{ty} {bits:02x}");
                assert_eq!(one(ty, F16, &[bits]), f16::from_f32(value).to_le_bytes(), "{ty} {bits:02x}");
            }
            let narrowed = one(Bf16, ty, &halves);
            let by_one = (0..=u16::MAX).map(|bits| narrow(ty, bf16::from_bits(bits).to_f64()));
            assert!(narrowed.into_iter().eq(by_one), "{ty}");
        }
    }

    #[test]
    fn values_are_rounded_once() {
        // Rounded to f32 first, this lies half way between two bf16 values and goes the wrong way.
        let value = 1.0 + 2f64.powi(-8) + 2f64.powi(-40);
        assert_eq!(one(F64, Bf16, &value.to_le_bytes()), bf16::from_f64(1.0 + 2f64.powi(-7)).to_le_bytes());
        let value = 1.0 + 2f64.powi(-11) + 2f64.powi(-40);
        assert_eq!(one(F64, F16, &value.to_le_bytes()), f16::from_f64(1.0 + 2f64.powi(-10)).to_le_bytes());
    }

    #[test]
    fn integers_take_the_nearest_they_have() {
        assert_eq!(one(F32, I8, &(-200.5f32).to_le_bytes()), [0x80]);
        assert_eq!(one(F32, U8, &2.5f32.to_le_bytes()), [2]);
        assert_eq!(one(I64, U8, &(-1i64).to_le_bytes()), [0]);
        assert_eq!(one(U8, Bool, &[0, 1, 7]), [0, 1, 1]);
        assert_eq!(one(I64, F64, &i64::MIN.to_le_bytes()), (i64::MIN as f64).to_le_bytes());
        assert_eq!(one(F64, I64, &f64::NAN.to_le_bytes()), 0i64.to_le_bytes());
    }

    #[test]
    fn every_type_survives_a_wider_one() {
        for ty in [F8E4M3, F8E5M2, F16, Bf16] {
            for bits in 0..=u16::MAX {
                let raw = &bits.to_le_bytes()[..ty.width()];
                for wider in [F32, F64] {
                    let back = one(wider, ty, &one(ty, wider, raw));
                    let nan = matches!(read(ty, raw), Number::Float(value) if value.is_nan());
                    assert!(back == raw || nan, "{ty} {bits:04x} through {wider}");
                }
            }
        }
    }
}
