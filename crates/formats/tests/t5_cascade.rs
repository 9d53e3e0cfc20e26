//! Law T5 over chains of the encodings that conversions use: the distance of the whole is at most the sum of
//! those of its steps, and a budget that is split over the steps is kept by the whole.

use coherence::evidence::ColumnRule;
use coherence::sample::SampleType;
use coherence::signal::SignalComparison;
use formats::signal::Encoding;
use proptest::prelude::*;

/// Room for the rounding of sums and roots: a chain in which one step alone loses something is an equality.
const SLACK: f64 = 1.0 + 1e-12;

const STEPS: [Encoding; 6] = [
    Encoding::Plain(SampleType::Bf16),
    Encoding::Plain(SampleType::F16),
    Encoding::Plain(SampleType::F8E4M3),
    Encoding::Plain(SampleType::F64),
    Encoding::Q8_0,
    Encoding::Q4_0,
];

fn distance(left: &[u8], right: &[u8]) -> f64 {
    let mut comparison = SignalComparison::new(SampleType::F32, ColumnRule::Numeric { scale: 1.0 });
    comparison.push(left, right).unwrap();
    comparison.evidence.d_squared().unwrap().sqrt()
}

/// What an encoding makes of samples.
fn through(step: Encoding, samples: &[u8]) -> Vec<u8> {
    let (mut held, mut back) = (Vec::new(), Vec::new());
    step.encode(SampleType::F32, samples, &mut held);
    step.decode(&held, SampleType::F32, &mut back);
    back
}

/// The distance of a chain, and those of its steps.
fn chain(samples: &[u8], steps: &[Encoding]) -> (f64, Vec<f64>) {
    let (mut at, mut distances) = (samples.to_vec(), Vec::new());
    for step in steps {
        let next = through(*step, &at);
        distances.push(distance(&at, &next));
        at = next;
    }
    (distance(samples, &at), distances)
}

fn bytes(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

proptest! {
    #[test]
    fn t5_a_chain_is_no_longer_than_its_steps(
        samples in proptest::collection::vec(-100.0f32..100.0, 64..=64),
        steps in proptest::collection::vec(0usize..STEPS.len(), 1..5),
    ) {
        let steps: Vec<Encoding> = steps.into_iter().map(|step| STEPS[step]).collect();
        let (whole, distances) = chain(&bytes(&samples), &steps);
        let sum: f64 = distances.iter().sum();
        prop_assert!(whole <= sum * SLACK, "{whole} > {sum}");
    }

    #[test]
    fn t5_a_budget_that_its_shares_keep_is_kept_by_the_whole(
        samples in proptest::collection::vec(-100.0f32..100.0, 64..=64),
        steps in proptest::collection::vec(0usize..STEPS.len(), 1..5),
    ) {
        let steps: Vec<Encoding> = steps.into_iter().map(|step| STEPS[step]).collect();
        let (whole, distances) = chain(&bytes(&samples), &steps);
        let budget = budget_kept(&distances, |steps| 1.0 / steps as f64);
        prop_assert!(whole <= budget * SLACK, "{whole} > {budget}");
    }
}

/// The narrowest budget for the whole that every step keeps its share of, where each has this share of it.
fn budget_kept(distances: &[f64], share: impl Fn(usize) -> f64) -> f64 {
    distances.iter().map(|d| d / share(distances.len())).fold(0.0, f64::max)
}

/// Shares that are each the whole promise what a chain does not keep: the law above would catch them.
#[test]
fn t5_mutant_that_gives_every_step_the_whole_is_caught() {
    let samples: Vec<f32> = (0..64).map(|at| 1.0 + at as f32 * 0.013).collect();
    let caught = |share: fn(usize) -> f64| {
        let mut chains = STEPS.iter().flat_map(|a| STEPS.iter().map(move |b| [*a, *b]));
        chains.any(|steps| {
            let (whole, distances) = chain(&bytes(&samples), &steps);
            whole > budget_kept(&distances, share) * SLACK
        })
    };
    assert!(!caught(|steps| 1.0 / steps as f64), "even shares of the whole");
    assert!(caught(|_| 1.0), "the whole for every step");
}

/// The bound that adds squares, as if the steps were parts of one block, is not one: the law above would
/// catch it.
#[test]
fn t5_mutant_that_adds_squares_is_caught() {
    let samples: Vec<f32> = (0..64).map(|at| 1.0 + at as f32 * 0.013).collect();
    let chains = STEPS.iter().flat_map(|a| STEPS.iter().map(move |b| [*a, *b]));
    let caught = chains.into_iter().any(|steps| {
        let (whole, distances) = chain(&bytes(&samples), &steps);
        whole > distances.iter().map(|d| d * d).sum::<f64>().sqrt() * SLACK
    });
    assert!(caught, "no chain tells sums of squares from sums");
}
