//! Tables in partitions: one directory for the rows that share the values of some columns, whose values are
//! told by the directories' names and are not in the files.
//!
//! A table is partitioned stably: the rows of a partition keep the order that they had in the source. First
//! [`group()`] cuts a part of the source into the rows of each partition, which are kept in temporaries,
//! since a partition may have rows anywhere. Then each partition is a table of its own: [`KeyedEncoder`]
//! writes it without the columns that its path tells, and [`KeyedSource`] reads it with them. Whoever reads
//! such files later, together, finds the columns by [`path_columns`].

mod group;
mod hive;
mod keyed;
mod places;
mod told;

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Schema, SchemaRef};
use serde_json::Value;

use crate::error::{Error, Place, Result};
use crate::limits::NAME_BYTES_MAX;
use crate::text::{ColumnTyping, Form, shown_type};
use crate::words::instead_of;
pub use group::{Group, group, open_rows, paths, rows_encoder};
pub use keyed::{KeyedEncoder, KeyedSource, keyed_encoder, keyed_source};
pub use places::Places;
pub use told::{PathColumn, path_columns, tell_alike, told_keys};
pub(crate) use told::{one_row, values_of};

/// One of the columns that a table is partitioned by.
#[derive(Debug, Clone)]
struct Key {
    /// Its index in the table.
    column: usize,
    name: String,
    /// Its type, and how values are spelled in names.
    typing: ColumnTyping,
}

/// The columns that a table is partitioned by.
#[derive(Debug, Clone)]
pub struct Partitioning {
    /// Columns of the table.
    width: usize,
    /// In the order of the directories.
    keys: Vec<Key>,
}

impl Partitioning {
    /// A table of this plain schema, partitioned by the columns of these names, outermost first.
    ///
    /// # Errors
    /// A name that is empty or given twice, or that no column, or more than one, has; a type whose values are
    /// no good names; no column that is left for the files.
    pub fn new(schema: &Schema, names: &[String]) -> Result<Self> {
        let mut keys: Vec<Key> = Vec::with_capacity(names.len());
        for name in names {
            let refused = |what: &str| Error::Misuse(format!("--partition-by {name}: {what}"));
            if name.is_empty() {
                return Err(refused("a column without a name names no directory"));
            }
            let mut found = schema.fields().iter().enumerate().filter(|(_, field)| field.name() == name);
            let (column, field) = found.next().ok_or_else(|| {
                let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                refused(&format!("the source has no such column; {}", instead_of(name, &names)))
            })?;
            if found.next().is_some() {
                return Err(refused("the source has several columns of this name"));
            }
            if keys.iter().any(|key| key.column == column) {
                return Err(refused("the column is given twice"));
            }
            let typing = ColumnTyping::default_of(field)?;
            if !names_well(&typing) {
                let ty = shown_type(field.data_type());
                let what = format!("values of type {ty} make no names of directories");
                let hint = "partition by text, integers, decimals, booleans, dates, times, timestamps or \
                            UUIDs";
                return Err(Error::unsupported(Place::default().column(name), what, hint));
            }
            keys.push(Key { column, name: name.clone(), typing });
        }
        if keys.len() == schema.fields().len() {
            let what = "--partition-by: every column would be in the names of directories, and none in files";
            return Err(Error::Misuse(what.into()));
        }
        Ok(Partitioning { width: schema.fields().len(), keys })
    }

    /// The partitioning that a certificate records: the names of all columns, the names of those in the order
    /// of directories, and for each of those the record that [`Partitioning::record`] gave.
    ///
    /// # Errors
    /// A name that no column has, or a record that is none.
    pub fn recorded(all: &[String], names: &[String], records: &[Value]) -> Result<Self> {
        let wrong = || Error::Misuse("the recorded partitioning does not fit the recorded columns".into());
        let mut keys = Vec::with_capacity(names.len());
        for (name, record) in names.iter().zip(records) {
            let column = all.iter().position(|known| known == name).ok_or_else(wrong)?;
            keys.push(Key { column, name: name.clone(), typing: ColumnTyping::from_json(record)? });
        }
        Ok(Partitioning { width: all.len(), keys })
    }

    /// Indices of the partitioning columns, in the order of directories.
    pub fn columns(&self) -> Vec<usize> {
        self.keys.iter().map(|key| key.column).collect()
    }

    /// Names of the partitioning columns, in the order of directories.
    pub fn names(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.name.clone()).collect()
    }

    /// How the values of the partitioning column `at` are spelled, for a certificate.
    ///
    /// # Errors
    /// A style that has no record.
    pub fn record(&self, at: usize) -> Result<Value> {
        let key = self.keys.get(at).ok_or_else(|| Error::Bug("no such partitioning column".into()))?;
        key.typing.to_json()
    }

    /// Indices of the columns that are in the files, in their order.
    pub fn rest(&self) -> Vec<usize> {
        (0..self.width).filter(|column| !self.keys.iter().any(|key| key.column == *column)).collect()
    }

    /// The schema of the files.
    ///
    /// # Errors
    /// A schema of another table.
    pub fn rest_schema(&self, schema: &Schema) -> Result<SchemaRef> {
        let rest = schema.project(&self.rest()).map_err(|error| Error::Bug(error.to_string()))?;
        Ok(Arc::new(rest))
    }

    /// The path of the rows with these values, where `None` is null.
    ///
    /// # Errors
    /// A value that reads as the name of null; a name that is too long for file systems.
    fn path(&self, values: &[Option<&[u8]>]) -> Result<String> {
        let mut path = String::new();
        for (key, value) in self.keys.iter().zip(values) {
            if !path.is_empty() {
                path.push('/');
            }
            let start = path.len();
            hive::encode_name(&key.name, &mut path);
            path.push('=');
            let place = || Place::default().column(&key.name);
            match value {
                None => path.push_str(hive::NULL_NAME),
                Some(value) if *value == hive::NULL_NAME.as_bytes() => {
                    let what = format!("the value {} names the directory of nulls", hive::NULL_NAME);
                    return Err(Error::unsupported(place(), what, "partition by another column"));
                }
                Some(value) => hive::encode(value, &mut path),
            }
            if path.len() - start > NAME_BYTES_MAX {
                return Err(Error::Limit {
                    place: Box::new(place()),
                    what: "bytes in the name of a directory",
                    max: NAME_BYTES_MAX as u64,
                    hint: "partition by a column of shorter values".into(),
                });
            }
        }
        Ok(path)
    }

    /// The values that a path tells: one array of one row for each partitioning column.
    ///
    /// # Errors
    /// A path that this partitioning does not make.
    fn values(&self, path: &str) -> Result<Vec<ArrayRef>> {
        let wrong = |what: &str| Error::malformed("partition", Place::default(), format!("{path}: {what}"));
        let segments: Vec<&str> = path.split('/').collect();
        if segments.len() != self.keys.len() {
            return Err(wrong("it has not one directory for each column"));
        }
        let mut values = Vec::with_capacity(segments.len());
        for (key, segment) in self.keys.iter().zip(segments) {
            let mut name = String::new();
            hive::encode_name(&key.name, &mut name);
            let text = segment.strip_prefix(&name).and_then(|rest| rest.strip_prefix('='));
            let text = text.ok_or_else(|| wrong("a directory is not named after its column"))?;
            let bytes = hive::decode(text.as_bytes())
                .ok_or_else(|| wrong("a percent sign is not followed by digits"))?;
            let value = (text != hive::NULL_NAME).then_some(bytes.as_slice());
            let unfit = || wrong("a directory's name is no value of its column's type");
            values.push(one_row(value, &key.typing)?.ok_or_else(unfit)?);
        }
        Ok(values)
    }

    /// The fields of the whole table, given those of a file.
    fn whole(&self, rest: &Schema) -> Result<SchemaRef> {
        if rest.fields().len() + self.keys.len() != self.width {
            let what = "a file has another number of columns than its table";
            return Err(Error::malformed("partition", Place::default(), what));
        }
        let mut inside = rest.fields().iter();
        let mut fields = Vec::with_capacity(self.width);
        for column in 0..self.width {
            match self.keys.iter().find(|key| key.column == column) {
                Some(key) => {
                    fields.push(Arc::new(key.typing.field(&key.name)));
                }
                None => fields.extend(inside.next().cloned()),
            }
        }
        Ok(Arc::new(Schema::new(fields)))
    }
}

/// Whether a type is text.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8)
}

/// Whether each value of a type has one text, and equal values have equal ones. Floating point is not here:
/// it has values that differ in their payload only, and names that no reader takes for the same number.
fn names_well(typing: &ColumnTyping) -> bool {
    let data_type = &typing.data_type;
    is_text(data_type)
        || typing.style.form == Form::Uuid
        || data_type.is_integer()
        || data_type.is_decimal()
        || matches!(
            data_type,
            DataType::Boolean
                | DataType::Date32
                | DataType::Date64
                | DataType::Time32(_)
                | DataType::Time64(_)
                | DataType::Timestamp(..)
        )
}

#[cfg(test)]
mod tests;
