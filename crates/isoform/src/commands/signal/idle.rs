//! Provides the options that mean something for arrays and sounds, and the refusal of those that were typed
//! and mean nothing.

use std::path::PathBuf;

use ::formats::media::Codec;
use ::formats::signal::SignalFormat;

use super::super::{cascade, options};
use super::of_source;
use crate::cli::Convert;
use crate::failure::Result;

/// The arguments without what waits for other conversions.
///
/// # Errors
/// An option that means nothing for this source and target.
pub(super) fn of_arrays(args: &Convert, from: Codec, to: SignalFormat) -> Result<Convert> {
    let args = options::without_waiting(args, &about(from, to));
    match from {
        Codec::Table(_) => args.typed.check_columns()?,
        _ => args.typed.check_arrays()?,
    }
    args.typed.check_samples(to.name())?;
    cascade::refuse_idle(&args, from, to)?;
    Ok(args)
}

/// Refuses an option that was typed and means nothing for any of these sources and targets of this format.
pub fn check_typed(args: &Convert, sources: &[PathBuf], to: SignalFormat) -> Result<()> {
    let said = args.reading.from.as_deref();
    let table = |source: &PathBuf| match of_source(source, said) {
        Ok(None) => cascade::source_of(source, said).ok()?.filter(|from| matches!(from, Codec::Table(_))),
        _ => None,
    };
    let from = sources.iter().find_map(table).unwrap_or(Codec::Arrays(to));
    of_arrays(args, from, to).map(drop)
}

/// The options about signals that mean something here.
fn about(from: Codec, to: SignalFormat) -> Vec<&'static str> {
    let mut about = vec!["within", "part-floor", "drop", "include", "exclude"];
    match to.is_sound() {
        true => about.extend(["rate", "bits"]),
        false => about.extend(["sample-type", "minimise"]),
    }
    if matches!(from, Codec::Table(_)) {
        about.push("nulls");
    }
    about
}
