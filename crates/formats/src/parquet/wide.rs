//! Provides the encoding of parts with so many columns that their writers are not held at once: each takes
//! about 100 kB, whatever it holds. The rows of a row group are kept decoded until its end, and then written
//! some columns after others.

use std::sync::Arc;

use arrow_array::RecordBatch;
use parquet::file::metadata::{
    FileMetaData, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::properties::WriterProperties;

use super::encode::{ParquetEncoder, SAMPLE_ROWS, footer_of, moved_columns, take};
use super::write_failed;
use crate::error::{Error, Result};
use crate::pieces::Pieces;
use crate::table::{Encoded, PartEncoder, rows_bytes};

/// Columns whose writers are held at once.
pub(super) const COLUMNS_AT_ONCE: usize = 256;

/// Bytes of decoded rows that are held until a row group is made of them.
const GROUP_BYTES: usize = 64 << 20;

/// A part, of which the rows of one row group are held as they were decoded.
pub(super) struct WidePart<'a> {
    encoder: &'a ParquetEncoder,
    file: FileMetaData,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    rows: u64,
    bytes: Pieces,
    groups: Vec<RowGroupMetaData>,
}

impl<'a> WidePart<'a> {
    pub(super) fn new(encoder: &'a ParquetEncoder) -> Result<Self> {
        Ok(WidePart {
            encoder,
            file: encoder.empty_file_metadata()?,
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            rows: 0,
            bytes: Pieces::default(),
            groups: Vec::new(),
        })
    }

    /// Writes the rows that wait as a row group.
    fn close_group(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        let width = self.encoder.schema().fields().len();
        let (mut columns, mut size) = (Vec::with_capacity(width), 0);
        for first in (0..width).step_by(COLUMNS_AT_ONCE) {
            let some: Vec<usize> = (first..(first + COLUMNS_AT_ONCE).min(width)).collect();
            let (bytes, found) = alone(self.encoder, &rows, &some)?;
            columns.extend(moved_columns(&found, self.bytes.len() as i64)?);
            size += found.total_byte_size();
            self.bytes.append(bytes)?;
        }
        let group = RowGroupMetaData::builder(self.file.schema_descr_ptr())
            .set_num_rows(self.waiting_rows as i64)
            .set_total_byte_size(size)
            .set_column_metadata(columns);
        self.groups.push(group.build().map_err(write_failed)?);
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        Ok(())
    }
}

impl PartEncoder for WidePart<'_> {
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut at = 0;
        while at < batch.num_rows() {
            let room = self.encoder.row_group_rows() - self.waiting_rows;
            let rows = batch.slice(at, room.min(batch.num_rows() - at));
            at += rows.num_rows();
            self.waiting_rows += rows.num_rows();
            self.waiting_bytes += rows_bytes(&rows)?;
            self.waiting.push(rows);
            if self.waiting_rows == self.encoder.row_group_rows() || self.waiting_bytes >= GROUP_BYTES {
                self.close_group()?;
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Encoded> {
        if self.waiting_rows > 0 {
            self.close_group()?;
        }
        let WidePart { file, groups, rows, bytes, .. } = *self;
        Ok(Encoded { rows, bytes, sidecar: sidecar(file, groups)? })
    }
}

/// Some columns of a row group as a file of their own, without its magic and footer: its bytes, and what
/// its footer says of them.
fn alone(
    encoder: &ParquetEncoder,
    group: &[RecordBatch],
    columns: &[usize],
) -> Result<(Pieces, RowGroupMetaData)> {
    let failed = |error: arrow_schema::ArrowError| write_failed(error.into());
    let group = group.iter().map(|batch| batch.project(columns)).collect::<Result<Vec<_>, _>>();
    let group = group.map_err(failed)?;
    let schema = Arc::new(encoder.schema().project(columns).map_err(failed)?);
    let mut sampled = 0;
    let sample = group.iter().take_while(|batch| {
        let wanted = sampled < SAMPLE_ROWS;
        sampled += batch.num_rows() as u64;
        wanted
    });
    let sample = arrow_select::concat::concat_batches(&group[0].schema(), sample).map_err(failed)?;
    let properties = encoder.properties_for(&sample)?;
    let one_group = WriterProperties::into_builder(properties)
        .set_max_row_group_row_count(None)
        .set_max_row_group_bytes(None)
        .build();
    let mut writer = encoder.writer(schema, one_group)?;
    take(&mut writer)?;
    for batch in &group {
        writer.write(batch).map_err(write_failed)?;
    }
    writer.flush().map_err(write_failed)?;
    let bytes = take(&mut writer)?;
    let metadata = writer.finish().map_err(write_failed)?;
    match metadata.row_groups() {
        [only] => Ok((bytes, only.clone())),
        other => Err(Error::Bug(format!("{} row groups where one was written", other.len()))),
    }
}

/// The footer of a part, without its length and magic.
fn sidecar(file: FileMetaData, groups: Vec<RowGroupMetaData>) -> Result<Vec<u8>> {
    let metadata = ParquetMetaDataBuilder::new(file).set_row_groups(groups).build();
    let mut bytes = Vec::new();
    ParquetMetaDataWriter::new(&mut bytes, &metadata).finish().map_err(write_failed)?;
    footer_of(bytes)
}
