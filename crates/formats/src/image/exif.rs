//! Provides the directories of an Exif block, and where a TIFF has them.
//!
//! An Exif block is a TIFF structure without an image. Its first directory describes the image as a whole
//! (make, model, orientation), and points to those of the camera, of the place and of interoperability. A
//! TIFF has an image in that structure: its own first directory is the first one, and what that says are
//! attributes of their own. So that nothing of it is lost between a TIFF and other formats, [`rehoused`]
//! moves it to where each has it, and a density that a format has no place for into such a block.

mod block;
mod density;

use std::borrow::Cow;

use super::attributes::EXIF;
use super::png::TIME;
use super::tiff::attributes as of_tiff;
use super::tiff::directory::{self, Directory, Entry};
use super::{Image, ImageFormat};
use crate::words::counted;
pub(super) use block::Block;
pub use density::told;

/// Tags that point to directories (Exif 2.32, section 4.6.3): of the camera, of the place, and, within that
/// of the camera, of interoperability.
pub(super) const CAMERA: u16 = 34_665;
pub(super) const PLACE: u16 = 34_853;
const INTEROPERABILITY: u16 = 40_965;

/// Tags of a TIFF's directory that an Exif block has in its first one, and that have no other home in a
/// format that holds an Exif block: make, model, orientation, time of change.
const SHARED: [u16; 4] = [271, 272, 274, 306];

/// A directory, and those that it points to.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Entries by tag, without the pointers.
    pub entries: Vec<Entry>,
    /// Other directories, by the tags that point to them.
    pub children: Vec<(u16, Tree)>,
}

impl Tree {
    /// The directories of an Exif block; `None` where it is damaged, or has values of types that are not
    /// known here. A second image in it, which is a thumbnail, is none of them.
    fn of_block(block: &[u8]) -> Option<Self> {
        let mut found = Directory::read(block).ok()?;
        let children = Self::children(block, &mut found)?;
        found.skipped.is_empty().then_some(Self { entries: found.entries, children })
    }

    /// Takes the pointers out of the first directory of a structure, and returns what they point to. What was
    /// skipped there counts as skipped in the first directory.
    pub fn children(bytes: &[u8], first: &mut Directory) -> Option<Vec<(u16, Self)>> {
        let mut children = Vec::new();
        for tag in [CAMERA, PLACE] {
            let Some(mut child) = Self::child(bytes, first, tag)? else { continue };
            let within = Self::child(bytes, &mut child, INTEROPERABILITY)?;
            first.skipped.append(&mut child.skipped);
            first.skipped.extend(within.iter().flat_map(|found| &found.skipped));
            let plain = |found: Directory| Self { entries: found.entries, children: Vec::new() };
            let within = within.map(|found| (INTEROPERABILITY, plain(found)));
            children.push((tag, Self { entries: child.entries, children: within.into_iter().collect() }));
        }
        Some(children)
    }

    /// The directory that a tag points to, where there is such a tag; of several nobody knows which counts.
    fn child(bytes: &[u8], parent: &mut Directory, tag: u16) -> Option<Option<Directory>> {
        let pointers = parent.entries.iter().filter(|entry| entry.tag == tag);
        let place = match pointers.map(Entry::numbers).collect::<Vec<_>>().as_slice() {
            [] => return Some(None),
            [places] if places.len() == 1 => usize::try_from(places[0]).ok()?,
            _ => return None,
        };
        parent.entries.retain(|entry| entry.tag != tag);
        Directory::at(bytes, place).ok().map(Some)
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.children.is_empty()
    }

    /// Appends the directories to a little-endian structure, each behind those that it points to, and returns
    /// where the first one is; `None` beyond 4 GiB.
    pub fn append(&self, out: &mut Vec<u8>) -> Option<u32> {
        let mut entries: Vec<(u16, u16, Vec<u8>)> = Vec::new();
        for (tag, child) in &self.children {
            entries.push((*tag, of_tiff::LONG, child.append(out)?.to_le_bytes().to_vec()));
        }
        entries.extend(self.entries.iter().map(|entry| (entry.tag, entry.kind, entry.data.clone())));
        directory::append(out, entries)
    }

    /// The Exif block of these directories, in the one layout that is written here: little-endian.
    pub fn block(&self) -> Option<Vec<u8>> {
        let mut out = b"II*\0\0\0\0\0".to_vec();
        let first = self.append(&mut out)?;
        out[4..8].copy_from_slice(&first.to_le_bytes());
        Some(out)
    }
}

/// The directories that a TIFF points to for an Exif block; `None` where the block is not what would be read
/// from there again.
pub(super) fn of_tiff_block(block: &[u8]) -> Option<Vec<(u16, Tree)>> {
    let tree = Tree::of_block(block)?;
    let fits = tree.entries.is_empty() && !tree.children.is_empty() && tree.block()? == block;
    fits.then_some(tree.children)
}

/// What an attribute says, so that attributes that say the same are equal: of an Exif block the tags, types
/// and values of every directory in the one layout that is written here. What is damaged, has values of types
/// that are not known here, or holds bytes that no tag known here points to, as those of a second image and
/// of a maker's notes may be, says what its bytes are.
pub fn meaning<'a>(key: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
    let laid_out = |block: &[u8]| {
        // Its directories keep to their limits before all of its bytes are looked at.
        let tree = Tree::of_block(block)?;
        let is_alone = Block::of(block)?.loose_bytes()? == 0 && Directory::read(block).ok()?.next == 0;
        is_alone.then(|| tree.block())?
    };
    let laid_out = Some(value).filter(|_| key == EXIF).and_then(laid_out);
    laid_out.map_or(Cow::Borrowed(value), Cow::Owned)
}

/// An image with what Exif says of it where a format has it. Samples are as they were.
#[derive(Debug, PartialEq, Eq)]
pub struct Rehoused {
    /// The image.
    pub image: Image,
    /// What of its Exif data has no place there, for people to read.
    pub homeless: Vec<String>,
    /// How its Exif data tell its density, where they tell it but nearly so, or what it said of that and is
    /// taken for true anyway; and the time of its last change, which is that of the target.
    pub near: Vec<String>,
}

/// The image with what Exif says of it where `format` has it, densities included.
pub fn rehoused(image: Image, format: ImageFormat) -> Rehoused {
    rehoused_for(image, format, format)
}

/// The same for an image of another format, which is what has no place for what is left out.
pub fn rehoused_for(image: Image, format: ImageFormat, other: ImageFormat) -> Rehoused {
    let Rehoused { image, homeless, .. } = rehoused_but_density(image, format);
    let (image, near) = match format {
        ImageFormat::Tiff => (image, None),
        _ => density::rehoused(image, format),
    };
    let (image, square) = density::without_square(image, other);
    let (image, changed) = without_time(image, other);
    Rehoused { image, homeless, near: near.or(square).into_iter().chain(changed).collect() }
}

/// The image without the time of its last change where `format` has no place for it. PNG has that of the file
/// and not of the picture (section 11.3.4), and a conversion makes another file.
fn without_time(mut image: Image, format: ImageFormat) -> (Image, Option<String>) {
    match image.attribute(TIME).is_some_and(|value| !format.holds(TIME, value)) {
        true => {
            image.attributes.retain(|(key, _)| key != TIME);
            (image, Some(format!("the time of its last change, {TIME}")))
        }
        false => (image, None),
    }
}

/// The same with the density as it is, as it was before densities went into Exif data and out of them.
pub fn rehoused_but_density(image: Image, format: ImageFormat) -> Rehoused {
    let (image, homeless) = match format {
        ImageFormat::Tiff => into_tiff(image),
        _ => (out_of_tiff(image, format), Vec::new()),
    };
    Rehoused { image, homeless, near: Vec::new() }
}

/// Makes attributes of what the first directory of an Exif block says, unless the image says it already.
fn into_tiff(mut image: Image) -> (Image, Vec<String>) {
    let mut notes = Vec::new();
    let block = image.attribute(EXIF).filter(|block| !ImageFormat::Tiff.holds(EXIF, block));
    let tree = block.and_then(|block| {
        let (tree, next) = (Tree::of_block(block)?, Directory::read(block).ok()?.next);
        let loose = Block::of(block).and_then(|block| block.loose_bytes());
        Some((tree, next != 0, loose.unwrap_or(0)))
    });
    let Some((tree, has_thumbnail, loose)) = tree else { return (image, notes) };
    let first = Directory::of_entries(tree.entries);
    let Ok(said) = of_tiff::read(&first) else { return (image, notes) };
    let rest = Tree { entries: Vec::new(), children: tree.children };
    let Some(block) = rest.block() else { return (image, notes) };
    image.attributes.retain(|(key, _)| key != EXIF);
    if !rest.is_empty() {
        image.attributes.push((EXIF.to_owned(), block));
    }
    if has_thumbnail {
        notes.push("the thumbnail of its Exif data".to_owned());
    } else if loose > 0 {
        notes.push(format!("{} of its Exif data that no tag known here points to", counted(loose, "byte")));
    }
    let lost = said.ignored.into_iter().chain(of_tiff::unread(&first).map(of_tiff::in_words));
    notes.extend(lost.map(|what| format!("{what} of its Exif data")));
    for (key, value) in said.found {
        match image.attribute(&key) {
            Some(known) if known == value => {}
            Some(_) => {
                notes.push(format!("what its Exif data says of {key:?}, which it says otherwise itself"))
            }
            None if ImageFormat::Tiff.holds(&key, &value) => image.attributes.push((key, value)),
            None => notes.push(format!("{key:?} of its Exif data")),
        }
    }
    image.attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
    (image, notes)
}

/// Puts tags of a TIFF that an Exif block has as well into one.
fn out_of_tiff(mut image: Image, format: ImageFormat) -> Image {
    let entry = |(key, value): &(String, Vec<u8>)| {
        let entries = if format.holds(key, value) { Vec::new() } else { of_tiff::entries(key, value) };
        entries.into_iter().find(|(tag, ..)| SHARED.contains(tag))
    };
    let moved: Vec<_> = image
        .attributes
        .iter()
        .filter_map(|attribute| Some((attribute.0.clone(), entry(attribute)?)))
        .collect();
    let tree = image.attribute(EXIF).map_or_else(|| Some(Tree::default()), Tree::of_block);
    let (false, Some(mut tree)) = (moved.is_empty(), tree) else { return image };
    // What the block says by itself stays, and what says otherwise has no place.
    let said = |tag: u16, tree: &Tree| tree.entries.iter().any(|entry| entry.tag == tag);
    if moved.iter().any(|(_, (tag, ..))| said(*tag, &tree)) {
        return image;
    }
    tree.entries.extend(moved.iter().map(|(_, (tag, kind, data))| Entry::new(*tag, *kind, data.clone())));
    let Some(block) = tree.block().filter(|block| format.holds(EXIF, block)) else { return image };
    image.attributes.retain(|(key, _)| key != EXIF && !moved.iter().any(|(gone, _)| gone == key));
    image.attributes.push((EXIF.to_owned(), block));
    image.attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ATTRIBUTES_MAX;

    #[test]
    fn blocks_that_say_the_same_are_equal_in_either_order_of_bytes() {
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x0e\0\x02\0\0\0\x06\0\0\0\x1a\0\0\0\0hello\0";
        let little = b"II*\0\x08\0\0\0\x01\0\x0e\x01\x02\0\x06\0\0\0\x1a\0\0\0\0\0\0\0hello\0";
        let [big, little] = [big.to_vec(), little.to_vec()];
        assert_ne!(big, little);
        assert_eq!(meaning(EXIF, &big), meaning(EXIF, &little));
        // Another value, another type of it, and another key are other things.
        for at in [26, 13] {
            let mut other = big.clone();
            other[at] ^= 5;
            assert_ne!(meaning(EXIF, &other), meaning(EXIF, &big), "{at}");
        }
        assert_eq!(*meaning("xmp", &big), big);
        // What is damaged, and what has a second image, is what its bytes are.
        let cut = &big[..20];
        let mut second = big.clone();
        second[25] = 8;
        assert_eq!((&*meaning(EXIF, cut), &*meaning(EXIF, &second)), (cut, second.as_slice()));
    }

    /// Tag, type, count, and value or place of an entry.
    type Raw = (u16, u16, u32, u32);

    /// A little-endian block of directories: the entries of each, and where the next one is.
    fn block(directories: &[(&[Raw], u32)]) -> Vec<u8> {
        let mut block = b"II*\0\x08\0\0\0".to_vec();
        for (entries, next) in directories {
            block.extend((entries.len() as u16).to_le_bytes());
            for (tag, kind, count, value) in *entries {
                block.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
                block.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
            }
            block.extend(next.to_le_bytes());
        }
        block
    }

    /// An entry of the directory of the camera.
    const VERSION: Raw = (36_864, 7, 4, 0x3033_3230);

    #[test]
    fn what_the_directories_do_not_tell_is_compared_by_its_bytes() {
        let said = |block: &[u8]| meaning(EXIF, block).into_owned();
        let first = [(CAMERA, 4, 1, 26)];
        let with_next = |next| block(&[(&first, 0), (&[VERSION], next)]);
        assert_eq!(said(&with_next(0)), Tree::of_block(&with_next(0)).unwrap().block().unwrap());
        assert_eq!(said(&with_next(9)), with_next(9), "no directory follows that of the camera");
        // Which of two pointers counts, nobody knows.
        let with_second =
            |place| block(&[(&[(CAMERA, 4, 1, 38), (CAMERA, 4, 1, place)], 0), (&[VERSION], 0)]);
        for place in [38, 8] {
            assert_eq!(said(&with_second(place)), with_second(place));
        }
    }

    #[test]
    fn bytes_are_looked_at_no_more_often_than_there_are_directories() {
        let loose = |block: &[u8]| Block::of(block).unwrap().loose_bytes();
        let inline = |count: usize| vec![(1, 1, 1, 7); count];
        assert_eq!(loose(&block(&[(&inline(ATTRIBUTES_MAX), 0)])), Some(0));
        assert_eq!(loose(&block(&[(&inline(ATTRIBUTES_MAX + 1), 0)])), None);
        // A value may be all of the block, and two of them lie in each other.
        let whole = |count: usize| vec![(1, 1, 26 + 6 + 12 * count as u32, 0); count];
        let camera = [(CAMERA, 4, 1, 26)];
        assert_eq!(loose(&block(&[(&camera, 0), (&whole(1), 0)])), Some(0));
        assert_eq!(loose(&block(&[(&camera, 0), (&whole(2), 0)])), None);
    }
}
