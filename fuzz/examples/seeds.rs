//! Writes the inputs from which fuzzing starts, a folder for each target: the files of `testdata`, and small
//! tables in every format and compression, whole and column by column.
//!
//! They are made anew for every run, so that nothing binary is kept in the repository and a new type or codec
//! is a seed at once.

use std::error::Error;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use coherence::budget::Budget;
use coherence::certificate::{self, ColumnStyle, Facts, File};
use coherence::claim::{Claim, ReadBack};
use coherence::content::{Model, TableDigester};
use coherence::digest::{Digest, ObjectHasher};
use coherence::sample::SampleType;
use coherence::statement::{Execution, Tool};
use coherence::verified::{Records, Verified, VerifiedWhole};
use ed25519_dalek::SigningKey;
use formats::bytes::{CODECS, Settings as Packed};
use formats::carry::Carrier;
use formats::conformance::{sample, write};
use formats::file::ObjectFile;
use formats::image::{Channels, IMAGE_FORMATS, Image, ImageFormat, Settings, decode, encode, fit};
use formats::oracle::{array_seeds, sound_seeds};
use formats::registry::{FORMATS, Format, Wrapping};
use formats::signal::SignalFormat;
use formats::typings::Typings;
use formats::write::{Compression, Encoder, WriteOptions, encoder};
use fuzz::targets;
// Instrumented libraries report to libFuzzer, wherever they are linked.
use libfuzzer_sys as _;
use serde_json::Map;

type Done = Result<(), Box<dyn Error>>;

/// Larger files slow fuzzing down more than what is in them helps.
const FILE_BYTES_MAX: usize = 32 << 10;

/// Columns of text, a field on each line.
const COLUMNS: [&str; 10] = [
    "1\n-2\n\n30",
    "007\n010",
    "1.50\n-0.25\n12.00",
    "1,5\n2,25",
    "1e9\n-0.0\nNaN\ninf",
    "true\nFALSE\n\"\"",
    "2024-02-29\n1999-12-31",
    "31/12/1999 23:59\n01/02/2003 04:05",
    "N/A\n\n31/12/1999\n\n32/13/2003",
    "2024-02-29T23:59:59.125Z\n2024-02-29T23:59:59.125+02:00",
];

struct Corpus(PathBuf);

impl Corpus {
    /// A seed is named by its digest, as libFuzzer names what it finds.
    fn add(&self, target: &str, bytes: &[u8]) -> Result<PathBuf, Box<dyn Error>> {
        let folder = self.0.join(target);
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(&Digest::blake3(bytes).to_string()[..16]);
        std::fs::write(&path, bytes)?;
        Ok(path)
    }

    /// A seed behind a byte with which its oracle makes choices.
    fn chosen(&self, target: &str, choice: &[u8], bytes: &[u8]) -> Done {
        self.add(target, &[choice, bytes].concat()).map(drop)
    }

    /// A file of a format, for all targets that such a file can tell something.
    fn table(&self, format: Format, bytes: &[u8]) -> Done {
        let endings: Vec<&str> =
            FORMATS.iter().flat_map(|format| format.endings()).map(String::as_str).collect();
        let ending = endings.iter().position(|ending| *ending == format.endings()[0]);
        self.chosen("any", &[u8::try_from(ending.unwrap_or_default())?], bytes)?;
        match format {
            Format::Csv | Format::Tsv => {
                self.chosen("csv_parts", &[if format == Format::Tsv { 0x12 } else { 2 }, 0], bytes)?;
                self.chosen("spool", &[0], bytes)?;
                self.add(format.name(), bytes).map(drop)
            }
            Format::JsonLines => {
                self.add("jsonl_parts", bytes)?;
                self.add("jsonl", bytes).map(drop)
            }
            _ => self.add(format.name(), bytes).map(drop),
        }
    }
}

fn main() -> Done {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(testdata), Some(corpus)) = (arguments.next(), arguments.next()) else {
        return Err("usage: fuzz_seeds TESTDATA CORPUS".into());
    };
    let corpus = Corpus(corpus.into());
    files(&corpus, Path::new(&testdata))?;
    for entry in std::fs::read_dir("media-types")? {
        corpus.add("media_types", &std::fs::read(entry?.path())?)?;
    }
    for format in IMAGE_FORMATS.into_iter().filter(|format| format.is_written()) {
        for picture in pictures() {
            let settings = Settings { effort: format.effort().map(|_| 0), ..Settings::new(format) };
            if let Ok(bytes) = fit(&picture, format).and_then(|fitted| encode(&fitted, &settings)) {
                image(&corpus, &bytes)?;
            }
        }
    }
    for format in FORMATS {
        for codec in codecs(format) {
            tables(&corpus, format, codec)?;
        }
    }
    for (index, codec) in (0..).zip(CODECS) {
        let settings = Packed::new(codec, None)?;
        for length in [0, 10, 900] {
            let content = formats::bytes::conformance::sample(7, length);
            let object = formats::bytes::conformance::encode(settings, &content, &[length / 3])?;
            corpus.chosen("bytes", &[index], &object)?;
            corpus.add(codec.name(), &object)?;
        }
    }
    let map = r#"{"x":"a.safetensors","y":"b.safetensors"}"#;
    for metadata in ["", r#""metadata":{"total_size":6,"a":"b","c":[1]},"#] {
        corpus.add("index", format!(r#"{{{metadata}"weight_map":{map}}}"#).as_bytes())?;
    }
    for seed in array_seeds()? {
        corpus.add("arrays", &seed)?;
        if let Some((which, bytes)) = seed.split_first() {
            corpus.add(SignalFormat::ALL[usize::from(*which)].name(), bytes)?;
        }
    }
    for seed in sound_seeds()? {
        sound(&corpus, &seed)?;
    }
    for column in COLUMNS {
        corpus.chosen("typing", &[0], column.as_bytes())?;
        corpus.chosen("typing", &[0x24], column.as_bytes())?;
        corpus.add("csv", column.as_bytes())?;
    }
    let schema = sample(1, 0).schema();
    for format in FORMATS {
        if let Ok(Some(record)) = Carrier::plan(format.name(), &schema).map(|carrier| carrier.record()) {
            corpus.chosen("record", &[0], record.as_bytes())?;
        }
    }
    let styles = Typings::Fields(Typings::Native.fields(&schema)?);
    corpus.chosen("record", &[1], styles.record(&schema)?.unwrap_or_default().as_bytes())?;
    certificates(&corpus)?;
    for (name, _) in targets() {
        let seeds = std::fs::read_dir(corpus.0.join(name)).map_err(|_| format!("{name} has no seed"))?;
        println!("{name}: {} seeds", seeds.count());
    }
    Ok(())
}

/// An image, for all targets that it can tell something.
fn image(corpus: &Corpus, bytes: &[u8]) -> Done {
    corpus.add("image", bytes)?;
    let Some(format) = ImageFormat::of_bytes(bytes) else { return Ok(()) };
    corpus.add(format.name(), bytes)?;
    let attributes = decode(format, bytes, 64 << 20).map_or(Vec::new(), |image| image.attributes);
    for (key, value) in attributes {
        let choice = ["exif", "icc", "xmp"].iter().position(|known| *known == key);
        if let Some(choice) = choice {
            corpus.chosen("attributes", &[u8::try_from(choice)?], &value)?;
        }
    }
    Ok(())
}

/// A sound, for all targets that it can tell something.
fn sound(corpus: &Corpus, bytes: &[u8]) -> Done {
    let path = corpus.add("sound", bytes)?;
    match SignalFormat::of_file(&ObjectFile::open(&path)?)? {
        Some(format) => corpus.add(format.name(), bytes).map(drop),
        None => Ok(()),
    }
}

/// Every file below a folder whose name tells a format.
fn files(corpus: &Corpus, folder: &Path) -> Done {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(corpus, &path)?;
        } else if let Some((format, _)) = Format::of_name(&path) {
            let bytes = std::fs::read(&path)?;
            if bytes.len() <= FILE_BYTES_MAX {
                corpus.table(format, &bytes)?;
            }
        } else if path
            .extension()
            .is_some_and(|ending| ImageFormat::named(&ending.to_string_lossy()).is_some())
        {
            image(corpus, &std::fs::read(&path)?)?;
        } else if SignalFormat::of_name(&path).is_some_and(SignalFormat::is_sound) {
            sound(corpus, &std::fs::read(&path)?)?;
        }
    }
    Ok(())
}

/// Small images of each kind of channels.
fn pictures() -> Vec<Image> {
    let picture = |channels: Channels, sample: SampleType| {
        let count = 6 * 5 * channels.count() * sample.width();
        let samples = (0..count).map(|at| (at * at / 3 % 251) as u8).collect();
        let (attributes, ignored, declared) = (Vec::new(), Vec::new(), None);
        let plain = Image { width: 6, height: 5, channels, sample, samples, attributes, ignored, declared };
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
        [Image { attributes: vec![("exif".to_owned(), exif)], ..plain.clone() }, plain]
    };
    let channels = [Channels::Gray, Channels::Rgb, Channels::Rgba];
    let samples = [SampleType::U8, SampleType::U16];
    channels
        .into_iter()
        .flat_map(|channels| samples.map(|sample| picture(channels, sample)))
        .flatten()
        .collect()
}

fn codecs(format: Format) -> &'static [&'static str] {
    match format {
        Format::Csv | Format::Tsv | Format::JsonLines => {
            &["none", "gzip", "zstd", "bgzf", "xz", "bzip2", "lz4"]
        }
        Format::Parquet => &["none", "snappy", "lz4", "zstd", "gzip", "brotli"],
        Format::ArrowFile | Format::ArrowStream => &["none", "lz4", "zstd"],
        Format::Avro => &["none", "deflate", "snappy", "zstd"],
    }
}

/// Small tables: of all columns, and of each alone.
fn tables(corpus: &Corpus, format: Format, codec: &str) -> Done {
    let options = WriteOptions {
        format,
        media: format.media(),
        wrapping: Wrapping::Raw,
        compression: Some(Compression::parse(codec)?),
        row_group_rows: None,
        dictionary: true,
        metadata: Vec::new(),
    };
    let all = sample(7, 12);
    let mut tables = vec![all.clone(), sample(8, 0)];
    for column in 0..all.num_columns() {
        tables.push(all.project(&[column])?);
    }
    for table in tables {
        corpus.table(format, &written(&table, &options)?)?;
    }
    Ok(())
}

fn written(table: &RecordBatch, options: &WriteOptions) -> Result<Vec<u8>, Box<dyn Error>> {
    let encoder: Encoder = encoder(&table.schema(), &Typings::Native, options)?;
    let rows = table.num_rows();
    Ok(write(encoder.get(), table, &[0..rows / 2, rows / 2..rows])?)
}

/// A certificate as a whole, and what is signed in it.
fn certificates(corpus: &Corpus) -> Done {
    let table = sample(7, 12);
    let schema = formats::cells::logical_schema(&table.schema())?;
    let mut digester = TableDigester::new(&schema);
    digester.push(&formats::cells::columns(&table)?)?;
    let content = digester.finish();
    let digest = Digest::blake3(b"a");
    let records = Records { counted: content.units, set_aside: 0 };
    let claim = Claim::exact(0, content.clone(), digest, digest);
    let part = Verified::check(claim, &ReadBack::exact(content, digest))?;
    let columns = schema.columns();
    let whole = VerifiedWhole::assemble(&Model::Table(schema), vec![part], records)?;
    let file = |name: &str| File {
        name: name.into(),
        object: ObjectHasher::new().finish(),
        media_type: "text/csv".into(),
    };
    let facts = Facts {
        tool: Tool { name: "isoform".into(), version: "0".into() },
        sources: vec![file("a.csv")],
        targets: vec![file("b.csv")],
        parameters: Map::new().into(),
        started_on: "2026-01-02T03:04:05Z".into(),
        finished_on: "2026-01-02T03:04:06Z".into(),
        styles: vec![ColumnStyle { reversible: true, ..ColumnStyle::default() }; columns],
        budget: Budget::ZERO,
        gates: Vec::new(),
        execution: Execution { mode: "local".into(), nodes: vec![], cost: Map::new() },
    };
    let bundle = certificate::sign(&whole, facts, &SigningKey::from_bytes(&[7; 32]))?;
    corpus.add("certificate", &bundle.to_bytes())?;
    corpus.add("certificate", bundle.unverified_payload()).map(drop)
}
