//! Provides the temporary directory of a target that is made of several files: locked by one run, with a
//! place for what becomes the target and one for what that replaces.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use super::staging::{PART_ENDING, beside};
use super::temporary::lock;
use crate::failure::{Failure, Result};

/// The temporary directory beside a target. It stays until it is removed.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The directory itself, open, which holds the lock on it.
    lock: File,
}

impl Folder {
    /// Makes that of `target`, where there is none, and locks it. What an earlier run left is still in it.
    ///
    /// # Errors
    /// Another run holds it; a link that somebody else put there, which is not followed.
    pub fn locked(target: &Path) -> Result<Self> {
        let path = beside(target, PART_ENDING)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            std::fs::create_dir_all(&path).map_err(|error| Failure::io(&path, error))?;
            match open(&path, flags, Mode::empty()).map(File::from) {
                Ok(opened) if lock(&opened, &path, target)? => return Ok(Folder { path, lock: opened }),
                // Another run removed it meanwhile.
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(Failure::io(&path, error.into())),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory itself, open.
    pub fn handle(&self) -> &File {
        &self.lock
    }

    /// What becomes the target.
    pub fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// What had a name that the target takes, or has it, where a run ended before it was known which.
    pub fn old(&self) -> PathBuf {
        self.path.join("old")
    }

    /// Removes all that is in it, and makes these places in it anew.
    pub fn clear(&self, places: &[PathBuf]) -> Result<()> {
        let failed = |error| Failure::io(&self.path, error);
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            match path.is_dir() && !path.is_symlink() {
                true => std::fs::remove_dir_all(&path).map_err(failed)?,
                false => std::fs::remove_file(&path).map_err(failed)?,
            }
        }
        places.iter().try_for_each(std::fs::create_dir).map_err(failed)
    }
}

/// Fails where something else has the name of a target's temporary directory.
pub fn refuse_blocked(target: &Path) -> Result<()> {
    let path = beside(target, PART_ENDING)?;
    match path.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()) {
        true => Err(Failure::Usage(format!("{}: is in the way and no directory; remove it", path.display()))),
        false => Ok(()),
    }
}

/// What is said where something that had this name cannot get it back, as something else has it.
pub fn taken(old: &Path, name: &Path) -> Failure {
    let (old, name) = (old.display(), name.display());
    Failure::Usage(format!("{old}: was in the place of {name}, which is taken; move it away"))
}
