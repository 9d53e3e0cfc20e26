//! Provides the ear that long work inside this crate speaks to: it hears how many bytes are done, and can ask
//! to stop.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::spool::{ReadAt, TextFile};

/// Hears of bytes as they are read; an error of it stops the work. The default hears nothing.
#[derive(Clone, Default)]
pub struct Listener(Option<Arc<Hear>>);

type Hear = dyn Fn(u64) -> Result<()> + Send + Sync;

impl Listener {
    /// A listener that calls this.
    pub fn new(hear: impl Fn(u64) -> Result<()> + Send + Sync + 'static) -> Self {
        Listener(Some(Arc::new(hear)))
    }

    /// Tells of bytes that were read.
    pub fn hear(&self, bytes: u64) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |hear| hear(bytes))
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Listener(some)" } else { "Listener(none)" })
    }
}

/// A text that tells of each read. The bytes of a copy were told of when it was made, so that reading it only
/// asks whether to stop.
pub(crate) struct Heard<'a> {
    /// The text.
    pub text: &'a TextFile,
    /// Who hears of it.
    pub listener: &'a Listener,
}

impl ReadAt for Heard<'_> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let count = self.text.read_at(offset, buf)?;
        self.listener.hear(if self.text.in_place() { count as u64 } else { 0 })?;
        Ok(count)
    }

    fn len(&self) -> u64 {
        self.text.len()
    }

    fn path(&self) -> Option<&Path> {
        Some(self.text.path())
    }

    fn placed(&self, error: Error) -> Error {
        self.text.placed(error)
    }
}
