//! Provides the way in which what is finished gets its name: a file, and a certificate with its target.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use coherence::verified::VerifiedWhole;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::seal::refuse_foreign;
use super::staging::{
    NEW_ENDING, beside, certificate_path, directory_of, is_at, open_beside, refuse_existing,
};
use crate::failure::{Failure, Result};

/// Gives a certificate and its finished target their names; the certificate loses its own where the target
/// gets none.
pub(super) fn publish_pair(file: &Path, target: &Path, replace: bool, certificate: &[u8]) -> Result<()> {
    refuse_existing(target, replace)?;
    let placed = place_certificate(target, replace, certificate)?;
    give_name(file, target, replace)?;
    placed.keep();
    Ok(())
}

/// Makes the certificate visible that lies beside a directory whose files have been published, each by
/// itself. The proof is asked for here so that nothing unverified is certified.
pub fn certify_directory(
    directory: &Path,
    replace: bool,
    _proof: &VerifiedWhole,
    certificate: &[u8],
) -> Result<()> {
    place_certificate(directory, replace, certificate)?.keep();
    sync_directory(directory)
}

/// A certificate that has its name before its target has one. When dropped it loses that to what had it
/// before, unless it was kept.
#[must_use]
#[derive(Debug)]
pub(super) struct PlacedCertificate {
    at: PathBuf,
    file: File,
    /// What had the name before, under that of a temporary.
    former: Option<PathBuf>,
    keep: bool,
}

impl PlacedCertificate {
    /// Keeps it, as its target has a name.
    pub(super) fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for PlacedCertificate {
    fn drop(&mut self) {
        // What somebody else put in its place meanwhile stays there.
        let loses = !self.keep && is_at(&self.file, &self.at);
        // Nothing can be done about a failure here; the next run overwrites the leftover.
        let _ = match (&self.former, loses) {
            (Some(former), true) => std::fs::rename(former, &self.at),
            (Some(former), false) => std::fs::remove_file(former),
            (None, true) => std::fs::remove_file(&self.at),
            (None, false) => Ok(()),
        };
    }
}

/// Gives the certificate of a target its name, whole or not at all. Only a certificate is replaced by it,
/// unless all may be.
pub(super) fn place_certificate(
    target: &Path,
    replace: bool,
    certificate: &[u8],
) -> Result<PlacedCertificate> {
    let at = certificate_path(target);
    let temporary = beside(&at, NEW_ENDING)?;
    let mut file = open_beside(&temporary)?;
    let named = write_synced(&mut file, &temporary, certificate)
        .and_then(|()| name_certificate(&temporary, &at, replace));
    match named {
        Ok(had_former) => {
            let former = had_former.then_some(temporary);
            Ok(PlacedCertificate { at, file, former, keep: false })
        }
        Err(failure) => {
            if is_at(&file, &temporary) {
                // The conversion failed already; the next one overwrites what cannot be removed.
                let _ = std::fs::remove_file(&temporary);
            }
            Err(failure)
        }
    }
}

/// Gives the temporary of a certificate its name, and tells whether something else had that, which has the
/// name of the temporary then. That is looked at where nobody puts another in its place meanwhile, and gets
/// its name back where it must not be replaced.
fn name_certificate(temporary: &Path, at: &Path, replace: bool) -> Result<bool> {
    match give_name(temporary, at, false) {
        Err(Failure::Exists(_)) => {}
        named => return named.map(|()| false),
    }
    let failed = |error: std::io::Error| Failure::io(at, error);
    let exchange = || renameat_with(CWD, temporary, CWD, at, RenameFlags::EXCHANGE);
    match exchange() {
        Ok(()) => {}
        // Some file systems know no exchange.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            refuse_foreign(at, at, replace)?;
            return std::fs::rename(temporary, at).map(|()| false).map_err(failed);
        }
        Err(error) => return Err(failed(error.into())),
    }
    match refuse_foreign(at, temporary, replace) {
        Ok(()) => Ok(true),
        Err(foreign) => exchange().map_err(|error| failed(error.into())).and(Err(foreign)),
    }
}

/// Makes these bytes all that a file holds, and waits until they are on the disk.
pub(super) fn write_synced(file: &mut File, path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error| Failure::io(path, error);
    file.set_len(0).and_then(|()| file.write_all(bytes)).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Gives a finished file its name, from which another is taken only where that is to be replaced.
pub(super) fn give_name(file: &Path, name: &Path, replace: bool) -> Result<()> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::Exists(name.to_owned()),
        _ => Failure::io(name, error),
    };
    if replace {
        return std::fs::rename(file, name).map_err(failed);
    }
    match renameat_with(CWD, file, CWD, name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Some file systems know no rename that refuses to replace; a link refuses as well.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            std::fs::hard_link(file, name).map_err(failed)?;
            std::fs::remove_file(file).map_err(failed)
        }
        Err(error) => Err(failed(error.into())),
    }
}

/// Makes a rename durable.
pub(super) fn sync_directory(target: &Path) -> Result<()> {
    let dir = directory_of(target);
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| Failure::io(dir, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_follows_no_link_that_was_put_in_its_way() {
        let dir = tempfile::tempdir().unwrap();
        let (target, kept) = (dir.path().join("out"), dir.path().join("kept"));
        let link = beside(&certificate_path(&target), NEW_ENDING).unwrap();
        std::fs::write(&kept, "precious").unwrap();
        std::os::unix::fs::symlink(&kept, &link).unwrap();
        assert!(place_certificate(&target, true, b"{}").is_err());
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), "precious");
        // It is not ours, so whoever put it there removes it.
        assert!(link.is_symlink() && !certificate_path(&target).exists());
    }

    #[test]
    fn a_pair_that_cannot_be_published_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (target, made) = (dir.path().join("out"), dir.path().join("made"));
        let certificate = certificate_path(&target);
        let names = || std::fs::read_dir(dir.path()).unwrap().count();
        std::fs::write(&target, "precious").unwrap();
        std::fs::write(&made, "new").unwrap();
        let refused = publish_pair(&made, &target, false, b"{}");
        assert!(matches!(refused, Err(Failure::Exists(path)) if path == target));
        assert_eq!(names(), 2);
        publish_pair(&made, &target, true, b"{}").unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!((read(&target), read(&certificate), names()), ("new".into(), "{}".into(), 2));
        // A target that gets no name takes that of its certificate away, and the one before comes back.
        assert!(publish_pair(&made, &target, true, b"[]").is_err());
        assert_eq!((read(&certificate), names()), ("{}".into(), 2));
        let other = dir.path().join("other");
        assert!(publish_pair(&made, &other, false, b"[]").is_err());
        assert_eq!(names(), 2);
        std::fs::remove_file(&certificate).unwrap();
        std::fs::create_dir(&certificate).unwrap();
        assert!(matches!(place_certificate(&target, true, b"{}"), Err(Failure::Usage(_))));
        assert!(certificate.is_dir() && names() == 2);
    }

    #[test]
    fn what_is_in_the_place_of_a_certificate_is_replaced_only_where_that_was_said() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let certificate = certificate_path(&target);
        let names = || std::fs::read_dir(dir.path()).unwrap().count();
        let read = || std::fs::read_to_string(&certificate).unwrap();
        std::fs::write(&certificate, "precious").unwrap();
        let refused = place_certificate(&target, false, b"{}");
        assert!(matches!(refused, Err(Failure::NoCertificate(at)) if at == certificate));
        assert_eq!((read(), names()), ("precious".into(), 1));
        place_certificate(&target, true, b"{}").unwrap().keep();
        assert_eq!((read(), names()), ("{}".into(), 1));
        // What another put there meanwhile stays.
        let placed = place_certificate(&target, true, b"[]").unwrap();
        std::fs::write(dir.path().join("theirs"), "theirs").unwrap();
        std::fs::rename(dir.path().join("theirs"), &certificate).unwrap();
        drop(placed);
        assert_eq!((read(), names()), ("theirs".into(), 1));
    }

    #[test]
    fn a_name_is_taken_from_another_file_only_where_that_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (file, name) = (dir.path().join(".out.part"), dir.path().join("out"));
        std::fs::write(&file, "new").unwrap();
        std::fs::write(&name, "old").unwrap();
        assert!(matches!(give_name(&file, &name, false), Err(Failure::Exists(_))));
        assert_eq!(std::fs::read_to_string(&name).unwrap(), "old");
        give_name(&file, &name, true).unwrap();
        assert_eq!(std::fs::read_to_string(&name).unwrap(), "new");
        assert!(!file.exists());
    }
}
