//! Provides the types and spellings that the certificate beside a text, or beside a partitioned directory of
//! text, tells of them, and the record of that in the certificate of what becomes of them.
//!
//! A certificate tells of the bytes that it is about, and of no others, and is followed if the key of this
//! run signed it. What it tells is checked with every value all the same, and decides nothing about verdicts.

use std::path::Path;
use std::sync::Arc;

use ::formats::file::ObjectFile;
use ::formats::media::{self, Codec};
use ::formats::open::{Certified, OpenOptions};
use ::formats::partition::PathColumn;
use ::formats::recognise::detect;
use ::formats::registry::Format;
use coherence::certificate::Certificate;
use coherence::digest::{Digest, ObjectDigest};
use coherence::dsse;
use coherence::statement::{Content, TypedColumn};
use serde_json::{Map, Value, json};

use super::partitions;
use crate::cli::Convert;
use crate::failure::{Failure, Result};
use crate::local::keys::own_key_id;
use crate::local::staging::certificate_path;
use crate::local::standard::is_plain_file;
use crate::local::survey::is_about;
use crate::local::verify::read_certificate;
use crate::local::{Hashed, Job, are_certified_files, hash_object, places};
use crate::meter::Stage;
use crate::progress::Progress;

/// Where certificates keep that the types of the source were told by its own certificate.
pub const TYPES_FROM: &str = "typesFrom";

/// Member of that: what stands between the fields of delimited text.
const DELIMITER: &str = "delimiter";

/// How many times the size of a certificate is needed to read it, with room for all else that is held.
const CERTIFICATE_SHARE: u64 = 32;

/// What the certificate beside a source tells.
#[derive(Debug, Default)]
pub struct Told {
    /// Its columns, if it is followed.
    pub columns: Option<Arc<Certified>>,
    /// Why it is not, where it should tell of this source.
    pub note: Option<String>,
    /// The source and its digests, where they were needed.
    hashed: Option<Hashed>,
    /// Which it is, for the certificate of the conversion.
    record: Option<Value>,
}

impl Told {
    fn nothing(why: &str) -> Self {
        Told { note: Some(found_by_values(why)), ..Told::default() }
    }

    /// Records among the parameters of a certificate that it was followed.
    pub fn record(&self, parameters: &mut Map<String, Value>) {
        parameters.extend(self.record.iter().map(|record| (TYPES_FROM.to_owned(), record.clone())));
    }
}

/// What is to be said where a certificate should tell types, and this is why it does not.
fn found_by_values(why: &str) -> String {
    format!("{why}; so types were found by the values")
}

/// The same job with the types that the certificate beside its only source or beside its partitioned
/// directory tells, unless they are to be found.
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
    if args.no_certified_types || job.many.source_column.is_some() {
        return Ok((job, None));
    }
    let told = match job.sources.as_slice() {
        _ if !job.many.path_columns.is_empty() => beside_directory(&job, progress)?,
        [only] => beside(only, &job.open, job.memory, progress)?,
        _ => return Ok((job, None)),
    };
    told.record(&mut job.parameters);
    job.notes.extend(told.note);
    job.open.certified = told.columns;
    job.hashed = told.hashed;
    let object = job.hashed.as_ref().map(|hashed| hashed.digest);
    Ok((job, object))
}

/// What the certificate beside a text tells of it, if it can be read within this memory. Of other sources
/// nothing is told, nor where other columns were asked for.
///
/// Delimited text is written by many programs, and edited: that a certificate beside it is about other bytes,
/// or about bytes alone, is nothing to be said.
///
/// # Errors
/// A source that cannot be read; an interruption.
pub fn beside(source: &Path, options: &OpenOptions, memory: u64, progress: &Progress) -> Result<Told> {
    let at = certificate_path(source);
    if !at.is_file() {
        return Ok(Told::default());
    }
    let Some((file, text)) = text(source, options)? else { return Ok(Told::default()) };
    let of_file = |content: &Content| matches!(content, Content::Table(_));
    let certificate = match own(&at, memory, text, of_file) {
        Ok(certificate) => certificate,
        Err(note) => return Ok(Told { note, ..Told::default() }),
    };
    progress.begin(Stage::Checking, 0, 0);
    let object = hash_object(&file, progress)?;
    let told = match (is_about(&certificate, &object), text) {
        (true, Text::JsonLines) => of_columns(&at, &certificate, &[]),
        (true, Text::Delimited) => of_fields(&at, &certificate, options, &[]),
        (false, Text::JsonLines) => Told::nothing(&of_others(&at, &certificate, source)),
        (false, Text::Delimited) => Told::default(),
    };
    Ok(Told { hashed: Some(Hashed { file: Arc::new(file), digest: object }), ..told })
}

/// What the certificate beside a partitioned directory tells of the text in it, besides its keys. Where it
/// is about other files than are taken, that is told of JSON Lines alone, as of one file.
fn beside_directory(job: &Job, progress: &Progress) -> Result<Told> {
    let keys = &job.many.path_columns;
    let Some(dir) = partitions::directory_of_keys(&job.sources, keys.len()) else {
        return Ok(Told::default());
    };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let Some(at) = partitions::certificate_beside(dir) else { return Ok(Told::default()) };
    let Some((_, text)) = text(&job.sources[0], &job.open)? else { return Ok(Told::default()) };
    let of_directory = |content: &Content| matches!(content, Content::Partitioned(_));
    let certificate = match own(&at, job.memory, text, of_directory) {
        Ok(certificate) => certificate,
        Err(note) => return Ok(Told { note, ..Told::default() }),
    };
    progress.begin(Stage::Checking, 0, 0);
    Ok(match (are_certified_files(dir, &job.sources, &certificate, progress)?, text) {
        (true, Text::JsonLines) => of_columns(&at, &certificate, keys),
        (true, Text::Delimited) => of_fields(&at, &certificate, &job.open, keys),
        (false, Text::JsonLines) => {
            let (at, dir) = (at.display(), dir.display());
            Told::nothing(&format!("{at}: is about other files than are taken of {dir}"))
        }
        (false, Text::Delimited) => Told::default(),
    })
}

/// A text of which a certificate may tell types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    JsonLines,
    Delimited,
}

impl Text {
    /// The text that this format is.
    fn of(format: Format) -> Option<Self> {
        match format {
            Format::JsonLines => Some(Text::JsonLines),
            Format::Csv | Format::Tsv => Some(Text::Delimited),
            _ => None,
        }
    }
}

/// A source, if it is a file of text of which a certificate may tell types.
fn text(source: &Path, options: &OpenOptions) -> Result<Option<(ObjectFile, Text)>> {
    if !is_plain_file(source) || options.arrays.is_some() {
        return Ok(None);
    }
    let file = ObjectFile::open(source)?;
    let Ok((format, _)) = detect(&file, options.format) else { return Ok(None) };
    let text = Text::of(format).filter(|text| *text == Text::Delimited || !options.presence);
    Ok(text.map(|text| (file, text)))
}

/// The certificate at this place, if it is about such a text and the key of this run signed it; or what is to
/// be said of it.
fn own(
    at: &Path,
    memory: u64,
    text: Text,
    such: fn(&Content) -> bool,
) -> Result<Certificate, Option<String>> {
    let found = within(at, memory).and_then(|found| Ok((found, own_key_id()?)));
    let (certificate, own) = found.map_err(|failure| Some(found_by_values(&failure.brief())))?;
    let (shown, content) = (at.display(), &certificate.statement().predicate.content);
    if !such(content) || written_as(&certificate).is_none_or(|(written, _)| written != text) {
        let of_bytes = matches!(content, Content::Bytes(_)) && text == Text::JsonLines;
        return Err(of_bytes.then(|| found_by_values(&format!("{shown}: is about bytes alone"))));
    }
    let signer = certificate.key_id();
    if own.as_ref() != Some(signer) {
        return Err(Some(found_by_values(&format!(
            "{shown}: is signed by another key, {signer}, whose types are not followed"
        ))));
    }
    Ok(certificate)
}

/// What the type map of a certificate tells of delimited text, which does not hold these keys, unless
/// options say something else: of several files also of single columns.
fn of_fields(at: &Path, certificate: &Certificate, options: &OpenOptions, keys: &[PathColumn]) -> Told {
    let (name, columns) = (name_of(at), columns_besides(certificate, keys));
    let delimiter = written_as(certificate).map_or(b',', |(_, delimiter)| delimiter);
    let rules = &options.typing;
    let mut given = rules.fixed.iter().map(|(name, _)| name).chain(rules.orders.iter().map(|(name, _)| name));
    let of_single = !keys.is_empty() && given.any(|name| columns.iter().any(|column| column.name == *name));
    if of_single || !options.leave_to_certificate(delimiter) {
        let what = format!("{}: tells types, and options of reading were given", at.display());
        return Told::nothing(&what);
    }
    let found = Certified::delimited(name.clone(), &columns, delimiter).map_err(|error| error.to_string());
    match found.and_then(|found| placed(found, certificate)) {
        Ok(found) => {
            let mut record = record(&name, certificate.key_id(), &columns);
            record[DELIMITER] = json!(char::from(delimiter).to_string());
            Told { columns: Some(Arc::new(found)), record: Some(record), ..Told::default() }
        }
        Err(error) => Told::nothing(&format!("{}: {error}", at.display())),
    }
}

/// What the type map of a certificate tells of the files of a table, which do not hold these keys.
fn of_columns(at: &Path, certificate: &Certificate, keys: &[PathColumn]) -> Told {
    let (name, columns) = (name_of(at), columns_besides(certificate, keys));
    let found = Certified::new(name.clone(), &columns).map_err(|error| error.to_string());
    match found.and_then(|found| placed(found, certificate)) {
        Ok(found) => {
            let record = record(&name, certificate.key_id(), &columns);
            Told { columns: Some(Arc::new(found)), record: Some(record), ..Told::default() }
        }
        Err(error) => Told::nothing(&format!("{}: {error}", at.display())),
    }
}

/// The same with the places of rows in partitions.
fn placed(found: Certified, certificate: &Certificate) -> Result<Certified, String> {
    let predicate = &certificate.statement().predicate;
    match predicate.content {
        Content::Partitioned(_) => match places(&predicate.conversion.parameters) {
            Ok(places) => Ok(found.placed(places)),
            Err(malformed) => Err(malformed.to_string()),
        },
        _ => Ok(found),
    }
}

/// The columns that a certificate tells, but for those that the directories of the files tell.
fn columns_besides(certificate: &Certificate, keys: &[PathColumn]) -> Vec<TypedColumn> {
    let columns = certificate.statement().predicate.content.table();
    let columns = columns.into_iter().flat_map(|content| &content.type_map);
    columns.filter(|column| keys.iter().all(|key| key.name != column.name)).cloned().collect()
}

/// That a certificate is about other bytes than the source beside it has. Both may have been renamed.
fn of_others(at: &Path, certificate: &Certificate, source: &Path) -> String {
    let (shown, name) = (at.display(), source.file_name().unwrap_or_default().to_string_lossy());
    match certificate.statement().subject.first() {
        Some(subject) if subject.name != name => {
            format!("{shown}: is about other bytes, which were called {}", dsse::shown(&subject.name))
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

/// The columns of sources whose own certificate told them, as that of the target at this place keeps them.
///
/// # Errors
/// A type map that is not one of such a text.
pub fn recorded(certificate: &Certificate, at: &Path) -> Result<Option<Arc<Certified>>> {
    let predicate = &certificate.statement().predicate;
    let parameters = &predicate.conversion.parameters;
    if predicate.content.table().is_none() || !parameters.contains_key(TYPES_FROM) {
        return Ok(None);
    }
    let columns = columns_besides(certificate, &partitions::recorded(parameters)?);
    let delimiter = parameters[TYPES_FROM].get(DELIMITER).and_then(Value::as_str);
    let found = match delimiter.and_then(media::delimiter) {
        Some(delimiter) => Certified::delimited(name_of(at), &columns, delimiter),
        None => Certified::new(name_of(at), &columns),
    };
    Ok(Some(Arc::new(found?)))
}

/// Which text a certificate is about, and what stands between the fields of it.
fn written_as(certificate: &Certificate) -> Option<(Text, u8)> {
    let conversion = &certificate.statement().predicate.conversion;
    let to = media::recorded(&conversion.to, &conversion.parameters)?;
    match to.codec {
        Codec::Table(format) => Some((Text::of(format)?, to.delimiter)),
        _ => None,
    }
}

fn name_of(at: &Path) -> String {
    at.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Which certificate told what: the same of one that is made again of the same source.
fn record(name: &str, key_id: &Digest, columns: &[TypedColumn]) -> Value {
    let columns: Vec<String> =
        columns.iter().map(|column| json!([column.name, column.style]).to_string()).collect();
    let columns = format!("[{}]", columns.join(","));
    json!({
        "certificate": name,
        "keyId": key_id.to_string(),
        "columns": Digest::blake3(columns.as_bytes()).to_string(),
    })
}
