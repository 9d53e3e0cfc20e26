//! Provides the encoder that leaves out the columns which paths tell, and the source that adds them again.

use std::ops::Range;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::SchemaRef;

use super::Partitioning;
use crate::bytes::Settings;
use crate::error::{Error, Result};
use crate::table::{Batches, Encoded, PartEncoder, Placed, TableEncoder, TableSource};

/// An encoder that is given whole rows and writes those columns that are in files.
pub struct KeyedEncoder<'a> {
    inner: &'a dyn TableEncoder,
    rest: Vec<usize>,
}

/// An encoder over one for the schema of the files.
pub fn keyed_encoder<'a>(inner: &'a dyn TableEncoder, partitioning: &Partitioning) -> KeyedEncoder<'a> {
    KeyedEncoder { inner, rest: partitioning.rest() }
}

impl TableEncoder for KeyedEncoder<'_> {
    fn header(&self) -> Result<Vec<u8>> {
        self.inner.header()
    }

    fn part(&self, first_row: u64) -> Result<Box<dyn PartEncoder + '_>> {
        Ok(Box::new(Part { inner: self.inner.part(first_row)?, rest: &self.rest }))
    }

    fn footer(&self, placed: &[Placed]) -> Result<Vec<u8>> {
        self.inner.footer(placed)
    }

    fn member(&self) -> Option<Settings> {
        self.inner.member()
    }
}

struct Part<'a> {
    inner: Box<dyn PartEncoder + 'a>,
    rest: &'a [usize],
}

impl PartEncoder for Part<'_> {
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = batch.project(self.rest);
        self.inner.push(&batch.map_err(|error| Error::Bug(format!("leaving out columns: {error}")))?)
    }

    fn finish(self: Box<Self>) -> Result<Encoded> {
        self.inner.finish()
    }
}

/// The file of a partition as rows of the whole table.
pub struct KeyedSource {
    inner: Box<dyn TableSource>,
    schema: SchemaRef,
    keys: Vec<usize>,
    /// One row of each partitioning column.
    values: Vec<ArrayRef>,
}

/// The file of the partition at `path` with the columns that the path tells.
///
/// # Errors
/// A path or a file that does not belong to the partitioning.
pub fn keyed_source(
    inner: Box<dyn TableSource>,
    partitioning: &Partitioning,
    path: &str,
) -> Result<KeyedSource> {
    let schema = partitioning.whole(inner.schema())?;
    Ok(KeyedSource { inner, schema, keys: partitioning.columns(), values: partitioning.values(path)? })
}

impl KeyedSource {
    fn whole(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let first = UInt32Array::from(vec![0; rows]);
        let mut inside = batch.columns().iter();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        let failed = |error| Error::Bug(format!("adding the columns of a path: {error}"));
        for column in 0..self.schema.fields().len() {
            match self.keys.iter().position(|key| *key == column) {
                Some(key) => {
                    let value = self.values[key].as_ref();
                    columns.push(arrow_select::take::take(value, &first, None).map_err(failed)?);
                }
                None => columns.extend(inside.next().cloned()),
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(failed)
    }
}

impl TableSource for KeyedSource {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(&self) -> u64 {
        self.inner.rows()
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        self.inner.byte_range(rows)
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        Ok(Box::new(self.inner.batches(rows)?.map(|batch| self.whole(&batch?))))
    }

    fn check_structure(&self) -> Result<()> {
        self.inner.check_structure()
    }
}
