//! Provides the search for the sources that a certificate lists: where they were said to be, among the files
//! of directories, under the paths that were recorded, or beside the target.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use coherence::certificate::Certificate;
use coherence::statement::{Content, Predicate, Source};
use formats::file::ObjectFile;
use formats::partition::tell_alike;
use serde_json::Value;

use super::hash_object;
use super::seal::{PARTITION_COLUMNS, SOURCES, is_same_file};
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;

/// Where the sources of a certificate are said to be.
pub enum Said {
    /// Nothing is said of them.
    Nothing,
    /// One file for each, in their order.
    Files(Vec<PathBuf>),
    /// Among these files, under their names.
    Among(Among),
}

/// Files among which sources are found by their names.
pub struct Among {
    /// What they are, for people.
    shown: String,
    /// The files, by their names as certificates hold them.
    named: BTreeMap<String, Vec<PathBuf>>,
}

/// Files that were found for sources.
#[derive(Default)]
struct Taken<'a> {
    /// Each, with the SHA-256 of its bytes.
    files: BTreeMap<&'a Path, &'a str>,
    /// The same by the paths and the SHA-256 of their sources.
    sources: BTreeMap<(PathBuf, &'a str), &'a Path>,
}

impl<'a> Taken<'a> {
    /// Takes a file for a source, which was converted under this path.
    fn add(&mut self, file: &'a Path, source: &'a Source, path: PathBuf) {
        let digest = source.digest.sha256.as_str();
        self.files.insert(file, digest);
        self.sources.insert((path, digest), file);
    }
}

/// Where a file or directory is, by whatever path it is reached.
struct Place {
    /// The one path to it without links.
    path: PathBuf,
    /// Its device and its number there, which further names of a file share.
    identity: Option<(u64, u64)>,
}

impl Place {
    fn of(path: &Path) -> Self {
        let identity = path.metadata().ok().map(|found| (found.dev(), found.ino()));
        Place { path: path.canonicalize().unwrap_or_else(|_| path.to_owned()), identity }
    }

    /// Whether it is the other one or lies in it.
    fn lies_in(&self, other: &Place) -> bool {
        self.path.starts_with(&other.path) || self.identity.is_some() && self.identity == other.identity
    }
}

/// What was found of the sources of a certificate.
#[derive(Debug, Default)]
pub struct AtHand {
    /// All of them, in their order; or none, if one is not at hand.
    pub paths: Vec<PathBuf>,
    /// Which are not where they were said to be, in words.
    pub lacking: Option<String>,
}

/// The sources of a certificate, if all are at hand: where they were said to be, else under the paths that
/// were recorded, else beside the target under their names. A file of such a name with other bytes is a
/// failure; but under the path of a single source it is somebody else's, and that source is not there.
pub fn find_sources(
    certificate: &Certificate,
    target: &Path,
    said: &Said,
    progress: &Progress,
) -> Result<AtHand> {
    let predicate = &certificate.statement().predicate;
    let said = match said {
        Said::Among(among) => return among.find(predicate, target, progress),
        Said::Files(files) => files.as_slice(),
        Said::Nothing => &[],
    };
    // The first source of a signal names the others, which lie beside it.
    let whole = match (&predicate.content, said) {
        (Content::Signal(_), [whole]) => Some(whole),
        _ => None,
    };
    if !said.is_empty() && said.len() != predicate.source.len() && whole.is_none() {
        let (said, have) = (said.len(), predicate.source.len());
        return Err(Failure::Usage(format!("--source: {said} given, and the certificate lists {have}")));
    }
    if said.is_empty()
        && let Some(path) = single(predicate, target, progress)?
    {
        return Ok(AtHand { paths: Vec::from([path]), lacking: None });
    }
    let alone = predicate.source.len() == 1;
    let mut paths = Vec::with_capacity(predicate.source.len());
    for (index, recorded) in predicate.source.iter().enumerate() {
        let path = recorded_path(predicate, index).filter(|path| !alone && path.is_file());
        let path = match said.get(index) {
            Some(path) => path.clone(),
            None if let Some(whole) = whole => whole.with_file_name(&recorded.name),
            None => path.unwrap_or_else(|| beside(target, &recorded.name)),
        };
        // A source of the same name from another directory is not at hand: beside the target is the target.
        if said.is_empty() && (!path.is_file() || is_same_file(&path, target)) {
            return Ok(AtHand::default());
        }
        paths.push(path);
    }
    begin(predicate, progress);
    for (path, recorded) in paths.iter().zip(&predicate.source) {
        if !has_bytes(path, recorded, progress)? {
            return Err(another(path));
        }
    }
    Ok(AtHand { paths, lacking: None })
}

impl Among {
    /// These files, which are below the paths that were said.
    pub fn new(said: &[PathBuf], files: Vec<PathBuf>) -> Self {
        let mut named: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            named.entry(name).or_default().push(file);
        }
        let shown: Vec<String> = said.iter().map(|path| path.display().to_string()).collect();
        Among { shown: shown.join(", "), named }
    }

    /// Each source, in the order of the certificate.
    fn find(&self, predicate: &Predicate, target: &Path, progress: &Progress) -> Result<AtHand> {
        begin(predicate, progress);
        let target = Place::of(target);
        let (mut paths, mut taken) = (Vec::new(), Taken::default());
        let mut lacking = Vec::new();
        for (index, recorded) in predicate.source.iter().enumerate() {
            let whole = recorded_path(predicate, index).unwrap_or_else(|| PathBuf::from(&recorded.name));
            match self.one(predicate, (recorded, &whole), &target, &taken, progress)? {
                Some(path) if !tells_alike(predicate, path, &whole) => {
                    return Err(elsewhere(path, &whole));
                }
                Some(path) => {
                    paths.push(path.to_owned());
                    taken.add(path, recorded, whole);
                }
                None => lacking.push(whole.display().to_string()),
            }
        }
        match lacking.as_slice() {
            [] => Ok(AtHand { paths, lacking: None }),
            [first, more @ ..] => {
                Ok(AtHand { paths: Vec::new(), lacking: Some(self.lacking(first, more.len())) })
            }
        }
    }

    /// One source: of the files of its name the one with its bytes, first where most directories above it are
    /// called as they were. Where files have the name and none has the bytes, another was converted. A file
    /// is taken again for a source that is listed again, and for one that no other file is left for.
    fn one<'a>(
        &'a self,
        predicate: &Predicate,
        (recorded, whole): (&'a Source, &Path),
        target: &Place,
        taken: &Taken<'a>,
        progress: &Progress,
    ) -> Result<Option<&'a Path>> {
        let digest = recorded.digest.sha256.as_str();
        if let Some(path) = taken.sources.get(&(whole.to_owned(), digest)) {
            return Ok(Some(*path));
        }
        let alike = self.named.get(&recorded.name).into_iter().flatten().map(PathBuf::as_path);
        // What lies in the target was made of the sources.
        let alike = alike.filter(|path| !Place::of(path).lies_in(target));
        let (before, mut left): (Vec<&Path>, Vec<&Path>) =
            alike.partition(|path| taken.files.contains_key(path));
        left.sort_by_cached_key(|path| Reverse(ends_alike(path, whole)));
        for path in &left {
            if has_bytes(path, recorded, progress)? {
                return Ok(Some(*path));
            }
        }
        let is_it = |path: &&Path| taken.files[path] == digest && tells_alike(predicate, path, whole);
        match left.first() {
            Some(other) => Err(another(other)),
            None => Ok(before.into_iter().find(is_it)),
        }
    }

    /// That a source and as many more are not among the files.
    fn lacking(&self, first: &str, more: usize) -> String {
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let shown = &self.shown;
        format!(
            "not at hand; no file below {shown} is called as {first}{more}; the target was checked against \
             its certificate alone"
        )
    }
}

/// A single source under the path that was recorded, if the file there has its bytes.
fn single(predicate: &Predicate, target: &Path, progress: &Progress) -> Result<Option<PathBuf>> {
    let ([only], Some(path)) = (predicate.source.as_slice(), recorded_path(predicate, 0)) else {
        return Ok(None);
    };
    if !path.is_file() || is_same_file(&path, target) {
        return Ok(None);
    }
    begin(predicate, progress);
    Ok(has_bytes(&path, only, progress)?.then_some(path))
}

/// The path under which a source was converted, where that is recorded. The first of a signal names the
/// others, which lie beside it.
fn recorded_path(predicate: &Predicate, index: usize) -> Option<PathBuf> {
    let paths = predicate.conversion.parameters.get(SOURCES).and_then(Value::as_array)?;
    match (paths.get(index), paths.first()) {
        (Some(path), _) => path.as_str().map(PathBuf::from),
        (None, first) => Some(Path::new(first?.as_str()?).with_file_name(&predicate.source.get(index)?.name)),
    }
}

/// How many names two paths have in common at their ends.
fn ends_alike(left: &Path, right: &Path) -> usize {
    let pairs = left.components().rev().zip(right.components().rev());
    pairs.take_while(|(left, right)| left == right).count()
}

/// Begins to look at the bytes of all sources.
fn begin(predicate: &Predicate, progress: &Progress) {
    let size = predicate.source.iter().filter_map(|source| source.size.parse::<u64>().ok()).sum();
    progress.begin(Stage::Checking, size, size);
}

/// Whether a file has the bytes of a source. Those of another size need no digest to be others.
fn has_bytes(path: &Path, recorded: &Source, progress: &Progress) -> Result<bool> {
    let file = ObjectFile::open(path)?;
    Ok(file.len().to_string() == recorded.size && recorded.digest == (&hash_object(&file, progress)?).into())
}

/// Whether the directories of a source still tell what was taken from them, where columns were.
fn tells_alike(predicate: &Predicate, path: &Path, recorded: &Path) -> bool {
    let columns = predicate.conversion.parameters.get(PARTITION_COLUMNS).and_then(Value::as_array);
    tell_alike(path, recorded, columns.map_or(0, Vec::len))
}

/// That a file has the bytes of a source, and directories that tell something else.
fn elsewhere(path: &Path, recorded: &Path) -> Failure {
    let (shown, recorded) = (path.display(), recorded.display());
    Failure::Mismatch(format!(
        "{shown}: has the bytes of {recorded}, but its directories tell other values than were converted"
    ))
}

/// That a file has the name of a source and other bytes.
fn another(path: &Path) -> Failure {
    let shown = path.display();
    Failure::Mismatch(format!("{shown}: is not the source that was converted: its bytes have another digest"))
}

/// The file beside a target that a certificate calls so. It holds names as text, which not every name is:
/// then it is the one file whose name looks like that.
pub(super) fn beside(target: &Path, name: &str) -> PathBuf {
    let path = target.with_file_name(name);
    if path.exists() || !name.contains(char::REPLACEMENT_CHARACTER) {
        return path;
    }
    let dir = target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut alike = entries.filter(|found| found.to_string_lossy() == name);
    match (alike.next(), alike.next()) {
        (Some(found), None) => target.with_file_name(found),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_another_is_known_by_every_path() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| Place::of(&dir.path().join(name));
        for (folder, file) in [("out", "a.csv"), ("out/sub", "a.csv"), ("other", "a.csv")] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
            std::fs::write(dir.path().join(folder).join(file), "v\n").unwrap();
        }
        std::os::unix::fs::symlink("out", dir.path().join("link")).unwrap();
        std::fs::hard_link(dir.path().join("out/a.csv"), dir.path().join("hard.csv")).unwrap();
        for (file, target) in
            [("other/../out/a.csv", "out/a.csv"), ("hard.csv", "link/a.csv"), ("out/sub/a.csv", "link")]
        {
            assert!(at(file).lies_in(&at(target)), "{file} {target}");
        }
        for (file, target) in [("other/a.csv", "out/a.csv"), ("out/sub/a.csv", "out/a.csv"), ("gone", "away")]
        {
            assert!(!at(file).lies_in(&at(target)), "{file} {target}");
        }
    }

    #[test]
    fn paths_are_alike_from_their_ends() {
        let alike = |left: &str, right: &str| ends_alike(Path::new(left), Path::new(right));
        assert_eq!(alike("x/k=1/a.csv", "set/k=1/a.csv"), 2);
        assert_eq!(alike("x/k=2/a.csv", "set/k=1/a.csv"), 1);
        assert_eq!(alike("a.csv", "set/k=1/a.csv"), 1);
        assert_eq!(alike("b.csv", "a.csv"), 0);
    }
}
