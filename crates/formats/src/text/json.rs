//! Provides the small part of JSON that nested values need: one canonical text, read strictly.
//!
//! Canonical means: no space between tokens, and in strings only `"`, `\` and control characters escaped, as
//! `\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t` or `\u00xx` in lower case.

/// Writes a string.
pub(crate) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x0C => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                continue;
            }
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.push(b'"');
}

/// A position in a canonical text.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Cursor { rest: text }
    }

    /// Whether nothing is left.
    pub(crate) fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether the next byte is this one.
    pub(crate) fn peek(&self, byte: u8) -> bool {
        self.rest.first() == Some(&byte)
    }

    /// Skips these bytes if they come next; says whether they did.
    pub(crate) fn eat(&mut self, bytes: &[u8]) -> bool {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The bytes up to the next comma or closing bracket: a number, or a word.
    pub(crate) fn bare(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|b| matches!(b, b',' | b']' | b'}')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// The contents of a string, put into `out`; `None` if there is no canonical string.
    pub(crate) fn string(&mut self, out: &mut Vec<u8>) -> Option<()> {
        out.clear();
        let before = self.rest;
        if !self.eat(b"\"") {
            return None;
        }
        loop {
            let at = self.rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
            out.extend_from_slice(&self.rest[..at]);
            let closing = self.rest[at] == b'"';
            self.rest = &self.rest[at + 1..];
            if closing {
                break;
            }
            let (&escape, rest) = self.rest.split_first()?;
            self.rest = rest;
            out.push(match escape {
                b'"' | b'\\' => escape,
                b'b' => 0x08,
                b'f' => 0x0C,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'u' => self.control()?,
                _ => return None,
            });
        }
        let mut again = Vec::with_capacity(out.len() + 2);
        write_string(out, &mut again);
        before.starts_with(&again).then_some(())
    }

    fn control(&mut self) -> Option<u8> {
        let (digits, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        u8::try_from(code).ok()
    }
}
