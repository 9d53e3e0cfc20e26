//! Provides the writing of FLAC: each part becomes frames on its own, and the header is filled in at the
//! end.

use std::sync::Arc;

use coherence::signal::Signature;
use md5::{Digest, Md5};

use super::FORMAT;
use super::encode::{BLOCK_FRAMES, FrameEncoder};
use super::metadata::{self, INFO_BYTES, MAGIC, SEEK_TABLE, STREAM_INFO, StreamInfo};
use crate::error::{Error, Place, Result};
use crate::signal::{Encoding, Packing, Part, Writer, Written};
use crate::sound::pcm::{check_range, sample_of, widen};
use crate::sound::{Shape, told_mask, too_many};

/// Seconds between two points of the seek table.
const SEEK_SECONDS: u64 = 10;
/// Bytes of such a point.
const SEEK_BYTES: usize = 18;
/// Channels at most.
const CHANNELS_MAX: u64 = 8;
/// Widths of samples that a frame can tell by itself, so that it can be played from any place.
pub(crate) const WIDTHS: [u8; 6] = [8, 12, 16, 20, 24, 32];
/// Samples of a channel at most, and in a second at most.
const FRAMES_MAX: u64 = (1 << 36) - 1;
const RATE_MAX: u32 = (1 << 20) - 1;

/// Codes parts.
#[derive(Debug, Clone)]
struct Frames {
    channels: u8,
    bits: u8,
    rate: u32,
}

/// Writes a FLAC.
pub(crate) struct FlacWriter {
    frames: Frames,
    info: StreamInfo,
    blocks: Vec<(u8, Vec<u8>)>,
    /// The frames of the seek table, by their index.
    wanted: Vec<u64>,
    /// Points of the seek table: first sample, byte from the first frame on, samples.
    points: Vec<(u64, u64, u16)>,
    index: u64,
    byte: u64,
    sizes: (u32, u32),
    md5: Md5,
}

impl FlacWriter {
    /// A writer of the only array of a signal, which is a sound of whole samples.
    pub fn new(signature: &Signature, stored: &[Encoding]) -> Result<Self> {
        let (shape, rate) = Shape::of(FORMAT, signature, stored)?;
        let refused = |what: String, hint: &str| Err(Error::unsupported(Place::default(), what, hint));
        let Some(bits) = shape.bits else {
            let what = format!("flac holds whole samples, and these are {}", shape.sample);
            return refused(what, "convert to wav, which holds floating point");
        };
        if !WIDTHS.contains(&bits) {
            let what = format!("flac is not written with samples of {bits} bits");
            let wider = WIDTHS.into_iter().find(|wider| *wider > bits).unwrap_or(32);
            let hint = format!("add --sample-type i{wider} --within exact, which holds all of them");
            return refused(what, &hint);
        }
        if shape.channels > CHANNELS_MAX {
            return Err(too_many(FORMAT, shape.channels, CHANNELS_MAX));
        }
        if rate > RATE_MAX || shape.frames > FRAMES_MAX {
            return refused("flac has no place for such a rate or length".into(), "convert to wav");
        }
        let channels = shape.channels as u8;
        let mask = told_mask(FORMAT, &shape)?;
        let blocks = metadata::blocks(&signature.attributes, shape.channels, &shape.meaning, mask)?;
        let last = shape.frames.div_ceil(BLOCK_FRAMES as u64);
        let mut wanted: Vec<u64> = (0..)
            .map(|point| point * SEEK_SECONDS * u64::from(rate) / BLOCK_FRAMES as u64)
            .take_while(|index| *index < last)
            .collect();
        wanted.dedup();
        // A block has at most 16 MiB; what is longer is found from fewer points.
        while wanted.len() * SEEK_BYTES >= 1 << 24 {
            wanted = wanted.into_iter().step_by(2).collect();
        }
        let block = BLOCK_FRAMES as u16;
        let blocks_told = (block, block);
        let info =
            StreamInfo { blocks: blocks_told, rate, channels, bits, frames: shape.frames, md5: [0; 16] };
        Ok(Self {
            frames: Frames { channels, bits, rate },
            info,
            blocks,
            points: Vec::with_capacity(wanted.len()),
            wanted,
            index: 0,
            byte: 0,
            sizes: (u32::MAX, 0),
            md5: Md5::new(),
        })
    }

    /// Everything before the frames; its length does not depend on them.
    fn header(&self, info: &StreamInfo) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let sizes = if self.sizes.1 == 0 { (0, 0) } else { self.sizes };
        put(&mut out, STREAM_INFO, &info.bytes(sizes), false);
        let mut table = Vec::with_capacity(self.wanted.len() * SEEK_BYTES);
        for (sample, byte, count) in &self.points {
            table.extend(sample.to_be_bytes());
            table.extend(byte.to_be_bytes());
            table.extend(count.to_be_bytes());
        }
        table.resize(self.wanted.len() * SEEK_BYTES, 0xff);
        if !table.is_empty() {
            put(&mut out, SEEK_TABLE, &table, false);
        }
        for (at, (kind, block)) in self.blocks.iter().enumerate() {
            put(&mut out, *kind, block, at + 1 == self.blocks.len());
        }
        out
    }
}

fn put(out: &mut Vec<u8>, kind: u8, block: &[u8], last: bool) {
    out.push(kind | u8::from(last) << 7);
    out.extend(&(block.len() as u32).to_be_bytes()[1..]);
    out.extend(block);
}

impl Packing for Frames {
    fn pack(&self, part: &Part, held: &[u8]) -> Result<Written> {
        check_range(part, held, self.bits)?;
        let sample = sample_of(self.bits);
        let block = BLOCK_FRAMES * usize::from(self.channels);
        if !part.samples.start.is_multiple_of(block as u64) {
            return Err(Error::Bug("a part of a sound begins within a frame".into()));
        }
        let first = part.samples.start / block as u64;
        let mut encoder = FrameEncoder::new(self.channels, self.bits, self.rate);
        let mut samples = Vec::with_capacity(block);
        let mut written = Written { bytes: Vec::with_capacity(held.len() * 3 / 4), lengths: Vec::new() };
        for (number, held) in (first..).zip(held.chunks(block * sample.width())) {
            samples.clear();
            widen(held, sample, &mut samples);
            let start = written.bytes.len();
            encoder.encode(&samples, number, &mut written.bytes);
            written.lengths.push((written.bytes.len() - start) as u32);
        }
        Ok(written)
    }
}

impl Writer for FlacWriter {
    fn order(&self) -> &[usize] {
        &[0]
    }

    fn begin(&mut self, _array: usize) -> Result<Vec<u8>> {
        Ok(self.header(&self.info))
    }

    fn data(&mut self, held: &[u8], written: &Written) -> Result<()> {
        // The checksum is over whole bytes of a sample, of which the highest of three is left out here.
        match sample_of(self.info.bits).width() {
            4 if self.info.bits <= 24 => {
                let packed: Vec<u8> = held.chunks_exact(4).flat_map(|raw| [raw[0], raw[1], raw[2]]).collect();
                self.md5.update(&packed);
            }
            _ => self.md5.update(held),
        }
        for length in &written.lengths {
            let first = self.index * BLOCK_FRAMES as u64;
            if self.wanted.get(self.points.len()) == Some(&self.index) {
                let count = (self.info.frames - first).min(BLOCK_FRAMES as u64) as u16;
                self.points.push((first, self.byte, count));
            }
            self.index += 1;
            self.byte += u64::from(*length);
            self.sizes = (self.sizes.0.min(*length), self.sizes.1.max(*length));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        self.info.md5 = std::mem::take(&mut self.md5).finalize().into();
        Ok(Vec::new())
    }

    fn can_go_on(&self) -> bool {
        false
    }

    fn packing(&self) -> Option<Arc<dyn Packing>> {
        Some(Arc::new(self.frames.clone()))
    }

    fn patch(&self) -> Option<Vec<u8>> {
        debug_assert!(INFO_BYTES < self.header(&self.info).len());
        Some(self.header(&self.info))
    }
}
