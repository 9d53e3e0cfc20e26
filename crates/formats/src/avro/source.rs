//! Provides [`AvroSource`]: rows of an Avro file, by range, under the limits of this crate.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, RecordBatchOptions, StructArray};
use arrow_schema::SchemaRef;

use super::NAME;
use super::codec::{Codec, Spoilt};
use super::column::Column;
use super::container::{Header, Index, MAGIC, SYNC_BYTES, block_at, block_bytes_max, too_large};
use super::cursor::Cursor;
use super::schema::{self, Shape};
use super::schema_json;
use crate::carry::{Carrier, RECORD_KEY};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::limits::{BATCH_BYTES, BATCH_ROWS, NULL_BYTES_MAX, SHARED_BATCH_BYTES};
use crate::metadata::listed;
use crate::normal;
use crate::table::{Batches, TableSource};

/// Decoded source bytes after which a batch is closed.
const BATCH_BYTES_MAX: usize = 4 * BATCH_BYTES;

/// An Avro file as a table.
#[derive(Debug)]
pub struct AvroSource {
    file: Arc<ObjectFile>,
    header: Header,
    shape: Shape,
    index: Index,
    block_bytes_max: usize,
    physical: SchemaRef,
    /// What the writer recorded of types that Avro lacks.
    carrier: Option<Carrier>,
}

impl AvroSource {
    /// Reads the header of `file` and walks its blocks, which must tile the file. A row may have so many
    /// bytes, and a block twice as many.
    ///
    /// # Errors
    /// Malformed bytes; a header or a block above its limit; a codec or a type that is not read here; a
    /// record of types that does not describe the file.
    pub fn open(file: Arc<ObjectFile>, row_bytes_max: usize) -> Result<Self> {
        let header = Header::read(&file)?;
        // The header, which the schema is in, begins behind the magic.
        let parsed = schema::parse(&header.schema);
        let (shape, schema) = parsed.map_err(|error| error.or_at(MAGIC.len() as u64))?;
        let block_bytes_max = block_bytes_max(row_bytes_max);
        let index = Index::walk(&file, &header, shape.bytes_min(), block_bytes_max)?;
        let metadata = foreign(&header).map(|(key, value)| (key.to_owned(), value.to_owned()));
        let physical = Arc::new(schema.with_metadata(metadata.collect()));
        let record = header.metadata.iter().find(|(key, _)| key == RECORD_KEY);
        let carrier = match record {
            Some((key, value)) => {
                let text = std::str::from_utf8(value).map_err(|_| {
                    Error::malformed(NAME, Place::default(), format!("the metadata value {key} is not UTF-8"))
                })?;
                Some(Carrier::restore(&physical, text)?)
            }
            None => None,
        };
        Ok(AvroSource { file, header, shape, index, block_bytes_max, physical, carrier })
    }

    /// Key-value metadata of the file, but for the library's own entries and values that are not text.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        foreign(&self.header)
    }

    /// How the writer held types that Avro lacks; none where it recorded nothing.
    pub fn carrier(&self) -> Option<&Carrier> {
        self.carrier.as_ref()
    }
}

/// The entries of the header that are neither the format's nor ours, as far as they are text.
fn foreign(header: &Header) -> impl Iterator<Item = (&str, &str)> {
    let entries = header.metadata.iter().filter(|(key, _)| key != RECORD_KEY && !key.starts_with("avro."));
    entries.filter_map(|(key, value)| Some((key.as_str(), std::str::from_utf8(value).ok()?)))
}

impl TableSource for AvroSource {
    /// What of the file no other format keeps: entries that are not text, and what the schema says of its
    /// fields besides their types.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let entries = self.header.metadata.iter().filter(|(key, _)| !key.starts_with("avro."));
        let binary = entries.filter(|(_, value)| std::str::from_utf8(value).is_err());
        let binary: Vec<&str> = binary.map(|(key, _)| key.as_str()).collect();
        if !binary.is_empty() {
            notes.push(format!("metadata of Avro that is not text: {} not kept", listed(&binary)));
        }
        let said = schema_json::remarks(&self.header.schema);
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        if !said.is_empty() {
            notes.push(format!("the Avro schema says more than types: {} not kept", listed(&said)));
        }
        notes
    }

    fn schema(&self) -> &SchemaRef {
        self.carrier.as_ref().map_or(&self.physical, Carrier::logical)
    }

    fn rows(&self) -> u64 {
        self.index.rows()
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        let (_, start) = self.index.before(rows.start);
        start..self.index.after(rows.end).max(start)
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        if rows.start > rows.end || rows.end > self.rows() {
            return Err(Error::Bug(format!("rows {rows:?} of a table of {}", self.rows())));
        }
        let (first, at) = self.index.before(rows.start);
        let places = (NULL_BYTES_MAX / 4) / self.shape.place_bytes().max(1);
        let mut reader = Rows {
            file: &self.file,
            codec: self.header.codec,
            sync: self.header.sync,
            block_bytes_max: self.block_bytes_max,
            column: Column::new(&self.shape),
            batch_rows: places.clamp(1, BATCH_ROWS) as u64,
            next_block: at,
            block: Vec::new(),
            block_start: at,
            at: 0,
            block_left: 0,
            row: first,
        };
        let mut start = Some(rows.start);
        let end = rows.end;
        Ok(Box::new(std::iter::from_fn(move || {
            let skipped = start.take().map_or(Ok(()), |start| reader.skip_to(start, end));
            if let Err(error) = skipped {
                reader.row = end;
                return Some(Err(error));
            }
            if reader.row >= end {
                return None;
            }
            let before = reader.row;
            let batch = reader.batch(end);
            let batch =
                batch.and_then(|batch| self.logical(batch).map_err(|error| error.rows_before(before)));
            if batch.is_err() {
                reader.row = end;
            }
            Some(batch)
        })))
    }

    /// Opening the file has walked it: header and blocks tile it, and decoding a block uses up its bytes.
    fn check_structure(&self) -> Result<()> {
        Index::walk(&self.file, &self.header, self.shape.bytes_min(), self.block_bytes_max).map(|_| ())
    }

    /// A block is held as it is stored and unpacked, and its largest row once more.
    fn held_bytes(&self) -> u64 {
        self.index.largest.saturating_mul(2)
    }
}

impl AvroSource {
    fn logical(&self, batch: StructArray) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.len()));
        let columns = batch.columns().to_vec();
        let batch = RecordBatch::try_new_with_options(self.physical.clone(), columns, &options)
            .map_err(|error| Error::malformed(NAME, Place::default(), error.to_string()))?;
        let batch = normal::batch(&batch, &self.physical)?;
        match &self.carrier {
            Some(carrier) => carrier.from_physical(&batch),
            None => Ok(batch),
        }
    }
}

/// Rows in order, from one block on.
struct Rows<'a> {
    file: &'a ObjectFile,
    codec: Codec,
    sync: [u8; SYNC_BYTES],
    block_bytes_max: usize,
    column: Column,
    batch_rows: u64,
    /// Where the next block begins.
    next_block: u64,
    /// The decompressed bytes of the current block, and where its stored bytes lie.
    block: Vec<u8>,
    block_start: u64,
    /// Position in the block, and the rows that are left in it.
    at: usize,
    block_left: u64,
    /// Number of the next row.
    row: u64,
}

impl Rows<'_> {
    /// Goes on to row `start`. Rows of the same block are decoded and dropped: only they say where they end.
    fn skip_to(&mut self, start: u64, end: u64) -> Result<()> {
        while self.row < start {
            if self.block_left == 0 {
                let block = block_at(self.file, self.next_block, self.block_bytes_max)?;
                if self.row + block.rows <= start {
                    self.row += block.rows;
                    self.next_block = block.end();
                    continue;
                }
            }
            self.batch(start.min(end))?;
        }
        Ok(())
    }

    /// The next rows, up to `end`, as one record array.
    fn batch(&mut self, end: u64) -> Result<StructArray> {
        let (first, mut bytes, mut budget) = (self.row, 0usize, NULL_BYTES_MAX);
        let spent = |budget: usize| NULL_BYTES_MAX - budget >= SHARED_BATCH_BYTES;
        while self.row < end
            && self.row - first < self.batch_rows
            && bytes < BATCH_BYTES_MAX
            && !spent(budget)
        {
            if self.block_left == 0 {
                self.next_block()?;
                continue;
            }
            let mut cursor = Cursor::new(&self.block, self.at, budget);
            let room = end.min(first + self.batch_rows) - self.row;
            for _ in 0..room.min(self.block_left) {
                self.column
                    .decode(&mut cursor)
                    .map_err(|fault| self.fault(fault.at, self.row, fault.what))?;
                self.row += 1;
                self.block_left -= 1;
                if bytes + (cursor.at() - self.at) >= BATCH_BYTES_MAX || spent(cursor.budget()) {
                    break;
                }
            }
            bytes += cursor.at() - self.at;
            budget = cursor.budget();
            self.at = cursor.at();
            if self.block_left == 0 && self.at != self.block.len() {
                let left = self.block.len() - self.at;
                return Err(self.fault(
                    self.at,
                    self.row,
                    format!("{left} bytes are left after the rows of a block"),
                ));
            }
        }
        if self.block_left == 0 {
            // Nothing is left in it, and who gets the rows needs memory too.
            self.block = Vec::new();
        }
        let rows = usize::try_from(self.row - first).map_err(|error| Error::Bug(error.to_string()))?;
        let array = self.column.finish(rows).map_err(|what| {
            let place = Place { row: Some(first + 1), ..Place::at_byte(self.block_start) };
            Error::malformed(NAME, place, format!("{what}, in this record or one of the {rows} from it"))
        })?;
        Ok(array.as_struct().clone())
    }

    fn next_block(&mut self) -> Result<()> {
        let block = block_at(self.file, self.next_block, self.block_bytes_max)?;
        self.block = Vec::new();
        let mut stored = vec![0; block.length + SYNC_BYTES];
        self.file.read_exact_at(&mut stored, block.start)?;
        if stored[block.length..] != self.sync {
            return Err(Error::Changed(self.file.path().to_owned()));
        }
        stored.truncate(block.length);
        self.block = self.codec.decompress(stored, self.block_bytes_max).map_err(|spoilt| match spoilt {
            Spoilt::Bytes(what) => Error::malformed(NAME, Place::at_byte(block.start), what),
            Spoilt::TooLarge => too_large(block.start, self.block_bytes_max),
        })?;
        self.next_block = block.end();
        self.block_start = block.start;
        self.at = 0;
        self.block_left = block.rows;
        if block.rows == 0 && !self.block.is_empty() {
            return Err(self.fault(0, self.row, "a block without rows has bytes".into()));
        }
        Ok(())
    }

    /// An error in the current block. Offsets in compressed blocks are those of the block.
    fn fault(&self, at: usize, row: u64, what: String) -> Error {
        let byte = match self.codec {
            Codec::Null => self.block_start + at as u64,
            _ => self.block_start,
        };
        Error::malformed(NAME, Place { row: Some(row + 1), ..Place::at_byte(byte) }, what)
    }
}
