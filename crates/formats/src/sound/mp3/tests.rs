//! Tests of MP3, over a file that LAME made, and over frames of silence.

use proptest::prelude::*;

use super::*;
use crate::sound::tests::{file, whole};

/// Half a second of a tone of 440 Hz, at 8,000 samples a second: a frame that tells of the others, and nine.
const TONE: &[u8] = include_bytes!("../../../../../testdata/sounds/tone.mp3");

/// Where its first frame tells of delay and padding, of all bytes, and has its checksum, which ends it: what
/// follows is nothing.
const DELAY_AT: usize = 154;
const SEAL_AT: usize = 161;
const OWN_AT: usize = 167;
const TOLD_BYTES: usize = 169;

/// The tone with other bytes in some places.
fn tone_with(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut tone = TONE.to_vec();
    changes.iter().for_each(|(at, bytes)| tone[*at..*at + bytes.len()].copy_from_slice(bytes));
    tone
}

/// The same with the right checksum of what the first frame tells.
fn sealed(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let tone = tone_with(changes);
    let sum = tone[..OWN_AT].iter().fold(0, info::from_low);
    tone_with(&[changes, &[(OWN_AT, &sum.to_be_bytes()[..])]].concat())
}

fn opened(bytes: &[u8]) -> Result<Arrays> {
    open(file(bytes), &std::env::temp_dir())
}

/// A frame of silence of one channel at 44,100 Hz and 128 kbit/s.
fn silence() -> Vec<u8> {
    let mut frame = vec![0xff, 0xfb, 0x90, 0xc4];
    frame.resize(417, 0);
    frame
}

/// A shorter one, of 32 kbit/s.
fn short() -> Vec<u8> {
    let mut frame = vec![0xff, 0xfb, 0x10, 0xc4];
    frame.resize(104, 0);
    frame
}

fn refusal(bytes: &[u8]) -> String {
    opened(bytes).map(|_| ()).unwrap_err().to_string()
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

#[test]
fn frames_that_nothing_tells_of_are_all_sound() {
    let found = opened(&silence().repeat(3)).unwrap();
    assert_eq!(found.signature().arrays[0].shape, [3 * 1_152, 1]);
    assert!(whole(&found).iter().all(|byte| *byte & 0x7f == 0));
    assert!(found.ignored().is_empty());
}

#[test]
fn what_lies_around_the_frames_is_read_or_named() {
    let tag = b"ID3\x03\0\0\0\0\0\x0eTIT2\0\0\0\x04\0\0\0abc";
    let mut old = vec![0; 128];
    old[..4].copy_from_slice(b"TAGx");
    let frames = silence().repeat(2);
    let found = opened(&[&tag[..], &[0; 5], &frames, &[0; 9], &old].concat()).unwrap();
    assert_eq!(found.signature().attributes[1], ("tag:TITLE".to_owned(), b"abc".to_vec()));
    assert_eq!(found.ignored().len(), 3, "{:?}", found.ignored());
    let found = opened(&[&frames[..], &old].concat()).unwrap();
    assert_eq!(found.signature().attributes[2], ("tag:TITLE".to_owned(), b"x".to_vec()));
    // A tag that counts fewer bytes than it has.
    let stray = opened(&[&tag[..], b"stray", &frames].concat()).unwrap();
    assert_eq!(stray.ignored(), ["5 bytes before the first frame"]);
    assert_eq!(stray.signature().arrays[0].shape, [2 * 1_152, 1]);
}

#[test]
fn frames_that_do_not_belong_together_are_refused_with_their_place() {
    let good = silence();
    let mut stereo = good.clone();
    stereo[3] = 0x04;
    assert!(refusal(&[&good[..], &stereo].concat()).contains("byte 417: frames change from 1 channels"));
    let mut slower = good.clone();
    slower[2] = 0x94;
    assert!(refusal(&[&good[..], &slower, &good].concat()).contains("byte 417: frames change"));
    // Layer II at the same rate, in a frame as long.
    let mut layer = good.clone();
    (layer[1], layer[2]) = (0xfd, 0x80);
    assert!(refusal(&[&good[..], &layer].concat()).contains("byte 417: frames change"));
    let mut free = good.clone();
    free[2] = 0x00;
    assert!(refusal(&free).contains("free format"));
    assert!(refusal(&[&good[..], b"junk", &good].concat()).contains("byte 417"));
    assert!(refusal(b"").contains("there is no frame"));
    let late = refusal(&[&[0x11; 4_097][..], &good.repeat(50)].concat());
    assert!(late.contains("byte 0: malformed mp3: no frame begins within 4096 bytes from here"), "{late}");
    // A frame that refers to more bytes before it than there are, behind one that does not.
    let mut cut = good.clone();
    cut[4] = 0xff;
    assert!(refusal(&[&good[..], &cut].concat()).contains("byte 417: malformed mp3: this frame needs bytes"));
    // A checksum that is none.
    let mut checked = good;
    checked[1] = 0xfa;
    assert!(refusal(&checked).contains("checksum of this frame"));
}

#[test]
fn what_a_cut_out_of_a_stream_leaves_is_passed_over_and_named() {
    let good = silence();
    let ignored = |bytes: &[u8], frames: u64| {
        let found = opened(bytes).unwrap();
        assert_eq!(found.signature().arrays[0].shape, [frames * 1_152, 1]);
        found.ignored().to_vec()
    };
    let all = good.repeat(2);
    assert_eq!(ignored(&[&[0x12; 317], &all[..]].concat(), 2), ["317 bytes before the first frame"]);
    let told = ["a last frame that is cut, 300 of 417 bytes, at byte 834"];
    assert_eq!(ignored(&[&all[..], &good[..300]].concat(), 2), told);
    assert_eq!(ignored(&[&all[..], b"junk"].concat(), 2), ["4 bytes after the last frame, at byte 834"]);
    let tag = b"ID3\x03\0\0\0\0\0\x0eTIT2\0\0\0\x04\0\0\0abc";
    let told = ["an ID3 tag of 24 bytes between frames, at byte 417"];
    assert_eq!(ignored(&[&good[..], tag, &good].concat(), 2), told);
    // Its first frame refers to bytes before it.
    let mut cut = good.clone();
    cut[4] = 0x80;
    let told = [
        "bytes of the first frames, whose rest is before the file: they are silent, as in mpg123, 1 of them",
    ];
    assert_eq!(ignored(&[&cut[..], &good].concat(), 2), told);
    // Where the first frame tells of all, nothing may be missing.
    for cut in [&TONE[..TONE.len() - 1], &[TONE, b"junk"].concat(), &[TONE, tag].concat()] {
        assert!(matches!(opened(cut), Err(Error::Malformed { .. })));
    }
}

#[test]
fn a_broken_head_takes_no_frames_along() {
    let all = short().repeat(50);
    let broken = |head: [u8; 4], frames: usize| {
        let mut frame = short();
        frame[..4].copy_from_slice(&head);
        refusal(&[&all[..], &frame, &short().repeat(frames)].concat())
    };
    // It tells of 1,728 bytes in Layer II, and of 1,044 in Layer III: more than are left.
    assert!(broken([0xff, 0xfd, 0xe8, 0x00], 15).contains("byte 5200: frames change"));
    for frames in [1, 5, 8] {
        let told = "byte 5200: malformed mp3: this frame tells of 1044 bytes, among which another";
        assert!(broken([0xff, 0xfb, 0xe0, 0xc4], frames).contains(told));
    }
    // It is none at all.
    assert!(broken([0x12; 4], 5).contains("byte 5200: malformed mp3: no frame begins here"));
}

#[test]
fn frames_with_gaps_between_them_are_no_strays() {
    let gap = |parts: &[&[u8]], at: u64| {
        let told = refusal(&parts.concat());
        assert!(
            told.contains(&format!("byte {at}: malformed mp3: no frame begins here, and no tag")),
            "{told}"
        );
    };
    let (frame, all, junk) = (short(), short().repeat(50), b"junk!");
    let before = [&frame[..], junk].concat().repeat(30);
    let behind = [junk, &frame[..]].concat();
    let mut old = vec![0; 128];
    old[..4].copy_from_slice(b"TAGx");
    let tag = b"ID3\x03\0\0\0\0\0\x0eTIT2\0\0\0\x04\0\0\0abc";
    gap(&[&all, &behind.repeat(37)], 5_200);
    gap(&[&all, &behind.repeat(37), &old], 5_200);
    gap(&[&all, &behind, &old], 5_200);
    gap(&[&all, junk, &frame[..50]], 5_200);
    gap(&[tag, &before, &all], 24 + 104);
    gap(&[junk, &before, &all], 5 + 104);
    gap(&[&before, &all], 104);
    // Zeros, which may stand behind the last one.
    gap(&[&all, &[0; 64], &all[..312]], 5_200);
    gap(&[&TONE[..288], &[0; 64], &TONE[288..]], 288);
    gap(&[TONE, &[0; 64], junk], 1_728);
    // One that is shorter than it says.
    gap(&[&frame[..100], &all], 104);
    // Layer II.
    let mut second = vec![0xff, 0xfd, 0xa4, 0xc4];
    second.resize(576, 0);
    gap(&[&second.repeat(50), &[junk, &second[..]].concat().repeat(7)], 50 * 576);
    gap(&[junk, &second, junk, &second.repeat(9)], 5 + 576);
    // Some of another kind, behind the last one and before the first two that belong together.
    let mut stereo = frame.clone();
    stereo[3] = 0x04;
    gap(&[&all, junk, &stereo.repeat(3)], 5_200);
    let told = refusal(&[&tag[..], &frame, &stereo.repeat(3)].concat());
    assert!(told.contains("byte 128: frames change from 1 channels"), "{told}");
}

#[test]
fn a_frame_that_tells_of_others_is_no_stray() {
    let first = Head::read(TONE).unwrap().bytes;
    let (told, rest) = TONE.split_at(first);
    let gap = refusal(&[b"junk!", told, b"junk!", rest].concat());
    assert!(gap.contains(&format!("byte {}: malformed mp3: no frame begins here", 5 + first)), "{gap}");
    let mut broken = TONE.to_vec();
    broken[0] = 0x12;
    let other = [b"junk!", told, &silence().repeat(2)].concat();
    for bytes in [&broken, &other] {
        let told = refusal(bytes);
        assert!(told.contains("byte 0: malformed mp3: a frame that tells of all others"), "{told}");
    }
}

#[test]
fn what_only_looks_like_a_head_is_a_stray() {
    // One of two channels, and two of free format.
    for head in [[0xff, 0xfb, 0x90, 0x64], [0x12, 0xff, 0xfb, 0x00], [0xff, 0xfb, 0x00, 0xc4]] {
        let strays = [&head[..], &[0x11; 313]].concat();
        let found = opened(&[&strays[..], &silence().repeat(3)].concat()).unwrap();
        assert_eq!(found.ignored(), ["317 bytes before the first frame"]);
        assert_eq!(found.signature().arrays[0].shape, [3 * 1_152, 1]);
    }
}

#[test]
fn what_is_named_of_tags_is_bounded() {
    let good = silence();
    let tag = b"ID3\x03\0\0\0\0\0\0".repeat(1_000);
    let found = opened(&[&good[..], &tag, &good].concat()).unwrap();
    assert_eq!(found.ignored().len(), 4);
    assert_eq!(found.ignored()[2], "an ID3 tag of 10 bytes between frames, at byte 437");
    assert_eq!(found.ignored()[3], "997 more ID3 tags between frames, of 9970 bytes in all");
    // Frames that are encrypted, of 11 bytes each.
    let closed = (100..140).map(|id| format!("X{id}\0\0\0\x01\0\x40y")).collect::<String>();
    let tag = [b"ID3\x03\0\0\0\0\x03\x38", closed.as_bytes()].concat();
    let found = opened(&[tag, good].concat()).unwrap();
    assert_eq!(found.ignored().len(), 17);
    assert_eq!(found.ignored()[0], "the frame X100 of an ID3 tag, which is packed or encrypted");
    assert_eq!(found.ignored()[16], "more frames of ID3 tags, which are left out");
}

#[test]
fn silence_of_the_elder_layers_is_as_long_as_it_was() {
    for (head, bytes, frames) in
        [([0xff, 0xfd, 0xa4, 0xc4], 576, 1_152), ([0xff, 0xff, 0x64, 0xc4], 192, 384)]
    {
        let mut frame = head.to_vec();
        frame.resize(bytes, 0);
        let found = opened(&frame.repeat(3)).unwrap();
        assert_eq!(found.signature().arrays[0].shape, [3 * frames, 1]);
        assert_eq!(found.signature().attributes[0], ("sound.rate".to_owned(), b"48000".to_vec()));
        assert!(whole(&found).iter().all(|byte| *byte & 0x7f == 0));
    }
}

#[test]
fn a_checksum_of_a_frame_is_checked() {
    let mut frame = silence();
    frame[1] = 0xfa;
    let side = 17;
    let sum = (0..=0xffffu16).find(|sum| {
        frame[4..6].copy_from_slice(&sum.to_be_bytes());
        Head::read(&frame).unwrap().holds(&frame)
    });
    assert!(sum.is_some_and(|sum| sum != 0));
    assert!(opened(&frame.repeat(2)).is_ok());
    frame[6 + side - 1] ^= 1;
    assert!(refusal(&frame).contains("checksum of this frame"));
}

/// A byte of the sound that differs in one bit, which no decoder can see.
const CHANGE: (usize, &[u8]) = (1_000, &[TONE[1_000] ^ 2]);

#[test]
fn a_first_frame_that_is_broken_vouches_for_nothing() {
    let broken = "byte 0: malformed mp3: the first frame tells of all others, and its own checksum is wrong";
    let changes: [(usize, &[u8]); 7] = [
        (13, b"Xinf"),
        (20, &[14]),
        (60, &[0]),
        (133, &[b'L' ^ 0x80]),
        (DELAY_AT, &[0x34]),
        (DELAY_AT, &[0xff; 3]),
        (OWN_AT, &[TONE[OWN_AT] ^ 1]),
    ];
    for change in changes {
        for changes in [&[change][..], &[change, CHANGE]] {
            let told = refusal(&tone_with(changes));
            assert!(told.contains(broken), "{changes:?}: {told}");
        }
    }
    // Where it does not tell of these bytes, their checksum still does; and the other way round.
    assert!(refusal(&tone_with(&[(SEAL_AT, &[1])])).contains(broken));
    assert!(refusal(&tone_with(&[(SEAL_AT + 4, &[1])])).contains(broken));
}

#[test]
fn samples_that_are_not_there_are_no_encoders() {
    let told = refusal(&sealed(&[(DELAY_AT, &[0xff; 3])]));
    assert!(told.contains("byte 0: malformed mp3: the first frame tells of more samples before"), "{told}");
    assert!(told.ends_with("than there are: 4624 and 3566 of 5184"), "{told}");
    let found = opened(&sealed(&[(DELAY_AT, &[0; 3])])).unwrap();
    assert_eq!(found.signature().arrays[0].shape, [5_184, 1]);
    assert!(found.ignored().is_empty());
}

#[test]
fn a_checksum_that_cannot_be_checked_is_named() {
    let named = |bytes: &[u8]| {
        let found = opened(bytes).unwrap();
        assert_eq!(found.signature().arrays[0].shape, [4_000, 1]);
        found.ignored().to_vec()
    };
    // A program cut or joined the frames, and wrote anew how many there are, and no more.
    let stale: &[(usize, &[u8])] = &[(SEAL_AT, &[0, 0, 9, 9, 9, 9])];
    assert!(named(&tone_with(stale))[0].starts_with("the checksums in the first frame, which are those of"));
    let told = ["the checksum of all frames, which is that of more or fewer bytes"];
    assert_eq!(named(&sealed(stale)), told);
    // An encoder that has no checksum for the first frame.
    let none: (usize, &[u8]) = (OWN_AT, &[0; 2]);
    assert!(named(&tone_with(&[none])).is_empty());
    assert!(named(&tone_with(&[none, (SEAL_AT, &[0; 6])])).is_empty());
    let told = ["the checksum of all frames, which is not theirs, in a first frame that has none itself"];
    assert_eq!(named(&tone_with(&[none, CHANGE])), told);
}

#[test]
fn a_last_frame_that_may_be_missing_is_told() {
    // No checksum says that all of nine frames are there.
    let unsealed: [(usize, &[u8]); 2] = [(OWN_AT, &[0; 2]), (SEAL_AT, &[0; 6])];
    let named = |changes: &[(usize, &[u8])]| {
        opened(&tone_with(&[&unsealed, changes].concat())).map(|found| found.ignored().to_vec())
    };
    let (frames, bytes) = (24, 27);
    assert!(named(&[]).unwrap().is_empty());
    assert!(named(&[(frames, &[10])]).unwrap().is_empty(), "as many bytes are there as are told of");
    let told = "the number of frames in the first one, 10, where there are 9: it counts itself, or the last one \
                is missing";
    assert_eq!(named(&[(frames, &[10]), (bytes, &[7])]).unwrap(), [told]);
    for count in [8, 11] {
        let told = named(&[(frames, &[count])]).unwrap_err().to_string();
        assert!(told.ends_with(&format!("tells of {count} frames, and there are 9")), "{told}");
    }
    let told = refusal(&sealed(&[(frames, &[10])]));
    assert!(told.ends_with("tells of 10 frames, and there are 9"), "{told}");
}

#[test]
fn tags_between_frames_that_one_tells_of_are_named() {
    let tag = b"ID3\x03\0\0\0\0\0\x0eTIT2\0\0\0\x04\0\0\0abc";
    let tagged = |tone: &[u8]| [&tone[..288], tag, &tone[288..]].concat();
    let found = opened(&tagged(TONE)).unwrap();
    assert_eq!(found.ignored(), ["an ID3 tag of 24 bytes between frames, at byte 288"]);
    assert_eq!(whole(&found), whole(&opened(TONE).unwrap()));
    // They take no part in what the first frame tells.
    let told = refusal(&tagged(&tone_with(&[CHANGE])));
    assert!(told.contains("byte 0: malformed mp3: the checksum of all frames is"), "{told}");
    assert!(refusal(&[&TONE[..288], tag, b"junk", &TONE[288..]].concat()).contains("byte 288"));
}

#[test]
fn the_checksum_of_libavformat_is_right() {
    let own = [&TONE[..OWN_AT], &[0; 2], &TONE[TOLD_BYTES..190]].concat();
    let own = own.iter().fold(0, info::from_low).to_be_bytes();
    assert_ne!(own, TONE[OWN_AT..TOLD_BYTES]);
    assert!(opened(&tone_with(&[(OWN_AT, &own)])).unwrap().ignored().is_empty());
    for own in [&own[..], &TONE[OWN_AT..TOLD_BYTES]] {
        let told = refusal(&tone_with(&[(OWN_AT, own), CHANGE]));
        assert!(told.contains("byte 0: malformed mp3: the checksum of all frames is"), "{told}");
        // Zeros behind the frames are none of them.
        let told = refusal(&[&tone_with(&[(OWN_AT, own), CHANGE])[..], &[0; 9]].concat());
        assert!(told.contains("byte 0: malformed mp3: the checksum of all frames is"), "{told}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_broken_in_the_frame_that_tells_or_behind_it_never_goes_unnoticed(
        at in any::<prop::sample::Index>(),
        bit in 0..8u32,
    ) {
        let first = Head::read(TONE).unwrap().bytes;
        let at = at.index(TONE.len());
        prop_assume!(!(TOLD_BYTES..first).contains(&at));
        let mut flipped = TONE.to_vec();
        flipped[at] ^= 1 << bit;
        for broken in [&flipped[..], &TONE[..at]] {
            let refused = matches!(opened(broken), Err(Error::Malformed { .. } | Error::Unsupported { .. }));
            prop_assert!(refused, "{at}");
        }
    }
}
