//! Provides a seekable, plain UTF-8 view of any text source, and the wrapping of text that is written.
//!
//! A plain UTF-8 file is used in place. Everything else (gzip and the other wrappings of bytes, UTF-16,
//! Latin-1, Windows-1252) is copied once into a temporary file as plain UTF-8, so that decoders can read any
//! part of it again. The wrapping is recognised by content; only brotli, which has no mark, by name.
//!
//! Not done here: whether text that claims to be UTF-8 is UTF-8 is checked where it is scanned and decoded.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

pub use crate::bytes::Codec as Wrapping;
use crate::bytes::are_blocks;
use crate::bytes::codec::HEAD_BYTES;
use crate::bytes::names::{split, wrapping_of};
use crate::file::ObjectFile;
use crate::listen::Listener;
use crate::{Error, Place, Result};

mod copying;
mod origin;
mod transcode;
mod wrap;

use copying::Copying;
pub(crate) use origin::Origin;
pub use transcode::Encoding;
pub(crate) use transcode::Utf8Check;
pub use wrap::Wrap;

/// Text below this size is never called a bomb, however well it was packed: it fits on any disk.
pub const BOMB_BYTES_MIN: u64 = 1 << 30;

/// Expansion above this ratio is a bomb once the text is large: gzip cannot pass 1,032, and real tables
/// that zstd packs tighter than this hold next to no information.
pub const BOMB_RATIO_MAX: u64 = 1_000;

/// Bytes asked of a source at once: few calls, and small enough for the processor's cache.
const READ_BYTES: usize = 256 << 10;

/// Bytes at the start of a text that are looked at.
const START_BYTES: usize = 4096;

/// Bytes that can be read at any offset, by many threads at once.
pub trait ReadAt: Sync {
    /// Reads up to `buf.len()` bytes from `offset` on and says how many; 0 only at the end or for an empty
    /// `buf`.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize>;

    /// Length in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file to name in errors, if there is one.
    fn path(&self) -> Option<&Path> {
        None
    }

    /// The same error, naming the file where it named none, and its byte as the file counts it.
    fn placed(&self, error: Error) -> Error {
        match self.path() {
            Some(path) => error.in_file(path),
            None => error,
        }
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(<[u8]>::len(self));
        let count = buf.len().min(<[u8]>::len(self) - from);
        buf[..count].copy_from_slice(&self[from..from + count]);
        Ok(count)
    }

    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }
}

/// How the bytes of a source are to be read as characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EncodingChoice {
    /// UTF-16 where a byte order mark says so, else UTF-8.
    #[default]
    Mark,
    /// As `Mark`, but text that is not UTF-8 is read as Windows-1252. Reads the text once more.
    Guess,
    /// This one; its own byte order mark is dropped, and that of another encoding refused.
    Given(Encoding),
}

/// Bounds on what a source may expand to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Bytes of plain text at most; `None`: as many as the disk holds.
    pub text_bytes_max: Option<u64>,
    /// Plain text up to this many bytes may have been packed at any ratio.
    pub bomb_bytes_min: u64,
    /// Above `bomb_bytes_min`, text bytes per packed byte at most.
    pub bomb_ratio_max: u64,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        SpoolLimits { text_bytes_max: None, bomb_bytes_min: BOMB_BYTES_MIN, bomb_ratio_max: BOMB_RATIO_MAX }
    }
}

/// How a source of text is opened.
pub struct SpoolOptions<'a> {
    /// Directory for temporary files.
    pub directory: &'a Path,
    /// Its wrapping, where that is known; else its first bytes tell it, or its name.
    pub wrapping: Option<Wrapping>,
    /// Encoding of the text inside the wrapping.
    pub encoding: EncodingChoice,
    /// Threads that unwrap it, where the wrapping lets several.
    pub workers: usize,
    /// Bounds.
    pub limits: SpoolLimits,
    /// Hears of the bytes of the original while it is copied.
    pub listener: Listener,
}

impl<'a> SpoolOptions<'a> {
    /// Defaults, with temporary files in `directory`.
    pub fn new(directory: &'a Path) -> Self {
        SpoolOptions {
            directory,
            wrapping: None,
            encoding: EncodingChoice::default(),
            workers: 1,
            limits: SpoolLimits::default(),
            listener: Listener::default(),
        }
    }
}

/// What a text source was before it became plain UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextKind {
    /// Its wrapping.
    pub wrapping: Wrapping,
    /// Its encoding.
    pub encoding: Encoding,
}

/// Plain UTF-8 text without byte order mark, readable at any offset by many threads.
#[derive(Debug)]
pub struct TextFile {
    body: Body,
    object: Arc<ObjectFile>,
    kind: TextKind,
    mark: &'static [u8],
    not_utf8: Option<NotUtf8>,
}

/// The first byte of a text that is no part of a UTF-8 character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotUtf8 {
    /// Its offset in the text, counted from 0.
    pub byte: u64,
    /// Its line, counted from 1.
    pub line: u64,
}

/// Where the text is read.
#[derive(Debug)]
enum Body {
    /// In the original itself.
    InPlace,
    /// In a copy that a thread of its own makes.
    Copied(Copying),
    /// In another file of so many bytes.
    Other(File, u64),
}

impl TextFile {
    /// What the source was.
    pub fn kind(&self) -> TextKind {
        self.kind
    }

    /// What speaks against UTF-8, where the encoding was found by that.
    pub fn not_utf8(&self) -> Option<NotUtf8> {
        self.not_utf8
    }

    /// Path or name of the original object.
    pub fn path(&self) -> &Path {
        self.object.path()
    }

    /// Length of the plain text in bytes. Of a text that is still being copied, that is known at its end,
    /// which is waited for; whoever reads meanwhile does not ask for it.
    pub fn len(&self) -> u64 {
        match &self.body {
            Body::InPlace => self.object.len() - self.mark.len() as u64,
            Body::Copied(copying) => copying.len(),
            Body::Other(_, bytes) => *bytes,
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the text is read from the original itself.
    pub fn in_place(&self) -> bool {
        matches!(self.body, Body::InPlace)
    }

    /// The byte order mark that was dropped before the text; with the text it is the whole file, if in place.
    pub fn mark(&self) -> &'static [u8] {
        self.mark
    }

    /// Reads up to `buf.len()` bytes of text from `offset` on and says how many; 0 at the end.
    ///
    /// A file in place that has become shorter is `Error::Changed`. What is still being copied is waited for,
    /// and a fault of the wrapping is met where the text before it ends.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let copied = match &self.body {
            Body::Copied(copying) => return copying.read_at(offset, buf),
            Body::Other(file, bytes) => Some((file, *bytes)),
            Body::InPlace => None,
        };
        let len = copied.map_or_else(|| self.len(), |(_, bytes)| bytes);
        let wanted = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX).min(buf.len());
        let read = match copied {
            Some((file, _)) => read_file_at(file, &mut buf[..wanted], offset),
            None => return self.read_object_at(offset, &mut buf[..wanted]),
        };
        read.map_err(|error| Error::io(self.path(), error))
    }

    fn read_object_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        match self.object.read_at(buf, offset + self.mark.len() as u64)? {
            0 if !buf.is_empty() => Err(Error::Changed(self.path().to_owned())),
            count => Ok(count),
        }
    }

    /// The error that is to be told where this one is met in the text: what is wrong in its wrapping makes
    /// text that is wrong.
    pub(crate) fn blame(&self, error: Error) -> Error {
        match (&self.body, error) {
            (_, Error::Stopped) => Error::Stopped,
            (Body::Copied(copying), error) => copying.fault().unwrap_or(error),
            (_, error) => error,
        }
    }

    /// The same text, as far as names and marks go, with `bytes` bytes in `file` in its place.
    pub(crate) fn replaced(&self, file: File, bytes: u64) -> TextFile {
        let (object, kind, mark, not_utf8) = (self.object.clone(), self.kind, self.mark, self.not_utf8);
        TextFile { body: Body::Other(file, bytes), object, kind, mark, not_utf8 }
    }
}

impl ReadAt for crate::file::ObjectFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        crate::file::ObjectFile::read_at(self, buf, offset)
    }

    fn len(&self) -> u64 {
        crate::file::ObjectFile::len(self)
    }

    fn path(&self) -> Option<&Path> {
        Some(crate::file::ObjectFile::path(self))
    }
}

impl ReadAt for TextFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        TextFile::read_at(self, offset, buf)
    }

    fn len(&self) -> u64 {
        TextFile::len(self)
    }

    fn path(&self) -> Option<&Path> {
        Some(TextFile::path(self))
    }

    /// Of what is read in place and has changed, nothing else is wrong.
    fn placed(&self, error: Error) -> Error {
        match self.in_place().then(|| self.object.check_unchanged()) {
            Some(Err(changed)) => changed,
            _ => Origin::new(self).placed(error),
        }
    }
}

/// Opens an object as plain UTF-8 text, in place where possible, else through a temporary file that vanishes
/// with the returned value. That is filled by a thread of its own, so that reading the text begins before it
/// is unwrapped.
///
/// Errors, here or where the text is read: `Malformed` with the byte of the original where a wrapping is
/// broken or cut short, or where UTF-16 has half a pair; `Unsupported` for a byte order mark that contradicts
/// the encoding; `Limit` for bombs and text above `text_bytes_max`; `Io`.
pub fn open_text(object: &Arc<ObjectFile>, options: SpoolOptions<'_>) -> Result<TextFile> {
    open(object, options).map_err(|error| error.in_file(object.path()))
}

fn open(object: &Arc<ObjectFile>, options: SpoolOptions<'_>) -> Result<TextFile> {
    let mut head = [0; HEAD_BYTES];
    let count = object.read_at(&mut head, 0)?;
    let head = &head[..count];
    let wrapping = match options.wrapping.unwrap_or_else(|| wrapping_of(head, object.path())) {
        // Other members may follow where somebody has put files together.
        Wrapping::Bgzf if !are_blocks(object)? => Wrapping::Gzip,
        wrapping => wrapping,
    };
    if wrapping == Wrapping::Raw {
        let (encoding, mark) = transcode::choose(options.encoding, &head[..count.min(4)])?;
        let (object, kind) = (object.clone(), TextKind { wrapping, encoding });
        let text = TextFile { body: Body::InPlace, object, kind, mark, not_utf8: None };
        if encoding == Encoding::Utf8 {
            if options.wrapping.is_none() && options.encoding == EncodingChoice::Mark {
                refuse_damaged(&text.object)?;
            }
            check_text_bytes(&options.limits, text.len())?;
            if options.encoding != EncodingChoice::Guess || transcode::not_utf8(&text)?.is_none() {
                return Ok(text);
            }
        }
    }
    let (choice, limits, directory) = (options.encoding, options.limits, options.directory);
    let copying = Copying::start(object, wrapping, &options)?;
    let (encoding, mark) = copying.chosen()?;
    let (object, kind) = (object.clone(), TextKind { wrapping, encoding });
    let text = TextFile { body: Body::Copied(copying), object, kind, mark, not_utf8: None };
    let guesses = choice == EncodingChoice::Guess && encoding == Encoding::Utf8;
    let not_utf8 = if guesses { transcode::not_utf8(&text)? } else { None };
    if not_utf8.is_some() {
        let (mut file, mut bytes) = (temporary(directory)?, 0);
        transcode::copy(&text, Encoding::Windows1252, &mut |text| {
            bytes += text.len() as u64;
            check_text_bytes(&limits, bytes)?;
            file.write_all(text).map_err(|error| Error::io(directory, error))
        })?;
        let mut guessed = text.replaced(file, bytes);
        guessed.kind.encoding = Encoding::Windows1252;
        guessed.not_utf8 = not_utf8;
        return Ok(guessed);
    }
    Ok(text)
}

/// Refuses an object that its name says is wrapped, and that is neither wrapped so nor text.
fn refuse_damaged(object: &ObjectFile) -> Result<()> {
    let Some(named) = split(object.path()).1 else { return Ok(()) };
    let mut start = [0; START_BYTES];
    let count = object.read_at(&mut start, 0)?;
    let start = &start[..count];
    let is_utf8 = std::str::from_utf8(start).map_or_else(|error| error.error_len().is_none(), |_| true);
    if is_utf8 && !start.contains(&0) {
        return Ok(());
    }
    let name = named.name();
    let what = format!(
        "the name says {name}, but the bytes do not begin like it, and are no text in UTF-8; get the file \
         again, or name the --encoding of the text"
    );
    Err(Error::malformed("file", Place::at_byte(0), what))
}

fn temporary(directory: &Path) -> Result<File> {
    tempfile::tempfile_in(directory).map_err(|error| Error::io(directory, error))
}

fn check_text_bytes(limits: &SpoolLimits, text_bytes: u64) -> Result<()> {
    match limits.text_bytes_max {
        Some(max) if text_bytes > max => Err(Error::Limit {
            place: Box::new(Place::at_byte(max)),
            what: "size of the text in bytes",
            max,
            hint: "allow more if the source is trusted".to_owned(),
        }),
        _ => Ok(()),
    }
}

fn check_bomb(limits: &SpoolLimits, wrapping: Wrapping, text_bytes: u64, read: u64) -> Result<()> {
    check_text_bytes(limits, text_bytes)?;
    let allowed = read.saturating_mul(limits.bomb_ratio_max).max(limits.bomb_bytes_min);
    if wrapping == Wrapping::Raw || text_bytes <= allowed {
        return Ok(());
    }
    Err(Error::Limit {
        place: Box::new(Place::at_byte(text_bytes)),
        what: "expansion ratio of the compressed text",
        max: limits.bomb_ratio_max,
        hint: "unpack it by hand if the source is trusted".to_owned(),
    })
}

/// Fills `buf` from `offset` of a file, as far as it goes.
fn read_file_at(file: &File, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match file.read_at(&mut buf[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
