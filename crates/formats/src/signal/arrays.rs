//! Provides arrays that lie in a file as they are: where each begins, and how its samples are laid out.

use std::ops::Range;
use std::sync::Arc;

use coherence::content::RUN_SAMPLES;
use coherence::sample::SampleType;
use coherence::signal::{Array, Signature};

use super::rows::told_names;
use super::{Encoding, columns};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::image::Declared;
use crate::limits::{COLUMN_MAJOR_BYTES_MAX, RANK_MAX};
use crate::sound::flac::Stream;
use crate::sound::pcm::Pcm;

/// Samples of one part where arrays are only read: four runs of the content digest, so that parts are large
/// enough for a thread and many of them fit into memory.
pub const PART_SAMPLES: u64 = 4 * RUN_SAMPLES;

/// Samples that are read at once.
const STRETCH_SAMPLES: u64 = 1 << 16;

/// The same where samples come in frames, of which the first and the last may be decoded twice.
const FRAMES_STRETCH_SAMPLES: u64 = RUN_SAMPLES / 2;

/// A part: a run of samples of one array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Index of the array in the signature.
    pub array: usize,
    /// Samples, in row-major order.
    pub samples: Range<u64>,
}

/// Channels of a sound that is cut between the frames of a FLAC, at most.
const CUT_CHANNELS_MAX: u64 = 8;

/// Samples of a channel in a frame of a FLAC.
const FRAME_SAMPLES: u64 = 4096;

/// Samples of one part of an array: as many as asked for, but a part of a sound begins where a frame of a
/// FLAC does.
pub fn samples_of_part(array: &Array, asked: u64) -> u64 {
    match array.shape.as_slice() {
        [_, channels @ 1..=CUT_CHANNELS_MAX] if crate::sound::is_sound(array) => {
            // Whole runs and whole frames: both are powers of two, times the odd part of the channels.
            let odd = channels >> channels.trailing_zeros();
            let unit = odd * RUN_SAMPLES.max((channels / odd) * FRAME_SAMPLES);
            unit * (asked / unit).max(1)
        }
        _ => asked.max(RUN_SAMPLES),
    }
}

/// The parts of a signal, array by array, of about this many samples, a multiple of [`RUN_SAMPLES`]. The cut
/// sees the shapes and nothing else.
pub fn parts(signature: &Signature, part_samples: u64) -> Vec<Part> {
    let mut parts = Vec::new();
    for (array, described) in signature.arrays.iter().enumerate() {
        let samples = described.samples().unwrap_or(0);
        let mut from = 0;
        while from < samples {
            let to = samples.min(from.saturating_add(samples_of_part(described, part_samples)));
            parts.push(Part { array, samples: from..to });
            from = to;
        }
    }
    parts
}

/// Samples that lie in no file as they are: those of an image, or of the columns of a table.
pub(crate) trait Samples: std::fmt::Debug + Send + Sync {
    /// Reads samples of an array in row-major order into `out`, little-endian, in place of what it holds.
    fn read(&self, array: usize, samples: Range<u64>, out: &mut Vec<u8>) -> Result<()>;
}

/// How samples lie in a file.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    /// As their encoding says.
    Plain,
    /// As whole samples of a sound.
    Pcm(Pcm),
    /// As frames.
    Flac(Arc<Stream>),
    /// Not at all: something else gives them, as the array of this index.
    Elsewhere(Arc<dyn Samples>, usize),
}

impl Held {
    /// Bytes that hold this many samples in an encoding; `None` beyond 64 bits.
    fn bytes(&self, samples: u64, encoding: Encoding) -> Option<u64> {
        match self {
            Self::Plain => encoding.bytes(samples),
            Self::Pcm(pcm) => samples.checked_mul(pcm.bytes as u64),
            // Frames were found in the file, and give so many samples or they are none.
            Self::Flac(stream) => (stream.samples() == Some(samples)).then_some(0),
            Self::Elsewhere(..) => Some(0),
        }
    }
}

/// Where the samples of one array lie.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    /// The file: the object itself, or a temporary that it was unpacked into.
    pub file: Arc<ObjectFile>,
    /// Byte of the first sample.
    pub offset: u64,
    /// How samples are held.
    pub encoding: Encoding,
    /// Whether the bytes of a sample lie in the other order.
    pub big_endian: bool,
    /// Whether the first axis is the fastest.
    pub column_major: bool,
    /// How samples lie in the file, before any of this.
    pub held: Held,
}

impl Extent {
    /// Samples that something else gives, as the array of this index.
    fn elsewhere(file: Arc<ObjectFile>, array: &Array, samples: Arc<dyn Samples>, index: usize) -> Self {
        Self {
            file,
            offset: 0,
            encoding: array.sample.into(),
            big_endian: false,
            column_major: false,
            held: Held::Elsewhere(samples, index),
        }
    }
}

/// An array, and where its samples lie.
pub(super) type Placed = (Array, Extent);

/// An open container of arrays.
#[derive(Debug, Clone)]
pub struct Arrays {
    signature: Signature,
    extents: Vec<Extent>,
    ignored: Vec<String>,
    /// The layout that the image declares whose samples they are.
    declared: Option<Arc<Declared>>,
    /// The files besides the object itself.
    files: Vec<Arc<ObjectFile>>,
    /// Names of arrays that cannot be read, and were not wanted.
    left_out: Vec<String>,
}

impl Arrays {
    /// Puts arrays in the order of their names.
    ///
    /// # Errors
    /// Two arrays of one name; an array that is larger than its file, or has too many axes.
    pub(super) fn new(
        format: &'static str,
        mut arrays: Vec<Placed>,
        attributes: Vec<(String, Vec<u8>)>,
    ) -> Result<Self> {
        arrays.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        if let Some(pair) = arrays.windows(2).find(|pair| pair[0].0.name == pair[1].0.name) {
            let what = format!("two arrays are called {:?}", pair[0].0.name);
            return Err(Error::malformed(format, Place::default(), what));
        }
        for (array, extent) in &arrays {
            let at = Place::at_byte(extent.offset).column(array.name.clone());
            let bytes = array.samples().and_then(|samples| extent.held.bytes(samples, extent.encoding));
            let end = bytes.and_then(|bytes| bytes.checked_add(extent.offset));
            if end.is_none_or(|end| end > extent.file.len()) {
                let what = format!("its shape {:?} asks for more bytes than there are", array.shape);
                return Err(Error::malformed(format, at, what));
            }
            if array.shape.len() > RANK_MAX {
                let (what, max) = ("the number of axes", RANK_MAX as u64);
                let hint = "reshape it first".to_owned();
                return Err(Error::Limit { place: Box::new(at), what, max, hint });
            }
        }
        let (arrays, extents) = arrays.into_iter().unzip();
        let signature = Signature { arrays, attributes };
        let (ignored, declared, files, left_out) = (Vec::new(), None, Vec::new(), Vec::new());
        Ok(Self { signature, extents, ignored, declared, files, left_out })
    }

    /// A sound, with what its file holds besides that is no content.
    pub(crate) fn of_sound(
        format: &'static str,
        array: Array,
        extent: Extent,
        attributes: Vec<(String, Vec<u8>)>,
        ignored: Vec<String>,
    ) -> Result<Self> {
        Ok(Self { ignored, ..Self::new(format, vec![(array, extent)], attributes)? })
    }

    /// Notes what the file holds besides that is no content.
    pub(super) fn ignoring(self, ignored: Vec<String>) -> Self {
        Self { ignored, ..self }
    }

    /// What the file holds besides that is no content.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Notes the layout that an image declares whose samples they are.
    pub(super) fn declaring(self, declared: Option<Declared>) -> Self {
        Self { declared: declared.map(Arc::new), ..self }
    }

    /// The layout that the image declares whose samples they are. They do not hold it.
    pub fn declared(&self) -> Option<&Declared> {
        self.declared.as_deref()
    }

    /// Notes arrays that cannot be read and were not wanted.
    pub(super) fn leaving_out(self, left_out: Vec<String>) -> Self {
        Self { left_out, ..self }
    }

    /// Names of arrays that cannot be read, and were not wanted.
    pub(super) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Notes the files in which the arrays lie, where these are not in the object itself.
    pub(super) fn of_files(self, files: Vec<Arc<ObjectFile>>) -> Self {
        Self { files, ..self }
    }

    /// The files in which the arrays lie, where these are not in the object that was opened.
    pub fn files(&self) -> &[Arc<ObjectFile>] {
        &self.files
    }

    /// Arrays whose samples something else gives, by their indexes here.
    pub(super) fn elsewhere(
        format: &'static str,
        file: Arc<ObjectFile>,
        arrays: Vec<Array>,
        attributes: Vec<(String, Vec<u8>)>,
        samples: &Arc<dyn Samples>,
    ) -> Result<Self> {
        let extent = |(index, array): (usize, Array)| {
            let extent = Extent::elsewhere(file.clone(), &array, samples.clone(), index);
            (array, extent)
        };
        Self::new(format, arrays.into_iter().enumerate().map(extent).collect(), attributes)
    }

    /// The same arrays and one more, whose samples something else gives, with these attributes.
    pub(super) fn with_beside(
        self,
        format: &'static str,
        array: Array,
        attributes: Vec<(String, Vec<u8>)>,
        samples: Arc<dyn Samples>,
    ) -> Result<Self> {
        let Some(file) = self.file() else { return Ok(self) };
        let Self { signature, extents, ignored, declared, files, left_out } = self;
        let mut placed: Vec<Placed> = signature.arrays.into_iter().zip(extents).collect();
        placed.push((array.clone(), Extent::elsewhere(file, &array, samples, 0)));
        Ok(Self { ignored, declared, files, left_out, ..Self::new(format, placed, attributes)? })
    }

    /// What the content is besides the samples.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The object in which the first array lies.
    pub(super) fn file(&self) -> Option<Arc<ObjectFile>> {
        self.extents.first().map(|extent| extent.file.clone())
    }

    /// The same arrays under another description, with as many samples in each.
    pub(super) fn told_as(self, signature: Signature) -> Self {
        Self { signature, ..self }
    }

    /// Whether this and another are one array each, of which one has no name: then they belong together.
    pub fn is_pair_with(&self, other: &Self) -> bool {
        match (self.signature.arrays.as_slice(), other.signature.arrays.as_slice()) {
            ([ours], [theirs]) => ours.name.is_empty() || theirs.name.is_empty(),
            _ => false,
        }
    }

    /// Keeps the arrays at these indexes, and the attributes of these indexes. The text that tells the order
    /// of columns tells that of those which are left.
    pub fn narrowed(self, keep: &[usize], attributes: &[usize]) -> Self {
        let told = Some(keep).filter(|keep| keep.len() < self.signature.arrays.len());
        let told = told.and_then(|_| told_names(&self.signature));
        let extents = keep.iter().map(|index| self.extents[*index].clone()).collect();
        let arrays = keep.iter().map(|index| self.signature.arrays[*index].clone()).collect();
        let attributes = attributes.iter().map(|index| self.signature.attributes[*index].clone()).collect();
        let mut signature = Signature { arrays, attributes };
        if let Some(names) = told {
            columns::narrow(&mut signature, names);
        }
        Self { signature, extents, ..self }
    }

    /// How many samples of an array are best read at once: as many as fit into the cache beside what looks at
    /// them, or a whole part where reading fewer would touch the same bytes again and again.
    pub fn stretch(&self, array: usize) -> u64 {
        match &self.extents[array] {
            Extent { column_major: true, .. } | Extent { held: Held::Elsewhere(..), .. } => PART_SAMPLES,
            Extent { held: Held::Flac(_), .. } => FRAMES_STRETCH_SAMPLES,
            _ => STRETCH_SAMPLES,
        }
    }

    /// How the samples of an array are held.
    pub fn encoding(&self, array: usize) -> Encoding {
        self.extents[array].encoding
    }

    /// How each array is held: in blocks, or as its samples are read.
    pub fn in_blocks(&self) -> Vec<Encoding> {
        let held = |(array, extent): (&Array, &Extent)| {
            Some(extent.encoding).filter(|held| held.is_in_blocks()).unwrap_or(Encoding::Plain(array.sample))
        };
        self.signature.arrays.iter().zip(&self.extents).map(held).collect()
    }

    /// Reads samples of an array in row-major order into `out`, in place of what it holds. Blocks are
    /// unpacked into `held` first.
    pub fn read(&self, part: &Part, held: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
        let encoding = self.extents[part.array].encoding;
        if encoding == Encoding::Plain(encoding.sample()) {
            return self.read_held(part, out);
        }
        self.read_held(part, held)?;
        out.clear();
        encoding.decode(held, encoding.sample(), out);
        Ok(())
    }

    /// Reads samples of an array in row-major order into `out` as they are held, little-endian, in place of
    /// what it holds. A part of blocks is of whole blocks.
    pub fn read_held(&self, part: &Part, out: &mut Vec<u8>) -> Result<()> {
        let (array, extent) = (&self.signature.arrays[part.array], &self.extents[part.array]);
        let Range { start, end } = part.samples;
        match &extent.held {
            Held::Plain => {}
            Held::Flac(stream) => return stream.read(&extent.file, part.samples.clone(), array.sample, out),
            Held::Pcm(pcm) => return read_pcm(extent, *pcm, part.samples.clone(), out),
            Held::Elsewhere(samples, index) => return samples.read(*index, part.samples.clone(), out),
        }
        let bytes = extent.encoding.bytes(end - start).zip(extent.encoding.bytes(start));
        let (count, skipped) = bytes.ok_or_else(|| Error::Bug("a part beyond 64 bits".into()))?;
        out.resize(usize::try_from(count).unwrap_or(usize::MAX), 0);
        if !matches!(extent.encoding, Encoding::Plain(_)) {
            return extent.file.read_exact_at(out, extent.offset + skipped);
        }
        let width = array.sample.width();
        if extent.column_major && array.shape.iter().filter(|axis| **axis > 1).count() > 1 {
            read_column_major(array, extent, part.samples.clone(), out)?;
        } else {
            extent.file.read_exact_at(out, extent.offset + skipped)?;
        }
        if extent.big_endian && width > 1 {
            out.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        if array.sample == SampleType::Bool
            && let Some(at) = out.iter().position(|byte| *byte > 1)
        {
            let place = Place::at_byte(extent.offset + part.samples.start + at as u64);
            let what = format!("a truth value is {}, not 0 or 1", out[at]);
            let error = Error::malformed("array", place.column(array.name.clone()), what);
            return Err(error.in_file(extent.file.path()));
        }
        Ok(())
    }
}

/// Reads whole samples of a sound.
fn read_pcm(extent: &Extent, pcm: Pcm, samples: Range<u64>, out: &mut Vec<u8>) -> Result<()> {
    let width = pcm.bytes as u64;
    let at = extent.offset + samples.start * width;
    let mut held = vec![0; usize::try_from((samples.end - samples.start) * width).unwrap_or(usize::MAX)];
    extent.file.read_exact_at(&mut held, at)?;
    out.clear();
    pcm.unpack(&held, out).map_err(|index| {
        let place = Place::at_byte(at + index as u64 * width);
        let what = format!("a sample has more than the {} bits that the header tells of", pcm.bits);
        Error::malformed("sound", place, what).in_file(extent.file.path())
    })
}

/// Gathers a run in row-major order from samples in column-major order. A column-major file has, for each
/// place on all axes but the first, a run along the first axis; so the rows that the run touches are read a
/// piece of each of those at a time.
fn read_column_major(array: &Array, extent: &Extent, samples: Range<u64>, out: &mut [u8]) -> Result<()> {
    let width = array.sample.width();
    let (first, rest) = (array.shape[0], &array.shape[1..]);
    let row_samples: u64 = rest.iter().product();
    let (row_from, row_to) = (samples.start / row_samples, samples.end.div_ceil(row_samples));
    let rows = usize::try_from(row_to - row_from).unwrap_or(usize::MAX);
    let places = usize::try_from(row_samples).unwrap_or(usize::MAX);
    let held = rows.checked_mul(places).and_then(|n| n.checked_mul(width));
    if held.is_none_or(|held| held > COLUMN_MAJOR_BYTES_MAX) {
        let place = Place::at_byte(extent.offset).column(array.name.clone());
        let (what, max) = ("the bytes of one row of an array in column-major order", COLUMN_MAJOR_BYTES_MAX);
        let hint = "save it in row-major order: numpy.ascontiguousarray".to_owned();
        return Err(Error::Limit { place: Box::new(place), what, max: max as u64, hint });
    }
    let mut column = vec![0; rows * width];
    let mut index = vec![0u64; rest.len()];
    for place in 0..places {
        let at = extent.offset + (place as u64 * first + row_from) * width as u64;
        extent.file.read_exact_at(&mut column, at)?;
        // The place counts the axes with the second one fastest; in rows the last one is.
        let within = index.iter().zip(rest).fold(0, |sum, (index, axis)| sum * axis + index);
        for (row, sample) in (row_from..row_to).zip(column.chunks_exact(width)) {
            let at = row * row_samples + within;
            if samples.contains(&at) {
                let to = usize::try_from(at - samples.start).unwrap_or(usize::MAX) * width;
                out[to..to + width].copy_from_slice(sample);
            }
        }
        for (index, axis) in index.iter_mut().zip(rest) {
            *index += 1;
            if *index < *axis {
                break;
            }
            *index = 0;
        }
    }
    Ok(())
}
