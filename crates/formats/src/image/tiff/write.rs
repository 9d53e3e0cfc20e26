//! Provides the writer of TIFF: one image in strips or tiles, its directory at the end.

use std::borrow::Cow;
use std::io::Write as _;

use coherence::sample::SampleType;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::super::attributes::EXIF;
use super::super::exif::of_tiff_block;
use super::super::{Image, PixelLayout, Settings};
use super::attributes::{LONG, SHORT, entries};
use super::{BLACK_IS_ZERO, RGB, SEPARATED, directory, tag};
use crate::error::{Error, Place, Result};

/// Bytes of samples in a strip at least, unless there are fewer: readers hold a strip, and small ones pack
/// badly.
const STRIP_BYTES: usize = 256 << 10;

/// Pixels of a side of a tile, which has the bytes of a strip where a pixel has 4.
const TILE_SIDE: usize = 256;

const NONE: u16 = 1;
const DEFLATE: u16 = 8;
const HORIZONTAL: u16 = 2;
const UNASSOCIATED_ALPHA: u16 = 2;

pub(in super::super) fn encode(image: &Image, settings: &Settings) -> Result<Vec<u8>> {
    let level = u32::from(settings.effort());
    let (count, width) = (image.channels.count(), image.sample.width());
    let row_bytes = image.width as usize * count * width;
    let rows = STRIP_BYTES.div_ceil(row_bytes).min(image.height as usize);
    // Neighbours of floating point share bits, but differences of them are no better.
    let differences = level > 0 && !image.sample.is_float();
    let mut out = b"II*\0\0\0\0\0".to_vec();
    let (mut offsets, mut sizes) = (Vec::new(), Vec::new());
    let tiled = settings.layout == PixelLayout::Tiles;
    let block_row = if tiled { TILE_SIDE * count * width } else { row_bytes };
    let blocks: &mut dyn Iterator<Item = Cow<'_, [u8]>> = match tiled {
        true => &mut tiles(image, row_bytes, count * width).map(Cow::Owned),
        false => &mut image.samples.chunks(rows * row_bytes).map(Cow::Borrowed),
    };
    for block in blocks {
        let begin = out.len();
        out.extend(packed(block, block_row, count, width, differences, level)?);
        offsets.push(offset(begin)?);
        sizes.push(offset(out.len() - begin)?);
        // Readers on other machines like even places.
        out.resize(out.len().next_multiple_of(2), 0);
    }
    let shorts = |values: &[u16]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    let longs = |values: &[u32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    let format = match image.sample {
        sample if sample.is_float() => 3,
        SampleType::I8 | SampleType::I16 | SampleType::I32 => 2,
        _ => 1,
    };
    let colours = count - usize::from(image.channels.has_alpha());
    let photometric = match colours {
        1 => BLACK_IS_ZERO,
        3 => RGB,
        _ => SEPARATED,
    } as u16;
    let mut all = vec![
        (tag::WIDTH, LONG, longs(&[image.width])),
        (tag::HEIGHT, LONG, longs(&[image.height])),
        (tag::BITS, SHORT, shorts(&vec![8 * width as u16; count])),
        (tag::COMPRESSION, SHORT, shorts(&[if level == 0 { NONE } else { DEFLATE }])),
        (tag::PHOTOMETRIC, SHORT, shorts(&[photometric])),
        (tag::SAMPLES, SHORT, shorts(&[count as u16])),
        (tag::PLANAR, SHORT, shorts(&[1])),
        (tag::SAMPLE_FORMAT, SHORT, shorts(&vec![format; count])),
    ];
    let (size, tags) = match tiled {
        true => (TILE_SIDE, [tag::TILE_HEIGHT, tag::TILE_OFFSETS, tag::TILE_BYTES]),
        false => (rows, [tag::ROWS_PER_STRIP, tag::STRIP_OFFSETS, tag::STRIP_BYTES]),
    };
    let told = [vec![size as u32], offsets, sizes];
    all.extend(tags.into_iter().zip(told).map(|(tag, numbers)| (tag, LONG, longs(&numbers))));
    if tiled {
        all.push((tag::TILE_WIDTH, LONG, longs(&[TILE_SIDE as u32])));
    }
    if differences {
        all.push((tag::PREDICTOR, SHORT, shorts(&[HORIZONTAL])));
    }
    if image.channels.has_alpha() {
        all.push((tag::EXTRA_SAMPLES, SHORT, shorts(&[UNASSOCIATED_ALPHA])));
    }
    all.extend(image.attributes.iter().flat_map(|(key, value)| entries(key, value)));
    for (tag, directory) in image.attribute(EXIF).and_then(of_tiff_block).unwrap_or_default() {
        let place = directory.append(&mut out).ok_or_else(too_large)?;
        all.push((tag, LONG, longs(&[place])));
    }
    let begin = directory::append(&mut out, all).ok_or_else(too_large)?;
    out[4..8].copy_from_slice(&begin.to_le_bytes());
    Ok(out)
}

fn offset(bytes: usize) -> Result<u32> {
    u32::try_from(bytes).map_err(|_| too_large())
}

fn too_large() -> Error {
    Error::unsupported(Place::default(), "a TIFF has at most 4 GiB", "choose another format, such as png")
}

/// The samples of each tile, row by row of them; beyond the edges of the image they are zeros.
fn tiles(image: &Image, row_bytes: usize, pixel_bytes: usize) -> impl Iterator<Item = Vec<u8>> + '_ {
    let tile_row = TILE_SIDE * pixel_bytes;
    image.samples.chunks(TILE_SIDE * row_bytes).flat_map(move |rows| {
        (0..row_bytes).step_by(tile_row).map(move |from| {
            let mut tile = vec![0; TILE_SIDE * tile_row];
            for (row, tile) in rows.chunks_exact(row_bytes).zip(tile.chunks_exact_mut(tile_row)) {
                let row = &row[from..row_bytes.min(from + tile_row)];
                tile[..row.len()].copy_from_slice(row);
            }
            tile
        })
    })
}

fn packed(
    block: Cow<'_, [u8]>,
    row_bytes: usize,
    count: usize,
    width: usize,
    differences: bool,
    level: u32,
) -> Result<Vec<u8>> {
    if level == 0 {
        return Ok(block.into_owned());
    }
    let mut block = block.into_owned();
    if differences {
        for row in block.chunks_exact_mut(row_bytes) {
            match width {
                1 => subtract::<1>(row, count),
                2 => subtract::<2>(row, count),
                _ => subtract::<4>(row, count),
            }
        }
    }
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(block.len() / 2), Compression::new(level));
    let written = encoder.write_all(&block).and_then(|()| encoder.finish());
    written.map_err(|error| Error::Bug(format!("memory cannot be written: {error}")))
}

/// Replaces each sample of a row by its difference to the one of the pixel before.
fn subtract<const W: usize>(row: &mut [u8], count: usize) {
    let samples = row.as_chunks_mut::<W>().0;
    let number = |sample: &[u8; W]| sample.iter().rev().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
    for at in (count..samples.len()).rev() {
        let difference = number(&samples[at]).wrapping_sub(number(&samples[at - count]));
        samples[at].copy_from_slice(&difference.to_le_bytes()[..W]);
    }
}
