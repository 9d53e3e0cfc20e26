//! Provides progress on stderr, and the wish to stop that a signal expresses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::{Output, When};
use crate::failure::{Failure, Result};

/// One bar over reading, converting and verifying, in bytes; it is shared by all threads.
pub struct Progress {
    bar: ProgressBar,
    done: AtomicU64,
    stop: Arc<AtomicBool>,
}

impl Progress {
    /// A bar as the person asked for, and signal handlers that ask to stop.
    pub fn new(output: &Output) -> Result<Self> {
        let shown = match output.progress {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                !output.quiet && !output.json && std::io::IsTerminal::is_terminal(&std::io::stderr())
            }
        };
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template = "{prefix:10} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.map_err(|error| Failure::Other(format!("bug in isoform: {error}")))?);
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, stop.clone())
                .map_err(|error| Failure::Other(format!("watching signals: {error}")))?;
        }
        Ok(Progress { bar, done: AtomicU64::new(0), stop })
    }

    /// Adds to the work that lies ahead.
    pub fn expect(&self, bytes: u64) {
        self.bar.inc_length(bytes);
    }

    /// Names what is being done now.
    pub fn stage(&self, name: &'static str) {
        self.bar.set_prefix(name);
    }

    /// Notes work done.
    ///
    /// # Errors
    /// [`Failure::Interrupted`] when a signal asked to stop.
    pub fn advance(&self, bytes: u64) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        // The bar takes a lock; single batches are too small to take it for each.
        let before = self.done.fetch_add(bytes, Ordering::Relaxed);
        if before >> 20 != (before + bytes) >> 20 {
            self.bar.set_position(before + bytes);
        }
        Ok(())
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
