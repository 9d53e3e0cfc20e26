//! Provides the way from arrays to tables: one array of rows, or of rows × columns, or an array for each
//! column, all of one length.
//!
//! Values keep what they are. Types that no table has (bf16 and both of 8 bits) become the narrowest float
//! that holds all of their values, which [`Rows::notes`] tells.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, make_array};
use arrow_buffer::{Buffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use coherence::sample::SampleType;
use coherence::signal::Signature;

use super::Encoding;
use super::arrays::{Arrays, Part};
use super::columns::COLUMNS;
use super::safetensors::ATTRIBUTE as TEXTS;
use crate::error::{Error, Place, Result};
use crate::limits::{BATCH_ROWS, COLUMNS_MAX};
use crate::table::{Batches, TableSource, numbered_name};

/// Samples of all columns in a batch at most, if a row has not more.
const BATCH_SAMPLES: u64 = 1 << 20;

/// Arrays as a table.
#[derive(Debug)]
pub struct Rows {
    arrays: Arrays,
    schema: SchemaRef,
    rows: u64,
    /// The array of each column; of one array of rows × columns, that one for all.
    columns: Vec<usize>,
    /// Columns of the only array, where it is one of rows × columns.
    width: Option<usize>,
    row_bytes: u64,
}

impl Rows {
    /// Takes arrays as columns, in the order that the text `columns` tells, or else of their names.
    ///
    /// # Errors
    /// Arrays of several lengths or of more axes; more columns than a table may have.
    pub fn new(arrays: Arrays) -> Result<Self> {
        let signature = arrays.signature();
        let (rows, width) = shape(signature)?;
        let told = told_names(signature);
        let columns = match (&told, width) {
            (_, Some(width)) => vec![0; width],
            (Some(names), None) => {
                names.iter().filter_map(|name| position(signature, name)).collect::<Vec<_>>()
            }
            (None, None) => (0..signature.arrays.len()).collect(),
        };
        let name = |at: usize, array: usize| match (&told, width) {
            (Some(names), _) => names[at].clone(),
            (None, None) if !signature.arrays[array].name.is_empty() => signature.arrays[array].name.clone(),
            _ => numbered_name(at),
        };
        let field = |(at, array): (usize, &usize)| {
            Field::new(name(at, *array), type_of(signature.arrays[*array].sample), false)
        };
        let fields: Vec<Field> = columns.iter().enumerate().map(field).collect();
        // What tells no names of these columns is a text as others are.
        let texts = signature.attributes.iter().filter(|(key, _)| told.is_none() || key != COLUMNS);
        let texts = texts.filter_map(|(key, value)| {
            Some((key.strip_prefix(TEXTS)?.to_owned(), String::from_utf8(value.clone()).ok()?))
        });
        let schema = Arc::new(Schema::new_with_metadata(fields, texts.collect()));
        let bytes = columns.iter().map(|array| signature.arrays[*array].sample.width() as u64).sum();
        Ok(Self { schema, rows, columns, width, row_bytes: bytes, arrays })
    }

    /// What a person should know of the table: types that became wider, and what it does not hold.
    pub fn notes(&self) -> Vec<String> {
        let signature = self.arrays.signature();
        let wide = |array: &&coherence::signal::Array| exact_type(array.sample).is_none();
        let name =
            |name: &str| if name.is_empty() { "the array".to_owned() } else { format!("array {name:?}") };
        let widened = signature.arrays.iter().filter(wide).map(|array| {
            let to = type_of(array.sample).to_string().to_lowercase();
            format!("{} of {} becomes {to}, which holds all of its values", name(&array.name), array.sample)
        });
        let lost = signature.attributes.iter().filter(|(key, _)| !key.starts_with(TEXTS));
        let lost = lost.map(|(key, _)| format!("a table has no place for {key:?}, which is not kept"));
        let unfit =
            signature.attributes.iter().any(|(key, _)| key == COLUMNS) && told_names(signature).is_none();
        let unfit = unfit.then(|| {
            "the text \"columns\" does not name these arrays; it stays a text, and the columns have the \
             names and the order of their arrays"
                .to_owned()
        });
        let ignored = self.arrays.ignored().iter().map(|what| format!("not content: {what}"));
        widened.chain(lost).chain(unfit).chain(ignored).collect()
    }

    /// Rows of a batch at most.
    fn batch_rows(&self) -> u64 {
        (BATCH_SAMPLES / self.columns.len().max(1) as u64).clamp(1, BATCH_ROWS as u64)
    }

    fn batch(&self, rows: Range<u64>) -> Result<RecordBatch> {
        let (mut held, mut samples) = (Vec::new(), Vec::new());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        let count = usize::try_from(rows.end - rows.start).unwrap_or(usize::MAX);
        if let Some(width) = self.width {
            let samples_of = |row: u64| row * width as u64;
            let part = Part { array: 0, samples: samples_of(rows.start)..samples_of(rows.end) };
            self.arrays.read(&part, &mut held, &mut samples)?;
            let sample = self.arrays.signature().arrays[0].sample;
            for column in 0..width {
                columns.push(array_of(sample, &gathered(&samples, sample.width(), column, width), count)?);
            }
        } else {
            for array in &self.columns {
                let part = Part { array: *array, samples: rows.clone() };
                self.arrays.read(&part, &mut held, &mut samples)?;
                columns.push(array_of(self.arrays.signature().arrays[*array].sample, &samples, count)?);
            }
        }
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|error| Error::Bug(error.to_string()))
    }
}

/// The samples of one column of rows.
fn gathered(samples: &[u8], sample_bytes: usize, column: usize, width: usize) -> Vec<u8> {
    let column = samples.chunks_exact(sample_bytes).skip(column).step_by(width);
    column.flatten().copied().collect()
}

/// Rows, and the columns of an array of rows × columns.
fn shape(signature: &Signature) -> Result<(u64, Option<usize>)> {
    let refused = |what: String, hint: &str| Error::unsupported(Place::default(), what, hint);
    let hint = match signature.arrays.iter().any(|array| matches!(array.shape.len(), 1 | 2)) {
        true => {
            "a table is one array of rows × columns, or arrays of one axis and one length; choose others \
             with a conversion into npz first (--include NAME)"
        }
        false => {
            "a table is one array of rows × columns, or arrays of one axis and one length; give an array \
             such axes first (NumPy: array.reshape(len(array), -1))"
        }
    };
    if signature.arrays.is_empty() {
        return Err(refused("there is no array".into(), hint));
    }
    if let [array] = signature.arrays.as_slice()
        && let [rows, columns] = *array.shape.as_slice()
    {
        let width = usize::try_from(columns).ok().filter(|width| (1..=COLUMNS_MAX).contains(width));
        return width.map(|width| (rows, Some(width))).ok_or_else(|| {
            let what = format!("{columns} columns are none that a table has (at most {COLUMNS_MAX})");
            refused(
                what,
                "where rows and columns are the other way round, turn the array first (NumPy: array.T)",
            )
        });
    }
    let length = |array: &coherence::signal::Array| match *array.shape.as_slice() {
        [rows] => Ok(rows),
        _ => {
            let what = format!("array {:?} of shape {:?} is no column", array.name, array.shape);
            Err(refused(what, hint))
        }
    };
    let first = length(&signature.arrays[0])?;
    for array in &signature.arrays[1..] {
        let rows = length(array)?;
        if rows != first {
            let (name, other) = (&signature.arrays[0].name, &array.name);
            let what = format!("arrays {name:?} and {other:?} have {first} and {rows} values");
            return Err(refused(what, hint));
        }
    }
    Ok((first, None))
}

/// The names of columns that a text tells, where they fit: one for each column of an only array, or those of
/// all arrays in another order.
pub(super) fn told_names(signature: &Signature) -> Option<Vec<String>> {
    let (_, value) = signature.attributes.iter().find(|(key, _)| key == COLUMNS)?;
    let names: Vec<String> = serde_json::from_slice(value).ok()?;
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return None;
    }
    let fits = match signature.arrays.as_slice() {
        [only] if only.shape.len() == 2 => only.shape[1] == names.len() as u64,
        [only] if only.name.is_empty() => names.len() == 1,
        arrays => arrays.iter().map(|array| array.name.as_str()).eq(sorted),
    };
    fits.then_some(names)
}

/// The array of a column's name; the only one where it has none.
fn position(signature: &Signature, name: &str) -> Option<usize> {
    let alone = signature.arrays.len() == 1;
    signature.arrays.iter().position(|array| array.name == name || alone)
}

/// The type of a column that holds exactly these samples; `None` where there is none.
fn exact_type(sample: SampleType) -> Option<DataType> {
    Some(match sample {
        SampleType::Bool => DataType::Boolean,
        SampleType::I8 => DataType::Int8,
        SampleType::I16 => DataType::Int16,
        SampleType::I32 => DataType::Int32,
        SampleType::I64 => DataType::Int64,
        SampleType::U8 => DataType::UInt8,
        SampleType::U16 => DataType::UInt16,
        SampleType::U32 => DataType::UInt32,
        SampleType::U64 => DataType::UInt64,
        SampleType::F16 => DataType::Float16,
        SampleType::F32 => DataType::Float32,
        SampleType::F64 => DataType::Float64,
        SampleType::Bf16 | SampleType::F8E4M3 | SampleType::F8E5M2 => return None,
    })
}

/// The type of a column that holds all values of these samples.
fn type_of(sample: SampleType) -> DataType {
    exact_type(sample).unwrap_or(match sample {
        SampleType::Bf16 => DataType::Float32,
        _ => DataType::Float16,
    })
}

/// A column of samples.
fn array_of(sample: SampleType, samples: &[u8], count: usize) -> Result<ArrayRef> {
    if sample == SampleType::Bool {
        let mut bits = BooleanBufferBuilder::new(count);
        samples.iter().for_each(|truth| bits.append(*truth != 0));
        return Ok(Arc::new(BooleanArray::new(bits.finish(), None::<NullBuffer>)));
    }
    let mut wide = Vec::new();
    let held = match sample {
        SampleType::Bf16 => Some(SampleType::F32),
        SampleType::F8E4M3 | SampleType::F8E5M2 => Some(SampleType::F16),
        _ => None,
    };
    if let Some(held) = held {
        Encoding::Plain(held).encode(sample, samples, &mut wide);
    }
    let bytes = if held.is_some() { wide.as_slice() } else { samples };
    let data = ArrayData::builder(type_of(sample)).len(count).add_buffer(Buffer::from(bytes));
    let data = data.align_buffers(true).build().map_err(|error| Error::Bug(error.to_string()))?;
    Ok(make_array(data))
}

impl TableSource for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        rows.start.saturating_mul(self.row_bytes)..rows.end.saturating_mul(self.row_bytes)
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let step = self.batch_rows();
        let starts = rows.clone().step_by(usize::try_from(step).unwrap_or(usize::MAX));
        Ok(Box::new(starts.map(move |start| self.batch(start..rows.end.min(start + step)))))
    }

    fn check_structure(&self) -> Result<()> {
        // Opening a container of arrays accounts for every byte of it.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float16Type, Float32Type, Int16Type};
    use coherence::signal::Array;

    fn array(name: &str, sample: SampleType, shape: &[u64]) -> Array {
        Array { name: name.into(), sample, shape: shape.to_vec(), meaning: String::new(), peak: None }
    }

    fn signature(arrays: Vec<Array>, columns: Option<&str>) -> Signature {
        let attributes = columns.map(|text| (COLUMNS.to_owned(), text.as_bytes().to_vec()));
        Signature { arrays, attributes: attributes.into_iter().collect() }
    }

    #[test]
    fn names_are_those_that_are_told_or_numbers() {
        use SampleType::I16;
        let wide = |columns| told_names(&signature(vec![array("", I16, &[5, 2])], columns));
        assert_eq!(wide(Some(r#"["b","a"]"#)), Some(vec!["b".into(), "a".into()]));
        for bad in [None, Some(r#"["a"]"#), Some(r#"["a","a"]"#), Some("{}"), Some("x")] {
            assert_eq!(wide(bad), None, "{bad:?}");
        }
        let many =
            |columns| told_names(&signature(vec![array("a", I16, &[5]), array("b", I16, &[5])], columns));
        assert_eq!(many(Some(r#"["b","a"]"#)), Some(vec!["b".into(), "a".into()]));
        assert_eq!(many(Some(r#"["b","c"]"#)), None);
    }

    #[test]
    fn shapes_that_are_no_table_are_refused() {
        use SampleType::I16;
        let fault = |arrays| shape(&signature(arrays, None)).unwrap_err().to_string();
        assert!(fault(vec![array("x", I16, &[2, 3, 4])]).contains("no column"));
        assert!(fault(vec![array("a", I16, &[2]), array("b", I16, &[3])]).contains("2 and 3 values"));
        assert!(fault(vec![array("a", I16, &[2]), array("b", I16, &[2, 1])]).contains("no column"));
        assert!(fault(vec![array("x", I16, &[2, 1_000_000])]).contains("array.T"));
        assert!(fault(vec![array("x", I16, &[])]).contains("no column"));
        assert!(fault(Vec::new()).contains("no array"));
        assert_eq!(shape(&signature(vec![array("", I16, &[7])], None)).unwrap(), (7, None));
    }

    #[test]
    fn samples_become_the_values_that_they_are() {
        let samples: Vec<u8> = [1i16, 2, 3, 4, 5, 6].into_iter().flat_map(i16::to_le_bytes).collect();
        assert_eq!(gathered(&samples, 2, 1, 3), [2, 0, 5, 0]);
        let found = array_of(SampleType::I16, &samples[2..6], 2).unwrap();
        assert_eq!(found.as_primitive::<Int16Type>().values(), &[2, 3]);
        let found = array_of(SampleType::Bf16, &0x3fc0u16.to_le_bytes(), 1).unwrap();
        assert_eq!(found.as_primitive::<Float32Type>().value(0), 1.5);
        // Every value of both types of 8 bits is one of 16 bits.
        for sample in [SampleType::F8E4M3, SampleType::F8E5M2] {
            let all: Vec<u8> = (0..=255).collect();
            let found = array_of(sample, &all, 256).unwrap();
            let mut wide = Vec::new();
            Encoding::Plain(SampleType::F64).encode(sample, &all, &mut wide);
            for (found, wide) in
                found.as_primitive::<Float16Type>().values().iter().zip(wide.as_chunks::<8>().0)
            {
                let wide = f64::from_le_bytes(*wide);
                assert!(found.to_f64() == wide || (wide.is_nan() && found.is_nan()), "{sample} {wide}");
            }
        }
        let truths = array_of(SampleType::Bool, &[1, 0, 1], 3).unwrap();
        assert_eq!(truths.as_boolean().values().iter().collect::<Vec<_>>(), [true, false, true]);
    }
}
