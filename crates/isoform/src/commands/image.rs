//! Provides what the commands do with images: when a conversion is one of images, and what is told of it.

mod plan;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::formats::file::ObjectFile;
use ::formats::image::{IMAGE_FORMATS, ImageFormat, PixelLayout, Settings};
use ::formats::media::{self, Codec, Key, MediaType};
use ::formats::signal::SignalFormat;
use ::formats::words::{counted, some_of};
use coherence::gate::Measured;
use coherence::signal::Signature;
use serde_json::{Map, Value, json};

use super::batch::Told;
use super::convert::{object, stages};
use super::signal::tightest;
use super::within as budgets;
use super::{attributes, cascade, options, signal, sources};
use crate::cli::{Compare, Convert, Drop, Inspect, Minimise, Output};
use crate::failure::{DIFFERS, DONE, Failure, Result};
use crate::local::image::{self, Compared, ImageJob, ImageOutcome, Worst};
use crate::local::media::{class_within, record};
use crate::local::memory::{of_image, parse_size};
use crate::local::no_budget;
use crate::local::standard::{is_pipe, is_plain_file};
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report::{self, Described, Kept, distance, number};

pub use plan::plan;

/// The format of an object: as was said, or as its bytes tell, or, of a pipe, its name.
fn of_source(path: &Path, said: Option<&str>) -> Result<Option<ImageFormat>> {
    match said {
        Some(name) => Ok(ImageFormat::named(name)),
        None if is_pipe(path) => Ok(of_name(path)),
        None if !is_plain_file(path) => Ok(None),
        None => Ok(ImageFormat::of_file(&ObjectFile::open(path)?)?),
    }
}

/// The format that the ending of a name tells.
pub fn of_name(path: &Path) -> Option<ImageFormat> {
    path.extension().and_then(|ending| ImageFormat::named(ending.to_str()?))
}

/// The conversion of an image that was asked for; `None` where not both sides are images.
pub fn job(args: &Convert, sources: &[PathBuf], target: &Path) -> Result<Option<ImageJob>> {
    let [source] = sources else { return Ok(None) };
    let to = match args.writing.to.as_deref() {
        Some(name) => ImageFormat::named(name),
        None => of_name(target),
    };
    let from = of_source(source, args.reading.from.as_deref())?;
    let arrays = signal::of_source(source, args.reading.from.as_deref())?;
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (Codec::Image(from), to),
        (None, Some(to)) if arrays.is_some() => (arrays.map_or(Codec::Image(to), Codec::Arrays), to),
        (Some(_), None) if becomes_arrays(args, target) => return Ok(None),
        (None, Some(to)) => return Err(no_image(source, args.reading.from.as_deref(), to)?),
        (Some(from), None) if cascade::becomes_table(args, target) => {
            return Err(cascade::two_models(source, from.name(), "an image"));
        }
        (Some(from), None) => {
            let (shown, from) = (target.display(), from.name());
            let written = IMAGE_FORMATS.into_iter().filter(|format| format.is_written());
            let known = written.map(ImageFormat::name).collect::<Vec<_>>().join(", ");
            return Err(Failure::Usage(format!(
                "{shown}: the source is an image ({from}); images go into one of {known}: \
                 name one with --to, or by the ending of the target"
            )));
        }
        (None, None) => return Ok(None),
    };
    let args = &of_images(args, to)?;
    let media = (
        media::identify(from, args.reading.from.as_deref(), Some(source)),
        media::identify(Codec::Image(to), args.writing.to.as_deref(), Some(target)),
    );
    let (within, floor) = budgets::asked(args, media.1);
    let via = cascade::stops(args)?;
    let chain = match via.as_slice() {
        [] => class_within(media.0, media.1, within != "exact").map(|_| Vec::new())?,
        via => cascade::chain(source, media, via, within != "exact")?,
    };
    let mut parameters = parameters(args, &within, floor.as_deref());
    cascade::record(&mut parameters, &chain);
    cascade::record_via(&mut parameters, args);
    record(&mut parameters, &[media.0, media.1]);
    let settings = fixed(args, to, media.1, within != "exact")?;
    let bounds = budgets::bounds(&within)?;
    let gates = bounds.gates.clone();
    let budget = move |peak: f64| bounds.budget(floor.as_deref(), peak);
    Ok(Some(ImageJob {
        source: source.clone(),
        media,
        via,
        chain,
        target: target.to_owned(),
        to,
        budget: Box::new(budget),
        exact_asked: budgets::exact_asked(args),
        gates,
        settings,
        effort: effort(args, media.1),
        drop_attributes: args.signals.drop.contains(&Drop::Metadata),
        replace: args.force.into(),
        strict: args.strict,
        memory: memory_for(args)?,
        parameters,
        #[cfg(test)]
        lie: None,
    }))
}

/// The arguments without what waits for other conversions.
///
/// # Errors
/// An option that means nothing for images of this format.
fn of_images(args: &Convert, to: ImageFormat) -> Result<Convert> {
    let args = options::without_waiting(args, &about(to));
    args.typed.check_arrays()?;
    refuse_arrays(&args)?;
    check_effort(&args, to)?;
    Ok(args)
}

/// Refuses an option that was typed and means nothing for a target of this format.
pub fn check_typed(args: &Convert, to: ImageFormat) -> Result<()> {
    let args = &of_images(args, to)?;
    let media = media::identify(Codec::Image(to), args.writing.to.as_deref(), None);
    let (within, _) = budgets::asked(args, media);
    fixed(args, to, media, within != "exact").map(drop)
}

/// Memory for the image: a share of it where several are worked on side by side.
fn memory_for(args: &Convert) -> Result<u64> {
    let memory = parse_size(&args.machine.memory)?;
    Ok(if args.machine.shared { memory } else { of_image(memory) })
}

/// The options about signals that mean something for images of this format.
fn about(to: ImageFormat) -> Vec<&'static str> {
    let mut about = vec!["within", "part-floor", "drop"];
    about.extend(to.quality().map(|_| "quality"));
    if to.effort().is_some() {
        about.extend(["effort", "minimise"]);
    }
    about
}

/// Why a source that is no image and no container of arrays does not become an image.
fn no_image(source: &Path, said: Option<&str>, to: ImageFormat) -> Result<Failure> {
    if said.is_none() && cascade::source_of(source, said)?.is_none() {
        return Ok(sources::unrecognised(source, to.name()));
    }
    let (shown, to) = (source.display(), to.name());
    Ok(Failure::Usage(format!(
        "{shown}: is a table, and {to} is an image: numbers become an image by way of one array, in two \
         conversions; convert it to npy first (with types that images have, such as uint8), and that to {to}"
    )))
}

/// The settings, where a quality was asked for.
fn fixed(args: &Convert, to: ImageFormat, media: &MediaType, lossy: bool) -> Result<Option<Settings>> {
    let Some(quality) = args.signals.quality else { return Ok(None) };
    let usage = |what: String| Err(Failure::Usage(format!("--quality {quality}: {what}")));
    match to.quality() {
        None => usage(format!("{} has none; leave it away", to.name())),
        Some(knob) if !knob.range.contains(&quality) => {
            let (low, high) = knob.range.into_inner();
            usage(format!("that of {} lies between {low} and {high}", to.name()))
        }
        Some(_) if !lossy => usage(format!(
            "loses something, and {}; add a budget such as --within psnr=30",
            no_budget(budgets::exact_asked(args))
        )),
        Some(_) => {
            let (effort, layout) = (effort(args, media), PixelLayout::of(media));
            Ok(Some(Settings { effort, layout, ..Settings::lossy(to, quality) }))
        }
    }
}

/// Whether the target is a container of arrays.
fn becomes_arrays(args: &Convert, target: &Path) -> bool {
    match args.writing.to.as_deref() {
        Some(name) => SignalFormat::named(name).is_some(),
        None => SignalFormat::of_name(target).is_some(),
    }
}

/// Options that mean something for containers of arrays only.
fn refuse_arrays(args: &Convert) -> Result<()> {
    let given = [
        ("--sample-type", args.signals.sample_type.is_some()),
        ("--include", !args.signals.include.is_empty()),
        ("--exclude", !args.signals.exclude.is_empty()),
        ("--nulls", args.signals.nulls.is_some()),
        ("--rate", args.signals.rate.is_some()),
        ("--bits", args.signals.bits.is_some()),
        ("--resume", args.resume),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => {
            Err(Failure::Usage(format!("{option}: means nothing for images; leave it away")))
        }
    }
}

/// Refuses an effort that a format does not have, and to save time where no work can be left out, or where
/// the work was told.
fn check_effort(args: &Convert, to: ImageFormat) -> Result<()> {
    if let (Some(effort), Some(knob)) = (args.signals.effort, to.effort())
        && !knob.range.contains(&f32::from(effort))
    {
        let ((low, high), name) = (knob.range.into_inner(), to.name());
        return Err(Failure::Usage(format!(
            "--effort {effort}: that of {name} lies between {low} and {high}"
        )));
    }
    let usage = |what: &str| Err(Failure::Usage(format!("--minimise time: {what}; leave it away")));
    match (args.signals.minimise, to.effort()) {
        (Minimise::Size, _) => Ok(()),
        (Minimise::Time, None) => usage(&format!("{} has no effort that could be less", to.name())),
        (Minimise::Time, Some(_)) if args.signals.effort.is_some() => usage("--effort tells the work"),
        (Minimise::Time, Some(_)) => Ok(()),
    }
}

/// The effort that was asked for; the least that there is where time is to be saved; else that of a
/// definition where it is not that of the codec.
fn effort(args: &Convert, to: &MediaType) -> Option<u8> {
    let least = || match to.codec {
        Codec::Image(format) => format.effort().map(|knob| *knob.range.start() as u8),
        _ => None,
    };
    let saved = || (args.signals.minimise == Minimise::Time).then(least).flatten();
    let defined =
        || to.is_changed(Key::Effort).then(|| u8::try_from(to.whole(Key::Effort)).unwrap_or(u8::MAX));
    args.signals.effort.or_else(saved).or_else(defined)
}

fn parameters(args: &Convert, within: &str, floor: Option<&str>) -> Map<String, Value> {
    let mut parameters = Map::new();
    let texts =
        [("from", args.reading.from.as_deref()), ("to", args.writing.to.as_deref()), ("partFloor", floor)];
    for (key, text) in texts {
        if let Some(text) = text {
            parameters.insert(key.to_owned(), json!(text));
        }
    }
    if args.signals.drop.contains(&Drop::Metadata) {
        parameters.insert("drop".to_owned(), json!(["metadata"]));
    }
    if let Some(effort) = args.signals.effort {
        parameters.insert("effort".to_owned(), json!(effort.to_string()));
    }
    if args.signals.minimise == Minimise::Time {
        parameters.insert("minimise".to_owned(), json!("time"));
    }
    if let Some(quality) = args.signals.quality {
        parameters.insert("quality".to_owned(), json!(quality.to_string()));
    }
    parameters.insert("within".to_owned(), json!(within));
    parameters
}

/// Size and layout of an image.
fn described(signature: &Signature) -> (u64, u64, String) {
    match signature.arrays.first().map(|array| (array.shape.as_slice(), array)) {
        Some(([height, width, _], array)) => (*width, *height, format!("{} {}", array.meaning, array.sample)),
        _ => (0, 0, String::new()),
    }
}

pub fn settings(settings: &Settings) -> Value {
    json!({
        "lossless": settings.lossless,
        "quality": settings.quality.filter(|_| !settings.lossless),
        "subsampled": settings.subsampled,
        "effort": settings.effort,
    })
}

fn gates(measured: &[Measured]) -> Vec<Value> {
    let gate = |measured: &Measured| {
        let name = measured.gate.measure.name();
        json!({ "name": name, "limit": number(measured.gate.limit), "found": number(measured.found) })
    };
    measured.iter().map(gate).collect()
}

/// The document of a conversion.
pub fn document(job: &ImageJob, outcome: &ImageOutcome) -> Value {
    let (width, height, layout) = described(&outcome.signature);
    let mut distortion = report::distortion(&outcome.distortion);
    distortion["gates"] = json!(gates(&outcome.gates));
    let begin = json!({
        "schema": "isoform.convert/v1",
        "model": "signal",
        "source": object(&job.source.to_string_lossy(), &job.media.0.media_type, outcome.done.sizes.0),
        "target": object(&job.target.to_string_lossy(), &job.media.1.media_type, outcome.done.sizes.1),
    });
    let besides = json!({
        "image": { "width": width, "height": height, "layout": layout },
        "samples": outcome.signature.samples(),
        "settings": settings(&outcome.settings),
        "encodes": outcome.encodes,
        "distortion": distortion,
        "worst": outcome.tiles.1.as_ref().map(worst),
        "tightest": outcome.tiles.0.as_ref().map(tightest::document),
    });
    let document = report::conversion(&outcome.done, begin, besides);
    with_chain(document, job, &outcome.steps)
}

/// The tile with the least coherence.
fn worst(worst: &Worst) -> Value {
    let mut document = tightest::place(&worst.place);
    document["coherence"] = number(worst.coherence);
    document
}

/// The budget that was asked for.
fn within(job: &ImageJob) -> &str {
    job.parameters.get("within").and_then(Value::as_str).unwrap_or("exact")
}

/// A document with the chain, where the image is led over other types.
fn with_chain(mut document: Value, job: &ImageJob, steps: &[Value]) -> Value {
    if !job.chain.is_empty() {
        document["chain"] = json!(cascade::taken(&job.chain, within(job), steps));
    }
    document
}

/// The lines of a conversion, whose target has this name and whose certificate is kept so.
pub fn lines(job: &ImageJob, outcome: &ImageOutcome, (target, kept): (&Path, Kept<'_>)) -> Vec<String> {
    let (from, to, seconds) = report::passage(&outcome.done);
    let (width, height, layout) = described(&outcome.signature);
    let (verdict, figures) = (outcome.done.verdict.name(), &outcome.distortion);
    let told = ["psnr", "rmse", "max-error"];
    let beside = budgets::measured_beside(within(job), &told, figures, Some(outcome.psnr_db));
    let proven = match figures.d == 0.0 {
        true => format!("  {verdict}: every sample of the finished file was decoded and compared"),
        false => format!(
            "  {verdict}: measured over every sample of the finished file: {beside}PSNR {} dB, {}",
            report::fixed(outcome.psnr_db, 2),
            report::errors(figures.rmse, figures.max_abs)
        ),
    };
    let mut lines = vec![
        format!("{} → {}", job.source.display(), target.display()),
        format!("  {width} × {height} {layout}, {from} → {to}, {seconds:.2} s"),
        proven,
    ];
    lines.extend(outcome.gates.iter().map(|measured| {
        let (name, found) = (measured.gate.measure.name(), measured.found);
        format!("  {name} {found:.2}; {} was asked for", measured.gate)
    }));
    if let Some(quality) = outcome.settings.quality.filter(|_| !outcome.settings.lossless) {
        let channels = outcome.signature.arrays.first().and_then(|array| array.shape.last());
        let colours = match (channels.is_some_and(|count| *count >= 3), outcome.settings.subsampled) {
            (false, _) => "",
            (true, true) => ", colours at half resolution",
            (true, false) => ", colours at full resolution",
        };
        let encodings = counted(outcome.encodes, "encoding");
        lines.push(format!("  quality {quality}{colours}, found with {encodings}"));
    }
    let peak = outcome.signature.arrays.first().and_then(|array| array.peak);
    let (tightest, least) = &outcome.tiles;
    let least = least.as_ref().map(|least| (least.place.clone(), least.coherence));
    lines.extend(tightest::line(&job.parameters, tightest.as_ref(), least, peak));
    lines.extend(cascade::line(&job.chain, within(job), &outcome.steps));
    lines.extend(report::sealed(&outcome.done, kept));
    lines.extend(report::notes(&outcome.done));
    lines
}

/// The same as one of many.
pub fn told(job: &ImageJob, outcome: &ImageOutcome) -> Told {
    let mut words = budgets::measured(within(job), &outcome.distortion, Some(outcome.psnr_db));
    let gate = |measured: &Measured| format!("{} {:.2}", measured.gate.measure.name(), measured.found);
    words.extend(outcome.gates.iter().map(gate));
    let quality = outcome.settings.quality.filter(|_| !outcome.settings.lossless);
    words.extend(quality.map(|quality| format!("quality {quality}")));
    words.extend(outcome.done.notes.iter().cloned());
    let (verdict, sizes) = (outcome.done.verdict.name(), outcome.done.sizes);
    Told { verdict, rows: None, sizes, document: document(job, outcome), words }
}

/// Converts.
pub fn run(job: &ImageJob, output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    progress.announce(&stages(std::slice::from_ref(&job.source)));
    let outcome = image::convert(job, &progress)?;
    progress.finish();
    report::result(
        output,
        &document(job, &outcome),
        &lines(job, &outcome, (&job.target, Kept::At(&outcome.done.certificate))),
    );
    Ok(DONE)
}

/// The formats of all objects, where they are images.
pub fn are_meant(said: Option<&str>, paths: &[&Path]) -> Result<Option<Vec<ImageFormat>>> {
    paths.iter().map(|path| of_source(path, said)).collect()
}

/// Compares two images.
pub fn compare(args: &Compare, formats: &[ImageFormat], output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    let memory = of_image(parse_size(&args.machine.memory)?);
    let left = Arc::new(ObjectFile::open(&args.left)?);
    let right = Arc::new(ObjectFile::open(&args.right)?);
    let size = left.len() + right.len();
    progress.begin(Stage::Comparing, size, size);
    let found = image::compare((&left, formats[0]), (&right, formats[1]), memory)?;
    progress.finish();
    let Compared { evidence, first, signature, attributes, psnr_db } = &found;
    let (d, coherence) = found.distance()?;
    let finite = signature.is_empty();
    let signature: Vec<String> = signature.iter().map(ToString::to_string).collect();
    let document = json!({
        "schema": "isoform.compare/v1",
        "model": "signal",
        "equal": found.is_equal(),
        "d": if finite { number(d) } else { json!("infinity") },
        "coherence": finite.then(|| number(coherence)),
        "psnrDb": finite.then(|| number(*psnr_db)),
        "samples": evidence.cells,
        "differing": evidence.differing,
        "firstDiffering": first,
        "maxAbs": number(evidence.max_abs),
        "signature": signature,
        "attributes": attributes,
    });
    let mut lines = vec![format!("{} ↔ {}", args.left.display(), args.right.display())];
    if found.is_equal() {
        lines.push("  equal: every sample and attribute, d = 0".into());
    }
    lines.extend(signature.iter().map(|text| format!("  {text}: the distance is infinite")));
    if finite && evidence.differing > 0 {
        let differ = some_of(evidence.differing, evidence.cells, "sample", "differ");
        let max = distance(evidence.max_abs);
        lines.push(format!("  {differ}: PSNR {} dB, largest error {max}", report::fixed(*psnr_db, 2)));
    }
    lines.extend(attributes.iter().map(|key| format!("  attribute {key} differs")));
    report::result(output, &document, &lines);
    Ok(if found.is_equal() { DONE } else { DIFFERS })
}

/// Describes an image.
pub fn inspect(args: &Inspect, format: ImageFormat, output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    let memory = of_image(parse_size(&args.machine.memory)?);
    let file = ObjectFile::open(&args.path)?;
    progress.begin(Stage::Verifying, file.len(), file.len() * 2);
    let object = crate::local::hash_object(&file, &progress)?;
    let found = image::decode(&file, format, memory)?;
    let root = image::root_of(&found)?;
    progress.finish();
    let signature = found.signature();
    let (width, height, layout) = described(&signature);
    let attributes = signature.attributes.iter();
    let attributes = attributes.map(|(key, value)| attributes::document(key, value));
    let more = json!({
        "image": { "width": width, "height": height, "layout": layout },
        "samples": signature.samples(),
        "attributes": attributes.collect::<Vec<_>>(),
        "declared": found.declared.as_ref().map(ToString::to_string),
        "ignored": found.ignored,
    });
    let media_type = options::inspected(args, Codec::Image(format));
    let described = Described { model: "signal", path: &args.path, media_type, object, root };
    let (document, mut lines) = described.document_and_lines(more, &format!("{width} × {height} {layout}"));
    lines.extend(signature.attributes.iter().map(|(key, value)| attributes::line(key, value)));
    lines.extend(found.declared.iter().map(|declared| format!("  declared: {declared}")));
    lines.extend(found.ignored.iter().map(|what| format!("  not content: {what}")));
    report::result(output, &document, &lines);
    Ok(DONE)
}
