//! Provides what must hold of any bytes whatever: the oracles behind the fuzz targets in the folder `fuzz`.
//!
//! Each oracle takes bytes from anywhere and says which law they broke. A refusal that names its place is no
//! breach; a panic of our own, a refusal without a place, and a result that does not survive are.
//!
//! Not done here: bounds on time and memory. They are those of the process that calls.

mod arrays;
mod bytes;
mod csv;
mod image;
mod jsonl;
mod media;
mod record;
mod sound;
mod spool;
mod table;
mod typing;

use std::fmt::Debug;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

pub use arrays::{arrays, arrays_of, index, seeds as array_seeds};
pub use bytes::{bytes, bytes_of};
pub use csv::csv_parts;
pub use image::{attributes, image, image_of};
pub use jsonl::jsonl_parts;
pub use media::media_types;
pub use record::record;
pub use sound::{seeds as sound_seeds, sound, sound_of};
pub use spool::spool;
pub use table::{any, table_of};
pub use typing::typing;

use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::spool::ReadAt;

/// Whether the laws hold; else the one that does not, in a sentence, with what was seen.
pub type Held = std::result::Result<(), String>;

fn law(holds: bool, broken: impl FnOnce() -> String) -> Held {
    if holds { Ok(()) } else { Err(broken()) }
}

fn same<T: PartialEq + Debug>(left: &T, right: &T, law: &str) -> Held {
    self::law(left == right, || format!("{law}:\n  {left:?}\n  {right:?}"))
}

/// A refusal is right where it blames the bytes, or says what this program does not carry, and names a place.
fn refusal(error: &Error) -> Held {
    let place = match error {
        Error::Malformed { place, .. } | Error::Unsupported { place, .. } | Error::Limit { place, .. } => {
            place
        }
        other => return Err(format!("bytes alone led to: {other}")),
    };
    law(**place != Place::default(), || format!("a refusal without a place: {error}"))
}

/// A file of these bytes under a name that no directory lists.
fn file(bytes: &[u8], name: &str) -> Result<Arc<ObjectFile>> {
    let failed = |error| Error::io(name, error);
    let mut file = tempfile::tempfile().map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    Ok(Arc::new(ObjectFile::from_file(file, Path::new(name))?))
}

/// Bytes of which no read gives more than a few.
struct Trickle<'a> {
    bytes: &'a [u8],
    at_most: usize,
}

impl ReadAt for Trickle<'_> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let count = buf.len().min(self.at_most);
        self.bytes.read_at(offset, &mut buf[..count])
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// The first byte, of which an oracle makes choices, and the others.
fn choice(bytes: &[u8]) -> (u8, &[u8]) {
    bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest))
}

#[cfg(test)]
mod tests;
