//! Provides what the commands do with byte strings: when a conversion is one of bytes, and what is told of
//! it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::formats::bytes::{Codec, Settings, names};
use ::formats::file::ObjectFile;
use ::formats::partition::told_keys;
use ::formats::registry::Format;
use ::formats::words::{counted, some_of};
use ::formats::write::Compression;
use serde_json::{Map, Value, json};

use super::batch::Told;
use super::convert::stages;
use super::plan::{code, estimate, estimate_lines, reasons, refusal_lines};
use super::sources::{Source, Sources, paths};
use super::{hidden, options};
use crate::cli::{Compare, Convert, Inspect, Output, Reading};
use crate::failure::{DIFFERS, DONE, Failure, Result};
use crate::local::bytes::{self, BytesJob, BytesOutcome};
use crate::local::media::record;
use crate::local::memory::{parse_size, wanted};
use crate::local::refusals_of_file;
use crate::progress::Progress;
use crate::report::{self, Described, Kept};

/// The word for bytes in whatever wrapping their name tells.
const ANY: &str = "bytes";

/// Options that have a meaning for bytes, by the names under which certificates record them.
const MEANT: [&str; 5] = ["from", "to", "types", "compression", "within"];

/// What was said of a wrapping: nothing of bytes, bytes as their name tells, or one wrapping.
fn said(name: Option<&str>) -> Option<Option<Codec>> {
    match name {
        Some(ANY) => Some(None),
        Some(name) => Codec::named(name).map(Some),
        None => None,
    }
}

/// The conversion of bytes that was asked for; `None` where it is one of tables, which columns that the
/// directories of sources tell make of what would keep its bytes, unless a wrapping was named.
pub fn job(args: &Convert, sources: &Sources, target: &Path) -> Result<Option<BytesJob>> {
    let named = said(args.reading.from.as_deref()).is_some() || said(args.writing.to.as_deref()).is_some();
    let tells =
        |source: &Source| !told_keys(&source.below).is_empty() && Format::of_name(&source.path).is_some();
    if !named && !args.no_partition_columns && sources.found.iter().any(tells) {
        return Ok(None);
    }
    let mut job = of_paths(args, &paths(&sources.found), target)?;
    if let Some(job) = &mut job {
        job.notes.extend(sources.notes());
    }
    Ok(job)
}

/// The same whatever directories tell.
///
/// A wrapping named with --from or --to makes it one of bytes. So do names of which only the wrapping
/// changes, unless an option about tables asks for more.
fn of_paths(args: &Convert, sources: &[PathBuf], target: &Path) -> Result<Option<BytesJob>> {
    let (from, to) = (said(args.reading.from.as_deref()), said(args.writing.to.as_deref()));
    let table =
        (args.reading.from.is_some() && from.is_none()) || (args.writing.to.is_some() && to.is_none());
    let about_tables = about_tables(args);
    match (args.via.is_empty(), from.is_some() || to.is_some()) {
        (true, _) => {}
        (false, false) => return Ok(None),
        (false, true) => {
            let text = "--via: wrappings of bytes become one another directly, with the same bytes inside; \
                        leave it away";
            return Err(Failure::Usage(text.into()));
        }
    }
    match (from.is_some() || to.is_some(), sources) {
        (true, _) if table => return Err(mixed(args)),
        (true, [_]) => {}
        (true, _) => {
            let text =
                "several sources become one table, or bytes of their own with --out-dir; not one byte string";
            return Err(Failure::Usage(text.into()));
        }
        (false, _) if table => return Ok(None),
        (false, [source]) if names::only_wrapping_changes(source, target) => {
            if !about_tables.is_empty() && names::is_table_name(target) {
                return Ok(None);
            }
            hidden::refuse(source, target)?;
        }
        (false, _) => return Ok(None),
    }
    let args = &options::without_waiting(args, &[]);
    check_options(args)?;
    let codec = to.flatten().unwrap_or_else(|| names::of_target(target));
    let to = Settings::new(codec, level(args, codec)?)?;
    let mut parameters = Map::new();
    if let Some(from) = &args.reading.from {
        parameters.insert("from".into(), json!(from));
    }
    if let Some(to) = &args.writing.to {
        parameters.insert("to".into(), json!(to));
    }
    parameters.insert("compression".into(), json!(to.text()));
    parameters.insert("within".into(), json!("exact"));
    record(&mut parameters, &[codec.media()]);
    let options = about_tables.join(", ");
    let idle = || format!("bytes are kept as they are, whatever these options say: {options}");
    let notes = (!about_tables.is_empty()).then(idle).into_iter().collect();
    Ok(Some(BytesJob {
        source: sources[0].clone(),
        from: from.flatten(),
        target: target.to_owned(),
        to,
        replace: args.force.into(),
        resume: args.resume,
        threads: args.machine.threads,
        memory: parse_size(&args.machine.memory)?,
        parameters,
        notes,
        #[cfg(test)]
        lie: None,
    }))
}

fn mixed(args: &Convert) -> Failure {
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    let (from, to) = (name(&args.reading.from), name(&args.writing.to));
    Failure::Usage(format!(
        "--from {from} --to {to}: one is a wrapping of bytes, the other a format of tables; leave the \
         wrapping away, since that of a table is recognised"
    ))
}

/// Options that were given and mean something for tables only.
fn about_tables(args: &Convert) -> Vec<String> {
    let mut given = options::parameters(&args.reading, &args.writing);
    options::add_sources(&mut given, args, &[], &[]);
    let default = given.get("types") == Some(&json!("reversible"));
    let about = |key: &&String| !MEANT.contains(&key.as_str()) || (*key == "types" && !default);
    given.keys().filter(about).cloned().collect()
}

/// The level that --compression asks for, which must name the wrapping of the target.
fn level(args: &Convert, codec: Codec) -> Result<Option<i32>> {
    let Some(text) = &args.writing.compression else { return Ok(None) };
    let asked = Compression::parse(text)?;
    let fits = match codec {
        Codec::Raw => asked.codec == "none",
        Codec::Bgzf => asked.codec == "gzip",
        _ => false,
    };
    if !fits && Codec::named(&asked.codec) != Some(codec) {
        if !args.typed.has("compression") {
            return Ok(None);
        }
        let name = codec.name();
        return Err(Failure::Usage(format!("--compression {text}: the target is wrapped in {name}")));
    }
    Ok(asked.level)
}

/// Refuses an option that means nothing for bytes.
fn check_options(args: &Convert) -> Result<()> {
    options::refuse_signals(args)?;
    if let Some(within) = args.within.as_ref().filter(|within| *within != "exact") {
        return Err(Failure::Usage(format!("--within {within}: bytes are converted exactly; leave it away")));
    }
    args.typed.check_bytes()
}

/// Refuses an option that was typed and means nothing for a target of the wrapping which --to names.
pub fn check_typed(args: &Convert) -> Result<()> {
    check_options(&options::without_waiting(args, &[]))?;
    let Some(Some(codec)) = said(args.writing.to.as_deref()) else { return Ok(()) };
    Ok(Settings::new(codec, level(args, codec)?).map(drop)?)
}

/// The document of a conversion.
pub fn document(job: &BytesJob, outcome: &BytesOutcome) -> Value {
    let begin = json!({
        "schema": "isoform.convert/v1",
        "model": "bytes",
        "source": object(&job.source, outcome.codecs.0, outcome.done.sizes.0),
        "target": object(&job.target, outcome.codecs.1, outcome.done.sizes.1),
    });
    let besides = json!({
        "contentBytes": outcome.content_bytes,
        "members": outcome.members,
        "compression": job.to.text(),
        "parts": { "total": outcome.parts.0, "reused": outcome.parts.1 },
    });
    report::conversion(&outcome.done, begin, besides)
}

fn object(path: &Path, codec: Codec, bytes: u64) -> Value {
    json!({ "path": path.to_string_lossy(), "mediaType": codec.media_type(), "bytes": bytes })
}

/// The same as one of many.
pub fn told(job: &BytesJob, outcome: &BytesOutcome) -> Told {
    Told {
        verdict: outcome.done.verdict.name(),
        rows: None,
        sizes: outcome.done.sizes,
        document: document(job, outcome),
        words: outcome.done.notes.clone(),
    }
}

/// The lines of a conversion, whose target has this name and whose certificate is kept so.
pub fn lines(job: &BytesJob, outcome: &BytesOutcome, (target, kept): (&Path, Kept<'_>)) -> Vec<String> {
    let (from, to, seconds) = report::passage(&outcome.done);
    let (content, verdict) = (counted(outcome.content_bytes, "byte"), outcome.done.verdict.name());
    let mut lines = vec![
        format!("{} → {}", job.source.display(), target.display()),
        format!("  {content} of content, {from} → {to} as {}, {seconds:.2} s", job.to.text()),
        format!("  {verdict}: every byte of the finished file was decoded and compared"),
    ];
    lines.extend(report::sealed(&outcome.done, kept));
    if outcome.parts.1 > 0 {
        lines.push(report::reused(outcome.parts));
    }
    lines.extend(report::notes(&outcome.done));
    lines
}

/// Converts.
pub fn run(job: &BytesJob, output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    progress.announce(&stages(std::slice::from_ref(&job.source)));
    let outcome = bytes::convert(job, &progress).map_err(|failure| match failure {
        Failure::Interrupted if !job.goes_on() => Failure::InterruptedTargets(super::NOTHING_WRITTEN),
        other => other,
    })?;
    progress.finish();
    report::result(
        output,
        &document(job, &outcome),
        &lines(job, &outcome, (&job.target, Kept::At(&outcome.done.certificate))),
    );
    Ok(DONE)
}

/// Shows what `run` would do.
pub fn plan(job: &BytesJob, output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    let plan = bytes::plan(job, &progress)?;
    progress.finish();
    let (from, to) = plan.codecs;
    // Nothing is converted of bytes but exactly.
    let refusals = refusals_of_file((&job.source, &job.target), job.replace.is_any(), Ok(()));
    let document = json!({
        "schema": "isoform.plan/v1",
        "model": "bytes",
        "source": object(&job.source, from, plan.size),
        "target": { "path": job.target.to_string_lossy(), "mediaType": to.media_type() },
        "targetExists": plan.exists,
        "refusals": reasons(&refusals),
        "contentBytes": plan.content_bytes,
        "members": plan.members,
        "compression": job.to.text(),
        "parts": plan.parts,
        "workers": plan.workers,
        "estimate": estimate(&plan.estimate),
        "notes": plan.notes,
    });
    let (shown, size) = (job.target.display(), report::bytes(plan.size));
    let content = counted(plan.content_bytes, "byte");
    let mut lines = vec![
        format!("{} ({}) → {shown} ({})", job.source.display(), from.media_type(), to.media_type()),
        format!("  {size} hold {content} of content in {}", counted(plan.members, "member")),
        format!("  the bytes are kept as they are, as {}", job.to.text()),
        format!("  {} on {}", counted(plan.parts, "part"), counted(plan.workers, "thread")),
    ];
    lines.extend(estimate_lines(&plan.estimate));
    lines.extend(plan.notes.iter().map(|note| format!("  note: {note}")));
    lines.extend(refusal_lines(&refusals));
    report::result(output, &document, &lines);
    Ok(code(&refusals))
}

/// Whether objects are looked at as bytes: because --from says so, or because not all of them are tables.
pub fn are_meant(reading: &Reading, paths: &[&Path]) -> Result<bool> {
    if reading.from.is_some() {
        return Ok(said(reading.from.as_deref()).is_some());
    }
    for path in paths {
        if !names::is_table(&ObjectFile::open(path)?)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Compares two objects as bytes.
pub fn compare(args: &Compare, output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    let from = said(args.reading.from.as_deref()).flatten();
    let files = [&args.left, &args.right].map(|path| ObjectFile::open(path).map(Arc::new));
    let [left, right] = files;
    let (left, right) = (left?, right?);
    let codecs = (names::of_source(&left, from)?.0, names::of_source(&right, from)?.0);
    let machine = (wanted(args.machine.threads)?, parse_size(&args.machine.memory)?);
    let found = bytes::compare((&left, codecs.0), (&right, codecs.1), machine, &progress)?;
    progress.finish();
    let (differing, cells) = (found.comparison.evidence.differing, found.comparison.evidence.cells);
    let first = found.comparison.first_differing.or(found.signature.as_ref().map(|_| cells));
    let side = |path: &Path, codec: Codec, bytes: u64| {
        let media_type = codec.media_type();
        json!({ "path": path.to_string_lossy(), "mediaType": media_type, "contentBytes": bytes })
    };
    let finite = found.signature.is_none();
    let d = (differing as f64).sqrt();
    let document = json!({
        "schema": "isoform.compare/v1",
        "model": "bytes",
        "left": side(&args.left, codecs.0, found.bytes.0),
        "right": side(&args.right, codecs.1, found.bytes.1),
        "equal": found.is_equal(),
        "d": if finite { json!(d) } else { json!("infinity") },
        "coherence": finite.then(|| coherence::evidence::coherence(differing as f64, cells as f64)),
        "bytes": cells,
        "differing": differing,
        "firstDiffering": first,
        "signature": found.signature.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    let mut lines = vec![
        format!("{} ↔ {}", args.left.display(), args.right.display()),
        "  compared as bytes, without what wraps them".to_owned(),
    ];
    if found.is_equal() {
        lines.push(format!("  equal: {} of content, d = 0", counted(cells, "byte")));
    }
    if let Some(signature) = &found.signature {
        lines.push(format!("  {signature}: the distance is infinite"));
        let differ = some_of(differing, cells, "byte", "differ");
        lines.push(format!("  of what both sides have, {differ}"));
    } else if differing > 0 {
        lines.push(format!("  {}: d = {}", some_of(differing, cells, "byte", "differ"), report::distance(d)));
    }
    if let Some(first) = first {
        lines.push(format!("  the first difference is at byte {first} of the content"));
    }
    report::result(output, &document, &lines);
    Ok(if found.is_equal() { DONE } else { DIFFERS })
}

/// Describes an object as bytes.
pub fn inspect(args: &Inspect, output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    let file = Arc::new(ObjectFile::open(&args.path)?);
    let from = said(args.reading.from.as_deref()).flatten();
    let machine = (wanted(args.machine.threads)?, parse_size(&args.machine.memory)?);
    let found = bytes::inspect(&file, from, machine, &progress)?;
    progress.finish();
    let more = json!({
        "contentBytes": found.content_bytes,
        "members": found.members,
        "notes": found.notes,
    });
    let (content, members) = (counted(found.content_bytes, "byte"), counted(found.members, "member"));
    let summary = format!("{content} of content in {members}");
    let (media_type, object, root) = (found.codec.media_type(), found.object, found.content);
    let described = Described { model: "bytes", path: &args.path, media_type, object, root };
    let (document, mut lines) = described.document_and_lines(more, &summary);
    lines.extend(found.notes.iter().map(|note| format!("  note: {note}")));
    report::result(output, &document, &lines);
    Ok(DONE)
}
