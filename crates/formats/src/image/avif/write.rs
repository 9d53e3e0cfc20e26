//! Provides the writing of AVIF: samples to planes and frames, and the container around them.

use coherence::sample::SampleType;

use super::colour::{Matrix, Planes};
use super::libaom;
use super::{ALPHA, Encoded, KEPT, Sampling, Shape, Signal, XMP_TYPE};
use crate::error::Result;
use crate::image::attributes::{CICP, DENSITY, Density, EXIF, ICC, XMP};
use crate::image::boxes::{put, put_full};
use crate::image::orientation::Orientation;
use crate::image::{Channels, Image, Settings, peak};

/// Bits that samples of 16 bits are written with.
const WIDE_BITS: u8 = 10;

pub(crate) fn encode(image: &Image, settings: &Settings) -> Result<Vec<u8>> {
    let bits = if image.sample == SampleType::U8 { 8 } else { WIDE_BITS };
    let (width, height) = (image.width as usize, image.height as usize);
    let grey = image.channels.with_alpha(false) == Channels::Gray;
    let sampling = match settings.subsampled {
        _ if grey => Sampling::Grey,
        true if !settings.lossless => Sampling::Quarter,
        _ => Sampling::Full,
    };
    let shape = Shape { width, height, bits, sampling };
    let signal = signal_of(image, settings.lossless && !grey);
    let matrix = Matrix::of_code(signal.matrix).unwrap_or(Matrix::Identity);
    let fraction = fractions(image);
    let colours = |x: usize, y: usize| {
        let of = |channel: usize| fraction(y * width + x, channel);
        if grey { [of(0); 3] } else { [of(0), of(1), of(2)] }
    };
    let planes = Planes::of_image(shape, matrix, colours);
    let colour = libaom::encode(planes, &signal, settings)?;
    let alpha = image.channels.has_alpha().then(|| {
        let shape = Shape { sampling: Sampling::Grey, ..shape };
        let last = image.channels.count() - 1;
        let planes = Planes::of_image(shape, matrix, |x, y| [fraction(y * width + x, last); 3]);
        libaom::encode(planes, &Signal { matrix: 2, ..signal }, settings)
    });
    let container = Container { image, shape, signal, colour, alpha: alpha.transpose()? };
    Ok(container.written())
}

/// What a sample is of full intensity, by pixel and channel.
fn fractions(image: &Image) -> impl Fn(usize, usize) -> f64 {
    let (channels, full) = (image.channels.count(), peak(image.sample));
    move |pixel, channel| {
        let at = pixel * channels + channel;
        let sample = match image.sample {
            SampleType::U8 => u16::from(image.samples[at]),
            _ => u16::from_le_bytes([image.samples[2 * at], image.samples[2 * at + 1]]),
        };
        f64::from(sample) / full
    }
}

/// What the container says of colours: sRGB, unless the image says otherwise or has a profile that does.
/// `plain` are planes that hold the colours themselves.
fn signal_of(image: &Image, plain: bool) -> Signal {
    let (primaries, transfer) = match image.attribute(CICP) {
        Some([primaries, transfer, ..]) => (u16::from(*primaries), u16::from(*transfer)),
        _ if image.attribute(ICC).is_some() => (2, 2),
        _ => (1, 13),
    };
    let matrix = match primaries {
        _ if plain => 0,
        9 => 9,
        _ => 6,
    };
    Signal { primaries, transfer, matrix, full_range: true }
}

/// An item to be written.
struct Entry<'a> {
    kind: &'a [u8; 4],
    data: Vec<u8>,
    /// How it refers to the first item.
    reference: Option<&'a [u8; 4]>,
    /// Its properties, as boxes, and whether a reader has to know them.
    properties: Vec<(Vec<u8>, bool)>,
}

/// What a file is made of.
struct Container<'a> {
    image: &'a Image,
    shape: Shape,
    signal: Signal,
    colour: Encoded,
    alpha: Option<Encoded>,
}

impl Container<'_> {
    fn written(self) -> Vec<u8> {
        let entries = self.entries();
        let mut out = Vec::new();
        put(&mut out, b"ftyp", |out| {
            out.extend(b"avif\0\0\0\0avifmif1miaf");
            // The profiles of AVIF 1.1, section 8: what is not Main is High.
            out.extend(if self.shape.sampling == Sampling::Full { b"MA1A" } else { b"MA1B" });
        });
        // The places of items count from the beginning of the file, and their number has a fixed width.
        let head = out.len() + meta(&entries, 0).len() + 8;
        out.extend(meta(&entries, head as u32));
        put(&mut out, b"mdat", |out| entries.iter().for_each(|entry| out.extend(&entry.data)));
        out
    }

    fn entries(&self) -> Vec<Entry<'_>> {
        let image = self.image;
        let mut entries = vec![Entry {
            kind: b"av01",
            data: self.colour.data.clone(),
            reference: None,
            properties: self.properties(),
        }];
        if let Some(alpha) = &self.alpha {
            let mut properties = self.layout(&alpha.configuration, 1);
            let name = full_box(b"auxC", &[ALPHA[0], &[0]].concat());
            properties.push((name, false));
            properties.extend(self.orientation());
            let data = alpha.data.clone();
            entries.push(Entry { kind: b"av01", data, reference: Some(b"auxl"), properties });
        }
        let described = |kind, data| Entry { kind, data, reference: Some(b"cdsc"), properties: Vec::new() };
        if let Some(exif) = image.attribute(EXIF) {
            // The structure begins where the field that says so ends.
            entries.push(described(b"Exif", [&[0; 4], exif].concat()));
        }
        if let Some(xmp) = image.attribute(XMP) {
            entries.push(described(b"mime", xmp.to_vec()));
        }
        entries
    }

    /// Properties of the colours.
    fn properties(&self) -> Vec<(Vec<u8>, bool)> {
        let channels = if self.shape.is_grey() { 1 } else { 3 };
        let mut properties = self.layout(&self.colour.configuration, channels);
        let Signal { primaries, transfer, matrix, full_range } = self.signal;
        let codes = [primaries, transfer, matrix].map(u16::to_be_bytes).concat();
        let colours = [b"nclx".as_slice(), &codes, &[u8::from(full_range) << 7]].concat();
        properties.push((plain_box(b"colr", &colours), false));
        if let Some(icc) = self.image.attribute(ICC) {
            properties.push((plain_box(b"colr", &[b"prof", icc].concat()), false));
        }
        if let Some(Density::Ratio(x, y)) = self.image.attribute(DENSITY).and_then(Density::of_value) {
            properties.push((plain_box(b"pasp", &[y, x].map(u32::to_be_bytes).concat()), false));
        }
        for (kind, key) in KEPT {
            properties.extend(self.image.attribute(key).map(|value| (plain_box(kind, value), false)));
        }
        properties.extend(self.orientation());
        properties
    }

    /// Properties that colours and opacity both have.
    fn layout(&self, configuration: &[u8], channels: u8) -> Vec<(Vec<u8>, bool)> {
        let size = [self.image.width, self.image.height].map(u32::to_be_bytes).concat();
        let bits = vec![self.shape.bits; channels.into()];
        vec![
            (full_box(b"ispe", &size), false),
            (full_box(b"pixi", &[vec![channels], bits].concat()), false),
            (plain_box(b"av1C", configuration), true),
        ]
    }

    /// The turn and the mirror that the Exif block asks for: readers of AVIF look at these alone.
    fn orientation(&self) -> Vec<(Vec<u8>, bool)> {
        let orientation = self.image.attribute(EXIF).map(Orientation::of_exif);
        let (quarters, mirror) = orientation.unwrap_or(Orientation::UPRIGHT).turn_and_mirror();
        let turn = (quarters > 0).then(|| (plain_box(b"irot", &[quarters]), true));
        let mirror = mirror.map(|axis| (plain_box(b"imir", &[u8::from(axis)]), true));
        turn.into_iter().chain(mirror).collect()
    }
}

fn plain_box(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, kind, |out| out.extend(data));
    out
}

fn full_box(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_full(&mut out, kind, 0, 0, |out| out.extend(data));
    out
}

/// The box of metadata, where the data of the first item begins at `begin` of the file.
fn meta(entries: &[Entry<'_>], begin: u32) -> Vec<u8> {
    let mut out = Vec::new();
    put_full(&mut out, b"meta", 0, 0, |out| {
        put_full(out, b"hdlr", 0, 0, |out| out.extend(b"\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0"));
        put_full(out, b"pitm", 0, 0, |out| out.extend(1u16.to_be_bytes()));
        locations(out, entries, begin);
        infos(out, entries);
        references(out, entries);
        properties(out, entries);
    });
    out
}

/// Items are counted from 1.
fn numbered<'e, 'a>(entries: &'e [Entry<'a>]) -> impl Iterator<Item = (u16, &'e Entry<'a>)> {
    (1..).zip(entries)
}

fn locations(out: &mut Vec<u8>, entries: &[Entry<'_>], begin: u32) {
    put_full(out, b"iloc", 0, 0, |out| {
        // Places and lengths of four bytes, and no base.
        out.extend([0x44, 0]);
        out.extend((entries.len() as u16).to_be_bytes());
        let mut at = begin;
        for (number, entry) in numbered(entries) {
            let length = entry.data.len() as u32;
            out.extend([number, 0, 1].map(u16::to_be_bytes).concat());
            out.extend([at, length].map(u32::to_be_bytes).concat());
            at += length;
        }
    });
}

fn infos(out: &mut Vec<u8>, entries: &[Entry<'_>]) {
    put_full(out, b"iinf", 0, 0, |out| {
        out.extend((entries.len() as u16).to_be_bytes());
        for (number, entry) in numbered(entries) {
            put_full(out, b"infe", 2, 0, |out| {
                out.extend([number, 0].map(u16::to_be_bytes).concat());
                out.extend(entry.kind);
                out.push(0);
                if entry.kind == b"mime" {
                    out.extend(XMP_TYPE);
                    out.push(0);
                }
            });
        }
    });
}

fn references(out: &mut Vec<u8>, entries: &[Entry<'_>]) {
    if entries.iter().all(|entry| entry.reference.is_none()) {
        return;
    }
    put_full(out, b"iref", 0, 0, |out| {
        for (number, entry) in numbered(entries) {
            if let Some(reference) = entry.reference {
                put(out, reference, |out| out.extend([number, 1, 1].map(u16::to_be_bytes).concat()));
            }
        }
    });
}

fn properties(out: &mut Vec<u8>, entries: &[Entry<'_>]) {
    let all: Vec<_> = entries.iter().flat_map(|entry| &entry.properties).collect();
    put(out, b"iprp", |out| {
        put(out, b"ipco", |out| all.iter().for_each(|(property, _)| out.extend(property)));
        put_full(out, b"ipma", 0, 0, |out| {
            let with = || numbered(entries).filter(|(_, entry)| !entry.properties.is_empty());
            out.extend((with().count() as u32).to_be_bytes());
            let mut last = 0u8;
            for (number, entry) in with() {
                out.extend(number.to_be_bytes());
                out.push(entry.properties.len() as u8);
                for (_, essential) in &entry.properties {
                    last += 1;
                    out.push(u8::from(*essential) << 7 | last);
                }
            }
        });
    });
}
