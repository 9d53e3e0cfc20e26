//! Provides the choice of a depth for a sound: the fewest bits with which the whole keeps its bound and every
//! second its floor. Each depth that is open is tried on every sample; nothing is predicted.

use coherence::budget::OverBudget;
use coherence::pieces::{PieceComparison, Pieces};
use coherence::signal::{APPROXIMATE_RULES, Signature};
use formats::signal::{Arrays, Encoding, Part, SignalFormat, Stored, parts};
use formats::sound::depth::{Depth, Scaled};

use super::super::{pool, shortfall};
use super::seconds::Seconds;
use super::work::stretches;
use super::{SignalJob, peak_of};
use crate::failure::{Result, untold};
use crate::meter::Stage;
use crate::progress::Progress;

/// The depth that came closest where none below that of the source keeps the budget.
pub struct Closest {
    /// The depth.
    pub encoding: Encoding,
    /// By what it misses.
    pub missed: OverBudget,
    /// The seconds in which it misses by most.
    pub worst: Option<u64>,
}

/// Chooses the depth of a sound in a target that has parts of so many samples. `stored` holds what it has
/// where nothing smaller keeps the budget; then it says what came closest.
pub fn choose(
    source: &Arrays,
    stored: &mut [Stored],
    (to, part_samples): (SignalFormat, u64),
    seconds: &Seconds,
    workers: usize,
    progress: &Progress,
) -> Result<Option<Closest>> {
    let ([array], [stored]) = (source.signature().arrays.as_slice(), stored) else { return Ok(None) };
    let Some(own) = Depth::of(array) else { return Ok(None) };
    let held = to.holds(Encoding::Plain(array.sample));
    let open = |depth: &&Depth| !held || depth.size_bits() < own.size_bits();
    let encoding = |depth: &Depth| Encoding::Sound(Scaled::new(own, *depth));
    let mut candidates: Vec<Encoding> = to.depths().iter().filter(open).map(encoding).collect();
    if !candidates.contains(&stored.encoding) {
        candidates.push(stored.encoding);
    }
    let measured = measure(source, &candidates, part_samples, seconds, workers, progress)?;
    // Where none keeps it, the last one is written, measured, and told of.
    let keeps = |pieces: &Pieces| {
        let symbols = pieces.evidence().columns.iter().any(|column| column.symbols_differing > 0);
        !symbols && pieces.check(&seconds.budget).is_ok()
    };
    let chosen = measured.iter().position(keeps).unwrap_or(candidates.len() - 1);
    let is_own = held && candidates[chosen] == stored.encoding;
    stored.encoding = candidates[chosen];
    let closest =
        chosen.checked_sub(1).filter(|_| is_own).map(|before| (candidates[before], &measured[before]));
    Ok(closest.and_then(|(encoding, pieces)| {
        let missed = pieces.check(&seconds.budget).err()?;
        Some(Closest { encoding, missed, worst: pieces.strained().map(|piece| piece.index) })
    }))
}

impl Closest {
    /// What it is, and by what it misses, for a person.
    pub fn told(&self, job: &SignalJob, sound: &Signature, seconds: &Seconds) -> Option<String> {
        let found = shortfall::told(&self.missed, &seconds.budget, &job.parameters, peak_of(sound))?;
        let place = match (&self.missed, self.worst) {
            (OverBudget::Part { .. }, Some(second)) => format!(" {}", seconds.told(second)),
            _ => String::new(),
        };
        Some(format!("as {} the sound{place} is at {found}", self.encoding.name()))
    }
}

/// What each encoding makes of every second.
fn measure(
    source: &Arrays,
    encodings: &[Encoding],
    part_samples: u64,
    seconds: &Seconds,
    workers: usize,
    progress: &Progress,
) -> Result<Vec<Pieces>> {
    let signature = source.signature();
    let parts = parts(signature, part_samples);
    let size = signature.samples().unwrap_or(0).saturating_mul(signature.arrays[0].sample.width() as u64);
    progress.begin(Stage::Reading, size, size);
    let mut measured: Vec<Pieces> = encodings.iter().map(|_| seconds.pieces()).collect();
    let make = |index: usize| measure_part(source, &parts[index], encodings, seconds.samples, progress);
    pool::in_order(workers, parts.len(), make, |_, found| {
        for (pieces, comparison) in measured.iter_mut().zip(found) {
            for (index, evidence) in comparison.finish() {
                pieces.add(index, &evidence).map_err(untold)?;
            }
        }
        Ok(())
    })?;
    Ok(measured)
}

fn measure_part(
    source: &Arrays,
    part: &Part,
    encodings: &[Encoding],
    piece_samples: u64,
    progress: &Progress,
) -> Result<Vec<PieceComparison>> {
    let sample = source.signature().arrays[part.array].sample;
    let comparison = PieceComparison::new(sample, APPROXIMATE_RULES, piece_samples, part.samples.start);
    let mut found = vec![comparison; encodings.len()];
    let (mut held, mut samples, mut encoded, mut back) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for stretch in stretches(part, source.stretch(part.array)) {
        source.read(&stretch, &mut held, &mut samples)?;
        progress.advance(samples.len() as u64)?;
        for (encoding, comparison) in encodings.iter().zip(&mut found) {
            encoded.clear();
            back.clear();
            encoding.encode(sample, &samples, &mut encoded);
            encoding.decode(&encoded, sample, &mut back);
            comparison.push(&samples, &back).map_err(untold)?;
        }
    }
    Ok(found)
}
