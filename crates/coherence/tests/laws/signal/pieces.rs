//! T4 for pieces: every run of samples keeps its floor, wherever the parts of the work were cut and in
//! whichever order they were looked at.

use super::claims::check;
use crate::certificates::{contradicted, facts, read, signer};
use crate::{Outcome, assert_dies, hold};
use coherence::budget::{Bound, Budget};
use coherence::certificate::{ColumnStyle, Facts, Verdict, sign};
use coherence::content::Model;
use coherence::dsse::Malformed;
use coherence::evidence::{ColumnEvidence, Evidence};
use coherence::pieces::{PieceComparison, Pieces};
use coherence::sample::SampleType;
use coherence::signal::{self, APPROXIMATE_RULES, SignalComparison, Signature};
use coherence::verified::{Records, VerifiedWhole, WholeError};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

const SAMPLE: SampleType = SampleType::I8;

/// A case: both sides, samples of a piece, and where parts begin.
type Case = (Vec<u8>, Vec<u8>, u64, Vec<usize>);

/// What finds pieces in parts, and joins them.
trait Piecewise {
    fn find(&self, case: &Case, from: usize, to: usize) -> Vec<(u64, ColumnEvidence)> {
        let (left, right, samples, _) = case;
        let mut found = PieceComparison::new(SAMPLE, APPROXIMATE_RULES, *samples, from as u64);
        // In two pushes, as stretches come.
        let middle = from + (to - from) / 2;
        found.push(&left[from..middle], &right[from..middle]).expect("equally many samples");
        let mut pieces: Vec<_> = found.take_complete().collect();
        found.push(&left[middle..to], &right[middle..to]).expect("equally many samples");
        pieces.extend(found.finish());
        pieces
    }

    fn pieces(&self, budget: Budget, case: &Case) -> Pieces {
        let (left, _, samples, cuts) = case;
        let mut edges: Vec<usize> = cuts.iter().map(|cut| cut % (left.len() + 1)).collect();
        edges.extend([0, left.len()]);
        edges.sort_unstable();
        let mut parts: Vec<(usize, usize)> = edges.windows(2).map(|pair| (pair[0], pair[1])).collect();
        // Any order will do.
        parts.sort_by_key(|(from, _)| from.wrapping_mul(0x9e37) % 7);
        let mut pieces = Pieces::new(APPROXIMATE_RULES, budget, *samples, left.len() as u64);
        for (from, to) in parts {
            for (index, evidence) in self.find(case, from, to) {
                pieces.add(index, &evidence).expect("evidence of one rule");
            }
        }
        pieces
    }
}

struct Production;
impl Piecewise for Production {}

fn measured(left: &[u8], right: &[u8]) -> Evidence {
    let mut comparison = SignalComparison::new(SAMPLE, APPROXIMATE_RULES[0]);
    comparison.push(left, right).expect("equally many samples");
    signal::evidence(APPROXIMATE_RULES, comparison.evidence)
}

fn bounds() -> impl Strategy<Value = Bound> {
    (0..3u8, 0..=40u8).prop_map(|(kind, size)| match kind {
        0 => Bound::Rate(f64::from(size) / 16.0),
        1 => Bound::Rmse(f64::from(size) / 4.0),
        _ => Bound::MaxAbs(f64::from(size) / 2.0),
    })
}

fn law(piecewise: &impl Piecewise) -> Outcome {
    let row = (-9..9i8, -9..9i8, 0..4u8).prop_map(|(a, b, kind)| (a, if kind > 0 { a } else { b }));
    let case = (vec(row, 1..60), 1..12u64, vec(any::<usize>(), 0..4));
    hold(3000, (case, bounds(), bounds(), 0..12u8), |((rows, samples, cuts), whole, part, absolute)| {
        let left: Vec<u8> = rows.iter().map(|row| row.0.cast_unsigned()).collect();
        let right: Vec<u8> = rows.iter().map(|row| row.1.cast_unsigned()).collect();
        let budget = Budget { part, part_absolute: f64::from(absolute), ..Budget::within(whole) };
        let case = (left, right, samples, cuts);
        let pieces = piecewise.pieces(budget, &case);
        let (left, right, ..) = &case;
        let size = samples as usize;
        let each: Vec<Evidence> =
            left.chunks(size).zip(right.chunks(size)).map(|(left, right)| measured(left, right)).collect();
        prop_assert_eq!(pieces.evidence(), measured(left, right));
        prop_assert_eq!(pieces.count(), each.len() as u64);
        prop_assert_eq!(pieces.check(&budget).is_ok(), budget.check(&each).is_ok());
        let coherences: Vec<f64> = each.iter().map(|piece| piece.coherence().expect("small")).collect();
        let least = coherences.iter().copied().fold(f64::INFINITY, f64::min);
        let found = pieces.least().expect("there is a sample");
        prop_assert_eq!(found.coherence, least);
        prop_assert_eq!(coherences.iter().position(|c| *c == least), Some(found.index as usize));
        Ok(())
    })
}

#[test]
fn t4_holds_for_pieces() {
    law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

#[test]
fn t4_the_piece_that_misses_its_floor_by_most_is_named() {
    let left = [10u8; 30];
    let mut right = left;
    (right[3], right[17], right[25]) = (9, 2, 8);
    let budget = Budget { part: Bound::MaxAbs(1.0), ..Budget::within(Bound::Rate(1.0)) };
    let pieces = Production.pieces(budget, &(left.to_vec(), right.to_vec(), 5, vec![11, 16]));
    assert_eq!(pieces.strained().map(|piece| piece.index), Some(3));
    let other = Budget { part: Bound::MaxAbs(9.0), ..budget };
    assert!(pieces.check(&other).is_err(), "a floor that was not asked for says nothing");
}

#[test]
fn t4_mutants_for_pieces_die() {
    /// Counts pieces from the beginning of each part.
    struct CountsFromThePart;
    impl Piecewise for CountsFromThePart {
        fn find(&self, case: &Case, from: usize, to: usize) -> Vec<(u64, ColumnEvidence)> {
            let shifted = (case.0[from..].to_vec(), case.1[from..].to_vec(), case.2, Vec::new());
            let begin = from as u64 / case.2;
            let found = Production.find(&shifted, 0, to - from);
            found.into_iter().map(|(index, evidence)| (begin + index, evidence)).collect()
        }
    }
    /// Takes what a part holds for one piece.
    struct PartsArePieces;
    impl Piecewise for PartsArePieces {
        fn find(&self, case: &Case, from: usize, to: usize) -> Vec<(u64, ColumnEvidence)> {
            let evidence = measured(&case.0[from..to], &case.1[from..to]).columns.swap_remove(0);
            vec![(from as u64 / case.2, evidence)]
        }
    }
    /// Does not look at the end of a part.
    struct LosesTheEnd;
    impl Piecewise for LosesTheEnd {
        fn find(&self, case: &Case, from: usize, to: usize) -> Vec<(u64, ColumnEvidence)> {
            Production.find(case, from, to.saturating_sub(1).max(from))
        }
    }
    /// Applies no floor.
    struct NoFloor;
    impl Piecewise for NoFloor {
        fn pieces(&self, budget: Budget, case: &Case) -> Pieces {
            let all = case.0.len() as u64;
            Production.pieces(
                Budget { part: Bound::MaxAbs(f64::INFINITY), ..budget },
                &(case.0.clone(), case.1.clone(), all, Vec::new()),
            )
        }
    }
    assert_dies("pieces counted from the part", law(&CountsFromThePart));
    assert_dies("parts taken for pieces", law(&PartsArePieces));
    assert_dies("the end not looked at", law(&LosesTheEnd));
    assert_dies("no floor", law(&NoFloor));
}

/// A sound of 100 samples, one of which is 3 away, in one part.
fn whole() -> (VerifiedWhole, Case) {
    let left: Vec<u8> = (1..=100).collect();
    let mut right = left.clone();
    right[42] += 3;
    let part = check(0, (APPROXIMATE_RULES, 0), SampleType::I8, &left, &right).expect("an honest part");
    let signature = Signature { arrays: vec![super::array("sound", SAMPLE, &[100])], attributes: Vec::new() };
    let records = Records { counted: 100, set_aside: 0 };
    let whole = VerifiedWhole::assemble(&Model::Signal(signature), vec![part], records);
    (whole.expect("a part that tiles"), (left, right, 30, Vec::new()))
}

#[test]
fn t4_pieces_take_the_place_of_parts_only_where_they_make_the_whole() {
    let (whole, case) = whole();
    let budget = Budget { part: Bound::MaxAbs(3.0), ..Budget::within(Bound::Rate(1.0)) };
    let pieces = Production.pieces(budget, &case);
    let in_pieces = whole.clone().in_pieces(pieces).expect("they make the whole");
    let style = ColumnStyle { reversible: true, ..ColumnStyle::default() };
    let stated = Facts { styles: vec![style], budget, ..facts(true) };
    let bundle = sign(&in_pieces, stated.clone(), &signer(1)).expect("within the budget");
    assert_eq!(read(&bundle.to_bytes()), Ok(Verdict::Bounded));
    let distortion = serde_json::from_slice::<Value>(bundle.unverified_payload()).expect("JSON")["predicate"]
        ["distortion"]
        .take();
    assert_eq!(distortion["pieces"], json!({"samples": "30", "count": "4"}));
    assert_eq!(distortion["worstPart"]["index"], "1");
    for (key, value) in [("samples", "0"), ("samples", "31"), ("count", "5"), ("count", "many")] {
        let found = contradicted(&bundle.to_bytes(), |predicate| {
            predicate["distortion"]["pieces"][key] = json!(value);
            if value == "31" {
                predicate["distortion"]["pieces"]["count"] = json!("3");
            }
        });
        let refused = matches!(found, Malformed::Contradiction { .. } | Malformed::Unexpected { .. });
        assert!(refused, "{key} {value}: {found:?}");
    }
    // A floor that some piece misses, and one that the pieces were not held to.
    for other in [Bound::MaxAbs(2.9), Bound::MaxAbs(4.0)] {
        let budget = Budget { part: other, ..budget };
        assert!(sign(&in_pieces, Facts { budget, ..stated.clone() }, &signer(1)).is_err());
    }
    let missed = Budget { part: Bound::MaxAbs(2.9), ..budget };
    let missed_pieces = whole.clone().in_pieces(Production.pieces(missed, &case)).expect("they make it");
    assert!(missed_pieces.check(&missed).is_err());
    // What was measured of other samples, or of some only.
    let mut kinder = case.clone();
    kinder.1[42] -= 1;
    let short = (case.0[..90].to_vec(), case.1[..90].to_vec(), 30, Vec::new());
    for wrong in [kinder, short] {
        let made = whole.clone().in_pieces(Production.pieces(budget, &wrong)).err();
        assert_eq!(made, Some(WholeError::Pieces));
    }
}
