//! Provides the bound on the elements of lists in one row group of a target: readers of our own refuse a
//! group whose few packed bytes stand for very many, as one row may have them all.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use super::pages::LIST_LENGTH_MAX;
use crate::limits::BOMB_BYTES_MIN;

/// Elements of one column of a row group at most where its lists are long: of eight bytes each they are no
/// bomb, however few bytes they are packed into.
pub(super) const ELEMENTS_MAX: u64 = BOMB_BYTES_MIN / size_of::<u64>() as u64;

/// Elements of the lists in a row group, so far.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Elements {
    rows: u64,
    elements: u64,
}

impl Elements {
    /// With those of more rows: of the column that has most of them.
    pub(super) fn and(self, batch: &RecordBatch) -> Self {
        let rows = batch.num_rows();
        let most = batch.columns().iter().map(|column| elements(column, 0..rows)).max().unwrap_or(0);
        Elements { rows: self.rows + rows as u64, elements: self.elements + most as u64 }
    }

    /// Whether so many in one row group would not be read back.
    pub(super) fn are_too_many(self) -> bool {
        self.elements > ELEMENTS_MAX && self.elements.div_ceil(self.rows.max(1)) > LIST_LENGTH_MAX
    }

    /// Whether there are none yet.
    pub(super) fn are_none(self) -> bool {
        self.rows == 0
    }
}

/// Whether values of this type may have lists in them.
pub(super) fn has_lists(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().any(|field| has_lists(field.data_type())),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::Map(..) => true,
        _ => false,
    }
}

/// Values of the innermost column, below these rows, that has most of them.
fn elements(array: &dyn Array, rows: Range<usize>) -> usize {
    match array.data_type() {
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let offsets = lists.value_offsets();
            elements(lists.values(), offsets[rows.start] as usize..offsets[rows.end] as usize)
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            let offsets = lists.value_offsets();
            elements(lists.values(), offsets[rows.start] as usize..offsets[rows.end] as usize)
        }
        DataType::FixedSizeList(_, length) => {
            let length = usize::try_from(*length).unwrap_or(0);
            elements(array.as_fixed_size_list().values(), rows.start * length..rows.end * length)
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let offsets = map.value_offsets();
            elements(map.entries(), offsets[rows.start] as usize..offsets[rows.end] as usize)
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|column| elements(column, rows.clone())).max().unwrap_or(0)
        }
        _ => rows.len(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int8Builder, ListBuilder};
    use arrow_array::{ArrayRef, Int8Array};

    use super::*;

    #[test]
    fn the_elements_of_the_longest_lists_count() {
        let mut lists = ListBuilder::new(ListBuilder::new(Int8Builder::new()));
        for row in [vec![3, 4], vec![], vec![5]] {
            for length in row {
                lists.values().append_value((0..length).map(Some));
            }
            lists.append(true);
        }
        let columns: [(&str, ArrayRef); 2] =
            [("n", Arc::new(Int8Array::from(vec![1, 2, 3]))), ("lists", Arc::new(lists.finish()))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        assert!(batch.schema().fields().iter().map(|field| has_lists(field.data_type())).eq([false, true]));
        let found = Elements::default().and(&batch);
        assert_eq!((found.rows, found.elements), (3, 12));
        let sliced = Elements::default().and(&batch.slice(1, 2));
        assert_eq!((sliced.rows, sliced.elements), (2, 5));
        assert!(!found.are_too_many());
        assert!(Elements { rows: 1, elements: ELEMENTS_MAX + 1 }.are_too_many());
        assert!(!Elements { rows: 1, elements: ELEMENTS_MAX }.are_too_many());
        assert!(!Elements { rows: ELEMENTS_MAX, elements: 2 * ELEMENTS_MAX }.are_too_many());
    }
}
