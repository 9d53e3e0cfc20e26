//! Provides the defaults that files give: `isoform.toml` in the working directory, then `config.toml` in the
//! directory of configuration. A flag wins over the environment, which wins over the working directory, which
//! wins over the user's file.
//!
//! A file holds option names without dashes, at the top for every command or in a table for one:
//!
//! ```toml
//! threads = 4
//!
//! [convert]
//! compression = "zstd:9"
//! ```

use std::path::{Path, PathBuf};

use clap::Command;
use toml::{Table, Value};

use crate::failure::{Failure, Result};
use crate::local::keys::config_dir;

/// Options that a file may not give: what is read or written is named by the person, each time.
const NEVER: &[&str] = &["source", "target", "force", "resume", "plan", "help", "version"];

/// Bytes of a file that are read at most.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// The command line with the defaults of the files that exist.
pub fn with_files(mut command: Command) -> Result<Command> {
    let mut files = vec![PathBuf::from("isoform.toml")];
    if let Ok(dir) = config_dir() {
        files.insert(0, dir.join("config.toml"));
    }
    for file in files {
        if let Some(table) = read(&file)? {
            command = apply(command, &table, &file)?;
        }
    }
    Ok(command)
}

fn read(path: &Path) -> Result<Option<Table>> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > CONFIG_BYTES_MAX => {
            let shown = path.display();
            return Err(Failure::Usage(format!(
                "{shown}: a configuration has at most {CONFIG_BYTES_MAX} bytes"
            )));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io(path, error)),
    }
    let text = std::fs::read_to_string(path).map_err(|error| Failure::io(path, error))?;
    let table = text.parse::<Table>();
    table
        .map(Some)
        .map_err(|error| Failure::Usage(format!("{}: {}", path.display(), error.to_string().trim_end())))
}

fn apply(mut command: Command, table: &Table, file: &Path) -> Result<Command> {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for (key, value) in table {
        match value {
            Value::Table(options) if names.contains(key) => {
                for (option, value) in options {
                    command = set(command, key, option, value, file)?;
                }
            }
            value => {
                let knows = |name: &&String| has(&command, name, key);
                let those: Vec<String> = names.iter().filter(knows).cloned().collect();
                if those.is_empty() {
                    return Err(unknown(file, key));
                }
                for name in those {
                    command = set(command, &name, key, value, file)?;
                }
            }
        }
    }
    Ok(command)
}

fn unknown(file: &Path, key: &str) -> Failure {
    Failure::Usage(format!("{}: there is no option {key:?}; see isoform help", file.display()))
}

fn has(command: &Command, name: &str, option: &str) -> bool {
    let sub = command.find_subcommand(name);
    let is = |arg: &&clap::Arg| arg.get_long() == Some(option) && !NEVER.contains(&option);
    sub.is_some_and(|sub| sub.get_arguments().any(|arg| is(&arg)))
}

/// Makes a value the default of one option of one command.
fn set(command: Command, name: &str, option: &str, value: &Value, file: &Path) -> Result<Command> {
    let found = command.find_subcommand(name).and_then(|sub| {
        sub.get_arguments().find(|arg| arg.get_long() == Some(option) && !NEVER.contains(&option))
    });
    let id = found.map(|arg| arg.get_id().clone()).ok_or_else(|| unknown(file, option))?;
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(flag) => Ok(flag.to_string()),
        other => {
            let shown = file.display();
            Err(Failure::Usage(format!("{shown}: {option} cannot be {}", other.type_str())))
        }
    };
    let values = match value {
        Value::Array(values) => values.iter().map(text).collect::<Result<Vec<_>>>()?,
        single => vec![text(single)?],
    };
    Ok(command.mut_subcommand(name, |sub| sub.mut_arg(id, |arg| arg.default_values(values))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command as Typed};
    use clap::{CommandFactory, FromArgMatches};

    fn parse(toml: &str, args: &[&str]) -> Result<Typed> {
        let table = toml.parse::<Table>().unwrap();
        let command = apply(Cli::command(), &table, Path::new("isoform.toml"))?;
        let matches = command.try_get_matches_from(args).unwrap();
        Ok(Cli::from_arg_matches(&matches).unwrap().command)
    }

    #[test]
    fn a_file_gives_defaults_and_a_flag_wins() {
        let toml =
            "threads = 3\n[convert]\ncompression = \"zstd:9\"\nnull = [\"NA\", \"-\"]\nstrict = true\n";
        let Typed::Convert(convert) = parse(toml, &["isoform", "convert", "a", "b"]).unwrap() else {
            panic!()
        };
        assert_eq!(convert.threads, Some(3));
        assert_eq!(convert.writing.compression.as_deref(), Some("zstd:9"));
        assert_eq!(convert.reading.null, ["NA", "-"]);
        assert!(convert.strict);
        let args = ["isoform", "convert", "a", "b", "--compression", "snappy", "--threads", "1"];
        let Typed::Convert(convert) = parse(toml, &args).unwrap() else { panic!() };
        assert_eq!(convert.writing.compression.as_deref(), Some("snappy"));
        assert_eq!(convert.threads, Some(1));
    }

    #[test]
    fn unknown_and_forbidden_options_are_named() {
        for toml in ["thread = 3", "force = true", "[convert]\nnonsense = 1", "threads = { a = 1 }"] {
            let failure = parse(toml, &["isoform", "convert", "a", "b"]).unwrap_err().to_string();
            assert!(failure.starts_with("isoform.toml: "), "{failure}");
        }
    }
}
