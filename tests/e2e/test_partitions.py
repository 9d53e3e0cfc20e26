"""Targets that are directories of partitions: read by others, proven, atomic, and checked later."""

import hashlib
import json
import shutil
import signal
import subprocess
import time

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.ipc
import pyarrow.json
import pyarrow.parquet
import pytest

import harness

NULL = "__HIVE_DEFAULT_PARTITION__"
REGIONS = ["EU", "a/b=c", "ü %41", "", None, ".", "US"]


def rows():
    """Seven regions, text with all that a name could trip over, in an order that mixes them."""
    return [
        {"id": i, "region": REGIONS[(i * 5 + i // 7) % 7], "paid": [True, False, None][i % 3], "word": f"w{i}", "x": i / 4}
        for i in range(500)
    ]


TYPES = pa.schema([
    ("id", pa.int64()), ("region", pa.string()), ("paid", pa.bool_()), ("word", pa.string()), ("x", pa.float64()),
])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "in.parquet"
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows(), TYPES), path)
    return path


def by_id(found):
    return sorted(found, key=lambda row: row["id"])


def files(target):
    return sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file())


def test_read_by_pyarrow_and_duckdb(isoform, source, tmp_path):
    target = tmp_path / "out"
    done = isoform("convert", source, target, "--to", "parquet", "--partition-by", "region", "--json").expect(0).json()
    assert (done["verdict"], done["partitions"], done["rows"]) == ("EXACT", 7, 500)
    names = {"region=EU", "region=a%2Fb%3Dc", "region=%C3%BC%20%2541", "region=", f"region={NULL}", "region=.", "region=US"}
    assert {p.name for p in target.iterdir()} == names
    table = ds.dataset(target, partitioning="hive").to_table()
    assert by_id(table.select(TYPES.names).to_pylist()) == rows()
    with duckdb.connect() as db:
        query = f"select id, region, paid, word, x from read_parquet('{target}/*/*.parquet', hive_partitioning=true)"
        found = [dict(zip(TYPES.names, row)) for row in db.execute(query).fetchall()]
    assert by_id(found) == rows()
    for file in target.rglob("*.parquet"):
        ids = pyarrow.parquet.ParquetFile(file).read()["id"].to_pylist()
        assert ids == sorted(ids), "rows keep the order of the source"
        assert pyarrow.parquet.ParquetFile(file).schema_arrow.names == ["id", "paid", "word", "x"]


def test_every_kind_of_name(isoform, tmp_path):
    table = pa.table({"region": REGIONS, "my col": [1, 2, None, 4, 5, 6, 7], "v": range(7)})
    source, target = tmp_path / "in.parquet", tmp_path / "out"
    pyarrow.parquet.write_table(table, source)
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "region,my col").expect(0)
    found = ds.dataset(target, partitioning="hive").to_table(columns=["region", "my col", "v"]).to_pylist()
    assert sorted(found, key=lambda row: row["v"]) == table.to_pylist()
    with duckdb.connect() as db:
        query = f"select region, \"my col\", v from read_parquet('{target}/*/*/*.parquet', hive_partitioning=true) order by v"
        assert db.execute(query).fetchall() == [tuple(row.values()) for row in table.to_pylist()]
    isoform("verify", target).expect(0)


READ = {
    "csv": lambda p: pyarrow.csv.read_csv(p).to_pylist(),
    "jsonl": lambda p: [json.loads(line) for line in open(p)],
    "arrow": lambda p: pyarrow.ipc.open_file(p).read_all().to_pylist(),
    "parquet": lambda p: pyarrow.parquet.ParquetFile(p).read().to_pylist(),
    "avro": lambda p: list(fastavro.reader(open(p, "rb"))),
}


@pytest.mark.parametrize("to", sorted(READ))
def test_every_format(isoform, source, tmp_path, to):
    target = tmp_path / "out"
    isoform("convert", source, target, "--to", to, "--partition-by", "region,paid").expect(0)
    for region in {row["region"] for row in rows()}:
        for paid in (True, False, None):
            wanted = [r for r in rows() if r["region"] == region and r["paid"] is paid]
            name = "".join(c if c.isalnum() and c.isascii() or c in "-._~" else "".join(f"%{b:02X}" for b in c.encode()) for c in region or "")
            name = NULL if region is None else name
            folder = target / f"region={name}" / f"paid={NULL if paid is None else str(paid).lower()}"
            found = READ[to](folder / f"part-0.{to}") if folder.exists() else []
            assert [(r["id"], r["word"], r["x"]) for r in found] == [(r["id"], r["word"], r["x"]) for r in wanted]
    out = isoform("verify", target).expect(0).out
    assert "EXACT holds" in out and "not at hand" in out, "a source of another folder is not looked for"
    out = isoform("verify", f"{target}/", "--source", source).expect(0).out
    assert "decoded again; each partition holds its rows" in out


@pytest.mark.parametrize("to", ["csv", "jsonl", "parquet", "avro"])
def test_text_sources(isoform, sales, tmp_path, to):
    target = tmp_path / "out"
    done = isoform("convert", sales, target, "--to", to, "--partition-by", "store", "--json").expect(0).json()
    assert done["verdict"] in ("EXACT", "VALUE-EXACT")
    assert "decoded again" in isoform("verify", target).expect(0).out
    assert sum(len(READ[to](p)) for p in target.rglob(f"*.{to}")) == 1000


def test_wrapped_text_is_named_so(isoform, sales, tmp_path):
    target = tmp_path / "out"
    isoform("convert", sales, target, "--to", "csv", "--compression", "gzip", "--partition-by", "store").expect(0)
    assert all(name.endswith("part-0.csv.gz") for name in files(target))
    isoform("verify", target).expect(0)


def test_the_certificate_lists_every_file(isoform, source, tmp_path):
    target = tmp_path / "out"
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "region").expect(0)
    statement = harness.statement(harness.certificate_of(target))
    names = [subject["name"] for subject in statement["subject"]]
    assert sorted(names) == sorted(f"out/{name}" for name in files(target))
    lines = "".join(f"{s['digest']['sha256']}  {s['name']}\n" for s in statement["subject"])
    subprocess.run(["sha256sum", "-c", "--quiet"], input=lines, text=True, check=True, cwd=tmp_path)
    content = statement["predicate"]["content"]
    assert content["model"] == "partitioned-table" and content["equal"]
    assert content["partitions"] == {"columns": ["region"], "count": "7"}
    checks = {check["name"]: check["scope"] for check in statement["predicate"]["verification"]["checks"]}
    assert checks["partition-rows"] == "7/7" and checks["count-records"] == "500/500"


@pytest.mark.parametrize("harm", ["flip", "drop", "add", "swap"])
def test_what_was_changed_is_found(isoform, source, tmp_path, harm):
    target = tmp_path / "out"
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "region").expect(0)
    eu, us = (next(target.glob(f"region={n}/*.parquet")) for n in ("EU", "US"))
    if harm == "flip":
        harness.flip(eu, 30)
    elif harm == "drop":
        us.unlink()
    elif harm == "add":
        shutil.copy(eu, eu.with_name("part-1.parquet"))
    else:
        other = eu.read_bytes()
        eu.write_bytes(us.read_bytes())
        us.write_bytes(other)
    assert isoform("verify", target).expect(4).err


def test_another_source_is_found(isoform, sales, tmp_path):
    target = tmp_path / "out"
    isoform("convert", sales, target, "--to", "parquet", "--partition-by", "store").expect(0)
    text = open(sales).read()
    open(sales, "w").write(text.replace("nut", "nat", 1))
    assert "another digest" in isoform("verify", target).expect(4).err


def test_the_same_bytes_whatever_the_machine_does(isoform, tall, tmp_path):
    made = set()
    for at, options in enumerate([(), ("--threads", "1"), ("--threads", "5"), ("--memory", "128MiB")]):
        target = tmp_path / f"out{at}"
        isoform("convert", tall, target, "--to", "parquet", "--partition-by", "word", *options).expect(0)
        digest = hashlib.sha256()
        for name in files(target):
            digest.update(name.encode() + (target / name).read_bytes())
        made.add(digest.hexdigest())
        assert len(files(target)) == 997
    assert len(made) == 1


def test_nothing_is_left_of_a_failure(isoform, source, tmp_path):
    table = pa.table({"f": [1.0], "a": ["x" * 300], "n": [NULL], "v": [1]})
    bad = tmp_path / "bad.parquet"
    pyarrow.parquet.write_table(table, bad)
    before = harness.listing(tmp_path)
    for column, code, word in [("f", 9, "float64"), ("a", 9, "255"), ("n", 9, "nulls"), ("z", 2, "no such column"), ("f,a,n,v", 9, "float64")]:
        done = isoform("convert", bad, tmp_path / "out", "--to", "parquet", "--partition-by", column).expect(code)
        assert word in done.err, done.err
        assert harness.listing(tmp_path) == before
    for options, word in [(("--resume",), "--resume"), (("--out-dir", tmp_path / "o"), "--partition-by")]:
        paths = [source] if "--out-dir" in options else [source, tmp_path / "out"]
        done = isoform("convert", *paths, "--to", "parquet", "--partition-by", "region", *options).expect(2)
        assert word in done.err and harness.listing(tmp_path) == before
    assert "standard output" in isoform("convert", source, "-", "--to", "csv", "--partition-by", "region").expect(2).err


def test_no_rows_and_too_many_partitions(isoform, tmp_path):
    empty = tmp_path / "empty.csv"
    empty.write_text("a,b\n")
    assert "no rows" in isoform("convert", empty, tmp_path / "out", "--to", "parquet", "--partition-by", "a").expect(9).err
    many = tmp_path / "many.csv"
    with open(many, "w") as file:
        file.write("a,b\n")
        file.writelines(f"{i},1\n" for i in range(10_001))
    done = isoform("convert", many, tmp_path / "out", "--to", "parquet", "--partition-by", "a").expect(9)
    assert "10000" in done.err and '"a"' in done.err
    assert harness.listing(tmp_path) == ["empty.csv", "many.csv"]


def test_an_existing_target(isoform, source, tmp_path):
    target = tmp_path / "out"
    command = ("convert", source, target, "--to", "parquet", "--partition-by")
    isoform(*command, "region").expect(0)
    isoform(*command, "paid").expect(7)
    isoform(*command, "paid", "--force").expect(0)
    assert {p.name for p in target.iterdir()} == {"paid=true", "paid=false", f"paid={NULL}"}
    isoform("verify", target).expect(0)
    (target / "mine.txt").write_text("not a partition")
    assert "mine.txt" in isoform(*command, "region", "--force").expect(2).err
    assert (target / "mine.txt").exists()
    assert harness.listing(tmp_path)[0] == "out" and not list(tmp_path.glob(".out*"))


def test_a_killed_conversion_leaves_no_target(isoform, tall, tmp_path):
    target = tmp_path / "out"
    command = ("convert", tall, target, "--to", "parquet", "--partition-by", "word")
    for sign, wait in [(signal.SIGKILL, 0.3), (signal.SIGINT, 0.3), (signal.SIGKILL, 0.8)]:
        run = isoform.start(*command)
        time.sleep(wait)
        run.send_signal(sign)
        run.wait()
        assert not target.exists() or harness.certificate_of(target).exists()
        if target.exists():
            shutil.rmtree(target)
            harness.certificate_of(target).unlink()
    isoform(*command).expect(0)
    isoform("verify", target).expect(0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "out.isoform.sigstore.json"]


def test_many_sources_and_bad_records(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("k,v\nx,1\ny,2\n")
    (tmp_path / "b.csv").write_text("k,v\ny,3\nx,4,5\nx,6\n")
    target = tmp_path / "out"
    sources = [tmp_path / "a.csv", tmp_path / "b.csv"]
    options = ("--to", "jsonl", "--partition-by", "k", "--rejects", tmp_path / "bad.jsonl", "--json")
    done = isoform("convert", *sources, target, *options).expect(0).json()
    assert done["verdict"] == "PARTIAL" and done["rejects"]["records"] == 1
    assert (target / "k=x" / "part-0.jsonl").read_text() == '{"v":1}\n{"v":6}\n'
    assert (target / "k=y" / "part-0.jsonl").read_text() == '{"v":2}\n{"v":3}\n'
    isoform("verify", target, "--source", sources[0], "--source", sources[1]).expect(0)


def test_the_plan(isoform, source, tmp_path):
    done = isoform("plan", source, tmp_path / "out", "--to", "parquet", "--partition-by", "region", "--json").expect(0)
    assert done.json()["partitions"] == 7
    estimate = done.json()["estimate"]
    assert estimate["bytesExact"] and estimate["seconds"] > 0
    shown = isoform("plan", source, tmp_path / "out", "--to", "parquet", "--partition-by", "region").expect(0).out
    assert "7 partitions: region=" in shown and harness.listing(tmp_path) == []
    done = isoform("convert", source, tmp_path / "out", "--to", "parquet", "--partition-by", "region", "--json").expect(0)
    assert done.json()["target"]["bytes"] == estimate["bytes"]


def test_a_source_in_a_partition_is_told_of(isoform, source, tmp_path):
    target = tmp_path / "out"
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "region").expect(0)
    done = isoform("convert", target, tmp_path / "back.parquet", "--json").expect(0).json()
    assert done["rows"] == 500 and any('"region"' in note and "not taken" in note for note in done["notes"])
    done = isoform("convert", target, tmp_path / "b.parquet", "--source-column", "path", "--json").expect(0).json()
    assert not any("not taken" in note for note in done["notes"])


def test_a_directory_of_targets_has_partitioned_ones_too(isoform, source, tmp_path):
    isoform("convert", source, tmp_path / "one", "--to", "avro", "--partition-by", "region").expect(0)
    isoform("convert", source, tmp_path / "two.avro").expect(0)
    assert "2 of 2 targets hold" in isoform("verify", tmp_path).expect(0).out
