//! Tests of sounds over all their formats: what is written comes back, at any place, and broken bytes are
//! errors.

use std::path::Path;
use std::sync::Arc;

use coherence::sample::SampleType;
use proptest::prelude::*;

use super::pcm::{put, sample_of};
use super::{Shape, layout, tags};
use crate::error::{Error, Result};
use crate::file::ObjectFile;
use crate::signal::{
    Arrays, Encoding, Extent, Held, PART_SAMPLES, Part, SignalFormat, Written, open, parts, samples_of_part,
    writer,
};

/// A file of these bytes.
pub(super) fn file(bytes: &[u8]) -> Arc<ObjectFile> {
    use std::io::Write;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Arc::new(ObjectFile::from_file(file, Path::new("x")).unwrap())
}

/// A sound of whole samples in memory.
fn sound(bits: u8, channels: u64, values: &[i32], tags: &[(&str, &str)]) -> Arrays {
    let sample = sample_of(bits);
    let mut bytes = Vec::new();
    values.iter().for_each(|value| put(*value, sample, &mut bytes));
    let frames = values.len() as u64 / channels;
    let meaning = layout::meaning(channels, None);
    let shape = Shape { frames, channels, meaning, sample, bits: Some(bits) };
    let mut found = tags::Found::default();
    found.add(tags::RATE.into(), b"11025".to_vec()).unwrap();
    tags.iter().for_each(|(name, value)| found.tag(name, value).unwrap());
    let file = file(&bytes);
    let (encoding, held) = (Encoding::Plain(sample), Held::Plain);
    let extent = Extent { file, offset: 0, encoding, big_endian: false, column_major: false, held };
    Arrays::of_sound("sound", shape.array(), extent, found.finish(), Vec::new()).unwrap()
}

fn read(arrays: &Arrays, samples: std::ops::Range<u64>) -> Result<Vec<u8>> {
    let (mut held, mut out) = (Vec::new(), Vec::new());
    arrays.read(&Part { array: 0, samples }, &mut held, &mut out)?;
    Ok(out)
}

/// All samples.
pub(super) fn whole(arrays: &Arrays) -> Vec<u8> {
    read(arrays, 0..arrays.signature().samples().unwrap()).unwrap()
}

/// The whole file of a format that holds this sound.
fn written(source: &Arrays, format: SignalFormat) -> Result<Vec<u8>> {
    let sample = source.signature().arrays[0].sample;
    let mut writer = writer(format, source.signature(), &[sample.into()])?;
    let packing = writer.packing();
    let mut bytes = writer.begin(0)?;
    for part in parts(source.signature(), PART_SAMPLES) {
        let held = read(source, part.samples.clone())?;
        let written = match &packing {
            Some(packing) => packing.pack(&part, &held)?,
            None => Written { bytes: held.clone(), lengths: Vec::new() },
        };
        writer.data(&held, &written)?;
        bytes.extend(written.bytes);
    }
    bytes.extend(writer.finish()?);
    if let Some(patch) = writer.patch() {
        bytes[..patch.len()].copy_from_slice(&patch);
    }
    Ok(bytes)
}

fn opened(bytes: &[u8], format: SignalFormat) -> Result<Arrays> {
    open(file(bytes), format, &std::env::temp_dir())
}

/// Values that predictors know well, hardly, and not at all, with runs of silence and of the greatest
/// values.
fn values(bits: u8, count: usize) -> impl Strategy<Value = Vec<i32>> {
    let (least, most) = (i32::MIN >> (32 - bits), i32::MAX >> (32 - bits));
    let piece = (0..6u8, any::<u32>(), 1..3000usize).prop_map(move |(kind, seed, len)| {
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as i32 >> (32 - bits)
        };
        let period = f64::from(seed % 200 + 3);
        let piece: Vec<i32> = (0..len)
            .map(|at| match kind {
                0 => 0,
                1 => next(),
                2 => {
                    if at % 2 == 0 {
                        least
                    } else {
                        most
                    }
                }
                3 => next() >> (bits / 2),
                4 => (f64::from(most) * 0.9 * (at as f64 / period).sin()) as i32,
                // The lower bits are zero in all samples.
                _ => next() & !7,
            })
            .collect();
        piece
    });
    prop::collection::vec(piece, 0..4).prop_map(move |pieces| {
        let mut values = pieces.concat();
        values.truncate(count);
        values
    })
}

fn sounds() -> impl Strategy<Value = (u8, u64, Vec<i32>)> {
    let bits = prop::sample::select(vec![8u8, 12, 16, 20, 24, 32]);
    (bits, 1..=8u64).prop_flat_map(|(bits, channels)| {
        values(bits, 40_000).prop_map(move |mut values| {
            values.truncate(values.len() / channels as usize * channels as usize);
            (bits, channels, values)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sounds_come_back_from_every_format(
        (bits, channels, values) in sounds(),
        cut in any::<prop::sample::Index>(),
    ) {
        let source = sound(bits, channels, &values, &[("TITLE", "a b"), ("ARTIST", "ü")]);
        let whole = read(&source, 0..values.len() as u64).unwrap();
        for format in [SignalFormat::Wav, SignalFormat::Flac] {
            let bytes = written(&source, format).unwrap();
            let again = opened(&bytes, format).unwrap();
            prop_assert_eq!(again.signature(), source.signature());
            prop_assert!(again.ignored().is_empty());
            prop_assert_eq!(&read(&again, 0..values.len() as u64).unwrap(), &whole);
            if !values.is_empty() {
                let cut = cut.index(values.len()) as u64;
                let pieces = [read(&again, 0..cut).unwrap(), read(&again, cut..values.len() as u64).unwrap()];
                prop_assert_eq!(&pieces.concat(), &whole);
            }
        }
    }

    #[test]
    fn a_flipped_bit_of_a_flac_never_goes_unnoticed(
        (bits, channels, values) in sounds(),
        at in any::<prop::sample::Index>(),
        bit in 0..8u32,
    ) {
        let source = sound(bits, channels, &values, &[]);
        let mut bytes = written(&source, SignalFormat::Flac).unwrap();
        // The header is told of by nobody; frames begin after the last block of metadata.
        let begin = bytes.len() - frames_len(&bytes);
        if begin < bytes.len() {
            let at = begin + at.index(bytes.len() - begin);
            bytes[at] ^= 1 << bit;
            let again = opened(&bytes, SignalFormat::Flac);
            let found = again.and_then(|again| read(&again, 0..values.len() as u64));
            let refused = matches!(found, Err(Error::Malformed { .. } | Error::Unsupported { .. }));
            prop_assert!(refused);
        }
    }

    #[test]
    fn bytes_that_are_no_sound_are_errors(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        wav in any::<bool>(),
    ) {
        let (format, head): (_, &[u8]) = match wav {
            true => (SignalFormat::Wav, b"RIFF\0\0\0\0WAVE"),
            false => (SignalFormat::Flac, b"fLaC\0\0\0\x22"),
        };
        if let Ok(found) = opened(&[head, &bytes].concat(), format) {
            let samples = found.signature().samples().unwrap();
            let _ = read(&found, 0..samples.min(1 << 20));
        }
    }
}

/// Bytes of the frames of a FLAC.
fn frames_len(bytes: &[u8]) -> usize {
    let mut at = 4;
    loop {
        let len = u32::from_be_bytes([0, bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize;
        let last = bytes[at] >= 0x80;
        at += 4 + len;
        if last {
            return bytes.len() - at;
        }
    }
}

#[test]
fn parts_begin_with_frames_and_with_runs() {
    for channels in 1..=8u64 {
        let source = sound(16, channels, &vec![0; channels as usize], &[]);
        let part = samples_of_part(&source.signature().arrays[0], PART_SAMPLES);
        assert!(part.is_multiple_of(coherence::content::RUN_SAMPLES) && part.is_multiple_of(4096 * channels));
        assert!(part <= 8 * coherence::content::RUN_SAMPLES, "{channels}: {part}");
    }
}

#[test]
fn floating_point_is_kept_by_wav_and_refused_by_flac() {
    let shape = Shape { frames: 3, channels: 1, meaning: "FC".into(), sample: SampleType::F32, bits: None };
    let samples: Vec<u8> = [0.5f32, -2.0, f32::NAN].into_iter().flat_map(f32::to_le_bytes).collect();
    let (encoding, held) = (Encoding::Plain(SampleType::F32), Held::Plain);
    let extent =
        Extent { file: file(&samples), offset: 0, encoding, big_endian: false, column_major: false, held };
    let attributes = vec![(tags::RATE.to_owned(), b"48000".to_vec())];
    let source = Arrays::of_sound("sound", shape.array(), extent, attributes, Vec::new()).unwrap();
    let again = opened(&written(&source, SignalFormat::Wav).unwrap(), SignalFormat::Wav).unwrap();
    assert_eq!(again.signature(), source.signature());
    assert_eq!(read(&again, 0..3).unwrap(), samples);
    assert!(matches!(written(&source, SignalFormat::Flac), Err(Error::Unsupported { .. })));
}

#[test]
fn chunks_of_a_wav_follow_its_samples() {
    // An odd number of bytes, so that a byte fills up their chunk.
    let mut signature = sound(8, 1, &[1, 2, 3], &[("TITLE", "a")]).signature().clone();
    signature.attributes.push(("riff:be\u{1}t".to_owned(), b"abc".to_vec()));
    signature.attributes.sort();
    let mut writer = writer(SignalFormat::Wav, &signature, &[SampleType::I8.into()]).unwrap();
    let header = writer.begin(0).unwrap();
    let bytes = [header.as_slice(), &[129, 130, 131], &writer.finish().unwrap()].concat();
    assert!(header.ends_with(b"data\x03\0\0\0") && bytes.ends_with(b"\x83\0be\x01t\x03\0\0\0abc\0"));
    assert_eq!(bytes[4..8], (bytes.len() as u32 - 8).to_le_bytes());
    let again = opened(&bytes, SignalFormat::Wav).unwrap();
    assert_eq!((again.signature(), whole(&again)), (&signature, vec![1, 2, 3]));
    // Zeros behind the samples are room and no chunk.
    let padded = [bytes.as_slice(), &[0; 16]].concat();
    let size = (padded.len() as u32 - 8).to_le_bytes();
    let padded = [&padded[..4], &size, &padded[8..]].concat();
    let again = opened(&padded, SignalFormat::Wav).unwrap();
    assert_eq!((again.signature(), again.ignored().len()), (&signature, 0));
}

#[test]
fn sounds_beyond_four_gibibytes_are_told_in_64_bits() {
    // The header alone: its sizes are those of a sound that nobody has to write for this.
    let mut array = sound(16, 2, &[], &[]).signature().clone();
    array.arrays[0].shape = vec![3 << 30, 2];
    let mut writer = writer(SignalFormat::Wav, &array, &[SampleType::I16.into()]).unwrap();
    let header = writer.begin(0).unwrap();
    assert_eq!((&header[..4], &header[8..16]), (&b"RF64"[..], &b"WAVEds64"[..]));
    let data = u64::from_le_bytes(header[28..36].try_into().unwrap());
    assert_eq!(data, 12 << 30);
    let riff = u64::from_le_bytes(header[20..28].try_into().unwrap());
    assert_eq!(riff, header.len() as u64 - 8 + data);
    // Read back from a file with a hole.
    let mut spool = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut spool, &header).unwrap();
    spool.set_len(header.len() as u64 + data).unwrap();
    let again = open(
        Arc::new(ObjectFile::from_file(spool, Path::new("x")).unwrap()),
        SignalFormat::Wav,
        &std::env::temp_dir(),
    );
    assert_eq!(*again.unwrap().signature(), array);
}
