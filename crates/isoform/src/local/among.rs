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
    /// The files, by their names as certificates hold them.
    named: BTreeMap<String, Named>,
}

/// The files of one name.
#[derive(Default)]
struct Named {
    /// In the order of their paths read from the end.
    files: Vec<Candidate>,
    /// Those of each size, once somebody asked for one.
    sizes: OnceCell<BTreeMap<u64, OfSize>>,
}

/// Places of files of one name and one size.
#[derive(Default)]
struct OfSize {
    places: Vec<usize>,
    /// The same by SHA-256, once all are hashed that can be read.
    digests: OnceCell<BTreeMap<String, Vec<usize>>>,
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
        let mut named: BTreeMap<String, Named> = BTreeMap::new();
        for path in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (place, bytes, digest) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
            named.entry(name).or_default().files.push(Candidate { path, place, bytes, digest });
        }
        for Named { files, .. } in named.values_mut() {
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
        let Some(named) = self.named(sought) else { return Ok(None) };
        if let Some(file) = nearest(&named.files, &sought.path).filter(|file| file.is_free(target, taken))
            && sought.is_told_by(&file.path)
            && readable(file.has_bytes(sought.source, progress))?.unwrap_or(false)
        {
            return Ok(Some(&file.path));
        }
        let alike = named.with_bytes(sought.source, progress)?;
        let mut free = free(alike, sought, target, taken).into_iter();
        Ok(free.find(|file| sought.is_told_by(&file.path)).map(|file| file.path.as_path()))
    }

    /// A file for a source that found none: one that was taken for another source, if it has the same bytes;
    /// or none, where none of its name is left.
    ///
    /// # Errors
    /// A file of its name is left, which was not converted, or lay in other directories, or cannot be read.
    fn without_bytes<'a>(
        &'a self,
        sought: &Sought<'_>,
        target: &Place,
        taken: &Taken<'a>,
        progress: &Progress,
    ) -> Result<Option<&'a Path>> {
        let Some(named) = self.named(sought) else { return Ok(None) };
        let alike = named.with_bytes(sought.source, progress)?;
        if let Some(file) = free(alike.clone(), sought, target, taken).first() {
            return Err(elsewhere(&file.path, &sought.path));
        }
        let others = free(named.files.iter(), sought, target, taken);
        // It may be one that cannot be read.
        for file in others.iter().filter(|file| file.size().is_ok()) {
            file.has_bytes(sought.source, progress)?;
        }
        if let Some(other) = others.first() {
            return Err(another(&other.path));
        }
        let mut paths = alike.map(|file| file.path.as_path());
        Ok(paths.find(|path| taken.files.contains_key(path) && sought.is_told_by(path)))
    }

    /// The files of the name of a source.
    fn named(&self, sought: &Sought<'_>) -> Option<&Named> {
        self.named.get(&sought.source.name)
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

impl Named {
    /// The files with the bytes of a source. Only those of its size are hashed, each once; those that cannot
    /// be read have none.
    fn with_bytes(
        &self,
        source: &Source,
        progress: &Progress,
    ) -> Result<impl Iterator<Item = &Candidate> + Clone> {
        let sizes = self.sizes.get_or_init(|| {
            let mut sizes: BTreeMap<u64, OfSize> = BTreeMap::new();
            for (place, file) in self.files.iter().enumerate() {
                // What has no size is there no more.
                if let Ok(size) = file.size() {
                    sizes.entry(size).or_default().places.push(place);
                }
            }
            sizes
        });
        let of_size = source.size.parse().ok().and_then(|size: u64| sizes.get(&size));
        let digests = of_size.map(|OfSize { places, digests }| {
            once(digests, || {
                let mut digests: BTreeMap<String, Vec<usize>> = BTreeMap::new();
                for place in places {
                    if let Some(digest) = readable(self.files[*place].digest(progress))? {
                        digests.entry(digest.sha256.clone()).or_default().push(*place);
                    }
                }
                Ok(digests)
            })
        });
        let places = digests.transpose()?.and_then(|digests| digests.get(&source.digest.sha256));
        let files = places.into_iter().flatten().map(|place| &self.files[*place]);
        Ok(files.filter(|file| file.digest.get() == Some(&source.digest)))
    }
}

/// Those of these files that may still be taken for a source, the likeliest first.
fn free<'a>(
    files: impl Iterator<Item = &'a Candidate>,
    sought: &Sought<'_>,
    target: &Place,
    taken: &Taken<'_>,
) -> Vec<&'a Candidate> {
    let mut free: Vec<&Candidate> = files.filter(|file| file.is_free(target, taken)).collect();
    free.sort_by_cached_key(|file| {
        let likeness = (sought.is_told_by(&file.path), ends_alike(&file.path, &sought.path));
        (Reverse(likeness), &file.path)
    });
    free
}

impl Candidate {
    /// Whether it is taken for no source, and is not the target or made with that of the sources.
    fn is_free(&self, target: &Place, taken: &Taken<'_>) -> bool {
        let place = || self.place.get_or_init(|| Place::of(&self.path));
        !taken.files.contains_key(self.path.as_path()) && !place().lies_in(target)
    }

    fn size(&self) -> Result<u64> {
        let size = || Ok(self.path.metadata().map_err(|error| Failure::io(&self.path, error))?.len());
        once(&self.bytes, size).copied()
    }

    fn digest(&self, progress: &Progress) -> Result<&DigestSet> {
        once(&self.digest, || Ok((&hash_object(&ObjectFile::open(&self.path)?, progress)?).into()))
    }

    /// Whether it has the bytes of a source. Those of another size need no digest to be others.
    fn has_bytes(&self, source: &Source, progress: &Progress) -> Result<bool> {
        Ok(source.size.parse() == Ok(self.size()?) && *self.digest(progress)? == source.digest)
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

/// What was found out about a file, if it can be read: another one may be the source.
fn readable<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Err(Failure::Interrupted) => Err(Failure::Interrupted),
        found => Ok(found.ok()),
    }
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

    fn quiet() -> Progress {
        let output =
            Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
        Progress::new(&output).unwrap()
    }

    fn source(path: &Path) -> Source {
        let object = hash_untold(&ObjectFile::open(path).unwrap()).unwrap();
        let (size, digest) = (object.size.to_string(), (&object).into());
        Source { name: "a.csv".into(), size, media_type: "text/csv".into(), digest }
    }

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
        let recorded = source(&path);
        let source = |size: &str, sha256: &str| {
            let digest = DigestSet { sha256: sha256.into(), ..recorded.digest.clone() };
            Source { size: size.into(), digest, ..recorded.clone() }
        };
        let (progress, among) = (quiet(), Among::new(&[], Vec::from([path.clone()])));
        let file = &among.named["a.csv"].files[0];
        let has_bytes = |source: Source| file.has_bytes(&source, &progress);
        assert!(!has_bytes(source("5", &recorded.digest.sha256)).unwrap() && file.digest.get().is_none());
        assert!(has_bytes(source("4", &recorded.digest.sha256)).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(has_bytes(source("4", &recorded.digest.sha256)).unwrap());
        assert!(!has_bytes(source("4", "0")).unwrap());
    }

    #[test]
    fn files_of_a_name_are_found_by_their_bytes_and_only_those_of_the_size_are_hashed() {
        let dir = tempfile::tempdir().unwrap();
        let texts = ["v\n1\n", "v\n2\n", "v\n33\n", "v\n2\n"];
        let paths = texts.iter().enumerate().map(|(at, text)| {
            let path = dir.path().join(format!("{at}/a.csv"));
            std::fs::create_dir(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        });
        let paths: Vec<PathBuf> = paths.collect();
        let sources: Vec<Source> = paths.iter().map(|path| source(path)).collect();
        let (progress, among) = (quiet(), Among::new(&[], paths.clone()));
        let named = &among.named["a.csv"];
        let found = |source: &Source| -> Vec<&Path> {
            named.with_bytes(source, &progress).unwrap().map(|file| file.path.as_path()).collect()
        };
        assert_eq!(found(&sources[1]), [&paths[1], &paths[3]]);
        assert_eq!(named.files.iter().filter(|file| file.digest.get().is_some()).count(), 3);
        // None is read a second time.
        paths[..2].iter().for_each(|path| std::fs::write(path, "v\n4\n").unwrap());
        assert_eq!(found(&sources[0]), [&paths[0]]);
        assert!(found(&source(&paths[0])).is_empty());
        assert_eq!(found(&sources[2]), [&paths[2]]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_where_no_other_is_the_source() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["b", "d", "zz"].map(|name| dir.path().join(name).join("a.csv"));
        for (path, text) in paths.iter().zip(["v\n1\n", "v\n2\n", "v\n3\n"]) {
            std::fs::create_dir(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let (there, lost) = (source(&paths[1]), source(&paths[2]));
        let (progress, among) = (quiet(), Among::new(&[], Vec::from(paths.clone())));
        // It has a size, and is read no more, also where it is the likeliest.
        assert!(among.named["a.csv"].files.iter().all(|file| file.size().is_ok()));
        std::fs::remove_file(&paths[2]).unwrap();
        let (target, taken) = (Place::of(dir.path().join("none").as_path()), Taken::default());
        for recorded in ["x/a.csv", "zz/a.csv"] {
            let sought = |source| Sought { source, path: dir.path().join(recorded), columns: 0 };
            let found = among.with_bytes(&sought(&there), &target, &taken, &progress).unwrap();
            assert_eq!(found, Some(paths[1].as_path()));
            assert!(among.with_bytes(&sought(&lost), &target, &taken, &progress).unwrap().is_none());
            let failure = among.without_bytes(&sought(&lost), &target, &taken, &progress).unwrap_err();
            assert!(matches!(failure.to_string(), text if text.contains("zz/a.csv: No such file")));
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
            let found = ends_alike(&nearest(&among.named["x"].files, path).unwrap().path, path);
            let best = files.iter().map(|file| ends_alike(Path::new(file), path)).max();
            assert_eq!(Some(found), best, "{}", path.display());
        }
        assert!(nearest(&[], Path::new("x")).is_none());
    }
}
