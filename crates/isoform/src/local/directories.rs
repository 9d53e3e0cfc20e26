//! Provides the directories of many targets, which do not stay where nothing came into them.

use std::path::{Component, Path, PathBuf};

use super::staging::refuse_no_directory;
use crate::failure::{Failure, Result};

/// Directories that were made for targets. Those that are empty when this is dropped are removed again.
#[derive(Debug)]
pub struct Directories {
    /// What was not there and was made here, each after those that it lies in.
    made: Vec<PathBuf>,
}

impl Directories {
    /// Makes these directories, with those that they lie in, for what a person calls so.
    pub fn make<'a>(dirs: impl Iterator<Item = &'a Path>, what: &str) -> Result<Self> {
        let mut directories = Directories { made: Vec::new() };
        for dir in dirs {
            refuse_no_directory(dir, what)?;
            directories.add(dir).map_err(|error| Failure::io(dir, error))?;
        }
        Ok(directories)
    }

    /// Makes one, with those that it lies in.
    fn add(&mut self, dir: &Path) -> std::io::Result<()> {
        if dir.as_os_str().is_empty() || dir.is_dir() {
            return Ok(());
        }
        self.add(dir.parent().unwrap_or(Path::new("")))?;
        match std::fs::create_dir(dir) {
            Ok(()) => self.made.push(dir.to_owned()),
            // Another process was faster, and it is that one's.
            Err(_) if dir.is_dir() => {}
            Err(error) => return Err(error),
        }
        Ok(())
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
        for dir in self.made.iter().rev() {
            // One that is not empty is not removed.
            let _ = std::fs::remove_dir(dir);
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
        let made = Directories::make(dirs.iter().map(PathBuf::as_path), "--out-dir").unwrap();
        assert!(dirs.iter().all(|dir| dir.is_dir()));
        std::fs::write(at("new/c/target"), "").unwrap();
        drop(made);
        assert!(at("new/c/target").is_file() && at("there").is_dir());
        assert!(!at("new/a").exists() && !at("there/d").exists());
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
        assert!(Directories::make(dirs.iter().map(PathBuf::as_path), "--out-dir").is_err());
        assert!(!root.path().join("a").exists() && root.path().join("file").is_file());
    }
}
