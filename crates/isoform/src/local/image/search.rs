//! Provides the search for the smallest encoding of an image that keeps a budget. Nothing is predicted: every
//! encoding that is considered was made, decoded and measured.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use coherence::budget::Budget;
use coherence::content::PartContent;
use coherence::evidence::Evidence;
use coherence::gate::{Gate, Measured};
use coherence::sample::SampleType;
use formats::image::sight::{self, Viewer};
use formats::image::{self, Image, Settings};

use super::{ImageJob, Opened, measure};
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// Encodings after which one that keeps the budget closely is good enough, and the best quality is tried
/// where none keeps it.
const ENCODES_USUAL: usize = 6;

/// Encodings that are made at most.
const ENCODES_MAX: usize = 10;

/// Logarithm of the strain from which on an encoding keeps the budget closely: within a twentieth.
const CLOSE: f64 = -0.05;

/// By how much the logarithm of the distance falls for a step of quality, until two encodings have told: what
/// photographs have in the middle of the scale.
const SLOPE: f64 = -0.03;

/// An encoding, with what was measured of it.
pub struct Found {
    /// The file.
    pub bytes: Vec<u8>,
    /// How it was made.
    pub settings: Settings,
    /// The type of the samples in the file.
    pub sample: SampleType,
    /// Its content, in the samples of the source.
    pub content: PartContent,
    /// Its distance to the source.
    pub evidence: Evidence,
    /// What the gates say of it.
    pub gates: Vec<Measured>,
    /// How many encodings were made.
    pub encodes: usize,
}

/// How an image is written before a quality is known.
pub fn settings(job: &ImageJob, lossy: bool) -> Settings {
    let lossless = !(lossy && job.to.quality().is_some());
    Settings { lossless: lossless && job.to.lossless(), effort: job.effort, ..Settings::new(job.to) }
}

/// Somebody who makes encodings of one image, and measures them.
pub struct Maker<'a> {
    job: &'a ImageJob,
    opened: &'a Opened,
    narrowed: Cow<'a, Image>,
    viewer: Viewer<'a>,
}

impl<'a> Maker<'a> {
    /// For an image that was opened for a job.
    pub fn new(job: &'a ImageJob, opened: &'a Opened) -> Result<Self> {
        let narrowed = image::fit(&opened.image, job.to)?;
        let measures: Vec<_> = job.gates.iter().map(|gate| gate.measure).collect();
        Ok(Self { job, opened, narrowed, viewer: Viewer::new(&opened.image, &measures)? })
    }

    /// One encoding, decoded again and measured.
    pub fn make(&self, settings: Settings, progress: &Progress) -> Result<Found> {
        let (job, opened) = (self.job, self.opened);
        progress.advance(0)?;
        let bytes = image::encode(&self.narrowed, &settings)?;
        let made = image::decode(job.to, &bytes, super::share(job.to, job.memory))
            .map_err(|error| Failure::Mismatch(format!("what was encoded does not decode: {error}")))?;
        let made = image::lifted(made, opened.image.sample)?;
        let (evidence, content) = measure(&opened.image, &made, opened.budget.is_some())?;
        let gates = seen(&self.viewer, &job.gates, &made)?;
        let sample = self.narrowed.sample;
        Ok(Found { bytes, settings, sample, content, evidence, gates, encodes: 1 })
    }
}

/// The encoding that is asked for: as was said, without loss, or the smallest within the budget.
pub fn encoding(job: &ImageJob, opened: &Opened, progress: &Progress) -> Result<Found> {
    let maker = Maker::new(job, opened)?;
    let make = |settings: Settings| maker.make(settings, progress);
    let begin = job.settings.unwrap_or_else(|| settings(job, opened.budget.is_some()));
    let knob = job.to.quality().filter(|_| job.settings.is_none());
    let (Some(budget), Some(knob), false) = (&opened.budget, knob, begin.lossless) else {
        let found = make(begin)?;
        return match &opened.budget {
            Some(budget) if !found.keeps(budget) => Err(missed(budget, &found)),
            _ => Ok(found),
        };
    };
    let (low, high) = (knob.range.start().ceil(), knob.range.end().floor());
    let range = (f64::from(low), f64::from(high), f64::from(knob.default));
    let alike = |quality: f64| job.to.alike(quality as f32);
    let search = |subsampled: bool| {
        let at = |quality: f64| make(Settings { quality: Some(quality as f32), subsampled, ..begin });
        smallest(budget, range, alike, at)
    };
    let closest = match search(begin.subsampled)? {
        Ok(found) => return Ok(found),
        Err(closest) => closest,
    };
    let tried = closest.encodes;
    // Without loss every budget is kept, unless samples had to be narrowed.
    if job.to.exact().contains(&maker.narrowed.sample) {
        let found = make(Settings { lossless: true, quality: None, ..begin })?;
        return match found.keeps(budget) {
            true => Ok(Found { encodes: tried + 1, ..found }),
            false => Err(missed(budget, &found)),
        };
    }
    // Grey has no colours that could be kept at another resolution.
    if !begin.subsampled || maker.narrowed.channels.count() < 3 {
        return Err(missed(budget, &closest));
    }
    // Colours at half resolution are beyond some budgets at any quality.
    match search(false)? {
        Ok(found) => Ok(Found { encodes: tried + found.encodes, ..found }),
        Err(closest) => Err(missed(budget, &Found { encodes: tried + closest.encodes, ..closest })),
    }
}

/// A quality, and the logarithm of the strain that it put on the budget.
type Tried = (f64, f64);

/// The smallest encoding that was found within the budget, else the one that came closest. Whole qualities
/// are tried, first the usual one and then where the line through the two closest logarithms of distance
/// meets the bound: by the Illinois method (Dowell and Jarratt 1971), since the logarithm bends near the best
/// quality. Qualities that are `alike` make the same file.
fn smallest(
    budget: &Budget,
    (low, high, first): (f64, f64, f64),
    alike: impl Fn(f64) -> RangeInclusive<f32>,
    make: impl Fn(f64) -> Result<Found>,
) -> Result<std::result::Result<Found, Found>> {
    // The best quality that misses and the least that keeps the budget, with the logarithms of their strain.
    let (mut below, mut above): (Option<Tried>, Option<Tried>) = (None, None);
    let (mut best, mut closest): (Option<Found>, Option<(f64, Found)>) = (None, None);
    let (mut next, mut encodes, mut kept_before, mut close) = (first, 0, None, false);
    loop {
        let found = make(next)?;
        encodes += 1;
        let strain = found.strain(budget)?.clamp(f64::MIN_POSITIVE, f64::MAX).ln();
        let keeps = found.keeps(budget);
        // The end that stays a second time counts half, so that it does not stay for good.
        if kept_before.replace(keeps) == Some(keeps)
            && let Some((_, held)) = if keeps { &mut below } else { &mut above }
        {
            *held /= 2.0;
        }
        if keeps {
            close = strain > CLOSE;
            above = Some((next, strain));
            if best.as_ref().is_none_or(|best| found.bytes.len() <= best.bytes.len()) {
                best = Some(found);
            }
        } else {
            below = Some((next, strain));
            if closest.as_ref().is_none_or(|(least, _)| strain < *least) {
                closest = Some((strain, found));
            }
        }
        let slope = match (below, above) {
            (Some((a, x)), Some((b, y))) if x > y => (y - x) / (b - a),
            _ => SLOPE,
        };
        let guess = (next - strain / slope).round();
        let lowest = below.map_or(low, |(quality, _)| f64::from(*alike(quality).end()) + 1.0);
        let highest = above.map_or(high, |(quality, _)| f64::from(*alike(quality).start()) - 1.0);
        let usual = encodes >= ENCODES_USUAL;
        if lowest > highest || (usual && close) || encodes >= ENCODES_MAX {
            break;
        }
        // Where the guesses are spent and nothing keeps the budget, the best quality decides.
        next = if usual && above.is_none() { high } else { guess.clamp(lowest, highest) };
    }
    Ok(match (best, closest) {
        (Some(best), _) => Ok(Found { encodes, ..best }),
        (None, Some((_, closest))) => Err(Found { encodes, ..closest }),
        (None, None) => return Err(Failure::Other("bug in isoform: nothing was encoded".into())),
    })
}

impl Found {
    /// Whether it keeps the budget and passes the gates.
    pub fn keeps(&self, budget: &Budget) -> bool {
        budget.check([&self.evidence]).is_ok() && self.gates.iter().all(Measured::holds)
    }

    /// How much of the tightest bound it uses up.
    fn strain(&self, budget: &Budget) -> Result<f64> {
        let strain = budget.strain(&self.evidence);
        let strain =
            strain.map_err(|error| Failure::Mismatch(format!("no distance can be told: {error}")))?;
        Ok(self.gates.iter().map(|measured| measured.gate.strain(measured.found)).fold(strain, f64::max))
    }
}

/// What the gates say of an image.
pub fn seen(viewer: &Viewer<'_>, gates: &[Gate], made: &Image) -> Result<Vec<Measured>> {
    let seen = |gate: &Gate| {
        let found = viewer.measure(gate.measure, made)?;
        Ok(Measured { gate: *gate, found, by: sight::measured_by(gate.measure).to_owned() })
    };
    gates.iter().map(seen).collect()
}

/// Nothing kept the budget.
pub fn missed(budget: &Budget, closest: &Found) -> Failure {
    let why = match budget.check([&closest.evidence]) {
        Err(error) => error.to_string(),
        Ok(()) => match closest.gates.iter().find(|measured| !measured.holds()) {
            Some(Measured { gate, found, .. }) => format!("it is at {found:.3} where {gate} is allowed"),
            None => "it was missed".into(),
        },
    };
    let at = match closest.settings.quality {
        Some(quality) => format!("at quality {quality}, the best of {} encodings, ", closest.encodes),
        None => String::new(),
    };
    Failure::Mismatch(format!(
        "the budget was missed: {at}{why}; nothing was written: take a wider budget or another format"
    ))
}
