//! Provides the way in which what is finished is published: a certificate with its target.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use coherence::verified::VerifiedWhole;
use rustix::fs::{Mode, OFlags, open};

use super::naming::Means;
use super::replace::Replace;
use super::seal::refuse_foreign;
use super::staging::{
    FORMER_ENDING, NEW_ENDING, beside, certificate_path, directory_of, refuse_existing, refuse_unfit,
};
use super::temporary::{create_locked, held, is_at, permit_as, refuse_taken_away, remove_own};
use crate::failure::{Failure, Result};

/// Gives a certificate and its finished target their names, which are on the disk in this order too; the
/// certificate loses its own where the target gets none. Gives what is to be said where they may not outlast
/// a power failure.
pub(super) fn publish_pair(
    (file, path): (&File, &Path),
    target: &Path,
    replace: Replace,
    certificate: &[u8],
) -> Result<Option<String>> {
    let replace = replace.for_now(target);
    refuse_existing(target, replace.is_any())?;
    // Another may have come meanwhile.
    refuse_unfit(target)?;
    refuse_taken_away(file, path)?;
    let placed = place_certificate(target, replace, certificate)?;
    let certificate_unsynced = sync_directory(target);
    replace.check_target(target, target)?;
    name_target(Means::ALL, path, target, replace)?;
    placed.keep();
    let unsynced = sync_directory(target);
    Ok(certificate_unsynced.or(unsynced))
}

/// Gives a finished target its name. Where one state of a file may be replaced, the two exchange their names
/// and what had that of the target is looked at once more, so that nothing which was put there meanwhile is
/// lost: it gets its name back.
fn name_target(means: Means, path: &Path, target: &Path, replace: Replace) -> Result<()> {
    let failed = |error: std::io::Error| Failure::io(target, error);
    if !matches!(replace, Replace::Only { .. }) {
        return means.give_name(path, target, replace.is_any());
    }
    // Under the name of a temporary it would be one to any other run.
    let former = locked(target)?;
    if !means.exchange(path, target).map_err(failed)? {
        return means.give_name(path, target, true);
    }
    if let Err(changed) = replace.check_target(target, path) {
        return means.exchange(path, target).map_err(failed).and(Err(changed));
    }
    // The next run removes it where that fails.
    if let Some(former) = former {
        remove_own(&former, path);
    }
    Ok(())
}

/// Opens and locks what has the name of a target; `None` where it cannot be read, which no other run can do
/// then either.
///
/// # Errors
/// Another run holds it.
fn locked(target: &Path) -> Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(former) = open(target, flags, Mode::empty()) else { return Ok(None) };
    let former = File::from(former);
    match former.try_lock() {
        Ok(()) => Ok(Some(former)),
        Err(TryLockError::WouldBlock) => Err(held(target)),
        Err(TryLockError::Error(error)) => Err(Failure::io(target, error)),
    }
}

/// Makes the certificate visible that lies beside a directory whose files have been published, each by
/// itself. The proof is asked for here so that nothing unverified is certified. Gives what is to be said
/// where its name may not outlast a power failure.
pub fn certify_directory(
    directory: &Path,
    replace: bool,
    _proof: &VerifiedWhole,
    certificate: &[u8],
) -> Result<Option<String>> {
    place_certificate(directory, replace, certificate)?.keep();
    Ok(sync_directory(directory))
}

/// A certificate that has its name before its target has one. When dropped it loses that to what had it
/// before, unless it was kept.
#[must_use]
#[derive(Debug)]
pub(super) struct PlacedCertificate {
    at: PathBuf,
    file: File,
    former: Option<Former>,
    keep: bool,
}

/// What had the name of a certificate before, under that of a temporary. The next run may make its own there
/// as soon as the target has its name, so this is moved and removed only where it still is what it was.
#[derive(Debug)]
struct Former {
    path: PathBuf,
    handle: File,
}

impl Former {
    /// What has this name now, also where it is a link or nothing that may be read.
    fn at(path: &Path) -> Result<Self> {
        let handle = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        let handle = handle.map_err(|error| Failure::io(path, error.into()))?;
        Ok(Former { path: path.to_owned(), handle: handle.into() })
    }

    /// Its name, where it still has that.
    fn name(&self) -> Option<&Path> {
        is_at(&self.handle, &self.path).then_some(&self.path)
    }
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
        let former = self.former.as_ref().and_then(Former::name);
        // Nothing can be done about a failure here; the next run removes the leftover.
        let _ = match (former, loses) {
            (Some(former), true) => std::fs::rename(former, &self.at),
            (Some(former), false) => std::fs::remove_file(former),
            (None, true) => std::fs::remove_file(&self.at),
            (None, false) => Ok(()),
        };
    }
}

/// Gives the certificate of a target its name, whole or not at all. What it replaces is a certificate, and
/// the one that was looked at where only that may be replaced; anything, where anything may be.
pub(super) fn place_certificate(
    target: &Path,
    replace: impl Into<Replace>,
    certificate: &[u8],
) -> Result<PlacedCertificate> {
    place_by(Means::ALL, target, replace.into(), certificate)
}

fn place_by(means: Means, target: &Path, replace: Replace, certificate: &[u8]) -> Result<PlacedCertificate> {
    let at = certificate_path(target);
    let temporary = beside(&at, NEW_ENDING)?;
    let mut file = create_locked(&temporary, &at)?;
    let named = permit_as(&at, &file, &temporary)
        .and_then(|()| write_synced(&mut file, &temporary, certificate))
        .and_then(|()| name_certificate(means, &temporary, target, replace));
    match named {
        Ok(former) => Ok(PlacedCertificate { at, file, former, keep: false }),
        Err(failure) => {
            remove_own(&file, &temporary);
            Err(failure)
        }
    }
}

/// Gives the temporary of a certificate its name, and tells what had that before, which has the name of the
/// temporary then, or one of its own where names cannot be exchanged. What must not be replaced keeps its
/// name, so that it is never under that of a temporary, which the next run would remove; what was put there
/// meanwhile is looked at once more where nobody puts another in its place, and gets its name back.
fn name_certificate(
    means: Means,
    temporary: &Path,
    target: &Path,
    replace: Replace,
) -> Result<Option<Former>> {
    let at = &certificate_path(target);
    let refuse = |found: &Path| {
        let foreign = || refuse_foreign(target, found, replace.is_any());
        replace.check_certificate(target, found).and_then(|()| foreign())
    };
    // Where one was looked at, nothing in its place is another state of it.
    replace.check_certificate(target, at)?;
    match means.give_name(temporary, at, false) {
        Err(Failure::Exists(_)) => refuse(at)?,
        named => return named.map(|()| None),
    }
    let failed = |error: std::io::Error| Failure::io(at, error);
    if means.exchange(temporary, at).map_err(failed)? {
        return match refuse(temporary).and_then(|()| Former::at(temporary)) {
            Ok(former) => Ok(Some(former)),
            Err(foreign) => means.exchange(temporary, at).map_err(failed).and(Err(foreign)),
        };
    }
    let aside = &beside(target, FORMER_ENDING)?;
    std::fs::rename(at, aside).map_err(failed)?;
    let named = refuse(aside)
        .and_then(|()| Former::at(aside))
        .and_then(|former| means.give_name(temporary, at, false).map(|()| former));
    match named {
        Ok(former) => Ok(Some(former)),
        Err(failure) => means.give_name(aside, at, false).and(Err(failure)),
    }
}

/// Makes these bytes all that a file holds, and waits until they are on the disk.
pub(super) fn write_synced(file: &mut File, path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error| Failure::io(path, error);
    file.set_len(0).and_then(|()| file.write_all(bytes)).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Makes a rename durable. Where that cannot be done, as in a directory that may be written and not read,
/// gives what is to be said of it: what was renamed has its name all the same.
pub(super) fn sync_directory(target: &Path) -> Option<String> {
    let dir = directory_of(target);
    let error = File::open(dir).and_then(|dir| dir.sync_all()).err()?;
    let shown = dir.display();
    Some(format!(
        "{shown}: could not be forced to disk ({error}), so that the names of what was made may not outlast \
         a power failure in the next seconds"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::temporary::open_locked;
    use super::*;

    /// The name that a target's certificate has while it is made.
    fn temporary_of(target: &Path) -> PathBuf {
        beside(&certificate_path(target), NEW_ENDING).unwrap()
    }

    /// What a file holds.
    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_certificate_follows_no_link_that_was_put_in_its_way() {
        let dir = tempfile::tempdir().unwrap();
        let (target, kept) = (dir.path().join("out"), dir.path().join("kept"));
        let (link, certificate) = (temporary_of(&target), certificate_path(&target));
        std::fs::write(&kept, "precious").unwrap();
        std::os::unix::fs::symlink(&kept, &link).unwrap();
        place_certificate(&target, true, b"{}").unwrap().keep();
        assert_eq!((read(&kept), read(&certificate)), ("precious".into(), "{}".into()));
        assert!(!certificate.is_symlink() && link.symlink_metadata().is_err());
        std::fs::create_dir(&link).unwrap();
        let failure = place_certificate(&target, true, b"[]").unwrap_err().to_string();
        assert!(failure.ends_with(".isoform-new: is in the way and no file; remove it"), "{failure}");
        assert!(link.is_dir() && read(&certificate) == "{}");
    }

    #[test]
    fn what_an_interrupted_run_left_of_the_certificate_before_is_not_written_into() {
        let dir = tempfile::tempdir().unwrap();
        let (target, copy) = (dir.path().join("out"), dir.path().join("copy"));
        let (left, certificate) = (temporary_of(&target), certificate_path(&target));
        // The certificate before, of which a copy of the directory is a link, under the temporary's name.
        std::fs::write(&copy, "former").unwrap();
        std::fs::hard_link(&copy, &left).unwrap();
        place_certificate(&target, false, b"{}").unwrap().keep();
        assert_eq!((read(&copy), read(&certificate)), ("former".into(), "{}".into()));
        assert!(!left.exists());
    }

    #[test]
    fn what_is_no_certificate_never_has_the_name_of_a_temporary() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let certificate = certificate_path(&target);
        std::fs::write(&certificate, "precious").unwrap();
        // A file that gets another name, if for a moment only, changes its status then.
        let changed = || {
            let metadata = certificate.metadata().unwrap();
            (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        let before = changed();
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(matches!(place_certificate(&target, false, b"{}"), Err(Failure::NoCertificate(_))));
        assert_eq!((changed(), read(&certificate)), (before, "precious".into()));
    }

    #[test]
    fn what_another_run_put_under_the_name_of_the_temporary_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (target, theirs) = (dir.path().join("out"), dir.path().join("theirs"));
        let (temporary, certificate) = (temporary_of(&target), certificate_path(&target));
        let placed = |former: &str| {
            std::fs::write(&certificate, former).unwrap();
            let placed = place_certificate(&target, true, b"{}").unwrap();
            assert_eq!((read(&temporary), read(&certificate)), (former.into(), "{}".into()));
            placed
        };
        let put = || {
            std::fs::write(&theirs, "theirs").unwrap();
            std::fs::rename(&theirs, &temporary).unwrap();
        };
        let kept = placed("former");
        put();
        kept.keep();
        assert_eq!((read(&temporary), read(&certificate)), ("theirs".into(), "{}".into()));
        let lost = placed("former");
        put();
        drop(lost);
        assert!(read(&temporary) == "theirs" && !certificate.exists());
    }

    #[test]
    fn a_link_in_the_place_of_a_certificate_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let (target, kept) = (dir.path().join("out"), dir.path().join("kept"));
        let (temporary, certificate) = (temporary_of(&target), certificate_path(&target));
        std::fs::write(&kept, "precious").unwrap();
        std::os::unix::fs::symlink(&kept, &certificate).unwrap();
        drop(place_certificate(&target, true, b"{}").unwrap());
        assert!(certificate.is_symlink() && temporary.symlink_metadata().is_err());
        place_certificate(&target, true, b"{}").unwrap().keep();
        assert!(!certificate.is_symlink() && temporary.symlink_metadata().is_err());
        assert_eq!((read(&kept), read(&certificate)), ("precious".into(), "{}".into()));
    }

    #[test]
    fn the_certificate_before_comes_back_on_every_file_system() {
        for means in [Means::ALL, Means::LINKS, Means::RENAMES] {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("out");
            let certificate = certificate_path(&target);
            let names = || std::fs::read_dir(dir.path()).unwrap().count();
            let place = |replace: bool, text: &str| place_by(means, &target, replace.into(), text.as_bytes());
            drop(place(false, "first").unwrap());
            assert_eq!(names(), 0, "{means:?}");
            place(false, "first").unwrap().keep();
            assert!(read(&certificate) == "first" && names() == 1, "{means:?}");
            let placed = place(true, "second").unwrap();
            assert!(read(&certificate) == "second" && names() == 2, "{means:?}");
            drop(placed);
            assert!(read(&certificate) == "first" && names() == 1, "{means:?}");
            place(true, "second").unwrap().keep();
            assert!(read(&certificate) == "second" && names() == 1, "{means:?}");
            // What is no certificate keeps its name and its place.
            assert!(matches!(place(false, "third"), Err(Failure::NoCertificate(_))), "{means:?}");
            assert!(read(&certificate) == "second" && names() == 1, "{means:?}");
        }
    }

    #[test]
    fn a_certificate_that_was_looked_at_is_replaced_on_every_file_system() {
        for means in [Means::ALL, Means::LINKS, Means::RENAMES] {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("out");
            let certificate = certificate_path(&target);
            let names = || std::fs::read_dir(dir.path()).unwrap().count();
            std::fs::write(&target, "old").unwrap();
            std::fs::write(&certificate, "first").unwrap();
            let replace = Replace::only(&target).unwrap();
            let place = |text: &str| place_by(means, &target, replace, text.as_bytes());
            place("second").unwrap().keep();
            assert!(read(&certificate) == "second" && names() == 2, "{means:?}");
            // Another state of it stays, and so does its absence.
            assert!(matches!(place("third"), Err(Failure::Stale(at, _)) if at == target), "{means:?}");
            assert!(read(&certificate) == "second" && names() == 2, "{means:?}");
            std::fs::remove_file(&certificate).unwrap();
            assert!(matches!(place("third"), Err(Failure::Stale(..))) && names() == 1, "{means:?}");
        }
    }

    #[test]
    fn a_certificate_that_came_where_there_was_none_stays() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        std::fs::write(&target, "old").unwrap();
        let replace = Replace::only(&target).unwrap();
        drop(place_certificate(&target, replace, b"{}").unwrap());
        std::fs::write(certificate_path(&target), "theirs").unwrap();
        assert!(matches!(place_certificate(&target, replace, b"{}"), Err(Failure::Stale(..))));
        assert_eq!(read(&certificate_path(&target)), "theirs");
    }

    #[test]
    fn what_came_in_the_place_of_a_target_at_the_last_moment_gets_its_name_back() {
        let dir = tempfile::tempdir().unwrap();
        let (target, made) = (dir.path().join("out"), dir.path().join("made"));
        let names = || std::fs::read_dir(dir.path()).unwrap().count();
        for means in [Means::ALL, Means::LINKS, Means::RENAMES] {
            std::fs::write(&target, "old").unwrap();
            std::fs::write(&made, "new").unwrap();
            let replace = Replace::only(&target).unwrap();
            name_target(means, &made, &target, replace).unwrap();
            assert!(read(&target) == "new" && names() == 1, "{means:?}");
        }
        let replace = Replace::only(&target).unwrap();
        std::fs::write(&made, "newer").unwrap();
        let theirs = dir.path().join("theirs");
        std::fs::write(&theirs, "theirs").unwrap();
        std::fs::rename(&theirs, &target).unwrap();
        let refused = name_target(Means::ALL, &made, &target, replace);
        assert!(matches!(refused, Err(Failure::Stale(at, _)) if at == target));
        assert_eq!((read(&target), read(&made)), ("theirs".into(), "newer".into()));
    }

    #[test]
    fn a_pair_that_cannot_be_published_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (target, made) = (dir.path().join("out"), dir.path().join("made"));
        let certificate = certificate_path(&target);
        let names = || std::fs::read_dir(dir.path()).unwrap().count();
        std::fs::write(&target, "precious").unwrap();
        std::fs::write(&made, "new").unwrap();
        let publish = |target: &Path, replace: bool, certificate: &[u8]| {
            let file = File::open(&made).unwrap();
            publish_pair((&file, &made), target, replace.into(), certificate)
        };
        let refused = publish(&target, false, b"{}");
        assert!(matches!(refused, Err(Failure::Exists(path)) if path == target));
        assert_eq!(names(), 2);
        publish(&target, true, b"{}").unwrap();
        assert_eq!((read(&target), read(&certificate), names()), ("new".into(), "{}".into(), 2));
        // What is no file is not replaced, also where it came after the beginning.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        std::fs::write(&made, "newer").unwrap();
        assert!(matches!(publish(&link, true, b"{}"), Err(Failure::Usage(_))));
        assert!(link.is_symlink() && read(&target) == "new" && names() == 4);
        std::fs::remove_file(&link).unwrap();
        // What has another file's name by now is not published.
        let file = File::open(&made).unwrap();
        std::fs::remove_file(&made).unwrap();
        let lost = publish_pair((&file, &made), &target, Replace::Anything, b"[]");
        assert!(matches!(lost, Err(Failure::Temporary(_))));
        assert_eq!((read(&certificate), names()), ("{}".into(), 2));
        // A target that gets no name takes that of its certificate away, and the one before comes back.
        drop(place_certificate(&target, true, b"[]").unwrap());
        assert_eq!((read(&certificate), names()), ("{}".into(), 2));
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
    fn no_run_takes_what_is_replaced_for_its_own_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join(".out.part"), dir.path().join("out"));
        let begin = || {
            std::fs::write(&target, "former").unwrap();
            let mut file = create_locked(&path, &target).unwrap();
            file.write_all(b"new").unwrap();
            (file, Replace::only(&target).unwrap())
        };
        // What somebody holds is not replaced.
        let (made, replace) = begin();
        let writer = File::open(&target).unwrap();
        writer.lock().unwrap();
        let refused = name_target(Means::ALL, &path, &target, replace);
        assert!(matches!(refused, Err(Failure::Temporary(_))), "{refused:?}");
        assert_eq!((read(&path), read(&target)), ("new".into(), "former".into()));
        drop((made, writer));
        // Another run that waits for the temporary gets one of its own, which nobody takes from it.
        for _ in 0..100 {
            let (_made, replace) = begin();
            let theirs = std::thread::scope(|scope| {
                let other = scope.spawn(|| {
                    loop {
                        if let Ok(theirs) = open_locked(&path, &target, "the target") {
                            return theirs;
                        }
                    }
                });
                name_target(Means::ALL, &path, &target, replace).unwrap();
                other.join().unwrap()
            });
            assert_eq!(read(&target), "new");
            assert!(is_at(&theirs, &path) && theirs.metadata().unwrap().len() == 0);
        }
    }

    #[test]
    fn a_directory_that_cannot_be_forced_to_disk_is_told() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(sync_directory(&dir.path().join("out")), None);
        let told = sync_directory(&dir.path().join("none/out")).unwrap();
        assert!(told.contains("none: could not be forced to disk (No such file"), "{told}");
    }
}
