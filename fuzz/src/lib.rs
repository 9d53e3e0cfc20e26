//! Provides what all fuzz targets share: one call of an oracle, in a process whose memory is bounded.
//!
//! The oracles themselves are in the libraries (`formats::oracle`, `coherence::oracle`). Here is only what
//! turns a broken law into the end of the process, which is how libFuzzer learns of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use cap::Cap;
pub use libfuzzer_sys;

/// Bytes that a target may hold at once. An input has a few kilobytes; the largest block that the libraries
/// take on the word of a file has 256 MiB (`formats::limits`), and may be held twice.
pub const MEMORY_BYTES_MAX: usize = 1 << 30;

/// Defines a fuzz target over an oracle.
#[macro_export]
macro_rules! target {
    ($oracle:path) => {
        #[global_allocator]
        static MEMORY: $crate::Cap<std::alloc::System> =
            $crate::Cap::new(std::alloc::System, $crate::MEMORY_BYTES_MAX);

        $crate::libfuzzer_sys::fuzz_target!(init: $crate::begin(), |data: &[u8]| {
            $crate::judge($oracle, data)
        });
    };
}

/// Takes the place of libFuzzer's hook, which ends the process at any panic: one inside a decoder of others
/// is caught by the libraries and is an error about the bytes. One in our own code is a fault, caught or not.
pub fn begin() {
    std::panic::set_hook(Box::new(|info| {
        let foreign = info.location().is_some_and(|at| at.file().starts_with('/'));
        if !foreign {
            eprintln!("{info}");
            eprintln!("{}", std::backtrace::Backtrace::force_capture());
            std::process::abort();
        }
    }));
}

/// Ends the process where the oracle finds a broken law, or a panic that nobody caught.
pub fn judge(oracle: impl Fn(&[u8]) -> Result<(), String>, data: &[u8]) {
    match catch_unwind(AssertUnwindSafe(|| oracle(data))) {
        Ok(Ok(())) => {}
        Ok(Err(broken)) => {
            eprintln!("a law is broken: {broken}");
            std::process::abort();
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            eprintln!("a decoder of others panicked and nobody caught it: {text:?}");
            std::process::abort();
        }
    }
}
