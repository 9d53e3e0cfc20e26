//! Provides QOI, the "quite OK image format" (specification 1.0).

use super::attributes::Attributes;
use super::{Channels, Image, room, settled};
use crate::error::{Error, Place, Result};
use crate::words::counted;

const QOI: &str = "qoi";
const HEADER_BYTES: usize = 14;
const END: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 1];

/// Says that all channels are linear, where the header does. Its value is empty.
const LINEAR: &str = "qoi:linear";

type Pixel = [u8; 4];

pub(super) fn holds(key: &str, value: &[u8]) -> bool {
    key == LINEAR && value.is_empty()
}

pub(super) fn decode(bytes: &[u8], bytes_max: u64) -> Result<Image> {
    let malformed = |byte: usize, what: &str| Error::malformed(QOI, Place::at_byte(byte as u64), what);
    let Some(&[_, _, _, _, w0, w1, w2, w3, h0, h1, h2, h3, channels, space]) =
        bytes.first_chunk::<HEADER_BYTES>().filter(|header| header.starts_with(b"qoif"))
    else {
        return Err(malformed(0, "it does not begin with the header of a QOI"));
    };
    let (width, height) = (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
    let channels = match channels {
        3 => Channels::Rgb,
        4 => Channels::Rgba,
        other => return Err(malformed(12, &format!("{other} channels, and not 3 or 4"))),
    };
    if width == 0 || height == 0 {
        return Err(malformed(4, "it has no pixels"));
    }
    let mut attributes = Attributes::default();
    match space {
        0 => {}
        1 => attributes.add(LINEAR, Vec::new())?,
        other => return Err(malformed(13, &format!("colour space {other}, and not 0 or 1"))),
    }
    let mut samples = Vec::new();
    let size = room(width, height, channels.count(), bytes_max)?;
    let mut coder = Coder::default();
    let mut at = HEADER_BYTES;
    while samples.len() < size {
        let (pixel, run, taken) =
            coder.read(&bytes[at..]).ok_or_else(|| malformed(at, "the file ends within the pixels"))?;
        at += taken;
        for _ in 0..run.min((size - samples.len()) / channels.count()) {
            samples.extend(&pixel[..channels.count()]);
        }
    }
    if !bytes[at..].starts_with(&END) {
        return Err(malformed(at, "the mark of the end does not follow the pixels"));
    }
    match bytes.len() - at - END.len() {
        0 => {}
        rest => attributes.ignore(format!("{} after the end of the image", counted(rest, "byte")))?,
    }
    Ok(settled((width, height), channels, samples, attributes))
}

pub(super) fn encode(image: &Image) -> Vec<u8> {
    let mut out = b"qoif".to_vec();
    out.extend(image.width.to_be_bytes());
    out.extend(image.height.to_be_bytes());
    out.push(image.channels.count() as u8);
    out.push(image.attribute(LINEAR).is_some().into());
    let mut coder = Coder::default();
    for pixel in image.samples.chunks_exact(image.channels.count()) {
        let alpha = pixel.get(3).copied().unwrap_or(u8::MAX);
        coder.write([pixel[0], pixel[1], pixel[2], alpha], &mut out);
    }
    coder.end_run(&mut out);
    out.extend(END);
    out
}

/// What both sides know while they go over the pixels.
struct Coder {
    last: Pixel,
    seen: [Pixel; 64],
    run: u8,
}

impl Default for Coder {
    fn default() -> Self {
        Self { last: [0, 0, 0, 255], seen: [[0; 4]; 64], run: 0 }
    }
}

fn slot([r, g, b, a]: Pixel) -> usize {
    (usize::from(r) * 3 + usize::from(g) * 5 + usize::from(b) * 7 + usize::from(a) * 11) % 64
}

impl Coder {
    /// The next pixel, how often it comes, and the bytes that say so.
    fn read(&mut self, bytes: &[u8]) -> Option<(Pixel, usize, usize)> {
        let [r, g, b, a] = self.last;
        let (pixel, run, taken) = match *bytes {
            [0xfe, r, g, b, ..] => ([r, g, b, a], 1, 4),
            [0xff, r, g, b, a, ..] => ([r, g, b, a], 1, 5),
            [0xfe | 0xff, ..] | [] => return None,
            [index @ 0x00..=0x3f, ..] => (self.seen[usize::from(index)], 1, 1),
            [step @ 0x40..=0x7f, ..] => {
                let near = |value: u8, shift: u8| value.wrapping_add((step >> shift) & 3).wrapping_sub(2);
                ([near(r, 4), near(g, 2), near(b, 0), a], 1, 1)
            }
            [green @ 0x80..=0xbf, others, ..] => {
                let step = (green & 0x3f).wrapping_sub(32);
                let near =
                    |value: u8, nibble: u8| value.wrapping_add(step).wrapping_add(nibble).wrapping_sub(8);
                ([near(r, others >> 4), g.wrapping_add(step), near(b, others & 15), a], 1, 2)
            }
            [0x80..=0xbf] => return None,
            [run @ 0xc0..=0xfd, ..] => (self.last, usize::from(run & 0x3f) + 1, 1),
        };
        self.last = pixel;
        self.seen[slot(pixel)] = pixel;
        Some((pixel, run, taken))
    }

    fn write(&mut self, pixel: Pixel, out: &mut Vec<u8>) {
        if pixel == self.last {
            self.run += 1;
            if self.run == 62 {
                self.end_run(out);
            }
            return;
        }
        self.end_run(out);
        let [r, g, b, a] = pixel;
        let (dr, dg, db) =
            (r.wrapping_sub(self.last[0]), g.wrapping_sub(self.last[1]), b.wrapping_sub(self.last[2]));
        let small = [dr, dg, db].map(|step| step.wrapping_add(2));
        let middle =
            [dg.wrapping_add(32), dr.wrapping_sub(dg).wrapping_add(8), db.wrapping_sub(dg).wrapping_add(8)];
        if self.seen[slot(pixel)] == pixel {
            out.push(slot(pixel) as u8);
        } else if a != self.last[3] {
            out.extend([0xff, r, g, b, a]);
        } else if small.iter().all(|step| *step < 4) {
            out.push(0x40 | small[0] << 4 | small[1] << 2 | small[2]);
        } else if middle[0] < 64 && middle[1] < 16 && middle[2] < 16 {
            out.extend([0x80 | middle[0], middle[1] << 4 | middle[2]]);
        } else {
            out.extend([0xfe, r, g, b]);
        }
        self.last = pixel;
        self.seen[slot(pixel)] = pixel;
    }

    fn end_run(&mut self, out: &mut Vec<u8>) {
        if self.run > 0 {
            out.push(0xc0 | (self.run - 1));
            self.run = 0;
        }
    }
}
