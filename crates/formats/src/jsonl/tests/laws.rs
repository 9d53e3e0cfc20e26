//! Laws of inference: grouping does not matter, what fits changes nothing, and reversible text comes back.

use arrow_array::cast::AsArray;
use proptest::prelude::*;

use super::super::decode::{Decoder, Records};
use super::super::{Absence, Mark, Record, Style, scan};
use super::*;
use crate::Error;
use crate::limits::{CHUNK_ROWS, RECORD_BYTES_MAX};

/// Pools of values that columns draw from; a column that draws from few has a type, one that draws from many
/// does not.
const POOLS: [&[&str]; 16] = [
    &["null"],
    &["1", "-7", "0", "9223372036854775807"],
    &["18446744073709551615", "3"],
    &["-1", "123456789012345678901234567890"],
    &["1.50", "2.25", "-0.05", "10.00"],
    &["1.5", "2.25", "1e-05", "1e+16", "2.0"],
    &["1.5", "2", "1e-7", "1e21", "1e+21"],
    &["1.0E10", "0.001", "1.0", "-0.0"],
    &["1.10", "1e3", "-0", "1E400", "0.00000000000000000001"],
    &["true", "false"],
    &[r#""a""#, r#""""#, r#""é\n\"\\😀""#, r#""\u0001""#],
    &["[]", "[1]", "[1,null,2]"],
    &["[[1.5],[]]", "[[],[2.5,null]]"],
    &[r#"{"x":1}"#, r#"{"x":null}"#],
    &["{}", r#"{"x":1,"y":"a"}"#],
    &["{}"],
];

/// A record; keys stand in one order, and each may be left out.
fn record(random: &mut Random, pools: &[Vec<&'static str>], left_out: &[usize]) -> String {
    let mut pairs = Vec::new();
    for (at, pool) in pools.iter().enumerate() {
        if left_out[at] == 0 || random.below(left_out[at]) > 0 {
            pairs.push(format!("\"k{at}\":{}", pool[random.below(pool.len())]));
        }
    }
    format!("{{{}}}", pairs.join(","))
}

fn records(seed: u64, rows: usize) -> Vec<String> {
    let mut random = Random(seed);
    let columns = 1 + random.below(4);
    let mut pools = Vec::new();
    let mut left_out = Vec::new();
    for _ in 0..columns {
        let mut pool: Vec<&str> = random.pick(&POOLS).to_vec();
        match random.below(6) {
            0 => pool.extend(random.pick(&POOLS)),
            1 => pool.push("null"),
            _ => {}
        }
        pools.push(pool);
        left_out.push(random.pick(&[&0, &0, &3]).to_owned());
    }
    (0..rows).map(|_| record(&mut random, &pools, &left_out)).collect()
}

fn observe(profile: &mut JsonProfile, rows: &[String], from: usize) {
    for (at, text) in rows.iter().enumerate() {
        let row = (from + at) as u64;
        profile.observe(Record { row, byte: 0, text: text.as_bytes() }).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn merging_in_any_grouping_gives_the_same_result(
        seed in any::<u64>(), rows in 1_usize..12, presence in any::<bool>(),
    ) {
        let rows = records(seed, rows);
        let mut whole = JsonProfile::new();
        observe(&mut whole, &rows, 0);
        let mut random = Random(seed ^ 1);
        // Each row goes to one of three profiles, which are merged in a random order.
        let mut groups = vec![JsonProfile::new(), JsonProfile::new(), JsonProfile::new()];
        for (at, row) in rows.iter().enumerate() {
            observe(&mut groups[random.below(3)], std::slice::from_ref(row), at);
        }
        let mut merged = JsonProfile::new();
        while !groups.is_empty() {
            merged.merge(&groups.swap_remove(random.below(groups.len()))).unwrap();
        }
        prop_assert_eq!(merged.resolve(presence), whole.resolve(presence), "{:?}", rows);
    }

    #[test]
    fn what_was_profiled_decodes_and_comes_back(
        seed in any::<u64>(), rows in 1_usize..12, presence in any::<bool>(),
    ) {
        let rows = records(seed, rows);
        let text = rows.iter().map(|row| format!("{row}\n")).collect::<String>();
        let found = profiled(text.as_bytes()).unwrap().resolve(presence);
        let batches = decoded(text.as_bytes(), &found.schema, &found.typings);
        prop_assert!(batches.is_ok(), "{:?} {} {:?}", batches, text, found);
        let batches = batches.unwrap();
        prop_assert!(!presence || found.typings.iter().all(Typing::is_reversible), "{:?}", found);
        prop_assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), rows.len());
        let back = encoded(&batches, &found.schema, &found.typings).unwrap();
        let in_order = found.schema.fields().is_sorted_by_key(|field| field.name());
        if in_order && found.typings.iter().all(Typing::is_reversible) {
            prop_assert_eq!(String::from_utf8(back).unwrap(), text, "{:?}", found);
        } else {
            let again = decoded(&back, &found.schema, &found.typings);
            if found.typings.iter().all(Typing::is_reversible) {
                prop_assert_eq!(again.unwrap(), batches);
            }
        }
    }

    #[test]
    fn what_fits_changes_nothing(seed in any::<u64>(), rows in 1_usize..8, presence in any::<bool>()) {
        let rows = records(seed, rows + 4);
        let (sample, rest) = rows.split_at(rows.len() - 4);
        let mut profile = JsonProfile::new();
        observe(&mut profile, sample, 0);
        let before = profile.resolve(presence);
        for (at, row) in rest.iter().enumerate() {
            let mut decoder = Decoder::new(&before.schema, &before.typings).unwrap();
            let record = Record { row: (sample.len() + at) as u64, byte: 0, text: row.as_bytes() };
            let mut with = profile.clone();
            with.observe(record).unwrap();
            let after = with.resolve(presence);
            let same = (&after.schema, &after.typings) == (&before.schema, &before.typings);
            match decoder.push(record) {
                Ok(()) => prop_assert!(same, "{} fits {:?} but gives {:?}", row, before, after),
                Err(Error::Retype { .. }) => prop_assert!(!same, "{} does not fit {:?}", row, before),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }

    #[test]
    fn scan_and_decoder_see_the_same_records(lines in proptest::collection::vec(0_usize..6, 0..40), last in any::<bool>()) {
        let forms = ["{\"a\":1}\n", "{\"a\":1}\r\n", "\n", " \t\r\n", "  {\"a\":1}  \n", "{\"a\":1} \n"];
        let mut text: String = lines.iter().map(|&form| forms[form]).collect();
        if last {
            text.push_str("{\"a\":1}");
        }
        let expected = lines.iter().filter(|&&form| form != 2 && form != 3).count() + usize::from(last);
        let found = scan(text.as_bytes()).unwrap();
        prop_assert_eq!(found.end, Mark { row: expected as u64, byte: text.len() as u64 });
        let profile = profiled(text.as_bytes()).unwrap().resolve(false);
        let batches = decoded(text.as_bytes(), &profile.schema, &profile.typings).unwrap();
        prop_assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), expected);
    }
}

#[test]
fn parts_of_a_large_file_make_up_the_whole() {
    let rows = CHUNK_ROWS * 3 + 17;
    let text: String =
        (0..rows).map(|row| format!("{{\"row\":{row}}}\n{}", &"\n"[..(row % 7 == 0).into()])).collect();
    let text = text.as_bytes();
    let found = scanned(text);
    assert_eq!(found.end.row, rows);
    assert_eq!(found.marks.len(), 4);
    let profile = profiled(text).unwrap().resolve(false);
    let whole = decoded(text, &profile.schema, &profile.typings).unwrap();
    let whole = arrow_select::concat::concat_batches(&profile.schema, &whole).unwrap();
    for chunks in 1..=5 {
        let mut batches = Vec::new();
        let mut at = Mark { row: 0, byte: 0 };
        for (from, to) in found.parts(chunks) {
            assert_eq!(from, at);
            at = to;
            let part: Vec<_> = Reader::new(text, from, to, &profile.schema, &profile.typings)
                .unwrap()
                .collect::<Result<_>>()
                .unwrap();
            assert_eq!(part.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), to.row - from.row);
            batches.extend(part);
        }
        assert_eq!(at, found.end);
        let joined = arrow_select::concat::concat_batches(&profile.schema, &batches).unwrap();
        assert_eq!(joined, whole);
    }
}

#[test]
fn records_may_cross_blocks_and_be_long() {
    let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(1 << 20));
    let text = format!("{long}\n{long}{{\"a\":null}}");
    let profile = profiled(text.as_bytes()).unwrap().resolve(false);
    assert_eq!(scanned(text.as_bytes()).end.row, 3);
    assert_eq!(scanned(text.as_bytes()).longest, long.len() as u64 - 1);
    assert_eq!(scanned(b"{}\n{}\n").longest, 0);
    assert!(matches!(
        crate::jsonl::scan_within(text.as_bytes(), 1 << 20, usize::MAX),
        Err(Error::Limit { .. })
    ));
    let batches = decoded(text.as_bytes(), &profile.schema, &profile.typings).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [1, 1, 1]);
    let bomb = vec![b' '; RECORD_BYTES_MAX + 1];
    assert!(matches!(scan(&bomb[..]), Err(Error::Limit { .. })));
    assert!(matches!(
        Records::new(&bomb[..], Mark { row: 0, byte: 0 }, Mark { row: 0, byte: bomb.len() as u64 })
            .next_record(),
        Err(Error::Limit { .. })
    ));
}

#[test]
fn absence_is_recorded() {
    let absence = |text: &str| {
        let found = profiled(text.as_bytes()).unwrap().resolve(false);
        (found.typings[0].absence, found.typings[0].is_reversible())
    };
    assert_eq!(absence("{\"a\":1}\n{\"a\":null}"), (Absence::Null, true));
    assert_eq!(absence("{\"a\":1}\n{}"), (Absence::Missing, true));
    assert_eq!(absence("{\"a\":1}\n{}\n{\"a\":null}"), (Absence::Mixed, false));
    assert_eq!(absence("{}\n{\"a\":1}"), (Absence::Missing, true));
}

#[test]
fn presence_is_kept_where_it_was_asked_for() {
    let text = "{\"a\":1,\"s\":{\"x\":1}}\n{\"s\":{}}\n{\"a\":null,\"s\":{\"x\":null}}\n{\"a_missing\":true,\"s\":null}\n";
    let found = profiled(text.as_bytes()).unwrap().resolve(true);
    let names: Vec<&str> = found.schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["a", "a_missing_", "s", "a_missing"], "a name that is taken gets another");
    let batches = decoded(text.as_bytes(), &found.schema, &found.typings).unwrap();
    let told = batches[0].column(1).as_boolean();
    assert_eq!(told.iter().collect::<Vec<_>>(), [Some(false), Some(true), Some(false), Some(true)]);
    let inside = batches[0].column(2).as_struct().column(1).as_boolean();
    assert_eq!(inside.iter().collect::<Vec<_>>(), [Some(false), Some(true), Some(false), None]);
    let back = encoded(&batches, &found.schema, &found.typings).unwrap();
    let back = String::from_utf8(back).unwrap();
    assert_eq!(back.replace("\"s\":null,\"a_missing\":true", "\"a_missing\":true,\"s\":null"), text);
}

#[test]
fn what_tells_of_keys_must_stand_beside_them() {
    let found = profiled(b"{\"a\":1}\n{}\n{\"a\":null}").unwrap().resolve(true);
    assert!(Decoder::new(&found.schema, &found.typings).is_ok());
    let mut alone = found.typings.clone();
    alone[0].absence = Absence::Null;
    assert!(matches!(Decoder::new(&found.schema, &alone), Err(Error::Misuse(_))), "it tells of nothing");
    let mut silent = found.typings.clone();
    silent[1].style = Style::Plain;
    assert!(matches!(Decoder::new(&found.schema, &silent), Err(Error::Misuse(_))), "nothing tells of it");
    let first = found.schema.project(&[0]).unwrap();
    assert!(matches!(Decoder::new(&first, &found.typings[..1]), Err(Error::Misuse(_))), "it is the last");
}

#[test]
fn types_are_what_a_reader_expects() {
    let resolve = |text: &str| {
        let found = profiled(text.as_bytes()).unwrap().resolve(false);
        let style = found.typings[0].style;
        (found.schema.field(0).data_type().to_string(), style, found.why.first().map(|said| said.why.clone()))
    };
    assert_eq!(resolve("{\"a\":12.50}\n{\"a\":3.00}").0, "Decimal128(18, 2)");
    assert_eq!(resolve("{\"a\":12.5}\n{\"a\":3}").0, "Float64");
    assert_eq!(resolve("{\"a\":\"2024-01-01\"}").0, "Utf8");
    assert_eq!(resolve("{\"a\":12345678901234567890}").0, "UInt64");
    assert_eq!(resolve("{\"a\":123456789012345678901}").0, "Decimal128(38, 0)");
    let (data_type, style, why) = resolve("{\"a\":1}\n{\"a\":2}\n{\"a\":\"x\"}");
    assert_eq!((data_type.as_str(), style), ("Utf8", Style::Json));
    assert_eq!(why.as_deref(), Some("kept as JSON text: record 3 has a string, record 1 a number"));
    let (_, style, why) = resolve("{\"a\":1.5}\n{\"a\":1e999}");
    assert_eq!(style, Style::Json);
    assert!(why.unwrap().contains("1e999 (record 2)"));
}
