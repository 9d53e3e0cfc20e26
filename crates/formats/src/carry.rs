//! Provides [`Carrier`]: how a logical schema is held by a format that lacks some of its types or names,
//! and the way back. What each format can carry is a table of data (`data/types.toml`), not code.
//!
//! A carrier changes types and names only; it never changes which values a column has.

mod carried;
mod recast;
mod record;
mod refused;
mod table;

#[cfg(test)]
mod page;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use crate::annotation::{self, Annotation};
use crate::error::{Error, Place, Result};
pub use carried::{CarriedEncoder, CarriedSource};
use recast::recast;
use table::{Cell, Names};

pub(crate) use record::nested_json;
pub(crate) use refused::{NOT_AS_TEXT, Refusal, refuse_unions, twice, type_told, union};
pub use table::{Support, check_names, formats, names_told, support_of, takes_nul, types};

/// Key of a target's metadata under which [`Carrier::record`] is kept.
pub const RECORD_KEY: &str = "isoform.types";

/// A logical schema, the physical schema that holds it in one format, and the way between the two.
#[derive(Debug, Clone)]
pub struct Carrier {
    logical: SchemaRef,
    physical: SchemaRef,
    /// Whether each column is held under another type or name.
    mapped: Vec<bool>,
}

impl Carrier {
    /// How `format` (a name of [`formats`]) holds a table of the plain schema `logical`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the table of types refuses, with the column, what would be lost and the
    /// option; [`Error::Misuse`] for a format that is not in the table.
    pub fn plan(format: &str, logical: &SchemaRef) -> Result<Self> {
        let table = table::get()?;
        let names = table.names(format)?;
        let chosen = physical_names(logical.fields(), names);
        let mut fields = Vec::with_capacity(logical.fields().len());
        let mut mapped = Vec::with_capacity(logical.fields().len());
        for (field, name) in logical.fields().iter().zip(chosen) {
            let planner = Planner { table, format, names, column: field.name() };
            let data_type = planner.physical(field.data_type())?;
            let changed = data_type != *field.data_type() || name != *field.name();
            mapped.push(changed);
            // What a format of identifiers says of its fields is its own; foreign notes would be misread.
            let held = Field::new(name, data_type, field.is_nullable());
            let field = match names {
                Names::Identifier if annotation::is_uuid(field) => Annotation::Uuid.tell(held),
                Names::Identifier => held,
                _ => held.with_metadata(field.metadata().clone()),
            };
            fields.push(Arc::new(field));
        }
        let physical = Arc::new(Schema::new_with_metadata(fields, logical.metadata().clone()));
        Ok(Carrier { logical: logical.clone(), physical, mapped })
    }

    /// The carrier that a writer recorded, for a target whose schema was read as `physical`.
    ///
    /// # Errors
    /// A record that is not in the shape this library writes, or that does not describe `physical`.
    pub fn restore(physical: &SchemaRef, record: &str) -> Result<Self> {
        let columns = record::parse(record).map_err(bad_record)?;
        let mut fields: Vec<FieldRef> = physical.fields().iter().cloned().collect();
        let mut mapped = vec![false; fields.len()];
        for (index, field) in columns {
            let held = physical.fields().get(index).ok_or_else(|| {
                bad_record(format!(
                    "it names column {index}, but there are {} columns",
                    physical.fields().len()
                ))
            })?;
            recast(&new_empty_array(held.data_type()), field.data_type())
                .map_err(|unfit| bad_record(format!("column {index} ({:?}): {unfit}", held.name())))?;
            mapped[index] = true;
            fields[index] = annotated(&Arc::new(field), held);
        }
        let logical = Arc::new(Schema::new_with_metadata(fields, physical.metadata().clone()));
        Ok(Carrier { logical, physical: physical.clone(), mapped })
    }

    /// The schema of the content.
    pub fn logical(&self) -> &SchemaRef {
        &self.logical
    }

    /// The schema of what the format holds.
    pub fn physical(&self) -> &SchemaRef {
        &self.physical
    }

    /// Whether the format holds every column as it is.
    pub fn is_direct(&self) -> bool {
        !self.mapped.contains(&true)
    }

    /// What a reader needs to restore the logical schema: JSON for the key [`RECORD_KEY`] of the target's
    /// metadata. None where nothing is mapped.
    pub fn record(&self) -> Option<String> {
        if self.is_direct() {
            return None;
        }
        let columns = self.logical.fields().iter().enumerate().filter(|(index, _)| self.mapped[*index]);
        Some(record::write(columns))
    }

    /// Each mapped column: its name, its logical type and the physical type that holds it.
    pub fn mappings(&self) -> impl Iterator<Item = (&str, &DataType, &DataType)> {
        let pairs = self.logical.fields().iter().zip(self.physical.fields()).zip(&self.mapped);
        pairs.filter(|(_, mapped)| **mapped).map(|((logical, physical), _)| {
            (logical.name().as_str(), logical.data_type(), physical.data_type())
        })
    }

    /// The rows as the format holds them.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a value beyond the range of its mapping, where the table of types says so.
    pub fn to_physical(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        moved(batch, &self.physical, |array, held, unfit| {
            let what = format!("a value beyond the type that is to hold it ({unfit})");
            let instead =
                "write another format (arrow has the type itself), or cast the column to int64 in the source";
            Refusal::new("the target", what, "the value", instead).at(unfit_row(array, held))
        })
    }

    /// The rows as they were before [`Carrier::to_physical`]. Offset widths may differ from the physical
    /// schema.
    ///
    /// # Errors
    /// Values that no mapping could have produced.
    pub fn from_physical(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        moved(batch, &self.logical, |_, _, unfit| Error::malformed("recorded type", Place::default(), unfit))
    }
}

fn bad_record(what: impl Into<String>) -> Error {
    Error::malformed("record of types (isoform.types)", Place::default(), what)
}

fn moved(
    batch: &RecordBatch,
    schema: &SchemaRef,
    blame: impl Fn(&ArrayRef, &DataType, String) -> Error,
) -> Result<RecordBatch> {
    if batch.num_columns() != schema.fields().len() {
        let (have, want) = (batch.num_columns(), schema.fields().len());
        return Err(Error::Bug(format!("a batch of {have} columns for a schema of {want}")));
    }
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for ((array, field), named) in
        batch.columns().iter().zip(schema.fields()).zip(batch.schema_ref().fields())
    {
        let blamed = |unfit| blame(array, field.data_type(), unfit).in_column(named.name());
        columns.push(recast(array, field.data_type()).map_err(blamed)?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .map_err(|error| Error::malformed("table", Place::default(), error.to_string()))
}

/// The first row of a batch, counted from 1, whose value has no place in the type that is to hold it.
fn unfit_row(array: &ArrayRef, held: &DataType) -> Place {
    let unfit = (0..array.len()).find(|row| recast(&array.slice(*row, 1), held).is_err());
    unfit.map_or_else(Place::default, |row| Place::at_row(row as u64 + 1))
}

/// The physical types of one column.
struct Planner<'a> {
    table: &'a table::Table,
    format: &'a str,
    names: Names,
    column: &'a str,
}

impl Planner<'_> {
    fn physical(&self, logical: &DataType) -> Result<DataType> {
        match self.table.cell(self.format, logical)? {
            Cell::Text => Ok(logical.clone()),
            Cell::Direct => self.inside(logical),
            Cell::As(held) => self.held(logical, held),
            Cell::Refuse { loses, option } => {
                let what = format!("type {}", type_told(logical));
                let refusal = Refusal::new(self.format, what, loses, option);
                Err(refusal.at(Place::default().column(self.column)))
            }
        }
    }

    /// The same type with the types inside it mapped.
    fn inside(&self, logical: &DataType) -> Result<DataType> {
        Ok(match logical {
            DataType::List(item) => DataType::List(self.field(item)?),
            DataType::LargeList(item) => DataType::LargeList(self.field(item)?),
            DataType::FixedSizeList(item, size) => DataType::FixedSizeList(self.field(item)?, *size),
            DataType::Struct(fields) => DataType::Struct(self.fields(fields)?),
            DataType::Map(entries, sorted) => {
                let DataType::Struct(pair) = entries.data_type() else {
                    return Err(Error::Bug(format!("a map whose entries are {}", entries.data_type())));
                };
                let pair = DataType::Struct(self.fields(pair)?);
                DataType::Map(Arc::new(entries.as_ref().clone().with_data_type(pair)), *sorted)
            }
            other => other.clone(),
        })
    }

    fn held(&self, logical: &DataType, held: &str) -> Result<DataType> {
        match (held, logical) {
            ("list", DataType::FixedSizeList(item, _)) => Ok(DataType::List(self.field(item)?)),
            ("list<struct>", DataType::Map(entries, _)) => {
                let DataType::Struct(pair) = entries.data_type() else {
                    return Err(Error::Bug(format!("a map whose entries are {}", entries.data_type())));
                };
                let pair = DataType::Struct(self.fields(pair)?);
                Ok(DataType::List(Arc::new(Field::new("item", pair, false))))
            }
            _ => record::parse_scalar(held).ok_or_else(|| {
                Error::Bug(format!("data/types.toml holds {logical} as {held}, which is no type"))
            }),
        }
    }

    fn field(&self, field: &FieldRef) -> Result<FieldRef> {
        let data_type = self.physical(field.data_type())?;
        Ok(Arc::new(field.as_ref().clone().with_data_type(data_type)))
    }

    fn fields(&self, fields: &Fields) -> Result<Fields> {
        let names = physical_names(fields, self.names);
        let fields = fields
            .iter()
            .zip(names)
            .map(|(field, name)| Ok(Arc::new(self.field(field)?.as_ref().clone().with_name(name))));
        fields.collect()
    }
}

/// The field with the metadata of the one that holds it; those in it likewise, as far as they match one to
/// one. A record holds types alone.
fn annotated(logical: &FieldRef, held: &FieldRef) -> FieldRef {
    use DataType::{FixedSizeList, LargeList, List, Map, Struct};
    let data_type = match (logical.data_type(), held.data_type()) {
        (List(item), List(holder)) => List(annotated(item, holder)),
        (LargeList(item), LargeList(holder)) => LargeList(annotated(item, holder)),
        (FixedSizeList(item, size), FixedSizeList(holder, _) | List(holder)) => {
            FixedSizeList(annotated(item, holder), *size)
        }
        (Map(entries, sorted), Map(holder, _) | List(holder)) => Map(annotated(entries, holder), *sorted),
        (Struct(fields), Struct(holders)) if fields.len() == holders.len() => {
            Struct(fields.iter().zip(holders).map(|(field, holder)| annotated(field, holder)).collect())
        }
        (other, _) => other.clone(),
    };
    let field = logical.as_ref().clone().with_data_type(data_type);
    Arc::new(field.with_metadata(held.metadata().clone()))
}

/// Names that the format takes: the same ones where it can, otherwise `c<index>_<what can be kept>`.
fn physical_names(fields: &Fields, names: Names) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut chosen: Vec<Option<String>> = Vec::with_capacity(fields.len());
    for field in fields {
        let free = names != Names::Identifier;
        let keep = free || is_identifier(field.name());
        let first = keep && (taken.insert(field.name().clone()) || free);
        chosen.push(first.then(|| field.name().clone()));
    }
    let made = chosen.into_iter().enumerate().map(|(index, name)| {
        name.unwrap_or_else(|| {
            let keep = fields[index].name().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_');
            let mut name = format!("c{index}_{}", keep.take(64).collect::<String>());
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            name
        })
    });
    made.collect()
}

fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
