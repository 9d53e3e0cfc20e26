//! Provides numbers with their nouns, for texts that a person reads.

use std::fmt::Display;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
