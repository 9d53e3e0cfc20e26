//! T3: merging evidence is a commutative monoid, to the bit.

use crate::reference;
use crate::{Outcome, assert_dies, hold};
use coherence::evidence::{ColumnEvidence, ColumnRule, Evidence, EvidenceError};
use coherence::sum::{ExactSum, SumError};
use num_rational::BigRational;
use proptest::collection::vec;
use proptest::prelude::*;

const RULES: [ColumnRule; 2] = [ColumnRule::Exact, ColumnRule::Numeric { scale: 3.0 }];

/// What joins evidence.
trait Join {
    fn join(&self, left: &Evidence, right: &Evidence) -> Evidence {
        let mut joined = left.clone();
        joined.merge(right).expect("evidence about the same columns");
        joined
    }
}

/// Evidence of one part: symbols in the first column, numbers of very different sizes in the second.
fn evidence() -> impl Strategy<Value = Evidence> {
    let number = prop_oneof![-1e3..1e3f64, Just(1e120), Just(-3e-170), Just(0.1), Just(0.0)];
    (0..1000u64, 0..50u64, vec((number.clone(), number), 0..6)).prop_map(|(equal, differing, numbers)| {
        let mut evidence = Evidence::new(&RULES);
        evidence.rows = equal + differing;
        evidence.columns[0].add_symbols(equal + differing, differing).expect("small counts");
        for (source, difference) in numbers {
            let same = difference == 0.0;
            evidence.columns[1].add_numbers(source, difference, same).expect("finite squares");
        }
        evidence
    })
}

fn law(join: &impl Join) -> Outcome {
    let parts = vec(evidence(), 1..7);
    hold(300, (parts, any::<u64>()), |(parts, seed)| {
        let fold = |parts: &[Evidence]| parts.iter().skip(1).fold(parts[0].clone(), |a, b| join.join(&a, b));
        let in_order = fold(&parts);
        let neutral = Evidence::new(&RULES);
        prop_assert_eq!(&join.join(&in_order, &neutral), &in_order);
        prop_assert_eq!(&join.join(&neutral, &in_order), &in_order);
        prop_assert_eq!(in_order.rows, parts.iter().map(|part| part.rows).sum::<u64>());
        let largest = parts.iter().map(Evidence::max_abs).fold(0.0, f64::max);
        prop_assert_eq!(in_order.max_abs(), largest);

        // Any pair may be joined next, on either side: every tree over every order.
        let mut open = parts;
        let mut state = seed;
        while open.len() > 1 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let a = open.swap_remove((state >> 33) as usize % open.len());
            let b = open.swap_remove((state >> 13) as usize % open.len());
            open.push(join.join(&a, &b));
        }
        prop_assert_eq!(&open[0], &in_order);
        let bits = |evidence: &Evidence| evidence.d_squared().map(f64::to_bits);
        prop_assert_eq!(bits(&open[0]), bits(&in_order));
        Ok(())
    })
}

struct Production;
impl Join for Production {}

#[test]
fn t3_monoid() {
    law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

fn sum_of(terms: &[f64]) -> ExactSum {
    let mut sum = ExactSum::new();
    terms.iter().for_each(|term| sum.add(*term).expect("finite terms"));
    sum
}

#[test]
fn t3_mutants_die() {
    struct RoundsAsItGoes;
    impl Join for RoundsAsItGoes {
        fn join(&self, left: &Evidence, right: &Evidence) -> Evidence {
            let mut joined = Production.join(left, right);
            for (column, out) in joined.columns.iter_mut().enumerate() {
                let part = |side: &Evidence| side.columns[column].sum_sq_diff.to_f64().expect("in range");
                out.sum_sq_diff = sum_of(&[part(left) + part(right)]);
            }
            joined
        }
    }
    struct KeepsTheLastMaximum;
    impl Join for KeepsTheLastMaximum {
        fn join(&self, left: &Evidence, right: &Evidence) -> Evidence {
            let mut joined = Production.join(left, right);
            joined.columns[1].max_abs = right.columns[1].max_abs;
            joined
        }
    }
    struct CountsTheLeftTwice;
    impl Join for CountsTheLeftTwice {
        fn join(&self, left: &Evidence, right: &Evidence) -> Evidence {
            Production.join(&Production.join(left, right), left)
        }
    }
    struct ForgetsRows;
    impl Join for ForgetsRows {
        fn join(&self, left: &Evidence, right: &Evidence) -> Evidence {
            Evidence { rows: left.rows, ..Production.join(left, right) }
        }
    }
    assert_dies("sums rounded at every merge", law(&RoundsAsItGoes));
    assert_dies("the last maximum kept", law(&KeepsTheLastMaximum));
    assert_dies("one side counted twice", law(&CountsTheLeftTwice));
    assert_dies("rows of one side only", law(&ForgetsRows));
}

/// Finite numbers of every size and sign.
fn any_finite() -> impl Strategy<Value = f64> {
    any::<u64>()
        .prop_map(f64::from_bits)
        .prop_filter("finite", |value| value.is_finite() && value.abs() < 1e300)
}

/// The sum itself against rationals: exact, and rounded once.
fn sum_law(sum: impl Fn(&[f64]) -> f64) -> Outcome {
    let terms = vec(prop_oneof![any_finite(), -10.0..10.0f64, Just(f64::from_bits(1))], 0..12);
    hold(300, (terms, any::<prop::sample::Index>()), |(mut terms, cancelled)| {
        if !terms.is_empty() {
            // Cancellation is where naive sums go wrong.
            let taken_back = -terms[cancelled.index(terms.len())];
            terms.push(taken_back);
        }
        let exact = reference::exact_sum(&terms);
        let found = BigRational::from_float(sum(&terms)).expect("finite");
        let error = |value: f64| {
            let distance = BigRational::from_float(value).expect("finite") - &exact;
            if distance < BigRational::from_integer(0.into()) { -distance } else { distance }
        };
        let value = sum(&terms);
        prop_assert!(error(value) <= error(value.next_up()), "{} is nearer", value.next_up());
        prop_assert!(error(value) <= error(value.next_down()), "{} is nearer", value.next_down());
        prop_assert!(terms.is_empty() || found == BigRational::from_float(value).expect("finite"));
        Ok(())
    })
}

#[test]
fn t3_sums_are_exact() {
    sum_law(|terms| sum_of(terms).to_f64().expect("in range"))
        .unwrap_or_else(|counterexample| panic!("{counterexample}"));
    assert_dies("a plain sum", sum_law(|terms| terms.iter().sum()));
    assert_dies(
        "a sum rounded towards zero",
        sum_law(|terms| {
            let exact = sum_of(terms).to_f64().expect("in range");
            if exact > 0.0 { exact.next_down() } else { exact }
        }),
    );
}

#[test]
fn t3_sums_round_trip_as_text() {
    hold(200, vec(any_finite(), 0..5), |terms| {
        let sum = sum_of(&terms);
        prop_assert_eq!(sum.to_string().parse::<ExactSum>(), Ok(sum));
        Ok(())
    })
    .unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

#[test]
fn t3_overflow_and_unequal_columns_are_errors() {
    let mut column = ColumnEvidence::new(RULES[1]);
    let overflow = Err(EvidenceError::Sum(SumError::NonFinite));
    assert_eq!(column.add_numbers(0.0, 1e200, false), overflow);
    assert_eq!(column.add_numbers(1e200, 0.0, true), overflow);

    let mut evidence = Evidence::new(&RULES);
    let other = Evidence::new(&RULES[..1]);
    assert_eq!(evidence.merge(&other), Err(EvidenceError::Columns { left: 2, right: 1 }));
    let other = Evidence::new(&[RULES[0], ColumnRule::Numeric { scale: 4.0 }]);
    assert_eq!(evidence.merge(&other), Err(EvidenceError::Rule { column: 1 }));
    let mut full = Evidence::equal(u64::MAX, 1);
    assert_eq!(full.merge(&Evidence::equal(1, 1)), Err(EvidenceError::Count));
}
