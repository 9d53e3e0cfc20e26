//! Provides GIF (89a) with one frame.
//!
//! It holds at most 256 colours, opaque or fully transparent. Images with more are refused: to choose
//! colours is a decision about the content.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use weezl::BitOrder;

use super::attributes::{Attributes, COMMENT, ICC, XMP};
use super::declared::{self, Colour, Palette};
use super::{Channels, Declared, Image, room, settled, several};
use crate::error::{Error, Place, Result};
use crate::words::counted;

const GIF: &str = "gif";

/// Colours at most, the transparent one among them.
pub(super) const COLOURS_MAX: usize = 256;

/// What an application block with an XMP packet ends with, so that readers of blocks pass over the packet.
const XMP_MAGIC_BYTES: usize = 257;

pub(super) fn holds(key: &str, value: &[u8]) -> bool {
    match key {
        COMMENT => value.last() != Some(&0),
        ICC => !value.is_empty(),
        // Readers of blocks would take a zero for the end.
        XMP => !value.is_empty() && !value.contains(&0),
        _ => false,
    }
}

/// What keeps the colours of an image from being few enough, and each opaque or the one transparent black.
pub(super) fn lacking(image: &Image) -> Option<Lacking> {
    indexed(image).err()
}

/// Black that is not there: what transparent pixels are read as.
pub(super) const CLEAR: Colour = [0; 4];

pub(super) fn decode(bytes: &[u8], bytes_max: u64) -> Result<Image> {
    let mut reader = Reader { bytes, at: 0 };
    let Some([b'G', b'I', b'F', b'8', b'7' | b'9', b'a', w0, w1, h0, h1, flags, _, ratio]) =
        reader.take::<13>()
    else {
        return Err(reader.malformed("it does not begin with the header of a GIF"));
    };
    let (width, height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
    let (width, height) = (u32::from(width), u32::from(height));
    if width == 0 || height == 0 {
        return Err(reader.malformed("it has no pixels"));
    }
    let global = reader.palette(flags)?;
    let mut attributes = Attributes::default();
    if ratio != 0 {
        attributes.ignore("the proportions of a pixel")?;
    }
    let (mut frame, mut clear) = (None, None);
    loop {
        match reader.take::<1>() {
            Some([0x3b]) => break,
            Some([0x2c]) if frame.is_some() => {
                let place = Place::at_byte(reader.at as u64);
                let hint = "take its frames apart first, as `magick FILE -coalesce frame-%d.png` does";
                return Err(several(place, "an animated GIF", 1 + reader.frames(), "frames", hint));
            }
            Some([0x2c]) => frame = Some(reader.frame(&global, width, height, bytes_max)?),
            Some([0x21]) => {
                // What stands behind the image is not about it.
                let index = reader.extension(&mut attributes)?;
                if frame.is_none() && index.is_some() {
                    clear = index;
                }
            }
            Some([_]) => return Err(reader.malformed("there is no block where one belongs")),
            None => return Err(reader.malformed("the file ends before the image does")),
        }
    }
    match bytes.len() - reader.at {
        0 => {}
        rest => attributes.ignore(format!("{} after the end of the image", counted(rest, "byte")))?,
    }
    let frame = frame.ok_or_else(|| reader.malformed("it has no frame"))?;
    frame.draw(width, height, clear, attributes, bytes_max)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A frame: indices into colours, somewhere on the canvas.
struct Frame {
    /// Where its header begins.
    byte: u64,
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    colours: Vec<[u8; 3]>,
    indices: Vec<u8>,
}

impl Reader<'_> {
    fn malformed(&self, what: &str) -> Error {
        Error::malformed(GIF, Place::at_byte(self.at as u64), what)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = *self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(taken)
    }

    /// Counts the frames from the header of one on, as far as the file is whole.
    fn frames(&mut self) -> u64 {
        let mut count = 1;
        while self.skip_frame().is_some() && self.skip_extensions().is_some() {
            count += 1;
        }
        count
    }

    /// Passes over extensions and the mark of a frame behind them; `None` where there is none.
    fn skip_extensions(&mut self) -> Option<()> {
        loop {
            match self.take::<1>()? {
                [0x2c] => return Some(()),
                [0x21] => {
                    self.take::<1>()?;
                    self.blocks().ok()?;
                }
                _ => return None,
            }
        }
    }

    /// Passes over a frame, of which the mark was taken; `None` where the file ends within it.
    fn skip_frame(&mut self) -> Option<()> {
        let [.., flags] = self.take::<9>()?;
        self.palette(flags).ok()?;
        self.take::<1>()?;
        self.blocks().ok().map(drop)
    }

    /// The table of colours that these flags announce.
    fn palette(&mut self, flags: u8) -> Result<Vec<[u8; 3]>> {
        if flags & 0x80 == 0 {
            return Ok(Vec::new());
        }
        let count = 2usize << (flags & 7);
        let colours = self.bytes.get(self.at..self.at + 3 * count);
        let colours = colours.ok_or_else(|| self.malformed("the file ends within the colours"))?;
        self.at += 3 * count;
        Ok(colours.as_chunks::<3>().0.to_vec())
    }

    /// Bytes in blocks, up to the empty block.
    fn blocks(&mut self) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        loop {
            let size = self.take::<1>().map(|[size]| usize::from(size));
            let block = size.and_then(|size| self.bytes.get(self.at..self.at + size));
            let block = block.ok_or_else(|| self.malformed("the file ends within a block"))?;
            self.at += block.len();
            if block.is_empty() {
                return Ok(data);
            }
            data.extend(block);
        }
    }

    /// Takes an extension; gives the index of the transparent colour where it is about that.
    fn extension(&mut self, attributes: &mut Attributes) -> Result<Option<u8>> {
        let label = self.take::<1>().ok_or_else(|| self.malformed("the file ends within an extension"))?;
        let begin = self.at;
        let data = self.blocks()?;
        match label {
            [0xf9] => match data[..] {
                [flags, _, _, index] => return Ok((flags & 1 == 1).then_some(index)),
                _ => return Err(self.malformed("a graphic control extension of another size than 4")),
            },
            [0xfe] => attributes.add_text(COMMENT, &data)?,
            [0xff] if data.starts_with(b"ICCRGBG1012") => attributes.add(ICC, data[11..].to_vec())?,
            [0xff] if data.starts_with(b"XMP DataXMP") => {
                // The packet lies there as it is, without the structure of blocks.
                let packet = &self.bytes[begin + 12..self.at];
                match packet.len().checked_sub(XMP_MAGIC_BYTES + 1) {
                    Some(end) => attributes.add(XMP, packet[..end].to_vec())?,
                    None => attributes.ignore("an XMP packet that is cut")?,
                }
            }
            // How often to repeat says nothing of one frame.
            [0xff] if data.starts_with(b"NETSCAPE2.0") || data.starts_with(b"ANIMEXTS1.0") => {}
            [0xff] => attributes
                .ignore(format!("the extension \"{}\"", data[..data.len().min(11)].escape_ascii()))?,
            [label] => attributes.ignore(format!("the extension {label:#04x}"))?,
        }
        Ok(None)
    }

    fn frame(&mut self, global: &[[u8; 3]], width: u32, height: u32, bytes_max: u64) -> Result<Frame> {
        let byte = self.at as u64;
        let Some([l0, l1, t0, t1, w0, w1, h0, h1, flags]) = self.take::<9>() else {
            return Err(self.malformed("the file ends within the header of a frame"));
        };
        let number = |low, high| u32::from(u16::from_le_bytes([low, high]));
        let (left, top, w, h) = (number(l0, l1), number(t0, t1), number(w0, w1), number(h0, h1));
        if w == 0 || h == 0 || left + w > width || top + h > height {
            return Err(self.malformed("the frame does not lie within the image"));
        }
        let size = room(w, h, 1, bytes_max)?;
        let local = self.palette(flags)?;
        let colours = if local.is_empty() { global.to_vec() } else { local };
        let bits = self.take::<1>().filter(|[bits]| (2..=11).contains(bits));
        let [bits] = bits.ok_or_else(|| self.malformed("a code size that does not exist"))?;
        let packed = self.blocks()?;
        let indices = unpacked(&packed, bits, size)
            .ok_or_else(|| self.malformed("the pixels are damaged or end too early"))?;
        let indices = if flags & 0x40 == 0 { indices } else { interleaved(&indices, w as usize) };
        Ok(Frame { byte, left, top, width: w, height: h, colours, indices })
    }
}

/// The first `size` indices of a compressed stream; `None` where it does not have as many.
fn unpacked(mut packed: &[u8], bits: u8, size: usize) -> Option<Vec<u8>> {
    let mut indices = vec![0; size];
    let mut decoder = weezl::decode::Decoder::new(BitOrder::Lsb, bits);
    let mut done = 0;
    while done < size {
        let step = decoder.decode_bytes(packed, &mut indices[done..]);
        (packed, done) = (&packed[step.consumed_in..], done + step.consumed_out);
        if step.status.is_err() || step.consumed_in + step.consumed_out == 0 {
            return None;
        }
    }
    Some(indices)
}

/// Rows in their order, from rows in the order of interlaced GIFs.
fn interlaced_rows(height: usize) -> impl Iterator<Item = usize> {
    let passes = [(0, 8), (4, 8), (2, 4), (1, 2)];
    passes.into_iter().flat_map(move |(first, step)| (first..height).step_by(step))
}

fn interleaved(indices: &[u8], width: usize) -> Vec<u8> {
    let mut out = vec![0; indices.len()];
    let rows = interlaced_rows(indices.len() / width);
    for (row, found) in rows.zip(indices.chunks_exact(width)) {
        out[row * width..][..width].copy_from_slice(found);
    }
    out
}

impl Frame {
    /// The palette, with the colour that is not there, where a pixel has it.
    fn declared(&self, clear: Option<u8>) -> Option<Palette> {
        let bits = match self.colours.len() {
            0..=2 => 1,
            3..=4 => 2,
            5..=16 => 4,
            _ => 8,
        };
        let colours = (0..=u8::MAX).zip(&self.colours).map(|(index, [r, g, b])| match Some(index) == clear {
            true => CLEAR,
            false => [*r, *g, *b, u8::MAX],
        });
        let hidden = clear.and_then(|clear| self.colours.get(usize::from(clear)).copied());
        let hidden = hidden.filter(|colour| *colour != CLEAR[..3]);
        Some(Palette { hidden, ..Declared::palette(bits, colours)? })
    }

    /// The number of each pixel of the canvas, row by row.
    fn numbers(&self, width: u32, height: u32, clear: Option<u8>) -> impl Iterator<Item = u8> + Clone {
        let around = clear.unwrap_or(0);
        (0..height as usize).flat_map(move |y| {
            let row = y.checked_sub(self.top as usize);
            let row = row.and_then(|row| self.indices.chunks_exact(self.width as usize).nth(row));
            let (before, row) = (self.left as usize, row.unwrap_or_default());
            let all = std::iter::repeat_n(around, before).chain(row.iter().copied());
            all.chain(std::iter::repeat_n(around, width as usize - before - row.len()))
        })
    }

    /// The frame on its canvas, which is transparent where the frame is not.
    fn draw(
        self,
        width: u32,
        height: u32,
        clear: Option<u8>,
        attributes: Attributes,
        bytes_max: u64,
    ) -> Result<Image> {
        let covers = self.width == width && self.height == height;
        let alpha = !covers || clear.is_some_and(|clear| self.indices.contains(&clear));
        let channels = Channels::Rgb.with_alpha(alpha);
        let count = channels.count();
        let mut samples = vec![0; room(width, height, count, bytes_max)?];
        let row_bytes = width as usize * count;
        let rows = samples.chunks_exact_mut(row_bytes).skip(self.top as usize);
        for (row, indices) in rows.zip(self.indices.chunks_exact(self.width as usize)) {
            let pixels = row[self.left as usize * count..].chunks_exact_mut(count);
            for (pixel, index) in pixels.zip(indices) {
                if Some(*index) == clear {
                    continue;
                }
                let colour = self.colours.get(usize::from(*index)).ok_or_else(|| {
                    let what = format!("a pixel has colour {index} of {}", self.colours.len());
                    Error::malformed(GIF, Place::at_byte(self.byte), what)
                })?;
                pixel[..3].copy_from_slice(colour);
                if let Some(alpha) = pixel.get_mut(3) {
                    *alpha = u8::MAX;
                }
            }
        }
        let clear = clear.filter(|_| alpha);
        let mut declared = self.declared(clear);
        if let Some(palette) = &mut declared {
            let room = || room(width, height, count + 1, bytes_max);
            palette.numbers = declared::numbers(&palette.colours, self.numbers(width, height, clear), room)?;
        }
        let declared = declared.map(Declared::Palette);
        Ok(Image { declared, ..settled((width, height), channels, samples, attributes) })
    }
}

/// Why a GIF cannot hold the colours of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// There are more than 256.
    Colours,
    /// Some are neither opaque nor fully transparent.
    Opacity,
    /// Some are fully transparent and not black, as transparent pixels of a GIF are.
    Hidden,
}

/// An image in numbers of its colours.
struct Indexed {
    colours: Vec<Colour>,
    /// The number of the transparent one.
    clear: Option<u8>,
    /// A number for each pixel.
    numbers: Vec<u8>,
}

/// The palette that an image declares, where a GIF has such a one, or else its colours in the order of their
/// first pixels.
fn indexed(image: &Image) -> std::result::Result<Indexed, Lacking> {
    if let Some(declared) = declared_palette(image) {
        return Ok(declared);
    }
    let (mut colours, mut indices, mut hidden) = (Vec::new(), HashMap::new(), false);
    let mut numbers = Vec::with_capacity(image.samples.len() / image.channels.count());
    for pixel in image.samples.chunks_exact(image.channels.count()) {
        let colour = match [pixel[0], pixel[1], pixel[2], pixel.get(3).copied().unwrap_or(u8::MAX)] {
            colour @ [.., u8::MAX] => colour,
            [.., 0] => CLEAR,
            _ => return Err(Lacking::Opacity),
        };
        hidden |= colour == CLEAR && pixel[..3] != CLEAR[..3];
        let number = match indices.entry(colour) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(_) if colours.len() == COLOURS_MAX => return Err(Lacking::Colours),
            Entry::Vacant(vacant) => {
                colours.push(colour);
                *vacant.insert((colours.len() - 1) as u8)
            }
        };
        numbers.push(number);
    }
    let clear = indices.get(&CLEAR).copied();
    match hidden {
        true => Err(Lacking::Hidden),
        // Opacity that no pixel tells would not be read again.
        false if image.channels.has_alpha() != clear.is_some() => Err(Lacking::Opacity),
        false => Ok(Indexed { colours, clear, numbers }),
    }
}

/// The same in the palette that an image declares, where it has such a one.
fn declared_palette(image: &Image) -> Option<Indexed> {
    let packed = declared::packed(image).filter(|packed| declared::fits_gif(packed.colours))?;
    let mut colours = packed.colours.to_vec();
    let clear = (0..=u8::MAX).zip(&colours).find(|(_, colour)| **colour == CLEAR).map(|(at, _)| at);
    let is_told = clear.is_some_and(|clear| packed.numbers.contains(&clear));
    if let Some(clear) = clear {
        colours[usize::from(clear)][..3].copy_from_slice(&packed.hidden);
    }
    // Opacity that no pixel tells would not be read again.
    (image.channels.has_alpha() == is_told).then_some(Indexed { colours, clear, numbers: packed.numbers })
}

pub(super) fn encode(image: &Image) -> Result<Vec<u8>> {
    let indexed = indexed(image).map_err(|_| Error::Bug("other colours than were counted".to_owned()))?;
    let Indexed { colours, clear, numbers } = indexed;
    let bits = (usize::BITS - (colours.len() - 1).leading_zeros()).max(1) as u8;
    let side = |pixels: u32| (pixels as u16).to_le_bytes();
    let mut out = b"GIF89a".to_vec();
    out.extend([side(image.width), side(image.height)].concat());
    out.extend([0x80 | 0x70 | (bits - 1), 0, 0]);
    out.extend(colours.iter().flat_map(|colour| &colour[..3]));
    out.resize(13 + (3 << bits), 0);
    for (key, value) in &image.attributes {
        match key.as_str() {
            XMP => {
                out.extend(b"\x21\xff\x0bXMP DataXMP");
                out.extend(value);
                out.extend(std::iter::once(1).chain((0..=255).rev()).chain([0]));
            }
            ICC => {
                out.extend(b"\x21\xff\x0bICCRGBG1012");
                put_blocks(&mut out, value);
            }
            _ => {
                out.extend([0x21, 0xfe]);
                put_blocks(&mut out, value);
            }
        }
    }
    if let Some(clear) = clear {
        out.extend([0x21, 0xf9, 4, 1, 0, 0, clear, 0]);
    }
    out.extend([0x2c, 0, 0, 0, 0]);
    out.extend([side(image.width), side(image.height)].concat());
    let size = bits.max(2);
    out.extend([0, size]);
    let packed = weezl::encode::Encoder::new(BitOrder::Lsb, size).encode(&numbers);
    put_blocks(&mut out, &packed.map_err(|error| Error::Bug(format!("weezl did not encode: {error}")))?);
    out.push(0x3b);
    Ok(out)
}

fn put_blocks(out: &mut Vec<u8>, data: &[u8]) {
    for block in data.chunks(255) {
        out.push(block.len() as u8);
        out.extend(block);
    }
    out.push(0);
}
