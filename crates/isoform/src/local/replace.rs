//! Provides what may be in the place of a target and of its certificate, and be replaced by these.

use std::path::Path;

use formats::file::Stamp;

use super::interrupted::certificate_of;
use super::staging::certificate_path;
use crate::failure::{Failure, Result};

/// What may be in the place of a target and of its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Nothing, but a certificate of the very bytes that the target is to have.
    Nothing,
    /// Any file.
    Anything,
    /// These states of two files, which were looked at: what somebody made of either since stays.
    Only {
        /// That of the target.
        target: Stamp,
        /// That of its certificate, if it had one.
        certificate: Option<Stamp>,
        /// Whether that had another name, as an interrupted run gave it, which is undone first.
        moved: bool,
    },
}

impl From<bool> for Replace {
    fn from(replace: bool) -> Self {
        if replace { Replace::Anything } else { Replace::Nothing }
    }
}

impl Replace {
    /// Only what has the names of a target and of its certificate now, as it is; or of the certificate that
    /// an interrupted run put aside.
    pub fn only(target: &Path) -> Result<Self> {
        let failed = |error| Failure::io(target, error);
        let certificate = certificate_of(target);
        let moved = certificate != certificate_path(target);
        let certificate = stamp(&certificate).ok();
        Ok(Replace::Only { target: stamp(target).map_err(failed)?, certificate, moved })
    }

    /// Whether something may be in the place.
    pub fn is_any(self) -> bool {
        self != Replace::Nothing
    }

    /// The same, and nothing where the one target that may be replaced is gone.
    pub(super) fn for_now(self, target: &Path) -> Self {
        match self {
            Replace::Only { .. } if target.symlink_metadata().is_err() => Replace::Nothing,
            other => other,
        }
    }

    /// Fails where another state of a file, or none, is `found` in the place of the target, or was and has
    /// this name now.
    pub(super) fn check_target(self, target: &Path, found: &Path) -> Result<()> {
        let Replace::Only { target: only, .. } = self else { return Ok(()) };
        match stamp(found) {
            Ok(state) if is_same(&state, &only, found != target) => Ok(()),
            Ok(_) => Err(changed(target, "it was changed")),
            Err(_) => Err(Failure::WithoutTarget(certificate_path(target))),
        }
    }

    /// Fails where another state of a file, or none, is `found` in the place of the target's certificate, or
    /// was and has this name now.
    pub(super) fn check_certificate(self, target: &Path, found: &Path) -> Result<()> {
        let Replace::Only { certificate: only, moved, .. } = self else { return Ok(()) };
        let is_moved = moved || found != certificate_path(target);
        match (stamp(found), only) {
            (Ok(state), Some(only)) if is_same(&state, &only, is_moved) => Ok(()),
            (Err(_), None) => Ok(()),
            _ => Err(changed(target, "its certificate was changed or removed")),
        }
    }
}

/// Whether a file is as it was looked at, but for its name where it was moved.
fn is_same(found: &Stamp, only: &Stamp, is_moved: bool) -> bool {
    found == only || is_moved && found.is_but_for_its_name(only)
}

fn stamp(path: &Path) -> std::io::Result<Stamp> {
    path.symlink_metadata().map(|found| Stamp::of(&found))
}

fn changed(target: &Path, what: &str) -> Failure {
    Failure::Stale(target.to_owned(), format!("{what} while its source was converted again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_states_that_were_looked_at_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (target, other) = (dir.path().join("a"), dir.path().join("b"));
        let certificate = certificate_path(&target);
        let checks = [
            (
                &target,
                (|replace, target| replace.check_target(target, target)) as fn(Replace, &Path) -> Result<()>,
            ),
            (&certificate, |replace, target| replace.check_certificate(target, &certificate_path(target))),
        ];
        for (path, check) in checks {
            let stale = |replace| matches!(check(replace, &target), Err(Failure::Stale(..)));
            std::fs::write(&target, "12").unwrap();
            std::fs::write(&certificate, "12").unwrap();
            let replace = Replace::only(&target).unwrap();
            check(replace, &target).unwrap();
            // As many bytes at the same time of writing, and another file of the same bytes. Systems tell
            // times apart that lie 10 ms from each other.
            std::thread::sleep(std::time::Duration::from_millis(20));
            let written = path.metadata().unwrap().modified().unwrap();
            std::fs::write(path, "34").unwrap();
            std::fs::File::options().write(true).open(path).unwrap().set_modified(written).unwrap();
            assert!(stale(replace));
            let replace = Replace::only(&target).unwrap();
            std::fs::write(&other, "34").unwrap();
            std::fs::rename(&other, path).unwrap();
            assert!(stale(replace));
            std::fs::remove_file(path).unwrap();
            assert!(check(replace, &target).is_err());
            check(Replace::Anything, &target).unwrap();
        }
    }

    #[test]
    fn a_target_that_is_gone_is_not_said_to_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a");
        let certificate = certificate_path(&target);
        std::fs::write(&target, "1").unwrap();
        std::fs::write(&certificate, "{}").unwrap();
        let replace = Replace::only(&target).unwrap();
        assert_eq!(replace.for_now(&target), replace);
        std::fs::remove_file(&target).unwrap();
        assert_eq!(replace.for_now(&target), Replace::Nothing);
        assert_eq!(Replace::Anything.for_now(&target), Replace::Anything);
        let refused = replace.check_target(&target, &target);
        assert!(matches!(refused, Err(Failure::WithoutTarget(at)) if at == certificate));
    }
}
