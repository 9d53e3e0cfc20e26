//! Provides the search for the sources that a certificate lists: where they were said to be, under the
//! paths that were recorded, or beside the target.

use std::path::{Path, PathBuf};

use coherence::certificate::Certificate;
use coherence::statement::{Content, Predicate, Source};
use formats::file::ObjectFile;
use serde_json::Value;

use super::among::Among;
use super::hash_object;
use super::seal::{SOURCES, is_same_file};
use super::verify::check_bytes;
use super::{image, partitioned};
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;

/// Where the sources of a certificate are said to be.
pub enum Said {
    /// Nothing is said of them.
    Nothing,
    /// One file for each, in their order.
    Files(Vec<PathBuf>),
    /// Among these files, under their names.
    Among(Among),
}

/// What was found of the sources of a certificate.
#[derive(Debug, Default)]
pub struct AtHand {
    /// All of them, in their order; or none, if one is not at hand.
    pub paths: Vec<PathBuf>,
    /// Which are not where they were said to be, in words.
    pub lacking: Option<String>,
}

/// The sources of a certificate, if all are at hand: where they were said to be, else under the paths that
/// were recorded, else beside the target under their names. A file of such a name with other bytes is a
/// failure; but under the path of a single source it is somebody else's, and that source is not there.
pub fn find_sources(
    certificate: &Certificate,
    target: &Path,
    said: &Said,
    progress: &Progress,
) -> Result<AtHand> {
    let predicate = &certificate.statement().predicate;
    let said = match said {
        Said::Among(among) => return among.find(predicate, target, progress),
        Said::Files(files) => files.as_slice(),
        Said::Nothing => &[],
    };
    // The first source of a signal names the others, which lie beside it.
    let whole = match (&predicate.content, said) {
        (Content::Signal(_), [whole]) => Some(whole),
        _ => None,
    };
    if !said.is_empty() && said.len() != predicate.source.len() && whole.is_none() {
        let (said, have) = (said.len(), predicate.source.len());
        return Err(Failure::Usage(format!("--source: {said} given, and the certificate lists {have}")));
    }
    if said.is_empty()
        && let Some(path) = single(predicate, target, progress)?
    {
        return Ok(AtHand { paths: Vec::from([path]), lacking: None });
    }
    let alone = predicate.source.len() == 1;
    let mut paths = Vec::with_capacity(predicate.source.len());
    for (index, recorded) in predicate.source.iter().enumerate() {
        let path = recorded_path(predicate, index).filter(|path| !alone && path.is_file());
        let path = match said.get(index) {
            Some(path) => path.clone(),
            None if let Some(whole) = whole => whole.with_file_name(&recorded.name),
            None => path.unwrap_or_else(|| beside(target, &recorded.name)),
        };
        // A source of the same name from another directory is not at hand: beside the target is the target.
        if said.is_empty() && (!path.is_file() || is_same_file(&path, target)) {
            return Ok(AtHand::default());
        }
        paths.push(path);
    }
    begin(predicate, progress);
    for (path, recorded) in paths.iter().zip(&predicate.source) {
        if !has_bytes(path, recorded, progress)? {
            return Err(match said.is_empty() {
                true => changed(path, certificate, target, progress)?,
                false => another(path),
            });
        }
    }
    Ok(AtHand { paths, lacking: None })
}

/// A single source under the path that was recorded, if the file there has its bytes.
fn single(predicate: &Predicate, target: &Path, progress: &Progress) -> Result<Option<PathBuf>> {
    let ([only], Some(path)) = (predicate.source.as_slice(), recorded_path(predicate, 0)) else {
        return Ok(None);
    };
    if !path.is_file() || is_same_file(&path, target) {
        return Ok(None);
    }
    begin(predicate, progress);
    Ok(has_bytes(&path, only, progress)?.then_some(path))
}

/// The path under which a source was converted, where that is recorded. The first of a signal names the
/// others, which lie beside it.
pub(super) fn recorded_path(predicate: &Predicate, index: usize) -> Option<PathBuf> {
    let paths = predicate.conversion.parameters.get(SOURCES).and_then(Value::as_array)?;
    match (paths.get(index), paths.first()) {
        (Some(path), _) => path.as_str().map(PathBuf::from),
        (None, first) => Some(Path::new(first?.as_str()?).with_file_name(&predicate.source.get(index)?.name)),
    }
}

/// Begins to look at the bytes of all sources.
pub(super) fn begin(predicate: &Predicate, progress: &Progress) {
    let size = predicate.source.iter().filter_map(|source| source.size.parse::<u64>().ok()).sum();
    progress.begin(Stage::Checking, size, size);
}

/// Whether a file has the bytes of a source. Those of another size need no digest to be others.
fn has_bytes(path: &Path, recorded: &Source, progress: &Progress) -> Result<bool> {
    let file = ObjectFile::open(path)?;
    Ok(file.len().to_string() == recorded.size && recorded.digest == (&hash_object(&file, progress)?).into())
}

/// The same of a file that nobody named, with what holds all the same: the target may be whole, and its
/// source be another one since.
///
/// # Errors
/// The target has other bytes too.
fn changed(path: &Path, certificate: &Certificate, target: &Path, progress: &Progress) -> Result<Failure> {
    let is_dir = target.is_dir();
    match &certificate.statement().predicate.content {
        Content::Signal(_) if is_dir => image::check_album_files(target, certificate, progress).map(drop)?,
        _ if is_dir => partitioned::checked_files(target, certificate, progress).map(drop)?,
        _ => check_bytes(&ObjectFile::open(target)?, certificate, progress).map(drop)?,
    }
    let held = if is_dir { "its files and its signature are" } else { "its own bytes and its signature are" };
    let (named, them) = match certificate.statement().predicate.source.len() {
        1 => ("--source FILE", "the source as it was"),
        _ => ("--source DIR", "the sources as they were"),
    };
    let (target, source) = (target.display(), path.display());
    Ok(Failure::Mismatch(format!(
        "{target}: {held} as certified, but {source} is not the source that was converted: its bytes have \
         another digest; name {them} with {named}, or convert again with --force"
    )))
}

/// That a file has the name of a source and other bytes.
pub(super) fn another(path: &Path) -> Failure {
    let shown = path.display();
    Failure::Mismatch(format!("{shown}: is not the source that was converted: its bytes have another digest"))
}

/// The file beside a target that a certificate calls so. It holds names as text, which not every name is:
/// then it is the one file whose name looks like that.
pub(super) fn beside(target: &Path, name: &str) -> PathBuf {
    let path = target.with_file_name(name);
    if path.exists() || !name.contains(char::REPLACEMENT_CHARACTER) {
        return path;
    }
    let dir = target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut alike = entries.filter(|found| found.to_string_lossy() == name);
    match (alike.next(), alike.next()) {
        (Some(found), None) => target.with_file_name(found),
        _ => path,
    }
}
