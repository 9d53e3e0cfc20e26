//! Provides the file that bad records go to: locked from the beginning of a conversion, written and forced to
//! disk before the target is published, and renamed into place after it. The certificate of the target records
//! it, so that it is known again.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use coherence::statement::DigestSet;
use formats::file::ObjectFile;
use formats::open::Opened;
use formats::set_aside::SetAside;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::hash_untold;
use super::job::Job;
use super::seal::refuse_same_file;
use super::staging::{
    beside, certificate_path, directory_of, give_name, open_locked, refuse_unfit, sync_directory,
};
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
    written: bool,
    keep: bool,
}

/// Refuses a name that the conversion reads or writes itself, a file that exists, and what must not be
/// replaced at all. A target that is let out as it is made has no name.
pub fn refuse(job: &Job, target: Option<&Path>) -> Result<()> {
    let Some(path) = &job.rejects else { return Ok(()) };
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

/// Writes what the conversion set aside, if that is kept, and gives the parameters with the record of it.
pub fn kept(job: &Job, opened: &Opened, rejects: &mut Option<Rejects>) -> Result<Map<String, Value>> {
    let mut parameters = job.parameters.clone();
    if let (Some(rejects), Some(set_aside)) = (rejects, &opened.set_aside) {
        rejects.write(set_aside)?;
        let name = rejects.path.file_name().unwrap_or_default().to_string_lossy();
        let digest = digest(&rejects.temporary)?;
        parameters.insert(KEY.into(), json!({ "name": name, "digest": digest }));
    }
    Ok(parameters)
}

/// Both digests of a file.
fn digest(path: &Path) -> Result<DigestSet> {
    Ok((&hash_untold(&ObjectFile::open(path)?)?).into())
}

impl Rejects {
    /// Opens the temporary of the rejects file, where there is to be one, and locks it.
    ///
    /// # Errors
    /// Another run holds the temporary; the file exists and is not to be replaced.
    pub fn begin(job: &Job) -> Result<Option<Self>> {
        let Some(path) = &job.rejects else { return Ok(None) };
        let temporary = beside(path, ENDING)?;
        let file = open_locked(&temporary, path)?;
        let (path, replace) = (path.clone(), job.force);
        let rejects = Rejects { path, temporary, file, replace, written: false, keep: false };
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
        self.refuse_existing()
    }

    /// Gives the file its name, once the target has its own: what was set aside is not lost any more, even
    /// where that fails.
    pub fn publish(mut self) -> Result<()> {
        if !self.written {
            return Ok(());
        }
        self.keep = true;
        give_name(&self.temporary, &self.path, self.replace)
            .map_err(|cause| Failure::SetAside { at: self.temporary.clone(), cause: Box::new(cause) })?;
        sync_directory(&self.path)
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
}
