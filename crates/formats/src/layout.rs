//! Provides how a source is laid out, in words: its format, and for text its wrapping, encoding and dialect.

use crate::csv::Dialect;
use crate::open::{Opened, Table};
use crate::spool::{Encoding, TextFile, Wrapping};
use crate::words::counted;

impl Opened {
    /// One line for each source.
    pub fn layout(&self) -> Vec<String> {
        let shown = self.file.path().display();
        let (format, records) = (self.format.name(), counted(self.records(), "record"));
        match &self.table {
            Table::Many(table) => table.layout(),
            Table::Through(passage) => passage.inner().layout(),
            Table::Binary(table) => {
                Vec::from([format!("{shown}: {format}, {}", counted(table.rows(), "row"))])
            }
            Table::Csv { table, .. } => {
                let (text, dialect) = (of_text(table.text()), of_dialect(table.dialect()));
                Vec::from([format!("{shown}: {format}, {text}, {dialect}, {records}")])
            }
            Table::Json { table, .. } | Table::Certified { table, .. } => {
                let text = of_text(table.text());
                Vec::from([format!("{shown}: {format}, {text}, {records}")])
            }
        }
    }
}

fn of_text(text: &TextFile) -> String {
    let encoding = match text.kind().encoding {
        Encoding::Utf8 => "UTF-8",
        Encoding::Utf16Le => "UTF-16LE",
        Encoding::Utf16Be => "UTF-16BE",
        Encoding::Latin1 => "ISO 8859-1",
        Encoding::Windows1252 => "Windows-1252",
    };
    let mark = if text.mark().is_empty() { "" } else { " with a byte order mark" };
    let wrapping = match text.kind().wrapping {
        Wrapping::Raw => String::new(),
        packed => format!(" in {}", packed.name()),
    };
    let place = if text.in_place() { "read in place" } else { "copied into a temporary" };
    format!("{encoding}{mark}{wrapping} ({place})")
}

fn of_dialect(dialect: &Dialect) -> String {
    let byte = |byte: u8| format!("{:?}", char::from(byte));
    let quote =
        dialect.quote.map_or_else(|| "no quotes".to_owned(), |quote| format!("quote {}", byte(quote)));
    let escape = dialect.escape.map_or_else(String::new, |escape| format!(", escape {}", byte(escape)));
    let header = if dialect.header { "a header" } else { "no header" };
    let columns = counted(dialect.names.len(), "column");
    format!("delimiter {}, {quote}{escape}, {header}, {columns}", byte(dialect.delimiter))
}
