//! Provides the opening of the formats that hold types of their own; every error of such a table names its
//! file.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::SchemaRef;

use crate::avro::AvroSource;
use crate::carry::CarriedSource;
use crate::error::{Error, Result};
use crate::file::ObjectFile;
use crate::ipc::ArrowSource;
use crate::parquet::ParquetSource;
use crate::registry::Format;
use crate::table::{Batches, TableSource};

/// Opens a table of this format.
pub(crate) fn open_binary(file: Arc<ObjectFile>, format: Format) -> Result<Box<dyn TableSource>> {
    let opened = file.clone();
    let table: Box<dyn TableSource> = match format {
        Format::Parquet => CarriedSource::open(ParquetSource::open(file)?)?,
        Format::ArrowFile | Format::ArrowStream => CarriedSource::open(ArrowSource::open(file)?)?,
        Format::Avro => Box::new(AvroSource::open(file)?),
        text => return Err(Error::Bug(format!("{} is no binary format", text.name()))),
    };
    Ok(in_file(&opened, table))
}

/// The same table, with errors that name its file.
pub(crate) fn in_file(file: &ObjectFile, table: Box<dyn TableSource>) -> Box<dyn TableSource> {
    Box::new(InFile { table, path: file.path().to_owned() })
}

/// A table whose errors name the file that it was opened from.
struct InFile {
    table: Box<dyn TableSource>,
    path: PathBuf,
}

impl TableSource for InFile {
    fn schema(&self) -> &SchemaRef {
        self.table.schema()
    }

    fn rows(&self) -> u64 {
        self.table.rows()
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        self.table.byte_range(rows)
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let batches = self.table.batches(rows).map_err(|error| error.in_file(&self.path))?;
        Ok(Box::new(batches.map(move |batch| batch.map_err(|error| error.in_file(&self.path)))))
    }

    fn held_bytes(&self) -> u64 {
        self.table.held_bytes()
    }

    fn notes(&self) -> Vec<String> {
        self.table.notes()
    }

    fn check_structure(&self) -> Result<()> {
        self.table.check_structure().map_err(|error| error.in_file(&self.path))
    }
}
