//! Provides the file that bad records go to: locked from the beginning of a conversion, written and forced to
//! disk before the target is published, and renamed into place after it. The certificate of the target
//! records it, so that it is known again: where a later run has no bad records, the file is removed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use coherence::certificate::Certificate;
use coherence::statement::DigestSet;
use formats::file::ObjectFile;
use formats::open::Opened;
use formats::set_aside::SetAside;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::job::Job;
use super::seal::{refuse_same_file, with_path};
use super::staging::{
    beside, certificate_path, directory_of, give_name, open_locked, refuse_unfit, sync_directory,
};
use super::verify::{Checked, read_certificate};
use super::{at_hand, hash_untold};
use crate::failure::{Failure, Result};

/// Where certificates record the file.
const KEY: &str = "rejects";

/// A rejects file as a certificate records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    name: String,
    digest: DigestSet,
}

impl Recorded {
    /// The one that the certificate beside a target records.
    fn beside(target: &Path) -> Option<Self> {
        let certificate = read_certificate(&certificate_path(target), None).ok()?;
        Self::of(&certificate.statement().predicate.conversion.parameters)
    }

    /// The one that these parameters record.
    pub fn of(parameters: &Map<String, Value>) -> Option<Self> {
        let record = parameters.get(KEY)?;
        let digest = DigestSet::deserialize(record.get("digest")?).ok()?;
        Some(Recorded { name: record.get("name")?.as_str()?.to_owned(), digest })
    }

    /// Whether this file has its name and its bytes.
    pub fn is_at(&self, path: &Path) -> bool {
        let named = path.file_name().is_some_and(|name| name.to_string_lossy() == self.name);
        named && path.is_file() && digest(path).is_ok_and(|digest| digest == self.digest)
    }

    /// Looks for it beside a target. A target can be moved without it.
    ///
    /// # Errors
    /// A file of its name there has other bytes.
    fn checked_beside(&self, target: &Path) -> Result<Checked> {
        let path = at_hand::beside(target, &self.name);
        let shown = path.display();
        let found = match path.is_file() {
            false => format!("{shown}: not at hand; the target was checked without it"),
            true if digest(&path)? == self.digest => {
                format!("{shown}: SHA-256 and BLAKE3 are those of the certificate")
            }
            true => {
                return Err(Failure::Mismatch(format!(
                    "{shown}: these are not the bad records that the conversion set aside: the bytes have \
                     another digest; restore the file, or move it away if it is another one"
                )));
            }
        };
        Ok(Checked { name: KEY, found })
    }
}

/// Checks the file that the certificate of a target records, if it does.
///
/// # Errors
/// A file of its name beside the target has other bytes.
pub fn checked(target: &Path, certificate: &Certificate) -> Result<Option<Checked>> {
    let recorded = Recorded::of(&certificate.statement().predicate.conversion.parameters);
    recorded.map(|recorded| recorded.checked_beside(target)).transpose()
}

/// Ending of the name of a temporary, after a dot and the whole name of the file.
const ENDING: &str = ".isoform-rejects";

/// A rejects file that is not finished: its temporary, locked, so that no other run makes the same file
/// meanwhile. It is removed when dropped, unless it was published or kept.
#[derive(Debug)]
pub struct Rejects {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    replace: bool,
    /// Whether the target is let out as it is made, so that it cannot be refused at the end.
    is_out: bool,
    /// What an earlier run for the same target made.
    earlier: Option<Recorded>,
    written: bool,
    keep: bool,
}

/// Refuses a name that the conversion reads or writes itself, a file that exists, and what must not be
/// replaced at all. A target that is let out as it is made has no name.
pub fn refuse(job: &Job, target: Option<&Path>) -> Result<()> {
    let Some(path) = &job.rejects else { return Ok(()) };
    if path == Path::new("-") {
        let text = "--rejects -: bad records go into a file, and not to standard output; give that a name";
        return Err(Failure::Usage(text.into()));
    }
    job.sources.iter().try_for_each(|source| refuse_same_file("file of --rejects", source, path))?;
    if let Some(target) = target {
        let (file, place) = (placed(path), placed(target));
        let what = match () {
            () if file == place => Some("the target"),
            () if file == certificate_path(&place) => Some("the certificate of the target"),
            () if file.starts_with(&place) => Some("inside of the target"),
            () => None,
        };
        if let Some(what) = what {
            let shown = path.display();
            return Err(Failure::Usage(format!("{shown}: is {what}; give --rejects another name")));
        }
    }
    if !job.force && path.symlink_metadata().is_ok() {
        return Err(Failure::Exists(path.to_owned()));
    }
    refuse_unfit(path)
}

/// The path with its directory spelled in the one way that the system has for it, where that exists.
fn placed(path: &Path) -> PathBuf {
    match (directory_of(path).canonicalize(), path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

/// Writes what the conversion set aside, if that is kept, and gives the parameters with the record of it, and
/// with the path of a single source.
pub fn kept(job: &Job, opened: &Opened, rejects: &mut Option<Rejects>) -> Result<Map<String, Value>> {
    let mut parameters = job.parameters.clone();
    if let (Some(rejects), Some(set_aside)) = (rejects, &opened.set_aside) {
        rejects.write(set_aside)?;
        let name = rejects.path.file_name().unwrap_or_default().to_string_lossy();
        let digest = digest(&rejects.temporary)?;
        parameters.insert(KEY.into(), json!({ "name": name, "digest": digest }));
    }
    Ok(match job.sources.as_slice() {
        [only] => with_path(&parameters, only),
        _ => parameters,
    })
}

/// What is to be said of the file that an earlier run for the same target made beside it, where this run is
/// to make none.
pub fn left_of_earlier(job: &Job) -> Option<String> {
    let earlier = Recorded::beside(&job.target).filter(|_| job.rejects.is_none())?;
    let path = job.target.with_file_name(&earlier.name);
    let shown = path.display();
    let told = || format!("{shown}: has the bad records of an earlier run for this target, and is left");
    earlier.is_at(&path).then(told)
}

/// Publishes the file, where there is to be one, and gives what is to be said of it.
pub fn published(rejects: Option<Rejects>) -> Result<Option<String>> {
    rejects.map_or(Ok(None), Rejects::publish)
}

/// Both digests of a file.
fn digest(path: &Path) -> Result<DigestSet> {
    Ok((&hash_untold(&ObjectFile::open(path)?)?).into())
}

impl Rejects {
    /// Opens the temporary of the rejects file, where there is to be one, and locks it. A target that is let
    /// out as it is made has no name.
    ///
    /// # Errors
    /// Another run holds the temporary; the file exists and is not to be replaced.
    pub fn begin(job: &Job, target: Option<&Path>) -> Result<Option<Self>> {
        let Some(path) = &job.rejects else { return Ok(None) };
        let temporary = beside(path, ENDING)?;
        let file = open_locked(&temporary, path)?;
        let earlier = target.and_then(Recorded::beside);
        let (path, replace, is_out) = (path.clone(), job.force, target.is_none());
        let rejects =
            Rejects { path, temporary, file, replace, is_out, earlier, written: false, keep: false };
        // Another run may have made it before the lock was taken.
        rejects.refuse_existing()?;
        Ok(Some(rejects))
    }

    fn refuse_existing(&self) -> Result<()> {
        match !self.replace && self.path.symlink_metadata().is_ok() {
            true => Err(Failure::Exists(self.path.clone())),
            false => Ok(()),
        }
    }

    /// Writes what was set aside into the temporary, and waits until it is on the disk.
    fn write(&mut self, set_aside: &SetAside) -> Result<()> {
        let failed = |error: std::io::Error| Failure::io(&self.temporary, error);
        self.file.set_len(0).map_err(failed)?;
        let mut out = BufWriter::new(&self.file);
        set_aside.write_to(&mut out).and_then(|()| out.flush()).map_err(failed)?;
        self.file.sync_all().map_err(failed)?;
        self.written = true;
        if self.is_out { Ok(()) } else { self.refuse_existing() }
    }

    /// Gives the file its name, once the target has its own: what was set aside is not lost any more, even
    /// where that fails. Where nothing was, gives what is to be said of a file that has the name.
    fn publish(mut self) -> Result<Option<String>> {
        if !self.written {
            return Ok(self.without_earlier());
        }
        self.keep = true;
        give_name(&self.temporary, &self.path, self.replace)
            .map_err(|cause| Failure::SetAside { at: self.temporary.clone(), cause: Box::new(cause) })?;
        sync_directory(&self.path).map(|()| None)
    }

    /// Removes the file if it is what an earlier run for the same target made, and tells what became of it.
    fn without_earlier(&self) -> Option<String> {
        self.path.symlink_metadata().ok()?;
        let shown = self.path.display();
        if !self.earlier.as_ref().is_some_and(|earlier| earlier.is_at(&self.path)) {
            return Some(format!(
                "{shown}: was there before, and no certificate of this target records it as it is, so it is \
                 left; no record of this run is in it"
            ));
        }
        Some(match std::fs::remove_file(&self.path) {
            Ok(()) => {
                format!("{shown}: had the bad records of an earlier run for this target, and was removed")
            }
            Err(error) => {
                format!("{shown}: has the bad records of an earlier run; removing it failed: {error}")
            }
        })
    }
}

impl Drop for Rejects {
    fn drop(&mut self) {
        if !self.keep {
            // Nothing can be done about a failure here; the next run overwrites the leftover.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_file_is_known_by_its_name_and_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, text) in [("bad.jsonl", "{}\n"), ("other.jsonl", "{}\n")] {
            std::fs::write(at(name), text).unwrap();
        }
        let record = json!({ "name": "bad.jsonl", "digest": digest(&at("bad.jsonl")).unwrap() });
        let recorded = Recorded::of(&Map::from_iter([(KEY.to_owned(), record)])).unwrap();
        assert!(recorded.is_at(&at("bad.jsonl")));
        assert!(!recorded.is_at(&at("other.jsonl")) && !recorded.is_at(&at("none.jsonl")));
        std::fs::write(at("bad.jsonl"), "{\"a\":1}\n").unwrap();
        assert!(!recorded.is_at(&at("bad.jsonl")));
        assert_eq!(Recorded::of(&Map::from_iter([(KEY.to_owned(), json!(true))])), None);
    }

    #[test]
    fn a_recorded_file_is_checked_where_it_is_at_hand() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("bad.jsonl"), dir.path().join("out.csv"));
        std::fs::write(&path, "{}\n").unwrap();
        let recorded = Recorded { name: "bad.jsonl".into(), digest: digest(&path).unwrap() };
        let found = || recorded.checked_beside(&target);
        assert!(found().unwrap().found.contains("those of the certificate"));
        std::fs::write(&path, "{}").unwrap();
        let failure = found().unwrap_err();
        assert_eq!(failure.code(), crate::failure::DIFFERS);
        assert!(failure.to_string().starts_with(&path.display().to_string()));
        std::fs::remove_file(&path).unwrap();
        assert!(found().unwrap().found.contains("not at hand"));
    }

    /// A rejects file of a run that replaces one, or not.
    fn begun(path: &Path, replace: bool, earlier: Option<Recorded>) -> Rejects {
        let temporary = beside(path, ENDING).unwrap();
        let file = open_locked(&temporary, path).unwrap();
        let path = path.to_owned();
        Rejects { path, temporary, file, replace, is_out: true, earlier, written: false, keep: false }
    }

    #[test]
    fn only_what_is_recorded_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.jsonl");
        let told = |earlier| begun(&path, true, earlier).publish().unwrap();
        assert_eq!(told(None), None);
        std::fs::write(&path, "{}\n").unwrap();
        let recorded = Recorded { name: "bad.jsonl".into(), digest: digest(&path).unwrap() };
        assert!(told(None).unwrap().contains("so it is left"));
        std::fs::write(&path, "{}\n{}\n").unwrap();
        assert!(told(Some(recorded.clone())).unwrap().contains("so it is left") && path.exists());
        std::fs::write(&path, "{}\n").unwrap();
        assert!(told(Some(recorded)).unwrap().contains("was removed"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_set_aside_is_kept_where_its_name_was_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.jsonl");
        let mut rejects = begun(&path, false, None);
        rejects.write(&SetAside { records: 0, files: Vec::new() }).unwrap();
        std::fs::write(&path, "precious").unwrap();
        let failure = rejects.publish().unwrap_err();
        assert_eq!(failure.code(), crate::failure::EXISTS);
        let kept = beside(&path, ENDING).unwrap();
        assert!(failure.to_string().contains(&kept.display().to_string()) && kept.exists());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        drop(begun(&path, true, None));
        assert!(!kept.exists() && path.exists());
    }
}
