//! Canonical JSON: object keys in RFC 8785 order, no spaces, no newline at the end.
//!
//! Numbers are written as integers only, within what every reader of JSON keeps exact; anything else is a
//! decimal string in this project's documents.
//!
//! Documents are written and judged as they stand, without a tree of their values, which would take many
//! times their size.

use serde::Serialize;
use serde_json::ser::Formatter;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::io;
use thiserror::Error;

/// The largest integer that a double holds with all smaller ones: 2^53 - 1.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// A number that canonical JSON of this project does not hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the number {0} must be written as a string")]
pub struct UnsafeNumber(pub String);

/// The canonical bytes of a value.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, UnsafeNumber> {
    let written = RefCell::new(Written::default());
    let (text, order) = (Text(&written), Ordered(&written));
    let done = value.serialize(&mut serde_json::Serializer::with_formatter(text, order));
    let Written { out, refused, .. } = written.into_inner();
    done.map(|()| out).map_err(|error| UnsafeNumber(refused.unwrap_or_else(|| error.to_string())))
}

/// What is written so far.
#[derive(Default)]
struct Written {
    out: Vec<u8>,
    /// The objects that are not at their end, the innermost last.
    open: Vec<Object>,
    /// The number that ended it.
    refused: Option<String>,
}

/// An object that is being written.
struct Object {
    /// Where its first member begins.
    begin: usize,
    members: Vec<Member>,
}

/// Where a member begins, its key ends and its value ends.
#[derive(Clone, Copy)]
struct Member {
    begin: usize,
    key_end: usize,
    end: usize,
}

impl Written {
    /// The key of a member as it stands between its quotes.
    fn key(&self, member: &Member) -> &str {
        let key = self.out.get(member.begin + 1..member.key_end - 1).unwrap_or_default();
        std::str::from_utf8(key).unwrap_or_default()
    }

    /// Puts the members of the innermost object in order.
    fn close(&mut self) {
        let Some(Object { begin, mut members }) = self.open.pop() else { return };
        let in_order = |one: &Member, next: &Member| order(self.key(one), self.key(next)).is_lt();
        if members.is_sorted_by(in_order) {
            return;
        }
        members.sort_by(|a, b| order(self.key(a), self.key(b)));
        let mut ordered = Vec::with_capacity(self.out.len() - begin);
        for (index, member) in members.into_iter().enumerate() {
            if index > 0 {
                ordered.push(b',');
            }
            ordered.extend_from_slice(&self.out[member.begin..member.end]);
        }
        self.out.truncate(begin);
        self.out.append(&mut ordered);
    }

    fn member(&mut self) -> Option<&mut Member> {
        self.open.last_mut()?.members.last_mut()
    }
}

/// Takes the text.
struct Text<'a>(&'a RefCell<Written>);

impl io::Write for Text<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Notes where members stand, and refuses numbers.
struct Ordered<'a>(&'a RefCell<Written>);

impl Ordered<'_> {
    fn refuse(&self, number: String) -> io::Result<()> {
        self.0.borrow_mut().refused = Some(number);
        Err(io::Error::other("a number that is not safe"))
    }
}

impl Formatter for Ordered<'_> {
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"{")?;
        let mut written = self.0.borrow_mut();
        let begin = written.out.len();
        written.open.push(Object { begin, members: Vec::new() });
        Ok(())
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        let mut written = self.0.borrow_mut();
        let begin = written.out.len();
        let object = written.open.last_mut();
        object
            .into_iter()
            .for_each(|object| object.members.push(Member { begin, key_end: begin, end: begin }));
        Ok(())
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        let mut written = self.0.borrow_mut();
        let end = written.out.len();
        written.member().into_iter().for_each(|member| member.key_end = end);
        Ok(())
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        let mut written = self.0.borrow_mut();
        let end = written.out.len();
        written.member().into_iter().for_each(|member| member.end = end);
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.borrow_mut().close();
        writer.write_all(b"}")
    }

    fn write_i64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        match value.unsigned_abs() <= SAFE_INTEGER_MAX {
            true => write!(writer, "{value}"),
            false => self.refuse(value.to_string()),
        }
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        match value <= SAFE_INTEGER_MAX {
            true => write!(writer, "{value}"),
            false => self.refuse(value.to_string()),
        }
    }

    fn write_i128<W: ?Sized + io::Write>(&mut self, _writer: &mut W, value: i128) -> io::Result<()> {
        self.refuse(value.to_string())
    }

    fn write_u128<W: ?Sized + io::Write>(&mut self, _writer: &mut W, value: u128) -> io::Result<()> {
        self.refuse(value.to_string())
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, _writer: &mut W, value: f32) -> io::Result<()> {
        self.refuse(value.to_string())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, _writer: &mut W, value: f64) -> io::Result<()> {
        self.refuse(value.to_string())
    }
}

/// Whether these bytes are those that [`to_bytes`] gives for the value which they hold. They nest no deeper
/// than the stack holds.
pub(crate) fn is_canonical(bytes: &[u8]) -> bool {
    // What is not UTF-8 is no JSON.
    let mut reader = Reader { text: std::str::from_utf8(bytes).unwrap_or_default(), at: 0 };
    reader.value().is_some() && reader.at == bytes.len()
}

/// Reads canonical JSON alone: each step is nothing where something else stands.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(drop),
            b'n' => self.word("null"),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            _ => self.number(),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes this byte, if it is next.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let is_next = self.text.as_bytes().get(self.at..)?.starts_with(word.as_bytes());
        self.at += word.len();
        is_next.then_some(())
    }

    fn array(&mut self) -> Option<()> {
        self.at += 1;
        if self.takes(b']') {
            return Some(());
        }
        loop {
            self.value()?;
            if !self.takes(b',') {
                return self.takes(b']').then_some(());
            }
        }
    }

    fn object(&mut self) -> Option<()> {
        self.at += 1;
        if self.takes(b'}') {
            return Some(());
        }
        let mut before = None;
        loop {
            let key = self.string()?;
            // One key twice is refused so, too.
            if before.is_some_and(|before| !order(before, key).is_lt()) || !self.takes(b':') {
                return None;
            }
            before = Some(key);
            self.value()?;
            if !self.takes(b',') {
                return self.takes(b'}').then_some(());
            }
        }
    }

    /// What stands between quotes.
    fn string(&mut self) -> Option<&'a str> {
        if !self.takes(b'"') {
            return None;
        }
        let begin = self.at;
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return self.text.get(begin..self.at - 1),
                b'\\' => self.escape()?,
                0..=0x1f => return None,
                _ => {}
            }
        }
    }

    /// What follows a backslash: the shortest form of what needs one.
    fn escape(&mut self) -> Option<()> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r' => Some(()),
            b'u' => {
                let [b'0', b'0', high @ (b'0' | b'1'), low] =
                    *self.text.as_bytes().get(self.at..self.at + 4)?
                else {
                    return None;
                };
                self.at += 4;
                let has_short_form = high == b'0' && matches!(low, b'8' | b'9' | b'a' | b'c' | b'd');
                (matches!(low, b'0'..=b'9' | b'a'..=b'f') && !has_short_form).then_some(())
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<()> {
        let negative = self.takes(b'-');
        let begin = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = self.text.get(begin..self.at)?;
        let is_shortest = !digits.starts_with('0') || (digits == "0" && !negative);
        let magnitude: u64 = digits.parse().ok()?;
        (is_shortest && magnitude <= SAFE_INTEGER_MAX).then_some(())
    }
}

/// The order of keys as they stand between quotes: RFC 8785 orders them by their UTF-16 code units.
fn order(a: &str, b: &str) -> Ordering {
    // What takes two units begins with one below U+E000.
    let rank = |character: char| match u32::from(character) {
        high @ 0xE000..=0xFFFF => high + 0x20_0000,
        other => other,
    };
    characters(a).map(rank).cmp(characters(b).map(rank))
}

/// The characters that a key has, as it stands between quotes.
fn characters(key: &str) -> impl Iterator<Item = char> {
    let mut rest = key.chars();
    std::iter::from_fn(move || {
        let character = rest.next()?;
        if character != '\\' {
            return Some(character);
        }
        Some(match rest.next()? {
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            'u' => {
                let code = u32::from_str_radix(rest.as_str().get(..4)?, 16).ok()?;
                rest.nth(3);
                char::from_u32(code)?
            }
            other => other,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    /// The slow and obvious way: a tree of values, whose keys are sorted.
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

    fn reference(value: &Value) -> Result<Vec<u8>, UnsafeNumber> {
        let mut out = Vec::new();
        put(&mut out, value).map(|()| out)
    }

    /// Any value, with keys and texts that need escapes, or take one unit of UTF-16 or two.
    fn values() -> impl Strategy<Value = Value> {
        let character = prop_oneof![0u32..0x100, 0xD7F0u32..0xD800, 0xE000u32..0xE010, 0xFFF0u32..0x1_0010,];
        let text = prop::collection::vec(character.prop_filter_map("a character", char::from_u32), 0..4);
        let text = text.prop_map(|all| all.into_iter().collect::<String>());
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i8>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            Just(json!(0.5)),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            let member = (text.clone(), inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(Value::from),
                prop::collection::vec(member, 0..5)
                    .prop_map(|all| Value::Object(all.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    /// Whether bytes are canonical, in the slow and obvious way.
    fn is_reference(bytes: &[u8]) -> bool {
        serde_json::from_slice::<Value>(bytes).is_ok_and(|value| reference(&value).as_deref() == Ok(bytes))
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_a_tree_of_values_gives(value in values()) {
            let found = to_bytes(&value);
            prop_assert_eq!(found.is_ok(), reference(&value).is_ok());
            if let Ok(found) = found {
                prop_assert_eq!(reference(&value), Ok(found.clone()));
                prop_assert!(is_canonical(&found));
            }
        }

        #[test]
        fn bytes_are_judged_as_a_tree_of_values_does(
            value in values(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 0..3),
        ) {
            // As a program that knows of no order writes it, and changed somewhere.
            let mut bytes = value.to_string().into_bytes();
            for (at, byte, how) in changes {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, b"\"\\,:{}[]0-u "[usize::from(byte) % 12]),
                    _ => drop(bytes.remove(at)),
                }
                if bytes.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(is_canonical(&bytes), is_reference(&bytes));
        }
    }

    #[test]
    fn one_value_has_one_spelling() {
        for other in [
            " 1",
            "1 ",
            "01",
            "-0",
            "1.0",
            "1e2",
            "9007199254740992",
            "\"\\u0041\"",
            "\"\\u001F\"",
            "\"\\u000a\"",
            "\"\\/\"",
            "{\"b\":1,\"a\":1}",
            "{\"a\":1,\"a\":1}",
            "[1,]",
            "{\"a\":1,}",
            "[1",
            "\"a",
            "nul",
            "",
            "-",
            "\"\t\"",
            "1,2",
            "{\"a\"}",
        ] {
            assert!(!is_canonical(other.as_bytes()) && !is_reference(other.as_bytes()), "{other}");
        }
        assert!(!is_canonical(b"\"\xff\""));
    }

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
