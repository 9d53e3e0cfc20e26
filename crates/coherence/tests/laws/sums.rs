//! Exact sums: many terms added at once are those terms added one by one, to the last bit.

use crate::{Outcome, assert_dies, hold};
use coherence::sum::{ExactSum, SumError};
use proptest::collection::vec;
use proptest::prelude::*;

/// What adds many terms to a sum.
trait Add {
    fn add_all(&self, sum: &mut ExactSum, terms: &[f64]) -> Result<(), SumError> {
        sum.add_all(terms)
    }
}

/// Finite terms whose exponents lie within a range, of both signs or of one, some of them zero; the mantissas
/// are full, short or empty.
fn terms(lengths: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    let exponents = prop_oneof![
        3 => (0..2047u64).prop_map(|exponent| (exponent, 4)),
        3 => (0..2047u64).prop_map(|exponent| (exponent, 60)),
        2 => (0..2047u64).prop_map(|exponent| (exponent, 130)),
        1 => Just((0, 2047)),
        1 => Just((0, 2)),
        1 => Just((2040, 7)),
    ];
    let kinds = (exponents, any::<bool>(), proptest::sample::select(vec![0, 20, 45, 52]));
    (vec((any::<u64>(), 0..2047u64), lengths), kinds).prop_map(|(raw, ((least, range), signed, cleared))| {
        let term = |(bits, exponent): (u64, u64)| {
            let exponent = (least + exponent % range).min(2046);
            let fraction = bits >> cleared << cleared & ((1 << 52) - 1);
            let sign = if signed { bits >> 60 & 1 } else { 0 };
            // One of eight is zero.
            if bits >> 61 == 0 { 0.0 } else { f64::from_bits(sign << 63 | exponent << 52 | fraction) }
        };
        raw.into_iter().map(term).collect()
    })
}

fn law(sums: &impl Add) -> Outcome {
    let same = |(before, terms, cut): (Vec<f64>, Vec<f64>, usize)| {
        let one_by_one = |terms: &[f64]| {
            let mut sum = ExactSum::new();
            terms.iter().for_each(|term| sum.add(*term).expect("finite"));
            sum
        };
        let mut sum = one_by_one(&before);
        let (head, tail) = terms.split_at(cut.min(terms.len()));
        for part in [head, tail] {
            prop_assert_eq!(sums.add_all(&mut sum, part), Ok(()));
        }
        let wanted = one_by_one(&[before, terms].concat());
        prop_assert_eq!(sum.to_string(), wanted.to_string());
        prop_assert_eq!(&sum, &wanted);
        Ok(())
    };
    hold(2000, (terms(0..3), terms(0..24), 0..24usize), same)?;
    hold(60, (terms(0..3), terms(0..5000), 0..5000usize), same)?;
    hold(300, (terms(1..2000), 0..2000usize, 0..3usize), |(mut terms, at, kind)| {
        let at = at % terms.len();
        let mut sum = ExactSum::new();
        sum.add(1.5).expect("finite");
        terms[at] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][kind];
        prop_assert_eq!(sums.add_all(&mut sum, &terms), Err(SumError::NonFinite));
        prop_assert_eq!(sum.to_f64(), Ok(1.5));
        Ok(())
    })
}

struct Production;
impl Add for Production {}

#[test]
fn many_terms_at_once_are_the_same_sum() {
    law(&Production).unwrap_or_else(|counterexample| panic!("{counterexample}"));
    let mut sum = ExactSum::new();
    let ends = [0.0, -0.0, f64::MAX, f64::MIN, f64::from_bits(1), -f64::from_bits(1), f64::MIN_POSITIVE];
    assert_eq!(sum.add_all(&ends), Ok(()));
    assert_eq!(sum.to_f64(), Ok(f64::MIN_POSITIVE));
    assert_eq!(sum.add_all(&[f64::MAX; 4]), Ok(()));
    assert_eq!(sum.to_f64(), Err(SumError::Overflow));
    assert_eq!(sum.add_all(&[-f64::MAX; 4]), Ok(()));
    assert_eq!(sum.to_f64(), Ok(f64::MIN_POSITIVE));
}

#[test]
fn mutants_of_sums_die() {
    struct Rounds;
    impl Add for Rounds {
        fn add_all(&self, sum: &mut ExactSum, terms: &[f64]) -> Result<(), SumError> {
            let total: f64 = terms.iter().sum();
            if total.is_finite() { sum.add(total) } else { sum.add_all(terms) }
        }
    }
    struct LeavesTails;
    impl Add for LeavesTails {
        fn add_all(&self, sum: &mut ExactSum, terms: &[f64]) -> Result<(), SumError> {
            let greatest = terms.iter().fold(0f64, |greatest, term| greatest.max(term.abs()));
            let unit = (greatest * 2f64.powi(-104)).max(f64::MIN_POSITIVE);
            terms.iter().try_for_each(|term| sum.add(if term.abs() < unit { 0.0 } else { *term }))
        }
    }
    struct TakesWhatItCan;
    impl Add for TakesWhatItCan {
        fn add_all(&self, sum: &mut ExactSum, terms: &[f64]) -> Result<(), SumError> {
            terms.iter().try_for_each(|term| sum.add(*term))
        }
    }
    struct ForgetsTheLast;
    impl Add for ForgetsTheLast {
        fn add_all(&self, sum: &mut ExactSum, terms: &[f64]) -> Result<(), SumError> {
            sum.add_all(&terms[..terms.len() / 8 * 8])
        }
    }
    assert_dies("a rounded sum", law(&Rounds));
    assert_dies("tails left out", law(&LeavesTails));
    assert_dies("terms before one that is not finite added", law(&TakesWhatItCan));
    assert_dies("the last terms forgotten", law(&ForgetsTheLast));
}
