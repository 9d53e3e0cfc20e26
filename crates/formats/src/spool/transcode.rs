//! Provides the change of UTF-16, Latin-1 and Windows-1252 into UTF-8, block by block, and the removal of
//! byte order marks.

use encoding_rs::{Decoder, DecoderResult};

use super::{EncodingChoice, NotUtf8, READ_BYTES, TextFile};
use crate::{Error, Place, Result};

/// A character encoding of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, least significant byte first.
    Utf16Le,
    /// UTF-16, most significant byte first.
    Utf16Be,
    /// ISO 8859-1: byte n is character n.
    Latin1,
    /// Windows-1252 as in the WHATWG Encoding Standard: its five unused bytes are control characters.
    Windows1252,
}

impl Encoding {
    /// The encoding of this name, in any case: `utf-8`, `utf-16le`, `utf-16be`, `latin-1`, `windows-1252` and
    /// common spellings of them.
    pub fn by_name(name: &str) -> Option<Self> {
        let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        Some(match plain.to_ascii_lowercase().as_str() {
            "utf8" => Encoding::Utf8,
            "utf16le" => Encoding::Utf16Le,
            "utf16be" => Encoding::Utf16Be,
            "latin1" | "iso88591" => Encoding::Latin1,
            "windows1252" | "cp1252" => Encoding::Windows1252,
            _ => return None,
        })
    }

    /// The name by which a person gives it.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Utf16Le => "utf-16le",
            Encoding::Utf16Be => "utf-16be",
            Encoding::Latin1 => "latin-1",
            Encoding::Windows1252 => "windows-1252",
        }
    }

    fn mark(self) -> &'static [u8] {
        match self {
            Encoding::Utf8 => b"\xef\xbb\xbf",
            Encoding::Utf16Le => b"\xff\xfe",
            Encoding::Utf16Be => b"\xfe\xff",
            Encoding::Latin1 | Encoding::Windows1252 => b"",
        }
    }
}

/// The encoding of a text that begins with `head` (4 bytes, fewer only if that is all), and its mark.
pub(super) fn choose(choice: EncodingChoice, head: &[u8]) -> Result<(Encoding, &'static [u8])> {
    let encoding = match choice {
        EncodingChoice::Given(encoding) => {
            refuse_other_mark(encoding, head)?;
            encoding
        }
        EncodingChoice::Mark | EncodingChoice::Guess => {
            if matches!(head, [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..]) {
                return Err(Error::unsupported(
                    Place::at_byte(0),
                    "the byte order mark says UTF-32",
                    "convert it first: iconv -f UTF-32 -t UTF-8",
                ));
            }
            let mut marked = [Encoding::Utf16Le, Encoding::Utf16Be].into_iter();
            marked.find(|encoding| head.starts_with(encoding.mark())).unwrap_or(Encoding::Utf8)
        }
    };
    let mark = encoding.mark();
    Ok((encoding, if head.starts_with(mark) { mark } else { b"" }))
}

/// Refuses a text that begins with the byte order mark of another encoding than the one that was given.
fn refuse_other_mark(given: Encoding, head: &[u8]) -> Result<()> {
    let mut marked = [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be].into_iter();
    match marked.find(|encoding| head.starts_with(encoding.mark())) {
        Some(marked) if marked != given => {
            let (marked, given) = (marked.name(), given.name());
            let what = format!("the text begins with the byte order mark of {marked}, and {given} was named");
            // One option is for all sources, and others may be in another encoding.
            let hint = format!(
                "name it with --encoding {marked}, or leave --encoding away; --encoding guess takes each \
                 source by its mark, as UTF-8 if all of it is, or else as Windows-1252"
            );
            Err(Error::unsupported(Place::at_byte(0), what, hint))
        }
        _ => Ok(()),
    }
}

/// The first byte of the text that is not valid UTF-8.
pub(super) fn not_utf8(text: &TextFile) -> Result<Option<NotUtf8>> {
    let mut check = Utf8Check::default();
    let mut block = vec![0; READ_BYTES];
    let (mut offset, mut ends) = (0, LineEnds::default());
    loop {
        let count = text.read_at(offset, &mut block)?;
        let found = if count == 0 { check.finish() } else { check.feed(&block[..count]) };
        match found {
            // Behind a character that is begun at the end of a block no line ends in it.
            Err(byte) => {
                let before = usize::try_from(byte.saturating_sub(offset)).unwrap_or(count).min(count);
                ends.count(&block[..before]);
                return Ok(Some(NotUtf8 { byte, line: 1 + ends.lines() }));
            }
            Ok(()) if count == 0 => return Ok(None),
            Ok(()) => ends.count(&block[..count]),
        }
        offset += count as u64;
    }
}

/// The ends of lines in a text.
#[derive(Default)]
struct LineEnds {
    feeds: u64,
    returns: u64,
}

impl LineEnds {
    fn count(&mut self, bytes: &[u8]) {
        self.feeds += memchr::memchr_iter(b'\n', bytes).count() as u64;
        if self.feeds == 0 {
            self.returns += memchr::memchr_iter(b'\r', bytes).count() as u64;
        }
    }

    /// Lines that ended: by carriage returns where a text has nothing else.
    fn lines(&self) -> u64 {
        if self.feeds == 0 { self.returns } else { self.feeds }
    }
}

/// Copies `text`, taken as `encoding`, into `sink` as UTF-8.
pub(super) fn copy(
    text: &TextFile,
    encoding: Encoding,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut transcoder = Transcoder::new(EncodingChoice::Given(encoding));
    let mut block = vec![0; READ_BYTES];
    let mut offset = 0;
    loop {
        let count = text.read_at(offset, &mut block)?;
        transcoder.feed(&block[..count], count == 0, sink)?;
        if count == 0 {
            return Ok(());
        }
        offset += count as u64;
    }
}

/// A check of UTF-8 that takes its text in blocks.
#[derive(Debug, Default)]
pub(crate) struct Utf8Check {
    /// Bytes of an unfinished character at the end of the last block.
    pending: [u8; 4],
    pending_bytes: usize,
    /// Offset of the next block.
    offset: u64,
}

impl Utf8Check {
    /// A check of text whose first block begins at `offset`.
    pub(crate) fn new(offset: u64) -> Self {
        Utf8Check { offset, ..Utf8Check::default() }
    }

    /// Offset of the next block.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Checks the next block; the error is the offset of the first wrong byte.
    pub(crate) fn feed(&mut self, block: &[u8]) -> Result<(), u64> {
        let base = self.offset;
        self.offset += block.len() as u64;
        let mut from = 0;
        while self.pending_bytes > 0 && from < block.len() {
            self.pending[self.pending_bytes] = block[from];
            self.pending_bytes += 1;
            from += 1;
            match std::str::from_utf8(&self.pending[..self.pending_bytes]) {
                Ok(_) => self.pending_bytes = 0,
                Err(error) if error.error_len().is_some() => {
                    return Err(base + from as u64 - self.pending_bytes as u64);
                }
                Err(_) => {}
            }
        }
        let Err(error) = std::str::from_utf8(&block[from..]) else {
            return Ok(());
        };
        let valid = from + error.valid_up_to();
        if error.error_len().is_some() {
            return Err(base + valid as u64);
        }
        let rest = &block[valid..];
        self.pending[..rest.len()].copy_from_slice(rest);
        self.pending_bytes = rest.len();
        Ok(())
    }

    /// Checks that no character is left unfinished; the error is the offset where it begins.
    pub(crate) fn finish(&self) -> Result<(), u64> {
        if self.pending_bytes == 0 { Ok(()) } else { Err(self.offset - self.pending_bytes as u64) }
    }
}

/// Turns blocks of encoded text into blocks of UTF-8.
pub(super) struct Transcoder {
    choice: EncodingChoice,
    /// The first bytes, until there are enough of them to see a mark.
    head: Vec<u8>,
    chosen: Option<(Encoding, &'static [u8])>,
    decoder: Option<Decoder>,
    out: Vec<u8>,
    /// Bytes taken so far.
    offset: u64,
}

impl Transcoder {
    pub(super) fn new(choice: EncodingChoice) -> Self {
        Transcoder { choice, head: Vec::new(), chosen: None, decoder: None, out: Vec::new(), offset: 0 }
    }

    /// The encoding and the mark that was dropped, once enough is fed to see it.
    pub(super) fn chosen(&self) -> Option<(Encoding, &'static [u8])> {
        self.chosen
    }

    /// Takes the next bytes (`last`: none follow) and hands UTF-8 to `sink`.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        last: bool,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if let Some((encoding, _)) = self.chosen {
            return self.convert(encoding, bytes, last, sink);
        }
        self.head.extend_from_slice(bytes);
        if self.head.len() < 4 && !last {
            return Ok(());
        }
        let head = std::mem::take(&mut self.head);
        let (encoding, mark) = choose(self.choice, &head)?;
        self.chosen = Some((encoding, mark));
        self.offset = mark.len() as u64;
        self.decoder = match encoding {
            Encoding::Utf16Le => Some(encoding_rs::UTF_16LE.new_decoder_without_bom_handling()),
            Encoding::Utf16Be => Some(encoding_rs::UTF_16BE.new_decoder_without_bom_handling()),
            Encoding::Windows1252 => Some(encoding_rs::WINDOWS_1252.new_decoder_without_bom_handling()),
            Encoding::Utf8 | Encoding::Latin1 => None,
        };
        self.convert(encoding, &head[mark.len()..], last, sink)
    }

    fn convert(
        &mut self,
        encoding: Encoding,
        bytes: &[u8],
        last: bool,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let Some(decoder) = &mut self.decoder else {
            self.offset += bytes.len() as u64;
            if encoding == Encoding::Utf8 {
                return sink(bytes);
            }
            self.out.resize(bytes.len() * 2, 0);
            let written = encoding_rs::mem::convert_latin1_to_utf8(bytes, &mut self.out);
            return sink(&self.out[..written]);
        };
        self.out.resize(READ_BYTES, 0);
        let mut rest = bytes;
        loop {
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut self.out, last);
            rest = &rest[read..];
            self.offset += read as u64;
            sink(&self.out[..written])?;
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(bad, after) => {
                    let at = self.offset.saturating_sub(u64::from(bad) + u64::from(after));
                    let what = "half of a surrogate pair, or an odd number of bytes";
                    return Err(Error::malformed("UTF-16", Place::at_byte(at), what));
                }
            }
        }
    }
}
