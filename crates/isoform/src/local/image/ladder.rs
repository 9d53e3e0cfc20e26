//! Provides the search for the least quality of an encoder that keeps a budget. It makes no encoding: it is
//! told what was measured of one, and says which quality to try next.
//!
//! Distance grows with a power of the step to which an encoder rounds frequencies. So the next quality is the
//! one whose step is where the line through the two closest results meets the bound, in logarithms of both:
//! by the Illinois method (Dowell and Jarratt 1971), since the line bends near the best quality.

use formats::image::{ImageFormat, Knob};

/// Encodings after which the best quality is tried, where none has kept the budget.
const ENCODES_USUAL: usize = 6;

/// Encodings that are made at most.
const ENCODES_MAX: usize = 10;

/// By how much the logarithm of the distance grows with that of the step, until two encodings have told: what
/// photographs have in the middle of the scale.
const SLOPE: f64 = 0.5;

/// A quality that was tried.
#[derive(Debug, Clone, Copy)]
pub struct Rung {
    /// The quality, a whole one.
    pub quality: f64,
    /// Logarithm of the share of the tightest bound that the encoding uses up.
    pub strain: f64,
    /// Whether it keeps the budget.
    pub keeps: bool,
    /// Bytes of the file.
    pub bytes: usize,
}

/// The qualities of an encoder, and what is known of them.
pub struct Ladder {
    format: ImageFormat,
    /// The least and the best quality.
    range: (f64, f64),
    /// The best quality that misses the budget, and the least that keeps it.
    below: Option<Rung>,
    above: Option<Rung>,
    last: Option<Rung>,
    encodes: usize,
}

impl Ladder {
    /// Nothing is known yet.
    pub fn new(format: ImageFormat, knob: &Knob) -> Self {
        let range = (f64::from(knob.range.start().ceil()), f64::from(knob.range.end().floor()));
        Self { format, range, below: None, above: None, last: None, encodes: 0 }
    }

    /// The least quality that keeps the budget, of those that were tried.
    pub fn least(&self) -> Option<f64> {
        self.above.map(|above| above.quality)
    }

    /// The quality to try next; nothing where the least one is known, where enough were tried, or where all
    /// that are left make files of `bytes_max` and more.
    pub fn next(&self, bytes_max: Option<usize>) -> Option<f64> {
        let last = self.last?;
        let lowest = self.below.map_or(self.range.0, |below| self.alike(below.quality).1 + 1.0);
        let highest = self.above.map_or(self.range.1, |above| self.alike(above.quality).0 - 1.0);
        let too_large = |below: Rung| bytes_max.is_some_and(|max| below.bytes >= max);
        if lowest > highest || self.encodes >= ENCODES_MAX || self.below.is_some_and(too_large) {
            return None;
        }
        if self.encodes >= ENCODES_USUAL && self.above.is_none() {
            return Some(self.range.1);
        }
        Some(self.nearest((lowest, highest), self.step(last.quality) - last.strain / self.slope()))
    }

    /// Where to begin with full resolution of colour, after this is what half resolution was found to do. Its
    /// distance at a quality is at most as large: it begins where half resolution keeps the budget, or half
    /// of the way on to where it would.
    pub fn passed_on(&self) -> Option<f64> {
        let Rung { quality, strain, .. } = self.above.or(self.last)?;
        let way = strain.max(0.0) / (2.0 * SLOPE);
        Some(self.nearest(self.range, self.step(quality) - way))
    }

    /// Takes what was measured.
    pub fn tell(&mut self, rung: Rung) {
        let again = self.last.is_some_and(|last| last.keeps == rung.keeps);
        let (end, other) = match rung.keeps {
            true => (&mut self.above, &mut self.below),
            false => (&mut self.below, &mut self.above),
        };
        *end = Some(rung);
        // The end that stays a second time counts half, so that it does not stay for good.
        if let Some(other) = other.as_mut().filter(|_| again) {
            other.strain /= 2.0;
        }
        self.last = Some(rung);
        self.encodes += 1;
    }

    /// By how much the logarithm of the distance grows with that of the step.
    fn slope(&self) -> f64 {
        match (self.below, self.above) {
            (Some(below), Some(above)) if below.strain > above.strain => {
                (below.strain - above.strain) / (self.step(below.quality) - self.step(above.quality))
            }
            _ => SLOPE,
        }
    }

    /// The logarithm of the step of a quality.
    fn step(&self, quality: f64) -> f64 {
        self.format.step(quality as f32)
    }

    /// The first and the last of the qualities that make the same file as this one.
    fn alike(&self, quality: f64) -> (f64, f64) {
        let (first, last) = self.format.alike(quality as f32).into_inner();
        (first.into(), last.into())
    }

    /// The quality in a range whose step is nearest.
    fn nearest(&self, (lowest, highest): (f64, f64), step: f64) -> f64 {
        let off = |quality: &f64| (self.step(*quality) - step).abs();
        let qualities = (0..=(highest - lowest) as u32).map(|above| lowest + f64::from(above));
        qualities.min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(highest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Climbs for a format whose distance and bytes follow from the quality; what was tried, and the least
    /// quality that kept the bound.
    fn climbed(
        format: ImageFormat,
        first: f64,
        bytes_max: Option<usize>,
        strain: impl Fn(f64) -> f64,
    ) -> (Vec<f64>, Option<f64>) {
        let mut ladder = Ladder::new(format, &format.quality().unwrap());
        let (mut tried, mut least) = (Vec::new(), None);
        let mut next = Some(first);
        while let Some(quality) = next {
            let strain = strain(quality);
            let keeps = strain <= 0.0;
            tried.push(quality);
            if keeps {
                least = Some(quality);
            }
            ladder.tell(Rung { quality, strain, keeps, bytes: 1000 + 10 * quality as usize });
            next = ladder.next(bytes_max);
        }
        (tried, least)
    }

    #[test]
    fn the_least_quality_is_found_in_a_few_steps_wherever_it_is() {
        for format in [ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Avif] {
            for least in [2.0, 17.0, 50.0, 76.0, 93.0, 99.0] {
                let bound = format.step(least as f32 - 0.5);
                for slope in [0.4, 0.6, 0.9] {
                    let first = |quality: f64| *format.alike(quality as f32).start();
                    let strain = |quality: f64| slope * (format.step(first(quality)) - bound);
                    let (tried, found) = climbed(format, 80.0, None, strain);
                    let found = found.unwrap();
                    let least = strain(f64::from(first(found)) - 1.0) > 0.0;
                    assert!(least, "{format:?} {least} {slope}: {tried:?}");
                    assert!(tried.len() <= 6, "{format:?} {least} {slope}: {tried:?}");
                }
            }
        }
    }

    #[test]
    fn the_best_quality_decides_where_none_keeps_the_budget() {
        let (tried, least) = climbed(ImageFormat::Jpeg, 85.0, None, |_| 0.01);
        assert_eq!((tried.last(), least), (Some(&100.0), None), "{tried:?}");
        assert!(tried.len() <= ENCODES_USUAL + 1);
        // What is infinitely too much is tried at the best at once.
        let (tried, _) = climbed(ImageFormat::Jpeg, 85.0, None, |_| f64::MAX.ln());
        assert_eq!(tried, [85.0, 100.0]);
    }

    #[test]
    fn files_that_cannot_be_smaller_are_not_made() {
        let strain = |quality: f64| (95.0 - quality) / 10.0;
        assert_eq!(climbed(ImageFormat::Jpeg, 85.0, Some(1850), strain).0, [85.0]);
        assert!(climbed(ImageFormat::Jpeg, 85.0, Some(1980), strain).1.is_some());
    }

    #[test]
    fn full_resolution_begins_where_half_keeps_the_budget_or_half_of_the_way_there() {
        let mut ladder = Ladder::new(ImageFormat::Jpeg, &ImageFormat::Jpeg.quality().unwrap());
        assert_eq!(ladder.passed_on(), None);
        ladder.tell(Rung { quality: 85.0, strain: 0.7, keeps: false, bytes: 10 });
        let (whole, half) = (ladder.next(None).unwrap(), ladder.passed_on().unwrap());
        assert!(85.0 < half && half < whole, "{half} {whole}");
        ladder.tell(Rung { quality: 90.0, strain: -0.1, keeps: true, bytes: 12 });
        assert_eq!(ladder.passed_on(), Some(90.0));
    }
}
