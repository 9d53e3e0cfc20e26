//! Provides the types and spellings that the certificate beside JSON Lines tells of them, and the record of
//! that in the certificate of what becomes of them.
//!
//! A certificate tells of the bytes that it is about, and of no others. Whoever signed it: what it tells is
//! checked with every value, and decides nothing about verdicts.

use std::path::Path;
use std::sync::Arc;

use ::formats::file::ObjectFile;
use ::formats::media::{self, Codec};
use ::formats::open::{Certified, OpenOptions};
use ::formats::recognise::detect;
use ::formats::registry::Format;
use coherence::certificate::Certificate;
use coherence::digest::Digest;
use coherence::statement::{Content, TableContent, TypedColumn};
use serde_json::{Map, Value, json};

use crate::failure::Result;
use crate::local::hash_untold;
use crate::local::staging::certificate_path;
use crate::local::survey::is_about;
use crate::local::verify::read_certificate;

/// Where certificates keep that the types of the source were told by its own certificate.
const KEY: &str = "typesFrom";

/// What the certificate beside a source tells.
#[derive(Debug, Default)]
pub struct Told {
    /// Its columns, if it is followed.
    pub columns: Option<Arc<Certified>>,
    /// Why it is not, where it should tell of this source.
    pub note: Option<String>,
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

/// What the certificate beside JSON Lines tells of them. Of other sources nothing is told, nor where other
/// columns were asked for.
///
/// # Errors
/// A source that cannot be read.
pub fn beside(source: &Path, options: &OpenOptions) -> Result<Told> {
    let at = certificate_path(source);
    let piped = source == Path::new("-") || !source.is_file();
    if piped || options.presence || options.arrays.is_some() || !at.is_file() {
        return Ok(Told::default());
    }
    let file = ObjectFile::open(source)?;
    let Ok((Format::JsonLines, _)) = detect(&file, options.format) else { return Ok(Told::default()) };
    let certificate = match read_certificate(&at, None) {
        Ok(certificate) => certificate,
        Err(failure) => return Ok(Told::nothing(&failure.to_string())),
    };
    let Some(content) = of_json_lines(&certificate) else { return Ok(Told::default()) };
    let shown = at.display();
    if !is_about(&certificate, &hash_untold(&file)?) {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        return Ok(match certificate.statement().subject.iter().any(|subject| subject.name == name) {
            true => Told::nothing(&format!("{shown}: is about other bytes of this name")),
            false => Told::default(),
        });
    }
    let name = name_of(&at);
    Ok(match Certified::new(name.clone(), &content.type_map) {
        Ok(columns) => {
            let record = record(&name, certificate.key_id(), &content.type_map);
            Told { columns: Some(Arc::new(columns)), note: None, record: Some(record) }
        }
        Err(error) => Told::nothing(&format!("{shown}: {error}")),
    })
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
