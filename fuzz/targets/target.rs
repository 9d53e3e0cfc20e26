//! The fuzz targets, all in one program: the laws of the oracle that `ISOFORM_FUZZ_TARGET` names, in bounded
//! memory.

#![no_main]

use cap::Cap;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static MEMORY: Cap<std::alloc::System> = Cap::new(std::alloc::System, fuzz::MEMORY_BYTES_MAX);

fuzz_target!(init: fuzz::begin(), |data: &[u8]| fuzz::judge(data));
