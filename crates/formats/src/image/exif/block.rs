//! Provides an Exif block as it lies in bytes, in either order of these: the entries of its first directory,
//! and the same block with more of them.

use super::super::tiff::directory::{Entry, width_of};
use super::density::TAGS;
use super::{CAMERA, INTEROPERABILITY, PLACE};
use crate::limits::ATTRIBUTES_MAX;

/// Bytes before the first directory at least.
const HEADER_BYTES: usize = 8;

/// Bytes of an entry in a directory.
const ENTRY_BYTES: usize = 12;

/// Bytes of a value that stands in its entry.
const INLINE_BYTES: usize = 4;

/// An Exif block, which is a TIFF structure.
pub(in super::super) struct Block<'a> {
    exif: &'a [u8],
    little: bool,
    /// Where the first directory begins.
    directory: usize,
    entries: usize,
}

impl<'a> Block<'a> {
    /// A block whose first directory is empty.
    pub const EMPTY: Self =
        Self { exif: b"MM\0*\0\0\0\x08\0\0\0\0\0\0", little: false, directory: 8, entries: 0 };

    /// `None` where its first directory does not lie within it.
    pub fn of(exif: &'a [u8]) -> Option<Self> {
        let little = match exif.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        let block = Self { exif, little, directory: 0, entries: 0 };
        block.at(block.number(4, 4)? as usize)
    }

    /// The same block by another directory; `None` where that does not lie within it.
    fn at(&self, directory: usize) -> Option<Self> {
        let block = Self { directory, entries: self.number(directory, 2)? as usize, ..*self };
        let end = directory.checked_add(2 + ENTRY_BYTES * block.entries + 4)?;
        (end <= block.exif.len()).then_some(block)
    }

    /// How many bytes that are not zero lie in none of its directories, and in no value of one; those of a
    /// second image count, and so does the place of a directory that would follow any but the first. `None`
    /// where a directory or a value does not lie within the block, where a directory has more entries than
    /// are read, and where values lie in each other, so that no byte is looked at over and over.
    pub fn loose_bytes(&self) -> Option<usize> {
        let mut held = vec![false; self.exif.len()];
        held[..HEADER_BYTES].fill(true);
        self.hold_former(&mut held);
        self.hold(&mut held)?;
        for child in [CAMERA, PLACE].into_iter().filter_map(|tag| self.pointer(tag)) {
            let child = self.at(child)?;
            child.hold_child(&mut held)?;
            if let Some(within) = child.pointer(INTEROPERABILITY) {
                self.at(within)?.hold_child(&mut held)?;
            }
        }
        Some(self.exif.iter().zip(held).filter(|(byte, held)| **byte != 0 && !held).count())
    }

    /// The place that a tag of this directory tells.
    fn pointer(&self, tag: u16) -> Option<usize> {
        Some(self.number(self.find(tag)? + 8, 4)? as usize)
    }

    /// Marks the directory that this one was when it told no density, where it is still there, as
    /// [`Block::with_entries`] leaves it.
    fn hold_former(&self, held: &mut [bool]) {
        let places = (0..self.entries).map(|number| self.entry(number));
        let former = places.filter(|at| !self.number(*at, 2).is_some_and(is_of_density));
        let entries: Vec<&[u8]> = former.map(|at| &self.exif[at..at + ENTRY_BYTES]).collect();
        let (count, next) = (self.bytes(entries.len() as u32, 2), self.entry(self.entries));
        let former = [&count, entries.concat().as_slice(), &self.exif[next..next + 4]].concat();
        if let Some(at) = memchr::memmem::find(self.exif, &former) {
            held[at..at + former.len()].fill(true);
        }
    }

    /// Marks the bytes of a directory that another one points to, and of its values: none follows it.
    fn hold_child(&self, held: &mut [bool]) -> Option<()> {
        self.hold(held)?;
        let next = self.entry(self.entries);
        held[next..next + 4].fill(false);
        Some(())
    }

    /// Marks the bytes of this directory and of its values.
    fn hold(&self, held: &mut [bool]) -> Option<()> {
        if self.entries > ATTRIBUTES_MAX {
            return None;
        }
        let mut free = held.len();
        held[self.directory..self.entry(self.entries) + 4].fill(true);
        for at in (0..self.entries).map(|number| self.entry(number)) {
            let kind = u16::try_from(self.number(at + 2, 2)?).ok()?;
            let bytes = (self.number(at + 4, 4)? as usize).checked_mul(width_of(kind))?;
            if bytes <= INLINE_BYTES {
                held[at + 8 + bytes..at + ENTRY_BYTES].fill(false);
            } else {
                free = free.checked_sub(bytes)?;
                let begin = self.number(at + 8, 4)? as usize;
                held.get_mut(begin..begin.checked_add(bytes)?)?.fill(true);
            }
        }
        Some(())
    }

    /// The whole number of so many bytes at a place.
    pub fn number(&self, at: usize, bytes: usize) -> Option<u32> {
        let bytes = self.exif.get(at..at.checked_add(bytes)?)?;
        let fold = |value: u32, byte: &u8| value << 8 | u32::from(*byte);
        Some(if self.little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) })
    }

    /// A whole number in so many bytes, as this block has them.
    pub fn bytes(&self, number: u32, count: usize) -> Vec<u8> {
        let all = number.to_be_bytes();
        let mut bytes = all[4 - count..].to_vec();
        if self.little {
            bytes.reverse();
        }
        bytes
    }

    /// Where the entry of a tag begins.
    pub fn find(&self, tag: u16) -> Option<usize> {
        let mut places = (0..self.entries).map(|number| self.entry(number));
        places.find(|at| self.number(*at, 2) == Some(u32::from(tag)))
    }

    /// The same with more entries, each before one of the same tag: the directory is written once more at the
    /// end, so that all else stays where it is. `None` beyond 4 GiB and 65,535 entries.
    pub fn with_entries(&self, more: &[Entry]) -> Option<Vec<u8>> {
        let mut out = self.exif.to_vec();
        // Values and directories begin at even bytes.
        out.resize(out.len().next_multiple_of(2), 0);
        let mut entries = Vec::new();
        for entry in more {
            entries.push((entry.tag, self.laid_out(entry, &mut out)?));
        }
        for at in (0..self.entries).map(|number| self.entry(number)) {
            entries.push((self.number(at, 2)? as u16, self.exif[at..at + ENTRY_BYTES].to_vec()));
        }
        // The sort is stable.
        entries.sort_by_key(|(tag, _)| *tag);
        let begin = u32::try_from(out.len()).ok()?;
        out.extend(self.bytes(u16::try_from(entries.len()).ok()?.into(), 2));
        entries.iter().for_each(|(_, entry)| out.extend(entry));
        out.extend(&self.exif[self.entry(self.entries)..][..4]);
        out[4..8].copy_from_slice(&self.bytes(begin, 4));
        Some(out)
    }

    /// An entry as this block has it; values that it has no room for are appended to `out`.
    fn laid_out(&self, entry: &Entry, out: &mut Vec<u8>) -> Option<Vec<u8>> {
        let (mut data, count) = (entry.ordered(!self.little), u32::try_from(entry.count()).ok()?);
        let mut laid = [(entry.tag.into(), 2), (entry.kind.into(), 2), (count, 4)]
            .map(|(number, bytes)| self.bytes(number, bytes))
            .concat();
        if data.len() <= INLINE_BYTES {
            data.resize(INLINE_BYTES, 0);
            laid.extend(data);
        } else {
            laid.extend(self.bytes(u32::try_from(out.len()).ok()?, 4));
            out.extend(data);
            out.resize(out.len().next_multiple_of(2), 0);
        }
        Some(laid)
    }

    /// Where an entry begins; that behind the last one is the place of the next directory.
    fn entry(&self, number: usize) -> usize {
        self.directory + 2 + ENTRY_BYTES * number
    }
}

/// Whether a tag is one of a density.
fn is_of_density(tag: u32) -> bool {
    TAGS.iter().any(|known| u32::from(*known) == tag)
}

#[cfg(test)]
mod tests {
    use super::super::super::tiff::directory::Directory;
    use super::*;

    /// A description of the image, which stands beside its entry, and a pointer to a directory that follows.
    fn blocks() -> [Vec<u8>; 2] {
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x0e\0\x02\0\0\0\x06\0\0\0\x1a\0\0\0\x20hello\0\0\0\0\0\0\0";
        let little = b"II*\0\x08\0\0\0\x01\0\x0e\x01\x02\0\x06\0\0\0\x1a\0\0\0\x20\0\0\0hello\0\0\0\0\0\0\0";
        [big.to_vec(), little.to_vec()]
    }

    #[test]
    fn entries_are_added_and_all_others_stay() {
        let fraction = [2834u32.to_le_bytes(), 100u32.to_le_bytes()].concat();
        let more = [Entry::new(296, 3, vec![3, 0]), Entry::new(282, 5, fraction.clone())];
        for exif in blocks() {
            let told = Block::of(&exif).unwrap().with_entries(&more).unwrap();
            assert_eq!(told[8..exif.len()], exif[8..], "what was there stays where it was");
            let found = Directory::read(&told).unwrap();
            let entries: Vec<_> =
                found.entries.iter().map(|entry| (entry.tag, entry.data.as_slice())).collect();
            assert_eq!(
                entries,
                [(270, b"hello\0".as_slice()), (282, fraction.as_slice()), (296, [3, 0].as_slice())]
            );
            assert_eq!(found.next, 32);
        }
        let told = Block::EMPTY.with_entries(&more).unwrap();
        assert_eq!(Directory::read(&told).unwrap().entries.len(), 2);
    }

    #[test]
    fn bytes_that_nothing_points_to_are_counted() {
        for exif in blocks() {
            assert_eq!(Block::of(&exif).unwrap().loose_bytes(), Some(0));
            let unit = Entry::new(296, 3, vec![3, 0]);
            let told = Block::of(&exif).unwrap().with_entries(&[unit]).unwrap();
            assert_eq!(Block::of(&told).unwrap().loose_bytes(), Some(0), "a former directory says nothing");
            let longer = [exif.as_slice(), b"\0secret"].concat();
            assert_eq!(Block::of(&longer).unwrap().loose_bytes(), Some(6));
            // A text that is longer than the block, and one that fits into its entry.
            let count = if exif.starts_with(b"II") { 14 } else { 17 };
            let with = |number| [&exif[..count], &[number], &exif[count + 1..]].concat();
            assert_eq!(Block::of(&with(200)).unwrap().loose_bytes(), None);
            let apart = Block::of(&with(2)).unwrap().loose_bytes();
            // Of a place that is none, one byte stands behind the two of the text where numbers are
            // big-endian.
            assert_eq!(apart, Some(if count == 14 { 5 } else { 6 }));
        }
    }

    #[test]
    fn what_is_damaged_is_no_block() {
        for exif in blocks() {
            assert!(Block::of(&exif).is_some());
            assert!((0..26).all(|end| Block::of(&exif[..end]).is_none()));
        }
        assert!(Block::of(b"GIF89a\0\0\0\0\0\0\0\0").is_none());
    }
}
