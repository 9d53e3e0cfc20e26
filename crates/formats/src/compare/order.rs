//! Provides the comparison of rows that stand in the same places.

use arrow_array::RecordBatch;
use coherence::distance::SignatureMismatch;

use super::findings::{At, Findings, View};
use super::{CompareOptions, Comparison, Plan, Side, Which};
use crate::convert::Watch;
use crate::error::Result;
use crate::table::Batches;

/// Compares the first row with the first, the second with the second, and so on. `watch` hears of the rows of
/// both sides.
///
/// # Errors
/// Those of reading; columns whose values do not compare; names that a side does not have.
pub fn in_order(
    left: Side<'_>,
    right: Side<'_>,
    options: &CompareOptions,
    watch: Watch<'_>,
) -> Result<Comparison> {
    let plan = Plan::new(left, right, options)?;
    let rows = (left.table.rows(), right.table.rows());
    let both = rows.0.min(rows.1);
    let mut findings = Findings::new(&plan, options.show)?;
    let mut sides = (
        Reader::new(plan.read(left, Which::Left, 0..both)?),
        Reader::new(plan.read(right, Which::Right, 0..both)?),
    );
    let mut at = 0;
    while let (Some(a), Some(b)) = (sides.0.head()?, sides.1.head()?) {
        let n = a.num_rows().min(b.num_rows());
        let (a, b) = (a.slice(0, n), b.slice(0, n));
        findings.push(&View::new(&a)?, &View::new(&b)?, at)?;
        at += n as u64;
        sides.0.take(n);
        sides.1.take(n);
        watch(2 * n as u64)?;
    }
    if rows.0 == rows.1 {
        return findings.finish(None);
    }
    let (side, which, end) =
        if rows.0 > rows.1 { (left, Which::Left, rows.0) } else { (right, Which::Right, rows.1) };
    // The right's surplus is only shown; that of the left also belongs to the scale of its numbers.
    let shown = both.saturating_add(options.show as u64).min(end);
    let read = if which == Which::Left && !options.tolerances.is_empty() { end } else { shown };
    let mut row = both;
    for batch in plan.read(side, which, both..read)? {
        let batch = batch?;
        let view = View::new(&batch)?;
        for index in 0..batch.num_rows() {
            findings.alone(which, At { view: &view, index, row })?;
            row += 1;
        }
        watch(batch.num_rows() as u64)?;
    }
    findings.count_alone(which, end - read);
    findings.finish(Some(SignatureMismatch::Rows { left: rows.0, right: rows.1 }))
}

/// One side, read batch by batch.
struct Reader<'a> {
    batches: Batches<'a>,
    current: Option<RecordBatch>,
}

impl<'a> Reader<'a> {
    fn new(batches: Batches<'a>) -> Self {
        Reader { batches, current: None }
    }

    /// The rows at hand, never none of them; `None` at the end.
    fn head(&mut self) -> Result<Option<RecordBatch>> {
        while self.current.as_ref().is_none_or(|batch| batch.num_rows() == 0) {
            match self.batches.next() {
                None => return Ok(None),
                Some(batch) => self.current = Some(batch?),
            }
        }
        Ok(self.current.clone())
    }

    fn take(&mut self, rows: usize) {
        self.current = self.current.take().map(|batch| batch.slice(rows, batch.num_rows() - rows));
    }
}
