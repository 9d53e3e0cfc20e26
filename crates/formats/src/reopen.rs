//! Provides the opening of finished targets: one that was just written, under the typings that it was written
//! with, and one that a certificate describes.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use coherence::statement::Style;

use crate::binary::{open_binary, open_bounded};
use crate::csv::{self, CsvEncoder, CsvFormat, CsvTable, ScanOptions, scan};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::jsonl::{self, JsonTable};
use crate::listen::{Heard, Listener};
use crate::media::Recorded;
use crate::registry::Format;
use crate::spool::{SpoolOptions, TextFile, Wrap, open_text};
use crate::table::{Placed, TableEncoder, TableSource};
use crate::typings::Typings;
use crate::write::{Encoder, WriteOptions};

/// Opens a finished target of which nothing is known but how it was written, as a table of its own, under the
/// typings that it was written with where it is text.
pub fn open_target(
    file: Arc<ObjectFile>,
    options: &WriteOptions,
    encoder: &Encoder,
    listener: &Listener,
) -> Result<Box<dyn TableSource>> {
    opened(file, options, encoder, (0, None), listener)
}

/// The same for one that was just written: its parts lie where they were `placed`, behind the header of the
/// encoder. Of the whole, `first` rows stand before it.
///
/// Text that is not wrapped is not scanned, but cut where its parts end. Each of these ends a line, and its
/// reader finds no quote open at its end, and as many records as were put into it: so the parts read one by
/// one are what a reader of the whole finds.
///
/// # Errors
/// Those of the format; `Malformed` where the target does not begin with the header, or plain text is not
/// made of its parts.
pub fn open_written(
    file: Arc<ObjectFile>,
    options: &WriteOptions,
    encoder: &Encoder,
    (first, placed): (u64, &[Placed]),
    listener: &Listener,
) -> Result<Box<dyn TableSource>> {
    // That of one member is found when this is unwrapped.
    if encoder.get().member().is_none() {
        let begins =
            begins_with(&encoder.get().header()?, name_of(options.format), |found| file.read_at(found, 0));
        begins.map_err(|error| error.in_file(file.path()))?;
    }
    opened(file, options, encoder, (first, Some(placed)), listener)
}

/// Fails unless what is read first of a target is its header.
fn begins_with(
    header: &[u8],
    format: &'static str,
    read: impl FnOnce(&mut [u8]) -> Result<usize>,
) -> Result<()> {
    let mut found = vec![0; header.len()];
    match read(&mut found)? == header.len() && found == header {
        true => Ok(()),
        false => {
            let what = "does not begin with the header that was written";
            Err(Error::malformed(format, Place::at_byte(0), what))
        }
    }
}

/// What errors call a format.
fn name_of(format: Format) -> &'static str {
    match format {
        Format::Csv | Format::Tsv => "CSV",
        Format::JsonLines => "JSON Lines",
        Format::Parquet => "Parquet",
        Format::ArrowFile | Format::ArrowStream => "Arrow IPC",
        Format::Avro => "Avro",
    }
}

fn opened(
    file: Arc<ObjectFile>,
    options: &WriteOptions,
    encoder: &Encoder,
    (first, placed): (u64, Option<&[Placed]>),
    listener: &Listener,
) -> Result<Box<dyn TableSource>> {
    let path = file.path().to_owned();
    let dir = path.parent().unwrap_or(Path::new("."));
    let wrapping = match encoder {
        Encoder::Binary(_) => None,
        Encoder::Csv(encoder) => Some(encoder.wrapping()),
        Encoder::Json(encoder) => Some(encoder.wrapping()),
    };
    let spool = || SpoolOptions { wrapping, listener: listener.clone(), ..SpoolOptions::new(dir) };
    let opened = match encoder {
        Encoder::Binary(_) => open_binary(file, options.format),
        Encoder::Csv(encoder) => {
            let table = open_csv_target(&file, encoder, placed, spool());
            table.map(|table| Box::new(table.after(first)) as Box<dyn TableSource>)
        }
        Encoder::Json(encoder) => {
            let (schema, typings) = (encoder.schema().clone(), encoder.typings().to_vec());
            let table = open_json_target(&file, (schema, typings), placed, spool());
            table.map(|table| Box::new(table.after(first)) as Box<dyn TableSource>)
        }
    };
    opened.map_err(|error| error.in_file(&path))
}

fn open_csv_target(
    file: &Arc<ObjectFile>,
    encoder: &CsvEncoder,
    placed: Option<&[Placed]>,
    spool: SpoolOptions<'_>,
) -> Result<CsvTable> {
    let listener = spool.listener.clone();
    let text = Arc::new(open_text(file, spool)?);
    let dialect = encoder.dialect()?;
    if placed.is_some() && encoder.member().is_some() {
        begins_with(&encoder.header()?, "CSV", |found| text.read_at(0, found))?;
    }
    let found = match placed.filter(|_| is_plain(&text)) {
        None => {
            let heard = Heard { text: text.as_ref(), listener: &listener };
            scan(&heard, &dialect, ScanOptions::default())?
        }
        Some(placed) => {
            let begin = (dialect.data_start, dialect.line_ending.terminator());
            let (starts, records) = seams(&text, begin, placed, "CSV")?;
            let marks = starts.into_iter().map(|(record, byte)| csv::Mark { record, byte }).collect();
            csv::Scan { records, passed_over: 0, marks, end: text.len(), longest: 0 }
        }
    };
    let note = placed.and_then(|_| csv::misleading(text.as_ref(), &dialect));
    Ok(CsvTable::new(text, dialect, found, encoder.typings().to_vec()).noting(note))
}

fn open_json_target(
    file: &Arc<ObjectFile>,
    (schema, typings): (SchemaRef, Vec<jsonl::Typing>),
    placed: Option<&[Placed]>,
    spool: SpoolOptions<'_>,
) -> Result<JsonTable> {
    let listener = spool.listener.clone();
    let text = Arc::new(open_text(file, spool)?);
    let found = match placed.filter(|_| is_plain(&text)) {
        None => jsonl::scan(&Heard { text: text.as_ref(), listener: &listener })?,
        Some(placed) => {
            let (starts, row) = seams(&text, (0, b'\n'), placed, "JSON Lines")?;
            let marks = starts.into_iter().map(|(row, byte)| jsonl::Mark { row, byte }).collect();
            jsonl::Scan {
                marks,
                end: jsonl::Mark { row, byte: text.len() },
                longest: 0,
                keys_max: usize::MAX,
            }
        }
    };
    Ok(JsonTable::new(text, found, schema, typings))
}

/// Whether offsets in the text are those in the file.
fn is_plain(text: &TextFile) -> bool {
    text.in_place() && text.mark().is_empty()
}

/// Where the parts of a text begin, each with the rows before it, and all of their rows. They must follow
/// each other from `start` to the end; each that has bytes must have rows, which its reader looks for, and
/// end with the byte that ends a line.
fn seams(
    text: &TextFile,
    (start, terminator): (u64, u8),
    placed: &[Placed],
    format: &'static str,
) -> Result<(Vec<(u64, u64)>, u64)> {
    let fault = |at, what| Error::malformed(format, Place::at_byte(at), what);
    let (mut rows, mut at) = (0, start);
    let mut starts = Vec::with_capacity(placed.len());
    for part in placed {
        let Range { start, end } = part.bytes;
        if start != at || end < start || end > text.len() || (start == end) != (part.rows == 0) {
            return Err(fault(at, "is not where a part begins that was written"));
        }
        if start == end {
            continue;
        }
        starts.push((rows, at));
        (rows, at) = (rows + part.rows, end);
        let mut last = [0];
        if text.read_at(at - 1, &mut last)? != 1 || last != [terminator] {
            return Err(fault(at - 1, "the last line of a part does not end here"));
        }
    }
    match at == text.len() {
        true => Ok((starts, rows)),
        false => Err(fault(at, "more follows than was written")),
    }
}

/// Opens a target that a certificate describes, under the styles that it records. A row of a format that
/// holds types may have so many bytes.
///
/// # Errors
/// Styles that are none; those of the format.
pub fn open_recorded(
    file: Arc<ObjectFile>,
    (format, media): (Format, &Recorded),
    names: &[String],
    styles: &[Style],
    row_bytes_max: usize,
    spool: SpoolOptions<'_>,
) -> Result<Box<dyn TableSource>> {
    let path = file.path().to_owned();
    let open = || {
        if !format.is_text() {
            return open_bounded(file.clone(), format, row_bytes_max);
        }
        let as_json = format == Format::JsonLines;
        let (schema, typings) = Typings::recorded(names, styles, as_json)?;
        if as_json {
            let table = open_json_target(&file, (schema.clone(), typings.json(&schema)), None, spool)?;
            return Ok(Box::new(table) as Box<dyn TableSource>);
        }
        let layout = CsvFormat { delimiter: media.delimiter, ..CsvFormat::default() };
        let encoder = CsvEncoder::new(names.to_vec(), typings.fields(&schema)?, layout, Wrap::NONE);
        Ok(Box::new(open_csv_target(&file, &encoder, None, spool)?))
    };
    open().map_err(|error| error.in_file(&path))
}

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType, Field, Schema};
    use proptest::prelude::*;

    use super::*;
    use crate::registry::Format;
    use crate::write::encoder;

    /// What reading a text of one column of text finds that is said to be made of parts with these rows and
    /// ends, or the error.
    fn read(format: Format, text: &str, parts: &[(u64, usize)]) -> Result<Vec<usize>> {
        let options = WriteOptions::plain(format);
        let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Utf8, true)]));
        let encoder = encoder(&schema, &Typings::Native, &options)?;
        let mut at = encoder.get().header()?.len() as u64;
        let placed = parts.iter().map(|(rows, end)| {
            let bytes = at..*end as u64;
            at = bytes.end;
            Placed { rows: *rows, bytes, sidecar: Vec::new() }
        });
        let placed: Vec<_> = placed.collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("target");
        std::fs::write(&path, text).unwrap();
        let file = Arc::new(ObjectFile::open(&path)?);
        let table = open_written(file, &options, &encoder, (0, &placed), &Listener::default())?;
        table.check_structure()?;
        let mut row = 0;
        let read = placed.iter().map(|part| -> Result<usize> {
            let rows = row..row + part.rows;
            row = rows.end;
            table.batches(rows)?.map(|batch| batch.map(|batch| batch.num_rows())).sum()
        });
        read.collect()
    }

    #[test]
    fn a_text_is_read_by_its_parts_and_nothing_between_them_is_lost() {
        assert_eq!(read(Format::Csv, "v\na\nb\nc\n", &[(2, 6), (1, 8)]).unwrap(), [2, 1]);
        assert_eq!(read(Format::Csv, "v\n", &[]).unwrap(), [0; 0]);
        assert_eq!(read(Format::Csv, "v\n", &[(0, 2)]).unwrap(), [0]);
        let json = "{\"v\":\"a\"}\n{\"v\":\"b\"}\n{\"v\":\"c\"}\n";
        assert_eq!(read(Format::JsonLines, json, &[(2, 20), (1, 30)]).unwrap(), [2, 1]);
        for (text, parts, told) in [
            ("w\na\nb\n", &[(1, 4), (1, 6)][..], "malformed CSV: does not begin with the header"),
            ("v", &[], "does not begin with the header"),
            ("v\na\nb\n", &[(1, 4)], "more follows"),
            ("v\na\nb\n", &[(1, 4), (1, 7)], "is not where a part begins"),
            ("v\na\nb\n", &[(1, 4), (1, 4), (1, 6)], "is not where a part begins"),
            ("v\na\nb\n", &[(2, 4), (0, 6)], "is not where a part begins"),
            ("v\na,\nb", &[(1, 5), (1, 6)], "does not end here"),
            ("v\nabc\n", &[(1, 4), (1, 6)], "does not end here"),
            ("v\n\"a\nb\"\n", &[(1, 5), (1, 8)], "not closed"),
            ("v\na\nb\nc\n", &[(1, 6), (1, 8)], "counted"),
            ("v\na\nb\nc\n", &[(2, 4), (1, 8)], "counted"),
            ("v\na\nb\nc\n", &[(3, 6), (1, 8)], "counted"),
        ] {
            let error = read(Format::Csv, text, parts).unwrap_err().to_string();
            assert!(error.contains(told), "{text:?}: {error}");
        }
        for (parts, told) in [
            (&[(1, 20), (1, 30)][..], "counted"),
            (&[(2, 10), (1, 30)], "counted"),
            (&[(1, 9), (2, 30)], "does not end here"),
            (&[(2, 20)], "more follows"),
        ] {
            let error = read(Format::JsonLines, json, parts).unwrap_err().to_string();
            assert!(error.contains(told), "{parts:?}: {error}");
        }
    }

    proptest! {
        /// Where a text is cut into parts that are accepted, they have the rows that a scan of all of it
        /// finds.
        #[test]
        fn parts_that_are_accepted_are_what_a_scan_finds(
            text in "[ab\"\n,]{0,24}",
            cuts in proptest::collection::vec((0u64..4, 0usize..26), 0..4),
        ) {
            let text = format!("v\n{text}");
            let mut parts = cuts;
            parts.iter_mut().for_each(|(_, end)| *end = (*end).clamp(2, text.len()));
            parts.sort_by_key(|(_, end)| *end);
            // Parts that do not reach the end are never accepted.
            if let Some((_, end)) = parts.last_mut() {
                *end = text.len();
            }
            if let Ok(rows) = read(Format::Csv, &text, &parts) {
                let options = WriteOptions::plain(Format::Csv);
                let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Utf8, true)]));
                let encoder = encoder(&schema, &Typings::Native, &options).unwrap();
                let dir = tempfile::tempdir().unwrap();
                let path = dir.path().join("target");
                std::fs::write(&path, &text).unwrap();
                let file = Arc::new(ObjectFile::open(&path).unwrap());
                let whole = open_target(file, &options, &encoder, &Listener::default()).unwrap();
                prop_assert_eq!(rows.iter().sum::<usize>() as u64, whole.rows());
            }
        }
    }
}
