//! Provides the layout of pixels that a file declares where it is less than that of its samples: indices into
//! a palette, or grey of fewer than 8 bits. It is no content, as every sample is the same without it, but
//! formats that have such layouts are written in it.

use std::collections::HashMap;
use std::fmt;

use coherence::sample::SampleType;

use super::gif::CLEAR;
use super::{Channels, Image, ImageFormat};
use crate::words::counted;

/// A colour with its opacity.
pub(super) type Colour = [u8; 4];

/// Bits of a pixel that a PNG of grey or with a palette may have.
const BITS: [u8; 4] = [1, 2, 4, 8];

/// The layout that a file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    /// Grey of so many bits, below 8.
    Gray(u8),
    /// Indices of so many bits into these colours; none where they are of 16 bits.
    Palette(u8, Vec<Colour>),
}

/// Pixels as numbers of a few bits.
pub(super) struct Packed<'a> {
    /// Bits of a pixel.
    pub bits: u8,
    /// The colours that the numbers stand for; nothing for shades of grey.
    pub colours: &'a [Colour],
    /// A number for each pixel.
    pub numbers: Vec<u8>,
}

impl Declared {
    /// A palette as a file has it, of whole bytes.
    pub(super) fn palette(bits: u8, colours: impl IntoIterator<Item = Colour>) -> Option<Self> {
        BITS.contains(&bits).then(|| Self::Palette(bits, colours.into_iter().collect()))
    }

    /// Whether a file that declares `made` holds this layout: all its shades, or all its colours in their
    /// order, which others may follow where a format has them in powers of two.
    pub fn is_held(&self, made: Option<&Self>) -> bool {
        match (self, made) {
            (Self::Gray(bits), Some(Self::Gray(made))) => bits == made,
            (Self::Palette(_, colours), Some(Self::Palette(_, made))) => made.starts_with(colours),
            _ => false,
        }
    }
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pixel = |bits: u8| counted(usize::from(bits), "bit");
        match self {
            Self::Gray(bits) => write!(f, "grey of {}", pixel(*bits)),
            Self::Palette(bits, colours) if colours.is_empty() => {
                write!(f, "a palette of 16-bit colours, {} a pixel", pixel(*bits))
            }
            Self::Palette(bits, colours) => {
                write!(f, "a palette of {}, {} a pixel", counted(colours.len(), "colour"), pixel(*bits))
            }
        }
    }
}

/// Whether a format is written in the layout that an image declares.
pub fn keeps_declared(image: &Image, format: ImageFormat) -> bool {
    match format {
        ImageFormat::Png => packed(image).is_some(),
        ImageFormat::Gif => packed(image).is_some_and(|packed| fits_gif(packed.colours)),
        _ => false,
    }
}

/// Whether a GIF has such colours: opaque, or one that is not there.
pub(super) fn fits_gif(colours: &[Colour]) -> bool {
    let clear = colours.iter().filter(|colour| **colour == CLEAR).count();
    !colours.is_empty() && clear <= 1 && colours.iter().all(|colour| colour[3] == u8::MAX || *colour == CLEAR)
}

/// The pixels of an image in the layout that it declares; nothing where it declares none, or has become
/// another since.
pub(super) fn packed(image: &Image) -> Option<Packed<'_>> {
    if image.sample != SampleType::U8 {
        return None;
    }
    match image.declared.as_ref()? {
        Declared::Gray(bits) if image.channels == Channels::Gray && matches!(bits, 1 | 2 | 4) => {
            let step = u8::MAX / (u8::MAX >> (8 - bits));
            let whole = image.samples.iter().all(|sample| sample.is_multiple_of(step));
            let numbers = whole.then(|| image.samples.iter().map(|sample| sample / step).collect())?;
            Some(Packed { bits: *bits, colours: &[], numbers })
        }
        Declared::Palette(bits, colours) if matches!(image.channels, Channels::Rgb | Channels::Rgba) => {
            if colours.is_empty() || colours.len() > 1usize << *bits {
                return None;
            }
            let mut indices = HashMap::new();
            // Of equal colours the first stands for all.
            for (index, colour) in (0..=u8::MAX).zip(colours) {
                indices.entry(*colour).or_insert(index);
            }
            let count = image.channels.count();
            // Without a channel for it, no colour is anything but opaque.
            if count == 3 && colours.iter().any(|colour| colour[3] != u8::MAX) {
                return None;
            }
            let colour = |pixel: &[u8]| match *pixel {
                [r, g, b, a] => [r, g, b, a],
                [r, g, b] => [r, g, b, u8::MAX],
                _ => CLEAR,
            };
            let numbers = image.samples.chunks_exact(count).map(|pixel| indices.get(&colour(pixel)).copied());
            Some(Packed { bits: *bits, colours, numbers: numbers.collect::<Option<Vec<u8>>>()? })
        }
        _ => None,
    }
}

/// Numbers of a few bits side by side in bytes, the first in the highest bits, each row in bytes of its own.
pub(super) fn in_bytes(packed: &Packed<'_>, width: u32) -> Vec<u8> {
    let bits = usize::from(packed.bits);
    let mut out = Vec::with_capacity(packed.numbers.len() * bits / 8 + 1);
    for row in packed.numbers.chunks(width as usize) {
        for together in row.chunks(8 / bits) {
            let byte = together.iter().enumerate().map(|(at, number)| number << (8 - bits * (at + 1)));
            out.push(byte.fold(0, |byte, number| byte | number));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, decode, encode};
    use super::*;

    const ROOM: u64 = 1 << 20;

    fn image(channels: Channels, declared: Declared, samples: Vec<u8>) -> Image {
        let width = (samples.len() / channels.count()) as u32;
        let (attributes, ignored, declared) = (Vec::new(), Vec::new(), Some(declared));
        Image { width, height: 1, channels, sample: SampleType::U8, samples, attributes, ignored, declared }
    }

    fn written(image: &Image, format: ImageFormat) -> Image {
        assert!(keeps_declared(image, format));
        let again = decode(format, &encode(image, &Settings::new(format)).unwrap(), ROOM).unwrap();
        assert_eq!(again, *image);
        let declared = image.declared.as_ref().unwrap();
        assert!(declared.is_held(again.declared.as_ref()), "{declared:?} {:?}", again.declared);
        again
    }

    #[test]
    fn shades_and_palettes_come_back_as_they_were_declared() {
        for bits in [1u8, 2, 4] {
            let top = u8::MAX >> (8 - bits);
            let samples = (0..21u8).map(|at| (at % (top + 1)) * (u8::MAX / top)).collect();
            let again = written(&image(Channels::Gray, Declared::Gray(bits), samples), ImageFormat::Png);
            assert_eq!(again.declared, Some(Declared::Gray(bits)));
        }
        for (bits, count) in [(1u8, 2u8), (2, 3), (4, 5), (8, 7), (8, 200)] {
            let colours: Vec<Colour> = (0..count).map(|at| [at, 200 - at, 7, 255]).collect();
            let declared = Declared::palette(bits, colours.clone()).unwrap();
            // Not in the order of their use.
            let samples = (0..33u8).flat_map(|at| colours[usize::from((33 - at) % count)][..3].to_vec());
            let image = image(Channels::Rgb, declared.clone(), samples.collect());
            assert_eq!(written(&image, ImageFormat::Png).declared, Some(declared));
            written(&image, ImageFormat::Gif);
        }
    }

    #[test]
    fn palettes_with_opacity_come_back() {
        let colours = [[1, 2, 3, 255], CLEAR, [9, 9, 9, 255]];
        let of = |colours: &[Colour], used: &[usize]| {
            let samples = used.iter().flat_map(|at| colours[*at]).collect();
            image(Channels::Rgba, Declared::palette(2, colours.to_vec()).unwrap(), samples)
        };
        let clear = of(&colours, &[0, 1, 2, 1]);
        written(&clear, ImageFormat::Png);
        written(&clear, ImageFormat::Gif);
        // Half there, which a GIF does not have.
        let half = of(&[[1, 2, 3, 255], [4, 5, 6, 128]], &[1, 0]);
        written(&half, ImageFormat::Png);
        assert!(!keeps_declared(&half, ImageFormat::Gif));
        // Opacity that no pixel has is an opaque image with a channel for it.
        written(&of(&colours, &[0, 2]), ImageFormat::Png);
    }

    #[test]
    fn what_has_become_another_image_is_written_in_samples() {
        let colours = vec![[1, 2, 3, 255], [4, 5, 6, 255]];
        let other = image(Channels::Rgb, Declared::palette(1, colours).unwrap(), vec![1, 2, 3, 4, 5, 7]);
        let shades = image(Channels::Gray, Declared::Gray(2), vec![0, 85, 86]);
        for other in [other, shades] {
            assert!(!keeps_declared(&other, ImageFormat::Png));
            let bytes = encode(&other, &Settings::new(ImageFormat::Png)).unwrap();
            let again = decode(ImageFormat::Png, &bytes, ROOM).unwrap();
            assert_eq!((&again, again.declared.is_none()), (&other, true));
        }
    }
}
