//! Provides the last steps that all conversions share: the verdict, the signature, and what a person calls
//! files and times; and which of them must not be written, since they are sources or somebody else's.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use coherence::budget::Budget;
use coherence::certificate::{
    self, BuildError, Certificate, CertificateError, ColumnStyle, Facts, File, Verdict,
};
use coherence::digest::{Digest, ObjectDigest};
use coherence::dsse::Malformed;
use coherence::statement::{Execution, Tool};
use coherence::verified::VerifiedWhole;
use formats::file::ObjectFile;
use serde_json::{Map, Value, json};

use super::hash_object;
use super::interrupted::{is_about_temporary, published};
use super::keys;
use super::staging::{NEW_ENDING, beside, certificate_path, directory_of, temporaries};
use super::standard::{is_plain_file, is_standard};
use super::temporary::refuse_in_the_way;
use super::verify::read_certificate;
use crate::failure::{Failure, Result, brief};
use crate::meter::Stage;
use crate::progress::Progress;

/// The parameter that holds the paths of the sources as they were typed.
pub const SOURCES: &str = "sources";

/// Where certificates keep the columns that the directories of sources told.
pub const PARTITION_COLUMNS: &str = "partitionColumns";

/// A certificate that is signed but not yet anywhere.
pub struct Sealed {
    /// Its bytes.
    pub certificate: Vec<u8>,
    /// Who signed it.
    pub key_id: Digest,
    /// What it promises.
    pub verdict: Verdict,
}

/// Signs what was proven.
///
/// # Errors
/// A verdict below EXACT where `strict` accepts nothing less.
pub fn seal(whole: &VerifiedWhole, facts: Facts, strict: bool) -> Result<Sealed> {
    let verdict = verdict(whole, &facts)?;
    accepted(verdict, strict, None)?;
    let key = keys::signing_key()?;
    let key_id = keys::id_of(&key)?;
    let bundle = certificate::sign(whole, facts, &key).map_err(|error| match error {
        BuildError::Unreadable(large @ Malformed::TooLarge { .. }) => Failure::Other(format!(
            "the certificate would have {large}: convert fewer sources at once, or fewer columns"
        )),
        other => Failure::bug(format_args!("certificate: {other}")),
    })?;
    Ok(Sealed { certificate: bundle.to_bytes(), key_id, verdict })
}

/// What a whole has earned by these facts.
pub fn verdict(whole: &VerifiedWhole, facts: &Facts) -> Result<Verdict> {
    let reversible = facts.styles.iter().all(|style| style.reversible);
    certificate::verdict(whole, &facts.budget, reversible)
        .map_err(|error| Failure::Mismatch(error.to_string()))
}

/// Fails for a verdict below EXACT where `strict` accepts nothing less, and tells why it is not EXACT.
pub fn accepted(verdict: Verdict, strict: bool, why: Option<&str>) -> Result<()> {
    if strict && verdict != Verdict::Exact {
        let (name, why) = (verdict.name(), why.map_or(String::new(), |why| format!(": {why}")));
        return Err(Failure::Mismatch(format!(
            "the verdict would be {name}, and --strict accepts only EXACT{why}"
        )));
    }
    Ok(())
}

/// What a certificate says besides what was proven.
pub fn facts(
    sources: Vec<File>,
    targets: Vec<File>,
    parameters: &Map<String, Value>,
    styles: Vec<ColumnStyle>,
    started: SystemTime,
) -> Facts {
    Facts {
        tool: Tool { name: "isoform".into(), version: env!("CARGO_PKG_VERSION").into() },
        sources,
        targets,
        parameters: parameters.clone().into(),
        started_on: rfc3339(started),
        finished_on: rfc3339(SystemTime::now()),
        styles,
        budget: Budget::ZERO,
        gates: Vec::new(),
        execution: Execution { mode: "local".into(), nodes: Vec::new(), cost: Map::new() },
    }
}

/// The parameters with the path of a single source as it was typed, under which `verify` looks for it; those
/// of several sources are among them.
pub fn with_path(parameters: &Map<String, Value>, source: &Path) -> Map<String, Value> {
    let mut parameters = parameters.clone();
    if !is_standard(source) {
        parameters.entry(SOURCES).or_insert_with(|| json!([source.to_string_lossy()]));
    }
    parameters
}

/// A file as a certificate lists it.
pub fn file(path: &Path, object: ObjectDigest, media_type: &str) -> File {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    File { name, object, media_type: media_type.to_owned() }
}

fn rfc3339(time: SystemTime) -> String {
    chrono::DateTime::<chrono::Utc>::from(time).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Refuses a target, a certificate of it, or a temporary of either, that would take the place of its source.
pub fn refuse_own_source(source: &Path, target: &Path) -> Result<()> {
    refuse_same_file("target", source, target)?;
    let certificate = certificate_path(target);
    if is_same_file(source, &certificate) {
        let (shown, target) = (certificate.display(), target.display());
        return Err(Failure::Usage(format!(
            "{shown}: source and certificate of the target are the same file; give another target than \
             {target}"
        )));
    }
    // What names no file is refused where it is opened.
    let mut temporaries = temporaries(target).into_iter().flatten();
    temporaries.try_for_each(|temporary| refuse_own_temporary(source, &temporary))
}

/// Refuses to put the certificate of a target in the place of something else, unless that is a file and to be
/// replaced, or another certificate: what that is about is looked at once the target is finished.
pub fn refuse_foreign_certificate(target: &Path, replace: bool) -> Result<()> {
    let at = certificate_path(target);
    found_certificate(target, &at, replace)?;
    beside(&at, NEW_ENDING).map_or(Ok(()), |temporary| refuse_in_the_way(&temporary))
}

/// The same of what is in this place, or was and now has the name `found`, where the target is finished. A
/// certificate without its target is replaced by one about the same bytes alone: they may have another name
/// now, and no other proof.
pub(super) fn refuse_foreign(target: &Path, found: &Path, replace: bool) -> Result<()> {
    match found_certificate(target, found, replace)? {
        Some(certificate)
            if target.symlink_metadata().is_err() && !is_about_temporary(target, &certificate)? =>
        {
            Err(Failure::WithoutTarget(certificate_path(target)))
        }
        _ => Ok(()),
    }
}

/// Fails where a certificate without its target is about other sources: what is made of these has other
/// bytes, and would be refused once it is finished. Their bytes are looked at where there is progress to tell
/// of it, and their sizes always. Of a pipe nothing is known before it is read.
pub fn refuse_other_sources(
    target: &Path,
    replace: bool,
    sources: &[PathBuf],
    progress: Option<&Progress>,
) -> Result<()> {
    if target.symlink_metadata().is_ok() {
        return Ok(());
    }
    let at = certificate_path(target);
    let found = found_certificate(target, &at, replace)?;
    // That of a target which never was is replaced.
    let Some(certificate) = found.filter(|_| published(target).is_some()) else { return Ok(()) };
    let recorded = &certificate.statement().predicate.source;
    let mut others = sources.len() > recorded.len();
    for (path, recorded) in sources.iter().zip(recorded).filter(|(path, _)| is_plain_file(path)) {
        let file = ObjectFile::open(path)?;
        others = others || file.len().to_string() != recorded.size;
        if let Some(progress) = progress.filter(|_| !others) {
            progress.begin(Stage::Checking, 0, 0);
            others = recorded.digest != (&hash_object(&file, progress)?).into();
        }
    }
    if others { Err(Failure::WithoutTarget(at)) } else { Ok(()) }
}

/// The certificate under this name, if there is something that is not to be replaced whatever it is.
fn found_certificate(target: &Path, found: &Path, replace: bool) -> Result<Option<Certificate>> {
    let at = certificate_path(target);
    let Ok(kind) = found.symlink_metadata() else { return Ok(None) };
    if !kind.is_file() && !kind.is_symlink() {
        let shown = at.display();
        return Err(Failure::Usage(format!(
            "{shown}: is in the way of the certificate and no file; remove it"
        )));
    }
    if replace {
        return Ok(None);
    }
    read_certificate(found, None).map(Some).map_err(|failure| match failure {
        Failure::Certificate { error: error @ CertificateError::Unknown { .. }, .. } => {
            Failure::Stale(at, brief(&error))
        }
        _ => Failure::NoCertificate(at),
    })
}

/// What is written in the place of a source would destroy it.
pub fn refuse_same_file(what: &str, source: &Path, target: &Path) -> Result<()> {
    if is_same_file(source, target) {
        let shown = target.display();
        return Err(Failure::Usage(format!(
            "{shown}: source and {what} are the same file; give another {what}"
        )));
    }
    Ok(())
}

/// Refuses a source that has the name of a temporary, which is written and removed.
pub fn refuse_own_temporary(source: &Path, temporary: &Path) -> Result<()> {
    if is_same_file(source, temporary) {
        let (shown, temporary) = (source.display(), temporary.display());
        return Err(Failure::Usage(format!(
            "{shown}: is the same file as {temporary}, where the conversion would put a temporary; give the \
             source another name"
        )));
    }
    Ok(())
}

/// Whether two paths lead to one file.
pub(super) fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.metadata(), b.metadata()) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// The path with its directory spelled in the one way that the system has for it, as far as that exists.
pub fn placed(path: &Path) -> PathBuf {
    let Some(name) = path.file_name() else { return path.to_owned() };
    let dir = directory_of(path);
    dir.canonicalize().unwrap_or_else(|_| placed(dir)).join(name)
}

/// The path of the file that a path leads to, spelled in that way; the path itself where it leads to none.
pub fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_to_be_replaced_makes_room_for_a_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.csv");
        let at = certificate_path(&target);
        refuse_foreign_certificate(&target, false).unwrap();
        std::fs::write(&at, "precious").unwrap();
        let refused = refuse_foreign_certificate(&target, false).unwrap_err();
        assert!(matches!(&refused, Failure::NoCertificate(path) if *path == at), "{refused}");
        refuse_foreign_certificate(&target, true).unwrap();
        std::fs::remove_file(&at).unwrap();
        std::fs::create_dir(&at).unwrap();
        for replace in [false, true] {
            assert!(matches!(refuse_foreign_certificate(&target, replace), Err(Failure::Usage(_))));
        }
    }
}
