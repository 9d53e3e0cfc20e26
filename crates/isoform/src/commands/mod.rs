//! One file for each command: from what was typed to what is done, and the telling of it.

mod batch;
mod bytes;
mod compare;
mod convert;
mod formats;
mod inspect;
mod key;
mod options;
mod sources;
mod stream;
mod types_file;
mod verify;

use clap::CommandFactory;

use crate::cli::{Cli, Command};
use crate::failure::{DONE, Failure, Result};
use crate::report;

/// Runs the command that was typed.
pub fn run(args: &Cli) -> Result<u8> {
    match &args.command {
        Command::Convert(convert) if convert.plan => convert::plan(convert, &args.output),
        Command::Convert(convert) if convert.out_dir.is_some() => batch::run(convert, &args.output),
        Command::Convert(convert) => convert::run(convert, &args.output),
        Command::Plan(convert) => convert::plan(convert, &args.output),
        Command::Verify(verify) => verify::run(verify, &args.output),
        Command::Compare(compare) => compare::run(compare, &args.output),
        Command::Inspect(inspect) => inspect::run(inspect, &args.output),
        Command::Formats => formats::run(&args.output),
        Command::Key(key) => key::run(key, &args.output),
        Command::Completions { shell } => {
            let mut bytes = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "isoform", &mut bytes);
            report::print(&String::from_utf8_lossy(&bytes));
            Ok(DONE)
        }
        Command::Man => {
            let mut bytes = Vec::new();
            let page = clap_mangen::Man::new(Cli::command()).render(&mut bytes);
            page.map_err(|error| Failure::Other(format!("manual page: {error}")))?;
            report::print(&String::from_utf8_lossy(&bytes));
            Ok(DONE)
        }
    }
}
