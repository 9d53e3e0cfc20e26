//! Provides the growing cells of a column of fixed-width values.

use crate::error::{Error, Result};
use arrow_array::{ArrayRef, make_array};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType};

/// The growing cells of a column.
pub(super) trait Cells: Send {
    /// Appends the value of a text; does nothing and gives false if the text does not fit.
    fn push_text(&mut self, text: &[u8]) -> bool;
    /// Appends a null.
    fn push_null(&mut self);
    /// Rows so far.
    fn rows(&self) -> usize;
    /// Forgets all rows after the first `rows`.
    fn truncate(&mut self, rows: usize);
    /// Gives the rows as an array and starts anew.
    fn finish(&mut self) -> Result<ArrayRef>;
}

/// Reads one fixed-width value from its text.
pub(super) trait Read: Send {
    /// Type of the value.
    type Native: ArrowNativeType;
    /// The value; `None` if the text does not fit.
    fn read(&self, text: &[u8]) -> Option<Self::Native>;
}

/// Positions of nulls, which are rare enough to be listed.
#[derive(Default)]
pub(super) struct NullRows(Vec<usize>);

impl NullRows {
    /// Notes that this row is null. Rows come in ascending order.
    #[inline]
    pub(super) fn push(&mut self, row: usize) {
        self.0.push(row);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        while self.0.last().is_some_and(|&row| row >= rows) {
            self.0.pop();
        }
    }

    /// The validity of so many rows; starts anew.
    pub(super) fn finish(&mut self, rows: usize) -> Option<NullBuffer> {
        if self.0.is_empty() {
            return None;
        }
        let mut bits = vec![0xFFu8; rows.div_ceil(8)];
        for row in self.0.drain(..) {
            bits[row / 8] &= !(1 << (row % 8));
        }
        Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows)))
    }
}

/// Cells of fixed-width values.
pub(super) struct Slot<R: Read> {
    read: R,
    data_type: DataType,
    values: Vec<R::Native>,
    nulls: NullRows,
}

impl<R: Read> Slot<R> {
    pub(super) fn new(data_type: DataType, read: R) -> Self {
        Slot { read, data_type, values: Vec::new(), nulls: NullRows::default() }
    }

    /// Appends a value that does not come from a text.
    pub(super) fn push_value(&mut self, value: R::Native) {
        self.values.push(value);
    }

    /// The value of a text.
    pub(super) fn value_of(&self, text: &[u8]) -> Option<R::Native> {
        self.read.read(text)
    }
}

impl<R: Read> Cells for Slot<R> {
    #[inline]
    fn push_text(&mut self, text: &[u8]) -> bool {
        match self.read.read(text) {
            Some(value) => {
                self.values.push(value);
                true
            }
            None => false,
        }
    }

    #[inline]
    fn push_null(&mut self) {
        self.nulls.push(self.values.len());
        self.values.push(R::Native::default());
    }

    #[inline]
    fn rows(&self) -> usize {
        self.values.len()
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let rows = self.values.len();
        // The next batch will be about as long.
        let values = std::mem::replace(&mut self.values, Vec::with_capacity(rows));
        let data = ArrayData::builder(self.data_type.clone())
            .len(rows)
            .add_buffer(Buffer::from_vec(values))
            .nulls(self.nulls.finish(rows))
            .build()
            .map_err(broken)?;
        Ok(make_array(data))
    }
}

/// An array that arrow refuses although its parts were made for each other.
pub(super) fn broken(error: ArrowError) -> Error {
    Error::Bug(format!("parsed column is no array: {error}"))
}
