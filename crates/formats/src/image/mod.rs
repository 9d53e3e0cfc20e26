//! Images as content: bytes of an image format to samples and attributes, and back.
//!
//! The content of an image is what a viewer computes with: colours, sample by sample, and what is attached
//! to them. Palettes are expanded, grey of fewer than 8 bits is widened by the exact factor, transparency
//! by colour becomes an alpha channel. Nothing is rotated, no profile is applied, no gamma is corrected.
//! See `docs/images.md`.
//!
//! [`encode`] refuses an image of which its format cannot hold everything; [`losses`] says what that would
//! be, and [`fit()`] makes an image without it. So nothing is dropped by accident.

pub(crate) mod attributes;
mod avif;
mod bmp;
mod boxes;
mod declared;
mod exif;
mod fit;
mod format;
mod gif;
mod jpeg;
mod jxl;
mod orientation;
mod png;
mod qoi;
pub mod sight;
mod tiff;
mod webp;

use coherence::sample::SampleType;
use coherence::signal::{Array, Signature};

use crate::error::{Error, Place, Result};
use crate::guard::guarded;
use crate::media::{Key, MediaType};
use attributes::Attributes;
pub use declared::{Declared, Palette, keeps_declared, not_kept};
pub use exif::{Rehoused, meaning, rehoused, rehoused_but_density, rehoused_for, told};
pub(crate) use fit::is_fraction;
pub use fit::{
    Loss, beyond_fractions, common, fit, laid_out, lifted, losses, lost_range, nearest_channels, needed,
};
pub use format::{IMAGE_FORMATS, ImageFormat, Knob};
pub use gif::Lacking;

/// What the samples of a pixel mean, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channels {
    /// One sample: grey, 0 is black.
    Gray,
    /// Grey and opacity, not premultiplied.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue and opacity, not premultiplied.
    Rgba,
    /// Cyan, magenta, yellow and black: how much of each ink, 0 is none.
    Cmyk,
}

impl Channels {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gray, Self::GrayAlpha, Self::Rgb, Self::Rgba, Self::Cmyk];

    /// Those of light, as screens have it: all but inks.
    pub const OF_LIGHT: [Self; 4] = [Self::Gray, Self::GrayAlpha, Self::Rgb, Self::Rgba];

    /// Samples of a pixel.
    pub fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    /// The name that signatures bind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gray => "gray",
            Self::GrayAlpha => "gray-alpha",
            Self::Rgb => "rgb",
            Self::Rgba => "rgba",
            Self::Cmyk => "cmyk",
        }
    }

    /// Whether the last sample of a pixel is its opacity.
    pub fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }

    /// The same colours with or without opacity, which inks have not.
    pub(crate) fn with_alpha(self, alpha: bool) -> Self {
        match (self, alpha) {
            (Self::Gray | Self::GrayAlpha, false) => Self::Gray,
            (Self::Gray | Self::GrayAlpha, true) => Self::GrayAlpha,
            (Self::Rgb | Self::Rgba, false) => Self::Rgb,
            (Self::Rgb | Self::Rgba, true) => Self::Rgba,
            (Self::Cmyk, _) => Self::Cmyk,
        }
    }
}

/// One image, whole. Equal images have the same content, whatever layout their files declare.
#[derive(Debug, Clone, Eq)]
pub struct Image {
    /// Pixels in a row, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
    /// What the samples of a pixel mean.
    pub channels: Channels,
    /// How a sample is laid out.
    pub sample: SampleType,
    /// All samples: rows from the top, pixels from the left, the samples of a pixel side by side,
    /// little-endian.
    pub samples: Vec<u8>,
    /// What else is content: key and value, by key in the order of its bytes. A key can occur more than once;
    /// then its values are in the order of the file. `docs/images.md` lists the keys.
    pub attributes: Vec<(String, Vec<u8>)>,
    /// What the file held besides and is not content here, such as a thumbnail, for people to read.
    pub ignored: Vec<String>,
    /// The layout that the file declares, where that is less than its samples.
    pub declared: Option<Declared>,
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        let Self { width, height, channels, sample, samples, attributes, ignored, declared: _ } = self;
        (width, height, channels, sample) == (&other.width, &other.height, &other.channels, &other.sample)
            && (samples, attributes, ignored) == (&other.samples, &other.attributes, &other.ignored)
    }
}

impl Image {
    /// What the content digest binds besides the samples: one array `image` of shape rows × columns ×
    /// channels.
    pub fn signature(&self) -> Signature {
        let shape = vec![self.height.into(), self.width.into(), self.channels.count() as u64];
        let array = Array {
            name: "image".to_owned(),
            sample: self.sample,
            shape,
            meaning: self.channels.name().to_owned(),
            peak: Some(peak(self.sample)),
        };
        Signature { arrays: vec![array], attributes: self.attributes.clone() }
    }

    /// The first attribute of a key.
    pub fn attribute(&self, key: &str) -> Option<&[u8]> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_slice())
    }

    /// The share of pixels that are equal to the one before them: most of a drawing, few of a photograph.
    pub fn repeated(&self) -> f64 {
        let pixels = self.samples.chunks_exact(self.channels.count() * self.sample.width());
        let count = pixels.len().max(1);
        let equal = pixels.clone().zip(pixels.skip(1)).filter(|(left, right)| left == right).count();
        equal as f64 / count as f64
    }

    /// Fails unless there are as many samples as width, height and channels say, and at least one pixel.
    fn check(&self) -> Result<()> {
        let (count, width) = (self.channels.count(), self.sample.width());
        let bytes = bytes_of(self.width, self.height, count * width);
        if self.width == 0 || self.height == 0 || bytes != Some(self.samples.len() as u64) {
            let shape = format!("{} × {} × {count} {}", self.height, self.width, self.sample);
            let found = self.samples.len();
            return Err(Error::Misuse(format!("{found} bytes of samples are no image of {shape}")));
        }
        Ok(())
    }
}

/// The sample of full intensity: the greatest integer, or 1.
pub fn peak(sample: SampleType) -> f64 {
    match sample {
        SampleType::Bool => 1.0,
        SampleType::I8 => f64::from(i8::MAX),
        SampleType::I16 => f64::from(i16::MAX),
        SampleType::I32 => f64::from(i32::MAX),
        SampleType::I64 => i64::MAX as f64,
        SampleType::U8 => f64::from(u8::MAX),
        SampleType::U16 => f64::from(u16::MAX),
        SampleType::U32 => f64::from(u32::MAX),
        SampleType::U64 => u64::MAX as f64,
        _ => 1.0,
    }
}

/// How an image is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The format.
    pub format: ImageFormat,
    /// Whether samples must come back equal. Formats of one kind only refuse the other, and so do samples of
    /// types that are not in [`ImageFormat::exact`].
    pub lossless: bool,
    /// Quality of a lossy encoding, in the range of [`ImageFormat::quality`]; `None` for its default. Formats
    /// whose quality is a whole number take the nearest.
    pub quality: Option<f32>,
    /// Work spent on size, in the range of [`ImageFormat::effort`]; `None` for its default.
    pub effort: Option<u8>,
    /// Whether colour may be kept at half resolution in both directions, as is usual for lossy encodings of
    /// photographs. WebP always does; grey never.
    pub subsampled: bool,
    /// The order of the pixels in the file.
    pub layout: PixelLayout,
}

/// The order of the pixels in a file, where a format has a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelLayout {
    /// The one that there is, or the usual one: a JPEG in one scan, a TIFF in strips of rows.
    Usual,
    /// A JPEG in several scans, from coarse to fine.
    Progressive,
    /// A TIFF in tiles.
    Tiles,
}

impl PixelLayout {
    /// That of a media type.
    pub fn of(media: &MediaType) -> Self {
        match media.text(Key::Layout) {
            Some("progressive") => Self::Progressive,
            Some("tiles") => Self::Tiles,
            _ => Self::Usual,
        }
    }

    /// What certificates call it; `None` where a format has no choice.
    pub fn name(self, format: ImageFormat) -> Option<&'static str> {
        match (format, self) {
            (ImageFormat::Jpeg, Self::Progressive) => Some("progressive"),
            (ImageFormat::Jpeg, _) => Some("sequential"),
            (ImageFormat::Tiff, Self::Tiles) => Some("tiles"),
            (ImageFormat::Tiff, _) => Some("strips"),
            _ => None,
        }
    }
}

impl Settings {
    /// Defaults of a format: lossless where it can be, and what others choose where it cannot. AV1 predicts
    /// colours from brightness, so that half their resolution saves it little and costs it much distance.
    pub fn new(format: ImageFormat) -> Self {
        let subsampled = format != ImageFormat::Avif;
        let (lossless, layout) = (format.lossless(), PixelLayout::Usual);
        Self { format, lossless, quality: None, effort: None, subsampled, layout }
    }

    /// Defaults of a format at a quality.
    pub fn lossy(format: ImageFormat, quality: f32) -> Self {
        Self { lossless: false, quality: Some(quality), ..Self::new(format) }
    }

    /// What they come to for an image of these channels, with defaults in the place of what was not chosen.
    /// Grey has no colours that could be at half resolution.
    #[must_use]
    pub fn in_effect(self, channels: Channels) -> Self {
        let lossy = !self.lossless && self.format.quality().is_some();
        Self {
            quality: lossy.then(|| self.quality()),
            effort: self.format.effort().map(|_| self.effort()),
            subsampled: self.subsampled && lossy && channels.count() >= 3,
            layout: match self.format == ImageFormat::Jpeg && jpeg::is_searched(&self) {
                true => PixelLayout::Progressive,
                false => self.layout,
            },
            ..self
        }
    }

    /// Fails where the format has no such setting.
    fn check(&self, sample: SampleType) -> Result<()> {
        let name = self.format.name();
        if !self.format.is_written() {
            return Err(Error::Misuse(format!("{name} is read, and not written")));
        }
        if self.lossless && !self.format.lossless() {
            return Err(Error::Misuse(format!("{name} cannot be lossless")));
        }
        if self.lossless && !self.format.exact().contains(&sample) {
            return Err(Error::Misuse(format!("{name} of samples of type {sample} cannot be lossless")));
        }
        if !self.lossless && self.format.quality().is_none() {
            return Err(Error::Misuse(format!("{name} is always lossless")));
        }
        let known = |knob: Option<Knob>, value: Option<f32>, what: &str| match (knob, value) {
            (_, None) => Ok(()),
            (None, Some(_)) => Err(Error::Misuse(format!("--{what}: {name} has none; leave it away"))),
            (Some(knob), Some(value)) if knob.range.contains(&value) => Ok(()),
            (Some(knob), Some(value)) => {
                let (low, high) = knob.range.into_inner();
                let told = format!("--{what}: that of {name} is between {low} and {high}, not {value}");
                Err(Error::Misuse(told))
            }
        };
        let quality = if self.lossless { None } else { self.format.quality() };
        known(quality, self.quality, "quality")?;
        known(self.format.effort(), self.effort.map(f32::from), "effort")
    }

    /// The quality asked for, or the default.
    fn quality(&self) -> f32 {
        let default = self.format.quality().map_or(0.0, |knob| knob.default);
        self.quality.unwrap_or(default)
    }

    /// The effort asked for, or the default.
    fn effort(&self) -> u8 {
        let default = self.format.effort().map_or(0, |knob| knob.default as u8);
        self.effort.unwrap_or(default)
    }
}

/// Reads an image whose samples take at most `bytes_max` bytes.
///
/// Decoders of others may hold twice as much again while they work. More than one frame, and colours that are
/// not grey, RGB or CMYK, are [`Error::Unsupported`]; larger images are [`Error::Limit`].
pub fn decode(format: ImageFormat, bytes: &[u8], bytes_max: u64) -> Result<Image> {
    let mut image = guarded(format.name(), || match format {
        ImageFormat::Png => png::decode(bytes, bytes_max),
        ImageFormat::Jpeg => jpeg::decode(bytes, bytes_max),
        ImageFormat::WebP => webp::decode(bytes, bytes_max),
        ImageFormat::Tiff => tiff::decode(bytes, bytes_max),
        ImageFormat::Qoi => qoi::decode(bytes, bytes_max),
        ImageFormat::Gif => gif::decode(bytes, bytes_max),
        ImageFormat::Bmp => bmp::decode(bytes, bytes_max),
        ImageFormat::Avif => avif::decode(bytes, bytes_max),
        ImageFormat::Jxl => jxl::decode(bytes, bytes_max),
    })?;
    // What could not be written again, such as an empty profile or a text that is not UTF-8, is named
    // instead.
    let all = std::mem::take(&mut image.attributes);
    let (held, gone): (Vec<_>, _) = all.into_iter().partition(|(key, value)| format.holds(key, value));
    image.attributes = held;
    image.ignored.extend(gone.into_iter().map(|(key, _)| format!("a damaged {key}")));
    // The sort is stable: equal keys stay in the order of the file.
    image.attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
    image.check().map_err(|error| Error::Bug(error.to_string()))?;
    Ok(image)
}

/// Writes an image; the same image and settings give the same bytes.
///
/// What the format cannot hold is [`Error::Unsupported`], settings that it does not have are
/// [`Error::Misuse`].
pub fn encode(image: &Image, settings: &Settings) -> Result<Vec<u8>> {
    image.check()?;
    settings.check(image.sample)?;
    if let Some(loss) = losses(settings.format, image).first() {
        return Err(Error::unsupported(
            Place::default(),
            format!("{} cannot hold {loss}", settings.format.name()),
            loss.hint(),
        ));
    }
    let name = settings.format.name();
    match settings.format {
        ImageFormat::Png => png::encode(image, settings),
        ImageFormat::Jpeg => jpeg::encode(image, settings),
        ImageFormat::WebP => webp::encode(image, settings),
        ImageFormat::Tiff => tiff::encode(image, settings),
        ImageFormat::Qoi => Ok(qoi::encode(image)),
        ImageFormat::Gif => gif::encode(image),
        ImageFormat::Bmp => bmp::encode(image),
        ImageFormat::Avif => guarded(name, || avif::encode(image, settings))
            .map_err(|error| Error::Bug(format!("what was to be encoded: {error}"))),
        ImageFormat::Jxl => Err(Error::Misuse(format!("{name} is read, and not written"))),
    }
}

/// Bytes of an image whose pixels take `pixel_bytes` each; `None` beyond 64 bits.
fn bytes_of(width: u32, height: u32, pixel_bytes: usize) -> Option<u64> {
    (u64::from(width) * u64::from(height)).checked_mul(pixel_bytes as u64)
}

/// The length of the buffer for an image, where it is within the limit.
fn room(width: u32, height: u32, pixel_bytes: usize, bytes_max: u64) -> Result<usize> {
    let bytes = bytes_of(width, height, pixel_bytes).filter(|bytes| *bytes <= bytes_max);
    bytes.and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(|| Error::Limit {
        place: Box::default(),
        what: "the memory of an image's samples in bytes",
        max: bytes_max,
        hint: format!(
            "it has {width} × {height} pixels of {pixel_bytes} bytes; give it more memory (--memory)"
        ),
    })
}

/// An image of 8 bits with what was found beside its samples, whose file declares no less than these.
fn settled((width, height): (u32, u32), channels: Channels, samples: Vec<u8>, beside: Attributes) -> Image {
    let Attributes { found: attributes, ignored, .. } = beside;
    let (sample, declared) = (SampleType::U8, None);
    Image { width, height, channels, sample, samples, attributes, ignored, declared }
}

/// The refusal of a file of several images, such as `an animated GIF` of 12 `frames`.
fn several(place: Place, what: &str, count: u64, parts: &str, hint: &str) -> Error {
    Error::unsupported(place, format!("{what} of {count} {parts} is not one image"), hint)
}

/// Reverses the bytes of each sample of 16 bits: from big-endian to little-endian and back.
fn swap_16(samples: &mut [u8]) {
    samples.as_chunks_mut::<2>().0.iter_mut().for_each(|sample| sample.reverse());
}

#[cfg(test)]
mod tests;
