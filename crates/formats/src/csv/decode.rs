//! Provides the records of one part of a text, batch by batch, with bounded memory.
//!
//! A batch ends after `limits::BATCH_ROWS` records or with the line that reaches `limits::BATCH_BYTES`: its
//! extent depends on the text from the start of the part on, never on how much a read returned.

use std::ops::Range;

use super::dialect::{Above, Dialect, Given};
use super::fault;
use super::parts::TextPart;
use super::rows::{FieldRef, Row, Rows};
use super::split::{Fault, Rules, Step, first_wrong};
use crate::limits::LONG_BUFFER_BYTES_MIN;
use crate::spool::ReadAt;
use crate::text::RawField;
use crate::{Error, Result};

/// Bytes asked of the source at once.
const READ_BYTES: usize = 1 << 20;

/// What is done with a record that cannot be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BadRecords {
    /// It ends the reading with an error.
    #[default]
    Fail,
    /// It is left out and collected.
    SetAside,
}

/// A record that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Number of the record, counted from 1.
    pub record: u64,
    /// Offset of its first byte in the text.
    pub byte: u64,
    /// Its bytes, without the line end.
    pub bytes: Vec<u8>,
    /// Why.
    pub reason: String,
}

/// Reads the records of one part.
pub struct RecordReader<'a, S: ReadAt + ?Sized> {
    source: &'a S,
    rules: Rules,
    above: Option<Above>,
    given: Option<(u8, Given)>,
    bad: BadRecords,
    bytes: Range<u64>,
    read_bytes: usize,
    buffer: Vec<u8>,
    /// Filled bytes of the buffer.
    filled: usize,
    /// Where the current batch begins in the buffer.
    start: usize,
    /// Length of the current batch, to be passed over by the next call.
    batch_bytes: usize,
    /// Offset of `buffer[0]` in the text.
    offset: u64,
    /// Records of the text before the current batch.
    records_before: u64,
    rows: Rows,
    rejects: Vec<Reject>,
    ended: bool,
}

impl<'a, S: ReadAt + ?Sized> RecordReader<'a, S> {
    /// A reader of `part` of `source`, which must begin and end where records do, as the parts of a scan do.
    pub fn new(source: &'a S, dialect: &Dialect, part: &TextPart, bad: BadRecords) -> Self {
        RecordReader {
            source,
            rules: Rules::new(dialect),
            above: dialect.above,
            given: dialect.given.map(|given| (dialect.delimiter, given)),
            bad,
            offset: part.bytes.start,
            bytes: part.bytes.clone(),
            read_bytes: READ_BYTES,
            buffer: Vec::new(),
            filled: 0,
            start: 0,
            batch_bytes: 0,
            records_before: part.first_record,
            rows: Rows::default(),
            rejects: Vec::new(),
            ended: false,
        }
    }

    /// The same reader with a tighter bound on the length of a record, where memory is short.
    pub fn record_bytes_max(mut self, max: usize) -> Self {
        self.rules.record_bytes_max = max.min(crate::limits::RECORD_BYTES_MAX);
        self
    }

    /// The same reader, asking for this many bytes at once.
    pub fn read_bytes(mut self, count: usize) -> Self {
        self.read_bytes = count.max(1);
        self
    }

    /// The next batch; `None` after the last one, and after an error. One without records is given only
    /// where some were set aside and not taken yet.
    pub fn next_batch(&mut self) -> Result<Option<TextBatch<'_>>> {
        loop {
            self.start += self.batch_bytes;
            self.records_before += u64::from(self.rows.records);
            self.batch_bytes = 0;
            self.rows.clear();
            if self.ended {
                return Ok(None);
            }
            match self.cut_batch() {
                Ok(bytes) => self.batch_bytes = bytes,
                Err(error) => {
                    self.ended = true;
                    self.rows.clear();
                    return Err(self.source.placed(error));
                }
            }
            if !self.rows.rows.is_empty() || !self.rejects.is_empty() {
                break;
            }
        }
        let data = &mut self.buffer[self.start..self.start + self.batch_bytes];
        self.rows.unescape(&self.rules, data);
        Ok(Some(TextBatch {
            data,
            fields: &self.rows.fields,
            rows: &self.rows.rows,
            columns: self.rules.columns.unwrap_or_default(),
            records_before: self.records_before,
            byte: self.offset + self.start as u64,
        }))
    }

    /// Lets the text of the current batch go, where that is much: what was read beyond it is read again.
    pub fn let_go(&mut self) {
        if self.buffer.len() < LONG_BUFFER_BYTES_MIN {
            return;
        }
        self.offset += (self.start + self.batch_bytes) as u64;
        self.records_before += u64::from(self.rows.records);
        self.rows.clear();
        (self.start, self.filled, self.batch_bytes) = (0, 0, 0);
        self.buffer = Vec::new();
    }

    /// Takes the records that were set aside so far.
    pub fn take_rejects(&mut self) -> Vec<Reject> {
        std::mem::take(&mut self.rejects)
    }

    /// Cuts one batch and checks its bytes; returns its length.
    fn cut_batch(&mut self) -> Result<usize> {
        let mut from = 0;
        let mut checked = 0;
        let batch_bytes = loop {
            let last = self.offset + self.filled as u64 >= self.bytes.end;
            let data = &self.buffer[self.start..self.filled];
            match self.rules.cut(data, from, last, &mut self.rows) {
                Step::More { from: unfinished } => {
                    from = unfinished;
                    self.fill(unfinished)?;
                }
                Step::Full { next } => break next,
                Step::End => {
                    self.ended = true;
                    break data.len();
                }
                Step::Bad { start, end, next, fault } => {
                    self.check(checked..start)?;
                    checked = next;
                    self.handle(start..end, fault)?;
                    from = next;
                    if next >= self.rules.bytes_max {
                        break next;
                    }
                }
                Step::Unclosed { open, stray } => {
                    self.check_strictly(checked..open, stray)?;
                    return Err(fault::unclosed(self.record_number(), self.byte(open)));
                }
                Step::TooLong { start, stray } => {
                    self.check_strictly(checked..start, stray)?;
                    let max = self.rules.record_bytes_max;
                    return Err(fault::too_long(self.record_number(), self.byte(start), max));
                }
            }
        };
        self.check(checked..batch_bytes)?;
        Ok(batch_bytes)
    }

    /// Checks what stands before a fault that ends the reading; unless bad records are set aside, text
    /// after a closing quote, seen in the same record, comes first.
    fn check_strictly(&mut self, span: Range<usize>, stray: Option<usize>) -> Result<()> {
        let first = stray.map_or(span.end, |at| at.min(span.end));
        self.check(span.start..first.max(span.start))?;
        match stray {
            Some(at) if self.bad == BadRecords::Fail => {
                Err(fault::stray(self.record_number(), self.byte(at)))
            }
            _ => Ok(()),
        }
    }

    /// Number of the record after the last one seen, counted from 1.
    fn record_number(&self) -> u64 {
        self.records_before + u64::from(self.rows.records) + 1
    }

    fn byte(&self, at: usize) -> u64 {
        self.offset + (self.start + at) as u64
    }

    /// Reads more, keeping the batch so far.
    fn fill(&mut self, unfinished: usize) -> Result<()> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.offset += self.start as u64;
        self.filled -= self.start;
        self.start = 0;
        // A long record is cut again from its start after each read, so reads grow with it.
        let wanted = self.read_bytes.max((self.filled - unfinished) / 2);
        let left = self.bytes.end - self.offset - self.filled as u64;
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(wanted);
        if self.buffer.len() < self.filled + wanted {
            self.buffer.resize(self.filled + wanted, 0);
        } else if self.buffer.len() > 8 * (self.filled + wanted) {
            // A long record went by: its memory is given back.
            self.buffer.truncate(self.filled + wanted);
            self.buffer.shrink_to_fit();
        }
        let to = &mut self.buffer[self.filled..self.filled + wanted];
        match self.source.read_at(self.offset + self.filled as u64, to)? {
            0 => match self.source.path() {
                Some(path) => Err(Error::Changed(path.to_owned())),
                None => Err(Error::Misuse("the part reaches beyond the end of its text".to_owned())),
            },
            count => {
                self.filled += count;
                Ok(())
            }
        }
    }

    fn handle(&mut self, span: Range<usize>, fault: Fault) -> Result<()> {
        let record = self.records_before + u64::from(self.rows.records);
        let columns = self.rules.columns.unwrap_or_default();
        let error = match fault {
            Fault::FieldCount(found) => {
                let advice = (self.above, self.given);
                fault::field_count(record, self.byte(span.start), (found, columns), advice)
            }
            Fault::Stray { at } => fault::stray(record, self.byte(at)),
        };
        if self.bad == BadRecords::Fail {
            // Bytes that are wrong before the fault are what a reader should hear of first.
            self.check(span)?;
            return Err(error);
        }
        let reason = match fault {
            Fault::FieldCount(found) => fault::field_count_reason(found, columns),
            Fault::Stray { .. } => fault::stray_reason(),
        };
        self.set_aside(span, record, reason);
        Ok(())
    }

    fn set_aside(&mut self, span: Range<usize>, record: u64, reason: String) {
        let byte = self.byte(span.start);
        let bytes = self.buffer[self.start + span.start..self.start + span.end].to_vec();
        self.rejects.push(Reject { record, byte, bytes, reason });
    }

    /// Checks that this stretch of the batch is UTF-8 without NUL; where bad records are set aside, removes
    /// those that are not.
    fn check(&mut self, span: Range<usize>) -> Result<()> {
        let data = &self.buffer[self.start..self.start + span.end];
        let Some(wrong) = first_wrong(data, span.start) else {
            return Ok(());
        };
        if self.bad == BadRecords::Fail {
            let (at, nul) = wrong;
            let rows = &self.rows.rows;
            let begun = rows.partition_point(|row| row.start as usize <= at);
            let record = match begun {
                0 => self.records_before + 1,
                n => self.records_before + u64::from(rows[n - 1].record) + 1,
            };
            let byte = self.byte(at);
            return Err(if nul { fault::nul(record, byte) } else { fault::not_utf8(record, byte) });
        }
        self.remove_wrong(span);
        Ok(())
    }

    fn remove_wrong(&mut self, span: Range<usize>) {
        let columns = self.rules.columns.unwrap_or_default();
        let rows = std::mem::take(&mut self.rows.rows);
        let mut kept = 0;
        for row in &rows {
            let first = row.first as usize;
            let start = row.start as usize;
            let end = self.rows.fields[first + columns - 1].record_end();
            let wrong = match start >= span.start && start < span.end {
                true => first_wrong(&self.buffer[self.start..self.start + end], start),
                false => None,
            };
            if let Some((_, nul)) = wrong {
                let reason = if nul { fault::nul_reason() } else { fault::not_utf8_reason() };
                self.set_aside(start..end, self.records_before + u64::from(row.record) + 1, reason);
                continue;
            }
            self.rows.fields.copy_within(first..first + columns, kept * columns);
            self.rows.rows.push(Row { first: (kept * columns) as u32, ..*row });
            kept += 1;
        }
        self.rows.fields.truncate(kept * columns);
        self.rows.find_escaped();
    }
}

/// Records of one table as text, each with a field for every column.
#[derive(Debug, Clone, Copy)]
pub struct TextBatch<'r> {
    data: &'r [u8],
    fields: &'r [FieldRef],
    rows: &'r [Row],
    columns: usize,
    records_before: u64,
    byte: u64,
}

impl<'r> TextBatch<'r> {
    /// Count of records.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Count of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The field of `column` in the record at `row`, both counted from 0. Its bytes are UTF-8.
    #[inline(always)]
    pub fn field(&self, row: usize, column: usize) -> RawField<'r> {
        debug_assert!(column < self.columns, "column {column} of {}", self.columns);
        self.raw(self.fields[row * self.columns + column])
    }

    /// The fields of one column, from the first record to the last.
    #[inline]
    pub fn column(&self, column: usize) -> impl ExactSizeIterator<Item = RawField<'r>> + use<'r> {
        let batch = *self;
        let fields = self.fields.get(column..).unwrap_or_default();
        fields.iter().step_by(self.columns.max(1)).map(move |field| batch.raw(*field))
    }

    /// The columns of which the record at `row` has no field, so that one was filled in.
    pub(super) fn absent(&self, row: usize) -> Range<usize> {
        let fields = &self.fields[row * self.columns..(row + 1) * self.columns];
        let absent = fields.iter().rev().take_while(|field| field.is_absent()).count();
        self.columns - absent..self.columns
    }

    /// Number of the record at `row` in the whole text, counted from 1; rejected records are counted too.
    pub fn record_number(&self, row: usize) -> u64 {
        self.records_before + u64::from(self.rows[row].record) + 1
    }

    /// Offset in the text of the first byte of the record at `row`.
    pub fn record_byte(&self, row: usize) -> u64 {
        self.byte + u64::from(self.rows[row].start)
    }

    /// Where the record at `row` stands in the text, with whatever is no record behind it.
    pub(super) fn record_span(&self, row: usize) -> Range<u64> {
        let end = match self.rows.get(row + 1) {
            Some(next) => u64::from(next.start),
            None => self.data.len() as u64,
        };
        self.record_byte(row)..self.byte + end
    }

    #[inline(always)]
    fn raw(&self, field: FieldRef) -> RawField<'r> {
        RawField { bytes: &self.data[field.start()..field.end()], quoted: field.quoted() }
    }
}
