//! Provides FLAC (RFC 9639): read at any place by an index of its frames, and written frame by frame.
//!
//! Frames are found by their headers, whose checksum and number must be right, and by the checksum that
//! each frame ends with; so every byte of the file is accounted for before a sample is decoded.

mod bits;
mod decode;
mod encode;
mod frame;
mod index;
mod metadata;
mod predict;
mod rice;
mod write;

use std::ops::Range;
use std::sync::Arc;

use coherence::sample::SampleType;

use super::pcm::{put, sample_of};
use super::tags::{self, Found};
use super::{Shape, layout};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::signal::{Arrays, Extent, Held};
use decode::{Decoded, NARROW_BITS, Word};
use frame::FrameHeader;
use index::Index;
use metadata::StreamInfo;

pub(super) use metadata::holds;
pub(crate) use write::{FlacWriter, WIDTHS};

const FORMAT: &str = "flac";

fn bad(byte: u64, what: impl Into<String>) -> Error {
    Error::malformed(FORMAT, Place::at_byte(byte), what)
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    info: StreamInfo,
    index: Index,
}

impl Stream {
    /// Samples in all channels.
    pub fn samples(&self) -> Option<u64> {
        self.index.frames().checked_mul(self.info.channels.into())
    }

    /// Reads samples, of channels that lie side by side, in place of what `out` holds.
    pub fn read(
        &self,
        file: &ObjectFile,
        samples: Range<u64>,
        sample: SampleType,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        out.clear();
        out.reserve(usize::try_from(samples.end - samples.start).unwrap_or(0) * sample.width());
        match self.info.bits {
            ..=NARROW_BITS => self.read_as::<i32>(file, samples, sample, out),
            _ => self.read_as::<i64>(file, samples, sample, out),
        }
    }

    fn read_as<W: Word>(
        &self,
        file: &ObjectFile,
        samples: Range<u64>,
        sample: SampleType,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let channels = u64::from(self.info.channels);
        let wanted = samples.start / channels..samples.end.div_ceil(channels);
        let (mut bytes, mut decoded) = (Vec::new(), Decoded::<W>::default());
        for (at, frames) in self.index.overlapping(wanted) {
            bytes.resize(usize::try_from(at.end - at.start).unwrap_or(usize::MAX), 0);
            file.read_exact_at(&mut bytes, at.start)?;
            let header = FrameHeader::read(&bytes).ok_or_else(|| Error::Changed(file.path().to_owned()))?;
            let found = decoded.decode(&header, self.info.bits, &bytes);
            found.map_err(|what| bad(at.start, what).in_file(file.path()))?;
            // The frame's first sample, and those of its samples that are asked for.
            let first = frames.start * channels;
            let from = samples.start.max(first) - first;
            let to = samples.end.min(frames.end * channels) - first;
            interleave(&decoded.channels, from as usize..to as usize, sample, out);
        }
        Ok(())
    }
}

/// Appends samples of channels, side by side.
fn interleave<W: Word>(channels: &[Vec<W>], samples: Range<usize>, sample: SampleType, out: &mut Vec<u8>) {
    let whole = samples.start.is_multiple_of(2) && samples.end.is_multiple_of(2);
    if let ([left, right], SampleType::I16, true) = (channels, sample, whole) {
        let start = out.len();
        out.resize(start + samples.len() * SampleType::I16.width(), 0);
        let frames = samples.start / 2..samples.end / 2;
        let pairs = left[frames.clone()].iter().zip(&right[frames]);
        for (pair, (left, right)) in out[start..].as_chunks_mut::<4>().0.iter_mut().zip(pairs) {
            *pair = (left.low() & 0xffff | right.low() << 16).to_le_bytes();
        }
        return;
    }
    for at in samples {
        put(channels[at % channels.len()][at / channels.len()].low() as i32, sample, out);
    }
}

/// Opens a FLAC.
pub(crate) fn open(file: Arc<ObjectFile>) -> Result<Arrays> {
    let mut found = Found::default();
    let (info, mask, begin) = metadata::read(&file, &mut found)?;
    let index = Index::new(&file, &info, begin)?;
    found.add(tags::RATE.into(), info.rate.to_string().into_bytes())?;
    let channels = u64::from(info.channels);
    let sample = sample_of(info.bits);
    let meaning = layout::meaning(channels, mask);
    let shape = Shape { frames: index.frames(), channels, meaning, sample, bits: Some(info.bits) };
    let held = Held::Flac(Arc::new(Stream { info, index }));
    let extent =
        Extent { file, offset: begin, encoding: sample.into(), big_endian: false, column_major: false, held };
    let ignored = std::mem::take(&mut found.ignored);
    Arrays::of_sound(FORMAT, shape.array(), extent, found.finish(), ignored)
}
