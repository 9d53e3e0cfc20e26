//! Provides the allocator of the program, set up for conversions: many short-lived buffers of a few hundred
//! kilobytes, again and again.
//!
//! The one module with `unsafe` code: the allocator's options have no other door.
#![expect(unsafe_code, reason = "options of the allocator are set through its C interface")]

use libmimalloc_sys::{mi_option_set, mi_option_t};

/// Fresh pages from the system allocator are dear where many short buffers live beside few long ones.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 3: milliseconds for which freed memory is kept before it is given
/// back.
const PURGE_DELAY: mi_option_t = 15;

/// Shorter than the usual second. What is freed lies in many places, and how much of it adds up within
/// the delay is chance, whose extremes a long run meets and a short one does not. When the delay ends,
/// all that is free is given back, also what was freed just before, and cleared again where it is asked
/// for anew: ten times a second that costs 10 to 20 % of the time of a conversion, twice a second 2 %.
const PURGE_DELAY_MS: std::ffi::c_long = 500;

/// Sets the options. To be called at the start, before there is a second thread.
pub fn set_up() {
    // SAFETY: the call stores a number under a valid index; it is not thread safe, and this is the only
    // thread.
    unsafe { mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libmimalloc_sys::mi_option_get;

    #[test]
    fn the_index_is_that_of_the_delay() {
        // SAFETY: reading an option by a valid index; no other test sets options.
        let usual = unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(usual, 1_000, "the library's default: if it changed, so may have the index");
    }
}
