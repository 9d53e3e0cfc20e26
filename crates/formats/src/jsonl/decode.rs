//! Provides the reading of records into Arrow batches under a known schema and typing.
//!
//! Decoding is strict: whatever the typing would not write back the same ends in `Error::Retype`, whatever is
//! not JSON in `Error::Malformed`, each with its record and byte.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};

use super::fields::Fields;
use super::layouts::Left;
use super::lexer::Cursor;
use super::scan::{BLOCK_BYTES, Mark};
use super::typing::Typing;
use super::{Record, builder, fault, is_blank, not_an_object, not_utf8, too_long};
use crate::spool::ReadAt;
use crate::{Error, Place, Result, limits};

/// Reads records one by one and gives out batches.
pub struct Decoder {
    schema: SchemaRef,
    columns: Fields,
    rows: usize,
    /// Bytes that the absent values since the last batch hold.
    absent_bytes: usize,
    /// Records of the table before those of this file.
    before: u64,
}

impl Decoder {
    /// A decoder for this schema, with one typing for each column: those of `Resolved`, or
    /// `Typing::of_schema` for text that this crate wrote. Errors: `Unsupported` for what cannot stand in
    /// JSON, `Misuse` where typings do not belong to the schema.
    pub fn new(schema: &Schema, typings: &[Typing]) -> Result<Self> {
        builder::check_fields(schema.fields(), 0)?;
        let fields = schema.fields().iter().map(builder::plain_field);
        let fields = match typings.len() == schema.fields().len() {
            true => fields.zip(typings).map(|(field, typing)| typing.told(&field)).collect(),
            false => fields.collect(),
        };
        let columns = builder::columns(&fields, typings)?;
        let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        Ok(Decoder { schema, columns, rows: 0, absent_bytes: 0, before: 0 })
    }

    /// The same for a file whose records stand in the table after so many others.
    #[must_use]
    pub fn after(self, before: u64) -> Self {
        Decoder { before, ..self }
    }

    /// The schema of the batches: the given one, with dictionaries and runs replaced by their values.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Records since the last batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds one record. After an error the decoder must be thrown away.
    #[inline]
    pub fn push(&mut self, record: Record<'_>) -> Result<()> {
        let mut cursor = Cursor::new(record.text);
        cursor.row = self.before + record.row;
        if cursor.peek() != b'{' {
            let reason = not_an_object(&mut cursor);
            return Err(fault(record, &cursor, reason, 0));
        }
        let read = self.columns.object(&mut cursor, 0);
        let read = read.and_then(|()| cursor.end().map_err(|reason| (reason, 0)));
        read.map_err(|(reason, column)| fault(record, &cursor, reason, column))?;
        self.rows += 1;
        self.absent_bytes = self.absent_bytes.saturating_add(cursor.absent_bytes);
        Ok(())
    }

    /// The batch of all records since the last one.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let arrays = self.columns.finish()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.absent_bytes) = (0, 0);
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| Error::Bug(format!("JSON columns do not make a batch: {error}")))
    }
}

/// Cuts a range of a file into records. Memory: one block, or the longest record.
pub struct Records<'a, S: ReadAt + ?Sized> {
    source: &'a S,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were read, and those of them that were given out.
    filled: usize,
    used: usize,
    /// Up to here the bytes are whole lines that are UTF-8.
    checked: usize,
    /// Offset in the file of the buffer's first byte, and of the end of the range.
    base: u64,
    end: u64,
    row: u64,
}

impl<'a, S: ReadAt + ?Sized> Records<'a, S> {
    /// The records from one mark up to another.
    pub fn new(source: &'a S, from: Mark, to: Mark) -> Self {
        let room = to.byte.saturating_sub(from.byte).min(BLOCK_BYTES as u64) as usize;
        Records {
            source,
            buffer: vec![0; room],
            filled: 0,
            used: 0,
            checked: 0,
            base: from.byte,
            end: to.byte,
            row: from.row,
        }
    }

    /// The next record, or none at the end of the range.
    #[inline]
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        loop {
            let lines = &self.buffer[self.used..self.checked];
            if lines.is_empty() {
                if !self.fill()? {
                    return Ok(None);
                }
                continue;
            }
            let start = self.used;
            let length = memchr::memchr(b'\n', lines).unwrap_or(lines.len());
            self.used = (start + length + 1).min(self.checked);
            let row = self.row;
            if length > limits::RECORD_BYTES_MAX {
                return Err(too_long(row, self.base + start as u64, limits::RECORD_BYTES_MAX));
            }
            if is_blank(&lines[..length]) {
                continue;
            }
            self.row += 1;
            let text = &self.buffer[start..start + length];
            return Ok(Some(Record { row, byte: self.base + start as u64, text }));
        }
    }

    /// Lets the text of the records so far go, where that is much: what was read beyond them is read again.
    fn let_go(&mut self) {
        if self.buffer.len() < limits::LONG_BUFFER_BYTES_MIN {
            return;
        }
        self.base += self.used as u64;
        (self.filled, self.used, self.checked) = (0, 0, 0);
        let room = self.end.saturating_sub(self.base).min(BLOCK_BYTES as u64) as usize;
        // The old one is let go first.
        self.buffer = Vec::new();
        self.buffer.resize(room, 0);
    }

    /// Reads on until at least one more line is whole; false at the end.
    fn fill(&mut self) -> Result<bool> {
        self.buffer.copy_within(self.used..self.filled, 0);
        self.base += self.used as u64;
        self.filled -= self.used;
        (self.used, self.checked) = (0, 0);
        // Only the bytes that were not searched before.
        let mut searched = 0;
        loop {
            let left = self.end.saturating_sub(self.base + self.filled as u64);
            if self.filled == self.buffer.len() && left > 0 {
                self.grow()?;
            }
            let room = (self.buffer.len() - self.filled).min(usize::try_from(left).unwrap_or(usize::MAX));
            let offset = self.base + self.filled as u64;
            let count = self.source.read_at(offset, &mut self.buffer[self.filled..self.filled + room])?;
            self.filled += count;
            let whole = match memchr::memrchr(b'\n', &self.buffer[searched..self.filled]) {
                Some(at) => searched + at + 1,
                None if count == 0 => self.filled,
                None => {
                    searched = self.filled;
                    continue;
                }
            };
            self.check(whole)?;
            return Ok(whole > 0);
        }
    }

    fn grow(&mut self) -> Result<()> {
        if self.buffer.len() > limits::RECORD_BYTES_MAX {
            return Err(too_long(self.row, self.base, limits::RECORD_BYTES_MAX));
        }
        let larger = (self.buffer.len() / 2 * 3).clamp(BLOCK_BYTES, limits::RECORD_BYTES_MAX + 1);
        self.buffer.resize(larger, 0);
        Ok(())
    }

    /// Checks that the lines up to `whole` are UTF-8.
    fn check(&mut self, whole: usize) -> Result<()> {
        let lines = &self.buffer[self.used..whole];
        if let Err(error) = std::str::from_utf8(lines) {
            let bad = error.valid_up_to();
            let before = lines[..bad].split(|&b| b == b'\n').filter(|line| !is_blank(line)).count() as u64;
            // The bad byte may be the first of its line's contents; then its record is not counted yet.
            let start = memchr::memrchr(b'\n', &lines[..bad]).map_or(0, |at| at + 1);
            let counted = u64::from(!is_blank(&lines[start..bad]));
            return Err(not_utf8(self.row + before - counted, self.base + (self.used + bad) as u64));
        }
        self.checked = whole;
        Ok(())
    }
}

/// Reads a range of a file into batches.
pub struct Reader<'a, S: ReadAt + ?Sized> {
    records: Records<'a, S>,
    /// The record after the last one of the range, as it was counted.
    end: u64,
    decoder: Decoder,
    left: Option<&'a Left>,
}

impl<'a, S: ReadAt + ?Sized> Reader<'a, S> {
    /// Batches of the records from one mark up to another.
    pub fn new(source: &'a S, from: Mark, to: Mark, schema: &Schema, typings: &[Typing]) -> Result<Self> {
        let decoder = Decoder::new(schema, typings)?;
        Ok(Reader { records: Records::new(source, from, to), end: to.row, decoder, left: None })
    }

    /// The same reader under all layouts of floating point numbers that are left, which it makes fewer. Where
    /// there were none before, numbers are exceptions to one.
    pub(super) fn leaving(mut self, left: &'a Left) -> Self {
        let mut at = 0;
        for slot in &mut self.decoder.columns.slots {
            slot.each_open(&mut |open| {
                *open = Some(left.at(at)).filter(|layouts| layouts.first().is_some());
                at += 1;
            });
        }
        self.left = Some(left);
        self
    }

    /// Tells what the numbers so far left of the layouts. Where other readers left none of these, no layout
    /// gives back all numbers.
    fn tell(&mut self) -> Result<()> {
        let Some(left) = self.left else { return Ok(()) };
        let mut at = 0;
        for (column, slot) in self.decoder.columns.slots.iter_mut().enumerate() {
            let mut none = false;
            slot.each_open(&mut |open| {
                let kept = open.map(|layouts| left.keep(at, layouts));
                none |= kept.is_some_and(|layouts| layouts.first().is_none());
                *open = kept;
                at += 1;
            });
            if none {
                let name = self.decoder.schema.field(column).name();
                let place = Box::new(Place::at_row(self.records.row).column(name));
                return Err(Error::Retype { place, column });
            }
        }
        Ok(())
    }

    /// The same for a file whose records stand in the table after so many others.
    #[must_use]
    pub fn after(self, before: u64) -> Self {
        Reader { decoder: self.decoder.after(before), ..self }
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        self.decoder.schema()
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut bytes: usize = 0;
        while self.decoder.rows < limits::BATCH_ROWS
            && bytes.saturating_add(self.decoder.absent_bytes) < limits::BATCH_BYTES
        {
            let Some(record) = self.records.next_record()? else {
                break;
            };
            bytes += record.text.len();
            self.decoder.push(record)?;
        }
        if self.decoder.rows == 0 {
            let (counted, found) = (self.end, self.records.row);
            return match counted == found {
                true => Ok(None),
                false => Err(Error::Bug(format!("{counted} records were counted, and {found} are there"))),
            };
        }
        self.tell()?;
        self.records.let_go();
        self.decoder.finish().map(Some)
    }
}

impl<S: ReadAt + ?Sized> Iterator for Reader<'_, S> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let source = self.records.source;
        self.batch().map_err(|error| source.placed(error)).transpose()
    }
}
