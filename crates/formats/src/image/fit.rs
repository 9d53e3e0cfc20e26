//! Provides what a format cannot hold of an image, and the image without it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use coherence::sample::SampleType;
use half::f16;

use super::gif::{COLOURS_MAX, Lacking, lacking};
use super::tiff::is_unit_range;
use super::{Channels, Declared, Image, ImageFormat};
use crate::error::{Error, Obstacle, Place, Result};

/// Something about an image that a format cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// It is too wide or high.
    Side {
        /// Pixels in a row, or rows, at most.
        max: u32,
    },
    /// The type of its samples.
    Sample {
        /// As it is.
        from: SampleType,
        /// As it could be; `None` where no type of the format could stand for it.
        to: Option<SampleType>,
    },
    /// Samples of floating point whose file declares another range than that from 0 to 1.
    Range(SampleType),
    /// The layout of its pixels.
    Channels {
        /// As it is.
        from: Channels,
        /// As it could be.
        to: Channels,
        /// Whether every colour stays what it is: grey written as RGB, opacity that is full everywhere.
        exact: bool,
    },
    /// Inks, as printers have them: which colours they make on a screen is a matter of a profile.
    Inks,
    /// Colours that GIF cannot hold.
    Colours(Lacking),
    /// An attribute, by its key.
    Attribute(String),
}

impl Loss {
    /// Why a person has to decide about it; nothing where [`laid_out`] and [`fit()`] do without one.
    pub fn obstacle(&self, format: ImageFormat) -> Option<Obstacle> {
        match self {
            Self::Channels { exact: true, .. } | Self::Attribute(_) | Self::Sample { to: Some(_), .. } => {
                None
            }
            Self::Side { .. }
            | Self::Inks
            | Self::Colours(_)
            | Self::Sample { to: None, .. }
            | Self::Range(_)
            | Self::Channels { exact: false, .. } => {
                let what = format!("{} cannot hold {self}", format.name());
                Some(Obstacle { what, hint: self.hint().to_owned() })
            }
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Side { .. } => "choose a format for large images, such as png",
            Self::Sample { from, .. } if ImageFormat::Tiff.samples().contains(from) => {
                "choose a format with such samples, such as tiff or npy"
            }
            Self::Sample { .. } => "keep them in a container of arrays, such as safetensors",
            Self::Range(_) => {
                "scale them to the range from 0 to 1 and write the file without its tags 340 and 341 first, \
                 or keep them in a TIFF or an npy"
            }
            Self::Channels { exact: false, .. } => "choose a format with transparency, such as png or webp",
            Self::Channels { exact: true, .. } => "fit the image to the format first",
            Self::Inks => {
                "keep them in a TIFF, or make RGB of them by their profile first (`vips icc_transform`)"
            }
            Self::Colours(Lacking::Colours) => "choose a format without a palette, such as png or webp",
            Self::Colours(Lacking::Opacity) => "choose a format with opacity, such as png or webp",
            Self::Colours(Lacking::Hidden) => {
                "choose png or webp, or make the colour of its transparent pixels black first"
            }
            Self::Attribute(_) => "choose another format, or drop this metadata",
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Side { max } => write!(f, "more than {max} pixels in a row or column"),
            Self::Sample { from, to: Some(to) } => write!(f, "samples of type {from}, only {to}"),
            Self::Sample { from, to: None } => write!(f, "samples of type {from}"),
            Self::Range(from) => {
                write!(f, "samples of type {from} that are declared to have another range than 0 to 1")
            }
            Self::Channels { from, to, exact: true } => {
                write!(f, "{} as such, only the same colours as {}", from.name(), to.name())
            }
            Self::Channels { from, to, .. } => write!(f, "{}, only {}", from.name(), to.name()),
            Self::Inks => f.write_str("four inks (CMYK), only light"),
            Self::Colours(Lacking::Colours) => write!(f, "more than {COLOURS_MAX} colours"),
            Self::Colours(Lacking::Opacity) => f.write_str("opacity between none and full"),
            Self::Colours(Lacking::Hidden) => {
                f.write_str("the colour of fully transparent pixels, where it is not black")
            }
            Self::Attribute(key) => write!(f, "the attribute {key:?}"),
        }
    }
}

/// What `format` cannot hold of an image; nothing where it can hold everything.
pub fn losses(format: ImageFormat, image: &Image) -> Vec<Loss> {
    let mut found = Vec::new();
    let max = format.side_max();
    if image.width > max || image.height > max {
        found.push(Loss::Side { max });
    }
    let (from, known) = (image.sample, format.samples());
    if !known.contains(&from) {
        // The widest integers that stand for it: the least that has to go.
        let to = known.iter().filter(|to| stands_for(**to, from)).max_by_key(|to| to.width());
        found.push(Loss::Sample { from, to: to.copied() });
        found.extend(lost_range(format, from, &image.attributes));
    }
    if image.channels == Channels::Cmyk && !format.channels().contains(&Channels::Cmyk) {
        found.push(Loss::Inks);
    }
    let to = nearest_channels(format, image);
    let exact = to.has_alpha() || !image.channels.has_alpha() || is_opaque(image);
    if to != image.channels {
        found.push(Loss::Channels { from: image.channels, to, exact });
    }
    if format == ImageFormat::Gif && image.sample == SampleType::U8 && exact {
        let lacking =
            if to == image.channels { lacking(image) } else { lacking(&with_channels(image.clone(), to)) };
        found.extend(lacking.map(Loss::Colours));
    }
    let gone = image.attributes.iter().zip(held(format, &image.attributes)).filter(|(_, held)| !held);
    found.extend(gone.map(|((key, _), _)| Loss::Attribute(key.clone())));
    found
}

/// Which of these attributes a format can hold. A TIFF has one place for each key, which the first one takes.
fn held(format: ImageFormat, attributes: &[(String, Vec<u8>)]) -> Vec<bool> {
    let mut taken = HashSet::new();
    let mut is_free = |key| format != ImageFormat::Tiff || taken.insert(key);
    attributes.iter().map(|(key, value)| format.holds(key, value) && is_free(key.as_str())).collect()
}

/// That a format would make whole samples of ones of floating point, whose file declares by its attributes
/// another range than that from 0 to 1.
pub fn lost_range(format: ImageFormat, from: SampleType, attributes: &[(String, Vec<u8>)]) -> Option<Loss> {
    let whole = is_fraction(from) && !format.samples().contains(&from);
    (whole && !is_unit_range(attributes)).then_some(Loss::Range(from))
}

/// The layout in which a format holds the most of an image: its own, the same colours, or at least their
/// hues.
pub fn nearest_channels(format: ImageFormat, image: &Image) -> Channels {
    let (from, known) = (image.channels, format.channels());
    if from == Channels::Cmyk {
        return from;
    }
    let opaque = !from.has_alpha() || is_opaque(image);
    // A GIF tells opacity by a colour that some pixel has, so that an opaque one has none.
    let tells_alpha = format != ImageFormat::Gif || !opaque;
    let alpha = from.has_alpha() && tells_alpha;
    let same =
        [from.with_alpha(alpha), from.with_alpha(false), Channels::Rgb.with_alpha(alpha), Channels::Rgb];
    let fine = |to: &Channels| known.contains(to);
    let exact = same.into_iter().find(|to| fine(to) && (opaque || to.has_alpha()));
    exact.or_else(|| same.into_iter().find(fine)).unwrap_or(from)
}

/// The image that is left where what `format` cannot hold is taken away: samples rounded to the nearest of
/// the same intensity (of floating point as fractions of 1), grey repeated as RGB, full opacity left out,
/// attributes dropped.
///
/// Opacity that is not full, samples of another kind and images that are too large are
/// [`Error::Unsupported`]: there are several ways to do without them, and each is a decision of a person.
pub fn fit(image: &Image, format: ImageFormat) -> Result<Cow<'_, Image>> {
    if losses(format, image).is_empty() {
        return Ok(Cow::Borrowed(image));
    }
    let mut fitted = laid_out(image.clone(), format)?;
    for loss in losses(format, &fitted) {
        if let Loss::Sample { from, to: Some(to) } = loss {
            fitted.samples = match is_fraction(from) {
                true => rounded(&fitted, to)?,
                false => narrowed(&fitted.samples, from, to),
            };
            fitted.sample = to;
        }
    }
    // Colours are only known once they have the channels and the bits of the format.
    match losses(format, &fitted).first() {
        None => Ok(Cow::Owned(fitted)),
        Some(loss) => Err(refused(format, loss)),
    }
}

/// The same, with the samples as they are (but fractions of 16 bits have 64 where the format has whole
/// samples): the form in which an image and what `format` holds of it have one signature, once the latter is
/// [`lifted`].
pub fn laid_out(mut image: Image, format: ImageFormat) -> Result<Image> {
    let lost = losses(format, &image);
    let obstacles: Vec<Obstacle> = lost.iter().filter_map(|loss| loss.obstacle(format)).collect();
    if !obstacles.is_empty() {
        return Err(Error::obstacles(Place::default(), obstacles));
    }
    for loss in lost {
        match loss {
            Loss::Channels { to, .. } => image = with_channels(image, to),
            // Fractions of 11 bits do not tell whole samples of 16 apart; those of 53 are as near as anybody
            // computes.
            Loss::Sample { from: SampleType::F16, .. } => image = lifted(image, SampleType::F64)?,
            _ => {}
        }
    }
    let mut kept = held(format, &image.attributes).into_iter();
    image.attributes.retain(|_| kept.next() == Some(true));
    Ok(image)
}

/// Bytes of the samples that an image has as [`laid_out`] makes it, or as the format holds it, where these
/// are more; with the numbers of pixels that it declares. WebP is worked on with opacity in any case.
pub fn needed(image: &Image, format: ImageFormat) -> u64 {
    let (from, known) = (image.sample, format.samples());
    let widest = || known.iter().map(|sample| sample.width()).max().unwrap_or(1);
    let held = if known.contains(&from) { from.width() } else { widest() };
    let widened = from == SampleType::F16 && !known.contains(&from);
    let width = if widened { held.max(SampleType::F64.width()) } else { held };
    let count = match format {
        ImageFormat::WebP => Channels::Rgba.count(),
        _ => nearest_channels(format, image).count(),
    };
    let numbers = image.declared.as_ref().map_or(0, Declared::bytes);
    let pixels = u64::from(image.width) * u64::from(image.height);
    pixels.saturating_mul((count * width) as u64).saturating_add(numbers)
}

fn refused(format: ImageFormat, loss: &Loss) -> Error {
    let what = format!("{} cannot hold {loss}", format.name());
    Error::unsupported(Place::default(), what, loss.hint())
}

/// An image with other samples of the same intensities: wider unsigned ones, which is exact, since the full
/// intensity of the wider type is a multiple of that of the narrower one; fractions of 1, each rounded to the
/// nearest that the type has; or wider fractions, which is exact.
pub fn lifted(image: Image, to: SampleType) -> Result<Image> {
    let from = image.sample;
    if from == to {
        return Ok(image);
    }
    let samples = match (is_fraction(from), is_fraction(to)) {
        (true, true) if from.width() < to.width() => widened(&image.samples, from, to),
        // Compared as fractions of 11 bits, different samples would be equal.
        (false, true) if stands_for(from, to) && to != SampleType::F16 => fractions(&image.samples, from, to),
        (false, false) if stands_for(from, to) => {
            let repeat = to.width() / from.width();
            image.samples.chunks_exact(from.width()).flat_map(|sample| sample.repeat(repeat)).collect()
        }
        _ => {
            let what = format!("samples of type {from} are not compared with samples of type {to}");
            return Err(Error::unsupported(Place::default(), what, "convert one of them to the other first"));
        }
    };
    Ok(Image { sample: to, samples, ..image })
}

/// The type in which samples of two types are compared: fractions where one of them has these, else the wider
/// one. Fractions of 16 bits are compared with whole samples as those of 64.
pub fn common(a: SampleType, b: SampleType) -> SampleType {
    let told_apart = |sample, other| match sample == SampleType::F16 && !is_fraction(other) {
        true => SampleType::F64,
        false => sample,
    };
    let (a, b) = (told_apart(a, b), told_apart(b, a));
    match stands_for(b, a) || (!stands_for(a, b) && a.width() >= b.width()) {
        true => a,
        false => b,
    }
}

/// Whether samples of a type may stand for those of another: whole ones without a sign for wider ones and, of
/// 8 and 16 bits, for fractions of 1.
fn stands_for(to: SampleType, from: SampleType) -> bool {
    let wider = is_unsigned(from) && to.width() < from.width();
    is_unsigned(to) && (wider || (is_fraction(from) && to.width() <= SampleType::U16.width()))
}

/// Whether samples of a type are fractions of 1, which is full intensity.
pub(crate) fn is_fraction(sample: SampleType) -> bool {
    matches!(sample, SampleType::F16 | SampleType::F32 | SampleType::F64)
}

/// The number of a sample that is a fraction of 1.
fn fraction(raw: &[u8]) -> Option<f64> {
    match *raw {
        [a, b] => Some(f16::from_le_bytes([a, b]).into()),
        [a, b, c, d] => Some(f32::from_le_bytes([a, b, c, d]).into()),
        [a, b, c, d, e, f, g, h] => Some(f64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    }
}

/// The first of some samples, which are fractions of 1, that is a number and not between 0 and 1; with its
/// index.
pub fn beyond_fractions(samples: &[u8], sample: SampleType) -> Option<(usize, f64)> {
    let mut values = samples.chunks_exact(sample.width()).filter_map(fraction).enumerate();
    values.find(|(_, value)| value.is_finite() && !(0.0..=1.0).contains(value))
}

/// The same fractions in a wider type.
fn widened(samples: &[u8], from: SampleType, to: SampleType) -> Vec<u8> {
    let mut out = Vec::with_capacity(samples.len() / from.width() * to.width());
    for value in samples.chunks_exact(from.width()).filter_map(fraction) {
        put_fraction(value, to, &mut out);
    }
    out
}

/// Appends a fraction, rounded to the nearest that its type has.
fn put_fraction(value: f64, to: SampleType, out: &mut Vec<u8>) {
    match to {
        SampleType::F32 => out.extend((value as f32).to_le_bytes()),
        _ => out.extend(value.to_le_bytes()),
    }
}

/// Whole samples from fractions of 1, rounded to the nearest.
///
/// # Errors
/// A sample that is not between 0 and 1, with its pixel.
fn rounded(image: &Image, to: SampleType) -> Result<Vec<u8>> {
    let (from, count) = (image.sample, image.channels.count());
    let full = full_of(to);
    let mut out = Vec::with_capacity(image.samples.len() / from.width() * to.width());
    for (index, raw) in image.samples.chunks_exact(from.width()).enumerate() {
        let Some(value) = fraction(raw) else {
            return Err(Error::Bug(format!("{from} is no fraction of 1")));
        };
        if !(0.0..=1.0).contains(&value) {
            let (pixel, channel) = (index / count, index % count + 1);
            let (row, column) = (pixel / image.width as usize, pixel % image.width as usize);
            // What is no f64 is told in as few digits as it has.
            let value = if from == SampleType::F64 { value.to_string() } else { (value as f32).to_string() };
            let what = format!(
                "the pixel in row {row}, column {column} (from 0) has {value} in channel {channel}, and \
                 samples of floating point become {to} by the range from 0 to 1"
            );
            let hint = "scale them to that range first, or keep them in a TIFF or an npy";
            return Err(Error::unsupported(Place::default(), what, hint));
        }
        let whole = (value * full).round_ties_even() as u16;
        out.extend_from_slice(&whole.to_le_bytes()[..to.width()]);
    }
    Ok(out)
}

/// Fractions of 1 from whole samples of 8 or 16 bits.
fn fractions(samples: &[u8], from: SampleType, to: SampleType) -> Vec<u8> {
    let full = full_of(from);
    let mut out = Vec::with_capacity(samples.len() / from.width() * to.width());
    for raw in samples.chunks_exact(from.width()) {
        let value = raw.iter().rev().fold(0.0, |value, byte| value * 256.0 + f64::from(*byte)) / full;
        put_fraction(value, to, &mut out);
    }
    out
}

/// Full intensity of whole samples of 8 or 16 bits.
fn full_of(sample: SampleType) -> f64 {
    if sample == SampleType::U8 { u8::MAX.into() } else { u16::MAX.into() }
}

fn is_unsigned(sample: SampleType) -> bool {
    matches!(sample, SampleType::U8 | SampleType::U16 | SampleType::U32 | SampleType::U64)
}

/// Whether every pixel has full opacity.
fn is_opaque(image: &Image) -> bool {
    let width = image.sample.width();
    let full: &[u8] = match image.sample {
        SampleType::F16 => &[0x00, 0x3c],
        SampleType::F32 => &1f32.to_le_bytes(),
        SampleType::F64 => &1f64.to_le_bytes(),
        _ => &[0xff; 8][..width],
    };
    image.samples.chunks_exact(image.channels.count() * width).all(|pixel| pixel.ends_with(full))
}

/// Unsigned samples of fewer bits, at the same fraction of full intensity, rounded to the nearest.
fn narrowed(samples: &[u8], from: SampleType, to: SampleType) -> Vec<u8> {
    let full = |sample: SampleType| (1u128 << (8 * sample.width())) - 1;
    let mut out = Vec::with_capacity(samples.len() / from.width() * to.width());
    for sample in samples.chunks_exact(from.width()) {
        let value = sample.iter().rev().fold(0u128, |value, byte| value << 8 | u128::from(*byte));
        let rounded = (value * full(to) + full(from) / 2) / full(from);
        out.extend(&rounded.to_le_bytes()[..to.width()]);
    }
    out
}

/// The same colours with other channels; opacity that goes is full.
fn with_channels(image: Image, to: Channels) -> Image {
    let (width, from) = (image.sample.width(), image.channels);
    let pixels = image.samples.len() / (width * from.count());
    let mut samples = Vec::with_capacity(pixels * width * to.count());
    for pixel in image.samples.chunks_exact(width * from.count()) {
        let colours = from.with_alpha(false).count() * width;
        let (colour, alpha) = pixel.split_at(colours);
        for _ in 0..to.with_alpha(false).count() / from.with_alpha(false).count() {
            samples.extend(colour);
        }
        if to.has_alpha() {
            samples.extend(alpha);
        }
    }
    Image { channels: to, samples, ..image }
}
