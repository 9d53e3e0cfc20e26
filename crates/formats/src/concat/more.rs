//! Provides the columns that no source holds: those that its directories tell, and the one of its name. A
//! column that a source holds and its directories tell as well is the source's, and has to say the same.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};

use super::{Concat, Kind, Member};
use crate::error::{Error, Place, Result};
use crate::jsonl;
use crate::partition::{PathColumn, one_row, values_of};
use crate::text::{ColumnTyping, Exceptions};
use crate::typings::Typings;

/// A column that no source holds.
pub(super) struct Added {
    field: Field,
    typing: ColumnTyping,
    why: &'static str,
}

/// A column of one value.
pub(super) fn repeated(value: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    arrow_select::take::take(value, &UInt32Array::from(vec![0; rows]), None)
        .map_err(|error| Error::Bug(format!("repeating the value of a source: {error}")))
}

fn place(member: &Member, column: &str) -> Place {
    Place { path: Some(member.name.clone()), ..Place::default() }.column(column)
}

/// What a directory says of a column, in words.
fn told(value: Option<&[u8]>) -> String {
    value.map_or("null".into(), |text| format!("{:?}", String::from_utf8_lossy(text)))
}

impl Member {
    /// What the directories of the object tell of these columns; those of its name, where it lies below fewer
    /// directories that tell something.
    fn path_values(&self, columns: &[PathColumn]) -> Option<Vec<Option<Vec<u8>>>> {
        values_of(self.opened.file.path(), columns).or_else(|| values_of(&self.name, columns))
    }
}

impl Concat {
    /// Adds the columns that directories tell, or remembers to look whether the sources hold the same.
    pub(super) fn add_path_columns(&mut self, columns: &[PathColumn]) -> Result<()> {
        for (at, PathColumn { name, data_type }) in columns.iter().enumerate() {
            let typing = ColumnTyping::default_for(data_type)?;
            let held = self.schema.index_of(name).ok();
            for member in &mut self.members {
                let value = member.path_values(columns).ok_or_else(|| {
                    let hint = "name the files where their directories tell it";
                    Error::unsupported(place(member, name), "no directory of this file tells it", hint)
                })?;
                let value = value.into_iter().nth(at).flatten();
                if let Some(column) = held {
                    member.held.push((column, value));
                    continue;
                }
                let row = one_row(value.as_deref(), &typing)?.ok_or_else(|| {
                    let told = told(value.as_deref());
                    let what = format!("the directory tells {told}, which is no value of type {data_type}");
                    Error::malformed("partition", place(member, name), what)
                })?;
                member.added.push(row);
            }
            if held.is_none() {
                let why = "the names of directories tell it";
                self.added.push(Added { field: Field::new(name, data_type.clone(), true), typing, why });
            }
        }
        Ok(())
    }

    /// Adds a column of the names of sources.
    pub(super) fn add_source_column(&mut self, name: &str) -> Result<()> {
        let known = self.schema.fields().iter().map(AsRef::as_ref);
        if known.chain(self.added.iter().map(|added| &added.field)).any(|field| field.name() == name) {
            return Err(Error::Misuse(format!("--source-column {name}: the sources have this column")));
        }
        for member in &mut self.members {
            let shown = member.name.display();
            let Some(text) = member.name.to_str() else {
                return Err(Error::Misuse(format!("--source-column: the name {shown} is not UTF-8")));
            };
            member.added.push(Arc::new(StringArray::from(vec![text])));
        }
        let typing = ColumnTyping::default_for(&DataType::Utf8)?;
        let why = "it holds the name of each row's source";
        self.added.push(Added { field: Field::new(name, DataType::Utf8, false), typing, why });
        Ok(())
    }

    /// Puts what is added behind the columns of the sources, whose types were found.
    pub(super) fn append_added(&mut self) {
        if self.added.is_empty() {
            return;
        }
        let mut columns: Vec<_> = self.schema.fields().iter().cloned().collect();
        columns.extend(self.added.iter().map(|added| Arc::new(added.field.clone())));
        self.schema = Arc::new(Schema::new_with_metadata(columns, self.schema.metadata().clone()));
        let fields = self.added.iter().map(|added| added.typing.clone());
        let json = |known: usize| jsonl::Typing::of_schema(&self.schema).into_iter().skip(known);
        let reasons = self.added.iter().map(|added| added.why.to_owned());
        match &mut self.kind {
            Kind::Fields { typings, why, .. } => {
                typings.extend(fields);
                why.extend(reasons);
            }
            Kind::Json { typings, why } => {
                typings.extend(json(typings.len()));
                why.extend(reasons);
            }
            Kind::Typed(Typings::Native) => {}
            Kind::Typed(Typings::Fields(typings)) => typings.extend(fields),
            Kind::Typed(Typings::Json(typings)) => typings.extend(json(typings.len())),
        }
    }

    /// Fails where a record does not hold what the directories of its source tell. `row` is the first of
    /// these in the source, counted from 0.
    pub(super) fn check_held(&self, member: &Member, row: u64, columns: &[ArrayRef]) -> Result<()> {
        // Of a union, a source may hold no such column.
        let held = member.held.iter().filter(|(at, _)| member.columns[*at].is_some());
        for (at, value) in held {
            let (found, name) = (&columns[*at], self.schema.field(*at).name());
            let wanted = match one_row(value.as_deref(), &self.typing_of(*at)?)? {
                Some(wanted) => repeated(&wanted, found.len())?,
                None => arrow_array::new_empty_array(found.data_type()),
            };
            if wanted.as_ref() == found.as_ref() {
                continue;
            }
            let differs = |at: &usize| {
                wanted.is_empty() || wanted.slice(*at, 1).as_ref() != found.slice(*at, 1).as_ref()
            };
            let first = (0..found.len()).find(differs).unwrap_or(0);
            let place = Place { row: Some(row + first as u64 + 1), ..place(member, name) };
            let told = told(value.as_deref());
            let what = format!(
                "its directory tells {told} of this column, and the record holds or spells another value"
            );
            let hint = "mend one of them, or keep what the file holds with --no-partition-columns";
            return Err(Error::unsupported(place, what, hint));
        }
        Ok(())
    }

    /// How a text of this column is read.
    fn typing_of(&self, column: usize) -> Result<ColumnTyping> {
        match &self.kind {
            Kind::Fields { typings, .. } => {
                let mut typing = typings[column].clone();
                typing.style.exceptions = Exceptions::default();
                Ok(typing)
            }
            _ => ColumnTyping::default_for(self.schema.field(column).data_type()),
        }
    }
}
