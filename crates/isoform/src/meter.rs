//! Provides the arithmetic of progress: one length over several stages, known from the start, and the time
//! left. It reads no clock and prints nothing.
//!
//! A byte of the bar is a byte of a source in one stage: a file of 1 GB that is read, converted and verified
//! is 3 GB of bar. What a stage really works through (a target while it is verified, chunks while columns are
//! typed) is counted in units of its own and scaled.

use std::time::{Duration, Instant};

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A source is hashed, unwrapped and scanned.
    Reading,
    /// Columns are typed by all of their fields.
    Typing,
    /// Parts are decoded and encoded.
    Converting,
    /// A target, or a source once more, is decoded and digested.
    Verifying,
    /// Objects are hashed.
    Checking,
    /// Two tables are compared.
    Comparing,
    /// A verified target goes to standard output.
    Releasing,
}

impl Stage {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Reading => "reading",
            Stage::Typing => "typing",
            Stage::Converting => "converting",
            Stage::Verifying => "verifying",
            Stage::Checking => "checking",
            Stage::Comparing => "comparing",
            Stage::Releasing => "releasing",
        }
    }

    /// Time that a byte of it takes in proportion to others, for the time left: CSV to Parquet, as
    /// ARCHITECTURE.md measures it.
    fn pace(self) -> u64 {
        match self {
            Stage::Reading | Stage::Checking | Stage::Releasing => 1,
            Stage::Typing | Stage::Verifying | Stage::Comparing => 2,
            Stage::Converting => 4,
        }
    }
}

/// A stage under way.
#[derive(Debug, Clone, Copy)]
struct Present {
    stage: Stage,
    bytes: u64,
    units: u64,
    began: Instant,
}

/// Where a command stands.
#[derive(Debug)]
pub struct Meter {
    began: Instant,
    /// Bytes of finished stages, and what they cost.
    done: u64,
    done_cost: u64,
    /// Stages that were announced and not begun: bytes, and what they will cost.
    ahead: u64,
    ahead_cost: u64,
    present: Option<Present>,
    last: Stage,
}

/// What is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Name of the stage.
    pub stage: &'static str,
    /// Bytes of the bar that are done.
    pub done: u64,
    /// Length of the bar.
    pub total: u64,
    /// Bytes in a second, in this stage; none before there is anything to measure.
    pub rate: Option<u64>,
    /// Seconds since the start.
    pub elapsed: f64,
    /// Seconds left, as far as can be told.
    pub left: Option<f64>,
}

impl Meter {
    /// A meter that starts now.
    pub fn new(now: Instant) -> Self {
        let (done, done_cost, ahead, ahead_cost) = (0, 0, 0, 0);
        Meter { began: now, done, done_cost, ahead, ahead_cost, present: None, last: Stage::Reading }
    }

    /// Adds stages that lie ahead.
    pub fn announce(&mut self, stages: &[(Stage, u64)]) {
        for (stage, bytes) in stages {
            self.ahead += bytes;
            self.ahead_cost += bytes * stage.pace();
        }
    }

    /// Takes the present stage as done, and begins another. Where it was not announced the bar grows.
    pub fn begin(&mut self, stage: Stage, bytes: u64, units: u64, now: Instant) {
        self.close(1.0);
        self.ahead = self.ahead.saturating_sub(bytes);
        self.ahead_cost = self.ahead_cost.saturating_sub(bytes * stage.pace());
        self.present = Some(Present { stage, bytes, units, began: now });
        self.last = stage;
    }

    /// Takes what was done of the present stage as done for nothing: all of it lies ahead again.
    pub fn again(&mut self, units: u64) {
        if let Some(present) = self.present {
            self.close(present.share(units));
            self.announce(&[(present.stage, present.bytes)]);
        }
    }

    /// Takes the present stage as done, and these alone as ahead.
    pub fn left(&mut self, stages: &[(Stage, u64)]) {
        self.close(1.0);
        (self.ahead, self.ahead_cost) = (0, 0);
        self.announce(stages);
    }

    /// The present stage, its time, and its bytes.
    pub fn present(&self, now: Instant) -> Option<(Stage, Duration, u64)> {
        self.present.map(|present| (present.stage, now.duration_since(present.began), present.bytes))
    }

    fn close(&mut self, share: f64) {
        if let Some(present) = self.present.take() {
            let bytes = (present.bytes as f64 * share) as u64;
            self.done += bytes;
            self.done_cost += bytes * present.stage.pace();
        }
    }

    /// Where things stand, with this many units of the present stage done.
    pub fn read(&self, units: u64, now: Instant) -> Reading {
        let elapsed = now.duration_since(self.began).as_secs_f64();
        let (mut done, mut cost) = (self.done as f64, self.done_cost as f64);
        let (mut total, mut whole_cost) = (self.done + self.ahead, self.done_cost + self.ahead_cost);
        let mut rate = None;
        if let Some(present) = self.present {
            let bytes = present.bytes as f64 * present.share(units);
            let seconds = now.duration_since(present.began).as_secs_f64();
            rate = (seconds > 0.05 && bytes > 0.0).then(|| (bytes / seconds) as u64);
            done += bytes;
            cost += bytes * present.stage.pace() as f64;
            total += present.bytes;
            whole_cost += present.bytes * present.stage.pace();
        }
        let left =
            (cost > 0.0 && elapsed > 0.05).then(|| elapsed * (whole_cost as f64 - cost).max(0.0) / cost);
        Reading { stage: self.last.name(), done: (done as u64).min(total), total, rate, elapsed, left }
    }
}

impl Present {
    fn share(&self, units: u64) -> f64 {
        if self.units == 0 { 0.0 } else { (units as f64 / self.units as f64).min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [(Stage, u64); 3] =
        [(Stage::Reading, 100), (Stage::Converting, 100), (Stage::Verifying, 100)];

    #[test]
    fn the_length_is_known_from_the_start_and_the_bar_never_goes_back() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut meter = Meter::new(start);
        meter.announce(&STAGES);
        let mut last = 0;
        for (turn, (stage, bytes)) in STAGES.into_iter().enumerate() {
            meter.begin(stage, bytes, 1000, at(turn as u64 * 10));
            for units in [0, 500, 1000, 2000] {
                let reading = meter.read(units, at(turn as u64 * 10 + units / 200));
                assert_eq!(reading.total, 300);
                assert!(reading.done >= last && reading.stage == stage.name());
                last = reading.done;
            }
        }
        meter.left(&[]);
        assert_eq!((meter.read(0, at(30)).done, meter.read(0, at(30)).left), (300, Some(0.0)));
    }

    #[test]
    fn the_time_left_weighs_the_stages() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        meter.announce(&STAGES);
        meter.begin(Stage::Reading, 100, 100, start);
        // Reading took a second; converting takes four times as long for a byte, verifying twice.
        meter.begin(Stage::Converting, 100, 100, start + Duration::from_secs(1));
        let left = meter.read(0, start + Duration::from_secs(1)).left.unwrap();
        assert!((left - 6.0).abs() < 1e-9, "{left}");
    }

    #[test]
    fn what_is_done_again_makes_the_bar_longer() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        meter.announce(&STAGES);
        meter.begin(Stage::Reading, 100, 100, start);
        meter.begin(Stage::Converting, 100, 100, start);
        meter.again(40);
        meter.announce(&[(Stage::Typing, 100)]);
        meter.begin(Stage::Typing, 100, 7, start);
        let reading = meter.read(0, start);
        assert_eq!((reading.done, reading.total), (140, 440));
    }
}
