//! Provides the allocator of the program, set up for conversions: many short-lived buffers of a few hundred
//! kilobytes, again and again. Where the system has no memory left, the program says so and ends.
//!
//! The one module with `unsafe` code: the allocator and its options have no other door.
#![expect(unsafe_code, reason = "an allocator is one, and its options are set through its C interface")]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_long;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use libmimalloc_sys::{mi_collect, mi_option_set, mi_option_t};
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

/// No time: what gives memory back is its amount.
const NEVER_MS: c_long = 3_600_000;

/// Where the amount is not known. All that is free is given back then, also what was freed just before, and
/// is cleared again where it is asked for anew: ten times a second that costs 10 to 20 % of the time of a
/// conversion, twice a second 2 %.
const UNWATCHED_MS: c_long = 500;

/// The time between two looks at how much memory the program holds.
const LOOK: Duration = Duration::from_millis(10);

/// Sets the allocator up for so much memory: what is freed is kept until the program holds half of it. To be
/// called at the start, before there is a second thread.
pub fn set_up(memory: u64) {
    delay(NEVER_MS);
    let watched = Resident::open().is_ok_and(|resident| {
        let watch = move || watch(&resident, Level::new(memory / 2));
        std::thread::Builder::new().name("memory".into()).stack_size(STACK_BYTES).spawn(watch).is_ok()
    });
    if !watched {
        delay(UNWATCHED_MS);
    }
}

/// Stack of the thread that looks at the memory.
const STACK_BYTES: usize = 128 << 10;

/// Sets the time after which freed memory is given back.
fn delay(milliseconds: c_long) {
    // SAFETY: the call stores a number under a valid index; it is not thread safe, and this is the only
    // thread.
    unsafe { mi_option_set(PURGE_DELAY, milliseconds) }
}

/// Gives freed memory back whenever the program holds too much, as long as it runs.
fn watch(resident: &Resident, mut level: Level) {
    while let Some(held) = resident.bytes() {
        if level.is_reached(held) {
            // SAFETY: the call needs nothing of its caller; it gives back what no thread uses.
            unsafe { mi_collect(true) };
            level.gave_back(resident.bytes().unwrap_or(held));
        }
        std::thread::sleep(LOOK);
    }
}

/// How much the program may hold before freed memory is given back. What is freed lies in many places, and
/// how much of it adds up is chance, whose extremes a long run meets and a short one does not: with one level
/// for both, their peaks are alike.
struct Level {
    least: u64,
    next: u64,
}

impl Level {
    fn new(least: u64) -> Self {
        Level { least, next: least }
    }

    /// Whether memory is to be given back. A level that was raised sinks, by half in two seconds.
    fn is_reached(&mut self, held: u64) -> bool {
        let reached = held > self.next;
        self.next = (self.next - self.next / 256).max(self.least);
        reached
    }

    /// Takes what is held after memory was given back. It is in use, so the next time is where an eighth more
    /// is held.
    fn gave_back(&mut self, held: u64) {
        self.next = (held + held / 8).max(self.least);
    }
}

/// The memory that the program holds, as Linux counts it (proc_pid_statm(5)).
struct Resident {
    pages: File,
    page_bytes: u64,
}

impl Resident {
    fn open() -> std::io::Result<Self> {
        Ok(Resident { pages: File::open("/proc/self/statm")?, page_bytes: rustix::param::page_size() as u64 })
    }

    fn bytes(&self) -> Option<u64> {
        let mut text = [0; 128];
        let count = self.pages.read_at(&mut text, 0).ok()?;
        let pages = std::str::from_utf8(&text[..count]).ok()?.split(' ').nth(1)?;
        Some(pages.parse::<u64>().ok()?.saturating_mul(self.page_bytes))
    }
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

    #[test]
    fn memory_is_given_back_where_more_is_held_than_is_kept_and_an_eighth_more_than_is_in_use() {
        let mut level = Level::new(200);
        assert!(!level.is_reached(200) && level.is_reached(201));
        // Little is in use: all up to the level is kept again.
        level.gave_back(90);
        assert!(!level.is_reached(200) && level.is_reached(201));
        // More than the level is in use.
        level.gave_back(400);
        assert!(!level.is_reached(450) && level.is_reached(460));
        (0..1000).for_each(|_| assert!(!level.is_reached(0)));
        assert!(level.is_reached(256) && !level.is_reached(255), "it sinks, to a 256th");
    }

    #[test]
    fn what_the_program_holds_is_known_and_grows_with_what_it_uses() {
        let resident = Resident::open().unwrap();
        let before = resident.bytes().unwrap();
        let used = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = resident.bytes().unwrap();
        assert!(before > 1 << 20 && after > before + (48 << 20), "{before} {after} {}", used.len());
    }
}
