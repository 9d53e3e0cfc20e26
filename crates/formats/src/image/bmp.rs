//! Provides BMP (Windows bitmaps, versions 2 to 5): reads 1 to 32 bits, run lengths and bit masks, and
//! writes 8 bits of grey, 24 bits of RGB and 32 bits of RGBA.

use super::attributes::{Attributes, DENSITY, Density, ICC};
use super::declared::{self, Palette};
use super::{Channels, Declared, Image, room, settled};
use crate::error::{Error, Place, Result};
use crate::words::counted;

const BMP: &str = "bmp";

/// Bytes of the header of the file, and of headers of the image.
const FILE_BYTES: usize = 14;
const CORE_BYTES: usize = 12;
const INFO_BYTES: usize = 40;
const V4_BYTES: usize = 108;
const V5_BYTES: usize = 124;

/// Ways of packing pixels.
const PLAIN: u32 = 0;
const RUNS_8: u32 = 1;
const RUNS_4: u32 = 2;
const MASKS: u32 = 3;
const MASKS_ALPHA: u32 = 6;

/// Colour spaces of versions 4 and 5: sRGB, and a profile in the file.
const SRGB: u32 = 0x7352_4742;
const EMBEDDED: u32 = 0x4d42_4544;

pub(super) fn holds(key: &str, value: &[u8]) -> bool {
    match key {
        ICC => !value.is_empty(),
        DENSITY => metres(value).is_some(),
        _ => false,
    }
}

/// Pixels a metre, which are signed here, and 0 where nothing is known.
fn metres(value: &[u8]) -> Option<(u32, u32)> {
    match Density::of_value(value)? {
        Density::Metre(x, y) if x.max(y) <= i32::MAX as u32 && x.min(y) > 0 => Some((x, y)),
        _ => None,
    }
}

pub(super) fn encode(image: &Image) -> Result<Vec<u8>> {
    let (count, profile) = (image.channels.count(), image.attribute(ICC).unwrap_or_default());
    let header_bytes = match (profile.is_empty(), image.channels) {
        (false, _) => V5_BYTES,
        (true, Channels::Rgba) => V4_BYTES,
        (true, _) => INFO_BYTES,
    };
    let palette_bytes = if image.channels == Channels::Gray { 1024 } else { 0 };
    let row_bytes = image.width as usize * count;
    let pixel_bytes = row_bytes.next_multiple_of(4) * image.height as usize;
    let begin = FILE_BYTES + header_bytes + palette_bytes;
    let end = begin + pixel_bytes + profile.len();
    let size = u32::try_from(end).map_err(|_| {
        Error::unsupported(Place::default(), "a BMP has at most 4 GiB", "choose another format, such as png")
    })?;
    let mut out = b"BM".to_vec();
    out.reserve_exact(end);
    let put = |out: &mut Vec<u8>, words: &[u32]| words.iter().for_each(|word| out.extend(word.to_le_bytes()));
    put(&mut out, &[size, 0, begin as u32, header_bytes as u32, image.width, image.height]);
    out.extend([1, 0, 8 * count as u8, 0]);
    let (x, y) = image.attribute(DENSITY).and_then(metres).unwrap_or_default();
    let packing = if image.channels == Channels::Rgba { MASKS } else { PLAIN };
    put(&mut out, &[packing, pixel_bytes as u32, x, y, 0, 0]);
    if header_bytes >= V4_BYTES {
        let masks = if packing == MASKS { [0x00ff_0000, 0xff00, 0xff, 0xff00_0000] } else { [0; 4] };
        put(&mut out, &masks);
        put(&mut out, &[if profile.is_empty() { SRGB } else { EMBEDDED }]);
        put(&mut out, &[0; 12]);
    }
    if header_bytes == V5_BYTES {
        // Rendering intent (perceptual), and where the profile lies, from the header on.
        let profile_begin = (begin + pixel_bytes - FILE_BYTES) as u32;
        put(&mut out, &[4, profile_begin, profile.len() as u32, 0]);
    }
    if image.channels == Channels::Gray {
        (0..=255).for_each(|grey| out.extend([grey, grey, grey, 0]));
    }
    for row in image.samples.chunks_exact(row_bytes).rev() {
        match count {
            3 => out.extend(row.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*b, *g, *r])),
            4 => out.extend(row.as_chunks::<4>().0.iter().flat_map(|[r, g, b, a]| [*b, *g, *r, *a])),
            _ => out.extend(row),
        }
        out.resize(out.len() + row_bytes.next_multiple_of(4) - row_bytes, 0);
    }
    out.extend(profile);
    Ok(out)
}

pub(super) fn decode(bytes: &[u8], bytes_max: u64) -> Result<Image> {
    let header = Header::read(bytes)?;
    let Header { width, height, channels, .. } = header;
    let size = room(width, height, channels.count(), bytes_max)?;
    let mut attributes = Attributes::default();
    let end = header.attributes(bytes, &mut attributes)?;
    let (mut indices, mut samples, pixels_end) = header.pixels(bytes, size)?;
    let unused = header.packing == PLAIN && header.bits == 32;
    if unused && bytes[header.begin..pixels_end].as_chunks::<4>().0.iter().any(|pixel| pixel[3] != 0) {
        attributes.ignore("the byte of each pixel that is reserved")?;
    }
    match bytes.len().saturating_sub(end.max(pixels_end)) {
        0 => {}
        rest => attributes.ignore(format!("{} after the end of the image", counted(rest, "byte")))?,
    }
    if !header.top_down {
        reverse_rows(&mut samples, width as usize * channels.count());
        reverse_rows(&mut indices, width as usize);
    }
    let mut declared = header.declared();
    if let Some(palette) = &mut declared {
        let room = || room(width, height, channels.count() + 1, bytes_max);
        palette.numbers = declared::numbers(&palette.colours, indices.iter().copied(), room)?;
    }
    let declared = declared.map(Declared::Palette);
    Ok(Image { declared, ..settled((width, height), channels, samples, attributes) })
}

/// Turns rows upside down.
fn reverse_rows(bytes: &mut [u8], row_bytes: usize) {
    let mut rows = bytes.chunks_exact_mut(row_bytes);
    while let (Some(above), Some(below)) = (rows.next(), rows.next_back()) {
        above.swap_with_slice(below);
    }
}

/// What the headers say.
struct Header {
    width: u32,
    height: u32,
    top_down: bool,
    bits: u16,
    packing: u32,
    /// Where the pixels begin.
    begin: usize,
    header_bytes: usize,
    /// Red, green, blue, opacity.
    masks: [u32; 4],
    colours: Vec<[u8; 3]>,
    channels: Channels,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
}

fn malformed(byte: usize, what: &str) -> Error {
    Error::malformed(BMP, Place::at_byte(byte as u64), what)
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self> {
        let cut = || malformed(bytes.len(), "the file ends within its headers");
        let at = |at: usize| word(bytes, at).ok_or_else(cut);
        if !bytes.starts_with(b"BM") {
            return Err(malformed(0, "it does not begin with the header of a BMP"));
        }
        let (begin, header_bytes) = (at(10)? as usize, at(14)? as usize);
        let core = header_bytes == CORE_BYTES;
        if !core && !matches!(header_bytes, INFO_BYTES | 52 | 56 | V4_BYTES | V5_BYTES) {
            let place = Place::at_byte(14);
            let what = format!("a BMP with a header of {header_bytes} bytes is not read");
            return Err(Error::unsupported(place, what, "convert it to another version of BMP first"));
        }
        let (width, height, layout, packing) = if core {
            (at(18)? & 0xffff, (at(18)? >> 16) as i32, at(22)?, PLAIN)
        } else {
            (at(18)?, at(22)? as i32, at(26)?, at(30)?)
        };
        let bits = (layout >> 16) as u16;
        if width == 0 || width > i32::MAX as u32 || height == 0 || layout & 0xffff != 1 {
            return Err(malformed(18, "an image needs one plane of at least one pixel"));
        }
        let known = match packing {
            PLAIN => matches!(bits, 1 | 4 | 8 | 16 | 24 | 32),
            RUNS_8 => bits == 8 && height > 0,
            RUNS_4 => bits == 4 && height > 0,
            MASKS | MASKS_ALPHA => matches!(bits, 16 | 32),
            _ => false,
        };
        if !known {
            let what = format!("a BMP of {bits} bits in packing {packing} is not read");
            return Err(Error::unsupported(Place::at_byte(28), what, "convert it to plain RGB first"));
        }
        let masked = matches!(packing, MASKS | MASKS_ALPHA);
        // Masks lie in the header, or behind one of version 3.
        let alpha_known = header_bytes >= 56 || packing == MASKS_ALPHA;
        let masks = match (masked, bits) {
            (true, _) => [at(54)?, at(58)?, at(62)?, if alpha_known { at(66)? } else { 0 }],
            (false, 16) => [0x7c00, 0x3e0, 0x1f, 0],
            (false, _) => [0x00ff_0000, 0xff00, 0xff, 0],
        };
        let mut header = Self {
            width,
            height: height.unsigned_abs(),
            top_down: height < 0,
            bits,
            packing,
            begin,
            header_bytes,
            masks,
            colours: Vec::new(),
            channels: Channels::Rgb.with_alpha(masks[3] != 0),
        };
        header.check_masks()?;
        if bits <= 8 {
            header.palette(bytes)?;
        }
        Ok(header)
    }

    /// Masks are runs of 1 to 16 bits that do not overlap.
    fn check_masks(&self) -> Result<()> {
        let mut seen = 0u32;
        for (number, mask) in self.masks.into_iter().enumerate() {
            let run = mask.checked_shr(mask.trailing_zeros()).unwrap_or(0);
            let absent = mask == 0 && number == 3;
            if !absent && (mask == 0 || run & run.wrapping_add(1) != 0 || run > 0xffff || seen & mask != 0) {
                return Err(malformed(54, "the masks of its colours are no runs of 1 to 16 bits"));
            }
            seen |= mask;
        }
        Ok(())
    }

    /// Reads the colours. A full ramp of grey in 8 bits is how grey is written, and so is grey.
    fn palette(&mut self, bytes: &[u8]) -> Result<()> {
        let core = self.header_bytes == CORE_BYTES;
        let most = 1usize << self.bits;
        let stated = if core { 0 } else { word(bytes, 46).unwrap_or(0) as usize };
        let count = if stated == 0 { most } else { stated.min(most) };
        let first = FILE_BYTES + self.header_bytes;
        let width = if core { 3 } else { 4 };
        // Some writers have fewer colours than they say, up to the pixels.
        let end = (first + count * width).min(self.begin);
        let table =
            bytes.get(first..end).ok_or_else(|| malformed(first, "the file ends within its colours"))?;
        self.colours = table.chunks_exact(width).map(|colour| [colour[2], colour[1], colour[0]]).collect();
        let ramp = (0..=255).map(|grey| [grey; 3]);
        if self.colours.len() == 256 && self.colours.iter().copied().eq(ramp) {
            self.channels = Channels::Gray;
        }
        Ok(())
    }

    /// The palette, where pixels are indices into one.
    fn declared(&self) -> Option<Palette> {
        if self.bits > 8 || self.channels == Channels::Gray {
            return None;
        }
        let colours = self.colours.iter().map(|[r, g, b]| [*r, *g, *b, u8::MAX]);
        Declared::palette(self.bits as u8, colours)
    }

    /// Density and profile; gives the end of the latter.
    fn attributes(&self, bytes: &[u8], attributes: &mut Attributes) -> Result<usize> {
        if self.header_bytes == CORE_BYTES {
            return Ok(0);
        }
        let at = |at: usize| word(bytes, at).unwrap_or(0);
        let (x, y) = (at(38), at(42));
        if (1..=i32::MAX as u32).contains(&x) && (1..=i32::MAX as u32).contains(&y) {
            attributes.add(DENSITY, Density::Metre(x, y).value())?;
        }
        if self.header_bytes < V4_BYTES {
            return Ok(0);
        }
        match at(70) {
            // sRGB, or the colours of the system.
            SRGB | 0x5769_6e20 => Ok(0),
            EMBEDDED if self.header_bytes == V5_BYTES => {
                let begin = FILE_BYTES + at(126) as usize;
                let end = begin + at(130) as usize;
                let profile = bytes.get(begin..end);
                let profile =
                    profile.ok_or_else(|| malformed(126, "its profile does not lie within the file"))?;
                attributes.add(ICC, profile.to_vec())?;
                Ok(end)
            }
            _ => {
                attributes.ignore("the colour space in its header")?;
                Ok(0)
            }
        }
    }

    /// Indices into the palette, where there is one, samples, and where the pixels end.
    fn pixels(&self, bytes: &[u8], size: usize) -> Result<(Vec<u8>, Vec<u8>, usize)> {
        if self.bits > 8 {
            let (samples, end) = self.rows(bytes, size)?;
            return Ok((Vec::new(), samples, end));
        }
        let (indices, end) = match self.packing {
            RUNS_8 | RUNS_4 => self.runs(bytes)?,
            _ => self.indices(bytes)?,
        };
        let mut samples = Vec::with_capacity(size);
        for index in &indices {
            let colour = self.colours.get(usize::from(*index)).ok_or_else(|| {
                malformed(self.begin, &format!("a pixel has colour {index} of {}", self.colours.len()))
            })?;
            samples.extend(&colour[..self.channels.count()]);
        }
        Ok((indices, samples, end))
    }

    /// The bytes of rows that are not packed, and of one of them.
    fn plain<'a>(&self, bytes: &'a [u8]) -> Result<(&'a [u8], usize)> {
        let row_bytes = (self.width as usize * usize::from(self.bits)).div_ceil(32) * 4;
        let pixels = (row_bytes * self.height as usize).checked_add(self.begin);
        let pixels = pixels.and_then(|end| bytes.get(self.begin..end));
        let pixels = pixels.ok_or_else(|| malformed(bytes.len(), "the file ends within the pixels"))?;
        Ok((pixels, row_bytes))
    }

    /// Indices of rows that are not packed, as they come, and where they end.
    fn indices(&self, bytes: &[u8]) -> Result<(Vec<u8>, usize)> {
        let (pixels, row_bytes) = self.plain(bytes)?;
        let (bits, width) = (self.bits as u8, self.width as usize);
        let mut out = Vec::with_capacity(width * self.height as usize);
        pixels.chunks_exact(row_bytes).for_each(|row| out.extend(declared::in_row(row, bits, width)));
        Ok((out, self.begin + pixels.len()))
    }

    /// Samples of rows that are not packed, as they come, and where they end.
    fn rows(&self, bytes: &[u8], size: usize) -> Result<(Vec<u8>, usize)> {
        let (pixels, row_bytes) = self.plain(bytes)?;
        let mut out = Vec::with_capacity(size);
        for row in pixels.chunks_exact(row_bytes) {
            let pixels = 0..self.width as usize;
            match self.bits {
                16 => pixels.for_each(|x| {
                    self.put_masked(
                        &mut out,
                        row[2 * x..][..2].try_into().map_or(0, |pair| u16::from_le_bytes(pair).into()),
                    )
                }),
                24 => pixels.for_each(|x| out.extend([row[3 * x + 2], row[3 * x + 1], row[3 * x]])),
                _ => pixels.for_each(|x| self.put_masked(&mut out, word(row, 4 * x).unwrap_or(0))),
            }
        }
        Ok((out, self.begin + pixels.len()))
    }

    /// Widens or narrows each channel to 8 bits, rounded to the nearest.
    fn put_masked(&self, out: &mut Vec<u8>, pixel: u32) {
        for mask in self.masks.iter().take(self.channels.count()) {
            let shift = mask.trailing_zeros();
            let (value, full) = ((pixel & mask) >> shift, mask >> shift);
            out.push(((value * 255 + full / 2) / full) as u8);
        }
    }

    /// Indices of rows that are packed as runs. Pixels that are passed over have the first colour.
    fn runs(&self, bytes: &[u8]) -> Result<(Vec<u8>, usize)> {
        let cut = || malformed(bytes.len(), "the file ends within the pixels");
        let (width, height) = (self.width as usize, self.height as usize);
        let mut indices = vec![0u8; width * height];
        let (mut x, mut y, mut at) = (0, 0, self.begin);
        loop {
            let (count, value) = (*bytes.get(at).ok_or_else(cut)?, *bytes.get(at + 1).ok_or_else(cut)?);
            at += 2;
            let (pixels, literal) = match (count, value) {
                (0, 0) => {
                    (x, y) = (0, y + 1);
                    continue;
                }
                (0, 1) => break,
                (0, 2) => {
                    x += usize::from(*bytes.get(at).ok_or_else(cut)?);
                    y += usize::from(*bytes.get(at + 1).ok_or_else(cut)?);
                    at += 2;
                    continue;
                }
                (0, count) => (usize::from(count), true),
                (count, _) => (usize::from(count), false),
            };
            let row = indices.chunks_exact_mut(width).nth(y).and_then(|row| row.get_mut(x..x + pixels));
            let row = row.ok_or_else(|| malformed(at - 2, "a run does not lie within the image"))?;
            let data = if literal { bytes.get(at..).unwrap_or_default() } else { &[value; 256] };
            let each = if self.packing == RUNS_4 { 2 } else { 1 };
            let packed = data.get(..pixels.div_ceil(each)).ok_or_else(cut)?;
            for (number, index) in row.iter_mut().enumerate() {
                let byte = if literal { packed[number / each] } else { value };
                *index = match (each, number % 2) {
                    (1, _) => byte,
                    (_, 0) => byte >> 4,
                    _ => byte & 15,
                };
            }
            x += pixels;
            at += if literal { packed.len().next_multiple_of(2) } else { 0 };
        }
        Ok((indices, at))
    }
}
