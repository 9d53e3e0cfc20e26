//! Provides the allocator of the program, set up for conversions: many short-lived buffers of a few hundred
//! kilobytes, again and again. Where the system has no memory left, the program says so and ends.
//!
//! The one module with `unsafe` code: the allocator and its options have no other door.
#![expect(unsafe_code, reason = "an allocator is one, and its options are set through its C interface")]

use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;

use libmimalloc_sys::{mi_option_set, mi_option_t};
use mimalloc::MiMalloc;

use crate::failure::OTHER;

/// Fresh pages from the system allocator are dear where many short buffers live beside few long ones.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator(MiMalloc);

/// Bytes that are asked for at once from which on a refusal is an answer to whoever asks, and no lack of
/// memory: sizes that files claim are checked against limits far below.
const ASKED_BYTES_MAX: usize = 1 << 30;

/// An allocator that ends the program where there is no memory. Otherwise it would be aborted, with a signal
/// and a trace of the stack that nobody can use.
struct Allocator(MiMalloc);

// SAFETY: every call is passed on as it is to an allocator that keeps the contract, and so is what it gives.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that this call asks for; so below.
        given(unsafe { self.0.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see `alloc`.
        given(unsafe { self.0.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: see `alloc`.
        given(unsafe { self.0.realloc(at, layout, size) }, size)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: see `alloc`.
        unsafe { self.0.dealloc(at, layout) }
    }
}

/// What was given, if it was.
fn given(at: *mut u8, bytes: usize) -> *mut u8 {
    if at.is_null() && bytes < ASKED_BYTES_MAX {
        out_of_memory(bytes);
    }
    at
}

/// Says that there is no memory, and ends the process at once; nothing here takes any.
#[cold]
fn out_of_memory(bytes: usize) -> ! {
    let mut text = [0; 256];
    let mut room = &mut text[..];
    // There is nothing to be done where the text has no room, or nobody reads it.
    let _ = writeln!(
        room,
        "isoform: out of memory: the system refused {bytes} bytes; let it have more than --memory, or give \
         it a lower --memory"
    );
    let left = room.len();
    let _ = rustix::io::write(std::io::stderr(), &text[..text.len() - left]);
    signal_hook::low_level::exit(OTHER.into())
}

/// `mi_option_purge_delay` of mimalloc 3: milliseconds for which freed memory is kept before it is given
/// back.
const PURGE_DELAY: mi_option_t = 15;

/// Shorter than the usual second. What is freed lies in many places, and how much of it adds up within
/// the delay is chance, whose extremes a long run meets and a short one does not. When the delay ends,
/// all that is free is given back, also what was freed just before, and cleared again where it is asked
/// for anew: ten times a second that costs 10 to 20 % of the time of a conversion, twice a second 2 %.
const PURGE_DELAY_MS: std::ffi::c_long = 500;

/// The same where little memory is given, of which what is freed and not given back is a larger part.
const SMALL_PURGE_DELAY_MS: std::ffi::c_long = 50;

/// Memory below which little is given: half of the default.
const SMALL_BYTES: u64 = 256 << 20;

/// Sets the options for so much memory. To be called at the start, before there is a second thread.
pub fn set_up(memory: u64) {
    let delay = if memory < SMALL_BYTES { SMALL_PURGE_DELAY_MS } else { PURGE_DELAY_MS };
    // SAFETY: the call stores a number under a valid index; it is not thread safe, and this is the only
    // thread.
    unsafe { mi_option_set(PURGE_DELAY, delay) }
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
