//! Provides the seconds of a sound: each of them keeps the floor of a budget, however the work is cut.

use coherence::budget::{Bound, Budget};
use coherence::pieces::Pieces;
use coherence::signal::{APPROXIMATE_RULES, Signature};
use formats::sound::depth::Depth;
use formats::sound::second_samples;

/// Samples that a piece has at least, but for the last: of a rate so low that a second has fewer, several
/// seconds are one piece.
const PIECE_SAMPLES_MIN: u64 = 4096;

/// Below half a step of this depth, on average, a second has lost nothing that anybody hears.
const SILENT: Depth = Depth::Whole(16);

/// The pieces of a sound that have a floor, and what this is.
#[derive(Debug, Clone, Copy)]
pub struct Seconds {
    /// Samples of a piece.
    pub samples: u64,
    /// Seconds of a piece.
    seconds: u64,
    /// Samples of the sound.
    total: u64,
    /// The budget, with the root mean square error that a floor in proportion to the norm leaves to a second
    /// of silence.
    pub budget: Budget,
}

impl Seconds {
    /// The pieces of a signal that is a sound; `None` where it is none, or is empty.
    pub fn of(signature: &Signature, budget: &Budget) -> Option<Self> {
        let second = second_samples(signature)?;
        let total = signature.samples().filter(|total| *total > 0)?;
        let seconds = PIECE_SAMPLES_MIN.div_ceil(second);
        let samples = second.checked_mul(seconds)?;
        let peak = signature.arrays[0].peak?;
        let part_absolute = match budget.part {
            Bound::Rate(rate) if rate > 0.0 => SILENT.half_step(peak),
            _ => budget.part_absolute,
        };
        Some(Self { samples, seconds, total, budget: Budget { part_absolute, ..*budget } })
    }

    /// The same pieces under another budget.
    pub fn within(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// Samples of the sound.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Those of the first samples alone.
    pub fn of_first(self, samples: u64) -> Self {
        Self { total: self.total.min(samples), ..self }
    }

    /// Pieces of which nothing is known yet.
    pub fn pieces(&self) -> Pieces {
        Pieces::new(APPROXIMATE_RULES, self.budget, self.samples, self.total)
    }

    /// When a piece begins and ends, in seconds.
    pub fn times(&self, index: u64) -> (f64, f64) {
        let second = self.samples as f64 / self.seconds as f64;
        let begin = index.saturating_mul(self.samples);
        let end = begin.saturating_add(self.samples).min(self.total);
        (begin as f64 / second, end as f64 / second)
    }

    /// The same for a person.
    pub fn told(&self, index: u64) -> String {
        let (from, to) = self.times(index);
        format!("from {} to {}", clock(from), clock(to))
    }
}

/// The greatest magnitude of the range that all arrays declare.
pub fn peak_of(signature: &Signature) -> Option<f64> {
    let first = signature.arrays.first()?.peak?;
    signature.arrays.iter().all(|array| array.peak == Some(first)).then_some(first)
}

/// A time as minutes and seconds, with a fraction where there is one.
fn clock(seconds: f64) -> String {
    let (minutes, rest) = ((seconds / 60.0).floor(), seconds % 60.0);
    match rest.fract() == 0.0 {
        true => format!("{minutes}:{rest:02}"),
        false => format!("{minutes}:{rest:06.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coherence::sample::SampleType;
    use coherence::signal::Array;

    fn sound(frames: u64, rate: &str) -> Signature {
        let array = Array {
            name: "sound".into(),
            sample: SampleType::I16,
            shape: vec![frames, 2],
            meaning: "FL FR".into(),
            peak: Some(32768.0),
        };
        let attributes = vec![("sound.rate".to_owned(), rate.as_bytes().to_vec())];
        Signature { arrays: vec![array], attributes }
    }

    #[test]
    fn seconds_are_counted_in_samples_of_all_channels() {
        let budget = Budget::within(Bound::Rate(0.1));
        let seconds = Seconds::of(&sound(100_000, "48000"), &budget).unwrap();
        assert_eq!((seconds.samples, seconds.pieces().count()), (96_000, 3));
        assert_eq!(seconds.told(1), "from 0:01 to 0:02");
        assert_eq!(seconds.told(2), "from 0:02 to 0:02.083");
        // Half a step of 16 bits.
        assert_eq!(seconds.budget.part_absolute, 0.5);
        assert_eq!(
            (seconds.of_first(100_000).pieces().count(), seconds.of_first(1 << 40).pieces().count()),
            (2, 3)
        );
        let slow = Seconds::of(&sound(100_000, "100"), &budget).unwrap();
        assert_eq!((slow.samples, slow.told(2)), (4200, "from 0:42 to 1:03".to_owned()));
        assert!(Seconds::of(&sound(0, "48000"), &budget).is_none());
        // What is left is a second of its own.
        let tail = Seconds::of(&sound(48_123, "48000"), &budget).unwrap();
        assert_eq!((tail.pieces().count(), tail.told(1)), (2, "from 0:01 to 0:01.003".to_owned()));
    }

    #[test]
    fn only_a_floor_in_proportion_has_a_companion() {
        for part in [Bound::Rmse(1.0), Bound::MaxAbs(1.0), Bound::ZERO] {
            let budget = Budget { part, ..Budget::within(Bound::Rate(0.1)) };
            assert_eq!(Seconds::of(&sound(9, "8000"), &budget).unwrap().budget.part_absolute, 0.0);
        }
    }
}
