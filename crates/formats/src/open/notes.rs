//! Provides what is said of how columns are read that a person may not expect.

use super::{Opened, Why};
use crate::jsonl::JsonText;
use crate::text::{Mark, why_grouped};
use crate::typings::Typings;
use crate::words::counted;

impl Opened {
    /// What a person should know of how it is read, by the types that it has now.
    pub fn all_notes(&self) -> Vec<String> {
        let mut notes = self.notes.clone();
        let schema = self.table().schema();
        if self.marks_found
            && let Typings::Fields(typings) = self.typings()
        {
            let columns = schema.fields().iter().zip(&typings);
            let columns = columns.filter(|(_, typing)| typing.style.mark == Mark::Comma);
            let names: Vec<String> = columns.map(|(field, _)| format!("{:?}", field.name())).collect();
            if !names.is_empty() {
                let names = names.join(", ");
                notes.push(format!(
                    "',' is the decimal mark of {names}, as ';' delimits; --decimal-comma=false keeps it text"
                ));
            }
        }
        for mark in [Mark::Point, Mark::Comma] {
            let grouped = self.named(|why| why.grouped == Some(mark));
            notes.extend(grouped.map(|names| format!("{names}: text, since {}", why_grouped(mark))));
        }
        for (reason, what) in AS_JSON {
            let names = self.named(|why| why.as_json.contains(&reason));
            notes.extend(names.map(|names| format!("{names}: {what}; inspect --why tells more")));
        }
        notes
    }

    /// The names of the columns of which this holds, in words.
    fn named(&self, holds: impl Fn(&Why) -> bool) -> Option<String> {
        let fields = self.table().schema().fields().iter().zip(self.why());
        let names: Vec<_> = fields.filter(|(_, why)| holds(why)).map(|(field, _)| field.name()).collect();
        let named: Vec<_> = names.iter().take(NAMED_MAX).map(|name| format!("{name:?}")).collect();
        match (named.join(", "), names.len()) {
            (_, 0) => None,
            (named, count) if count <= NAMED_MAX => Some(named),
            (named, count) => Some(format!("{named} and {}", counted(count - NAMED_MAX, "other column"))),
        }
    }
}

/// What is said of columns with values that are kept as JSON text.
const AS_JSON: [(JsonText, &str); 4] = [
    (JsonText::Kinds, "values of several kinds, kept as JSON text, in which strings have quotes"),
    (JsonText::Numbers, "numbers that no type gives back, kept as JSON text"),
    (JsonText::Keys, "objects of more than 4,096 keys, kept as JSON text"),
    (JsonText::Empty, "objects of which all are empty, kept as JSON text"),
];

/// Columns that a note names.
const NAMED_MAX: usize = 5;
