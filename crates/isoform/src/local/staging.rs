//! Provides the temporary beside a target, and the names that nothing else may have.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use coherence::verified::VerifiedWhole;
use formats::file::ObjectFile;

use super::inside::refuse_inside;
use super::interrupted::undo;
use super::journal::Entry;
use super::naming::give_name;
use super::prove::digest_range;
use super::publish::{publish_pair, sync_directory, write_synced};
use super::replace::Replace;
use super::seal::refuse_foreign_certificate;
use super::standard::leads_into_system;
use super::temporary::{
    create_locked, is_at, is_empty, open_alone, permit_as, refuse_in_the_way, refuse_taken_away, remove_own,
};
use crate::failure::{Failure, Result, into_system};

/// Ending of a certificate's name, after the whole name of its target.
pub const CERTIFICATE_ENDING: &str = ".isoform.sigstore.json";

/// Ending of the name of a temporary, after a dot and the whole name of its target.
pub const PART_ENDING: &str = ".isoform-part";

/// Ending of the name of a journal, after a dot and the whole name of its target.
pub const JOURNAL_ENDING: &str = ".isoform-journal";

/// Ending of the name of a temporary of bad records, after a dot and the whole name of their file.
pub const REJECTS_ENDING: &str = ".isoform-rejects";

/// Ending of the name of a certificate that is not finished, after a dot and its whole name.
pub const NEW_ENDING: &str = ".isoform-new";

/// Ending of the name that the certificate before has until the new target has its name, where a file system
/// cannot exchange the two; after a dot and the whole name of the target.
pub const FORMER_ENDING: &str = ".isoform-former";

/// The certificate that belongs to a target.
pub fn certificate_path(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(CERTIFICATE_ENDING);
    PathBuf::from(name)
}

/// A name beside `target` that listings hide: same directory, so that a rename never crosses file systems.
pub fn beside(target: &Path, ending: &str) -> Result<PathBuf> {
    let name = target.file_name();
    let name = name.ok_or_else(|| Failure::Usage(format!("{}: names no file", target.display())))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(ending);
    Ok(target.with_file_name(hidden))
}

/// The names that a target and its certificate may have while they are made, that of the journal, and that of
/// the certificate before.
pub fn temporaries(target: &Path) -> Result<[PathBuf; 4]> {
    let certificate = beside(&certificate_path(target), NEW_ENDING)?;
    let of_target = |ending| beside(target, ending);
    Ok([of_target(PART_ENDING)?, of_target(JOURNAL_ENDING)?, certificate, of_target(FORMER_ENDING)?])
}

/// Bytes that a name may have on the file systems in use.
const NAME_BYTES_MAX: usize = 255;

/// What is added to the name of a target at most: by the temporary of its certificate.
const ADDED_BYTES: usize = 1 + CERTIFICATE_ENDING.len() + NEW_ENDING.len();

/// Whether a name is that of a temporary.
pub(super) fn is_of_temporary(name: &OsStr) -> bool {
    let endings = [PART_ENDING, JOURNAL_ENDING, REJECTS_ENDING, NEW_ENDING, FORMER_ENDING];
    let of = |ending: &str| name.as_bytes().strip_prefix(b".")?.strip_suffix(ending.as_bytes());
    endings.into_iter().filter_map(of).any(|name| !name.is_empty())
}

/// Fails where what is to be made has the name of a temporary of something else, or would lie in one: another
/// conversion would write over it and remove it.
pub fn refuse_name_of_temporary(path: &Path) -> Result<()> {
    let shown = path.display();
    match path.iter().find(|name| is_of_temporary(name)) {
        None => Ok(()),
        Some(name) => Err(Failure::Usage(format!(
            "{shown}: {} is a name for temporaries of other files, which conversions of these overwrite and \
             remove; give another name",
            name.display()
        ))),
    }
}

/// Fails where nothing may become the target: a directory, also one that there is not yet, and a link, a
/// device, a pipe or a socket, which a rename would replace; names that leave no room for those of the
/// temporaries, or are such names; and places in a directory that is certified as a whole.
pub fn refuse_unfit(target: &Path) -> Result<()> {
    let shown = target.display();
    match target.symlink_metadata().map(|metadata| metadata.file_type()) {
        Ok(_) if leads_into_system(target) => {
            return Err(Failure::Usage(format!("{shown}: {}", into_system(target))));
        }
        Ok(kind) if kind.is_symlink() => {
            return Err(Failure::Usage(format!(
                "{shown}: is a symbolic link; name the file that it points to, or remove the link"
            )));
        }
        Ok(kind) if kind.is_dir() => return Err(Failure::Usage(format!("{shown}: is a directory"))),
        Ok(kind) if !kind.is_file() => {
            return Err(Failure::Usage(format!(
                "{shown}: is a device, a pipe or a socket, and only a file can be replaced; \
                 for a pipe, give - as the target and redirect standard output"
            )));
        }
        _ if target.as_os_str().as_bytes().ends_with(b"/") => {
            return Err(Failure::Usage(format!(
                "{shown}: the name of a file has no slash at its end; leave it away, or name the directory \
                 for files of their own with --out-dir"
            )));
        }
        _ => {}
    }
    refuse_unfit_name(target)?;
    refuse_inside(target)
}

/// Fails where a file or a directory of partitions cannot have a name: it leaves no room for those of the
/// temporaries, or is such a name.
pub fn refuse_unfit_name(target: &Path) -> Result<()> {
    let bytes = target.file_name().map_or(0, |name| name.len());
    let max = NAME_BYTES_MAX - ADDED_BYTES;
    if bytes > max {
        let shown = target.display();
        return Err(Failure::Usage(format!(
            "{shown}: the name has {bytes} bytes; with more than {max} there is no room for the name of its \
             certificate: choose a shorter one"
        )));
    }
    refuse_name_of_temporary(target)
}

/// Fails where something that no temporary of a file replaces has the name of one. That of its certificate is
/// looked at with what else is in the place of that.
pub fn refuse_taken(target: &Path) -> Result<()> {
    [PART_ENDING, JOURNAL_ENDING].iter().try_for_each(|ending| refuse_in_the_way(&beside(target, ending)?))
}

/// Fails where a name for what an option asks for leads to a device or a stream.
pub fn refuse_system(option: &str, path: &Path) -> Result<()> {
    match leads_into_system(path) {
        true => Err(Failure::Usage(format!(
            "{option} {}: leads to a device or a stream; give the name of a file",
            path.display()
        ))),
        false => Ok(()),
    }
}

/// Fails where something has this name already and is not to be replaced.
pub fn refuse_existing(path: &Path, replace: bool) -> Result<()> {
    match !replace && path.symlink_metadata().is_ok() {
        true => Err(Failure::Exists(path.to_owned())),
        false => Ok(()),
    }
}

/// Fails where something else, such as a file or a link that leads nowhere, is in the place of a directory
/// for what a person calls so.
pub fn refuse_no_directory(dir: &Path, what: &str) -> Result<()> {
    // Looked at once: a directory may be gone at a second look.
    let is_other = |above: &&Path| match above.symlink_metadata() {
        Ok(found) if found.is_symlink() => !above.is_dir(),
        Ok(found) => !found.is_dir(),
        Err(_) => false,
    };
    match dir.ancestors().find(is_other) {
        None => Ok(()),
        Some(other) => {
            let shown = other.display();
            Err(Failure::Other(format!("{shown}: is no directory; give {what} another place")))
        }
    }
}

/// Fails where a directory for what a person calls so is missing.
pub(super) fn refuse_missing_directory(dir: &Path, what: &str) -> Result<()> {
    refuse_no_directory(dir, what)?;
    match dir.is_dir() {
        true => Ok(()),
        false => Err(Failure::Other(format!("{}: no such directory; make it first", dir.display()))),
    }
}

/// A target that is not finished. It is removed when dropped, unless it was published or kept.
#[derive(Debug)]
pub struct Staging {
    target: PathBuf,
    path: PathBuf,
    file: File,
    len: u64,
    keep: bool,
    replace: Replace,
    /// Finished parts of an earlier run that were not as it had noted them.
    damaged: usize,
    /// Bytes that the disk was not told to take yet, and a thread that waits until it has taken others.
    untaken: u64,
    taking: Option<JoinHandle<std::io::Result<()>>>,
    /// Whether there are bytes that the disk did not take.
    lost: bool,
}

/// Bytes of a target that the disk is told to take while more are made, so that little is left to wait for.
const TAKEN_BYTES: u64 = 32 << 20;

impl Staging {
    /// Opens the temporary of `target` and locks it.
    ///
    /// # Errors
    /// The target exists and is not to be replaced, or something else lies where its certificate is to come;
    /// another run holds the temporary.
    pub fn open(target: &Path, replace: impl Into<Replace>) -> Result<Self> {
        Self::open_to(false, target, replace.into())
    }

    /// The same, where what an interrupted run left in it is kept if that is to be gone on with, also when
    /// this is dropped.
    pub(super) fn open_to(resume: bool, target: &Path, replace: Replace) -> Result<Self> {
        refuse_existing(target, replace.is_any())?;
        refuse_unfit(target)?;
        refuse_taken(target)?;
        refuse_foreign_certificate(target, replace.is_any())?;
        let path = beside(target, PART_ENDING)?;
        let file = open_alone(&path, target, "the target", resume)?;
        let mut staging = Staging::of(file, path, target.to_owned());
        (staging.keep, staging.replace) = (resume, replace);
        undo(&staging.target)?;
        permit_as(&staging.target, &staging.file, &staging.path)?;
        staging.len = staging.file.metadata().map_err(|error| Failure::io(&staging.path, error))?.len();
        Ok(staging)
    }

    /// A new file of a directory that is a temporary itself, and which it is removed with.
    pub(super) fn in_own(path: &Path) -> Result<Self> {
        let file = File::create_new(path).map_err(|error| Failure::io(path, error))?;
        let mut staging = Staging::of(file, path.to_owned(), path.to_owned());
        staging.keep = true;
        Ok(staging)
    }

    /// A temporary of this target that is removed when dropped.
    fn of(file: File, path: PathBuf, target: PathBuf) -> Self {
        Staging {
            target,
            path,
            file,
            len: 0,
            keep: false,
            replace: Replace::Nothing,
            damaged: 0,
            untaken: 0,
            taking: None,
            lost: false,
        }
    }

    /// The open temporary.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The temporary's own name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Count of its bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Finished parts of an earlier run that are not as it had noted them, and are made again.
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    /// Keeps the temporary when this is dropped, for a later run to go on from.
    pub fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    /// Says anew what may be in the place of the target when this is published.
    pub(super) fn may_replace(&mut self, replace: Replace) {
        self.replace = replace;
    }

    /// Cuts the temporary to its first `len` bytes.
    pub fn truncate(&mut self, len: u64) -> Result<()> {
        self.file.set_len(len).map_err(|error| Failure::io(&self.path, error))?;
        self.file.seek(SeekFrom::Start(len)).map_err(|error| Failure::io(&self.path, error))?;
        self.len = len;
        Ok(())
    }

    /// Adds bytes at the end.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Failure::io(&self.path, error))?;
        self.len += bytes.len() as u64;
        self.untaken += bytes.len() as u64;
        if self.untaken >= TAKEN_BYTES && self.taking.as_ref().is_none_or(JoinHandle::is_finished) {
            self.taken()?;
            let file = self.file.try_clone().map_err(|error| Failure::io(&self.path, error))?;
            // Where the system gives no thread, all is waited for in the end.
            self.taking = std::thread::Builder::new().spawn(move || file.sync_data()).ok();
            self.untaken = 0;
        }
        Ok(())
    }

    /// Waits for the thread that waits for the disk, if there is one. An error of the disk is told once, and
    /// so to that thread alone.
    fn taken(&mut self) -> Result<()> {
        match self.taking.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(done)) => done.map_err(|error| self.lose(error)),
            Some(Err(_)) => Err(Failure::bug("a thread that waited for the disk died")),
        }
    }

    /// Takes the bytes as lost, which the disk did not take: what reads them again finds them in memory and
    /// sound, so no later run may go on from them.
    fn lose(&mut self, error: std::io::Error) -> Failure {
        self.lost = true;
        Failure::io(&self.path, error)
    }

    /// Puts bytes in place of those at the beginning, of which there are as many.
    pub fn patch(&mut self, bytes: &[u8]) -> Result<()> {
        let failed = |error| Failure::io(&self.path, error);
        if bytes.len() as u64 > self.len {
            return Err(Failure::bug("the beginning of a target is beyond its end"));
        }
        self.file.rewind().and_then(|()| self.file.write_all(bytes)).map_err(failed)?;
        self.file.seek(SeekFrom::Start(self.len)).map(|_| ()).map_err(failed)
    }

    /// The first entries of an earlier run whose bytes are still there: one behind the other from `start` on,
    /// each with its digest.
    pub fn still_there(&mut self, start: u64, entries: Vec<Entry>) -> Result<Vec<Entry>> {
        let (all, mut kept) = (entries.len(), Vec::new());
        if entries.is_empty() {
            return Ok(kept);
        }
        let file = ObjectFile::open(&self.path)?;
        let mut at = start;
        for entry in entries {
            let there = entry.bytes.start >= at
                && entry.bytes.start <= entry.bytes.end
                && entry.bytes.end <= file.len();
            if !there || digest_range(&file, entry.bytes.clone())? != entry.digest {
                break;
            }
            at = entry.bytes.end;
            kept.push(entry);
        }
        self.damaged += all - kept.len();
        Ok(kept)
    }

    /// Waits until the bytes are on the disk.
    pub fn sync(&mut self) -> Result<()> {
        self.taken()?;
        self.file.sync_all().map_err(|error| self.lose(error))
    }

    /// Makes certificate and target visible under their names, the certificate first, so that a target is
    /// never without one, and removes the journal; gives what is to be said where their names may not outlast
    /// a power failure. The proof is asked for here so that nothing unverified can be published.
    pub fn publish(mut self, _proof: &VerifiedWhole, certificate: &[u8]) -> Result<Option<String>> {
        let file = (&self.file, self.path.as_path());
        let unsynced = publish_pair(file, &self.target, self.replace, certificate)?;
        self.keep = true;
        if let Ok(journal) = beside(&self.target, JOURNAL_ENDING) {
            // While the temporary is locked, so that a run that begins afterwards finds none of this.
            let _ = std::fs::remove_file(journal);
        }
        Ok(unsynced)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.keep {
            // The thread holds the lock of what stays, and tells whether there is something to keep. For what
            // is removed nobody waits until it is on the disk.
            let _ = self.taken();
        }
        // From nothing no later run goes on, nor from a journal of bytes that are lost.
        let is_nothing = self.lost || is_empty(&self.file);
        if (self.keep || self.lost)
            && is_nothing
            && is_at(&self.file, &self.path)
            && let Ok(journal) = beside(&self.target, JOURNAL_ENDING)
        {
            let _ = std::fs::remove_file(journal);
        }
        if !self.keep || is_nothing {
            remove_own(&self.file, &self.path);
        }
    }
}

/// The certificate of a target that has no name, kept where a person asked for it: its temporary, locked, so
/// that no other run makes the same file meanwhile. It is removed when dropped, unless it was published.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    replace: bool,
    published: bool,
}

impl Kept {
    /// Makes the temporary of the certificate, and locks it.
    ///
    /// # Errors
    /// Another run holds the temporary; the certificate exists and is not to be replaced.
    pub fn begin(path: &Path, replace: bool) -> Result<Self> {
        refuse_unfit(path)?;
        let temporary = beside(path, NEW_ENDING)?;
        refuse_missing_directory(directory_of(path), "--certificate")?;
        let file = create_locked(&temporary, path)?;
        let kept = Kept { path: path.to_owned(), temporary, file, replace, published: false };
        // Another run may have made it before the lock was taken.
        refuse_existing(path, replace)?;
        permit_as(path, &kept.file, &kept.temporary)?;
        Ok(kept)
    }

    /// Writes the certificate, whole or not at all; gives what is to be said where its name may not outlast a
    /// power failure.
    pub fn publish(mut self, certificate: &[u8]) -> Result<Option<String>> {
        write_synced(&mut self.file, &self.temporary, certificate)?;
        refuse_taken_away(&self.file, &self.temporary)?;
        give_name(&self.temporary, &self.path, self.replace)?;
        self.published = true;
        Ok(sync_directory(&self.path))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.published {
            remove_own(&self.file, &self.temporary);
        }
    }
}

/// The directory that a target is to stand in.
pub fn directory_of(target: &Path) -> &Path {
    target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use coherence::content::{Grid, PartContent};
    use coherence::digest::Digest;

    use super::*;

    #[test]
    fn what_is_in_the_place_of_a_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
        for name in ["file", "link"] {
            for place in [at(name), at(name).join("a/b")] {
                let failure = refuse_missing_directory(&place, "--rejects").unwrap_err().to_string();
                let named = format!("{}: is no directory; give --rejects another", at(name).display());
                assert!(failure.starts_with(&named), "{failure}");
            }
        }
        let failure = refuse_missing_directory(&at("none/a"), "the target").unwrap_err().to_string();
        assert!(failure.ends_with("none/a: no such directory; make it first"), "{failure}");
        refuse_no_directory(&at("none/a"), "the target").unwrap();
        refuse_missing_directory(dir.path(), "the target").unwrap();
    }

    #[test]
    fn parts_that_are_not_as_they_were_noted_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut staging = Staging::open(&dir.path().join("out"), false).unwrap();
        staging.append(b"abcdef").unwrap();
        let entry = |part: usize, text: &[u8]| Entry {
            part,
            bytes: 2 * part as u64..2 * part as u64 + 2,
            digest: Digest::blake3(text),
            sidecar: Vec::new(),
            content: PartContent { grid: Grid::Bytes, units: 2, leaves: Vec::new() },
        };
        let entries = [entry(0, b"ab"), entry(1, b"xx"), entry(2, b"ef")];
        let kept = staging.still_there(0, entries[..1].to_vec()).unwrap();
        assert_eq!((kept.as_slice(), staging.damaged()), (&entries[..1], 0));
        let kept = staging.still_there(0, entries.to_vec()).unwrap();
        assert_eq!((kept.as_slice(), staging.damaged()), (&entries[..1], 2));
    }

    #[test]
    fn an_empty_temporary_is_not_kept_for_a_later_run() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let path = beside(&target, PART_ENDING).unwrap();
        let journal = beside(&target, JOURNAL_ENDING).unwrap();
        std::fs::write(&journal, "of nothing").unwrap();
        drop(Staging::open_to(true, &target, Replace::Nothing).unwrap());
        assert!(!path.exists() && !journal.exists());
        std::fs::write(&journal, "of one part").unwrap();
        Staging::open_to(true, &target, Replace::Nothing).unwrap().append(b"begun").unwrap();
        drop(Staging::open_to(true, &target, Replace::Nothing).unwrap());
        assert!(std::fs::read(&path).unwrap() == b"begun" && journal.exists());
        // What has its name already is not removed, though nothing is in it.
        let mut staging = Staging::open_to(true, &target, Replace::Nothing).unwrap();
        staging.truncate(0).unwrap();
        std::fs::rename(&path, &target).unwrap();
        drop(staging);
        assert!(target.exists());
    }

    #[test]
    fn a_file_has_no_slash_at_the_end_of_its_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["out.csv/", "none/out.csv/"] {
            let failure = refuse_unfit(&dir.path().join(name)).unwrap_err().to_string();
            assert!(failure.contains(name) && failure.contains("slash"), "{failure}");
        }
        refuse_unfit(&dir.path().join("out.csv")).unwrap();
    }

    #[test]
    fn a_name_leaves_room_for_that_of_the_temporary_of_its_certificate() {
        let name = |bytes: usize| PathBuf::from("x".repeat(bytes));
        let longest = NAME_BYTES_MAX - ADDED_BYTES;
        let [_, _, temporary, _] = temporaries(&name(longest)).unwrap();
        assert_eq!(temporary.as_os_str().len(), NAME_BYTES_MAX);
        for check in [refuse_unfit_name, refuse_unfit] {
            check(&name(longest)).unwrap();
            let failure = check(&name(longest + 1)).unwrap_err().to_string();
            assert!(failure.ends_with("choose a shorter one"), "{failure}");
        }
    }

    #[test]
    fn nothing_is_made_under_the_name_of_a_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.csv");
        let mut names = Vec::from(temporaries(&target).unwrap());
        names.push(beside(&target, REJECTS_ENDING).unwrap());
        // Those that a certificate has where it is kept, and a hidden file, and what would lie in one.
        names.push(beside(&dir.path().join("kept.json"), NEW_ENDING).unwrap());
        names.push(beside(&dir.path().join(".hidden"), PART_ENDING).unwrap());
        names.push(names[0].join("b.csv"));
        for name in names {
            let failure = refuse_unfit(&name).unwrap_err();
            assert!(matches!(failure, Failure::Usage(_)), "{failure}");
            assert!(failure.to_string().contains("give another name"), "{failure}");
        }
        for name in ["a.isoform-part", ".isoform-part", ".a.isoform-part.csv", ".a.new"] {
            refuse_unfit(&dir.path().join(name)).unwrap();
        }
    }

    #[test]
    fn a_kept_certificate_has_one_writer_and_replaces_nothing_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept.json");
        let first = Kept::begin(&path, false).unwrap();
        assert!(matches!(Kept::begin(&path, true), Err(Failure::Temporary(_))));
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(first.publish(b"{}"), Err(Failure::Exists(_))));
        assert!(matches!(Kept::begin(&path, false), Err(Failure::Exists(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        Kept::begin(&path, true).unwrap().publish(b"{}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
