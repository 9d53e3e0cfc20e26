//! Provides the typing of JSON values beside an Arrow type: the style in which numbers are written, what an
//! absent value looks like, and whether both give back every value's text.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};
use serde::{Deserialize, Serialize};

use crate::annotation::{self, Annotation, with_inside};
use crate::text::Exceptions;
use crate::{Error, Result};

/// How the values of one (possibly nested) column stand in JSON, beside its Arrow type.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Typing {
    /// How a present value is written.
    #[serde(default)]
    pub style: Style,
    /// How an absent value is written.
    #[serde(default)]
    pub absence: Absence,
    /// Whether type and style give back the text of every present value; if not, readings of equal value are
    /// accepted.
    #[serde(default = "yes")]
    pub reversible: bool,
    /// Numbers of a floating point column that are not written in its style. Only columns outside of arrays
    /// have any, since they stand in rows.
    #[serde(default, skip_serializing_if = "Exceptions::are_none")]
    pub exceptions: Exceptions,
    /// Typings of the nested columns: a list's element, a struct's fields, a map's key and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Typing>,
}

fn yes() -> bool {
    true
}

/// How present values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// As the table in `encode.rs` says for the Arrow type.
    #[default]
    Plain,
    /// Shortest digits that give back the floating point number, laid out like this.
    Float(FloatStyle),
    /// UUIDs, of 16 bytes each, as such and not as base64.
    Uuid,
    /// Text that is itself the JSON of the value: kinds were mixed, or numbers had no common form.
    Json,
    /// As `Json`, in a column where each object is empty and no type of field is known.
    EmptyObject,
    /// Not at all: a column of booleans that stands in no object, and is true where the key of the column
    /// before it is left out.
    Presence,
}

/// How an absent value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    /// As `null`; a missing key does not occur.
    #[default]
    Null,
    /// By leaving out the key; `null` does not occur.
    Missing,
    /// Both occurred and are read alike; written as `null`. Not reversible.
    Mixed,
    /// By leaving out the key where the next column, whose style is [`Style::Presence`], says so; else as
    /// `null`.
    Told,
}

/// Which of the columns of one object are followed by one that tells where their key is left out.
///
/// # Errors
/// A column that tells of nothing, or one of which nothing tells though its typing says so.
pub(super) fn told(fields: &[FieldRef], typings: &[Typing]) -> Result<Vec<bool>> {
    let tells = |at: usize| typings.get(at).is_some_and(|typing| typing.style == Style::Presence);
    let mut told = Vec::with_capacity(typings.len());
    for (at, (typing, field)) in typings.iter().zip(fields).enumerate() {
        let fits = match at.checked_sub(1).map(|before| typings[before].absence) {
            _ if !tells(at) => true,
            Some(Absence::Told) => *field.data_type() == DataType::Boolean && typing.absence != Absence::Told,
            _ => false,
        };
        if !fits || (typing.absence == Absence::Told) != tells(at + 1) {
            let name = field.name();
            return Err(Error::Misuse(format!(
                "column {name:?}: what tells of absent keys is not beside it"
            )));
        }
        told.push(typing.absence == Absence::Told);
    }
    Ok(told)
}

/// Layout of the shortest digits of a floating point number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FloatStyle {
    /// Whether a whole number carries `.0`.
    pub point_zero: bool,
    /// When and how an exponent is written.
    pub exponent: Exponent,
    /// Whether what JSON has no number for stands as a string: `"NaN"`, `"Infinity"`, `"-Infinity"`.
    pub words: bool,
}

impl Default for FloatStyle {
    fn default() -> Self {
        FloatStyle { point_zero: true, exponent: Exponent::Python, words: true }
    }
}

/// When and how an exponent is written. Named after the writers that do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exponent {
    /// `1e-05`, `1e+16`: from 1e16 and below 1e-4.
    Python,
    /// `1e-7`, `1e+21`: from 1e21 and below 1e-6 (also Go).
    Ecma,
    /// `1e-6`, `1e16`: from 1e16 and below 1e-5.
    Rust,
    /// `1.0E-4`, `1.0E7`: from 1e7 and below 1e-3.
    Java,
    /// All digits, whatever the size.
    Never,
}

impl Typing {
    /// The typing of values that this crate writes itself under `data_type`.
    pub fn of(data_type: &DataType) -> Typing {
        use DataType as T;
        let style = match data_type {
            T::Float16 | T::Float32 | T::Float64 => Style::Float(FloatStyle::default()),
            _ => Style::Plain,
        };
        let all = |fields: &Fields| fields.iter().map(|field| Typing::of_field(field)).collect();
        let children = match data_type {
            T::List(f) | T::LargeList(f) | T::ListView(f) | T::LargeListView(f) | T::FixedSizeList(f, _) => {
                vec![Typing::of_field(f)]
            }
            T::Struct(fields) => all(fields),
            T::Map(entries, _) => match entries.data_type() {
                T::Struct(fields) => all(fields),
                _ => Vec::new(),
            },
            T::Dictionary(_, value) => return Typing::of(value),
            T::RunEndEncoded(_, values) => return Typing::of(values.data_type()),
            _ => Vec::new(),
        };
        Typing { style, reversible: true, children, ..Typing::default() }
    }

    /// The same of the values of a field, which may be UUIDs.
    pub(crate) fn of_field(field: &Field) -> Typing {
        let typing = Typing::of(field.data_type());
        if annotation::is_uuid(field) { Typing { style: Style::Uuid, ..typing } } else { typing }
    }

    /// One typing for each column of `schema`, as this crate writes them.
    pub fn of_schema(schema: &Schema) -> Vec<Typing> {
        schema.fields().iter().map(|field| Typing::of_field(field)).collect()
    }

    /// The field of values that stand so: where they stand as UUIDs they are such, and so are those within
    /// them.
    pub(crate) fn told(&self, field: &FieldRef) -> FieldRef {
        let mut children = self.children.iter();
        let mut told = |field: &FieldRef| match children.next() {
            Some(typing) => typing.told(field),
            None => field.clone(),
        };
        let data_type = match field.data_type() {
            DataType::Map(entries, sorted) => {
                let pair = with_inside(entries.data_type(), &mut told);
                DataType::Map(Arc::new(entries.as_ref().clone().with_data_type(pair)), *sorted)
            }
            other => with_inside(other, &mut told),
        };
        let field = field.as_ref().clone().with_data_type(data_type);
        Arc::new(if self.style == Style::Uuid { Annotation::Uuid.tell(field) } else { field })
    }

    /// Drops exceptions, since the rows are not known any more, and with them the texts that they gave back.
    pub(crate) fn forget_rows(&mut self) {
        self.reversible &= std::mem::take(&mut self.exceptions).are_none();
        self.children.iter_mut().for_each(Typing::forget_rows);
    }

    /// Visits the exceptions of this column and of all nested in it.
    pub(crate) fn each_exceptions(&mut self, visit: &mut dyn FnMut(&mut Exceptions)) {
        visit(&mut self.exceptions);
        self.children.iter_mut().for_each(|child| child.each_exceptions(visit));
    }

    /// Whether this column and all nested in it give back every value's text, absent ones included.
    pub fn is_reversible(&self) -> bool {
        self.reversible && self.absence != Absence::Mixed && self.children.iter().all(Typing::is_reversible)
    }
}
