//! `convert`.

use std::path::{Path, PathBuf};

use ::formats::bytes::names;
use ::formats::concat::ConcatOptions;
use ::formats::csv::BadRecords;
use ::formats::image::ImageFormat;
use ::formats::media::{self, Codec, Edge, MediaType};
use ::formats::metadata::has_columns;
use ::formats::open::OpenOptions;
use ::formats::partition::PathColumn;
use ::formats::signal::{SignalFormat, is_index};
use ::formats::spool::Wrapping;
use ::formats::text::Mode;
use ::formats::words::{argument, counted};
use ::formats::write::WriteOptions;
use serde_json::json;

use super::kind::Kind;
use super::partitions::Told;
use super::sources::{Source, Sources};
use super::{
    batch, bytes, cascade, certified, image, missed, options, partitions, signal, sources, stream, types_file,
};
use crate::cli::{Convert, Output};
use crate::failure::{DONE, Failure, Result};
use crate::local::media::record;
use crate::local::memory::{BASE_BYTES, parse_size, unwrapping};
use crate::local::staging::directory_of;
use crate::local::standard::is_standard;
use crate::local::{Job, Outcome, convert, refuse_early, without_slash};
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report::{self, Kept};

/// Converts.
pub fn run(args: &Convert, output: &Output) -> Result<u8> {
    let (sources, target) = sources::and_target(args)?;
    if is_standard(&target) {
        return stream::run(args, &sources, output);
    }
    refuse_stream(args)?;
    match Kind::of(args, &sources, &target)? {
        Kind::Bytes(job) => bytes::run(&job, output),
        Kind::Image(job) => image::run(&job, output),
        Kind::Signal(job) => signal::run(&job, output),
        Kind::Table(job) => table(*job, args, output),
    }
}

/// Converts a table.
fn table(job: Job, args: &Convert, output: &Output) -> Result<u8> {
    refuse_early(&job)?;
    let progress = Progress::new(output)?;
    progress.announce(&stages(&job.sources));
    let job = certified::followed(job, args, &progress)?;
    let outcome = convert(&job, &progress)?;
    progress.finish();
    report::result(
        output,
        &document(&job, &outcome),
        &lines(&job, &outcome, (&job.target, Kept::At(&outcome.done.certificate))),
    );
    Ok(DONE)
}

/// Refuses what is about standard output, where the target is a file.
pub fn refuse_stream(args: &Convert) -> Result<()> {
    if args.stream {
        let text = "--stream is for standard output; a file appears when all of it is verified";
        return Err(Failure::Usage(text.into()));
    }
    if args.certificate.is_some() {
        let text = "--certificate is for standard output; the certificate of a file is beside it";
        return Err(Failure::Usage(text.into()));
    }
    Ok(())
}

/// The stages of a conversion, as far as the sources have a size before they are read.
pub fn stages(sources: &[PathBuf]) -> [(Stage, u64); 3] {
    let size = sources.iter().filter_map(|path| path.metadata().ok()).map(|found| found.len()).sum();
    [(Stage::Reading, size), (Stage::Converting, size), (Stage::Verifying, size)]
}

/// Several sources are the rows of one target, which only tables have.
fn refuse_together(args: &Convert, sources: &[PathBuf], target: &Path) -> Result<()> {
    let alone = match args.writing.to.as_deref() {
        Some(name) => SignalFormat::named(name).is_some() || ImageFormat::named(name).is_some(),
        None => SignalFormat::of_name(target).is_some() || image::of_name(target).is_some(),
    };
    let [_, _, ..] = sources else { return Ok(()) };
    if alone {
        return Err(Failure::Usage(format!(
            "{}: {} sources become one target only as rows of a table; arrays, sounds and images are \
             converted each by itself, into --out-dir DIR{}",
            target.display(),
            sources.len(),
            by_index(sources, target)
        )));
    }
    let said = args.reading.from.as_deref();
    match sources.iter().find_map(|source| Some((source, no_table(source, said)?))) {
        None => Ok(()),
        Some((source, (what, to))) => Err(Failure::Usage(format!(
            "{}: {what}, and several sources become one target only as rows of a table; convert each by \
             itself, with --out-dir DIR --to FORMAT, such as {to}",
            source.display()
        ))),
    }
}

/// What a source is that no table is, as was said or as its name tells, and a format that it becomes.
fn no_table(source: &Path, said: Option<&str>) -> Option<(&'static str, &'static str)> {
    let (arrays, image) = match said {
        Some(name) => (SignalFormat::named(name), ImageFormat::named(name)),
        None => (SignalFormat::of_name(source), image::of_name(source)),
    };
    match (arrays, image) {
        (Some(format), _) if format.is_sound() => Some(("is a sound", "flac")),
        (Some(_), _) => Some(("holds arrays", "parquet")),
        (None, image) => image.map(|_| ("is an image", "webp")),
    }
}

/// How files that are one model become one target, where one of them is their index.
fn by_index(sources: &[PathBuf], target: &Path) -> String {
    let mut indexes = sources.iter().filter(|source| is_index(source));
    match (indexes.next(), indexes.next()) {
        (Some(index), None) => format!(
            "; files of one model are read by their index: isoform convert {} {}",
            argument(index),
            argument(target)
        ),
        _ => String::new(),
    }
}

/// What is to be done for these sources and this target.
pub fn job(args: &Convert, typed: &Sources, target: &Path) -> Result<Job> {
    let sources = sources::paths(&typed.found);
    refuse_together(args, &sources, target)?;
    let args = &options::without_waiting(args, &[]);
    refuse_signals(args)?;
    let dir = directory_of(target);
    let target = if args.writing.partition_by.is_empty() { target.to_owned() } else { without_slash(target) };
    let write = options::writing(&args.writing, &target)?;
    let write = if args.typed.has("compression") { write } else { write.without_waiting_compression() };
    let Route { arrays, led, via, chain } = route(args, &sources, write.media)?;
    let mut reading = types_file::resolved(&args.reading)?;
    options::delimit(&mut reading, &sources);
    let mut parameters = options::parameters(&reading, &args.writing);
    if write.compression.is_none() {
        parameters.remove("compression");
    }
    if arrays.is_some() {
        // What was said is no format of tables.
        reading.from = None;
    }
    cascade::record(&mut parameters, &chain);
    cascade::record_via(&mut parameters, args);
    let memory = parse_size(&args.machine.memory)?;
    let reading = options::reading(&reading, dir, memory)?;
    let workers = options::workers_for(&args.machine, &write)?;
    // Of all wrappings of text this one takes the most.
    let unwrapping = unwrapping(workers, memory.saturating_sub(BASE_BYTES), Wrapping::Zstd);
    let mut open = OpenOptions { arrays, led, workers: unwrapping, ..reading };
    let (columns, mut notes) = of_directories(args, &typed.found, &open)?;
    notes.extend(typed.notes().into_iter().chain(untold_wrapping(args, &write, &target)));
    options::add_sources(&mut parameters, args, &sources, &columns);
    if args.rejects.is_some() {
        open.bad = BadRecords::SetAside;
    }
    if arrays.is_none() {
        args.typed.check_files(&sources, open.format)?;
    }
    args.typed.check_target(write.format)?;
    let types = sources.iter().filter_map(|path| options::named_table(args.reading.from.as_deref(), path));
    let types = types.chain(chain.first().map(|step| step.from)).chain([write.media]);
    let around = write.around().map(|around| around.codec.media());
    record(&mut parameters, &types.chain(around).collect::<Vec<_>>());
    Ok(Job {
        workers,
        from: args.reading.from.clone(),
        via,
        chain,
        sources,
        hashed: None,
        many: ConcatOptions {
            union: args.union,
            source_column: args.source_column.clone(),
            path_columns: columns,
        },
        rejects: args.rejects.clone(),
        open,
        write,
        typed: args.typed.clone(),
        target,
        partition_by: args.writing.partition_by.clone(),
        replace: args.force.into(),
        resume: args.resume,
        strict: args.strict,
        memory,
        parameters,
        notes,
    })
}

/// Fails where options for arrays and images were given, a budget among them.
pub fn refuse_signals(args: &Convert) -> Result<()> {
    options::refuse_signals(args)?;
    match args.within.as_ref().filter(|within| *within != "exact") {
        None => Ok(()),
        Some(within) => {
            Err(Failure::Usage(format!("--within {within}: tables are converted exactly; leave it away")))
        }
    }
}

/// That the name of a target does not tell the compression around it. Standard output has no name, and files
/// of partitions have one that does.
fn untold_wrapping(args: &Convert, write: &WriteOptions, target: &Path) -> Option<String> {
    let name = target.file_name().filter(|name| *name != "-" && args.writing.partition_by.is_empty())?;
    let codec = write.around().filter(|_| names::split(target).1.is_none())?.codec;
    let (codec, ending, name) = (codec.name(), codec.endings().first()?, name.to_string_lossy());
    Some(format!(
        "the target is wrapped in {codec} and its name does not say so, which other programs go by: call it \
         {name}.{ending}"
    ))
}

/// The columns that the directories of the sources tell, and what is to be said of them and of those that are
/// not taken. A batch says it of all of its sources at once.
fn of_directories(
    args: &Convert,
    sources: &[Source],
    open: &OpenOptions,
) -> Result<(Vec<PathColumn>, Vec<String>)> {
    if args.out_dir.is_some() || args.no_partition_columns {
        return Ok((Vec::new(), Vec::new()));
    }
    let Told { mut columns, note } = match open.arrays.is_some() {
        true => Told::default(),
        false => partitions::columns(sources)?,
    };
    let nothing_typed = args.typed.has("types") && open.typing.all.mode == Mode::Text;
    partitions::fix(&mut columns, &open.typing.fixed, nothing_typed.then_some("text"))?;
    let left = partitions::left_out(sources.iter().map(|source| source.path.as_path()), &columns);
    let left = left.filter(|_| args.source_column.is_none());
    Ok((columns, note.into_iter().chain(left).collect()))
}

/// The way of a source to a table.
struct Route {
    /// The container of arrays that the source is, where it is one.
    arrays: Option<SignalFormat>,
    /// Containers that its arrays are led over.
    led: Vec<SignalFormat>,
    /// Formats that the table is led through.
    via: Vec<WriteOptions>,
    /// The types on the way, where it is not direct.
    chain: Vec<Edge<'static>>,
}

fn route(args: &Convert, sources: &[PathBuf], to: &'static MediaType) -> Result<Route> {
    let stops = cascade::stops(args)?;
    let found = cascade::rows(args, sources, &stops, to)?;
    let (led, via) = cascade::table_stops(&stops, found.is_some())?;
    let said = args.reading.from.as_deref();
    if let Some((arrays, chain)) = found {
        return Ok(Route { arrays: Some(arrays), led, via, chain });
    }
    let chain = match (stops.as_slice(), sources) {
        ([], _) => Vec::new(),
        (stops, [source]) => {
            let Some(from @ Codec::Table(_)) = cascade::source_of(source, said)? else {
                let shown = source.display();
                return Err(Failure::Usage(format!(
                    "--via: the format of {shown} is not known; name it with --from"
                )));
            };
            cascade::chain(source, (media::identify(from, said, Some(source)), to), stops, false)?
        }
        _ => return Err(Failure::Usage("--via: is for one source; leave it away".into())),
    };
    Ok(Route { arrays: None, led, via, chain })
}

/// The sources as a line names them.
pub fn shown(sources: &[PathBuf]) -> String {
    match sources {
        [only] => only.display().to_string(),
        [first, rest @ ..] => format!("{} and {} more", first.display(), rest.len()),
        [] => String::new(),
    }
}

/// The document of a conversion.
pub fn document(job: &Job, outcome: &Outcome) -> serde_json::Value {
    let columns = outcome.columns.iter();
    let columns =
        columns.map(|(name, ty, reversible)| json!({ "name": name, "type": ty, "reversible": reversible }));
    let sources = outcome.sources.iter();
    let sources = sources.map(|(path, bytes)| json!({ "path": path.to_string_lossy(), "bytes": bytes }));
    let fills = outcome.fills.iter().map(
        |fill| json!({ "source": fill.source.to_string_lossy(), "column": fill.column, "rows": fill.rows }),
    );
    let begin = json!({
        "schema": "isoform.convert/v1",
        "model": "table",
        "source": object(&shown(&job.sources), outcome.media_types.0, outcome.done.sizes.0),
        "sources": sources.collect::<Vec<_>>(),
        "fills": fills.collect::<Vec<_>>(),
        "rejects": {
            "path": job.rejects.as_ref().map(|path| path.to_string_lossy()),
            "records": outcome.set_aside,
        },
        "target": object(&job.target.to_string_lossy(), outcome.media_types.1, outcome.done.sizes.1),
    });
    let besides = json!({
        "rows": outcome.rows,
        "columns": columns.collect::<Vec<_>>(),
        "partitions": outcome.partitions,
        "parts": { "total": outcome.parts.0, "reused": outcome.parts.1 },
    });
    let mut document = report::conversion(&outcome.done, begin, besides);
    let notes = outcome.plain.iter().chain(&outcome.done.notes).cloned();
    document["notes"] = json!(notes.chain(missed::note(&outcome.missed)).collect::<Vec<_>>());
    if !job.chain.is_empty() {
        document["chain"] = json!(cascade::steps(&job.chain, "exact"));
    }
    document
}

/// The same as one of many.
pub fn told(job: &Job, outcome: &Outcome) -> batch::Told {
    let words = outcome.done.notes.iter().map(|note| batch::short(note));
    batch::Told {
        verdict: outcome.done.verdict.name(),
        rows: Some(outcome.rows),
        sizes: outcome.done.sizes,
        document: document(job, outcome),
        words: words.map(str::to_owned).chain(missed::names(&outcome.missed)).collect(),
    }
}

pub fn object(path: &str, media_type: &str, bytes: u64) -> serde_json::Value {
    json!({ "path": path, "mediaType": media_type, "bytes": bytes })
}

/// What was proven, in words.
fn proven(outcome: &Outcome) -> String {
    let verdict = outcome.done.verdict.name();
    match outcome.partitions {
        None => format!("  {verdict}: every cell of the finished file was decoded and compared"),
        Some(count) => format!(
            "  {verdict}: every cell of {} was decoded and compared; each holds its rows in the order of the \
             source",
            counted(count, "finished partition")
        ),
    }
}

/// The lines of a conversion, whose target has this name and whose certificate is kept so.
pub fn lines(job: &Job, outcome: &Outcome, (target, kept): (&Path, Kept<'_>)) -> Vec<String> {
    let (from, to, seconds) = report::passage(&outcome.done);
    let (rows, columns) = (counted(outcome.rows, "row"), counted(outcome.columns.len(), "column"));
    let mut lines = vec![
        format!("{} → {}", shown(&job.sources), target.display()),
        format!("  {rows}, {columns}, {from} → {to}, {seconds:.2} s"),
        proven(outcome),
    ];
    lines.extend(report::sealed(&outcome.done, kept));
    lines.extend(cascade::line(&job.chain, "exact", &[]));
    if outcome.parts.1 > 0 {
        lines.push(report::reused(outcome.parts));
    }
    if let Some(path) = &job.rejects {
        let path = path.display();
        lines.push(match outcome.set_aside {
            0 => format!("  every record is good: {path} was not made"),
            n => format!("  {}, not in the target: set aside into {path}", counted(n, "bad record")),
        });
    }
    // Of columns that the target does not have, a note tells what is lost.
    let has_columns = has_columns(job.write.format, outcome.rows);
    for (name, ty, _) in outcome.columns.iter().filter(|column| has_columns && !column.2) {
        let why = outcome.whys.get(name).map(|why| format!(": {why}")).unwrap_or_default();
        lines.push(format!("  column {name:?} as {ty} does not give back its text{why}"));
    }
    lines.extend(report::notes(&outcome.done));
    lines.extend(missed::note(&outcome.missed).map(report::note));
    lines
}
