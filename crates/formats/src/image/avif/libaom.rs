//! Provides the encoding of AV1 by libaom, on one thread: planes to frames.

use aom::{Picture, QUANTIZER_MAX, SPEED_MAX, Settings as Coding};

use super::colour::Planes;
use super::{Encoded, Sampling, Signal};
use crate::error::{Error, Result};
use crate::image::Settings;

/// Encodes planes. The bytes depend on them and the settings alone.
pub(super) fn encode(planes: Planes, signal: &Signal, settings: &Settings) -> Result<Encoded> {
    let shape = planes.shape;
    let picture = Picture {
        width: shape.width,
        height: shape.height,
        bits: shape.bits,
        sampling: match shape.sampling {
            Sampling::Grey => aom::Sampling::Grey,
            Sampling::Quarter => aom::Sampling::Quarter,
            Sampling::Half => aom::Sampling::Half,
            Sampling::Full => aom::Sampling::Full,
        },
        // The container says the rest.
        matrix: if matches!(signal.matrix, 0 | 6 | 9) { signal.matrix as u8 } else { 2 },
        planes: planes.planes.into_iter().map(|plane| plane.samples).collect(),
    };
    let quantizer = if settings.lossless { 0 } else { quantizer(settings.quality()) };
    let coding = Coding { quantizer, speed: SPEED_MAX.saturating_sub(settings.effort()) };
    let encoded = aom::encode(picture, coding);
    let encoded = encoded.map_err(|error| Error::Bug(format!("a frame was not encoded: {error}")))?;
    Ok(Encoded { data: encoded.data, configuration: encoded.configuration.to_vec() })
}

/// The quantiser of a quality from 0 to 100: from the coarsest down to the finest that loses something, in
/// equal steps. As the steps of quantisation grow by about the same factor from one quantiser to the next, so
/// does the distance from one quality to the next.
pub(in crate::image) fn quantizer(quality: f32) -> u8 {
    let coarsest = f32::from(QUANTIZER_MAX);
    (coarsest - (coarsest - 1.0) * quality / 100.0).round().clamp(1.0, coarsest) as u8
}
