//! Provides the candidates that a few fields may break: floating-point numbers and truth values whose other
//! fields all have one style.
//!
//! Of each style the profile collects the fields that have a value but not this style's text ([`Odd`]).

use super::agreed::{Offence, earlier};
use super::classify::{Fits, NumberFit};
use super::odd::{Odd, merge_all};
use crate::text::{BOOL_WORDS, Exponent, FloatStyle, Mark};

/// A candidate with its exceptions.
pub(super) struct Found<T> {
    pub(super) style: T,
    pub(super) mark: Mark,
    pub(super) bare_mark: bool,
    pub(super) odd: Odd,
}

/// Which exception too many ended a candidate, or which field that can be none.
pub(super) struct End {
    pub(super) offence: Offence,
    /// Exceptions with this one; 0 if it can be none.
    pub(super) count: usize,
}

/// The earlier of two ends.
pub(super) fn first_end(a: Option<End>, b: Option<End>) -> Option<End> {
    match (a, b) {
        (Some(a), Some(b)) if b.offence.row < a.offence.row => Some(b),
        (None, b) => b,
        (a, _) => a,
    }
}

/// The end by a field that can be no exception.
pub(super) fn hard(offence: Option<Offence>) -> Option<End> {
    offence.map(|offence| End { offence, count: 0 })
}

/// The last of these ends; none while one candidate has none.
fn last_end<'a>(all: impl Iterator<Item = &'a Odd>) -> Option<End> {
    let mut last: Option<&Odd> = None;
    for odd in all {
        let end = odd.end()?;
        if last.and_then(Odd::end).is_none_or(|known| known.row < end.row) {
            last = Some(odd);
        }
    }
    last.and_then(|odd| Some(End { offence: odd.end()?.clone(), count: odd.count() }))
}

/// Floating-point numbers.
#[derive(Debug, Clone)]
pub(super) struct LooseFloat {
    /// Bits of [`NumberFit::masks`] that are allowed.
    allowed: u8,
    /// The first field that is no such number.
    other: Option<Offence>,
    /// The first field without each bit of [`NumberFit::masks`].
    masks: [Option<Offence>; 4],
    /// By the bits of [`NumberFit::styles`].
    numbers: [Odd; 2 * Exponent::ALL.len()],
    nan: [Odd; 3],
    infinity: [Odd; 5],
    enabled: bool,
    /// Whether any style remains.
    pub(super) alive: bool,
    /// The styles and masks that remain.
    live: (u16, u8),
}

impl LooseFloat {
    /// Bits for both decimal marks.
    pub(super) const MARKS: u8 = 0b0011;
    /// Bits for whether an integral zero stands before the mark.
    pub(super) const LEADS: u8 = 0b1100;

    pub(super) fn new(enabled: bool, allowed: u8) -> Self {
        LooseFloat {
            allowed,
            other: None,
            masks: Default::default(),
            numbers: Default::default(),
            nan: Default::default(),
            infinity: Default::default(),
            enabled,
            alive: enabled,
            live: (!0, allowed),
        }
    }

    /// Whether exceptions are possible under the options.
    pub(super) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether a number that fits so leaves everything as it is.
    #[inline]
    pub(super) fn ignores(&self, fit: NumberFit) -> bool {
        !self.alive || (self.live.0 & !fit.styles == 0 && self.live.1 & !fit.masks == 0)
    }

    /// Whether every number is written so, as far as is known: where no exceptions are possible, nothing is.
    pub(super) fn has_all(&self, notation: usize, point_zero: bool) -> bool {
        let odd = &self.numbers[NumberFit::style(notation, point_zero)];
        !self.enabled || (!odd.is_broken() && odd.count() == 0)
    }

    pub(super) fn see(&mut self, fits: &Fits, field: &dyn Fn() -> Offence) {
        if !self.alive {
            return;
        }
        if let Some(fit) = fits.number {
            if self.ignores(fit) {
                return;
            }
            for (i, odd) in self.numbers.iter_mut().enumerate() {
                if fit.styles & 1 << i == 0 && !odd.is_broken() {
                    odd.push(field());
                }
            }
            for (i, slot) in self.masks.iter_mut().enumerate() {
                if fit.masks & 1 << i == 0 && slot.is_none() {
                    *slot = Some(field());
                }
            }
        } else if let Some(word) = fits.nan {
            see_word(&mut self.nan, word, field);
        } else if let Some(word) = fits.infinity {
            see_word(&mut self.infinity, word, field);
        } else {
            self.other = earlier(self.other.take(), Some(&field()));
        }
        self.settle();
    }

    fn settle(&mut self) {
        let live = |all: &[Odd]| all.iter().any(|odd| !odd.is_broken());
        let bits = |all: &mut dyn Iterator<Item = bool>| {
            all.enumerate().fold(0u16, |bits, (i, live)| bits | u16::from(live) << i)
        };
        self.live.0 = bits(&mut self.numbers.iter().map(|odd| !odd.is_broken()));
        self.live.1 = self.allowed & bits(&mut self.masks.iter().map(Option::is_none)) as u8;
        self.alive = self.enabled
            && self.other.is_none()
            && self.mask(Self::MARKS).is_some()
            && self.mask(Self::LEADS).is_some()
            && live(&self.numbers)
            && live(&self.nan)
            && live(&self.infinity);
    }

    /// The first bit of a group that remains.
    fn mask(&self, group: u8) -> Option<usize> {
        (0..4).find(|&i| group & self.allowed & 1 << i != 0 && self.masks[i].is_none())
    }

    fn mask_end(&self, group: u8) -> Option<End> {
        let bits = (0..4).filter(|i| group & self.allowed & 1 << i != 0);
        let ends: Option<Vec<&Offence>> = bits.map(|i| self.masks[i].as_ref()).collect();
        hard(ends?.into_iter().max_by_key(|offence| offence.row).cloned())
    }

    pub(super) fn merge(&mut self, other: &LooseFloat) {
        self.other = earlier(self.other.take(), other.other.as_ref());
        for (ours, theirs) in self.masks.iter_mut().zip(&other.masks) {
            *ours = earlier(ours.take(), theirs.as_ref());
        }
        merge_all(&mut self.numbers, &other.numbers);
        merge_all(&mut self.nan, &other.nan);
        merge_all(&mut self.infinity, &other.infinity);
        self.settle();
    }

    /// All combinations of styles for numbers and words.
    fn combinations(&self) -> Vec<(FloatStyle, Odd)> {
        let mut all = Vec::new();
        // Without words of a kind, their first spelling stands for all.
        let words = |odd: &[Odd]| if odd.iter().all(|o| o.count() == 0) { 1 } else { odd.len() };
        for (i, numbers) in self.numbers.iter().enumerate() {
            for nan in 0..words(&self.nan) {
                for infinity in 0..words(&self.infinity) {
                    let odd = numbers.union(&self.nan[nan]).union(&self.infinity[infinity]);
                    let (exponent, point_zero) = NumberFit::of_style(i);
                    all.push((FloatStyle { point_zero, exponent, nan, infinity }, odd));
                }
            }
        }
        all
    }

    /// The style with the fewest exceptions; among these the first.
    pub(super) fn find(&self) -> Option<Found<FloatStyle>> {
        if !self.alive {
            return None;
        }
        let mark = if self.mask(Self::MARKS)? == 0 { Mark::Point } else { Mark::Comma };
        let bare_mark = self.mask(Self::LEADS)? == 3;
        let unbroken = self.combinations().into_iter().filter(|(_, odd)| !odd.is_broken());
        let (style, odd) = unbroken.min_by_key(|(_, odd)| odd.count())?;
        odd.exceptions()?;
        Some(Found { style, mark, bare_mark, odd })
    }

    /// What ended the last style.
    pub(super) fn end(&self) -> Option<End> {
        let all = self.combinations();
        let soft = last_end(all.iter().map(|(_, odd)| odd));
        let masks = first_end(self.mask_end(Self::MARKS), self.mask_end(Self::LEADS));
        first_end(first_end(hard(self.other.clone()), masks), soft)
    }
}

fn see_word(words: &mut [Odd], word: usize, field: &dyn Fn() -> Offence) {
    for (i, odd) in words.iter_mut().enumerate() {
        if i != word && !odd.is_broken() {
            odd.push(field());
        }
    }
}

/// Truth values.
#[derive(Debug, Clone)]
pub(super) struct LooseBool {
    /// The first field that is no truth value.
    other: Option<Offence>,
    words: [Odd; 3],
    enabled: bool,
    /// Whether any words remain.
    pub(super) alive: bool,
}

impl LooseBool {
    pub(super) fn new(enabled: bool) -> Self {
        LooseBool { other: None, words: Default::default(), enabled, alive: enabled }
    }

    pub(super) fn see(&mut self, text: &[u8], field: &dyn Fn() -> Offence) {
        if !self.alive {
            return;
        }
        let (yes, no) = BOOL_WORDS[0];
        if text.eq_ignore_ascii_case(yes.as_bytes()) || text.eq_ignore_ascii_case(no.as_bytes()) {
            for ((yes, no), odd) in BOOL_WORDS.iter().zip(&mut self.words) {
                if text != yes.as_bytes() && text != no.as_bytes() && !odd.is_broken() {
                    odd.push(field());
                }
            }
        } else {
            self.other = earlier(self.other.take(), Some(&field()));
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.alive = self.enabled && self.other.is_none() && self.words.iter().any(|odd| !odd.is_broken());
    }

    pub(super) fn merge(&mut self, other: &LooseBool) {
        self.other = earlier(self.other.take(), other.other.as_ref());
        merge_all(&mut self.words, &other.words);
        self.settle();
    }

    /// The words with the fewest exceptions; among these the first.
    pub(super) fn find(&self) -> Option<Found<usize>> {
        let unbroken = self.words.iter().enumerate().filter(|(_, odd)| self.alive && !odd.is_broken());
        let (words, odd) = unbroken.min_by_key(|(_, odd)| odd.count())?;
        odd.exceptions()?;
        Some(Found { style: words, mark: Mark::Point, bare_mark: false, odd: odd.clone() })
    }

    /// What ended the last words.
    pub(super) fn end(&self) -> Option<End> {
        first_end(hard(self.other.clone()), last_end(self.words.iter()))
    }
}
