//! Provides the search for sources among the files of directories, by their names and their bytes.
//!
//! The files are looked at for every target of a command, and many may have one name: what was found out
//! about one is kept, and the likeliest is found without a look at all others.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use coherence::statement::{DigestSet, Predicate, Source};
use formats::file::ObjectFile;
use formats::partition::tell_alike;
use serde_json::Value;

use super::at_hand::{AtHand, another, begin, recorded_path};
use super::hash_object;
use super::seal::PARTITION_COLUMNS;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// Files among which sources are found by their names.
pub struct Among {
    /// What they are, for people.
    shown: String,
    /// The files, by their names as certificates hold them, each list in the order of their paths read from
    /// the end.
    named: BTreeMap<String, Vec<Candidate>>,
}

/// A file that may be a source, with what was found out about it.
struct Candidate {
    path: PathBuf,
    place: OnceCell<Place>,
    bytes: OnceCell<u64>,
    digest: OnceCell<DigestSet>,
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

/// A source that is looked for.
struct Sought<'a> {
    source: &'a Source,
    /// The path under which it was converted.
    path: PathBuf,
    /// How many of the directories above it told columns.
    columns: usize,
}

/// Files that were found for sources.
#[derive(Default)]
struct Taken<'a> {
    /// Each, with the SHA-256 of its bytes.
    files: BTreeMap<&'a Path, &'a str>,
    /// The same by the paths and the SHA-256 of their sources.
    sources: BTreeMap<(&'a Path, &'a str), &'a Path>,
}

impl<'a> Taken<'a> {
    /// Takes a file for a source.
    fn add(&mut self, file: &'a Path, sought: &'a Sought<'a>) {
        self.files.insert(file, sought.sha256());
        self.sources.insert((&sought.path, sought.sha256()), file);
    }
}

impl Among {
    /// These files, which are below the paths that were said.
    pub fn new(said: &[PathBuf], files: Vec<PathBuf>) -> Self {
        let mut named: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
        for path in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (place, bytes, digest) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
            named.entry(name).or_default().push(Candidate { path, place, bytes, digest });
        }
        for files in named.values_mut() {
            files.sort_by(|left, right| from_the_end(&left.path).cmp(from_the_end(&right.path)));
        }
        let shown: Vec<String> = said.iter().map(|path| path.display().to_string()).collect();
        Among { shown: shown.join(", "), named }
    }

    /// Each source of a certificate, in its order.
    pub(super) fn find(&self, predicate: &Predicate, target: &Path, progress: &Progress) -> Result<AtHand> {
        begin(predicate, progress);
        let target = Place::of(target);
        let sought = sought(predicate);
        let (mut found, mut taken) = (Vec::new(), Taken::default());
        for sought in &sought {
            let file = match taken.sources.get(&(sought.path.as_path(), sought.sha256())) {
                Some(file) => Some(*file),
                None => self.with_bytes(sought, &target, &taken, progress)?,
            };
            if let Some(file) = file {
                taken.add(file, sought);
            }
            found.push(file);
        }
        let (mut paths, mut lacking) = (Vec::new(), Vec::new());
        // What has no file is told once all others have theirs.
        for (sought, found) in sought.iter().zip(found) {
            let found = match found {
                Some(file) => Some(file),
                None => self.without_bytes(sought, &target, &taken, progress)?,
            };
            match found {
                Some(path) => paths.push(path.to_owned()),
                None => lacking.push(sought.path.display().to_string()),
            }
        }
        match lacking.as_slice() {
            [] => Ok(AtHand { paths, lacking: None }),
            [first, more @ ..] => {
                Ok(AtHand { paths: Vec::new(), lacking: Some(self.lacking(first, more.len())) })
            }
        }
    }

    /// The file with the name and the bytes of a source that is taken for no other, and whose directories
    /// tell the same: first where most of them are called as they were.
    fn with_bytes<'a>(
        &'a self,
        sought: &Sought<'_>,
        target: &Place,
        taken: &Taken<'a>,
        progress: &Progress,
    ) -> Result<Option<&'a Path>> {
        progress.advance(0)?;
        let likeliest = nearest(self.named(sought), &sought.path).filter(|file| file.is_free(target, taken));
        let all = || self.free(sought, target, taken).into_iter();
        for file in likeliest.into_iter().chain(std::iter::once_with(all).flatten()) {
            if sought.is_told_by(&file.path) && file.has_bytes(sought.source, progress)? {
                return Ok(Some(&file.path));
            }
        }
        Ok(None)
    }

    /// A file for a source that found none: one that was taken for another source, if it has the same bytes;
    /// or none, where none of its name is left.
    ///
    /// # Errors
    /// A file of its name is left, which was not converted, or lay in other directories.
    fn without_bytes<'a>(
        &'a self,
        sought: &Sought<'_>,
        target: &Place,
        taken: &Taken<'a>,
        progress: &Progress,
    ) -> Result<Option<&'a Path>> {
        let free = self.free(sought, target, taken);
        for file in &free {
            if file.has_bytes(sought.source, progress)? {
                return Err(elsewhere(&file.path, &sought.path));
            }
        }
        if let Some(other) = free.first() {
            return Err(another(&other.path));
        }
        let mut paths = self.named(sought).iter().map(|file| file.path.as_path());
        let is_it = |path: &&Path| taken.files.get(path) == Some(&sought.sha256()) && sought.is_told_by(path);
        Ok(paths.find(is_it))
    }

    /// The files of the name of a source.
    fn named(&self, sought: &Sought<'_>) -> &[Candidate] {
        self.named.get(&sought.source.name).map_or(&[], Vec::as_slice)
    }

    /// Those that may still be taken for it, the likeliest first.
    fn free(&self, sought: &Sought<'_>, target: &Place, taken: &Taken<'_>) -> Vec<&Candidate> {
        let free = self.named(sought).iter().filter(|file| file.is_free(target, taken));
        let mut free: Vec<&Candidate> = free.collect();
        free.sort_by_cached_key(|file| {
            let likeness = (sought.is_told_by(&file.path), ends_alike(&file.path, &sought.path));
            (Reverse(likeness), &file.path)
        });
        free
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

impl Candidate {
    /// Whether it is taken for no source, and is not the target or made with that of the sources.
    fn is_free(&self, target: &Place, taken: &Taken<'_>) -> bool {
        let place = || self.place.get_or_init(|| Place::of(&self.path));
        !taken.files.contains_key(self.path.as_path()) && !place().lies_in(target)
    }

    /// Whether it has the bytes of a source. Those of another size need no digest to be others.
    fn has_bytes(&self, source: &Source, progress: &Progress) -> Result<bool> {
        let open = || ObjectFile::open(&self.path);
        let bytes = once(&self.bytes, || Ok(open()?.len()))?;
        if source.size.parse() != Ok(*bytes) {
            return Ok(false);
        }
        let digest = once(&self.digest, || Ok((&hash_object(&open()?, progress)?).into()))?;
        Ok(*digest == source.digest)
    }
}

impl Sought<'_> {
    fn sha256(&self) -> &str {
        &self.source.digest.sha256
    }

    /// Whether the directories above a file tell what was taken from those of the source.
    fn is_told_by(&self, file: &Path) -> bool {
        tell_alike(file, &self.path, self.columns)
    }
}

/// The sources of a certificate.
fn sought(predicate: &Predicate) -> Vec<Sought<'_>> {
    let columns = predicate.conversion.parameters.get(PARTITION_COLUMNS).and_then(Value::as_array);
    let columns = columns.map_or(0, Vec::len);
    let sources = predicate.source.iter().enumerate();
    let sought = sources.map(|(index, source)| {
        let path = recorded_path(predicate, index).unwrap_or_else(|| PathBuf::from(&source.name));
        Sought { source, path, columns }
    });
    sought.collect()
}

/// What a cell keeps, found out where it keeps nothing yet.
fn once<T>(cell: &OnceCell<T>, find: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(kept) = cell.get() {
        return Ok(kept);
    }
    let found = find()?;
    Ok(cell.get_or_init(|| found))
}

/// The names in a path, the last first.
fn from_the_end(path: &Path) -> impl Iterator<Item = Component<'_>> {
    path.components().rev()
}

/// The file whose path has most names in common with another at its end: it stands beside that in their
/// order.
fn nearest<'a>(files: &'a [Candidate], path: &Path) -> Option<&'a Candidate> {
    let at = files.partition_point(|file| from_the_end(&file.path).lt(from_the_end(path)));
    let beside = [at.checked_sub(1), Some(at)].into_iter().flatten();
    beside.filter_map(|at| files.get(at)).max_by_key(|file| ends_alike(&file.path, path))
}

/// How many names two paths have in common at their ends.
fn ends_alike(left: &Path, right: &Path) -> usize {
    let pairs = from_the_end(left).zip(from_the_end(right));
    pairs.take_while(|(left, right)| left == right).count()
}

/// That a file has the bytes of a source, and directories that tell something else.
fn elsewhere(path: &Path, recorded: &Path) -> Failure {
    let (shown, recorded) = (path.display(), recorded.display());
    Failure::Mismatch(format!(
        "{shown}: has the bytes of {recorded}, but its directories tell other values than were converted"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Output, When};
    use crate::local::hash_untold;

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
    fn the_digest_of_a_file_is_computed_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        std::fs::write(&path, "v\n1\n").unwrap();
        let digest: DigestSet = (&hash_untold(&ObjectFile::open(&path).unwrap()).unwrap()).into();
        let source = |size: &str, sha256: &str| Source {
            name: "a.csv".into(),
            size: size.into(),
            media_type: "text/csv".into(),
            digest: DigestSet { sha256: sha256.into(), ..digest.clone() },
        };
        let output =
            Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
        let progress = Progress::new(&output).unwrap();
        let among = Among::new(&[], Vec::from([path.clone()]));
        let file = &among.named["a.csv"][0];
        let has_bytes = |source: Source| file.has_bytes(&source, &progress);
        assert!(!has_bytes(source("5", &digest.sha256)).unwrap() && file.digest.get().is_none());
        assert!(has_bytes(source("4", &digest.sha256)).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(has_bytes(source("4", &digest.sha256)).unwrap());
        assert!(!has_bytes(source("4", "0")).unwrap());
    }

    #[test]
    fn paths_are_alike_from_their_ends() {
        let alike = |left: &str, right: &str| ends_alike(Path::new(left), Path::new(right));
        assert_eq!(alike("x/k=1/a.csv", "set/k=1/a.csv"), 2);
        assert_eq!(alike("x/k=2/a.csv", "set/k=1/a.csv"), 1);
        assert_eq!(alike("a.csv", "set/k=1/a.csv"), 1);
        assert_eq!(alike("b.csv", "a.csv"), 0);
    }

    #[test]
    fn the_nearest_file_is_as_much_alike_as_any() {
        let names = ["a", "a-b", "b", "set"];
        let mut files = Vec::new();
        for (outer, inner) in names.iter().flat_map(|outer| names.map(|inner| (outer, inner))) {
            files.extend([
                format!("{outer}/{inner}/x"),
                format!("{inner}/x"),
                format!("o/{outer}/{inner}/x"),
            ]);
        }
        let among = Among::new(&[], files.iter().map(PathBuf::from).collect());
        for path in files.iter().map(String::as_str).chain(["x", "c/x", "c/b/x", "p/a-b/set/x", "/a/b/x"]) {
            let path = Path::new(path);
            let found = ends_alike(&nearest(&among.named["x"], path).unwrap().path, path);
            let best = files.iter().map(|file| ends_alike(Path::new(file), path)).max();
            assert_eq!(Some(found), best, "{}", path.display());
        }
        assert!(nearest(&[], Path::new("x")).is_none());
    }
}
