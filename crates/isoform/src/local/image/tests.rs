//! Tests of the proof: a target that is not what was decoded and measured is not found true.

use std::path::Path;

use coherence::budget::Bound;
use formats::image::{Channels, Settings};
use formats::media;

use super::*;
use crate::cli::{Output, When};

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
        force: false,
        strict: false,
        memory: 64 << 20,
        parameters: Map::new(),
    }
}

#[test]
fn a_target_that_changed_on_its_way_to_the_disk_is_no_proof() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.png");
    let samples = (0..48 * 32 * 3u32).map(|at| (at * at / 7 % 251) as u8).collect();
    let (width, height, channels, sample) = (48, 32, Channels::Rgb, SampleType::U8);
    let (attributes, ignored) = (Vec::new(), Vec::new());
    let image = Image { width, height, channels, sample, samples, attributes, ignored, declared: None };
    std::fs::write(&source, image::encode(&image, &Settings::new(ImageFormat::Png)).unwrap()).unwrap();
    let output = Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
    let progress = Progress::new(&output).unwrap();
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
