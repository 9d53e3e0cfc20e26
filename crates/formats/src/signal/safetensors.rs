//! Provides safetensors: tensors as Hugging Face saves them, in one file or, by an index, in several.
//!
//! A length of 8 bytes, a JSON header that tells type, shape and place of each tensor, and the samples in
//! row-major order without a gap.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use std::sync::Arc;

use coherence::sample::SampleType;
use coherence::signal::{Array, Signature};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::arrays::{Arrays, Extent, Held, Placed};
use super::{Encoding, Writer, Written, name_of, refused, shards, sounds};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::guard::guarded;
use crate::limits::SAFETENSORS_HEADER_BYTES_MAX;

pub(super) const FORMAT: &str = "safetensors";
/// Bytes of the length before the header.
const LENGTH_BYTES: u64 = 8;
/// The key of the header that holds texts and no tensor.
const METADATA: &str = "__metadata__";
/// What stands before the key of such a text in the attributes of a signal.
pub(super) const ATTRIBUTE: &str = "metadata/";
/// Writers begin the samples at a multiple of this.
const ALIGNMENT: usize = 8;

/// Bytes of a header in which types that the library does not know are looked for: what it is parsed into
/// takes many times as much.
const UNKNOWN_HEADER_BYTES_MAX: usize = 4 << 20;

/// A text beside the tensors.
pub(super) type Attribute = (String, Vec<u8>);

/// Opens a safetensors file, or the files of an index. Tensors that are not wanted may be of types that
/// cannot be read.
pub(super) fn open(file: &Arc<ObjectFile>, wanted: &dyn Fn(&str) -> bool) -> Result<Arrays> {
    if shards::is_index(file.path()) {
        return shards::open(file, wanted);
    }
    let Contents { arrays, attributes, left_out } = contents(file, wanted)?;
    Ok(Arrays::new(FORMAT, arrays, attributes)?.leaving_out(left_out))
}

/// What one file holds.
pub(super) struct Contents {
    /// The tensors that can be read.
    pub arrays: Vec<Placed>,
    /// The texts.
    pub attributes: Vec<Attribute>,
    /// Names of the tensors that cannot be read, and are not wanted.
    pub left_out: Vec<String>,
}

/// What one file holds.
///
/// # Errors
/// Besides those of the format, a tensor that is wanted and of a type that cannot be read.
pub(super) fn contents(file: &Arc<ObjectFile>, wanted: &dyn Fn(&str) -> bool) -> Result<Contents> {
    let Header { metadata, unknown, data_at } = read_header(file)?;
    let (mut arrays, mut left_out) = (Vec::new(), Vec::new());
    let mut tensors: Vec<(String, &TensorInfo)> = metadata.tensors().into_iter().collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut end = 0;
    for (name, tensor) in tensors {
        end = end.max(data_at + tensor.data_offsets.1 as u64);
        let sample = sample_of(tensor.dtype).filter(|_| !unknown.contains_key(&name));
        let Some(sample) = sample else {
            if !wanted(&name) {
                left_out.push(name);
                continue;
            }
            let dtype = unknown.get(&name).cloned().unwrap_or_else(|| format!("{:?}", tensor.dtype));
            let what = format!("samples of type {dtype} cannot be read");
            let hint = "`isoform convert --exclude` leaves the tensor out";
            return Err(Error::unsupported(Place::default().column(name), what, hint));
        };
        let shape = tensor.shape.iter().map(|axis| *axis as u64).collect();
        let array = Array { name, sample, shape, meaning: String::new(), peak: None };
        let offset = data_at + tensor.data_offsets.0 as u64;
        let (big_endian, column_major) = (false, false);
        arrays.push((
            array,
            Extent {
                file: file.clone(),
                offset,
                encoding: sample.into(),
                big_endian,
                column_major,
                held: Held::Plain,
            },
        ));
    }
    let end = end.max(data_at);
    if end != file.len() {
        let what = format!("the header tells of {end} bytes, and there are {}", file.len());
        return Err(Error::malformed(FORMAT, Place::at_byte(end.min(file.len())), what));
    }
    let texts = metadata.metadata().iter().flatten();
    let mut attributes: Vec<Attribute> =
        texts.map(|(key, text)| (format!("{ATTRIBUTE}{key}"), text.clone().into_bytes())).collect();
    attributes.sort();
    Ok(Contents { arrays, attributes, left_out })
}

/// The header of a file.
struct Header {
    /// As the library reads it.
    metadata: Metadata,
    /// Types that it does not know, by the names of their tensors, which it was told are bytes.
    unknown: HashMap<String, String>,
    /// The byte where the samples begin.
    data_at: u64,
}

fn read_header(file: &ObjectFile) -> Result<Header> {
    let bad = |at: u64, what: String| Error::malformed(FORMAT, Place::at_byte(at), what);
    let mut length = [0; LENGTH_BYTES as usize];
    if file.read_at(&mut length, 0)? < length.len() {
        return Err(bad(0, "the file ends within the length of the header".into()));
    }
    let header_bytes = u64::from_le_bytes(length);
    if header_bytes > SAFETENSORS_HEADER_BYTES_MAX {
        let (what, max) = ("the length of the header in bytes", SAFETENSORS_HEADER_BYTES_MAX);
        let (place, hint) = (Box::new(Place::at_byte(0)), "this is no safetensors file".to_owned());
        return Err(Error::Limit { place, what, max, hint });
    }
    if LENGTH_BYTES + header_bytes > file.len() {
        return Err(bad(0, format!("a header of {header_bytes} bytes is longer than the file")));
    }
    let mut header = vec![0; usize::try_from(header_bytes).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut header, LENGTH_BYTES)?;
    refuse_doubles(&header)?;
    let data_at = LENGTH_BYTES + header_bytes;
    let unread = |error: serde_json::Error| bad(LENGTH_BYTES, error.to_string());
    // The library refuses gaps, overlaps and sizes that do not follow from type and shape.
    let read = guarded(FORMAT, || serde_json::from_slice(&header).map_err(unread));
    let error = match read {
        Ok(metadata) => return Ok(Header { metadata, unknown: HashMap::new(), data_at }),
        Err(error) if header.len() > UNKNOWN_HEADER_BYTES_MAX => return Err(error),
        Err(error) => error,
    };
    let mut whole: Value = serde_json::from_slice(&header).map_err(unread)?;
    let unknown = as_bytes(&mut whole);
    if unknown.is_empty() {
        return Err(error);
    }
    let metadata = guarded(FORMAT, || serde_json::from_value(whole).map_err(unread))?;
    Ok(Header { metadata, unknown, data_at })
}

/// Tells tensors of types that the library does not know as the bytes that they take, and gives their types.
/// Whatever else is wrong with them is left for the library to find.
fn as_bytes(header: &mut Value) -> HashMap<String, String> {
    let mut unknown = HashMap::new();
    let tensors = header.as_object_mut().into_iter().flatten();
    for (name, tensor) in tensors.filter(|(name, _)| *name != METADATA) {
        let dtype = tensor.get("dtype").and_then(Value::as_str).map(str::to_owned);
        let Some(dtype) = dtype.filter(|dtype| Dtype::deserialize(json!(dtype)).is_err()) else { continue };
        let offset = |index: usize| tensor.get("data_offsets")?.get(index)?.as_u64();
        let bytes = offset(1).zip(offset(0)).and_then(|(end, start)| end.checked_sub(start));
        if let Some(bytes) = bytes {
            tensor["dtype"] = json!(Dtype::U8);
            tensor["shape"] = json!([bytes]);
            unknown.insert(name.clone(), dtype);
        }
    }
    unknown
}

/// A header that names a tensor twice has two readings.
fn refuse_doubles(header: &[u8]) -> Result<()> {
    let bad = |what: String| Error::malformed(FORMAT, Place::at_byte(LENGTH_BYTES), what);
    let names: Entries<IgnoredAny> =
        serde_json::from_slice(header).map_err(|error| bad(error.to_string()))?;
    let mut seen = HashSet::new();
    match names.0.iter().find(|(name, _)| !seen.insert(name.as_str())) {
        None => Ok(()),
        Some((name, _)) => Err(bad(format!("the header names {name:?} twice"))),
    }
}

/// The entries of a JSON object, all of them, in order.
pub(super) struct Entries<T>(pub Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

fn sample_of(dtype: Dtype) -> Option<SampleType> {
    SampleType::ALL.into_iter().find(|sample| dtype_of(*sample) == dtype)
}

fn dtype_of(sample: SampleType) -> Dtype {
    match sample {
        SampleType::Bool => Dtype::BOOL,
        SampleType::I8 => Dtype::I8,
        SampleType::I16 => Dtype::I16,
        SampleType::I32 => Dtype::I32,
        SampleType::I64 => Dtype::I64,
        SampleType::U8 => Dtype::U8,
        SampleType::U16 => Dtype::U16,
        SampleType::U32 => Dtype::U32,
        SampleType::U64 => Dtype::U64,
        SampleType::F8E4M3 => Dtype::F8_E4M3,
        SampleType::F8E5M2 => Dtype::F8_E5M2,
        SampleType::F16 => Dtype::F16,
        SampleType::Bf16 => Dtype::BF16,
        SampleType::F32 => Dtype::F32,
        SampleType::F64 => Dtype::F64,
    }
}

/// Writes a safetensors file.
pub(super) struct SafetensorsWriter {
    order: Vec<usize>,
    header: Vec<u8>,
}

impl SafetensorsWriter {
    /// A writer for the arrays of these indexes, with the texts of all. Wider samples come first and names
    /// decide after that, as the library of the format has it, so that all samples are aligned.
    pub(super) fn new(signature: &Signature, stored: &[Encoding], mut order: Vec<usize>) -> Result<Self> {
        order.sort_by_key(|index| (std::cmp::Reverse(stored[*index].sample().width()), *index));
        let mut header = Map::new();
        let mut texts = Map::new();
        for (key, value) in sounds::as_texts(signature) {
            let text = key.strip_prefix(ATTRIBUTE).zip(String::from_utf8(value).ok());
            let Some((key, text)) = text else {
                let what = format!("{FORMAT} cannot hold {key:?}");
                return Err(Error::unsupported(Place::default(), what, "leave it out with --drop metadata"));
            };
            texts.insert(key.to_owned(), text.into());
        }
        if !texts.is_empty() {
            header.insert(METADATA.to_owned(), texts.into());
        }
        let mut at = 0u64;
        for index in &order {
            let array = &signature.arrays[*index];
            if array.name == METADATA {
                return Err(refused(FORMAT, METADATA, "the name is reserved", "rename it first"));
            }
            let bytes = array.samples().and_then(|samples| stored[*index].bytes(samples));
            let end = bytes.and_then(|bytes| at.checked_add(bytes));
            let end = end.ok_or_else(|| refused(FORMAT, &array.name, "it is beyond 64 bits", "cut it"))?;
            let dtype: Value = serde_json::to_value(dtype_of(stored[*index].sample()))
                .map_err(|error| Error::Bug(error.to_string()))?;
            let tensor = json!({ "dtype": dtype, "shape": array.shape, "data_offsets": [at, end] });
            if header.insert(name_of(signature, array).to_owned(), tensor).is_some() {
                return Err(refused(FORMAT, &array.name, "another array has this name", "rename it first"));
            }
            at = end;
        }
        let mut text = Value::Object(header).to_string().into_bytes();
        text.resize(text.len().next_multiple_of(ALIGNMENT), b' ');
        if text.len() as u64 > SAFETENSORS_HEADER_BYTES_MAX {
            return Err(refused(FORMAT, "", "the header would be too long for readers", "split the model"));
        }
        let header = [(text.len() as u64).to_le_bytes().to_vec(), text].concat();
        Ok(Self { order, header })
    }
}

impl Writer for SafetensorsWriter {
    fn order(&self) -> &[usize] {
        &self.order
    }

    fn begin(&mut self, _array: usize) -> Result<Vec<u8>> {
        Ok(std::mem::take(&mut self.header))
    }

    fn data(&mut self, _held: &[u8], _written: &Written) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        // Without any array nothing was begun.
        Ok(std::mem::take(&mut self.header))
    }

    fn can_go_on(&self) -> bool {
        true
    }
}
