//! Provides what the commands do with signals: when a conversion is one of arrays, and what is told of it.

mod compare;
mod heard;
mod idle;
mod plan;
pub mod tightest;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::formats::file::ObjectFile;
use ::formats::media::{self, Codec, Key, MediaType};
use ::formats::signal::{Declared, Encoding, SignalFormat, is_index};
use ::formats::sound::depth::Depth;
use ::formats::words::counted;
use coherence::signal::Signature;
use serde_json::{Map, Value, json};

use super::batch::Told;
use super::convert::{object, stages};
use super::within as budgets;
use super::{attributes, cascade, options, sources, types_file};
use crate::cli::{Convert, Drop, Inspect, Minimise, Output};
use crate::failure::{DONE, Failure, Result};
use crate::local::media::record;
use crate::local::memory::parse_size;
use crate::local::seal::real;
use crate::local::signal::{self, Allocated, BudgetOf, Objective, Place, SignalJob, SignalOutcome, wanted};
use crate::local::staging::directory_of;
use crate::local::standard::{is_pipe, is_plain_file};
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report::{self, Described, Kept, number};
pub use compare::compare;
use heard::Heard;
pub use idle::check_typed;
use idle::of_arrays;
pub use plan::plan;

/// Arrays that a person is shown.
const ARRAYS_SHOWN: usize = 20;

/// The container of a source: as was said, or as its bytes and its name tell.
pub fn of_source(path: &Path, said: Option<&str>) -> Result<Option<SignalFormat>> {
    match said {
        Some(name) => Ok(SignalFormat::named(name)),
        None if is_pipe(path) => Ok(SignalFormat::of_name(path)),
        None if !is_plain_file(path) => Ok(None),
        None => Ok(SignalFormat::of_file(&ObjectFile::open(path)?)?),
    }
}

/// The conversion of arrays that was asked for; `None` where neither side is a container of arrays.
pub fn job(args: &Convert, sources: &[PathBuf], target: &Path) -> Result<Option<SignalJob>> {
    let [source] = sources else { return Ok(None) };
    let said = args.reading.from.as_deref();
    let Some((from, to)) = sides(args, source, target)? else { return Ok(None) };
    let args = &of_arrays(args, from, to)?;
    let media = (
        media::identify(from, said, Some(source)),
        media::identify(Codec::Arrays(to), args.writing.to.as_deref(), Some(target)),
    );
    let (encoding, budget, lossy) = loss(args, media.1)?;
    let via = cascade::stops(args)?;
    let chain = cascade::chain(source, media, &via, lossy)?;
    let mut parameters = parameters(args, media.1);
    let mut reading = types_file::resolved(&args.reading)?;
    if !matches!(from, Codec::Table(_)) {
        // What was said is no format of tables.
        reading.from = None;
    }
    if let Codec::Table(_) = from {
        cascade::add_reading(&mut parameters, &reading, args.signals.nulls.is_some());
    }
    cascade::record(&mut parameters, &chain);
    cascade::record_via(&mut parameters, args);
    record(&mut parameters, &[media.0, media.1]);
    Ok(Some(SignalJob {
        source: source.clone(),
        media,
        via,
        chain,
        reading: options::reading(&reading, directory_of(target), parse_size(&args.machine.memory)?)?,
        null_is_nan: args.signals.nulls.is_some(),
        target: target.to_owned(),
        to,
        encoding,
        encoding_is_typed: args.typed.has("sample-type"),
        budget,
        lossy,
        exact_asked: budgets::exact_asked(args),
        objective: objective(args),
        wanted: wanted(&args.signals.include, &args.signals.exclude)?,
        declared: Declared { rate: args.signals.rate, bits: args.signals.bits },
        drop_attributes: args.signals.drop.contains(&Drop::Metadata),
        replace: args.force.into(),
        resume: args.resume,
        strict: args.strict,
        threads: args.machine.threads,
        memory: parse_size(&args.machine.memory)?,
        parameters,
        #[cfg(test)]
        lie: Default::default(),
    }))
}

/// What a source is and the container of its target; `None` where the conversion is none of arrays.
fn sides(args: &Convert, source: &Path, target: &Path) -> Result<Option<(Codec, SignalFormat)>> {
    let said = args.reading.from.as_deref();
    let from = of_source(source, said)?;
    let to = match args.writing.to.as_deref() {
        Some(name) => SignalFormat::named(name),
        None => SignalFormat::of_name(target),
    };
    refuse_index((args, source), target, to)?;
    let other = match (from, to) {
        (None, Some(_)) => cascade::source_of(source, said)?,
        _ => None,
    };
    match (from.map(Codec::Arrays).or(other), to) {
        (None, None) => Ok(None),
        (Some(_), None) if cascade::becomes_table(args, target) => Ok(None),
        (Some(from), Some(to)) => Ok(Some((from, to))),
        (None, Some(to)) if said.is_none() => Err(sources::unrecognised(source, to.name())),
        _ => {
            let shown = |format: Option<SignalFormat>| format.map_or("something else", SignalFormat::name);
            let (from, to) = (shown(of_source(source, said)?), shown(to));
            let containers = SignalFormat::ALL.map(SignalFormat::name).join(", ");
            Err(Failure::Usage(format!(
                "{} → {}: there is no conversion of {from} to {to}; arrays go from one container of arrays \
                 to another ({containers}), into images and into tables",
                source.display(),
                target.display()
            )))
        }
    }
}

/// Refuses a target called like an index of several safetensors that is another container, since what has
/// such a name is read as an index; and to go on with several files, which have no journal.
fn refuse_index((args, source): (&Convert, &Path), target: &Path, to: Option<SignalFormat>) -> Result<()> {
    let Some(to) = to.filter(|_| is_index(target)) else { return Ok(()) };
    if to == SignalFormat::Safetensors {
        return match args.resume {
            true => Err(Failure::Usage(format!(
                "--resume: {}: a model in several files is not gone on with; leave it away",
                target.display()
            ))),
            false => Ok(()),
        };
    }
    let ending = to.media().endings.first().map_or(to.name(), String::as_str);
    // Of three endings, the first is that of a container.
    let instead = target.with_extension("").with_extension("").with_extension(ending);
    let way = match real(&instead) == real(source) {
        true => "give another name".to_owned(),
        false => format!("write {} instead", instead.display()),
    };
    Err(Failure::Usage(format!(
        "{}: is the name of an index of several safetensors, and {} is one file; {way}",
        target.display(),
        to.name()
    )))
}

/// The sample type, the budget, and whether that is any at all.
fn loss(args: &Convert, to: &MediaType) -> Result<(Option<Encoding>, Box<BudgetOf>, bool)> {
    let encoding = sample_type(args, to).map(str::parse::<Encoding>).transpose();
    let encoding = encoding.map_err(|error| Failure::Usage(format!("--sample-type: {error}")))?;
    let (within, floor) = budgets::asked(args, to);
    // What is no budget is told before anything is read; the peak of the source is known after that.
    let lossy = budgets::budget(&within, floor.as_deref(), Some(1.0))?.is_some();
    let sound = matches!(to.codec, Codec::Arrays(format) if format.is_sound());
    if args.signals.minimise != Minimise::Size && (encoding.is_some() || !lossy || sound) {
        return Err(Failure::Usage(
            "--minimise: there is nothing to choose: it is about the types of arrays, with --within and \
             without --sample-type; a sound gets the fewest bits, which take the least time as well"
                .into(),
        ));
    }
    let budget = move |peak: Option<f64>| budgets::budget(&within, floor.as_deref(), peak);
    Ok((encoding, Box::new(budget), lossy))
}

/// What is made least within the budget.
fn objective(args: &Convert) -> Objective {
    match args.signals.minimise {
        Minimise::Size => Objective::Size,
        Minimise::Time => Objective::Time,
    }
}

/// The sample type that was asked for, or that of the type.
fn sample_type<'a>(args: &'a Convert, to: &'a MediaType) -> Option<&'a str> {
    args.signals.sample_type.as_deref().or_else(|| to.text(Key::SampleType))
}

fn parameters(args: &Convert, to: &MediaType) -> Map<String, Value> {
    let (within, floor) = budgets::asked(args, to);
    let mut parameters = Map::new();
    let mut put = |key: &str, value: Value| {
        parameters.insert(key.to_owned(), value);
    };
    let texts = [
        ("from", args.reading.from.as_deref()),
        ("to", args.writing.to.as_deref()),
        ("sampleType", sample_type(args, to)),
        ("partFloor", floor.as_deref()),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            put(key, json!(text));
        }
    }
    for (key, patterns) in [("include", &args.signals.include), ("exclude", &args.signals.exclude)] {
        if !patterns.is_empty() {
            put(key, json!(patterns));
        }
    }
    if args.signals.drop.contains(&Drop::Metadata) {
        put("drop", json!(["metadata"]));
    }
    if args.signals.minimise == Minimise::Time {
        put("minimise", json!("time"));
    }
    if let Some(rate) = args.signals.rate {
        put("rate", json!(rate.to_string()));
    }
    if let Some(bits) = args.signals.bits {
        put("bits", json!(bits.to_string()));
    }
    put("within", json!(within));
    parameters
}

fn arrays(signature: &Signature, stored: Option<&[Encoding]>) -> Vec<Value> {
    let arrays = signature.arrays.iter().enumerate();
    let array = |(index, array): (usize, &coherence::signal::Array)| {
        let mut document = json!({
            "name": array.name, "sampleType": array.sample.name(), "shape": array.shape,
        });
        if let Some(stored) = stored {
            document["targetSampleType"] = json!(stored[index].name());
        }
        document
    };
    arrays.map(array).collect()
}

/// How encodings were chosen.
fn allocation(allocated: Option<&Allocated>) -> Value {
    allocated.map_or(Value::Null, |found| {
        let gap = match found.objective {
            Objective::Size => "gapBytes",
            Objective::Time => "gapNanoseconds",
        };
        json!({
            "minimise": found.objective.name(),
            "lambda": number(found.lambda),
            (gap): number(found.gap),
            "bytes": found.bytes,
            "bestSingle": {
                "sampleType": found.single.0.map(Encoding::name), "bytes": found.single.1,
            },
        })
    })
}

fn allocation_line(allocated: Option<&Allocated>) -> Option<String> {
    let found = allocated?;
    let (bytes, single) = (report::bytes(found.bytes), report::bytes(found.single.1));
    let name = found.single.0.map_or("the source's own types", Encoding::name);
    let (gap, unit) = match found.objective {
        Objective::Size => (report::bytes(found.gap as u64), "bytes"),
        Objective::Time => (format!("{:.3} s", found.gap / 1e9), "nanoseconds"),
    };
    let price = match found.lambda > 0.0 {
        true => format!("one unit of squared distance costs {:.3e} {unit}", found.lambda),
        false => "the bound on the whole leaves room, so distance has no price".to_owned(),
    };
    Some(format!(
        "  sample types chosen for each array: {bytes} of samples, at most {gap} above the least; {single} \
         with {name} for all; {price}"
    ))
}

/// The budget that was asked for.
fn within(job: &SignalJob) -> &str {
    job.parameters.get("within").and_then(Value::as_str).unwrap_or("exact")
}

/// The document of a conversion.
pub fn document(job: &SignalJob, outcome: &SignalOutcome) -> Value {
    let begin = json!({
        "schema": "isoform.convert/v1",
        "model": "signal",
        "source": object(&job.source.to_string_lossy(), &job.media.0.media_type, outcome.done.sizes.0),
        "target": object(&job.target.to_string_lossy(), &job.media.1.media_type, outcome.done.sizes.1),
    });
    let besides = json!({
        "chain": cascade::taken(&job.chain, within(job), &outcome.steps),
        "arrays": arrays(&outcome.signature, Some(&outcome.stored)),
        "samples": outcome.signature.samples(),
        "allocation": allocation(outcome.allocated.as_ref()),
        "settings": outcome.coded.map(|coded| json!({ "bitrate": coded.bitrate })),
        "encodes": outcome.coded.map(|coded| coded.codings),
        "distortion": report::distortion(&outcome.distortion),
        "worst": outcome.worst.map(|worst| json!({
            "from": worst.times.0, "to": worst.times.1, "coherence": number(worst.coherence),
        })),
        "tightest": outcome.tightest.as_ref().map(tightest::document),
        "parts": { "total": outcome.parts.0, "reused": outcome.parts.1 },
    });
    report::conversion(&outcome.done, begin, besides)
}

/// The lines of a conversion, whose target has this name and whose certificate is kept so.
pub fn lines(job: &SignalJob, outcome: &SignalOutcome, (target, kept): (&Path, Kept<'_>)) -> Vec<String> {
    let (from, to, seconds) = report::passage(&outcome.done);
    let verdict = outcome.done.verdict.name();
    let figures = &outcome.distortion;
    let told = ["coherence", "snr", "rmse", "max-error"];
    let beside = budgets::measured_beside(within(job), &told, figures, figures.psnr_db);
    let proven = match figures.d == 0.0 {
        true => format!("  {verdict}: every sample of the finished file was decoded and compared"),
        false => format!(
            "  {verdict}: measured over every sample of the finished file: {beside}coherence {}, snr {} \
             dB, {}",
            report::fixed(figures.coherence, 6),
            report::fixed(figures.snr_db, 2),
            report::errors(figures.rmse, figures.max_abs)
        ),
    };
    let mut lines = vec![
        format!("{} → {}", job.source.display(), target.display()),
        format!("  {}, {from} → {to}, {seconds:.2} s", size_of(&outcome.signature)),
        proven,
    ];
    lines.extend(report::sealed(&outcome.done, kept));
    lines.extend(cascade::line(&job.chain, within(job), &outcome.steps));
    lines.extend(allocation_line(outcome.allocated.as_ref()));
    lines.extend(sound_lines(outcome));
    let peak = outcome.signature.arrays.first().and_then(|array| array.peak);
    let least = outcome.worst.map(|worst| (Place::Seconds(worst.times.0, worst.times.1), worst.coherence));
    lines.extend(tightest::line(&job.parameters, outcome.tightest.as_ref(), least, peak));
    if outcome.parts.1 > 0 {
        lines.push(report::reused(outcome.parts));
    }
    lines.extend(report::notes(&outcome.done));
    lines
}

/// How much a signal holds.
fn size_of(signature: &Signature) -> String {
    let samples = counted(signature.samples().unwrap_or(0), "sample");
    format!("{samples} in {}", counted(signature.arrays.len(), "array"))
}

/// What a sound is held as, where its samples changed.
fn held(outcome: &SignalOutcome) -> Option<String> {
    match (outcome.signature.arrays.as_slice(), &*outcome.stored) {
        ([array], [Encoding::Sound(to)]) => {
            let from = Depth::of(array).map_or(array.sample.name(), Depth::name);
            Some(format!("samples of {from} held as {}", to.depth))
        }
        _ => None,
    }
}

/// How a sound is coded and held.
fn sound_lines(outcome: &SignalOutcome) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(coded) = outcome.coded {
        let least = match coded.codings {
            0 => String::new(),
            codings => format!(": the least of {} that keep the budget", counted(codings, "coding")),
        };
        lines.push(format!("  {} bits a second{least}", coded.bitrate));
    }
    lines.extend(held(outcome).map(|held| format!("  {held}")));
    lines
}

/// The same as one of many.
pub fn told(job: &SignalJob, outcome: &SignalOutcome) -> Told {
    let figures = &outcome.distortion;
    let mut words = budgets::measured(within(job), figures, figures.psnr_db);
    words.extend(outcome.coded.map(|coded| format!("{} bits a second", coded.bitrate)));
    words.extend(held(outcome));
    words.extend(outcome.done.notes.iter().cloned());
    let (verdict, sizes) = (outcome.done.verdict.name(), outcome.done.sizes);
    Told { verdict, rows: None, sizes, document: document(job, outcome), words }
}

/// Converts.
pub fn run(job: &SignalJob, output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    progress.announce(&stages(std::slice::from_ref(&job.source)));
    let outcome = signal::convert(job, &progress)?;
    progress.finish();
    report::result(
        output,
        &document(job, &outcome),
        &lines(job, &outcome, (&job.target, Kept::At(&outcome.done.certificate))),
    );
    Ok(DONE)
}

/// Lines that tell the arrays, the first ones of many.
fn array_lines(signature: &Signature, stored: &[Encoding], how: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, array) in signature.arrays.iter().enumerate().take(ARRAYS_SHOWN) {
        let name = if array.name.is_empty() { "(no name)" } else { &array.name };
        let shape = array.shape.iter().map(u64::to_string).collect::<Vec<_>>().join("×");
        let shape = if shape.is_empty() { "one sample".to_owned() } else { shape };
        let to = Some(stored[index]).filter(|to| *to != Encoding::Plain(array.sample));
        let to = to.map_or(String::new(), |to| format!(" {how} {to}"));
        lines.push(format!("  {name}: {}{to}, {shape}", array.sample));
    }
    if signature.arrays.len() > ARRAYS_SHOWN {
        lines.push(format!("  and {} more; --json lists all", signature.arrays.len() - ARRAYS_SHOWN));
    }
    lines
}

/// The containers of all objects, where they are containers of arrays.
pub fn are_meant(said: Option<&str>, paths: &[&Path]) -> Result<Option<Vec<Codec>>> {
    let all: Option<Vec<SignalFormat>> =
        paths.iter().map(|path| of_source(path, said)).collect::<Result<_>>()?;
    if let Some(all) = all {
        return Ok(Some(all.into_iter().map(Codec::Arrays).collect()));
    }
    let told = paths.iter().map(|path| of_source(path, None)).collect::<Result<Vec<_>>>()?;
    if told.iter().all(Option::is_none) {
        return Ok(None);
    }
    let codec = |(path, told): (&&Path, Option<SignalFormat>)| match told {
        Some(format) => Ok(Some(Codec::Arrays(format))),
        None => cascade::source_of(path, said),
    };
    paths.iter().zip(told).map(codec).collect()
}

/// Describes a container of arrays.
pub fn inspect(args: &Inspect, format: SignalFormat, output: &Output) -> Result<u8> {
    let progress = Progress::new(output)?;
    let file = Arc::new(ObjectFile::open(&args.path)?);
    progress.begin(Stage::Verifying, file.len(), file.len() * 2);
    let arrays_found = ::formats::signal::open(file.clone(), format, directory_of(&args.path))?;
    let signature = arrays_found.signature();
    let threads = options::workers(&args.machine)?;
    let object = crate::local::hash_object(&file, &progress)?;
    let root = signal::root_of(&arrays_found, signature, threads, &progress)?;
    progress.finish();
    let attributes = signature.attributes.iter();
    let attributes = attributes.map(|(key, value)| attributes::document(key, value));
    let sound = Heard::of(signature);
    let held = arrays_found.in_blocks();
    let mut documents = arrays(signature, None);
    for (document, encoding) in documents.iter_mut().zip(&held).filter(|(_, held)| held.is_in_blocks()) {
        document["heldAs"] = json!(encoding.name());
    }
    let more = json!({
        "samples": signature.samples(),
        "sound": sound.as_ref().map(Heard::document),
        "arrays": documents,
        "attributes": attributes.collect::<Vec<_>>(),
    });
    let media_type = options::inspected(args, Codec::Arrays(format));
    let described = Described { model: "signal", path: &args.path, media_type, object, root };
    let (document, mut lines) = described.document_and_lines(more, &size_of(signature));
    lines.extend(sound.as_ref().map(Heard::line));
    lines.extend(array_lines(signature, &held, "held as"));
    lines.extend(signature.attributes.iter().map(|(key, value)| attributes::line(key, value)));
    report::result(output, &document, &lines);
    Ok(DONE)
}
