//! Provides the writing of Arrow batches as JSON Lines: `{"a":1,"b":"x"}`, keys in the order of the schema.
//!
//! | Arrow type | JSON |
//! |---|---|
//! | null, any absent value | `null`; no key where the typing says `missing`, or `told` and the next column |
//! | boolean | `true`, `false` |
//! | integers of every width | number |
//! | float16, float32, float64 | number with the shortest digits; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | decimals of every width | number with all digits of its scale |
//! | text of every layout | string; where the typing says `json`, the text itself, which is JSON |
//! | binary of every layout | string of base64 (RFC 4648 section 4, padded) |
//! | UUIDs | string with hyphens, `82358803-ec46-4c5e-b67c-2234a2d38e66` |
//! | dates, times, timestamps, durations, intervals | string, ISO 8601, as in `temporal.rs` |
//! | timestamps with a zone | the instant in UTC with `Z`; the name of the zone is in the type map |
//! | lists of every layout | array |
//! | struct | object |
//! | map | array of `[key,value]`, which keeps order and repeated keys, and keys that are no strings |
//! | dictionary, run-end encoded | as their values |
//! | union | refused |

use arrow_array::cast::AsArray;
use arrow_array::types::{Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow_array::{Array, ArrayRef, BooleanArray, OffsetSizeTrait, RecordBatch};
use arrow_buffer::{ArrowNativeType, NullBuffer};
use arrow_schema::{DataType, Fields, Schema};

use super::builder;
use super::scalar::{push_string, scalar};
use super::typing::{Absence, Style, Typing};
use crate::limits::RECORD_BYTES_MAX;
use crate::{Error, Result};

/// Writes batches of one schema.
pub struct Encoder {
    fields: Fields,
    typings: Vec<Typing>,
}

impl Encoder {
    /// An encoder for batches of this schema, with one typing for each column: `Typing::of_schema`, or what
    /// was found when the table was read from JSON. Errors: `Unsupported` for what cannot stand in JSON.
    pub fn new(schema: &Schema, typings: &[Typing]) -> Result<Self> {
        builder::check_fields(schema.fields(), 0)?;
        let plain = schema.fields().iter().map(builder::plain_field).collect();
        // Building the columns checks that the typings belong to the schema.
        builder::columns(&plain, typings)?;
        Ok(Encoder { fields: schema.fields().clone(), typings: typings.to_vec() })
    }

    /// Appends one line for each row, the first of which is this one of the table, counted from 0. Errors:
    /// `Malformed` for text that should be JSON by its typing; `Limit` for a line longer than a scan takes.
    pub fn write(&self, batch: &RecordBatch, first: u64, out: &mut Vec<u8>) -> Result<()> {
        let row = object(&self.fields, batch.columns(), &self.typings, Some(first))?;
        for at in 0..batch.num_rows() {
            let begun = out.len();
            row(at, out);
            if out.len() - begun > RECORD_BYTES_MAX {
                return Err(Error::too_long_to_read(first + at as u64 + 1, RECORD_BYTES_MAX));
            }
            out.push(b'\n');
        }
        Ok(())
    }
}

/// Writes the present value of a row.
pub(super) type Write<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// A column that may have absent values.
struct Cell<'a> {
    nulls: Option<NullBuffer>,
    write: Write<'a>,
}

impl Cell<'_> {
    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    #[inline]
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
        } else {
            (self.write)(row, out);
        }
    }
}

/// Where the key of an absent value is left out.
enum LeftOut<'a> {
    Never,
    Always,
    Where(&'a BooleanArray),
}

impl LeftOut<'_> {
    #[inline]
    fn is_true(&self, row: usize) -> bool {
        match self {
            LeftOut::Never => false,
            LeftOut::Always => true,
            LeftOut::Where(told) => told.is_valid(row) && told.value(row),
        }
    }
}

/// Objects of which the first is that of this row of the table; `None` where they are in an array.
fn object<'a>(
    fields: &Fields,
    columns: &'a [ArrayRef],
    typings: &[Typing],
    first: Option<u64>,
) -> Result<Write<'a>> {
    let mut cells = Vec::with_capacity(columns.len());
    for (at, ((field, column), typing)) in fields.iter().zip(columns).zip(typings).enumerate() {
        if typing.style == Style::Presence {
            continue;
        }
        let mut key = Vec::from(b",");
        push_string(field.name().as_bytes(), &mut key);
        key.push(b':');
        let cell = cell(column.as_ref(), typing, first).map_err(|error| in_column(error, field.name()))?;
        let left_out = match typing.absence {
            Absence::Missing => LeftOut::Always,
            Absence::Told => match columns.get(at + 1).and_then(|column| column.as_boolean_opt()) {
                Some(told) => LeftOut::Where(told),
                None => return Err(Error::Bug("a column that tells of absent keys is not boolean".into())),
            },
            Absence::Null | Absence::Mixed => LeftOut::Never,
        };
        cells.push((key, cell, left_out));
    }
    Ok(Box::new(move |row, out| {
        let start = out.len();
        for (key, cell, left_out) in &cells {
            if left_out.is_true(row) && cell.is_null(row) {
                continue;
            }
            out.extend_from_slice(key);
            cell.write(row, out);
        }
        // The brace takes the place of the first comma.
        match out.get_mut(start) {
            Some(first) => *first = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }))
}

fn in_column(mut error: Error, name: &str) -> Error {
    if let Error::Malformed { place, .. } = &mut error {
        let inner = place.column.take().unwrap_or_default();
        place.column = Some(if inner.is_empty() { name.to_owned() } else { format!("{name}.{inner}") });
    }
    error
}

fn cell<'a>(array: &'a dyn Array, typing: &Typing, first: Option<u64>) -> Result<Cell<'a>> {
    use DataType as T;
    let write: Write<'a> = match array.data_type() {
        T::Null => Box::new(|_, out| out.extend_from_slice(b"null")),
        T::Struct(fields) => object(fields, array.as_struct().columns(), &typing.children, first)?,
        T::Dictionary(..) => dictionary(array, typing)?,
        T::RunEndEncoded(..) => runs(array, typing)?,
        T::Map(..) => map(array, typing)?,
        T::List(_) | T::LargeList(_) | T::ListView(_) | T::LargeListView(_) | T::FixedSizeList(..) => {
            list(array, typing)?
        }
        _ => scalar(array, typing, first)?,
    };
    Ok(Cell { nulls: array.logical_nulls(), write })
}

fn child(typing: &Typing, at: usize) -> Result<&Typing> {
    typing.children.get(at).ok_or_else(|| Error::Bug("a typing lacks a child".to_owned()))
}

fn elements<'a>(cell: &Cell<'a>, rows: std::ops::Range<usize>, out: &mut Vec<u8>) {
    out.push(b'[');
    for row in rows.clone() {
        if row > rows.start {
            out.push(b',');
        }
        cell.write(row, out);
    }
    out.push(b']');
}

fn list<'a>(array: &'a dyn Array, typing: &Typing) -> Result<Write<'a>> {
    let typing = child(typing, 0)?;
    Ok(match array.data_type() {
        DataType::List(_) => offset_list::<i32>(array, typing)?,
        DataType::LargeList(_) => offset_list::<i64>(array, typing)?,
        DataType::ListView(_) => view_list::<i32>(array, typing)?,
        DataType::LargeListView(_) => view_list::<i64>(array, typing)?,
        _ => {
            let array = array.as_fixed_size_list();
            let cell = cell(array.values().as_ref(), typing, None)?;
            let size = usize::try_from(array.value_length()).unwrap_or(0);
            Box::new(move |row, out| {
                let start = array.value_offset(row) as usize;
                elements(&cell, start..start + size, out);
            })
        }
    })
}

fn offset_list<'a, O: OffsetSizeTrait>(array: &'a dyn Array, typing: &Typing) -> Result<Write<'a>> {
    let array = array.as_list::<O>();
    let cell = cell(array.values().as_ref(), typing, None)?;
    let offsets = array.value_offsets();
    Ok(Box::new(move |row, out| elements(&cell, offsets[row].as_usize()..offsets[row + 1].as_usize(), out)))
}

fn view_list<'a, O: OffsetSizeTrait>(array: &'a dyn Array, typing: &Typing) -> Result<Write<'a>> {
    let array = array.as_list_view::<O>();
    let cell = cell(array.values().as_ref(), typing, None)?;
    Ok(Box::new(move |row, out| {
        let start = array.value_offset(row).as_usize();
        elements(&cell, start..start + array.value_size(row).as_usize(), out);
    }))
}

fn map<'a>(array: &'a dyn Array, typing: &Typing) -> Result<Write<'a>> {
    let array = array.as_map();
    let keys = cell(array.keys().as_ref(), child(typing, 0)?, None)?;
    let values = cell(array.values().as_ref(), child(typing, 1)?, None)?;
    let offsets = array.value_offsets();
    Ok(Box::new(move |row, out| {
        let mut mark = b'[';
        for entry in offsets[row].as_usize()..offsets[row + 1].as_usize() {
            out.extend_from_slice(&[mark, b'[']);
            keys.write(entry, out);
            out.push(b',');
            values.write(entry, out);
            out.push(b']');
            mark = b',';
        }
        out.extend_from_slice(if mark == b'[' { b"[]" } else { b"]" });
    }))
}

fn dictionary<'a>(array: &'a dyn Array, typing: &Typing) -> Result<Write<'a>> {
    let array = array.as_any_dictionary();
    let values = cell(array.values().as_ref(), typing, None)?;
    // An empty dictionary has only absent values, and no keys to normalise.
    let keys = if array.values().is_empty() { Vec::new() } else { array.normalized_keys() };
    Ok(Box::new(move |row, out| values.write(keys[row], out)))
}

fn runs<'a>(array: &'a dyn Array, typing: &Typing) -> Result<Write<'a>> {
    match array.data_type() {
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => runs_of::<Int16Type>(array, typing),
            DataType::Int32 => runs_of::<Int32Type>(array, typing),
            _ => runs_of::<Int64Type>(array, typing),
        },
        other => Err(Error::Bug(format!("{other} has no runs"))),
    }
}

fn runs_of<'a, R: RunEndIndexType>(array: &'a dyn Array, typing: &Typing) -> Result<Write<'a>> {
    let array = array.as_run::<R>();
    let values = cell(array.values().as_ref(), typing, None)?;
    Ok(Box::new(move |row, out| values.write(array.get_physical_index(row), out)))
}
