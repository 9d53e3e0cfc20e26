//! Provides the text of UUIDs (RFC 9562, section 4): `82358803-ec46-4c5e-b67c-2234a2d38e66`, in lower case.

/// Bytes of a UUID.
pub(crate) const UUID_BYTES: usize = 16;

/// Where a hyphen stands before a byte.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

/// Writes the text of these bytes.
pub(crate) fn write_uuid(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for (at, &byte) in bytes.iter().enumerate() {
        if HYPHENS.contains(&at) {
            out.push(b'-');
        }
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// The bytes of a text that [`write_uuid`] writes; `None` of any other.
pub(crate) fn read_uuid(mut text: &[u8]) -> Option<[u8; UUID_BYTES]> {
    let mut bytes = [0; UUID_BYTES];
    for (at, byte) in bytes.iter_mut().enumerate() {
        if HYPHENS.contains(&at) {
            text = text.strip_prefix(b"-")?;
        }
        let (&[high, low], rest) = text.split_first_chunk()?;
        (*byte, text) = (nibble(high)? << 4 | nibble(low)?, rest);
    }
    text.is_empty().then_some(bytes)
}

/// The value of a hexadecimal digit in lower case.
pub(crate) fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_uuid_comes_back(bytes: [u8; UUID_BYTES]) {
            let mut text = Vec::new();
            write_uuid(&bytes, &mut text);
            prop_assert_eq!(text.len(), 36);
            prop_assert_eq!(read_uuid(&text), Some(bytes));
        }

        #[test]
        fn what_is_read_is_what_is_written(text in "[0-9a-fA-F-]{30,40}") {
            if let Some(bytes) = read_uuid(text.as_bytes()) {
                let mut again = Vec::new();
                write_uuid(&bytes, &mut again);
                prop_assert_eq!(again, text.into_bytes());
            }
        }
    }

    #[test]
    fn other_texts_are_none() {
        assert!(read_uuid(b"82358803-ec46-4c5e-b67c-2234a2d38e66").is_some());
        for text in [
            "82358803-EC46-4c5e-b67c-2234a2d38e66",
            "82358803ec464c5eb67c2234a2d38e66",
            "{82358803-ec46-4c5e-b67c-2234a2d38e66}",
            "82358803-ec46-4c5e-b67c-2234a2d38e6",
            "82358803-ec46-4c5e-b67c-2234a2d38e660",
            "8235880-3ec46-4c5e-b67c-2234a2d38e66",
            "",
        ] {
            assert_eq!(read_uuid(text.as_bytes()), None, "{text}");
        }
    }
}
