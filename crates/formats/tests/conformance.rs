//! Runs the conformance suite over the table of formats.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use formats::conformance::{Subject, damage, round_trip};
use formats::file::ObjectFile;
use formats::ipc::ArrowSource;
use formats::parquet::ParquetSource;
use formats::registry::{FORMATS, Format, Wrapping};
use formats::table::TableSource;
use formats::write::{WriteOptions, encoder};
use formats::{Error, Result};

fn options(format: Format) -> WriteOptions {
    WriteOptions {
        format,
        wrapping: Wrapping::Plain,
        compression: None,
        row_group_rows: None,
        dictionary: true,
        metadata: Vec::new(),
    }
}

fn open(format: Format, file: Arc<ObjectFile>) -> Result<Box<dyn TableSource>> {
    Ok(match format {
        Format::Parquet => Box::new(ParquetSource::open(file)?),
        Format::ArrowFile | Format::ArrowStream => Box::new(ArrowSource::open(file)?),
        other => return Err(Error::Misuse(format!("{other:?} has no reader"))),
    })
}

#[test]
fn every_format_passes_the_suite() {
    for format in FORMATS {
        if matches!(format, Format::Csv | Format::Tsv | Format::JsonLines | Format::Avro) {
            continue;
        }
        let subject = Subject {
            encoder: &|schema: &SchemaRef| encoder(schema, &options(format)),
            open: &|file, _| open(format, file),
        };
        round_trip(&subject).unwrap_or_else(|error| panic!("{format:?}: {error}"));
        let refused = damage(&subject, format != Format::ArrowStream);
        let refused = refused.unwrap_or_else(|error| panic!("{format:?}: {error}"));
        assert!(refused > 100, "{format:?} refused only {refused} damaged files");
    }
}
