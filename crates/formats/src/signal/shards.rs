//! Provides safetensors in several files: an index in JSON beside them tells which holds which tensor.
//!
//! The index is `{"metadata": {…}, "weight_map": {tensor: file}}`, as the libraries of Hugging Face write it.
//! Its `total_size` and `total_parameters` follow from the tensors and are no content; other metadata are
//! texts, as those of the files themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::arrays::{Arrays, Placed};
use super::safetensors::{self, ATTRIBUTE, Attribute, Entries, FORMAT};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::limits::{SAFETENSORS_HEADER_BYTES_MAX, SHARDS_MAX};

/// How names of such an index end.
pub(super) const ENDING: &str = ".safetensors.index.json";
/// Metadata that follow from the tensors.
const DERIVED: [&str; 2] = ["total_size", "total_parameters"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    #[serde(default)]
    metadata: Option<Entries<Value>>,
    weight_map: Entries<String>,
}

/// Whether a name is that of an index.
pub fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_ascii_lowercase().ends_with(ENDING))
}

/// Opens the files that an index names, which lie beside it.
///
/// # Errors
/// The index names a tensor twice, a tensor that its file does not hold, or a file elsewhere; a file holds a
/// tensor that the index does not name; two files tell different texts under one key.
pub(super) fn open(index: &Arc<ObjectFile>, wanted: &dyn Fn(&str) -> bool) -> Result<Arrays> {
    let Index { metadata, weight_map } = read(index)?;
    let bad = |what: String| Error::malformed(FORMAT, Place::default(), what);
    let mut listed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (tensor, file) in weight_map.0 {
        if !seen.insert(tensor.clone()) {
            return Err(bad(format!("the index names the tensor {tensor:?} twice")));
        }
        listed.entry(file).or_default().insert(tensor);
    }
    if listed.len() > SHARDS_MAX {
        let (place, what, max) = (Box::default(), "the number of files of an index", SHARDS_MAX as u64);
        return Err(Error::Limit { place, what, max, hint: "convert them in several steps".to_owned() });
    }
    let (mut arrays, mut left_out): (Vec<Placed>, Vec<String>) = (Vec::new(), Vec::new());
    let mut texts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut files = Vec::with_capacity(listed.len());
    for (name, tensors) in listed {
        let file = Arc::new(ObjectFile::open(&beside(index.path(), &name)?)?);
        let found = safetensors::contents(&file, wanted).map_err(|error| error.in_file(file.path()))?;
        let held = found.arrays.iter().map(|(array, _)| &array.name).chain(&found.left_out);
        let held: BTreeSet<String> = held.cloned().collect();
        if let Some(tensor) = tensors.difference(&held).next() {
            return Err(bad(format!(
                "the index says that {name} holds the tensor {tensor:?}, and it does not"
            )));
        }
        if let Some(tensor) = held.difference(&tensors).next() {
            return Err(bad(format!("{name} holds the tensor {tensor:?}, and the index does not say so")));
        }
        arrays.extend(found.arrays);
        left_out.extend(found.left_out);
        add(&mut texts, found.attributes, &name)?;
        files.push(file);
    }
    add(&mut texts, attributes_of(metadata), "the index")?;
    Ok(Arrays::new(FORMAT, arrays, texts.into_iter().collect())?.of_files(files).leaving_out(left_out))
}

/// The names of the files that an index tells of.
pub fn files_of(index: &ObjectFile) -> Result<BTreeSet<String>> {
    Ok(read(index)?.weight_map.0.into_iter().map(|(_, file)| file).collect())
}

fn read(index: &ObjectFile) -> Result<Index> {
    let max = SAFETENSORS_HEADER_BYTES_MAX;
    if index.len() > max {
        let (place, what) = (Box::default(), "the length of an index in bytes");
        return Err(Error::Limit { place, what, max, hint: "this is no index of tensors".to_owned() });
    }
    let mut text = vec![0; usize::try_from(index.len()).unwrap_or(usize::MAX)];
    index.read_exact_at(&mut text, 0)?;
    serde_json::from_slice(&text).map_err(|error| {
        let what = format!("this is no index of tensors: {error}");
        Error::malformed(FORMAT, Place::default(), what)
    })
}

/// The file of a name beside the index. An index comes from outside: it names no file elsewhere.
fn beside(index: &Path, name: &str) -> Result<std::path::PathBuf> {
    match Path::new(name).file_name() {
        Some(alone) if alone == name => Ok(index.with_file_name(name)),
        _ => {
            let what = format!("the index names the file {name:?}, which is not beside it");
            Err(Error::malformed(FORMAT, Place::default(), what))
        }
    }
}

fn attributes_of(metadata: Option<Entries<Value>>) -> Vec<Attribute> {
    let entries = metadata.map_or(Vec::new(), |metadata| metadata.0);
    let kept = entries.into_iter().filter(|(key, _)| !DERIVED.contains(&key.as_str()));
    let text = |value: Value| match value {
        Value::String(text) => text.into_bytes(),
        other => other.to_string().into_bytes(),
    };
    kept.map(|(key, value)| (format!("{ATTRIBUTE}{key}"), text(value))).collect()
}

fn add(texts: &mut BTreeMap<String, Vec<u8>>, more: Vec<Attribute>, from: &str) -> Result<()> {
    for (key, value) in more {
        if let Some(before) = texts.insert(key.clone(), value.clone())
            && before != value
        {
            let key = key.strip_prefix(ATTRIBUTE).unwrap_or(&key);
            let what = format!("{from} tells another {key:?} than the files before it");
            return Err(Error::unsupported(Place::default(), what, "convert the files one by one"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A file of one tensor `name` with two samples.
    fn shard(name: &str, samples: [f32; 2], format: &str) -> Vec<u8> {
        let header = json!({ "__metadata__": { "format": format },
            name: { "dtype": "F32", "shape": [2], "data_offsets": [0, 8] } });
        let header = header.to_string().into_bytes();
        let data = samples.map(f32::to_le_bytes).concat();
        [(header.len() as u64).to_le_bytes().to_vec(), header, data].concat()
    }

    fn opened(index: &str, second: &str) -> Result<Arrays> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.safetensors"), shard("x", [1.0, 2.0], "pt")).unwrap();
        std::fs::write(dir.path().join("b.safetensors"), shard("y", [3.0, 4.0], second)).unwrap();
        let path = dir.path().join("model.safetensors.index.json");
        std::fs::write(&path, index).unwrap();
        open(&Arc::new(ObjectFile::open(&path).unwrap()), &|_| true)
    }

    fn fault(index: &str) -> String {
        opened(index, "pt").unwrap_err().to_string()
    }

    #[test]
    fn the_files_are_one_container() {
        let index = r#"{"metadata":{"total_size":16,"author":"me","tied":[1]},
            "weight_map":{"y":"b.safetensors","x":"a.safetensors"}}"#;
        let arrays = opened(index, "pt").unwrap();
        let names: Vec<_> = arrays.signature().arrays.iter().map(|array| array.name.as_str()).collect();
        assert_eq!(names, ["x", "y"]);
        assert_eq!(arrays.files().len(), 2);
        let texts: Vec<_> = arrays.signature().attributes.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(texts, ["metadata/author", "metadata/format", "metadata/tied"]);
        let part = super::super::Part { array: 1, samples: 0..2 };
        let mut samples = Vec::new();
        arrays.read(&part, &mut Vec::new(), &mut samples).unwrap();
        assert_eq!(samples, [3.0f32, 4.0].map(f32::to_le_bytes).concat());
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let map = |map: &str| fault(&format!(r#"{{"weight_map":{{{map}}}}}"#));
        let (x, y) = (r#""x":"a.safetensors""#, r#""y":"b.safetensors""#);
        assert!(map(&format!(r#"{x},{y},"x":"a.safetensors""#)).contains(r#"the tensor "x" twice"#));
        assert!(
            map(&format!(r#"{x},"z":"b.safetensors""#)).contains(r#"holds the tensor "z", and it does not"#)
        );
        assert!(map(&format!(r#"{x},{y},"z":"b.safetensors""#)).contains("it does not"));
        assert!(map(&format!(r#"{y},"z":"c.safetensors""#)).contains("c.safetensors"));
        for name in ["../a.safetensors", "/etc/passwd", "sub/a.safetensors", "..", ""] {
            assert!(map(&format!(r#""x":"{name}""#)).contains("not beside it"), "{name}");
        }
        for text in ["", "[]", "{}", r#"{"weight_map":{"x":1}}"#, r#"{"weight_map":{},"more":1}"#] {
            assert!(fault(text).contains("no index of tensors"), "{text}");
        }
        let both = format!(r#"{{"weight_map":{{{x},{y}}}}}"#);
        let error = opened(&both, "tf").unwrap_err().to_string();
        assert!(error.contains(r#"another "format""#), "{error}");
    }

    #[test]
    fn a_tensor_that_the_index_does_not_name_is_not_lost() {
        let dir = tempfile::tempdir().unwrap();
        let header = br#"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#;
        let bytes = [(header.len() as u64).to_le_bytes().as_slice(), header, &[1, 2]].concat();
        std::fs::write(dir.path().join("a.safetensors"), bytes).unwrap();
        let path = dir.path().join("m.safetensors.index.json");
        std::fs::write(&path, r#"{"weight_map":{"x":"a.safetensors"}}"#).unwrap();
        let error = open(&Arc::new(ObjectFile::open(&path).unwrap()), &|_| true).unwrap_err().to_string();
        assert!(error.contains(r#"holds the tensor "y", and the index does not say so"#), "{error}");
    }
}
