//! Tests of the proof: a target that is not what was decoded and measured is not found true.

use std::path::Path;

use coherence::budget::Bound;
use formats::image::{Channels, Settings};
use formats::media;

use super::*;
use crate::cli::{Output, When};
use crate::failure::DIFFERS;

/// A conversion of `source` to JPEG at a quality that was asked for.
fn job(source: &Path) -> ImageJob {
    let media = |format| media::identify(Codec::Image(format), None, None);
    ImageJob {
        source: source.to_owned(),
        media: (media(ImageFormat::Png), media(ImageFormat::Jpeg)),
        via: Vec::new(),
        chain: Vec::new(),
        target: source.with_extension("jpg"),
        to: ImageFormat::Jpeg,
        budget: Box::new(|_| Ok(Some(Budget::within(Bound::Rate(0.9))))),
        exact_asked: false,
        gates: Vec::new(),
        settings: Some(Settings::lossy(ImageFormat::Jpeg, 85.0)),
        effort: None,
        drop_attributes: false,
        replace: false.into(),
        strict: false,
        memory: 64 << 20,
        parameters: Map::new(),
        lie: None,
    }
}

/// A photograph of these many rows, in a file.
fn photograph(dir: &Path, height: u32) -> (std::path::PathBuf, Image) {
    let source = dir.join("source.png");
    let samples = (0..48 * height * 3).map(|at| (at * at / 7 % 251) as u8).collect();
    let (width, channels, sample) = (48, Channels::Rgb, SampleType::U8);
    let (attributes, ignored) = (Vec::new(), Vec::new());
    let image = Image { width, height, channels, sample, samples, attributes, ignored, declared: None };
    std::fs::write(&source, image::encode(&image, &Settings::new(ImageFormat::Png)).unwrap()).unwrap();
    (source, image)
}

fn progress() -> Progress {
    let output = Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
    Progress::new(&output).unwrap()
}

/// What a conversion says of an encoder that lies. It leaves nothing but the source.
fn refused(job: ImageJob, lie: fn(&Image, &Settings) -> Vec<u8>) {
    let dir = job.source.parent().unwrap().to_owned();
    let (to, job) = (job.to, ImageJob { lie: Some(lie), ..job });
    let failure = convert(&job, &progress()).err().unwrap();
    assert_eq!(failure.code(), DIFFERS, "{to:?}: {failure}");
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 1, "{to:?}: {failure}");
}

fn encoded(image: &Image, settings: &Settings) -> Vec<u8> {
    image::encode(image, settings).unwrap()
}

#[test]
fn an_encoder_without_loss_that_loses_something_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (source, image) = photograph(dir.path(), 32);
    let exact = |to: &ImageFormat| to.is_written() && to.exact().contains(&SampleType::U8);
    let formats: Vec<ImageFormat> = formats::image::IMAGE_FORMATS.into_iter().filter(exact).collect();
    assert!(formats.len() >= 5);
    let lies: [fn(&Image, &Settings) -> Vec<u8>; 4] = [
        // A sample flips; a row is missing; rows and columns change places; a channel is doubled.
        |image, settings| {
            let mut image = image.clone();
            image.samples[100] ^= 1;
            encoded(&image, settings)
        },
        |image, settings| {
            let mut image = image.clone();
            image.height -= 1;
            image.samples.truncate(image.samples.len() - 48 * image.channels.count());
            encoded(&image, settings)
        },
        |image, settings| {
            let mut image = image.clone();
            std::mem::swap(&mut image.width, &mut image.height);
            encoded(&image, settings)
        },
        |_, _| b"no image at all".to_vec(),
    ];
    for to in formats {
        if image::fit(&image, to).is_err() {
            continue;
        }
        for lie in lies {
            let media = media::identify(Codec::Image(to), None, None);
            let honest = job(&source);
            let media = (honest.media.0, media);
            let target = dir.path().join("target");
            let job =
                ImageJob { to, media, target, settings: None, budget: Box::new(|_| Ok(None)), ..honest };
            refused(job, lie);
        }
    }
}

/// The quality that it is told is not the one that it uses, whether that was asked for or is searched for.
#[test]
fn an_encoder_whose_quality_is_another_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (source, _) = photograph(dir.path(), 32);
    let coarse = |image: &Image, settings: &Settings| {
        encoded(image, &Settings { quality: Some(1.0), lossless: false, ..*settings })
    };
    for to in [ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Avif] {
        for settings in [Some(Settings::lossy(to, 95.0)), None] {
            let budget: Box<BudgetOf> = Box::new(|_| Ok(Some(Budget::within(Bound::Rate(0.02)))));
            let honest = job(&source);
            let media = (honest.media.0, media::identify(Codec::Image(to), None, None));
            refused(ImageJob { to, media, settings, budget, ..honest }, coarse);
        }
    }
}

#[test]
fn a_target_that_changed_on_its_way_to_the_disk_is_no_proof() {
    let dir = tempfile::tempdir().unwrap();
    let source = photograph(dir.path(), 32).0;
    let progress = progress();
    let job = job(&source);
    let opened = open(&job, &progress).unwrap();
    let found = search::encoding(&job, &opened, &progress).unwrap();
    let proof = |bytes: &[u8]| {
        std::fs::write(&job.target, bytes).unwrap();
        read_back(&opened, &found, Digest::blake3(b"source"), &job.target, &progress)
    };
    assert!(proof(&found.bytes).is_ok());
    let mut changed = found.bytes.clone();
    let at = changed.len() / 2;
    changed[at] ^= 1;
    for other in [changed.as_slice(), &found.bytes[..at], &[found.bytes.as_slice(), b"\0"].concat()] {
        assert!(matches!(proof(other), Err(Failure::Mismatch(_))));
    }
}
