//! Tests of Vorbis, over a stream that the reference encoder made.

use proptest::prelude::*;

use super::*;
use crate::sound::tests::{file, whole};

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
