//! Provides sounds in containers of arrays: what makes an array a sound, as texts beside it, and the way
//! back.
//!
//! A sound has a rate, names of channels, a declared range and tags. A container that holds texts keeps them
//! under the keys below, so that a sound is one content in it and in a file of sounds. Texts that tell no
//! sound, or that do not fit the array, stay texts. An array without them becomes a sound where a person
//! tells the rate, or where a whole number beside it does, as it does in an npz; without names its channels
//! are the usual ones for their number, and its range is that of its type.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coherence::sample::SampleType;
use coherence::signal::{Array, Signature};

use super::Encoding;
use super::arrays::{Arrays, Part, Samples};
use super::safetensors::ATTRIBUTE as TEXTS;
use crate::error::{Error, Place, Result};
use crate::sound::depth::Depth;
use crate::sound::tags::{self, Found};
use crate::sound::{NAME, is_sound, layout};

/// The key of the samples of a channel in a second, in decimal digits.
const RATE: &str = "metadata/sound.rate";
/// The key of the names of channels, with spaces between them.
const CHANNELS: &str = "metadata/sound.channels";
/// The key of the end of the declared range, in decimal digits.
const PEAK: &str = "metadata/sound.peak";
/// What stands before the key of an attribute that occurs once and is a text.
const PLAIN: &str = "metadata/sound.text:";
/// What stands before the key of any other attribute: its values in base64, with commas between them.
const CODED: &str = "metadata/sound.base64:";

/// Channels beyond which an array that has fewer frames is taken for one that lies the other way round.
const CHANNELS_LIKELY_MAX: u64 = 32;

/// Names of a whole number that stands beside the samples of a sound and is its rate.
const RATE_NAMES: [&str; 4] = ["sample_rate", "samplerate", "sr", "fs"];

/// What a person tells of an array that becomes a sound.
#[derive(Debug, Clone, Copy, Default)]
pub struct Declared {
    /// Samples of a channel in a second.
    pub rate: Option<u32>,
    /// Bits of its whole samples, where these are fewer than those of their type.
    pub bits: Option<u8>,
}

/// An attribute.
type Attribute = (String, Vec<u8>);

/// The attributes of a signal as a container holds them that has texts: those of a sound become such.
pub(super) fn as_texts(signature: &Signature) -> Vec<Attribute> {
    let Some(sound) = sound_of(signature) else { return signature.attributes.clone() };
    let (mut texts, mut values): (Vec<Attribute>, BTreeMap<&str, Vec<&[u8]>>) = (Vec::new(), BTreeMap::new());
    for (key, value) in &signature.attributes {
        match key.as_str() {
            tags::RATE => texts.push((RATE.to_owned(), value.clone())),
            key if is_foreign(key) => texts.push((key.to_owned(), value.clone())),
            key => values.entry(key).or_default().push(value),
        }
    }
    texts.push((CHANNELS.to_owned(), sound.meaning.clone().into_bytes()));
    texts.push((PEAK.to_owned(), sound.peak.unwrap_or(1.0).to_string().into_bytes()));
    texts.extend(values.into_iter().map(|(key, values)| match values.as_slice() {
        [only] if std::str::from_utf8(only).is_ok() => (format!("{PLAIN}{key}"), only.to_vec()),
        values => {
            let coded: Vec<String> = values.iter().map(|value| STANDARD.encode(value)).collect();
            (format!("{CODED}{key}"), coded.join(",").into_bytes())
        }
    }));
    texts.sort();
    texts
}

/// The only array of a signal, where it is a sound that tells its rate.
fn sound_of(signature: &Signature) -> Option<&Array> {
    let [array] = signature.arrays.as_slice() else { return None };
    tags::rate(&signature.attributes)?;
    (is_sound(array) && array.peak.is_some()).then_some(array)
}

/// Whether a key is one of a container of arrays, and not of a sound.
fn is_foreign(key: &str) -> bool {
    key.starts_with(TEXTS) || key.starts_with("gguf/")
}

/// The same arrays as the sound that their texts tell; unchanged where they tell none.
pub(super) fn lifted(arrays: Arrays) -> Arrays {
    match read(arrays.signature()) {
        Some(signature) => arrays.told_as(signature),
        None => arrays,
    }
}

fn read(signature: &Signature) -> Option<Signature> {
    let [array] = signature.arrays.as_slice() else { return None };
    let text = |key: &str| {
        let (_, value) = signature.attributes.iter().find(|(known, _)| known == key)?;
        std::str::from_utf8(value).ok()
    };
    let (rate, channels, peak) = (text(RATE)?, text(CHANNELS)?, text(PEAK)?);
    let fits = array.name == NAME
        && matches!(array.shape.as_slice(), [_, count] if *count == channels.split(' ').count() as u64)
        && channels.split(' ').all(|name| !name.is_empty());
    let peak: f64 = peak.parse().ok().filter(|number: &f64| number.to_string() == peak)?;
    if !fits || !is_range(array.sample, peak) {
        return None;
    }
    let mut found = Found::default();
    found.add(tags::RATE.to_owned(), rate.as_bytes().to_vec()).ok()?;
    for (key, value) in &signature.attributes {
        for (key, value) in of_text(key, value)? {
            found.add(key, value).ok()?;
        }
    }
    let attributes = found.finish();
    tags::rate(&attributes)?;
    let sound = Array { meaning: channels.to_owned(), peak: Some(peak), ..array.clone() };
    Some(Signature { arrays: vec![sound], attributes })
}

/// The attributes that a text stands for; `None` where it stands for none that a sound could have.
fn of_text(key: &str, value: &[u8]) -> Option<Vec<Attribute>> {
    let own = |key: &str| (!is_foreign(key) && key != tags::RATE).then(|| key.to_owned());
    if let Some(key) = key.strip_prefix(PLAIN) {
        return Some(vec![(own(key)?, value.to_vec())]);
    }
    if let Some(key) = key.strip_prefix(CODED) {
        let key = own(key)?;
        let values = value.split(|byte| *byte == b',').map(|coded| STANDARD.decode(coded).ok());
        return values.map(|value| Some((key.clone(), value?))).collect();
    }
    match key {
        RATE | CHANNELS | PEAK => Some(Vec::new()),
        _ => Some(vec![(key.to_owned(), value.to_vec())]),
    }
}

/// Whether samples of this type can declare a range that ends here: at 1, or at a power of two that their
/// bits reach.
fn is_range(sample: SampleType, peak: f64) -> bool {
    match bits_of(sample) {
        None => sample.is_float() && peak == 1.0,
        Some(most) => (1..=most).any(|bits| range_of(bits) == peak),
    }
}

/// Bits of whole samples that count from the middle, and are those of a sound.
fn bits_of(sample: SampleType) -> Option<u8> {
    match sample {
        SampleType::I8 => Some(8),
        SampleType::I16 => Some(16),
        SampleType::I32 => Some(32),
        _ => None,
    }
}

/// The sound that these arrays are: one that is told, or the only array of frames × channels (or of frames
/// alone), with the rate that a person or a number beside it tells.
///
/// # Errors
/// Arrays that are no sound; no rate; a rate or bits that are not those of the sound.
pub fn to_sound(arrays: Arrays, declared: Declared) -> Result<Arrays> {
    if let Some(array) = sound_of(arrays.signature()) {
        same_rate(declared.rate, tags::rate(&arrays.signature().attributes).unwrap_or(0))?;
        return match declared.bits.filter(|bits| array.peak != Some(range_of(*bits))) {
            None => Ok(arrays),
            Some(bits) => Err(Error::Misuse(format!(
                "--bits {bits}: the source is a sound that declares its range, which ends at {}; \
                 --sample-type gives it other samples",
                array.peak.unwrap_or(1.0)
            ))),
        };
    }
    let (arrays, told) = match rate_beside(&arrays)? {
        Some((arrays, told)) => {
            same_rate(declared.rate, told)?;
            (arrays, Some(told))
        }
        None => (arrays, declared.rate),
    };
    let (array, attributes) = described(arrays.signature(), Declared { rate: told, ..declared })?;
    Ok(arrays.told_as(Signature { arrays: vec![array], attributes }))
}

/// A sound for a container of arrays alone: its rate is an array of one whole number beside it, as it is
/// read. What is no sound stays as it is.
pub fn with_rate_beside(arrays: Arrays) -> Result<Arrays> {
    let signature = arrays.signature();
    let (Some(_), Some(rate)) = (sound_of(signature), tags::rate(&signature.attributes)) else {
        return Ok(arrays);
    };
    let attributes = signature.attributes.iter().filter(|(key, _)| key != tags::RATE).cloned().collect();
    let array = Array {
        name: RATE_NAMES[0].to_owned(),
        sample: SampleType::I64,
        shape: Vec::new(),
        meaning: String::new(),
        peak: None,
    };
    let held: Arc<dyn Samples> = Arc::new(Rate(rate));
    arrays.with_beside("sound", array, attributes, held)
}

/// The sound that arrays are by the rate beside them, as a conversion takes them, to be compared with another
/// sound; nothing where they are none, or the other is none. Their whole samples have the range of the other
/// where they are of its type, since arrays tell no range.
pub fn like_sound(arrays: &Arrays, other: &Signature) -> Result<Option<Arrays>> {
    let (Some(sound), None) = (sound_of(other), sound_of(arrays.signature())) else { return Ok(None) };
    let Some((alone, rate)) = rate_beside(arrays)? else { return Ok(None) };
    let same_type = alone.signature().arrays[0].sample == sound.sample;
    let bits = Depth::of(sound).filter(|_| same_type).and_then(Depth::bits);
    // What makes no sound is compared as the arrays that it is.
    Ok(to_sound(alone, Declared { rate: Some(rate), bits }).ok())
}

/// The rate of a sound, as an array of one number.
#[derive(Debug)]
struct Rate(u32);

impl Samples for Rate {
    fn read(&self, _array: usize, samples: Range<u64>, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let number = i64::from(self.0).to_le_bytes();
        samples.for_each(|_| out.extend_from_slice(&number));
        Ok(())
    }
}

/// Fails where a person tells another rate than the sound.
fn same_rate(declared: Option<u32>, told: u32) -> Result<()> {
    match declared.filter(|rate| *rate != told) {
        None => Ok(()),
        Some(rate) => Err(Error::Misuse(format!(
            "--rate {rate}: the source is a sound of {told} samples a second; another rate would be \
             resampling, which changes the content and is no conversion; leave it away"
        ))),
    }
}

/// The one of two arrays that is no rate, and the other one, which is the rate of a sound by its name and as
/// a single whole number.
fn rate_beside(arrays: &Arrays) -> Result<Option<(Arrays, u32)>> {
    let two = arrays.signature().arrays.as_slice();
    let is_rate = |array: &Array| RATE_NAMES.contains(&array.name.as_str()) && array.samples() == Some(1);
    let (rate, sound) = match two {
        [first, second] if is_rate(first) && !is_rate(second) => (0, 1),
        [first, second] if is_rate(second) && !is_rate(first) => (1, 0),
        _ => return Ok(None),
    };
    let (mut held, mut samples, mut number) = (Vec::new(), Vec::new(), Vec::new());
    arrays.read(&Part { array: rate, samples: 0..1 }, &mut held, &mut samples)?;
    Encoding::Plain(two[rate].sample).decode(&samples, SampleType::F64, &mut number);
    let number = number.first_chunk().map_or(f64::NAN, |raw| f64::from_le_bytes(*raw));
    if number.fract() != 0.0 || !(1.0..=f64::from(u32::MAX)).contains(&number) {
        return Ok(None);
    }
    let attributes: Vec<usize> = (0..arrays.signature().attributes.len()).collect();
    Ok(Some((arrays.clone().narrowed(&[sound], &attributes), number as u32)))
}

/// Where the range of whole samples of this many bits ends.
fn range_of(bits: u8) -> f64 {
    f64::exp2(f64::from(bits) - 1.0)
}

/// The array of a sound, and its attributes.
fn described(signature: &Signature, declared: Declared) -> Result<(Array, Vec<Attribute>)> {
    let refused = |what: String, hint: &str| Error::unsupported(Place::default(), what, hint);
    let [array] = signature.arrays.as_slice() else {
        let what = format!("{} arrays are no sound", signature.arrays.len());
        return Err(refused(what, "choose the one that is with --include NAME"));
    };
    let (frames, channels) = match *array.shape.as_slice() {
        [frames] => (frames, 1),
        [frames, channels] if channels > 0 => (frames, channels),
        _ => {
            let what = format!("an array of shape {:?} is no sound", array.shape);
            return Err(refused(what, "a sound is an array of frames × channels, or of frames alone"));
        }
    };
    if channels > frames && channels > CHANNELS_LIKELY_MAX {
        let what = format!("{frames} frames of {channels} channels are no sound that is likely");
        return Err(refused(
            what,
            "a sound is frames × channels; turn the array round first (NumPy: array.T)",
        ));
    }
    let sample = array.sample;
    let peak = match (bits_of(sample), declared.bits) {
        (Some(most), Some(bits)) if bits == 0 || bits > most => {
            let what = format!("--bits {bits}: samples of type {sample} have 1 to {most} bits");
            return Err(Error::Misuse(what));
        }
        (Some(most), bits) => range_of(bits.unwrap_or(most)),
        (None, Some(bits)) if sample.is_float() => {
            let what =
                format!("--bits {bits}: samples of type {sample} have a range that ends at 1; leave it away");
            return Err(Error::Misuse(what));
        }
        (None, None) if sample.is_float() => 1.0,
        _ => {
            let what = format!("samples of type {sample} are none of a sound");
            let hint = "those are i8, i16, i32, f32 or f64, and count from the middle of their range";
            return Err(refused(what, hint));
        }
    };
    let Some(rate) = declared.rate else {
        let name =
            if array.name.is_empty() { "the array".to_owned() } else { format!("array {:?}", array.name) };
        let what = format!("{name} tells no rate, and a sound has one");
        return Err(refused(what, "say how many samples a second it has, such as --rate 44100"));
    };
    let mut attributes = signature.attributes.clone();
    attributes.push((tags::RATE.to_owned(), rate.to_string().into_bytes()));
    attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
    let meaning = layout::meaning(channels, None);
    let shape = vec![frames, channels];
    Ok((Array { name: NAME.to_owned(), sample, shape, meaning, peak: Some(peak) }, attributes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(attributes: &[(&str, &[u8])]) -> Signature {
        let array = Array {
            name: NAME.to_owned(),
            sample: SampleType::I16,
            shape: vec![100, 2],
            meaning: "FL FR".to_owned(),
            peak: Some(32768.0),
        };
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect();
        Signature { arrays: vec![array], attributes }
    }

    /// What a container of texts gives back.
    fn held(signature: &Signature) -> Signature {
        let array = Array { meaning: String::new(), peak: None, ..signature.arrays[0].clone() };
        Signature { arrays: vec![array], attributes: as_texts(signature) }
    }

    #[test]
    fn a_sound_comes_back_from_texts() {
        let signature = sound(&[
            ("metadata/author", b"me"),
            ("riff:bext", &[0, 255, 1]),
            ("sound.rate", b"44100"),
            ("tag:ARTIST", b"a"),
            ("tag:ARTIST", b"b, and c"),
            ("tag:TITLE", "Größe".as_bytes()),
        ]);
        let texts = held(&signature);
        let text =
            |key: &str| texts.attributes.iter().find(|(known, _)| known == key).map(|(_, v)| v.as_slice());
        assert_eq!(text(RATE), Some(b"44100".as_slice()));
        assert_eq!(text(PEAK), Some(b"32768".as_slice()));
        assert_eq!(text("metadata/sound.text:tag:TITLE"), Some("Größe".as_bytes()));
        assert!(texts.attributes.iter().all(|(_, value)| std::str::from_utf8(value).is_ok()));
        assert_eq!(read(&texts), Some(signature));
    }

    #[test]
    fn texts_that_fit_no_sound_stay_texts() {
        let good = held(&sound(&[("sound.rate", b"8000")]));
        assert!(read(&good).is_some());
        for (key, value) in [
            (RATE, "0"),
            (RATE, "fast"),
            (CHANNELS, "FL"),
            (CHANNELS, "FL "),
            (PEAK, "32767"),
            (PEAK, "65536"),
            (PEAK, "+128"),
            (PEAK, "NaN"),
            ("metadata/sound.base64:tag:X", "!"),
            ("metadata/sound.text:sound.rate", "1"),
            ("metadata/sound.text:metadata/x", "1"),
        ] {
            let mut bad = good.clone();
            bad.attributes.retain(|(known, _)| known != key);
            bad.attributes.push((key.to_owned(), value.as_bytes().to_vec()));
            assert_eq!(read(&bad), None, "{key} {value}");
        }
        let mut other = good.clone();
        other.arrays[0].name = "image".to_owned();
        assert_eq!(read(&other), None);
        let mut unsigned = good;
        unsigned.arrays[0].sample = SampleType::U16;
        assert_eq!(read(&unsigned), None);
    }

    #[test]
    fn an_array_is_a_sound_by_its_shape_its_type_and_a_rate() {
        let of = |sample, shape: &[u64], rate| {
            let array =
                Array { sample, shape: shape.to_vec(), meaning: String::new(), peak: None, name: "x".into() };
            described(
                &Signature { arrays: vec![array], attributes: Vec::new() },
                Declared { rate, bits: None },
            )
        };
        let (array, attributes) = of(SampleType::I32, &[7], Some(8000)).unwrap();
        assert_eq!((array.shape, array.meaning.as_str()), (vec![7, 1], "FC"));
        assert_eq!((array.peak, array.name.as_str()), (Some(2147483648.0), NAME));
        assert_eq!(attributes, [("sound.rate".to_owned(), b"8000".to_vec())]);
        let fault = |sample, shape: &[u64], rate| of(sample, shape, rate).unwrap_err().to_string();
        assert!(fault(SampleType::I16, &[7, 2], None).contains("--rate 44100"));
        assert!(fault(SampleType::U8, &[7, 2], Some(1)).contains("u8"));
        assert!(fault(SampleType::F32, &[2, 44100], Some(1)).contains("array.T"));
        assert!(fault(SampleType::F32, &[2, 3, 4], Some(1)).contains("frames × channels"));
        assert!(fault(SampleType::F32, &[5, 0], Some(1)).contains("no sound"));
    }
}
