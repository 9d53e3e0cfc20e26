//! `compare`: what is compared how. The opening of both sides is in [`sides`], the telling in [`told`].

mod rules;
mod sides;
mod told;
mod unlike;

use ::formats::Error;
use ::formats::cells::logical_schema;
use ::formats::compare::{
    CompareOptions, ComparedColumn, Comparison, Plan, Side, Which, by_key, digest_rows, in_order, unordered,
};
use ::formats::convert::Watch;
use ::formats::geometry::{self, Geometry};
use ::formats::metadata::listed;
use ::formats::open::Opened;
use coherence::digest::Digest;
use coherence::distance::SignatureMismatch;
use coherence::multiset::MultisetDigester;
use coherence::schema::LogicalType;

use self::sides::{Files, STEPS, Sides};
use super::{bytes, image, options, signal, sources, types_file};
use crate::cli::{Compare, Output};
use crate::failure::{DIFFERS, DONE, Failure, Result};
use crate::local::memory;
use crate::local::pool;
use crate::local::stopped;
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report;

/// What was compared how, and what was found.
struct Compared {
    found: Comparison,
    rows: (u64, u64),
    key: Vec<String>,
    /// Digests of both multisets of rows, where the order is free.
    multisets: Option<[Digest; 2]>,
}

/// What is to be said besides, where these columns are text.
fn notes(sides: &Sides, compared: &Compared, options: &CompareOptions, text: &[String]) -> Vec<String> {
    let mut notes = sides.notes();
    notes.extend(exact_text(compared, options, text));
    let reordered = |what: &SignatureMismatch| matches!(what, SignatureMismatch::Order { .. });
    if compared.found.signature.iter().any(reordered) {
        notes.push(REORDERED.to_owned());
    }
    notes
}

/// That columns which differ are text, where a tolerance is given that is about all columns of numbers.
fn exact_text(compared: &Compared, options: &CompareOptions, text: &[String]) -> Option<String> {
    let is_text = |column: &&ComparedColumn| {
        column.tolerance.is_none() && column.evidence.differing > 0 && text.contains(&column.name)
    };
    options.tolerances.general?;
    let columns = compared.found.columns.iter().filter(|column| !compared.key.contains(&column.name));
    let names: Vec<&str> = columns.filter(is_text).map(|column| column.name.as_str()).collect();
    let first = names.first()?;
    let listed = listed(&names);
    Some(format!(
        "{listed} text, which --tolerance is not about, and compared exactly; where it is that of numbers, \
         --type {first}=float64 reads them"
    ))
}

/// The columns that are text on some side.
fn text_columns(sides: [&Opened; 2]) -> Result<Vec<String>> {
    let mut text = Vec::new();
    for side in sides {
        let fields = logical_schema(side.table().schema())?.fields.into_iter();
        text.extend(fields.filter(|field| field.ty == LogicalType::Utf8).map(|field| field.name));
    }
    Ok(text)
}

/// What is said where columns stand in another order.
const REORDERED: &str = "the order of columns is content, so tables that differ in it alone are not equal; \
                         their cells were compared by name, and the counts of cells and rows tell whether \
                         anything else differs";

/// Compares two tables.
pub fn run(args: &Compare, output: &Output) -> Result<u8> {
    let tolerances = rules::tolerances(args)?;
    rules::check(args)?;
    sources::refuse_stdin(&[&args.left, &args.right])?;
    let typed = [sources::of_side(&args.left)?, sources::of_side(&args.right)?];
    let sides = [typed[0].found[0].path.as_path(), typed[1].found[0].path.as_path()];
    if let Some(formats) = image::are_meant(args.reading.from.as_deref(), &sides)? {
        rules::check_bytes(args)?;
        return image::compare(args, &formats, output);
    }
    if let Some(formats) = signal::are_meant(args.reading.from.as_deref(), &sides)? {
        rules::check_bytes(args)?;
        return signal::compare(args, &formats, output);
    }
    if bytes::are_meant(&args.reading, &sides)? {
        if args.reading.from.is_none() {
            unlike::refuse(args, sides)?;
        }
        args.typed.check_bytes()?;
        rules::check_bytes(args)?;
        return bytes::compare(args, output);
    }
    let memory = memory::parse_size(&args.machine.memory)?;
    let (held, threads) =
        (memory::held(memory)?, memory::workers(args.machine.threads, memory, memory::READER_BYTES)?);
    let progress = Progress::new(output)?;
    let spill_dir = options::temporary_dir();
    let reading = options::reading(&types_file::resolved(&args.reading)?, &spill_dir, memory)?;
    let files = [Files::open(&typed[0])?, Files::open(&typed[1])?];
    let size = files[0].size() + files[1].size();
    progress.begin(Stage::Comparing, size, size);
    let sides = Sides { files, reading, tolerances };
    args.typed.check_sources(&[(&args.left, sides.format(0)?), (&args.right, sides.format(1)?)])?;
    let mut options = CompareOptions {
        show: args.show,
        tolerances: sides.tolerances.clone(),
        key: vec![],
        memory: held,
        spill_dir,
    };
    let (mut step, mut text) = (0, Vec::new());
    let compared = loop {
        let found = sides.open(step).and_then(|[left, right]| {
            options.key = rules::key(&args.key, [&left, &right])?;
            text = text_columns([&left, &right])?;
            let fit = |side: &Opened, threads| {
                let path = side.file.path();
                memory::readers_of_table(side.table(), side.format, path, (threads, memory))
            };
            let threads = fit(&right, fit(&left, threads)?)?;
            compare(args, &options, threads, ([&left, &right], size), &progress)
        });
        match found {
            // A text does not have the types under which it was read: it is read in the next way.
            Err(Failure::Format(Error::Retype { .. })) if step + 1 < STEPS => step += 1,
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            found => {
                // Of files that change, nothing else is wrong.
                sides.files.iter().try_for_each(Files::check_unchanged)?;
                break found?;
            }
        }
    };
    progress.finish();
    let notes = notes(&sides, &compared, &options, &text);
    let mut lines = told::lines(args, &compared)?;
    lines.extend(notes.iter().map(|note| format!("  note: {note}")));
    report::result(output, &told::document(args, &compared, &notes)?, &lines);
    Ok(if compared.found.is_equal() { DONE } else { DIFFERS })
}

fn compare(
    args: &Compare,
    options: &CompareOptions,
    threads: usize,
    (opened, bytes): ([&Opened; 2], u64),
    progress: &Progress,
) -> Result<Compared> {
    let [left, right] = opened.map(|side| Side { table: side.table(), path: side.file.path() });
    let rows = (left.table.rows(), right.table.rows());
    let all = (u128::from(rows.0) + u128::from(rows.1)).max(1);
    let watch = |rows: u64| {
        let share = u128::from(bytes) * u128::from(rows) / all;
        progress.watch(share as u64)
    };
    if args.unordered {
        return as_multisets(options, threads, [left, right], &watch);
    }
    let found = match options.key.is_empty() {
        true => in_order(left, right, options, &watch),
        false => by_key(left, right, options, &watch),
    };
    Ok(Compared { found: found.map_err(stopped)?, rows, key: options.key.clone(), multisets: None })
}

fn as_multisets(
    options: &CompareOptions,
    threads: usize,
    [left, right]: [Side<'_>; 2],
    watch: Watch<'_>,
) -> Result<Compared> {
    let plan = Plan::new(left, right, options)?;
    let mine = multiset(&plan, left, Which::Left, threads, watch)?;
    let theirs = multiset(&plan, right, Which::Right, threads, watch)?;
    // Both are digested under the names of the left and the types of the plan.
    let multisets = [mine.finish(), theirs.finish()];
    let same = multisets[0] == multisets[1];
    let found = unordered(&plan, left, right, same, options, watch).map_err(stopped)?;
    if same == (found.alone[0].count + found.alone[1].count > 0) {
        return Err(Failure::bug("the digests of rows and their counts disagree"));
    }
    let rows = (left.table.rows(), right.table.rows());
    Ok(Compared { found, rows, key: vec![], multisets: Some(multisets) })
}

fn multiset(
    plan: &Plan,
    side: Side<'_>,
    which: Which,
    threads: usize,
    watch: Watch<'_>,
) -> Result<MultisetDigester> {
    let parts =
        geometry::cut(side.table.rows(), None, &Geometry::READING, |rows| side.table.byte_range(rows));
    let mut whole = MultisetDigester::new(&plan.schema(which)?);
    let make = |part: usize| digest_rows(plan, side, which, parts[part].clone(), watch).map_err(stopped);
    pool::in_order(threads, parts.len(), make, |_, part| match whole.merge(&part) {
        true => Ok(()),
        false => Err(Failure::bug("parts of one table have different schemas")),
    })?;
    Ok(whole)
}
