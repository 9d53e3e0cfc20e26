//! Budgets: how far a conversion may move a block as a whole, and how far any one part of it.
//!
//! A mean hides one ruined part, so a bound on the whole always comes with a floor for every part.

use crate::evidence::{Evidence, EvidenceError};
use thiserror::Error;

/// One bound on how far content may move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Greatest `d / norm`: a rate of 0.01 keeps a coherence of at least 0.99.
    Rate(f64),
    /// Greatest root mean square error, in units of the values.
    Rmse(f64),
    /// Greatest difference between two values, in their units. Nothing that is no number may differ.
    MaxAbs(f64),
}

/// Bounds on the whole and on each of its parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// For the whole block.
    pub whole: Bound,
    /// The floor: for every part.
    pub part: Bound,
    /// A part within this root mean square error passes its floor whatever its norm: the companion for silent
    /// or black parts.
    pub part_absolute: f64,
    /// A part within this distance passes its floor too, however few values it has. No conversion asks for
    /// that; certificates of earlier versions state it.
    pub part_distance: f64,
}

/// A budget that was exceeded, or evidence that has no distance.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum OverBudget {
    /// The block as a whole moved too far.
    #[error("the whole is at {measure} {found} where {allowed} is allowed")]
    Whole {
        /// What was measured.
        measure: &'static str,
        /// Found.
        found: f64,
        /// Allowed.
        allowed: f64,
    },
    /// One part moved too far.
    #[error("part {part} is at {measure} {found} where {allowed} is allowed")]
    Part {
        /// Index of the part.
        part: usize,
        /// What was measured.
        measure: &'static str,
        /// Found.
        found: f64,
        /// Allowed.
        allowed: f64,
        /// The distance that the companion of the floor allows this part.
        absolute: f64,
    },
    /// Pieces were held to another floor than that of the budget.
    #[error("the pieces of the whole were held to another floor")]
    OtherFloor,
    /// The evidence has no distance.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// What a bound says about some evidence: the quantity, how much of it was found, and how much is allowed.
type Reading = (&'static str, f64, f64);

/// What a floor says about one part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Floor {
    /// What was measured.
    pub measure: &'static str,
    /// Found.
    pub found: f64,
    /// Allowed.
    pub allowed: f64,
    /// The distance that its absolute companion allows.
    pub absolute: f64,
    /// Whether the part keeps it, be it by its absolute companion.
    pub holds: bool,
    /// How much of it the part uses up: 0 where nothing moved, more than 1 where it is missed.
    pub strain: f64,
}

impl Bound {
    /// Nothing may move at all.
    pub const ZERO: Self = Self::Rate(0.0);

    /// The greatest distance that the bound leaves to a content of this norm and count of values.
    pub fn distance(&self, norm_squared: f64, values: u64) -> f64 {
        match *self {
            Self::Rate(rate) => rate * norm_squared.sqrt(),
            Self::Rmse(bound) | Self::MaxAbs(bound) => bound * (values as f64).sqrt(),
        }
    }

    fn read(&self, sums: &Sums) -> Reading {
        let distance = sums.d_squared.sqrt();
        match *self {
            Self::Rate(_) => ("distance", distance, self.distance(sums.norm_squared, sums.values)),
            Self::Rmse(bound) => {
                let values = (sums.values.max(1)) as f64;
                ("root mean square error", (sums.d_squared / values).sqrt(), bound)
            }
            // A symbol that changed is no number away.
            Self::MaxAbs(_) if sums.symbols_differing => ("largest error", f64::INFINITY, 0.0),
            Self::MaxAbs(bound) => ("largest error", sums.max_abs, bound),
        }
    }
}

/// What bounds look at, of one part or of several.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    d_squared: f64,
    norm_squared: f64,
    values: u64,
    max_abs: f64,
    symbols_differing: bool,
}

impl Sums {
    fn of(evidence: &Evidence) -> Result<Self, EvidenceError> {
        Ok(Self {
            d_squared: evidence.d_squared()?,
            norm_squared: evidence.norm_squared()?,
            values: evidence.measured(),
            max_abs: evidence.max_abs(),
            symbols_differing: evidence.columns.iter().any(|column| column.symbols_differing > 0),
        })
    }

    fn add(&mut self, other: &Self) {
        self.d_squared += other.d_squared;
        self.norm_squared += other.norm_squared;
        self.values = self.values.saturating_add(other.values);
        self.max_abs = self.max_abs.max(other.max_abs);
        self.symbols_differing |= other.symbols_differing;
    }
}

impl Budget {
    /// Nothing may differ.
    pub const ZERO: Self = Self::within(Bound::ZERO);

    /// The same bound for the whole and for every part.
    pub const fn within(bound: Bound) -> Self {
        Self { whole: bound, part: bound, part_absolute: 0.0, part_distance: 0.0 }
    }

    /// How much of its bounds a block of one part uses up, by the tighter one: 0 where nothing moved, 1 where
    /// a bound is just kept, more where it is missed.
    pub fn strain(&self, evidence: &Evidence) -> Result<f64, EvidenceError> {
        let sums = Sums::of(evidence)?;
        let (_, found, allowed) = self.whole.read(&sums);
        let (_, of_part, floor) = self.part.read(&sums);
        Ok(used(found, allowed).max(used(of_part, floor)))
    }

    /// What the floor says about a part.
    pub(crate) fn floor(&self, evidence: &Evidence) -> Result<Floor, EvidenceError> {
        Ok(self.floor_of(&Sums::of(evidence)?))
    }

    fn floor_of(&self, sums: &Sums) -> Floor {
        let (measure, found, allowed) = self.part.read(sums);
        let distance = sums.d_squared.sqrt();
        let absolute = (self.part_absolute.powi(2) * sums.values as f64).sqrt().max(self.part_distance);
        // No distance excuses what a bound on single values calls infinitely far.
        let excused = found < f64::INFINITY && distance <= absolute;
        let holds = found <= allowed || excused;
        let strain = match excused {
            true => used(found, allowed).min(used(distance, absolute)),
            false => used(found, allowed),
        };
        Floor { measure, found, allowed, absolute, holds, strain }
    }

    /// Checks the bound on the whole alone.
    pub(crate) fn check_whole(&self, evidence: &Evidence) -> Result<(), OverBudget> {
        self.check_sums(&Sums::of(evidence)?)
    }

    fn check_sums(&self, all: &Sums) -> Result<(), OverBudget> {
        let (measure, found, allowed) = self.whole.read(all);
        if found <= allowed { Ok(()) } else { Err(OverBudget::Whole { measure, found, allowed }) }
    }

    /// Checks the whole bound and every part's floor; the first part that fails is named.
    pub fn check<'a>(&self, parts: impl IntoIterator<Item = &'a Evidence>) -> Result<(), OverBudget> {
        let mut all = Sums::default();
        for (part, evidence) in parts.into_iter().enumerate() {
            let sums = Sums::of(evidence)?;
            let Floor { measure, found, allowed, absolute, holds, .. } = self.floor_of(&sums);
            if !holds {
                return Err(OverBudget::Part { part, measure, found, allowed, absolute });
            }
            all.add(&sums);
        }
        self.check_sums(&all)
    }
}

/// How much of what is allowed is used up.
fn used(found: f64, allowed: f64) -> f64 {
    if found == 0.0 { 0.0 } else { found / allowed }
}
