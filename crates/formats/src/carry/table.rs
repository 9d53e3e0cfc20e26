//! Provides the table *type × format* of `data/types.toml`, parsed once.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use arrow_schema::{DataType, Field, IntervalUnit, Schema, TimeUnit};
use serde::Deserialize;

use super::refused::{self, RENAME, Refusal, type_told};
use crate::error::{Error, Place, Result};

static TEXT: &str = include_str!("../../data/types.toml");

/// Which names a format takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Names {
    /// Every name, also twice.
    Any,
    /// `[A-Za-z_][A-Za-z0-9_]*`, each once; others are held as such.
    Identifier,
    /// Each once, those of the fields of structs too.
    Once,
    /// Each once, and none empty.
    Header,
}

impl Names {
    /// In words, for people.
    pub(super) fn told(self) -> &'static str {
        match self {
            Names::Any => "any, also twice",
            Names::Identifier => "identifiers, each once; others are held as such",
            Names::Once => "each once, of fields of structs too; refused: a name that comes again",
            Names::Header => "each once, none empty; refused: a name that comes again, no name",
        }
    }
}

/// One cell as the file spells it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Spelling {
    Word(String),
    Refused(Refused),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    refuse: String,
    option: String,
}

#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    beyond: Option<String>,
    #[serde(flatten)]
    cells: BTreeMap<String, Spelling>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FormatRow {
    names: Names,
    nul: bool,
}

/// What a format takes, whatever the type.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) names: Names,
    /// Whether text may hold a NUL.
    pub(super) nul: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    formats: toml::Table,
    types: Vec<Row>,
}

/// How one format carries one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// As the text of a field, under a typing that is kept with the target.
    Text,
    /// As it is.
    Direct,
    /// As this physical type, by a reversible mapping that is recorded.
    As(&'static str),
    /// Not at all.
    Refuse {
        /// What would be lost.
        loses: &'static str,
        /// What to do instead.
        option: &'static str,
    },
}

pub(super) use Support as Cell;

/// The parsed table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) formats: Vec<Column>,
    /// A type class, what is beyond the range of those that hold it as another, and a cell for each format.
    pub(super) rows: Vec<(String, Option<String>, Vec<Support>)>,
}

/// The table; parsing it fails only where the committed file is wrong, which a test finds.
pub(super) fn get() -> Result<&'static Table> {
    static TABLE: OnceLock<Result<Table, String>> = OnceLock::new();
    let table = TABLE.get_or_init(|| parse(TEXT));
    table.as_ref().map_err(|error| Error::Bug(format!("data/types.toml: {error}")))
}

fn parse(text: &str) -> Result<Table, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut formats = Vec::new();
    for (name, value) in file.formats {
        let row: FormatRow = value.try_into().map_err(|error: toml::de::Error| error.to_string())?;
        formats.push(Column { name, names: row.names, nul: row.nul });
    }
    let mut rows = Vec::new();
    for mut row in file.types {
        let mut cells = Vec::new();
        for Column { name: format, .. } in &formats {
            let spelling = row.cells.remove(format);
            let spelling = spelling.ok_or_else(|| format!("{} has no cell for {format}", row.name))?;
            cells.push(cell(spelling).ok_or_else(|| format!("{}, {format}: no such class", row.name))?);
        }
        if let Some((format, _)) = row.cells.pop_first() {
            return Err(format!("{} has a cell for {format}, which is no format", row.name));
        }
        rows.push((row.name, row.beyond, cells));
    }
    Ok(Table { formats, rows })
}

/// Strings are leaked once for the life of the process, so that cells can be handed out freely.
fn cell(spelling: Spelling) -> Option<Support> {
    let keep = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    match spelling {
        Spelling::Word(word) => match word.as_str() {
            "text" => Some(Support::Text),
            "direct" => Some(Support::Direct),
            _ => word.strip_prefix("as:").map(|held| Support::As(keep(held.to_owned()))),
        },
        Spelling::Refused(Refused { refuse, option }) => {
            Some(Support::Refuse { loses: keep(refuse), option: keep(option) })
        }
    }
}

impl Table {
    fn format(&self, format: &str) -> Result<usize> {
        self.formats.iter().position(|column| column.name == format).ok_or_else(|| {
            let known = self.formats.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
            Error::Misuse(format!("no format is called {format}; there are {known}"))
        })
    }

    pub(super) fn names(&self, format: &str) -> Result<Names> {
        Ok(self.formats[self.format(format)?].names)
    }

    /// How `format` carries the plain type `logical` itself; types inside it have cells of their own.
    pub(super) fn cell(&self, format: &str, logical: &DataType) -> Result<Cell> {
        let format = self.format(format)?;
        let class = class(logical).ok_or_else(|| {
            let what = format!("type {}", type_told(logical));
            let refusal =
                Refusal::new(&self.formats[format].name, what, "its kind", "cast it to a plain type");
            refusal.at(Place::default())
        })?;
        let row = self.rows.iter().find(|(name, _, _)| *name == class);
        let row = row.ok_or_else(|| Error::Bug(format!("data/types.toml has no row {class}")))?;
        Ok(row.2[format])
    }
}

/// The row of the table that a plain type belongs to.
pub(super) fn class(logical: &DataType) -> Option<String> {
    let word = match logical {
        DataType::Null => "null",
        DataType::Boolean => "bool",
        DataType::Int8 => "int8",
        DataType::Int16 => "int16",
        DataType::Int32 => "int32",
        DataType::Int64 => "int64",
        DataType::UInt8 => "uint8",
        DataType::UInt16 => "uint16",
        DataType::UInt32 => "uint32",
        DataType::UInt64 => "uint64",
        DataType::Float16 => "float16",
        DataType::Float32 => "float32",
        DataType::Float64 => "float64",
        DataType::Decimal128(_, scale) if *scale < 0 => "decimal128, negative scale",
        DataType::Decimal256(_, scale) if *scale < 0 => "decimal256, negative scale",
        DataType::Decimal128(..) => "decimal128",
        DataType::Decimal256(..) => "decimal256",
        DataType::Utf8 | DataType::LargeUtf8 => "utf8",
        DataType::Binary | DataType::LargeBinary => "binary",
        DataType::FixedSizeBinary(0) => "fixed_binary without bytes",
        DataType::FixedSizeBinary(_) => "fixed_binary",
        DataType::Date32 => "date32",
        DataType::Date64 => "date64",
        DataType::Time32(unit) => return Some(format!("time32[{}]", unit_name(*unit))),
        DataType::Time64(unit) => return Some(format!("time64[{}]", unit_name(*unit))),
        DataType::Timestamp(unit, zone) => {
            let unit = unit_name(*unit);
            return Some(match zone.as_deref() {
                None => format!("timestamp[{unit}]"),
                Some("UTC") => format!("timestamp[{unit}, UTC]"),
                Some(_) => format!("timestamp[{unit}, zone]"),
            });
        }
        DataType::Duration(unit) => return Some(format!("duration[{}]", unit_name(*unit))),
        DataType::Interval(IntervalUnit::YearMonth) => "interval[year_month]",
        DataType::Interval(IntervalUnit::DayTime) => "interval[day_time]",
        DataType::Interval(IntervalUnit::MonthDayNano) => "interval[month_day_nano]",
        DataType::List(_) | DataType::LargeList(_) => "list",
        DataType::FixedSizeList(..) => "fixed_list",
        DataType::Struct(fields) if fields.is_empty() => "struct without fields",
        DataType::Struct(_) => "struct",
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair)
                if matches!(pair.first()?.data_type(), DataType::Utf8 | DataType::LargeUtf8) =>
            {
                "map"
            }
            _ => "map with keys other than text",
        },
        DataType::Union(..) => "union",
        _ => return None,
    };
    Some(word.to_owned())
}

/// The short name of a unit.
pub(super) fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

/// The formats of the table, in its order.
pub fn formats() -> Result<Vec<&'static str>> {
    Ok(get()?.formats.iter().map(|column| column.name.as_str()).collect())
}

/// The type classes of the table, in its order.
pub fn types() -> Result<Vec<&'static str>> {
    Ok(get()?.rows.iter().map(|(name, _, _)| name.as_str()).collect())
}

/// How `format` carries the type class of this name, as [`types`] lists them.
pub fn support_of(format: &str, class: &str) -> Result<Support> {
    let table = get()?;
    let column = table.formats.iter().position(|column| column.name == format);
    let row = table.rows.iter().find(|(name, _, _)| name == class);
    let cell = column.and_then(|column| row.and_then(|(_, _, cells)| cells.get(column)));
    cell.copied()
        .ok_or_else(|| Error::Misuse(format!("the table of types has no cell {class:?}, {format:?}")))
}

/// Fails where `format` does not take the names of these columns: text is read by them, so of two equal ones
/// the second would come back under another.
///
/// # Errors
/// [`Error::Unsupported`] with each column and what to do.
pub fn check_names(format: &str, schema: &Schema) -> Result<()> {
    let names = get()?.names(format)?;
    if !matches!(names, Names::Once | Names::Header) {
        return Ok(());
    }
    let place = |field: &Field| Place::default().column(field.name());
    let (mut seen, mut refused) = (HashSet::new(), Vec::new());
    for field in schema.fields() {
        let nameless = names == Names::Header && field.name().is_empty();
        let with_nul = names == Names::Header && field.name().contains('\0');
        let (told, loses) = match () {
            () if !seen.insert(field.name().as_str()) => {
                ("second column of its name", "which of them is meant")
            }
            () if nameless => ("column without a name", "what readers find it by"),
            () if with_nul => ("name with a NUL character", "the rest of the name for most readers"),
            () => {
                let twice = (names == Names::Once).then(|| field_twice(field.data_type())).flatten();
                refused.extend(twice.map(|inner| refused::twice(format, inner).at(place(field))));
                continue;
            }
        };
        let what = format!("a {told} (type {})", type_told(field.data_type()));
        refused.push(Refusal::new(format, what, loses, RENAME).at(place(field)));
    }
    if refused.is_empty() { Ok(()) } else { Err(Error::together(refused, Vec::new())) }
}

/// A field of a struct in this type that has the name of one before it.
fn field_twice(data_type: &DataType) -> Option<&Field> {
    use DataType::{FixedSizeList, LargeList, List, Map, Struct};
    match data_type {
        Struct(fields) => {
            let mut seen = HashSet::new();
            let again = fields.iter().find(|field| !seen.insert(field.name().as_str()));
            again
                .map(AsRef::as_ref)
                .or_else(|| fields.iter().find_map(|field| field_twice(field.data_type())))
        }
        List(item) | LargeList(item) | FixedSizeList(item, _) | Map(item, _) => field_twice(item.data_type()),
        _ => None,
    }
}

/// Which names of columns `format` takes, in words.
pub fn names_told(format: &str) -> Result<&'static str> {
    Ok(get()?.names(format)?.told())
}

/// Whether text may hold a NUL in `format`.
pub fn takes_nul(format: &str) -> Result<bool> {
    let table = get()?;
    Ok(table.formats[table.format(format)?].nul)
}
