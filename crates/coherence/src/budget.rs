//! Budgets: how far a conversion may move a block as a whole, and how far any one part of it.
//!
//! A mean hides one ruined part, so a bound on the whole always comes with a floor for every part.

use crate::evidence::{Evidence, EvidenceError};
use thiserror::Error;

/// Bounds on distance, as rates of the norm: a rate of 0.01 keeps a coherence of at least 0.99.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Greatest `d / norm` of the whole block.
    pub whole: f64,
    /// Greatest `d / norm` of any part.
    pub part: f64,
    /// A part within this distance passes its floor whatever its norm: the companion for silent or black
    /// parts.
    pub part_absolute: f64,
}

/// A budget that was exceeded, or evidence that has no distance.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum OverBudget {
    /// The block as a whole moved too far.
    #[error("the whole is at distance {distance} where {allowed} is allowed")]
    Whole {
        /// Distance measured.
        distance: f64,
        /// Distance allowed.
        allowed: f64,
    },
    /// One part moved too far.
    #[error("part {part} is at distance {distance} where {allowed} is allowed")]
    Part {
        /// Index of the part.
        part: usize,
        /// Distance measured.
        distance: f64,
        /// Distance allowed.
        allowed: f64,
    },
    /// The evidence has no distance.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

impl Budget {
    /// Nothing may differ.
    pub const ZERO: Self = Self { whole: 0.0, part: 0.0, part_absolute: 0.0 };

    /// The same rate for the whole and for every part.
    pub fn within(rate: f64) -> Self {
        Self { whole: rate, part: rate, part_absolute: 0.0 }
    }

    /// Checks the whole bound and every part's floor; the first part that fails is named.
    pub fn check<'a>(&self, parts: impl IntoIterator<Item = &'a Evidence>) -> Result<(), OverBudget> {
        let (mut d_squared, mut norm_squared) = (0.0, 0.0);
        for (part, evidence) in parts.into_iter().enumerate() {
            let (d, norm) = (evidence.d_squared()?, evidence.norm_squared()?);
            let allowed = (self.part * norm.sqrt()).max(self.part_absolute);
            if !within(d, allowed) {
                return Err(OverBudget::Part { part, distance: d.sqrt(), allowed });
            }
            d_squared += d;
            norm_squared += norm;
        }
        let allowed = self.whole * norm_squared.sqrt();
        if within(d_squared, allowed) {
            return Ok(());
        }
        Err(OverBudget::Whole { distance: d_squared.sqrt(), allowed })
    }
}

/// A comparison that no NaN passes.
fn within(d_squared: f64, allowed: f64) -> bool {
    d_squared.sqrt() <= allowed
}
