//! Provides the encoding of AV1 by rav1e, on one thread: planes to frames.

use ::rav1e::prelude::{
    ChromaSampling, ColorDescription, ColorPrimaries, Config, Context, EncoderConfig, EncoderStatus,
    MatrixCoefficients, Pixel, PixelRange, Rational, SceneDetectionSpeed, SpeedSettings,
    TransferCharacteristics,
};

use super::colour::Planes;
use super::{Encoded, Sampling, Shape, Signal};
use crate::error::{Error, Result};

/// The mark of an end in time, which an item has no need of (AV1-ISOBMFF, section 2.4).
const TEMPORAL_DELIMITER: &[u8] = &[0x12, 0x00];

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
