//! xz: streams one after another with their index and checks, and padding of four zeros between them.

use std::io::BufRead;

use liblzma::bufread::XzDecoder;
pub(crate) use liblzma::stream::Check;
use liblzma::stream::{Filters, LzmaOptions, Stream, TELL_UNSUPPORTED_CHECK};
use liblzma::write::XzEncoder;

use super::Codec;
use super::encode::{Watch, bug, write_run};
use super::input::Input;
use super::reader::{Next, garbage};
use crate::error::{Error, Result};
use crate::media::{Key, NO_DIGEST};

const MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// Memory of a decoder beside its dictionary.
const STATE_BYTES: u64 = 1 << 20;

pub(super) fn next(mut input: Input, first: bool, window_bytes_max: u64) -> Result<Next> {
    loop {
        let head = input.head(MAGIC.len())?;
        if head.is_empty() {
            return Ok(Next::End(input));
        }
        if head == MAGIC {
            let decoder = decoder(input, window_bytes_max);
            let decoder =
                decoder.map_err(|error| Error::Bug(format!("xz decoder cannot be made: {error}")))?;
            return Ok(Next::Member(Box::new(decoder)));
        }
        if !first && head.starts_with(&[0; 4]) {
            input.skip(4)?;
            continue;
        }
        let what = match MAGIC.starts_with(head) {
            true => "the file is cut short inside a stream",
            false => "no xz stream begins here",
        };
        return Err(garbage(Codec::Xz, &mut input, what));
    }
}

/// A run of content as one stream, with the check of its type. The dictionary is no larger than the run
/// needs.
pub(super) fn encode(level: i32, run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>> {
    let mut stream = encoder(level, run.len(), check()).map_err(|error| bug(error.into()))?;
    write_run(&mut stream, run, watch)?;
    stream.finish().map_err(bug)
}

/// The check that streams carry.
pub(super) fn check() -> Check {
    match Codec::Xz.media().text(Key::Digest) {
        Some("crc32") => Check::Crc32,
        Some("sha256") => Check::Sha256,
        Some(NO_DIGEST) => Check::None,
        _ => Check::Crc64,
    }
}

/// The encoder of a stream of so many bytes.
pub(crate) fn encoder(
    level: i32,
    size: usize,
    check: Check,
) -> Result<XzEncoder<Vec<u8>>, liblzma::stream::Error> {
    let mut options = LzmaOptions::new_preset(level.unsigned_abs())?;
    let needed = u32::try_from(size.max(4096)).unwrap_or(u32::MAX);
    options.dict_size(dictionary(level).min(needed));
    let stream = Stream::new_stream_encoder(Filters::new().lzma2(&options), check)?;
    Ok(XzEncoder::new_stream(Vec::with_capacity(size / 4 + 1024), stream))
}

/// The decoder of one stream, whose dictionary has so many bytes at most.
pub(crate) fn decoder<R: BufRead>(
    input: R,
    window_bytes_max: u64,
) -> Result<XzDecoder<R>, liblzma::stream::Error> {
    let stream = Stream::new_stream_decoder(window_bytes_max + STATE_BYTES, TELL_UNSUPPORTED_CHECK)?;
    Ok(XzDecoder::new_stream(input, stream))
}

/// The dictionary of each preset, as the manual of xz lists them; none is larger than what is read back.
fn dictionary(level: i32) -> u32 {
    const SHIFTS: [u32; 10] = [18, 20, 21, 22, 22, 23, 23, 24, 25, 26];
    1 << SHIFTS[usize::try_from(level).unwrap_or(6).min(9)]
}
