//! Provides whether what a conversion of an image makes fits into memory, told before it is made.

use formats::image::sight::SIGHT_PIXEL_BYTES;
use formats::image::{self, Image};
use formats::media::Key;

use super::{ImageJob, share};
use crate::failure::Result;

/// Fails where what is made of an image would not fit into memory, before it is made: other formats take more
/// for each sample while they work, and so does an image whose samples are compared as wider ones.
pub fn room_for_target(job: &ImageJob, image: &Image) -> Result<()> {
    let (needed, max) = (image::needed(image, job.to), share(job.to, job.memory));
    if needed <= max {
        return Ok(());
    }
    let (name, factor) = (job.to.name(), job.to.media().number(Key::MemoryPerByte).max(1.0));
    let mib = (needed as f64 * factor / f64::from(1 << 20)).ceil();
    Err(formats::Error::Limit {
        place: Box::default(),
        what: "the memory of an image's samples in bytes",
        max,
        hint: format!("{name} takes {factor} times its {needed} bytes, which need --memory {mib}MiB"),
    }
    .in_file(&job.source)
    .into())
}

/// Fails where measuring would take more than three quarters of the memory.
pub fn room_for_gates(job: &ImageJob, image: &Image) -> Result<()> {
    let pixels = u64::from(image.width) * u64::from(image.height);
    let needed = pixels.saturating_mul(SIGHT_PIXEL_BYTES);
    if job.gates.is_empty() || needed <= job.memory / 4 * 3 {
        return Ok(());
    }
    let mib = (needed / 3).saturating_mul(4).div_ceil(1 << 20);
    Err(formats::Error::Limit {
        place: Box::default(),
        what: "the memory that measuring by sight takes in bytes",
        max: job.memory / 4 * 3,
        hint: format!("{pixels} pixels need --memory {mib}MiB; a distance alone, such as psnr, needs less"),
    }
    .in_file(&job.source)
    .into())
}
