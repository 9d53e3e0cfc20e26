//! Provides the removal of gzip and zstd wrappings from a stream, with the place of what is broken.
//!
//! After the last gzip member only zero bytes may follow (tapes and block devices pad with them). Any other
//! byte there is refused: it may be a broken member, and dropping it would lose the tail of a file silently.

use std::io::{self, BufRead, Read};
use std::path::Path;

use super::{READ_BYTES, Tap, Wrapping};
use crate::{Error, Place, Result};

/// Largest zstd window, as a power of two: what the zstd tool itself accepts unasked.
const WINDOW_LOG_MAX: u32 = 27;

/// Takes text as `(bytes, last, bytes read of the original so far)`.
pub(super) type TextSink<'a> = &'a mut dyn FnMut(&[u8], bool, u64) -> Result<()>;

/// The wrapping that begins with these bytes.
pub(super) fn recognise(head: &[u8]) -> Wrapping {
    match head {
        [0x1f, 0x8b, 0x08, ..] => Wrapping::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Wrapping::Zstd,
        _ => Wrapping::Plain,
    }
}

/// The first bytes inside `wrapping`, `count` at most. What is broken ends them: whoever reads all of it
/// meets the fault, and tells it with its place.
pub(crate) fn front(source: impl Read, wrapping: Wrapping, count: usize) -> Vec<u8> {
    let source = io::BufReader::new(source);
    let mut inside: Box<dyn Read + '_> = match wrapping {
        Wrapping::Plain => Box::new(source),
        Wrapping::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        Wrapping::Zstd => {
            let Ok(mut frames) = zstd::stream::read::Decoder::with_buffer(source) else {
                return Vec::new();
            };
            if frames.window_log_max(WINDOW_LOG_MAX).is_err() {
                return Vec::new();
            }
            Box::new(frames)
        }
    };
    let (mut start, mut filled) = (vec![0; count], 0);
    while filled < count {
        match read(&mut *inside, &mut start[filled..]) {
            Ok(more @ 1..) => filled += more,
            _ => break,
        }
    }
    start.truncate(filled);
    start
}

/// Takes the text out of `wrapping` and hands it on.
pub(super) fn unwrap(
    path: &Path,
    wrapping: Wrapping,
    input: &mut Counted<'_, '_>,
    text: TextSink<'_>,
) -> Result<()> {
    let mut block = vec![0; READ_BYTES];
    match wrapping {
        Wrapping::Plain => loop {
            match read(input, &mut block).map_err(|error| Error::io(path, error))? {
                0 => break,
                count => text(&block[..count], false, input.position())?,
            }
        },
        Wrapping::Gzip => {
            while more_members(input, &mut block).map_err(|error| fault(error, "gzip", path, input))? {
                let mut member = flate2::bufread::GzDecoder::new(&mut *input);
                loop {
                    match read(&mut member, &mut block) {
                        Ok(0) => break,
                        Ok(count) => text(&block[..count], false, member.get_ref().position())?,
                        Err(error) => return Err(fault(error, "gzip", path, member.get_ref())),
                    }
                }
            }
        }
        Wrapping::Zstd => {
            let mut frames = zstd::stream::read::Decoder::with_buffer(&mut *input)
                .map_err(|error| Error::Bug(format!("zstd decoder cannot be made: {error}")))?;
            frames
                .window_log_max(WINDOW_LOG_MAX)
                .map_err(|error| Error::Bug(format!("zstd window cannot be bounded: {error}")))?;
            loop {
                match read(&mut frames, &mut block) {
                    Ok(0) => break,
                    Ok(count) => text(&block[..count], false, frames.get_ref().position())?,
                    Err(error) => return Err(fault(error, "zstd", path, frames.get_ref())),
                }
            }
        }
    }
    text(&[], true, input.position())
}

/// Whether another gzip member begins here; zero padding up to the end is passed over.
fn more_members(input: &mut Counted<'_, '_>, block: &mut [u8]) -> io::Result<bool> {
    let head = input.head(3)?;
    if head.first() != Some(&0) {
        if [0x1f, 0x8b, 0x08].starts_with(head) {
            return Ok(!head.is_empty());
        }
        let what = "what follows the last member is neither another one nor zeros";
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    loop {
        let before = input.position();
        let count = read(input, block)?;
        if count == 0 {
            return Ok(false);
        }
        if let Some(at) = block[..count].iter().position(|&byte| byte != 0) {
            let at = before + at as u64;
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("padding ends at byte {at}")));
        }
    }
}

fn read(input: &mut dyn Read, block: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Tells a fault of the system from a fault of the bytes.
fn fault(error: io::Error, format: &'static str, path: &Path, input: &Counted<'_, '_>) -> Error {
    if input.failed {
        return Error::io(path, error);
    }
    let place = Place::at_byte(input.position());
    let text = error.to_string();
    if text.contains("too much memory") {
        return Error::Limit {
            place: Box::new(place),
            what: "window of a zstd frame in bytes",
            max: 1 << WINDOW_LOG_MAX,
            hint: "unpack it with zstd --long=31 first".to_owned(),
        };
    }
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the file is cut short inside a member or frame".to_owned(),
        _ => text,
    };
    Error::malformed(format, place, what)
}

/// A buffered reader that counts what was consumed, shows each byte once to a tap, and remembers whether the
/// source itself failed.
pub(super) struct Counted<'r, 't> {
    source: Box<dyn Read + 'r>,
    tap: Option<Tap<'t>>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset of `buffer[0]` in the source.
    base: u64,
    failed: bool,
}

impl<'r, 't> Counted<'r, 't> {
    pub(super) fn new(source: Box<dyn Read + 'r>, tap: Option<Tap<'t>>, buffer_bytes: usize) -> Self {
        Counted { source, tap, buffer: vec![0; buffer_bytes], start: 0, end: 0, base: 0, failed: false }
    }

    /// Bytes consumed so far.
    pub(super) fn position(&self) -> u64 {
        self.base + self.start as u64
    }

    /// The next bytes without consuming them: `count` of them, fewer only at the end.
    pub(super) fn head(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count && self.fetch()? {}
        let shown = count.min(self.end - self.start);
        Ok(&self.buffer[self.start..self.start + shown])
    }

    /// Appends more bytes to the buffer; false at the end of the source.
    fn fetch(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.base += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        match read(&mut *self.source, &mut self.buffer[self.end..]) {
            Ok(count) => {
                if let Some(tap) = &mut self.tap
                    && count > 0
                {
                    tap(&self.buffer[self.end..self.end + count]);
                }
                self.end += count;
                Ok(count > 0)
            }
            Err(error) => {
                self.failed = true;
                Err(error)
            }
        }
    }
}

impl BufRead for Counted<'_, '_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.fetch()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}

impl Read for Counted<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(out.len());
        out[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}
