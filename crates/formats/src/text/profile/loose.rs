//! Provides the candidates that a few fields may break: floating-point numbers and truth values whose other
//! fields all have one style.
//!
//! Of each style the profile collects the fields that have a value but not this style's text. They are few if
//! there are at most [`EXCEPTIONS_MAX`] and, in every prefix of the column, at most one in
//! [`ROWS_PER_EXCEPTION`] rows and one more. Both bounds, once broken, stay broken whatever else the column
//! holds, so the outcome does not depend on the grouping; exceptions after the one that broke them are not
//! needed and forgotten.

use super::agreed::{Offence, earlier};
use super::classify::{Fits, NumberFit};
use crate::limits::EXCEPTIONS_MAX;
use crate::text::{BOOL_WORDS, Exception, Exceptions, Exponent, FloatStyle, Mark};

/// Rows from the top that must stand before each further exception.
pub(super) const ROWS_PER_EXCEPTION: u64 = 100;

/// The fields that do not have one style, in the order of their rows, up to the one that is too many.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Odd {
    fields: Vec<Offence>,
    /// Whether the last field is too many.
    broken: bool,
}

impl Odd {
    fn push(&mut self, field: Offence) {
        if self.broken {
            return;
        }
        if self.fields.last().is_none_or(|last| last.row < field.row) {
            self.broken = is_too_many(self.fields.len() + 1, field.row);
            self.fields.push(field);
        } else {
            *self = self.union(&Odd { fields: vec![field], broken: false });
        }
    }

    fn union(&self, other: &Odd) -> Odd {
        let (mut ours, mut theirs) = (self.fields.iter().peekable(), other.fields.iter().peekable());
        let mut all = Odd::default();
        while !all.broken {
            let ours_first = match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) => a.row < b.row,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            let next = if ours_first { ours.next() } else { theirs.next() };
            if let Some(field) = next.filter(|field| all.fields.last().is_none_or(|l| l.row < field.row)) {
                all.push(field.clone());
            }
        }
        all
    }

    fn merge(&mut self, other: &Odd) {
        if !other.fields.is_empty() {
            *self = self.union(other);
        }
    }

    /// The field that is too many.
    fn end(&self) -> Option<&Offence> {
        self.fields.last().filter(|_| self.broken)
    }

    fn exceptions(&self) -> Option<Exceptions> {
        let exception = |field: &Offence| {
            let text = String::from_utf8(field.text.to_vec()).ok()?;
            Some(Exception { row: field.row, text })
        };
        Exceptions::new(self.fields.iter().map(exception).collect::<Option<_>>()?)
    }
}

/// Whether a field in this row is one exception too many, being the `count`-th.
fn is_too_many(count: usize, row: u64) -> bool {
    count > EXCEPTIONS_MAX || row < ROWS_PER_EXCEPTION * (count as u64 - 1)
}

/// A candidate with its exceptions.
pub(super) struct Found<T> {
    pub(super) style: T,
    pub(super) mark: Mark,
    pub(super) bare_mark: bool,
    pub(super) odd: Odd,
    pub(super) exceptions: Exceptions,
}

impl Odd {
    /// Count of exceptions and the first of them.
    pub(super) fn first(&self) -> Option<(usize, &Offence)> {
        self.fields.first().map(|first| (self.fields.len(), first))
    }
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
    last.and_then(|odd| Some(End { offence: odd.end()?.clone(), count: odd.fields.len() }))
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
    numbers: [Odd; 8],
    nan: [Odd; 3],
    infinity: [Odd; 5],
    enabled: bool,
    /// Whether any style remains.
    pub(super) alive: bool,
    /// The styles and masks that remain.
    live: (u8, u8),
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

    pub(super) fn see(&mut self, fits: &Fits, field: &dyn Fn() -> Offence) {
        if !self.alive {
            return;
        }
        if let Some(fit) = fits.number {
            if self.ignores(fit) {
                return;
            }
            for (i, odd) in self.numbers.iter_mut().enumerate() {
                if fit.styles & 1 << i == 0 && !odd.broken {
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
        let live = |all: &[Odd]| all.iter().any(|odd| !odd.broken);
        let bits = |all: &mut dyn Iterator<Item = bool>| {
            all.enumerate().fold(0u8, |bits, (i, live)| bits | u8::from(live) << i)
        };
        self.live.0 = bits(&mut self.numbers.iter().map(|odd| !odd.broken));
        self.live.1 = self.allowed & bits(&mut self.masks.iter().map(Option::is_none));
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
        let words = |odd: &[Odd]| if odd.iter().all(|o| o.fields.is_empty()) { 1 } else { odd.len() };
        for (i, numbers) in self.numbers.iter().enumerate() {
            for nan in 0..words(&self.nan) {
                for infinity in 0..words(&self.infinity) {
                    let odd = numbers.union(&self.nan[nan]).union(&self.infinity[infinity]);
                    let exponent = Exponent::ALL[i % 4];
                    all.push((FloatStyle { point_zero: i >= 4, exponent, nan, infinity }, odd));
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
        let unbroken = self.combinations().into_iter().filter(|(_, odd)| !odd.broken);
        let (style, odd) = unbroken.min_by_key(|(_, odd)| odd.fields.len())?;
        Some(Found { style, mark, bare_mark, exceptions: odd.exceptions()?, odd })
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
        if i != word && !odd.broken {
            odd.push(field());
        }
    }
}

fn merge_all(ours: &mut [Odd], theirs: &[Odd]) {
    for (ours, theirs) in ours.iter_mut().zip(theirs) {
        ours.merge(theirs);
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
                if text != yes.as_bytes() && text != no.as_bytes() && !odd.broken {
                    odd.push(field());
                }
            }
        } else {
            self.other = earlier(self.other.take(), Some(&field()));
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.alive = self.enabled && self.other.is_none() && self.words.iter().any(|odd| !odd.broken);
    }

    pub(super) fn merge(&mut self, other: &LooseBool) {
        self.other = earlier(self.other.take(), other.other.as_ref());
        merge_all(&mut self.words, &other.words);
        self.settle();
    }

    /// The words with the fewest exceptions; among these the first.
    pub(super) fn find(&self) -> Option<Found<usize>> {
        let unbroken = self.words.iter().enumerate().filter(|(_, odd)| self.alive && !odd.broken);
        let (words, odd) = unbroken.min_by_key(|(_, odd)| odd.fields.len())?;
        let exceptions = odd.exceptions()?;
        Some(Found { style: words, mark: Mark::Point, bare_mark: false, odd: odd.clone(), exceptions })
    }

    /// What ended the last words.
    pub(super) fn end(&self) -> Option<End> {
        first_end(hard(self.other.clone()), last_end(self.words.iter()))
    }
}
