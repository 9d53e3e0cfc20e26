//! Provides how a container holds samples: each by itself, or in blocks that share a scale.
//!
//! The blocks are those of ggml: 32 samples along the last axis, a scale of type `f16`, and an integer for
//! each sample. The arithmetic is that of its reference (`gguf.quants` on PyPI), so that the same samples
//! give the same bytes.

use std::fmt;
use std::str::FromStr;

use coherence::sample::SampleType;
use half::f16;

use super::cast;
use crate::error::Error;
use crate::sound::depth::{Depth, Scaled};

/// Samples in a block.
pub const BLOCK_SAMPLES: usize = 32;

/// How samples are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Each sample by itself.
    Plain(SampleType),
    /// Blocks of 32 signed integers of 8 bits: 8.5 bits a sample.
    Q8_0,
    /// Blocks of 32 integers of 4 bits: 4.5 bits a sample.
    Q4_0,
    /// Samples of a sound over another declared range.
    Sound(Scaled),
}

impl Encoding {
    /// Whether samples share a scale in blocks.
    pub fn is_in_blocks(self) -> bool {
        matches!(self, Self::Q8_0 | Self::Q4_0)
    }

    /// Its name, as options and certificates spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain(sample) => sample.name(),
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
            Self::Sound(scaled) => scaled.depth.name(),
        }
    }

    /// The type of the samples that it gives.
    pub fn sample(self) -> SampleType {
        match self {
            Self::Plain(sample) => sample,
            Self::Q8_0 | Self::Q4_0 => SampleType::F32,
            Self::Sound(scaled) => scaled.depth.sample(),
        }
    }

    /// Where the declared range ends of what holds samples of a range up to `peak` so.
    pub fn peak(self, peak: f64) -> f64 {
        match self {
            Self::Sound(scaled) => scaled.peak(peak),
            Self::Plain(_) | Self::Q8_0 | Self::Q4_0 => peak,
        }
    }

    /// The same as a file tells it, which knows nothing of the range that its samples came from.
    pub fn in_file(self) -> Self {
        match self {
            Self::Sound(_) => Self::Plain(self.sample()),
            other => other,
        }
    }

    /// Bytes that hold this many samples, which are whole blocks; `None` beyond 64 bits.
    pub fn bytes(self, samples: u64) -> Option<u64> {
        let (block_bytes, block_samples) = self.block();
        (samples / block_samples as u64).checked_mul(block_bytes as u64)
    }

    /// Bytes of this many samples before a container packs them: those of a sound are held as their sample
    /// type.
    pub fn held_bytes(self, samples: u64) -> Option<u64> {
        match self {
            Self::Sound(_) => samples.checked_mul(self.sample().width() as u64),
            _ => self.bytes(samples),
        }
    }

    /// Nanoseconds that a sample of type `f32` takes to be brought into this and back twice, and to be
    /// compared, on one thread of the machine that the README quotes for `bench/arrays`; of use in comparison
    /// only.
    pub fn nanoseconds(self) -> f64 {
        match self {
            Self::Plain(SampleType::Bf16 | SampleType::F16) => 3.7,
            Self::Plain(SampleType::F8E4M3 | SampleType::F8E5M2) => 4.5,
            Self::Plain(_) | Self::Sound(_) => 0.0,
            Self::Q8_0 => 6.9,
            Self::Q4_0 => 10.1,
        }
    }

    /// Bytes and samples of a block; a sample by itself is a block of one.
    fn block(self) -> (usize, usize) {
        match self {
            Self::Plain(sample) => (sample.width(), 1),
            Self::Q8_0 => (2 + BLOCK_SAMPLES, BLOCK_SAMPLES),
            Self::Q4_0 => (2 + BLOCK_SAMPLES / 2, BLOCK_SAMPLES),
            Self::Sound(scaled) => (usize::from(scaled.depth.size_bits().div_ceil(8)), 1),
        }
    }

    /// Whether an array of this shape can be held: blocks lie along the last axis, and vectors are not worth
    /// blocks (they are norms and biases, of which there are few and on which much depends).
    pub fn fits(self, shape: &[u64]) -> bool {
        match (self, shape) {
            (Self::Plain(_) | Self::Sound(_), _) => true,
            (_, [_, .., last]) => last.is_multiple_of(BLOCK_SAMPLES as u64),
            _ => false,
        }
    }

    /// Appends samples of type `from` to `out` as this holds them.
    pub fn encode(self, from: SampleType, samples: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Plain(to) => return cast(from, to, samples, out),
            Self::Sound(scaled) => return scaled.encode(from, samples, out),
            Self::Q8_0 | Self::Q4_0 => {}
        }
        for block in samples.chunks(BLOCK_SAMPLES * from.width()) {
            let mut raw = Vec::with_capacity(4 * BLOCK_SAMPLES);
            cast(from, SampleType::F32, block, &mut raw);
            let mut values = [0.0; BLOCK_SAMPLES];
            for (value, raw) in values.iter_mut().zip(raw.as_chunks::<4>().0) {
                *value = f32::from_le_bytes(*raw);
            }
            match self {
                Self::Q8_0 => encode_q8(&values, out),
                _ => encode_q4(&values, out),
            }
        }
    }

    /// Appends what this holds to `out` as samples of type `to`.
    pub fn decode(self, held: &[u8], to: SampleType, out: &mut Vec<u8>) {
        match self {
            Self::Plain(from) => return cast(from, to, held, out),
            Self::Sound(scaled) => return scaled.decode(held, to, out),
            Self::Q8_0 | Self::Q4_0 => {}
        }
        let mut samples = [0; 4 * BLOCK_SAMPLES];
        for block in held.chunks_exact(self.block().0) {
            let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
            let quants = &block[2..];
            for (at, sample) in samples.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let quant = match self {
                    Self::Q8_0 => f32::from(quants[at] as i8),
                    _ => {
                        let half = BLOCK_SAMPLES / 2;
                        let quant = quants[at % half] >> (4 * (at / half)) & 15;
                        f32::from(quant) - 8.0
                    }
                };
                *sample = (quant * scale).to_le_bytes();
            }
            cast(SampleType::F32, to, &samples, out);
        }
    }
}

/// The inverse of a scale; nothing is divided by a scale of 0.
fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// What the reference takes a quotient for that is no finite number, since the inverse of a scale below
/// 2.94e-39 is none.
fn finite(quotient: f32) -> f32 {
    if quotient.is_finite() { quotient } else { 0.0 }
}

fn encode_q8(values: &[f32; BLOCK_SAMPLES], out: &mut Vec<u8>) {
    let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let scale = largest / 127.0;
    let inverse = inverse(scale);
    out.extend(f16::from_f32(scale).to_le_bytes());
    out.extend(values.iter().map(|value| finite(value * inverse).round() as i8 as u8));
}

fn encode_q4(values: &[f32; BLOCK_SAMPLES], out: &mut Vec<u8>) {
    let further = |a: f32, b: f32| if b.abs() > a.abs() { b } else { a };
    // The first of those that are as far: of zeros it gives the scale its sign.
    let furthest = values[1..].iter().fold(values[0], |furthest, value| further(furthest, *value));
    let scale = furthest / -8.0;
    let inverse = inverse(scale);
    out.extend(f16::from_f32(scale).to_le_bytes());
    let quant = |value: f32| (finite(value * inverse + 8.5) as u8).min(15);
    let (low, high) = values.split_at(BLOCK_SAMPLES / 2);
    out.extend(low.iter().zip(high).map(|(low, high)| quant(*low) | quant(*high) << 4));
}

impl From<SampleType> for Encoding {
    fn from(sample: SampleType) -> Self {
        Self::Plain(sample)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Encoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "q8_0" => Ok(Self::Q8_0),
            "q4_0" => Ok(Self::Q4_0),
            _ => {
                let sound = || Depth::named(name).map(|depth| Self::Sound(Scaled::asked(depth)));
                let sample = name.parse().map(Self::Plain);
                sample.or_else(|error| {
                    let told = format!("{error}, q8_0, q4_0; and i1 to i32 for sounds");
                    sound().ok_or(Error::Misuse(told))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(encoding: Encoding, values: &[f32]) -> Vec<f32> {
        let samples: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (mut held, mut back) = (Vec::new(), Vec::new());
        encoding.encode(SampleType::F32, &samples, &mut held);
        assert_eq!(Some(held.len() as u64), encoding.bytes(values.len() as u64));
        encoding.decode(&held, SampleType::F32, &mut back);
        back.as_chunks::<4>().0.iter().map(|raw| f32::from_le_bytes(*raw)).collect()
    }

    #[test]
    fn blocks_hold_what_their_scale_reaches() {
        let values: Vec<f32> = (0..64).map(|at| (at as f32 - 31.0) / 8.0).collect();
        for (encoding, steps) in [(Encoding::Q8_0, 127.0), (Encoding::Q4_0, 8.0)] {
            for (block, back) in values.chunks(32).zip(through(encoding, &values).chunks(32)) {
                let largest = block.iter().fold(0f32, |largest, value| largest.max(value.abs()));
                for (value, back) in block.iter().zip(back) {
                    // One step at most, at the end of the range that has one value fewer.
                    assert!((value - back).abs() <= 1.001 * largest / steps, "{encoding} {value} {back}");
                }
            }
        }
        assert_eq!(through(Encoding::Q4_0, &[0.0; 32]), [0.0; 32]);
        assert_eq!(through(Encoding::Q8_0, &[0.0; 32]), [0.0; 32]);
    }

    fn held(encoding: Encoding, values: [f32; 32]) -> Vec<u8> {
        let mut held = Vec::new();
        encoding.encode(SampleType::F32, &values.map(f32::to_le_bytes).concat(), &mut held);
        held
    }

    #[test]
    fn blocks_are_computed_in_single_precision_as_the_reference_does() {
        // The quotient of the second and 8.5 are 14.99999943; in single precision, 15.
        let mut values = [0.0; 32];
        (values[0], values[1]) = (f32::from_bits(0xbe50_fd78), f32::from_bits(0x3e29_cdf0));
        assert_eq!(held(Encoding::Q4_0, values)[3], 0x8f);
    }

    #[test]
    fn zeros_and_scales_without_an_inverse_are_those_of_the_reference() {
        for (zero, sign) in [(0.0, 0x80), (-0.0, 0)] {
            assert_eq!(held(Encoding::Q4_0, [zero; 32]), [[0, sign].as_slice(), &[0x88; 16]].concat());
            assert_eq!(held(Encoding::Q8_0, [zero; 32]), [0; 34]);
        }
        assert_eq!(held(Encoding::Q4_0, [1e-42; 32]), [[0, 0x80].as_slice(), &[0; 16]].concat());
        assert_eq!(held(Encoding::Q8_0, [-1e-42; 32]), [0; 34]);
    }

    #[test]
    fn blocks_lie_along_the_last_axis() {
        assert!(Encoding::Q8_0.fits(&[3, 64]) && Encoding::Plain(SampleType::F32).fits(&[]));
        assert!(!Encoding::Q8_0.fits(&[64]) && !Encoding::Q4_0.fits(&[64, 33]) && !Encoding::Q4_0.fits(&[]));
    }

    #[test]
    fn names_are_read_back() {
        let sound = Encoding::Sound(Scaled::asked(Depth::Whole(24)));
        for encoding in [Encoding::Q8_0, Encoding::Q4_0, SampleType::Bf16.into(), sound] {
            assert_eq!(encoding.name().parse::<Encoding>().ok(), Some(encoding));
        }
        assert!("q5_1".parse::<Encoding>().is_err());
    }
}
