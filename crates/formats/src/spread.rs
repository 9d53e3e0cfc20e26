//! Provides how many bytes rows take once values that they share are written out for each of them: those of a
//! dictionary, of a run, and the stretches that views point to.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, RecordBatch, RecordBatchOptions, make_array};
use arrow_data::transform::MutableArrayData;
use arrow_schema::DataType;

use crate::error::{Error, Result};
use crate::limits::{BOMB_BYTES_MIN, BOMB_RATIO_MAX, is_bomb};

/// The same rows, with no more of what is in their lists than they hold: to write out what lists share, the
/// library takes all that lies behind a column.
pub fn compacted(batch: &RecordBatch) -> Result<RecordBatch> {
    let compact = |column: &ArrayRef| {
        if !column.data_type().is_nested() || !shares(column.data_type()) {
            return Ok(column.clone());
        }
        let data = column.to_data();
        let mut rows = MutableArrayData::new(vec![&data], true, data.len());
        rows.try_extend(0, 0, data.len()).map(|()| make_array(rows.freeze()))
    };
    let columns = batch.columns().iter().map(compact).collect::<Result<_, _>>();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    columns
        .and_then(|columns| RecordBatch::try_new_with_options(batch.schema(), columns, &options))
        .map_err(|error| Error::Bug(format!("rows of one batch: {error}")))
}

/// How many of the first `rows` rows take `bytes` at most, and one at least. The work grows with what is
/// given out.
///
/// # Errors
/// `Limit` for a row that takes much more than all rows do as they are held.
pub fn rows_within(batch: &RecordBatch, rows: usize, bytes: u64) -> Result<usize> {
    let shared: Vec<&ArrayRef> = batch.columns().iter().filter(|column| shares(column.data_type())).collect();
    if shared.is_empty() {
        return Ok(rows);
    }
    let of = |rows: usize| sum(shared.iter().map(|column| spread(column.as_ref(), 0..rows)));
    check_row(&shared, of(rows.min(1)))?;
    let mut count = rows.min(1);
    while count < rows && of(rows.min(2 * count)) <= bytes {
        count = rows.min(2 * count);
    }
    Ok(count)
}

/// A sum that stays at the largest number: sizes from outside may be any.
fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

fn check_row(columns: &[&ArrayRef], spread: u64) -> Result<()> {
    let held: usize = columns.iter().map(|column| column.get_array_memory_size()).sum();
    if !is_bomb(held as u64, spread) {
        return Ok(());
    }
    Err(Error::Limit {
        place: Box::default(),
        what: "expansion ratio of the values of one row",
        max: BOMB_RATIO_MAX,
        hint: format!("written out, they take {spread} bytes, and {BOMB_BYTES_MIN} are taken at any ratio"),
    })
}

/// Whether values of this type may be shared by rows, at any depth.
fn shares(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(..)
        | DataType::RunEndEncoded(..)
        | DataType::Utf8View
        | DataType::BinaryView
        | DataType::ListView(_)
        | DataType::LargeListView(_) => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            shares(item.data_type())
        }
        DataType::Map(entries, _) => shares(entries.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| shares(field.data_type())),
        _ => false,
    }
}

/// Bytes of these rows of a column, written out.
fn spread(array: &dyn Array, rows: Range<usize>) -> u64 {
    if rows.is_empty() {
        return 0;
    }
    match array.data_type() {
        DataType::Dictionary(..) => {
            let dictionary = array.slice(rows.start, rows.len());
            let dictionary = dictionary.as_any_dictionary();
            let values = dictionary.values();
            if values.is_empty() {
                return 0;
            }
            let keys = dictionary.normalized_keys().into_iter();
            sum(keys.filter(|key| *key < values.len()).map(|key| one(values.as_ref(), key)))
        }
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => runs::<Int16Type>(array, rows),
            DataType::Int32 => runs::<Int32Type>(array, rows),
            _ => runs::<Int64Type>(array, rows),
        },
        DataType::Utf8View => of_views(&array.as_string_view().views()[rows]),
        DataType::BinaryView => of_views(&array.as_binary_view().views()[rows]),
        DataType::Utf8 => between(array.as_string::<i32>().value_offsets(), rows),
        DataType::LargeUtf8 => between(array.as_string::<i64>().value_offsets(), rows),
        DataType::Binary => between(array.as_binary::<i32>().value_offsets(), rows),
        DataType::LargeBinary => between(array.as_binary::<i64>().value_offsets(), rows),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            spread(list.values(), inside(list.value_offsets(), rows))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            spread(list.values(), inside(list.value_offsets(), rows))
        }
        DataType::ListView(_) => {
            let list = array.as_list_view::<i32>();
            sum(rows.map(|row| all(list.value(row).as_ref())))
        }
        DataType::LargeListView(_) => {
            let list = array.as_list_view::<i64>();
            sum(rows.map(|row| all(list.value(row).as_ref())))
        }
        DataType::FixedSizeList(_, size) => {
            let size = usize::try_from(*size).unwrap_or(0);
            spread(array.as_fixed_size_list().values(), rows.start * size..rows.end * size)
        }
        DataType::Map(..) => {
            let map = array.as_map();
            spread(map.entries(), inside(map.value_offsets(), rows))
        }
        DataType::Struct(_) => {
            sum(array.as_struct().columns().iter().map(|child| spread(child.as_ref(), rows.clone())))
        }
        DataType::FixedSizeBinary(size) => u64::from(size.unsigned_abs()).saturating_mul(rows.len() as u64),
        other => (other.primitive_width().unwrap_or(1) as u64).saturating_mul(rows.len() as u64),
    }
}

/// Bytes of one value.
fn one(values: &dyn Array, at: usize) -> u64 {
    spread(values, at..at + 1)
}

/// Bytes of all values.
fn all(values: &dyn Array) -> u64 {
    spread(values, 0..values.len())
}

/// The lower half of a view is its length (Columnar format, "Variable-size Binary View Layout").
fn of_views(views: &[u128]) -> u64 {
    sum(views.iter().map(|view| u64::from(*view as u32)))
}

fn runs<R: RunEndIndexType>(array: &dyn Array, rows: Range<usize>) -> u64 {
    let Some(runs) = array.as_any().downcast_ref::<arrow_array::RunArray<R>>() else { return 0 };
    sum(rows.map(|row| one(runs.values().as_ref(), runs.get_physical_index(row))))
}

fn inside<O: OffsetSizeTrait>(offsets: &[O], rows: Range<usize>) -> Range<usize> {
    offsets[rows.start].as_usize()..offsets[rows.end].as_usize()
}

fn between<O: OffsetSizeTrait>(offsets: &[O], rows: Range<usize>) -> u64 {
    inside(offsets, rows).len() as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::types::Int32Type as Keys;
    use arrow_array::{DictionaryArray, Int32Array, RunArray, StringArray, StringViewArray, StructArray};
    use arrow_schema::Field;

    use super::*;

    fn texts() -> StringArray {
        StringArray::from(vec!["", "four", "a text of twenty-one b"])
    }

    fn dictionary() -> DictionaryArray<Keys> {
        let keys = Int32Array::from(vec![Some(2), Some(0), None, Some(2), Some(1), Some(2), Some(1)]);
        DictionaryArray::try_new(keys, Arc::new(texts())).unwrap()
    }

    fn run() -> RunArray<Keys> {
        RunArray::try_new(&Int32Array::from(vec![3, 4, 7]), &texts()).unwrap()
    }

    /// Columns whose rows share values, and the same written out.
    fn pairs() -> Vec<(ArrayRef, ArrayRef)> {
        let long = ["a text of twenty-one b", "four", "", "four", "a text of twenty-one b", "four", "x"];
        let views = StringViewArray::from(long.to_vec());
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value(["four", "a text of twenty-one b"].map(Some));
        lists.append_null();
        (0..5).for_each(|_| lists.append_value(["x"].map(Some)));
        let lists: ArrayRef = Arc::new(lists.finish());
        let packed = Field::new_list_field(
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            true,
        );
        let packed = arrow_cast::cast(&lists, &DataType::List(Arc::new(packed))).unwrap();
        let shared: Vec<ArrayRef> = vec![Arc::new(dictionary()), Arc::new(run()), Arc::new(views)];
        let mut pairs: Vec<(ArrayRef, ArrayRef)> = shared
            .into_iter()
            .map(|shared| (shared.clone(), arrow_cast::cast(&shared, &DataType::Utf8).unwrap()))
            .collect();
        pairs.push((packed, lists));
        let of = |side: fn(&(ArrayRef, ArrayRef)) -> &ArrayRef| -> ArrayRef {
            let child = side(&pairs[0]).clone();
            let field = Arc::new(Field::new("a", child.data_type().clone(), true));
            Arc::new(StructArray::from(vec![(field, child)]))
        };
        let nested = (of(|pair| &pair.0), of(|pair| &pair.1));
        pairs.push(nested);
        let none = DictionaryArray::<Keys>::new(Int32Array::new_null(7), Arc::new(StringArray::new_null(0)));
        pairs.push((Arc::new(none), Arc::new(StringArray::new_null(7))));
        pairs
    }

    #[test]
    fn what_is_shared_is_counted_as_if_it_were_written_out() {
        for (shared, plain) in pairs() {
            assert!(shares(shared.data_type()) && !shares(plain.data_type()));
            for rows in (0..=7).flat_map(|start| (start..=7).map(move |end| start..end)) {
                let (found, wanted) = (spread(&shared, rows.clone()), spread(&plain, rows.clone()));
                assert_eq!(found, wanted, "{} {rows:?}", shared.data_type());
                let sliced = shared.slice(rows.start, rows.len());
                assert_eq!(spread(&sliced, 0..rows.len()), wanted, "{} {rows:?}", shared.data_type());
            }
        }
    }

    #[test]
    fn rows_are_as_many_as_fit_and_one_at_least() {
        let batch = RecordBatch::try_from_iter([("a", Arc::new(dictionary()) as ArrayRef)]).unwrap();
        assert_eq!(rows_within(&batch, 7, 1_000).unwrap(), 7);
        assert_eq!(rows_within(&batch, 7, 50).unwrap(), 4);
        assert_eq!(rows_within(&batch.slice(0, 0), 0, 50).unwrap(), 0);
        assert_eq!(rows_within(&batch, 7, 0).unwrap(), 1);
        let huge = StringArray::from(vec!["x".repeat(1 << 20)]);
        let keys = Int32Array::from(vec![0; 4_000]);
        let items = DictionaryArray::<Keys>::try_new(keys, Arc::new(huge)).unwrap();
        let item = Arc::new(Field::new_list_field(items.data_type().clone(), true));
        let ends = arrow_buffer::OffsetBuffer::from_lengths([4_000]);
        let list = arrow_array::ListArray::try_new(item, ends, Arc::new(items), None).unwrap();
        let batch = RecordBatch::try_from_iter([("a", Arc::new(list) as ArrayRef)]).unwrap();
        let error = rows_within(&batch, 1, 1_000).unwrap_err().to_string();
        assert!(error.starts_with("expansion ratio of the values of one row"), "{error}");
    }
}
