//! Provides the parser of a column: fields to an arrow array under one typing.

mod bytes;
mod cells;
mod nested;
mod readers;
mod select;

use super::{ColumnTyping, Misfit, RawField, Style};
use crate::error::Result;
use arrow_array::ArrayRef;
use bytes::{BoolCells, TextCells};
use cells::{Cells, Slot};
use readers::{DateRead, DecimalRead, FloatRead, IntegerRead, UnitsRead};

pub(super) use bytes::is_ambiguous_date;
pub(super) use nested::{Bare, is_object_key, key};
pub(super) use select::offset_of_zone;

/// Reads the fields of one column into arrow arrays. A field that does not fit leaves the parser as it was.
pub struct ColumnParser {
    nulls: Nulls,
    column: Column,
}

/// The cells of a column. The types that inference yields have a variant each, so that their loops are
/// compiled as a whole; all others share one.
enum Column {
    Int64(Slot<IntegerRead<i64>>),
    UInt64(Slot<IntegerRead<u64>>),
    Decimal128(Slot<DecimalRead<i128>>),
    Float64(Slot<FloatRead<f64>>),
    Bool(BoolCells),
    Date32(Slot<DateRead>),
    Units(Slot<UnitsRead>),
    Text(TextCells),
    Other(Box<dyn Cells>),
}

/// Does the same with whatever cells the column has.
macro_rules! with_cells {
    ($column:expr, $cells:ident => $body:expr) => {
        match $column {
            Column::Int64($cells) => $body,
            Column::UInt64($cells) => $body,
            Column::Decimal128($cells) => $body,
            Column::Float64($cells) => $body,
            Column::Bool($cells) => $body,
            Column::Date32($cells) => $body,
            Column::Units($cells) => $body,
            Column::Text($cells) => $body,
            Column::Other($cells) => {
                let $cells = &mut **$cells;
                $body
            }
        }
    };
}

impl ColumnParser {
    /// A parser of fields under this typing.
    ///
    /// # Errors
    /// If the form of the style cannot hold the type, or text cannot carry the type at all.
    pub fn new(typing: &ColumnTyping) -> Result<Self> {
        Ok(ColumnParser { nulls: Nulls::of(&typing.style), column: select::column(typing)? })
    }

    /// Takes one field.
    ///
    /// # Errors
    /// If the field does not fit.
    pub fn push(&mut self, field: RawField<'_>) -> Result<(), Misfit> {
        self.extend(std::iter::once(field))
    }

    /// Takes fields in one loop.
    ///
    /// # Errors
    /// At the first field that does not fit; those before it were taken.
    pub fn push_all(&mut self, fields: &[RawField<'_>]) -> Result<(), Misfit> {
        self.extend(fields.iter().copied())
    }

    /// Takes fields in one loop that is compiled for their iterator.
    ///
    /// # Errors
    /// At the first field that does not fit; those before it were taken.
    #[inline]
    pub fn extend<'a>(&mut self, fields: impl Iterator<Item = RawField<'a>>) -> Result<(), Misfit> {
        let nulls = &self.nulls;
        with_cells!(&mut self.column, cells => fill(cells, nulls, fields))
    }

    /// Takes a null, whatever its text.
    pub fn push_null(&mut self) {
        with_cells!(&mut self.column, cells => cells.push_null());
    }

    /// Forgets all rows after the first `rows`.
    pub fn truncate(&mut self, rows: usize) {
        with_cells!(&mut self.column, cells => cells.truncate(rows));
    }

    /// Rows taken since the last `finish`.
    pub fn rows(&mut self) -> usize {
        with_cells!(&mut self.column, cells => cells.rows())
    }

    /// The rows taken so far as an array; the parser is empty afterwards.
    ///
    /// # Errors
    /// If text is not UTF-8, or one array cannot hold so much of it.
    pub fn finish(&mut self) -> Result<ArrayRef> {
        with_cells!(&mut self.column, cells => cells.finish())
    }
}

#[inline]
fn fill<'a, C: Cells + ?Sized>(
    cells: &mut C,
    nulls: &Nulls,
    fields: impl Iterator<Item = RawField<'a>>,
) -> Result<(), Misfit> {
    for field in fields {
        let taken = match nulls.judge(&field) {
            Judgement::Value => cells.push_text(field.bytes),
            Judgement::Null => {
                cells.push_null();
                true
            }
            Judgement::Refused => false,
        };
        if !taken {
            return Err(Misfit { row: cells.rows() });
        }
    }
    Ok(())
}

/// Which fields are null.
enum Nulls {
    /// The empty ones.
    Empty,
    /// Those with this text.
    Token(Vec<u8>),
    /// Those with one of the first texts; one of the second does not belong in the column.
    Many(Vec<Vec<u8>>, Vec<Vec<u8>>),
}

enum Judgement {
    Value,
    Null,
    Refused,
}

impl Nulls {
    fn of(style: &Style) -> Nulls {
        let bytes = |texts: &[String]| texts.iter().map(|t| t.as_bytes().to_vec()).collect::<Vec<_>>();
        let null = style.null_text().as_bytes().to_vec();
        if style.also_null.is_empty() && style.refused.is_empty() {
            return if null.is_empty() { Nulls::Empty } else { Nulls::Token(null) };
        }
        let mut all = bytes(&style.also_null);
        all.push(null);
        Nulls::Many(all, bytes(&style.refused))
    }

    #[inline]
    fn judge(&self, field: &RawField<'_>) -> Judgement {
        if field.quoted {
            return Judgement::Value;
        }
        let null = match self {
            Nulls::Empty => field.bytes.is_empty(),
            Nulls::Token(token) => field.bytes == token,
            Nulls::Many(nulls, refused) => {
                if refused.iter().any(|t| t == field.bytes) {
                    return Judgement::Refused;
                }
                nulls.iter().any(|t| t == field.bytes)
            }
        };
        if null { Judgement::Null } else { Judgement::Value }
    }
}
