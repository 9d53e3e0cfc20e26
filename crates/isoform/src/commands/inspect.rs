//! `inspect`.

mod certificate;

use std::path::Path;
use std::sync::Arc;

use ::formats::cells::logical_schema;
use ::formats::file::ObjectFile;
use ::formats::geometry::{self, Geometry};
use ::formats::media::Codec;
use ::formats::metadata::{said_of, told};
use ::formats::open::{Opened, open};
use ::formats::text::{ColumnTyping, Form};
use ::formats::typings::Typings;
use ::formats::words::{argument, counted};
use coherence::statement::Statement;
use serde::Serialize;
use serde_json::json;

use super::{attributes, bytes, certified, image, missed, options, signal, sources, types_file};
use crate::cli::{Inspect, Output};
use crate::failure::{DONE, Failure, Result};
use crate::local::memory::{parse_size, readers_of_table};
use crate::local::staging::{CERTIFICATE_ENDING, certificate_path};
use crate::local::verify::{read_certificate, root_of};
use crate::local::{misfit, retyped_on, stopped, without_slash};
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report::{self, Described, lines_of};

/// Describes a table or a certificate.
pub fn run(args: &Inspect, output: &Output) -> Result<u8> {
    sources::refuse_stdin(&[&args.path])?;
    if args.path.to_string_lossy().ends_with(CERTIFICATE_ENDING) {
        return of_certificate(&args.path, output);
    }
    refuse_directory(&args.path)?;
    if let Some(formats) = image::are_meant(args.reading.from.as_deref(), &[&args.path])?
        && let [format] = formats.as_slice()
    {
        return image::inspect(args, *format, output);
    }
    if let Some(formats) = signal::are_meant(args.reading.from.as_deref(), &[&args.path])?
        && let [Codec::Arrays(format)] = formats.as_slice()
    {
        return signal::inspect(args, *format, output);
    }
    if args.why.is_none() && bytes::are_meant(&args.reading, &[&args.path])? {
        args.typed.check_bytes()?;
        return bytes::inspect(args, output);
    }
    let progress = Progress::new(output)?;
    let memory = parse_size(&args.machine.memory)?;
    let mut reading = types_file::resolved(&args.reading)?;
    options::delimit(&mut reading, std::slice::from_ref(&args.path));
    let mut options = options::reading(&reading, &options::temporary_dir(), memory)?;
    args.typed.check_files(std::slice::from_ref(&args.path), options.format)?;
    options.listener = progress.listener();
    let told = match args.no_certified_types {
        true => certified::Told::default(),
        false => certified::beside(&args.path, &options, memory, &progress)?,
    };
    options.certified = told.columns;
    let given = !options.typing.fixed.is_empty() || options.certified.is_some();
    let file = Arc::new(ObjectFile::open(&args.path)?);
    progress.announce(&[(Stage::Verifying, file.len())]);
    progress.begin(Stage::Reading, file.len(), file.len());
    let mut opened = open(file, &options).map_err(stopped)?;
    opened.notes.extend(told.note);
    opened.layout().into_iter().for_each(|line| progress.say(1, || line));
    let workers = (options::workers(&args.machine)?, memory);
    let workers = readers_of_table(opened.table(), opened.format, opened.file.path(), workers)?;
    retyped_on(&mut opened, workers)?;
    let misfit = |failure| misfit(&opened, failure);
    let Some(column) = &args.why else {
        return table(args, &opened, workers, &progress, output).map_err(misfit);
    };
    if given {
        // Whether every value is in the range of its type shows where it is read.
        root_of(opened.table(), workers, &progress).map_err(misfit)?;
    }
    progress.finish();
    why(&opened, column, output)
}

/// Refuses a directory, and names what tells of it.
fn refuse_directory(path: &Path) -> Result<()> {
    let (shown, at) = (path.display(), certificate_path(&without_slash(path)));
    let typed = argument(path);
    match path.is_dir() {
        false => Ok(()),
        true if at.is_file() => Err(Failure::Other(format!(
            "{shown}: is a directory; isoform verify {typed} checks it, isoform inspect {} tells what it \
             holds, and a file in it can be inspected by its name",
            argument(&at)
        ))),
        true => Err(Failure::Other(format!(
            "{shown}: is a directory; name a file in it, or see what becomes of all of it with isoform plan \
             {typed} TARGET"
        ))),
    }
}

fn why(opened: &Opened, column: &str, output: &Output) -> Result<u8> {
    let schema = logical_schema(opened.table().schema())?;
    let index = schema.fields.iter().position(|field| field.name == column).ok_or_else(|| {
        let names: Vec<_> = schema.fields.iter().map(|field| field.name.as_str()).collect();
        Failure::Usage(format!("--why: there is no column {column:?}; the columns are {}", names.join(", ")))
    })?;
    let ty = schema.fields[index].ty.to_string();
    let why = match (opened.format.is_text(), opened.why().get(index)) {
        (false, _) => "the format holds this type".to_owned(),
        (true, Some(why)) if !why.said.is_empty() => why.said.clone(),
        (true, _) => match opened.typings() {
            Typings::Fields(typings) => typings.get(index).map_or_else(String::new, spelled),
            _ => "every field has this type, and type and style give its text back".to_owned(),
        },
    };
    let style = opened.styles()?.swap_remove(index);
    let document = json!({
        "schema": "isoform.why/v1", "column": column, "type": ty, "why": why,
        "style": style.style, "reversible": style.reversible,
    });
    report::result(output, &document, &[format!("{column}: {ty}"), format!("  {why}")]);
    Ok(DONE)
}

/// What is to be said of a column whose fields all are of its type and in its style.
fn spelled(typing: &ColumnTyping) -> String {
    let style = &typing.style;
    let date = match &style.form {
        Form::Empty => return "every field is null, so that nothing tells another type".to_owned(),
        Form::Date(pattern) => pattern.as_str().to_owned(),
        Form::Timestamp(pattern) => pattern.date.as_str().to_owned(),
        Form::Written(pattern) => pattern.date_notation(),
        Form::Given(pattern) => pattern.as_str().to_owned(),
        _ => String::new(),
    };
    let null = match style.null_text() {
        "" => "empty".to_owned(),
        word => format!("{word:?}"),
    };
    let date = if date.is_empty() { date } else { format!(", with dates as {date}") };
    format!("every field has this type{date}, or is null ({null}), and type and style give its text back")
}

fn table(
    args: &Inspect,
    opened: &Opened,
    workers: usize,
    progress: &Progress,
    output: &Output,
) -> Result<u8> {
    let table = opened.table();
    progress.begin(Stage::Verifying, opened.file.len(), opened.file.len() * 2);
    let object = crate::local::hash_object(&opened.file, progress)?;
    let (schema, root) = root_of(table, workers, progress)?;
    progress.finish();
    let parts = geometry::cut(table.rows(), None, &Geometry::READING, |rows| table.byte_range(rows)).len();
    let styles = opened.styles()?;
    let annotations: Vec<_> = table.schema().fields().iter().map(|field| said_of(field)).collect();
    let columns = schema.fields.iter().zip(&annotations).zip(&styles).map(|((field, said), style)| {
        let ty = field.ty.to_string();
        json!({ "name": field.name, "type": ty, "annotation": said, "style": style.style })
    });
    let entries = told(table.schema());
    let metadata = entries.iter().map(|(key, value)| attributes::document(key, value.as_bytes()));
    let notes = opened.plain.iter().cloned().chain(opened.all_notes());
    let notes: Vec<String> = notes.chain(missed::note(&opened.missed())).collect();
    let more = json!({
        "rows": table.rows(),
        "parts": parts,
        "columns": columns.collect::<Vec<_>>(),
        "metadata": metadata.collect::<Vec<_>>(),
        "notes": notes,
    });
    let (rows, columns) = (counted(table.rows(), "row"), counted(schema.columns(), "column"));
    let summary = format!("{rows}, {columns}, {}", counted(parts, "part"));
    let media_type = options::inspected(args, Codec::Table(opened.format));
    let described = Described { model: "table", path: &args.path, media_type, object, root };
    let (document, mut lines) = described.document_and_lines(more, &summary);
    let typings = opened.typings();
    let headed = typings.source_names();
    lines.extend(schema.fields.iter().enumerate().map(|(index, field)| {
        let headed = headed.get(index).copied().flatten();
        let headed = headed.map_or(String::new(), |said| format!(", headed {said:?}"));
        let said = annotations[index].map_or(String::new(), |said| format!(" ({said})"));
        format!("  {}: {}{said}{headed}", field.name, field.ty)
    }));
    lines.extend(entries.iter().map(|(key, value)| {
        let line = attributes::line(key, value.as_bytes());
        format!("  metadata {}", line.trim_start())
    }));
    lines.extend(notes.iter().map(report::note));
    report::result(output, &document, &lines);
    Ok(DONE)
}

/// What `inspect` tells of a certificate to programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema: &'static str,
    key_id: &'a str,
    statement: &'a Statement,
}

/// A certificate as a readable page. Its signature is checked, its target is not looked at.
fn of_certificate(path: &Path, output: &Output) -> Result<u8> {
    let certificate = read_certificate(path, None)?;
    let statement = certificate.statement();
    let key_id = certificate.key_id().to_string();
    let (shown, verdict) = (path.display().to_string(), certificate.verdict().name());
    let document = Document { schema: "isoform.certificate/v1", key_id: &key_id, statement };
    let document = || serde_json::to_string(&document).unwrap_or_default();
    report::either(output, document, || lines_of(&certificate::page(&shown, verdict, &key_id, statement)));
    Ok(DONE)
}
