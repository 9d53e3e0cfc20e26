//! Provides the directories that a search for sources is in, which keeps it from going round and too deep.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::walk::beyond;
use crate::failure::Result;

/// Directories inside of each other below one source: more than anybody has, and few enough for the stack.
pub(super) const DEPTH_MAX: usize = 256;

/// What tells a directory from others, by whatever path it is reached: its device and its number there.
pub(super) type Identity = (u64, u64);

/// The identity of a directory.
pub(super) fn identity(dir: &Path) -> std::io::Result<Identity> {
    dir.metadata().map(|found| (found.dev(), found.ino()))
}

/// The directories that were entered and not left, outermost first, each by what tells it from others.
pub(super) struct Entered<K>(Vec<K>);

impl<K: PartialEq> Entered<K> {
    /// None.
    pub(super) fn new() -> Self {
        Entered(Vec::new())
    }

    /// Enters a directory, unless it was entered above by whatever path: says whether it did. Every one that
    /// was entered is to be left.
    ///
    /// # Errors
    /// More than [`DEPTH_MAX`] directories inside of each other.
    pub(super) fn enter(&mut self, dir: &Path, here: K) -> Result<bool> {
        if self.has(&here) {
            return Ok(false);
        }
        if self.0.len() == DEPTH_MAX {
            let what = "the number of directories inside of each other below one source";
            return Err(beyond(dir, what, DEPTH_MAX, "name the directories that lie deeper by themselves"));
        }
        self.0.push(here);
        Ok(true)
    }

    /// Leaves the innermost one.
    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// Whether a directory is one of them.
    pub(super) fn has(&self, dir: &K) -> bool {
        self.0.contains(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_entered_once_until_it_is_left() {
        let (mut entered, dir) = (Entered::new(), Path::new("d"));
        assert!(entered.enter(dir, 1).unwrap() && entered.enter(dir, 2).unwrap());
        assert!(!entered.enter(dir, 1).unwrap() && entered.has(&1));
        entered.leave();
        assert!(!entered.has(&2) && entered.enter(dir, 2).unwrap());
    }

    #[test]
    fn directories_inside_of_each_other_are_counted() {
        let (mut entered, dir) = (Entered::new(), Path::new("d"));
        for depth in 0..DEPTH_MAX {
            assert!(entered.enter(dir, depth).unwrap());
        }
        // What was entered above is no deeper.
        assert!(!entered.enter(dir, 0).unwrap());
        let failure = entered.enter(dir, DEPTH_MAX).unwrap_err();
        assert_eq!(failure.code(), crate::failure::MALFORMED);
        assert!(failure.to_string().starts_with('d') && failure.to_string().contains("256"), "{failure}");
    }
}
