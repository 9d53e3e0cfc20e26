//! Provides encoders by format: what a person may choose about a target, and the encoder that carries it out.

use arrow_schema::SchemaRef;

use crate::error::{Error, Result};
use crate::ipc::{ArrowEncoder, ArrowOptions, BodyCompression};
use crate::parquet::{Codec, ParquetEncoder, ParquetOptions};
use crate::registry::{Format, Wrapping};
use crate::table::TableEncoder;

/// A codec by name, with its level where one was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compression {
    /// Lower-case name.
    pub codec: String,
    /// Level in the codec's own scale.
    pub level: Option<i32>,
}

impl Compression {
    /// Reads `codec` or `codec:level`.
    pub fn parse(text: &str) -> Result<Self> {
        let (codec, level) = match text.split_once(':') {
            None => (text, None),
            Some((codec, level)) => {
                let level = level.parse();
                let level = level.map_err(|_| Error::Misuse(format!("compression level of {text:?} is no number")))?;
                (codec, Some(level))
            }
        };
        Ok(Compression { codec: codec.to_ascii_lowercase(), level })
    }

    /// The level, or the default of the codec.
    fn level_or(&self, default: i32) -> i32 {
        self.level.unwrap_or(default)
    }

    fn refused(&self, format: Format, known: &str) -> Error {
        let (codec, format) = (&self.codec, format.name());
        Error::Misuse(format!("{format} has no compression {codec:?} (or it has no levels); it has {known}"))
    }
}

/// What a person may choose about a target.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Format of the target.
    pub format: Format,
    /// Compression around a text.
    pub wrapping: Wrapping,
    /// Compression inside a binary format, or the level of the wrapping.
    pub compression: Option<Compression>,
    /// Rows in a row group of Parquet at most.
    pub row_group_rows: Option<u64>,
    /// Whether columns of Parquet may use a dictionary.
    pub dictionary: bool,
    /// Entries for the target's key-value metadata, where it has such.
    pub metadata: Vec<(String, String)>,
}

/// An encoder for tables of this schema.
///
/// # Errors
/// Options that the format does not have; a column type that the format cannot carry.
pub fn encoder(schema: &SchemaRef, options: &WriteOptions) -> Result<Box<dyn TableEncoder>> {
    match options.format {
        Format::Parquet => {
            let codec = match &options.compression {
                None => ParquetOptions::default().codec,
                Some(compression) => parquet_codec(compression)?,
            };
            let options = ParquetOptions {
                codec,
                row_group_rows: options.row_group_rows,
                dictionary: options.dictionary,
                metadata: options.metadata.clone(),
            };
            Ok(Box::new(ParquetEncoder::new(schema.clone(), &options)?))
        }
        Format::ArrowFile | Format::ArrowStream => {
            let compression = match &options.compression {
                None => BodyCompression::None,
                Some(compression) => arrow_compression(compression, options.format)?,
            };
            let stream = options.format == Format::ArrowStream;
            Ok(Box::new(ArrowEncoder::new(schema.clone(), ArrowOptions { stream, compression })))
        }
        Format::Csv | Format::Tsv | Format::JsonLines | Format::Avro => Err(Error::Misuse(format!(
            "writing {} is not possible in this version",
            options.format.name()
        ))),
    }
}

fn parquet_codec(compression: &Compression) -> Result<Codec> {
    let level = |default: i32| u32::try_from(compression.level_or(default));
    let known = "none, snappy, lz4, zstd[:1-22], gzip[:0-9], brotli[:0-11]";
    let refused = || compression.refused(Format::Parquet, known);
    Ok(match (compression.codec.as_str(), compression.level) {
        ("none", None) => Codec::None,
        ("snappy", None) => Codec::Snappy,
        ("lz4", None) => Codec::Lz4,
        ("zstd", _) => Codec::Zstd(compression.level_or(3)),
        ("gzip", _) => Codec::Gzip(level(6).map_err(|_| refused())?),
        ("brotli", _) => Codec::Brotli(level(1).map_err(|_| refused())?),
        _ => return Err(refused()),
    })
}

fn arrow_compression(compression: &Compression, format: Format) -> Result<BodyCompression> {
    match (compression.codec.as_str(), compression.level) {
        ("none", None) => Ok(BodyCompression::None),
        ("lz4", None) => Ok(BodyCompression::Lz4),
        ("zstd", None) => Ok(BodyCompression::Zstd),
        _ => Err(compression.refused(format, "none, lz4, zstd (without levels)")),
    }
}
