//! `verify`.

use std::path::{Path, PathBuf};

use coherence::certificate::Certificate;
use coherence::digest::Digest;
use serde_json::{Value, json};

use super::options;
use crate::cli::{Output, Verify};
use crate::failure::{DONE, Failure, Result, SOME_FAILED};
use crate::local::staging::{CERTIFICATE_ENDING, certificate_path};
use crate::local::verify::{Checked, Evidence, find_sources, read_certificate, verify};
use crate::local::without_slash;
use crate::progress::Progress;
use crate::report;

/// Checks a target, or every target in a directory.
pub fn run(args: &Verify, output: &Output) -> Result<u8> {
    let pinned = args.key.as_deref().map(|key| {
        key.parse::<Digest>()
            .map_err(|error| Failure::Usage(format!("--key: {error}; see `isoform key show`")))
    });
    let pinned = pinned.transpose()?;
    let progress = Progress::new(output)?;
    if args.target.is_dir() && !is_partitioned(args) {
        return directory(args, pinned.as_ref(), &progress, output);
    }
    let evidence = one(args, &without_slash(&args.target), pinned.as_ref(), &progress)?;
    progress.finish();
    report::result(output, &document(&evidence), &lines(&evidence));
    Ok(DONE)
}

/// Whether a directory is one target, and not a place of several: it has a certificate of its own.
fn is_partitioned(args: &Verify) -> bool {
    args.certificate.as_ref().is_some_and(|path| path.is_file())
        || certificate_path(&without_slash(&args.target)).exists()
}

fn one(args: &Verify, target: &Path, pinned: Option<&Digest>, progress: &Progress) -> Result<Evidence> {
    let (certificate_at, certificate) = find_certificate(args, target, pinned, progress)?;
    let parameters = &certificate.statement().predicate.conversion.parameters;
    let dir = options::temporary_dir();
    let mut reading = options::reading(&options::recorded_reading(parameters), &dir)?;
    let many = options::recorded_many(parameters, &mut reading);
    let sources = find_sources(&certificate, target, &args.source, progress)?;
    let workers = crate::local::memory::workers(args.threads, crate::local::memory::parse_size("512MiB")?)?;
    let reading = (&reading, &many);
    let evidence = verify(target, &certificate_at, &certificate, &sources, reading, workers, progress)?;
    Ok(Evidence { key_pinned: pinned.is_some(), ..evidence })
}

/// The certificate that was named; or the one beside the target; or, in a directory that was named, the one
/// that is about the target's bytes.
fn find_certificate(
    args: &Verify,
    target: &Path,
    pinned: Option<&Digest>,
    progress: &Progress,
) -> Result<(PathBuf, Certificate)> {
    match &args.certificate {
        Some(path) if path.is_dir() && target.is_dir() => {
            let shown = path.display();
            let text = "the target is a directory, and its certificate is not found by one digest";
            Err(Failure::Usage(format!("--certificate {shown}: {text}; name the file")))
        }
        Some(path) if path.is_dir() => {
            let file = formats_file(target)?;
            let object = crate::local::hash_object(&file, progress)?;
            for path in certificates_in(path)? {
                if let Ok(certificate) = read_certificate(&path, pinned)
                    && certificate
                        .statement()
                        .subject
                        .iter()
                        .any(|s| s.digest.sha256 == object.sha256.to_string())
                {
                    return Ok((path, certificate));
                }
            }
            let (shown, dir) = (target.display(), path.display());
            Err(Failure::Other(format!("{shown}: no certificate in {dir} is about these bytes")))
        }
        named => {
            let path = named.clone().unwrap_or_else(|| certificate_path(target));
            if named.is_none() && !path.exists() && target.exists() {
                let shown = target.display();
                let hint = "name it with --certificate, or the directory where it may be";
                return Err(Failure::Other(format!("{shown}: no certificate beside it; {hint}")));
            }
            let certificate = read_certificate(&path, pinned)?;
            Ok((path, certificate))
        }
    }
}

fn formats_file(path: &Path) -> Result<::formats::file::ObjectFile> {
    Ok(::formats::file::ObjectFile::open(path)?)
}

/// The certificates in a directory, by name.
fn certificates_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Failure::io(dir, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().ends_with(CERTIFICATE_ENDING) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The target that a certificate stands beside.
fn target_of(certificate: &Path) -> PathBuf {
    let name = certificate.to_string_lossy();
    PathBuf::from(name.strip_suffix(CERTIFICATE_ENDING).unwrap_or(&name))
}

fn directory(args: &Verify, pinned: Option<&Digest>, progress: &Progress, output: &Output) -> Result<u8> {
    let certificates = certificates_in(&args.target)?;
    if certificates.is_empty() {
        let shown = args.target.display();
        return Err(Failure::Other(format!("{shown}: no certificates in this directory")));
    }
    let mut failed = 0;
    let (mut documents, mut text) = (Vec::new(), Vec::new());
    for certificate in &certificates {
        let target = target_of(certificate);
        match one(args, &target, pinned, progress) {
            Ok(evidence) => {
                documents.push(document(&evidence));
                text.extend(lines(&evidence));
            }
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(failure) => {
                failed += 1;
                let message = failure.to_string();
                text.push(format!("{}: FAILED: {message}", target.display()));
                let error = json!({ "exitCode": failure.code(), "message": message });
                documents.push(json!({ "target": target.to_string_lossy(), "error": error }));
            }
        }
    }
    progress.finish();
    let total = certificates.len();
    text.push(format!("{} of {total} targets hold", total - failed));
    let whole = json!({ "schema": "isoform.verify-directory/v1", "targets": documents, "failed": failed });
    report::result(output, &whole, &text);
    Ok(if failed == 0 { DONE } else { SOME_FAILED })
}

fn document(evidence: &Evidence) -> Value {
    let checks = evidence.checks.iter().map(|check| json!({ "name": check.name, "found": check.found }));
    json!({
        "schema": "isoform.verify/v1",
        "target": evidence.target.to_string_lossy(),
        "certificate": evidence.certificate.to_string_lossy(),
        "keyId": evidence.key_id.to_string(),
        "keyPinned": evidence.key_pinned,
        "verdict": evidence.verdict.name(),
        (evidence.counted.0): evidence.counted.1,
        "content": evidence.content,
        "source": evidence.sources.first().map(|path| path.to_string_lossy()),
        "sources": evidence.sources.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        "checks": checks.collect::<Vec<_>>(),
    })
}

fn lines(evidence: &Evidence) -> Vec<String> {
    let mut lines = vec![format!("{}: {} holds", evidence.target.display(), evidence.verdict.name())];
    lines.extend(evidence.checks.iter().map(|Checked { name, found }| format!("  {name}: {found}")));
    lines
}
