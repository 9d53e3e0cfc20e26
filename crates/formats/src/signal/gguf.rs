//! Provides GGUF: tensors as llama.cpp loads them, plain or in blocks that share a scale.
//!
//! A head of keys with values, the name, shape, type and place of each tensor, and the samples, each tensor
//! at a multiple of the alignment. Version 3, little-endian; version 2 is read as well.

use std::sync::Arc;

use coherence::sample::SampleType;
use coherence::signal::{Array, Signature};

use super::arrays::{Arrays, Extent, Held};
use super::encoding::Encoding;
use super::{Writer, Written, name_of, refused, sounds};
use crate::error::{Error, Obstacle, Place, Result};
use crate::file::ObjectFile;
use crate::limits::GGUF_HEAD_BYTES_MAX;
use crate::words::counted;

const FORMAT: &str = "gguf";
const MAGIC: &[u8; 4] = b"GGUF";
const VERSION: u32 = 3;
/// Axes that a tensor may have.
const AXES_MAX: usize = 4;
/// Where nothing else is said, tensors begin at multiples of this.
const ALIGNMENT: u64 = 32;
const ALIGNMENT_KEY: &str = "general.alignment";
/// Keys whose values are whole numbers of 32 bits by the specification: readers take no text for them.
const NUMBER_KEYS: [&str; 3] = [ALIGNMENT_KEY, BLOCKS_KEY, "general.file_type"];
/// The type of values that are texts.
const TEXT: u32 = 8;
const LIST: u32 = 9;
/// Depth of lists in lists.
const DEPTH_MAX: usize = 4;
/// The version of the layout of blocks, which readers ask for where there are blocks. It follows from them
/// and is content only where a source tells it; one that was added is named under a key of its own.
const BLOCKS_KEY: &str = "general.quantization_version";
const BLOCKS_VERSION: u32 = 2;
const ADDED_KEY: &str = "isoform.added";
/// The type of values that are whole numbers of 32 bits.
const U32: u32 = 4;
/// Bytes of a name at most: ggml keeps 64, with the byte 0 at the end.
const NAME_BYTES_MAX: usize = 63;
/// What stands before the key of a text, and of any other value, in the attributes of a signal. Other values
/// are kept as they lie in the file, after the number of their type.
const TEXT_ATTRIBUTE: &str = "metadata/";
pub(super) const VALUE_ATTRIBUTE: &str = "gguf/";

/// The number of a tensor type in the file.
fn type_of(encoding: Encoding) -> Option<u32> {
    Some(match encoding {
        Encoding::Plain(SampleType::F32) => 0,
        Encoding::Plain(SampleType::F16) => 1,
        Encoding::Q4_0 => 2,
        Encoding::Q8_0 => 8,
        Encoding::Plain(SampleType::I8) => 24,
        Encoding::Plain(SampleType::I16) => 25,
        Encoding::Plain(SampleType::I32) => 26,
        Encoding::Plain(SampleType::I64) => 27,
        Encoding::Plain(SampleType::F64) => 28,
        Encoding::Plain(SampleType::Bf16) => 30,
        Encoding::Plain(_) | Encoding::Sound(_) => return None,
    })
}

/// Whether tensors of GGUF can be held in this way.
pub(super) fn holds(encoding: Encoding) -> bool {
    type_of(encoding).is_some()
}

fn encoding_of(number: u32) -> Option<Encoding> {
    let plain = SampleType::ALL.into_iter().map(Encoding::Plain);
    plain.chain([Encoding::Q8_0, Encoding::Q4_0]).find(|encoding| type_of(*encoding) == Some(number))
}

/// A reader of the head, with the place where it stands.
struct Head {
    bytes: Vec<u8>,
    at: usize,
    /// Whether the file goes on after these bytes.
    cut: bool,
}

impl Head {
    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            let place = Place::at_byte(self.at as u64);
            if self.cut {
                let (what, max) = ("the head of the file in bytes", GGUF_HEAD_BYTES_MAX);
                let hint = "the file is no model, or damaged".to_owned();
                return Err(Error::Limit { place: Box::new(place), what, max, hint });
            }
            return Err(Error::malformed(FORMAT, place, "the file ends within its head"));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32> {
        self.take(4).map(|raw| u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]))
    }

    fn u64(&mut self) -> Result<u64> {
        let (low, high) = (self.u32()?, self.u32()?);
        Ok(u64::from(low) | u64::from(high) << 32)
    }

    fn bad(&self, what: impl Into<String>) -> Error {
        Error::malformed(FORMAT, Place::at_byte(self.at as u64), what)
    }

    fn text(&mut self) -> Result<String> {
        let count = usize::try_from(self.u64()?).unwrap_or(usize::MAX);
        let text = self.take(count)?.to_vec();
        String::from_utf8(text).map_err(|_| self.bad("a text is no UTF-8"))
    }

    /// Steps over a value of this type.
    fn skip(&mut self, kind: u32, depth: usize) -> Result<()> {
        let width = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            TEXT => return self.text().map(|_| ()),
            LIST if depth < DEPTH_MAX => {
                let (kind, count) = (self.u32()?, self.u64()?);
                for _ in 0..count {
                    self.skip(kind, depth + 1)?;
                }
                return Ok(());
            }
            _ => return Err(self.bad(format!("no value has the type {kind}, or lists are nested too deep"))),
        };
        self.take(width).map(|_| ())
    }
}

/// Opens a GGUF file. Tensors that are not wanted may be of types that cannot be read.
pub(super) fn open(file: Arc<ObjectFile>, wanted: &dyn Fn(&str) -> bool) -> Result<Arrays> {
    let held = file.len().min(GGUF_HEAD_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(held).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, 0)?;
    let mut head = Head { bytes, at: 0, cut: file.len() > held };
    if head.take(4)? != MAGIC {
        return Err(Error::malformed(FORMAT, Place::at_byte(0), "it does not begin with the magic GGUF"));
    }
    let version = head.u32()?;
    if ![2, VERSION].contains(&version) {
        let what = format!("version {version} is neither 2 nor 3 in little-endian order");
        return Err(Error::unsupported(
            Place::at_byte(4),
            what,
            "convert it with the tools of llama.cpp first",
        ));
    }
    let (tensors, values) = (head.u64()?, head.u64()?);
    let mut attributes = Vec::new();
    let mut alignment = ALIGNMENT;
    for _ in 0..values {
        let key = head.text()?;
        let start = head.at;
        let kind = head.u32()?;
        if kind == TEXT {
            attributes.push((format!("{TEXT_ATTRIBUTE}{key}"), head.text()?.into_bytes()));
            continue;
        }
        head.skip(kind, 0)?;
        let value = head.bytes[start..head.at].to_vec();
        if key == ALIGNMENT_KEY {
            let raw = value.get(4..8).filter(|_| kind == 4);
            let raw = raw.map_or(0, |raw| u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]));
            alignment = u64::from(raw);
            if !alignment.is_power_of_two() {
                return Err(head.bad("the alignment is no power of two"));
            }
        }
        attributes.push((format!("{VALUE_ATTRIBUTE}{key}"), value));
    }
    let mut found = Vec::new();
    for _ in 0..tensors {
        found.push(tensor(&mut head, wanted)?);
    }
    attributes.sort();
    if let Some(pair) = attributes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(head.bad(format!("the key {:?} stands twice", pair[0].0)));
    }
    without_added(&mut attributes);
    let data_at = (head.at as u64).next_multiple_of(alignment);
    let unread = found.iter().filter(|tensor| tensor.encoding.is_none());
    let left_out = unread.map(|tensor| tensor.name.clone()).collect();
    let arrays = laid_out(found, data_at, alignment, &file)?;
    Ok(Arrays::new(FORMAT, arrays, attributes)?.leaving_out(left_out))
}

/// The value of [`BLOCKS_KEY`] that is added, as it lies in a file.
fn blocks_value() -> Vec<u8> {
    [U32.to_le_bytes(), BLOCKS_VERSION.to_le_bytes()].concat()
}

/// Takes away what a writer has added by itself, as that says.
fn without_added(attributes: &mut Vec<(String, Vec<u8>)>) {
    let (mark, key) = (format!("{TEXT_ATTRIBUTE}{ADDED_KEY}"), format!("{VALUE_ATTRIBUTE}{BLOCKS_KEY}"));
    let holds = |key: &str, value: &[u8]| attributes.iter().any(|(ours, held)| ours == key && held == value);
    if holds(&mark, BLOCKS_KEY.as_bytes()) && holds(&key, &blocks_value()) {
        attributes.retain(|(ours, _)| *ours != mark && *ours != key);
    }
}

/// A tensor as the head describes it.
struct Tensor {
    name: String,
    shape: Vec<u64>,
    /// How its samples are held; `None` for a type that cannot be read.
    encoding: Option<Encoding>,
    /// Its place among the samples.
    offset: u64,
}

/// The next tensor of the head.
///
/// # Errors
/// Besides those of the format, a tensor that is wanted and of a type that cannot be read.
fn tensor(head: &mut Head, wanted: &dyn Fn(&str) -> bool) -> Result<Tensor> {
    let name = head.text()?;
    let axes = head.u32()? as usize;
    if axes > AXES_MAX {
        return Err(head.bad(format!("tensor {name:?} has {axes} axes; {AXES_MAX} are the most")));
    }
    let mut shape = Vec::with_capacity(axes);
    for _ in 0..axes {
        shape.push(head.u64()?);
    }
    // The file tells the fastest axis first.
    shape.reverse();
    let kind = head.u32()?;
    let encoding = encoding_of(kind);
    if encoding.is_none() && wanted(&name) {
        let hint = "dequantize it with the tools of llama.cpp first, or leave it out with `isoform convert \
                    --exclude`";
        let place = Place::at_byte(head.at as u64).column(name);
        return Err(Error::unsupported(place, format!("tensors of type {kind} cannot be read"), hint));
    }
    let offset = head.u64()?;
    let blocks = |shape: &[u64]| shape.last().is_some_and(|last| last.is_multiple_of(32));
    if matches!(encoding, Some(Encoding::Q8_0 | Encoding::Q4_0)) && !blocks(&shape) {
        return Err(head.bad(format!("the rows of tensor {name:?} are not whole blocks")));
    }
    Ok(Tensor { name, shape, encoding, offset })
}

/// Places the tensors that can be read: side by side with nothing but padding between them, to the end of the
/// file. One that cannot be read takes what is up to the next.
fn laid_out(
    mut tensors: Vec<Tensor>,
    data_at: u64,
    alignment: u64,
    file: &Arc<ObjectFile>,
) -> Result<Vec<(Array, Extent)>> {
    tensors.sort_by_key(|tensor| tensor.offset);
    let last = file.len().saturating_sub(data_at).next_multiple_of(alignment);
    let next: Vec<u64> = tensors.iter().skip(1).map(|tensor| tensor.offset).chain([last]).collect();
    let mut at = 0;
    let mut arrays = Vec::new();
    for (Tensor { name, shape, encoding, offset }, next) in tensors.into_iter().zip(next) {
        let Some(encoding) = encoding else {
            if offset != at || next < offset || !next.is_multiple_of(alignment) {
                let place = Place::at_byte(data_at.saturating_add(offset)).column(name);
                return Err(Error::malformed(FORMAT, place, "tensors do not lie side by side"));
            }
            at = next;
            continue;
        };
        let array = Array { name, sample: encoding.sample(), shape, meaning: String::new(), peak: None };
        let place = Place::at_byte(data_at.saturating_add(offset)).column(array.name.clone());
        let bytes = array.samples().and_then(|samples| encoding.bytes(samples));
        let end = bytes.and_then(|bytes| offset.checked_add(bytes)?.checked_next_multiple_of(alignment));
        let (Some(end), true) = (end, offset == at) else {
            return Err(Error::malformed(FORMAT, place, "tensors do not lie side by side"));
        };
        at = end;
        let (file, offset) = (file.clone(), data_at + offset);
        arrays.push((
            array,
            Extent { file, offset, encoding, big_endian: false, column_major: false, held: Held::Plain },
        ));
    }
    // The padding after the last tensor may be missing.
    let end = data_at.saturating_add(at);
    if file.len() > end || end - file.len() >= alignment {
        let what = format!("the head tells of {end} bytes, and there are {}", file.len());
        return Err(Error::malformed(FORMAT, Place::at_byte(end.min(file.len())), what));
    }
    Ok(arrays)
}

/// Writes a GGUF file.
pub(super) struct GgufWriter {
    order: Vec<usize>,
    head: Vec<u8>,
    alignment: u64,
    /// Bytes of samples so far.
    at: u64,
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Which attributes it cannot hold, by their index: texts under keys that have numbers.
pub(super) fn beyond(attributes: &[(String, Vec<u8>)]) -> Vec<usize> {
    let is_beyond = |index: &usize| {
        let key = attributes[*index].0.strip_prefix(TEXT_ATTRIBUTE);
        key.is_some_and(|key| NUMBER_KEYS.contains(&key))
    };
    (0..attributes.len()).filter(is_beyond).collect()
}

/// What of arrays tensors cannot have: more axes or fewer, an axis without samples, a longer name.
pub(super) fn obstacles(arrays: &[Array]) -> Vec<Obstacle> {
    let axes = |array: &Array| {
        let axes = array.shape.len();
        let beyond = !(1..=AXES_MAX).contains(&axes);
        beyond.then(|| format!("it has tensors of 1 to {AXES_MAX} axes, and this has {axes}"))
    };
    let empty = |array: &Array| {
        let empty = array.shape.contains(&0);
        empty.then(|| "ggml loads no tensor without samples, and an axis of this is 0".to_owned())
    };
    let name = |array: &Array| {
        let bytes = array.name.len();
        let long = bytes > NAME_BYTES_MAX;
        long.then(|| format!("ggml loads names of up to {NAME_BYTES_MAX} bytes, and this has {bytes}"))
    };
    let all: [(Beyond<'_>, &str); 3] =
        [(&axes, "any number of axes"), (&empty, "arrays without samples"), (&name, "names of any length")];
    all.into_iter().filter_map(|(beyond, needed)| obstacle(arrays, beyond, needed)).collect()
}

/// What tensors cannot have of an array, where it has that.
type Beyond<'a> = &'a dyn Fn(&Array) -> Option<String>;

/// What the first of these arrays has that tensors cannot have, and how many others have it.
fn obstacle(arrays: &[Array], beyond: Beyond<'_>, needed: &str) -> Option<Obstacle> {
    let mut found = arrays.iter().filter_map(|array| Some((array, beyond(array)?)));
    let (first, what) = found.next()?;
    let name = if first.name.is_empty() { "the array".to_owned() } else { format!("array {:?}", first.name) };
    let others = match found.count() {
        0 => String::new(),
        count => format!(", as have {}", counted(count, "other array")),
    };
    Some(Obstacle {
        what: format!("{FORMAT} cannot hold {name}: {what}{others}"),
        hint: format!("leave it out with --exclude, or take a target that holds {needed} (npz, safetensors)"),
    })
}

impl GgufWriter {
    /// A writer for these arrays, in the order of their names.
    pub(super) fn new(signature: &Signature, stored: &[Encoding]) -> Result<Self> {
        let mut head = MAGIC.to_vec();
        head.extend(VERSION.to_le_bytes());
        head.extend((signature.arrays.len() as u64).to_le_bytes());
        let mut attributes = sounds::as_texts(signature);
        add_version(&mut attributes, stored);
        head.extend((attributes.len() as u64).to_le_bytes());
        let mut alignment = ALIGNMENT;
        for (key, value) in &attributes {
            if let Some(key) = key.strip_prefix(TEXT_ATTRIBUTE)
                && let Ok(text) = std::str::from_utf8(value)
            {
                put_text(&mut head, key);
                head.extend(TEXT.to_le_bytes());
                put_text(&mut head, text);
            } else if let Some(key) = key.strip_prefix(VALUE_ATTRIBUTE) {
                put_text(&mut head, key);
                head.extend(value);
                if let (ALIGNMENT_KEY, [_, _, _, _, raw @ ..]) = (key, value.as_slice()) {
                    let raw = raw.try_into().map_or(0, u32::from_le_bytes);
                    alignment = u64::from(raw);
                }
            } else {
                let what = format!("{FORMAT} cannot hold {key:?}");
                return Err(Error::unsupported(Place::default(), what, "leave it out with --drop metadata"));
            }
        }
        let mut at = 0u64;
        for (array, encoding) in signature.arrays.iter().zip(stored) {
            let hint = "give another type with --sample-type, or leave it out with --exclude";
            let refuse = |what: &str| refused(FORMAT, &array.name, what, hint);
            let kind = type_of(*encoding);
            let kind = kind.ok_or_else(|| refuse(&format!("it has no tensors of type {encoding}")))?;
            let obstacles = obstacles(std::slice::from_ref(array));
            if !obstacles.is_empty() {
                return Err(Error::obstacles(Place::default(), obstacles));
            }
            put_text(&mut head, name_of(signature, array));
            head.extend((array.shape.len() as u32).to_le_bytes());
            array.shape.iter().rev().for_each(|axis| head.extend(axis.to_le_bytes()));
            head.extend(kind.to_le_bytes());
            head.extend(at.to_le_bytes());
            let bytes = array.samples().and_then(|samples| encoding.bytes(samples));
            let end = bytes.and_then(|bytes| at.checked_add(bytes)?.checked_next_multiple_of(alignment));
            at = end.ok_or_else(|| refuse("it is beyond 64 bits"))?;
        }
        pad(&mut head, alignment);
        Ok(Self { order: (0..signature.arrays.len()).collect(), head, alignment, at: 0 })
    }

    fn padding(&mut self) -> Vec<u8> {
        let padding = self.at.next_multiple_of(self.alignment) - self.at;
        self.at += padding;
        vec![0; usize::try_from(padding).unwrap_or(0)]
    }
}

/// Adds the version of the layout of blocks, where there are blocks and the source does not tell it.
fn add_version(attributes: &mut Vec<(String, Vec<u8>)>, stored: &[Encoding]) {
    let blocks = stored.iter().any(|encoding| matches!(encoding, Encoding::Q8_0 | Encoding::Q4_0));
    let (mark, key) = (format!("{TEXT_ATTRIBUTE}{ADDED_KEY}"), format!("{VALUE_ATTRIBUTE}{BLOCKS_KEY}"));
    let text = format!("{TEXT_ATTRIBUTE}{BLOCKS_KEY}");
    if blocks && !attributes.iter().any(|(ours, _)| [&mark, &key, &text].contains(&ours)) {
        attributes.push((key, blocks_value()));
        attributes.push((mark, BLOCKS_KEY.as_bytes().to_vec()));
    }
}

fn pad(bytes: &mut Vec<u8>, alignment: u64) {
    let alignment = usize::try_from(alignment).unwrap_or(usize::MAX);
    bytes.resize(bytes.len().next_multiple_of(alignment), 0);
}

impl Writer for GgufWriter {
    fn order(&self) -> &[usize] {
        &self.order
    }

    fn begin(&mut self, _array: usize) -> Result<Vec<u8>> {
        let mut around = std::mem::take(&mut self.head);
        around.extend(self.padding());
        Ok(around)
    }

    fn data(&mut self, bytes: &[u8], _written: &Written) -> Result<()> {
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let mut around = std::mem::take(&mut self.head);
        around.extend(self.padding());
        Ok(around)
    }

    fn can_go_on(&self) -> bool {
        true
    }

    fn passed(&mut self, bytes: u64) {
        self.at += bytes;
    }
}
