//! The suite that every format of byte strings must pass. The tests run it over the table of formats, so a
//! new one cannot skip it.

use super::encode::Encoder;
use super::reader::BytesReader;
use super::{Codec, Settings};
use crate::conformance::file_of;
use crate::error::{Error, Result};

/// Bytes of the content that is damaged: small enough to cut at every byte.
const SMALL_BYTES: usize = 700;

/// A pseudo-random byte string, half of it easy and half of it hard to compress.
pub fn sample(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words = ["isoform ", "same content, ", "another form\n", "0000000000"];
    let mut bytes = Vec::with_capacity(len + 16);
    while bytes.len() < len {
        match next() % 8 {
            0 => bytes.extend_from_slice(&next().to_le_bytes()),
            n => bytes.extend_from_slice(words[n as usize % 4].as_bytes()),
        }
    }
    bytes.truncate(len);
    bytes
}

/// Encodes content as a target is encoded, in parts that end at these offsets.
pub fn encode(settings: Settings, content: &[u8], cuts: &[usize]) -> Result<Vec<u8>> {
    let go_on = || Ok(());
    let mut encoder = Encoder::new(settings);
    let mut out = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([content.len()]) {
        let mut run = content[start..end].to_vec();
        out.extend(match Encoder::is_apart(settings) {
            true => Encoder::apart(settings, &mut run, &go_on)?,
            false => encoder.follow(&run, &go_on)?,
        });
        start = end;
    }
    out.extend(encoder.finish()?);
    Ok(out)
}

/// Decodes a whole object, asking for `piece` bytes at a time.
pub fn decode(codec: Codec, object: &[u8], piece: usize) -> Result<Vec<u8>> {
    let mut reader = BytesReader::new(codec, file_of(object)?);
    let (mut content, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        let count = reader.fill(&mut buffer)?;
        content.extend_from_slice(&buffer[..count]);
        if count < piece {
            let totals = reader.totals();
            expect(totals.bytes == content.len() as u64, "the reader counted other bytes than it gave")?;
            expect(reader.position() == object.len() as u64, "the reader did not come to the end")?;
            return Ok(content);
        }
    }
}

fn expect(holds: bool, what: impl Into<String>) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Bug(what.into())) }
}

/// What goes in comes out, at every level, however it is cut and however it is asked for; and the same
/// content gives the same bytes.
pub fn round_trip(codec: Codec) -> Result<()> {
    let levels = codec.levels().map_or(0..=0, |levels| levels.known);
    for level in levels.clone() {
        let settings = Settings { codec, level };
        for len in [0, 1, 70_000] {
            let content = sample(7, len);
            let object = encode(settings, &content, &[])?;
            expect(object == encode(settings, &content, &[])?, format!("level {level}: other bytes"))?;
            expect(decode(codec, &object, 1 << 16)? == content, format!("level {level}: content changed"))?;
        }
    }
    let settings = Settings::new(codec, None)?;
    let content = sample(8, 200_000);
    for cuts in [&[][..], &[1], &[65_280, 65_281], &[0, 100_000, 100_000]] {
        let object = encode(settings, &content, cuts)?;
        for piece in [1, 977, 1 << 20] {
            expect(decode(codec, &object, piece)? == content, format!("cut at {cuts:?}, asked {piece}"))?;
        }
    }
    Ok(())
}

/// Members that follow each other are one content, and bytes that follow them are an error with their place.
pub fn concatenation(codec: Codec) -> Result<()> {
    let settings = Settings::new(codec, None)?;
    let (first, second) = (sample(1, 5_000), sample(2, 6_000));
    let object = encode(settings, &first, &[])?;
    let both = [object.clone(), encode(settings, &second, &[])?].concat();
    // Brotli has no second stream; raw has no end at which anything could follow.
    if codec != Codec::Brotli {
        expect(decode(codec, &both, 4096)? == [first, second].concat(), "two members are not one content")?;
    }
    if codec == Codec::Raw {
        return Ok(());
    }
    for garbage in [&b"x"[..], b"garbage that is longer than any head", b"\x1f", b"BZ", &[0xff; 40]] {
        let found = decode(codec, &[&object, garbage].concat(), 4096);
        match found {
            Err(Error::Malformed { place, .. }) => {
                let at = place.byte.unwrap_or_default();
                let near = at >= object.len() as u64 && at <= (object.len() + garbage.len()) as u64;
                expect(near, format!("garbage at {} was placed at {at}", object.len()))?;
            }
            other => {
                return Err(Error::Bug(format!(
                    "garbage {garbage:?} was not seen: {:?}",
                    other.map(|c| c.len())
                )));
            }
        }
    }
    Ok(())
}

/// Cut at any byte, a file is an error that names its place, or (raw) shorter content; with any bit flipped
/// it is an error or, where the format checks nothing, content of another length or value. Returns how many
/// of the flipped files gave the content as if nothing had happened (bits that carry no content: names,
/// times).
pub fn damage(codec: Codec) -> Result<usize> {
    let settings = Settings::new(codec, None)?;
    let content = sample(3, SMALL_BYTES);
    let object = encode(settings, &content, &[SMALL_BYTES / 2])?;
    for cut in 0..object.len() {
        match decode(codec, &object[..cut], 256) {
            Ok(found) if codec == Codec::Raw => expect(found == content[..cut], "raw content changed")?,
            // Between two members nothing tells that a third was there.
            Ok(found) => {
                let between = content.starts_with(&found) && found.len() == SMALL_BYTES / 2;
                expect(between, format!("cut at {cut} went unseen"))?;
            }
            Err(Error::Malformed { place, .. }) => {
                let at = place.byte.unwrap_or(u64::MAX);
                expect(at <= cut as u64, format!("cut at {cut} was placed at {at}"))?;
            }
            Err(other) => return Err(Error::Bug(format!("cut at {cut}: {other}"))),
        }
    }
    let mut unseen = 0;
    for bit in 0..object.len() * 8 {
        let mut flipped = object.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match decode(codec, &flipped, 256) {
            Ok(found) if found == content => unseen += 1,
            Ok(_) => {
                let unchecked = matches!(codec, Codec::Raw | Codec::Brotli);
                expect(unchecked, format!("bit {bit}: other content passed the checks of the format"))?;
            }
            Err(Error::Malformed { .. } | Error::Limit { .. } | Error::Unsupported { .. }) => {}
            Err(other) => return Err(Error::Bug(format!("bit {bit}: {other}"))),
        }
    }
    Ok(unseen)
}

/// Content that expands a great deal is streamed: asking for a little of it takes a little.
pub fn bomb(codec: Codec) -> Result<()> {
    let settings = Settings::new(codec, None)?;
    let zeros = vec![0; 32 << 20];
    let object = encode(settings, &zeros, &[])?;
    let mut reader = BytesReader::new(codec, file_of(&object)?);
    let mut little = vec![1; 1 << 16];
    expect(reader.fill(&mut little)? == little.len(), "the bomb is shorter than it is")?;
    expect(little.iter().all(|byte| *byte == 0), "the content of a bomb changed")?;
    expect(reader.totals().bytes == little.len() as u64, "more was decoded than was asked for")
}
