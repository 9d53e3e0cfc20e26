//! Provides the temporary of a model in several files, a directory beside its index, and the one way in which
//! the files get their names.
//!
//! Several files of a directory do not get their names at once. So the index, which is the target, has its
//! own last, and where it replaces one, that is taken away first: whoever sees an index sees the files that
//! it tells of. What a killed run left in between is put back by the next one.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use coherence::certificate::Certificate;
use coherence::digest::ObjectDigest;
use coherence::statement::Subject;
use coherence::verified::VerifiedWhole;
use formats::file::ObjectFile;
use formats::signal::{files_of, is_index};
use formats::words::counted;

use super::folder::{Folder, refuse_blocked, taken};
use super::hash_untold;
use super::interrupted::undo;
use super::naming::give_name;
use super::publish::{place_certificate, sync_directory, write_synced};
use super::seal::refuse_foreign_certificate;
use super::staging::{
    Staging, certificate_path, directory_of, refuse_existing, refuse_missing_directory, refuse_unfit,
};
use super::survey::is_about;
use super::temporary::{permit_as, refuse_taken_away};
use super::verify::read_certificate;
use crate::failure::{Failure, Result};

/// Files with an index that are not finished. They are removed when dropped, unless they were published, or
/// hold what had a name before and cannot get that back.
#[derive(Debug)]
pub struct Sharded {
    /// The index.
    target: PathBuf,
    folder: Folder,
    replace: bool,
    /// Names of the files beside the index.
    names: Vec<String>,
}

impl Sharded {
    /// Makes the temporary of an index, empty, and locks it.
    ///
    /// # Errors
    /// The index exists and is not to be replaced, or something else lies where its certificate is to come;
    /// another run holds the temporary.
    pub fn make(target: &Path, replace: bool) -> Result<Self> {
        refuse_existing(target, replace)?;
        refuse_unfit(target)?;
        refuse_blocked(target)?;
        refuse_foreign_certificate(target, replace)?;
        refuse_missing_directory(directory_of(target), "the target")?;
        let folder = Folder::locked(target)?;
        let sharded = Sharded { target: target.to_owned(), folder, replace, names: Vec::new() };
        sharded.put_back()?;
        undo(target)?;
        refuse_existing(target, replace)?;
        sharded.folder.clear(&[sharded.folder.files(), sharded.folder.old()])?;
        Ok(sharded)
    }

    /// Takes note of the names of the files, which must be free or to be replaced.
    pub fn named(&mut self, names: Vec<String>) -> Result<()> {
        self.names = names;
        self.refuse_taken()
    }

    fn refuse_taken(&self) -> Result<()> {
        for name in &self.names {
            let place = self.target.with_file_name(name);
            refuse_existing(&place, self.replace)?;
            refuse_unfit(&place)?;
        }
        Ok(())
    }

    /// The finished index among the files that it tells of.
    pub fn index(&self) -> PathBuf {
        self.folder.files().join(self.target.file_name().unwrap_or_default())
    }

    /// The temporary of one file, empty, with the permissions of what it replaces.
    pub fn file(&self, name: &str) -> Result<Staging> {
        let staging = Staging::in_own(&self.folder.files().join(name))?;
        permit_as(&self.target.with_file_name(name), staging.file(), staging.path())?;
        Ok(staging)
    }

    /// Writes the index beside the files that it tells of.
    pub fn write_index(&self, bytes: &[u8]) -> Result<()> {
        let path = self.index();
        let mut file = File::create_new(&path).map_err(|error| Failure::io(&path, error))?;
        permit_as(&self.target, &file, &path)?;
        write_synced(&mut file, &path, bytes)
    }

    /// Makes certificate and files visible under their names, the certificate first and the index last; gives
    /// what is to be said of that. The proof is asked for here so that nothing unverified can be published.
    pub fn publish(self, _proof: &VerifiedWhole, certificate: &[u8]) -> Result<Vec<String>> {
        self.give_names(certificate)
    }

    fn give_names(&self, certificate: &[u8]) -> Result<Vec<String>> {
        refuse_existing(&self.target, self.replace)?;
        refuse_unfit(&self.target)?;
        self.refuse_taken()?;
        refuse_taken_away(self.folder.handle(), self.folder.path())?;
        let left = self.left_behind();
        let placed = place_certificate(&self.target, self.replace, certificate)?;
        let unsynced = self.exchange();
        if let Err(failure) = unsynced {
            return self.put_back().and(Err(failure));
        }
        placed.keep();
        let unsynced = unsynced?.or(sync_directory(&self.target));
        Ok(left.into_iter().chain(unsynced).collect())
    }

    /// Takes away what is replaced, the index before all, and puts what is new in its place, the index after
    /// all.
    fn exchange(&self) -> Result<Option<String>> {
        let places = self.names.iter().map(|name| self.target.with_file_name(name));
        let replaced = std::iter::once(self.target.clone()).chain(places);
        for place in replaced.filter(|place| place.symlink_metadata().is_ok()) {
            give_name(&place, &self.folder.old().join(place.file_name().unwrap_or_default()), false)?;
        }
        for name in &self.names {
            give_name(&self.folder.files().join(name), &self.target.with_file_name(name), false)?;
        }
        let unsynced = sync_directory(&self.target);
        give_name(&self.index(), &self.target, false)?;
        Ok(unsynced)
    }

    /// Takes the names from files whose index did not get its own, and gives them to what had them before.
    fn put_back(&self) -> Result<()> {
        let index = self.index();
        if !index.is_file() {
            return Ok(());
        }
        let certificate = read_certificate(&certificate_path(&self.target), None).ok();
        for name in files_of(&ObjectFile::open(&index)?)? {
            let (place, own) = (self.target.with_file_name(&name), self.folder.files().join(&name));
            let is_ours = || certificate.as_ref().is_some_and(|about| is_certified(&place, &name, about));
            if own.symlink_metadata().is_err() && place.symlink_metadata().is_ok() && is_ours() {
                give_name(&place, &own, false)?;
            }
        }
        let failed = |error| Failure::io(self.folder.path(), error);
        for entry in std::fs::read_dir(self.folder.old()).map_err(failed)? {
            let old = entry.map_err(failed)?;
            let place = self.target.with_file_name(old.file_name());
            give_name(&old.path(), &place, false).map_err(|failure| match failure {
                Failure::Exists(_) => taken(&old.path(), &place),
                other => other,
            })?;
        }
        Ok(())
    }

    /// What is to be said of files that the replaced index told of and the new one does not.
    fn left_behind(&self) -> Option<String> {
        let former = ObjectFile::open(&self.target).and_then(|index| files_of(&index)).ok()?;
        let ours: BTreeSet<&str> = self.names.iter().map(String::as_str).collect();
        let is_left = |name: &&String| {
            !ours.contains(name.as_str()) && self.target.with_file_name(name).symlink_metadata().is_ok()
        };
        let left: Vec<&String> = former.iter().filter(is_left).collect();
        let (first, count) = (left.first()?, counted(left.len(), "file"));
        Some(format!("left in place, though no index tells of them any more: {count}, the first is {first}"))
    }
}

impl Drop for Sharded {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; the next run clears the leftover.
        let _ = self.put_back().map(|()| std::fs::remove_dir_all(self.folder.path()));
    }
}

/// Whether a file is the one of this name that a certificate lists.
fn is_certified(place: &Path, name: &str, certificate: &Certificate) -> bool {
    let listed = certificate.statement().subject.iter().any(|subject| subject.name == name);
    let object = || ObjectFile::open(place).map_err(Failure::from).and_then(|file| hash_untold(&file));
    listed && object().is_ok_and(|object| is_about(certificate, &object))
}

/// Whether an index never got its name, and the files that it tells of are with it among `files`, or have
/// their names already.
pub fn are_spread(files: &Path, target: &Path, certificate: &Certificate) -> bool {
    let subjects = certificate.statement().subject.split_first();
    let Some((index, shards)) = subjects.filter(|(index, _)| is_index(Path::new(&index.name))) else {
        return false;
    };
    is_certified(&files.join(&index.name), &index.name, certificate)
        && shards.iter().all(|Subject { name, .. }| {
            let places = [files.join(name), target.with_file_name(name)];
            is_plain(name) && places.iter().any(|place| is_certified(place, name, certificate))
        })
}

/// Whether a name is that of a file in the same directory.
fn is_plain(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|alone| alone == name)
}

/// Checks the bytes of the files beside a target of which these are the bytes, where it is an index, by the
/// certificate that lists them; gives their count.
///
/// # Errors
/// The target is not the file that the certificate lists before all; a file is missing or another one.
pub fn check_files(
    target: &Path,
    (object, certificate): (&ObjectDigest, &Certificate),
    hash: impl Fn(&ObjectFile) -> Result<ObjectDigest>,
) -> Result<usize> {
    let subjects = certificate.statement().subject.split_first();
    let Some((index, files)) = subjects.filter(|(index, _)| is_index(Path::new(&index.name))) else {
        return Ok(0);
    };
    if index.digest != object.into() {
        let (shown, index) = (target.display(), &index.name);
        return Err(Failure::Usage(format!(
            "{shown}: is one of the files that {index} tells of; verify that one, which checks all of them"
        )));
    }
    for subject in files {
        if !is_plain(&subject.name) {
            return Err(Failure::Mismatch(format!("{}: lies elsewhere", subject.name)));
        }
        let path = target.with_file_name(&subject.name);
        let shown = path.display();
        if path.symlink_metadata().is_err() {
            return Err(Failure::Mismatch(format!("{shown}: is missing; {} tells of it", target.display())));
        }
        if subject.digest != (&hash(&ObjectFile::open(&path)?)?).into() {
            return Err(Failure::Mismatch(format!(
                "{shown}: these are not the bytes that were certified; restore them, or convert the source \
                 again"
            )));
        }
    }
    Ok(files.len())
}
