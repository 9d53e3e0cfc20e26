//! Provides AVIF (AV1 Image File Format 1.1): the container by hand, the pixels by rav1d and libaom.
//!
//! Read are still images of one item or a grid of them, with or without opacity. Written is one item, and a
//! second one for opacity, in the whole range: with loss in the matrix of BT.601 (of BT.2020 with its
//! primaries), without in none, where the planes are green, blue and red; 8 bits as 8, so that they come back
//! as such, and 16 bits as 10, which is the most that every reader has, and never without loss.

mod av1;
mod colour;
mod libaom;
mod meta;
mod write;

use std::collections::BTreeSet;

use coherence::sample::SampleType;

use self::av1::Frame;
use self::colour::{Matrix, Planes, Target};
pub(super) use self::libaom::quantizer;
use self::meta::{AUXILIARY, DERIVED, DESCRIBES, Item, Meta, PREMULTIPLIED};
pub(super) use self::write::encode;
use super::attributes::{Attributes, CICP, DENSITY, Density, ICC, XMP};
use super::boxes::{Fields, IsoBox, tiff_of, top};
use super::orientation::Orientation;
use super::{Channels, Image, room};
use crate::error::{Error, Place, Result};
use crate::words::counted;

const AVIF: &str = "avif";

/// What an auxiliary image is called that holds opacity (MIAF, section 7.3.5.2; the second by older writers).
const ALPHA: [&[u8]; 2] = [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"];

/// The media type of an XMP packet.
const XMP_TYPE: &[u8] = b"application/rdf+xml";

/// Properties that are attributes, and their keys: light levels and the display that an image was made on.
const KEPT: [(&[u8; 4], &str); 4] =
    [(b"amve", "avif:amve"), (b"cclv", "avif:cclv"), (b"clli", "avif:clli"), (b"mdcv", "avif:mdcv")];

/// Planes as the bytes of an item, and its box `av1C`.
struct Encoded {
    /// The frame.
    data: Vec<u8>,
    /// What `av1C` says of it (AV1-ISOBMFF, section 2.3.3).
    configuration: Vec<u8>,
}

/// How finely colours are sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sampling {
    /// There are none (4:0:0).
    Grey,
    /// At half the resolution in both directions (4:2:0).
    Quarter,
    /// At half the resolution in rows (4:2:2).
    Half,
    /// Like brightness (4:4:4).
    Full,
}

/// How planes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    width: usize,
    height: usize,
    /// Bits of a sample: 8, 10 or 12.
    bits: u8,
    sampling: Sampling,
}

impl Shape {
    fn is_grey(&self) -> bool {
        self.sampling == Sampling::Grey
    }

    /// Whether colours have half the resolution, across and down.
    fn halved(&self) -> (bool, bool) {
        match self.sampling {
            Sampling::Quarter => (true, true),
            Sampling::Half => (true, false),
            Sampling::Grey | Sampling::Full => (false, false),
        }
    }

    fn chroma_size(&self) -> (usize, usize) {
        let (across, down) = self.halved();
        (self.width.div_ceil(1 + usize::from(across)), self.height.div_ceil(1 + usize::from(down)))
    }
}

/// What samples mean, in the codes of ITU-T H.273.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signal {
    primaries: u16,
    transfer: u16,
    matrix: u16,
    full_range: bool,
}

/// Primaries and transfer of which nothing has to be said: those of sRGB, which untagged images have in all
/// formats, and none.
fn is_usual(primaries: u16, transfer: u16) -> bool {
    matches!((primaries, transfer), (1, 13) | (2, 2))
}

/// Whether the container can hold this attribute.
pub(super) fn holds(key: &str, value: &[u8]) -> bool {
    match key {
        // Readers refuse a file whose Exif block is no TIFF.
        "exif" => value.starts_with(b"II*\0") || value.starts_with(b"MM\0*"),
        ICC | XMP => !value.is_empty(),
        CICP => matches!(value, [primaries, transfer, 0, 1]
            if !is_usual((*primaries).into(), (*transfer).into())),
        DENSITY => matches!(Density::of_value(value), Some(Density::Ratio(x, y)) if x != y && x > 0 && y > 0),
        _ => KEPT.iter().any(|(_, known)| *known == key) && !value.is_empty(),
    }
}

pub(super) fn decode(bytes: &[u8], bytes_max: u64) -> Result<Image> {
    let (boxes, rest) = top(AVIF, bytes)?;
    check_kind(&boxes)?;
    let [meta] = boxes.iter().filter(|found| found.kind == *b"meta").collect::<Vec<_>>()[..] else {
        return Err(damaged(0, "an image needs one box with its metadata"));
    };
    let meta = Meta::read(bytes, meta)?;
    let mut attributes = Attributes::default();
    if boxes.iter().any(|found| found.kind == *b"moov") {
        attributes.ignore("the frames of a moving picture")?;
    }
    let reader = Reader { meta: &meta, bytes_max };
    let image = reader.image(&mut attributes)?;
    if !rest.is_empty() {
        attributes.ignore(format!("{} after the end of the image", counted(rest.len(), "byte")))?;
    }
    let Attributes { found: attributes, ignored, .. } = attributes;
    Ok(Image { attributes, ignored, ..image })
}

/// Fails where the brands of a file say that it is something else.
fn check_kind(boxes: &[IsoBox<'_>]) -> Result<()> {
    let Some(IsoBox { kind, data, byte, .. }) = boxes.first() else {
        return Err(damaged(0, "the file has no boxes"));
    };
    let brands = data.as_chunks::<4>().0;
    match brands.first() {
        _ if kind != b"ftyp" => Err(damaged(*byte, "it does not begin with the brands of a file")),
        Some(b"avis") => {
            Err(refused(*byte, "an animated AVIF is not one image", "take its frames apart first"))
        }
        _ if brands.contains(b"avif") || brands.contains(b"mif1") => Ok(()),
        _ => Err(damaged(*byte, "its brands do not say that it is an image")),
    }
}

fn damaged(byte: u64, what: &str) -> Error {
    Error::malformed(AVIF, Place::at_byte(byte), what)
}

fn refused(byte: u64, what: &str, hint: &str) -> Error {
    Error::unsupported(Place::at_byte(byte), what, hint)
}

/// What `colr`, `av1C` and the like say of an item.
struct Described {
    shape: Shape,
    signal: Option<Signal>,
    icc: Option<Vec<u8>>,
    orientation: Orientation,
}

/// Somebody who reads the primary image of a file.
struct Reader<'m, 'a> {
    meta: &'m Meta<'a>,
    bytes_max: u64,
}

impl<'a> Reader<'_, 'a> {
    fn image(&self, attributes: &mut Attributes) -> Result<Image> {
        let primary = self.meta.item(self.meta.primary)?;
        let described = self.described(primary)?;
        let shape = described.shape;
        let alpha_number = self.alpha(primary)?;
        let alpha = match alpha_number {
            Some(number) => {
                let item = self.meta.item(number)?;
                Some((item, self.described(item)?.shape))
            }
            None => None,
        };
        if alpha.is_some_and(|(_, alpha)| (alpha.width, alpha.height) != (shape.width, shape.height)) {
            let what = "opacity of another size than the colours is not read";
            return Err(refused(0, what, "write it again at the same size"));
        }
        let wide = shape.bits > 8 || alpha.is_some_and(|(_, alpha)| alpha.bits > 8);
        let sample = if wide { SampleType::U16 } else { SampleType::U8 };
        let colours = if shape.is_grey() { Channels::Gray } else { Channels::Rgb };
        let channels = colours.with_alpha(alpha.is_some());
        let (width, height) = (shape.width as u32, shape.height as u32);
        let length = room(width, height, channels.count() * sample.width(), self.bytes_max)?;
        let mut samples = vec![0; length];
        let mut target = Target { samples: &mut samples, channels: channels.count(), wide };
        let signal = self.colours_into(primary, &described, &mut target)?;
        if let Some((item, shape)) = alpha {
            let frame = self.frame(item, shape)?;
            frame.planes.luma_into(frame.full_range(), &mut target, channels.count() - 1);
        }
        self.attributes(primary, described, signal, attributes)?;
        self.metadata(primary, alpha_number, attributes)?;
        Ok(Image {
            width,
            height,
            channels,
            sample,
            samples,
            attributes: Vec::new(),
            ignored: Vec::new(),
            declared: None,
        })
    }

    /// Decodes the colours; with what they mean.
    fn colours_into(
        &self,
        primary: &Item<'a>,
        described: &Described,
        target: &mut Target<'_>,
    ) -> Result<Signal> {
        let frame = self.frame(primary, described.shape)?;
        // What the container says goes before what the frame says (MIAF, section 7.3.6.4).
        let signal = described.signal.unwrap_or_else(|| frame.signal());
        if described.shape.is_grey() {
            frame.planes.luma_into(signal.full_range, target, 0);
            return Ok(signal);
        }
        let matrix = Matrix::of_code(signal.matrix);
        let matrix = matrix.filter(|m| *m != Matrix::Identity || described.shape.sampling == Sampling::Full);
        let Some(matrix) = matrix else {
            let what = format!("colours in the matrix {} of H.273 are not read", signal.matrix);
            return Err(refused(0, &what, "write it with the matrix of BT.601 or BT.709"));
        };
        frame.planes.rgb_into(matrix, &signal, target);
        Ok(signal)
    }

    /// The number of the item that holds the opacity of another.
    fn alpha(&self, of: &Item<'a>) -> Result<Option<u32>> {
        let mut found = None;
        for (number, item) in &self.meta.items {
            let is_alpha = self.meta.property(item, b"auxC").is_some_and(|property| {
                let name = property.full().and_then(|(_, _, mut fields)| fields.text());
                name.is_ok_and(|name| ALPHA.contains(&name))
            });
            if !is_alpha || !self.meta.targets(item, AUXILIARY).any(|to| to == self.meta.primary) {
                continue;
            }
            if self.meta.targets(of, PREMULTIPLIED).any(|to| to == *number) {
                let what = "colours that are premultiplied with their opacity are not read";
                return Err(refused(0, what, "write them without first"));
            }
            if found.replace(*number).is_some() {
                return Err(damaged(0, "it has two images of opacity"));
            }
        }
        Ok(found)
    }

    /// What the properties of an image say. Those that a reader has to know and we do not are refused.
    fn described(&self, item: &Item<'a>) -> Result<Described> {
        let (mut size, mut signal, mut icc) = (None, None, None);
        let mut orientation = Orientation::UPRIGHT;
        for (property, essential) in self.meta.of(item) {
            let mut fields = property.fields();
            match &property.kind {
                b"ispe" => {
                    fields.u32()?;
                    size = Some((fields.u32()?, fields.u32()?));
                }
                b"colr" => match fields.take(4)? {
                    b"nclx" => signal = signal.or(Some(nclx(&mut fields)?)),
                    b"prof" | b"rICC" => icc = icc.or_else(|| Some(fields.rest().to_vec())),
                    _ => {}
                },
                b"irot" => orientation = orientation.turned(fields.u8()? & 3),
                b"imir" => orientation = orientation.mirrored(fields.u8()? & 1 == 1),
                b"clap" => {
                    let what = "an image that shows only a part of its pixels (clap) is not read";
                    return Err(refused(property.byte, what, "crop it first"));
                }
                b"a1op" if fields.u8()? == 0 => {}
                b"lsel" if fields.u16()? == u16::MAX => {}
                b"a1op" | b"lsel" => {
                    let what = "one layer of an image of several is not read";
                    return Err(refused(property.byte, what, "write it without layers first"));
                }
                b"av1C" | b"pixi" | b"pasp" | b"auxC" => {}
                other if essential => {
                    let what = format!("the property {} of its image is not known", other.escape_ascii());
                    return Err(refused(property.byte, &what, "write it without first"));
                }
                _ => {}
            }
        }
        let (width, height) = size
            .filter(|(width, height)| *width > 0 && *height > 0)
            .ok_or_else(|| damaged(0, "an image has no size"))?;
        // One axis alone is bounded here, so that products fit; memory is bounded before it is taken.
        if width > 1 << 24 || height > 1 << 24 {
            return Err(damaged(0, "an image has more pixels in a row or column than AV1 has"));
        }
        let (bits, sampling) = self.layout(item)?;
        let shape = Shape { width: width as usize, height: height as usize, bits, sampling };
        Ok(Described { shape, signal, icc, orientation })
    }

    /// Bits and sampling, as the configuration of an image, or of the first tile of a grid, says.
    fn layout(&self, item: &Item<'a>) -> Result<(u8, Sampling)> {
        let item = match &item.kind {
            b"av01" => item,
            b"grid" => {
                let first = self.meta.targets(item, DERIVED).next();
                let tile = self.meta.item(first.ok_or_else(|| damaged(0, "a grid has no tiles"))?)?;
                if tile.kind != *b"av01" {
                    return Err(unknown_kind(&tile.kind));
                }
                tile
            }
            other => return Err(unknown_kind(other)),
        };
        let configuration = self.meta.property(item, b"av1C");
        let configuration = configuration.ok_or_else(|| damaged(0, "an image has no configuration"))?;
        let &[0x81, _, flags, ..] = configuration.data else {
            return Err(damaged(configuration.byte, "the configuration of AV1 has an unknown version"));
        };
        let bits = match flags & 0x60 {
            0 => 8,
            0x60 => 12,
            _ => 10,
        };
        let sampling = match flags & 0x1c {
            flags if flags & 0x10 != 0 => Sampling::Grey,
            0x0c => Sampling::Quarter,
            0x08 => Sampling::Half,
            _ => Sampling::Full,
        };
        Ok((bits, sampling))
    }

    /// The frame of an image; of a grid, all planes with the header of the first tile.
    fn frame(&self, item: &Item<'a>, shape: Shape) -> Result<Frame> {
        let data = self.meta.data(item)?;
        let frame =
            if item.kind == *b"grid" { self.grid(item, &data, shape) } else { av1::decode(&data, shape) };
        frame.map_err(|error| error.or_at(item.byte()))
    }

    /// The planes of a grid (ISO/IEC 23008-12, section 6.6.2.3.2): tiles of one size, row by row, of which
    /// those at the right and the bottom are cut.
    fn grid(&self, item: &Item<'a>, data: &[u8], shape: Shape) -> Result<Frame> {
        let mut fields = (IsoBox { format: AVIF, kind: item.kind, data, byte: 0 }).fields();
        let (_, flags) = (fields.u8()?, fields.u8()?);
        let (rows, columns) = (usize::from(fields.u8()?) + 1, usize::from(fields.u8()?) + 1);
        let width = if flags & 1 == 1 { 4 } else { 2 };
        let size = (fields.uint(width)? as usize, fields.uint(width)? as usize);
        let tiles: Vec<u32> = self.meta.targets(item, DERIVED).collect();
        if size != (shape.width, shape.height) || tiles.len() != rows * columns {
            return Err(damaged(0, "a grid has another size or number of tiles than it says"));
        }
        let tile = self.described(self.meta.item(tiles[0])?)?.shape;
        let covers = |tile: usize, count: usize, all: usize| tile * count >= all && tile * (count - 1) < all;
        if !covers(tile.width, columns, shape.width) || !covers(tile.height, rows, shape.height) {
            return Err(damaged(0, "the tiles of a grid do not cover it"));
        }
        let (mut all, mut first, mut bytes) = (Planes::zero(shape), None, 0);
        for (number, id) in tiles.into_iter().enumerate() {
            let item = self.meta.item(id)?;
            if item.kind != *b"av01" {
                return Err(unknown_kind(&item.kind));
            }
            let data = self.meta.data(item)?;
            bytes += data.len();
            if bytes > self.meta.file_bytes() {
                return Err(damaged(0, "the tiles of a grid lie over each other"));
            }
            let frame = av1::decode(&data, tile).map_err(|error| error.or_at(item.byte()))?;
            all.place(&frame.planes, number % columns, number / columns);
            first.get_or_insert(frame);
        }
        let first = first.ok_or_else(|| damaged(0, "a grid has no tiles"))?;
        Ok(Frame { planes: all, ..first })
    }

    /// What the properties of an image say besides its pixels.
    fn attributes(
        &self,
        primary: &Item<'a>,
        described: Described,
        signal: Signal,
        into: &mut Attributes,
    ) -> Result<()> {
        if let Some(icc) = described.icc {
            into.add(ICC, icc)?;
        }
        if !is_usual(signal.primaries, signal.transfer) {
            let bytes = [signal.primaries, signal.transfer].map(|code| u8::try_from(code).unwrap_or(2));
            into.add(CICP, vec![bytes[0], bytes[1], 0, 1])?;
        }
        for (property, _) in self.meta.of(primary) {
            if let Some((_, key)) = KEPT.iter().find(|(kind, _)| **kind == property.kind) {
                into.add(key, property.data.to_vec())?;
            } else if property.kind == *b"pasp" {
                let mut fields = property.fields();
                // Here the width and height of a pixel are told, there how many of them take the same length.
                let (width, height) = (fields.u32()?, fields.u32()?);
                if width != height && width > 0 && height > 0 {
                    into.add(DENSITY, Density::Ratio(height, width).value())?;
                }
            }
        }
        let orientation = described.orientation;
        orientation.keep(self.exif(into)?, into)
    }

    /// The first Exif block about the image.
    fn exif(&self, into: &mut Attributes) -> Result<Option<Vec<u8>>> {
        let mut exif = None;
        for item in self.meta.items.values().filter(|item| item.kind == *b"Exif" && self.is_about(item)) {
            let data = self.meta.data(item)?;
            match tiff_of(&data) {
                Some(tiff) if exif.is_none() => exif = Some(tiff.to_vec()),
                _ => into.ignore("a second or damaged exif")?,
            }
        }
        Ok(exif)
    }

    fn is_about(&self, item: &Item<'a>) -> bool {
        self.meta.targets(item, DESCRIBES).any(|to| to == self.meta.primary)
    }

    /// Takes the XMP packet, and names items that are neither the image nor about it.
    fn metadata(&self, primary: &Item<'a>, alpha: Option<u32>, into: &mut Attributes) -> Result<()> {
        let mut used: BTreeSet<u32> = alpha.into_iter().chain([self.meta.primary]).collect();
        used.extend(self.meta.targets(primary, DERIVED));
        if let Some(alpha) = alpha {
            used.extend(self.meta.targets(self.meta.item(alpha)?, DERIVED));
        }
        for (number, item) in &self.meta.items {
            let is_exif = item.kind == *b"Exif" && self.is_about(item);
            if self.is_about(item) && item.kind == *b"mime" && item.content_type == XMP_TYPE {
                into.add(XMP, self.meta.data(item)?.into_owned())?;
            } else if !is_exif && !used.contains(number) {
                into.ignore(format!("an item {}", item.kind.escape_ascii()))?;
            }
        }
        Ok(())
    }
}

/// The codes of a box `colr`.
fn nclx(fields: &mut Fields<'_>) -> Result<Signal> {
    let (primaries, transfer, matrix) = (fields.u16()?, fields.u16()?, fields.u16()?);
    Ok(Signal { primaries, transfer, matrix, full_range: fields.u8()? & 0x80 != 0 })
}

fn unknown_kind(kind: &[u8; 4]) -> Error {
    let what = match kind {
        b"hvc1" | b"hev1" => "an image in HEVC (a HEIC) is not read".to_owned(),
        other => format!("an image of the kind {} is not read", other.escape_ascii()),
    };
    refused(0, &what, "convert it to AVIF or PNG first")
}
