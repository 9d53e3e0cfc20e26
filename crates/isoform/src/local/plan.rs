//! Provides [`plan`]: what [`super::convert`] would do, found out by the same way, with nothing written.

use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::time::{Duration, Instant};

use coherence::certificate::{ColumnStyle, Verdict};
use formats::cells::logical_schema;
use formats::geometry;
use formats::metadata::{listed, lost, lost_columns, said_of};
use formats::open::{Opened, Profiled};
use formats::signal::is_index;
use formats::words::counted;
use formats::write::encoder;
use rustix::fs::Access;

use super::estimate::{Estimate, Parts, Subject, estimate};
use super::folder::refuse_blocked;
use super::job::{fitting, hold_pieces, misfit, preconditions, without_advice};
use super::keys;
use super::seal::{accepted, refuse_foreign_certificate, refuse_other_sources, refuse_own_source};
use super::staging::{
    directory_of, refuse_existing, refuse_missing_directory, refuse_no_directory, refuse_taken, refuse_unfit,
};
use super::standard::is_standard;
use super::{Job, open_planned, partitioned, pool};
use crate::failure::{Failure, Refusal, Result};
use crate::meter::Stage;
use crate::progress::Progress;

/// What a conversion would do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Media types from and to.
    pub media_types: (&'static str, &'static str),
    /// Bytes of the source.
    pub size: u64,
    /// Rows of the table.
    pub rows: u64,
    /// Columns.
    pub columns: Vec<PlannedColumn>,
    /// Paths of the partitions, where the target is a directory of such.
    pub partitions: Option<Vec<String>>,
    /// Number of threads.
    pub workers: usize,
    /// Rows of each part.
    pub ranges: Vec<std::ops::Range<u64>>,
    /// What it will come to.
    pub estimate: Estimate,
    /// Whether the target exists.
    pub exists: bool,
    /// What would be proven.
    pub verdict: Verdict,
    /// Why the conversion would be refused, in the order in which it would find out.
    pub refusals: Vec<Refusal>,
    /// What a person should know besides.
    pub notes: Vec<String>,
}

/// A column of the table.
#[derive(Debug, Clone)]
pub struct PlannedColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: String,
    /// What is said of its values besides their type.
    pub annotation: Option<&'static str>,
    /// Why it has its type, where there is something to say.
    pub why: String,
}

/// Opens the source, types it whole, and cuts it.
pub fn plan(job: &Job, progress: &Progress) -> Result<Plan> {
    let began = Instant::now();
    let size =
        job.sources.iter().filter_map(|path| path.metadata().ok()).map(|found| found.len()).sum::<u64>();
    progress.begin(Stage::Reading, size, size);
    let mut opened = open_planned(job, progress)?;
    // What came from a pipe has a size once it is here.
    let size = if job.sources.len() == 1 { opened.file.len() } else { size };
    let job = &fitting(job, &opened)?;
    hold_pieces(job, &opened);
    if let Some(set_aside) = &opened.set_aside {
        let records = counted(set_aside.records, "bad record");
        opened.notes.push(format!("{records} would be set aside: the verdict would be PARTIAL"));
    }
    opened.layout().into_iter().for_each(|line| progress.say(1, || line));
    let undecided = opened.is_undecided();
    let proposed = (began.elapsed(), opened.typings());
    progress.begin(Stage::Typing, size, 0);
    retyped_on(&mut opened, job.workers)?;
    let mut reading = proposed.0;
    if undecided || opened.typings() != proposed.1 {
        opened
            .notes
            .push("the first rows do not tell the types, so the text is typed before it is converted".into());
        reading = began.elapsed();
    }
    let table = opened.table();
    let rows = table.rows();
    let lost = lost(table, job.write.format);
    let parts =
        geometry::cut(rows, job.write.part_rows(), &job.write.geometry(), |rows| table.byte_range(rows));
    let workers = job.workers.min(parts.len());
    let columns = columns(&opened)?;
    let look = |opened: &Opened| prospect(job, opened, &parts, (workers, size), reading, progress);
    let found = match look(&opened) {
        Err(failure) if without_advice(job, &mut opened, &failure) => look(&opened),
        found => found,
    };
    let (partitions, styles, estimate) = found.map_err(|failure| misfit(&opened, failure))?;
    let verdict = verdict(&opened, &styles);
    let refusals = refusals(job, strictly(job, &opened, &styles));
    Ok(Plan {
        media_types: (
            job.media_of(opened.format, 0).media_type.as_str(),
            job.write.media.media_type.as_str(),
        ),
        size,
        rows,
        columns,
        ranges: parts,
        partitions,
        workers,
        estimate,
        verdict,
        refusals,
        exists: job.target.symlink_metadata().is_ok(),
        notes: opened.plain.iter().cloned().chain(job.notes_on(&opened)).chain(lost).collect(),
    })
}

/// The columns.
fn columns(opened: &Opened) -> Result<Vec<PlannedColumn>> {
    let why = |column: usize| opened.why().get(column).map(|why| why.said.clone()).unwrap_or_default();
    let schema = opened.table().schema();
    let fields = logical_schema(schema)?.fields.into_iter().enumerate();
    let column = |(index, field): (usize, coherence::schema::Field)| PlannedColumn {
        name: field.name,
        ty: field.ty.to_string(),
        annotation: said_of(schema.field(index)),
        why: why(index),
    };
    Ok(fields.map(column).collect())
}

/// The partitions of the target, where it is a directory of such, the styles of its columns, and what it will
/// come to.
fn prospect(
    job: &Job,
    opened: &Opened,
    parts: &[std::ops::Range<u64>],
    (workers, size): (usize, u64),
    reading: Duration,
    progress: &Progress,
) -> Result<(Option<Vec<String>>, Vec<ColumnStyle>, Estimate)> {
    if !job.partition_by.is_empty() {
        let (partitions, styles) = partitioned::listed(job, opened, progress)?;
        let estimate = partitioned::estimate(job, opened, partitions.len(), reading, progress)?;
        return Ok((Some(partitions), styles, estimate));
    }
    let table = opened.table();
    let schema = &logical_schema(table.schema())?;
    let encoder = encoder(table.schema(), &opened.typings(), &job.write);
    let encoder = &encoder.map_err(|error| opened.misfit(error))?;
    let parts = Parts { table, ranges: parts, text: opened.format.is_text() };
    let (write, memory) = (&job.write, job.memory);
    let subject = Subject { parts, schema, encoder, write, workers, size, memory };
    Ok((None, opened.styles_for(encoder)?, estimate(&subject, reading, progress)?))
}

/// What would be proven of a table whose text is spelled in this way.
fn verdict(opened: &Opened, styles: &[ColumnStyle]) -> Verdict {
    match opened.set_aside {
        Some(_) => Verdict::Partial,
        None if styles.iter().all(|style| style.reversible) => Verdict::Exact,
        None => Verdict::ValueExact,
    }
}

/// Fails where `--strict` was given and less would be proven of a table whose text is spelled in this way;
/// with what is lost of it.
pub(super) fn strictly(job: &Job, opened: &Opened, styles: &[ColumnStyle]) -> Result<()> {
    let table = opened.table();
    let lost = || match &opened.set_aside {
        Some(aside) => format!("{} would be set aside", counted(aside.records, "bad record")),
        None => lost_columns(table.schema(), table.rows(), job.write.format).unwrap_or_else(|| {
            let columns = table.schema().fields().iter().zip(styles);
            let lossy: Vec<&str> = columns
                .filter(|(_, style)| !style.reversible)
                .map(|(field, _)| field.name().as_str())
                .collect();
            format!("the text of {} not given back", listed(&lossy))
        }),
    };
    let verdict = verdict(opened, styles);
    let why = (job.strict && verdict != Verdict::Exact).then(lost);
    accepted(verdict, job.strict, why.as_deref())
}

/// Why a conversion would be refused, and how that is avoided.
fn refusals(job: &Job, strictly: Result<()>) -> Vec<Refusal> {
    let mut found: Vec<_> = refused(preconditions(job)).collect();
    if !is_standard(&job.target) {
        let dir = directory_of(&job.target);
        let (unfit, directory) = match job.partition_by.is_empty() {
            true => (refuse_unfit_file(&job.target), refuse_missing_directory(dir, "the target")),
            // The directories above one of partitions are made with it.
            false => (partitioned::refuse_unfit(&job.target), refuse_no_directory(dir, "the target")),
        };
        found.extend(refused_place(&job.target, job.replace.is_any(), &job.sources, unfit, directory));
    }
    found.extend(refused([keys::refuse_unusable(), strictly]));
    found
}

/// The checks that fail.
fn refused(checks: impl IntoIterator<Item = Result<()>>) -> impl Iterator<Item = Refusal> {
    checks.into_iter().filter_map(Result::err).map(Refusal::from)
}

/// Why a conversion into one file, whose verdict is accepted or not, would be refused, and how that is
/// avoided.
pub fn refusals_of_file(
    (source, target): (&PathBuf, &Path),
    force: bool,
    accepted: Result<()>,
) -> Vec<Refusal> {
    let mut found = Vec::new();
    if !is_standard(target) {
        found.extend(refused([refuse_own_source(source, target)]));
        let directory = refuse_missing_directory(directory_of(target), "the target");
        found.extend(refused_place(target, force, from_ref(source), refuse_unfit_file(target), directory));
    }
    found.extend(refused([keys::refuse_unusable(), accepted]));
    found
}

/// Fails where nothing may become a file of this name, or be made before.
fn refuse_unfit_file(target: &Path) -> Result<()> {
    refuse_unfit(target)?;
    // The temporary of several files is a directory.
    if is_index(target) { refuse_blocked(target) } else { refuse_taken(target) }
}

/// Why nothing would be written in a place, of which is known whether something else than a file is there,
/// and whether its directory is none.
fn refused_place(
    target: &Path,
    force: bool,
    sources: &[PathBuf],
    unfit: Result<()>,
    directory: Result<()>,
) -> Vec<Refusal> {
    let mut found = Vec::new();
    let existing = refuse_existing(target, force);
    match (unfit, existing) {
        // A conversion finds first that there is something, whatever that is.
        (Err(unfit), Err(existing)) => {
            found.push(Refusal { code: existing.code(), ..Refusal::from(unfit) });
        }
        (unfit, existing) => found.extend(refused([unfit, existing])),
    }
    let dir = directory_of(target);
    if let Err(failure) = directory {
        found.push(failure.into());
    } else if dir.is_dir() && rustix::fs::access(dir, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let shown = dir.display();
        let why = format!("{shown}: nothing may be written here; give another directory");
        found.push(Failure::Other(why).into());
    }
    let certificate = refuse_foreign_certificate(target, force)
        .and_then(|()| refuse_other_sources(target, force, sources, None));
    found.extend(refused([certificate]));
    found
}

/// Types a text by all of its fields.
pub fn retyped(opened: &mut Opened) -> Result<()> {
    retyped_on(opened, std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

/// The same on this many threads.
pub fn retyped_on(opened: &mut Opened, workers: usize) -> Result<()> {
    if opened.can_retype() {
        opened.retype(&|count, make, take| profile(workers, count, make, take))?;
    }
    Ok(())
}

/// Runs the profiling of chunks on the pool.
pub fn profile(
    workers: usize,
    count: usize,
    make: &(dyn Fn(usize) -> formats::Result<Profiled> + Sync),
    take: &mut (dyn FnMut(Profiled) -> formats::Result<()> + Send),
) -> formats::Result<()> {
    let done = pool::in_order(workers, count, |index| Ok(make(index)?), |_, value| Ok(take(value)?));
    done.map_err(|failure| match failure {
        Failure::Format(error) => error,
        Failure::Interrupted => formats::Error::Stopped,
        Failure::Bug(what) => formats::Error::Bug(what),
        other => formats::Error::Bug(other.to_string()),
    })
}
