//! Provides the oracle of unwrapping and transcoding: what a text is does not depend on how it is read, and a
//! slow, obvious reading of its encoding gives the same.

use std::io::Read;

use super::{Held, choice, file, law, refusal, same};
use crate::error::{Error, Result};
use crate::spool::{
    Encoding, EncodingChoice, SpoolLimits, SpoolOptions, TextFile, TextSource, Wrap, Wrapping, open_text,
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
    let whole = opened(object.as_text().map_err(|error| error.to_string())?, encoding);
    let drops = Drops { bytes, at_most: usize::from(chosen >> 3) + 1 };
    let stream = opened(TextSource::Stream { name: "a.text".into(), reader: Box::new(drops) }, encoding);
    let packed = Wrapping::of_bytes(bytes) != Wrapping::Plain;
    let outcome = |read: &Result<(TextFile, Vec<u8>)>| match read {
        Ok((file, text)) => Ok((file.kind().wrapping, file.kind().encoding, file.mark(), text.clone())),
        // Where and how the library notices a fault in packed bytes hangs on how many it was given.
        // And where the text in them is at fault too, so does which of the two is met first.
        Err(Error::Malformed { .. } | Error::Unsupported { .. } | Error::Limit { .. }) if packed => {
            Err("refused".into())
        }
        Err(Error::Malformed { format, .. }) if *format != "UTF-16" => Err(format!("malformed {format}")),
        // A limit holds for both, but where it is met hangs on the same.
        Err(Error::Limit { what, max, .. }) => Err(format!("{what} above {max}")),
        Err(error) => Err(error.to_string()),
    };
    same(&outcome(&whole), &outcome(&stream), "a file and a stream of the same bytes differ")?;
    let (text_file, text) = match whole {
        Ok(read) => read,
        Err(error) => return refusal(&error),
    };
    let kind = text_file.kind();
    if kind.encoding != Encoding::Utf8 {
        law(std::str::from_utf8(&text).is_ok(), || format!("{kind:?} became text that is not UTF-8"))?;
    }
    if kind.wrapping == Wrapping::Plain {
        let plain = &bytes[text_file.mark().len()..];
        same(&Some(text.clone()), &reference(kind.encoding, plain), "the encoding is read in another way")?;
    }
    // A letter in front, so that it begins with no byte order mark, which would contradict the encoding.
    let text = [b"a", text.as_slice()].concat();
    for wrap in [Wrap::Gzip(1), Wrap::Zstd(1)] {
        let wrapped = wrap.wrap(&text).map_err(|error| error.to_string())?;
        let object = file(&wrapped, "b.text").map_err(|error| error.to_string())?;
        let source = object.as_text().map_err(|error| error.to_string())?;
        let back = opened(source, EncodingChoice::Given(Encoding::Latin1));
        let (_, back) = back.map_err(|error| format!("what was wrapped does not unwrap: {error}"))?;
        let wanted = reference(Encoding::Latin1, &text);
        law(Some(back) == wanted, || format!("{wrap:?} changed the text"))?;
    }
    Ok(())
}

fn opened(source: TextSource<'_>, encoding: EncodingChoice) -> Result<(TextFile, Vec<u8>)> {
    let directory = std::env::temp_dir();
    let limits = SpoolLimits { text_bytes_max: Some(TEXT_BYTES_MAX), ..SpoolLimits::default() };
    let file = open_text(source, SpoolOptions { encoding, limits, ..SpoolOptions::new(&directory) })?;
    let mut text = vec![0; usize::try_from(file.len()).unwrap_or(usize::MAX)];
    let mut filled = 0;
    while filled < text.len() {
        match file.read_at(filled as u64, &mut text[filled..])? {
            0 => return Err(Error::Bug(format!("the text ends at byte {filled} of {}", text.len()))),
            count => filled += count,
        }
    }
    Ok((file, text))
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

/// A stream of which no read gives more than a few bytes.
struct Drops<'a> {
    bytes: &'a [u8],
    at_most: usize,
}

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(self.at_most);
        self.bytes.read(&mut buffer[..count])
    }
}
