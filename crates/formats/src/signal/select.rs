//! Provides the choice of what a conversion of arrays carries over, and in which sample types.

use std::collections::BTreeMap;

use coherence::sample::SampleType;
use coherence::signal::{Array, Signature};

use super::pictures::in_words;
use super::{Arrays, Encoding, SignalFormat, gguf, npy};
use crate::error::{Error, Obstacle, Place, Result};
use crate::sound::depth::{Depth, Scaled};
use crate::words::counted;

/// How the target holds an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// How its samples are held.
    pub encoding: Encoding,
    /// Whether its samples may differ from those of the source. Arrays that are neither floating point nor
    /// a sound never do.
    pub approximate: bool,
}

/// What is to be carried over.
pub struct Plan {
    /// The arrays and attributes of the source that are.
    pub source: Arrays,
    /// How the target holds each array.
    pub stored: Vec<Stored>,
    /// The keys of attributes that are left out.
    pub dropped: Vec<String>,
}

/// The arrays whose names are wanted, and the names of those that are left out.
pub fn select(source: Arrays, wanted: &dyn Fn(&str) -> bool) -> Result<(Arrays, Vec<String>)> {
    let signature = source.signature();
    let wanted = |index: &usize| wanted(&signature.arrays[*index].name);
    let (keep, left_out): (Vec<usize>, Vec<usize>) = (0..signature.arrays.len()).partition(wanted);
    let left_out = left_out.into_iter().map(|index| signature.arrays[index].name.clone());
    let mut left_out: Vec<String> = left_out.chain(source.left_out().iter().cloned()).collect();
    left_out.sort();
    if keep.is_empty() && !left_out.is_empty() {
        return Err(Error::Misuse("no array is left; see --include and --exclude".into()));
    }
    let attributes: Vec<usize> = (0..signature.attributes.len()).collect();
    Ok((source.narrowed(&keep, &attributes), left_out))
}

/// Whether a value of some array may be none of what the array is held as.
pub fn may_lose(plan: &Plan) -> bool {
    let holds_all = |(index, stored): (usize, &Stored)| {
        let array = &plan.source.signature().arrays[index];
        !stored.approximate
            || stored.encoding == plan.source.encoding(index)
            || match stored.encoding {
                Encoding::Plain(sample) => sample.holds_all(array.sample),
                Encoding::Sound(scaled) => Depth::of(array).is_some_and(|own| scaled.depth.holds_all(own)),
                Encoding::Q8_0 | Encoding::Q4_0 => false,
            }
    };
    !plan.stored.iter().enumerate().all(holds_all)
}

/// Chooses attributes and encodings. Floating-point arrays are held as `asked` where that is given and fits
/// their shape; all others keep their type. Attributes that the target cannot hold are left out where `drop`
/// says so, and refused otherwise, with all else that stands in the way.
pub fn plan(source: Arrays, to: SignalFormat, asked: Option<Encoding>, drop: bool) -> Result<Plan> {
    plan_beside(source, to, (asked, false), drop, Vec::new())
}

/// The same. Where there is a budget (`lossy`), floating-point arrays of a type that the target lacks begin
/// with its narrowest type that holds all their values. What stands in the way of the conversion in any case
/// is told with all that stands in the way of this.
pub fn plan_beside(
    source: Arrays,
    to: SignalFormat,
    (asked, lossy): (Option<Encoding>, bool),
    drop: bool,
    beside: Vec<Obstacle>,
) -> Result<Plan> {
    if !to.is_written() {
        return Err(super::only_read(to));
    }
    let signature = source.signature();
    let lost = to.beyond(&signature.attributes);
    let held: Vec<usize> = (0..signature.attributes.len()).filter(|index| !lost.contains(index)).collect();
    let dropped: Vec<String> = lost.iter().map(|index| signature.attributes[*index].0.clone()).collect();
    let mut obstacles = Vec::new();
    if !dropped.is_empty() && !drop {
        let words: Vec<String> = dropped.iter().map(|key| in_words(key, to, &signature.arrays)).collect();
        let what = format!("{} cannot hold {}", to.name(), words.join(", "));
        obstacles.push(Obstacle { what, hint: "leave it out with --drop metadata".to_owned() });
    }
    obstacles.extend(shapes(signature, to));
    let keep: Vec<usize> = (0..signature.arrays.len()).collect();
    let source = source.narrowed(&keep, &held);
    let stored = stored(&source, to, asked, lossy);
    if stored.is_err() || !obstacles.is_empty() {
        obstacles.extend(beside);
    }
    let stored = match stored {
        Err(errors) => {
            let floats = source.signature().arrays.iter().all(|array| array.sample.is_float());
            let unsaid = to.is_sound() && floats && asked.is_none() && obstacles.is_empty();
            let error = Error::together(errors, obstacles);
            return Err(if unsaid { of_command(error) } else { error });
        }
        Ok(_) if !obstacles.is_empty() => return Err(Error::obstacles(Place::default(), obstacles)),
        Ok(stored) => stored,
    };
    Ok(Plan { source, stored, dropped })
}

/// That nobody said how much of a sound may be lost, alone, is a matter of the command.
fn of_command(error: Error) -> Error {
    match error {
        Error::Unsupported { what, hint, more, .. } if more.is_empty() => {
            Error::Misuse(format!("{what}; {hint}"))
        }
        other => other,
    }
}

/// What of the number and the axes of arrays a container cannot hold.
fn shapes(signature: &Signature, to: SignalFormat) -> Vec<Obstacle> {
    let arrays = &signature.arrays;
    match to {
        SignalFormat::Npy if arrays.len() != 1 => vec![npy::not_one(arrays.len())],
        SignalFormat::Gguf => gguf::obstacles(arrays),
        _ => Vec::new(),
    }
}

/// Why no array is held in a sample type that was asked for; nothing where one is.
pub fn idle(asked: Encoding, signature: &Signature, stored: &[Stored]) -> Option<&'static str> {
    let mut shapes = signature.arrays.iter().zip(stored).filter(|(_, stored)| stored.approximate).peekable();
    if shapes.peek().is_none() {
        return Some(
            "is about samples of floating point, and there are none: whole samples and truth values are \
             kept as they are",
        );
    }
    match shapes.any(|(array, _)| asked.fits(&array.shape)) {
        true => None,
        false => Some(
            "has blocks of 32 samples along the last of two axes or more, and no array of floating point has \
             such an axis: vectors, as columns become, are held in types without blocks alone, such as f16",
        ),
    }
}

/// Whether a conversion may change the samples of an array: those of floating point, and between `sounds`
/// those of a sound. All others must stay what they are, and take no part in the norm.
pub fn may_differ(array: &Array, sounds: bool) -> bool {
    array.sample.is_float() || sounds && Depth::of(array).is_some()
}

/// How the target holds each array, or all reasons why it does not.
fn stored(
    source: &Arrays,
    to: SignalFormat,
    asked: Option<Encoding>,
    lossy: bool,
) -> Result<Vec<Stored>, Vec<Error>> {
    let (mut stored, mut refused) = (Vec::new(), BTreeMap::new());
    for (index, array) in source.signature().arrays.iter().enumerate() {
        if let Some(own) = Depth::of(array).filter(|_| to.is_sound()) {
            let encoding = of_sound(own, to, asked).map_err(|error| vec![error])?;
            stored.push(Stored { encoding, approximate: may_differ(array, true) });
            continue;
        }
        let approximate = may_differ(array, false);
        // What is in blocks stays in them where it can; their scales are not found a second time.
        let kept =
            if to.holds(source.encoding(index)) { source.encoding(index) } else { array.sample.into() };
        let asked = asked.filter(|asked| approximate && asked.fits(&array.shape));
        let encoding = asked.unwrap_or_else(|| wider(kept, to, lossy));
        if !to.holds(encoding) {
            let names: &mut Vec<&str> = refused.entry((encoding.to_string(), approximate)).or_default();
            names.push(&array.name);
        }
        stored.push(Stored { encoding, approximate });
    }
    let error = |((encoding, approximate), names): ((String, bool), Vec<&str>)| {
        not_held(&names, &encoding, approximate, to)
    };
    let errors: Vec<Error> = refused.into_iter().map(error).collect();
    if errors.is_empty() { Ok(stored) } else { Err(errors) }
}

/// That a container has no such type of samples, which these arrays have.
fn not_held(names: &[&str], encoding: &str, approximate: bool, to: SignalFormat) -> Error {
    let others = match names.len() {
        0 | 1 => String::new(),
        count => format!(", here and in {}", counted(count - 1, "other array")),
    };
    let what = format!("{} has no samples of type {encoding}{others}", to.name());
    // Types of 8 bits are within that of 16, and all others that some container lacks within that of 32.
    let wide = if encoding.starts_with("f8") { SampleType::F16 } else { SampleType::F32 };
    let hint = match approximate {
        true => format!(
            "give another type with --sample-type, such as {wide}, which holds all values of {encoding}"
        ),
        false => {
            "convert to a container that holds whole samples of all types (npz, safetensors), or leave it \
                  out with --exclude"
                .to_owned()
        }
    };
    let first = names.first().copied().unwrap_or_default();
    Error::unsupported(Place::default().column(first.to_owned()), what, hint)
}

/// How samples are held in a container that has no such type: in the narrowest of its types that holds them
/// all. Whole samples and truth values become wider whole ones; those of floating point wider ones only where
/// `floats` says so.
fn wider(own: Encoding, to: SignalFormat, floats: bool) -> Encoding {
    use SampleType::{Bf16, Bool, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32};
    let holding: &[SampleType] = match own {
        Encoding::Plain(Bool) => &[I8],
        Encoding::Plain(U8) => &[I16, I32, I64],
        Encoding::Plain(U16) => &[I32, I64],
        Encoding::Plain(U32) => &[I64],
        Encoding::Plain(sample) if floats && sample.is_float() => &[F16, Bf16, F32, F64],
        _ => &[],
    };
    let fits = |sample: &&SampleType| {
        to.holds(Encoding::Plain(**sample)) && (!sample.is_float() || sample.holds_all(own.sample()))
    };
    let held = holding.iter().find(fits).map(|sample| Encoding::Plain(*sample));
    if to.holds(own) { own } else { held.unwrap_or(own) }
}

/// How a sound of a depth is held: as was asked, else as it is.
fn of_sound(own: Depth, to: SignalFormat, asked: Option<Encoding>) -> Result<Encoding> {
    let wanted = match asked {
        None if to.is_coded() => to.depths().first().copied().unwrap_or(own),
        None => own,
        Some(asked) => Depth::asked(asked).ok_or_else(|| {
            let what = format!("a sound has no samples of type {asked}");
            Error::unsupported(Place::default(), what, "give another --sample-type, such as i16 or f32")
        })?,
    };
    let encoding = match wanted == own {
        true => Encoding::Plain(own.sample()),
        false => Encoding::Sound(Scaled::new(own, wanted)),
    };
    if to.holds(encoding) && (!to.is_coded() || to.depths().contains(&wanted)) {
        return Ok(encoding);
    }
    let what = format!("{} has no samples of type {wanted}", to.name());
    let hint = match (to.is_coded(), asked) {
        (true, _) => "leave --sample-type away: it has one type of samples".to_owned(),
        (false, Some(_)) => {
            let held = |depth: &Depth| to.holds(Encoding::Sound(Scaled::asked(*depth)));
            let known = Depth::all().filter(held).map(Depth::name).collect::<Vec<_>>().join(", ");
            format!("it has {known}; give one of these, or leave --sample-type away")
        }
        (false, None) => "say how much may be lost, such as --within snr=90, and the fewest bits that keep \
                          it are found; or convert to wav, which holds floating point too"
            .to_owned(),
    };
    Err(Error::unsupported(Place::default(), what, hint))
}

/// What a sound is held as before its bits are chosen within a budget: as it is where the target has such
/// samples (`None`), else in the most bits that it has.
pub fn widest(source: &Arrays, to: SignalFormat) -> Option<Encoding> {
    let [array] = source.signature().arrays.as_slice() else { return None };
    Depth::of(array).filter(|_| !to.holds(Encoding::Plain(array.sample)))?;
    to.depths().last().map(|depth| Encoding::Sound(Scaled::asked(*depth)))
}
