//! Provides the wrapping of text that is written, part by part.

use std::borrow::Cow;
use std::io::Write;

use crate::limits::WRAPPED_BYTES_MAX;
use crate::pieces::Pieces;
use crate::{Error, Result};

/// Wrapping of text that is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wrap {
    /// None.
    #[default]
    None,
    /// gzip at a level of 0 to 9.
    Gzip(u32),
    /// zstd at a level of 1 to 22.
    Zstd(i32),
}

impl Wrap {
    /// The bytes of a part, wrapped as one or, where they are many, as several; no bytes stay none.
    pub fn wrap_pieces(&self, pieces: Pieces) -> Result<Pieces> {
        if *self == Wrap::None {
            return Ok(pieces);
        }
        let (mut wrapped, mut waiting) = (Pieces::default(), Vec::new());
        pieces.each(|mut piece| {
            while waiting.len() + piece.len() > WRAPPED_BYTES_MAX {
                let (head, rest) = piece.split_at(WRAPPED_BYTES_MAX - waiting.len());
                waiting.extend_from_slice(head);
                wrapped.push(self.wrap(&waiting)?.into_owned())?;
                waiting.clear();
                piece = rest;
            }
            waiting.extend_from_slice(piece);
            Ok::<(), Error>(())
        })?;
        if !waiting.is_empty() {
            wrapped.push(self.wrap(&waiting)?.into_owned())?;
        }
        Ok(wrapped)
    }

    /// `bytes` as one independent gzip member or zstd frame. Members written one after another are a valid
    /// file, so parts can be wrapped apart. The result depends on `bytes` and level alone: no name, no time.
    pub fn wrap<'b>(&self, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>> {
        let bug = |error: std::io::Error| Error::Bug(format!("compression in memory failed: {error}"));
        match *self {
            Wrap::None => Ok(Cow::Borrowed(bytes)),
            Wrap::Gzip(level @ 0..=9) => {
                // 255 is "unknown system": the default would differ between machines.
                let mut member = flate2::GzBuilder::new()
                    .mtime(0)
                    .operating_system(255)
                    .write(Vec::with_capacity(bytes.len() / 3 + 64), flate2::Compression::new(level));
                member.write_all(bytes).map_err(bug)?;
                Ok(Cow::Owned(member.finish().map_err(bug)?))
            }
            Wrap::Zstd(level @ 1..=22) => {
                let mut compressor = zstd::bulk::Compressor::new(level).map_err(bug)?;
                compressor.include_checksum(true).map_err(bug)?;
                Ok(Cow::Owned(compressor.compress(bytes).map_err(bug)?))
            }
            Wrap::Gzip(level) => Err(Error::Misuse(format!("gzip level {level} is not within 0 to 9"))),
            Wrap::Zstd(level) => Err(Error::Misuse(format!("zstd level {level} is not within 1 to 22"))),
        }
    }
}
