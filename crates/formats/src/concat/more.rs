//! Provides the columns that no source holds: those that its directories tell, and the one of its name. A
//! column that a source holds and its directories tell as well is the source's, and has to say the same.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};

use super::{Concat, Kind, Member};
use crate::error::{Error, Place, Result};
use crate::jsonl;
use crate::partition::{PathColumn, is_text, one_row, values_of};
use crate::text::{ColumnTyping, Exceptions};
use crate::typings::Typings;

/// A column that no source holds.
pub(super) struct Added {
    field: Field,
    typing: ColumnTyping,
    why: &'static str,
    /// Its place among all columns, where that is known.
    pub(super) at: Option<usize>,
}

impl Added {
    /// A column that directories tell.
    pub(super) fn of(name: &str, data_type: &DataType, at: Option<usize>) -> Result<Self> {
        let (field, typing) =
            (Field::new(name, data_type.clone(), true), ColumnTyping::default_for(data_type)?);
        Ok(Added { field, typing, why: "the names of directories tell it", at })
    }
}

/// A column that a source holds and its directories tell as well.
pub(super) struct Held {
    /// Its index in the whole.
    column: usize,
    /// What the directories tell; `None` is null.
    text: Option<Vec<u8>>,
    /// The same as one row of the type that all of these texts have, where it is of that.
    value: Option<ArrayRef>,
}

/// A column of one value.
pub(super) fn repeated(value: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    arrow_select::take::take(value, &UInt32Array::from(vec![0; rows]), None)
        .map_err(|error| Error::Bug(format!("repeating the value of a source: {error}")))
}

fn place(member: &Member, column: &str) -> Place {
    Place { path: Some(member.name.clone()), ..Place::default() }.column(column)
}

/// The same value as one row of another type; `None` where that has no such. A text is what it says there.
fn same_value(value: &ArrayRef, data_type: &DataType) -> Option<ArrayRef> {
    let there = arrow_cast::cast(value, data_type).ok().filter(|there| there.null_count() == 0)?;
    let back = arrow_cast::cast(&there, value.data_type()).ok()?;
    (is_text(value.data_type()) || back.as_ref() == value.as_ref()).then_some(there)
}

/// Ways to read a column, each beside what it has to hold then: as it is, and where it is text under the type
/// of what directories tell, as far as a field is of that.
fn readings(
    found: &ArrayRef,
    wanted: Option<ArrayRef>,
    value: Option<&ArrayRef>,
) -> Result<Vec<(ArrayRef, ArrayRef)>> {
    let mut readings = Vec::with_capacity(2);
    if let Some(wanted) = wanted {
        readings.push((found.clone(), repeated(&wanted, found.len())?));
    }
    // A text that is of no such type is null there, which a value is not.
    if let Some(value) = value.filter(|value| value.null_count() == 0)
        && is_text(found.data_type())
        && let Ok(read) = arrow_cast::cast(found, value.data_type())
    {
        readings.push((read, repeated(value, found.len())?));
    }
    Ok(readings)
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
        for (index, PathColumn { name, data_type, at }) in columns.iter().enumerate() {
            let typing = ColumnTyping::default_for(data_type)?;
            let held = self.schema.index_of(name).ok();
            for member in &mut self.members {
                let value = member.path_values(columns).ok_or_else(|| {
                    let hint = "name the files where their directories tell it";
                    Error::unsupported(place(member, name), "no directory of this file tells it", hint)
                })?;
                let text = value.into_iter().nth(index).flatten();
                let value = one_row(text.as_deref(), &typing)?;
                if let Some(column) = held {
                    member.held.push(Held { column, text, value });
                    continue;
                }
                let row = value.ok_or_else(|| {
                    let told = told(text.as_deref());
                    let what = format!("the directory tells {told}, which is no value of type {data_type}");
                    Error::malformed("partition", place(member, name), what)
                })?;
                member.added.push(row);
            }
            if held.is_none() {
                self.added.push(Added::of(name, data_type, *at)?);
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
        self.added.push(Added { field: Field::new(name, DataType::Utf8, false), typing, why, at: None });
        Ok(())
    }

    /// Puts what is added behind the columns of the sources, whose types were found, and shows all of them.
    pub(super) fn append_added(&mut self) {
        if !self.added.is_empty() {
            self.append();
        }
        self.show();
    }

    fn append(&mut self) {
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

    /// Fails where a record does not hold the value that the directories of its source tell, however it is
    /// spelled. `row` is the first of these in the source, counted from 0.
    pub(super) fn check_held(&self, member: &Member, row: u64, columns: &[ArrayRef]) -> Result<()> {
        // Of a union, a source may hold no such column.
        let held = member.held.iter().filter(|held| member.columns[held.column].is_some());
        for Held { column, text, value } in held {
            let (found, name) = (&columns[*column], self.schema.field(*column).name());
            let wanted = one_row(text.as_deref(), &self.typing_of(*column)?)?;
            let wanted =
                wanted.or_else(|| value.as_ref().and_then(|value| same_value(value, found.data_type())));
            let readings = readings(found, wanted, value.as_ref())?;
            if readings.iter().any(|(found, wanted)| found.as_ref() == wanted.as_ref()) {
                continue;
            }
            let is_told = |row: &usize| {
                readings
                    .iter()
                    .any(|(found, wanted)| found.slice(*row, 1).as_ref() == wanted.slice(*row, 1).as_ref())
            };
            let Some(first) = (0..found.len()).find(|row| !is_told(row)) else { continue };
            let place = Place { row: Some(row + first as u64 + 1), ..place(member, name) };
            let told = told(text.as_deref());
            let what =
                format!("its directory tells {told} of this column, and the record holds another value");
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

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, Int64Array};

    use super::*;

    fn ints(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn a_value_is_the_same_in_another_type_or_has_none_there() {
        let float = |value: &ArrayRef| same_value(value, &DataType::Float64);
        let one: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
        assert_eq!(float(&ints(&[1])).unwrap().as_ref(), one.as_ref());
        assert!(float(&ints(&[(1 << 53) + 1])).is_none());
        assert!(same_value(&ints(&[300]), &DataType::Int8).is_none());
        let whole = |text: &str| same_value(&texts(&[text]), &DataType::Int64);
        assert_eq!(whole("01").unwrap().as_ref(), ints(&[1]).as_ref());
        assert!(whole("a").is_none());
    }

    #[test]
    fn a_text_is_read_under_the_type_of_the_directories_too() {
        let found = texts(&["1", "01", "a"]);
        let readings = readings(&found, Some(texts(&["1"])), Some(&ints(&[1]))).unwrap();
        let equal = |row: usize| {
            readings
                .iter()
                .map(|(a, b)| a.slice(row, 1).as_ref() == b.slice(row, 1).as_ref())
                .collect::<Vec<_>>()
        };
        assert_eq!([equal(0), equal(1), equal(2)], [[true, true], [false, true], [false, false]]);
    }
}
