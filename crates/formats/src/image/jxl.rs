//! Provides the reading of JPEG XL (ISO/IEC 18181): the container by hand, the pixels by jxl-rs. It is not
//! written.
//!
//! Samples are those of the file where it is lossless, and what jxl-rs computes where not. Whole samples of
//! other widths than 8 and 16 bits take the next one at the same intensity. Nothing is rotated.

use std::io::Read;
use std::iter;
use std::ops::Range;

use ::jxl::api::{
    Endianness, Event, ExtraChannel, JxlBasicInfo, JxlBitDepth, JxlColorEncoding, JxlColorProfile,
    JxlColorType, JxlDataFormat, JxlDecoder, JxlDecoderOptions, JxlOutputBuffer, JxlPixelFormat,
    JxlPrimaries, JxlTransferFunction, JxlWhitePoint, ProfileLevel,
};
use coherence::sample::SampleType;

use super::attributes::{Attributes, CICP, ICC, XMP, too_much};
use super::boxes::{IsoBox, tiff_of, top};
use super::orientation::Orientation;
use super::{Channels, Image, room};
use crate::error::{Error, Place, Result};
use crate::limits::ATTRIBUTE_BYTES_MAX;
use crate::words::counted;

const JXL: &str = "jxl";

/// What a file in a container begins with.
const CONTAINER: &[u8] = b"\0\0\0\x0cJXL \r\n\x87\n";

/// Alignment of samples that jxl-rs asks for.
const ALIGNMENT: usize = 4;

/// The least bytes that the decoder is given at once where the place of damage is searched for: headers ask
/// for a few each.
const PIECE_BYTES: usize = 16;

pub(super) fn decode(bytes: &[u8], bytes_max: u64) -> Result<Image> {
    match decoded(Input::whole(bytes), bytes_max) {
        // The decoder takes in more than it has looked at, unless it gets no more than it asks for.
        Err(error @ Error::Malformed { .. }) => {
            Err(decoded(Input::in_pieces(bytes)?, bytes_max).err().unwrap_or(error))
        }
        decoded => decoded,
    }
}

/// A file on its way into a decoder, as a whole or piece by piece.
///
/// The pixels lie in sections, each of which is decoded as soon as all of it is there, and what is asked for
/// is what is missing of one. So damage is found when the last byte of its section comes, and where that
/// section began is all that is known of its place besides.
struct Input<'a> {
    bytes: &'a [u8],
    /// Where the image lies in the file, apart from the boxes around it.
    image: Vec<Range<usize>>,
    /// Where what is being decoded begins, or before that.
    begin: usize,
    /// Bytes that were given, and those of them that were taken.
    given: usize,
    taken: usize,
    /// Whether a section may have begun within the bytes that were given last.
    ahead: bool,
    /// Whether what is asked for are sections, and no headers.
    in_frame: bool,
}

impl<'a> Input<'a> {
    /// All at once.
    fn whole(bytes: &'a [u8]) -> Self {
        let given = bytes.len();
        Self { bytes, image: Vec::new(), begin: 0, given, taken: 0, ahead: true, in_frame: false }
    }

    /// As the decoder asks for it.
    fn in_pieces(bytes: &'a [u8]) -> Result<Self> {
        let image = match bytes.starts_with(CONTAINER) {
            true => codestream(&top(JXL, bytes)?.0),
            false => iter::once(0..bytes.len()).collect(),
        };
        let mut input = Self { image, given: 0, ..Self::whole(bytes) };
        input.given = input.behind(PIECE_BYTES);
        Ok(input)
    }

    /// Gives more bytes, where there are some: so many of the image, or few where a box is asked for.
    fn more(&mut self, asked: usize) -> bool {
        if self.given == self.bytes.len() {
            return false;
        }
        if self.in_frame && !self.ahead {
            self.begin = self.given;
        }
        let in_image = self.image.iter().any(|span| span.start < self.given && self.given < span.end);
        let count = if in_image { asked.max(PIECE_BYTES) } else { PIECE_BYTES };
        self.ahead = !in_image || count > asked;
        self.given = self.behind(count);
        true
    }

    /// The place behind so many more bytes of the image; the end of the file where there are fewer.
    fn behind(&self, mut count: usize) -> usize {
        for span in &self.image {
            let begin = span.start.max(self.given);
            let rest = span.end.saturating_sub(begin);
            if count <= rest {
                return begin + count;
            }
            count -= rest;
        }
        self.bytes.len()
    }

    /// Notes that a frame begins at a byte, and that its header was read.
    fn frame(&mut self, byte: u64) {
        self.begin = self.begin.max(usize::try_from(byte).unwrap_or(0).min(self.given));
        (self.in_frame, self.ahead) = (true, true);
    }

    /// Damage in what is being decoded.
    fn damaged(&self, what: &str) -> Error {
        Error::malformed(JXL, Place::at_byte(self.begin as u64), what)
    }

    fn failed(&self, error: &::jxl::error::Error) -> Error {
        self.damaged(&format!("from here to byte {}, it cannot be decoded: {error}", self.given))
    }
}

/// Where the parts of an image lie, by the boxes of its container.
fn codestream(boxes: &[IsoBox<'_>]) -> Vec<Range<usize>> {
    let range = |found: &IsoBox<'_>| {
        // A part begins with its number.
        let number = match &found.kind {
            b"jxlc" => 0,
            b"jxlp" => 4,
            _ => return None,
        };
        let byte = usize::try_from(found.byte).ok()?;
        Some(byte + number.min(found.data.len())..byte + found.data.len())
    };
    boxes.iter().filter_map(range).collect()
}

fn decoded(mut input: Input<'_>, bytes_max: u64) -> Result<Image> {
    let bytes = input.bytes;
    let mut attributes = Attributes::default();
    let (exif, rest) = container(bytes, &mut attributes)?;
    let mut options = JxlDecoderOptions::default();
    options.adjust_orientation = false;
    options.max_profile_level = ProfileLevel::Main10;
    // Samples of one byte at least; what they take in all is checked once their type is known.
    options.sample_limit = usize::try_from(bytes_max).ok();
    let mut decoder = JxlDecoder::new(options);
    step(&mut decoder, &mut input, None, |event| matches!(event, Event::BasicInfo))?;
    let info = decoder.basic_info().ok_or_else(|| input.damaged("its header is missing"))?.clone();
    let layout = Layout::of(&info, &decoder)?;
    let side = |pixels: usize| u32::try_from(pixels).ok().filter(|side| *side > 0);
    let (width, height) =
        side(info.size.0).zip(side(info.size.1)).ok_or_else(|| input.damaged("its size is none"))?;
    let length = room(width, height, layout.channels.count() * layout.sample.width(), bytes_max)?;
    decoder.set_pixel_format(layout.format(&info)).map_err(|error| input.failed(&error))?;
    let mut buffer = vec![0; length + ALIGNMENT];
    let begin = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
    let rows = info.size.1;
    {
        let mut output = [JxlOutputBuffer::new(&mut buffer[begin..][..length], rows, length / rows)];
        let complete = |event: &Event| matches!(event, Event::FrameComplete { .. });
        let last = step(&mut decoder, &mut input, Some(&mut output), complete)?;
        if last != (Event::FrameComplete { has_more_frames: false }) {
            return Err(animated());
        }
    }
    step(&mut decoder, &mut input, None, |event| matches!(event, Event::Complete))?;
    buffer.copy_within(begin..begin + length, 0);
    buffer.truncate(length);
    profile(&decoder, &mut attributes)?;
    let orientation = Orientation::of_number(info.orientation as u16).unwrap_or(Orientation::UPRIGHT);
    orientation.keep(exif, &mut attributes)?;
    let rest = rest.unwrap_or_else(|| {
        let end = decoder.file_length().unwrap_or(bytes.len() as u64);
        bytes.len().saturating_sub(usize::try_from(end).unwrap_or(usize::MAX))
    });
    if rest > 0 {
        attributes.ignore(format!("{} after the end of the image", counted(rest, "byte")))?;
    }
    let Attributes { found: attributes, ignored, .. } = attributes;
    let Layout { channels, sample } = layout;
    Ok(Image { width, height, channels, sample, samples: buffer, attributes, ignored, declared: None })
}

/// Whether it could be written with this attribute, if it were written: what is read of others is kept.
pub(super) fn holds(key: &str, value: &[u8]) -> bool {
    matches!(key, ICC | "exif" | XMP | CICP) && !value.is_empty()
}

fn animated() -> Error {
    let hint = "take its frames apart first";
    Error::unsupported(Place::default(), "an animated JPEG XL is not one image", hint)
}

/// Decodes until an event that is waited for.
fn step(
    decoder: &mut JxlDecoder,
    input: &mut Input<'_>,
    mut output: Option<&mut [JxlOutputBuffer<'_>]>,
    awaited: impl Fn(&Event) -> bool,
) -> Result<Event> {
    loop {
        let mut rest = &input.bytes[input.taken..input.given];
        let event = decoder.process(&mut rest, output.as_deref_mut(), None);
        input.taken = input.given - rest.len();
        match event.map_err(|error| input.failed(&error))? {
            event if awaited(&event) => return Ok(event),
            Event::NeedMoreInput { size_hint } if input.more(size_hint) => {}
            Event::NeedMoreInput { .. } => {
                let end = Place::at_byte(input.bytes.len() as u64);
                return Err(Error::malformed(JXL, end, "the file ends before the image does"));
            }
            Event::Complete => return Err(input.damaged("it ends without what belongs into it")),
            Event::FrameHeader => {
                if let Some(frame) = decoder.scanned_frames().last() {
                    input.frame(frame.file_offset);
                }
            }
            _ => {}
        }
    }
}

/// What a container holds besides the image: its Exif block, and, where it is a container, how many bytes
/// follow it.
fn container(bytes: &[u8], attributes: &mut Attributes) -> Result<(Option<Vec<u8>>, Option<usize>)> {
    if !bytes.starts_with(CONTAINER) {
        return Ok((None, None));
    }
    let (boxes, rest) = top(JXL, bytes)?;
    let mut exif = None;
    for found in boxes {
        let packed = found.kind == *b"brob";
        let kind = if packed { found.fields().take(4)?.to_vec() } else { found.kind.to_vec() };
        let data = || if packed { unpacked(&found.data[4..], found.byte) } else { Ok(found.data.to_vec()) };
        match kind.as_slice() {
            b"JXL " | b"ftyp" | b"jxlc" | b"jxlp" | b"jxll" | b"jxli" => {}
            b"Exif" => match tiff_of(&data()?) {
                Some(tiff) if exif.is_none() => exif = Some(tiff.to_vec()),
                _ => attributes.ignore("a second or damaged exif")?,
            },
            b"xml " => attributes.add(XMP, data()?)?,
            b"jbrd" => attributes.ignore("how to make the JPEG again that it was made from")?,
            other => attributes.ignore(format!("the box {:?}", other.escape_ascii().to_string()))?,
        }
    }
    Ok((exif, Some(rest.len())))
}

/// Unpacks a box that is packed by Brotli, within the limit of attributes.
fn unpacked(packed: &[u8], byte: u64) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut reader = brotli::Decompressor::new(packed, 4096).take(ATTRIBUTE_BYTES_MAX + 1);
    reader.read_to_end(&mut all).map_err(|error| {
        Error::malformed(JXL, Place::at_byte(byte), format!("compressed metadata: {error}"))
    })?;
    if all.len() as u64 > ATTRIBUTE_BYTES_MAX { Err(too_much()) } else { Ok(all) }
}

/// How samples are laid out.
struct Layout {
    channels: Channels,
    sample: SampleType,
}

impl Layout {
    fn of(info: &JxlBasicInfo, decoder: &JxlDecoder) -> Result<Self> {
        let refused = |what: &str, hint: &str| Err(Error::unsupported(Place::default(), what, hint));
        if info.animation.is_some() {
            return Err(animated());
        }
        let alpha: Vec<_> = info.extra_channels.iter().filter(|e| e.ec_type == ExtraChannel::Alpha).collect();
        if alpha.len() != info.extra_channels.len() || alpha.len() > 1 {
            let what = "a JPEG XL with channels beside colour and opacity is not read";
            return refused(what, "write it without them first");
        }
        if alpha.iter().any(|alpha| alpha.alpha_associated) {
            let what = "colours that are premultiplied with their opacity are not read";
            return refused(what, "write them without first");
        }
        let sample = match info.bit_depth {
            JxlBitDepth::Int { bits_per_sample: 1..=8 } => SampleType::U8,
            JxlBitDepth::Int { bits_per_sample: 9..=16 } => SampleType::U16,
            JxlBitDepth::Float { bits_per_sample: 16, exponent_bits_per_sample: 5 } => SampleType::F16,
            JxlBitDepth::Float { .. } => SampleType::F32,
            JxlBitDepth::Int { bits_per_sample } => {
                let what = format!("a JPEG XL of {bits_per_sample} bits is not read");
                return refused(&what, "write it with 16 bits or in floating point first");
            }
        };
        let grey = decoder.embedded_color_profile().is_some_and(|profile| profile.channels() == 1);
        let colours = if grey { Channels::Gray } else { Channels::Rgb };
        Ok(Self { channels: colours.with_alpha(!alpha.is_empty()), sample })
    }

    fn format(&self, info: &JxlBasicInfo) -> JxlPixelFormat {
        let endianness = Endianness::LittleEndian;
        let data = match self.sample {
            SampleType::U8 => JxlDataFormat::U8 { bit_depth: 8 },
            SampleType::U16 => JxlDataFormat::U16 { endianness, bit_depth: 16 },
            SampleType::F16 => JxlDataFormat::F16 { endianness },
            _ => JxlDataFormat::F32 { endianness },
        };
        let color_type = match self.channels {
            Channels::Gray => JxlColorType::Grayscale,
            Channels::GrayAlpha => JxlColorType::GrayscaleAlpha,
            Channels::Rgb => JxlColorType::Rgb,
            Channels::Rgba | Channels::Cmyk => JxlColorType::Rgba,
        };
        let extra_channel_format = vec![None; info.extra_channels.len()];
        JxlPixelFormat { color_type, color_data_format: Some(data), extra_channel_format }
    }
}

/// What samples mean: nothing where it is sRGB, the codes of H.273 where there are some, else a profile.
fn profile(decoder: &JxlDecoder, attributes: &mut Attributes) -> Result<()> {
    let Some(profile) = decoder.output_color_profile() else { return Ok(()) };
    if let JxlColorProfile::Simple(encoding) = profile
        && let Some(codes) = codes(encoding)
    {
        return if codes == (1, 13) { Ok(()) } else { attributes.add(CICP, vec![codes.0, codes.1, 0, 1]) };
    }
    match profile.try_as_icc() {
        Some(icc) => attributes.add(ICC, icc.into_owned()),
        None => attributes.ignore("its colours, which no profile tells"),
    }
}

/// The codes of H.273 for primaries and transfer.
fn codes(encoding: &JxlColorEncoding) -> Option<(u8, u8)> {
    let (white, primaries, transfer) = match encoding {
        JxlColorEncoding::RgbColorSpace { white_point, primaries, transfer_function, .. } => {
            (white_point, Some(primaries), transfer_function)
        }
        JxlColorEncoding::GrayscaleColorSpace { white_point, transfer_function, .. } => {
            (white_point, None, transfer_function)
        }
        JxlColorEncoding::XYB { .. } => return None,
    };
    let primaries = match (primaries, white) {
        (None | Some(JxlPrimaries::SRGB), JxlWhitePoint::D65) => 1,
        (Some(JxlPrimaries::BT2100), JxlWhitePoint::D65) => 9,
        (Some(JxlPrimaries::P3), JxlWhitePoint::D65) => 12,
        (Some(JxlPrimaries::P3), JxlWhitePoint::DCI) => 11,
        _ => return None,
    };
    let transfer = match transfer {
        JxlTransferFunction::BT709 => 1,
        JxlTransferFunction::Linear => 8,
        JxlTransferFunction::SRGB => 13,
        JxlTransferFunction::PQ => 16,
        JxlTransferFunction::DCI => 17,
        JxlTransferFunction::HLG => 18,
        JxlTransferFunction::Gamma(_) => return None,
    };
    Some((primaries, transfer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(image: Vec<Range<usize>>, bytes: &[u8]) -> Input<'_> {
        Input { image, given: 0, ..Input::whole(bytes) }
    }

    #[test]
    fn pieces_are_counted_in_bytes_of_the_image() {
        let bytes = [0; 300];
        let mut input = in_pieces(vec![20..60, 80..200], &bytes);
        // Headers: where they end is not known.
        assert!(input.more(1));
        assert_eq!((input.begin, input.given), (0, 36));
        input.frame(25);
        assert!(input.more(4));
        assert_eq!((input.begin, input.given), (25, 52));
        // The rest of a section that began within the headers, and one that goes over two boxes.
        assert!(input.more(18));
        assert_eq!((input.begin, input.given), (25, 90));
        assert!(input.more(30));
        assert_eq!((input.begin, input.given), (90, 120));
        // What follows the image is given at once.
        assert!(input.more(80));
        assert_eq!((input.begin, input.given), (120, 200));
        assert!(input.more(5));
        assert_eq!((input.begin, input.given), (200, 300));
        assert!(!input.more(1));
        assert_eq!(input.damaged("x").to_string(), "byte 200: malformed jxl: x");
    }

    #[test]
    fn what_is_asked_for_of_another_box_is_none_of_the_image() {
        let bytes = [0; 900];
        let mut input = in_pieces(iter::once(500..900).collect(), &bytes);
        assert!(input.more(450));
        assert_eq!((input.begin, input.given), (0, 516));
        assert!(input.more(100));
        assert_eq!((input.begin, input.given), (0, 616), "these may be headers");
    }

    #[test]
    fn the_image_lies_in_its_boxes() {
        let bytes = b"\0\0\0\x0cjxlp\0\0\0\0\0\0\0\x0aExif\0\0\0\0\0\x0djxlp\x80\0\0\x01x\0\0\0\x09jxlcy";
        let (boxes, rest) = top(JXL, bytes).unwrap();
        assert_eq!((codestream(&boxes), rest.len()), (vec![12..12, 34..35, 43..44], 0));
    }
}
