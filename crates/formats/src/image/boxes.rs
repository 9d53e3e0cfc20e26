//! Provides the boxes of an ISO base media file (ISO/IEC 14496-12, section 4.2): their bounds, and the fields
//! in them. AVIF and JPEG XL are laid out in them.

use crate::error::{Error, Place, Result};

/// A box.
#[derive(Debug, Clone, Copy)]
pub(super) struct IsoBox<'a> {
    /// The format of the file.
    pub format: &'static str,
    /// What it is.
    pub kind: [u8; 4],
    /// What it holds.
    pub data: &'a [u8],
    /// Where that begins in the file.
    pub byte: u64,
}

impl<'a> IsoBox<'a> {
    /// The boxes in this box.
    pub fn children(&self) -> Result<Vec<IsoBox<'a>>> {
        boxes(self.format, self.data, self.byte)
    }

    /// What it holds, to be read from its beginning.
    pub fn fields(&self) -> Fields<'a> {
        Fields { format: self.format, rest: self.data, byte: self.byte, kind: self.kind }
    }

    /// The same for a box that begins with a version and flags; with these two.
    pub fn full(&self) -> Result<(u8, u32, Fields<'a>)> {
        let mut fields = self.fields();
        let word = fields.u32()?;
        Ok(((word >> 24) as u8, word & 0x00ff_ffff, fields))
    }

    /// The boxes behind fields that were read of this box.
    pub fn behind(&self, fields: &Fields<'a>) -> Result<Vec<IsoBox<'a>>> {
        boxes(self.format, fields.rest, fields.byte)
    }
}

/// All boxes in these bytes, which begin at `byte` of the file. Fails where one does not lie within them.
pub(super) fn boxes<'a>(format: &'static str, bytes: &'a [u8], byte: u64) -> Result<Vec<IsoBox<'a>>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (kind, begin, end) = bounds(&bytes[at..])
            .ok_or_else(|| damaged(format, byte + at as u64, "a box does not lie within what holds it"))?;
        found.push(IsoBox {
            format,
            kind,
            data: &bytes[at + begin..at + end],
            byte: byte + (at + begin) as u64,
        });
        at += end;
    }
    Ok(found)
}

/// The boxes of a file, and what follows its last one: bytes that are too few for a box, or that do not begin
/// with the name of one.
pub(super) fn top<'a>(format: &'static str, bytes: &'a [u8]) -> Result<(Vec<IsoBox<'a>>, &'a [u8])> {
    let mut end = 0;
    while let Some(name) = bytes.get(end + 4..end + 8) {
        if !name.iter().all(|letter| (0x20..0x7f).contains(letter)) {
            break;
        }
        let (_, _, length) =
            bounds(&bytes[end..]).ok_or_else(|| damaged(format, end as u64, "the file ends within a box"))?;
        end += length;
    }
    Ok((boxes(format, &bytes[..end], 0)?, &bytes[end..]))
}

/// Of the box with which these bytes begin: its kind, and where its content begins and ends.
fn bounds(bytes: &[u8]) -> Option<([u8; 4], usize, usize)> {
    let size = u32::from_be_bytes(*bytes.first_chunk()?);
    let kind = *bytes.get(4..)?.first_chunk()?;
    let (begin, end) = match size {
        0 => (8, bytes.len()),
        1 => (16, usize::try_from(u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?)).ok()?),
        size => (8, size as usize),
    };
    (begin <= end && end <= bytes.len()).then_some((kind, begin, end))
}

/// Fields that are read one after another.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    format: &'static str,
    rest: &'a [u8],
    byte: u64,
    kind: [u8; 4],
}

impl<'a> Fields<'a> {
    /// So many bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            let kind = self.kind.escape_ascii();
            return Err(damaged(
                self.format,
                self.byte,
                &format!("the box {kind} is too short for its fields"),
            ));
        };
        self.rest = rest;
        self.byte += count as u64;
        Ok(taken)
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Where what is left begins.
    pub fn byte(&self) -> u64 {
        self.byte
    }

    /// A whole number of up to eight bytes.
    pub fn uint(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A whole number of one byte.
    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.uint(1)? as u8)
    }

    /// A whole number of two bytes.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(self.uint(2)? as u16)
    }

    /// A whole number of four bytes.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(self.uint(4)? as u32)
    }

    /// Text up to a zero, which is taken too.
    pub fn text(&mut self) -> Result<&'a [u8]> {
        let length = self.rest.iter().position(|byte| *byte == 0).unwrap_or(self.rest.len());
        let text = self.take(length)?;
        self.take(1)?;
        Ok(text)
    }
}

/// Damage at a byte of the file.
pub(super) fn damaged(format: &'static str, byte: u64, what: &str) -> Error {
    Error::malformed(format, Place::at_byte(byte), what)
}

/// The TIFF structure of an Exif block in a box, which begins with where in it that is.
pub(super) fn tiff_of(data: &[u8]) -> Option<&[u8]> {
    let offset = u32::from_be_bytes(*data.first_chunk()?) as usize;
    data.get(offset.checked_add(4)?..).filter(|tiff| !tiff.is_empty())
}

/// Writes a box around what `fill` writes.
pub(super) fn put(out: &mut Vec<u8>, kind: &[u8; 4], fill: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend([0; 4]);
    out.extend(kind);
    fill(out);
    // What is held in memory here is far below 4 GiB: samples and attributes are bounded.
    let size = (out.len() - begin) as u32;
    out[begin..begin + 4].copy_from_slice(&size.to_be_bytes());
}

/// The same with a version and flags.
pub(super) fn put_full(
    out: &mut Vec<u8>,
    kind: &[u8; 4],
    version: u8,
    flags: u32,
    fill: impl FnOnce(&mut Vec<u8>),
) {
    put(out, kind, |out| {
        out.extend((u32::from(version) << 24 | flags).to_be_bytes());
        fill(out);
    });
}
