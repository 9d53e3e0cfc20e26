//! Provides the defaults that files give: `isoform.toml` in the working directory, then `config.toml` in the
//! directory of configuration. A flag wins over the environment, which wins over the working directory, which
//! wins over the user's file. A flag that a file turned on is turned off by `--flag=false`. A default that is
//! not about what is converted is passed over, and so is one for the format of a target whose name tells it
//! (`commands/options.rs`); what is typed and would do nothing is refused (`typed.rs`).
//!
//! A file holds option names without dashes, at the top for every command or in a table for one:
//!
//! ```toml
//! threads = 4
//!
//! [convert]
//! compression = "zstd:9"
//! ```

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::{Arg, ArgAction, Command};
use formats::Error;
use formats::csv::GIVEN;
use formats::file::text_of;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::failure::{Failure, Result, USAGE};
use crate::local::keys::config_dir;
use crate::typed::{giver, is_typed};

/// Options that a file may not give: what is read, written or replaced is named by the person, each time.
const NEVER: &[&str] = &[
    "source",
    "sources-from",
    "target",
    "out-dir",
    "certificate",
    "rejects",
    "force",
    "resume",
    "plan",
    "stream",
    "via",
    "why",
    "pem",
    "dir",
    "help",
    "version",
];

/// Bytes of a file that are read at most.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Which lines of files gave options their defaults, from the first to the last, which counts.
#[derive(Debug, Default)]
pub struct Given {
    lines: Vec<Line>,
    /// The command that was typed.
    run: Option<String>,
}

/// Those of this run.
static OF_RUN: OnceLock<Given> = OnceLock::new();

/// A line of a file that gives an option, of one command or of all.
#[derive(Debug)]
struct Line {
    command: Option<String>,
    option: String,
    place: String,
}

impl Given {
    /// The file and line that gave this option its value, where neither the command line nor the environment
    /// did.
    pub fn place(&self, option: &str) -> Option<&str> {
        if is_typed(option) || giver(option) != format!("--{option}") {
            return None;
        }
        let is_run = |line: &&Line| line.command.is_none() || line.command == self.run;
        let mut lines = self.lines.iter().rev().filter(|line| line.option == option);
        lines.find(is_run).map(|line| line.place.as_str())
    }

    /// Who gave this option its value: the file and line, or the variable of the environment.
    fn giver(&self, option: &str) -> Option<String> {
        let named = Some(giver(option)).filter(|giver| !giver.starts_with("--"));
        self.place(option).map(str::to_owned).or(named)
    }

    fn placed(&self, failure: Failure) -> Failure {
        if let Failure::Format(Error::Malformed { place, format, what }) = failure {
            let what = match self.place("delimiter").filter(|_| what.contains(GIVEN)) {
                Some(by) => what.replacen(GIVEN, &format!("{GIVEN} by {by}"), 1),
                None => what,
            };
            return Failure::Format(Error::Malformed { place, format, what });
        }
        let text = failure.to_string();
        let told = text.strip_prefix("--").filter(|_| failure.code() == USAGE);
        // Lines of a file of types are told as what they stand for.
        let of_file = told.and_then(|told| told.strip_prefix("type ")).filter(|_| {
            !is_typed("type")
                && self.giver("type").is_none()
                && (is_typed("types") || self.giver("types").is_some())
        });
        if let Some(told) = of_file {
            let by = self.giver("types").unwrap_or_else(|| "--types".to_owned());
            return Failure::Usage(format!("{by}: {told}"));
        }
        let option = |told: &str| told.split([':', '=', ' ']).next().and_then(|option| self.place(option));
        match told.and_then(|told| Some((option(told)?, told))) {
            Some((place, told)) => Failure::Usage(format!("{place}: {told}")),
            None => failure,
        }
    }
}

/// The same failure, with the file and line that gave the option which it begins with.
pub fn placed(failure: Failure) -> Failure {
    match OF_RUN.get() {
        Some(given) => given.placed(failure),
        None => failure,
    }
}

/// The command line with the defaults of the files that exist, and which lines gave these.
pub fn with_files(mut command: Command) -> Result<(Command, &'static Given)> {
    let mut given = Given { run: typed_command(&command, std::env::args_os()), ..Given::default() };
    let mut files = vec![PathBuf::from("isoform.toml")];
    if let Ok(dir) = config_dir() {
        files.insert(0, dir.join("config.toml"));
    }
    for path in files {
        if let Some(text) = read(&path)? {
            command = File { path: &path, text: &text }.apply(command, &mut given)?;
        }
    }
    Ok((command, OF_RUN.get_or_init(|| given)))
}

/// The first word that is a command; what comes behind it may be called like another one.
fn typed_command(command: &Command, words: impl Iterator<Item = OsString>) -> Option<String> {
    words.skip(1).find_map(|word| Some(command.find_subcommand(word)?.get_name().to_owned()))
}

fn read(path: &Path) -> Result<Option<String>> {
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        _ => Ok(Some(text_of(path, "a configuration", CONFIG_BYTES_MAX)?)),
    }
}

/// A file and its text, which errors name the line of.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn apply(&self, mut command: Command, given: &mut Given) -> Result<Command> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.error(at, &format!("{}; mend the line or take it out", error.message()))
        })?;
        let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        let mut tables = Vec::new();
        for (key, value) in table.into_inner() {
            let (name, at) = (key.get_ref().as_ref(), key.span().start);
            if let DeValue::Table(_) = value.get_ref()
                && names.iter().any(|known| known == name)
            {
                tables.push((key, value));
                continue;
            }
            let mut known = false;
            let places = names.iter().map(|sub| Some(sub.as_str())).chain([None]);
            for place in places {
                if gives(&command, place, name) {
                    known = true;
                    command = self.set(command, given, place, (name, at), &value)?;
                }
            }
            if !known {
                return Err(self.unknown(at, name, "isoform convert --help"));
            }
        }
        // What is given for one command counts more than what is given for all.
        for (key, value) in &tables {
            let name = key.get_ref().as_ref();
            for (option, value) in value.get_ref().as_table().into_iter().flatten() {
                let (option, at) = (option.get_ref().as_ref(), option.span().start);
                if !gives(&command, Some(name), option) {
                    return Err(self.unknown(at, option, &format!("isoform {name} --help")));
                }
                command = self.set(command, given, Some(name), (option, at), value)?;
            }
        }
        Ok(command)
    }

    /// Makes a value the default of one option, of one command or of all.
    fn set(
        &self,
        command: Command,
        given: &mut Given,
        place: Option<&str>,
        (option, at): (&str, usize),
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Command> {
        let Some(arg) = find(&command, place, option).cloned() else {
            return Err(self.unknown(at, option, "isoform --help"));
        };
        let values = match value.get_ref() {
            DeValue::Array(values) => values.iter().map(|value| self.text(&arg, value)).collect(),
            _ => self.text(&arg, value).map(|text| Vec::from([text])),
        };
        let (id, values) = (arg.get_id().clone(), values?);
        let line = self.place(value.span().start);
        given.lines.push(Line { command: place.map(str::to_owned), option: option.to_owned(), place: line });
        Ok(match place {
            None => command.mut_arg(id, |arg| arg.default_values(values)),
            Some(name) => {
                command.mut_subcommand(name, |sub| sub.mut_arg(id, |arg| arg.default_values(values)))
            }
        })
    }

    fn text(&self, arg: &Arg, value: &Spanned<DeValue<'_>>) -> Result<String> {
        let option = arg.get_long().unwrap_or_default();
        let flag = matches!(arg.get_action(), ArgAction::SetTrue) || is_switch(arg);
        let text = match value.get_ref() {
            DeValue::Boolean(on) if flag => on.to_string(),
            _ if flag => {
                return Err(
                    self.error(value.span().start, &format!("{option} is true or false, without quotes"))
                );
            }
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            other => {
                let what = other.type_str();
                return Err(self.error(
                    value.span().start,
                    &format!("{option} cannot be a {what}; write a text in quotes"),
                ));
            }
        };
        let choices: Vec<_> = arg.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
        if !flag && !choices.is_empty() && !choices.contains(&text) {
            let known = choices.join(", ");
            return Err(self.error(value.span().start, &format!("{option}: {text:?} is none of {known}")));
        }
        Ok(text)
    }

    fn unknown(&self, at: usize, option: &str, help: &str) -> Failure {
        let what = match NEVER.contains(&option) {
            true => format!("{option} is given on the command line alone; take the line out"),
            false => format!("there is no option {option:?}; see {help}"),
        };
        self.error(at, &what)
    }

    /// An error at a byte of the file.
    fn error(&self, at: usize, what: &str) -> Failure {
        Failure::Usage(format!("{}: {what}", self.place(at)))
    }

    /// The file and the line of this byte.
    fn place(&self, at: usize) -> String {
        let line = self.text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        format!("{}, line {line}", self.path.display())
    }
}

/// The option of a command, or of all commands.
fn find<'a>(command: &'a Command, place: Option<&str>, option: &str) -> Option<&'a Arg> {
    let command = match place {
        None => command,
        Some(name) => command.find_subcommand(name)?,
    };
    command.get_arguments().find(|arg| arg.get_long() == Some(option))
}

/// Whether a file may give this option.
fn gives(command: &Command, place: Option<&str>, option: &str) -> bool {
    !NEVER.contains(&option) && find(command, place, option).is_some()
}

/// Whether an option is a flag that can also be turned off, as [`with_switches`] makes them.
fn is_switch(arg: &Arg) -> bool {
    arg.is_require_equals_set() && matches!(arg.get_action(), ArgAction::Set)
}

/// The command line with flags that files and the environment can turn on and `--flag=false` turns off, so
/// that a flag wins over both.
pub fn with_switches(command: Command) -> Command {
    let switch = |arg: Arg| match (arg.get_action(), arg.get_long()) {
        (ArgAction::SetTrue, Some(long)) if !NEVER.contains(&long) => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .value_parser(clap::builder::BoolishValueParser::new())
            .value_name("BOOL")
            .hide_default_value(true)
            .hide_possible_values(true),
        _ => arg,
    };
    command.mut_args(switch).mut_subcommands(move |sub| sub.mut_args(switch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command as Typed};
    use clap::{CommandFactory, FromArgMatches};

    fn command(files: &[&str]) -> Result<Command> {
        let command = with_switches(Cli::command());
        files.iter().try_fold(command, |command, text| {
            File { path: Path::new("isoform.toml"), text }.apply(command, &mut Given::default())
        })
    }

    fn parse(toml: &str, args: &[&str]) -> Result<Typed> {
        let matches = command(&[toml])?.try_get_matches_from(args).unwrap();
        Ok(Cli::from_arg_matches(&matches).unwrap().command)
    }

    #[test]
    fn a_file_gives_defaults_and_a_flag_wins() {
        let toml =
            "threads = 3\n[convert]\ncompression = \"zstd:9\"\nnull = [\"NA\", \"-\"]\nstrict = true\n";
        let Typed::Convert(convert) = parse(toml, &["isoform", "convert", "a", "b"]).unwrap() else {
            panic!()
        };
        assert_eq!(convert.machine.threads, Some(3));
        assert_eq!(convert.writing.compression.as_deref(), Some("zstd:9"));
        assert_eq!(convert.reading.null, ["NA", "-"]);
        assert!(convert.strict);
        // What stands in the table of a command counts more than what stands at the top, whatever the names.
        for option in ["memory", "compression"] {
            let both = format!("{option} = \"a\"\n[convert]\n{option} = \"b\"\n");
            let Typed::Convert(convert) = parse(&both, &["isoform", "convert", "a", "b"]).unwrap() else {
                panic!()
            };
            let found = [Some(convert.machine.memory), convert.writing.compression];
            assert!(
                found.contains(&Some("b".to_owned())) && !found.contains(&Some("a".to_owned())),
                "{both}"
            );
        }
        let args =
            ["isoform", "convert", "a", "b", "--compression", "snappy", "--threads", "1", "--strict=false"];
        let Typed::Convert(convert) = parse(toml, &args).unwrap() else { panic!() };
        assert_eq!(convert.writing.compression.as_deref(), Some("snappy"));
        assert_eq!(convert.machine.threads, Some(1));
        assert!(!convert.strict);
    }

    #[test]
    fn the_line_is_that_of_the_command_whatever_its_files_are_called() {
        let text = "memory = \"1x\"\n[verify]\nmemory = \"1GiB\"\n";
        for (words, line) in [("convert verify", 1), ("--quiet verify convert", 3), ("inspect verify", 1)] {
            let command = with_switches(Cli::command());
            let words = ["isoform"].into_iter().chain(words.split(' ')).map(OsString::from);
            let mut given = Given { run: typed_command(&command, words), ..Given::default() };
            File { path: Path::new("isoform.toml"), text }.apply(command, &mut given).unwrap();
            assert_eq!(given.place("memory"), Some(format!("isoform.toml, line {line}").as_str()));
        }
    }

    #[test]
    fn unknown_and_forbidden_options_are_named_with_their_line() {
        for (toml, line) in [
            ("thread = 3", 1),
            ("\n\nforce = true", 3),
            ("[convert]\nnonsense = 1", 2),
            ("threads = { a = 1 }", 1),
            ("memory = \"1GiB\"\nthreads =", 2),
            ("[verify]\ncompression = \"zstd\"", 2),
            ("strict = \"yes\"", 1),
            ("quiet = false\nprogress = \"sometimes\"", 2),
            ("[nonsense]\nthreads = 1", 1),
        ] {
            let failure = command(&[toml]).unwrap_err().to_string();
            assert!(failure.starts_with(&format!("isoform.toml, line {line}: ")), "{toml}: {failure}");
        }
    }

    /// Three values that an option accepts, each unlike the others where it accepts so many.
    fn samples(arg: &Arg) -> [String; 3] {
        let choices = arg.get_possible_values();
        let choices: Vec<String> = choices.iter().map(|choice| choice.get_name().to_owned()).collect();
        let all = if choices.is_empty() { ["1", "2", "3"].map(str::to_owned).to_vec() } else { choices };
        [0, 1, 2].map(|at| all[at % all.len()].clone())
    }

    /// Typed, then the later file (that of the working directory), then the earlier one. That the environment
    /// stands between the first two is a test of the built program.
    #[test]
    fn typed_wins_over_project_over_user_for_every_option() {
        let whole = with_switches(Cli::command());
        let mut seen = 0;
        for sub in ["convert", "plan", "verify", "compare", "inspect"] {
            let args = whole.find_subcommand(sub).unwrap();
            let globals = whole.get_arguments().filter(|arg| arg.is_global_set());
            for arg in args.get_arguments().chain(globals) {
                let Some(long) = arg.get_long().filter(|long| !NEVER.contains(long)) else { continue };
                if is_switch(arg) || matches!(arg.get_action(), ArgAction::Count) {
                    continue;
                }
                let [user, project, typed] = samples(arg);
                let file = |value: &str| format!("{long} = \"{value}\"");
                let found = |files: &[&str], typed: Option<&str>| {
                    let mut line: Vec<String> = ["isoform", sub].map(str::to_owned).to_vec();
                    line.extend(args.get_positionals().map(|_| "x".to_owned()));
                    line.extend(typed.map(|value| format!("--{long}={value}")));
                    let matches = command(files).unwrap().try_get_matches_from(line).unwrap();
                    let mut raw = matches.subcommand().unwrap().1.get_raw(arg.get_id().as_str()).unwrap();
                    raw.next().unwrap().to_string_lossy().into_owned()
                };
                let (user_file, project_file) = (file(&user), file(&project));
                assert_eq!(found(&[&user_file], None), user, "{sub} --{long}");
                assert_eq!(found(&[&user_file, &project_file], None), project, "{sub} --{long}");
                assert_eq!(found(&[&user_file, &project_file], Some(&typed)), typed, "{sub} --{long}");
                seen += 1;
            }
        }
        assert!(seen > 30, "only {seen} options were looked at");
    }
}
