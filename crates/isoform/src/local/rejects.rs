//! Provides the file that bad records go to: written and forced to disk before the target is published, and
//! renamed into place after it.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use formats::set_aside::SetAside;

use super::staging::{beside, open_beside, refuse_unfit};
use crate::failure::{Failure, Result};

/// The finished temporary of a rejects file. It is removed when dropped, unless it was published.
#[derive(Debug)]
pub struct Rejects {
    target: PathBuf,
    temporary: PathBuf,
    published: bool,
}

/// Refuses a file that exists, and what must not be replaced at all.
pub fn refuse_existing(path: &Path, force: bool) -> Result<()> {
    if !force && path.symlink_metadata().is_ok() {
        return Err(Failure::Exists(path.to_owned()));
    }
    refuse_unfit(path)
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
