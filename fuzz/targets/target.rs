//! The fuzz targets, all in one program: the laws of the oracle that `ISOFORM_FUZZ_TARGET` names, in bounded
//! memory.

#![no_main]

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use mimalloc::MiMalloc;

// That of the program: with the allocator of the system, a few bytes that a decoder keeps from each image cut
// its free memory into pieces, until a long run has no more.
#[global_allocator]
static MEMORY: Cap<MiMalloc> = Cap::new(MiMalloc, fuzz::MEMORY_BYTES_MAX);

fuzz_target!(init: fuzz::begin(), |data: &[u8]| fuzz::judge(data));
