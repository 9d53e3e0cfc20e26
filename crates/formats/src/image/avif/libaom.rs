//! Provides the encoding of AV1 by libaom, on one thread: planes to frames.

use aom::{Picture, QUANTIZER_MAX, SPEED_MAX, Settings};

use super::colour::Planes;
use super::{Encoded, Sampling, Signal};
use crate::error::{Error, Result};

/// Encodes planes with a quantiser from 0 to 255, and the speed from 0 to 10. The library has every fourth
/// quantiser, and no speed above 9 for single pictures.
///
/// The bytes depend on the planes and these two alone.
pub(super) fn encode(planes: Planes, signal: &Signal, quantizer: u8, speed: u8) -> Result<Encoded> {
    let shape = planes.shape;
    let samples: Vec<&[u16]> = planes.planes.iter().map(|plane| plane.samples.as_slice()).collect();
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
        matrix: if matches!(signal.matrix, 6 | 9) { signal.matrix as u8 } else { 2 },
        planes: &samples,
    };
    let quantizer = quantizer.div_ceil(4).clamp(1, QUANTIZER_MAX);
    let settings = Settings { quantizer, speed: speed.min(SPEED_MAX) };
    let encoded = aom::encode(&picture, settings);
    let encoded = encoded.map_err(|error| Error::Bug(format!("a frame was not encoded: {error}")))?;
    Ok(Encoded { data: encoded.data, configuration: encoded.configuration.to_vec() })
}
