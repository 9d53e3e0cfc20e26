//! Provides the later check of signals: of a target alone, and against its source where that is at hand.

use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::sync::Arc;

use coherence::certificate::Verdict;
use coherence::content::{Model, PartContent, SignalDigester};
use coherence::digest::Digest;
use coherence::sample::SampleType;
use coherence::signal::Signature;
use coherence::statement::{Predicate, SignalArray, SignalContent};
use coherence::verified::Records;
use formats::file::ObjectFile;
use formats::media::{self, Codec};
use formats::open::OpenOptions;
use formats::registry::Format;
use formats::signal::{
    Arrays, COLUMNS, Declared, Encoding, Layout, Lost, PART_SAMPLES, Part, SignalFormat, parts, select,
    to_sound, with_rate_beside,
};
use formats::sound::RATE;
use formats::sound::depth::between;
use formats::words::{all_were, counted};
use serde_json::{Map, Value, json};

use super::super::effective::{check_all_dropped, check_reading, tells_dropped};
use super::super::pool;
use super::super::verify::{Checked, NOT_AT_HAND, as_stated_of_equal, decodes_otherwise, differs};
use super::again::{Sides, measured};
use super::work::{digest, stretches};
use super::{PEAK, Reading, Told, Wanted, directory_of, open_source};
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
    let make = |index: usize| content_of(arrays, signature, &parts[index], progress);
    pool::in_order(workers, parts.len(), make, |_, content| {
        contents.push(content);
        Ok(())
    })?;
    let model = Model::Signal(signature.clone());
    let whole = model.tile(&contents).map_err(Failure::bug)?;
    model.root(whole.units, &whole.leaves).map_err(Failure::bug)
}

/// The content of a part of arrays, their samples taken in the types of `signature`.
pub fn content_of(
    arrays: &Arrays,
    signature: &Signature,
    part: &Part,
    progress: &Progress,
) -> Result<PartContent> {
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
}

/// Fails where arrays do not have the content of this root, with the failure `otherwise`.
pub fn check_root(
    arrays: &Arrays,
    (signature, root): (&Signature, &str),
    otherwise: Failure,
    workers: usize,
    progress: &Progress,
) -> Result<()> {
    match root_of(arrays, signature, workers, progress)?.to_string() == root {
        true => Ok(()),
        false => Err(otherwise),
    }
}

/// Decodes the target, and the source where there is one, and compares both with what was certified. Returns
/// the number of samples.
pub fn check_content(
    file: &Arc<ObjectFile>,
    (certificate_at, predicate, content): (&Path, &Predicate, &SignalContent),
    source: Option<&PathBuf>,
    (table, memory, workers): (&OpenOptions, u64, usize),
    checks: &mut Vec<Checked>,
    progress: &Progress,
) -> Result<u64> {
    let conversion = &predicate.conversion;
    check_verdict(predicate, content, file.path())?;
    let wanted = wanted_of(&conversion.parameters)?;
    let layout = layout(&conversion.to, &conversion.parameters);
    let reading = Reading { table, layout, memory, workers, wanted: &*wanted };
    let (target, _) = chosen(file, (&conversion.to, &conversion.parameters), content, &reading, progress)?;
    let target = narrowed(target, content);
    let signature = certified(content, target.signature())?;
    let samples = signature.samples().unwrap_or(0);
    let shapes = same_arrays(&signature, target.signature());
    if !shapes || samples.to_string() != content.samples {
        return Err(decodes_otherwise(file.path()));
    }
    let about = (certificate_at, predicate, content);
    let theirs = source.map(|path| theirs(path, about, (&signature, file.path()), &reading, progress));
    let is_equal = content.equal && asks_nothing(&conversion.parameters);
    let mut distance = None;
    let text = match theirs.transpose()? {
        // Both sides are read once, for their digests and their distance.
        Some(Theirs { path: from, file: from_file, arrays, heard, reversible }) if !is_equal => {
            let (target, signature, heard, path) = (&target, &signature, &heard, file.path());
            let sides = Sides { file: from_file, source: arrays, heard, reversible, target, signature, path };
            distance = Some(measured((predicate, content), sides, workers, progress)?);
            let found = if content.equal { "equal to the target" } else { "what was certified" };
            format!("{}: decoded again, and {found}", from.display())
        }
        theirs => {
            let otherwise = decodes_otherwise(file.path());
            check_root(&target, (&signature, &content.target), otherwise, workers, progress)?;
            match theirs {
                None => NOT_AT_HAND.into(),
                Some(Theirs { path: from, arrays, reversible, .. }) => {
                    check_root(&arrays, (&signature, &content.source), differs(from), workers, progress)?;
                    let records = Records { counted: samples, set_aside: 0 };
                    as_stated_of_equal(predicate, (records, None, reversible), file.path())?;
                    format!("{}: decoded again, and equal to the target", from.display())
                }
            }
        }
    };
    let (all, arrays) = (all_were(samples, "sample"), counted(content.arrays.len(), "array"));
    let found = format!("{all} decoded, of {arrays}; the digest is that of the certificate");
    checks.push(Checked { name: "content", found });
    checks.extend(distance);
    checks.push(Checked { name: "source", found: text });
    Ok(samples)
}

/// The source, as it is read for the certificate.
struct Theirs<'a> {
    path: &'a Path,
    file: Arc<ObjectFile>,
    arrays: Arrays,
    /// With all of its attributes.
    heard: Signature,
    /// Whether its arrays hold all that it tells of their values.
    reversible: bool,
}

/// Opens the source for a target with these arrays, and checks how it was read and what was dropped of it.
fn theirs<'a>(
    path: &'a Path,
    (certificate_at, predicate, content): (&Path, &Predicate, &SignalContent),
    (signature, target): (&Signature, &Path),
    reading: &Reading<'_>,
    progress: &Progress,
) -> Result<Theirs<'a>> {
    let parameters = &predicate.conversion.parameters;
    let file = Arc::new(ObjectFile::open(path)?);
    let from = (predicate.conversion.from.as_str(), &**parameters);
    let (arrays, told) = chosen(&file, from, content, reading, progress)?;
    let heard = arrays.signature().clone();
    let arrays = narrowed(arrays, content);
    let via = parameters.contains_key("via");
    let same = match (arrays.signature().arrays.as_slice(), signature.arrays.as_slice()) {
        // On its way over an image, an only array gets the name and the axes of one.
        ([found], [certified]) if via => {
            found.sample == certified.sample && found.samples() == certified.samples()
        }
        (found, certified) => found == certified,
    };
    if !same {
        return Err(differs(path));
    }
    check_reading(certificate_at, predicate, from_ref(&path.to_owned()), &told.read_as)?;
    check_lost(&told.lost, content, target)?;
    // What a step on the way leaves out, only the conversion knows.
    if !via {
        let lacking = heard.attributes.iter().filter(|(key, value)| !content.holds(key, value));
        let mut lacking: Vec<String> = lacking.map(|(key, _)| key.clone()).collect();
        // Earlier builds told the order of columns also where their names tell it.
        let of_table = Format::named(&predicate.conversion.from).is_ok();
        if of_table
            && !heard.attributes.iter().any(|(key, _)| key == COLUMNS)
            && tells_dropped(parameters, COLUMNS)
        {
            lacking.push(COLUMNS.to_owned());
        }
        check_all_dropped((parameters, content), &lacking, target)?;
    }
    Ok(Theirs { path, file, arrays, heard, reversible: told.same() })
}

/// Fails where a certificate says of arrays that do not keep all of their columns that all was kept.
fn check_verdict(predicate: &Predicate, content: &SignalContent, target: &Path) -> Result<()> {
    if predicate.verification.verdict == Verdict::Exact.name() && content.arrays.iter().any(names_lost) {
        let target = target.display();
        return Err(Failure::Mismatch(format!(
            "{target}: the certificate says EXACT, and that an array does not keep all of its columns"
        )));
    }
    Ok(())
}

/// Whether a certificate names columns that an array does not keep.
fn names_lost(array: &SignalArray) -> bool {
    Lost::KEYS.iter().any(|key| array.style.get(key).is_some())
}

/// Fails where a certificate names other columns whose text or decimals are not kept than are found. One of
/// an earlier build names none; its verdict says that there are some.
fn check_lost(lost: &[Lost], content: &SignalContent, target: &Path) -> Result<()> {
    if !content.arrays.iter().any(names_lost) {
        return Ok(());
    }
    for array in &content.arrays {
        let found = Lost::of_array(lost, &array.name);
        for key in Lost::KEYS {
            let found = found.filter(|found| found.key() == key).map(|found| json!(found.columns));
            if array.style.get(key) != found {
                return Err(Failure::Mismatch(format!(
                    "{}: the certificate does not name the columns that array {:?} does not keep ({key})",
                    target.display(),
                    array.name
                )));
            }
        }
    }
    Ok(())
}

/// Whether nothing was to differ, so that every sample was compared and none measured.
fn asks_nothing(parameters: &Map<String, Value>) -> bool {
    parameters.get("within").is_none_or(|within| within == "exact")
}

fn same_arrays(left: &Signature, right: &Signature) -> bool {
    left.arrays.len() == right.arrays.len()
        && left.arrays.iter().zip(&right.arrays).all(|(a, b)| a.shape == b.shape)
}

/// The arrays of an object that a certificate is about, with all attributes of the object, and what is known
/// of them.
fn chosen(
    file: &Arc<ObjectFile>,
    (media_type, parameters): (&str, &Map<String, Value>),
    content: &SignalContent,
    reading: &Reading<'_>,
    progress: &Progress,
) -> Result<(Arrays, Told)> {
    let Some(found) = media::recorded(media_type, parameters) else {
        return Err(Failure::Other(format!("{media_type} holds no arrays that are known here")));
    };
    let (arrays, told) = open_source(file, found.codec, reading, directory_of(file.path()), progress)?;
    let arrays = as_certified(arrays, parameters, content)?;
    let listed = |name: &str| content.arrays.iter().any(|array| array.name == name);
    let alone = content.arrays.len() == 1 && arrays.signature().arrays.len() == 1;
    let found = arrays.signature().arrays.iter().enumerate();
    let keep: Vec<usize> =
        found.filter(|(_, array)| alone || listed(&array.name)).map(|(index, _)| index).collect();
    let attributes: Vec<usize> = (0..arrays.signature().attributes.len()).collect();
    Ok((arrays.narrowed(&keep, &attributes), told))
}

/// The same with the attributes alone that were certified: the others were dropped.
fn narrowed(arrays: Arrays, content: &SignalContent) -> Arrays {
    let held = arrays.signature().attributes.iter().enumerate();
    let certified = held.filter(|(_, (key, value))| content.holds(key, value));
    let attributes: Vec<usize> = certified.map(|(index, _)| index).collect();
    let all: Vec<usize> = (0..arrays.signature().arrays.len()).collect();
    arrays.narrowed(&all, &attributes)
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
