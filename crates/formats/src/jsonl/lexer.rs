//! Provides a strict reader of JSON tokens (RFC 8259) over one record, by borrowed slices.
//!
//! It builds nothing and allocates only where an object's keys are compared. The record must be valid
//! UTF-8; whoever cuts records out of a file has checked that once for a whole block.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::limits;

/// Why reading stopped; the place is where the cursor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The text is not JSON, or not the JSON that a record may hold.
    Syntax(&'static str),
    /// The value is JSON but not of the column's type.
    Misfit,
    /// Arrays and objects are nested deeper than `limits::DEPTH_MAX`.
    TooDeep,
    /// Absent values hold more than `limits::NULL_BYTES_MAX`.
    TooManyNulls,
    /// A profile would know more keys than this.
    TooManyKeys(usize),
}

/// The contents of a string between its quotes, escapes checked but not resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Str<'a> {
    /// The bytes between the quotes.
    pub(crate) raw: &'a [u8],
    /// Whether they hold at least one escape.
    pub(crate) escaped: bool,
}

impl<'a> Str<'a> {
    /// The bytes that the string stands for.
    pub(crate) fn bytes(&self) -> Cow<'a, [u8]> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut out = Vec::with_capacity(self.raw.len());
        self.append_to(&mut out);
        Cow::Owned(out)
    }

    /// Appends the bytes that the string stands for.
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        if !self.escaped {
            out.extend_from_slice(self.raw);
            return;
        }
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            rest = unescape(rest, out);
        }
        out.extend_from_slice(rest);
    }
}

/// What other languages write where JSON has values, and what is told of it.
const FOREIGN: [(&str, &str); 11] = [
    ("NaN", NO_NUMBER),
    ("nan", NO_NUMBER),
    ("Infinity", NO_NUMBER),
    ("inf", NO_NUMBER),
    ("None", "JSON writes null for None"),
    ("undefined", "JSON writes null for undefined"),
    ("True", "JSON writes true for True"),
    ("False", "JSON writes false for False"),
    ("'", "JSON has keys and strings in double quotes"),
    ("//", "JSON has no comments"),
    ("#", "JSON has no comments"),
];

const NO_NUMBER: &str = "JSON has no NaN and no infinity (write null, or a string such as \"NaN\")";

/// Resolves one escape that was checked before, without its backslash, and returns what follows it.
fn unescape<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((&letter, rest)) = text.split_first() else {
        return text;
    };
    let byte = match letter {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x08,
        b'f' => 0x0c,
        b'u' => {
            let high = hex4(rest).unwrap_or_default();
            let mut used = 4;
            let mut code = high;
            if (0xd800..0xdc00).contains(&high) {
                let low = rest.get(6..).and_then(hex4).unwrap_or_default();
                code = 0x10000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff);
                used = 10;
            }
            let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            return rest.get(used..).unwrap_or_default();
        }
        other => other,
    };
    out.push(byte);
    rest
}

fn hex4(text: &[u8]) -> Option<u32> {
    text.get(..4)?.iter().try_fold(0, |sum, &b| Some(sum << 4 | char::from(b).to_digit(16)?))
}

/// A number as it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number<'a> {
    /// The whole text.
    pub(crate) text: &'a [u8],
    /// Whether it begins with a minus sign.
    pub(crate) negative: bool,
    /// Digits before and after the point.
    pub(crate) digits: usize,
    /// Digits after the point.
    pub(crate) fraction: usize,
    /// Whether it has an exponent.
    pub(crate) exponent: bool,
    /// The digits without the point as one integer; right only if there are at most 19.
    pub(crate) mantissa: u64,
}

impl Number<'_> {
    /// Whether it is written as an integer.
    pub(crate) fn is_integer(&self) -> bool {
        self.fraction == 0 && !self.exponent
    }

    /// Whether each of its digits is a zero.
    pub(crate) fn is_zero(&self) -> bool {
        if self.digits <= 19 {
            return self.mantissa == 0;
        }
        let digits = self.text.iter().take_while(|b| !b.eq_ignore_ascii_case(&b'e'));
        digits.into_iter().all(|b| matches!(b, b'0' | b'-' | b'.'))
    }

    /// The text as a string.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.text).unwrap_or_default()
    }
}

/// Reads tokens from the text of one record.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    /// The record.
    pub(crate) text: &'a [u8],
    /// Where reading goes on; after a fault, where it was found.
    pub(crate) at: usize,
    /// Records of the table before this one.
    pub(crate) row: u64,
    /// After a fault: names of the columns around it, innermost first.
    pub(crate) trail: Vec<String>,
    /// Bytes that the absent values so far hold.
    pub(crate) absent_bytes: usize,
    /// Keys that the profile of the records so far knows, those of nested objects too, and may know.
    pub(crate) keys: (usize, usize),
}

impl<'a> Cursor<'a> {
    /// A cursor at the first token of `text`.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let mut cursor =
            Cursor { text, at: 0, row: 0, trail: Vec::new(), absent_bytes: 0, keys: (0, usize::MAX) };
        cursor.skip_space();
        cursor
    }

    /// Notes that a profile knows one key more.
    pub(crate) fn key(&mut self) -> Result<(), Fault> {
        let (keys, max) = &mut self.keys;
        *keys += 1;
        if *keys > *max { Err(Fault::TooManyKeys(*max)) } else { Ok(()) }
    }

    /// Notes an absent value, which holds so many bytes.
    #[inline]
    pub(crate) fn absent(&mut self, bytes: usize) -> Result<(), Fault> {
        self.absent_bytes = self.absent_bytes.saturating_add(bytes);
        if self.absent_bytes > limits::NULL_BYTES_MAX { Err(Fault::TooManyNulls) } else { Ok(()) }
    }

    /// The byte under the cursor; 0 behind the end, which is no token either.
    #[inline]
    pub(crate) fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Whether the text under the cursor begins with `wanted`; if so, steps over it.
    #[inline]
    pub(crate) fn eat(&mut self, wanted: &[u8]) -> bool {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(wanted));
        if found {
            self.at += wanted.len();
        }
        found
    }

    /// Steps over the white space of JSON.
    #[inline]
    pub(crate) fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    /// A syntax fault that says what was expected, or that the record ended too early.
    #[cold]
    pub(crate) fn syntax(&self, expected: &'static str) -> Fault {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match FOREIGN.iter().find(|(word, _)| rest.starts_with(word.as_bytes())) {
            _ if rest.is_empty() => Fault::Syntax("the record ends too early"),
            Some((_, told)) => Fault::Syntax(told),
            None => Fault::Syntax(expected),
        }
    }

    /// What to say of a value that is not of the wanted kind: wrong type, or no value at all.
    #[cold]
    pub(crate) fn misfit(&self) -> Fault {
        match self.peek() {
            b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' => Fault::Misfit,
            b't' | b'f' | b'n' if self.literal_length().is_some() => Fault::Misfit,
            _ => self.syntax("a value was expected"),
        }
    }

    fn literal_length(&self) -> Option<usize> {
        let rest = self.text.get(self.at..)?;
        let literal = [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word))?;
        // `nullx` is no literal.
        (!rest.get(literal.len()).is_some_and(u8::is_ascii_alphanumeric)).then_some(literal.len())
    }

    /// Reads `true`, `false` or `null`.
    pub(crate) fn literal(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.literal_length().ok_or_else(|| self.syntax("a value was expected"))?;
        let text = &self.text[self.at..self.at + length];
        self.at += length;
        Ok(text)
    }

    /// Checks that only white space is left.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        self.skip_space();
        match self.peek() {
            _ if self.at >= self.text.len() => Ok(()),
            b',' => Err(Fault::Syntax(
                "text after the value: a record is one JSON object on one line, without a comma behind it; \
                 where commas stand between all records: (echo [; cat FILE; echo ]) | jq -c '.[]'",
            )),
            _ => Err(Fault::Syntax("text after the value: a record is one JSON object on one line")),
        }
    }

    /// Steps over the colon after a key and the space around it.
    #[inline]
    pub(crate) fn colon(&mut self) -> Result<(), Fault> {
        self.skip_space();
        if self.peek() != b':' {
            return Err(self.syntax("a colon was expected after the key"));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// After an element: whether another follows. Steps over the comma or the closing bracket.
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Result<bool, Fault> {
        self.skip_space();
        match self.peek() {
            b',' => {
                self.at += 1;
                self.skip_space();
                if self.peek() == close {
                    return Err(Fault::Syntax("a value was expected after the comma"));
                }
                Ok(true)
            }
            byte if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.syntax("a comma or a closing bracket was expected")),
        }
    }

    /// Steps over an opening bracket; whether an element follows. Steps over the closing one if not.
    #[inline]
    pub(crate) fn open(&mut self, close: u8) -> bool {
        self.at += 1;
        self.skip_space();
        if self.peek() == close {
            self.at += 1;
            return false;
        }
        true
    }

    /// Reads a string; the cursor stands on its opening quote.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Str<'a>, Fault> {
        if self.peek() != b'"' {
            return Err(self.syntax("a string was expected"));
        }
        let start = self.at + 1;
        let mut escaped = false;
        let mut at = start;
        loop {
            at = special(self.text, at);
            self.at = at;
            match self.text.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(Str { raw: &self.text[start..at], escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    at += self.escape_length()?;
                }
                Some(_) => {
                    return Err(Fault::Syntax("a control character stands in a string without an escape"));
                }
                None => return Err(Fault::Syntax("the record ends inside a string")),
            }
        }
    }

    /// Checks the escape under the cursor and returns its length.
    fn escape_length(&self) -> Result<usize, Fault> {
        let rest = &self.text[self.at..];
        match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
            Some(b'u') => {
                let bad = Fault::Syntax("four hexadecimal digits were expected after \\u");
                let lone = Fault::Syntax("half of a surrogate pair stands alone");
                let code = rest.get(2..).and_then(hex4).ok_or(bad)?;
                match code {
                    0xd800..0xdc00 => {
                        let pair = rest.get(6..8) == Some(br"\u");
                        let low = rest.get(8..).and_then(hex4).filter(|low| (0xdc00..0xe000).contains(low));
                        if pair && low.is_some() { Ok(12) } else { Err(lone) }
                    }
                    0xdc00..0xe000 => Err(lone),
                    _ => Ok(6),
                }
            }
            Some(_) => Err(Fault::Syntax("an unknown escape stands in a string")),
            None => Err(Fault::Syntax("the record ends inside a string")),
        }
    }

    /// Reads a number; the cursor stands on its sign or first digit.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<Number<'a>, Fault> {
        let start = self.at;
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let mut mantissa = 0_u64;
        let whole = self.digits(&mut mantissa);
        if whole == 0 {
            return Err(self.syntax("a digit was expected"));
        }
        if whole > 1 && self.text[self.at - whole] == b'0' {
            self.at -= whole;
            return Err(Fault::Syntax("a number begins with a zero"));
        }
        let mut fraction = 0;
        if self.peek() == b'.' {
            self.at += 1;
            fraction = self.digits(&mut mantissa);
            if fraction == 0 {
                return Err(self.syntax("a digit was expected after the point"));
            }
        }
        let exponent = matches!(self.peek(), b'e' | b'E');
        if exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), b'+' | b'-'));
            if self.digits(&mut 0) == 0 {
                return Err(self.syntax("a digit was expected in the exponent"));
            }
        }
        let text = &self.text[start..self.at];
        Ok(Number { text, negative, digits: whole + fraction, fraction, exponent, mantissa })
    }

    #[inline]
    fn digits(&mut self, mantissa: &mut u64) -> usize {
        let start = self.at;
        while let Some(digit) = self.text.get(self.at).map(|b| b.wrapping_sub(b'0')).filter(|&d| d < 10) {
            *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.at += 1;
        }
        self.at - start
    }

    /// Steps over any value that begins under the cursor, checking all of it, and returns its text.
    /// `depth` is the number of arrays and objects around it.
    pub(crate) fn value(&mut self, depth: usize) -> Result<&'a [u8], Fault> {
        let start = self.at;
        match self.peek() {
            b'"' => drop(self.string()?),
            b'-' | b'0'..=b'9' => drop(self.number()?),
            b'{' | b'[' if depth >= limits::DEPTH_MAX => return Err(Fault::TooDeep),
            b'[' => {
                let mut more = self.open(b']');
                while more {
                    self.value(depth + 1)?;
                    more = self.more(b']')?;
                }
            }
            b'{' => self.object(depth)?,
            _ => drop(self.literal()?),
        }
        Ok(&self.text[start..self.at])
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        let mut keys = HashSet::new();
        let mut more = self.open(b'}');
        while more {
            let at = self.at;
            if !keys.insert(self.string()?.bytes()) {
                self.at = at;
                return Err(DUPLICATE);
            }
            self.colon()?;
            self.value(depth + 1)?;
            more = self.more(b'}')?;
        }
        Ok(())
    }
}

/// A key that occurs twice in one object: which of its values counts differs between readers.
pub(crate) const DUPLICATE: Fault = Fault::Syntax("a key occurs twice in one object");

/// The index of the first byte from `at` on that cannot stand for itself in a JSON string: a quote, a
/// backslash or a control character. The length of `text` if there is none.
#[inline]
pub(crate) fn special(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    // Eight bytes at once: a false alarm is possible only above a true one, so the lowest is right.
    while let Some(word) = text.get(at..at + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) {
        let word = u64::from_le_bytes(word);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = zeros(word ^ (ONES * u64::from(b'"')));
        let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
        let found = (control | quote | backslash) & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\').unwrap_or(rest.len())
}

#[cfg(test)]
mod tests;
