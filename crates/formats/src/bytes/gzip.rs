//! gzip: members one after another, with CRC-32 and size checked for each.

use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::Codec;
use super::encode::{Watch, bug, write_run};
use super::input::Input;
use super::reader::{Next, garbage};
use crate::error::Result;

pub(super) fn next(mut input: Input, first: bool) -> Result<Next> {
    match input.head(3)? {
        [] => Ok(Next::End(input)),
        [0x1f, 0x8b, 8] => Ok(Next::Member(Box::new(GzDecoder::new(input)))),
        [0, ..] if !first => padding(input),
        start if [0x1f, 0x8b, 8].starts_with(start) => {
            Err(garbage(Codec::Gzip, &mut input, "the file is cut short inside a member"))
        }
        _ => Err(garbage(Codec::Gzip, &mut input, "no gzip member begins here")),
    }
}

/// Tapes and block devices pad with zeros up to the end of an object, and not between members of it.
fn padding(mut input: Input) -> Result<Next> {
    loop {
        match input.head(1)?.first().copied() {
            None if input.reaches_end() => return Ok(Next::End(input)),
            Some(0) => {
                input.skip(1)?;
            }
            _ => return Err(garbage(Codec::Gzip, &mut input, "no gzip member begins here")),
        }
    }
}

/// A run of content as one member, without name or time.
pub(super) fn encode(level: i32, run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>> {
    let mut member = member(level, Vec::with_capacity(run.len() / 3 + 64));
    write_run(&mut member, run, watch)?;
    member.finish().map_err(bug)
}

/// A member being written.
pub(super) fn member(level: i32, out: Vec<u8>) -> GzEncoder<Vec<u8>> {
    // 255 is "unknown system": the default would differ between machines.
    let level = flate2::Compression::new(level.unsigned_abs());
    flate2::GzBuilder::new().mtime(0).operating_system(255).write(out, level)
}
