//! Provides the scan: one pass over a file that counts its records and notes where chunks begin.
//!
//! It knows only line ends, so that its count does not rest on the parser: a newline cannot stand raw inside
//! a JSON string. A record is a line that holds more than white space.

use crate::Result;
use crate::limits::{CHUNK_ROWS, LONG_RECORD_BYTES_MIN, RECORD_BYTES_MAX};
use crate::spool::ReadAt;

use super::{is_blank, too_long};

/// A place between records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Records before it.
    pub row: u64,
    /// Offset of the next record's line.
    pub byte: u64,
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Where each chunk of `limits::CHUNK_ROWS` records begins; of a text whose parts are known, each part.
    pub marks: Vec<Mark>,
    /// All records, and the length of the file.
    pub end: Mark,
    /// Bytes of the longest record; 0 where none has more than `limits::LONG_RECORD_BYTES_MIN`.
    pub longest: u64,
    /// Different keys that the records may have, those of nested objects too, where types are found by them.
    pub keys_max: usize,
}

impl Scan {
    /// The parts of the file between neighbouring marks `chunks` apart.
    pub fn parts(&self, chunks: usize) -> impl Iterator<Item = (Mark, Mark)> + '_ {
        let starts = self.marks.chunks(chunks.max(1));
        let ends = self.marks.iter().step_by(chunks.max(1)).skip(1).chain([&self.end]);
        starts.zip(ends).map(|(starts, end)| (starts[0], *end))
    }
}

/// Bytes read at once: large enough to spread the cost of a call, small enough for the second-level cache.
pub(super) const BLOCK_BYTES: usize = 256 << 10;

/// Counts the records of `source`.
/// Errors: `Limit` for a record longer than `limits::RECORD_BYTES_MAX`, and those of reading.
pub fn scan(source: &(impl ReadAt + ?Sized)) -> Result<Scan> {
    scan_within(source, RECORD_BYTES_MAX, usize::MAX)
}

/// The same with tighter bounds on the length of a record and the number of keys, where memory is short.
pub fn scan_within(
    source: &(impl ReadAt + ?Sized),
    record_bytes_max: usize,
    keys_max: usize,
) -> Result<Scan> {
    let max = record_bytes_max.min(RECORD_BYTES_MAX);
    let found = scanned(source, max).map_err(|error| source.placed(error))?;
    Ok(Scan { keys_max, ..found })
}

fn scanned(source: &(impl ReadAt + ?Sized), max: usize) -> Result<Scan> {
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut line = Line { max, row: 0, start: 0, filled: false, longest: 0 };
    let mut marks = Vec::new();
    let mut offset = 0;
    loop {
        let count = source.read_at(offset, &mut buffer)?;
        if count == 0 {
            break;
        }
        let bytes = &buffer[..count];
        for end in memchr::memchr_iter(b'\n', bytes) {
            let start = line.begins(offset);
            line.add(&bytes[start..end]);
            line.finish(offset + end as u64, &mut marks)?;
        }
        let start = line.begins(offset);
        line.add(&bytes[start..]);
        offset += count as u64;
        line.check(offset)?;
    }
    line.finish(offset, &mut marks)?;
    let longest = if line.longest > LONG_RECORD_BYTES_MIN { line.longest } else { 0 };
    Ok(Scan { marks, end: Mark { row: line.row, byte: offset }, longest, keys_max: usize::MAX })
}

/// The line that is being read.
struct Line {
    /// Bytes that it may have.
    max: usize,
    row: u64,
    start: u64,
    /// Whether it holds more than white space.
    filled: bool,
    /// Bytes of the longest one so far.
    longest: u64,
}

impl Line {
    /// The index in the block at `offset` from which this line's bytes have not been seen.
    fn begins(&self, offset: u64) -> usize {
        self.start.saturating_sub(offset) as usize
    }

    #[inline]
    fn add(&mut self, bytes: &[u8]) {
        self.filled = self.filled || !is_blank(bytes);
    }

    fn check(&self, end: u64) -> Result<()> {
        if end.saturating_sub(self.start) > self.max as u64 {
            return Err(too_long(self.row, self.start, self.max));
        }
        Ok(())
    }

    #[inline]
    fn finish(&mut self, end: u64, marks: &mut Vec<Mark>) -> Result<()> {
        self.check(end)?;
        self.longest = self.longest.max(end.saturating_sub(self.start));
        if self.filled {
            if self.row.is_multiple_of(CHUNK_ROWS) {
                marks.push(Mark { row: self.row, byte: self.start });
            }
            self.row += 1;
        }
        self.start = end + 1;
        self.filled = false;
        Ok(())
    }
}
