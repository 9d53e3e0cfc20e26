//! The suite that every table format must pass. A format is given as a pair of functions; a new one cannot
//! skip it, since the tests run it over the whole table of formats.

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int8Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_schema::{Field, Schema, SchemaRef};
use coherence::content::PartContent;

use crate::cells::logical_schema;
use crate::convert::read_part;
use crate::error::{Error, Result};
use crate::file::ObjectFile;
use crate::table::{Encoded, Placed, TableEncoder, TableSource};

/// Makes an encoder for tables of a schema.
pub type MakeEncoder<'a> = &'a dyn Fn(&SchemaRef) -> Result<Box<dyn TableEncoder>>;

/// Opens a file under the schema that it was made with.
pub type OpenTarget<'a> = &'a dyn Fn(Arc<ObjectFile>, &SchemaRef) -> Result<Box<dyn TableSource>>;

/// A format under test.
pub struct Subject<'a> {
    /// Makes an encoder.
    pub encoder: MakeEncoder<'a>,
    /// Opens a file that the encoder made, under the schema that it was made with.
    pub open: OpenTarget<'a>,
}

/// A small generator of pseudo-random numbers (xorshift64*), so that the suite needs no dependency.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn maybe<T>(&mut self, value: T) -> Option<T> {
        (self.below(5) > 0).then_some(value)
    }
}

/// A table with nulls and with the values that formats get wrong: extremes, NaN, −0.0, empty and odd text.
pub fn sample(seed: u64, rows: usize) -> RecordBatch {
    let mut random = Random(seed | 1);
    let r = &mut random;
    let words =
        ["", "a", "NA", "007", "1.10", "naïve \u{1f600}", "line\nbreak", "say \"hi\", he", " pad ", "null"];
    let floats = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1, 1e300, -5e-324, 16777217.0];
    let mut lists = ListBuilder::new(Int32Builder::new());
    for _ in 0..rows {
        let list: Vec<_> = (0..r.below(4)).map(|_| r.maybe(r.0 as i32)).collect();
        lists.append_option(r.maybe(list));
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("flag", Arc::new(BooleanArray::from_iter((0..rows).map(|_| r.maybe(r.0.is_multiple_of(2)))))),
        ("tiny", Arc::new(Int8Array::from_iter((0..rows).map(|_| r.maybe(r.0 as i8))))),
        ("id", Arc::new(Int64Array::from_iter_values((0..rows).map(|_| r.next() as i64)))),
        ("big", Arc::new(UInt64Array::from_iter((0..rows).map(|_| r.maybe(u64::MAX - r.0 % 3))))),
        (
            "ratio",
            Arc::new(Float64Array::from_iter(
                (0..rows).map(|_| r.maybe(floats[r.0 as usize % floats.len()])),
            )),
        ),
        ("price", Arc::new(decimals(r, rows))),
        (
            "name",
            Arc::new(StringArray::from_iter((0..rows).map(|_| r.maybe(words[r.0 as usize % words.len()])))),
        ),
        ("raw", Arc::new(BinaryArray::from_iter((0..rows).map(|_| r.maybe(r.0.to_le_bytes()))))),
        ("day", Arc::new(Date32Array::from_iter((0..rows).map(|_| r.maybe(r.0 as i32 % 20_000))))),
        (
            "at",
            Arc::new(
                TimestampMicrosecondArray::from_iter((0..rows).map(|_| r.maybe((r.0 >> 15) as i64)))
                    .with_timezone("UTC"),
            ),
        ),
        ("list", Arc::new(lists.finish())),
    ];
    let fields: Vec<_> =
        columns.iter().map(|(name, a)| Field::new(*name, a.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    match RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays) {
        Ok(batch) => batch,
        Err(error) => unreachable!("the sample is well-formed: {error}"),
    }
}

fn decimals(r: &mut Random, rows: usize) -> Decimal128Array {
    let values = (0..rows).map(|_| r.maybe(i128::from(r.0 as i64) * 1_000));
    let array = Decimal128Array::from_iter(values);
    match array.with_precision_and_scale(30, 4) {
        Ok(array) => array,
        Err(error) => unreachable!("30 digits hold every sample: {error}"),
    }
}

/// Writes `batch` in parts of the given rows, as a target is written.
pub fn write(encoder: &dyn TableEncoder, batch: &RecordBatch, parts: &[Range<usize>]) -> Result<Vec<u8>> {
    let mut bytes = encoder.header()?;
    let mut placed = Vec::new();
    for rows in parts {
        let mut part = encoder.part(rows.start as u64)?;
        let mut at = rows.start;
        while at < rows.end {
            let n = (rows.end - at).min(1_000);
            part.push(&batch.slice(at, n))?;
            at += n;
        }
        let Encoded { rows, bytes: more, sidecar } = part.finish()?;
        let start = bytes.len() as u64;
        bytes.extend(more.concat()?);
        placed.push(Placed { rows, bytes: start..bytes.len() as u64, sidecar });
    }
    bytes.extend(encoder.footer(&placed)?);
    Ok(bytes)
}

/// A file of these bytes that no directory lists.
pub fn file_of(bytes: &[u8]) -> Result<Arc<ObjectFile>> {
    let failed = |error| Error::io("conformance.tmp", error);
    let mut file = tempfile::tempfile().map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    Ok(Arc::new(ObjectFile::from_file(file, Path::new("conformance.tmp"))?))
}

fn content(table: &dyn TableSource, rows: Range<u64>) -> Result<PartContent> {
    read_part(table, rows, &logical_schema(table.schema())?, &|_| Ok(()))
}

fn expect(holds: bool, what: impl Into<String>) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Bug(what.into())) }
}

/// What goes in comes out, however it is cut into parts; and every run of rows can be read alone.
pub fn round_trip(subject: &Subject<'_>) -> Result<()> {
    for (seed, rows) in [(1, 0), (2, 1), (3, 10_000)] {
        let batch = sample(seed, rows);
        let schema = batch.schema();
        let want = content(&Fixed(batch.clone(), schema.clone()), 0..rows as u64)?;
        let encoder = (subject.encoder)(&schema)?;
        for cuts in [vec![0, rows], vec![0, rows / 3, rows / 3, rows]] {
            let parts: Vec<_> = cuts.windows(2).map(|pair| pair[0]..pair[1]).collect();
            let bytes = write(encoder.as_ref(), &batch, &parts)?;
            expect(bytes == write(encoder.as_ref(), &batch, &parts)?, "the same rows gave other bytes")?;
            let table = (subject.open)(file_of(&bytes)?, &schema)?;
            expect(table.rows() == rows as u64, format!("{} rows came out of {rows}", table.rows()))?;
            table.check_structure()?;
            let got = content(table.as_ref(), 0..rows as u64)?;
            let (left, right) = (logical_schema(&schema)?, logical_schema(table.schema())?);
            expect(left == right, format!("the schema became {right:?}"))?;
            let first = got.grid.mismatches(&got.leaves, &want.leaves).next();
            expect(got == want, format!("the content changed, first at {first:?}"))?;
            for range in [0..rows / 2, rows / 2..rows, rows / 7..rows / 5] {
                let part = batch.slice(range.start, range.len());
                let want = content(&Fixed(part, schema.clone()), 0..range.len() as u64)?;
                let got = content(table.as_ref(), range.start as u64..range.end as u64)?;
                expect(got == want, format!("rows {range:?} read alone are not those rows"))?;
            }
        }
    }
    Ok(())
}

/// Truncated and flipped bytes give an error or other content, never a panic. Where the format ends with a
/// footer (`truncation_is_refused`), no truncated file is read at all. Returns how many of the damaged files
/// were refused.
pub fn damage(subject: &Subject<'_>, truncation_is_refused: bool) -> Result<usize> {
    let batch = sample(4, 50);
    let schema = batch.schema();
    let encoder = (subject.encoder)(&schema)?;
    let bytes = write(encoder.as_ref(), &batch, &[0..20, 20..50])?;
    let read = |bytes: &[u8]| -> Result<PartContent> {
        let table = (subject.open)(file_of(bytes)?, &schema)?;
        content(table.as_ref(), 0..table.rows())
    };
    let want = read(&bytes)?;
    let mut refused = 0;
    for cut in 0..bytes.len() {
        match read(&bytes[..cut]) {
            Ok(got) => {
                let seen = !truncation_is_refused && got.units <= want.units;
                expect(seen, format!("cut at {cut} went unseen"))?;
            }
            Err(Error::Bug(what)) => return Err(Error::Bug(format!("cut at {cut}: {what}"))),
            Err(_) => refused += 1,
        }
    }
    let mut random = Random(99);
    for _ in 0..2_000 {
        let mut damaged = bytes.clone();
        let at = random.below(bytes.len() as u64) as usize;
        damaged[at] ^= 1 << random.below(8);
        match read(&damaged) {
            Err(Error::Bug(what)) => return Err(Error::Bug(format!("flip in byte {at}: {what}"))),
            Err(_) => refused += 1,
            Ok(_) => {}
        }
    }
    Ok(refused)
}

/// A batch as a table, to compare with.
struct Fixed(RecordBatch, SchemaRef);

impl TableSource for Fixed {
    fn schema(&self) -> &SchemaRef {
        &self.1
    }

    fn rows(&self) -> u64 {
        self.0.num_rows() as u64
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        rows
    }

    fn batches(&self, rows: Range<u64>) -> Result<crate::table::Batches<'_>> {
        let batch = self.0.slice(rows.start as usize, (rows.end - rows.start) as usize);
        Ok(Box::new(std::iter::once(Ok(batch))))
    }

    fn check_structure(&self) -> Result<()> {
        Ok(())
    }
}
