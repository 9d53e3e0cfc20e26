//! Provides the table of formats of byte strings: names, first bytes, sizes of parts, levels, memory.

use super::{bgzf, lz4, zstd};
use crate::error::{Error, Result};
use crate::media::{self, Key, MediaType, catalog};

/// A format that wraps a byte string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// The bytes themselves.
    Raw,
    /// gzip (RFC 1952): one or more members.
    Gzip,
    /// gzip in blocks of at most 64 KiB that tell their sizes (SAM specification, section 4.1).
    Bgzf,
    /// Zstandard (RFC 8878): one or more frames.
    Zstd,
    /// xz (file format 1.2): one or more streams.
    Xz,
    /// bzip2: one or more streams.
    Bzip2,
    /// LZ4 frames (format 1.6).
    Lz4,
    /// Brotli (RFC 7932): one stream, without mark or checksum.
    Brotli,
}

/// All of them, in the order in which they are listed.
pub const CODECS: [Codec; 8] =
    [Codec::Raw, Codec::Gzip, Codec::Bgzf, Codec::Zstd, Codec::Xz, Codec::Bzip2, Codec::Lz4, Codec::Brotli];

/// Levels of a codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// The level where none is asked for.
    pub default: i32,
    /// Levels that exist.
    pub known: std::ops::RangeInclusive<i32>,
}

impl Codec {
    /// The media type that it came with.
    pub fn media(self) -> &'static MediaType {
        media::Codec::Bytes(self).media()
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        &self.media().name
    }

    /// Its media type: registered with IANA for the first two and zstd, customary for the others.
    pub fn media_type(self) -> &'static str {
        &self.media().media_type
    }

    /// The endings of names, without the dot; the first is the usual one.
    pub fn endings(self) -> &'static [String] {
        &self.media().endings
    }

    /// Levels of compression; `None` where there is nothing to choose.
    pub fn levels(self) -> Option<Levels> {
        let default = i32::try_from(self.media().whole(Key::Level)).unwrap_or(0);
        self.known_levels().map(|known| Levels { default, known })
    }

    /// Levels that exist.
    pub(crate) fn known_levels(self) -> Option<std::ops::RangeInclusive<i32>> {
        match self {
            Codec::Raw | Codec::Lz4 => None,
            Codec::Gzip | Codec::Bgzf | Codec::Xz => Some(0..=9),
            Codec::Zstd => Some(1..=22),
            Codec::Bzip2 => Some(1..=9),
            Codec::Brotli => Some(0..=11),
        }
    }

    /// The format of this name, ending or media type.
    pub fn named(name: &str) -> Option<Self> {
        match catalog().named(name)?.codec {
            media::Codec::Bytes(codec) => Some(codec),
            _ => None,
        }
    }

    /// The format that begins with these bytes, of which there should be at least [`HEAD_BYTES`] where the
    /// object has as many. Brotli has no mark, so nothing is ever recognised as it.
    pub fn of_bytes(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, 8, ..] if bgzf::block_bytes(start).is_some() => Some(Codec::Bgzf),
            [0x1f, 0x8b, 8, ..] => Some(Codec::Gzip),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Some(Codec::Bzip2),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Some(Codec::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Codec::Xz),
            _ if zstd::is_frame(start) => Some(Codec::Zstd),
            _ if lz4::is_frame(start) => Some(Codec::Lz4),
            _ => None,
        }
    }

    /// Bytes of content in one part. Each part becomes members of its own, so it must be much larger than the
    /// distance over which the codec finds repetitions; and it must not depend on threads or memory.
    pub fn part_bytes(self, level: i32) -> u64 {
        self.media().at_level(Key::PartBytes, level)
    }

    /// Memory that one thread needs to encode a part, its content and result included.
    pub fn worker_bytes(self, level: i32) -> u64 {
        let media = self.media();
        media.at_level(Key::WorkerBytes, level) + media.memory(self.part_bytes(level))
    }

    /// Memory that reading an object takes at most, windows included.
    pub fn reader_bytes(self) -> u64 {
        self.media().whole(Key::ReaderBytes)
    }

    /// The level that was asked for, where the codec has it; else its default.
    pub fn level(self, asked: Option<i32>) -> Result<i32> {
        let name = self.name();
        match (self.levels(), asked) {
            (None, None) => Ok(0),
            (None, Some(_)) => Err(Error::Misuse(format!("{name} has no levels of compression"))),
            (Some(levels), None) => Ok(levels.default),
            (Some(levels), Some(level)) if levels.known.contains(&level) => Ok(level),
            (Some(levels), Some(level)) => {
                let (least, most) = (levels.known.start(), levels.known.end());
                Err(Error::Misuse(format!("{name} has levels {least} to {most}, and no {level}")))
            }
        }
    }
}

/// First bytes of an object by which every format can be told: the extra field of BGZF ends there.
pub const HEAD_BYTES: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_endings_belong_to_one_codec() {
        for codec in CODECS {
            assert_eq!(Codec::named(codec.name()), Some(codec));
            assert_eq!(Codec::named(codec.media_type()), Some(codec));
            for ending in codec.endings() {
                assert_eq!(Codec::named(ending), Some(codec));
            }
        }
        assert_eq!(Codec::named("csv"), None);
    }

    #[test]
    fn levels_are_checked() {
        assert_eq!(Codec::Zstd.level(None).unwrap(), 3);
        assert_eq!(Codec::Zstd.level(Some(19)).unwrap(), 19);
        assert!(Codec::Zstd.level(Some(0)).is_err());
        assert!(Codec::Lz4.level(Some(1)).is_err());
        assert_eq!(Codec::Lz4.level(None).unwrap(), 0);
    }

    #[test]
    fn parts_lie_on_the_grid_of_the_digest() {
        for codec in CODECS {
            for level in codec.levels().map_or(0..=0, |levels| levels.known) {
                assert_eq!(codec.part_bytes(level) % coherence::content::LEAF_BYTES, 0, "{codec:?}:{level}");
            }
        }
    }
}
