//! Provides the meaning of reading and writing options, shared by the commands.

use std::path::{Path, PathBuf};

use ::formats::bytes::names;
use ::formats::concat::ConcatOptions;
use ::formats::csv::{BadRecords, CsvOptions, Ragged};
use ::formats::listen::Listener;
use ::formats::media::{self, Codec, Key, MediaType};
use ::formats::open::{OpenOptions, TypingRules};
use ::formats::partition::PathColumn;
use ::formats::registry::{Format, Wrapping};
use ::formats::signal::SignalFormat;
use ::formats::spool::{Encoding, EncodingChoice};
use ::formats::text::{DateOrder, DecimalMarks, Mode, TypingOptions};
use ::formats::write::{Compression, WriteOptions};
use serde_json::{Map, Value, json};

use super::types_file::RULES;
use super::{image, partitions};
use crate::cli::{Convert, Inspect, Machine, Minimise, Reading, Writing};
use crate::failure::{Failure, Result};
use crate::local::seal::SOURCES;
use crate::local::{memory, rejects};
use crate::typed::giver;

/// How a source is opened within so much memory.
pub fn reading(args: &Reading, spool_dir: &Path, memory: u64) -> Result<OpenOptions> {
    let byte = |option: &str, text: &str| match text.as_bytes() {
        [byte] => Ok(*byte),
        _ if text == "tab" || text == "\\t" => Ok(b'\t'),
        _ => Err(Failure::Usage(format!("{option}: {text:?} is not one ASCII character or `tab`"))),
    };
    let quote = match args.quote.as_deref() {
        None => None,
        Some("none") => Some(None),
        Some(text) => Some(Some(byte("--quote", text)?)),
    };
    let csv = CsvOptions {
        delimiter: args.delimiter.as_deref().map(|text| byte("--delimiter", text)).transpose()?,
        quote,
        escape: args.escape.as_deref().map(|text| byte("--escape", text)).transpose()?,
        comment: args.comment.as_ref().map(|text| text.as_bytes().to_vec()),
        skip_lines: args.skip_lines,
        header: args.header.as_deref().map(yes_no).transpose()?,
        ragged: if args.ragged { Ragged::Pad } else { Ragged::Refuse },
    };
    Ok(OpenOptions {
        format: args.from.as_deref().map(Format::named).transpose()?,
        arrays: None,
        led: Vec::new(),
        csv,
        typing: typing(args)?,
        certified: None,
        encoding: encoding(args.encoding.as_deref())?,
        presence: args.presence,
        bad: BadRecords::Fail,
        record_bytes_max: memory::record_bytes_max(memory),
        keys_max: memory::keys_max(memory),
        row_bytes_max: memory::row_bytes_max(memory),
        workers: 1,
        spool_dir: spool_dir.to_owned(),
        listener: Listener::default(),
    })
}

fn yes_no(text: &str) -> Result<bool> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(Failure::Usage(format!("--header: {text:?} is neither yes nor no"))),
    }
}

fn typing(args: &Reading) -> Result<TypingRules> {
    let mode = match args.types.as_str() {
        "reversible" => Mode::Reversible,
        "value" => Mode::Value,
        "text" => Mode::Text,
        other => {
            let rules = RULES.join(", ");
            return Err(Failure::Usage(format!("{}: {other:?} is none of {rules}", giver("types"))));
        }
    };
    let date_order = match args.dates.as_deref() {
        None => DateOrder::Unknown,
        Some(name) => DateOrder::named(name)
            .ok_or_else(|| Failure::Usage(format!("--dates: {name:?} is neither dmy nor mdy")))?,
    };
    let orders = args.orders.iter().filter_map(|text| {
        let (name, order) = text.rsplit_once('=')?;
        Some((name.to_owned(), DateOrder::named(order)?))
    });
    let decimal_marks = match args.decimal_comma {
        Some(true) => DecimalMarks::Comma,
        Some(false) | None => DecimalMarks::Point,
    };
    let (null_tokens, marks_told) = (args.null.clone(), args.decimal_comma.is_some());
    let all = TypingOptions { mode, null_tokens, date_order, decimal_marks, marks_told, fixed: None };
    let fixed = args.fixed.iter().map(|text| {
        let pair = text.rsplit_once('=').filter(|(name, ty)| !name.is_empty() && !ty.is_empty());
        let pair = pair.map(|(name, ty)| (name.to_owned(), ty.to_owned()));
        pair.ok_or_else(|| Failure::Usage(format!("--type: {text:?} is not COLUMN=TYPE")))
    });
    let fixed: Vec<(String, String)> = fixed.collect::<Result<_>>()?;
    for (at, (name, ty)) in fixed.iter().enumerate() {
        if let Some((_, other)) = fixed[..at].iter().find(|(known, other)| known == name && other != ty) {
            let what = format!("--type {name}=…: {other} and {ty} are given; leave one of them away");
            return Err(Failure::Usage(what));
        }
    }
    Ok(TypingRules { all, fixed, orders: orders.collect(), fixed_if_present: false })
}

/// The media type of what is inspected and read by this codec; a definition may have added it.
pub fn inspected(args: &Inspect, codec: Codec) -> &'static str {
    &media::identify(codec, args.reading.from.as_deref(), Some(&args.path)).media_type
}

fn encoding(name: Option<&str>) -> Result<EncodingChoice> {
    let Some(name) = name else { return Ok(EncodingChoice::Mark) };
    Ok(EncodingChoice::Given(match name.to_ascii_lowercase().as_str() {
        "guess" => return Ok(EncodingChoice::Guess),
        "utf-8" | "utf8" => Encoding::Utf8,
        "utf-16le" => Encoding::Utf16Le,
        "utf-16be" => Encoding::Utf16Be,
        "latin-1" | "latin1" | "iso-8859-1" => Encoding::Latin1,
        "windows-1252" | "cp1252" => Encoding::Windows1252,
        _ => {
            let known = "utf-8, utf-16le, utf-16be, latin-1, windows-1252, guess";
            return Err(Failure::Usage(format!("--encoding: {name:?} is none of {known}")));
        }
    }))
}

/// That the name of a target tells no format, and which there are.
fn nameless(target: &Path) -> Failure {
    let lines = match target.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) {
        true => "; --to jsonl writes one record a line",
        false => "",
    };
    let (shown, names) = (target.display(), Format::names());
    Failure::Usage(format!(
        "{shown}: the name tells no format; name it with --to: {names}, or another that isoform formats \
         lists{lines}"
    ))
}

/// How a target is written.
pub fn writing(args: &Writing, target: &Path) -> Result<WriteOptions> {
    let named = Format::of_name(target);
    let (format, wrapping) = match (args.to.as_deref().map(Format::named_target).transpose()?, named) {
        (None, Some((format, wrapping))) => (format, wrapping),
        (Some(format), _) => (format, names::split(target).1.unwrap_or(Wrapping::Raw)),
        (None, None) => return Err(nameless(target)),
    };
    let wrapping = match (args.wrapping, wrapping) {
        (Some(told), named) if named != Wrapping::Raw && named != told => {
            let (shown, told, named) = (target.display(), told.name(), named.name());
            return Err(Failure::Usage(format!(
                "{shown}: --to says {told}, and the name {named}; make them agree"
            )));
        }
        (told, named) => told.unwrap_or(named),
    };
    if wrapping != Wrapping::Raw && !format.is_text() {
        let (shown, name) = (target.display(), format.name());
        return Err(Failure::Usage(format!("{shown}: {name} compresses inside; leave the last ending away")));
    }
    if args.row_group_rows == Some(0) {
        return Err(Failure::Usage("--row-group-rows: at least one row is needed".into()));
    }
    let media = media::identify(Codec::Table(format), args.to.as_deref(), Some(target));
    Ok(WriteOptions {
        format,
        media,
        wrapping,
        compression: args.compression.as_deref().map(Compression::parse).transpose()?,
        row_group_rows: args.row_group_rows,
        dictionary: !args.no_dictionary,
        metadata: metadata(&args.metadata)?,
    })
}

/// Entries of metadata, each under a key of its own.
fn metadata(texts: &[String]) -> Result<Vec<(String, String)>> {
    let mut entries: Vec<(String, String)> = Vec::with_capacity(texts.len());
    for text in texts {
        let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) =
            pair.ok_or_else(|| Failure::Usage(format!("--metadata: {text:?} is not KEY=VALUE")))?;
        if entries.iter().any(|(other, _)| other == key) {
            let what = format!("--metadata: the key {key:?} is given twice; leave one of them away");
            return Err(Failure::Usage(what));
        }
        entries.push((key.to_owned(), value.to_owned()));
    }
    Ok(entries)
}

/// The media type of a table, as was said or as its name tells.
pub fn named_table(said: Option<&str>, path: &Path) -> Option<&'static MediaType> {
    let format = match said {
        Some(name) => Format::named(name).ok()?,
        None => Format::of_name(path)?.0,
    };
    Some(media::identify(Codec::Table(format), said, Some(path)))
}

/// Sources whose type a definition gave a delimiter are read with it, where nothing else was said.
pub fn delimit(reading: &mut Reading, sources: &[impl AsRef<Path>]) {
    if reading.delimiter.is_some() {
        return;
    }
    let said = |path: &Path| defined_delimiter(reading.from.as_deref(), path);
    let mut all = sources.iter().map(|path| said(path.as_ref()));
    if let Some(Some(first)) = all.next()
        && all.all(|other| other == Some(first))
    {
        reading.delimiter = Some(first.to_owned());
    }
}

/// The delimiter that a definition gave to the type of a source.
pub fn defined_delimiter(said: Option<&str>, path: &Path) -> Option<&'static str> {
    let media = named_table(said, path)?;
    media.is_changed(Key::Delimiter).then(|| media.text(Key::Delimiter))?
}

/// How many threads may work at once.
pub fn workers(args: &Machine) -> Result<usize> {
    memory::workers(args.threads, memory::parse_size(&args.memory)?, memory::READER_BYTES)
}

/// The same for a conversion into a table that is written so.
pub fn workers_for(args: &Machine, to: &WriteOptions) -> Result<usize> {
    let memory = memory::parse_size(&args.memory)?;
    let fit = memory::table_workers(args.threads, memory, to.media, to.wrapping_bytes())?;
    Ok(to.media.threads(fit))
}

/// Options that decide the result, for the certificate: those that were given or that have a default.
pub fn parameters(reading: &Reading, writing: &Writing) -> Map<String, Value> {
    let mut map = reading_parameters(reading);
    let mut put = |key: &str, value: Value| put(&mut map, key, value);
    let ending = writing.wrapping.and_then(|wrapping| wrapping.endings().first());
    let ending = ending.map_or(String::new(), |ending| format!(".{ending}"));
    put("to", json!(writing.to.as_ref().map(|to| format!("{to}{ending}"))));
    put("compression", json!(writing.compression));
    put("rowGroupRows", writing.row_group_rows.map(|rows| rows.to_string()).into());
    put("noDictionary", json!(writing.no_dictionary));
    put("metadata", json!(writing.metadata));
    put("partitionBy", json!(writing.partition_by));
    put("within", json!("exact"));
    map
}

/// The same of reading alone.
pub fn reading_parameters(reading: &Reading) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| put(&mut map, key, value);
    put("from", json!(reading.from));
    put("types", json!(reading.types));
    put("type", json!(reading.fixed));
    put("dateOrder", json!(reading.orders));
    put("null", json!(reading.null));
    put("delimiter", json!(reading.delimiter));
    put("quote", json!(reading.quote));
    put("escape", json!(reading.escape));
    put("comment", json!(reading.comment));
    put("skipLines", json!(reading.skip_lines.map(|lines| lines.to_string())));
    put("header", json!(reading.header));
    put("ragged", json!(reading.ragged));
    put("dates", json!(reading.dates));
    put("encoding", json!(reading.encoding));
    put("presence", json!(reading.presence));
    // That they have none is not the same as that nothing was said.
    map.extend(reading.decimal_comma.map(|comma| ("decimalComma".to_owned(), json!(comma))));
    map
}

/// Records an option that was given.
fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value == json!(false);
    if !empty {
        map.insert(key.to_owned(), value);
    }
}

/// The reading options that a certificate records.
pub fn recorded_reading(parameters: &Map<String, Value>) -> Reading {
    let text = |key: &str| parameters.get(key).and_then(Value::as_str).map(str::to_owned);
    let list = |key: &str| {
        let values = parameters.get(key).and_then(Value::as_array).into_iter().flatten();
        values.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let flag = |key: &str| parameters.get(key).and_then(Value::as_bool).unwrap_or(false);
    Reading {
        // A wrapping of bytes is found in the media types; only tables are opened by these options.
        from: text("from").filter(|name| Format::named(name).is_ok()),
        types: text("types").unwrap_or_else(|| "reversible".into()),
        fixed: list("type"),
        orders: list("dateOrder"),
        null: list("null"),
        delimiter: text("delimiter"),
        quote: text("quote"),
        escape: text("escape"),
        comment: text("comment"),
        skip_lines: text("skipLines").and_then(|lines| lines.parse().ok()),
        header: text("header"),
        ragged: flag("ragged"),
        decimal_comma: parameters.get("decimalComma").and_then(Value::as_bool),
        dates: text("dates"),
        encoding: text("encoding"),
        presence: flag("presence"),
    }
}

/// Options about sources that decide the result, added to those of reading and writing, and the columns that
/// their directories tell.
pub fn add_sources(
    map: &mut Map<String, Value>,
    args: &Convert,
    sources: &[PathBuf],
    columns: &[PathColumn],
) {
    if args.union {
        map.insert("union".into(), json!(true));
    }
    if let Some(name) = &args.source_column {
        map.insert("sourceColumn".into(), json!(name));
    }
    if args.rejects.is_some() {
        map.insert(rejects::KEY.into(), json!(true));
    }
    partitions::record(map, columns);
    if sources.len() > 1 || args.source_column.is_some() || !columns.is_empty() {
        let paths = sources.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>();
        map.insert(SOURCES.into(), json!(paths));
    }
}

/// The options about sources that a certificate records.
pub fn recorded_many(parameters: &Map<String, Value>, reading: &mut [OpenOptions]) -> Result<ConcatOptions> {
    if parameters.contains_key(rejects::KEY) {
        reading.iter_mut().for_each(|reading| reading.bad = BadRecords::SetAside);
    }
    Ok(ConcatOptions {
        union: parameters.contains_key("union"),
        source_column: parameters.get("sourceColumn").and_then(Value::as_str).map(str::to_owned),
        path_columns: partitions::recorded(parameters)?,
    })
}

/// The directory for temporaries of a command that writes nothing.
pub fn temporary_dir() -> PathBuf {
    std::env::temp_dir()
}

/// The arguments without the default of a file for the format of the target, where the target's name tells
/// one.
pub fn named_by_target(args: &Convert) -> Convert {
    let mut kept = args.clone();
    let target = args.paths.last().filter(|_| args.out_dir.is_none());
    if !args.typed.has("to") && target.is_some_and(|target| tells_format(target)) {
        kept.writing.to = None;
    }
    kept
}

/// The arguments with a text and its wrapping apart, where the format of the target names both: `csv.xz`.
pub fn wrapping_apart(mut args: Convert) -> Convert {
    let is_apart = |to: &&str| media::catalog().named(to).is_none() && !to.contains('/');
    let Some(to) = args.writing.to.as_deref().filter(is_apart) else { return args };
    let (name, wrapping) = names::split(Path::new(to));
    if wrapping.is_some() && Format::named(&name).is_ok_and(Format::is_text) {
        (args.writing.to, args.writing.wrapping) = (Some(name), wrapping);
    }
    args
}

/// Whether the ending of a name is that of a format or a wrapping.
fn tells_format(path: &Path) -> bool {
    let of_signal = image::of_name(path).is_some() || SignalFormat::of_name(path).is_some();
    of_signal || Format::of_name(path).is_some() || names::split(path).1.is_some()
}

/// The arguments without the defaults of files about signals that wait for another conversion: those that
/// this one is about stay, and what was typed.
pub fn without_waiting(args: &Convert, about: &[&str]) -> Convert {
    let waits = |option: &str| !about.contains(&option) && !args.typed.has(option);
    let mut kept = args.clone();
    let signals = &mut kept.signals;
    if waits("within") {
        kept.within = None;
    }
    if waits("part-floor") {
        kept.part_floor = None;
    }
    if waits("sample-type") {
        signals.sample_type = None;
    }
    if waits("include") {
        signals.include.clear();
    }
    if waits("exclude") {
        signals.exclude.clear();
    }
    if waits("quality") {
        signals.quality = None;
    }
    if waits("effort") {
        signals.effort = None;
    }
    if waits("minimise") {
        signals.minimise = Minimise::Size;
    }
    if waits("rate") {
        signals.rate = None;
    }
    if waits("bits") {
        signals.bits = None;
    }
    if waits("nulls") {
        signals.nulls = None;
    }
    if waits("drop") {
        signals.drop.clear();
    }
    kept
}

/// Fails where options for arrays were given and the conversion is none of arrays.
pub fn refuse_signals(args: &Convert) -> Result<()> {
    let given = [
        ("--sample-type", args.signals.sample_type.is_some()),
        ("--include", !args.signals.include.is_empty()),
        ("--exclude", !args.signals.exclude.is_empty()),
        ("--drop", !args.signals.drop.is_empty()),
        ("--quality", args.signals.quality.is_some()),
        ("--effort", args.signals.effort.is_some()),
        ("--nulls", args.signals.nulls.is_some()),
        ("--minimise", args.signals.minimise != Minimise::Size),
        ("--rate", args.signals.rate.is_some()),
        ("--bits", args.signals.bits.is_some()),
        ("--part-floor", args.part_floor.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(Failure::Usage(format!(
            "{option}: is for what becomes arrays, sounds or an image, and this becomes a table; leave it \
             away"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_of_every_kind_tell_a_format() {
        for name in
            ["a.csv", "a.csv.gz", "a.PARQUET", "a.png", "a.safetensors", "a.flac", "a.tar.zst", "a.tgz"]
        {
            assert!(tells_format(Path::new(name)), "{name}");
        }
        for name in ["-", "a", "a.d", "csv", "2024.12", ".gz"] {
            assert!(!tells_format(Path::new(name)), "{name}");
        }
    }
}
