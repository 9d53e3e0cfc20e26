//! Provides the cutting of a part of a table into the rows of each partition.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use coherence::digest::Digest;
use coherence::rows::row_digests;
use coherence::schema::Schema;

use super::Partitioning;
use crate::binary::open_binary;
use crate::cells;
use crate::convert::Watch;
use crate::error::{Error, Result};
use crate::file::ObjectFile;
use crate::limits::CHUNK_ROWS;
use crate::pieces::Pieces;
use crate::registry::Format;
use crate::table::{PartEncoder, TableEncoder, TableSource};
use crate::text::ColumnFormatter;
use crate::typings::Typings;
use crate::write::{Encoder, WriteOptions, encoder};

/// Rows that are sorted at once, and the bytes of them in memory at most, but for one batch: enough that the
/// work for one row does not grow with the number of partitions.
const BLOCK_ROWS: usize = CHUNK_ROWS as usize;
const BLOCK_BYTES: usize = 16 << 20;

/// The rows of one partition that a part of the source has, in the order of the source.
#[derive(Debug)]
pub struct Group {
    /// Path of the partition.
    pub path: String,
    /// Digest of each row, all columns included, as it was decoded from the source.
    pub rows: Vec<Digest>,
    /// Of the rows that were asked for, the number in the table and the place among these.
    pub places: Vec<(u64, u64)>,
    /// The rows as a part of the temporary of this partition, as [`rows_encoder`] lays it out; nothing where
    /// no encoder was given.
    pub bytes: Pieces,
}

/// The encoder of temporaries: a header, parts and a footer make a file that [`open_rows`] opens.
///
/// # Errors
/// A type that has no place in a table.
pub fn rows_encoder(schema: &SchemaRef) -> Result<Encoder> {
    let options = WriteOptions::plain(Format::ArrowStream);
    encoder(schema, &Typings::Native, &options)
}

/// Opens a finished temporary.
///
/// # Errors
/// Those of reading it.
pub fn open_rows(file: Arc<ObjectFile>) -> Result<Box<dyn TableSource>> {
    open_binary(file, Format::ArrowStream)
}

/// Decodes `rows` of a table and cuts them by partition. Groups come in the order of their first rows;
/// without an encoder they are digested only. Of `wanted` rows, which ascend, it is told where they stand.
///
/// # Errors
/// Those of the source; values that make no names of directories.
pub fn group(
    source: &dyn TableSource,
    rows: Range<u64>,
    partitioning: &Partitioning,
    encoder: Option<&dyn TableEncoder>,
    wanted: &[u64],
    schema: &Schema,
    watch: Watch<'_>,
) -> Result<Vec<Group>> {
    let mut sorter = Sorter {
        names: Names::new(partitioning),
        encoder,
        first_row: rows.start,
        next_row: rows.start,
        wanted: &wanted[wanted.partition_point(|row| *row < rows.start)..],
        groups: Vec::new(),
        block: Vec::new(),
        ids: Vec::new(),
        bytes: 0,
    };
    for batch in source.batches(rows.clone())? {
        let batch = batch?;
        let columns = cells::columns(&batch)?;
        let digests = row_digests(schema, &columns);
        let digests = digests.map_err(|error| Error::Bug(format!("digesting rows: {error}")))?;
        watch(batch.num_rows() as u64)?;
        sorter.push(batch, &digests)?;
    }
    let groups = sorter.finish()?;
    let found: u64 = groups.iter().map(|group| group.rows.len() as u64).sum();
    match found == rows.end - rows.start {
        true => Ok(groups),
        false => Err(Error::Bug(format!("part {rows:?}: {found} rows were grouped"))),
    }
}

/// The paths of the partitions that `rows` of a table have, in the order of their first rows.
///
/// # Errors
/// As for [`group`].
pub fn paths(
    source: &dyn TableSource,
    rows: Range<u64>,
    partitioning: &Partitioning,
    watch: Watch<'_>,
) -> Result<Vec<String>> {
    let mut names = Names::new(partitioning);
    for batch in source.batches(rows)? {
        let batch = batch?;
        names.ids(&batch, &mut Vec::new())?;
        watch(batch.num_rows() as u64)?;
    }
    Ok(names.paths)
}

/// Numbers for the partitions that were met.
struct Names<'a> {
    partitioning: &'a Partitioning,
    known: HashMap<Vec<u8>, u32>,
    paths: Vec<String>,
}

impl<'a> Names<'a> {
    fn new(partitioning: &'a Partitioning) -> Self {
        Names { partitioning, known: HashMap::new(), paths: Vec::new() }
    }

    /// Appends the number of each row's partition.
    fn ids(&mut self, batch: &RecordBatch, ids: &mut Vec<u32>) -> Result<()> {
        let mut columns = Vec::with_capacity(self.partitioning.keys.len());
        for key in &self.partitioning.keys {
            columns.push(ColumnFormatter::new(&key.typing, batch.column(key.column).as_ref())?);
        }
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        for row in 0..batch.num_rows() {
            text.clear();
            ends.clear();
            for column in &columns {
                let value = column.write(row, &mut text);
                ends.push((text.len(), value));
                // Behind its text each value has its length and whether it is one, so that no two keys meet.
                text.extend_from_slice(&(text.len() as u64).to_le_bytes());
                text.push(u8::from(value));
            }
            let id = match self.known.get(&text) {
                Some(id) => *id,
                None => self.add(&text, &ends)?,
            };
            ids.push(id);
        }
        Ok(())
    }

    fn add(&mut self, key: &[u8], ends: &[(usize, bool)]) -> Result<u32> {
        let mut values = Vec::with_capacity(ends.len());
        let mut start = 0;
        for (end, value) in ends {
            values.push(value.then(|| &key[start..*end]));
            start = end + size_of::<u64>() + 1;
        }
        let path = self.partitioning.path(&values)?;
        let id = u32::try_from(self.paths.len()).map_err(|error| Error::Bug(error.to_string()))?;
        self.known.insert(key.to_vec(), id);
        self.paths.push(path);
        Ok(id)
    }
}

/// A group while rows are added.
#[derive(Default)]
struct Growing<'a> {
    /// Where its rows are encoded, if they are.
    part: Option<Box<dyn PartEncoder + 'a>>,
    /// The digest of each.
    rows: Vec<Digest>,
    places: Vec<(u64, u64)>,
}

/// Rows on their way into groups.
struct Sorter<'a> {
    names: Names<'a>,
    encoder: Option<&'a dyn TableEncoder>,
    first_row: u64,
    /// The row of the table that comes next.
    next_row: u64,
    /// Those that it is to be told of, from that one on.
    wanted: &'a [u64],
    groups: Vec<Growing<'a>>,
    block: Vec<RecordBatch>,
    ids: Vec<u32>,
    bytes: usize,
}

impl Sorter<'_> {
    fn push(&mut self, batch: RecordBatch, digests: &[Digest]) -> Result<()> {
        let before = self.ids.len();
        self.names.ids(&batch, &mut self.ids)?;
        while self.groups.len() < self.names.paths.len() {
            let part = self.encoder.map(|encoder| encoder.part(self.first_row)).transpose()?;
            self.groups.push(Growing { part, ..Growing::default() });
        }
        for (id, digest) in self.ids[before..].iter().zip(digests) {
            let group = &mut self.groups[*id as usize];
            if let [row, rest @ ..] = self.wanted
                && *row == self.next_row
            {
                group.places.push((*row, group.rows.len() as u64));
                self.wanted = rest;
            }
            group.rows.push(*digest);
            self.next_row += 1;
        }
        if self.encoder.is_none() {
            self.ids.clear();
            return Ok(());
        }
        self.bytes += batch.get_array_memory_size();
        self.block.push(batch);
        if self.ids.len() >= BLOCK_ROWS || self.bytes >= BLOCK_BYTES { self.sort() } else { Ok(()) }
    }

    /// Sorts the block by partition, without changing the order inside one, and hands each its rows.
    fn sort(&mut self) -> Result<()> {
        let Some(first) = self.block.first() else { return Ok(()) };
        let failed = |error| Error::Bug(format!("sorting rows by partition: {error}"));
        let whole = arrow_select::concat::concat_batches(&first.schema(), &self.block).map_err(failed)?;
        self.block.clear();
        self.bytes = 0;
        let mut order: Vec<u32> = (0..self.ids.len() as u32).collect();
        order.sort_by_key(|row| self.ids[*row as usize]);
        let sorted = arrow_select::take::take_record_batch(&whole, &UInt32Array::from(order.clone()));
        let sorted = sorted.map_err(failed)?;
        let mut start = 0;
        while start < order.len() {
            let id = self.ids[order[start] as usize];
            let count = order[start..].partition_point(|row| self.ids[*row as usize] == id);
            if let Some(part) = &mut self.groups[id as usize].part {
                part.push(&sorted.slice(start, count))?;
            }
            start += count;
        }
        self.ids.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Group>> {
        self.sort()?;
        let groups = self.groups.into_iter().zip(self.names.paths);
        let mut finished = Vec::with_capacity(groups.len());
        for (Growing { part, rows, places }, path) in groups {
            let bytes = part.map_or(Ok(Pieces::default()), |part| part.finish().map(|part| part.bytes))?;
            finished.push(Group { path, rows, places, bytes });
        }
        Ok(finished)
    }
}
