//! Provides the preparation of the process for limits that the system sets: a file that grows too large is an
//! error and not the end of the program, and many sources may be open at once. And the signals that ask to
//! stop.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use crate::failure::{Failure, Result};

/// Takes the signal of a write beyond the limit on the size of files, so that the write fails instead, and
/// raises the limit on open files as far as it goes.
pub fn prepare() -> Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))
        .map_err(|error| Failure::Other(format!("watching signals: {error}")))?;
    let files = getrlimit(Resource::Nofile);
    // A limit that cannot be raised is one to live with: few sources need few files.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files });
    Ok(())
}

/// How many files may be opened beside those that are open; `None` where no limit is known.
pub fn files_left() -> Option<u64> {
    let max = getrlimit(Resource::Nofile).current?;
    // The directory that lists them is open itself meanwhile.
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    Some(max.saturating_sub(open as u64))
}

/// The signals that ask to stop. That a terminal closed is one, unless the program was started to outlive
/// it, as `nohup` does.
pub fn stopping() -> impl Iterator<Item = i32> {
    let status = std::fs::read_to_string("/proc/self/status");
    let hangup = status.is_ok_and(|status| !ignores(&status, SIGHUP));
    [SIGINT, SIGTERM].into_iter().chain(hangup.then_some(SIGHUP))
}

/// Whether a process of this status, as Linux tells it, ignores a signal; nothing known counts as ignored.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_told_by_the_mask() {
        let status = "Name:\tisoform\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n";
        assert!(ignores(status, SIGHUP) && !ignores(status, SIGINT) && ignores(status, 13));
        assert!(!ignores("SigIgn:\t0000000000001000\n", SIGHUP));
        assert!(ignores("Name:\tisoform\n", SIGHUP));
    }
}
