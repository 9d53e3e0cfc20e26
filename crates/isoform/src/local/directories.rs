//! Provides the directories of many targets, which do not stay where nothing came into them.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::staging::refuse_no_directory;
use crate::failure::{Failure, Result};

/// How often a directory is made again that another run takes away; each time is one run that ended.
const TRIES_MAX: usize = 100;

/// How long another run is waited for that looks whether a directory may go.
const PAUSE: Duration = Duration::from_millis(10);

/// Directories that were made for targets. Those that are empty when this is dropped are removed again,
/// unless another run is to put something into them.
#[derive(Debug)]
pub struct Directories {
    /// What was not there and was made here, each after those that it lies in.
    made: Vec<PathBuf>,
    /// The one that the others lie in, locked with all runs that use it. What cannot be opened or locked is
    /// used without.
    root: Option<File>,
}

impl Directories {
    /// Makes this directory and those in it, with those that it lies in, for what a person calls so.
    pub fn make<'a>(root: &Path, dirs: impl Iterator<Item = &'a Path>, what: &str) -> Result<Self> {
        let mut directories = Directories { made: Vec::new(), root: None };
        refuse_no_directory(root, what)?;
        directories.add_root(root).map_err(|error| Failure::io(root, error))?;
        for dir in dirs {
            refuse_no_directory(dir, what)?;
            directories.add(dir).map_err(|error| Failure::io(dir, error))?;
        }
        Ok(directories)
    }

    /// Makes the one that the others lie in and locks it, so that no other run removes it or them.
    fn add_root(&mut self, root: &Path) -> std::io::Result<()> {
        let place = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        for _ in 0..TRIES_MAX {
            self.add(root)?;
            let Ok(dir) = File::open(place) else {
                // One that may not be read is used without a lock; one that is gone is made again.
                if place.is_dir() {
                    break;
                }
                continue;
            };
            match dir.try_lock_shared() {
                // One that was removed before it was locked is made again.
                Ok(()) if is_of(&dir, place) => {
                    self.root = Some(dir);
                    break;
                }
                Ok(()) => {}
                // Another run is about to remove it.
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(_)) => break,
            }
        }
        Ok(())
    }

    /// Makes one, with those that it lies in, also where another run removes one of these meanwhile.
    fn add(&mut self, dir: &Path) -> std::io::Result<()> {
        // What is there now, others may have made since.
        let may_be_gone =
            |error: &std::io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists);
        for _ in 0..TRIES_MAX {
            match self.try_add(dir) {
                Err(error) if may_be_gone(&error) => {}
                done => return done,
            }
        }
        self.try_add(dir)
    }

    fn try_add(&mut self, dir: &Path) -> std::io::Result<()> {
        if dir.as_os_str().is_empty() || dir.is_dir() {
            return Ok(());
        }
        self.try_add(dir.parent().unwrap_or(Path::new("")))?;
        match std::fs::create_dir(dir) {
            Ok(()) => self.made.push(dir.to_owned()),
            // Another process was faster, and it is that one's.
            Err(_) if dir.is_dir() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Whether an open directory is the one of this name.
fn is_of(dir: &File, path: &Path) -> bool {
    match (dir.metadata(), path.metadata()) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// The same directory without names that are not there and that `..` leads back from, as in `new/../out`:
/// they are no directories to be made.
pub fn settled(dir: &Path) -> PathBuf {
    let mut path = PathBuf::new();
    for part in dir.components() {
        let is_missing = path.file_name().is_some() && path.symlink_metadata().is_err();
        if part == Component::ParentDir && is_missing {
            path.pop();
        } else {
            path.push(part);
        }
    }
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
}

impl Drop for Directories {
    fn drop(&mut self) {
        let is_used = |dir: &File| matches!(dir.try_lock(), Err(TryLockError::WouldBlock));
        if self.root.as_ref().is_some_and(is_used) {
            return;
        }
        for dir in self.made.iter().rev() {
            // It may be the root of another run; that of this one is locked already.
            let is_root = self.root.as_ref().is_some_and(|root| is_of(root, dir));
            let locked = if is_root { None } else { File::open(dir).ok() };
            if !locked.as_ref().is_some_and(is_used) {
                // One that is not empty is not removed.
                let _ = std::fs::remove_dir(dir);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_and_stays_empty_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir(at("there")).unwrap();
        let dirs = ["new/a/b", "new/c", "there", "there/d"].map(at);
        let made = Directories::make(&dirs[0], dirs.iter().map(PathBuf::as_path), "--out-dir").unwrap();
        assert!(dirs.iter().all(|dir| dir.is_dir()));
        std::fs::write(at("new/c/target"), "").unwrap();
        drop(made);
        assert!(at("new/c/target").is_file() && at("there").is_dir());
        assert!(!at("new/a").exists() && !at("there/d").exists());
    }

    #[test]
    fn a_directory_that_another_run_is_to_use_stays() {
        let root = tempfile::tempdir().unwrap();
        let dir = &root.path().join("new/out");
        let make = || Directories::make(dir, [dir.join("a")].iter().map(PathBuf::as_path), "--out-dir");
        let (first, second) = (make().unwrap(), make().unwrap());
        drop(first);
        std::fs::write(dir.join("a/target"), "").unwrap();
        drop(second);
        std::fs::remove_dir_all(root.path().join("new")).unwrap();
        // One that another takes away just before it is used is made again.
        for _ in 0..200 {
            std::thread::scope(|scope| {
                for run in 0..4 {
                    scope.spawn(move || {
                        let _made = make().unwrap();
                        if run % 2 == 0 {
                            std::fs::write(dir.join("a").join(run.to_string()), "").unwrap();
                            std::fs::remove_file(dir.join("a").join(run.to_string())).unwrap();
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn names_that_are_not_there_are_led_back_from() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("there")).unwrap();
        let settled =
            |name: &str| settled(&root.path().join(name)).strip_prefix(root.path()).unwrap().to_owned();
        assert_eq!(settled("new/../out"), Path::new("out"));
        assert_eq!(settled("new/a/../../out/"), Path::new("out"));
        assert_eq!(settled("there/../out"), Path::new("there/../out"));
        assert_eq!(super::settled(Path::new("../out")), Path::new("../out"));
        assert_eq!(super::settled(Path::new("no such name/..")), Path::new("."));
    }

    #[test]
    fn nothing_stays_of_directories_that_cannot_be_made() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        let dirs = ["a/b", "file/c"].map(|name| root.path().join(name));
        assert!(Directories::make(&dirs[0], dirs.iter().map(PathBuf::as_path), "--out-dir").is_err());
        assert!(!root.path().join("a").exists() && root.path().join("file").is_file());
    }
}
