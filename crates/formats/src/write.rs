//! Provides encoders by format: what a person may choose about a target, and the encoder that carries it out.

mod in_effect;

use arrow_schema::SchemaRef;

use crate::avro::{AvroEncoder, AvroOptions, Codec as AvroCodec};
use crate::bytes::{self, CODECS};
use crate::carry::{CarriedEncoder, Carrier, check_names};
use crate::csv::{CsvEncoder, CsvFormat};
use crate::error::{Error, Result};
use crate::geometry::Geometry;
use crate::ipc::{ArrowEncoder, ArrowOptions, BodyCompression};
use crate::jsonl::JsonEncoder;
use crate::media::{Codec, Key, MediaType, delimiter};
use crate::metadata::{entries, foreign, refuse_asked, with_entries};
use crate::parquet::{Codec as ParquetCodec, ParquetEncoder, ParquetOptions};
use crate::registry::{Format, Wrapping};
use crate::spool::Wrap;
use crate::table::TableEncoder;
use crate::typings::Typings;

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
                let level = level.map_err(|_| {
                    Error::Compression(format!("the level of {text:?} is no number; write it like zstd:3"))
                })?;
                (codec, Some(level))
            }
        };
        Ok(Compression { codec: codec.to_ascii_lowercase(), level })
    }

    /// Whether any target has it.
    fn exists(&self) -> bool {
        let wrapping = bytes::Codec::named(&self.codec);
        wrapping.is_some_and(|codec| bytes::Settings::new(codec, self.level).is_ok())
            || [Format::Parquet, Format::Avro, Format::ArrowFile].iter().any(|f| has_compression(*f, self))
    }

    /// The level, or the default of the codec.
    fn level_or(&self, default: i32) -> i32 {
        self.level.unwrap_or(default)
    }

    fn refused(&self, format: Format, known: &str) -> Error {
        let (codec, format) = (&self.codec, format.name());
        let (asked, note) = match self.level {
            Some(level) => (format!("{codec}:{level}"), " at this level"),
            None => (codec.clone(), ""),
        };
        Error::Compression(format!("{format} has no {asked:?}{note}; it has {known}"))
    }
}

/// What a person may choose about a target.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Format of the target.
    pub format: Format,
    /// Media type of the target, which is of this format: what is not chosen is as it says.
    pub media: &'static MediaType,
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

impl WriteOptions {
    /// Those of a target in this format of which nothing was chosen.
    pub fn plain(format: Format) -> Self {
        WriteOptions {
            format,
            media: format.media(),
            wrapping: Wrapping::Raw,
            compression: None,
            row_group_rows: None,
            dictionary: true,
            metadata: Vec::new(),
        }
    }

    /// Whether a target tells the styles of its columns only behind its parts, so that these do not depend on
    /// them.
    pub fn styles_come_last(&self) -> bool {
        self.format == Format::Parquet
    }

    /// Rows of a part, where they do not follow from the size of the table: those that a person asked for, or
    /// one chunk where a target shows no trace of its parts, so that few bytes wait for their turn.
    pub fn part_rows(&self) -> Option<u64> {
        let traceless = match self.format {
            Format::Csv | Format::Tsv | Format::JsonLines => self.wrapping == Wrapping::Raw,
            // One message holds a chunk.
            Format::ArrowFile | Format::ArrowStream => true,
            Format::Parquet | Format::Avro => false,
        };
        self.row_group_rows.or_else(|| traceless.then(|| self.media.whole(Key::SeamlessRows)))
    }

    /// Whether a compression goes around the target.
    pub fn is_wrapped(&self) -> bool {
        self.format.is_text() && !wrap(self).is_ok_and(|wrap| wrap == Wrap::NONE)
    }

    /// What goes around the target.
    pub fn around(&self) -> Option<bytes::Settings> {
        wrap(self).ok().filter(|_| self.format.is_text())?.settings()
    }

    /// Whether all of the target is one member of a wrapping, which is whole only with its end.
    pub fn is_one_member(&self) -> bool {
        self.around().is_some_and(|around| Wrap::new(around).member().is_some())
    }

    /// Memory that a worker is given for what goes around the target, beside that for its part.
    pub fn wrapping_bytes(&self) -> u64 {
        self.around().map_or(0, |settings| settings.codec.media().at_level(Key::WorkerBytes, settings.level))
    }

    /// How a table is cut for the target.
    pub fn geometry(&self) -> Geometry {
        Geometry::of(self.media)
    }

    /// The same without a compression that this target does not have: a default waits for a target that it is
    /// about. A text is wrapped as its name says, and takes only the level.
    #[must_use]
    pub fn without_waiting_compression(mut self) -> Self {
        let fits = |chosen: &Compression| match self.format.is_text() {
            true => self.wrapping != Wrapping::Raw && wrap(&self).is_ok(),
            false => has_compression(self.format, chosen),
        };
        if self.compression.as_ref().is_some_and(|chosen| !fits(chosen) && chosen.exists()) {
            self.compression = None;
        }
        self
    }

    /// The compression that was chosen, or that of the media type.
    fn compression(&self) -> Result<Compression> {
        match &self.compression {
            Some(chosen) => Ok(chosen.clone()),
            None => Compression::parse(self.media.text(Key::Compression).unwrap_or("none")),
        }
    }
}

/// An encoder, by how its target is read back.
pub enum Encoder {
    /// The target holds its own types.
    Binary(Box<dyn TableEncoder>),
    /// Delimited text, which is read back under the typings that it was written with.
    Csv(CsvEncoder),
    /// JSON Lines, likewise.
    Json(JsonEncoder),
}

impl Encoder {
    /// The encoder itself.
    pub fn get(&self) -> &dyn TableEncoder {
        match self {
            Encoder::Binary(encoder) => encoder.as_ref(),
            Encoder::Csv(encoder) => encoder,
            Encoder::Json(encoder) => encoder,
        }
    }
}

/// An encoder for tables of this schema. `typings` tell how the columns stood in text, where they did.
///
/// # Errors
/// Options that the format does not have; a column type that the format cannot carry.
pub fn encoder(schema: &SchemaRef, typings: &Typings, options: &WriteOptions) -> Result<Encoder> {
    refuse_asked(options)?;
    check_names(options.format.codec_name(), schema)?;
    Ok(match options.format {
        Format::Parquet => Encoder::Binary(parquet(schema, typings, options)?),
        Format::ArrowFile | Format::ArrowStream => Encoder::Binary(arrow(schema, typings, options)?),
        Format::Avro => Encoder::Binary(avro(schema, typings, options)?),
        Format::Csv | Format::Tsv => {
            let names = schema.fields().iter().map(|field| field.name().clone()).collect();
            let delimiter = options.media.text(Key::Delimiter).and_then(delimiter).unwrap_or(b',');
            let layout = CsvFormat { delimiter, ..CsvFormat::default() };
            Encoder::Csv(CsvEncoder::new(names, typings.fields(schema)?, layout, wrap(options)?))
        }
        Format::JsonLines => {
            Encoder::Json(JsonEncoder::new(schema.clone(), typings.json(schema), wrap(options)?)?)
        }
    })
}

fn parquet(schema: &SchemaRef, typings: &Typings, options: &WriteOptions) -> Result<Box<dyn TableEncoder>> {
    let codec = parquet_codec(&options.compression()?)?;
    let carrier = Carrier::plan("parquet", schema)?;
    let chosen = ParquetOptions {
        codec,
        row_group_rows: options.row_group_rows,
        dictionary: options.dictionary && options.media.truth(Key::Dictionary),
        metadata: entries(schema, typings, options, Some(&carrier))?,
    };
    // Readers that know the embedded Arrow schema take metadata from there alone, and others from beside it.
    let embedded = foreign(&chosen.metadata);
    let encoder = ParquetEncoder::new(with_entries(carrier.physical(), embedded), &chosen)?;
    Ok(carried(encoder, carrier))
}

fn arrow(schema: &SchemaRef, typings: &Typings, options: &WriteOptions) -> Result<Box<dyn TableEncoder>> {
    let compression = arrow_compression(&options.compression()?, options.format)?;
    let stream = options.format == Format::ArrowStream;
    let carrier = Carrier::plan(options.format.codec_name(), schema)?;
    let physical = with_entries(carrier.physical(), entries(schema, typings, options, Some(&carrier))?);
    Ok(carried(ArrowEncoder::new(physical, ArrowOptions { stream, compression }), carrier))
}

fn avro(schema: &SchemaRef, typings: &Typings, options: &WriteOptions) -> Result<Box<dyn TableEncoder>> {
    let codec = avro_codec(&options.compression()?)?;
    let metadata = entries(schema, typings, options, None)?;
    Ok(Box::new(AvroEncoder::new(schema, &AvroOptions { codec, metadata })?))
}

fn carried<E: TableEncoder + 'static>(encoder: E, carrier: Carrier) -> Box<dyn TableEncoder> {
    if carrier.is_direct() { Box::new(encoder) } else { Box::new(CarriedEncoder::new(encoder, carrier)) }
}

fn avro_codec(compression: &Compression) -> Result<AvroCodec> {
    let refused = || {
        compression.refused(Format::Avro, "none, deflate[:0-9], snappy, zstd[:1-22], bzip2[:1-9], xz[:0-9]")
    };
    let range = |known: std::ops::RangeInclusive<i32>| compression.level.is_none_or(|l| known.contains(&l));
    Ok(match (compression.codec.as_str(), compression.level) {
        ("none" | "null", None) => AvroCodec::Null,
        ("deflate", _) if range(0..=9) => {
            AvroCodec::Deflate(u32::try_from(compression.level_or(6)).map_err(|_| refused())?)
        }
        ("snappy", None) => AvroCodec::Snappy,
        ("zstd" | "zstandard", _) if range(1..=22) => AvroCodec::Zstd(compression.level_or(3)),
        ("bzip2", _) if range(1..=9) => {
            AvroCodec::Bzip2(u32::try_from(compression.level_or(9)).map_err(|_| refused())?)
        }
        ("xz", _) if range(0..=9) => AvroCodec::Xz(compression.level_or(6)),
        _ => return Err(refused()),
    })
}

/// The compression around a text: what the name of the target says, at the level that was asked for.
fn wrap(options: &WriteOptions) -> Result<Wrap> {
    let Some(compression) = &options.compression else {
        return Ok(Wrap::new(bytes::Settings::new(options.wrapping, None)?));
    };
    let asked = match (compression.codec.as_str(), compression.level) {
        ("none", None) => Wrapping::Raw,
        (name, _) => {
            let packs = CODECS.iter().filter(|codec| **codec != Wrapping::Raw);
            let mut known = packs.clone().filter(|codec| codec.name() == name);
            let names = || packs.map(|codec| codec.name()).collect::<Vec<_>>().join(", ");
            *known.next().ok_or_else(|| compression.refused(options.format, &format!("none, {}", names())))?
        }
    };
    let wrapping = match (options.wrapping, asked) {
        (Wrapping::Raw, asked) => asked,
        // The blocks of BGZF are gzip.
        (Wrapping::Bgzf, Wrapping::Gzip) => Wrapping::Bgzf,
        (named, asked) if named == asked => asked,
        (named, _) => {
            return Err(Error::Misuse(format!(
                "--compression {}: the target's name, or --to, says another compression, {}; leave one of \
                 the two away",
                compression.codec,
                named.name()
            )));
        }
    };
    Ok(Wrap::new(bytes::Settings::new(wrapping, compression.level)?))
}

/// Refuses a compression that the target does not have.
pub fn check_compression(options: &WriteOptions) -> Result<()> {
    match options.format.is_text() {
        true => wrap(options).map(drop),
        false => check_inside(options.format, &options.compression()?),
    }
}

/// The ending of names for files that are written like this, without the dot in front.
///
/// # Errors
/// Options that the format does not have.
pub fn ending(options: &WriteOptions) -> Result<String> {
    let ending = options.media.endings.first().map_or("", String::as_str);
    let wrapped = if options.format.is_text() { wrap(options)? } else { Wrap::NONE };
    Ok(match wrapped.settings().and_then(|settings| settings.codec.endings().first()) {
        None => ending.to_owned(),
        Some(packed) => format!("{ending}.{packed}"),
    })
}

fn parquet_codec(compression: &Compression) -> Result<ParquetCodec> {
    let level = |default: i32| u32::try_from(compression.level_or(default));
    let range = |known: std::ops::RangeInclusive<i32>| compression.level.is_none_or(|l| known.contains(&l));
    let known = "none, snappy, lz4, zstd[:1-22], gzip[:0-9], brotli[:0-11]";
    let refused = || compression.refused(Format::Parquet, known);
    Ok(match (compression.codec.as_str(), compression.level) {
        ("none", None) => ParquetCodec::None,
        ("snappy", None) => ParquetCodec::Snappy,
        ("lz4", None) => ParquetCodec::Lz4,
        ("zstd", _) if range(1..=22) => ParquetCodec::Zstd(compression.level_or(3)),
        ("gzip", _) if range(0..=9) => ParquetCodec::Gzip(level(6).map_err(|_| refused())?),
        ("brotli", _) if range(0..=11) => ParquetCodec::Brotli(level(1).map_err(|_| refused())?),
        _ => return Err(refused()),
    })
}

/// Whether a codec of tables has a compression: codec or codec:level.
pub(crate) fn knows_compression(codec: Codec, text: &str) -> bool {
    let (Codec::Table(format), Ok(compression)) = (codec, Compression::parse(text)) else { return false };
    has_compression(format, &compression)
}

/// The same for a binary format.
fn has_compression(format: Format, compression: &Compression) -> bool {
    check_inside(format, compression).is_ok()
}

/// Refuses what a format does not have inside, as text has nothing.
fn check_inside(format: Format, compression: &Compression) -> Result<()> {
    match format {
        Format::Parquet => parquet_codec(compression).map(drop),
        Format::Avro => avro_codec(compression).map(drop),
        Format::ArrowFile | Format::ArrowStream => arrow_compression(compression, format).map(drop),
        Format::Csv | Format::Tsv | Format::JsonLines => Err(compression.refused(format, "none inside")),
    }
}

fn arrow_compression(compression: &Compression, format: Format) -> Result<BodyCompression> {
    match (compression.codec.as_str(), compression.level) {
        ("none", None) => Ok(BodyCompression::None),
        ("lz4", None) => Ok(BodyCompression::Lz4),
        ("zstd", None) => Ok(BodyCompression::Zstd),
        _ => Err(compression.refused(format, "none, lz4, zstd (without levels)")),
    }
}
