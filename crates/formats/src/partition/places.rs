//! Provides where rows of a table stand in its partitions: those whose texts are exceptions to the styles of
//! their columns, which are kept by row.

use std::path::Path;

use coherence::statement::RowsOfExceptions;

/// Rows by the paths of their partitions: pairs of the number in the table and in the partition, both counted
/// from 0 and ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places(RowsOfExceptions);

impl Places {
    /// Whether no row is among them.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the rows of a partition.
    pub fn add(&mut self, path: &str, rows: &[(u64, u64)]) {
        if !rows.is_empty() {
            self.0.insert(path.to_owned(), rows.to_vec());
        }
    }

    /// The rows of the partition at this path.
    pub fn at(&self, path: &str) -> &[(u64, u64)] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }

    /// The rows of the partition that this file is of, wherever its directory lies.
    pub(crate) fn of_file(&self, file: &Path) -> &[(u64, u64)] {
        let names = file.parent().into_iter().flat_map(Path::components).rev();
        let mut path = String::new();
        let paths = names.map_while(|name| {
            let name = name.as_os_str().to_str()?;
            path = if path.is_empty() { name.to_owned() } else { format!("{name}/{path}") };
            Some(path.clone())
        });
        paths.take(self.depth()).find_map(|path| self.0.get(&path)).map_or(&[], Vec::as_slice)
    }

    /// How many directories a path has at most.
    fn depth(&self) -> usize {
        self.0.keys().map(|path| path.split('/').count()).max().unwrap_or(0)
    }

    /// The record of them in a certificate.
    pub fn into_record(self) -> RowsOfExceptions {
        self.0
    }

    /// The numbers in the table of all rows, ascending.
    pub fn rows(&self) -> Vec<u64> {
        let mut rows: Vec<u64> = self.0.values().flatten().map(|(row, _)| *row).collect();
        rows.sort_unstable();
        rows
    }

    /// Those of such a record; `None` where it is none.
    pub fn recorded(record: &RowsOfExceptions) -> Option<Self> {
        let ascend =
            |rows: &Vec<(u64, u64)>| rows.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1);
        record.values().all(ascend).then(|| Places(record.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let mut places = Places::default();
        places.add("a=1/b=x", &[(3, 0), (9, 2)]);
        places.add("a=2/b=x", &[(4, 0)]);
        places.add("a=3/b=x", &[]);
        places
    }

    #[test]
    fn places_are_recorded() {
        let record = places().into_record();
        let all = [("a=1/b=x", vec![(3, 0), (9, 2)]), ("a=2/b=x", vec![(4, 0)])];
        assert_eq!(record, all.map(|(path, rows)| (path.to_owned(), rows)).into());
        assert_eq!(Places::recorded(&record).unwrap(), places());
        assert_eq!(places().rows(), [3, 4, 9]);
        for wrong in [[(1, 0), (2, 0)], [(2, 0), (1, 1)]] {
            assert_eq!(Places::recorded(&[("k=1".to_owned(), wrong.to_vec())].into()), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_file_is_of_the_partition_that_its_directories_tell() {
        let of_file = |file: &str| places().of_file(Path::new(file)).len();
        assert_eq!(of_file("a=1/b=x/part-0.jsonl"), 2);
        assert_eq!(of_file("/data/a=2/a=1/b=x/other"), 2);
        for file in ["b=x/part-0.jsonl", "a=1/b=x", "a=3/b=x/part-0.jsonl", "a=1/b=x/c=1/part-0.jsonl", ""] {
            assert_eq!(of_file(file), 0, "{file}");
        }
    }
}
