//! Provides the plain form of Arrow types: how a reader holds values (dictionaries, views, runs) is not
//! content, so everything behind the readers sees one form of each logical type.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use crate::error::{Error, Place, Result};
use crate::limits::DEPTH_MAX;

/// The plain form of a schema. Metadata of fields and schema is kept, but for the library's own entries.
///
/// # Errors
/// A type that has no place in a table (unions), or nesting above [`DEPTH_MAX`].
pub fn schema(schema: &Schema) -> Result<SchemaRef> {
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let plain = plain_type(field.data_type(), 0).map_err(|error| match error {
            Error::Unsupported { mut place, what, hint } => {
                place.column.get_or_insert_with(|| field.name().clone());
                Error::Unsupported { place, what, hint }
            }
            other => other,
        })?;
        fields.push(
            Field::new(field.name(), plain, field.is_nullable()).with_metadata(field.metadata().clone()),
        );
    }
    Ok(Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())))
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
        // The content of a decimal has one width below 39 digits, whatever its holder.
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Decimal128(precision, _) if *precision > 38 => return Err(digits(*precision)),
        DataType::Decimal256(precision, scale) if *precision <= 38 => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Decimal256(precision, _) if *precision > 76 => return Err(digits(*precision)),
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) | DataType::ListView(item) => DataType::List(inner(item)?),
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::LargeList(inner(item)?),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(inner(item)?, *size),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(inner).collect::<Result<Vec<_>>>().map(Fields::from)?)
        }
        DataType::Map(entries, sorted) => DataType::Map(inner(entries)?, *sorted),
        DataType::Union(..) => {
            let what = "unions have no place in a table";
            return Err(Error::unsupported(
                Place::default(),
                what,
                "split the column by type before converting",
            ));
        }
        other => other.clone(),
    })
}

fn digits(precision: u8) -> Error {
    Error::malformed(
        "table",
        Place::default(),
        format!("a decimal of {precision} digits does not fit its width"),
    )
}

/// The same rows in the plain form of their schema.
pub fn batch(batch: &RecordBatch, plain: &SchemaRef) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (array, field) in batch.columns().iter().zip(plain.fields()) {
        if array.data_type() == field.data_type() {
            columns.push(array.clone());
        } else {
            columns.push(
                arrow_cast::cast(array, field.data_type()).map_err(|error| cast_failed(&error, field))?,
            );
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(plain.clone(), columns, &options)
        .map_err(|error| Error::malformed("table", Place::default(), error.to_string()))
}

fn cast_failed(error: &ArrowError, field: &Field) -> Error {
    Error::malformed("table", Place::default().column(field.name()), error.to_string())
}
