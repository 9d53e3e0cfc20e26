"""Patterns of dates and times that are given with --type, with Python's datetime.strptime as the oracle."""

import datetime
import json
import random

import pyarrow.parquet as pq
import pytest

import harness

# Each pattern with the type that it goes with, and what writes its texts where Python's strftime does not.
PATTERNS = [
    ("date", "%d.%m.%Y"), ("date", "%d/%b/%y"), ("date", "%A, %d %B %Y"), ("date", "%Y%m%d"), ("date", "%D"),
    ("timestamp", "%d.%m.%Y %H:%M"), ("timestamp", "%d/%b/%y %H:%M"), ("timestamp", "%m/%d/%Y %I:%M:%S %p"),
    ("timestamp[us]", "%F %T.%f"), ("timestamp[s]", "%a %b %d %H:%M:%S %Y"), ("timestamp[ms, UTC]", "%FT%TZ"),
    ("time", "%H.%M"), ("time[s]", "%I:%M:%S %p"),
]


def moments(count, seed, years=(1, 9999)):
    random.seed(seed)
    first, last = datetime.date(years[0], 1, 1).toordinal(), datetime.date(years[1], 12, 31).toordinal()
    for _ in range(count):
        day = datetime.datetime.fromordinal(random.randint(first, last))
        yield day + datetime.timedelta(microseconds=random.randrange(86_400_000_000))


def python(notation):
    """The notation for Python, which has not all of the short ones."""
    for short, long in {"%D": "%m/%d/%y", "%F": "%Y-%m-%d", "%T": "%H:%M:%S"}.items():
        notation = notation.replace(short, long)
    return notation


def expected(kind, text, notation):
    moment = datetime.datetime.strptime(text, python(notation))
    if kind.startswith("date"):
        return moment.date()
    if kind.startswith("time["):
        return moment.time()
    if kind == "time":
        return moment.time()
    return moment.replace(tzinfo=datetime.timezone.utc) if "UTC" in kind else moment


def values(path, name="when"):
    return pq.read_table(path).column(name).to_pylist()


@pytest.mark.parametrize("kind, notation", PATTERNS)
def test_values_are_those_of_strptime_and_texts_come_back(isoform, tmp_path, kind, notation):
    years = (1969, 2068) if "%y" in notation or notation == "%D" else (1000, 9999)
    if "[" not in kind and kind == "timestamp":
        years = (max(years[0], 1700), min(years[1], 2200))
    texts = [moment.strftime(python(notation)) for moment in moments(400, kind + notation, years)]
    source, target, back = tmp_path / "in.csv", tmp_path / "out.parquet", tmp_path / "back.csv"
    quote = '"' if "," in notation else ""
    lines = [f"{n},{quote}{text}{quote}" for n, text in enumerate(texts)]
    source.write_text("id,when\n" + "\n".join(lines) + "\n400,\n")
    option = f"when={kind}:{notation}"
    done = isoform("convert", source, target, "--type", option).expect(0)
    assert "EXACT" in done.err + done.out and "VALUE-EXACT" not in done.err + done.out
    assert values(target) == [expected(kind, text, notation) for text in texts] + [None]
    isoform("verify", target).expect(0)
    isoform("convert", target, back).expect(0)
    assert back.read_bytes() == source.read_bytes()
    isoform("verify", back).expect(0)
    isoform("compare", source, target, "--type", option).expect(0)


def test_a_file_of_types_has_patterns_too_also_as_inspect_prints_them(isoform, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("id,when\n1,05.01.24 23:05\n2,31.12.68 00:00\n")
    (tmp_path / "types.toml").write_text('when = "timestamp:%d.%m.%y %H:%M"\n')
    isoform("convert", source, tmp_path / "a.parquet", "--types", tmp_path / "types.toml").expect(0)
    printed = isoform("inspect", source, "--json", "--type", "when=timestamp:%d.%m.%y %H:%M").expect(0)
    assert json.loads(printed.out)["columns"][1]["style"]["field"]["style"]["form"] == {"given": "%d.%m.%y %H:%M"}
    (tmp_path / "types.json").write_text(printed.out)
    isoform("convert", source, tmp_path / "b.parquet", "--types", tmp_path / "types.json").expect(0)
    wanted = [datetime.datetime(2024, 1, 5, 23, 5), datetime.datetime(2068, 12, 31)]
    assert values(tmp_path / "a.parquet") == values(tmp_path / "b.parquet") == wanted


def test_what_is_written_loosely_keeps_its_values_alone(isoform, tmp_path):
    texts = ["1.2.2024", "01.02.2024", "31.12.1999"]
    (tmp_path / "in.csv").write_text("id,when\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts)))
    option = ["--type", "when=date:%d.%m.%Y"]
    done = isoform("convert", tmp_path / "in.csv", tmp_path / "out.parquet", *option).expect(0)
    assert "VALUE-EXACT" in done.out
    lost = 'record 1: "1.2.2024" is not as it would be written by "%d.%m.%Y"'
    assert f'column "when" as date does not give back its text: {lost}' in done.out
    assert values(tmp_path / "out.parquet") == [expected("date", text, "%d.%m.%Y") for text in texts]
    isoform("verify", tmp_path / "out.parquet").expect(0)
    isoform("convert", tmp_path / "in.csv", tmp_path / "no.parquet", "--strict", *option).expect(4)


@pytest.mark.parametrize("text", ["2024-01-01", "31.02.2024", "01.02.24", "x", "01.02.2024 10:00"])
def test_a_field_that_does_not_fit_is_told_with_its_place(isoform, tmp_path, text):
    rows = "".join(f"{n},01.02.2024\n" for n in range(5000))
    (tmp_path / "in.csv").write_text(f"id,when\n{rows}5000,{text}\n")
    done = isoform("convert", tmp_path / "in.csv", tmp_path / "out.parquet", "--type", "when=date:%d.%m.%Y").expect(9)
    for part in ["in.csv", "record 5001", 'column "when"', text, "%d.%m.%Y"]:
        assert part in done.err, done.err
    assert harness.listing(tmp_path) == ["in.csv"]


@pytest.mark.parametrize("given, told", [
    ("date:%Q", "%Y %y %m"), ("date:%d.%m.%Y %H", "take the type timestamp"), ("time:%F", "no date"),
    ("int64:%F", "only the types date, time and timestamp"), ("date:%-d%m%Y", "without padding"),
])
def test_a_pattern_that_makes_no_sense_is_a_usage_error(isoform, sales, tmp_path, given, told):
    done = isoform("convert", sales, tmp_path / "out.parquet", "--type", f"ordered_on={given}").expect(2)
    assert told in done.err, done.err
