//! Provides the table of formats, and how a format is found: by the bytes where they tell, by the name where
//! not.

use std::path::Path;

use crate::bytes::names::split;
use crate::error::{Error, Result};
use crate::media::{Codec, MediaType, Model, catalog};
pub use crate::spool::Wrapping;
use crate::words::near;

/// A representation of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Comma-separated values and relatives.
    Csv,
    /// Tab-separated values: CSV whose delimiter is a tab unless said otherwise.
    Tsv,
    /// One JSON object a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC with a footer.
    ArrowFile,
    /// Apache Arrow IPC without a footer.
    ArrowStream,
    /// Apache Avro object container files.
    Avro,
}

/// All formats, in the order in which they are listed.
pub const FORMATS: [Format; 7] = [
    Format::Csv,
    Format::Tsv,
    Format::JsonLines,
    Format::Parquet,
    Format::ArrowFile,
    Format::ArrowStream,
    Format::Avro,
];

impl Format {
    /// The media type that it came with.
    pub fn media(self) -> &'static MediaType {
        Codec::Table(self).media()
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        &self.media().name
    }

    /// The name of its codec, by which tables of data know it: no definition changes it.
    pub fn codec_name(self) -> &'static str {
        Codec::Table(self).name()
    }

    /// Its IANA media type, or the one that its project uses.
    pub fn media_type(self) -> &'static str {
        &self.media().media_type
    }

    /// The endings of names, without the dot; the first is the usual one.
    pub fn endings(self) -> &'static [String] {
        &self.media().endings
    }

    /// Whether it is text, which may be wrapped and whose values are typed by a rule.
    pub fn is_text(self) -> bool {
        matches!(self, Format::Csv | Format::Tsv | Format::JsonLines)
    }

    /// The format that a person calls by name, ending or media type.
    pub fn named(name: &str) -> Result<Self> {
        Self::of_all(name, |_| true)
    }

    /// The same of a target: what is only read is not offered.
    pub fn named_target(name: &str) -> Result<Self> {
        Self::of_all(name, Codec::is_written)
    }

    fn of_all(name: &str, is_offered: fn(Codec) -> bool) -> Result<Self> {
        match catalog().named(name).map(|media| media.codec) {
            Some(Codec::Table(format)) => Ok(format),
            Some(_) => {
                Err(Error::Misuse(format!("{name:?} is no format of tables; those are {}", Self::names())))
            }
            None => {
                let all = catalog().types().iter().filter(|media| is_offered(media.codec));
                let all: Vec<_> = all.map(|media| media.name.as_str()).collect();
                let next = match near(name, &all) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("the formats are {}", all.join(", ")),
                };
                Err(Error::Misuse(format!("{name:?} is no format; {next}")))
            }
        }
    }

    /// The names of all types of tables, also of those that a person defined, with commas between them.
    pub fn names() -> String {
        let tables = catalog().types().iter().filter(|media| media.codec.model() == Model::Tables);
        tables.map(|media| media.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The format that the ending of a name tells, and whether the name says that it is wrapped.
    pub fn of_name(path: &Path) -> Option<(Self, Wrapping)> {
        let (name, wrapping) = split(path);
        let (_, ending) = name.rsplit_once('.')?;
        match catalog().of_ending(ending, Model::Tables)?.codec {
            Codec::Table(format) => Some((format, wrapping.unwrap_or(Wrapping::Raw))),
            _ => None,
        }
    }

    /// The format of binary bytes, by their first ones.
    pub fn of_bytes(start: &[u8]) -> Option<Self> {
        match start {
            [b'P', b'A', b'R', b'1' | b'E', ..] => Some(Format::Parquet),
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Some(Format::ArrowFile),
            [b'O', b'b', b'j', 1, ..] => Some(Format::Avro),
            [0xff, 0xff, 0xff, 0xff, ..] => Some(Format::ArrowStream),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::CODECS;

    #[test]
    fn names_and_endings_belong_to_one_format() {
        for format in FORMATS {
            assert_eq!(Format::named(format.name()).unwrap(), format);
            assert_eq!(Format::named(format.media_type()).unwrap(), format);
            for ending in format.endings() {
                let name = format!("a.b.{ending}");
                assert_eq!(Format::of_name(Path::new(&name)), Some((format, Wrapping::Raw)));
            }
        }
        assert_eq!(Format::of_name(Path::new("x.CSV.gz")), Some((Format::Csv, Wrapping::Gzip)));
        assert_eq!(Format::of_name(Path::new("x.jsonl.zst")), Some((Format::JsonLines, Wrapping::Zstd)));
        for codec in CODECS.into_iter().filter(|codec| *codec != Wrapping::Raw) {
            let name = format!("x.tsv.{}", codec.endings()[0]);
            assert_eq!(Format::of_name(Path::new(&name)), Some((Format::Tsv, codec)));
        }
        assert_eq!(Format::of_name(Path::new("csv")), None);
    }
}
