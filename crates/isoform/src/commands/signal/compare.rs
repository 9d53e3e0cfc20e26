//! Provides the comparison of signals: containers of arrays, or one of them with an image or a table.

use std::sync::Arc;

use ::formats::file::ObjectFile;
use ::formats::media::Codec;
use ::formats::signal::{
    Arrays, Layout, SignalFormat, fractions_for, in_fractions, like_sound, with_rate_beside,
};
use ::formats::sound::NAME as SOUND;
use ::formats::words::some_of;
use coherence::sample::SampleType;
use serde_json::{Value, json};

use super::super::{options, types_file};
use crate::cli::{Compare, Output};
use crate::failure::{DIFFERS, DONE, Result};
use crate::local::memory::parse_size;
use crate::local::signal::{self, Compared, ComparedArray};
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report::{self, distance, number};

/// The attribute that is the rate of a sound.
const RATE: &str = "sound.rate";

/// One side of a comparison.
struct Side {
    arrays: Arrays,
    /// Attributes that the other side has no place for.
    passed_over: Vec<String>,
    /// Whether the rate of a sound was set beside it.
    rate_beside: bool,
    /// How whole samples of an image were taken.
    taken: Option<AsFractions>,
}

/// Whole samples of an image that are compared as fractions of full intensity.
#[derive(Clone, Copy)]
struct AsFractions {
    /// Their type.
    whole: SampleType,
    /// The index of the array that they are compared with.
    array: usize,
}

/// Both sides of a comparison as arrays, and the attributes of each that the other has no place for, which
/// are not compared. A table is laid out like the arrays of the other side.
fn opened(
    args: &Compare,
    codecs: &[Codec],
    files: [&Arc<ObjectFile>; 2],
    progress: &Progress,
) -> Result<[Side; 2]> {
    let dir = options::temporary_dir();
    let mut reading = types_file::resolved(&args.reading)?;
    if !codecs.iter().any(|codec| matches!(codec, Codec::Table(_))) {
        reading.from = None;
    }
    let (memory, workers) = (parse_size(&args.machine.memory)?, options::workers(&args.machine)?);
    let table = options::reading(&reading, &dir, memory)?;
    let open = |side: usize, layout: Layout| -> Result<Arrays> {
        let reading = signal::Reading { table: &table, layout, memory, workers, wanted: &|_| true };
        Ok(signal::open_source(files[side], codecs[side], &reading, &dir, progress)?.0)
    };
    let plain = Layout { single: false, floats: false, null_is_nan: true };
    let alike = |other: &Arrays| {
        let arrays = &other.signature().arrays;
        let floats = arrays.iter().all(|array| array.sample.is_float());
        Layout { single: arrays.len() == 1 && arrays[0].name.is_empty(), floats, null_is_nan: floats }
    };
    let [left, right] = match codecs {
        [Codec::Table(_), _] => {
            let right = open(1, plain)?;
            [open(0, alike(&right))?, right]
        }
        _ => {
            let left = open(0, plain)?;
            let right = open(1, alike(&left))?;
            [left, right]
        }
    };
    // Of arrays that tell the rate of a sound beside it, a conversion makes that sound.
    let sounds = [like_sound(&left, right.signature())?, like_sound(&right, left.signature())?];
    let are_sounds = sounds.iter().any(Option::is_some);
    let [left_sound, right_sound] = sounds;
    let left = Side::of(left_sound.unwrap_or(left), codecs[1], are_sounds)?;
    let right = Side::of(right_sound.unwrap_or(right), codecs[0], are_sounds)?;
    let (left, right) = match codecs {
        [Codec::Image(_), Codec::Arrays(_)] => (left.in_fractions_of(&right, memory)?, right),
        [Codec::Arrays(_), Codec::Image(_)] => {
            let right = right.in_fractions_of(&left, memory)?;
            (left, right)
        }
        _ => (left, right),
    };
    let names = [&left, &right].map(|side| side.names());
    Ok([left.without_rate(&names[1]), right.without_rate(&names[0])])
}

fn is_npz(codec: Codec) -> bool {
    matches!(codec, Codec::Arrays(SignalFormat::Npz))
}

impl Side {
    /// Arrays, without the attributes that the other side has no place for, which is no difference. Where
    /// both are sounds, each has its rate; else an npz has that of a sound as an array beside it.
    fn of(arrays: Arrays, other: Codec, are_sounds: bool) -> Result<Self> {
        let alone = arrays.signature().arrays.len();
        let arrays = if is_npz(other) && !are_sounds { with_rate_beside(arrays)? } else { arrays };
        let rate_beside = arrays.signature().arrays.len() > alone;
        let attributes = &arrays.signature().attributes;
        let mut lost = match other {
            Codec::Arrays(format) => format.beyond(attributes),
            _ => Vec::new(),
        };
        lost.retain(|index| !are_sounds || attributes[*index].0 != RATE);
        let held: Vec<usize> = (0..attributes.len()).filter(|index| !lost.contains(index)).collect();
        let all: Vec<usize> = (0..arrays.signature().arrays.len()).collect();
        let passed_over = lost.iter().map(|index| attributes[*index].0.clone()).collect();
        Ok(Self { arrays: arrays.narrowed(&all, &held), passed_over, rate_beside, taken: None })
    }

    fn names(&self) -> Vec<String> {
        self.arrays.signature().arrays.iter().map(|array| array.name.clone()).collect()
    }

    /// An image whose samples are fractions of full intensity where those of the other side are.
    fn in_fractions_of(self, other: &Self, memory: u64) -> Result<Self> {
        let Some(array) = fractions_for(&self.arrays, &other.arrays) else { return Ok(self) };
        let taken = AsFractions { whole: self.arrays.signature().arrays[0].sample, array };
        let sample = other.arrays.signature().arrays[array].sample;
        Ok(Self { arrays: in_fractions(self.arrays, sample, memory)?, taken: Some(taken), ..self })
    }

    /// The same without a rate that was set beside a sound, where the other side has none.
    fn without_rate(mut self, other: &[String]) -> Self {
        let rate = self.names().iter().position(|name| name != SOUND && !other.contains(name));
        if let Some(rate) = rate.filter(|_| self.rate_beside) {
            let kept: Vec<usize> = (0..self.names().len()).filter(|index| *index != rate).collect();
            let attributes: Vec<usize> = (0..self.arrays.signature().attributes.len()).collect();
            self.arrays = self.arrays.narrowed(&kept, &attributes);
            self.passed_over.push(RATE.to_owned());
        }
        self
    }
}

/// Coherence and signal-to-noise ratio in dB; `None` where the distance is infinite, or the norm is needed
/// and beyond the largest number.
fn relative(found: &Compared) -> Option<(f64, f64)> {
    let d_squared = found.d_squared().filter(|d_squared| d_squared.is_finite())?;
    if d_squared == 0.0 {
        return Some((1.0, f64::INFINITY));
    }
    let norm_squared = found.norm_squared()?;
    let coherence = coherence::evidence::coherence(d_squared, norm_squared);
    Some((coherence, -10.0 * (d_squared / norm_squared).log10()))
}

/// A distance as JSON has it: null where it, or its square, is beyond the largest number.
fn told(distance: Option<f64>) -> Value {
    match distance {
        Some(distance) if distance.is_infinite() => json!("infinity"),
        distance => json!(distance),
    }
}

/// How far apart the sides are, in words, where that is finite.
fn far(d: Option<f64>, coherence: Option<f64>) -> String {
    match (d, coherence) {
        (Some(d), Some(coherence)) => {
            format!("d = {}, coherence {}", distance(d), report::fixed(coherence, 6))
        }
        (Some(d), None) => {
            format!("d = {}; squares of the left are too large to tell a coherence", distance(d))
        }
        _ => "squares of differences are too large to tell a distance".to_owned(),
    }
}

/// On which scale both sides were taken where samples differ, if whole samples of an image were taken as
/// fractions and the array holds what is none.
fn scale(
    taken: [Option<AsFractions>; 2],
    [left, right]: [&Arrays; 2],
    progress: &Progress,
) -> Result<Option<String>> {
    let (AsFractions { whole, array }, other) = match taken {
        [Some(taken), _] => (taken, right),
        [None, Some(taken)] => (taken, left),
        [None, None] => return Ok(None),
    };
    let beyond = signal::beyond_fractions(other, array, progress)?;
    Ok(beyond.map(|(at, value)| {
        let (sample, value) = (other.signature().arrays[array].sample, distance(value));
        format!(
            "the {whole} samples of the image were taken as fractions of full intensity, from 0 to 1, since \
             those of the array are {sample}; sample {at} of the array is {value}: if it holds whole \
             samples, convert the image to npy, and compare that with the array number by number"
        )
    }))
}

/// The line about an array that differs.
fn line(array: &ComparedArray) -> String {
    let ComparedArray { name, evidence, first, differences, .. } = array;
    let differ = some_of(evidence.differing, evidence.cells, "sample", "differ");
    let (name, first) = (if name.is_empty() { "the array" } else { name }, first.unwrap_or(0));
    let largest = match differences.largest() {
        Some(largest) => distance(largest),
        None => format!("above the largest number, {}", distance(f64::MAX)),
    };
    format!("  {name}: {differ}, the first is {first}; largest error {largest}")
}

/// Compares two containers of arrays, or one with an image or a table.
pub fn compare(args: &Compare, codecs: &[Codec], output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    let paths = [&args.left, &args.right];
    let files = paths.map(|path| ObjectFile::open(path).map(Arc::new));
    let [left, right] = files;
    let (left, right) = (left?, right?);
    let size = left.len() + right.len();
    progress.begin(Stage::Comparing, size, size);
    let [left, right] = opened(args, codecs, [&left, &right], &progress)?;
    let passed_over = [left.passed_over, right.passed_over].concat();
    let taken = [left.taken, right.taken];
    let (left, right) = (left.arrays, right.arrays);
    let threads = options::workers(&args.machine)?;
    let found = signal::compare(&left, &right, threads, &progress)?;
    let any = found.arrays.iter().any(|array| array.evidence.differing > 0);
    let notes = if any { scale(taken, [&left, &right], &progress)? } else { None };
    progress.finish();
    let infinite = found.infinite();
    let d = found.d_squared().map(f64::sqrt);
    let (coherence, snr_db) = relative(&found).unzip();
    let arrays = found.arrays.iter().map(|array| {
        json!({
            "name": array.name,
            "samples": array.evidence.cells,
            "differing": array.evidence.differing,
            "firstDiffering": array.first,
            "d": told(array.differences.d_squared().map(f64::sqrt)),
            "maxAbs": told(array.differences.largest()),
        })
    });
    let document = json!({
        "schema": "isoform.compare/v1",
        "model": "signal",
        "equal": found.is_equal(),
        "d": told(d),
        "coherence": coherence.map(number),
        "snrDb": snr_db.map(number),
        "arrays": arrays.collect::<Vec<_>>(),
        "signature": infinite,
        "attributes": found.attributes,
        "attributesNotCompared": passed_over,
        "notes": Vec::from_iter(&notes),
    });
    let mut lines = vec![format!("{} ↔ {}", args.left.display(), args.right.display())];
    if found.is_equal() {
        let attributes = if passed_over.is_empty() { "attribute" } else { "attribute that both can hold" };
        lines.push(format!("  equal: every sample and {attributes}, d = 0"));
    } else if infinite.is_empty() {
        lines.push(format!("  {}", far(d, coherence)));
    }
    lines.extend(infinite.iter().map(|text| format!("  {text}: the distance is infinite")));
    lines.extend(found.arrays.iter().filter(|array| array.evidence.differing > 0).map(line));
    lines.extend(found.attributes.iter().map(|key| format!("  attribute {key} differs")));
    if !passed_over.is_empty() {
        lines.push(format!("  not compared, since one side has no place for it: {}", passed_over.join(", ")));
    }
    lines.extend(notes.iter().map(|note| format!("  note: {note}")));
    report::result(output, &document, &lines);
    Ok(if found.is_equal() { DONE } else { DIFFERS })
}
