//! T8: an allocation keeps the bound, and costs at most the optimum plus the largest step of one part's hull.

use crate::{Outcome, assert_dies, hold};
use coherence::allocation::{Allocation, Choice, Infeasible, allocate};
use proptest::collection::vec;
use proptest::prelude::*;

trait Allocate {
    fn allocate(&self, parts: &[Vec<Choice>], bound: f64) -> Result<Allocation, Infeasible> {
        allocate(parts, bound)
    }
}

struct Production;
impl Allocate for Production {}

/// Every combination, one after the other: the least cost within the bound.
fn optimum(parts: &[Vec<Choice>], bound: f64) -> Option<f64> {
    let mut sums = vec![Choice { cost: 0.0, d_squared: 0.0 }];
    for choices in parts {
        let add = |sum: &Choice| {
            let sum = *sum;
            choices.iter().map(move |choice| Choice {
                cost: sum.cost + choice.cost,
                d_squared: sum.d_squared + choice.d_squared,
            })
        };
        sums = sums.iter().flat_map(add).collect();
    }
    sums.iter().filter(|sum| sum.d_squared <= bound).map(|sum| sum.cost).min_by(f64::total_cmp)
}

/// The largest cost step between neighbouring points of one part's lower hull, by its definition: a point is
/// on the hull if for some price nothing is better.
fn largest_step(parts: &[Vec<Choice>]) -> f64 {
    let mut largest: f64 = 0.0;
    for choices in parts {
        let on_hull = |point: &Choice| {
            let dominated = choices.iter().any(|other| {
                other.cost <= point.cost && other.d_squared <= point.d_squared && other != point
            });
            let below = |a: &Choice, b: &Choice| {
                // The line from a to b at the point's distance is below the point.
                a.d_squared > point.d_squared
                    && point.d_squared > b.d_squared
                    && (a.cost * (point.d_squared - b.d_squared) + b.cost * (a.d_squared - point.d_squared))
                        < point.cost * (a.d_squared - b.d_squared)
            };
            !dominated && !choices.iter().any(|a| choices.iter().any(|b| below(a, b)))
        };
        let mut costs: Vec<f64> = choices.iter().filter(|point| on_hull(point)).map(|c| c.cost).collect();
        costs.sort_by(f64::total_cmp);
        largest = costs.windows(2).map(|pair| pair[1] - pair[0]).fold(largest, f64::max);
    }
    largest
}

fn law(allocate: &impl Allocate) -> Outcome {
    // Small integers: every sum is exact.
    let choice = (0..40u32, 0..40u32)
        .prop_map(|(cost, d_squared)| Choice { cost: cost.into(), d_squared: d_squared.into() });
    hold(3000, (vec(vec(choice, 1..6), 1..6), 0..120u32), |(parts, bound)| {
        let bound = f64::from(bound);
        let found = allocate.allocate(&parts, bound);
        let Some(optimum) = optimum(&parts, bound) else {
            let beyond = matches!(found, Err(Infeasible::Bound { .. }));
            prop_assert!(beyond);
            return Ok(());
        };
        let found = found.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let picked: Vec<Choice> =
            parts.iter().zip(&found.chosen).map(|(choices, index)| choices[*index]).collect();
        prop_assert_eq!(found.cost, picked.iter().map(|choice| choice.cost).sum::<f64>());
        prop_assert_eq!(found.d_squared, picked.iter().map(|choice| choice.d_squared).sum::<f64>());
        prop_assert!(found.d_squared <= bound);
        prop_assert!(found.cost <= optimum + largest_step(&parts));
        // The gap tells no less than the truth.
        prop_assert!(found.cost - found.gap <= optimum + 1e-9);
        prop_assert!(found.lambda >= 0.0);
        Ok(())
    })
}

#[test]
fn t8_allocation() {
    law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

#[test]
fn t8_mutants_die() {
    struct KeepsNoBound;
    impl Allocate for KeepsNoBound {
        fn allocate(&self, parts: &[Vec<Choice>], _bound: f64) -> Result<Allocation, Infeasible> {
            allocate(parts, f64::INFINITY)
        }
    }
    struct TakesTheBest;
    impl Allocate for TakesTheBest {
        fn allocate(&self, parts: &[Vec<Choice>], bound: f64) -> Result<Allocation, Infeasible> {
            let best = |choices: &Vec<Choice>| {
                let by = |a: &Choice, b: &Choice| a.d_squared.total_cmp(&b.d_squared);
                choices.iter().copied().min_by(by).into_iter().collect()
            };
            let best: Vec<Vec<Choice>> = parts.iter().map(best).collect();
            let mut found = allocate(&best, bound)?;
            let place = |(choices, best): (&Vec<Choice>, &Vec<Choice>)| {
                choices.iter().position(|choice| *choice == best[0]).unwrap_or_default()
            };
            found.chosen = parts.iter().zip(&best).map(place).collect();
            Ok(found)
        }
    }
    struct MovesTheDearestFirst;
    impl Allocate for MovesTheDearestFirst {
        fn allocate(&self, parts: &[Vec<Choice>], bound: f64) -> Result<Allocation, Infeasible> {
            let dear = |choices: &Vec<Choice>| -> Vec<Choice> {
                choices.iter().map(|choice| Choice { cost: 40.0 - choice.cost, ..*choice }).collect()
            };
            let turned: Vec<Vec<Choice>> = parts.iter().map(dear).collect();
            let mut found = allocate(&turned, bound)?;
            found.cost = parts.iter().zip(&found.chosen).map(|(choices, index)| choices[*index].cost).sum();
            Ok(found)
        }
    }
    struct PromisesTheOptimum;
    impl Allocate for PromisesTheOptimum {
        fn allocate(&self, parts: &[Vec<Choice>], bound: f64) -> Result<Allocation, Infeasible> {
            Ok(Allocation { gap: 0.0, ..allocate(parts, bound)? })
        }
    }
    assert_dies("the bound not kept", law(&KeepsNoBound));
    assert_dies("the best of every part, whatever it costs", law(&TakesTheBest));
    assert_dies("the dearest steps first", law(&MovesTheDearestFirst));
    assert_dies("no gap told", law(&PromisesTheOptimum));
}

#[test]
fn t8_parts_without_an_option_are_named() {
    let one = vec![Choice { cost: 1.0, d_squared: 0.0 }];
    assert_eq!(allocate(&[one.clone(), Vec::new()], 1.0), Err(Infeasible::Part { part: 1 }));
    let bad = vec![Choice { cost: f64::NAN, d_squared: 0.0 }];
    assert_eq!(allocate(&[one, bad], 1.0), Err(Infeasible::Number { part: 1 }));
    assert_eq!(allocate(&[], 0.0).map(|found| found.cost), Ok(0.0));
}
