//! Provides the collecting of what a comparison finds: evidence by column, and the first rows of each kind.

use arrow_array::RecordBatch;
use coherence::cells::Cells;
use coherence::distance::{ColumnComparison, Pair, SignatureMismatch};

use super::common::text;
use super::plan::{Plan, wrong};
use super::{Alone, AloneRow, ComparedColumn, Comparison, DifferingRow, Which};
use crate::cells::{columns, logical_type};
use crate::error::Result;

/// Rows in memory, seen as cells.
pub(super) struct View<'a> {
    pub(super) batch: &'a RecordBatch,
    pub(super) cells: Vec<Cells<'a>>,
}

/// A row of a view, and its number in the table.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) index: usize,
    pub(super) row: u64,
}

impl<'a> View<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Result<Self> {
        Ok(View { batch, cells: columns(batch)? })
    }
}

/// What was found so far.
pub(super) struct Findings<'a> {
    plan: &'a Plan,
    columns: Vec<ColumnComparison>,
    show: usize,
    found: Comparison,
}

impl<'a> Findings<'a> {
    pub(super) fn new(plan: &'a Plan, show: usize) -> Result<Self> {
        let found = Comparison {
            signature: plan.signature.clone(),
            columns: Vec::new(),
            pairs: 0,
            rows: Default::default(),
            alone: Default::default(),
        };
        Ok(Findings { plan, columns: plan.comparisons()?, show, found })
    }

    /// Takes rows that stand in the same places; `first` is the number of the first one.
    pub(super) fn push(&mut self, left: &View<'_>, right: &View<'_>, first: u64) -> Result<()> {
        let mut differing = Vec::new();
        for index in 0..self.columns.len() {
            differing.clear();
            let pushed =
                self.columns[index].push(&left.cells[index], &right.cells[index], |row| differing.push(row));
            pushed.map_err(|error| wrong(&error, &self.plan.columns[index].name))?;
            for row in &differing {
                let number = first + *row as u64;
                let at = |view| At { view, index: *row, row: number };
                if !self.note(index, at(left), at(right))? {
                    break;
                }
            }
        }
        self.found.pairs += left.batch.num_rows() as u64;
        Ok(())
    }

    /// Takes two rows that belong together.
    pub(super) fn pair(&mut self, left: At<'_>, right: At<'_>) -> Result<()> {
        for index in 0..self.columns.len() {
            let (a, b) = (&left.view.cells[index], &right.view.cells[index]);
            let pair = self.columns[index].pair(a, left.index, b, right.index);
            if pair.map_err(|error| wrong(&error, &self.plan.columns[index].name))? == Pair::Differs {
                self.note(index, left, right)?;
            }
        }
        self.found.pairs += 1;
        Ok(())
    }

    /// Takes a row without a partner.
    pub(super) fn alone(&mut self, which: Which, at: At<'_>) -> Result<()> {
        if which == Which::Left {
            self.scale(at)?;
        }
        self.found.alone[which as usize].count += 1;
        self.show_alone(which, at, [u64::from(which == Which::Left), u64::from(which == Which::Right)])
    }

    /// Counts the numbers of a row of the left that has no partner to the scale of their columns.
    fn scale(&mut self, at: At<'_>) -> Result<()> {
        for (index, column) in self.columns.iter_mut().enumerate() {
            let taken = column.alone(&at.view.cells[index], at.index);
            taken.map_err(|error| wrong(&error, &self.plan.columns[index].name))?;
        }
        Ok(())
    }

    /// Counts rows without a partner of which only some are shown.
    pub(super) fn count_alone(&mut self, which: Which, rows: u64) {
        self.found.alone[which as usize].count += rows;
    }

    /// How many rows of the left and of the right have no partner.
    pub(super) fn alone_counts(&self) -> [u64; 2] {
        self.found.alone.each_ref().map(|alone| alone.count)
    }

    /// Remembers a row without a partner, if it is among the first.
    pub(super) fn show_alone(&mut self, which: Which, at: At<'_>, times: [u64; 2]) -> Result<()> {
        let Alone { rows, .. } = &mut self.found.alone[which as usize];
        let late = rows.last_key_value().is_none_or(|(last, _)| *last < at.row);
        if rows.len() >= self.show && late {
            return Ok(());
        }
        let cells = 0..self.columns.len().min(at.view.batch.num_columns());
        let cells = cells.map(|column| text(at.view.batch, column, at.index)).collect::<Result<_>>()?;
        rows.insert(at.row, AloneRow { cells, times });
        if rows.len() > self.show {
            rows.pop_last();
        }
        Ok(())
    }

    /// Remembers a differing cell, if its row is among the first; false where it comes after all of them.
    fn note(&mut self, column: usize, left: At<'_>, right: At<'_>) -> Result<bool> {
        let rows = &mut self.found.rows;
        let late = rows.last_key_value().is_none_or(|(last, _)| *last < left.row);
        if rows.len() >= self.show && late {
            return Ok(false);
        }
        let entry = match rows.entry(left.row) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let key = self.plan.key.iter();
                let key = key.map(|at| text(left.view.batch, *at, left.index));
                entry.insert(DifferingRow {
                    right: right.row,
                    key: key.collect::<Result<_>>()?,
                    cells: vec![],
                })
            }
        };
        let shown = |at: At<'_>| text(at.view.batch, column, at.index);
        entry.cells.push((column, shown(left)?, shown(right)?));
        if rows.len() > self.show {
            rows.pop_last();
        }
        Ok(true)
    }

    /// What was found. `mismatch` is why the rows themselves make the distance infinite.
    pub(super) fn finish(mut self, mismatch: Option<SignatureMismatch>) -> Result<Comparison> {
        self.found.signature.splice(0..0, mismatch);
        for (pair, column) in self.plan.columns.iter().zip(self.columns) {
            let read_as = match pair.cast {
                true if pair.tolerance.is_some() => Some("number".to_owned()),
                true => Some(logical_type(&pair.types[0])?.to_string()),
                false => None,
            };
            let within = column.within;
            self.found.columns.push(ComparedColumn {
                name: pair.name.clone(),
                evidence: column.finish().map_err(|error| wrong(&error, &pair.name))?,
                tolerance: pair.tolerance,
                within,
                read_as,
            });
        }
        Ok(self.found)
    }
}
