//! Tests of decoding ahead.

use std::time::{Duration, Instant};

use super::*;
use crate::bytes::conformance::{encode, sample};
use crate::bytes::{CODECS, Settings};
use crate::conformance::file_of;

/// Content, what was counted, and the fault after it.
type Outcome = (Vec<u8>, Totals, Option<String>);

/// What comes of an object, of which so many bytes are asked for at a time.
fn asked(codec: Codec, object: &[u8], workers: usize, piece: usize) -> Outcome {
    let (mut ahead, mut content) =
        (Ahead::new(codec, &file_of(object).unwrap(), workers).unwrap(), Vec::new());
    let (mut block, mut position) = (vec![0; piece], 0);
    loop {
        let before = ahead.totals().bytes;
        let filled = ahead.fill(&mut block);
        content.extend_from_slice(&block[..(ahead.totals().bytes - before) as usize]);
        assert!(position <= ahead.position() && ahead.position() <= object.len() as u64, "positions go on");
        position = ahead.position();
        match filled {
            Ok(count) if count == piece => {}
            Ok(_) => {
                assert_eq!((position, ahead.fill(&mut block).unwrap()), (object.len() as u64, 0));
                return (content, ahead.totals(), None);
            }
            Err(error) => {
                assert!(ahead.fill(&mut block).is_err(), "a reader is of no use after its error");
                return (content, ahead.totals(), Some(error.to_string()));
            }
        }
    }
}

fn outcome(codec: Codec, object: &[u8], workers: usize) -> Outcome {
    asked(codec, object, workers, BLOCK_BYTES)
}

/// What one reader makes of a whole object.
fn alone(codec: Codec, object: &[u8]) -> Totals {
    let mut reader = BytesReader::new(codec, file_of(object).unwrap());
    let mut block = vec![0; BLOCK_BYTES];
    while reader.fill(&mut block).unwrap() == BLOCK_BYTES {}
    reader.totals()
}

fn has_members(codec: Codec) -> bool {
    thread_bytes(codec).is_some()
}

/// Bytes that cannot be packed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..len / 8).flat_map(|_| next().to_le_bytes()).collect()
}

/// An object of many members in several stretches, and its content.
fn object(codec: Codec) -> (Vec<u8>, Vec<u8>) {
    let content: Vec<u8> =
        (1..=24).flat_map(|part| [sample(part, 1 << 18), noise(part, 1 << 18)].concat()).collect();
    let cuts: Vec<usize> = (1..24).map(|part| part << 19).collect();
    let level = codec.levels().map_or(0, |levels| *levels.known.start());
    (encode(Settings { codec, level }, &content, &cuts).unwrap(), content)
}

#[test]
fn threads_give_the_content_and_the_totals_that_one_gives() {
    for codec in CODECS {
        let (object, content) = object(codec);
        let totals = alone(codec, &object);
        for workers in [1, 2, 5] {
            let file = file_of(&object).unwrap();
            let threads = Ahead::new(codec, &file, workers).unwrap().workers();
            assert_eq!(threads, if has_members(codec) { workers } else { 1 }, "{codec:?}");
            assert!(
                outcome(codec, &object, workers) == (content.clone(), totals, None),
                "{codec:?} {workers}"
            );
        }
    }
}

#[test]
fn content_does_not_hang_on_how_much_is_asked_for() {
    let (object, content) = object(Codec::Zstd);
    for piece in [977, (3 << 20) + 1, 32 << 20] {
        assert!(asked(Codec::Zstd, &object, 3, piece).0 == content, "{piece}");
    }
}

#[test]
fn faults_are_those_that_one_thread_meets() {
    for codec in CODECS.into_iter().filter(|codec| has_members(*codec)) {
        let (object, content) = object(codec);
        let middle = object.len() / 2;
        // The middle may be where a member ends.
        let (mut flipped, cut) = (object.clone(), object[..middle - 3].to_vec());
        flipped[middle] ^= 0x55;
        // Content of a member is handed over before its checksum is met.
        for (broken, true_so_far) in [(flipped, false), (cut, true), ([&object, &b"tail"[..]].concat(), true)]
        {
            let one = outcome(codec, &broken, 1);
            let starts = |found: &[u8]| !true_so_far || content.starts_with(found);
            assert!(one.2.is_some() && starts(&one.0), "{codec:?}");
            // Where a decoder notices a fault hangs on how many bytes it was given at once.
            let several = outcome(codec, &broken, 3);
            assert!(several.2.is_some() && starts(&several.0), "{codec:?}");
            let format = |fault: &Option<String>| fault.iter().all(|text| text.contains(codec.name()));
            assert!(format(&one.2) && format(&several.2), "{codec:?}: {:?} {:?}", one.2, several.2);
        }
    }
}

#[test]
fn zeros_between_members_of_gzip_are_refused_by_several_threads_too() {
    let (object, content) = object(Codec::Gzip);
    let padded = [&object[..], &[0; 512]].concat();
    assert!(outcome(Codec::Gzip, &padded, 3).0 == content, "at the end they are padding");
    let between = [&padded[..], &object].concat();
    let one = outcome(Codec::Gzip, &between, 1);
    assert!(one.2.as_ref().is_some_and(|fault| fault.contains("no gzip member begins here")), "{:?}", one.2);
    assert!(outcome(Codec::Gzip, &between, 3) == one);
}

#[test]
fn what_only_looks_like_a_member_is_no_seam() {
    // The stored content of one member holds whole others.
    let level = Settings { codec: Codec::Gzip, level: 0 };
    let inner = encode(level, &sample(3, 700_000), &[]).unwrap();
    let content = inner.repeat(8);
    let object = encode(level, &content, &[]).unwrap();
    assert_eq!(Ahead::new(Codec::Gzip, &file_of(&object).unwrap(), 3).unwrap().workers(), 3);
    let totals = Totals { members: 1, bytes: content.len() as u64 };
    assert!(outcome(Codec::Gzip, &object, 3) == (content, totals, None));
}

/// A frame that tells a window of 64 MiB, whatever it holds.
fn of_large_window(content: &[u8]) -> Vec<u8> {
    let mut frame = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    frame.window_log(26).unwrap();
    std::io::Write::write_all(&mut frame, content).unwrap();
    frame.finish().unwrap()
}

#[test]
fn members_of_large_windows_are_decoded_by_one_thread() {
    let (object, content) = object(Codec::Zstd);
    let mixed = [&object[..], &of_large_window(b"large"), &object].concat();
    let large = file_of(&of_large_window(b"large")).unwrap();
    let mut refused = BytesReader::new(Codec::Zstd, large).within(WINDOW_BYTES_MAX);
    assert!(matches!(refused.fill(&mut [0; 9]), Err(Error::Limit { .. })));
    let wanted = [&content[..], b"large", &content].concat();
    assert!(outcome(Codec::Zstd, &mixed, 3) == (wanted, alone(Codec::Zstd, &mixed), None));
    // At the end of the object too.
    let last = [&object[..], &of_large_window(b"large")].concat();
    assert!(outcome(Codec::Zstd, &last, 3).0 == [&content[..], b"large"].concat());
}

/// Frames of much content in few bytes around one that cannot be packed, and how much content that is.
fn dense() -> (Vec<u8>, usize) {
    let content = vec![b'0'; 3 * HELD_BYTES + 5];
    let packed = encode(Settings { codec: Codec::Zstd, level: 1 }, &content, &[]).unwrap();
    let noise = encode(Settings { codec: Codec::Zstd, level: 1 }, &noise(5, 4 << 20), &[]).unwrap();
    ([&packed[..], &noise, &packed].concat(), 2 * content.len() + (4 << 20))
}

#[test]
fn much_content_of_few_bytes_does_not_wait_in_memory() {
    let (object, bytes) = dense();
    let mut ahead = Ahead::new(Codec::Zstd, &file_of(&object).unwrap(), 2).unwrap();
    let (mut found, mut block) = (0, vec![0; BLOCK_BYTES]);
    while found < bytes {
        found += ahead.fill(&mut block).unwrap();
    }
    let Way::Line(line) = &ahead.way else { panic!("several threads decode it") };
    // All buffers that ever were: what two channels hold, and what two threads and the reader have in hand.
    let buffers = lock(&line.spare.0).len();
    assert!(buffers <= 2 * (HELD_BYTES / BLOCK_BYTES) + 4, "{buffers}");
}

#[test]
fn who_wants_no_more_waits_for_nothing_and_leaves_no_work() {
    let (dense, _) = dense();
    for (codec, object) in [(Codec::Zstd, dense), (Codec::Gzip, object(Codec::Gzip).0)] {
        for read in [0, 1, 5 << 20] {
            let file = file_of(&object).unwrap();
            let mut ahead = Ahead::new(codec, &file, 3).unwrap();
            assert_eq!(ahead.fill(&mut vec![0; read]).unwrap(), read);
            let began = Instant::now();
            drop(ahead);
            assert!(began.elapsed() < Duration::from_secs(2), "{codec:?} {:?}", began.elapsed());
            assert_eq!(Arc::strong_count(&file), 1, "{codec:?}: a thread reads on");
        }
    }
}
