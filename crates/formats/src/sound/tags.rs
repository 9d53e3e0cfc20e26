//! Provides the tags of sounds under keys that are the same in all formats, and the chunks that only some
//! hold.
//!
//! A tag has the key `tag:` and the name of its Vorbis comment in capitals, such as `tag:ARTIST`. A chunk
//! of a WAV has the key `riff:` and its identifier; FLAC keeps it in an `APPLICATION` block, as its
//! reference encoder does with `--keep-foreign-metadata`.

use std::ops::Range;

use super::riff::{self, Role};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::limits::{ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX};

/// Before the name of a tag.
pub(crate) const TAG: &str = "tag:";
/// Before the identifier of a chunk of a WAV.
pub(crate) const RIFF: &str = "riff:";
/// Before the identifier of a chunk of an AIFF.
pub(crate) const AIFF: &str = "aiff:";
/// Before the identifier of a frame of an ID3 tag.
pub(crate) const ID3: &str = "id3:";
/// Samples of a channel in a second.
pub const RATE: &str = "sound.rate";
/// A picture, as the `PICTURE` block of a FLAC describes it.
pub(crate) const PICTURE: &str = "picture";
/// What is said of a chunk that follows from the samples, as float sounds of libsndfile have it.
pub(crate) const PEAK: &str = "the chunk \"PEAK\", which tells the greatest samples";
/// Before what only FLAC holds: a cue sheet, or the identifier of an application.
pub(crate) const FLAC: &str = "flac:";

/// Tags that a WAV has a place for, with its identifier there (RIFF INFO).
const INFO: [(&str, [u8; 4]); 13] = [
    ("TITLE", *b"INAM"),
    ("ARTIST", *b"IART"),
    ("ALBUM", *b"IPRD"),
    ("TRACKNUMBER", *b"ITRK"),
    ("DATE", *b"ICRD"),
    ("GENRE", *b"IGNR"),
    ("COMMENT", *b"ICMT"),
    ("COPYRIGHT", *b"ICOP"),
    ("ENCODER", *b"ISFT"),
    ("DESCRIPTION", *b"ISBJ"),
    ("LANGUAGE", *b"ILNG"),
    ("ORGANIZATION", *b"ICMS"),
    ("ENGINEER", *b"IENG"),
];

/// Attributes as they are found, within the limits.
#[derive(Debug, Default)]
pub(crate) struct Found {
    attributes: Vec<(String, Vec<u8>)>,
    bytes: u64,
    /// What is no content here.
    pub ignored: Vec<String>,
}

impl Found {
    /// Adds an attribute.
    pub fn add(&mut self, key: String, value: Vec<u8>) -> Result<()> {
        let limit = |what: &'static str, max: u64| {
            let hint = "remove its metadata first".to_owned();
            Error::Limit { place: Box::default(), what, max, hint }
        };
        self.bytes += (key.len() + value.len()) as u64;
        if self.bytes > ATTRIBUTE_BYTES_MAX {
            return Err(limit("the metadata of a sound in bytes", ATTRIBUTE_BYTES_MAX));
        }
        if self.attributes.len() >= ATTRIBUTES_MAX {
            return Err(limit("the number of a sound's attributes", ATTRIBUTES_MAX as u64));
        }
        self.attributes.push((key, value));
        Ok(())
    }

    /// Adds a tag by the name of its Vorbis comment.
    pub fn tag(&mut self, name: &str, value: &str) -> Result<()> {
        self.add(format!("{TAG}{}", name.to_ascii_uppercase()), value.as_bytes().to_vec())
    }

    /// Whether a tag of this name, in capitals, was added.
    pub fn has_tag(&self, name: &str) -> bool {
        self.attributes.iter().any(|(key, _)| key.strip_prefix(TAG) == Some(name))
    }

    /// All attributes, by key; those of one key in the order in which they were found.
    pub fn finish(mut self) -> Vec<(String, Vec<u8>)> {
        self.attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.attributes
    }
}

/// Text in whichever encoding it is: UTF-8, else Latin-1, which every byte is.
pub(crate) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// Text up to the first zero, with which some programs end it.
pub(crate) fn text_before_zero(bytes: &[u8]) -> String {
    text(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

/// The bytes of a chunk that is an attribute.
pub(crate) fn chunk(file: &ObjectFile, at: Range<u64>) -> Result<Vec<u8>> {
    if at.end - at.start > ATTRIBUTE_BYTES_MAX {
        let (what, hint) = ("the metadata of a sound in bytes", "remove its metadata first".to_owned());
        let place = Box::new(Place::at_byte(at.start));
        return Err(Error::Limit { place, what, max: ATTRIBUTE_BYTES_MAX, hint });
    }
    let mut value = vec![0; usize::try_from(at.end - at.start).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut value, at.start)?;
    Ok(value)
}

/// Reads the tags of a list of type `INFO`; `None` where it holds what is no tag here, or not in the way in
/// which this program writes it.
pub(crate) fn read_info(list: &[u8]) -> Option<Vec<(&'static str, String)>> {
    let mut rest = list.strip_prefix(b"INFO")?;
    let mut tags: Vec<(&str, String)> = Vec::new();
    while !rest.is_empty() {
        let (id, after) = rest.split_first_chunk::<4>()?;
        let (len, after) = after.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let value = after.get(..len)?;
        rest = after.get(len.next_multiple_of(2)..).or_else(|| (after.len() == len).then_some(&[]))?;
        let (name, _) = INFO.iter().find(|(_, known)| known == id)?;
        if tags.iter().any(|(known, _)| known == name) {
            return None;
        }
        tags.push((name, text_before_zero(value)));
    }
    Some(tags)
}

/// The list of type `INFO` that holds the tags among these attributes; `None` where there are none.
pub(crate) fn write_info(attributes: &[(String, Vec<u8>)]) -> Option<Vec<u8>> {
    let mut list = b"INFO".to_vec();
    for (name, id) in INFO {
        let tag = attributes.iter().find(|(key, _)| key.strip_prefix(TAG) == Some(name));
        let Some((_, value)) = tag else { continue };
        list.extend(id);
        list.extend((value.len() as u32 + 1).to_le_bytes());
        list.extend(value);
        list.resize((list.len() + 1).next_multiple_of(2), 0);
    }
    (list.len() > 4).then_some(list)
}

/// Which attributes a WAV has no place for: their indexes.
pub(crate) fn beyond_wav(attributes: &[(String, Vec<u8>)]) -> Vec<usize> {
    let is_listed = |index: usize| {
        let (key, value) = &attributes[index];
        let tag = key.strip_prefix(TAG);
        let known = tag.is_some_and(|tag| INFO.iter().any(|(name, _)| *name == tag));
        let alone = index == 0 || attributes[index - 1].0 != *key;
        known && alone && !value.contains(&0) && std::str::from_utf8(value).is_ok()
    };
    let all = 0..attributes.len();
    let has_list = all.clone().any(is_listed);
    let held = |index: usize| {
        let (key, value) = &attributes[index];
        match riff::id(key).map(|id| (riff::role(&id), id)) {
            // The first list of tags in a file is tags.
            Some((Role::Content, id)) => has_list || &id != b"LIST" || read_info(value).is_none(),
            Some((role, _)) => role == Role::Outermost,
            None => key == RATE || is_listed(index),
        }
    };
    all.filter(|index| !held(*index)).collect()
}

/// Which attributes a FLAC has no place for: their indexes.
pub(crate) fn beyond_flac(attributes: &[(String, Vec<u8>)]) -> Vec<usize> {
    let lost = |(index, (key, value)): (usize, &(String, Vec<u8>))| {
        let held = key == RATE
            || key.strip_prefix(TAG).is_some_and(|tag| is_name(tag) && std::str::from_utf8(value).is_ok())
            || riff::id(key).is_some_and(|id| riff::role(&id) == Role::Content)
            || key == PICTURE
            || super::flac::holds(key, value);
        (!(held && value.len() < (1 << 24) - 64)).then_some(index)
    };
    attributes.iter().enumerate().filter_map(lost).collect()
}

/// Which attributes an AIFF has no place for: their indexes.
pub(crate) fn beyond_aiff(attributes: &[(String, Vec<u8>)]) -> Vec<usize> {
    let lost = |(index, (key, value)): (usize, &(String, Vec<u8>))| {
        let tag = key.strip_prefix(TAG).filter(|_| !value.contains(&0));
        let alone = index == 0 || attributes[index - 1].0 != *key;
        let known = match tag {
            Some("TITLE" | "ARTIST" | "COPYRIGHT") => alone,
            Some("COMMENT") => true,
            _ => key == RATE || key.strip_prefix(AIFF).and_then(super::chunk_id).is_some(),
        };
        (!known).then_some(index)
    };
    attributes.iter().enumerate().filter_map(lost).collect()
}

/// Which attributes a sound in Ogg has no place for: their indexes.
pub(crate) fn beyond_ogg(attributes: &[(String, Vec<u8>)]) -> Vec<usize> {
    beyond_pictures(attributes, |_| false)
}

/// Which attributes an MP3 has no place for: their indexes.
pub(crate) fn beyond_mp3(attributes: &[(String, Vec<u8>)]) -> Vec<usize> {
    beyond_pictures(attributes, |key| key.starts_with(ID3))
}

/// The indexes of attributes that are neither tags nor pictures, nor others that are held.
fn beyond_pictures(attributes: &[(String, Vec<u8>)], held: impl Fn(&str) -> bool) -> Vec<usize> {
    let lost = |(index, (key, value)): (usize, &(String, Vec<u8>))| {
        let text = |tag: &str| is_name(tag) && std::str::from_utf8(value).is_ok();
        let held = key == RATE || key == PICTURE || key.strip_prefix(TAG).is_some_and(text) || held(key);
        (!held).then_some(index)
    };
    attributes.iter().enumerate().filter_map(lost).collect()
}

/// Whether this can be the name of a Vorbis comment.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| (0x20..=0x7d).contains(&byte) && byte != b'=')
}

/// The samples of a channel in a second, as an attribute tells them.
pub(crate) fn rate(attributes: &[(String, Vec<u8>)]) -> Option<u32> {
    let (_, value) = attributes.iter().find(|(key, _)| key == RATE)?;
    std::str::from_utf8(value).ok()?.parse().ok().filter(|rate| *rate > 0)
}

/// What a file is not, as far as sounds are concerned.
pub(crate) fn unsupported(byte: u64, what: impl Into<String>, hint: &str) -> Error {
    Error::unsupported(Place::at_byte(byte), what, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_of_an_identifier_are_its_bytes() {
        for (id, is_held) in [("bext", true), ("\u{d2}act", true), ("ab\u{e9}", false), ("abc\u{142}", false)]
        {
            let of = |prefix: &str| [(format!("{prefix}{id}"), vec![1])];
            let lost = [beyond_wav(&of(RIFF)), beyond_flac(&of(RIFF)), beyond_aiff(&of(AIFF))];
            assert!(lost.iter().all(|lost| lost.is_empty() == is_held), "{id}");
        }
    }

    #[test]
    fn a_chunk_is_held_where_it_comes_back_as_one() {
        let info = b"INFOINAM\x02\0\0\0a\0";
        let cases: [(&str, &[u8], bool, bool); 14] = [
            ("riff:data", b"x", false, false),
            ("riff:fmt ", b"x", false, false),
            ("riff:ds64", b"x", false, false),
            ("riff:fact", b"x", false, false),
            ("riff:JUNK", b"x", false, false),
            ("riff:RIFF", b"x", true, false),
            ("riff:LIST", info, false, true),
            ("riff:LIST", b"adtl", true, true),
            ("flac:abcd", b"bext\x01\0\0\0x", false, true),
            ("flac:riff", b"bext\x01\0\0\0x", false, false),
            ("flac:riff", b"bext\x02\0\0\0x", false, true),
            ("flac:abc", b"x", false, false),
            ("flac:cuesheet", b"x", false, true),
            ("tag:TITLE", b"\xff", false, false),
        ];
        for (key, value, in_wav, in_flac) in cases {
            let attributes = [(key.to_owned(), value.to_vec())];
            let held = [beyond_wav(&attributes).is_empty(), beyond_flac(&attributes).is_empty()];
            assert_eq!(held, [in_wav, in_flac], "{key}");
        }
        let two = [("riff:LIST".to_owned(), info.to_vec()), ("tag:ARTIST".to_owned(), b"x".to_vec())];
        assert!(beyond_wav(&two).is_empty(), "a second list is a chunk");
    }

    #[test]
    fn tags_of_a_wav_come_back() {
        let mut found = Found::default();
        found.tag("title", "Größe").unwrap();
        found.tag("ARTIST", "x").unwrap();
        found.add(RATE.into(), b"44100".to_vec()).unwrap();
        found.tag("ARTIST", "y").unwrap();
        found.tag("MOOD", "z").unwrap();
        let attributes = found.finish();
        let keys: Vec<&str> = attributes.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, [RATE, "tag:ARTIST", "tag:ARTIST", "tag:MOOD", "tag:TITLE"]);
        assert_eq!(beyond_wav(&attributes), [2, 3]);
        assert!(beyond_flac(&attributes).is_empty());
        let list = write_info(&attributes).unwrap();
        let tags = read_info(&list).unwrap();
        assert_eq!(tags, [("TITLE", "Größe".to_owned()), ("ARTIST", "x".to_owned())]);
        assert_eq!(rate(&attributes), Some(44_100));
    }

    #[test]
    fn lists_that_are_not_all_tags_stay_as_they_are() {
        assert_eq!(read_info(b"adtl"), None);
        assert_eq!(read_info(b"INFOXXXX\x02\0\0\0a\0"), None);
        assert_eq!(read_info(b"INFOINAM\x09\0\0\0a\0"), None);
        assert_eq!(read_info(b"INFOINAM\x01\0\0\0a"), Some(vec![("TITLE", "a".to_owned())]));
    }
}
