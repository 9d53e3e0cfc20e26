//! Provides a table on its way through a format: rows are written in that format and read again, in memory,
//! when they are asked for, and what comes out must be what went in.

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use coherence::content::{PartContent, TableDigester};
use coherence::schema::Schema;

use crate::cells::logical_schema;
use crate::convert::push;
use crate::error::{Error, Place, Result};
use crate::limits::CHUNK_ROWS;
use crate::listen::Listener;
use crate::memory;
use crate::open::Opened;
use crate::reopen::open_written;
use crate::table::{Batches, Placed, TableSource};
use crate::write::{Encoder, WriteOptions, encoder};

/// A table that is read by way of a format.
pub(crate) struct Passage {
    inner: Opened,
    options: WriteOptions,
    encoder: Encoder,
    /// What the digests of both sides are made under.
    logical: Schema,
    schema: SchemaRef,
}

impl Passage {
    /// Leads a table through a format.
    ///
    /// # Errors
    /// A column that the format cannot carry, or that comes back as another type.
    pub fn new(inner: Opened, options: WriteOptions) -> Result<Self> {
        let schema = inner.table().schema().clone();
        let encoder = encoder(&schema, &inner.typings(), &options)?;
        let logical = logical_schema(&schema)?;
        let mut passage = Self { inner, options, encoder, logical, schema };
        // The first row, if there is one, tells the schema of what comes out.
        let first = 0..passage.inner.table().rows().min(1);
        passage.schema = passage.table_of(first)?.schema().clone();
        let found = logical_schema(&passage.schema)?;
        let pairs = passage.logical.fields.iter().zip(&found.fields);
        if let Some((ours, theirs)) = pairs.into_iter().find(|(ours, theirs)| ours != theirs) {
            let name = passage.options.format.name();
            let what = format!("{} would become {} by way of {name}", ours.ty, theirs.ty);
            let place = Place::default().column(&ours.name);
            return Err(Error::unsupported(place, what, "leave that step away"));
        }
        Ok(passage)
    }

    /// What is led.
    pub fn inner(&self) -> &Opened {
        &self.inner
    }

    /// A table in memory of these rows, as the format holds it.
    fn table_of(&self, rows: Range<u64>) -> Result<Box<dyn TableSource>> {
        let encoder = self.encoder.get();
        let mut part = encoder.part(rows.start)?;
        for batch in self.inner.table().batches(rows.clone())? {
            part.push(&batch.map_err(|error| self.inner.misfit(error))?)?;
        }
        let encoded = part.finish()?;
        let header = encoder.header()?;
        let start = header.len() as u64;
        let bytes = start..start + encoded.bytes.len();
        let placed = Placed { rows: encoded.rows, bytes, sidecar: encoded.sidecar };
        let placed = [placed];
        let footer = encoder.footer(&placed)?;
        let file = memory::part(&header, &encoded.bytes, &footer)?;
        open_written(file, &self.options, &self.encoder, (rows.start, &placed), &Listener::default())
    }

    /// These rows as they come out, which must be what goes in.
    fn led(&self, rows: Range<u64>) -> Result<Vec<RecordBatch>> {
        let table = self.table_of(rows.clone())?;
        let batches = table.batches(0..rows.end - rows.start)?.collect::<Result<Vec<_>>>()?;
        let theirs = self.digest(batches.iter().cloned().map(Ok))?;
        let ours = self.digest(self.inner.table().batches(rows.clone())?)?;
        if ours.units != theirs.units || ours.leaves != theirs.leaves {
            let name = self.options.format.name();
            let what = format!("rows from {} on come out of {name} with other values", rows.start + 1);
            return Err(Error::unsupported(Place::at_row(rows.start + 1), what, "leave that step away"));
        }
        Ok(batches)
    }

    fn digest(&self, batches: impl Iterator<Item = Result<RecordBatch>>) -> Result<PartContent> {
        let mut digester = TableDigester::new(&self.logical);
        for batch in batches {
            push(&mut digester, &batch?)?;
        }
        Ok(digester.finish())
    }
}

impl TableSource for Passage {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(&self) -> u64 {
        self.inner.table().rows()
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        self.inner.table().byte_range(rows)
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let step = usize::try_from(CHUNK_ROWS).unwrap_or(usize::MAX);
        let starts = rows.clone().step_by(step);
        let batches = starts.flat_map(move |start| match self.led(start..rows.end.min(start + CHUNK_ROWS)) {
            Ok(batches) => batches.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        });
        Ok(Box::new(batches))
    }

    fn held_bytes(&self) -> u64 {
        self.inner.table().held_bytes()
    }

    fn check_structure(&self) -> Result<()> {
        self.inner.table().check_structure()
    }
}
