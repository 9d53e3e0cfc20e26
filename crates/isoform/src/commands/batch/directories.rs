//! Provides the directories of many targets, which do not stay where nothing came into them.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// Directories that were made for targets. Those that are empty when this is dropped are removed again.
pub struct Directories {
    /// What was not there before, each after those that it lies in.
    made: Vec<PathBuf>,
}

impl Directories {
    /// Makes these directories, with those that they lie in.
    pub fn make<'a>(dirs: impl Iterator<Item = &'a Path>) -> Result<Self> {
        let mut directories = Directories { made: Vec::new() };
        for dir in dirs {
            let missing: Vec<&Path> = dir.ancestors().take_while(|dir| is_missing(dir)).collect();
            directories.made.extend(missing.into_iter().rev().map(Path::to_owned));
            std::fs::create_dir_all(dir).map_err(|error| Failure::io(dir, error))?;
        }
        Ok(directories)
    }
}

impl Drop for Directories {
    fn drop(&mut self) {
        for dir in self.made.iter().rev() {
            // One that is not empty is not removed.
            let _ = std::fs::remove_dir(dir);
        }
    }
}

fn is_missing(dir: &Path) -> bool {
    !dir.as_os_str().is_empty() && dir.symlink_metadata().is_err()
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
        let made = Directories::make(dirs.iter().map(PathBuf::as_path)).unwrap();
        assert!(dirs.iter().all(|dir| dir.is_dir()));
        std::fs::write(at("new/c/target"), "").unwrap();
        drop(made);
        assert!(at("new/c/target").is_file() && at("there").is_dir());
        assert!(!at("new/a").exists() && !at("there/d").exists());
    }

    #[test]
    fn nothing_stays_of_directories_that_cannot_be_made() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        let dirs = ["a/b", "file/c"].map(|name| root.path().join(name));
        assert!(Directories::make(dirs.iter().map(PathBuf::as_path)).is_err());
        assert!(!root.path().join("a").exists() && root.path().join("file").is_file());
    }
}
