//! Provides what is told of a conversion of signals that would be done.

use std::path::Path;

use ::formats::words::counted;
use serde_json::{Value, json};

use super::super::cascade;
use super::super::convert::object;
use super::super::plan::{code, estimate, estimate_lines, reasons, refusal_lines};
use super::{allocation, allocation_line, array_lines, arrays, within};
use crate::cli::Output;
use crate::failure::{Refusal, Result};
use crate::local::refusals_of_file;
use crate::local::seal::accepted;
use crate::local::signal::{self, SignalJob, SignalPlan};
use crate::local::staging::{refuse_existing, refuse_unfit};
use crate::progress::Progress;
use crate::report;

/// The document of a plan.
fn document(job: &SignalJob, plan: &SignalPlan, refusals: &[Refusal]) -> Value {
    json!({
        "schema": "isoform.plan/v1",
        "model": "signal",
        "source": object(&job.source.to_string_lossy(), &job.media.0.media_type, plan.sizes.0),
        "target": { "path": job.target.to_string_lossy(), "mediaType": &job.media.1.media_type },
        "targetExists": plan.exists,
        "verdict": plan.verdict.name(),
        "refusals": reasons(refusals),
        "chain": cascade::taken(&job.chain, within(job), &plan.steps),
        "arrays": arrays(&plan.signature, Some(&plan.stored)),
        "allocation": allocation(plan.allocated.as_ref()),
        "sampleBytes": plan.sizes.1,
        "parts": plan.parts,
        "workers": plan.workers,
        "estimate": estimate(&plan.estimate),
        "notes": plan.notes,
    })
}

/// Fails where one of several files cannot have its place.
fn refuse_place(place: &Path, replace: bool) -> Result<()> {
    refuse_existing(place, replace).and_then(|()| refuse_unfit(place))
}

/// Shows what a conversion would do.
pub fn plan(job: &SignalJob, output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    let plan = signal::plan(job, &progress)?;
    progress.finish();
    let (from, to) = (&job.media.0.media_type, &job.media.1.media_type);
    let (size, bytes) = (report::bytes(plan.sizes.0), report::bytes(plan.sizes.1));
    let parts = counted(plan.parts, "part");
    let mut lines = vec![
        format!("{} ({from}) → {} ({to})", job.source.display(), job.target.display()),
        format!("  {size} → {bytes} of samples, {parts} on {}", counted(plan.workers, "thread")),
    ];
    lines.extend(cascade::line(&job.chain, within(job), &plan.steps));
    lines.extend(allocation_line(plan.allocated.as_ref()));
    lines.extend(array_lines(&plan.signature, &plan.stored, "→"));
    lines.push(format!("  verdict: {}", plan.verdict.name()));
    lines.extend(estimate_lines(&plan.estimate));
    lines.extend(plan.notes.iter().map(|note| format!("  note: {note}")));
    let replace = job.replace.is_any();
    let taken = plan.places.iter().find_map(|place| refuse_place(place, replace).err());
    let mut refusals: Vec<_> = taken.map(Refusal::from).into_iter().collect();
    let accepted = accepted(plan.verdict, job.strict, plan.why.as_deref());
    refusals.extend(refusals_of_file((&job.source, &job.target), replace, accepted));
    lines.extend(refusal_lines(&refusals));
    report::result(output, &document(job, &plan, &refusals), &lines);
    Ok(code(&refusals))
}
