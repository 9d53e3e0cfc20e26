//! Compares scan, decoder and encoder with a slow, obvious reading of the same rules, and with each other.

use proptest::prelude::*;

use super::*;
use crate::limits::CHUNK_ROWS;

type Record = Vec<(Vec<u8>, bool)>;

/// What can be read: records, or the kind of the first error.
type Outcome = Result<Vec<Record>, &'static str>;

pub(super) fn dialect(columns: usize) -> Dialect {
    let names = (1..=columns).map(|n| format!("c{n}")).collect();
    CsvFormat::default().dialect(names, 0)
}

fn whole(text: &[u8]) -> TextPart {
    TextPart { first_record: 0, records: 0, bytes: 0..text.len() as u64 }
}

/// Each record of a text, one character after the other, without any limit.
fn reference(text: &[u8], dialect: &Dialect) -> Outcome {
    let mut records = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if dialect.comment.as_ref().is_some_and(|mark| text[at..].starts_with(mark)) {
            while at < text.len() && line_end(text, at, dialect).is_none() {
                at += 1;
            }
            at += line_end(text, at, dialect).unwrap_or(0);
            continue;
        }
        if let Some(bytes) = line_end(text, at, dialect)
            && dialect.columns() != 1
        {
            at += bytes;
            continue;
        }
        let mut record = Vec::new();
        loop {
            record.push(reference_field(text, &mut at, dialect)?);
            if at < text.len() && text[at] == dialect.delimiter {
                at += 1;
                continue;
            }
            at += line_end(text, at, dialect).unwrap_or(0);
            break;
        }
        while dialect.ragged == Ragged::Pad && record.len() < dialect.columns() {
            record.push((Vec::new(), false));
        }
        if record.len() != dialect.columns() {
            return Err("expected");
        }
        records.push(record);
    }
    Ok(records)
}

/// Length of the line end at `at`, if there is one.
fn line_end(text: &[u8], at: usize, dialect: &Dialect) -> Option<usize> {
    match (dialect.line_ending, &text[at..]) {
        (LineEnding::Cr, [b'\r', ..]) => Some(1),
        (LineEnding::Cr, _) => None,
        (_, [b'\n', ..]) | (_, [b'\r']) => Some(1),
        (_, [b'\r', b'\n', ..]) => Some(2),
        _ => None,
    }
}

fn reference_field(text: &[u8], at: &mut usize, dialect: &Dialect) -> Result<(Vec<u8>, bool), &'static str> {
    let ends = |at: usize| {
        at == text.len() || text[at] == dialect.delimiter || line_end(text, at, dialect).is_some()
    };
    let mut field = Vec::new();
    if *at == text.len() || Some(text[*at]) != dialect.quote {
        while !ends(*at) {
            field.push(text[*at]);
            *at += 1;
        }
        return Ok((field, false));
    }
    *at += 1;
    loop {
        let Some(&byte) = text.get(*at) else {
            return Err("not closed");
        };
        *at += 1;
        if Some(byte) == dialect.escape {
            field.push(*text.get(*at).ok_or("not closed")?);
            *at += 1;
        } else if Some(byte) != dialect.quote {
            field.push(byte);
        } else if text.get(*at).copied() == dialect.quote {
            field.push(byte);
            *at += 1;
        } else {
            break;
        }
    }
    if ends(*at) { Ok((field, true)) } else { Err("follows a closing quote") }
}

fn decode(text: &[u8], dialect: &Dialect, part: &TextPart, read_bytes: usize) -> Result<Vec<Record>, String> {
    let mut reader = RecordReader::new(text, dialect, part, BadRecords::Fail).read_bytes(read_bytes);
    let mut records = Vec::new();
    while let Some(batch) = reader.next_batch().map_err(|error| error.to_string())? {
        for row in 0..batch.rows() {
            let field = |column| batch.field(row, column);
            records.push((0..batch.columns()).map(field).map(|f| (f.bytes.to_vec(), f.quoted)).collect());
        }
    }
    assert!(reader.next_batch().is_ok_and(|batch| batch.is_none()), "the end stays the end");
    Ok(records)
}

fn count(text: &[u8], dialect: &Dialect, read_bytes: usize) -> Result<Scan, String> {
    let options = ScanOptions { read_bytes, ..ScanOptions::default() };
    scan(text, dialect, options).map_err(|error| error.to_string())
}

/// A text of the bytes that matter, with runs long enough to cross the blocks of the scan.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            &b","[..], b"\"", b"\n", b"\r\n", b"\r", b"\"\"", b"\\", b"#", b" ", b"\t", b"a",
            b",\"", b"\",", b"\"\n",
            b"\"\r\n", b"\n\"", b"\n\n", b"\r\n\r\n", b"x,y\n", b"\"p\",\"q\"\r\n", b"a,b\n",
        ]).prop_map(<[u8]>::to_vec),
        1 => (0usize..90).prop_map(|n| vec![b'z'; n]),
        1 => (55usize..66).prop_map(|n| vec![b'z'; n]),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Texts that have a chance to be well formed.
fn tables() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        "[a-z ]{0,5}".prop_map(String::into_bytes),
        r#""([a-z,\n\r ]|""){0,40}""#.prop_map(String::into_bytes),
        r#"[a-z][a-z" ]{0,60}"#.prop_map(String::into_bytes),
    ];
    let ending = prop::sample::select(vec!["\n", "\r\n", "\n\n", "\r\n\r\n"]);
    let record = (prop::collection::vec(field, 2), ending)
        .prop_map(|(fields, ending)| [fields.join(&b','), ending.as_bytes().to_vec()].concat());
    prop::collection::vec(record, 0..30).prop_map(|records| records.concat())
}

fn dialects() -> impl Strategy<Value = Dialect> {
    let endings = prop::sample::select(vec![LineEnding::Lf, LineEnding::CrLf, LineEnding::Cr]);
    let quotes = prop::sample::select(vec![Some(b'"'), Some(b'"'), Some(b'"'), None]);
    let marks = prop::sample::select(vec![None, None, Some(&b"#"[..]), Some(b"aa"), Some(b"#z")]);
    let escapes = prop::sample::select(vec![None, None, Some(b'\\')]);
    let simple = any::<bool>();
    (1usize..4, endings, quotes, marks, escapes, any::<bool>(), simple).prop_map(
        |(columns, line_ending, quote, comment, escape, pad, simple)| Dialect {
            line_ending,
            quote,
            comment: comment.filter(|_| !simple).map(<[u8]>::to_vec),
            escape: escape.filter(|_| !simple && quote.is_some()),
            ragged: if pad { Ragged::Pad } else { Ragged::Refuse },
            ..dialect(columns)
        },
    )
}

fn same(text: &[u8], dialect: &Dialect) -> Result<(), TestCaseError> {
    let wanted = reference(text, dialect);
    let decoded = decode(text, dialect, &whole(text), 1 << 20);
    match &wanted {
        Ok(records) => prop_assert_eq!(decoded.as_ref(), Ok(records)),
        Err(kind) => {
            prop_assert!(decoded.as_ref().is_err_and(|e| e.contains(kind)), "{decoded:?}, not {kind}")
        }
    }
    let scanned = count(text, dialect, 1 << 20);
    if let Ok(records) = &wanted {
        let scan = scanned.clone();
        prop_assert_eq!(scan.map(|scan| scan.records), Ok(records.len() as u64));
    }
    if let Err(error) = &scanned {
        prop_assert!(decoded.is_err(), "the scan alone refused: {error}");
    }
    for read_bytes in [1, 2, 3, 7, 64, 4096] {
        prop_assert_eq!(&decode(text, dialect, &whole(text), read_bytes), &decoded);
        prop_assert_eq!(&count(text, dialect, read_bytes), &scanned);
    }
    Ok(())
}

proptest! {
    #[test]
    fn lines_that_are_no_records_are_counted(
        lines in prop::collection::vec(prop_oneof![Just(""), Just("a,b"), Just("\"x\n\",y"), Just("# c")], 0..200),
        end in prop_oneof![Just("\n"), Just("\r\n")],
        comments: bool,
    ) {
        let text: String = lines.iter().map(|line| format!("{line}{end}")).collect();
        let comment = comments.then(|| b"#".to_vec());
        let line_ending = if end == "\n" { LineEnding::Lf } else { LineEnding::CrLf };
        let dialect = Dialect { comment, line_ending, ragged: Ragged::Pad, ..dialect(2) };
        let is_passed = |line: &&&str| line.is_empty() || (comments && line.starts_with('#'));
        let passed = lines.iter().filter(is_passed).count();
        let found = scan(text.as_bytes(), &dialect, ScanOptions::default()).unwrap();
        prop_assert_eq!((found.passed_over, found.records), (passed as u64, (lines.len() - passed) as u64));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn decoder_and_scan_equal_the_reference(text in texts(), dialect in dialects()) {
        same(&text, &dialect)?;
    }

    #[test]
    fn decoder_and_scan_equal_the_reference_on_tables(text in tables(), dialect in dialects()) {
        same(&text, &Dialect { line_ending: LineEnding::Lf, ..dialect })?;
    }

    #[test]
    fn wrong_bytes_are_placed_alike(text in texts(), at in any::<prop::sample::Index>(), wrong in 0usize..3) {
        let mut text = text;
        let insert = [&b"\0"[..], b"\xff", b"\xe2\x82"][wrong];
        let at = at.index(text.len() + 1);
        text.splice(at..at, insert.iter().copied());
        let dialect = Dialect { ragged: Ragged::Pad, quote: None, ..dialect(1) };
        let dialect = Dialect { delimiter: 1, ..dialect };
        let scanned = count(&text, &dialect, 1 << 20).expect_err("a wrong byte is in it");
        prop_assert_eq!(decode(&text, &dialect, &whole(&text), 1 << 20), Err(scanned.clone()));
        for read_bytes in [1, 2, 3, 7, 64] {
            prop_assert_eq!(count(&text, &dialect, read_bytes), Err(scanned.clone()));
            prop_assert_eq!(decode(&text, &dialect, &whole(&text), read_bytes), Err(scanned.clone()));
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(
        table in (1usize..4).prop_flat_map(|columns| {
            let text = prop_oneof![
                Just(None),
                "[,;\"\r\n#a é\u{feff}\\\\]{0,6}".prop_map(Some),
                Just(Some("NA".to_owned())),
            ];
            prop::collection::vec(prop::collection::vec(text, columns), 0..12)
        }),
        token in prop::sample::select(vec!["", "NA"]),
        ending in prop::sample::select(vec![LineEnding::Lf, LineEnding::CrLf, LineEnding::Cr]),
        semicolon in any::<bool>(),
        comment in any::<bool>(),
    ) {
        let columns = table.first().map_or(1, Vec::len);
        let format = CsvFormat {
            delimiter: if semicolon { b';' } else { b',' },
            line_ending: ending,
            comment: comment.then(|| b"#a".to_vec()),
            header: false,
            ..CsvFormat::default()
        };
        let nulls = vec![token.as_bytes().to_vec(); columns];
        let mut writer = CsvWriter::new(format.clone(), nulls, true).expect("the format is sound");
        for record in &table {
            for field in record {
                let text = field.as_deref().unwrap_or_default();
                writer.field(text.as_bytes(), field.is_none()).expect("no NUL");
            }
            writer.end_record().expect("each record is whole");
        }
        let text = writer.take();
        prop_assert!(!text.starts_with(b"\xef\xbb\xbf"));
        let names = (0..columns).map(|n| n.to_string()).collect();
        let decoded = decode(&text, &format.dialect(names, 0), &whole(&text), 1 << 20).expect("it is sound");
        let back = |record: &Record| -> Vec<Option<String>> {
            let null = |f: &(Vec<u8>, bool)| !f.1 && f.0 == token.as_bytes();
            record.iter().map(|f| (!null(f)).then(|| String::from_utf8_lossy(&f.0).into_owned())).collect()
        };
        prop_assert_eq!(decoded.iter().map(back).collect::<Vec<_>>(), table);
    }

    #[test]
    fn set_aside_keeps_the_good_and_names_the_bad(text in texts(), columns in 1usize..3) {
        let dialect = dialect(columns);
        let options = ScanOptions { lenient: true, ..ScanOptions::default() };
        let scan = scan(&text[..], &dialect, options);
        let mut reader = RecordReader::new(&text[..], &dialect, &whole(&text), BadRecords::SetAside);
        let mut good = Vec::new();
        let outcome = loop {
            match reader.next_batch() {
                Ok(Some(batch)) => good.extend((0..batch.rows()).map(|row| batch.record_number(row))),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.to_string()),
            }
        };
        let rejects = reader.take_rejects();
        prop_assert_eq!(outcome.is_ok(), scan.is_ok(), "{:?}", outcome);
        if let Ok(scan) = scan {
            let mut numbers: Vec<u64> = good.into_iter().chain(rejects.iter().map(|r| r.record)).collect();
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (1..=scan.records).collect::<Vec<_>>());
        }
        for reject in rejects {
            let from = reject.byte as usize;
            prop_assert_eq!(&text[from..from + reject.bytes.len()], &reject.bytes[..]);
        }
    }
}

fn long_table(records: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for i in 0..records {
        text.extend_from_slice(format!("{i},\"a\n{}\"\n", i % 7).as_bytes());
        if i % 1_000 == 0 {
            text.extend_from_slice(b"\r\n\n");
        }
    }
    text
}

#[test]
fn marks_are_record_starts_and_parts_hold_all_records() {
    let records = 2 * CHUNK_ROWS as usize + 77;
    let text = long_table(records);
    let dialect = dialect(2);
    let scan = count(&text, &dialect, 1 << 20).expect("it is sound");
    assert_eq!(scan.records, records as u64);
    assert_eq!(scan.marks.len(), 3);
    for mark in &scan.marks {
        assert!(text[mark.byte as usize..].starts_with(format!("{},", mark.record).as_bytes()));
    }
    let all = decode(&text, &dialect, &whole(&text), 1 << 20).expect("it is sound");
    let parts = scan.parts(1);
    let apart: Vec<Record> =
        parts.iter().flat_map(|part| decode(&text, &dialect, part, 4096).expect("it is sound")).collect();
    assert_eq!(apart, all);
    assert_eq!(parts.iter().map(|part| part.records).sum::<u64>(), scan.records);
    assert_eq!(scan.parts(2).len(), 2);
    assert_eq!(scan.sample(2), [parts[0].clone(), parts[2].clone()]);
    assert_eq!(scan.sample(9), parts);
}

#[test]
fn batches_do_not_depend_on_reads() {
    let text = long_table(30_000);
    let sizes = |read_bytes: usize| {
        let dialect = dialect(2);
        let mut reader = RecordReader::new(&text[..], &dialect, &whole(&text), BadRecords::Fail);
        reader = reader.read_bytes(read_bytes);
        let mut sizes = Vec::new();
        while let Some(batch) = reader.next_batch().expect("it is sound") {
            sizes.push((batch.rows(), batch.record_number(0), batch.record_byte(0)));
        }
        sizes
    };
    assert_eq!(sizes(1 << 20), sizes(1_000));
    assert_eq!(sizes(1 << 20), sizes(70_001));
}

#[test]
fn errors_name_record_and_byte() {
    let cases: [(&[u8], &str); 7] = [
        (b"1,2\n3\n", "record 2, byte 4: malformed CSV: 1 field where 2 are expected"),
        (b"1,2\n3,4,5\n", "record 2, byte 4: malformed CSV: 3 fields where 2 are expected"),
        (b"1,2\n3,\"4\n", "record 2, byte 6: malformed CSV: the quoted field that begins here is not closed"),
        (b"1,\"2\"x\n", "record 1, byte 5: malformed CSV: text follows a closing quote"),
        (b"1,2\n\xff,4\n", "record 2, byte 4: malformed CSV: invalid UTF-8"),
        (b"1,2\n3,\0\n", "record 2, byte 6: malformed CSV: NUL byte"),
        (b"1,2\n3,\xc3", "record 2, byte 6: malformed CSV: invalid UTF-8"),
    ];
    for (text, wanted) in cases {
        let error = decode(text, &dialect(2), &whole(text), 1 << 20).expect_err("it is malformed");
        assert!(error.starts_with(wanted), "{error}\nnot\n{wanted}");
        if !wanted.contains("expected") {
            assert_eq!(count(text, &dialect(2), 1 << 20), Err(error));
        }
    }
}

#[test]
fn long_records_are_a_limit_in_scan_and_decoder_alike() {
    for (length, fits) in [(99, true), (100, true), (101, false), (500, false)] {
        for ending in ["\n", ""] {
            let text = format!("a\n{}{ending}", "x".repeat(length));
            let dialect = dialect(1);
            let options = ScanOptions { record_bytes_max: 100, ..ScanOptions::default() };
            let scanned = scan(text.as_bytes(), &dialect, options).map(|scan| scan.records);
            let mut reader =
                RecordReader::new(text.as_bytes(), &dialect, &whole(text.as_bytes()), BadRecords::Fail)
                    .record_bytes_max(100)
                    .read_bytes(7);
            let decoded = reader.next_batch().map(|batch| batch.map_or(0, |batch| batch.rows() as u64));
            assert_eq!(decoded.is_ok(), fits, "{length} {ending:?}");
            assert_eq!(
                decoded.map_err(|error| error.to_string()),
                scanned.map_err(|error| error.to_string())
            );
        }
    }
}

#[test]
fn the_longest_record_is_told_where_it_is_long() {
    let (dialect, long) = (dialect(1), "x".repeat(2 << 20));
    for read_bytes in [1 << 20, 777] {
        let longest = |text: String| {
            let options = ScanOptions { read_bytes, ..ScanOptions::default() };
            scan(text.as_bytes(), &dialect, options).expect("the text is sound").longest
        };
        assert_eq!(longest("a\nbc\n".repeat(1_000)), 0);
        for text in [format!("{long}\na\n"), format!("a\n{long}\nb\n"), format!("a\n{long}")] {
            assert_eq!(longest(text), 2 << 20);
        }
        assert_eq!(longest(format!("a\n\"{long}\n{long}\"\n{long}\nb\n")), (4 << 20) + 3);
    }
}

#[test]
fn wrong_bytes_set_aside_only_their_records() {
    let text = b"1,\"a\"\"b\"\n2,\xff\n3\n4,\"c\"\"d\"\n5,\0\n6,z\n";
    let dialect = dialect(2);
    let mut reader = RecordReader::new(&text[..], &dialect, &whole(text), BadRecords::SetAside);
    let batch = reader.next_batch().expect("bad records are set aside").expect("good ones are left");
    let column: Vec<&[u8]> = batch.column(1).map(|field| field.bytes).collect();
    assert_eq!(column, [&b"a\"b"[..], b"c\"d", b"z"]);
    assert_eq!((0..3).map(|row| batch.record_number(row)).collect::<Vec<_>>(), [1, 4, 6]);
    let mut rejects: Vec<_> = reader.take_rejects().into_iter().map(|r| (r.record, r.bytes)).collect();
    rejects.sort();
    assert_eq!(rejects, [(2, b"2,\xff".to_vec()), (3, b"3".to_vec()), (5, b"5,\0".to_vec())]);
}

#[test]
fn writer_refuses_what_could_not_be_read_back() {
    let two = vec![Vec::new(), Vec::new()];
    let mut writer = CsvWriter::new(CsvFormat::default(), two.clone(), true).expect("the format is sound");
    assert!(matches!(writer.field(b"a\0", false), Err(crate::Error::Unsupported { .. })));
    assert!(matches!(writer.end_record(), Err(crate::Error::Misuse(_))));
    assert!(CsvWriter::new(CsvFormat::default(), vec![b"a,b".to_vec()], true).is_err());
    assert!(CsvWriter::new(CsvFormat { quote: b',', ..CsvFormat::default() }, two, true).is_err());
    let mut writer = CsvWriter::new(CsvFormat::tsv(), vec![b"NA".to_vec(); 2], true).expect("it is sound");
    writer.header(&["\u{feff}a", "b,c"]).expect("two names");
    writer.field(b"NA", false).and_then(|()| writer.field(b"", true)).expect("two fields");
    writer.end_record().expect("two fields");
    writer.field(b"", false).and_then(|()| writer.field(b"7", false)).expect("two fields");
    writer.end_record().expect("two fields");
    let long = "x".repeat(crate::limits::RECORD_BYTES_MAX - 1);
    let mut full = CsvWriter::new(CsvFormat::default(), vec![Vec::new(); 2], false).expect("it is sound");
    full.field(long.as_bytes(), false).and_then(|()| full.field(b"", true)).expect("two fields");
    full.end_record().expect("as long as a scan takes");
    full.field(long.as_bytes(), false).and_then(|()| full.field(b"1", false)).expect("two fields");
    assert!(matches!(full.end_record(), Err(crate::Error::Limit { .. })));
    assert_eq!(writer.take(), "\"\u{feff}a\"\tb,c\n\"NA\"\tNA\n\"\"\t7\n".as_bytes());
}
