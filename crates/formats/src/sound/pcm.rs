//! Provides whole samples as other containers lay them out: in one to four bytes, at the upper end of them
//! where they have fewer bits, in either order of bytes.

use coherence::sample::SampleType;

use super::NAME;
use crate::error::{Error, Place};
use crate::signal::Part;

/// How whole samples lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pcm {
    /// Bytes of a sample, from 1 to 4.
    pub bytes: usize,
    /// Bits that it has, at the upper end of its bytes.
    pub bits: u8,
    /// Whether the least number is held as zero.
    pub from_zero: bool,
    /// Whether the first byte is the highest.
    pub big_endian: bool,
}

impl Pcm {
    /// Samples as they lie in a WAV: bytes count from zero, wider ones are signed.
    pub fn of_wav(bits: u8) -> Self {
        let bytes = usize::from(bits.div_ceil(8));
        Self { bytes, bits, from_zero: bytes == 1, big_endian: false }
    }

    /// Whether samples lie as this program holds them.
    pub fn is_plain(&self) -> bool {
        !self.from_zero && !self.big_endian && self.bytes != 3 && usize::from(self.bits) == 8 * self.bytes
    }

    /// The sample type that holds them.
    pub fn sample(&self) -> SampleType {
        sample_of(self.bits)
    }

    /// Appends samples of a type that holds them to `out`; the index of the first that has bits below those
    /// that it may have, where there is one.
    pub fn unpack(&self, held: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
        let (sample, unused) = (self.sample(), 32 - u32::from(self.bits));
        let mut stray = None;
        for (index, raw) in held.chunks_exact(self.bytes).enumerate() {
            let mut word = [0; 4];
            let word_bytes = &mut word[4 - self.bytes..];
            word_bytes.copy_from_slice(raw);
            if self.big_endian {
                word_bytes.reverse();
            }
            let value = u32::from_le_bytes(word) ^ if self.from_zero { 1 << 31 } else { 0 };
            if value.trailing_zeros() < unused && value != 0 {
                stray = stray.or(Some(index));
            }
            put(value as i32 >> unused, sample, out);
        }
        stray.map_or(Ok(()), Err)
    }

    /// Appends samples as they lie in a file.
    pub fn pack(&self, samples: &[u8], out: &mut Vec<u8>) {
        let unused = 32 - u32::from(self.bits);
        for value in values(samples, self.sample()) {
            let value = (value as u32) << unused ^ if self.from_zero { 1 << 31 } else { 0 };
            let mut word = value.to_le_bytes();
            let word = &mut word[4 - self.bytes..];
            if self.big_endian {
                word.reverse();
            }
            out.extend_from_slice(word);
        }
    }
}

/// Fails where a sample of a part has more bits than its sound declares, of which a format would lose some.
pub(crate) fn check_range(part: &Part, samples: &[u8], bits: u8) -> Result<(), Error> {
    let sample = sample_of(bits);
    if 8 * sample.width() == usize::from(bits) {
        return Ok(());
    }
    let limit = 1i64 << (bits - 1);
    let beyond = |value: i32| !(-limit..limit).contains(&i64::from(value));
    match values(samples, sample).position(beyond) {
        None => Ok(()),
        Some(at) => {
            let what = format!(
                "sample {} is beyond the {bits} bits that are declared",
                part.samples.start + at as u64
            );
            let hint = "declare more bits (the text sound.peak), or cut the values to the range first";
            Err(Error::unsupported(Place::default().column(NAME), what, hint))
        }
    }
}

/// The narrowest type that holds samples of this many bits.
pub(crate) fn sample_of(bits: u8) -> SampleType {
    match bits {
        ..=8 => SampleType::I8,
        9..=16 => SampleType::I16,
        _ => SampleType::I32,
    }
}

/// Appends a sample, whose value fits its type.
#[inline]
pub(crate) fn put(value: i32, sample: SampleType, out: &mut Vec<u8>) {
    match sample {
        SampleType::I8 => out.push(value as u8),
        SampleType::I16 => out.extend((value as i16).to_le_bytes()),
        _ => out.extend(value.to_le_bytes()),
    }
}

/// The values of samples of a type that [`sample_of`] gives.
pub(crate) fn values(samples: &[u8], sample: SampleType) -> impl Iterator<Item = i32> + '_ {
    samples.chunks_exact(sample.width()).map(|raw| match *raw {
        [only] => i32::from(only as i8),
        [low, high] => i32::from(i16::from_le_bytes([low, high])),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]),
        _ => 0,
    })
}

/// Appends the same values, quickly.
pub(crate) fn widen(samples: &[u8], sample: SampleType, out: &mut Vec<i32>) {
    match sample {
        SampleType::I8 => out.extend(samples.iter().map(|raw| i32::from(*raw as i8))),
        SampleType::I16 => {
            out.extend(samples.as_chunks().0.iter().map(|raw| i32::from(i16::from_le_bytes(*raw))));
        }
        _ => out.extend(samples.as_chunks().0.iter().map(|raw| i32::from_le_bytes(*raw))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_from_every_layout() {
        for bits in 1..=32u8 {
            for big_endian in [false, true] {
                for from_zero in [false, true] {
                    let bytes = usize::from(bits.div_ceil(8));
                    let pcm = Pcm { bytes, bits, from_zero, big_endian };
                    let least = i32::MIN >> (32 - bits);
                    let numbers = [least, -1.max(least), 0, !least, !least / 3];
                    let mut samples = Vec::new();
                    numbers.iter().for_each(|number| put(*number, pcm.sample(), &mut samples));
                    let (mut held, mut back) = (Vec::new(), Vec::new());
                    pcm.pack(&samples, &mut held);
                    assert_eq!(held.len(), bytes * numbers.len());
                    assert_eq!(pcm.unpack(&held, &mut back), Ok(()));
                    assert_eq!(back, samples, "{pcm:?}");
                    assert!(values(&back, pcm.sample()).eq(numbers));
                }
            }
        }
    }

    #[test]
    fn samples_beyond_the_declared_range_are_found() {
        let part = Part { array: 0, samples: 10..13 };
        let samples: Vec<u8> = [-2048i16, 2047, 2048].into_iter().flat_map(i16::to_le_bytes).collect();
        assert!(check_range(&part, &samples[..4], 12).is_ok());
        let told = check_range(&part, &samples, 12).unwrap_err().to_string();
        assert!(told.contains("sample 12") && told.contains("12 bits"), "{told}");
        assert!(check_range(&part, &samples, 16).is_ok());
    }

    #[test]
    fn layouts_are_those_of_the_format() {
        let mut out = Vec::new();
        Pcm::of_wav(8).unpack(&[0, 128, 255], &mut out).unwrap();
        assert_eq!(out, [0x80, 0, 0x7f]);
        out.clear();
        Pcm::of_wav(24).unpack(&[0xff, 0xff, 0x7f, 0, 0, 0x80], &mut out).unwrap();
        assert_eq!(out, [0xff, 0xff, 0x7f, 0, 0, 0, 0x80, 0xff]);
        // Bits below those that a sample has would be lost.
        assert_eq!(Pcm::of_wav(20).unpack(&[0x10, 0, 0, 0x08, 0, 0], &mut out), Err(1));
    }
}
