//! The conversion of byte strings: the content of one object, wrapped in another way.

mod compare;
#[cfg(test)]
mod mutants;
mod plan;
mod prove;
mod verify;
mod work;

use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use coherence::digest::{Digest, ObjectDigest};
use coherence::verified::Records;
use formats::bytes::{Codec, Encoder, Settings, ahead, names};
use formats::file::ObjectFile;
use formats::media;
use serde_json::{Map, Value, json};

use super::effective::{add_writing, asked};
use super::journal::{self, Journal, changed};
use super::media::class_of;
use super::memory::BASE_BYTES;
use super::pool::meanwhile;
use super::replace::Replace;
use super::seal::{self, refuse_own_source, seal};
use super::staging::Staging;
use super::{Done, hash_object, memory, source};
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;

pub use compare::compare;
pub use plan::{BytesPlan, plan};
pub use prove::content_of;
pub use verify::check_content;
use work::Work;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct BytesJob {
    /// The source.
    pub source: PathBuf,
    /// How it is wrapped, where that was said.
    pub from: Option<Codec>,
    /// The target.
    pub target: PathBuf,
    /// How the target is wrapped.
    pub to: Settings,
    /// Whether a target that exists is replaced.
    pub replace: Replace,
    /// Whether finished parts of an interrupted run are used.
    pub resume: bool,
    /// Threads that were asked for.
    pub threads: Option<usize>,
    /// Memory to stay under.
    pub memory: u64,
    /// Effective parameters, for the certificate.
    pub parameters: Map<String, Value>,
    /// What a person should know besides.
    pub notes: Vec<String>,
    /// What the encoder of a test makes of a part instead, without telling.
    #[cfg(test)]
    pub lie: Option<fn(&mut Vec<u8>)>,
}

/// What was done.
#[derive(Debug, Clone)]
pub struct BytesOutcome {
    /// What every conversion tells.
    pub done: Done,
    /// Bytes of the content.
    pub content_bytes: u64,
    /// Members of the source.
    pub members: u64,
    /// Parts, and how many of them an earlier run had finished.
    pub parts: (usize, usize),
    /// How source and target are wrapped.
    pub codecs: (Codec, Codec),
}

/// An open source and how it is read.
struct Opened {
    file: Arc<ObjectFile>,
    from: Codec,
    notes: Vec<String>,
    workers: usize,
    /// Threads that unwrap it.
    unwrapping: usize,
}

fn open(job: &BytesJob, progress: &Progress) -> Result<Opened> {
    let dir = job.target.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    let file = source::file(&job.source, dir, progress)?.0;
    let (from, note) = names::of_source(&file, job.from)?;
    class_of(media::Codec::Bytes(from).media(), media::Codec::Bytes(job.to.codec).media())?;
    let mut notes = job.notes.clone();
    notes.extend(note);
    let (workers, unwrapping) = threads(job, from)?;
    Ok(Opened { file, from, notes, workers, unwrapping })
}

/// Threads that unwrap a source and have room first: these keep many busy that wrap.
const UNWRAPPING_FIRST: u64 = 3;

/// Threads that wrap, and those that unwrap meanwhile in what memory the others leave.
fn threads(job: &BytesJob, from: Codec) -> Result<(usize, usize)> {
    let needed = needed(job.to);
    let fit = |shared: u64| {
        memory::workers_of(job.threads, job.memory, (shared, needed), ", or take a lower level")
    };
    let reader = from.reader_bytes();
    let first = ahead::thread_bytes(from).map_or(0, |thread| thread * UNWRAPPING_FIRST);
    let workers = match (fit(reader)?, fit(reader.max(first))) {
        (_, Ok(fewer)) if fewer > 1 => fewer,
        (workers, _) => workers,
    };
    let workers = job.to.codec.media().threads(workers);
    // One stream is made by one thread, and another can digest ahead of it.
    let workers = if Encoder::is_apart(job.to) { workers } else { workers.min(2) };
    let free = job.memory.saturating_sub(BASE_BYTES + workers as u64 * needed);
    let most = job.to.codec.media().threads(memory::wanted(job.threads)?);
    Ok((workers, memory::unwrapping(most, free, from)))
}

fn needed(to: Settings) -> u64 {
    to.codec.worker_bytes(to.level)
}

impl BytesJob {
    /// Whether finished parts of an interrupted run are used: of one member there is nothing to go on from,
    /// as its encoder is in no file.
    pub fn goes_on(&self) -> bool {
        self.resume && Encoder::is_apart(self.to)
    }
}

/// Converts, reads back, compares, signs, publishes.
pub fn convert(job: &BytesJob, progress: &Progress) -> Result<BytesOutcome> {
    let started = (SystemTime::now(), Instant::now());
    refuse_own_source(&job.source, &job.target)?;
    let (mut staging, journal_path) = journal::begin(&job.target, job.replace, job.resume)?;
    seal::refuse_other_sources(&job.target, job.replace.is_any(), from_ref(&job.source), Some(progress))?;
    let opened = open(job, progress)?;
    let size = opened.file.len();
    // Bytes are hashed while they are converted, so that there is nothing to read before.
    progress.begin(Stage::Reading, size, 0);
    progress.begin(Stage::Converting, size, size * 2);
    let encode = || encode(job, &opened, &mut staging, &journal_path, progress);
    let (source, made) = meanwhile(|| hash_object(&opened.file, progress), encode)?;
    let (made, source) = (made?, source?);
    let converted = started.1.elapsed();
    in_file(&opened, opened.file.check_unchanged())?;
    let (parts, mut journal) = made;
    let records = Records { counted: parts.totals.bytes, set_aside: 0 };
    progress.begin(Stage::Verifying, size, staging.len() * 2);
    staging.sync()?;
    let free = job.memory.saturating_sub(BASE_BYTES);
    let workers = (opened.workers, memory::unwrapping(opened.workers, free, job.to.codec));
    let proof = prove::read_back(job.to, &parts, records, source.blake3, staging.path(), workers, progress);
    if let Err(Failure::Mismatch(_)) = proof {
        // Parts that are not what they should be are of no use to a later run.
        staging.keep(false);
        journal.keep(false);
    }
    let proof = proof?;
    let files = vec![seal::file(&job.source, source, opened.from.media_type())];
    let target = seal::file(&job.target, proof.object, job.to.codec.media_type());
    let mut parameters = seal::with_path(&job.parameters, &job.source);
    add_writing(&mut parameters, writing(job.to));
    let facts = seal::facts(files, vec![target], &parameters, Vec::new(), started.0);
    let sealed = seal(&proof.whole, facts, true)?;
    let vain = match job.resume && !job.goes_on() {
        true => {
            Some("--resume: a target in one member is not gone on with, so all of it was done".to_owned())
        }
        false => journal::in_vain(job.resume, parts.reused, staging.damaged()),
    };
    let unsynced = staging.publish(&proof.whole, &sealed.certificate)?;
    let times = (converted, started.1.elapsed() - converted);
    let notes = opened.notes.into_iter().chain(vain).chain(unsynced).collect();
    let sizes = (source.size, proof.object.size);
    Ok(BytesOutcome {
        done: Done::of((&proof.whole, &sealed), &job.target, sizes, times, notes),
        content_bytes: proof.whole.units(),
        members: parts.totals.members,
        parts: (parts.entries.len(), parts.reused),
        codecs: (opened.from, job.to.codec),
    })
}

/// What decides the bytes of a target.
fn writing(to: Settings) -> Map<String, Value> {
    let mut writing = Map::from_iter([
        ("to".to_owned(), json!(to.codec.name())),
        ("compression".to_owned(), json!(to.text())),
    ]);
    if Encoder::is_apart(to) {
        writing.insert("partBytes".to_owned(), json!(to.part_bytes().to_string()));
    }
    writing
}

/// Encodes all parts into the temporary, going on from an earlier run where that was asked for.
fn encode(
    job: &BytesJob,
    opened: &Opened,
    staging: &mut Staging,
    journal_path: &Path,
    progress: &Progress,
) -> Result<(work::Parts, Journal)> {
    let identity = identity(job, opened.from);
    let done = match Journal::read(journal_path)?.filter(|_| job.resume) {
        None => Vec::new(),
        Some((found, _)) if found == identity && !job.goes_on() => Vec::new(),
        Some((found, entries)) if found == identity => staging.still_there(0, entries)?,
        Some(_) => return Err(changed(&job.target)),
    };
    if !job.goes_on() {
        staging.keep(false);
    }
    let mut journal = Journal::begin(journal_path, &identity, &done)?;
    journal.keep(job.goes_on());
    let (file, from) = (opened.file.clone(), opened.from);
    let work = Work { job, file, from, workers: opened.workers, unwrapping: opened.unwrapping, progress };
    let parts = in_file(opened, work.run(staging, &mut journal, done))?;
    Ok((parts, journal))
}

/// What a journal must share with a run to be of use to it, besides the content of the finished parts, which
/// is compared with that of the source.
fn identity(job: &BytesJob, from: Codec) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let parameters = Value::Object(asked(&job.parameters));
    let (arch, from, to) = (std::env::consts::ARCH, from.name(), job.to.text());
    let text = format!("{version} {arch} {from} {to} {parameters}");
    format!("isoform-journal/v3 bytes {}", Digest::blake3(text.as_bytes()))
}

/// An error of a format, naming the source.
fn in_file<T, E: Into<Failure>>(opened: &Opened, result: std::result::Result<T, E>) -> Result<T> {
    result.map_err(|error| match error.into() {
        Failure::Format(formats::Error::Stopped) => Failure::Interrupted,
        Failure::Format(error) => Failure::Format(error.in_file(opened.file.path())),
        other => other,
    })
}

/// What was found in an object.
pub struct Inspected {
    /// How it is wrapped.
    pub codec: Codec,
    /// Its bytes.
    pub object: ObjectDigest,
    /// Digest of its content.
    pub content: Digest,
    /// Bytes of its content.
    pub content_bytes: u64,
    /// Its members.
    pub members: u64,
    /// What a person should know besides.
    pub notes: Vec<String>,
}

/// Decodes an object whole.
pub fn inspect(
    file: &Arc<ObjectFile>,
    said: Option<Codec>,
    (workers, memory): (usize, u64),
    progress: &Progress,
) -> Result<Inspected> {
    let (codec, note) = names::of_source(file, said)?;
    progress.begin(Stage::Verifying, file.len(), file.len() * 2);
    let object = hash_object(file, progress)?;
    let unwrapping = memory::unwrapping(workers, memory.saturating_sub(BASE_BYTES), codec);
    let (content, totals) = content_of(file, codec, unwrapping, progress)?;
    Ok(Inspected {
        codec,
        object,
        content: verify::root(&content)?,
        content_bytes: content.units,
        members: totals.members,
        notes: note.into_iter().collect(),
    })
}
