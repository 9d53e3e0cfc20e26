//! Provides the layout of pixels that a file declares where it is less than that of its samples: indices into
//! a palette, or grey of fewer than 8 bits. It is no content, as every sample is the same without it, but
//! formats that have such layouts are written in it.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use coherence::sample::SampleType;

use super::gif::CLEAR;
use super::{Channels, Image, ImageFormat};
use crate::error::Result;
use crate::words::counted;

/// A colour with its opacity.
pub(super) type Colour = [u8; 4];

/// Bits of a pixel that a PNG of grey or with a palette may have.
const BITS: [u8; 4] = [1, 2, 4, 8];

/// The layout that a file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    /// Grey of so many bits, below 8, and the shade of these bits that is transparent, if one is.
    Gray(u8, Option<u8>),
    /// Indices into colours.
    Palette(Palette),
}

/// Colours that pixels name by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Palette {
    /// Bits of a pixel.
    pub(super) bits: u8,
    /// The colours; none where they are of 16 bits.
    pub(super) colours: Vec<Colour>,
    /// The number of each pixel, where some pixel has another than the first of its colour, which samples
    /// alone do not tell; else empty.
    pub(super) numbers: Vec<u8>,
    /// What the colour that is not there has for a colour, where that is not black.
    pub(super) hidden: Option<[u8; 3]>,
}

/// Pixels as numbers of a few bits.
pub(super) struct Packed<'a> {
    /// Bits of a pixel.
    pub bits: u8,
    /// The colours that the numbers stand for; nothing for shades of grey.
    pub colours: &'a [Colour],
    /// The transparent shade of grey.
    pub clear: Option<u8>,
    /// What the transparent colour of a palette has for a colour.
    pub hidden: [u8; 3],
    /// A number for each pixel.
    pub numbers: Vec<u8>,
}

impl Declared {
    /// A palette as a file has it, of whole bytes.
    pub(super) fn palette(bits: u8, colours: impl IntoIterator<Item = Colour>) -> Option<Palette> {
        let (colours, numbers) = (colours.into_iter().collect(), Vec::new());
        BITS.contains(&bits).then_some(Palette { bits, colours, numbers, hidden: None })
    }

    /// Whether a file that declares `made` holds this layout: all its shades, or all its colours in their
    /// order, which others may follow where a format has them in powers of two, and the number of each pixel.
    pub fn is_held(&self, made: Option<&Self>) -> bool {
        match (self, made) {
            (Self::Gray(..), Some(made)) => self == made,
            (Self::Palette(palette), Some(Self::Palette(made))) => {
                made.colours.starts_with(&palette.colours)
                    && (&made.numbers, made.hidden) == (&palette.numbers, palette.hidden)
            }
            _ => false,
        }
    }

    /// What of it an array does not hold, which has the samples of an image and nothing else.
    pub fn not_in_arrays(&self) -> String {
        match self {
            Self::Gray(..) => format!("{self}: an array has the shades as samples from 0 to 255"),
            Self::Palette(palette) => format!(
                "{self}: an array has the colours of pixels, and not their numbers in the palette, such as \
                 the labels of a mask{}",
                palette.lost()
            ),
        }
    }

    /// Bytes that it takes beside the samples.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Palette(palette) => palette.numbers.len() as u64,
            Self::Gray(..) => 0,
        }
    }
}

impl Palette {
    /// What samples do not tell of it, besides its order.
    fn lost(&self) -> String {
        let mut lost = String::new();
        if !self.numbers.is_empty() {
            lost.push_str("; pixels of equal colours lose the numbers that told them apart");
        }
        if let Some(hidden) = self.hidden {
            lost.push_str(&format!("; its transparent colour, {}, is black", in_hex(hidden)));
        }
        lost
    }
}

fn in_hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The numbers of pixels, where some pixel has another than the first that these colours have for its colour;
/// else nothing. They take memory that is asked for before.
pub(super) fn numbers<C: Eq + Hash>(
    colours: &[C],
    numbers: impl Iterator<Item = u8> + Clone,
    room: impl FnOnce() -> Result<usize>,
) -> Result<Vec<u8>> {
    let mut indices = HashMap::new();
    let firsts: Vec<u8> =
        (0..=u8::MAX).zip(colours).map(|(index, colour)| *indices.entry(colour).or_insert(index)).collect();
    let is_first = |number: u8| firsts.get(usize::from(number)).is_none_or(|first| *first == number);
    if indices.len() == colours.len() || numbers.clone().all(is_first) {
        return Ok(Vec::new());
    }
    room()?;
    Ok(numbers.collect())
}

/// The numbers in a row of them side by side in bytes, the first in the highest bits.
pub(super) fn in_row(row: &[u8], bits: u8, width: usize) -> impl Iterator<Item = u8> + Clone + '_ {
    let bits = usize::from(bits);
    (0..width).map(move |x| row[x * bits / 8] >> (8 - bits - x * bits % 8) & (u8::MAX >> (8 - bits)))
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pixel = |bits: u8| counted(usize::from(bits), "bit");
        match self {
            Self::Gray(bits, None) => write!(f, "grey of {}", pixel(*bits)),
            Self::Gray(bits, Some(shade)) => {
                write!(f, "grey of {}, of which shade {shade} is transparent", pixel(*bits))
            }
            Self::Palette(Palette { bits, colours, .. }) if colours.is_empty() => {
                write!(f, "a palette of 16-bit colours, {} a pixel", pixel(*bits))
            }
            Self::Palette(Palette { bits, colours, .. }) => {
                write!(f, "a palette of {}, {} a pixel", counted(colours.len(), "colour"), pixel(*bits))
            }
        }
    }
}

/// Whether a format is written in the layout that an image declares.
pub fn keeps_declared(image: &Image, format: ImageFormat) -> bool {
    image.declared.is_some() && not_kept(image, format).is_none()
}

/// How an image is written in a format that does not keep the layout that it declares; `None` where it is
/// kept, or there is none.
pub fn not_kept(image: &Image, format: ImageFormat) -> Option<String> {
    let (declared, name) = (image.declared.as_ref()?, format.name());
    let is_packed = match format {
        ImageFormat::Png => packed(image).is_some(),
        ImageFormat::Gif => packed(image).is_some_and(|packed| fits_gif(packed.colours)),
        _ => false,
    };
    match declared {
        Declared::Palette(Palette { hidden: Some(hidden), .. })
            if is_packed && format != ImageFormat::Gif =>
        {
            Some(format!("{declared}: its transparent colour, {}, is black in {name}", in_hex(*hidden)))
        }
        _ if is_packed => None,
        _ => {
            let (samples, channels) = (image.sample, image.channels.name());
            let lost = match declared {
                Declared::Palette(palette) => palette.lost(),
                Declared::Gray(..) => String::new(),
            };
            let written = format!("written in {name} as {channels} {samples}, which holds the same colours");
            Some(format!("{declared}: {written}{lost}"))
        }
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
        Declared::Gray(bits, clear) if matches!(bits, 1 | 2 | 4) => {
            let numbers = shades(image, *bits, *clear)?;
            Some(Packed { bits: *bits, colours: &[], clear: *clear, hidden: [0; 3], numbers })
        }
        Declared::Palette(palette) if matches!(image.channels, Channels::Rgb | Channels::Rgba) => {
            let (numbers, hidden) = (named(image, palette)?, palette.hidden.unwrap_or_default());
            Some(Packed { bits: palette.bits, colours: &palette.colours, clear: None, hidden, numbers })
        }
        _ => None,
    }
}

/// The shades of the pixels of an image in so few bits, one of which may be transparent.
fn shades(image: &Image, bits: u8, clear: Option<u8>) -> Option<Vec<u8>> {
    let step = u8::MAX / (u8::MAX >> (8 - bits));
    let shade = |sample: u8| sample.is_multiple_of(step).then_some(sample / step);
    match (image.channels, clear) {
        (Channels::Gray, None) => image.samples.iter().map(|sample| shade(*sample)).collect(),
        (Channels::GrayAlpha, Some(clear)) => {
            let pixels = image.samples.as_chunks::<2>().0.iter();
            let opacity = |shade: u8| if shade == clear { 0 } else { u8::MAX };
            pixels.map(|[grey, alpha]| shade(*grey).filter(|shade| opacity(*shade) == *alpha)).collect()
        }
        _ => None,
    }
}

/// The numbers of the pixels of an image in a palette: those that they had, or else the first of each colour.
fn named(image: &Image, Palette { bits, colours, numbers, .. }: &Palette) -> Option<Vec<u8>> {
    let count = image.channels.count();
    // Without a channel for it, no colour is anything but opaque.
    let opaque = count == 3 && colours.iter().any(|colour| colour[3] != u8::MAX);
    if colours.is_empty() || colours.len() > 1usize << *bits || opaque {
        return None;
    }
    let mut pixels = image.samples.chunks_exact(count).map(|pixel| match *pixel {
        [r, g, b, a] => [r, g, b, a],
        [r, g, b] => [r, g, b, u8::MAX],
        _ => CLEAR,
    });
    if !numbers.is_empty() {
        let mut had = numbers.iter().map(|number| colours.get(usize::from(*number)).copied());
        let same = numbers.len() == pixels.len() && pixels.all(|pixel| had.next() == Some(Some(pixel)));
        return same.then(|| numbers.clone());
    }
    let mut indices = HashMap::new();
    for (index, colour) in (0..=u8::MAX).zip(colours) {
        indices.entry(*colour).or_insert(index);
    }
    pixels.map(|pixel| indices.get(&pixel).copied()).collect()
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

    fn palette(bits: u8, colours: &[Colour]) -> Declared {
        Declared::Palette(Declared::palette(bits, colours.to_vec()).unwrap())
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
            let again =
                written(&image(Channels::Gray, Declared::Gray(bits, None), samples), ImageFormat::Png);
            assert_eq!(again.declared, Some(Declared::Gray(bits, None)));
        }
        for (bits, count) in [(1u8, 2u8), (2, 3), (4, 5), (8, 7), (8, 200)] {
            let colours: Vec<Colour> = (0..count).map(|at| [at, 200 - at, 7, 255]).collect();
            let declared = palette(bits, &colours);
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
            image(Channels::Rgba, palette(2, colours), samples)
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
        let colours = [[1, 2, 3, 255], [4, 5, 6, 255]];
        let other = image(Channels::Rgb, palette(1, &colours), vec![1, 2, 3, 4, 5, 7]);
        let shades = image(Channels::Gray, Declared::Gray(2, None), vec![0, 85, 86]);
        for other in [other, shades] {
            assert!(!keeps_declared(&other, ImageFormat::Png));
            let bytes = encode(&other, &Settings::new(ImageFormat::Png)).unwrap();
            let again = decode(ImageFormat::Png, &bytes, ROOM).unwrap();
            assert_eq!((&again, again.declared.is_none()), (&other, true));
        }
    }

    #[test]
    fn a_transparent_shade_of_grey_comes_back() {
        for (bits, clear) in [(1u8, 0u8), (1, 1), (2, 3), (4, 7)] {
            let top = u8::MAX >> (8 - bits);
            let opacity = |shade| if shade == clear { 0 } else { u8::MAX };
            let shades = (0..33u8).map(|at| at % (top + 1));
            let samples = shades.flat_map(|shade| [shade * (u8::MAX / top), opacity(shade)]).collect();
            let declared = Declared::Gray(bits, Some(clear));
            let image = image(Channels::GrayAlpha, declared.clone(), samples);
            assert_eq!(written(&image, ImageFormat::Png).declared, Some(declared));
            assert!(!keeps_declared(&image, ImageFormat::Tiff));
        }
        // Of another shade, opacity is a channel.
        let other = image(Channels::GrayAlpha, Declared::Gray(1, Some(0)), vec![0, 0, 255, 0]);
        assert!(!keeps_declared(&other, ImageFormat::Png));
    }

    #[test]
    fn pixels_of_equal_colours_keep_their_numbers() {
        let colours = [[7, 7, 7, 255], [1, 2, 3, 255], [7, 7, 7, 255], [7, 7, 7, 255]];
        let labels = [3u8, 0, 1, 2, 2, 0, 1];
        let samples = labels.iter().flat_map(|at| colours[usize::from(*at)][..3].to_vec()).collect();
        let with = |numbers: &[u8]| {
            let Declared::Palette(palette) = palette(2, &colours) else { panic!() };
            Declared::Palette(Palette { numbers: numbers.to_vec(), ..palette })
        };
        let mut image = image(Channels::Rgb, with(&labels), samples);
        for format in [ImageFormat::Png, ImageFormat::Gif] {
            assert_eq!(written(&image, format).declared, Some(with(&labels)));
        }
        assert!(!with(&labels).is_held(Some(&with(&[]))) && !with(&[]).is_held(Some(&with(&labels))));
        let told = not_kept(&image, ImageFormat::WebP).unwrap();
        assert!(told.ends_with("; pixels of equal colours lose the numbers that told them apart"), "{told}");
        // Numbers of colours that the pixels do not have are not theirs.
        for others in [&[3, 0, 0, 2, 2, 0, 1][..], &[3, 0, 1], &[3, 0, 1, 2, 2, 0, 9]] {
            image.declared = Some(with(others));
            assert!(!keeps_declared(&image, ImageFormat::Png));
        }
    }

    #[test]
    fn numbers_are_noted_only_where_samples_do_not_tell_them() {
        let colours = [4, 5, 4, 6];
        let noted = |used: &[u8]| numbers(&colours, used.iter().copied(), || Ok(0)).unwrap();
        assert_eq!(noted(&[0, 1, 2]), [0, 1, 2]);
        assert!(noted(&[0, 1, 3]).is_empty());
        let full = || Err(crate::error::Error::Bug("full".to_owned()));
        assert!(numbers(&colours, [2].into_iter(), full).is_err());
        assert!(numbers(&[1, 2], [1].into_iter(), full).unwrap().is_empty());
    }

    #[test]
    fn the_colour_that_is_not_there_keeps_its_colour_in_a_gif() {
        let Declared::Palette(colours) = palette(1, &[[1, 2, 3, 255], CLEAR]) else { panic!() };
        let declared = Declared::Palette(Palette { hidden: Some([38, 219, 186]), ..colours });
        let image = image(Channels::Rgba, declared.clone(), vec![1, 2, 3, 255, 0, 0, 0, 0]);
        assert_eq!(written(&image, ImageFormat::Gif).declared, Some(declared));
        let told = "a palette of 2 colours, 1 bit a pixel: its transparent colour, #26dbba, is black in png";
        assert_eq!(not_kept(&image, ImageFormat::Png).unwrap(), told);
        let again = encode(&image, &Settings::new(ImageFormat::Png)).unwrap();
        let again = decode(ImageFormat::Png, &again, ROOM).unwrap();
        assert_eq!((&again, again.declared.clone()), (&image, Some(palette(1, &[[1, 2, 3, 255], CLEAR]))));
    }
}
