//! `plan`, which is `convert --plan`: what a conversion would do, by the same way, with nothing written.

mod album;

use std::ops::Range;
use std::path::{Path, PathBuf};

use ::formats::media::Key;
use ::formats::words::counted;
use coherence::certificate::Verdict;
use serde_json::{Value, json};

use super::batch::{Batch, Before, before};
use super::convert::{object, refuse_stream, shown, stages};
use super::kind::Kind;
use super::sources::Sources;
use super::{batch, bytes, cascade, certified, image, signal, sources, stream};
use crate::cli::{Convert, Output};
use crate::config::placed;
use crate::failure::{DONE, Failure, Refusal, Result, SOME_FAILED};
use crate::local;
use crate::local::bytes::BytesPlan;
use crate::local::estimate::{Basis, Estimate, SIZE_FACTOR};
use crate::local::image::ImageJob;
use crate::local::keys;
use crate::local::seal::{accepted, refuse_other_sources};
use crate::local::staging::refuse_existing;
use crate::local::standard::is_standard;
use crate::local::{Job, Plan, PlannedColumn};
use crate::progress::Progress;
use crate::report;

/// Partitions that a plan names.
const PARTITIONS_SHOWN: usize = 4;

/// Shows what `convert` would do.
pub fn run(args: &Convert, output: &Output) -> Result<u8> {
    if args.out_dir.is_some() {
        return each(args, output);
    }
    let (sources, target) = sources::and_target(args)?;
    let kind = if is_standard(&target) {
        stream::kind(args, &sources)?
    } else {
        refuse_stream(args)?;
        Kind::of(args, &sources, &target)?
    };
    let planned = match kind {
        Kind::Bytes(job) => bytes::plan(&job, output),
        Kind::Image(job) => image::plan(&job, output),
        Kind::Signal(job) => signal::plan(&job, output),
        Kind::Table(job) => table_plan(*job, args, output),
    };
    // Before a conversion reads its source, it looks at the place of its target.
    let taken = || if is_standard(&target) { Ok(()) } else { refuse_existing(&target, args.force) };
    planned.map_err(|failure| taken().err().unwrap_or(failure))
}

/// Shows what would be done with a table.
fn table_plan(job: Job, args: &Convert, output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    progress.announce(&stages(&job.sources));
    let job = certified::followed(job, args, &progress)?;
    let plan = local::plan(&job, &progress)?;
    progress.finish();
    report::result(output, &document(&job, &plan), &lines(&job, &plan));
    Ok(code(&plan.refusals))
}

/// The exit code of a plan: the one that the conversion would end with.
pub fn code(refusals: &[Refusal]) -> u8 {
    refusals.first().map_or(DONE, |refusal| refusal.code)
}

/// Why a conversion would be refused, as a document lists it.
pub fn reasons(refusals: &[Refusal]) -> Vec<&str> {
    refusals.iter().map(|refusal| refusal.why.as_str()).collect()
}

/// The same in lines.
pub fn refusal_lines(refusals: &[Refusal]) -> impl Iterator<Item = String> {
    refusals.iter().map(|refusal| format!("  convert would refuse: {}", refusal.why))
}

fn document(job: &Job, plan: &Plan) -> Value {
    let columns = plan.columns.iter();
    let columns = columns.map(|column| {
        json!({
            "name": column.name, "type": column.ty, "annotation": column.annotation, "why": column.why,
        })
    });
    let ranges = plan.ranges.iter();
    let mut document = json!({
        "schema": "isoform.plan/v1",
        "model": "table",
        "source": object(&shown(&job.sources), plan.media_types.0, plan.size),
        "sources": job.sources.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        "target": { "path": job.target.to_string_lossy(), "mediaType": plan.media_types.1 },
        "targetExists": plan.exists,
        "verdict": plan.verdict.name(),
        "refusals": reasons(&plan.refusals),
        "rows": plan.rows,
        "columns": columns.collect::<Vec<_>>(),
        "partitions": plan.partitions.as_ref().map(Vec::len),
        "parts": plan.ranges.len(),
        "partRows": ranges.map(|rows| rows.end - rows.start).collect::<Vec<_>>(),
        "workers": plan.workers,
        "estimate": estimate(&plan.estimate),
        "notes": plan.notes,
    });
    if !job.chain.is_empty() {
        document["chain"] = json!(cascade::steps(&job.chain, "exact"));
    }
    document
}

/// What a conversion will come to, as a document.
pub fn estimate(found: &Estimate) -> Value {
    let mut document = json!({
        "bytes": found.bytes,
        "bytesExact": found.exact,
        "bytesFactor": if found.exact { 1.0 } else { SIZE_FACTOR },
        "memoryBytes": found.memory,
        "seconds": found.seconds,
        "restsOn": rests_on(found),
    });
    if let Basis::Parts(sampled, _) = found.basis {
        document["partsSampled"] = json!(sampled);
    }
    document
}

/// What an estimate rests on, in a sentence.
fn rests_on(found: &Estimate) -> String {
    match found.basis {
        Basis::Parts(sampled, parts) if sampled == parts => "all parts were converted and read back".into(),
        Basis::Parts(sampled, parts) => {
            format!("{sampled} of {} were converted and read back", counted(parts, "part"))
        }
        Basis::Seconds(coded, all) if coded == all => {
            "the sound was coded as it would be, read back and measured".into()
        }
        Basis::Seconds(coded, all) => {
            format!("the first {coded:.0} of {all:.0} seconds were coded, read back and measured")
        }
        Basis::Bytes(wrapped, all) if wrapped == all => "all bytes were wrapped and unwrapped again".into(),
        Basis::Bytes(wrapped, all) => {
            format!(
                "{wrapped} of {} of content, spread over all of it, were wrapped and unwrapped again",
                counted(all, "byte")
            )
        }
    }
}

fn lines(job: &Job, plan: &Plan) -> Vec<String> {
    let (from, to) = plan.media_types;
    let mut lines = vec![format!("{} ({from}) → {} ({to})", shown(&job.sources), job.target.display())];
    let (size, parts) = (report::bytes(plan.size), plan.ranges.len());
    let length = |rows: &Range<u64>| rows.end - rows.start;
    let largest = plan.ranges.iter().map(length).max().unwrap_or(0);
    lines.push(format!(
        "  {}, {size}, {} of at most {} on {}",
        counted(plan.rows, "row"),
        counted(parts, "part"),
        counted(largest, "row"),
        counted(plan.workers, "thread")
    ));
    lines.extend(cascade::line(&job.chain, "exact", &[]));
    if let Some(partitions) = &plan.partitions {
        let first = partitions.iter().take(PARTITIONS_SHOWN).map(String::as_str);
        let first = first.collect::<Vec<_>>().join(", ");
        let more = if partitions.len() > PARTITIONS_SHOWN { ", …" } else { "" };
        lines.push(format!("  {}: {first}{more}", counted(partitions.len(), "partition")));
    }
    for PlannedColumn { name, ty, annotation, why } in &plan.columns {
        let said = annotation.map_or(String::new(), |said| format!(" ({said})"));
        let why = if why.is_empty() { String::new() } else { format!("  ({why})") };
        lines.push(format!("  {name}: {ty}{said}{why}"));
    }
    lines.push(format!("  verdict: {}", plan.verdict.name()));
    lines.extend(estimate_lines(&plan.estimate));
    lines.extend(plan.notes.iter().map(|note| format!("  note: {note}")));
    lines.extend(refusal_lines(&plan.refusals));
    lines
}

/// The same in lines.
pub fn estimate_lines(found: &Estimate) -> Vec<String> {
    let size = report::bytes(found.bytes);
    let size = match found.exact {
        true => format!("{size} exactly"),
        false => format!("about {size}, within a factor of {SIZE_FACTOR} if the rest is like the sample"),
    };
    let memory = report::bytes(found.memory);
    Vec::from([
        format!("  size of the target: {size}"),
        format!("  memory: at most {memory}, estimated from the parts and the number of threads"),
        format!(
            "  time: about {:.1} s, estimated; waiting for the disk and other programs come on top",
            found.seconds
        ),
        format!("  these rest on: {}", rests_on(found)),
    ])
}

/// What would become of one source of a batch.
enum Prospect {
    Convert(Box<Plan>),
    ConvertBytes(Box<BytesPlan>),
    ConvertImage(&'static str),
    ConvertSignal(&'static str, Box<Estimate>),
    Skip,
    Refuse(Refusal),
    Fail(Failure),
}

impl Prospect {
    /// What was found of a source, of which an error is no end of the others.
    fn of(found: Result<Self>) -> Result<Self> {
        match found {
            Err(Failure::Interrupted) => Err(Failure::Interrupted),
            found => Ok(found.unwrap_or_else(|failure| Prospect::Fail(placed(failure)))),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Prospect::Convert(_) | Prospect::ConvertBytes(_) => "convert",
            Prospect::ConvertImage(_) | Prospect::ConvertSignal(..) => "convert",
            Prospect::Skip => "skip",
            Prospect::Refuse(_) => "refuse",
            Prospect::Fail(_) => "fail",
        }
    }

    fn why(&self) -> String {
        match self {
            Prospect::Convert(plan) => rests_on(&plan.estimate),
            Prospect::ConvertImage(how) | Prospect::ConvertSignal(how, _) => (*how).into(),
            Prospect::ConvertBytes(_) => "the bytes are kept as they are".into(),
            Prospect::Skip => "done already, and still verified".into(),
            Prospect::Refuse(refusal) => refusal.why.clone(),
            Prospect::Fail(failure) => failure.to_string(),
        }
    }

    /// The exit code of a conversion of it alone, where it would not be made.
    fn code(&self) -> Option<u8> {
        match self {
            Prospect::Refuse(refusal) => Some(refusal.code),
            Prospect::Fail(failure) => Some(failure.code()),
            _ => None,
        }
    }

    /// What it would come to, where a part of it was done.
    fn estimate(&self) -> Option<&Estimate> {
        match self {
            Prospect::Convert(plan) => Some(&plan.estimate),
            Prospect::ConvertBytes(plan) => Some(&plan.estimate),
            Prospect::ConvertSignal(_, estimate) => Some(estimate),
            _ => None,
        }
    }
}

struct Item {
    source: PathBuf,
    target: PathBuf,
    prospect: Prospect,
}

/// Shows what would become of each source with `--out-dir`.
fn each(args: &Convert, output: &Output) -> Result<u8> {
    let batch = batch::batch(args)?;
    let args = &batch::checked(args);
    let progress = Progress::new(output)?;
    let album = super::album::of(args, &batch)?;
    let items = match &album {
        Some(album) => album::items(album, &progress)?,
        None => apart(args, &batch, &progress)?,
    };
    progress.finish();
    report::result(output, &batch_document(&batch, &items), &table(&batch, &items));
    Ok(match items.iter().find_map(|item| item.prospect.code()) {
        None => DONE,
        // An album is converted whole or not at all.
        Some(code) if album.is_some() => code,
        Some(_) => SOME_FAILED,
    })
}

/// What would become of each source by itself.
fn apart(args: &Convert, batch: &Batch, progress: &Progress) -> Result<Vec<Item>> {
    let sources: Vec<PathBuf> = batch.pairs.iter().map(|pair| pair.0.clone()).collect();
    let mut items = Vec::with_capacity(batch.pairs.len());
    for (index, (source, target)) in batch.pairs.iter().enumerate() {
        progress.left(&stages(&sources[index..]));
        let found =
            batch.refuse_clash(target).and_then(|()| prospect(args, batch, (source, target), progress));
        let prospect = Prospect::of(found)?;
        items.push(Item { source: source.clone(), target: target.clone(), prospect });
    }
    Ok(items)
}

fn prospect(
    args: &Convert,
    batch: &Batch,
    (source, target): (&Path, &Path),
    progress: &Progress,
) -> Result<Prospect> {
    let (kind, object) = Kind::of(args, &Sources::alone(source), target)?.followed(args, progress)?;
    let kind = match before(args, kind.parameters(), (source, object), target, progress) {
        Ok(Before::Free) => kind,
        Ok(Before::Done(_)) => return Ok(Prospect::Skip),
        Ok(Before::Outdated(replace)) => {
            batch.refuse_replaced(target)?;
            kind.replacing(replace)
        }
        Err(failure @ (Failure::Stale(..) | Failure::NoCertificate(_))) => {
            return Ok(Prospect::Refuse(failure.into()));
        }
        Err(failure) => return Err(failure),
    };
    let sources = refuse_other_sources(target, args.force, &[source.to_owned()], None);
    if let Err(failure) = keys::refuse_unusable().and(sources) {
        return Ok(Prospect::Refuse(failure.into()));
    }
    match kind {
        Kind::Bytes(job) => Ok(Prospect::ConvertBytes(Box::new(local::bytes::plan(&job, progress)?))),
        Kind::Image(job) => image_prospect(&job, is_measured(&job), progress),
        Kind::Signal(job) => {
            let plan = local::signal::plan(&job, progress)?;
            let how = if job.lossy { "within the budget" } else { "without loss" };
            let would = Prospect::ConvertSignal(how, Box::new(plan.estimate));
            Ok(strictly((plan.verdict, plan.why.as_deref()), job.strict, would))
        }
        Kind::Table(job) => {
            let plan = local::plan(&job, progress)?;
            Ok(strictly((plan.verdict, None), job.strict, Prospect::Convert(Box::new(plan))))
        }
    }
}

/// Whether something is asked of an image that is not told before it is encoded.
fn is_measured(job: &ImageJob) -> bool {
    job.strict || job.media.1.number(Key::Tau) > 0.0
}

/// What would become of an image, which is encoded for that only where it is to be measured.
fn image_prospect(job: &ImageJob, measured: bool, progress: &Progress) -> Result<Prospect> {
    let plan = local::image::plan(job, progress)?;
    if plan.exact {
        return Ok(Prospect::ConvertImage("without loss"));
    }
    let would = Prospect::ConvertImage("within the budget");
    match measured {
        true => Ok(strictly((plan.trial(job, progress)?.verdict, None), job.strict, would)),
        false => Ok(would),
    }
}

/// What would become of a source by a verdict, which may be too weak, for this reason.
fn strictly((verdict, why): (Verdict, Option<&str>), strict: bool, would: Prospect) -> Prospect {
    match accepted(verdict, strict, why) {
        Ok(()) => would,
        Err(failure) => Prospect::Refuse(failure.into()),
    }
}

fn batch_document(batch: &Batch, items: &[Item]) -> Value {
    let count = |wanted: &str| items.iter().filter(|item| item.prospect.name() == wanted).count();
    let sources = items.iter().map(|item| {
        let (rows, parts) = match &item.prospect {
            Prospect::Convert(plan) => (Some(plan.rows), Some(plan.ranges.len())),
            Prospect::ConvertBytes(plan) => (None, usize::try_from(plan.parts).ok()),
            _ => (None, None),
        };
        json!({
            "source": item.source.to_string_lossy(),
            "target": item.target.to_string_lossy(),
            "would": item.prospect.name(),
            "why": item.prospect.why(),
            "exitCode": item.prospect.code(),
            "rows": rows,
            "parts": parts,
            "estimate": item.prospect.estimate().map(estimate),
        })
    });
    json!({
        "schema": "isoform.plan-batch/v1",
        "outDir": batch.dir.to_string_lossy(),
        "sources": sources.collect::<Vec<_>>(),
        "leftOut": batch::paths(&batch.left_out),
        "notes": batch.notes,
        "convert": count("convert"),
        "skip": count("skip"),
        "refuse": count("refuse"),
        "fail": count("fail"),
    })
}

fn table(batch: &Batch, items: &[Item]) -> Vec<String> {
    let mut lines = Vec::new();
    for Item { source, target, prospect } in items {
        let (source, target, would) = (source.display(), target.display(), prospect.name());
        let (what, below) = match prospect {
            Prospect::Convert(plan) => (counted(plan.rows, "row"), Vec::new()),
            Prospect::Fail(failure) => failure.lines(),
            _ => (prospect.why(), Vec::new()),
        };
        let comes_to = prospect.estimate().map_or(String::new(), |found| {
            format!(", about {}, {:.1} s", report::bytes(found.bytes), found.seconds)
        });
        lines.push(format!("{would:8} {source} → {target}: {what}{comes_to}"));
        lines.extend(below);
    }
    let count = |wanted: &str| items.iter().filter(|item| item.prospect.name() == wanted).count();
    lines.extend(batch::left_out(batch));
    lines.extend(batch.notes.iter().map(|note| format!("note: {note}")));
    lines.push(format!(
        "{} would be converted{}, {} skipped, {} refused, {} fail",
        count("convert"),
        together(items),
        count("skip"),
        count("refuse"),
        count("fail")
    ));
    lines
}

/// What all that would be converted come to together, in brackets; nothing where none of them was tried.
fn together(items: &[Item]) -> String {
    let found: Vec<&Estimate> = items.iter().filter_map(|item| item.prospect.estimate()).collect();
    if found.is_empty() {
        return String::new();
    }
    let bytes = report::bytes(found.iter().map(|found| found.bytes).sum());
    let seconds: f64 = found.iter().map(|found| found.seconds).sum();
    let memory = report::bytes(found.iter().map(|found| found.memory).max().unwrap_or(0));
    format!(" (about {bytes}, {seconds:.1} s, at most {memory} of memory)")
}
