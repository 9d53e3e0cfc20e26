//! Provides a seekable, plain UTF-8 view of any text source, and the wrapping of text that is written.
//!
//! A plain UTF-8 regular file is used in place. Everything else (gzip, zstd, UTF-16, Latin-1, Windows-1252,
//! standard input, pipes) is copied once into a temporary file as plain UTF-8, so that decoders can read any
//! part of it again. The wrapping is recognised by content, never by name.
//!
//! Not done here: whether text that claims to be UTF-8 is UTF-8 is checked where it is scanned and decoded.

use std::fs::{File, Metadata};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::listen::Listener;
use crate::{Error, Place, Result};

mod origin;
mod transcode;
mod unwrap;
mod wrap;

pub(crate) use origin::Origin;
pub use transcode::Encoding;
pub(crate) use transcode::Utf8Check;
pub(crate) use unwrap::front;
pub use wrap::Wrap;

use unwrap::Counted;

/// Text below this size is never called a bomb, however well it was packed: it fits on any disk.
pub const BOMB_BYTES_MIN: u64 = 1 << 30;

/// Expansion above this ratio is a bomb once the text is large: gzip cannot pass 1,032, and real tables
/// that zstd packs tighter than this hold next to no information.
pub const BOMB_RATIO_MAX: u64 = 1_000;

/// Bytes asked of a source at once: few calls, and small enough for the processor's cache.
const READ_BYTES: usize = 256 << 10;

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

/// Where text comes from.
pub enum TextSource<'a> {
    /// A file, a FIFO or a device, by name.
    Path(PathBuf),
    /// A file that is open already.
    File {
        /// Name for errors.
        name: PathBuf,
        /// The file; its cursor stands at the start.
        file: File,
    },
    /// A stream that can be read once, such as standard input, with the name that errors give it.
    Stream {
        /// Name for errors, for example `-`.
        name: PathBuf,
        /// The bytes.
        reader: Box<dyn Read + 'a>,
    },
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

/// Sees blocks of bytes go by, in order.
pub type Tap<'a> = &'a mut dyn FnMut(&[u8]);

/// How a source of text is opened.
pub struct SpoolOptions<'a> {
    /// Directory for temporary files.
    pub directory: &'a Path,
    /// Encoding of the text inside the wrapping.
    pub encoding: EncodingChoice,
    /// Bounds.
    pub limits: SpoolLimits,
    /// Sees each byte of the original object in order while it is copied, for hashing. Not called for a file
    /// that is used in place: there the caller reads `TextFile::mark` and then the text itself.
    pub tap: Option<Tap<'a>>,
    /// Hears of the bytes of the original while it is copied.
    pub listener: Listener,
}

impl<'a> SpoolOptions<'a> {
    /// Defaults, with temporary files in `directory`.
    pub fn new(directory: &'a Path) -> Self {
        let (encoding, limits) = (EncodingChoice::default(), SpoolLimits::default());
        SpoolOptions { directory, encoding, limits, tap: None, listener: Listener::default() }
    }
}

/// What a text source was before it became plain UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextKind {
    /// Its wrapping.
    pub wrapping: Wrapping,
    /// Its encoding.
    pub encoding: Encoding,
    /// Whether it is a regular file (else a stream, FIFO or device, which cannot be read twice).
    pub regular: bool,
}

/// A wrapping around text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// None.
    Plain,
    /// One or more gzip members (RFC 1952).
    Gzip,
    /// One or more zstd frames (RFC 8878).
    Zstd,
}

impl Wrapping {
    /// The wrapping of an object, by its first bytes.
    pub fn of_bytes(start: &[u8]) -> Self {
        unwrap::recognise(start)
    }
}

/// Plain UTF-8 text without byte order mark, readable at any offset by many threads.
#[derive(Debug)]
pub struct TextFile {
    file: File,
    path: PathBuf,
    kind: TextKind,
    mark: &'static [u8],
    text_bytes: u64,
    object_bytes: u64,
    /// Size and time of change of the original, where it is a regular file.
    stamp: Option<(u64, Option<SystemTime>)>,
    in_place: bool,
}

impl TextFile {
    /// What the source was.
    pub fn kind(&self) -> TextKind {
        self.kind
    }

    /// Path or name of the original object.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the plain text in bytes.
    pub fn len(&self) -> u64 {
        self.text_bytes
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.text_bytes == 0
    }

    /// Length of the original object in bytes, wrapping and all.
    pub fn object_bytes(&self) -> u64 {
        self.object_bytes
    }

    /// Whether the text is read from the original itself.
    pub fn in_place(&self) -> bool {
        self.in_place
    }

    /// The byte order mark that was dropped before the text; with the text it is the whole file, if in place.
    pub fn mark(&self) -> &'static [u8] {
        self.mark
    }

    /// Reads up to `buf.len()` bytes of text from `offset` on and says how many; 0 at the end.
    ///
    /// A file in place that has become shorter is `Error::Changed`.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let left = self.text_bytes.saturating_sub(offset);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        if wanted == 0 {
            return Ok(0);
        }
        let at = offset + self.mark_bytes();
        loop {
            match file_read_at(&self.file, &mut buf[..wanted], at) {
                Ok(0) => return Err(Error::Changed(self.path.clone())),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(&self.path, error)),
            }
        }
    }

    /// Refuses with `Error::Changed` if the original's size or time of change differ from when it was opened.
    pub fn check_unchanged(&self) -> Result<()> {
        let Some(stamp) = self.stamp else { return Ok(()) };
        let now = std::fs::metadata(&self.path).map_err(|error| Error::io(&self.path, error))?;
        if stamp_of(&now) == stamp { Ok(()) } else { Err(Error::Changed(self.path.clone())) }
    }

    /// The same text, as far as names and marks go, with `bytes` bytes in `file` in its place.
    pub(crate) fn replaced(&self, file: File, bytes: u64) -> TextFile {
        TextFile {
            file,
            path: self.path.clone(),
            kind: self.kind,
            mark: self.mark,
            text_bytes: bytes,
            object_bytes: self.object_bytes,
            stamp: self.stamp,
            in_place: false,
        }
    }

    fn mark_bytes(&self) -> u64 {
        if self.in_place { self.mark.len() as u64 } else { 0 }
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
        self.text_bytes
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    /// Of what is read in place and has changed, nothing else is wrong.
    fn placed(&self, error: Error) -> Error {
        match self.in_place.then(|| self.check_unchanged()) {
            Some(Err(changed)) => changed,
            _ => Origin::new(self).placed(error),
        }
    }
}

/// Opens `source` as plain UTF-8 text, in place where possible, else through a temporary file that vanishes
/// with the returned value.
///
/// Errors: `Malformed` with the byte of the original where a gzip member or zstd frame is broken or cut
/// short, or where UTF-16 has half a pair; `Unsupported` for a byte order mark that contradicts the encoding;
/// `Limit` for bombs and text above `text_bytes_max`; `Io`.
pub fn open_text(source: TextSource<'_>, options: SpoolOptions<'_>) -> Result<TextFile> {
    let name = match &source {
        TextSource::Path(path) => path.clone(),
        TextSource::File { name, .. } | TextSource::Stream { name, .. } => name.clone(),
    };
    open(source, options).map_err(|error| error.in_file(&name))
}

fn open(source: TextSource<'_>, options: SpoolOptions<'_>) -> Result<TextFile> {
    let (path, file) = match source {
        TextSource::Stream { name, reader } => return spool(name, reader, None, options),
        TextSource::File { name, file } => (name, file),
        TextSource::Path(path) => {
            let file = File::open(&path).map_err(|error| Error::io(&path, error))?;
            (path, file)
        }
    };
    let metadata = file.metadata().map_err(|error| Error::io(&path, error))?;
    if metadata.is_dir() {
        return Err(Error::Misuse(format!("{} is a directory, not a file", path.display())));
    }
    if metadata.is_file()
        && let Some(text) = open_in_place(&file, &path, &metadata, &options)?
    {
        return Ok(text);
    }
    let regular = metadata.is_file().then_some(metadata);
    spool(path, Box::new(file), regular.as_ref(), options)
}

/// A regular file that is plain UTF-8 as far as its first bytes tell.
fn open_in_place(
    file: &File,
    path: &Path,
    metadata: &Metadata,
    options: &SpoolOptions<'_>,
) -> Result<Option<TextFile>> {
    let mut head = [0; 4];
    let count = read_head(file, &mut head).map_err(|error| Error::io(path, error))?;
    let head = &head[..count];
    let (encoding, mark) = transcode::choose(options.encoding, head)?;
    if unwrap::recognise(head) != Wrapping::Plain || encoding != Encoding::Utf8 {
        return Ok(None);
    }
    let object_bytes = metadata.len();
    let text = TextFile {
        file: file.try_clone().map_err(|error| Error::io(path, error))?,
        path: path.to_owned(),
        kind: TextKind { wrapping: Wrapping::Plain, encoding, regular: true },
        mark,
        text_bytes: object_bytes - mark.len() as u64,
        object_bytes,
        stamp: Some(stamp_of(metadata)),
        in_place: true,
    };
    check_text_bytes(&options.limits, text.text_bytes)?;
    if options.encoding == EncodingChoice::Guess && !transcode::is_utf8(&text)? {
        return Ok(None);
    }
    Ok(Some(text))
}

fn read_head(file: &File, head: &mut [u8]) -> std::io::Result<usize> {
    let mut count = 0;
    while count < head.len() {
        match file_read_at(file, &mut head[count..], count as u64)? {
            0 => break,
            more => count += more,
        }
    }
    Ok(count)
}

fn spool(
    path: PathBuf,
    reader: Box<dyn Read + '_>,
    metadata: Option<&Metadata>,
    options: SpoolOptions<'_>,
) -> Result<TextFile> {
    let SpoolOptions { directory, encoding: choice, limits, tap, listener } = options;
    let mut counted = Counted::new(reader, tap, READ_BYTES);
    let head = counted.head(4).map_err(|error| Error::io(&path, error))?;
    let wrapping = unwrap::recognise(head);
    let mut sink = Sink::new(directory)?;
    let mut transcoder = transcode::Transcoder::new(choice);
    let mut heard = 0;
    let mut text = |bytes: &[u8], last: bool, read: u64| {
        listener.hear(read.saturating_sub(heard))?;
        heard = heard.max(read);
        transcoder.feed(bytes, last, &mut |text: &[u8]| sink.write(text))?;
        check_bomb(&limits, wrapping, sink.bytes, read)
    };
    unwrap::unwrap(&path, wrapping, &mut counted, &mut text)?;
    let object_bytes = counted.position();
    let (encoding, mark) = transcoder.outcome();
    let mut opened = TextFile {
        text_bytes: sink.bytes,
        file: sink.file,
        path,
        kind: TextKind { wrapping, encoding, regular: metadata.is_some() },
        mark,
        object_bytes,
        stamp: metadata.map(stamp_of),
        in_place: false,
    };
    if choice == EncodingChoice::Guess && encoding == Encoding::Utf8 && !transcode::is_utf8(&opened)? {
        let mut sink = Sink::new(directory)?;
        transcode::copy(&opened, Encoding::Windows1252, &mut |text| sink.write(text))?;
        check_text_bytes(&limits, sink.bytes)?;
        opened.text_bytes = sink.bytes;
        opened.file = sink.file;
        opened.kind.encoding = Encoding::Windows1252;
    }
    Ok(opened)
}

/// The temporary file behind a spooled source.
struct Sink {
    file: File,
    directory: PathBuf,
    bytes: u64,
}

impl Sink {
    fn new(directory: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(directory).map_err(|error| Error::io(directory, error))?;
        Ok(Sink { file, directory: directory.to_owned(), bytes: 0 })
    }

    fn write(&mut self, text: &[u8]) -> Result<()> {
        self.bytes += text.len() as u64;
        self.file.write_all(text).map_err(|error| Error::io(&self.directory, error))
    }
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
    if wrapping == Wrapping::Plain || text_bytes <= allowed {
        return Ok(());
    }
    Err(Error::Limit {
        place: Box::new(Place::at_byte(text_bytes)),
        what: "expansion ratio of the compressed text",
        max: limits.bomb_ratio_max,
        hint: "unpack it by hand if the source is trusted".to_owned(),
    })
}

fn stamp_of(metadata: &Metadata) -> (u64, Option<SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}

#[cfg(unix)]
fn file_read_at(file: &File, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

#[cfg(windows)]
fn file_read_at(file: &File, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, offset)
}

#[cfg(test)]
mod tests;
