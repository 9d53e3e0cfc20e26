//! Provides the preparation of the process for limits that the system sets: a file that grows too large is an
//! error and not the end of the program, and many sources may be open at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::failure::{Failure, Result};

/// Takes the signal of a write beyond the limit on the size of files, so that the write fails instead, and
/// raises the limit on open files as far as it goes.
pub fn prepare() -> Result<()> {
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))
        .map_err(|error| Failure::Other(format!("watching signals: {error}")))?;
    let files = getrlimit(Resource::Nofile);
    // A limit that cannot be raised is one to live with: few sources need few files.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files });
    Ok(())
}
