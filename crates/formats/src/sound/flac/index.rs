//! Provides where the frames of a FLAC lie.

use std::ops::Range;

use super::bits::crc16;
use super::frame::{FrameHeader, HEADER_BYTES_MAX};
use super::metadata::StreamInfo;
use super::{FORMAT, bad};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;

/// Bytes of a frame at most: 65,535 samples of 8 channels with 33 bits, not packed, and room for headers.
const FRAME_BYTES_MAX: usize = 8 * 65_536 * 5;

/// Bytes that are looked at together.
const WINDOW_BYTES: usize = 1 << 20;

/// Frames of a stream at most, of which each takes 16 bytes: three weeks in frames of the usual length.
const FRAMES_MAX: usize = 1 << 24;

/// Where each frame begins: its byte, and its first sample of a channel. The last entry is where they end.
#[derive(Debug)]
pub(super) struct Index(Vec<(u64, u64)>);

/// A window over a file.
struct Window<'a> {
    file: &'a ObjectFile,
    from: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// The bytes from `at` on: as many as asked for, or all that are left.
    fn at(&mut self, at: u64, count: usize) -> Result<&[u8]> {
        let count = count.min(usize::try_from(self.file.len().saturating_sub(at)).unwrap_or(usize::MAX));
        let end = self.from + self.bytes.len() as u64;
        if at < self.from || at + count as u64 > end {
            let left = usize::try_from(self.file.len().saturating_sub(at)).unwrap_or(usize::MAX);
            self.bytes.resize(count.max(WINDOW_BYTES).min(left), 0);
            self.file.read_exact_at(&mut self.bytes, at)?;
            self.from = at;
        }
        let skipped = usize::try_from(at - self.from).unwrap_or(usize::MAX);
        Ok(&self.bytes[skipped..])
    }
}

impl Index {
    /// Finds all frames of a stream, which begin at a byte.
    pub fn new(file: &ObjectFile, info: &StreamInfo, begin: u64) -> Result<Self> {
        let mut window = Window { file, from: 0, bytes: Vec::new() };
        let (mut entries, mut at, mut first) = (Vec::new(), begin, 0u64);
        let mut variable = None;
        while at < file.len() {
            let header = FrameHeader::read(window.at(at, HEADER_BYTES_MAX)?);
            let header = header.ok_or_else(|| bad(at, "no frame begins here, and there are bytes"))?;
            check(&header, info, at)?;
            if *variable.get_or_insert(header.variable) != header.variable
                || header.number != number_of(header.variable, entries.len(), first)
            {
                return Err(bad(at, "a frame does not have the number of its place"));
            }
            entries.push((at, first));
            if entries.len() > FRAMES_MAX {
                let (what, max) = ("the number of frames", FRAMES_MAX as u64);
                let (place, hint) = (Box::new(Place::at_byte(at)), "cut the sound first".to_owned());
                return Err(Error::Limit { place, what, max, hint });
            }
            first += u64::from(header.frames);
            let is_last = info.frames > 0 && first >= info.frames;
            let following = number_of(header.variable, entries.len(), first);
            at = end_of(&mut window, at, header.len, |next| !is_last && next.number == following)?;
        }
        if info.frames > 0 && first != info.frames {
            let what = format!("{first} samples of a channel where its header tells of {}", info.frames);
            return Err(bad(at, what));
        }
        let middle = entries.len().saturating_sub(1);
        check_lengths(&entries[..middle], variable == Some(true))?;
        entries.push((at, first));
        Ok(Self(entries))
    }

    /// Samples of a channel.
    pub fn frames(&self) -> u64 {
        self.0.last().map_or(0, |last| last.1)
    }

    /// The frames that hold some of these samples of a channel: their bytes, and their samples.
    pub fn overlapping(&self, frames: Range<u64>) -> impl Iterator<Item = (Range<u64>, Range<u64>)> + '_ {
        let from = self.0.partition_point(|entry| entry.1 <= frames.start).saturating_sub(1);
        let pairs = self.0[from..].windows(2).map(|pair| (pair[0].0..pair[1].0, pair[0].1..pair[1].1));
        pairs.take_while(move |(_, held)| held.start < frames.end)
    }
}

/// A frame must be of the stream that it lies in.
fn check(header: &FrameHeader, info: &StreamInfo, at: u64) -> Result<()> {
    let same = header.channels.count() == info.channels
        && (header.bits == 0 || header.bits == info.bits)
        && (header.rate == 0 || header.rate == info.rate);
    if !same {
        let what = "the channels, bits or rate change within the stream";
        return Err(Error::unsupported(Place::at_byte(at), what, "cut the sound where they change"));
    }
    match header.frames <= u32::from(info.blocks.1) {
        true => Ok(()),
        false => Err(bad(at, "a frame is longer than the stream tells of")),
    }
}

/// All frames but the last have one length where they are numbered.
fn check_lengths(entries: &[(u64, u64)], variable: bool) -> Result<()> {
    let mut lengths = entries.windows(2).map(|pair| (pair[0].0, pair[1].1 - pair[0].1));
    let Some((_, usual)) = lengths.next().filter(|_| !variable) else { return Ok(()) };
    match lengths.find(|(_, length)| *length != usual) {
        None => Ok(()),
        Some((at, _)) => Err(Error::malformed(FORMAT, Place::at_byte(at), "a frame of another length")),
    }
}

fn number_of(variable: bool, index: usize, first: u64) -> u64 {
    if variable { first } else { index as u64 }
}

/// Where the frame that begins at `at` ends: before the next header that is wanted, or at the end of the
/// file, where its checksum is right.
fn end_of(
    window: &mut Window<'_>,
    at: u64,
    header_len: usize,
    wanted: impl Fn(&FrameHeader) -> bool,
) -> Result<u64> {
    // What was summed, and up to where.
    let (mut crc, mut summed) = (0, at);
    let mut from = at + header_len as u64;
    let file_bytes = window.file.len();
    loop {
        let bytes = window.at(from, WINDOW_BYTES / 4)?;
        let whole = from + bytes.len() as u64 == file_bytes;
        // A header that the window cuts is looked for in the next one.
        let searched = if whole { bytes.len() } else { bytes.len().saturating_sub(HEADER_BYTES_MAX) };
        let next = memchr::memchr_iter(0xff, &bytes[..searched])
            .find(|place| FrameHeader::read(&bytes[*place..]).is_some_and(|header| wanted(&header)));
        // Without a header the rest belongs to this frame, or at least what was searched.
        let stop = match next {
            Some(place) => from + place as u64,
            None if whole => file_bytes,
            None => from + searched as u64,
        };
        let (skipped, count) = (summed, stop - summed);
        let piece = window.at(skipped, usize::try_from(count).unwrap_or(usize::MAX))?;
        crc = crc16(crc, &piece[..usize::try_from(count).unwrap_or(usize::MAX)]);
        summed = stop;
        if crc == 0 && (next.is_some() || whole) && stop > at + header_len as u64 + 2 {
            return Ok(stop);
        }
        if next.is_none() && whole {
            return Err(bad(at, "a frame is cut, or its checksum is wrong"));
        }
        if stop - at > FRAME_BYTES_MAX as u64 {
            return Err(bad(at, "no frame ends where the one that begins here could"));
        }
        from = if next.is_some() { stop + 1 } else { stop };
    }
}
