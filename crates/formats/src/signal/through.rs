//! Provides arrays on their way through a container: each part is written as that container and read again,
//! in memory, when it is asked for.
//!
//! A part is a container of its own with one array, so the samples pass the writer and the reader of the
//! format; what stands beside them is checked once, by the head that the whole would have.

use std::ops::Range;
use std::sync::Arc;

use coherence::sample::SampleType;
use coherence::signal::{Array, Signature};

use super::arrays::{Arrays, Part, Samples};
use super::{BLOCK_SAMPLES, Encoding, Plan, SignalFormat, Stored, Written, open, plan, writer};
use crate::error::{Error, Result};
use crate::file::ObjectFile;
use crate::memory;
use crate::sound::{is_sound, tags};

/// Arrays that were led through a container.
pub struct Through {
    /// What comes out of it.
    pub arrays: Arrays,
    /// How it held each array.
    pub stored: Vec<Stored>,
    /// The keys of attributes that it could not hold.
    pub dropped: Vec<String>,
}

/// Leads arrays through a container, their floating-point samples held as `asked` where that is given.
/// Attributes that it cannot hold are left out where `drop` says so.
///
/// # Errors
/// Arrays, samples or attributes that the container cannot hold.
pub fn through(arrays: Arrays, format: SignalFormat, asked: Option<Encoding>, drop: bool) -> Result<Through> {
    let Plan { source, stored, dropped } = plan(arrays, format, asked, drop)?;
    let encodings: Vec<Encoding> = stored.iter().map(|stored| stored.encoding).collect();
    // Its head is made to find out whether it can be.
    writer(format, source.signature(), &encodings)?;
    let signature = held_as(source.signature(), format, &encodings);
    let Some(file) = source.file() else { return Err(Error::Misuse("there is no array".into())) };
    let ignored = source.ignored().to_vec();
    let files = source.files().to_vec();
    let passage: Arc<dyn Samples> = Arc::new(Passage { source, format, encodings });
    let out = Arrays::elsewhere("array", file, signature.arrays, signature.attributes, &passage)?;
    Ok(Through { arrays: out.ignoring(ignored).of_files(files), stored, dropped })
}

/// What a container tells of these arrays when it is read.
fn held_as(signature: &Signature, format: SignalFormat, encodings: &[Encoding]) -> Signature {
    let array = |(array, encoding): (&Array, &Encoding)| {
        let mut array = Array { sample: type_after(array, *encoding), ..array.clone() };
        if !format.tells_sounds() {
            array.meaning.clear();
            array.peak = None;
        }
        match format {
            SignalFormat::Npy => array.name.clear(),
            _ if array.name.is_empty() && signature.arrays.len() == 1 => {
                super::UNNAMED.clone_into(&mut array.name)
            }
            _ => {}
        }
        array
    };
    let arrays = signature.arrays.iter().zip(encodings).map(array).collect();
    Signature { arrays, attributes: signature.attributes.clone() }
}

/// The sample type of an array behind a container. A sound keeps its own, which those that make sounds hold.
fn type_after(array: &Array, encoding: Encoding) -> SampleType {
    if is_sound(array) { array.sample } else { encoding.sample() }
}

/// The container on the way.
#[derive(Debug)]
struct Passage {
    source: Arrays,
    format: SignalFormat,
    encodings: Vec<Encoding>,
}

impl Samples for Passage {
    fn read(&self, array: usize, samples: Range<u64>, out: &mut Vec<u8>) -> Result<()> {
        let (described, encoding) = (&self.source.signature().arrays[array], self.encodings[array]);
        // Whole frames of a sound, and whole blocks.
        let unit = match (encoding, described.shape.as_slice()) {
            (_, [_, channels]) if is_sound(described) => *channels,
            (Encoding::Plain(_), _) => 1,
            _ => BLOCK_SAMPLES as u64,
        };
        let start = samples.start - samples.start % unit.max(1);
        let end = samples.end.next_multiple_of(unit.max(1));
        let (mut held, mut found) = (Vec::new(), Vec::new());
        self.source.read(&Part { array, samples: start..end }, &mut held, &mut found)?;
        held.clear();
        encoding.encode(described.sample, &found, &mut held);
        let made = alone(self.format, self.source.signature(), (array, encoding), (end - start, &held))?;
        let again = open(made.file, self.format, &std::env::temp_dir())?;
        if again.encoding(0) != encoding.in_file() {
            return Err(Error::Bug(format!("{} holds samples in another way", self.format.name())));
        }
        again.read(&Part { array: 0, samples: 0..end - start }, &mut held, out)?;
        let after = type_after(described, encoding);
        if after != encoding.sample() {
            let narrow = std::mem::take(out);
            Encoding::Plain(encoding.sample()).decode(&narrow, after, out);
        }
        let width = after.width() as u64;
        let cut = |at: u64| usize::try_from((at - start) * width).unwrap_or(usize::MAX);
        out.truncate(cut(samples.end));
        out.drain(..cut(samples.start));
        Ok(())
    }
}

/// A run of samples of one array as a container of its own, in memory.
pub struct Alone {
    /// The container.
    pub file: Arc<ObjectFile>,
    /// The samples that it holds: those that make whole frames of a sound.
    pub samples: u64,
}

/// Makes a container of a run of samples of an array, which are held so, in an encoding.
///
/// # Errors
/// Samples beyond the range that the array declares.
pub fn alone(
    format: SignalFormat,
    signature: &Signature,
    (array, encoding): (usize, Encoding),
    (count, held): (u64, &[u8]),
) -> Result<Alone> {
    let described = &signature.arrays[array];
    let (count, shape) = match described.shape.as_slice() {
        [_, channels] if *channels > 0 && is_sound(described) => {
            (count - count % channels, vec![count / channels, *channels])
        }
        _ if matches!(encoding, Encoding::Plain(_)) => (count, vec![count]),
        _ => (count, vec![1, count]),
    };
    let bytes = encoding.held_bytes(count).and_then(|bytes| usize::try_from(bytes).ok());
    let held = bytes.and_then(|bytes| held.get(..bytes));
    let held = held.ok_or_else(|| Error::Bug("fewer samples than were told of".into()))?;
    let rate = signature.attributes.iter().filter(|(key, _)| key == tags::RATE).cloned();
    let signature =
        Signature { arrays: vec![Array { shape, ..described.clone() }], attributes: rate.collect() };
    let mut writer = writer(format, &signature, &[encoding])?;
    let mut head = writer.begin(0)?;
    let written = match writer.packing() {
        Some(packing) => packing.pack(&Part { array: 0, samples: 0..count }, held)?,
        None => Written::default(),
    };
    writer.data(held, &written)?;
    let body = if writer.packing().is_some() { &written.bytes } else { held };
    let tail = writer.finish()?;
    if let Some(patch) = writer.patch() {
        head = patch;
    }
    let file = memory::object(&[&head, body, &tail])?;
    Ok(Alone { file, samples: count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{Declared, to_sound};

    /// An npy of 3 rows × 64 columns.
    fn source() -> Arrays {
        let mut npy = b"\x93NUMPY\x01\x00\x46\x00".to_vec();
        npy.extend(
            format!("{:69}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 64), }").as_bytes(),
        );
        npy.extend((0..192u16).flat_map(|at| (f32::from(at) * 0.37 - 30.0).to_le_bytes()));
        open(memory::object(&[&npy]).unwrap(), SignalFormat::Npy, &std::env::temp_dir()).unwrap()
    }

    fn read(arrays: &Arrays, samples: Range<u64>) -> Vec<u8> {
        let mut out = Vec::new();
        arrays.read(&Part { array: 0, samples }, &mut Vec::new(), &mut out).unwrap();
        out
    }

    #[test]
    fn every_container_gives_the_samples_back() {
        let source = source();
        for format in SignalFormat::ALL.into_iter().filter(|format| !format.is_sound()) {
            let led = through(source.clone(), format, None, false).unwrap().arrays;
            assert_eq!(led.signature().arrays[0].shape, [3, 64]);
            // GGUF holds no array without samples.
            let none = (format != SignalFormat::Gguf).then_some(0..0);
            for samples in [0..192, 5..6, 31..100].into_iter().chain(none) {
                assert_eq!(read(&led, samples.clone()), read(&source, samples), "{format:?}");
            }
        }
    }

    #[test]
    fn a_sample_type_narrows_as_the_container_holds_it() {
        let source = source();
        for encoding in [Encoding::Q8_0, Encoding::Plain(SampleType::Bf16)] {
            let led = through(source.clone(), SignalFormat::Gguf, Some(encoding), false).unwrap();
            assert!(led.stored[0].encoding == encoding);
            let (mut held, mut expected) = (Vec::new(), Vec::new());
            encoding.encode(SampleType::F32, &read(&source, 0..192), &mut held);
            encoding.decode(&held, encoding.sample(), &mut expected);
            let width = encoding.sample().width();
            assert_eq!(read(&led.arrays, 0..192), expected);
            assert_eq!(read(&led.arrays, 33..70), expected[33 * width..70 * width]);
        }
    }

    #[test]
    fn a_sound_passes_in_whole_frames_and_loses_what_a_container_cannot_tell() {
        let mut npy = b"\x93NUMPY\x01\x00\x46\x00".to_vec();
        npy.extend(
            format!("{:69}\n", "{'descr': '<i2', 'fortran_order': False, 'shape': (50, 3), }").as_bytes(),
        );
        npy.extend((0..150i16).flat_map(|at| (at * 211 - 9000).to_le_bytes()));
        let npy = open(memory::object(&[&npy]).unwrap(), SignalFormat::Npy, &std::env::temp_dir()).unwrap();
        let sound = to_sound(npy, Declared { rate: Some(8000), bits: None }).unwrap();
        for format in [SignalFormat::Wav, SignalFormat::Flac, SignalFormat::Safetensors, SignalFormat::Gguf] {
            let led = through(sound.clone(), format, None, false).unwrap().arrays;
            assert_eq!(led.signature(), sound.signature(), "{format:?}");
            for samples in [0..150, 4..5, 7..140] {
                assert_eq!(read(&led, samples.clone()), read(&sound, samples), "{format:?}");
            }
        }
        assert!(through(sound.clone(), SignalFormat::Npy, None, false).is_err());
        let led = through(sound, SignalFormat::Npy, None, true).unwrap();
        assert_eq!(led.dropped, ["sound.rate"]);
        assert!(led.arrays.signature().arrays[0].peak.is_none());
    }
}
