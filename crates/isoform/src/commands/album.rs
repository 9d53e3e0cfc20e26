//! Provides `convert --out-dir` for an album: photographs whose qualities are chosen together, so that all of
//! them keep one bound and each its floor.

use std::path::PathBuf;

use ::formats::media::{Codec, catalog};
use ::formats::words::counted;
use serde_json::{Value, json};

use super::batch::{Batch, left_out, paths};
use super::image::settings;
use super::{image, options};
use crate::cli::{Convert, Output};
use crate::failure::{DONE, Failure, Result};
use crate::local::image::{self as local, Album, AlbumOutcome, Chosen};
use crate::local::relative;
use crate::local::seal::SOURCES;
use crate::local::standard::is_pipe;
use crate::local::without_slash;
use crate::progress::Progress;
use crate::report::{self, number};

/// Whether an album is asked for: images, with a bound on all of them and a floor for each.
pub fn is_asked(args: &Convert) -> bool {
    let to = args.writing.to.as_deref().and_then(|to| catalog().named(to));
    let images = matches!(to.map(|to| to.codec), Some(Codec::Image(_)));
    let lossy = args.within.as_deref().is_some_and(|within| within != "exact");
    args.part_floor.is_some() && lossy && images
}

/// Refuses a pipe, since each photograph is read several times.
fn refuse_pipes(pairs: &[(PathBuf, PathBuf)]) -> Result<()> {
    let Some((pipe, _)) = pairs.iter().find(|(source, _)| is_pipe(source)) else { return Ok(()) };
    let shown = pipe.display();
    let text = "is a pipe, and a photograph of an album is read several times; copy it into a file first";
    Err(Failure::Usage(format!("{shown}: {text}")))
}

/// The album, where one is asked for.
pub fn of(args: &Convert, batch: &Batch) -> Result<Option<Album>> {
    if !is_asked(args) {
        return Ok(None);
    }
    if !args.via.is_empty() {
        let text = "--via: the photographs of an album are converted directly; leave away it or --part-floor";
        return Err(Failure::Usage(text.into()));
    }
    if args.signals.quality.is_some() {
        let text = "--quality: the qualities of an album are chosen together; leave away it or --part-floor";
        return Err(Failure::Usage(text.into()));
    }
    // One certificate is about all of them.
    batch.pairs.iter().try_for_each(|(_, target)| batch.refuse_clash(target))?;
    refuse_pipes(&batch.pairs)?;
    let workers = options::workers(&args.machine)?;
    let mut pairs = batch.pairs.clone();
    pairs.sort_by_key(|(_, target)| local::name_in(&batch.dir, target));
    let mut jobs = Vec::with_capacity(pairs.len());
    for (source, target) in &pairs {
        let job = image::job(args, std::slice::from_ref(source), target)?;
        let job = job.filter(|job| matches!(job.media.0.codec, Codec::Image(_)));
        let mut job = job.ok_or_else(|| {
            Failure::Usage(format!(
                "{}: is no image, and --part-floor divides one bound over an album of images; leave it away",
                source.display()
            ))
        })?;
        // Each thread holds one photograph.
        job.memory /= workers as u64;
        job.parameters.insert("album".to_owned(), json!(true));
        jobs.push(job);
    }
    let Some(first) = jobs.first() else { return Ok(None) };
    let mut parameters = first.parameters.clone();
    let sources = pairs.iter().map(|(source, _)| source.to_string_lossy());
    parameters.insert(SOURCES.to_owned(), json!(sources.collect::<Vec<_>>()));
    let dir = without_slash(&batch.dir);
    let places = jobs.iter().map(|job| (local::name_in(&dir, &job.target), &*job.source, &*job.target));
    relative::note_all(&mut parameters, places);
    Ok(Some(Album { dir, jobs, workers, strict: args.strict, parameters }))
}

/// Converts the album, unless nothing changed since an earlier run.
pub fn run(album: &Album, of: &Batch, output: &Output, progress: &Progress) -> Result<u8> {
    if local::is_current(album, progress)? {
        progress.finish();
        let photographs = counted(album.jobs.len(), "photograph");
        let mut lines = said(of);
        lines.push(format!("{photographs} as they were when the album was certified: skipped"));
        report::result(output, &skipped(album, of), &lines);
        return Ok(DONE);
    }
    let outcome = local::convert_album(album, progress)?;
    progress.finish();
    let mut lines = lines(album, &outcome);
    lines.extend(said(of));
    report::result(output, &document(album, of, &outcome), &lines);
    Ok(DONE)
}

/// What is to be said of files of the directories that are not in the album.
fn said(of: &Batch) -> Vec<String> {
    let notes = of.notes.iter().map(|note| format!("note: {note}"));
    left_out(of).into_iter().chain(notes).collect()
}

fn batch(album: &Album, of: &Batch, sources: Vec<Value>, (converted, skipped): (usize, usize)) -> Value {
    json!({
        "schema": "isoform.convert-batch/v1",
        "outDir": album.dir.to_string_lossy(),
        "sources": sources,
        "leftOut": paths(&of.left_out),
        "notes": of.notes,
        "converted": converted,
        "skipped": skipped,
        "failed": 0,
    })
}

fn skipped(album: &Album, of: &Batch) -> Value {
    let source = |job: &local::ImageJob| {
        json!({
            "source": job.source.to_string_lossy(),
            "target": job.target.to_string_lossy(),
            "outcome": "skipped",
        })
    };
    batch(album, of, album.jobs.iter().map(source).collect(), (0, album.jobs.len()))
}

fn document(album: &Album, of: &Batch, outcome: &AlbumOutcome) -> Value {
    let photographs = album.jobs.iter().zip(&outcome.photographs);
    let source = |(job, photo): (&local::ImageJob, &Chosen)| {
        let done = &photo.outcome.done;
        json!({
            "source": job.source.to_string_lossy(),
            "target": job.target.to_string_lossy(),
            "outcome": "converted",
            "verdict": done.verdict.name(),
            "settings": settings(&photo.settings),
            "psnrDb": number(photo.outcome.psnr_db),
            "bytes": { "source": done.sizes.0, "target": done.sizes.1 },
            "notes": done.notes,
        })
    };
    let mut document = batch(album, of, photographs.map(source).collect(), (album.jobs.len(), 0));
    let single = outcome.single.map(|(quality, bytes)| json!({ "quality": quality, "bytes": bytes }));
    document["notes"] = json!(of.notes.iter().chain(&outcome.note).collect::<Vec<_>>());
    document["album"] = json!({
        "verdict": outcome.verdict.name(),
        "certificate": outcome.certificate.to_string_lossy(),
        "content": outcome.content.to_string(),
        "bytes": outcome.sizes.1,
        "lambda": number(outcome.lambda),
        "gapBytes": number(outcome.gap),
        "single": single,
        "savedBytes": outcome.single.map(|(_, bytes)| bytes as i64 - outcome.sizes.1 as i64),
        "encodes": outcome.encodes,
        "distortion": report::distortion(&outcome.distortion),
        "seconds": outcome.time.as_secs_f64(),
    });
    document
}

fn lines(album: &Album, outcome: &AlbumOutcome) -> Vec<String> {
    let width = |job: &local::ImageJob| report::shown_path(&job.source).chars().count();
    let width = album.jobs.iter().map(width).max().unwrap_or(0).clamp(6, 60);
    let mut lines =
        vec![format!("{:width$}  {:>7}  {:>8}  {:>9}  {:>9}", "source", "quality", "PSNR", "from", "to")];
    for (job, photo) in album.jobs.iter().zip(&outcome.photographs) {
        let quality = photo.settings.quality.filter(|_| !photo.settings.lossless);
        let quality = quality.map_or("-".to_owned(), |quality| quality.to_string());
        let (source, psnr) = (report::shown_path(&job.source), report::fixed(photo.outcome.psnr_db, 2));
        let ((from, to, _), notes) =
            (report::passage(&photo.outcome.done), photo.outcome.done.notes.join("; "));
        let line = format!("{source:width$}  {quality:>7}  {psnr:>8}  {from:>9}  {to:>9}  {notes}");
        lines.push(line.trim_end().to_owned());
    }
    let (photographs, seconds) = (counted(album.jobs.len(), "photograph"), outcome.time.as_secs_f64());
    let (from, to) = (report::bytes(outcome.sizes.0), report::bytes(outcome.sizes.1));
    lines.push(format!("{photographs} → {}, {from} → {to}, {seconds:.2} s", album.dir.display()));
    lines.push(format!(
        "  {}: measured over every sample of all finished files: PSNR {} dB; each keeps its floor",
        outcome.verdict.name(),
        report::fixed(outcome.psnr_db, 2)
    ));
    lines.push(match outcome.single {
        Some((quality, bytes)) => format!(
            "  one quality for all ({quality}) would take {}; λ = {:.3e} bytes for a unit of squared \
             distance, at most {} above the least that was measured",
            report::bytes(bytes),
            outcome.lambda,
            report::bytes(outcome.gap as u64)
        ),
        None => "  no quality for all keeps the bound and the floors".to_owned(),
    });
    lines.push(format!("  content {}", outcome.content));
    lines.push(format!("  certificate {}", outcome.certificate.display()));
    lines.extend(outcome.note.iter().map(|note| format!("  note: {note}")));
    lines
}
