//! Provides what a conversion of signals would do and will come to: sample parts are made, read back and
//! measured as all of them would be, each as a container of its own in memory, and scaled to the whole.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use coherence::budget::{Bound, Budget, OverBudget};
use coherence::certificate::Verdict;
use coherence::digest::Digest;
use coherence::evidence::Evidence;
use coherence::pieces::Pieces;
use coherence::signal::{Rules, Signature};
use formats::media::Codec;
use formats::signal::{Alone, Encoding, Packing, Part, Writer, Written, alone, parts};
use formats::sound::OpusTarget;
use formats::words::counted;
use serde_json::Value;

use super::super::estimate::{Basis, Estimate, choose};
use super::super::media::check_tau;
use super::super::{hash_object, memory, shortfall};
use super::prove::Measures;
use super::work::{as_they_are, convert};
use super::{Allocated, Making, Opened, SignalJob, coded, open, prove, shard_places, worker_bytes};
use crate::failure::{Result, untold};
use crate::meter::Stage;
use crate::progress::Progress;

/// Bytes that are told to a writer at once.
const BLOCK_BYTES: usize = 1 << 20;

/// What would be done.
pub struct SignalPlan {
    /// The arrays, as the source has them.
    pub signature: Signature,
    /// How the target holds each.
    pub stored: Vec<Encoding>,
    /// How encodings would be chosen, where they would.
    pub allocated: Option<Allocated>,
    /// What the steps before the last do, where the content is led over other types.
    pub steps: Vec<Value>,
    /// Bytes of the source, and of the samples of the target.
    pub sizes: (u64, u64),
    /// Number of parts.
    pub parts: usize,
    /// Number of threads.
    pub workers: usize,
    /// What would be proven, as far as what was tried shows it.
    pub verdict: Verdict,
    /// Why that says no more.
    pub why: Option<String>,
    /// What it will come to.
    pub estimate: Estimate,
    /// Whether the target exists.
    pub exists: bool,
    /// Where the files beside it will be, if it is an index of several.
    pub places: Vec<PathBuf>,
    /// What a person should know besides.
    pub notes: Vec<String>,
}

/// Opens the source, says what a conversion would do, and does a part of it.
///
/// # Errors
/// What would keep the conversion from writing the target, as far as the part shows it.
pub fn plan(job: &SignalJob, progress: &Progress) -> Result<SignalPlan> {
    let began = Instant::now();
    let (mut opened, making) = open(job, progress)?;
    let reading = began.elapsed();
    let parts = parts(opened.arrays.signature(), job.part_samples());
    let workers = opened.workers.min(parts.len().max(1));
    let subject = Subject { job, opened: &opened, parts: &parts, workers, reading, progress };
    let places = shard_places(job, &making);
    let Tried { estimate, equal, notes } = match making {
        Making::Parts(writer) => subject.in_parts(vec![writer], 0)?,
        Making::Shards(shards) => {
            let files = (0..shards.files.len()).map(|file| -> Result<_> {
                Ok(shards.writer(file, opened.input().signature(), &opened.encodings())?)
            });
            subject.in_parts(files.collect::<Result<_>>()?, shards.index.len() as u64)?
        }
        Making::Coded(target) => subject.coded(target)?,
    };
    opened.notes.extend(notes);
    let come_to = (subject_size(&opened), estimate.bytes);
    opened.notes.extend(opened.unmet.take().map(|closest| shortfall::without_loss(&closest, come_to)));
    let sizes = (subject_size(&opened), bodies(&opened).iter().sum());
    let verdict = match (equal, opened.told.same()) {
        (false, _) => Verdict::Bounded,
        (true, true) => Verdict::Exact,
        (true, false) => Verdict::ValueExact,
    };
    let why = opened.told.why(verdict);
    opened.notes.extend(why.clone());
    Ok(SignalPlan {
        sizes,
        stored: opened.encodings(),
        steps: opened.led.as_ref().map_or(Vec::new(), |led| led.planned(job)),
        parts: parts.len(),
        workers,
        verdict,
        why,
        estimate,
        exists: job.target.symlink_metadata().is_ok(),
        places,
        signature: opened.arrays.signature().clone(),
        allocated: opened.allocated,
        notes: opened.notes,
    })
}

/// Bytes of the source and of the files beside it.
fn subject_size(opened: &Opened) -> u64 {
    opened.files().map(|file| file.len()).sum()
}

/// Bytes that the samples of each array take as they are held.
fn bodies(opened: &Opened) -> Vec<u64> {
    let arrays = opened.arrays.signature().arrays.iter().zip(&opened.stored);
    let bytes = arrays.map(|(array, stored)| array.samples().and_then(|count| stored.encoding.bytes(count)));
    bytes.map(Option::unwrap_or_default).collect()
}

/// The signal that is to be converted, and how.
struct Subject<'a> {
    job: &'a SignalJob,
    opened: &'a Opened,
    parts: &'a [Part],
    /// Threads that will work at once.
    workers: usize,
    /// How long the source took to open, and its sample types to be chosen.
    reading: Duration,
    progress: &'a Progress,
}

/// What was tried of a signal, and what that showed.
struct Tried {
    estimate: Estimate,
    /// Whether none of its samples differs.
    equal: bool,
    /// What a person should know of it.
    notes: Vec<String>,
}

/// What was measured of the sample.
#[derive(Default)]
struct Sample {
    /// Bytes of the samples in the arrays of the source, and in the target.
    source: u64,
    target: u64,
    converting: Duration,
    verifying: Duration,
    hashing: Duration,
    /// Bytes of the largest part in the source and in the target.
    largest: (u64, u64),
    /// How far each part is from its source, and the pieces that it touches where these have a floor.
    measured: Vec<(Part, Evidence)>,
    pieces: Option<Pieces>,
}

impl Sample {
    /// Whether every sample of the signal was measured.
    fn is_all(&self, signature: &Signature) -> bool {
        let counts = self.measured.iter().map(|(part, _)| part.samples.end - part.samples.start);
        signature.samples() == Some(counts.sum())
    }

    /// How far all of it is from its source.
    fn evidence(&self, rules: &Rules) -> Result<Evidence> {
        let mut all = Evidence::new(rules);
        self.measured.iter().try_for_each(|(_, evidence)| all.merge(evidence)).map_err(untold)?;
        Ok(all)
    }
}

impl Subject<'_> {
    /// Bytes of samples in the arrays of the source.
    fn source_bytes(&self, part: &Part) -> u64 {
        let width = self.opened.arrays.signature().arrays[part.array].sample.width();
        (part.samples.end - part.samples.start).saturating_mul(width as u64)
    }

    /// Tries parts of a target that is made of them, in one file or in several with so many bytes beside.
    fn in_parts(&self, mut writers: Vec<Box<dyn Writer>>, beside: u64) -> Result<Tried> {
        let packing = writers.iter().find_map(|writer| writer.packing());
        let bytes: Vec<u64> = self.parts.iter().map(|part| self.source_bytes(part)).collect();
        let chosen = choose(&bytes);
        let total: u64 = bytes.iter().sum();
        self.progress.begin(Stage::Converting, total, chosen.iter().map(|part| bytes[*part]).sum());
        let pieces = self.opened.seconds.map(|seconds| seconds.pieces());
        let mut sample = Sample { pieces, ..Sample::default() };
        for part in &chosen {
            self.try_part(&self.parts[*part], packing.as_deref(), &mut sample)?;
        }
        let note = self.within_budget(&sample)?;
        let evidence = sample.evidence(&self.opened.rules)?;
        if sample.is_all(self.opened.arrays.signature()) {
            check_tau(self.job.media.1, &evidence)?;
        }
        let all = chosen.len() == self.parts.len();
        let scale = if all { 1.0 } else { total as f64 / sample.source.max(1) as f64 };
        let bodies = bodies(self.opened);
        let told = match &packing {
            None => Some(bodies.iter().sum()),
            Some(packing) => self.opened.arrays.signature().samples().and_then(|count| packing.bytes(count)),
        };
        let body = match told {
            Some(body) => body,
            None if all => sample.target,
            None => (sample.target as f64 * scale) as u64,
        };
        let exact = all || told.is_some();
        let around = writers.iter_mut().map(|writer| around(writer.as_mut(), &bodies));
        let bytes = around.sum::<Result<u64>>()?.saturating_add(beside).saturating_add(body);
        let threads = self.workers.max(1) as f64;
        let working = (sample.converting + sample.verifying + sample.hashing).as_secs_f64() * scale;
        // The source is hashed as the target is.
        let hashing = sample.hashing.as_secs_f64() / sample.target.max(1) as f64;
        let hashing = hashing * subject_size(self.opened) as f64;
        let largest = (self.parts.iter().map(|part| self.source_bytes(part))).max().unwrap_or(0);
        let up = (largest as f64 / sample.largest.0.max(1) as f64).max(1.0);
        let estimate = Estimate {
            bytes,
            exact,
            basis: Basis::Parts(chosen.len(), self.parts.len()),
            memory: self.memory(((sample.largest.1 as f64 * up) as u64, largest)),
            seconds: self.reading.as_secs_f64() + (working + hashing) / threads,
        };
        Ok(Tried { estimate, equal: evidence.differing() == 0, notes: Vec::from_iter(note) })
    }

    /// Checks the budget by what was measured of the sample, as the conversion checks it by all; gives what a
    /// person should know where the rest decides.
    fn within_budget(&self, sample: &Sample) -> Result<Option<String>> {
        let (job, opened) = (self.job, self.opened);
        let Some(budget) = &opened.budget else { return Ok(None) };
        let parts = sample.measured.iter().map(|(part, evidence)| (part, evidence)).collect();
        let whole = sample.is_all(opened.arrays.signature());
        let (tried, values) = (sample.evidence(&opened.rules)?, approximate_samples(opened));
        let all = if whole { "the whole" } else { "what was tried" };
        let measures = Measures { parts, pieces: sample.pieces.as_ref(), all };
        let Err(missed) = measures.check(budget) else { return Ok(None) };
        if !whole && rest_decides(&missed, budget, &tried, values)? {
            return Ok(Some(format!(
                "what was tried ({}) misses the budget; the conversion writes nothing unless the rest makes \
                 up for it",
                counted(sample.measured.len(), "part")
            )));
        }
        Err(measures.missed((job, opened), budget, &missed)?)
    }

    /// Converts a part, reads it back and compares.
    fn try_part(&self, part: &Part, packing: Option<&dyn Packing>, sample: &mut Sample) -> Result<()> {
        let (job, opened) = (self.job, self.opened);
        let encoding = opened.stored[part.array].encoding;
        let began = Instant::now();
        let made = convert(opened, encoding, part, Some(Vec::new()), self.progress)?;
        let held = made.bytes.as_ref().map_or(&[][..], |(held, _)| held);
        let bytes = match packing {
            // What is told of where a part lies takes bytes too, so it is packed where it will lie.
            Some(packing) => packing.pack(part, held)?.bytes.len(),
            None => held.len(),
        };
        sample.converting += began.elapsed();
        let count = part.samples.end - part.samples.start;
        let signature = opened.input().signature();
        let Alone { file, samples } = alone(job.to, signature, (part.array, encoding), (count, held))?;
        let began = Instant::now();
        hash_object(&file, &self.progress.aside())?;
        let hashed = began.elapsed();
        let found = formats::signal::open(file, job.to, &std::env::temp_dir())?;
        let from = part.samples.start;
        let (part, lies) = (
            Part { array: part.array, samples: from..from + samples },
            Part { array: 0, samples: 0..samples },
        );
        let (read, _, touched) = prove::measure(opened, &found, (&part, &lies), &self.progress.aside())?;
        if samples == count {
            let leaves = as_they_are(opened, part.array).then_some(made.source.leaves.as_slice());
            let digests = (Digest::default(), made.digest);
            prove::check(opened, (&part, 0), digests, (&made.source, leaves), &read)?;
        }
        if let Some(pieces) = &mut sample.pieces {
            touched.iter().try_for_each(|(index, evidence)| pieces.add(*index, evidence)).map_err(untold)?;
        }
        sample.hashing += hashed;
        sample.verifying += began.elapsed() - hashed;
        let source = self.source_bytes(&part);
        sample.source += source;
        sample.target += bytes as u64;
        sample.largest = (sample.largest.0.max(source), sample.largest.1.max(bytes as u64));
        sample.measured.push((part, read.evidence));
        Ok(())
    }

    /// Tries the first seconds of a target that is coded from first to last.
    fn coded(&self, target: OpusTarget) -> Result<Tried> {
        let trial = coded::trial((self.job, self.opened), target, self.progress)?;
        let scale = trial.seconds.1 / trial.seconds.0.max(f64::MIN_POSITIVE);
        let exact = trial.seconds.0 == trial.seconds.1;
        if exact {
            check_tau(self.job.media.1, &trial.evidence)?;
        }
        let bytes = if exact { trial.bytes } else { (trial.bytes as f64 * scale) as u64 };
        let working = trial.time.as_secs_f64() * if exact { 1.0 } else { scale };
        let largest = (self.parts.iter().map(|part| self.source_bytes(part))).max().unwrap_or(0);
        let estimate = Estimate {
            bytes,
            exact,
            basis: Basis::Seconds(trial.seconds.0, trial.seconds.1),
            memory: self.memory((largest, largest)),
            seconds: self.reading.as_secs_f64() + working,
        };
        let first = format!("the first {:.0} s", trial.seconds.0);
        let missed = (!trial.kept).then(|| {
            format!(
                "{first} miss the budget with the most bits; the conversion writes nothing unless the rest \
                 makes up for them"
            )
        });
        let cut = trial.cut.map(|cut| if exact { cut } else { format!("of {first}, {cut}") });
        Ok(Tried {
            estimate,
            equal: trial.evidence.differing() == 0,
            notes: missed.into_iter().chain(cut).collect(),
        })
    }

    /// Memory that will not be passed, where parts have so many bytes in the target and in the source. What
    /// opens images and tables, and leads over other types, may take all that there is.
    fn memory(&self, largest: (u64, u64)) -> u64 {
        let job = self.job;
        let signature = self.opened.arrays.signature();
        let worker = worker_bytes(&self.opened.stored, signature, job.media.1);
        let peak = memory::peak(signature.arrays.len(), self.workers, (worker, 0), largest, 0);
        let plain = matches!(job.media.0.codec, Codec::Arrays(_)) && job.via.is_empty();
        if plain { peak.min(job.memory) } else { job.memory }
    }
}

/// Samples that a mean is over.
pub fn approximate_samples(opened: &Opened) -> u64 {
    let arrays = opened.arrays.signature().arrays.iter().zip(&opened.stored);
    let approximate = arrays.filter(|(_, stored)| stored.approximate);
    approximate.fold(0, |sum, (array, _)| sum.saturating_add(array.samples().unwrap_or(u64::MAX)))
}

/// Whether a budget that was missed by what was tried may yet be kept by the whole, in which a mean is over
/// so many values: the rest can make up for a mean that is too far, unless that would be missed if the rest
/// lost nothing. It makes up for nothing else.
pub fn rest_decides(missed: &OverBudget, budget: &Budget, tried: &Evidence, values: u64) -> Result<bool> {
    match (missed, budget.whole) {
        (OverBudget::Whole { .. }, Bound::Rmse(most)) => {
            let d_squared = tried.d_squared().map_err(untold)?;
            Ok((d_squared / values.max(1) as f64).sqrt() <= most)
        }
        // The norm of the rest is not known.
        (OverBudget::Whole { .. }, Bound::Rate(_)) => Ok(true),
        _ => Ok(false),
    }
}

/// Bytes that stand around the samples of a target, which take so many bytes in each array.
fn around(writer: &mut dyn Writer, bodies: &[u64]) -> Result<u64> {
    let (packed, zeros) = (writer.packing().is_some(), vec![0; BLOCK_BYTES]);
    let mut bytes = 0;
    for array in writer.order().to_vec() {
        bytes += writer.begin(array)?.len() as u64;
        // Some writers count and sum the samples; what these are changes no length.
        let mut left = if packed { 0 } else { bodies[array] };
        while left > 0 {
            let count = left.min(BLOCK_BYTES as u64);
            writer.data(&zeros[..count as usize], &Written::default())?;
            left -= count;
        }
    }
    Ok(bytes + writer.finish()?.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coherence::evidence::ColumnEvidence;
    use coherence::signal::{APPROXIMATE_RULES, evidence};

    #[test]
    fn the_rest_makes_up_for_a_mean_that_is_not_spent() {
        let mut found = ColumnEvidence::new(APPROXIMATE_RULES[0]);
        (0..4).for_each(|_| found.add_numbers(1.0, 0.5, false).unwrap());
        let tried = evidence(APPROXIMATE_RULES, found);
        let decides = |bound, values| {
            let budget = Budget { part: Bound::Rmse(1.0), ..Budget::within(bound) };
            let missed = budget.check([&tried]).unwrap_err();
            rest_decides(&missed, &budget, &tried, values).unwrap()
        };
        // A squared distance of 1 is a mean square of 1/16 over four times as many, and more over fewer.
        assert!(decides(Bound::Rmse(0.25), 16) && !decides(Bound::Rmse(0.25), 15));
        assert!(!decides(Bound::Rmse(1e-6), 1 << 20), "far from it");
        assert!(decides(Bound::Rate(0.1), 4), "what is left may be loud");
        assert!(!decides(Bound::MaxAbs(0.1), 1 << 40));
        let floor = Budget::within(Bound::Rmse(0.25));
        let missed = floor.check([&tried]).unwrap_err();
        assert!(!rest_decides(&missed, &floor, &tried, 16).unwrap(), "each part keeps the floor by itself");
    }
}
