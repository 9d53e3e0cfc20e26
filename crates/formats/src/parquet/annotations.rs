//! Provides what Parquet says of values besides their types: that bytes are an identifier, a text is JSON and
//! such. A table has no place for it.

use parquet::basic::{ConvertedType, LogicalType};
use parquet::schema::types::Type;

/// A note for each kind of annotation that is not kept, with the columns that have it.
pub(super) fn lost(root: &Type) -> Vec<String> {
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    for field in root.get_fields() {
        gather(field, "", &mut found);
    }
    let notes = found
        .into_iter()
        .map(|(what, columns)| format!("Parquet says of {} that it is {what}: not kept", columns.join(", ")));
    notes.collect()
}

/// Recursion is bounded, since the nesting of the schema is.
fn gather(ty: &Type, above: &str, found: &mut Vec<(&'static str, Vec<String>)>) {
    let path = format!("{above}{}", ty.name());
    let info = ty.get_basic_info();
    let what = match (info.logical_type_ref(), info.converted_type()) {
        (Some(LogicalType::Uuid), _) => Some("a UUID"),
        (Some(LogicalType::Json), _) | (None, ConvertedType::JSON) => Some("JSON"),
        (Some(LogicalType::Bson), _) | (None, ConvertedType::BSON) => Some("BSON"),
        (Some(LogicalType::Enum), _) | (None, ConvertedType::ENUM) => Some("one of some words"),
        (Some(LogicalType::Variant(_)), _) => Some("a VARIANT"),
        (Some(LogicalType::Geometry(_) | LogicalType::Geography(_)), _) => Some("a shape"),
        _ => None,
    };
    if let Some(what) = what {
        match found.iter_mut().find(|(known, _)| *known == what) {
            Some((_, columns)) => columns.push(format!("{path:?}")),
            None => found.push((what, vec![format!("{path:?}")])),
        }
    }
    if ty.is_group() {
        ty.get_fields().iter().for_each(|field| gather(field, &format!("{path}."), found));
    }
}
