//! Provides the type under which two columns of different types are compared, and the casts to it. A cast
//! that would lose something is an error: what is lost could make two values equal.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Date64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::{CastOptions, cast, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use coherence::distance::cells_equal;

use crate::cells::{cells, logical_type};
use crate::error::{Error, Place, Result};
use crate::text::{ColumnFormatter, ColumnTyping};

/// The type that holds the values of both; text where no other does.
pub(super) fn common_type(a: &DataType, b: &DataType) -> DataType {
    use DataType as T;
    match (a, b) {
        (a, b) if a == b => a.clone(),
        (a, b) if a.is_nested() && b.is_nested() => nested(a, b).unwrap_or(T::Utf8),
        (T::Null, other) | (other, T::Null) => other.clone(),
        (a, b) if a.is_integer() && b.is_integer() => integers(a, b),
        (a, b) if a.is_floating() && b.is_floating() => wider(a, b),
        (a, b) if a.is_decimal() && b.is_decimal() => decimals(a, b),
        (a, b) if a.is_decimal() && b.is_integer() => decimals(a, &T::Decimal128(20, 0)),
        (a, b) if a.is_integer() && b.is_decimal() => decimals(&T::Decimal128(20, 0), b),
        (a, b) if a.is_numeric() && b.is_numeric() => T::Float64,
        (T::Date32 | T::Date64, T::Date32 | T::Date64) => T::Date64,
        (T::Date32, T::Timestamp(..)) => b.clone(),
        (T::Timestamp(..), T::Date32) => a.clone(),
        (T::Date64, T::Timestamp(unit, zone)) | (T::Timestamp(unit, zone), T::Date64) => {
            T::Timestamp(finer(TimeUnit::Millisecond, *unit), zone.clone())
        }
        (T::Timestamp(x, zone), T::Timestamp(y, other)) => {
            T::Timestamp(finer(*x, *y), zone.clone().or(other.clone()))
        }
        (T::Time32(x) | T::Time64(x), T::Time32(y) | T::Time64(y)) => match finer(*x, *y) {
            unit @ (TimeUnit::Second | TimeUnit::Millisecond) => T::Time32(unit),
            unit => T::Time64(unit),
        },
        (T::Duration(x), T::Duration(y)) => T::Duration(finer(*x, *y)),
        (a, b) if is_binary(a) && is_binary(b) => T::LargeBinary,
        _ => T::Utf8,
    }
}

/// The same of two nested types, where their innermost ones have a common type that is no text of both: `1.0`
/// in lists of both widths of floating point is not one number.
fn nested(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType as T;
    let child = |a: &FieldRef, b: &FieldRef| {
        let (mine, theirs) = (a.data_type(), b.data_type());
        let common = if mine.is_nested() && theirs.is_nested() && mine != theirs {
            nested(mine, theirs)?
        } else if mine == theirs || alike(mine, theirs) {
            common_type(mine, theirs)
        } else {
            return None;
        };
        Some(Arc::new(Field::new(a.name(), common, true)))
    };
    match (a, b) {
        (
            T::List(a) | T::LargeList(a) | T::FixedSizeList(a, _),
            T::List(b) | T::LargeList(b) | T::FixedSizeList(b, _),
        ) => child(a, b).map(T::LargeList),
        (T::Struct(a), T::Struct(b)) if a.len() == b.len() => {
            let same = a.iter().zip(b).all(|(a, b)| a.name() == b.name());
            let fields = a.iter().zip(b).map(|(a, b)| child(a, b)).collect::<Option<Vec<_>>>()?;
            same.then(|| T::Struct(fields.into()))
        }
        _ => None,
    }
}

/// Whether each of two types has the values of the other but for their width, unit or digits.
fn alike(a: &DataType, b: &DataType) -> bool {
    use DataType as T;
    let both = |is: fn(&DataType) -> bool| is(a) && is(b);
    both(DataType::is_integer)
        || both(DataType::is_floating)
        || both(DataType::is_decimal)
        || both(is_binary)
        || matches!((a, b), (T::Timestamp(_, x), T::Timestamp(_, y)) if x == y)
        || matches!((a, b), (T::Duration(_), T::Duration(_)))
        || both(|ty| matches!(ty, T::Time32(_) | T::Time64(_)))
        || both(|ty| matches!(ty, T::Utf8 | T::LargeUtf8 | T::Utf8View))
}

fn is_binary(ty: &DataType) -> bool {
    matches!(ty, DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_))
}

fn wider(a: &DataType, b: &DataType) -> DataType {
    if a.primitive_width() >= b.primitive_width() { a.clone() } else { b.clone() }
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    a.max(b)
}

fn integers(a: &DataType, b: &DataType) -> DataType {
    if a.is_signed_integer() == b.is_signed_integer() {
        return wider(a, b);
    }
    let (signed, unsigned) = if a.is_signed_integer() { (a, b) } else { (b, a) };
    match (signed, unsigned) {
        (_, DataType::UInt64) => DataType::Decimal128(20, 0),
        (signed, unsigned) if signed.primitive_width() > unsigned.primitive_width() => signed.clone(),
        _ => DataType::Int64,
    }
}

/// A decimal with the digits of both before and after the point; text where no decimal has that many.
fn decimals(a: &DataType, b: &DataType) -> DataType {
    let parts = |ty: &DataType| match ty {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            (i16::from(*precision), i16::from(*scale))
        }
        _ => (20, 0),
    };
    let ((p, s), (q, t)) = (parts(a), parts(b));
    let scale = s.max(t);
    let precision = (p - s).max(q - t) + scale;
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision @ ..=38), Ok(scale)) => DataType::Decimal128(precision, scale),
        (Ok(precision @ ..=76), Ok(scale)) => DataType::Decimal256(precision, scale),
        _ => DataType::Utf8,
    }
}

/// An array under the common type. `first` is the row of its first value, for errors.
pub(super) fn cast_to(array: &ArrayRef, to: &DataType, of: &Field, first: u64) -> Result<ArrayRef> {
    let name = of.name();
    if array.data_type() == to {
        return Ok(array.clone());
    }
    if *to == DataType::Utf8 && logical_type(array.data_type())? != logical_type(to)? {
        return Ok(Arc::new(texts(of, array.as_ref())?));
    }
    if let Some(row) = beyond_unit(array, to) {
        return Err(lossy(array, to, name, first, |at| at == row));
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let found = cast_with_options(array, to, &strict);
    let found = found.map_err(|_| lossy(array, to, name, first, |_| true))?;
    if array.data_type().is_numeric() && to.is_floating() && !array.data_type().is_floating() {
        let back = cast(&found, array.data_type());
        let back = back.map_err(|error| Error::Bug(format!("casting back: {error}")))?;
        let (before, after) = (cells(array.as_ref())?, cells(back.as_ref())?);
        let lost = |row: usize| !cells_equal(&before, row, &after, row);
        if (0..array.len()).any(lost) {
            return Err(lossy(array, to, name, first, lost));
        }
    }
    Ok(found)
}

/// The first row of dates that a timestamp of this unit cannot hold, of which the cast does not say so.
fn beyond_unit(array: &ArrayRef, to: &DataType) -> Option<usize> {
    let DataType::Timestamp(unit, _) = to else { return None };
    let a_second: i64 = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let fits = |value: i64, parts: i64| value.checked_mul(parts).is_some();
    let beyond = |row: usize| match array.data_type() {
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            !fits(i64::from(days), 86_400 * a_second)
        }
        DataType::Date64 => !fits(array.as_primitive::<Date64Type>().value(row), a_second / 1_000),
        _ => false,
    };
    (0..array.len()).find(|row| array.is_valid(*row) && beyond(*row))
}

fn lossy(array: &ArrayRef, to: &DataType, name: &str, first: u64, lost: impl Fn(usize) -> bool) -> Error {
    let row = (0..array.len()).find(|row| array.is_valid(*row) && lost(*row)).unwrap_or(0);
    let typing = ColumnTyping::default_for(array.data_type());
    let value = typing.and_then(|typing| text_of(&typing, array.slice(row, 1).as_ref()));
    let value = value.ok().flatten().unwrap_or_default();
    let types = (logical_type(array.data_type()), logical_type(to));
    let (from, to) = match types {
        (Ok(from), Ok(to)) => (from.to_string(), to.to_string()),
        _ => (array.data_type().to_string(), to.to_string()),
    };
    let what = format!("the {from} {value} does not fit {to}, under which the two sides would be compared");
    let hint = "convert one side to the type of the other first";
    Error::unsupported(Place::at_row(first + row as u64 + 1).column(name), what, hint)
}

/// The text of every value of a column, in the style that it has by default.
fn texts(of: &Field, array: &dyn Array) -> Result<arrow_array::StringArray> {
    let typing = ColumnTyping::default_of(of)?;
    let formatter = ColumnFormatter::new(&typing, array)?;
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut bytes = Vec::new();
    for row in 0..array.len() {
        bytes.clear();
        let there = formatter.write(row, &mut bytes);
        builder.append_option(there.then(|| String::from_utf8_lossy(&bytes)));
    }
    Ok(builder.finish())
}

/// The text of one value of a column; `None` is null.
pub(super) fn text(batch: &RecordBatch, column: usize, row: usize) -> Result<Option<String>> {
    let one = batch.column(column).slice(row, 1);
    text_of(&ColumnTyping::default_of(batch.schema_ref().field(column))?, one.as_ref())
}

/// The text of the first value of an array.
fn text_of(typing: &ColumnTyping, one: &dyn Array) -> Result<Option<String>> {
    let formatter = ColumnFormatter::new(typing, one)?;
    let mut bytes = Vec::new();
    Ok(formatter.write(0, &mut bytes).then(|| String::from_utf8_lossy(&bytes).into_owned()))
}
