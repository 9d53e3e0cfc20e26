//! T4 for signals: rates, root mean squares and largest errors are held by the whole and by every part, and
//! samples that must not differ hide nothing.

use super::{Production, Signals};
use crate::{Outcome, assert_dies, hold};
use coherence::budget::{Bound, Budget};
use coherence::evidence::{ColumnEvidence, ColumnRule, Evidence};
use coherence::sample::SampleType;
use coherence::signal::{self, APPROXIMATE_RULES};
use proptest::collection::vec;
use proptest::prelude::*;

/// What decides whether parts stay within a budget.
trait Decide {
    fn within(&self, budget: &Budget, parts: &[Evidence]) -> bool {
        budget.check(parts).is_ok()
    }
}

/// Samples of both sides of a part, and whether they may be approximated; otherwise both sides are the left.
type Part = (bool, Vec<(i8, i8)>);

fn evidence((approximate, rows): &Part) -> Evidence {
    let left: Vec<u8> = rows.iter().map(|row| row.0.cast_unsigned()).collect();
    let right: Vec<u8> = rows.iter().map(|row| row.1.cast_unsigned()).collect();
    let (column, right) = if *approximate { (0, &right) } else { (1, &left) };
    let kind = (SampleType::I8, APPROXIMATE_RULES[column]);
    signal::evidence(APPROXIMATE_RULES, Production.compare(kind, &left, right, &[]).evidence)
}

/// Squared distance, squared norm, count and largest error of samples that may be approximated.
fn sums(parts: &[Part]) -> [i64; 4] {
    let rows = parts.iter().filter(|part| part.0).flat_map(|part| &part.1);
    rows.fold([0; 4], |[d, norm, count, max], (a, b)| {
        let difference = i64::from(*a) - i64::from(*b);
        let square = i64::from(*a).pow(2);
        [d + difference.pow(2), norm + square, count + 1, max.max(difference.abs())]
    })
}

/// Both sides of the inequality that a bound is, as integers; the bound is given in sixteenths.
fn sides(bound: Bound, [d, norm, count, max]: [i64; 4]) -> (i64, i64) {
    let sixteenths = |bound: f64| (bound * 16.0) as i64;
    match bound {
        Bound::Rate(rate) => (256 * d, sixteenths(rate).pow(2) * norm),
        Bound::Rmse(bound) => (256 * d, sixteenths(bound).pow(2) * count),
        Bound::MaxAbs(bound) => (16 * max, sixteenths(bound)),
    }
}

fn bounds() -> impl Strategy<Value = Bound> {
    (0..3u8, 0..=40u8).prop_map(|(kind, size)| match kind {
        0 => Bound::Rate(f64::from(size) / 16.0),
        1 => Bound::Rmse(f64::from(size) / 4.0),
        _ => Bound::MaxAbs(f64::from(size) / 2.0),
    })
}

fn law(decide: &impl Decide) -> Outcome {
    let row = (-20..20i8, -20..20i8, 0..3u8).prop_map(|(a, b, kind)| (a, if kind == 0 { b } else { a }));
    let part = (proptest::bool::weighted(0.7), vec(row, 0..8));
    hold(4000, (vec(part, 0..5), bounds(), bounds(), 0..12i64), |(parts, whole, floor, absolute)| {
        let budget = Budget { part: floor, part_absolute: absolute as f64, ..Budget::within(whole) };
        let found: Vec<Evidence> = parts.iter().map(evidence).collect();
        let decided = decide.within(&budget, &found);
        let mut inequalities = vec![sides(whole, sums(&parts))];
        for part in &parts {
            let sums = sums(std::slice::from_ref(part));
            if sums[0] > absolute.pow(2) * sums[2] {
                inequalities.push(sides(floor, sums));
            }
        }
        // Where both sides are the same, square roots decide; what did not move is within every bound.
        if inequalities.iter().any(|(left, right)| left > right) {
            prop_assert!(!decided);
        } else if inequalities.iter().all(|(left, right)| left < right || *left == 0) {
            prop_assert!(decided);
        }
        Ok(())
    })
}

struct InProduction;
impl Decide for InProduction {}

#[test]
fn t4_holds_for_signals() {
    law(&InProduction).unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

/// Changes the evidence before it is judged.
struct Sees(fn(&mut Vec<Evidence>));
impl Decide for Sees {
    fn within(&self, budget: &Budget, parts: &[Evidence]) -> bool {
        let mut parts = parts.to_vec();
        self.0(&mut parts);
        budget.check(&parts).is_ok()
    }
}

/// Changes the budget before it is applied.
struct Applies(fn(&mut Budget));
impl Decide for Applies {
    fn within(&self, budget: &Budget, parts: &[Evidence]) -> bool {
        let mut budget = *budget;
        self.0(&mut budget);
        budget.check(parts).is_ok()
    }
}

#[test]
fn t4_mutants_for_signals_die() {
    let endless = Bound::MaxAbs(f64::INFINITY);
    assert_eq!(Budget::within(endless).check(&[evidence(&(true, vec![(1, 2)]))]), Ok(()));
    let mutants: [(&str, &dyn Fn() -> Outcome); 9] = [
        ("fixed samples in norm and mean", &|| {
            law(&Sees(|parts| {
                for part in parts {
                    part.columns[1].rule = ColumnRule::Exact;
                }
            }))
        }),
        ("one part not looked at", &|| law(&Sees(|parts| drop(parts.pop())))),
        ("only the last part looked at", &|| {
            law(&Sees(|parts| drop(parts.drain(..parts.len().saturating_sub(1)))))
        }),
        ("the largest error not kept", &|| {
            law(&Sees(|parts| parts.iter_mut().for_each(|part| part.columns[0].max_abs = 0.0)))
        }),
        ("no floor", &|| law(&Applies(|budget| budget.part = Bound::MaxAbs(f64::INFINITY)))),
        ("no bound on the whole", &|| law(&Applies(|budget| budget.whole = Bound::MaxAbs(f64::INFINITY)))),
        ("no absolute companion", &|| law(&Applies(|budget| budget.part_absolute = 0.0))),
        ("a mean taken for the largest error", &|| {
            law(&Applies(|budget| {
                if let Bound::MaxAbs(bound) = budget.whole {
                    budget.whole = Bound::Rmse(bound);
                }
            }))
        }),
        ("a mean taken for a rate", &|| {
            law(&Applies(|budget| {
                if let Bound::Rmse(bound) = budget.part {
                    budget.part = Bound::Rate(bound);
                }
            }))
        }),
    ];
    for (mutant, outcome) in mutants {
        assert_dies(mutant, outcome());
    }
}

fn numeric(add: impl FnOnce(&mut ColumnEvidence)) -> Evidence {
    let mut column = ColumnEvidence::new(APPROXIMATE_RULES[0]);
    add(&mut column);
    signal::evidence(APPROXIMATE_RULES, column)
}

#[test]
fn t4_a_symbol_that_changes_is_no_number_away() {
    let lost = numeric(|column| column.add_number_and_symbol(0.0, true).expect("finite"));
    let kept = numeric(|column| column.add_symbols(1, 0).expect("small counts"));
    let generous = Budget { part_absolute: 10.0, ..Budget::within(Bound::MaxAbs(1e9)) };
    assert!(generous.check([&kept]).is_ok());
    assert!(generous.check([&lost]).is_err());
    assert!(Budget { part: Bound::Rate(0.0), ..generous }.check([&lost]).is_err());
    // A rate and a mean count it as a distance of 1.
    assert!(Budget::within(Bound::Rmse(1.0)).check([&lost]).is_ok());
    assert!(Budget::within(Bound::Rmse(0.9)).check([&lost]).is_err());
    for nothing in [Bound::Rate(f64::NAN), Bound::Rmse(f64::NAN), Bound::MaxAbs(f64::NAN)] {
        assert!(Budget::within(nothing).check([&kept]).is_err());
    }
}
