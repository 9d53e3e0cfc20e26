//! Provides [`convert`]: one source becomes one target, or nothing does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use coherence::claim::{Claim, ReadBack};
use coherence::content::{LeafAt, Model};
use coherence::digest::ObjectDigest;
use coherence::schema::Schema;
use coherence::verified::{Mismatch, Verified, VerifiedWhole};
use formats::cells::logical_schema;
use formats::concat::ConcatOptions;
use formats::error::Place;
use formats::file::ObjectFile;
use formats::geometry;
use formats::media::{self, Codec, Edge, MediaType};
use formats::metadata::lost;
use formats::open::{OpenOptions, Opened, open_written};
use formats::registry::Format;
use formats::words::counted;
use formats::write::{Encoder, WriteOptions, encoder};
use serde_json::{Map, Value};

use super::encode::{self, Parts, Work, stopped, unreadable};
use super::journal::{self, Journal};
use super::media::class_of;
use super::outcome::Outcome;
use super::plan::{profile, strictly};
use super::pool::meanwhile;
use super::prove::reread;
use super::rejects::{self, Rejects};
use super::replace::Replace;
use super::resume::{self, Identity};
use super::seal::{self, refuse_own_source, seal};
use super::source::{Hashed, Source};
use super::staging::{Staging, refuse_existing};
use super::{hash_parts, memory, partitioned};
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::{Progress, STEP};
use crate::typed::Typed;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Job {
    /// The sources, whose rows follow each other.
    pub sources: Vec<PathBuf>,
    /// The only source, where its digests were needed before.
    pub hashed: Option<Hashed>,
    /// How several sources become one table.
    pub many: ConcatOptions,
    /// The file that bad records are set aside into.
    pub rejects: Option<PathBuf>,
    /// The target.
    pub target: PathBuf,
    /// Columns that the target is partitioned by; it is a directory where there are any.
    pub partition_by: Vec<String>,
    /// How the source is read.
    pub open: OpenOptions,
    /// Formats that the rows are led through.
    pub via: Vec<WriteOptions>,
    /// The types that the content has on the way, where it is led over others.
    pub chain: Vec<Edge<'static>>,
    /// The media type of the sources, as it was said.
    pub from: Option<String>,
    /// How the target is written.
    pub write: WriteOptions,
    /// Whether a target that exists is replaced.
    pub replace: Replace,
    /// Whether finished parts of an interrupted run are used.
    pub resume: bool,
    /// Whether anything below EXACT is a failure.
    pub strict: bool,
    /// Threads.
    pub workers: usize,
    /// Memory to stay under, in bytes.
    pub memory: u64,
    /// Options that were typed, each of which must be about some source.
    pub typed: Typed,
    /// Effective parameters, for the certificate.
    pub parameters: Map<String, Value>,
    /// What a person should know of what was typed.
    pub notes: Vec<String>,
}

impl Job {
    /// The media type of a source of this format.
    pub fn media_of(&self, format: Format, source: usize) -> &'static MediaType {
        let path = self.sources.get(source).map(PathBuf::as_path);
        let codec = self.open.arrays.map_or(Codec::Table(format), Codec::Arrays);
        media::identify(codec, self.from.as_deref(), path)
    }

    /// What a person should know of how the source is read and of what becomes of it. Files of partitions may
    /// have other headers than one file of all columns.
    pub(super) fn notes_on(&self, opened: &Opened) -> Vec<String> {
        let header = opened.note_on_header(self.write.format).filter(|_| self.partition_by.is_empty());
        opened.notes_for(self.write.format).into_iter().chain(header).collect()
    }

    /// Fails where a definition refuses one of these conversions.
    pub(super) fn check_conversions(&self, formats: &[Format]) -> Result<()> {
        if !self.chain.is_empty() {
            return Ok(());
        }
        let types = formats.iter().enumerate().map(|(source, format)| self.media_of(*format, source));
        types.into_iter().try_for_each(|from| class_of(from, self.write.media).map(|_| ()))
    }
}

/// What would be lost or cannot be done, found before anything is read: each check by itself.
pub fn preconditions(job: &Job) -> Vec<Result<()>> {
    let sources = job.sources.iter();
    if job.target == Path::new("-") {
        return Vec::from([rejects::refuse(job, None)]);
    }
    let mut checks: Vec<_> = match job.partition_by.is_empty() {
        true => sources.map(|source| refuse_own_source(source, &job.target)).collect(),
        false => sources.map(|source| partitioned::refuse_inside(source, &job.target)).collect(),
    };
    checks.push(rejects::refuse(job, Some(&job.target)));
    checks
}

/// Fails where a conversion would be refused whatever its source holds.
pub fn refuse_early(job: &Job) -> Result<()> {
    preconditions(job).into_iter().collect::<Result<()>>()?;
    match job.target == Path::new("-") {
        true => Ok(()),
        false => refuse_existing(&job.target, job.replace.is_any()),
    }
}

/// Converts, reads back, compares, signs, publishes.
pub fn convert(job: &Job, progress: &Progress) -> Result<Outcome> {
    if !job.partition_by.is_empty() {
        return partitioned::convert(job, progress);
    }
    let started = (SystemTime::now(), Instant::now());
    preconditions(job).into_iter().collect::<Result<()>>()?;
    let mut rejects = Rejects::begin(job, Some(&job.target))?;
    let (mut staging, journal_path) = journal::begin(&job.target, job.replace, job.resume)?;
    seal::refuse_other_sources(&job.target, job.replace.is_any(), &job.sources, Some(progress))?;
    let mut source = Source::open(job, progress)?;
    let job = &fitting(job, &source.opened)?;
    hold_pieces(job, &source.opened);
    let lost = lost(source.opened.table(), job.write.format);
    source.opened.notes.extend(lost.into_iter().chain(rejects::left_of_earlier(job)));
    let before = Journal::read(&journal_path)?.filter(|_| job.resume);
    if let Some(found) = before.and_then(|(line, _)| Identity::parse(&line)) {
        resume::catch_up(&found, job, &mut source, |source| profiled(job, source, progress))?;
    }
    let made = proven(job, &mut source, &mut staging, &journal_path, progress);
    let (mut made, read_back) = source.unless_changed(made)?;
    let converted = made.finished.duration_since(started.1);
    let styles = source.opened.styles_for(&made.encoder)?;
    let target = seal::file(&job.target, read_back.object, job.write.media.media_type.as_str());
    let parameters = rejects::kept(job, &source.opened, &mut rejects)?;
    let facts = seal::facts(source.files(), Vec::from([target]), &parameters, styles.clone(), started.0);
    let accepted = strictly(job, &source.opened, &styles);
    let sealed = accepted.and_then(|()| seal(&read_back.whole, facts, job.strict));
    if let Err(Failure::Mismatch(_)) = sealed {
        staging.keep(false);
        made.journal.keep(false);
    }
    let sealed = sealed?;
    let vain = journal::in_vain(job.resume, made.parts.reused, staging.damaged());
    source.opened.notes.extend(read_back.notes);
    source.opened.notes.extend(staging.publish(&read_back.whole, &sealed.certificate)?);
    source.opened.notes.extend(rejects::published(rejects)?);
    source.opened.notes.extend(vain);
    let (proven, times) = ((&read_back.whole, &sealed), (converted, started.1.elapsed() - converted));
    let outcome = Outcome::of((job, &source), proven, (&made.schema, &styles), read_back.object.size, times);
    Ok(Outcome { parts: (made.ranges.len(), made.parts.reused), ..outcome })
}

/// The same job on as many threads as memory allows, where each holds a large piece of the source.
pub(super) fn fitting(job: &Job, opened: &Opened) -> Result<Job> {
    let limit = |what, max, hint| formats::Error::Limit {
        place: Box::new(Place { path: Some(opened.file.path().to_owned()), ..Place::default() }),
        what,
        max,
        hint,
    };
    let width = opened.table().schema().fields().len();
    if width == 0 && matches!(job.write.format, Format::Csv | Format::Tsv) {
        let place = Place { path: Some(opened.file.path().to_owned()), ..Place::default() };
        let what = "a table without columns cannot be written as delimited text";
        let hint = "give the target another format, such as jsonl or parquet";
        return Err(formats::Error::unsupported(place, what, hint).into());
    }
    memory::fits_columns(width, job.memory).map_err(|(needed, max)| {
        let needed = needed.div_ceil(1 << 20);
        let or = opened.certified().map_or("", |_| ", or --no-certified-types");
        let hint = format!("give it --memory {needed}MiB{or}");
        limit("the number of columns within this --memory", max, hint)
    })?;
    let worker = memory::worker_beside(job.write.media, opened.format);
    let within = (job.workers, job.memory, worker);
    let workers = memory::workers_of_table(opened.table(), opened.format, opened.file.path(), within)?;
    Ok(Job { workers, ..job.clone() })
}

/// Tells the parts of all conversions of this process, which share that, how much of them memory may hold
/// beside the threads of this job, and where they go on.
pub(super) fn hold_pieces(job: &Job, opened: &Opened) {
    let held = memory::for_pieces(job.memory, job.workers, opened.table().held_bytes());
    formats::pieces::hold_at_most(held, &job.open.spool_dir);
}

/// Encodes and reads back; with the styles that metadata and certificates keep, and where they do not fit,
/// without.
fn proven(
    job: &Job,
    source: &mut Source,
    staging: &mut Staging,
    journal_path: &Path,
    progress: &Progress,
) -> Result<(Made, Proof)> {
    loop {
        let mut made = match typed(job, source, staging, journal_path, progress) {
            Ok(made) => made,
            Err(failure) if without_advice(job, &mut source.opened, &failure) => continue,
            Err(failure) => return Err(failure),
        };
        source.check_unchanged()?;
        staging.sync()?;
        match read_back(job, source, &made, staging.path(), progress) {
            Ok(proof) => return Ok((made, proof)),
            Err(failure @ Failure::Mismatch(_)) => {
                // Parts that are not what they should be are of no use to a later run.
                staging.keep(false);
                made.journal.keep(false);
                if !without_advice(job, &mut source.opened, &failure) {
                    return Err(failure);
                }
            }
            Err(other) => return Err(other),
        }
    }
}

/// Whether it failed over styles that metadata and certificates keep for a target that is text: they cannot
/// be written, or do not give back the values. Then they are forgotten, and it is to be done again.
pub(super) fn without_advice(job: &Job, opened: &mut Opened, failure: &Failure) -> bool {
    let unfit = matches!(failure, Failure::Mismatch(_) | Failure::Format(formats::Error::Misuse(_)));
    unfit && job.write.format.is_text() && opened.forget_advice()
}

/// Encodes under the typing that all fields fit.
fn typed(
    job: &Job,
    source: &mut Source,
    staging: &mut Staging,
    journal_path: &Path,
    progress: &Progress,
) -> Result<Made> {
    decided(job, source, progress)?;
    if job.write.styles_come_last() {
        source.opened.leave_open();
    }
    loop {
        match encode(job, source, staging, journal_path, progress) {
            Ok(mut made) => {
                if source.opened.settle() {
                    made.encoder =
                        encoder(source.opened.table().schema(), &source.opened.typings(), &job.write)?;
                }
                made.close(staging)?;
                return Ok(made);
            }
            Err(Failure::Format(formats::Error::Retype { .. })) if source.opened.can_retype() => {
                progress.again(&[(Stage::Typing, source.size())]);
                profiled(job, source, progress)?;
            }
            Err(failure) => return Err(misfit(&source.opened, failure)),
        }
    }
}

/// What is to be told where a field does not fit the type that was given for its column; other failures are
/// given back.
pub fn misfit(opened: &Opened, failure: Failure) -> Failure {
    match failure {
        Failure::Format(error) => opened.misfit(error).into(),
        other => other,
    }
}

/// Types the source by all of its fields where a sample leaves its types open.
pub(super) fn decided(job: &Job, source: &mut Source, progress: &Progress) -> Result<()> {
    if !source.opened.is_undecided() {
        return Ok(());
    }
    progress.again(&[(Stage::Typing, source.size())]);
    profiled(job, source, progress)
}

/// Types the source by all of its fields.
pub(super) fn profiled(job: &Job, source: &mut Source, progress: &Progress) -> Result<()> {
    let bytes = source.size();
    let done = source.opened.retype(&|count, make, take| {
        progress.begin(Stage::Typing, bytes, count as u64 * STEP);
        let made = |chunk| make(chunk).and_then(|done| progress.watch(STEP).map(|()| done));
        profile(job.workers, count, &made, take)
    });
    done.map_err(stopped)
}

/// All parts in the temporary, and how they were made.
pub(super) struct Made {
    pub(super) parts: Parts,
    journal: Journal,
    pub(super) encoder: Encoder,
    schema: Schema,
    ranges: Vec<std::ops::Range<u64>>,
    finished: Instant,
}

impl Made {
    /// Writes what comes after the parts.
    pub(super) fn close(&mut self, staging: &mut Staging) -> Result<()> {
        encode::close(self.encoder.get(), staging, &self.parts)?;
        self.finished = Instant::now();
        Ok(())
    }
}

/// Encodes all parts into the temporary, going on from an earlier run where that was asked for.
fn encode(
    job: &Job,
    source: &Source,
    staging: &mut Staging,
    journal_path: &Path,
    progress: &Progress,
) -> Result<Made> {
    let encoder = encoder(source.opened.table().schema(), &source.opened.typings(), &job.write)?;
    encode_with(encoder, job, source, staging, journal_path, progress)
}

/// The same with an encoder at hand.
pub(super) fn encode_with(
    encoder: Encoder,
    job: &Job,
    source: &Source,
    staging: &mut Staging,
    journal_path: &Path,
    progress: &Progress,
) -> Result<Made> {
    let table = source.opened.table();
    let schema = logical_schema(table.schema())?;
    let ranges = geometry::cut(table.rows(), job.write.part_rows(), &job.write.geometry(), |rows| {
        table.byte_range(rows)
    });
    let work = Work {
        source: table,
        encoder: encoder.get(),
        schema: &schema,
        parts: &ranges,
        workers: job.workers,
        size: source.size(),
        target: &job.target,
        progress,
    };
    progress.say(1, || {
        let largest = ranges.iter().map(|rows| rows.end - rows.start).max().unwrap_or(0);
        let (count, workers) = (ranges.len(), job.workers.min(ranges.len()));
        let (count, workers) = (counted(count, "part"), counted(workers, "thread"));
        format!("{count} of at most {}, on {workers}", counted(largest, "row"))
    });
    let identity = Identity::of(source, &encoder, job)?;
    let done = work.still_true(staging, resume::finished(journal_path, &identity, job)?)?;
    let mut journal = Journal::begin(journal_path, &identity.line()?, &done)?;
    staging.keep(job.resume);
    journal.keep(job.resume);
    let parts = work.run(staging, &mut journal, done)?;
    Ok(Made { parts, journal, encoder, schema, ranges, finished: Instant::now() })
}

pub(super) struct Proof {
    pub(super) whole: VerifiedWhole,
    object: ObjectDigest,
    /// What is to be said of the target.
    notes: Vec<String>,
}

/// Opens the finished temporary as if it were anybody's, decodes all of it, and compares.
pub(super) fn read_back(
    job: &Job,
    source: &Source,
    made: &Made,
    path: &Path,
    progress: &Progress,
) -> Result<Proof> {
    let Made { parts, encoder, schema, ranges, .. } = made;
    let fails = |error| unreadable("the finished target", error);
    let file = Arc::new(ObjectFile::open(path)?);
    // The target is hashed and decoded; what is wrapped is unwrapped before.
    let passes = if job.write.is_wrapped() { 3 } else { 2 };
    progress.begin(Stage::Verifying, source.size(), file.len() * passes);
    let placed: Vec<_> = parts.entries.iter().map(encode::placed).collect();
    let (lie, listener) = ((0, placed.as_slice()), progress.listener());
    let target = open_written(file.clone(), &job.write, encoder, lie, &listener).map_err(fails)?;
    target.check_structure().map_err(fails)?;
    let found = logical_schema(target.schema()).map_err(fails)?;
    if &found != schema {
        return Err(Failure::Mismatch(format!("the columns changed: wrote {schema:?}, read back {found:?}")));
    }
    if target.rows() != source.opened.table().rows() {
        let (rows, want) = (target.rows(), source.opened.table().rows());
        return Err(Failure::Mismatch(format!(
            "the target holds {}, the source {want}",
            counted(rows, "row")
        )));
    }
    let bytes: Vec<_> = placed.into_iter().map(|part| part.bytes).collect();
    let read = || reread(target.as_ref(), ranges, schema, job.workers, progress);
    let (hashed, contents) = meanwhile(|| hash_parts(&file, &bytes, progress), read)?;
    let (object, digests) = hashed?;
    let contents = contents.map_err(|failure| match failure {
        Failure::Format(error) => fails(error),
        other => other,
    })?;
    let mut verified = Vec::with_capacity(parts.entries.len());
    for ((entry, content), digest) in parts.entries.iter().zip(contents).zip(digests) {
        let claim = Claim::exact(entry.part as u64, entry.content.clone(), source.digest(), entry.digest);
        let found = ReadBack::exact(content, digest);
        verified.push(Verified::check(claim, &found).map_err(|error| mismatch(&error, schema, ranges))?);
    }
    let whole = VerifiedWhole::assemble(&Model::Table(schema.clone()), verified, source.records());
    let whole = whole.map_err(|error| Failure::Mismatch(error.to_string()))?;
    file.check_unchanged()?;
    Ok(Proof { whole, object, notes: target.notes() })
}

/// Tells a mismatch in the words of the table.
pub(super) fn mismatch(error: &Mismatch, schema: &Schema, ranges: &[std::ops::Range<u64>]) -> Failure {
    let Mismatch::Content { part, at: LeafAt::Cells { chunk, column } } = error else {
        return Failure::Mismatch(error.to_string());
    };
    let name = schema.fields.get(*column).map_or("?", |field| field.name.as_str());
    let start =
        ranges.get(*part as usize).map_or(0, |rows| rows.start) + chunk * coherence::content::CHUNK_ROWS;
    let end = start + coherence::content::CHUNK_ROWS;
    let rows = format!("rows {} to at most {end}", start + 1);
    Failure::Mismatch(format!(
        "column {name:?} did not survive in {rows}; nothing was written: please report this"
    ))
}
