//! Tests of Vorbis, over a stream that the reference encoder made.

use ::ogg::{PacketReader, PacketWriteEndInfo, PacketWriter};
use proptest::prelude::*;

use super::*;
use crate::sound::tests::{file, whole};

/// A tone with clicks, at 32,000 samples a second, in long and short blocks.
const CLICKS: &[u8] = include_bytes!("../../../../../testdata/sounds/clicks.ogg");

/// Half a second of a tone of 440 Hz, at 8,000 samples a second.
const TONE: &[u8] = include_bytes!("../../../../../testdata/sounds/tone.ogg");

fn opened(bytes: &[u8]) -> Result<Arrays> {
    open(file(bytes), &std::env::temp_dir())
}

#[test]
fn a_tone_is_read_as_long_as_it_was() {
    let found = opened(TONE).unwrap();
    let array = &found.signature().arrays[0];
    assert_eq!((array.shape.as_slice(), array.sample), (&[4_000, 1][..], SampleType::F32));
    assert_eq!(found.signature().attributes[0], ("sound.rate".to_owned(), b"8000".to_vec()));
    let held = whole(&found);
    let mut worst = 0f64;
    for (at, raw) in held.chunks_exact(4).enumerate() {
        let value = f32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]);
        let expected = 0.5 * (std::f64::consts::TAU * 440.0 * at as f64 / 8_000.0).sin();
        worst = worst.max((f64::from(value) - expected).abs());
    }
    assert!(worst < 0.1, "{worst}");
}

/// The packets of a stream, by a reader that is not ours.
fn packets(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = PacketReader::new(std::io::Cursor::new(bytes));
    std::iter::from_fn(|| reader.read_packet().unwrap()).map(|packet| packet.data).collect()
}

/// A stream of these packets that counts so many frames, of which all are on one page.
fn stream(packets: &[Vec<u8>], frames: u64) -> Vec<u8> {
    let mut writer = PacketWriter::new(Vec::new());
    for (at, packet) in packets.iter().enumerate() {
        let end = match at {
            0 | 2 => PacketWriteEndInfo::EndPage,
            _ if at + 1 == packets.len() => PacketWriteEndInfo::EndStream,
            _ => PacketWriteEndInfo::NormalPacket,
        };
        writer.write_packet(packet.clone(), 7, end, if at < 3 { 0 } else { frames }).unwrap();
    }
    writer.into_inner()
}

#[test]
fn a_stream_may_begin_and_end_with_any_block() {
    let all = packets(CLICKS);
    let whole_sound = whole(&opened(CLICKS).unwrap());
    let decoder = Decoder::new(read_head(&all[0]).unwrap(), &all[2], 0).unwrap();
    let blocks: Vec<u64> = all[3..].iter().map(|packet| decoder.block_of(packet, 0).unwrap()).collect();
    assert!(
        blocks.windows(2).any(|pair| pair[0] > pair[1]) && blocks.windows(2).any(|pair| pair[0] < pair[1])
    );
    for first in 0..blocks.len() - 1 {
        for last in [first + 1, first + 2, blocks.len() - 1] {
            let last = last.min(blocks.len() - 1);
            let frames = |blocks: &[u64]| blocks.windows(2).map(|pair| (pair[0] + pair[1]) / 4).sum::<u64>();
            let (before, there) = (frames(&blocks[..=first]), frames(&blocks[first..=last]));
            let held = [&all[..3], &all[first + 3..=last + 3]].concat();
            // One frame less is a sound that ends within its last packet, one more is none.
            let found = opened(&stream(&held, there - 1)).unwrap();
            assert_eq!(found.signature().arrays[0].shape, [there - 1, 1], "{first} {last}");
            let piece = whole(&found);
            let expected = &whole_sound[before as usize * 4..];
            let both = piece.len().min(expected.len());
            assert_eq!(piece[..both], expected[..both], "{first} {last}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_and_a_cut_never_go_unnoticed(at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let at = at.index(TONE.len());
        let mut flipped = TONE.to_vec();
        flipped[at] ^= 1 << bit;
        for broken in [&flipped[..], &TONE[..at]] {
            let refused = matches!(opened(broken), Err(Error::Malformed { .. } | Error::Unsupported { .. }));
            prop_assert!(refused, "{at}");
        }
    }
}
