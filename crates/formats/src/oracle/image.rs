//! Provides the oracle of images: what decodes can be written again, and comes back equal.

use coherence::sample::SampleType;

use super::{Held, choice, law, same};
use crate::error::Error;
use crate::image::attributes::{EXIF, ICC, XMP};
use crate::image::{
    Channels, IMAGE_FORMATS, Image, ImageFormat, Settings, decode, encode, fit, keeps_declared, losses,
    rehoused,
};

/// Bytes of samples at most: a few packed bytes can rightly stand for many.
const SAMPLE_BYTES_MAX: u64 = 1 << 20;

/// Bytes of samples that are written as AVIF at most.
const AVIF_BYTES_MAX: usize = 2 << 10;

/// An image of any format, by its first bytes, which goes into every format.
pub fn image(bytes: &[u8]) -> Held {
    ImageFormat::of_bytes(bytes).map_or(Ok(()), |format| held(format, bytes, |_| true))
}

/// An image of this format, which goes into the same again, or into PNG where the format is only read.
pub fn image_of(format: ImageFormat, bytes: &[u8]) -> Held {
    let own = if format.is_written() { format } else { ImageFormat::Png };
    held(format, bytes, |target| target == own)
}

/// Exif data, a profile or XMP, as the first byte says: a format of images that holds it gives it back.
pub fn attributes(bytes: &[u8]) -> Held {
    let (chosen, value) = choice(bytes);
    let key = [EXIF, ICC, XMP][usize::from(chosen) % 3];
    let image = Image {
        width: 2,
        height: 2,
        channels: Channels::Rgb,
        sample: SampleType::U8,
        samples: (0..12).collect(),
        attributes: vec![(key.to_owned(), value.to_vec())],
        ignored: Vec::new(),
        declared: None,
    };
    for target in IMAGE_FORMATS.into_iter().filter(|target| target.is_written()) {
        let moved = rehoused(image.clone(), target).image;
        if !losses(target, &moved).is_empty() {
            continue;
        }
        let failed = |error: Error| format!("{} does not hold the {key}: {error}", target.name());
        let settings = Settings { effort: target.effort().map(|_| 0), ..Settings::new(target) };
        let written = encode(&moved, &settings).map_err(failed)?;
        let mut again = decode(target, &written, 4 * SAMPLE_BYTES_MAX).map_err(failed)?.attributes;
        let mut moved = moved.attributes;
        again.sort();
        moved.sort();
        same(&again, &moved, target.name())?;
    }
    Ok(())
}

fn held(format: ImageFormat, bytes: &[u8], is_target: impl Fn(ImageFormat) -> bool) -> Held {
    let mut image = match decode(format, bytes, SAMPLE_BYTES_MAX) {
        Ok(image) => image,
        // Here the place is the file: not everything that is wrong with an image is at one of its bytes.
        Err(Error::Malformed { .. } | Error::Unsupported { .. } | Error::Limit { .. }) => return Ok(()),
        Err(other) => return Err(format!("bytes alone led to: {other}")),
    };
    image.ignored.clear();
    for target in IMAGE_FORMATS.into_iter().filter(|target| target.is_written() && is_target(*target)) {
        // AV1 takes so long that only few pixels leave time for anything else.
        if target == ImageFormat::Avif && image.samples.len() > AVIF_BYTES_MAX {
            continue;
        }
        let exact = |image: &Image| target.exact().contains(&image.sample);
        let fitted = match fit(&image, target) {
            Ok(fitted) => fitted.into_owned(),
            Err(Error::Unsupported { .. }) if target != format || !exact(&image) => continue,
            Err(error) => return Err(format!("{} does not hold what it held: {error}", target.name())),
        };
        if target == format && exact(&image) {
            same(&fitted, &image, "a format holds what was read from it")?;
        }
        // The fastest of each: what is tried here is what is held, and not how small.
        let effort = target.effort().map(|_| 0);
        let settings = Settings { effort, lossless: exact(&fitted), ..Settings::new(target) };
        let written = encode(&fitted, &settings);
        let written = written.map_err(|error| format!("{} refuses what fits: {error}", target.name()))?;
        let mut again = decode(target, &written, 4 * SAMPLE_BYTES_MAX).map_err(|error| error.to_string())?;
        if exact(&fitted) {
            same(&again, &fitted, target.name())?;
            let kept = fitted.declared.as_ref().filter(|_| keeps_declared(&fitted, target));
            let held = kept.is_none_or(|declared| declared.is_held(again.declared.as_ref()));
            law(held, || format!("{} loses a layout that it is said to keep", target.name()))?;
        } else {
            again.samples.clone_from(&fitted.samples);
            law(again == fitted, || format!("{} changes more than samples", target.name()))?;
        }
    }
    Ok(())
}
