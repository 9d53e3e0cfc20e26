//! Provides the columns that no source holds: those that its directories tell, and the one of its name. A
//! column that a source holds and its directories tell as well is the source's, and has to say the same.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};

use super::held::Held;
use super::{Concat, Kind, Member};
use crate::carry::type_told;
use crate::error::{Error, Place, Result};
use crate::jsonl;
use crate::open::Why;
use crate::partition::{PathColumn, one_row, values_of};
use crate::text::{ColumnFormatter, ColumnTyping};
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
    pub(super) fn of(name: &str, typing: &ColumnTyping, at: Option<usize>) -> Self {
        let (field, typing) = (typing.field(name), typing.clone());
        Added { field, typing, why: "the names of directories tell it", at }
    }
}

/// A column of one value.
pub(super) fn repeated(value: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    arrow_select::take::take(value, &UInt32Array::from(vec![0; rows]), None)
        .map_err(|error| Error::Bug(format!("repeating the value of a source: {error}")))
}

/// Whether a typing gives the value of one row a text that it reads as this value.
fn gives_back(typing: &ColumnTyping, row: &ArrayRef) -> bool {
    let Ok(formatter) = ColumnFormatter::new(typing, row) else { return false };
    let mut text = Vec::new();
    let is_null = !formatter.write(0, &mut text);
    is_null || matches!(one_row(Some(&text), typing), Ok(Some(read)) if read.as_ref() == row.as_ref())
}

/// A column of a source.
pub(super) fn place(member: &Member, column: &str) -> Place {
    Place { path: Some(member.name.clone()), ..Place::default() }.column(column)
}

/// What a directory says of a column, in words.
pub(super) fn told(value: Option<&[u8]>) -> String {
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
        for (index, PathColumn { name, typing, at, spelled }) in columns.iter().enumerate() {
            let data_type = &typing.data_type;
            let held = self.schema.index_of(name).ok();
            for member in &mut self.members {
                let value = member.path_values(columns).ok_or_else(|| {
                    let hint = "name the files where their directories tell it";
                    Error::unsupported(place(member, name), "no directory of this file tells it", hint)
                })?;
                let text = value.into_iter().nth(index).flatten();
                if let Some(column) = held {
                    member.held.push(Held { column, text, is_number: data_type.is_numeric() });
                    continue;
                }
                let row = one_row(text.as_deref(), typing)?.ok_or_else(|| {
                    let ty = typing.type_name().unwrap_or_else(|| type_told(data_type));
                    let what = format!("its directory tells {}, which is no {ty}", told(text.as_deref()));
                    Error::unsupported(place(member, name), what, "give the column another type with --type")
                })?;
                member.added.push(row);
            }
            if held.is_none() {
                let mut added = Added::of(name, typing, *at);
                let mut rows = self.members.iter().filter_map(|member| member.added.last());
                if let Some(spelled) = spelled.as_ref().filter(|typing| typing.data_type == *data_type)
                    && rows.all(|row| gives_back(spelled, row))
                {
                    added.typing = spelled.clone();
                }
                self.added.push(added);
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
        let reasons = self.added.iter().map(|added| Why::from(added.why.to_owned()));
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
            Kind::Typed(Typings::Both(typings, of_json)) => {
                typings.extend(fields);
                of_json.extend(json(of_json.len()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{DatePattern, Form};

    #[test]
    fn a_spelling_is_taken_where_it_gives_back_the_value() {
        let iso = ColumnTyping::default_for(&DataType::Date32).unwrap();
        let mut short = iso.clone();
        short.style.form = Form::Date(DatePattern::DmyDash);
        let row = |text: &[u8]| one_row(Some(text), &iso).unwrap().unwrap();
        assert!(gives_back(&short, &row(b"2020-12-31")));
        assert!(gives_back(&short, &one_row(None, &iso).unwrap().unwrap()));
        let number = one_row(Some(b"1"), &ColumnTyping::default_for(&DataType::Int64).unwrap());
        assert!(!gives_back(&short, &number.unwrap().unwrap()));
    }
}
