//! Provides the oracle of images: what decodes can be written again, and comes back equal.

use super::{Held, law, same};
use crate::error::Error;
use crate::image::{IMAGE_FORMATS, Image, ImageFormat, Settings, decode, encode, fit};

/// Bytes of samples at most: a few packed bytes can rightly stand for many.
const SAMPLE_BYTES_MAX: u64 = 1 << 20;

/// Bytes of samples that are written as AVIF at most.
const AVIF_BYTES_MAX: usize = 2 << 10;

/// An image of any format, by its first bytes.
pub fn image(bytes: &[u8]) -> Held {
    let Some(format) = ImageFormat::of_bytes(bytes) else { return Ok(()) };
    let mut image = match decode(format, bytes, SAMPLE_BYTES_MAX) {
        Ok(image) => image,
        // Here the place is the file: not everything that is wrong with an image is at one of its bytes.
        Err(Error::Malformed { .. } | Error::Unsupported { .. } | Error::Limit { .. }) => return Ok(()),
        Err(other) => return Err(format!("bytes alone led to: {other}")),
    };
    image.ignored.clear();
    for target in IMAGE_FORMATS.into_iter().filter(|target| target.is_written()) {
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
        } else {
            again.samples.clone_from(&fitted.samples);
            law(again == fitted, || format!("{} changes more than samples", target.name()))?;
        }
    }
    Ok(())
}
