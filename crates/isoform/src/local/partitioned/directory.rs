//! Provides the temporary directory beside a partitioned target, and the one way in which it becomes the
//! target.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use coherence::verified::VerifiedWhole;
use rustix::fs::{CWD, FsWord, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::finished::Finished;
use crate::failure::{Failure, Result};
use crate::local::directories::Directories;
use crate::local::folder::{Folder, refuse_blocked, taken};
use crate::local::inside::refuse_inside;
use crate::local::interrupted::undo;
use crate::local::publish::{place_certificate, sync_directory};
use crate::local::resume::Identity;
use crate::local::staging::{
    FORMER_ENDING, NEW_ENDING, beside, certificate_path, directory_of, refuse_existing, refuse_unfit_name,
};
use crate::local::temporary::permit_as;
use crate::local::verify::read_certificate;

/// The way to give something another name: the system call, or what file systems are that know less of it.
type Rename = fn(&Path, &Path, RenameFlags) -> rustix::io::Result<()>;

/// Bytes of an identity that are read at most.
const IDENTITY_BYTES_MAX: u64 = 64 << 10;

/// A directory that is not finished. It is removed when dropped, unless it was published, or files in it are
/// finished and kept for a later run, or it holds what had the name of the target and cannot get that back.
#[derive(Debug)]
pub struct Directory {
    target: PathBuf,
    folder: Folder,
    replace: bool,
    /// Whether what is finished stays for a later run.
    keep: bool,
    rename: Rename,
    /// Those above it, which do not stay where it does not.
    _above: Directories,
}

impl Directory {
    /// Makes the temporary of `target`, and locks it. It is empty, unless what an earlier run finished is to
    /// be used, which stays however this run ends.
    ///
    /// # Errors
    /// The target exists and is not to be replaced, or holds what no certificate lists; another run holds the
    /// temporary.
    pub fn make(target: &Path, replace: bool, resume: bool) -> Result<Self> {
        Self::by(target, replace, resume, |from, to, flags| renameat_with(CWD, from, CWD, to, flags))
    }

    fn by(target: &Path, replace: bool, resume: bool, rename: Rename) -> Result<Self> {
        refuse_existing(target, replace)?;
        refuse_unfit(target)?;
        let above = Directories::make(directory_of(target), std::iter::empty(), "the target")?;
        let (folder, keep) = (Folder::locked(target)?, resume);
        let directory = Directory { target: target.to_owned(), folder, replace, keep, rename, _above: above };
        let target = &directory.target;
        permit_as(target, directory.folder.handle(), directory.folder.path())?;
        directory.put_back()?;
        undo(target)?;
        refuse_existing(target, replace)?;
        if target.symlink_metadata().is_ok() {
            refuse_foreign(target, &listed(target))?;
        }
        if !resume || !directory.is_whole() {
            directory.clear()?;
        }
        if is_layered(target) {
            directory.refuse_immovable()?;
        }
        Ok(directory)
    }

    /// What the earlier run that left something here shares with a run that may use it.
    pub fn earlier(&self) -> Option<Identity> {
        let path = self.identity();
        let text = path.symlink_metadata().is_ok_and(|found| found.is_file()).then(|| File::open(path).ok());
        let text = text.flatten()?;
        let mut line = String::new();
        text.take(IDENTITY_BYTES_MAX).read_to_string(&mut line).ok()?;
        Identity::parse(&line)
    }

    /// Makes the place for rows anew, and that for the target, unless an earlier run that was typed like this
    /// one left something there. What is given back knows of that.
    pub fn begin(&self, identity: &Identity) -> Result<Finished> {
        let failed = |error| Failure::io(self.folder.path(), error);
        let line = identity.line()?;
        match self.earlier().is_some_and(|found| found.is_like(identity)) {
            true => {
                std::fs::remove_dir_all(self.rows()).map_err(failed)?;
                std::fs::create_dir(self.rows()).map_err(failed)?;
            }
            false => {
                self.clear()?;
                std::fs::write(self.identity(), &line).map_err(failed)?;
            }
        }
        Ok(Finished::new(self.finished(), identity.typing().to_owned()))
    }

    /// Says whether what is finished stays for a later run.
    pub fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    /// Whether it has all that [`Self::clear`] makes, and no links, which lead elsewhere.
    fn is_whole(&self) -> bool {
        let is_dir = |path: &PathBuf| path.symlink_metadata().is_ok_and(|found| found.is_dir());
        // A run that ended removed it; where it cannot be made, it is missed below.
        let _ = std::fs::create_dir(self.rows());
        let places = [self.rows(), self.files(), self.finished()];
        places.iter().all(|place| is_dir(place) && files_below(place).is_ok())
    }

    /// Removes all that is in it, and makes the places for rows and for the target anew.
    fn clear(&self) -> Result<()> {
        let files = self.files();
        self.folder.clear(&[self.rows(), files.clone(), self.finished()])?;
        let handle = File::open(&files).map_err(|error| Failure::io(&files, error))?;
        permit_as(&self.target, &handle, &files)
    }

    /// Where the rows of each partition wait.
    pub fn rows(&self) -> PathBuf {
        self.folder.path().join("rows")
    }

    /// What becomes the target.
    pub fn files(&self) -> PathBuf {
        self.folder.files()
    }

    /// Where the journals of finished files are.
    fn finished(&self) -> PathBuf {
        self.folder.path().join("finished")
    }

    /// Where it is told what conversion all this is of.
    fn identity(&self) -> PathBuf {
        self.folder.path().join("identity")
    }

    /// What has the name of the target, or had it, where a run ended before it was known which: unless
    /// certificates list all of it, it is nothing that may be removed.
    fn old(&self) -> PathBuf {
        self.folder.old()
    }

    /// Removes all of what becomes the target but these files: a run that was killed when it had put its
    /// files in the place of another target left those of that one.
    pub fn retain(&self, wanted: &BTreeSet<String>) -> Result<()> {
        let dir = self.files();
        for file in files_below(&dir)?.difference(wanted) {
            let path = dir.join(file);
            std::fs::remove_file(&path).map_err(|error| Failure::io(&path, error))?;
            // Directories that hold others stay.
            let above = path.ancestors().skip(1).take_while(|above| **above != dir);
            above.take_while(|above| std::fs::remove_dir(above).is_ok()).for_each(drop);
        }
        Ok(())
    }

    /// Waits until all files, and their names, are on the disk: for the whole file system at once, since to
    /// wait for thousands of files one by one takes minutes.
    pub fn sync(&self) -> Result<()> {
        rustix::fs::syncfs(self.folder.handle()).map_err(|error| {
            // What reads the files again finds them in memory and sound: no later run may go on from them.
            let _ = self.clear();
            Failure::io(self.folder.path(), error.into())
        })
    }

    /// Makes certificate and target visible under their names, the certificate first, so that a target is
    /// never without one; gives what is to be said where their names may not outlast a power failure. The
    /// proof is asked for here so that nothing unverified can be published.
    pub fn publish(mut self, _proof: &VerifiedWhole, certificate: &[u8]) -> Result<Option<String>> {
        let unsynced = self.give_name(certificate)?;
        self.keep = false;
        Ok(unsynced)
    }

    fn give_name(&self, certificate: &[u8]) -> Result<Option<String>> {
        refuse_existing(&self.target, self.replace)?;
        let listed = listed(&self.target);
        let placed = place_certificate(&self.target, self.replace, certificate)?;
        match self.replace && self.target.symlink_metadata().is_ok() {
            true => self.exchange(&self.files(), &listed)?,
            false => self.rename_new(&self.files())?,
        }
        placed.keep();
        Ok(sync_directory(&self.target))
    }

    /// Puts the files in the place of the target, which is where they were then, and is removed with the rest
    /// of the temporary. What came into it during the run is found where nobody looks for it any more, and
    /// the target has its name again then.
    fn exchange(&self, files: &Path, listed: &BTreeSet<String>) -> Result<()> {
        let (target, old) = (&self.target, &self.old());
        let failed = |error: Errno| match error {
            Errno::XDEV => immovable(target),
            error => Failure::io(target, error.into()),
        };
        let plain = |from: &Path, to: &Path| (self.rename)(from, to, RenameFlags::empty());
        let exchange = || (self.rename)(old, target, RenameFlags::EXCHANGE);
        // Under that name it stays where the run is killed before what comes out of the target was looked at.
        plain(files, old).map_err(failed)?;
        match exchange() {
            Ok(()) => match refuse_foreign(old, listed) {
                // Where this fails, the next run says what is left.
                Ok(()) => plain(old, files).or(Ok(())),
                Err(foreign) => {
                    // Somebody else may have taken the new target away; the old one gets its name back then.
                    exchange().map_or_else(|_| self.put_back(), |()| plain(old, files).map_err(failed))?;
                    refuse_foreign(target, listed).and(Err(foreign))
                }
            },
            Err(error) if knows_no_flags(error) => {
                plain(old, files).map_err(failed)?;
                plain(target, old).map_err(failed)?;
                plain(files, target).or_else(|error| self.put_back().and(Err(failed(error))))?;
                if let Err(foreign) = refuse_foreign(old, listed) {
                    plain(target, files).map_err(failed)?;
                    self.put_back()?;
                    return refuse_foreign(target, listed).and(Err(foreign));
                }
                // As above.
                plain(old, files).or(Ok(()))
            }
            Err(error) => plain(old, files).and(Err(error)).map_err(failed),
        }
    }

    /// Fails where the target cannot be moved. A file system of layers tells so before it looks at where that
    /// is to go: nothing takes the place of a directory that holds something, as the temporary does.
    fn refuse_immovable(&self) -> Result<()> {
        match (self.rename)(&self.target, self.folder.path(), RenameFlags::empty()) {
            Err(Errno::XDEV) => Err(immovable(&self.target)),
            _ => Ok(()),
        }
    }

    /// Gives the target's name to this, where nothing has it.
    fn rename_new(&self, from: &Path) -> Result<()> {
        let target = &self.target;
        let renamed = match (self.rename)(from, target, RenameFlags::NOREPLACE) {
            Err(error) if knows_no_flags(error) => match target.symlink_metadata() {
                Ok(_) => Err(Errno::EXIST),
                Err(_) => (self.rename)(from, target, RenameFlags::empty()),
            },
            renamed => renamed,
        };
        renamed.map_err(|error| match error {
            // The plain rename has words of its own for a directory that holds something, and for a file.
            Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR => Failure::Exists(target.clone()),
            error => Failure::io(target, error.into()),
        })
    }

    /// Gives the target its name again, where a run ended, or failed, after that was taken from it and before
    /// the files had it. Where something has the name, what certificates list is called as what becomes the
    /// target: a run that ended before the exchange had finished it, and one that goes on tells by its
    /// digests.
    fn put_back(&self) -> Result<()> {
        let (old, files) = (self.old(), self.files());
        if old.symlink_metadata().is_err() {
            return Ok(());
        }
        self.rename_new(&old).or_else(|failure| match failure {
            Failure::Exists(target) => match was_listed(&old, &target) {
                true if files.symlink_metadata().is_err() => {
                    std::fs::rename(&old, &files).map_err(|error| Failure::io(&old, error))
                }
                true => Ok(()),
                false => Err(taken(&old, &target)),
            },
            other => Err(other),
        })
    }
}

/// Fails where a directory of partitions cannot have a name, or something else has that of its temporary.
pub fn refuse_unfit(target: &Path) -> Result<()> {
    refuse_unfit_name(target)?;
    refuse_inside(target)?;
    refuse_blocked(target)
}

/// Whether a rename was refused since the file system knows none that exchanges, or refuses to replace.
fn knows_no_flags(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

impl Drop for Directory {
    fn drop(&mut self) {
        let finished = || std::fs::read_dir(self.finished()).is_ok_and(|mut found| found.next().is_some());
        // From nothing no later run goes on, and none needs the rows.
        let left = if self.keep && finished() { self.rows() } else { self.folder.path().to_owned() };
        // Nothing can be done about a failure here; the next run clears the leftover.
        let _ = self.put_back().map(|()| std::fs::remove_dir_all(left));
    }
}

/// Files below a directory, by their paths in it with `/` between names, in the order of these.
///
/// # Errors
/// What is neither a file nor a directory; a name that is not UTF-8.
pub fn files_below(dir: &Path) -> Result<BTreeSet<String>> {
    fn walk(dir: &Path, prefix: &str, found: &mut BTreeSet<String>) -> Result<()> {
        let failed = |error| Failure::io(dir, error);
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let shown = entry.path().display().to_string();
            let name = entry.file_name().into_string();
            let name = name.map_err(|_| Failure::Other(format!("{shown}: the name is not UTF-8")))?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                walk(&entry.path(), &format!("{prefix}{name}/"), found)?;
            } else if kind.is_file() {
                found.insert(format!("{prefix}{name}"));
            } else {
                return Err(Failure::Other(format!("{shown}: is neither a file nor a directory")));
            }
        }
        Ok(())
    }
    let mut found = BTreeSet::new();
    walk(dir, "", &mut found)?;
    Ok(found)
}

/// The path of a file below its target, given the name that a certificate has for it.
pub fn below(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, below)| below)
}

/// The type of a file system of layers, as containers have it, in which a directory of a lower layer is not
/// moved: OVERLAYFS_SUPER_MAGIC of Linux.
const LAYERED: FsWord = 0x794c_7630;

/// Whether a directory is in such a file system.
fn is_layered(dir: &Path) -> bool {
    rustix::fs::statfs(dir).is_ok_and(|found| found.f_type == LAYERED)
}

/// What is said of a directory that a file system of layers does not move.
fn immovable(target: &Path) -> Failure {
    Failure::Usage(format!(
        "{}: comes from a lower layer of the file system, as of the image of a container, and cannot be \
         replaced; remove it yourself or give another name",
        target.display()
    ))
}

/// Whether the certificate beside a target, or that which it replaced, lists all files of a directory.
fn was_listed(dir: &Path, target: &Path) -> bool {
    let at = certificate_path(target);
    let names = [Ok(at.clone()), beside(&at, NEW_ENDING), beside(target, FORMER_ENDING)];
    names.into_iter().flatten().any(|name| refuse_foreign(dir, &listed_by(&name)).is_ok())
}

/// The files that the certificate beside a target lists, by their paths below it.
fn listed(target: &Path) -> BTreeSet<String> {
    listed_by(&certificate_path(target))
}

/// The files that a certificate lists.
fn listed_by(certificate: &Path) -> BTreeSet<String> {
    let Ok(certificate) = read_certificate(certificate, None) else { return BTreeSet::new() };
    let subjects = certificate.statement().subject.iter();
    subjects.map(|subject| below(&subject.name).to_owned()).collect()
}

/// Only what a conversion made is replaced by one: a directory may hold anything else of value.
fn refuse_foreign(target: &Path, listed: &BTreeSet<String>) -> Result<()> {
    let shown = target.display();
    let is_dir = target.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    if !is_dir {
        let text = format!("{shown}: is no directory; --force replaces a directory only; give another name");
        return Err(Failure::Usage(text));
    }
    match files_below(target)?.difference(listed).next() {
        None => Ok(()),
        Some(file) => Err(Failure::Usage(format!(
            "{shown}: holds {file}, which no certificate beside it lists; --force replaces only what a \
             conversion made, so remove the directory yourself or give another name"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As file systems are that know all renames, and those that know the plain one alone.
    const RENAMES: [Rename; 2] = [
        |from, to, flags| renameat_with(CWD, from, CWD, to, flags),
        |from, to, flags| match flags.is_empty() {
            true => renameat_with(CWD, from, CWD, to, flags),
            false => Err(Errno::INVAL),
        },
    ];

    /// A temporary of `out` in this directory, of which one file is finished.
    fn finished(dir: &Path, replace: bool, rename: Rename) -> Directory {
        let directory = Directory::by(&dir.join("out"), replace, false, rename).unwrap();
        std::fs::write(directory.files().join("new"), "new").unwrap();
        directory
    }

    /// All that is below a directory, as far as it is made of files.
    fn held(dir: &Path) -> Vec<String> {
        files_below(dir).unwrap().into_iter().collect()
    }

    #[test]
    fn what_has_the_name_of_the_temporary_is_not_written_into() {
        let dir = tempfile::tempdir().unwrap();
        let (out, part) = (dir.path().join("out"), dir.path().join(".out.isoform-part"));
        let refused = || {
            let refused = Directory::make(&out, false, false).unwrap_err().to_string();
            assert!(refused.ends_with("part: is in the way and no directory; remove it"), "{refused}");
            std::fs::remove_file(&part).unwrap();
        };
        std::fs::write(&part, "").unwrap();
        refused();
        std::os::unix::fs::symlink("nowhere", &part).unwrap();
        refused();
        std::fs::create_dir(dir.path().join("elsewhere")).unwrap();
        std::fs::write(dir.path().join("elsewhere/kept"), "precious").unwrap();
        std::os::unix::fs::symlink("elsewhere", &part).unwrap();
        assert!(matches!(Folder::locked(&out), Err(Failure::Io { path, .. }) if path == part));
        refused();
        assert_eq!(held(dir.path()), ["elsewhere/kept"]);
    }

    #[test]
    fn what_came_into_the_target_during_the_run_stays() {
        for rename in RENAMES {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            std::fs::create_dir(&out).unwrap();
            let directory = finished(dir.path(), true, rename);
            std::fs::write(out.join("notes"), "precious").unwrap();
            let refused = directory.give_name(b"{}").unwrap_err();
            assert!(
                matches!(&refused, Failure::Usage(why) if why.contains("out: holds notes,")),
                "{refused}"
            );
            drop(directory);
            assert_eq!(held(dir.path()), ["out/notes"]);
            // A file that took the place of the directory stays too.
            std::fs::remove_file(out.join("notes")).unwrap();
            let directory = finished(dir.path(), true, rename);
            std::fs::remove_dir(&out).unwrap();
            std::fs::write(&out, "precious").unwrap();
            let refused = directory.give_name(b"{}").unwrap_err();
            assert!(
                matches!(&refused, Failure::Usage(why) if why.contains("out: is no directory")),
                "{refused}"
            );
            drop(directory);
            assert_eq!(held(dir.path()), ["out"]);
            assert_eq!(std::fs::read_to_string(&out).unwrap(), "precious");
        }
    }

    #[test]
    fn a_directory_gets_the_name_of_the_target() {
        for rename in RENAMES {
            let dir = tempfile::tempdir().unwrap();
            finished(dir.path(), false, rename).give_name(b"{}").unwrap();
            assert_eq!(held(dir.path()), ["out.isoform.sigstore.json", "out/new"]);
            std::fs::remove_file(dir.path().join("out/new")).unwrap();
            finished(dir.path(), true, rename).give_name(b"{}").unwrap();
            assert_eq!(held(dir.path()), ["out.isoform.sigstore.json", "out/new"]);
            let refused = Directory::by(&dir.path().join("out"), false, false, rename);
            assert!(matches!(refused, Err(Failure::Exists(_))));
        }
    }

    #[test]
    fn what_is_replaced_comes_back_where_the_new_target_gets_no_name() {
        for rename in RENAMES {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            std::fs::create_dir(&out).unwrap();
            let directory = finished(dir.path(), true, rename);
            std::fs::remove_dir_all(directory.files()).unwrap();
            assert!(matches!(directory.give_name(b"{}"), Err(Failure::Io { path, .. }) if path == out));
            drop(directory);
            let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
            assert_eq!(names.collect::<Vec<_>>(), ["out"]);
        }
    }

    #[test]
    fn what_came_into_the_target_of_a_killed_run_stays() {
        // Killed where the names are exchanged, before what came out of the target was looked at.
        let killed: Rename = |from, to, flags| match flags.contains(RenameFlags::EXCHANGE) {
            true => renameat_with(CWD, from, CWD, to, flags).and(Err(Errno::INTR)),
            false if from.ends_with("old") => Err(Errno::INTR),
            false => renameat_with(CWD, from, CWD, to, flags),
        };
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let directory = finished(dir.path(), true, killed);
        std::fs::write(out.join("notes"), "precious").unwrap();
        directory.give_name(b"{}").unwrap_err();
        drop(directory);
        for _ in 0..2 {
            let refused = Directory::by(&out, true, false, RENAMES[0]).unwrap_err().to_string();
            assert!(refused.contains("old: was in the place of "), "{refused}");
            assert_eq!(held(dir.path()), [".out.isoform-part/old/notes", "out/new"]);
        }
    }

    #[test]
    fn a_directory_keeps_who_may_read_it() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        for rename in RENAMES {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            std::fs::create_dir(&out).unwrap();
            std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o500)).unwrap();
            let directory = finished(dir.path(), true, rename);
            assert_eq!(directory.folder.path().metadata().unwrap().mode() & 0o777, 0o700);
            directory.give_name(b"{}").unwrap();
            assert_eq!(out.metadata().unwrap().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn what_a_killed_run_took_from_its_place_comes_back() {
        for rename in RENAMES {
            let dir = tempfile::tempdir().unwrap();
            let (out, part) = (dir.path().join("out"), dir.path().join(".out.isoform-part"));
            let left = || {
                std::fs::create_dir_all(part.join("old")).unwrap();
                std::fs::create_dir_all(part.join("files")).unwrap();
                std::fs::write(part.join("old/notes"), "precious").unwrap();
            };
            left();
            assert!(matches!(Directory::by(&out, false, false, rename), Err(Failure::Exists(_))));
            assert_eq!(held(dir.path()), ["out/notes"]);
            // Where something else has the name of the target, neither is removed.
            left();
            let refused = Directory::by(&out, true, false, rename).unwrap_err().to_string();
            assert!(refused.contains("old: was in the place of "), "{refused}");
            assert_eq!(held(dir.path()), [".out.isoform-part/old/notes", "out/notes"]);
        }
    }

    #[test]
    fn what_was_finished_before_the_exchange_is_gone_on_with() {
        use std::os::unix::fs::MetadataExt;
        for rename in RENAMES {
            let dir = tempfile::tempdir().unwrap();
            let (out, part) = (dir.path().join("out"), dir.path().join(".out.isoform-part"));
            let places = ["out", ".out.isoform-part/old", ".out.isoform-part/finished"];
            places.iter().for_each(|place| std::fs::create_dir_all(dir.path().join(place)).unwrap());
            let finished = part.join("old").metadata().unwrap().ino();
            let directory = Directory::by(&out, true, true, rename).unwrap();
            assert_eq!(directory.files().metadata().unwrap().ino(), finished);
            assert!(!directory.old().exists());
        }
    }

    #[test]
    fn a_directory_that_cannot_be_moved_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("out")).unwrap();
        for rename in RENAMES {
            finished(dir.path(), true, rename).refuse_immovable().unwrap();
        }
        let mut directory = finished(dir.path(), true, RENAMES[0]);
        directory.rename = |_, _, _| Err(Errno::XDEV);
        for refused in [directory.refuse_immovable(), directory.give_name(b"{}").map(drop)] {
            let refused = refused.unwrap_err();
            assert!(matches!(&refused, Failure::Usage(why) if why.contains("lower layer")), "{refused}");
        }
        drop(directory);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_finished_stays_for_a_later_run_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let make = |resume| Directory::by(&out, false, resume, RENAMES[0]).unwrap();
        let leave = |directory: Directory, journal: bool| {
            let files = directory.files();
            for path in ["a=1/b=1/old", "a=1/b=2/new", "a=2/b=1/old"] {
                std::fs::create_dir_all(files.join(path).parent().unwrap()).unwrap();
                std::fs::write(files.join(path), "").unwrap();
            }
            if journal {
                std::fs::write(directory.finished().join("journal"), "").unwrap();
            }
        };
        let left = |journal| held(dir.path()).iter().any(|path| path.ends_with("new")) == journal;
        for (resume, journal) in [(true, false), (false, true), (false, false), (true, true)] {
            leave(make(resume), journal);
            assert!(left(resume && journal), "{resume} {journal}");
        }
        let directory = make(true);
        directory.retain(&BTreeSet::from(["a=1/b=2/new".to_owned()])).unwrap();
        assert!(directory.files().join("a=1/b=2/new").exists() && !directory.files().join("a=2").exists());
        assert!(!directory.files().join("a=1/b=1").exists());
        drop(directory);
        // A link leads elsewhere: nothing is gone on from where there is one.
        std::fs::create_dir(dir.path().join("elsewhere")).unwrap();
        let part = dir.path().join(".out.isoform-part");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), part.join("files/a=3")).unwrap();
        drop(make(true));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "the directory elsewhere");
    }

    #[test]
    fn directories_above_a_target_stay_with_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("x/y/out");
        drop(Directory::make(&out, false, false).unwrap());
        assert!(!dir.path().join("x").exists());
        Directory::make(&out, false, false).unwrap().give_name(b"{}").unwrap();
        assert!(out.is_dir());
    }

    #[test]
    fn what_took_the_place_of_a_target_during_the_run_stays() {
        for rename in RENAMES {
            let dir = tempfile::tempdir().unwrap();
            let directory = finished(dir.path(), false, rename);
            std::fs::create_dir(dir.path().join("out")).unwrap();
            std::fs::write(dir.path().join("out/notes"), "precious").unwrap();
            assert!(matches!(directory.rename_new(&directory.files()), Err(Failure::Exists(_))));
            drop(directory);
            assert_eq!(held(dir.path()), ["out/notes"]);
        }
        // At the last instant, where the file system knows no rename that refuses to replace.
        let put: [Rename; 2] = [
            |from, to, flags| match flags.is_empty() {
                true => {
                    std::fs::create_dir_all(to.join("notes")).unwrap();
                    renameat_with(CWD, from, CWD, to, flags)
                }
                false => Err(Errno::NOSYS),
            },
            |from, to, flags| match flags.is_empty() {
                true => {
                    std::fs::write(to, "precious").unwrap();
                    renameat_with(CWD, from, CWD, to, flags)
                }
                false => Err(Errno::OPNOTSUPP),
            },
        ];
        for rename in put {
            let dir = tempfile::tempdir().unwrap();
            let directory = finished(dir.path(), false, rename);
            assert!(matches!(directory.rename_new(&directory.files()), Err(Failure::Exists(_))));
            assert!(dir.path().join("out").exists());
        }
    }
}
