//! Provides media types: what one is called, how it is cut, stored and worked on, how much of its content a
//! conversion into it keeps, and what it may become. `docs/media-types.md` specifies the files that say so.
//!
//! The types of one run are the only thing that all of a process shares: [`install`] fixes them before
//! anything asks for them. What differs from the types that come with the program is told by [`changes`], for
//! certificates.

mod built_in;
mod graph;
mod keys;
mod read;
mod svg;
mod texts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value as Json, json};

use crate::bytes::{self, names};
use crate::error::{Error, Result};
use crate::image::ImageFormat;
use crate::registry::Format;
use crate::signal::SignalFormat;
pub use built_in::{BUILT_IN, BuiltIn};
pub use graph::{Edge, chain, dot, edge, edges};
pub use keys::{About, Key, Kind, size};
pub use svg::svg;
pub use texts::{BUDGETS, NO_DIGEST, ONE, delimiter};

/// What reads and writes the bytes of a media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// A format of tables.
    Table(Format),
    /// A container of arrays.
    Arrays(SignalFormat),
    /// A format of images.
    Image(ImageFormat),
    /// A wrapping of bytes.
    Bytes(bytes::Codec),
}

/// A kind of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// Byte strings.
    Bytes,
    /// Tables.
    Tables,
    /// Containers of arrays.
    Arrays,
    /// Images.
    Images,
}

impl Model {
    /// All of them, in the order of drawings.
    pub const ALL: [Model; 4] = [Model::Bytes, Model::Tables, Model::Arrays, Model::Images];

    /// The word that rules have for all of its types.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Tables => "tables",
            Self::Arrays => "arrays",
            Self::Images => "images",
        }
    }
}

impl Codec {
    /// What its content is.
    pub fn model(self) -> Model {
        match self {
            Self::Table(_) => Model::Tables,
            Self::Arrays(_) => Model::Arrays,
            Self::Image(_) => Model::Images,
            Self::Bytes(_) => Model::Bytes,
        }
    }

    /// Its name in definitions.
    pub fn name(self) -> &'static str {
        BUILT_IN.iter().find(|entry| entry.codec == self).map_or("", |entry| entry.name)
    }

    /// Whether it writes bytes, and does not only read them.
    pub fn is_written(self) -> bool {
        match self {
            Self::Arrays(format) => format.is_written(),
            Self::Image(format) => format.is_written(),
            Self::Table(_) | Self::Bytes(_) => true,
        }
    }

    /// The names of all that is written of the same kind: sounds are a kind of their own among arrays.
    pub fn written_alike(self) -> String {
        let is_sound = |codec| matches!(codec, Self::Arrays(format) if format.is_sound());
        let alike = |other: &Self| {
            other.is_written() && other.model() == self.model() && is_sound(*other) == is_sound(self)
        };
        let written = BUILT_IN.iter().map(|entry| entry.codec).filter(alike);
        written.map(Self::name).collect::<Vec<_>>().join(", ")
    }

    /// The type that it came with.
    pub fn media(self) -> &'static MediaType {
        let all = catalog();
        // The built-in types stand first, in their order.
        let at = BUILT_IN.iter().position(|entry| entry.codec == self).unwrap_or(0);
        &all.types[at]
    }
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number, or a size in bytes.
    Whole(u64),
    /// A number.
    Number(f64),
    /// Truth.
    Truth(bool),
    /// A text.
    Text(String),
    /// Sizes in bytes by the level from which on they hold, the least first.
    Steps(Vec<(u64, u64)>),
}

/// What survives on the way from one type to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Everything, and converting back gives the same text.
    Reversible,
    /// Everything, or the conversion fails.
    Exact,
    /// All but what a budget allows to differ; all without one.
    Bounded,
    /// There is no such conversion.
    Refused,
}

impl Class {
    /// All of them, from strong to weak.
    pub const ALL: [Class; 4] = [Self::Reversible, Self::Exact, Self::Bounded, Self::Refused];

    /// Its name in rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reversible => "reversible",
            Self::Exact => "exact",
            Self::Bounded => "bounded",
            Self::Refused => "refused",
        }
    }
}

/// What a type may become.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Names of types, or words for all types of a model.
    pub to: Vec<String>,
    /// What survives.
    pub class: Class,
    /// Cost for each byte of content, in place of that of decoding, encoding and reading back.
    pub cost: Option<f64>,
    /// Why, for the person who is refused.
    pub why: Option<String>,
    /// Where it says what it is about.
    at: String,
    /// Where it says what survives.
    class_at: String,
}

/// A media type.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaType {
    /// Its name on the command line.
    pub name: String,
    /// The media type itself.
    pub media_type: String,
    /// Endings of names, without the dot; the first is the usual one.
    pub endings: Vec<String>,
    /// What reads and writes it.
    pub codec: Codec,
    /// What it may become; of several rules about the same type the last one counts.
    pub rules: Vec<Rule>,
    values: BTreeMap<Key, Value>,
    /// What definitions of a person changed, with the new values as text.
    changed: BTreeMap<String, String>,
    /// Where these tell its names.
    places: BTreeMap<String, String>,
}

impl MediaType {
    /// Where a definition calls it so, and the key.
    fn place_of(&self, name: &str) -> Option<(&str, &str)> {
        let key = match name {
            name if name == self.name => "type.name",
            name if name == self.media_type => "type.media-type",
            _ => "type.endings",
        };
        self.places.get(key).map(|place| (place.as_str(), key))
    }

    /// Whether one of the rules is about the type of this name.
    fn has_rule_for(&self, name: &str) -> bool {
        self.rules.iter().any(|rule| rule.to.iter().any(|to| to == name))
    }

    /// A value.
    pub fn value(&self, key: Key) -> Option<&Value> {
        self.values.get(&key)
    }

    /// A whole number or size; 0 where there is none.
    pub fn whole(&self, key: Key) -> u64 {
        self.at_level(key, 0)
    }

    /// A size that depends on the level of compression.
    pub fn at_level(&self, key: Key, level: i32) -> u64 {
        let level = u64::try_from(level).unwrap_or(0);
        match self.values.get(&key) {
            Some(Value::Whole(whole)) => *whole,
            Some(Value::Steps(steps)) => {
                let step = steps.iter().rev().find(|(from, _)| *from <= level).or(steps.first());
                step.map_or(0, |(_, size)| *size)
            }
            _ => 0,
        }
    }

    /// A number; 0 where there is none.
    pub fn number(&self, key: Key) -> f64 {
        match self.values.get(&key) {
            Some(Value::Number(number)) => *number,
            Some(Value::Whole(whole)) => *whole as f64,
            _ => 0.0,
        }
    }

    /// A text, where there is one.
    pub fn text(&self, key: Key) -> Option<&str> {
        match self.values.get(&key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A truth; false where there is none.
    pub fn truth(&self, key: Key) -> bool {
        self.values.get(&key) == Some(&Value::Truth(true))
    }

    /// Threads that may work on a target, of these.
    pub fn threads(&self, of: usize) -> usize {
        match self.whole(Key::Threads) {
            0 => of,
            most => of.min(usize::try_from(most).unwrap_or(usize::MAX)),
        }
    }

    /// Memory that a worker needs for a part of this many bytes.
    pub fn memory(&self, part_bytes: u64) -> u64 {
        (part_bytes as f64 * self.number(Key::MemoryPerByte)) as u64
    }

    /// Whether a person's definition gave this value.
    pub fn is_changed(&self, key: Key) -> bool {
        self.changed.contains_key(key.about().name)
    }

    /// The last rule about a conversion; `None` where there is no direct one. None is about a type that is
    /// only read.
    pub fn rule_to(&self, to: &MediaType) -> Option<&Rule> {
        if !to.codec.is_written() {
            return None;
        }
        let model = to.codec.model().name();
        let about = |name: &String| *name == to.name || name == model;
        self.rules.iter().rev().find(|rule| rule.to.iter().any(about))
    }

    fn answers(&self, lower: &str) -> bool {
        self.name == lower || self.media_type == lower || self.endings.iter().any(|ending| ending == lower)
    }

    /// What differs from the type as it comes with the program, as a certificate records it; `None` where
    /// nothing does.
    fn record(&self) -> Option<Json> {
        if self.changed.is_empty() {
            return None;
        }
        let text: String = self.changed.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let digest = coherence::digest::Digest::blake3(text.as_bytes());
        Some(json!({ "codec": self.codec.name(), "blake3": digest.to_string(), "changed": self.changed }))
    }
}

/// The media types of a run.
#[derive(Debug, Clone)]
pub struct Catalog {
    types: Vec<MediaType>,
}

static CATALOG: OnceLock<Catalog> = OnceLock::new();

/// Fixes the media types of this process. The first call, or the first look at the types, decides.
pub fn install(catalog: Catalog) -> Result<()> {
    CATALOG.set(catalog).map_err(|_| Error::Bug("the media types were fixed before they were read".into()))
}

/// The media types of this process: those that come with the program, unless others were installed.
pub fn catalog() -> &'static Catalog {
    CATALOG.get_or_init(Catalog::built_in)
}

impl Catalog {
    /// The types that come with the program.
    pub fn built_in() -> Self {
        let types = BUILT_IN.iter().filter_map(|entry| read::built_in(entry).ok());
        Self { types: types.collect() }
    }

    /// The same with what the files of a directory change and add.
    ///
    /// # Errors
    /// A file that is no definition: with its line, column and key, and what would be allowed.
    pub fn with_dir(dir: &Path) -> Result<Self> {
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(|error| Error::io(dir, error))? {
            let path = entry.map_err(|error| Error::io(dir, error))?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                files.push(path);
            }
        }
        files.sort();
        if files.is_empty() {
            let shown = dir.display();
            return Err(Error::Misuse(format!("{shown}: no definition of a media type (*.toml) is in it")));
        }
        let mut texts = Vec::with_capacity(files.len());
        for path in files {
            texts.push((path.display().to_string(), read::text_of(&path)?));
        }
        Self::with_texts(&texts)
    }

    /// The same with texts under their names.
    pub fn with_texts(texts: &[(String, String)]) -> Result<Self> {
        let mut catalog = Self::built_in();
        for (name, text) in texts {
            read::apply(&mut catalog.types, name, text)?;
        }
        read::check_all(&catalog.types)?;
        Ok(catalog)
    }

    /// All types, those of the program first.
    pub fn types(&self) -> &[MediaType] {
        &self.types
    }

    /// The type that a person calls by name, media type or ending.
    pub fn named(&self, name: &str) -> Option<&MediaType> {
        let lower = name.to_ascii_lowercase();
        self.types.iter().find(|media| media.answers(&lower))
    }

    /// The type of an ending among those of a model.
    pub fn of_ending(&self, ending: &str, model: Model) -> Option<&MediaType> {
        let lower = ending.to_ascii_lowercase();
        let of_model = self.types.iter().filter(|media| media.codec.model() == model);
        of_model.into_iter().find(|media| media.endings.contains(&lower))
    }
}

/// The type of an object that a codec reads: as was said, as the ending of its name tells, or that of the
/// codec.
pub fn identify(codec: Codec, said: Option<&str>, path: Option<&Path>) -> &'static MediaType {
    let said = said.and_then(|name| catalog().named(name));
    let ending = || {
        let inner = match codec.model() {
            Model::Tables => names::split(path?).0,
            _ => path?.file_name()?.to_string_lossy().to_ascii_lowercase(),
        };
        catalog().of_ending(inner.rsplit_once('.')?.1, codec.model())
    };
    let fits = |media: &&MediaType| media.codec == codec;
    said.filter(fits).or_else(|| ending().filter(fits)).unwrap_or_else(|| codec.media())
}

/// What differs among these types from those that come with the program, as certificates record it.
pub fn changes(types: &[&MediaType]) -> Option<Json> {
    let records = types.iter().filter_map(|media| Some((media.media_type.clone(), media.record()?)));
    let records: BTreeMap<String, Json> = records.collect();
    (!records.is_empty()).then(|| json!(records))
}

/// What a certificate tells of a media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// What reads it.
    pub codec: Codec,
    /// The byte between the fields of delimited text.
    pub delimiter: u8,
    /// Samples of a part of arrays at most.
    pub part_samples: u64,
}

/// The media type of this name as a certificate records it among its parameters, where it differed from the
/// types that come with the program; else as these are.
pub fn recorded(media_type: &str, parameters: &serde_json::Map<String, Json>) -> Option<Recorded> {
    let record = parameters.get("mediaTypes").and_then(|types| types.get(media_type));
    let known = catalog().types.iter().find(|media| media.media_type == media_type);
    let codec = match record.and_then(|record| record.get("codec")).and_then(Json::as_str) {
        Some(codec) => BUILT_IN.iter().find(|entry| entry.name == codec).map(|entry| entry.codec)?,
        None => known?.codec,
    };
    let changed = |key: Key| record.and_then(|record| record.get("changed")?.get(key.about().name)?.as_str());
    // What is not recorded was as it comes with the program, whatever is known here.
    let plain = read::built_in(BUILT_IN.iter().find(|entry| entry.codec == codec)?).ok()?;
    let text = changed(Key::Delimiter).or_else(|| plain.text(Key::Delimiter));
    let samples = changed(Key::PartSamples).and_then(|samples| samples.parse().ok());
    Some(Recorded {
        codec,
        delimiter: text.and_then(delimiter).unwrap_or(b','),
        part_samples: samples.unwrap_or_else(|| plain.whole(Key::PartSamples)),
    })
}

#[cfg(test)]
mod tests;
