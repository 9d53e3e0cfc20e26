//! Provides Vorbis in Ogg (Vorbis I, appendix A). It is only read: packets are decoded from first to last
//! into samples of floating point.

mod setup;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use coherence::sample::SampleType;
use lewton::VorbisError;
use lewton::audio::{PreviousWindowRight, get_decoded_sample_count, read_audio_packet_generic};
use lewton::header::{IdentHeader, SetupHeader, read_header_ident, read_header_setup};

use super::decoded::Decoded;
use super::ogg::{self, Counted, Early, Pages};
use super::tags::Found;
use super::{Shape, comments, layout};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::guard::guarded;
use crate::signal::Arrays;

const FORMAT: &str = "vorbis";
/// What the second packet begins with.
const COMMENTS: &[u8] = b"\x03vorbis";

fn bad(byte: u64, what: impl Into<String>) -> Error {
    Error::malformed(FORMAT, Place::at_byte(byte), what)
}

/// A decoder, and what it keeps of the packet before.
///
/// A packet completes the sound from the middle of the block before to the middle of its own, and so pages
/// count (Vorbis I, section 1.3.2). The library gives what is complete, which is more where a long block
/// stands before a short one: there it is ahead, and of a first such block it gives nothing.
struct Decoder {
    head: IdentHeader,
    setup: SetupHeader,
    before: PreviousWindowRight,
    /// The first packet, until the second one is there.
    first: Option<Vec<u8>>,
    /// Samples of a channel in the block before.
    block: Option<u64>,
}

/// Samples that a packet gives, channel by channel, and the frames that pages count for it.
struct Sound {
    samples: Vec<Vec<f32>>,
    frames: u64,
}

/// Opens Vorbis in Ogg; its samples are decoded into a temporary in `dir`.
pub(crate) fn open(file: Arc<ObjectFile>, dir: &Path) -> Result<Arrays> {
    let mut pages = Pages::new(FORMAT, file.clone());
    let head = read_head(&pages.headers(1)?.concat())?;
    let at = pages.at();
    let headers = pages.headers(2)?;
    let mut found = Found::default();
    read_comments(&headers[0], at, &mut found)?;
    let mut decoder = Decoder::new(head, &headers[1], at)?;
    let channels = usize::from(decoder.head.audio_channels);
    let order = layout::vorbis_order(channels);
    let mut decoded = Decoded::new(dir, &file)?;
    let mut counted = Counted::new(FORMAT, Early::Cut);
    let mut bytes = Vec::new();
    while let Some(page) = pages.next_page()? {
        let mut frames = 0;
        for packet in &page.packets {
            let sound = decoder.decode(packet, page.at)?;
            bytes.clear();
            for frame in 0..sound.samples.first().map_or(0, Vec::len) {
                bytes.extend(order.iter().flat_map(|channel| sound.samples[*channel][frame].to_le_bytes()));
            }
            decoded.push(&bytes, page.at)?;
            frames += sound.frames;
        }
        counted.take(&page, frames)?;
    }
    let kept = counted.kept();
    let channels = channels as u64;
    let shape = Shape {
        frames: kept.end - kept.start,
        channels,
        meaning: layout::meaning(channels, None),
        sample: SampleType::F32,
        bits: None,
    };
    decoded.finish(FORMAT, &file, kept.start, &shape, decoder.head.audio_sample_rate, found)
}

/// Reads the first packet.
fn read_head(packet: &[u8]) -> Result<IdentHeader> {
    ogg::check_codec(FORMAT, packet, "Vorbis")?;
    let head = guarded(FORMAT, || read_header_ident(packet).map_err(|error| failed(0, error.into())));
    let head = head.map_err(|error| error.at_byte(0))?;
    // The decoder counts the samples of all channels of a block in 16 bits.
    if u32::from(head.audio_channels) << head.blocksize_1 > u16::MAX.into() {
        let what = format!("{} channels in blocks of {} samples", head.audio_channels, 1 << head.blocksize_1);
        return Err(Error::unsupported(Place::at_byte(0), what, "decode it to PCM first"));
    }
    Ok(head)
}

/// Reads the second packet: comments, and a bit that is set.
fn read_comments(packet: &[u8], at: u64, found: &mut Found) -> Result<()> {
    let block = packet.strip_prefix(COMMENTS);
    let block = block.ok_or_else(|| bad(at, "the second packet holds no comments"))?;
    let rest = comments::read_in_ogg(FORMAT, block, at, found)?;
    match rest.first() {
        Some(end) if end & 1 == 1 => Ok(()),
        _ => Err(bad(at, "the comments have no end")),
    }
}

fn failed(at: u64, error: VorbisError) -> Error {
    let what = match error {
        VorbisError::BadAudio(error) => error.to_string(),
        VorbisError::BadHeader(error) => error.to_string(),
    };
    bad(at, format!("a packet of this page is broken: {}", what.trim_end_matches('.')))
}

impl Decoder {
    /// A decoder that the third packet sets up; `at` is where it lies.
    fn new(head: IdentHeader, packet: &[u8], at: u64) -> Result<Self> {
        setup::check(packet, at)?;
        let blocks = (head.blocksize_0, head.blocksize_1);
        let setup = guarded(FORMAT, || {
            read_header_setup(packet, head.audio_channels, blocks).map_err(|error| failed(at, error.into()))
        });
        let setup = setup.map_err(|error| error.at_byte(at))?;
        Ok(Self { head, setup, before: PreviousWindowRight::new(), first: None, block: None })
    }

    /// What a packet gives.
    fn decode(&mut self, packet: &[u8], at: u64) -> Result<Sound> {
        let block = self.block_of(packet, at)?;
        let frames = self.block.map_or(0, |before| (before + block) / 4);
        let mut samples = Vec::new();
        if let (Some(first), Some(before)) = (self.first.take(), self.block.filter(|before| *before > block))
        {
            samples = self.beyond_middle(&first, (before - block) / 4, at)?;
        }
        if self.block.is_none() {
            self.first = Some(packet.to_vec());
        }
        self.block = Some(block);
        let more = self.complete(packet, at)?;
        match samples.is_empty() {
            true => samples = more,
            false => samples.iter_mut().zip(more).for_each(|(samples, more)| samples.extend(more)),
        }
        Ok(Sound { samples, frames })
    }

    /// Samples of a channel in the block of a packet. The library tells how many it would give, which depends
    /// on the blocks around as well, but is half a short block for a short one only.
    fn block_of(&self, packet: &[u8], at: u64) -> Result<u64> {
        let count = guarded(FORMAT, || {
            get_decoded_sample_count(&self.head, &self.setup, packet)
                .map_err(|error| failed(at, error.into()))
        });
        let short = 1usize << self.head.blocksize_0;
        let is_short = count.map_err(|error| error.at_byte(at))? == short / 2;
        Ok(if is_short { short as u64 } else { 1 << self.head.blocksize_1 })
    }

    /// The last `count` samples of what the first block completes by itself: it is decoded after itself,
    /// which changes only what lies before its middle.
    fn beyond_middle(&mut self, first: &[u8], count: u64, at: u64) -> Result<Vec<Vec<f32>>> {
        self.before = PreviousWindowRight::new();
        self.complete(first, at)?;
        let mut samples = self.complete(first, at)?;
        for samples in &mut samples {
            let from = samples.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
            samples.drain(..from);
        }
        Ok(samples)
    }

    /// The samples that a packet completes, channel by channel.
    fn complete(&mut self, packet: &[u8], at: u64) -> Result<Vec<Vec<f32>>> {
        let decoded = guarded(FORMAT, || {
            let samples: Result<Vec<Vec<f32>>, _> =
                read_audio_packet_generic(&self.head, &self.setup, packet, &mut self.before);
            samples.map_err(|error| failed(at, error.into()))
        });
        decoded.map_err(|error| error.at_byte(at))
    }
}
