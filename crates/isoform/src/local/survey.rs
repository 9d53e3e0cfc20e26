//! Provides what stands in a directory: certificates with their targets, certificates without, tables without
//! a certificate, and what interrupted conversions left.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use coherence::certificate::Certificate;
use coherence::digest::ObjectDigest;
use formats::file::ObjectFile;
use formats::registry::Format;

use super::hash_object;
use super::interrupted::is_about_temporary;
use super::staging::{CERTIFICATE_ENDING, PART_ENDING, beside, certificate_path, is_of_temporary};
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// What stands in a directory and below it, each list in the order of names.
#[derive(Debug, Default)]
pub struct Survey {
    /// Certificates.
    pub certificates: Vec<PathBuf>,
    /// Tables, by their names, that have no certificate beside them.
    pub bare: Vec<PathBuf>,
    /// Links that are called like tables and lead nowhere.
    pub dangling: Vec<PathBuf>,
    /// Temporaries of conversions that run, or were interrupted, of all kinds.
    pub leftovers: Vec<PathBuf>,
    /// Directories below it that cannot be read, and why.
    pub unread: Vec<(PathBuf, Failure)>,
}

impl Survey {
    /// Looks at a directory and those below it, without hidden ones and links to others.
    ///
    /// # Errors
    /// The directory itself cannot be read.
    pub fn of(dir: &Path) -> Result<Self> {
        let mut survey = Survey::default();
        survey.walk(dir)?;
        Ok(survey)
    }

    fn walk(&mut self, dir: &Path) -> Result<()> {
        let failed = |error| Failure::io(dir, error);
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            entries.push((entry.path(), entry.file_type().map_err(failed)?.is_dir()));
        }
        entries.sort();
        for (path, is_dir) in entries {
            let name = path.file_name().unwrap_or_default().as_bytes();
            let hidden = name.starts_with(b".");
            if is_dir && !hidden {
                // A directory of partitions is one target, and its certificate stands beside it.
                if !certificate_path(&path).is_file()
                    && let Err(failure) = self.walk(&path)
                {
                    self.unread.push((path, failure));
                }
            } else if name.ends_with(CERTIFICATE_ENDING.as_bytes()) {
                self.certificates.push(path);
            } else if path.file_name().is_some_and(is_of_temporary) {
                self.leftovers.push(path);
            } else if !hidden && Format::of_name(&path).is_some() && !certificate_path(&path).exists() {
                match path.metadata() {
                    Ok(found) if found.is_file() => self.bare.push(path),
                    Ok(_) => {}
                    Err(_) => self.dangling.push(path),
                }
            }
        }
        Ok(())
    }
}

/// The target that a certificate stands beside.
pub fn target_of(certificate: &Path) -> PathBuf {
    let name = certificate.as_os_str().as_bytes();
    PathBuf::from(OsStr::from_bytes(name.strip_suffix(CERTIFICATE_ENDING.as_bytes()).unwrap_or(name)))
}

/// Whether a certificate is about an object.
pub fn is_about(certificate: &Certificate, object: &ObjectDigest) -> bool {
    let (sha256, blake3) = (object.sha256.to_string(), object.blake3.to_string());
    let mut subjects = certificate.statement().subject.iter();
    subjects.any(|subject| subject.digest.sha256 == sha256 && subject.digest.blake3 == blake3)
}

/// The finished temporary of `target`, where a conversion was interrupted after its certificate had been
/// renamed and before its target was.
pub fn unpublished(target: &Path, certificate: &Certificate, progress: &Progress) -> Result<Option<PathBuf>> {
    let temporary = beside(target, PART_ENDING)?;
    if !temporary.is_file() {
        let is_directory = temporary.symlink_metadata().is_ok_and(|found| found.is_dir());
        return Ok((is_directory && is_about_temporary(target, certificate)?).then_some(temporary));
    }
    let object = hash_object(&ObjectFile::open(&temporary)?, progress)?;
    Ok(is_about(certificate, &object).then_some(temporary))
}

#[cfg(test)]
mod tests {
    use super::super::staging::{REJECTS_ENDING, temporaries};
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn temporaries_of_all_kinds_are_leftovers() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (target, bad) = (at("a.csv"), at("bad.jsonl"));
        let mut left = Vec::from(temporaries(&target).unwrap());
        left.push(beside(&bad, REJECTS_ENDING).unwrap());
        left.sort();
        left.iter().for_each(|path| std::fs::write(path, "").unwrap());
        // A directory of partitions has one too.
        left.push(beside(&at("parts"), PART_ENDING).unwrap());
        std::fs::create_dir(&left[5]).unwrap();
        std::fs::write(at(".other"), "").unwrap();
        let found = Survey::of(dir.path()).unwrap();
        assert_eq!(found.leftovers, left);
        assert!(found.certificates.is_empty() && found.bare.is_empty());
    }

    #[test]
    fn what_is_no_file_is_no_table() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("a.csv"), "a\n1\n").unwrap();
        symlink("a.csv", at("b.csv")).unwrap();
        symlink("gone.csv", at("c.csv")).unwrap();
        symlink(".", at("d.csv")).unwrap();
        let found = Survey::of(dir.path()).unwrap();
        assert_eq!(found.bare, [at("a.csv"), at("b.csv")]);
        assert_eq!(found.dangling, [at("c.csv")]);
    }
}
