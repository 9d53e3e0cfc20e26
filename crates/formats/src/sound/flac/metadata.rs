//! Provides the metadata blocks before the frames of a FLAC (RFC 9639, section 8).

use super::{FORMAT, bad};
use crate::error::{Error, Result};
use crate::file::ObjectFile;
use crate::sound::comments::{self, MASK};
use crate::sound::riff::{self, Carried};
use crate::sound::tags::{FLAC, Found, PICTURE, TAG};
use crate::sound::{chunk_id, layout};

/// What stands first in a file.
pub(super) const MAGIC: &[u8; 4] = b"fLaC";
/// Bytes of a `STREAMINFO` block.
pub(super) const INFO_BYTES: usize = 34;
/// Types of blocks.
pub(super) const STREAM_INFO: u8 = 0;
const PADDING: u8 = 1;
pub(super) const APPLICATION: u8 = 2;
pub(super) const SEEK_TABLE: u8 = 3;
pub(super) const COMMENT: u8 = 4;
pub(super) const CUE_SHEET: u8 = 5;
pub(super) const PICTURES: u8 = 6;
/// The key of a cue sheet.
pub(super) const CUE_SHEET_KEY: &str = "flac:cuesheet";
/// The application whose blocks are chunks of a WAV.
pub(super) const RIFF_ID: &[u8; 4] = b"riff";
/// Blocks at most: each costs little to read, but a file of nothing else must end.
const BLOCKS_MAX: usize = 10_000;

/// What a `STREAMINFO` block tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamInfo {
    /// Least and greatest number of samples of a channel in a frame.
    pub blocks: (u16, u16),
    /// Samples of a channel in a second.
    pub rate: u32,
    /// Channels, from 1 to 8.
    pub channels: u8,
    /// Bits of a sample, from 4 to 32.
    pub bits: u8,
    /// Samples of a channel; 0 where that is not known.
    pub frames: u64,
    /// MD5 of all samples; zeros where that is not known.
    pub md5: [u8; 16],
}

impl StreamInfo {
    fn read(bytes: &[u8], at: u64) -> Result<Self> {
        let Some(block) = bytes.first_chunk::<INFO_BYTES>().filter(|_| bytes.len() == INFO_BYTES) else {
            return Err(bad(at, "the block STREAMINFO does not have 34 bytes"));
        };
        let number = |range: std::ops::Range<usize>| {
            block[range].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let packed = number(10..18);
        let mut md5 = [0; 16];
        md5.copy_from_slice(&block[18..]);
        let info = Self {
            blocks: (number(0..2) as u16, number(2..4) as u16),
            rate: (packed >> 44) as u32,
            channels: (packed >> 41 & 7) as u8 + 1,
            bits: (packed >> 36 & 31) as u8 + 1,
            frames: packed & 0xf_ffff_ffff,
            md5,
        };
        let right = info.rate > 0 && info.bits >= 4 && info.blocks.1 >= 16 && info.blocks.0 <= info.blocks.1;
        if right { Ok(info) } else { Err(bad(at, "the block STREAMINFO tells what no stream has")) }
    }

    /// The block, with the least and greatest number of bytes of a frame.
    pub fn bytes(&self, sizes: (u32, u32)) -> [u8; INFO_BYTES] {
        let mut out = [0; INFO_BYTES];
        out[..2].copy_from_slice(&self.blocks.0.to_be_bytes());
        out[2..4].copy_from_slice(&self.blocks.1.to_be_bytes());
        out[4..7].copy_from_slice(&sizes.0.to_be_bytes()[1..]);
        out[7..10].copy_from_slice(&sizes.1.to_be_bytes()[1..]);
        let packed = u64::from(self.rate) << 44
            | u64::from(self.channels - 1) << 41
            | u64::from(self.bits - 1) << 36
            | self.frames;
        out[10..18].copy_from_slice(&packed.to_be_bytes());
        out[18..].copy_from_slice(&self.md5);
        out
    }
}

/// Reads all blocks: what the stream is, a mask of channels where one is told, and where the frames begin.
pub(super) fn read(file: &ObjectFile, found: &mut Found) -> Result<(StreamInfo, Option<u32>, u64)> {
    let mut magic = [0; 10];
    let count = file.read_at(&mut magic, 0)?;
    let mut at = match magic {
        // Some programs put a tag of MP3 before everything; its size has 7 bits in each byte.
        [b'I', b'D', b'3', _, _, _, a, b, c, d] if count == 10 => {
            found.ignored.push("an ID3 tag before the stream".into());
            10 + [a, b, c, d].into_iter().fold(0u64, |size, byte| size << 7 | u64::from(byte & 0x7f))
        }
        _ => 0,
    };
    let mut head = [0; 4];
    if file.read_at(&mut head, at)? < 4 || &head != MAGIC {
        return Err(bad(at, "it does not begin with fLaC"));
    }
    at += 4;
    let (mut info, mut mask, mut carried) = (None, None, Carried::default());
    for _ in 0..BLOCKS_MAX {
        if file.read_at(&mut head, at)? < 4 {
            return Err(bad(at, "the file ends within its metadata"));
        }
        let (last, kind) = (head[0] >> 7 == 1, head[0] & 0x7f);
        let len = u64::from(u32::from_be_bytes([0, head[1], head[2], head[3]]));
        if file.len() - at - 4 < len {
            return Err(bad(at, "a block of metadata tells of more bytes than follow"));
        }
        let kept = !matches!(kind, PADDING | SEEK_TABLE);
        let mut block = vec![0; if kept { len as usize } else { 0 }];
        file.read_exact_at(&mut block, at + 4)?;
        match (kind, &info) {
            (STREAM_INFO, None) => info = Some(StreamInfo::read(&block, at + 4)?),
            (_, None) | (STREAM_INFO, _) => return Err(bad(at, "STREAMINFO does not stand first, and once")),
            (PADDING | SEEK_TABLE, _) => {}
            (COMMENT, _) => mask = comments::read(FORMAT, &block, at + 4, found)?.mask.or(mask),
            (APPLICATION, _) => application(block, at + 4, &mut carried, found)?,
            (CUE_SHEET, _) => found.add(CUE_SHEET_KEY.into(), block)?,
            (PICTURES, _) => found.add(PICTURE.into(), block)?,
            (127, _) => return Err(bad(at, "a block of metadata has the type 127, which is none")),
            _ => found.ignored.push(format!("a block of metadata of the unknown type {kind}")),
        }
        at += 4 + len;
        if last {
            let info = info.ok_or_else(|| bad(at, "there is no block STREAMINFO"))?;
            carried.finish(found)?;
            return Ok((info, mask, at));
        }
    }
    Err(bad(at, "there are more blocks of metadata than any program writes"))
}

fn application(block: Vec<u8>, at: u64, carried: &mut Carried, found: &mut Found) -> Result<()> {
    let Some((id, value)) = block.split_first_chunk::<4>() else {
        return Err(bad(at, "a block of an application names none"));
    };
    match riff::carried(value).filter(|_| id == RIFF_ID) {
        Some((chunk, value)) => carried.add(&chunk, value, found),
        None => found.add(format!("{FLAC}{}", latin_1(id)), value.to_vec()),
    }
}

/// Whether a block that this key names comes back under the same key.
pub(crate) fn holds(key: &str, value: &[u8]) -> bool {
    match key.strip_prefix(FLAC).and_then(chunk_id) {
        Some(id) => &id != RIFF_ID || riff::carried(value).is_none(),
        None => key == CUE_SHEET_KEY,
    }
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The blocks for the attributes of a sound, each with its type; tags come first, and always.
pub(super) fn blocks(
    attributes: &[(String, Vec<u8>)],
    channels: u64,
    meaning: &str,
    mask: Option<u32>,
) -> Result<Vec<(u8, Vec<u8>)>> {
    let vendor = b"isoform";
    let mut comments: Vec<Vec<u8>> = Vec::new();
    let mut blocks = vec![(COMMENT, Vec::new())];
    if let Some(mask) = mask.filter(|_| !layout::is_usual(channels, meaning)) {
        comments.push(format!("{MASK}=0x{mask:04X}").into_bytes());
    }
    for (key, value) in attributes {
        if let Some(name) = key.strip_prefix(TAG) {
            comments.push([name.as_bytes(), b"=", value].concat());
        } else if let Some(id) = riff::id(key) {
            let len = (value.len() as u32).to_le_bytes();
            let padding: &[u8] = if value.len() % 2 == 1 { &[0] } else { &[] };
            blocks.push((APPLICATION, [RIFF_ID, &id, &len, value.as_slice(), padding].concat()));
        } else if key == CUE_SHEET_KEY {
            blocks.push((CUE_SHEET, value.clone()));
        } else if key == PICTURE {
            blocks.push((PICTURES, value.clone()));
        } else if let Some(id) = key.strip_prefix(FLAC).and_then(chunk_id) {
            blocks.push((APPLICATION, [&id, value.as_slice()].concat()));
        }
    }
    let block = &mut blocks[0].1;
    block.extend((vendor.len() as u32).to_le_bytes());
    block.extend(vendor);
    block.extend((comments.len() as u32).to_le_bytes());
    for comment in comments {
        block.extend((comment.len() as u32).to_le_bytes());
        block.extend(comment);
    }
    match blocks.iter().all(|(_, block)| block.len() < 1 << 24) {
        true => Ok(blocks),
        false => Err(Error::Misuse("the tags are longer than 16 MiB, which FLAC has no place for".into())),
    }
}
