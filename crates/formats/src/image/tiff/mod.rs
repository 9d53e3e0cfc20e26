//! Provides TIFF: the directory by hand, the pixels of other writers by the crate `tiff`.
//!
//! Strips and tiles, side by side or in planes, in every packing that the crate knows. Written are strips or
//! tiles of RGB or grey in one file that all readers know: little-endian, deflate, with differences between
//! pixels.

pub(crate) mod attributes;
pub(crate) mod directory;
mod write;

use std::io::Cursor;

use ::tiff::decoder::{Decoder, Limits};
use ::tiff::{TiffError, TiffUnsupportedError, UsageError};
use coherence::sample::SampleType;

use super::attributes::EXIF;
use super::exif::Tree;
use super::{Channels, Declared, Image, declared, room, several};
use crate::error::{Error, Place, Result};
pub(super) use attributes::{holds, is_unit_range};
use directory::{Directory, TIFF, malformed};
pub(super) use write::encode;

/// Tags that say how pixels are laid out (TIFF 6.0, and its supplements).
mod tag {
    pub const SUBFILE: u16 = 254;
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_BYTES: u16 = 279;
    pub const X_RESOLUTION: u16 = 282;
    pub const Y_RESOLUTION: u16 = 283;
    pub const PLANAR: u16 = 284;
    pub const RESOLUTION_UNIT: u16 = 296;
    pub const PREDICTOR: u16 = 317;
    pub const COLOUR_MAP: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTES: u16 = 325;
    pub const INK_SET: u16 = 332;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const SAMPLE_FORMAT: u16 = 339;
}

/// How colours are to be understood.
const WHITE_IS_ZERO: u64 = 0;
const BLACK_IS_ZERO: u64 = 1;
const RGB: u64 = 2;
const PALETTE: u64 = 3;
const SEPARATED: u64 = 5;

/// Packings that differences between pixels go with: LZW, Deflate by both numbers, and zstd.
const DIFFERENT: [u64; 4] = [5, 8, 32946, 50000];

/// The format of samples in floating point.
const FLOAT: u64 = 3;

/// What is said of a file whose directory does not tell of the pixels that it has.
const OTHER_NUMBER: &str = "it has another number of samples than its header says";

/// The set of inks that is meant where nothing is said: cyan, magenta, yellow and black.
const CMYK: u64 = 1;

pub(super) fn decode(bytes: &[u8], bytes_max: u64) -> Result<Image> {
    let mut directory = Directory::read(bytes)?;
    if directory.next != 0 {
        let (pages, hint) = (directory.pages(bytes), "take its pages apart first, as `tiffsplit FILE` does");
        return Err(several(Place::at_byte(directory.next as u64), "a TIFF", pages, "pages", hint));
    }
    check_alike(&directory)?;
    let layout = Layout::of(&directory)?;
    let exif = exif(bytes, &mut directory);
    let mut attributes = attributes::read(&directory)?;
    match exif {
        Some(None) => {}
        Some(Some(block)) => attributes.add(EXIF, block)?,
        None => attributes.ignore("a damaged exif")?,
    }
    let Layout { width, height, channels, sample, .. } = layout;
    room(width, height, channels.count() * sample.width(), bytes_max)?;
    let mut declared = layout.declared();
    let samples = match &layout.colours {
        Some(colours) => {
            // The crate knows no palettes, so it gets a file in which the indices are shades of grey.
            let mut grey = bytes.to_vec();
            layout.call_grey(&directory, &mut grey)?;
            let raw = pixels(&grey, &directory, bytes_max)?;
            let samples = layout.widened(&raw)?;
            if let Some(Declared::Palette(palette)) = &mut declared {
                let room = || room(width, height, channels.count() * sample.width() + 1, bytes_max);
                palette.numbers = declared::numbers(colours, layout.indices(&raw), room)?;
            }
            samples
        }
        None => layout.unpacked(pixels(bytes, &directory, bytes_max)?)?,
    };
    let (attributes, ignored) = (attributes.found, attributes.ignored);
    Ok(Image { width, height, channels, sample, samples, attributes, ignored, declared })
}

/// Fails where readers give different samples, or such that cannot be had back.
fn check_alike(directory: &Directory) -> Result<()> {
    let mut tags: Vec<u16> = directory.entries.iter().map(|entry| entry.tag).collect();
    tags.sort_unstable();
    if let Some(pair) = tags.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(malformed(directory.byte, &format!("its directory has the tag {} twice", pair[0])));
    }
    let number = |tag| directory.number(tag).unwrap_or(1);
    if number(tag::PHOTOMETRIC) == WHITE_IS_ZERO && number(tag::SAMPLE_FORMAT) == FLOAT {
        let what = "floating point in which zero is white is not read";
        return Err(unsupported(directory, tag::PHOTOMETRIC, what, "write it again with zero as black"));
    }
    // Elsewhere libtiff passes over differences, and others do not.
    let packing = number(tag::COMPRESSION);
    if number(tag::PREDICTOR) != 1 && !DIFFERENT.contains(&packing) {
        let what = format!("differences between pixels beside packing {packing} are not read");
        return Err(unsupported(directory, tag::PREDICTOR, &what, "write it again with predictor 1"));
    }
    Ok(())
}

/// The Exif block of the directories that a directory points to, which it then does no more. `None` where
/// they are damaged, `Some(None)` where there are none.
fn exif(bytes: &[u8], directory: &mut Directory) -> Option<Option<Vec<u8>>> {
    let children = Tree::children(bytes, directory)?;
    if children.is_empty() {
        return Some(None);
    }
    Tree { entries: Vec::new(), children }.block().map(Some)
}

/// What is to be known of pixels before they are read.
struct Layout {
    /// Where the directory begins that says so.
    byte: usize,
    width: u32,
    height: u32,
    channels: Channels,
    sample: SampleType,
    /// Bits of a sample in the file.
    bits: u64,
    /// Whether each channel is a plane of its own in the file.
    planar: bool,
    /// The colours of indices.
    colours: Option<Vec<[u16; 3]>>,
}

impl Layout {
    fn of(directory: &Directory) -> Result<Self> {
        let number = |tag, default| directory.number(tag).unwrap_or(default);
        let side =
            |tag| directory.number(tag).and_then(|side| u32::try_from(side).ok()).filter(|side| *side > 0);
        // What is not read is told with the place of the entry that says so.
        let at = |tag: u16, what: &str, hint: &str| unsupported(directory, tag, what, hint);
        let (Some(width), Some(height)) = (side(tag::WIDTH), side(tag::HEIGHT)) else {
            return Err(malformed(directory.byte, "an image needs a width and a height"));
        };
        if number(tag::FILL_ORDER, 1) != 1 {
            return Err(at(
                tag::FILL_ORDER,
                "bits in reversed order are not read",
                "write it again with fill order 1",
            ));
        }
        let bits = directory.entry(tag::BITS).map_or_else(|| vec![1], |entry| entry.numbers());
        let bits = match bits[..] {
            [first, ref rest @ ..] if rest.iter().all(|other| *other == first) => first,
            _ => {
                return Err(at(
                    tag::BITS,
                    "channels of different widths are not read",
                    "make them equal first",
                ));
            }
        };
        let (photometric, samples) = (number(tag::PHOTOMETRIC, u64::MAX), number(tag::SAMPLES, 1));
        let extra = directory.entry(tag::EXTRA_SAMPLES).map(|entry| entry.numbers()).unwrap_or_default();
        let alpha = match extra[..] {
            [] => false,
            [2] => true,
            [1] => {
                return Err(at(
                    tag::EXTRA_SAMPLES,
                    "premultiplied opacity is not read",
                    "write it as unassociated alpha",
                ));
            }
            _ => {
                return Err(at(
                    tag::EXTRA_SAMPLES,
                    "channels beside colour and opacity are not read",
                    "drop them first",
                ));
            }
        };
        if photometric == SEPARATED && number(tag::INK_SET, CMYK) != CMYK {
            return Err(at(tag::INK_SET, "inks other than CMYK are not read", "convert it to RGB first"));
        }
        let channels =
            channels_of(directory, photometric, (samples - u64::from(alpha && samples > 0), alpha, bits))?;
        let colours = if photometric == PALETTE { Some(colours(directory, bits)?) } else { None };
        let sample = sample_of(directory, bits, colours.as_deref())?;
        if bits < 8 && channels.count() > 1 && colours.is_none() {
            return Err(at(
                tag::BITS,
                "colours of fewer than 8 bits are not read",
                "convert them to 8 bits first",
            ));
        }
        let planar = number(tag::PLANAR, 1) == 2;
        Ok(Self { byte: directory.byte, width, height, channels, sample, bits, planar, colours })
    }

    /// What is less than the samples that it is read as: a palette, or shades of few bits.
    fn declared(&self) -> Option<Declared> {
        let bits = u8::try_from(self.bits).ok()?;
        let Some(colours) = &self.colours else {
            return (bits < 8 && self.channels == Channels::Gray).then_some(Declared::Gray(bits, None));
        };
        let narrow = |colour: &[u16; 3]| {
            let [r, g, b] = colour.map(|value| (value >> 8) as u8);
            [r, g, b, u8::MAX]
        };
        // Colours of 16 bits are no palette that is written.
        let colours = if self.sample == SampleType::U8 { colours.as_slice() } else { &[] };
        Declared::palette(bits, colours.iter().map(narrow)).map(Declared::Palette)
    }

    /// Changes the interpretation of a file from a palette to grey.
    fn call_grey(&self, directory: &Directory, bytes: &mut [u8]) -> Result<()> {
        let entry = directory.entry(tag::PHOTOMETRIC).filter(|entry| entry.kind == 3);
        let entry =
            entry.ok_or_else(|| malformed(directory.byte, "its interpretation is no 16-bit number"))?;
        // The value lies behind tag, type and count, which is wider in BigTIFF.
        let at = entry.byte + if bytes[2..4].contains(&43) { 12 } else { 8 };
        let value = BLACK_IS_ZERO as u16;
        let value = if directory.big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        bytes[at..at + 2].copy_from_slice(&value);
        Ok(())
    }

    /// Samples as they are in an image, from what the crate gives: rows of whole bytes, planes one by one.
    fn unpacked(&self, raw: Vec<u8>) -> Result<Vec<u8>> {
        if self.bits < 8 {
            return self.widened(&raw);
        }
        let (width, height) = (self.width as usize, self.height as usize);
        let count = self.channels.count();
        if raw.len() != width * height * count * self.sample.width() {
            return Err(malformed(self.byte, OTHER_NUMBER));
        }
        if !self.planar || count == 1 {
            return Ok(raw);
        }
        let sample_bytes = self.sample.width();
        let mut out = vec![0; raw.len()];
        for (channel, plane) in raw.chunks_exact(width * height * sample_bytes).enumerate() {
            let places = out.chunks_exact_mut(sample_bytes).skip(channel).step_by(count);
            places.zip(plane.chunks_exact(sample_bytes)).for_each(|(to, from)| to.copy_from_slice(from));
        }
        Ok(out)
    }

    /// Bytes of a row of indices, or of shades of few bits.
    fn row_bytes(&self) -> usize {
        (self.width as usize * self.bits as usize).div_ceil(8)
    }

    /// Indices of 1 to 8 bits, or shades of so many, from what the crate gives.
    fn indices<'a>(&self, raw: &'a [u8]) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let (bits, width) = (self.bits as u8, self.width as usize);
        raw.chunks_exact(self.row_bytes()).flat_map(move |row| declared::in_row(row, bits, width))
    }

    /// Grey of 8 bits, or colours, from indices of 1 to 8 bits.
    fn widened(&self, raw: &[u8]) -> Result<Vec<u8>> {
        if raw.len() != self.row_bytes() * self.height as usize {
            return Err(malformed(self.byte, OTHER_NUMBER));
        }
        let top = (1usize << self.bits) - 1;
        // Of so many bytes there is room for a whole image.
        let pixel_bytes = self.channels.count() * self.sample.width();
        let mut out = Vec::with_capacity(self.width as usize * self.height as usize * pixel_bytes);
        for index in self.indices(raw).map(usize::from) {
            match &self.colours {
                None => out.push((index * 255 / top) as u8),
                // A palette has a colour for every index.
                Some(colours) if self.sample == SampleType::U8 => {
                    out.extend(colours[index].map(|value| (value >> 8) as u8));
                }
                Some(colours) => out.extend(colours[index].iter().flat_map(|value| value.to_le_bytes())),
            }
        }
        Ok(out)
    }
}

/// What channels mean, of which `found` are not opacity.
fn channels_of(
    directory: &Directory,
    photometric: u64,
    (found, alpha, bits): (u64, bool, u64),
) -> Result<Channels> {
    match (photometric, found) {
        (WHITE_IS_ZERO | BLACK_IS_ZERO, 1) => Ok(Channels::Gray.with_alpha(alpha)),
        (RGB, 3) => Ok(Channels::Rgb.with_alpha(alpha)),
        (PALETTE, 1) if !alpha && bits <= 8 => Ok(Channels::Rgb),
        (SEPARATED, 4) if !alpha => Ok(Channels::Cmyk),
        (WHITE_IS_ZERO | BLACK_IS_ZERO | RGB | PALETTE | SEPARATED, found) => {
            let what = format!("{found} channels of colour in interpretation {photometric} are not read");
            Err(unsupported(directory, tag::PHOTOMETRIC, &what, "convert it to grey or RGB first"))
        }
        _ => {
            let what = format!("colours in interpretation {photometric}, such as Lab, are not read");
            Err(unsupported(directory, tag::PHOTOMETRIC, &what, "convert it to RGB first"))
        }
    }
}

/// The type of samples, or of the colours that they name.
fn sample_of(directory: &Directory, bits: u64, colours: Option<&[[u16; 3]]>) -> Result<SampleType> {
    let format = directory.number(tag::SAMPLE_FORMAT).unwrap_or(1);
    match (colours, format, bits) {
        (Some(colours), ..) if is_8_bit(colours) => Ok(SampleType::U8),
        (Some(_), ..) => Ok(SampleType::U16),
        (None, 1, 1 | 2 | 4 | 8) => Ok(SampleType::U8),
        (None, 1, 16) => Ok(SampleType::U16),
        (None, 1, 32) => Ok(SampleType::U32),
        (None, 2, 8) => Ok(SampleType::I8),
        (None, 2, 16) => Ok(SampleType::I16),
        (None, 2, 32) => Ok(SampleType::I32),
        (None, 3, 16) => Ok(SampleType::F16),
        (None, 3, 32) => Ok(SampleType::F32),
        (None, 3, 64) => Ok(SampleType::F64),
        _ => {
            let what = format!("samples of {bits} bits in format {format} are not read");
            let about = if format == 1 { tag::BITS } else { tag::SAMPLE_FORMAT };
            Err(unsupported(directory, about, &what, "convert them to 8, 16 or 32 bits first"))
        }
    }
}

/// The colours of a palette, each of 16 bits.
fn colours(directory: &Directory, bits: u64) -> Result<Vec<[u16; 3]>> {
    let entry = directory.entry(tag::COLOUR_MAP);
    let map = entry.map(|entry| entry.numbers()).unwrap_or_default();
    let count = 1usize << bits.min(8);
    if map.len() != 3 * count {
        let byte = entry.map_or(directory.byte, |entry| entry.byte);
        return Err(malformed(byte, "its palette has another number of colours than its samples can name"));
    }
    Ok((0..count).map(|at| [0, 1, 2].map(|channel| map[channel * count + at] as u16)).collect())
}

/// Whether colours of 16 bits are those of 8 bits: multiplied by 257, or, by older writers, by 256.
fn is_8_bit(colours: &[[u16; 3]]) -> bool {
    let all = |test: fn(u16) -> bool| colours.iter().flatten().all(|value| test(*value));
    all(|value| value & 0xff == 0) || all(|value| value >> 8 == value & 0xff)
}

/// The samples of a file, little-endian, as the crate `tiff` gives them.
fn pixels(bytes: &[u8], directory: &Directory, bytes_max: u64) -> Result<Vec<u8>> {
    let failed = |error| failed(error, directory, bytes_max).or_at(directory.byte as u64);
    let most = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let mut decoder = decoder(bytes, bytes_max).map_err(failed)?;
    let size = decoder.image_buffer_layout().map_err(failed)?.complete_len;
    if size > most {
        return Err(malformed(directory.byte, OTHER_NUMBER));
    }
    let mut samples = vec![0; size];
    match decoder.read_image_bytes(&mut samples) {
        Ok(_) => Ok(samples),
        Err(error) if is_damage(&error) => {
            Err(broken_piece(bytes, directory, bytes_max).unwrap_or_else(|| failed(error)))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Whether an error is about the bytes, and not about what the crate can do.
fn is_damage(error: &TiffError) -> bool {
    matches!(error, TiffError::FormatError(_) | TiffError::IoError(_))
}

fn decoder(bytes: &[u8], bytes_max: u64) -> std::result::Result<Decoder<Cursor<&[u8]>>, TiffError> {
    let most = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let mut limits = Limits::default();
    limits.decoding_buffer_size = most;
    limits.intermediate_buffer_size = most;
    limits.ifd_value_size = bytes.len();
    Ok(Decoder::new(Cursor::new(bytes))?.with_limits(limits))
}

/// The damage of the first strip or tile that does not unpack, since the crate does not tell which one it is;
/// `None` where each of them does by itself.
fn broken_piece(bytes: &[u8], directory: &Directory, bytes_max: u64) -> Option<Error> {
    let mut decoder = decoder(bytes, bytes_max).ok()?;
    let (kind, entry) = match directory.entry(tag::STRIP_OFFSETS) {
        Some(entry) => ("strip", entry),
        None => ("tile", directory.entry(tag::TILE_OFFSETS)?),
    };
    let offsets = entry.numbers();
    for (index, byte) in offsets.iter().enumerate() {
        let error = decoder.read_chunk(u32::try_from(index).ok()?).err();
        if let Some(error) = error.filter(is_damage) {
            let what = format!("{kind} {} of {}: {error}", index + 1, offsets.len());
            return Some(Error::malformed(TIFF, Place::at_byte(*byte), what));
        }
    }
    None
}

fn failed(error: TiffError, directory: &Directory, bytes_max: u64) -> Error {
    let what = error.to_string();
    match error {
        TiffError::UnsupportedError(TiffUnsupportedError::UnsupportedCompressionMethod(method)) => {
            let what = format!("strips and tiles that are packed with {method:?} are not read");
            unsupported(
                directory,
                tag::COMPRESSION,
                &what,
                "write it again with LZW, Deflate or no compression",
            )
        }
        TiffError::UnsupportedError(error) => {
            unsupported(directory, tag::BITS, &error.to_string(), "write it again without this")
        }
        TiffError::UsageError(UsageError::InvalidCodingUnit(..)) => {
            unsupported(directory, tag::SUBFILE, &what, "write it again without this")
        }
        TiffError::LimitsExceeded => Error::Limit {
            place: Box::default(),
            what: "the memory of a strip or tile in bytes",
            max: bytes_max,
            hint: "write it again with smaller ones".to_owned(),
        },
        _ => Error::malformed(TIFF, Place::default(), what),
    }
}

/// What is not read, at the entry of the directory that says so, or at the directory where it has none.
fn unsupported(directory: &Directory, tag: u16, what: &str, hint: &str) -> Error {
    let byte = directory.entry(tag).map_or(directory.byte, |entry| entry.byte);
    Error::unsupported(Place::at_byte(byte as u64), what, hint)
}
