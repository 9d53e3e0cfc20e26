//! Provides the plain form of Arrow types: how a reader holds values (dictionaries, views, runs) is not
//! content, so everything behind the readers sees one form of each logical type.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Decimal256Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, RecordBatch, RecordBatchOptions, UInt64Array,
};
use arrow_buffer::i256;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

use crate::carry::{Refusal, refuse_unions, type_told, union};
use crate::error::{Error, Place, Result};
use crate::guard::guarded;
use crate::limits::DEPTH_MAX;

/// The plain form of a schema. Metadata of fields and schema is kept, but for the library's own entries.
///
/// # Errors
/// A type that has no place in a table (unions), or nesting above [`DEPTH_MAX`].
pub fn schema(schema: &Schema) -> Result<SchemaRef> {
    let mut fields = Vec::with_capacity(schema.fields().len());
    let unions = schema.fields().iter().filter_map(|field| {
        refuse_unions(field.data_type()).err().map(|error| error.in_column(field.name()))
    });
    let unions: Vec<Error> = unions.collect();
    if !unions.is_empty() {
        return Err(Error::together(unions, Vec::new()));
    }
    for field in schema.fields() {
        let plain = plain_type(field.data_type(), 0).map_err(|error| error.in_column(field.name()))?;
        fields.push(
            Field::new(field.name(), plain, field.is_nullable()).with_metadata(field.metadata().clone()),
        );
    }
    Ok(Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())))
}

/// A note on the columns whose categories have an order: it is no content, and neither are categories without
/// rows.
pub(crate) fn orders(schema: &Schema) -> Option<String> {
    let ordered = schema.fields().iter().filter(|field| is_ordered(field));
    let names: Vec<String> = ordered.map(|field| format!("{:?}", field.name())).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!(
            "the categories of {names} have an order: it is not kept, and neither are categories without rows"
        )
    })
}

/// Whether a field, or one inside of it, is a dictionary with an order.
fn is_ordered(field: &Field) -> bool {
    match field.data_type() {
        DataType::Dictionary(..) => field.dict_is_ordered() == Some(true),
        DataType::RunEndEncoded(_, inner)
        | DataType::List(inner)
        | DataType::ListView(inner)
        | DataType::LargeList(inner)
        | DataType::LargeListView(inner)
        | DataType::FixedSizeList(inner, _)
        | DataType::Map(inner, _) => is_ordered(inner),
        DataType::Struct(fields) => fields.iter().any(|field| is_ordered(field)),
        _ => false,
    }
}

/// The plain form of a type.
fn plain_type(data_type: &DataType, depth: usize) -> Result<DataType> {
    if depth > DEPTH_MAX {
        return Err(Error::Limit {
            place: Box::default(),
            what: "the nesting of a column",
            max: DEPTH_MAX as u64,
            hint: "flatten the column before converting it".into(),
        });
    }
    let inner = |field: &FieldRef| -> Result<FieldRef> {
        let plain = plain_type(field.data_type(), depth + 1)?;
        Ok(Arc::new(
            Field::new(field.name(), plain, field.is_nullable()).with_metadata(field.metadata().clone()),
        ))
    };
    Ok(match data_type {
        DataType::Dictionary(_, value) => plain_type(value, depth + 1)?,
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type(), depth + 1)?,
        DataType::Utf8View => DataType::Utf8,
        DataType::Decimal32(precision @ (0 | 10..), _)
        | DataType::Decimal64(precision @ (0 | 19..), _)
        | DataType::Decimal128(precision @ (0 | 39..), _)
        | DataType::Decimal256(precision @ (0 | 77..), _) => {
            let what = format!("a decimal of its width does not have {precision} digits");
            return Err(Error::malformed("table", Place::default(), what));
        }
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => plain_decimal(*precision, *scale)?,
        DataType::FixedSizeBinary(size) | DataType::FixedSizeList(_, size) if *size < 0 => {
            let what = format!("a type of a fixed size has a size of {size}");
            return Err(Error::malformed("table", Place::default(), what));
        }
        // Both mean a moment without a zone (Schema.fbs of Arrow), and writers write the second.
        DataType::Timestamp(unit, Some(zone)) if zone.is_empty() => DataType::Timestamp(*unit, None),
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) | DataType::ListView(item) => DataType::List(inner(item)?),
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::LargeList(inner(item)?),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(inner(item)?, *size),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(inner).collect::<Result<Vec<_>>>().map(Fields::from)?)
        }
        DataType::Map(entries, sorted) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => DataType::Map(inner(entries)?, *sorted),
            other => {
                let what = format!("the entries of a map are pairs, and not of type {other}");
                return Err(Error::malformed("table", Place::default(), what));
            }
        },
        DataType::Union(..) => return Err(union(&type_told(data_type))?),
        other => other.clone(),
    })
}

/// The content of a decimal has one width below 39 digits, whatever its holder, and those after its point are
/// digits of it: 0.0012 is of two for some writers, and of four here as for most readers.
fn plain_decimal(precision: u8, scale: i8) -> Result<DataType> {
    match precision.max(u8::try_from(scale).unwrap_or(0)) {
        digits @ ..=38 => Ok(DataType::Decimal128(digits, scale)),
        digits @ ..=76 => Ok(DataType::Decimal256(digits, scale)),
        _ => {
            let what = format!("a decimal of {scale} digits after the point");
            let loses = "those behind the 76 that a decimal can have";
            let instead = "cast the column to text or floating point in the source";
            Err(Refusal::new("a table", what, loses, instead).at(Place::default()))
        }
    }
}

/// The same rows in the plain form of their schema.
///
/// # Errors
/// Values that their type does not have: see [`check_values`]. Rows are counted within the batch.
pub fn batch(batch: &RecordBatch, plain: &SchemaRef) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (array, field) in batch.columns().iter().zip(plain.fields()) {
        let array = match array.data_type() == field.data_type() {
            true => array.clone(),
            false => cast(array, field)?,
        };
        check_values(array.as_ref()).map_err(|error| unfit(&error, &array, field))?;
        columns.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(plain.clone(), columns, &options)
        .map_err(|error| Error::malformed("table", Place::default(), error.to_string()))
}

/// A column in its plain form. The library narrows decimals without a look at their values, which are the
/// bytes of others, and panics on one that does not fit: the check before tells which, the guard covers what
/// is inside of dictionaries and runs.
fn cast(array: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    check_values(array.as_ref()).map_err(|error| unfit(&error, array, field))?;
    let array = &with_zeros_under_nulls(array);
    let call = || arrow_cast::cast(array, field.data_type()).map_err(|error| malformed(&error, field.name()));
    guarded("table", call).map_err(|error| error.in_column(field.name()))
}

/// The same column. Under a null may stand any bytes, and the library narrows those as well.
fn with_zeros_under_nulls(array: &ArrayRef) -> ArrayRef {
    match array.as_primitive_opt::<Decimal256Type>() {
        Some(decimals) if decimals.null_count() > 0 => {
            let cleared: PrimitiveArray<Decimal256Type> = decimals.iter().collect();
            Arc::new(cleared.with_data_type(array.data_type().clone()))
        }
        _ => array.clone(),
    }
}

/// Refuses values that their type does not have, which libraries pass on as they are: decimals of more
/// digits than their precision, and times that are not within a day.
pub fn check_values(array: &dyn Array) -> Result<(), ArrowError> {
    match array.data_type() {
        DataType::Decimal128(precision, _) => {
            let bound = 10i128.pow(u32::from(*precision));
            below(array.as_primitive::<Decimal128Type>(), |v| -bound < v && v < bound)
        }
        DataType::Decimal256(precision, _) => {
            let bound = i256::from_i128(10).wrapping_pow(u32::from(*precision));
            below(array.as_primitive::<Decimal256Type>(), |v| bound.wrapping_neg() < v && v < bound)
        }
        DataType::Time32(TimeUnit::Second) => {
            within_day(array.as_primitive::<Time32SecondType>(), i64::from, 86_400)
        }
        DataType::Time32(_) => {
            within_day(array.as_primitive::<Time32MillisecondType>(), i64::from, 86_400_000)
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            within_day(array.as_primitive::<Time64NanosecondType>(), |v| v, 86_400_000_000_000)
        }
        DataType::Time64(_) => {
            within_day(array.as_primitive::<Time64MicrosecondType>(), |v| v, 86_400_000_000)
        }
        DataType::List(_) => check_values(array.as_list::<i32>().values().as_ref()),
        DataType::LargeList(_) => check_values(array.as_list::<i64>().values().as_ref()),
        DataType::FixedSizeList(..) => check_values(array.as_fixed_size_list().values().as_ref()),
        DataType::Map(..) => check_values(array.as_map().entries()),
        DataType::Struct(_) => {
            array.as_struct().columns().iter().try_for_each(|child| check_values(child.as_ref()))
        }
        _ => Ok(()),
    }
}

fn below<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    good: impl Fn(T::Native) -> bool,
) -> Result<(), ArrowError> {
    match array.iter().flatten().find(|value| !good(*value)) {
        None => Ok(()),
        Some(value) => {
            let what = format!("the unscaled decimal {value:?} has more digits than its type");
            Err(ArrowError::InvalidArgumentError(what))
        }
    }
}

fn within_day<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    widen: impl Fn(T::Native) -> i64,
    day: i64,
) -> Result<(), ArrowError> {
    let good = |value: T::Native| (0..day).contains(&widen(value));
    match array.iter().flatten().find(|value| !good(*value)) {
        None => Ok(()),
        Some(value) => Err(ArrowError::InvalidArgumentError(format!("{value:?} is no time of day"))),
    }
}

/// A value that its type does not have.
fn unfit(error: &ArrowError, array: &ArrayRef, field: &Field) -> Error {
    // A slice of lists has all their values.
    let row_of = |row| arrow_select::take::take(array, &UInt64Array::from(vec![row]), None);
    let row = (0..array.len() as u64).find(|row| row_of(*row).is_ok_and(|row| check_values(&row).is_err()));
    let row = row.map(|row| row + 1);
    let what = match error {
        ArrowError::InvalidArgumentError(what) => what.clone(),
        other => other.to_string(),
    };
    let what = format!("a value that type {} does not have ({what})", type_told(field.data_type()));
    let instead = "give the column another type in the source, such as int64 for times and text for decimals";
    Refusal::new("a table", what, "the value", instead)
        .at(Place { row, ..Place::default().column(field.name()) })
}

fn malformed(error: &ArrowError, column: &str) -> Error {
    Error::malformed("table", Place::default().column(column), error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{
        Decimal128Array, Decimal256Array, DictionaryArray, Int32Array, ListArray, TimestampMicrosecondArray,
    };

    fn normalised(array: ArrayRef) -> Result<RecordBatch> {
        let rows = RecordBatch::try_from_iter([("a", array)]).unwrap();
        batch(&rows, &schema(rows.schema_ref())?)
    }

    #[test]
    fn a_decimal_that_does_not_fit_its_digits_is_refused_and_no_panic() {
        let of = |value: i256| Decimal256Array::from(vec![value]).with_precision_and_scale(38, 2).unwrap();
        let fits = normalised(Arc::new(of(i256::from_i128(123)))).unwrap();
        assert_eq!(fits.column(0).data_type(), &DataType::Decimal128(38, 2));
        for value in [i256::MAX, i256::MIN, i256::from_i128(i128::MAX)] {
            let error = normalised(Arc::new(of(value))).unwrap_err().to_string();
            assert!(error.contains("column \"a\"") && error.contains("digits"), "{error}");
            let keys = Int32Array::from(vec![0]);
            let dictionary = DictionaryArray::try_new(keys, Arc::new(of(value))).unwrap();
            let error = normalised(Arc::new(dictionary)).unwrap_err().to_string();
            assert!(error.contains("column \"a\""), "{error}");
        }
    }

    #[test]
    fn a_fixed_size_below_zero_is_malformed_even_without_rows() {
        let item = Arc::new(Field::new("item", DataType::Int32, true));
        for broken in [DataType::FixedSizeBinary(-5), DataType::FixedSizeList(item, -1)] {
            let within = Fields::from(vec![Field::new("b", broken.clone(), true)]);
            for held in [broken, DataType::Struct(within)] {
                let error = schema(&Schema::new(vec![Field::new("a", held, true)])).unwrap_err();
                assert!(matches!(error, Error::Malformed { .. }), "{error}");
                assert!(error.to_string().contains("column \"a\""), "{error}");
            }
        }
    }

    #[test]
    fn a_time_beyond_the_day_is_refused_with_its_record_type_loss_and_way_on() {
        let times: ArrayRef = Arc::new(arrow_array::Time32SecondArray::from(vec![5, 86_399, 90_000]));
        let item = Arc::new(Field::new("item", times.data_type().clone(), true));
        let offsets = arrow_buffer::OffsetBuffer::from_lengths([1, 0, 2]);
        let lists: ArrayRef = Arc::new(ListArray::new(item, offsets, times.clone(), None));
        for (array, ty) in [(times, "time32[s]"), (lists, "list<time32[s]>")] {
            let told = normalised(array).unwrap_err().to_string();
            let start =
                format!("record 3, column \"a\": a table cannot carry a value that type {ty} does not");
            assert!(told.starts_with(&start), "{told}");
            assert!(told.contains("90000 is no time of day): it would lose the value; no option"), "{told}");
        }
    }

    #[test]
    fn what_stands_under_a_null_is_no_decimal() {
        let nulls = arrow_buffer::NullBuffer::from(vec![true, false]);
        let values = vec![i256::from_i128(5), i256::MAX].into();
        let garbage = Decimal256Array::new(values, Some(nulls)).with_precision_and_scale(38, 2).unwrap();
        let found = normalised(Arc::new(garbage)).unwrap();
        let found = found.column(0).as_primitive::<arrow_array::types::Decimal128Type>();
        assert_eq!(found.iter().collect::<Vec<_>>(), [Some(5), None]);
    }

    #[test]
    fn digits_after_the_point_are_digits() {
        let values = Decimal128Array::from(vec![12_345, -1]);
        let of = |digits, scale| -> ArrayRef {
            Arc::new(values.clone().with_data_type(DataType::Decimal128(digits, scale)))
        };
        let found = normalised(of(5, 10)).unwrap();
        assert_eq!(found.column(0).data_type(), &DataType::Decimal128(10, 10));
        assert_eq!(found.column(0).as_primitive::<Decimal128Type>().values(), &[12_345, -1]);
        let found = normalised(of(30, 40)).unwrap();
        assert_eq!(found.column(0).data_type(), &DataType::Decimal256(40, 40));
        let error = normalised(of(5, 77)).unwrap_err().to_string();
        assert!(error.contains("column \"a\"") && error.contains("77 digits"), "{error}");
    }

    #[test]
    fn an_empty_zone_is_none() {
        let moments = TimestampMicrosecondArray::from(vec![Some(-7), None]);
        let empty: ArrayRef = Arc::new(moments.clone().with_timezone(""));
        let found = normalised(empty.clone()).unwrap();
        assert_eq!(found.column(0).as_ref(), &moments as &dyn Array);
        let item = Arc::new(Field::new("item", empty.data_type().clone(), true));
        let offsets = arrow_buffer::OffsetBuffer::from_lengths([2]);
        let list = normalised(Arc::new(ListArray::new(item, offsets, empty, None))).unwrap();
        assert_eq!(list.column(0).as_list::<i32>().values().as_ref(), &moments as &dyn Array);
    }
}
