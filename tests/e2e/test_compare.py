"""compare judged by tables that pyarrow made and DuckDB joined."""

import decimal
import json
import pathlib
import random
import re
import subprocess
import time

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from PIL import Image

import harness


def rows_of(n, seed=7):
    """A table with a unique key, nulls, floats that have no short text, and text."""
    r = random.Random(seed)
    return pa.table({
        "id": pa.array(r.sample(range(10 * n), n), pa.int64()),
        "day": pa.array([r.choice([None, 18000 + i % 300]) for i in range(n)], pa.date32()),
        "x": pa.array([None if r.random() < 0.05 else r.gauss(0, 100) for _ in range(n)], pa.float64()),
        "price": pa.array([decimal.Decimal(r.randrange(10**6)).scaleb(-2) for _ in range(n)], pa.decimal128(12, 2)),
        "word": pa.array([r.choice(["", "a", "B c", "né", None]) for _ in range(n)]),
    })


def changed(table, seed=3):
    """Another order, some rows gone, some new, some cells changed; the ids of each kind."""
    r = random.Random(seed)
    rows = table.to_pylist()
    r.shuffle(rows)
    gone = [rows.pop()["id"] for _ in range(7)]
    new = [-1 - i for i in range(4)]
    rows += [dict(rows[i], id=i_new) for i, i_new in enumerate(new)]
    words = {row["id"] for row in r.sample(rows[10:-10], 23)}
    numbers = {row["id"] for row in r.sample([row for row in rows[10:-10] if row["x"] is not None], 31)}
    for row in rows:
        if row["id"] in words:
            row["word"] = "changed"
        if row["id"] in numbers:
            row["x"] += 0.25
    r.shuffle(rows)
    return pa.Table.from_pylist(rows, schema=table.schema), gone, new, words, numbers


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    table = rows_of(20_000)
    other, *facts = changed(table)
    pq.write_table(table, folder / "left.parquet")
    pa.feather.write_feather(other, folder / "right.arrow")
    return folder, table, other, facts


def test_by_key_finds_what_a_join_finds(isoform, pair):
    folder, left, right, (gone, new, words, numbers) = pair
    said = isoform("compare", folder / "left.parquet", folder / "right.arrow", "--key", "id", "--json").expect(4).json()
    connection = duckdb.connect()
    connection.register("l", left)
    connection.register("r", right)
    pairs, xs, ws = connection.execute(
        "select count(*), count(*) filter (l.x is distinct from r.x), count(*) filter (l.word is distinct from r.word)"
        " from l join r using (id)").fetchone()
    by_name = {column["name"]: column for column in said["columns"]}
    assert said["mode"] == "key" and said["key"] == ["id"]
    assert said["pairs"] == pairs == 20_000 - len(gone)
    assert by_name["x"]["differing"] == xs == len(numbers)
    assert by_name["word"]["differing"] == ws
    assert by_name["price"]["differing"] == by_name["day"]["differing"] == 0
    assert said["alone"]["left"]["count"] == len(gone) and said["alone"]["right"]["count"] == len(new)
    shown = {int(cell["value"]) for row in said["alone"]["left"]["rows"] for cell in row["cells"] if cell["column"] == "id"}
    assert shown == set(gone)
    ids = left.column("id").to_pylist()
    for row in said["rows"]:
        assert int(row["key"][0]) == ids[row["row"] - 1] == right.column("id")[row["rightRow"] - 1].as_py()
        assert int(row["key"][0]) in words | numbers
    places = [row["row"] for row in said["rows"]]
    first = sorted(i + 1 for i, at in enumerate(ids) if at in numbers | {w for w in words})
    assert len(places) == 10 and set(places) <= set(first) and places == sorted(places)


def test_the_answer_does_not_depend_on_memory(isoform, pair):
    folder, *_ = pair
    for options in (["--key", "id"], ["--key", "id", "--tolerance", "1"], ["--unordered"]):
        said = [
            isoform("compare", folder / "left.parquet", folder / "right.arrow", *options, "--json", "--memory", memory)
            .expect(4).json()
            for memory in ("96MiB", "2GiB")
        ]
        assert said[0] == said[1]


def test_by_key_with_a_tolerance(isoform, pair):
    folder, left, right, (gone, new, words, numbers) = pair
    same = right.filter(pa.compute.is_in(right["id"], left["id"]))
    mine = left.filter(pa.compute.is_in(left["id"], same["id"]))
    pq.write_table(same, folder / "same.parquet")
    pq.write_table(mine, folder / "mine.parquet")
    run = ["compare", folder / "mine.parquet", folder / "same.parquet", "--key", "id", "--json"]
    said = isoform(*run, "--tolerance", "x=0.2500001").expect(4).json()
    x = next(column for column in said["columns"] if column["name"] == "x")
    assert x["differing"] == x["within"] == said["within"] == len(numbers)
    assert x["tolerance"] == {"absolute": 0.2500001, "relative": 0.0}
    connection = duckdb.connect()
    connection.register("l", mine)
    connection.register("r", same)
    scale, squares, largest = connection.execute(
        "select (select sqrt(avg(x * x)) from l), sum((l.x - r.x) ** 2), max(abs(l.x - r.x)) from l join r using (id)"
    ).fetchone()
    assert x["scale"] == pytest.approx(scale) and x["maxAbs"] == largest
    assert x["d"] == pytest.approx(squares**0.5 / scale)
    differing_words = next(column for column in said["columns"] if column["name"] == "word")["differing"]
    assert said["d"] == pytest.approx((x["d"] ** 2 + differing_words) ** 0.5)
    assert not any(cell["column"] == "x" for row in said["rows"] for cell in row["cells"])
    assert isoform(*run, "--tolerance", "x=0.1").expect(4).json()["within"] == 0


def test_tolerances(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("k,p,q,n\n1,1.00,1000.0,5\n2,2.00,2000.0,6\n3,,nan,7\n")
    (tmp_path / "b.csv").write_text("k,p,q,n\n1,1.01,1000.5,5\n2,2.00,1999.0,6\n3,,nan,7\n")
    run = ["compare", tmp_path / "a.csv", tmp_path / "b.csv"]
    isoform(*run).expect(4)
    isoform(*run, "--tolerance", "0.01").expect(4)
    isoform(*run, "--tolerance", "0.01", "--tolerance", "rel:1e-3").expect(0)
    isoform(*run, "--tolerance", "p=0.01", "--tolerance", "q=rel:0.0005").expect(0)
    isoform(*run, "--tolerance", "p=0.009", "--tolerance", "10").expect(4)
    done = isoform(*run, "--tolerance", "1").expect(0)
    assert "equal within the tolerance" in done.out and "largest difference 1," in done.out
    (tmp_path / "c.csv").write_text("k,p,q,n\n1,1.00,1000.0,5\n2,2.00,2000.0,6\n3,0.00,nan,7\n")
    isoform("compare", tmp_path / "a.csv", tmp_path / "c.csv", "--tolerance", "1000").expect(4)


def test_a_small_distance_is_not_told_as_none(isoform, tmp_path):
    for name, value in (("a", 1000.0), ("b", 1000.001)):
        pq.write_table(pa.table({"x": [1000.0, value]}), tmp_path / f"{name}.parquet")
    run = ["compare", tmp_path / "a.parquet", tmp_path / "b.parquet", "--tolerance", "0.0001"]
    told = re.findall(r"(?:d =|largest difference) ([0-9.e-]+)", isoform(*run).expect(4).out)
    found = isoform(*run, "--json").expect(4).json()
    expected = [found["d"], found["columns"][0]["maxAbs"], found["columns"][0]["d"]]
    assert [float(number) for number in told] == pytest.approx(expected, rel=1e-3) and 0 < found["d"] < 1e-5


@pytest.mark.parametrize("options, word", [
    (["--unordered", "--key", "id"], "pair"),
    (["--unordered", "--tolerance", "1"], "--key"),
    (["--tolerance", "x"], "NUMBER"),
    (["--tolerance", "word=1"], "text"),
    (["--tolerance", "none=1"], "none"),
    (["--key", "none"], "price"),
    (["--key", "id,"], "empty"),
    (["--key", "id", "--tolerance", "id=1"], "key"),
    (["--memory", "1MiB"], "96MiB"),
])
def test_what_makes_no_sense_is_refused(isoform, pair, options, word):
    folder, *_ = pair
    done = isoform("compare", folder / "left.parquet", folder / "right.arrow", *options).expect(2)
    assert word in done.err


def test_a_key_that_occurs_twice(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("a,b,c\n1,1,x\n1,2,y\n,1,z\n")
    (tmp_path / "b.csv").write_text("a,b,c\n,1,z\n1,2,y\n1,1,x\n")
    run = ["compare", tmp_path / "a.csv", tmp_path / "b.csv", "--key"]
    done = isoform(*run, "a").expect(9)
    assert "a.csv, record 2" in done.err and "record 1" in done.err and 'a = "1"' in done.err
    isoform(*run, "a,b").expect(0)
    isoform(*run, "a", "--key", "b").expect(0)
    (tmp_path / "comma.csv").write_text('"a,b",c\n1,x\n2,y\n')
    isoform("compare", tmp_path / "comma.csv", tmp_path / "comma.csv", "--key", "a,b").expect(0)


def test_unordered(isoform, pair, tmp_path):
    folder, left, right, _ = pair
    shuffled = left.take(pa.array(random.Random(1).sample(range(len(left)), len(left))))
    pq.write_table(shuffled, tmp_path / "shuffled.parquet")
    same = isoform("compare", folder / "left.parquet", tmp_path / "shuffled.parquet", "--unordered", "--json").expect(0).json()
    assert same["multisets"]["left"] == same["multisets"]["right"] and same["d"] == 0
    said = isoform("compare", folder / "left.parquet", folder / "right.arrow", "--unordered", "--json").expect(4).json()
    connection = duckdb.connect()
    connection.register("l", left)
    connection.register("r", right)
    for side, query in (("left", "l except all from r"), ("right", "r except all from l")):
        mine, theirs = query.split(" except all from ")
        (wanted,) = connection.execute(f"select count(*) from (from {mine} except all from {theirs})").fetchone()
        assert said["alone"][side]["count"] == wanted > 0
        assert len(said["alone"][side]["rows"]) == 10
    assert said["multisets"]["left"] == same["multisets"]["left"] != said["multisets"]["right"]


def test_unordered_counts_equal_rows(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,x\n1,x\n2,y\n1,x\n")
    (tmp_path / "b.csv").write_text("a,b\n2,y\n1,x\n2,y\n2,y\n")
    said = isoform("compare", tmp_path / "a.csv", tmp_path / "b.csv", "--unordered", "--json").expect(4).json()
    assert said["alone"]["left"] == {"count": 2, "rows": [
        {"row": 1, "times": {"left": 3, "right": 1}, "cells": [{"column": "a", "value": "1"}, {"column": "b", "value": "x"}]}]}
    assert said["alone"]["right"]["count"] == 2 and said["alone"]["right"]["rows"][0]["times"] == {"left": 1, "right": 3}


def test_text_is_read_under_the_types_of_the_other_side(isoform, pair, tmp_path):
    folder, left, *_ = pair
    typed = pa.table({
        "i": pa.array([1, 2, None], pa.int16()), "f": pa.array([0.1, 1e30, None], pa.float32()),
        "t": pa.array([0, 1, None], pa.timestamp("ms")), "s": ["007", "", "né"],
    })
    pq.write_table(typed, tmp_path / "t.parquet")
    names = ["t.parquet"]
    for name in ("t.csv", "t.jsonl", "t.arrow", "t.avro", "t.tsv.gz"):
        isoform("convert", tmp_path / "t.parquet", tmp_path / name).expect(0)
        names.append(name)
    for a in names:
        for b in names:
            for options in ([], ["--unordered"], ["--key", "s"]):
                isoform("compare", tmp_path / a, tmp_path / b, *options).expect(0)


def test_text_that_does_not_fit_the_types_of_the_other_side(isoform, tmp_path):
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("a,b\n1,x\ntwo,y\n")
    (tmp_path / "t.jsonl").write_text('{"a":1,"b":"x"}\n{"a":"two","b":"y"}\n')
    for text in ("t.csv", "t.jsonl"):
        for pair in ((text, "t.parquet"), ("t.parquet", text)):
            said = isoform("compare", *(tmp_path / name for name in pair), "--json").expect(4).json()
            assert (said["differing"], said["cells"]) == (1, 4)
            (row,) = said["rows"]
            shown = {row["cells"][0][side].strip('"') for side in ("left", "right")}
            assert shown == {"2", "two"}


def test_columns_rows_and_values_are_explained(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("id,name,old\n1,x,5\n2,y,6\n3,z,7\n")
    (tmp_path / "b.csv").write_text("name,id,new,more\nx,1,5,0\ny,2,6,0\n")
    done = isoform("compare", tmp_path / "a.csv", tmp_path / "b.csv").expect(4)
    for word in ('"old"', '"new"', '"more"', "another order: name, id", "the left has 3 rows and the right 2", "--key"):
        assert word in done.out, done.out
    assert 'id = "3"' in done.out
    long = "word " * 4000
    (tmp_path / "c.csv").write_text(f"a\n{long}left\n")
    (tmp_path / "d.csv").write_text(f"a\n{long}right\n")
    done = isoform("compare", tmp_path / "c.csv", tmp_path / "d.csv").expect(4)
    assert "left" in done.out and "right" in done.out and len(done.out) < 1000
    many = isoform("compare", tmp_path / "a.csv", tmp_path / "b.csv", "--show", 0, "--json").expect(4).json()
    assert many["rows"] == [] and many["alone"]["left"] == {"count": 1, "rows": []}


def test_a_reader_that_has_enough(isoform, pair):
    folder, *_ = pair
    command = " ".join(map(str, isoform.command("compare", folder / "left.parquet", folder / "right.arrow", "--show", 9999)))
    done = subprocess.run(f"{command} | head -n 1", shell=True, env=isoform.environment, capture_output=True)
    assert done.stderr == b"" and done.stdout.count(b"\n") == 1


def high_water(pid):
    """The most memory that a running process has had, in bytes; 0 once it is over."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    # Before it becomes the program, the process is a copy of this one.
    return int(found[1]) << 10 if found and status.startswith("Name:\tisoform\n") else 0


def test_tables_larger_than_memory(isoform, tmp_path):
    n = 900_000
    r = np.random.default_rng(5)
    text = np.char.add("text that makes the rows of this table long, and longer still: ", r.integers(0, 10**12, n).astype(str))
    left = pa.table({"id": r.permutation(n), "text": text, "number": r.normal(size=n)})
    numbers = left["number"].to_numpy().copy()
    numbers[::90_000] += 1
    order = r.permutation(n)
    right = left.set_column(2, "number", pa.array(numbers)).take(pa.array(order)).slice(3)
    assert left.nbytes + right.nbytes > 150 << 20, "the rows are more than the memory given below"
    pq.write_table(left, tmp_path / "l.parquet")
    pq.write_table(right, tmp_path / "r.parquet")
    for options in (["--key", "id"], ["--unordered"]):
        command = isoform.command("compare", tmp_path / "l.parquet", tmp_path / "r.parquet", *options, "--memory", "112MiB", "--json")
        with open(tmp_path / "out.json", "wb") as out:
            process = subprocess.Popen(command, env=isoform.environment, stdout=out)
            peak = 0
            while process.poll() is None:
                peak = max(peak, high_water(process.pid))
                time.sleep(0.005)
        assert 20 << 20 < peak < 112 << 20, f"{options}: {peak >> 20} MiB"
        out = (tmp_path / "out.json").read_bytes()
        said = json.loads(out)
        if options[0] == "--key":
            assert said["pairs"] == n - 3 and 7 <= said["differing"] <= 10
            assert said["alone"]["left"]["count"] == 3 and said["alone"]["right"]["count"] == 0
        else:
            assert 10 <= said["alone"]["left"]["count"] <= 13


def test_a_column_of_nulls_alone_equals_what_it_became(isoform, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("a,b\nNA,1\nNA,2\n")
    for ending in ("parquet", "arrow", "avro"):
        target = tmp_path / f"out.{ending}"
        isoform("convert", source, target).expect(0)
        for more in ([], ["--unordered"], ["--key", "b"]):
            isoform("compare", source, target, *more).expect(0)
            isoform("compare", target, source, *more).expect(0)


WIDE = {
    "years": {"country": ["US", "DE"], "2019": [1, 3], "2020": [2, 4]},
    "days": {"what": ["a", "b"], "2024-01-01": [1.5, 2.5], "true": [True, False]},
    "a name that comes again": {"x": ["x", "y"], "b": ["q", "r"]},
    "a column": {"5": [1, 2, 3]},
}


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz"])
@pytest.mark.parametrize("name", WIDE)
def test_text_of_our_own_is_the_table_that_was_written(isoform, tmp_path, name, ending):
    source, text, back = tmp_path / "wide.parquet", tmp_path / f"wide.{ending}", tmp_path / "back.parquet"
    pq.write_table(pa.table(WIDE[name]), source)
    told = isoform("convert", source, text, "--json").expect(0).json()
    isoform("compare", source, text).expect(0)
    isoform("compare", text, source).expect(0)
    guessed = [note for note in told["notes"] if "to read it, give --header yes" in note]
    options = ("--header", "yes") if guessed else ()
    assert bool(guessed) == (name == "a name that comes again"), told["notes"]
    isoform("convert", text, back, *options).expect(0)
    assert pq.read_table(back).to_pydict() == WIDE[name]


def test_what_is_more_than_bytes_on_one_side_is_not_compared_as_bytes_unasked(isoform, sales, tmp_path):
    """The answer would be about layouts; --from bytes asks for it."""
    table, image, array = tmp_path / "t.parquet", tmp_path / "p.png", tmp_path / "a.npy"
    isoform("convert", sales, table).expect(0)
    Image.new("L", (4, 3)).save(image)
    np.save(array, np.zeros((2, 3)))
    plain, other, folder = tmp_path / "sales_csv", tmp_path / "other", tmp_path / "folder"
    plain.write_bytes(pathlib.Path(sales).read_bytes())
    other.write_bytes(b"something else")
    lines = tmp_path / "t.jsonl"
    isoform("convert", sales, lines).expect(0)
    folder.mkdir()
    (folder / "one.parquet").write_bytes(table.read_bytes())
    for left, right, words in [
        (plain, table, [f"{plain}: neither its bytes nor its name tell a format", "t.parquet is a table (parquet)", "--from csv"]),
        (plain, lines, ["is a table (jsonl)", "such as --from jsonl"]),
        (table, plain, [f"{plain}: neither its bytes nor its name tell a format"]),
        (folder, plain, [f"{plain}: neither its bytes nor its name tell a format", f"{folder} is a table (parquet)"]),
        (image, harness.certificate_of(table), ["p.png is an image (png)", "--from bytes"]),
        (array, other, ["a.npy is a container of arrays (npy)"]),
        (image, sales, ["p.png is an image (png)", "is a table (csv)", "--from bytes"]),
        (folder, image, [f"{folder} is a table (parquet)", "p.png is an image (png)"]),
    ]:
        told = isoform("compare", left, right).expect(2).err
        assert all(word in told for word in words), told
    isoform("compare", plain, table, "--from", "csv").expect(0)
    isoform("compare", folder, plain, "--from", "csv").expect(0)
    for options in ([], ["--from", "bytes"]):
        told = isoform("compare", plain, other, *options).expect(4).out
        assert told.splitlines()[1] == "  compared as bytes, without what wraps them"
    assert isoform("compare", plain, table, "--from", "bytes", "--json").expect(4).json()["model"] == "bytes"
    # What is wrapped is bytes, whatever is in it.
    isoform("convert", image, tmp_path / "p.png.zst").expect(0)
    assert isoform("compare", image, tmp_path / "p.png.zst", "--json").expect(0).json()["model"] == "bytes"


def test_text_that_a_tolerance_is_not_about_is_named(isoform, tmp_path):
    left, right = tmp_path / "a.csv", tmp_path / "b.csv"
    left.write_text("id,price,word\n1,12.50,x\n2,3.00,y\n3,NaN,z\n")
    right.write_text("id,price,word\n1,12.51,x\n2,3.00,y\n3,NaN,z\n")
    done = isoform("compare", left, right, "--tolerance", "0.02").expect(4)
    assert 'note: "price" is text, which --tolerance is not about' in done.out and "--type price=float64" in done.out
    assert '"word"' not in done.out
    notes = isoform("compare", left, right, "--tolerance", "0.02", "--json").expect(4).json()["notes"]
    assert "--type price=float64" in notes[0]
    refused = isoform("compare", left, right, "--tolerance", "price=0.02").expect(2).err
    assert "holds text" in refused and "--type price=float64" in refused
    isoform("compare", left, right, "--tolerance", "price=0.02", "--type", "price=float64").expect(0)
    told = isoform("inspect", left, "--why", "price").expect(0).out
    assert '"NaN"' in told and "--type COLUMN=float64" in told and "--null" in told


@pytest.mark.parametrize("how", [(), ("--key", "id"), ("--unordered",)])
def test_another_order_of_columns_is_named(isoform, tmp_path, how):
    (tmp_path / "a.csv").write_text("id,word\n1,x\n2,y\n")
    (tmp_path / "b.csv").write_text("word,id\nx,1\ny,2\n")
    done = isoform("compare", tmp_path / "a.csv", tmp_path / "b.csv", *how).expect(4)
    assert "stand in another order: word, id" in done.out and "the order of columns is content" in done.out
    found = isoform("compare", tmp_path / "a.csv", tmp_path / "b.csv", *how, "--json").expect(4).json()
    assert found["differing"] == 0 and "the order of columns is content" in found["notes"][0]


DAY_64 = pa.array([1999]).view(pa.date64())
FAR_DAY = pa.array([None, 2**62]).view(pa.date64())


@pytest.mark.parametrize("left, right, code", [
    (pa.array([[0.1]], pa.list_(pa.float32())), pa.array([[0.1]], pa.list_(pa.float64())), 4),
    (pa.array([[0.5]], pa.list_(pa.float32())), pa.array([[0.5]], pa.large_list(pa.float64())), 0),
    (pa.array([{"a": 0.1}], pa.struct([("a", pa.float32())])), pa.array([{"a": 0.1}]), 4),
    (pa.array([[1]], pa.list_(pa.timestamp("ms"))), pa.array([[1000]], pa.list_(pa.timestamp("us"))), 0),
    (pa.array([[1, 2]], pa.list_(pa.int64(), 2)), pa.array([[1, 2]], pa.list_(pa.uint64())), 0),
    (DAY_64, pa.array([1], pa.timestamp("s")), 4),
    (DAY_64, pa.array([1999], pa.timestamp("ms")), 0),
    (FAR_DAY, pa.array([None, 5], pa.timestamp("us")), 9),
    (pa.array([None, 2932896], pa.date32()), pa.array([None, 5], pa.timestamp("ns")), 9),
    (pa.array(["1"], pa.large_string()), pa.array([1]), 0),
    (pa.array(["a"], pa.large_string()), pa.array(["a"]).dictionary_encode(), 0),
    (pa.array([b"12"], pa.binary(2)), pa.array([b"12"]), 0),
])
def test_types_of_both_sides_meet_in_one_that_holds_them(isoform, tmp_path, left, right, code):
    for name, column in (("l", left), ("r", right)):
        table = pa.table({"x": column})
        with pa.ipc.new_file(tmp_path / f"{name}.arrow", table.schema) as file:
            file.write_table(table)
    isoform("compare", tmp_path / "l.arrow", tmp_path / "r.arrow").expect(code)
    isoform("compare", tmp_path / "r.arrow", tmp_path / "l.arrow").expect(code)


@pytest.mark.parametrize("whole, near, apart", [(2**53 + 1, 2**53, 1), (-(2**60) - 100, -(2**60), 100)])
def test_large_integers_are_far_from_floats_by_what_they_are(isoform, tmp_path, whole, near, apart):
    pq.write_table(pa.table({"x": [whole]}), tmp_path / "l.parquet")
    pq.write_table(pa.table({"x": [float(near)]}), tmp_path / "r.parquet")
    sides = [tmp_path / "l.parquet", tmp_path / "r.parquet"]
    for _ in range(2):
        isoform("compare", *sides, "--tolerance", str(apart - 0.5)).expect(4)
        isoform("compare", *sides, "--tolerance", str(apart)).expect(0)
        sides.reverse()
