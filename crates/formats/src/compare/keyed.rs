//! Provides the comparison of rows that belong together by the cells of a key.
//!
//! Both tables are read once, and each row is marked with its number and the digest of its key. As long as
//! memory holds all rows they are matched there; otherwise both sides are cut by the digest into temporaries,
//! and each piece is matched in the same way. A key that occurs twice on a side is an error: which of its
//! rows belongs to which of the other side would be a guess, and the answer would depend on it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::builder::{FixedSizeBinaryBuilder, UInt64Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use coherence::cells::Cells;
use coherence::distance::SignatureMismatch;
use coherence::rows::row_digests;

use super::common::text;
use super::findings::{At, Findings, View};
use super::spill::{Pieces, bytes_of, digests};
use super::{CompareOptions, Comparison, Plan, Side, Which};
use crate::cells::cells;
use crate::convert::Watch;
use crate::error::{Error, Place, Result};
use crate::table::Batches;

/// Bytes of a digest that are kept. Two keys of one digest would be taken for a key that occurs twice, or
/// for a pair whose keys differ; neither passes for equal.
const DIGEST_BYTES: usize = 16;

/// Levels of cutting: one byte of the digest for each.
const LEVELS: usize = DIGEST_BYTES;

/// Memory that matching takes for each row besides its cells.
const ROW_BYTES: usize = 96;

/// Where a row is held: batch and row within it.
type Held = (u32, u32);

/// Compares rows of equal keys. `watch` hears of the rows of both sides as they are read.
///
/// # Errors
/// Those of reading and of temporaries; a key that a side does not have, or that occurs twice on a side.
pub fn by_key(
    left: Side<'_>,
    right: Side<'_>,
    options: &CompareOptions,
    watch: Watch<'_>,
) -> Result<Comparison> {
    let plan = Plan::new(left, right, options)?;
    let findings = Findings::new(&plan, options.show)?;
    let schemas = [Which::Left, Which::Right].map(|which| marked_schema(plan.arrow_schema(which)));
    let inputs = [
        marked(&plan, left, Which::Left, schemas[0].clone(), watch)?,
        marked(&plan, right, Which::Right, schemas[1].clone(), watch)?,
    ];
    let mut join = Join { plan: &plan, sides: [left, right], options, schemas, findings, watch };
    join.run(inputs, 0)?;
    let alone = join.findings.alone_counts();
    let mismatch = SignatureMismatch::Alone { left: alone[0], right: alone[1] };
    join.findings.finish((alone != [0, 0]).then_some(mismatch))
}

/// The compared columns, then the number of the row, then the digest of its key.
fn marked_schema(schema: &SchemaRef) -> SchemaRef {
    let marks = [
        Field::new("row", DataType::UInt64, false),
        Field::new("digest", DataType::FixedSizeBinary(DIGEST_BYTES as i32), false),
    ];
    Arc::new(Schema::new(schema.fields().iter().cloned().chain(marks.map(Arc::new)).collect::<Vec<_>>()))
}

fn marked<'a>(
    plan: &'a Plan,
    side: Side<'a>,
    which: Which,
    schema: SchemaRef,
    watch: Watch<'a>,
) -> Result<Batches<'a>> {
    let mut row = 0;
    let all = plan.schema(which)?;
    let key_schema =
        coherence::schema::Schema::new(plan.key.iter().map(|at| all.fields[*at].clone()).collect());
    let mark = move |batch: Result<RecordBatch>| {
        let batch = batch?;
        let keys = plan.key.iter().map(|at| cells(batch.column(*at).as_ref()));
        let keys: Vec<Cells<'_>> = keys.collect::<Result<_>>()?;
        let found = row_digests(&key_schema, &keys);
        let found = found.map_err(|error| Error::Bug(format!("digesting keys: {error}")))?;
        let mut rows = UInt64Builder::with_capacity(batch.num_rows());
        let mut digests = FixedSizeBinaryBuilder::with_capacity(batch.num_rows(), DIGEST_BYTES as i32);
        for digest in &found {
            let kept = digests.append_value(&digest.as_bytes()[..DIGEST_BYTES]);
            kept.map_err(|error| Error::Bug(format!("keeping a digest: {error}")))?;
            rows.append_value(row);
            row += 1;
        }
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(rows.finish()));
        columns.push(Arc::new(digests.finish()));
        watch(batch.num_rows() as u64)?;
        RecordBatch::try_new(schema.clone(), columns)
            .map_err(|error| Error::Bug(format!("marking rows: {error}")))
    };
    Ok(Box::new(plan.read(side, which, 0..side.table.rows())?.map(mark)))
}

struct Join<'a> {
    plan: &'a Plan,
    sides: [Side<'a>; 2],
    options: &'a CompareOptions,
    schemas: [SchemaRef; 2],
    findings: Findings<'a>,
    watch: Watch<'a>,
}

impl Join<'_> {
    fn run(&mut self, mut inputs: [Batches<'_>; 2], level: usize) -> Result<()> {
        let mut held = [Vec::new(), Vec::new()];
        let mut bytes = 0;
        for side in 0..2 {
            while let Some(batch) = inputs[side].next() {
                let batch = batch?;
                bytes += bytes_of(&batch)? + batch.num_rows() * ROW_BYTES;
                held[side].push(batch);
                (self.watch)(0)?;
                if bytes > self.options.memory && level < LEVELS {
                    return self.cut(held, inputs, level);
                }
            }
        }
        self.matched(&held)
    }

    /// Too much for memory: cuts both sides and matches each piece.
    fn cut(&mut self, held: [Vec<RecordBatch>; 2], inputs: [Batches<'_>; 2], level: usize) -> Result<()> {
        // Rows of one key cannot be cut apart, and a key that does not identify rows shows early.
        self.index(&held)?;
        let mut pieces = Vec::new();
        for ((held, input), schema) in held.into_iter().zip(inputs).zip(&self.schemas) {
            let mut cut = Pieces::new(&self.options.spill_dir, schema, level);
            for batch in held.into_iter().map(Ok).chain(input) {
                cut.push(batch?)?;
                (self.watch)(0)?;
            }
            pieces.push(cut.finish()?);
        }
        let right = pieces.pop().unwrap_or_default();
        let left = pieces.pop().unwrap_or_default();
        for (left, right) in left.into_iter().zip(right) {
            self.run([left.read()?, right.read()?], level + 1)?;
        }
        Ok(())
    }

    /// Where each key is held on each side.
    fn index(&self, held: &[Vec<RecordBatch>; 2]) -> Result<HashMap<u128, [Option<Held>; 2]>> {
        let rows = held.each_ref().map(|batches| batches.iter().map(RecordBatch::num_rows).sum::<usize>());
        let mut index = HashMap::with_capacity(rows[0].max(rows[1]));
        let mut twice: Option<(u64, usize, Held, Held)> = None;
        for (side, batches) in held.iter().enumerate() {
            for (batch, rows) in batches.iter().enumerate() {
                for row in 0..rows.num_rows() {
                    let here = (batch as u32, row as u32);
                    let places = match index.entry(key_of(rows, row)) {
                        Entry::Occupied(entry) => entry.into_mut(),
                        Entry::Vacant(entry) => entry.insert([None, None]),
                    };
                    match places[side] {
                        None => places[side] = Some(here),
                        Some(before) => {
                            let found = (number(rows, row), side, before, here);
                            twice = Some(twice.map_or(found, |other| other.min(found)));
                        }
                    }
                }
            }
        }
        match twice {
            None => Ok(index),
            Some((_, side, before, here)) => Err(self.twice(&held[side], side, before, here)?),
        }
    }

    /// The error about a key that occurs twice. Rows arrive in order, so `before` is the first with its key.
    fn twice(&self, held: &[RecordBatch], side: usize, before: Held, here: Held) -> Result<Error> {
        let at = |held_at: Held| (&held[held_at.0 as usize], held_at.1 as usize);
        let (batch, row) = at(here);
        let (first, first_row) = at(before);
        let shown = self.plan.key.iter().map(|index| {
            let text = text(batch, *index, row)?;
            let text = text.map_or("null".to_owned(), |text| format!("{text:?}"));
            Ok(format!("{} = {text}", self.plan.columns[*index].name))
        });
        let key = shown.collect::<Result<Vec<_>>>()?.join(", ");
        let first = number(first, first_row) + 1;
        let place = Place::at_row(number(batch, row) + 1);
        let what =
            format!("has the key of record {first} again ({key}), so it is open which row belongs to which");
        let hint = "name more columns with --key, or compare with --unordered";
        Ok(Error::unsupported(place, what, hint).in_file(self.sides[side].path))
    }

    fn matched(&mut self, held: &[Vec<RecordBatch>; 2]) -> Result<()> {
        let index = self.index(held)?;
        let views = [views(&held[0])?, views(&held[1])?];
        let at = |side: usize, (batch, row): Held| {
            let view: &View<'_> = &views[side][batch as usize];
            At { view, index: row as usize, row: number(view.batch, row as usize) }
        };
        for (batch, rows) in held[0].iter().enumerate() {
            for row in 0..rows.num_rows() {
                let left = at(0, (batch as u32, row as u32));
                match index.get(&key_of(rows, row)) {
                    Some([_, Some(other)]) => self.findings.pair(left, at(1, *other))?,
                    _ => self.findings.alone(Which::Left, left)?,
                }
            }
            (self.watch)(0)?;
        }
        for [left, right] in index.values() {
            if let (None, Some(right)) = (left, right) {
                self.findings.alone(Which::Right, at(1, *right))?;
            }
        }
        Ok(())
    }
}

fn views(batches: &[RecordBatch]) -> Result<Vec<View<'_>>> {
    batches.iter().map(View::new).collect()
}

fn key_of(batch: &RecordBatch, row: usize) -> u128 {
    let digest = digests(batch).value(row).first_chunk::<DIGEST_BYTES>();
    u128::from_le_bytes(digest.copied().unwrap_or_default())
}

/// The number of a row in its table: the last column but one.
fn number(batch: &RecordBatch, row: usize) -> u64 {
    batch.column(batch.num_columns() - 2).as_primitive::<UInt64Type>().value(row)
}
