//! Provides [`Fresh`]: where the profiles of a table begin.

use std::collections::BTreeMap;

use super::Profile;

/// Profiles of no fields, one for each column of a table. Most are alike, and those are held once.
#[derive(Debug, Clone)]
pub struct Fresh {
    columns: usize,
    common: Box<Profile>,
    others: BTreeMap<usize, Profile>,
}

impl Fresh {
    /// Profiles of so many columns, all alike but for these, by position.
    pub fn new(columns: usize, common: Profile, others: BTreeMap<usize, Profile>) -> Self {
        Fresh { columns, common: Box::new(common), others }
    }

    /// One profile for each column.
    pub fn profiles(&self) -> Vec<Profile> {
        self.all().map(|(_, profile)| profile.clone()).collect()
    }

    /// The profile of each column, by position.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Profile)> {
        let of = |column| (column, self.others.get(&column).unwrap_or(self.common.as_ref()));
        (0..self.columns).map(of)
    }

    /// The same for a table of so many columns, which has the columns of this one at these positions.
    pub(crate) fn placed(&self, columns: usize, positions: &[Option<usize>]) -> Self {
        let others = self.others.iter().filter_map(|(column, profile)| {
            let position = positions.get(*column).copied().flatten();
            position.map(|position| (position, profile.clone()))
        });
        Fresh { columns, common: self.common.clone(), others: others.collect() }
    }
}

/// Adds what was observed of other rows to what was observed so far.
pub(crate) fn merge(merged: &mut Option<Vec<Profile>>, more: Vec<Profile>) {
    match merged {
        None => *merged = Some(more),
        Some(merged) => merged.iter_mut().zip(&more).for_each(|(profile, more)| profile.merge(more)),
    }
}
