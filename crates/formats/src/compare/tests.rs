//! Comparisons against slow and obvious references, with memory that holds everything and memory that holds
//! next to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow_schema::SchemaRef;
use coherence::tolerance::Tolerance;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::error::{Error, Result};
use crate::table::Batches;

/// A table in memory, read in batches of a few rows.
struct Memory {
    batch: RecordBatch,
    schema: SchemaRef,
    step: usize,
}

impl TableSource for Memory {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(&self) -> u64 {
        self.batch.num_rows() as u64
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        rows
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let (start, end) = (rows.start as usize, rows.end as usize);
        let cut = move |at: usize| Ok(self.batch.slice(at, self.step.min(end - at)));
        Ok(Box::new((start..end).step_by(self.step).map(cut)))
    }

    fn check_structure(&self) -> Result<()> {
        Ok(())
    }
}

impl Memory {
    fn new(columns: Vec<(&str, ArrayRef)>, step: usize) -> Self {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        Memory { schema: batch.schema(), batch, step }
    }

    fn side(&self, name: &'static str) -> Side<'_> {
        Side { table: self, path: Path::new(name) }
    }
}

/// A key, a number and a text.
type Row = (Option<i64>, Option<f64>, Option<String>);

/// The cells of a row beside its key.
type Rest = (Option<f64>, Option<String>);

fn table(rows: &[Row], step: usize) -> Memory {
    Memory::new(
        vec![
            ("key", Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>())),
            ("number", Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>())),
            ("text", Arc::new(rows.iter().map(|row| row.2.clone()).collect::<StringArray>())),
        ],
        step,
    )
}

fn options(memory: usize) -> CompareOptions {
    CompareOptions {
        show: 3,
        tolerances: Tolerances::default(),
        key: vec!["key".into()],
        memory,
        spill_dir: std::env::temp_dir(),
    }
}

fn watch(_: u64) -> Result<()> {
    Ok(())
}

fn cells() -> impl Strategy<Value = Rest> {
    let numbers = [0.0, -0.0, 1.0, 1.05, 1.5, -40.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let number = prop::option::weighted(0.9, prop::sample::select(numbers.to_vec()));
    (number, prop::option::of(prop::sample::select(vec!["", "a", "b"]).prop_map(str::to_owned)))
}

/// Rows of unique keys, in any order.
fn keyed_rows() -> impl Strategy<Value = Vec<Row>> {
    let keys = prop::collection::btree_set(prop::option::of(-9i64..9), 0..16);
    (keys, vec(cells(), 16)).prop_flat_map(|(keys, cells)| {
        let rows: Vec<Row> = keys.into_iter().zip(cells).map(|(key, (n, t))| (key, n, t)).collect();
        Just(rows).prop_shuffle()
    })
}

fn same_number(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// What a comparison by key must find, in the plainest words: pairs; differing and tolerated numbers;
/// differing texts; the rows to be shown; rows without a partner; squared distance of the numbers.
#[derive(Debug, PartialEq)]
struct Expected {
    pairs: u64,
    numbers: (u64, u64),
    texts: u64,
    shown: Vec<(u64, u64, Vec<usize>)>,
    alone: [Vec<u64>; 2],
}

fn expected(left: &[Row], right: &[Row], bound: f64) -> (Expected, f64) {
    let finite = left.iter().filter_map(|row| row.1).filter(|number| number.is_finite());
    let squares: Vec<f64> = finite.map(|number| number * number).collect();
    let scale_squared = squares.iter().sum::<f64>() / squares.len().max(1) as f64;
    let mut found = Expected { pairs: 0, numbers: (0, 0), texts: 0, shown: vec![], alone: [vec![], vec![]] };
    let mut d_squared = 0.0;
    for (at, a) in left.iter().enumerate() {
        let Some(other) = right.iter().position(|b| a.0 == b.0) else {
            found.alone[0].push(at as u64);
            continue;
        };
        let b = &right[other];
        found.pairs += 1;
        let mut differing = Vec::new();
        if !same_number(a.1, b.1) {
            found.numbers.0 += 1;
            let number = |cell: Option<f64>| cell.filter(|number| number.is_finite());
            let difference = number(a.1).unwrap_or(0.0) - number(b.1).unwrap_or(0.0);
            let symbol = number(a.1).is_none() || number(b.1).is_none();
            if scale_squared == 0.0 {
                d_squared += 1.0;
            } else {
                d_squared += difference * difference / scale_squared + f64::from(u8::from(symbol));
            }
            if !symbol && difference.abs() <= bound {
                found.numbers.1 += 1;
            } else {
                differing.push(1);
            }
        }
        if a.2 != b.2 {
            found.texts += 1;
            differing.push(2);
        }
        if !differing.is_empty() && found.shown.len() < 3 {
            found.shown.push((at as u64, other as u64, differing));
        }
    }
    let lonely = |b: &&Row| !left.iter().any(|a| a.0 == b.0);
    found.alone[1] = right.iter().enumerate().filter(|(_, b)| lonely(b)).map(|(at, _)| at as u64).collect();
    (found, d_squared)
}

fn observed(found: &Comparison) -> Expected {
    let shown = found
        .rows
        .iter()
        .map(|(row, differing)| (*row, differing.right, differing.cells.iter().map(|cell| cell.0).collect()));
    let number = &found.columns[1];
    Expected {
        pairs: found.pairs,
        numbers: (number.evidence.differing, number.within),
        texts: found.columns[2].evidence.differing,
        shown: shown.collect(),
        alone: found.alone.each_ref().map(|alone| alone.rows.keys().copied().collect()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn rows_of_one_key_are_found_wherever_they_stand(
        left in keyed_rows(),
        right in keyed_rows(),
        step in 1..6usize,
        memory in prop::sample::select(vec![300, 900, 1 << 20]),
    ) {
        let (mine, theirs) = (table(&left, step), table(&right, 7 - step));
        let mut options = options(memory);
        options.tolerances.columns.insert("number".into(), Tolerance::new(0.1, 0.0).unwrap());
        let found = by_key(mine.side("l"), theirs.side("r"), &options, &watch).unwrap();
        let (mut wanted, d_squared) = expected(&left, &right, 0.1);
        let counts = wanted.alone.each_ref().map(|rows| rows.len() as u64);
        prop_assert_eq!(found.alone.each_ref().map(|alone| alone.count), counts);
        wanted.alone.iter_mut().for_each(|rows| rows.truncate(3));
        let equal = counts == [0, 0] && wanted.texts == 0 && wanted.numbers.0 == wanted.numbers.1;
        prop_assert_eq!(found.is_equal(), equal);
        prop_assert_eq!(observed(&found), wanted);
        let measured = found.columns[1].evidence.d_squared().unwrap();
        prop_assert!((measured - d_squared).abs() <= 1e-9 * d_squared, "{} and {}", measured, d_squared);
    }

    #[test]
    fn a_shuffled_table_is_equal_by_key_and_without_order(
        (rows, shuffled) in keyed_rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        memory in prop::sample::select(vec![300, 1 << 20]),
    ) {
        let (mine, theirs) = (table(&rows, 3), table(&shuffled, 4));
        prop_assert!(by_key(mine.side("l"), theirs.side("r"), &options(memory), &watch).unwrap().is_equal());
        prop_assert!(multisets(&mine, &theirs, memory).unwrap().is_equal());
    }

    #[test]
    fn multisets_are_counted(
        left in vec((prop::option::of(0i64..3), cells()), 0..90),
        right in vec((prop::option::of(0i64..3), cells()), 0..90),
        same in any::<bool>(),
        memory in prop::sample::select(vec![0, 1 << 20]),
    ) {
        let rows = |rows: Vec<(Option<i64>, Rest)>| -> Vec<Row> {
            rows.into_iter().map(|(key, (number, text))| (key, number, text)).collect()
        };
        let left = rows(left);
        let right = if same { left.iter().rev().cloned().collect() } else { rows(right) };
        let found = multisets(&table(&left, 5), &table(&right, 9), memory).unwrap();
        let text = |row: &Row| format!("{:?} {:?} {:?}", row.0, row.1, row.2);
        let mut counts: BTreeMap<String, [Vec<u64>; 2]> = BTreeMap::new();
        for (side, rows) in [&left, &right].into_iter().enumerate() {
            for (at, row) in rows.iter().enumerate() {
                counts.entry(text(row)).or_default()[side].push(at as u64);
            }
        }
        for side in 0..2 {
            let more = counts.values().filter(|places| places[side].len() > places[1 - side].len());
            let surplus: usize = more.clone().map(|places| places[side].len() - places[1 - side].len()).sum();
            prop_assert_eq!(found.alone[side].count, surplus as u64);
            let first: BTreeSet<(u64, [u64; 2])> =
                more.map(|places| (places[side][0], [places[0].len() as u64, places[1].len() as u64])).collect();
            let shown: Vec<_> = found.alone[side].rows.iter().map(|(row, alone)| (*row, alone.times)).collect();
            prop_assert_eq!(shown, first.into_iter().take(3).collect::<Vec<_>>());
        }
    }
}

fn multisets(left: &Memory, right: &Memory, memory: usize) -> Result<Comparison> {
    let options = CompareOptions { key: vec![], ..options(memory) };
    let (left, right) = (left.side("l"), right.side("r"));
    let plan = Plan::new(left, right, &options)?;
    let whole = |side: Side<'_>, which| digest_rows(&plan, side, which, 0..side.table.rows(), &watch);
    let same = whole(left, Which::Left)?.finish() == whole(right, Which::Right)?.finish();
    let found = unordered(&plan, left, right, same, &options, &watch)?;
    let alone = found.alone.iter().map(|alone| alone.count).sum::<u64>();
    assert_eq!(same, alone == 0, "digests and counts agree");
    // What the digest says must be what counting says.
    let counted = unordered(&plan, left, right, false, &options, &watch)?;
    assert_eq!(counted.alone, found.alone);
    Ok(found)
}

#[test]
fn a_key_that_occurs_twice_names_both_rows() {
    let row = |key: i64| (Some(key), None, None);
    let left: Vec<Row> = (0..40).map(row).collect();
    let right: Vec<Row> = (0..40).map(|key| row(if key == 31 { 4 } else { key })).collect();
    for memory in [300, 1 << 20] {
        let (mine, theirs) = (table(&left, 7), table(&right, 7));
        let error = by_key(mine.side("l.csv"), theirs.side("r.csv"), &options(memory), &watch).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("r.csv, record 32: has the key of record 5 again (key = \"4\")"), "{text}");
    }
    let nulls: Vec<Row> = vec![(None, None, None), (None, None, None)];
    let nulls = table(&nulls, 1);
    assert!(by_key(nulls.side("l"), nulls.side("r"), &options(300), &watch).is_err(), "null equals null");
}

fn one(column: ArrayRef) -> Memory {
    Memory::new(vec![("key", column)], 2)
}

#[test]
fn values_of_different_types_are_equal_only_if_nothing_is_lost() {
    let order = CompareOptions { key: vec![], ..options(1 << 20) };
    let compare = |a: ArrayRef, b: ArrayRef| {
        let (a, b) = (one(a), one(b));
        let forth = in_order(a.side("l"), b.side("r"), &order, &watch)?;
        let back = in_order(b.side("l"), a.side("r"), &order, &watch)?;
        let differing = forth.columns[0].evidence.differing;
        assert_eq!(differing, back.columns[0].evidence.differing, "both ways");
        assert!(forth.columns[0].read_as.is_some());
        Ok::<_, Error>(differing)
    };
    let ints = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let floats = |values: &[f64]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    let decimals = |values: &[i128], scale| {
        let array = Decimal128Array::from(values.to_vec()).with_precision_and_scale(10, scale);
        Arc::new(array.unwrap()) as ArrayRef
    };
    assert_eq!(compare(ints(&[1, 2]), floats(&[1.0, 2.5])).unwrap(), 1, "2.5 is not cut to 2");
    let beyond = compare(ints(&[1, (1 << 53) + 1]), floats(&[1.0, (1u64 << 53) as f64])).unwrap_err();
    assert!(beyond.to_string().contains("record 2") && beyond.to_string().contains("9007199254740993"));
    let unsigned = Arc::new(UInt64Array::from(vec![u64::MAX, 7]));
    assert_eq!(compare(ints(&[-1, 7]), unsigned).unwrap(), 1, "a large number is not null");
    let narrow = Arc::new(Int32Array::from(vec![None, Some(5)]));
    let wide = Arc::new(Int64Array::from(vec![Some(5_000_000_000), Some(5)]));
    assert_eq!(compare(narrow, wide).unwrap(), 1, "a value that does not fit is not null");
    assert_eq!(compare(decimals(&[110, 20], 2), decimals(&[11, 3], 1)).unwrap(), 1);
    assert_eq!(compare(decimals(&[100, 250], 2), ints(&[1, 2])).unwrap(), 1);
    let texts = Arc::new(StringArray::from(vec!["5", "05"]));
    assert_eq!(compare(ints(&[5, 5]), texts).unwrap(), 1);
    let days = Arc::new(Date32Array::from(vec![1, 2]));
    let moments = Arc::new(TimestampMicrosecondArray::from(vec![86_400_000_000, 2 * 86_400_000_000 + 1]));
    assert_eq!(compare(days, moments).unwrap(), 1);
}

#[test]
fn columns_belong_together_by_name() {
    let order = CompareOptions { key: vec![], ..options(1 << 20) };
    let ints = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let left = Memory::new(vec![("a", ints(1)), ("b", ints(2)), ("c", ints(3)), ("d", ints(4))], 1);
    let right = Memory::new(vec![("b", ints(2)), ("a", ints(1)), ("x", ints(3)), ("d", ints(5))], 1);
    let found = in_order(left.side("l"), right.side("r"), &order, &watch).unwrap();
    let names: Vec<_> =
        found.columns.iter().map(|column| (&*column.name, column.evidence.differing)).collect();
    assert_eq!(names, [("a", 0), ("b", 0), ("c", 0), ("d", 1)]);
    let said: Vec<_> = found.signature.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("column 3 is named \"c\" on the left and \"x\" on the right"), "{said:?}");
    assert!(said[1].contains("another order: b, a, d"), "{said:?}");
    let fewer = Memory::new(vec![("d", ints(4))], 1);
    let found = in_order(left.side("l"), fewer.side("r"), &order, &watch).unwrap();
    assert_eq!(found.signature.len(), 3, "a, b and c are only on the left");
    assert_eq!(found.columns[0].evidence.differing, 0);
}

#[test]
fn rows_beyond_the_other_side_are_told() {
    let order = CompareOptions { key: vec![], ..options(1 << 20) };
    let rows: Vec<Row> = (0..20).map(|key| (Some(key), Some(1.0), None)).collect();
    let (long, short) = (table(&rows, 3), table(&rows[..9], 4));
    for (left, right, side) in [(&long, &short, 0), (&short, &long, 1)] {
        let found = in_order(left.side("l"), right.side("r"), &order, &watch).unwrap();
        assert!(!found.is_equal());
        assert_eq!(found.pairs, 9);
        assert_eq!(found.alone[side].count, 11);
        assert_eq!(found.alone[side].rows.keys().copied().collect::<Vec<_>>(), [9, 10, 11]);
        assert_eq!(found.alone[1 - side], Alone::default());
    }
}
