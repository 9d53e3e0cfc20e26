//! Tables of texts and the dialects that a person would read in them.

use super::*;
use crate::csv::Above;

fn found(text: &str) -> Dialect {
    detect(text.as_bytes(), &CsvOptions::default(), None).expect("it is readable")
}

fn names(dialect: &Dialect) -> Vec<&str> {
    dialect.names.iter().map(|name| name.name.as_str()).collect()
}

#[test]
fn delimiters_are_found() {
    let cases: [(&str, u8, usize); 17] = [
        ("a,b,c\n1,2,3\n", b',', 3),
        ("a;b;c\n1;2;3\n", b';', 3),
        ("a\tb\tc\n1\t2\t3\n", b'\t', 3),
        ("a|b|c\n1|2|3\n", b'|', 3),
        ("a;b\n1,5;2,5\n3,25;4,0\n", b';', 2),
        ("1,5;2,5\n3,25;4,0\n", b';', 2),
        ("1,5\t2,5\n3,25\t4,0\n", b'\t', 2),
        ("id,tags\n1,x;y\n2,z;w\n", b',', 2),
        ("name;text\nx;\"a, b; c\"\ny;\"d, e\"\n", b';', 2),
        ("name,text\nx,\"a; b\"\ny,\"c\nd\"\n", b',', 2),
        ("word\nhello\nworld\n", b',', 1),
        ("a,b\n1,2\n3\n", b',', 2),
        ("a;b;c\n1;2;3\n1;2\n", b';', 3),
        ("a,b", b',', 2),
        ("\"a\";\"b\"\n\"1,2\";\"3\"\n", b';', 2),
        ("a|b\n1,2|3\n4|5\n", b'|', 2),
        ("\n\na;b\n1;2\n", b';', 2),
    ];
    for (text, delimiter, columns) in cases {
        let dialect = found(text);
        let got = (char::from(dialect.delimiter), dialect.columns());
        assert_eq!(got, (char::from(delimiter), columns), "{text:?}: {:?}", dialect.why);
    }
}

#[test]
fn a_choice_among_several_is_the_default_and_is_reported() {
    let dialect = found("a,b;c\nx,y;z\n");
    assert_eq!(dialect.delimiter, b',');
    assert_eq!(dialect.also_fits, b";");
    assert!(dialect.why[0].contains("';' would fit as well"), "{:?}", dialect.why);
    let proposed =
        detect(&b"a,b\tc\nx,y\tz\n"[..], &CsvOptions::default(), Some(b'\t')).expect("it is readable");
    assert_eq!((proposed.delimiter, &proposed.also_fits[..]), (b'\t', &b","[..]));
    assert!(found("a,b\n1,2\n").also_fits.is_empty());
}

#[test]
fn headers_are_told_from_records() {
    let cases = [
        ("a,b\n1,2\n", true),
        ("a,b\nx,y\n", true),
        ("1,2\n3,4\n", false),
        ("x,2\ny,4\n", false),
        ("2024-01-05,x\n2024-01-06,y\n", false),
        ("true,x\nfalse,y\n", false),
        (",a,b\n0,x,1\n", true),
        ("a,,b\nx,y,1\n", true),
        ("a,,b\nx,y,z\n", false),
        ("yes,no\nno,no\nyes,x\n", false),
        ("a,a\n1,2\n", true),
        ("a,b\n", true),
        ("1,2\n", false),
        ("2024-01-01,2,foo", false),
        ("x,12:30\n", false),
        (",\n", false),
        ("a,\n", true),
        ("apple\npear\napple\n", false),
        ("word\npear\n", true),
        (",\n1,2\n", false),
        ("id,price\n\"1\",\"-2.5e3\"\n", true),
        ("1st,2nd\nx,y\n", true),
        ("country,\"2019\"\nUS,1\n", true),
        ("country,\"2019\"\nUS,\"1\"\n", false),
        ("country,\"2019\"\nUS,\"a,b\"\n", true),
        ("\"2019\",5\n1,2\n", false),
        ("\"2019\",\"5\"\n", false),
        ("\"word\",\"b\"\nword,q\npear,r\n", true),
        ("\"word\",b\n\"word\",q\npear,r\n", false),
    ];
    for (text, header) in cases {
        let dialect = found(text);
        assert_eq!(dialect.header, header, "{text:?}: {:?}", dialect.why);
        assert_eq!(dialect.data_start > 0, header, "{text:?}");
    }
}

#[test]
fn line_endings_are_found() {
    let cases = [
        ("a,b\n1,2\n", LineEnding::Lf),
        ("a,b\r\n1,2\r\n", LineEnding::CrLf),
        ("a,b\r1,2\r", LineEnding::Cr),
        ("a,b\r1,\"2\n3\"\r", LineEnding::Cr),
        ("a,\"x\ry\"\n1,2\n", LineEnding::Lf),
        ("a,\"x\ny\"\r\n1,2\r\n", LineEnding::CrLf),
        ("a,x\ry\n1,2\n", LineEnding::Lf),
        ("a,5\" pipe\n1,2\n", LineEnding::Lf),
        ("a,b", LineEnding::Lf),
    ];
    for (text, ending) in cases {
        assert_eq!(found(text).line_ending, ending, "{text:?}");
    }
    assert_eq!(names(&found("a,b\r1,2\r")), ["a", "b"]);
}

#[test]
fn options_are_obeyed() {
    let text = b"# made by hand\n\nx-y\n1-'2''-'\n";
    let options = CsvOptions {
        delimiter: Some(b'-'),
        quote: Some(Some(b'\'')),
        skip_lines: Some(1),
        header: Some(true),
        ..CsvOptions::default()
    };
    let dialect = detect(&text[..], &options, None).expect("it is readable");
    assert_eq!(names(&dialect), ["x", "y"]);
    assert_eq!(&text[dialect.data_start as usize..], b"1-'2''-'\n");
    let options = CsvOptions { comment: Some(b"#".to_vec()), header: Some(false), ..CsvOptions::default() };
    let dialect = detect(&b"# a,b,c\n1,2\n"[..], &options, Some(b'\t')).expect("it is readable");
    assert_eq!((names(&dialect), dialect.delimiter), (vec!["column_1", "column_2"], b','));
    let options = CsvOptions { quote: Some(None), ..CsvOptions::default() };
    assert_eq!(names(&detect(&b"\"a,b\n"[..], &options, None).expect("it is readable")), ["\"a", "b"]);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let refused = |text: &[u8], options: CsvOptions| {
        detect(text, &options, None).expect_err("it is refused").to_string()
    };
    for text in [&b""[..], b"\n\n", b"\r\n"] {
        assert!(refused(text, CsvOptions::default()).contains("no record"));
    }
    assert!(refused(b"a,\"b\n1,2\n", CsvOptions::default()).contains("not closed"));
    assert!(refused(b"a,\xff\n1,2\n", CsvOptions::default()).contains("UTF-8"));
    assert!(refused(b"a\0,\0b\0\n\0", CsvOptions::default()).contains("NUL"));
    let wide = ",".repeat(COLUMNS_MAX) + "\n";
    assert!(refused(wide.as_bytes(), CsvOptions::default()).contains("count of columns"));
    let options = CsvOptions { skip_lines: Some(5), ..CsvOptions::default() };
    assert!(refused(b"a\nb\n", options).contains("no record"));
    for options in [
        CsvOptions { delimiter: Some(b'"'), ..CsvOptions::default() },
        CsvOptions { delimiter: Some(b'\n'), ..CsvOptions::default() },
        CsvOptions { escape: Some(b'"'), ..CsvOptions::default() },
        CsvOptions { comment: Some(Vec::new()), ..CsvOptions::default() },
        CsvOptions { delimiter: Some(0xa7), ..CsvOptions::default() },
    ] {
        assert!(matches!(detect(&b"a,b\n"[..], &options, None), Err(Error::Misuse(_))));
    }
}

#[test]
fn headers_longer_than_the_sample_are_read() {
    let count = 60_000;
    let header: Vec<String> = (0..count).map(|i| format!("name{i}")).collect();
    let text = header.join(";") + "\n" + &vec!["1"; count].join(";") + "\n";
    assert!(text.len() > 2 * SAMPLE_BYTES);
    let dialect = found(&text);
    assert_eq!((dialect.delimiter, dialect.columns(), dialect.header), (b';', count, true));
}

/// A first line for spreadsheet programs names the delimiter, and is no record.
#[test]
fn a_first_line_names_the_delimiter() {
    let cases = [
        ("sep=;\r\nid;v\r\n1;2,5\r\n", b';'),
        ("SEP=,\nid,v\n1,2\n", b','),
        ("Sep=\t\rid\tv\r1\t2\r", b'\t'),
        ("sep=^\nid^v\n1^2\n", b'^'),
        ("sep=;\nid;v\n1;a,b\n2;a,b,c\n", b';'),
        ("sep=;\n\nid;v\n1;2\n", b';'),
    ];
    for (text, delimiter) in cases {
        let dialect = found(text);
        assert_eq!((dialect.delimiter, dialect.skip_lines, dialect.header), (delimiter, 1, true), "{text:?}");
        assert_eq!(names(&dialect), ["id", "v"], "{text:?}");
        assert!(dialect.why[0].contains("is left out: it names the delimiter"), "{:?}", dialect.why);
        // Said in words, it is the same.
        let options = CsvOptions { delimiter: Some(delimiter), skip_lines: Some(1), ..CsvOptions::default() };
        let said = detect(text.as_bytes(), &options, None).expect("it is readable");
        assert_eq!(said, Dialect { why: said.why.clone(), ..dialect }, "{text:?}");
    }
    let options = CsvOptions { delimiter: Some(b','), header: Some(false), ..CsvOptions::default() };
    let dialect = detect(&b"sep=;\na,b\n"[..], &options, None).expect("it is readable");
    assert_eq!((dialect.delimiter, dialect.columns(), dialect.data_start), (b',', 2, 6));
    assert!(
        dialect.why[0].contains("but another one is given; --skip-lines 0 keeps it"),
        "{:?}",
        dialect.why
    );
    // Whoever says that no line is skipped keeps it.
    let options = CsvOptions { header: Some(false), skip_lines: Some(0), ..CsvOptions::default() };
    let dialect = detect(&b"sep=;\ndec=,\nenc=x\n"[..], &options, None).expect("it is readable");
    assert_eq!((dialect.skip_lines, dialect.data_start), (0, 0));
}

/// It is one of two names of columns.
#[test]
fn a_first_line_in_which_the_given_delimiter_stands_is_a_record() {
    let options = CsvOptions { delimiter: Some(b'='), ..CsvOptions::default() };
    let dialect = detect(&b"sep=;\n1=2\n"[..], &options, None).expect("it is readable");
    assert_eq!((dialect.skip_lines, dialect.columns()), (0, 2));
    let names: Vec<_> = dialect.names.iter().map(|name| name.name.as_str()).collect();
    assert_eq!(names, ["sep", ";"]);
}

/// Lines that are only like it are records.
#[test]
fn other_first_lines_name_no_delimiter() {
    let texts = [
        "sep=\na\n",
        "sep=;;\na\n",
        "sep=a\nsep=b\n",
        "sep=1\na\n",
        "sep=\"\na\n",
        "\"sep=;\"\na\n",
        " sep=;\na\n",
        "sep=;x\na\n",
        "sep=§\na\n",
        "\nsep=;\na\n",
        "sep\na\n",
        "se",
        "sepa;\na\n",
    ];
    for text in texts {
        let options = CsvOptions { header: Some(false), ..CsvOptions::default() };
        let dialect = detect(text.as_bytes(), &options, None).expect("it is readable");
        assert_eq!((dialect.skip_lines, dialect.data_start), (0, 0), "{text:?}");
    }
    assert!(
        detect(&b"sep=;"[..], &CsvOptions::default(), None)
            .expect_err("no table")
            .to_string()
            .contains("no record")
    );
}

/// Lines above a table are told with the option that leaves them out, which works.
#[test]
fn lines_above_a_table_are_told() {
    let cases = [
        ("# hello\n# more\na,b\n1,2\n", Some(Above::Comments("#"))),
        ("// x\na;b\n1;2\n", Some(Above::Comments("//"))),
        ("Report 2024\n\na,b\n1,2\n3,4\n", Some(Above::Lines(2))),
        ("Report\nof, June\na,b,c\n1,2,3\n", Some(Above::Lines(2))),
        ("#x\n#a,b\n1,2\n3,4\n", Some(Above::Lines(1))),
        ("a,b\n1,2\n", None),
        ("a\n1\n2,3\n", None),
        ("a,b\n1,2\n3\n", None),
        ("a,b,c\n1,2\n3,4\n", None),
    ];
    for (text, above) in cases {
        let dialect = found(text);
        let told = dialect.why.iter().any(|why| why.contains("leaves"));
        assert_eq!(told, above.is_some(), "{text:?}: {:?}", dialect.why);
        if dialect.delimiter == b',' && !text.contains(';') {
            assert_eq!(dialect.above, above, "{text:?}");
        }
        let Some(above) = above else { continue };
        let options = match above {
            Above::Comments(mark) => CsvOptions { comment: Some(mark.into()), ..CsvOptions::default() },
            Above::Lines(lines) => CsvOptions { skip_lines: Some(lines), ..CsvOptions::default() },
        };
        let dialect = detect(text.as_bytes(), &options, None).expect("it is readable");
        assert!(dialect.columns() >= 2 && dialect.header, "{text:?}: {:?}", dialect.why);
    }
}

/// Records that are longer than the bytes read at first are judged by all of them, and notes are true.
#[test]
fn long_records_are_judged_by_more_than_their_beginning() {
    let long = "text ".repeat(SAMPLE_BYTES / 5);
    let row = |name: &str, value: &str| format!("{name};{value};\"{long}\"\n");
    let without: String = (0..5).map(|i| row(&i.to_string(), "x")).collect();
    let dialect = found(&without);
    let got = (dialect.delimiter, dialect.columns(), dialect.header);
    assert_eq!(got, (b';', 3, false), "{:?}", dialect.why);
    assert_eq!(dialect.why[0], "delimiter ';': each of the first 5 records has 3 fields");
    // No field of the first record is a value, but one comes again below it.
    let words: String = ["a", "b", "a"].iter().map(|name| row(name, "x")).collect();
    let dialect = found(&words);
    assert!(!dialect.header, "{:?}", dialect.why);
    let named = found(&(row("id", "x") + &row("1", "x") + &row("2", "x")));
    assert!(named.header, "{:?}", named.why);
    let only = found(&row("id", "x"));
    assert_eq!(
        only.why,
        ["delimiter ';': the first record has 3 fields", "header: there is only one record"]
    );
}

/// What a long second record would say is not asked for, and the note says so.
#[test]
fn a_second_record_without_an_end_in_sight_is_not_read() {
    let text = format!("a,b\n1,{}", "x".repeat(17 << 20));
    let dialect = found(&text);
    let bytes = 16 << 20;
    let default = format!("header: the default, since the first {bytes} bytes hold no other record");
    assert_eq!(dialect.why, [&default[..]]);
    assert_eq!(dialect.plain, ["delimiter ',': the first record has 2 fields"]);
}

#[test]
fn what_anybody_would_say_is_told_apart_from_what_was_chosen() {
    let told = |text: &str, proposed: Option<u8>| {
        let dialect = detect(text.as_bytes(), &CsvOptions::default(), proposed).unwrap();
        (dialect.plain.len(), dialect.why)
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(told("a,b\n1,2\n", None), (2, none.clone()));
    assert_eq!(told("a\tb\n1\t2\n", Some(b'\t')), (2, none));
    for (text, proposed, plain, why) in [
        ("a;b\n1;2\n", None, 1, "delimiter ';'"),
        ("a,b\n1,2\n", Some(b'\t'), 1, "delimiter ','"),
        ("a,b;c\n1,2;3\n", None, 1, "would fit as well"),
        ("a\n1\n", None, 1, "one column"),
        ("a,b\nx,y\n", None, 1, "header: the default"),
        ("1,b\n2,y\n", None, 1, "no header"),
        ("a,b\n", None, 1, "only one record"),
        ("\"2020\",b\n1,y\n", None, 1, "is quoted"),
    ] {
        let (found, told) = told(text, proposed);
        assert!(found == plain && told.len() == 1 && told[0].contains(why), "{text:?}: {told:?}");
    }
}

#[test]
fn a_delimiter_that_cuts_quotes_open_is_none_where_another_fits() {
    let dialect = found("id;\"Preis, EUR\"\n1;1,50\n2;2,25\n");
    assert_eq!((dialect.delimiter, names(&dialect)), (b';', vec!["id", "Preis, EUR"]));
    // A quote inside of a field is only text where no delimiter keeps it whole.
    assert_eq!(found("a,b \"c\"\n1,2\n").delimiter, b',');
}
