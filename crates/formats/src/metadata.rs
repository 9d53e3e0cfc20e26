//! Provides what a target keeps of the key-value metadata of its source, and what is to be said of the rest.
//!
//! Metadata are what others wrote beside a table: entries of a file, and entries of single columns. They are
//! no content, so no digest covers them; but what is not kept is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};

pub use crate::annotation::said_of;
use crate::annotation::{self, Annotation};
use crate::carry::{Carrier, RECORD_KEY};
use crate::error::{Error, Result};
use crate::registry::Format;
use crate::table::TableSource;
use crate::typings::{STYLES_KEY, Typings};
use crate::write::WriteOptions;

/// Key under which the library embeds the Arrow schema in a Parquet file.
const EMBEDDED_SCHEMA_KEY: &str = "ARROW:schema";

/// Beginning of the keys that Avro keeps for itself.
const AVRO_PREFIX: &str = "avro.";

/// Names of columns or keys in one note at most; the rest is counted.
pub(crate) const NAMED_MAX: usize = 8;

fn is_ours(key: &str) -> bool {
    key == RECORD_KEY || key == STYLES_KEY
}

/// Whether a format keeps this key for itself, so that no entry can have it.
fn is_reserved(format: Format, key: &str) -> bool {
    match format {
        Format::Avro => key.starts_with(AVRO_PREFIX),
        Format::Parquet => key == EMBEDDED_SCHEMA_KEY,
        _ => false,
    }
}

/// Entries for the target's metadata: those of the source, those that were asked for, and our records. What
/// isoform recorded in the source is about the source, and is made anew.
///
/// # Errors
/// A style that has no record.
pub(crate) fn entries(
    schema: &Schema,
    typings: &Typings,
    options: &WriteOptions,
    carrier: Option<&Carrier>,
) -> Result<Vec<(String, String)>> {
    let mut entries = BTreeMap::new();
    let kept = schema.metadata().iter().filter(|(key, _)| is_kept(options.format, key));
    entries.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
    entries.extend(options.metadata.iter().cloned());
    entries.extend(typings.record(schema)?.map(|record| (STYLES_KEY.to_owned(), record)));
    entries.extend(carrier.and_then(Carrier::record).map(|record| (RECORD_KEY.to_owned(), record)));
    Ok(entries.into_iter().collect())
}

/// Those of `entries` that are not isoform's own records.
pub(crate) fn foreign(entries: &[(String, String)]) -> Vec<(String, String)> {
    entries.iter().filter(|(key, _)| !is_ours(key)).cloned().collect()
}

/// The entries of a table that others wrote, by key.
pub fn told(schema: &Schema) -> BTreeMap<&str, &str> {
    let entries = schema.metadata().iter().filter(|(key, _)| !is_ours(key) && *key != EMBEDDED_SCHEMA_KEY);
    entries.map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

fn is_kept(format: Format, key: &str) -> bool {
    !is_ours(key) && key != EMBEDDED_SCHEMA_KEY && !is_reserved(format, key)
}

/// Refuses entries that were asked for and that the target cannot have.
///
/// # Errors
/// [`Error::Misuse`], naming the key.
pub(crate) fn refuse_asked(options: &WriteOptions) -> Result<()> {
    let name = options.format.name();
    for (key, _) in &options.metadata {
        let why = if options.format.is_text() {
            format!("{name} has no place for metadata; leave the option away, or write a binary format")
        } else if is_ours(key) {
            "isoform keeps this key for itself".to_owned()
        } else if is_reserved(options.format, key) {
            format!("{name} keeps this key for itself")
        } else {
            continue;
        };
        return Err(Error::Misuse(format!("--metadata {key}: {why}")));
    }
    Ok(())
}

/// What a target of this format does not keep of the metadata of this table, in words; and of its columns,
/// which in JSON Lines are in the records.
pub fn lost(table: &dyn TableSource, format: Format) -> Vec<String> {
    let schema = table.schema();
    let mut notes = lost_of(schema, format);
    notes.extend(lost_columns(schema, table.rows(), format));
    notes
}

/// Whether a target of this format has its columns with so many rows: JSON Lines have them in the records.
pub fn has_columns(format: Format, rows: u64) -> bool {
    format != Format::JsonLines || rows > 0
}

/// What a target that does not have its columns loses of them, in words.
pub fn lost_columns(schema: &Schema, rows: u64, format: Format) -> Option<String> {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let (word, types) = if names.len() == 1 { ("name", "its type") } else { ("names", "their types") };
    (!has_columns(format, rows) && !names.is_empty()).then(|| {
        let (format, names) = (format.name(), listed(&names));
        format!(
            "without a record {format} has no columns: the {word} {names} in the certificate alone, with \
             {types}"
        )
    })
}

/// What a target of this format does not keep of the metadata of this schema.
fn lost_of(schema: &Schema, format: Format) -> Vec<String> {
    let mut notes = Vec::new();
    let (name, text) = (format.name(), format.is_text());
    let mut keys: Vec<&str> = schema.metadata().keys().map(String::as_str).collect();
    keys.retain(|key| !is_ours(key) && *key != EMBEDDED_SCHEMA_KEY && (text || is_reserved(format, key)));
    keys.sort_unstable();
    if !keys.is_empty() {
        let why = if text { "has no place for metadata" } else { "keeps such keys for itself" };
        let (keys, have) = (listed(&keys), if keys.len() == 1 { "entry" } else { "entries" });
        notes.push(format!("{name} {why}: the source's {have} {keys} not kept"));
    }
    let (mut columns, mut untold) = (Vec::new(), BTreeMap::new());
    for field in schema.fields() {
        annotated((field, field.name()), format, &mut columns, &mut untold);
    }
    notes.extend(untold.into_iter().map(|((one, many), columns): (_, Vec<String>)| {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let what = if columns.len() == 1 { one } else { many };
        format!("{name} does not say what these values are: {} {what}", listed(&columns))
    }));
    if !columns.is_empty() && (text || format == Format::Avro) {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let word = if columns.len() == 1 { "column" } else { "columns" };
        notes.push(format!(
            "{name} has no place for metadata of columns: those of {word} {} not kept",
            listed(&columns)
        ));
    }
    notes
}

/// What is to be said of entries that not all of several sources have alike.
pub(crate) fn disagreed<'a>(keys: impl Iterator<Item = &'a str>) -> Option<String> {
    let keys: BTreeSet<&str> = keys.filter(|key| !is_ours(key) && *key != EMBEDDED_SCHEMA_KEY).collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    let word = if keys.len() == 1 { "entry" } else { "entries" };
    (!keys.is_empty())
        .then(|| format!("the sources do not agree on metadata: the {word} {} not kept", listed(&keys)))
}

/// The columns, nested ones too, that have metadata of their own; and those whose annotations a format does
/// not have, by what they say.
fn annotated(
    (field, path): (&Field, &str),
    format: Format,
    found: &mut Vec<String>,
    untold: &mut BTreeMap<(&'static str, &'static str), Vec<String>>,
) {
    if annotation::has_other_entries(field) {
        found.push(path.to_owned());
    }
    if let Some(said) = Annotation::of(field).filter(|said| !has_word(format, *said)) {
        untold.entry(said.words()).or_default().push(path.to_owned());
    }
    for inner in annotation::inside(field.data_type()) {
        annotated((inner, &format!("{path}.{}", inner.name())), format, found, untold);
    }
}

/// Whether a format has a word for an annotation, or spells such values so.
fn has_word(format: Format, said: Annotation) -> bool {
    match format {
        Format::Parquet | Format::ArrowFile | Format::ArrowStream => true,
        Format::Avro | Format::Csv | Format::Tsv | Format::JsonLines => said == Annotation::Uuid,
    }
}

/// Names in quotes, at most a few, and the verb that fits them.
pub fn listed(names: &[&str]) -> String {
    let mut text =
        names.iter().take(NAMED_MAX).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED_MAX {
        text.push_str(&format!(" and {} more", names.len() - NAMED_MAX));
    }
    text + if names.len() == 1 { " is" } else { " are" }
}

/// A schema with this metadata and no other.
pub(crate) fn with_entries(schema: &SchemaRef, entries: Vec<(String, String)>) -> SchemaRef {
    let fields = schema.fields().clone();
    Arc::new(Schema::new_with_metadata(fields, entries.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;

    use super::*;
    use crate::registry::FORMATS;

    fn options(format: Format, metadata: &[(&str, &str)]) -> WriteOptions {
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        WriteOptions { metadata, ..WriteOptions::plain(format) }
    }

    fn schema() -> SchemaRef {
        let note = |text: &str| [("unit".to_owned(), text.to_owned())].into();
        let inner = Field::new("x", DataType::Int32, true).with_metadata(note("cm"));
        let fields = vec![
            Field::new("a", DataType::Int64, true).with_metadata(note("m")),
            Field::new("s", DataType::Struct(vec![inner].into()), true),
        ];
        let entries = ["own", "avro.codec", RECORD_KEY, STYLES_KEY, EMBEDDED_SCHEMA_KEY];
        Arc::new(Schema::new_with_metadata(
            fields,
            entries.map(|key| (key.to_owned(), "v".to_owned())).into(),
        ))
    }

    #[test]
    fn columns_without_a_place_are_named() {
        let lost = |names: &[&str], rows, format| {
            let fields = names.iter().map(|name| Field::new(*name, DataType::Int64, true));
            lost_columns(&Schema::new(fields.collect::<Vec<_>>()), rows, format)
        };
        let told = lost(&["a", "b"], 0, Format::JsonLines).unwrap();
        assert!(
            told.ends_with("the names \"a\", \"b\" are in the certificate alone, with their types"),
            "{told}"
        );
        let told = lost(&["a"], 0, Format::JsonLines).unwrap();
        assert!(told.ends_with("the name \"a\" is in the certificate alone, with its type"), "{told}");
        assert_eq!(lost(&["a"], 1, Format::JsonLines), None);
        assert_eq!(lost(&[], 0, Format::JsonLines), None);
        for format in FORMATS.into_iter().filter(|format| *format != Format::JsonLines) {
            assert_eq!(lost(&["a"], 0, format), None);
        }
    }

    #[test]
    fn entries_of_others_are_told() {
        let schema = schema();
        assert_eq!(told(&schema).into_iter().collect::<Vec<_>>(), [("avro.codec", "v"), ("own", "v")]);
    }

    #[test]
    fn each_entry_is_kept_or_named() {
        let schema = schema();
        for format in FORMATS {
            let kept = entries(&schema, &Typings::Native, &options(format, &[]), None).unwrap();
            let notes = lost_of(&schema, format).join("\n");
            for key in ["own", "avro.codec"] {
                let kept = !format.is_text() && kept.iter().any(|(kept, _)| kept == key);
                assert!(kept != notes.contains(&format!("{key:?}")), "{format:?} {key}: {notes}");
            }
            let columns = notes.contains("\"a\", \"s.x\"");
            assert_eq!(columns, format.is_text() || format == Format::Avro, "{format:?}: {notes}");
            assert!(!notes.contains("isoform.") && !notes.contains("ARROW"), "{notes}");
            assert!(kept.iter().all(|(key, _)| !is_ours(key)), "records of the source are not the target's");
        }
    }

    #[test]
    fn annotations_without_a_word_are_named() {
        let uuid = Annotation::Uuid.tell(Field::new("u", DataType::FixedSizeBinary(16), true));
        let inside = DataType::Struct(vec![uuid.clone()].into());
        let json = Annotation::Json.tell(Field::new("j", DataType::Utf8, true));
        let schema = Schema::new(vec![uuid, json, Field::new("s", inside, true)]);
        for format in FORMATS {
            let notes = lost_of(&schema, format);
            let wanted = match format {
                Format::Parquet | Format::ArrowFile | Format::ArrowStream => Vec::new(),
                other => vec![format!("{} does not say what these values are: \"j\" is JSON", other.name())],
            };
            assert_eq!(notes, wanted, "{format:?}");
        }
    }

    #[test]
    fn what_was_asked_for_is_kept_or_refused() {
        for format in FORMATS {
            let fine = refuse_asked(&options(format, &[("own", "1")]));
            assert_eq!(fine.is_ok(), !format.is_text(), "{format:?}");
            for key in [RECORD_KEY, STYLES_KEY] {
                assert!(refuse_asked(&options(format, &[(key, "1")])).is_err(), "{format:?} {key}");
            }
        }
        assert!(refuse_asked(&options(Format::Avro, &[("avro.codec", "null")])).is_err());
        assert!(refuse_asked(&options(Format::Parquet, &[(EMBEDDED_SCHEMA_KEY, "x")])).is_err());
    }

    #[test]
    fn long_lists_are_counted() {
        let names: Vec<String> = (0..11).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(listed(&names).ends_with("\"7\" and 3 more are"));
        assert_eq!(listed(&names[..1]), "\"0\" is");
    }
}
