//! Provides the orientation of an image: the eight of Exif, how they follow from turns and mirrors, and their
//! place in an Exif block.
//!
//! Formats of which the container turns and mirrors an image (AVIF, JPEG XL) say that the orientation in
//! their Exif block counts for nothing. So that it is one content in all formats, it is kept in `exif` alone:
//! what the container says replaces what the block says, and is written from it.

use super::attributes::{Attributes, EXIF};
use super::exif::Block;
use super::tiff::directory::Entry;
use crate::error::Result;

/// The tag of the orientation in an Exif block (Exif 2.32, section 4.6.4).
const TAG: u16 = 0x0112;

/// The type of a whole number of 16 bits.
const SHORT: u16 = 3;

/// How an image is to be shown, as Exif counts from 1 to 8; 1 is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orientation(u8);

/// Where right and down of an image as it is stored point to when it is shown, for orientations 1 to 8.
const AXES: [[[i8; 2]; 2]; 8] = [
    [[1, 0], [0, 1]],
    [[-1, 0], [0, 1]],
    [[-1, 0], [0, -1]],
    [[1, 0], [0, -1]],
    [[0, 1], [1, 0]],
    [[0, 1], [-1, 0]],
    [[0, -1], [-1, 0]],
    [[0, -1], [1, 0]],
];

impl Orientation {
    /// As it is.
    pub const UPRIGHT: Self = Self(1);

    /// Of the number that Exif has for it; `None` for others.
    pub fn of_number(number: u16) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| (1..=8).contains(number)).map(Self)
    }

    /// Then turned against the clock by this many quarters.
    pub fn turned(self, quarters: u8) -> Self {
        (0..quarters % 4).fold(self, |turned, _| turned.then(|[x, y]| [y, -x]))
    }

    /// Then mirrored: left for right, or top for bottom.
    pub fn mirrored(self, left_for_right: bool) -> Self {
        self.then(|[x, y]| if left_for_right { [-x, y] } else { [x, -y] })
    }

    fn then(self, change: impl Fn([i8; 2]) -> [i8; 2]) -> Self {
        let axes = AXES[usize::from(self.0 - 1)].map(change);
        AXES.iter().position(|known| *known == axes).map_or(self, |at| Self(at as u8 + 1))
    }

    /// The turn against the clock, in quarters, and the mirror after it (whether left for right) that show an
    /// image so.
    pub fn turn_and_mirror(self) -> (u8, Option<bool>) {
        match self.0 {
            2 => (0, Some(true)),
            3 => (2, None),
            4 => (0, Some(false)),
            5 => (1, Some(false)),
            6 => (3, None),
            7 => (3, Some(false)),
            8 => (1, None),
            _ => (0, None),
        }
    }

    /// What an Exif block says; upright where it says nothing.
    pub fn of_exif(exif: &[u8]) -> Self {
        let found = Block::of(exif).and_then(|block| block.number(value_at(&block)?, 2));
        found.and_then(|number| Self::of_number(number as u16)).unwrap_or(Self::UPRIGHT)
    }

    /// Takes the Exif block of a container that says this. A block that no orientation can be written into is
    /// named as damaged where it would have to say one.
    pub fn keep(self, exif: Option<Vec<u8>>, attributes: &mut Attributes) -> Result<()> {
        let mut told = self.into_exif(exif);
        if told.as_deref().is_some_and(|exif| Self::of_exif(exif) != self) {
            attributes.ignore("a damaged exif")?;
            told = Some(self.alone());
        }
        told.map_or(Ok(()), |exif| attributes.add(EXIF, exif))
    }

    /// An Exif block that says this, and else what another says; `None` where it would say nothing at all.
    fn into_exif(self, exif: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let Some(exif) = exif else { return (self != Self::UPRIGHT).then(|| self.alone()) };
        if Self::of_exif(&exif) == self {
            return Some(exif);
        }
        // Of what is no TIFF structure the caller says so.
        let Some(block) = Block::of(&exif) else { return Some(exif) };
        match value_at(&block) {
            Some(at) => {
                let value = block.bytes(u32::from(self.0), 2);
                let mut exif = exif;
                exif[at..at + 2].copy_from_slice(&value);
                Some(exif)
            }
            None => {
                let told = block.with_entries(&[self.entry()]);
                Some(told.unwrap_or(exif))
            }
        }
    }

    /// An Exif block of nothing else.
    fn alone(self) -> Vec<u8> {
        Block::EMPTY.with_entries(&[self.entry()]).unwrap_or_default()
    }

    /// The entry that says this.
    fn entry(self) -> Entry {
        Entry::new(TAG, SHORT, vec![self.0, 0])
    }
}

/// Where the value of the orientation is in a block.
fn value_at(block: &Block<'_>) -> Option<usize> {
    let found = block.find(TAG)?;
    let is_one =
        block.number(found + 2, 2) == Some(u32::from(SHORT)) && block.number(found + 4, 4) == Some(1);
    is_one.then_some(found + 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_and_mirrors_give_every_orientation_back() {
        for number in 1..=8 {
            let orientation = Orientation::of_number(number).unwrap();
            let (quarters, mirror) = orientation.turn_and_mirror();
            let turned = Orientation::UPRIGHT.turned(quarters);
            assert_eq!(mirror.map_or(turned, |axis| turned.mirrored(axis)), orientation);
        }
        assert_eq!(Orientation::UPRIGHT.turned(3), Orientation(6), "a quarter with the clock");
        assert_eq!(Orientation::of_number(9), None);
    }

    #[test]
    fn a_block_says_what_it_is_told() {
        let empty = b"II*\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
        let other = b"MM\0*\0\0\0\x08\0\x01\x01\x0f\0\x02\0\0\0\x02A\0\0\0\0\0\0\0".to_vec();
        for exif in [None, Some(empty), Some(other.clone())] {
            for number in 1..=8 {
                let orientation = Orientation::of_number(number).unwrap();
                let Some(told) = orientation.into_exif(exif.clone()) else {
                    assert_eq!((exif.is_none(), number), (true, 1));
                    continue;
                };
                assert_eq!(Orientation::of_exif(&told), orientation);
                // Told something else, it stays as long as it is.
                let again = Orientation::UPRIGHT.into_exif(Some(told.clone())).unwrap();
                assert_eq!(Orientation::of_exif(&again), Orientation::UPRIGHT);
                assert_eq!(again.len(), told.len());
            }
        }
        let told = Orientation::of_number(6).unwrap().into_exif(Some(other)).unwrap();
        assert!(told.windows(4).any(|bytes| bytes == b"\0\x02A\0"), "other entries stay");
        // What is no TIFF structure stays as it is.
        let broken = Some(b"II*\0\xff\0\0\0".to_vec());
        assert_eq!(Orientation::of_number(6).unwrap().into_exif(broken.clone()), broken);
    }
}
