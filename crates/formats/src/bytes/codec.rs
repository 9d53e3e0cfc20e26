//! Provides the table of formats of byte strings: names, first bytes, sizes of parts, levels, memory.

use super::{bgzf, lz4, zstd};
use crate::error::{Error, Result};

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

const MIB: u64 = 1 << 20;

/// Levels of a codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// The level where none is asked for.
    pub default: i32,
    /// Levels that exist.
    pub known: std::ops::RangeInclusive<i32>,
}

impl Codec {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Raw => "raw",
            Codec::Gzip => "gzip",
            Codec::Bgzf => "bgzf",
            Codec::Zstd => "zstd",
            Codec::Xz => "xz",
            Codec::Bzip2 => "bzip2",
            Codec::Lz4 => "lz4",
            Codec::Brotli => "brotli",
        }
    }

    /// Its media type: registered with IANA for the first two and zstd, customary for the others.
    pub fn media_type(self) -> &'static str {
        match self {
            Codec::Raw => "application/octet-stream",
            Codec::Gzip => "application/gzip",
            Codec::Bgzf => "application/x-bgzf",
            Codec::Zstd => "application/zstd",
            Codec::Xz => "application/x-xz",
            Codec::Bzip2 => "application/x-bzip2",
            Codec::Lz4 => "application/x-lz4",
            Codec::Brotli => "application/x-brotli",
        }
    }

    /// The endings of names, without the dot; the first is the usual one.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Codec::Raw => &["bin"],
            Codec::Gzip => &["gz"],
            Codec::Bgzf => &["bgz", "bgzf"],
            Codec::Zstd => &["zst", "zstd"],
            Codec::Xz => &["xz"],
            Codec::Bzip2 => &["bz2"],
            Codec::Lz4 => &["lz4"],
            Codec::Brotli => &["br"],
        }
    }

    /// Levels of compression; `None` where there is nothing to choose.
    pub fn levels(self) -> Option<Levels> {
        let levels = |default, known| Some(Levels { default, known });
        match self {
            Codec::Raw | Codec::Lz4 => None,
            Codec::Gzip | Codec::Bgzf => levels(6, 0..=9),
            Codec::Zstd => levels(3, 1..=22),
            Codec::Xz => levels(6, 0..=9),
            Codec::Bzip2 => levels(9, 1..=9),
            Codec::Brotli => levels(9, 0..=11),
        }
    }

    /// The format of this name, ending or media type.
    pub fn named(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        CODECS.into_iter().find(|codec| {
            codec.name() == lower || codec.media_type() == lower || codec.endings().contains(&lower.as_str())
        })
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
        match (self, level) {
            // Windows of 8 MiB and more.
            (Codec::Zstd, 17..) => 16 * MIB,
            // Three times the dictionary of level 6, as xz itself cuts; the larger ones of levels above are
            // bounded by it, since their memory would exceed what is there for all threads.
            (Codec::Xz, 4..) => 24 * MIB,
            // Blocks of 900,000 bytes: the last one of a part is not full.
            (Codec::Bzip2, _) => 16 * MIB,
            _ => 8 * MIB,
        }
    }

    /// Memory that one thread needs to encode a part, its content and result included.
    pub fn worker_bytes(self, level: i32) -> u64 {
        let part = self.part_bytes(level);
        let state = match (self, level) {
            (Codec::Raw, _) => 0,
            (Codec::Gzip | Codec::Bgzf | Codec::Lz4, _) => MIB,
            (Codec::Zstd, 20..) => 230 * MIB,
            (Codec::Zstd, 17..) => 110 * MIB,
            (Codec::Zstd, _) => 48 * MIB,
            // What the manual of xz tells for each level, with the dictionary bounded by the part.
            (Codec::Xz, 8..) => 288 * MIB,
            (Codec::Xz, 7) => 190 * MIB,
            (Codec::Xz, 4..) => 100 * MIB,
            (Codec::Xz, _) => 32 * MIB,
            (Codec::Bzip2, _) => 8 * MIB,
            (Codec::Brotli, _) => 64 * MIB,
        };
        // A part, what is made of it, and what was made of two others that wait for their turn.
        state + 4 * part
    }

    /// Memory that reading an object takes at most, windows included.
    pub fn reader_bytes(self) -> u64 {
        match self {
            Codec::Raw => MIB,
            Codec::Gzip | Codec::Bgzf | Codec::Bzip2 | Codec::Lz4 => 16 * MIB,
            Codec::Brotli => 32 * MIB,
            Codec::Zstd | Codec::Xz => crate::limits::DECODER_WINDOW_BYTES_MAX + 8 * MIB,
        }
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
