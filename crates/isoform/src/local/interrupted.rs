//! Provides what becomes of a pair whose publishing was interrupted: a run was killed after its certificate
//! had got its name and before its target had.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use coherence::certificate::Certificate;
use formats::file::ObjectFile;

use super::shards::{are_spread, check_files};
use super::staging::{FORMER_ENDING, NEW_ENDING, PART_ENDING, beside, certificate_path};
use super::survey::is_about;
use super::verify::read_certificate;
use super::{has_certified_files, hash_untold};
use crate::failure::{Failure, Result};

/// Whether a certificate is about a target that never got its name: what was to become it has that of the
/// temporary still, and the bytes that the certificate tells.
pub(super) fn is_about_temporary(target: &Path, certificate: &Certificate) -> Result<bool> {
    let part = beside(target, PART_ENDING)?;
    match part.symlink_metadata() {
        Ok(found) if found.is_file() => Ok(is_about(certificate, &hash_untold(&ObjectFile::open(&part)?)?)),
        Ok(found) if found.is_dir() => {
            let whole =
                ["files", "old"].iter().any(|name| has_certified_files(&part.join(name), certificate));
            Ok(whole || are_spread(&part.join("files"), target, certificate))
        }
        _ => Ok(false),
    }
}

/// The certificate of what has the name of the target or, where nothing has, of what had it: none of what
/// never got the name. What cannot be told counts as published.
pub(super) fn published(target: &Path) -> Option<PathBuf> {
    let at = certificate_path(target);
    match target.symlink_metadata() {
        Ok(_) => Some(former(target, &at).ok().flatten().unwrap_or(at)),
        Err(_) => Some(at).filter(|at| !is_first(target, at).unwrap_or(false)),
    }
}

/// Where the certificate of a target that is there lies: under its name, unless a run was killed that had put
/// another one there.
pub fn certificate_of(target: &Path) -> PathBuf {
    published(target).unwrap_or_else(|| certificate_path(target))
}

/// Whether this certificate of a target that is not there is about one that never was. It is no older than
/// what was to become that: the certificate of a target that was moved away may be about the same bytes.
fn is_first(target: &Path, at: &Path) -> Result<bool> {
    let part = beside(target, PART_ENDING)?;
    let files = part.join("files");
    let made = newest(if files.is_dir() { &files } else { &part });
    let signed = at.metadata().and_then(|found| found.modified()).ok();
    match read_certificate(at, None) {
        Ok(certificate) if signed >= made => is_about_temporary(target, &certificate),
        _ => Ok(false),
    }
}

/// When the newest of the files was written that are one, or stand below a directory.
fn newest(path: &Path) -> Option<SystemTime> {
    match path.symlink_metadata().ok()? {
        found if found.is_file() => found.modified().ok(),
        found if found.is_dir() => {
            let entries = path.read_dir().ok()?;
            entries.flatten().filter_map(|entry| newest(&entry.path())).max()
        }
        _ => None,
    }
}

/// Undoes it, where that happened, before the temporary, which is locked, is written anew: a target that is
/// there gets the certificate back that is about it, and the certificate of a target that never was goes.
pub(super) fn undo(target: &Path) -> Result<()> {
    let at = certificate_path(target);
    let failed = |error| Failure::io(&at, error);
    if target.symlink_metadata().is_err() {
        return match is_first(target, &at)? {
            true => std::fs::remove_file(&at).map_err(failed),
            false => Ok(()),
        };
    }
    match former(target, &at)? {
        Some(former) => std::fs::rename(former, &at).map_err(failed),
        None => Ok(()),
    }
}

/// The certificate of a target that is there, under the name that the run which replaced it gave it, unless
/// what has its place now is about the target too, or is something else.
fn former(target: &Path, at: &Path) -> Result<Option<PathBuf>> {
    let names = [beside(at, NEW_ENDING)?, beside(target, FORMER_ENDING)?];
    let found = names.into_iter().find(|name| is_certificate_of(name, target));
    let is_replaceable = || match read_certificate(at, None) {
        Ok(_) => !is_certificate_of(at, target),
        Err(_) => at.symlink_metadata().is_err(),
    };
    Ok(found.filter(|_| is_replaceable()))
}

/// Whether a file is a certificate about what a target is now.
fn is_certificate_of(path: &Path, target: &Path) -> bool {
    let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
    let certificate = is_file.then(|| read_certificate(path, None).ok()).flatten();
    certificate.is_some_and(|certificate| match target.is_dir() {
        true => has_certified_files(target, &certificate),
        false => {
            let object = ObjectFile::open(target).map_err(Failure::from).and_then(|file| hash_untold(&file));
            // The index of several files may be the same, and these not.
            object.is_ok_and(|object| {
                is_about(&certificate, &object)
                    && check_files(target, (&object, &certificate), hash_untold).is_ok()
            })
        }
    })
}
