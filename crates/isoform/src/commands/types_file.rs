//! Provides `--types FILE`: the types of columns as a file gives them, in TOML or as `inspect --json` prints
//! them, which tells the order of day and month of dates as well.
//!
//! ```toml
//! id = "int64"
//! "unit price" = "decimal(10, 2)"
//! when = "timestamp:%d.%m.%Y %H:%M"
//! ```

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use ::formats::text::{ColumnTyping, DateOrder, Form, parse_given};
use serde_json::Value;
use toml::Spanned;

use crate::cli::Reading;
use crate::failure::{Failure, Result};
use crate::local::opened;
use crate::typed::giver;

/// Bytes of a file of types that are read at most: the widest table has 100,000 columns.
const TYPES_BYTES_MAX: u64 = 16 << 20;

/// The rules that are no files.
pub const RULES: [&str; 3] = ["reversible", "value", "text"];

/// A column of a file of types.
#[derive(Debug, PartialEq, Eq)]
struct Column {
    name: String,
    ty: String,
    /// The order of day and month in its dates.
    order: DateOrder,
}

/// The same options with what a file of types says written out: its columns have the types that it gives,
/// unless `--type` gives another, and the order of day and month, unless `--dates` gives one; every other
/// column is typed by the reversible rule.
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
    for Column { name, ty, order } in read(path)? {
        if given.contains(&name) {
            continue;
        }
        if let Some(order) = order.name().filter(|_| args.dates.is_none()) {
            args.orders.push(format!("{name}={order}"));
        }
        args.fixed.push(format!("{name}={ty}"));
    }
    args.types = RULES[0].to_owned();
    Ok(args)
}

/// The columns of a file, in its order.
fn read(path: &Path) -> Result<Vec<Column>> {
    let shown = path.display();
    if !path.exists() {
        let rules = RULES.join(", ");
        let giver = giver("types");
        return Err(Failure::Usage(format!("{giver}: {shown:?} is none of {rules}, and no file")));
    }
    let mut text = String::new();
    let read = opened(path)?.take(TYPES_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::io(path, error))?;
    if text.len() as u64 > TYPES_BYTES_MAX {
        return Err(Failure::Usage(format!("{shown}: a file of types has at most {TYPES_BYTES_MAX} bytes")));
    }
    parse(&text).map_err(|what| Failure::Usage(format!("{shown}: {what}")))
}

fn parse(text: &str) -> std::result::Result<Vec<Column>, String> {
    if text.trim_start().starts_with('{') { parse_json(text) } else { parse_toml(text) }
}

/// A table of TOML keeps no order, so the order is that of the lines.
fn parse_toml(text: &str) -> std::result::Result<Vec<Column>, String> {
    let table: std::collections::BTreeMap<String, Spanned<toml::Value>> =
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            format!("line {}: {}", 1 + text[..at].matches('\n').count(), error.message())
        })?;
    let mut columns: Vec<(Range<usize>, Column)> = Vec::with_capacity(table.len());
    for (name, value) in table {
        let line = 1 + text[..value.span().start].matches('\n').count();
        let Some(ty) = value.get_ref().as_str() else {
            return Err(format!(
                "line {line}: the type of column {name:?} is no text; write name = \"type\""
            ));
        };
        checked(&name, ty).map_err(|what| format!("line {line}: {what}"))?;
        columns.push((value.span(), Column { name, ty: ty.to_owned(), order: DateOrder::Unknown }));
    }
    columns.sort_by_key(|(span, _)| span.start);
    Ok(columns.into_iter().map(|(_, column)| column).collect())
}

/// A document with `columns`, such as `inspect --json` and `plan --json` print, or one of names and types.
fn parse_json(text: &str) -> std::result::Result<Vec<Column>, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let pair = |name: &Value, ty: &Value| Some((name.as_str()?.to_owned(), ty.as_str()?.to_owned()));
    let columns: Option<Vec<_>> = match (&document["columns"], &document) {
        (Value::Array(columns), _) => {
            // The name of the type whose bytes text spells so.
            let ty = |column: &Value| if column["annotation"] == "uuid" { "annotation" } else { "type" };
            let pairs = columns.iter().map(|column| pair(&column["name"], &column[ty(column)]));
            pairs.zip(columns).map(|(pair, column)| Some((pair?, column["style"].get("field")))).collect()
        }
        (_, Value::Object(all)) => {
            let pairs = all.iter().map(|(name, ty)| pair(&Value::String(name.clone()), ty));
            pairs.map(|pair| Some((pair?, None))).collect()
        }
        _ => None,
    };
    let columns = columns.ok_or_else(|| {
        "this JSON is neither a document of `isoform inspect --json` nor an object of names and types"
            .to_owned()
    })?;
    let mut known = HashSet::with_capacity(columns.len());
    let mut found = Vec::with_capacity(columns.len());
    for (at, ((name, ty), typing)) in columns.into_iter().enumerate() {
        let told = checked(&name, &ty).and_then(|()| told_by(&name, &ty, typing));
        let (ty, order) = told.map_err(|what| format!("column {}: {what}", at + 1))?;
        if !known.insert(name.clone()) {
            return Err(format!("column {}: {name:?} is there twice", at + 1));
        }
        found.push(Column { name, ty, order });
    }
    Ok(found)
}

/// The type of a column, with the pattern that was given for it, and its order of day and month, by the
/// record of its typing, if there is one.
fn told_by(name: &str, ty: &str, typing: Option<&Value>) -> std::result::Result<(String, DateOrder), String> {
    let Some(typing) = typing else { return Ok((ty.to_owned(), DateOrder::Unknown)) };
    let typing = ColumnTyping::from_json(typing).map_err(|error| format!("column {name:?}: {error}"))?;
    let ty = match &typing.style.form {
        Form::Given(pattern) => format!("{ty}:{}", pattern.as_str()),
        _ => ty.to_owned(),
    };
    Ok((ty, typing.style.date_order()))
}

fn checked(name: &str, ty: &str) -> std::result::Result<(), String> {
    if ty.contains('<') {
        return Err(format!(
            "column {name:?}: {ty} is no type that can be given; leave the column out of the file: a \
             certificate beside the text tells it"
        ));
    }
    parse_given(ty).map(|_| ()).map_err(|error| format!("column {name:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(columns: &[(&str, &str)]) -> Vec<Column> {
        let column = |&(name, ty): &(&str, &str)| Column {
            name: name.to_owned(),
            ty: ty.to_owned(),
            order: DateOrder::Unknown,
        };
        columns.iter().map(column).collect()
    }

    #[test]
    fn both_kinds_of_file_say_the_same() {
        let wanted = columns(&[("z", "int64"), ("unit price", "decimal(10, 2)"), ("a=b", "text")]);
        let toml = "# types\nz = \"int64\"\n\"unit price\" = \"decimal(10, 2)\"\n\n\"a=b\" = 'text'\n";
        assert_eq!(parse(toml).unwrap(), wanted);
        let json = r#"{"schema":"isoform.inspect/v1","columns":[{"name":"z","type":"int64","style":{}},
            {"name":"unit price","type":"decimal(10, 2)"},{"name":"a=b","type":"text"}]}"#;
        assert_eq!(parse(json).unwrap(), wanted);
        assert_eq!(parse(r#"{"z":"int64"}"#).unwrap(), wanted[..1]);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn bytes_that_are_uuids_are_read_as_such() {
        let json = r#"{"columns":[{"name":"u","type":"fixed_binary[16]","annotation":"uuid","style":{}},
            {"name":"b","type":"fixed_binary[16]","annotation":null},
            {"name":"j","type":"text","annotation":"json"}]}"#;
        let wanted = columns(&[("u", "uuid"), ("b", "fixed_binary[16]"), ("j", "text")]);
        assert_eq!(parse(json).unwrap(), wanted);
    }

    #[test]
    fn recorded_styles_tell_the_order_of_day_and_month() {
        let order = |ty: &str, form: &str| {
            let typing = format!(r#"{{"type":"{ty}","style":{{"form":{form}}},"reversible":true}}"#);
            let column = format!(r#"{{"name":"d","type":"{ty}","style":{{"field":{typing}}}}}"#);
            parse(&format!(r#"{{"columns":[{column}]}}"#)).map(|columns| columns[0].order)
        };
        let clock = r#"{"half_day":{"seconds":false,"padded":false,"space":true,"upper":true}}"#;
        let timestamp = r#"{"date":"%d-%m-%Y","separator":" ","seconds":true,"fraction":0,"zone":""}"#;
        for (ty, form, wanted) in [
            ("date", r#"{"date":"%m/%d/%Y"}"#.to_owned(), DateOrder::MonthFirst),
            ("date", r#"{"date":"%d.%m.%Y"}"#.to_owned(), DateOrder::DayFirst),
            ("date", r#"{"date":"%Y-%m-%d"}"#.to_owned(), DateOrder::Unknown),
            ("date", r#"{"written":{"date":"%-m/%-d/%Y"}}"#.to_owned(), DateOrder::MonthFirst),
            ("date", r#"{"written":{"date":"%b %-d, %Y"}}"#.to_owned(), DateOrder::Unknown),
            (
                "timestamp[us]",
                format!(r#"{{"written":{{"date":"%-d/%-m/%Y","clock":{clock}}}}}"#),
                DateOrder::DayFirst,
            ),
            ("timestamp[us]", format!(r#"{{"timestamp":{timestamp}}}"#), DateOrder::DayFirst),
            ("text", r#""ambiguous_date""#.to_owned(), DateOrder::Unknown),
            ("int64", r#""integer""#.to_owned(), DateOrder::Unknown),
        ] {
            assert_eq!(order(ty, &form), Ok(wanted), "{form}");
        }
        let unknown = order("date", r#"{"dates":"%m/%d/%Y"}"#).unwrap_err();
        assert!(unknown.starts_with("column 1: column \"d\""), "{unknown}");
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| parse(text).unwrap_err();
        assert!(error("a = \"int64\"\n\nb = \"integer\"").starts_with("line 3: column \"b\""));
        assert!(error("a = \"int64\"\nb = 5").starts_with("line 2"));
        assert!(error("a = \"int64\"\na = \"text\"").contains("line 2"));
        assert!(error("a: int64").contains("line 1"));
        assert!(error("{\"a\": \n 5").contains("line 2"));
        assert!(error("{\"columns\":[{\"name\":\"a\",\"type\":\"list<text>\"}]}").contains("certificate"));
        assert!(error("{\"columns\":[{\"name\":\"a\"}]}").contains("inspect"));
        let twice = "{\"columns\":[{\"name\":\"a\",\"type\":\"text\"},{\"name\":\"a\",\"type\":\"text\"}]}";
        assert!(error(twice).contains("twice"));
    }
}
