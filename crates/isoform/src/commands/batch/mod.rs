//! Provides `convert --out-dir`: each source into a target of its own; what is done and still verified is
//! skipped, and an error with one does not stop the others.

mod claims;
mod targets;
mod told;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::formats::file::ObjectFile;
use ::formats::media::{Codec, catalog};
use ::formats::registry::Format;
use ::formats::write::check_compression;
use coherence::certificate::CertificateError;
use coherence::digest::ObjectDigest;
use coherence::dsse::shown;
use coherence::statement::{Content, DigestSet};
use serde_json::{Map, Value};

use super::certified::TYPES_FROM;
use super::kind::Kind;
use super::sources::{self, Look, Made, Sources, Wanted};
use super::{album, bytes, convert, image, options, partitions, signal};
use crate::cli::{Convert, Output};
use crate::config::placed;
use crate::failure::{DONE, Failure, Result, SOME_FAILED, brief};
use crate::local::directories::{Directories, settled};
use crate::local::effective::{FROM_TARGET, asked, is_made_so};
use crate::local::inside::refuse_into;
use crate::local::interrupted::certificate_of;
use crate::local::memory::parse_size;
use crate::local::replace::Replace;
use crate::local::seal::{SOURCES, refuse_foreign_certificate, refuse_own_source};
use crate::local::staging::refuse_no_directory;
use crate::local::verify::read_certificate;
use crate::local::{self, hash_object, keys, pool, relative};
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report;
use claims::{Clashes, Pair};
use targets::Targets;
pub use told::{Told, left_out, paths, short};

/// Sources that become targets of their own.
pub struct Batch {
    /// The directory of the targets.
    pub dir: PathBuf,
    /// Each source with its target.
    pub pairs: Vec<Pair>,
    /// Targets that cannot be made beside the others: into none of these is anything converted.
    pub clashes: Clashes,
    /// The same if all targets that exist were replaced.
    pub clashes_replaced: Clashes,
    /// Files of the directories that are no sources.
    pub left_out: Vec<PathBuf>,
    /// What is to be said of all sources together.
    pub notes: Vec<String>,
}

/// What became of one source.
pub enum Fate {
    /// It was converted.
    Converted(Told),
    /// It had changed since an earlier run, and was converted again.
    Again(Told),
    /// An earlier run did what this one would do.
    Skipped(Told),
    /// It was not.
    Failed(Failure),
}

/// What is in the place of a target.
pub enum Before {
    /// Nothing, or what may be replaced.
    Free,
    /// What this run would make.
    Done(Told),
    /// What an earlier run made of the same source, which has changed since, and nobody else has changed.
    Outdated(Replace),
}

/// One source with its target.
struct Item {
    source: PathBuf,
    target: PathBuf,
    fate: Fate,
    time: Duration,
}

/// Converts each source into the directory.
pub fn run(args: &Convert, output: &Output) -> Result<u8> {
    let batch = batch(args)?;
    let args = &checked(args);
    let progress = Progress::new(output)?;
    let _directories = batch.make_directories()?;
    if let Some(album) = album::of(args, &batch)? {
        return album::run(&album, &batch, output, &progress);
    }
    let items = converted(args, &batch, &progress)?;
    progress.finish();
    report::result(output, &told::document(&batch, &items), &told::table(&batch, &items));
    let failed = items.iter().any(|item| matches!(item.fate, Fate::Failed(_)));
    Ok(if failed { SOME_FAILED } else { DONE })
}

impl Batch {
    /// Refuses a target that cannot be made beside the others.
    pub fn refuse_clash(&self, target: &Path) -> Result<()> {
        self.clashes.get(target).map_or(Ok(()), |why| Err(Failure::Usage(why.clone())))
    }

    /// Refuses to replace a target whose source has changed where that would be in the way of the others.
    pub fn refuse_replaced(&self, target: &Path) -> Result<()> {
        self.clashes_replaced.get(target).map_or(Ok(()), |why| Err(Failure::Usage(why.clone())))
    }

    /// The directories of the targets.
    fn directories(&self) -> BTreeSet<&Path> {
        let parents = self.pairs.iter().filter_map(|(_, target)| target.parent());
        parents.chain([self.dir.as_path()]).collect()
    }

    /// Makes the directories of the targets.
    fn make_directories(&self) -> Result<Directories> {
        Directories::make(&self.dir, self.directories().into_iter(), "--out-dir")
    }
}

/// Converts each source. An image is worked on by one thread, so several are converted side by side, each
/// with a share of the memory; what that is too little for comes last, alone.
fn converted(args: &Convert, batch: &Batch, progress: &Progress) -> Result<Vec<Item>> {
    let pairs = &batch.pairs;
    let to = args.writing.to.as_deref().and_then(|to| catalog().named(to));
    let images = matches!(to.map(|to| to.codec), Some(Codec::Image(_)));
    let workers = if images { options::workers(&args.machine)? } else { 1 };
    let mut shared = args.clone();
    if workers > 1 {
        shared.machine.shared = true;
        shared.machine.memory = (parse_size(&args.machine.memory)? / workers as u64).to_string();
    }
    let sources: Vec<PathBuf> = pairs.iter().map(|pair| pair.0.clone()).collect();
    let size = |index: usize| sources[index].metadata().map_or(0, |found| found.len());
    let attempt = |args: &Convert, index: usize, progress: &Progress| {
        let (started, (source, target)) = (Instant::now(), &pairs[index]);
        let made = batch.refuse_clash(target).and_then(|()| one(args, batch, (source, target), progress));
        let fate = match made {
            Ok(fate) => fate,
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(failure) => Fate::Failed(placed(failure)),
        };
        Ok(Item { source: source.clone(), target: target.clone(), fate, time: started.elapsed() })
    };
    let tell = |item: &Item| {
        if let Fate::Failed(failure) = &item.fate {
            let (first, below) = failure.lines();
            progress.line(&format!("isoform: {}", report::about(&item.source, &first)));
            below.iter().for_each(|line| progress.line(line));
        }
    };
    let is_too_large =
        |item: &Item| matches!(item.fate, Fate::Failed(Failure::Format(::formats::Error::Limit { .. })));
    let mut items: Vec<Item> = Vec::with_capacity(pairs.len());
    if workers == 1 {
        for index in 0..pairs.len() {
            progress.left(&convert::stages(&sources[index..]));
            items.push(attempt(args, index, progress)?);
            items.last().into_iter().for_each(tell);
        }
        return Ok(items);
    }
    let all = (0..pairs.len()).map(size).sum();
    progress.begin(Stage::Converting, all, all);
    let make = |index: usize| attempt(&shared, index, &progress.aside());
    pool::in_order(workers, pairs.len(), make, |index, item: Item| {
        if !is_too_large(&item) {
            tell(&item);
        }
        items.push(item);
        progress.advance(size(index))
    })?;
    for (index, item) in items.iter_mut().enumerate().filter(|(_, item)| is_too_large(item)) {
        *item = attempt(args, index, &progress.aside())?;
        tell(item);
    }
    Ok(items)
}

/// What was typed: each source with its target.
///
/// # Errors
/// Options that are about one target; sources that are not found, or of which nothing can be made; something
/// else in the place of a directory.
pub fn batch(args: &Convert) -> Result<Batch> {
    let Some(dir) = &args.out_dir else { return Err(Failure::bug("no --out-dir")) };
    refuse_options(args)?;
    let dir = &settled(dir);
    let wanted = Wanted::for_target(args.writing.to.as_deref());
    let look = Look { made: Made::In(dir), wanted, keyed: true };
    let mut sources = sources::all(&args.paths, args.sources_from.as_deref(), look)?;
    let paths = sources::paths(&sources.found);
    check_typed(args, &paths)?;
    let Targets { pairs, clashes, again } = targets::targets(args, dir, &sources.found)?;
    sources.pass_over(pairs.iter().map(|(_, target)| target.as_path()));
    let mut notes = sources.notes_of_data();
    let note = partitions::left_out(pairs.iter().map(|(source, _)| source.as_path()), &[]);
    notes.extend(note.filter(|_| wanted == Wanted::Tables));
    notes.extend(report::listed(&again, "named more than once, and converted once"));
    let clashes_replaced = claims::clashes(&pairs, true);
    let batch =
        Batch { dir: dir.clone(), pairs, clashes, clashes_replaced, left_out: sources.left_out, notes };
    let refuse = |dir| refuse_no_directory(dir, "--out-dir").and_then(|()| refuse_into(dir));
    batch.directories().into_iter().try_for_each(refuse)?;
    Ok(batch)
}

/// Refuses an option that was typed and is about none of the sources and targets.
fn check_typed(args: &Convert, sources: &[PathBuf]) -> Result<()> {
    let Some(to) = &args.writing.to else { return Ok(()) };
    match catalog().named(to).map(|media| media.codec) {
        Some(Codec::Bytes(_)) => bytes::check_typed(args),
        Some(Codec::Image(to)) => image::check_typed(args, to),
        Some(Codec::Arrays(to)) => signal::check_typed(args, sources, to),
        Some(Codec::Table(_)) | None => check_typed_of_tables(args, sources, Format::named_target(to)?),
    }
}

fn check_typed_of_tables(args: &Convert, sources: &[PathBuf], to: Format) -> Result<()> {
    convert::refuse_signals(&options::without_waiting(args, &[]))?;
    args.typed.check_target(to)?;
    if args.typed.has("compression") {
        check_compression(&options::writing(&args.writing, Path::new("-"))?)?;
    }
    let said = args.reading.from.as_deref();
    match sources.iter().all(|source| matches!(signal::of_source(source, said), Ok(Some(_)))) {
        true => args.typed.check_rows(),
        false => args.typed.check_files(sources, said.map(Format::named).transpose()?),
    }
}

/// The same for one source of many: [`batch`] has refused what is about none of them, and what is about
/// another is no error. A type of samples stays what was typed: only so does it count for a sound.
pub fn checked(args: &Convert) -> Convert {
    Convert { typed: args.typed.only("sample-type"), ..args.clone() }
}

fn refuse_options(args: &Convert) -> Result<()> {
    let options = [
        ("--union", args.union),
        ("--source-column", args.source_column.is_some()),
        ("--no-partition-columns", args.no_partition_columns),
        ("--rejects", args.rejects.is_some()),
        ("--certificate", args.certificate.is_some()),
        ("--stream", args.stream),
        ("--partition-by", !args.writing.partition_by.is_empty()),
    ];
    match options.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(Failure::Usage(format!(
            "{option} is about one target; leave away --out-dir, or convert that source by itself"
        ))),
    }
}

fn one(args: &Convert, batch: &Batch, (source, target): (&Path, &Path), progress: &Progress) -> Result<Fate> {
    let (mut kind, object) = Kind::of(args, &Sources::alone(source), target)?.followed(args, progress)?;
    let before = before(args, kind.parameters(), (source, object), target, progress)?;
    relative::note(kind.parameters_mut(), source, target);
    match before {
        Before::Done(told) => Ok(Fate::Skipped(told)),
        Before::Free => made(kind, progress).map(Fate::Converted),
        Before::Outdated(replace) => {
            batch.refuse_replaced(target)?;
            made(kind.replacing(replace), progress).map(Fate::Again)
        }
    }
}

fn made(kind: Kind, progress: &Progress) -> Result<Told> {
    Ok(match kind {
        Kind::Bytes(job) => bytes::told(&job, &local::bytes::convert(&job, progress)?),
        Kind::Image(job) => image::told(&job, &local::image::convert(&job, progress)?),
        Kind::Signal(job) => signal::told(&job, &local::signal::convert(&job, progress)?),
        Kind::Table(job) => convert::told(&job, &local::convert(&job, progress)?),
    })
}

/// What is in the place of the target of a source, whose digests are given where these are known.
///
/// # Errors
/// Something else is in the place of the target, or of its certificate, and must not be replaced.
pub fn before(
    args: &Convert,
    parameters: &Map<String, Value>,
    source: (&Path, Option<ObjectDigest>),
    target: &Path,
    progress: &Progress,
) -> Result<Before> {
    refuse_own_source(source.0, target)?;
    if target.symlink_metadata().is_err() {
        return refuse_foreign_certificate(target, args.force).map(|()| Before::Free);
    }
    match still_verified(parameters, source, target, progress) {
        Ok(Ok(Before::Outdated(_))) if args.force => Ok(Before::Free),
        Ok(Ok(found)) => Ok(found),
        Err(Failure::Interrupted) => Err(Failure::Interrupted),
        _ if args.force => refuse_foreign_certificate(target, true).map(|()| Before::Free),
        Ok(Err(why)) => Err(Failure::Stale(target.to_owned(), why)),
        Err(failure) => Err(failure),
    }
}

/// Whether the target is what its certificate says, made from this source, as it is or as it was, as this run
/// would make it; or why not.
fn still_verified(
    parameters: &Map<String, Value>,
    (source, object): (&Path, Option<ObjectDigest>),
    target: &Path,
    progress: &Progress,
) -> Result<std::result::Result<Before, String>> {
    let at = certificate_of(target);
    if at.symlink_metadata().is_err() {
        return Ok(Err("it has no certificate".into()));
    }
    let replace = Replace::only(target)?;
    let certificate = match read_certificate(&at, None) {
        Ok(certificate) => certificate,
        Err(Failure::Certificate { error: error @ CertificateError::Unknown { .. }, .. }) => {
            return Ok(Err(format!("its certificate {}", brief(&error))));
        }
        Err(failure) => return Ok(Err(format!("its certificate does not hold ({})", failure.brief()))),
    };
    let predicate = &certificate.statement().predicate;
    let tool = &predicate.conversion.tool;
    if tool.name != "isoform" || tool.version != env!("CARGO_PKG_VERSION") {
        return Ok(Err(format!("{} {} made it", shown(&tool.name), shown(&tool.version))));
    }
    let mut recorded = asked(&predicate.conversion.parameters);
    // A key that cannot be used is told where it is to sign.
    let is_own = keys::own_key_id().ok().flatten().as_ref() == Some(certificate.key_id());
    // The source is compared by its bytes, from wherever its path was typed.
    if !parameters.contains_key(SOURCES) {
        recorded.remove(SOURCES);
    }
    let mut wanted = parameters.clone();
    // What a certificate beside the source told is no option, and was of the state that the source had.
    let told_types = recorded.remove(TYPES_FROM) == wanted.remove(TYPES_FROM);
    if !is_made_so(predicate, recorded, wanted) {
        return Ok(Err("it was made with other options".into()));
    }
    let (file, made) = (ObjectFile::open(source)?, ObjectFile::open(target)?);
    let [recorded] = predicate.source.as_slice() else { return Ok(Err("it has several sources".into())) };
    progress.begin(Stage::Checking, 0, 0);
    let to = hash_object(&made, progress)?;
    let is_made = |digest: &DigestSet| *digest == (&to).into();
    if !matches!(certificate.statement().subject.as_slice(), [only] if is_made(&only.digest)) {
        return Ok(Err("its bytes are not those of its certificate".into()));
    }
    let changed = || {
        outdated(&predicate.conversion.parameters, (source, target), is_own)
            .map_or(Ok(Before::Outdated(replace)), |why| Err(why.into()))
    };
    // Bytes of another size need no digest to be others.
    if recorded.size != file.len().to_string() {
        return Ok(changed());
    }
    let from = object.map_or_else(|| hash_object(&file, progress), Ok)?;
    if recorded.digest != (&from).into() {
        return Ok(changed());
    }
    if !told_types {
        return Ok(Err("the certificate beside the source told other types when it was made".into()));
    }
    let rows = match &predicate.content {
        Content::Table(table) | Content::Partitioned(table) => table.rows.parse().ok(),
        Content::Signal(_) | Content::Bytes(_) => None,
    };
    let (verdict, sizes) = (certificate.verdict().name(), (from.size, to.size));
    Ok(Ok(Before::Done(Told { verdict, rows, sizes, document: Value::Null, words: Vec::new() })))
}

/// Why a target that was made of other bytes than its source has now is not replaced, if it is not: it must
/// be of an earlier state of this very source, and our own.
fn outdated(
    made: &Map<String, Value>,
    (source, target): (&Path, &Path),
    is_own: bool,
) -> Option<&'static str> {
    match (relative::leads_to(made, "", source, target), made.contains_key(FROM_TARGET)) {
        (true, _) if is_own => None,
        (true, _) => Some("it is of an earlier state of the source, and another key signed it"),
        (false, true) => Some("it was made of another source"),
        (false, false) => {
            Some("it is of other bytes than the source has, and does not tell where its source lies")
        }
    }
}
