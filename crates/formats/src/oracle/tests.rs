//! Tests of the oracles: they hold on files that are right, and see what is wrong.

use super::*;
use crate::conformance::{sample, write};
use crate::registry::{FORMATS, Format};
use crate::typings::Typings;
use crate::write::{WriteOptions, encoder};

/// An oracle over bytes.
type Oracle = fn(&[u8]) -> Held;

#[test]
fn the_laws_hold_of_what_is_written_in_every_format() {
    for format in FORMATS {
        let options = WriteOptions::plain(format);
        let batch = sample(5, 40);
        let encoder = encoder(&batch.schema(), &Typings::Native, &options).unwrap();
        let bytes = write(encoder.get(), &batch, &[0..10, 10..40]).unwrap();
        table_of(format, &bytes).unwrap_or_else(|broken| panic!("{format:?}: {broken}"));
        table_of(format, &bytes[..bytes.len() / 2])
            .unwrap_or_else(|broken| panic!("cut {format:?}: {broken}"));
    }
}

#[test]
fn the_laws_hold_of_sounds_whole_cut_and_flipped() {
    let kept: [&[u8]; 2] = [
        include_bytes!("../../../../testdata/sounds/clicks.ogg"),
        include_bytes!("../../../../testdata/sounds/tone.mp3"),
    ];
    for seed in sound_seeds().unwrap().into_iter().chain(kept.map(<[u8]>::to_vec)) {
        sound(&seed).unwrap();
        for at in (0..seed.len()).step_by(7) {
            sound(&seed[..at]).unwrap_or_else(|broken| panic!("cut at {at}: {broken}"));
            let mut flipped = seed.clone();
            flipped[at] ^= 1 << (at % 8);
            sound(&flipped).unwrap_or_else(|broken| panic!("flipped at {at}: {broken}"));
        }
    }
}

#[test]
fn frames_of_the_first_versions_of_zstd_are_refused_alike_by_one_thread_and_several() {
    let text = zstd::encode_all(&b"list\n1\n"[..], 3).unwrap();
    let empty_frame_of_0_7 = [0x27, 0xb5, 0x2f, 0xfd, 0x40, 0x54, 0xff, 0xff, 0xff, 0xff];
    spool(&[&[0], text.as_slice(), &empty_frame_of_0_7].concat()).unwrap();
}

#[test]
fn a_frame_of_zstd_holds_what_it_states() {
    // One segment with a size of one byte, a block of three bytes, and a last block of none (RFC 8878).
    let frame = |stated: u8| {
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, stated][..], &[0x18, 0, 0], b"a,b", &[0x01, 0, 0]].concat()
    };
    let read =
        |frame: &[u8], piece| crate::bytes::conformance::decode(crate::bytes::Codec::Zstd, frame, piece);
    for piece in [1, 2, 3, 100, 1000] {
        assert_eq!(read(&frame(3), piece).unwrap(), b"a,b");
        let error = read(&frame(255), piece).unwrap_err();
        assert_eq!(refusal(&error), Ok(()), "{error}");
    }
    bytes_of(crate::bytes::Codec::Zstd, &frame(255)).unwrap();
}

#[test]
fn a_refusal_must_blame_the_bytes_and_name_a_place() {
    assert_eq!(refusal(&Error::malformed("CSV", Place::at_byte(3), "wrong")), Ok(()));
    assert!(refusal(&Error::malformed("CSV", Place::default(), "wrong")).is_err());
    assert!(refusal(&Error::Bug("wrong".into())).is_err());
    assert!(refusal(&Error::Misuse("wrong".into())).is_err());
    assert!(refusal(&Error::Retype { place: Box::new(Place::at_row(1)), column: 0 }).is_err());
}

/// A column whose name, and then whose only text, holds a NUL byte: the refusal names it.
fn names(_: &[u8]) -> Held {
    let table = |name: &str, text: &str| {
        let column: arrow_array::ArrayRef = Arc::new(arrow_array::StringArray::from(vec![text]));
        arrow_array::RecordBatch::try_from_iter([(name, column)]).unwrap()
    };
    for batch in [table("a\0", "b"), table("a", "b\0")] {
        let options = WriteOptions::plain(Format::Csv);
        let encoder = encoder(&batch.schema(), &Typings::Native, &options);
        let refused =
            encoder.and_then(|encoder| write(encoder.get(), &batch, std::slice::from_ref(&(0..1)))).err();
        refusal(&refused.ok_or("text with a NUL byte was written")?)?;
    }
    Ok(())
}

fn jsonl(bytes: &[u8]) -> Held {
    table_of(Format::JsonLines, bytes)
}

/// Inputs that fuzzing found, each with the oracle whose law it broke.
#[test]
fn what_was_found_holds_now() {
    let found: [(&str, Oracle, &[u8]); 5] = [
        ("no column at all", jsonl, b""),
        ("a name that delimited text cannot hold", names, b""),
        ("rows without columns", jsonl, b"{}\n{}\n"),
        ("a wrong byte behind a closing quote", csv_parts, b"\x02\x3d1,\"a\"\r\xef1\n"),
        ("a wrong byte at a closing quote", csv_parts, b"\x02\x3d1,\"a\"\xef1\n"),
    ];
    for (what, oracle, bytes) in found {
        oracle(bytes).unwrap_or_else(|broken| panic!("{what}: {broken}"));
    }
}

/// Packed bytes are damaged, and so is the text that they hold: which of the two is met first hangs on how
/// many bytes are read at once.
#[test]
fn two_faults_in_packed_text_are_one_refusal() {
    use base64::Engine;
    let found = "ACi1L/0kMpEBAP7/ZmxhZwl0aW55CWlkAAoKLTI5ChQfsQ5F7r8Qwwc3HmB4GgYZYfvn4dizfTxXpEItOTUKaWQACgow\
                 Cqinq1sotS8ANTEKLTczCorG8do=";
    let bytes = base64::engine::general_purpose::STANDARD.decode(found).unwrap();
    assert_eq!(spool(&bytes), Ok(()));
}

/// What a file says besides the samples, whole, cut and flipped.
#[test]
fn the_laws_hold_of_attributes_and_definitions() {
    let exif = b"\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    for at in 0..exif.len() {
        attributes(&exif[..at]).unwrap_or_else(|broken| panic!("cut at {at}: {broken}"));
        let mut flipped = exif.to_vec();
        flipped[at] ^= 1;
        attributes(&flipped).unwrap_or_else(|broken| panic!("flipped at {at}: {broken}"));
    }
    let text = include_bytes!("../../../../media-types/safetensors.toml");
    for at in 0..text.len() {
        media_types(&text[..at]).unwrap_or_else(|broken| panic!("cut at {at}: {broken}"));
        let mut flipped = text.to_vec();
        flipped[at] ^= 1;
        media_types(&flipped).unwrap_or_else(|broken| panic!("flipped at {at}: {broken}"));
    }
}
