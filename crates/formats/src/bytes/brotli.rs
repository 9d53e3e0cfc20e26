//! Brotli: one stream, which has neither a mark by which it is known nor a checksum. Its encoder carries what
//! it has seen from part to part, so it works on one thread.

use std::io::{self, BufRead, Write};

use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, CompressorWriter, HuffmanCode};
use brotli::{HeapAlloc, enc::BrotliEncoderParams};

use super::Codec;
use super::encode::{Watch, bug, write_run};
use super::input::Input;
use super::reader::{Member, Next, garbage};
use crate::error::Result;

/// The window as a power of two: the largest that every decoder takes.
const WINDOW_LOG: i32 = 24;

pub(super) fn next(mut input: Input, first: bool) -> Result<Next> {
    if !first {
        let end = input.is_at_end()?;
        let what = "the stream ends here, and bytes follow";
        return if end { Ok(Next::End(input)) } else { Err(garbage(Codec::Brotli, &mut input, what)) };
    }
    let none = HuffmanCode { bits: 0, value: 0 };
    let (a, b, c) = (HeapAlloc::new(0), HeapAlloc::new(0), HeapAlloc::new(none));
    // Windows above 16 MiB are no part of RFC 7932.
    let state = BrotliState::new_strict(a, b, c);
    Ok(Next::Member(Box::new(Brotli { input, state: Box::new(state), ended: false })))
}

/// What begins a stream of pieces: its window, and an empty block that fills the second byte.
pub(crate) const BEGIN: [u8; 2] = [0x6f, 0];

/// The empty last block, which ends it.
pub(crate) const END: [u8; 1] = [3];

/// A run of content as blocks of whole bytes that look at nothing before them, so that such pieces may stand
/// one behind another between [`BEGIN`] and [`END`].
pub(crate) fn piece(level: i32, run: &[u8]) -> Result<Vec<u8>> {
    let params = BrotliEncoderParams {
        quality: level,
        lgwin: WINDOW_LOG,
        catable: true,
        appendable: true,
        use_dictionary: false,
        bare_stream: true,
        byte_align: true,
        ..BrotliEncoderParams::default()
    };
    let mut blocks = CompressorWriter::with_params(Vec::with_capacity(run.len() / 4 + 64), 64 << 10, &params);
    write_run(&mut blocks, run, &|| Ok(()))?;
    // Levels 0 and 1 would end the stream; what is flushed goes on.
    blocks.flush().map_err(bug)?;
    Ok(std::mem::take(blocks.get_mut()))
}

type State = BrotliState<HeapAlloc<u8>, HeapAlloc<u32>, HeapAlloc<HuffmanCode>>;

struct Brotli {
    input: Input,
    state: Box<State>,
    ended: bool,
}

impl Member for Brotli {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        loop {
            let packed = self.input.fill_buf()?;
            let (mut left, mut used, mut total) = (packed.len(), 0, 0);
            let (mut room, mut made) = (out.len(), 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut used,
                packed,
                &mut room,
                &mut made,
                out,
                &mut total,
                &mut self.state,
            );
            let at_end = packed.is_empty();
            self.input.consume(used);
            match result {
                BrotliResult::ResultSuccess => self.ended = true,
                BrotliResult::NeedsMoreInput if at_end && made == 0 => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
                BrotliResult::ResultFailure => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "no brotli stream goes on like this",
                    ));
                }
            }
            if made > 0 || self.ended {
                return Ok(made);
            }
        }
    }

    fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    fn into_input(self: Box<Self>) -> Input {
        self.input
    }
}

/// A stream being written.
pub(super) struct BrotliEncoder(CompressorWriter<Vec<u8>>);

impl BrotliEncoder {
    pub(super) fn new(level: i32) -> Self {
        let params =
            BrotliEncoderParams { quality: level, lgwin: WINDOW_LOG, ..BrotliEncoderParams::default() };
        BrotliEncoder(CompressorWriter::with_params(Vec::new(), 64 << 10, &params))
    }

    /// Takes the next run of content; what comes out is a stretch of the stream.
    pub(super) fn push(&mut self, run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>> {
        write_run(&mut self.0, run, watch)?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    /// The rest of the stream.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0.into_inner()
    }
}
