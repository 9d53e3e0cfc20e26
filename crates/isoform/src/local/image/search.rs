//! Provides the search for the smallest encoding of an image that keeps a budget. Nothing is predicted: every
//! encoding that is considered was made, decoded and measured.

use std::borrow::Cow;

use coherence::budget::{Bound, Budget};
use coherence::content::PartContent;
use coherence::evidence::Evidence;
use coherence::gate::{Gate, Measured};
use coherence::pieces::Pieces;
use coherence::sample::SampleType;
use formats::image::sight::{self, Viewer};
use formats::image::{self, Image, ImageFormat, Knob, PixelLayout, Settings};
use formats::words::counted;

use super::super::shortfall;
use super::ladder::{Ladder, Rung};
use super::{ImageJob, Measures, Opened, measure, tiles};
use crate::failure::{Failure, Result, untold};
use crate::progress::Progress;

/// Quality of half resolution above which full resolution is tried too. Of photographs, full resolution at a
/// lower quality is up to 45 % smaller above it, and hardly ever smaller below.
pub const HALF_FINE: f64 = 75.0;

/// Share of pixels equal to the one before them from which on an image is taken for a drawing or screenshot,
/// which may be smaller without loss. Few photographs have more than 0.4.
const REPEATED: f64 = 0.5;

/// Share of the samples that a lossy file has to take for one without loss to be tried besides.
const LARGE: f64 = 0.25;

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
    /// What was found of its tiles, where these have a floor.
    pub tiles: Option<Pieces>,
    /// What the gates say of it.
    pub gates: Vec<Measured>,
    /// How many encodings were made.
    pub encodes: usize,
    /// Where it is without loss since no quality keeps the budget: which came closest, and by what it misses.
    pub unmet: Option<String>,
}

/// How an image is written before a quality is known.
pub fn settings(job: &ImageJob, lossy: bool) -> Settings {
    let lossless = !(lossy && job.to.quality().is_some());
    let layout = PixelLayout::of(job.media.1);
    Settings { lossless: lossless && job.to.lossless(), effort: job.effort, layout, ..Settings::new(job.to) }
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
        let narrowed = image::fit(&opened.image, job.to);
        let narrowed = narrowed.map_err(|error| error.in_file(opened.file.path()))?;
        let measures: Vec<_> = job.gates.iter().map(|gate| gate.measure).collect();
        Ok(Self { job, opened, narrowed, viewer: Viewer::new(&opened.image, &measures)? })
    }

    /// Whether the format can give the samples back as they are now.
    fn is_exact(&self) -> bool {
        self.job.to.exact().contains(&self.narrowed.sample)
    }

    /// Whether the image looks like a drawing, and the format can hold it without loss.
    pub fn is_drawn(&self) -> bool {
        self.is_exact() && self.narrowed.repeated() >= REPEATED
    }

    /// One encoding, decoded again and measured.
    pub fn make(&self, settings: Settings, progress: &Progress) -> Result<Found> {
        let (job, opened) = (self.job, self.opened);
        progress.advance(0)?;
        let bytes = image::encode(&self.narrowed, &settings)?;
        #[cfg(test)]
        let bytes = job.lie.map_or(bytes, |lie| lie(&self.narrowed, &settings));
        let made = image::decode(job.to, &bytes, super::share(job.to, job.memory))
            .map_err(|error| Failure::Mismatch(format!("what was encoded does not decode: {error}")))?;
        check_declared(&self.narrowed, &made, job.to)?;
        let made = image::lifted(made, opened.image.sample)?;
        let Measures { evidence, content, tiles } = measure(&opened.image, &made, opened)?;
        let gates = seen(&self.viewer, &job.gates, &made)?;
        let sample = self.narrowed.sample;
        Ok(Found { bytes, settings, sample, content, evidence, tiles, gates, encodes: 1, unmet: None })
    }
}

impl Maker<'_> {
    /// By what an encoding misses a floor that bounds the whole too, as a person is told it: by its worst
    /// tile where that is it; `None` where it keeps it.
    pub fn missed(&self, floor: &Budget, found: &Found) -> Option<String> {
        let tiles = Budget { whole: Bound::MaxAbs(f64::INFINITY), ..*floor };
        let missed = [&tiles, floor].into_iter().find(|budget| !found.keeps(budget))?;
        Some(why(self.job, self.opened, missed, found))
    }
}

/// The encoding that is asked for: as was said, without loss, or the smallest within the budget.
pub fn encoding(job: &ImageJob, opened: &Opened, progress: &Progress) -> Result<Found> {
    let maker = Maker::new(job, opened)?;
    let begin = job.settings.unwrap_or_else(|| settings(job, opened.budget.is_some()));
    let knob = job.to.quality().filter(|_| job.settings.is_none());
    let (Some(budget), Some(knob), false) = (&opened.budget, knob, begin.lossless) else {
        let found = maker.make(begin, progress)?;
        return match &opened.budget {
            Some(budget) if !found.keeps(budget) => Err(missed(job, opened, budget, &found)),
            _ => Ok(found),
        };
    };
    let (best, closest, kept) = (None, None, false);
    Search { maker: &maker, begin, knob, budget, progress, best, closest, kept, encodes: 0 }.smallest()
}

/// A search for the smallest encoding.
struct Search<'a> {
    maker: &'a Maker<'a>,
    begin: Settings,
    knob: Knob,
    budget: &'a Budget,
    progress: &'a Progress,
    /// The smallest that keeps the budget.
    best: Option<Found>,
    /// The one that comes closest, where none does, and its bytes.
    closest: Option<(f64, Found, usize)>,
    /// Whether a quality keeps the budget.
    kept: bool,
    encodes: usize,
}

impl Search<'_> {
    /// The smallest encoding that was found within the budget: of the least quality that keeps it, at half or
    /// at full resolution of colour, or without loss.
    fn smallest(mut self) -> Result<Found> {
        let (job, image) = (self.maker.job, &*self.maker.narrowed);
        let drawn = self.maker.is_drawn();
        if drawn {
            self.without_loss()?;
        }
        // Grey has no colours that could be kept at another resolution.
        match self.begin.subsampled && job.to.resolves_colour() && image.channels.count() >= 3 {
            true => self.at_both_resolutions()?,
            false => self.climb(&mut self.ladder(), self.begin.subsampled, Some(self.usual()))?,
        }
        // Without loss every budget is kept, unless samples had to be narrowed.
        let large = LARGE * image.samples.len() as f64;
        if self.maker.is_exact() && !drawn && self.bytes().is_none_or(|bytes| bytes as f64 > large) {
            self.without_loss()?;
        }
        let encodes = self.encodes;
        let unmet = self.unmet();
        match (self.best, self.closest) {
            (Some(best), _) => Ok(Found { encodes, unmet, ..best }),
            (None, Some((_, closest, _))) => {
                Err(missed(job, self.maker.opened, self.budget, &Found { encodes, ..closest }))
            }
            (None, None) => Err(Failure::bug("nothing was encoded")),
        }
    }

    /// Which quality came closest, where the best is without loss and larger than what that one makes.
    fn unmet(&self) -> Option<String> {
        let best = self.best.as_ref().filter(|best| best.settings.lossless && !self.kept)?;
        let (_, closest, _) = self.closest.as_ref().filter(|(.., bytes)| *bytes < best.bytes.len())?;
        let at = best_of(&closest.settings, self.encodes);
        Some(format!("{at}{}", why(self.maker.job, self.maker.opened, self.budget, closest)))
    }

    /// Tries colours at half resolution, and at full resolution where half needs a fine quality: colours at
    /// half resolution have a distance that no quality takes away, and that brightness has to make up for.
    fn at_both_resolutions(&mut self) -> Result<()> {
        let (mut half, mut full) = (self.ladder(), self.ladder());
        self.measure(&mut half, true, self.usual())?;
        if half.least().is_some() {
            self.climb(&mut half, true, None)?;
        }
        if half.least().is_some_and(|quality| quality <= HALF_FINE) {
            return Ok(());
        }
        self.climb(&mut full, false, half.passed_on())?;
        // What full resolution does not keep, half does not keep either.
        match full.least().is_some() {
            true => self.climb(&mut half, true, None),
            false => Ok(()),
        }
    }

    /// Tries qualities, from a first one on, until the least that keeps the budget is known, or that no other
    /// makes a smaller file than the best.
    fn climb(&mut self, ladder: &mut Ladder, subsampled: bool, first: Option<f64>) -> Result<()> {
        let mut next = first.or_else(|| ladder.next(self.bytes()));
        while let Some(quality) = next {
            self.measure(ladder, subsampled, quality)?;
            next = ladder.next(self.bytes());
        }
        Ok(())
    }

    /// Makes and measures one encoding at a quality.
    fn measure(&mut self, ladder: &mut Ladder, subsampled: bool, quality: f64) -> Result<()> {
        let settings = Settings { quality: Some(quality as f32), subsampled, ..self.begin };
        let found = self.maker.make(settings, self.progress)?;
        let strain = found.strain(self.budget)?.clamp(f64::MIN_POSITIVE, f64::MAX).ln();
        let (keeps, bytes) = (found.keeps(self.budget), found.bytes.len());
        ladder.tell(Rung { quality, strain, keeps, bytes });
        self.take(strain, found);
        Ok(())
    }

    /// Makes and measures the encoding without loss.
    fn without_loss(&mut self) -> Result<()> {
        let settings = Settings { lossless: true, quality: None, ..self.begin };
        let found = self.maker.make(settings, self.progress)?;
        self.take(f64::MIN, found);
        Ok(())
    }

    /// Keeps an encoding if it is the best, or else the closest, by the logarithm of its strain. Of equals it
    /// is the later one: it has the better quality, or keeps the budget by less.
    fn take(&mut self, strain: f64, found: Found) {
        self.encodes += 1;
        if found.keeps(self.budget) {
            self.kept |= !found.settings.lossless;
            if self.best.as_ref().is_none_or(|best| found.bytes.len() <= best.bytes.len()) {
                self.best = Some(found);
            }
        } else if self.closest.as_ref().is_none_or(|(least, ..)| strain <= *least) {
            // Only what was measured of it is told.
            let bytes = found.bytes.len();
            self.closest = Some((strain, Found { bytes: Vec::new(), ..found }, bytes));
        }
    }

    /// Bytes of the smallest encoding that keeps the budget.
    fn bytes(&self) -> Option<usize> {
        self.best.as_ref().map(|best| best.bytes.len())
    }

    /// Qualities of which nothing is known.
    fn ladder(&self) -> Ladder {
        Ladder::new(self.maker.job.to, &self.knob)
    }

    /// The quality that is tried first.
    fn usual(&self) -> f64 {
        self.knob.default.into()
    }
}

impl Found {
    /// Whether it keeps the budget, each tile its floor, and passes the gates.
    pub fn keeps(&self, budget: &Budget) -> bool {
        tiles::check(budget, &self.evidence, self.tiles.as_ref()).is_ok()
            && self.gates.iter().all(Measured::holds)
    }

    /// How much of the tightest bound it uses up: of the whole, of the worst tile, or a gate.
    fn strain(&self, budget: &Budget) -> Result<f64> {
        let strain = match &self.tiles {
            Some(tiles) => tiles.strain(),
            None => budget.strain(&self.evidence),
        };
        let strain = strain.map_err(untold)?;
        Ok(self.gates.iter().map(|measured| measured.gate.strain(measured.found)).fold(strain, f64::max))
    }
}

/// Fails where a format has the layout that an image declares, and what was written has another.
fn check_declared(image: &Image, made: &Image, to: ImageFormat) -> Result<()> {
    match &image.declared {
        Some(declared) if image::keeps_declared(image, to) && !declared.is_held(made.declared.as_ref()) => {
            Err(Failure::Mismatch(format!(
                "{declared} was not written as such; nothing was written: please report this"
            )))
        }
        _ => Ok(()),
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
pub fn missed(job: &ImageJob, opened: &Opened, budget: &Budget, closest: &Found) -> Failure {
    let at = best_of(&closest.settings, closest.encodes);
    let why = why(job, opened, budget, closest);
    Failure::Mismatch(format!(
        "the budget was missed: {at}{why}; nothing was written: take a wider budget or another format"
    ))
}

/// At which quality a budget was missed by least, of so many encodings.
pub fn best_of(settings: &Settings, encodes: usize) -> String {
    match settings.quality {
        Some(quality) => format!("at quality {quality}, the best of {}, ", counted(encodes, "encoding")),
        None => String::new(),
    }
}

/// By what an encoding misses a budget.
fn why(job: &ImageJob, opened: &Opened, budget: &Budget, closest: &Found) -> String {
    let peak = Some(image::peak(opened.image.sample));
    match tiles::check(budget, &closest.evidence, closest.tiles.as_ref()) {
        Err(error) => {
            let tile = tiles::missed(opened.tiles, &error);
            let what = tile.clone().unwrap_or_else(|| "it".to_owned());
            let reached = tile.and_then(|_| closest.evidence.psnr_db(peak?).ok());
            let worst = tiles::tightest(opened.tiles, closest.tiles.as_ref());
            let besides = match (reached, worst) {
                (Some(psnr), _) => format!(", and all of it at PSNR {psnr:.2} dB"),
                (None, Some(worst)) => format!("; {} is worst", worst.place),
                (None, None) => String::new(),
            };
            match shortfall::told(&error, budget, &job.parameters, peak) {
                Some(found) => format!("{what} is at {found}{besides}"),
                None => error.to_string(),
            }
        }
        Ok(()) => match closest.gates.iter().find(|measured| !measured.holds()) {
            Some(Measured { gate, found, .. }) => format!("it is at {found:.3} where {gate} is allowed"),
            None => "it was missed".into(),
        },
    }
}
