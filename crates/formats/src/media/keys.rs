//! Provides the keys that a definition of a media type may have: where each stands, what it may be, which
//! codecs it is about, and what it does. The reader, the documentation and certificates go by this table.

use super::{Codec, NO_DIGEST};
use crate::bytes::Codec as Wrapping;
use crate::image::ImageFormat;
use crate::limits::TILE_SIDE_MIN;
use crate::registry::Format;
use crate::signal::SignalFormat;

/// A key with a value. The names of a type, its codec and its rules are no values and stand beside these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Bytes behind a part.
    PartBytes,
    /// Rows of a part at most.
    PartRows,
    /// Parts that a table is cut into at least.
    LeastParts,
    /// Rows of a part where a target shows no trace of its parts.
    SeamlessRows,
    /// Samples of a part.
    PartSamples,
    /// Whether parts are members of their own.
    Framing,
    /// The check of what is inside that members carry.
    Digest,
    /// Bytes of the tensors of one file of several.
    ShardBytes,
    /// Pixels of a side of a tile of an image.
    TileSide,
    /// Compression inside a binary format of tables.
    Compression,
    /// Whether columns may use a dictionary.
    Dictionary,
    /// The byte between fields.
    Delimiter,
    /// Level of compression.
    Level,
    /// Quality that a search begins with.
    Quality,
    /// Work spent on the size of an image.
    Effort,
    /// Order of the pixels in a file.
    Layout,
    /// Type of floating-point samples.
    SampleType,
    /// Memory of a worker for each byte of a part.
    MemoryPerByte,
    /// Memory of a worker besides.
    WorkerBytes,
    /// Memory that reading takes.
    ReaderBytes,
    /// Threads at most.
    Threads,
    /// Cost of decoding.
    DecodeCost,
    /// Cost of encoding.
    EncodeCost,
    /// Budget of the whole.
    Within,
    /// Budget of every part.
    PartFloor,
    /// Measure of a budget that names none.
    Metric,
    /// The least coherence.
    Tau,
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A size, a multiple of this many bytes: `"8MiB"` or a whole number of bytes.
    Bytes(u64),
    /// A size, or a table of sizes by the level from which on they hold.
    BytesByLevel(u64),
    /// A whole number: least, most, and what it is a multiple of.
    Whole(u64, u64, u64),
    /// A number between two.
    Number(f64, f64),
    /// `true` or `false`.
    Truth,
    /// A text, of which the codec knows what it may be.
    Text,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Its table and name, with a dot between them.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// Which codecs it has an effect for.
    pub has: fn(Codec) -> bool,
    /// Those in words.
    pub words: &'static str,
    /// Whether every type of those codecs has a value.
    pub required: bool,
    /// What it does.
    pub effect: &'static str,
}

fn tables(codec: Codec) -> bool {
    matches!(codec, Codec::Table(_))
}

fn cut_tables(codec: Codec) -> bool {
    tables(codec) && !matches!(codec, Codec::Table(Format::ArrowFile | Format::ArrowStream))
}

fn seamless(codec: Codec) -> bool {
    tables(codec) && !matches!(codec, Codec::Table(Format::Parquet | Format::Avro))
}

fn packed_tables(codec: Codec) -> bool {
    matches!(codec, Codec::Table(format) if !format.is_text())
}

fn delimited(codec: Codec) -> bool {
    matches!(codec, Codec::Table(Format::Csv | Format::Tsv))
}

fn arrays(codec: Codec) -> bool {
    matches!(codec, Codec::Arrays(_))
}

fn bytes(codec: Codec) -> bool {
    matches!(codec, Codec::Bytes(_))
}

fn leveled(codec: Codec) -> bool {
    matches!(codec, Codec::Bytes(codec) if codec.known_levels().is_some())
}

fn framed(codec: Codec) -> bool {
    matches!(codec, Codec::Bytes(Wrapping::Gzip | Wrapping::Zstd | Wrapping::Xz | Wrapping::Bzip2))
}

fn in_parts(codec: Codec) -> bool {
    tables(codec) || bytes(codec)
}

fn threaded(codec: Codec) -> bool {
    !matches!(codec, Codec::Image(_))
}

fn approximate(codec: Codec) -> bool {
    matches!(codec, Codec::Arrays(_) | Codec::Image(_))
}

fn any(_: Codec) -> bool {
    true
}

impl Key {
    /// All of them, in the order of the documentation.
    pub const ALL: [Key; 27] = [
        Key::PartBytes,
        Key::PartRows,
        Key::LeastParts,
        Key::SeamlessRows,
        Key::PartSamples,
        Key::Framing,
        Key::Digest,
        Key::ShardBytes,
        Key::TileSide,
        Key::Compression,
        Key::Dictionary,
        Key::Delimiter,
        Key::Level,
        Key::Quality,
        Key::Effort,
        Key::Layout,
        Key::SampleType,
        Key::MemoryPerByte,
        Key::WorkerBytes,
        Key::ReaderBytes,
        Key::Threads,
        Key::DecodeCost,
        Key::EncodeCost,
        Key::Within,
        Key::PartFloor,
        Key::Metric,
        Key::Tau,
    ];

    /// The key of a table and a name.
    pub fn named(table: &str, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.about().name.split_once('.') == Some((table, name)))
    }

    /// What is known of it.
    pub fn about(self) -> About {
        match self {
            Self::PartBytes
            | Self::PartRows
            | Self::LeastParts
            | Self::SeamlessRows
            | Self::PartSamples
            | Self::ShardBytes
            | Self::TileSide => self.transport(),
            Self::Framing | Self::Digest => self.members(),
            Self::Compression
            | Self::Dictionary
            | Self::Delimiter
            | Self::Level
            | Self::Quality
            | Self::Effort
            | Self::Layout
            | Self::SampleType => self.storage(),
            Self::Within | Self::PartFloor | Self::Metric | Self::Tau => self.coherence(),
            _ => self.runtime(),
        }
    }

    fn transport(self) -> About {
        let about = |name, kind, has, words, effect| About { name, kind, has, words, required: true, effect };
        let (mi, chunk) = (1 << 20, crate::limits::CHUNK_ROWS);
        match self {
            Self::PartBytes => about(
                "transport.part-bytes",
                Kind::BytesByLevel(mi),
                in_parts,
                "tables and bytes",
                "bytes behind one part at most: of a table those of its source, of bytes those of the \
                content",
            ),
            Self::PartRows => about(
                "transport.part-rows",
                Kind::Whole(chunk, 1024 * chunk, chunk),
                cut_tables,
                "tables but for Arrow",
                "rows of one part at most",
            ),
            Self::LeastParts => about(
                "transport.least-parts",
                Kind::Whole(2, 4096, 1),
                cut_tables,
                "tables but for Arrow",
                "parts that a table is cut into at least, as far as it has chunks",
            ),
            Self::SeamlessRows => about(
                "transport.seamless-rows",
                Kind::Whole(chunk, 1024 * chunk, chunk),
                seamless,
                "text that is not wrapped, and Arrow",
                "rows of one part where the target shows no trace of its parts",
            ),
            Self::TileSide => about(
                "transport.tile-side",
                Kind::Whole(TILE_SIDE_MIN, 65_536, 16),
                |codec| matches!(codec, Codec::Image(_)),
                "images",
                "pixels of a side of a tile, of which each keeps the floor of a budget",
            ),
            Self::PartSamples => about(
                "transport.part-samples",
                Kind::Whole(mi, 1024 * mi, mi),
                arrays,
                "arrays",
                "samples of one part at most",
            ),
            _ => about(
                "transport.shard-bytes",
                Kind::Bytes(1),
                |codec| codec == Codec::Arrays(SignalFormat::Safetensors),
                "safetensors",
                "bytes of tensors in one file at most, where a model is written in several with their index; \
                a larger tensor has a file of its own",
            ),
        }
    }

    fn members(self) -> About {
        let about =
            |name, has, words, effect| About { name, kind: Kind::Text, has, words, required: true, effect };
        match self {
            Self::Framing => about(
                "transport.framing",
                framed,
                "gzip, zstd, xz and bzip2",
                "`parts`: each part of a byte string, or of a text inside the wrapping, becomes members of \
                 its own, on any thread; `one`: all of it becomes one, on one thread, for readers that stop \
                 at the end of the first",
            ),
            _ => about(
                "transport.digest",
                |codec| !digests(codec).is_empty(),
                "xz, zstd and lz4",
                "what each member carries for other readers to check its content by: in xz `crc32`, `crc64`, \
                 `sha256` or `none`, in zstd `xxh64` or `none`, in lz4 `xxh32` or `none`",
            ),
        }
    }

    fn storage(self) -> About {
        let about = |name, kind, has, words, effect| About { name, kind, has, words, required: true, effect };
        match self {
            Self::Compression => about(
                "storage.compression",
                Kind::Text,
                packed_tables,
                "Parquet, Avro and Arrow",
                "compression where --compression asks for none, as codec or codec:level",
            ),
            Self::Dictionary => about(
                "storage.dictionary",
                Kind::Truth,
                |codec| codec == Codec::Table(Format::Parquet),
                "Parquet",
                "whether columns may use a dictionary where --no-dictionary does not forbid it",
            ),
            Self::Delimiter => about(
                "storage.delimiter",
                Kind::Text,
                delimited,
                "delimited text",
                "the character between fields, or `tab`: it is written; and a definition that changes it \
                makes \
                 text of this type be read with it",
            ),
            Self::Level => about(
                "storage.level",
                Kind::Whole(0, 22, 1),
                leveled,
                "wrappings with levels",
                "level of compression where --compression names none, for text inside the wrapping too",
            ),
            Self::Quality => about(
                "storage.quality",
                Kind::Number(0.0, 100.0),
                |codec| matches!(codec, Codec::Image(format) if format.quality_range().is_some()),
                "lossy images",
                "quality that the search within a budget begins with",
            ),
            Self::Effort => about(
                "storage.effort",
                Kind::Whole(0, 9, 1),
                |codec| matches!(codec, Codec::Image(format) if format.effort_range().is_some()),
                "images that are packed",
                "work spent on size where --effort does not tell",
            ),
            Self::Layout => about(
                "storage.layout",
                Kind::Text,
                |codec| !layouts(codec).is_empty(),
                "JPEG and TIFF",
                "order of the pixels in a file: of a JPEG `by-effort`, in one scan, but in several with \
                 effort 2, or `progressive`, always in several, from coarse to fine; of a TIFF `strips` of \
                 whole rows, or `tiles` of 256 × 256 pixels",
            ),
            _ => About {
                required: false,
                ..about(
                    "storage.sample-type",
                    Kind::Text,
                    arrays,
                    "arrays",
                    "type of floating-point samples where --sample-type does not tell",
                )
            },
        }
    }

    fn runtime(self) -> About {
        let about = |name, kind, has, words, effect| About { name, kind, has, words, required: true, effect };
        match self {
            Self::MemoryPerByte => about(
                "runtime.memory-per-byte",
                Kind::Number(1.0, 64.0),
                any,
                "all",
                "memory that a worker is given for each byte of a part; of an image, its samples may take 1 \
                 in this many of the memory that one image may take",
            ),
            Self::WorkerBytes => about(
                "runtime.worker-bytes",
                Kind::BytesByLevel(1),
                bytes,
                "bytes",
                "memory that a worker is given besides",
            ),
            Self::ReaderBytes => about(
                "runtime.reader-bytes",
                Kind::Bytes(1),
                bytes,
                "bytes",
                "memory that reading such an object is given",
            ),
            Self::Threads => About {
                required: false,
                ..about(
                    "runtime.threads",
                    Kind::Whole(1, 1024, 1),
                    threaded,
                    "all but images",
                    "threads that work on a target of this type at most",
                )
            },
            Self::DecodeCost => about(
                "runtime.decode-cost",
                Kind::Number(0.0, 1e6),
                any,
                "all",
                "relative cost of reading one byte of content, by which chains of conversions are chosen",
            ),
            _ => about("runtime.encode-cost", Kind::Number(0.0, 1e6), any, "all", "the same of writing one"),
        }
    }

    fn coherence(self) -> About {
        let about = |name, kind, effect| {
            let words = "arrays and images";
            About { name, kind, has: approximate, words, required: true, effect }
        };
        match self {
            Self::Within => about(
                "coherence.within",
                Kind::Text,
                "budget of a target of this type where --within gives none; of images with gates too",
            ),
            Self::PartFloor => About {
                required: false,
                ..about(
                    "coherence.part-floor",
                    Kind::Text,
                    "budget of every part where --part-floor gives none; only with a budget that is not \
                    exact",
                )
            },
            Self::Metric => about(
                "coherence.metric",
                Kind::Text,
                "measure that is meant where --within or --part-floor gives a number alone: `max-error`, \
                 `rmse`, `psnr`, `snr` or `coherence`",
            ),
            _ => about(
                "coherence.tau",
                Kind::Number(0.0, 1.0),
                "coherence below which no target of this type is written, whatever --within allows",
            ),
        }
    }

    /// Whether it has an effect for a codec.
    pub fn is_about(self, codec: Codec) -> bool {
        (self.about().has)(codec)
    }
}

/// Reads `512MiB`, `2GB`, `1073741824`; `None` where a text is no size.
pub fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(factor)
}

/// The checks that members of a codec may carry; none where it has no choice.
pub(super) fn digests(codec: Codec) -> &'static [&'static str] {
    match codec {
        Codec::Bytes(Wrapping::Xz) => &["crc32", "crc64", "sha256", NO_DIGEST],
        Codec::Bytes(Wrapping::Zstd) => &["xxh64", NO_DIGEST],
        Codec::Bytes(Wrapping::Lz4) => &["xxh32", NO_DIGEST],
        _ => &[],
    }
}

/// The orders in which a codec may write pixels; none where it has no choice.
pub(super) fn layouts(codec: Codec) -> &'static [&'static str] {
    match codec {
        Codec::Image(ImageFormat::Jpeg) => &["by-effort", "progressive"],
        Codec::Image(ImageFormat::Tiff) => &["strips", "tiles"],
        _ => &[],
    }
}

/// Whether a codec of bytes has a level.
pub(super) fn has_level(codec: Wrapping, level: u64) -> bool {
    let level = i32::try_from(level).unwrap_or(i32::MAX);
    codec.known_levels().is_some_and(|known| known.contains(&level))
}
