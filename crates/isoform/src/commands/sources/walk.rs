//! Provides the files below a directory that is a source, and which of them are no data: what a run makes
//! itself, and what partitioned directories have beside their files.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ::formats::partition::told_keys;
use ::formats::{Error, Place};

use super::earlier::Earlier;
use super::entered::{Entered, Identity, identity};
use crate::failure::{Failure, Result};
use crate::local::staging::{CERTIFICATE_ENDING, certificate_path};
use crate::local::verify::read_certificate;

/// Files and directories that are looked at below one source. A directory is entered by every link to it, so
/// few links can come to more than anybody has.
pub(super) const ENTRIES_MAX: usize = 1_000_000;

/// What the run makes for which sources are found. What an earlier one made there is no source.
#[derive(Debug, Clone, Copy)]
pub enum Made<'a> {
    /// Nothing.
    Nothing,
    /// Targets in this directory, which is not entered.
    In(&'a Path),
    /// This target, with the file of its rejects.
    Target {
        /// Where it is.
        path: &'a Path,
        /// Whether it is replaced if it exists.
        replaced: bool,
    },
}

/// What lies below a directory, each list in the order of names.
#[derive(Debug, Default)]
pub struct Walked {
    /// Files.
    pub files: Vec<PathBuf>,
    /// Names with a dot in front; such directories are not entered.
    pub hidden: Vec<PathBuf>,
    /// What an earlier run made for the same target.
    pub made: Vec<PathBuf>,
    /// What has a certificate beside it where the targets are to lie; such directories are not entered.
    pub certified: Vec<PathBuf>,
}

/// Looks at all that lies below a directory. Links to a directory that was entered above are passed over.
///
/// # Errors
/// A directory that cannot be read; more than [`ENTRIES_MAX`] files and directories, or too many of these
/// inside of each other.
pub fn walk(dir: &Path, made: Made<'_>) -> Result<Walked> {
    let mut walk = Walk::new(made, ENTRIES_MAX);
    walk.enter(dir)?;
    if let (Made::Target { .. }, Some(earlier)) = (made, &walk.earlier) {
        walk.found.keep_unless_from(earlier);
    }
    Ok(walk.found)
}

/// All files below a directory, and those in it and below whose names a dot in front hides.
///
/// # Errors
/// As of [`walk`].
pub fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let Walked { files, hidden, .. } = walk(dir, Made::Nothing)?;
    Ok(files.into_iter().chain(hidden.into_iter().filter(|path| path.is_file())).collect())
}

impl Walked {
    /// Takes files of an earlier run for sources like others where it read none of these: they are not made
    /// again, and may be all that is left of what they were made from.
    fn keep_unless_from(&mut self, earlier: &Earlier) {
        if earlier.read_one_of(&self.files) {
            return;
        }
        let made = self.made.extract_if(.., |path| path.is_file() && !is_certificate(path));
        self.files.extend(made);
        self.files.sort();
    }

    /// Takes away what is no data in partitioned directories, as Hive, Spark and pyarrow have it: names with
    /// an underscore or a dot in front, but for an underscore in front of a key.
    pub fn take_no_data(&mut self, dir: &Path) -> Vec<PathBuf> {
        let below = |file: &Path| file.strip_prefix(dir).unwrap_or(file).to_owned();
        if !self.files.iter().any(|file| !told_keys(&below(file)).is_empty()) {
            return Vec::new();
        }
        let mut taken = std::mem::take(&mut self.hidden);
        taken.extend(self.files.extract_if(.., |file| is_no_data(&below(file))));
        taken.sort();
        taken
    }
}

/// Whether a path has a name that is no data in partitioned directories.
fn is_no_data(below: &Path) -> bool {
    let mut names = below.iter();
    let file = names.next_back().unwrap_or_default();
    is_no_data_name(file, true) || names.any(|name| is_no_data_name(name, false))
}

/// Whether a name has an underscore in front, and is not that of a directory which is a key with its value.
pub(super) fn is_no_data_name(name: &OsStr, is_file: bool) -> bool {
    let name = name.as_bytes();
    name.starts_with(b"_") && (is_file || !name.contains(&b'='))
}

/// A look at a directory that is under way.
struct Walk {
    /// The directory of the targets.
    targets: Option<Identity>,
    /// The directories that it is in.
    entered: Entered<Identity>,
    /// What an earlier run made for the same target.
    earlier: Option<Earlier>,
    found: Walked,
    /// Files and directories that were looked at, and how many may be.
    entries: usize,
    entries_max: usize,
}

impl Walk {
    fn new(made: Made<'_>, entries_max: usize) -> Self {
        let (targets, earlier) = match made {
            Made::Nothing => (None, None),
            Made::In(dir) => (identity(dir).ok(), None),
            Made::Target { path, replaced } => (None, Earlier::beside(path, replaced)),
        };
        let (entered, found) = (Entered::new(), Walked::default());
        Walk { targets, entered, earlier, found, entries: 0, entries_max }
    }

    /// Enters a directory, unless that was entered above, and leaves it again.
    fn enter(&mut self, dir: &Path) -> Result<()> {
        let here = identity(dir).map_err(|error| Failure::io(dir, error))?;
        if !self.entered.enter(dir, here)? {
            return Ok(());
        }
        let looked = self.look(dir);
        self.entered.leave();
        looked
    }

    /// Looks at what lies in a directory. Where targets and sources share one, what has a certificate there
    /// was made by an earlier run.
    fn look(&mut self, dir: &Path) -> Result<()> {
        let failed = |error| Failure::io(dir, error);
        let shared = self.targets.as_ref().is_some_and(|targets| self.entered.has(targets));
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            self.count(dir)?;
            entries.push(entry.map_err(failed)?.path());
        }
        entries.sort();
        for path in entries {
            if shared && has_certificate(&path) {
                self.found.certified.push(path);
            } else if shared && is_certificate(&path) || self.is_of_this_run(&path) {
                continue;
            } else if path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".")) {
                self.found.hidden.push(path);
            } else if path.is_dir() {
                self.enter(&path)?;
            } else if path.is_file() {
                self.found.files.push(path);
            }
        }
        Ok(())
    }

    /// Whether a path is the directory of the targets, or was made for the one target, which is kept in mind.
    fn is_of_this_run(&mut self, path: &Path) -> bool {
        let made = self.earlier.as_mut().is_some_and(|earlier| earlier.made(path));
        if made {
            self.found.made.push(path.to_owned());
        }
        made || self.targets.is_some() && identity(path).ok() == self.targets
    }

    fn count(&mut self, dir: &Path) -> Result<()> {
        self.entries += 1;
        match self.entries > self.entries_max {
            false => Ok(()),
            true => {
                let what = "the number of files and directories below one source";
                let hint =
                    "links to directories count as often as they lead there; name a directory with fewer";
                Err(beyond(dir, what, self.entries_max, hint))
            }
        }
    }
}

/// More of something below a source than is looked at.
pub(super) fn beyond(dir: &Path, what: &'static str, max: usize, hint: &str) -> Failure {
    let place = Box::new(Place { path: Some(dir.to_owned()), ..Place::default() });
    Failure::Format(Error::Limit { place, what, max: max as u64, hint: hint.to_owned() })
}

/// Whether a certificate lies beside a file or directory.
fn has_certificate(path: &Path) -> bool {
    let at = certificate_path(path);
    at.is_file() && read_certificate(&at, None).is_ok()
}

/// Whether a path has the name of a certificate.
pub fn is_certificate(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(CERTIFICATE_ENDING.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::entered::DEPTH_MAX;
    use super::*;

    /// A directory with these files.
    fn directory(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "v\n1\n").unwrap();
        }
        dir
    }

    /// Paths below the directory, as text.
    fn below(dir: &tempfile::TempDir, paths: &[PathBuf]) -> Vec<String> {
        paths.iter().map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string()).collect()
    }

    #[test]
    fn what_is_no_data_is_taken_from_partitioned_directories_alone() {
        let files = ["_SUCCESS", "_temporary/0/k=1/a.csv", "_k=1/a.csv", "_k=1/_b.csv", "_k=1/.c.csv"];
        let dir = directory(&files);
        let mut walked = walk(dir.path(), Made::Nothing).unwrap();
        let taken = walked.take_no_data(dir.path());
        let wanted = ["_SUCCESS", "_k=1/.c.csv", "_k=1/_b.csv", "_temporary/0/k=1/a.csv"];
        assert_eq!(below(&dir, &taken), wanted);
        assert_eq!(below(&dir, &walked.files), ["_k=1/a.csv"]);
        let plain = directory(&["_a.csv", ".b.csv", "c.csv"]);
        let mut walked = walk(plain.path(), Made::Nothing).unwrap();
        assert!(walked.take_no_data(plain.path()).is_empty());
        assert_eq!(below(&plain, &walked.files), ["_a.csv", "c.csv"]);
        assert_eq!(below(&plain, &walked.hidden), [".b.csv"]);
    }

    #[test]
    fn a_file_that_is_called_like_a_certificate_makes_no_target() {
        let certificate = format!("out.csv{CERTIFICATE_ENDING}");
        let dir = directory(&["a.csv", "out.csv", &certificate]);
        let target = dir.path().join("out.csv");
        let walked = walk(dir.path(), Made::Target { path: &target, replaced: true }).unwrap();
        assert_eq!(below(&dir, &walked.files), ["a.csv", "out.csv", &certificate]);
        assert!(walked.made.is_empty());
        let walked = walk(dir.path(), Made::In(dir.path())).unwrap();
        assert!(walked.certified.is_empty());
        assert_eq!(
            below(&dir, &walked.files),
            ["a.csv", "out.csv"],
            "beside no certificate that can be read"
        );
    }

    #[test]
    fn links_to_one_directory_come_to_an_end() {
        let dir = directory(&["d/a.csv", "d/b.csv"]);
        for name in ["e", "f", "g"] {
            std::os::unix::fs::symlink(dir.path().join("d"), dir.path().join(name)).unwrap();
        }
        let all = |max| {
            let mut walk = Walk::new(Made::Nothing, max);
            walk.enter(dir.path()).map(|()| walk.found.files.len())
        };
        assert_eq!(all(12).unwrap(), 8);
        let failure = all(11).unwrap_err();
        assert_eq!(failure.code(), crate::failure::MALFORMED);
        let place = dir.path().join("g").display().to_string();
        assert!(failure.to_string().starts_with(&place) && failure.to_string().contains("11"), "{failure}");
    }

    #[test]
    fn directories_inside_of_each_other_come_to_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let at = |depth: usize| (0..depth).fold(dir.path().to_owned(), |path, _| path.join("d"));
        std::fs::create_dir_all(at(DEPTH_MAX - 1)).unwrap();
        std::fs::write(at(DEPTH_MAX - 1).join("a.csv"), "v\n1\n").unwrap();
        assert_eq!(walk(dir.path(), Made::Nothing).unwrap().files.len(), 1);
        std::fs::create_dir(at(DEPTH_MAX)).unwrap();
        let failure = walk(dir.path(), Made::Nothing).unwrap_err();
        assert_eq!(failure.code(), crate::failure::MALFORMED);
        assert!(failure.to_string().contains("256"), "{failure}");
    }
}
