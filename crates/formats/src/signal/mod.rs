//! Provides signals: named arrays of samples in the containers of others, read from any place and written
//! from the first byte to the last.

mod arrays;
mod cast;
mod columns;
mod directory;
mod encoding;
mod gguf;
mod npy;
mod npz;
mod pictures;
mod registry;
mod rows;
mod safetensors;
mod select;
mod sharded;
mod shards;
mod sounds;
mod through;

use std::path::Path;
use std::sync::Arc;

use coherence::signal::{Array, Signature};

pub use arrays::{Arrays, PART_SAMPLES, Part, parts, samples_of_part};
pub(crate) use arrays::{Extent, Held};
use cast::cast;
pub use columns::{COLUMNS, Layout, Lost, of_table};
pub use encoding::{BLOCK_SAMPLES, Encoding};
pub use pictures::{fractions_for, in_fractions, in_words, of_image, to_image};
pub use registry::SignalFormat;
pub use rows::Rows;
pub use select::{Plan, Stored, idle, may_differ, may_lose, plan, plan_beside, select, widest};
pub use sharded::{Shard, Shards};
pub use shards::{files_of, is_index};
pub use sounds::{Declared, like_sound, to_sound, with_rate_beside};
pub use through::{Alone, Through, alone, through};

use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::media::Codec;
use crate::recognise::empty;
use crate::sound;

/// What writes the bytes of a target around the samples. The samples of an array follow what
/// [`Writer::begin`] gives, in the order of [`Writer::order`], and what [`Writer::finish`] gives follows the
/// last one.
pub trait Writer: Send {
    /// The arrays in the order in which their samples lie in the file, as indexes into the signature.
    fn order(&self) -> &[usize];
    /// The bytes that stand between the samples of the array before and those of this one.
    fn begin(&mut self, array: usize) -> Result<Vec<u8>>;
    /// Takes note of samples on their way into the file, and of what is written for them.
    fn data(&mut self, held: &[u8], written: &Written) -> Result<()>;
    /// The bytes after the last sample.
    fn finish(&mut self) -> Result<Vec<u8>>;
    /// Whether the bytes around the samples depend on no more than how many there are, so that a run can go
    /// on from samples that an earlier one has written.
    fn can_go_on(&self) -> bool;
    /// Takes note of so many bytes of samples that an earlier run has written.
    fn passed(&mut self, _bytes: u64) {}
    /// What makes of samples the bytes that are written, where these are others.
    fn packing(&self) -> Option<Arc<dyn Packing>> {
        None
    }
    /// The beginning of the file, where that is known only at its end; as long as it was written.
    fn patch(&self) -> Option<Vec<u8>> {
        None
    }
}

/// What is written for a part.
#[derive(Debug, Default)]
pub struct Written {
    /// The bytes; none where the samples are written as they are held.
    pub bytes: Vec<u8>,
    /// Lengths of the pieces that they consist of, where the format has such.
    pub lengths: Vec<u32>,
}

/// Packs the parts of a target, each by itself.
pub trait Packing: Send + Sync {
    /// What is written for samples that are held so.
    fn pack(&self, part: &Part, held: &[u8]) -> Result<Written>;
    /// Bytes that are written for so many samples, where that does not depend on what they are.
    fn bytes(&self, _samples: u64) -> Option<u64> {
        None
    }
}

/// Opens a container. What is packed inside it, and cannot be read at any place, is unpacked into a temporary
/// in `spool_dir`.
pub fn open(file: Arc<ObjectFile>, format: SignalFormat, spool_dir: &Path) -> Result<Arrays> {
    open_wanted(file, format, spool_dir, &|_| true)
}

/// The same, where arrays whose names are not wanted may be of types that cannot be read: these are left out.
pub fn open_wanted(
    file: Arc<ObjectFile>,
    format: SignalFormat,
    spool_dir: &Path,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Arrays> {
    let opened = match format {
        format if file.is_empty() => Err(empty(format.name())),
        SignalFormat::Npy => npy::open(file.clone()),
        SignalFormat::Npz => npz::open(file.clone(), spool_dir, wanted),
        SignalFormat::Safetensors => safetensors::open(&file, wanted),
        SignalFormat::Gguf => gguf::open(file.clone(), wanted),
        SignalFormat::Wav => sound::wav::open(file.clone()),
        SignalFormat::Flac => sound::flac::open(file.clone()),
        SignalFormat::Aiff => sound::aiff::open(file.clone()),
        SignalFormat::Opus => sound::opus::open(file.clone(), spool_dir),
        SignalFormat::Vorbis => sound::vorbis::open(file.clone(), spool_dir),
        SignalFormat::Mp3 => sound::mp3::open(file.clone(), spool_dir),
    };
    let arrays = opened.map_err(|error| error.in_file(file.path()))?;
    Ok(if format.is_sound() { arrays } else { sounds::lifted(arrays) })
}

/// What writes a target of this format that holds samples so, one way for each array of the signature.
pub fn writer(format: SignalFormat, signature: &Signature, stored: &[Encoding]) -> Result<Box<dyn Writer>> {
    Ok(match format {
        SignalFormat::Npy => Box::new(npy::NpyWriter::new(signature, stored)?),
        SignalFormat::Npz => Box::new(npz::NpzWriter::new(signature, stored)?),
        SignalFormat::Safetensors => {
            let all = (0..signature.arrays.len()).collect();
            Box::new(safetensors::SafetensorsWriter::new(signature, stored, all)?)
        }
        SignalFormat::Gguf => Box::new(gguf::GgufWriter::new(signature, stored)?),
        SignalFormat::Wav => Box::new(sound::wav::WavWriter::new(signature, stored)?),
        SignalFormat::Flac => Box::new(sound::flac::FlacWriter::new(signature, stored)?),
        SignalFormat::Opus => {
            let what = "opus always loses something, and is not written part by part";
            return Err(Error::unsupported(Place::default(), what, "code it within a budget"));
        }
        SignalFormat::Aiff | SignalFormat::Vorbis | SignalFormat::Mp3 => return Err(only_read(format)),
    })
}

/// The name of an array that has none, in a container that asks for one: as NumPy calls it.
const UNNAMED: &str = "arr_0";

/// The name of an array of a signal in a container that asks for one. Beside others the empty name is one.
fn name_of<'a>(signature: &Signature, array: &'a Array) -> &'a str {
    if array.name.is_empty() && signature.arrays.len() == 1 { UNNAMED } else { &array.name }
}

/// A container that is asked for as a target and is none.
fn only_read(format: SignalFormat) -> Error {
    let what = format!("{} is read here, and not written", format.name());
    let written = Codec::Arrays(format).written_alike();
    Error::unsupported(Place::default(), what, format!("choose one of {written}"))
}

/// An array that a format cannot hold.
fn refused(format: &str, name: &str, what: &str, hint: &str) -> Error {
    let place = Place::default();
    let name = if name.is_empty() { "the array".to_owned() } else { format!("array {name:?}") };
    Error::unsupported(place, format!("{format} cannot hold {name}: {what}"), hint)
}
