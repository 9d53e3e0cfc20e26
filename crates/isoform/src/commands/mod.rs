//! One file for each command: from what was typed to what is done, and the telling of it.

mod album;
mod batch;
mod bytes;
mod cascade;
mod compare;
mod convert;
mod formats;
mod image;
mod inspect;
mod key;
mod options;
mod pages;
mod partitions;
mod plan;
mod signal;
mod sources;
mod stream;
mod types_file;
mod verify;
mod within;

use ::formats::media::{Catalog, install};

use crate::cli::{Cli, Command};
use crate::failure::{Failure, Result};

/// Runs the command that was typed.
pub fn run(args: &Cli) -> Result<u8> {
    if let Some(dir) = &args.output.media_types {
        install(Catalog::with_dir(dir)?)?;
    }
    command(args).map_err(|failure| match (failure, left_of_targets(&args.command)) {
        (Failure::Interrupted, Some(told)) => Failure::InterruptedTargets(told),
        (failure, _) => failure,
    })
}

/// What an interruption leaves of the targets of a command that makes some.
fn left_of_targets(command: &Command) -> Option<&'static str> {
    match command {
        Command::Convert(convert) if convert.plan => None,
        Command::Convert(convert) if convert.out_dir.is_some() => {
            Some("the targets that were finished before are kept; run it again, and it goes on with the rest")
        }
        Command::Convert(_) => {
            Some("nothing was written under the target's name; run it again, with --resume if it ran so")
        }
        _ => None,
    }
}

fn command(args: &Cli) -> Result<u8> {
    match &args.command {
        Command::Convert(convert) if convert.plan => plan::run(convert, &args.output),
        Command::Convert(convert) if convert.out_dir.is_some() => batch::run(convert, &args.output),
        Command::Convert(convert) => convert::run(convert, &args.output),
        Command::Plan(convert) => plan::run(convert, &args.output),
        Command::Verify(verify) => verify::run(verify, &args.output),
        Command::Compare(compare) => compare::run(compare, &args.output),
        Command::Inspect(inspect) => inspect::run(inspect, &args.output),
        Command::Formats(formats) => formats::run(formats, &args.output),
        Command::Key(key) => key::run(key, &args.output),
        Command::Completions { shell } => pages::completions(*shell),
        Command::Man { command, dir } => pages::manual(command, dir.as_deref()),
    }
}
