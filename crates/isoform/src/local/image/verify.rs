//! Provides the later check of images: of a target alone, and against its source where that is at hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coherence::budget::Budget;
use coherence::claim::{Claim, ReadBack};
use coherence::content::{Grid, Model};
use coherence::digest::Digest;
use coherence::dsse::Malformed;
use coherence::evidence::{ColumnEvidence, Evidence};
use coherence::found::Found;
use coherence::gate::{Gate, Measure};
use coherence::sample::SampleType;
use coherence::signal::{self, EXACT_RULES, Signature};
use coherence::statement::{Pieces, Predicate, SignalContent};
use coherence::verified::{Records, Verified, VerifiedWhole};
use formats::file::ObjectFile;
use formats::image::sight::Viewer;
use formats::image::{self, Image, ImageFormat};
use formats::limits::TILE_SIDE_MIN;
use formats::media::{self, Codec};
use formats::words::counted;
use serde_json::{Map, Value};

use super::super::effective::check_all_dropped;
use super::super::verify::{
    Checked, NOT_AT_HAND, as_stated, check_companions, decodes_otherwise, differs, unknown_bounds,
};
use super::tiles::{self, Floored, Worst};
use super::{Spaced, approximated, content, decode, decode_any, directory_of, in_older_space, in_space};
use crate::failure::{Failure, Result, untold};
use crate::progress::Progress;

/// What puts an image into the space in which it is compared with one of a format.
pub(super) type Space = fn(Image, ImageFormat, bool) -> Result<Spaced>;

/// The root of the content of an image.
pub fn root_of(image: &Image) -> Result<Digest> {
    let content = content(image)?;
    let root = Model::Signal(image.signature()).root(content.units, &content.leaves);
    root.map_err(Failure::bug)
}

/// Decodes the target, and the source where there is one, and compares both with what was certified. Returns
/// the number of samples.
pub fn check_content(
    (file, object): (&Arc<ObjectFile>, Digest),
    (predicate, certified): (&Predicate, &SignalContent),
    source: Option<&PathBuf>,
    (memory, progress): (u64, &Progress),
    checks: &mut Vec<Checked>,
) -> Result<u64> {
    let sample = certified.arrays.first().and_then(|array| array.ty.parse::<SampleType>().ok());
    let sample = sample.ok_or_else(|| differs(file.path()))?;
    let parameters = &predicate.conversion.parameters;
    let Codec::Image(to) = codec(&predicate.conversion.to, parameters)? else {
        return Err(differs(file.path()));
    };
    let target = image::lifted(decode(file, to, memory)?, sample)?;
    progress.advance(file.len())?;
    if root_of(&target)?.to_string() != certified.target {
        return Err(decodes_otherwise(file.path()));
    }
    let (width, height) = (target.width, target.height);
    let text = format!("all {width} × {height} pixels were decoded; the digest is that of the certificate");
    checks.push(Checked { name: "content", found: text });
    let text = match source {
        None => NOT_AT_HAND.into(),
        Some(path) => {
            let (theirs, dropped) = certified_source(path, (predicate, certified), (to, sample), memory)?;
            // What a step on the way leaves out, only the conversion knows.
            if !parameters.contains_key("via") {
                check_all_dropped((parameters, certified), &dropped, file.path())?;
            }
            measure_again(predicate, &theirs, (&target, file.path()), checks)?;
            checks.extend(measured_again(predicate, &theirs, (&target, object), file.path())?);
            let (d, psnr) = (&predicate.distortion.d, predicate.distortion.psnr_db.as_deref());
            match certified.equal {
                true => format!("{}: decoded again, and equal to the target", path.display()),
                false => format!(
                    "{}: decoded again, and what was certified: the target is at d = {d}, PSNR {} dB",
                    path.display(),
                    psnr.unwrap_or("unknown")
                ),
            }
        }
    };
    checks.push(Checked { name: "source", found: text });
    Ok(target.signature().samples().unwrap_or(0))
}

/// A source as it was compared with its target, and the keys of what the target lacks of it.
///
/// # Errors
/// Its content is not the one that was certified.
fn certified_source(
    path: &Path,
    (predicate, certified): (&Predicate, &SignalContent),
    (to, sample): (ImageFormat, SampleType),
    memory: u64,
) -> Result<(Image, Vec<String>)> {
    let parameters = &predicate.conversion.parameters;
    let (drops, from) = (parameters.contains_key("drop"), codec(&predicate.conversion.from, parameters)?);
    let compared = |space: Space| -> Result<Option<(Image, Vec<String>)>> {
        let decoded = decode_any(&Arc::new(ObjectFile::open(path)?), from, memory, directory_of(path))?;
        let led = as_led(in_samples(decoded, sample)?, parameters, space)?;
        let Spaced { image: mut theirs, dropped, .. } = space(led, to, drops)?;
        if parameters.contains_key("via") {
            theirs.attributes.retain(|(key, value)| certified.holds(key, value));
        }
        Ok((root_of(&theirs)?.to_string() == certified.source).then_some((theirs, dropped)))
    };
    match compared(in_space)? {
        Some(theirs) => Ok(theirs),
        // What the older rule refuses was not certified by it.
        None => compared(in_older_space).ok().flatten().ok_or_else(|| differs(path)),
    }
}

/// A source in the samples in which it was compared: halves, which are compared as f64, were compared as f32
/// before.
pub(super) fn in_samples(image: Image, sample: SampleType) -> Result<Image> {
    match (image.sample, sample) {
        (SampleType::F16, SampleType::F32) => Ok(image::lifted(image, sample)?),
        _ => Ok(image),
    }
}

/// A source with the channels that the images on its way gave it.
fn as_led(mut image: Image, parameters: &Map<String, Value>, space: Space) -> Result<Image> {
    let chain = parameters.get("chain").and_then(Value::as_array).into_iter().flatten();
    for media_type in chain.filter_map(|step| step.get("to")?.as_str()) {
        if let Codec::Image(format) = codec(media_type, parameters)? {
            image = space(image, format, parameters.contains_key("drop"))?.image;
        }
    }
    Ok(image)
}

/// Measures the gates again. Figures of a machine of another kind may differ by the spread of the measure.
fn measure_again(
    predicate: &Predicate,
    source: &Image,
    (target, path): (&Image, &Path),
    checks: &mut Vec<Checked>,
) -> Result<()> {
    let figure = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    let stated = predicate.distortion.gates.iter().filter_map(|gate| {
        let measure = Measure::named(&gate.name)?;
        let stated = figure(gate.found.as_deref().unwrap_or_default());
        Some((Gate { measure, limit: figure(&gate.limit) }, stated))
    });
    let stated: Vec<(Gate, f64)> = stated.collect();
    let measures: Vec<Measure> = stated.iter().map(|(gate, _)| gate.measure).collect();
    let viewer = Viewer::new(source, &measures)?;
    for (gate, stated) in stated {
        let found = viewer.measure(gate.measure, target)?;
        let (name, spread) = (gate.measure.name(), gate.measure.spread());
        let same = (found - stated).abs() <= spread;
        if !same {
            let shown = path.display();
            return Err(Failure::Mismatch(format!(
                "{shown}: {name} is {found:.3}, and not {stated:.3} as was certified"
            )));
        }
        checks.push(Checked { name, found: format!("measured again: {found:.3}; {gate} was asked for") });
    }
    Ok(())
}

/// Measures again the image, and every tile that had a floor: what is found must be, to the last digit, what
/// is certified. In certificates from before tiles had floors the image is one part.
fn measured_again(
    predicate: &Predicate,
    source: &Image,
    (target, object): (&Image, Digest),
    path: &Path,
) -> Result<Option<Checked>> {
    let stated = &predicate.distortion;
    let other = |what: &str| Failure::Mismatch(format!("{}: {what}", path.display()));
    let budget = stated.budget().map_err(|error| unknown_bounds(predicate, path, &error))?;
    let side_of = |pieces: &Pieces| pieces.side.as_ref()?.parse::<u64>().ok();
    let side = stated.pieces.as_ref().map(side_of);
    if let Some(side) = side.flatten().filter(|side| *side < TILE_SIDE_MIN) {
        let field = "distortion.pieces.side";
        let unknown = Malformed::Unexpected { field, found: side.to_string() };
        return Err(unknown_bounds(predicate, path, &unknown));
    }
    let signature = source.signature();
    let plain = Budget { part_absolute: 0.0, part_distance: 0.0, ..budget };
    let longest = side.flatten().unwrap_or(u64::from(source.width.max(source.height)));
    let due = Floored::of(&signature, plain, longest);
    let (off, samples) = due.map_or((0.0, 0), |due| (due.budget.part_absolute, due.samples()));
    check_companions(&budget, off, samples, path)?;
    let floored = side.map(|side| Floored::certified(&signature, budget, side?));
    let floored = floored.map(|tiles| tiles.ok_or_else(|| other("has no tiles as were certified")));
    let floored = floored.transpose()?;
    let tiles = floored.map(|floored| floored.measured(source, target)).transpose()?;
    if let Some(tiles) = &tiles {
        tiles.check(&budget).map_err(|error| match tiles::missed(floored, &error) {
            Some(tile) => other(&format!("{tile} misses the floor that was certified: {error}")),
            None => other(&error.to_string()),
        })?;
    }
    let evidence = match &tiles {
        Some(tiles) => tiles.evidence(),
        // Where nothing was to differ, every sample is a symbol.
        None if predicate.content.equal() && budget == Budget::ZERO => {
            signal::evidence(EXACT_RULES, ColumnEvidence::equal(signature.samples().unwrap_or(0)))
        }
        None => approximated(source, target)?,
    };
    let first = predicate.source.first().and_then(|source| source.digest.blake3.parse::<Digest>().ok());
    let first = first.ok_or_else(|| other("the certificate names no source"))?;
    let part = part((0, first, object), (source, target), evidence)?;
    let whole = whole(signature, vec![part])?;
    let whole = match tiles {
        Some(tiles) => whole.in_pieces(tiles).map_err(untold)?,
        None => whole,
    };
    let what = match floored {
        Some(_) => "its tiles are not as far from their source as was certified",
        None => "its samples are not as far from their source as was certified",
    };
    as_stated(predicate, &Found::measured(&whole, &budget), (path, what))?;
    whole.check(&budget).map_err(|error| other(&error.to_string()))?;
    let Some(floored) = floored else {
        let found = format!("measured again: d = {}", stated.d);
        return Ok((!predicate.content.equal()).then_some(Checked { name: "distance", found }));
    };
    let (count, side) = (counted(floored.count() as usize, "tile"), floored.side());
    let (pixels, worst) = (format!("{side} × {side} pixels"), tiles::worst(Some(floored), whole.pieces()));
    let least = worst.map_or_else(String::new, |Worst { place, coherence }| {
        format!("; {place} has the least coherence, {coherence:.6}")
    });
    Ok(Some(Checked { name: "tiles", found: format!("{count} of {pixels} measured again{least}") }))
}

/// An image as a part of what was certified: its index and the digests of both files, both sides, and what
/// was found of them.
pub(super) fn part(
    (part, from, result): (u64, Digest, Digest),
    (source, target): (&Image, &Image),
    evidence: Evidence,
) -> Result<Verified> {
    let (theirs, ours) = (content(source)?, content(target)?);
    let (grid, units) = (Grid::Signal, ours.units);
    let read = ReadBack { grid, units, result, content: ours.leaves.clone(), evidence: evidence.clone() };
    let claim = Claim {
        part,
        grid,
        units,
        source: from,
        result,
        source_content: theirs.leaves,
        content: ours.leaves,
        evidence,
    };
    Verified::check(claim, &read).map_err(untold)
}

/// All parts of an image, or of an album.
pub(super) fn whole(signature: Signature, parts: Vec<Verified>) -> Result<VerifiedWhole> {
    let records = Records { counted: signature.samples().unwrap_or(u64::MAX), set_aside: 0 };
    VerifiedWhole::assemble(&Model::Signal(signature), parts, records).map_err(untold)
}

pub(super) fn codec(media_type: &str, parameters: &Map<String, Value>) -> Result<Codec> {
    let found = media::recorded(media_type, parameters).map(|found| found.codec);
    found.ok_or_else(|| {
        Failure::Other(format!("{media_type} is no media type that is known here; see --media-types"))
    })
}
