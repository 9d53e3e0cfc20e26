//! Provides what a profile of JSON Lines comes to.

use arrow_schema::SchemaRef;

use super::layouts::Layouts;
use super::profile::JsonText;
use super::typing::Typing;

/// A schema, and how its values stand in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The Arrow schema; every field is nullable.
    pub schema: SchemaRef,
    /// One typing for each column.
    pub typings: Vec<Typing>,
    /// Reasons for columns, by dotted path, whose type a reader would not expect.
    pub why: Vec<(String, String)>,
    /// Why values of columns, by dotted path, are kept as JSON text.
    pub as_json: Vec<(String, JsonText)>,
    /// For each column of floating point numbers, nested ones included, in the order of `typings`: all
    /// layouts that give back every number.
    pub layouts: Vec<Layouts>,
}

impl Resolved {
    /// What is to be said of each column, nested ones under the column they are in.
    pub fn why_by_column(&self) -> Vec<String> {
        let of = |name: &String| {
            let why = self.why.iter().filter(|(path, _)| is_inside(path, name));
            why.map(|(path, why)| if path == name { why.clone() } else { format!("{path}: {why}") })
                .collect::<Vec<_>>()
        };
        self.schema.fields().iter().map(|field| of(field.name()).join("; ")).collect()
    }

    /// Why values of each column, or of ones nested in it, are kept as JSON text.
    pub(crate) fn as_json_by_column(&self) -> Vec<Vec<JsonText>> {
        let of = |name: &String| {
            let inside = self.as_json.iter().filter(|(path, _)| is_inside(path, name));
            inside.map(|(_, reason)| *reason).collect()
        };
        self.schema.fields().iter().map(|field| of(field.name())).collect()
    }
}

/// Whether a dotted path is that of this column, or of one nested in it.
fn is_inside(path: &str, column: &str) -> bool {
    path.strip_prefix(column).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
