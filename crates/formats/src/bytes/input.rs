//! Provides the bytes of an object, or of a stretch of it, to decoders, with the offset of what was consumed.

use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::file::ObjectFile;

/// Bytes that are read at once: few calls, and small enough for the processor's cache.
const READ_BYTES: usize = 256 << 10;

/// A buffered reader over a stretch of an object.
#[derive(Debug)]
pub(super) struct Input {
    file: Arc<ObjectFile>,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    /// Offset in the object of the end of the buffer.
    next: u64,
    end: u64,
    failed: Option<Error>,
    ran_out: bool,
}

impl Input {
    pub(super) fn new(file: Arc<ObjectFile>, range: Range<u64>) -> Self {
        let (next, end) = (range.start, range.end.min(file.len()));
        Input {
            file,
            buffer: vec![0; READ_BYTES],
            start: 0,
            filled: 0,
            next,
            end,
            failed: None,
            ran_out: false,
        }
    }

    /// Offset in the object of the next byte that nobody has consumed.
    pub(super) fn position(&self) -> u64 {
        self.next - (self.filled - self.start) as u64
    }

    /// The next bytes without consuming them: `count` of them, fewer only at the end.
    pub(super) fn head(&mut self, count: usize) -> Result<&[u8]> {
        while self.filled - self.start < count && self.fetch()? {}
        let shown = count.min(self.filled - self.start);
        Ok(&self.buffer[self.start..self.start + shown])
    }

    /// Whether the stretch ends where the object does.
    pub(super) fn reaches_end(&self) -> bool {
        self.end == self.file.len()
    }

    /// Whether every byte was consumed.
    pub(super) fn is_at_end(&mut self) -> Result<bool> {
        Ok(self.head(1)?.is_empty())
    }

    /// Passes over bytes; false where there are fewer.
    pub(super) fn skip(&mut self, mut count: u64) -> Result<bool> {
        while count > 0 {
            let there = self.head(1)?.len().min(1) * (self.filled - self.start);
            if there == 0 {
                return Ok(false);
            }
            let step = there.min(usize::try_from(count).unwrap_or(usize::MAX));
            self.start += step;
            count -= step as u64;
        }
        Ok(true)
    }

    /// Whether bytes were read for that are not there.
    pub(super) fn ran_out(&self) -> bool {
        self.ran_out
    }

    /// Why the object could not be read, where that is why a decoder failed.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failed.take()
    }

    /// Appends more bytes to the buffer; false at the end of the stretch.
    fn fetch(&mut self) -> Result<bool> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        let room = left.min(self.buffer.len() - self.filled);
        if room == 0 {
            return Ok(false);
        }
        let count = self.file.read_at(&mut self.buffer[self.filled..self.filled + room], self.next)?;
        if count == 0 {
            return Err(Error::Changed(self.file.path().to_owned()));
        }
        self.filled += count;
        self.next += count as u64;
        Ok(true)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.filled
            && let Err(error) = self.fetch()
        {
            self.failed = Some(error);
            return Err(io::Error::other("the object could not be read"));
        }
        Ok(&self.buffer[self.start..self.filled])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.len().min(out.len());
        self.ran_out |= count == 0 && !out.is_empty();
        let available = &self.buffer[self.start..self.filled];
        out[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}
