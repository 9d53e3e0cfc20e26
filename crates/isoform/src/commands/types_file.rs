//! Provides `--types FILE`: the types of columns as a file gives them, in TOML or as `inspect --json` prints
//! them.
//!
//! ```toml
//! id = "int64"
//! "unit price" = "decimal(10, 2)"
//! ```

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use ::formats::text::parse_type;
use serde_json::Value;
use toml::Spanned;

use crate::cli::Reading;
use crate::failure::{Failure, Result};
use crate::local::opened;

/// Bytes of a file of types that are read at most: the widest table has 100,000 columns.
const TYPES_BYTES_MAX: u64 = 16 << 20;

/// The rules that are no files.
pub const RULES: [&str; 3] = ["reversible", "value", "text"];

/// The same options with what a file of types says written out: its columns have the types that it gives,
/// unless `--type` gives another, and every other column is typed by the reversible rule.
pub fn resolved(args: &Reading) -> Result<Reading> {
    let mut args = args.clone();
    if RULES.contains(&args.types.as_str()) {
        return Ok(args);
    }
    let path = Path::new(&args.types);
    let given: HashSet<String> = args
        .fixed
        .iter()
        .filter_map(|fixed| fixed.rsplit_once('='))
        .map(|(name, _)| name.to_owned())
        .collect();
    let read = read(path)?.into_iter().filter(|(name, _)| !given.contains(name));
    args.fixed.extend(read.map(|(name, ty)| format!("{name}={ty}")));
    args.types = RULES[0].to_owned();
    Ok(args)
}

/// The columns of a file, in its order, with their types.
fn read(path: &Path) -> Result<Vec<(String, String)>> {
    let shown = path.display();
    if !path.exists() {
        let rules = RULES.join(", ");
        return Err(Failure::Usage(format!("--types: {shown:?} is none of {rules}, and no file")));
    }
    let mut text = String::new();
    let read = opened(path)?.take(TYPES_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::io(path, error))?;
    if text.len() as u64 > TYPES_BYTES_MAX {
        return Err(Failure::Usage(format!("{shown}: a file of types has at most {TYPES_BYTES_MAX} bytes")));
    }
    parse(&text).map_err(|what| Failure::Usage(format!("{shown}: {what}")))
}

fn parse(text: &str) -> std::result::Result<Vec<(String, String)>, String> {
    if text.trim_start().starts_with('{') { parse_json(text) } else { parse_toml(text) }
}

/// A table of TOML keeps no order, so the order is that of the lines.
fn parse_toml(text: &str) -> std::result::Result<Vec<(String, String)>, String> {
    let table: std::collections::BTreeMap<String, Spanned<toml::Value>> =
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            format!("line {}: {}", 1 + text[..at].matches('\n').count(), error.message())
        })?;
    let mut columns: Vec<(Range<usize>, String, String)> = Vec::with_capacity(table.len());
    for (name, value) in table {
        let line = 1 + text[..value.span().start].matches('\n').count();
        let Some(ty) = value.get_ref().as_str() else {
            return Err(format!(
                "line {line}: the type of column {name:?} is no text; write name = \"type\""
            ));
        };
        checked(&name, ty).map_err(|what| format!("line {line}: {what}"))?;
        columns.push((value.span(), name, ty.to_owned()));
    }
    columns.sort_by_key(|(span, ..)| span.start);
    Ok(columns.into_iter().map(|(_, name, ty)| (name, ty)).collect())
}

/// A document with `columns`, such as `inspect --json` and `plan --json` print, or one of names and types.
fn parse_json(text: &str) -> std::result::Result<Vec<(String, String)>, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let pair = |name: &Value, ty: &Value| Some((name.as_str()?.to_owned(), ty.as_str()?.to_owned()));
    let columns: Option<Vec<_>> = match (&document["columns"], &document) {
        (Value::Array(columns), _) => {
            columns.iter().map(|column| pair(&column["name"], &column["type"])).collect()
        }
        (_, Value::Object(all)) => {
            all.iter().map(|(name, ty)| pair(&Value::String(name.clone()), ty)).collect()
        }
        _ => None,
    };
    let columns = columns.ok_or_else(|| {
        "this JSON is neither a document of `isoform inspect --json` nor an object of names and types"
            .to_owned()
    })?;
    let mut known = HashSet::with_capacity(columns.len());
    for (at, (name, ty)) in columns.iter().enumerate() {
        checked(name, ty).map_err(|what| format!("column {}: {what}", at + 1))?;
        if !known.insert(name) {
            return Err(format!("column {}: {name:?} is there twice", at + 1));
        }
    }
    Ok(columns)
}

fn checked(name: &str, ty: &str) -> std::result::Result<(), String> {
    parse_type(ty).map(|_| ()).map_err(|error| format!("column {name:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(columns: &[(&str, &str)]) -> Vec<(String, String)> {
        columns.iter().map(|(name, ty)| ((*name).to_owned(), (*ty).to_owned())).collect()
    }

    #[test]
    fn both_kinds_of_file_say_the_same() {
        let wanted = pairs(&[("z", "int64"), ("unit price", "decimal(10, 2)"), ("a=b", "text")]);
        let toml = "# types\nz = \"int64\"\n\"unit price\" = \"decimal(10, 2)\"\n\n\"a=b\" = 'text'\n";
        assert_eq!(parse(toml).unwrap(), wanted);
        let json = r#"{"schema":"isoform.inspect/v1","columns":[{"name":"z","type":"int64","style":{}},
            {"name":"unit price","type":"decimal(10, 2)"},{"name":"a=b","type":"text"}]}"#;
        assert_eq!(parse(json).unwrap(), wanted);
        assert_eq!(parse(r#"{"z":"int64"}"#).unwrap(), wanted[..1]);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| parse(text).unwrap_err();
        assert!(error("a = \"int64\"\n\nb = \"integer\"").starts_with("line 3: column \"b\""));
        assert!(error("a = \"int64\"\nb = 5").starts_with("line 2"));
        assert!(error("a = \"int64\"\na = \"text\"").contains("line 2"));
        assert!(error("a: int64").contains("line 1"));
        assert!(error("{\"a\": \n 5").contains("line 2"));
        assert!(error("{\"columns\":[{\"name\":\"a\",\"type\":\"list<text>\"}]}").contains("column 1"));
        assert!(error("{\"columns\":[{\"name\":\"a\"}]}").contains("inspect"));
        let twice = "{\"columns\":[{\"name\":\"a\",\"type\":\"text\"},{\"name\":\"a\",\"type\":\"text\"}]}";
        assert!(error(twice).contains("twice"));
    }
}
