//! Zstandard: frames one after another, skippable ones passed over, checksums checked where there are any.

use std::io::{self, Read};

use zstd::stream::read::Decoder;
use zstd::zstd_safe::{CParameter, get_frame_content_size};

use super::Codec;
use super::encode::{Watch, bug, write_run};
use super::input::Input;
use super::reader::{Member, Next, garbage};
use crate::error::{Error, Result};
use crate::media::{Key, NO_DIGEST};

/// Bytes of a frame's head at most (RFC 8878, section 3.1.1.1).
const HEAD_BYTES_MAX: usize = 18;

/// Whether a frame begins with these bytes.
pub(super) fn is_frame(start: &[u8]) -> bool {
    start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

/// The size of a skippable frame of zstd or lz4 that begins here, its head included.
pub(super) fn skippable(head: &[u8]) -> Option<u64> {
    match head {
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] => {
            Some(u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 8)
        }
        _ => None,
    }
}

pub(super) fn next(mut input: Input, window_bytes_max: u64) -> Result<Next> {
    loop {
        let head = input.head(8)?;
        if head.is_empty() {
            return Ok(Next::End(input));
        }
        if let Some(size) = skippable(head) {
            if !input.skip(size)? {
                return Err(garbage(
                    Codec::Zstd,
                    &mut input,
                    "the file is cut short inside a skippable frame",
                ));
            }
            continue;
        }
        if !is_frame(head) {
            let what = match head.len() < 4 {
                true => "the file is cut short inside a frame",
                false => "no zstd frame begins here",
            };
            return Err(garbage(Codec::Zstd, &mut input, what));
        }
        let stated = get_frame_content_size(input.head(HEAD_BYTES_MAX)?).ok().flatten();
        let bug = |error: io::Error| Error::Bug(format!("zstd decoder cannot be made: {error}"));
        let mut decoder = Decoder::with_buffer(input).map_err(bug)?.single_frame();
        decoder.window_log_max(window_bytes_max.ilog2()).map_err(bug)?;
        return Ok(Next::Member(Box::new(Frame { decoder, stated })));
    }
}

struct Frame {
    decoder: Decoder<'static, Input>,
    stated: Option<u64>,
}

impl Member for Frame {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(out)
    }

    fn input(&mut self) -> &mut Input {
        self.decoder.get_mut()
    }

    // The library compares only where its last block holds bytes, and takes a frame whose last block is empty
    // with less content than it states.
    fn stated(&self) -> Option<u64> {
        self.stated
    }

    fn into_input(self: Box<Self>) -> Input {
        self.decoder.finish()
    }
}

/// The least level at which a run takes so long that somebody who wants to stop is asked for in between.
const SLOW_LEVEL: i32 = 10;

/// A run of content as one frame with its size and checksum.
pub(super) fn encode(level: i32, run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>> {
    if level < SLOW_LEVEL {
        watch()?;
        return encode_at_once(level, run).map_err(bug);
    }
    let out = Vec::with_capacity(run.len() / 3 + 64);
    let mut frame = zstd::stream::write::Encoder::new(out, level).map_err(bug)?;
    frame.include_checksum(has_digest()).map_err(bug)?;
    frame.include_contentsize(true).map_err(bug)?;
    frame.set_pledged_src_size(Some(run.len() as u64)).map_err(bug)?;
    write_run(&mut frame, run, watch)?;
    frame.finish().map_err(bug)
}

/// The same in one call, which finds repetitions where the run lies: a stream moves it into a ring of its
/// own, and what it looks back at is then in two pieces, which takes a third more time.
fn encode_at_once(level: i32, run: &[u8]) -> io::Result<Vec<u8>> {
    let mut frame = zstd::bulk::Compressor::new(level)?;
    frame.include_checksum(has_digest())?;
    frame.include_contentsize(true)?;
    frame.compress(run)
}

/// Whether frames carry a checksum of their content.
fn has_digest() -> bool {
    Codec::Zstd.media().text(Key::Digest) != Some(NO_DIGEST)
}

/// The window of a frame of unknown size as a power of two at most: about what parts have, by which the
/// memory of high levels is reckoned.
const ONE_WINDOW_LOG_MAX: u32 = 24;

/// The least level whose window would be larger.
const LARGE_WINDOW_LEVEL: i32 = 20;

/// A frame of any size being written, with the check of its type.
pub(super) fn frame(level: i32) -> io::Result<zstd::stream::write::Encoder<'static, Vec<u8>>> {
    let mut frame = zstd::stream::write::Encoder::new(Vec::new(), level)?;
    frame.include_checksum(has_digest())?;
    if level >= LARGE_WINDOW_LEVEL {
        frame.window_log(ONE_WINDOW_LOG_MAX)?;
        // For a content of unknown size the tables are those of the largest window, but for these.
        frame.set_parameter(CParameter::ChainLog(ONE_WINDOW_LOG_MAX + 1))?;
        frame.set_parameter(CParameter::HashLog(ONE_WINDOW_LOG_MAX.min(level.unsigned_abs() + 3)))?;
    }
    Ok(frame)
}
