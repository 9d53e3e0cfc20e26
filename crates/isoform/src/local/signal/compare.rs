//! Provides the distance between two signals, array by array.

use std::collections::{BTreeMap, BTreeSet};

use coherence::distance::{DistanceError, SignatureMismatch};
use coherence::evidence::{ColumnEvidence, ColumnRule};
use coherence::sample::SampleType;
use coherence::signal::{Array, Differences, SignalComparison};
use formats::error::Place;
use formats::image;
use formats::signal::{Arrays, PART_SAMPLES, Part, may_differ, parts};
use formats::sound::depth::alike;

use super::super::pool;
use super::work::stretches;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// What was found of an array that both sides have.
pub struct ComparedArray {
    /// Its name.
    pub name: String,
    /// What was measured: by the rule for symbols, which tells no norm, where squares are beyond the largest
    /// number.
    pub evidence: ColumnEvidence,
    /// The first sample that differs.
    pub first: Option<u64>,
    /// How far the sides are from each other.
    pub differences: Differences,
    /// Whether it takes part in the norm.
    pub weighs: bool,
}

impl ComparedArray {
    /// Squared norm of the left; `None` where it is beyond the largest number.
    fn norm_squared(&self) -> Option<f64> {
        match self.evidence.rule {
            ColumnRule::Numeric { .. } => self.evidence.norm_squared().ok(),
            _ => None,
        }
    }
}

/// What was found.
pub struct Compared {
    /// The arrays that both sides have.
    pub arrays: Vec<ComparedArray>,
    /// Why the distance is infinite, where it is.
    pub signature: Vec<SignatureMismatch>,
    /// Attributes that differ, or that one side alone has.
    pub attributes: Vec<String>,
}

impl Compared {
    /// Whether the contents are the same.
    pub fn is_equal(&self) -> bool {
        let same = self.arrays.iter().all(|array| array.evidence.differing == 0);
        self.signature.is_empty() && self.attributes.is_empty() && same
    }

    /// Why the distance is infinite; nothing where it is finite.
    pub fn infinite(&self) -> Vec<String> {
        let unlike = self.arrays.iter().filter(|array| array.differences.symbols > 0);
        let unlike = unlike.map(|array| {
            let name = match array.name.as_str() {
                "" => "the array".to_owned(),
                name => format!("array {name:?}"),
            };
            format!("{name} has NaN or infinity where the other side has another value")
        });
        self.signature.iter().map(ToString::to_string).chain(unlike).collect()
    }

    /// Squared distance: whatever differs counts, also where a conversion would refuse it. Infinite, or
    /// `None`, where that of an array is.
    pub fn d_squared(&self) -> Option<f64> {
        if !self.infinite().is_empty() {
            return Some(f64::INFINITY);
        }
        let squares = self.arrays.iter().map(|array| array.differences.d_squared());
        squares.sum::<Option<f64>>().filter(|sum| sum.is_finite())
    }

    /// Squared norm of the left, as a conversion takes it; `None` where it is beyond the largest number.
    pub fn norm_squared(&self) -> Option<f64> {
        let weighed = self.arrays.iter().filter(|array| array.weighs);
        weighed.map(ComparedArray::norm_squared).sum::<Option<f64>>().filter(|sum| sum.is_finite())
    }
}

/// Decodes both sides and measures every array of the left against the one of its name on the right, in the
/// left's sample type or in the right's where that holds more, and over the declared range of the left.
pub fn compare(left: &Arrays, right: &Arrays, workers: usize, progress: &Progress) -> Result<Compared> {
    let (a, mut b) = (left.signature(), right.signature().clone());
    if left.is_pair_with(right) {
        b.arrays[0].name.clone_from(&a.arrays[0].name);
    }
    // Most containers of arrays say nothing of a meaning, which is no other one.
    for theirs in &mut b.arrays {
        let ours = a.arrays.iter().find(|ours| ours.name == theirs.name);
        if let Some(ours) = ours.filter(|ours| ours.meaning.is_empty() || theirs.meaning.is_empty()) {
            theirs.meaning.clone_from(&ours.meaning);
        }
    }
    // Sounds over different ranges are compared over that of the left.
    for (theirs, ours) in b.arrays.iter_mut().zip(&a.arrays) {
        if alike(ours, theirs).is_some() {
            theirs.peak = ours.peak;
        }
    }
    let signature = a.mismatches(&b);
    let mut arrays = Vec::new();
    for (index, array) in a.arrays.iter().enumerate() {
        let partner = b.arrays.iter().position(|other| other.name == array.name);
        let Some(partner) = partner.filter(|partner| b.arrays[*partner].shape == array.shape) else {
            continue;
        };
        let sides = ((left, index), (right, partner));
        let numbers = ColumnRule::Numeric { scale: 1.0 };
        let Found { evidence, first, differences } = match compare_arrays(sides, numbers, workers, progress)?
        {
            Ok(found) => found,
            // Squares beyond the largest number leave the question which samples differ, and how far.
            Err(_) => compare_arrays(sides, ColumnRule::Exact, workers, progress)?
                .map_err(|error| Failure::Other(format!("array {:?}: {error}", array.name)))?,
        };
        let weighs = [array, &b.arrays[partner]].iter().any(|array| may_differ(array, true));
        arrays.push(ComparedArray { name: array.name.clone(), evidence, first, differences, weighs });
    }
    // Where no array may be approximated, whole samples are all that there is to measure.
    if arrays.iter().all(|array| !array.weighs) {
        arrays.iter_mut().for_each(|array| array.weighs = true);
    }
    let attributes = unequal(&a.attributes, &b.attributes);
    Ok(Compared { arrays, signature, attributes })
}

/// Keys under which one side has other values than the other, or the same in another order.
fn unequal(ours: &[(String, Vec<u8>)], theirs: &[(String, Vec<u8>)]) -> Vec<String> {
    let (ours, theirs) = (by_key(ours), by_key(theirs));
    let keys: BTreeSet<&str> = ours.keys().chain(theirs.keys()).copied().collect();
    keys.into_iter().filter(|key| ours.get(key) != theirs.get(key)).map(str::to_owned).collect()
}

/// The values of every key, in their order.
fn by_key(attributes: &[(String, Vec<u8>)]) -> BTreeMap<&str, Vec<&[u8]>> {
    let mut values: BTreeMap<&str, Vec<&[u8]>> = BTreeMap::new();
    for (key, value) in attributes {
        values.entry(key.as_str()).or_default().push(value.as_slice());
    }
    values
}

/// The first sample of an array of floating point that is a number and no fraction of 1, with its index.
pub fn beyond_fractions(arrays: &Arrays, index: usize, progress: &Progress) -> Result<Option<(u64, f64)>> {
    let sample = arrays.signature().arrays[index].sample;
    let (mut held, mut samples) = (Vec::new(), Vec::new());
    for part in parts(arrays.signature(), PART_SAMPLES).iter().filter(|part| part.array == index) {
        for stretch in stretches(part, arrays.stretch(index)) {
            progress.advance(0)?;
            arrays.read(&stretch, &mut held, &mut samples)?;
            if let Some((at, number)) = image::beyond_fractions(&samples, sample) {
                return Ok(Some((stretch.samples.start + at as u64, number)));
            }
        }
    }
    Ok(None)
}

/// What was found of two arrays, as [`ComparedArray`] has it.
struct Found {
    evidence: ColumnEvidence,
    first: Option<u64>,
    differences: Differences,
}

impl Found {
    /// What is found of no samples.
    fn none(rule: ColumnRule) -> Self {
        Self { evidence: ColumnEvidence::new(rule), first: None, differences: Differences::default() }
    }

    /// Adds what was found from a sample on.
    fn add(&mut self, start: u64, part: &Self) -> std::result::Result<(), DistanceError> {
        self.evidence.merge(&part.evidence)?;
        self.first = self.first.or(part.first.map(|at| start + at));
        self.differences.merge(&part.differences);
        Ok(())
    }
}

fn compare_arrays(
    ((left, index), (right, partner)): ((&Arrays, usize), (&Arrays, usize)),
    rule: ColumnRule,
    workers: usize,
    progress: &Progress,
) -> Result<std::result::Result<Found, DistanceError>> {
    let (a, b) = (&left.signature().arrays[index], &right.signature().arrays[partner]);
    let plain = common(a.sample, b.sample);
    let lift = alike(a, b).unwrap_or([plain.into(), plain.into()]);
    let common = lift[0].sample();
    let parts: Vec<Part> =
        parts(left.signature(), PART_SAMPLES).into_iter().filter(|part| part.array == index).collect();
    let mut whole = Ok(Found::none(rule));
    let make = |at: usize| {
        let (mut comparison, mut differences) = (SignalComparison::new(common, rule), Differences::default());
        let mut sides = [Vec::new(), Vec::new()];
        let (mut held, mut samples) = (Vec::new(), Vec::new());
        let stretch_samples = left.stretch(index).max(right.stretch(partner));
        for stretch in stretches(&parts[at], stretch_samples) {
            for (side, (arrays, array)) in [(left, index), (right, partner)].into_iter().enumerate() {
                let part = Part { array, samples: stretch.samples.clone() };
                arrays.read(&part, &mut held, &mut samples)?;
                progress.advance(samples.len() as u64)?;
                sides[side].clear();
                let found = &arrays.signature().arrays[array];
                check_held(found, stretch.samples.start, &samples, common)?;
                lift[side].encode(found.sample, &samples, &mut sides[side]);
            }
            if let Err(error) = comparison.push(&sides[0], &sides[1]) {
                return Ok(Err(error));
            }
            if rule == ColumnRule::Exact {
                differences.push(common, &sides[0], &sides[1]);
            }
        }
        let SignalComparison { evidence, first_differing: first, .. } = comparison;
        if rule != ColumnRule::Exact {
            differences = Differences::from(&evidence);
        }
        Ok(Ok(Found { evidence, first, differences }))
    };
    pool::in_order(workers, parts.len(), make, |at, part| {
        let before = std::mem::replace(&mut whole, Ok(Found::none(rule)));
        whole = before.and_then(|mut found| {
            found.add(parts[at].samples.start, &part?)?;
            Ok(found)
        });
        Ok(())
    })?;
    Ok(whole)
}

/// A type that holds the values of both: one of the two where it does, else the widest of their kind. Whole
/// numbers of 64 bits that the widest float does not hold are refused by [`check_held`].
fn common(a: SampleType, b: SampleType) -> SampleType {
    use SampleType::{Bool, U8, U16, U32, U64};
    if a == b {
        return a;
    }
    let integer = |ty: SampleType| !ty.is_float();
    let unsigned = |ty: SampleType| matches!(ty, Bool | U8 | U16 | U32 | U64);
    match (integer(a), integer(b)) {
        (false, false) if a.width() <= 4 && b.width() <= 4 => SampleType::F32,
        (true, true) if unsigned(a) && unsigned(b) => U64,
        (true, true) if a != U64 && b != U64 => SampleType::I64,
        _ => SampleType::F64,
    }
}

/// Fails at a whole number that the common type does not hold: what is lost could make two samples equal.
fn check_held(of: &Array, start: u64, samples: &[u8], common: SampleType) -> Result<()> {
    if common != SampleType::F64 {
        return Ok(());
    }
    let Some((at, number)) = inexact(of.sample, samples) else { return Ok(()) };
    let (from, at) = (of.sample, start + at as u64);
    let number = format!("the {from} {number} of sample {at}");
    let what = format!("{number} does not fit {common}, under which the two sides would be compared");
    let place = Place::default();
    let place = if of.name.is_empty() { place } else { place.column(of.name.clone()) };
    let hint = "convert one side to the type of the other first";
    Err(formats::Error::unsupported(place, what, hint).into())
}

/// The first whole number that is no 64-bit floating-point number, with its index.
fn inexact(sample: SampleType, samples: &[u8]) -> Option<(usize, i128)> {
    let read = |raw: &[u8; 8]| match sample {
        SampleType::U64 => i128::from(u64::from_le_bytes(*raw)),
        _ => i128::from(i64::from_le_bytes(*raw)),
    };
    if !matches!(sample, SampleType::I64 | SampleType::U64) {
        return None;
    }
    let numbers = samples.as_chunks::<8>().0.iter().map(read);
    numbers.enumerate().find(|(_, number)| *number as f64 as i128 != *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_compared_as_such_where_one_type_holds_both() {
        use SampleType::{Bool, F16, F32, F64, I8, I64, U8, U32, U64};
        let pairs = [(U64, U32, U64), (Bool, U8, U64), (I64, U32, I64), (I8, U8, I64)];
        let floats = [(U64, I8, F64), (I64, F64, F64), (I8, F16, F64), (F16, F32, F32)];
        for (a, b, held) in pairs.into_iter().chain(floats) {
            assert_eq!((common(a, b), common(b, a)), (held, held));
        }
    }

    #[test]
    fn whole_numbers_that_no_float_holds_are_refused() {
        let samples: Vec<u8> =
            [-5i64, 1 << 53, (1 << 53) + 1].into_iter().flat_map(i64::to_le_bytes).collect();
        let array =
            |sample| Array { name: "ids".into(), sample, shape: vec![3], meaning: String::new(), peak: None };
        let checked = |sample, common| check_held(&array(sample), 7, &samples, common);
        let Err(Failure::Format(error)) = checked(SampleType::I64, SampleType::F64) else { panic!() };
        let told = error.to_string();
        assert!(told.contains("ids") && told.contains("i64 9007199254740993 of sample 9"), "{told}");
        assert!(checked(SampleType::I64, SampleType::I64).is_ok());
        assert!(checked(SampleType::F64, SampleType::F64).is_ok());
        assert_eq!(inexact(SampleType::U64, &u64::MAX.to_le_bytes()), Some((0, i128::from(u64::MAX))));
        assert_eq!(inexact(SampleType::U64, &(1u64 << 63).to_le_bytes()), None);
    }

    #[test]
    fn attributes_differ_by_how_often_and_in_which_order_they_stand() {
        let side = |values: &[&str]| -> Vec<(String, Vec<u8>)> {
            values.iter().map(|value| ("tag:ARTIST".to_owned(), value.as_bytes().to_vec())).collect()
        };
        assert!(unequal(&side(&["a", "b"]), &side(&["a", "b"])).is_empty());
        for other in [&["a", "a"][..], &["b"], &[]] {
            assert_eq!(unequal(&side(&["a"]), &side(other)), ["tag:ARTIST"]);
        }
        assert_eq!(unequal(&side(&["a", "b"]), &side(&["b", "a"])), ["tag:ARTIST"]);
    }
}
