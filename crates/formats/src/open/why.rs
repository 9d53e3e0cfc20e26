//! Provides what there is to say of how columns are typed.

use crate::jsonl;
use crate::text::{ColumnTyping, Mark, Profile, Resolved, Unfit};

/// What there is to say of how a column is typed; empty where there is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Why {
    /// All of it: why it has its type, and why its text does not come back.
    pub said: String,
    /// The latter alone, where that is known apart.
    pub lost: String,
    /// Where it does not have the type that was given for it: what speaks against that.
    pub unfit: Option<Unfit>,
    /// Whether that is a field whatever the others are, so that its record can be set aside.
    pub is_alone: bool,
    /// Where it is text by few fields or for want of a choice: the row that keeps it from another type.
    pub missed: Option<u64>,
}

impl From<String> for Why {
    fn from(said: String) -> Self {
        Why { lost: said.clone(), said, ..Why::default() }
    }
}

/// The typings of columns, with what there is to say of each.
pub(crate) fn resolve(profiles: &[Profile]) -> (Vec<ColumnTyping>, Vec<Why>) {
    let found: Vec<Resolved> = profiles.iter().map(Profile::resolve).collect();
    let has_commas = found.iter().any(|found| found.typing.style.mark == Mark::Comma);
    let resolved = profiles.iter().zip(found).map(|(profile, found)| {
        let found = if has_commas { profile.unless_grouped(found) } else { found };
        let is_alone = found.unfit.as_ref().is_some_and(|unfit| profile.is_unfit_alone(unfit));
        let missed = profile.missed(&found);
        (found.typing, Why { said: found.why, lost: found.lost, unfit: found.unfit, is_alone, missed })
    });
    resolved.unzip()
}

/// What there is to say of each column of JSON.
pub(crate) fn of_json(resolved: &jsonl::Resolved) -> Vec<Why> {
    resolved.why_by_column().into_iter().map(Why::from).collect()
}
