//! Provides what all fields of a column must agree on, and the first field that did not.

use std::sync::Arc;

/// A field that speaks against a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offence {
    /// Row, counted from 0.
    pub(super) row: u64,
    /// The field, cut to a length fit for a message.
    pub(super) text: Arc<[u8]>,
    /// Whether it was quoted.
    pub(super) quoted: bool,
}

impl Offence {
    /// Bytes of a field that are kept.
    const KEPT: usize = 100;

    pub(super) fn new(row: u64, text: &[u8], quoted: bool) -> Self {
        Offence { row, text: text[..text.len().min(Self::KEPT)].into(), quoted }
    }
}

/// The offence in the lower row.
pub(super) fn earlier(a: Option<Offence>, b: Option<&Offence>) -> Option<Offence> {
    match (a, b) {
        (Some(a), Some(b)) if b.row < a.row => Some(b.clone()),
        (None, b) => b.cloned(),
        (a, _) => a,
    }
}

/// The offence in the lowest row for each candidate, by bits: few fields end all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Offences(Vec<(u64, Offence)>);

impl Offences {
    /// Takes note that a field does not fit these candidates.
    pub(super) fn see(&mut self, mut candidates: u64, offence: &Offence) {
        for (known, first) in &mut self.0 {
            if offence.row < first.row {
                *known &= !candidates;
            } else {
                candidates &= !*known;
            }
        }
        self.0.retain(|(known, _)| *known != 0);
        match self.0.iter_mut().find(|(_, first)| first == offence) {
            Some((known, _)) => *known |= candidates,
            None if candidates != 0 => self.0.push((candidates, offence.clone())),
            None => {}
        }
    }

    /// Takes note of all that another has seen.
    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(candidates, offence)| self.see(*candidates, offence));
    }

    /// The first field that does not fit the candidate of this bit.
    pub(super) fn of(&self, position: usize) -> Option<&Offence> {
        self.0.iter().find(|(candidates, _)| candidates & (1 << position) != 0).map(|(_, offence)| offence)
    }
}

/// A property of fields, with the lowest row that shows one and the lowest row that shows another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreed<T> {
    first: Option<(T, Offence)>,
    /// The lowest row whose property differs from that of `first`.
    pub(super) broken: Option<Offence>,
}

impl<T> Default for Agreed<T> {
    fn default() -> Self {
        Agreed { first: None, broken: None }
    }
}

impl<T: Copy + PartialEq> Agreed<T> {
    /// Notes the property of a field.
    #[inline]
    pub(super) fn see(&mut self, property: T, row: u64, text: &[u8]) {
        match &self.first {
            Some((known, first)) if *known == property && first.row < row => {}
            _ => {
                self.merge(&Agreed { first: Some((property, Offence::new(row, text, false))), broken: None })
            }
        }
    }

    /// What was noted by either.
    pub(super) fn merge(&mut self, other: &Self) {
        let Some((theirs, their_first)) = &other.first else {
            return;
        };
        let Some((ours, our_first)) = &self.first else {
            *self = other.clone();
            return;
        };
        if ours == theirs {
            let broken = earlier(self.broken.take(), other.broken.as_ref());
            if their_first.row < our_first.row {
                self.first = other.first.clone();
            }
            self.broken = broken;
        } else if our_first.row < their_first.row {
            // Their first row is their lowest, and it differs from ours.
            self.broken = earlier(self.broken.take(), Some(their_first));
        } else {
            self.broken = earlier(other.broken.clone(), Some(our_first));
            self.first = other.first.clone();
        }
    }

    /// What the lowest row shows, if that is before this one.
    pub(super) fn first_before(&self, row: u64) -> Option<T> {
        self.first.as_ref().filter(|(_, first)| first.row < row).map(|(property, _)| *property)
    }

    /// What the lowest row shows.
    pub(super) fn first(&self) -> Option<T> {
        self.first.as_ref().map(|(property, _)| *property)
    }
}

/// What timestamps without zeros at the end of their fractions reach: one unit must hold all of them, and
/// nanoseconds hold only three centuries around 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// The lowest row with more than six digits after the second, which only nanoseconds have.
    fine: Option<Offence>,
    /// The lowest row that nanoseconds do not hold.
    far: Option<Offence>,
}

impl Reach {
    /// Notes what a field asks for.
    pub(super) fn see(&mut self, fine: bool, far: bool, row: u64, text: &[u8]) {
        for (asked, lowest) in [(fine, &mut self.fine), (far, &mut self.far)] {
            if asked && lowest.as_ref().is_none_or(|known| row < known.row) {
                *lowest = Some(Offence::new(row, text, false));
            }
        }
    }

    /// What was noted by either.
    pub(super) fn merge(&mut self, other: &Self) {
        self.fine = earlier(self.fine.take(), other.fine.as_ref());
        self.far = earlier(self.far.take(), other.far.as_ref());
    }

    /// Whether nanoseconds are asked for.
    pub(super) fn is_fine(&self) -> bool {
        self.fine.is_some()
    }

    /// The row from which on no unit holds all fields.
    pub(super) fn broken(&self) -> Option<&Offence> {
        let (fine, far) = self.fine.as_ref().zip(self.far.as_ref())?;
        Some(if fine.row > far.row { fine } else { far })
    }
}
