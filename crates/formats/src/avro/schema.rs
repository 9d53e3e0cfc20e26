//! Provides the schema of an Avro file as [`Shape`]s, read from its JSON.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_schema::{DataType, Field, IntervalUnit, Schema, TimeUnit};
use serde_json::{Map, Value};

use super::NAME;
use crate::annotation::Annotation;
use crate::carry::{nested_json, union};
use crate::error::{Error, Place, Result};
use crate::limits::{COLUMNS_MAX, DEPTH_MAX};

/// One type of a file: how values are encoded, and the Arrow type they become.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub kind: Kind,
    /// The branches, where the type is a union of one type and perhaps null.
    pub union: Option<Branches>,
    pub data_type: DataType,
    /// Whether the values are UUIDs in 16 bytes.
    is_uuid: bool,
    /// Number of types in it, itself included.
    nodes: usize,
    /// Levels of types in it.
    depth: usize,
}

/// Positions in a union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Branches {
    pub null: Option<i64>,
    pub value: i64,
}

/// The encoding of one value.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    /// Bytes and strings.
    Bytes,
    Fixed(usize),
    /// A decimal in this many bytes, or in bytes with a length.
    Decimal(Option<usize>),
    /// Months, days and milliseconds in 12 bytes.
    Duration,
    Enum(Arc<[String]>),
    Array(Box<Shape>),
    Map(Box<Shape>),
    Record(Vec<Shape>),
}

impl Shape {
    fn leaf(kind: Kind, data_type: DataType) -> Self {
        Shape { kind, union: None, data_type, is_uuid: false, nodes: 1, depth: 1 }
    }

    fn around(kind: Kind, data_type: DataType, inside: &[&Shape]) -> Self {
        let nodes = inside.iter().fold(1usize, |sum, shape| sum.saturating_add(shape.nodes));
        let depth = 1 + inside.iter().map(|shape| shape.depth).max().unwrap_or(0);
        Shape { kind, union: None, data_type, is_uuid: false, nodes, depth }
    }

    /// A field of this type.
    fn field(&self, name: &str) -> Field {
        let field = Field::new(name, self.data_type.clone(), self.is_nullable());
        if self.is_uuid { Annotation::Uuid.tell(field) } else { field }
    }

    pub(super) fn is_nullable(&self) -> bool {
        matches!(self.kind, Kind::Null) || self.union.is_some_and(|union| union.null.is_some())
    }

    /// Bytes of memory that the place of a null fills.
    pub(super) fn place_bytes(&self) -> usize {
        match &self.kind {
            Kind::Fixed(size) => *size,
            Kind::Decimal(_) => 32,
            Kind::Record(fields) => fields.iter().map(Shape::place_bytes).fold(1, usize::saturating_add),
            _ => 16,
        }
    }

    /// Bytes that every value takes at least.
    pub(super) fn bytes_min(&self) -> usize {
        if self.union.is_some() {
            return 1;
        }
        match &self.kind {
            Kind::Null => 0,
            Kind::Fixed(size) | Kind::Decimal(Some(size)) => *size,
            Kind::Duration => 12,
            Kind::Float => 4,
            Kind::Double => 8,
            Kind::Record(fields) => fields.iter().map(Shape::bytes_min).fold(0, usize::saturating_add),
            _ => 1,
        }
    }
}

/// The rows of a file: the shape of its record, and the schema of the table.
///
/// A file whose values are no records is a table of one column, `value`.
pub(super) fn parse(text: &str) -> Result<(Shape, Schema)> {
    let json: Value = nested_json(text).map_err(|error| malformed(format!("the schema: {error}")))?;
    let mut parser = Parser { named: HashMap::new(), nodes: 0, path: Vec::new() };
    let mut shape = parser.shape(&json, "", 0).map_err(|error| parser.placed(error))?;
    if !matches!(shape.kind, Kind::Record(_)) || shape.union.is_some() {
        let data_type = DataType::Struct(vec![shape.field("value")].into());
        shape = Shape::around(Kind::Record(vec![shape.clone()]), data_type, &[&shape]);
    }
    match &shape.data_type {
        DataType::Struct(fields) => {
            let schema = Schema::new(fields.clone());
            Ok((shape, schema))
        }
        other => Err(Error::Bug(format!("an Avro record as {other}"))),
    }
}

fn malformed(what: impl Into<String>) -> Error {
    Error::malformed(NAME, Place::default(), what)
}

/// Types in a schema at most: that of a table, and for each column its own, null, and the union of both.
const NODES_MAX: usize = 4 * COLUMNS_MAX;

/// A named type: None while it is being defined, since a type within itself is a tree of unknown depth.
type Named = Option<Shape>;

struct Parser {
    named: HashMap<String, Named>,
    nodes: usize,
    /// Names of the fields around what is being parsed.
    path: Vec<String>,
}

impl Parser {
    /// The same error, naming the field in which it was found.
    fn placed(&self, error: Error) -> Error {
        let column = self.path.join(".");
        match error {
            Error::Malformed { mut place, format, what } if !column.is_empty() => {
                place.column = Some(column);
                Error::Malformed { place, format, what }
            }
            Error::Unsupported { mut place, what, hint, more } if !column.is_empty() => {
                place.column = Some(column);
                Error::Unsupported { place, what, hint, more }
            }
            other => other,
        }
    }

    fn shape(&mut self, json: &Value, namespace: &str, depth: usize) -> Result<Shape> {
        // The record that is the table is a level of its own.
        if depth > DEPTH_MAX + 1 {
            return Err(too_deep());
        }
        let shape = match json {
            Value::String(name) => self.by_name(name, namespace, &Map::new())?,
            Value::Array(branches) => self.union(branches, namespace, depth)?,
            Value::Object(object) => self.object(object, namespace, depth)?,
            other => return Err(malformed(format!("the schema has {other} where a type belongs"))),
        };
        if depth + shape.depth > DEPTH_MAX + 2 {
            return Err(too_deep());
        }
        Ok(shape)
    }

    fn count(&mut self, nodes: usize) -> Result<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES_MAX {
            return Err(Error::Limit {
                place: Box::default(),
                what: "the number of types in the Avro schema",
                max: NODES_MAX as u64,
                hint: "split the table into several".into(),
            });
        }
        Ok(())
    }

    fn by_name(&mut self, name: &str, namespace: &str, notes: &Map<String, Value>) -> Result<Shape> {
        if let Some(shape) = primitive(name, notes) {
            if name == "bytes" {
                refuse_too_precise(notes, u32::MAX)?;
            }
            self.count(1)?;
            return Ok(shape);
        }
        let full = full_name(name, namespace);
        // A name without a namespace may also have been defined without one.
        let found = self.named.get(&full).or_else(|| self.named.get(name));
        match found.cloned() {
            Some(Some(shape)) => {
                self.count(shape.nodes)?;
                Ok(shape)
            }
            Some(None) => {
                let what = format!("the type {full:?} contains itself, so its depth has no bound");
                let hint = "write the column as JSON text before converting";
                Err(Error::unsupported(Place::default(), what, hint))
            }
            None => Err(malformed(format!("the schema names a type {name:?} that is not defined before"))),
        }
    }

    fn union(&mut self, branches: &[Value], namespace: &str, depth: usize) -> Result<Shape> {
        let null = branches.iter().position(is_null);
        let others = branches.iter().enumerate().filter(|(_, branch)| !is_null(branch)).collect::<Vec<_>>();
        let (mut shape, value) = match others.as_slice() {
            [] if null.is_some() => (Shape::leaf(Kind::Null, DataType::Null), null.unwrap_or(0)),
            [(at, branch)] => (self.shape(branch, namespace, depth)?, *at),
            [] => return Err(malformed("the schema has a union of no types")),
            _ => {
                let members = others.iter().map(|(_, branch)| branch_told(branch)).collect::<Vec<_>>();
                return Err(union(&format!("union<{}>", members.join(", ")))?);
            }
        };
        if shape.union.is_some() {
            return Err(malformed("the schema has a union directly inside a union"));
        }
        let null = null.filter(|_| !others.is_empty()).map(|at| at as i64);
        shape.union = Some(Branches { null, value: value as i64 });
        Ok(shape)
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str, depth: usize) -> Result<Shape> {
        let name = match object.get("type") {
            Some(Value::String(name)) => name.as_str(),
            // {"type": {…}} is the inner type with notes of its own.
            Some(inner) => return self.shape(inner, namespace, depth + 1),
            None => return Err(malformed("the schema has a type without \"type\"")),
        };
        match name {
            "record" | "error" | "enum" | "fixed" => self.named(name, object, namespace, depth),
            "array" => {
                let item = self.inside(object, "items", namespace, depth)?;
                let data_type = DataType::List(Arc::new(item.field("item")));
                self.count(1)?;
                Ok(Shape::around(Kind::Array(Box::new(item.clone())), data_type, &[&item]))
            }
            "map" => {
                let value = self.inside(object, "values", namespace, depth)?;
                let pair = vec![Field::new("key", DataType::Utf8, false), value.field("value")];
                let entries = Field::new("entries", DataType::Struct(pair.into()), false);
                let data_type = DataType::Map(Arc::new(entries), false);
                self.count(1)?;
                Ok(Shape::around(Kind::Map(Box::new(value.clone())), data_type, &[&value]))
            }
            _ => self.by_name(name, namespace, object),
        }
    }

    fn inside(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
        namespace: &str,
        depth: usize,
    ) -> Result<Shape> {
        match object.get(key) {
            Some(inner) => self.shape(inner, namespace, depth + 1),
            None => Err(malformed(format!("the schema has an array or map without {key:?}"))),
        }
    }

    fn named(
        &mut self,
        kind: &str,
        object: &Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Result<Shape> {
        let name = object.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| malformed(format!("the schema has a type {kind} without a name")))?;
        let own = object.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
        let full = full_name(name, own);
        let inner = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        if self.named.insert(full.clone(), None).is_some() {
            return Err(malformed(format!("the schema defines the type {full:?} twice")));
        }
        self.count(1)?;
        let shape = match kind {
            "enum" => enumeration(object)?,
            "fixed" => fixed(object)?,
            _ => self.record(object, &inner, depth)?,
        };
        self.named.insert(full, Some(shape.clone()));
        Ok(shape)
    }

    fn record(&mut self, object: &Map<String, Value>, namespace: &str, depth: usize) -> Result<Shape> {
        let list = object.get("fields").and_then(Value::as_array);
        let list = list.ok_or_else(|| malformed("the schema has a record without \"fields\""))?;
        let (mut shapes, mut fields) = (Vec::new(), Vec::new());
        let mut names = HashSet::new();
        for field in list {
            let name = field.get("name").and_then(Value::as_str);
            let name = name.ok_or_else(|| malformed("the schema has a field without a name"))?;
            self.path.push(name.to_owned());
            if !names.insert(name) {
                return Err(malformed("the schema has two fields of this name in one record"));
            }
            let inner =
                field.get("type").ok_or_else(|| malformed("the schema has a field without a type"))?;
            let shape = self.shape(inner, namespace, depth + 1)?;
            self.path.pop();
            fields.push(shape.field(name));
            shapes.push(shape);
        }
        let data_type = DataType::Struct(fields.into());
        let around = Shape::around(Kind::Null, data_type, &shapes.iter().collect::<Vec<_>>());
        Ok(Shape { kind: Kind::Record(shapes), ..around })
    }
}

fn too_deep() -> Error {
    Error::Limit {
        place: Box::default(),
        what: "the nesting of a column",
        max: DEPTH_MAX as u64,
        hint: "flatten the column before converting it".into(),
    }
}

fn is_null(branch: &Value) -> bool {
    branch.as_str() == Some("null") || branch.get("type").and_then(Value::as_str) == Some("null")
}

/// A branch of a union in words: its name where it has one, or else what kind of type it is.
fn branch_told(branch: &Value) -> &str {
    let told = |key| branch.get(key).and_then(Value::as_str);
    branch
        .as_str()
        .or_else(|| told("name"))
        .or_else(|| told("logicalType"))
        .or_else(|| told("type"))
        .unwrap_or("…")
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

/// A primitive type with its notes; None where the name is not one of a primitive type. A logical type that
/// does not fit its type is to be ignored.
fn primitive(name: &str, notes: &Map<String, Value>) -> Option<Shape> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond};
    let logical = notes.get("logicalType").and_then(Value::as_str).unwrap_or_default();
    let utc = || Some(Arc::<str>::from("UTC"));
    Some(match (name, logical) {
        ("null", _) => Shape::leaf(Kind::Null, DataType::Null),
        ("boolean", _) => Shape::leaf(Kind::Boolean, DataType::Boolean),
        ("int", "date") => Shape::leaf(Kind::Int, DataType::Date32),
        ("int", "time-millis") => Shape::leaf(Kind::Int, DataType::Time32(Millisecond)),
        ("int", _) => Shape::leaf(Kind::Int, DataType::Int32),
        ("long", "time-micros") => Shape::leaf(Kind::Long, DataType::Time64(Microsecond)),
        ("long", "timestamp-millis") => Shape::leaf(Kind::Long, DataType::Timestamp(Millisecond, utc())),
        ("long", "timestamp-micros") => Shape::leaf(Kind::Long, DataType::Timestamp(Microsecond, utc())),
        ("long", "timestamp-nanos") => Shape::leaf(Kind::Long, DataType::Timestamp(Nanosecond, utc())),
        ("long", "local-timestamp-millis") => Shape::leaf(Kind::Long, DataType::Timestamp(Millisecond, None)),
        ("long", "local-timestamp-micros") => Shape::leaf(Kind::Long, DataType::Timestamp(Microsecond, None)),
        ("long", "local-timestamp-nanos") => Shape::leaf(Kind::Long, DataType::Timestamp(Nanosecond, None)),
        ("long", _) => Shape::leaf(Kind::Long, DataType::Int64),
        ("float", _) => Shape::leaf(Kind::Float, DataType::Float32),
        ("double", _) => Shape::leaf(Kind::Double, DataType::Float64),
        ("bytes", "decimal") => match decimal(notes) {
            Some(data_type) => Shape::leaf(Kind::Decimal(None), data_type),
            None => Shape::leaf(Kind::Bytes, DataType::Binary),
        },
        ("bytes", _) => Shape::leaf(Kind::Bytes, DataType::Binary),
        ("string", _) => Shape::leaf(Kind::Bytes, DataType::Utf8),
        _ => return None,
    })
}

fn decimal(notes: &Map<String, Value>) -> Option<DataType> {
    let precision =
        u8::try_from(notes.get("precision")?.as_u64()?).ok().filter(|p| (1..=DIGITS_MAX).contains(p))?;
    let scale = match notes.get("scale") {
        Some(scale) => i8::try_from(scale.as_i64()?).ok()?,
        None => 0,
    };
    let valid = scale >= 0 && scale.unsigned_abs() <= precision;
    valid.then_some(match precision {
        1..=38 => DataType::Decimal128(precision, scale),
        _ => DataType::Decimal256(precision, scale),
    })
}

/// Fails on a decimal that is one by the specification, within so many bytes, and has more digits than are
/// held here: its bytes alone would be another type without a word.
fn refuse_too_precise(notes: &Map<String, Value>, bytes: u32) -> Result<()> {
    let whole = |key| notes.get(key).map(Value::as_u64);
    let (Some("decimal"), Some(Some(precision))) =
        (notes.get("logicalType").and_then(Value::as_str), whole("precision"))
    else {
        return Ok(());
    };
    let is_scale = whole("scale").is_none_or(|scale| scale.is_some_and(|scale| scale <= precision));
    let fitting = (f64::from(bytes) * 8.0 - 1.0) * std::f64::consts::LOG10_2;
    if precision <= u64::from(DIGITS_MAX) || !is_scale || precision as f64 > fitting.floor() {
        return Ok(());
    }
    let what = format!("a decimal of {precision} digits; up to {DIGITS_MAX} are held");
    let hint = "write it with a lower precision, or without the logical type as bytes";
    Err(Error::unsupported(Place::default(), what, hint))
}

/// Digits of a decimal at most.
const DIGITS_MAX: u8 = 76;

fn enumeration(object: &Map<String, Value>) -> Result<Shape> {
    let symbols = object.get("symbols").and_then(Value::as_array);
    let symbols = symbols.and_then(|list| list.iter().map(|s| s.as_str().map(str::to_owned)).collect());
    let symbols: Arc<[String]> =
        symbols.ok_or_else(|| malformed("the schema has an enum without symbols"))?;
    Ok(Shape::leaf(Kind::Enum(symbols), DataType::Utf8))
}

fn fixed(object: &Map<String, Value>) -> Result<Shape> {
    let size = object.get("size").and_then(Value::as_u64).and_then(|size| i32::try_from(size).ok());
    let size = size.ok_or_else(|| malformed("the schema has a fixed type without a valid size"))?;
    let width = size.unsigned_abs() as usize;
    refuse_too_precise(object, size.unsigned_abs())?;
    Ok(match object.get("logicalType").and_then(Value::as_str) {
        Some("duration") if size == 12 => {
            Shape::leaf(Kind::Duration, DataType::Interval(IntervalUnit::MonthDayNano))
        }
        Some("decimal") if size > 0 => match decimal(object) {
            Some(data_type) => Shape::leaf(Kind::Decimal(Some(width)), data_type),
            None => Shape::leaf(Kind::Fixed(width), DataType::FixedSizeBinary(size)),
        },
        Some("uuid") if size == 16 => {
            Shape { is_uuid: true, ..Shape::leaf(Kind::Fixed(width), DataType::FixedSizeBinary(size)) }
        }
        _ => Shape::leaf(Kind::Fixed(width), DataType::FixedSizeBinary(size)),
    })
}
