//! Provides sources and encoders that carry types which their format lacks.

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::{Carrier, RECORD_KEY};
use crate::error::Result;
use crate::table::{Batches, Encoded, PartEncoder, Placed, TableEncoder, TableSource};

/// A source whose columns come back in their logical types.
pub struct CarriedSource<S> {
    inner: S,
    carrier: Carrier,
}

impl<S: TableSource + 'static> CarriedSource<S> {
    /// The source itself, or what it carries if its metadata record types that its format lacks.
    ///
    /// # Errors
    /// A record that does not fit the columns.
    pub fn open(inner: S) -> Result<Box<dyn TableSource>> {
        match inner.schema().metadata().get(RECORD_KEY) {
            None => Ok(Box::new(inner)),
            Some(record) => {
                let carrier = Carrier::restore(inner.schema(), record)?;
                Ok(Box::new(CarriedSource { inner, carrier }))
            }
        }
    }
}

impl<S: TableSource> TableSource for CarriedSource<S> {
    fn schema(&self) -> &SchemaRef {
        self.carrier.logical()
    }

    fn rows(&self) -> u64 {
        self.inner.rows()
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        self.inner.byte_range(rows)
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let batches = self.inner.batches(rows)?;
        Ok(Box::new(batches.map(|batch| self.carrier.from_physical(&batch?))))
    }

    fn held_bytes(&self) -> u64 {
        self.inner.held_bytes()
    }

    fn notes(&self) -> Vec<String> {
        self.inner.notes()
    }

    fn check_structure(&self) -> Result<()> {
        self.inner.check_structure()
    }
}

/// An encoder that is given logical types and writes physical ones.
pub struct CarriedEncoder<E> {
    inner: E,
    carrier: Carrier,
}

impl<E: TableEncoder> CarriedEncoder<E> {
    /// An encoder over one for the carrier's physical schema.
    pub fn new(inner: E, carrier: Carrier) -> Self {
        CarriedEncoder { inner, carrier }
    }
}

impl<E: TableEncoder> TableEncoder for CarriedEncoder<E> {
    fn header(&self) -> Result<Vec<u8>> {
        self.inner.header()
    }

    fn part(&self, first_row: u64) -> Result<Box<dyn PartEncoder + '_>> {
        Ok(Box::new(Part { inner: self.inner.part(first_row)?, carrier: &self.carrier, row: first_row }))
    }

    fn footer(&self, placed: &[Placed]) -> Result<Vec<u8>> {
        self.inner.footer(placed)
    }
}

struct Part<'a> {
    inner: Box<dyn PartEncoder + 'a>,
    carrier: &'a Carrier,
    /// Rows of the table before the next one.
    row: u64,
}

impl PartEncoder for Part<'_> {
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let held = self.carrier.to_physical(batch).map_err(|error| error.rows_before(self.row))?;
        self.row += batch.num_rows() as u64;
        self.inner.push(&held)
    }

    fn finish(self: Box<Self>) -> Result<Encoded> {
        self.inner.finish()
    }
}
