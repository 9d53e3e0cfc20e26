//! Gates: bounds on what a model of human sight says about two images.
//!
//! A gate is no distance: its figure obeys no triangle inequality, adds up over no parts, and differs in its
//! last digits between programs. So it is checked and stated beside the distance, and never in its place.

use std::fmt;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// SSIMULACRA 2: 100 for equal images, about 90 where no difference is seen, less the more is seen.
    Ssimulacra2,
    /// Butteraugli: 0 for equal images, about 1 where a difference begins to be seen, more the more is seen.
    Butteraugli,
}

/// A bound on a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// What is measured.
    pub measure: Measure,
    /// The worst value that is allowed.
    pub limit: f64,
}

/// A gate, and what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The gate.
    pub gate: Gate,
    /// What was found.
    pub found: f64,
    /// The program that measured, as figures of others differ in their last digits.
    pub by: String,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Ssimulacra2, Self::Butteraugli];

    /// The name that options and certificates use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ssimulacra2 => "ssimulacra2",
            Self::Butteraugli => "butteraugli",
        }
    }

    /// The measure of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }

    /// Its value where nothing differs.
    pub fn best(self) -> f64 {
        match self {
            Self::Ssimulacra2 => 100.0,
            Self::Butteraugli => 0.0,
        }
    }

    /// Whether it can be bounded so: by a number on the worse side of the best value.
    pub fn allows(self, limit: f64) -> bool {
        limit.is_finite()
            && match self {
                Self::Ssimulacra2 => limit < self.best(),
                Self::Butteraugli => limit > self.best(),
            }
    }

    /// By how much two runs on machines of different kinds may differ: both sum a great many numbers of
    /// single precision, in an order that suits the machine.
    pub fn spread(self) -> f64 {
        match self {
            Self::Ssimulacra2 => 0.1,
            Self::Butteraugli => 0.01,
        }
    }
}

impl Gate {
    /// Whether a value passes. No number passes no gate.
    pub fn passes(&self, found: f64) -> bool {
        match self.measure {
            Measure::Ssimulacra2 => found >= self.limit,
            Measure::Butteraugli => found <= self.limit,
        }
    }

    /// How much of what the gate allows is used up: 0 where nothing differs, 1 where the gate is just passed,
    /// more where it is missed.
    pub fn strain(&self, found: f64) -> f64 {
        let best = self.measure.best();
        match (found - best).abs() {
            0.0 => 0.0,
            used => used / (self.limit - best).abs(),
        }
    }
}

impl Measured {
    /// Whether the gate is passed.
    pub fn holds(&self) -> bool {
        self.gate.passes(self.found)
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = match self.measure {
            Measure::Ssimulacra2 => "at least",
            Measure::Butteraugli => "at most",
        };
        write!(f, "{} {bound} {}", self.measure.name(), self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_pass_on_their_own_side() {
        let gate = |measure, limit| Gate { measure, limit };
        let (high, low) = (gate(Measure::Ssimulacra2, 80.0), gate(Measure::Butteraugli, 1.5));
        assert!(high.passes(80.0) && high.passes(91.0) && !high.passes(79.9));
        assert!(low.passes(1.5) && low.passes(0.2) && !low.passes(1.6));
        assert!(!high.passes(f64::NAN) && !low.passes(f64::NAN));
        for gate in [high, low] {
            assert_eq!(gate.strain(gate.limit), 1.0);
            assert_eq!(gate.strain(gate.measure.best()), 0.0);
            assert!(gate.strain(if gate == high { 70.0 } else { 3.0 }) > 1.0);
        }
        // Where nothing may be seen, everything that is seen is infinitely too much.
        assert_eq!(gate(Measure::Butteraugli, 0.0).strain(0.1), f64::INFINITY);
        assert!(Measure::ALL.iter().all(|m| Measure::named(m.name()) == Some(*m)));
        assert!(Measure::Ssimulacra2.allows(-5.0) && !Measure::Ssimulacra2.allows(100.0));
        assert!(Measure::Butteraugli.allows(1.0) && !Measure::Butteraugli.allows(f64::NAN));
    }
}
