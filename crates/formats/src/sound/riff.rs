//! Provides what the chunks of a WAV are to a sound: in a WAV, and in the `APPLICATION` blocks in which the
//! reference encoder of FLAC carries them along (`--keep-foreign-metadata`).

use super::tags::{self, Found, RIFF};
use crate::error::Result;

/// What a chunk of a WAV is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// All of a WAV. A FLAC carries its beginning along, and a chunk that a WAV holds is no such thing.
    Outermost,
    /// How samples lie, or they themselves: said by the sound.
    Samples,
    /// Room for later, and a count of samples that the chunk of samples tells as well.
    Filler,
    /// What follows from the samples.
    Derived,
    /// Content.
    Content,
}

/// What the chunk of this identifier is.
pub(super) fn role(id: &[u8; 4]) -> Role {
    match id {
        b"RIFF" | b"RF64" | b"BW64" => Role::Outermost,
        b"fmt " | b"data" | b"ds64" => Role::Samples,
        b"JUNK" | b"PAD " | b"FLLR" | b"fact" | b"\0\0\0\0" => Role::Filler,
        b"PEAK" => Role::Derived,
        _ => Role::Content,
    }
}

/// The chunk that a key of attributes names.
pub(super) fn id(key: &str) -> Option<[u8; 4]> {
    key.strip_prefix(RIFF).and_then(super::chunk_id)
}

/// Adds a chunk that is content as it is.
pub(super) fn add(id: &[u8; 4], value: Vec<u8>, found: &mut Found) -> Result<()> {
    found.add(format!("{RIFF}{}", id.iter().map(|byte| char::from(*byte)).collect::<String>()), value)
}

/// The chunk in a block of the application `riff`: of the outermost one and of the samples its header, as it
/// is carried along, and others whole. `None` where the block holds something else.
pub(super) fn carried(block: &[u8]) -> Option<([u8; 4], &[u8])> {
    let (id, rest) = block.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let len = u32::from_le_bytes(*len) as usize;
    match role(id) {
        Role::Outermost => (rest == b"WAVE").then_some((*id, rest)),
        Role::Samples if id == b"data" => rest.is_empty().then_some((*id, rest)),
        _ => {
            let is_whole = rest.len() == len || rest.len() == len.saturating_add(len % 2);
            is_whole.then(|| (*id, &rest[..len]))
        }
    }
}

/// The chunks of a WAV that a FLAC carries along.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Whether the outermost one is among them: then the others are as they were in a WAV, whose first list
    /// of tags is tags.
    of_wav: bool,
    list: Option<Vec<u8>>,
}

impl Carried {
    /// Adds a chunk; the list of tags is kept until [`Self::finish`].
    pub fn add(&mut self, id: &[u8; 4], value: &[u8], found: &mut Found) -> Result<()> {
        let role = role(id);
        self.of_wav |= role == Role::Outermost;
        match role {
            Role::Outermost | Role::Samples => {
                found.ignored.push(format!("the header {:?} of a WAV", tags::text(id)));
                Ok(())
            }
            Role::Filler => Ok(()),
            Role::Derived => {
                found.ignored.push(tags::PEAK.into());
                Ok(())
            }
            Role::Content if id == b"LIST" && self.of_wav && self.list.is_none() => {
                match tags::read_info(value) {
                    Some(_) => self.list = Some(value.to_vec()),
                    None => add(id, value.to_vec(), found)?,
                }
                Ok(())
            }
            Role::Content => add(id, value.to_vec(), found),
        }
    }

    /// Adds the tags of the list. Where comments tell one of them too, it stays a chunk: which of the two is
    /// meant nobody can tell.
    pub fn finish(self, found: &mut Found) -> Result<()> {
        let Some(list) = self.list else { return Ok(()) };
        match tags::read_info(&list).filter(|told| !told.iter().any(|(name, _)| found.has_tag(name))) {
            Some(told) => told.iter().try_for_each(|(name, value)| found.tag(name, value)),
            None => add(b"LIST", list, found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLE: &[u8] = b"INFOINAM\x02\0\0\0a\0";

    fn finished(
        chunks: &[(&[u8; 4], &[u8])],
        comment: Option<&str>,
    ) -> (Vec<(String, Vec<u8>)>, Vec<String>) {
        let (mut found, mut carried) = (Found::default(), Carried::default());
        for (id, value) in chunks {
            carried.add(id, value, &mut found).unwrap();
        }
        comment.into_iter().for_each(|name| found.tag(name, "b").unwrap());
        carried.finish(&mut found).unwrap();
        let ignored = std::mem::take(&mut found.ignored);
        (found.finish(), ignored)
    }

    #[test]
    fn chunks_that_are_carried_along_are_what_they_are_in_a_wav() {
        let chunks: [(&[u8; 4], &[u8]); 10] = [
            (b"RF64", b"WAVE"),
            (b"ds64", b"12345678"),
            (b"fmt ", b"123"),
            (b"LIST", TITLE),
            (b"JUNK", b"x"),
            (b"\0\0\0\0", b"\0\0"),
            (b"fact", b"1234"),
            (b"data", b""),
            (b"LIST", TITLE),
            (b"bext", b"y"),
        ];
        let (attributes, ignored) = finished(&chunks, None);
        let keys: Vec<&str> = attributes.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["riff:LIST", "riff:bext", "tag:TITLE"]);
        assert_eq!(attributes[2].1, b"a");
        let told = ["RF64", "ds64", "fmt ", "data"].map(|id| format!("the header {id:?} of a WAV"));
        assert_eq!(ignored, told);
    }

    #[test]
    fn a_list_whose_tags_are_comments_too_stays_a_chunk_and_one_of_no_wav_as_well() {
        let list: [(&[u8; 4], &[u8]); 2] = [(b"RIFF", b"WAVE"), (b"LIST", TITLE)];
        let keys = |chunks, comment| -> Vec<String> {
            finished(chunks, comment).0.into_iter().map(|(key, _)| key).collect()
        };
        assert_eq!(keys(&list, Some("ARTIST")), ["tag:ARTIST", "tag:TITLE"]);
        assert_eq!(keys(&list, Some("title")), ["riff:LIST", "tag:TITLE"]);
        assert_eq!(keys(&list[1..], None), ["riff:LIST"]);
    }

    #[test]
    fn a_block_holds_a_whole_chunk_or_a_header() {
        assert_eq!(carried(b"bext\x03\0\0\0abc\0"), Some((*b"bext", &b"abc"[..])));
        assert_eq!(carried(b"bext\x03\0\0\0abc"), Some((*b"bext", &b"abc"[..])));
        assert_eq!(carried(b"bext\x03\0\0\0ab"), None);
        assert_eq!(carried(b"bext\x02\0\0\0ab\0"), None);
        assert_eq!(carried(b"bext"), None);
        assert_eq!(carried(b"data\xff\xff\xff\xff"), Some((*b"data", &b""[..])));
        assert_eq!(carried(b"RIFF\xff\xff\xff\xffWAVE"), Some((*b"RIFF", &b"WAVE"[..])));
        assert_eq!(carried(b"fmt \x02\0\0\0ab"), Some((*b"fmt ", &b"ab"[..])));
        for other in
            [&b"RIFF\x04\0\0\0WAVEmore"[..], b"RIFF\x04\0\0\0", b"data\x02\0\0\0ab", b"fmt \x09\0\0\0ab"]
        {
            assert_eq!(carried(other), None, "content of another program");
        }
    }
}
