//! Provides the choice of an encoding for each array, so that the target is smallest within the budget, or
//! the conversion takes least time.

use coherence::allocation::{Allocation, Choice, Infeasible, allocate};
use coherence::budget::{Bound, Budget};
use coherence::evidence::ColumnEvidence;
use coherence::sample::SampleType;
use coherence::signal::{self, APPROXIMATE_RULES, SignalComparison};
use formats::signal::{Arrays, Encoding, Part, SignalFormat, Stored, parts};

use super::super::pool;
use super::work::stretches;
use crate::failure::{Failure, Result, untold};
use crate::meter::Stage;
use crate::progress::Progress;

/// Encodings that lose something, from which an array may get one.
const LOSSY: [Encoding; 6] = [
    Encoding::Plain(SampleType::Bf16),
    Encoding::Plain(SampleType::F16),
    Encoding::Plain(SampleType::F8E4M3),
    Encoding::Plain(SampleType::F8E5M2),
    Encoding::Q8_0,
    Encoding::Q4_0,
];

/// What the bound on the whole is cut by, since the sums that choose are rounded and the one that proves is
/// not.
const MARGIN: f64 = 1e-9;

/// Time for a byte of a target: to write it, to read it back and to digest it as an object and as content.
const NANOSECONDS_OF_BYTE: f64 = 1.6;

/// What is made least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Bytes.
    Size,
    /// Processor time, by what encodings took on one machine: by a clock, the same conversion would give
    /// other results from run to run.
    Time,
}

impl Objective {
    /// Its name, as options and documents spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Time => "time",
        }
    }

    /// The cost of so many samples in an encoding: bytes or nanoseconds.
    fn cost(self, encoding: Encoding, samples: u64) -> f64 {
        let bytes = encoding.bytes(samples).unwrap_or(u64::MAX) as f64;
        match self {
            Self::Size => bytes,
            Self::Time => bytes * NANOSECONDS_OF_BYTE + samples as f64 * encoding.nanoseconds(),
        }
    }
}

/// What was allocated.
#[derive(Debug, Clone)]
pub struct Allocated {
    /// What was made least.
    pub objective: Objective,
    /// The price of coherence: bytes, or nanoseconds, for one unit of squared distance.
    pub lambda: f64,
    /// Bytes, or nanoseconds, by which the cost may be above the least possible one.
    pub gap: f64,
    /// Bytes of samples.
    pub bytes: u64,
    /// The cheapest encoding that is the same for all arrays it fits, and its bytes; the source's own where
    /// there is none.
    pub single: (Option<Encoding>, u64),
}

/// What the target is, and what is asked of it.
pub struct Wish<'a> {
    /// Its container.
    pub to: SignalFormat,
    /// Samples of a part of it at most.
    pub part_samples: u64,
    /// What must hold.
    pub budget: &'a Budget,
    /// What is made least then.
    pub objective: Objective,
}

/// An encoding that an array may have.
struct Candidate {
    encoding: Encoding,
    evidence: ColumnEvidence,
    /// Whether every part keeps its floor, and nothing becomes a symbol or ceases to be one.
    keeps_floor: bool,
}

/// Chooses an encoding for every array that may differ. `stored` holds what each has unless it is changed.
pub fn encodings(
    source: &Arrays,
    stored: &mut [Stored],
    wish: &Wish<'_>,
    workers: usize,
    progress: &Progress,
) -> Result<Allocated> {
    let candidates = measure(source, stored, wish, workers, progress)?;
    let (budget, objective) = (wish.budget, wish.objective);
    let arrays = &source.signature().arrays;
    let samples = |array: usize| arrays[array].samples().unwrap_or(u64::MAX);
    let cost = |array: usize, encoding: Encoding| objective.cost(encoding, samples(array));
    let (mut norm_squared, mut values) = (0.0, 0u64);
    let mut choices = Vec::with_capacity(arrays.len());
    for (array, candidates) in candidates.iter().enumerate() {
        if let Some(first) = candidates.first().filter(|_| stored[array].approximate) {
            norm_squared += first.evidence.norm_squared().map_err(untold)?;
            values = values.saturating_add(first.evidence.cells);
        }
        let feasible = candidates.iter().filter(|candidate| candidate.keeps_floor);
        let choice = |candidate: &Candidate| {
            let d_squared = candidate.evidence.d_squared().map_err(untold)?;
            Ok(Choice { cost: cost(array, candidate.encoding), d_squared })
        };
        choices.push(feasible.map(choice).collect::<Result<Vec<Choice>>>()?);
    }
    let distance = match budget.whole {
        // Every sample keeps it, or its array would have no such candidate.
        Bound::MaxAbs(_) => f64::INFINITY,
        bound => bound.distance(norm_squared, values),
    };
    let bound = distance * distance * (1.0 - MARGIN);
    let found = allocate(&choices, bound).map_err(|error| infeasible(source, &error))?;
    let feasible = |array: usize| candidates[array].iter().filter(|candidate| candidate.keeps_floor);
    let kept: Vec<Encoding> = stored.iter().map(|stored| stored.encoding).collect();
    for (array, chosen) in found.chosen.iter().enumerate() {
        if let Some(candidate) = feasible(array).nth(*chosen) {
            stored[array].encoding = candidate.encoding;
        }
    }
    let chosen: Vec<Encoding> = stored.iter().map(|stored| stored.encoding).collect();
    let single = LOSSY.into_iter().filter_map(|encoding| {
        // One encoding for all arrays that it fits; arrays that it does not fit keep theirs.
        let (mut encodings, mut d_squared) = (kept.clone(), 0.0);
        for (array, candidates) in candidates.iter().enumerate() {
            let candidate = candidates.iter().find(|candidate| candidate.encoding == encoding);
            let Some(candidate) = candidate else { continue };
            encodings[array] = encoding;
            d_squared += candidate.evidence.d_squared().ok()?;
            candidate.keeps_floor.then_some(())?;
        }
        (d_squared <= bound).then_some((Some(encoding), encodings))
    });
    let total = |encodings: &[Encoding]| -> f64 {
        encodings.iter().enumerate().map(|(array, encoding)| cost(array, *encoding)).sum()
    };
    let single = single.fold(
        (None, kept.clone()),
        |best, next| {
            if total(&next.1) < total(&best.1) { next } else { best }
        },
    );
    let Allocation { lambda, gap, .. } = found;
    let single = (single.0, bytes(source, &single.1));
    Ok(Allocated { objective, lambda, gap, bytes: bytes(source, &chosen), single })
}

/// Bytes of the samples of all arrays in these encodings.
fn bytes(source: &Arrays, encodings: &[Encoding]) -> u64 {
    let arrays = source.signature().arrays.iter().zip(encodings);
    let each = arrays.map(|(array, encoding)| array.samples().and_then(|samples| encoding.bytes(samples)));
    each.fold(0, |sum, bytes| sum.saturating_add(bytes.unwrap_or(u64::MAX)))
}

fn infeasible(source: &Arrays, error: &Infeasible) -> Failure {
    let named = match error {
        Infeasible::Part { part } | Infeasible::Number { part } => {
            format!(" (array {:?})", source.signature().arrays[*part].name)
        }
        Infeasible::Bound { .. } => String::new(),
    };
    Failure::Mismatch(format!(
        "the budget cannot be kept: {error}{named}; nothing was written: take a wider budget, or a target \
         that holds the types of the source"
    ))
}

/// What each encoding that is open to an array loses; the one that `stored` has comes first.
fn measure(
    source: &Arrays,
    stored: &[Stored],
    &Wish { to, part_samples, budget, .. }: &Wish<'_>,
    workers: usize,
    progress: &Progress,
) -> Result<Vec<Vec<Candidate>>> {
    let signature = source.signature();
    let mut candidates: Vec<Vec<Candidate>> = Vec::with_capacity(stored.len());
    for (array, stored) in signature.arrays.iter().zip(stored) {
        let size = |encoding: Encoding| encoding.bytes(encoding_unit(array.samples().unwrap_or(0)));
        let open = |encoding: &Encoding| {
            let smaller = size(*encoding) < size(stored.encoding);
            stored.approximate && smaller && to.holds(*encoding) && encoding.fits(&array.shape)
        };
        let all = std::iter::once(stored.encoding).chain(LOSSY.into_iter().filter(open));
        let candidate = |encoding| Candidate {
            encoding,
            evidence: ColumnEvidence::new(APPROXIMATE_RULES[0]),
            keeps_floor: true,
        };
        candidates.push(all.map(candidate).collect());
    }
    let parts: Vec<Part> =
        parts(signature, part_samples).into_iter().filter(|part| stored[part.array].approximate).collect();
    let bytes = |part: &Part| {
        (part.samples.end - part.samples.start) * signature.arrays[part.array].sample.width() as u64
    };
    let size = parts.iter().map(bytes).sum();
    progress.begin(Stage::Reading, size, size);
    let offered: Vec<Vec<Encoding>> =
        candidates.iter().map(|of_array| of_array.iter().map(|c| c.encoding).collect()).collect();
    let make = |index: usize| measure_part(source, &parts[index], &offered[parts[index].array], progress);
    let floor = Budget { whole: Bound::MaxAbs(f64::INFINITY), ..*budget };
    pool::in_order(workers, parts.len(), make, |index, measured| {
        let of_array = candidates[parts[index].array].iter_mut();
        for (candidate, evidence) in of_array.zip(measured) {
            let whole = match budget.whole {
                Bound::MaxAbs(most) => evidence.max_abs <= most,
                _ => true,
            };
            let part = signal::evidence(APPROXIMATE_RULES, evidence.clone());
            candidate.keeps_floor &= whole && evidence.symbols_differing == 0 && floor.check([&part]).is_ok();
            let merged = candidate.evidence.merge(&evidence);
            merged.map_err(Failure::bug)?;
        }
        Ok(())
    })?;
    Ok(candidates)
}

/// A count of samples by which encodings are compared: whole blocks of all of them.
fn encoding_unit(samples: u64) -> u64 {
    samples.next_multiple_of(formats::signal::BLOCK_SAMPLES as u64)
}

/// What each encoding makes of a part.
fn measure_part(
    source: &Arrays,
    part: &Part,
    encodings: &[Encoding],
    progress: &Progress,
) -> Result<Vec<ColumnEvidence>> {
    let sample = source.signature().arrays[part.array].sample;
    let mut found: Vec<SignalComparison> =
        encodings.iter().map(|_| SignalComparison::new(sample, APPROXIMATE_RULES[0])).collect();
    let (mut held, mut samples, mut encoded, mut back) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for stretch in stretches(part, source.stretch(part.array)) {
        source.read(&stretch, &mut held, &mut samples)?;
        progress.advance(samples.len() as u64)?;
        for (encoding, comparison) in encodings.iter().zip(&mut found) {
            let same = *encoding == source.encoding(part.array);
            if !same {
                encoded.clear();
                back.clear();
                encoding.encode(sample, &samples, &mut encoded);
                encoding.decode(&encoded, sample, &mut back);
            }
            comparison.push(&samples, if same { &samples } else { &back }).map_err(untold)?;
        }
    }
    Ok(found.into_iter().map(|comparison| comparison.evidence).collect())
}
