//! Provides AV1 itself: frames to planes by rav1d, and planes to frames by rav1e, each on one thread.

use rav1e::prelude::{
    ChromaSampling, ColorDescription, ColorPrimaries, Config, Context, EncoderConfig, EncoderStatus,
    MatrixCoefficients, Pixel, PixelRange, Rational, SceneDetectionSpeed, SpeedSettings,
    TransferCharacteristics,
};
use re_rav1d::dav1d::pixel::YUVRange;
use re_rav1d::dav1d::{Decoder, Error as Refusal, Picture, PixelLayout, PlanarImageComponent, Settings};

use super::colour::{Plane, Planes};
use super::{AVIF, Sampling, Shape, Signal};
use crate::error::{Error, Place, Result};

/// The mark of an end in time, which an item has no need of (AV1-ISOBMFF, section 2.4).
const TEMPORAL_DELIMITER: &[u8] = &[0x12, 0x00];

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

/// Planes as the bytes of an item, and its box `av1C`.
pub(super) struct Encoded {
    /// The frame.
    pub data: Vec<u8>,
    /// What `av1C` says of it (AV1-ISOBMFF, section 2.3.3).
    pub configuration: Vec<u8>,
}

/// Encodes planes with a quantiser from 0 to 255, and the speed from 0 to 10.
///
/// The bytes depend on the planes and these two alone: there is one tile unless AV1 needs more for the size.
pub(super) fn encode(planes: Planes, signal: &Signal, quantizer: u8, speed: u8) -> Result<Encoded> {
    match planes.shape.bits {
        8 => encode_as::<u8>(planes, signal, quantizer, speed),
        _ => encode_as::<u16>(planes, signal, quantizer, speed),
    }
}

fn encode_as<T: Pixel>(planes: Planes, signal: &Signal, quantizer: u8, speed: u8) -> Result<Encoded> {
    let bug = |what: String| Error::Bug(format!("rav1e did not encode: {what}"));
    let config = Config::new().with_threads(1).with_encoder_config(configuration(
        planes.shape,
        signal,
        quantizer,
        speed,
    ));
    let mut context: Context<T> = config.new_context().map_err(|error| bug(error.to_string()))?;
    let mut frame = context.new_frame();
    for (from, to) in planes.planes.iter().zip(frame.planes.iter_mut()) {
        let mut to = to.mut_slice(Default::default());
        for (from, to) in from.samples.chunks_exact(from.width).zip(to.rows_iter_mut()) {
            from.iter().zip(to).for_each(|(from, to)| *to = T::cast_from(*from));
        }
    }
    // The encoder has copies of its own, and takes much memory.
    drop(planes);
    context.send_frame(frame).map_err(|status| bug(status.to_string()))?;
    context.flush();
    let mut data = Vec::new();
    loop {
        match context.receive_packet() {
            Ok(packet) => data.extend(packet.data),
            Err(EncoderStatus::Encoded) => {}
            Err(EncoderStatus::LimitReached) => break,
            Err(status) => return Err(bug(status.to_string())),
        }
    }
    let data = data.strip_prefix(TEMPORAL_DELIMITER).map(<[u8]>::to_vec).unwrap_or(data);
    Ok(Encoded { data, configuration: context.container_sequence_header() })
}

fn configuration(shape: Shape, signal: &Signal, quantizer: u8, speed: u8) -> EncoderConfig {
    let mut speeds = SpeedSettings::from_preset(speed);
    // What is for moving pictures only.
    speeds.multiref = false;
    speeds.rdo_lookahead_frames = 1;
    speeds.scene_detection_mode = SceneDetectionSpeed::None;
    EncoderConfig {
        width: shape.width,
        height: shape.height,
        time_base: Rational::new(1, 1),
        sample_aspect_ratio: Rational::new(1, 1),
        bit_depth: shape.bits.into(),
        chroma_sampling: match shape.sampling {
            Sampling::Grey => ChromaSampling::Cs400,
            Sampling::Quarter => ChromaSampling::Cs420,
            Sampling::Half => ChromaSampling::Cs422,
            Sampling::Full => ChromaSampling::Cs444,
        },
        pixel_range: PixelRange::Full,
        // The container says the rest.
        color_description: Some(ColorDescription {
            color_primaries: ColorPrimaries::Unspecified,
            transfer_characteristics: TransferCharacteristics::Unspecified,
            matrix_coefficients: match signal.matrix {
                9 => MatrixCoefficients::BT2020NCL,
                6 => MatrixCoefficients::BT601,
                _ => MatrixCoefficients::Unspecified,
            },
        }),
        still_picture: true,
        min_key_frame_interval: 0,
        max_key_frame_interval: 0,
        quantizer: quantizer.into(),
        min_quantizer: quantizer,
        speed_settings: speeds,
        ..EncoderConfig::default()
    }
}
