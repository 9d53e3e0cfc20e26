//! Provides delimited text as a typed table, and the encoder of such text.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};

use super::{
    BadRecords, CsvFormat, CsvWriter, Dialect, Ragged, RecordReader, Scan, TextBatch, TextPart, header_of,
};
use crate::bytes::Settings;
use crate::error::{Error, Place, Result};
use crate::limits::{CHUNK_ROWS, LONG_BUFFER_BYTES_MIN, RECORD_COPIES};
use crate::pieces::Pieces;
use crate::spool::{ReadAt, TextFile, Wrap, Wrapping};
use crate::table::{Batches, Encoded, PartEncoder, Placed, TableEncoder, TableSource, rows_bytes};
use crate::text::{ColumnFormatter, ColumnParser, ColumnTyping, Fresh, Profile};

/// Delimited text under a typing of its columns.
pub struct CsvTable {
    text: Arc<TextFile>,
    dialect: Dialect,
    scan: Scan,
    typings: Vec<ColumnTyping>,
    schema: SchemaRef,
    /// Rows of the whole that stand before these.
    before: u64,
    notes: Vec<String>,
}

impl CsvTable {
    /// A table over scanned text.
    pub fn new(text: Arc<TextFile>, dialect: Dialect, scan: Scan, mut typings: Vec<ColumnTyping>) -> Self {
        for (typing, name) in typings.iter_mut().zip(&dialect.names) {
            typing.source_name = name.source_name().map(str::to_owned);
        }
        let fields = dialect.names.iter().zip(&typings).map(|(name, typing)| typing.field(&name.name));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        CsvTable { text, dialect, scan, typings, schema, before: 0, notes: Vec::new() }
    }

    /// The text.
    pub(crate) fn text(&self) -> &TextFile {
        &self.text
    }

    /// How the text is read.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Types and styles of the columns.
    pub fn typings(&self) -> &[ColumnTyping] {
        &self.typings
    }

    /// Takes other typings.
    pub fn retype(&mut self, typings: Vec<ColumnTyping>) {
        *self = CsvTable::new(self.text.clone(), self.dialect.clone(), self.scan.clone(), typings);
    }

    /// The same table as a piece of another one, in which so many rows stand before it: exceptions to a style
    /// stand in rows of the whole.
    pub(crate) fn after(self, rows: u64) -> Self {
        CsvTable { before: rows, ..self }
    }

    /// The same, of which there is something to be said.
    pub(crate) fn noting(self, note: Option<String>) -> Self {
        CsvTable { notes: note.into_iter().collect(), ..self }
    }

    /// Takes other typings, as such a piece.
    pub(crate) fn retype_after(&mut self, rows: u64, typings: Vec<ColumnTyping>) {
        self.retype(typings);
        self.before = rows;
    }

    /// Number of chunks.
    pub fn chunks(&self) -> usize {
        self.scan.marks.len()
    }

    /// Observes all fields of one chunk.
    pub fn observe_chunk(&self, chunk: usize, fresh: &Fresh) -> Result<Vec<Profile>> {
        self.observe_chunk_after(0, chunk, fresh)
    }

    /// The same, with records numbered after `rows` others.
    pub fn observe_chunk_after(&self, rows: u64, chunk: usize, fresh: &Fresh) -> Result<Vec<Profile>> {
        let start = chunk as u64 * CHUNK_ROWS;
        let mut part = self.scan.around(&(start..(start + CHUNK_ROWS).min(self.scan.records)));
        part.first_record += rows;
        observe(&self.text, &self.dialect, &part, fresh)
    }

    /// That the typings do not fit, seen in this column of a row of a batch.
    fn misfit(&self, batch: &TextBatch<'_>, row: usize, column: usize) -> Error {
        let place = Place {
            byte: Some(batch.record_byte(row)),
            ..Place::at_row(batch.record_number(row)).column(self.schema.field(column).name())
        };
        self.text.placed(Error::Retype { place: Box::new(place), column })
    }

    /// The same, of a row of this table, counted from 0; `None` where the text cannot be read there again.
    pub(crate) fn misfit_at(&self, row: u64, column: usize) -> Option<Error> {
        self.at_row(row, |batch, at| self.misfit(batch, at, column))
    }

    /// The text of the field of a column in a row of this table, counted from 0, alike.
    pub(crate) fn field_at(&self, row: u64, column: usize) -> Option<String> {
        self.at_row(row, |batch, at| String::from_utf8_lossy(batch.field(at, column).bytes).into_owned())
    }

    fn at_row<T>(&self, row: u64, look: impl Fn(&TextBatch<'_>, usize) -> T) -> Option<T> {
        let part = self.scan.around(&(row..row + 1));
        let mut reader = RecordReader::new(self.text.as_ref(), &self.dialect, &part, BadRecords::Fail);
        while let Some(batch) = reader.next_batch().ok()? {
            let at = (0..batch.rows()).find(|at| batch.record_number(*at) == row + 1);
            if let Some(at) = at {
                return Some(look(&batch, at));
            }
        }
        None
    }

    /// Fails where one of these rows lacks a field of a column that is said to give back its text.
    fn check_absent(&self, batch: &TextBatch<'_>, mut rows: Range<usize>) -> Result<()> {
        let told = |row: usize| batch.absent(row).find(|column| self.typings[*column].reversible);
        match rows.find_map(|row| Some((row, told(row)?))) {
            Some((row, column)) => Err(self.misfit(batch, row, column)),
            None => Ok(()),
        }
    }
}

/// Observes all fields of a part.
pub fn observe(text: &TextFile, dialect: &Dialect, part: &TextPart, fresh: &Fresh) -> Result<Vec<Profile>> {
    let mut profiles = fresh.profiles();
    let mut reader = RecordReader::new(text, dialect, part, BadRecords::Fail);
    while let Some(batch) = reader.next_batch()? {
        for (column, profile) in profiles.iter_mut().enumerate() {
            for (row, field) in batch.column(column).enumerate() {
                profile.observe(batch.record_number(row) - 1, field);
            }
        }
        if dialect.ragged == Ragged::Pad {
            for row in 0..batch.rows() {
                let absent = &mut profiles[batch.absent(row)];
                absent.iter_mut().for_each(|profile| profile.observe_absent(batch.record_number(row) - 1));
            }
        }
    }
    Ok(profiles)
}

impl TableSource for CsvTable {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(&self) -> u64 {
        self.scan.records
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        self.scan.around(&rows).bytes
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let part = self.scan.around(&rows);
        let parsers = self.typings.iter().map(ColumnParser::new).collect::<Result<Vec<_>>>()?;
        Ok(Box::new(Reader {
            table: self,
            row: part.first_record,
            end: part.first_record + part.records,
            records: RecordReader::new(self.text.as_ref(), &self.dialect, &part, BadRecords::Fail),
            parsers,
            rows,
        }))
    }

    fn held_bytes(&self) -> u64 {
        self.scan.longest * RECORD_COPIES
    }

    /// The scan and the decoder both read the text from end to end, so nothing is left over.
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn check_structure(&self) -> Result<()> {
        Ok(())
    }
}

struct Reader<'a> {
    table: &'a CsvTable,
    records: RecordReader<'a, TextFile>,
    parsers: Vec<ColumnParser>,
    /// First row of the next batch.
    row: u64,
    /// The row after the last one of the stretch that is read, as it was counted.
    end: u64,
    /// Rows wanted.
    rows: Range<u64>,
}

impl Reader<'_> {
    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        // Where the last row of the stretch is wanted, there must be none behind it.
        while self.row < self.rows.end || self.rows.end >= self.end {
            let next = self.records.next_batch()?;
            let (start, end) = (self.row, self.row + next.as_ref().map_or(0, |batch| batch.rows() as u64));
            if end > self.end || (next.is_none() && end < self.end) {
                let counted = self.end;
                let error = Error::Bug(format!("{counted} records were counted, and {end} are there"));
                return Err(self.table.text.placed(error));
            }
            let Some(batch) = next else { return Ok(None) };
            self.row = end;
            if end <= self.rows.start {
                continue;
            }
            let from = self.rows.start.saturating_sub(start) as usize;
            let to = (self.rows.end.min(end) - start) as usize;
            if self.table.dialect.ragged == Ragged::Pad {
                self.table.check_absent(&batch, from..to)?;
            }
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.parsers.len());
            for (column, parser) in self.parsers.iter_mut().enumerate() {
                parser.seek(self.table.before + start + from as u64);
                let taken = match (from, to == batch.rows()) {
                    (0, true) => parser.extend(batch.column(column)),
                    _ => parser.extend(batch.column(column).skip(from).take(to - from)),
                };
                if let Err(misfit) = taken {
                    return Err(self.table.misfit(&batch, from + misfit.row, column));
                }
                columns.push(parser.finish()?);
            }
            self.records.let_go();
            let options = RecordBatchOptions::new().with_row_count(Some(to - from));
            let batch = RecordBatch::try_new_with_options(self.table.schema.clone(), columns, &options);
            return batch.map(Some).map_err(|error| Error::Bug(format!("a batch of text: {error}")));
        }
        Ok(None)
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// Every byte that the text of a number may hold.
const NUMBER_BYTES: &[u8] = b"0123456789+-.,aefinotyAEFINOTY";

/// Encodes parts of delimited text. Each part is wrapped alone, since wrapped members may stand one behind
/// another.
pub struct CsvEncoder {
    names: Vec<String>,
    /// Fields of the header, of which the names are made.
    header: Vec<String>,
    typings: Vec<ColumnTyping>,
    format: CsvFormat,
    wrap: Wrap,
}

impl CsvEncoder {
    /// An encoder for columns of these names under these typings, whose header is the one that the names were
    /// made of, if that is known.
    pub fn new(names: Vec<String>, typings: Vec<ColumnTyping>, format: CsvFormat, wrap: Wrap) -> Self {
        let sources: Vec<_> = typings.iter().map(|typing| typing.source_name.as_deref()).collect();
        let header = header_of(&names, &sources);
        CsvEncoder { names, header, typings, format, wrap }
    }

    fn writer(&self, at_start: bool) -> Result<CsvWriter> {
        let nulls = self.typings.iter().map(|typing| typing.style.null_text().as_bytes().to_vec());
        let words = self.typings.iter().map(|typing| {
            let words = typing.style.also_null.iter().chain(&typing.style.refused);
            words.map(|word| word.as_bytes().to_vec()).collect()
        });
        Ok(CsvWriter::new(self.format.clone(), nulls.collect(), at_start)?.with_words(words.collect()))
    }

    /// Types and styles of the columns.
    pub fn typings(&self) -> &[ColumnTyping] {
        &self.typings
    }

    /// What goes around the text.
    pub(crate) fn wrapping(&self) -> Wrapping {
        self.wrap.codec()
    }

    /// The header record before it is wrapped.
    pub fn plain_header(&self) -> Result<Vec<u8>> {
        let mut writer = self.writer(true)?;
        if self.format.header {
            let fields: Vec<_> = self.header.iter().map(String::as_str).collect();
            writer.header(&fields)?;
        }
        Ok(writer.take())
    }

    /// The dialect that reads the text back.
    pub fn dialect(&self) -> Result<Dialect> {
        Ok(self.format.dialect(self.names.clone(), self.plain_header()?.len() as u64))
    }
}

impl TableEncoder for CsvEncoder {
    fn header(&self) -> Result<Vec<u8>> {
        let (mut begin, header) = (self.wrap.begin(), self.plain_header()?);
        if !header.is_empty() {
            begin.extend_from_slice(&self.wrap.wrap(&header)?);
        }
        Ok(begin)
    }

    fn part(&self, first_row: u64) -> Result<Box<dyn PartEncoder + '_>> {
        let writer = self.writer(!self.format.header)?;
        let plain = writer.is_plain(NUMBER_BYTES);
        let any = self.typings.iter().map(|typing| !(plain && typing.data_type.is_numeric())).collect();
        Ok(Box::new(Part { encoder: self, writer, any, first_row, rows: 0, text: Pieces::default() }))
    }

    fn footer(&self, placed: &[Placed]) -> Result<Vec<u8>> {
        let is_empty = self.plain_header()?.is_empty();
        self.wrap.end(is_empty && placed.iter().all(|part| part.bytes.is_empty()))
    }

    fn member(&self) -> Option<Settings> {
        self.wrap.member()
    }
}

struct Part<'a> {
    encoder: &'a CsvEncoder,
    writer: CsvWriter,
    /// Row of the table with which the part begins.
    first_row: u64,
    rows: u64,
    /// For each column, whether its fields may hold bytes that call for quotes.
    any: Vec<bool>,
    /// The text so far, save what the writer still holds.
    text: Pieces,
}

impl PartEncoder for Part<'_> {
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = self.encoder.typings.iter().zip(batch.columns());
        let row = self.first_row + self.rows;
        let columns = columns.map(|(typing, array)| ColumnFormatter::at_row(typing, array.as_ref(), row));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let plain = |column: &ColumnFormatter| column.bytes().is_some_and(|all| self.writer.are_plain(all));
        let any = columns.iter().zip(&self.any).map(|(column, any)| *any && !plain(column));
        let any: Vec<bool> = any.collect();
        let bytes = rows_bytes(batch)?;
        if bytes >= LONG_BUFFER_BYTES_MIN {
            // Room that is not filled takes no memory, and moving to larger room takes it twice.
            self.writer.reserve(2 * bytes);
        }
        for row in 0..batch.num_rows() {
            for (index, (column, any)) in columns.iter().zip(&any).enumerate() {
                let written = self.writer.field_by(*any, |out| column.write(row, out));
                written.map_err(|error| {
                    error.at_cell(self.first_row + self.rows + row as u64 + 1, &self.encoder.names[index])
                })?;
            }
            let number = self.first_row + self.rows + row as u64 + 1;
            self.writer.end_record().map_err(|error| error.at_row(number))?;
        }
        self.rows += batch.num_rows() as u64;
        self.writer.drain_into(&mut self.text)
    }

    fn finish(mut self: Box<Self>) -> Result<Encoded> {
        self.writer.drain_into(&mut self.text)?;
        let bytes = self.encoder.wrap.wrap_pieces(self.text)?;
        Ok(Encoded { rows: self.rows, bytes, sidecar: Vec::new() })
    }
}
