//! Provides the oracle of wrapped byte strings: what is in them does not depend on how much is asked for, and
//! survives being wrapped and unwrapped again.

use super::{Held, choice, file, law, refusal, same};
use crate::bytes::{BytesReader, CODECS, Codec, Settings, conformance};
use crate::error::{Error, Result};

/// Bytes of content that are looked at: a few packed bytes can rightly stand for a gigabyte.
const CONTENT_BYTES_MAX: usize = 1 << 20;

/// An object under a codec that the first byte chooses.
pub fn bytes(bytes: &[u8]) -> Held {
    let (chosen, object) = choice(bytes);
    bytes_of(CODECS[usize::from(chosen) % CODECS.len()], object)
}

/// An object under this codec.
pub fn bytes_of(codec: Codec, object: &[u8]) -> Held {
    let (whole, little) = (content(codec, object, 1 << 16), content(codec, object, 251));
    let content = match (whole, little) {
        (Ok(whole), Ok(little)) => {
            law(whole == little, || format!("how much is asked of {codec:?} decides what is in it"))?;
            whole
        }
        (Err(whole), Err(little)) => {
            refusal(&little)?;
            return refusal(&whole);
        }
        (whole, little) => {
            let (whole, little) = (whole.map(|c| c.len()), little.map(|c| c.len()));
            return Err(format!(
                "how much is asked of {codec:?} decides if it is read: {whole:?}, {little:?}"
            ));
        }
    };
    let made = Settings::new(codec, None).and_then(|settings| {
        conformance::encode(settings, &content, &[content.len() / 2])
            .and_then(|object| conformance::decode(codec, &object, 4096))
    });
    let made = made.map_err(|error| format!("{codec:?} does not read what it wrote: {error}"))?;
    same(&made.len(), &content.len(), "wrapping changes the length of the content")?;
    law(made == content, || format!("wrapping in {codec:?} changes the content"))
}

/// The first bytes of the content, asked for piece by piece.
fn content(codec: Codec, object: &[u8], piece: usize) -> Result<Vec<u8>> {
    let mut reader = BytesReader::new(codec, file(object, "a.packed")?);
    let mut content = vec![0; CONTENT_BYTES_MAX];
    let mut filled = 0;
    while filled < content.len() {
        let end = content.len().min(filled + piece);
        let count = reader.fill(&mut content[filled..end])?;
        filled += count;
        if filled < end {
            break;
        }
    }
    content.truncate(filled);
    if reader.totals().bytes != filled as u64 {
        return Err(Error::Bug("the reader counted other bytes than it gave".into()));
    }
    Ok(content)
}
