//! Provides the check of columns of which the library's readers would cut something off without a word:
//! moments of 96 bits, which 64 bits of nanoseconds do not all hold, and intervals of months, days and
//! milliseconds, of which Arrow has types for the months and for the rest.
//!
//! Such columns are read once in each type that the library has for them. They get the one that holds all of
//! their values, and where there is none the file is refused.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, IntervalDayTimeType, IntervalYearMonthType, TimestampMicrosecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection, RowSelector};
use parquet::basic::{ConvertedType, Type};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::ColumnDescPtr;

use super::decode::{Chunks, rows_of};
use super::groups::Groups;
use super::{NAME, malformed, pages, told};
use crate::carry::Refusal;
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::guard::guarded;
use crate::limits::BATCH_ROWS;

/// A leaf that is looked at: its types are those of the library's readings, of which the first is what it
/// would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Moment,
    Interval,
}

/// What was found of one leaf.
#[derive(Debug, Default)]
struct Found {
    /// The first row, from 0, that nanoseconds do not hold.
    far: Option<u64>,
    /// The first row that microseconds do not hold exactly.
    fine: Option<u64>,
    /// The first row that has months, and the first that has days or milliseconds.
    months: Option<u64>,
    days: Option<u64>,
}

/// Columns that are looked at.
struct Looked<'a> {
    file: &'a Arc<ObjectFile>,
    metadata: &'a Arc<ParquetMetaData>,
    /// What each leaf of the file is.
    kinds: Vec<Option<Kind>>,
    /// The columns with a leaf that is looked at.
    roots: Vec<usize>,
    /// The leaves of these columns, by their positions in the file.
    leaves: Vec<usize>,
}

/// The schema by which all values are read as they are.
///
/// # Errors
/// `Unsupported` where no type holds all values of a column.
pub(super) fn settled(
    file: &Arc<ObjectFile>,
    metadata: &Arc<ParquetMetaData>,
    held: &SchemaRef,
) -> Result<SchemaRef> {
    let columns = metadata.file_metadata().schema_descr();
    let kind = |leaf: &ColumnDescPtr| match leaf.physical_type() {
        Type::INT96 => Some(Kind::Moment),
        _ => (leaf.converted_type() == ConvertedType::INTERVAL).then_some(Kind::Interval),
    };
    let kinds: Vec<Option<Kind>> = columns.columns().iter().map(kind).collect();
    let root = |leaf: usize| columns.get_column_root_idx(leaf);
    let roots: Vec<usize> = (0..kinds.len()).filter(|leaf| kinds[*leaf].is_some()).map(root).collect();
    if roots.is_empty() {
        return Ok(held.clone());
    }
    let leaves = (0..kinds.len()).filter(|leaf| roots.contains(&root(*leaf))).collect();
    let looked = Looked { file, metadata, kinds, roots, leaves };
    looked.chosen(held, &looked.found(held)?)
}

impl Looked<'_> {
    /// Reads the columns in each type that the library has for them.
    fn found(&self, held: &SchemaRef) -> Result<Vec<Found>> {
        let under = |moment: TimeUnit, interval: IntervalUnit| {
            retyped(held, &mut |leaf, _| match self.kinds[leaf]? {
                Kind::Moment => Some(DataType::Timestamp(moment, None)),
                Kind::Interval => Some(DataType::Interval(interval)),
            })
        };
        let readings = [
            under(TimeUnit::Nanosecond, IntervalUnit::DayTime),
            under(TimeUnit::Microsecond, IntervalUnit::YearMonth),
            under(TimeUnit::Second, IntervalUnit::DayTime),
        ];
        let mut found: Vec<Found> = self.leaves.iter().map(|_| Found::default()).collect();
        let mut row = 0;
        for group in 0..self.metadata.num_row_groups() {
            let first = row + 1;
            guarded(NAME, || self.look_at(group, &readings, &mut found, &mut row))
                .map_err(|error| error.at_row(first))?;
        }
        Ok(found)
    }

    /// Looks at a row group, which begins after so many rows.
    fn look_at(
        &self,
        group: usize,
        readings: &[SchemaRef; 3],
        found: &mut [Found],
        row: &mut u64,
    ) -> Result<()> {
        self.check_pages(self.metadata.row_group(group))?;
        let [first, second, third] = readings;
        let mut readers = [self.rows(group, first)?, self.rows(group, second)?, self.rows(group, third)?];
        while let [Some(first), Some(second), Some(third)] =
            readers.each_mut().map(ParquetRecordBatchReader::next)
        {
            let decoded = |batch: std::result::Result<RecordBatch, ArrowError>| {
                batch.map_err(|error| {
                    let what = format!("the next rows cannot be decoded: {}", told(&error));
                    Error::malformed(NAME, Place::at_row(*row + 1), what)
                })
            };
            let batches = [decoded(first)?, decoded(second)?, decoded(third)?];
            self.look(&batches, found, *row);
            *row += batches[0].num_rows() as u64;
        }
        Ok(())
    }

    /// Looks at the sizes of pages before the library does.
    fn check_pages(&self, group: &RowGroupMetaData) -> Result<()> {
        self.leaves.iter().try_for_each(|leaf| {
            let column = group.column(*leaf);
            let checked = pages::check(self.file, column, group.num_rows(), usize::MAX);
            checked.map(drop).map_err(|error| error.in_column(&column.column_path().string()))
        })
    }

    /// The rows of a row group in these types.
    fn rows(&self, group: usize, schema: &Schema) -> Result<ParquetRecordBatchReader> {
        let (chunks, metadata) = (Arc::new(Chunks(self.file.clone())), self.metadata.clone());
        let count = usize::try_from(metadata.row_group(group).num_rows()).unwrap_or(0);
        let mask = ProjectionMask::roots(metadata.file_metadata().schema_descr(), self.roots.iter().copied());
        let all = RowSelection::from(vec![RowSelector::select(count)]);
        rows_of(Groups { chunks, metadata, groups: vec![group] }, schema, mask, BATCH_ROWS, all)
            .map_err(malformed)
    }

    /// Takes note of what the readings of some rows, of which the first is row `row`, have of each leaf.
    fn look(&self, batches: &[RecordBatch; 3], found: &mut [Found], row: u64) {
        let leaves = batches.each_ref().map(|batch| {
            let mut leaves = Vec::new();
            batch.columns().iter().for_each(|column| leaves_of(column, &mut leaves));
            leaves
        });
        for (at, (leaf, found)) in self.leaves.iter().zip(found).enumerate() {
            let [first, second, third] = leaves.each_ref().map(|leaves| &leaves[at]);
            match self.kinds[*leaf] {
                Some(Kind::Moment) => moments(first, second, third, found, row),
                Some(Kind::Interval) => intervals(first, second, found, row),
                None => {}
            }
        }
    }

    /// The schema with the types that hold what was found.
    fn chosen(&self, held: &SchemaRef, found: &[Found]) -> Result<SchemaRef> {
        let mut unfit = None;
        let schema = retyped(held, &mut |leaf, known| {
            let found = &found[self.leaves.iter().position(|at| *at == leaf)?];
            let chosen = match self.kinds[leaf]? {
                Kind::Moment => found.moment(plain(known)),
                Kind::Interval => found.interval(plain(known)),
            };
            let refused = |(row, what, loses, instead): Unfit| {
                let described = self.metadata.file_metadata().schema_descr().column(leaf);
                // Within a list, values are counted and not rows.
                let place =
                    if described.max_rep_level() > 0 { Place::default() } else { Place::at_row(row + 1) };
                let place = place.column(described.path().string());
                unfit.get_or_insert(Refusal::new("a table", what, loses, instead).at(place));
            };
            chosen.map_err(refused).ok()
        });
        unfit.map_or(Ok(schema), Err)
    }
}

/// The type of the values, however they are held.
fn plain(known: &DataType) -> &DataType {
    match known {
        DataType::Dictionary(_, value) => value,
        other => other,
    }
}

type Unfit = (u64, &'static str, &'static str, &'static str);

impl Found {
    /// The type of moments that holds all.
    fn moment(&self, known: &DataType) -> std::result::Result<DataType, Unfit> {
        match (known, self.far, self.fine) {
            (DataType::Timestamp(TimeUnit::Nanosecond, _), None, _) => Ok(known.clone()),
            (DataType::Timestamp(TimeUnit::Microsecond, _), _, None) => Ok(known.clone()),
            (DataType::Timestamp(_, zone), None, _) => {
                Ok(DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()))
            }
            (DataType::Timestamp(_, zone), _, None) => {
                Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
            }
            (_, far, fine) => {
                let what = "moments (type int96) before 1677 or after 2262 beside some with nanoseconds, or \
                            ones that no timestamp holds";
                let instead = "write the column as timestamps of 64 bits in the source";
                Err((far.or(fine).unwrap_or(0), what, "days or nanoseconds of them", instead))
            }
        }
    }

    /// The type of intervals that holds all.
    fn interval(&self, known: &DataType) -> std::result::Result<DataType, Unfit> {
        match (known, self.months, self.days) {
            (DataType::Interval(IntervalUnit::YearMonth), _, None) => Ok(known.clone()),
            (_, None, _) => Ok(DataType::Interval(IntervalUnit::DayTime)),
            (_, Some(_), None) => Ok(DataType::Interval(IntervalUnit::YearMonth)),
            (_, Some(months), Some(days)) => {
                let what = "intervals with months (type interval) beside ones with days or milliseconds";
                let instead = "write the column as text, or as a column of each, in the source";
                Err((months.max(days), what, "one or the other", instead))
            }
        }
    }
}

/// The same schema with other types of leaves, each told by its position in the file.
pub(super) fn retyped(held: &Schema, of: &mut dyn FnMut(usize, &DataType) -> Option<DataType>) -> SchemaRef {
    let mut leaf = 0;
    let fields = held.fields().iter().map(|field| retyped_field(field, &mut leaf, of));
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), held.metadata().clone()))
}

fn retyped_field(
    field: &Arc<Field>,
    leaf: &mut usize,
    of: &mut dyn FnMut(usize, &DataType) -> Option<DataType>,
) -> Arc<Field> {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| retyped_field(field, leaf, of)).collect())
        }
        DataType::List(item) => DataType::List(retyped_field(item, leaf, of)),
        DataType::LargeList(item) => DataType::LargeList(retyped_field(item, leaf, of)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(retyped_field(item, leaf, of), *size),
        DataType::Map(entries, sorted) => DataType::Map(retyped_field(entries, leaf, of), *sorted),
        plain => {
            let position = std::mem::replace(leaf, *leaf + 1);
            of(position, plain).unwrap_or_else(|| plain.clone())
        }
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// The leaves of an array, in the order of the file.
fn leaves_of(array: &ArrayRef, out: &mut Vec<ArrayRef>) {
    match array.data_type() {
        DataType::Struct(_) => array.as_struct().columns().iter().for_each(|column| leaves_of(column, out)),
        DataType::List(_) => leaves_of(array.as_list::<i32>().values(), out),
        DataType::LargeList(_) => leaves_of(array.as_list::<i64>().values(), out),
        DataType::FixedSizeList(..) => leaves_of(array.as_fixed_size_list().values(), out),
        DataType::Map(..) => {
            array.as_map().entries().columns().iter().for_each(|column| leaves_of(column, out))
        }
        _ => out.push(array.clone()),
    }
}

/// The values of a leaf that are not null, with their positions.
fn valid<'a, T: ArrowPrimitiveType>(array: &'a ArrayRef) -> impl Iterator<Item = (usize, T::Native)> + 'a {
    let values = array.as_primitive_opt::<T>();
    let count = values.map_or(0, Array::len);
    (0..count).filter_map(move |at| {
        values.filter(|values| values.is_valid(at)).map(|values| (at, values.value(at)))
    })
}

/// Nanoseconds and microseconds wrap around, seconds do not.
fn moments(nanos: &ArrayRef, micros: &ArrayRef, seconds: &ArrayRef, found: &mut Found, row: u64) {
    let nanos = valid::<TimestampNanosecondType>(nanos);
    let others = valid::<TimestampMicrosecondType>(micros).zip(valid::<TimestampSecondType>(seconds));
    for ((at, nanos), ((_, micros), (_, seconds))) in nanos.zip(others) {
        let row = row + at as u64;
        let rest = nanos.wrapping_sub(micros.wrapping_mul(1_000));
        let whole = micros.checked_mul(1_000).and_then(|micros| micros.checked_add(rest)) == Some(nanos);
        if !whole {
            found.far.get_or_insert(row);
        }
        if rest != 0 || micros.div_euclid(1_000_000) != seconds {
            found.fine.get_or_insert(row);
        }
    }
}

fn intervals(days: &ArrayRef, months: &ArrayRef, found: &mut Found, row: u64) {
    let days = valid::<IntervalDayTimeType>(days);
    for ((at, days), (_, months)) in days.zip(valid::<IntervalYearMonthType>(months)) {
        if months != 0 {
            found.months.get_or_insert(row + at as u64);
        }
        if days.days != 0 || days.milliseconds != 0 {
            found.days.get_or_insert(row + at as u64);
        }
    }
}
