//! Provides the file that bad records go to: locked from the beginning of a conversion, written and forced to
//! disk before the target is published, and renamed into place after it. The certificate of the target
//! records it, so that it is known again: where a later run has no bad records, the file is removed.
//!
//! A temporary that an earlier run left is finished if a certificate records it, and gets its name then; the
//! certificates beside the file and beside the target of this run are looked at. Any other is what was left
//! of a run that ended before its target was published, and is written anew.

mod recorded;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use formats::open::Opened;
use formats::set_aside::SetAside;
use serde_json::{Map, Value};

use super::effective::{add_reading, add_writing};
use super::job::Job;
use super::naming::give_name;
use super::publish::sync_directory;
use super::seal::{placed, refuse_own_temporary, refuse_same_file, with_path};
use super::staging::{
    NEW_ENDING, REJECTS_ENDING, beside, certificate_path, refuse_existing, refuse_system, refuse_unfit,
    temporaries,
};
use super::standard::is_standard;
use super::temporary::{left_to_others, open_locked, permit_as, refuse_in_the_way, remove_own};
use crate::failure::{Failure, Result};
use recorded::Certified;
pub use recorded::{KEY, Recorded, checked};

/// A rejects file that is not finished: its temporary, locked, so that no other run makes the same file
/// meanwhile. It is removed when dropped, unless it was published or kept.
#[derive(Debug)]
pub struct Rejects {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    replace: bool,
    /// The target; none where it is let out as it is made, so that it cannot be refused at the end.
    target: Option<PathBuf>,
    /// What an earlier run for the same target made.
    earlier: Option<Recorded>,
    /// Whether nothing of an earlier run is in the temporary.
    is_own: bool,
    written: bool,
    keep: bool,
}

/// Refuses a name that the conversion reads or writes itself, a file that exists, and what must not be
/// replaced at all. A target that is let out as it is made has no name.
pub fn refuse(job: &Job, target: Option<&Path>) -> Result<()> {
    let Some(path) = &job.rejects else { return Ok(()) };
    if is_standard(path) {
        let text = "--rejects -: bad records go into a file, and not to standard output; give that a name";
        return Err(Failure::Usage(text.into()));
    }
    refuse_system("--rejects", path)?;
    let temporary = beside(path, REJECTS_ENDING)?;
    for source in &job.sources {
        refuse_same_file("file of --rejects", source, path)?;
        refuse_own_temporary(source, &temporary)?;
    }
    if let Some(target) = target {
        [path, &temporary].into_iter().try_for_each(|file| refuse_of_target(file, target))?;
    }
    refuse_existing(path, job.replace.is_any())?;
    refuse_unfit(path)?;
    refuse_in_the_way(&temporary)
}

/// Refuses the name of the rejects file, or of its temporary, where the target has it for itself.
fn refuse_of_target(file: &Path, target: &Path) -> Result<()> {
    let (shown, file, place) = (file.display(), placed(file), placed(target));
    let temporaries = temporaries(&place)?;
    let what = match () {
        () if file == place => "the target",
        () if file == certificate_path(&place) => "the certificate of the target",
        () if file.starts_with(&place) => "inside of the target",
        () if temporaries.iter().any(|temporary| file.starts_with(temporary)) => "a temporary of the target",
        () => return Ok(()),
    };
    Err(Failure::Usage(format!("{shown}: is {what}; give --rejects another name")))
}

/// Refuses a rejects file that is the file of --certificate, where either may still be a temporary.
pub fn refuse_kept(path: &Path, certificate: &Path) -> Result<()> {
    let theirs = [placed(certificate), placed(&beside(certificate, NEW_ENDING)?)];
    let ours = [path.to_owned(), beside(path, REJECTS_ENDING)?];
    match ours.iter().find(|file| theirs.contains(&placed(file))) {
        None => Ok(()),
        Some(file) => {
            let shown = file.display();
            Err(Failure::Usage(format!(
                "{shown}: is the file of --certificate or its temporary; give --rejects another name"
            )))
        }
    }
}

/// Writes what the conversion set aside, if that is kept, and gives the parameters with the record of it,
/// with what was in effect, and with the path of a single source.
pub fn kept(job: &Job, opened: &Opened, rejects: &mut Option<Rejects>) -> Result<Map<String, Value>> {
    let mut parameters = job.parameters.clone();
    add_reading(&mut parameters, opened.read_as());
    add_writing(&mut parameters, job.write.in_effect()?);
    if let (Some(rejects), Some(set_aside)) = (rejects, &opened.set_aside) {
        rejects.write(set_aside)?;
        let recorded = Recorded::at(&rejects.temporary, &rejects.path, rejects.target.as_deref())?;
        parameters.insert(KEY.into(), recorded.to_json());
    }
    Ok(match job.sources.as_slice() {
        [only] => with_path(&parameters, only),
        _ => parameters,
    })
}

/// What is to be said of the file that an earlier run for the same target made, where this run is to make
/// none.
pub fn left_of_earlier(job: &Job) -> Option<String> {
    let earlier = Recorded::beside(&job.target).filter(|_| job.rejects.is_none())?;
    let path = earlier.places(&job.target).into_iter().find(|place| earlier.is_at(place))?;
    let shown = path.display();
    Some(format!("{shown}: has the bad records of an earlier run for this target, and is left"))
}

/// Publishes the file, where there is to be one, and gives what is to be said of it.
pub fn published(rejects: Option<Rejects>) -> Result<Option<String>> {
    rejects.map_or(Ok(None), Rejects::publish)
}

impl Rejects {
    /// Opens the temporary of the rejects file, where there is to be one, and locks it. A target that is let
    /// out as it is made has no name.
    ///
    /// # Errors
    /// Another run holds the temporary; the file exists and is not to be replaced; an earlier run left bad
    /// records in the temporary that cannot get their name.
    pub fn begin(job: &Job, target: Option<&Path>) -> Result<Option<Self>> {
        let replaced = job.rejects.as_deref().filter(|_| job.replace.is_any());
        target.map_or(Ok(()), |target| name_earlier(target, replaced))?;
        job.rejects.as_ref().map(|path| Self::of(path, job.replace.is_any(), target)).transpose()
    }

    fn of(path: &Path, replace: bool, target: Option<&Path>) -> Result<Self> {
        let temporary = beside(path, REJECTS_ENDING)?;
        let mut file = open_locked(&temporary, path, "--rejects")?;
        if name_finished(&temporary, path, replace, target)? || left_to_others(&file, &temporary)? {
            file = open_locked(&temporary, path, "--rejects")?;
        }
        let is_own = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        let (path, target) = (path.to_owned(), target.map(Path::to_owned));
        let earlier = target.as_deref().and_then(Recorded::beside);
        let (written, keep) = (false, false);
        let rejects = Rejects { path, temporary, file, replace, target, earlier, is_own, written, keep };
        // Another run may have made it before the lock was taken.
        refuse_existing(&rejects.path, replace)?;
        permit_as(&rejects.path, &rejects.file, &rejects.temporary)?;
        Ok(rejects)
    }

    /// Writes what was set aside into the temporary, and waits until it is on the disk.
    fn write(&mut self, set_aside: &SetAside) -> Result<()> {
        let failed = |error: std::io::Error| Failure::io(&self.temporary, error);
        self.is_own = true;
        self.file.set_len(0).map_err(failed)?;
        let mut out = BufWriter::new(&self.file);
        set_aside.write_to(&mut out).and_then(|()| out.flush()).map_err(failed)?;
        self.file.sync_all().map_err(failed)?;
        self.written = true;
        if self.target.is_none() { Ok(()) } else { refuse_existing(&self.path, self.replace) }
    }

    /// Gives the file its name, once the target has its own: what was set aside is not lost any more, even
    /// where that fails. Where nothing was, gives what is to be said of a file that has the name.
    fn publish(mut self) -> Result<Option<String>> {
        if !self.written {
            return Ok(self.without_earlier());
        }
        self.keep = true;
        give_name(&self.temporary, &self.path, self.replace)
            .map_err(|cause| Failure::SetAside { at: self.temporary.clone(), cause: Box::new(cause) })?;
        Ok(sync_directory(&self.path))
    }

    /// Removes the file if it is what an earlier run for the same target made, and for no other one, and
    /// tells what became of it.
    fn without_earlier(&self) -> Option<String> {
        self.path.symlink_metadata().ok()?;
        let shown = self.path.display();
        let earlier = self.earlier.as_ref().filter(|earlier| earlier.is_at(&self.path));
        let Some(earlier) = earlier else {
            return Some(format!(
                "{shown}: was there before, and no certificate of this target records it as it is, so it is \
                 left; no record of this run is in it"
            ));
        };
        // That of this target has been replaced by now, and records no such file.
        if earlier.certified(&self.path, self.target.as_deref()) != Certified::No {
            return Some(format!(
                "{shown}: has the bad records of an earlier run, and is left, since the certificate of \
                 another target records it too, as far as can be told; no record of this run is in it"
            ));
        }
        Some(match std::fs::remove_file(&self.path) {
            Ok(()) => {
                format!("{shown}: had the bad records of an earlier run for this target, and was removed")
            }
            Err(error) => {
                format!("{shown}: has the bad records of an earlier run; removing it failed: {error}")
            }
        })
    }
}

/// Gives what an earlier run finished for this target, and could not publish, its name: once another
/// certificate is in the place of that which records it, nothing tells that it is finished. This run may
/// replace one file.
fn name_earlier(target: &Path, replaced: Option<&Path>) -> Result<()> {
    let Some(earlier) = Recorded::beside(target) else { return Ok(()) };
    let [path, _] = earlier.places(target);
    let temporary = beside(&path, REJECTS_ENDING)?;
    if !temporary.is_file() {
        return Ok(());
    }
    let _lock = match open_locked(&temporary, &path, "--rejects") {
        // That run has looked at it.
        Err(Failure::Temporary(_)) => return Ok(()),
        other => other?,
    };
    // What another certificate records is left, as that stays.
    match Recorded::at(&temporary, &path, Some(target))?.is_like(&earlier) && !earlier.is_at(&path) {
        true => {
            name_left(&temporary, &path, replaced.is_some_and(|replaced| placed(replaced) == placed(&path)))
        }
        false => Ok(()),
    }
}

/// Gives a temporary that an earlier run finished the name of its file, and tells whether it was one. It is
/// locked.
///
/// # Errors
/// Another file has the name and is not to be replaced; whether it is finished cannot be told.
fn name_finished(temporary: &Path, path: &Path, replace: bool, target: Option<&Path>) -> Result<bool> {
    let left = temporary.metadata().map_err(|error| Failure::io(temporary, error))?;
    if left.len() == 0 {
        return Ok(false);
    }
    let left = Recorded::at(temporary, path, target)?;
    if left.is_at(path) {
        return Ok(false);
    }
    match left.certified(path, target) {
        Certified::Yes => name_left(temporary, path, replace).map(|()| true),
        Certified::No => Ok(false),
        Certified::Untold => {
            let shown = temporary.display();
            Err(Failure::Usage(format!(
                "{shown}: has bad records of an earlier run, and whether they are all cannot be told, as not \
                 all certificates beside it and the target could be looked at; move it away, or remove it"
            )))
        }
    }
}

/// Gives a temporary that an earlier run finished the name of its file.
///
/// # Errors
/// Another file has the name and is not to be replaced.
fn name_left(temporary: &Path, path: &Path, replace: bool) -> Result<()> {
    give_name(temporary, path, replace).map_err(|failure| match failure {
        Failure::Exists(_) => {
            let (shown, name) = (temporary.display(), path.display());
            Failure::Usage(format!(
                "{shown}: has the bad records of an earlier run, and cannot get its name, which another file \
                 has; move it, or {name}, away, or give --force to replace {name}"
            ))
        }
        other => other,
    })?;
    // After a power failure the next run finds it under the name of the temporary again.
    sync_directory(path);
    Ok(())
}

impl Drop for Rejects {
    fn drop(&mut self) {
        if !self.keep && self.is_own {
            remove_own(&self.file, &self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::recorded::CERTIFICATES_MAX;
    use super::*;

    /// A rejects file of a run that replaces one, or not.
    fn begun(path: &Path, replace: bool, earlier: Option<Recorded>) -> Rejects {
        let temporary = beside(path, REJECTS_ENDING).unwrap();
        let file = open_locked(&temporary, path, "--rejects").unwrap();
        let (path, is_own) = (path.to_owned(), file.metadata().unwrap().len() == 0);
        let (target, written, keep) = (None, false, false);
        Rejects { path, temporary, file, replace, target, earlier, is_own, written, keep }
    }

    #[test]
    fn only_what_is_recorded_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.jsonl");
        let told = |earlier| begun(&path, true, earlier).publish().unwrap();
        assert_eq!(told(None), None);
        std::fs::write(&path, "{}\n").unwrap();
        let recorded = Recorded::at(&path, &path, None).unwrap();
        assert!(told(None).unwrap().contains("so it is left"));
        std::fs::write(&path, "{}\n{}\n").unwrap();
        assert!(told(Some(recorded.clone())).unwrap().contains("so it is left") && path.exists());
        std::fs::write(&path, "{}\n").unwrap();
        assert!(told(Some(recorded)).unwrap().contains("was removed"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_set_aside_is_kept_where_its_name_was_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.jsonl");
        let mut rejects = begun(&path, false, None);
        rejects.write(&SetAside { records: 0, files: Vec::new() }).unwrap();
        std::fs::write(&path, "precious").unwrap();
        let failure = rejects.publish().unwrap_err();
        assert_eq!(failure.code(), crate::failure::EXISTS);
        let kept = beside(&path, REJECTS_ENDING).unwrap();
        assert!(failure.to_string().contains(&kept.display().to_string()) && kept.exists());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        drop(begun(&path, true, None));
        assert!(!kept.exists() && path.exists());
    }

    #[test]
    fn what_an_earlier_run_left_is_removed_by_none_that_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.jsonl");
        let left = beside(&path, REJECTS_ENDING).unwrap();
        std::fs::write(&left, "{}\n").unwrap();
        drop(begun(&path, true, None));
        assert_eq!(std::fs::read_to_string(&left).unwrap(), "{}\n");
        // No certificate records it, so it is of a run that ended before its target was published.
        assert!(!name_finished(&left, &path, false, None).unwrap());
        let mut rejects = begun(&path, true, None);
        rejects.write(&SetAside { records: 0, files: Vec::new() }).unwrap();
        drop(rejects);
        assert!(!left.exists() && !path.exists());
    }

    #[test]
    fn what_is_finished_as_far_as_cannot_be_told_is_neither_named_nor_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("bad.jsonl"), dir.path().join("out.csv"));
        let left = beside(&path, REJECTS_ENDING).unwrap();
        std::fs::write(&left, "{}\n").unwrap();
        for at in 0..=CERTIFICATES_MAX {
            std::fs::write(certificate_path(&dir.path().join(at.to_string())), "").unwrap();
        }
        let failure = name_finished(&left, &path, false, Some(&target)).unwrap_err();
        assert_eq!(failure.code(), crate::failure::USAGE);
        assert!(failure.to_string().starts_with(&left.display().to_string()));
        assert!(left.exists() && !path.exists());
        std::fs::write(&path, "{}\n").unwrap();
        let earlier = Recorded::at(&path, &path, None).unwrap();
        std::fs::remove_file(&left).unwrap();
        assert!(begun(&path, true, Some(earlier.clone())).publish().unwrap().unwrap().contains("is left"));
        std::fs::remove_file(certificate_path(&dir.path().join("0"))).unwrap();
        assert!(begun(&path, true, Some(earlier)).publish().unwrap().unwrap().contains("was removed"));
    }

    #[test]
    fn what_the_target_has_for_itself_is_no_rejects_file() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let target = at("out.csv");
        for name in [
            "out.csv",
            "out.csv.isoform.sigstore.json",
            "out.csv/part.jsonl",
            ".out.csv.isoform-part",
            ".out.csv.isoform-journal",
            ".out.csv.isoform.sigstore.json.isoform-new",
        ] {
            let failure = refuse_of_target(&at(name), &target).unwrap_err().to_string();
            assert!(failure.contains("--rejects") && failure.contains(name), "{failure}");
        }
        refuse_of_target(&at("out.csv.bad"), &target).unwrap();
        for (name, kept) in [("a", "a"), (".a.isoform-new", "a"), ("a", ".a.isoform-rejects")] {
            assert!(refuse_kept(&at(name), &at(kept)).is_err(), "{name} {kept}");
        }
        refuse_kept(&at("a"), &at("b")).unwrap();
    }
}
