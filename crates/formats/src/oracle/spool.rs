//! Provides the oracle of unwrapping and transcoding: what a text is does not depend on how it is read, and a
//! slow, obvious reading of its encoding gives the same.

use std::sync::Arc;

use super::{Held, choice, file, law, refusal, same};
use crate::bytes::{CODECS, Settings};
use crate::error::{Error, Result};
use crate::file::ObjectFile;
use crate::spool::{
    Encoding, EncodingChoice, SpoolLimits, SpoolOptions, TextFile, Wrap, Wrapping, open_text,
};

/// Bytes of text at most: a few packed bytes can rightly stand for a gigabyte.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// A text, plain or wrapped, in an encoding that the first byte chooses.
pub fn spool(bytes: &[u8]) -> Held {
    let (chosen, bytes) = choice(bytes);
    let encoding = [
        EncodingChoice::Mark,
        EncodingChoice::Guess,
        EncodingChoice::Given(Encoding::Utf8),
        EncodingChoice::Given(Encoding::Utf16Le),
        EncodingChoice::Given(Encoding::Utf16Be),
        EncodingChoice::Given(Encoding::Latin1),
        EncodingChoice::Given(Encoding::Windows1252),
    ][usize::from(chosen) % 7];
    let object = file(bytes, "a.text").map_err(|error| error.to_string())?;
    let whole = opened(&object, encoding, 1);
    let several = opened(&object, encoding, 2 + usize::from(chosen >> 6));
    let outcome = |read: &Result<(TextFile, Vec<u8>)>| match read {
        Ok((file, text)) => Ok((file.kind().wrapping, file.kind().encoding, file.mark(), text.clone())),
        Err(error) => Err(error.to_string()),
    };
    same(&outcome(&whole), &outcome(&several), "several threads read another text than one")?;
    let (text_file, text) = match whole {
        Ok(read) => read,
        Err(error) => return refusal(&error),
    };
    let kind = text_file.kind();
    if kind.encoding != Encoding::Utf8 {
        law(std::str::from_utf8(&text).is_ok(), || format!("{kind:?} became text that is not UTF-8"))?;
    }
    if kind.wrapping == Wrapping::Raw {
        let plain = &bytes[text_file.mark().len()..];
        same(&Some(text.clone()), &reference(kind.encoding, plain), "the encoding is read in another way")?;
    }
    // A letter in front, so that it begins with no byte order mark, which would contradict the encoding.
    let text = [b"a", text.as_slice()].concat();
    for codec in CODECS.into_iter().filter(|codec| *codec != Wrapping::Raw) {
        let wrap = Wrap::new(Settings { codec, level: 1 });
        let wrapped = wrap.wrap(&text).map_err(|error| error.to_string())?;
        let end = wrap.end(false).map_err(|error| error.to_string())?;
        let whole = [&wrap.begin()[..], &wrapped, &end].concat();
        let name = format!("b.{}", codec.endings()[0]);
        let object = file(&whole, &name).map_err(|error| error.to_string())?;
        let back = opened(&object, EncodingChoice::Given(Encoding::Latin1), 1);
        let (_, back) = back.map_err(|error| format!("what was wrapped does not unwrap: {error}"))?;
        let wanted = reference(Encoding::Latin1, &text);
        law(Some(back) == wanted, || format!("{wrap:?} changed the text"))?;
    }
    Ok(())
}

fn opened(object: &Arc<ObjectFile>, encoding: EncodingChoice, workers: usize) -> Result<(TextFile, Vec<u8>)> {
    let directory = std::env::temp_dir();
    let limits = SpoolLimits { text_bytes_max: Some(TEXT_BYTES_MAX), ..SpoolLimits::default() };
    let file =
        open_text(object, SpoolOptions { encoding, workers, limits, ..SpoolOptions::new(&directory) })?;
    let (mut text, mut block) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match file.read_at(text.len() as u64, &mut block)? {
            0 if text.len() as u64 == file.len() => return Ok((file, text)),
            0 => return Err(Error::Bug(format!("the text ends at byte {} of {}", text.len(), file.len()))),
            count => text.extend_from_slice(&block[..count]),
        }
    }
}

/// The text in UTF-8, character by character; `None` where the encoding has no such text.
fn reference(encoding: Encoding, bytes: &[u8]) -> Option<Vec<u8>> {
    let units = |of: fn([u8; 2]) -> u16| -> Option<String> {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units = pairs.iter().map(|pair| of(*pair));
        rest.is_empty().then(|| char::decode_utf16(units).collect::<std::result::Result<_, _>>().ok())?
    };
    Some(match encoding {
        Encoding::Utf8 => bytes.to_vec(),
        Encoding::Utf16Le => units(u16::from_le_bytes)?.into_bytes(),
        Encoding::Utf16Be => units(u16::from_be_bytes)?.into_bytes(),
        Encoding::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes(),
        Encoding::Windows1252 => bytes.iter().map(|byte| windows1252(*byte)).collect::<String>().into_bytes(),
    })
}

/// The characters of Windows-1252 that are not those of Latin-1, from 0x80 on, as the WHATWG Encoding
/// Standard lists them.
const WINDOWS_1252: [u16; 32] = [
    0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d,
    0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a,
    0x153, 0x9d, 0x17e, 0x178,
];

fn windows1252(byte: u8) -> char {
    let code = match byte {
        0x80..=0x9f => u32::from(WINDOWS_1252[usize::from(byte - 0x80)]),
        other => u32::from(other),
    };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}
