//! Provides ID3 tags: versions 2.2, 2.3 and 2.4, whose frames become tags and pictures or are kept as they
//! are, and the old version of 128 bytes (id3.org: "ID3 tag version 2.4.0 - Main Structure" and its elders).

use crate::error::Result;
use crate::sound::tags::{self, Found, ID3, PICTURE};

/// Bytes before the frames.
pub(crate) const HEAD_BYTES: usize = 10;
/// Flags of a tag: zeros were put in after each byte of ones; a longer head follows; an end follows.
const UNSYNCHRONISED: u8 = 0x80;
const EXTENDED: u8 = 0x40;
const ENDED: u8 = 0x10;
/// Notes of what is left out, after which no more frames are named one by one.
const NAMED_MAX: usize = 16;

/// Frames that are tags, by their names in versions 2.3 and 2.4, and in 2.2.
const TEXTS: [(&str, &str, &str); 22] = [
    ("TIT2", "TT2", "TITLE"),
    ("TIT3", "TT3", "SUBTITLE"),
    ("TPE1", "TP1", "ARTIST"),
    ("TPE2", "TP2", "ALBUMARTIST"),
    ("TPE3", "TP3", "CONDUCTOR"),
    ("TALB", "TAL", "ALBUM"),
    ("TRCK", "TRK", "TRACKNUMBER"),
    ("TPOS", "TPA", "DISCNUMBER"),
    ("TDRC", "", "DATE"),
    ("TYER", "TYE", "DATE"),
    ("TCON", "TCO", "GENRE"),
    ("TCOP", "TCR", "COPYRIGHT"),
    ("TCOM", "TCM", "COMPOSER"),
    ("TEXT", "TXT", "LYRICIST"),
    ("TLAN", "TLA", "LANGUAGE"),
    ("TPUB", "TPB", "ORGANIZATION"),
    ("TSSE", "TSS", "ENCODER"),
    ("TENC", "TEN", "ENCODED-BY"),
    ("TSRC", "TRC", "ISRC"),
    ("TBPM", "TBP", "BPM"),
    ("TKEY", "TKE", "INITIALKEY"),
    ("TIT1", "TT1", "GROUPING"),
];

/// A frame of a tag.
struct Frame<'a> {
    id: &'a str,
    value: Vec<u8>,
    /// Whether it is packed or encrypted, so that only who knows how can read it.
    closed: bool,
}

/// Bytes of the tag that begins so, head and end included; `None` where none does.
pub(crate) fn bytes(head: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', 2..=4, minor, flags, sizes @ ..] = head.first_chunk::<HEAD_BYTES>()? else {
        return None;
    };
    if *minor == 0xff || sizes.iter().any(|byte| *byte > 0x7f) {
        return None;
    }
    let end = if flags & ENDED != 0 { HEAD_BYTES } else { 0 };
    Some(syncsafe(sizes) + (HEAD_BYTES + end) as u64)
}

/// A number of 7 bits in each byte.
fn syncsafe(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Takes out the zeros that were put in.
fn synchronised(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != 0 || at == 0 || bytes[at - 1] != 0xff {
            out.push(*byte);
        }
    }
    out
}

/// Reads a whole tag, which lies at the byte `at`.
pub(super) fn read(tag: &[u8], at: u64, found: &mut Found) -> Result<()> {
    let (head, mut body) = tag.split_at(HEAD_BYTES.min(tag.len()));
    let [_, _, _, version, _, flags, ..] = head else { return Ok(()) };
    if flags & ENDED != 0 {
        body = &body[..body.len().saturating_sub(HEAD_BYTES)];
    }
    let whole = match flags & UNSYNCHRONISED != 0 && *version < 4 {
        true => synchronised(body),
        false => body.to_vec(),
    };
    let mut rest = whole.as_slice();
    if flags & EXTENDED != 0 && *version > 2 {
        // The size counts itself in version 2.4 only.
        let told = rest.get(..4).unwrap_or_default();
        let len = if *version == 4 { syncsafe(told) } else { number(told) + 4 };
        rest = rest.get(usize::try_from(len).unwrap_or(usize::MAX)..).unwrap_or_default();
    }
    while rest.first().is_some_and(|byte| *byte != 0) {
        match frame(*version, rest) {
            Some((frame, after)) => {
                rest = after;
                take(frame, found)?;
            }
            None => {
                found.ignored.push(format!("the rest of the ID3 tag at byte {at}, which cannot be read"));
                break;
            }
        }
    }
    Ok(())
}

/// The next frame, and what follows it.
fn frame(version: u8, bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (id_bytes, head_bytes) = if version == 2 { (3, 6) } else { (4, 10) };
    let (head, rest) = bytes.split_at_checked(head_bytes)?;
    let (id, sizes) = head.split_at(id_bytes);
    let id = std::str::from_utf8(id).ok().filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()))?;
    let len = if version == 4 { syncsafe(&sizes[..4]) } else { number(&sizes[..id_bytes]) };
    let (value, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    let (closed, unsynchronised, before) = match (version, head.get(9)) {
        (3, Some(flags)) => (flags & 0xc0 != 0, false, if flags & 0x20 != 0 { 1 } else { 0 }),
        (4, Some(flags)) => {
            let group = if flags & 0x40 != 0 { 1 } else { 0 };
            (flags & 0x0c != 0, flags & 2 != 0, group + if flags & 1 != 0 { 4 } else { 0 })
        }
        _ => (false, false, 0),
    };
    let value = value.get(before..).unwrap_or_default();
    let value = if unsynchronised { synchronised(value) } else { value.to_vec() };
    Some((Frame { id, value, closed }, rest))
}

/// Takes a frame for what it is.
fn take(frame: Frame<'_>, found: &mut Found) -> Result<()> {
    let Frame { id, value, closed } = frame;
    if closed {
        ignore(format!("the frame {id} of an ID3 tag, which is packed or encrypted"), found);
        return Ok(());
    }
    if matches!(id, "TLEN" | "TLE") {
        ignore(format!("the frame {id} of an ID3 tag, which tells the length"), found);
        return Ok(());
    }
    let known = TEXTS.iter().find(|(new, old, _)| id == *new || id == *old);
    let understood = match (id, known) {
        (_, Some((_, _, name))) => texts(&value).map(|texts| named(name, texts)),
        ("TXXX" | "TXX", _) => named_by_itself(&value),
        ("COMM" | "COM", _) => comment(&value),
        ("APIC" | "PIC", _) => picture(id, &value).map(|block| vec![(PICTURE.to_owned(), block)]),
        _ => None,
    };
    match understood {
        Some(attributes) => attributes.into_iter().try_for_each(|(key, value)| found.add(key, value)),
        None => found.add(format!("{ID3}{id}"), value),
    }
}

/// Names what is left out of a tag, once; where much is named, only that there is more.
fn ignore(what: String, found: &mut Found) {
    let many = found.ignored.len() >= NAMED_MAX;
    let what = if many { "more frames of ID3 tags, which are left out".into() } else { what };
    if !found.ignored.contains(&what) {
        found.ignored.push(what);
    }
}

type Attributes = Vec<(String, Vec<u8>)>;

fn named(name: &str, texts: Vec<String>) -> Attributes {
    let texts = texts.into_iter().filter(|text| !text.is_empty());
    texts.map(|text| (format!("{}{}", tags::TAG, name.to_ascii_uppercase()), text.into_bytes())).collect()
}

/// The texts of a frame, which zeros divide; `None` where they are none.
fn texts(value: &[u8]) -> Option<Vec<String>> {
    let (encoding, mut rest) = value.split_first()?;
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let (text, after) = text(*encoding, rest)?;
        texts.push(text);
        rest = after;
    }
    Some(texts)
}

/// A text in one of the four encodings up to its zero, and what follows that.
fn text(encoding: u8, bytes: &[u8]) -> Option<(String, &[u8])> {
    let wide = matches!(encoding, 1 | 2);
    let width = if wide { 2 } else { 1 };
    let end = bytes.chunks_exact(width).position(|unit| unit.iter().all(|byte| *byte == 0));
    let end = end.map_or(bytes.len(), |units| units * width);
    let after = bytes.get(end + width..).unwrap_or_default();
    let bytes = &bytes[..end];
    let text = match encoding {
        0 => bytes.iter().map(|byte| char::from(*byte)).collect(),
        1 => match bytes {
            [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes)?,
            [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes)?,
            [] => String::new(),
            _ => return None,
        },
        2 => utf_16(bytes, u16::from_be_bytes)?,
        3 => std::str::from_utf8(bytes).ok()?.to_owned(),
        _ => return None,
    };
    Some((text, after))
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}

/// A text whose name stands before it.
fn named_by_itself(value: &[u8]) -> Option<Attributes> {
    let (encoding, rest) = value.split_first()?;
    let (name, _) = text(*encoding, rest)?;
    let mut all = texts(value)?;
    let fine = tags::is_name(&name) && all.len() > 1;
    fine.then(|| named(&name, all.split_off(1)))
}

/// A comment in a language; one with a name of its own is none for everybody.
fn comment(value: &[u8]) -> Option<Attributes> {
    let (encoding, rest) = value.split_first()?;
    let (name, rest) = text(*encoding, rest.get(3..)?)?;
    let (comment, _) = text(*encoding, rest)?;
    name.is_empty().then(|| named("COMMENT", vec![comment]))
}

/// A picture as the `PICTURE` block of a FLAC describes it (RFC 9639, section 8.8), which says nothing of its
/// size and colours.
fn picture(id: &str, value: &[u8]) -> Option<Vec<u8>> {
    let (encoding, rest) = value.split_first()?;
    let (media, rest) = match id {
        "PIC" => {
            let (format, rest) = rest.split_at_checked(3)?;
            let media = match format {
                b"JPG" => "image/jpeg",
                b"PNG" => "image/png",
                b"-->" => "-->",
                _ => return None,
            };
            (media.to_owned(), rest)
        }
        _ => text(0, rest)?,
    };
    let (kind, rest) = rest.split_first()?;
    let (description, data) = text(*encoding, rest)?;
    let mut block = u32::from(*kind).to_be_bytes().to_vec();
    let mut counted = |bytes: &[u8], gap: usize| {
        block.resize(block.len() + gap, 0);
        block.extend((bytes.len() as u32).to_be_bytes());
        block.extend(bytes);
    };
    counted(media.as_bytes(), 0);
    counted(description.as_bytes(), 0);
    counted(data, 16);
    Some(block)
}

/// Reads a tag of the old version: texts of a fixed length, and the number of a genre.
pub(super) fn read_old(tag: &[u8; 128], found: &mut Found) -> Result<()> {
    let text = |from: usize, to: usize| {
        let text = tags::text_before_zero(&tag[from..to]);
        text.trim_end().to_owned()
    };
    // A zero before the last byte of the comment makes that one the number of a track.
    let track = (tag[125] == 0 && tag[126] != 0).then(|| tag[126].to_string());
    let genre = (tag[127] != 0xff).then(|| format!("({})", tag[127]));
    for (name, text) in [
        ("TITLE", text(3, 33)),
        ("ARTIST", text(33, 63)),
        ("ALBUM", text(63, 93)),
        ("DATE", text(93, 97)),
        ("COMMENT", text(97, if track.is_some() { 125 } else { 127 })),
        ("TRACKNUMBER", track.unwrap_or_default()),
        ("GENRE", genre.unwrap_or_default()),
    ] {
        if !text.is_empty() {
            found.tag(name, &text)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tag of these frames.
    fn tag(version: u8, frames: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (id, value) in frames {
            body.extend(id.as_bytes());
            let len = value.len() as u32;
            match version {
                2 => body.extend(&len.to_be_bytes()[1..]),
                3 => body.extend(len.to_be_bytes()),
                _ => body.extend([0, 0, (len >> 7) as u8, (len & 0x7f) as u8]),
            }
            body.extend(&b"\0\0"[..if version == 2 { 0 } else { 2 }]);
            body.extend(*value);
        }
        body.extend([0; 20]);
        let len = body.len();
        let head = [b"ID3".as_slice(), &[version, 0, 0, 0, 0, (len >> 7) as u8, (len & 0x7f) as u8]].concat();
        [head, body].concat()
    }

    fn found(tag: &[u8]) -> (Attributes, Vec<String>) {
        let mut found = Found::default();
        assert_eq!(bytes(tag), Some(tag.len() as u64));
        read(tag, 0, &mut found).unwrap();
        let ignored = std::mem::take(&mut found.ignored);
        (found.finish(), ignored)
    }

    #[test]
    fn frames_become_tags_of_the_same_names_in_all_versions() {
        for (version, title, comment, own) in
            [(2, "TT2", "COM", "TXX"), (3, "TIT2", "COMM", "TXXX"), (4, "TIT2", "COMM", "TXXX")]
        {
            let tag = tag(
                version,
                &[
                    (title, b"\x01\xff\xfeG\0\xf6\0"),
                    (comment, b"\x00eng\0so\xdf\0"),
                    (own, b"\x03mood\0calm\0"),
                    ("PRIV", b"abc"),
                ],
            );
            let (attributes, ignored) = found(&tag);
            let shown: Vec<(&str, &[u8])> =
                attributes.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
            let mut expected = vec![
                ("tag:COMMENT", "soß".as_bytes()),
                ("tag:MOOD", &b"calm"[..]),
                ("tag:TITLE", "Gö".as_bytes()),
            ];
            // A name of four letters is none in version 2.2: what is there cannot be read.
            match version {
                2 => assert_eq!(ignored.len(), 1),
                _ => expected.insert(0, ("id3:PRIV", &b"abc"[..])),
            }
            assert_eq!(shown, expected, "{version}");
        }
    }

    #[test]
    fn pictures_and_texts_of_several_values_are_kept() {
        let tag =
            tag(4, &[("TPE1", b"\x03a\0b"), ("APIC", b"\x00image/png\0\x03x\0DATA"), ("TLEN", b"\x0012")]);
        let (attributes, ignored) = found(&tag);
        assert_eq!(ignored.len(), 1);
        let keys: Vec<&str> = attributes.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["picture", "tag:ARTIST", "tag:ARTIST"]);
        let block = &attributes[0].1;
        assert_eq!(&block[..17], b"\0\0\0\x03\0\0\0\x09image/png");
        assert_eq!(&block[17..22], b"\0\0\0\x01x");
        assert_eq!(&block[38..], b"\0\0\0\x04DATA");
        assert_eq!((&attributes[1].1, &attributes[2].1), (&b"a".to_vec(), &b"b".to_vec()));
    }

    #[test]
    fn an_old_tag_is_read() {
        let mut tag = [0; 128];
        tag[..8].copy_from_slice(b"TAGTitle");
        tag[93..97].copy_from_slice(b"1999");
        (tag[126], tag[127]) = (7, 17);
        let mut found = Found::default();
        read_old(&tag, &mut found).unwrap();
        let shown: Vec<String> =
            found.finish().into_iter().map(|(key, value)| key + "=" + &tags::text(&value)).collect();
        assert_eq!(shown, ["tag:DATE=1999", "tag:GENRE=(17)", "tag:TITLE=Title", "tag:TRACKNUMBER=7"]);
    }

    #[test]
    fn broken_tags_are_no_panics() {
        let whole = tag(3, &[("TIT2", b"\x01\xff\xfeG\0"), ("APIC", b"\x01a\0\x03\xff\xfex\0\0\0D")]);
        for end in HEAD_BYTES..whole.len() {
            for flags in [0, UNSYNCHRONISED, EXTENDED, ENDED, 0xff] {
                let mut tag = whole[..end].to_vec();
                tag[5] = flags;
                read(&tag, 0, &mut Found::default()).unwrap();
            }
        }
    }
}
