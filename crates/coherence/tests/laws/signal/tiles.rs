//! T2 and T4 for tiles: the squares of an image are, to the bit, the image, and each keeps its floor.

use crate::{Outcome, assert_dies, hold};
use coherence::budget::{Bound, Budget};
use coherence::evidence::{ColumnEvidence, Evidence};
use coherence::pieces::Pieces;
use coherence::sample::SampleType;
use coherence::signal::{self, APPROXIMATE_RULES, SignalComparison};
use coherence::tiles::Tiles;
use proptest::collection::vec;
use proptest::prelude::*;

const SAMPLE: SampleType = SampleType::U8;

/// Both sides of an image of rows × columns × channels.
type Case = (Vec<u8>, Vec<u8>, [u64; 3]);

/// What compares an image tile by tile.
trait Tilewise {
    fn tiles(&self, shape: &[u64; 3], side: u64) -> Tiles {
        Tiles::new(shape, side).expect("an image")
    }

    fn found(&self, tiles: Tiles, (left, right, _): &Case) -> Vec<ColumnEvidence> {
        tiles.compare(SAMPLE, APPROXIMATE_RULES, left, right).expect("equally many samples")
    }

    fn pieces(&self, tiles: Tiles, budget: Budget, case: &Case, backwards: bool) -> Pieces {
        let mut found: Vec<_> = (0..).zip(self.found(tiles, case)).collect();
        if backwards {
            found.reverse();
        }
        let mut pieces = Pieces::of_tiles(APPROXIMATE_RULES, budget, tiles);
        found.iter().for_each(|(index, tile)| pieces.add(*index, tile).expect("evidence of one rule"));
        pieces
    }

    fn holds(&self, pieces: &Pieces, _: Tiles, budget: &Budget) -> bool {
        pieces.check(budget).is_ok()
    }
}

struct Production;
impl Tilewise for Production {}

fn measured(left: &[u8], right: &[u8]) -> Evidence {
    let mut comparison = SignalComparison::new(SAMPLE, APPROXIMATE_RULES[0]);
    comparison.push(left, right).expect("equally many samples");
    signal::evidence(APPROXIMATE_RULES, comparison.evidence)
}

/// The tiles by the definition: each pixel is asked which one it belongs to.
fn by_definition((left, right, [rows, columns, channels]): &Case, side: u64) -> Vec<Evidence> {
    let across = columns.div_ceil(side);
    let mut sides = vec![(Vec::new(), Vec::new()); (across * rows.div_ceil(side)) as usize];
    for row in 0..*rows {
        for column in 0..*columns {
            let (ours, theirs) = &mut sides[(row / side * across + column / side) as usize];
            let at = ((row * columns + column) * channels) as usize..;
            ours.extend(&left[at.clone()][..*channels as usize]);
            theirs.extend(&right[at][..*channels as usize]);
        }
    }
    sides.iter().map(|(left, right)| measured(left, right)).collect()
}

fn law(tilewise: &impl Tilewise) -> Outcome {
    let bound = || {
        (0..3u8, 0..=40u8).prop_map(|(kind, size)| match kind {
            0 => Bound::Rate(f64::from(size) / 16.0),
            1 => Bound::Rmse(f64::from(size) / 4.0),
            _ => Bound::MaxAbs(f64::from(size) / 2.0),
        })
    };
    let image = (1..12u64, 1..12u64, 1..5u64).prop_flat_map(|(rows, columns, channels)| {
        let pair = (0..20u8, 0..20u8, 0..4u8).prop_map(|(a, b, kind)| (a, if kind > 0 { a } else { b }));
        let samples = (rows * columns * channels) as usize;
        vec(pair, samples..=samples).prop_map(move |pairs| {
            let (left, right) = pairs.into_iter().unzip();
            (left, right, [rows, columns, channels]) as Case
        })
    });
    let cases = (image, 1..14u64, bound(), bound(), (0..12u8, any::<bool>()));
    hold(2000, cases, |(case, side, whole, part, (absolute, backwards))| {
        let budget = Budget { part, part_absolute: f64::from(absolute), ..Budget::within(whole) };
        let each = by_definition(&case, side);
        let tiles = tilewise.tiles(&case.2, side);
        let pieces = tilewise.pieces(tiles, budget, &case, backwards);
        prop_assert_eq!(pieces.count(), each.len() as u64);
        // The whole is the sum of its tiles, to the bit, in any order.
        prop_assert_eq!(pieces.evidence(), measured(&case.0, &case.1));
        let kept: Vec<Evidence> = match pieces.tiles() {
            Some((_, found)) => {
                found.map(|(_, tile)| signal::evidence(APPROXIMATE_RULES, tile.clone())).collect()
            }
            None => Vec::new(),
        };
        prop_assert_eq!(&kept, &each);
        prop_assert_eq!(tilewise.holds(&pieces, tiles, &budget), budget.check(&each).is_ok());
        Ok(())
    })
}

#[test]
fn t2_t4_hold_for_tiles() {
    law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

#[test]
fn t2_t4_mutants_for_tiles_die() {
    /// Takes runs of samples for squares.
    struct Runs;
    impl Tilewise for Runs {
        fn found(&self, tiles: Tiles, (left, right, _): &Case) -> Vec<ColumnEvidence> {
            let mut from = 0;
            let run = |index| {
                let samples = tiles.samples_of(index) as usize;
                from += samples;
                let all = from - samples..from;
                measured(&left[all.clone()], &right[all]).columns.swap_remove(0)
            };
            (0..tiles.count()).map(run).collect()
        }
    }
    /// Counts the columns of samples, not of pixels.
    struct CountsSamples;
    impl Tilewise for CountsSamples {
        fn tiles(&self, [rows, columns, channels]: &[u64; 3], side: u64) -> Tiles {
            Tiles::new(&[*rows, columns * channels, 1], side).expect("an image")
        }
    }
    /// Applies the floor to the image as one tile.
    struct OneTile;
    impl Tilewise for OneTile {
        fn tiles(&self, shape: &[u64; 3], _: u64) -> Tiles {
            Tiles::new(shape, 1 << 20).expect("an image")
        }
    }
    /// Does not look at tiles that are cut short.
    struct SkipsTheRest;
    impl Tilewise for SkipsTheRest {
        fn found(&self, tiles: Tiles, case: &Case) -> Vec<ColumnEvidence> {
            let found = (0..).zip(Production.found(tiles, case));
            let kept = found.map(|(index, found)| match tiles.samples_of(index) == tiles.samples() {
                true => found,
                false => ColumnEvidence::new(APPROXIMATE_RULES[0]),
            });
            kept.collect()
        }
    }
    /// Leaves to a black tile at an edge what a whole one may have.
    struct CompanionOfAWholeTile;
    impl Tilewise for CompanionOfAWholeTile {
        fn holds(&self, pieces: &Pieces, tiles: Tiles, budget: &Budget) -> bool {
            let endless = Bound::MaxAbs(f64::INFINITY);
            let holds = |(index, tile): (u64, &ColumnEvidence)| {
                let times = (tiles.samples() as f64 / tiles.samples_of(index) as f64).sqrt();
                let part_absolute = budget.part_absolute * times;
                let evidence = signal::evidence(APPROXIMATE_RULES, tile.clone());
                Budget { whole: endless, part_absolute, ..*budget }.check([&evidence]).is_ok()
            };
            let each = pieces.tiles().is_none_or(|(_, mut found)| found.all(holds));
            each && Budget { part: endless, ..*budget }.check([&pieces.evidence()]).is_ok()
        }
    }
    assert_dies("the companion of a whole tile", law(&CompanionOfAWholeTile));
    assert_dies("runs taken for squares", law(&Runs));
    assert_dies("samples taken for pixels", law(&CountsSamples));
    assert_dies("one tile", law(&OneTile));
    assert_dies("the rest not looked at", law(&SkipsTheRest));
}

#[test]
fn tiles_lie_where_the_size_says() {
    let tiles = Tiles::new(&[1300, 1025, 3], 512).expect("an image");
    assert_eq!((tiles.count(), tiles.samples()), (9, 512 * 512 * 3));
    assert_eq!(tiles.pixels(5), (1024..1025, 512..1024));
    assert_eq!((tiles.place(5), tiles.samples_of(5)), ((2, 1), 512 * 3));
    assert_eq!(tiles.pixels(8), (1024..1025, 1024..1300));
    for (shape, side) in [(&[9, 9][..], 4), (&[0, 9, 3], 4), (&[9, 9, 3], 0), (&[1 << 40, 1 << 40, 3], 64)] {
        assert_eq!(Tiles::new(shape, side), None, "{shape:?} {side}");
    }
    assert!(tiles.compare(SAMPLE, APPROXIMATE_RULES, &[0; 9], &[0; 9]).is_err());
}
