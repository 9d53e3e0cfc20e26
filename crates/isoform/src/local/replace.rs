//! Provides what may be in the place of a target, and be replaced by it.

use std::path::Path;

use formats::file::Stamp;

use crate::failure::{Failure, Result};

/// What may be in the place of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Nothing at all.
    Nothing,
    /// Any file.
    Anything,
    /// This state of one file, which was looked at: what somebody made of it since stays.
    Only(Stamp),
}

impl From<bool> for Replace {
    fn from(replace: bool) -> Self {
        if replace { Replace::Anything } else { Replace::Nothing }
    }
}

impl Replace {
    /// Only what has this name now, as it is.
    pub fn only(path: &Path) -> Result<Self> {
        let found = path.symlink_metadata().map_err(|error| Failure::io(path, error))?;
        Ok(Replace::Only(Stamp::of(&found)))
    }

    /// Whether something may be in the place.
    pub fn is_any(self) -> bool {
        self != Replace::Nothing
    }

    /// Fails where another state of a file has the name now.
    pub fn check(self, target: &Path) -> Result<()> {
        match self {
            Replace::Only(_) if Replace::only(target).ok() != Some(self) => {
                let why = "it was changed while its source was converted again".to_owned();
                Err(Failure::Stale(target.to_owned(), why))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_state_that_was_looked_at_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        let refused =
            |replace: Replace| matches!(replace.check(&path), Err(Failure::Stale(at, _)) if at == path);
        std::fs::write(&path, "12").unwrap();
        let replace = Replace::only(&path).unwrap();
        replace.check(&path).unwrap();
        // As many bytes at the same time of writing, and another file of the same bytes. A time of change is
        // that of a tick of the system at worst.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let written = path.metadata().unwrap().modified().unwrap();
        std::fs::write(&path, "34").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        assert!(refused(replace));
        let replace = Replace::only(&path).unwrap();
        std::fs::write(&other, "34").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(refused(replace));
        std::fs::remove_file(&path).unwrap();
        assert!(refused(replace));
        Replace::Anything.check(&path).unwrap();
    }
}
