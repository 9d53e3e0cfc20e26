//! bzip2: streams one after another, with the checksum of each block and stream.

use bzip2::bufread::BzDecoder;
use bzip2::write::BzEncoder;

use super::Codec;
use super::encode::{Watch, bug, write_run};
use super::input::Input;
use super::reader::{Next, garbage};
use crate::error::Result;

pub(super) fn next(mut input: Input) -> Result<Next> {
    match input.head(4)? {
        [] => Ok(Next::End(input)),
        [b'B', b'Z', b'h', b'1'..=b'9'] => Ok(Next::Member(Box::new(BzDecoder::new(input)))),
        start if start.len() < 4 && b"BZh".starts_with(start) => {
            Err(garbage(Codec::Bzip2, &mut input, "the file is cut short inside a stream"))
        }
        _ => Err(garbage(Codec::Bzip2, &mut input, "no bzip2 stream begins here")),
    }
}

/// A run of content as one stream.
pub(super) fn encode(level: i32, run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>> {
    let mut stream = stream(level, Vec::with_capacity(run.len() / 4 + 64));
    write_run(&mut stream, run, watch)?;
    stream.finish().map_err(bug)
}

/// A stream being written.
pub(super) fn stream(level: i32, out: Vec<u8>) -> BzEncoder<Vec<u8>> {
    BzEncoder::new(out, bzip2::Compression::new(level.unsigned_abs()))
}
