//! Provides [`convert`] for a target that is a directory of partitions.
//!
//! The rows of the source are cut by partition into temporaries, and the digests of the rows of each are kept
//! as they were decoded. Then each partition is written, read back from disk and compared by itself; with the
//! values that its path tells, its rows must be exactly those that the source has for it, in the same order.

mod directory;
mod estimate;
mod finished;
mod rows;
mod target;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use coherence::certificate::{self, ColumnStyle};
use coherence::dsse::Malformed;
use coherence::schema::Schema;
use coherence::statement::Parameters;
use coherence::verified::VerifiedWhole;
use formats::cells::logical_schema;
use formats::jsonl::{Absence, Style, Typing};
use formats::metadata::lost;
use formats::open::Opened;
use formats::partition::{Partitioning, Places};
use formats::typings::{Typings, text_of};
use formats::write::{Encoder, WriteOptions, encoder, ending};

use super::job::{Job, decided, fitting, hold_pieces, misfit, preconditions, profiled, without_advice};
use super::journal;
use super::keys;
use super::outcome::Outcome;
use super::plan::strictly;
use super::pool;
use super::rejects::{self, Rejects};
use super::resume::{self, Identity};
use super::seal::{self, refuse_own_source, seal};
use super::source::Source;
use super::staging::{PART_ENDING, beside};
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;
use directory::Directory;
pub use directory::refuse_unfit;
pub use estimate::{estimate, listed};
use finished::Finished;
pub use verify::{are_certified_files, checked_files, has_certified_files, verify};

/// What was proven of all partitions.
struct Proof {
    whole: VerifiedWhole,
    files: Vec<certificate::File>,
    styles: Vec<ColumnStyle>,
    /// Where rows stand whose texts are exceptions to these.
    places: Places,
    schema: Schema,
    /// Parts that an earlier run had finished.
    reused: usize,
}

/// Converts into a directory, reads back, compares, signs, publishes.
pub fn convert(job: &Job, progress: &Progress) -> Result<Outcome> {
    let started = (SystemTime::now(), Instant::now());
    preconditions(job).into_iter().collect::<Result<()>>()?;
    // What a killed run left is put back first, as bad records are known by the certificate of their target.
    let mut directory = Directory::make(&job.target, job.replace.is_any(), job.resume)?;
    keys::signing_key()?;
    let mut rejects = Rejects::begin(job, Some(&job.target))?;
    seal::refuse_foreign_certificate(&job.target, job.replace.is_any())?;
    seal::refuse_other_sources(&job.target, job.replace.is_any(), &job.sources, Some(progress))?;
    let mut source = Source::open(job, progress)?;
    let job = &fitting(job, &source.opened)?;
    hold_pieces(job, &source.opened);
    let notes = lost(source.opened.table(), job.write.format);
    source.opened.notes.extend(notes.into_iter().chain(rejects::left_of_earlier(job)));
    if let Some(found) = directory.earlier() {
        resume::catch_up(&found, job, &mut source, |source| profiled(job, source, progress))?;
    }
    let (proof, read) = loop {
        let waiting = typed(job, &mut source, &directory, progress);
        let waiting = match source.unless_changed(waiting) {
            Err(failure) if without_advice(job, &mut source.opened, &failure) => continue,
            waiting => waiting?,
        };
        let (waiting, finished) = waiting;
        let read = started.1.elapsed();
        source.check_unchanged()?;
        match made(job, &source, &directory, (&waiting, &finished), progress) {
            Err(failure) if without_advice(job, &mut source.opened, &failure) => {}
            other => {
                if let Err(Failure::Mismatch(_)) = other {
                    // Files that are not what they should be are of no use to a later run.
                    directory.keep(false);
                }
                break (other?, read);
            }
        }
    };
    let Proof { whole, files, styles, places, schema, reused } = proof;
    strictly(job, &source.opened, &styles)?;
    let bytes = files.iter().map(|file| file.object.size).sum();
    let parameters = rejects::kept(job, &source.opened, &mut rejects)?;
    let mut facts = seal::facts(source.files(), files, &parameters, styles.clone(), started.0);
    facts.parameters.rows_of_exceptions = places.into_record();
    let sealed = seal(&whole, facts, job.strict)?;
    let vain = journal::in_vain(job.resume, reused, 0);
    source.opened.notes.extend(directory.publish(&whole, &sealed.certificate)?);
    source.opened.notes.extend(rejects::published(rejects)?);
    source.opened.notes.extend(vain);
    let times = (read, started.1.elapsed() - read);
    let outcome = Outcome::of((job, &source), (&whole, &sealed), (&schema, &styles), bytes, times);
    Ok(Outcome { parts: (outcome.parts.0, reused), ..outcome })
}

/// A source inside the target, or inside of its temporary, would be replaced by it.
pub fn refuse_inside(source: &Path, target: &Path) -> Result<()> {
    refuse_own_source(source, target)?;
    let inside_of = |dir: &Path| match (source.canonicalize(), dir.canonicalize()) {
        (Ok(inside), Ok(dir)) => inside.starts_with(&dir),
        _ => false,
    };
    let (shown, dir) = (source.display(), target.display());
    if inside_of(target) {
        return Err(Failure::Usage(format!("{shown}: lies inside the target {dir}; give another target")));
    }
    if inside_of(&beside(target, PART_ENDING)?) {
        return Err(Failure::Usage(format!(
            "{shown}: lies inside the temporary of the target {dir}; give another target"
        )));
    }
    Ok(())
}

/// Cuts the source by partition under the typing that all fields fit.
fn typed(
    job: &Job,
    source: &mut Source,
    directory: &Directory,
    progress: &Progress,
) -> Result<(Vec<rows::Waiting>, Finished)> {
    let size = source.size();
    decided(job, source, progress)?;
    loop {
        let table = source.opened.table();
        let schema = logical_schema(table.schema())?;
        let partitioning = Partitioning::new(table.schema(), &job.partition_by)?;
        // What the target cannot have is found before the work is done.
        let encoder = file_encoder(job, &source.opened, &partitioning)?;
        let finished = directory.begin(&identity(job, source, &partitioning, &encoder)?)?;
        let bytes = table.byte_range(0..table.rows());
        progress.begin(Stage::Converting, size, bytes.end - bytes.start);
        let parts = rows::reading_parts(table);
        let wanted = typings(&source.opened, &partitioning).rows_of_exceptions();
        let read = (&parts[..], &wanted[..]);
        match rows::cut(table, read, &schema, &partitioning, &directory.rows(), job.workers, progress) {
            Err(Failure::Format(formats::Error::Retype { .. })) if source.opened.can_retype() => {
                progress.again(&[(Stage::Typing, size)]);
                profiled(job, source, progress)?;
            }
            Ok(waiting) => return Ok((waiting, finished)),
            Err(failure) => return Err(misfit(&source.opened, failure)),
        }
    }
}

/// What a run must share with an earlier one to use what that finished.
fn identity(job: &Job, source: &Source, partitioning: &Partitioning, encoder: &Encoder) -> Result<Identity> {
    let styles = styles(&source.opened, partitioning, Typings::of_target(encoder))?;
    Ok(Identity::under(&text_of(&styles), source, job))
}

/// Typings of the source, by its rows. The names of directories spell a key alike in all rows.
fn typings(opened: &Opened, partitioning: &Partitioning) -> Typings {
    opened.typings().without_rows(&partitioning.columns())
}

/// Refuses to cut a column of JSON Lines from the one beside it that tells which records leave it out.
fn refuse_told(opened: &Opened, names: &[String]) -> Result<()> {
    let (Typings::Json(typings) | Typings::Both(_, typings)) = opened.typings() else { return Ok(()) };
    let columns = opened.table().schema().fields().iter().zip(typings);
    let told = |typing: &Typing| typing.absence == Absence::Told || typing.style == Style::Presence;
    match columns.into_iter().find(|(field, typing)| names.contains(field.name()) && told(typing)) {
        None => Ok(()),
        Some((field, _)) => Err(Failure::Usage(format!(
            "--partition-by {}: with --presence, this column and the one that tells where it is left out \
             stay in one file; leave --presence away, or partition by another column",
            field.name()
        ))),
    }
}

/// The encoder of the columns that are in files, as if all rows were in one.
fn file_encoder(job: &Job, opened: &Opened, partitioning: &Partitioning) -> Result<Encoder> {
    refuse_told(opened, &job.partition_by)?;
    let schema = partitioning.rest_schema(opened.table().schema())?;
    let encoder = encoder(&schema, &typings(opened, partitioning).project(&partitioning.rest()), &job.write);
    Ok(encoder.map_err(|error| opened.misfit(error))?)
}

/// A row of the source that is an exception to a style, and the row that it is in its file.
type Place = (u64, u64);

/// Makes the encoders of single files: of each, some rows of the source are exceptions to styles.
fn file_encoders<'a>(
    job: &'a Job,
    opened: &Opened,
    partitioning: &Partitioning,
) -> Result<impl Fn(&[Place]) -> Result<Encoder> + Sync + use<'a>> {
    let schema = partitioning.rest_schema(opened.table().schema())?;
    let typings = typings(opened, partitioning).project(&partitioning.rest());
    Ok(move |places: &[Place]| Ok(encoder(&schema, &typings.moved(places), &job.write)?))
}

/// The name of the file in the directory of each partition.
fn file_name(write: &WriteOptions) -> Result<String> {
    Ok(format!("part-0.{}", ending(write)?))
}

/// How many partitions are made at once, and threads for each: many are made side by side, few of them each
/// by several threads.
fn across(partitions: usize, workers: usize) -> (usize, usize) {
    if partitions >= workers { (workers, 1) } else { (1, workers) }
}

/// Makes the file of every partition, and puts the proofs together.
fn made(
    job: &Job,
    source: &Source,
    directory: &Directory,
    (waiting, finished): (&[rows::Waiting], &Finished),
    progress: &Progress,
) -> Result<Proof> {
    if waiting.is_empty() {
        let what = "it has no rows, so a partitioned target would have no files";
        let place = formats::Place { path: job.sources.first().cloned(), ..Default::default() };
        return Err(formats::Error::unsupported(place, what, "convert it without --partition-by").into());
    }
    let opened = &source.opened;
    let schema = logical_schema(opened.table().schema())?;
    let partitioning = Partitioning::new(opened.table().schema(), &job.partition_by)?;
    let encoder_of = file_encoders(job, opened, &partitioning)?;
    let mut places = Places::default();
    waiting.iter().for_each(|waiting| places.add(&waiting.path, &waiting.places));
    let name = file_name(&job.write)?;
    let files = directory.files();
    let (across, within) = across(waiting.len(), job.workers);
    let making = target::Making {
        partitioning: &partitioning,
        schema: &schema,
        encoder: &encoder_of(&[])?,
        encoder_of: &encoder_of,
        write: &job.write,
        source: source.digest(),
        dir: &files,
        name: &name,
        finished,
        workers: within,
        progress,
    };
    let (mut partitions, mut files) = (Vec::with_capacity(waiting.len()), Vec::new());
    let root = job.target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut written, mut reused) = (Vec::with_capacity(waiting.len()), 0);
    let write = |index: usize| making.write(&waiting[index]);
    pool::in_order(across, waiting.len(), write, |_, file: target::Written| {
        reused += file.reused();
        written.push(Mutex::new(Some(file)));
        Ok(())
    })?;
    directory.retain(&waiting.iter().map(|waiting| format!("{}/{name}", waiting.path)).collect())?;
    directory.sync()?;
    progress.begin(Stage::Verifying, source.size(), 0);
    let verify = |index: usize| {
        let file = written[index].lock().unwrap_or_else(PoisonError::into_inner).take();
        let file = file.ok_or_else(|| Failure::bug("a partition twice"))?;
        making.verify(&waiting[index], file)
    };
    pool::in_order(across, waiting.len(), verify, |_, made| {
        files.push(certificate::File { name: format!("{root}/{}", made.file.name), ..made.file });
        partitions.push(made.partition);
        Ok(())
    })?;
    let names = partitioning.names();
    let whole = VerifiedWhole::of_partitions(&schema, names, partitions, source.records());
    let whole = whole.map_err(|error| Failure::Mismatch(error.to_string()))?;
    let encoder = file_encoder(job, opened, &partitioning)?;
    let styles = styles(opened, &partitioning, Typings::of_target(&encoder))?;
    Ok(Proof { whole, files, styles, places, schema, reused })
}

/// How text spells each column, for the certificate: in the files where they are text, else in the source;
/// and how the names of directories spell theirs.
fn styles(opened: &Opened, partitioning: &Partitioning, files: Option<Typings>) -> Result<Vec<ColumnStyle>> {
    let schema = opened.table().schema();
    let source = if opened.format.is_text() { typings(opened, partitioning) } else { Typings::Native };
    let mut styles = source.styles(schema)?;
    let rest = partitioning.rest();
    let outside = source.project(&rest);
    let inside = files.unwrap_or_else(|| outside.clone());
    let inside = inside.styles_from(&outside, partitioning.rest_schema(schema)?.as_ref())?;
    for (column, inside) in rest.into_iter().zip(inside) {
        styles[column].style = inside.style;
        styles[column].reversible &= inside.reversible;
    }
    for (at, column) in partitioning.columns().into_iter().enumerate() {
        let mut members = styles[column].style.members();
        members.insert(PARTITION_STYLE.into(), partitioning.record(at)?);
        styles[column].style = members.into();
    }
    Ok(styles)
}

/// Where a certificate tells that rows stand whose texts are exceptions to styles, which are told by rows of
/// the source.
///
/// # Errors
/// A record that is none.
pub fn places(parameters: &Parameters) -> Result<Places, Malformed> {
    let found = "rows that do not ascend".to_owned();
    let unexpected = Malformed::Unexpected { field: "rowsOfExceptions", found };
    Places::recorded(&parameters.rows_of_exceptions).ok_or(unexpected)
}

/// Member of a column's style that says how the names of directories spell its values.
pub const PARTITION_STYLE: &str = "partition";

/// The path of a directory without the slash that shells put behind it.
pub fn without_slash(path: &Path) -> PathBuf {
    path.components().collect()
}
