//! Provides the one place that words what a format refuses of a column: its type, what would be lost, and the
//! way on. No option makes any of these conversions lose something, and the message says so.

use std::fmt::Display;

use arrow_schema::{DataType, Field};

use super::record::scalar_text;
use super::table::{self, Support};
use crate::error::{Error, Obstacle, Place, Result};

/// How deep types inside of a type are told.
const TOLD_DEPTH: usize = 3;

/// Fields of a struct that are told.
const TOLD_FIELDS: usize = 4;

/// What to do where a value is in the way of the formats of text.
pub(crate) const NOT_AS_TEXT: &str = "write another format, such as jsonl or parquet";

/// What to do where a name is.
pub(crate) const RENAME: &str = "rename it in the source, or write another format, such as parquet or arrow";

/// What a format refuses of a column.
#[derive(Debug)]
pub(crate) struct Refusal(Obstacle);

impl Refusal {
    /// That `who`, a format or what several have in common, cannot carry `what`, in which the type is named;
    /// what would be lost, and what to do instead.
    pub(crate) fn new(who: &str, what: impl Display, loses: &str, instead: &str) -> Self {
        Refusal(Obstacle {
            what: format!("{who} cannot carry {what}: it would lose {loses}"),
            hint: format!("no option accepts that: {instead}"),
        })
    }

    /// The error that it is at this place, which names the column.
    pub(crate) fn at(self, place: Place) -> Error {
        Error::unsupported(place, self.0.what, self.0.hint)
    }
}

/// Refuses a type that holds a union, which no format keeps.
///
/// # Errors
/// [`Error::Unsupported`] in words of the table of types, without a column.
pub(crate) fn refuse_unions(data_type: &DataType) -> Result<()> {
    if holds_union(data_type) { Err(union(&type_told(data_type))?) } else { Ok(()) }
}

/// What is said of a union that is told like this.
///
/// # Errors
/// The table of types is not the committed one.
pub(crate) fn union(told: &str) -> Result<Error> {
    match table::support_of("parquet", "union")? {
        Support::Refuse { loses, option } => {
            Ok(Refusal::new("a table", format_args!("type {told}"), loses, option).at(Place::default()))
        }
        _ => Err(Error::Bug("the table of types says that unions are carried".into())),
    }
}

/// What is said of a second field of this name among those of one record, which text keeps under their names.
pub(crate) fn twice(who: &str, field: &Field) -> Refusal {
    let what =
        format!("a second field of the name {:?} (type {})", field.name(), type_told(field.data_type()));
    Refusal::new(who, what, "which of them a value belongs to", RENAME)
}

/// Whether a type is a union or has one in it.
fn holds_union(data_type: &DataType) -> bool {
    match data_type {
        DataType::Union(..) => true,
        DataType::Dictionary(_, value) => holds_union(value),
        DataType::Struct(fields) => fields.iter().any(|field| holds_union(field.data_type())),
        other => inner(other).is_some_and(|(_, inner)| holds_union(inner)),
    }
}

/// The word for types that hold one other, and that type.
fn inner(data_type: &DataType) -> Option<(&'static str, &DataType)> {
    use DataType as T;
    match data_type {
        T::List(item) | T::ListView(item) => Some(("list", item.data_type())),
        T::LargeList(item) | T::LargeListView(item) => Some(("large_list", item.data_type())),
        T::FixedSizeList(item, _) => Some(("fixed_list", item.data_type())),
        T::Map(entries, _) => Some(("map", entries.data_type())),
        T::RunEndEncoded(_, values) => Some(("runs", values.data_type())),
        _ => None,
    }
}

/// A type in words, with those in it as far as they are few.
pub(crate) fn type_told(data_type: &DataType) -> String {
    told(data_type, 0)
}

fn told(data_type: &DataType, depth: usize) -> String {
    let within = |each: &mut dyn Iterator<Item = String>| -> String {
        let mut told: Vec<String> = each.take(TOLD_FIELDS + 1).collect();
        if told.len() > TOLD_FIELDS {
            told[TOLD_FIELDS] = "…".to_owned();
        }
        if depth < TOLD_DEPTH { told.join(", ") } else { "…".to_owned() }
    };
    match data_type {
        DataType::Struct(fields) => {
            let mut fields =
                fields.iter().map(|f| format!("{}: {}", f.name(), told(f.data_type(), depth + 1)));
            format!("struct<{}>", within(&mut fields))
        }
        DataType::Union(fields, _) => {
            let mut members = fields.iter().map(|(_, field)| told(field.data_type(), depth + 1));
            format!("union<{}>", within(&mut members))
        }
        DataType::Dictionary(_, value) => told(value, depth),
        other => match inner(other) {
            Some((word, _)) if depth >= TOLD_DEPTH => format!("{word}<…>"),
            Some((word, inner)) => format!("{word}<{}>", told(inner, depth + 1)),
            None => scalar_text(other),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{Fields, Schema, TimeUnit, UnionFields, UnionMode};

    use super::*;
    use crate::normal;

    fn field(name: &str, data_type: DataType) -> Field {
        Field::new(name, data_type, true)
    }

    fn of_two() -> DataType {
        let members = [Arc::new(field("a", DataType::Int64)), Arc::new(field("b", DataType::Utf8))];
        DataType::Union(UnionFields::try_new([0, 1], members).unwrap(), UnionMode::Dense)
    }

    #[test]
    fn a_type_is_told_with_those_in_it_as_far_as_they_are_few() {
        let moment = DataType::Timestamp(TimeUnit::Second, Some("UTC".into()));
        assert_eq!(type_told(&moment), "timestamp[s, UTC]");
        let five: Fields = (0..5).map(|at| field(&format!("f{at}"), DataType::Int8)).collect();
        assert_eq!(type_told(&DataType::Struct(five)), "struct<f0: int8, f1: int8, f2: int8, f3: int8, …>");
        let mut deep = DataType::Int8;
        for _ in 0..100 {
            deep = DataType::List(Arc::new(field("item", deep)));
        }
        assert_eq!(type_told(&deep), "list<list<list<list<…>>>>");
    }

    #[test]
    fn all_columns_with_unions_are_refused_at_once_with_their_types() {
        let list = DataType::List(Arc::new(field("item", of_two())));
        let schema = Schema::new(vec![field("u", of_two()), field("i", DataType::Int8), field("l", list)]);
        let told = normal::schema(&schema).unwrap_err().to_string();
        for part in [
            "2 things stand in the way",
            "column \"u\": a table cannot carry type union<int64, utf8>: it would lose which of several \
             types each value has; no option accepts that: split",
            "column \"l\": a table cannot carry type list<union<int64, utf8>>: it would lose",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }
}
