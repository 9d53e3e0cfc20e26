//! Provides the table of image formats: names, first bytes, and what each can hold and be told.

use std::ops::RangeInclusive;

use coherence::sample::SampleType;

use super::Channels;
use crate::error::Result;
use crate::file::ObjectFile;
use crate::media::{Codec, Key, MediaType, catalog};

/// Bytes by which a format is known.
const HEAD_BYTES: usize = 16;

/// A representation of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// PNG (third edition), without animation.
    Png,
    /// JPEG (ITU-T T.81) in a JFIF or Exif file: baseline and progressive, 8 bits.
    Jpeg,
    /// WebP (RFC 9649), lossy and lossless, without animation.
    WebP,
    /// TIFF 6.0 and BigTIFF with one page.
    Tiff,
    /// QOI 1.0.
    Qoi,
    /// GIF (89a) with one frame.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// AVIF 1.1 with one image.
    Avif,
    /// JPEG XL (ISO/IEC 18181) with one frame. It is read, and not written.
    Jxl,
}

/// All of them, in the order in which they are listed.
pub const IMAGE_FORMATS: [ImageFormat; 9] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::WebP,
    ImageFormat::Tiff,
    ImageFormat::Qoi,
    ImageFormat::Gif,
    ImageFormat::Bmp,
    ImageFormat::Avif,
    ImageFormat::Jxl,
];

/// By how much the logarithm of the step falls with a quality of AVIF: from 1828 to 8 over the whole scale.
const AVIF_STEP: f64 = 0.054;

/// A number that an encoder can be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Knob {
    /// Values that exist.
    pub range: RangeInclusive<f32>,
    /// The value where none is asked for.
    pub default: f32,
    /// Whether only whole numbers differ.
    pub whole: bool,
}

impl ImageFormat {
    /// The media type that it came with.
    pub fn media(self) -> &'static MediaType {
        Codec::Image(self).media()
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        &self.media().name
    }

    /// Its IANA media type, or, for QOI, the customary one.
    pub fn media_type(self) -> &'static str {
        &self.media().media_type
    }

    /// The endings of names, without the dot; the first is the usual one.
    pub fn endings(self) -> &'static [String] {
        &self.media().endings
    }

    /// The format of this name, ending or media type.
    pub fn named(name: &str) -> Option<Self> {
        match catalog().named(name)?.codec {
            Codec::Image(format) => Some(format),
            _ => None,
        }
    }

    /// The format that an object is, by its first bytes; `None` for what is no image.
    pub fn of_file(file: &ObjectFile) -> Result<Option<Self>> {
        let mut head = [0; HEAD_BYTES];
        let count = file.read_at(&mut head, 0)?;
        Ok(Self::of_bytes(&head[..count]))
    }

    /// The format that begins with these bytes, of which 16 are enough.
    pub fn of_bytes(start: &[u8]) -> Option<Self> {
        match start {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            [b'q', b'o', b'i', b'f', ..] => Some(Self::Qoi),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            // Two letters alone are too few: the sizes of headers follow further on.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, _, _, _, _, 12 | 40 | 52 | 56 | 108 | 124, 0, ..] => {
                Some(Self::Bmp)
            }
            [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', b'\r', b'\n', 0x87, b'\n', ..] => {
                Some(Self::Jxl)
            }
            // The brand of still and of moving ones, and that of any image, behind which others may follow.
            // Those of HEVC are taken too, so that they are refused by name.
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => {
                let known = [b"avif", b"avis", b"mif1", b"heic", b"heix"];
                known.iter().any(|known| brand.starts_with(*known)).then_some(Self::Avif)
            }
            _ => None,
        }
    }

    /// Whether it is written, and not only read.
    pub fn is_written(self) -> bool {
        self != Self::Jxl
    }

    /// Whether it can give some samples back as they were.
    pub fn lossless(self) -> bool {
        !self.exact().is_empty()
    }

    /// The types of samples that it can give back as they were.
    pub fn exact(self) -> &'static [SampleType] {
        match self {
            Self::Jpeg => &[],
            Self::Avif => &[SampleType::U8],
            _ => self.samples(),
        }
    }

    /// Quality of its lossy encoding; `None` where it has none.
    pub fn quality(self) -> Option<Knob> {
        let default = self.media().number(Key::Quality) as f32;
        self.quality_range().map(|(range, whole)| Knob { range, default, whole })
    }

    /// The whole qualities that make the same file as this one, which is whole.
    pub fn alike(self, quality: f32) -> RangeInclusive<f32> {
        let exists = |other: &f32| self.quality_range().is_some_and(|(range, _)| range.contains(other));
        let same = |other: &f32| match self {
            _ if !exists(other) => false,
            Self::Avif => super::avif::quantizer(*other) == super::avif::quantizer(quality),
            _ => *other == quality,
        };
        let steps = |step: f32| std::iter::successors(Some(quality), move |at| Some(at + step));
        let last = |step: f32| steps(step).take_while(same).last().unwrap_or(quality);
        last(-1.0)..=last(1.0)
    }

    /// The logarithm of the step to which a lossy encoding rounds frequencies at a quality, but for a
    /// constant: for JPEG by the scale of its tables, as the Independent JPEG Group has it; for WebP by
    /// `QualityToCompression` of libwebp and the line that its steps begin as; for AVIF by its quantisers,
    /// each of which is coarser than the one before by about the same factor.
    pub fn step(self, quality: f32) -> f64 {
        let quality = f64::from(quality);
        match self {
            Self::Jpeg if quality < 50.0 => (5000.0 / quality.max(1.0)).ln(),
            Self::Jpeg => (200.0 - 2.0 * quality).max(1.0).ln(),
            Self::WebP => {
                let share = quality / 100.0;
                let line = if share < 0.75 { share * 2.0 / 3.0 } else { 2.0 * share - 1.0 };
                (4.0 + 127.0 * (1.0 - line.cbrt())).ln()
            }
            _ => -AVIF_STEP * quality,
        }
    }

    /// Whether colour can be kept at half resolution and at full, as is asked for.
    pub fn resolves_colour(self) -> bool {
        self == Self::Jpeg
    }

    /// Work spent on size; `None` where there is nothing to choose.
    pub fn effort(self) -> Option<Knob> {
        let default = self.media().number(Key::Effort) as f32;
        self.effort_range().map(|range| Knob { range, default, whole: true })
    }

    /// Qualities that exist, and whether only whole ones differ.
    pub(crate) fn quality_range(self) -> Option<(RangeInclusive<f32>, bool)> {
        match self {
            Self::Jpeg => Some((1.0..=100.0, true)),
            Self::WebP | Self::Avif => Some((0.0..=100.0, false)),
            _ => None,
        }
    }

    /// Efforts that exist: levels of zlib (0 is fast and special for PNG, and not packed for TIFF), methods
    /// of libwebp; for JPEG, 0 is fixed Huffman tables, 1 those of the image, 2 a search for the smallest
    /// progressive file; for AVIF, 9 less the speed of libaom.
    pub(crate) fn effort_range(self) -> Option<RangeInclusive<f32>> {
        match self {
            Self::Png | Self::Tiff | Self::Avif => Some(0.0..=9.0),
            Self::Jpeg => Some(0.0..=2.0),
            Self::WebP => Some(0.0..=6.0),
            Self::Qoi | Self::Gif | Self::Bmp | Self::Jxl => None,
        }
    }

    /// The layouts of pixels that it can hold.
    pub fn channels(self) -> &'static [Channels] {
        match self {
            Self::Tiff => &Channels::ALL,
            Self::Png | Self::Avif | Self::Jxl => &Channels::OF_LIGHT,
            // Inks are read, and not written.
            Self::Jpeg => &[Channels::Gray, Channels::Rgb],
            Self::WebP | Self::Qoi | Self::Gif => &[Channels::Rgb, Channels::Rgba],
            Self::Bmp => &[Channels::Gray, Channels::Rgb, Channels::Rgba],
        }
    }

    /// The types of samples that it can hold.
    pub fn samples(self) -> &'static [SampleType] {
        match self {
            Self::Png | Self::Avif => &[SampleType::U8, SampleType::U16],
            Self::Tiff => &[
                SampleType::U8,
                SampleType::U16,
                SampleType::U32,
                SampleType::I8,
                SampleType::I16,
                SampleType::I32,
                SampleType::F16,
                SampleType::F32,
                SampleType::F64,
            ],
            Self::Jxl => &[SampleType::U8, SampleType::U16, SampleType::F16, SampleType::F32],
            _ => &[SampleType::U8],
        }
    }

    /// Pixels in a row, and rows, at most.
    pub fn side_max(self) -> u32 {
        match self {
            Self::Png | Self::Bmp => i32::MAX as u32,
            Self::Tiff | Self::Qoi => u32::MAX,
            Self::Jpeg | Self::Gif | Self::Avif => 65_535,
            Self::WebP => 16_383,
            Self::Jxl => 1 << 30,
        }
    }

    /// Whether it can hold this attribute; `docs/images.md` has the table.
    pub(super) fn holds(self, key: &str, value: &[u8]) -> bool {
        match self {
            Self::Png => super::png::holds(key, value),
            Self::Jpeg => super::jpeg::holds(key, value),
            Self::WebP => super::webp::holds(key, value),
            Self::Tiff => super::tiff::holds(key, value),
            Self::Qoi => super::qoi::holds(key, value),
            Self::Gif => super::gif::holds(key, value),
            Self::Bmp => super::bmp::holds(key, value),
            Self::Avif => super::avif::holds(key, value),
            Self::Jxl => super::jxl::holds(key, value),
        }
    }
}
