//! Provides AIFF and AIFF-C: whole or floating-point samples in chunks whose numbers have their highest byte
//! first. They are only read (Apple, "Audio Interchange File Format", 1989; AIFF-C, draft of 1991).

use std::sync::Arc;

use coherence::sample::SampleType;

use super::pcm::Pcm;
use super::tags::{self, AIFF, Found};
use super::{Shape, bytes_at, layout};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::limits::ATTRIBUTES_MAX;
use crate::signal::{Arrays, Extent, Held};
use crate::words::counted;

const FORMAT: &str = "aiff";
/// Bytes of `COMM` in an AIFF; in an AIFF-C the coding follows them.
const COMMON_BYTES: u64 = 18;
/// Bytes before the samples in `SSND`.
const SOUND_HEAD_BYTES: u64 = 8;
/// What an exponent of zero is stored as, and the bits of a mantissa, in a number of 80 bits (IEEE 754,
/// double extended).
const EXPONENT_BIAS: u16 = 16_383;
const MANTISSA_BITS: u16 = 64;

/// Where a chunk lies.
struct Chunk {
    id: [u8; 4],
    from: u64,
    to: u64,
}

/// What `COMM` tells.
struct Common {
    channels: u64,
    frames: u64,
    rate: u32,
    coding: Coding,
}

/// How samples lie in the file.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Coding {
    Whole(Pcm),
    Float { sample: SampleType, big_endian: bool },
}

impl Coding {
    /// The coding that an AIFF-C names so, for samples of this many bits; `None` where it is not read here.
    fn named(name: [u8; 4], bits: u8) -> Option<Self> {
        let whole = |bits: u8, big_endian| {
            Self::Whole(Pcm { bytes: usize::from(bits.div_ceil(8)), bits, from_zero: false, big_endian })
        };
        match &name {
            b"NONE" | b"twos" => Some(whole(bits, true)),
            b"sowt" => Some(whole(bits, false)),
            b"in24" => Some(whole(24, true)),
            b"in32" => Some(whole(32, true)),
            b"raw " if bits == 8 => {
                Some(Self::Whole(Pcm { bytes: 1, bits, from_zero: true, big_endian: true }))
            }
            b"fl32" | b"FL32" => Some(Self::Float { sample: SampleType::F32, big_endian: true }),
            b"fl64" | b"FL64" => Some(Self::Float { sample: SampleType::F64, big_endian: true }),
            _ => None,
        }
    }

    /// Bytes of a sample.
    fn bytes(self) -> u64 {
        match self {
            Self::Whole(pcm) => pcm.bytes as u64,
            Self::Float { sample, .. } => sample.width() as u64,
        }
    }
}

fn bad(byte: u64, what: impl Into<String>) -> Error {
    Error::malformed(FORMAT, Place::at_byte(byte), what)
}

/// Opens an AIFF or AIFF-C.
pub(crate) fn open(file: Arc<ObjectFile>) -> Result<Arrays> {
    let head: [u8; 12] = bytes_at(FORMAT, &file, 0)?;
    let compressed = match (&head[..4], &head[8..]) {
        (b"FORM", b"AIFF") => false,
        (b"FORM", b"AIFC") => true,
        _ => return Err(bad(0, "it does not begin with FORM, a size, and AIFF or AIFC")),
    };
    let mut found = Found::default();
    let chunks = chunks(&file, &mut found)?;
    let common = only(&chunks, b"COMM")?.ok_or_else(|| bad(12, "there is no chunk \"COMM\""))?;
    let common = read_common(&file, common, compressed)?;
    let offset = samples(&file, only(&chunks, b"SSND")?, &common, &mut found)?;
    attributes(&file, &chunks, &mut found)?;
    found.add(tags::RATE.into(), common.rate.to_string().into_bytes())?;
    let (sample, bits, big_endian, held) = match common.coding {
        Coding::Whole(pcm) => (pcm.sample(), Some(pcm.bits), false, Held::Pcm(pcm)),
        Coding::Float { sample, big_endian } => (sample, None, big_endian, Held::Plain),
    };
    let (channels, frames) = (common.channels, common.frames);
    let shape = Shape { frames, channels, meaning: layout::meaning(channels, None), sample, bits };
    let extent = Extent { file, offset, encoding: sample.into(), big_endian, column_major: false, held };
    let ignored = std::mem::take(&mut found.ignored);
    Arrays::of_sound(FORMAT, shape.array(), extent, found.finish(), ignored)
}

/// All chunks, and what follows them.
fn chunks(file: &ObjectFile, found: &mut Found) -> Result<Vec<Chunk>> {
    let end = (u64::from(u32::from_be_bytes(bytes_at(FORMAT, file, 4)?)) + 8).min(file.len());
    let (mut chunks, mut at) = (Vec::new(), 12);
    while at < end {
        // A byte of padding after the last chunk, which some writers count and others do not.
        if end - at < 2 && !chunks.is_empty() {
            break;
        }
        let head: [u8; 8] = bytes_at(FORMAT, file, at)?;
        let (id, len) = ([head[0], head[1], head[2], head[3]], &head[4..]);
        let len = u32::from_be_bytes([len[0], len[1], len[2], len[3]]);
        let from = at + 8;
        let to = from.checked_add(len.into()).filter(|to| *to <= file.len()).ok_or_else(|| {
            let (name, left) = (tags::text(&id), file.len() - from);
            bad(at, format!("chunk {name:?} tells of more bytes than the {left} that follow"))
        })?;
        chunks.push(Chunk { id, from, to });
        at = to + (to - from) % 2;
        if chunks.len() > ATTRIBUTES_MAX {
            return Err(bad(at, "there are more chunks than any program writes"));
        }
    }
    if file.len() > at {
        found.ignored.push(format!("{} after the last chunk", counted(file.len() - at, "byte")));
    }
    Ok(chunks)
}

/// The chunk of this name, of which there is one at most.
fn only<'a>(chunks: &'a [Chunk], id: &[u8; 4]) -> Result<Option<&'a Chunk>> {
    let mut named = chunks.iter().filter(|chunk| chunk.id == *id);
    match (named.next(), named.next()) {
        (_, Some(second)) => Err(bad(second.from, format!("a second chunk {:?}", tags::text(id)))),
        (first, None) => Ok(first),
    }
}

fn read_common(file: &ObjectFile, chunk: &Chunk, compressed: bool) -> Result<Common> {
    let at = chunk.from;
    let needed = COMMON_BYTES + if compressed { 4 } else { 0 };
    if chunk.to - at < needed {
        return Err(bad(at, "the chunk \"COMM\" is too short"));
    }
    let head: [u8; COMMON_BYTES as usize] = bytes_at(FORMAT, file, at)?;
    let channels = u16::from_be_bytes([head[0], head[1]]);
    let frames = u32::from_be_bytes([head[2], head[3], head[4], head[5]]);
    let bits = u16::from_be_bytes([head[6], head[7]]);
    let mut rate = [0; 10];
    rate.copy_from_slice(&head[8..]);
    if channels == 0 {
        return Err(bad(at, "there are no channels"));
    }
    let bits = u8::try_from(bits).ok().filter(|bits| (1..=64).contains(bits));
    let bits = bits.ok_or_else(|| bad(at + 6, "samples have no number of bits that a sample can have"))?;
    let name = if compressed { bytes_at(FORMAT, file, at + COMMON_BYTES)? } else { *b"NONE" };
    let coding = Coding::named(name, bits).ok_or_else(|| {
        let what = format!("samples in the coding {:?}, which is not read here", tags::text(&name));
        tags::unsupported(at + COMMON_BYTES, what, "decode it to PCM first")
    })?;
    if matches!(coding, Coding::Whole(pcm) if pcm.bits > 32) {
        return Err(tags::unsupported(at + 6, format!("whole samples of {bits} bits"), "take 32 at most"));
    }
    Ok(Common { channels: channels.into(), frames: frames.into(), rate: read_rate(rate, at + 8)?, coding })
}

/// The whole number that 80 bits hold.
fn read_rate(bytes: [u8; 10], at: u64) -> Result<u32> {
    let [high, low, mantissa @ ..] = bytes;
    let mantissa = u64::from_be_bytes(mantissa);
    let whole_bits = u16::from_be_bytes([high, low]).checked_sub(EXPONENT_BIAS).map(|exponent| exponent + 1);
    // Bits of the mantissa above the point; a negative number has an exponent far beyond all others.
    let Some(whole_bits) = whole_bits.filter(|bits| (1..=32).contains(bits) && mantissa >> 63 == 1) else {
        return Err(bad(at, "the rate is none that a sound can have"));
    };
    let below = MANTISSA_BITS - whole_bits;
    if mantissa.trailing_zeros() < u32::from(below) {
        let rate = mantissa as f64 / f64::from(below).exp2();
        let what = format!("a rate of {rate:.3} samples a second, which is no whole number");
        return Err(tags::unsupported(at, what, "resample it first"));
    }
    Ok((mantissa >> below) as u32)
}

/// The byte of the first sample.
fn samples(file: &ObjectFile, chunk: Option<&Chunk>, common: &Common, found: &mut Found) -> Result<u64> {
    let bytes = common.frames * common.channels * common.coding.bytes();
    let Some(chunk) = chunk else {
        return match common.frames {
            0 => Ok(file.len()),
            frames => Err(bad(12, format!("there is no chunk \"SSND\" for the {frames} frames"))),
        };
    };
    if chunk.to - chunk.from < SOUND_HEAD_BYTES {
        return Err(bad(chunk.from, "the chunk \"SSND\" is too short"));
    }
    let skipped = u32::from_be_bytes(bytes_at(FORMAT, file, chunk.from)?);
    let from = chunk.from + SOUND_HEAD_BYTES + u64::from(skipped);
    match chunk.to.checked_sub(from).and_then(|held| held.checked_sub(bytes)) {
        Some(0) => {}
        Some(more) => found.ignored.push(format!("{} after the last frame", counted(more, "byte"))),
        None => {
            let (frames, left) = (common.frames, chunk.to.saturating_sub(from));
            let what = format!("{frames} frames have {bytes} bytes, and there are {left}");
            return Err(bad(chunk.from, what));
        }
    }
    Ok(from)
}

/// Chunks that are content.
fn attributes(file: &ObjectFile, chunks: &[Chunk], found: &mut Found) -> Result<()> {
    for chunk in chunks {
        let tag = match &chunk.id {
            b"COMM" | b"SSND" => continue,
            // The version of AIFF-C, and room for later.
            b"FVER" | b"FLLR" | b"JUNK" | b"PAD " => continue,
            b"PEAK" => {
                found.ignored.push(tags::PEAK.into());
                continue;
            }
            b"NAME" => Some("TITLE"),
            b"AUTH" => Some("ARTIST"),
            b"(c) " => Some("COPYRIGHT"),
            b"ANNO" => Some("COMMENT"),
            _ => None,
        };
        let value = tags::chunk(file, chunk.from..chunk.to)?;
        match tag {
            Some(name) => found.tag(name, &tags::text_before_zero(&value))?,
            None => {
                let id: String = chunk.id.iter().map(|byte| char::from(*byte)).collect();
                found.add(format!("{AIFF}{id}"), value)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_whole_numbers_of_eighty_bits() {
        let rate = |bytes: [u8; 10]| read_rate(bytes, 0);
        assert_eq!(rate([0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0]).unwrap(), 44_100);
        assert_eq!(rate([0x3f, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]).unwrap(), 1);
        assert_eq!(rate([0x40, 0x1e, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]).unwrap(), u32::MAX);
        // That of the first Macintosh, 22,254.545…
        let odd = rate([0x40, 0x0d, 0xad, 0xdd, 0x17, 0x46, 0, 0, 0, 0]).unwrap_err();
        assert!(odd.to_string().contains("22254.545"), "{odd}");
        for none in [
            [0; 10],
            [0x40, 0x1f, 0x80, 0, 0, 0, 0, 0, 0, 0],
            [0xc0, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0],
            [0x7f, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0],
            [0x40, 0x0e, 0x2c, 0x44, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(matches!(rate(none), Err(Error::Malformed { .. })), "{none:?}");
        }
    }
}
