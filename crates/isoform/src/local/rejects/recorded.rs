//! Provides the record of a rejects file in the certificate of its target, by which it is known again.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use coherence::certificate::Certificate;
use coherence::dsse::Malformed;
use coherence::statement::DigestSet;
use formats::file::ObjectFile;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::failure::{Failure, Result};
use crate::local::interrupted::published;
use crate::local::staging::{CERTIFICATE_ENDING, REJECTS_ENDING, beside, certificate_path, directory_of};
use crate::local::verify::{Checked, read_certificate};
use crate::local::{at_hand, hash_untold};

/// Where certificates record the file.
pub const KEY: &str = "rejects";

/// Certificates in one directory that are looked at to find out whether another target has the same file.
pub(super) const CERTIFICATES_MAX: usize = 1000;

/// Whether a certificate records a rejects file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certified {
    /// None of those beside it and beside the target does.
    No,
    /// There are more certificates than are looked at, or a directory cannot be read.
    Untold,
    /// One does.
    Yes,
}

/// A rejects file as a certificate records it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its name.
    pub(super) name: String,
    /// The directory that it was put into, from that of the target; none where that was not recorded.
    directory: Option<PathBuf>,
    digest: DigestSet,
}

/// Whether this is a name alone, and leads nowhere else.
fn is_name(text: &str) -> bool {
    Path::new(text).file_name().is_some_and(|plain| plain == text)
}

/// The directory of the target, from there.
const BESIDE: &str = ".";

impl Recorded {
    /// The one that the certificate of a target records which has its name, or had it.
    pub(super) fn beside(target: &Path) -> Option<Self> {
        let certificate = read_certificate(&published(target)?, None).ok()?;
        Self::of_certificate(&certificate)
    }

    /// The one that a certificate records.
    fn of_certificate(certificate: &Certificate) -> Option<Self> {
        Self::of(&certificate.statement().predicate.conversion.parameters)
    }

    /// The one that these parameters record. What is no name of a file would lead elsewhere, and is not
    /// followed.
    pub fn of(parameters: &Map<String, Value>) -> Option<Self> {
        let record = parameters.get(KEY)?;
        let digest = DigestSet::deserialize(record.get("digest")?).ok()?;
        let name = record.get("name")?.as_str()?;
        let directory = match record.get("directory") {
            None => None,
            Some(way) => Some(PathBuf::from(way.as_str()?)).filter(|way| way.is_relative()),
        };
        is_name(name).then(|| Recorded { name: name.to_owned(), directory, digest })
    }

    /// The record in a certificate.
    pub(super) fn to_json(&self) -> Value {
        let mut json = json!({ "name": self.name, "digest": self.digest });
        if let Some(directory) = &self.directory {
            json["directory"] = json!(directory.to_string_lossy());
        }
        json
    }

    /// Whether both are files of one name with the same bytes, wherever they lie.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (&self.name, &self.digest) == (&other.name, &other.digest)
    }

    fn is_beside(&self) -> bool {
        self.directory.as_deref() == Some(Path::new(BESIDE))
    }

    /// Where it lies, as far as is recorded, and beside the target, which can be moved together with it.
    pub(super) fn places(&self, target: &Path) -> [PathBuf; 2] {
        let directory = directory_of(target).join(self.directory.as_deref().unwrap_or(Path::new("")));
        let beside = at_hand::beside(target, &self.name);
        match self.directory.is_none() || self.is_beside() {
            true => [beside.clone(), beside],
            false => [at_hand::beside(&directory.join(&self.name), &self.name), beside],
        }
    }

    /// Whether this file has its name and its bytes.
    pub fn is_at(&self, path: &Path) -> bool {
        let named = path.file_name().is_some_and(|name| name.to_string_lossy() == self.name);
        named && path.is_file() && digest(path).is_ok_and(|digest| digest == self.digest)
    }

    /// The bytes of a file under the name of another, which is of this target.
    pub(super) fn at(file: &Path, path: &Path, target: Option<&Path>) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let directory = target.and_then(|target| way(directory_of(target), directory_of(path)));
        Ok(Recorded { name, directory, digest: digest(file)? })
    }

    /// Whether a certificate beside this file or beside the target records it, that of the target before all.
    pub(super) fn certified(&self, path: &Path, target: Option<&Path>) -> Certified {
        if target.and_then(Self::beside).is_some_and(|recorded| recorded.is_like(self)) {
            return Certified::Yes;
        }
        let files = [Some(path), target].into_iter().flatten();
        let directories: BTreeSet<_> =
            files.filter_map(|file| directory_of(file).canonicalize().ok()).collect();
        // The certificate of a target that never got its name records what is to be made anew with that.
        let unpublished =
            target.map(certificate_path).filter(|at| target.and_then(published).as_ref() != Some(at));
        let unpublished = unpublished.and_then(|at| at.canonicalize().ok());
        let found = directories.iter().map(|directory| self.certified_in(directory, unpublished.as_deref()));
        found.max().unwrap_or(Certified::Untold)
    }

    /// The same for the certificates in a directory but one.
    fn certified_in(&self, directory: &Path, but: Option<&Path>) -> Certified {
        let Ok(entries) = directory.read_dir() else { return Certified::Untold };
        let paths = entries.flatten().map(|entry| entry.path());
        let ending = CERTIFICATE_ENDING.as_bytes();
        let certificates = paths.filter(|path| path.as_os_str().as_bytes().ends_with(ending));
        let mut certificates = certificates.filter(|path| Some(path.as_path()) != but);
        let records = |path: PathBuf| {
            let certificate = read_certificate(&path, None).ok();
            let recorded = certificate.and_then(|found| Self::of_certificate(&found));
            recorded.is_some_and(|recorded| recorded.is_like(self))
        };
        match certificates.by_ref().take(CERTIFICATES_MAX).any(records) {
            true => Certified::Yes,
            false if certificates.next().is_some() => Certified::Untold,
            false => Certified::No,
        }
    }

    /// Looks for it where it lies from a target, and beside that. A target can be moved without it.
    ///
    /// # Errors
    /// It lay beside the target, and a file of its name there has other bytes.
    fn checked_of(&self, target: &Path) -> Result<Checked> {
        let places = self.places(target);
        let found = places.iter().find(|place| self.is_at(place));
        let [place, _] = &places;
        let shown = found.unwrap_or(place).display();
        let waiting = || {
            let waiting = beside(place, REJECTS_ENDING).ok().filter(|waiting| waiting.is_file())?;
            digest(&waiting).is_ok_and(|digest| digest == self.digest).then_some(waiting)
        };
        let found = match place.is_file() {
            _ if found.is_some() => format!("{shown}: SHA-256 and BLAKE3 are those of the certificate"),
            _ if let Some(waiting) = waiting() => {
                let waiting = waiting.display();
                format!(
                    "{waiting}: SHA-256 and BLAKE3 are those of the certificate, but the run that made it \
                     was interrupted before it was called {shown}; rename it"
                )
            }
            false => format!("{shown}: not at hand; the target was checked without it"),
            // Elsewhere another run may have put its own.
            true if !self.is_beside() => {
                format!(
                    "{shown}: not at hand, since another file has its name; the target was checked without it"
                )
            }
            true => {
                digest(place)?;
                return Err(Failure::Mismatch(format!(
                    "{shown}: these are not the bad records that the conversion set aside: the bytes have \
                     another digest; restore the file, or move it away if it is another one"
                )));
            }
        };
        Ok(Checked { name: KEY, found })
    }
}

/// The way from one directory to another, by steps up and names.
fn way(from: &Path, to: &Path) -> Option<PathBuf> {
    let (from, to) = (from.canonicalize().ok()?, to.canonicalize().ok()?);
    let common = from.components().zip(to.components()).take_while(|(from, to)| from == to).count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(common)).collect();
    Some(if way.as_os_str().is_empty() { PathBuf::from(BESIDE) } else { way })
}

/// Checks the file that the certificate of a target records, if it does.
///
/// # Errors
/// It lay beside the target, and a file of its name there has other bytes; the record is none.
pub fn checked(target: &Path, at: &Path, certificate: &Certificate) -> Result<Option<Checked>> {
    match certificate.statement().predicate.conversion.parameters.get(KEY) {
        // No record was to be set aside, or none was bad.
        None | Some(Value::Bool(_)) => Ok(None),
        Some(record) => {
            let recorded = Recorded::of_certificate(certificate).ok_or_else(|| {
                let name = record.get("name").filter(|name| !name.as_str().is_some_and(is_name));
                let found = name.unwrap_or(record).to_string();
                let error = Malformed::Unexpected { field: KEY, found };
                Failure::Certificate { path: at.to_owned(), error: error.into() }
            })?;
            recorded.checked_of(target).map(Some)
        }
    }
}

/// Both digests of a file.
fn digest(path: &Path) -> Result<DigestSet> {
    Ok((&hash_untold(&ObjectFile::open(path)?)?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_file_is_known_by_its_name_and_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, text) in [("bad.jsonl", "{}\n"), ("other.jsonl", "{}\n")] {
            std::fs::write(at(name), text).unwrap();
        }
        let made = Recorded::at(&at("other.jsonl"), &at("bad.jsonl"), Some(&at("out.csv"))).unwrap();
        let recorded = Recorded::of(&Map::from_iter([(KEY.to_owned(), made.to_json())])).unwrap();
        assert!(recorded.is_like(&made) && recorded.directory == made.directory && recorded.is_beside());
        assert!(recorded.is_at(&at("bad.jsonl")));
        assert!(!recorded.is_at(&at("other.jsonl")) && !recorded.is_at(&at("none.jsonl")));
        std::fs::write(at("bad.jsonl"), "{\"a\":1}\n").unwrap();
        assert!(!recorded.is_at(&at("bad.jsonl")));
        assert!(Recorded::of(&Map::from_iter([(KEY.to_owned(), json!(true))])).is_none());
    }

    #[test]
    fn a_recorded_name_is_a_plain_one() {
        let digest = json!({ "sha256": "0", "blake3": "0" });
        let found = |name: &str| {
            let record = json!({ "name": name, "digest": digest });
            Recorded::of(&Map::from_iter([(KEY.to_owned(), record)])).is_some()
        };
        assert!(found("bad.jsonl") && found(".bad") && found("..bad") && found("b\u{fffd}d"));
        for name in ["", ".", "..", "/", "a/..", "a/.", "a/", "a/b", "./a", "/etc/passwd", "../a"] {
            assert!(!found(name), "{name}");
        }
    }

    #[test]
    fn a_recorded_file_is_checked_where_it_is_at_hand() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("bad.jsonl"), dir.path().join("out.csv"));
        std::fs::write(&path, "{}\n").unwrap();
        let recorded = Recorded::at(&path, &path, Some(&target)).unwrap();
        let found = || recorded.checked_of(&target);
        assert!(found().unwrap().found.contains("those of the certificate"));
        std::fs::write(&path, "{}").unwrap();
        let failure = found().unwrap_err();
        assert_eq!(failure.code(), crate::failure::DIFFERS);
        assert!(failure.to_string().starts_with(&path.display().to_string()));
        // Where no certificate tells that it lay here, this is another file.
        let told = Recorded { directory: None, ..recorded.clone() }.checked_of(&target).unwrap().found;
        assert!(told.contains("not at hand") && told.contains("another file"), "{told}");
        std::fs::remove_file(&path).unwrap();
        assert!(found().unwrap().found.contains("not at hand"));
    }

    #[test]
    fn a_file_in_another_directory_is_checked_there() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["out/deep", "bad"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        let (path, target) = (at("bad/x.jsonl"), at("out/deep/o.csv"));
        std::fs::write(&path, "{}\n").unwrap();
        let recorded = Recorded::at(&path, &path, Some(&target)).unwrap();
        assert_eq!(recorded.directory.as_deref(), Some(Path::new("../../bad")));
        let found = || recorded.checked_of(&target).unwrap().found;
        // What another run put beside the target is not asked.
        std::fs::write(at("out/deep/x.jsonl"), "{}").unwrap();
        assert!(found().contains("those of the certificate"));
        std::fs::write(&path, "{}").unwrap();
        assert!(found().contains("not at hand"));
        std::fs::write(at("out/deep/x.jsonl"), "{}\n").unwrap();
        assert!(found().contains("those of the certificate"));
    }

    #[test]
    fn ways_between_directories_have_steps_up_and_names() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::create_dir_all(at("a/c")).unwrap();
        std::os::unix::fs::symlink("a/b", at("link")).unwrap();
        for (from, to, found) in [
            ("a", "a", "."),
            ("a", "a/b", "b"),
            ("a/b", "a", ".."),
            ("link", "a/c", "../c"),
            ("link", "a/b", "."),
        ] {
            assert_eq!(way(&at(from), &at(to)).as_deref(), Some(Path::new(found)), "{from} {to}");
        }
        assert_eq!(way(&at("none"), &at("a")), None);
    }
}
