//! Provides what is told of columns that are text by few fields or for want of a choice.

use ::formats::words::counted;

/// Columns that are named at most.
const NAMED_MAX: usize = 5;

/// Which columns these are, and what keeps each from another type.
pub fn note(missed: &[(String, String)]) -> Option<String> {
    let told = |(name, why): &(String, String)| format!("{name:?} ({why})");
    match missed {
        [] => None,
        [(name, why)] => Some(format!("{name:?} stays text: {why}")),
        _ => Some(format!("columns that stay text: {}; inspect --why tells of each", listed(missed, told))),
    }
}

/// Their names alone.
pub fn names(missed: &[(String, String)]) -> Option<String> {
    let stay = if missed.len() == 1 { "stays" } else { "stay" };
    let listed = listed(missed, |(name, _)| format!("{name:?}"));
    (!missed.is_empty()).then(|| format!("{listed} {stay} text, see inspect --why"))
}

fn listed(missed: &[(String, String)], told: impl Fn(&(String, String)) -> String) -> String {
    let shown: Vec<String> = missed.iter().take(NAMED_MAX).map(told).collect();
    match missed.len().saturating_sub(NAMED_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {}", shown.join(", "), counted(more, "other column")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_columns_are_named_and_the_others_counted() {
        let columns = |count: usize| -> Vec<(String, String)> {
            (0..count).map(|at| (format!("c{at}"), format!("record {at}: x"))).collect()
        };
        assert_eq!((note(&[]), names(&[])), (None, None));
        assert_eq!(note(&columns(1)).unwrap(), "\"c0\" stays text: record 0: x");
        assert_eq!(names(&columns(1)).unwrap(), "\"c0\" stays text, see inspect --why");
        let two =
            "columns that stay text: \"c0\" (record 0: x), \"c1\" (record 1: x); inspect --why tells of each";
        assert_eq!(note(&columns(2)).unwrap(), two);
        let told = note(&columns(7)).unwrap();
        assert!(told.contains("\"c4\" (record 4: x) and 2 other columns;") && !told.contains("c5"), "{told}");
        let told = names(&columns(6)).unwrap();
        assert!(told.ends_with("\"c4\" and 1 other column stay text, see inspect --why"), "{told}");
    }
}
