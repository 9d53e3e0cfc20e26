//! Provides the temporary directory beside a partitioned target, and the one way in which it becomes the
//! target.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use coherence::verified::VerifiedWhole;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::failure::{Failure, Result};
use crate::local::interrupted::undo;
use crate::local::publish::{place_certificate, sync_directory};
use crate::local::staging::{
    PART_ENDING, beside, certificate_path, directory_of, refuse_existing, refuse_no_directory,
    refuse_unfit_name,
};
use crate::local::temporary::lock;
use crate::local::verify::read_certificate;

/// A directory that is not finished. It is removed when dropped, unless it was published.
#[derive(Debug)]
pub struct Directory {
    target: PathBuf,
    path: PathBuf,
    replace: bool,
    /// The temporary itself, open, which holds the lock on it.
    lock: File,
}

impl Directory {
    /// Makes the temporary of `target`, empty, and locks it.
    ///
    /// # Errors
    /// The target exists and is not to be replaced, or holds what no certificate lists; another run holds the
    /// temporary.
    pub fn make(target: &Path, replace: bool) -> Result<Self> {
        refuse_existing(target, replace)?;
        refuse_unfit_name(target)?;
        refuse_no_directory(directory_of(target), "the target")?;
        if target.symlink_metadata().is_ok() {
            refuse_foreign(target)?;
        }
        let path = beside(target, PART_ENDING)?;
        let failed = |error| Failure::io(&path, error);
        let lock = loop {
            std::fs::create_dir_all(&path).map_err(failed)?;
            let opened = File::open(&path).map_err(failed)?;
            if lock(&opened, &path, target)? {
                break opened;
            }
        };
        undo(target)?;
        let directory = Directory { target: target.to_owned(), path, replace, lock };
        directory.clear()?;
        Ok(directory)
    }

    /// Removes all that is in it, and makes the places for rows and for the target anew.
    pub fn clear(&self) -> Result<()> {
        let failed = |error| Failure::io(&self.path, error);
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            match path.is_dir() && !path.is_symlink() {
                true => std::fs::remove_dir_all(&path).map_err(failed)?,
                false => std::fs::remove_file(&path).map_err(failed)?,
            }
        }
        std::fs::create_dir(self.rows()).map_err(failed)?;
        std::fs::create_dir(self.files()).map_err(failed)
    }

    /// Where the rows of each partition wait.
    pub fn rows(&self) -> PathBuf {
        self.path.join("rows")
    }

    /// What becomes the target.
    pub fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// Waits until all files, and their names, are on the disk: for the whole file system at once, since to
    /// wait for thousands of files one by one takes minutes.
    pub fn sync(&self) -> Result<()> {
        rustix::fs::syncfs(&self.lock).map_err(|error| Failure::io(&self.path, error.into()))
    }

    /// Makes certificate and target visible under their names, the certificate first, so that a target is
    /// never without one; gives what is to be said where their names may not outlast a power failure. The
    /// proof is asked for here so that nothing unverified can be published.
    pub fn publish(self, _proof: &VerifiedWhole, certificate: &[u8]) -> Result<Option<String>> {
        refuse_existing(&self.target, self.replace)?;
        let placed = place_certificate(&self.target, self.replace, certificate)?;
        self.rename(&self.files())?;
        placed.keep();
        Ok(sync_directory(&self.target))
    }

    fn rename(&self, files: &Path) -> Result<()> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::Exists(self.target.clone()),
            _ => Failure::io(&self.target, error),
        };
        if self.replace && self.target.symlink_metadata().is_ok() {
            // What was there goes where the new target was, and is removed with the rest of the temporary.
            return match renameat_with(CWD, files, CWD, &self.target, RenameFlags::EXCHANGE) {
                Ok(()) => Ok(()),
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                    std::fs::rename(&self.target, self.path.join("old")).map_err(failed)?;
                    std::fs::rename(files, &self.target).map_err(failed)
                }
                Err(error) => Err(failed(error.into())),
            };
        }
        // A directory does not replace one that holds something, so this refuses by itself.
        match renameat_with(CWD, files, CWD, &self.target, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                std::fs::rename(files, &self.target).map_err(failed)
            }
            other => other.map_err(|error| failed(error.into())),
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; the next run clears the leftover.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Files below a directory, by their paths in it with `/` between names, in the order of these.
///
/// # Errors
/// What is neither a file nor a directory; a name that is not UTF-8.
pub fn files_below(dir: &Path) -> Result<BTreeSet<String>> {
    fn walk(dir: &Path, prefix: &str, found: &mut BTreeSet<String>) -> Result<()> {
        let failed = |error| Failure::io(dir, error);
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let shown = entry.path().display().to_string();
            let name = entry.file_name().into_string();
            let name = name.map_err(|_| Failure::Other(format!("{shown}: the name is not UTF-8")))?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                walk(&entry.path(), &format!("{prefix}{name}/"), found)?;
            } else if kind.is_file() {
                found.insert(format!("{prefix}{name}"));
            } else {
                return Err(Failure::Other(format!("{shown}: is neither a file nor a directory")));
            }
        }
        Ok(())
    }
    let mut found = BTreeSet::new();
    walk(dir, "", &mut found)?;
    Ok(found)
}

/// The path of a file below its target, given the name that a certificate has for it.
pub fn below(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, below)| below)
}

/// Only what a conversion made is replaced by one: a directory may hold anything else of value.
fn refuse_foreign(target: &Path) -> Result<()> {
    let shown = target.display();
    let is_dir = target.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    if !is_dir {
        let text = format!("{shown}: is no directory; --force replaces a directory only; give another name");
        return Err(Failure::Usage(text));
    }
    let found = files_below(target)?;
    if found.is_empty() {
        return Ok(());
    }
    let listed: BTreeSet<String> = match read_certificate(&certificate_path(target), None) {
        Ok(certificate) => {
            let subjects = certificate.statement().subject.iter();
            subjects.map(|subject| below(&subject.name).to_owned()).collect()
        }
        Err(_) => BTreeSet::new(),
    };
    match found.difference(&listed).next() {
        None => Ok(()),
        Some(file) => Err(Failure::Usage(format!(
            "{shown}: holds {file}, which no certificate beside it lists; --force replaces only what a \
             conversion made, so remove the directory yourself or give another name"
        ))),
    }
}
