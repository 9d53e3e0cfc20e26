//! Every wrapping and encoding, whole and broken.

use super::*;
use crate::bytes::{CODECS, Settings, brotli};
use crate::limits::WRAPPED_BYTES_MAX;
use crate::pieces::Pieces;

const TEXT: &str = "name,price\nZoë,1€\n";

/// A text that is read to its end, where faults are met.
fn read(text: TextFile) -> Result<TextFile> {
    let (mut block, mut at) = (vec![0; 1 << 20], 0);
    loop {
        match text.read_at(at, &mut block)? {
            0 => return Ok(text),
            count => at += count as u64,
        }
    }
}

fn stream(bytes: &[u8], options: SpoolOptions<'_>) -> Result<TextFile> {
    let name = if bytes.starts_with(&brotli::BEGIN) { "a.csv.br" } else { "a.csv" };
    let mut file = tempfile::tempfile().expect("there is room");
    file.write_all(bytes).expect("there is room");
    let object = Arc::new(ObjectFile::from_file(file, Path::new(name)).expect("it is a file"));
    open_text(&object, options).and_then(read)
}

fn given(bytes: &[u8], encoding: EncodingChoice) -> Result<TextFile> {
    let directory = std::env::temp_dir();
    stream(bytes, SpoolOptions { encoding, ..SpoolOptions::new(&directory) })
}

fn text_of(file: &TextFile) -> Vec<u8> {
    let mut bytes = vec![0; file.len() as usize + 9];
    let mut filled = 0;
    loop {
        match file.read_at(filled as u64, &mut bytes[filled..]).expect("it is readable") {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    bytes
}

fn wrap(codec: Wrapping, level: i32) -> Wrap {
    Wrap::new(Settings { codec, level })
}

/// A text wrapped as a whole file.
fn packed(codec: Wrapping, text: &[u8]) -> Vec<u8> {
    let wrap = wrap(codec, codec.levels().map_or(0, |levels| levels.default));
    [
        &wrap.begin()[..],
        &wrap.wrap(text).expect("memory suffices"),
        &wrap.end(false).expect("memory suffices"),
    ]
    .concat()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    packed(Wrapping::Gzip, text)
}

fn zstd(text: &[u8]) -> Vec<u8> {
    packed(Wrapping::Zstd, text)
}

/// All wrappings.
fn wrappings() -> impl Iterator<Item = Wrapping> {
    CODECS.into_iter().filter(|codec| *codec != Wrapping::Raw)
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn every_wrapping_gives_the_same_text() {
    let text = TEXT.as_bytes();
    let (front, back) = text.split_at(7);
    let padded = [gzip(text), vec![0; 1_000]].concat();
    let skippable = [b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), zstd(text)].concat();
    let others = wrappings().map(|codec| (packed(codec, text), codec));
    let mixed = [packed(Wrapping::Bgzf, front), gzip(back)].concat();
    let cases = [
        (text.to_vec(), Wrapping::Raw),
        (mixed, Wrapping::Gzip),
        ([gzip(front), gzip(b""), gzip(back)].concat(), Wrapping::Gzip),
        (padded, Wrapping::Gzip),
        ([zstd(front), zstd(b""), zstd(back)].concat(), Wrapping::Zstd),
        (skippable, Wrapping::Zstd),
    ];
    for (bytes, wrapping) in cases.into_iter().chain(others) {
        let file = given(&bytes, EncodingChoice::Mark).expect("it is sound");
        assert_eq!(text_of(&file), text, "{wrapping:?}");
        assert_eq!(file.kind(), TextKind { wrapping, encoding: Encoding::Utf8 });
    }
}

#[test]
fn every_encoding_gives_the_same_text() {
    let (le, be) = (utf16(TEXT, u16::to_le_bytes), utf16(TEXT, u16::to_be_bytes));
    let windows = b"name,price\nZo\xeb,1\x80\n".to_vec();
    let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
    let cases = [
        (marked(b"\xef\xbb\xbf", TEXT.as_bytes()), EncodingChoice::Mark, Encoding::Utf8),
        (marked(b"\xff\xfe", &le), EncodingChoice::Mark, Encoding::Utf16Le),
        (marked(b"\xfe\xff", &be), EncodingChoice::Mark, Encoding::Utf16Be),
        (le, EncodingChoice::Given(Encoding::Utf16Le), Encoding::Utf16Le),
        (be, EncodingChoice::Given(Encoding::Utf16Be), Encoding::Utf16Be),
        (windows.clone(), EncodingChoice::Given(Encoding::Windows1252), Encoding::Windows1252),
        (windows, EncodingChoice::Guess, Encoding::Windows1252),
        (TEXT.as_bytes().to_vec(), EncodingChoice::Guess, Encoding::Utf8),
    ];
    for (bytes, choice, encoding) in cases {
        for bytes in [bytes.clone(), gzip(&bytes)] {
            let file = given(&bytes, choice).expect("it is sound");
            assert_eq!(String::from_utf8_lossy(&text_of(&file)), TEXT, "{choice:?}");
            assert_eq!(file.kind().encoding, encoding);
        }
    }
    let latin = given(b"Zo\xeb\x80", EncodingChoice::Given(Encoding::Latin1)).expect("it is sound");
    assert_eq!(text_of(&latin), "Zoë\u{80}".as_bytes());
    let long = utf16(&"añ😀".repeat(200_000), u16::to_le_bytes);
    let file = given(&long, EncodingChoice::Given(Encoding::Utf16Le)).expect("it is sound");
    assert_eq!(text_of(&file), "añ😀".repeat(200_000).as_bytes());
    assert_eq!(Encoding::by_name("ISO-8859-1"), Some(Encoding::Latin1));
    assert_eq!(Encoding::by_name("koi8-r"), None);
}

#[test]
fn a_byte_order_mark_of_another_encoding_is_refused() {
    let marks = [
        (&b"\xef\xbb\xbf"[..], Encoding::Utf8),
        (b"\xff\xfe", Encoding::Utf16Le),
        (b"\xfe\xff", Encoding::Utf16Be),
    ];
    let all = ["utf-8", "utf-16le", "utf-16be", "latin-1", "windows-1252"];
    for (mark, marked) in marks {
        for given_encoding in all.map(|name| Encoding::by_name(name).expect("it is one")) {
            let bytes = [mark, b"a\0b\0"].concat();
            for bytes in [gzip(&bytes), bytes] {
                let read = given(&bytes, EncodingChoice::Given(given_encoding));
                if marked == given_encoding {
                    assert_eq!(read.expect("it is sound").mark(), mark);
                    continue;
                }
                let error = read.expect_err("the mark contradicts");
                assert!(matches!(error, Error::Unsupported { .. }), "{error}");
                let told = format!("mark of {}, and {} was named", marked.name(), given_encoding.name());
                let next = format!("--encoding {}, or", marked.name());
                let all_told = [told.as_str(), next.as_str(), "--encoding guess"];
                assert!(all_told.iter().all(|told| error.to_string().contains(told)), "{error}");
            }
        }
    }
    let unmarked = given(&utf16("a,b", u16::to_be_bytes), EncodingChoice::Given(Encoding::Utf16Be));
    assert_eq!(text_of(&unmarked.expect("it is sound")), b"a,b");
}

#[test]
fn the_way_back_leads_to_the_bytes_of_every_encoding() {
    let text = "añ😀€\n".repeat(3);
    let latin: Vec<u8> = (0..=255).collect();
    let (le, be) = (utf16(&text, u16::to_le_bytes), utf16(&text, u16::to_be_bytes));
    let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
    let cases = [
        (text.as_bytes().to_vec(), EncodingChoice::Mark),
        (marked(b"\xef\xbb\xbf", text.as_bytes()), EncodingChoice::Mark),
        (le.clone(), EncodingChoice::Given(Encoding::Utf16Le)),
        (marked(b"\xff\xfe", &le), EncodingChoice::Mark),
        (marked(b"\xfe\xff", &be), EncodingChoice::Mark),
        (latin.clone(), EncodingChoice::Given(Encoding::Latin1)),
        (latin.clone(), EncodingChoice::Given(Encoding::Windows1252)),
        (latin, EncodingChoice::Guess),
    ];
    for (bytes, choice) in cases {
        let file = given(&bytes, choice).expect("it is sound");
        let plain = String::from_utf8(text_of(&file)).expect("it is UTF-8");
        let mut origin = Origin::new(&file);
        let mark = file.mark().len();
        let places: Vec<usize> = plain.char_indices().map(|(at, _)| at).chain([plain.len()]).collect();
        // On and back again.
        for at in places.iter().chain(places.iter().rev()) {
            let before = origin.bytes(&plain.as_bytes()[..*at]).into_owned();
            let byte = origin.byte(*at as u64).expect("it is readable") as usize;
            assert_eq!(byte, mark + before.len(), "{choice:?}");
            assert_eq!(bytes[mark..byte], before, "{choice:?}");
        }
        assert_eq!(*origin.bytes(plain.as_bytes()), bytes[mark..], "{choice:?}");
        let byte = plain.len() as u64;
        let Error::Malformed { place, .. } =
            file.placed(file.placed(Error::malformed("CSV", Place::at_byte(byte), "bad")))
        else {
            panic!("it is the same error");
        };
        assert_eq!((place.byte, place.path.as_deref()), (Some(bytes.len() as u64), Some(file.path())));
    }
}

#[test]
fn a_plain_file_is_used_in_place_and_others_are_copied() {
    let directory = tempfile::tempdir().expect("there is room");
    let open = |name: &str, bytes: &[u8], encoding| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).expect("there is room");
        let options = SpoolOptions { encoding, ..SpoolOptions::new(directory.path()) };
        let object = Arc::new(ObjectFile::open(&path).expect("it is a file"));
        (open_text(&object, options).and_then(read).expect("it is sound"), path)
    };
    let (plain, path) = open("plain.csv", b"\xef\xbb\xbfa,b\n", EncodingChoice::Mark);
    assert!(plain.in_place());
    assert_eq!((text_of(&plain), plain.mark()), (b"a,b\n".to_vec(), &b"\xef\xbb\xbf"[..]));
    std::fs::write(&path, b"a").expect("there is room");
    assert!(matches!(plain.read_at(0, &mut [0; 4]), Err(Error::Changed(_))));
    let placed = plain.placed(Error::Bug("records were counted that are not there".into()));
    assert!(matches!(placed, Error::Changed(_)));
    let (packed, _) = open("misnamed.csv", &gzip(b"a,b\n"), EncodingChoice::Mark);
    assert!(!packed.in_place());
    assert_eq!(text_of(&packed), b"a,b\n");
    let (guessed, _) = open("guess.csv", b"Zo\xeb\n", EncodingChoice::Guess);
    assert_eq!((guessed.kind().encoding, text_of(&guessed)), (Encoding::Windows1252, "Zoë\n".into()));
    assert_eq!(std::fs::read_dir(directory.path()).expect("it exists").count(), 3, "no temporary is left");
}

#[test]
fn every_cut_of_a_wrapped_text_is_refused() {
    let text = TEXT.repeat(3);
    for codec in wrappings() {
        let whole = packed(codec, text.as_bytes());
        // With less of bzip2 nothing is recognised.
        for end in if codec == Wrapping::Bzip2 { 10 } else { 6 }..whole.len() {
            let error = given(&whole[..end], EncodingChoice::Mark).expect_err("it is cut short");
            let Error::Malformed { place, .. } = &error else { panic!("{error}") };
            assert!(place.byte.is_some_and(|byte| byte <= end as u64), "{error}");
        }
    }
}

#[test]
fn what_is_broken_is_refused_with_its_place() {
    let sound = gzip(TEXT.as_bytes());
    let tail = [sound.clone(), b"tail".to_vec()].concat();
    let padding = [sound.clone(), vec![0; 9], b"x".to_vec()].concat();
    let mut crc = sound.clone();
    crc[sound.len() - 8] ^= 1;
    let mut checksum = zstd(TEXT.as_bytes());
    let end = checksum.len() - 1;
    checksum[end] ^= 1;
    for bytes in [tail, padding, crc, checksum, [zstd(b"a"), b"tail".to_vec()].concat()] {
        let error = given(&bytes, EncodingChoice::Mark).expect_err("it is broken");
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
    }
    for (bytes, at) in [(&b"a\0\0\xd8b\0"[..], 2), (b"a\0b", 2)] {
        let error = given(bytes, EncodingChoice::Given(Encoding::Utf16Le)).expect_err("it is broken");
        let Error::Malformed { place, .. } = &error else { panic!("{error}") };
        assert_eq!(place.byte, Some(at), "{error}");
    }
    let utf32 = given(b"\xff\xfe\0\0a\0\0\0", EncodingChoice::Mark);
    assert!(matches!(utf32, Err(Error::Unsupported { .. })));
}

#[test]
fn bombs_and_texts_above_the_bound_are_refused() {
    let directory = std::env::temp_dir();
    let zeros = vec![b'0'; 4 << 20];
    let tight = SpoolLimits { bomb_bytes_min: 1 << 20, bomb_ratio_max: 100, ..SpoolLimits::default() };
    for bomb in wrappings().filter(|codec| *codec != Wrapping::Lz4).map(|codec| packed(codec, &zeros)) {
        let spooled = |limits| stream(&bomb, SpoolOptions { limits, ..SpoolOptions::new(&directory) });
        assert!(matches!(spooled(tight), Err(Error::Limit { .. })));
        assert!(spooled(SpoolLimits::default()).is_ok());
        let small = SpoolLimits { text_bytes_max: Some((4 << 20) - 1), ..SpoolLimits::default() };
        assert!(matches!(spooled(small), Err(Error::Limit { .. })));
        assert!(spooled(SpoolLimits { text_bytes_max: Some(4 << 20), ..small }).is_ok());
    }
}

#[test]
fn wrapping_depends_on_the_bytes_alone() {
    for codec in CODECS {
        let wrap = wrap(codec, 1);
        let one = wrap.wrap(TEXT.as_bytes()).expect("memory suffices");
        assert_eq!(one, wrap.wrap(TEXT.as_bytes()).expect("memory suffices"));
    }
    assert_eq!(gzip(b"a")[4..8], [0; 4], "no time");
}

#[test]
fn much_text_of_a_part_is_wrapped_in_several_members() {
    let line = b"some text of a long part, 0123456789\n";
    let text = line.repeat((2 * WRAPPED_BYTES_MAX + WRAPPED_BYTES_MAX / 2) / line.len());
    for wrap in [Wrapping::Raw, Wrapping::Gzip, Wrapping::Zstd, Wrapping::Brotli].map(|codec| wrap(codec, 1))
    {
        let mut pieces = Pieces::default();
        text.chunks(1_000_003).for_each(|chunk| pieces.push(chunk.to_vec()).expect("it is in memory"));
        let wrapped = wrap.wrap_pieces(pieces).expect("memory suffices").concat().expect("it is in memory");
        let by_hand = text.chunks(WRAPPED_BYTES_MAX).map(|chunk| wrap.wrap(chunk).expect("memory suffices"));
        let by_hand: Vec<u8> = by_hand.flat_map(|member| member.into_owned()).collect();
        assert!(wrapped == by_hand, "{wrap:?}: bytes do not depend on the pieces");
        let directory = std::env::temp_dir();
        let whole = [&wrap.begin()[..], &wrapped, &wrap.end(false).expect("memory suffices")].concat();
        let options = || SpoolOptions { workers: 3, ..SpoolOptions::new(&directory) };
        let file = stream(&whole, options()).expect("it is a text");
        assert!(text_of(&file) == text, "{wrap:?}");
    }
    let none = wrap(Wrapping::Gzip, 1).wrap_pieces(Pieces::default()).expect("memory suffices");
    assert!(none.is_empty(), "no text is no member");
}

#[test]
fn a_text_is_read_while_it_is_unwrapped() {
    let (waits, goes_on) = std::sync::mpsc::channel();
    let goes_on = std::sync::Mutex::new(goes_on);
    // Nothing is heard behind the first megabyte before its text was read.
    let listener = Listener::new(move |_| {
        let _ = goes_on.lock().expect("nobody panics").recv();
        Ok(())
    });
    let text = b"some line of text\n".repeat(100_000);
    let mut file = tempfile::tempfile().expect("there is room");
    file.write_all(&gzip(&text)).expect("there is room");
    let object = Arc::new(ObjectFile::from_file(file, Path::new("a.csv.gz")).expect("it is a file"));
    waits.send(()).expect("it is heard");
    let directory = std::env::temp_dir();
    let opened = open_text(&object, SpoolOptions { listener, ..SpoolOptions::new(&directory) });
    let opened = opened.expect("its first block is enough");
    let mut start = [0; 9];
    assert_eq!((opened.read_at(0, &mut start).expect("it is there"), &start), (9, b"some line"));
    drop(waits);
    assert!(text_of(&opened) == text);
    assert_eq!(opened.len(), text.len() as u64);
}

#[test]
fn a_fault_is_told_where_the_text_before_it_ends() {
    let text = b"some line of text\n".repeat(100_000);
    let mut broken = [gzip(&text), gzip(&text)].concat();
    let end = broken.len() - 3;
    broken[end] ^= 1;
    let mut file = tempfile::tempfile().expect("there is room");
    file.write_all(&broken).expect("there is room");
    let object = Arc::new(ObjectFile::from_file(file, Path::new("a.csv.gz")).expect("it is a file"));
    let directory = std::env::temp_dir();
    let opened = open_text(&object, SpoolOptions::new(&directory)).expect("it begins well");
    let blamed = opened.blame(Error::Bug("the text is wrong".into())).to_string();
    assert!(blamed.contains("gzip"), "{blamed}");
    let opened = open_text(&object, SpoolOptions::new(&directory)).expect("it begins well");
    assert!(matches!(read(opened), Err(Error::Malformed { .. })));
    // Nobody waits for a copy that is not wanted.
    drop(open_text(&object, SpoolOptions::new(&directory)));
}
