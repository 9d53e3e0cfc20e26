//! Provides the compression of blocks, bounded on the way back.

use std::io::{Read, Write};

use bzip2::bufread::BzDecoder;
use bzip2::write::BzEncoder;

use crate::bytes::xz;
use crate::error::{Error, Place, Result};
use crate::limits::DECODER_WINDOW_BYTES_MAX;

/// Bytes of a block for which there is room at first.
const BLOCK_BYTES: usize = 64 << 10;

/// Bytes of a block that is moved while it grows at most.
const MOVED_BYTES_MAX: usize = 4 << 20;

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    Null,
    /// Deflate, level 0 to 9.
    Deflate(u32),
    /// Snappy with a CRC, without levels.
    Snappy,
    /// Zstandard, level 1 to 22.
    Zstd(i32),
    /// bzip2, level 1 to 9.
    Bzip2(u32),
    /// xz, level 0 to 9.
    Xz(i32),
}

/// Why a block cannot be decompressed.
#[derive(Debug)]
pub(super) enum Spoilt {
    /// Its bytes are wrong.
    Bytes(String),
    /// It holds more than it may.
    TooLarge,
}

impl Codec {
    /// Refuses a level outside the codec's range.
    pub(super) fn check(self) -> Result<()> {
        let wrong = |what: String| Err(Error::Misuse(format!("--compression: {what}")));
        match self {
            Codec::Deflate(level) if level > 9 => wrong(format!("deflate has levels 0 to 9, not {level}")),
            Codec::Zstd(level) if !(1..=22).contains(&level) => {
                wrong(format!("zstd has levels 1 to 22, not {level}"))
            }
            Codec::Bzip2(level) if !(1..=9).contains(&level) => {
                wrong(format!("bzip2 has levels 1 to 9, not {level}"))
            }
            Codec::Xz(level) if !(0..=9).contains(&level) => {
                wrong(format!("xz has levels 0 to 9, not {level}"))
            }
            _ => Ok(()),
        }
    }

    /// The name in the header.
    pub(super) fn name(self) -> &'static str {
        match self {
            Codec::Null => "null",
            Codec::Deflate(_) => "deflate",
            Codec::Snappy => "snappy",
            Codec::Zstd(_) => "zstandard",
            Codec::Bzip2(_) => "bzip2",
            Codec::Xz(_) => "xz",
        }
    }

    /// The codec that a header names; levels are of no interest to a reader.
    pub(super) fn from_name(name: &str) -> Result<Self> {
        match name {
            "null" => Ok(Codec::Null),
            "deflate" => Ok(Codec::Deflate(6)),
            "snappy" => Ok(Codec::Snappy),
            "zstandard" => Ok(Codec::Zstd(3)),
            "bzip2" => Ok(Codec::Bzip2(9)),
            "xz" => Ok(Codec::Xz(6)),
            other => {
                let what = format!("the blocks are compressed with {other:?}, which is not read here");
                let hint = "write the file again with the codec deflate, snappy, zstandard, bzip2 or xz";
                Err(Error::unsupported(Place::default(), what, hint))
            }
        }
    }

    /// The bytes of a block as they are stored.
    pub(super) fn compress(self, block: &[u8]) -> Result<Vec<u8>> {
        let failed = |error: std::io::Error| Error::Bug(format!("compressing an Avro block: {error}"));
        match self {
            Codec::Null => Ok(block.to_vec()),
            Codec::Deflate(level) => {
                let out = Vec::with_capacity(block.len() / 2);
                let mut encoder = flate2::write::DeflateEncoder::new(out, flate2::Compression::new(level));
                encoder.write_all(block).map_err(failed)?;
                encoder.finish().map_err(failed)
            }
            Codec::Snappy => {
                let out = snap::raw::Encoder::new().compress_vec(block);
                let mut out = out.map_err(|error| failed(std::io::Error::other(error)))?;
                out.extend_from_slice(&crc32(block).to_be_bytes());
                Ok(out)
            }
            Codec::Zstd(level) => zstd::bulk::compress(block, level).map_err(failed),
            Codec::Bzip2(level) => {
                let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::new(level));
                encoder.write_all(block).map_err(failed)?;
                encoder.finish().map_err(failed)
            }
            Codec::Xz(level) => {
                let encoder = xz::encoder(level, block.len(), xz::Check::Crc64);
                let mut encoder = encoder.map_err(|error| failed(error.into()))?;
                encoder.write_all(block).map_err(failed)?;
                encoder.finish().map_err(failed)
            }
        }
    }

    /// The bytes of a block, so many at most, as they were before [`Codec::compress`]. Every stored byte must
    /// belong to them.
    pub(super) fn decompress(self, stored: Vec<u8>, max: usize) -> Result<Vec<u8>, Spoilt> {
        match self {
            Codec::Null => Ok(stored),
            Codec::Deflate(_) => {
                let mut decoder = flate2::bufread::DeflateDecoder::new(stored.as_slice());
                let block = bounded(&mut decoder, max)?;
                let read = usize::try_from(decoder.total_in()).unwrap_or(usize::MAX);
                let more = stored.get(read..).unwrap_or_default();
                // Some writers cut a zlib stream and leave the first bytes of its checksum behind the data.
                if more.is_empty() || adler32(&block).to_be_bytes().starts_with(more) {
                    Ok(block)
                } else {
                    Err(Spoilt::Bytes("bytes follow the end of the deflated data".into()))
                }
            }
            Codec::Snappy => unsnap(&stored, max),
            Codec::Zstd(_) => {
                let decoder = zstd::stream::read::Decoder::with_buffer(stored.as_slice());
                let mut decoder = decoder.map_err(|error| Spoilt::Bytes(error.to_string()))?;
                bounded(&mut decoder, max)
            }
            Codec::Bzip2(_) => {
                let mut decoder = BzDecoder::new(stored.as_slice());
                whole(bounded(&mut decoder, max)?, decoder.total_in(), stored.len())
            }
            Codec::Xz(_) => {
                let decoder = xz::decoder(stored.as_slice(), DECODER_WINDOW_BYTES_MAX);
                let mut decoder = decoder.map_err(|error| Spoilt::Bytes(error.to_string()))?;
                whole(bounded(&mut decoder, max)?, decoder.total_in(), stored.len())
            }
        }
    }
}

/// A block, if what it was decoded from is all that was stored.
fn whole(block: Vec<u8>, read: u64, stored: usize) -> Result<Vec<u8>, Spoilt> {
    match read == stored as u64 {
        true => Ok(block),
        false => Err(Spoilt::Bytes("bytes follow the end of the compressed data".into())),
    }
}

fn bounded(decoder: &mut impl Read, max: usize) -> Result<Vec<u8>, Spoilt> {
    let (mut block, mut room) = (Vec::new(), BLOCK_BYTES.min(max.saturating_add(1)));
    loop {
        // It grows by as much again and never beyond the limit, which a vector that fills itself would. From
        // some size on it gets room for all there can be: what is not filled takes no memory, and moving
        // takes it twice.
        let all = max.saturating_add(1) - block.len();
        block.reserve_exact(if block.len() < MOVED_BYTES_MAX { room } else { all });
        let read = decoder.by_ref().take(room as u64).read_to_end(&mut block);
        let read = read.map_err(|error| Spoilt::Bytes(error.to_string()))?;
        if block.len() > max {
            return Err(Spoilt::TooLarge);
        }
        if read < room {
            return Ok(block);
        }
        room = block.len().min(max + 1 - block.len());
    }
}

fn unsnap(stored: &[u8], max: usize) -> Result<Vec<u8>, Spoilt> {
    let spoilt = |error: snap::Error| Spoilt::Bytes(error.to_string());
    let Some((data, crc)) = stored.split_last_chunk::<4>() else {
        return Err(Spoilt::Bytes("a snappy block is too short for its checksum".into()));
    };
    if snap::raw::decompress_len(data).map_err(spoilt)? > max {
        return Err(Spoilt::TooLarge);
    }
    let block = snap::raw::Decoder::new().decompress_vec(data).map_err(spoilt)?;
    if crc32(&block) == u32::from_be_bytes(*crc) {
        Ok(block)
    } else {
        Err(Spoilt::Bytes("the checksum of a snappy block does not match its data".into()))
    }
}

/// The checksum of zlib (RFC 1950).
fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1u32, 0u32);
    // As many bytes as the sums hold before they must be reduced.
    for run in bytes.chunks(5552) {
        for byte in run {
            low += u32::from(*byte);
            high += low;
        }
        low %= 65_521;
        high %= 65_521;
    }
    high << 16 | low
}

/// CRC-32 (ISO-HDLC).
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
