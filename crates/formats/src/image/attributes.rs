//! Provides what the attributes of different formats have in common: their bounds, texts and densities.

use std::fmt;
use std::io::Read;

use crate::error::{Error, Place, Result};
use crate::limits::{ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX};

/// Key of an ICC profile.
pub(crate) const ICC: &str = "icc";
/// Key of an Exif block: the bytes of a TIFF structure, without the mark before it in some containers.
pub(crate) const EXIF: &str = "exif";
/// Key of an XMP packet.
pub(crate) const XMP: &str = "xmp";
/// Key of the codes of ITU-T H.273 for colours, as a PNG has them: primaries, transfer, matrix 0, whole
/// range.
pub(super) const CICP: &str = "png:cICP";
/// Key of Photoshop's image resources, where IPTC lives.
pub(super) const PHOTOSHOP: &str = "photoshop";
/// Key of the pixel density, as [`Density`] spells it.
pub(super) const DENSITY: &str = "density";
/// What stands before the keyword of a text, whose value is UTF-8.
pub(super) const TEXT: &str = "text:";
/// The keyword of a text that has none in its format.
pub(super) const COMMENT: &str = "text:Comment";

/// What an attribute of this key is, for a person.
pub fn in_words(key: &str) -> String {
    match key {
        ICC => "the colour profile".to_owned(),
        EXIF => "the Exif data".to_owned(),
        XMP => "the XMP data".to_owned(),
        PHOTOSHOP => "the Photoshop resources".to_owned(),
        DENSITY => "the pixel density".to_owned(),
        _ => match key.strip_prefix(TEXT) {
            Some(keyword) => format!("the text {keyword:?}"),
            None => format!("{key:?}"),
        },
    }
}

/// The same of an attribute, with what it says where that is short.
pub fn told(key: &str, value: &[u8]) -> String {
    match (key, Density::of_value(value)) {
        (DENSITY, Some(proportions @ Density::Ratio(..))) => {
            format!("the proportions of a pixel {proportions}")
        }
        (DENSITY, _) => format!("{} {}", in_words(key), String::from_utf8_lossy(value)),
        _ => in_words(key),
    }
}

/// Attributes that are being read, within the limits.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub found: Vec<(String, Vec<u8>)>,
    pub ignored: Vec<String>,
    bytes: u64,
}

impl Attributes {
    /// Takes an attribute. Only texts may come twice: a second profile is named as ignored.
    pub fn add(&mut self, key: &str, value: Vec<u8>) -> Result<()> {
        if !key.starts_with(TEXT) && self.found.iter().any(|(known, _)| known == key) {
            return self.ignore(format!("a second {key}"));
        }
        self.bytes += (key.len() + value.len()) as u64;
        if self.bytes > ATTRIBUTE_BYTES_MAX {
            return Err(too_much());
        }
        self.found.push((key.to_owned(), value));
        self.count()
    }

    /// Takes the bytes of a text; those that are not UTF-8 are taken for Latin-1. Zeros at the end go, as
    /// they belong to C and not to the text.
    pub fn add_text(&mut self, key: &str, bytes: &[u8]) -> Result<()> {
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = match std::str::from_utf8(&bytes[..end]) {
            Ok(text) => text.to_owned(),
            Err(_) => latin_1(&bytes[..end]),
        };
        self.add(key, text.into_bytes())
    }

    /// Names something that is no content here.
    pub fn ignore(&mut self, what: impl Into<String>) -> Result<()> {
        self.ignored.push(what.into());
        self.count()
    }

    fn count(&self) -> Result<()> {
        if self.found.len() + self.ignored.len() > ATTRIBUTES_MAX {
            return Err(Error::Limit {
                place: Box::default(),
                what: "the number of an image's attributes",
                max: ATTRIBUTES_MAX as u64,
                hint: "remove its metadata first".to_owned(),
            });
        }
        Ok(())
    }
}

/// The error about metadata above their limit.
pub(super) fn too_much() -> Error {
    Error::Limit {
        place: Box::default(),
        what: "the metadata of an image in bytes",
        max: ATTRIBUTE_BYTES_MAX,
        hint: "remove its metadata first".to_owned(),
    }
}

/// Unpacks a zlib stream that lies at `byte` of a file, within the limit of attributes.
pub(super) fn inflate(format: &'static str, packed: &[u8], byte: u64) -> Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    let mut reader = flate2::read::ZlibDecoder::new(packed).take(ATTRIBUTE_BYTES_MAX + 1);
    reader.read_to_end(&mut unpacked).map_err(|error| {
        Error::malformed(format, Place::at_byte(byte), format!("compressed metadata: {error}"))
    })?;
    if unpacked.len() as u64 > ATTRIBUTE_BYTES_MAX { Err(too_much()) } else { Ok(unpacked) }
}

/// Text of Latin-1 bytes.
pub(super) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Latin-1 bytes of a text; `None` where a character has none.
pub(super) fn to_latin_1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| u8::try_from(character).ok()).collect()
}

/// Pixels for each unit of length, across and down.
///
/// Formats count by inch, centimetre or metre, as whole numbers or fractions. So that one density is one
/// content in all of them, it is kept as whole pixels for each metre, as PNG does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Density {
    /// Pixels a metre.
    Metre(u32, u32),
    /// Only how wide and high a pixel is in proportion.
    Ratio(u32, u32),
}

/// Centimetres in an inch, times 100.
const INCH: u64 = 254;

/// Pixels a metre from which on one more is a matter of rounding: a hundredth of them.
const NEAR_MIN: u32 = 100;

impl Density {
    /// Of pixels an inch.
    pub fn of_inches(across: u32, down: u32) -> Self {
        let metre =
            |inch: u32| u32::try_from((u64::from(inch) * 10_000 + INCH / 2) / INCH).unwrap_or(u32::MAX);
        Self::Metre(metre(across), metre(down))
    }

    /// Whole pixels an inch, where these are the same density.
    pub fn inches(self) -> Option<(u32, u32)> {
        let Self::Metre(across, down) = self else { return None };
        let inch = |metre: u32| u32::try_from((u64::from(metre) * INCH + 5_000) / 10_000).ok();
        let (x, y) = (inch(across)?, inch(down)?);
        (Self::of_inches(x, y) == self).then_some((x, y))
    }

    /// Whole pixels a centimetre, where these are the same density.
    pub fn centimetres(self) -> Option<(u32, u32)> {
        match self {
            Self::Metre(x, y) if x % 100 == 0 && y % 100 == 0 => Some((x / 100, y / 100)),
            _ => None,
        }
    }

    /// Whether two are the same but for how they were made whole: some programs round to the nearest pixel a
    /// metre, and others cut off what is beyond. Of few pixels a metre, one is a difference.
    pub fn is_near(self, other: Self) -> bool {
        let near = |a: u32, b: u32| a == b || (a.min(b) >= NEAR_MIN && a.abs_diff(b) == 1);
        match (self, other) {
            (Self::Metre(a, b), Self::Metre(c, d)) => near(a, c) && near(b, d),
            _ => self == other,
        }
    }

    /// The value of an attribute, such as `2835x2835/m` or `4x3`.
    pub fn value(self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// What the value of an attribute says.
    pub fn of_value(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let (pair, metre) = text.strip_suffix("/m").map_or((text, false), |pair| (pair, true));
        let (x, y) = pair.split_once('x')?;
        let (x, y) = (x.parse().ok()?, y.parse().ok()?);
        let density = if metre { Self::Metre(x, y) } else { Self::Ratio(x, y) };
        // Only the one spelling that `value` gives.
        (density.value() == value).then_some(density)
    }
}

impl fmt::Display for Density {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metre(x, y) => write!(f, "{x}x{y}/m"),
            Self::Ratio(x, y) => write!(f, "{x}x{y}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_words() {
        assert_eq!(in_words(DENSITY), "the pixel density");
        assert_eq!(in_words("text:Title"), "the text \"Title\"");
        assert_eq!(in_words("gif:loop"), "\"gif:loop\"");
        assert_eq!(told(DENSITY, b"2834x2834/m"), "the pixel density 2834x2834/m");
        assert_eq!(told(DENSITY, b"4x3"), "the proportions of a pixel 4x3");
        assert_eq!(told(ICC, b"acsp"), "the colour profile");
    }

    #[test]
    fn whole_densities_of_every_unit_come_back() {
        for dots in 0..=65_535 {
            let density = Density::of_inches(dots, 72);
            assert_eq!(density.inches(), Some((dots, 72)));
            assert_eq!(Density::of_value(&density.value()), Some(density));
        }
        assert_eq!(Density::of_inches(72, 300), Density::Metre(2_835, 11_811));
        assert_eq!(Density::Metre(2_836, 2_836).inches(), None);
        assert_eq!(Density::Metre(2_800, 300).centimetres(), Some((28, 3)));
        assert_eq!(Density::of_value(b"4x3"), Some(Density::Ratio(4, 3)));
        assert_eq!(Density::of_value(b"04x3"), None);
        // 72 an inch are 2834.6 a metre, which some programs cut.
        assert!(Density::of_inches(72, 72).is_near(Density::Metre(2_834, 2_835)));
        assert!(!Density::of_inches(72, 72).is_near(Density::Metre(2_833, 2_835)));
        assert!(Density::Metre(101, 0).is_near(Density::Metre(100, 0)));
        for few in [0, 1, 99] {
            assert!(!Density::Metre(few, few).is_near(Density::Metre(few + 1, few + 1)));
        }
        assert!(!Density::Ratio(4, 3).is_near(Density::Ratio(4, 2)));
    }
}
