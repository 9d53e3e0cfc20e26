//! Provides the media types that come with the program: for each codec the file that defines its type.

use super::Codec;
use crate::bytes::Codec as Wrapping;
use crate::image::ImageFormat;
use crate::registry::Format;
use crate::signal::SignalFormat;

/// A codec, its name in definitions, and the definition of its own type.
pub struct BuiltIn {
    /// What reads and writes the bytes.
    pub codec: Codec,
    /// Its name, which is also that of its file.
    pub name: &'static str,
    /// The definition.
    pub text: &'static str,
}

/// An entry, by the name of its file.
macro_rules! built_in {
    ($codec:expr, $name:literal) => {
        BuiltIn {
            codec: $codec,
            name: $name,
            text: include_str!(concat!("../../../../media-types/", $name, ".toml")),
        }
    };
}

/// All of them. Adding a type is adding its file, and a line here where its codec is new.
pub const BUILT_IN: &[BuiltIn] = &[
    built_in!(Codec::Table(Format::Csv), "csv"),
    built_in!(Codec::Table(Format::Tsv), "tsv"),
    built_in!(Codec::Table(Format::JsonLines), "jsonl"),
    built_in!(Codec::Table(Format::Parquet), "parquet"),
    built_in!(Codec::Table(Format::ArrowFile), "arrow"),
    built_in!(Codec::Table(Format::ArrowStream), "arrow-stream"),
    built_in!(Codec::Table(Format::Avro), "avro"),
    built_in!(Codec::Arrays(SignalFormat::Npy), "npy"),
    built_in!(Codec::Arrays(SignalFormat::Npz), "npz"),
    built_in!(Codec::Arrays(SignalFormat::Safetensors), "safetensors"),
    built_in!(Codec::Arrays(SignalFormat::Gguf), "gguf"),
    built_in!(Codec::Arrays(SignalFormat::Wav), "wav"),
    built_in!(Codec::Arrays(SignalFormat::Flac), "flac"),
    built_in!(Codec::Arrays(SignalFormat::Aiff), "aiff"),
    built_in!(Codec::Arrays(SignalFormat::Opus), "opus"),
    built_in!(Codec::Arrays(SignalFormat::Vorbis), "vorbis"),
    built_in!(Codec::Arrays(SignalFormat::Mp3), "mp3"),
    built_in!(Codec::Image(ImageFormat::Png), "png"),
    built_in!(Codec::Image(ImageFormat::Jpeg), "jpeg"),
    built_in!(Codec::Image(ImageFormat::WebP), "webp"),
    built_in!(Codec::Image(ImageFormat::Tiff), "tiff"),
    built_in!(Codec::Image(ImageFormat::Qoi), "qoi"),
    built_in!(Codec::Image(ImageFormat::Gif), "gif"),
    built_in!(Codec::Image(ImageFormat::Bmp), "bmp"),
    built_in!(Codec::Image(ImageFormat::Avif), "avif"),
    built_in!(Codec::Image(ImageFormat::Jxl), "jxl"),
    built_in!(Codec::Bytes(Wrapping::Raw), "raw"),
    built_in!(Codec::Bytes(Wrapping::Gzip), "gzip"),
    built_in!(Codec::Bytes(Wrapping::Bgzf), "bgzf"),
    built_in!(Codec::Bytes(Wrapping::Zstd), "zstd"),
    built_in!(Codec::Bytes(Wrapping::Xz), "xz"),
    built_in!(Codec::Bytes(Wrapping::Bzip2), "bzip2"),
    built_in!(Codec::Bytes(Wrapping::Lz4), "lz4"),
    built_in!(Codec::Bytes(Wrapping::Brotli), "brotli"),
];
