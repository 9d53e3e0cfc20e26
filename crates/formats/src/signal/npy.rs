//! Provides npy: one array as NumPy saves it.
//!
//! After `numpy.lib.format` of NumPy 2: a magic, a version, the length of a header that is a Python literal
//! of a dictionary with the keys `descr`, `fortran_order` and `shape`, and the samples. Only that literal is
//! read, and never evaluated.

use std::sync::Arc;

use coherence::sample::SampleType;
use coherence::signal::{Array, Signature};

use super::arrays::{Arrays, Extent, Held};
use super::{Encoding, Writer, Written, refused};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::limits::{NPY_HEADER_BYTES_MAX, RANK_MAX};

const FORMAT: &str = "npy";
const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// NumPy begins the samples at a multiple of this.
const ALIGNMENT: usize = 64;

/// What a header says, and how long it is with all that stands before the samples.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    sample: SampleType,
    big_endian: bool,
    column_major: bool,
    shape: Vec<u64>,
    /// Bytes before the first sample.
    pub len: u64,
}

/// A header whose samples may be of a type that cannot be read here.
#[derive(Debug, PartialEq, Eq)]
struct Described {
    kind: Kind,
    column_major: bool,
    shape: Vec<u64>,
}

/// What a header says that samples are.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Numbers, and whether their bytes lie in the other order.
    Numbers(SampleType, bool),
    /// Something else, in words, which is said at this place of the header.
    Other(usize, String),
}

impl Header {
    /// Reads the header at `offset`.
    ///
    /// # Errors
    /// Besides those of the format, samples of a type that cannot be read.
    fn read(file: &ObjectFile, offset: u64) -> Result<Self> {
        let hint = "make numbers of them first (NumPy: astype)";
        Self::read_any(file, offset)?.map_err(|(place, what)| Error::unsupported(place, what, hint))
    }

    /// The same; or where and what they are, for samples of a type that cannot be read.
    pub(super) fn read_any(
        file: &ObjectFile,
        offset: u64,
    ) -> Result<std::result::Result<Self, (Place, String)>> {
        let mut start = [0; 12];
        let count = file.read_at(&mut start, offset)?;
        let bad = |at: u64, what: &str| Error::malformed(FORMAT, Place::at_byte(offset + at), what);
        if count < 10 || &start[..6] != MAGIC {
            return Err(bad(0, "it does not begin with the magic \\x93NUMPY"));
        }
        let (prefix, len) = match start[6] {
            1 => (10, u64::from(u16::from_le_bytes([start[8], start[9]]))),
            2 | 3 if count == 12 => {
                (12, u64::from(u32::from_le_bytes([start[8], start[9], start[10], start[11]])))
            }
            _ => return Err(bad(6, "the version is none of 1.0, 2.0 and 3.0")),
        };
        if len > NPY_HEADER_BYTES_MAX {
            let place = Box::new(Place::at_byte(offset + 8));
            let (what, max) = ("the length of the header in bytes", NPY_HEADER_BYTES_MAX);
            let hint = "save the array without names of fields".to_owned();
            return Err(Error::Limit { place, what, max, hint });
        }
        let mut text = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        if file.read_at(&mut text, offset + prefix)? < text.len() {
            return Err(bad(prefix, "the file ends within the header"));
        }
        let text = std::str::from_utf8(&text).map_err(|_| bad(prefix, "the header is no UTF-8"))?;
        let Described { kind, column_major, shape } =
            Literal { text, at: 0 }.header().map_err(|(at, what)| bad(prefix + at as u64, &what))?;
        let len = prefix + len;
        Ok(match kind {
            Kind::Numbers(sample, big_endian) => Ok(Self { sample, big_endian, column_major, shape, len }),
            Kind::Other(at, what) => Err((Place::at_byte(offset + prefix + at as u64), what)),
        })
    }

    /// Bytes of the samples; `None` beyond 64 bits.
    pub(super) fn data_bytes(&self) -> Option<u64> {
        let array = self.array("");
        array.samples()?.checked_mul(self.sample.width() as u64)
    }

    /// The array that the header describes.
    pub(super) fn array(&self, name: &str) -> Array {
        Array {
            name: name.to_owned(),
            sample: self.sample,
            shape: self.shape.clone(),
            meaning: String::new(),
            peak: None,
        }
    }

    /// Where its samples lie, after a header at `offset`.
    pub(super) fn extent(&self, file: Arc<ObjectFile>, offset: u64) -> Extent {
        let (big_endian, column_major) = (self.big_endian, self.column_major);
        Extent {
            file,
            offset: offset + self.len,
            encoding: self.sample.into(),
            big_endian,
            column_major,
            held: Held::Plain,
        }
    }
}

/// A reader of the few Python literals that a header is made of.
struct Literal<'a> {
    text: &'a str,
    at: usize,
}

type Parsed<T> = std::result::Result<T, (usize, String)>;

impl<'a> Literal<'a> {
    fn header(mut self) -> Parsed<Described> {
        let (mut descr, mut order, mut shape) = (None, None, None);
        self.expect("{")?;
        while !self.take("}") {
            let at = self.at;
            let key = self.string()?;
            self.expect(":")?;
            let twice = match key {
                "descr" => descr.replace(self.kind()?).is_some(),
                "fortran_order" => order.replace(self.truth()?).is_some(),
                "shape" => shape.replace(self.shape()?).is_some(),
                _ => return Err((at, format!("the header has the unknown key {key:?}"))),
            };
            if twice {
                return Err((at, format!("the header has the key {key:?} twice")));
            }
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        self.skip();
        if self.at < self.text.len() {
            return Err((self.at, "there is more after the header's dictionary".into()));
        }
        let missing = |key: &str| (self.at, format!("the header lacks the key {key:?}"));
        let kind = descr.ok_or_else(|| missing("descr"))?;
        let column_major = order.ok_or_else(|| missing("fortran_order"))?;
        let shape = shape.ok_or_else(|| missing("shape"))?;
        Ok(Described { kind, column_major, shape })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip(&mut self) {
        self.at += self.rest().len() - self.rest().trim_ascii_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip();
        let there = self.rest().starts_with(token);
        self.at += if there { token.len() } else { 0 };
        there
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.take(token) { Ok(()) } else { Err((self.at, format!("{token:?} is missing in the header"))) }
    }

    fn string(&mut self) -> Parsed<&'a str> {
        self.skip();
        let quote = self.rest().chars().next().filter(|c| *c == '\'' || *c == '"');
        let quote = quote.ok_or_else(|| (self.at, "a quoted name is missing in the header".to_owned()))?;
        let inside = &self.rest()[1..];
        let end = inside.find(quote).ok_or_else(|| (self.at, "a quote is not closed".to_owned()))?;
        self.at += end + 2;
        Ok(&inside[..end])
    }

    fn truth(&mut self) -> Parsed<bool> {
        if self.take("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn shape(&mut self) -> Parsed<Vec<u64>> {
        let mut shape = Vec::new();
        self.expect("(")?;
        while !self.take(")") {
            self.skip();
            let digits = self.rest().find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest().len());
            let axis = self.rest()[..digits].parse();
            shape.push(axis.map_err(|_| (self.at, "the shape has an axis that is no count".to_owned()))?);
            self.at += digits;
            // Python 2 wrote long integers with this letter.
            self.take("L");
            if shape.len() > RANK_MAX {
                return Err((self.at, format!("the shape has more than {RANK_MAX} axes")));
            }
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(shape)
    }

    /// Passes over a list, which describes records, with what is in it.
    fn list(&mut self) -> Parsed<()> {
        let mut depth = 0;
        loop {
            self.skip();
            match self.rest().chars().next() {
                Some('\'' | '"') => {
                    self.string()?;
                    continue;
                }
                Some('[' | '(') => depth += 1,
                Some(']' | ')') if depth > 0 => depth -= 1,
                Some(other) if depth > 0 => self.at += other.len_utf8() - 1,
                _ => return Err((self.at, "the type of the samples is missing in the header".into())),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// What the samples are.
    fn kind(&mut self) -> Parsed<Kind> {
        self.skip();
        let at = self.at;
        if !self.rest().starts_with(['\'', '"']) {
            self.list()?;
            let what = "records with fields are tables, not arrays of samples";
            return Ok(Kind::Other(at, what.to_owned()));
        }
        let descr = self.string()?;
        let (order, kind) = descr.split_at_checked(1).unwrap_or(("", ""));
        let sample = match kind {
            "b1" => Some(SampleType::Bool),
            "i1" => Some(SampleType::I8),
            "i2" => Some(SampleType::I16),
            "i4" => Some(SampleType::I32),
            "i8" => Some(SampleType::I64),
            "u1" => Some(SampleType::U8),
            "u2" => Some(SampleType::U16),
            "u4" => Some(SampleType::U32),
            "u8" => Some(SampleType::U64),
            "f2" => Some(SampleType::F16),
            "f4" => Some(SampleType::F32),
            "f8" => Some(SampleType::F64),
            _ => None,
        };
        Ok(match (sample, order) {
            (Some(sample), "<" | "|" | "=") => Kind::Numbers(sample, false),
            (Some(sample), ">") => Kind::Numbers(sample, true),
            _ => Kind::Other(at, format!("samples of type {descr:?} are no numbers that can be read here")),
        })
    }
}

/// Opens an npy file.
pub(super) fn open(file: Arc<ObjectFile>) -> Result<Arrays> {
    let header = Header::read(&file, 0)?;
    let end = header.data_bytes().and_then(|bytes| bytes.checked_add(header.len));
    if let Some(end) = end.filter(|end| *end < file.len()) {
        let what = format!("{} bytes follow the last sample", file.len() - end);
        return Err(Error::malformed(FORMAT, Place::at_byte(end), what));
    }
    Arrays::new(FORMAT, vec![(header.array(""), header.extent(file, 0))], Vec::new())
}

/// The bytes before the samples of an array in row-major order, as NumPy writes them: version 1.0, or 2.0
/// where the header is too long for it.
pub(super) fn header(array: &Array, encoding: Encoding) -> Result<Vec<u8>> {
    let sample = encoding.sample();
    let descr = match sample {
        SampleType::Bool => "|b1",
        SampleType::I8 => "|i1",
        SampleType::U8 => "|u1",
        SampleType::I16 => "<i2",
        SampleType::I32 => "<i4",
        SampleType::I64 => "<i8",
        SampleType::U16 => "<u2",
        SampleType::U32 => "<u4",
        SampleType::U64 => "<u8",
        SampleType::F16 => "<f2",
        SampleType::F32 => "<f4",
        SampleType::F64 => "<f8",
        SampleType::Bf16 | SampleType::F8E4M3 | SampleType::F8E5M2 => {
            let what = format!("NumPy has no samples of type {encoding}");
            return Err(refused(FORMAT, &array.name, &what, "convert to safetensors, or give --sample-type"));
        }
    };
    let shape = match array.shape.as_slice() {
        [only] => format!("({only},)"),
        shape => format!("({})", shape.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    };
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // The text ends with a newline, and spaces before it fill up to the alignment.
    let padded = |prefix: usize| (prefix + text.len() + 1).next_multiple_of(ALIGNMENT) - prefix;
    let mut out = MAGIC.to_vec();
    match u16::try_from(padded(10)) {
        Ok(len) => {
            out.extend([1, 0]);
            out.extend(len.to_le_bytes());
        }
        Err(_) => {
            out.extend([2, 0]);
            out.extend((padded(12) as u32).to_le_bytes());
        }
    }
    let end = out.len() + padded(out.len());
    out.extend(text.as_bytes());
    out.resize(end - 1, b' ');
    out.push(b'\n');
    Ok(out)
}

/// Writes an npy file.
pub(super) struct NpyWriter {
    header: Vec<u8>,
}

impl NpyWriter {
    /// A writer for the only array of a signal.
    pub(super) fn new(signature: &Signature, stored: &[Encoding]) -> Result<Self> {
        let ([array], [encoding]) = (signature.arrays.as_slice(), stored) else {
            let (count, hint) = (signature.arrays.len(), "convert to npz, or choose one with --include");
            let what = format!("npy holds one array, and there are {count}");
            return Err(Error::unsupported(Place::default(), what, hint));
        };
        Ok(Self { header: header(array, *encoding)? })
    }
}

impl Writer for NpyWriter {
    fn order(&self) -> &[usize] {
        &[0]
    }

    fn begin(&mut self, _array: usize) -> Result<Vec<u8>> {
        Ok(std::mem::take(&mut self.header))
    }

    fn data(&mut self, _held: &[u8], _written: &Written) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn can_go_on(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Described> {
        Literal { text, at: 0 }.header()
    }

    #[test]
    fn headers_as_numpy_writes_them_are_read() {
        let header = parse("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n").unwrap();
        assert_eq!((header.kind, header.shape), (Kind::Numbers(SampleType::F32, false), vec![3, 4]));
        let header = parse("{'shape': (), \"descr\":'>i8','fortran_order':True}").unwrap();
        assert_eq!((header.kind, header.column_major), (Kind::Numbers(SampleType::I64, true), true));
        assert!(header.shape.is_empty());
        assert_eq!(parse("{'descr': '|b1', 'fortran_order': False, 'shape': (5L,)}").unwrap().shape, [5]);
    }

    #[test]
    fn headers_that_are_none_are_refused_with_their_place() {
        for (text, at) in [
            ("{'descr': '<f4', 'fortran_order': False}", 40),
            ("{'descr': [('a', '<f4'), 'fortran_order': False, 'shape': (1,)}", 63),
            ("{'descr': 4, 'fortran_order': False, 'shape': (1,)}", 10),
            ("{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", 17),
            ("{'shape': (-1,)}", 11),
            ("{'shape': (99999999999999999999,)}", 11),
            ("{'descr': '<f4", 10),
            ("{'other': 1}", 1),
            ("{'shape': (1,)} x", 16),
            ("", 0),
        ] {
            assert_eq!(parse(text).unwrap_err().0, at, "{text}");
        }
    }

    #[test]
    fn types_that_cannot_be_read_are_told_with_their_place() {
        let nested = "[('a (', [('é', '<f4'), (\"]\", '<U1', (2, 3))])]";
        for descr in ["'<c8'", "'|O'", "'<M8[s]'", "'<U1'", "[('a', '<f4')]", "[]", nested] {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (5, 2), }}  ");
            let header = parse(&text).unwrap();
            assert!(matches!(header.kind, Kind::Other(10, _)), "{descr}");
            assert_eq!(header.shape, [5, 2], "{descr}");
        }
    }

    #[test]
    fn headers_are_written_as_numpy_does() {
        let array = |shape| Array {
            name: String::new(),
            sample: SampleType::F32,
            shape,
            meaning: String::new(),
            peak: None,
        };
        let bytes = header(&array(vec![3]), SampleType::F32.into()).unwrap();
        assert_eq!(bytes.len(), 128);
        assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00v\x00");
        assert_eq!(bytes.last(), Some(&b'\n'));
        let text = std::str::from_utf8(&bytes[10..]).unwrap();
        assert!(text.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"));
        assert!(header(&array(vec![]), SampleType::Bf16.into()).is_err());
    }
}
