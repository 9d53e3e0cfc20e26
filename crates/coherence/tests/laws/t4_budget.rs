//! T4: a budget holds exactly when the squares of the parts stay within the whole bound and each part within
//! its floor.

use crate::{Outcome, assert_dies, hold};
use coherence::budget::{Bound, Budget};
use coherence::evidence::{ColumnRule, Evidence};
use proptest::collection::vec;
use proptest::prelude::*;

/// What decides whether parts stay within a budget.
trait Decide {
    fn within(&self, budget: &Budget, parts: &[Evidence]) -> bool {
        budget.check(parts).is_ok()
    }
}

/// A part of `cells` symbols of which `differing` differ: d² and norm² are these very numbers.
fn part(cells: u64, differing: u64) -> Evidence {
    let mut evidence = Evidence::new(&[ColumnRule::Exact]);
    evidence.rows = cells;
    evidence.columns[0].add_symbols(cells, differing).expect("small counts");
    evidence
}

fn law(decide: &impl Decide) -> Outcome {
    let parts = vec((0..60u64, 0..60u64), 1..8);
    let companions = (0..=16u64, 0..6u64);
    hold(2000, (parts, 0..=16u64, 0..=16u64, companions), |(parts, whole, floor, (absolute, distance))| {
        let parts: Vec<(u64, u64)> = parts.into_iter().map(|(a, b)| (a.max(b), a.min(b))).collect();
        // Rates in sixteenths, so that both sides of d² <= rate² norm² are integers times 1/256.
        let sides = |rate: u64, (cells, differing): (u64, u64)| (256 * differing, rate * rate * cells);
        let total = parts.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        let mut bounds = vec![sides(whole, total)];
        bounds.extend(parts.iter().map(|part| {
            let (left, right) = sides(floor, *part);
            // One companion is a root mean square error, in sixteenths too, the other a distance.
            (left, right.max(absolute * absolute * part.0).max(256 * distance * distance))
        }));
        let rate = |sixteenths: u64| Bound::Rate(sixteenths as f64 / 16.0);
        let (part_absolute, part_distance) = (absolute as f64 / 16.0, distance as f64);
        let budget = Budget { whole: rate(whole), part: rate(floor), part_absolute, part_distance };
        let evidence: Vec<Evidence> =
            parts.iter().map(|(cells, differing)| part(*cells, *differing)).collect();
        let decided = decide.within(&budget, &evidence);
        if bounds.iter().any(|(left, right)| left > right) {
            prop_assert!(!decided);
        } else if bounds.iter().all(|(left, right)| left < right || *left == 0) {
            prop_assert!(decided);
        }
        Ok(())
    })
}

struct Production;
impl Decide for Production {}

#[test]
fn t4_budget() {
    law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

#[test]
fn t4_a_floor_catches_the_part_that_a_mean_hides() {
    let mut parts = vec![part(1000, 0); 99];
    parts.push(part(1000, 1000));
    let budget = Budget::within(Bound::Rate(0.5));
    assert!(budget.check(&parts).is_err());
    assert!(Budget { part: Bound::Rate(1.0), ..budget }.check(&parts).is_ok());
    assert!(Budget::ZERO.check(&parts).is_err());
    assert!(Budget::ZERO.check(&parts[..99]).is_ok());
    // What is not a number is within nothing.
    assert!(Budget::within(Bound::Rate(f64::NAN)).check(&parts[..99]).is_err());
}

#[test]
fn t4_mutants_die() {
    struct NoFloor;
    impl Decide for NoFloor {
        fn within(&self, budget: &Budget, parts: &[Evidence]) -> bool {
            Budget { part: Bound::Rate(f64::INFINITY), ..*budget }.check(parts).is_ok()
        }
    }
    struct FloorAlone;
    impl Decide for FloorAlone {
        fn within(&self, budget: &Budget, parts: &[Evidence]) -> bool {
            Budget { whole: Bound::Rate(f64::INFINITY), ..*budget }.check(parts).is_ok()
        }
    }
    struct AddsDistances;
    impl Decide for AddsDistances {
        fn within(&self, budget: &Budget, parts: &[Evidence]) -> bool {
            let square = |part: &Evidence| part.d_squared().expect("small").sqrt();
            let norm: f64 = parts.iter().map(|part| part.norm_squared().expect("small")).sum();
            let distance: f64 = parts.iter().map(square).sum();
            FloorAlone.within(budget, parts) && distance <= budget.whole.distance(norm, 0)
        }
    }
    struct NoCompanion;
    impl Decide for NoCompanion {
        fn within(&self, budget: &Budget, parts: &[Evidence]) -> bool {
            Budget { part_absolute: 0.0, ..*budget }.check(parts).is_ok()
        }
    }
    struct NoDistance;
    impl Decide for NoDistance {
        fn within(&self, budget: &Budget, parts: &[Evidence]) -> bool {
            Budget { part_distance: 0.0, ..*budget }.check(parts).is_ok()
        }
    }
    /// Leaves to a short part what the companion leaves to the longest one.
    struct CompanionOfTheLongest;
    impl Decide for CompanionOfTheLongest {
        fn within(&self, budget: &Budget, parts: &[Evidence]) -> bool {
            let longest = parts.iter().map(Evidence::measured).max().unwrap_or(0) as f64;
            let floor = |part: &Evidence| {
                let times = (longest / part.measured().max(1) as f64).sqrt();
                let whole = Bound::Rate(f64::INFINITY);
                Budget { whole, part_absolute: budget.part_absolute * times, ..*budget }.check([part]).is_ok()
            };
            NoFloor.within(budget, parts) && parts.iter().all(floor)
        }
    }
    struct SkipsTheFirst;
    impl Decide for SkipsTheFirst {
        fn within(&self, budget: &Budget, parts: &[Evidence]) -> bool {
            budget.check(&parts[1..]).is_ok()
        }
    }
    assert_dies("no floor", law(&NoFloor));
    assert_dies("no bound on the whole", law(&FloorAlone));
    assert_dies("distances added instead of squares", law(&AddsDistances));
    assert_dies("no absolute companion", law(&NoCompanion));
    assert_dies("no companion distance", law(&NoDistance));
    assert_dies("the companion of the longest part", law(&CompanionOfTheLongest));
    assert_dies("one part not looked at", law(&SkipsTheFirst));
}
