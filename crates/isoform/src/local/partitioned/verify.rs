//! Provides the later check of a partitioned target: every file by its certificate, and the rows of every
//! partition against the source where that is at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coherence::certificate::Certificate;
use coherence::content::{Grid, PartContent, partition_leaf, partitions_root};
use coherence::digest::{Digest, ObjectDigest};
use coherence::rows::Sequence;
use coherence::schema::Schema;
use coherence::statement::{Partitions, Predicate, Style, Subject, TableContent};
use formats::cells::logical_schema;
use formats::concat::ConcatOptions;
use formats::file::ObjectFile;
use formats::geometry::{self, Geometry};
use formats::open::{OpenOptions, Opened, open_recorded};
use formats::partition::{Partitioning, Places, keyed_source};
use formats::spool::SpoolOptions;
use formats::table::TableSource;
use formats::typings::{Typings, moved_styles, rows_of_styles};
use formats::words::{all_were, counted};
use serde_json::Value;

use super::directory::{below, files_below};
use super::{PARTITION_STYLE, places, rows, styles, target};
use crate::failure::{Failure, Result};
use crate::local::effective::check_reading;
use crate::local::memory::readers_of_table;
use crate::local::plan::retyped_on;
use crate::local::source::records_of;
use crate::local::type_map::TypeMap;
use crate::local::verify::{
    Checked, Evidence, NOT_AT_HAND, as_stated_of_equal, differs, recorded_paths, recorded_table, shared,
    under_either_typing, unless_interrupted, unless_misfit,
};
use crate::local::{hash_object, hash_untold, open_sources, stopped};
use crate::meter::Stage;
use crate::progress::Progress;

/// What the partitions of a target hold.
struct Found {
    schema: Schema,
    root: Digest,
    rows: u64,
    sequences: BTreeMap<String, Sequence>,
}

/// Checks the files and the content of a partitioned target, and its source where there is one.
pub fn verify(
    target: &Path,
    (certificate_at, certificate): (&Path, &Certificate),
    (content, partitions): (&TableContent, &Partitions),
    sources: &[PathBuf],
    reading: (&[OpenOptions], &ConcatOptions),
    machine: (usize, u64),
    progress: &Progress,
) -> Result<Evidence> {
    progress.begin(Stage::Verifying, 0, 0);
    let predicate = &certificate.statement().predicate;
    let mut checks = Vec::new();
    let mut passed = |name, found: String| checks.push(Checked { name, found });
    passed("signature", format!("valid, by key {}", certificate.key_id()));
    let subjects = checked_files(target, certificate, progress)?;
    let (count, files) = (subjects.len(), counted(subjects.len(), "file"));
    passed("bytes", format!("{files}, no more and no fewer; the digests are those of the certificate"));
    let partitioning = recorded(content, partitions)?;
    let places = places(&predicate.conversion.parameters).map_err(|error| {
        let (path, error) = (certificate_at.to_owned(), error.into());
        Failure::Certificate { path, error }
    })?;
    let (rest, types) = (Rest::of(content, &partitioning), TypeMap::of(certificate_at, content)?);
    let (told, options) = ((&rest, &places), shared(reading.0)?);
    let found = read((target, predicate), &partitioning, told, &subjects, options, machine, progress)?;
    let rows = found.rows;
    if found.root.to_string() != content.target
        || rows.to_string() != content.rows
        || found.sequences.len().to_string() != partitions.count
    {
        return Err(differs(target));
    }
    types.check_types(&found.schema)?;
    passed(
        "content",
        format!(
            "{} decoded, of {}; the digest is that of the certificate",
            all_were(rows, "row"),
            counted(count, "partition")
        ),
    );
    if sources.is_empty() {
        passed("source", NOT_AT_HAND.into());
    } else {
        let about = (target, certificate_at, predicate, content);
        let target = (&found, &partitioning);
        let told = (&types, &rest, &places);
        passed("source", check_sources(about, target, told, sources, reading, machine, progress)?);
    }
    Ok(Evidence {
        target: target.to_owned(),
        certificate: certificate_at.to_owned(),
        key_id: *certificate.key_id(),
        key_pinned: false,
        verdict: certificate.verdict(),
        counted: ("rows", rows),
        content: content.target.clone(),
        sources: sources.to_vec(),
        checks,
    })
}

/// Cuts the sources by partition, and compares what comes of it with what the target holds, and where the
/// rows stand that the certificate tells. Returns what was found.
fn check_sources(
    (path, certificate_at, predicate, content): (&Path, &Path, &Predicate, &TableContent),
    (target, partitioning): (&Found, &Partitioning),
    (types, rest, places): (&TypeMap<'_>, &Rest, &Places),
    sources: &[PathBuf],
    reading: (&[OpenOptions], &ConcatOptions),
    machine: (usize, u64),
    progress: &Progress,
) -> Result<String> {
    let (names, first) = (recorded_paths(predicate, sources), &sources[0]);
    let mut wanted = [places.rows(), rows_of_styles(&rest.styles)?].concat();
    wanted.sort_unstable();
    wanted.dedup();
    let format = recorded_table(predicate)?.0;
    let files = Typings::told_of_target(format, &rest.names, &rest.styles)?;
    under_either_typing(reading.0, content, |options| {
        let mut opened = open_sources(sources, &names, options, reading.1, progress)?;
        let workers = readers_of_table(opened.table(), opened.format, first, machine)?;
        retyped_on(&mut opened, workers)?;
        let found = |opened: &Opened| {
            let table = opened.table();
            if logical_schema(table.schema())? != target.schema {
                return Err(differs(first));
            }
            let found = rows::sequences(table, &wanted, &target.schema, partitioning, workers, progress);
            let (sequences, stand) = unless_misfit(found, first)?;
            if sequences == target.sequences { Ok(stand) } else { Err(differs(first)) }
        };
        let stand = found(&opened)?;
        check_reading(certificate_at, predicate, sources, &opened.read_as())?;
        let made = |opened: &Opened| styles(opened, partitioning, files.clone());
        types.check_styles(&mut opened, first, &made, &|opened| found(opened).map(drop))?;
        if stand != *places {
            return Err(elsewhere(certificate_at, first));
        }
        let partitions = Some(target.sequences.len() as u64);
        as_stated_of_equal(predicate, (records_of(&opened), partitions, types.reversible()), path)
    })?;
    let more = if sources.len() > 1 { " and others" } else { "" };
    Ok(format!("{}{more}: decoded again; each partition holds its rows, in its order", first.display()))
}

/// The failure of a certificate that does not tell where the rows of a source stand whose texts are
/// exceptions.
fn elsewhere(certificate: &Path, source: &Path) -> Failure {
    let (shown, source) = (certificate.display(), source.display());
    Failure::Mismatch(format!(
        "{shown}: rowsOfExceptions tells of other rows than those in which the exceptions of {source} stand; \
         convert it again"
    ))
}

/// The files that the certificate lists, by their paths below the target. The directory must hold these and
/// nothing else: whoever reads it reads all of it.
fn check_files(
    target: &Path,
    found: &BTreeSet<String>,
    certificate: &Certificate,
    hash: impl Fn(&ObjectFile) -> Result<ObjectDigest>,
) -> Result<BTreeMap<String, Subject>> {
    let shown = target.display();
    let subjects = certificate.statement().subject.iter();
    let subjects: BTreeMap<String, Subject> =
        subjects.map(|subject| (below(&subject.name).to_owned(), subject.clone())).collect();
    if let Some(file) = found.iter().find(|file| !subjects.contains_key(*file)) {
        return Err(Failure::Mismatch(format!("{shown}: holds {file}, which the certificate does not list")));
    }
    for (path, subject) in &subjects {
        if !found.contains(path) {
            return Err(Failure::Mismatch(format!("{shown}: {path} is missing")));
        }
        let object = hash(&ObjectFile::open(&target.join(path))?)?;
        if subject.digest != (&object).into() {
            let what = "these are not the bytes that were certified";
            return Err(Failure::Mismatch(format!("{shown}: {path}: {what}")));
        }
    }
    Ok(subjects)
}

/// The same of all files of a directory, hashed where a person sees it and may interrupt it.
pub fn checked_files(
    target: &Path,
    certificate: &Certificate,
    progress: &Progress,
) -> Result<BTreeMap<String, Subject>> {
    let held = files_below(target)?;
    let subjects = check_files(target, &held, certificate, |file| hash_object(file, progress));
    unless_interrupted(subjects, target, certificate, progress)
}

/// Whether a directory holds the files that the certificate lists, and nothing else.
pub fn has_certified_files(target: &Path, certificate: &Certificate) -> bool {
    files_below(target).and_then(|found| check_files(target, &found, certificate, hash_untold)).is_ok()
}

/// Whether these files in a directory are those that the certificate lists, hashed where a person sees it and
/// may interrupt it.
///
/// # Errors
/// An interruption.
pub fn are_certified_files(
    target: &Path,
    files: &[PathBuf],
    certificate: &Certificate,
    progress: &Progress,
) -> Result<bool> {
    let names = files.iter().map(|file| file.strip_prefix(target).unwrap_or(file).to_str());
    let Some(found) = names.map(|name| name.map(str::to_owned)).collect() else { return Ok(false) };
    match check_files(target, &found, certificate, |file| hash_object(file, progress)) {
        Err(Failure::Interrupted) => Err(Failure::Interrupted),
        checked => Ok(checked.is_ok()),
    }
}

/// The partitioning that the certificate records.
fn recorded(content: &TableContent, partitions: &Partitions) -> Result<Partitioning> {
    let columns = &content.type_map;
    let all: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let record = |name: &String| {
        let column = columns.iter().find(|column| column.name == *name);
        column.and_then(|column| column.style.get(PARTITION_STYLE)).unwrap_or_default()
    };
    let records: Vec<Value> = partitions.columns.iter().map(record).collect();
    Ok(Partitioning::recorded(&all, &partitions.columns, &records)?)
}

/// What a certificate tells of the columns that are in files.
struct Rest {
    names: Vec<String>,
    styles: Vec<Style>,
}

impl Rest {
    fn of(content: &TableContent, partitioning: &Partitioning) -> Self {
        let rest = partitioning.rest().into_iter().filter_map(|column| content.type_map.get(column));
        let (names, styles) = rest.map(|column| (column.name.clone(), column.style.clone())).unzip();
        Self { names, styles }
    }
}

/// Decodes every partition.
fn read(
    (target, predicate): (&Path, &Predicate),
    partitioning: &Partitioning,
    (Rest { names, styles }, places): (&Rest, &Places),
    subjects: &BTreeMap<String, Subject>,
    options: &OpenOptions,
    machine: (usize, u64),
    progress: &Progress,
) -> Result<Found> {
    // Certificates of earlier versions have exceptions in no style.
    let without = if places.is_empty() { styles.clone() } else { moved_styles(styles, &[])? };
    let mut known: Option<Schema> = None;
    let (format, recorded) = recorded_table(predicate)?;
    let (mut leaves, mut rows, mut sequences) = (BTreeMap::new(), 0, BTreeMap::new());
    for file in subjects.keys() {
        let path = file.rsplit_once('/').map_or("", |(path, _)| path);
        let object = Arc::new(ObjectFile::open(&target.join(file))?);
        let spool = SpoolOptions { listener: progress.listener(), ..SpoolOptions::new(&options.spool_dir) };
        let (path_of_file, media) = (object.path().to_owned(), (format, &recorded));
        let own = match places.at(path) {
            [] => None,
            rows => Some(moved_styles(styles, rows)?),
        };
        let styles = own.as_ref().unwrap_or(&without);
        let table = open_recorded(object, media, names, styles, options.row_bytes_max, spool);
        let table = table.map_err(stopped)?;
        let workers = readers_of_table(table.as_ref(), format, &path_of_file, machine)?;
        let table = keyed_source(table, partitioning, path)?;
        let schema = logical_schema(table.schema())?;
        if known.as_ref().is_some_and(|known| *known != schema) {
            let shown = target.display();
            return Err(Failure::Mismatch(format!("{shown}: {file} has other columns than the others")));
        }
        let parts = geometry::cut(table.rows(), None, &Geometry::READING, |rows| table.byte_range(rows));
        let reread = target::reread(&table, &parts, &schema, workers, progress);
        let (contents, sequence) = unless_misfit(reread, &path_of_file)?;
        let whole = PartContent::concat(Grid::Table { columns: schema.columns() }, &contents)
            .map_err(Failure::bug)?;
        let root = whole.root(&schema).map_err(Failure::bug)?;
        rows += whole.units;
        leaves.insert(path.to_owned(), partition_leaf(path, &root));
        sequences.insert(path.to_owned(), sequence);
        known = Some(schema);
    }
    let schema = known.unwrap_or_default();
    let leaves: Vec<Digest> = leaves.into_values().collect();
    let root = partitions_root(&schema, rows, &leaves);
    Ok(Found { schema, root, rows, sequences })
}
