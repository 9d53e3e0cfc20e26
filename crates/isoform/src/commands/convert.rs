//! `convert` and `plan`.

use std::path::Path;

use serde_json::json;

use super::options;
use crate::cli::{Convert, Output};
use crate::failure::{DONE, Failure, Result};
use crate::local::memory::{parse_size, workers};
use crate::local::{Job, Outcome, convert};
use crate::progress::Progress;
use crate::report;

/// Converts.
pub fn run(args: &Convert, output: &Output) -> Result<u8> {
    let job = job(args)?;
    let outcome = convert(&job, &Progress::new(output)?)?;
    let document = document(args, &outcome);
    report::result(output, &document, &lines(args, &outcome));
    Ok(DONE)
}

fn job(args: &Convert) -> Result<Job> {
    if args.within != "exact" {
        let within = &args.within;
        return Err(Failure::Usage(format!(
            "--within {within}: tables are converted exactly; leave it away"
        )));
    }
    let dir = args.target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(Job {
        source: args.source.clone(),
        target: args.target.clone(),
        open: options::reading(&args.reading, dir)?,
        write: options::writing(&args.writing, &args.target)?,
        force: args.force,
        resume: args.resume,
        strict: args.strict,
        workers: workers(args.threads, parse_size(&args.memory)?)?,
        parameters: options::parameters(&args.reading, &args.writing),
    })
}

fn document(args: &Convert, outcome: &Outcome) -> serde_json::Value {
    let columns = outcome.columns.iter();
    let columns =
        columns.map(|(name, ty, reversible)| json!({ "name": name, "type": ty, "reversible": reversible }));
    json!({
        "schema": "isoform.convert/v1",
        "source": object(&args.source, outcome.media_types.0, outcome.sizes.0),
        "target": object(&args.target, outcome.media_types.1, outcome.sizes.1),
        "certificate": outcome.certificate.to_string_lossy(),
        "keyId": outcome.key_id.to_string(),
        "verdict": outcome.verdict.name(),
        "content": outcome.content.to_string(),
        "rows": outcome.rows,
        "columns": columns.collect::<Vec<_>>(),
        "parts": { "total": outcome.parts.0, "reused": outcome.parts.1 },
        "seconds": { "convert": outcome.times.0.as_secs_f64(), "verify": outcome.times.1.as_secs_f64() },
        "notes": outcome.notes,
    })
}

fn object(path: &Path, media_type: &str, bytes: u64) -> serde_json::Value {
    json!({ "path": path.to_string_lossy(), "mediaType": media_type, "bytes": bytes })
}

fn lines(args: &Convert, outcome: &Outcome) -> Vec<String> {
    let (from, to) = (report::bytes(outcome.sizes.0), report::bytes(outcome.sizes.1));
    let columns = outcome.columns.len();
    let seconds = (outcome.times.0 + outcome.times.1).as_secs_f64();
    let mut lines = vec![
        format!("{} → {}", args.source.display(), args.target.display()),
        format!("  {} rows, {columns} columns, {from} → {to}, {seconds:.2} s", outcome.rows),
        format!("  {}: every cell of the finished file was decoded and compared", outcome.verdict.name()),
        format!("  content {}", outcome.content),
        format!("  certificate {}", outcome.certificate.display()),
    ];
    if outcome.parts.1 > 0 {
        lines.push(format!("  {} of {} parts were reused", outcome.parts.1, outcome.parts.0));
    }
    for (name, ty, _) in outcome.columns.iter().filter(|column| !column.2) {
        lines.push(format!("  column {name:?} as {ty} does not give back its text"));
    }
    lines.extend(outcome.notes.iter().map(|note| format!("  note: {note}")));
    lines
}

/// Shows what `convert` would do, by the same way, up to the first part.
pub fn plan(args: &Convert, output: &Output) -> Result<u8> {
    let plan = crate::local::plan(&job(args)?, &Progress::new(output)?)?;
    let columns = plan.columns.iter();
    let columns = columns.map(|column| json!({ "name": column.0, "type": column.1, "why": column.2 }));
    let document = json!({
        "schema": "isoform.plan/v1",
        "source": object(&args.source, plan.media_types.0, plan.size),
        "target": { "path": args.target.to_string_lossy(), "mediaType": plan.media_types.1 },
        "targetExists": plan.exists,
        "rows": plan.rows,
        "columns": columns.collect::<Vec<_>>(),
        "parts": plan.parts,
        "workers": plan.workers,
        "notes": plan.notes,
    });
    let mut lines = vec![
        format!(
            "{} ({}) → {} ({})",
            args.source.display(),
            plan.media_types.0,
            args.target.display(),
            plan.media_types.1
        ),
        format!(
            "  {} rows, {}, {} parts on {} threads",
            plan.rows,
            report::bytes(plan.size),
            plan.parts,
            plan.workers
        ),
    ];
    for (name, ty, why) in &plan.columns {
        let why = if why.is_empty() { String::new() } else { format!("  ({why})") };
        lines.push(format!("  {name}: {ty}{why}"));
    }
    lines.extend(plan.notes.iter().map(|note| format!("  note: {note}")));
    if plan.exists && !args.force {
        lines.push("  the target exists: convert would refuse; see --force".into());
    }
    report::result(output, &document, &lines);
    Ok(DONE)
}
