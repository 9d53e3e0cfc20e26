//! Provides the way of a density into an Exif block, which holds it as the fraction that it is, and out of
//! one, for formats of which each has its own place for it.

use super::super::attributes::{self, DENSITY, Density, EXIF};
use super::super::tiff::attributes as of_tiff;
use super::super::tiff::directory::{Directory, Entry};
use super::super::{Image, ImageFormat};
use super::Block;
use crate::limits::ATTRIBUTE_BYTES_MAX;

/// Tags of a density: across, down, and their unit.
pub(super) const TAGS: [u16; 3] = [282, 283, 296];

/// The image with its density where `format` has it, and how its Exif data tell that where they tell it but
/// nearly so.
pub(super) fn rehoused(mut image: Image, format: ImageFormat) -> (Image, Option<String>) {
    let near = match image.attribute(DENSITY) {
        Some(_) => into_exif(&mut image, format),
        None => {
            out_of_exif(&mut image, format);
            None
        }
    };
    image.attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
    (image, near)
}

/// The image without a density that says only that pixels are square, which is what is taken for true where
/// nothing is said, where `format` has no place for it; and what that is.
pub(super) fn without_square(mut image: Image, format: ImageFormat) -> (Image, Option<String>) {
    let value = image.attribute(DENSITY).filter(|value| !format.holds(DENSITY, value));
    match value.and_then(Density::of_value) {
        Some(density @ Density::Ratio(x, y)) if x == y => {
            image.attributes.retain(|(key, _)| key != DENSITY);
            (image, Some(format!("the pixel density {density}, which says that pixels are square")))
        }
        _ => (image, None),
    }
}

/// Puts a density that a format has no place for into an Exif block. A density that the block tells already
/// stays, where it is the same but for how it was made whole; what it says otherwise has no place.
fn into_exif(image: &mut Image, format: ImageFormat) -> Option<String> {
    let value = image.attribute(DENSITY).filter(|value| !format.holds(DENSITY, value))?;
    let density @ Density::Metre(..) = Density::of_value(value)? else { return None };
    let exif = image.attribute(EXIF);
    let told = exif.and_then(told_by);
    let block = match told {
        Some(told) if told.is_near(density) => exif.map(<[u8]>::to_vec),
        Some(_) => None,
        None => telling(exif, density).filter(|block| has_room(image, block)),
    };
    let block = block.filter(|block| format.holds(EXIF, block))?;
    image.attributes.retain(|(key, _)| ![DENSITY, EXIF].contains(&key.as_str()));
    image.attributes.push((EXIF.to_owned(), block));
    let told = told.filter(|told| *told != density)?;
    Some(format!("the pixel density {density}, which its Exif data tell as {told}"))
}

/// Takes the density of an Exif block to where a format has it: out of a block that tells nothing else, and
/// out of one that the format cannot hold.
fn out_of_exif(image: &mut Image, format: ImageFormat) {
    let Some(exif) = image.attribute(EXIF) else { return };
    let Some(density @ Density::Metre(..)) = told_by(exif) else { return };
    let (value, alone) = (density.value(), tells_alone(exif, density));
    if !format.holds(DENSITY, &value) || (!alone && format.holds(EXIF, exif)) {
        return;
    }
    image.attributes.retain(|(key, _)| key != EXIF || !alone);
    image.attributes.push((DENSITY.to_owned(), value));
}

/// The density that a block tells.
fn told_by(block: &[u8]) -> Option<Density> {
    of_tiff::density(&Directory::read(block).ok()?)
}

/// Whether a block is nothing but this density, in whichever fractions that tell it exactly: it is no longer
/// than the one that is written here, and nothing in it is left over.
fn tells_alone(block: &[u8], density: Density) -> bool {
    let (Ok(directory), Some(written)) = (Directory::read(block), telling(None, density)) else {
        return false;
    };
    let mut tags: Vec<u16> = directory.entries.iter().map(|entry| entry.tag).collect();
    tags.sort_unstable();
    let is_whole = tags == TAGS && directory.skipped.is_empty() && directory.next == 0;
    is_whole
        && directory.entry(TAGS[2]).is_some_and(|unit| unit.count() == 1)
        && of_tiff::tells_exactly(&directory, density)
        && block.len() <= written.len()
        && Block::of(block).and_then(|block| block.loose_bytes()) == Some(0)
}

/// An Exif block that tells a density besides; `None` where it says something of one already, or cannot be
/// read.
fn telling(block: Option<&[u8]>, density: Density) -> Option<Vec<u8>> {
    let block = block.map_or(Some(Block::EMPTY), Block::of)?;
    if TAGS.iter().any(|tag| block.find(*tag).is_some()) {
        return None;
    }
    let entries = of_tiff::entries(DENSITY, &density.value());
    let entries: Vec<_> = entries.into_iter().map(|(tag, kind, data)| Entry::new(tag, kind, data)).collect();
    block.with_entries(&entries).filter(|block| told_by(block) == Some(density))
}

/// Whether an image with this Exif block, and its density there, keeps within the limit of attributes.
fn has_room(image: &Image, block: &[u8]) -> bool {
    let others = image.attributes.iter().filter(|(key, _)| ![DENSITY, EXIF].contains(&key.as_str()));
    let bytes: usize = others.map(|(key, value)| key.len() + value.len()).sum();
    (bytes + EXIF.len() + block.len()) as u64 <= ATTRIBUTE_BYTES_MAX
}

/// What an attribute of an image is, for a person, with what it says where that is short, and what Exif data
/// say instead.
pub fn told(image: &Image, key: &str) -> String {
    let value = image.attribute(key).unwrap_or_default();
    let told = attributes::told(key, value);
    let other = image.attribute(EXIF).filter(|_| key == DENSITY).and_then(told_by);
    match other.filter(|other| other.value() != value) {
        Some(other) => format!("{told} (its Exif data tell {other})"),
        None => told,
    }
}
