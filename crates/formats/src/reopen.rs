//! Provides the opening of finished targets: one that was just written, under the typings that it was written
//! with, and one that a certificate describes.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use serde_json::{Map, Value};

use crate::binary::open_binary;
use crate::csv::{CsvEncoder, CsvFormat, CsvTable, ScanOptions, scan};
use crate::error::Result;
use crate::file::ObjectFile;
use crate::jsonl::{self, JsonTable};
use crate::listen::{Heard, Listener};
use crate::media::Recorded;
use crate::registry::Format;
use crate::spool::{SpoolOptions, Wrap, open_text};
use crate::table::TableSource;
use crate::typings::Typings;
use crate::write::{Encoder, WriteOptions};

/// Opens a finished target as a table of its own, under the typings that it was written with where it is
/// text.
pub fn open_target(
    file: Arc<ObjectFile>,
    options: &WriteOptions,
    encoder: &Encoder,
    listener: &Listener,
) -> Result<Box<dyn TableSource>> {
    open_part(file, options, encoder, 0, listener)
}

/// The same for a target that holds one part alone, of which `first` is the first row.
pub fn open_part(
    file: Arc<ObjectFile>,
    options: &WriteOptions,
    encoder: &Encoder,
    first: u64,
    listener: &Listener,
) -> Result<Box<dyn TableSource>> {
    let path = file.path().to_owned();
    let dir = path.parent().unwrap_or(Path::new("."));
    let spool = || SpoolOptions { listener: listener.clone(), ..SpoolOptions::new(dir) };
    let opened = match encoder {
        Encoder::Binary(_) => open_binary(file, options.format),
        Encoder::Csv(encoder) => {
            let table = open_csv_target(&file, encoder, spool());
            table.map(|table| Box::new(table.after(first)) as Box<dyn TableSource>)
        }
        Encoder::Json(encoder) => {
            let (schema, typings) = (encoder.schema().clone(), encoder.typings().to_vec());
            let table = open_json_target(&file, schema, typings, spool());
            table.map(|table| Box::new(table.after(first)) as Box<dyn TableSource>)
        }
    };
    opened.map_err(|error| error.in_file(&path))
}

fn open_csv_target(file: &ObjectFile, encoder: &CsvEncoder, spool: SpoolOptions<'_>) -> Result<CsvTable> {
    let listener = spool.listener.clone();
    let text = Arc::new(open_text(file.as_text()?, spool)?);
    let dialect = encoder.dialect()?;
    let heard = Heard { text: text.as_ref(), listener: &listener };
    let found = scan(&heard, &dialect, ScanOptions::default(), &mut |_| {})?;
    Ok(CsvTable::new(text, dialect, found, encoder.typings().to_vec()))
}

fn open_json_target(
    file: &ObjectFile,
    schema: SchemaRef,
    typings: Vec<jsonl::Typing>,
    spool: SpoolOptions<'_>,
) -> Result<JsonTable> {
    let listener = spool.listener.clone();
    let text = Arc::new(open_text(file.as_text()?, spool)?);
    let found = jsonl::scan(&Heard { text: text.as_ref(), listener: &listener }, |_| {})?;
    Ok(JsonTable::new(text, found, schema, typings))
}

/// Opens a target that a certificate describes, under the styles that it records.
///
/// # Errors
/// Styles that are none; those of the format.
pub fn open_recorded(
    file: Arc<ObjectFile>,
    (format, media): (Format, &Recorded),
    names: &[String],
    styles: &[Map<String, Value>],
    spool: SpoolOptions<'_>,
) -> Result<Box<dyn TableSource>> {
    let path = file.path().to_owned();
    let open = || {
        if !format.is_text() {
            return open_binary(file.clone(), format);
        }
        let as_json = format == Format::JsonLines;
        let (schema, typings) = Typings::recorded(names, styles, as_json)?;
        if as_json {
            let table = open_json_target(&file, schema.clone(), typings.json(&schema), spool)?;
            return Ok(Box::new(table) as Box<dyn TableSource>);
        }
        let layout = CsvFormat { delimiter: media.delimiter, ..CsvFormat::default() };
        let encoder = CsvEncoder::new(names.to_vec(), typings.fields(&schema)?, layout, Wrap::None);
        Ok(Box::new(open_csv_target(&file, &encoder, spool)?))
    };
    open().map_err(|error| error.in_file(&path))
}
