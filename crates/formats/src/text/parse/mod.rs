//! Provides the parser of a column: fields to an arrow array under one typing.

mod bytes;
mod cells;
mod nested;
mod readers;
mod select;

use super::exceptions::{OddValue, same_number};
use super::{ColumnTyping, DatePattern, Exception, Exceptions, Misfit, RawField, Style};
use crate::error::{Error, Result};
use arrow_array::ArrayRef;
use arrow_schema::DataType;
use bytes::{BoolCells, TextCells};
use cells::{Cells, Slot};
use readers::{DateRead, DecimalRead, FloatRead, IntegerRead, UnitsRead};

pub(super) use nested::{Bare, is_object_key, key};
pub(super) use select::offset_of_zone;

/// Reads the fields of one column into arrow arrays. A field that does not fit leaves the parser as it was.
pub struct ColumnParser {
    nulls: Nulls,
    column: Column,
    exceptions: Odd,
}

/// What a parser knows of the exceptions of its column.
struct Odd {
    all: Exceptions,
    /// Their values; `None` of a spelling of null.
    values: Vec<Option<OddValue>>,
    /// Which of them are spellings of null.
    nulls: Vec<bool>,
    /// Row of the column that comes next, counted from 0.
    row: u64,
}

impl Odd {
    fn of(typing: &ColumnTyping) -> Result<Self> {
        let all = typing.style.exceptions.clone();
        let valued = matches!(typing.data_type, DataType::Boolean | DataType::Float64);
        let value = |odd: &Exception| OddValue::read(&typing.style, &odd.text).filter(|_| valued);
        let values: Vec<_> = all.iter().map(value).collect();
        let nulls: Vec<_> = all.iter().map(|odd| typing.style.refused.contains(&odd.text)).collect();
        if values.iter().zip(&nulls).any(|(value, null)| value.is_none() && !null) {
            let what = format!("{} columns of this form have no such exceptions", typing.data_type);
            return Err(Error::Misuse(what));
        }
        Ok(Odd { all, values, nulls, row: 0 })
    }
}

/// The cells of a column. The types that inference yields have a variant each, so that their loops are
/// compiled as a whole; all others share one.
enum Column {
    Int64(Slot<IntegerRead<i64>>),
    UInt64(Slot<IntegerRead<u64>>),
    Decimal128(Slot<DecimalRead<i128>>),
    Float64(Slot<FloatRead<f64>>),
    Bool(BoolCells),
    Date32(Slot<DateRead<DatePattern>>),
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
        let exceptions = Odd::of(typing)?;
        Ok(ColumnParser { nulls: Nulls::of(&typing.style), column: select::column(typing)?, exceptions })
    }

    /// Says which row of the column, counted from 0, the next field is of. Exceptions to the style stand in
    /// rows of the column; a new parser is at row 0, and each row that is taken moves it on.
    pub fn seek(&mut self, row: u64) {
        self.exceptions.row = row;
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
        if !self.exceptions.all.is_empty() {
            return self.extend_around_exceptions(fields);
        }
        let nulls = &self.nulls;
        with_cells!(&mut self.column, cells => fill(cells, nulls, fields))
    }

    /// Takes fields in stretches that end where exceptions stand.
    fn extend_around_exceptions<'a>(
        &mut self,
        mut fields: impl Iterator<Item = RawField<'a>>,
    ) -> Result<(), Misfit> {
        loop {
            let row = self.exceptions.row;
            let next = self.exceptions.all.partition_point(|odd| odd.row < row);
            let stretch = self.exceptions.all.get(next).map_or(u64::MAX, |odd| odd.row - row);
            let before = self.rows();
            let nulls = &self.nulls;
            let some = fields.by_ref().take(usize::try_from(stretch).unwrap_or(usize::MAX));
            let taken = with_cells!(&mut self.column, cells => fill(cells, nulls, some));
            let count = (self.rows() - before) as u64;
            self.exceptions.row += count;
            taken?;
            if count < stretch {
                return Ok(());
            }
            let Some(field) = fields.next() else { return Ok(()) };
            self.push_at_exception(next, field)?;
            self.exceptions.row += 1;
        }
    }

    /// Takes the field of an exception's row: the exception, or another value in the style of the column.
    fn push_at_exception(&mut self, which: usize, field: RawField<'_>) -> Result<(), Misfit> {
        let (odd, value) = (&self.exceptions.all[which], self.exceptions.values[which]);
        let is_text = field.bytes == odd.text.as_bytes();
        // The same value in the text of the style would be given back as the text of the exception.
        let same = match (self.nulls.judge(&field), &mut self.column, value) {
            (Judgement::Refused, column, _) if is_text && self.exceptions.nulls[which] => {
                with_cells!(column, cells => cells.push_null());
                return Ok(());
            }
            (Judgement::Refused, ..) => true,
            (Judgement::Null, ..) => self.exceptions.nulls[which],
            (Judgement::Value, Column::Bool(cells), Some(OddValue::Bool(value))) => {
                if is_text {
                    cells.push_value(value);
                    return Ok(());
                }
                cells.value_of(field.bytes) == Some(value)
            }
            (Judgement::Value, Column::Float64(cells), Some(OddValue::Float(value))) => {
                if is_text {
                    cells.push_value(value);
                    return Ok(());
                }
                cells.value_of(field.bytes).is_some_and(|read| same_number(read, value))
            }
            (Judgement::Value, ..) => false,
        };
        if same {
            return Err(Misfit { row: self.rows() });
        }
        let nulls = &self.nulls;
        with_cells!(&mut self.column, cells => fill(cells, nulls, std::iter::once(field)))
    }

    /// Takes a null, whatever its text.
    pub fn push_null(&mut self) {
        self.exceptions.row += 1;
        with_cells!(&mut self.column, cells => cells.push_null());
    }

    /// Forgets all rows after the first `rows`.
    pub fn truncate(&mut self, rows: usize) {
        self.exceptions.row = self.exceptions.row.saturating_sub(self.rows().saturating_sub(rows) as u64);
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
