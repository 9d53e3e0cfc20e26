//! Provides [`TypingRules`].

use std::collections::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::text::{DateOrder, Fresh, Profile, TypingOptions};
use crate::words::instead_of;

/// How the columns of a text become typed.
#[derive(Debug, Clone, Default)]
pub struct TypingRules {
    /// The rule for all columns.
    pub all: TypingOptions,
    /// Types that were given for single columns, by name.
    pub fixed: Vec<(String, String)>,
    /// Orders of day and month that were given for single columns, by name.
    pub orders: Vec<(String, DateOrder)>,
    /// Whether a name among the types that the source does not have is passed over.
    pub fixed_if_present: bool,
}

impl TypingRules {
    /// Fresh profiles for columns of these names.
    pub(crate) fn profiles<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<Fresh> {
        let names: Vec<&str> = names.collect();
        let known: HashSet<&str> = names.iter().copied().collect();
        for (name, _) in &self.fixed {
            if !self.fixed_if_present && !known.contains(name.as_str()) {
                return Err(Error::Misuse(format!(
                    "--type {name}=…: the source has no column {name:?}; {}",
                    instead_of(name, &names)
                )));
            }
        }
        // Of two types for one column the first counts.
        let fixed: HashMap<&str, &String> =
            self.fixed.iter().rev().map(|(name, ty)| (name.as_str(), ty)).collect();
        let orders: HashMap<&str, DateOrder> =
            self.orders.iter().map(|(name, order)| (name.as_str(), *order)).collect();
        let common = Profile::with_options(&self.all)?;
        let others = names.iter().enumerate().filter_map(|(column, name)| {
            let (ty, order) = (fixed.get(name), orders.get(name));
            if ty.is_none() && order.is_none() {
                return None;
            }
            let date_order = order.copied().unwrap_or(self.all.date_order);
            let fixed = ty.map(|ty| (*ty).clone());
            let options = TypingOptions { fixed, date_order, ..self.all.clone() };
            let about = |error| match (error, ty) {
                (Error::Misuse(what), Some(ty)) => Error::Misuse(format!("--type {name}={ty}: {what}")),
                (other, _) => other,
            };
            Some(Profile::with_options(&options).map(|profile| (column, profile)).map_err(about))
        });
        Ok(Fresh::new(names.len(), common, others.collect::<Result<_>>()?))
    }
}
