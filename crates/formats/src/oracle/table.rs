//! Provides the oracle of every format: bytes that open as a table are read in any two pieces alike, and
//! survive being written and read again.

use std::ops::Range;

use coherence::content::{PartContent, TableDigester};
use coherence::schema::Schema;

use super::{Held, choice, file, law, refusal, same};
use crate::cells::logical_schema;
use crate::convert::{convert_part, push, read_part};
use crate::csv::{BadRecords, CsvOptions};
use crate::error::{Error, Result};
use crate::listen::Listener;
use crate::open::{OpenOptions, Opened, TypingRules, open, open_target};
use crate::registry::{FORMATS, Format};
use crate::spool::EncodingChoice;
use crate::table::{Placed, TableSource};
use crate::write::{Encoder, WriteOptions, encoder};

/// Rows that are looked at: more than one batch. A few bytes can rightly stand for billions of rows.
const ROWS_MAX: u64 = 10_000;

/// Bytes of this format.
pub fn table_of(format: Format, bytes: &[u8]) -> Held {
    match format.is_text() {
        true => text(bytes, format),
        false => table(bytes, "a.table", &options(Some(format))).map(|_| ()),
    }
}

/// Bytes under a name whose ending the first of them chooses: what the detection of formats makes of both.
pub fn any(bytes: &[u8]) -> Held {
    let (chosen, bytes) = choice(bytes);
    let endings: Vec<&str> = FORMATS.iter().flat_map(|format| format.endings()).map(String::as_str).collect();
    let ending = endings.get(usize::from(chosen) % (endings.len() + 1));
    table(bytes, &format!("a.{}", ending.unwrap_or(&"")), &options(None)).map(|_| ())
}

/// Text that is refused for a bad record is read again with bad records set aside.
fn text(bytes: &[u8], format: Format) -> Held {
    let strict = OpenOptions { encoding: EncodingChoice::Guess, ..options(Some(format)) };
    if table(bytes, "a.text", &strict)? == Outcome::Refused {
        table(bytes, "a.text", &OpenOptions { bad: BadRecords::SetAside, ..strict })?;
    }
    Ok(())
}

fn options(format: Option<Format>) -> OpenOptions {
    OpenOptions {
        arrays: None,
        led: Vec::new(),
        format,
        csv: CsvOptions::default(),
        typing: TypingRules::default(),
        certified: None,
        encoding: EncodingChoice::default(),
        presence: false,
        bad: BadRecords::Fail,
        record_bytes_max: usize::MAX,
        keys_max: usize::MAX,
        row_bytes_max: usize::MAX,
        workers: 1,
        spool_dir: std::env::temp_dir(),
        listener: Listener::default(),
    }
}

/// How far the bytes came.
#[derive(PartialEq)]
enum Outcome {
    Refused,
    Survived,
}

fn refused(error: Error, name: &str) -> std::result::Result<Outcome, String> {
    refusal(&error.in_file(name.as_ref())).map(|()| Outcome::Refused)
}

/// Opens bytes and does with the table all that a conversion does.
fn table(bytes: &[u8], name: &str, options: &OpenOptions) -> std::result::Result<Outcome, String> {
    let object = file(bytes, name).map_err(|error| error.to_string())?;
    let mut opened = match open(object, options) {
        Ok(opened) => opened,
        Err(error) => return refused(error, name),
    };
    if opened.is_undecided() {
        opened.retype(&alone).map_err(|error| format!("a first look at all of the text: {error}"))?;
    }
    let rows = 0..opened.table().rows().min(ROWS_MAX);
    let schema = match logical_schema(opened.table().schema()) {
        Ok(schema) => schema,
        Err(error) => return refused(error, name),
    };
    let mut whole = read_part(opened.table(), rows.clone(), &schema, &|_| Ok(()));
    let mut schema = schema;
    if matches!(whole, Err(Error::Retype { .. })) && opened.can_retype() {
        opened.retype(&alone).map_err(|error| format!("a second look at the same text: {error}"))?;
        schema = logical_schema(opened.table().schema()).map_err(|error| error.to_string())?;
        whole = read_part(opened.table(), rows.clone(), &schema, &|_| Ok(()));
    }
    let whole = match whole {
        Ok(whole) => whole,
        Err(error) => return refused(error, name),
    };
    same(&whole.units, &rows.end, "not as many rows were decoded as the table has")?;
    if !passes_over_levels(&opened) {
        in_two(opened.table(), rows.end, &schema, &whole)?;
    }
    if opened.table().check_structure().is_err() {
        return Ok(Outcome::Refused);
    }
    // The other format is chosen by the bytes, so that an input always goes the same way.
    let sum = bytes.iter().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    for format in [opened.format, FORMATS[sum % FORMATS.len()]] {
        if let Err(broken) = rewritten(&opened, format, rows.clone(), &schema, &whole) {
            // Styles in the metadata of a source are advice that its values need not fit.
            law(format.is_text() && opened.forget_advice(), || broken)?;
            rewritten(&opened, format, rows.clone(), &schema, &whole)?;
        }
    }
    Ok(Outcome::Survived)
}

/// Rows are read alike in two pieces and at once.
fn in_two(table: &dyn TableSource, rows: u64, schema: &Schema, whole: &PartContent) -> Held {
    let cut = rows / 2;
    let halves = pieces(table, &[0..cut, cut..rows], schema);
    let halves = halves.map_err(|error| format!("rows that were read at once are refused apart: {error}"))?;
    law(halves == *whole, || {
        let first = whole.grid.mismatches(&halves.leaves, &whole.leaves).next();
        format!("rows read in two pieces, cut at {cut}, are other rows, first at {first:?} of {schema:?}")
    })
}

/// Whether rows are passed over by the levels of nested columns. Where those are damaged, the library comes
/// out at other rows than where it reads them all.
fn passes_over_levels(opened: &Opened) -> bool {
    let nested = || opened.table().schema().fields().iter().any(|field| field.data_type().is_nested());
    opened.format == Format::Parquet && nested()
}

/// A pool of the one thread that calls.
fn alone(
    count: usize,
    make: &(dyn Fn(usize) -> Result<crate::open::Profiled> + Sync),
    take: &mut (dyn FnMut(crate::open::Profiled) -> Result<()> + Send),
) -> Result<()> {
    (0..count).try_for_each(|index| take(make(index)?))
}

/// The content of some rows, read piece by piece.
fn pieces(table: &dyn TableSource, ranges: &[Range<u64>], schema: &Schema) -> Result<PartContent> {
    let mut digester = TableDigester::new(schema);
    for rows in ranges {
        for batch in table.batches(rows.clone())? {
            push(&mut digester, &batch?)?;
        }
    }
    Ok(digester.finish())
}

/// Writes the rows in a format and reads them back. That the format cannot hold them is no breach.
fn rewritten(opened: &Opened, format: Format, rows: Range<u64>, schema: &Schema, want: &PartContent) -> Held {
    let write = WriteOptions::plain(format);
    let delimited = matches!(format, Format::Csv | Format::Tsv);
    if delimited && schema.fields.is_empty() {
        // Delimited text has a column at least, and without rows there is none to lose.
        return Ok(());
    }
    let table = opened.table();
    let encoder = match encoder(table.schema(), &opened.typings(), &write) {
        Ok(encoder) => encoder,
        // What a format cannot hold at all has no place in the source.
        Err(Error::Unsupported { .. } | Error::Limit { .. } | Error::Misuse(_)) => return Ok(()),
        Err(error) => return refusal(&error),
    };
    let bytes = match encoded(table, &encoder, rows, schema, want)? {
        Ok(bytes) => bytes,
        Err(error) => return refusal(&error),
    };
    let name = format.name();
    let object = file(&bytes, "target").map_err(|error| error.to_string())?;
    let back = open_target(object, &write, &encoder, &Listener::default());
    let back = back.map_err(|error| format!("what was written as {name} does not open: {error}"))?;
    back.check_structure().map_err(|error| format!("what was written as {name} does not tile: {error}"))?;
    let found = logical_schema(back.schema()).map_err(|error| error.to_string())?;
    same(&found, schema, &format!("the schema changed on its way through {name}"))?;
    same(&back.rows(), &want.units, &format!("the number of rows changed on its way through {name}"))?;
    let got = read_part(back.as_ref(), 0..want.units, schema, &|_| Ok(()));
    let got = got.map_err(|error| format!("what was written as {name} does not read: {error}"))?;
    law(got == *want, || {
        let first = got.grid.mismatches(&got.leaves, &want.leaves).next();
        format!("the content changed on its way through {name}, first at {first:?}, of {schema:?}")
    })
}

/// A target of one part.
fn encoded(
    table: &dyn TableSource,
    encoder: &Encoder,
    rows: Range<u64>,
    schema: &Schema,
    want: &PartContent,
) -> std::result::Result<Result<Vec<u8>>, String> {
    let converted = match convert_part(table, rows, encoder.get(), schema, &|_| Ok(())) {
        Ok(converted) => converted,
        Err(error) => return Ok(Err(error)),
    };
    law(converted.content == *want, || "the same rows, decoded again, are other rows".into())?;
    let made = || {
        let mut bytes = encoder.get().header()?;
        let start = bytes.len() as u64;
        bytes.extend(converted.encoded.bytes.concat()?);
        let (rows, sidecar) = (converted.encoded.rows, converted.encoded.sidecar.clone());
        let placed = Placed { rows, bytes: start..bytes.len() as u64, sidecar };
        bytes.extend(encoder.get().footer(&[placed])?);
        Ok(bytes)
    };
    Ok(made())
}
