//! Provides the spellings of null that a column has.

use super::Profile;
use crate::text::Style;
use crate::text::options::NULL_WORDS;

/// How the nulls of a column are written.
#[derive(Debug, Clone, Default)]
pub(super) struct NullStyle {
    pub null: Option<String>,
    pub also_null: Vec<String>,
    pub refused: Vec<String>,
}

impl NullStyle {
    pub fn apply(self, style: &mut Style) {
        style.null = self.null.filter(|text| !text.is_empty());
        style.also_null = self.also_null;
        style.refused = self.refused;
    }
}

impl Profile {
    /// The one spelling of null that the column has.
    pub(super) fn one_null(&self) -> NullStyle {
        let found = self.nulls.first();
        if !self.rules.options.null_tokens.is_empty() {
            return self.null_of(found.unwrap_or(0));
        }
        let word = found.filter(|&i| i > 0).and_then(|i| NULL_WORDS.get(i - 1));
        NullStyle { null: word.map(|&word| word.to_owned()), ..NullStyle::default() }
    }

    /// One of the spellings that were given; the others belong in no row but those of exceptions.
    pub(super) fn null_of(&self, chosen: usize) -> NullStyle {
        let tokens = self.rules.options.null_tokens.iter().enumerate();
        let others = tokens.filter(|(token, _)| *token != chosen).map(|(_, text)| text.clone());
        NullStyle {
            null: self.rules.options.null_tokens.get(chosen).cloned(),
            also_null: Vec::new(),
            refused: others.collect(),
        }
    }

    /// All spellings of null, the first of which is written.
    pub(super) fn many_nulls(&self) -> NullStyle {
        let tokens = &self.rules.options.null_tokens;
        let (null, also_null) = match tokens.split_first() {
            Some((first, rest)) => (Some(first.clone()), rest.to_vec()),
            None => (None, NULL_WORDS.iter().map(|&word| word.to_owned()).collect()),
        };
        NullStyle { null, also_null, refused: Vec::new() }
    }
}
