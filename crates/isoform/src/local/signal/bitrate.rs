//! Provides the search for the fewest bits a second that keep a budget: which number is tried next, by what
//! those before it came to. It codes nothing itself.
//!
//! Steps double until one number misses the budget and another keeps it; then the line through these two
//! tells where to look between them, until they are next to each other.

use formats::sound::BITRATES;

/// Codings that are made at most: steps that double reach either end of the range in nine from the first.
const CODINGS_MAX: usize = 10;

/// Bits a second between two that are tried, and for each channel those that are tried first.
const STEP: f64 = 1_000.0;
const FIRST_PER_CHANNEL: f64 = 64_000.0;

/// By how much the logarithm of the distance falls for a bit a second and channel, until two codings have
/// told: a bit for each sample halves it, and about half of the samples of music are worth bits.
const SLOPE_PER_CHANNEL: f64 = -std::f64::consts::LN_2 / 24_000.0;

/// Strains between which lines are drawn: a second that is silent in both sounds has none at all.
const STRAINS: (f64, f64) = (1.0 / 64.0, 64.0);

/// Bits a second that were tried, and the logarithm of the strain that they put on the budget.
#[derive(Debug, Clone, Copy)]
struct Tried {
    bitrate: f64,
    strain: f64,
}

/// A search that goes on.
#[derive(Debug)]
pub struct Search {
    channels: f64,
    /// What is to be tried, and how far it is from what was tried before; 0 at the beginning.
    next: f64,
    step: f64,
    codings: usize,
    /// The most bits that miss the budget, and the fewest that keep it.
    below: Option<Tried>,
    above: Option<Tried>,
    /// Whether the last that was tried keeps it.
    kept: Option<bool>,
}

impl Search {
    /// A search for a sound of so many channels, of which nothing is known yet.
    pub fn new(channels: u64) -> Self {
        let channels = channels as f64;
        let next = within(FIRST_PER_CHANNEL * channels, f64::from(BITRATES.0), f64::from(BITRATES.1));
        Self { channels, next, step: 0.0, codings: 0, below: None, above: None, kept: None }
    }

    /// Bits a second that are to be tried.
    pub fn bitrate(&self) -> f64 {
        self.next
    }

    /// How many were tried.
    pub fn codings(&self) -> usize {
        self.codings
    }

    /// Takes what was tried: whether it keeps the budget, and how much of this it uses up, more than 1 where
    /// it misses. Gives whether the search goes on.
    pub fn take(&mut self, keeps: bool, strain: f64) -> bool {
        let tried = Tried { bitrate: self.next, strain: strain.clamp(STRAINS.0, STRAINS.1).ln() };
        let (here, other) = match keeps {
            true => (&mut self.above, &mut self.below),
            false => (&mut self.below, &mut self.above),
        };
        *here = Some(tried);
        // An end that stays where it is counts half, or a curve would be closed in on from one side alone.
        if let Some(other) = other.as_mut().filter(|_| self.kept == Some(keeps)) {
            other.strain /= 2.0;
        }
        self.kept = Some(keeps);
        self.codings += 1;
        let lowest = self.below.map_or(f64::from(BITRATES.0), |below| below.bitrate + STEP);
        let highest = self.above.map_or(f64::from(BITRATES.1), |above| above.bitrate - STEP);
        if lowest > highest || self.codings >= CODINGS_MAX {
            return false;
        }
        let guess = (self.guess(tried) / STEP).round() * STEP;
        let next = within(guess, lowest, highest);
        (self.step, self.next) = (next - tried.bitrate, next);
        true
    }

    /// Where the bound may lie.
    fn guess(&self, tried: Tried) -> f64 {
        match (self.below, self.above) {
            (Some(below), Some(above)) if below.strain > above.strain => {
                let share = below.strain / (below.strain - above.strain);
                below.bitrate + share.clamp(0.0, 1.0) * (above.bitrate - below.bitrate)
            }
            // More bits that strain more tell no line.
            (Some(below), Some(above)) => f64::midpoint(below.bitrate, above.bitrate),
            // The slope of a sound that needs many bits is less than the one that is expected.
            _ => {
                let step = -tried.strain * self.channels / SLOPE_PER_CHANNEL;
                tried.bitrate + step.abs().max(2.0 * self.step.abs()).copysign(step)
            }
        }
    }
}

/// The nearest number to `number` from `low` to `high`.
fn within(number: f64, low: f64, high: f64) -> f64 {
    number.max(low).min(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a search finds in a sound of one channel, whose signal-to-noise ratio in dB at so many thousand
    /// bits a second lies on the lines through these points: the fewest that keep the bound, in thousands,
    /// and the codings that it took.
    fn found(points: &[(f64, f64)], bound: f64) -> (Option<f64>, usize) {
        let at = |bitrate: f64| {
            let pair = points.windows(2).find(|pair| bitrate <= pair[1].0 * STEP).unwrap();
            let ((a, from), (b, to)) = (pair[0], pair[1]);
            from + (to - from) * (bitrate / STEP - a) / (b - a)
        };
        let (mut search, mut best) = (Search::new(1), None::<f64>);
        loop {
            let snr = at(search.bitrate());
            if snr >= bound {
                best = Some(search.bitrate().min(best.unwrap_or(f64::MAX)));
            }
            if !search.take(snr >= bound, 10f64.powf((bound - snr) / 20.0)) {
                return (best.map(|best| best / STEP), search.codings());
            }
        }
    }

    /// Noise needs many bits for each decibel, and ever more; notes need few.
    const NOISE: [(f64, f64); 8] = [
        (6.0, 0.3),
        (30.0, 8.0),
        (64.0, 13.8),
        (74.0, 15.0),
        (83.0, 16.0),
        (120.0, 18.3),
        (160.0, 20.2),
        (510.0, 34.1),
    ];
    const NOTES: [(f64, f64); 6] =
        [(6.0, 3.0), (30.0, 15.0), (64.0, 24.0), (120.0, 35.0), (200.0, 42.0), (510.0, 48.0)];

    #[test]
    fn the_fewest_bits_are_found_however_far_they_are() {
        for points in [&NOISE[..], &NOTES] {
            for bound in 4..=34 {
                let bound = f64::from(bound);
                let (best, codings) = found(points, bound);
                // The bits a second that keep the bound, and a step less that does not.
                let crossing = points.windows(2).find(|pair| pair[1].1 >= bound).unwrap();
                let ((a, from), (b, to)) = (crossing[0], crossing[1]);
                let least = a + (b - a) * (bound - from) / (to - from);
                assert_eq!(best, Some(least.ceil().max(6.0)), "{bound} dB");
                assert!(codings <= 9, "{bound} dB took {codings} codings");
            }
        }
        assert_eq!(found(&NOISE, 20.0), (Some(156.0), 8));
    }

    #[test]
    fn a_bound_beyond_the_range_is_tried_with_the_most_bits_and_one_below_it_with_the_fewest() {
        assert_eq!(found(&NOISE, 36.0), (None, 4));
        assert_eq!(found(&NOTES, 1.0), (Some(6.0), 2));
        // Steps that begin with the least one reach the end in time.
        let mut search = Search::new(1);
        while search.take(false, 1.0 + 1e-9) {}
        assert_eq!((search.bitrate(), search.below.unwrap().bitrate), (510_000.0, 510_000.0));
    }

    #[test]
    fn a_sound_that_is_kept_without_any_strain_still_comes_to_an_end() {
        let mut search = Search::new(2);
        let strain = |bitrate: f64| if bitrate >= 100_000.0 { 0.0 } else { 3.0 };
        while search.take(strain(search.bitrate()) < 1.0, strain(search.bitrate())) {}
        assert!(search.codings() <= CODINGS_MAX);
        assert!((100_000.0..110_000.0).contains(&search.above.unwrap().bitrate));
    }
}
