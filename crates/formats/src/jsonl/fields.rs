//! Provides the reading of one object into the columns of its fields.
//!
//! Records of one file mostly have the same keys in the same order, so the key that is expected next is
//! compared as raw text before any key is parsed or looked up.

use std::collections::HashMap;

use super::column::Slot;
use super::lexer::{Cursor, DUPLICATE, Fault};

/// The fields of an object, or the columns of the table.
pub(super) struct Fields {
    pub(super) slots: Vec<Slot>,
    /// Each key as it most likely stands in the text, with its quotes.
    keys: Vec<Box<[u8]>>,
    names: HashMap<Box<[u8]>, usize>,
    /// The number of the object in which each key was last seen.
    seen: Vec<u64>,
    objects: u64,
}

impl Fields {
    /// Fields with these names. The names must differ.
    pub(super) fn new(names: &[&str], slots: Vec<Slot>) -> Self {
        let key = |name: &&str| {
            let mut key = Vec::new();
            super::scalar::push_string(name.as_bytes(), &mut key);
            key.into_boxed_slice()
        };
        Fields {
            seen: vec![0; slots.len()],
            slots,
            keys: names.iter().map(key).collect(),
            names: names.iter().enumerate().map(|(at, name)| (name.as_bytes().into(), at)).collect(),
            objects: 0,
        }
    }

    /// Reads the object under the cursor. A fault comes with the index of the field in which it was found,
    /// which is the number of fields for an unknown key.
    pub(super) fn object(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), (Fault, usize)> {
        self.objects += 1;
        let mut count = 0;
        let mut next = 0;
        let mut more = cursor.open(b'}');
        while more {
            let start = cursor.at;
            let at = match self.keys.get(next) {
                Some(key) if cursor.eat(key) => next,
                _ => self.find(cursor)?,
            };
            if self.seen[at] == self.objects {
                cursor.at = start;
                return Err((DUPLICATE, at));
            }
            self.seen[at] = self.objects;
            count += 1;
            next = at + 1;
            let read = cursor.colon().and_then(|()| self.slots[at].value(cursor, depth));
            if let Err(reason) = read {
                cursor.trail.push(self.name(at));
                return Err((reason, at));
            }
            more = cursor.more(b'}').map_err(|reason| (reason, at))?;
        }
        if count < self.slots.len() {
            self.missing(cursor)?;
        }
        Ok(())
    }

    /// The field whose key stands under the cursor, when it is not the one that was expected.
    #[cold]
    fn find(&self, cursor: &mut Cursor<'_>) -> Result<usize, (Fault, usize)> {
        let unknown = self.slots.len();
        let start = cursor.at;
        let key = cursor.string().map_err(|reason| (reason, unknown))?.bytes();
        self.names.get(&*key).copied().ok_or_else(|| {
            cursor.at = start;
            cursor.trail.push(String::from_utf8_lossy(&key).into_owned());
            (Fault::Misfit, unknown)
        })
    }

    fn missing(&mut self, cursor: &mut Cursor<'_>) -> Result<(), (Fault, usize)> {
        for at in 0..self.slots.len() {
            if self.seen[at] != self.objects
                && let Err(reason) = self.slots[at].missing()
            {
                cursor.trail.push(self.name(at));
                return Err((reason, at));
            }
        }
        Ok(())
    }

    fn name(&self, at: usize) -> String {
        let name = self.names.iter().find(|(_, index)| **index == at);
        name.map(|(name, _)| String::from_utf8_lossy(name).into_owned()).unwrap_or_default()
    }
}
