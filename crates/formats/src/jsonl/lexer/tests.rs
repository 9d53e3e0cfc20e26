//! Tokens are compared with what `serde_json` makes of them.

use super::*;

#[test]
fn special_agrees_with_a_byte_by_byte_search() {
    for filler in [b'a', 0x20, 0x7f, 0x80, 0xff, b'!', b'#'] {
        for byte in 0..=255_u8 {
            for at in 0..19 {
                let mut text = [filler; 19];
                text[at] = byte;
                let expected = text.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\');
                assert_eq!(special(&text, 0), expected.unwrap_or(19), "{byte} in {filler}");
            }
        }
    }
}

#[test]
fn strings_agree_with_serde_json() {
    for text in [r#""""#, r#""a\n\u00e9\/\"\\""#, r#""\ud83d\ude00 x""#, r#""\u0000\uFFFF""#] {
        let mut cursor = Cursor::new(text.as_bytes());
        let found = cursor.string().unwrap();
        let expected: String = serde_json::from_str(text).unwrap();
        assert_eq!(found.bytes(), expected.as_bytes());
        assert_eq!(cursor.end(), Ok(()));
    }
    for text in
        [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\x""#, "\"\u{1}\"", "\"abc", r#""\u12"#]
    {
        assert!(Cursor::new(text.as_bytes()).string().is_err(), "{text}");
        assert!(serde_json::from_str::<String>(text).is_err(), "{text}");
    }
}

#[test]
fn values_agree_with_serde_json() {
    let good = ["1", "-0", "1.50e+3", "[]", "{}", "[1,[2,{\"a\":null}]]", " {\"a\" : true , \"b\":\"x\"} "];
    for text in good {
        let mut cursor = Cursor::new(text.as_bytes());
        assert!(cursor.value(0).is_ok() && cursor.end().is_ok(), "{text}");
        assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
    }
    let bad = [
        "", "01", "-", "1.", ".5", "+1", "1e", "NaN", "nul", "nulll", "[1,]", "[1 2]", "{\"a\"}", "{a:1}",
        "1 2",
    ];
    for text in bad {
        let mut cursor = Cursor::new(text.as_bytes());
        assert!(cursor.value(0).and_then(|_| cursor.end()).is_err(), "{text}");
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
    }
    assert_eq!(Cursor::new(b"{\"a\":1,\"\\u0061\":2}").value(0), Err(DUPLICATE));
}
