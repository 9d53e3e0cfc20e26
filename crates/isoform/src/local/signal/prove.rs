//! Provides the second half of a conversion of signals: the finished file, decoded again and measured against
//! the source.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coherence::budget::{Budget, OverBudget};
use coherence::claim::{Claim, ReadBack};
use coherence::content::{Grid, LeafAt, Model, PartContent, SignalDigester};
use coherence::digest::{Digest, ObjectDigest};
use coherence::evidence::{ColumnEvidence, Evidence, EvidenceError};
use coherence::pieces::{PieceComparison, Pieces};
use coherence::signal::{self, EXACT_RULES};
use coherence::verified::{Mismatch, Records, Verified, VerifiedWhole};
use formats::file::ObjectFile;
use formats::signal::{Arrays, Encoding, Part};
use formats::words::counted;

use super::super::{hash_object, pool, shortfall, unreadable};
use super::seconds::Seconds;
use super::work::{Parts, STRETCHES, as_they_are, digest, stretches};
use super::{Opened, SignalJob};
use crate::failure::{Failure, Result, untold};
use crate::progress::Progress;
use crate::report;

/// A proven target.
pub struct Proof {
    /// The witness.
    pub whole: VerifiedWhole,
    /// The bytes of the target.
    pub object: ObjectDigest,
    /// The files beside it that hold its arrays, with their bytes.
    pub beside: Vec<(PathBuf, ObjectDigest)>,
}

impl Proof {
    /// Count of the bytes of all files of the target.
    pub fn bytes(&self) -> u64 {
        self.beside.iter().fold(self.object.size, |sum, (_, object)| sum + object.size)
    }
}

/// Decodes the finished temporary as if it were anybody's, and compares.
pub fn read_back(
    job: &SignalJob,
    opened: &Opened,
    parts: &Parts,
    source: Digest,
    path: &Path,
    progress: &Progress,
) -> Result<Proof> {
    let file = Arc::new(ObjectFile::open(path)?);
    let dir = super::directory_of(&job.target);
    let found = formats::signal::open(file.clone(), job.to, dir)
        .map_err(|error| unreadable("the finished target", error))?;
    check_signature(job, opened, &found)?;
    let mut pieces = opened.seconds.map(|seconds| seconds.pieces());
    let check = || check_parts(opened, parts, source, &found, (&mut pieces, progress));
    let hash = || {
        let files = std::iter::once(&file).chain(found.files());
        files.map(|file| hash_object(file, progress)).collect::<Result<Vec<_>>>()
    };
    let (objects, checked) = pool::meanwhile(hash, check)?;
    let (objects, checked) = (objects?, checked?);
    let signature = opened.arrays.signature();
    let counted = signature.samples().unwrap_or(u64::MAX);
    let records = Records { counted, set_aside: 0 };
    let whole = VerifiedWhole::assemble(&Model::Signal(signature.clone()), checked, records);
    let whole = whole.and_then(|whole| match pieces {
        Some(pieces) => whole.in_pieces(pieces),
        None => Ok(whole),
    });
    let whole = whole.map_err(|error| Failure::Mismatch(error.to_string()))?;
    std::iter::once(&file).chain(found.files()).try_for_each(|file| file.check_unchanged())?;
    within_budget(job, opened, parts, &whole)?;
    let beside = found.files().iter().map(|file| file.path().to_owned());
    let beside = beside.zip(objects[1..].iter().copied()).collect();
    Ok(Proof { whole, object: objects[0], beside })
}

/// The target must have the arrays and attributes of the source, in the types that were planned.
fn check_signature(job: &SignalJob, opened: &Opened, found: &Arrays) -> Result<()> {
    let mut expected = opened.input().signature().clone();
    for (array, stored) in expected.arrays.iter_mut().zip(&opened.stored) {
        array.sample = stored.encoding.sample();
        array.peak = array.peak.map(|peak| stored.encoding.peak(peak));
        // Some containers of arrays say nothing of meanings; and an only array may have no name in them.
        if !job.to.tells_sounds() {
            array.meaning.clear();
            array.peak = None;
        }
    }
    let held = (0..opened.stored.len()).all(|index| {
        found.signature().arrays.len() == opened.stored.len()
            && found.encoding(index) == opened.stored[index].encoding.in_file()
    });
    let mut found = found.signature().clone();
    if let ([expected], [found]) = (expected.arrays.as_slice(), found.arrays.as_mut_slice()) {
        found.name.clone_from(&expected.name);
    }
    match held && expected == found {
        true => Ok(()),
        false => Err(Failure::Mismatch(
            "the finished target does not hold the arrays that were written; nothing was written: please \
             report this"
                .into(),
        )),
    }
}

/// Verified parts, in the order of the signature.
fn check_parts(
    opened: &Opened,
    parts: &Parts,
    source: Digest,
    found: &Arrays,
    (pieces, progress): (&mut Option<Pieces>, &Progress),
) -> Result<Vec<Verified>> {
    let mut order: Vec<usize> = (0..parts.parts.len()).collect();
    order.sort_by_key(|index| (parts.parts[*index].array, parts.parts[*index].samples.start));
    let mut verified = Vec::with_capacity(order.len());
    let make = |at: usize| {
        let index = order[at];
        let (part, entry) = (&parts.parts[index], &parts.entries[index]);
        let (read, again, touched) = measure(opened, found, (part, part), progress)?;
        if again.is_some_and(|again| again != parts.sources[index].leaves) {
            return Err(formats::Error::Changed(opened.file.path().to_owned()).into());
        }
        // What samples become that are not written as they are tells nobody but the target: its bytes must be
        // those that were written.
        let known = parts.coded.is_some() || as_they_are(opened, part.array);
        let contents = (&parts.sources[index], known.then_some(entry.content.leaves.as_slice()));
        let checked = check(opened, (part, at as u64), (source, entry.digest), contents, &read)?;
        Ok((checked, touched))
    };
    pool::in_order(opened.workers, order.len(), make, |_, (checked, touched)| {
        verified.push(checked);
        let Some(pieces) = pieces else { return Ok(()) };
        let added = touched.iter().try_for_each(|(index, evidence)| pieces.add(*index, evidence));
        added.map_err(untold)
    })?;
    Ok(verified)
}

/// Checks what was read of a part against what was made of it: the digests of the source and of the part, the
/// content of the source, and the leaves of the target where these are known before.
pub fn check(
    opened: &Opened,
    (part, at): (&Part, u64),
    (source, result): (Digest, Digest),
    (theirs, ours): (&PartContent, Option<&[Digest]>),
    read: &ReadBack,
) -> Result<Verified> {
    let claim = claim(at, (source, result), (theirs, ours), read);
    Verified::check(claim, read).map_err(|error| mismatch(opened, part, &error))
}

/// What is claimed of a part, which was measured by who reads it.
pub fn claim(
    part: u64,
    (source, result): (Digest, Digest),
    (theirs, ours): (&PartContent, Option<&[Digest]>),
    read: &ReadBack,
) -> Claim {
    Claim {
        part,
        grid: Grid::Signal,
        units: theirs.units,
        source,
        result,
        source_content: theirs.leaves.clone(),
        content: ours.unwrap_or(&read.content).to_vec(),
        // Who converts on this machine leaves the measuring to the one reading of the finished file.
        evidence: read.evidence.clone(),
    }
}

/// What was found of a part of the target: the leaves of the source, where this was read again, and the
/// pieces that the part touches.
pub type Measured = (ReadBack, Option<Vec<Digest>>, Vec<(u64, ColumnEvidence)>);

/// Reads a part of the target, from where it lies in what was found, and where it may differ the same part of
/// the source again.
pub fn measure(
    opened: &Opened,
    found: &Arrays,
    (part, lies): (&Part, &Part),
    progress: &Progress,
) -> Result<Measured> {
    let array = &opened.arrays.signature().arrays[part.array];
    let stored = opened.stored[part.array];
    let plain = stored.encoding == Encoding::Plain(array.sample);
    let column = usize::from(!stored.approximate);
    let compares = opened.rules != EXACT_RULES && stored.approximate;
    let piece_samples = opened.seconds.map_or(u64::MAX, |seconds| seconds.samples);
    let mut comparison = PieceComparison::new(array.sample, opened.rules, piece_samples, part.samples.start);
    let (mut ours, mut theirs) = (SignalDigester::new(array.sample), SignalDigester::new(array.sample));
    let mut bytes = blake3::Hasher::new();
    let [mut held, mut lifted, mut again, mut source] = STRETCHES.take();
    let at_once = opened.arrays.stretch(part.array);
    for (stretch, lies) in stretches(part, at_once).zip(stretches(lies, at_once)) {
        found.read_held(&lies, &mut held).map_err(|error| unreadable("the finished target", error))?;
        bytes.update(&held);
        if !plain {
            lifted.clear();
            stored.encoding.decode(&held, array.sample, &mut lifted);
        }
        let found = if plain { &held } else { &lifted };
        digest(&mut ours, found)?;
        if compares {
            opened.arrays.read(&stretch, &mut again, &mut source)?;
            progress.advance(source.len() as u64)?;
            digest(&mut theirs, &source)?;
            let pushed = comparison.push(&source, found);
            pushed.map_err(|error| untold(format_args!("array {:?}: {error}", array.name)))?;
        } else {
            progress.advance(found.len() as u64)?;
        }
    }
    STRETCHES.set([held, lifted, again, source]);
    let content = ours.finish();
    let result = Digest(*bytes.finalize().as_bytes());
    if !compares {
        let found = ColumnEvidence { rule: opened.rules[column], ..ColumnEvidence::equal(content.units) };
        let evidence = signal::evidence(opened.rules, found);
        let units = content.units;
        let read = ReadBack { grid: Grid::Signal, units, result, content: content.leaves, evidence };
        return Ok((read, None, Vec::new()));
    }
    let touched: Vec<(u64, ColumnEvidence)> = comparison.finish().collect();
    let mut all = ColumnEvidence::new(opened.rules[0]);
    let merged = touched.iter().try_for_each(|(_, evidence)| all.merge(evidence));
    merged.map_err(|error| untold(format_args!("array {:?}: {error}", array.name)))?;
    let evidence: Evidence = signal::evidence(opened.rules, all);
    let read =
        ReadBack { grid: Grid::Signal, units: content.units, result, content: content.leaves, evidence };
    Ok((read, Some(theirs.finish().leaves), touched))
}

/// Tells a mismatch by the array and the sample.
fn mismatch(opened: &Opened, part: &Part, error: &Mismatch) -> Failure {
    let array = &opened.arrays.signature().arrays[part.array];
    let stored = opened.stored[part.array].encoding;
    let name = if array.name.is_empty() { "the array".to_owned() } else { format!("array {:?}", array.name) };
    Failure::Mismatch(match error {
        Mismatch::Changed { at: LeafAt::Samples { from }, .. } => {
            let from = part.samples.start + from;
            format!(
                "{name} does not survive as {stored}: a sample from {from} on has another value; nothing was \
                 written; give a budget with --within, or another --sample-type"
            )
        }
        Mismatch::Symbols { differing, .. } => format!(
            "{name} does not survive as {stored}: {} from {} on {} beyond what it holds, or no finite \
             number; nothing was written; {}",
            counted(differing, "sample"),
            part.samples.start,
            if *differing == 1 { "is" } else { "are" },
            match stored {
                Encoding::Sound(_) => "keep floating point, as a WAV does without --sample-type",
                _ => "take another --sample-type",
            }
        ),
        other => format!("{name}: {other}; nothing was written: please report this"),
    })
}

/// Checks the budget, and tells what was reached where it was missed.
fn within_budget(job: &SignalJob, opened: &Opened, parts: &Parts, whole: &VerifiedWhole) -> Result<()> {
    let Some(budget) = &opened.budget else { return Ok(()) };
    let Err(missed) = whole.check(budget) else { return Ok(()) };
    let mut order: Vec<&Part> = parts.parts.iter().collect();
    order.sort_by_key(|part| (part.array, part.samples.start));
    let evidence = whole.parts().iter().map(|part| &part.claim().evidence);
    let measures = Measures {
        parts: order.into_iter().zip(evidence).collect(),
        pieces: whole.pieces(),
        all: "the whole",
    };
    Err(measures.missed((job, opened), budget, &missed)?)
}

/// What was measured of parts, in the order of the signature, and of the pieces that have the floor in their
/// place, where there are such.
pub struct Measures<'a> {
    /// Each part, and what was measured of it.
    pub parts: Vec<(&'a Part, &'a Evidence)>,
    /// The pieces.
    pub pieces: Option<&'a Pieces>,
    /// What all of them together are called.
    pub all: &'static str,
}

impl Measures<'_> {
    /// Checks the bound on all of them together, and the floor of each.
    pub fn check(&self, budget: &Budget) -> std::result::Result<(), OverBudget> {
        match self.pieces {
            Some(pieces) => pieces.check(budget),
            None => budget.check(self.parts.iter().map(|(_, evidence)| *evidence)),
        }
    }

    /// Tells what was reached where the budget was missed.
    pub fn missed(
        &self,
        (job, opened): (&SignalJob, &Opened),
        budget: &Budget,
        missed: &OverBudget,
    ) -> Result<Failure> {
        if let (Some(seconds), Some(pieces)) = (opened.seconds, self.pieces) {
            let words = ("", self.all, "take a wider budget, or more bits with --sample-type");
            return Ok(missed_sound((job, opened), missed, (&seconds, pieces), words));
        }
        let mut all = Evidence::new(&opened.rules);
        self.parts.iter().try_for_each(|(_, evidence)| all.merge(evidence)).map_err(untold)?;
        let reached = format!(
            "{} reached coherence {}, {}",
            self.all,
            report::fixed(all.coherence().map_err(untold)?, 6),
            report::errors(all.rmse().map_err(untold)?, all.max_abs())
        );
        let what = match missed {
            OverBudget::Part { part, .. } => self.parts.get(*part).map(|(part, _)| {
                let (name, samples) = (&opened.arrays.signature().arrays[part.array].name, &part.samples);
                format!("samples {} to {} of array {name:?} are", samples.start, samples.end)
            }),
            _ => None,
        };
        let what = what.unwrap_or_else(|| format!("{} is", self.all));
        let peak = super::peak_of(opened.arrays.signature());
        let missed = match shortfall::told(missed, budget, &job.parameters, peak) {
            Some(found) => format!("{what} at {found}"),
            None => missed.to_string(),
        };
        Ok(Failure::Mismatch(format!(
            "the budget was missed: {missed}; {reached}; nothing was written: take a wider budget or another \
             --sample-type"
        )))
    }
}

/// A sound that misses its budget: where it is worst, and what was reached. The words are for how it was
/// made, for all that was measured, and for what to do.
pub fn missed_sound(
    (job, opened): (&SignalJob, &Opened),
    missed: &OverBudget,
    (seconds, pieces): (&Seconds, &Pieces),
    (at, all, hint): (&str, &str, &str),
) -> Failure {
    let worst = pieces.strained().map_or(String::new(), |piece| seconds.told(piece.index));
    let peak = super::peak_of(opened.arrays.signature());
    let what = match (missed, shortfall::told(missed, &seconds.budget, &job.parameters, peak)) {
        (OverBudget::Part { .. }, Some(found)) => format!("the sound {worst} is at {found}"),
        (_, Some(found)) => format!("{all} is at {found}; the sound is worst {worst}"),
        (other, None) => format!("{other}; the sound is worst {worst}"),
    };
    let evidence = pieces.evidence();
    let figure = |found: std::result::Result<f64, EvidenceError>| found.unwrap_or(f64::NAN);
    let (coherence, snr, rmse) = (evidence.coherence(), evidence.snr_db(), evidence.rmse());
    let psnr = peak.map_or(f64::NAN, |peak| figure(evidence.psnr_db(peak)));
    Failure::Mismatch(format!(
        "the budget was missed: {at}{what}; {all} reached coherence {}, snr {} dB, PSNR {} dB, {}; nothing \
         was written: {hint}",
        report::fixed(figure(coherence), 6),
        report::fixed(figure(snr), 2),
        report::fixed(psnr, 2),
        report::errors(figure(rmse), evidence.max_abs())
    ))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use coherence::sample::SampleType;
    use formats::signal::{SignalFormat, Stored};

    use super::*;
    use crate::cli::{Output, When};
    use crate::failure::DIFFERS;

    /// An open file of these truth values.
    fn truths(dir: &Path, name: &str, values: &[u8]) -> Arrays {
        let path: PathBuf = dir.join(name);
        let header = format!("{{'descr': '|b1', 'fortran_order': False, 'shape': ({},), }}", values.len());
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(format!("{header:<117}\n").bytes());
        bytes.extend(values);
        std::fs::write(&path, bytes).unwrap();
        let file = Arc::new(ObjectFile::open(&path).unwrap());
        formats::signal::open(file, SignalFormat::Npy, dir).unwrap()
    }

    #[test]
    fn a_target_that_does_not_decode_is_no_malformed_source() {
        let dir = tempfile::tempdir().unwrap();
        let output =
            Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
        let progress = Progress::new(&output).unwrap();
        let arrays = truths(dir.path(), "source.npy", &[0, 1]);
        let opened = Opened {
            file: Arc::new(ObjectFile::open(&dir.path().join("source.npy")).unwrap()),
            arrays,
            led: None,
            stored: vec![Stored { encoding: Encoding::Plain(SampleType::Bool), approximate: false }],
            allocated: None,
            budget: None,
            seconds: None,
            within: None,
            rules: EXACT_RULES,
            workers: 1,
            notes: Vec::new(),
            unmet: None,
            dropped: Vec::new(),
            told: super::super::Told::SAME,
            lie: Default::default(),
        };
        let part = Part { array: 0, samples: 0..2 };
        let measured = |values: &[u8]| {
            let found = truths(dir.path(), "target.npy", values);
            measure(&opened, &found, (&part, &part), &progress)
        };
        assert_eq!(measured(&[0, 1]).unwrap().0.units, 2);
        let failure = measured(&[0, 2]).err().unwrap();
        assert_eq!(failure.code(), DIFFERS);
        assert!(failure.to_string().starts_with("the finished target does not read back: "), "{failure}");
    }
}
