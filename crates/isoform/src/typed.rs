//! Provides the options that were typed, and the refusal of those that would do nothing: whoever types an
//! option and gets a result believes that it was followed.
//!
//! Only what was typed is refused. Files of configuration and the environment give defaults for all
//! conversions, and a default waits for the conversion that it is about.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use formats::file::ObjectFile;
use formats::recognise::detect;
use formats::registry::Format;
use formats::words::argument;

use crate::config::Given;
use crate::failure::{Failure, Result};

/// What an option is about.
#[derive(Clone, Copy)]
struct Subject {
    /// In words.
    words: &'static str,
    /// Whether a format has it.
    has: fn(Format) -> bool,
}

const DELIMITED: Subject = Subject {
    words: "delimited text (CSV and TSV)",
    has: |format| matches!(format, Format::Csv | Format::Tsv),
};
const TEXT: Subject = Subject { words: "text (CSV, TSV and JSON Lines)", has: Format::is_text };
const KEYS: Subject = Subject { words: "the keys of JSON Lines", has: |format| format == Format::JsonLines };
const PARQUET: Subject = Subject { words: "Parquet", has: |format| format == Format::Parquet };

/// Options about sources of some formats only.
const READING: [(&str, Subject); 15] = [
    ("types", DELIMITED),
    ("type", DELIMITED),
    ("null", DELIMITED),
    ("delimiter", DELIMITED),
    ("quote", DELIMITED),
    ("escape", DELIMITED),
    ("comment", DELIMITED),
    ("skip-lines", DELIMITED),
    ("header", DELIMITED),
    ("ragged", DELIMITED),
    ("decimal-comma", DELIMITED),
    ("dates", DELIMITED),
    ("presence", KEYS),
    ("no-certified-types", TEXT),
    ("encoding", TEXT),
];

/// Options about targets of some formats only.
const WRITING: [(&str, Subject); 2] = [("row-group-rows", PARQUET), ("no-dictionary", PARQUET)];

/// Options about tables of any format, where bytes are converted too.
const TABLES: [&str; 6] =
    ["partition-by", "metadata", "union", "source-column", "no-partition-columns", "rejects"];

/// Options about images, where arrays and sounds are converted too.
const IMAGES: [&str; 2] = ["quality", "effort"];

/// Options that other programs have, and what each does to the content.
const CHANGES: [(&str, &str); 14] = [
    ("resize", "another size has other pixels"),
    ("scale", "another size has other pixels"),
    ("crop", "what is cut off is lost"),
    ("trim", "what is cut off is lost"),
    ("rotate", "turned pixels are other pixels"),
    ("flip", "turned pixels are other pixels"),
    ("filter", "what is filtered has other values"),
    ("blur", "what is filtered has other values"),
    ("sharpen", "what is filtered has other values"),
    ("denoise", "what is filtered has other values"),
    ("normalize", "louder or brighter samples are other samples"),
    ("gain", "louder or brighter samples are other samples"),
    ("resample", "another rate has other samples"),
    ("channels", "fewer or more channels are another sound or image"),
];

/// What is to be said of an option that asks for a change of the content, which is no conversion.
pub fn changes_content(error: &clap::Error) -> Option<Failure> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return None };
    let name = typed.trim_start_matches('-');
    let (option, why) = CHANGES.into_iter().find(|(option, _)| *option == name)?;
    Some(Failure::Usage(format!(
        "--{option}: changes the content ({why}), and a conversion keeps it; do that first with a program \
         made for it, and convert what it wrote"
    )))
}

/// What gave the value of this option: the environment, or the option itself.
pub fn giver(option: &str) -> String {
    let (flag, variable) =
        (format!("--{option}"), format!("ISOFORM_{}", option.to_uppercase().replace('-', "_")));
    match std::env::var_os(&variable) {
        Some(_) if !is_typed(option) => variable,
        _ => flag,
    }
}

/// Whether this option is on the command line.
pub fn is_typed(option: &str) -> bool {
    let is_flag = |word: OsString| {
        let rest = word.as_encoded_bytes().strip_prefix(b"--")?.strip_prefix(option.as_bytes())?;
        rest.first().is_none_or(|next| *next == b'=').then_some(())
    };
    std::env::args_os().any(|word| is_flag(word).is_some())
}

/// The same error of a value that does not fit, about the variable of the environment, or the line of a file,
/// that gave it.
pub fn by_giver(mut error: clap::Error, given: &Given) -> clap::Error {
    let is_value = matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation);
    if let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg)
        && let Some(option) = shown.strip_prefix("--").filter(|_| is_value)
    {
        let option = option.split([' ', '=', '[']).next().unwrap_or_default();
        let giver = match given.place(option) {
            Some(place) => format!("{place}: {option}"),
            None => giver(option),
        };
        if !giver.starts_with('-') {
            error.insert(ContextKind::InvalidArg, ContextValue::String(giver));
        }
    }
    error
}

/// Options that were typed, without dashes; not those that only say what holds anyway, as `--ragged=false`.
#[derive(Debug, Clone, Default)]
pub struct Typed(Vec<String>);

impl Typed {
    /// Those of one command. `plain` is the command without the defaults of files.
    pub fn of(plain: &Command, matches: &ArgMatches) -> Self {
        let typed = plain.get_arguments().filter(|arg| {
            let id = arg.get_id().as_str();
            let by_hand = matches.value_source(id) == Some(ValueSource::CommandLine);
            let values = matches.get_raw(id).into_iter().flatten();
            by_hand && !values.eq(arg.get_default_values().iter().map(|value| value.as_os_str()))
        });
        Typed(typed.filter_map(|arg| arg.get_long().map(str::to_owned)).collect())
    }

    /// This option alone, if it was typed.
    #[must_use]
    pub fn only(&self, option: &str) -> Self {
        Typed(self.0.iter().filter(|typed| *typed == option).cloned().collect())
    }

    /// Whether this option was typed.
    pub fn has(&self, option: &str) -> bool {
        self.0.iter().any(|typed| typed == option)
    }

    fn reading(&self) -> impl Iterator<Item = (&'static str, Subject)> {
        let records = ("rejects", TEXT);
        READING.into_iter().chain([records]).filter(|(option, _)| self.has(option))
    }

    /// Refuses an option that is about none of these sources. What cannot be told yet (a pipe, a file whose
    /// format nothing tells) is passed over: opening it says what is wrong, or tells its format.
    pub fn check_files(&self, sources: &[PathBuf], said: Option<Format>) -> Result<()> {
        if self.reading().next().is_none() {
            return Ok(());
        }
        let mut formats = Vec::with_capacity(sources.len());
        for path in sources {
            if !path.is_file() {
                return Ok(());
            }
            let Ok((format, _)) = detect(&ObjectFile::open(path)?, said) else { return Ok(()) };
            formats.push((path.as_path(), format));
        }
        self.check_sources(&formats)
    }

    /// Refuses an option that is about none of these sources.
    pub fn check_sources(&self, sources: &[(&Path, Format)]) -> Result<()> {
        let idle = |subject: &Subject| !sources.iter().any(|(_, format)| (subject.has)(*format));
        match (self.reading().find(|(_, subject)| idle(subject)), sources) {
            (Some((option, Subject { words, .. })), [(path, format)]) => Err(Failure::Usage(format!(
                "--{option} is about {words}, and {} is {}; {}",
                path.display(),
                format.name(),
                instead(option, path, *format)
            ))),
            (Some((option, Subject { words, .. })), [_, ..]) => {
                Err(Failure::Usage(format!("--{option} is about {words}, and no source is; leave it away")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses an option that is not about targets of this format.
    pub fn check_target(&self, format: Format) -> Result<()> {
        match WRITING.iter().find(|(option, subject)| self.has(option) && !(subject.has)(format)) {
            None => Ok(()),
            Some((option, Subject { words, .. })) => Err(Failure::Usage(format!(
                "--{option} is about {words}, and the target is {}; leave it away",
                format.name()
            ))),
        }
    }

    /// Refuses any option about tables or bytes.
    pub fn check_arrays(&self) -> Result<()> {
        let others = READING.iter().chain(&WRITING).map(|(option, _)| *option).chain(TABLES);
        match others.chain(["compression"]).find(|option| self.has(option)) {
            None => Ok(()),
            Some(option) => {
                Err(Failure::Usage(format!("--{option} means nothing for arrays and images; leave it away")))
            }
        }
    }

    /// Refuses any option about images, where the target is a container of arrays or a sound.
    pub fn check_samples(&self, target: &str) -> Result<()> {
        match IMAGES.into_iter().find(|option| self.has(option)) {
            None => Ok(()),
            Some(option) => Err(Failure::Usage(format!(
                "--{option} is about images, and the target is {target}, which has none; leave it away"
            ))),
        }
    }

    /// Refuses any option about the writing of tables, or the wrapping of bytes.
    pub fn check_columns(&self) -> Result<()> {
        let others = WRITING.iter().map(|(option, _)| *option).chain(TABLES).chain(["compression"]);
        match others.into_iter().find(|option| self.has(option)) {
            None => Ok(()),
            Some(option) => Err(Failure::Usage(format!(
                "--{option} is about the writing of tables, and the target is a container of arrays; \
                leave it \
                 away"
            ))),
        }
    }

    /// Refuses any option about the reading of tables, where arrays become one.
    pub fn check_rows(&self) -> Result<()> {
        let others = READING.iter().map(|(option, _)| *option);
        let others = others.chain(["union", "source-column", "no-partition-columns", "rejects"]);
        match others.into_iter().find(|option| self.has(option)) {
            None => Ok(()),
            Some(option) => Err(Failure::Usage(format!(
                "--{option} is about the reading of tables, and the source is a container of arrays; leave \
                 it away"
            ))),
        }
    }

    /// Refuses any option about tables.
    pub fn check_bytes(&self) -> Result<()> {
        let about_tables = READING.iter().chain(&WRITING).map(|(option, _)| *option).chain(TABLES);
        match about_tables.into_iter().find(|option| self.has(option)) {
            None => Ok(()),
            Some(option) => Err(Failure::Usage(format!(
                "--{option} is about tables; these are byte strings, which are kept as they are; leave it \
                 away, or name the format of a table with --from or --to"
            ))),
        }
    }
}

/// What to do where an option is not about the only source. The types of strings can be given where the table
/// has become delimited text, whose certificate tells the others.
fn instead(option: &str, path: &Path, format: Format) -> String {
    if option == "delimiter" {
        return "leave it away; what stands between the fields of a target is storage.delimiter in a \
                definition of its type (--media-types)"
            .to_owned();
    }
    if !["type", "types"].contains(&option) || format != Format::JsonLines {
        return "leave it away".to_owned();
    }
    let name = path.file_name().map_or_else(Default::default, OsStr::to_string_lossy);
    let text = format!("{}.csv", name.split('.').next().unwrap_or_default());
    format!(
        "leave it away, or give it in a second step: isoform convert {} {}, and then convert that with \
         --{option}",
        argument(path),
        argument(Path::new(&text))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command as Parsed};
    use crate::config::with_switches;
    use clap::CommandFactory;

    fn typed(arguments: &[&str]) -> Typed {
        let words = ["isoform", "convert", "a", "b"].iter().chain(arguments);
        let matches = with_switches(Cli::command()).try_get_matches_from(words).unwrap();
        match Cli::from_typed(&matches).unwrap().command {
            Parsed::Convert(args) => args.typed,
            other => panic!("convert was typed, and not {other:?}"),
        }
    }

    #[test]
    fn every_option_of_the_lists_is_one_of_the_program() {
        let command = with_switches(Cli::command());
        let convert = command.find_subcommand("convert").unwrap();
        let listed = READING.iter().chain(&WRITING).map(|(option, _)| *option).chain(TABLES);
        for option in listed.chain(IMAGES) {
            assert!(convert.get_arguments().any(|arg| arg.get_long() == Some(option)), "--{option}");
        }
    }

    #[test]
    fn every_option_about_reading_or_writing_is_in_a_list_or_about_all() {
        let always = ["from", "to", "compression"];
        let command = with_switches(Cli::command());
        let convert = command.find_subcommand("convert").unwrap();
        let about = |heading: Option<&str>| matches!(heading, Some("Reading" | "Writing"));
        for arg in convert.get_arguments().filter(|arg| about(arg.get_help_heading())) {
            let long = arg.get_long().unwrap();
            let mut listed = READING.iter().chain(&WRITING).map(|(option, _)| *option).chain(TABLES);
            assert!(always.contains(&long) || listed.any(|option| option == long), "--{long}");
        }
    }

    #[test]
    fn what_holds_anyway_is_not_refused() {
        let typed = typed(&["--types=reversible", "--ragged=false", "--no-dictionary=false"]);
        typed.check_sources(&[(Path::new("a"), Format::Parquet)]).unwrap();
        typed.check_target(Format::Csv).unwrap();
        typed.check_bytes().unwrap();
    }

    #[test]
    fn what_changes_the_content_is_no_option() {
        let command = with_switches(Cli::command());
        for (option, why) in CHANGES {
            let words = ["isoform", "convert", "a", "b", &format!("--{option}"), "2"];
            let error = command.clone().try_get_matches_from(words).unwrap_err();
            let told = changes_content(&error).unwrap().to_string();
            assert!(told.contains(why) && told.contains(option), "{told}");
        }
        let error = command.try_get_matches_from(["isoform", "convert", "a", "b", "--no-such"]).unwrap_err();
        assert!(changes_content(&error).is_none());
    }

    #[test]
    fn one_source_that_it_is_about_is_enough() {
        let typed = typed(&["--delimiter", ";"]);
        let (csv, parquet) = ((Path::new("a"), Format::Csv), (Path::new("b"), Format::Parquet));
        typed.check_sources(&[parquet, csv]).unwrap();
        let error = typed.check_sources(&[parquet]).unwrap_err().to_string();
        assert!(error.contains("--delimiter") && error.contains("CSV") && error.contains("b is parquet"));
        assert!(typed.check_sources(&[parquet, parquet]).is_err());
    }
}
