//! Provides the numbers of a column that not every style writes, as long as there may be a style for which
//! they are few enough to be kept as exceptions: at most [`EXCEPTIONS_MAX`], wherever they stand.
//!
//! A style with too many has too many whatever else the column holds, and is forgotten with what only it
//! missed, so any grouping of the same numbers ends in the same state.

use super::layouts::STYLES;
use super::lexer::Number;
use super::number::Width;
use super::number_profile::{Spot, Witness, earlier};
use super::typing::FloatStyle;
use crate::limits::EXCEPTIONS_MAX;
use crate::text::{Exception, Exceptions, Mark, NUMBER_BYTES_MAX, is_odd_number, read_any};

/// Styles as bits.
type Styles = u16;

/// The numbers, in the order of their records, each of which holds one at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OddNumbers {
    numbers: Vec<OddNumber>,
    /// How many numbers each style misses.
    counts: Vec<usize>,
    /// Styles that do not miss too many.
    live: Styles,
    /// The first number that is no exception to any style: one that a double does not hold, or a long text.
    other: Option<Witness>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct OddNumber {
    row: u64,
    text: Box<str>,
    /// The styles that do not write it.
    missed: Styles,
}

/// Whether a number may be an exception to a style.
pub(super) fn may_be_odd(number: &Number<'_>) -> bool {
    let mut scratch = Vec::new();
    let mut writes = |style: &FloatStyle| style.read(number, Width::Double, &mut scratch).is_some();
    tells_its_value(number.text, || STYLES.iter().any(&mut writes))
}

/// Whether the text of a number is a short one that a double holds; `written` says whether any style writes
/// it.
fn tells_its_value(text: &[u8], written: impl FnOnce() -> bool) -> bool {
    let value = read_any(text, Mark::Point);
    let odd = value.is_some_and(|value| is_odd_number(text, Mark::Point, value));
    text.len() <= NUMBER_BYTES_MAX && (odd || written())
}

/// A style, by its index, with its exceptions.
pub(super) struct Found {
    pub(super) style: usize,
    pub(super) exceptions: Exceptions,
    /// What is to be said of them.
    pub(super) why: String,
}

impl OddNumbers {
    /// None, of so many styles.
    pub(super) fn new(styles: usize) -> Self {
        OddNumbers { numbers: Vec::new(), counts: vec![0; styles], live: (1 << styles) - 1, other: None }
    }

    /// Whether it matters if this style writes a number.
    pub(super) fn asks(&self, style: usize) -> bool {
        self.other.is_none() && self.live & 1 << style != 0
    }

    /// Adds a number that these styles do not write; `written` says whether any style does.
    pub(super) fn observe(
        &mut self,
        (row, byte): Spot,
        text: &[u8],
        missed: Styles,
        written: impl FnOnce() -> bool,
    ) {
        let missed = missed & self.live;
        if missed == 0 {
            return;
        }
        if !tells_its_value(text, written) {
            earlier(&mut self.other, Some(&Witness::new((row, byte), text)));
            return;
        }
        let at = self.numbers.partition_point(|number| number.row < row);
        self.numbers.insert(at, OddNumber { row, text: String::from_utf8_lossy(text).into(), missed });
        self.count(missed);
        self.forget();
    }

    pub(super) fn merge(&mut self, other: &OddNumbers) {
        earlier(&mut self.other, other.other.as_ref());
        self.live &= other.live;
        self.numbers.extend(other.numbers.iter().cloned());
        self.numbers.sort_by_key(|number| number.row);
        self.counts.fill(0);
        for at in 0..self.numbers.len() {
            self.count(self.numbers[at].missed);
        }
        self.forget();
    }

    fn count(&mut self, missed: Styles) {
        for (style, count) in self.counts.iter_mut().enumerate() {
            *count += usize::from(missed >> style & 1);
        }
    }

    /// Forgets the styles that miss too many, and what only they miss.
    fn forget(&mut self) {
        let few = self.counts.iter().enumerate().filter(|(_, count)| **count <= EXCEPTIONS_MAX);
        let live = few.fold(0, |bits, (style, _)| bits | 1 << style) & self.live;
        let stale = |number: &OddNumber| number.missed & !live != 0;
        if live == self.live && !self.numbers.iter().any(stale) {
            return;
        }
        self.live = live;
        self.numbers.iter_mut().for_each(|number| number.missed &= live);
        self.numbers.retain(|number| number.missed != 0);
        self.counts.fill(0);
        for at in 0..self.numbers.len() {
            self.count(self.numbers[at].missed);
        }
    }

    /// The style with the fewest exceptions; among these the first.
    pub(super) fn find(&self) -> Option<Found> {
        let live = (0..self.counts.len()).filter(|style| self.asks(*style));
        let style = live.min_by_key(|style| self.counts[*style])?;
        let odd = self.numbers.iter().filter(|number| number.missed & 1 << style != 0);
        let odd: Vec<_> = odd.map(|odd| Exception { row: odd.row, text: odd.text.to_string() }).collect();
        let (first, more) = odd.split_first()?;
        let place = format!("{} (record {})", first.text, first.row + 1);
        let why = match more.len() {
            0 => format!("{place} is not written like the others; its text is kept as an exception"),
            more => format!(
                "{place} is not written like the others; the texts of it and {more} more are kept as \
                 exceptions"
            ),
        };
        Some(Found { style, exceptions: Exceptions::new(odd)?, why })
    }
}
