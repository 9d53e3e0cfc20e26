//! Provides layouts of floating point numbers that a sample leaves open: numbers such as `1.5`, which writers
//! of all layouts write alike, do not tell which of them it was, until one such as `0.00005` comes by.
//!
//! A column may be read under all layouts that are left, and each number leaves fewer. What is left after
//! all numbers does not depend on their order, and is what a profile of all of them would find; so whoever
//! needs the values first, and the layout only at the end, need not read the text twice.

use std::sync::atomic::{AtomicU16, Ordering};

use super::lexer::Number;
use super::number::{self, Width};
use super::typing::{Exponent, FloatStyle, Style, Typing};

/// Layouts in the order in which they are preferred.
pub(crate) const STYLES: [FloatStyle; 10] = [
    style(true, Exponent::Python),
    style(true, Exponent::Ecma),
    style(true, Exponent::Rust),
    style(true, Exponent::Java),
    style(true, Exponent::Never),
    style(false, Exponent::Python),
    style(false, Exponent::Ecma),
    style(false, Exponent::Rust),
    style(false, Exponent::Java),
    style(false, Exponent::Never),
];

const fn style(point_zero: bool, exponent: Exponent) -> FloatStyle {
    FloatStyle { point_zero, exponent, words: false }
}

/// A set of `STYLES`: bit i stands for the one at i.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layouts(u16);

impl Layouts {
    /// Those for which `fits` holds.
    pub(crate) fn that(fits: impl Fn(usize) -> bool) -> Self {
        let bits = (0..STYLES.len()).filter(|at| fits(*at));
        Layouts(bits.fold(0, |set, at| set | 1 << at))
    }

    /// The preferred one of them.
    pub(crate) fn first(self) -> Option<FloatStyle> {
        STYLES.get(self.0.trailing_zeros() as usize).copied()
    }

    /// Whether more than one is left.
    pub(crate) fn is_open(self) -> bool {
        self.0.count_ones() > 1
    }

    /// The value of a number, if one of these layouts writes it so; those that do not are left out from now
    /// on. Where none does, all stay.
    #[inline]
    pub(super) fn read(&mut self, number: &Number<'_>, width: Width, scratch: &mut Vec<u8>) -> Option<f64> {
        // A number that one layout writes without an exponent, and all others too for its size, tells them
        // apart only if it is whole.
        let whole = number.fraction == 0 || (number.fraction == 1 && number.text.ends_with(b"0"));
        if !whole
            && let Some(value) = self.first()?.read(number, width, scratch)
            && number::in_every_range(value)
        {
            return Some(value);
        }
        self.narrow(number, width, scratch)
    }

    #[inline(never)]
    fn narrow(&mut self, number: &Number<'_>, width: Width, scratch: &mut Vec<u8>) -> Option<f64> {
        let (mut left, mut found) = (0, None);
        for (at, style) in STYLES.iter().enumerate() {
            if self.0 >> at & 1 == 1
                && let Some(value) = style.read(number, width, scratch)
            {
                left |= 1 << at;
                found = Some(value);
            }
        }
        if found.is_some() {
            self.0 = left;
        }
        found
    }
}

/// What is left for each column of floating point numbers of a table, nested ones included, in the order of
/// their typings; shared by all who read parts of it.
#[derive(Debug)]
pub(super) struct Left(Vec<AtomicU16>);

impl Left {
    pub(super) fn new(layouts: &[Layouts]) -> Self {
        Left(layouts.iter().map(|layouts| AtomicU16::new(layouts.0)).collect())
    }

    /// What is left for the column at this place, once these are all that one reader left.
    pub(super) fn keep(&self, at: usize, layouts: Layouts) -> Layouts {
        let known = self.0.get(at).map(|left| left.fetch_and(layouts.0, Ordering::Relaxed));
        Layouts(known.unwrap_or_default() & layouts.0)
    }

    /// What is left for the column at this place.
    pub(super) fn at(&self, at: usize) -> Layouts {
        Layouts(self.0.get(at).map_or(0, |left| left.load(Ordering::Relaxed)))
    }

    /// These typings with the preferred one of the layouts that are left.
    pub(super) fn settle(&self, typings: &[Typing]) -> Vec<Typing> {
        let mut settled = typings.to_vec();
        let mut at = 0;
        each_layout(&mut settled, &mut |style| {
            *style = self.at(at).first().unwrap_or(*style);
            at += 1;
        });
        settled
    }
}

/// Visits the layouts of all columns of floating point numbers, nested ones included, in order.
pub(crate) fn each_layout(typings: &mut [Typing], visit: &mut dyn FnMut(&mut FloatStyle)) {
    for typing in typings {
        if let Style::Float(style) = &mut typing.style {
            visit(style);
        }
        each_layout(&mut typing.children, visit);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lexer::Cursor;
    use super::super::number_profile::NumberProfile;
    use super::*;

    fn read(layouts: &mut Layouts, text: &str) -> Option<f64> {
        layouts.read(&Cursor::new(text.as_bytes()).number().unwrap(), Width::Double, &mut Vec::new())
    }

    /// What a profile of these numbers leaves.
    fn profiled<'a>(texts: impl IntoIterator<Item = &'a String>) -> Layouts {
        let mut profile = NumberProfile::default();
        for (row, text) in (0..).zip(texts) {
            profile.observe((row, 0), &Cursor::new(text.as_bytes()).number().unwrap());
        }
        profile.layouts()
    }

    proptest! {
        #[test]
        fn reading_leaves_what_a_profile_of_all_numbers_finds(
            numbers in proptest::collection::vec((1_u64..10_000, -26_i32..26, any::<bool>()), 1..12),
            style in 0..STYLES.len(),
            sampled in 0_usize..6,
            other in proptest::option::of((0_usize..12, 0..STYLES.len())),
        ) {
            let text = |at: usize, &(digits, power, negative): &(u64, i32, bool)| {
                let value = digits as f64 * 10_f64.powi(power) * if negative { -1.0 } else { 1.0 };
                let style = other.filter(|(odd, _)| *odd == at).map_or(style, |(_, other)| other);
                let mut out = Vec::new();
                STYLES[style].write(value, Width::Double, &mut out);
                String::from_utf8(out).unwrap()
            };
            let texts: Vec<String> = numbers.iter().enumerate().map(|(at, number)| text(at, number)).collect();
            let mut layouts = profiled(texts.iter().take(sampled));
            let all = profiled(&texts);
            for text in texts.iter().skip(sampled) {
                let before = layouts;
                match read(&mut layouts, text) {
                    Some(value) => prop_assert_eq!(value, text.parse::<f64>().unwrap()),
                    None => {
                        prop_assert_eq!(all, Layouts::default());
                        layouts = before;
                    }
                }
            }
            if all != Layouts::default() {
                prop_assert_eq!(layouts, all, "{:?}", texts);
            }
        }
    }

    #[test]
    fn readers_of_parts_leave_what_all_of_them_left() {
        let all = Layouts::that(|_| true);
        let left = Left::new(&[all]);
        let (mut one, mut other) = (all, all);
        assert_eq!(read(&mut one, "0.00005"), Some(0.00005));
        assert_eq!(read(&mut other, "12345678.5"), Some(12345678.5));
        left.keep(0, one);
        left.keep(0, other);
        let settled = left.settle(&[Typing::of(&arrow_schema::DataType::Float64)]);
        assert_eq!(settled[0].style, Style::Float(style(true, Exponent::Ecma)));
        assert_eq!(read(&mut other, "5e-05"), Some(0.00005), "another reader may find what does not agree");
        assert_eq!(left.keep(0, other), Layouts::default());
    }
}
