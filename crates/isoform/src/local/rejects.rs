//! Provides the file that bad records go to: written and forced to disk before the target is published, and
//! renamed into place after it. The certificate of the target records it, so that it is known again.

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
use super::staging::{beside, certificate_path, directory_of, open_beside, refuse_unfit};
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

/// The finished temporary of a rejects file. It is removed when dropped, unless it was published.
#[derive(Debug)]
pub struct Rejects {
    target: PathBuf,
    temporary: PathBuf,
    published: bool,
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
pub fn kept(job: &Job, opened: &Opened) -> Result<(Option<Rejects>, Map<String, Value>)> {
    let mut parameters = job.parameters.clone();
    let (Some(path), Some(set_aside)) = (&job.rejects, &opened.set_aside) else {
        return Ok((None, parameters));
    };
    let rejects = Rejects::write(path, set_aside)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let digest = digest(&rejects.temporary)?;
    parameters.insert(KEY.into(), json!({ "name": name, "digest": digest }));
    Ok((Some(rejects), parameters))
}

/// Both digests of a file.
fn digest(path: &Path) -> Result<DigestSet> {
    Ok((&hash_untold(&ObjectFile::open(path)?)?).into())
}

impl Rejects {
    /// Writes what was set aside beside its final name.
    fn write(target: &Path, set_aside: &SetAside) -> Result<Self> {
        let temporary = beside(target, ".isoform-rejects")?;
        let failed = |error: std::io::Error| Failure::io(&temporary, error);
        let file = open_beside(&temporary)?;
        let rejects = Rejects { target: target.to_owned(), temporary: temporary.clone(), published: false };
        file.set_len(0).map_err(failed)?;
        let mut out = BufWriter::new(file);
        set_aside.write_to(&mut out).and_then(|()| out.flush()).map_err(failed)?;
        out.get_ref().sync_all().map_err(failed)?;
        Ok(rejects)
    }

    /// Gives the file its name.
    pub fn publish(mut self) -> Result<()> {
        let renamed = std::fs::rename(&self.temporary, &self.target);
        renamed.map_err(|error| Failure::io(&self.target, error))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Rejects {
    fn drop(&mut self) {
        if !self.published {
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
