//! Provides the encoding of parts with so many columns that their writers are not held at once: each takes
//! about 100 kB, whatever it holds. The part is kept decoded until its end, and then written some columns
//! after others.

use std::sync::Arc;

use arrow_array::RecordBatch;
use parquet::file::metadata::{
    FileMetaData, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::properties::WriterProperties;

use super::encode::{ParquetEncoder, SAMPLE_ROWS, footer_of, moved_columns, take};
use super::write_failed;
use crate::error::{Error, Result};
use crate::table::{Encoded, PartEncoder, Pieces};

/// Columns whose writers are held at once.
pub(super) const COLUMNS_AT_ONCE: usize = 256;

/// A part that waits for its end.
pub(super) struct WidePart<'a> {
    encoder: &'a ParquetEncoder,
    batches: Vec<RecordBatch>,
}

impl<'a> WidePart<'a> {
    pub(super) fn new(encoder: &'a ParquetEncoder) -> Self {
        WidePart { encoder, batches: Vec::new() }
    }
}

impl PartEncoder for WidePart<'_> {
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.batches.push(batch.clone());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Encoded> {
        let WidePart { encoder, batches } = *self;
        let file = encoder.empty_file_metadata()?;
        let (mut bytes, mut groups, mut rows) = (Pieces::default(), Vec::new(), 0);
        for group in cut(batches, encoder.row_group_rows()) {
            let mut columns = Vec::with_capacity(file.schema_descr().num_columns());
            let (mut count, mut size) = (0, 0);
            for first in (0..encoder.schema().fields().len()).step_by(COLUMNS_AT_ONCE) {
                let end = (first + COLUMNS_AT_ONCE).min(encoder.schema().fields().len());
                let (more, found) = alone(encoder, &group, &(first..end).collect::<Vec<_>>())?;
                columns.extend(moved_columns(&found, bytes.len() as i64)?);
                (count, size) = (found.num_rows(), size + found.total_byte_size());
                bytes.append(more);
            }
            rows += count as u64;
            let group = RowGroupMetaData::builder(file.schema_descr_ptr())
                .set_num_rows(count)
                .set_total_byte_size(size)
                .set_column_metadata(columns);
            groups.push(group.build().map_err(write_failed)?);
        }
        Ok(Encoded { rows, bytes, sidecar: sidecar(file, groups)? })
    }
}

/// The rows of a part by row group, none of which is empty.
fn cut(batches: Vec<RecordBatch>, group_rows: usize) -> Vec<Vec<RecordBatch>> {
    let mut groups: Vec<Vec<RecordBatch>> = Vec::new();
    let mut room = 0;
    for batch in batches {
        let mut at = 0;
        while at < batch.num_rows() {
            if room == 0 {
                groups.push(Vec::new());
                room = group_rows;
            }
            let count = room.min(batch.num_rows() - at);
            groups.last_mut().into_iter().for_each(|group| group.push(batch.slice(at, count)));
            (at, room) = (at + count, room - count);
        }
    }
    groups
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
