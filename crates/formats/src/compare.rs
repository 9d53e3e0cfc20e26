//! Provides the comparison of two tables row by row, whatever their formats.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use coherence::distance::{ColumnComparison, SignatureMismatch, signature_mismatches};
use coherence::evidence::ColumnRule;

use crate::cells::{cells, logical_schema, logical_type};
use crate::convert::Watch;
use crate::error::{Error, Place, Result};
use crate::table::{Batches, TableSource};
use crate::text::{ColumnFormatter, ColumnTyping};

/// The column of a cell, and its text on both sides; `None` is null.
pub type DifferingCell = (usize, Option<String>, Option<String>);

/// What a comparison found.
#[derive(Debug)]
pub struct Comparison {
    /// Why the distance is infinite; empty where it is finite. Rows and columns that both sides have are
    /// compared all the same.
    pub signature: Vec<SignatureMismatch>,
    /// Names of the columns that both sides have in the same place, with what was found in each.
    pub columns: Vec<(String, ColumnComparison)>,
    /// Columns whose types differ; their values were compared after a cast to the type of the left side.
    pub cast: Vec<String>,
    /// The first differing rows, counted from 0, with the text of each differing cell on both sides.
    pub rows: BTreeMap<u64, Vec<DifferingCell>>,
}

impl Comparison {
    /// Whether nothing differs.
    pub fn is_equal(&self) -> bool {
        self.signature.is_empty() && self.columns.iter().all(|(_, column)| column.evidence.differing == 0)
    }
}

/// Compares two tables; at most `show` differing rows are remembered.
pub fn compare(
    left: &dyn TableSource,
    right: &dyn TableSource,
    show: usize,
    watch: Watch<'_>,
) -> Result<Comparison> {
    let (mine, theirs) = (logical_schema(left.schema())?, logical_schema(right.schema())?);
    let rows = left.rows().min(right.rows());
    let mut comparison = Comparison {
        signature: signature_mismatches((&mine, left.rows()), (&theirs, right.rows())),
        columns: Vec::new(),
        cast: Vec::new(),
        rows: BTreeMap::new(),
    };
    for (a, b) in mine.fields.iter().zip(&theirs.fields) {
        if a.ty != b.ty {
            comparison.cast.push(a.name.clone());
        }
        let column = ColumnComparison::new(&a.ty, &a.ty, ColumnRule::Exact, 0, show);
        let column = column.map_err(|error| Error::Bug(format!("comparing: {error}")))?;
        comparison.columns.push((a.name.clone(), column));
    }
    let mut sides = (Side::new(left, 0..rows)?, Side::new(right, 0..rows)?);
    let mut at = 0;
    while let (Some(a), Some(b)) = (sides.0.head()?, sides.1.head()?) {
        let n = a.num_rows().min(b.num_rows());
        comparison.push(&a.slice(0, n), &b.slice(0, n), at, show)?;
        at += n as u64;
        sides.0.take(n);
        sides.1.take(n);
        watch(n as u64)?;
    }
    Ok(comparison)
}

impl Comparison {
    fn push(&mut self, left: &RecordBatch, right: &RecordBatch, at: u64, show: usize) -> Result<()> {
        for (index, (name, column)) in self.columns.iter_mut().enumerate() {
            let mine = left.column(index);
            let theirs = same_type(mine, right.column(index), name)?;
            let before = column.first_differing.len();
            let (a, b) = (cells(mine.as_ref())?, cells(theirs.as_ref())?);
            column.push(&a, &b).map_err(|error| Error::Bug(format!("comparing column {name:?}: {error}")))?;
            for row in &column.first_differing[before..] {
                if self.rows.len() >= show && !self.rows.contains_key(row) {
                    continue;
                }
                let at = (row - at) as usize;
                let texts = (index, text(mine.as_ref(), at)?, text(right.column(index).as_ref(), at)?);
                self.rows.entry(*row).or_default().push(texts);
            }
        }
        while self.rows.len() > show {
            self.rows.pop_last();
        }
        Ok(())
    }
}

/// The right side in the type of the left one. Values that the type cannot hold become null, and so differ.
fn same_type(left: &ArrayRef, right: &ArrayRef, name: &str) -> Result<ArrayRef> {
    if logical_type(left.data_type())? == logical_type(right.data_type())?
        && left.data_type() == right.data_type()
    {
        return Ok(right.clone());
    }
    arrow_cast::cast(right, left.data_type()).map_err(|_| {
        let (a, b) = (left.data_type(), right.data_type());
        let what = format!("values of type {a} and {b} do not compare");
        Error::unsupported(Place::default().column(name), what, "convert one side to the other's type first")
    })
}

fn text(array: &dyn Array, row: usize) -> Result<Option<String>> {
    let one = array.slice(row, 1);
    let typing = ColumnTyping::default_for(array.data_type())?;
    let formatter = ColumnFormatter::new(&typing, one.as_ref())?;
    let mut bytes = Vec::new();
    Ok(formatter.write(0, &mut bytes).then(|| String::from_utf8_lossy(&bytes).into_owned()))
}

/// One side, read batch by batch.
struct Side<'a> {
    batches: Batches<'a>,
    current: Option<RecordBatch>,
    schema: SchemaRef,
}

impl<'a> Side<'a> {
    fn new(table: &'a dyn TableSource, rows: Range<u64>) -> Result<Self> {
        Ok(Side { batches: table.batches(rows)?, current: None, schema: Arc::clone(table.schema()) })
    }

    /// The rows at hand, never none of them; `None` at the end.
    fn head(&mut self) -> Result<Option<RecordBatch>> {
        while self.current.as_ref().is_none_or(|batch| batch.num_rows() == 0) {
            match self.batches.next() {
                None => return Ok(None),
                Some(batch) => {
                    let batch = batch?;
                    debug_assert_eq!(batch.schema().fields().len(), self.schema.fields().len());
                    self.current = Some(batch);
                }
            }
        }
        Ok(self.current.clone())
    }

    fn take(&mut self, rows: usize) {
        self.current = self.current.take().map(|batch| batch.slice(rows, batch.num_rows() - rows));
    }
}
