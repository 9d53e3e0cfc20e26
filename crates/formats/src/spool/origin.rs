//! Provides the way back from plain UTF-8 to the text that it was made of: where a byte stood there, and
//! which bytes a stretch of it was.
//!
//! Both are exact, since no encoding that is read loses anything: a character of Latin-1 and Windows-1252 is
//! one byte, and one of UTF-16 two or four.

use std::borrow::Cow;

use super::{Encoding, READ_BYTES, TextFile};
use crate::{Error, Result};

/// Tells where bytes of a text stood in what it was made of, wrapping aside. It reads on from the last place
/// that was asked for, so questions in the order of the text cost one pass.
pub(crate) struct Origin<'a> {
    text: &'a TextFile,
    /// Bytes of the text that were counted.
    seen: u64,
    /// Bytes of the original that these were, with its byte order mark.
    counted: u64,
}

impl<'a> Origin<'a> {
    /// At the start of a text.
    pub(crate) fn new(text: &'a TextFile) -> Self {
        Origin { text, seen: 0, counted: text.mark().len() as u64 }
    }

    /// Where the byte at this offset of the text stood.
    pub(crate) fn byte(&mut self, offset: u64) -> Result<u64> {
        let encoding = self.text.kind().encoding;
        if encoding == Encoding::Utf8 {
            return Ok(offset + self.text.mark().len() as u64);
        }
        if offset < self.seen {
            *self = Origin::new(self.text);
        }
        let left = usize::try_from(offset - self.seen).unwrap_or(READ_BYTES);
        let mut block = vec![0; left.min(READ_BYTES)];
        while self.seen < offset {
            let left = usize::try_from(offset - self.seen).unwrap_or(READ_BYTES);
            let wanted = left.min(block.len());
            let count = self.text.read_at(self.seen, &mut block[..wanted])?;
            if count == 0 {
                break;
            }
            self.counted += block[..count].iter().map(|byte| encoded_bytes(encoding, *byte)).sum::<u64>();
            self.seen += count as u64;
        }
        Ok(self.counted)
    }

    /// The bytes that a stretch of the text was.
    pub(crate) fn bytes<'b>(&self, text: &'b [u8]) -> Cow<'b, [u8]> {
        encoded(self.text.kind().encoding, text)
    }

    /// The same error, naming the file where it named none, and its byte as the file counts it.
    pub(super) fn placed(mut self, mut error: Error) -> Error {
        if let Some(place) = error.place_mut().filter(|place| place.path.is_none())
            && let Some(byte) = place.byte
        {
            match self.byte(byte) {
                Ok(byte) => place.byte = Some(byte),
                Err(unread) => return unread,
            }
        }
        error.in_file(self.text.path())
    }
}

/// Bytes that a character took, counted at the byte of UTF-8 with which it begins.
fn encoded_bytes(encoding: Encoding, byte: u8) -> u64 {
    match (encoding, byte) {
        (Encoding::Utf8, _) => 1,
        (_, 0x80..=0xbf) => 0,
        (Encoding::Utf16Le | Encoding::Utf16Be, 0xf0..) => 4,
        (Encoding::Utf16Le | Encoding::Utf16Be, _) => 2,
        (Encoding::Latin1 | Encoding::Windows1252, _) => 1,
    }
}

/// UTF-8 in the encoding that it was read from. What is no UTF-8 was not changed.
fn encoded(encoding: Encoding, bytes: &[u8]) -> Cow<'_, [u8]> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Cow::Borrowed(bytes) };
    match encoding {
        Encoding::Utf8 => Cow::Borrowed(bytes),
        Encoding::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Encoding::Latin1 => encoding_rs::mem::encode_latin1_lossy(text),
        Encoding::Windows1252 => encoding_rs::WINDOWS_1252.encode(text).0,
    }
}
