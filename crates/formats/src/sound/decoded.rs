//! Provides the place of samples that come out of a decoder from first to last: a temporary without a name,
//! in which they can be read at any place.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Shape;
use super::tags::{self, Found};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::limits::{BOMB_RATIO_MAX, DECODED_SOUND_BYTES_MIN};
use crate::signal::{Arrays, Extent, Held};

/// Bytes that are written at once.
const BLOCK_BYTES: usize = 256 << 10;

/// Samples on their way into a temporary.
pub(crate) struct Decoded {
    spool: BufWriter<File>,
    dir: PathBuf,
    bytes: u64,
    bytes_max: u64,
}

impl Decoded {
    /// A temporary in a directory, for what a file holds.
    pub fn new(dir: &Path, file: &ObjectFile) -> Result<Self> {
        let spool = tempfile::tempfile_in(dir).map_err(|error| Error::io(dir, error))?;
        let bytes_max = file.len().saturating_mul(BOMB_RATIO_MAX).max(DECODED_SOUND_BYTES_MIN);
        let spool = BufWriter::with_capacity(BLOCK_BYTES, spool);
        Ok(Self { spool, dir: dir.to_owned(), bytes: 0, bytes_max })
    }

    /// Takes samples, little-endian, of channels that lie side by side; `at` is where they came from.
    pub fn push(&mut self, samples: &[u8], at: u64) -> Result<()> {
        self.bytes += samples.len() as u64;
        if self.bytes > self.bytes_max {
            let (what, max) = ("the bytes of the samples of a sound", self.bytes_max);
            let hint = "more than this is not believed of so few packed bytes".to_owned();
            return Err(Error::Limit { place: Box::new(Place::at_byte(at)), what, max, hint });
        }
        self.spool.write_all(samples).map_err(|error| Error::io(&self.dir, error))
    }

    /// The sound: of what was taken, the frames of its shape from the frame `begin` on.
    pub fn finish(
        self,
        format: &'static str,
        file: &ObjectFile,
        begin: u64,
        shape: &Shape,
        rate: u32,
        mut found: Found,
    ) -> Result<Arrays> {
        let spool = self.spool.into_inner().map_err(|error| Error::io(&self.dir, error.into_error()))?;
        let spool = Arc::new(ObjectFile::from_file(spool, file.path())?);
        found.add(tags::RATE.into(), rate.to_string().into_bytes())?;
        let extent = Extent {
            file: spool,
            offset: begin * shape.channels * shape.sample.width() as u64,
            encoding: shape.sample.into(),
            big_endian: false,
            column_major: false,
            held: Held::Plain,
        };
        let ignored = std::mem::take(&mut found.ignored);
        Arrays::of_sound(format, shape.array(), extent, found.finish(), ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_samples_than_packed_bytes_are_believed_to_hold_are_an_error() {
        let file = crate::sound::tests::file(b"packed");
        let mut decoded = Decoded::new(&std::env::temp_dir(), &file).unwrap();
        assert_eq!(decoded.bytes_max, DECODED_SOUND_BYTES_MIN);
        decoded.bytes_max = 10;
        decoded.push(&[0; 8], 3).unwrap();
        let told = decoded.push(&[0; 8], 4).unwrap_err();
        assert!(matches!(&told, Error::Limit { place, max: 10, .. } if place.byte == Some(4)), "{told}");
    }
}
