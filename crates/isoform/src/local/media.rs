//! Provides what the definitions of media types decide about one conversion: whether there is one, how much
//! of the content it keeps, and what a certificate records of them.

use coherence::evidence::Evidence;
use formats::media::{Class, Key, MediaType, changes, edge};
use serde_json::{Map, Value};

use crate::failure::{Failure, Result, untold};

/// The class of a conversion that has a rule and is not refused by it.
pub fn class_of(from: &MediaType, to: &MediaType) -> Result<Class> {
    let (ours, theirs) = (&from.name, &to.name);
    match edge(from, to) {
        Some(found) if found.class != Class::Refused => Ok(found.class),
        Some(_) => {
            let why = from.rule_to(to).and_then(|rule| rule.why.clone());
            let why = why.map_or(String::new(), |why| format!(" ({why})"));
            Err(Failure::Usage(format!(
                "{ours} → {theirs}: is refused by the definition of {ours}{why}; choose another target, or \
                 change its rule in the directory of --media-types"
            )))
        }
        None => Err(Failure::Usage(format!("{ours} → {theirs}: {}", no_way(to)))),
    }
}

/// Why nothing, or not this, becomes a type, and what to do about it.
pub fn no_way(to: &MediaType) -> String {
    if to.codec.is_written() {
        return "no rule makes one the other; see isoform formats --graph".into();
    }
    let (name, written) = (&to.name, to.codec.written_alike());
    format!("{name} is read here, and not written; choose one of {written}")
}

/// The same for a conversion with a budget, which needs a rule that lets something differ.
pub fn class_within(from: &MediaType, to: &MediaType, approximate: bool) -> Result<Class> {
    let class = class_of(from, to)?;
    if approximate && class < Class::Bounded {
        let (ours, theirs, class) = (&from.name, &to.name, class.name());
        return Err(Failure::Usage(format!(
            "{ours} → {theirs}: is {class} by the definition of {ours}; leave --within and --part-floor away"
        )));
    }
    Ok(class)
}

/// Fails where less coherence was reached than a type demands.
pub fn check_tau(to: &MediaType, evidence: &Evidence) -> Result<()> {
    let tau = to.number(Key::Tau);
    let (d_squared, norm_squared) =
        (evidence.d_squared().map_err(untold)?, evidence.norm_squared().map_err(untold)?);
    let reached = coherence::evidence::coherence(d_squared, norm_squared);
    match reached >= tau {
        true => Ok(()),
        false => Err(Failure::Mismatch(format!(
            "coherence {reached:.6} was reached, and no {} is written below {tau}, as its definition says \
             (coherence.tau); nothing was written: take a narrower budget",
            to.name
        ))),
    }
}

/// Adds what differs from the types that come with the program to what a certificate records.
pub fn record(parameters: &mut Map<String, Value>, types: &[&MediaType]) {
    if let Some(changes) = changes(types) {
        parameters.insert("mediaTypes".to_owned(), changes);
    }
}
