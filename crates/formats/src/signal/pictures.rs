//! Provides the way between images and arrays: an image is one array of rows × columns × channels, and what
//! is attached to it are attributes.
//!
//! A container of arrays holds texts. So an attribute of an image becomes a text under its key with a
//! prefix, in base64, and becomes the same attribute again.

use std::ops::Range;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coherence::sample::SampleType;
use coherence::signal::Array;

use super::SignalFormat;
use super::arrays::{Arrays, Part, Samples};
use super::columns::COLUMNS;
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::image::{Channels, Image, attributes, common, is_fraction, lifted};

/// What stands before the key of an attribute of an image: containers hold texts under such keys.
const PREFIX: &str = "metadata/image.base64:";

/// The name of the array, as images call it.
const NAME: &str = "image";

/// Samples of an image, held.
#[derive(Debug)]
struct Held {
    samples: Vec<u8>,
    width: usize,
}

impl Samples for Held {
    fn read(&self, _array: usize, samples: Range<u64>, out: &mut Vec<u8>) -> Result<()> {
        let at = |sample: u64| usize::try_from(sample).unwrap_or(usize::MAX).saturating_mul(self.width);
        let held = self.samples.get(at(samples.start)..at(samples.end));
        let held = held.ok_or_else(|| Error::Bug("a part of an image beyond its end".into()))?;
        out.clear();
        out.extend_from_slice(held);
        Ok(())
    }
}

/// The arrays that an image is.
///
/// # Errors
/// Inks: an array does not say that it is of those, and would come back as light.
pub fn of_image(file: Arc<ObjectFile>, image: Image) -> Result<Arrays> {
    if image.channels == Channels::Cmyk {
        let what = "four inks (CMYK) are no array: they would come back as red, green, blue and opacity";
        let hint = "keep them in a TIFF, or make RGB of them by their profile first (`vips icc_transform`)";
        return Err(Error::unsupported(Place::default(), what, hint));
    }
    let array = Array {
        name: NAME.to_owned(),
        sample: image.sample,
        shape: vec![image.height.into(), image.width.into(), image.channels.count() as u64],
        meaning: String::new(),
        peak: None,
    };
    let text = |(key, value): &(String, Vec<u8>)| {
        // Equal keys stay apart: a container has each key once.
        (format!("{PREFIX}{key}"), STANDARD.encode(value).into_bytes())
    };
    let mut attributes: Vec<(String, Vec<u8>)> = image.attributes.iter().map(text).collect();
    attributes.dedup_by(|next, first| {
        let same = next.0 == first.0;
        if same {
            // Base64 has no comma.
            first.1.push(b',');
            first.1.extend_from_slice(&next.1);
        }
        same
    });
    let width = image.sample.width();
    let held: Arc<dyn Samples> = Arc::new(Held { samples: image.samples, width });
    let arrays = Arrays::elsewhere("image", file, vec![array], attributes, &held)?;
    Ok(arrays.ignoring(image.ignored).declaring(image.declared))
}

/// The index of the array of a container with which the whole samples of an image are compared as fractions
/// of full intensity: the one that stands for the image, where it has these.
pub fn fractions_for(picture: &Arrays, others: &Arrays) -> Option<usize> {
    let others = &others.signature().arrays;
    let named = others.iter().position(|array| array.name == NAME);
    let other = if others.len() == 1 { Some(0) } else { named };
    let is_whole = !is_fraction(picture.signature().arrays[0].sample);
    other.filter(|at| is_whole && is_fraction(others[*at].sample))
}

/// The arrays that an image is, with its samples as fractions that are compared with those of this type.
pub fn in_fractions(picture: Arrays, sample: SampleType, bytes_max: u64) -> Result<Arrays> {
    let Some(file) = picture.file() else { return Ok(picture) };
    let own = picture.signature().arrays[0].sample;
    of_image(file, lifted(to_image(&picture, bytes_max)?, common(own, sample))?)
}

/// The image that one array of rows × columns, or of rows × columns × channels, is.
pub fn to_image(arrays: &Arrays, bytes_max: u64) -> Result<Image> {
    let signature = arrays.signature();
    let refused = |what: String| {
        let hint = "an image is one array of rows × columns × 1 to 4 channels; write that one into an npy \
                    first (--include NAME), or choose a container of arrays as the target";
        Error::unsupported(Place::default(), what, hint)
    };
    let [array] = signature.arrays.as_slice() else {
        return Err(refused(format!("{} arrays are no image", signature.arrays.len())));
    };
    let (height, width, count) = match *array.shape.as_slice() {
        [height, width] => (height, width, 1),
        [height, width, count @ 1..=4] => (height, width, count),
        _ => return Err(refused(format!("an array of shape {:?} is no image", array.shape))),
    };
    let channels = Channels::ALL.into_iter().find(|channels| channels.count() as u64 == count);
    let channels = channels.ok_or_else(|| Error::Bug("an image without channels".into()))?;
    let side = |axis: u64| u32::try_from(axis).ok().filter(|axis| *axis > 0);
    let (Some(width), Some(height)) = (side(width), side(height)) else {
        return Err(refused(format!(
            "an array of shape {:?} has no pixels that an image could have",
            array.shape
        )));
    };
    if array.sample == SampleType::Bool {
        return Err(refused("truth values are no intensities".into()));
    }
    let samples = array.samples().unwrap_or(u64::MAX);
    if samples.saturating_mul(array.sample.width() as u64) > bytes_max {
        let hint = "give it more memory (--memory)".to_owned();
        let what = "the memory of an image's samples in bytes";
        return Err(Error::Limit { place: Box::default(), what, max: bytes_max, hint });
    }
    let (mut held, mut found) = (Vec::new(), Vec::new());
    arrays.read(&Part { array: 0, samples: 0..samples }, &mut held, &mut found)?;
    let mut attributes = Vec::new();
    for (key, value) in &signature.attributes {
        match key.strip_prefix(PREFIX).filter(|_| STANDARD.decode(first_of(value)).is_ok()) {
            Some(key) => {
                for piece in value.split(|byte| *byte == b',') {
                    let piece = STANDARD.decode(piece);
                    let damaged = || Error::malformed("image", Place::default(), format!("a damaged {key}"));
                    attributes.push((key.to_owned(), piece.map_err(|_| damaged())?));
                }
            }
            None => attributes.push((key.clone(), value.clone())),
        }
    }
    attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
    let sample = array.sample;
    Ok(Image {
        width,
        height,
        channels,
        sample,
        samples: found,
        attributes,
        ignored: Vec::new(),
        declared: arrays.declared().cloned(),
    })
}

/// What a container loses with an attribute of these arrays, for a person, where an image or a table has it.
pub fn in_words(key: &str, to: SignalFormat, arrays: &[Array]) -> String {
    // Where each column is an array, its name is the array's.
    let named = to == SignalFormat::Npz && arrays.iter().all(|array| array.shape.len() == 1);
    match key.strip_prefix(PREFIX) {
        Some(key) => attributes::in_words(key),
        None if key == COLUMNS && named => "the order of the columns".to_owned(),
        None if key == COLUMNS => "the names of the columns".to_owned(),
        None => key.to_owned(),
    }
}

fn first_of(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == b',').next().unwrap_or(value)
}
