//! Provides what is said of how columns are read that a person may not expect.

use super::Opened;
use crate::jsonl::JSON_TEXT;
use crate::text::{GROUPED, Mark};
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
            let fields = schema.fields().iter().zip(self.why());
            let grouped = fields.filter(|(_, why)| why.said == GROUPED);
            notes.extend(grouped.map(|(field, _)| format!("{:?} is text: {GROUPED}", field.name())));
        }
        let fields = schema.fields().iter().zip(self.why());
        let as_json = fields.filter(|(_, why)| why.said.contains(JSON_TEXT));
        let names: Vec<String> = as_json.map(|(field, _)| format!("{:?}", field.name())).collect();
        notes.extend(as_json_text(&names));
        notes
    }
}

/// Columns that are named where they are kept as JSON text.
const NAMED_MAX: usize = 5;

/// What is said of columns that are kept as JSON text, wholly or within.
fn as_json_text(names: &[String]) -> Option<String> {
    let named = names.get(..NAMED_MAX).unwrap_or(names).join(", ");
    let more = names.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {}", counted(more, "other column")) } else { String::new() };
    let what = "of several kinds, kept as JSON text, in which strings have quotes; inspect --why tells which";
    (!names.is_empty()).then(|| format!("{named}{more}: values {what}"))
}
