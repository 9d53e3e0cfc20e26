//! Provides the temporaries of our own that lie beside what they become: each has one writer, and what is
//! written into one is in no file that has another name too.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Gid, OFlags, fchown};

use super::staging::{directory_of, refuse_missing_directory};
use crate::failure::{Failure, Result};

/// Opens a file of our own beside a target for writing. A link that somebody else put there is not followed,
/// and removed.
fn open_beside(path: &Path) -> Result<File> {
    refuse_in_the_way(path)?;
    let failed = |error| Failure::io(path, error);
    if path.is_symlink() {
        std::fs::remove_file(path).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options.open(path).map_err(failed)
}

/// Makes a file of our own beside a target for writing, in the place of what an interrupted run left there.
/// That is not written into: it may be what had the name of the finished file before, such as a link or a
/// file that has other names too.
pub(super) fn create_beside(path: &Path) -> Result<File> {
    remove_left(path)?;
    create_new(path).map_err(|error| Failure::io(path, error))
}

fn create_new(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options.open(path)
}

/// Removes what an interrupted run left.
pub(super) fn remove_left(path: &Path) -> Result<()> {
    refuse_in_the_way(path)?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::io(path, error)),
        _ => Ok(()),
    }
}

/// Fails where something that no temporary replaces has the name of one: what is no file and no link.
pub(super) fn refuse_in_the_way(path: &Path) -> Result<()> {
    match path.symlink_metadata().map(|metadata| metadata.file_type()) {
        Ok(kind) if !kind.is_file() && !kind.is_symlink() => {
            Err(Failure::Usage(format!("{}: is in the way and no file; remove it", path.display())))
        }
        _ => Ok(()),
    }
}

/// Opens the temporary of `target`, which a person calls so, for writing, and locks it, so that no other run
/// writes it meanwhile.
///
/// # Errors
/// Another run holds it; the directory that it is to stand in is missing.
pub(super) fn open_locked(path: &Path, target: &Path, what: &str) -> Result<File> {
    refuse_missing_directory(directory_of(target), what)?;
    loop {
        let file = open_beside(path)?;
        if lock(&file, path, target)? {
            return Ok(file);
        }
    }
}

/// The same for what will be written from its beginning or, where `resume` says so, gone on with: what is not
/// ours alone loses its name, and the temporary is a new file, with the same bytes where these are wanted.
pub(super) fn open_alone(path: &Path, target: &Path, what: &str, resume: bool) -> Result<File> {
    let file = open_locked(path, target, what)?;
    if !left_to_others(&file, path)? {
        return Ok(file);
    }
    let own = create_locked(path, target)?;
    if resume {
        std::io::copy(&mut &file, &mut &own).map_err(|error| Failure::io(path, error))?;
    }
    Ok(own)
}

/// Takes its name from a locked temporary that others have too, and tells whether any do: one with another
/// name, such as that of the target, which a run gave it and was killed, or one in a copy of the directory
/// that is made of links; and one of somebody else, who may change it after it was read back.
pub(super) fn left_to_others(file: &File, path: &Path) -> Result<bool> {
    let failed = |error| Failure::io(path, error);
    let metadata = file.metadata().map_err(failed)?;
    let is_ours = metadata.nlink() <= 1 && metadata.uid() == rustix::process::geteuid().as_raw();
    if !is_ours {
        std::fs::remove_file(path).map_err(failed)?;
    }
    Ok(!is_ours)
}

/// Makes a temporary of `target` as [`create_beside`] does, and locks it. What was left there is locked while
/// it is removed, so that it is of no other run.
///
/// # Errors
/// Another run holds what is there.
pub(super) fn create_locked(path: &Path, target: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
    loop {
        match create_new(path) {
            Ok(file) if lock(&file, path, target)? => return Ok(file),
            // Another run removed it meanwhile.
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // What cannot be opened, such as a link, is locked by nobody.
                let left = options.open(path).ok();
                if left.as_ref().map_or(Ok(true), |left| lock(left, path, target))? {
                    remove_left(path)?;
                }
            }
            Err(error) => return Err(Failure::io(path, error)),
        }
    }
}

/// Gives a temporary the group and the permissions of what it is to replace, so that nobody gets to read or
/// write it who could not before; whoever makes it must be able to. Where it cannot be given to the group, no
/// group may do anything with it.
pub(super) fn permit_as(replaced: &Path, file: &File, path: &Path) -> Result<()> {
    let Ok(found) = replaced.symlink_metadata() else { return Ok(()) };
    let failed = |error| Failure::io(path, error);
    let made = file.metadata().map_err(failed)?;
    let own = match (found.is_file() && made.is_file(), found.is_dir() && made.is_dir()) {
        (true, _) => 0o600,
        (_, true) => 0o700,
        _ => return Ok(()),
    };
    let is_given = || fchown(file, None, Some(Gid::from_raw(found.gid()))).is_ok();
    let kept = if found.gid() == made.gid() || is_given() { 0o777 } else { 0o707 };
    let mode = (found.mode() & kept) | own;
    // Where permissions cannot be chosen, all are alike.
    if made.mode() & 0o777 == mode {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(mode)).map_err(failed)
}

/// Fails where a temporary lost its name to somebody else.
pub(super) fn refuse_taken_away(file: &File, path: &Path) -> Result<()> {
    match is_at(file, path) {
        true => Ok(()),
        false => {
            let shown = path.display();
            Err(Failure::Temporary(format!("{shown}: was removed or replaced meanwhile; convert again")))
        }
    }
}

/// Removes a temporary, unless its name is that of another file by now.
pub(super) fn remove_own(file: &File, path: &Path) {
    if is_at(file, path) {
        // Nothing can be done about a failure here; the next run removes the leftover or begins with it.
        let _ = std::fs::remove_file(path);
    }
}

/// Locks the open temporary of `target`, and tells whether it still has its name: what another run gave its
/// final name, or removed, between opening and locking must not be written.
///
/// # Errors
/// Another run holds it.
pub(super) fn lock(file: &File, path: &Path, target: &Path) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(is_at(file, path)),
        Err(TryLockError::WouldBlock) => Err(held(target)),
        Err(TryLockError::Error(error)) => {
            // One that was made to be locked is not left behind.
            if is_empty(file) {
                remove_own(file, path);
            }
            Err(Failure::io(path, error))
        }
    }
}

/// Another run holds the temporary of this target, or the target itself while it gets another name.
pub(super) fn held(target: &Path) -> Failure {
    let shown = target.display();
    Failure::Temporary(format!("{shown}: another conversion is writing it; wait for it"))
}

/// Whether there is nothing in a file.
pub(super) fn is_empty(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

/// Whether an open file is the one of this name.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_temporary_that_is_made_anew_has_one_writer_too() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join(".out.new"), dir.path().join("out"));
        let first = create_locked(&path, &target).unwrap();
        for taken in [create_locked(&path, &target), open_locked(&path, &target, "the target")] {
            assert!(matches!(taken, Err(Failure::Temporary(_))));
        }
        assert!(is_at(&first, &path));
        refuse_taken_away(&first, &path).unwrap();
        // What nobody has locked is a leftover.
        drop(first);
        std::fs::write(&path, "left").unwrap();
        let second = create_locked(&path, &target).unwrap();
        assert_eq!(second.metadata().unwrap().len(), 0);
        // What another put in its place is not removed.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        assert!(matches!(refuse_taken_away(&second, &path), Err(Failure::Temporary(_))));
        remove_own(&second, &path);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
    }

    #[test]
    fn of_many_runs_at_once_one_makes_a_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join(".out.part"), dir.path().join("out"));
        for _ in 0..200 {
            std::fs::write(&path, "left by a killed run").unwrap();
            let made: Vec<_> = std::thread::scope(|scope| {
                let run = || create_locked(&path, &target);
                let runs: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
                runs.into_iter().map(|run| run.join().unwrap()).collect()
            });
            let held = made.iter().flatten().filter(|file| is_at(file, &path)).count();
            let (mine, refused): (Vec<_>, Vec<_>) = made.iter().partition(|made| made.is_ok());
            assert!(held == mine.len() && held <= 1, "{made:?}");
            assert!(refused.iter().all(|made| matches!(made, Err(Failure::Temporary(_)))), "{made:?}");
        }
    }

    #[test]
    fn a_temporary_that_cannot_be_locked_is_not_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join(".out.part"), dir.path().join("out"));
        for (held, left) in [("", false), ("begun", true)] {
            std::fs::write(&path, held).unwrap();
            // What was opened for its place alone can be locked on no file system.
            let opened = rustix::fs::open(&path, OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
            let failed = lock(&opened.into(), &path, &target);
            assert!(matches!(failed, Err(Failure::Io { .. })));
            assert_eq!(path.exists(), left);
        }
    }

    #[test]
    fn a_temporary_has_one_writer() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join(".out.part"), dir.path().join("out"));
        let first = open_locked(&path, &target, "the target").unwrap();
        assert!(matches!(open_locked(&path, &target, "the target"), Err(Failure::Temporary(_))));
        // What has its final name is another's to write no more, though it was opened before.
        std::fs::rename(&path, &target).unwrap();
        assert!(is_at(&first, &target) && !is_at(&first, &path));
        let second = open_locked(&path, &target, "the target").unwrap();
        assert!(is_at(&second, &path));
        let missing = dir.path().join("none");
        assert!(open_locked(&missing.join(".out.part"), &missing.join("out"), "the target").is_err());
    }

    #[test]
    fn what_has_another_name_is_not_written_into() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join(".out.part"), dir.path().join("out"));
        // As a run leaves it that was killed between the link to the target and the removal of its own name.
        std::fs::write(&target, "precious").unwrap();
        std::fs::hard_link(&target, &path).unwrap();
        let open = |resume| open_alone(&path, &target, "the target", resume);
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let opened = open(false).unwrap();
        assert!(is_at(&opened, &path) && !is_at(&opened, &target) && read(&path).is_empty());
        assert_eq!(read(&target), "precious");
        drop(opened);
        // What it holds is gone on with in a file of its own.
        std::fs::remove_file(&path).unwrap();
        std::fs::hard_link(&target, &path).unwrap();
        let opened = open(true).unwrap();
        assert!(is_at(&opened, &path) && !is_at(&opened, &target) && read(&path) == "precious");
        opened.set_len(0).unwrap();
        assert_eq!(read(&target), "precious");
        drop(opened);
        // What has one name is gone on with as it is.
        std::fs::write(&path, "begun").unwrap();
        let inode = path.metadata().unwrap().ino();
        let opened = open(true).unwrap();
        assert!(read(&path) == "begun" && path.metadata().unwrap().ino() == inode);
        assert!(matches!(open(true), Err(Failure::Temporary(_))));
        drop(opened);
    }

    #[test]
    fn what_is_of_somebody_else_does_not_become_the_target() {
        // Only root gives files to others.
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join(".out.part"), dir.path().join("out"));
        for (resume, held) in [(false, ""), (true, "theirs")] {
            std::fs::write(&path, "theirs").unwrap();
            std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
            let theirs = File::options().append(true).open(&path).unwrap();
            let opened = open_alone(&path, &target, "the target", resume).unwrap();
            (&theirs).write_all(b" changed").unwrap();
            assert!(is_at(&opened, &path) && opened.metadata().unwrap().uid() == 0);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), held);
        }
    }

    #[test]
    fn a_temporary_is_permitted_what_the_file_before_was() {
        let dir = tempfile::tempdir().unwrap();
        let (path, before) = (dir.path().join(".out.part"), dir.path().join("out"));
        let file = create_beside(&path).unwrap();
        let mode = || path.metadata().unwrap().mode() & 0o777;
        let first = mode();
        permit_as(&before, &file, &path).unwrap();
        assert_eq!(mode(), first);
        std::fs::write(&before, "").unwrap();
        for (of_before, made) in [(0o600, 0o600), (0o640, 0o640), (0o444, 0o644), (0o4755, 0o755)] {
            std::fs::set_permissions(&before, Permissions::from_mode(of_before)).unwrap();
            permit_as(&before, &file, &path).unwrap();
            assert_eq!(mode(), made);
        }
        // Who is no root gives files to its own groups alone.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&before, None, Some(65534)).unwrap();
            permit_as(&before, &file, &path).unwrap();
            assert_eq!(path.metadata().unwrap().gid(), 65534);
        }
    }

    #[test]
    fn a_file_is_made_in_the_place_of_what_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let (path, kept) = (dir.path().join(".out.new"), dir.path().join("kept"));
        std::fs::write(&kept, "precious").unwrap();
        let made = || {
            let made = create_beside(&path).unwrap();
            assert!(is_at(&made, &path) && path.symlink_metadata().unwrap().is_file());
            assert_eq!(made.metadata().unwrap().len(), 0);
            assert_eq!(std::fs::read_to_string(&kept).unwrap(), "precious");
            std::fs::remove_file(&path).unwrap();
        };
        made();
        std::fs::hard_link(&kept, &path).unwrap();
        made();
        std::os::unix::fs::symlink(&kept, &path).unwrap();
        made();
        std::fs::create_dir(&path).unwrap();
        let failure = create_beside(&path).unwrap_err().to_string();
        assert!(failure.contains(".out.new: is in the way and no file; remove it"), "{failure}");
        let failure = open_beside(&path).unwrap_err().to_string();
        assert!(failure.contains(".out.new: is in the way and no file; remove it"), "{failure}");
        std::fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink(&kept, &path).unwrap();
        assert!(is_at(&open_beside(&path).unwrap(), &path));
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), "precious");
    }
}
