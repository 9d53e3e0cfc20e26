//! Provides numbers with their nouns, for texts that a person reads.

use std::fmt::Display;
use std::path::Path;

/// A number of things whose name takes an `s`: `1 row`, `2 rows`.
pub fn counted(count: impl Display, noun: &str) -> String {
    let count = count.to_string();
    let ending = if count == "1" { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// All of them, with the verb: `the 1 row was`, `all 2 rows were`.
pub fn all_were(count: impl Display, noun: &str) -> String {
    let counted = counted(count, noun);
    match counted.starts_with("1 ") {
        true => format!("the {counted} was"),
        false => format!("all {counted} were"),
    }
}

/// Some of all, with a verb that takes an `s` for one of them: `1 of 2 cells differs`, `2 of 2 cells differ`.
pub fn some_of(some: impl Display, all: impl Display, noun: &str, verb: &str) -> String {
    let (some, all) = (some.to_string(), all.to_string());
    let ending = if some == "1" || all == "1" { "s" } else { "" };
    format!("{some} of {} {verb}{ending}", counted(all, noun))
}

/// Names that are listed where one is not among them.
const LISTED: usize = 20;

/// The name that is most like one that is not among these, if any is: a third of its characters may differ,
/// and of less than four none, since short names of different things are alike.
pub fn near<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let most = match name.chars().count() {
        ..4 => 0,
        count => count / 3,
    };
    let far = names.iter().map(|other| (distance(&name.to_lowercase(), &other.to_lowercase()), *other));
    far.filter(|(far, _)| *far <= most).min_by_key(|(far, _)| *far).map(|(_, near)| near)
}

/// What is told of a name that is not among these: the one that is most like it, or else the first of them.
pub fn instead_of(name: &str, names: &[&str]) -> String {
    if let Some(near) = near(name, names) {
        return format!("did you mean {near:?}?");
    }
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| format!("{name:?}")).collect();
    let more = if names.len() > LISTED { ", …" } else { "" };
    format!("it has {}{more}", shown.join(", "))
}

/// Characters to put in, take out or change to get from one name to the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let changed = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// A path as an argument of a command that is advised: in quotes where a shell would take it for more than a
/// name, and with its directory where it would be an option. `-` is standard input or output.
pub fn argument(path: &Path) -> String {
    let text = path.display().to_string();
    let text = if text.starts_with('-') && text != "-" { format!("./{text}") } else { text };
    let is_plain = |char: char| char.is_alphanumeric() || "_./-+=:@%,".contains(char);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_there_is_told_with_the_nearest_or_the_first_ones() {
        let names = ["id", "unit price", "Größe"];
        for (name, near) in [("unit_price", 1), ("UNIT PRICE", 1), ("grösse", 2), ("di", 0), ("ID", 0)] {
            let told = instead_of(name, &names);
            let expected =
                if name == "di" { "it has \"id\", " } else { &format!("did you mean {:?}?", names[near]) };
            assert!(told.starts_with(expected), "{name}: {told}");
        }
        let formats = ["csv", "parquet", "gzip", "bzip2"];
        for (name, found) in [
            ("zip", None),
            ("cvs", None),
            ("gzp", None),
            ("gzipp", Some("gzip")),
            ("parqet", Some("parquet")),
            ("packet", None),
        ] {
            assert_eq!(near(name, &formats), found, "{name}");
        }
        let many: Vec<String> = (0..30).map(|at| format!("column {at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(instead_of("x", &many).ends_with("\"column 19\", …"));
        assert_eq!(["kitten", "", "abc"].map(|name| distance(name, "sitting")), [3, 7, 7]);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2, 11].map(|n| counted(n, "row")), ["0 rows", "1 row", "2 rows", "11 rows"]);
        assert_eq!(counted("1", "part"), "1 part");
        assert_eq!(
            [1, 2].map(|n| some_of(n, 2, "cell", "differ")),
            ["1 of 2 cells differs", "2 of 2 cells differ"]
        );
        assert_eq!(some_of(0, 1, "target", "hold"), "0 of 1 target holds");
        assert_eq!([1, 21].map(|n| all_were(n, "row")), ["the 1 row was", "all 21 rows were"]);
    }

    #[test]
    fn an_argument_of_an_advised_command_is_one_name() {
        for plain in ["a.csv", "/x/k=1/b-2.parquet", "C:x", "Łódź.csv", "-"] {
            assert_eq!(argument(Path::new(plain)), plain);
        }
        for (path, quoted) in [
            ("my a.csv", "'my a.csv'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("~", "'~'"),
            ("a*", "'a*'"),
            ("", "''"),
            ("-x", "./-x"),
            ("- x", "'./- x'"),
        ] {
            assert_eq!(argument(Path::new(path)), quoted);
        }
    }
}
