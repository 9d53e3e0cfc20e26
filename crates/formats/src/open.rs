//! Provides the opening of a source: which format it is, a table over it, and how its text is typed.
//!
//! A typing is proposed by a sample and checked against every field while the table is read. Where a field does not
//! fit ([`Error::Retype`]) the whole table is profiled once; the outcome is the same as if that had been done first,
//! since a profile that all fields fit is the profile of all fields.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coherence::certificate::ColumnStyle;

use crate::csv::{CsvEncoder, CsvFormat, CsvOptions, CsvTable, Scan, ScanOptions, detect as detect_dialect, observe, scan};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::ipc::ArrowSource;
use crate::parquet::ParquetSource;
use crate::registry::{Format, Wrapping};
use crate::spool::{EncodingChoice, SpoolOptions, TextFile, TextSource, Wrap, open_text};
use crate::table::TableSource;
use crate::text::{ColumnTyping, Profile, TypingOptions};

/// Chunks of a text that the first proposal looks at.
const SAMPLE_CHUNKS: usize = 2;

/// What a person may say about a source.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Its format, where neither bytes nor name tell.
    pub format: Option<Format>,
    /// How delimited text is laid out.
    pub csv: CsvOptions,
    /// How text becomes typed.
    pub typing: TypingRules,
    /// Encoding of text.
    pub encoding: EncodingChoice,
    /// Directory for temporaries, where a source cannot be read twice or in place.
    pub spool_dir: PathBuf,
}

/// How the columns of a text become typed.
#[derive(Debug, Clone, Default)]
pub struct TypingRules {
    /// The rule for all columns.
    pub all: TypingOptions,
    /// Types that were given for single columns, by name.
    pub fixed: Vec<(String, String)>,
    /// Whether a name among them that the source does not have is passed over.
    pub fixed_if_present: bool,
}

impl TypingRules {
    /// Fresh profiles for columns of these names.
    fn profiles<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<Vec<Profile>> {
        let names: Vec<&str> = names.collect();
        for (name, _) in &self.fixed {
            if !self.fixed_if_present && !names.contains(&name.as_str()) {
                return Err(Error::Misuse(format!("--type {name}=…: the source has no column {name:?}")));
            }
        }
        let profile = |name: &&str| {
            let fixed = self.fixed.iter().find(|(column, _)| column == name).map(|(_, ty)| ty.clone());
            Profile::with_options(&TypingOptions { fixed: fixed.or(self.all.fixed.clone()), ..self.all.clone() })
        };
        names.iter().map(profile).collect()
    }
}

/// Observations of all columns of a stretch of text, to be merged with others.
pub enum Profiled {
    /// Of delimited text.
    Csv(Vec<Profile>),
}

/// Runs work by index on as many threads as there are, and hands over the results in order.
pub type Pool<'a> = &'a dyn Fn(
    usize,
    &(dyn Fn(usize) -> Result<Profiled> + Sync),
    &mut (dyn FnMut(Profiled) -> Result<()> + Send),
) -> Result<()>;

enum Table {
    Binary(Box<dyn TableSource>),
    Csv { table: CsvTable, fresh: Vec<Profile>, why: Vec<String>, whole: bool },
}

/// An open source.
pub struct Opened {
    /// Its format.
    pub format: Format,
    /// Compression around it.
    pub wrapping: Wrapping,
    /// The object as it lies on disk.
    pub file: Arc<ObjectFile>,
    /// What a person should know of how it is read.
    pub notes: Vec<String>,
    table: Table,
}

/// The format of an object: what was said, else what its first bytes tell, else what its name tells.
pub fn detect(file: &ObjectFile, said: Option<Format>) -> Result<(Format, Wrapping)> {
    let mut start = [0u8; 16];
    let n = file.read_at(&mut start, 0)?;
    let start = &start[..n];
    let wrapping = Wrapping::of_bytes(start);
    if let Some(format) = said {
        return Ok((format, if format.is_text() { wrapping } else { Wrapping::Plain }));
    }
    if let Some(format) = Format::of_bytes(start) {
        return Ok((format, Wrapping::Plain));
    }
    match Format::of_name(file.path()) {
        Some((format, _)) if format.is_text() => Ok((format, wrapping)),
        Some((format, _)) => {
            let what = format!("the name says {}, but the bytes do not begin like it", format.name());
            Err(Error::malformed("file", Place::at_byte(0), what))
        }
        None => Err(Error::unsupported(
            Place::default(),
            "neither the bytes nor the name tell a format",
            "name the format with --from",
        )),
    }
}

/// Opens a source.
///
/// # Errors
/// Those of the format; every error names the file.
pub fn open(file: Arc<ObjectFile>, options: &OpenOptions) -> Result<Opened> {
    let path = file.path().to_owned();
    open_unnamed(file, options).map_err(|error| error.in_file(&path))
}

fn open_unnamed(file: Arc<ObjectFile>, options: &OpenOptions) -> Result<Opened> {
    let (format, wrapping) = detect(&file, options.format)?;
    let mut notes = Vec::new();
    let table = match format {
        Format::Csv | Format::Tsv => open_csv(&file, format, options, &mut notes)?,
        Format::JsonLines => return Err(Error::Misuse("reading jsonl is not possible in this version".into())),
        binary => Table::Binary(open_binary(file.clone(), binary)?),
    };
    Ok(Opened { format, wrapping, file, notes, table })
}

fn open_binary(file: Arc<ObjectFile>, format: Format) -> Result<Box<dyn TableSource>> {
    Ok(match format {
        Format::Parquet => Box::new(ParquetSource::open(file)?),
        Format::ArrowFile | Format::ArrowStream => Box::new(ArrowSource::open(file)?),
        other => return Err(Error::Misuse(format!("reading {} is not possible in this version", other.name()))),
    })
}

/// The text of a file, in place or spooled.
fn text_of(file: &ObjectFile, options: &OpenOptions) -> Result<Arc<TextFile>> {
    let spool = SpoolOptions { encoding: options.encoding, ..SpoolOptions::new(&options.spool_dir) };
    open_text(TextSource::Path(file.path().to_owned()), spool).map(Arc::new)
}

fn open_csv(file: &ObjectFile, format: Format, options: &OpenOptions, notes: &mut Vec<String>) -> Result<Table> {
    let text = text_of(file, options)?;
    let proposed = (format == Format::Tsv).then_some(b'\t');
    let dialect = detect_dialect(text.as_ref(), &options.csv, proposed)?;
    notes.extend(dialect.why.iter().cloned());
    for name in dialect.names.iter().filter(|name| name.renamed()) {
        let original = name.original.as_deref().unwrap_or("");
        notes.push(format!("the column headed {original:?} is called {:?}", name.name));
    }
    let found = scan(text.as_ref(), &dialect, ScanOptions::default(), &mut |_| {})?;
    let fresh = options.typing.profiles(dialect.names.iter().map(|name| name.name.as_str()))?;
    let profiles = sample(&text, &dialect, &found, &fresh)?;
    let (typings, why) = resolve(&profiles);
    let whole = found.marks.len() <= SAMPLE_CHUNKS;
    Ok(Table::Csv { table: CsvTable::new(text, dialect, found, typings), fresh, why, whole })
}

/// Profiles of the first chunk and of others.
fn sample(
    text: &TextFile,
    dialect: &crate::csv::Dialect,
    scan: &Scan,
    fresh: &[Profile],
) -> Result<Vec<Profile>> {
    let mut merged = fresh.to_vec();
    for part in scan.sample(SAMPLE_CHUNKS) {
        merge(&mut merged, &observe(text, dialect, &part, fresh)?);
    }
    Ok(merged)
}

fn merge(merged: &mut [Profile], more: &[Profile]) {
    for (profile, more) in merged.iter_mut().zip(more) {
        profile.merge(more);
    }
}

fn resolve(profiles: &[Profile]) -> (Vec<ColumnTyping>, Vec<String>) {
    profiles.iter().map(Profile::resolve).map(|resolved| (resolved.typing, resolved.why)).unzip()
}

impl Opened {
    /// Its rows.
    pub fn table(&self) -> &dyn TableSource {
        match &self.table {
            Table::Binary(table) => table.as_ref(),
            Table::Csv { table, .. } => table,
        }
    }

    /// Records that a scan which shares no code with the decoder counted. Binary formats declare their rows in more
    /// than one place, and opening them compares those.
    pub fn records(&self) -> u64 {
        self.table().rows()
    }

    /// Whether its types come from its text and were proposed by a sample.
    pub fn can_retype(&self) -> bool {
        matches!(&self.table, Table::Csv { whole: false, .. })
    }

    /// Types of text columns with their styles; `None` for formats that hold types.
    pub fn typings(&self) -> Option<&[ColumnTyping]> {
        match &self.table {
            Table::Binary(_) => None,
            Table::Csv { table, .. } => Some(table.typings()),
        }
    }

    /// Why each column has its type; empty where there is nothing to say.
    pub fn why(&self) -> &[String] {
        match &self.table {
            Table::Binary(_) => &[],
            Table::Csv { why, .. } => why,
        }
    }

    /// Profiles the whole text and takes the typing that all fields fit.
    pub fn retype(&mut self, pool: Pool<'_>) -> Result<()> {
        let Table::Csv { table, fresh, why, whole } = &mut self.table else { return Ok(()) };
        let mut merged = fresh.clone();
        let observe = |chunk: usize| Ok(Profiled::Csv(table.observe_chunk(chunk, fresh)?));
        pool(table.chunks(), &observe, &mut |Profiled::Csv(more)| {
            merge(&mut merged, &more);
            Ok(())
        })?;
        let typings;
        (typings, *why) = resolve(&merged);
        table.retype(typings);
        *whole = true;
        Ok(())
    }

    /// How text spells each column, for the certificate.
    pub fn styles(&self) -> Vec<ColumnStyle> {
        match self.typings() {
            None => {
                let native = ColumnStyle { style: serde_json::Map::new(), reversible: true };
                vec![native; self.table().schema().fields().len()]
            }
            Some(typings) => typings.iter().map(style).collect(),
        }
    }
}

fn style(typing: &ColumnTyping) -> ColumnStyle {
    ColumnStyle { style: typing.to_json(), reversible: typing.reversible }
}

/// Opens a finished target as a table of its own, under the typings that it was written with where it is text.
pub fn open_target(
    file: Arc<ObjectFile>,
    options: &crate::write::WriteOptions,
    encoder: &crate::write::Encoder,
) -> Result<Box<dyn TableSource>> {
    let path = file.path().to_owned();
    match encoder {
        crate::write::Encoder::Binary(_) => open_binary(file, options.format).map_err(|error| error.in_file(&path)),
        crate::write::Encoder::Csv(encoder) => open_csv_target(&file, encoder, path.parent().unwrap_or(Path::new("."))).map_err(|error| error.in_file(&path)),
    }
}

fn open_csv_target(file: &ObjectFile, encoder: &CsvEncoder, dir: &Path) -> Result<Box<dyn TableSource>> {
    let path = file.path();
    let text = Arc::new(open_text(TextSource::Path(path.to_owned()), SpoolOptions::new(dir))?);
    let dialect = encoder.dialect()?;
    let found = scan(text.as_ref(), &dialect, ScanOptions::default(), &mut |_| {})?;
    Ok(Box::new(CsvTable::new(text, dialect, found, encoder.typings().to_vec())))
}

/// Opens a target that a certificate describes, under the styles that it records.
///
/// # Errors
/// A media type that is no format; styles that are none; those of the format.
pub fn open_recorded(
    file: Arc<ObjectFile>,
    media_type: &str,
    names: &[String],
    styles: &[serde_json::Map<String, serde_json::Value>],
    options: &OpenOptions,
) -> Result<Box<dyn TableSource>> {
    let path = file.path().to_owned();
    let format = Format::named(media_type)?;
    let open = || match format {
        Format::Csv | Format::Tsv => {
            let typings = styles.iter().map(ColumnTyping::from_json).collect::<Result<Vec<_>>>()?;
            let format = if format == Format::Tsv { CsvFormat::tsv() } else { CsvFormat::default() };
            let encoder = CsvEncoder::new(names.to_vec(), typings, format, Wrap::None);
            open_csv_target(&file, &encoder, &options.spool_dir)
        }
        binary => open_binary(file.clone(), binary),
    };
    open().map_err(|error| error.in_file(&path))
}
