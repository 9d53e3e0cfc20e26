//! Provides the file that bad records go to: written and forced to disk before the target is published, and
//! renamed into place after it.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use formats::set_aside::SetAside;

use super::job::Job;
use super::seal::refuse_same_file;
use super::staging::{beside, certificate_path, directory_of, open_beside, refuse_unfit};
use crate::failure::{Failure, Result};

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

impl Rejects {
    /// Writes what was set aside beside its final name.
    pub fn write(target: &Path, set_aside: &SetAside) -> Result<Self> {
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
