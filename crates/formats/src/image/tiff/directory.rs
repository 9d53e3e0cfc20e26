//! Provides the directory of a TIFF: its entries as they lie in the file, in either byte order, TIFF and
//! BigTIFF.

use crate::error::{Error, Place, Result};
use crate::limits::ATTRIBUTES_MAX;

pub(super) const TIFF: &str = "tiff";

/// Types of values, by number, and the bytes of one; 0 where there is no such type.
const WIDTHS: [usize; 19] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/// Bytes of a directory at least: counts, one entry, and where the next one is.
const PAGE_BYTES_MIN: usize = 18;

/// Bytes of a value of a type; at least 1, so that it can divide.
pub(in super::super) fn width_of(kind: u16) -> usize {
    WIDTHS.get(usize::from(kind)).copied().unwrap_or(0).max(1)
}

/// One entry.
#[derive(Debug, Clone)]
pub(in super::super) struct Entry {
    pub tag: u16,
    /// The number of the type of its values.
    pub kind: u16,
    /// Where the tag stands in the file.
    pub byte: usize,
    /// Its values side by side, little-endian whatever the file is.
    pub data: Vec<u8>,
}

impl Entry {
    /// An entry that is not from a file.
    pub fn new(tag: u16, kind: u16, data: Vec<u8>) -> Self {
        Self { tag, kind, byte: 0, data }
    }

    /// How many values it has.
    pub fn count(&self) -> usize {
        self.data.len() / width_of(self.kind)
    }

    /// Its values side by side, in this order of bytes.
    pub fn ordered(&self, big_endian: bool) -> Vec<u8> {
        let mut data = self.data.clone();
        if big_endian {
            data.chunks_exact_mut(Self::number_bytes(self.kind)).for_each(<[u8]>::reverse);
        }
        data
    }

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

/// A directory, as a rule the first of a file.
#[derive(Debug)]
pub(in super::super) struct Directory {
    /// Where it begins in the file.
    pub byte: usize,
    pub entries: Vec<Entry>,
    /// Tags whose values are of a type that is not known here.
    pub skipped: Vec<u16>,
    /// Where the next one begins; 0 where none follows.
    pub next: usize,
    /// Whether numbers in the file are big-endian.
    pub big_endian: bool,
}

impl Directory {
    /// Reads the first directory.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let (cursor, large) = Cursor::of(bytes)?;
        let first = if large { cursor.number(8, 8)? } else { cursor.number(4, 4)? };
        Self::at(bytes, first)
    }

    /// Reads the directory that begins at a byte of the file.
    pub fn at(bytes: &[u8], first: usize) -> Result<Self> {
        let (cursor, large) = Cursor::of(bytes)?;
        // Bytes of: an offset, the count of entries, an entry.
        let (offset, count, width) = if large { (8, 8, 20) } else { (4, 2, 12) };
        let entries = cursor.number(first, count)?;
        if entries > ATTRIBUTES_MAX {
            return Err(malformed(first, "its directory has too many entries"));
        }
        let big_endian = cursor.big_endian;
        let mut directory = Self { byte: first, big_endian, ..Self::of_entries(Vec::new()) };
        let mut taken = 0;
        for number in 0..entries {
            let place = first + count + number * width;
            let entry = cursor.entry(place, offset)?;
            if entry.is_none() {
                directory.skipped.push(cursor.number(place, 2)? as u16);
            }
            taken += entry.as_ref().map_or(0, |entry| entry.data.len());
            // Values that lie apart take less than the file; a few bytes may name the same ones over and
            // over.
            if taken > bytes.len() {
                return Err(malformed(first, "the values of its directory lie in each other"));
            }
            directory.entries.extend(entry);
        }
        directory.next = cursor.number(first + count + entries * width, offset)?;
        Ok(directory)
    }

    /// Counts this directory and those that follow it, as far as the file is whole: no more than it has room
    /// for, as they could follow each other in a circle.
    pub fn pages(&self, bytes: &[u8]) -> u64 {
        let (mut pages, mut next) = (1, self.next);
        while next != 0 && pages <= (bytes.len() / PAGE_BYTES_MIN) as u64 {
            pages += 1;
            next = Self::after(bytes, next).unwrap_or(0);
        }
        pages
    }

    /// Where the directory after the one at a byte of the file begins.
    fn after(bytes: &[u8], at: usize) -> Result<usize> {
        let (cursor, large) = Cursor::of(bytes)?;
        let (offset, count, width) = if large { (8, 8, 20) } else { (4, 2, 12) };
        let entries = cursor.number(at, count)?;
        let end = entries.checked_mul(width).and_then(|size| size.checked_add(at)?.checked_add(count));
        cursor.number(end.ok_or_else(|| malformed(at, "a directory is too large"))?, offset)
    }

    /// A directory that is not from a file.
    pub fn of_entries(entries: Vec<Entry>) -> Self {
        Self { byte: 0, entries, skipped: Vec::new(), next: 0, big_endian: false }
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

/// Appends a directory of entries (tag, type, values) to a little-endian structure, behind the values that do
/// not fit into it, and returns where it begins; `None` beyond 4 GiB.
pub(in super::super) fn append(out: &mut Vec<u8>, mut entries: Vec<(u16, u16, Vec<u8>)>) -> Option<u32> {
    let offset = |bytes: usize| u32::try_from(bytes).ok();
    entries.sort_by_key(|(tag, _, _)| *tag);
    let mut directory = Vec::new();
    directory.extend(u16::try_from(entries.len()).ok()?.to_le_bytes());
    for (tag, kind, data) in entries {
        let count = data.len() / width_of(kind);
        directory.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        directory.extend(offset(count)?.to_le_bytes());
        match data.len() {
            0..=4 => directory.extend([data.as_slice(), &[0; 4]].concat().iter().take(4)),
            _ => {
                directory.extend(offset(out.len())?.to_le_bytes());
                out.extend(data);
                out.resize(out.len().next_multiple_of(2), 0);
            }
        }
    }
    directory.extend([0; 4]);
    let begin = offset(out.len())?;
    out.extend(directory);
    offset(out.len())?;
    Some(begin)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Cursor<'a> {
    /// Of a file, and whether it is a BigTIFF.
    fn of(bytes: &'a [u8]) -> Result<(Self, bool)> {
        let (big_endian, large) = match bytes {
            [b'I', b'I', 42, 0, ..] => (false, false),
            [b'M', b'M', 0, 42, ..] => (true, false),
            [b'I', b'I', 43, 0, 8, 0, 0, 0, ..] => (false, true),
            [b'M', b'M', 0, 43, 0, 8, 0, 0, ..] => (true, true),
            _ => return Err(malformed(0, "it does not begin with the header of a TIFF")),
        };
        Ok((Self { bytes, big_endian }, large))
    }

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
