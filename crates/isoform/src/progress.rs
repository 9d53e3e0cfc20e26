//! Provides progress on stderr, what `-v` tells there, and the wish to stop that a signal expresses.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use formats::listen::Listener;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use serde_json::json;

use crate::cli::{Output, When};
use crate::failure::{Failure, Result};
use crate::local::process;
use crate::meter::{Meter, Reading, Stage};
use crate::report;

/// Time between two tellings at least: often enough to move, seldom enough to cost nothing.
const BAR_PERIOD: Duration = Duration::from_millis(100);
const LINE_PERIOD: Duration = Duration::from_secs(1);
const JSON_PERIOD: Duration = Duration::from_millis(500);

/// Units of work after which a look at the clock is worth its price. Work that comes in few large steps
/// counts this much for each.
pub const STEP: u64 = 1 << 20;

/// One bar over all that a command does, shared by all threads.
#[derive(Clone)]
pub struct Progress(Arc<Inner>);

struct Inner {
    shown: Shown,
    verbose: u8,
    units: AtomicU64,
    stop: Arc<AtomicBool>,
    state: Mutex<State>,
}

struct State {
    meter: Meter,
    told: Instant,
}

/// How progress is told.
enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines,
    Json,
}

impl Progress {
    /// Progress as the person asked for it, and signal handlers that ask to stop.
    pub fn new(output: &Output) -> Result<Self> {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        let shown = match output.progress {
            When::Never => Shown::Nothing,
            When::Json => Shown::Json,
            When::Always if !terminal => Shown::Lines,
            When::Always => Shown::Bar(bar()?),
            When::Auto if terminal && !output.quiet && !output.json => Shown::Bar(bar()?),
            When::Auto => Shown::Nothing,
        };
        let stop = Arc::new(AtomicBool::new(false));
        for signal in process::stopping() {
            signal_hook::flag::register(signal, stop.clone())
                .map_err(|error| Failure::Other(format!("watching signals: {error}")))?;
        }
        let now = Instant::now();
        let state = Mutex::new(State { meter: Meter::new(now), told: now });
        let (verbose, units) = (output.verbose, AtomicU64::new(0));
        Ok(Progress(Arc::new(Inner { shown, verbose, units, stop, state })))
    }

    /// For work that is one step of a stage beside others: it tells nothing, and stops when this does.
    pub fn aside(&self) -> Self {
        let now = Instant::now();
        let state = Mutex::new(State { meter: Meter::new(now), told: now });
        let (units, stop) = (AtomicU64::new(0), self.0.stop.clone());
        Progress(Arc::new(Inner { shown: Shown::Nothing, verbose: self.0.verbose, units, stop, state }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds stages that lie ahead to the length of the bar, each with the bytes that it stands for.
    pub fn announce(&self, stages: &[(Stage, u64)]) {
        self.state().meter.announce(stages);
    }

    /// Ends the present stage; these alone lie ahead now.
    pub fn left(&self, stages: &[(Stage, u64)]) {
        let mut state = self.state();
        self.end_stage(&mut state);
        state.meter.left(stages);
    }

    /// Ends the present stage and begins one of `units` units of work, which stands for `bytes` of the bar.
    pub fn begin(&self, stage: Stage, bytes: u64, units: u64) {
        let mut state = self.state();
        self.end_stage(&mut state);
        self.0.units.store(0, Ordering::Relaxed);
        state.meter.begin(stage, bytes, units, Instant::now());
        self.tell(&mut state);
    }

    /// Takes the present stage as not done, since it has to be done again after `more`.
    pub fn again(&self, more: &[(Stage, u64)]) {
        let mut state = self.state();
        state.meter.again(self.0.units.load(Ordering::Relaxed));
        state.meter.announce(more);
    }

    /// Notes work done, in the units of the present stage.
    ///
    /// # Errors
    /// [`Failure::Interrupted`] when a signal asked to stop.
    pub fn advance(&self, units: u64) -> Result<()> {
        if self.0.stop.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        let before = self.0.units.fetch_add(units, Ordering::Relaxed);
        if before / STEP != (before + units) / STEP && !matches!(self.0.shown, Shown::Nothing) {
            let mut state = self.state();
            if state.told.elapsed() >= self.period() {
                self.tell(&mut state);
            }
        }
        Ok(())
    }

    /// The same for work that is done by the formats, which end with an error of their own.
    pub fn watch(&self, units: u64) -> formats::Result<()> {
        self.advance(units).map_err(|_| formats::Error::Stopped)
    }

    /// Asks to stop, as a signal does.
    #[cfg(test)]
    pub fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }

    /// The same for work that outlives a call.
    pub fn listener(&self) -> Listener {
        let progress = self.clone();
        Listener::new(move |bytes| progress.watch(bytes))
    }

    /// Tells something to those who asked for this much, by `-v` or `-vv`.
    pub fn say(&self, level: u8, text: impl FnOnce() -> String) {
        if self.0.verbose >= level {
            self.line(&text());
        }
    }

    /// Ends the last stage and removes the bar.
    pub fn finish(&self) {
        let mut state = self.state();
        self.end_stage(&mut state);
        state.meter.left(&[]);
        match &self.0.shown {
            Shown::Bar(bar) => bar.finish_and_clear(),
            _ => self.tell(&mut state),
        }
    }

    fn period(&self) -> Duration {
        match self.0.shown {
            Shown::Lines => LINE_PERIOD,
            Shown::Json => JSON_PERIOD,
            Shown::Bar(_) | Shown::Nothing => BAR_PERIOD,
        }
    }

    fn end_stage(&self, state: &mut State) {
        let now = Instant::now();
        if let Some((stage, time, bytes)) = state.meter.present(now) {
            self.say(1, || {
                let rate = report::bytes((bytes as f64 / time.as_secs_f64().max(1e-9)) as u64);
                let (bytes, seconds) = (report::bytes(bytes), time.as_secs_f64());
                format!("{}: {seconds:.2} s, {bytes} of source, {rate}/s", stage.name())
            });
        }
    }

    fn tell(&self, state: &mut State) {
        let now = Instant::now();
        let reading = state.meter.read(self.0.units.load(Ordering::Relaxed), now);
        state.told = now;
        match &self.0.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                bar.set_length(reading.total);
                bar.set_position(reading.done);
                bar.set_prefix(reading.stage);
                bar.set_message(message(&reading));
            }
            Shown::Lines => {
                let percent = reading.done * 100 / reading.total.max(1);
                self.line(&format!("{} {percent} %, {}", reading.stage, message(&reading)));
            }
            Shown::Json => self.line(
                &json!({
                    "schema": "isoform.progress/v1",
                    "stage": reading.stage,
                    "bytes": { "done": reading.done, "total": reading.total },
                    "bytesPerSecond": reading.rate,
                    "secondsElapsed": reading.elapsed,
                    "secondsLeft": reading.left,
                })
                .to_string(),
            ),
        }
    }

    /// One line on stderr, above the bar where there is one. A closed stderr is nobody's concern.
    pub fn line(&self, text: &str) {
        let print = || drop(writeln!(std::io::stderr(), "{}", report::shown(text)));
        match &self.0.shown {
            Shown::Bar(bar) => bar.suspend(print),
            _ => print(),
        }
    }
}

fn bar() -> Result<ProgressBar> {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{prefix:10} [{wide_bar}] {percent:>3} % {msg}");
    let style = style.map_err(Failure::bug)?;
    // The bar vanishes however the command ends, so that what is told last is the result.
    Ok(bar.with_style(style.progress_chars("=> ")).with_finish(ProgressFinish::AndClear))
}

fn message(reading: &Reading) -> String {
    let (done, total) = (report::bytes(reading.done), report::bytes(reading.total));
    let rate = reading.rate.map_or(String::new(), |rate| format!(", {}/s", report::bytes(rate)));
    let left = reading.left.map_or(String::new(), |left| format!(", {} left", clock(left)));
    format!("{done} of {total}{rate}{left}")
}

fn clock(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_stop_is_heard_by_all_work() {
        let output =
            Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
        let progress = Progress::new(&output).unwrap();
        let (aside, listener) = (progress.aside(), progress.listener());
        progress.watch(1).unwrap();
        listener.hear(1).unwrap();
        progress.stop();
        assert!(matches!(progress.advance(1), Err(Failure::Interrupted)));
        for heard in [progress.watch(1), aside.watch(1), listener.hear(1)] {
            assert!(matches!(heard, Err(formats::Error::Stopped)));
        }
    }

    #[test]
    fn time_left_is_told_as_people_say_it() {
        assert_eq!(clock(0.2), "1 s");
        assert_eq!(clock(61.0), "1:01 min");
        assert_eq!(clock(7260.0), "2:01 h");
    }
}
