//! Provides the wrapping of text that is written, part by part.

use std::borrow::Cow;

use crate::bytes::{Codec, Encoder, Settings, bgzf, brotli};
use crate::limits::WRAPPED_BYTES_MAX;
use crate::pieces::Pieces;
use crate::{Error, Result};

/// Wrapping of text that is written: what goes around it at which level, if anything does.
///
/// A wrapped text is what [`Wrap::begin`] gives, any number of wrapped pieces, and what [`Wrap::end`] gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wrap(Option<Settings>);

impl Wrap {
    /// No wrapping.
    pub const NONE: Wrap = Wrap(None);

    /// A wrapping at a level that it has.
    pub fn new(settings: Settings) -> Self {
        Wrap(Some(settings).filter(|settings| settings.codec != Codec::Raw))
    }

    /// What goes around the text.
    pub fn settings(&self) -> Option<Settings> {
        self.0
    }

    /// What it is.
    pub fn codec(&self) -> Codec {
        self.0.map_or(Codec::Raw, |settings| settings.codec)
    }

    /// The one member that a whole text becomes, where its pieces are no members of their own: they stay as
    /// they are, and an [`crate::bytes::Outlet`] makes it.
    pub fn member(&self) -> Option<Settings> {
        self.0.filter(|settings| settings.codec != Codec::Brotli && !Encoder::is_apart(*settings))
    }

    /// What stands before the first piece.
    pub fn begin(&self) -> Vec<u8> {
        match self.codec() {
            Codec::Brotli => brotli::BEGIN.to_vec(),
            _ => Vec::new(),
        }
    }

    /// What stands behind the last piece. A text without one is a member all the same: most formats have no
    /// file of no bytes.
    pub fn end(&self, is_empty: bool) -> Result<Vec<u8>> {
        Ok(match self.codec() {
            Codec::Brotli => brotli::END.to_vec(),
            Codec::Bgzf => bgzf::close(),
            _ if is_empty => self.wrap(b"")?.into_owned(),
            _ => Vec::new(),
        })
    }

    /// The bytes of a part, wrapped as one or, where they are many, as several; no bytes stay none.
    pub fn wrap_pieces(&self, pieces: Pieces) -> Result<Pieces> {
        if self.0.is_none() || self.member().is_some() {
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

    /// `bytes` as one piece that depends on nothing before it. Pieces are written one after another, so parts
    /// can be wrapped apart. The result depends on `bytes` and level alone: no name, no time.
    pub fn wrap<'b>(&self, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>> {
        let go_on = || Ok(());
        Ok(match self.0 {
            _ if self.member().is_some() => Cow::Borrowed(bytes),
            None => Cow::Borrowed(bytes),
            Some(Settings { codec: Codec::Brotli, level }) => Cow::Owned(brotli::piece(level, bytes)?),
            Some(settings) => Cow::Owned(Encoder::packed(settings, bytes, &go_on)?),
        })
    }
}
