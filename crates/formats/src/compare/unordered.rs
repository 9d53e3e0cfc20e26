//! Provides the comparison of tables whose rows have no order. Whether they hold the same rows is told by
//! digests of multisets, in one pass and without memory; where not, rows are counted by their digests.

use std::ops::Range;

use coherence::distance::SignatureMismatch;
use coherence::multiset::MultisetDigester;
use coherence::rows::row_digests;

use super::findings::{At, Findings, View};
use super::tally::{Counts, Tally};
use super::{CompareOptions, Comparison, Plan, Side, Which};
use crate::cells::columns;
use crate::convert::Watch;
use crate::error::{Error, Result};

/// Digests some rows of a side as a multiset; digests of all rows of a side merge to that of the whole.
pub fn digest_rows(
    plan: &Plan,
    side: Side<'_>,
    which: Which,
    rows: Range<u64>,
    watch: Watch<'_>,
) -> Result<MultisetDigester> {
    let mut digester = MultisetDigester::new(&plan.schema(which)?);
    for batch in plan.read(side, which, rows)? {
        let batch = batch?;
        let pushed = digester.push(&columns(&batch)?);
        pushed.map_err(|error| Error::Bug(format!("digesting rows: {error}")))?;
        watch(batch.num_rows() as u64)?;
    }
    Ok(digester)
}

/// The rows that one side has more often than the other. `same` says that the multisets are known to be
/// equal, which leaves only the columns to tell about.
///
/// # Errors
/// Those of reading and of temporaries.
pub fn unordered(
    plan: &Plan,
    left: Side<'_>,
    right: Side<'_>,
    same: bool,
    options: &CompareOptions,
    watch: Watch<'_>,
) -> Result<Comparison> {
    let mut findings = Findings::new(plan, options.show)?;
    if same {
        return findings.finish(None);
    }
    let mut tally = Tally::new(&options.spill_dir, options.memory);
    for (side, which) in [(left, Which::Left), (right, Which::Right)] {
        count(plan, side, which, &mut tally, watch)?;
    }
    let mut first = [Vec::new(), Vec::new()];
    tally.finish(&mut |counts| {
        let which = if counts.times[0] > counts.times[1] { Which::Left } else { Which::Right };
        let (mine, theirs) = (counts.times[which as usize], counts.times[1 - which as usize]);
        findings.count_alone(which, mine - theirs);
        keep_first(&mut first[which as usize], counts, which, options.show);
        Ok(())
    })?;
    for (side, which) in [(left, Which::Left), (right, Which::Right)] {
        for counts in &first[which as usize] {
            let row = counts.first[which as usize];
            for batch in plan.read(side, which, row..row + 1)? {
                let batch = batch?;
                let view = View::new(&batch)?;
                findings.show_alone(which, At { view: &view, index: 0, row }, counts.times)?;
            }
        }
    }
    let alone = findings.alone_counts();
    findings.finish(Some(SignatureMismatch::Alone { left: alone[0], right: alone[1] }))
}

fn count(plan: &Plan, side: Side<'_>, which: Which, tally: &mut Tally, watch: Watch<'_>) -> Result<()> {
    let mut row = 0;
    let schema = plan.schema(which)?;
    for batch in plan.read(side, which, 0..side.table.rows())? {
        let batch = batch?;
        let digests = row_digests(&schema, &columns(&batch)?);
        for digest in digests.map_err(|error| Error::Bug(format!("digesting rows: {error}")))? {
            tally.add(digest, which, row)?;
            row += 1;
        }
        watch(batch.num_rows() as u64)?;
    }
    Ok(())
}

/// Keeps the counts whose rows come first.
fn keep_first(kept: &mut Vec<Counts>, counts: &Counts, which: Which, show: usize) {
    let row = |counts: &Counts| counts.first[which as usize];
    let at = kept.partition_point(|other| row(other) < row(counts));
    kept.insert(at, *counts);
    kept.truncate(show);
}
