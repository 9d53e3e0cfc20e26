//! Provides MP3: MPEG 1, 2 and 2.5 audio, Layer III. It is only read: frames, which must follow each other
//! without a gap, are decoded from first to last into samples of floating point.
//!
//! What the encoder put before and after the sound is taken away where the first frame tells of it, as mpg123
//! and ffmpeg do.

mod frame;
mod id3;
mod info;
mod tags;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use coherence::sample::SampleType;
use nanomp3::{DecodeError, Decoder, MAX_SAMPLES_PER_FRAME};

use super::decoded::Decoded;
use super::tags::{Found, unsupported};
use super::{Shape, layout};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::guard::guarded;
use crate::signal::Arrays;
use crate::words::counted;
use frame::{FRAME_BYTES_MAX, Head, Kind, NoHead};
pub(crate) use id3::bytes as id3_bytes;
use info::Info;

const FORMAT: &str = "mp3";

fn bad(byte: u64, what: impl Into<String>) -> Error {
    Error::malformed(FORMAT, Place::at_byte(byte), what)
}

/// Bytes between a tag and the first frame at most: those that a tag does not count of itself.
const STRAY_BYTES_MAX: u64 = 4_096;

/// Whether two frames of one kind lie at this byte, or one up to the end of the file.
pub(crate) fn begins(file: &ObjectFile, at: u64) -> Result<bool> {
    let head = |at: u64| {
        let mut bytes = [0; frame::HEAD_BYTES];
        file.read_at(&mut bytes, at).map(|_| Head::read(&bytes))
    };
    let Ok(first) = head(at)? else { return Ok(false) };
    let at = at + first.bytes as u64;
    Ok(at == file.len() || matches!(head(at)?, Ok(second) if second.kind == first.kind))
}

/// Opens an MP3; its samples are decoded into a temporary in `dir`.
pub(crate) fn open(file: Arc<ObjectFile>, dir: &Path) -> Result<Arrays> {
    let mut found = Found::default();
    let around = tags::read(&file, &mut found)?;
    let mut frames = Frames { file: &file, at: around.frames.start, end: around.frames.end, kind: None };
    frames.skip_zeros(&mut found)?;
    if around.frames.start > 0 {
        frames.skip_strays(&mut found)?;
    }
    let first = frames.at;
    let mut frame = Vec::new();
    let Some(head) = frames.next(&mut frame)? else { return Err(bad(first, "there is no frame")) };
    let info = Info::read(&head, &frame);
    let sound = if info.is_some() { frames.at } else { first };
    frames.at = sound;
    let info = info.unwrap_or_default();
    let mut decoded = Decoded::new(dir, &file)?;
    let mut decoder = Decoder::new();
    let mut samples = [0f32; MAX_SAMPLES_PER_FRAME];
    let (mut count, mut sum, mut bytes) = (0u64, 0, Vec::new());
    loop {
        let at = frames.at;
        let Some(head) = frames.next(&mut frame)? else { break };
        if !head.holds(&frame) {
            return Err(bad(at, "the checksum of this frame is wrong"));
        }
        let there = decode(&mut decoder, &head, &frame, at, &mut samples)?;
        bytes.clear();
        bytes.extend(there.iter().flat_map(|sample| sample.to_le_bytes()));
        decoded.push(&bytes, at)?;
        sum = frame.iter().fold(sum, info::from_low);
        count += 1;
    }
    frames.skip_zeros(&mut found)?;
    if frames.at < frames.end {
        return Err(frames.no_frame());
    }
    check(&info, count, (first, frames.at), sum, around.gain_changed, &mut found)?;
    let kind = head.kind;
    let (begin, end) = info.ends();
    let there = count * u64::from(kind.frames());
    let begin = begin.min(there);
    let shape = Shape {
        frames: (there - begin).saturating_sub(end),
        channels: kind.channels.into(),
        meaning: layout::meaning(kind.channels.into(), None),
        sample: SampleType::F32,
        bits: None,
    };
    decoded.finish(FORMAT, &file, begin, &shape, kind.rate, found)
}

/// Reads frames one after the other.
struct Frames<'a> {
    file: &'a ObjectFile,
    at: u64,
    end: u64,
    kind: Option<Kind>,
}

impl Frames<'_> {
    /// The next frame; `None` where none begins.
    fn next(&mut self, frame: &mut Vec<u8>) -> Result<Option<Head>> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        frame.resize(left.min(FRAME_BYTES_MAX), 0);
        self.file.read_exact_at(frame, self.at)?;
        let head = match Head::read(frame) {
            Ok(head) => head,
            Err(NoHead::None) => return Ok(None),
            Err(NoHead::OtherLayer(layer)) => {
                let what =
                    format!("MPEG audio of Layer {}, which is no MP3", if layer == 1 { "I" } else { "II" });
                let hint = "decode it to a WAV first, as ffmpeg and mpg123 do";
                return Err(unsupported(self.at, what, hint));
            }
            Err(NoHead::FreeFormat) => {
                let what = "a frame of free format, whose length stands nowhere";
                return Err(unsupported(self.at, what, "encode it with a bit rate that has a number"));
            }
        };
        if head.bytes > left {
            return Err(bad(self.at, format!("the last frame is cut: it has {} bytes", head.bytes)));
        }
        let kind = *self.kind.get_or_insert(head.kind);
        if kind != head.kind {
            let what = format!(
                "frames change from {} channels at {} Hz to {} at {}",
                kind.channels, kind.rate, head.kind.channels, head.kind.rate
            );
            return Err(unsupported(self.at, what, "take the sounds apart first"));
        }
        frame.truncate(head.bytes);
        self.at += head.bytes as u64;
        Ok(Some(head))
    }

    /// Passes over zeros, which some programs write around the frames.
    fn skip_zeros(&mut self, found: &mut Found) -> Result<()> {
        let from = self.at;
        let mut block = vec![0; 4096];
        while self.at < self.end {
            let count = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(block.len());
            self.file.read_exact_at(&mut block[..count], self.at)?;
            let zeros = block[..count].iter().position(|byte| *byte != 0);
            self.at += zeros.unwrap_or(count) as u64;
            if zeros.is_some() {
                break;
            }
        }
        if self.at > from {
            found.ignored.push(format!("{} zeros from byte {from} on", self.at - from));
        }
        Ok(())
    }

    /// Passes over what follows a tag that is longer than it says.
    fn skip_strays(&mut self, found: &mut Found) -> Result<()> {
        let from = self.at;
        let to = self.end.min(from + STRAY_BYTES_MAX);
        for at in from..to {
            if begins(self.file, at)? {
                if at > from {
                    found
                        .ignored
                        .push(format!("{} between a tag and the first frame", counted(at - from, "byte")));
                }
                self.at = at;
                return Ok(());
            }
        }
        Ok(())
    }

    fn no_frame(&self) -> Error {
        bad(self.at, "no frame begins here, and no tag")
    }
}

/// Decodes a frame; gives its samples, of channels that lie side by side.
fn decode<'a>(
    decoder: &mut Decoder,
    head: &Head,
    frame: &[u8],
    at: u64,
    samples: &'a mut [f32; MAX_SAMPLES_PER_FRAME],
) -> Result<&'a [f32]> {
    let found = guarded(FORMAT, || Ok(decoder.decode(frame, samples.as_mut_slice())));
    let (taken, found) = found.map_err(|error| error.at_byte(at))?;
    let expected = usize::from(head.kind.frames());
    match found {
        Ok(info) if taken == frame.len() && info.samples_produced == expected => {
            Ok(&samples[..expected * usize::from(head.kind.channels)])
        }
        Err(DecodeError::ReservoirUnavailable(_)) => {
            let what = "this frame needs bytes of frames before it that are not there: the file was cut out \
                        of a longer one, or something is missing";
            Err(bad(at, what))
        }
        _ => Err(bad(at, "this frame is broken")),
    }
}

/// Compares what the first frame tells with what was found: frames, and the bytes from `span.0` to `span.1`,
/// whose checksum without that frame is `sum`.
fn check(
    info: &Info,
    count: u64,
    span: (u64, u64),
    sum: u16,
    gain_changed: bool,
    found: &mut Found,
) -> Result<()> {
    // Some encoders count the frame that tells it, but none of those that sum.
    let with_it = if info.music.is_some() { count } else { count + 1 };
    if let Some(told) = info.frames.filter(|told| !(count..=with_it).contains(told)) {
        let what = format!("the first frame tells of {told} frames, and there are {count}");
        return Err(bad(span.1, what));
    }
    match info.music {
        Some((bytes, told)) if bytes == span.1 - span.0 && told != u64::from(sum) => match gain_changed {
            true => {
                found.ignored.push("the checksum of all frames, which a change of their gain broke".into())
            }
            false => {
                let what = format!("the checksum of all frames is {sum:04x}, and {told:04x} is told");
                return Err(bad(span.0, what));
            }
        },
        _ => {}
    }
    Ok(())
}
