//! Provides JSON Lines as a typed table, and the encoder of such text.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::decode::Records;
use super::layouts::{Layouts, Left};
use super::scalar::push_string;
use super::{Encoder, JsonProfile, Mark, Reader, Resolved, Scan, Typing};
use crate::bytes::Settings;
use crate::error::Result;
use crate::limits::{LONG_BUFFER_BYTES_MIN, RECORD_COPIES};
use crate::pieces::Pieces;
use crate::spool::{ReadAt, TextFile, Wrap, Wrapping};
use crate::table::{Batches, Encoded, PartEncoder, Placed, TableEncoder, TableSource, rows_bytes};

/// JSON Lines under a typing of its columns.
pub struct JsonTable {
    text: Arc<TextFile>,
    scan: Scan,
    schema: SchemaRef,
    typings: Vec<Typing>,
    /// Rows of the whole that stand before these.
    before: u64,
    /// Layouts of floating point numbers that are decided only by reading the table.
    left: Option<Left>,
}

impl JsonTable {
    /// A table over scanned text.
    pub fn new(text: Arc<TextFile>, scan: Scan, schema: SchemaRef, typings: Vec<Typing>) -> Self {
        JsonTable { text, scan, schema, typings, before: 0, left: None }
    }

    /// The text.
    pub(crate) fn text(&self) -> &TextFile {
        &self.text
    }

    /// Styles of the columns.
    pub fn typings(&self) -> &[Typing] {
        &self.typings
    }

    /// Takes another schema and other styles.
    pub fn retype(&mut self, resolved: &Resolved) {
        self.schema = resolved.schema.clone();
        self.typings = resolved.typings.clone();
        self.left = None;
    }

    /// Takes any of these layouts for the floating point numbers of each column until [`JsonTable::settle`].
    pub(crate) fn leave(&mut self, layouts: &[Layouts]) {
        self.left = Some(Left::new(layouts));
    }

    /// Once all rows were read: takes the preferred one of the layouts that give back all of them. Says
    /// whether these are others than before.
    pub(crate) fn settle(&mut self) -> bool {
        let Some(left) = self.left.take() else { return false };
        let before = std::mem::take(&mut self.typings);
        self.typings = left.settle(&before);
        self.typings != before
    }

    /// The same table as a piece of another one, in which so many rows stand before it: exceptions to a style
    /// stand in rows of the whole.
    pub(crate) fn after(self, rows: u64) -> Self {
        JsonTable { before: rows, ..self }
    }

    /// Takes other typings, as such a piece.
    pub(crate) fn retype_after(&mut self, rows: u64, resolved: &Resolved) {
        self.retype(resolved);
        self.before = rows;
    }

    /// Number of chunks.
    pub fn chunks(&self) -> usize {
        self.scan.marks.len()
    }

    /// Observes all records of one chunk.
    pub fn observe_chunk(&self, chunk: usize) -> Result<JsonProfile> {
        observe(&self.text, &self.scan, chunk..chunk + 1)
    }

    /// The same, with records numbered after `rows` others.
    pub fn observe_chunk_after(&self, rows: u64, chunk: usize) -> Result<JsonProfile> {
        let after = |mark: Mark| Mark { row: mark.row + rows, ..mark };
        let (from, to) = (self.mark(chunk as u64), self.mark(chunk as u64 + 1));
        observe_span(&self.text, (after(from), after(to)), self.scan.keys_max)
    }

    /// Those of these columns whose key stands in no record. The text of a key in any other place counts as
    /// one, so this may be fewer.
    pub(crate) fn without_keys<'a>(&self, mut names: Vec<&'a str>) -> Result<Vec<&'a str>> {
        let mut records = Records::new(self.text.as_ref(), self.mark(0), self.scan.end);
        while !names.is_empty()
            && let Some(record) = records.next_record()?
        {
            names.retain(|name| {
                let mut key = Vec::new();
                push_string(name.as_bytes(), &mut key);
                memchr::memmem::find(record.text, &key).is_none()
            });
        }
        Ok(names)
    }

    fn mark(&self, chunk: u64) -> Mark {
        let index = usize::try_from(chunk).unwrap_or(usize::MAX);
        self.scan.marks.get(index).copied().unwrap_or(self.scan.end)
    }

    /// The last mark before `rows`, and the first one after them.
    fn span(&self, rows: &Range<u64>) -> (Mark, Mark) {
        let Scan { marks, end, .. } = &self.scan;
        let begun = marks.partition_point(|mark| mark.row <= rows.start);
        let first = if rows.start < end.row { begun.saturating_sub(1) } else { marks.len() };
        let next = marks.partition_point(|mark| mark.row < rows.end).max(first);
        (self.mark(first as u64), self.mark(next as u64))
    }
}

/// Observes all records of some chunks.
pub fn observe(text: &TextFile, scan: &Scan, chunks: Range<usize>) -> Result<JsonProfile> {
    let from = scan.marks.get(chunks.start).copied().unwrap_or(scan.end);
    let to = scan.marks.get(chunks.end).copied().unwrap_or(scan.end);
    observe_span(text, (from, to), scan.keys_max)
}

fn observe_span(text: &TextFile, (from, to): (Mark, Mark), keys_max: usize) -> Result<JsonProfile> {
    let mut profile = JsonProfile::within(keys_max);
    let mut records = Records::new(text, from, to);
    let placed = |error| text.placed(error);
    while let Some(record) = records.next_record().map_err(placed)? {
        profile.observe(record).map_err(placed)?;
    }
    Ok(profile)
}

impl TableSource for JsonTable {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(&self) -> u64 {
        self.scan.end.row
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        let (from, to) = self.span(&rows);
        from.byte..to.byte
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let (from, to) = self.span(&rows);
        let reader =
            Reader::new(self.text.as_ref(), from, to, &self.schema, &self.typings)?.after(self.before);
        let reader = match &self.left {
            Some(left) => reader.leaving(left),
            None => reader,
        };
        Ok(crate::table::trimmed(Box::new(reader), from.row, rows))
    }

    fn held_bytes(&self) -> u64 {
        self.scan.longest * RECORD_COPIES
    }

    /// The scan and the decoder both read the text from end to end, so nothing is left over.
    fn check_structure(&self) -> Result<()> {
        Ok(())
    }
}

/// Encodes parts of JSON Lines. Each part is wrapped alone.
pub struct JsonEncoder {
    schema: SchemaRef,
    typings: Vec<Typing>,
    wrap: Wrap,
}

impl JsonEncoder {
    /// An encoder for tables of this schema in these styles.
    ///
    /// # Errors
    /// A type that JSON cannot hold.
    pub fn new(schema: SchemaRef, typings: Vec<Typing>, wrap: Wrap) -> Result<Self> {
        Encoder::new(&schema, &typings)?;
        Ok(JsonEncoder { schema, typings, wrap })
    }

    /// What goes around the text.
    pub(crate) fn wrapping(&self) -> Wrapping {
        self.wrap.codec()
    }

    /// The schema under which the text is read back.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Styles of the columns.
    pub fn typings(&self) -> &[Typing] {
        &self.typings
    }
}

impl TableEncoder for JsonEncoder {
    fn header(&self) -> Result<Vec<u8>> {
        Ok(self.wrap.begin())
    }

    fn part(&self, first_row: u64) -> Result<Box<dyn PartEncoder + '_>> {
        let encoder = Encoder::new(&self.schema, &self.typings)?;
        let (text, batch) = (Pieces::default(), Vec::new());
        Ok(Box::new(Part { encoder, wrap: &self.wrap, first_row, rows: 0, text, batch }))
    }

    fn footer(&self, placed: &[Placed]) -> Result<Vec<u8>> {
        self.wrap.end(placed.iter().all(|part| part.bytes.is_empty()))
    }

    fn member(&self) -> Option<Settings> {
        self.wrap.member()
    }
}

struct Part<'a> {
    encoder: Encoder,
    wrap: &'a Wrap,
    /// Row of the table with which the part begins.
    first_row: u64,
    rows: u64,
    text: Pieces,
    /// The text of one batch.
    batch: Vec<u8>,
}

impl PartEncoder for Part<'_> {
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let bytes = rows_bytes(batch)?;
        if bytes >= LONG_BUFFER_BYTES_MIN {
            // Room that is not filled takes no memory, and moving to larger room takes it twice.
            self.batch.reserve(2 * bytes);
        }
        self.encoder.write(batch, self.first_row + self.rows, &mut self.batch)?;
        self.rows += batch.num_rows() as u64;
        self.text.drain(&mut self.batch)
    }

    fn finish(self: Box<Self>) -> Result<Encoded> {
        let bytes = self.wrap.wrap_pieces(self.text)?;
        Ok(Encoded { rows: self.rows, bytes, sidecar: Vec::new() })
    }
}
