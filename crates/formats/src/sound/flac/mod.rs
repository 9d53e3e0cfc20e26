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
use decode::Decoded;
use frame::FrameHeader;
use index::Index;
use metadata::StreamInfo;

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
        let channels = u64::from(self.info.channels);
        let wanted = samples.start / channels..samples.end.div_ceil(channels);
        out.clear();
        out.reserve(usize::try_from(samples.end - samples.start).unwrap_or(0) * sample.width());
        let (mut bytes, mut decoded) = (Vec::new(), Decoded::default());
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
            interleave(&decoded, from as usize..to as usize, sample, out);
        }
        Ok(())
    }
}

fn interleave(decoded: &Decoded, samples: Range<usize>, sample: SampleType, out: &mut Vec<u8>) {
    let channels = decoded.channels.len();
    let whole = samples.start.is_multiple_of(channels) && samples.end.is_multiple_of(channels);
    if let ([left, right], SampleType::I16, true) = (decoded.channels.as_slice(), sample, whole) {
        let frames = samples.start / 2..samples.end / 2;
        for (left, right) in left[frames.clone()].iter().zip(&right[frames]) {
            let pair = (*left as u16 as u32) | (*right as u16 as u32) << 16;
            out.extend_from_slice(&pair.to_le_bytes());
        }
        return;
    }
    for at in samples {
        put(decoded.channels[at % channels][at / channels] as i32, sample, out);
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
