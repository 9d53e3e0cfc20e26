//! Provides MP3: MPEG 1, 2 and 2.5 audio, Layer III, and its elder Layers I and II. It is only read: frames,
//! which must follow each other without a gap, are decoded from first to last into samples of floating point.
//!
//! What the encoder put before and after the sound is taken away where the first frame tells of it, as mpg123
//! and ffmpeg do. A file whose first frame tells nothing may have been cut out of a stream: what such a cut
//! leaves at its ends is passed over or silent, as mpg123 has it, and named.

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
use frame::{FRAME_BYTES_MAX, Head, Kind, Layer, NoHead};
pub(crate) use id3::bytes as id3_bytes;
use info::Info;

const FORMAT: &str = "mp3";

fn bad(byte: u64, what: impl Into<String>) -> Error {
    Error::malformed(FORMAT, Place::at_byte(byte), what)
}

/// Bytes before the first frame at most: those that a tag does not count of itself, or the rest of a frame
/// that was cut. As many may stand behind the last one.
const STRAY_BYTES_MAX: u64 = 4_096;

/// Whether two frames of one kind lie at this byte, or one of Layer III up to the end of the file: text in
/// UTF-16 can begin as one of Layer I does.
pub(crate) fn begins(file: &ObjectFile, at: u64) -> Result<bool> {
    let head = |at: u64| {
        let mut bytes = [0; frame::HEAD_BYTES];
        file.read_at(&mut bytes, at).map(|_| Head::read(&bytes))
    };
    let Ok(first) = head(at)? else { return Ok(false) };
    let at = at + first.bytes as u64;
    let ends = at == file.len() && first.kind.layer == Layer::Three;
    Ok(ends || matches!(head(at)?, Ok(second) if second.kind == first.kind))
}

/// Opens an MP3; its samples are decoded into a temporary in `dir`.
pub(crate) fn open(file: Arc<ObjectFile>, dir: &Path) -> Result<Arrays> {
    let mut found = Found::default();
    let around = tags::read(&file, &mut found)?;
    let (at, end) = (around.frames.start, around.frames.end);
    let mut frames = Frames { file: &file, at, end, kind: None, cut: None };
    frames.skip_zeros(&mut found)?;
    if at > 0 || !frames.has_head()? {
        frames.skip_strays(&mut found)?;
    }
    let first = frames.at;
    let mut frame = Vec::new();
    let Some(head) = frames.next(&mut frame)? else { return Err(bad(first, "there is no frame")) };
    let info = Info::read(&head, &frame);
    let sound = if info.is_some() { frames.at } else { first };
    frames.at = sound;
    // A cut takes away the frame that tells.
    let may_be_cut = info.is_none();
    let info = info.unwrap_or_default();
    let mut decoded = Decoded::new(dir, &file)?;
    let mut decoder = Decoder::new();
    let mut samples = [0f32; MAX_SAMPLES_PER_FRAME];
    let (mut count, mut silent, mut sum, mut bytes) = (0u64, 0, 0, Vec::new());
    loop {
        let at = frames.at;
        let Some(head) = frames.next(&mut frame)? else {
            if may_be_cut && frames.skip_tag(&mut found)? {
                continue;
            }
            break;
        };
        if !head.holds(&frame) {
            return Err(bad(at, "the checksum of this frame is wrong"));
        }
        let there = match decode(&mut decoder, &head, &frame, at, &mut samples)? {
            Some(there) => there,
            None if may_be_cut && silent == count => {
                silent += 1;
                let silence = &mut samples[..head.kind.samples()];
                silence.fill(0.0);
                silence
            }
            None => return Err(bad(at, UNTOLD)),
        };
        bytes.clear();
        bytes.extend(there.iter().flat_map(|sample| sample.to_le_bytes()));
        decoded.push(&bytes, at)?;
        sum = frame.iter().fold(sum, info::from_low);
        count += 1;
    }
    if silent > 0 {
        let what = "bytes of the first frames, whose rest is before the file: they are silent, as in mpg123";
        found.ignored.push(format!("{what}, {silent} of them"));
    }
    frames.skip_zeros(&mut found)?;
    frames.check_end(may_be_cut, &mut found)?;
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
    /// Bytes that a last frame should have, which are more than there are.
    cut: Option<usize>,
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
            Err(NoHead::FreeFormat) => {
                let what = "a frame of free format, whose length stands nowhere";
                return Err(unsupported(self.at, what, "encode it with a bit rate that has a number"));
            }
        };
        if head.bytes > left {
            self.cut = Some(head.bytes);
            return Ok(None);
        }
        let kind = *self.kind.get_or_insert(head.kind);
        if kind != head.kind {
            let what = format!(
                "frames change from {} channels at {} Hz in Layer {} to {} at {} in Layer {}",
                kind.channels,
                kind.rate,
                kind.layer.name(),
                head.kind.channels,
                head.kind.rate,
                head.kind.layer.name()
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

    /// Whether a head begins here, of whatever layer.
    fn has_head(&self) -> Result<bool> {
        let mut bytes = [0; frame::HEAD_BYTES];
        let count = self.file.read_at(&mut bytes, self.at)?;
        Ok(!matches!(Head::read(&bytes[..count]), Err(NoHead::None)))
    }

    /// Passes over a tag between frames, such as a station puts before each title; whether there is one.
    fn skip_tag(&mut self, found: &mut Found) -> Result<bool> {
        let mut head = [0; id3::HEAD_BYTES];
        let count = self.file.read_at(&mut head, self.at)?;
        let bytes = id3::bytes(&head[..count]).filter(|bytes| *bytes <= self.end - self.at);
        if let Some(bytes) = bytes {
            found.ignored.push(format!("an ID3 tag of {bytes} bytes between frames, at byte {}", self.at));
            self.at += bytes;
        }
        Ok(bytes.is_some())
    }

    /// Checks what follows the last frame: nothing, or, where the file may have been cut out of a stream, a
    /// frame that is cut and a few bytes among which no frame begins.
    fn check_end(&mut self, may_be_cut: bool, found: &mut Found) -> Result<()> {
        let (at, left) = (self.at, self.end - self.at);
        match self.cut {
            Some(bytes) if may_be_cut => {
                found
                    .ignored
                    .push(format!("a last frame that is cut, {left} of {bytes} bytes, at byte {at}"));
            }
            Some(bytes) => return Err(bad(at, format!("the last frame is cut: it has {bytes} bytes"))),
            None if left == 0 => {}
            None => {
                let mut more = at..self.end;
                let known = !may_be_cut
                    || left > STRAY_BYTES_MAX
                    || more.try_fold(false, |any, at| Ok::<_, Error>(any || begins(self.file, at)?))?;
                if known {
                    return Err(bad(at, "no frame begins here, and no tag"));
                }
                found.ignored.push(format!("{left} bytes after the last frame, at byte {at}"));
            }
        }
        self.at = self.end;
        Ok(())
    }

    /// Passes over what stands before the first frame: the end of a tag that is longer than it says, or of a
    /// frame that was cut.
    fn skip_strays(&mut self, found: &mut Found) -> Result<()> {
        let from = self.at;
        let to = self.end.min(from + STRAY_BYTES_MAX);
        for at in from..to {
            if begins(self.file, at)? {
                if at > from {
                    found.ignored.push(format!("{} before the first frame", counted(at - from, "byte")));
                }
                self.at = at;
                return Ok(());
            }
        }
        Ok(())
    }
}

/// What is wrong with a frame that needs others which are not there.
const UNTOLD: &str = "this frame needs bytes of frames before it that are not there: something is missing";

/// Decodes a frame; gives its samples, of channels that lie side by side. `None` where it needs bytes of
/// frames before it that are not there.
fn decode<'a>(
    decoder: &mut Decoder,
    head: &Head,
    frame: &[u8],
    at: u64,
    samples: &'a mut [f32; MAX_SAMPLES_PER_FRAME],
) -> Result<Option<&'a [f32]>> {
    let found = guarded(FORMAT, || Ok(decoder.decode(frame, samples.as_mut_slice())));
    let (taken, found) = found.map_err(|error| error.at_byte(at))?;
    let expected = usize::from(head.kind.frames());
    match found {
        Ok(info) if taken == frame.len() && info.samples_produced == expected => {
            Ok(Some(&samples[..head.kind.samples()]))
        }
        Err(DecodeError::ReservoirUnavailable(_)) => Ok(None),
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
