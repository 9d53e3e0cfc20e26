//! Provides the ways in which a finished file gets its name, also on file systems that know not all of them.

use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::staging::refuse_existing;
use crate::failure::{Failure, Result};

/// What may be asked of a file system. One that cannot do it says so, and something else is done; tests ask
/// for less.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means {
    /// Renames that exchange two files, and such that refuse to replace one.
    flags: bool,
    /// Files with several names.
    links: bool,
}

impl Means {
    /// Everything.
    pub(super) const ALL: Means = Means { flags: true, links: true };

    /// Plain renames and links.
    #[cfg(test)]
    pub(super) const LINKS: Means = Means { flags: false, links: true };

    /// Plain renames alone.
    #[cfg(test)]
    pub(super) const RENAMES: Means = Means { flags: false, links: false };

    /// Lets two files exchange their names, and tells whether the file system can.
    pub(super) fn exchange(self, one: &Path, other: &Path) -> io::Result<bool> {
        self.renamed(one, other, RenameFlags::EXCHANGE)
    }

    /// Gives a finished file its name, from which another is taken only where that is to be replaced.
    pub(super) fn give_name(self, file: &Path, name: &Path, replace: bool) -> Result<()> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::Exists(name.to_owned()),
            _ => Failure::io(name, error),
        };
        if replace {
            return std::fs::rename(file, name).map_err(failed);
        }
        if self.renamed(file, name, RenameFlags::NOREPLACE).map_err(failed)? {
            return Ok(());
        }
        // A link refuses to replace as well.
        if self.linked(file, name).map_err(failed)? {
            // The file has its name where that fails, and the next run removes the leftover.
            let _ = std::fs::remove_file(file);
            return Ok(());
        }
        // Nothing here refuses by itself, so what comes between these two is lost.
        refuse_existing(name, false)?;
        std::fs::rename(file, name).map_err(failed)
    }

    fn renamed(self, from: &Path, to: &Path, flags: RenameFlags) -> io::Result<bool> {
        if !self.flags {
            return Ok(false);
        }
        match renameat_with(CWD, from, CWD, to, flags) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn linked(self, file: &Path, name: &Path) -> io::Result<bool> {
        if !self.links {
            return Ok(false);
        }
        match std::fs::hard_link(file, name) {
            Ok(()) => Ok(true),
            Err(error) => match Errno::from_io_error(&error) {
                // The first is what Linux says of FAT.
                Some(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
                _ => Err(error),
            },
        }
    }
}

/// Gives a finished file its name, from which another is taken only where that is to be replaced.
pub(super) fn give_name(file: &Path, name: &Path, replace: bool) -> Result<()> {
    Means::ALL.give_name(file, name, replace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_from_another_file_only_where_that_is_replaced() {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        for means in [Means::ALL, Means::LINKS, Means::RENAMES] {
            let dir = tempfile::tempdir().unwrap();
            let (file, name) = (dir.path().join(".out.part"), dir.path().join("out"));
            std::fs::write(&file, "new").unwrap();
            std::fs::write(&name, "old").unwrap();
            let refused = means.give_name(&file, &name, false);
            assert!(matches!(refused, Err(Failure::Exists(path)) if path == name), "{means:?}");
            assert_eq!((read(&file), read(&name)), ("new".into(), "old".into()), "{means:?}");
            means.give_name(&file, &name, true).unwrap();
            assert!(read(&name) == "new" && !file.exists(), "{means:?}");
            std::fs::rename(&name, &file).unwrap();
            means.give_name(&file, &name, false).unwrap();
            assert!(read(&name) == "new" && !file.exists(), "{means:?}");
            assert!(matches!(means.give_name(&file, &name, true), Err(Failure::Io { .. })), "{means:?}");
        }
    }

    #[test]
    fn names_are_exchanged_where_the_file_system_can() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        std::fs::write(&one, "1").unwrap();
        std::fs::write(&other, "2").unwrap();
        assert!(!Means::LINKS.exchange(&one, &other).unwrap());
        assert_eq!(std::fs::read_to_string(&one).unwrap(), "1");
        let exchanged = Means::ALL.exchange(&one, &other).unwrap();
        assert_eq!(std::fs::read_to_string(&one).unwrap(), if exchanged { "2" } else { "1" });
    }
}
