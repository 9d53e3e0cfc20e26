//! Provides the space in which an image is compared with what is made of it: the channels and attributes that
//! the target has, and the samples of the source.

use coherence::sample::SampleType;
use formats::error::Obstacle;
use formats::image::{self, Image, ImageFormat, Loss, Rehoused};

use crate::failure::Result;

/// An image in the space in which it is compared.
pub struct Spaced {
    /// The image.
    pub image: Image,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Attributes that were left out since a person allowed it.
    pub dropped: Vec<String>,
}

/// An image in the space in which it is compared with one of this format: the channels that the format has
/// for the same colours, and the attributes that it holds, where it holds them.
pub fn in_space(image: Image, to: ImageFormat, drop_attributes: bool) -> Result<Spaced> {
    in_space_beside(image, to, drop_attributes, None)
}

/// The same; what stands in the way of the conversion in any case is told with all that stands in the way of
/// this.
pub fn in_space_beside(
    image: Image,
    to: ImageFormat,
    drop_attributes: bool,
    beside: Option<Obstacle>,
) -> Result<Spaced> {
    laid_out(image::rehoused(image, to), to, drop_attributes, beside)
}

/// The space before densities went into Exif data and out of them, in which older certificates were made.
pub fn in_older_space(image: Image, to: ImageFormat, drop_attributes: bool) -> Result<Spaced> {
    laid_out(image::rehoused_but_density(image, to), to, drop_attributes, None)
}

fn laid_out(
    Rehoused { image, homeless, near }: Rehoused,
    to: ImageFormat,
    drop_attributes: bool,
    mut beside: Option<Obstacle>,
) -> Result<Spaced> {
    let told = |what: &String| format!("not content in {}: {what}", to.name());
    let mut notes: Vec<String> = homeless.iter().chain(&near).map(told).collect();
    let (mut lost, mut dropped, mut obstacles) = (Vec::new(), Vec::new(), Vec::new());
    for loss in image::losses(to, &image) {
        match &loss {
            Loss::Attribute(key) if drop_attributes => {
                notes.push(format!("dropped: {key}"));
                dropped.push(key.clone());
            }
            Loss::Attribute(key) => lost.push(image::told(&image, key)),
            Loss::Channels { from, to, exact: true } => {
                notes.push(format!("{} is written and compared as {}", from.name(), to.name()));
            }
            Loss::Sample { from: SampleType::F16, to: Some(_) } => {
                notes.push("samples of type f16 are compared as f64".to_owned());
            }
            Loss::Sample { from, to: Some(to) } => {
                notes.push(format!("samples of type {from} are written as {to} and {}", compared(*from)));
            }
            // Nothing stands for such samples, however much may be lost.
            Loss::Sample { to: None, .. } => {
                obstacles.extend(loss.obstacle(to));
                beside = None;
            }
            _ => obstacles.extend(loss.obstacle(to)),
        }
    }
    if (to, image.sample) == (ImageFormat::Avif, SampleType::U16) {
        notes.push(format!("samples of 16 bits are written as 10 and {}", compared(image.sample)));
    }
    if !lost.is_empty() {
        let what = format!("{} cannot hold {}", to.name(), lost.join(", "));
        let hint = "leave it out with --drop metadata, or choose another format".to_owned();
        obstacles.insert(0, Obstacle { what, hint });
    }
    if obstacles.is_empty() {
        let image = image::laid_out(image, to)?;
        notes.extend(image::not_kept(&image, to));
        return Ok(Spaced { image, notes, dropped });
    }
    obstacles.extend(beside);
    Err(formats::Error::obstacles(formats::error::Place::default(), obstacles).into())
}

/// In which samples an image is compared with what was made of it, where that has others: those of the
/// source, from none to full intensity.
pub fn compared(sample: SampleType) -> String {
    let bits = 8 * sample.width();
    match sample.is_float() {
        true => format!("compared in floating point of {bits} bits, from 0 to 1"),
        false => format!("compared at {bits} bits, full range"),
    }
}
