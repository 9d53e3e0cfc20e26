//! Provides the oracle of containers of arrays: samples are the same however they are read, and come back
//! from every container that holds them.

use std::sync::Arc;

use arrow_array::Array as _;
use coherence::sample::SampleType;
use coherence::signal::Signature;

use super::{Held, file, law, refusal, same};
use crate::error::Error;
use crate::file::ObjectFile;
use crate::signal::{
    Arrays, Declared, Encoding, PART_SAMPLES, Part, Rows, SignalFormat, Stored, Written, open, parts, plan,
    to_sound, writer,
};
use crate::table::TableSource;

/// Samples of an array that are looked at.
const SAMPLES_MAX: u64 = 1 << 16;

/// A container of arrays, by its first byte; what follows is the file.
pub fn arrays(bytes: &[u8]) -> Held {
    let Some((which, bytes)) = bytes.split_first() else { return Ok(()) };
    held(SignalFormat::ALL[usize::from(*which) % SignalFormat::ALL.len()], bytes, |_| true)
}

/// A container of this format, which goes into the same again.
pub fn arrays_of(format: SignalFormat, bytes: &[u8]) -> Held {
    held(format, bytes, |target| target == format)
}

fn held(format: SignalFormat, bytes: &[u8], is_target: impl Fn(SignalFormat) -> bool) -> Held {
    let found = match opened(bytes, format) {
        Ok(found) => found,
        Err(error) => return refusal(&error),
    };
    let samples = found.signature().arrays.iter().map(|array| array.samples().unwrap_or(u64::MAX));
    if samples.fold(0, u64::saturating_add) > SAMPLES_MAX {
        return Ok(());
    }
    let content = match read(&found) {
        Ok(content) => content,
        // Truth values beside 0 and 1 are found only by reading.
        Err(error) => return refusal(&error),
    };
    pieces(&found, &content)?;
    columns(&found, &content)?;
    for target in SignalFormat::ALL.into_iter().filter(|target| target.is_written() && is_target(*target)) {
        let Ok(again) = opened(bytes, format) else { return Err("bytes open only once".into()) };
        match plan(again, target, None, true) {
            Ok(chosen) => comes_back(&chosen.source, &chosen.stored, target)?,
            Err(Error::Unsupported { .. } | Error::Misuse(_)) if target != format => {}
            Err(Error::Unsupported { .. }) if target == SignalFormat::Gguf && beyond_ggml(&found) => {}
            Err(error) => return Err(format!("{} does not hold what it held: {error}", target.name())),
        }
    }
    Ok(())
}

/// An index beside two files of one tensor each, `x` in `a.safetensors` and `y` in `b.safetensors`.
pub fn index(bytes: &[u8]) -> Held {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).map(|()| path).map_err(|error| error.to_string())
    };
    for (name, tensor) in [("a.safetensors", "x"), ("b.safetensors", "y")] {
        let header = format!(r#"{{"{tensor}":{{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}}}"#);
        put(name, &[&(header.len() as u64).to_le_bytes(), header.as_bytes(), b"abc"].concat())?;
    }
    let file = ObjectFile::open(&put("model.safetensors.index.json", bytes)?);
    let file = Arc::new(file.map_err(|error| error.to_string())?);
    let found = match open(file, SignalFormat::Safetensors, folder.path()) {
        Ok(found) => found,
        // A file that the index names and that is not there.
        Err(Error::Io { .. }) => return Ok(()),
        Err(error) => return refusal(&error),
    };
    let failed = |error: Error| format!("the files of an index: {error}");
    pieces(&found, &read(&found).map_err(failed)?)?;
    let chosen = plan(found, SignalFormat::Safetensors, None, true).map_err(failed)?;
    comes_back(&chosen.source, &chosen.stored, SignalFormat::Safetensors)
}

/// Whether a GGUF can tell of arrays that are written into none, since ggml does not load them.
fn beyond_ggml(arrays: &Arrays) -> bool {
    let mut arrays = arrays.signature().arrays.iter();
    arrays.any(|array| array.shape.is_empty() || array.shape.contains(&0) || array.name.len() > 63)
}

fn opened(bytes: &[u8], format: SignalFormat) -> crate::error::Result<Arrays> {
    open(file(bytes, "arrays")?, format, &std::env::temp_dir())
}

/// All samples, array by array.
pub(super) fn read(arrays: &Arrays) -> crate::error::Result<Vec<Vec<u8>>> {
    let mut content = vec![Vec::new(); arrays.signature().arrays.len()];
    let (mut held, mut samples) = (Vec::new(), Vec::new());
    for part in parts(arrays.signature(), PART_SAMPLES) {
        arrays.read(&part, &mut held, &mut samples)?;
        content[part.array].extend_from_slice(&samples);
    }
    Ok(content)
}

/// Any two pieces are the whole.
pub(super) fn pieces(arrays: &Arrays, content: &[Vec<u8>]) -> Held {
    let (mut held, mut head, mut tail) = (Vec::new(), Vec::new(), Vec::new());
    for (array, whole) in content.iter().enumerate() {
        let samples = arrays.signature().arrays[array].samples().unwrap_or(0);
        // Pieces of blocks are of whole blocks.
        let cut = samples / 2 / 32 * 32;
        for (range, out) in [(0..cut, &mut head), (cut..samples, &mut tail)] {
            let part = Part { array, samples: range };
            arrays.read(&part, &mut held, out).map_err(|error| format!("a piece cannot be read: {error}"))?;
        }
        same(&[head.as_slice(), tail.as_slice()].concat(), whole, "two pieces are the whole")?;
    }
    Ok(())
}

/// As a table, arrays have as many rows as they tell, and an only column has the samples.
fn columns(arrays: &Arrays, content: &[Vec<u8>]) -> Held {
    let Ok(rows) = Rows::new(arrays.clone()) else { return Ok(()) };
    let failed = |error: Error| format!("a table of arrays: {error}");
    let batches = rows.batches(0..rows.rows()).map_err(failed)?.collect::<Result<Vec<_>, _>>();
    let batches = batches.map_err(failed)?;
    let count: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    law(count as u64 == rows.rows(), || format!("{count} rows of {}", rows.rows()))?;
    let ([array], [content]) = (arrays.signature().arrays.as_slice(), content) else { return Ok(()) };
    let plain = !matches!(array.sample, SampleType::Bool) && rows.notes().is_empty();
    if !plain || array.shape.len() != 1 {
        return Ok(());
    }
    let mut values = Vec::new();
    for batch in &batches {
        let data = batch.column(0).to_data();
        values.extend_from_slice(&data.buffers()[0].as_slice()[..data.len() * array.sample.width()]);
    }
    same(&values.as_slice(), &content.as_slice(), "a column holds the samples")
}

/// What is written is read again.
pub(super) fn comes_back(source: &Arrays, stored: &[Stored], target: SignalFormat) -> Held {
    let bytes = match written(source, stored, target) {
        Ok(bytes) => bytes,
        Err(Error::Unsupported { .. }) => return Ok(()),
        Err(error) => return Err(format!("{} cannot be written: {error}", target.name())),
    };
    let again = opened(&bytes, target).map_err(|error| format!("{} wrote: {error}", target.name()))?;
    let (ours, theirs) = (source.signature(), again.signature());
    law(ours.arrays.len() == theirs.arrays.len(), || format!("{} loses arrays", target.name()))?;
    // Containers of texts hold a sound as one.
    if matches!(target, SignalFormat::Safetensors | SignalFormat::Gguf)
        && ours.arrays.iter().any(crate::sound::is_sound)
    {
        let told = |signature: &Signature| {
            let arrays = signature.arrays.iter().map(|array| (array.meaning.clone(), array.peak));
            (arrays.collect::<Vec<_>>(), signature.attributes.clone())
        };
        law(told(ours) == told(theirs), || format!("{} holds another sound", target.name()))?;
    }
    let failed = |error: Error| format!("{}: {error}", target.name());
    same(&read(&again).map_err(failed)?, &read(source).map_err(failed)?, target.name())
}

/// A container of these arrays.
pub(super) fn written(
    source: &Arrays,
    stored: &[Stored],
    target: SignalFormat,
) -> crate::error::Result<Vec<u8>> {
    let encodings: Vec<Encoding> = stored.iter().map(|stored| stored.encoding).collect();
    let mut writer = writer(target, source.signature(), &encodings)?;
    let packing = writer.packing();
    let mut bytes = Vec::new();
    let (mut held, mut samples) = (Vec::new(), Vec::new());
    for array in writer.order().to_vec() {
        bytes.extend(writer.begin(array)?);
        let (sample, encoding) = (source.signature().arrays[array].sample, encodings[array]);
        for part in parts(source.signature(), PART_SAMPLES).into_iter().filter(|part| part.array == array) {
            source.read(&part, &mut held, &mut samples)?;
            let mut encoded = Vec::new();
            if source.encoding(array) == encoding {
                source.read_held(&part, &mut encoded)?;
            } else {
                encoding.encode(sample, &samples, &mut encoded);
            }
            let written = match &packing {
                Some(packing) => packing.pack(&part, &encoded)?,
                None => Written { bytes: encoded.clone(), lengths: Vec::new() },
            };
            writer.data(&encoded, &written)?;
            bytes.extend(written.bytes);
        }
    }
    bytes.extend(writer.finish()?);
    if let Some(patch) = writer.patch() {
        bytes[..patch.len()].copy_from_slice(&patch);
    }
    Ok(bytes)
}

/// Small containers of every format, each after the byte that tells it.
pub fn seeds() -> crate::error::Result<Vec<Vec<u8>>> {
    let mut npy = b"\x93NUMPY\x01\x00\x46\x00".to_vec();
    npy.extend(format!("{:69}\n", "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 32), }").as_bytes());
    npy.extend((0..64u8).flat_map(|at| (f32::from(at) / 8.0 - 3.0).to_le_bytes()));
    let mut seeds = vec![[&[0][..], &npy].concat()];
    for (index, target) in (0u8..).zip(SignalFormat::ALL) {
        for encoding in [Encoding::Plain(SampleType::F16), Encoding::Plain(SampleType::Bf16), Encoding::Q8_0]
        {
            let source = opened(&npy, SignalFormat::Npy)?;
            let Ok(chosen) = plan(source, target, Some(encoding), true) else { continue };
            seeds.push([&[index][..], &written(&chosen.source, &chosen.stored, target)?].concat());
        }
    }
    for (index, target) in (0u8..).zip(SignalFormat::ALL) {
        let coded = target.is_coded() || !target.is_written();
        let declared = Declared { rate: Some(8000), bits: None };
        let sound = to_sound(opened(&npy, SignalFormat::Npy)?, declared)?;
        let Some(chosen) = plan(sound, target, None, true).ok().filter(|_| !coded) else { continue };
        seeds.push([&[index][..], &written(&chosen.source, &chosen.stored, target)?].concat());
    }
    Ok(seeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_hold_and_so_does_what_is_cut_from_them() {
        for seed in seeds().unwrap() {
            assert_eq!(arrays(&seed), Ok(()));
            for end in (0..seed.len()).step_by(13) {
                assert_eq!(arrays(&seed[..end]), Ok(()), "cut at {end}");
            }
        }
    }

    #[test]
    fn an_index_holds_however_it_is_cut_or_flipped() {
        let whole = br#"{"metadata":{"a":1},"weight_map":{"x":"a.safetensors","y":"b.safetensors"}}"#;
        assert_eq!(index(whole), Ok(()));
        for at in 0..whole.len() {
            assert_eq!(index(&whole[..at]), Ok(()), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = whole.to_vec();
                flipped[at] ^= 1 << bit;
                assert_eq!(index(&flipped), Ok(()), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn hostile_headers_are_refusals() {
        for bytes in [
            &b"\x00\x93NUMPY\x01\x00\xff\xff"[..],
            b"\x01PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\x02\xff\xff\xff\xff\0\0\0\0{",
            b"\x03GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(arrays(bytes), Ok(()), "{bytes:?}");
        }
    }
}
