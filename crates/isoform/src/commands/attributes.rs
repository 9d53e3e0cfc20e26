//! Provides what `inspect` tells of attributes and of entries of metadata: their keys, and their values where
//! these are short text.

use ::formats::words::counted;
use serde_json::{Value, json};

/// Characters of a value that a line shows at most, and bytes of one that a document has.
const LINE_CHARS_MAX: usize = 100;
const DOCUMENT_BYTES_MAX: usize = 4096;

/// An attribute or entry for a document. The value is null where it is no text, or long.
pub fn document(key: &str, value: &[u8]) -> Value {
    let text = text_of(value).filter(|text| text.len() <= DOCUMENT_BYTES_MAX);
    json!({ "key": key, "bytes": value.len(), "value": text })
}

/// The same as a line. What a terminal would take for a command is escaped.
pub fn line(key: &str, value: &[u8]) -> String {
    let (key, bytes) = (key.escape_debug(), counted(value.len(), "byte"));
    let Some(text) = text_of(value) else { return format!("  {key}: {bytes}") };
    match text.char_indices().nth(LINE_CHARS_MAX) {
        None => format!("  {key}: {text:?}"),
        Some((end, _)) => format!("  {key}: {:?} and more, {bytes}", &text[..end]),
    }
}

/// A value as text; `None` where it is a block of bytes.
fn text_of(value: &[u8]) -> Option<&str> {
    let is_text = |char: char| !char.is_control() || matches!(char, '\t' | '\n' | '\r');
    std::str::from_utf8(value).ok().filter(|text| text.chars().all(is_text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_where_they_are_text() {
        assert_eq!(line("density", b"2834x2834/m"), "  density: \"2834x2834/m\"");
        assert_eq!(line("icc", b"\0\x01\x02"), "  icc: 3 bytes");
        assert_eq!(line("icc", b"\xff"), "  icc: 1 byte");
        assert_eq!(line("empty", b""), "  empty: \"\"");
        assert_eq!(document("a", "é".as_bytes()), json!({ "key": "a", "bytes": 2, "value": "é" }));
        assert_eq!(document("a", b"\0"), json!({ "key": "a", "bytes": 1, "value": null }));
        assert_eq!(document("a", &[b'x'; 5000])["value"], Value::Null);
    }

    #[test]
    fn long_values_are_cut_between_characters_and_commands_of_a_terminal_escaped() {
        let long = "é".repeat(LINE_CHARS_MAX + 1);
        let shown = line("k", long.as_bytes());
        assert_eq!(shown, format!("  k: {:?} and more, 202 bytes", "é".repeat(LINE_CHARS_MAX)));
        let hostile = line("k\u{1b}[2J\n", "a\n\u{202e}b".as_bytes());
        assert_eq!(hostile, "  k\\u{1b}[2J\\n: \"a\\n\\u{202e}b\"");
        assert_eq!(line("k", b"\x1b]0;x"), "  k: 5 bytes");
    }
}
