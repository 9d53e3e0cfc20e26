//! Provides how sources are read, whether it was said, found or a default, for certificates. What an option
//! is about has its name and is told in its words, so that whoever gives it again reads the same.

use serde_json::{Map, Value, json};

use super::{OpenOptions, Opened, Table};
use crate::csv::{Dialect, LineEnding, Ragged};
use crate::registry::{Format, Wrapping};
use crate::spool::TextFile;
use crate::text::{DecimalMarks, NULL_WORDS};

impl Opened {
    /// How each source is read, in order; of arrays nothing.
    pub fn read_as(&self) -> Vec<Map<String, Value>> {
        match &self.table {
            Table::Many(table) => table.read_as(),
            Table::Through(passage) => passage.inner().read_as(),
            _ => Vec::from([self.read_as.clone()]),
        }
    }
}

/// How one source is read.
pub(super) fn of(
    (format, wrapping): (Format, Wrapping),
    options: &OpenOptions,
    marks_found: bool,
    table: &Table,
) -> Map<String, Value> {
    let mut map = match table {
        Table::Csv { table, by, .. } => {
            let mut map = characters(table.text());
            layout(table.dialect(), &mut map);
            if by.as_ref().is_none_or(|by| !by.tells_all()) {
                typing(options, marks_found, &mut map);
            }
            map
        }
        Table::Json { table, presence, .. } => {
            let mut map = characters(table.text());
            map.insert("presence".to_owned(), json!(presence));
            map
        }
        Table::Certified { table, .. } => characters(table.text()),
        Table::Binary(_) | Table::Many(_) | Table::Through(_) => Map::new(),
    };
    map.insert("from".to_owned(), json!(format.name()));
    if format.is_text() {
        let wrapping = if wrapping == Wrapping::Raw { "none" } else { wrapping.name() };
        map.insert("wrapping".to_owned(), json!(wrapping));
    }
    map
}

/// How bytes become characters.
fn characters(text: &TextFile) -> Map<String, Value> {
    Map::from_iter([
        ("encoding".to_owned(), json!(text.kind().encoding.name())),
        ("byteOrderMark".to_owned(), json!(!text.mark().is_empty())),
    ])
}

/// How characters become fields.
fn layout(dialect: &Dialect, map: &mut Map<String, Value>) {
    let byte = |byte: u8| match byte {
        b'\t' => "tab".to_owned(),
        other => char::from(other).to_string(),
    };
    let ending = match dialect.line_ending {
        LineEnding::Lf => "lf",
        LineEnding::CrLf => "crlf",
        LineEnding::Cr => "cr",
    };
    let comment = dialect.comment.as_ref().map(|mark| String::from_utf8_lossy(mark).into_owned());
    map.extend([
        ("comment".to_owned(), json!(comment)),
        ("delimiter".to_owned(), json!(byte(dialect.delimiter))),
        ("escape".to_owned(), json!(dialect.escape.map(byte))),
        ("header".to_owned(), json!(if dialect.header { "yes" } else { "no" })),
        ("lineEnding".to_owned(), json!(ending)),
        ("quote".to_owned(), json!(dialect.quote.map_or_else(|| "none".to_owned(), byte))),
        ("ragged".to_owned(), json!(dialect.ragged == Ragged::Pad)),
        ("skipLines".to_owned(), json!(dialect.skip_lines.to_string())),
    ]);
}

/// How fields become values, as far as it holds for all columns: the type map tells what each has become.
fn typing(options: &OpenOptions, marks_found: bool, map: &mut Map<String, Value>) {
    let all = &options.typing.all;
    let marks = if marks_found { DecimalMarks::Either } else { all.decimal_marks };
    let marks = match marks {
        DecimalMarks::Point => "point",
        DecimalMarks::Comma => "comma",
        DecimalMarks::Either => "point or comma",
    };
    // Any that are given replace the built-in ones.
    let nulls: Vec<&str> = match all.null_tokens.as_slice() {
        [] => std::iter::once("").chain(NULL_WORDS).collect(),
        given => given.iter().map(String::as_str).collect(),
    };
    map.extend([
        ("dates".to_owned(), json!(all.date_order.name())),
        ("decimalMarks".to_owned(), json!(marks)),
        ("nullTokens".to_owned(), json!(nulls)),
    ]);
}
