//! T5: the distance over a chain of conversions is at most the sum of its steps.

use crate::table::{self, PLAIN, Value};
use crate::{Outcome, assert_dies, hold};
use coherence::distance::compare;
use coherence::evidence::{ColumnEvidence, ColumnRule};
use coherence::schema::LogicalType;
use proptest::collection::vec;
use proptest::prelude::*;

type Content = Vec<Option<f64>>;

/// What measures one step of a chain, given the scale of the chain's original source.
trait Step {
    fn distance(&self, from: &Content, to: &Content, scale: f64) -> f64;
}

fn evidence(from: &Content, to: &Content, scale: f64) -> ColumnEvidence {
    let ty = LogicalType::Float { bits: 64 };
    let cells = |content: &Content| -> Vec<Value> {
        let bytes = |number: &f64| Value::Fixed(number.to_le_bytes().to_vec());
        content.iter().map(|number| number.as_ref().map_or(Value::Null, bytes)).collect()
    };
    let (from, to) = (table::build(&ty, &cells(from), PLAIN), table::build(&ty, &cells(to), PLAIN));
    let rule = ColumnRule::numeric(scale).expect("a root mean square");
    compare(&ty, &from.cells(), &to.cells(), rule).expect("columns of one type")
}

fn law(step: &impl Step) -> Outcome {
    let cell = prop_oneof![
        3 => (-100.0..100.0f64).prop_map(Some),
        2 => (-3..3i8).prop_map(|small| Some(small.into())),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
        1 => Just(Some(f64::INFINITY)),
    ];
    let chains = (1..4usize).prop_flat_map(move |rows| vec(vec(cell.clone(), rows), 2..6));
    hold(1500, chains, |chain| {
        let first = &chain[0];
        let scale = evidence(first, first, 1.0).rms().expect("in range");
        let steps: f64 = chain.windows(2).map(|pair| step.distance(&pair[0], &pair[1], scale)).sum();
        let end_to_end = step.distance(first, &chain[chain.len() - 1], scale);
        prop_assert!(end_to_end <= steps * (1.0 + 1e-12), "{} is more than {}", end_to_end, steps);
        Ok(())
    })
}

struct Production;
impl Step for Production {
    fn distance(&self, from: &Content, to: &Content, scale: f64) -> f64 {
        evidence(from, to, scale).d_squared().expect("in range").sqrt()
    }
}

#[test]
fn t5_cascade() {
    law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

#[test]
fn t5_mutants_die() {
    struct MeasuresItsOwnScale;
    impl Step for MeasuresItsOwnScale {
        fn distance(&self, from: &Content, to: &Content, _: f64) -> f64 {
            let scale = evidence(from, from, 1.0).rms().expect("in range");
            Production.distance(from, to, scale)
        }
    }
    struct ForgetsTheRoot;
    impl Step for ForgetsTheRoot {
        fn distance(&self, from: &Content, to: &Content, scale: f64) -> f64 {
            Production.distance(from, to, scale).powi(2)
        }
    }
    struct NullIsOneFromEveryNumber;
    impl Step for NullIsOneFromEveryNumber {
        fn distance(&self, from: &Content, to: &Content, scale: f64) -> f64 {
            let pairs = from.iter().zip(to);
            let each = pairs.map(|(a, b)| match (a, b) {
                (Some(number), None) | (None, Some(number)) if number.is_finite() => 1.0,
                _ => Production.distance(&vec![*a], &vec![*b], scale).powi(2),
            });
            each.sum::<f64>().sqrt()
        }
    }
    assert_dies("a scale for each step", law(&MeasuresItsOwnScale));
    assert_dies("squares instead of distances", law(&ForgetsTheRoot));
    assert_dies("null one apart from every number", law(&NullIsOneFromEveryNumber));
}
