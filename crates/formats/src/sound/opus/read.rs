//! Provides the reading of Opus: packets are decoded from first to last, and what the stream counts is
//! compared with what came out.

use std::path::Path;
use std::sync::Arc;

use coherence::sample::SampleType;
use ropus::OpusMSDecoder;

use super::{FORMAT, Head, PACKET_FRAMES_MAX, RATE, TAGS};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::guard::guarded;
use crate::signal::Arrays;
use crate::sound::decoded::Decoded;
use crate::sound::ogg::{self, Counted, Early, Pages};
use crate::sound::tags::Found;
use crate::sound::{Shape, comments};
use crate::words::counted;

fn bad(byte: u64, what: impl Into<String>) -> Error {
    Error::malformed(FORMAT, Place::at_byte(byte), what)
}

/// Opens Opus in Ogg; its samples are decoded into a temporary in `dir`.
pub(crate) fn open(file: Arc<ObjectFile>, dir: &Path) -> Result<Arrays> {
    let mut pages = Pages::new(FORMAT, file.clone());
    let head = pages.headers(1)?.concat();
    ogg::check_codec(FORMAT, &head, "Opus")?;
    let head = Head::read(&head)?;
    let at = pages.at();
    let mut found = Found::default();
    read_tags(&pages.headers(1)?.concat(), at, &mut found)?;
    let mut decoder = decoder(&head)?;
    let mut decoded = Decoded::new(dir, &file)?;
    let mut counted = Counted::new(FORMAT, Early::Refused);
    let mut samples = vec![0; PACKET_FRAMES_MAX * usize::from(head.channels)];
    let mut bytes = Vec::new();
    while let Some(page) = pages.next_page()? {
        let mut frames = 0;
        for packet in &page.packets {
            let count = decode(&mut decoder, packet, page.at, &mut samples)?;
            frames += count as u64;
            bytes.clear();
            let there = &samples[..count * usize::from(head.channels)];
            bytes.extend(there.iter().flat_map(|sample| sample.to_le_bytes()));
            decoded.push(&bytes, page.at)?;
        }
        counted.take(&page, frames)?;
    }
    let skipped = u64::from(head.skipped);
    let there = counted.kept().end;
    let frames = there.checked_sub(skipped);
    let frames =
        frames.ok_or_else(|| bad(0, format!("{skipped} of the {there} frames are to be skipped")))?;
    let shape = Shape {
        frames,
        channels: head.channels.into(),
        meaning: head.meaning,
        sample: SampleType::I16,
        bits: Some(16),
    };
    decoded.finish(FORMAT, &file, skipped, &shape, RATE, found)
}

fn decoder(head: &Head) -> Result<OpusMSDecoder> {
    let (channels, streams, coupled) = (head.channels.into(), head.streams.into(), head.coupled.into());
    let made = OpusMSDecoder::new(RATE as i32, channels, streams, coupled, &head.mapping);
    let mut decoder = made.map_err(|code| Error::Bug(format!("a decoder of Opus was refused: {code}")))?;
    match decoder.set_gain(head.gain.into()) {
        ropus::OPUS_OK => Ok(decoder),
        code => Err(Error::Bug(format!("a gain of Opus was refused: {code}"))),
    }
}

/// Decodes a packet; gives the number of its frames.
fn decode(decoder: &mut OpusMSDecoder, packet: &[u8], at: u64, samples: &mut [i16]) -> Result<usize> {
    // To the decoder no bytes mean a packet that was lost, which it would make up.
    let len = i32::try_from(packet.len()).ok().filter(|len| *len > 0);
    let len = len.ok_or_else(|| bad(at, "a packet of this page has no bytes"))?;
    let frames = guarded(FORMAT, || {
        let decoded = decoder.decode(Some(packet), len, samples, PACKET_FRAMES_MAX as i32, false);
        decoded.map_err(|code| bad(at, format!("a packet of this page is broken (code {code} of libopus)")))
    });
    let frames = frames.map_err(|error| error.at_byte(at))?;
    usize::try_from(frames).map_err(|_| bad(at, "a packet of this page is broken"))
}

/// Reads the second packet (RFC 7845, section 5.2).
fn read_tags(packet: &[u8], at: u64, found: &mut Found) -> Result<()> {
    let block = packet.strip_prefix(TAGS);
    let block = block.ok_or_else(|| bad(at, "the second packet does not begin with OpusTags"))?;
    let rest = comments::read_in_ogg(FORMAT, block, at, found)?;
    // Padding, unless its first bit says that it is something.
    if rest.first().is_some_and(|byte| byte & 1 == 1) {
        found.ignored.push(format!("{} after the comments", counted(rest.len(), "byte")));
    }
    Ok(())
}
