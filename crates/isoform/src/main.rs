//! The command line: reads what a person typed, runs one command, prints its result and exits with its code.

mod allocator;
mod cli;
mod commands;
mod config;
mod failure;
mod local;
mod meter;
mod progress;
mod report;
mod typed;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Command, CommandFactory};

fn main() -> ExitCode {
    quiet_decoder_panics();
    let (mut command, given) = match config::with_files(config::with_switches(cli::Cli::command())) {
        Ok(found) => found,
        Err(failure) => {
            // Help says how to mend what the files say.
            if let Err(told) = config::with_switches(cli::Cli::command()).try_get_matches()
                && !told.use_stderr()
            {
                let _ = told.print();
                return ExitCode::from(failure::DONE);
            }
            eprintln_quietly(&failure);
            return ExitCode::from(failure.code());
        }
    };
    let args = match parsed(&mut command, given, std::env::args_os()) {
        Ok(args) => args,
        Err(error) => {
            if let Some(told) = typed::changes_content(&error) {
                eprintln_quietly(&told);
                return ExitCode::from(failure::USAGE);
            }
            if error.use_stderr() && std::env::args_os().any(|word| word == "--json") {
                report::failure_document(failure::USAGE, error.to_string().trim_end());
            }
            print(&error, &mut command, given);
            let code = if error.use_stderr() { failure::USAGE } else { failure::DONE };
            return ExitCode::from(code);
        }
    };
    allocator::set_up(memory(&args.command));
    match local::process::prepare().and_then(|()| run(&args)) {
        Ok(code) => match report::flush() {
            Ok(()) => ExitCode::from(code),
            Err(error) => {
                eprintln_quietly(&failure::Failure::io(std::path::Path::new("standard output"), error));
                ExitCode::from(failure::OTHER)
            }
        },
        Err(failure) => {
            let failure = config::placed(failure);
            report::failure(&args.output, &failure);
            ExitCode::from(failure.code())
        }
    }
}

/// Memory that a command may take; one that cannot be read is refused by the command.
fn memory(command: &cli::Command) -> u64 {
    let machine = match command {
        cli::Command::Convert(args) | cli::Command::Plan(args) => &args.machine,
        cli::Command::Verify(args) => &args.machine,
        cli::Command::Compare(args) => &args.machine,
        cli::Command::Inspect(args) => &args.machine,
        _ => return u64::MAX,
    };
    local::memory::parse_size(&machine.memory).unwrap_or(u64::MAX)
}

/// What these words ask for.
fn parsed(
    command: &mut Command,
    given: &config::Given,
    words: impl Iterator<Item = OsString>,
) -> Result<cli::Cli, clap::Error> {
    let matches = command.try_get_matches_from_mut(words).map_err(|error| typed::by_giver(error, given))?;
    cli::Cli::from_typed(&matches)
}

/// Prints help, or why the words that were typed make no sense. It repeats these, and names that a pattern of
/// the shell gave may be among them, so that it is found again of words that a terminal may be shown.
fn print(error: &clap::Error, command: &mut Command, given: &config::Given) {
    let words = std::env::args_os().map(|word| report::shown(&word.to_string_lossy()).into());
    let _ = match parsed(command, given, words) {
        // Help that cannot be printed (a closed pipe) is not worth a second error.
        Err(shown) if shown.kind() == error.kind() => shown.print(),
        _ => {
            let lines: Vec<_> = error.to_string().lines().map(str::to_owned).collect();
            std::io::stderr().write_all(report::lines_of(&lines).as_bytes())
        }
    };
}

/// Runs a command; a panic that nothing caught before is told, since that of a library has left no trace.
fn run(args: &cli::Cli) -> failure::Result<u8> {
    let run = std::panic::AssertUnwindSafe(|| commands::run(args));
    std::panic::catch_unwind(run).unwrap_or_else(|_| {
        let what = "a step ended where none should; with ISOFORM_TRACE=1 it tells where";
        Err(failure::Failure::bug(what))
    })
}

/// Tells a failure from before the command line was understood.
fn eprintln_quietly(failure: &failure::Failure) {
    let _ = std::io::stderr().write_all(report::failed(failure).as_bytes());
}

/// A panic inside a decoder of others is caught and becomes an error about the bytes; its trace would only
/// confuse.
fn quiet_decoder_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let foreign = info.location().is_some_and(|at| at.file().contains(".cargo"));
        if !foreign || std::env::var_os("ISOFORM_TRACE").is_some() {
            default(info);
        }
    }));
}
