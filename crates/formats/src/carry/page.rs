//! Provides the page `docs/types.md`, made from the table of types. A test compares the two.

use std::fmt::Write as _;

use super::table::{self, Column, Support};
use crate::error::Result;

/// The page `docs/types.md`.
pub(super) fn markdown() -> Result<String> {
    let table = table::get()?;
    let mut page = String::from(HEAD);
    let mut notes = Vec::new();
    let names: Vec<&str> = table.formats.iter().map(|column| column.name.as_str()).collect();
    let _ = writeln!(page, "| type | {} |", names.join(" | "));
    let _ = writeln!(page, "|---|{}", "---|".repeat(names.len()));
    for (name, beyond, cells) in &table.rows {
        let mark = match beyond {
            Some(beyond) => {
                notes.push(beyond.as_str());
                let first = notes.iter().position(|note| note == beyond).unwrap_or(0);
                notes.dedup();
                format!(" ({})", first + 1)
            }
            None => String::new(),
        };
        let _ = write!(page, "| {name} |");
        for cell in cells {
            let _ = match cell {
                Support::Text => write!(page, " text |"),
                Support::Direct => write!(page, " direct |"),
                Support::As(held) => write!(page, " as `{held}`{mark} |"),
                Support::Refuse { loses, option } => write!(page, " refused: loses {loses}; {option} |"),
            };
        }
        page.push('\n');
    }
    page.push('\n');
    for (index, note) in notes.iter().enumerate() {
        let _ = writeln!(page, "({}) Beyond the range, and refused with its column: {note}.", index + 1);
    }
    page.push_str("\n| format | names of columns | text with a NUL |\n|---|---|---|\n");
    for Column { name, names, nul } in &table.formats {
        let nul = if *nul { "direct" } else { "refused; write another format" };
        let _ = writeln!(page, "| {name} | {} | {nul} |", names.told());
    }
    page.push_str(TAIL);
    Ok(page)
}

const HEAD: &str = "# Types and formats

Made from `crates/formats/data/types.toml`, the table that the program itself runs on.

- *text*: the field's text, under a typing that gives back the value and is kept with the target.
- *direct*: the format has the type; logical type and every value come back as they were.
- *as*: held under another type by a reversible mapping. The target's metadata (key `isoform.types`) says
  which logical type was meant, so that reading it gives the type back; other readers see the type named
  here.
- *refused*: would lose something; the cell says what, and what to do instead.

Dictionaries, views and runs are ways to hold values, not types: they become the plain type of their values.
So is the width of a decimal: it has 128 bits up to 38 digits and 256 above, and as many digits as stand
after its point. Where a dictionary says that its categories have an order, the order, and categories without
rows, are not kept, and a note says so.

";

const TAIL: &str = "
Avro takes only names of letters, digits and `_` that do not begin with a digit, each once in a record. A
column with another name is written as `c<index>_<name without the rest>`; its own name is in `isoform.types`
and comes back on reading.

## UUIDs and JSON

That 16 bytes are a UUID, or that a text is JSON, is said beside the type. It is no part of the content, and
kept where a format has a word for it; a note names the columns where it has none.

| format | a UUID | JSON |
|---|---|---|
| parquet | the logical type `UUID` | the logical type `JSON` |
| arrow, arrow-stream | the extension `arrow.uuid` | the extension `arrow.json` |
| avro | the logical type `uuid` of 16 fixed bytes | not said |
| csv, tsv, jsonl | digits with hyphens | not said |

In text a UUID is `82358803-ec46-4c5e-b67c-2234a2d38e66`. Beside its certificate it is a UUID again, and
`--type u=uuid` reads those of other delimited text, in lower case. The logical type `uuid` of a string in
Avro is text, and not kept. Of several sources, a column says what all of them say that have it.

Other extension types of Arrow are entries of their columns: Parquet and Arrow keep them as they are.

## Delimiter and header of CSV

Both are found by the first 256 KiB, or by more where these hold fewer than ten records: up to 16 MiB, or up
to the end of the first record, which has at most 64 MiB. `--delimiter` and `--header` overrule what is found,
and a note says what was found, and why. Where that is plain (the delimiter of the
ending and no other, names above a column of values), only `-v`, `plan`, `inspect` and `--json` say it.

- The **delimiter** is the one of comma, tab, semicolon and bar under which each of these records has the same
  number of fields. Where another one was given and one of these fits instead, a note says so.
- A **first line `sep=;`**, by which Excel is told the delimiter, is left out as by `--skip-lines 1`, with a
  note. The character after `sep=` is the delimiter, unless `--delimiter` names another. It is one of ASCII
  and no letter, no digit and not the quote in effect, which `--quote` says; other lines are records. Where
  `--skip-lines` is given, the line is one of those that it skips, or with 0 a record. It is one too where
  `--delimiter` or a media type says that `=` delimits.
- The first record is **no header** if a field of it is a number, date, time or truth value, also where it is
  the only record, unless it is quoted above fields that are not, as names of our own are that read as values;
  or if all its fields are empty; or if one is a date or time with words in it and so are all
  below it. It is one if there is no other record, or if a column below it holds only such values. Else it is
  none if an empty field stands after its first one, or one of its fields comes again in its column.
- A header that is written is found again, save where a name comes again in its column and no column holds
  only values. It is written before the rows are known, and to quote the names of every table of text would
  change headers that come from CSV. A note says so; `--header yes` reads it, and `compare` and `verify` do.
- **Empty lines** are no records but in a table of one column; a note counts them.
- **Lines above the table** are not left out unasked: `--comment '#'` leaves out those that begin with `#`,
  `--skip-lines N` the first N. Where the first records have fewer fields than those after them, the note and
  the error say which option to use.
- **Short records** are errors unless `--ragged` is given, which fills them with null. A column of which a
  record lacks the field is VALUE-EXACT: the record would come back with an empty field there.

## Text beside its style

A column of text has one style, which with its type gives back every field. What does not fit is kept in the
last two ways:

- **Layouts of floating-point numbers.** The shortest digits that read back, with an exponent where Python,
  ECMAScript, Rust, Java, R or .NET write one, or never, or always, as Rust's `{:e}` does (`1e5`); or a fixed
  number of digits and always an exponent, as C's `%.6e` and `numpy.savetxt` do. `.0` after integral numbers,
  the decimal mark, a zero before it and the words for NaN and infinity are one each in a column. (JSON Lines
  knows the layouts of Python, ECMAScript, Rust and Java, and never.)
- **Decimal marks.** Where a semicolon delimits, numbers may have commas, and a note names those that do;
  elsewhere they have points. `--decimal-comma`, or `--decimal-comma=false`, says which it is for all columns.
  Where that is not said, points before three digits are no decimal marks if another column shows that points
  separate thousands. Numbers with groups show it (`12.345,50`, `1.234.567`), and those with a comma that must
  be a decimal mark (`2,5`, `1 234,50`), also with white space, a sign or a unit beside them (`2,50 EUR`,
  `10,5%`). A column of which every point stands so stays text then; so does one with commas beside
  `12,345.50`, `1,234,567` or `2.5`; and of two columns `1.234` and `1,234` both do. A note names the column
  and the record that show it, and the `--type` that reads the numbers. One number among remarks decides
  nothing: a column shows it if for each such number it has at most nine fields that are other texts or
  numbers with the other mark; plain integers do not count, and nor do `1.234` and `1,234`. Below that the
  numbers stay numbers, with a note. Where it has a list or a version (`1,2,3`, `1.2.3`) for fewer than 100
  numbers, only those with both marks show it. Where a semicolon delimits and no number tells, points before
  three digits are decimal marks, with a note. All rows are asked, wherever they are. Numbers with separators
  of thousands are text themselves.
- **Times of day** have seconds in all fields of a column or in none (`10:00`). They count 24 hours, or twice
  twelve: `9:05 PM`, also without the space, with `pm` or with `09`, one way in a column.
- **Dates** have a year of four digits; one of two, whose century would be a guess, stays text. They are
  numbers with hyphens, slashes or points, the year first or last (with points, the day then stands first);
  or the month has its English name, whole or its first three letters, `Jan` or `JAN`: `Jan 5 2024`,
  `Jan 5, 2024`, `5 Jan 2024`, `5-Jan-2024`. Days and months of one digit have a zero before them in all
  fields of a column or in none (`1/5/2024`), and so have the hours of a time after the date:
  `1/5/2024 9:05`, `1/5/2024 3:45 PM`. Three numbers alone of which none is padded are a date from 1600 to
  2299, and of the years 1 and 9999; others are more likely a version, as `6.1.7601`. With points behind the
  year that goes for padded ones too, and those that are not padded stay text without a time behind them
  (`2024.1.5`).
- **The order of day and month** before the year is told by a field that fits only one, or by `--dates`, or
  by a file of types that `inspect --json` printed: the columns in it keep the order that they had. A field
  with the other order does not fit then. Without any of these a column that fits both stays
  text, and a note says so.
- **Patterns that are given.** `--type 'when=timestamp:%d.%m.%Y %H:%M'` gives a column of delimited text the
  type `timestamp`, behind the colon with a pattern in terms of `strftime`; `date` and `time` take one too,
  and a file of types does (`when = 'date:%d/%b/%y'`). The directives: `%Y` `%y` `%m` `%-m` `%b` `%^b` `%B`
  `%^B` `%d` `%-d` `%a` `%A` `%H` `%-H` `%I` `%-I` `%M` `%S` `%f` (six digits; `%3f` `%6f` `%9f`) `%p` (`PM`)
  `%P` (`pm`) `%F` `%D` `%T` `%R` `%%`; others are refused. Names are English; `%y` is of 1969 to 2068, as in
  POSIX; with the type `timestamp[us, UTC]` the texts are in UTC. A pattern has no `=`. A column whose every
  field is as the pattern writes it comes back (EXACT). If numbers are not padded, or letters have other
  capitals (`1.2.2024` under `%d.%m.%Y`), only the values do (VALUE-EXACT). A field that is neither is an
  error with its place.
- **Exceptions.** Numbers and truth values that differ from the style in trailing zeros, exponents or capitals
  are kept with their row, at most 1,000 a column. In delimited text they must be rare: one, and one more for
  every 100 rows from the top, since only the other fields say that the column holds numbers (`1.10` may be a
  version). In JSON the value says it, and they may stand anywhere; so `1.0` and `2` are a float64 column,
  whichever comes first. What a double does not hold is no exception, and neither are leading zeros, plus
  signs and numbers in JSON arrays.
- **Text by few fields.** A note names columns of delimited text that are text although 20 rows before
  the first field that speaks against it have another type, and those where an option decides: both orders of
  day and month, years of two digits, a decimal comma, a second spelling of null. It names the record and the
  option; `inspect --why` does it for any column.
- **Values of several kinds** in a column of JSON Lines, such as strings in some records and numbers in
  others, are kept as JSON text: a string then has its quotes in it. So are objects of more than 4,096 keys
  and numbers beyond every type. A note names such columns, and `inspect --why` the records.
- **Spellings of null.** Text says null in one way: the empty field, or one word such as `NA` beside values of
  another type. `--null WORD` names the word instead, for columns of text too; given several times, all of
  these words are null. The fields with a rarer one are exceptions, at most 1,000 a column with those above;
  beyond that they are null as well, and which word it was is lost (VALUE-EXACT). Quoted fields are values.

Parquet, Arrow and Avro keep the style in their metadata, and text has no place for it: it is in its
certificate. Where that lies beside the text, or beside a partitioned directory of text, is about its
bytes and is signed by the key that signs here, it tells types and styles; `--no-certified-types` finds them
by the values. Styles that cannot be written in a target, or do not give back the values, are not
used there, and a note says so; another names words for null that metadata or a certificate alone tell,
unless they are usual ones.
";
