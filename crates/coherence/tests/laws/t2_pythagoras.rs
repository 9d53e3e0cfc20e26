//! T2: squared distances and norms of the parts add up to those of the whole, and are what the definition
//! says.

use crate::reference::{self, Primes};
use crate::table::{self, Layout, Value};
use crate::{Outcome, assert_dies, hold};
use coherence::distance::compare;
use coherence::evidence::{ColumnEvidence, ColumnRule};
use coherence::schema::LogicalType;
use num_rational::BigRational;
use proptest::collection::vec;
use proptest::prelude::*;

/// What measures a column.
trait Measure {
    fn column(
        &self,
        ty: &LogicalType,
        left: (&[Value], Layout),
        right: (&[Value], Layout),
        rule: ColumnRule,
    ) -> ColumnEvidence {
        let left = table::build(ty, left.0, left.1);
        let right = table::build(ty, right.0, right.1);
        compare(ty, &left.cells(), &right.cells(), rule).expect("columns of one type")
    }

    fn total(&self, parts: &[ColumnEvidence]) -> f64 {
        parts.iter().map(|part| part.d_squared().expect("small distances")).sum()
    }
}

/// A type and two columns of it, of which the second is mostly the first.
fn pairs() -> impl Strategy<Value = (LogicalType, Vec<Value>, Vec<Value>)> {
    table::types().prop_flat_map(|ty| {
        let row = (table::values(&ty), table::values(&ty), 0..4u8);
        (Just(ty), vec(row, 0..14)).prop_map(|(ty, rows)| {
            let left = rows.iter().map(|(left, _, _)| left.clone()).collect();
            let right = rows.into_iter().map(|(left, right, kind)| if kind == 0 { right } else { left });
            (ty, left, right.collect())
        })
    })
}

fn symbols_law(measure: &impl Measure) -> Outcome {
    let layouts = (table::layouts(), table::layouts(), 0..14usize);
    hold(300, (pairs(), layouts), |((ty, left, right), (mine, theirs, cut))| {
        let exact = ColumnRule::Exact;
        let whole = measure.column(&ty, (&left, mine), (&right, theirs), exact);
        let symbols =
            |cells: &[Value]| cells.iter().map(|cell| reference::symbol(&ty, cell)).collect::<Vec<_>>();
        let mut primes = Primes::default();
        let a = primes.universal_number(0, 0, &symbols(&left));
        let b = primes.universal_number(0, 0, &symbols(&right));
        let d_squared = whole.d_squared().expect("small distances");
        prop_assert_eq!(2.0 * d_squared, primes.twice_d_squared(&a, &b) as f64);
        let norm_squared = whole.norm_squared().expect("small norms");
        prop_assert_eq!(2.0 * norm_squared, primes.twice_norm_squared(&a) as f64);

        let cut = cut.min(left.len());
        let parts = [0..cut, cut..left.len()]
            .map(|rows| measure.column(&ty, (&left[rows.clone()], theirs), (&right[rows], mine), exact));
        prop_assert_eq!(measure.total(&parts), d_squared);
        Ok(())
    })
}

fn number() -> impl Strategy<Value = Option<f64>> {
    let finite = prop_oneof![
        -9.0..9.0f64,
        (-1e3..1e3f64).prop_map(f64::round),
        Just(0.0),
        Just(-0.0),
        Just(1e-200),
        Just(1e150)
    ];
    prop_oneof![
        8 => finite.prop_map(Some),
        1 => proptest::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]).prop_map(Some),
        1 => Just(None),
    ]
}

fn cell(number: &Option<f64>) -> Value {
    number.map_or(Value::Null, |number| Value::Fixed(number.to_le_bytes().to_vec()))
}

fn finite(number: &Option<f64>) -> Option<f64> {
    number.filter(|number| number.is_finite())
}

/// The exact sums, in rationals, and the count of symbols that differ.
fn expected(rows: &[(Option<f64>, Option<f64>)]) -> (BigRational, BigRational, u64) {
    let (mut differences, mut squares, mut symbols) = (Vec::new(), Vec::new(), 0);
    for (a, b) in rows {
        squares.extend(finite(a).map(|a| a * a));
        match (finite(a), finite(b)) {
            (Some(a), Some(b)) => differences.push((a - b) * (a - b)),
            (Some(number), None) | (None, Some(number)) => {
                differences.push(number * number);
                symbols += 1;
            }
            (None, None) => {
                let both_nan = a.is_some_and(f64::is_nan) && b.is_some_and(f64::is_nan);
                symbols += u64::from(a != b && !both_nan);
            }
        }
    }
    (reference::exact_sum(&differences), reference::exact_sum(&squares), symbols)
}

fn numbers_law(measure: &impl Measure) -> Outcome {
    let rows = vec((number(), number()), 0..20);
    hold(300, (rows, table::layouts(), 0..20usize), |(rows, layout, cut)| {
        let (left, right): (Vec<Value>, Vec<Value>) = rows.iter().map(|(a, b)| (cell(a), cell(b))).unzip();
        let ty = LogicalType::Float { bits: 64 };
        let rule = ColumnRule::Numeric { scale: 2.0 };
        let whole = measure.column(&ty, (&left, layout), (&right, layout), rule);
        let (differences, squares, symbols) = expected(&rows);
        let as_rational = |sum: &coherence::sum::ExactSum| {
            BigRational::from_float(sum.to_f64().expect("in range")).expect("finite")
        };
        // The sum is exact, so rounding it is all that separates it from the rational.
        prop_assert_eq!(as_rational(&whole.sum_sq_diff), rounded(&differences));
        prop_assert_eq!(as_rational(&whole.sum_sq), rounded(&squares));
        prop_assert_eq!(whole.symbols_differing, symbols);

        let cut = cut.min(rows.len());
        let parts = [0..cut, cut..rows.len()]
            .map(|range| measure.column(&ty, (&left[range.clone()], layout), (&right[range], layout), rule));
        let mut merged = parts[0].clone();
        merged.merge(&parts[1]).expect("one rule");
        prop_assert_eq!(&merged, &whole);
        let d_squared = whole.d_squared().expect("in range");
        prop_assert!((measure.total(&parts) - d_squared).abs() <= d_squared * 1e-12);
        Ok(())
    })
}

/// The nearest `f64` of a rational, found without the sum under test.
fn rounded(exact: &BigRational) -> BigRational {
    let as_text = |value: f64| BigRational::from_float(value).expect("finite");
    let (mut low, mut high) = (0u64, f64::MAX.to_bits());
    while high - low > 1 {
        let middle = low.midpoint(high);
        if as_text(f64::from_bits(middle)) <= *exact { low = middle } else { high = middle }
    }
    let (below, above) = (as_text(f64::from_bits(low)), as_text(f64::from_bits(high)));
    let (to_below, to_above) = (exact - &below, &above - exact);
    if to_below < to_above || (to_below == to_above && low.is_multiple_of(2)) { below } else { above }
}

struct Production;
impl Measure for Production {}

#[test]
fn t2_pythagoras() {
    symbols_law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
    numbers_law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

/// Rewrites cells before the production code sees them: a fault in how it looks at them.
struct Rewrites(fn(&LogicalType, &Value) -> Value);
impl Measure for Rewrites {
    fn column(
        &self,
        ty: &LogicalType,
        left: (&[Value], Layout),
        right: (&[Value], Layout),
        rule: ColumnRule,
    ) -> ColumnEvidence {
        let rewrite = |cells: &[Value]| cells.iter().map(|cell| (self.0)(ty, cell)).collect::<Vec<_>>();
        Production.column(ty, (&rewrite(left.0), left.1), (&rewrite(right.0), right.1), rule)
    }
}

#[test]
fn t2_mutants_die() {
    struct AddsDistances;
    impl Measure for AddsDistances {
        fn total(&self, parts: &[ColumnEvidence]) -> f64 {
            parts.iter().map(|part| part.d_squared().expect("small").sqrt()).sum::<f64>().powi(2)
        }
    }
    struct ForgetsTheLastRow;
    impl Measure for ForgetsTheLastRow {
        fn column(
            &self,
            ty: &LogicalType,
            left: (&[Value], Layout),
            right: (&[Value], Layout),
            rule: ColumnRule,
        ) -> ColumnEvidence {
            let rows = left.0.len().saturating_sub(1);
            Production.column(ty, (&left.0[..rows], left.1), (&right.0[..rows], right.1), rule)
        }
    }
    let nulls_are_zero = Rewrites(|ty, cell| match cell {
        Value::Null => table::zero(ty),
        _ => cell.clone(),
    });
    let zeros_are_one = Rewrites(|ty, cell| match (ty, cell) {
        (LogicalType::Float { .. }, Value::Fixed(bytes)) => {
            let negative =
                bytes.iter().rev().enumerate().all(|(at, byte)| *byte == if at == 0 { 0x80 } else { 0 });
            if negative { table::zero(ty) } else { cell.clone() }
        }
        _ => cell.clone(),
    });
    let looks_at_first_items = Rewrites(|_, cell| match cell {
        Value::Bytes(bytes) => Value::Bytes(bytes.iter().copied().take(1).collect()),
        _ => cell.clone(),
    });
    assert_dies("distances added instead of squares", symbols_law(&AddsDistances));
    assert_dies("distances added instead of squares", numbers_law(&AddsDistances));
    assert_dies("the last row forgotten", symbols_law(&ForgetsTheLastRow));
    assert_dies("null equal to zero", symbols_law(&nulls_are_zero));
    assert_dies("null equal to zero", numbers_law(&nulls_are_zero));
    assert_dies("-0.0 equal to 0.0", symbols_law(&zeros_are_one));
    assert_dies("only the first byte compared", symbols_law(&looks_at_first_items));
}

/// A measure that compares raw bytes must fail on NaN payloads, which mean nothing.
#[test]
fn t2_mutant_with_nan_payloads_dies() {
    struct ComparesPayloads;
    impl Measure for ComparesPayloads {
        fn column(
            &self,
            ty: &LogicalType,
            left: (&[Value], Layout),
            right: (&[Value], Layout),
            rule: ColumnRule,
        ) -> ColumnEvidence {
            let raw = match ty {
                LogicalType::Float { bits } => LogicalType::FixedBinary { size: u32::from(*bits) / 8 },
                other => other.clone(),
            };
            Production.column(&raw, left, right, rule)
        }
    }
    assert_dies("NaN payloads compared", symbols_law(&ComparesPayloads));
}
