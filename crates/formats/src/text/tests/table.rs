//! Columns as data: fields, and the typing that a person would agree with.

use super::{content, format, parse, resolve};
use crate::text::{DateOrder, DecimalMarks, Mode, TypingOptions, type_name};

/// Fields, separated by `|`; the name of the type; a part of the style in its debug form.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("1|2|3", "int64", "Integer"),
    ("1||3", "int64", "null: None"),
    ("1|2|NA", "int64", "null: Some(\"NA\")"),
    ("NA|NA", "text", "Empty"),
    ("||", "text", "Empty"),
    ("\"5\"|6", "int64", "Integer"),
    ("\"\"|6", "text", "Text"),
    ("1|NA|", "text", "Text"),
    ("1|NA|NULL", "text", "Text"),
    ("\"NA\"|1", "text", "Text"),
    ("NA|x|", "text", "null: None"),
    ("-9223372036854775808|9223372036854775807", "int64", "Integer"),
    ("9223372036854775808|0", "uint64", "Integer"),
    ("12345678901234567890|1", "uint64", "Integer"),
    ("18446744073709551615", "uint64", "Integer"),
    ("18446744073709551616", "decimal128(38, 0)", "Integer"),
    ("9223372036854775808|-1", "decimal128(38, 0)", "Integer"),
    ("123456789012345678901234567890123456789", "decimal256(76, 0)", "Integer"),
    ("007|1", "text", "Text"),
    ("+5|1", "text", "Text"),
    ("-0|1", "text", "Text"),
    ("1,234|5", "text", "Text"),
    ("12.50|3.00", "decimal128(18, 2)", "Decimal"),
    ("-0.05|3.00|NA", "decimal128(18, 2)", "null: Some(\"NA\")"),
    ("-0.00|3.00", "text", "Text"),
    ("1234567890123456789.5|0.1", "decimal128(38, 1)", "Decimal"),
    ("0.1|0.25", "float64", "point_zero: false"),
    ("1|0.25", "float64", "point_zero: false"),
    ("1.0|0.25", "float64", "point_zero: true"),
    ("1.10|2.5", "float64", "row: 0, text: \"1.10\""),
    ("1.10|2.5|1.20", "text", "Text"),
    ("1.10|2.50|1.2", "text", "Text"),
    ("1.5|1e-05|2.25", "float64", "exponent: Python"),
    ("1.5|1e-7|2.25", "float64", "exponent: JavaScript"),
    ("1.5|1e16|2.25", "float64", "exponent: Short"),
    ("1.5|0.00000001|2.25", "float64", "exponent: Plain"),
    ("1.5|1.0E7|1.0E-4", "float64", "point_zero: true, exponent: Java"),
    ("1.5|1E7|1E-4|9999999", "float64", "point_zero: false, exponent: Java"),
    ("-0.0|1E-10", "float64", "point_zero: true, exponent: DotNet"),
    ("-0.0|1.5E-5", "float64", "point_zero: true, exponent: Java"),
    ("1.5|1E7|12345678", "float64", "row: 1, text: \"1E7\""),
    ("1.5|1e+05|123456|1.5e-10|0.00012", "float64", "exponent: R"),
    ("100001|1e+05|0.5", "float64", "exponent: R"),
    ("1.5|1E+15|1E-05|100000000000000", "float64", "exponent: DotNet"),
    ("1.50e+03|-2.00e-10|nan|0.00e+00", "float64", "digits: 2, upper: false"),
    ("1.5E+03|-2.0E-100||INF", "float64", "digits: 1, upper: true"),
    ("1e+03|2e-10", "float64", "digits: 0, upper: false"),
    ("1.000000000000000056e-01|1.000000000000000000e+00", "float64", "digits: 18, upper: false"),
    ("1.000000000000000050e-01|1.000000000000000000e+00", "text", "Text"),
    ("1.50e+03|2.0e+03|3.00e+03", "text", "Text"),
    ("1.50e+03|2.00E+03|3.000e+03", "text", "Text"),
    ("1e5|2e5|3.5e-7", "float64", "exponent: Always"),
    ("1.5e0|-1e-10|0e0||inf", "float64", "exponent: Always"),
    ("1e-7|1e-8", "float64", "exponent: JavaScript"),
    ("1e3|1", "float64", "row: 0, text: \"1e3\""),
    ("1|1E3|2.5", "float64", "row: 1, text: \"1E3\""),
    ("1|1e3|007", "text", "Text"),
    ("1|1e3|12345678901234567", "text", "Text"),
    ("1.5|1e-999", "text", "Text"),
    ("1.5|3.14159265358979323846", "text", "Text"),
    ("1.5|nan|2.25", "float64", "nan: 0"),
    ("1.5|NaN|-Infinity", "float64", "nan: 1, infinity: 1"),
    ("1.5|NaN|nan", "float64", "row: 1, text: \"NaN\""),
    ("1.5|NaN|nan|2.50", "text", "Text"),
    ("0.1|0.30000000000000004", "float64", "Python"),
    ("0.1|0.30000000000000005", "float64", "text: \"0.30000000000000005\""),
    ("true|false|", "bool", "words: 0"),
    ("True|False", "bool", "words: 1"),
    ("TRUE|FALSE|NA", "bool", "words: 2"),
    ("true|False", "bool", "words: 0"),
    ("false|TRUE|TRUE", "bool", "row: 0, text: \"false\""),
    ("true|False|TRUE", "text", "Text"),
    ("2020-01-31|2024-02-29", "date", "YmdDash"),
    ("2020-01-31|2023-02-29", "text", "Text"),
    ("31/01/2020|01/02/2020", "date", "DmySlash"),
    ("01/31/2020|01/02/2020", "date", "MdySlash"),
    ("01/02/2020|03/04/2020", "text", "Ambiguous(Date(DmySlash))"),
    ("31-12-2020|01-02-2020", "date", "DmyDash"),
    ("01-02-2020|12-31-2020|NA", "date", "MdyDash"),
    ("01/02/2020|03/04/2020|", "text", "Ambiguous(Date(DmySlash))"),
    ("01/02/2020|NA|03/04/2020", "text", "null: None"),
    ("NA|01/02/2015 01:00", "text", "null: None"),
    ("1/5/2024|NA", "text", "null: None"),
    ("01-02-2020|03-04-2020", "text", "Ambiguous(Date(DmyDash))"),
    ("01-31-2020|31-01-2020", "text", "Text"),
    ("31-12-2020|31/12/2020", "text", "Text"),
    ("01/02/2020|01-02-2020", "text", "Text"),
    ("31.12.2020|31-12-2020", "text", "Text"),
    ("31-12-2020|2020-12-31", "text", "Text"),
    ("31-12-20", "text", "Text"),
    ("30-02-2020", "text", "Text"),
    ("01/31/2020|31/01/2020", "text", "Text"),
    ("31.01.2020|-", "date", "DmyDot"),
    ("2020/01/31", "date", "YmdSlash"),
    ("2020.01.31|NA|1999.12.31", "date", "YmdDot"),
    ("2020.10.11|2020.12.31", "date", "Date(YmdDot)"),
    ("2020.01.31|2020/01/31", "text", "Text"),
    ("2020.11.12|31.01.2020", "text", "Text"),
    ("2020.01.31|2020-01-31", "text", "Text"),
    ("2020.02.30", "text", "Text"),
    ("1500.01.31", "text", "Text"),
    ("2020.01|2020.12", "decimal128(18, 2)", "Decimal"),
    ("2020.1.5|2020.12.31", "text", "Text"),
    ("2020.11.12|2020.1.5", "text", "Text"),
    ("2023.3.2|2023.1.10", "text", "Text"),
    ("10.20.30.40|192.168.0.1", "text", "Text"),
    ("2020.10.11.1", "text", "Text"),
    ("20200131", "int64", "Integer"),
    ("23:59:59|00:00:00", "time[us]", "fraction: 0"),
    ("23:59:59.123|00:00:00.000", "time[us]", "fraction: 3"),
    ("23:59:59.1234567", "time[ns]", "fraction: 7"),
    ("10:00|23:59", "time[us]", "seconds: false, fraction: 0"),
    ("10:00||NA", "text", "Text"),
    ("10:00|23:59:00", "text", "Text"),
    ("10:00|24:00", "text", "Text"),
    ("23:59:60", "text", "Text"),
    ("10:00 AM|12:30 PM|NA", "time[us]", "seconds: false, padded: true, space: true, upper: true"),
    ("09:05 am|10:00 pm", "time[us]", "seconds: false, padded: true, space: true, upper: false"),
    ("10:00 AM|9:05 PM|12:00 AM", "time[us]", "seconds: false, padded: false, space: true, upper: true"),
    ("10:05:33PM|1:00:00AM", "time[us]", "seconds: true, padded: false, space: false, upper: true"),
    ("9:05 AM|09:05 AM", "text", "Text"),
    ("9:05 AM|9:05 pm", "text", "Text"),
    ("9:05 AM|9:05PM", "text", "Text"),
    ("9:05 AM|9:05:00 AM", "text", "Text"),
    ("9:05 AM|21:05", "text", "Text"),
    ("13:00 PM", "text", "Text"),
    ("0:30 AM", "text", "Text"),
    ("00:30 AM", "text", "Text"),
    ("1/5/2024|12/25/2024", "date", "Numbers(MdySlash), padded: false, clock: None"),
    ("25/12/2024|1/5/2024|NA", "date", "Numbers(DmySlash), padded: false, clock: None"),
    ("5.1.2024|31.12.2024", "date", "Numbers(DmyDot), padded: false"),
    ("31-12-2024|5-1-2024", "date", "Numbers(DmyDash), padded: false"),
    ("12-31-2024|5-1-2024", "date", "Numbers(MdyDash), padded: false"),
    ("2024/1/5|2024/12/31", "date", "Numbers(YmdSlash), padded: false"),
    ("2024-12-31|2024-1-5", "date", "Numbers(YmdDash), padded: false"),
    ("12/25/2024|11/30/2024", "date", "Date(MdySlash)"),
    ("12/25/2024|01/05/2024", "date", "Date(MdySlash)"),
    ("2024-12-31|2024-11-30", "date", "Date(YmdDash)"),
    (
        "1/5/2024|3/4/2024",
        "text",
        "Ambiguous(Written(WrittenPattern { date: Numbers(DmySlash), padded: false",
    ),
    ("10/11/2024|3/4/2024", "text", "Ambiguous(Written("),
    ("10/11/2024|03/04/2024", "text", "Ambiguous(Date(DmySlash))"),
    ("1/5/2024|01/25/2024", "text", "Text"),
    ("1/25/2024|25/1/2024", "text", "Text"),
    ("1/25/2024|1-25-2024", "text", "Text"),
    ("1/25/2024|2024/1/25", "text", "Text"),
    ("1/25/2024|1/25/2024 9:05", "text", "Text"),
    ("1/05/2024|12/25/2024", "text", "Text"),
    ("1/8/90|12/25/90", "text", "Text"),
    ("2/30/2024", "text", "Text"),
    ("1.5.2024|1.5", "text", "Text"),
    (
        "1/5/2024 9:05|12/25/2024 23:59",
        "timestamp[us]",
        "Numbers(MdySlash), padded: false, clock: Some(Day { padded: false, seconds: false, fraction: 0 })",
    ),
    (
        "1/15/2024 09:05:00.250|12/25/2024 23:59:00.000",
        "timestamp[us]",
        "padded: false, clock: Some(Day { padded: true, seconds: true, fraction: 3 })",
    ),
    ("1/15/2024 23:59:59.1234567", "timestamp[ns]", "padded: true, seconds: true, fraction: 7"),
    ("01/15/2024 9:05|12/25/2024 23:59", "timestamp[us]", "padded: true, clock: Some(Day { padded: false"),
    ("2024-11-15 0:05:00|2024-01-05 10:05:00", "timestamp[us]", "YmdDash), padded: true, clock: Some(Day"),
    ("12/25/2024 23:59|12/26/2024 22:00", "timestamp[us]", "Timestamp(TimestampPattern { date: MdySlash"),
    (
        "1/5/2024 3:45 PM|12/25/2024 12:00 AM",
        "timestamp[us]",
        "clock: Some(Half(HalfDayPattern { seconds: false, padded: false, space: true, upper: true }))",
    ),
    ("2024-01-05 03:45:10 PM|2024-01-05 11:00:00 AM", "timestamp[us]", "seconds: true, padded: true"),
    ("01/25/2024 3:45pm|01/05/2024 12:00am", "timestamp[us]", "space: false, upper: false"),
    ("1/2/2020 9:05 AM", "text", "Ambiguous(Written("),
    ("1/2/2020 9:05 AM|1/25/2020 09:05 AM", "text", "Text"),
    ("1/2/2020 9:05 AM|1/25/2020 9:05 am", "text", "Text"),
    ("1/25/2020 9:05 AM|1/25/2020 21:05", "text", "Text"),
    ("1/25/2020 9:05|1/25/2020 09:05", "text", "Text"),
    ("1/25/2020 9:05|1/25/2020 9:05:00", "text", "Text"),
    ("1/25/2020T9:05", "text", "Text"),
    ("1/25/2020 9:05Z", "text", "Text"),
    ("Jan 1 2000|Feb 1 2000|", "date", "layout: MonthFirst, full: false, upper: false }), padded: false"),
    (
        "Jan 01, 2024|May 25, 2024",
        "date",
        "layout: MonthFirstComma, full: false, upper: false }), padded: true",
    ),
    ("May 25, 2024|January 5, 2024", "date", "MonthFirstComma, full: true, upper: false }), padded: false"),
    ("5 Jan 2024|25 Dec 2024|NA", "date", "DayFirst, full: false, upper: false }), padded: false"),
    ("05-Jan-2024|25-May-2024", "date", "DayFirstDash, full: false, upper: false }), padded: true"),
    ("05-JAN-2024|25-MAY-2024", "date", "DayFirstDash, full: false, upper: true }), padded: true"),
    ("25-MAY-2024|26-MAY-2024", "date", "DayFirstDash, full: false, upper: true }), padded: true"),
    (
        "Jan 5, 2024 3:45 PM|May 25, 2024 12:00 AM",
        "timestamp[us]",
        "full: false, upper: false }), padded: false, clock: Some(Half(",
    ),
    ("05-Jan-2024 09:05:00", "timestamp[us]", "padded: true, clock: Some(Day { padded: true, seconds: true"),
    ("Jan 5 2024|January 6 2024", "text", "Text"),
    ("Jan 5 2024|Jan 06 2024", "text", "Text"),
    ("Jan 5 2024|JAN 6 2024", "text", "Text"),
    ("Jan 5 2024|Jan 6, 2024", "text", "Text"),
    ("5 Jan 2024|Jan 6 2024", "text", "Text"),
    ("5 Jan 2024|5-Jan-2024", "text", "Text"),
    ("5-Jan-24", "text", "Text"),
    ("Feb 30 2024", "text", "Text"),
    ("Sept 5 2024", "text", "Text"),
    (
        "2020-01-31 23:59:59",
        "timestamp[us]",
        "t: false, seconds: true, fraction: 0, trimmed: false, zone: None",
    ),
    ("2020-01-31T23:59", "timestamp[us]", "t: true, seconds: false"),
    ("2020-01-31T23:59:59.123456Z", "timestamp[us, UTC]", "fraction: 6, trimmed: false, zone: Z"),
    ("2020-01-31T23:59:59.123456789Z", "timestamp[ns, UTC]", "fraction: 9, trimmed: false, zone: Z"),
    ("1500-01-31T23:59:59.123456789Z", "text", "Text"),
    ("1500-01-31T23:59:59.123456Z", "timestamp[us, UTC]", "fraction: 6"),
    ("2020-01-31T23:59:59+00:00", "timestamp[us, UTC]", "minutes: 0, form: Colon"),
    ("2020-01-31T23:59:59-0530|0001-01-01T00:00:00-0530", "timestamp[us, -05:30]", "minutes: -330"),
    ("2020-01-31T23:59:59+01:00|2020-07-31T23:59:59+02:00", "text", "Text"),
    ("2020-01-31T23:59:59|2020-01-31 23:59:59", "text", "Text"),
    ("2020-01-31T23:59:60", "text", "Text"),
    ("2020-01-31 23:59:59+00|2020-01-31 23:59:59.5+00", "timestamp[us, UTC]", "trimmed: true, zone: Offset"),
    ("2020-01-31 23:59:59-03", "timestamp[us, -03:00]", "minutes: -180, form: Hours"),
    ("2020-01-31T23:59:59|2020-01-31T23:59:59.123456", "timestamp[us]", "fraction: 6, trimmed: true"),
    ("2020-01-31T23:59:59.1|2020-01-31T23:59:59.1234567", "timestamp[ns]", "fraction: 9, trimmed: true"),
    ("1700-01-01T00:00:00.0000001|0001-01-01T00:00:00.1", "text", "Text"),
    ("0001-01-01T00:00:00.1|1700-01-01T00:00:00|1700-01-01T00:00:00.0000001", "text", "Text"),
    ("0001-01-01T00:00:00.1|1700-01-01T00:00:00", "timestamp[us]", "fraction: 6, trimmed: true"),
    ("2020-01-31T23:59:59.1|2020-01-31T23:59:59.10", "text", "Text"),
    ("2020-01-31T23:59:59.000|2020-01-31T23:59:59", "text", "Text"),
    ("hello|1", "text", "Text"),
    (".5|.25|-.125|3", "float64", "bare_mark: true"),
    (".50|.25|-1.25", "decimal128(18, 2)", "bare_mark: true"),
    (".50|0.25", "text", "Text"),
    (".5|0.25", "text", "Text"),
    ("2015/01/01 01:00:00|", "timestamp[us]", "date: YmdSlash, t: false, seconds: true"),
    ("31/01/2015 01:00|01/02/2015 23:59", "timestamp[us]", "date: DmySlash, t: false, seconds: false"),
    ("01/02/2015 23:59|01/31/2015 01:00", "timestamp[us]", "date: MdySlash, t: false, seconds: false"),
    ("31.01.2015 01:00:00|", "timestamp[us]", "date: DmyDot, t: false, seconds: true"),
    ("2015.01.31 01:00:00|", "timestamp[us]", "date: YmdDot, t: false, seconds: true"),
    ("2015.1.31 1:00|2015.10.12 12:00", "timestamp[us]", "Numbers(YmdDot), padded: false"),
    ("2015.01.31T01:00:00Z|2015.01.31T01:00:00.5Z", "timestamp[us, UTC]", "date: YmdDot, t: true"),
    ("31-01-2015 01:00|01-02-2015 23:59", "timestamp[us]", "date: DmyDash, t: false, seconds: false"),
    ("01-02-2015T23:59:00Z|01-31-2015T01:00:00Z", "timestamp[us, UTC]", "date: MdyDash, t: true"),
    ("01-02-2015 01:00|03-04-2015 01:00", "text", "Ambiguous(Timestamp("),
    ("31-01-2015 01:00|31/01/2015 01:00", "text", "Text"),
    ("31/01/2015T01:00:00.5+02:00|01/02/2015T01:00:00+02:00", "timestamp[us, +02:00]", "trimmed: true"),
    (
        "31/01/2015 01:00:00.123456789",
        "timestamp[ns]",
        "date: DmySlash, t: false, seconds: true, fraction: 9",
    ),
    ("01/02/2015 01:00|03/04/2015 01:00", "text", "Ambiguous(Timestamp("),
    ("01/02/2015 01:00:00.5|03/04/2015 01:00:00", "text", "trimmed: true"),
    ("31/01/2015 01:00|01/31/2015 01:00", "text", "Text"),
    ("01/02/2015 01:00|01/02/2015", "text", "Text"),
    ("01/02/2015 01:00|01/02/2015 01:00:00", "text", "Text"),
    ("31/02/2015 01:00", "text", "Text"),
    ("2015/01/01 01:00:00|2015-01-01 01:00:00", "text", "Text"),
];

#[test]
fn columns_have_the_typing_that_a_person_expects() {
    let options = TypingOptions::default();
    for (fields, data_type, style) in COLUMNS {
        let fields: Vec<&str> = fields.split('|').collect();
        let resolved = resolve(&options, &fields);
        let typing = &resolved.typing;
        assert_eq!(type_name(&typing.data_type).as_deref(), Some(*data_type), "{fields:?}: {resolved:?}");
        let shown = format!("{:?}", typing.style);
        assert!(shown.contains(style), "{fields:?}: {shown}");
        assert!(typing.reversible);
        let array = parse(typing, &fields).expect("a resolved column fits its own typing");
        let expected: Vec<_> = fields.iter().map(|text| content(typing, text)).collect();
        assert_eq!(format(typing, &array), expected, "{typing:?}");
    }
}

/// Fields, separated by `|`, and a part of the reason.
const REASONS: &[(&str, &str)] = &[
    ("1|2|007", "record 3: \"007\" has leading zeros; the rows before it are int64; --types value"),
    ("+5", "record 1: \"+5\" has a plus sign"),
    ("1|NA|", "record 3: \"\" is a second spelling of null in a column of int64; --types value"),
    ("|NA|5", "record 2: \"NA\" is a second spelling of null in a column of int64; --types value"),
    ("|NA|Jan 5 2024", "record 2: \"NA\" is a second spelling of null in a column of dates; --types value"),
    ("|NA|x", "record 3: \"x\" is neither a number nor a date nor a truth value"),
    ("|NA", "record 2: \"NA\" is a second spelling of null in a column without values; --types value"),
    (
        "1.5|2.50|3.20",
        "record 3: \"3.20\" has trailing zeros; the rows before it are float64, and 1 of them is an",
    ),
    ("1|2|\"\"", "record 3: \"\" is the empty string, which is not null"),
    ("2020-01-31|2023-02-29", "record 2: \"2023-02-29\""),
    ("01/02/2020|03/04/2020", "every date fits both orders of day and month; --dates dmy"),
    ("01/02/2020|NA", "every date fits both orders of day and month; --dates dmy"),
    ("01-02-2020|03-04-2020", "every date fits both orders of day and month; --dates dmy"),
    ("31-12-2020|31/12/2021", "record 2: \"31/12/2021\" is a date in another pattern or order"),
    ("30-02-2020", "record 1: \"30-02-2020\" is no date of the calendar"),
    ("1,234|5", "record 1: \"1,234\" has a comma; separators of thousands are not read"),
    ("-1,234,567", "has a comma; separators of thousands are not read"),
    ("1,234.50", "has a comma; separators of thousands are not read"),
    ("1,23|5", "has a comma; --decimal-comma reads it as a decimal mark"),
    ("0,125|5", "has a comma; --decimal-comma reads it as a decimal mark"),
    ("10.0.0.1|10.0.0.2", "record 1: \"10.0.0.1\" is neither a number nor a date nor a truth value"),
    ("1-2", "\"1-2\" is neither a number nor a date nor a truth value"),
    ("1-22", "\"1-22\" is neither a number nor a date nor a truth value"),
    ("1.2.3", "\"1.2.3\" is neither a number nor a date nor a truth value"),
    ("1-2.5", "\"1-2.5\" is neither a number nor a date nor a truth value"),
    ("1|1e+5|1e005", "record 3: \"1e005\" writes its exponent unlike the other values"),
    ("10:00|10:00:00", "record 2: \"10:00:00\" is a time in another pattern; the rows before it are times"),
    ("9:05 AM|21:05", "record 2: \"21:05\" is a time in another pattern; the rows before it are times"),
    ("10:00|24:00", "record 2: \"24:00\" is no time of day that a clock shows"),
    ("9:05", "record 1: \"9:05\" is a time in a layout that is not recognised"),
    ("5|10:00", "record 2: \"10:00\" is a time; the rows before it are int64"),
    ("5|2020-01-31", "record 2: \"2020-01-31\" is a date; the rows before it are int64"),
    ("10:00|2020-01-31 10:00", "record 2: \"2020-01-31 10:00\" is a timestamp; the rows before it are times"),
    ("1e400", "record 1: \"1e400\" is beyond the range of float64"),
    ("1.5|-1E+400", "record 2: \"-1E+400\" is beyond the range of float64"),
    ("1.5|1e-999", "record 2: \"1e-999\" is nearer to zero than a float64 can be"),
    ("2023/02/29", "is no date of the calendar"),
    ("01.31.2020", "is no date with the day first"),
    ("-0044-02-30", "is no date of the calendar"),
    ("31/02/2020 10:00", "record 1: \"31/02/2020 10:00\" has no date of the calendar"),
    ("2024-02-30T10:00:00Z", "\"2024-02-30T10:00:00Z\" has no date of the calendar"),
    ("2/30/2024 3:45 PM", "record 1: \"2/30/2024 3:45 PM\" has no date of the calendar"),
    ("2/30/2024 9:05", "record 1: \"2/30/2024 9:05\" has no date of the calendar"),
    ("31.2.2024 9:05", "record 1: \"31.2.2024 9:05\" has no date with the day first"),
    ("Feb 30 2024 3:45 PM", "record 1: \"Feb 30 2024 3:45 PM\" has no date of the calendar"),
    ("Feb 30, 2024", "record 1: \"Feb 30, 2024\" is no date of the calendar"),
    ("1/25/2024 13:05 PM", "record 1: \"1/25/2024 13:05 PM\" has a time of day that no clock shows"),
    ("2024-01-25 25:00:00", "record 1: \"2024-01-25 25:00:00\" has a time of day that no clock shows"),
    ("1/05/2024 9:05", "has a zero before the day or the month, but not before both"),
    ("1/25/2024 9:05|2/30/2024 9:05", "record 2: \"2/30/2024 9:05\" has no date of the calendar; the rows"),
    ("2024-01-25 10:00:00.5+25:00", "is neither a number nor a date"),
    ("2300-01-25 10:00:00.123456789", "is no moment that a timestamp can hold"),
    (
        "1/5/2024|3/4/2024",
        "record 1: \"1/5/2024\": every date fits both orders of day and month; --dates dmy",
    ),
    ("1/5/2024|01/06/2024", "record 2: \"01/06/2024\" is a date in another pattern or order"),
    (
        "1/25/2024|25/1/2024",
        "record 2: \"25/1/2024\" is a date in another pattern or order; the rows before it",
    ),
    (
        "1/25/2024 9:05|1/25/2024 09:05",
        "is a timestamp in another pattern or order; the rows before it are timest",
    ),
    ("1/25/2024|1/05/2024", "has a zero before the day or the month, but not before both"),
    ("2/30/2024", "record 1: \"2/30/2024\" is no date of the calendar"),
    ("1/8/90", "record 1: \"1/8/90\" has a year of two digits, whose century would be a guess"),
    ("1/25/90 9:05", "record 1: \"1/25/90 9:05\" has a year of two digits, whose century would be a guess"),
    ("1/5/24 3:45 PM", "\"1/5/24 3:45 PM\" has a year of two digits, whose century would be a guess"),
    ("5.1.24 9:05", "record 1: \"5.1.24 9:05\" has a year of two digits, whose century would be a guess"),
    ("24-01-25 10:00:00Z", "has a year of two digits, whose century would be a guess"),
    ("5-Jan-24 10:00", "has a year of two digits, whose century would be a guess"),
    (
        "31.12.24",
        "record 1: \"31.12.24\" has a year of two digits, whose century would be a guess; a pattern says",
    ),
    (" 1|2", "record 1: \" 1\" has white space around it"),
    ("2024-01-31 ", "record 1: \"2024-01-31 \" has white space around it"),
    ("2024.1.31", "has no zero before the day or the month, so it may be a version and no date"),
    ("1500.01.31", "has no year from 1600 to 2299, so it may be a version and no date"),
    ("2024.02.30", "is no date of the calendar"),
    ("2024.01.5", "has a zero before the day or the month, but not before both"),
    ("5-Jan-24", "record 1: \"5-Jan-24\" has a year of two digits, whose century would be a guess"),
    ("1.2.34", "record 1: \"1.2.34\" is neither a number nor a date nor a truth value"),
    (
        "Jan 5 2024|Jan 6, 2024",
        "record 2: \"Jan 6, 2024\" is a date in another pattern or order; the rows before it are dates",
    ),
    ("2020.01.31 10:00:00 UTC", "is neither a number nor a date"),
    ("2020/01-31", "is no date in a layout that is recognised"),
    ("2020-01-31 10:00:00 UTC", "is neither a number nor a date"),
    ("01.31.2020 10:00", "has no date with the day first"),
    ("2020-01-31|01/02/2020", "record 2: \"01/02/2020\" is a date in another pattern or order"),
    ("1|1.234,50", "record 2: \"1.234,50\" has a comma"),
    (
        "31/01/2020 10:00|01/31/2020 10:00",
        "record 2: \"01/31/2020 10:00\" is a timestamp in another pattern, order",
    ),
    ("true|False|TRUE", "record 3: \"TRUE\" has other capitals"),
    ("hello\tworld", "record 1: \"hello\\tworld\" is neither"),
    ("2020-01-31T23:59:59+01:00|2020-07-31T23:59:59+02:00", "in another pattern or offset"),
];

#[test]
fn text_columns_say_why() {
    for (fields, reason) in REASONS {
        let fields: Vec<&str> = fields.split('|').collect();
        let why = resolve(&TypingOptions::default(), &fields).why;
        assert!(why.contains(reason), "{fields:?}: {why}");
    }
    // Nothing is offered that reads no value of the column.
    for fields in [
        "+49 170 12",
        "+1-800-555",
        "+5x",
        "+true",
        "+1/2/2024",
        "+",
        "+1e400",
        "01:02|1e05",
        "10:00:00.100|5.",
        "true|false|+5",
        "1.5|2.5|TRUE",
        "2020-01-31|007",
    ] {
        let why = resolve(&TypingOptions::default(), &fields.split('|').collect::<Vec<_>>()).why;
        assert!(!why.is_empty() && !why.contains("--types value"), "{fields}: {why}");
        let options = TypingOptions { mode: Mode::Value, ..TypingOptions::default() };
        let read = resolve(&options, &fields.split('|').collect::<Vec<_>>());
        assert_eq!(type_name(&read.typing.data_type).as_deref(), Some("text"), "{fields}");
    }
    let why = resolve(&TypingOptions::default(), &["5", "2020-01-31 10:00"]).why;
    assert!(why.ends_with("is a timestamp; the rows before it are int64"), "{why}");
}

#[test]
fn why_text_does_not_come_back_is_told_apart() {
    let told = |fields: &[&str], absent| {
        let mut profile = super::profile(&TypingOptions::default(), fields, 1).unwrap();
        if absent {
            profile.observe_absent(7);
        }
        let found = profile.resolve();
        assert!(found.why.ends_with(&found.lost) && found.typing.reversible == found.lost.is_empty());
        found.lost
    };
    let lacks = "record 8 has no such field, and would come back with an empty one";
    assert_eq!(told(&["name 0", "name 1"], true), lacks);
    assert_eq!(told(&["name 0", "name 1"], false), "");
    assert_eq!(told(&["1", "2"], true), lacks);
}

#[test]
fn reasons_depend_on_what_was_asked_for() {
    let given = |fixed: &str, decimal_marks, fields: &[&str]| {
        let fixed = (!fixed.is_empty()).then(|| fixed.to_owned());
        resolve(&TypingOptions { fixed, decimal_marks, ..TypingOptions::default() }, fields).why
    };
    let value = TypingOptions { mode: Mode::Value, ..TypingOptions::default() };
    let comma = "has a comma; --decimal-comma reads it";
    for (why, reason) in [
        (
            given("", DecimalMarks::Comma, &["1,5", "2.5"]),
            "\"2.5\" has a point, and the decimal mark is a comma",
        ),
        (given("", DecimalMarks::Comma, &["1,5", "2,50"]), "\"2,50\" has trailing zeros"),
        (
            given("", DecimalMarks::Either, &["1,5", "02,75"]),
            "\"02,75\" has leading zeros; the rows before it are decimals",
        ),
        (given("", DecimalMarks::Either, &["+2,5"]), "\"+2,5\" has a plus sign; --types value reads it"),
        (
            given("", DecimalMarks::Either, &["1,5", "7", "2.5"]),
            "record 3: \"2.5\" has another decimal mark than",
        ),
        (
            given("", DecimalMarks::Either, &["1,5e3", "2.5e3"]),
            "record 2: \"2.5e3\" has another decimal mark",
        ),
        (given("", DecimalMarks::Either, &["1,50", "3.50"]), "\"3.50\" has another decimal mark"),
        (
            given("float64", DecimalMarks::Either, &["1,5", "2.5"]),
            "another decimal mark than a value before it",
        ),
        (
            given("", DecimalMarks::Point, &["1.5", "2,5"]),
            "before it; the rows before it are decimals of one",
        ),
        (given("", DecimalMarks::Point, &["2,5", "1.5"]), "record 1: \"2,5\" has a comma; --decimal-comma"),
        (
            given("", DecimalMarks::Point, &["1.5", "1,234"]),
            "has a comma; the rows before it are decimals of",
        ),
        (given("date", DecimalMarks::Point, &["01/02/2024"]), "every date fits both orders of day and month"),
        (
            given("decimal(10,2)", DecimalMarks::Point, &["1,5", "2,75"]),
            "is not of type decimal128(10, 2); --decimal-comma",
        ),
        (
            given("int64", DecimalMarks::Point, &["1", "1.5"]),
            "\"1.5\" has a fraction, so it is not of type int64",
        ),
        (
            given("timestamp[us]", DecimalMarks::Point, &["2024-01-31"]),
            "\"2024-01-31\" is a date without a time of day, so it is not of type timestamp[us]",
        ),
        (
            given("float64", DecimalMarks::Point, &["2024-01-31"]),
            "\"2024-01-31\" is a date, so it is not of type float64",
        ),
        (given("date", DecimalMarks::Point, &["2024-02-31"]), "is no date of the calendar"),
        (
            given("timestamp[us]", DecimalMarks::Point, &["1/25/2024"]),
            "\"1/25/2024\" is a date without a time of day, so it is not of type timestamp[us]",
        ),
        (
            given("date", DecimalMarks::Point, &["1/25/2024 9:05"]),
            "\"1/25/2024 9:05\" has a time of day too, so it is not of type date; timestamp[us] holds both",
        ),
        // Which number is the day does not matter where the type is another one.
        (
            given("date", DecimalMarks::Point, &["1/5/2024 9:05 PM"]),
            "\"1/5/2024 9:05 PM\" has a time of day too, so it is not of type date; timestamp[us] holds both",
        ),
        (
            given("timestamp[us]", DecimalMarks::Point, &["1/5/2024"]),
            "\"1/5/2024\" is a date without a time of day, so it is not of type timestamp[us]",
        ),
        (
            given("date64", DecimalMarks::Point, &["2024-01-05", "2024-01-05T10:00:00.1234567+01:00"]),
            "record 2: \"2024-01-05T10:00:00.1234567+01:00\" has a time of day too, so it is not of type \
             date64; timestamp[ns, +01:00] holds both",
        ),
        (
            given("int64", DecimalMarks::Point, &["1,234"]),
            "has a comma, so it is not of type int64; separators of thousands are not read",
        ),
        (given("timestamp[us, UTC]", DecimalMarks::Point, &["x"]), "so it is not of type timestamp[us, UTC]"),
        (resolve(&value, &["1,5", "a"]).why, comma),
        (
            resolve(&value, &["+2.5", "3.50"]).why,
            "\"+2.5\" has a plus sign, so it is not how float64 is written",
        ),
        (resolve(&value, &["1", "007"]).why, "\"007\" has leading zeros, so it is not how int64 is written"),
        (resolve(&value, &["true", "False", "yes"]).why, "\"yes\" is neither a number nor a date"),
    ] {
        assert!(why.contains(reason), "{why} | {reason}");
    }
    let month_first = TypingOptions { date_order: DateOrder::MonthFirst, ..TypingOptions::default() };
    for fields in [
        ["31.01.2020", "01.02.2020"],
        ["31.01.2020 10:00", "01.02.2020 10:00"],
        ["31.1.2020", "1.2.2020"],
        ["31.1.2020 9:00", "1.2.2020 10:00"],
    ] {
        let resolved = resolve(&month_first, &fields);
        assert_eq!(type_name(&resolved.typing.data_type).as_deref(), Some("text"));
        assert!(resolved.why.contains("order"), "{}", resolved.why);
    }
}

/// Fields, the type under `--types value`, and how the values are written.
const VALUES: &[(&str, &str, &str)] = &[
    ("007|+5|-0", "int64", "7|5|0"),
    ("1|NA|", "int64", "1||"),
    ("1.10|2.50|1.5", "float64", "1.1|2.5|1.5"),
    ("true|FALSE|True", "bool", "true|false|true"),
    ("2020-01-31|NA|", "date", "2020-01-31||"),
    (
        "2020-01-31T01:00:00+01:00|2020-07-31 02:00:00.5Z",
        "timestamp[us, UTC]",
        "2020-01-31T00:00:00.000000Z|2020-07-31T02:00:00.500000Z",
    ),
];

#[test]
fn value_mode_keeps_values_and_says_what_it_loses() {
    let options = TypingOptions { mode: Mode::Value, ..TypingOptions::default() };
    for (fields, data_type, texts) in VALUES {
        let fields: Vec<&str> = fields.split('|').collect();
        let resolved = resolve(&options, &fields);
        let typing = &resolved.typing;
        assert_eq!(type_name(&typing.data_type).as_deref(), Some(*data_type), "{fields:?}: {resolved:?}");
        assert!(!typing.reversible && !resolved.why.is_empty());
        let array = parse(typing, &fields).expect("a resolved column fits its own typing");
        let written: Vec<String> = format(typing, &array).into_iter().map(|(text, _)| text).collect();
        assert_eq!(written.join("|"), *texts);
    }
}

/// A fixed type, fields, and whether the column has the type reversibly, or else not reversibly, or not at
/// all.
const FIXED: &[(&str, &str, &str)] = &[
    ("int32", "1|2", "reversible"),
    ("int32", "007|2", "lossy"),
    ("int64", "x", "impossible"),
    ("decimal(12,2)", "1.50|2.25", "reversible"),
    ("decimal(12,2)", "1.5|2", "lossy"),
    ("decimal(12,2)", "1.505", "lossy"),
    ("float64", "1|2", "reversible"),
    ("float64", "1.50", "reversible"),
    ("float64", "1.50|2.50", "lossy"),
    ("float32", "1.50", "lossy"),
    ("text", "1|2", "reversible"),
    ("date", "20200131", "reversible"),
    ("date", "x", "impossible"),
    ("date", "31/01/2020|01/02/2020", "reversible"),
    ("date", "01/02/2020|03/04/2020", "impossible"),
    ("date", "1/2/2020|3/4/2020", "impossible"),
    ("date", "1/2/2020|31/1/2020", "reversible"),
    ("date", "Jan 5, 2020", "reversible"),
    ("date64", "1/2/2020|31/1/2020", "reversible"),
    ("date", "1/31/2020 9:05", "impossible"),
    ("timestamp[s]", "1/31/2020", "impossible"),
    ("timestamp[s]", "1/31/2020 9:05", "reversible"),
    ("timestamp[ns]", "1/31/2020 9:05 PM", "reversible"),
    ("timestamp[us, UTC]", "1/31/2020 9:05 PM", "impossible"),
    ("timestamp[s]", "1/2/2020 9:05", "impossible"),
    ("timestamp[s]", "01/02/2020 10:00", "impossible"),
    ("timestamp[s]", "01/02/2020 10:00|31/01/2020 10:00", "reversible"),
    ("time[us]", "10:00|23:59", "reversible"),
    ("time[s]", "10:00|23:59", "reversible"),
    ("time[ms]", "10:00|x", "impossible"),
    ("bool", "1|0", "reversible"),
    ("bool", "yes|no", "reversible"),
    ("timestamp[ns]", "2020-01-31 10:00:00", "reversible"),
    ("timestamp[s, UTC]", "2020-01-31 10:00:00Z", "reversible"),
    ("timestamp[us]", "2020-01-31 10:00:00Z", "impossible"),
];

#[test]
fn a_fixed_type_is_kept() {
    for (name, fields, outcome) in FIXED {
        let options = TypingOptions { fixed: Some((*name).to_owned()), ..TypingOptions::default() };
        let fields: Vec<&str> = fields.split('|').collect();
        let resolved = resolve(&options, &fields);
        let found = match (resolved.unfit.is_some(), resolved.typing.reversible) {
            (true, _) => "impossible",
            (false, true) => "reversible",
            (false, false) => "lossy",
        };
        assert_eq!(found, *outcome, "{name} {fields:?}: {resolved:?}");
        let typed = crate::text::parse_type(name).expect("a type of the table exists");
        assert_eq!(resolved.typing.data_type, typed);
    }
    let unknown = TypingOptions { fixed: Some("int65".to_owned()), ..TypingOptions::default() };
    assert!(crate::text::Profile::with_options(&unknown).is_err());
}

#[test]
fn options_settle_what_the_column_leaves_open() {
    let day_first = TypingOptions { date_order: DateOrder::DayFirst, ..TypingOptions::default() };
    let month_first = TypingOptions { date_order: DateOrder::MonthFirst, ..TypingOptions::default() };
    let comma = TypingOptions { decimal_marks: DecimalMarks::Comma, ..TypingOptions::default() };
    let either = TypingOptions { decimal_marks: DecimalMarks::Either, ..TypingOptions::default() };
    let tokens = |texts: &[&str]| TypingOptions {
        null_tokens: texts.iter().map(|&text| text.to_owned()).collect(),
        ..TypingOptions::default()
    };
    let text = TypingOptions { mode: Mode::Text, ..TypingOptions::default() };
    let cases: &[(&TypingOptions, &str, &str, &str)] = &[
        (&day_first, "01/02/2020", "date", "DmySlash"),
        (&month_first, "01/02/2020", "date", "MdySlash"),
        (&day_first, "01-02-2020", "date", "DmyDash"),
        (&month_first, "01-02-2020", "date", "MdyDash"),
        (&day_first, "1/2/2020", "date", "Numbers(DmySlash), padded: false"),
        (&month_first, "1/2/2020", "date", "Numbers(MdySlash), padded: false"),
        (&month_first, "1/2/2020 9:05 PM", "timestamp[us]", "Numbers(MdySlash), padded: false"),
        (&month_first, "1/2/2020|13/2/2020", "text", "Text"),
        (&month_first, "1.2.2020", "text", "Text"),
        (&month_first, "2020/1/2", "date", "Numbers(YmdSlash)"),
        (&month_first, "5 Jan 2020", "date", "DayFirst"),
        (&month_first, "01-02-2020|13-02-2020", "text", "Text"),
        (&month_first, "01.02.2020", "text", "Text"),
        (&month_first, "01/02/2020|13/02/2020", "text", "Text"),
        (&day_first, "01/02/2020|02/13/2020", "text", "Text"),
        (&comma, "1,5|2,5", "decimal128(18, 1)", "Comma"),
        (&comma, "1,5|2,25|3", "float64", "Comma"),
        (&comma, "1.5|2.5", "text", "Text"),
        (&comma, "1,50e+03|-2,00e-10|nan", "float64", "mark: Comma, bare_mark: false"),
        (&comma, "1.234,5|2,5", "text", "Text"),
        (&either, "1,5|2,5", "decimal128(18, 1)", "Comma"),
        (&either, "1.5|2.25", "float64", "Point"),
        (&either, "1,5|2.25", "text", "Text"),
        (&tokens(&["-999"]), "5|-999", "int64", "Some(\"-999\")"),
        (&tokens(&["NA"]), "x|NA|", "text", "Some(\"NA\")"),
        (&tokens(&["", "NA"]), "5|", "int64", "refused: [\"NA\"]"),
        (&tokens(&["", "NA"]), "5|NA", "int64", "Some(\"NA\")"),
        (&tokens(&["", "NA"]), "x|NA|", "text", "Exception { row: 1, text: \"NA\" }"),
        (&text, "1|2", "text", "Text"),
    ];
    for (options, fields, data_type, style) in cases {
        let fields: Vec<&str> = fields.split('|').collect();
        let resolved = resolve(options, &fields);
        let typing = &resolved.typing;
        assert_eq!(type_name(&typing.data_type).as_deref(), Some(*data_type), "{fields:?}: {resolved:?}");
        assert!(format!("{:?}", typing.style).contains(style), "{fields:?}: {typing:?}");
        let array = parse(typing, &fields).expect("a resolved column fits its own typing");
        let expected: Vec<_> = fields.iter().map(|text| content(typing, text)).collect();
        assert_eq!(format(typing, &array), expected);
    }
}

#[test]
fn the_field_from_which_on_no_unit_holds_all_moments_is_named() {
    let fields = ["0001-01-01T00:00:00.1", "1700-01-01T00:00:00", "1700-01-01T00:00:00.0000001"];
    let why = resolve(&TypingOptions::default(), &fields).why;
    assert!(why.starts_with("record 3: \"1700-01-01T00:00:00.0000001\" and the rows before it"), "{why}");
    assert!(why.contains("no unit in common"), "{why}");
}
