//! Canonical JSON: object keys in RFC 8785 order, no spaces, no newline at the end.
//!
//! Numbers are written as integers only, within what every reader of JSON keeps exact; anything else is a
//! decimal string in this project's documents.

use serde_json::Value;
use thiserror::Error;

/// The largest integer that a double holds with all smaller ones: 2^53 - 1.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// A number that canonical JSON of this project does not hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the number {0} must be written as a string")]
pub struct UnsafeNumber(pub String);

/// The canonical bytes of a value.
pub fn to_bytes(value: &Value) -> Result<Vec<u8>, UnsafeNumber> {
    let mut out = Vec::new();
    put(&mut out, value)?;
    Ok(out)
}

fn put(out: &mut Vec<u8>, value: &Value) -> Result<(), UnsafeNumber> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => {
            let magnitude = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
            if magnitude.is_none_or(|magnitude| magnitude > SAFE_INTEGER_MAX) {
                return Err(UnsafeNumber(number.to_string()));
            }
            out.extend(number.to_string().bytes());
        }
        Value::String(text) => put_text(out, text),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                put(out, item)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // RFC 8785 orders keys by their UTF-16 code units.
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                put_text(out, key);
                out.push(b':');
                put(out, member)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\u{8}' => out.extend(b"\\b"),
            '\t' => out.extend(b"\\t"),
            '\n' => out.extend(b"\\n"),
            '\u{c}' => out.extend(b"\\f"),
            '\r' => out.extend(b"\\r"),
            control if control < ' ' => out.extend(format!("\\u{:04x}", u32::from(control)).bytes()),
            other => out.extend(other.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_in_utf16_order_and_text_is_escaped_least() {
        // The example of RFC 8785, section 3.2.3: a key beyond the basic plane sorts before U+FB33.
        let value =
            json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        let text = String::from_utf8(to_bytes(&value).expect("safe numbers")).expect("UTF-8");
        assert_eq!(
            text,
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
        let value = json!(["\u{1}\u{1f}\"\\/\u{7f}\u{2028}", null, true, false, -3, {}]);
        let expected = "[\"\\u0001\\u001f\\\"\\\\/\u{7f}\u{2028}\",null,true,false,-3,{}]";
        assert_eq!(to_bytes(&value).expect("safe numbers"), expected.as_bytes());
    }

    #[test]
    fn numbers_that_readers_would_change_are_refused() {
        assert!(to_bytes(&json!(9_007_199_254_740_991u64)).is_ok());
        for bad in [json!(9_007_199_254_740_992u64), json!(-9_007_199_254_740_992i64), json!(0.5)] {
            assert_eq!(to_bytes(&bad), Err(UnsafeNumber(bad.to_string())));
        }
    }
}
