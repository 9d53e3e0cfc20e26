//! LZ4 frames one after another, skippable ones passed over, with the checksums and sizes that they have.

use std::io::{self, Read};

use lz4_flex::frame::{BlockMode, BlockSize, Error as Fault, FrameDecoder, FrameEncoder, FrameInfo};

use super::Codec;
use super::encode::{Watch, bug, write_run};
use super::input::Input;
use super::reader::{Member, Next, garbage};
use super::zstd::skippable;
use crate::error::{Error, Place, Result};
use crate::media::{Key, NO_DIGEST};

/// Bytes of the shortest head of a frame.
const HEAD_BYTES: usize = 7;

/// Whether a frame begins with these bytes.
pub(super) fn is_frame(start: &[u8]) -> bool {
    start.starts_with(&[0x04, 0x22, 0x4d, 0x18])
}

pub(super) fn next(mut input: Input) -> Result<Next> {
    loop {
        let head = input.head(HEAD_BYTES + 1)?;
        if head.is_empty() {
            return Ok(Next::End(input));
        }
        if let Some(size) = skippable(head) {
            if !input.skip(size)? {
                return Err(garbage(
                    Codec::Lz4,
                    &mut input,
                    "the file is cut short inside a skippable frame",
                ));
            }
            continue;
        }
        if head.starts_with(&[0x02, 0x21, 0x4c, 0x18]) {
            let place = Place::at_byte(input.position());
            let what = "frames of the legacy lz4 format have no end by which a cut could be seen";
            return Err(Error::unsupported(place, what, "repack it: lz4 -d, then convert the result"));
        }
        let short = head.len() < HEAD_BYTES;
        if short || !is_frame(head) {
            let what =
                if short { "the file is cut short inside a frame" } else { "no lz4 frame begins here" };
            return Err(garbage(Codec::Lz4, &mut input, what));
        }
        return Ok(Next::Member(Box::new(Frame(FrameDecoder::new(input)))));
    }
}

struct Frame(FrameDecoder<Input>);

impl Member for Frame {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out).map_err(in_words)? {
            // The decoder takes the end of the file for the end of a frame; the mark of the end must be
            // there.
            0 if self.0.get_ref().ran_out() => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }

    fn input(&mut self) -> &mut Input {
        self.0.get_mut()
    }

    fn into_input(self: Box<Self>) -> Input {
        self.0.into_inner()
    }
}

/// The same error, without the names that the library has for what is damaged.
fn in_words(error: io::Error) -> io::Error {
    let Some(found) = error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()) else { return error };
    let words = match found {
        Fault::HeaderChecksumError => "the checksum of the frame's header does not fit it",
        Fault::BlockChecksumError => "the checksum of a block does not fit it",
        Fault::ContentChecksumError => "the checksum of the content does not fit it",
        Fault::ContentLengthError { .. } => "the frame states another size than that of its content",
        Fault::BlockTooBig | Fault::InvalidBlockInfo => "the size of a block is none that its frame can have",
        Fault::UnsupportedVersion(_) | Fault::UnsupportedBlocksize(_) | Fault::ReservedBitsSet => {
            "the frame's header holds what no header holds"
        }
        Fault::DictionaryNotSupported => "the frame asks for a dictionary, and none is read",
        Fault::WrongMagicNumber | Fault::SkippableFrame(_) => "no lz4 frame begins here",
        _ => "a block cannot be unpacked",
    };
    io::Error::new(error.kind(), words)
}

/// A run of content as one frame with its size, and the check of its type.
pub(super) fn encode(run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>> {
    let info = FrameInfo::new()
        .block_size(BlockSize::Max4MB)
        .block_mode(BlockMode::Independent)
        .content_checksum(Codec::Lz4.media().text(Key::Digest) != Some(NO_DIGEST))
        .content_size(Some(run.len() as u64));
    let mut frame = FrameEncoder::with_frame_info(info, Vec::with_capacity(run.len() / 2 + 64));
    write_run(&mut frame, run, watch)?;
    frame.finish().map_err(|error| bug(error.into()))
}
