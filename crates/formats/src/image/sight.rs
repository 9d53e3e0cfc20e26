//! Provides what models of human sight say about an image and what was made of it: the measures of gates.
//!
//! Both models are the published ones, in the implementations of others. Samples are taken for sRGB whatever
//! the profile says, grey for equal red, green and blue. Where an image has opacity, it is laid over a dark
//! and a light grey (0.1 and 0.9 of full intensity), and the worse of both counts. No image is cut, scaled or
//! rotated.

use butteraugli::{ButteraugliParams, ImgRef, RGB, butteraugli_linear_strip};
use coherence::gate::Measure;
use coherence::sample::SampleType;
use fast_ssim2::Ssimulacra2Reference;
use half::f16;
use zenpixels::{PixelBuffer, PixelDescriptor, PixelSlice, TransferFunction};

use super::{Channels, Image, peak};
use crate::error::{Error, Place, Result};
use crate::guard::guarded;

/// Bytes that measuring takes for each pixel, beside the images: 115 were seen for SSIMULACRA 2 with what it
/// keeps of the source, which is half of it, and 49 for Butteraugli.
pub const SIGHT_PIXEL_BYTES: u64 = 136;

/// Rows that Butteraugli looks at in one go. Its figure does not depend on it.
const STRIP_ROWS: u32 = 512;

/// Pixels in a row and column that Butteraugli needs.
const SIDE_MIN: u32 = 8;

/// Intensities that images with opacity are laid over.
const BACKGROUNDS: [f32; 2] = [0.1, 0.9];

/// Somebody who knows one image and judges others by it.
pub struct Viewer<'a> {
    source: &'a Image,
    /// What SSIMULACRA 2 needs to know of the source, where it was asked for.
    reference: Option<Ssimulacra2Reference>,
}

impl<'a> Viewer<'a> {
    /// Looks at the source, for these measures.
    ///
    /// # Errors
    /// Samples that are no finite numbers, and images that are too small for the measure.
    pub fn new(source: &'a Image, measures: &[Measure]) -> Result<Self> {
        if !measures.is_empty() {
            check_light(source)?;
            check_finite(source)?;
        }
        if measures.contains(&Measure::Butteraugli) && source.width.min(source.height) < SIDE_MIN {
            let what = format!("butteraugli needs {SIDE_MIN} pixels in a row and column");
            let hint = "bound it by a distance, such as psnr=45, or by ssimulacra2";
            return Err(Error::unsupported(Place::default(), what, hint));
        }
        let wanted = measures.contains(&Measure::Ssimulacra2);
        let reference = wanted.then(|| {
            guarded("ssimulacra2", || {
                with_pixels(source, |pixels| Ssimulacra2Reference::new(pixels).map_err(|e| failed(&e)))
            })
        });
        Ok(Self { source, reference: reference.transpose()? })
    }

    /// What a measure says of an image, which has the size, channels and samples of the source.
    pub fn measure(&self, measure: Measure, made: &Image) -> Result<f64> {
        let source = self.source;
        let layout = |image: &Image| (image.width, image.height, image.channels, image.sample);
        if layout(source) != layout(made) {
            return Err(Error::Misuse("images of different layouts are not judged by sight".to_owned()));
        }
        if source.samples == made.samples {
            return Ok(measure.best());
        }
        check_finite(made)?;
        guarded(measure.name(), || match (measure, &self.reference) {
            (Measure::Ssimulacra2, Some(reference)) => {
                with_pixels(made, |pixels| reference.compare(pixels).map_err(|error| failed(&error)))
            }
            (Measure::Ssimulacra2, None) => {
                Err(Error::Misuse("ssimulacra2 was not among the measures asked for".to_owned()))
            }
            (Measure::Butteraugli, _) => butteraugli(source, made),
        })
    }
}

/// The program that takes a measure, for certificates.
pub fn measured_by(measure: Measure) -> &'static str {
    match measure {
        Measure::Ssimulacra2 => "fast-ssim2 0.9",
        Measure::Butteraugli => "butteraugli 0.9, intensity 80",
    }
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::Bug(format!("an image could not be judged by sight: {error}"))
}

fn check_light(image: &Image) -> Result<()> {
    match image.channels {
        Channels::Cmyk => Err(Error::unsupported(
            Place::default(),
            "four inks (CMYK) are not judged by sight",
            "bound them by a distance, such as psnr=45",
        )),
        _ => Ok(()),
    }
}

fn check_finite(image: &Image) -> Result<()> {
    let width = image.sample.width();
    let finite = !image.sample.is_float()
        || image.samples.chunks_exact(width).all(|sample| value(image.sample, sample).is_finite());
    match finite {
        true => Ok(()),
        false => Err(Error::unsupported(
            Place::default(),
            "samples that are no finite numbers are not judged by sight",
            "bound it by a distance, such as psnr=45",
        )),
    }
}

/// A sample as a number, little-endian.
fn value(sample: SampleType, bytes: &[u8]) -> f32 {
    let whole = || bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let signed = || {
        let unused = 64 - 8 * bytes.len() as u32;
        ((whole() << unused) as i64 >> unused) as f32
    };
    match sample {
        SampleType::F16 => f16::from_bits(whole() as u16).to_f32(),
        SampleType::F32 => f32::from_bits(whole() as u32),
        SampleType::F64 => f64::from_bits(whole()) as f32,
        SampleType::I8 | SampleType::I16 | SampleType::I32 | SampleType::I64 => signed(),
        _ => whole() as f32,
    }
}

/// Each pixel as red, green, blue and opacity, from 0 to 1, as sRGB encodes it.
fn encoded(image: &Image) -> impl Iterator<Item = [f32; 4]> {
    let (sample, peak, channels) = (image.sample, peak(image.sample) as f32, image.channels);
    let of = move |bytes: &[u8]| (value(sample, bytes) / peak).clamp(0.0, 1.0);
    image.samples.chunks_exact(channels.count() * sample.width()).map(move |pixel| {
        let at = |index: usize| of(&pixel[index * sample.width()..][..sample.width()]);
        match channels {
            Channels::Gray => [at(0), at(0), at(0), 1.0],
            Channels::GrayAlpha => [at(0), at(0), at(0), at(1)],
            Channels::Rgb => [at(0), at(1), at(2), 1.0],
            Channels::Rgba => [at(0), at(1), at(2), at(3)],
            // They are refused before: what they look like is a matter of a profile.
            Channels::Cmyk => [0.0; 4],
        }
    })
}

/// Calls with the pixels as SSIMULACRA 2 reads them: as they are where it knows the layout, and as single
/// precision where not.
fn with_pixels<T>(image: &Image, call: impl FnOnce(&PixelSlice<'_>) -> Result<T>) -> Result<T> {
    let known = match (image.sample, image.channels) {
        (SampleType::U8, Channels::Gray) => Some(PixelDescriptor::GRAY8_SRGB),
        (SampleType::U8, Channels::Rgb) => Some(PixelDescriptor::RGB8_SRGB),
        (SampleType::U8, Channels::Rgba) => Some(PixelDescriptor::RGBA8_SRGB),
        _ => None,
    };
    let (width, height) = (image.width, image.height);
    if let Some(descriptor) = known {
        let stride = width as usize * image.channels.count();
        let pixels = PixelSlice::new(&image.samples, width, height, stride, descriptor);
        return call(&pixels.map_err(|error| failed(&error))?);
    }
    let alpha = image.channels.has_alpha();
    let layout = if alpha { PixelDescriptor::RGBAF32 } else { PixelDescriptor::RGBF32 };
    let descriptor = layout.with_transfer(TransferFunction::Srgb);
    let buffer = PixelBuffer::try_new(width, height, descriptor);
    let mut buffer = buffer.map_err(|error| failed(&error))?;
    let mut pixels = encoded(image);
    for row in 0..height {
        let mut rows = buffer.as_slice_mut();
        let cells = rows.row_mut(row).chunks_exact_mut(if alpha { 16 } else { 12 });
        for (cell, pixel) in cells.zip(pixels.by_ref()) {
            for (bytes, sample) in cell.chunks_exact_mut(4).zip(pixel) {
                bytes.copy_from_slice(&sample.to_ne_bytes());
            }
        }
    }
    call(&buffer.as_slice())
}

/// The worst figure over all backgrounds that can be seen.
fn butteraugli(source: &Image, made: &Image) -> Result<f64> {
    let backgrounds = if source.channels.has_alpha() { &BACKGROUNDS[..] } else { &BACKGROUNDS[..1] };
    let (width, height) = (source.width as usize, source.height as usize);
    let mut worst: f64 = 0.0;
    for background in backgrounds {
        let (a, b) = (linear(source, *background), linear(made, *background));
        let (a, b) = (ImgRef::new(&a, width, height), ImgRef::new(&b, width, height));
        let found = butteraugli_linear_strip(a, b, &ButteraugliParams::default(), STRIP_ROWS);
        worst = worst.max(found.map_err(|error| failed(&error))?.score);
    }
    Ok(worst)
}

/// Pixels in linear light, over a background where they have opacity.
fn linear(image: &Image, background: f32) -> Vec<RGB<f32>> {
    let over = |colour: f32, opacity: f32| colour * opacity + background * (1.0 - opacity);
    let light = |[r, g, b, opacity]: [f32; 4]| RGB {
        r: decoded(over(r, opacity)),
        g: decoded(over(g, opacity)),
        b: decoded(over(b, opacity)),
    };
    encoded(image).map(light).collect()
}

/// Linear light of an sRGB value (IEC 61966-2-1).
fn decoded(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

#[cfg(test)]
mod tests {
    use super::super::{ImageFormat, Settings, decode, encode};
    use super::*;

    /// Bytes of the samples of an image at most.
    const SAMPLE_BYTES_MAX: u64 = 128 << 20;

    /// Waves of several lengths, in these channels.
    fn waves(channels: Channels, side: u32) -> Image {
        let at = |x: u32, y: u32, channel: u32| {
            let wave = |value: u32, length: f64| (f64::from(value) / length).sin();
            (128.0 + 50.0 * wave(x, 7.0 + f64::from(channel)) + 60.0 * wave(y, 4.0)) as u8
        };
        let pixels = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let count = channels.count() as u32;
        let samples = pixels.flat_map(|(x, y)| (0..count).map(move |channel| at(x, y, channel))).collect();
        let (attributes, ignored) = (Vec::new(), Vec::new());
        Image {
            width: side,
            height: side,
            channels,
            sample: SampleType::U8,
            samples,
            attributes,
            ignored,
            declared: None,
        }
    }

    /// The same with noise of up to `most` in every colour.
    fn noisy(image: &Image, most: u8) -> Image {
        let mut state = 1u32;
        let mut made = image.clone();
        let (count, alpha) = (image.channels.count(), image.channels.has_alpha());
        for (index, sample) in made.samples.iter_mut().enumerate() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if !(alpha && index % count == count - 1) {
                *sample = sample.saturating_add((state >> 24) as u8 % (most + 1));
            }
        }
        made
    }

    fn measure(source: &Image, made: &Image) -> [f64; 2] {
        let viewer = Viewer::new(source, &Measure::ALL).unwrap();
        Measure::ALL.map(|measure| viewer.measure(measure, made).unwrap())
    }

    #[test]
    fn more_noise_looks_worse_in_every_layout() {
        for channels in Channels::OF_LIGHT {
            let source = waves(channels, 64);
            assert_eq!(measure(&source, &source), [100.0, 0.0]);
            let (little, much) =
                (measure(&source, &noisy(&source, 4)), measure(&source, &noisy(&source, 40)));
            assert!(100.0 > little[0] && little[0] > much[0], "{channels:?}: {little:?} {much:?}");
            assert!(0.0 < little[1] && little[1] < much[1], "{channels:?}: {little:?} {much:?}");
        }
    }

    #[test]
    fn the_same_intensities_look_the_same_in_wider_samples_and_as_grey() {
        let source = waves(Channels::Gray, 64);
        let made = noisy(&source, 20);
        let expected = measure(&source, &made);
        let wide = |image: &Image| super::super::lifted(image.clone(), SampleType::U16).unwrap();
        let float = |image: &Image| {
            let samples = image.samples.iter().flat_map(|s| (f32::from(*s) / 255.0).to_le_bytes()).collect();
            Image { sample: SampleType::F32, samples, ..image.clone() }
        };
        let colour = |image: &Image| {
            let samples = image.samples.iter().flat_map(|s| [*s; 3]).collect();
            Image { channels: Channels::Rgb, samples, ..image.clone() }
        };
        let opaque = |image: &Image| {
            let samples = image.samples.iter().flat_map(|s| [*s, 255]).collect();
            Image { channels: Channels::GrayAlpha, samples, ..image.clone() }
        };
        let others: [&dyn Fn(&Image) -> Image; 4] = [&wide, &float, &colour, &opaque];
        for (number, other) in others.into_iter().enumerate() {
            let found = measure(&other(&source), &other(&made));
            for (measure, (found, expected)) in Measure::ALL.into_iter().zip(found.into_iter().zip(expected))
            {
                let near = (found - expected).abs() <= measure.spread();
                assert!(near, "{number}, {measure:?}: {found} and not {expected}");
            }
        }
    }

    #[test]
    fn what_lies_under_full_transparency_is_not_seen_and_what_does_not_is() {
        let mut source = waves(Channels::Rgba, 32);
        source.samples.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 0);
        assert_eq!(measure(&source, &noisy(&source, 60)), [100.0, 0.0]);
        let mut bared = source.clone();
        bared.samples.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
        let found = measure(&source, &bared);
        assert!(found[0] < 50.0 && found[1] > 2.0, "{found:?}");
    }

    #[test]
    fn what_encoders_make_is_judged_by_its_quality() {
        let source = waves(Channels::Rgb, 96);
        let at = |quality: f32| {
            let bytes = encode(&source, &Settings::lossy(ImageFormat::Jpeg, quality)).unwrap();
            measure(&source, &decode(ImageFormat::Jpeg, &bytes, SAMPLE_BYTES_MAX).unwrap())
        };
        let (low, high) = (at(20.0), at(90.0));
        assert!(low[0] < high[0] && low[1] > high[1], "{low:?} {high:?}");
    }

    #[test]
    fn what_cannot_be_judged_is_refused() {
        let tiny = waves(Channels::Gray, 5);
        assert!(matches!(Viewer::new(&tiny, &[Measure::Butteraugli]), Err(Error::Unsupported { .. })));
        assert!(Viewer::new(&tiny, &[Measure::Ssimulacra2]).is_ok());
        let mut samples = vec![0; 64 * 4];
        samples[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        let broken = Image { sample: SampleType::F32, samples, ..waves(Channels::Gray, 8) };
        assert!(matches!(Viewer::new(&broken, &Measure::ALL), Err(Error::Unsupported { .. })));
        let (source, other) = (waves(Channels::Gray, 16), waves(Channels::Rgb, 16));
        let viewer = Viewer::new(&source, &[Measure::Butteraugli]).unwrap();
        assert!(viewer.measure(Measure::Butteraugli, &other).is_err());
        assert!(viewer.measure(Measure::Ssimulacra2, &noisy(&source, 9)).is_err());
    }
}
