//! Provides positioned reads of one immutable object, shared by threads, and the check that it did not
//! change.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Place, Result};

/// An open regular file. Reads are positioned, so that threads share it without a cursor.
#[derive(Debug)]
pub struct ObjectFile {
    file: File,
    path: PathBuf,
    len: u64,
    stamp: Stamp,
}

/// What the system says of a file that changes when somebody writes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// That of a file of which this is what the system says.
    pub fn of(metadata: &Metadata) -> Self {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether this is the same state of the same file, which may have had another name meanwhile: that a
    /// file is renamed changes the time of its status alone.
    pub fn is_but_for_its_name(&self, other: &Stamp) -> bool {
        Stamp { changed: other.changed, ..*self } == *other
    }
}

impl ObjectFile {
    /// Opens `path`, which must be a regular file (or a link to one). A pipe is refused as it is opened,
    /// whether anybody writes into it or not.
    pub fn open(path: &Path) -> Result<Self> {
        ObjectFile::from_file(open_at_once(path)?, path)
    }

    /// Wraps a file that is open already; `path` is what errors call it.
    pub fn from_file(file: File, path: &Path) -> Result<Self> {
        let metadata = file.metadata().map_err(|error| Error::io(path, error))?;
        check_regular(&metadata, path)?;
        let stamp = Stamp::of(&metadata);
        Ok(ObjectFile { file, path: path.to_owned(), len: metadata.len(), stamp })
    }

    /// The same file for somebody who holds it apart.
    pub(crate) fn shared(&self) -> Result<Self> {
        let file = self.file.try_clone().map_err(|error| Error::io(&self.path, error))?;
        Ok(ObjectFile { file, path: self.path.clone(), len: self.len, stamp: self.stamp })
    }

    /// Length in bytes when it was opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What errors call it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(&self.path, error)),
            }
        }
        Ok(filled)
    }

    /// Fills `buffer` from `offset`. Bytes that are missing were there when the file was opened, so it
    /// changed.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        match self.read_at(buffer, offset)? {
            n if n == buffer.len() => Ok(()),
            _ => Err(Error::Changed(self.path.clone())),
        }
    }

    /// Whether the other is the same file and neither name nor bytes changed between their openings.
    pub fn is_as(&self, other: &ObjectFile) -> bool {
        self.stamp == other.stamp
    }

    /// Fails if the file was written to, or its name leads to another file, since it was opened.
    pub fn check_unchanged(&self) -> Result<()> {
        let now = self.file.metadata().map_err(|error| Error::io(&self.path, error))?;
        if Stamp::of(&now) == self.stamp { Ok(()) } else { Err(Error::Changed(self.path.clone())) }
    }
}

fn check_regular(metadata: &Metadata, path: &Path) -> Result<()> {
    if metadata.is_dir() {
        return Err(Error::io(path, io::Error::from(io::ErrorKind::IsADirectory)));
    }
    if !metadata.is_file() {
        let place = Place { path: Some(path.to_owned()), ..Place::default() };
        let hint = "copy it into a file first";
        return Err(Error::unsupported(place, "a pipe or device cannot be read twice", hint));
    }
    Ok(())
}

/// A sequential reader over an [`ObjectFile`] from an offset.
#[derive(Debug, Clone)]
pub struct RangeReader {
    file: Arc<ObjectFile>,
    offset: u64,
    end: u64,
}

impl RangeReader {
    /// Reads from `offset` to the end.
    pub fn new(file: Arc<ObjectFile>, offset: u64) -> Self {
        let end = file.len();
        RangeReader { file, offset, end }
    }

    /// Reads the bytes from `offset` to `end`.
    pub fn range(file: Arc<ObjectFile>, offset: u64, end: u64) -> Self {
        let end = end.min(file.len());
        RangeReader { file, offset, end }
    }
}

impl io::Read for RangeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.offset);
        let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = self.file.read_at(&mut buffer[..want], self.offset).map_err(io::Error::other)?;
        self.offset += n as u64;
        Ok(n)
    }
}

/// Opens what a path leads to for reading. Nobody is waited for, so that a pipe that no one writes to can be
/// refused by what it is.
fn open_at_once(path: &Path) -> Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let opened = File::options().read(true).custom_flags(flags).open(path);
    opened.map_err(|error| Error::io(path, error))
}

/// The text of a small file, such as a configuration; `what` says in messages what it is.
///
/// # Errors
/// If it cannot be read; [`Error::Misuse`] if it is no regular file, has more than `bytes_max` bytes, or is
/// not UTF-8.
pub fn text_of(path: &Path, what: &str, bytes_max: u64) -> Result<String> {
    let misuse = |said: &str| Error::Misuse(format!("{}: {said}", path.display()));
    let failed = |error| Error::io(path, error);
    let file = open_at_once(path)?;
    // A pipe would be waited for, and a device has no end.
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(misuse(&format!("is no regular file, and {what} is one")));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(misuse(&format!("{what} has at most {bytes_max} bytes; take out what is none")));
    }
    String::from_utf8(bytes).map_err(|_| misuse(&format!("is not UTF-8, and {what} is")))
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_pipe_or_device_is_refused_and_never_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, device) = (dir.path().join("pipe"), dir.path().join("device"));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &device).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for path in [&pipe, &device, &link] {
            let error = ObjectFile::open(path).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            let error = text_of(path, "a configuration", 8).unwrap_err().to_string();
            assert!(error.contains("no regular file, and a configuration is one"), "{error}");
        }
        assert!(matches!(ObjectFile::open(dir.path()), Err(Error::Io { .. })));
    }

    #[test]
    fn a_file_is_told_from_others_and_from_what_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("file"), dir.path().join("other"));
        std::fs::write(&path, "a").unwrap();
        std::fs::write(&other, "a").unwrap();
        let file = ObjectFile::open(&path).unwrap();
        assert!(file.is_as(&ObjectFile::open(&path).unwrap()));
        assert!(!file.is_as(&ObjectFile::open(&other).unwrap()));
        std::fs::write(&path, "ab").unwrap();
        assert!(!file.is_as(&ObjectFile::open(&path).unwrap()));
    }

    #[test]
    fn a_small_text_has_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("text");
        std::fs::write(&path, "12345678").unwrap();
        assert_eq!(text_of(&path, "a configuration", 8).unwrap(), "12345678");
        assert!(text_of(&path, "a configuration", 7).unwrap_err().to_string().contains("at most 7 bytes"));
    }
}
