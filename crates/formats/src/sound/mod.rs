//! Provides sounds: one array of frames and channels, in the formats of others.
//!
//! Whole samples count from the middle, in the narrowest type that has their bits; their declared range
//! ends at 2^(bits − 1), that of floating point at 1. So a sound is one content in all formats.

pub(crate) mod aiff;
mod comments;
mod decoded;
pub mod depth;
pub(crate) mod flac;
pub(crate) mod layout;
pub(crate) mod mp3;
pub(crate) mod ogg;
pub(crate) mod opus;
pub(crate) mod pcm;
mod riff;
pub(crate) mod tags;
#[cfg(test)]
mod tests;
pub(crate) mod vorbis;
pub(crate) mod wav;

use coherence::sample::SampleType;
use coherence::signal::{Array, Signature};

use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::signal::Encoding;
pub use opus::{BITRATES, Coded, OpusCoder, OpusStream, OpusTarget};
pub use tags::RATE;

/// The name of the only array.
pub const NAME: &str = "sound";

/// What a sound is besides its samples, its rate and its tags.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    /// Samples of each channel.
    pub frames: u64,
    /// Channels.
    pub channels: u64,
    /// Their names, separated by spaces.
    pub meaning: String,
    /// The type that holds a sample.
    pub sample: SampleType,
    /// Bits of whole samples.
    pub bits: Option<u8>,
}

impl Shape {
    /// The array of such a sound.
    pub fn array(&self) -> Array {
        Array {
            name: NAME.to_owned(),
            sample: self.sample,
            shape: vec![self.frames, self.channels],
            meaning: self.meaning.clone(),
            peak: Some(self.bits.map_or(1.0, |bits| f64::from(1u32 << (bits - 1)))),
        }
    }

    /// The shape and rate of a signal that a format is to hold so.
    pub fn of(format: &'static str, signature: &Signature, stored: &[Encoding]) -> Result<(Self, u32)> {
        let refused = |what: String, hint: &str| Err(Error::unsupported(Place::default(), what, hint));
        let ([array], [encoding]) = (signature.arrays.as_slice(), stored) else {
            let what = format!("{format} holds one sound, and there are {} arrays", signature.arrays.len());
            return refused(what, "choose one with --include");
        };
        let (Some(rate), [frames, channels], Some(peak)) =
            (tags::rate(&signature.attributes), array.shape.as_slice(), array.peak)
        else {
            let what =
                format!("{format} holds sounds, and array {:?} tells no rate and no channels", array.name);
            return refused(what, "convert it to another container of arrays");
        };
        let sample = encoding.sample();
        let peak = encoding.peak(peak);
        let bits = (peak as u64).trailing_zeros() as u8 + 1;
        if !sample.is_float() && sample != pcm::sample_of(bits) {
            let fit = pcm::sample_of(bits);
            let what = format!("array {:?} declares {bits} bits, and its samples are {sample}", array.name);
            return refused(what, &format!("sounds of {bits} bits are {fit}; make the array one first"));
        }
        let shape = Self {
            frames: *frames,
            channels: *channels,
            meaning: array.meaning.clone(),
            sample,
            bits: (!sample.is_float()).then_some(bits),
        };
        Ok((shape, rate))
    }
}

/// Samples that a second of a sound has, in all channels; `None` where the signal is no sound.
pub fn second_samples(signature: &Signature) -> Option<u64> {
    let ([array], Some(rate)) = (signature.arrays.as_slice(), tags::rate(&signature.attributes)) else {
        return None;
    };
    let [_, channels] = array.shape.as_slice() else { return None };
    u64::from(rate).checked_mul(*channels).filter(|samples| is_sound(array) && *samples > 0)
}

/// Whether an array is a sound: it has frames and channels, and names for these.
pub fn is_sound(array: &Array) -> bool {
    array.name == NAME && array.shape.len() == 2 && !array.meaning.is_empty()
}

/// The mask that a header must tell, where it must.
fn told_mask(format: &'static str, shape: &Shape) -> Result<Option<u32>> {
    if layout::is_usual(shape.channels, &shape.meaning) {
        return Ok(layout::mask(&shape.meaning));
    }
    let mask = layout::mask(&shape.meaning);
    mask.map(Some).ok_or_else(|| {
        let what = format!("{format} has no layout of the channels {}", shape.meaning);
        Error::unsupported(Place::default(), what, "choose another format")
    })
}

fn too_many(format: &'static str, channels: u64, most: u64) -> Error {
    let what = format!("{format} holds {most} channels at most, and there are {channels}");
    Error::unsupported(Place::default(), what, "choose another format, such as wav")
}

/// Bytes of a file of chunks from a place on.
fn bytes_at<const N: usize>(format: &'static str, file: &ObjectFile, at: u64) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    match file.read_at(&mut bytes, at)? {
        count if count == N => Ok(bytes),
        _ => Err(Error::malformed(format, Place::at_byte(at), "the file ends within a chunk")),
    }
}

/// The identifier of a chunk, each of whose characters stands for a byte.
fn chunk_id(text: &str) -> Option<[u8; 4]> {
    let bytes: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(letter).ok()).collect();
    bytes?.try_into().ok()
}
