//! Provides what the photographs of an album may be made of: settings that were tried, each with its bytes
//! and its distance, and the search for the cheapest of them within the bound on all.

use coherence::allocation::{Allocation, Choice, Infeasible, allocate};
use coherence::budget::{Bound, Budget};
use coherence::certificate::Verdict;
use coherence::evidence::Evidence;
use coherence::verified::VerifiedWhole;
use formats::image::{self, Knob, Settings};

use super::super::super::media::check_tau;
use super::super::super::pool;
use super::super::super::seal::accepted;
use super::super::super::shortfall;
use super::super::search::{self, HALF_FINE, Maker};
use super::super::{BudgetOf, ImageJob, open};
use super::Album;
use crate::failure::{Failure, Result, untold};
use crate::meter::Stage;
use crate::progress::Progress;

/// Steps of quality below and above the usual one that are tried for all photographs first.
const FIRST: [f64; 3] = [-25.0, 0.0, 10.0];

/// Common qualities that are tried at most after these: until one step less breaks the bound, as a rule.
const COMMON_MAX: usize = 6;

/// Rounds in which each photograph is tried around the quality that it was given.
const ROUNDS: usize = 2;

/// Steps of quality beyond the ones that were tried, down and up.
const BEYOND: (f64, f64) = (12.0, 6.0);

/// Room left for the rounding of sums, as a share of the bound.
const MARGIN: f64 = 1e-12;

/// An encoding that was made and measured.
struct Tried {
    settings: Settings,
    bytes: u64,
    evidence: Evidence,
    d_squared: f64,
    /// By what it misses the floor, or a gate; `None` where it keeps all.
    missed: Option<String>,
}

/// A photograph: its budget, and what was tried.
struct Photo {
    budget: Budget,
    peak: f64,
    bytes: u64,
    norm_squared: f64,
    values: u64,
    /// Whether the format can give its samples back as they were.
    lossless: bool,
    tried: Vec<Tried>,
}

/// The photographs of an album.
pub struct Table {
    photos: Vec<Photo>,
    /// Whether colours are kept at half resolution.
    subsampled: bool,
}

/// One quality for all, and the bytes of all files with it.
pub type Single = Option<(f64, u64)>;

impl Table {
    /// Opens every photograph and tries the first qualities.
    pub fn new(album: &Album, progress: &Progress) -> Result<Self> {
        let sizes = album.jobs.iter().filter_map(|job| job.source.metadata().ok()).map(|found| found.len());
        let size = sizes.sum();
        progress.begin(Stage::Reading, size, size);
        let knob = knob(album)?;
        let (low, high) = (f64::from(knob.range.start().ceil()), f64::from(knob.range.end().floor()));
        let first = FIRST.map(|step| (f64::from(knob.default) + step).clamp(low, high));
        let subsampled = album.jobs.iter().all(|job| Settings::new(job.to).subsampled);
        let mut table = Self { photos: Vec::new(), subsampled };
        let make = |photo: usize| opened(&album.jobs[photo], &first, subsampled, &progress.aside());
        pool::in_order(album.workers, album.jobs.len(), make, |_, photo: Photo| {
            let size = photo.bytes;
            table.photos.push(photo);
            progress.advance(size)
        })?;
        let peak = table.photos.first().map(|photo| photo.peak);
        if let Some(at) = table.photos.iter().position(|photo| Some(photo.peak) != peak) {
            return Err(Failure::Usage(format!(
                "{}: has samples of another type than the photographs before it, so that one bound cannot be \
                 divided over them; convert it apart",
                album.jobs[at].source.display()
            )));
        }
        Ok(table)
    }

    /// The greatest magnitude of the samples.
    pub fn peak(&self) -> f64 {
        self.photos.first().map_or(1.0, |photo| photo.peak)
    }

    /// The bytes of all sources.
    pub fn bytes(&self) -> u64 {
        self.photos.iter().map(|photo| photo.bytes).sum()
    }

    /// How many encodings were measured.
    pub fn encodes(&self) -> usize {
        self.photos.iter().map(|photo| photo.tried.len()).sum()
    }

    /// The budget of the album, whose parts are photographs: what a black tile may have is not theirs.
    pub fn budget(&self) -> Budget {
        let budget = self.photos.first().map_or(Budget::ZERO, |photo| photo.budget);
        Budget { part_absolute: 0.0, ..budget }
    }

    /// The floor of a photograph, as a budget of its own.
    pub fn floor(&self, photo: usize) -> Box<BudgetOf> {
        let floor = Budget::within(self.photos[photo].budget.part);
        Box::new(move |_| Ok(Some(floor)))
    }

    /// The settings of a choice.
    pub fn settings(&self, photo: usize, choice: usize) -> Settings {
        let photo = &self.photos[photo];
        photo.feasible().nth(choice).map_or(photo.tried[0].settings, |tried| tried.settings)
    }

    /// Where a choice is without loss since no quality keeps the floor: which came closest, and by what it
    /// misses.
    pub fn unmet(&self, photo: usize, choice: usize) -> Option<String> {
        let photo = &self.photos[photo];
        let chosen = photo.feasible().nth(choice).filter(|chosen| chosen.settings.lossless)?;
        let lossy = || photo.tried.iter().filter(|tried| !tried.settings.lossless);
        let closest = lossy().min_by(|a, b| a.d_squared.total_cmp(&b.d_squared))?;
        let keeps_none = lossy().all(|tried| tried.missed.is_some()) && closest.bytes < chosen.bytes;
        photo.told(closest).filter(|_| keeps_none)
    }

    /// Fails unless what was made is what had been measured.
    pub fn check_same(&self, photo: usize, choice: usize, whole: &VerifiedWhole) -> Result<()> {
        let measured = self.photos[photo].feasible().nth(choice).map(|tried| &tried.evidence);
        let same =
            measured.is_some_and(|measured| whole.evidence().d_squared().ok() == measured.d_squared().ok());
        match same {
            true => Ok(()),
            false => Err(Failure::Mismatch(
                "a photograph came out at another distance than was measured; please report this".into(),
            )),
        }
    }

    /// Fails where a photograph would be written with less coherence than its type demands.
    pub fn check_tau(&self, album: &Album, chosen: &[usize]) -> Result<()> {
        self.check_each(album, chosen, |job, evidence| check_tau(job.media.1, evidence))
    }

    /// Fails where a photograph would differ from its source and nothing may.
    pub fn check_strict(&self, album: &Album, chosen: &[usize]) -> Result<()> {
        self.check_each(album, chosen, |job, evidence| match evidence.differing() {
            0 => Ok(()),
            _ => accepted(Verdict::Bounded, job.strict, None),
        })
    }

    /// Checks what was measured of the choice of every photograph, and names the first that fails.
    fn check_each(
        &self,
        album: &Album,
        chosen: &[usize],
        check: impl Fn(&ImageJob, &Evidence) -> Result<()>,
    ) -> Result<()> {
        for (photo, (job, choice)) in self.photos.iter().zip(album.jobs.iter().zip(chosen)) {
            let Some(tried) = photo.feasible().nth(*choice) else { continue };
            let named = |failure| Failure::Mismatch(format!("{}: {failure}", job.source.display()));
            check(job, &tried.evidence).map_err(named)?;
        }
        Ok(())
    }

    /// The cheapest options within the bound, after all that is tried; and the least common quality.
    pub fn search(&mut self, album: &Album, progress: &Progress) -> Result<(Allocation, Single)> {
        let bound = self.bound();
        let (mut best, mut subsampled) = (self.common(album, bound, progress)?, self.subsampled);
        let fine = best.is_none_or(|(quality, _)| quality > HALF_FINE);
        let resolves = album.jobs.iter().all(|job| job.to.resolves_colour());
        if fine && resolves && subsampled {
            // Colours at half resolution are beyond some bounds, and cost others more than they save.
            self.subsampled = false;
            let full = self.common(album, bound, progress)?;
            if full.is_some_and(|(_, bytes)| best.is_none_or(|(_, least)| bytes < least)) {
                (best, subsampled) = (full, false);
            }
        } else if best.is_none() && self.photos.iter().all(|photo| photo.lossless) {
            self.tried_each(album, progress, |_, job| vec![lossless(job)])?;
        }
        let mut found = self.allocated(album, bound)?;
        for _ in 0..ROUNDS {
            let around: Vec<Vec<Settings>> = (0..self.photos.len())
                .map(|photo| self.around(photo, found.chosen[photo], &album.jobs[photo]))
                .collect();
            if around.iter().all(Vec::is_empty) {
                break;
            }
            self.tried_each(album, progress, |photo, _| around[photo].clone())?;
            found = self.allocated(album, bound)?;
        }
        // One quality for all is one of the allocations, and the relaxed programme may pass it by.
        if let Some((quality, bytes)) = best.filter(|(_, bytes)| (*bytes as f64) < found.cost) {
            found.gap = (found.gap - (found.cost - bytes as f64)).max(0.0);
            found.cost = bytes as f64;
            found.chosen = self.photos.iter().map(|photo| photo.at(quality, subsampled)).collect();
        }
        Ok((found, best))
    }

    /// The squared distance that the whole bound leaves to all.
    fn bound(&self) -> f64 {
        let norm_squared = self.photos.iter().map(|photo| photo.norm_squared).sum();
        let values = self.photos.iter().map(|photo| photo.values).sum();
        match self.budget().whole {
            // Every sample keeps it, or it is no option.
            Bound::MaxAbs(_) => f64::INFINITY,
            bound => {
                let distance = bound.distance(norm_squared, values);
                distance * distance * (1.0 - MARGIN)
            }
        }
    }

    /// Looks for the least common quality that keeps the bound and every floor: where the line through the
    /// two closest logarithms of distance meets the bound, as for one image.
    fn common(&mut self, album: &Album, bound: f64, progress: &Progress) -> Result<Single> {
        let Some(knob) = album.jobs.first().and_then(|job| job.to.quality()) else { return Ok(None) };
        let (low, high) = (f64::from(knob.range.start().ceil()), f64::from(knob.range.end().floor()));
        if !self.subsampled && self.totals(bound).is_empty() {
            self.tried_each(album, progress, |_, job| vec![lossy(job, high, false)])?;
        }
        for _ in 0..COMMON_MAX {
            let known = self.totals(bound);
            let below = known.iter().rev().find(|total| !total.keeps);
            let above = known.iter().find(|total| total.keeps);
            let next = match (below, above) {
                (Some(below), Some(above)) => {
                    let (x, y) = (below.d_squared.ln(), above.d_squared.ln());
                    let share = ((x - bound.ln()) / (x - y)).clamp(0.1, 0.9);
                    let share = if share.is_finite() { share } else { 0.5 };
                    let next = (below.quality + share * (above.quality - below.quality)).round();
                    if above.quality <= below.quality + 1.0 {
                        break;
                    }
                    next.clamp(below.quality + 1.0, above.quality - 1.0)
                }
                (Some(below), None) => (below.quality + (high - below.quality).min(15.0)).ceil(),
                (None, Some(above)) => (above.quality - BEYOND.0).max(low),
                (None, None) => break,
            };
            if known.iter().any(|total| total.quality == next) {
                break;
            }
            let subsampled = self.subsampled;
            self.tried_each(album, progress, |_, job| vec![lossy(job, next, subsampled)])?;
        }
        let known = self.totals(bound);
        Ok(known.iter().find(|total| total.keeps).map(|total| (total.quality, total.bytes)))
    }

    /// What was tried of every photograph, by quality.
    fn totals(&self, bound: f64) -> Vec<Total> {
        let Some(first) = self.photos.first() else { return Vec::new() };
        let qualities = first.tried.iter().filter(|tried| tried.settings.subsampled == self.subsampled);
        let mut qualities: Vec<f32> = qualities.filter_map(|tried| tried.settings.quality).collect();
        qualities.sort_by(f32::total_cmp);
        qualities.dedup();
        let total = |quality: f32| {
            let of = |photo: &Photo| {
                let same = |tried: &&Tried| {
                    tried.settings.quality == Some(quality) && tried.settings.subsampled == self.subsampled
                };
                photo
                    .tried
                    .iter()
                    .find(same)
                    .map(|tried| (tried.d_squared, tried.bytes, tried.missed.is_none()))
            };
            let mut total = Total { quality: quality.into(), d_squared: 0.0, bytes: 0, keeps: true };
            for photo in &self.photos {
                let (d_squared, bytes, feasible) = of(photo)?;
                total.d_squared += d_squared;
                total.bytes += bytes;
                total.keeps &= feasible;
            }
            total.keeps &= total.d_squared <= bound;
            Some(total)
        };
        qualities.into_iter().filter_map(total).collect()
    }

    /// Qualities beside the one of a choice that were not tried: half-way to its neighbours, or beyond.
    fn around(&self, photo: usize, choice: usize, job: &ImageJob) -> Vec<Settings> {
        let (Some(knob), photo) = (job.to.quality(), &self.photos[photo]) else { return Vec::new() };
        let Some(chosen) = photo.feasible().nth(choice) else { return Vec::new() };
        let Some(at) = chosen.settings.quality.map(f64::from) else { return Vec::new() };
        let subsampled = chosen.settings.subsampled;
        let same = photo.tried.iter().filter(|tried| tried.settings.subsampled == subsampled);
        let known: Vec<f64> = same.filter_map(|tried| tried.settings.quality.map(f64::from)).collect();
        let below = known.iter().copied().filter(|quality| *quality < at).fold(f64::NEG_INFINITY, f64::max);
        let above = known.iter().copied().filter(|quality| *quality > at).fold(f64::INFINITY, f64::min);
        let (low, high) = (f64::from(knob.range.start().ceil()), f64::from(knob.range.end().floor()));
        let down = if below.is_finite() { (below + at) / 2.0 } else { at - BEYOND.0 };
        let up = if above.is_finite() { (above + at) / 2.0 } else { at + BEYOND.1 };
        let mut next = vec![down.round().clamp(low, high), up.round().clamp(low, high)];
        next.retain(|quality| !known.contains(quality));
        next.into_iter().map(|quality| lossy(job, quality, subsampled)).collect()
    }

    /// Tries settings of every photograph.
    fn tried_each(
        &mut self,
        album: &Album,
        progress: &Progress,
        settings: impl Fn(usize, &ImageJob) -> Vec<Settings> + Sync,
    ) -> Result<()> {
        let size = self.bytes();
        progress.begin(Stage::Reading, size, size);
        let budgets: Vec<Budget> = self.photos.iter().map(|photo| photo.budget).collect();
        let make = |photo: usize| {
            let job = &album.jobs[photo];
            let settings = settings(photo, job);
            if settings.is_empty() {
                return Ok(Vec::new());
            }
            let aside = progress.aside();
            let opened = open(job, &aside)?;
            let maker = Maker::new(job, &opened)?;
            settings.into_iter().map(|settings| tried(&maker, settings, &budgets[photo], &aside)).collect()
        };
        let photos = &mut self.photos;
        pool::in_order(album.workers, album.jobs.len(), make, |photo, found: Vec<Tried>| {
            photos[photo].tried.extend(found);
            progress.advance(photos[photo].bytes)
        })
    }

    /// The cheapest of all that was tried.
    fn allocated(&self, album: &Album, bound: f64) -> Result<Allocation> {
        let choice = |tried: &Tried| Choice { cost: tried.bytes as f64, d_squared: tried.d_squared };
        let choices: Vec<Vec<Choice>> =
            self.photos.iter().map(|photo| photo.feasible().map(choice).collect()).collect();
        allocate(&choices, bound).map_err(|error| {
            let why = match &error {
                Infeasible::Part { part } => {
                    format!(
                        "{} misses its floor{}",
                        album.jobs[*part].source.display(),
                        self.photos[*part].closest()
                    )
                }
                Infeasible::Number { part } => format!("{error} ({})", album.jobs[*part].source.display()),
                Infeasible::Bound { least, bound } => self.missed((*least, *bound), album),
            };
            Failure::Mismatch(format!(
                "the budget cannot be kept: {why}; nothing was written: take a wider budget or another format"
            ))
        })
    }

    /// How far all photographs together are from their bound at best, in the measure of the budget.
    fn missed(&self, squares: (f64, f64), album: &Album) -> String {
        let values = self.photos.iter().map(|photo| photo.values).sum();
        let told = shortfall::of_options(squares, values, &self.budget(), &album.parameters, self.peak());
        format!("the best options of all photographs are together at {}", told.unwrap_or_default())
    }
}

/// The qualities of an album's format.
///
/// # Errors
/// It has none.
pub fn knob(album: &Album) -> Result<Knob> {
    let knob = album.jobs.first().and_then(|job| job.to.quality());
    knob.ok_or_else(|| {
        Failure::Usage("--part-floor: the format has no quality to divide; leave it away".into())
    })
}

/// All photographs at one quality.
struct Total {
    quality: f64,
    d_squared: f64,
    bytes: u64,
    keeps: bool,
}

impl Photo {
    fn feasible(&self) -> impl Iterator<Item = &Tried> {
        self.tried.iter().filter(|tried| tried.missed.is_none())
    }

    /// By what the option misses its floor that is nearest to the source, where none keeps it.
    fn closest(&self) -> String {
        let least = self.tried.iter().min_by(|a, b| a.d_squared.total_cmp(&b.d_squared));
        let told = least.and_then(|tried| self.told(tried));
        told.map_or(String::new(), |told| format!(": {told}"))
    }

    /// At which quality an option misses its floor, and by what.
    fn told(&self, tried: &Tried) -> Option<String> {
        let why = tried.missed.as_ref()?;
        Some(format!("{}{why}", search::best_of(&tried.settings, self.tried.len())))
    }

    /// The choice of this quality.
    fn at(&self, quality: f64, subsampled: bool) -> usize {
        let same = |tried: &Tried| {
            tried.settings.quality.map(f64::from) == Some(quality) && tried.settings.subsampled == subsampled
        };
        self.feasible().position(same).unwrap_or(0)
    }
}

/// The settings of a lossy encoding.
fn lossy(job: &ImageJob, quality: f64, subsampled: bool) -> Settings {
    Settings { quality: Some(quality as f32), subsampled, ..search::settings(job, true) }
}

/// The settings of an encoding without loss.
fn lossless(job: &ImageJob) -> Settings {
    Settings { lossless: true, quality: None, ..search::settings(job, true) }
}

/// Opens a photograph and tries some qualities.
fn opened(job: &ImageJob, qualities: &[f64], subsampled: bool, progress: &Progress) -> Result<Photo> {
    let opened = open(job, progress)?;
    let budget = opened.budget.unwrap_or(Budget::ZERO);
    let maker = Maker::new(job, &opened)?;
    let mut settings: Vec<Settings> =
        qualities.iter().map(|quality| lossy(job, *quality, subsampled)).collect();
    settings.extend(maker.is_drawn().then(|| lossless(job)));
    let made = settings.into_iter().map(|settings| tried(&maker, settings, &budget, progress));
    let made = made.collect::<Result<Vec<Tried>>>()?;
    let evidence = made.first().map(|tried| &tried.evidence);
    Ok(Photo {
        budget,
        peak: image::peak(opened.image.sample),
        bytes: opened.file.len(),
        norm_squared: evidence.map_or(Ok(0.0), Evidence::norm_squared).map_err(untold)?,
        values: evidence.map_or(0, Evidence::measured),
        lossless: job.to.exact().contains(&opened.image.sample),
        tried: made,
    })
}

/// Makes an encoding and keeps what was measured of it.
fn tried(maker: &Maker<'_>, settings: Settings, budget: &Budget, progress: &Progress) -> Result<Tried> {
    let found = maker.make(settings, progress)?;
    let floor = match budget.whole {
        // What bounds single values bounds those of each part.
        Bound::MaxAbs(_) => *budget,
        _ => Budget { whole: budget.part, ..*budget },
    };
    Ok(Tried {
        settings,
        bytes: found.bytes.len() as u64,
        d_squared: found.evidence.d_squared().map_err(untold)?,
        missed: maker.missed(&floor, &found),
        evidence: found.evidence,
    })
}
