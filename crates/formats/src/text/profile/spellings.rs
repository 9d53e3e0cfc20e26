//! Provides the spellings of null in a column for which several were given. All of them are null. One is
//! written, and the fields with another are exceptions; where those are too many, whichever is written, which
//! spelling a null had is lost. They need not be rare, since a person said what they mean.

use std::sync::Arc;

use super::agreed::Offence;
use super::odd::{Odd, merge_all};

/// The fields of each spelling.
#[derive(Debug, Clone)]
pub(super) struct Spellings {
    tokens: Vec<Arc<[u8]>>,
    fields: Vec<Odd>,
}

/// The spelling that is written.
pub(super) struct Written {
    /// Its index.
    pub(super) token: usize,
    /// The fields with another.
    pub(super) others: Odd,
    /// These, and the exceptions of the values.
    pub(super) all: Odd,
}

impl Spellings {
    /// Of no fields.
    pub(super) fn new(tokens: &[String]) -> Self {
        let tokens: Vec<Arc<[u8]>> = tokens.iter().map(|token| token.as_bytes().into()).collect();
        Spellings { fields: vec![Odd::anywhere(); tokens.len()], tokens }
    }

    /// Whether there is more than one.
    pub(super) fn are_several(&self) -> bool {
        self.tokens.len() > 1
    }

    /// Takes note of a null of this spelling.
    pub(super) fn see(&mut self, token: usize, row: u64) {
        let fields = &mut self.fields[token];
        if !fields.is_broken() {
            fields.push(Offence { row, text: self.tokens[token].clone(), quoted: false });
        }
    }

    pub(super) fn merge(&mut self, other: &Spellings) {
        merge_all(&mut self.fields, &other.fields);
    }

    /// The spelling with the fewest exceptions that stay few beside those of the values, the first among
    /// equals; `None` if there is none.
    ///
    /// Fields that fit what was found add no exception to it and only some to others, so they leave it found;
    /// and what was too many stays too many. Hence the outcome does not depend on a sample.
    pub(super) fn find(&self, odd: &Odd) -> Option<Written> {
        let written = (0..self.tokens.len()).map(|token| {
            let others = self.fields.iter().enumerate().filter(|(other, _)| *other != token);
            let others = others.fold(Odd::anywhere(), |all, (_, fields)| all.union(fields));
            let all = others.union(odd);
            Written { token, others, all }
        });
        let few = written.filter(|written| written.all.exceptions().is_some());
        few.min_by_key(|written| written.others.count())
    }

    /// The first null whose spelling is not that of the first null.
    pub(super) fn second(&self) -> Option<&Offence> {
        let mut firsts: Vec<&Offence> = self.fields.iter().filter_map(Odd::first).collect();
        firsts.sort_by_key(|field| field.row);
        firsts.get(1).copied()
    }
}
