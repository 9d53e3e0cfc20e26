//! Provides the JSON of an Avro schema, made from a physical Arrow schema, and what such JSON says besides.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, FieldRef, Fields, Schema, TimeUnit};
use serde_json::{Map, Value, json};

use crate::annotation;
use crate::carry::nested_json;
use crate::error::{Error, Result};

/// The JSON of a physical schema, as [`super::schema::parse`] reads it.
///
/// # Errors
/// A type that the table of types should have mapped to another.
pub(super) fn to_json(schema: &Schema) -> Result<String> {
    let mut names = 0;
    let fields = fields_json(schema.fields(), &mut names)?;
    Ok(json!({"type": "record", "name": "row", "fields": fields}).to_string())
}

fn fields_json(fields: &Fields, names: &mut usize) -> Result<Value> {
    let fields =
        fields.iter().map(|field| Ok(json!({"name": field.name(), "type": type_json(field, names)?})));
    Ok(Value::Array(fields.collect::<Result<_>>()?))
}

/// A name for the next nested record or fixed type.
fn next_name(kind: &str, names: &mut usize) -> String {
    *names += 1;
    format!("{kind}_{names}")
}

fn type_json(field: &FieldRef, names: &mut usize) -> Result<Value> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond};
    let logical = |base: &str, logical: &str| json!({"type": base, "logicalType": logical});
    let zoned = |zone: &Option<Arc<str>>, unit: &str| {
        let local = if zone.is_some() { "" } else { "local-" };
        logical("long", &format!("{local}timestamp-{unit}"))
    };
    let json = match field.data_type() {
        DataType::Null => return Ok(json!("null")),
        DataType::Boolean => json!("boolean"),
        DataType::Int32 => json!("int"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 | DataType::LargeUtf8 => json!("string"),
        DataType::Binary | DataType::LargeBinary => json!("bytes"),
        DataType::FixedSizeBinary(size) => {
            let fixed = json!({"type": "fixed", "name": next_name("fixed", names), "size": size});
            if annotation::is_uuid(field) { with_member(fixed, "logicalType", "uuid") } else { fixed }
        }
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
        }
        DataType::Date32 => logical("int", "date"),
        DataType::Time32(Millisecond) => logical("int", "time-millis"),
        DataType::Time64(Microsecond) => logical("long", "time-micros"),
        DataType::Timestamp(Millisecond, zone) => zoned(zone, "millis"),
        DataType::Timestamp(Microsecond, zone) => zoned(zone, "micros"),
        DataType::Timestamp(Nanosecond, zone) => zoned(zone, "nanos"),
        DataType::List(item) | DataType::LargeList(item) => {
            json!({"type": "array", "items": type_json(item, names)?})
        }
        DataType::Struct(fields) => {
            let name = next_name("record", names);
            json!({"type": "record", "name": name, "fields": fields_json(fields, names)?})
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                json!({"type": "map", "values": type_json(&pair[1], names)?})
            }
            other => return Err(Error::Bug(format!("a map whose entries are {other}"))),
        },
        other => {
            return Err(Error::Bug(format!("data/types.toml lets {other} into an Avro schema")));
        }
    };
    Ok(if field.is_nullable() { json!(["null", json]) } else { json })
}

/// The same object with a member more.
fn with_member(mut object: Value, name: &str, value: &str) -> Value {
    object[name] = json!(value);
    object
}

/// Members of a schema that are its types and names, which a table has too.
const TYPE_MEMBERS: [&str; 9] =
    ["type", "name", "fields", "items", "values", "size", "logicalType", "precision", "scale"];

/// Members of a schema that are no part of types and names, such as `doc` and `aliases`: a table has no place
/// for them. A default of null is left out, since it says no more than the type does.
pub(super) fn remarks(schema: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Ok(json) = nested_json::<Value>(schema) {
        gather(&json, &mut found);
    }
    found
}

/// Recursion is bounded, since the JSON was read with a bound on its nesting.
fn gather(json: &Value, found: &mut BTreeSet<String>) {
    match json {
        Value::Array(all) => all.iter().for_each(|one| gather(one, found)),
        Value::Object(members) => {
            for (name, value) in members {
                match name.as_str() {
                    "type" | "fields" | "items" | "values" => gather(value, found),
                    "default" if value.is_null() => {}
                    // An enum is text, and an identifier that is held as text is text too.
                    "symbols" => drop(found.insert("symbols".to_owned())),
                    "logicalType" if value == "uuid" && !is_fixed_uuid(members) => {
                        found.insert("logicalType uuid".to_owned());
                    }
                    known if TYPE_MEMBERS.contains(&known) => {}
                    other => drop(found.insert(other.to_owned())),
                }
            }
        }
        _ => {}
    }
}

/// Whether a type is a UUID in 16 bytes.
fn is_fixed_uuid(members: &Map<String, Value>) -> bool {
    members.get("type").is_some_and(|ty| ty == "fixed") && members.get("size").is_some_and(|size| size == 16)
}
