//! Provides `convert --out-dir`: each source into a target of its own; what is done and still verified is
//! skipped, and an error with one does not stop the others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::formats::bytes::{Codec as Wrapping, names};
use ::formats::file::ObjectFile;
use ::formats::media::{Codec, catalog};
use ::formats::registry::Format;
use coherence::statement::{Content, DigestSet};
use serde_json::{Map, Value, json};

use super::sources::{self, Wanted};
use super::{album, bytes, convert, image, options, signal};
use crate::cli::{Convert, Output};
use crate::failure::{DONE, Failure, Result, SOME_FAILED};
use crate::local::memory::parse_size;
use crate::local::staging::certificate_path;
use crate::local::verify::read_certificate;
use crate::local::via::STEPS;
use crate::local::{self, hash_object, pool};
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report;
use crate::typed::Typed;

/// What became of one source.
pub enum Fate {
    Converted { verdict: &'static str, rows: Option<u64>, sizes: (u64, u64) },
    Skipped { verdict: &'static str, rows: Option<u64>, sizes: (u64, u64) },
    Failed(Failure),
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
    let (dir, pairs) = pairs(args)?;
    let args = &checked(args);
    let progress = Progress::new(output)?;
    std::fs::create_dir_all(&dir).map_err(|error| Failure::io(&dir, error))?;
    if let Some(album) = album::of(args, &dir, &pairs)? {
        return album::run(&album, output, &progress);
    }
    let items = converted(args, pairs, &progress)?;
    progress.finish();
    report::result(output, &document(&dir, &items), &table(&items));
    let failed = items.iter().any(|item| matches!(item.fate, Fate::Failed(_)));
    Ok(if failed { SOME_FAILED } else { DONE })
}

/// Converts each source. An image is worked on by one thread, so several are converted side by side, each
/// with a share of the memory; what that is too little for comes last, alone.
fn converted(args: &Convert, pairs: Vec<(PathBuf, PathBuf)>, progress: &Progress) -> Result<Vec<Item>> {
    let to = args.writing.to.as_deref().and_then(|to| catalog().named(to));
    let images = matches!(to.map(|to| to.codec), Some(Codec::Image(_)));
    let workers = if images { options::workers(&args.machine)? } else { 1 };
    let mut shared = args.clone();
    if workers > 1 {
        shared.machine.memory = (parse_size(&args.machine.memory)? / workers as u64).to_string();
    }
    let sources: Vec<PathBuf> = pairs.iter().map(|pair| pair.0.clone()).collect();
    let size = |index: usize| sources[index].metadata().map_or(0, |found| found.len());
    let attempt = |args: &Convert, index: usize, progress: &Progress| {
        let (started, (source, target)) = (Instant::now(), &pairs[index]);
        let fate = match one(args, source, target, progress) {
            Ok(fate) => fate,
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(failure) => Fate::Failed(failure),
        };
        Ok(Item { source: source.clone(), target: target.clone(), fate, time: started.elapsed() })
    };
    let tell = |item: &Item| {
        if let Fate::Failed(failure) = &item.fate {
            progress.line(&format!("isoform: {}: {failure}", item.source.display()));
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

/// The directory, and each source with its target.
pub fn pairs(args: &Convert) -> Result<(PathBuf, Vec<(PathBuf, PathBuf)>)> {
    let Some(dir) = &args.out_dir else { return Err(Failure::Other("bug in isoform: no --out-dir".into())) };
    refuse_options(args)?;
    let wanted = Wanted::for_target(args.writing.to.as_deref());
    let found = sources::all(&args.paths, args.sources_from.as_deref(), Some(dir), wanted)?;
    match (&args.writing.to, wanted) {
        (_, Wanted::All) => args.typed.check_bytes()?,
        (_, Wanted::Images | Wanted::Arrays | Wanted::Sounds) => args.typed.check_arrays()?,
        (Some(to), Wanted::Tables) => {
            args.typed.check_target(Format::named(to)?)?;
            args.typed.check_files(&found, args.reading.from.as_deref().map(Format::named).transpose()?)?;
        }
        (None, _) => {}
    }
    let targets = targets(args, dir, &found)?;
    Ok((dir.clone(), found.into_iter().zip(targets).collect()))
}

/// The same for one source of many: [`pairs`] has refused what is about none of them, and what is about
/// another is no error.
pub fn checked(args: &Convert) -> Convert {
    Convert { typed: Typed::default(), ..args.clone() }
}

fn refuse_options(args: &Convert) -> Result<()> {
    let options = [
        ("--union", args.union),
        ("--source-column", args.source_column.is_some()),
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

/// The name of each target: that of its source with other endings. No two may be the same.
fn targets(args: &Convert, dir: &Path, sources: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let Some(to) = &args.writing.to else {
        return Err(Failure::Usage(
            "--out-dir: the format of the targets is missing; add --to FORMAT".into(),
        ));
    };
    if let Some(codec) = Wrapping::named(to) {
        return bytes_targets(codec, dir, sources);
    }
    let media = catalog().named(to);
    let first = media.and_then(|media| media.endings.first()).map_or("", String::as_str);
    if let Some(Codec::Image(_) | Codec::Arrays(_)) = media.map(|media| media.codec) {
        return placed(dir, sources, sources.iter().map(|source| renamed(source, first)));
    }
    let format = Format::named(to)?;
    let mut ending = format!(".{first}");
    if format.is_text() {
        let codec = args.writing.compression.as_deref().map(|text| text.split(':').next().unwrap_or(text));
        ending.push_str(match codec {
            Some("gzip") => ".gz",
            Some("zstd") => ".zst",
            _ => "",
        });
    }
    let names = sources.iter().map(|source| {
        let mut name = stem(source)?;
        name.push(&ending);
        Ok(name)
    });
    placed(dir, sources, names)
}

/// The same for bytes: the name of the source with the ending of another wrapping.
fn bytes_targets(codec: Wrapping, dir: &Path, sources: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let names = sources.iter().map(|source| {
        let name = source.file_name().filter(|name| *name != "-");
        let name = name.ok_or_else(|| {
            Failure::Usage(format!("{}: has no name that a target could have", source.display()))
        })?;
        let mut name = names::unwrapped(Path::new(name)).into_os_string();
        if codec != Wrapping::Raw {
            name.push(format!(".{}", codec.endings()[0]));
        }
        Ok(name)
    });
    placed(dir, sources, names)
}

/// The targets of these names in the directory.
fn placed(
    dir: &Path,
    sources: &[PathBuf],
    names: impl Iterator<Item = Result<std::ffi::OsString>>,
) -> Result<Vec<PathBuf>> {
    let mut taken: BTreeMap<PathBuf, &Path> = BTreeMap::new();
    let mut targets = Vec::with_capacity(sources.len());
    for (source, name) in sources.iter().zip(names) {
        let target = dir.join(name?);
        if let Some(other) = taken.insert(target.clone(), source) {
            let (a, b, shown) = (other.display(), source.display(), target.display());
            return Err(Failure::Usage(format!(
                "{a} and {b} would both become {shown}; convert them into directories of their own"
            )));
        }
        targets.push(target);
    }
    Ok(targets)
}

/// The name of a source with another ending.
fn renamed(source: &Path, ending: &str) -> Result<std::ffi::OsString> {
    let name = source.file_name().filter(|name| *name != "-");
    let name = name.ok_or_else(|| {
        Failure::Usage(format!("{}: has no name that a target could have", source.display()))
    })?;
    Ok(Path::new(name).with_extension(ending).into_os_string())
}

/// A name without the endings that tell format and wrapping.
fn stem(source: &Path) -> Result<std::ffi::OsString> {
    let name = source.file_name().filter(|name| *name != "-");
    let name = name.ok_or_else(|| {
        Failure::Usage(format!("{}: has no name that a target could have", source.display()))
    })?;
    let mut path = PathBuf::from(name);
    if Format::of_name(source).is_some() {
        let wrapped = path.extension().is_some_and(|ending| {
            ["gz", "zst", "zstd"].iter().any(|known| ending.eq_ignore_ascii_case(known))
        });
        path.set_extension("");
        if wrapped {
            path.set_extension("");
        }
    }
    Ok(path.into_os_string())
}

fn one(args: &Convert, source: &Path, target: &Path, progress: &Progress) -> Result<Fate> {
    let sources = Vec::from([source.to_owned()]);
    if let Some(job) = bytes::job(args, &sources, target)? {
        if let Some(fate) = done_before(args, &job.parameters, source, target, progress)? {
            return Ok(fate);
        }
        let outcome = local::bytes::convert(&job, progress)?;
        return Ok(Fate::Converted { verdict: outcome.verdict.name(), rows: None, sizes: outcome.sizes });
    }
    if let Some(job) = image::job(args, &sources, target)? {
        if let Some(fate) = done_before(args, &job.parameters, source, target, progress)? {
            return Ok(fate);
        }
        let outcome = local::image::convert(&job, progress)?;
        return Ok(Fate::Converted { verdict: outcome.verdict.name(), rows: None, sizes: outcome.sizes });
    }
    if let Some(job) = signal::job(args, &sources, target)? {
        if let Some(fate) = done_before(args, &job.parameters, source, target, progress)? {
            return Ok(fate);
        }
        let outcome = local::signal::convert(&job, progress)?;
        return Ok(Fate::Converted { verdict: outcome.verdict.name(), rows: None, sizes: outcome.sizes });
    }
    let job = convert::job(args, sources, target)?;
    if let Some(fate) = done_before(args, &job.parameters, source, target, progress)? {
        return Ok(fate);
    }
    let outcome = local::convert(&job, progress)?;
    Ok(Fate::Converted { verdict: outcome.verdict.name(), rows: Some(outcome.rows), sizes: outcome.sizes })
}

/// That the target was made before and nothing needs to be done.
pub fn done_before(
    args: &Convert,
    parameters: &Map<String, Value>,
    source: &Path,
    target: &Path,
    progress: &Progress,
) -> Result<Option<Fate>> {
    if target.symlink_metadata().is_err() {
        return Ok(None);
    }
    match still_verified(parameters, source, target, progress) {
        Ok(Ok(fate)) => Ok(Some(fate)),
        Err(Failure::Interrupted) => Err(Failure::Interrupted),
        _ if args.force => Ok(None),
        Ok(Err(why)) => Err(Failure::Stale(target.to_owned(), why)),
        Err(failure) => Err(failure),
    }
}

/// Whether the target is what its certificate says, made from this source as this run would make it; or why
/// not.
fn still_verified(
    parameters: &Map<String, Value>,
    source: &Path,
    target: &Path,
    progress: &Progress,
) -> Result<std::result::Result<Fate, String>> {
    let at = certificate_path(target);
    if at.symlink_metadata().is_err() {
        return Ok(Err("it has no certificate".into()));
    }
    let certificate = match read_certificate(&at, None) {
        Ok(certificate) => certificate,
        Err(failure) => return Ok(Err(format!("its certificate does not hold ({failure})"))),
    };
    let predicate = &certificate.statement().predicate;
    let tool = &predicate.conversion.tool;
    if tool.name != "isoform" || tool.version != env!("CARGO_PKG_VERSION") {
        return Ok(Err(format!("{} {} made it", tool.name, tool.version)));
    }
    let mut recorded = predicate.conversion.parameters.clone();
    // What the steps did follows from the options.
    recorded.remove(STEPS);
    if recorded != *parameters {
        return Ok(Err("it was made with other options".into()));
    }
    let (file, made) = (ObjectFile::open(source)?, ObjectFile::open(target)?);
    progress.begin(Stage::Checking, 0, 0);
    let from = hash_object(&file, progress)?;
    let same = |recorded: &DigestSet, found: &coherence::digest::ObjectDigest| {
        recorded.sha256 == found.sha256.to_string() && recorded.blake3 == found.blake3.to_string()
    };
    if !matches!(predicate.source.as_slice(), [only] if same(&only.digest, &from)) {
        return Ok(Err("its source changed".into()));
    }
    let to = hash_object(&made, progress)?;
    if !matches!(certificate.statement().subject.as_slice(), [only] if same(&only.digest, &to)) {
        return Ok(Err("its bytes are not those of its certificate".into()));
    }
    let rows = match &predicate.content {
        Content::Table(table) | Content::Partitioned(table) => table.rows.parse().ok(),
        Content::Signal(_) | Content::Bytes(_) => None,
    };
    let verdict = certificate.verdict().name();
    Ok(Ok(Fate::Skipped { verdict, rows, sizes: (from.size, to.size) }))
}

fn document(dir: &Path, items: &[Item]) -> Value {
    let count = |wanted: &str| items.iter().filter(|item| item.outcome() == wanted).count();
    let sources = items.iter().map(|item| {
        let (verdict, rows, sizes, error) = match &item.fate {
            Fate::Converted { verdict, rows, sizes } | Fate::Skipped { verdict, rows, sizes } => {
                (Some(verdict), *rows, Some(sizes), None)
            }
            Fate::Failed(failure) => {
                let error = json!({ "exitCode": failure.code(), "message": failure.to_string() });
                (None, None, None, Some(error))
            }
        };
        json!({
            "source": item.source.to_string_lossy(),
            "target": item.target.to_string_lossy(),
            "outcome": item.outcome(),
            "verdict": verdict,
            "rows": rows,
            "bytes": sizes.map(|sizes| json!({ "source": sizes.0, "target": sizes.1 })),
            "seconds": item.time.as_secs_f64(),
            "error": error,
        })
    });
    json!({
        "schema": "isoform.convert-batch/v1",
        "outDir": dir.to_string_lossy(),
        "sources": sources.collect::<Vec<_>>(),
        "converted": count("converted"),
        "skipped": count("skipped"),
        "failed": count("failed"),
    })
}

impl Item {
    fn outcome(&self) -> &'static str {
        match self.fate {
            Fate::Converted { .. } => "converted",
            Fate::Skipped { .. } => "skipped",
            Fate::Failed(_) => "failed",
        }
    }
}

fn table(items: &[Item]) -> Vec<String> {
    let width = items.iter().map(|item| item.source.display().to_string().chars().count()).max().unwrap_or(0);
    let width = width.clamp(6, 60);
    let head = format!(
        "{:width$}  {:11}  {:>12}  {:>9}  {:>9}  {:>8}",
        "source", "result", "rows", "from", "to", "seconds"
    );
    let mut lines = Vec::from([head]);
    let counted = |rows: &Option<u64>| rows.map_or("-".to_owned(), |rows| rows.to_string());
    for item in items {
        let (word, rows, from, to) = match &item.fate {
            Fate::Converted { verdict, rows, sizes } => {
                (*verdict, counted(rows), report::bytes(sizes.0), report::bytes(sizes.1))
            }
            Fate::Skipped { rows, sizes, .. } => {
                ("skipped", counted(rows), report::bytes(sizes.0), report::bytes(sizes.1))
            }
            Fate::Failed(Failure::Stale(..)) => ("exists", "".into(), "".into(), "".into()),
            Fate::Failed(_) => ("error", "".into(), "".into(), "".into()),
        };
        let (source, seconds) = (item.source.display().to_string(), item.time.as_secs_f64());
        lines.push(format!("{source:width$}  {word:11}  {rows:>12}  {from:>9}  {to:>9}  {seconds:>8.2}"));
    }
    let failed = items.iter().filter(|item| matches!(item.fate, Fate::Failed(_))).count();
    let skipped = items.iter().filter(|item| matches!(item.fate, Fate::Skipped { .. })).count();
    let converted = items.len() - failed - skipped;
    lines.push(format!("{converted} converted, {skipped} skipped, {failed} failed"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_called_like_their_sources() {
        let stem = |name: &str| stem(Path::new(name)).unwrap().into_string().unwrap();
        assert_eq!(stem("a/b.csv"), "b");
        assert_eq!(stem("b.2024.CSV.GZ"), "b.2024");
        assert_eq!(stem("b.jsonl.zst"), "b");
        assert_eq!(stem("no-ending"), "no-ending");
        assert_eq!(stem("notes.v1"), "notes.v1");
    }
}
