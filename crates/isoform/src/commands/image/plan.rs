//! Provides what is told of a conversion of an image that would be done.

use ::formats::words::counted;
use coherence::certificate::Verdict;
use serde_json::{Value, json};

use super::super::cascade;
use super::super::convert::object;
use super::super::plan::{code, reasons, refusal_lines};
use super::super::signal::tightest;
use super::{described, settings, with_chain, within};
use crate::cli::Output;
use crate::failure::{Refusal, Result};
use crate::local::image::{self, ImageJob, ImagePlan, Trial};
use crate::local::refusals_of_file;
use crate::local::seal::accepted;
use crate::progress::Progress;
use crate::report;

/// What the figures of a plan rest on.
const RESTS_ON: &str = "the image was encoded as it would be, read back and measured";

/// The document of a plan.
fn document(job: &ImageJob, (plan, trial): (&ImagePlan, &Trial), refusals: &[Refusal]) -> Value {
    let (width, height, layout) = described(&plan.signature);
    let document = json!({
        "schema": "isoform.plan/v1",
        "model": "signal",
        "source": object(&job.source.to_string_lossy(), &job.media.0.media_type, plan.size),
        "target": { "path": job.target.to_string_lossy(), "mediaType": &job.media.1.media_type },
        "targetExists": plan.exists,
        "verdict": trial.verdict.name(),
        "refusals": reasons(refusals),
        "image": { "width": width, "height": height, "layout": layout },
        "settings": settings(&trial.settings),
        "encodes": trial.encodes,
        "tightest": trial.tightest.as_ref().map(tightest::document),
        "estimate": {
            "bytes": trial.bytes,
            "bytesExact": true,
            "bytesFactor": 1.0,
            "memoryBytes": trial.memory,
            "seconds": trial.time.as_secs_f64(),
            "restsOn": RESTS_ON,
        },
        "notes": plan.notes.iter().chain(&trial.note).collect::<Vec<_>>(),
    });
    with_chain(document, job, &plan.steps)
}

/// Shows what a conversion would do.
pub fn plan(job: &ImageJob, output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    let plan = image::plan(job, &progress)?;
    let trial = plan.trial(job, &progress)?;
    progress.finish();
    let (from, to) = (&job.media.0.media_type, &job.media.1.media_type);
    let (width, height, layout) = described(&plan.signature);
    let how = match (trial.settings.lossless, trial.settings.quality) {
        (false, Some(quality)) => format!("at quality {quality}"),
        (false, None) => "at the usual quality".to_owned(),
        (true, _) if trial.verdict == Verdict::Exact => "without loss".to_owned(),
        (true, _) => format!("as {}, within the budget", trial.sample),
    };
    let mut lines = vec![
        format!("{} ({from}) → {} ({to})", job.source.display(), job.target.display()),
        format!("  {width} × {height} {layout}, {how}"),
    ];
    lines.extend(cascade::line(&job.chain, within(job), &plan.steps));
    lines.push(format!("  verdict: {}", trial.verdict.name()));
    let peak = plan.signature.arrays.first().and_then(|array| array.peak);
    lines.extend(tightest::line(&job.parameters, trial.tightest.as_ref(), None, peak));
    let (size, memory) = (report::bytes(trial.bytes), report::bytes(trial.memory));
    lines.push(format!("  size of the target: {size} exactly"));
    lines.push(format!("  memory: at most {memory}, estimated from the samples and the formats"));
    let encodings = counted(trial.encodes, "encoding");
    lines.push(format!("  time: about {:.1} s, of {encodings}", trial.time.as_secs_f64()));
    lines.push(format!("  these rest on: {RESTS_ON}"));
    lines.extend(plan.notes.iter().chain(&trial.note).map(report::note));
    let accepted = accepted(trial.verdict, job.strict, None);
    let refusals = refusals_of_file((&job.source, &job.target), job.replace.is_any(), accepted);
    lines.extend(refusal_lines(&refusals));
    report::result(output, &document(job, (&plan, &trial), &refusals), &lines);
    Ok(code(&refusals))
}
