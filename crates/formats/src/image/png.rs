//! Provides PNG: chunks and their checksums by hand, the pixels by the crate `png`.

mod transparency;

use std::io::Cursor;

use ::png::chunk::ChunkType;
use ::png::{BitDepth, ColorType, Decoder, DeflateCompression, Encoder, Filter, Limits, Transformations};
use coherence::sample::SampleType;

use super::attributes::{Attributes, DENSITY, Density, EXIF, ICC, TEXT, XMP, inflate, latin_1, to_latin_1};
use super::declared::{self, Colour, Packed};
use super::{Channels, Declared, Image, Settings, room, several, swap_16};
use crate::error::{Error, Place, Result};
use crate::words::counted;

const PNG: &str = "png";

/// What stands before the name of a chunk that is kept as it is.
const CHUNK: &str = "png:";
/// What stands before the keyword of a text with a language, kept as it is behind the keyword.
const INTERNATIONAL: &str = "png:iTXt:";
/// The keyword under which PNG holds an XMP packet.
const XMP_KEYWORD: &str = "XML:com.adobe.xmp";

/// The key of the time of the last change.
pub(super) const TIME: &str = "png:tIME";

/// Chunks that say how colours are meant and when they were changed. They stay true when the image is written
/// in another way.
const KEPT: [&[u8; 4]; 7] = [b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"tIME"];

/// Chunks that belong before the palette (PNG, 5.6): readers leave them out behind it.
const BEFORE_PALETTE: [&[u8; 4]; 7] = [b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI"];

/// Where the chunks behind the header begin.
const BEHIND_HEADER: usize = 33;

/// What the crate may hold besides the image: rows, palette, tables.
const WORKING_BYTES: usize = 64 << 20;

pub(super) fn decode(bytes: &[u8], bytes_max: u64) -> Result<Image> {
    let attributes = attributes(bytes)?;
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: WORKING_BYTES });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // Those of all chunks were checked with their attributes.
    decoder.ignore_checksums(true);
    let damaged = |what: String| Error::malformed(PNG, Place::at_byte(pixels_at(bytes)), what);
    let malformed = |error: ::png::DecodingError| damaged(in_words(&error.to_string()));
    // Of colours that a palette does not have the crate says nothing, and of a transparent shade it compares
    // more bits than there are, so both are looked up here.
    let header = decoder.read_header_info().map_err(malformed)?;
    let packed = header.color_type == ColorType::Indexed || (header.bit_depth as u8) < 8;
    decoder.set_transformations(if packed { Transformations::IDENTITY } else { Transformations::EXPAND });
    let mut reader = decoder.read_info().map_err(malformed)?;
    let (width, height) = reader.info().size();
    let (color, depth) = reader.output_color_type();
    let mut declared = declared_of(reader.info());
    let channels = match color {
        ColorType::Grayscale => Channels::Gray.with_alpha(packed && reader.info().trns.is_some()),
        ColorType::GrayscaleAlpha => Channels::GrayAlpha,
        ColorType::Rgb => Channels::Rgb,
        ColorType::Rgba => Channels::Rgba,
        ColorType::Indexed if reader.info().trns.is_some() => Channels::Rgba,
        ColorType::Indexed => Channels::Rgb,
    };
    let sample = if depth == BitDepth::Sixteen { SampleType::U16 } else { SampleType::U8 };
    let mut samples = vec![0; room(width, height, channels.count() * sample.width(), bytes_max)?];
    if packed {
        let layout = declared.as_ref().ok_or_else(|| damaged("it has no palette".to_owned()))?;
        let (bits, colours) = layout.looked_up();
        let mut rows = vec![0; reader.output_buffer_size().unwrap_or_default()];
        reader.next_frame(&mut rows).map_err(malformed)?;
        look_up(&rows, width, (bits, &colours), (&mut samples, channels.count())).map_err(damaged)?;
        if let Some(Declared::Palette(palette)) = &mut declared {
            let (bits, side) = (palette.bits, width as usize);
            let rows = rows.chunks_exact((side * usize::from(bits)).div_ceil(8));
            let numbers = rows.flat_map(|row| declared::in_row(row, bits, side));
            let room = || room(width, height, channels.count() + 1, bytes_max);
            palette.numbers = declared::numbers(&palette.colours, numbers, room)?;
        }
    } else {
        reader.next_frame(&mut samples).map_err(malformed)?;
    }
    reader.finish().map_err(malformed)?;
    if sample == SampleType::U16 {
        swap_16(&mut samples);
    }
    let Attributes { found: attributes, ignored, .. } = attributes;
    Ok(Image { width, height, channels, sample, samples, attributes, ignored, declared })
}

/// Looks the numbers of rows up among colours; the error is about a number that has none.
fn look_up(
    rows: &[u8],
    width: u32,
    (bits, colours): (u8, &[Colour]),
    (samples, count): (&mut [u8], usize),
) -> std::result::Result<(), String> {
    let width = width as usize;
    let row_bytes = (width * usize::from(bits)).div_ceil(8);
    let pixels = samples.chunks_exact_mut(width * count);
    for (y, (row, pixels)) in rows.chunks_exact(row_bytes).zip(pixels).enumerate() {
        let numbers = declared::in_row(row, bits, width);
        for (x, (number, pixel)) in numbers.zip(pixels.chunks_exact_mut(count)).enumerate() {
            let colour = colours.get(usize::from(number)).ok_or_else(|| {
                format!("the pixel at x {x}, y {y} has colour {number} of {}", colours.len())
            })?;
            pixel.copy_from_slice(&colour[..count]);
        }
    }
    Ok(())
}

/// Where the first chunk of pixels begins, in a file whose chunks all lie within it; else its first chunk.
fn pixels_at(bytes: &[u8]) -> u64 {
    const FIRST: usize = 8;
    let mut at = FIRST;
    while let Some([l0, l1, l2, l3, name @ ..]) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        if name == b"IDAT" {
            return at as u64;
        }
        at += 12 + u32::from_be_bytes([*l0, *l1, *l2, *l3]) as usize;
    }
    FIRST as u64
}

/// The layout that a header declares.
fn declared_of(info: &::png::Info<'_>) -> Option<Declared> {
    let bits = info.bit_depth as u8;
    match (info.color_type, &info.palette) {
        (ColorType::Grayscale, _) if bits < 8 => {
            // Of two bytes, the crate leaves the second, of which the lowest bits count.
            let clear =
                info.trns.as_deref().and_then(<[u8]>::last).map(|shade| shade & (u8::MAX >> (8 - bits)));
            Some(Declared::Gray(bits, clear))
        }
        (ColorType::Indexed, Some(palette)) => {
            let opacities = info.trns.as_deref().unwrap_or_default().iter().copied();
            let opacities = opacities.chain(std::iter::repeat(u8::MAX));
            let colours = palette.as_chunks::<3>().0.iter().zip(opacities);
            let colours = colours.map(|([r, g, b], opacity)| [*r, *g, *b, opacity]);
            Declared::palette(bits, colours).map(Declared::Palette)
        }
        _ => None,
    }
}

pub(super) fn encode(image: &Image, settings: &Settings) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, image.width, image.height);
    let packed = declared::packed(image);
    encoder.set_color(match image.channels {
        Channels::Gray => ColorType::Grayscale,
        Channels::GrayAlpha => ColorType::GrayscaleAlpha,
        Channels::Rgb => ColorType::Rgb,
        Channels::Rgba => ColorType::Rgba,
        Channels::Cmyk => return Err(Error::Bug("png holds no inks".to_owned())),
    });
    let wide = image.sample == SampleType::U16;
    encoder.set_depth(if wide { BitDepth::Sixteen } else { BitDepth::Eight });
    match settings.effort() {
        0 => encoder.set_deflate_compression(DeflateCompression::FdeflateUltraFast),
        level => encoder.set_deflate_compression(DeflateCompression::Level(level)),
    }
    encoder.set_filter(match (&packed, settings.effort()) {
        // Neighbouring numbers of colours have nothing to do with each other.
        (Some(_), _) => Filter::NoFilter,
        (None, 0) => Filter::Up,
        (None, _) => Filter::Adaptive,
    });
    if let Some(packed) = &packed {
        set_packed(&mut encoder, packed, image.channels.has_alpha());
    }
    let bug = |error: ::png::EncodingError| Error::Bug(format!("png did not encode: {error}"));
    let mut writer = encoder.write_header().map_err(bug)?;
    // The crate has written the palette already.
    let mut early = Vec::new();
    for (key, value) in &image.attributes {
        let (name, data) = chunk_of(key, value).ok_or_else(|| Error::Bug(format!("png holds no {key:?}")))?;
        match BEFORE_PALETTE.contains(&&name) {
            true => put_chunk(&mut early, name, &data),
            false => writer.write_chunk(ChunkType(name), &data).map_err(bug)?,
        }
    }
    if let Some(packed) = &packed {
        writer.write_image_data(&declared::in_bytes(packed, image.width)).map_err(bug)?;
    } else if wide {
        let mut samples = image.samples.clone();
        swap_16(&mut samples);
        writer.write_image_data(&samples).map_err(bug)?;
    } else {
        writer.write_image_data(&image.samples).map_err(bug)?;
    }
    writer.finish().map_err(bug)?;
    drop(out.splice(BEHIND_HEADER..BEHIND_HEADER, early));
    Ok(out)
}

fn put_chunk(out: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    let mut checksum = flate2::Crc::new();
    checksum.update(&name);
    checksum.update(data);
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(name);
    out.extend(data);
    out.extend(checksum.sum().to_be_bytes());
}

/// Declares numbers of a few bits, and the colours that they stand for.
fn set_packed(encoder: &mut Encoder<'_, &mut Vec<u8>>, packed: &Packed<'_>, alpha: bool) {
    encoder.set_depth(match packed.bits {
        1 => BitDepth::One,
        2 => BitDepth::Two,
        4 => BitDepth::Four,
        _ => BitDepth::Eight,
    });
    if packed.colours.is_empty() {
        encoder.set_color(ColorType::Grayscale);
        if let Some(clear) = packed.clear {
            encoder.set_trns(vec![0, clear]);
        }
        return;
    }
    encoder.set_color(ColorType::Indexed);
    encoder.set_palette(packed.colours.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect::<Vec<u8>>());
    if alpha {
        encoder.set_trns(packed.colours.iter().map(|[.., opacity]| *opacity).collect::<Vec<u8>>());
    }
}

/// Whether a chunk can hold this attribute.
pub(super) fn holds(key: &str, value: &[u8]) -> bool {
    chunk_of(key, value).is_some()
}

/// What the crate says is wrong, without the notation of Rust: chunks have their names alone, and what is
/// wrong with packed pixels is no matter.
fn in_words(error: &str) -> String {
    const BEFORE: &str = "ChunkType { type: ";
    const BEHIND: &str = " }";
    if error.starts_with("Corrupt deflate stream") {
        return "its packed pixels are damaged".to_owned();
    }
    let mut parts = error.split(BEFORE);
    let mut words = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (chunk, rest) = part.split_once(BEHIND).unwrap_or((part, ""));
        words.push_str(chunk.split(',').next().unwrap_or_default());
        words.push_str(rest);
    }
    words
}

/// The chunk that holds an attribute.
fn chunk_of(key: &str, value: &[u8]) -> Option<([u8; 4], Vec<u8>)> {
    match key {
        ICC => Some((*b"iCCP", [b"icc\0\0", packed(value).as_slice()].concat())),
        EXIF if !value.is_empty() => Some((*b"eXIf", value.to_vec())),
        XMP => Some((*b"iTXt", international(XMP_KEYWORD.as_bytes(), std::str::from_utf8(value).ok()?)?)),
        DENSITY => {
            let (x, y, unit) = match Density::of_value(value)? {
                Density::Metre(x, y) => (x, y, 1),
                Density::Ratio(x, y) => (x, y, 0),
            };
            Some((*b"pHYs", [x.to_be_bytes().as_slice(), &y.to_be_bytes(), &[unit]].concat()))
        }
        _ if key.starts_with(TEXT) => text_chunk(&key[TEXT.len()..], std::str::from_utf8(value).ok()?),
        _ if key.starts_with(INTERNATIONAL) => {
            let keyword = keyword_of(&key[INTERNATIONAL.len()..])?;
            let well_formed = translated(value).is_some_and(|text| text != value);
            well_formed.then(|| (*b"iTXt", [keyword.as_slice(), &[0, 0, 0], value].concat()))
        }
        _ => {
            let name = <[u8; 4]>::try_from(key.strip_prefix(CHUNK)?.as_bytes()).ok()?;
            is_kept(name).then(|| (name, value.to_vec()))
        }
    }
}

/// Chunks that are kept under their own name: those of the list, and unknown ones that may be copied by who
/// does not know them.
fn is_kept(name: [u8; 4]) -> bool {
    const KNOWN: [&[u8; 4]; 4] = [b"pHYs", b"tEXt", b"zTXt", b"iTXt"];
    let letters = name.iter().all(u8::is_ascii_alphabetic);
    let may_be_copied = name[0].is_ascii_lowercase() && name[3].is_ascii_lowercase();
    letters && (KEPT.contains(&&name) || (may_be_copied && !KNOWN.contains(&&name) && name != *b"sPLT"))
}

fn packed(value: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    // Writing to memory does not fail.
    std::io::Write::write_all(&mut encoder, value).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Latin-1 of a keyword as the specification wants it: 1 to 79 visible characters, single spaces within.
fn keyword_of(keyword: &str) -> Option<Vec<u8>> {
    let bytes = to_latin_1(keyword)?;
    let visible = bytes.iter().all(|byte| matches!(byte, 32..=126 | 161..=255));
    let spaces = bytes.starts_with(b" ") || bytes.ends_with(b" ") || keyword.contains("  ");
    ((1..=79).contains(&bytes.len()) && visible && !spaces && keyword != XMP_KEYWORD).then_some(bytes)
}

/// Texts of Latin-1 are `tEXt`, all others `iTXt`.
fn text_chunk(keyword: &str, text: &str) -> Option<([u8; 4], Vec<u8>)> {
    let keyword = keyword_of(keyword)?;
    match to_latin_1(text).filter(|_| !text.contains('\0')) {
        Some(text) => Some((*b"tEXt", [keyword.as_slice(), &[0], &text].concat())),
        None => Some((*b"iTXt", international(&keyword, text)?)),
    }
}

/// A text in UTF-8, not packed, of no stated language.
fn international(keyword: &[u8], text: &str) -> Option<Vec<u8>> {
    (!text.contains('\0')).then(|| [keyword, &[0, 0, 0, 0, 0], text.as_bytes()].concat())
}

/// The text of an `iTXt` chunk behind its language and its translated keyword; `None` where it is not one.
fn translated(value: &[u8]) -> Option<&[u8]> {
    let mut fields = value.splitn(3, |byte| *byte == 0);
    let (language, keyword, text) = (fields.next()?, fields.next()?, fields.next()?);
    let fine =
        !text.contains(&0) && std::str::from_utf8(text).is_ok() && std::str::from_utf8(keyword).is_ok();
    // Without either the text is one of no stated language.
    fine.then_some(if language.is_empty() && keyword.is_empty() { value } else { text })
}

/// Everything but the pixels. Every chunk must lie within the file and pass its checksum.
fn attributes(bytes: &[u8]) -> Result<Attributes> {
    let mut attributes = Attributes::default();
    let mut before = transparency::Before::default();
    let mut at = 8;
    loop {
        let damaged = |what: &str| Error::malformed(PNG, Place::at_byte(at as u64), what);
        let cut = || damaged("the file ends within a chunk");
        let length = bytes.get(at..at + 4).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
        let end = at + 8 + u32::from_be_bytes(*length) as usize;
        let (name, data) =
            bytes.get(at + 4..end).and_then(|chunk| chunk.split_first_chunk()).ok_or_else(cut)?;
        let stored = bytes.get(end..end + 4).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
        let mut checksum = flate2::Crc::new();
        checksum.update(&bytes[at + 4..end]);
        if checksum.sum() != u32::from_be_bytes(*stored) {
            let name = name.escape_ascii();
            return Err(damaged(&format!("the checksum of the chunk \"{name}\" does not match")));
        }
        let first = at + 8;
        if before.take(name, data).map_err(|what| damaged(&what))? {
            attributes.ignore("the chunk tRNS beside an alpha channel".to_owned())?;
        }
        at = end + 4;
        match name {
            b"IEND" => break,
            b"acTL" => {
                let place = Place::at_byte(first as u64);
                let count = data.first_chunk().map_or(0, |count| u32::from_be_bytes(*count)).into();
                let hint = "take its frames apart first, as `ffmpeg -i FILE frame-%d.png` does";
                return Err(several(place, "an animated PNG", count, "frames", hint));
            }
            name => add(&mut attributes, *name, data, first as u64)?,
        }
    }
    match bytes.len() - at {
        0 => {}
        rest => attributes.ignore(format!("{} after the end of the image", counted(rest, "byte")))?,
    }
    Ok(attributes)
}

/// Takes what one chunk says; `byte` is where its data begins.
fn add(attributes: &mut Attributes, name: [u8; 4], data: &[u8], byte: u64) -> Result<()> {
    let shown = name.escape_ascii().to_string();
    let damaged = || Error::malformed(PNG, Place::at_byte(byte), format!("the chunk \"{shown}\" is damaged"));
    let (keyword, rest) = data.split_at(data.iter().position(|byte| *byte == 0).unwrap_or(data.len()));
    match &name {
        b"IHDR" | b"PLTE" | b"IDAT" | b"tRNS" => Ok(()),
        b"iCCP" => {
            let stream = rest.strip_prefix(b"\0\0").ok_or_else(damaged)?;
            attributes.add(ICC, inflate(PNG, stream, byte)?)
        }
        b"eXIf" => attributes.add(EXIF, data.to_vec()),
        b"pHYs" => {
            match (data.first_chunk::<4>(), data.get(4..).and_then(<[u8]>::first_chunk), data.get(8)) {
                (Some(x), Some(y), Some(unit)) if data.len() == 9 => {
                    let (x, y) = (u32::from_be_bytes(*x), u32::from_be_bytes(*y));
                    let density = if *unit == 1 { Density::Metre(x, y) } else { Density::Ratio(x, y) };
                    attributes.add(DENSITY, density.value())
                }
                _ => Err(damaged()),
            }
        }
        b"tEXt" => {
            let text = rest.strip_prefix(b"\0").ok_or_else(damaged)?;
            add_text(attributes, keyword, latin_1(text).as_bytes())
        }
        b"zTXt" => {
            let stream = rest.strip_prefix(b"\0\0").ok_or_else(damaged)?;
            add_text(attributes, keyword, latin_1(&inflate(PNG, stream, byte)?).as_bytes())
        }
        b"iTXt" => add_international(attributes, keyword, rest, byte, damaged),
        _ if is_kept(name) => attributes.add(&format!("{CHUNK}{shown}"), data.to_vec()),
        _ => attributes.ignore(format!("the chunk {shown}")),
    }
}

fn add_text(attributes: &mut Attributes, keyword: &[u8], text: &[u8]) -> Result<()> {
    attributes.add(&format!("{TEXT}{}", latin_1(keyword)), text.to_vec())
}

fn add_international(
    attributes: &mut Attributes,
    keyword: &[u8],
    rest: &[u8],
    byte: u64,
    damaged: impl Fn() -> Error,
) -> Result<()> {
    let (packed, rest) = match rest {
        [0, packed @ (0 | 1), 0, rest @ ..] => (*packed == 1, rest),
        _ => return Err(damaged()),
    };
    let mut fields = rest.splitn(3, |byte| *byte == 0);
    let (Some(language), Some(translation), Some(text)) = (fields.next(), fields.next(), fields.next())
    else {
        return Err(damaged());
    };
    let text = if packed { inflate(PNG, text, byte)? } else { text.to_vec() };
    if keyword == XMP_KEYWORD.as_bytes() {
        return attributes.add(XMP, text);
    }
    if language.is_empty() && translation.is_empty() {
        return add_text(attributes, keyword, &text);
    }
    let key = format!("{INTERNATIONAL}{}", latin_1(keyword));
    let value = [language, &[0], translation, &[0], &text].concat();
    attributes.add(&key, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_looked_up_in_the_palette() {
        let colours = [[1, 2, 3, 255], [4, 5, 6, 7], [8, 9, 10, 255]];
        let found = |rows: &[u8], bits, width, count: usize| {
            let mut samples = vec![0; 3 * 2 * count];
            look_up(rows, width, (bits, &colours), (&mut samples, count)).map(|()| samples)
        };
        assert_eq!(
            found(&[0b0001_1000, 0b1000_0100], 2, 3, 3).unwrap(),
            [1, 2, 3, 4, 5, 6, 8, 9, 10, 8, 9, 10, 1, 2, 3, 4, 5, 6]
        );
        assert_eq!(found(&[0x10, 0x20, 0x00, 0x10], 4, 3, 4).unwrap()[..8], [4, 5, 6, 7, 1, 2, 3, 255]);
        let error = found(&[0x10, 0x20, 0x02, 0x30], 4, 3, 4).unwrap_err();
        assert_eq!(error, "the pixel at x 2, y 1 has colour 3 of 3");
    }

    /// Of a transparent shade of few bits the others of its two bytes are no part (PNG, 11.3.2.1).
    #[test]
    fn of_a_transparent_shade_the_lowest_bits_count() {
        let encoded = |shade: Vec<u8>| {
            let mut out = Vec::new();
            let mut encoder = Encoder::new(&mut out, 4, 1);
            encoder.set_color(ColorType::Grayscale);
            encoder.set_depth(BitDepth::Four);
            encoder.set_trns(shade);
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(&[0x03, 0x3f]).unwrap();
            writer.finish().unwrap();
            out
        };
        for shade in [vec![0, 3], vec![0, 0x13], vec![0xff, 0xf3]] {
            let image = decode(&encoded(shade), 1 << 20).unwrap();
            assert_eq!(image.samples, [0, 255, 51, 0, 51, 0, 255, 255]);
            assert_eq!(image.declared, Some(Declared::Gray(4, Some(3))));
        }
    }

    #[test]
    fn what_the_crate_says_has_no_notation_of_rust() {
        let kind = ::png::chunk::PLTE;
        let said = format!("Chunk {kind:?} is invalid after {:?} chunk.", ::png::chunk::IDAT);
        assert_eq!(in_words(&said), "Chunk PLTE is invalid after IDAT chunk.");
        assert_eq!(in_words("Invalid bit depth 3."), "Invalid bit depth 3.");
        assert_eq!(in_words("Corrupt deflate stream. Other { .. }"), "its packed pixels are damaged");
    }
}
