//! Provides the opening of the formats that hold types of their own; every error of such a table names its
//! file.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, OffsetSizeTrait, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use crate::avro::AvroSource;
use crate::carry::CarriedSource;
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::ipc::ArrowSource;
use crate::limits::ROW_COPIES;
use crate::parquet::ParquetSource;
use crate::registry::Format;
use crate::table::{Batches, TableSource};

/// Opens a table of this format, which was written by this program or by another whose rows are known to be
/// short.
pub(crate) fn open_binary(file: Arc<ObjectFile>, format: Format) -> Result<Box<dyn TableSource>> {
    open_bounded(file, format, usize::MAX)
}

/// The same, whose rows may have so many bytes.
pub(crate) fn open_bounded(
    file: Arc<ObjectFile>,
    format: Format,
    row_bytes_max: usize,
) -> Result<Box<dyn TableSource>> {
    let path = file.path().to_owned();
    let table: Box<dyn TableSource> = match format {
        Format::Parquet => CarriedSource::open(ParquetSource::open(file, row_bytes_max)?)?,
        Format::ArrowFile | Format::ArrowStream => CarriedSource::open(ArrowSource::open(file)?)?,
        Format::Avro => Box::new(AvroSource::open(file, row_bytes_max)?),
        text => return Err(Error::Bug(format!("{} is no binary format", text.name()))),
    };
    Ok(Box::new(InFile { table, path, row_bytes_max }))
}

/// The same table, with errors that name its file.
pub(crate) fn in_file(file: &ObjectFile, table: Box<dyn TableSource>) -> Box<dyn TableSource> {
    Box::new(InFile { table, path: file.path().to_owned(), row_bytes_max: usize::MAX })
}

/// A table whose errors name the file that it was opened from, and whose rows are bounded.
struct InFile {
    table: Box<dyn TableSource>,
    path: PathBuf,
    row_bytes_max: usize,
}

impl TableSource for InFile {
    fn schema(&self) -> &SchemaRef {
        self.table.schema()
    }

    fn rows(&self) -> u64 {
        self.table.rows()
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        self.table.byte_range(rows)
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let mut row = rows.start;
        let batches = self.table.batches(rows).map_err(|error| error.in_file(&self.path))?;
        let checked = move |batch: Result<RecordBatch>| {
            let batch = batch.map_err(|error| error.in_file(&self.path))?;
            check_rows(&batch, row, self.row_bytes_max).map_err(|error| error.in_file(&self.path))?;
            row += batch.num_rows() as u64;
            Ok(batch)
        };
        Ok(Box::new(batches.map(checked)))
    }

    fn held_bytes(&self) -> u64 {
        self.table.held_bytes()
    }

    fn notes(&self) -> Vec<String> {
        self.table.notes()
    }

    fn check_structure(&self) -> Result<()> {
        self.table.check_structure().map_err(|error| error.in_file(&self.path))
    }
}

/// Fails where a row of a batch, which begins at this row of the table, has more than `max` bytes.
fn check_rows(batch: &RecordBatch, first: u64, max: usize) -> Result<()> {
    let columns = batch.columns();
    let bytes =
        |rows: Range<usize>| columns.iter().map(|column| long_bytes(column, rows.clone())).sum::<usize>();
    if bytes(0..batch.num_rows()) <= max {
        return Ok(());
    }
    let Some(row) = (0..batch.num_rows()).find(|row| bytes(*row..row + 1) > max) else { return Ok(()) };
    let fields = batch.schema_ref().fields().iter();
    let longest = fields.zip(columns).max_by_key(|(_, column)| long_bytes(column, row..row + 1));
    let place = Place::at_row(first + row as u64 + 1);
    let place = longest.map_or(place.clone(), |(field, _)| place.column(field.name()));
    Err(row_too_long(place, bytes(row..row + 1) as u64, max as u64))
}

/// The refusal of a row of so many bytes.
pub(crate) fn row_too_long(place: Place, bytes: u64, max: u64) -> Error {
    let needed = bytes.div_ceil(1 << 20).saturating_mul(ROW_COPIES as u64);
    Error::Limit {
        place: Box::new(place),
        what: "the size of a row in bytes within this --memory",
        max,
        hint: format!("give it --memory {needed}MiB"),
    }
}

/// Bytes that are held of each element of a list beside its value, where it is decoded or encoded.
const ELEMENT_BYTES: usize = 4;

/// Bytes of the values in some rows of an array, and of what is held for each element of its lists.
fn long_bytes(array: &dyn Array, rows: Range<usize>) -> usize {
    fn between<O: OffsetSizeTrait>(offsets: &[O], rows: &Range<usize>) -> Range<usize> {
        offsets[rows.start].as_usize()..offsets[rows.end].as_usize()
    }
    let elements =
        |values: &dyn Array, rows: Range<usize>| ELEMENT_BYTES * rows.len() + long_bytes(values, rows);
    let views = |views: &[u128]| views[rows.clone()].iter().map(|view| *view as u32 as usize).sum();
    match array.data_type() {
        DataType::Utf8 => between(array.as_string::<i32>().value_offsets(), &rows).len(),
        DataType::LargeUtf8 => between(array.as_string::<i64>().value_offsets(), &rows).len(),
        DataType::Binary => between(array.as_binary::<i32>().value_offsets(), &rows).len(),
        DataType::LargeBinary => between(array.as_binary::<i64>().value_offsets(), &rows).len(),
        DataType::Utf8View => views(array.as_string_view().views()),
        DataType::BinaryView => views(array.as_binary_view().views()),
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            elements(lists.values(), between(lists.value_offsets(), &rows))
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            elements(lists.values(), between(lists.value_offsets(), &rows))
        }
        DataType::FixedSizeList(_, length) => {
            let length = usize::try_from(*length).unwrap_or(0);
            let values = array.as_fixed_size_list().values();
            elements(values, rows.start * length..rows.end * length)
        }
        DataType::Map(..) => {
            let map = array.as_map();
            elements(map.entries(), between(map.value_offsets(), &rows))
        }
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(|column| long_bytes(column, rows.clone())).sum()
        }
        DataType::FixedSizeBinary(width) => usize::try_from(*width).unwrap_or(0) * rows.len(),
        DataType::Boolean => rows.len(),
        other => other.primitive_width().unwrap_or(0) * rows.len(),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{BooleanBuilder, ListBuilder, StringBuilder};
    use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn a_row_of_more_bytes_than_memory_allows_is_found() {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in [vec!["a"; 3], vec!["bb"; 40], vec![]] {
            lists.append_value(row.into_iter().map(Some));
        }
        let columns: [(&str, ArrayRef); 3] = [
            ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
            ("lists", Arc::new(lists.finish())),
            ("text", Arc::new(StringViewArray::from(vec!["x", "y", "a text of more than a view"]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        check_rows(&batch, 0, 249).unwrap();
        check_rows(&batch.slice(2, 1), 0, 40).unwrap();
        let told = check_rows(&batch.slice(1, 2), 11, 248).unwrap_err().to_string();
        assert!(told.starts_with("record 12, column \"lists\": "), "{told}");
        assert!(told.ends_with("above the limit of 248; give it --memory 8MiB"), "{told}");
        let fixed = FixedSizeBinaryArray::try_from_iter([[0; 100], [1; 100]].into_iter()).unwrap();
        let mut truths = ListBuilder::new(BooleanBuilder::new());
        truths.append_value([Some(true); 50]);
        truths.append_null();
        let columns: [ArrayRef; 2] = [Arc::new(fixed), Arc::new(truths.finish())];
        let bytes = columns.map(|column| (long_bytes(&column, 0..1), long_bytes(&column, 0..2)));
        assert_eq!(bytes, [(100, 200), (50 * 5, 50 * 5)]);
    }
}
