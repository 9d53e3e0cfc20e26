//! Provides the later check of signals: of a target alone, and against its source where that is at hand.

use std::path::PathBuf;
use std::sync::Arc;

use coherence::content::{Model, PartContent, SignalDigester};
use coherence::digest::Digest;
use coherence::sample::SampleType;
use coherence::signal::Signature;
use coherence::statement::{Predicate, SignalContent};
use formats::file::ObjectFile;
use formats::media::{self, Codec};
use formats::open::OpenOptions;
use formats::signal::{
    Arrays, Declared, Encoding, Layout, PART_SAMPLES, SignalFormat, parts, select, to_sound, with_rate_beside,
};
use formats::sound::RATE;
use formats::sound::depth::between;
use formats::words::{all_were, counted};
use serde_json::{Map, Value};

use super::super::pool;
use super::super::verify::{Checked, NOT_AT_HAND, decodes_otherwise, differs};
use super::again::{Sides, measured};
use super::work::{digest, stretches};
use super::{PEAK, Reading, Wanted, directory_of, open_source};
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// The root of the content of arrays, their samples taken in the types of `signature`, which has the same
/// arrays.
pub fn root_of(
    arrays: &Arrays,
    signature: &Signature,
    workers: usize,
    progress: &Progress,
) -> Result<Digest> {
    let parts = parts(signature, PART_SAMPLES);
    let mut contents: Vec<PartContent> = Vec::with_capacity(parts.len());
    let make = |index: usize| {
        let part = &parts[index];
        let (theirs, ours) = (&arrays.signature().arrays[part.array], &signature.arrays[part.array]);
        let (found, wanted) = (theirs.sample, ours.sample);
        let (lift, plain) = (between(theirs, ours), Encoding::Plain(found));
        let mut digester = SignalDigester::new(wanted);
        let (mut held, mut samples, mut lifted) = (Vec::new(), Vec::new(), Vec::new());
        for stretch in stretches(part, arrays.stretch(part.array)) {
            arrays.read(&stretch, &mut held, &mut samples)?;
            progress.advance(samples.len() as u64)?;
            lifted.clear();
            if lift != plain {
                lift.encode(found, &samples, &mut lifted);
            }
            digest(&mut digester, if lift == plain { &samples } else { &lifted })?;
        }
        Ok(digester.finish())
    };
    pool::in_order(workers, parts.len(), make, |_, content| {
        contents.push(content);
        Ok(())
    })?;
    let model = Model::Signal(signature.clone());
    let whole = model.tile(&contents).map_err(Failure::bug)?;
    model.root(whole.units, &whole.leaves).map_err(Failure::bug)
}

/// Decodes the target, and the source where there is one, and compares both with what was certified. Returns
/// the number of samples.
pub fn check_content(
    file: &Arc<ObjectFile>,
    (predicate, content): (&Predicate, &SignalContent),
    source: Option<&PathBuf>,
    (table, memory, workers): (&OpenOptions, u64, usize),
    checks: &mut Vec<Checked>,
    progress: &Progress,
) -> Result<u64> {
    let conversion = &predicate.conversion;
    let wanted = wanted_of(&conversion.parameters)?;
    let layout = layout(&conversion.to, &conversion.parameters);
    let reading = Reading { table, layout, memory, workers, wanted: &*wanted };
    let target = narrowed(file, (&conversion.to, &conversion.parameters), content, &reading, progress)?;
    let signature = certified(content, target.signature())?;
    let samples = signature.samples().unwrap_or(0);
    let shapes = same_arrays(&signature, target.signature());
    if !shapes || samples.to_string() != content.samples {
        return Err(decodes_otherwise(file.path()));
    }
    if root_of(&target, &signature, workers, progress)?.to_string() != content.target {
        return Err(decodes_otherwise(file.path()));
    }
    let (all, arrays) = (all_were(samples, "sample"), counted(content.arrays.len(), "array"));
    let text = format!("{all} decoded, of {arrays}; the digest is that of the certificate");
    checks.push(Checked { name: "content", found: text });
    let text = match source {
        None => NOT_AT_HAND.into(),
        Some(path) => {
            let from = (conversion.from.as_str(), &conversion.parameters);
            let from_file = Arc::new(ObjectFile::open(path)?);
            let theirs = narrowed(&from_file, from, content, &reading, progress)?;
            let same = match (theirs.signature().arrays.as_slice(), signature.arrays.as_slice()) {
                // On its way over an image, an only array gets the name and the axes of one.
                ([found], [certified]) if conversion.parameters.contains_key("via") => {
                    found.sample == certified.sample && found.samples() == certified.samples()
                }
                (found, certified) => found == certified,
            };
            if !same || root_of(&theirs, &signature, workers, progress)?.to_string() != content.source {
                return Err(differs(path));
            }
            if !content.equal {
                let signature = &signature;
                let sides =
                    Sides { file: from_file, source: theirs, target: &target, signature, path: file.path() };
                checks.push(measured(predicate, sides, workers, progress)?);
            }
            let found = if content.equal { "equal to the target" } else { "what was certified" };
            format!("{}: decoded again, and {found}", path.display())
        }
    };
    checks.push(Checked { name: "source", found: text });
    Ok(samples)
}

fn same_arrays(left: &Signature, right: &Signature) -> bool {
    left.arrays.len() == right.arrays.len()
        && left.arrays.iter().zip(&right.arrays).all(|(a, b)| a.shape == b.shape)
}

/// The arrays of an object that a certificate is about.
fn narrowed(
    file: &Arc<ObjectFile>,
    (media_type, parameters): (&str, &Map<String, Value>),
    content: &SignalContent,
    reading: &Reading<'_>,
    progress: &Progress,
) -> Result<Arrays> {
    let Some(found) = media::recorded(media_type, parameters) else {
        return Err(Failure::Other(format!("{media_type} holds no arrays that are known here")));
    };
    let (arrays, _) = open_source(file, found.codec, reading, directory_of(file.path()), progress)?;
    let arrays = as_certified(arrays, parameters, content)?;
    let listed = |name: &str| content.arrays.iter().any(|array| array.name == name);
    let alone = content.arrays.len() == 1 && arrays.signature().arrays.len() == 1;
    let found = arrays.signature().arrays.iter().enumerate();
    let keep: Vec<usize> =
        found.filter(|(_, array)| alone || listed(&array.name)).map(|(index, _)| index).collect();
    let held = arrays.signature().attributes.iter().enumerate();
    let certified = held.filter(|(_, (key, value))| content.holds(key, value));
    let attributes: Vec<usize> = certified.map(|(index, _)| index).collect();
    Ok(arrays.narrowed(&keep, &attributes))
}

/// An array that became a sound by the rate that a person or a number beside it told, among those that were
/// chosen.
fn as_certified(arrays: Arrays, parameters: &Map<String, Value>, content: &SignalContent) -> Result<Arrays> {
    let is_rate = |key: &str| key == RATE;
    let told = arrays.signature().attributes.iter().any(|(key, _)| is_rate(key));
    if told && content.arrays.len() > 1 {
        // It was certified beside its rate, and is the source or, read back from its container, the target.
        return Ok(with_rate_beside(arrays)?);
    }
    if told || !content.attributes.iter().any(|attribute| is_rate(&attribute.key)) {
        return Ok(arrays);
    }
    let text = |key: &str| parameters.get(key).and_then(Value::as_str);
    let declared = Declared {
        rate: text("rate").and_then(|rate| rate.parse().ok()),
        bits: text("bits").and_then(|bits| bits.parse().ok()),
    };
    let wanted = wanted_of(parameters)?;
    // A sound that was made so is the only array, and its name is none that was chosen by.
    let arrays = match arrays.signature().arrays.as_slice() {
        [_] => arrays,
        _ => select(arrays, &*wanted)?.0,
    };
    Ok(to_sound(arrays, declared)?)
}

/// Which arrays of the source were chosen.
fn wanted_of(parameters: &Map<String, Value>) -> Result<Wanted> {
    let list = |key: &str| -> Vec<String> {
        let list = parameters.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    super::wanted(&list("include"), &list("exclude"))
}

/// How the columns of a table became arrays.
fn layout(to: &str, parameters: &Map<String, Value>) -> Layout {
    let asked = parameters.get("sampleType").and_then(Value::as_str);
    let asked = asked.and_then(|text| text.parse::<Encoding>().ok());
    // The first container of arrays on the way decides.
    let chain = parameters.get("chain").and_then(Value::as_array).into_iter().flatten();
    let types = chain.filter_map(|step| step.get("to")?.as_str()).chain([to]);
    let codecs = types.filter_map(|to| Some(media::recorded(to, parameters)?.codec));
    let first = codecs.into_iter().find(|codec| matches!(codec, Codec::Arrays(_)));
    Layout {
        single: matches!(first, Some(Codec::Arrays(to)) if to == SignalFormat::Npy || to.is_sound()),
        floats: asked.is_some_and(|encoding| encoding.sample().is_float()),
        null_is_nan: parameters.contains_key("nulls"),
    }
}

/// The signature of the source, as the certificate tells it and with the attributes that the target holds.
fn certified(content: &SignalContent, target: &Signature) -> Result<Signature> {
    let malformed = |what: &str| Failure::Mismatch(format!("the certificate is not of this program: {what}"));
    let mut signature = target.clone();
    if signature.arrays.len() != content.arrays.len() {
        return Err(Failure::Mismatch("the target does not hold the arrays that were certified".into()));
    }
    for (array, recorded) in signature.arrays.iter_mut().zip(&content.arrays) {
        let sample: Result<SampleType, _> = recorded.ty.parse();
        array.sample = sample.map_err(|error| malformed(&error.to_string()))?;
        array.name.clone_from(&recorded.name);
        array.meaning.clone_from(&recorded.meaning);
        let peak = recorded.style.get(PEAK).and_then(|peak| peak.as_str()?.parse().ok());
        array.peak = peak.or(array.peak);
        let shape = recorded.shape.iter().map(|axis| axis.parse());
        array.shape = shape.collect::<Result<_, _>>().map_err(|_| malformed("a shape"))?;
    }
    Ok(signature)
}
