//! Provides [`ParquetEncoder`]. A part is written as a small file of its own, from which the data region is
//! kept verbatim; its footer travels as the sidecar, and the target's footer is made of those with their
//! offsets moved.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, KeyValue, ParquetMetaDataBuilder, ParquetMetaDataReader,
    ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::lists::{Elements, has_lists};
use super::wide::{COLUMNS_AT_ONCE, WidePart};
use super::{annotations, choose, write_failed};
use crate::error::{Error, Result};
use crate::limits::PART_ROWS_MAX;
use crate::pieces::Pieces;
use crate::table::{Encoded, PartEncoder, Placed, TableEncoder, rows_bytes};

const MAGIC: &[u8] = b"PAR1";

/// Bytes that one row group may hold in memory, encoded, before it is closed.
const ROW_GROUP_BYTES_MAX: usize = 32 << 20;

/// Bytes of a page before compression: its buffers stay in the cache and are used again.
const PAGE_BYTES: usize = 256 << 10;

/// Rows in a page at most: pages close by their size, so that small values still compress well.
const PAGE_ROWS_MAX: usize = 1 << 20;

/// Rows that the library encodes at once.
const WRITE_ROWS: usize = 8_192;

/// Rows by which the encodings of a part are chosen, and batches and their bytes that are kept for that at
/// most: they are written at once, and nobody looks meanwhile whether to stop.
pub(super) const SAMPLE_ROWS: u64 = 4_096;
const SAMPLE_BATCHES: usize = 8;
const SAMPLE_BYTES: usize = 16 << 20;

/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    None,
    /// Snappy, without levels.
    Snappy,
    /// Gzip, level 0 to 9.
    Gzip(u32),
    /// Zstandard, level 1 to 22.
    Zstd(i32),
    /// LZ4 blocks (`LZ4_RAW`).
    Lz4,
    /// Brotli, level 0 to 11.
    Brotli(u32),
}

impl Codec {
    fn to_parquet(self) -> Result<Compression> {
        let level = |error: parquet::errors::ParquetError| Error::Misuse(format!("--compression: {error}"));
        Ok(match self {
            Codec::None => Compression::UNCOMPRESSED,
            Codec::Snappy => Compression::SNAPPY,
            Codec::Gzip(at) => Compression::GZIP(parquet::basic::GzipLevel::try_new(at).map_err(level)?),
            Codec::Zstd(at) => Compression::ZSTD(ZstdLevel::try_new(at).map_err(level)?),
            Codec::Lz4 => Compression::LZ4_RAW,
            Codec::Brotli(at) => {
                Compression::BROTLI(parquet::basic::BrotliLevel::try_new(at).map_err(level)?)
            }
        })
    }
}

/// What a person may choose about a Parquet target.
#[derive(Debug, Clone)]
pub struct ParquetOptions {
    /// Compression of pages.
    pub codec: Codec,
    /// Rows in a row group at most; by default a part is one row group.
    pub row_group_rows: Option<u64>,
    /// Whether columns may use a dictionary.
    pub dictionary: bool,
    /// Key-value metadata of the file.
    pub metadata: Vec<(String, String)>,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        ParquetOptions { codec: Codec::Zstd(3), row_group_rows: None, dictionary: true, metadata: Vec::new() }
    }
}

/// Encodes parts of a Parquet file.
pub struct ParquetEncoder {
    schema: SchemaRef,
    properties: WriterProperties,
    metadata: Vec<KeyValue>,
    dictionary: bool,
    /// Rows that a part is expected to have.
    part_rows: u64,
}

impl ParquetEncoder {
    /// An encoder for tables of this schema.
    ///
    /// # Errors
    /// A compression level outside its range.
    pub fn new(schema: SchemaRef, options: &ParquetOptions) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_created_by(concat!("isoform version ", env!("CARGO_PKG_VERSION")).into())
            .set_compression(options.codec.to_parquet()?)
            .set_dictionary_enabled(options.dictionary)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_dictionary_page_size_limit(choose::DICTIONARY_BYTES_MAX)
            .set_data_page_size_limit(PAGE_BYTES)
            .set_data_page_row_count_limit(PAGE_ROWS_MAX)
            .set_write_batch_size(WRITE_ROWS)
            .set_max_row_group_row_count(options.row_group_rows.map(|rows| rows as usize))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES_MAX))
            .build();
        let metadata = options.metadata.iter();
        let metadata = metadata.map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        let part_rows = options.row_group_rows.unwrap_or(PART_ROWS_MAX).max(1);
        Ok(ParquetEncoder { schema, properties, metadata, dictionary: options.dictionary, part_rows })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows in a row group at most.
    pub(super) fn row_group_rows(&self) -> usize {
        self.part_rows as usize
    }

    /// A writer of some or all columns.
    pub(super) fn writer(
        &self,
        schema: SchemaRef,
        properties: WriterProperties,
    ) -> Result<ArrowWriter<Pieces>> {
        let mut options = ArrowWriterOptions::new().with_properties(properties);
        if let Some(columns) = annotations::written(&schema).map_err(write_failed)? {
            options = options.with_parquet_schema(columns);
        }
        ArrowWriter::try_new_with_options(Pieces::default(), schema, options).map_err(write_failed)
    }

    /// What suits columns of which these are the first rows of a part.
    pub(super) fn properties_for(&self, sample: &RecordBatch) -> Result<WriterProperties> {
        let sample = sample.slice(0, sample.num_rows().min(SAMPLE_ROWS as usize));
        choose::properties(&self.properties, &sample, self.part_rows, self.dictionary)
    }

    /// The file facts of a part without rows, which carry the schema as the library writes it.
    pub(super) fn empty_file_metadata(&self) -> Result<FileMetaData> {
        let writer = self.writer(self.schema.clone(), self.properties.clone())?;
        let metadata = writer.close().map_err(write_failed)?;
        Ok(metadata.file_metadata().clone())
    }
}

impl TableEncoder for ParquetEncoder {
    fn header(&self) -> Result<Vec<u8>> {
        Ok(MAGIC.to_vec())
    }

    fn part(&self, _first_row: u64) -> Result<Box<dyn PartEncoder + '_>> {
        if self.schema.fields().len() > COLUMNS_AT_ONCE {
            return Ok(Box::new(WidePart::new(self)?));
        }
        Ok(Box::new(Part::new(self)))
    }

    fn footer(&self, placed: &[Placed]) -> Result<Vec<u8>> {
        let file = self.empty_file_metadata()?;
        let mut groups = Vec::new();
        let mut rows = 0i64;
        for part in placed {
            let metadata = ParquetMetaDataReader::decode_metadata(&part.sidecar).map_err(write_failed)?;
            for group in metadata.row_groups() {
                rows += group.num_rows();
                let shift = part.bytes.start as i64 - MAGIC.len() as i64;
                groups.push(moved(group, shift, groups.len(), &file)?);
            }
        }
        let mut pairs = file.key_value_metadata().cloned().unwrap_or_default();
        pairs.extend(self.metadata.iter().cloned());
        let file = FileMetaData::new(
            file.version(),
            rows,
            file.created_by().map(str::to_owned),
            (!pairs.is_empty()).then_some(pairs),
            file.schema_descr_ptr(),
            file.column_orders().cloned(),
        );
        let metadata = ParquetMetaDataBuilder::new(file).set_row_groups(groups).build();
        let mut bytes = Vec::new();
        ParquetMetaDataWriter::new(&mut bytes, &metadata).finish().map_err(write_failed)?;
        Ok(bytes)
    }
}

/// The same row group, `shift` bytes further on and under the schema of the whole file.
fn moved(
    group: &RowGroupMetaData,
    shift: i64,
    ordinal: usize,
    file: &FileMetaData,
) -> Result<RowGroupMetaData> {
    let columns = moved_columns(group, shift)?;
    let mut builder = RowGroupMetaData::builder(file.schema_descr_ptr())
        .set_num_rows(group.num_rows())
        .set_total_byte_size(group.total_byte_size())
        .set_column_metadata(columns);
    if let Some(at) = group.file_offset() {
        builder = builder.set_file_offset(at + shift);
    }
    if let Ok(ordinal) = i16::try_from(ordinal) {
        builder = builder.set_ordinal(ordinal);
    }
    builder.build().map_err(write_failed)
}

/// The column chunks of a row group, `shift` bytes further on.
pub(super) fn moved_columns(group: &RowGroupMetaData, shift: i64) -> Result<Vec<ColumnChunkMetaData>> {
    let moved = group.columns().iter().map(|column| {
        let dictionary = column.dictionary_page_offset().map(|at| at + shift);
        let data = column.data_page_offset() + shift;
        let column = column.clone().into_builder();
        column.set_data_page_offset(data).set_dictionary_page_offset(dictionary).build()
    });
    moved.collect::<std::result::Result<_, _>>().map_err(write_failed)
}

struct Part<'a> {
    encoder: &'a ParquetEncoder,
    /// Made when enough rows are there to choose encodings by.
    writer: Option<ArrowWriter<Pieces>>,
    rows: u64,
    waiting: Vec<RecordBatch>,
    waiting_bytes: usize,
    /// Those of the row group that is written, where there are lists.
    elements: Option<Elements>,
}

impl<'a> Part<'a> {
    fn new(encoder: &'a ParquetEncoder) -> Self {
        let mut fields = encoder.schema.fields().iter();
        let elements = fields.any(|field| has_lists(field.data_type())).then(Elements::default);
        Part { encoder, writer: None, rows: 0, waiting: Vec::new(), waiting_bytes: 0, elements }
    }

    /// Writes rows behind those that were: into a row group of their own where one would hold too many
    /// elements of lists.
    fn write(
        writer: &mut ArrowWriter<Pieces>,
        elements: &mut Option<Elements>,
        batch: &RecordBatch,
    ) -> Result<()> {
        let Some(before) = *elements else { return writer.write(batch).map_err(write_failed) };
        let more = before.and(batch);
        if more.are_too_many() && !before.are_none() {
            writer.flush().map_err(write_failed)?;
            *elements = Some(Elements::default());
            return Self::write(writer, elements, batch);
        }
        if more.are_too_many() && batch.num_rows() > 1 {
            let half = batch.num_rows() / 2;
            Self::write(writer, elements, &batch.slice(0, half))?;
            return Self::write(writer, elements, &batch.slice(half, batch.num_rows() - half));
        }
        *elements = Some(more);
        writer.write(batch).map_err(write_failed)
    }

    /// Begins the part with the rows that waited, encoded as suits them.
    fn begin(&mut self) -> Result<&mut ArrowWriter<Pieces>> {
        let encoder = self.encoder;
        let waiting = std::mem::take(&mut self.waiting);
        let properties = match waiting.as_slice() {
            [] => encoder.properties.clone(),
            batches => {
                let sample = arrow_select::concat::concat_batches(&batches[0].schema(), batches);
                encoder.properties_for(&sample.map_err(|error| write_failed(error.into()))?)?
            }
        };
        let mut writer = encoder.writer(encoder.schema.clone(), properties)?;
        // The magic stands at the start of the whole file alone.
        take(&mut writer)?;
        // Each is let go once it is written: few of them may be all that memory holds.
        for batch in waiting {
            Self::write(&mut writer, &mut self.elements, &batch)?;
        }
        Ok(self.writer.insert(writer))
    }
}

impl PartEncoder for Part<'_> {
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        if let Some(writer) = &mut self.writer {
            return Self::write(writer, &mut self.elements, batch);
        }
        self.waiting.push(batch.clone());
        self.waiting_bytes += rows_bytes(batch)?;
        let many = self.waiting.len() >= SAMPLE_BATCHES || self.waiting_bytes >= SAMPLE_BYTES;
        if many || self.rows >= SAMPLE_ROWS {
            self.begin()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Encoded> {
        if self.writer.is_none() {
            self.begin()?;
        }
        let Some(mut writer) = self.writer.take() else {
            return Err(Error::Bug("a Parquet part without a writer".into()));
        };
        writer.flush().map_err(write_failed)?;
        let bytes = take(&mut writer)?;
        writer.finish().map_err(write_failed)?;
        let sidecar = footer_of(take(&mut writer)?.concat()?)?;
        Ok(Encoded { rows: self.rows, bytes, sidecar })
    }
}

/// A footer without its length and the magic behind it.
pub(super) fn footer_of(mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let length = bytes.len().checked_sub(8);
    bytes.truncate(length.ok_or_else(|| Error::Bug("a Parquet part without a footer".into()))?);
    Ok(bytes)
}

/// Takes what was written since the last call.
pub(super) fn take(writer: &mut ArrowWriter<Pieces>) -> Result<Pieces> {
    writer.sync().map_err(|error| write_failed(error.into()))?;
    Ok(std::mem::take(writer.inner_mut()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::StringArray;

    use super::*;

    #[test]
    fn rows_wait_for_others_while_they_are_few_batches_of_few_bytes() {
        let of_bytes = |bytes: usize| {
            let text: arrow_array::ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(bytes)]));
            RecordBatch::try_from_iter([("text", text)]).unwrap()
        };
        for (bytes, pushes) in [(10, SAMPLE_BATCHES), (SAMPLE_BYTES / 2, 2), (SAMPLE_BYTES, 1)] {
            let batch = of_bytes(bytes);
            let encoder = ParquetEncoder::new(batch.schema(), &ParquetOptions::default()).unwrap();
            let mut part = Part::new(&encoder);
            for number in 1..=pushes {
                assert!(part.writer.is_none(), "{bytes} {number}");
                part.push(&batch).unwrap();
            }
            assert!(part.writer.is_some() && part.waiting.is_empty(), "{bytes}");
            assert_eq!(Box::new(part).finish().unwrap().rows, pushes as u64);
        }
    }

    #[test]
    fn encodings_are_chosen_by_no_more_rows_than_are_said() {
        let rows = 2 * SAMPLE_ROWS as usize;
        let text = |row: usize| match row < rows / 2 {
            true => {
                // In no order that a compressor finds.
                let mixed = (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                let one = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 58;
                format!("{:016x}", (one + 1).wrapping_mul(0xD1B5_4A32_D192_ED03))
            }
            false => format!("{row:0>800}"),
        };
        let text: arrow_array::ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(text)));
        let batch = RecordBatch::try_from_iter([("text", text)]).unwrap();
        let encoder = ParquetEncoder::new(batch.schema(), &ParquetOptions::default()).unwrap();
        let dictionary =
            |rows: &RecordBatch| encoder.properties_for(rows).unwrap().dictionary_enabled(&"text".into());
        assert!(dictionary(&batch), "the first rows have few values");
        assert!(!dictionary(&batch.slice(rows / 2, rows / 2)), "the others have one each");
    }

    #[test]
    fn lists_of_nothing_new_are_cut_into_row_groups_that_are_read_back() {
        let zeros = |rows: i32| {
            let values = Arc::new(arrow_array::Int8Array::from(vec![0; rows as usize * 100_000]));
            let field = Arc::new(arrow_schema::Field::new_list_field(arrow_schema::DataType::Int8, true));
            let lists: arrow_array::ArrayRef =
                Arc::new(arrow_array::FixedSizeListArray::new(field, 100_000, values, None));
            RecordBatch::try_from_iter([("lists", lists)]).unwrap()
        };
        let encoder = ParquetEncoder::new(zeros(0).schema(), &ParquetOptions::default()).unwrap();
        // The second is more than one row group can have by itself.
        for (batches, groups) in [(vec![zeros(200), zeros(150)], 2), (vec![zeros(400)], 2)] {
            let mut part = encoder.part(0).unwrap();
            batches.iter().for_each(|batch| part.push(batch).unwrap());
            let sidecar = part.finish().unwrap().sidecar;
            let metadata = ParquetMetaDataReader::decode_metadata(&sidecar).unwrap();
            assert_eq!(metadata.num_row_groups(), groups);
            let values = metadata.row_groups().iter().map(|group| group.column(0).num_values());
            assert!(values.max().unwrap() as u64 <= crate::parquet::lists::ELEMENTS_MAX);
        }
    }
}
