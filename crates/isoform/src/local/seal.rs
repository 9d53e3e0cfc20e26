//! Provides the last steps that all conversions share: the verdict, the signature, and what a person calls
//! files and times.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use coherence::budget::Budget;
use coherence::certificate::{self, BuildError, ColumnStyle, Facts, File, Verdict};
use coherence::digest::{Digest, ObjectDigest};
use coherence::dsse::Malformed;
use coherence::statement::{Execution, Tool};
use coherence::verified::VerifiedWhole;
use serde_json::{Map, Value, json};

use super::keys;
use super::staging::{certificate_path, temporaries};
use crate::failure::{Failure, Result};

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
    let key = keys::signing_key()?;
    let key_id = keys::id_of(&key)?;
    let reversible = facts.styles.iter().all(|style| style.reversible);
    let verdict = certificate::verdict(whole, &facts.budget, reversible)
        .map_err(|error| Failure::Mismatch(error.to_string()))?;
    accepted(verdict, strict)?;
    let bundle = certificate::sign(whole, facts, &key).map_err(|error| match error {
        BuildError::Unreadable(large @ Malformed::TooLarge { .. }) => Failure::Other(format!(
            "the certificate would have {large}: convert fewer sources at once, or fewer columns"
        )),
        other => Failure::Other(format!("bug in isoform: certificate: {other}")),
    })?;
    Ok(Sealed { certificate: bundle.to_bytes(), key_id, verdict })
}

/// Fails for a verdict below EXACT where `strict` accepts nothing less.
pub fn accepted(verdict: Verdict, strict: bool) -> Result<()> {
    if strict && verdict != Verdict::Exact {
        let name = verdict.name();
        return Err(Failure::Mismatch(format!(
            "the verdict would be {name}, and --strict accepts only EXACT"
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
        parameters: parameters.clone(),
        started_on: rfc3339(started),
        finished_on: rfc3339(SystemTime::now()),
        styles,
        budget: Budget::ZERO,
        gates: Vec::new(),
        redone: 0,
        execution: Execution { mode: "local".into(), nodes: Vec::new(), cost: Map::new() },
    }
}

/// The parameters with the path of a single source as it was typed, under which `verify` looks for it; those
/// of several sources are among them.
pub fn with_path(parameters: &Map<String, Value>, source: &Path) -> Map<String, Value> {
    let mut parameters = parameters.clone();
    if source != Path::new("-") {
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
    refuse_same_file("certificate of the target", source, &certificate_path(target))?;
    // What names no file is refused where it is opened.
    let mut temporaries = temporaries(target).into_iter().flatten();
    temporaries.try_for_each(|temporary| refuse_own_temporary(source, &temporary))
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
