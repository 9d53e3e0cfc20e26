//! What was encoded is decoded by rav1d and compared.

use aom::{Encoded, Error, Picture, QUANTIZER_MAX, SPEED_MAX, Sampling, Settings, encode};
use re_rav1d::dav1d::{Decoder, PixelLayout, PlanarImageComponent, Settings as Decoding};

const FINE: Settings = Settings { quantizer: 4, speed: 8 };

/// Planes of a picture with slopes, edges and some noise.
fn planes(width: usize, height: usize, bits: u8, sampling: Sampling) -> Vec<Vec<u16>> {
    let sizes = match sampling {
        Sampling::Grey => vec![(width, height)],
        Sampling::Quarter => {
            vec![
                (width, height),
                (width.div_ceil(2), height.div_ceil(2)),
                (width.div_ceil(2), height.div_ceil(2)),
            ]
        }
        Sampling::Half => vec![(width, height), (width.div_ceil(2), height), (width.div_ceil(2), height)],
        Sampling::Full => vec![(width, height); 3],
    };
    let peak = (1u32 << bits) - 1;
    let sample = |plane: usize, (width, height): (usize, usize), at: usize| {
        let (x, y) = (at % width, at / width);
        let slope = peak as usize * (x + y * (plane + 1)) / (width + height * (plane + 1));
        let edge = if (x / 16 + y / 16).is_multiple_of(2) { peak as usize / 8 } else { 0 };
        let noise = (x * 7919 + y * 104_729 + plane) % 7;
        (slope + edge + noise).min(peak as usize) as u16
    };
    let of = |(plane, size): (usize, (usize, usize))| {
        (0..size.0 * size.1).map(|at| sample(plane, size, at)).collect()
    };
    sizes.into_iter().enumerate().map(of).collect()
}

fn encoded(
    planes: &[Vec<u16>],
    size: (usize, usize),
    bits: u8,
    sampling: Sampling,
    settings: Settings,
) -> Encoded {
    let planes = planes.to_vec();
    let picture = Picture { width: size.0, height: size.1, bits, sampling, matrix: 6, planes };
    encode(picture, settings).unwrap()
}

/// Bits, layout and planes of the only frame.
fn decoded(data: &[u8]) -> (usize, PixelLayout, Vec<Vec<u16>>) {
    let mut settings = Decoding::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    let mut decoder = Decoder::with_settings(&settings).unwrap();
    decoder.send_data(data.to_vec(), None, None, None).unwrap();
    let picture = decoder.get_picture().unwrap();
    let bits = picture.bits_per_component().unwrap().0;
    let (layout, width, height) =
        (picture.pixel_layout(), picture.width() as usize, picture.height() as usize);
    let (across, down) = match layout {
        PixelLayout::I420 | PixelLayout::I400 => (1, 1),
        PixelLayout::I422 => (1, 0),
        PixelLayout::I444 => (0, 0),
    };
    let components = [PlanarImageComponent::Y, PlanarImageComponent::U, PlanarImageComponent::V];
    let count = if layout == PixelLayout::I400 { 1 } else { 3 };
    let plane = |(number, component): (usize, PlanarImageComponent)| {
        let (width, height) = match number {
            0 => (width, height),
            _ => ((width + across) >> across, (height + down) >> down),
        };
        let (bytes, stride) = (picture.plane(component), picture.stride(component) as usize);
        let rows = (0..height).flat_map(|row| {
            let row = &bytes[row * stride..];
            let of = |at: usize| match bits {
                8 => u16::from(row[at]),
                _ => u16::from_ne_bytes([row[2 * at], row[2 * at + 1]]),
            };
            (0..width).map(of).collect::<Vec<_>>()
        });
        rows.collect()
    };
    (bits, layout, components.into_iter().take(count).enumerate().map(plane).collect())
}

/// The peak signal-to-noise ratio over all planes.
fn psnr(left: &[Vec<u16>], right: &[Vec<u16>], bits: u8) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for (left, right) in left.iter().zip(right) {
        assert_eq!(left.len(), right.len());
        count += left.len();
        sum += left.iter().zip(right).map(|(l, r)| (f64::from(*l) - f64::from(*r)).powi(2)).sum::<f64>();
    }
    let peak = f64::from((1u32 << bits) - 1);
    10.0 * (peak * peak * count as f64 / sum).log10()
}

#[test]
fn every_layout_comes_back_near_what_it_was() {
    let layouts = [
        (Sampling::Grey, PixelLayout::I400),
        (Sampling::Quarter, PixelLayout::I420),
        (Sampling::Half, PixelLayout::I422),
        (Sampling::Full, PixelLayout::I444),
    ];
    for ((sampling, layout), bits) in
        layouts.into_iter().flat_map(|layout| [8, 10, 12].map(|bits| (layout, bits)))
    {
        for size in [(1, 1), (33, 17), (96, 64)] {
            let original = planes(size.0, size.1, bits, sampling);
            let made = encoded(&original, size, bits, sampling, FINE);
            assert!(made.data.starts_with(&[0x0a]), "a sequence header and no delimiter");
            let (found_bits, found_layout, found) = decoded(&made.data);
            assert_eq!((found_bits, found_layout), (usize::from(bits), layout));
            let ratio = psnr(&original, &found, bits);
            assert!(ratio > 38.0, "{sampling:?} {bits} {size:?}: {ratio} dB");
            let exact = encoded(&original, size, bits, sampling, Settings { quantizer: 0, ..FINE });
            assert_eq!(decoded(&exact.data).2, original, "{sampling:?} {bits} {size:?}");
            let grey = u8::from(sampling == Sampling::Grey);
            let (wide, twelve) = (u8::from(bits > 8), u8::from(bits == 12));
            assert_eq!(made.configuration[0], 0x81);
            assert_eq!(made.configuration[2] >> 4, wide << 2 | twelve << 1 | grey);
        }
    }
}

#[test]
fn coarser_quantisers_take_fewer_bytes_and_the_same_settings_the_same() {
    let size = (128, 96);
    let original = planes(size.0, size.1, 8, Sampling::Full);
    let mut last = (usize::MAX, f64::INFINITY);
    for quantizer in [1, 8, 24, 48, QUANTIZER_MAX] {
        let settings = Settings { quantizer, speed: 8 };
        let made = encoded(&original, size, 8, Sampling::Full, settings);
        assert_eq!(made, encoded(&original, size, 8, Sampling::Full, settings));
        let now = (made.data.len(), psnr(&original, &decoded(&made.data).2, 8));
        assert!(now.0 < last.0 && now.1 < last.1, "{quantizer}: {now:?} after {last:?}");
        last = now;
    }
    for speed in [0, 4, SPEED_MAX] {
        encoded(&original, size, 8, Sampling::Full, Settings { quantizer: 20, speed });
    }
}

#[test]
fn what_is_not_a_picture_is_refused() {
    let planes = vec![vec![0; 64]];
    let good = || Picture {
        width: 8,
        height: 8,
        bits: 8,
        sampling: Sampling::Grey,
        matrix: 2,
        planes: planes.clone(),
    };
    encode(good(), FINE).unwrap();
    let wrong = [
        Picture { width: 0, ..good() },
        Picture { width: 1 << 17, ..good() },
        Picture { width: 9, ..good() },
        Picture { bits: 9, ..good() },
        Picture { matrix: 0, ..good() },
        Picture { sampling: Sampling::Full, ..good() },
        Picture { planes: Vec::new(), ..good() },
        Picture { planes: vec![vec![256; 64]], ..good() },
    ];
    for picture in wrong {
        assert!(matches!(encode(picture.clone(), FINE), Err(Error::Asked(_))), "{picture:?}");
    }
    for settings in [Settings { quantizer: 64, ..FINE }, Settings { speed: 10, ..FINE }] {
        assert!(matches!(encode(good(), settings), Err(Error::Asked(_))), "{settings:?}");
    }
}
