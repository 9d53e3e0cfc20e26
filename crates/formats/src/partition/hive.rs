//! Provides the names of directories in a partitioned table: `column=value`, as Hive began it and as pyarrow,
//! DuckDB and Spark read it.
//!
//! In values every byte but letters, digits, `-`, `.`, `_` and `~` is percent-encoded, and so none can leave
//! its directory. Not all readers decode the names of columns, so in these only what cannot stand there is
//! encoded, and a dot in front, which would hide the directory. A null has a word of its own.

/// The name that stands for a null.
pub const NULL_NAME: &str = "__HIVE_DEFAULT_PARTITION__";

/// Appends a value, percent-encoded.
pub fn encode(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            escape(byte, out);
        }
    }
}

/// Appends the name of a column.
pub fn encode_name(name: &str, out: &mut String) {
    for (at, c) in name.chars().enumerate() {
        match u8::try_from(c) {
            Ok(b'.') if at == 0 => escape(b'.', out),
            Ok(byte) if matches!(byte, b'/' | b'\\' | b'=' | b'%') || byte.is_ascii_control() => {
                escape(byte, out);
            }
            _ => out.push(c),
        }
    }
}

fn escape(byte: u8, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

/// The bytes that a percent-encoded text stands for; `None` where an escape is cut off or is none.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(digits[0])? << 4 | digit(digits[1])?);
        rest = after;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(bytes: &[u8]) -> String {
        let mut text = String::new();
        encode(bytes, &mut text);
        text
    }

    proptest! {
        #[test]
        fn values_come_back_and_stay_inside(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let text = encoded(&bytes);
            prop_assert!(!text.contains('/') && !text.contains('=') && text.is_ascii());
            prop_assert_eq!(decode(text.as_bytes()), Some(bytes));
        }

        #[test]
        fn names_of_columns_come_back(name in "\\PC{0,12}|[/=%\\x00-\\x20]{0,6}") {
            let mut text = String::new();
            encode_name(&name, &mut text);
            prop_assert!(!text.contains('/') && !text.contains('=') && !text.starts_with('.'));
            prop_assert_eq!(decode(text.as_bytes()), Some(name.into_bytes()));
        }
    }

    #[test]
    fn names_are_those_of_other_writers() {
        assert_eq!(encoded("a b/c=d".as_bytes()), "a%20b%2Fc%3Dd");
        assert_eq!(encoded("ü".as_bytes()), "%C3%BC");
        assert_eq!(encoded(b"A~b-_."), "A~b-_.");
        assert_eq!(decode(b"%"), None);
        assert_eq!(decode(b"%4"), None);
        assert_eq!(decode(b"%zz"), None);
    }
}
