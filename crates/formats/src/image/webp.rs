//! Provides WebP: the RIFF container by hand, the pixels by libwebp.

use ::webp::{BitstreamFeatures, Decoder, Encoder, PixelLayout, WebPConfig};

use super::attributes::{Attributes, EXIF, ICC, XMP};
use super::{Channels, Image, Settings, room, settled, several};
use crate::error::{Error, Place, Result};
use crate::words::counted;

const WEBP: &str = "webp";

/// Flags of the chunk `VP8X` (RFC 9649, section 2.7.1).
const HAS_ICC: u8 = 0x20;
const HAS_ALPHA: u8 = 0x10;
const HAS_EXIF: u8 = 0x08;
const HAS_XMP: u8 = 0x04;
const HAS_ANIMATION: u8 = 0x02;

/// Effort of the lossless encoder within its method, as `cwebp -lossless` has it.
const LOSSLESS_QUALITY: f32 = 75.0;

/// The mark that Exif data have within JPEG, and, by some writers, within a WebP.
const EXIF_MARK: &[u8] = b"Exif\0\0";

/// Whether a chunk can hold this attribute. Exif data that begin with the mark would be read without it.
pub(super) fn holds(key: &str, value: &[u8]) -> bool {
    match key {
        ICC | XMP => !value.is_empty(),
        EXIF => !value.is_empty() && !value.starts_with(EXIF_MARK),
        _ => false,
    }
}

pub(super) fn decode(bytes: &[u8], bytes_max: u64) -> Result<Image> {
    let Container { attributes, has_alpha, image: (name, byte) } = container(bytes)?;
    let damaged = |what: &str| {
        let what = format!("{what} in the chunk \"{}\"", name.escape_ascii());
        Error::malformed(WEBP, Place::at_byte(byte), what)
    };
    let features = BitstreamFeatures::new(bytes).ok_or_else(|| damaged("the image's header is damaged"))?;
    let (width, height) = (features.width(), features.height());
    room(width, height, 4, bytes_max)?;
    let decoded = Decoder::new(bytes).decode();
    let decoded = decoded.ok_or_else(|| damaged("the pixels are damaged or end too early"))?;
    // A lossless stream says that it has opacity only where some pixel is not opaque; the container knows
    // more.
    let (channels, samples) = match (decoded.layout(), has_alpha) {
        (PixelLayout::Rgba, _) => (Channels::Rgba, decoded.to_vec()),
        (PixelLayout::Rgb, false) => (Channels::Rgb, decoded.to_vec()),
        (PixelLayout::Rgb, true) => {
            let pixels = decoded.as_chunks::<3>().0;
            (Channels::Rgba, pixels.iter().flat_map(|[r, g, b]| [*r, *g, *b, u8::MAX]).collect())
        }
    };
    Ok(settled((width, height), channels, samples, attributes))
}

pub(super) fn encode(image: &Image, settings: &Settings) -> Result<Vec<u8>> {
    let mut config = WebPConfig::new().map_err(|()| Error::Bug("libwebp has another version".to_owned()))?;
    config.lossless = settings.lossless.into();
    // Colours under full transparency are content as well.
    config.exact = settings.lossless.into();
    config.quality = if settings.lossless { LOSSLESS_QUALITY } else { settings.quality() };
    config.method = settings.effort().into();
    let layout = if image.channels.has_alpha() { PixelLayout::Rgba } else { PixelLayout::Rgb };
    let encoded = Encoder::new(&image.samples, layout, image.width, image.height)
        .encode_advanced(&config)
        .map_err(|error| Error::Bug(format!("libwebp did not encode: {error:?}")))?;
    if image.attributes.is_empty() && !image.channels.has_alpha() {
        return Ok(encoded.to_vec());
    }
    extended(image, &encoded)
}

/// One chunk of a RIFF file.
struct Chunk<'a> {
    name: [u8; 4],
    data: &'a [u8],
    /// Where it begins.
    byte: usize,
}

/// The chunks of a file, and what follows its end. Fails where one does not lie within the file.
fn chunks(bytes: &[u8]) -> Result<(Vec<Chunk<'_>>, &[u8])> {
    let damaged = |byte: usize, what: &str| Error::malformed(WEBP, Place::at_byte(byte as u64), what);
    let size = word(bytes, 4).filter(|_| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"));
    let size = size.ok_or_else(|| damaged(0, "it does not begin as a RIFF file of the kind WEBP"))? as usize;
    let end = 8 + size;
    let file =
        bytes.get(..end).ok_or_else(|| damaged(bytes.len(), "the file ends before its header says"))?;
    let mut found = Vec::new();
    let mut at = 12;
    while at < end {
        let cut = || damaged(at, "a chunk does not lie within the file");
        let name: [u8; 4] = file.get(at..at + 4).and_then(|name| name.try_into().ok()).ok_or_else(cut)?;
        let data_end = at + 8 + word(file, at + 4).ok_or_else(cut)? as usize;
        found.push(Chunk { name, data: file.get(at + 8..data_end).ok_or_else(cut)?, byte: at });
        at = data_end + data_end % 2;
    }
    // Some writers leave the last byte of padding out of the size.
    Ok((found, bytes.get(at..).unwrap_or_default()))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
}

/// What the container holds besides the pixels.
struct Container {
    attributes: Attributes,
    /// Whether it says that they have opacity.
    has_alpha: bool,
    /// The name of the chunk that they are in, and where it begins.
    image: ([u8; 4], u64),
}

fn container(bytes: &[u8]) -> Result<Container> {
    let (chunks, rest) = chunks(bytes)?;
    let frames = chunks.iter().filter(|chunk| &chunk.name == b"ANMF").count() as u64;
    let mut attributes = Attributes::default();
    let (mut has_alpha, mut images) = (false, Vec::new());
    for Chunk { name, data, byte } in chunks {
        match &name {
            b"VP8X" => {
                let flags = data.first().copied().unwrap_or(0);
                has_alpha = flags & HAS_ALPHA != 0;
                if flags & HAS_ANIMATION != 0 {
                    return Err(animated(byte, frames));
                }
            }
            b"ANIM" | b"ANMF" => return Err(animated(byte, frames)),
            b"VP8 " | b"VP8L" => images.push((name, byte as u64)),
            b"ALPH" => has_alpha = true,
            b"ICCP" => attributes.add(ICC, data.to_vec())?,
            b"EXIF" => attributes.add(EXIF, data.strip_prefix(EXIF_MARK).unwrap_or(data).to_vec())?,
            b"XMP " => attributes.add(XMP, data.to_vec())?,
            other => attributes.ignore(format!("the chunk {:?}", other.escape_ascii().to_string()))?,
        }
    }
    let [image] = images[..] else {
        // One too many, or none up to the end.
        let byte = images.get(1).map_or((bytes.len() - rest.len()) as u64, |(_, byte)| *byte);
        let what = format!("it has {} images, and not one", images.len());
        return Err(Error::malformed(WEBP, Place::at_byte(byte), what));
    };
    if !rest.is_empty() {
        attributes.ignore(format!("{} after the end of the image", counted(rest.len(), "byte")))?;
    }
    Ok(Container { attributes, has_alpha, image })
}

fn animated(byte: usize, frames: u64) -> Error {
    let hint = "take its frames apart first, as `magick FILE -coalesce frame-%d.png` does";
    several(Place::at_byte(byte as u64), "an animated WebP", frames, "frames", hint)
}

/// The same pixels in a file with the chunk `VP8X`, which attributes need, and by which an image keeps its
/// opacity even where all of it is full.
fn extended(image: &Image, simple: &[u8]) -> Result<Vec<u8>> {
    let (chunks, _) = chunks(simple).map_err(|error| Error::Bug(format!("libwebp wrote {error}")))?;
    let value = |key| image.attribute(key);
    let mut flags = if image.channels.has_alpha() { HAS_ALPHA } else { 0 };
    for (key, flag) in [(ICC, HAS_ICC), (EXIF, HAS_EXIF), (XMP, HAS_XMP)] {
        flags |= if value(key).is_some() { flag } else { 0 };
    }
    let mut out = b"RIFF\0\0\0\0WEBP".to_vec();
    let mut head = vec![flags, 0, 0, 0];
    head.extend(&(image.width - 1).to_le_bytes()[..3]);
    head.extend(&(image.height - 1).to_le_bytes()[..3]);
    put(&mut out, b"VP8X", &head);
    value(ICC).into_iter().for_each(|data| put(&mut out, b"ICCP", data));
    let pixels = chunks.iter().filter(|chunk| matches!(&chunk.name, b"ALPH" | b"VP8 " | b"VP8L"));
    pixels.for_each(|chunk| put(&mut out, &chunk.name, chunk.data));
    value(EXIF).into_iter().for_each(|data| put(&mut out, b"EXIF", data));
    value(XMP).into_iter().for_each(|data| put(&mut out, b"XMP ", data));
    let size = u32::try_from(out.len() - 8).map_err(|_| Error::Bug("a WebP of 4 GiB".to_owned()))?;
    out[4..8].copy_from_slice(&size.to_le_bytes());
    Ok(out)
}

fn put(out: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    out.extend(name);
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out.resize(out.len().next_multiple_of(2), 0);
}
