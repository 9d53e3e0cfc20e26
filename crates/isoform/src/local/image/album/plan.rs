//! Provides what would become of an album, by the ways that a conversion of it goes, with nothing written.

use super::super::super::keys;
use super::options::{self, Table};
use super::verify::{is_current, own_targets};
use super::{Album, refuse_too_many};
use crate::failure::{Failure, Refusal, Result};
use crate::progress::Progress;

/// What would become of all photographs of an album, as far as it is told before any is encoded.
pub enum AlbumPlan {
    /// They would be converted, unless what is made of them is refused.
    Convert,
    /// Nothing changed since an earlier run.
    Skip,
    /// Something in the place of the targets would not be replaced, or they are too many, or nothing can be
    /// signed.
    Refuse(Refusal),
}

/// What would become of an album before any photograph of it is encoded.
///
/// # Errors
/// A format without qualities to choose among, and files that cannot be read.
pub fn plan(album: &Album, progress: &Progress) -> Result<AlbumPlan> {
    if is_current(album, progress)? {
        return Ok(AlbumPlan::Skip);
    }
    // A conversion holds the lock of its directory.
    if let Err(failure) = refuse_too_many(album, 1) {
        return Ok(AlbumPlan::Refuse(failure.into()));
    }
    match own_targets(album, progress) {
        Err(failure @ (Failure::Exists(_) | Failure::Stale(..))) => {
            return Ok(AlbumPlan::Refuse(failure.into()));
        }
        found => found.map(drop)?,
    }
    options::knob(album)?;
    match keys::refuse_unusable() {
        Err(failure) => Ok(AlbumPlan::Refuse(failure.into())),
        Ok(()) => Ok(AlbumPlan::Convert),
    }
}

/// Chooses among encodings as a conversion would, and says why it would refuse them.
///
/// # Errors
/// What would end the conversion: no encodings keep the budget, or those that do are below the least
/// coherence of their type.
pub fn refusal(album: &Album, progress: &Progress) -> Result<Option<Refusal>> {
    let mut table = Table::new(album, progress)?;
    let (found, _) = table.search(album, progress)?;
    table.check_tau(album, &found.chosen)?;
    Ok(table.check_strict(album, &found.chosen).err().map(Refusal::from))
}
