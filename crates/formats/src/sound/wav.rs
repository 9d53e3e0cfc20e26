//! Provides WAV: whole or floating-point samples in chunks, and RF64 where these are longer than 4 GiB.

use std::sync::Arc;

use coherence::sample::SampleType;
use coherence::signal::Signature;

use super::pcm::Pcm;
use super::riff::{self, Role};
use super::tags::{self, Found};
use super::{Shape, bytes_at, layout, pcm};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::signal::{Arrays, Encoding, Extent, Held, Packing, Part, Writer, Written};
use crate::words::counted;

const FORMAT: &str = "wav";
/// Tags of the `fmt ` chunk.
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;
/// What follows the tag in the identifier of a subformat.
const SUBFORMAT: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
/// A size that stands elsewhere, or is not known.
const UNKNOWN: u32 = u32::MAX;

/// Where a chunk lies.
struct Chunk {
    id: [u8; 4],
    from: u64,
    to: u64,
}

/// The `fmt ` chunk.
struct Layout {
    rate: u32,
    channels: u64,
    pcm: Pcm,
    float: Option<SampleType>,
    mask: Option<u32>,
}

fn bad(byte: u64, what: impl Into<String>) -> Error {
    Error::malformed(FORMAT, Place::at_byte(byte), what)
}

/// Opens a WAV.
pub(crate) fn open(file: Arc<ObjectFile>) -> Result<Arrays> {
    let head: [u8; 12] = bytes_at(FORMAT, &file, 0)?;
    let long = match (&head[..4], &head[8..]) {
        (b"RIFF", b"WAVE") => false,
        (b"RF64" | b"BW64", b"WAVE") => true,
        _ => return Err(bad(0, "it does not begin with RIFF or RF64, a size, and WAVE")),
    };
    let mut found = Found::default();
    let chunks = chunks(&file, long, &mut found)?;
    let only = |id: &[u8; 4]| {
        let mut named = chunks.iter().filter(|chunk| chunk.id == *id);
        match (named.next(), named.next()) {
            (_, Some(second)) => Err(bad(second.from, format!("a second chunk {:?}", tags::text(id)))),
            (first, None) => Ok(first),
        }
    };
    let layout = only(b"fmt ")?.ok_or_else(|| bad(12, "there is no chunk \"fmt \""))?;
    let data = only(b"data")?.ok_or_else(|| bad(12, "there is no chunk \"data\""))?;
    let layout = read_layout(&file, layout)?;
    let frame_bytes = layout.pcm.bytes as u64 * layout.channels;
    let bytes = data.to - data.from;
    if !bytes.is_multiple_of(frame_bytes) {
        return Err(bad(data.to, "the samples end within a frame"));
    }
    attributes(&file, &chunks, &mut found)?;
    found.add(tags::RATE.into(), layout.rate.to_string().into_bytes())?;
    let sample = layout.float.unwrap_or(layout.pcm.sample());
    let shape = Shape {
        frames: bytes / frame_bytes,
        channels: layout.channels,
        meaning: layout::meaning(layout.channels, layout.mask),
        sample,
        bits: layout.float.is_none().then_some(layout.pcm.bits),
    };
    let plain = layout.float.is_some() || layout.pcm.is_plain();
    let held = if plain { Held::Plain } else { Held::Pcm(layout.pcm) };
    let extent = Extent {
        file,
        offset: data.from,
        encoding: sample.into(),
        big_endian: false,
        column_major: false,
        held,
    };
    let ignored = std::mem::take(&mut found.ignored);
    Arrays::of_sound(FORMAT, shape.array(), extent, found.finish(), ignored)
}

/// All chunks, and what follows them.
fn chunks(file: &ObjectFile, long: bool, found: &mut Found) -> Result<Vec<Chunk>> {
    let (mut chunks, mut at) = (Vec::new(), 12);
    let mut long_data = None;
    let told = u32::from_le_bytes(bytes_at(FORMAT, file, 4)?);
    let mut end = match told {
        UNKNOWN | 0 => file.len(),
        told => u64::from(told) + 8,
    };
    while at < end.min(file.len()) {
        let head: [u8; 8] = match bytes_at(FORMAT, file, at) {
            Ok(head) => head,
            // A byte of padding after the last chunk, which some writers do not count and others write
            // twice.
            Err(_) if file.len() - at < 2 && !chunks.is_empty() => break,
            Err(error) => return Err(error),
        };
        let (id, len) = ([head[0], head[1], head[2], head[3]], &head[4..]);
        let len = u32::from_le_bytes([len[0], len[1], len[2], len[3]]);
        let from = at + 8;
        let to = match (&id, len) {
            (b"data", UNKNOWN) if long => long_data.and_then(|len| from.checked_add(len)),
            // Written into a pipe by who did not know how much there would be.
            (b"data", UNKNOWN) => Some(file.len()),
            _ => from.checked_add(len.into()),
        };
        let to = to.filter(|to| *to <= file.len());
        let to = to.ok_or_else(|| {
            let (name, left) = (tags::text(&id), file.len() - from);
            bad(at, format!("chunk {name:?} tells of more bytes than the {left} that follow"))
        })?;
        if &id == b"ds64" && long {
            let sizes: [u8; 16] = bytes_at(FORMAT, file, from)?;
            let (riff, data) = sizes.split_at(8);
            let number =
                |bytes: &[u8]| bytes.iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
            long_data = Some(number(data));
            end = number(riff).saturating_add(8);
        }
        chunks.push(Chunk { id, from, to });
        at = to + (to - from) % 2;
        if chunks.len() > crate::limits::ATTRIBUTES_MAX {
            return Err(bad(at, "there are more chunks than any program writes"));
        }
    }
    if file.len() > at {
        found.ignored.push(format!("{} after the last chunk", counted(file.len() - at, "byte")));
    }
    Ok(chunks)
}

fn read_layout(file: &ObjectFile, chunk: &Chunk) -> Result<Layout> {
    let at = chunk.from;
    if chunk.to - at < 16 {
        return Err(bad(at, "the chunk \"fmt \" is too short"));
    }
    let head: [u8; 16] = bytes_at(FORMAT, file, at)?;
    let short = |from: usize| u16::from_le_bytes([head[from], head[from + 1]]);
    let (mut tag, channels, rate) =
        (short(0), u64::from(short(2)), u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
    let (block, mut bits) = (u64::from(short(12)), short(14));
    let mut mask = None;
    let container = block.checked_div(channels).unwrap_or(0);
    if tag == EXTENSIBLE && chunk.to - at >= 40 {
        let more: [u8; 22] = bytes_at(FORMAT, file, at + 18)?;
        let valid = u16::from_le_bytes([more[0], more[1]]);
        mask = Some(u32::from_le_bytes([more[2], more[3], more[4], more[5]])).filter(|mask| *mask != 0);
        tag = u16::from_le_bytes([more[6], more[7]]);
        if more[8..] != SUBFORMAT {
            return Err(tags::unsupported(at + 24, "samples in a coding of its own", DECODE_FIRST));
        }
        bits = if valid == 0 { bits } else { valid };
    }
    if channels == 0 || rate == 0 || container * channels != block {
        return Err(bad(at, "channels, rate and bytes of a frame do not fit together"));
    }
    let float = match (tag, container, bits) {
        (PCM, 1..=4, 1..) if u64::from(bits).div_ceil(8) <= container && bits <= 32 => None,
        (FLOAT, 4, 32) => Some(SampleType::F32),
        (FLOAT, 8, 64) => Some(SampleType::F64),
        (PCM | FLOAT, ..) => return Err(bad(at, format!("samples of {bits} bits in {container} bytes"))),
        _ => {
            let what = format!("samples in coding {tag:#06x}, which is neither PCM nor floating point");
            return Err(tags::unsupported(at, what, DECODE_FIRST));
        }
    };
    let (bytes, bits) = (container as usize, bits as u8);
    let pcm = Pcm { bytes, bits, from_zero: bytes == 1, big_endian: false };
    Ok(Layout { rate, channels, pcm, float, mask })
}

const DECODE_FIRST: &str = "decode it to PCM first";

/// Chunks that are content.
fn attributes(file: &ObjectFile, chunks: &[Chunk], found: &mut Found) -> Result<()> {
    let mut listed = false;
    for chunk in chunks {
        let id = &chunk.id;
        match riff::role(id) {
            Role::Samples | Role::Filler => continue,
            Role::Derived => {
                found.ignored.push(tags::PEAK.into());
                continue;
            }
            Role::Outermost | Role::Content => {}
        }
        let value = tags::chunk(file, chunk.from..chunk.to)?;
        match tags::read_info(&value).filter(|_| id == b"LIST" && !listed) {
            Some(tags) => {
                listed = true;
                tags.iter().try_for_each(|(name, value)| found.tag(name, value))?;
            }
            None => riff::add(id, value, found)?,
        }
    }
    Ok(())
}

/// Writes a WAV.
pub(crate) struct WavWriter {
    header: Vec<u8>,
    /// What follows the samples: the byte that fills up their chunk, and other chunks. Before the samples
    /// some readers stop at a chunk that they do not know.
    footer: Vec<u8>,
    pcm: Option<Pcm>,
}

impl WavWriter {
    /// A writer of the only array of a signal, which is a sound.
    pub fn new(signature: &Signature, stored: &[Encoding]) -> Result<Self> {
        let (shape, rate) = Shape::of(FORMAT, signature, stored)?;
        let pcm = shape.bits.map(Pcm::of_wav);
        let bytes = pcm.map_or(shape.sample.width(), |pcm| pcm.bytes);
        let channels =
            u16::try_from(shape.channels).map_err(|_| super::too_many(FORMAT, shape.channels, 65_535))?;
        let frame_bytes = u16::try_from(usize::from(channels) * bytes);
        let frame_bytes =
            frame_bytes.map_err(|_| super::too_many(FORMAT, shape.channels, 65_535 / bytes as u64))?;
        let bytes_total = shape.frames.checked_mul(frame_bytes.into());
        let bytes_total = bytes_total.ok_or_else(|| Error::Bug("a sound beyond 64 bits".into()))?;
        let bits = pcm.map_or(8 * bytes as u16, |pcm| pcm.bits.into());
        let usual = shape.channels <= 2 && layout::is_usual(shape.channels, &shape.meaning);
        let extensible = !usual || usize::from(bits) != 8 * bytes || (pcm.is_some() && bits > 16);
        let tag = if pcm.is_some() { PCM } else { FLOAT };
        let mut fmt = Vec::new();
        fmt.extend(if extensible { EXTENSIBLE } else { tag }.to_le_bytes());
        fmt.extend(channels.to_le_bytes());
        fmt.extend(rate.to_le_bytes());
        fmt.extend(rate.saturating_mul(frame_bytes.into()).to_le_bytes());
        fmt.extend(frame_bytes.to_le_bytes());
        fmt.extend((8 * bytes as u16).to_le_bytes());
        if extensible {
            fmt.extend(22u16.to_le_bytes());
            fmt.extend(bits.to_le_bytes());
            fmt.extend(super::told_mask(FORMAT, &shape)?.unwrap_or(0).to_le_bytes());
            fmt.extend(tag.to_le_bytes());
            fmt.extend(SUBFORMAT);
        } else if tag == FLOAT {
            fmt.extend(0u16.to_le_bytes());
        }
        let mut body = Vec::new();
        put(&mut body, b"fmt ", &fmt);
        if tag == FLOAT {
            put(&mut body, b"fact", &u32::try_from(shape.frames).unwrap_or(UNKNOWN).to_le_bytes());
        }
        if let Some(list) = tags::write_info(&signature.attributes) {
            put(&mut body, b"LIST", &list);
        }
        let mut footer = vec![0; usize::from(bytes_total % 2 == 1)];
        for (key, value) in &signature.attributes {
            if let Some(id) = riff::id(key) {
                // Where a broadcaster looks for it.
                let out = if &id == b"bext" { &mut body } else { &mut footer };
                put(out, &id, value);
            }
        }
        let header = header(&body, bytes_total, footer.len(), bytes_total / u64::from(frame_bytes));
        Ok(Self { header, footer, pcm: pcm.filter(|pcm| !pcm.is_plain()) })
    }
}

/// Everything before the samples, with so many bytes behind them.
fn header(body: &[u8], data_bytes: u64, footer_bytes: usize, frames: u64) -> Vec<u8> {
    let size = 4 + body.len() as u64 + 8 + data_bytes + footer_bytes as u64;
    let mut out = Vec::new();
    match (u32::try_from(size), u32::try_from(data_bytes)) {
        (Ok(size), Ok(data)) if size < UNKNOWN => {
            out.extend(b"RIFF");
            out.extend(size.to_le_bytes());
            out.extend(b"WAVE");
            out.extend(body);
            out.extend(b"data");
            out.extend(data.to_le_bytes());
        }
        _ => {
            out.extend(b"RF64");
            out.extend(UNKNOWN.to_le_bytes());
            out.extend(b"WAVE");
            let sizes = [size + 36, data_bytes, frames];
            let mut long: Vec<u8> = sizes.into_iter().flat_map(u64::to_le_bytes).collect();
            long.extend([0; 4]);
            put(&mut out, b"ds64", &long);
            out.extend(body);
            out.extend(b"data");
            out.extend(UNKNOWN.to_le_bytes());
        }
    }
    out
}

fn put(out: &mut Vec<u8>, id: &[u8; 4], value: &[u8]) {
    out.extend(id);
    out.extend((value.len() as u32).to_le_bytes());
    out.extend(value);
    if value.len() % 2 == 1 {
        out.push(0);
    }
}

impl Packing for Pcm {
    fn pack(&self, part: &Part, held: &[u8]) -> Result<Written> {
        pcm::check_range(part, held, self.bits)?;
        let mut bytes = Vec::with_capacity(held.len() / self.sample().width() * self.bytes);
        Pcm::pack(self, held, &mut bytes);
        Ok(Written { bytes, lengths: Vec::new() })
    }

    fn bytes(&self, samples: u64) -> Option<u64> {
        samples.checked_mul(self.bytes as u64)
    }
}

impl Writer for WavWriter {
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
        Ok(std::mem::take(&mut self.footer))
    }

    fn can_go_on(&self) -> bool {
        self.pcm.is_none()
    }

    fn packing(&self) -> Option<Arc<dyn Packing>> {
        self.pcm.map(|pcm| Arc::new(pcm) as Arc<dyn Packing>)
    }
}
