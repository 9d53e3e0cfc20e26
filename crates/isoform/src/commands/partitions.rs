//! Provides the columns that the directories of several sources tell: which they are, their record in a
//! certificate, and the note about those that are left out.

use std::path::{Path, PathBuf};

use ::formats::partition::{PathColumn, path_columns, told_keys};
use ::formats::text::ColumnTyping;
use coherence::statement::{Content, TableContent};
use serde_json::{Map, Value};

use super::sources::Source;
use crate::failure::Result;
use crate::local::PARTITION_STYLE;
use crate::local::seal::PARTITION_COLUMNS;
use crate::local::staging::certificate_path;
use crate::local::verify::read_certificate;

/// Where the type map of a certificate keeps how a text was spelled.
const FIELD_STYLE: &str = "field";

/// What the directories of sources tell.
#[derive(Debug, Default)]
pub struct Told {
    /// The columns.
    pub columns: Vec<PathColumn>,
    /// Why a certificate beside the directory did not tell their types and places.
    pub note: Option<String>,
}

/// The columns that the directories of sources tell, below the ones that were named. Where those are a
/// target of a conversion, its certificate tells their types, and where they stood among the others.
///
/// # Errors
/// Sources whose directories tell different columns.
pub fn columns(sources: &[Source]) -> Result<Told> {
    let files: Vec<(&Path, &Path)> =
        sources.iter().map(|source| (source.path.as_path(), source.below.as_path())).collect();
    let certificate = common_directory(sources).and_then(|dir| certificate_beside(&dir));
    let certified = certificate.map(|at| certified(&at)).transpose();
    let content = certified.as_ref().ok().and_then(Option::as_ref);
    let known = |name: &str| content.and_then(|content| certified_typing(content, name));
    let mut columns = path_columns(&files, &known)?;
    for column in &mut columns {
        column.at = content.and_then(|content| certified_place(content, &column.name));
        column.spelled = content.and_then(|content| certified_spelling(content, &column.name));
    }
    let note = certified.err().filter(|_| !columns.is_empty());
    Ok(Told { columns, note })
}

/// The directory that all sources were found in.
fn common_directory(sources: &[Source]) -> Option<PathBuf> {
    let dir = |source: &Source| {
        let depth = source.below.components().count();
        source.path.ancestors().nth(depth).filter(|_| depth > 1).map(Path::to_owned)
    };
    let first = dir(sources.first()?)?;
    sources.iter().all(|source| source.path.starts_with(&first)).then_some(first)
}

/// The directory in which the files of a table lie below the directories of its keys.
pub fn directory_of_keys(files: &[PathBuf], keys: usize) -> Option<&Path> {
    let dir = files.first()?.ancestors().nth(keys + 1)?;
    files.iter().all(|file| file.starts_with(dir)).then_some(dir)
}

/// The certificate beside a directory, under the name that was typed or, where that is a link or no name as
/// in `.`, under its own.
pub fn certificate_beside(dir: &Path) -> Option<PathBuf> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let named = [Some(dir.to_owned()), dir.canonicalize().ok()].into_iter().flatten();
    named.map(|dir| certificate_path(&dir)).find(|at| at.is_file())
}

/// What the certificate beside a directory says of its partitions; or, in a sentence, why it says nothing.
fn certified(at: &Path) -> Result<TableContent, String> {
    let read = read_certificate(at, None).map_err(|failure| failure.brief());
    let content = read.and_then(|certificate| match &certificate.statement().predicate.content {
        Content::Partitioned(content) => Ok(content.clone()),
        _ => Err(format!("{}: is about no partitioned directory", at.display())),
    });
    content.map_err(|why| {
        format!(
            "{why}; so the types of the columns that directories tell were found by their values, and these \
             columns stand last"
        )
    })
}

/// How a partitioning column was typed.
fn certified_typing(content: &TableContent, name: &str) -> Option<ColumnTyping> {
    let column = content.type_map.iter().find(|column| column.name == name)?;
    ColumnTyping::from_json(&column.style.get(PARTITION_STYLE)?).ok()
}

/// How the text of a partitioning column was spelled, if all of it was spelled alike.
fn certified_spelling(content: &TableContent, name: &str) -> Option<ColumnTyping> {
    let column = content.type_map.iter().find(|column| column.name == name)?;
    let typing = ColumnTyping::from_json(&column.style.get(FIELD_STYLE)?).ok()?;
    let alike = typing.style.exceptions.is_empty() && typing.style.refused.is_empty();
    (typing.reversible && alike).then_some(typing)
}

/// Where a partitioning column stood in the table that was partitioned.
fn certified_place(content: &TableContent, name: &str) -> Option<usize> {
    content.type_map.iter().position(|column| column.name == name)
}

/// Gives columns the types that were said: of single ones by name, and of all others.
///
/// # Errors
/// A type that is none.
pub fn fix(columns: &mut [PathColumn], fixed: &[(String, String)], others: Option<&str>) -> Result<()> {
    for column in columns {
        // Of two types for one column the first counts.
        let said = fixed.iter().find(|(name, _)| *name == column.name).map(|(_, ty)| ty.as_str());
        if let Some(ty) = said.or(others) {
            column.typing = ColumnTyping::named(ty)?;
        }
    }
    Ok(())
}

/// Records these columns among the parameters of a certificate.
pub fn record(parameters: &mut Map<String, Value>, columns: &[PathColumn]) {
    if !columns.is_empty() {
        parameters.insert(PARTITION_COLUMNS.into(), columns.iter().map(PathColumn::to_json).collect());
    }
}

/// The columns that a certificate records.
///
/// # Errors
/// A record that is none.
pub fn recorded(parameters: &Map<String, Value>) -> Result<Vec<PathColumn>> {
    let all = parameters.get(PARTITION_COLUMNS).and_then(Value::as_array).into_iter().flatten();
    Ok(all.map(PathColumn::from_json).collect::<::formats::Result<_>>()?)
}

/// What is to be said of columns that directories tell and that are not taken, of all such sources at once.
pub fn left_out<'a>(sources: impl Iterator<Item = &'a Path>, taken: &[PathColumn]) -> Option<String> {
    let mut files = 0;
    let mut names: Vec<String> = Vec::new();
    for source in sources {
        let mut keys = told_keys(source);
        keys.retain(|key| !taken.iter().any(|column| column.name == *key));
        files += usize::from(!keys.is_empty());
        keys.retain(|key| !names.contains(key));
        names.extend(keys);
    }
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let (names, of) = (names.join(", "), if files == 1 { "the source" } else { "sources" });
    (files > 0).then(|| {
        format!(
            "the directories of {of} tell values of {names}, which are not taken; they are columns where the \
             directory above them is named as the source of one target"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn column(name: &str) -> PathColumn {
        PathColumn::from_json(&json!({ "name": name, "type": "int64" })).unwrap()
    }

    #[test]
    fn columns_are_recorded() {
        let columns = [column("a=b"), column("year")];
        let mut parameters = Map::new();
        record(&mut parameters, &columns);
        assert_eq!(recorded(&parameters).unwrap(), columns);
        assert_eq!(recorded(&Map::new()).unwrap(), []);
    }

    #[test]
    fn the_directory_of_keys_holds_all_files() {
        let of = |paths: &[&str], keys: usize| {
            let files: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            directory_of_keys(&files, keys).map(Path::to_owned)
        };
        assert_eq!(of(&["d/j=1/k=1/a.jsonl", "d/j=1/k=2/b.jsonl"], 2), Some("d".into()));
        assert_eq!(of(&["k=1/a.jsonl"], 1), Some("".into()));
        assert_eq!(of(&["d/k=1/a.jsonl", "e/k=2/b.jsonl"], 1), None);
        assert_eq!(of(&["a.jsonl"], 1), None);
    }

    #[test]
    fn types_that_were_said_are_taken() {
        let mut columns = [column("year"), column("k")];
        fix(&mut columns, &[("k".into(), "int32".into())], Some("text")).unwrap();
        let types: Vec<_> = columns.iter().map(PathColumn::to_json).collect();
        assert_eq!(types, [json!({"name": "year", "type": "text"}), json!({"name": "k", "type": "int32"})]);
        assert!(fix(&mut columns, &[("k".into(), "none such".into())], None).is_err());
    }

    #[test]
    fn what_is_left_out_is_named_once() {
        let paths = ["hv/year=2020/k=a/x.csv", "hv/year=2021/k=b/y.csv"].map(Path::new);
        let note = left_out(paths.into_iter(), &[]).unwrap();
        assert!(note.contains(r#""year", "k""#) && note.contains("not taken"), "{note}");
        assert!(!left_out(paths.into_iter(), &[column("year")]).unwrap().contains("year"));
        assert_eq!(left_out([Path::new("plain/x.csv")].into_iter(), &[]), None);
    }
}
