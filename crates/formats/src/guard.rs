//! Provides the boundary against decoders of others that panic on hostile bytes.
//!
//! Nothing of ours is shared across the boundary but what the closure owns, so a caught panic leaves no
//! half-made state that is used afterwards: the reader that panicked is never called again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Place, Result};

/// Runs a call into a decoder that we did not write; a panic becomes an error about the bytes. Its text is
/// about the code of the decoder and tells a user nothing.
pub(crate) fn guarded<T>(format: &'static str, call: impl FnOnce() -> Result<T>) -> Result<T> {
    let gave_up = || Error::malformed(format, Place::default(), "the decoder gave up on these bytes");
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(gave_up()))
}
