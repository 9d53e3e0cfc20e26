//! Provides what is said of how columns are read that a person may not expect.

use super::{Opened, Table, Why};
use crate::jsonl::JsonText;
use crate::limits::CHUNK_ROWS;
use crate::spool::{Encoding, EncodingChoice, TextFile};
use crate::text::{Grouped, Mark};
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
        let mut told: Vec<&Grouped> = Vec::new();
        for grouped in self.why().iter().filter_map(|why| why.grouped.as_ref()) {
            if told.contains(&grouped) {
                continue;
            }
            told.push(grouped);
            let names = self.named(|why| why.grouped.as_ref() == Some(grouped));
            let text = if grouped.is_text { "text, since " } else { "" };
            let said = self.placed(&grouped.said, grouped.row);
            notes.extend(names.map(|names| format!("{names}: {text}{said}")));
        }
        for (reason, what) in AS_JSON {
            let names = self.named(|why| why.as_json.contains(&reason));
            notes.extend(names.map(|names| format!("{names}: {what}; inspect --why tells more")));
        }
        notes
    }

    /// What is said of a row, which counts from the first of several sources, with its source and its number
    /// there.
    fn placed(&self, said: &str, row: Option<u64>) -> String {
        let place = match (&self.table, row) {
            (Table::Many(table), Some(row)) => table.place_of(row).map(|place| (row, place)),
            _ => None,
        };
        match place {
            Some((row, (source, own))) => {
                let there = format!("{}, record {}", source.display(), own + 1);
                said.replacen(&format!("record {}", row + 1), &there, 1)
            }
            None => said.to_owned(),
        }
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

impl Opened {
    /// Columns that are text by few fields or for want of a choice: their names, with what keeps each from
    /// another type. Of a text of which only a sample was looked at, its first chunk was seen whole, and of a
    /// record after that it is not known whether it is the first.
    pub fn missed(&self) -> Vec<(String, String)> {
        let seen = if self.can_retype() { CHUNK_ROWS } else { u64::MAX };
        let fields = self.table().schema().fields().iter().zip(self.why());
        let missed = fields.filter_map(|(field, why)| Some((field.name().clone(), why, why.missed?)));
        missed
            .map(|(name, why, row)| match row < seen {
                true => (name, self.placed(&why.said, Some(row))),
                false => (name, format!("a record after the first {CHUNK_ROWS} is unlike those before it")),
            })
            .collect()
    }
}

/// To which encoding a text came that was to be found out, and by what; and whether that is the usual one.
pub(super) fn on_encoding(table: &Table, choice: EncodingChoice) -> Option<(String, bool)> {
    let text: &TextFile = match table {
        Table::Csv { table, .. } => table.text(),
        Table::Json { table, .. } | Table::Certified { table, .. } => table.text(),
        Table::Binary(_) | Table::Many(_) | Table::Through(_) => return None,
    };
    let encoding = text.kind().encoding;
    let (why, is_usual) = match (text.not_utf8(), encoding) {
        (Some(found), _) => (format!("byte {}, in line {}, is no UTF-8", found.byte, found.line), false),
        (None, Encoding::Utf8) => ("all of the text is".to_owned(), true),
        (None, _) => ("its byte order mark says so".to_owned(), true),
    };
    (choice == EncodingChoice::Guess).then(|| (format!("encoding {}: {why}", encoding.name()), is_usual))
}

/// Columns that a note names.
const NAMED_MAX: usize = 5;
