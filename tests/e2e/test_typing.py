"""How text becomes typed: one type and one style for a column, decided by all of it, and told why."""

import datetime
import decimal
import json
import shlex

import pyarrow
import pyarrow.parquet
import pytest

import harness

D = decimal.Decimal
UTC = datetime.timezone.utc


def typed(isoform, folder, fields, *options):
    """The column that these fields become, after it was seen that they come back as they were."""
    source, target, back = folder / "in.csv", folder / "out.parquet", folder / "back.csv"
    source.write_text("x\n" + "".join(f"{field}\n" for field in fields))
    done = isoform("convert", source, target, "--header", "yes", "--force", "--json", *options).expect(0).json()
    column = pyarrow.parquet.read_table(target).column("x")
    if done["verdict"] == "EXACT":
        isoform("convert", target, back, "--force").expect(0)
        assert harness.fields(back.read_bytes()) == harness.fields(source.read_bytes())
    return harness.kind(column.type), column


@pytest.mark.parametrize("fields, kind, values", [
    (["1", "2", "NA"], "int", [1, 2, None]),
    (["12.50", "3.00"], "decimal(2)", [D("12.50"), D("3.00")]),
    (["007", "12"], "text", ["007", "12"]),
    (["18446744073709551615", "1"], "int", [2**64 - 1, 1]),
    (["18446744073709551616", "1"], "decimal(0)", [2**64, 1]),
    (["9" * 76, "1"], "decimal(0)", [10**76 - 1, 1]),
    (["9" * 77, "1"], "text", ["9" * 77, "1"]),
    (["1.5", "2.25", "3"], "float", [1.5, 2.25, 3.0]),
    (["1e-07", "0.5", "1e+16"], "float", [1e-07, 0.5, 1e16]),
    (["1e5", "-2.25e5", "3.5e-7", "0e0", ""], "float", [1e5, -2.25e5, 3.5e-7, 0.0, None]),
    (["10:00", "23:59", ""], "time", [datetime.time(10), datetime.time(23, 59), None]),
    (["10:00", "23:59:00"], "text", ["10:00", "23:59:00"]),
    (["10:00 AM", "9:05 PM", "12:30 AM", ""], "time", [datetime.time(10), datetime.time(21, 5), datetime.time(0, 30), None]),
    (["10:05:33pm", "09:00:00am"], "time", [datetime.time(22, 5, 33), datetime.time(9)]),
    (["9:05 AM", "21:05"], "text", ["9:05 AM", "21:05"]),
    (["+1", "2"], "text", ["+1", "2"]),
    (["-0", "1"], "text", ["-0", "1"]),
    (["true", "false"], "bool", [True, False]),
    (["31/12/2020", "01/02/2020"], "date", [datetime.date(2020, 12, 31), datetime.date(2020, 2, 1)]),
    (["01/02/2020", "03/04/2020"], "text", ["01/02/2020", "03/04/2020"]),
    (["01/02/2020", "NA", "03/04/2020", ""], "text", ["01/02/2020", "NA", "03/04/2020", None]),
    (["31-12-2020", "01-02-2020", ""], "date", [datetime.date(2020, 12, 31), datetime.date(2020, 2, 1), None]),
    (["01-02-2020", "12-31-2020"], "date", [datetime.date(2020, 1, 2), datetime.date(2020, 12, 31)]),
    (["01-02-2020", "03-04-2020"], "text", ["01-02-2020", "03-04-2020"]),
    (["31-12-2020", "31/12/2020"], "text", ["31-12-2020", "31/12/2020"]),
    (["31-12-2020 23:59", "01-02-2020 00:00"], "timestamp",
     [datetime.datetime(2020, 12, 31, 23, 59), datetime.datetime(2020, 2, 1)]),
    # As PostgreSQL and DuckDB write them: zeros at the end of a fraction are left out, offsets have no minutes.
    (["2020-01-02 03:04:05", "2020-01-02 03:04:05.5"], "timestamp",
     [datetime.datetime(2020, 1, 2, 3, 4, 5), datetime.datetime(2020, 1, 2, 3, 4, 5, 500_000)]),
    (["2020-01-02 03:04:05+00", "2020-01-02 03:04:05.25+00"], "timestamp with zone",
     [datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), datetime.datetime(2020, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)]),
    (["31/12/2020 23:59", "01/02/2020 00:00"], "timestamp",
     [datetime.datetime(2020, 12, 31, 23, 59), datetime.datetime(2020, 2, 1)]),
    (["01/02/2020 00:00:00", "12/31/2020 23:59:01"], "timestamp",
     [datetime.datetime(2020, 1, 2), datetime.datetime(2020, 12, 31, 23, 59, 1)]),
    (["31.12.2020 23:59:01.5", "01.02.2020 00:00:00.25"], "timestamp",
     [datetime.datetime(2020, 12, 31, 23, 59, 1, 500_000), datetime.datetime(2020, 2, 1, 0, 0, 0, 250_000)]),
    (["01/02/2020 10:00", "03/04/2020 11:00"], "text", ["01/02/2020 10:00", "03/04/2020 11:00"]),
    (["31/01/2020 10:00", "01/31/2020 11:00"], "text", ["31/01/2020 10:00", "01/31/2020 11:00"]),
    (["2020-01-02 03:04:05.10", "2020-01-02 03:04:05.5"], "text", ["2020-01-02 03:04:05.10", "2020-01-02 03:04:05.5"]),
    # As people and spreadsheets write them: days and months of one digit, names of months, AM and PM.
    (["1/5/2024", "12/25/2024", ""], "date", [datetime.date(2024, 1, 5), datetime.date(2024, 12, 25), None]),
    (["5.1.2024", "31.12.2024"], "date", [datetime.date(2024, 1, 5), datetime.date(2024, 12, 31)]),
    (["31-1-2024", "5-1-2024"], "date", [datetime.date(2024, 1, 31), datetime.date(2024, 1, 5)]),
    (["2024/1/5", "2024/12/31"], "date", [datetime.date(2024, 1, 5), datetime.date(2024, 12, 31)]),
    (["2024-12-31", "2024-1-5"], "date", [datetime.date(2024, 12, 31), datetime.date(2024, 1, 5)]),
    (["Jan 1 2000", "May 25 2000"], "date", [datetime.date(2000, 1, 1), datetime.date(2000, 5, 25)]),
    (['"January 5, 2024"', '"May 25, 2024"'], "date", [datetime.date(2024, 1, 5), datetime.date(2024, 5, 25)]),
    (["5 Jan 2024", "25 Dec 2024", "NA"], "date", [datetime.date(2024, 1, 5), datetime.date(2024, 12, 25), None]),
    (["05-JAN-2024", "25-MAY-2024"], "date", [datetime.date(2024, 1, 5), datetime.date(2024, 5, 25)]),
    (["1/5/2024 9:05", "12/25/2024 23:59"], "timestamp",
     [datetime.datetime(2024, 1, 5, 9, 5), datetime.datetime(2024, 12, 25, 23, 59)]),
    (["1/5/2024 3:45 PM", "12/25/2024 12:00 AM"], "timestamp",
     [datetime.datetime(2024, 1, 5, 15, 45), datetime.datetime(2024, 12, 25)]),
    (["2024-01-05 03:45:10 PM", "2024-12-31 11:00:00 AM"], "timestamp",
     [datetime.datetime(2024, 1, 5, 15, 45, 10), datetime.datetime(2024, 12, 31, 11)]),
    (["1/5/2024", "01/25/2024"], "text", ["1/5/2024", "01/25/2024"]),
    (["1/5/2024", "3/4/2024"], "text", ["1/5/2024", "3/4/2024"]),
    (["1/8/90", "12/25/90"], "text", ["1/8/90", "12/25/90"]),
    (["Jan 5 2024", "January 6 2024"], "text", ["Jan 5 2024", "January 6 2024"]),
])
def test_the_whole_column_decides(isoform, tmp_path, fields, kind, values):
    found, column = typed(isoform, tmp_path, fields)
    assert (found, harness.values(column)) == (kind, values)


@pytest.mark.parametrize("mark", "/-")
@pytest.mark.parametrize("time", ["", " 10:00"])
def test_the_order_of_day_and_month_is_told_by_a_field_or_by_the_caller(isoform, tmp_path, time, mark):
    """A type that is given does not say which is the day; a field far behind the first ones does."""
    many = [f"0{row % 9 + 1}{mark}0{row % 7 + 1}{mark}2020{time}" for row in range(100_000)]
    kind = "timestamp" if time else "date"
    given = f"--type=x={'timestamp[us]' if time else 'date'}"
    for last, order in [("31/12/2020", None), ("12/31/2020", None), ("02/03/2020", "dmy"), ("02/03/2020", "mdy")]:
        for options in [[], [given]]:
            options = options + ([f"--dates={order}"] if order else [])
            found, column = typed(isoform, tmp_path, [*many, last.replace("/", mark) + time], *options)
            assert found == kind
            day_first = order == "dmy" or last.startswith("31")
            ninth = column[8].as_py()
            assert (ninth.day, ninth.month) == ((9, 2) if day_first else (2, 9)), (last, options)
    source = tmp_path / "ambiguous.csv"
    source.write_text("x\n" + "\n".join(many[:9]) + "\n")
    refused = isoform("convert", source, tmp_path / "ambiguous.parquet", "--header=yes", given).expect(9).err
    assert "both orders of day and month" in refused and "--dates mdy" in refused
    assert not (tmp_path / "ambiguous.parquet").exists()


@pytest.mark.parametrize("last, kind", [("1/25/2024", "date"), ("01/25/2024", "text"), ("25/1/2024", "text")])
def test_a_field_far_behind_the_first_ones_shows_how_dates_are_written(isoform, tmp_path, last, kind):
    """The first fields show neither the order of day and month nor whether they are padded."""
    fields = ["12/11/2024"] * 100_000 + ["1/12/2024", "12/30/2024", last]
    found, column = typed(isoform, tmp_path, fields)
    assert found == kind
    if kind == "date":
        assert column[0].as_py() == datetime.date(2024, 12, 11)
        assert column[100_000].as_py() == datetime.date(2024, 1, 12)


def test_options_and_types_settle_dates_of_one_digit(isoform, tmp_path):
    fields = ["1/5/2024 9:05", "3/4/2024 10:00"]
    for order, month in [("dmy", 5), ("mdy", 1)]:
        for options in [[], ["--type=x=timestamp[us]"]]:
            found, column = typed(isoform, tmp_path, fields, f"--dates={order}", *options)
            assert (found, column[0].as_py().month) == ("timestamp", month)
    source = tmp_path / "in.csv"
    why = isoform("inspect", source, "--why", "x").expect(0).out
    assert "both orders of day and month" in why and "--dates mdy" in why
    source.write_text("x\n1/8/90\n")
    assert "two digits" in isoform("inspect", source, "--why", "x").expect(0).out


def test_values_that_a_written_date_has_no_place_for_are_not_lost(isoform, tmp_path):
    """A style of the metadata is advice: it is not used where it does not give back the values."""
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("x\n1/5/2024 9:05\n1/25/2024 10:00\n")
    isoform("convert", source, target).expect(0)
    styles = {b"isoform.styles": pyarrow.parquet.read_metadata(target).metadata[b"isoform.styles"]}
    changed, back = tmp_path / "changed.parquet", tmp_path / "back.csv"
    for second, text in [(0, "x\n1/25/2024 9:05\n"), (1, "x\n2024-01-25T09:05:01.000000\n")]:
        moments = pyarrow.array([datetime.datetime(2024, 1, 25, 9, 5, second)], "timestamp[us]")
        pyarrow.parquet.write_table(pyarrow.table({"x": moments}).replace_schema_metadata(styles), changed)
        isoform("convert", changed, back, "--force").expect(0)
        assert back.read_text() == text


@pytest.mark.parametrize("rows, exceptions, kind", [
    (500, 4, "float"), (100_400, 1000, "float"), (100_400, 1001, "text"),
])
def test_exceptions_are_kept_up_to_a_thousand(isoform, tmp_path, rows, exceptions, kind):
    fields = [f"{n}.125" for n in range(rows)]
    for n in range(exceptions):
        fields[100 + 100 * n if n < 1000 else 100_399] = "2.50"
    assert typed(isoform, tmp_path, fields)[0] == kind


def test_a_given_type_that_does_not_fit_names_the_field(isoform, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("id,x\n1,2\n2,3\n3,oops\n")
    for given, place in [("x=int64", r"record 3"), ("id=date", "record 1")]:
        done = isoform("convert", source, tmp_path / "out.parquet", "--type", given).expect(9)
        assert all(word in done.err for word in (place, "in.csv", "--type", f'"{given.split("=")[0]}"')), done.err
        assert isoform("plan", source, tmp_path / "out.parquet", "--type", given).expect(9).err == done.err
        options = ("--type", given, "--partition-by", "id")
        assert isoform("convert", source, tmp_path / "out", "--to", "parquet", *options).expect(9).err == done.err
    assert "oops" in isoform("convert", source, tmp_path / "out.parquet", "--type", "x=int64").err
    assert harness.listing(tmp_path) == ["in.csv"]


def test_why_names_the_first_offending_row(isoform, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("id,x\n1,2\n2,3\n3,oops\n4,worse\n")
    assert 'record 3: "oops"' in isoform("inspect", source, "--why", "x").expect(0).out


@pytest.mark.parametrize("values, reason", [
    (["", "NA", "x"], 'record 3: "x" is neither a number'), (["", "NA", "5"], 'record 2: "NA" is a second spelling'),
    (["10:00", "10:00:00"], 'record 2: "10:00:00" is a time in another pattern; the rows before it are times'),
    (["1", "1e400"], 'record 2: "1e400" is beyond the range of float64'),
])
def test_why_names_no_type_that_no_value_had(isoform, tmp_path, values, reason):
    source = tmp_path / "in.csv"
    source.write_text("id,x\n" + "".join(f"{row},{value}\n" for row, value in enumerate(values)))
    told = isoform("inspect", source, "--why", "x", "--header", "yes").expect(0).out
    assert reason in told and "boolean" not in told


@pytest.mark.parametrize("fields, value", [(["007", "8"], [7, 8]), (["1", "NA", "NULL"], [1, None, None])])
def test_values_without_their_spelling(isoform, tmp_path, fields, value):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("x\n" + "".join(f"{field}\n" for field in fields))
    done = isoform("convert", source, target, "--types", "value", "--json").expect(0).json()
    assert done["verdict"] == "VALUE-EXACT"
    assert pyarrow.parquet.read_table(target).column("x").to_pylist() == value
    isoform("convert", source, target, "--types", "value", "--strict", "--force").expect(4)


def test_records_that_do_not_fit_name_the_options_that_help(isoform, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("a,b,c\n1,2,3\n4,5\n")
    done = isoform("convert", source, tmp_path / "out.parquet").expect(9)
    assert "record 2" in done.err and "--ragged" in done.err and "--rejects" in done.err
    isoform("convert", source, tmp_path / "out.parquet", "--ragged").expect(0)
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").column("c").to_pylist() == [3, None]


@pytest.mark.parametrize("rows, short", [(3, 1), (300_000, 100_000), (300_000, 299_999)])
def test_a_filled_record_does_not_come_back(isoform, tmp_path, rows, short):
    """Also where it stands far behind the records that the types are proposed by."""
    source, target, back = tmp_path / "in.csv", tmp_path / "out.parquet", tmp_path / "back.csv"
    lines = ["1,2,3"] * rows
    source.write_text("a,b,c\n" + "\n".join(lines) + "\n")
    isoform("convert", source, target, "--ragged", "--strict").expect(0)
    lines[short] = "4"
    source.write_text("a,b,c\n" + "\n".join(lines) + "\n")
    isoform("convert", source, back, "--ragged", "--strict").expect(4)
    told = isoform("convert", source, target, "--ragged", "--force").expect(0).out
    assert "VALUE-EXACT" in told and f"record {short + 1} has no such field" in told
    done = isoform("convert", source, target, "--ragged", "--force", "--json").expect(0).json()
    assert [column["reversible"] for column in done["columns"]] == [True, False, False]
    said = harness.statement(harness.certificate_of(target))["predicate"]
    assert said["verification"]["verdict"] == "VALUE-EXACT"
    isoform("verify", target).expect(0)
    isoform("compare", source, target, "--ragged").expect(0)
    isoform("convert", target, back).expect(0)
    assert harness.fields(back.read_bytes())[short + 1] == harness.fields(b"4,,\n")[0]


@pytest.mark.parametrize("field, reason", [
    ("10.0.0.1", "is neither a number nor a date"), ("1-2", "is neither a number nor a date"),
    ("1.2.3", "is neither a number nor a date"), ('"1,234"', "separators of thousands are not read"),
    ('"1,234,567"', "separators of thousands are not read"), ('"1,5"', "--decimal-comma reads it"),
    ("1/8/90 9:05", "has a year of two digits"), ("2/30/2024 3:45 PM", "has no date of the calendar"),
    ("1/25/2024 13:05 PM", "has a time of day that no clock shows"),
])
def test_reasons_are_true(isoform, tmp_path, field, reason):
    source = tmp_path / "in.csv"
    source.write_text(f"id,x\n1,{field}\n2,{field}\n")
    told = isoform("inspect", source, "--why", "x").expect(0).out
    assert reason in told and "exponent" not in told and "--types value" not in told
    assert ("--decimal-comma" in told) == ("--decimal-comma" in reason)
    assert isoform("convert", source, tmp_path / "out.parquet", "--types", "value").expect(0)
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").column("x").to_pylist() == [field.strip('"')] * 2


def test_hours_and_minutes_are_a_time_that_can_be_given(isoform, tmp_path):
    fields = ["10:00", "23:59"]
    for unit in ("s", "us"):
        kind, column = typed(isoform, tmp_path, fields, f"--type=x=time[{unit}]")
        assert kind == "time" and column.to_pylist() == [datetime.time(10), datetime.time(23, 59)]
    source = tmp_path / "dates.csv"
    source.write_text("d\n2024-01-31\n")
    refused = isoform("convert", source, tmp_path / "no.parquet", "--type", "d=timestamp[us]").expect(9).err
    assert "is a date without a time of day, so it is not of type timestamp[us]" in refused
    source.write_text("d\n1/5/2024 3:45 PM\n")
    refused = isoform("convert", source, tmp_path / "no.parquet", "--type", "d=date").expect(9).err
    assert "has a time of day too, so it is not of type date; timestamp[us] holds both" in refused


@pytest.mark.parametrize("record, header", [
    ("1,2,3", False), ("2024-01-01,2,foo", False), ("x,12:30", False), ("a,b,c", True), ("1st,2nd", True),
])
def test_a_single_record_is_judged_as_the_first_of_several(isoform, tmp_path, record, header):
    one, two, target = tmp_path / "one.csv", tmp_path / "two.csv", tmp_path / "out.parquet"
    one.write_text(record + "\n")
    done = isoform("convert", one, target, "--json").expect(0).json()
    names = record.split(",") if header else [f"column_{n + 1}" for n in range(len(record.split(",")))]
    assert done["rows"] == (0 if header else 1)
    assert pyarrow.parquet.read_table(target).column_names == names
    # So files of one record and of several agree.
    two.write_text(("" if not header else record + "\n") + (record + "\n") * 2)
    options = ("--header", "yes") if header else ()
    rows = isoform("convert", one, two, target, "--force", "--json", *options).expect(0).json()["rows"]
    assert rows == (2 if header else 3)


@pytest.mark.parametrize("length", [150_000, 300_000, 3_000_000])
def test_long_records_without_a_header(isoform, tmp_path, length):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    word = "text " * (length // 5)
    source.write_text("".join(f'{row},{row * 2},"{word}{row}"\n' for row in range(5)))
    done = isoform("convert", source, target, "--json").expect(0).json()
    assert pyarrow.parquet.read_table(target).column("column_1").to_pylist() == list(range(5))
    said = " ".join(done["notes"])
    assert "each of the first 5 records has 3 fields" in said and "only one record" not in said
    # Words that come again are no names either, however long the first record is.
    source.write_text("".join(f'{name};x;"{word}"\n' for name in "aba"))
    assert isoform("convert", source, target, "--force", "--json").expect(0).json()["rows"] == 3


@pytest.mark.parametrize("above, option", [
    ("# hello\n# more\n", ["--comment", "#"]), ("Report 2024\n\n", ["--skip-lines", "2"]),
    ("Report\n", ["--skip-lines", "1"]),
])
def test_lines_above_a_table_are_named_with_the_option_for_them(isoform, tmp_path, above, option):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text(above + "a,b\n1,2\n3,4\n")
    refused = isoform("convert", source, target).expect(9).err
    shown = "--comment '#'" if option[0] == "--comment" else " ".join(option)
    assert shown in refused and "--rejects" not in refused
    isoform("convert", source, target, *option).expect(0)
    assert pyarrow.parquet.read_table(target).to_pydict() == {"a": [1, 3], "b": [2, 4]}


def test_every_given_word_is_null_and_comes_back(isoform, tmp_path):
    words = ["--null", "NA", "--null", "NULL"]
    for fields in (["1", "NA", "NULL", "NA", "4"], ["x", "NA", "NULL", "NA", '"NULL"'], ["1.5", "NA", "NULL", "NA", "2.25"]):
        kind, column = typed(isoform, tmp_path, fields, *words)
        assert column.null_count == 3 and (kind == "text") == (fields[0] == "x"), (kind, column)
        isoform("verify", tmp_path / "out.parquet").expect(0)
        # The same words come back in another layout too, and values that are spelled like them stay values.
        isoform("convert", tmp_path / "in.csv", tmp_path / "out.tsv", "--force", "--header", "yes", *words).expect(0)
        assert (tmp_path / "out.tsv").read_bytes() == (tmp_path / "in.csv").read_bytes()
    assert "spelling of null" in isoform("inspect", tmp_path / "in.csv", "--header", "yes", *words, "--why", "x").out


def test_too_many_words_for_null_are_null_and_said(isoform, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("x,y\n" + "".join(f"{['NA', 'NULL'][i % 2]},{i}\n" for i in range(2002)))
    words = ["--null", "NA", "--null", "NULL"]
    done = isoform("convert", source, target, "--json", *words).expect(0).json()
    assert done["verdict"] == "VALUE-EXACT" and [c["reversible"] for c in done["columns"]] == [False, True]
    assert pyarrow.parquet.read_table(target).column("x").null_count == 2002
    isoform("convert", source, target, "--force", "--strict", *words).expect(4)


def test_json_numbers_in_two_spellings_are_floats(isoform, tmp_path):
    source, target, back = tmp_path / "in.jsonl", tmp_path / "out.parquet", tmp_path / "back.jsonl"
    spelled = ["1.0", "2", "1E5", "null", "0.25", "-3.0"]
    for values in (spelled, spelled[::-1], spelled * 100):
        source.write_text("".join(f'{{"a":{value},"o":{{"x":{value}}}}}\n' for value in values))
        done = isoform("convert", source, target, "--force", "--strict", "--json").expect(0).json()
        assert done["verdict"] == "EXACT" and done["columns"][0]["type"] == "float64"
        wanted = [None if value == "null" else float(value) for value in values]
        assert pyarrow.parquet.read_table(target).column("a").to_pylist() == wanted
        isoform("convert", target, back, "--force").expect(0)
        assert back.read_bytes() == source.read_bytes()
        isoform("verify", target).expect(0)
    other = tmp_path / "other.jsonl"
    other.write_text('{"a":2.0,"o":{"x":7}}\n')
    isoform("convert", source, other, target, "--force", "--strict").expect(0)
    isoform("convert", target, back, "--force").expect(0)
    assert back.read_bytes() == source.read_bytes() + other.read_bytes()


def test_a_spelling_that_the_target_has_no_place_for_is_in_the_certificate(isoform, tmp_path):
    source, target, back = tmp_path / "in.csv", tmp_path / "out.jsonl", tmp_path / "back.csv"
    source.write_text("t,d,n,k\n9:05 PM,31-12-2020,-,a\n12:00 AM,01-02-2020,1e5,b\n")

    def told(path, kind):
        columns = harness.statement(harness.certificate_of(path))["predicate"]["content"]["typeMap"]
        return {column["name"]: column["style"].get(kind) for column in columns}

    spelled = {column["name"]: column["style"]["field"] for column in isoform("inspect", source, "--json").json()["columns"]}
    assert isoform("convert", source, target, "--json").expect(0).json()["verdict"] == "EXACT"
    assert told(target, "field") == spelled and None not in told(target, "json").values()
    isoform("convert", source, tmp_path / "parts", "--to", "jsonl", "--partition-by", "k").expect(0)
    assert told(tmp_path / "parts", "field") == spelled
    harness.remove(tmp_path / "in.csv")
    for made in (target, tmp_path / "parts"):
        isoform("verify", made).expect(0)
    spelled = {column["name"]: column["style"]["json"] for column in isoform("inspect", target, "--json").json()["columns"]}
    isoform("convert", target, back).expect(0)
    assert told(back, "json") == spelled and None not in told(back, "field").values()
    isoform("verify", back).expect(0)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Jan 1 2000,x\nJan 2 2000,y\n", 2),
        ("x,1/15/2024 3:45 PM\ny,1/16/2024 3:45 PM\n", 2),
        ("3:45 PM,x\n3:46 PM,y\n", 2),
        ("day,x\nJan 2 2000,y\n", 1),
        ("name,Jan 5 2024,Jan 6 2024\na,1,2\n", 1),
    ],
)
def test_dates_in_the_first_record_are_values_where_those_below_are(isoform, tmp_path, text, rows):
    (tmp_path / "a.csv").write_text(text)
    assert isoform("--json", "inspect", tmp_path / "a.csv").expect(0).json()["rows"] == rows


def test_dates_with_points_and_the_year_first_are_dates_and_come_back(isoform, tmp_path):
    rows = [("2024.01.31", "2024.01.31 09:05", "2024.1.31", "2024.01"), ("1999.12.05", "1999.12.05 23:59", "2024.10.5", "2024.10")]
    text = "d,t,v,n\n" + "".join(",".join(row) + "\n" for row in rows)
    (tmp_path / "a.csv").write_text(text)
    assert "EXACT" in isoform("convert", tmp_path / "a.csv", tmp_path / "a.parquet").expect(0).out
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert [str(field.type) for field in table.schema] == ["date32[day]", "timestamp[us]", "string", "decimal128(18, 2)"]
    assert [day.isoformat() for day in table["d"].to_pylist()] == ["2024-01-31", "1999-12-05"]
    isoform("convert", tmp_path / "a.parquet", tmp_path / "back.csv").expect(0)
    assert (tmp_path / "back.csv").read_text() == text
    told = isoform("inspect", tmp_path / "a.csv", "--why", "v").expect(0).out
    assert "no zero before the day or the month, so it may be a version" in told


def test_records_without_the_given_type_are_set_aside(isoform, tmp_path):
    rows = [f"{n},ok,{n % 28 + 1:02}.01.2024" for n in range(1, 20_001)]
    bad = {3: "x,ok,01.01.2024", 9_000: '300,"a ""b"", c",01.01.2024', 20_000: "1,ok,31.02.2024"}
    for record, row in bad.items():
        rows[record - 1] = row
    rows = [row if at + 1 in bad else f"{(at + 1) % 100},{row.split(',', 1)[1]}" for at, row in enumerate(rows)]
    (tmp_path / "in.csv").write_text("id,word,day\n" + "\n".join(rows) + "\n")
    given = ["--type", "id=int8", "--type", "day=date:%d.%m.%Y"]
    isoform("convert", tmp_path / "in.csv", tmp_path / "no.parquet", *given).expect(9)
    aside = ["--rejects", tmp_path / "bad.jsonl"]
    done = isoform("convert", tmp_path / "in.csv", tmp_path / "out.parquet", *given, *aside).expect(0)
    assert "PARTIAL" in done.out and "3 bad records" in done.out
    kept = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [(line["record"], line["text"]) for line in kept] == list(bad.items())
    text = (tmp_path / "in.csv").read_bytes()
    assert all(text[line["byte"]:].startswith(line["text"].encode()) for line in kept)
    for line, part in zip(kept, ['column "id": "x" is neither', 'column "id": "300" is beyond what int8 holds',
                                 'column "day": "31.02.2024" is no day or time that there is, read by the pattern']):
        assert line["reason"].startswith(part), line
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table.num_rows == 19_997 and [str(field.type) for field in table.schema] == ["int8", "string", "date32[day]"]
    isoform("verify", tmp_path / "out.parquet").expect(0)
    # A reason shows the beginning of a long field.
    (tmp_path / "long.csv").write_text("b,c\n" + "zq" * 100_000 + ",1\n0x00,2\n")
    isoform("convert", tmp_path / "long.csv", tmp_path / "long.parquet", "--type", "b=binary", *aside, "--force").expect(0)
    line, = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert line["reason"].endswith('…" is no value of type binary') and len(line["reason"]) < 100
    # What fields must agree on is no fault of one record.
    (tmp_path / "two.csv").write_text("day\n2024-01-31\n31.01.2024\n")
    done = isoform("convert", tmp_path / "two.csv", tmp_path / "two.parquet", "--type", "day=date", *aside, "--force")
    assert "record 2" in done.expect(9).err


@pytest.mark.parametrize("text, given, record, reason, aside", [
    ("d;e\n1.2.2024;1\n31.02.2024;2\n", "d=date:%d.%m.%Y", 2, "is no day or time that there is", True),
    ("d;e\n2020.01.31;1\n1500.01.31;2\n", "d=date", 2, "has no year from 1600 to 2299", True),
    ("d;e\n31.01.2024;1\n2024-01-31;2\n", "d=date", 2, "is a date in another pattern or order", False),
    ("d;e\n1,5;1\n7;2\n2.5;3\n", "d=float64", 3, "has another decimal mark than a value before it", False),
    ("d;e\n01/02/2024;1\n03/04/2024;2\n", "d=date", 1, "(every date fits both orders of day and month", False),
    ("d;e\n1;1\n300;2\n", "d=int8", 2, "is no value of int8, or beyond what it holds", True),
    ("d;e\n" + "1.2.2024;1\n" * 140_000 + "1.2.;ü\n1;1\n", "d=date:%d.%m.%Y", 140_001, "does not fit the pattern", True),
])
def test_the_place_of_a_wrong_type_is_that_of_the_reason(isoform, tmp_path, text, given, record, reason, aside):
    source, target, rejects = tmp_path / "in.csv", tmp_path / "out.parquet", tmp_path / "bad.jsonl"
    command = ("convert", source, target, "--type", given)
    for encoding in ("utf-8", "utf-16-le"):
        mark = "\ufeff" if encoding != "utf-8" else ""
        source.write_bytes((mark + text).encode(encoding))
        told = isoform(*command).expect(9).err
        byte = len((mark + "".join(text.splitlines(keepends=True)[:record])).encode(encoding))
        assert f'in.csv, record {record}, column "d", byte {byte}: ' in told and reason in told, told
        assert "(record" not in told and ("--rejects" in told) == aside, told
    # What is advised helps, and what was followed is not advised again.
    told = isoform(*command, "--rejects", rejects).expect(0 if aside else 9).err
    assert aside == rejects.exists() and "--rejects" not in told, told
    # Records are those of the source, of several.
    if "mark" in reason:
        return
    source.write_text(text)
    before = tmp_path / "before.csv"
    before.write_text("e;d\n8;\n9;\n")
    told = isoform("convert", before, source, target, "--union", "--force", "--type", given).expect(9).err
    byte = len("".join(text.splitlines(keepends=True)[:record]).encode())
    assert f'in.csv, record {record}, column "d", byte {byte}: ' in told and reason in told, told


@pytest.mark.parametrize("field", ["5.1.24 9:05", "31.12.24", "12/31/24", "5-Jan-24", "31.12.24 10:00:00Z", "1/25/90 3:45 PM"])
def test_the_pattern_that_is_offered_for_a_short_year_reads_it(isoform, tmp_path, field):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text(f"d\n{field}\n")
    why = isoform("inspect", source, "--header", "yes", "--why", "d").expect(0).out
    option = shlex.split(why.split(", as in ")[1])[:2]
    given = [option[0], option[1].replace("COLUMN", "d")]
    assert "EXACT" in isoform("convert", source, target, "--header", "yes", *given).expect(0).out
    isoform("convert", target, tmp_path / "back.csv").expect(0)
    assert (tmp_path / "back.csv").read_text() == source.read_text()


def test_versions_are_no_dates(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("v,d\n5.1.2600,5.1.2024\n6.1.7601,31.12.9999\n")
    document = isoform("--json", "inspect", tmp_path / "a.csv").expect(0).json()
    assert [column["type"] for column in document["columns"]] == ["text", "date"]
    told = isoform("inspect", tmp_path / "a.csv", "--why", "v").expect(0).out
    assert "it may be a version" in told


def test_points_of_thousands_are_no_decimal_points_beside_decimal_commas(isoform, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("Ort;Einwohner;Anteil;Breite\nA;987;1,5;52.1\nB;1.234;2,5;48.137\nC;12.345;3,25;50.9\n")
    told = isoform("convert", source, tmp_path / "out.parquet").expect(0)
    assert '"Einwohner": text, since points may separate thousands here, as record 1 of "Anteil", "1,5", shows' in told.out
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table["Einwohner"].to_pylist() == ["987", "1.234", "12.345"]
    # Points that are behind other digits are decimal marks.
    assert table["Anteil"].to_pylist() == [1.5, 2.5, 3.25] and table["Breite"].to_pylist() == [52.1, 48.137, 50.9]
    told = isoform("inspect", source, "--why", "Einwohner").expect(0).out
    assert "--type COLUMN=float64 reads them as decimal marks" in told
    isoform("verify", tmp_path / "out.parquet").expect(0)
    # What is said to read them does, and leaves the other columns as they are.
    source.write_text(source.read_text().replace("A;987", "A;9.875"))
    told = isoform("inspect", source, "--why", "Einwohner").expect(0).out
    assert "--type 'COLUMN=decimal(18, 3)' reads them as decimal marks" in told
    isoform("convert", source, tmp_path / "told.parquet", "--type", "Einwohner=decimal(18, 3)").expect(0)
    found = pyarrow.parquet.read_table(tmp_path / "told.parquet")
    assert [float(value) for value in found["Einwohner"].to_pylist()] == [9.875, 1.234, 12.345]
    assert found["Anteil"].to_pylist() == [1.5, 2.5, 3.25]
    isoform("convert", source, tmp_path / "points.parquet", "--decimal-comma=false").expect(0)
    assert pyarrow.parquet.read_table(tmp_path / "points.parquet")["Einwohner"].to_pylist() == [decimal.Decimal(text) for text in ("9.875", "1.234", "12.345")]
    # Without decimal commas nothing speaks for thousands, and where commas may be decimal marks, nothing against them.
    source.write_text("a;b\n1.234;x\n2.345;y\n")
    told = isoform("convert", source, tmp_path / "other.parquet").expect(0).out
    assert '"a": points are read as decimal marks, though each may separate thousands; --type COLUMN=text' in told
    assert [float(value) for value in pyarrow.parquet.read_table(tmp_path / "other.parquet")["a"].to_pylist()] == [1.234, 2.345]


@pytest.mark.parametrize("text, kept, told", [
    # Where both marks are in one number, the column is text itself.
    ("a;Menge;Umsatz\nA;1.200;12.345,50\nB;3.450;2.000,00\nC;12.000;950,10\n", ["1.200", "3.450", "12.000"], "points"),
    ("a;Menge;Umsatz\nA;1,200;12,345.50\nB;3,450;2,000.00\n", ["1,200", "3,450"], "commas"),
    ("Menge;b\n1,234;2.5\n5,678;3.75\n", ["1,234", "5,678"], "commas"),
    ("Menge;b\n1.000;01,5\n2.000;02,5\n", ["1.000", "2.000"], "points"),
    ("Menge;b\n1.234;2,5\n2.345;k. A.\n", ["1.234", "2.345"], "points"),
    ("Menge;b\n1.234;2,5 %\n2.345;12.345,50 EUR\n", ["1.234", "2.345"], "points"),
    # White space, signs and units beside numbers hide nothing.
    ("Menge; b\n1.234; 2,5\n2.345; 3,5\n", ["1.234", "2.345"], "points"),
    ("Menge;b\n1.234;1.234.567\n2.345; 3\n", ["1.234", "2.345"], "points"),
    ("Menge;b\n1.234;2,50 EUR\n2.345;3,5%\n", ["1.234", "2.345"], "points"),
    ("Menge;b\n1.234;1 234,50\n2.345;2,50-\n", ["1.234", "2.345"], "points"),
    # So it is whatever delimits, where nobody told the mark.
    ('Menge,b\n1.234,"2,5"\n', ["1.234"], "points"), ("Menge\tb\n1.234\t12.345,50\n", ["1.234"], "points"),
])
def test_marks_that_separate_thousands_in_one_column_are_decimal_marks_in_none(isoform, tmp_path, text, kept, told):
    source = tmp_path / "in.csv"
    source.write_text(text)
    done = isoform("convert", source, tmp_path / "out.parquet").expect(0)
    assert f'"Menge": text, since {told} may separate thousands' in done.out and "is the decimal mark of \"Menge\"" not in done.out
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet")["Menge"].to_pylist() == kept
    isoform("verify", tmp_path / "out.parquet").expect(0)
    # What comes back as CSV is read alike.
    isoform("convert", tmp_path / "out.parquet", tmp_path / "back.csv").expect(0)
    isoform("convert", tmp_path / "back.csv", tmp_path / "again.parquet").expect(0)
    assert pyarrow.parquet.read_table(tmp_path / "again.parquet")["Menge"].to_pylist() == kept


def test_lists_and_large_numbers_beside_decimal_points_change_nothing(isoform, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text('Breite,Bevölkerung,Arten\n48.137,"1,512,491","1,2"\n52.519,"3,645","1,2,3"\n')
    done = isoform("convert", source, tmp_path / "out.parquet").expect(0)
    assert "may separate thousands" not in done.out
    assert [str(value) for value in pyarrow.parquet.read_table(tmp_path / "out.parquet")["Breite"].to_pylist()] == ["48.137", "52.519"]


def test_whether_marks_separate_thousands_does_not_depend_on_where_a_field_lies(isoform, tmp_path):
    rows = ["%d.%03d;%d,%d;;x" % (k % 9 + 1, k % 100 * 10 + k % 9 + 1, k % 7, k % 9 + 1) for k in range(140_000)]
    plain = ["%d.%03d;7;;x" % (k % 9 + 1, k % 100 * 10 + k % 9 + 1) for k in range(140_000)]
    few, many = (["1.234;7;remark;x"] * count + plain[count:70_000] for count in (9, 10))
    cases = {
        # A point that is a decimal mark, and numbers that show what points are, in the middle of three chunks.
        "decimal": (rows[:70_000] + ["2.5;1,5;;x"] + rows[70_000:], "float64", None), "grouped": (rows, "text", "shows"),
        "shown": (few + ["1.234;7;12.345,50;x"] + plain[70_000:], "text", "record 70001 of \"c\", \"12.345,50\", shows"),
        # One among more remarks decides nothing, and is told.
        "remark": (many + ["1.234;7;12.345,50;x"] + plain[70_000:], "decimal(18, 3)", "\"12.345,50\", suggests"),
        "plain": (plain, "decimal(18, 3)", "though each may separate thousands; --type"),
    }
    for name, (rows, ty, said) in cases.items():
        def write(path, rows):
            path.write_text("a;b;c;d\n" + "".join(row + "\n" for row in rows))
            return path

        whole = write(tmp_path / f"{name}.csv", rows)
        parts = [write(tmp_path / f"{name}-{at}.csv", rows[from_:to]) for at, (from_, to) in enumerate([(0, 100_500), (100_500, None)])]
        document = isoform("--json", "inspect", whole).expect(0).json()
        assert document["columns"][0]["type"] == ty, name
        planned = isoform("--json", "plan", whole, tmp_path / "plan.parquet").expect(0).json()
        assert planned["columns"][0]["type"] == ty, name
        for sources, options in [([whole], []), (parts, []), ([whole], ["--partition-by", "d"])]:
            target = tmp_path / f"{name}{len(sources)}{len(options)}{'' if options else '.parquet'}"
            done = isoform("convert", *sources, target, *options, "--to", "parquet").expect(0)
            assert ("may separate thousands" in done.out) == (said is not None) and (said or "") in done.out, name
            if not options:
                found = isoform("--json", "inspect", target).expect(0).json()
                assert found["columns"][0]["type"] == ty and found["content"] == document["content"], name
            isoform("verify", target).expect(0)
        isoform("compare", whole, tmp_path / f"{name}10.parquet").expect(0)


def test_one_number_in_a_column_of_remarks_makes_no_column_text(isoform, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    remarks = ['"3,5"' if at == 700 else "ok" for at in range(1_000)]
    source.write_text("t,v,note\n" + "".join(f"{at},{at % 90 + 10}.{at % 900 + 100},{remarks[at]}\n" for at in range(1_000)))
    told = isoform("convert", source, target).expect(0).out
    assert '"v": points are read as decimal marks' in told and 'as record 701 of "note", "3,5", suggests' in told
    assert pyarrow.parquet.read_table(target)["v"].to_pylist()[:2] == [decimal.Decimal("10.100"), decimal.Decimal("11.101")]
    isoform("convert", source, target, "--type", "v=text", "--force").expect(0)
    assert pyarrow.parquet.read_table(target)["v"].to_pylist()[:2] == ["10.100", "11.101"]


@pytest.mark.parametrize("field", ["+2,5", "00,5", "3,"])
def test_commas_of_a_text_that_semicolons_delimit_are_read_where_values_count(isoform, tmp_path, field):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text(f"b;c\n{field};x\n3,50;y\n")
    told = isoform("convert", source, target).expect(0).out
    assert "--decimal-comma reads it" not in told
    assert "has a comma" not in isoform("inspect", source, "--why", "b").expect(0).out
    values = [float(field.replace(",", ".")), 3.5]
    for options in (["--types", "value"], ["--type", "b=float64"]):
        told = isoform("convert", source, target, *options, "--force").expect(0).out
        assert "how float64 is written" in told and pyarrow.parquet.read_table(target)["b"].to_pylist() == values
        isoform("verify", target).expect(0)
    source.write_text("b;c\n+2,5;x\n3.50;y\n")
    isoform("convert", source, target, "--types", "value", "--force").expect(0)
    assert pyarrow.parquet.read_table(target)["b"].to_pylist() == ["+2,5", "3.50"], "two marks are none"


def test_a_record_of_several_sources_is_told_by_its_source(isoform, tmp_path):
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("a;b;c\n" + "5;1.234;7\n" * 30)
    other.write_text("a;b;c\n" + "5;1.234;7\n" * 30 + "x;2.345;12,5\n")
    told = isoform("convert", one, other, tmp_path / "out.parquet").expect(0).out
    assert f'"a" stays text: {other}, record 31: "x"' in told, told
    assert f'as {other}, record 31 of "c", "12,5", shows' in told, told


@pytest.mark.parametrize("fields, options, kept", [
    (["1.50", "2049"], ["--type", "x=float16"], None),
    (["1.50", "70000"], ["--type", "x=float16"], None),
    (["1.50", "2048"], ["--type", "x=float16"], [1.5, 2048]),
    (["1.50", "16777217"], ["--type", "x=float32"], None),
    (["1.50", "0.123456789"], ["--type", "x=float32"], None),
    (["1.50", "0.123456791"], ["--type", "x=float32"], [1.5, 0.12345679104328156]),
    (["1.50", "9007199254740993"], ["--type", "x=float64"], None),
    (["1.50", "9007199254740993"], ["--types", "value"], ["1.50", "9007199254740993"]),
    (["+1.5", "1e-400"], ["--types", "value"], ["+1.5", "1e-400"]),
    (["+1.5", "0.10000000000000001"], ["--types", "value"], [1.5, 0.1]),
])
def test_a_number_whose_text_is_not_kept_is_that_number(isoform, tmp_path, fields, options, kept):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("k,x\n" + "".join(f"{row},{field}\n" for row, field in enumerate(fields)))
    isoform("convert", source, target, *options).expect(0 if kept else 9)
    if kept:
        assert pyarrow.parquet.read_table(target).column("x").to_pylist() == kept
