//! Provides column names that are unique and not empty, made by a fixed rule, beside the text they came from.

use std::collections::HashSet;

use crate::table::numbered_name;

/// The name of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderName {
    /// Unique among the columns, never empty.
    pub name: String,
    /// Text of the header field, where there is a header.
    pub original: Option<String>,
}

impl HeaderName {
    /// Whether the name differs from what the header said.
    pub fn renamed(&self) -> bool {
        self.source_name().is_some()
    }

    /// What the header said, where the name differs from it.
    pub fn source_name(&self) -> Option<&str> {
        self.original.as_deref().filter(|original| *original != self.name)
    }
}

/// Names for the fields of a header.
///
/// The first of several equal names keeps it; each later one gets the lowest suffix from `_2` on that no
/// header field and no name given so far holds. An empty name at position n becomes `column_n`, counted
/// from 1, and is made unique likewise.
pub(super) fn unique_names(fields: Vec<String>) -> Vec<HeaderName> {
    let originals: HashSet<String> = fields.iter().cloned().collect();
    let mut given = HashSet::new();
    let mut names = Vec::with_capacity(fields.len());
    // Where the search for a suffix went on last time: without it, n equal names would cost n² steps.
    let mut next_suffix = std::collections::HashMap::new();
    for (i, original) in fields.into_iter().enumerate() {
        let empty = original.is_empty();
        let wanted = if empty { format!("column_{}", i + 1) } else { original.clone() };
        let free = |name: &String| !given.contains(name) && !originals.contains(name);
        let name = if (!empty && !given.contains(&wanted)) || (empty && free(&wanted)) {
            wanted
        } else {
            let suffix = next_suffix.entry(wanted.clone()).or_insert(2u64);
            loop {
                let candidate = format!("{wanted}_{suffix}");
                *suffix += 1;
                if free(&candidate) {
                    break candidate;
                }
            }
        };
        given.insert(name.clone());
        names.push(HeaderName { name, original: Some(original) });
    }
    names
}

/// The header of which the rule makes these names, where all that it renamed have what they were called
/// beside them; else the names. A header that the rule makes other names of would be read as another table:
/// columns were left out, moved or renamed since.
pub(crate) fn header_of(names: &[String], sources: &[Option<&str>]) -> Vec<String> {
    if sources.len() != names.len() || sources.iter().all(Option::is_none) {
        return names.to_vec();
    }
    let fields = names.iter().zip(sources).map(|(name, source)| source.unwrap_or(name).to_owned());
    let fields: Vec<String> = fields.collect();
    let again = unique_names(fields.clone());
    match again.iter().map(|again| &again.name).eq(names) {
        true => fields,
        false => names.to_vec(),
    }
}

/// Names for a table without header: `column_1`, `column_2` and so on.
pub(super) fn numbered_names(columns: usize) -> Vec<HeaderName> {
    (0..columns).map(|at| HeaderName { name: numbered_name(at), original: None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(fields: &[&str]) -> Vec<String> {
        let fields = fields.iter().map(|f| (*f).to_owned()).collect();
        unique_names(fields).into_iter().map(|name| name.name).collect()
    }

    #[test]
    fn duplicates_and_empty_names_follow_the_rule() {
        assert_eq!(named(&["a", "b"]), ["a", "b"]);
        assert_eq!(named(&["a", "a", "a"]), ["a", "a_2", "a_3"]);
        assert_eq!(named(&["a", "a", "a_2"]), ["a", "a_3", "a_2"]);
        assert_eq!(named(&["", "x", ""]), ["column_1", "x", "column_3"]);
        assert_eq!(named(&["", "column_1"]), ["column_1_2", "column_1"]);
        assert_eq!(numbered_names(2)[1].name, "column_2");
    }

    #[test]
    fn renamed_says_what_changed() {
        let names = unique_names(vec!["a".to_owned(), "a".to_owned()]);
        assert!(!names[0].renamed());
        assert!(names[1].renamed());
        assert_eq!(names[1].original.as_deref(), Some("a"));
    }

    #[test]
    fn a_header_comes_back_where_the_rule_makes_the_same_names_of_it() {
        let header = |names: &[&str], sources: &[Option<&str>]| {
            header_of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), sources)
        };
        let (a, none) = (Some("a"), None);
        assert_eq!(header(&["a", "a_2", "column_3"], &[none, a, Some("")]), ["a", "a", ""]);
        assert_eq!(header(&["a", "b"], &[none, none]), ["a", "b"]);
        // A column before it was left out, moved behind it, or renamed; and so was the column itself.
        assert_eq!(header(&["a_2", "b"], &[a, none]), ["a_2", "b"]);
        assert_eq!(header(&["b", "column_3"], &[none, Some("")]), ["b", "column_3"]);
        assert_eq!(header(&["a_2", "a"], &[a, none]), ["a_2", "a"]);
        assert_eq!(header(&["x", "a_2"], &[none, a]), ["x", "a_2"]);
        assert_eq!(header(&["a", "x"], &[none, a]), ["a", "x"]);
        assert_eq!(header(&["a", "a_2"], &[none, a, a]), ["a", "a_2"]);
    }

    proptest! {
        #[test]
        fn every_header_comes_back(
            fields in proptest::collection::vec("(a|b|)(_2|_3|)|column_[1-4]", 0..12),
        ) {
            let found = unique_names(fields.clone());
            let names: Vec<String> = found.iter().map(|name| name.name.clone()).collect();
            let sources: Vec<_> = found.iter().map(HeaderName::source_name).collect();
            prop_assert_eq!(header_of(&names, &sources), fields);
        }

        #[test]
        fn names_are_unique_and_not_empty(
            fields in proptest::collection::vec("(a|b|)(_2|_3|)|column_[1-4]", 0..12),
        ) {
            let names = unique_names(fields.clone());
            let distinct: HashSet<_> = names.iter().map(|n| n.name.clone()).collect();
            prop_assert_eq!(distinct.len(), fields.len());
            for (i, (name, field)) in names.iter().zip(&fields).enumerate() {
                prop_assert!(!name.name.is_empty());
                prop_assert_eq!(name.original.as_ref(), Some(field));
                let first = !fields[..i].contains(field) && !field.is_empty();
                prop_assert_eq!(name.renamed(), !first, "the first of equal names keeps it");
            }
        }
    }
}
