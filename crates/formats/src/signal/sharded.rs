//! Provides safetensors in several files as a target: which arrays are in which file, and their index.
//!
//! Files are filled in the order of the arrays and named as the libraries of Hugging Face do it.

use std::collections::BTreeMap;
use std::path::Path;

use coherence::signal::Signature;
use serde::Serialize;

use super::safetensors::{FORMAT, SafetensorsWriter};
use super::shards::ENDING;
use super::{Encoding, Writer, name_of, refused};
use crate::error::{Error, Place, Result};
use crate::limits::{SAFETENSORS_HEADER_BYTES_MAX, SHARDS_MAX};

/// One of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its name beside the index.
    pub name: String,
    /// The arrays in it, as indexes into the signature.
    pub arrays: Vec<usize>,
}

/// The files of a target, and the index that names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shards {
    /// The files, in the order of their names.
    pub files: Vec<Shard>,
    /// The bytes of the index.
    pub index: Vec<u8>,
}

#[derive(Serialize)]
struct Index<'a> {
    metadata: Metadata,
    weight_map: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Metadata {
    total_size: u64,
}

impl Shards {
    /// Divides arrays among files of at most so many bytes of samples each, but for an array that is larger:
    /// it is alone in its file.
    ///
    /// # Errors
    /// There is no array; there are more files, or the index is longer, than are read.
    pub fn new(signature: &Signature, stored: &[Encoding], index: &Path, bytes_max: u64) -> Result<Self> {
        let stem = index.file_name().and_then(|name| name.to_str());
        let stem = stem.and_then(|name| name.get(..name.len().checked_sub(ENDING.len())?));
        let stem = stem.ok_or_else(|| {
            let what = "an index tells the names of its files, and this one is not UTF-8";
            Error::unsupported(Place::default(), what, "give it another name")
        })?;
        let (mut all, mut filled, mut total) = (Vec::<Vec<usize>>::new(), 0u64, 0u64);
        for (at, array) in signature.arrays.iter().enumerate() {
            let bytes = array.samples().and_then(|samples| stored[at].bytes(samples));
            let sums = bytes.and_then(|bytes| Some((bytes, total.checked_add(bytes)?)));
            let beyond = || refused(FORMAT, &array.name, "it is beyond 64 bits", "cut it");
            let (bytes, sum) = sums.ok_or_else(beyond)?;
            match all.last_mut().filter(|_| filled.saturating_add(bytes) <= bytes_max) {
                Some(last) => last.push(at),
                None => {
                    all.push(vec![at]);
                    filled = 0;
                }
            }
            (filled, total) = (filled.saturating_add(bytes), sum);
        }
        if all.is_empty() {
            let what = "an index of several files tells of tensors, and there are none";
            return Err(Error::unsupported(Place::default(), what, "write one safetensors"));
        }
        let (count, max) = (all.len(), SHARDS_MAX as u64);
        if count > SHARDS_MAX {
            let what = "the number of files of an index";
            let hint = format!("there would be {count}; give transport.shard-bytes a larger value");
            return Err(Error::Limit { place: Box::default(), what, max, hint });
        }
        let name = |at: usize| format!("{stem}-{:05}-of-{count:05}.safetensors", at + 1);
        let files: Vec<Shard> = (0..).zip(all).map(|(at, arrays)| Shard { name: name(at), arrays }).collect();
        Ok(Self { index: index_of(signature, &files, total)?, files })
    }

    /// What writes one of the files, with the texts of all.
    pub fn writer(&self, file: usize, signature: &Signature, stored: &[Encoding]) -> Result<Box<dyn Writer>> {
        let arrays = self.files[file].arrays.clone();
        Ok(Box::new(SafetensorsWriter::new(signature, stored, arrays)?))
    }
}

fn index_of(signature: &Signature, files: &[Shard], total_size: u64) -> Result<Vec<u8>> {
    let mut weight_map = BTreeMap::new();
    for Shard { name: file, arrays } in files {
        for array in arrays.iter().map(|at| &signature.arrays[*at]) {
            if weight_map.insert(name_of(signature, array), file.as_str()).is_some() {
                return Err(refused(FORMAT, &array.name, "another array has this name", "rename it first"));
            }
        }
    }
    let index = Index { metadata: Metadata { total_size }, weight_map };
    let mut text = serde_json::to_vec_pretty(&index).map_err(|error| Error::Bug(error.to_string()))?;
    text.push(b'\n');
    match text.len() as u64 > SAFETENSORS_HEADER_BYTES_MAX {
        true => Err(refused(FORMAT, "", "the index would be too long for readers", "split the model")),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coherence::sample::SampleType;
    use coherence::signal::Array;

    fn divided(samples: &[u64], bytes_max: u64) -> Result<Shards> {
        let array = |(at, samples): (usize, &u64)| Array {
            name: format!("t{at:03}"),
            sample: SampleType::F32,
            shape: vec![*samples],
            meaning: String::new(),
            peak: None,
        };
        let arrays: Vec<Array> = samples.iter().enumerate().map(array).collect();
        let stored = vec![Encoding::Plain(SampleType::F32); arrays.len()];
        let signature = Signature { arrays, attributes: Vec::new() };
        Shards::new(&signature, &stored, Path::new("out/m.safetensors.index.json"), bytes_max)
    }

    #[test]
    fn files_are_filled_in_order() {
        let held = |samples: &[u64], bytes_max| -> Vec<Vec<usize>> {
            divided(samples, bytes_max).unwrap().files.into_iter().map(|file| file.arrays).collect()
        };
        assert_eq!(held(&[1, 1, 1], 12), [vec![0, 1, 2]]);
        assert_eq!(held(&[1, 1, 1], 11), [vec![0, 1], vec![2]]);
        // One that is too large is alone, and what follows it begins anew.
        assert_eq!(held(&[1, 9, 1, 1], 8), [vec![0], vec![1], vec![2, 3]]);
        assert_eq!(held(&[9, 0, 9], 0), [vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn the_index_is_that_of_the_libraries() {
        let shards = divided(&[2, 1], 8).unwrap();
        let names: Vec<&str> = shards.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"]);
        let text = "{\n  \"metadata\": {\n    \"total_size\": 12\n  },\n  \"weight_map\": {\n    \"t000\": \
                    \"m-00001-of-00002.safetensors\",\n    \"t001\": \"m-00002-of-00002.safetensors\"\n  }\n}\n";
        assert_eq!(String::from_utf8(shards.index).unwrap(), text);
    }

    #[test]
    fn what_would_not_be_read_is_not_written() {
        assert!(divided(&vec![1; SHARDS_MAX], 4).is_ok());
        assert!(matches!(divided(&vec![1; SHARDS_MAX + 1], 4), Err(Error::Limit { .. })));
        assert!(matches!(divided(&[], 4), Err(Error::Unsupported { .. })));
    }
}
