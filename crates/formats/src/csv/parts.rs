//! Provides what a scan finds, and the cutting of a text into parts by it.

use std::ops::Range;

use super::Dialect;
use crate::words::counted;

/// Where a record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Number of records before it.
    pub record: u64,
    /// Offset of its first byte in the text.
    pub byte: u64,
}

/// A stretch of whole records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPart {
    /// Number of records before it.
    pub first_record: u64,
    /// Its records.
    pub records: u64,
    /// Its bytes in the text.
    pub bytes: Range<u64>,
}

/// What the scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Records in the text, header not counted.
    pub records: u64,
    /// Lines after the header that are no records: they are empty, or comments.
    pub passed_over: u64,
    /// The start of each record whose number, counted from 0, is a multiple of `limits::CHUNK_ROWS`; of a
    /// text whose parts are known, that of each part.
    pub marks: Vec<Mark>,
    /// Where the text ends.
    pub end: u64,
    /// Bytes of the longest record; 0 where none has more than `limits::LONG_RECORD_BYTES_MIN`.
    pub longest: u64,
}

impl Scan {
    /// What is to be said of lines that are no records.
    pub(crate) fn note(&self, dialect: &Dialect) -> Option<String> {
        let lines = self.passed_over;
        let were = if lines == 1 { "is" } else { "are" };
        let why = if dialect.comment.is_some() { "empty or a comment" } else { "empty" };
        (lines > 0).then(|| format!("{} {were} passed over: {why}", counted(lines, "line")))
    }

    /// The text cut into parts of `chunks` chunks each; the last may be shorter. None where there is no
    /// record.
    pub fn parts(&self, chunks: usize) -> Vec<TextPart> {
        let firsts = (0..self.marks.len()).step_by(chunks.max(1));
        firsts.map(|first| self.part(first, first.saturating_add(chunks.max(1)))).collect()
    }

    /// About `count` parts of one chunk for a first look: the first chunk, the last one, and others evenly
    /// between.
    pub fn sample(&self, count: usize) -> Vec<TextPart> {
        let chunks = self.marks.len();
        let count = count.clamp(1, chunks.max(1));
        let mut taken: Vec<usize> = match count {
            1 => vec![0],
            _ => (0..count).map(|i| i * (chunks - 1) / (count - 1)).collect(),
        };
        taken.dedup();
        taken.into_iter().filter(|&i| i < chunks).map(|i| self.part(i, i + 1)).collect()
    }

    /// The stretch from the last mark before `rows` to the first one after them.
    pub fn around(&self, rows: &Range<u64>) -> TextPart {
        let begun = self.marks.partition_point(|mark| mark.record <= rows.start);
        let first = if rows.start < self.records { begun.saturating_sub(1) } else { self.marks.len() };
        self.part(first, self.marks.partition_point(|mark| mark.record < rows.end))
    }

    fn part(&self, first: usize, next: usize) -> TextPart {
        let end = Mark { record: self.records, byte: self.end };
        let at = |mark: usize| self.marks.get(mark).copied().unwrap_or(end);
        let (first, next) = (at(first), at(next.max(first)));
        TextPart {
            first_record: first.record,
            records: next.record - first.record,
            bytes: first.byte..next.byte,
        }
    }
}
