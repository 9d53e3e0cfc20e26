//! Provides the JSON record of mapped columns: `{"version":1,"columns":[{"index":0,"field":FIELD}]}`, where
//! FIELD is `{"name":…,"type":TYPE,"nullable":…}` and TYPE is a word such as `"timestamp[us, Europe/Oslo]"`
//! or one of `{"list":FIELD}`, `{"large_list":FIELD}`, `{"fixed_list":FIELD,"size":n}`,
//! `{"struct":[FIELD…]}` and `{"map":FIELD,"sorted":…}` (the field of the entries, a struct of two).

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, IntervalUnit, TimeUnit};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::table::unit_name;
use crate::limits::{COLUMNS_MAX, DEPTH_MAX};

/// Bytes of a record at most: a name and a type for every column of the widest table.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// Brackets around one type, its field, the list of fields and the union, for each level of nesting.
const JSON_DEPTH_MAX: usize = 5 * DEPTH_MAX + 8;

const VERSION: u64 = 1;

/// The record of these columns.
pub(super) fn write<'a>(columns: impl Iterator<Item = (usize, &'a FieldRef)>) -> String {
    let columns: Vec<Value> =
        columns.map(|(index, field)| json!({"index": index, "field": field_json(field)})).collect();
    json!({"version": VERSION, "columns": columns}).to_string()
}

fn field_json(field: &Field) -> Value {
    json!({"name": field.name(), "type": type_json(field.data_type()), "nullable": field.is_nullable()})
}

fn type_json(data_type: &DataType) -> Value {
    match data_type {
        DataType::List(item) => json!({"list": field_json(item)}),
        DataType::LargeList(item) => json!({"large_list": field_json(item)}),
        DataType::FixedSizeList(item, size) => json!({"fixed_list": field_json(item), "size": size}),
        DataType::Struct(fields) => {
            json!({"struct": fields.iter().map(|f| field_json(f)).collect::<Vec<_>>()})
        }
        DataType::Map(entries, sorted) => json!({"map": field_json(entries), "sorted": sorted}),
        scalar => Value::String(scalar_text(scalar)),
    }
}

/// The word for a type that holds no others.
pub(super) fn scalar_text(data_type: &DataType) -> String {
    match data_type {
        DataType::Decimal128(precision, scale) => format!("decimal128({precision},{scale})"),
        DataType::Decimal256(precision, scale) => format!("decimal256({precision},{scale})"),
        DataType::FixedSizeBinary(size) => format!("fixed_binary({size})"),
        DataType::Time32(unit) => format!("time32[{}]", unit_name(*unit)),
        DataType::Time64(unit) => format!("time64[{}]", unit_name(*unit)),
        DataType::Timestamp(unit, None) => format!("timestamp[{}]", unit_name(*unit)),
        DataType::Timestamp(unit, Some(zone)) => format!("timestamp[{}, {zone}]", unit_name(*unit)),
        DataType::Duration(unit) => format!("duration[{}]", unit_name(*unit)),
        DataType::Interval(IntervalUnit::YearMonth) => "interval[year_month]".into(),
        DataType::Interval(IntervalUnit::DayTime) => "interval[day_time]".into(),
        DataType::Interval(IntervalUnit::MonthDayNano) => "interval[month_day_nano]".into(),
        other => {
            let word = WORDS.iter().find(|(_, data_type)| data_type == other);
            word.map_or_else(|| other.to_string(), |(word, _)| (*word).to_owned())
        }
    }
}

const WORDS: [(&str, DataType); 19] = [
    ("null", DataType::Null),
    ("bool", DataType::Boolean),
    ("int8", DataType::Int8),
    ("int16", DataType::Int16),
    ("int32", DataType::Int32),
    ("int64", DataType::Int64),
    ("uint8", DataType::UInt8),
    ("uint16", DataType::UInt16),
    ("uint32", DataType::UInt32),
    ("uint64", DataType::UInt64),
    ("float16", DataType::Float16),
    ("float32", DataType::Float32),
    ("float64", DataType::Float64),
    ("utf8", DataType::Utf8),
    ("large_utf8", DataType::LargeUtf8),
    ("binary", DataType::Binary),
    ("large_binary", DataType::LargeBinary),
    ("date32", DataType::Date32),
    ("date64", DataType::Date64),
];

/// The type that a word names; None where it names none.
pub(super) fn parse_scalar(text: &str) -> Option<DataType> {
    if let Some((_, data_type)) = WORDS.iter().find(|(word, _)| *word == text) {
        return Some(data_type.clone());
    }
    if let Some((head, inner)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        return match head {
            "fixed_binary" => {
                inner.parse().ok().filter(|size: &i32| *size >= 0).map(DataType::FixedSizeBinary)
            }
            "decimal128" => {
                decimal(inner, 38).map(|(precision, scale)| DataType::Decimal128(precision, scale))
            }
            "decimal256" => {
                decimal(inner, 76).map(|(precision, scale)| DataType::Decimal256(precision, scale))
            }
            _ => None,
        };
    }
    let (head, inner) = text.strip_suffix(']')?.split_once('[')?;
    Some(match (head, inner) {
        ("interval", "year_month") => DataType::Interval(IntervalUnit::YearMonth),
        ("interval", "day_time") => DataType::Interval(IntervalUnit::DayTime),
        ("interval", "month_day_nano") => DataType::Interval(IntervalUnit::MonthDayNano),
        ("time32", "s" | "ms") => DataType::Time32(unit(inner)?),
        ("time64", "us" | "ns") => DataType::Time64(unit(inner)?),
        ("duration", _) => DataType::Duration(unit(inner)?),
        ("timestamp", _) => match inner.split_once(", ") {
            Some((at, zone)) => DataType::Timestamp(unit(at)?, Some(zone.into())),
            None => DataType::Timestamp(unit(inner)?, None),
        },
        _ => return None,
    })
}

fn unit(name: &str) -> Option<TimeUnit> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    [Second, Millisecond, Microsecond, Nanosecond].into_iter().find(|unit| unit_name(*unit) == name)
}

fn decimal(inner: &str, digits_max: u8) -> Option<(u8, i8)> {
    let (precision, scale) = inner.split_once(',')?;
    let (precision, scale): (u8, i8) = (precision.parse().ok()?, scale.parse().ok()?);
    let fits = (1..=digits_max).contains(&precision) && i16::from(scale) <= i16::from(precision);
    (fits && scale >= -76).then_some((precision, scale))
}

/// The columns of a record: index and logical field.
pub(super) fn parse(text: &str) -> Result<Vec<(usize, Field)>, String> {
    if text.len() > RECORD_BYTES_MAX {
        return Err(format!("it has {} bytes; at most {RECORD_BYTES_MAX} are read", text.len()));
    }
    let value: Value = nested_json(text)?;
    let record = object(&value, &["version", "columns"])?;
    if record["version"].as_u64() != Some(VERSION) {
        return Err(format!("its version is {}; this program reads version {VERSION}", record["version"]));
    }
    let mut columns: Vec<(usize, Field)> = Vec::new();
    for column in array(&record["columns"])? {
        let column = object(column, &["index", "field"])?;
        let index = column["index"].as_u64().and_then(|index| usize::try_from(index).ok());
        let index = index.filter(|index| columns.last().is_none_or(|(last, _)| last < index));
        let index = index.ok_or_else(|| format!("index {} is out of order", column["index"]))?;
        columns.push((index, field(&column["field"], 0)?));
    }
    Ok(columns)
}

/// JSON that may nest as deep as a schema of [`DEPTH_MAX`] levels needs, which is deeper than the parser
/// allows by itself, and no deeper.
pub(crate) fn nested_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(inside) = bytes.next() {
                    match inside {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > JSON_DEPTH_MAX {
        return Err(format!("its JSON is nested {deepest} deep; at most {JSON_DEPTH_MAX} are read"));
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.disable_recursion_limit();
    let value = T::deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    value.map_err(|error| error.to_string())
}

/// An object with exactly these members.
fn object<'a>(value: &'a Value, members: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let object = value.as_object().ok_or_else(|| format!("{} is not an object", short(value)))?;
    let exact = object.len() == members.len() && members.iter().all(|member| object.contains_key(*member));
    if exact { Ok(object) } else { Err(format!("{} does not have the members {members:?}", short(value))) }
}

fn array(value: &Value) -> Result<&Vec<Value>, String> {
    let array = value.as_array().ok_or_else(|| format!("{} is not an array", short(value)))?;
    if array.len() > COLUMNS_MAX { Err(format!("{} entries are too many", array.len())) } else { Ok(array) }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

fn field(value: &Value, depth: usize) -> Result<Field, String> {
    let members = object(value, &["name", "type", "nullable"])?;
    let name = members["name"].as_str().ok_or("a name is not a string")?;
    let nullable = members["nullable"].as_bool().ok_or("\"nullable\" is not true or false")?;
    Ok(Field::new(name, data_type(&members["type"], depth)?, nullable))
}

fn data_type(value: &Value, depth: usize) -> Result<DataType, String> {
    if depth > DEPTH_MAX {
        return Err(format!("types are nested deeper than {DEPTH_MAX}"));
    }
    if let Some(text) = value.as_str() {
        return parse_scalar(text).ok_or_else(|| format!("{} is no type", short(value)));
    }
    let kind = value
        .as_object()
        .and_then(|object| object.keys().find(|key| !matches!(key.as_str(), "size" | "sorted")));
    let inner = |members: &[&str]| -> Result<FieldRef, String> {
        Ok(Arc::new(field(&object(value, members)?[members[0]], depth + 1)?))
    };
    match kind.map(String::as_str) {
        Some("list") => Ok(DataType::List(inner(&["list"])?)),
        Some("large_list") => Ok(DataType::LargeList(inner(&["large_list"])?)),
        Some("fixed_list") => {
            let item = inner(&["fixed_list", "size"])?;
            let size =
                value["size"].as_i64().and_then(|size| i32::try_from(size).ok()).filter(|size| *size >= 0);
            Ok(DataType::FixedSizeList(item, size.ok_or("a list has no valid size")?))
        }
        Some("struct") => {
            let fields = array(&object(value, &["struct"])?["struct"])?;
            let fields = fields.iter().map(|value| field(value, depth + 1));
            Ok(DataType::Struct(fields.collect::<Result<Fields, String>>()?))
        }
        Some("map") => {
            let entries = inner(&["map", "sorted"])?;
            let sorted = value["sorted"].as_bool().ok_or("\"sorted\" is not true or false")?;
            match entries.data_type() {
                DataType::Struct(pair) if pair.len() == 2 => Ok(DataType::Map(entries, sorted)),
                other => Err(format!("the entries of a map are {other}")),
            }
        }
        _ => Err(format!("{} is no type", short(value))),
    }
}
