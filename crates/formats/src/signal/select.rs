//! Provides the choice of what a conversion of arrays carries over, and in which sample types.

use super::pictures::in_words;
use super::{Arrays, Encoding, SignalFormat};
use crate::error::{Error, Place, Result};

/// How the target holds an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// How its samples are held.
    pub encoding: Encoding,
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
    /// Attributes that are left out, in words.
    pub dropped: Vec<String>,
}

/// The arrays whose names are wanted, and the names of those that are left out.
pub fn select(source: Arrays, wanted: &dyn Fn(&str) -> bool) -> Result<(Arrays, Vec<String>)> {
    let signature = source.signature();
    let wanted = |index: &usize| wanted(&signature.arrays[*index].name);
    let (keep, left_out): (Vec<usize>, Vec<usize>) = (0..signature.arrays.len()).partition(wanted);
    let left_out: Vec<String> =
        left_out.into_iter().map(|index| signature.arrays[index].name.clone()).collect();
    if keep.is_empty() && !left_out.is_empty() {
        return Err(Error::Misuse("no array is left; see --include and --exclude".into()));
    }
    let attributes: Vec<usize> = (0..signature.attributes.len()).collect();
    Ok((source.narrowed(&keep, &attributes), left_out))
}

/// Chooses attributes and encodings. Floating-point arrays are held as `asked` where that is given and fits
/// their shape; all others keep their type. Attributes that the target cannot hold are left out where `drop`
/// says so, and refused otherwise.
pub fn plan(source: Arrays, to: SignalFormat, asked: Option<Encoding>, drop: bool) -> Result<Plan> {
    let signature = source.signature();
    let lost = to.beyond(&signature.attributes);
    let held: Vec<usize> = (0..signature.attributes.len()).filter(|index| !lost.contains(index)).collect();
    let dropped: Vec<String> = lost.iter().map(|index| in_words(&signature.attributes[*index].0)).collect();
    if !dropped.is_empty() && !drop {
        let what = format!("{} cannot hold {}", to.name(), dropped.join(", "));
        return Err(Error::unsupported(Place::default(), what, "leave it out with --drop metadata"));
    }
    let keep: Vec<usize> = (0..signature.arrays.len()).collect();
    let source = source.narrowed(&keep, &held);
    let stored = stored(&source, to, asked)?;
    Ok(Plan { source, stored, dropped })
}

fn stored(source: &Arrays, to: SignalFormat, asked: Option<Encoding>) -> Result<Vec<Stored>> {
    let mut stored = Vec::new();
    for (index, array) in source.signature().arrays.iter().enumerate() {
        let approximate = array.sample.is_float();
        // What is in blocks stays in them where it can; their scales are not found a second time.
        let kept =
            if to.holds(source.encoding(index)) { source.encoding(index) } else { array.sample.into() };
        let asked = asked.filter(|asked| approximate && asked.fits(&array.shape));
        let encoding = asked.unwrap_or(kept);
        if !to.holds(encoding) {
            let what = format!("{} has no samples of type {encoding}", to.name());
            let hint = "give another type with --sample-type, such as f32, which holds all values of bf16";
            return Err(Error::unsupported(Place::default().column(array.name.clone()), what, hint));
        }
        stored.push(Stored { encoding, approximate });
    }
    Ok(stored)
}
