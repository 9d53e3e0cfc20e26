//! Provides the choice of a depth for a sound: the fewest bits with which the whole keeps its bound and every
//! second its floor. Each depth that is open is tried on every sample; nothing is predicted.

use coherence::pieces::{PieceComparison, Pieces};
use coherence::signal::APPROXIMATE_RULES;
use formats::signal::{Arrays, Encoding, Part, SignalFormat, Stored, parts};
use formats::sound::depth::{Depth, Scaled};

use super::super::pool;
use super::seconds::Seconds;
use super::work::stretches;
use crate::failure::{Result, untold};
use crate::meter::Stage;
use crate::progress::Progress;

/// Chooses the depth of a sound in a target that has parts of so many samples. `stored` holds what it has
/// where nothing smaller keeps the budget.
pub fn choose(
    source: &Arrays,
    stored: &mut [Stored],
    (to, part_samples): (SignalFormat, u64),
    seconds: &Seconds,
    workers: usize,
    progress: &Progress,
) -> Result<()> {
    let ([array], [stored]) = (source.signature().arrays.as_slice(), stored) else { return Ok(()) };
    let Some(own) = Depth::of(array) else { return Ok(()) };
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
    let chosen = candidates.iter().zip(&measured).find(|(_, pieces)| keeps(pieces));
    if let Some((encoding, _)) = chosen.or(candidates.iter().zip(&measured).next_back()) {
        stored.encoding = *encoding;
    }
    Ok(())
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
