//! Provides what is told of many conversions: a line and a member of one document for each.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Batch, Fate, Item};
use crate::commands::sources::OTHER_KIND;
use crate::failure::Failure;
use crate::report;

/// Members of the document of one conversion that its place in that of many repeats.
const REPEATED: [&str; 8] =
    ["certificate", "content", "settings", "encodes", "distortion", "worst", "tightest", "notes"];

/// What is told of a source that changed since an earlier run.
const AGAIN: &str = "changed: converted again";

/// What is told of a target that is there.
pub struct Told {
    /// What was proven.
    pub verdict: &'static str,
    /// Rows, of a table.
    pub rows: Option<u64>,
    /// Bytes of source and target.
    pub sizes: (u64, u64),
    /// The document of the conversion.
    pub document: Value,
    /// What was measured and chosen, and what a person should know, in words.
    pub words: Vec<String>,
}

/// What a row has room for of a note: of one on how a text is read what was found, without the reason.
pub fn short(note: &str) -> &str {
    let reason = match note {
        _ if ["delimiter ", "encoding ", "no header:"].iter().any(|said| note.starts_with(said)) => ": ",
        _ if note.starts_with("header: ") => ", ",
        _ => return note,
    };
    note.split(reason).next().unwrap_or(note)
}

/// The document.
pub fn document(batch: &Batch, items: &[Item]) -> Value {
    let count = |wanted: &str| items.iter().filter(|item| item.outcome() == wanted).count();
    json!({
        "schema": "isoform.convert-batch/v1",
        "outDir": batch.dir.to_string_lossy(),
        "sources": items.iter().map(Item::document).collect::<Vec<_>>(),
        "leftOut": paths(&batch.left_out),
        "notes": batch.notes,
        "converted": count("converted"),
        "skipped": count("skipped"),
        "failed": count("failed"),
    })
}

/// Paths as a document lists them.
pub fn paths(paths: &[impl AsRef<Path>]) -> Value {
    json!(paths.iter().map(|path| path.as_ref().to_string_lossy()).collect::<Vec<_>>())
}

/// The line that names files of directories that are no sources.
pub fn left_out(batch: &Batch) -> Option<String> {
    report::listed(&batch.left_out, OTHER_KIND)
}

impl Item {
    fn outcome(&self) -> &'static str {
        match self.fate {
            Fate::Converted(_) | Fate::Again(_) => "converted",
            Fate::Skipped(_) => "skipped",
            Fate::Failed(_) => "failed",
        }
    }

    fn document(&self) -> Value {
        let (told, error) = match &self.fate {
            Fate::Converted(told) | Fate::Again(told) | Fate::Skipped(told) => (Some(told), None),
            Fate::Failed(failure) => {
                (None, Some(json!({ "exitCode": failure.code(), "message": failure.to_string() })))
            }
        };
        let mut document = Map::from_iter([
            ("source".to_owned(), json!(self.source.to_string_lossy())),
            ("target".to_owned(), json!(self.target.to_string_lossy())),
            ("outcome".to_owned(), json!(self.outcome())),
            ("changed".to_owned(), json!(matches!(self.fate, Fate::Again(_)))),
            ("verdict".to_owned(), json!(told.map(|told| told.verdict))),
            ("rows".to_owned(), json!(told.and_then(|told| told.rows))),
            (
                "bytes".to_owned(),
                json!(told.map(|told| json!({ "source": told.sizes.0, "target": told.sizes.1 }))),
            ),
            ("seconds".to_owned(), json!(self.time.as_secs_f64())),
            ("error".to_owned(), json!(error)),
        ]);
        let more = told.and_then(|told| told.document.as_object()).into_iter().flatten();
        let more = more.filter(|(key, _)| REPEATED.contains(&key.as_str()));
        document.extend(more.map(|(key, value)| (key.clone(), value.clone())));
        Value::Object(document)
    }
}

/// The lines.
pub fn table(batch: &Batch, items: &[Item]) -> Vec<String> {
    let width = items.iter().map(|item| report::shown_path(&item.source).chars().count()).max().unwrap_or(0);
    let width = width.clamp(6, 60);
    let line = |source: &str, word: &str, cells: [&str; 4], more: &str| {
        let [rows, from, to, seconds] = cells;
        let line =
            format!("{source:width$}  {word:11}  {rows:>12}  {from:>9}  {to:>9}  {seconds:>8}  {more}");
        line.trim_end().to_owned()
    };
    let head = ["rows", "from", "to", "seconds"];
    let mut lines = vec![line("source", "result", head, "")];
    for item in items {
        let seconds = format!("{:.2}", item.time.as_secs_f64());
        let source = report::shown_path(&item.source);
        lines.push(match &item.fate {
            Fate::Converted(told) | Fate::Again(told) | Fate::Skipped(told) => {
                let again = matches!(item.fate, Fate::Again(_)).then(|| AGAIN.to_owned());
                let words: Vec<_> = again.into_iter().chain(told.words.iter().cloned()).collect();
                let rows = told.rows.map_or("-".to_owned(), |rows| rows.to_string());
                let (from, to) = (report::bytes(told.sizes.0), report::bytes(told.sizes.1));
                let word = if item.outcome() == "skipped" { "skipped" } else { told.verdict };
                line(&source, word, [&rows, &from, &to, &seconds], &words.join("; "))
            }
            Fate::Failed(Failure::Stale(..)) => line(&source, "exists", ["", "", "", &seconds], ""),
            Fate::Failed(_) => line(&source, "error", ["", "", "", &seconds], ""),
        });
    }
    let count = |wanted: &str| items.iter().filter(|item| item.outcome() == wanted).count();
    lines.extend(left_out(batch));
    lines.extend(batch.notes.iter().map(|note| format!("note: {note}")));
    lines.push(format!(
        "{} converted, {} skipped, {} failed",
        count("converted"),
        count("skipped"),
        count("failed")
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_what_was_found_and_not_why() {
        for (note, told) in [
            ("delimiter ';': each of the first 3 records has 2 fields", "delimiter ';'"),
            ("encoding windows-1252: byte 11, in line 3, is no UTF-8", "encoding windows-1252"),
            ("no header: \"1, x\" in the first record is a value, not a name", "no header"),
            ("header: the default, since nothing in the first records says otherwise", "header: the default"),
            ("header: there is only one record", "header: there is only one record"),
            ("2 empty lines: they are no records", "2 empty lines: they are no records"),
        ] {
            assert_eq!(short(note), told);
        }
    }
}
