//! Provides npz: several arrays as NumPy saves them, npy files in a zip archive, stored or deflated.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use coherence::signal::Signature;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::arrays::{Arrays, Placed};
use super::npy::{self, Header};
use super::{Encoding, Writer, Written, directory, name_of, refused};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::guard::guarded;
use crate::limits::is_bomb;

pub(super) const FORMAT: &str = "npz";
const MEMBER_ENDING: &str = ".npy";
/// Bytes that are unpacked at once.
const BLOCK_BYTES: usize = 256 << 10;

/// A cursor over a file that others share.
struct Cursor {
    file: Arc<ObjectFile>,
    at: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at).map_err(io::Error::other)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.file.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

fn bad(place: Place, error: &ZipError) -> Error {
    Error::malformed(FORMAT, place, error.to_string())
}

/// Opens an npz file. Every member is read once, since only whole members have a checksum. Arrays that are
/// not wanted may be of types that cannot be read.
pub(super) fn open(file: Arc<ObjectFile>, spool_dir: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Arrays> {
    let cursor = Cursor { file: file.clone(), at: 0 };
    let (broken, _) = directory::end_of_broken(&file)?;
    let opened = guarded(FORMAT, || ZipArchive::new(cursor).map_err(|error| bad(broken, &error)));
    let mut archive = opened?;
    directory::check(&archive, &file)?;
    guarded(FORMAT, || refuse_overlap(&mut archive, &file))?;
    let (mut arrays, mut left_out) = (Vec::new(), Vec::new());
    for index in 0..archive.len() {
        match guarded(FORMAT, || member(&mut archive, index, &file, spool_dir))? {
            Member::Array(placed) => arrays.push(*placed),
            Member::Other { name, .. } if !wanted(&name) => left_out.push(name),
            Member::Other { name, place, what } => {
                let hint = "`isoform convert --exclude` leaves the array out";
                return Err(Error::unsupported(place.column(name), what, hint));
            }
        }
    }
    Ok(Arrays::new(FORMAT, arrays, Vec::new())?.leaving_out(left_out))
}

/// What a member of an archive holds.
enum Member {
    /// An array that can be read.
    Array(Box<Placed>),
    /// One of a type that cannot: its name, and where and what its samples are.
    Other { name: String, place: Place, what: String },
}

/// Refuses members that have bytes in common, or no header of their name where the directory says.
fn refuse_overlap(archive: &mut ZipArchive<Cursor>, file: &ObjectFile) -> Result<()> {
    let mut members = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(|error| bad(Place::default(), &error))?;
        let start = entry.header_start();
        let place = Place::at_byte(start).column(name_at(archive, index));
        directory::check_member(&entry, file, &place)?;
        let found = archive.by_index_raw(index).map_err(|error| bad(place.clone(), &error))?;
        let end = found.data_start().and_then(|data| data.checked_add(found.compressed_size()));
        let end = end.ok_or_else(|| Error::malformed(FORMAT, place.clone(), "the member has no end"))?;
        members.push((start, end, place));
    }
    members.sort_by_key(|(start, end, _)| (*start, *end));
    let mut next =
        members.iter().skip(1).map(|(start, ..)| *start).chain([archive.central_directory_start()]);
    match members.iter().find(|(_, end, _)| next.next().is_some_and(|next| *end > next)) {
        None => Ok(()),
        Some((_, _, place)) => {
            let what = "the member has bytes in common with what follows it in the archive";
            Err(Error::malformed(FORMAT, place.clone(), what))
        }
    }
}

/// The name of a member, as the array in it is called.
fn name_at(archive: &ZipArchive<Cursor>, index: usize) -> String {
    let name = archive.name_for_index(index).and_then(std::result::Result::ok).unwrap_or_default();
    name.strip_suffix(MEMBER_ENDING).unwrap_or(&name).to_owned()
}

fn member(
    archive: &mut ZipArchive<Cursor>,
    index: usize,
    file: &Arc<ObjectFile>,
    spool_dir: &Path,
) -> Result<Member> {
    let place = Place::default().column(name_at(archive, index));
    let mut found = archive.by_index(index).map_err(|error| bad(place.clone(), &error))?;
    let place = Place { byte: Some(found.header_start()), ..place };
    let full_name = found.name().map_err(|error| bad(place.clone(), &error))?.into_owned();
    let Some(name) = full_name.strip_suffix(MEMBER_ENDING) else {
        let hint = "leave it out of the archive";
        return Err(Error::unsupported(place, "this member of the archive is no npy file", hint));
    };
    let stored = found.compression() == CompressionMethod::Stored;
    let start = found.data_start().filter(|_| stored);
    let size = found.size();
    let (packed, mut read) = (found.compressed_size(), 0);
    let mut spool = match start {
        Some(_) => None,
        None => {
            let made = tempfile::tempfile_in(spool_dir);
            Some(made.map_err(|error| Error::io(spool_dir, error))?)
        }
    };
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let count = found.read(&mut block).map_err(|error| bad(place.clone(), &error.into()))?;
        if count == 0 {
            break;
        }
        read += count as u64;
        if read > size || is_bomb(packed, read) {
            let what = "it holds more than it says, or than packed bytes are believed to hold";
            return Err(Error::malformed(FORMAT, place, what));
        }
        if let Some(spool) = &mut spool {
            spool.write_all(&block[..count]).map_err(|error| Error::io(spool_dir, error))?;
        }
    }
    let (member, offset) = match (spool, start) {
        (Some(spool), _) => (Arc::new(ObjectFile::from_file(spool, file.path())?), 0),
        (None, start) => (file.clone(), start.unwrap_or(0)),
    };
    let header = match Header::read_any(&member, offset).map_err(|error| error.in_column(name))? {
        Ok(header) => header,
        Err((place, what)) => return Ok(Member::Other { name: name.to_owned(), place, what }),
    };
    if header.data_bytes().and_then(|bytes| bytes.checked_add(header.len)) != Some(read) {
        let what = format!("its header does not tell of the {read} bytes that it has");
        return Err(Error::malformed(FORMAT, place, what));
    }
    Ok(Member::Array(Box::new((header.array(name), header.extent(member, offset)))))
}

/// Bytes that the archive's writer gave and nobody took yet.
#[derive(Clone, Default)]
struct Pending(Arc<Mutex<Vec<u8>>>);

impl Pending {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes an npz file. Members are stored, as `numpy.savez` does, with their checksums after them.
pub(super) struct NpzWriter {
    order: Vec<usize>,
    members: Vec<(String, Vec<u8>, bool)>,
    archive: Option<ZipWriter<StreamWriter<Pending>>>,
    pending: Pending,
}

/// A failure of the archive's writer, which writes into memory only.
fn bug(error: impl std::fmt::Display) -> Error {
    Error::Bug(format!("zip: {error}"))
}

/// Whether one array is called like the member of the other: NumPy takes either name for that member.
fn are_mixed_up(a: &str, b: &str) -> bool {
    [(a, b), (b, a)].into_iter().any(|(a, b)| a.strip_suffix(MEMBER_ENDING) == Some(b))
}

impl NpzWriter {
    /// A writer for these arrays.
    pub(super) fn new(signature: &Signature, stored: &[Encoding]) -> Result<Self> {
        let mut members: Vec<(String, Vec<u8>, bool)> = Vec::new();
        for (array, encoding) in signature.arrays.iter().zip(stored) {
            let header = npy::header(array, *encoding)?;
            let bytes = array.samples().and_then(|samples| encoding.bytes(samples));
            let large = bytes.is_none_or(|bytes| bytes + header.len() as u64 >= u32::MAX.into());
            let name = format!("{}{MEMBER_ENDING}", name_of(signature, array));
            if name.len() > usize::from(u16::MAX) || name.contains('\0') {
                return Err(refused(FORMAT, &array.name, "the name is no file name", "rename it first"));
            }
            if members.iter().any(|(other, ..)| *other == name) {
                return Err(refused(FORMAT, &array.name, "another array has this name", "rename it first"));
            }
            let mut others = members.iter().map(|(other, ..)| other.as_str());
            if let Some(other) = others.find(|other| are_mixed_up(&name, other)) {
                let other = other.strip_suffix(MEMBER_ENDING).unwrap_or(other);
                let what = format!("NumPy mixes it up with array {other:?}, whose member has this name");
                return Err(refused(FORMAT, &array.name, &what, "rename one of them first, or leave it out"));
            }
            members.push((name, header, large));
        }
        let pending = Pending::default();
        let archive = Some(ZipWriter::new_stream(pending.clone()));
        Ok(Self { order: (0..members.len()).collect(), members, archive, pending })
    }

    fn archive(&mut self) -> Result<&mut ZipWriter<StreamWriter<Pending>>> {
        self.archive.as_mut().ok_or_else(|| bug("written to after its end"))
    }
}

impl Writer for NpzWriter {
    fn order(&self) -> &[usize] {
        &self.order
    }

    fn begin(&mut self, array: usize) -> Result<Vec<u8>> {
        let (name, header, large) = self.members[array].clone();
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large);
        let archive = self.archive()?;
        archive.start_file(name, options).map_err(bug)?;
        archive.write_all(&header).map_err(bug)?;
        Ok(self.pending.take())
    }

    fn data(&mut self, bytes: &[u8], _written: &Written) -> Result<()> {
        // The archive counts and sums the samples; the caller has them already.
        self.archive()?.write_all(bytes).map_err(bug)?;
        self.pending.take();
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        if let Some(archive) = self.archive.take() {
            archive.finish().map_err(bug)?;
        }
        Ok(self.pending.take())
    }

    fn can_go_on(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_and_one_called_like_its_member_are_mixed_up() {
        assert!(are_mixed_up("a.npy", "a.npy.npy") && are_mixed_up("a.npy.npy", "a.npy"));
        assert!(!are_mixed_up("a.npy", "b.npy") && !are_mixed_up("a.npy", "a.npy.npy.npy"));
    }
}
