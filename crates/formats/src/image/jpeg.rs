//! Provides JPEG: segments by hand, the pixels by libjpeg as Mozilla keeps it, so that they are those
//! which most other programs see.
//!
//! Segments are checked; of damage within a scan libjpeg makes the best, as it does everywhere.

use mozjpeg::{ColorSpace, Compress, Decompress, PixelDensity, PixelDensityUnit};

use super::attributes::{Attributes, COMMENT, DENSITY, Density, EXIF, ICC, PHOTOSHOP, XMP};
use super::{Channels, Image, PixelLayout, Settings, room, settled};
use crate::error::{Error, Place, Result};
use crate::guard::guarded;
use crate::limits::SCANS_MAX;
use crate::words::counted;

const JPEG: &str = "jpeg";

/// What application segments begin with.
const EXIF_MARK: &[u8] = b"Exif\0\0";
const XMP_MARK: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const ICC_MARK: &[u8] = b"ICC_PROFILE\0";
const PHOTOSHOP_MARK: &[u8] = b"Photoshop 3.0\0";

/// Bytes in a segment at most, without the two of its length.
const SEGMENT_BYTES_MAX: usize = 65_533;

/// Bytes of a profile in one segment, which counts them from 1 to 255 in two more bytes.
const ICC_BYTES_MAX: usize = SEGMENT_BYTES_MAX - ICC_MARK.len() - 2;

/// Bytes of Adobe's segment, the last of which tells the transform of colours.
const ADOBE_BYTES: usize = 12;

/// Bytes of image resources in one segment.
const PHOTOSHOP_BYTES_MAX: usize = SEGMENT_BYTES_MAX - PHOTOSHOP_MARK.len();

pub(super) fn decode(bytes: &[u8], bytes_max: u64) -> Result<Image> {
    let Segments { attributes, width, height, channels, scan } = segments(bytes)?;
    let mut samples = vec![0; room(width, height, channels.count(), bytes_max)?];
    let read = || pixels(bytes, (width as usize, height as usize), channels, &mut samples);
    // Where libjpeg gives up, by an error or a panic, it does not say at which byte.
    guarded(JPEG, read).map_err(|error| error.or_at(scan))?;
    if channels == Channels::Cmyk {
        // By the custom of Adobe, 0 is all of an ink.
        samples.iter_mut().for_each(|sample| *sample = !*sample);
    }
    Ok(settled((width, height), channels, samples, attributes))
}

/// Has libjpeg read the samples of an image of this size; its errors name no place.
fn pixels(bytes: &[u8], size: (usize, usize), channels: Channels, samples: &mut [u8]) -> Result<()> {
    let malformed = |what: String| Error::malformed(JPEG, Place::default(), what);
    let failed = |error: std::io::Error| malformed(format!("the pixels: {error}"));
    let decompress = Decompress::new_mem(bytes).map_err(failed)?;
    if decompress.size() != size {
        return Err(malformed("its header and its pixels disagree on its size".into()));
    }
    let space = match channels {
        Channels::Gray => ColorSpace::JCS_GRAYSCALE,
        Channels::Cmyk => ColorSpace::JCS_CMYK,
        _ => ColorSpace::JCS_RGB,
    };
    let mut started = decompress.to_colorspace(space).map_err(failed)?;
    started.read_scanlines_into(samples).map_err(failed)?;
    started.finish().map_err(failed)
}

pub(super) fn encode(image: &Image, settings: &Settings) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Error::Bug(format!("libjpeg did not encode: {error}"));
    let grey = image.channels == Channels::Gray;
    let mut compress = Compress::new(if grey { ColorSpace::JCS_GRAYSCALE } else { ColorSpace::JCS_RGB });
    compress.set_size(image.width as usize, image.height as usize);
    // Without this, tables, scans and coefficients are all searched for the smallest.
    if !is_searched(settings) {
        compress.set_fastest_defaults();
        compress.set_optimize_coding(settings.effort() > 0);
        if settings.layout == PixelLayout::Progressive {
            compress.set_progressive_mode();
        }
    }
    compress.set_quality(settings.quality().round());
    if !grey {
        let step = if settings.subsampled { 2 } else { 1 };
        compress.set_chroma_sampling_pixel_sizes((step, step), (step, step));
    }
    if let Some(density) = image.attribute(DENSITY).and_then(density_of) {
        compress.set_pixel_density(density);
    }
    let mut started = compress.start_compress(Vec::new()).map_err(failed)?;
    started.write_scanlines(&image.samples).map_err(failed)?;
    let mut out = started.finish().map_err(failed)?;
    // The mark of the start and the JFIF segment come first.
    let jfif_end = 4 + usize::from(u16::from_be_bytes([out[4], out[5]]));
    out.splice(jfif_end..jfif_end, metadata(image));
    Ok(out)
}

/// Whether the smallest of several ways to divide the coefficients over scans is taken.
pub(super) fn is_searched(settings: &Settings) -> bool {
    settings.effort() >= 2
}

/// Whether its segments can hold this attribute.
pub(super) fn holds(key: &str, value: &[u8]) -> bool {
    match key {
        ICC => (1..=255 * ICC_BYTES_MAX).contains(&value.len()),
        EXIF => value.len() <= SEGMENT_BYTES_MAX - EXIF_MARK.len(),
        XMP => value.len() <= SEGMENT_BYTES_MAX - XMP_MARK.len(),
        PHOTOSHOP => !value.is_empty(),
        COMMENT => value.len() <= SEGMENT_BYTES_MAX && value.last() != Some(&0),
        DENSITY => density_of(value).is_some(),
        _ => false,
    }
}

/// What a JFIF segment says of a density, where it can.
fn density_of(value: &[u8]) -> Option<PixelDensity> {
    let density = Density::of_value(value)?;
    let ((x, y), unit) = match density {
        Density::Ratio(x, y) => ((x, y), PixelDensityUnit::PixelAspectRatio),
        Density::Metre(..) => match density.inches().filter(|(x, y)| x.max(y) <= &u32::from(u16::MAX)) {
            Some(inches) => (inches, PixelDensityUnit::Inches),
            None => (density.centimetres()?, PixelDensityUnit::Centimeters),
        },
    };
    let (x, y) = (u16::try_from(x).ok()?, u16::try_from(y).ok()?);
    // Zeros, and one to one, are what is said where nothing is known.
    let known = x > 0 && y > 0 && (x != y || !matches!(density, Density::Ratio(..)));
    known.then_some(PixelDensity { unit, x, y })
}

/// The segments of all attributes but the density.
fn metadata(image: &Image) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |marker: u8, mark: &[u8], data: &[u8]| {
        out.extend([0xff, marker]);
        out.extend(((2 + mark.len() + data.len()) as u16).to_be_bytes());
        out.extend(mark);
        out.extend(data);
    };
    image.attribute(EXIF).into_iter().for_each(|exif| put(0xe1, EXIF_MARK, exif));
    image.attribute(XMP).into_iter().for_each(|xmp| put(0xe1, XMP_MARK, xmp));
    if let Some(icc) = image.attribute(ICC) {
        let pieces = icc.chunks(ICC_BYTES_MAX);
        let count = pieces.len() as u8;
        for (number, piece) in (1u8..=count).zip(pieces) {
            put(0xe2, &[ICC_MARK, &[number, count]].concat(), piece);
        }
    }
    let resources = image.attribute(PHOTOSHOP).unwrap_or_default();
    resources.chunks(PHOTOSHOP_BYTES_MAX).for_each(|piece| put(0xed, PHOTOSHOP_MARK, piece));
    let comments = image.attributes.iter().filter(|(key, _)| key == COMMENT);
    comments.for_each(|(_, text)| put(0xfe, &[], text));
    out
}

/// What the segments of a file say.
struct Segments {
    attributes: Attributes,
    width: u32,
    height: u32,
    channels: Channels,
    /// Where the first scan begins.
    scan: u64,
}

/// Walks over all segments and scans, from the start to the mark of the end.
fn segments(bytes: &[u8]) -> Result<Segments> {
    let damaged = |at: usize, what: &str| Error::malformed(JPEG, Place::at_byte(at as u64), what);
    let mut walk = Walk::default();
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return Err(damaged(0, "it does not begin with the mark of a JPEG"));
    }
    let mut at = 2;
    let end = loop {
        let cut = || damaged(at, "the file ends before the image does");
        let (Some(0xff), Some(marker)) = (bytes.get(at), bytes.get(at + 1)) else {
            return Err(if bytes.len() < at + 2 {
                cut()
            } else {
                damaged(at, "there is no marker where one belongs")
            });
        };
        let data = at + 4;
        match marker {
            // Bytes of 0xff may stand before a marker.
            0xff => at += 1,
            0x01 | 0xd0..=0xd7 => at += 2,
            0xd9 => break at + 2,
            _ => {
                let length = bytes.get(at + 2..data).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
                let length = usize::from(u16::from_be_bytes(*length));
                let next = at + 2 + length;
                let segment = bytes.get(data..next).filter(|_| length >= 2).ok_or_else(cut)?;
                walk.segment(*marker, segment, at as u64)?;
                at = if *marker == 0xda { scan_end(bytes, next).ok_or_else(cut)? } else { next };
            }
        }
    };
    walk.finish(end, bytes.len() - end)
}

/// Where the marker behind a scan begins: in a scan, 0xff is followed by 0 or belongs to a restart.
fn scan_end(bytes: &[u8], begin: usize) -> Option<usize> {
    let marks = memchr::memchr_iter(0xff, bytes.get(begin..)?).map(|at| begin + at);
    marks.into_iter().find(|at| !matches!(bytes.get(at + 1), Some(0x00 | 0xd0..=0xd7 | 0xff)))
}

/// What is known while the segments are walked over.
#[derive(Default)]
struct Walk {
    attributes: Attributes,
    frame: Option<(u32, u32, Channels)>,
    scans: u64,
    /// Where the first of them begins.
    scan: Option<u64>,
    /// Whether there is the segment that says how components are to be understood.
    has_adobe: bool,
    /// Pieces of the profile, by number, and how many there are to be.
    icc: Vec<(u8, Vec<u8>)>,
    icc_count: u8,
    photoshop: Vec<u8>,
}

impl Walk {
    /// Takes a segment whose marker is at `byte`.
    fn segment(&mut self, marker: u8, data: &[u8], byte: u64) -> Result<()> {
        let attributes = &mut self.attributes;
        match marker {
            0xc0..=0xc2 => self.frame(data, byte),
            // Tables, restart interval.
            0xc4 | 0xdb | 0xdd => Ok(()),
            0xda if self.scans == SCANS_MAX => Err(Error::Limit {
                place: Box::new(Place::at_byte(byte)),
                what: "the number of a JPEG's scans",
                max: SCANS_MAX,
                hint: "write it again with fewer".to_owned(),
            }),
            0xda => {
                self.scans += 1;
                self.scan.get_or_insert(byte);
                Ok(())
            }
            0xc3 | 0xc5..=0xcf | 0xdc | 0xde | 0xdf => {
                let kind = "a lossless, hierarchical or arithmetic JPEG";
                Err(unsupported(byte, kind))
            }
            0xe0 if data.starts_with(b"JFIF\0") => self.jfif(data),
            0xe1 if data.starts_with(EXIF_MARK) => attributes.add(EXIF, data[EXIF_MARK.len()..].to_vec()),
            0xe1 if data.starts_with(XMP_MARK) => attributes.add(XMP, data[XMP_MARK.len()..].to_vec()),
            0xe2 if data.starts_with(ICC_MARK) && data.len() > ICC_MARK.len() + 2 => {
                let piece = &data[ICC_MARK.len()..];
                self.icc_count = piece[1];
                self.icc.push((piece[0], piece[2..].to_vec()));
                Ok(())
            }
            0xed if data.starts_with(PHOTOSHOP_MARK) => {
                self.photoshop.extend(&data[PHOTOSHOP_MARK.len()..]);
                Ok(())
            }
            // The decoder looks into it for how components are to be understood.
            0xee if data.starts_with(b"Adobe") => {
                self.has_adobe |= data.len() >= ADOBE_BYTES;
                Ok(())
            }
            0xe0..=0xef => {
                let name: Vec<u8> = data.iter().copied().take(40).take_while(|byte| *byte != 0).collect();
                attributes.ignore(format!("the segment APP{} \"{}\"", marker - 0xe0, name.escape_ascii()))
            }
            0xfe => attributes.add_text(COMMENT, data),
            other => attributes.ignore(format!("the segment {other:#04x}")),
        }
    }

    fn jfif(&mut self, data: &[u8]) -> Result<()> {
        let &[unit, x0, x1, y0, y1, ..] = data.get(7..).unwrap_or_default() else { return Ok(()) };
        let (x, y) = (u16::from_be_bytes([x0, x1]), u16::from_be_bytes([y0, y1]));
        let (x, y) = (u32::from(x), u32::from(y));
        let density = match unit {
            _ if x == 0 || y == 0 => return Ok(()),
            0 if x == y => return Ok(()),
            0 => Density::Ratio(x, y),
            1 => Density::of_inches(x, y),
            2 => Density::Metre(100 * x, 100 * y),
            _ => return Ok(()),
        };
        self.attributes.add(DENSITY, density.value())
    }

    fn frame(&mut self, data: &[u8], byte: u64) -> Result<()> {
        let &[precision, h0, h1, w0, w1, components, ..] = data else {
            return Err(Error::malformed(JPEG, Place::at_byte(byte), "the header of the frame is too short"));
        };
        let (width, height) = (u16::from_be_bytes([w0, w1]), u16::from_be_bytes([h0, h1]));
        let channels = match components {
            _ if precision != 8 => return Err(unsupported(byte, &format!("a JPEG of {precision} bits"))),
            1 => Channels::Gray,
            3 => Channels::Rgb,
            4 => Channels::Cmyk,
            _ => return Err(unsupported(byte, &format!("a JPEG of {components} components"))),
        };
        if width == 0 || height == 0 || self.frame.is_some() {
            let what = "an image needs one frame of at least one pixel";
            return Err(Error::malformed(JPEG, Place::at_byte(byte), what));
        }
        self.frame = Some((width.into(), height.into(), channels));
        Ok(())
    }

    /// Puts the pieces together; `rest` bytes follow the end of the image.
    fn finish(mut self, end: usize, rest: usize) -> Result<Segments> {
        let malformed = |what: &str| Error::malformed(JPEG, Place::at_byte(end as u64), what);
        let (width, height, channels) = self.frame.ok_or_else(|| malformed("it has no frame"))?;
        if channels == Channels::Cmyk && !self.has_adobe {
            let what = "a JPEG of four components that does not say by Adobe's segment whether they are inks";
            return Err(unsupported(0, what));
        }
        if !self.icc.is_empty() {
            self.icc.sort_by_key(|(number, _)| *number);
            let numbers = self.icc.iter().map(|(number, _)| *number);
            if !numbers.eq(1..=self.icc_count) {
                return Err(malformed("pieces of its colour profile are missing"));
            }
            let pieces: Vec<_> = self.icc.into_iter().map(|(_, piece)| piece).collect();
            self.attributes.add(ICC, pieces.concat())?;
        }
        if !self.photoshop.is_empty() {
            self.attributes.add(PHOTOSHOP, self.photoshop)?;
        }
        if rest > 0 {
            self.attributes.ignore(format!("{} after the end of the image", counted(rest, "byte")))?;
        }
        let scan = self.scan.unwrap_or(0);
        Ok(Segments { attributes: self.attributes, width, height, channels, scan })
    }
}

fn unsupported(byte: u64, what: &str) -> Error {
    Error::unsupported(
        Place::at_byte(byte),
        format!("{what} is not read"),
        "convert it to RGB of 8 bits first",
    )
}
