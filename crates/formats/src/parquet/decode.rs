//! Provides [`ParquetSource`]: rows of a Parquet file, by range, under the limits of this crate.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{DataType, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, RowSelection, RowSelector,
};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};

use super::groups::{self, Groups};
use super::wide::COLUMNS_AT_ONCE;
use super::{NAME, annotations, coarse, footer, malformed, pages, told};
use crate::error::{Error, Place, Result};
use crate::file::{ObjectFile, RangeReader};
use crate::guard::guarded;
use crate::limits::{BATCH_BYTES, BATCH_ROWS, SHARED_BATCH_BYTES};
use crate::normal;
use crate::table::{Batches, TableSource};

/// Bytes of the rows that are decoded at once of a table with many columns.
const WIDE_BATCH_BYTES: usize = 16 << 20;

/// Bytes of a column chunk, unpacked, of which the pages are looked at before it is read.
const LARGE_CHUNK_BYTES_MIN: i64 = 8 << 20;

/// A Parquet file as a table.
pub struct ParquetSource {
    file: Arc<ObjectFile>,
    reader: ArrowReaderMetadata,
    /// As the library is to read it, which is not yet the plain form.
    held: SchemaRef,
    schema: SchemaRef,
    /// A note on the dictionaries of the file that have an order.
    orders: Option<String>,
    /// First row of each row group, and the number of rows at the end.
    starts: Vec<u64>,
    row_bytes_max: usize,
    /// Bytes of its largest page, as it is stored and unpacked; 0 where none is large.
    page_bytes: u64,
}

impl ParquetSource {
    /// Reads the footer of `file`, and looks at the pages that may be large. A row may have so many bytes.
    ///
    /// # Errors
    /// Malformed bytes; a footer that is too large; a column type that has no place in a table; a
    /// row that is too long, as far as pages tell.
    pub fn open(file: Arc<ObjectFile>, row_bytes_max: usize) -> Result<Self> {
        let footer = footer::checked(&file)?;
        let chunks = Arc::new(Chunks(file.clone()));
        let read = guarded(NAME, || read_metadata(chunks));
        let (reader, held) = read.map_err(|error| footer::undecoded(error, &footer))?;
        let starts = check_ranges(reader.metadata(), file.len()).and_then(|()| starts(reader.metadata()));
        let starts = starts.map_err(|error| error.or_at(footer.start))?;
        let orders = normal::orders(&held);
        let held = coarse::settled(&file, reader.metadata(), &decodable(&held))?;
        let held = annotations::told(reader.parquet_schema(), &held);
        let schema = normal::schema(&held)?;
        let page_bytes = largest_page(&file, reader.metadata(), row_bytes_max)?;
        Ok(ParquetSource { file, reader, held, schema, orders, starts, row_bytes_max, page_bytes })
    }

    /// The row groups that hold any of `rows`.
    fn groups(&self, rows: &Range<u64>) -> Range<usize> {
        let first = self.starts.partition_point(|start| *start <= rows.start).saturating_sub(1);
        let last = self.starts.partition_point(|start| *start < rows.end).min(self.starts.len() - 1);
        first.min(last)..last
    }

    /// Bytes of a row on average, in the file without compression.
    fn row_bytes(&self, groups: &Range<usize>) -> usize {
        let metadata = self.reader.metadata();
        let (mut rows, mut bytes) = (0i64, 0i64);
        for group in &metadata.row_groups()[groups.clone()] {
            rows = rows.saturating_add(group.num_rows());
            bytes = bytes.saturating_add(group.total_byte_size());
        }
        usize::try_from(bytes / rows.max(1)).unwrap_or(1).max(1)
    }

    /// Rows in a batch such that a batch of this table stays near [`BATCH_BYTES`] four times over.
    fn batch_rows(&self, groups: &Range<usize>) -> usize {
        (4 * BATCH_BYTES / self.row_bytes(groups)).clamp(1, BATCH_ROWS)
    }

    /// Rows of many columns, which are decoded some columns after others: each reader of a column takes about
    /// 100 kB, whatever it reads.
    fn wide_batches(&self, rows: Range<u64>, rows_max: usize) -> Batches<'_> {
        let span = (WIDE_BATCH_BYTES / self.row_bytes(&self.groups(&rows))).clamp(1, rows_max) as u64;
        let mut at = rows.start;
        Box::new(std::iter::from_fn(move || {
            let next = at..(at + span).min(rows.end);
            at = next.end;
            (!next.is_empty()).then(|| {
                let batch = guarded(NAME, || self.wide_batch(next.clone()));
                batch.map_err(|error| self.blamed(error, next))
            })
        }))
    }

    /// Looks at the pages of row groups, and says how many rows at most are decoded at once: where rows share
    /// values that the file holds once, these take as many bytes for each row as the longest of them.
    fn checked(&self, groups: &Range<usize>) -> Result<usize> {
        let mut widest = 1;
        for number in groups.clone() {
            let group = self.reader.metadata().row_group(number);
            let mut shared = 0u64;
            for (at, column) in group.columns().iter().enumerate() {
                let bytes = pages::check(&self.file, column, group.num_rows(), self.row_bytes_max);
                let bytes = bytes.and_then(|pages| {
                    let longest = || self.of_texts(number, at, groups::longest);
                    let widest = || self.of_texts(number, at, groups::widest);
                    pages.shared_bytes(column, group.num_rows(), longest, widest)
                });
                let bytes = bytes.map_err(|error| error.in_column(&column.column_path().string()))?;
                shared = shared.saturating_add(bytes);
            }
            widest = shared.max(widest);
        }
        let rows = SHARED_BATCH_BYTES as u64 / widest;
        Ok(usize::try_from(rows).unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS))
    }

    /// What is found of a column of texts in a row group.
    fn of_texts(
        &self,
        group: usize,
        column: usize,
        find: fn(&Groups, usize) -> parquet::errors::Result<u64>,
    ) -> Result<u64> {
        let (chunks, metadata) = (Arc::new(Chunks(self.file.clone())), self.reader.metadata().clone());
        let at = metadata.row_group(group).column(column).byte_range().0;
        let found = guarded(NAME, || {
            let groups = Groups { chunks, metadata, groups: vec![group] };
            find(&groups, column).map_err(malformed)
        });
        found.map_err(|error| error.or_at(at))
    }

    fn wide_batch(&self, rows: Range<u64>) -> Result<RecordBatch> {
        let count = (rows.end - rows.start) as usize;
        let broken = |error: &dyn std::fmt::Display| undecoded(rows.start, count, error);
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        let width = self.schema.fields().len();
        for first in (0..width).step_by(COLUMNS_AT_ONCE) {
            let (groups, wanted) = self.wanted(&rows);
            let roots = first..(first + COLUMNS_AT_ONCE).min(width);
            let mask = ProjectionMask::roots(self.reader.parquet_schema(), roots);
            let mut reader = rows_of(groups, &self.held, mask, count, wanted).map_err(malformed)?;
            let batch = reader.next().transpose().map_err(|error| broken(&error))?;
            let batch = batch.filter(|batch| batch.num_rows() == count);
            let batch = batch.ok_or_else(|| broken(&"a column ends before them"))?;
            fields.extend(batch.schema().fields().iter().cloned());
            columns.extend(batch.columns().iter().cloned());
        }
        let schema = Schema::new_with_metadata(fields, self.held.metadata().clone());
        let batch = RecordBatch::try_new(Arc::new(schema), columns).map_err(|error| broken(&error))?;
        normal::batch(&batch, &self.schema).map_err(|error| error.rows_before(rows.start))
    }

    /// An error of these rows: that of the column of a row group that alone gives one too, with its record
    /// and where its bytes begin.
    fn blamed(&self, error: Error, rows: Range<u64>) -> Error {
        let Error::Malformed { format: NAME, .. } = error else { return error };
        let columns = self.reader.parquet_schema();
        for number in self.groups(&rows) {
            let within = self.starts[number].max(rows.start)..self.starts[number + 1].min(rows.end);
            for leaf in 0..columns.num_columns() {
                if let Err(error) = self.try_column(leaf, &within) {
                    let at = self.reader.metadata().row_group(number).column(leaf).byte_range().0;
                    return error.in_column(&columns.column(leaf).path().string()).or_at(at);
                }
            }
        }
        error.at_row(rows.start + 1)
    }

    /// Reads these rows of one column, which fails where they cannot be decoded.
    fn try_column(&self, leaf: usize, rows: &Range<u64>) -> Result<()> {
        let (mut at, left) = (rows.start, |at| usize::try_from(rows.end - at).unwrap_or(BATCH_ROWS));
        let (groups, wanted) = self.wanted(rows);
        let mask = ProjectionMask::leaves(self.reader.parquet_schema(), [leaf]);
        let count = left(at).min(BATCH_ROWS);
        let read = guarded(NAME, || {
            for batch in rows_of(groups, &self.held, mask, count, wanted).map_err(malformed)? {
                at += batch.map_err(|error| undecoded(at, count.min(left(at)), &error))?.num_rows() as u64;
            }
            Ok(())
        });
        read.map_err(|error| error.at_row(at + 1))
    }

    /// The row groups with these rows, and which of theirs they are.
    fn wanted(&self, rows: &Range<u64>) -> (Groups, RowSelection) {
        let groups = self.groups(rows);
        let skip = rows.start - self.starts[groups.start];
        let wanted = RowSelection::from(vec![
            RowSelector::skip(skip as usize),
            RowSelector::select((rows.end - rows.start) as usize),
        ]);
        let (chunks, metadata) = (Arc::new(Chunks(self.file.clone())), self.reader.metadata().clone());
        (Groups { chunks, metadata, groups: groups.collect() }, wanted)
    }
}

impl TableSource for ParquetSource {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(&self) -> u64 {
        self.starts[self.starts.len() - 1]
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        let metadata = self.reader.metadata();
        let (mut start, mut end) = (u64::MAX, 0);
        for group in self.groups(&rows) {
            for column in metadata.row_group(group).columns() {
                let (at, len) = column.byte_range();
                if len == 0 {
                    continue;
                }
                start = start.min(at);
                end = end.max(at + len);
            }
        }
        start.min(end)..end
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let groups = self.groups(&rows);
        let (usual, most) = (self.batch_rows(&groups), self.checked(&groups)?);
        if self.schema.fields().len() > COLUMNS_AT_ONCE {
            return Ok(self.wide_batches(rows, most));
        }
        let (groups, wanted) = self.wanted(&rows);
        let batch_rows = usual.min(most);
        let room = batch_rows.min(usize::try_from(self.rows()).unwrap_or(usize::MAX));
        let reader = guarded(NAME, || {
            rows_of(groups, &self.held, ProjectionMask::all(), room, wanted).map_err(malformed)
        });
        let mut reader = reader.map_err(|error| self.blamed(error, rows.start..rows.start + 1))?;
        let (schema, mut row, end) = (self.schema.clone(), rows.start, rows.end);
        let batches = std::iter::from_fn(move || {
            let wanted = row..end.min(row + batch_rows as u64);
            let count = (wanted.end - wanted.start) as usize;
            let next = guarded(NAME, || {
                reader.next().transpose().map_err(|error| undecoded(wanted.start, count, &error))
            });
            match next {
                Ok(batch) => batch.map(|batch| {
                    let before = row;
                    row += batch.num_rows() as u64;
                    normal::batch(&batch, &schema).map_err(|error| error.rows_before(before))
                }),
                Err(error) => Some(Err(self.blamed(error, wanted))),
            }
        });
        Ok(if batch_rows < usual { Box::new(gathered(batches, usual)) } else { Box::new(batches) })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = annotations::lost(self.reader.parquet_schema().root_schema(), &self.schema);
        notes.extend(self.orders.clone());
        notes
    }

    fn held_bytes(&self) -> u64 {
        self.page_bytes
    }

    /// The magic, the column chunks with their indexes, and the footer must tile the file.
    fn check_structure(&self) -> Result<()> {
        let metadata = self.reader.metadata();
        let magic = 0..4u64;
        let mut ranges = Vec::from([magic]);
        let mut note = |offset: Option<i64>, length: Option<i32>| {
            if let (Some(offset), Some(length)) = (offset, length) {
                ranges.push(offset as u64..(offset as u64).saturating_add(length as u64));
            }
        };
        for group in metadata.row_groups() {
            for column in group.columns() {
                note(column.column_index_offset(), column.column_index_length());
                note(column.offset_index_offset(), column.offset_index_length());
                note(column.bloom_filter_offset(), column.bloom_filter_length());
            }
        }
        for group in metadata.row_groups() {
            let chunks = group.columns().iter().map(|column| column.byte_range());
            ranges.extend(chunks.filter(|(_, len)| *len > 0).map(|(at, len)| at..at + len));
        }
        let footer = footer::length(&self.file)?;
        ranges.push(self.file.len() - 8 - footer..self.file.len());
        ranges.sort_by_key(|range| range.start);
        for pair in ranges.windows(2) {
            if pair[0].end != pair[1].start {
                let what = format!("bytes {} to {} belong to nothing", pair[0].end, pair[1].start);
                return Err(Error::malformed(NAME, Place::at_byte(pair[0].end), what));
            }
        }
        Ok(())
    }
}

/// Bytes of the largest page of those column chunks in which one can be large.
fn largest_page(file: &Arc<ObjectFile>, metadata: &ParquetMetaData, row_bytes_max: usize) -> Result<u64> {
    let columns = metadata.row_groups().iter().flat_map(|group| group.columns());
    let mut large = columns.filter(|column| column.uncompressed_size() >= LARGE_CHUNK_BYTES_MIN);
    large.try_fold(0, |largest, column| {
        let pages = pages::walk_chunk(file, column, row_bytes_max);
        let pages = pages.map_err(|error| error.in_column(&column.column_path().string()))?;
        Ok(pages.held.max(largest))
    })
}

/// Rows that the library does not decode, after so many others.
fn undecoded(before: u64, count: usize, error: &dyn std::fmt::Display) -> Error {
    let what = format!("the next {count} rows cannot be decoded: {}", told(error));
    Error::malformed(NAME, Place::at_row(before + 1), what)
}

/// Small batches put together, up to so many rows or the bytes of a batch.
fn gathered(
    mut small: impl Iterator<Item = Result<RecordBatch>>,
    rows_max: usize,
) -> impl Iterator<Item = Result<RecordBatch>> {
    std::iter::from_fn(move || {
        let (mut held, mut rows, mut bytes) = (Vec::new(), 0, 0);
        while rows < rows_max && bytes < 4 * BATCH_BYTES {
            match small.next() {
                None => break,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(batch)) => {
                    (rows, bytes) = (rows + batch.num_rows(), bytes + batch.get_array_memory_size());
                    held.push(batch);
                }
            }
        }
        let schema = held.first()?.schema();
        let whole = if held.len() == 1 { Ok(held.remove(0)) } else { concat_batches(&schema, &held) };
        Some(whole.map_err(|error| Error::Bug(format!("batches of one table: {error}"))))
    })
}

/// The footer, and the schema of the rows. The Arrow schema in it is decoded here where it nests deeper than
/// the library reads; it is then followed as far as it fits the columns, as the library does with others.
fn read_metadata(chunks: Arc<Chunks>) -> Result<(ArrowReaderMetadata, SchemaRef)> {
    let parser = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
    let metadata = Arc::new(parser.parse_and_finish(chunks.as_ref()).map_err(malformed)?);
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
    let Some(deep) = deep_schema(&metadata)? else {
        let reader = ArrowReaderMetadata::try_new(metadata, options).map_err(malformed)?;
        let held = reader.schema().clone();
        return Ok((reader, held));
    };
    let reader = ArrowReaderMetadata::try_new(metadata, options.with_skip_arrow_metadata(true));
    let reader = reader.map_err(malformed)?;
    let metadata = reader.metadata().clone();
    let groups = Groups { chunks, metadata, groups: Vec::new() };
    let rows = rows_of(groups, &decodable(&deep), ProjectionMask::all(), 1, RowSelection::default());
    let rows = rows.map_err(malformed)?;
    let mut entries = deep.metadata().clone();
    entries.extend(reader.schema().metadata().clone());
    entries.remove(ARROW_SCHEMA_META_KEY);
    let held = Arc::new(Schema::new_with_metadata(rows.schema().fields().clone(), entries));
    Ok((reader, held))
}

/// The same schema with dictionaries only where the library reads them without first making one of all
/// values: of texts and bytes, whose keys get the type that counts those of several row groups. It knows none
/// of truth values, decimals, half floats and fixed bytes.
fn decodable(held: &Schema) -> SchemaRef {
    coarse::retyped(held, &mut |_, known| match known {
        DataType::Dictionary(_, value) => Some(match value.as_ref() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
                DataType::Dictionary(Box::new(DataType::Int32), value.clone())
            }
            plain => plain.clone(),
        }),
        _ => None,
    })
}

/// Rows of row groups as batches of some columns, of the types of `held` as far as they fit.
pub(super) fn rows_of(
    groups: Groups,
    held: &Schema,
    mask: ProjectionMask,
    batch_rows: usize,
    wanted: RowSelection,
) -> parquet::errors::Result<ParquetRecordBatchReader> {
    let columns = groups.metadata.file_metadata().schema_descr();
    let levels = parquet_to_arrow_field_levels(columns, mask, Some(held.fields()))?;
    ParquetRecordBatchReader::try_new_with_row_groups(&levels, &groups, batch_rows, Some(wanted))
}

/// The Arrow schema that the footer carries, if it is sound but nests deeper than the library reads.
///
/// # Errors
/// A type in it that the library does not know, at whatever depth.
fn deep_schema(metadata: &ParquetMetaData) -> Result<Option<SchemaRef>> {
    let Some(bytes) = told_schema(metadata) else { return Ok(None) };
    let message = bytes.strip_prefix(&[0xff; 4]).and_then(|rest| rest.get(4..)).unwrap_or(&bytes);
    let sound = arrow_ipc::root_as_message_with_opts(&crate::ipc::verifier(), message).ok();
    let Some(schema) = sound.and_then(|message| message.header_as_schema()) else { return Ok(None) };
    crate::ipc::refuse_wide(schema)?;
    let is_deep = arrow_ipc::root_as_message(message).is_err();
    Ok(is_deep.then(|| Arc::new(arrow_ipc::convert::fb_to_schema(schema))))
}

/// The bytes of the Arrow schema that the footer carries.
fn told_schema(metadata: &ParquetMetaData) -> Option<Vec<u8>> {
    let entries = metadata.file_metadata().key_value_metadata()?;
    let entry = entries.iter().find(|entry| entry.key == ARROW_SCHEMA_META_KEY)?;
    BASE64.decode(entry.value.as_ref()?).ok()
}

/// First row of each row group, and the number of rows at the end.
fn starts(metadata: &ParquetMetaData) -> Result<Vec<u64>> {
    let bad = |what: String| Error::malformed(NAME, Place::default(), what);
    let (mut starts, mut end) = (vec![0u64], 0u64);
    for group in metadata.row_groups() {
        let rows = u64::try_from(group.num_rows());
        let rows = rows.map_err(|_| bad("a row group has a negative number of rows".into()))?;
        let next = end.checked_add(rows);
        end = next.ok_or_else(|| bad("the row groups hold more than 2^64 rows".into()))?;
        starts.push(end);
    }
    match metadata.file_metadata().num_rows() {
        declared if u64::try_from(declared) == Ok(end) => Ok(starts),
        declared => Err(bad(format!("the footer says {declared} rows, its row groups {end}"))),
    }
}

/// Every column chunk must lie within the file, before anything allocates by its size.
fn check_ranges(metadata: &ParquetMetaData, len: u64) -> Result<()> {
    for (index, group) in metadata.row_groups().iter().enumerate() {
        for column in group.columns() {
            let at = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
            let size = column.compressed_size();
            // A column without values needs no page, and some writers then give no offset either.
            let least = if size == 0 && column.num_values() == 0 { 0 } else { 4 };
            let end = at.checked_add(size).filter(|_| at >= least && size >= 0);
            if end.is_none_or(|end| end as u64 > len) {
                let what = format!(
                    "row group {index} says its bytes lie at {at} with length {size}, outside the file"
                );
                let place = Place::default().column(column.column_path().string());
                return Err(Error::malformed(NAME, place, what));
            }
        }
    }
    Ok(())
}

/// Positioned reads for the library. Its own implementation for files moves a cursor that all clones share,
/// which threads must not.
pub(super) struct Chunks(pub(super) Arc<ObjectFile>);

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for Chunks {
    type T = std::io::BufReader<RangeReader>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(std::io::BufReader::with_capacity(64 << 10, RangeReader::new(self.0.clone(), start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<bytes::Bytes> {
        let inside = start.checked_add(length as u64).is_some_and(|end| end <= self.0.len());
        if !inside {
            return Err(parquet::errors::ParquetError::EOF(format!(
                "{length} bytes at {start} lie outside the file of {} bytes",
                self.0.len()
            )));
        }
        let mut buffer = vec![0; length];
        self.0
            .read_exact_at(&mut buffer, start)
            .map_err(|error| parquet::errors::ParquetError::External(Box::new(error)))?;
        Ok(buffer.into())
    }
}
