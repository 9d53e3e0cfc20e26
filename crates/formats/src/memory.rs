//! Provides objects that lie in memory and are read like any other: parts on their way through a format.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::file::ObjectFile;
use crate::pieces::{self, Pieces};

/// What errors call such an object.
const NAME: &str = "a part on its way";

/// An object of these bytes.
pub(crate) fn object(pieces: &[&[u8]]) -> Result<Arc<ObjectFile>> {
    let mut file = anonymous().map_err(failed)?;
    pieces.iter().try_for_each(|piece| file.write_all(piece)).map_err(failed)?;
    Ok(Arc::new(ObjectFile::from_file(file, Path::new(NAME))?))
}

/// A part with its header and footer, in memory only if the part is.
pub(crate) fn part(header: &[u8], bytes: &Pieces, footer: &[u8]) -> Result<Arc<ObjectFile>> {
    let file = if bytes.has_spilled() { tempfile::tempfile_in(pieces::directory()) } else { anonymous() };
    let mut file = file.map_err(failed)?;
    let mut write = |piece: &[u8]| file.write_all(piece).map_err(failed);
    write(header)?;
    bytes.each(&mut write)?;
    write(footer)?;
    Ok(Arc::new(ObjectFile::from_file(file, Path::new(NAME))?))
}

fn failed(error: io::Error) -> Error {
    Error::io(NAME, error)
}

#[cfg(target_os = "linux")]
fn anonymous() -> io::Result<File> {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    Ok(File::from(rustix::fs::memfd_create("isoform", flags)?))
}

/// Where the system has no files in memory, one without a name.
#[cfg(not(target_os = "linux"))]
fn anonymous() -> io::Result<File> {
    tempfile::tempfile()
}
