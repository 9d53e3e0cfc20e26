//! Provides an Exif block as it lies in bytes, in either order of these: the entries of its first directory,
//! and the same block with more of them.

use super::super::tiff::directory::Entry;

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
        let mut block = Self { exif, little, directory: 0, entries: 0 };
        block.directory = block.number(4, 4)? as usize;
        block.entries = block.number(block.directory, 2)? as usize;
        let end = block.directory.checked_add(2 + ENTRY_BYTES * block.entries + 4)?;
        (end <= exif.len()).then_some(block)
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
    fn what_is_damaged_is_no_block() {
        for exif in blocks() {
            assert!(Block::of(&exif).is_some());
            assert!((0..26).all(|end| Block::of(&exif[..end]).is_none()));
        }
        assert!(Block::of(b"GIF89a\0\0\0\0\0\0\0\0").is_none());
    }
}
