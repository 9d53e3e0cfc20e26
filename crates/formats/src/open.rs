//! Provides the opening of a source: which format it is, and a table over it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::ipc::ArrowSource;
use crate::parquet::ParquetSource;
use crate::registry::{Format, Wrapping};
use crate::table::TableSource;

/// What a person may say about a source.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Its format, where neither bytes nor name tell.
    pub format: Option<Format>,
    /// Directory for temporaries, where a source cannot be read twice or in place.
    pub spool_dir: PathBuf,
}

/// An open source.
pub struct Opened {
    /// Its format.
    pub format: Format,
    /// Compression around it.
    pub wrapping: Wrapping,
    /// The object as it lies on disk.
    pub file: Arc<ObjectFile>,
    /// Its rows.
    pub table: Box<dyn TableSource>,
}

/// The format of an object: what was said, else what its first bytes tell, else what its name tells.
pub fn detect(file: &ObjectFile, said: Option<Format>) -> Result<(Format, Wrapping)> {
    let mut start = [0u8; 16];
    let n = file.read_at(&mut start, 0)?;
    let start = &start[..n];
    let wrapping = Wrapping::of_bytes(start);
    if let Some(format) = said {
        return Ok((format, if format.is_text() { wrapping } else { Wrapping::Plain }));
    }
    if let Some(format) = Format::of_bytes(start) {
        return Ok((format, Wrapping::Plain));
    }
    match Format::of_name(file.path()) {
        Some((format, _)) if format.is_text() => Ok((format, wrapping)),
        Some((format, _)) => {
            let what = format!("the name says {}, but the bytes do not begin like it", format.name());
            Err(Error::malformed("file", Place::at_byte(0), what))
        }
        None => Err(Error::unsupported(
            Place::default(),
            "neither the bytes nor the name tell a format",
            "name the format with --from",
        )),
    }
}

/// Opens a source.
///
/// # Errors
/// Those of the format; every error names the file.
pub fn open(path: &Path, options: &OpenOptions) -> Result<Opened> {
    let file = Arc::new(ObjectFile::open(path)?);
    let in_file = |error: Error| error.in_file(path);
    let (format, wrapping) = detect(&file, options.format).map_err(in_file)?;
    let table: Box<dyn TableSource> = match format {
        Format::Parquet => Box::new(ParquetSource::open(file.clone()).map_err(in_file)?),
        Format::ArrowFile | Format::ArrowStream => Box::new(ArrowSource::open(file.clone()).map_err(in_file)?),
        Format::Csv | Format::Tsv | Format::JsonLines | Format::Avro => {
            return Err(Error::Misuse(format!("reading {} is not possible in this version", format.name())));
        }
    };
    Ok(Opened { format, wrapping, file, table })
}
