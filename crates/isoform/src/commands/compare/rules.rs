//! Provides the meaning of `--key`, `--tolerance` and `--unordered`.

use ::formats::compare::Tolerances;
use ::formats::open::Opened;
use coherence::tolerance::Tolerance;

use crate::cli::Compare;
use crate::failure::{Failure, Result};

/// Refuses what makes no sense together.
pub(super) fn check(args: &Compare) -> Result<()> {
    let refused = |why: &str| Err(Failure::Usage(format!("--unordered: {why}")));
    match (args.unordered, args.key.is_empty(), args.tolerance.is_empty()) {
        (true, false, _) => {
            refused("--key pairs rows, and without an order there are none to pair; give one of the two")
        }
        (true, _, false) => refused(
            "--tolerance is about cells of rows that belong together, and without an order none do; \
             align the rows with --key",
        ),
        _ => Ok(()),
    }
}

/// Refuses what is about rows and columns where byte strings are compared.
pub(super) fn check_bytes(args: &Compare) -> Result<()> {
    let given = [
        ("--key", !args.key.is_empty()),
        ("--tolerance", !args.tolerance.is_empty()),
        ("--unordered", args.unordered),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(Failure::Usage(format!(
            "{option}: is about rows of tables, and these are compared as byte strings"
        ))),
    }
}

/// The columns of the key: each argument names one column, or several with commas between them.
pub(super) fn key(arguments: &[String], sides: [&Opened; 2]) -> Result<Vec<String>> {
    let known = |name: &str| {
        let has = |side: &Opened| side.table().schema().fields().iter().any(|field| field.name() == name);
        sides.into_iter().any(has)
    };
    let mut columns: Vec<String> = Vec::new();
    for argument in arguments {
        let names = if known(argument) { vec![argument.as_str()] } else { argument.split(',').collect() };
        for name in names {
            if name.is_empty() && !known(name) {
                return Err(Failure::Usage(format!("--key: {argument:?} has an empty name")));
            }
            if !columns.iter().any(|other| other == name) {
                columns.push(name.to_owned());
            }
        }
    }
    Ok(columns)
}

/// Reads `0.01`, `rel:1e-6`, `price=0.01`, `price=rel:1e-6`. Bounds for one column, or for all, add up: a
/// difference within one of them is enough.
pub(super) fn tolerances(args: &Compare) -> Result<Tolerances> {
    let mut found = Tolerances::default();
    for argument in &args.tolerance {
        // A bound has no equals sign, so the name of the column may.
        let (column, bound) = match argument.rsplit_once('=') {
            Some((column, bound)) => (Some(column), bound),
            None => (None, argument.as_str()),
        };
        let tolerance = match bound.strip_prefix("rel:") {
            Some(bound) => number(bound).and_then(|bound| Tolerance::new(0.0, bound)),
            None => number(bound).and_then(|bound| Tolerance::new(bound, 0.0)),
        };
        let tolerance = tolerance.ok_or_else(|| {
            let form = "[COLUMN=]NUMBER or [COLUMN=]rel:NUMBER, with a number that is not negative";
            Failure::Usage(format!("--tolerance: {argument:?} is not {form}"))
        })?;
        match column {
            None => found.general = Some(found.general.map_or(tolerance, |other| other.or(tolerance))),
            Some(column) => {
                let entry = found.columns.entry(column.to_owned()).or_insert(tolerance);
                *entry = entry.or(tolerance);
            }
        }
    }
    Ok(found)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    fn given(arguments: &[&str]) -> Result<Tolerances> {
        let words = ["isoform", "compare", "a", "b"].iter().chain(arguments);
        match Cli::try_parse_from(words).unwrap().command {
            crate::cli::Command::Compare(args) => tolerances(&args),
            _ => unreachable!("compare was typed"),
        }
    }

    #[test]
    fn bounds_are_read_and_add_up() {
        let found = given(&[
            "--tolerance",
            "1e-9",
            "--tolerance",
            "rel:0.5",
            "--tolerance",
            "a=b=2",
            "--tolerance",
            "rel=rel:3",
        ]);
        let found = found.unwrap();
        assert_eq!(found.general, Tolerance::new(1e-9, 0.5));
        assert_eq!(found.columns.get("a=b"), Tolerance::new(2.0, 0.0).as_ref());
        assert_eq!(found.columns.get("rel"), Tolerance::new(0.0, 3.0).as_ref());
        assert_eq!(found.columns.len(), 2);
    }

    #[test]
    fn what_is_no_bound_is_refused() {
        for bad in ["", "x", "-1", "rel:", "rel:-1", "a=", "nan", "a=inf", "1%"] {
            let words = format!("--tolerance={bad}");
            assert!(given(&[&words]).is_err(), "{bad}");
        }
    }
}
