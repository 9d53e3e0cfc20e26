//! How far two numbers may be apart and still pass for equal.

/// Bounds on the difference of two numbers; keeping one of them is enough. The default allows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tolerance {
    absolute: f64,
    relative: f64,
}

impl Tolerance {
    /// Differences up to `absolute`, or up to `relative` times the larger magnitude of the two numbers.
    /// `None` where a bound is negative or not finite.
    pub fn new(absolute: f64, relative: f64) -> Option<Self> {
        let bound = |value: f64| value.is_finite() && value >= 0.0;
        (bound(absolute) && bound(relative)).then_some(Self { absolute, relative })
    }

    /// The absolute bound, in units of the column.
    pub fn absolute(&self) -> f64 {
        self.absolute
    }

    /// The relative bound.
    pub fn relative(&self) -> f64 {
        self.relative
    }

    /// Both bounds where each of two tolerances has one: the wider of each.
    pub fn or(self, other: Self) -> Self {
        Self { absolute: self.absolute.max(other.absolute), relative: self.relative.max(other.relative) }
    }

    /// Whether two finite numbers whose difference is known are close enough.
    pub fn allows(&self, left: f64, right: f64, difference: f64) -> bool {
        let difference = difference.abs();
        difference <= self.absolute || difference <= self.relative * left.abs().max(right.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bound_is_enough() {
        let tolerance = Tolerance::new(0.5, 1e-3).unwrap();
        assert!(tolerance.allows(1.0, 1.5, -0.5));
        assert!(!tolerance.allows(1.0, 1.6, -0.6));
        assert!(tolerance.allows(1000.0, 1001.0, -1.0));
        assert!(tolerance.allows(-1001.0, -1000.0, -1.0));
        assert!(!Tolerance::default().allows(1.0, 1.0 + f64::EPSILON, -f64::EPSILON));
    }

    #[test]
    fn bounds_are_finite_and_not_negative() {
        for (absolute, relative) in [(-1.0, 0.0), (0.0, -1.0), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(Tolerance::new(absolute, relative), None);
        }
    }
}
