//! Provides the boundary against decoders of others that panic on hostile bytes.
//!
//! Nothing of ours is shared across the boundary but what the closure owns, so a caught panic leaves no
//! half-made state that is used afterwards: the reader that panicked is never called again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Place, Result};

/// Runs a call into a decoder that we did not write; a panic becomes an error about the bytes.
pub(crate) fn guarded<T>(format: &'static str, call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Err(Error::malformed(format, Place::default(), format!("the decoder gave up: {}", text.trim_end())))
    })
}
