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
    /// Reasons for types that a reader would not expect.
    pub why: Vec<Said>,
    /// Why values of columns, by position, or of ones nested in them, are kept as JSON text.
    pub as_json: Vec<(usize, JsonText)>,
    /// For each column of floating point numbers, nested ones included, in the order of `typings`: all
    /// layouts that give back every number.
    pub layouts: Vec<Layouts>,
}

/// What is said of a column, or of one nested in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The position of the column.
    pub column: usize,
    /// The dotted path of the one that it is said of.
    pub path: String,
    /// What.
    pub why: String,
}

impl Resolved {
    /// What is to be said of each column, nested ones under the column they are in.
    pub fn why_by_column(&self) -> Vec<String> {
        let of = |(column, name): (usize, &str)| {
            let inside = self.why.iter().filter(|said| said.column == column);
            let said = inside.map(|Said { path, why, .. }| match path == name {
                true => why.clone(),
                false => format!("{path}: {why}"),
            });
            said.collect::<Vec<_>>().join("; ")
        };
        self.schema.fields().iter().map(|field| field.name().as_str()).enumerate().map(of).collect()
    }

    /// Why values of each column, or of ones nested in it, are kept as JSON text.
    pub(crate) fn as_json_by_column(&self) -> Vec<Vec<JsonText>> {
        let mut reasons = vec![Vec::new(); self.schema.fields().len()];
        for (column, reason) in &self.as_json {
            reasons.get_mut(*column).into_iter().for_each(|reasons| reasons.push(*reason));
        }
        reasons
    }
}
