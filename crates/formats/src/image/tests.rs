//! Tests of all image formats: what goes in comes out, what cannot go in is named, and damaged bytes are
//! refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

const ROOM: u64 = 16 << 20;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/images")
}

/// Bytes that look random and are the same in every run.
fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(|_| next()).collect()
}

fn plain(width: u32, height: u32, channels: Channels, sample: SampleType, samples: Vec<u8>) -> Image {
    Image {
        width,
        height,
        channels,
        sample,
        samples,
        attributes: Vec::new(),
        ignored: Vec::new(),
        declared: None,
    }
}

fn random(width: u32, height: u32, channels: Channels, sample: SampleType, seed: u64) -> Image {
    let count = width as usize * height as usize * channels.count() * sample.width();
    plain(width, height, channels, sample, noise(count, seed))
}

/// An image that a format can hold: for GIF one of few colours, with the one kind of opacity that it knows.
fn suited(format: ImageFormat, mut image: Image) -> Image {
    if format != ImageFormat::Gif {
        return image;
    }
    let alpha = image.channels.has_alpha();
    for (number, pixel) in image.samples.chunks_exact_mut(image.channels.count()).enumerate() {
        let clear = alpha && (number == 0 || pixel[3] < 128);
        pixel.iter_mut().for_each(|sample| *sample = if clear { 0 } else { *sample / 90 * 127 });
        if let Some(alpha) = pixel.get_mut(3).filter(|_| !clear) {
            *alpha = 255;
        }
    }
    image
}

/// Formats that hold colours whatever their opacity is, other than GIF.
fn with_any_alpha() -> impl Iterator<Item = ImageFormat> {
    lossless().filter(|format| format.channels().contains(&Channels::Rgba) && *format != ImageFormat::Gif)
}

/// Colours that change slowly, as in photographs.
fn smooth(width: u32, height: u32, channels: Channels) -> Image {
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let wave = |at: u32, length: u32| 60.0 * (f64::from(at) / f64::from(length)).sin();
    let sample = |x: u32, y: u32, channel: u32| (128.0 + wave(x, 9 + channel) + wave(y, 13)) as u8;
    let count = channels.count() as u32;
    let samples = pixels.flat_map(|(x, y)| (0..count).map(move |channel| sample(x, y, channel))).collect();
    plain(width, height, channels, SampleType::U8, samples)
}

/// Every layout that a format gives back as it was.
fn exact_layouts(format: ImageFormat) -> Vec<(Channels, SampleType)> {
    layouts(format).into_iter().filter(|(_, sample)| format.exact().contains(sample)).collect()
}

/// Every layout that a format can hold.
fn layouts(format: ImageFormat) -> Vec<(Channels, SampleType)> {
    let samples = format.samples();
    format.channels().iter().flat_map(|c| samples.iter().map(|s| (*c, *s))).collect()
}

fn written() -> impl Iterator<Item = ImageFormat> {
    IMAGE_FORMATS.into_iter().filter(|format| format.is_written())
}

fn lossless() -> impl Iterator<Item = ImageFormat> {
    written().filter(|format| format.lossless())
}

fn efforts(format: ImageFormat) -> Vec<Option<u8>> {
    let known = format.effort().map(|knob| *knob.range.start() as u8..=*knob.range.end() as u8);
    std::iter::once(None).chain(known.into_iter().flatten().map(Some)).collect()
}

#[test]
fn what_is_lossless_comes_back_equal() {
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() });
    let sizes = (1u32..40, 1u32..40, any::<u64>(), 0u8..=9);
    let run = runner.run(&sizes, |(width, height, seed, effort)| {
        for format in lossless() {
            let layouts = exact_layouts(format);
            let (channels, sample) = layouts[seed as usize % layouts.len()];
            let mut image = random(width, height, channels, sample, seed);
            if seed % 3 == 0 {
                // Long runs, and few colours.
                image.samples.iter_mut().for_each(|sample| *sample = *sample / 90 * 127);
            }
            let image = suited(format, image);
            let effort = format.effort().map(|knob| effort.min(*knob.range.end() as u8));
            let settings = Settings { effort, ..Settings::new(format) };
            let bytes = encode(&image, &settings).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(&bytes, &encode(&image, &settings).unwrap(), "not the same bytes twice");
            prop_assert_eq!(ImageFormat::of_bytes(&bytes[..16.min(bytes.len())]), Some(format));
            prop_assert_eq!(decode(format, &bytes, ROOM).unwrap(), image, "{}", format.name());
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn every_layout_comes_back_at_every_effort() {
    for format in lossless() {
        for (channels, sample) in exact_layouts(format) {
            for effort in efforts(format) {
                let image = suited(format, random(7, 5, channels, sample, 3));
                let bytes = encode(&image, &Settings { effort, ..Settings::new(format) }).unwrap();
                assert_eq!(decode(format, &bytes, ROOM).unwrap(), image, "{} {effort:?}", format.name());
            }
        }
    }
}

#[test]
fn full_opacity_is_kept_where_it_is_content() {
    for format in with_any_alpha() {
        let mut image = random(9, 4, Channels::Rgba, SampleType::U8, 1);
        image.samples.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
        let bytes = encode(&image, &Settings::new(format)).unwrap();
        assert_eq!(decode(format, &bytes, ROOM).unwrap(), image, "{}", format.name());
    }
}

#[test]
fn colours_under_full_transparency_are_kept() {
    for format in with_any_alpha() {
        let mut image = random(9, 4, Channels::Rgba, SampleType::U8, 2);
        image.samples.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 0);
        let bytes = encode(&image, &Settings::new(format)).unwrap();
        assert_eq!(decode(format, &bytes, ROOM).unwrap(), image, "{}", format.name());
    }
}

fn rmse(a: &Image, b: &Image) -> f64 {
    let squares = a.samples.iter().zip(&b.samples).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    (squares.sum::<f64>() / a.samples.len() as f64).sqrt()
}

#[test]
fn more_quality_is_nearer_and_larger() {
    for format in written().filter(|format| format.quality().is_some()) {
        for channels in format.channels().iter().filter(|channels| !channels.has_alpha()) {
            let image = smooth(97, 61, *channels);
            let mut last = (f64::INFINITY, 0);
            for quality in [10.0, 50.0, 95.0] {
                let settings = Settings { subsampled: false, ..Settings::lossy(format, quality) };
                let bytes = encode(&image, &settings).unwrap();
                assert_eq!(bytes, encode(&image, &settings).unwrap(), "not the same bytes twice");
                let decoded = decode(format, &bytes, ROOM).unwrap();
                assert_eq!(decoded.signature(), image.signature());
                let found = (rmse(&image, &decoded), bytes.len());
                assert!(
                    found.0 < last.0 && found.1 > last.1,
                    "{} {quality}: {found:?} {last:?}",
                    format.name()
                );
                last = found;
            }
            assert!(last.0 < 6.0, "{}: {}", format.name(), last.0);
        }
    }
}

#[test]
fn half_the_colour_is_smaller() {
    let image = random(64, 64, Channels::Rgb, SampleType::U8, 1);
    let all = Settings { subsampled: false, ..Settings::lossy(ImageFormat::Jpeg, 85.0) };
    let half = Settings { subsampled: true, ..all };
    assert!(encode(&image, &half).unwrap().len() < encode(&image, &all).unwrap().len());
}

/// One value that is allowed for each key, large ones as well.
fn attributes() -> Vec<(String, Vec<u8>)> {
    let texts: [(&str, &[u8]); 21] = [
        ("density", b"2835x2835/m"),
        ("exif", b"II*\0\x08\0\0\0\0\0"),
        ("photoshop", b"8BIM\x04\x04\0\0\0\0\0\0"),
        ("png:cHRM", &[7; 32]),
        ("png:gAMA", &[0, 0, 0xb1, 0x8f]),
        ("png:iTXt:Title", b"de\0Titel\0Der Fels"),
        ("png:prVt", b"private, and may be copied"),
        ("png:sRGB", &[1]),
        ("png:tIME", &[7, 0xe9, 2, 28, 23, 59, 60]),
        ("qoi:linear", b""),
        ("text:Author", "Zoë Ångström".as_bytes()),
        ("text:Comment", b"first"),
        ("text:Comment", b"second"),
        ("text:Copyright", b""),
        ("text:Description", "石 and ½".as_bytes()),
        ("text:Software", b"by hand"),
        ("text:Title", b"A rock"),
        ("tiff:271", b"\x02Leica\0"),
        ("tiff:33550", b"\x0c\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40"),
        ("tiff:orientation", b"6"),
        ("xmp", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"),
    ];
    let mut all: Vec<_> = texts.map(|(key, value)| (key.to_owned(), value.to_vec())).into();
    // More than two segments of a JPEG.
    all.push(("icc".to_owned(), noise(150_000, 4)));
    all.sort();
    all
}

#[test]
fn attributes_come_back_or_are_named() {
    let mut held = BTreeMap::new();
    for format in written() {
        let mut image = suited(format, smooth(8, 8, Channels::Rgb));
        image.attributes = attributes();
        let lost = losses(format, &image);
        let fitted = fit(&image, format).unwrap().into_owned();
        assert_eq!(lost.len() + fitted.attributes.len(), image.attributes.len());
        if let Some(loss) = lost.first() {
            let error = encode(&image, &Settings::new(format)).unwrap_err().to_string();
            assert!(error.contains(&loss.to_string()), "{error}");
        }
        let bytes = encode(&fitted, &Settings::new(format)).unwrap();
        let decoded = decode(format, &bytes, ROOM).unwrap();
        assert_eq!(decoded.attributes, fitted.attributes, "{}", format.name());
        assert_eq!(decoded.ignored, Vec::<String>::new(), "{}", format.name());
        let mut keys: Vec<_> = fitted.attributes.into_iter().map(|(key, _)| key).collect();
        keys.dedup();
        held.insert(format.name(), keys.join(" "));
    }
    assert_eq!(held["png"].split(' ').count(), 16);
    assert_eq!(held["webp"], "exif icc xmp");
    let tiff = "density icc photoshop text:Author text:Copyright text:Description text:Software text:Title ";
    assert_eq!(held["tiff"], format!("{tiff}tiff:271 tiff:33550 tiff:orientation xmp"));
    assert_eq!(held["qoi"], "qoi:linear");
    assert_eq!(held["gif"], "icc text:Comment xmp");
    assert_eq!(held["bmp"], "density icc");
    assert_eq!(held["avif"], "exif icc xmp");
    assert_eq!(held["jpeg"], "density exif icc photoshop text:Comment xmp");
}

#[test]
fn what_a_format_cannot_hold_is_named() {
    let rgba = random(3, 3, Channels::Rgba, SampleType::U16, 1);
    let lost: Vec<_> = losses(ImageFormat::Jpeg, &rgba).iter().map(ToString::to_string).collect();
    assert_eq!(lost, ["samples of type u16, only u8", "rgba, only rgb"]);
    let error = fit(&rgba, ImageFormat::Jpeg).unwrap_err().to_string();
    assert!(error.contains("rgba") && error.contains("choose a format with transparency"), "{error}");
    let signed = Image { sample: SampleType::I16, ..rgba };
    let error = laid_out(signed, ImageFormat::Jpeg).unwrap_err().to_string();
    assert!(error.contains("2 things") && error.contains("i16") && error.contains("rgba"), "{error}");
    // What is recommended does not refuse such samples.
    assert!(error.contains("such as tiff or npy"), "{error}");
    let long = plain(1, 1, Channels::Gray, SampleType::I64, vec![0; 8]);
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let error = laid_out(long.clone(), format).unwrap_err().to_string();
        assert!(error.contains("i64") && error.contains("such as safetensors"), "{error}");
    }
    let grey = random(3, 3, Channels::Gray, SampleType::U8, 1);
    assert_eq!(losses(ImageFormat::Jpeg, &grey), []);
    let lost = losses(ImageFormat::WebP, &grey);
    assert_eq!(lost, [Loss::Channels { from: Channels::Gray, to: Channels::Rgb, exact: true }]);
    let wide = random(16_384, 1, Channels::Rgb, SampleType::U8, 1);
    assert_eq!(losses(ImageFormat::WebP, &wide), [Loss::Side { max: 16_383 }]);
    assert!(fit(&wide, ImageFormat::WebP).is_err());
    let noise = random(20, 20, Channels::Rgb, SampleType::U8, 1);
    assert_eq!(losses(ImageFormat::Gif, &noise), [Loss::Colours(Lacking::Colours)]);
    let lacking = |pixel: [u8; 4]| {
        let samples = [[1, 2, 3, 255], pixel].concat();
        losses(ImageFormat::Gif, &plain(2, 1, Channels::Rgba, SampleType::U8, samples))
    };
    assert_eq!(lacking([0, 0, 0, 0]), []);
    assert_eq!(lacking([9, 0, 0, 0]), [Loss::Colours(Lacking::Hidden)]);
    assert_eq!(lacking([0, 0, 0, 1]), [Loss::Colours(Lacking::Opacity)]);
    let float = random(1, 1, Channels::Gray, SampleType::F32, 1);
    let widest = |to| Loss::Sample { from: SampleType::F32, to: Some(to) };
    assert_eq!(losses(ImageFormat::Png, &float), [widest(SampleType::U16)]);
    assert_eq!(losses(ImageFormat::Jpeg, &float), [widest(SampleType::U8)]);
    assert_eq!(losses(ImageFormat::Tiff, &float), []);
}

#[test]
fn floating_point_is_a_fraction_of_full_intensity() {
    let whole = plain(4, 1, Channels::Gray, SampleType::U8, vec![0, 1, 128, 255]);
    let float = |values: &[f32]| {
        let samples = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        plain(values.len() as u32, 1, Channels::Gray, SampleType::F32, samples)
    };
    let exact = float(&[0.0, 1.0 / 255.0, 128.0 / 255.0, 1.0]);
    assert_eq!(lifted(whole.clone(), SampleType::F32).unwrap(), exact);
    assert_eq!(fit(&exact, ImageFormat::Bmp).unwrap().into_owned(), whole);
    // 16 bits of the same intensity are the same fractions.
    assert_eq!(lifted(fit(&exact, ImageFormat::Png).unwrap().into_owned(), SampleType::F32).unwrap(), exact);
    assert_eq!(fit(&float(&[0.4999 / 255.0, 254.51 / 255.0]), ImageFormat::Bmp).unwrap().samples, [0, 255]);
    let wide = lifted(whole.clone(), SampleType::F64).unwrap();
    assert_eq!(fit(&wide, ImageFormat::Bmp).unwrap().into_owned(), whole);
    // Fractions of 11 bits do not tell those of 16 apart, and are compared as wider ones.
    assert!(lifted(whole.clone(), SampleType::F16).is_err());
    let halves = [0x0000u16, 0x3400, 0x3800, 0x3c00].map(u16::to_le_bytes).concat();
    let halves = plain(4, 1, Channels::Gray, SampleType::F16, halves);
    let quarters = float(&[0.0, 0.25, 0.5, 1.0]);
    assert_eq!(
        laid_out(halves.clone(), ImageFormat::Png).unwrap(),
        lifted(quarters.clone(), SampleType::F64).unwrap()
    );
    let sixteen = [0u16, 16_384, 32_768, 65_535].map(u16::to_le_bytes).concat();
    assert_eq!(fit(&halves, ImageFormat::Png).unwrap().samples, sixteen);
    assert_eq!(fit(&halves, ImageFormat::Tiff).unwrap().into_owned(), halves);
    assert_eq!(lifted(halves.clone(), SampleType::F64).unwrap(), lifted(quarters, SampleType::F64).unwrap());
    let pairs = [SampleType::F16, SampleType::U8, SampleType::F32, SampleType::F64];
    let common = pairs.map(|other| super::common(SampleType::F16, other));
    assert_eq!(common, [SampleType::F16, SampleType::F64, SampleType::F32, SampleType::F64]);
    assert_eq!(super::common(SampleType::U16, SampleType::F16), SampleType::F64);
    for bad in [-0.01, 1.01, f32::NAN, f32::INFINITY] {
        let told = fit(&float(&[0.5, bad]), ImageFormat::Png).unwrap_err().to_string();
        assert!(told.contains(&format!("row 0, column 1 (from 0) has {bad} in channel 1")), "{told}");
    }
    let mut declared = float(&[0.5]);
    let ends = [
        ([&[12], 1f64.to_le_bytes().as_slice()].concat(), true),
        ([&[12], 255f64.to_le_bytes().as_slice()].concat(), false),
        (vec![3, 1, 0], true),
        (vec![4, 10, 0, 0, 0], false),
        (vec![6, 0xff], false),
        (vec![8, 1, 0], true),
        (vec![9, 1, 0, 0, 0], true),
        (vec![10, 3, 0, 0, 0, 3, 0, 0, 0], true),
        (vec![5, 3, 0, 0, 0, 2, 0, 0, 0], false),
    ];
    for (value, fine) in ends {
        declared.attributes = vec![("tiff:341".to_owned(), value)];
        assert_eq!(laid_out(declared.clone(), ImageFormat::Png).is_ok(), fine);
        let lost = |format| lost_range(format, SampleType::F32, &declared.attributes);
        assert_eq!(lost(ImageFormat::Png), (!fine).then_some(Loss::Range(SampleType::F32)));
        assert_eq!(lost(ImageFormat::Tiff), None);
    }
    let kinds = [SampleType::U8, SampleType::U16, SampleType::F32];
    let common: Vec<_> = kinds.windows(2).map(|pair| super::common(pair[0], pair[1])).collect();
    assert_eq!(common, kinds[1..]);
    assert_eq!(super::common(SampleType::F64, SampleType::U16), SampleType::F64);
}

#[test]
fn what_an_image_needs_counts_how_it_is_compared_and_held() {
    let of = |channels, sample| random(5, 4, channels, sample, 1);
    // As many channels as the format has for it, and halves as f64.
    assert_eq!(needed(&of(Channels::Gray, SampleType::U8), ImageFormat::WebP), 80);
    assert_eq!(needed(&of(Channels::Rgb, SampleType::F16), ImageFormat::Png), 60 * 8);
    assert_eq!(needed(&of(Channels::Rgb, SampleType::F16), ImageFormat::Tiff), 60 * 2);
    assert_eq!(needed(&of(Channels::Rgb, SampleType::F32), ImageFormat::Png), 60 * 2);
    assert_eq!(needed(&of(Channels::Rgb, SampleType::U16), ImageFormat::Jpeg), 60);
}

#[test]
fn damage_names_its_strip_or_chunk_with_the_byte() {
    let image = random(600, 600, Channels::Rgb, SampleType::U8, 7);
    let told = |format, bytes: &[u8]| decode(format, bytes, ROOM).unwrap_err().to_string();
    let mut tiff = encode(&image, &Settings::new(ImageFormat::Tiff)).unwrap();
    let directory = tiff::directory::Directory::read(&tiff).unwrap();
    let offset = directory.entry(273).unwrap().numbers()[1];
    tiff[offset as usize..][..16].fill(0xff);
    let error = told(ImageFormat::Tiff, &tiff);
    assert!(error.starts_with(&format!("byte {offset}: malformed tiff: strip 2 of 5: ")), "{error}");
    let mut png = encode(&image, &Settings::new(ImageFormat::Png)).unwrap();
    let chunk = png.windows(4).position(|name| name == b"IDAT").unwrap() - 4;
    let length = u32::from_be_bytes(*png[chunk..].first_chunk().unwrap()) as usize;
    png[chunk + 8] = 0;
    let mut checksum = flate2::Crc::new();
    checksum.update(&png[chunk + 4..chunk + 8 + length]);
    png[chunk + 8 + length..][..4].copy_from_slice(&checksum.sum().to_be_bytes());
    let error = told(ImageFormat::Png, &png);
    assert!(error.starts_with(&format!("byte {chunk}: malformed png: ")), "{error}");
    let mut webp = encode(&image, &Settings::new(ImageFormat::WebP)).unwrap();
    webp[20] = 0;
    let error = told(ImageFormat::WebP, &webp);
    assert!(
        error.starts_with("byte 12: malformed webp: ") && error.ends_with("in the chunk \"VP8L\""),
        "{error}"
    );
}

#[test]
fn a_fitted_image_has_the_same_colours() {
    let samples = [0u16, 128, 129, 32_767, 32_768, 65_535].map(u16::to_le_bytes).concat();
    let grey = plain(6, 1, Channels::Gray, SampleType::U16, samples);
    let fitted = fit(&grey, ImageFormat::WebP).unwrap().into_owned();
    let expected = [0u8, 0, 1, 127, 128, 255].into_iter().flat_map(|grey| [grey; 3]).collect();
    assert_eq!(fitted, plain(6, 1, Channels::Rgb, SampleType::U8, expected));
    let opaque = plain(2, 1, Channels::GrayAlpha, SampleType::U8, vec![3, 255, 4, 255]);
    let fitted = fit(&opaque, ImageFormat::Jpeg).unwrap().into_owned();
    assert_eq!(fitted, plain(2, 1, Channels::Gray, SampleType::U8, vec![3, 4]));
    let fitted = fit(&opaque, ImageFormat::Gif).unwrap().into_owned();
    assert_eq!(fitted, plain(2, 1, Channels::Rgb, SampleType::U8, vec![3, 3, 3, 4, 4, 4]));
    assert_eq!(
        decode(ImageFormat::Gif, &encode(&fitted, &Settings::new(ImageFormat::Gif)).unwrap(), ROOM).unwrap(),
        fitted
    );
    let clear = plain(2, 1, Channels::GrayAlpha, SampleType::U8, vec![3, 0, 4, 255]);
    let fitted = fit(&clear, ImageFormat::WebP).unwrap().into_owned();
    assert_eq!(fitted.samples, [3, 3, 3, 0, 4, 4, 4, 255]);
}

#[test]
fn settings_that_do_not_exist_are_refused() {
    let image = smooth(4, 4, Channels::Rgb);
    let refused = |settings: Settings| match encode(&image, &settings).unwrap_err() {
        Error::Misuse(what) => what,
        other => other.to_string(),
    };
    let settings = Settings { lossless: true, ..Settings::new(ImageFormat::Jpeg) };
    assert_eq!(refused(settings), "jpeg cannot be lossless");
    let wide = encode(&random(4, 4, Channels::Gray, SampleType::U16, 1), &Settings::new(ImageFormat::Avif));
    assert!(wide.unwrap_err().to_string().contains("avif of samples of type u16 cannot be lossless"));
    assert_eq!(refused(Settings::lossy(ImageFormat::Png, 9.0)), "png is always lossless");
    let settings = Settings { quality: Some(9.0), ..Settings::new(ImageFormat::Png) };
    assert_eq!(refused(settings), "--quality: png has none; leave it away");
    let settings = Settings::lossy(ImageFormat::Jpeg, f32::NAN);
    assert_eq!(refused(settings), "--quality: that of jpeg is between 1 and 100, not NaN");
    let settings = Settings { effort: Some(7), ..Settings::new(ImageFormat::WebP) };
    assert_eq!(refused(settings), "--effort: that of webp is between 0 and 6, not 7");
    let short = Image { width: 5, ..image.clone() };
    assert!(matches!(encode(&short, &Settings::new(ImageFormat::Png)), Err(Error::Misuse(_))));
}

/// A small file of each format with everything that it can hold.
fn seeds() -> Vec<(ImageFormat, Vec<u8>)> {
    let mut seeds = Vec::new();
    for format in written() {
        for (channels, sample) in layouts(format) {
            let mut image = suited(format, random(5, 4, channels, sample, 7));
            image.attributes = attributes();
            image.attributes.retain(|(key, _)| key != "icc");
            image.attributes.insert(2, ("icc".to_owned(), noise(40, 5)));
            let image = fit(&image, format).unwrap().into_owned();
            let mut settings = Settings::new(format);
            if format.exact().contains(&sample) {
                seeds.push((format, encode(&image, &settings).unwrap()));
            }
            if format.quality().is_some() {
                settings.lossless = false;
                settings.effort = Some(2);
                seeds.push((format, encode(&image, &settings).unwrap()));
            }
        }
    }
    // What is only read was written by others.
    for name in ["rgba-8.jxl", "gray-16.jxl", "attributes.jxl"] {
        seeds.push((ImageFormat::Jxl, std::fs::read(folder().join(name)).unwrap()));
    }
    seeds
}

/// Whether bytes that may be anything are an image; errors are about the bytes.
fn is_image(format: ImageFormat, bytes: &[u8]) -> bool {
    match decode(format, bytes, 1 << 20) {
        Ok(_) => true,
        Err(Error::Malformed { .. } | Error::Unsupported { .. } | Error::Limit { .. }) => false,
        Err(other) => panic!("{}: {other}", format.name()),
    }
}

#[test]
fn a_file_that_ends_early_is_refused() {
    for (format, bytes) in seeds() {
        assert!(is_image(format, &bytes));
        for end in 0..bytes.len() {
            let whole = is_image(format, &bytes[..end]);
            assert!(!whole, "{}: {end} of {} bytes are an image", format.name(), bytes.len());
        }
    }
}

#[test]
fn damaged_bytes_are_refused_or_give_an_image() {
    for (number, (format, bytes)) in seeds().into_iter().enumerate() {
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            is_image(format, &damaged);
        }
        for round in 0..50 {
            let mut damaged = bytes.clone();
            let dice = noise(24, round * 1000 + number as u64);
            for [high, low, value] in dice.as_chunks::<3>().0 {
                let at = usize::from(u16::from_be_bytes([*high, *low])) % damaged.len();
                damaged[at] = *value;
            }
            let held = crate::oracle::image(&damaged);
            held.unwrap_or_else(|broken| panic!("{}: {broken}", format.name()));
        }
    }
}

#[test]
fn what_was_found_by_damage_stays_mended() {
    // 16-bit colours that a GIF has no room for once they have 8 bits.
    let deep = random(20, 20, Channels::Rgb, SampleType::U16, 1);
    let error = fit(&deep, ImageFormat::Gif).unwrap_err().to_string();
    assert!(error.contains("more than 256 colours"), "{error}");
    // An XMP packet that is not UTF-8, which no text of a PNG can be.
    let mut file = std::fs::read(folder().join("attributes.webp")).unwrap();
    let xmp = file.windows(3).position(|bytes| bytes == b"<x:").unwrap();
    file[xmp] = 0xff;
    let image = decode(ImageFormat::WebP, &file, ROOM).unwrap();
    assert!(losses(ImageFormat::Png, &image).contains(&Loss::Attribute("xmp".to_owned())));
    // A number of a table that libjpeg panics on: the place is that of the first scan.
    let mut file = std::fs::read(folder().join("plain.jpg")).unwrap();
    let table = file.windows(2).position(|bytes| bytes == [0xff, 0xdb]).unwrap();
    let scan = file.windows(2).position(|bytes| bytes == [0xff, 0xda]).unwrap();
    file[table + 4] |= 15;
    let error = decode(ImageFormat::Jpeg, &file, ROOM).unwrap_err().to_string();
    let told = "malformed jpeg: the decoder gave up on these bytes";
    assert_eq!(error, format!("byte {scan}: {told}"));
    // Densities that JFIF reads as none.
    let mut image = smooth(3, 3, Channels::Rgb);
    for density in ["0x5/m", "7x7", "0x3"] {
        image.attributes = vec![("density".to_owned(), density.as_bytes().to_vec())];
        assert_eq!(losses(ImageFormat::Jpeg, &image), [Loss::Attribute("density".to_owned())], "{density}");
    }
}

#[test]
fn an_image_above_the_limit_is_not_decoded() {
    for format in written() {
        let image = suited(format, smooth(64, 64, Channels::Rgb));
        let bytes = encode(&image, &Settings::new(format)).unwrap();
        let error = decode(format, &bytes, 64 * 64 * 3 - 1).unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{}: {error}", format.name());
    }
}

#[test]
fn bytes_after_the_end_are_named() {
    // A TIFF has no end: what no directory points to may lie anywhere in it.
    for format in written().filter(|format| *format != ImageFormat::Tiff) {
        let image = suited(format, smooth(8, 8, Channels::Rgb));
        let mut bytes = encode(&image, &Settings::new(format)).unwrap();
        bytes.extend([0; 5]);
        let ignored = decode(format, &bytes, ROOM).unwrap().ignored;
        assert_eq!(ignored, ["5 bytes after the end of the image"], "{}", format.name());
    }
}

#[test]
fn the_table_of_formats_is_consistent() {
    for format in IMAGE_FORMATS {
        let names = [format.name(), format.media_type()]
            .into_iter()
            .chain(format.endings().iter().map(String::as_str));
        for name in names {
            assert_eq!(ImageFormat::named(&name.to_uppercase()), Some(format), "{name}");
        }
        assert!(format.lossless() || format.quality().is_some());
        for knob in format.quality().into_iter().chain(format.effort()) {
            assert!(knob.range.contains(&knob.default));
        }
    }
}

/// Files that other programs wrote, and what these programs say of them; see `make_images.py` beside them.
#[test]
fn files_of_others_are_read_as_they_read_them() {
    let list = std::fs::read_to_string(folder().join("expected.tsv")).unwrap();
    let mut seen = 0;
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = line.split('\t').collect();
        let &[name, shape, sample, expected, keys] = fields.as_slice() else { panic!("{line:?}") };
        let bytes = std::fs::read(folder().join(name)).unwrap();
        let format = ImageFormat::of_bytes(&bytes).unwrap();
        let image = decode(format, &bytes, ROOM).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = format!("{}x{}x{}", image.height, image.width, image.channels.name());
        assert_eq!((found.as_str(), image.sample.name()), (shape, sample), "{name}");
        let mut crc = flate2::Crc::new();
        crc.update(&image.samples);
        assert_eq!(format!("{:08x}", crc.sum()), expected, "{name}");
        let found: Vec<_> =
            image.attributes.iter().map(|(key, value)| format!("{key}={}", value.len())).collect();
        assert_eq!(found.join(" "), keys, "{name}");
        seen += 1;
    }
    assert!(seen > 60, "the list has {seen} files");
}

/// What a container says of turns takes the place of what Exif says, and goes back into the container.
#[test]
fn turns_of_a_container_are_told_in_exif() {
    let said = |image: &Image| super::orientation::Orientation::of_exif(image.attribute("exif").unwrap());
    let number = |number: u16| super::orientation::Orientation::of_number(number).unwrap();
    for (name, format, expected) in
        [("attributes.avif", ImageFormat::Avif, 8), ("attributes.jxl", ImageFormat::Jxl, 1)]
    {
        let image = decode(format, &std::fs::read(folder().join(name)).unwrap(), ROOM).unwrap();
        assert_eq!(said(&image), number(expected), "{name}");
        let written = encode(&image, &Settings::new(ImageFormat::Avif)).unwrap();
        assert_eq!(written.windows(4).any(|bytes| bytes == b"irot"), expected == 8, "{name}");
        let again = decode(ImageFormat::Avif, &written, ROOM).unwrap();
        assert_eq!(again.attributes, image.attributes, "{name}");
    }
}

#[test]
fn every_turn_comes_back_from_avif() {
    let mut image = smooth(9, 5, Channels::Gray);
    for turn in 1..=8 {
        let exif =
            [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[turn, 0, 0, 0, 0, 0, 0, 0]];
        image.attributes = vec![("exif".to_owned(), exif.concat())];
        let written = encode(&image, &Settings::new(ImageFormat::Avif)).unwrap();
        let again = decode(ImageFormat::Avif, &written, ROOM).unwrap();
        assert_eq!(again.attributes, image.attributes, "{turn}");
    }
}

#[test]
fn colours_of_high_dynamic_range_come_back_from_avif() {
    let mut image = random(6, 4, Channels::Rgb, SampleType::U16, 3);
    image.attributes = vec![
        ("avif:clli".to_owned(), vec![1, 0xf4, 0, 60]),
        ("density".to_owned(), b"4x3".to_vec()),
        ("png:cICP".to_owned(), vec![9, 16, 0, 1]),
    ];
    let written = encode(&image, &Settings::lossy(ImageFormat::Avif, 75.0)).unwrap();
    let again = decode(ImageFormat::Avif, &written, ROOM).unwrap();
    assert_eq!(again.signature(), image.signature());
}

#[test]
fn qualities_that_are_alike_make_the_same_file_and_others_do_not() {
    let image = smooth(40, 30, Channels::Gray);
    for format in [ImageFormat::Avif, ImageFormat::Jpeg] {
        let of = |quality: f32| encode(&image, &Settings::lossy(format, quality)).unwrap();
        for quality in (2..100).step_by(7).map(|quality| quality as f32) {
            let alike = format.alike(quality);
            assert!(alike.contains(&quality));
            let (low, high) = alike.into_inner();
            assert!([low, high].iter().all(|other| of(*other) == of(quality)), "{quality} {low} {high}");
            assert!([low - 1.0, high + 1.0].iter().all(|other| of(*other) != of(quality)), "{quality}");
        }
    }
    assert_eq!(ImageFormat::Avif.alike(100.0), 100.0..=100.0);
}

#[test]
fn steps_of_quantisation_grow_as_quality_falls() {
    for format in IMAGE_FORMATS {
        let Some(knob) = format.quality() else { continue };
        let (low, high) = (*knob.range.start() as u8, *knob.range.end() as u8);
        let steps: Vec<f64> = (low..=high).map(|quality| format.step(quality.into())).collect();
        assert!(steps.iter().all(|step| step.is_finite()));
        assert!(steps.windows(2).all(|pair| pair[0] > pair[1]), "{}: {steps:?}", format.name());
    }
}

#[test]
fn a_drawing_repeats_its_pixels_and_a_photograph_does_not() {
    let one = plain(8, 8, Channels::Rgb, SampleType::U8, [7, 8, 9].repeat(64));
    assert_eq!(one.repeated(), 63.0 / 64.0);
    assert!(random(32, 32, Channels::Rgb, SampleType::U16, 1).repeated() < 0.01);
    assert_eq!(plain(1, 1, Channels::Gray, SampleType::U8, vec![1]).repeated(), 0.0);
}

/// Every size up to some, as frames are made of blocks that images seldom fill.
#[test]
fn avif_of_every_small_size_is_near() {
    for (width, height) in (1..=9).flat_map(|width| (1..=9).map(move |height| (width, height))) {
        for (channels, subsampled) in [(Channels::Gray, true), (Channels::Rgba, true), (Channels::Rgb, false)]
        {
            let image = smooth(width, height, channels);
            let settings =
                Settings { subsampled, effort: Some(0), ..Settings::lossy(ImageFormat::Avif, 95.0) };
            let again = decode(ImageFormat::Avif, &encode(&image, &settings).unwrap(), ROOM).unwrap();
            assert_eq!(again.signature(), image.signature());
            assert!(rmse(&image, &again) < 6.0, "{width} {height} {channels:?}: {}", rmse(&image, &again));
        }
    }
}

/// An Exif block as a camera writes it: big-endian, with a make, a directory of its own and a thumbnail.
fn of_a_camera() -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: &[u8]| {
        [tag.to_be_bytes().as_slice(), &kind.to_be_bytes(), &count.to_be_bytes(), value].concat()
    };
    let directory = |entries: &[Vec<u8>], next: u32| {
        [&(entries.len() as u16).to_be_bytes(), entries.concat().as_slice(), &next.to_be_bytes()].concat()
    };
    let first = directory(&[entry(271, 2, 4, b"Acm\0"), entry(34_665, 4, 1, &38u32.to_be_bytes())], 68);
    let camera = directory(&[entry(34_855, 3, 1, &[0, 100, 0, 0]), entry(37_500, 7, 3, b"abc\0")], 0);
    [b"MM\0*\0\0\0\x08".as_slice(), &first, &camera, &directory(&[], 0)].concat()
}

#[test]
fn exif_data_is_where_each_format_has_it() {
    let keys = |image: &Image| image.attributes.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let mut image = smooth(5, 4, Channels::Rgb);
    image.attributes = vec![("exif".to_owned(), of_a_camera())];
    let (in_tiff, homeless) = rehoused(image.clone(), ImageFormat::Tiff);
    assert_eq!((keys(&in_tiff), homeless.len()), (vec!["exif".to_owned(), "tiff:271".to_owned()], 1));
    assert!(homeless[0].contains("thumbnail"), "{homeless:?}");
    let bytes = encode(&in_tiff, &Settings::new(ImageFormat::Tiff)).unwrap();
    assert_eq!(decode(ImageFormat::Tiff, &bytes, ROOM).unwrap(), in_tiff);
    assert_eq!(rehoused(in_tiff.clone(), ImageFormat::Tiff), (in_tiff.clone(), Vec::new()));
    let (in_png, homeless) = rehoused(in_tiff.clone(), ImageFormat::Png);
    assert_eq!((keys(&in_png), homeless), (vec!["exif".to_owned()], Vec::new()));
    assert_eq!(rehoused(in_png, ImageFormat::Tiff), (in_tiff, Vec::new()));
    // A block that is damaged stays what it is, and a TIFF does not hold it.
    for end in 0..of_a_camera().len() - 6 {
        image.attributes[0].1 = of_a_camera()[..end].to_vec();
        let (same, homeless) = rehoused(image.clone(), ImageFormat::Tiff);
        assert_eq!((&same, homeless.len()), (&image, 0), "{end}");
        assert_eq!(losses(ImageFormat::Tiff, &same), [Loss::Attribute("exif".to_owned())], "{end}");
    }
}

/// An image with what Exif says where a format has it, and what is to be said about that.
fn rehoused(image: Image, format: ImageFormat) -> (Image, Vec<String>) {
    let Rehoused { image, homeless, near } = super::rehoused(image, format);
    (image, homeless.into_iter().chain(near).collect())
}

/// An image with a density and, where there is one, an Exif block.
fn of_density(density: &str, exif: Option<Vec<u8>>) -> Image {
    let density = ("density".to_owned(), density.as_bytes().to_vec());
    let exif = exif.map(|exif| ("exif".to_owned(), exif));
    Image { attributes: std::iter::once(density).chain(exif).collect(), ..smooth(6, 5, Channels::Rgb) }
}

#[test]
fn a_density_without_a_place_goes_into_exif_data() {
    let image = of_density("2834x2834/m", None);
    for format in [ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Avif] {
        let (moved, notes) = rehoused(image.clone(), format);
        assert_eq!((moved.attributes.len(), notes.len()), (1, 0), "{}", format.name());
        let bytes = encode(&moved, &Settings::lossy(format, 80.0)).unwrap();
        assert_eq!(decode(format, &bytes, ROOM).unwrap().attributes, moved.attributes);
        // 28.34 pixels a centimetre, exactly.
        let exif = moved.attribute("exif").unwrap();
        let (found, _) = rehoused(moved.clone(), ImageFormat::Tiff);
        assert!(exif.windows(8).any(|fraction| fraction == b"\0\0\x0b\x12\0\0\0\x64"));
        assert_eq!(found.attributes, image.attributes);
    }
    // What a JPEG holds by itself stays where it is, and what has no Exif data has no place for it.
    let known = of_density("2835x2835/m", None);
    assert_eq!(rehoused(known.clone(), ImageFormat::Jpeg), (known, Vec::new()));
    for format in [ImageFormat::Qoi, ImageFormat::Gif] {
        assert_eq!(rehoused(image.clone(), format), (image.clone(), Vec::new()));
    }
}

#[test]
fn exif_data_keep_what_they_tell_beside_a_density() {
    let (moved, notes) = rehoused(of_density("2834x2834/m", Some(of_a_camera())), ImageFormat::Jpeg);
    let exif = moved.attribute("exif").unwrap();
    assert!(moved.attributes.len() == 1 && notes.is_empty() && exif.len() > of_a_camera().len());
    assert_eq!(exif[8..of_a_camera().len()], of_a_camera()[8..]);
    let (found, _) = rehoused(moved, ImageFormat::Tiff);
    let keys: Vec<_> = found.attributes.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["density", "exif", "tiff:271"]);
    // 72 pixels an inch, as a camera tells them.
    let (by_inch, _) = rehoused(of_density("2835x2835/m", None), ImageFormat::WebP);
    let exif = by_inch.attribute("exif").unwrap().to_vec();
    let same = rehoused(of_density("2835x2835/m", Some(exif.clone())), ImageFormat::WebP);
    assert_eq!(same, (by_inch.clone(), Vec::new()));
    let (near, notes) = rehoused(of_density("2834x2834/m", Some(exif.clone())), ImageFormat::WebP);
    assert_eq!(near, by_inch);
    assert!(notes.len() == 1 && notes[0].contains("2834x2834/m") && notes[0].contains("2835x2835/m"));
    // Something else is a matter of a person.
    let other = of_density("11811x11811/m", Some(exif));
    assert_eq!(rehoused(other.clone(), ImageFormat::WebP), (other.clone(), Vec::new()));
    assert_eq!(losses(ImageFormat::WebP, &other), [Loss::Attribute("density".to_owned())]);
    assert_eq!(told(&other, "density"), "the pixel density 11811x11811/m (its Exif data tell 2835x2835/m)");
    assert_eq!(told(&image_of_inches(), "density"), "the pixel density 2835x2835/m");
}

/// An image of 72 pixels an inch.
fn image_of_inches() -> Image {
    of_density("2835x2835/m", None)
}

#[test]
fn exif_data_that_a_format_would_change_are_not_held() {
    let exif = [b"Exif\0\0", of_a_camera().as_slice()].concat();
    let marked = Image { attributes: vec![("exif".to_owned(), exif)], ..smooth(5, 4, Channels::Rgb) };
    for format in written() {
        let image = fit(&suited(format, marked.clone()), format).unwrap().into_owned();
        let bytes = encode(&image, &Settings::new(format)).unwrap();
        assert_eq!(decode(format, &bytes, ROOM).unwrap().attributes, image.attributes, "{}", format.name());
    }
    assert_eq!(losses(ImageFormat::WebP, &marked), [Loss::Attribute("exif".to_owned())]);
}

#[test]
fn a_density_comes_out_of_exif_data_where_a_format_has_its_own_place() {
    for image in [of_density("2834x2834/m", None), image_of_inches()] {
        let in_webp = rehoused(image.clone(), ImageFormat::WebP).0;
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff] {
            assert_eq!(rehoused(in_webp.clone(), format), (image.clone(), Vec::new()), "{}", format.name());
        }
        for format in [ImageFormat::WebP, ImageFormat::Gif] {
            assert_eq!(rehoused(in_webp.clone(), format), (in_webp.clone(), Vec::new()));
        }
    }
    // What else a block tells stays, and a format that has no Exif data takes the density alone.
    let in_webp = rehoused(of_density("2834x2834/m", Some(of_a_camera())), ImageFormat::WebP).0;
    assert_eq!(rehoused(in_webp.clone(), ImageFormat::Png), (in_webp.clone(), Vec::new()));
    let (in_bmp, _) = rehoused(in_webp, ImageFormat::Bmp);
    assert_eq!(in_bmp.attribute("density"), Some(b"2834x2834/m".as_slice()));
    assert_eq!(losses(ImageFormat::Bmp, &in_bmp), [Loss::Attribute("exif".to_owned())]);
    // A density that Exif data tell too does not go with them.
    assert_eq!(rehoused(in_bmp.clone(), ImageFormat::Gif), (in_bmp, Vec::new()));
}

#[test]
fn pixels_that_are_said_to_be_square_stay_where_that_has_a_place() {
    let image = of_density("1x1", None);
    assert_eq!(rehoused(image.clone(), ImageFormat::Png), (image.clone(), Vec::new()));
    for format in [ImageFormat::Jpeg, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Bmp] {
        let (moved, notes) = rehoused(image.clone(), format);
        assert!(moved.attributes.is_empty() && losses(format, &moved).is_empty(), "{}", format.name());
        assert_eq!(notes, ["the pixel density 1x1, which says that pixels are square"]);
    }
    let wide = of_density("4x3", None);
    assert_eq!(rehoused(wide.clone(), ImageFormat::WebP), (wide, Vec::new()));
}

/// An Exif block of a density alone: the unit, and the fraction across and down.
fn of_fraction(unit: u8, above: u32, below: u32) -> Vec<u8> {
    let (x, y) = ([0, 0, 0, 50], [0, 0, 0, 58]);
    let directory = exif_of(&[(282, 5, 1, x), (283, 5, 1, y), (296, 3, 1, [0, unit, 0, 0])]);
    let fraction = [above.to_be_bytes(), below.to_be_bytes()].concat();
    [directory, fraction.clone(), fraction].concat()
}

#[test]
fn a_density_alone_comes_out_of_exif_data_in_any_fraction() {
    let of = |exif| {
        let attributes = vec![("exif".to_owned(), exif)];
        Image { attributes, ..smooth(6, 5, Channels::Rgb) }
    };
    for (exif, density) in [
        (of_fraction(2, 72, 1), "2835x2835/m"),
        (of_fraction(2, 720_000, 10_000), "2835x2835/m"),
        (of_fraction(3, 1417, 50), "2834x2834/m"),
        (of_fraction(3, 2835, 100), "2835x2835/m"),
    ] {
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff] {
            let expected = (of_density(density, None), Vec::new());
            assert_eq!(rehoused(of(exif.clone()), format), expected, "{}", format.name());
        }
    }
    // What had to be rounded to whole pixels a metre stays in a PNG, and does not go without it elsewhere.
    for exif in [of_fraction(2, 145, 2), of_fraction(3, 28_345, 1000)] {
        assert_eq!(rehoused(of(exif.clone()), ImageFormat::Png), (of(exif.clone()), Vec::new()));
        let in_bmp = rehoused(of(exif), ImageFormat::Bmp).0;
        assert_eq!(losses(ImageFormat::Bmp, &in_bmp), [Loss::Attribute("exif".to_owned())]);
    }
}

#[test]
fn bytes_that_nothing_in_exif_data_points_to_are_no_part_of_a_density() {
    let plain = of_fraction(2, 72, 1);
    let behind = [plain.as_slice(), b"SECRET MAKER NOTE"].concat();
    let zeros = [plain.as_slice(), &[0; 128]].concat();
    let mut within = plain.clone();
    within[44..46].copy_from_slice(b"no");
    for (exif, loose) in [(behind, 17), (zeros, 0), (within, 2)] {
        let attributes = vec![("exif".to_owned(), exif)];
        let image = Image { attributes, ..smooth(6, 5, Channels::Rgb) };
        assert_eq!(rehoused(image.clone(), ImageFormat::Png), (image.clone(), Vec::new()));
        let (in_bmp, _) = rehoused(image.clone(), ImageFormat::Bmp);
        assert_eq!(losses(ImageFormat::Bmp, &in_bmp), [Loss::Attribute("exif".to_owned())]);
        // A TIFF holds what it reads of them, and says what is left.
        let (in_tiff, homeless) = rehoused(image, ImageFormat::Tiff);
        assert_eq!(in_tiff, of_density("2835x2835/m", None));
        let note = format!("{loose} bytes of its Exif data that no tag known here points to");
        assert_eq!(homeless, if loose > 0 { vec![note] } else { Vec::new() });
    }
}

#[test]
fn a_density_goes_into_no_block_that_could_not_be_read_again() {
    // A text that does not lie within the block.
    let damaged = exif_of(&[(271, 2, 4, *b"Acm\0"), (272, 2, u32::MAX >> 1, [0; 4])]);
    let too_long = [of_a_camera(), vec![0; (16 << 20) - 36 - of_a_camera().len()]].concat();
    for block in [damaged, too_long] {
        let image = of_density("2834x2834/m", Some(block));
        assert!(rehoused(image.clone(), ImageFormat::WebP) == (image.clone(), Vec::new()));
        assert_eq!(losses(ImageFormat::WebP, &image), [Loss::Attribute("density".to_owned())]);
    }
}

/// An Exif block of one directory: entries by tag, type, count, and values that stand in their entries.
fn exif_of(entries: &[(u16, u16, u32, [u8; 4])]) -> Vec<u8> {
    let mut exif = [b"MM\0*\0\0\0\x08".as_slice(), &(entries.len() as u16).to_be_bytes()].concat();
    for (tag, kind, count, value) in entries {
        exif.extend([&tag.to_be_bytes(), &kind.to_be_bytes(), &count.to_be_bytes()[..], value].concat());
    }
    exif.extend([0; 4]);
    exif
}

#[test]
fn what_a_tiff_does_not_take_of_exif_data_is_named() {
    let of = |entries: &[_]| {
        let attributes = vec![("exif".to_owned(), exif_of(entries))];
        Image { attributes, ..smooth(5, 4, Channels::Rgb) }
    };
    let make = (271, 2, 4, *b"Acm\0");
    let (found, homeless) = rehoused(
        of(&[(256, 3, 1, [0, 9, 0, 0]), make, (274, 3, 1, [0, 9, 0, 0]), (296, 3, 1, [0, 2, 0, 0])]),
        ImageFormat::Tiff,
    );
    assert_eq!(found.attributes, [("tiff:271".to_owned(), b"\x02Acm\0".to_vec())]);
    assert_eq!(homeless, [274, 256, 296].map(|tag| format!("the tag {tag} of its Exif data")));
    let (found, homeless) = rehoused(of(&[make, (274, 3, 1, [0, 1, 0, 0])]), ImageFormat::Tiff);
    assert_eq!((found.attributes.len(), homeless.len()), (1, 0));
    // UTF-8 of Exif 3.0, which is no type of a TIFF.
    for block in [exif_of(&[make, (315, 129, 2, *b"B\0\0\0")]), below(&[(37_510, 129, 2, *b"B\0\0\0")])] {
        let attributes = vec![("exif".to_owned(), block)];
        let image = Image { attributes, ..smooth(5, 4, Channels::Rgb) };
        assert_eq!(rehoused(image.clone(), ImageFormat::Tiff), (image.clone(), Vec::new()));
        assert_eq!(losses(ImageFormat::Tiff, &image), [Loss::Attribute("exif".to_owned())]);
    }
}

/// An Exif block whose first directory points to one of the camera alone, with these entries.
fn below(entries: &[(u16, u16, u32, [u8; 4])]) -> Vec<u8> {
    let first = exif_of(&[(34_665, 4, 1, [0, 0, 0, 26])]);
    [first.as_slice(), &exif_of(entries)[8..]].concat()
}

#[test]
fn tags_of_a_tiff_of_types_that_are_not_known_are_named() {
    let attributes = vec![("exif".to_owned(), of_a_camera())];
    let image = rehoused(Image { attributes, ..smooth(5, 4, Channels::Rgb) }, ImageFormat::Tiff).0;
    let mut bytes = encode(&image, &Settings::new(ImageFormat::Tiff)).unwrap();
    for entry in [b"\x0f\x01\x02\0", b"\x7c\x92\x07\0"] {
        let at = bytes.windows(4).position(|window| window == entry).unwrap();
        bytes[at + 2] = 129;
    }
    let found = decode(ImageFormat::Tiff, &bytes, ROOM).unwrap();
    assert_eq!(found.samples, image.samples);
    assert_eq!(found.ignored, ["the tag 271", "the tag 37500"]);
}

#[test]
fn directories_of_a_tiff_that_are_damaged_are_named() {
    let mut image = smooth(5, 4, Channels::Rgb);
    image.attributes = vec![("exif".to_owned(), of_a_camera())];
    let image = rehoused(image, ImageFormat::Tiff).0;
    let mut bytes = encode(&image, &Settings::new(ImageFormat::Tiff)).unwrap();
    let pointer = bytes.windows(8).position(|window| window == b"\x69\x87\x04\0\x01\0\0\0").unwrap();
    bytes[pointer + 8..pointer + 12].fill(0xf0);
    let found = decode(ImageFormat::Tiff, &bytes, ROOM).unwrap();
    assert_eq!((found.samples, found.attributes.len()), (image.samples, 1));
    assert!(found.ignored.contains(&"a damaged exif".to_owned()), "{:?}", found.ignored);
}

#[test]
fn values_of_a_directory_do_not_lie_in_each_other() {
    let image = smooth(64, 64, Channels::Rgb);
    let mut bytes =
        encode(&image, &Settings { effort: Some(0), ..Settings::new(ImageFormat::Tiff) }).unwrap();
    let entry =
        |tag: u16, count: u32| [&tag.to_le_bytes()[..], &[1, 0], &count.to_le_bytes(), &[0; 4]].concat();
    let first = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let count = u16::from_le_bytes(bytes[first..first + 2].try_into().unwrap());
    let entries = bytes[first + 2..first + 2 + 12 * usize::from(count)].to_vec();
    let begin = bytes.len() as u32;
    bytes[4..8].copy_from_slice(&begin.to_le_bytes());
    bytes.extend((count + 2).to_le_bytes());
    bytes.extend(entries);
    bytes.extend([entry(60_000, begin - 9), entry(60_001, begin - 9)].concat());
    bytes.extend([0; 4]);
    let error = decode(ImageFormat::Tiff, &bytes, ROOM).unwrap_err().to_string();
    assert!(error.contains("lie in each other"), "{error}");
}

#[test]
fn inks_are_kept_or_refused() {
    let inks = random(6, 4, Channels::Cmyk, SampleType::U8, 5);
    for format in written().filter(|format| *format != ImageFormat::Tiff) {
        assert!(losses(format, &inks).contains(&Loss::Inks), "{}", format.name());
        let error = fit(&inks, format).unwrap_err().to_string();
        assert!(error.contains("four inks (CMYK)"), "{error}");
    }
    assert_eq!(losses(ImageFormat::Tiff, &inks), []);
    let viewer = super::sight::Viewer::new(&inks, &[coherence::gate::Measure::Ssimulacra2]);
    assert!(viewer.is_err_and(|error| error.to_string().contains("four inks")));
}

#[test]
fn scans_are_bounded() {
    let image = smooth(8, 8, Channels::Gray);
    let bytes = encode(&image, &Settings::new(ImageFormat::Jpeg)).unwrap();
    let scan = bytes.windows(2).position(|marker| marker == [0xff, 0xda]).unwrap();
    let (head, rest) = bytes.split_at(scan);
    let many = [head, &rest[..rest.len() - 2].repeat(101), &rest[rest.len() - 2..]].concat();
    let error = decode(ImageFormat::Jpeg, &many, ROOM).unwrap_err();
    assert!(error.to_string().contains("the number of a JPEG's scans is above the limit of 100"), "{error}");
}

#[test]
fn files_that_are_no_single_image_are_refused() {
    let bad = folder().join("bad");
    for (name, expected) in [
        ("animated.png", "an animated PNG of 2 frames is not one image"),
        ("animated.webp", "an animated WebP of 2 frames is not one image"),
        ("animated.gif", "an animated GIF of 2 frames is not one image"),
        ("pages.tif", "a TIFF of 2 pages is not one image"),
        ("lab.tif", "such as Lab"),
        ("premultiplied.tif", "premultiplied opacity"),
        ("outside.tif", "its directory points outside of the file"),
        ("run.bmp", "a run does not lie within the image"),
        ("inks.jpg", "does not say by Adobe's segment whether they are inks"),
        ("checksum.png", "checksum"),
        ("icc-missing.jpg", "pieces of its colour profile are missing"),
        ("bomb-text.png", "above the limit of 16777216"),
        ("bomb-pixels.png", "above the limit of"),
        ("moving.avif", "an animated AVIF is not one image"),
        ("hevc.avif", "an image in HEVC (a HEIC) is not read"),
        ("size.avif", "the frame is not laid out as the container says"),
        ("bomb-pixels.avif", "above the limit of"),
        ("clap.avif", "a part of its pixels"),
        ("matrix.avif", "the matrix 14 of H.273"),
        ("outside.avif", "the bytes of an item do not lie within the file"),
        ("premultiplied.avif", "premultiplied with their opacity"),
        ("grid.avif", "a grid has another size or number of tiles than it says"),
        ("animated.jxl", "an animated JPEG XL is not one image"),
        ("short.jxl", "the file ends before the image does"),
        ("bomb-exif.jxl", "above the limit of 16777216"),
    ] {
        let bytes = std::fs::read(bad.join(name)).unwrap();
        let error = decode(ImageFormat::of_bytes(&bytes).unwrap(), &bytes, ROOM).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert!(!name.ends_with(".tif") || error.starts_with("byte "), "{name} without a place: {error}");
    }
}

/// An image of two colours that declares its palette.
fn of_palette() -> (Image, Vec<u8>) {
    let image = plain(2, 1, Channels::Rgb, SampleType::U8, vec![255, 0, 0, 0, 0, 255]);
    let bytes = encode(&image, &Settings::new(ImageFormat::Gif)).unwrap();
    (decode(ImageFormat::Gif, &bytes, ROOM).unwrap(), bytes)
}

#[test]
fn what_a_png_says_of_colours_stands_before_its_palette() {
    let (mut image, _) = of_palette();
    image.attributes = vec![("png:gAMA".to_owned(), vec![0, 0, 0xb1, 0x8f])];
    let bytes = encode(&image, &Settings::new(ImageFormat::Png)).unwrap();
    let at = |name: &[u8]| bytes.windows(4).position(|found| found == name).unwrap();
    assert!(at(b"IHDR") < at(b"gAMA") && at(b"gAMA") < at(b"PLTE"));
    let decoded = decode(ImageFormat::Png, &bytes, ROOM).unwrap();
    assert_eq!(decoded.attributes, image.attributes);
}

#[test]
fn exif_data_that_are_no_tiff_are_not_held_by_avif() {
    for (block, is_held) in [(b"II*\0\x08\0\0\0\0\0", true), (b"Exif\0\0II*\0", false)] {
        let mut image = smooth(8, 8, Channels::Rgb);
        image.attributes = vec![("exif".to_owned(), block.to_vec())];
        assert_eq!(losses(ImageFormat::Avif, &image).is_empty(), is_held);
    }
}

#[test]
fn a_control_extension_behind_the_image_of_a_gif_changes_nothing() {
    let (image, mut bytes) = of_palette();
    let end = bytes.pop().unwrap();
    bytes.extend([0x21, 0xf9, 4, 1, 0, 0, 1, 0, end]);
    let decoded = decode(ImageFormat::Gif, &bytes, ROOM).unwrap();
    assert_eq!((decoded.channels, decoded.samples), (image.channels, image.samples));
}

/// A TIFF whose entry of a tag says one 16-bit number; the entry of another tag may be taken for it.
fn tiff_with(image: &Image, effort: u8, (old, tag): (u16, u16), value: u16) -> Vec<u8> {
    let settings = Settings { effort: Some(effort), ..Settings::new(ImageFormat::Tiff) };
    let mut bytes = encode(image, &settings).unwrap();
    let entries = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize + 2;
    let entry = bytes[entries..].chunks_exact_mut(12).find(|entry| entry[..2] == old.to_le_bytes()).unwrap();
    entry[..2].copy_from_slice(&tag.to_le_bytes());
    entry[8..10].copy_from_slice(&value.to_le_bytes());
    bytes
}

#[test]
fn floating_point_in_which_zero_is_white_is_refused() {
    let image = plain(1, 1, Channels::Gray, SampleType::F32, vec![0; 4]);
    let bytes = tiff_with(&image, 0, (262, 262), 0);
    let error = decode(ImageFormat::Tiff, &bytes, ROOM).unwrap_err().to_string();
    assert!(error.contains("zero is white"), "{error}");
}

#[test]
fn differences_in_a_tiff_that_is_not_packed_are_refused() {
    // Without the planar configuration, samples lie side by side all the same.
    let bytes = tiff_with(&smooth(8, 8, Channels::Gray), 0, (284, 317), 2);
    let error = decode(ImageFormat::Tiff, &bytes, ROOM).unwrap_err().to_string();
    assert!(error.contains("beside packing 1 are"), "{error}");
}

#[test]
fn a_tiff_holds_one_text_of_a_key() {
    let mut image = smooth(8, 8, Channels::Rgb);
    let text = |value: &[u8]| ("text:Description".to_owned(), value.to_vec());
    image.attributes = vec![text(b"first"), text(b"second")];
    assert_eq!(losses(ImageFormat::Tiff, &image), [Loss::Attribute("text:Description".to_owned())]);
    let fitted = fit(&image, ImageFormat::Tiff).unwrap();
    assert_eq!(fitted.attributes, [text(b"first")]);
}

#[test]
fn a_tiff_that_has_a_tag_twice_is_refused() {
    let bytes = tiff_with(&smooth(8, 8, Channels::Gray), 0, (284, 277), 1);
    let error = decode(ImageFormat::Tiff, &bytes, ROOM).unwrap_err().to_string();
    assert!(error.contains("the tag 277 twice"), "{error}");
}

/// The rows of the table of formats in the documentation.
#[test]
fn the_documentation_has_the_table_of_formats() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/images.md")).unwrap();
    for format in IMAGE_FORMATS {
        let channels: Vec<_> = format.channels().iter().map(|channels| channels.name()).collect();
        let knob = |knob: Option<Knob>| {
            let shown =
                |knob: Knob| format!("{}–{} ({})", knob.range.start(), knob.range.end(), knob.default);
            knob.map(shown).unwrap_or_default()
        };
        let names = |samples: &[SampleType]| samples.iter().map(|s| s.name()).collect::<Vec<_>>().join(", ");
        let lossless = match format.exact() {
            [] => "no".to_owned(),
            exact if exact == format.samples() => "yes".to_owned(),
            exact => names(exact),
        };
        let cells = [
            format.name().to_owned(),
            channels.join(", "),
            names(format.samples()),
            lossless,
            knob(format.quality()),
            knob(format.effort()),
            format.side_max().to_string(),
        ];
        let row = format!(
            "|{}|",
            cells.map(|c| if c.is_empty() { " ".to_owned() } else { format!(" {c} ") }).join("|")
        );
        assert!(page.contains(&row), "docs/images.md lacks the row {row}");
    }
}

#[test]
fn what_is_no_fraction_of_full_intensity_is_found() {
    let singles = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let found = |values: &[f32]| beyond_fractions(&singles(values), SampleType::F32);
    assert_eq!(found(&[0.0, -0.0, 1.0, f32::NAN, f32::INFINITY, 0.5]), None);
    assert_eq!(found(&[0.5, 255.0, -1.0]), Some((1, 255.0)));
    assert_eq!(found(&[0.5, 1.0, -0.25]), Some((2, -0.25)));
    assert_eq!(beyond_fractions(&[0, 0x3c, 0, 0x40], SampleType::F16), Some((1, 2.0)));
}

#[test]
fn a_tiff_in_tiles_holds_what_one_in_strips_does() {
    for (width, height) in [(1, 1), (256, 256), (257, 255), (700, 3)] {
        for sample in [SampleType::U8, SampleType::U16, SampleType::F32] {
            let bytes = (width * height * 3) as usize * sample.width();
            let samples = (0..bytes).map(|at| (at * 31 % 63) as u8).collect();
            let (attributes, ignored, declared) = (Vec::new(), Vec::new(), None);
            let image = Image {
                width,
                height,
                channels: Channels::Rgb,
                sample,
                samples,
                attributes,
                ignored,
                declared,
            };
            for effort in [0, 6] {
                let strips = Settings { effort: Some(effort), ..Settings::new(ImageFormat::Tiff) };
                let tiles = Settings { layout: PixelLayout::Tiles, ..strips };
                let [strips, tiles] = [strips, tiles].map(|settings| encode(&image, &settings).unwrap());
                assert_ne!(strips, tiles);
                assert_eq!(decode(ImageFormat::Tiff, &tiles, u64::MAX).unwrap(), image);
            }
        }
    }
}
