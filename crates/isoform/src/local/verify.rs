//! Provides the later check of a target: by its certificate alone, and against its source where that is at
//! hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coherence::budget::Budget;
use coherence::certificate::{self, Certificate, Verdict};
use coherence::content::{Grid, PartContent, content_root};
use coherence::digest::{Digest, ObjectDigest};
use coherence::dsse::{BUNDLE_BYTES_MAX, Bundle, Malformed, shown};
use coherence::found::{Difference, Found, SET_ASIDE};
use coherence::schema::Schema;
use coherence::statement::{Content, Predicate, TableContent};
use coherence::verified::Records;
use formats::cells::logical_schema;
use formats::concat::ConcatOptions;
use formats::file::ObjectFile;
use formats::geometry::{self, Geometry};
use formats::media::{self, Codec, Recorded};
use formats::open::{OpenOptions, Opened, open_recorded};
use formats::registry::Format;
use formats::signal::is_index;
use formats::spool::SpoolOptions;
use formats::table::TableSource;
use formats::text::parse_type;
use formats::words::{all_were, argument, counted};
use serde_json::Value;

use super::effective::check_reading;
use super::memory::{of_image, readers_of_table};
use super::plan::retyped_on;
use super::seal::SOURCES;
use super::source::records_of;
use super::standard::is_pipe;
use super::survey::{is_about, unpublished};
use super::type_map::TypeMap;
use super::{hash_object, open_sources, partitioned, read_pipe, reread, stopped};
use crate::failure::{Failure, Result, by_maker, untold};
use crate::meter::Stage;
use crate::progress::Progress;

/// Bytes of a certificate that are read at most; its reader refuses larger ones.
const CERTIFICATE_BYTES_MAX: u64 = BUNDLE_BYTES_MAX as u64;

/// What rounding may have added to a bound.
const ROUNDING: f64 = 1e-9;

/// What is told of a source that nobody has.
pub(super) const NOT_AT_HAND: &str =
    "not at hand; the target was checked against its certificate alone (--source FILE names the source)";

/// The failure of an object that holds something else than was certified.
pub(super) fn differs(path: &Path) -> Failure {
    Failure::Mismatch(format!("{}: its content is not the one that was certified", path.display()))
}

/// The failure of a target whose bytes are those of its certificate, and whose content is not.
pub(super) fn decodes_otherwise(path: &Path) -> Failure {
    Failure::Mismatch(format!(
        "{}: its content is not the one that was certified, though its bytes are: the certificate is not \
         true, or of a version that decodes them otherwise; convert the source again",
        path.display()
    ))
}

/// The failure of a target whose certificate states bounds that cannot be measured again.
pub(super) fn unknown_bounds(predicate: &Predicate, path: &Path, error: &Malformed) -> Failure {
    let (shown, tool) = (path.display(), &predicate.conversion.tool);
    Failure::Other(format!(
        "{shown}: its certificate states bounds that are not known here ({error}); {}",
        by_maker(&format!("{} {}", tool.name, tool.version))
    ))
}

/// Checks all that a certificate states of a conversion against what is found of it again: the verdict, every
/// figure to the last digit, and what was checked. `what` begins the message.
pub(super) fn as_stated(predicate: &Predicate, found: &Found<'_>, (path, what): (&Path, &str)) -> Result<()> {
    let Some(difference) = found.difference(predicate).map_err(untold)? else { return Ok(()) };
    let Difference { name, stated, found } = difference;
    let told = |text: &str| if text.is_empty() { "nothing".to_owned() } else { shown(text) };
    let (path, stated, found) = (path.display(), told(&stated), told(&found));
    Err(Failure::Mismatch(format!("{path}: {what}: {name} is {found}, and not {stated}")))
}

/// Fails where a certificate states that parts may be further from their source, whatever their norm, than a
/// conversion within these bounds lets them: `due` is the root mean square error that it has for them.
/// Earlier versions state a distance, of pieces of so many samples.
pub(super) fn check_companions(budget: &Budget, due: f64, samples: u64, path: &Path) -> Result<()> {
    let distance = due * (samples as f64).sqrt();
    if budget.part_absolute <= due && budget.part_distance <= distance * (1.0 + ROUNDING) {
        return Ok(());
    }
    let (path, stated) = (path.display(), budget.part_absolute.max(budget.part_distance));
    Err(Failure::Mismatch(format!(
        "{path}: its certificate lets every part be off by {stated}, and a conversion within its bounds by \
         {due} on average"
    )))
}

/// The same of contents that are equal by rules that let nothing differ.
pub(super) fn as_stated_of_equal(
    predicate: &Predicate,
    (records, partitions, reversible): (Records, Option<u64>, bool),
    path: &Path,
) -> Result<()> {
    let budget = predicate.distortion.budget().map_err(|error| unknown_bounds(predicate, path, &error))?;
    let found = Found { whole: None, records, partitions, reversible, budget: &budget };
    as_stated(predicate, &found, (path, "was not converted as its certificate states"))
}

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
    /// The size of the content, and what documents call it: `rows`, or `contentBytes`.
    pub counted: (&'static str, u64),
    /// Content digest.
    pub content: String,
    /// The sources, where they were compared.
    pub sources: Vec<PathBuf>,
    /// The checks, in order.
    pub checks: Vec<Checked>,
}

/// Reads a certificate and checks its signature. What has the name of one may be anything: a pipe would be
/// waited for, and a device has no end, so that nothing but a file is read, and no more of it than it had.
pub fn read_certificate(path: &Path, pinned: Option<&Digest>) -> Result<Certificate> {
    let file = ObjectFile::open(path)?;
    let size = file.len();
    if size > CERTIFICATE_BYTES_MAX {
        return Err(too_long(path, size));
    }
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, 0)?;
    checked(path, bytes, pinned)
}

/// The same of one that a person named, which may be a pipe.
pub fn read_named_certificate(
    path: &Path,
    pinned: Option<&Digest>,
    progress: &Progress,
) -> Result<Certificate> {
    if !is_pipe(path) {
        return read_certificate(path, pinned);
    }
    let mut bytes = Vec::new();
    read_pipe(path, progress, |block| {
        bytes.extend_from_slice(block);
        match bytes.len() as u64 {
            size if size > CERTIFICATE_BYTES_MAX => Err(too_long(path, size)),
            _ => Ok(()),
        }
    })?;
    checked(path, bytes, pinned)
}

fn too_long(path: &Path, size: u64) -> Failure {
    Failure::Other(format!("{}: {size} bytes are too many for a certificate", path.display()))
}

fn checked(path: &Path, bytes: Vec<u8>, pinned: Option<&Digest>) -> Result<Certificate> {
    let named = |error: certificate::CertificateError| Failure::Certificate { path: path.to_owned(), error };
    let bundle = Bundle::parse(&bytes).map_err(|error| named(error.into()))?;
    // Of a large one no form is held beside the next.
    drop(bytes);
    certificate::verify(&bundle, pinned).map_err(named)
}

/// The names that the sources had in the conversion.
pub fn recorded_paths(predicate: &Predicate, found: &[PathBuf]) -> Vec<PathBuf> {
    let recorded = predicate.conversion.parameters.get(SOURCES).and_then(Value::as_array);
    let recorded = recorded.map(|paths| paths.iter().filter_map(Value::as_str).map(PathBuf::from).collect());
    recorded.filter(|paths: &Vec<_>| paths.len() == found.len()).unwrap_or_else(|| found.to_vec())
}

/// Checks the bytes and the content of a target, and its source where there is one.
pub fn verify(
    target: &Path,
    certificate_at: &Path,
    certificate: &Certificate,
    sources: &[PathBuf],
    reading: (&[OpenOptions], &ConcatOptions),
    machine: (usize, u64),
    progress: &Progress,
) -> Result<Evidence> {
    let predicate = &certificate.statement().predicate;
    predicate.distortion.budget().map_err(|error| unknown_bounds(predicate, target, &error))?;
    if let Content::Partitioned(content) = &predicate.content
        && let Some(partitions) = &content.partitions
    {
        let (certificate, content) = ((certificate_at, certificate), (content, partitions));
        return partitioned::verify(target, certificate, content, sources, reading, machine, progress);
    }
    if let (Content::Signal(content), true) = (&predicate.content, target.is_dir()) {
        let certificate = (certificate_at, certificate);
        let room = of_image(machine.1);
        return super::image::check_album(target, certificate, content, sources, room, progress);
    }
    let (workers, memory) = machine;
    let mut checks = Vec::new();
    checks.push(Checked { name: "signature", found: format!("valid, by key {}", certificate.key_id()) });
    let file = Arc::new(ObjectFile::open(target)?);
    // The target is hashed, scanned where it is text, and decoded.
    progress.begin(Stage::Verifying, file.len(), file.len() * 3);
    let (object, bytes) = check_bytes(&file, certificate, progress)?;
    checks.push(bytes);
    let counted = match &predicate.content {
        Content::Table(content) | Content::Partitioned(content) => {
            let about = (certificate_at, predicate, content);
            ("rows", check_table(&file, about, sources, reading, machine, &mut checks, progress)?)
        }
        Content::Signal(content) => {
            let about = (predicate, content);
            let source = sources.first();
            let to = media::recorded(&predicate.conversion.to, &predicate.conversion.parameters);
            let samples = match to.map(|to| to.codec) {
                Some(Codec::Image(_)) => {
                    let room = (of_image(memory), progress);
                    super::image::check_content((&file, object.blake3), about, source, room, &mut checks)?
                }
                _ => {
                    let reading = (shared(reading.0)?, memory, workers);
                    let about = (certificate_at, predicate, content);
                    super::signal::check_content(&file, about, source, reading, &mut checks, progress)?
                }
            };
            ("samples", samples)
        }
        Content::Bytes(content) => {
            let (about, source) = ((predicate, content), sources.first());
            let bytes = super::bytes::check_content(&file, about, source, machine, &mut checks, progress)?;
            ("contentBytes", bytes)
        }
    };
    Ok(Evidence {
        target: target.to_owned(),
        certificate: certificate_at.to_owned(),
        key_id: *certificate.key_id(),
        key_pinned: false,
        verdict: certificate.verdict(),
        counted,
        content: predicate.content.target().to_owned(),
        sources: sources.to_vec(),
        checks,
    })
}

/// How many records the conversion set aside, if any: these are no part of the content that was checked.
pub fn set_aside(certificate: &Certificate) -> Option<Checked> {
    let checks = &certificate.statement().predicate.verification.checks;
    let (aside, all) = checks.iter().find(|check| check.name == SET_ASIDE)?.scope.split_once('/')?;
    let (aside, all) = (shown(aside), shown(all));
    let found = format!("{aside} of {all} were set aside by the conversion, and are not in the target");
    Some(Checked { name: "records", found })
}

/// The format of tables that a certificate says its target has.
pub(super) fn recorded_table(predicate: &Predicate) -> Result<(Format, Recorded)> {
    let to = &predicate.conversion.to;
    match media::recorded(to, &predicate.conversion.parameters) {
        Some(recorded @ Recorded { codec: Codec::Table(format), .. }) => Ok((format, recorded)),
        _ => Err(Failure::Other(format!(
            "{} is no format of tables that is known here; name its definition with --media-types",
            shown(to)
        ))),
    }
}

/// Decodes the target, and the sources where they are at hand, and compares both with what was certified.
/// Returns the number of rows.
fn check_table(
    file: &Arc<ObjectFile>,
    (certificate_at, predicate, content): (&Path, &Predicate, &TableContent),
    sources: &[PathBuf],
    reading: (&[OpenOptions], &ConcatOptions),
    (workers, memory): (usize, u64),
    checks: &mut Vec<Checked>,
    progress: &Progress,
) -> Result<u64> {
    let target = file.path();
    let mut passed = |name, found: String| checks.push(Checked { name, found });
    let told = TypeMap::of(certificate_at, content)?;
    let shared = shared(reading.0)?;
    let spool = SpoolOptions { listener: progress.listener(), ..SpoolOptions::new(&shared.spool_dir) };
    let recorded = recorded_table(predicate)?;
    let media = (recorded.0, &recorded.1);
    let table = open_recorded(file.clone(), media, &told.names, &told.styles, shared.row_bytes_max, spool);
    let table = table.map_err(stopped)?;
    let readers = readers_of_table(table.as_ref(), recorded.0, target, (workers, memory))?;
    let (schema, root) = unless_misfit(root_of(table.as_ref(), readers, progress), target)?;
    let rows = table.rows();
    if root.to_string() != content.target || rows.to_string() != content.rows {
        return Err(decodes_otherwise(target));
    }
    told.check_types(&schema)?;
    passed("content", format!("{} decoded; the digest is that of the certificate", all_were(rows, "row")));
    if let Some(first) = sources.first() {
        let size = sources.iter().filter_map(|path| path.metadata().ok()).map(|found| found.len()).sum();
        // A text is scanned, typed and decoded; the others are decoded.
        progress.begin(Stage::Verifying, size, size * 2);
        let conversion = &predicate.conversion;
        let arrays = match media::recorded(&conversion.from, &conversion.parameters).map(|from| from.codec) {
            Some(Codec::Arrays(format)) => Some(format),
            _ => None,
        };
        let options = reading.0.iter().map(|options| OpenOptions { arrays, ..options.clone() });
        let options: Vec<_> = options.collect();
        let names = recorded_paths(predicate, sources);
        under_either_typing(&options, content, |options| {
            let mut opened = open_sources(sources, &names, options, reading.1, progress)?;
            let workers = readers_of_table(opened.table(), opened.format, first, (workers, memory))?;
            retyped_on(&mut opened, workers)?;
            let holds = |opened: &Opened| {
                let found = root_of(opened.table(), workers, progress);
                let (theirs, root) = unless_misfit(found, first)?;
                match root.to_string() == content.source && theirs == schema {
                    true => Ok(()),
                    false => Err(differs(first)),
                }
            };
            holds(&opened)?;
            check_reading(certificate_at, predicate, sources, &opened.read_as())?;
            let made = |opened: &Opened| Ok(opened.styles_into(told.of_target(recorded.0)?)?);
            told.check_styles(&mut opened, first, &made, &holds)?;
            as_stated_of_equal(predicate, (records_of(&opened), None, told.reversible()), target)
        })?;
        let more = match sources.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        passed("source", format!("{}{more}: decoded again, and equal to the target", first.display()));
    } else {
        passed("source", NOT_AT_HAND.into());
    }
    Ok(rows)
}

/// Checks a source as it is typed now, and where it differs so, with the columns in the types that were
/// certified: another version of the program may have found other ones. What is told is the difference of
/// today.
pub(super) fn under_either_typing(
    options: &[OpenOptions],
    content: &TableContent,
    check: impl Fn(&[OpenOptions]) -> Result<()>,
) -> Result<()> {
    let differing = match check(options) {
        Err(failure @ Failure::Mismatch(_)) => failure,
        other => return other,
    };
    let columns = content.type_map.iter().filter(|column| parse_type(&column.ty).is_ok());
    let columns: Vec<_> = columns.map(|column| (column.name.clone(), column.ty.clone())).collect();
    let mut certified = options.to_vec();
    for options in &mut certified {
        options.typing.fixed.clone_from(&columns);
        options.typing.fixed_if_present = true;
    }
    match check(&certified) {
        Err(Failure::Mismatch(_) | Failure::Format(_)) => Err(differing),
        other => other,
    }
}

/// Options of one source, for what all sources share: the directory for temporaries, and the bounds.
pub(super) fn shared(each: &[OpenOptions]) -> Result<&OpenOptions> {
    each.first().ok_or_else(|| Failure::bug("no options for a source"))
}

/// What came of decoding a source or a target. One that does not fit the types that were certified holds
/// something else.
pub(super) fn unless_misfit<T>(found: Result<T>, object: &Path) -> Result<T> {
    match found {
        Err(Failure::Format(formats::Error::Retype { .. })) => Err(differs(object)),
        other => other,
    }
}

/// What came of looking at the bytes of a target. Where they differ since its certificate is already that of
/// one which is to replace it, that is told.
pub(super) fn unless_interrupted<T>(
    found: Result<T>,
    target: &Path,
    certificate: &Certificate,
    progress: &Progress,
) -> Result<T> {
    let Err(failure @ Failure::Mismatch(_)) = found else { return found };
    let Some(temporary) = unpublished(target, certificate, progress)? else { return Err(failure) };
    let (shown, temporary) = (target.display(), temporary.display());
    Err(Failure::Mismatch(format!(
        "{shown}: an interrupted pair: its certificate is already that of the new target, which is finished \
         and still called {temporary}; {}",
        again(certificate, true)
    )))
}

/// Checks the bytes of a target, and of files beside it that its certificate lists.
pub(super) fn check_bytes(
    file: &ObjectFile,
    certificate: &Certificate,
    progress: &Progress,
) -> Result<(ObjectDigest, Checked)> {
    let (target, object) = (file.path(), hash_object(file, progress)?);
    if !is_about(certificate, &object) {
        let shown = target.display();
        let what = "these are not the bytes that were certified; restore them, or convert the source again";
        let differs = Err(Failure::Mismatch(format!("{shown}: {what}")));
        return unless_interrupted(differs, target, certificate, progress);
    }
    let beside =
        super::shards::check_files(target, (&object, certificate), |file| hash_object(file, progress));
    let beside = unless_interrupted(beside, target, certificate, progress)?;
    let of = match beside {
        0 => String::new(),
        n => format!(" of it and of {} beside it", counted(n, "file")),
    };
    Ok((
        object,
        Checked { name: "bytes", found: format!("SHA-256 and BLAKE3{of} are those of the certificate") },
    ))
}

/// How a conversion is told to be made again. An image, and a model in several files, have no parts to go on
/// from.
fn again(certificate: &Certificate, force: bool) -> String {
    let conversion = &certificate.statement().predicate.conversion;
    let to = media::recorded(&conversion.to, &conversion.parameters).map(|to| to.codec);
    let index = certificate.statement().subject.first();
    let resume =
        !matches!(to, Some(Codec::Image(_))) && !index.is_some_and(|index| is_index(Path::new(&index.name)));
    let options = match (force, resume) {
        (false, false) => return "convert again".into(),
        (true, false) => "--force",
        (false, true) => "--resume",
        (true, true) => "--force --resume",
    };
    format!("convert again with {options}")
}

/// Tells that a certificate has no target beside it, and why where that can be told.
pub fn missing(
    target: &Path,
    certificate_at: &Path,
    certificate: &Certificate,
    progress: &Progress,
) -> Result<Failure> {
    let (shown, at) = (target.display(), argument(certificate_at));
    Ok(Failure::Other(match unpublished(target, certificate, progress)? {
        Some(temporary) => {
            // What was taken away to be replaced, of a directory or of several files.
            let old = temporary.join("old");
            let is_replaced = old.read_dir().is_ok_and(|mut entries| entries.next().is_some());
            let replaced = match is_replaced {
                true => format!("; what had its name is {}, and comes back first", old.display()),
                false => String::new(),
            };
            let (temporary, again) = (temporary.display(), again(certificate, is_replaced));
            format!(
                "{shown}: an interrupted pair: its certificate is in place, and the finished target is still \
                 called {temporary}{replaced}; {again}"
            )
        }
        None => format!(
            "{shown}: is missing beside its certificate; if it has another name now: \
             isoform verify NAME --certificate {at}"
        ),
    }))
}

/// The content digest of a table, computed anew.
pub fn root_of(table: &dyn TableSource, workers: usize, progress: &Progress) -> Result<(Schema, Digest)> {
    let schema = logical_schema(table.schema())?;
    let parts = geometry::cut(table.rows(), None, &Geometry::READING, |rows| table.byte_range(rows));
    let contents = reread(table, &parts, &schema, workers, progress)?;
    let grid = Grid::Table { columns: schema.columns() };
    let whole = PartContent::concat(grid, &contents).map_err(Failure::bug)?;
    let root = content_root(&schema, whole.units, &whole.leaves).map_err(Failure::bug)?;
    Ok((schema, root))
}
