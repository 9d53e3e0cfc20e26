//! Provides the distance between two signals, array by array.

use coherence::distance::{DistanceError, SignatureMismatch};
use coherence::evidence::{ColumnEvidence, ColumnRule};
use coherence::sample::SampleType;
use coherence::signal::{Differences, SignalComparison};
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
    let mut attributes: Vec<String> = Vec::new();
    let differing = |ours: &[(String, Vec<u8>)], theirs: &[(String, Vec<u8>)]| -> Vec<String> {
        ours.iter().filter(|entry| !theirs.contains(entry)).map(|(key, _)| key.clone()).collect()
    };
    attributes.extend(differing(&a.attributes, &b.attributes));
    attributes.extend(differing(&b.attributes, &a.attributes));
    attributes.sort();
    attributes.dedup();
    Ok(Compared { arrays, signature, attributes })
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
                let found = arrays.signature().arrays[array].sample;
                lift[side].encode(found, &samples, &mut sides[side]);
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

/// A type that holds the values of both: one of the two where it does, else the widest float.
fn common(a: SampleType, b: SampleType) -> SampleType {
    if a == b {
        return a;
    }
    let integer = |ty: SampleType| !ty.is_float();
    match (integer(a), integer(b)) {
        (false, false) if a.width() <= 4 && b.width() <= 4 => SampleType::F32,
        (true, true) if a != SampleType::U64 && b != SampleType::U64 => SampleType::I64,
        _ => SampleType::F64,
    }
}
