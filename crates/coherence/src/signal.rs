//! Signals: named n-dimensional arrays of samples, what makes two of them comparable, and how far apart they
//! are.

use crate::content::ContentError;
use crate::distance::{DistanceError, SignatureMismatch};
use crate::evidence::{ColumnEvidence, ColumnRule, Evidence, EvidenceError};
use crate::sample::{Sample, SampleType, with_sample};
use crate::sum::ExactSum;
use archmage::autoversion;

/// Samples that are first tried as one block, so that equal runs are compared at the speed of memory.
const BLOCK_SAMPLES: usize = 1024;

/// One array of a signal, as the content digest binds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Name; empty for the only array of a format that names none.
    pub name: String,
    /// How its samples are laid out.
    pub sample: SampleType,
    /// Lengths of its axes, the slowest first; empty for a single sample.
    pub shape: Vec<u64>,
    /// What its axes mean, such as `rgb` for the last axis of an image; empty where nothing is said.
    pub meaning: String,
    /// Greatest magnitude of the declared range; `None` where no range is declared.
    pub peak: Option<f64>,
}

/// What the root of a signal binds besides the samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signature {
    /// The arrays, by name in the order of its bytes, each name once.
    pub arrays: Vec<Array>,
    /// What else is content, such as a colour profile: key and value, by key in the order of its bytes. A key
    /// may stand more than once.
    pub attributes: Vec<(String, Vec<u8>)>,
}

/// How the two columns of a signal's evidence are measured: samples that the conversion may approximate, and
/// all others.
pub type Rules = [ColumnRule; 2];

/// Rules where nothing may be approximated: every sample is a symbol.
pub const EXACT_RULES: Rules = [ColumnRule::Exact, ColumnRule::Exact];

/// Rules where some arrays may be approximated: samples are numbers in their own units. All other arrays must
/// not differ, and take no part in the norm, so that they do not hide what happens to the former.
pub const APPROXIMATE_RULES: Rules = [ColumnRule::Numeric { scale: 1.0 }, ColumnRule::Fixed];

impl Array {
    /// Number of samples; `None` beyond 64 bits.
    pub fn samples(&self) -> Option<u64> {
        // An axis of length 0 makes an array empty, whatever the others would multiply to.
        if self.shape.contains(&0) {
            return Some(0);
        }
        self.shape.iter().try_fold(1u64, |product, axis| product.checked_mul(*axis))
    }

    /// The first thing that makes the distance to an array of the same name infinite.
    fn mismatch(&self, other: &Self) -> Option<SignatureMismatch> {
        let name = self.name.clone();
        if self.shape != other.shape {
            let (left, right) = (self.shape.clone(), other.shape.clone());
            return Some(SignatureMismatch::Shape { name, left, right });
        }
        if self.meaning != other.meaning {
            let (left, right) = (self.meaning.clone(), other.meaning.clone());
            return Some(SignatureMismatch::Meaning { name, left, right });
        }
        let (left, right) = self.peak.zip(other.peak)?;
        (left != right).then_some(SignatureMismatch::Peak { name, left, right })
    }
}

impl Signature {
    /// Samples of all arrays; `None` beyond 64 bits.
    pub fn samples(&self) -> Option<u64> {
        self.arrays.iter().try_fold(0u64, |sum, array| sum.checked_add(array.samples()?))
    }

    /// Fails unless the arrays stand once each in the order of their names, and the attributes in the order
    /// of their keys. A key may stand more than once, as texts of an image do; its values keep their order.
    pub fn check_order(&self) -> Result<(), ContentError> {
        if let Some(pair) = self.arrays.windows(2).find(|pair| pair[0].name >= pair[1].name) {
            return Err(ContentError::Order { what: "array", name: pair[1].name.clone() });
        }
        match self.attributes.windows(2).find(|pair| pair[0].0 > pair[1].0) {
            Some(pair) => Err(ContentError::Order { what: "attribute", name: pair[1].0.clone() }),
            None => Ok(()),
        }
    }

    /// The canonical serialisation that the root of a content digest binds; see `docs/content-digest.md`.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend((self.arrays.len() as u64).to_le_bytes());
        for array in &self.arrays {
            put(&mut out, array.name.as_bytes());
            put(&mut out, array.sample.name().as_bytes());
            out.extend((array.shape.len() as u64).to_le_bytes());
            array.shape.iter().for_each(|axis| out.extend(axis.to_le_bytes()));
            put(&mut out, array.meaning.as_bytes());
            out.push(u8::from(array.peak.is_some()));
            out.extend(array.peak.unwrap_or(0.0).to_le_bytes());
        }
        out.extend((self.attributes.len() as u64).to_le_bytes());
        for (key, value) in &self.attributes {
            put(&mut out, key.as_bytes());
            put(&mut out, value);
        }
        out
    }

    /// Why the distance to another signal is infinite; nothing where it is finite. Sample types may differ,
    /// and a peak that only one side declares says nothing about the other.
    pub fn mismatches(&self, other: &Self) -> Vec<SignatureMismatch> {
        let mut found = Vec::new();
        for array in &self.arrays {
            match other.array(&array.name) {
                None => found.push(SignatureMismatch::OnlyLeftArray { name: array.name.clone() }),
                Some(theirs) => found.extend(array.mismatch(theirs)),
            }
        }
        for array in other.arrays.iter().filter(|array| self.array(&array.name).is_none()) {
            found.push(SignatureMismatch::OnlyRightArray { name: array.name.clone() });
        }
        found
    }

    /// The array of a name.
    pub fn array(&self, name: &str) -> Option<&Array> {
        let at = self.arrays.binary_search_by(|array| array.name.as_str().cmp(name)).ok()?;
        self.arrays.get(at)
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

/// Compares two runs of samples of one type, piece by piece.
#[derive(Clone, Debug)]
pub struct SignalComparison {
    sample: SampleType,
    /// What is known so far.
    pub evidence: ColumnEvidence,
    /// Index of the first sample that differs.
    pub first_differing: Option<u64>,
}

impl SignalComparison {
    /// A comparison that has seen nothing.
    pub fn new(sample: SampleType, rule: ColumnRule) -> Self {
        Self { sample, evidence: ColumnEvidence::new(rule), first_differing: None }
    }

    /// Takes the next samples of both sides, equally many of each, little-endian.
    pub fn push(&mut self, left: &[u8], right: &[u8]) -> Result<(), DistanceError> {
        if left.len() != right.len() || !left.len().is_multiple_of(self.sample.width()) {
            return Err(DistanceError::Length { left: left.len(), right: right.len() });
        }
        Ok(push_samples(self, left, right)?)
    }
}

/// Takes the next samples of both sides, which are equally many. Versions for several processors sum the same
/// integers, and the same numbers in the same lanes.
#[autoversion(v3)]
fn push_samples(comparison: &mut SignalComparison, left: &[u8], right: &[u8]) -> Result<(), EvidenceError> {
    with_sample!(comparison.sample, push_runs(comparison, left, right))
}

#[inline(always)]
fn push_runs<S: Sample<Bytes = [u8; W]>, const W: usize>(
    comparison: &mut SignalComparison,
    left: &[u8],
    right: &[u8],
) -> Result<(), EvidenceError> {
    let (left, right) = (left.as_chunks::<W>().0, right.as_chunks::<W>().0);
    let numeric = matches!(comparison.evidence.rule, ColumnRule::Numeric { .. });
    let mut terms = [[0.0; BLOCK_SAMPLES]; 2];
    for (a, b) in left.chunks(BLOCK_SAMPLES).zip(right.chunks(BLOCK_SAMPLES)) {
        let (begin, equal) = (comparison.evidence.cells, a == b);
        if comparison.first_differing.is_none() && !equal {
            let first = a.iter().zip(b).position(|(a, b)| differs::<S, W>(a, b));
            comparison.first_differing = first.map(|at| begin + at as u64);
        }
        if let (true, Some(number)) = (numeric, S::NARROW) {
            push_narrow(&mut comparison.evidence, a, b, |raw| number(S::read(*raw)))?;
        } else if numeric {
            push_numbers::<S, W>(&mut comparison.evidence, a, b, &mut terms)?;
        } else {
            let differing = if equal { 0 } else { count_differing::<S, W>(a, b) };
            comparison.evidence.add_symbols(a.len() as u64, differing)?;
        }
    }
    Ok(())
}

/// How far samples are from each other, of which no squares are taken but those of their differences.
#[derive(Clone, Debug, Default)]
pub struct Differences {
    /// Samples where one that is no finite number stands against another value.
    pub symbols: u64,
    /// The largest difference of two numbers: infinite where that is beyond the largest number.
    max_abs: f64,
    /// The sum of the squared differences of numbers, as far as these squares are finite.
    squares: ExactSum,
}

impl Differences {
    /// Takes the next samples of both sides, equally many of each, little-endian.
    pub fn push(&mut self, sample: SampleType, left: &[u8], right: &[u8]) {
        with_sample!(sample, push_differences(self, left, right));
    }

    /// Adds what is known of other samples.
    pub fn merge(&mut self, other: &Self) {
        self.symbols = self.symbols.saturating_add(other.symbols);
        self.max_abs = self.max_abs.max(other.max_abs);
        self.squares.merge(&other.squares);
    }

    /// The largest difference: infinite where a symbol differs, `None` where it is beyond the largest number.
    pub fn largest(&self) -> Option<f64> {
        match self.symbols {
            0 => Some(self.max_abs).filter(|largest| largest.is_finite()),
            _ => Some(f64::INFINITY),
        }
    }

    /// Squared distance: infinite where a symbol differs, `None` where it is beyond the largest number.
    pub fn d_squared(&self) -> Option<f64> {
        match self.symbols {
            0 if (self.max_abs * self.max_abs).is_finite() => self.squares.to_f64().ok(),
            0 => None,
            _ => Some(f64::INFINITY),
        }
    }
}

/// What was measured of numbers in their own units tells how far they are from each other as well.
impl From<&ColumnEvidence> for Differences {
    fn from(numbers: &ColumnEvidence) -> Self {
        Self {
            symbols: numbers.symbols_differing,
            max_abs: numbers.max_abs,
            squares: numbers.sum_sq_diff.clone(),
        }
    }
}

fn push_differences<S: Sample<Bytes = [u8; W]>, const W: usize>(
    differences: &mut Differences,
    left: &[u8],
    right: &[u8],
) {
    for (a, b) in left.as_chunks::<W>().0.iter().zip(right.as_chunks::<W>().0) {
        let (a, b) = (S::read(*a), S::read(*b));
        if a.same(b) {
            continue;
        }
        if !a.is_finite() || !b.is_finite() {
            differences.symbols = differences.symbols.saturating_add(1);
            continue;
        }
        let difference = a.minus(b).abs();
        differences.max_abs = differences.max_abs.max(difference);
        // The sum refuses a square that is not finite; that there is one, the largest difference tells.
        differences.squares.add(difference * difference).ok();
    }
}

#[inline(always)]
fn differs<S: Sample<Bytes = [u8; W]>, const W: usize>(a: &[u8; W], b: &[u8; W]) -> bool {
    !S::read(*a).same(S::read(*b))
}

#[inline(always)]
fn count_differing<S: Sample<Bytes = [u8; W]>, const W: usize>(left: &[[u8; W]], right: &[[u8; W]]) -> u64 {
    // A block has few enough samples for a narrow count, which vector instructions hold more of.
    let count = |count: u32, (a, b)| count.wrapping_add(differs::<S, W>(a, b).into());
    left.iter().zip(right).fold(0, count).into()
}

/// Takes a block of whole numbers of at most 16 bits, whose squares are summed as integers: they are what
/// they would be as doubles, none is rounded, and vector instructions hold more of them.
#[inline(always)]
fn push_narrow<const W: usize>(
    evidence: &mut ColumnEvidence,
    left: &[[u8; W]],
    right: &[[u8; W]],
    number: impl Fn(&[u8; W]) -> i32,
) -> Result<(), EvidenceError> {
    let square = |number: i32| number.wrapping_mul(number).cast_unsigned();
    let sum_sq = sum_narrow::<W>(left.iter().map(|a| square(number(a))));
    if left == right {
        return evidence.add_whole_block(left.len() as u64, (sum_sq, 0), 0, 0);
    }
    let differences = || left.iter().zip(right).map(|(a, b)| number(a).wrapping_sub(number(b)));
    let sum_sq_diff = sum_narrow::<W>(differences().map(square));
    let differing =
        differences().fold(0u32, |count, difference| count.wrapping_add((difference != 0).into()));
    let max_abs = differences().fold(0, |greatest, difference| difference.abs().max(greatest));
    evidence.add_whole_block(
        left.len() as u64,
        (sum_sq, sum_sq_diff),
        differing.into(),
        max_abs.unsigned_abs(),
    )
}

/// The sum of squares of a block: those of numbers of 8 bits and their differences are below 2^16, and fit a
/// narrow sum.
#[inline(always)]
fn sum_narrow<const W: usize>(squares: impl Iterator<Item = u32>) -> u64 {
    const { assert!(BLOCK_SAMPLES <= 1 << 16) };
    match W {
        1 => squares.fold(0u32, u32::wrapping_add).into(),
        _ => squares.fold(0u64, |sum, square| sum.wrapping_add(square.into())),
    }
}

/// Takes a block of numbers: in loops without branches where all are finite, one by one otherwise. What the
/// terms were before does not matter.
#[inline(always)]
fn push_numbers<S: Sample<Bytes = [u8; W]>, const W: usize>(
    evidence: &mut ColumnEvidence,
    left: &[[u8; W]],
    right: &[[u8; W]],
    [squares, differences]: &mut [[f64; BLOCK_SAMPLES]; 2],
) -> Result<(), EvidenceError> {
    let finite = |side: &[[u8; W]]| side.iter().fold(true, |all, raw| all & S::read(*raw).is_finite());
    let equal = left == right;
    if !finite(left) || !(equal || finite(right)) {
        return push_one_by_one::<S, W>(evidence, left, right);
    }
    let (squares, differences) = (&mut squares[..left.len()], &mut differences[..left.len()]);
    for (square, raw) in squares.iter_mut().zip(left) {
        let number = S::read(*raw).to_f64();
        *square = number * number;
    }
    if equal {
        return evidence.add_number_block(squares, &[], 0, 0.0);
    }
    for (difference, (a, b)) in differences.iter_mut().zip(left.iter().zip(right)) {
        *difference = S::read(*a).minus(S::read(*b));
    }
    let max_abs = greatest_magnitude(differences);
    differences.iter_mut().for_each(|difference| *difference *= *difference);
    let differing = count_differing::<S, W>(left, right);
    evidence.add_number_block(squares, differences, differing, max_abs)
}

/// The greatest magnitude among numbers, in lanes that are independent of each other.
#[inline(always)]
fn greatest_magnitude(numbers: &[f64]) -> f64 {
    let greater = |a: f64, b: f64| if a > b { a } else { b };
    let (lanes, tail) = numbers.as_chunks::<8>();
    let mut greatest = [0f64; 8];
    for numbers in lanes {
        for (greatest, number) in greatest.iter_mut().zip(numbers) {
            *greatest = greater(number.abs(), *greatest);
        }
    }
    greatest.iter().chain(tail).fold(0.0, |greatest, number| greater(number.abs(), greatest))
}

fn push_one_by_one<S: Sample<Bytes = [u8; W]>, const W: usize>(
    evidence: &mut ColumnEvidence,
    left: &[[u8; W]],
    right: &[[u8; W]],
) -> Result<(), EvidenceError> {
    for (a, b) in left.iter().zip(right) {
        let (a, b) = (S::read(*a), S::read(*b));
        match (a.is_finite(), b.is_finite()) {
            (true, true) => evidence.add_numbers(a.to_f64(), a.minus(b), a.same(b))?,
            (true, false) => evidence.add_number_and_symbol(a.to_f64(), true)?,
            (false, true) => evidence.add_number_and_symbol(b.to_f64(), false)?,
            (false, false) => evidence.add_symbols(1, u64::from(!a.same(b)))?,
        }
    }
    Ok(())
}

/// The evidence about a part of one array: about samples that may be approximated, or about others.
pub fn evidence(rules: Rules, found: ColumnEvidence) -> Evidence {
    let mut evidence = Evidence::new(&rules);
    evidence.rows = found.cells;
    // Where both rules are the same, the first column is for all.
    let column = usize::from(found.rule != rules[0]);
    evidence.columns[column] = found;
    evidence
}
