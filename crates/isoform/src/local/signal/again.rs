//! Provides the second measuring of a target that was certified within a budget: its distance from the source
//! must be, to the last digit, the one that the certificate states, and within the bounds that it states.

use std::path::Path;
use std::sync::Arc;

use coherence::budget::Budget;
use coherence::content::{Model, PartContent};
use coherence::digest::Digest;
use coherence::found::Found;
use coherence::signal::{APPROXIMATE_RULES, Signature};
use coherence::statement::{Predicate, SignalContent};
use coherence::verified::{Records, Verified, VerifiedWhole};
use formats::file::ObjectFile;
use formats::media::{self, Codec, Recorded};
use formats::signal::{Arrays, Encoding, Part, Stored, may_differ, parts};
use formats::sound::depth::{Depth, Scaled};
use formats::words::counted;

use super::super::pool;
use super::super::source::joined;
use super::super::verify::{
    Checked, as_stated, check_companions, decodes_otherwise, differs, unknown_bounds,
};
use super::prove::{claim, measure};
use super::seconds::Seconds;
use super::verify::{check_root, content_of};
use super::{Opened, Told};
use crate::failure::{Failure, Result, untold};
use crate::progress::Progress;

/// The two sides, both with the arrays that were certified.
pub struct Sides<'a> {
    /// The source.
    pub file: Arc<ObjectFile>,
    /// Its arrays.
    pub source: Arrays,
    /// The source with all of its attributes: its rate tells how long a second is, also where it was dropped.
    pub heard: &'a Signature,
    /// Whether its arrays hold all that it tells of their values.
    pub reversible: bool,
    /// Those of the target.
    pub target: &'a Arrays,
    /// The content of both, in the samples of the source.
    pub signature: &'a Signature,
    /// The target, for messages.
    pub path: &'a Path,
}

/// Measures every part of the target once more against the source, and digests both sides while they are
/// read.
///
/// # Errors
/// What was certified is not what is found.
pub fn measured(
    (predicate, content): (&Predicate, &SignalContent),
    sides: Sides<'_>,
    workers: usize,
    progress: &Progress,
) -> Result<Checked> {
    let Sides { heard, reversible, target, signature, path, .. } = sides;
    let other = |what: String| Failure::Mismatch(format!("{}: {what}", path.display()));
    let stated = &predicate.distortion;
    let budget = stated.budget().map_err(|error| unknown_bounds(predicate, path, &error))?;
    let to = media::recorded(&predicate.conversion.to, &predicate.conversion.parameters);
    let to = to.ok_or_else(|| other("holds no arrays that are known here".into()))?;
    let plain = Budget { part_absolute: 0.0, part_distance: 0.0, ..budget };
    let seconds = Seconds::of(heard, &plain);
    let (off, samples) = seconds.map_or((0.0, 0), |found| (found.budget.part_absolute, found.samples));
    check_companions(&budget, off, samples, path)?;
    let runs = stated.pieces.as_ref().and(seconds.map(|found| found.within(budget)));
    let opened = Opened {
        file: sides.file,
        arrays: sides.source,
        led: None,
        stored: stored(predicate, (target, signature), to),
        allocated: None,
        budget: Some(budget),
        seconds: runs,
        within: None,
        unmet: None,
        rules: APPROXIMATE_RULES,
        workers,
        notes: Vec::new(),
        dropped: Vec::new(),
        told: Told::SAME,
        #[cfg(test)]
        lie: Default::default(),
    };
    let parts = parts(signature, to.part_samples);
    let found = whole(&opened, target, signature, (&parts, source(predicate)?), progress);
    let of_target = (target, content.target.as_str(), decodes_otherwise(path));
    let of_source = (&opened.arrays, content.source.as_str(), differs(opened.file.path()));
    let whole = match found {
        Ok(whole) => whole,
        // It is another content first of all, where it is one.
        Err(Failure::Mismatch(what)) => {
            for (arrays, root, otherwise) in [of_target, of_source] {
                check_root(arrays, (signature, root), otherwise, workers, progress)?;
            }
            return Err(other(what));
        }
        Err(failure) => return Err(failure),
    };
    for (found, (_, root, otherwise)) in [(whole.target_root(), of_target), (whole.source_root(), of_source)]
    {
        if found.to_string() != root {
            return Err(otherwise);
        }
    }
    let found = Found { reversible, ..Found::measured(&whole, &budget) };
    as_stated(predicate, &found, (path, "its parts are not as far from their source as was certified"))?;
    whole
        .check(&budget)
        .map_err(|error| other(format!("the bounds that were certified do not hold: {error}")))?;
    let measured = match whole.pieces() {
        Some(pieces) => counted(pieces.count() as usize, "piece"),
        None => counted(whole.parts().len(), "part"),
    };
    let found = format!("{measured} measured again: d = {}, coherence {}", stated.d, stated.coherence);
    Ok(Checked { name: "distance", found })
}

/// What was found of all parts.
fn whole(
    opened: &Opened,
    target: &Arrays,
    signature: &Signature,
    (parts, source): (&[Part], Digest),
    progress: &Progress,
) -> Result<VerifiedWhole> {
    let mut pieces = opened.seconds.map(|seconds| seconds.pieces());
    let mut verified = Vec::with_capacity(parts.len());
    let make = |at: usize| {
        let part = &parts[at];
        let (read, theirs, touched) = measure(opened, target, (part, part), progress)?;
        let leaves = match theirs {
            Some(leaves) => leaves,
            None => content_of(&opened.arrays, signature, part, progress)?.leaves,
        };
        let theirs = PartContent { grid: read.grid, units: read.units, leaves };
        let claim = claim(at as u64, (source, read.result), (&theirs, None), &read);
        let checked = Verified::check(claim, &read).map_err(|error| {
            let array = &signature.arrays[part.array].name;
            Failure::Mismatch(format!("array {array:?}, from sample {} on: {error}", part.samples.start))
        })?;
        Ok((checked, touched))
    };
    pool::in_order(opened.workers, parts.len(), make, |_, (checked, touched)| {
        verified.push(checked);
        let Some(pieces) = &mut pieces else { return Ok(()) };
        touched.iter().try_for_each(|(index, found)| pieces.add(*index, found)).map_err(untold)
    })?;
    let records = Records { counted: signature.samples().unwrap_or(u64::MAX), set_aside: 0 };
    let whole = VerifiedWhole::assemble(&Model::Signal(signature.clone()), verified, records);
    let whole = whole.and_then(|whole| match pieces {
        Some(pieces) => whole.in_pieces(pieces),
        None => Ok(whole),
    });
    whole.map_err(|error| Failure::Mismatch(error.to_string()))
}

/// How the target holds each array, and which of them had the budget: those of floating point, between sounds
/// those of a sound, and all where an image on the way lost something. Only these count in `n`.
fn stored(predicate: &Predicate, (target, signature): (&Arrays, &Signature), to: Recorded) -> Vec<Stored> {
    let sounds = matches!(to.codec, Codec::Arrays(format) if format.is_sound());
    let own = signature.arrays.iter().map(|array| may_differ(array, sounds)).collect::<Vec<bool>>();
    let held: Vec<bool> = target.signature().arrays.iter().map(|array| may_differ(array, sounds)).collect();
    let counts = |flags: &[bool]| {
        let of = signature.arrays.iter().zip(flags).filter(|(_, flag)| **flag);
        let samples = of.map(|(array, _)| array.samples().unwrap_or(0)).sum::<u64>();
        samples.to_string() == predicate.distortion.n
    };
    let all = vec![true; own.len()];
    // Where none fits, `n` is told to be another.
    let flags = [&own, &held, &all].into_iter().find(|flags| counts(flags)).unwrap_or(&own);
    let sides = signature.arrays.iter().zip(&target.signature().arrays).enumerate();
    let encodings = sides.map(|(index, (own, held))| match (Depth::of(own), Depth::of(held)) {
        (Some(own), Some(held)) if own != held => Encoding::Sound(Scaled::new(own, held)),
        _ => target.encoding(index),
    });
    encodings.zip(flags).map(|(encoding, flag)| Stored { encoding, approximate: *flag }).collect()
}

/// One digest for all files of the source.
fn source(predicate: &Predicate) -> Result<Digest> {
    let digests = predicate.source.iter().map(|file| file.digest.blake3.parse());
    let digests: Vec<Digest> = digests.collect::<Result<_, _>>().map_err(Failure::bug)?;
    Ok(joined(&digests))
}
