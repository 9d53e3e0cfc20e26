//! Provides what is printed: lines for people, or one JSON document of a versioned shape (`docs/json.md`).

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::cli::Output;
use crate::failure::Failure;

/// Prints a result. A reader that closed its end early (`| head`) has what it wanted, so that is no error.
pub fn result(output: &Output, document: &Value, lines: &[String]) {
    if output.json {
        print(&format!("{document}\n"));
    } else if !output.quiet {
        print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    }
}

/// What went wrong while results were printed.
static FAILED: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// Prints text on stdout. That it could not be printed is told by [`flush`].
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        FAILED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Whether all results were printed, as far as somebody wanted to read them.
///
/// # Errors
/// The first fault of standard output, such as a full disk.
pub fn flush() -> std::io::Result<()> {
    FAILED.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
}

/// Prints why a command failed: on stderr for people, as a document on stdout where JSON was asked for.
pub fn failure(output: &Output, failure: &Failure) {
    if output.json {
        let error = json!({ "exitCode": failure.code(), "message": failure.to_string() });
        print(&format!("{}\n", json!({ "schema": "isoform.error/v1", "error": error })));
    }
    let _ = writeln!(std::io::stderr(), "isoform: {failure}");
}

/// A number of bytes as a person reads it.
pub fn bytes(n: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", units[unit]) }
}
