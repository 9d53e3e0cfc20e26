//! Provides the content of an object as one stream: all members, frames or streams of a file, one after
//! another, each checked by what its format has for that.
//!
//! A byte that belongs to no member is an error: it may be the rest of a broken one, and dropping it would
//! lose the tail of a file in silence. Allowed are the zeros that tapes add to gzip, the padding of xz, and
//! frames of zstd and lz4 that are there to be skipped.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::input::Input;
use super::{Codec, bgzf, brotli, bzip2, gzip, lz4, xz, zstd};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::guard::guarded;
use crate::limits::DECODER_WINDOW_BYTES_MAX;

/// One member, frame or stream being decoded. It owns the input until it is done.
pub(super) trait Member: Send {
    /// Fills `out` with the next bytes of content; 0 only at the end of the member, which then has passed all
    /// of its checks.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize>;

    /// The input.
    fn input(&mut self) -> &mut Input;

    /// Bytes of content that its head states, where it does and the decoder does not check it.
    fn stated(&self) -> Option<u64> {
        None
    }

    /// Gives the input back; its next byte is the first one after the member.
    fn into_input(self: Box<Self>) -> Input;
}

/// Makes a member of a library's decoder that owns its input.
macro_rules! member {
    ($decoder:ty) => {
        impl Member for $decoder {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                io::Read::read(self, out)
            }

            fn input(&mut self) -> &mut Input {
                self.get_mut()
            }

            fn into_input(self: Box<Self>) -> Input {
                (*self).into_inner()
            }
        }
    };
}

member!(::bzip2::bufread::BzDecoder<Input>);
member!(flate2::bufread::GzDecoder<Input>);
member!(liblzma::bufread::XzDecoder<Input>);

/// What begins at some place of an object.
pub(super) enum Next {
    /// A member.
    Member(Box<dyn Member>),
    /// Nothing more.
    End(Input),
}

/// What a reader has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Members, frames, streams, or blocks of BGZF.
    pub members: u64,
    /// Bytes of content.
    pub bytes: u64,
}

enum State {
    Between(Input),
    Within(Box<dyn Member>),
    Done(u64),
    Broken,
}

/// The content of an object, or of a stretch of it that holds whole members.
pub struct BytesReader {
    codec: Codec,
    state: State,
    totals: Totals,
    /// Bytes of content up to the beginning of the member.
    before: u64,
    file: Arc<ObjectFile>,
    start: u64,
    window_bytes_max: u64,
}

impl BytesReader {
    /// Reads a whole object.
    pub fn new(codec: Codec, file: Arc<ObjectFile>) -> Self {
        let end = file.len();
        Self::range(codec, file, 0..end)
    }

    /// Reads whole members that lie in a stretch of an object.
    pub fn range(codec: Codec, file: Arc<ObjectFile>, range: Range<u64>) -> Self {
        let (start, input) = (range.start, Input::new(file.clone(), range));
        let (state, totals) = (State::Between(input), Totals::default());
        let window_bytes_max = DECODER_WINDOW_BYTES_MAX;
        BytesReader { codec, state, totals, before: 0, file, start, window_bytes_max }
    }

    /// The same, which refuses members whose window is larger.
    pub(super) fn within(self, window_bytes_max: u64) -> Self {
        BytesReader { window_bytes_max, ..self }
    }

    /// How the object is wrapped.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Fills `out` as far as there is content; fewer bytes only at its end.
    ///
    /// # Errors
    /// `Malformed` with the byte of the object where a member is broken, is cut short, or is none; `Limit`
    /// where decoding would take too much memory. The reader is of no more use then.
    pub fn fill(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < out.len() {
            match std::mem::replace(&mut self.state, State::Broken) {
                State::Between(input) => {
                    self.before = self.totals.bytes;
                    self.state = match self.begin(input)? {
                        Next::Member(member) => State::Within(member),
                        Next::End(input) => State::Done(input.position()),
                    };
                }
                State::Within(mut member) => {
                    let at = member.input().position();
                    let read = guarded(self.codec.name(), || Ok(member.read(&mut out[filled..])));
                    match read.map_err(|error| error.or_at(at))? {
                        Ok(0) => self.state = State::Between(self.close(member)?),
                        Ok(count) => {
                            filled += count;
                            self.totals.bytes += count as u64;
                            self.state = State::Within(member);
                        }
                        Err(error) => return Err(self.fault(&error, member.input())),
                    }
                }
                State::Done(at) => {
                    self.state = State::Done(at);
                    break;
                }
                State::Broken => return Err(Error::Bug("a reader was used after its error".into())),
            }
        }
        Ok(filled)
    }

    /// What was seen so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Offset in the object of what is decoded next.
    pub fn position(&mut self) -> u64 {
        match &mut self.state {
            State::Between(input) => input.position(),
            State::Within(member) => member.input().position(),
            State::Done(at) => *at,
            State::Broken => self.start,
        }
    }

    fn begin(&mut self, mut input: Input) -> Result<Next> {
        let first = self.totals.members == 0;
        if first && self.codec != Codec::Raw && input.is_at_end()? {
            let what = "there are no bytes at all".to_owned();
            return Err(self.malformed(input.position(), what));
        }
        let next = match self.codec {
            Codec::Raw => raw(input)?,
            Codec::Gzip => gzip::next(input, first)?,
            Codec::Bgzf => bgzf::next(input)?,
            Codec::Zstd => zstd::next(input, self.window_bytes_max)?,
            Codec::Xz => xz::next(input, first, self.window_bytes_max)?,
            Codec::Bzip2 => bzip2::next(input)?,
            Codec::Lz4 => lz4::next(input)?,
            Codec::Brotli => brotli::next(input, first)?,
        };
        if let Next::Member(_) = &next {
            self.totals.members += 1;
        }
        Ok(next)
    }

    /// Takes the input out of a member that has ended, and checks the size that its trailer states.
    fn close(&mut self, member: Box<dyn Member>) -> Result<Input> {
        let found = self.totals.bytes - self.before;
        if let Some(stated) = member.stated().filter(|stated| *stated != found) {
            let what = format!("the member states {stated} bytes of content, and holds {found}");
            return Err(self.malformed(member.into_input().position(), what));
        }
        let input = member.into_input();
        if self.codec == Codec::Gzip {
            // The decoder checks this as well; here it is read from the object, apart from the decoder.
            let mut stated = [0; 4];
            let at = input.position().saturating_sub(4);
            self.file.read_exact_at(&mut stated, at)?;
            if u32::from_le_bytes(stated) != found as u32 {
                let what = format!("the member states another size than the {found} bytes that it holds");
                return Err(self.malformed(at, what));
            }
        }
        Ok(input)
    }

    fn malformed(&self, at: u64, what: String) -> Error {
        Error::malformed(self.codec.name(), Place::at_byte(at), what)
    }

    /// Tells a fault of the system and a want of memory from a fault of the bytes.
    fn fault(&self, error: &io::Error, input: &mut Input) -> Error {
        if let Some(error) = input.take_failure() {
            return error;
        }
        let text = error.to_string();
        let at = input.position();
        if text.contains("too much memory") || text.contains("memory limit") {
            return Error::Limit {
                place: Box::new(Place::at_byte(at)),
                what: "memory for the window of a decoder in bytes",
                max: self.window_bytes_max,
                hint: "unpack it with the tool that packed it".to_owned(),
            };
        }
        let what = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the file is cut short inside a member".to_owned(),
            _ => text,
        };
        self.malformed(at, what)
    }
}

/// The next member begins with bytes that no member begins with.
pub(super) fn garbage(codec: Codec, input: &mut Input, what: &str) -> Error {
    Error::malformed(codec.name(), Place::at_byte(input.position()), what.to_owned())
}

/// A file without any wrapping is one member.
struct Raw(Input);

fn raw(mut input: Input) -> Result<Next> {
    Ok(if input.is_at_end()? { Next::End(input) } else { Next::Member(Box::new(Raw(input))) })
}

impl Member for Raw {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut self.0, out)
    }

    fn input(&mut self) -> &mut Input {
        &mut self.0
    }

    fn into_input(self: Box<Self>) -> Input {
        self.0
    }
}
