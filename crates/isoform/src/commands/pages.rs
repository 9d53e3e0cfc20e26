//! `completions` and `man`, from the same definitions as `--help`.

use std::path::Path;

use clap::{Command, CommandFactory};

use crate::cli::Cli;
use crate::config::with_switches;
use crate::failure::{DONE, Failure, Result};
use crate::report;

/// Prints what a shell needs to complete command lines.
pub fn completions(shell: clap_complete::Shell) -> Result<u8> {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut with_switches(Cli::command()), "isoform", &mut bytes);
    report::print(&String::from_utf8_lossy(&bytes));
    Ok(DONE)
}

/// Prints the page of one command, or writes those of all into a directory.
pub fn manual(names: &[String], dir: Option<&Path>) -> Result<u8> {
    let mut whole = with_switches(Cli::command()).disable_help_subcommand(true);
    if let Some(dir) = dir {
        std::fs::create_dir_all(dir).map_err(|error| Failure::io(dir, error))?;
        clap_mangen::generate_to(whole, dir).map_err(|error| Failure::io(dir, error))?;
        return Ok(DONE);
    }
    whole.build();
    let mut bytes = Vec::new();
    let page = clap_mangen::Man::new(named(&whole, names)?.clone()).render(&mut bytes);
    page.map_err(|error| Failure::bug(format_args!("manual page: {error}")))?;
    report::print(&String::from_utf8_lossy(&bytes));
    Ok(DONE)
}

fn named<'a>(whole: &'a Command, names: &[String]) -> Result<&'a Command> {
    names.iter().try_fold(whole, |command, name| {
        command.find_subcommand(name).ok_or_else(|| {
            let known = command.get_subcommands().map(Command::get_name).collect::<Vec<_>>().join(", ");
            let known =
                if known.is_empty() { "has no commands below it".into() } else { format!("has {known}") };
            let above = command.get_name();
            Failure::Usage(format!("man: there is no command {name:?}; {above} {known}"))
        })
    })
}
