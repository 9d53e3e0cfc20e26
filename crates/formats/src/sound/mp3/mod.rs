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

use std::ops::Range;
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
use info::{Info, Seal};

const FORMAT: &str = "mp3";

fn bad(byte: u64, what: impl Into<String>) -> Error {
    Error::malformed(FORMAT, Place::at_byte(byte), what)
}

/// Bytes before the first frame at most: those that a tag does not count of itself, or the rest of a frame
/// that was cut. As many may stand behind the last one.
const STRAY_BYTES_MAX: u64 = 4_096;

/// Tags between frames that are named one by one; of more, their number is told.
const TAGS_NAMED_MAX: u64 = 3;

/// What is wrong where a frame should follow another and does not.
const GAP: &str = "no frame begins here, and no tag";

/// Whether two frames of one kind lie at this byte, or one of Layer III up to the end of the file: text in
/// UTF-16 can begin as one of Layer I does.
pub(crate) fn begins(file: &ObjectFile, at: u64) -> Result<bool> {
    let Ok(first) = head(file, at, file.len())? else { return Ok(false) };
    let at = at + first.bytes as u64;
    let ends = at == file.len() && first.kind.layer == Layer::Three;
    Ok(ends || matches!(head(file, at, file.len())?, Ok(second) if second.kind == first.kind))
}

/// The head at a byte, where one lies before `end`.
fn head(file: &ObjectFile, at: u64, end: u64) -> Result<Result<Head, NoHead>> {
    let mut bytes = [0; frame::HEAD_BYTES];
    let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
    let count = file.read_at(&mut bytes, at)?.min(left);
    Ok(Head::read(&bytes[..count]))
}

/// Opens an MP3; its samples are decoded into a temporary in `dir`.
pub(crate) fn open(file: Arc<ObjectFile>, dir: &Path) -> Result<Arrays> {
    let mut found = Found::default();
    let around = tags::read(&file, &mut found)?;
    let (at, end) = (around.frames.start, around.frames.end);
    let mut frames = Frames { file: &file, at, end, kind: None, cut: None, tags: (0, 0), passed: 0 };
    frames.skip_zeros(&mut found)?;
    frames.skip_strays(&mut found)?;
    let first = frames.at;
    let mut frame = Vec::new();
    let Some(head) = frames.next(&mut frame)? else { return Err(frames.none(first)) };
    let (info, told) = (Info::read(&head, &frame), frame.clone());
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
            if frames.skip_tag(may_be_cut, &mut found)? {
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
        if at > first {
            sum = frame.iter().fold(sum, info::from_low);
        }
        count += 1;
    }
    let last = frames.at;
    name_silent(silent, &mut found);
    frames.check_end(may_be_cut, &mut found)?;
    let bytes = last - first - frames.passed;
    let seal = Seal::about(bytes, &head, &told).or(info.seal);
    check_count(&info, seal, (count, bytes), last, &mut found)?;
    if let Some(seal) = seal {
        seal.check((first, bytes), sum, around.gain_changed, &mut found)?;
    }
    let kind = head.kind;
    let (begin, length) = info.sound(count * u64::from(kind.frames()), first)?;
    let shape = Shape {
        frames: length,
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
    /// How many tags lie between frames, and how many bytes of them are not named one by one.
    tags: (u64, u64),
    /// Bytes of all of them.
    passed: u64,
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
        if head.bytes > left {
            self.cut = Some(head.bytes);
            return Ok(None);
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

    /// Passes over a tag between frames, such as a station puts before each title, or behind the last one of
    /// a file that may have been cut there; whether there is one.
    fn skip_tag(&mut self, may_be_cut: bool, found: &mut Found) -> Result<bool> {
        let bytes = match self.tag(self.at)? {
            Some(bytes) if may_be_cut || self.head(self.at + bytes)?.is_ok() => Some(bytes),
            _ => None,
        };
        if let Some(bytes) = bytes {
            self.passed += bytes;
            self.tags.0 += 1;
            if self.tags.0 <= TAGS_NAMED_MAX {
                found
                    .ignored
                    .push(format!("an ID3 tag of {bytes} bytes between frames, at byte {}", self.at));
            } else {
                self.tags.1 += bytes;
            }
            self.at += bytes;
        }
        Ok(bytes.is_some())
    }

    /// Bytes of the tag at a byte, where one begins and ends before the end of the frames.
    fn tag(&self, at: u64) -> Result<Option<u64>> {
        let mut head = [0; id3::HEAD_BYTES];
        let count = self.file.read_at(&mut head, at)?;
        Ok(id3::bytes(&head[..count]).filter(|bytes| at + *bytes <= self.end))
    }

    /// Names the tags between frames that are not named one by one.
    fn name_more_tags(&self, found: &mut Found) {
        let (count, bytes) = self.tags;
        if count > TAGS_NAMED_MAX {
            let more = counted(count - TAGS_NAMED_MAX, "more ID3 tag");
            found.ignored.push(format!("{more} between frames, of {bytes} bytes in all"));
        }
    }

    /// Checks what follows the last frame, and zeros: nothing, or, where the file may have been cut out of a
    /// stream, a frame that is cut or a few bytes, among which no other frame begins.
    fn check_end(&mut self, may_be_cut: bool, found: &mut Found) -> Result<()> {
        let last = self.at;
        self.name_more_tags(found);
        self.skip_zeros(found)?;
        let (at, left) = (self.at, self.end - self.at);
        match self.cut {
            Some(bytes) if may_be_cut => {
                if self.frame_in(at + 1..self.end, |_| true)?.is_some() {
                    let what = format!("this frame tells of {bytes} bytes, among which another frame begins");
                    return Err(bad(at, what));
                }
                found
                    .ignored
                    .push(format!("a last frame that is cut, {left} of {bytes} bytes, at byte {at}"));
            }
            Some(bytes) => return Err(bad(at, format!("the last frame is cut: it has {bytes} bytes"))),
            None if left == 0 => {}
            None => {
                let few = may_be_cut && left <= STRAY_BYTES_MAX;
                if !few || self.frame_in(at..self.end, |_| true)?.is_some() {
                    return Err(bad(last, GAP));
                }
                found.ignored.push(format!("{left} bytes after the last frame, at byte {at}"));
            }
        }
        self.at = self.end;
        Ok(())
    }

    /// Passes over what stands before the first frame: the end of a tag that is longer than it says, or of a
    /// frame that was cut. No frame may lie in it, and none that tells of others. What begins like a frame of
    /// free format is one only where no other frame is found.
    fn skip_strays(&mut self, found: &mut Found) -> Result<()> {
        let from = self.at;
        let to = self.end.min(from + STRAY_BYTES_MAX);
        if self.is_frame(from)? {
            return Ok(());
        }
        for at in from..to {
            let Some(kind) = self.begins(at)? else { continue };
            self.kind = Some(kind);
            // One that is as long as it says, or, at the very beginning, of whatever length.
            if let Some(frame) = self.frame_in(from..at, |frame| frame.end <= at || frame.start == from)? {
                return Err(bad(frame.end, GAP));
            }
            let mut strays = vec![0; usize::try_from(at - from).unwrap_or(usize::MAX)];
            self.file.read_exact_at(&mut strays, from)?;
            if Info::is_named_in(&strays) {
                return Err(bad(from, "a frame that tells of all others is broken, or no frame follows it"));
            }
            if at > from {
                found.ignored.push(format!("{} before the first frame", counted(at - from, "byte")));
            }
            self.at = at;
            break;
        }
        Ok(())
    }

    /// What is wrong with a file whose first frame is not found from a byte on.
    fn none(&self, at: u64) -> Error {
        match self.end - at > STRAY_BYTES_MAX {
            true => bad(at, format!("no frame begins within {STRAY_BYTES_MAX} bytes from here")),
            false => bad(at, "there is no frame"),
        }
    }

    /// The head at a byte, where one lies before the end.
    fn head(&self, at: u64) -> Result<Result<Head, NoHead>> {
        head(self.file, at, self.end)
    }

    /// Whether what begins at a byte is a frame beyond doubt, be it one that is refused: one that another
    /// follows, of whatever kind.
    fn is_frame(&self, at: u64) -> Result<bool> {
        let Ok(head) = self.head(at)? else { return Ok(false) };
        Ok(self.head(at + head.bytes as u64)? != Err(NoHead::None))
    }

    /// The kind of the frame at a byte, where another of its kind, a tag or the end follows.
    fn begins(&self, at: u64) -> Result<Option<Kind>> {
        let Ok(first) = self.head(at)? else { return Ok(None) };
        let at = at + first.bytes as u64;
        let followed = match self.head(at)? {
            Ok(second) => second.kind == first.kind,
            Err(_) => at == self.end || self.tag(at)?.is_some(),
        };
        Ok(followed.then_some(first.kind))
    }

    /// The first frame that begins within a span: one of the sound's kind that is looked for, or of whatever
    /// kind, with another of its kind behind it.
    fn frame_in(
        &self,
        span: Range<u64>,
        looked_for: impl Fn(&Range<u64>) -> bool,
    ) -> Result<Option<Range<u64>>> {
        for at in span.clone() {
            let Ok(head) = head(self.file, at, span.end)? else { continue };
            let frame = at..at + head.bytes as u64;
            if self.kind == Some(head.kind) && looked_for(&frame) || self.begins(at)?.is_some() {
                return Ok(Some(frame));
            }
        }
        Ok(None)
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

/// Names the first frames that are silent.
fn name_silent(silent: u64, found: &mut Found) {
    if silent > 0 {
        let what = "bytes of the first frames, whose rest is before the file: they are silent, as in mpg123";
        found.ignored.push(format!("{what}, {silent} of them"));
    }
}

/// Compares how many frames the first one tells of with those that were found, so many of so many bytes, up
/// to the byte `last`.
fn check_count(
    info: &Info,
    seal: Option<Seal>,
    (count, bytes): (u64, u64),
    last: u64,
    found: &mut Found,
) -> Result<()> {
    let Some(told) = info.frames.filter(|told| *told != count) else { return Ok(()) };
    // Some encoders count the frame that tells it, but none of those that sum.
    if told != count + 1 || seal.is_some_and(|seal| seal.holds()) {
        return Err(bad(last, format!("the first frame tells of {told} frames, and there are {count}")));
    }
    if info.bytes != Some(bytes) {
        found.ignored.push(format!(
            "the number of frames in the first one, {told}, where there are {count}: it counts itself, or the \
             last one is missing"
        ));
    }
    Ok(())
}
