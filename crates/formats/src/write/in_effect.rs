//! Provides what decides the bytes of a target of tables, whether it was chosen or is a default, as
//! certificates tell it.

use serde_json::{Map, Value, json};

use super::{
    AvroCodec, BodyCompression, ParquetCodec, WriteOptions, arrow_compression, avro_codec, parquet_codec,
    wrap,
};
use crate::error::Result;
use crate::media::Key;
use crate::registry::Format;

impl WriteOptions {
    /// What decides the bytes of a target, after all defaults: its format, compression and layout, and how it
    /// is cut, where it shows that.
    ///
    /// # Errors
    /// A compression that the format does not have.
    pub fn in_effect(&self) -> Result<Map<String, Value>> {
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
        put("to", json!(self.format.name()));
        put("compression", json!(self.compression_in_effect()?));
        if matches!(self.format, Format::Csv | Format::Tsv) {
            put("delimiter", json!(self.media.text(Key::Delimiter).unwrap_or(",")));
            put("header", json!("yes"));
            put("quote", json!("\""));
        }
        if self.format == Format::Parquet {
            put("dictionary", json!(self.dictionary && self.media.truth(Key::Dictionary)));
        }
        if self.shows_parts() {
            let geometry = self.geometry();
            put("partBytes", json!(geometry.part_bytes.to_string()));
            match self.row_group_rows {
                Some(rows) => put("rowGroupRows", json!(rows.to_string())),
                None => {
                    put("leastParts", json!(geometry.least_parts.to_string()));
                    put("partRows", json!(geometry.part_rows.to_string()))
                }
            };
        }
        Ok(map)
    }

    /// Whether the bytes of a target depend on where its parts begin.
    fn shows_parts(&self) -> bool {
        matches!(self.format, Format::Parquet | Format::Avro) || self.is_wrapped()
    }

    /// Codec and level as they are written on the command line; of Arrow, which has no levels, the codec.
    fn compression_in_effect(&self) -> Result<String> {
        if self.format.is_text() {
            return Ok(wrap(self)?.settings().map_or_else(|| "none".to_owned(), |settings| settings.text()));
        }
        let chosen = self.compression()?;
        Ok(match self.format {
            Format::Parquet => match parquet_codec(&chosen)? {
                ParquetCodec::None => "none".to_owned(),
                ParquetCodec::Snappy => "snappy".to_owned(),
                ParquetCodec::Lz4 => "lz4".to_owned(),
                ParquetCodec::Gzip(level) => format!("gzip:{level}"),
                ParquetCodec::Zstd(level) => format!("zstd:{level}"),
                ParquetCodec::Brotli(level) => format!("brotli:{level}"),
            },
            Format::Avro => match avro_codec(&chosen)? {
                AvroCodec::Null => "none".to_owned(),
                AvroCodec::Snappy => "snappy".to_owned(),
                AvroCodec::Deflate(level) => format!("deflate:{level}"),
                AvroCodec::Zstd(level) => format!("zstd:{level}"),
                AvroCodec::Bzip2(level) => format!("bzip2:{level}"),
                AvroCodec::Xz(level) => format!("xz:{level}"),
            },
            format => match arrow_compression(&chosen, format)? {
                BodyCompression::None => "none".to_owned(),
                BodyCompression::Lz4 => "lz4".to_owned(),
                BodyCompression::Zstd => "zstd".to_owned(),
            },
        })
    }
}
