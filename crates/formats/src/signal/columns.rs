//! Provides the way from tables to arrays: columns of numbers, as one array of rows × columns or as an
//! array for each column.
//!
//! Values keep what they are, or the conversion fails with the row and the column: an integer that becomes a
//! float must be one, and a decimal becomes the nearest float only where that prints as the same decimal.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type, DecimalType, Int64Type, UInt64Type};
use arrow_array::{Array as ArrowArray, PrimitiveArray, RecordBatch};
use arrow_schema::{DataType, Schema};
use coherence::cells::Values;
use coherence::sample::SampleType;
use coherence::signal::{Array, Signature};

use super::Encoding;
use super::arrays::{Arrays, Samples};
use crate::cells::{cells, logical_type};
use crate::error::{Error, Place, Result};
use crate::metadata::listed;
use crate::open::Opened;
use crate::text::shown_type;

/// The key of the attribute that holds the names of columns, as JSON: containers hold texts under such keys.
pub const COLUMNS: &str = "metadata/columns";

/// Columns that can be no arrays, besides the first, that a message names at most.
const SHOWN_MAX: usize = 8;

/// Digits that every decimal number keeps as a 64-bit float.
const FLOAT_DIGITS: u32 = 15;

/// How columns become arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Whether all columns are one array of rows × columns, rather than each an array of its own.
    pub single: bool,
    /// Whether the columns of a single array become floats, where they are not of one type of floats.
    pub floats: bool,
    /// Whether null becomes NaN, rather than a refusal.
    pub null_is_nan: bool,
}

/// What an array does not keep of the columns that it holds: their values are equal, and a source that spells
/// them otherwise cannot be told from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The name of the array; `None` where all columns are one.
    array: Option<String>,
    /// The columns.
    pub columns: Vec<String>,
    /// Whether they are decimals, which became floats; else they are text.
    decimals: bool,
}

impl Lost {
    /// What is lost of the array of this name, of all that is lost of a table.
    pub fn of_array<'a>(lost: &'a [Self], name: &str) -> Option<&'a Self> {
        match lost {
            [all] if all.array.is_none() => Some(all),
            _ => {
                let found = lost.binary_search_by(|lost| lost.array.as_deref().cmp(&Some(name)));
                found.ok().map(|at| &lost[at])
            }
        }
    }

    /// The same of all, in words.
    pub fn in_words(lost: &[Self]) -> Option<String> {
        let names: Vec<&str> = lost.iter().flat_map(|lost| &lost.columns).map(String::as_str).collect();
        let listed = listed(&names);
        Some(match lost.first()?.decimals {
            true => format!("{listed} decimal, and held as floats"),
            false => format!("the text of {listed} not given back"),
        })
    }

    /// The member of an array's style that names its columns.
    pub fn key(&self) -> &'static str {
        if self.decimals { Self::KEYS[1] } else { Self::KEYS[0] }
    }

    /// All of these.
    pub const KEYS: [&'static str; 2] = ["textNotKept", "decimalsAsFloats"];
}

/// Columns that are read as arrays.
struct Columns {
    opened: Opened,
    layout: Layout,
    /// Which columns of the table are taken, and the sample type of each.
    taken: Vec<usize>,
    samples: Vec<SampleType>,
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns").field("samples", &self.samples).finish_non_exhaustive()
    }
}

/// The arrays that the columns of a table are, and what each does not keep of them. A column that is to be an
/// array of its own is left out where it is not wanted, whatever it holds.
pub fn of_table(
    opened: Opened,
    layout: Layout,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<(Arrays, Vec<Lost>)> {
    let file = opened.file.clone();
    let schema = opened.table().schema().clone();
    let rows = opened.table().rows();
    let (mut taken, mut samples, mut left_out, mut unfits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (column, field) in schema.fields().iter().enumerate() {
        match sample_of(field.data_type()) {
            _ if !layout.single && !wanted(field.name()) => left_out.push(field.name().clone()),
            Ok(sample) => {
                taken.push(column);
                samples.push(sample);
            }
            Err(what) => unfits.push((field.name().as_str(), what)),
        }
    }
    if !unfits.is_empty() {
        return Err(unfit(&unfits, layout, opened.format.is_text()));
    }
    let first = samples.first().copied();
    let alike = samples.iter().all(|sample| Some(*sample) == first);
    let float = first.is_some_and(SampleType::is_float);
    if layout.single
        && (layout.floats || layout.null_is_nan)
        && let Some(truth) = samples.iter().position(|sample| *sample == SampleType::Bool)
    {
        let (name, what) = (schema.field(truth).name(), "truth values, where all are to be floats,");
        return Err(unfit(&[(name, what.to_owned())], layout, opened.format.is_text()));
    }
    let same_float = alike && float;
    let made_float = |sample: &SampleType| !sample.is_float() && *sample != SampleType::Bool;
    if layout.null_is_nan || (layout.single && layout.floats && !same_float) {
        samples.iter_mut().filter(|sample| made_float(sample)).for_each(|sample| *sample = SampleType::F64);
    }
    if layout.single && layout.floats && !same_float {
        samples.fill(SampleType::F64);
    }
    let name = |at: usize| schema.field(taken[at]).name().clone();
    let array = |name: String, sample: SampleType, shape: Vec<u64>| Array {
        name,
        sample,
        shape,
        meaning: String::new(),
        peak: None,
    };
    let arrays = match (layout.single, samples.first()) {
        (true, Some(sample)) => {
            if let Some(other) = samples.iter().position(|other| other != sample) {
                let (a, b) = (name(0), name(other));
                let what =
                    format!("columns {a:?} ({sample}) and {b:?} ({}) are of two types", samples[other]);
                let hint = "one array has one type: --sample-type f64 makes all columns floats, if they \
                are; or \
                            convert to npz or safetensors, where each column is an array of its own";
                return Err(Error::unsupported(Place::default(), what, hint));
            }
            vec![array(String::new(), *sample, vec![rows, samples.len() as u64])]
        }
        _ => samples.iter().enumerate().map(|(at, sample)| array(name(at), *sample, vec![rows])).collect(),
    };
    let names: Vec<String> = (0..samples.len()).map(name).collect();
    let told = told(&names, layout.single)?.map(|text| (COLUMNS.to_owned(), text));
    let lost = lost(&schema, &taken, layout.single, opened.format.is_text());
    let columns: Arc<dyn Samples> = Arc::new(Columns { opened, layout, taken, samples });
    let arrays = Arrays::elsewhere("table", file, arrays, Vec::from_iter(told), &columns)?;
    Ok((arrays.leaving_out(left_out), lost))
}

/// The text that tells the names and the order of columns; nothing where their arrays tell both by
/// themselves, as these are taken in the order of their names.
pub(super) fn told(names: &[String], single: bool) -> Result<Option<Vec<u8>>> {
    let named = !single && names.iter().all(|name| !name.is_empty());
    if named && names.is_sorted() {
        return Ok(None);
    }
    serde_json::to_vec(names).map(Some).map_err(|error| Error::Bug(error.to_string()))
}

/// Leaves in the text that tells the order of these columns those alone whose arrays are left.
pub(super) fn narrow(signature: &mut Signature, names: Vec<String>) {
    let Some(at) = signature.attributes.iter().position(|(key, _)| key == COLUMNS) else { return };
    let left: BTreeSet<&str> = signature.arrays.iter().map(|array| array.name.as_str()).collect();
    let names: Vec<String> = names.into_iter().filter(|name| left.contains(name.as_str())).collect();
    match told(&names, false) {
        Ok(Some(text)) => signature.attributes[at].1 = text,
        _ => drop(signature.attributes.remove(at)),
    }
}

/// What arrays do not keep of the columns that are taken for them.
fn lost(schema: &Schema, taken: &[usize], single: bool, is_text: bool) -> Vec<Lost> {
    let decimal = |data_type: &DataType| {
        matches!(data_type, DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..))
    };
    let fields = taken.iter().map(|column| schema.field(*column));
    let fields = fields.filter(|field| is_text || decimal(field.data_type()));
    let mut names: Vec<String> = fields.map(|field| field.name().clone()).collect();
    let lost = |array: Option<String>, columns| Lost { array, columns, decimals: !is_text };
    match single {
        true if names.is_empty() => Vec::new(),
        true => vec![lost(None, names)],
        false => {
            // As arrays are taken.
            names.sort_unstable();
            names.into_iter().map(|name| lost(Some(name.clone()), vec![name])).collect()
        }
    }
}

/// That columns, which are these, can be no arrays, with what can be done about it: one of text gets another
/// type only where it is found in a text.
fn unfit(columns: &[(&str, String)], layout: Layout, is_text: bool) -> Error {
    let hint = match (layout.single, is_text) {
        (false, true) => {
            "`isoform convert --exclude COLUMN` leaves it out, or --type COLUMN=TYPE gives it another type"
        }
        (false, false) => "`isoform convert --exclude COLUMN` leaves it out",
        (true, true) => "leave it out before, or give it another type with --type COLUMN=TYPE",
        (true, false) => "leave it out before, or convert to npz or safetensors with --exclude COLUMN",
    };
    let hint = format!("arrays hold numbers and truth values; {hint}");
    let Some(((column, what), others)) = columns.split_first() else {
        return Error::Bug("no column that can be no array".into());
    };
    let mut what = format!("a column of type {what} is no array of numbers");
    let shown = others.iter().take(SHOWN_MAX).map(|(name, what)| format!("{name:?} ({what})"));
    match (others.len(), shown.collect::<Vec<_>>().join(", ")) {
        (0, _) => {}
        (1..=SHOWN_MAX, shown) => what += &format!(", nor is {shown}"),
        (count, shown) => what += &format!(", nor is {shown} and {} more", count - SHOWN_MAX),
    }
    Error::unsupported(Place::default().column(*column), what, hint)
}

/// The sample type that holds the values of a column; else what the column is.
fn sample_of(data_type: &DataType) -> std::result::Result<SampleType, String> {
    Ok(match data_type {
        DataType::Boolean => SampleType::Bool,
        DataType::Int8 => SampleType::I8,
        DataType::Int16 => SampleType::I16,
        DataType::Int32 => SampleType::I32,
        DataType::Int64 => SampleType::I64,
        DataType::UInt8 => SampleType::U8,
        DataType::UInt16 => SampleType::U16,
        DataType::UInt32 => SampleType::U32,
        DataType::UInt64 => SampleType::U64,
        DataType::Float16 => SampleType::F16,
        DataType::Float32 => SampleType::F32,
        DataType::Float64 | DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => {
            SampleType::F64
        }
        other => return Err(logical_type(other).map_or_else(|_| shown_type(other), |ty| ty.to_string())),
    })
}

impl Samples for Columns {
    fn read(&self, array: usize, samples: Range<u64>, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let width = if self.layout.single { self.samples.len().max(1) as u64 } else { 1 };
        let rows = samples.start / width..samples.end.div_ceil(width);
        let column = (!self.layout.single).then_some(array);
        let mut all = Vec::new();
        let mut at = rows.start;
        for batch in self.opened.table().batches(rows.clone())? {
            let batch = batch.map_err(|error| self.opened.misfit(error))?;
            let before = all.len();
            self.push(&batch, at, column, &mut all)?;
            at += batch.num_rows() as u64;
            if before == 0 {
                let more = (rows.end - at) as usize * (all.len() / batch.num_rows().max(1));
                all.reserve(more);
            }
        }
        let bytes = self.samples[column.unwrap_or(0)].width() as u64;
        let skipped = (samples.start - rows.start * width) * bytes;
        let count = (samples.end - samples.start) * bytes;
        let range = |from: u64, to: u64| Some(usize::try_from(from).ok()?..usize::try_from(to).ok()?);
        let found = range(skipped, skipped + count).and_then(|range| all.get(range));
        let found = found.ok_or_else(|| Error::Bug("a table gave fewer rows than it has".into()))?;
        if found.len() == all.len() {
            *out = all;
        } else {
            out.extend_from_slice(found);
        }
        Ok(())
    }
}

impl Columns {
    /// Appends a batch: one column, or all of them row by row.
    fn push(&self, batch: &RecordBatch, first: u64, column: Option<usize>, out: &mut Vec<u8>) -> Result<()> {
        let chosen = column.map_or(0..self.taken.len(), |column| column..column + 1);
        let mut columns = Vec::with_capacity(chosen.len());
        for at in chosen {
            let column = self.taken[at];
            let (array, name) = (batch.column(column), batch.schema_ref().field(column).name().clone());
            let found = samples(array.as_ref(), self.samples[at], self.layout.null_is_nan);
            columns.push(found.map_err(|(row, what, hint)| {
                let place = Place::at_row(first + row as u64 + 1).column(name);
                Error::unsupported(place, what, hint).in_file(self.opened.file.path())
            })?);
        }
        if let [only] = columns.as_slice() {
            out.extend_from_slice(only);
            return Ok(());
        }
        let width = self.samples.first().map_or(1, |sample| sample.width());
        for row in 0..batch.num_rows() {
            for column in &columns {
                out.extend_from_slice(&column[row * width..(row + 1) * width]);
            }
        }
        Ok(())
    }
}

/// A row, what is wrong with its value, and what to do about it.
type Fault = (usize, String, &'static str);

/// The samples of a column of a batch.
fn samples(array: &dyn ArrowArray, to: SampleType, null_is_nan: bool) -> std::result::Result<Vec<u8>, Fault> {
    let null = array.nulls().filter(|nulls| nulls.null_count() > 0);
    if let Some(row) = null
        .and_then(|nulls| nulls.iter().position(|valid| !valid))
        .filter(|_| !null_is_nan || to.canonical_nan().is_none())
    {
        let hint = "--nulls nan makes it NaN";
        return Err((row, "null is no number".into(), hint));
    }
    let mut out = converted(array, to)?;
    if let Some(nulls) = null
        && let Some(nan) = to.canonical_nan()
    {
        for (row, _) in nulls.iter().enumerate().filter(|(_, valid)| !valid) {
            out[row * to.width()..(row + 1) * to.width()].copy_from_slice(nan);
        }
    }
    Ok(out)
}

fn converted(array: &dyn ArrowArray, to: SampleType) -> std::result::Result<Vec<u8>, Fault> {
    match array.data_type() {
        DataType::Boolean => Ok(array.as_boolean().values().iter().map(u8::from).collect()),
        DataType::Decimal32(..) => decimals(array.as_primitive::<Decimal32Type>(), |value| value.into()),
        DataType::Decimal64(..) => decimals(array.as_primitive::<Decimal64Type>(), |value| value.into()),
        DataType::Decimal128(..) => decimals(array.as_primitive::<Decimal128Type>(), |value| value),
        other => {
            let bug = |what: String| (0, what, "please report this");
            let from = sample_of(other).map_err(bug)?;
            let cells = cells(array).map_err(|error| bug(error.to_string()))?;
            let (Values::Fixed { bytes, .. } | Values::Float { bytes, .. }) = cells.values() else {
                return Err(bug(format!("{other} has no values of one width")));
            };
            if from == to {
                return Ok(bytes.to_vec());
            }
            widened(from, bytes, array)
        }
    }
}

/// Values as 64-bit floats, each of which must be the same number.
fn widened(from: SampleType, bytes: &[u8], array: &dyn ArrowArray) -> std::result::Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(array.len() * 8);
    Encoding::Plain(SampleType::F64).encode(from, bytes, &mut out);
    for (row, raw) in out.as_chunks::<8>().0.iter().enumerate() {
        let float = f64::from_le_bytes(*raw);
        if array.is_valid(row) && !is_exact(array, row, float) {
            let hint =
                "leave --sample-type away, where all columns are integers, or keep it in a format of tables";
            return Err((
                row,
                format!("the integer is none that a 64-bit float holds ({float} is next)"),
                hint,
            ));
        }
    }
    Ok(out)
}

/// Whether an integer of 64 bits is this float.
fn is_exact(array: &dyn ArrowArray, row: usize, float: f64) -> bool {
    match array.data_type() {
        DataType::Int64 => float as i128 == i128::from(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => float as i128 == i128::from(array.as_primitive::<UInt64Type>().value(row)),
        _ => true,
    }
}

/// Decimals as the nearest 64-bit floats.
fn decimals<T: DecimalType>(
    array: &PrimitiveArray<T>,
    wide: impl Fn(T::Native) -> i128,
) -> std::result::Result<Vec<u8>, Fault> {
    let scale = array.data_type();
    let scale = match scale {
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => {
            *scale
        }
        _ => 0,
    };
    let mut out = Vec::with_capacity(array.len() * 8);
    for (row, value) in array.values().iter().enumerate() {
        let value = wide(*value);
        let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
        if digits > FLOAT_DIGITS && array.is_valid(row) {
            let what = format!("the decimal has {digits} digits, and a 64-bit float keeps {FLOAT_DIGITS}");
            return Err((row, what, "keep it in a format of tables"));
        }
        let float = format!("{value}e{}", -i32::from(scale)).parse::<f64>();
        let float = float.map_err(|error| (row, format!("a decimal: {error}"), "please report this"))?;
        out.extend_from_slice(&float.to_le_bytes());
    }
    Ok(out)
}
