//! Provides the choice of what a conversion of arrays carries over, and in which sample types.

use coherence::sample::SampleType;
use coherence::signal::Signature;

use super::{Arrays, SignalFormat};
use crate::error::{Error, Place, Result};

/// Which arrays are carried over.
pub struct Filter<'a> {
    /// Whether an array of this name is wanted.
    pub wanted: &'a dyn Fn(&str) -> bool,
    /// Whether attributes that the target cannot hold are left out, rather than that the conversion is
    /// refused.
    pub drop_attributes: bool,
}

/// How the target holds an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Type of its samples in the target.
    pub sample: SampleType,
    /// Whether its samples may differ from those of the source. Arrays that are not floating point never
    /// do.
    pub approximate: bool,
}

/// What is to be carried over.
pub struct Plan {
    /// The arrays and attributes of the source that are.
    pub source: Arrays,
    /// How the target holds each array.
    pub stored: Vec<Stored>,
    /// Names of arrays that are left out.
    pub left_out: Vec<String>,
    /// Keys of attributes that are left out.
    pub dropped: Vec<String>,
}

/// Chooses arrays, attributes and sample types. Floating-point arrays become `sample` where that is given;
/// all others keep their type.
pub fn plan(
    source: Arrays,
    to: SignalFormat,
    sample: Option<SampleType>,
    filter: &Filter<'_>,
) -> Result<Plan> {
    let signature = source.signature();
    let wanted = |index: &usize| (filter.wanted)(&signature.arrays[*index].name);
    let (keep, left_out): (Vec<usize>, Vec<usize>) = (0..signature.arrays.len()).partition(wanted);
    let left_out: Vec<String> =
        left_out.into_iter().map(|index| signature.arrays[index].name.clone()).collect();
    if keep.is_empty() && !left_out.is_empty() {
        return Err(Error::Misuse("no array is left; see --include and --exclude".into()));
    }
    let holds = to.holds_attributes();
    let keys = signature.attributes.iter().map(|(key, _)| key.clone());
    let dropped: Vec<String> = if holds { Vec::new() } else { keys.collect() };
    if !dropped.is_empty() && !filter.drop_attributes {
        let what = format!("{} cannot hold {}", to.name(), dropped.join(", "));
        return Err(Error::unsupported(Place::default(), what, "leave it out with --drop metadata"));
    }
    let source = source.narrowed(&keep, holds);
    let stored = stored(source.signature(), to, sample)?;
    Ok(Plan { source, stored, left_out, dropped })
}

fn stored(signature: &Signature, to: SignalFormat, sample: Option<SampleType>) -> Result<Vec<Stored>> {
    let mut stored = Vec::with_capacity(signature.arrays.len());
    for array in &signature.arrays {
        let sample = sample.filter(|_| array.sample.is_float()).unwrap_or(array.sample);
        if !to.holds(sample) {
            let what = format!("{} has no samples of type {sample}", to.name());
            let hint = "give another type with --sample-type, such as f32, which holds all values of bf16";
            return Err(Error::unsupported(Place::default().column(array.name.clone()), what, hint));
        }
        stored.push(Stored { sample, approximate: array.sample.is_float() });
    }
    Ok(stored)
}
