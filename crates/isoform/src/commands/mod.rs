//! One file for each command: from what was typed to what is done, and the telling of it.

mod album;
mod attributes;
mod batch;
mod bytes;
mod cascade;
mod certified;
mod compare;
mod convert;
mod formats;
mod hidden;
mod image;
mod inspect;
mod key;
mod kind;
mod missed;
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

use crate::cli::{Cli, Command, Convert, Output};
use crate::failure::{Failure, Result};
use crate::local::standard::is_standard;
use crate::typed::giver;

/// Runs the command that was typed.
pub fn run(args: &Cli) -> Result<u8> {
    if let Some(dir) = &args.output.media_types {
        let catalog = Catalog::with_dir(dir).map_err(|error| match error {
            ::formats::Error::Io { .. } => Failure::Usage(format!(
                "{}: {error}; name a directory of definitions (*.toml)",
                giver("media-types")
            )),
            other => other.into(),
        });
        install(catalog?)?;
    }
    command(args).map_err(|failure| match (failure, left_of_targets(&args.command)) {
        (Failure::Interrupted, Some(told)) => Failure::InterruptedTargets(told),
        (failure, _) => failure,
    })
}

/// What an interruption leaves of a target that is not gone on with.
const NOTHING_WRITTEN: &str = "nothing was written under the target's name; run it again";

/// What an interruption leaves of the targets of a command that makes some.
fn left_of_targets(command: &Command) -> Option<&'static str> {
    match command {
        Command::Convert(convert) if convert.plan => None,
        Command::Convert(convert) if convert.out_dir.is_some() && album::is_asked(convert) => {
            Some("nothing was written, since an album appears whole; run it again")
        }
        Command::Convert(convert) if convert.out_dir.is_some() => {
            Some("the targets that were finished before are kept; run it again, and it goes on with the rest")
        }
        Command::Convert(convert) if convert.paths.last().is_some_and(|path| is_standard(path)) => {
            Some("nothing was written to standard output; run it again")
        }
        Command::Convert(convert) if convert.resume => {
            Some("nothing was written under the target's name; run it again with --resume")
        }
        Command::Convert(_) => Some(NOTHING_WRITTEN),
        _ => None,
    }
}

fn command(args: &Cli) -> Result<u8> {
    match &args.command {
        Command::Convert(convert) => conversion(convert, convert.plan, &args.output),
        Command::Plan(convert) => conversion(convert, true, &args.output),
        Command::Verify(verify) => verify::run(verify, &args.output),
        Command::Compare(compare) => compare::run(compare, &args.output),
        Command::Inspect(inspect) => inspect::run(inspect, &args.output),
        Command::Formats(formats) => formats::run(formats, &args.output),
        Command::Key(key) => key::run(key, &args.output),
        Command::Completions { shell } => pages::completions(*shell),
        Command::Man { command, dir } => pages::manual(command, dir.as_deref()),
    }
}

/// Converts, or only tells what that would do.
fn conversion(args: &Convert, plans: bool, output: &Output) -> Result<u8> {
    let args = &options::wrapping_apart(options::named_by_target(args));
    match (plans, &args.out_dir) {
        (true, _) => plan::run(args, output),
        (false, Some(_)) => batch::run(args, output),
        (false, None) => convert::run(args, output),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn what_an_interruption_leaves_is_told_of_each_kind_of_job() {
        let told = |args: &[&str]| {
            let words = ["isoform", "convert"].iter().chain(args);
            left_of_targets(&Cli::try_parse_from(words).unwrap().command)
        };
        let batch = ["a", "--out-dir", "o", "--to", "webp", "--within", "psnr=36"];
        assert!(told(&batch).unwrap().contains("are kept"));
        let album = [&batch[..], &["--part-floor", "psnr=32"]].concat();
        assert!(told(&album).unwrap().starts_with("nothing was written, "));
        assert!(told(&["a", "-", "--to", "csv"]).unwrap().contains("standard output"));
        assert!(told(&["a.csv", "b.csv", "--resume"]).unwrap().ends_with("with --resume"));
        assert!(!told(&["a.csv", "b", "--to", "csv", "--partition-by", "k"]).unwrap().contains("--resume"));
        assert_eq!(told(&["a.csv", "b.csv", "--plan"]), None);
    }
}
