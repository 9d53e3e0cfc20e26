//! Provides the directory of a TIFF: its entries as they lie in the file, in either byte order, TIFF and
//! BigTIFF.

use crate::error::{Error, Place, Result};
use crate::limits::ATTRIBUTES_MAX;

pub(super) const TIFF: &str = "tiff";

/// Types of values, by number, and the bytes of one; 0 where there is no such type.
const WIDTHS: [usize; 19] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/// Bytes of a value of a type; at least 1, so that it can divide.
pub(super) fn width_of(kind: u16) -> usize {
    WIDTHS.get(usize::from(kind)).copied().unwrap_or(0).max(1)
}

/// One entry.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub tag: u16,
    /// The number of the type of its values.
    pub kind: u16,
    /// Where the tag stands in the file.
    pub byte: usize,
    /// Its values side by side, little-endian whatever the file is.
    pub data: Vec<u8>,
}

impl Entry {
    /// Bytes of the numbers of which a value consists: a fraction has two.
    fn number_bytes(kind: u16) -> usize {
        match kind {
            5 | 10 => 4,
            kind => WIDTHS[usize::from(kind)],
        }
    }

    /// Its values as whole numbers, where they are unsigned.
    pub fn numbers(&self) -> Vec<u64> {
        if !matches!(self.kind, 1 | 3 | 4 | 13 | 16 | 18) {
            return Vec::new();
        }
        let wide = |value: &[u8]| value.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        self.data.chunks_exact(Self::number_bytes(self.kind)).map(wide).collect()
    }

    /// Its only value.
    pub fn number(&self) -> Option<u64> {
        self.numbers().first().copied()
    }
}

/// The first directory of a file.
#[derive(Debug)]
pub(super) struct Directory {
    pub entries: Vec<Entry>,
    /// Whether another one follows.
    pub has_next: bool,
    /// Whether numbers in the file are big-endian.
    pub big_endian: bool,
}

impl Directory {
    /// Reads the first directory.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let (big_endian, large) = match bytes {
            [b'I', b'I', 42, 0, ..] => (false, false),
            [b'M', b'M', 0, 42, ..] => (true, false),
            [b'I', b'I', 43, 0, 8, 0, 0, 0, ..] => (false, true),
            [b'M', b'M', 0, 43, 0, 8, 0, 0, ..] => (true, true),
            _ => return Err(malformed(0, "it does not begin with the header of a TIFF")),
        };
        let cursor = Cursor { bytes, big_endian };
        // Bytes of: an offset, the count of entries, an entry.
        let (offset, count, width) = if large { (8, 8, 20) } else { (4, 2, 12) };
        let first = cursor.number(if large { 8 } else { 4 }, offset)?;
        let entries = cursor.number(first, count)?;
        if entries > ATTRIBUTES_MAX {
            return Err(malformed(first, "its directory has too many entries"));
        }
        let mut directory = Self { entries: Vec::new(), has_next: false, big_endian };
        for number in 0..entries {
            directory.entries.extend(cursor.entry(first + count + number * width, offset)?);
        }
        directory.has_next = cursor.number(first + count + entries * width, offset)? != 0;
        Ok(directory)
    }

    /// The entry of a tag.
    pub fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    /// The only value of a tag.
    pub fn number(&self, tag: u16) -> Option<u64> {
        self.entry(tag)?.number()
    }
}

pub(super) fn malformed(byte: usize, what: &str) -> Error {
    Error::malformed(TIFF, Place::at_byte(byte as u64), what)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Cursor<'_> {
    fn slice(&self, at: usize, count: usize) -> Result<&[u8]> {
        let slice = at.checked_add(count).and_then(|end| self.bytes.get(at..end));
        slice.ok_or_else(|| malformed(at.min(self.bytes.len()), "its directory points outside of the file"))
    }

    fn number(&self, at: usize, width: usize) -> Result<usize> {
        let bytes = self.slice(at, width)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let number =
            if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) };
        usize::try_from(number).map_err(|_| malformed(at, "a number is too large"))
    }

    /// The entry at a place; nothing where its type is unknown, which readers are to pass over.
    fn entry(&self, at: usize, offset: usize) -> Result<Option<Entry>> {
        let (tag, kind) = (self.number(at, 2)? as u16, self.number(at + 2, 2)? as u16);
        let width = WIDTHS.get(usize::from(kind)).copied().unwrap_or(0);
        let count = self.number(at + 4, offset)?;
        if width == 0 {
            return Ok(None);
        }
        let size = width.checked_mul(count).ok_or_else(|| malformed(at, "an entry is too large"))?;
        let inline = at + 4 + offset;
        let place = if size <= offset { inline } else { self.number(inline, offset)? };
        let mut data = self.slice(place, size)?.to_vec();
        if self.big_endian {
            data.chunks_exact_mut(Entry::number_bytes(kind)).for_each(<[u8]>::reverse);
        }
        Ok(Some(Entry { tag, kind, byte: at, data }))
    }
}
