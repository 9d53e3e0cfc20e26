//! Provides checks of the directory of a zip archive by its own bytes (PKWARE, "APPNOTE.TXT", section 4.3).
//!
//! What reads the members believes how many of them the end of the archive tells of, takes those of one name
//! for one, and never looks at the names that stand beside the members.

use std::io::{Read, Seek};

use zip::ZipArchive;
use zip::read::ZipFileEntry;

use super::npz::FORMAT;
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;

/// Bytes of the record at the end of an archive, before a comment of up to 64 KiB.
const END_BYTES: usize = 22;
/// Bytes that the record at the end of a large archive does not count of itself, and of what tells where it
/// lies, which follows it.
const LARGE_END_BYTES: u64 = 12;
const LOCATOR_BYTES: u64 = 20;

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

/// Checks that the directory lists as many members as are read, each under a name of its own, and reaches to
/// the end of the archive, which is that of the file.
pub(super) fn check(archive: &ZipArchive<impl Read + Seek>, file: &ObjectFile) -> Result<()> {
    let malformed = |at: u64, what: &str| Err(Error::malformed(FORMAT, Place::at_byte(at), what));
    let end = file.len().saturating_sub((END_BYTES + archive.comment().len()) as u64);
    if bytes_at(file, end)? != END_MARK {
        let what = "bytes follow the end of the archive";
        return Err(Error::malformed(FORMAT, end_of_broken(file)?.1, what));
    }
    let (mut at, mut count, read) = (archive.central_directory_start(), 0, archive.len());
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
    match is_end(file, at, end)? {
        true => Ok(()),
        false => malformed(at, "the directory ends here, and the archive does not"),
    }
}

/// Whether nothing lies between the directory, which ends at a byte, and the record at the end of the
/// archive, but a signature and what the end of a large archive has before it.
fn is_end(file: &ObjectFile, at: u64, end: u64) -> Result<bool> {
    let signature: [u8; SIGNATURE_BYTES] = bytes_at(file, at)?;
    let at = match signature.starts_with(&SIGNATURE_MARK) {
        true => at + SIGNATURE_BYTES as u64 + u64::from(u16::from_le_bytes([signature[4], signature[5]])),
        false => at,
    };
    if at == end || bytes_at(file, at)? != LARGE_END_MARK {
        return Ok(at == end);
    }
    let counted = u64::from_le_bytes(bytes_at(file, at + 4)?);
    let Some(locator) = at.checked_add(LARGE_END_BYTES).and_then(|at| at.checked_add(counted)) else {
        return Ok(false);
    };
    Ok(bytes_at(file, locator)? == LOCATOR_MARK && locator + LOCATOR_BYTES == end)
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
        let signed = with_before_end(&whole, b"PK\x05\x05\x03\x00abc");
        for bytes in [&whole, &signed, &large(&whole, 3), &large(&signed, 3)] {
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
