//! Provides the points of numbers in a table whose decimal mark is not known: they may separate thousands.

use super::classify::Fits;
use super::explain::has_thousands;
use super::{Profile, Resolved};
use crate::text::Mark;

/// Why a column of numbers with points is text beside others with decimal commas.
pub(crate) const GROUPED: &str = "its points may separate thousands, where other columns have decimal \
                                  commas; --decimal-comma=false reads them as decimal marks";

/// How numbers have points, where the decimal mark is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Points {
    /// None has one.
    #[default]
    Unseen,
    /// Behind each are three digits, and one to three before it, as where they separate thousands.
    Grouped,
    /// At least one is the decimal mark.
    Decimal,
}

impl Points {
    /// How a field has one, where it is a number.
    pub(super) fn of(text: &[u8], fits: &Fits) -> Self {
        let is_number = fits.number.is_some() || fits.decimal.is_some();
        match is_number && text.contains(&b'.') {
            true if has_thousands(text) => Points::Grouped,
            true => Points::Decimal,
            false => Points::Unseen,
        }
    }
}

impl Profile {
    /// The typing as text of a column that was found to be one of numbers with points, where other columns of
    /// its table have decimal commas: its points may as well separate thousands.
    pub(crate) fn unless_grouped(&self, found: Resolved) -> Resolved {
        let is_number = found.typing.data_type.is_floating() || found.typing.data_type.is_decimal();
        let has_points = is_number && found.typing.style.mark == Mark::Point;
        match has_points && self.points == Points::Grouped && self.rules.fixed.is_none() {
            true => self.as_text(GROUPED.to_owned()),
            false => found,
        }
    }
}
