//! Provides the decoding of AV1: frames to planes by rav1d, on one thread.

use re_rav1d::dav1d::pixel::YUVRange;
use re_rav1d::dav1d::{Decoder, Error as Refusal, Picture, PixelLayout, PlanarImageComponent, Settings};

use super::colour::{Plane, Planes};
use super::{AVIF, Sampling, Shape, Signal};
use crate::error::{Error, Place, Result};

/// A frame that was decoded.
pub(super) struct Frame {
    /// Its samples.
    pub planes: Planes,
    /// As rav1d holds it, with its headers.
    pub picture: Picture,
}

impl Frame {
    /// Whether its header says that samples go from none to all.
    pub fn full_range(&self) -> bool {
        self.picture.color_range() == YUVRange::Full
    }

    /// What its header says of colours. Codes that are reserved are a panic of rav1d.
    pub fn signal(&self) -> Signal {
        Signal {
            primaries: self.picture.color_primaries() as u16,
            transfer: self.picture.transfer_characteristic() as u16,
            matrix: self.picture.matrix_coefficients() as u16,
            full_range: self.full_range(),
        }
    }
}

/// The frame in these bytes, which must be laid out like `shape`.
pub(super) fn decode(bytes: &[u8], shape: Shape) -> Result<Frame> {
    let damaged = |what: &str| Error::malformed(AVIF, Place::default(), format!("the pixels: {what}"));
    let failed = |refusal: Refusal| damaged(&refusal.to_string());
    if bytes.is_empty() {
        return Err(damaged("there is no frame"));
    }
    let pixels = u32::try_from(shape.width * shape.height).map_err(|_| damaged("they are too many"))?;
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(pixels);
    let mut decoder = Decoder::with_settings(&settings).map_err(failed)?;
    let picture = first_picture(&mut decoder, bytes.to_vec()).map_err(failed)?;
    let picture = picture.ok_or_else(|| damaged("there is no frame"))?;
    if shape_of(&picture) != Some(shape) {
        return Err(damaged("the frame is not laid out as the container says"));
    }
    let all = [PlanarImageComponent::Y, PlanarImageComponent::U, PlanarImageComponent::V];
    let components = all.into_iter().take(if shape.is_grey() { 1 } else { 3 }).enumerate();
    let planes = components.map(|(number, component)| {
        let (width, height) = if number == 0 { (shape.width, shape.height) } else { shape.chroma_size() };
        plane(&picture, component, width, height, shape.bits)
    });
    let planes: Option<Vec<_>> = planes.collect();
    let planes = planes.ok_or_else(|| damaged("a plane is too short"))?;
    Ok(Frame { planes: Planes { shape, planes }, picture })
}

/// The first frame that is shown.
fn first_picture(decoder: &mut Decoder, bytes: Vec<u8>) -> Result<Option<Picture>, Refusal> {
    let mut sent = decoder.send_data(bytes, None, None, None);
    loop {
        match decoder.get_picture() {
            Ok(picture) => return Ok(Some(picture)),
            Err(Refusal::Again) => {}
            Err(refusal) => return Err(refusal),
        }
        match sent {
            Ok(()) => return Ok(None),
            Err(Refusal::Again) => sent = decoder.send_pending_data(),
            Err(refusal) => return Err(refusal),
        }
    }
}

fn shape_of(picture: &Picture) -> Option<Shape> {
    let sampling = match picture.pixel_layout() {
        PixelLayout::I400 => Sampling::Grey,
        PixelLayout::I420 => Sampling::Quarter,
        PixelLayout::I422 => Sampling::Half,
        PixelLayout::I444 => Sampling::Full,
    };
    let bits = picture.bits_per_component()?.0 as u8;
    Some(Shape { width: picture.width() as usize, height: picture.height() as usize, bits, sampling })
}

fn plane(
    picture: &Picture,
    component: PlanarImageComponent,
    width: usize,
    height: usize,
    bits: u8,
) -> Option<Plane> {
    let bytes = picture.plane(component);
    let stride = picture.stride(component) as usize;
    let mut samples = Vec::with_capacity(width * height);
    for row in 0..height {
        let row = bytes.get(row * stride..)?;
        match bits {
            8 => samples.extend(row.get(..width)?.iter().map(|sample| u16::from(*sample))),
            _ => samples
                .extend(row.get(..2 * width)?.as_chunks::<2>().0.iter().map(|two| u16::from_ne_bytes(*two))),
        }
    }
    Some(Plane { width, samples })
}
