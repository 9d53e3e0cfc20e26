//! Provides the later check of a target: by its certificate alone, and against its source where that is at
//! hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coherence::certificate::{self, Certificate, Verdict};
use coherence::content::{PartContent, content_root};
use coherence::digest::Digest;
use coherence::dsse::Bundle;
use coherence::schema::Schema;
use formats::cells::logical_schema;
use formats::file::ObjectFile;
use formats::geometry;
use formats::open::{OpenOptions, open, open_recorded};
use formats::table::TableSource;
use serde_json::{Map, Value};

use super::plan::retyped;
use super::{hash_object, reread};
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// Bytes of a certificate that are read at most; its reader refuses larger ones.
const CERTIFICATE_BYTES_MAX: u64 = 16 << 20;

/// A check that passed.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What was checked.
    pub name: &'static str,
    /// What was found.
    pub found: String,
}

/// What was found out about a target.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The target.
    pub target: PathBuf,
    /// Its certificate.
    pub certificate: PathBuf,
    /// Who signed it.
    pub key_id: Digest,
    /// Whether the key had to be a given one.
    pub key_pinned: bool,
    /// What the certificate promises.
    pub verdict: Verdict,
    /// Rows.
    pub rows: u64,
    /// Content digest.
    pub content: String,
    /// The source, where it was compared.
    pub source: Option<PathBuf>,
    /// The checks, in order.
    pub checks: Vec<Checked>,
}

/// Reads a certificate and checks its signature.
pub fn read_certificate(path: &Path, pinned: Option<&Digest>) -> Result<Certificate> {
    let failed = |error| Failure::io(path, error);
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > CERTIFICATE_BYTES_MAX {
        let shown = path.display();
        return Err(Failure::Other(format!("{shown}: {size} bytes are too many for a certificate")));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    let named = |error: certificate::CertificateError| Failure::Certificate { path: path.to_owned(), error };
    let bundle = Bundle::parse(&bytes).map_err(|error| named(error.into()))?;
    certificate::verify(&bundle, pinned).map_err(named)
}

/// The source of a certificate, if it is at hand: where it was said to be, else beside the target under its
/// name. A file of that name with other bytes is somebody else's, unless it was named.
pub fn find_source(
    certificate: &Certificate,
    target: &Path,
    said: Option<&Path>,
    progress: &Progress,
) -> Result<Option<PathBuf>> {
    let Some(recorded) = certificate.statement().predicate.source.first() else { return Ok(None) };
    let path = match said {
        Some(path) => path.to_owned(),
        None => target.with_file_name(&recorded.name),
    };
    if said.is_none() && !path.is_file() {
        return Ok(None);
    }
    let object = hash_object(&ObjectFile::open(&path)?, progress)?;
    if object.sha256.to_string() == recorded.digest.sha256
        && object.blake3.to_string() == recorded.digest.blake3
    {
        return Ok(Some(path));
    }
    let shown = path.display();
    Err(Failure::Mismatch(format!(
        "{shown}: is not the source that was converted: its bytes have another digest"
    )))
}

/// Checks the bytes and the content of a target, and its source where there is one.
pub fn verify(
    target: &Path,
    certificate_at: &Path,
    certificate: &Certificate,
    source: Option<&Path>,
    reading: &OpenOptions,
    workers: usize,
    progress: &Progress,
) -> Result<Evidence> {
    progress.stage("verifying");
    let predicate = &certificate.statement().predicate;
    let mut checks = Vec::new();
    let mut passed = |name, found: String| checks.push(Checked { name, found });
    passed("signature", format!("valid, by key {}", certificate.key_id()));
    let file = Arc::new(ObjectFile::open(target)?);
    let object = hash_object(&file, progress)?;
    let same = |subject: &coherence::statement::Subject| {
        subject.digest.sha256 == object.sha256.to_string()
            && subject.digest.blake3 == object.blake3.to_string()
    };
    if !certificate.statement().subject.iter().any(same) {
        let shown = target.display();
        return Err(Failure::Mismatch(format!("{shown}: these are not the bytes that were certified")));
    }
    passed("bytes", "SHA-256 and BLAKE3 are those of the certificate".into());
    let styles: Vec<Map<String, Value>> =
        predicate.content.type_map.iter().map(|c| c.style.clone()).collect();
    let names: Vec<String> = predicate.content.type_map.iter().map(|column| column.name.clone()).collect();
    let table = open_recorded(file.clone(), &predicate.conversion.to, &names, &styles, &reading.spool_dir)?;
    let (schema, root) = root_of(table.as_ref(), workers, progress)?;
    let rows = table.rows();
    if root.to_string() != predicate.content.target || rows.to_string() != predicate.content.rows {
        let shown = target.display();
        return Err(Failure::Mismatch(format!("{shown}: its content is not the one that was certified")));
    }
    passed("content", format!("all {rows} rows were decoded; their digest is that of the certificate"));
    if let Some(source) = source {
        let mut opened = open(Arc::new(ObjectFile::open(source)?), reading)?;
        retyped(&mut opened)?;
        let (theirs, root) = root_of(opened.table(), workers, progress)?;
        if root.to_string() != predicate.content.source || theirs != schema {
            let shown = source.display();
            return Err(Failure::Mismatch(format!("{shown}: its content is not the one that was certified")));
        }
        passed("source", format!("{}: decoded again, and equal to the target", source.display()));
    } else {
        passed("source", "not at hand; the target was checked against its certificate alone".into());
    }
    Ok(Evidence {
        target: target.to_owned(),
        certificate: certificate_at.to_owned(),
        key_id: *certificate.key_id(),
        key_pinned: false,
        verdict: certificate.verdict(),
        rows,
        content: predicate.content.target.clone(),
        source: source.map(Path::to_owned),
        checks,
    })
}

/// The content digest of a table, computed anew.
pub fn root_of(table: &dyn TableSource, workers: usize, progress: &Progress) -> Result<(Schema, Digest)> {
    let schema = logical_schema(table.schema())?;
    let parts = geometry::cut(table.rows(), None, |rows| table.byte_range(rows));
    let contents = reread(table, &parts, &schema, workers, progress)?;
    let bug = |error: coherence::content::ContentError| Failure::Other(format!("bug in isoform: {error}"));
    let whole = PartContent::concat(schema.columns(), &contents).map_err(bug)?;
    let root = content_root(&schema, whole.rows, &whole.leaves).map_err(bug)?;
    Ok((schema, root))
}
