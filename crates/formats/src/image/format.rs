//! Provides the table of image formats: names, first bytes, and what each can hold and be told.

use std::ops::RangeInclusive;

use coherence::sample::SampleType;

use super::Channels;

/// A representation of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// PNG (third edition), without animation.
    Png,
    /// JPEG (ITU-T T.81) in a JFIF or Exif file: baseline and progressive, 8 bits.
    Jpeg,
    /// WebP (RFC 9649), lossy and lossless, without animation.
    WebP,
}

/// All of them, in the order in which they are listed.
pub const IMAGE_FORMATS: [ImageFormat; 3] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP];

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
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::WebP => "webp",
        }
    }

    /// Its IANA media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
        }
    }

    /// The endings of names, without the dot; the first is the usual one.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Self::WebP => &["webp"],
        }
    }

    /// The format of this name, ending or media type.
    pub fn named(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        IMAGE_FORMATS.into_iter().find(|format| {
            format.name() == lower
                || format.media_type() == lower
                || format.endings().contains(&lower.as_str())
        })
    }

    /// The format that begins with these bytes, of which 16 are enough.
    pub fn of_bytes(start: &[u8]) -> Option<Self> {
        match start {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }

    /// Whether it can give samples back as they were.
    pub fn lossless(self) -> bool {
        self != Self::Jpeg
    }

    /// Quality of its lossy encoding; `None` where it has none.
    pub fn quality(self) -> Option<Knob> {
        match self {
            Self::Jpeg => Some(Knob { range: 1.0..=100.0, default: 85.0, whole: true }),
            Self::WebP => Some(Knob { range: 0.0..=100.0, default: 80.0, whole: false }),
            Self::Png => None,
        }
    }

    /// Work spent on size: levels of zlib (0 is fast and special for PNG), methods of libwebp; for JPEG, 0 is
    /// fixed Huffman tables, 1 those of the image, 2 progressive.
    pub fn effort(self) -> Option<Knob> {
        match self {
            Self::Png => Some(Knob { range: 0.0..=9.0, default: 6.0, whole: true }),
            Self::Jpeg => Some(Knob { range: 0.0..=2.0, default: 1.0, whole: true }),
            Self::WebP => Some(Knob { range: 0.0..=6.0, default: 4.0, whole: true }),
        }
    }

    /// The layouts of pixels that it can hold.
    pub fn channels(self) -> &'static [Channels] {
        match self {
            Self::Png => &Channels::ALL,
            Self::Jpeg => &[Channels::Gray, Channels::Rgb],
            Self::WebP => &[Channels::Rgb, Channels::Rgba],
        }
    }

    /// The types of samples that it can hold.
    pub fn samples(self) -> &'static [SampleType] {
        match self {
            Self::Png => &[SampleType::U8, SampleType::U16],
            Self::Jpeg | Self::WebP => &[SampleType::U8],
        }
    }

    /// Pixels in a row, and rows, at most.
    pub fn side_max(self) -> u32 {
        match self {
            Self::Png => i32::MAX as u32,
            Self::Jpeg => 65_535,
            Self::WebP => 16_383,
        }
    }

    /// Whether it can hold this attribute; `docs/images.md` has the table.
    pub(super) fn holds(self, key: &str, value: &[u8]) -> bool {
        match self {
            Self::Png => super::png::holds(key, value),
            Self::Jpeg => super::jpeg::holds(key, value),
            Self::WebP => matches!(key, "icc" | "exif" | "xmp") && !value.is_empty(),
        }
    }
}
