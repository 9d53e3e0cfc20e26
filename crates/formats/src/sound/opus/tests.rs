//! Tests of Opus: heads, streams that an encoder makes, and what is wrong with others.

use ::ogg::{PacketWriteEndInfo, PacketWriter};
use coherence::sample::SampleType;
use proptest::prelude::*;
use ropus::{Application, Channels, DecodeMode, Decoder, Encoder, OpusMSEncoder};

use super::*;
use crate::signal::Arrays;
use crate::sound::tests::{file, whole};

fn head(channels: u8, family: u8, table: &[u8]) -> Vec<u8> {
    let fixed = [&HEAD[..], &[1, channels, 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0xff, family]].concat();
    [&fixed, table].concat()
}

#[test]
fn heads_tell_channels_in_the_usual_order() {
    let found = Head::read(&head(2, 0, &[])).unwrap();
    assert_eq!((found.skipped, found.gain, found.meaning.as_str()), (312, -256, "FL FR"));
    assert_eq!((found.streams, found.coupled, found.mapping), (1, 1, vec![0, 1]));
    let found = Head::read(&head(6, 1, &[4, 2, 0, 4, 1, 2, 3, 5])).unwrap();
    assert_eq!((found.meaning.as_str(), found.mapping), ("FL FR FC LFE BL BR", vec![0, 1, 4, 5, 2, 3]));
    let found = Head::read(&head(2, 255, &[2, 0, 0, 255])).unwrap();
    assert_eq!((found.meaning.as_str(), found.mapping), ("1 2", vec![0, 255]));
}

#[test]
fn heads_that_no_stream_has_are_errors() {
    for (channels, family, table) in [
        (0, 0, &[][..]),
        (3, 0, &[]),
        (2, 1, &[1, 1, 0]),
        (2, 1, &[0, 0, 0, 0]),
        (2, 1, &[1, 2, 0, 0]),
        (2, 1, &[1, 0, 0, 1]),
        (9, 1, &[9, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (2, 255, &[200, 100, 0, 1]),
    ] {
        let refused = Head::read(&head(channels, family, table));
        assert!(matches!(refused, Err(Error::Malformed { .. })), "{channels} {family} {table:?}");
    }
    let ambisonics = Head::read(&head(4, 2, &[4, 0, 0, 1, 2, 3]));
    assert!(matches!(ambisonics, Err(Error::Unsupported { .. })));
}

/// Frames of a packet, and those that are to be skipped.
const PACKET: usize = 960;
const SKIPPED: u16 = 312;

/// A tone on each channel, another one on each.
fn tones(frames: usize, channels: usize) -> Vec<i16> {
    let value = |at: usize| {
        let (frame, channel) = (at / channels, at % channels);
        ((frame as f64 * 0.03 * (channel + 1) as f64).sin() * 9_000.0) as i16
    };
    (0..frames * channels).map(value).collect()
}

/// Packets of two channels, and what a decoder makes of them.
fn encoded(count: usize) -> (Vec<Vec<u8>>, Vec<i16>) {
    let mut encoder = Encoder::builder(RATE, Channels::Stereo, Application::Audio).build().unwrap();
    let mut decoder = Decoder::new(RATE, Channels::Stereo).unwrap();
    let (mut packets, mut samples) = (Vec::new(), Vec::new());
    for part in tones(count * PACKET, 2).chunks(PACKET * 2) {
        let (mut packet, mut decoded) = (vec![0; 4_000], vec![0; PACKET * 2]);
        let len = encoder.encode(part, &mut packet).unwrap();
        packet.truncate(len);
        decoder.decode(&packet, &mut decoded, DecodeMode::Normal).unwrap();
        samples.extend(decoded);
        packets.push(packet);
    }
    (packets, samples)
}

/// A stream, by a writer that is not ours: each packet on its page, with its position; the last one ends it.
fn stream(head: Vec<u8>, packets: &[(Vec<u8>, u64)]) -> Vec<u8> {
    let mut writer = PacketWriter::new(Vec::new());
    let tags = b"OpusTags\x01\0\0\0x\x01\0\0\0\x07\0\0\0title=a".to_vec();
    writer.write_packet(head, 7, PacketWriteEndInfo::EndPage, 0).unwrap();
    writer.write_packet(tags, 7, PacketWriteEndInfo::EndPage, 0).unwrap();
    for (at, (packet, position)) in (1..).zip(packets) {
        let last = at == packets.len();
        let end = if last { PacketWriteEndInfo::EndStream } else { PacketWriteEndInfo::EndPage };
        writer.write_packet(packet.clone(), 7, end, *position).unwrap();
    }
    writer.into_inner()
}

fn opened(bytes: &[u8]) -> Result<Arrays> {
    open(file(bytes), &std::env::temp_dir())
}

/// A stream of so many packets, of which the last has this many frames too many.
fn good(count: usize, cut: u64) -> (Vec<u8>, Vec<i16>) {
    let (packets, samples) = encoded(count);
    let position = |at: usize| at as u64 * PACKET as u64 - if at == count { cut } else { 0 };
    let packets: Vec<_> = (1..).map(position).zip(packets).map(|(at, packet)| (packet, at)).collect();
    let stream = stream(head(2, 0, &[]), &packets);
    let end = samples.len() - 2 * cut as usize;
    (stream, samples[2 * usize::from(SKIPPED)..end].to_vec())
}

#[test]
fn what_comes_out_is_what_the_decoder_gives_without_its_ends() {
    let (bytes, samples) = good(5, 100);
    let found = opened(&bytes).unwrap();
    let array = &found.signature().arrays[0];
    assert_eq!(array.shape, [5 * PACKET as u64 - u64::from(SKIPPED) - 100, 2]);
    assert_eq!(
        (array.sample, array.peak, array.meaning.as_str()),
        (SampleType::I16, Some(32_768.0), "FL FR")
    );
    // The gain of the head is one decibel down.
    let louder = 10f64.powf(1.0 / 20.0);
    let held = whole(&found);
    let values = held.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    for (value, expected) in values.zip(&samples) {
        let apart = (f64::from(value) * louder - f64::from(*expected)).abs();
        assert!(apart < 2.0 + f64::from(*expected).abs() / 500.0, "{value} {expected}");
    }
    assert_eq!(held.len(), samples.len() * 2);
    let attributes = &found.signature().attributes;
    let expected = [("sound.rate".to_owned(), b"48000".to_vec()), ("tag:TITLE".to_owned(), b"a".to_vec())];
    assert_eq!(*attributes, expected);
}

#[test]
fn six_channels_come_in_the_usual_order() {
    let mapping = [0, 4, 1, 2, 3, 5];
    let mut encoder =
        OpusMSEncoder::new(RATE as i32, 6, 4, 2, &mapping, ropus::OPUS_APPLICATION_AUDIO).unwrap();
    let mut packets = Vec::new();
    for at in 1..=10u64 {
        // Only the second channel of Vorbis sounds: the one in the middle.
        let mut samples = vec![0; PACKET * 6];
        for (frame, tone) in tones(PACKET, 1).into_iter().enumerate() {
            samples[frame * 6 + 1] = tone;
        }
        let mut packet = vec![0; 8_000];
        let len = encoder.encode(&samples, PACKET as i32, &mut packet, 8_000).unwrap();
        packet.truncate(len as usize);
        packets.push((packet, at * PACKET as u64));
    }
    let table = [&[4, 2][..], &mapping].concat();
    let found = opened(&stream(head(6, 1, &table), &packets)).unwrap();
    assert_eq!(found.signature().arrays[0].meaning, "FL FR FC LFE BL BR");
    let mut loud = [0u64; 6];
    for (at, pair) in whole(&found).chunks_exact(2).enumerate() {
        loud[at % 6] += u64::from(i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs());
    }
    let middle = loud[2];
    assert!(middle > 1_000_000 && loud.iter().all(|sum| *sum == middle || *sum < middle / 20), "{loud:?}");
}

#[test]
fn streams_that_do_not_count_what_they_hold_are_errors() {
    let (packets, _) = encoded(3);
    let made = |positions: [u64; 3]| {
        let packets: Vec<_> = packets.iter().cloned().zip(positions).collect();
        opened(&stream(head(2, 0, &[]), &packets))
    };
    assert_eq!(made([960, 1920, 2880]).unwrap().signature().arrays[0].shape, [2880 - 312, 2]);
    assert_eq!(made([5960, 6920, 7880]).unwrap().signature().arrays[0].shape, [2880 - 312, 2]);
    for wrong in [[960, 2880, 3840], [900, 1860, 2820], [960, 1920, 1900], [960, 1920, 2881]] {
        let error = made(wrong).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("byte ") && error.contains("malformed opus"), "{error}");
    }
    let short = stream(head(2, 0, &[]), &[(packets[0].clone(), 300)]);
    assert!(opened(&short).unwrap_err().to_string().contains("312 of the 300 frames"));
    let empty = stream(head(2, 0, &[]), &[(Vec::new(), 0)]);
    assert!(opened(&empty).unwrap_err().to_string().contains("no bytes"));
    let broken = stream(head(2, 0, &[]), &[(vec![0xff, 0xff, 0xff], 960)]);
    assert!(opened(&broken).unwrap_err().to_string().contains("broken"));
}

#[test]
fn chains_and_streams_beside_others_are_refused_by_name() {
    let (one, _) = good(2, 0);
    let chained = opened(&[&one[..], &one].concat()).unwrap_err();
    assert!(matches!(&chained, Error::Unsupported { place, .. } if place.byte == Some(one.len() as u64)));
    assert!(chained.to_string().contains("a chain"), "{chained}");
    let more = opened(&[&one[..], b"more"].concat()).unwrap_err();
    assert!(more.to_string().contains("bytes follow the end"), "{more}");
    let mut other = PacketWriter::new(Vec::new());
    other.write_packet(b"\x80theora".to_vec(), 8, PacketWriteEndInfo::EndPage, 0).unwrap();
    let first_page = 28 + 19;
    let beside = [&one[..first_page], &other.into_inner(), &one[first_page..]].concat();
    assert!(opened(&beside).unwrap_err().to_string().contains("Theora"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_and_a_cut_never_go_unnoticed(at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let (bytes, _) = good(4, 10);
        let at = at.index(bytes.len());
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        for broken in [&flipped[..], &bytes[..at]] {
            let refused = matches!(opened(broken), Err(Error::Malformed { .. } | Error::Unsupported { .. }));
            prop_assert!(refused, "{at}");
        }
    }
}
