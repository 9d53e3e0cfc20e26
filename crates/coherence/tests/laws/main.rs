//! The laws of the theory as property tests. Each law is a function over the operations it speaks about, so
//! that the production code and deliberately wrong variants of it (mutants) are put to the same test: the
//! law must hold for the one and must find every one of the others.

mod bytes;
mod certificates;
mod partitions;
mod reference;
mod signal;
mod sums;
mod t1_homomorphism;
mod t2_pythagoras;
mod t3_monoid;
mod t4_budget;
mod t5_cascade;
mod t6_digest;
mod t8_allocation;
mod table;
mod verification;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// The outcome of putting operations to a law: the text names the smallest counterexample found.
type Outcome = Result<(), String>;

/// Runs a law on values from a strategy. The values are the same in every run, so that a mutant which dies
/// once dies always.
fn hold<S: Strategy>(
    cases: u32,
    strategy: S,
    law: impl Fn(S::Value) -> Result<(), TestCaseError>,
) -> Outcome {
    let config = Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, rng).run(&strategy, law).map_err(|error| error.to_string())
}

/// Fails unless the law finds the mutant.
#[track_caller]
fn assert_dies(mutant: &str, outcome: Outcome) {
    assert!(outcome.is_err(), "the law did not notice this mutant: {mutant}");
}
