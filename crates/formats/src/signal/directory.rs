//! Provides checks of the directory of a zip archive by its own bytes (PKWARE, "APPNOTE.TXT", section 4.3).
//!
//! What reads the members believes how many of them the end of the archive tells of, takes those of one name
//! for one, and never looks at the names that stand beside the members. Another reader may find another end,
//! or another directory by the same end: an archive that lets it is refused.

use std::io::{Read, Seek};

use zip::ZipArchive;
use zip::read::ZipFileEntry;

use super::npz::FORMAT;
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;

/// Bytes of the record at the end of an archive, before a comment of up to 64 KiB.
const END_BYTES: usize = 22;
/// Bytes of the record at the end of a large archive, those of them that it does not count of itself, and of
/// what tells where it lies, which follows it.
const LARGE_END_BYTES: usize = 56;
const LARGE_END_UNCOUNTED: u64 = 12;
const LOCATOR_BYTES: usize = 20;

/// How these records begin, and the signature of a directory, whose length follows.
const END_MARK: [u8; 4] = *b"PK\x05\x06";
const LARGE_END_MARK: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_MARK: [u8; 4] = *b"PK\x06\x07";
const SIGNATURE_MARK: [u8; 4] = *b"PK\x05\x05";
const SIGNATURE_BYTES: usize = 6;

/// The bit of the flags that says that a name is UTF-8.
const IS_UTF8: u16 = 1 << 11;

/// Where a record that names a member has what.
struct Layout {
    mark: [u8; 4],
    /// Bytes before the name.
    bytes: usize,
    flags_at: usize,
    /// Where the lengths are of the name and of all that follows it, which begins with the extra fields.
    lengths_at: usize,
    lengths: usize,
}

/// A record of the directory, and what stands before a member.
const LISTED: Layout = Layout { mark: *b"PK\x01\x02", bytes: 46, flags_at: 8, lengths_at: 28, lengths: 3 };
const HEADER: Layout = Layout { mark: *b"PK\x03\x04", bytes: 30, flags_at: 6, lengths_at: 26, lengths: 2 };

/// A record that names a member.
struct Named {
    name: Vec<u8>,
    /// The extra fields, and a comment.
    rest: Vec<u8>,
    is_utf8: bool,
    /// Where it ends.
    end: u64,
}

impl Named {
    /// Reads a record; `None` where none of this layout begins.
    fn read(layout: &Layout, file: &ObjectFile, at: u64) -> Result<Option<Self>> {
        let mut head = vec![0; layout.bytes];
        if file.read_at(&mut head, at)? < head.len() || !head.starts_with(&layout.mark) {
            return Ok(None);
        }
        let number = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let length = |index: usize| usize::from(number(layout.lengths_at + 2 * index));
        let begin = at + layout.bytes as u64;
        let mut name = vec![0; (0..layout.lengths).map(length).sum()];
        if file.read_at(&mut name, begin)? < name.len() {
            return Ok(None);
        }
        let end = begin + name.len() as u64;
        let rest = name.split_off(length(0));
        Ok(Some(Self { name, rest, is_utf8: number(layout.flags_at) & IS_UTF8 != 0, end }))
    }
}

/// Where an archive that is broken seems to have its record at the end, and where that ends with its comment;
/// the end of the file where there is none.
pub(super) fn end_of_broken(file: &ObjectFile) -> Result<(Place, Place)> {
    let len = file.len();
    let begin = len.saturating_sub((END_BYTES + usize::from(u16::MAX)) as u64);
    let mut tail = vec![0; usize::try_from(len - begin).unwrap_or(0)];
    file.read_exact_at(&mut tail, begin)?;
    let record = tail.windows(END_BYTES).rposition(|record| record.starts_with(&END_MARK));
    let (at, end) = match record {
        None => (len, len),
        Some(at) => {
            let comment = u16::from_le_bytes([tail[at + END_BYTES - 2], tail[at + END_BYTES - 1]]);
            let at = begin + at as u64;
            (at, at + END_BYTES as u64 + u64::from(comment))
        }
    };
    Ok((Place::at_byte(at), Place::at_byte(end.min(len))))
}

/// Checks that every reader finds the one directory: that the archive has one end, which is that of the file
/// and tells truly where the directory lies and how many members it lists, each under a name of its own.
pub(super) fn check(archive: &ZipArchive<impl Read + Seek>, file: &ObjectFile) -> Result<()> {
    let malformed = |at: u64, what: &str| Err(Error::malformed(FORMAT, Place::at_byte(at), what));
    let end = file.len().saturating_sub((END_BYTES + archive.comment().len()) as u64);
    if bytes_at(file, end)? != END_MARK {
        let what = "bytes follow the end of the archive";
        return Err(Error::malformed(FORMAT, end_of_broken(file)?.1, what));
    }
    if let Some(at) = memchr::memmem::find(archive.comment(), &END_MARK) {
        let what = "the comment of the archive holds what some readers take for its end";
        return malformed(end + (END_BYTES + at) as u64, what);
    }
    let (start, read) = (archive.central_directory_start(), archive.len());
    let (mut at, mut count) = (start, 0);
    // Where there are no members, the directory is said to begin at its end.
    if read == 0 && at > 0 {
        return malformed(at, "the end of the archive tells of no members, and stands behind something");
    }
    while let Some(record) = Named::read(&LISTED, file, at)? {
        (at, count) = (record.end, count + 1);
    }
    if count != read {
        return malformed(
            at,
            &match archive.has_duplicate_names() {
                true => format!("it lists {count} members, of which {read} have names of their own"),
                false => {
                    format!("the directory lists {count} members, and the end of the archive tells of {read}")
                }
            },
        );
    }
    let directory_end = behind_signature(file, at)?;
    let Some(told) = Told::read(file, directory_end, end)? else {
        return malformed(at, "the directory ends here, and the archive does not");
    };
    let begin = start.saturating_sub(archive.offset());
    let count = count as u64;
    let found = [0, 0, count, count, directory_end - start, begin];
    match told.tells(found, directory_end.saturating_sub(archive.offset())) {
        true => Ok(()),
        false => malformed(
            end,
            "the end of the archive tells of another directory than the one that lies before it",
        ),
    }
}

/// Where a directory ends whose records end at a byte: behind its signature, where it has one.
fn behind_signature(file: &ObjectFile, at: u64) -> Result<u64> {
    let signature: [u8; SIGNATURE_BYTES] = bytes_at(file, at)?;
    let length = u64::from(u16::from_le_bytes([signature[4], signature[5]]));
    Ok(if signature.starts_with(&SIGNATURE_MARK) { at + SIGNATURE_BYTES as u64 + length } else { at })
}

/// What the end of an archive tells of its directory: the numbers of its disk and of the one where the
/// directory begins, the members on this disk and on all, the bytes of the directory and where it begins.
struct Told {
    numbers: [u64; 6],
    /// The same by the record of a large archive, and where that says that it lies itself.
    large: Option<([u64; 6], u64)>,
}

impl Told {
    /// Reads the end of an archive whose directory ends at a byte, up to its last record at another; `None`
    /// where anything else lies between the two, or might be taken for a part of the end.
    fn read(file: &ObjectFile, directory_end: u64, end: u64) -> Result<Option<Self>> {
        let record: [u8; END_BYTES] = bytes_at(file, end)?;
        let short = |at: usize| u64::from(u16::from_le_bytes([record[at], record[at + 1]]));
        let long = |at: usize| short(at) | short(at + 2) << 16;
        let numbers = [short(4), short(6), short(8), short(10), long(12), long(16)];
        let locator_at = end.saturating_sub(LOCATOR_BYTES as u64);
        let locator: [u8; LOCATOR_BYTES] = bytes_at(file, locator_at)?;
        if !locator.starts_with(&LOCATOR_MARK) {
            return Ok((directory_end == end).then_some(Self { numbers, large: None }));
        }
        let large: [u8; LARGE_END_BYTES] = bytes_at(file, directory_end)?;
        let number = |bytes: &[u8], at: usize, count: usize| {
            bytes[at..at + count].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let is_whole = large.starts_with(&LARGE_END_MARK)
            && number(&large, 4, 8) == LARGE_END_BYTES as u64 - LARGE_END_UNCOUNTED
            && directory_end + LARGE_END_BYTES as u64 == locator_at;
        let places = [(16, 4), (20, 4), (24, 8), (32, 8), (40, 8), (48, 8)];
        let large = (places.map(|(at, count)| number(&large, at, count)), number(&locator, 8, 8));
        Ok(is_whole.then_some(Self { numbers, large: Some(large) }))
    }

    /// Whether all of it tells of the directory that was found, and of where the record of a large archive
    /// lies. Where there is such a record, the other may leave a number to it by setting all bits.
    fn tells(&self, found: [u64; 6], large_at: u64) -> bool {
        let [short, long] = [u64::from(u16::MAX), u64::from(u32::MAX)];
        let unsaid = [short, short, short, short, long, long];
        let numbers = self.numbers.iter().zip(found).zip(unsaid);
        match self.large {
            None => self.numbers == found,
            Some((large, at)) => {
                let mut numbers = numbers.map(|((told, found), unsaid)| *told == found || *told == unsaid);
                large == found && at == large_at && numbers.all(|is_true| is_true)
            }
        }
    }
}

/// So many bytes of a file; zeros where it has ended.
fn bytes_at<const COUNT: usize>(file: &ObjectFile, at: u64) -> Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    file.read_at(&mut bytes, at)?;
    Ok(bytes)
}

/// Refuses a member that does not begin where the directory says, or has another name there; `place` is what
/// it is called, and where it should begin.
pub(super) fn check_member(entry: &ZipFileEntry<'_>, file: &ObjectFile, place: &Place) -> Result<()> {
    let malformed = |what: &str| Err(Error::malformed(FORMAT, place.clone(), what));
    let listed = Named::read(&LISTED, file, entry.central_header_start())?;
    let header = Named::read(&HEADER, file, entry.header_start())?;
    let (Some(listed), Some(header)) = (listed, header) else {
        return malformed("no member begins here, and the directory tells of one");
    };
    if header.name != listed.name {
        let [here, there] = [&header.name, &listed.name].map(|name| String::from_utf8_lossy(name));
        return malformed(&format!("its name here is {here:?}, and {there:?} in the directory"));
    }
    if listed.name.contains(&0) {
        return malformed("its name holds a byte 0, at which some readers end it: name it otherwise");
    }
    let is_spelled_alike = header.is_utf8 == listed.is_utf8 || listed.name.is_ascii();
    // An extra field can give it another name, which then stands in both.
    let name = entry.name_raw();
    let is_called_alike = name == listed.name || memchr::memmem::find(&header.rest, name).is_some();
    match is_spelled_alike && is_called_alike {
        true => Ok(()),
        false => malformed("what is here and the directory spell its name in different ways"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};
    use std::path::Path;
    use std::sync::Arc;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::signal::npz;

    /// An archive of arrays of these names, of one sample each.
    fn archive(names: &[&str]) -> Vec<u8> {
        let header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }\n";
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
            archive.write_all(b"\x93NUMPY\x01\x00").unwrap();
            archive.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
            archive.write_all(header).unwrap();
            archive.write_all(b"\x07").unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    /// The same bytes with others from a place on.
    fn with(bytes: &[u8], at: usize, others: &[u8]) -> Vec<u8> {
        [&bytes[..at], others, &bytes[at + others.len()..]].concat()
    }

    /// The same archive with bytes between its directory and its end.
    fn with_before_end(archive: &[u8], more: &[u8]) -> Vec<u8> {
        let (before, end) = archive.split_at(archive.len() - END_BYTES);
        [before, more, end].concat()
    }

    /// The same archive with a signature that its directory counts.
    fn signed(archive: &[u8], signature: &[u8]) -> Vec<u8> {
        let whole = with_before_end(archive, signature);
        let at = whole.len() - END_BYTES + 12;
        let size = u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) + signature.len() as u32;
        with(&whole, at, &size.to_le_bytes())
    }

    /// The same archive with a comment.
    fn commented(archive: &[u8], comment: &[u8]) -> Vec<u8> {
        let at = archive.len() - 2;
        [&archive[..at], &(comment.len() as u16).to_le_bytes(), comment].concat()
    }

    /// The same archive with the end of a large one.
    fn large(archive: &[u8], count: u64) -> Vec<u8> {
        let at = archive.len() - END_BYTES;
        let number = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap()).into();
        let [size, begin]: [u64; 2] = [number(at + 12), number(at + 16)];
        let mut more = [&LARGE_END_MARK[..], &44u64.to_le_bytes(), &[45, 0, 45, 0], &[0; 8]].concat();
        for number in [count, count, size, begin] {
            more.extend(number.to_le_bytes());
        }
        more.extend([&LOCATOR_MARK[..], &[0; 4], &(at as u64).to_le_bytes(), &[1, 0, 0, 0]].concat());
        let whole = with_before_end(archive, &more);
        with(&whole, whole.len() - END_BYTES + 8, &[0xff; 12])
    }

    fn opened(bytes: &[u8]) -> Result<usize> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let file = Arc::new(ObjectFile::from_file(file, Path::new("x")).unwrap());
        npz::open(file, &std::env::temp_dir(), &|_| true).map(|found| found.signature().arrays.len())
    }

    fn refusal(bytes: &[u8]) -> String {
        opened(bytes).unwrap_err().to_string()
    }

    /// Where a name stands, for the first time and the last.
    fn places(bytes: &[u8], name: &str) -> (usize, usize) {
        let mut found = memchr::memmem::find_iter(bytes, name);
        let first = found.next().unwrap();
        (first, found.last().unwrap())
    }

    #[test]
    fn an_archive_is_read_with_all_that_may_stand_around_its_directory() {
        let whole = archive(&["a", "b", "ü"]);
        let signed = signed(&whole, b"PK\x05\x05\x03\x00abc");
        let commented = commented(&whole, b"PK and more");
        for bytes in [&whole, &signed, &large(&whole, 3), &large(&signed, 3), &commented] {
            assert_eq!(opened(bytes).unwrap(), 3);
        }
        assert_eq!(opened(&[b"#!/bin/sh\n", &whole[..]].concat()).unwrap(), 3);
        assert_eq!(opened(&archive(&[])).unwrap(), 0);
    }

    #[test]
    fn members_that_the_end_does_not_tell_of_are_missed() {
        let whole = archive(&["a", "b", "c"]);
        let end = whole.len() - END_BYTES;
        let told = |bytes: &[u8], at: usize, what: &str| {
            let told = refusal(bytes);
            assert!(told.starts_with(&format!("byte {at}: malformed npz: {what}")), "{told}");
        };
        let fewer = "the directory lists 3 members, and the end of the archive tells of 2";
        told(&with(&whole, end + 8, &[2, 0, 2, 0]), end, fewer);
        told(&large(&whole, 2), end, fewer);
        told(&with(&whole, end + 8, &[0; 4]), end, "the end of the archive tells of no members");
        told(&with_before_end(&whole, b"more"), end, "the directory ends here, and the archive does not");
        told(&[&whole[..], b"more"].concat(), whole.len(), "bytes follow the end of the archive");
    }

    #[test]
    fn ends_that_tell_of_different_directories_are_refused() {
        let whole = archive(&["a", "b", "c"]);
        let at = whole.len() - END_BYTES;
        let number = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap());
        let [size, begin] = [number(at + 12), number(at + 16)];
        // The last member alone, as either end would tell of it.
        let [fewer_size, fewer_begin] = [size / 3, begin + size / 3 * 2];
        let fewer = [&[1, 0, 1, 0][..], &fewer_size.to_le_bytes(), &fewer_begin.to_le_bytes()].concat();
        let numbers = [1, 1, u64::from(fewer_size), u64::from(fewer_begin)];
        let large_fewer = numbers.map(u64::to_le_bytes).concat();

        let large = large(&whole, 3);
        let end = large.len() - END_BYTES;
        let both = with(&large, end, &whole[at..]);
        assert_eq!(opened(&both).unwrap(), 3);
        let what = "the end of the archive tells of another directory than the one that lies before it";
        for bytes in [
            with(&both, end + 8, &fewer),
            with(&both, at + 24, &large_fewer),
            with(&large, end + 8, &[2, 0, 2, 0]),
            with(&large, end + 12, &fewer_size.to_le_bytes()),
            with(&large, end + 16, &fewer_begin.to_le_bytes()),
            with(&both, end - LOCATOR_BYTES + 8, &[(at as u8).wrapping_add(1)]),
        ] {
            let told = refusal(&bytes);
            let end = bytes.len() - END_BYTES;
            assert_eq!(told, format!("byte {end}: malformed npz: {what}"));
        }
        // A record of a large archive that is longer, and what looks like a part of an end in a signature.
        assert!(opened(&with(&both, at + 4, &[45])).is_err());
        let signature = [&b"PK\x05\x05\x14\x00"[..], &LOCATOR_MARK, &[0; 16]].concat();
        assert!(opened(&signed(&whole, &signature)).is_err());
    }

    #[test]
    fn a_comment_that_holds_an_end_is_refused() {
        let whole = archive(&["a"]);
        let told = refusal(&commented(&whole, b"more PK\x05\x06"));
        let what = "the comment of the archive holds what some readers take for its end";
        assert_eq!(told, format!("byte {}: malformed npz: {what}", whole.len() + 5));
        // Another archive in the comment, whose end one reader takes and another does not.
        let mut inner = archive(&["b"]);
        let disk = inner.len() - END_BYTES + 4;
        inner[disk] = 1;
        assert!(refusal(&commented(&whole, &inner)).ends_with(what));
    }

    #[test]
    fn a_name_with_a_byte_0_is_refused() {
        let mut whole = archive(&["a_b"]);
        let (header, listed) = places(&whole, "a_b.npy");
        (whole[header + 1], whole[listed + 1]) = (0, 0);
        let told = refusal(&whole);
        assert!(told.contains("its name holds a byte 0, at which some readers end it"), "{told}");
    }

    #[test]
    fn members_of_one_name_are_refused() {
        let mut twice = archive(&["a", "b", "c"]);
        let (header, listed) = places(&twice, "b.npy");
        (twice[header], twice[listed]) = (b'a', b'a');
        for bytes in [&twice, &large(&twice, 3)] {
            let told = refusal(bytes);
            let what = "malformed npz: it lists 3 members, of which 2 have names of their own";
            assert_eq!(told, format!("byte {}: {what}", twice.len() - END_BYTES));
        }
    }

    #[test]
    fn a_name_that_is_another_beside_its_member_is_refused() {
        let whole = archive(&["a", "b", "ü"]);
        let (header, listed) = places(&whole, "b.npy");
        let at = header - HEADER.bytes;
        let what = r#"malformed npz: its name here is "b.npy", and "f.npy" in the directory"#;
        assert_eq!(refusal(&with(&whole, listed, b"f")), format!("column \"f\", byte {at}: {what}"));
        let what = r#"malformed npz: its name here is "f.npy", and "b.npy" in the directory"#;
        assert_eq!(refusal(&with(&whole, header, b"f")), format!("column \"b\", byte {at}: {what}"));
        let what = "malformed npz: no member begins here, and the directory tells of one";
        assert_eq!(refusal(&with(&whole, at, b"PX")), format!("column \"b\", byte {at}: {what}"));
        // Without its flag, the name is in the alphabet of DOS.
        let (header, _) = places(&whole, "ü.npy");
        let at = header - HEADER.bytes;
        let told = refusal(&with(&whole, at + HEADER.flags_at, &[0, 0]));
        assert!(
            told.contains(&format!("byte {at}: malformed npz: what is here and the directory spell")),
            "{told}"
        );
    }
}
