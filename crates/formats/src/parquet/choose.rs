//! Provides the choice of an encoding for each column of a part, from its first rows.
//!
//! The library tries a dictionary for every column and falls back to plain values when it grows too large.
//! For columns of many values that costs a table of all of them and leaves the compressor the most to do.
//! Here the first rows tell how many values the part is likely to have and how small each encoding makes
//! them. The choice depends on the rows alone, by exact or correctly rounded arithmetic, so every machine
//! makes the same.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::write_failed;
use crate::error::Result;

/// Values that a sample of a column has at least: with fewer there is little to gain and little to go by.
const SAMPLE_VALUES_MIN: usize = 1_024;

/// Bytes of a dictionary at most. Larger ones make smaller files, but looking up every value in a table that
/// leaves the cache costs more than compressing the values.
pub const DICTIONARY_BYTES_MAX: usize = 1 << 20;

/// Percent of the plain size that another encoding may take at most. Splitting the bytes of floats is known
/// to fewer readers than the others, so it must be worth more.
const WORTH_PERCENT: u64 = 98;
const WORTH_PERCENT_SPLIT: u64 = 85;

/// The base properties with what suits the columns of `sample`, of a part of about `rows` rows.
pub fn properties(
    base: &WriterProperties,
    sample: &RecordBatch,
    rows: u64,
    dictionary: bool,
) -> Result<WriterProperties> {
    let mut columns = Vec::new();
    for (index, field) in sample.schema().fields().iter().enumerate() {
        let array = sample.column(index);
        let values = array.len() - array.null_count();
        if let (Some(other), true) = (alternative(field.data_type()), values >= SAMPLE_VALUES_MIN) {
            let distinct = cast(
                array,
                &DataType::Dictionary(Box::new(DataType::Int32), Box::new(field.data_type().clone())),
            );
            let Ok(distinct) = distinct else { continue };
            let distinct = distinct.as_any_dictionary().values().len();
            columns.push(Column {
                index,
                path: ColumnPath::from(field.name().as_str()),
                other,
                values,
                distinct,
            });
        }
    }
    if columns.is_empty() {
        return Ok(base.clone());
    }
    let picked: Vec<usize> = columns.iter().map(|column| column.index).collect();
    let sample = sample.project(&picked).map_err(|error| write_failed(error.into()))?;
    let plain = |builder: WriterPropertiesBuilder| builder.set_dictionary_enabled(false);
    let plain_sizes = trial(&sample, plain(base.clone().into_builder()).build())?;
    let others = columns.iter().fold(plain(base.clone().into_builder()), |builder, column| {
        builder.set_column_encoding(column.path.clone(), column.other)
    });
    let other_sizes = trial(&sample, others.build())?;
    let mut builder = base.clone().into_builder();
    for (at, column) in columns.iter().enumerate() {
        let (plain, other) = (plain_sizes.column(at), other_sizes.column(at));
        let other_size = other.compressed;
        let worth = match column.other {
            Encoding::BYTE_STREAM_SPLIT => WORTH_PERCENT_SPLIT,
            _ => WORTH_PERCENT,
        };
        let better = other_size * 100 <= plain.compressed * worth;
        if better {
            builder = builder.set_column_encoding(column.path.clone(), column.other);
        }
        let best = if better { other_size } else { plain.compressed };
        let pays = dictionary && column.dictionary_pays(plain, best, rows);
        builder = builder.set_column_dictionary_enabled(column.path.clone(), pays);
    }
    Ok(builder.build())
}

/// The encoding that may beat plain values of this type.
fn alternative(data_type: &DataType) -> Option<Encoding> {
    Some(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
            Encoding::DELTA_LENGTH_BYTE_ARRAY
        }
        DataType::Float32 | DataType::Float64 => Encoding::BYTE_STREAM_SPLIT,
        DataType::Decimal128(precision, _) if *precision > 18 => return None,
        DataType::Decimal256(..) => return None,
        DataType::Float16 | DataType::Boolean => return None,
        primitive if primitive.is_primitive() => Encoding::DELTA_BINARY_PACKED,
        _ => return None,
    })
}

struct Column {
    index: usize,
    path: ColumnPath,
    other: Encoding,
    /// Values of the sample that are not null, and how many different ones there are.
    values: usize,
    distinct: usize,
}

/// Sizes of a column of the sample.
#[derive(Clone, Copy)]
struct Size {
    raw: u64,
    compressed: u64,
}

impl Column {
    /// Whether a dictionary of the whole part is expected to be smaller than the best other encoding, which
    /// takes `best` bytes for the sample.
    fn dictionary_pays(&self, plain: Size, best: u64, rows: u64) -> bool {
        let values = self.values as f64;
        let in_part = expected_distinct(population(self.distinct as f64, self.values as u64), rows);
        let raw = plain.raw as f64 / values;
        if in_part * raw > DICTIONARY_BYTES_MAX as f64 {
            return false;
        }
        let compressed = plain.compressed as f64 / values;
        let bits = 64 - (in_part as u64).leading_zeros();
        let size = in_part * compressed / rows as f64 + f64::from(bits) / 8.0;
        size <= best as f64 / values
    }
}

/// The number of equally frequent values of which a sample of `values` shows `distinct`.
fn population(distinct: f64, values: u64) -> f64 {
    let (mut low, mut high) = (distinct, 1e9);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if expected_distinct(middle, values) < distinct { low = middle } else { high = middle }
    }
    low
}

/// How many of `population` equally frequent values are met in `values` draws. The power is made of products,
/// which are rounded alike everywhere.
fn expected_distinct(population: f64, values: u64) -> f64 {
    let (mut power, mut factor, mut left) = (1.0, 1.0 - 1.0 / population.max(1.0), values);
    while left > 0 {
        if left & 1 == 1 {
            power *= factor;
        }
        factor *= factor;
        left >>= 1;
    }
    population * (1.0 - power)
}

/// Writes the sample and tells the sizes of its columns.
fn trial(sample: &RecordBatch, properties: WriterProperties) -> Result<Sizes> {
    let schema = Arc::new(Schema::new(sample.schema().fields().clone()));
    let mut writer = ArrowWriter::try_new(std::io::sink(), schema, Some(properties)).map_err(write_failed)?;
    writer.write(sample).map_err(write_failed)?;
    Ok(Sizes(writer.finish().map_err(write_failed)?))
}

struct Sizes(ParquetMetaData);

impl Sizes {
    fn column(&self, at: usize) -> Size {
        let sum =
            |of: &dyn Fn(usize) -> i64| (0..self.0.num_row_groups()).map(of).sum::<i64>().unsigned_abs();
        Size {
            raw: sum(&|group| self.0.row_group(group).column(at).uncompressed_size()),
            compressed: sum(&|group| self.0.row_group(group).column(at).compressed_size()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_population_is_found_from_a_sample() {
        for population_size in [10.0, 1_000.0, 50_000.0, 160_000.0] {
            let distinct = expected_distinct(population_size, 8_192);
            let found = population(distinct, 8_192);
            assert!((found / population_size - 1.0).abs() < 0.01, "{population_size}: {found}");
        }
        assert!(population(8_192.0, 8_192) > 1e8);
        assert!(population(1.0, 8_192) < 1.01);
    }
}
