//! T2 and T3: distances, norms and errors are what the definitions say, and evidence adds up in any order.

use super::sample::{self, Meaning, canonical, meaning, nearest, told};
use super::{Production, Signals, array, signature};
use crate::reference::Primes;
use crate::{Outcome, assert_dies, hold};
use coherence::distance::{DistanceError, SignatureMismatch};
use coherence::evidence::{ColumnEvidence, ColumnRule, EvidenceError};
use coherence::sample::SampleType;
use coherence::signal::{Array, Differences, SignalComparison};
use coherence::sum::SumError;
use num_rational::BigRational;
use proptest::collection::vec;
use proptest::prelude::*;

const NUMERIC: ColumnRule = ColumnRule::Numeric { scale: 1.0 };

/// What the definitions say about two runs of samples.
struct Expected {
    squares: BigRational,
    squared_differences: BigRational,
    max_abs: f64,
    symbols: u64,
    symbols_differing: u64,
    differing: Vec<bool>,
}

/// One term is the square of what is rounded once, rounded again; the sum of terms is exact.
fn expected(ty: SampleType, left: &[u8], right: &[u8]) -> Expected {
    let zero = || BigRational::from_integer(0.into());
    let square = |number: f64| BigRational::from_float(number * number).expect("a finite square");
    let mut found = Expected {
        squares: zero(),
        squared_differences: zero(),
        max_abs: 0.0,
        symbols: 0,
        symbols_differing: 0,
        differing: Vec::new(),
    };
    for (a, b) in left.chunks(ty.width()).zip(right.chunks(ty.width())) {
        found.differing.push(canonical(ty, a) != canonical(ty, b));
        match (meaning(ty, a), meaning(ty, b)) {
            (Meaning::Number(a), Meaning::Number(b)) => {
                let difference = nearest(&(&a - &b));
                found.squares += square(nearest(&a));
                found.squared_differences += square(difference);
                found.max_abs = found.max_abs.max(difference.abs());
            }
            (Meaning::Number(a), Meaning::Symbol(_)) => {
                found.squares += square(nearest(&a));
                found.squared_differences += square(nearest(&a));
                found.symbols_differing += 1;
            }
            (Meaning::Symbol(_), Meaning::Number(b)) => {
                found.squared_differences += square(nearest(&b));
                found.symbols += 1;
                found.symbols_differing += 1;
            }
            (Meaning::Symbol(a), Meaning::Symbol(b)) => {
                found.symbols += 1;
                found.symbols_differing += u64::from(a != b);
            }
        }
    }
    found
}

fn numbers_law(signals: &impl Signals) -> Outcome {
    hold(600, (sample::runs(40), vec(1..9usize, 1..4)), |((ty, left, right), pieces)| {
        let whole = signals.compare((ty, NUMERIC), &left, &right, &pieces);
        let (found, expected) = (&whole.evidence, expected(ty, &left, &right));
        prop_assert_eq!(told(&found.sum_sq), expected.squares.clone());
        prop_assert_eq!(told(&found.sum_sq_diff), expected.squared_differences.clone());
        let d_squared = expected.symbols_differing as f64 + nearest(&expected.squared_differences);
        prop_assert_eq!(found.d_squared(), Ok(d_squared));
        let norm_squared = expected.symbols as f64 + nearest(&expected.squares);
        prop_assert_eq!(found.norm_squared(), Ok(norm_squared));
        prop_assert_eq!(found.max_abs, expected.max_abs);
        prop_assert_eq!(found.symbols, expected.symbols);
        prop_assert_eq!(found.symbols_differing, expected.symbols_differing);
        prop_assert_eq!(found.cells, expected.differing.len() as u64);
        let differing = expected.differing.iter().filter(|differs| **differs).count();
        prop_assert_eq!(found.differing, differing as u64);
        let first = expected.differing.iter().position(|differs| *differs);
        prop_assert_eq!(whole.first_differing, first.map(|at| at as u64));
        Ok(())
    })
}

fn symbols_law(signals: &impl Signals) -> Outcome {
    hold(200, (sample::runs(20), vec(1..9usize, 1..4)), |((ty, left, right), pieces)| {
        let symbols = |bytes: &[u8]| {
            let each = bytes.chunks(ty.width()).map(|sample| format!("{:?}", canonical(ty, sample)));
            each.collect::<Vec<_>>()
        };
        let mut primes = Primes::default();
        let a = primes.universal_number(0, 0, &symbols(&left));
        let b = primes.universal_number(0, 0, &symbols(&right));
        let exact = signals.compare((ty, ColumnRule::Exact), &left, &right, &pieces).evidence;
        prop_assert_eq!(exact.d_squared().map(|d| 2.0 * d), Ok(primes.twice_d_squared(&a, &b) as f64));
        prop_assert_eq!(exact.norm_squared().map(|n| 2.0 * n), Ok(primes.twice_norm_squared(&a) as f64));
        let fixed = signals.compare((ty, ColumnRule::Fixed), &left, &right, &pieces).evidence;
        prop_assert_eq!(fixed.d_squared(), exact.d_squared());
        prop_assert_eq!(fixed.norm_squared(), Ok(0.0));
        Ok(())
    })
}

/// Runs longer than any block, whose sums are integers.
fn long_law(signals: &impl Signals) -> Outcome {
    let rows = vec((any::<i16>(), any::<i16>(), 0..3u8), 0..5000);
    hold(40, (rows, vec(1..3000usize, 1..4)), |(rows, pieces)| {
        let rows: Vec<(i16, i16)> =
            rows.into_iter().map(|(a, b, kind)| (a, if kind == 0 { b } else { a })).collect();
        let side =
            |pick: fn(&(i16, i16)) -> i16| rows.iter().flat_map(|row| pick(row).to_le_bytes()).collect();
        let (left, right): (Vec<u8>, Vec<u8>) = (side(|row| row.0), side(|row| row.1));
        let found = signals.compare((SampleType::I16, NUMERIC), &left, &right, &pieces);
        let differences = rows.iter().map(|(a, b)| i64::from(*a) - i64::from(*b));
        let squares: i64 = rows.iter().map(|(a, _)| i64::from(*a).pow(2)).sum();
        let squared_differences: i64 = differences.clone().map(|difference| difference.pow(2)).sum();
        prop_assert_eq!(told(&found.evidence.sum_sq), BigRational::from_integer(squares.into()));
        prop_assert_eq!(
            told(&found.evidence.sum_sq_diff),
            BigRational::from_integer(squared_differences.into())
        );
        prop_assert_eq!(found.evidence.max_abs, differences.map(i64::abs).max().unwrap_or(0) as f64);
        let first = rows.iter().position(|(a, b)| a != b);
        prop_assert_eq!(found.first_differing, first.map(|at| at as u64));
        let differing = rows.iter().filter(|(a, b)| a != b).count();
        prop_assert_eq!(found.evidence.differing, differing as u64);
        Ok(())
    })
}

/// Samples that are as far apart as their type allows, in a run longer than any block: no sum of theirs
/// wraps.
#[test]
fn t2_holds_for_samples_as_far_apart_as_can_be() {
    const SAMPLES: usize = 5000;
    /// A type, one sample of either side, and the magnitude of the left and the difference that they have.
    type Ends = (SampleType, [&'static [u8]; 2], [u64; 2]);
    let ends: [Ends; 5] = [
        (SampleType::Bool, [&[1], &[0]], [1, 1]),
        (SampleType::U8, [&[0xff], &[0]], [255, 255]),
        (SampleType::I8, [&[0x80], &[0x7f]], [128, 255]),
        (SampleType::U16, [&[0xff, 0xff], &[0, 0]], [65_535, 65_535]),
        (SampleType::I16, [&[0x00, 0x80], &[0xff, 0x7f]], [32_768, 65_535]),
    ];
    for (ty, sides, [magnitude, apart]) in ends {
        let [left, right] = sides.map(|side| side.repeat(SAMPLES));
        let found = Production.compare((ty, NUMERIC), &left, &right, &[]).evidence;
        let whole = |sum: u64| BigRational::from_integer(sum.into());
        assert_eq!(told(&found.sum_sq), whole(SAMPLES as u64 * magnitude.pow(2)), "{ty}");
        assert_eq!(told(&found.sum_sq_diff), whole(SAMPLES as u64 * apart.pow(2)), "{ty}");
        assert_eq!((found.max_abs, found.differing), (apart as f64, SAMPLES as u64), "{ty}");
    }
}

fn t3_law(signals: &impl Signals) -> Outcome {
    hold(300, (sample::runs(3000), [0..3000usize, 0..3000], 0..3u8), |((ty, left, right), cuts, rule)| {
        let rule = [NUMERIC, ColumnRule::Exact, ColumnRule::Fixed][usize::from(rule)];
        let samples = left.len() / ty.width();
        let [first, second] = cuts.map(|cut| cut.min(samples) * ty.width());
        let (first, second) = (first.min(second), first.max(second));
        let part = |from: usize, to: usize| {
            signals.compare((ty, rule), &left[from..to], &right[from..to], &[]).evidence
        };
        let [a, b, c] = [part(0, first), part(first, second), part(second, left.len())];
        let whole = part(0, left.len());
        prop_assert_eq!(&signals.merge(&signals.merge(&a, &b), &c), &whole);
        prop_assert_eq!(&signals.merge(&a, &signals.merge(&b, &c)), &whole);
        prop_assert_eq!(&signals.merge(&c, &signals.merge(&b, &a)), &whole);
        prop_assert_eq!(&signals.merge(&signals.merge(&b, &a), &c), &whole);
        prop_assert_eq!(&signals.merge(&a, &ColumnEvidence::new(rule)), &a);
        let bits = |sum: &ColumnEvidence| sum.d_squared().map(f64::to_bits);
        prop_assert_eq!(bits(&signals.merge(&c, &signals.merge(&a, &b))), bits(&whole));
        Ok(())
    })
}

#[test]
fn t2_holds_for_signals() {
    for law in [numbers_law(&Production), symbols_law(&Production), long_law(&Production)] {
        law.unwrap_or_else(|counterexample| panic!("{counterexample}"));
    }
}

#[test]
fn t3_holds_for_signals() {
    t3_law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
}

/// Changes samples before they are looked at.
struct Rewrites(fn(SampleType, &mut [u8]));
impl Signals for Rewrites {
    fn compare(
        &self,
        kind: (SampleType, ColumnRule),
        left: &[u8],
        right: &[u8],
        pieces: &[usize],
    ) -> SignalComparison {
        let rewrite = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes.chunks_mut(kind.0.width()).for_each(|sample| self.0(kind.0, sample));
            bytes
        };
        Production.compare(kind, &rewrite(left), &rewrite(right), pieces)
    }
}

/// Changes what was found.
struct Reports(fn(&mut SignalComparison));
impl Signals for Reports {
    fn compare(
        &self,
        kind: (SampleType, ColumnRule),
        left: &[u8],
        right: &[u8],
        pieces: &[usize],
    ) -> SignalComparison {
        let mut found = Production.compare(kind, left, right, pieces);
        self.0(&mut found);
        found
    }
}

#[test]
fn t2_mutants_for_signals_die() {
    struct ForgetsTheLastSample;
    impl Signals for ForgetsTheLastSample {
        fn compare(
            &self,
            (ty, rule): (SampleType, ColumnRule),
            left: &[u8],
            right: &[u8],
            pieces: &[usize],
        ) -> SignalComparison {
            let kept = left.len().saturating_sub(ty.width());
            Production.compare((ty, rule), &left[..kept], &right[..kept], pieces)
        }
    }
    struct ComparesBits;
    impl Signals for ComparesBits {
        fn compare(
            &self,
            (ty, rule): (SampleType, ColumnRule),
            left: &[u8],
            right: &[u8],
            pieces: &[usize],
        ) -> SignalComparison {
            let mut found = Production.compare((ty, rule), left, right, pieces);
            let pairs = left.chunks(ty.width()).zip(right.chunks(ty.width()));
            found.evidence.differing = pairs.filter(|(a, b)| a != b).count() as u64;
            found
        }
    }
    struct MeasuresFromTheTarget;
    impl Signals for MeasuresFromTheTarget {
        fn compare(
            &self,
            kind: (SampleType, ColumnRule),
            left: &[u8],
            right: &[u8],
            pieces: &[usize],
        ) -> SignalComparison {
            Production.compare(kind, right, left, pieces)
        }
    }
    let nan_is_zero = Rewrites(|ty, sample| {
        if meaning(ty, sample) == Meaning::Symbol("nan") {
            sample.fill(0);
        }
    });
    let one_infinity = Rewrites(|ty, sample| {
        if meaning(ty, sample) == Meaning::Symbol("-inf") {
            sample[ty.width() - 1] &= 0x7f;
        }
    });
    let one_zero = Rewrites(|ty, sample| {
        if meaning(ty, sample) == Meaning::Number(BigRational::from_integer(0.into())) {
            sample.fill(0);
        }
    });
    let rounds_to_single = Rewrites(|ty, sample| {
        if let (SampleType::F64, Ok(bytes)) = (ty, <[u8; 8]>::try_from(&*sample)) {
            sample.copy_from_slice(&f64::from(f64::from_le_bytes(bytes) as f32).to_le_bytes());
        }
    });
    let rounds_its_sum = Reports(|found| {
        let rounded = found.evidence.sum_sq_diff.to_f64().expect("in range") * 2f64.powi(-60);
        found.evidence.sum_sq_diff.add(rounded).expect("finite");
    });
    let symbols_are_zero = Reports(|found| found.evidence.symbols_differing = 0);
    let forgets_the_largest = Reports(|found| found.evidence.max_abs = 0.0);
    let counts_norm_of_fixed = Reports(|found| {
        if found.evidence.rule == ColumnRule::Fixed {
            found.evidence.rule = ColumnRule::Exact;
        }
    });
    let finds_the_next = Reports(|found| found.first_differing = found.first_differing.map(|at| at + 1));
    assert_dies("the last sample forgotten", numbers_law(&ForgetsTheLastSample));
    assert_dies("the last sample forgotten", symbols_law(&ForgetsTheLastSample));
    assert_dies("the last sample forgotten", long_law(&ForgetsTheLastSample));
    assert_dies("payloads of NaN compared", numbers_law(&ComparesBits));
    assert_dies("the norm of the target", numbers_law(&MeasuresFromTheTarget));
    assert_dies("the norm of the target", long_law(&MeasuresFromTheTarget));
    assert_dies("NaN equal to 0", numbers_law(&nan_is_zero));
    assert_dies("NaN equal to 0", symbols_law(&nan_is_zero));
    assert_dies("-inf equal to inf", numbers_law(&one_infinity));
    assert_dies("-0.0 equal to 0.0", numbers_law(&one_zero));
    assert_dies("-0.0 equal to 0.0", symbols_law(&one_zero));
    assert_dies("doubles taken for singles", numbers_law(&rounds_to_single));
    assert_dies("a sum that is not exact", numbers_law(&rounds_its_sum));
    assert_dies("a symbol that changed not counted", numbers_law(&symbols_are_zero));
    assert_dies("the largest error not kept", numbers_law(&forgets_the_largest));
    assert_dies("fixed samples in the norm", symbols_law(&counts_norm_of_fixed));
    assert_dies("another sample named first", numbers_law(&finds_the_next));
    assert_dies("another sample named first", long_law(&finds_the_next));
}

#[test]
fn t3_mutants_for_signals_die() {
    struct KeepsTheLarger;
    impl Signals for KeepsTheLarger {
        fn merge(&self, left: &ColumnEvidence, right: &ColumnEvidence) -> ColumnEvidence {
            if left.cells >= right.cells { left.clone() } else { right.clone() }
        }
    }
    struct AddsRounded;
    impl Signals for AddsRounded {
        fn merge(&self, left: &ColumnEvidence, right: &ColumnEvidence) -> ColumnEvidence {
            let mut merged = Production.merge(left, right);
            let rounded = |evidence: &ColumnEvidence| evidence.sum_sq.to_f64().expect("in range");
            merged.sum_sq = coherence::sum::ExactSum::new();
            merged.sum_sq.add(rounded(left) + rounded(right)).expect("finite");
            merged
        }
    }
    struct AddsLargest;
    impl Signals for AddsLargest {
        fn merge(&self, left: &ColumnEvidence, right: &ColumnEvidence) -> ColumnEvidence {
            ColumnEvidence { max_abs: left.max_abs + right.max_abs, ..Production.merge(left, right) }
        }
    }
    assert_dies("evidence not added", t3_law(&KeepsTheLarger));
    assert_dies("sums rounded before they are added", t3_law(&AddsRounded));
    assert_dies("largest errors added", t3_law(&AddsLargest));
}

#[test]
fn t2_what_has_no_distance_is_refused() {
    let compare = |ty, left: &[u8], right: &[u8]| SignalComparison::new(ty, NUMERIC).push(left, right).err();
    let overflow = Some(DistanceError::Evidence(EvidenceError::Sum(SumError::NonFinite)));
    let [large, negative] = [1e200f64.to_le_bytes(), (-f64::MAX).to_le_bytes()];
    assert_eq!(compare(SampleType::F64, &large, &large), overflow);
    assert_eq!(compare(SampleType::F64, &f64::MAX.to_le_bytes(), &negative), overflow);
    assert_eq!(compare(SampleType::F64, &0f64.to_le_bytes(), &large), overflow);
    assert_eq!(compare(SampleType::F64, &f64::NAN.to_le_bytes(), &large), overflow);
    let length = |left, right| Some(DistanceError::Length { left, right });
    assert_eq!(compare(SampleType::U8, &[1, 2], &[1]), length(2, 1));
    assert_eq!(compare(SampleType::U16, &[1, 2, 3], &[1, 2, 3]), length(3, 3));
    // The squares of the largest singles are far from the end of the doubles.
    assert_eq!(compare(SampleType::F32, &f32::MAX.to_le_bytes(), &f32::MIN.to_le_bytes()), None);
}

#[test]
fn t2_how_far_numbers_are_apart_is_known_where_their_squares_overflow() {
    let apart = |left: &[f64], right: &[f64]| {
        let bytes = |side: &[f64]| side.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        let mut found = Differences::default();
        found.push(SampleType::F64, &bytes(left), &bytes(right));
        (found.largest(), found.d_squared())
    };
    assert_eq!(apart(&[0.0, 1e200, 5.0], &[0.0, 0.0, 5.0]), (Some(1e200), None));
    assert_eq!(apart(&[1e200, 5.0, 3.0], &[1e200, 5.5, 5.0]), (Some(2.0), Some(4.25)));
    // The squares are finite, and their sum is not.
    assert_eq!(apart(&[1e154; 2], &[0.0; 2]), (Some(1e154), None));
    // Two numbers can be farther apart than the largest one.
    assert_eq!(apart(&[f64::MAX, 1.0], &[f64::MIN, 1.0]), (None, None));
    assert_eq!(
        apart(&[f64::NAN, f64::INFINITY, -0.0], &[f64::NAN, f64::INFINITY, 0.0]),
        (Some(0.0), Some(0.0))
    );
    let infinite = (Some(f64::INFINITY), Some(f64::INFINITY));
    for (a, b) in [(f64::NAN, 1.0), (1.0, f64::INFINITY), (f64::NEG_INFINITY, f64::INFINITY)] {
        assert_eq!(apart(&[a, 1.0], &[b, 2.0]), infinite);
        assert_eq!(apart(&[a, f64::MAX], &[b, f64::MIN]), infinite);
    }
}

#[test]
fn t2_differences_are_those_of_the_evidence_and_merge() {
    let (left, right) = ([1, 7, 3, 9], [1, 2, 4, 9]);
    let mut measured = SignalComparison::new(SampleType::U8, NUMERIC);
    measured.push(&left, &right).unwrap();
    let mut merged = Differences::default();
    for (left, right) in left.chunks(2).zip(right.chunks(2)) {
        let mut part = Differences::default();
        part.push(SampleType::U8, left, right);
        merged.merge(&part);
    }
    for found in [Differences::from(&measured.evidence), merged] {
        assert_eq!((found.symbols, found.largest(), found.d_squared()), (0, Some(5.0), Some(26.0)));
    }
}

#[test]
fn t2_a_distance_needs_equal_signatures() {
    let a =
        || Array { meaning: "rgb".to_owned(), peak: Some(255.0), ..array("a", SampleType::U8, &[1, 2, 3]) };
    let between = |left: &[Array], right: &[Array]| signature(left).mismatches(&signature(right));
    let name = || "a".to_owned();
    assert_eq!(between(&[a()], &[a()]), []);
    assert_eq!(between(&[a()], &[Array { sample: SampleType::F32, ..a() }]), []);
    assert_eq!(between(&[a()], &[Array { peak: None, ..a() }]), []);
    let (left, right) = (vec![1, 2, 3], vec![2, 1, 3]);
    let turned = Array { shape: right.clone(), ..a() };
    assert_eq!(between(&[a()], &[turned]), [SignatureMismatch::Shape { name: name(), left, right }]);
    let (left, right) = ("rgb".to_owned(), "bgr".to_owned());
    let other = Array { meaning: right.clone(), ..a() };
    assert_eq!(between(&[a()], &[other]), [SignatureMismatch::Meaning { name: name(), left, right }]);
    let deeper = Array { peak: Some(1023.0), ..a() };
    let found = SignatureMismatch::Peak { name: name(), left: 255.0, right: 1023.0 };
    assert_eq!(between(&[a()], &[deeper]), [found]);
    let b = Array { name: "b".to_owned(), ..a() };
    let only = between(&[a()], &[b]);
    let right = SignatureMismatch::OnlyRightArray { name: "b".to_owned() };
    assert_eq!(only, [SignatureMismatch::OnlyLeftArray { name: name() }, right]);
}
