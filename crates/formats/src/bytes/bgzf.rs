//! BGZF: gzip members of at most 64 KiB whose extra field tells their size, and an empty one at the end
//! (SAM specification, section 4.1). The empty one is the mark of a file that was not cut short.

use std::io::{self, Read, Write};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::Codec;
use super::encode::{Watch, bug};
use super::input::Input;
use super::reader::{Member, Next, garbage};
use crate::error::{Error, Result};
use crate::file::ObjectFile;

/// Bytes of content in one block: what other writers use, so that even bytes that cannot be compressed fit.
const BLOCK_CONTENT: usize = 65_280;

/// Bytes of one block at most.
const BLOCK_BYTES_MAX: usize = 1 << 16;

/// The block without content that ends a file.
const END: [u8; 28] =
    [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, b'B', b'C', 2, 0, 0x1b, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The size of the block that begins here, by its extra field; `None` where none begins.
pub(super) fn block_bytes(head: &[u8]) -> Option<usize> {
    match head {
        [0x1f, 0x8b, 8, 4, _, _, _, _, _, _, 6, 0, b'B', b'C', 2, 0, low, high, ..] => {
            Some(usize::from(u16::from_le_bytes([*low, *high])) + 1)
        }
        _ => None,
    }
}

/// Whether an object that begins with a block goes on with blocks up to its end, or up to where it is cut.
pub(crate) fn are_blocks(file: &ObjectFile) -> Result<bool> {
    let (mut at, mut head) = (0, [0; super::codec::HEAD_BYTES]);
    while at < file.len() {
        let count = file.read_at(&mut head, at)?;
        match block_bytes(&head[..count]) {
            Some(bytes) => at += bytes as u64,
            None => return Ok(count < head.len()),
        }
    }
    Ok(true)
}

/// All blocks of a stretch are one member to the reader: making a decoder for each would cost more than
/// decoding.
pub(super) fn next(mut input: Input) -> Result<Next> {
    if input.is_at_end()? {
        return Ok(Next::End(input));
    }
    if block_bytes(input.head(super::codec::HEAD_BYTES)?).is_none() {
        let what = "no block of BGZF begins here; --from gzip reads any gzip";
        return Err(garbage(Codec::Bgzf, &mut input, what));
    }
    let (block, content) = (Vec::with_capacity(BLOCK_BYTES_MAX), Vec::with_capacity(BLOCK_BYTES_MAX));
    let inflate = Decompress::new(false);
    // Blocks in the middle of a file need no mark of its end.
    let inner = !input.reaches_end();
    Ok(Next::Member(Box::new(Bgzf { input, inflate, block, content, at: 0, ended: false, inner })))
}

struct Bgzf {
    input: Input,
    inflate: Decompress,
    block: Vec<u8>,
    content: Vec<u8>,
    at: usize,
    /// Whether the last block was the mark of the end.
    ended: bool,
    /// Whether the file goes on behind these blocks.
    inner: bool,
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl Bgzf {
    /// Decodes the next block; false at the end of the file.
    fn next_block(&mut self) -> io::Result<bool> {
        let head = self.input.head(super::codec::HEAD_BYTES).map_err(io::Error::other)?;
        let size = match head {
            [] if self.ended || self.inner => return Ok(false),
            [] => return Err(invalid("the empty block at the end is missing: the file was cut short")),
            head => block_bytes(head),
        };
        let size = match size {
            Some(size) if size >= END.len() - 2 => size,
            _ => return Err(invalid("no block of BGZF begins here; --from gzip reads any gzip")),
        };
        self.block.resize(size, 0);
        self.input.read_exact(&mut self.block)?;
        let (packed, trailer) = self.block[18..].split_at(size - 26);
        let (crc, stated) = trailer.split_at(4);
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
        let stated = number(stated) as usize;
        if stated > BLOCK_BYTES_MAX {
            return Err(invalid("a block states more than 64 KiB of content"));
        }
        self.inflate.reset(false);
        self.content.clear();
        self.content.reserve(stated + 1);
        let status = self.inflate.decompress_vec(packed, &mut self.content, FlushDecompress::Finish)?;
        let whole = status == Status::StreamEnd && self.inflate.total_in() == packed.len() as u64;
        if !whole || self.content.len() != stated {
            return Err(invalid("a block does not hold what it states"));
        }
        let mut sum = Crc::new();
        sum.update(&self.content);
        if sum.sum() != number(crc) {
            return Err(invalid("the checksum of a block does not match its content"));
        }
        self.ended = self.content.is_empty();
        self.at = 0;
        Ok(true)
    }
}

impl Member for Bgzf {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.content.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let count = out.len().min(self.content.len() - self.at);
        out[..count].copy_from_slice(&self.content[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }

    fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    fn into_input(self: Box<Self>) -> Input {
        self.input
    }
}

/// A run of content as blocks; the mark of the end is not among them.
pub(super) fn encode(level: i32, run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(run.len() / 3 + 64);
    for content in run.chunks(BLOCK_CONTENT) {
        watch()?;
        let mut packed = deflate(level, content)?;
        if packed.len() + 26 > BLOCK_BYTES_MAX {
            packed = deflate(0, content)?;
        }
        let size = u16::try_from(packed.len() + 25);
        let size = size.map_err(|_| Error::Bug("a stored block is above 64 KiB".into()))?;
        let mut sum = Crc::new();
        sum.update(content);
        out.extend_from_slice(&END[..16]);
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(&packed);
        out.extend_from_slice(&sum.sum().to_le_bytes());
        out.extend_from_slice(&(content.len() as u32).to_le_bytes());
    }
    Ok(out)
}

fn deflate(level: i32, content: &[u8]) -> Result<Vec<u8>> {
    let level = flate2::Compression::new(level.unsigned_abs());
    let mut packed = flate2::write::DeflateEncoder::new(Vec::with_capacity(BLOCK_BYTES_MAX), level);
    packed.write_all(content).map_err(bug)?;
    packed.finish().map_err(bug)
}

/// The mark of the end.
pub(crate) fn close() -> Vec<u8> {
    END.to_vec()
}
