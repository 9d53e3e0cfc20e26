//! Provides the types and spellings that the certificate beside JSON Lines tells of them, and the record of
//! that in the certificate of what becomes of them.
//!
//! A certificate tells of the bytes that it is about, and of no others, and is followed if the key of this
//! run signed it. What it tells is checked with every value all the same, and decides nothing about verdicts.

use std::path::Path;
use std::sync::Arc;

use ::formats::file::ObjectFile;
use ::formats::media::{self, Codec};
use ::formats::open::{Certified, OpenOptions};
use ::formats::recognise::detect;
use ::formats::registry::Format;
use coherence::certificate::Certificate;
use coherence::digest::{Digest, ObjectDigest};
use coherence::statement::{Content, TableContent, TypedColumn};
use serde_json::{Map, Value, json};

use crate::cli::Convert;
use crate::failure::{Failure, Result};
use crate::local::keys::own_key_id;
use crate::local::staging::certificate_path;
use crate::local::standard::is_plain_file;
use crate::local::survey::is_about;
use crate::local::verify::read_certificate;
use crate::local::{Job, hash_object};
use crate::meter::Stage;
use crate::progress::Progress;

/// Where certificates keep that the types of the source were told by its own certificate.
const KEY: &str = "typesFrom";

/// How many times the size of a certificate is needed to read it, with room for all else that is held.
const CERTIFICATE_SHARE: u64 = 32;

/// What the certificate beside a source tells.
#[derive(Debug, Default)]
pub struct Told {
    /// Its columns, if it is followed.
    pub columns: Option<Arc<Certified>>,
    /// Why it is not, where it should tell of this source.
    pub note: Option<String>,
    /// The digests of the source, where they were needed.
    object: Option<ObjectDigest>,
    /// Which it is, for the certificate of the conversion.
    record: Option<Value>,
}

impl Told {
    fn nothing(why: &str) -> Self {
        let note = format!("{why}; so types were found by the values");
        Told { note: Some(note), ..Told::default() }
    }

    /// Records among the parameters of a certificate that it was followed.
    pub fn record(&self, parameters: &mut Map<String, Value>) {
        parameters.extend(self.record.iter().map(|record| (KEY.to_owned(), record.clone())));
    }
}

/// The same job with the types that the certificate beside its only source tells, unless they are to be
/// found.
///
/// # Errors
/// A source that cannot be read; an interruption.
pub fn followed(job: Job, args: &Convert, progress: &Progress) -> Result<Job> {
    followed_and_hashed(job, args, progress).map(|(job, _)| job)
}

/// The same, with the digests of the source where they were needed for that.
///
/// # Errors
/// As of [`followed`].
pub fn followed_and_hashed(
    mut job: Job,
    args: &Convert,
    progress: &Progress,
) -> Result<(Job, Option<ObjectDigest>)> {
    let as_it_is = job.many.path_columns.is_empty() && job.many.source_column.is_none();
    if let [only] = job.sources.as_slice()
        && as_it_is
        && !args.no_certified_types
    {
        let told = beside(only, &job.open, job.memory, progress)?;
        told.record(&mut job.parameters);
        job.notes.extend(told.note);
        job.open.certified = told.columns;
        return Ok((job, told.object));
    }
    Ok((job, None))
}

/// What the certificate beside JSON Lines tells of them, if it can be read within this memory. Of other
/// sources nothing is told, nor where other columns were asked for.
///
/// # Errors
/// A source that cannot be read; an interruption.
pub fn beside(source: &Path, options: &OpenOptions, memory: u64, progress: &Progress) -> Result<Told> {
    let at = certificate_path(source);
    if !is_plain_file(source) || options.presence || options.arrays.is_some() || !at.is_file() {
        return Ok(Told::default());
    }
    let file = ObjectFile::open(source)?;
    let Ok((Format::JsonLines, _)) = detect(&file, options.format) else { return Ok(Told::default()) };
    let (certificate, own) = match within(&at, memory).and_then(|found| Ok((found, own_key_id()?))) {
        Ok(found) => found,
        Err(failure) => return Ok(Told::nothing(&failure.to_string())),
    };
    let shown = at.display();
    let Some(content) = of_json_lines(&certificate) else {
        return Ok(match certificate.statement().predicate.content {
            Content::Bytes(_) => Told::nothing(&format!("{shown}: is about bytes alone")),
            _ => Told::default(),
        });
    };
    let signer = certificate.key_id();
    if own.as_ref() != Some(signer) {
        return Ok(Told::nothing(&format!(
            "{shown}: is signed by another key, {signer}, whose types are not followed"
        )));
    }
    progress.begin(Stage::Checking, 0, 0);
    let object = hash_object(&file, progress)?;
    let told = match is_about(&certificate, &object) {
        true => of_columns(&at, signer, &content.type_map),
        false => Told::nothing(&of_others(&at, &certificate, source)),
    };
    Ok(Told { object: Some(object), ..told })
}

/// What a type map tells, by whom it was signed.
fn of_columns(at: &Path, signer: &Digest, columns: &[TypedColumn]) -> Told {
    let name = name_of(at);
    match Certified::new(name.clone(), columns) {
        Ok(found) => {
            let record = record(&name, signer, columns);
            Told { columns: Some(Arc::new(found)), record: Some(record), ..Told::default() }
        }
        Err(error) => Told::nothing(&format!("{}: {error}", at.display())),
    }
}

/// That a certificate is about other bytes than the source beside it has. Both may have been renamed.
fn of_others(at: &Path, certificate: &Certificate, source: &Path) -> String {
    let (shown, name) = (at.display(), source.file_name().unwrap_or_default().to_string_lossy());
    match certificate.statement().subject.first() {
        Some(subject) if subject.name != name => {
            format!("{shown}: is about other bytes, which were called {}", subject.name)
        }
        _ => format!("{shown}: is about other bytes of this name"),
    }
}

/// The certificate at this place.
///
/// # Errors
/// One that does not hold, or that takes too much of the memory.
fn within(at: &Path, memory: u64) -> Result<Certificate> {
    let size = at.metadata().map_err(|error| Failure::io(at, error))?.len();
    if size > memory / CERTIFICATE_SHARE {
        let (shown, needed) = (at.display(), (size * CERTIFICATE_SHARE).div_ceil(1 << 20));
        return Err(Failure::Other(format!(
            "{shown}: its {size} bytes are too many for this --memory; give it --memory {needed}MiB"
        )));
    }
    read_certificate(at, None)
}

/// The columns of a source whose own certificate told them, as that of the target at this place keeps them.
///
/// # Errors
/// A type map that is not one of JSON Lines.
pub fn recorded(certificate: &Certificate, at: &Path) -> Result<Option<Arc<Certified>>> {
    let predicate = &certificate.statement().predicate;
    match predicate.content.table() {
        Some(content) if predicate.conversion.parameters.contains_key(KEY) => {
            Ok(Some(Arc::new(Certified::new(name_of(at), &content.type_map)?)))
        }
        _ => Ok(None),
    }
}

/// The table that a certificate is about, where it lies in one file of JSON Lines.
fn of_json_lines(certificate: &Certificate) -> Option<&TableContent> {
    let predicate = &certificate.statement().predicate;
    let to = media::recorded(&predicate.conversion.to, &predicate.conversion.parameters)?;
    match &predicate.content {
        Content::Table(content) if to.codec == Codec::Table(Format::JsonLines) => Some(content),
        _ => None,
    }
}

fn name_of(at: &Path) -> String {
    at.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Which certificate told what: the same of one that is made again of the same source.
fn record(name: &str, key_id: &Digest, columns: &[TypedColumn]) -> Value {
    let columns = columns.iter().map(|column| json!([column.name, column.style]));
    let columns = Value::Array(columns.collect()).to_string();
    json!({
        "certificate": name,
        "keyId": key_id.to_string(),
        "columns": Digest::blake3(columns.as_bytes()).to_string(),
    })
}
