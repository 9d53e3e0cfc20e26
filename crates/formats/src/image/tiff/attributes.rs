//! Provides the attributes of a TIFF: what its tags say besides the layout of pixels.

use super::super::attributes::{Attributes, DENSITY, Density, EXIF, ICC, PHOTOSHOP, TEXT, XMP};
use super::super::exif::{CAMERA, PLACE, of_tiff_block};
use super::directory::{Directory, Entry};
use super::tag;
use crate::error::Result;

/// Types of values.
pub(super) const BYTE: u16 = 1;
pub(super) const ASCII: u16 = 2;
pub(super) const SHORT: u16 = 3;
pub(in super::super) const LONG: u16 = 4;
pub(super) const RATIONAL: u16 = 5;
pub(super) const UNDEFINED: u16 = 7;
const SBYTE: u16 = 6;
const SSHORT: u16 = 8;
const SLONG: u16 = 9;
const SRATIONAL: u16 = 10;
const FLOAT: u16 = 11;
const DOUBLE: u16 = 12;

/// How the image is to be turned, where it is: a digit from 2 to 8, as Exif counts.
const ORIENTATION: &str = "tiff:orientation";
/// What stands before the number of a tag that is kept as it is: its type, and its values, little-endian.
const OTHER: &str = "tiff:";

/// Tags whose text has a keyword in PNG, which gives the key.
const TEXTS: [(u16, &str); 5] = [
    (269, "text:Title"),
    (270, "text:Description"),
    (305, "text:Software"),
    (315, "text:Author"),
    (33_432, "text:Copyright"),
];

/// Tags of whole blocks, and the types in which they are written.
const BLOCKS: [(u16, u16, &str); 3] = [(700, BYTE, XMP), (34_377, BYTE, PHOTOSHOP), (34_675, UNDEFINED, ICC)];

/// Tags that say how pixels are packed, and nothing about them once they are not.
const LAYOUT: [u16; 27] = [
    tag::SUBFILE,
    255,
    tag::WIDTH,
    tag::HEIGHT,
    tag::BITS,
    tag::COMPRESSION,
    tag::PHOTOMETRIC,
    tag::FILL_ORDER,
    tag::STRIP_OFFSETS,
    tag::SAMPLES,
    tag::ROWS_PER_STRIP,
    tag::STRIP_BYTES,
    tag::PLANAR,
    tag::RESOLUTION_UNIT,
    292,
    293,
    tag::PREDICTOR,
    tag::COLOUR_MAP,
    tag::TILE_WIDTH,
    tag::TILE_HEIGHT,
    tag::TILE_OFFSETS,
    tag::TILE_BYTES,
    tag::INK_SET,
    tag::EXTRA_SAMPLES,
    tag::SAMPLE_FORMAT,
    347,
    tag::Y_RESOLUTION,
];

pub(in super::super) fn read(directory: &Directory) -> Result<Attributes> {
    let mut attributes = Attributes::default();
    for entry in directory.entries.iter().filter(|entry| !LAYOUT.contains(&entry.tag)) {
        let text = TEXTS.iter().find(|(tag, _)| *tag == entry.tag && entry.kind == ASCII);
        let block =
            BLOCKS.iter().find(|(tag, _, _)| *tag == entry.tag && matches!(entry.kind, BYTE | UNDEFINED));
        if let Some((_, key)) = text {
            attributes.add_text(key, &entry.data)?;
        } else if let Some((_, _, key)) = block {
            attributes.add(key, entry.data.clone())?;
        } else if entry.tag == tag::X_RESOLUTION {
            let value = density(directory).map(Density::value).unwrap_or_default();
            attributes.add(DENSITY, value)?;
        } else if entry.tag == tag::ORIENTATION {
            match entry.number() {
                // What is meant where nothing is said.
                Some(1) => {}
                Some(turn @ 2..=8) => attributes.add(ORIENTATION, turn.to_string().into_bytes())?,
                _ => attributes.ignore(in_words(entry.tag))?,
            }
        } else if is_kept(entry.tag, entry.kind) {
            let value = [&[entry.kind as u8], entry.data.as_slice()].concat();
            attributes.add(&format!("{OTHER}{}", entry.tag), value)?;
        } else {
            attributes.ignore(in_words(entry.tag))?;
        }
    }
    directory.skipped.iter().try_for_each(|tag| attributes.ignore(in_words(*tag)))?;
    Ok(attributes)
}

/// A tag that is not kept, for people to read.
pub(in super::super) fn in_words(tag: u16) -> String {
    format!("the tag {tag}")
}

/// The tags of a directory of no pixels that say how pixels are packed: nothing is read of them but the rest
/// of a density.
pub(in super::super) fn unread(directory: &Directory) -> impl Iterator<Item = u16> {
    let rest = [tag::Y_RESOLUTION, tag::RESOLUTION_UNIT];
    let used = move |tag| density(directory).is_some() && rest.contains(&tag);
    let tags = directory.entries.iter().map(|entry| entry.tag);
    tags.filter(move |tag| LAYOUT.contains(tag) && !used(*tag))
}

/// Whether a tag that is not understood can be kept: whole numbers of 32 or 64 bits may be places in the
/// file, which are others in a new one.
fn is_kept(tag: u16, kind: u16) -> bool {
    let known = LAYOUT.contains(&tag)
        || [tag::X_RESOLUTION, tag::ORIENTATION, CAMERA, PLACE].contains(&tag)
        || BLOCKS.iter().any(|(known, _, _)| *known == tag)
        || (kind == ASCII && TEXTS.iter().any(|(known, _)| *known == tag));
    // The ends of the range of samples are numbers of any type.
    let number = matches!(kind, 1 | 2 | 3 | 5..=12) || (kind == LONG && RANGE.contains(&tag));
    // The tables of old JPEGs and of subsampled colours belong to the layout as well.
    !known && !(512..=532).contains(&tag) && number
}

/// The density that a directory tells.
pub(in super::super) fn density(directory: &Directory) -> Option<Density> {
    let (x, y) = (fraction(directory, tag::X_RESOLUTION)?, fraction(directory, tag::Y_RESOLUTION)?);
    // Per metre, rounded to the nearest: an inch has 0.0254 of them, a centimetre 0.01.
    let (above, below) = match directory.number(tag::RESOLUTION_UNIT).unwrap_or(2) {
        2 => (10_000, 254),
        3 => (100, 1),
        _ => {
            let whole = |(above, below): (u128, u128)| (below == 1).then_some(above as u32);
            let (x, y) = (whole(x)?, whole(y)?);
            return (x != y).then_some(Density::Ratio(x, y));
        }
    };
    let metre = |(a, b): (u128, u128)| u32::try_from((a * above + b * below / 2) / (b * below)).ok();
    Some(Density::Metre(metre(x)?, metre(y)?))
}

/// Whether a directory tells this density as it is, by inch or centimetre, in whichever fractions: it was not
/// rounded to whole pixels a metre.
pub(in super::super) fn tells_exactly(directory: &Directory, density: Density) -> bool {
    let is = |tag, value: u32, below: u128| {
        fraction(directory, tag).is_some_and(|found| found.0 * below == found.1 * u128::from(value))
    };
    let are = |(x, y), below| is(tag::X_RESOLUTION, x, below) && is(tag::Y_RESOLUTION, y, below);
    match (directory.number(tag::RESOLUTION_UNIT), density) {
        (Some(2), _) => density.inches().is_some_and(|inches| are(inches, 1)),
        (Some(3), Density::Metre(x, y)) => are((x, y), 100),
        _ => false,
    }
}

/// The only fraction of a tag, of two numbers above 0.
fn fraction(directory: &Directory, tag: u16) -> Option<(u128, u128)> {
    let entry: &Entry = directory.entry(tag).filter(|entry| entry.kind == RATIONAL)?;
    let (pair, _) = entry.data.as_chunks::<4>();
    let &[above, below] = pair else { return None };
    let (above, below) = (u32::from_le_bytes(above), u32::from_le_bytes(below));
    (above > 0 && below > 0).then_some((u128::from(above), u128::from(below)))
}

/// SMinSampleValue and SMaxSampleValue.
const RANGE: [u16; 2] = [340, 341];

/// Whether attributes leave the range of samples at 0 to 1: they tell no least and no greatest value
/// (SMinSampleValue and SMaxSampleValue), or these.
pub(in super::super) fn is_unit_range(attributes: &[(String, Vec<u8>)]) -> bool {
    attributes.iter().all(|(key, value)| {
        let end = match key.as_str() {
            "tiff:340" => 0.0,
            "tiff:341" => 1.0,
            _ => return true,
        };
        numbers(value).is_some_and(|numbers| numbers.iter().all(|number| *number == end))
    })
}

/// The numbers of a tag that is kept as it is; `None` where its type is that of no numbers.
fn numbers(value: &[u8]) -> Option<Vec<f64>> {
    let (kind, data) = value.split_first()?;
    let pairs = || data.as_chunks::<8>().0.iter().map(|raw| raw.split_at(4));
    let long = |raw: &[u8]| raw.try_into().map_or(0, u32::from_le_bytes);
    Some(match u16::from(*kind) {
        BYTE => data.iter().map(|byte| f64::from(*byte)).collect(),
        SBYTE => data.iter().map(|byte| f64::from(byte.cast_signed())).collect(),
        SHORT => data.as_chunks().0.iter().map(|raw| f64::from(u16::from_le_bytes(*raw))).collect(),
        SSHORT => data.as_chunks().0.iter().map(|raw| f64::from(i16::from_le_bytes(*raw))).collect(),
        LONG => data.as_chunks().0.iter().map(|raw| f64::from(u32::from_le_bytes(*raw))).collect(),
        SLONG => data.as_chunks().0.iter().map(|raw| f64::from(i32::from_le_bytes(*raw))).collect(),
        RATIONAL => pairs().map(|(a, b)| f64::from(long(a)) / f64::from(long(b))).collect(),
        SRATIONAL => {
            let signed = |raw| f64::from(long(raw).cast_signed());
            pairs().map(|(a, b)| signed(a) / signed(b)).collect()
        }
        FLOAT => data.as_chunks().0.iter().map(|raw| f64::from(f32::from_le_bytes(*raw))).collect(),
        DOUBLE => data.as_chunks().0.iter().map(|raw| f64::from_le_bytes(*raw)).collect(),
        _ => return None,
    })
}

/// Whether a tag can hold this attribute.
pub(in super::super) fn holds(key: &str, value: &[u8]) -> bool {
    match key {
        EXIF => of_tiff_block(value).is_some(),
        _ => !entries(key, value).is_empty(),
    }
}

/// The entries that hold an attribute: tag, type, values. Exif data has directories of its own.
pub(in super::super) fn entries(key: &str, value: &[u8]) -> Vec<(u16, u16, Vec<u8>)> {
    if let Some((tag, _)) = TEXTS.iter().find(|(_, known)| *known == key) {
        let fine = !value.ends_with(&[0]) && std::str::from_utf8(value).is_ok();
        return if fine { vec![(*tag, ASCII, [value, &[0]].concat())] } else { Vec::new() };
    }
    if let Some((tag, kind, _)) = BLOCKS.iter().find(|(_, _, known)| *known == key) {
        return if value.is_empty() { Vec::new() } else { vec![(*tag, *kind, value.to_vec())] };
    }
    match key {
        DENSITY => density_entries(value).unwrap_or_default(),
        ORIENTATION => match value {
            [digit @ b'2'..=b'8'] => vec![(tag::ORIENTATION, SHORT, vec![digit - b'0', 0])],
            _ => Vec::new(),
        },
        _ if key.starts_with(TEXT) => Vec::new(),
        _ => other(key, value).into_iter().collect(),
    }
}

fn other(key: &str, value: &[u8]) -> Option<(u16, u16, Vec<u8>)> {
    let number = key.strip_prefix(OTHER)?;
    let tag: u16 = number.parse().ok().filter(|tag: &u16| tag.to_string() == number)?;
    let (kind, data) = value.split_first()?;
    let kind = u16::from(*kind);
    let whole = !data.is_empty() && data.len().is_multiple_of(super::directory::width_of(kind));
    (is_kept(tag, kind) && whole).then(|| (tag, kind, data.to_vec()))
}

fn density_entries(value: &[u8]) -> Option<Vec<(u16, u16, Vec<u8>)>> {
    let density = Density::of_value(value)?;
    let (x, y, below, unit) = match density {
        Density::Ratio(x, y) => (x != y).then_some((x, y, 1u32, 1u8))?,
        Density::Metre(x, y) => match density.inches() {
            Some((x, y)) => (x, y, 1, 2),
            None => (x, y, 100, 3),
        },
    };
    if x == 0 || y == 0 {
        return None;
    }
    let fraction = |above: u32| [above.to_le_bytes(), below.to_le_bytes()].concat();
    Some(vec![
        (tag::X_RESOLUTION, RATIONAL, fraction(x)),
        (tag::Y_RESOLUTION, RATIONAL, fraction(y)),
        (tag::RESOLUTION_UNIT, SHORT, vec![unit, 0]),
    ])
}
