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
    /// Whether the next slot tells where the key of this one is left out.
    told: Vec<bool>,
    /// Slots that have keys.
    keyed: usize,
    /// The number of the object in which each key was last seen.
    seen: Vec<u64>,
    objects: u64,
}

impl Fields {
    /// Fields with these names. The names must differ. Slots that `told` announces have no keys.
    pub(super) fn new(names: &[&str], slots: Vec<Slot>, told: Vec<bool>) -> Self {
        let keyless = |at: usize| at > 0 && told[at - 1];
        let key = |(at, name): (usize, &&str)| {
            let mut key = Vec::new();
            super::scalar::push_string(name.as_bytes(), &mut key);
            // No JSON holds this byte, so that the text is never taken for a key.
            if keyless(at) { Box::from([0]) } else { key.into_boxed_slice() }
        };
        let all = names.iter().enumerate();
        let named = all.clone().filter(|(at, _)| !keyless(*at));
        let named: HashMap<Box<[u8]>, usize> = named.map(|(at, name)| (name.as_bytes().into(), at)).collect();
        Fields {
            seen: vec![0; slots.len()],
            slots,
            keys: all.map(key).collect(),
            keyed: named.len(),
            names: named,
            told,
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
            if self.told[at] {
                self.slots[next].flag(false);
                next += 1;
            }
            if let Err(reason) = read {
                cursor.trail.push(self.name(at));
                return Err((reason, at));
            }
            more = cursor.more(b'}').map_err(|reason| (reason, at))?;
        }
        if count < self.keyed {
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
            if self.seen[at] == self.objects || (at > 0 && self.told[at - 1]) {
                continue;
            }
            if let Err(reason) = self.slots[at].missing(cursor) {
                cursor.trail.push(self.name(at));
                return Err((reason, at));
            }
            if self.told[at] {
                self.slots[at + 1].flag(true);
            }
        }
        Ok(())
    }

    fn name(&self, at: usize) -> String {
        let name = self.names.iter().find(|(_, index)| **index == at);
        name.map(|(name, _)| String::from_utf8_lossy(name).into_owned()).unwrap_or_default()
    }
}
