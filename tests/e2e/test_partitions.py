"""Targets that are directories of partitions: read by others, proven, atomic, and checked later."""

import datetime
import decimal
import hashlib
import json
import os
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
    assert "EXACT holds" in out and "decoded again" in out, "a source is looked for under the path that was typed"
    out = isoform("verify", f"{target}/", "--source", source).expect(0).out
    assert "decoded again; each partition holds its rows" in out
    partitions = len(list(target.rglob(f"part-0.{to}")))
    assert f"500 rows were decoded, of {partitions} partitions; " in out
    # Its certificate may come from elsewhere, also through a pipe.
    certificate = harness.certificate_of(target)
    pipe = harness.piped(tmp_path / "pipe", certificate.rename(tmp_path / "moved.json").read_bytes())
    assert "EXACT holds" in isoform("verify", target, "--certificate", pipe, timeout=60).expect(0).out


@pytest.mark.parametrize("to", ["csv", "jsonl", "parquet", "avro"])
def test_text_sources(isoform, sales, tmp_path, to):
    target = tmp_path / "out"
    done = isoform("convert", sales, target, "--to", to, "--partition-by", "store", "--json").expect(0).json()
    assert done["verdict"] in ("EXACT", "VALUE-EXACT")
    assert "decoded again" in isoform("verify", target).expect(0).out
    assert sum(len(READ[to](p)) for p in target.rglob(f"*.{to}")) == 1000
    # The directories above it are made with it.
    command = (sales, tmp_path / "more" / "out", "--to", to, "--partition-by", "store")
    assert "would refuse" not in isoform("plan", *command).expect(0).out
    isoform("convert", *command).expect(0)


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


def test_a_certified_directory_takes_no_other_file(isoform, source, tmp_path):
    target, other = tmp_path / "set", tmp_path / "other.csv"
    other.write_text("id,x\n1,2\n")
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "region").expect(0)
    before, certificate = harness.listing(tmp_path), tmp_path / "set.isoform.sigstore.json"
    inside = target / "region=EU"
    (tmp_path / "link").symlink_to(inside)
    for options in (
        [other, target / "y.parquet"], [other, inside / "y.parquet"], [other, tmp_path / "link" / "y.parquet"],
        [other, "--out-dir", target, "--to", "parquet"], [other, "--out-dir", inside / "new", "--to", "parquet"],
        [other, target / "more", "--to", "csv", "--partition-by", "id"],
    ):
        for command in ("convert", "plan"):
            told = isoform(command, *options).expect(2)
            assert "certified as a whole" in told.out + told.err and certificate.name in told.out + told.err
    (tmp_path / "link").unlink()
    assert harness.listing(tmp_path) == before
    isoform("verify", target).expect(0)
    # The directory itself is replaced as before, and one that is certified no longer is a directory as any.
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "region", "--force").expect(0)
    certificate.unlink()
    isoform("convert", other, target / "y.parquet").expect(0)


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
    options = ("--to", "parquet", "--partition-by", "region", "--out-dir", tmp_path / "o")
    assert "--partition-by" in isoform("convert", source, *options).expect(2).err
    assert harness.listing(tmp_path) == before
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


def test_a_record_that_is_too_long_is_placed_in_its_partition(isoform, tmp_path):
    source, target = tmp_path / "s.parquet", tmp_path / "out"
    pa.parquet.write_table(pa.table({"k": [1, 2, 2], "v": ["a", "b", '"' * (40 << 20)]}), source)
    failed = isoform("convert", source, target, "--to", "csv", "--partition-by", "k").expect(9)
    assert "k=2/part-0.csv, record 2: the length in bytes" in failed.err, failed.err
    assert harness.listing(tmp_path) == ["s.parquet"]


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


def test_a_source_in_a_partition_is_told_of(isoform, tmp_path):
    file = tmp_path / "hv" / "year=2020" / "k=a" / "x.csv"
    file.parent.mkdir(parents=True)
    file.write_text("v\n1\n")
    done = isoform("convert", file, tmp_path / "back.parquet", "--json").expect(0).json()
    assert [c["name"] for c in done["columns"]] == ["v"]
    assert any('"year", "k"' in note and "not taken" in note for note in done["notes"])
    done = isoform("convert", file, tmp_path / "b.parquet", "--source-column", "path", "--json").expect(0).json()
    assert not any("not taken" in note for note in done["notes"])


def test_a_directory_of_targets_has_partitioned_ones_too(isoform, source, tmp_path):
    isoform("convert", source, tmp_path / "one", "--to", "avro", "--partition-by", "region").expect(0)
    isoform("convert", source, tmp_path / "two.avro").expect(0)
    assert "2 of 2 targets hold" in isoform("verify", tmp_path).expect(0).out


# A directory of partitions as the source of one table.


def back(isoform, source, target, *options):
    """What became of a directory: the document of the conversion, and the table."""
    done = isoform("convert", source, target, "--json", *options).expect(0).json()
    return done, pyarrow.parquet.ParquetFile(target).read()


def test_an_own_directory_comes_back(isoform, source, tmp_path):
    target, again = tmp_path / "out", tmp_path / "back.parquet"
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "region,paid").expect(0)
    done, table = back(isoform, target, again, "--strict")
    assert done["verdict"] == "EXACT" and not any("not taken" in note for note in done["notes"])
    assert table.schema.names == TYPES.names, "the certificate of the directory tells the places"
    assert table.schema.field("paid").type == pa.bool_(), "and the types"
    assert by_id(table.to_pylist()) == rows()
    isoform("compare", source, again, "--key", "id").expect(0)
    isoform("compare", source, target, "--unordered").expect(0)
    assert "decoded again, and equal to the target" in isoform("verify", again).expect(0).out
    assert "decoded again, and equal to the target" in isoform("verify", again, "--source", target).expect(0).out
    recorded = harness.statement(harness.certificate_of(again))["predicate"]["conversion"]["parameters"]
    assert recorded["partitionColumns"] == [
        {"name": "region", "type": "text", "at": "1"}, {"name": "paid", "type": "bool", "at": "2"}]
    plan = isoform("plan", target, tmp_path / "more.parquet", "--json").expect(0).json()
    assert [c["name"] for c in plan["columns"]] == table.schema.names
    harness.certificate_of(target).unlink()
    _, table = back(isoform, target, tmp_path / "text.parquet")
    assert table.schema.names == ["id", "word", "x", "region", "paid"]
    assert set(table["paid"].to_pylist()) == {"true", "false", None}


def test_a_certificate_that_tells_nothing_is_told_of(isoform, source, tmp_path):
    target = tmp_path / "out"
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "paid").expect(0)
    certificate = harness.certificate_of(target)
    whole = certificate.read_bytes()
    certificate.write_bytes(whole[: len(whole) // 2])
    done, table = back(isoform, target, tmp_path / "a.parquet")
    notes = [note for note in done["notes"] if str(certificate) in note]
    assert len(notes) == 1 and "found by their values" in notes[0]
    assert table.schema.names[-1] == "paid" and table.schema.field("paid").type == pa.string()
    isoform("convert", source, tmp_path / "plain.parquet").expect(0)
    shutil.copy(harness.certificate_of(tmp_path / "plain.parquet"), certificate)
    done, _ = back(isoform, target, tmp_path / "b.parquet")
    assert sum("no partitioned directory" in note for note in done["notes"]) == 1
    told = isoform("compare", target, tmp_path / "b.parquet").expect(0).out
    assert "note: " in told and "no partitioned directory" in told
    certificate.write_bytes(whole)
    done, _ = back(isoform, target, tmp_path / "c.parquet")
    assert not any("certificate" in note or "sigstore" in note for note in done["notes"])


@pytest.mark.parametrize("to", ["csv", "parquet", "avro"])
def test_a_text_comes_back_by_way_of_every_format(isoform, sales, tmp_path, to):
    target, again = tmp_path / "out", tmp_path / "back.parquet"
    isoform("convert", sales, target, "--to", to, "--partition-by", "store").expect(0)
    _, table = back(isoform, target, again)
    assert table.schema.names == pyarrow.csv.read_csv(sales).schema.names
    assert "0002" in table["store"].to_pylist()
    isoform("compare", sales, again, "--key", "order_id").expect(0)
    isoform("compare", sales, target, "--key", "order_id").expect(0)
    isoform("verify", again).expect(0)


@pytest.mark.parametrize("key,name", [(".k", "%2Ek"), ("_k", "_k"), ("k.", "k."), ("..", "%2E.")])
def test_a_key_with_a_dot_or_an_underscore_in_front_comes_back(isoform, tmp_path, key, name):
    (tmp_path / "a.csv").write_text(f"{key},v\n1,x\n2,y\n")
    isoform("convert", tmp_path / "a.csv", tmp_path / "out", "--to", "csv", "--partition-by", key).expect(0)
    assert files(tmp_path / "out") == [f"{name}=1/part-0.csv", f"{name}=2/part-0.csv"]
    isoform("verify", tmp_path / "out").expect(0)
    isoform("convert", tmp_path / "out", tmp_path / "back.csv").expect(0)
    assert (tmp_path / "back.csv").read_text() == (tmp_path / "a.csv").read_text()


def test_a_key_comes_back_in_its_own_spelling(isoform, tmp_path):
    lines = ["1,9:05 PM,31-12-2020,a", "2,10:15 AM,15-11-2021,b", "3,9:05 PM,31-12-2020,c"]
    (tmp_path / "a.csv").write_text("\n".join(["id,t,d,v", *lines, ""]))
    for to in ("csv", "parquet"):
        target, again = tmp_path / to, tmp_path / f"{to}.csv"
        isoform("convert", tmp_path / "a.csv", target, "--to", to, "--partition-by", "t,d").expect(0)
        isoform("convert", target, again).expect(0)
        isoform("verify", again, "--source", target).expect(0)
        assert sorted(again.read_text().splitlines()[1:]) == lines, to
    # One that the spelling has no text for has none of the others in it.
    (tmp_path / "csv" / "t=10%3A15%3A00.000000").rename(tmp_path / "csv" / "t=10%3A15%3A00.500000")
    isoform("convert", tmp_path / "csv", tmp_path / "more.csv").expect(0)
    assert sorted(line.split(",")[1] for line in (tmp_path / "more.csv").read_text().splitlines()[1:]) == [
        "10:15:00.500000", "21:05:00.000000", "21:05:00.000000"]


def test_a_link_in_the_way_of_the_certificate_is_not_followed(isoform, source, tmp_path):
    kept, target = tmp_path / "kept", tmp_path / "out"
    kept.write_text("precious")
    hidden = tmp_path / ".out.isoform.sigstore.json.isoform-new"
    hidden.symlink_to(kept)
    command = ("convert", source, target, "--to", "parquet", "--partition-by", "paid")
    isoform(*command).expect(0)
    isoform("verify", target).expect(0)
    assert kept.read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == sorted(["kept", "out", harness.certificate_of(target).name])
    hidden.mkdir()
    assert f"{hidden}: is in the way and no file; remove it" in isoform(*command, "--force").expect(2).err
    isoform("verify", target).expect(0)


def test_the_certificate_is_found_from_inside_the_directory(isoform, source, tmp_path):
    target = tmp_path / "out"
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "paid").expect(0)
    (tmp_path / "link").symlink_to("out")
    ways = [(target, "."), (target, "paid=*/*.parquet"), (target, "paid=true/.."), (tmp_path, "link"), (tmp_path, "out/")]
    for at, (cwd, named) in enumerate(ways):
        isoform("convert", named, tmp_path / f"{at}.parquet", cwd=cwd).expect(0)
        schema = pyarrow.parquet.read_schema(tmp_path / f"{at}.parquet")
        assert schema.names == TYPES.names and schema.field("paid").type == pa.bool_(), named
    isoform("compare", source, ".", "--key", "id", cwd=target).expect(0)


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_directory_of_one_partition_comes_back(isoform, tmp_path, compression):
    (tmp_path / "a.csv").write_text("k,v\n7,x\n7,y\n")
    options = ("--to", "csv", "--compression", compression, "--partition-by", "k")
    isoform("convert", tmp_path / "a.csv", tmp_path / "out", *options).expect(0)
    _, table = back(isoform, tmp_path / "out", tmp_path / "back.parquet")
    assert table.to_pydict() == {"k": [7, 7], "v": ["x", "y"]}
    plan = isoform("plan", tmp_path / "out", tmp_path / "back.csv", "--json").expect(0).json()
    assert [c["name"] for c in plan["columns"]] == ["k", "v"]
    isoform("convert", tmp_path / "out", tmp_path / "back.csv").expect(0)
    assert (tmp_path / "back.csv").read_text() == "k,v\n7,x\n7,y\n", "more than the wrapping changes"


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A directory that pyarrow wrote, in two levels."""
    target = tmp_path_factory.mktemp("foreign") / "set"
    names = [name for name in REGIONS if name != ""]
    table = pa.table({"v": range(60), "name": [names[i % 6] for i in range(60)], "n": [[1, -20, None][i % 3] for i in range(60)]})
    keys = pa.schema([("name", pa.string()), ("n", pa.int64())])
    ds.write_dataset(table, target, format="parquet", partitioning=ds.partitioning(keys, flavor="hive"))
    return target


def test_the_same_as_pyarrow_and_duckdb_read(isoform, foreign, tmp_path):
    done, table = back(isoform, foreign, tmp_path / "back.parquet")
    assert done["verdict"] == "EXACT" and done["rows"] == 60
    assert [harness.kind(field.type) for field in table.schema] == ["int", "text", "int"]
    found = sorted(table.to_pylist(), key=lambda row: row["v"])
    read = ds.dataset(foreign, partitioning="hive").to_table(columns=["v", "name", "n"]).to_pylist()
    assert found == sorted(read, key=lambda row: row["v"])
    with duckdb.connect() as db:
        query = f"select v, name, n from read_parquet('{foreign}/*/*/*.parquet', hive_partitioning=true) order by v"
        assert [tuple(row.values()) for row in found] == db.execute(query).fetchall()
    isoform("verify", tmp_path / "back.parquet").expect(0)


def test_values_that_are_dates_or_are_not_all_integers(isoform, tmp_path):
    for day, code in [("2024-01-31", "1"), ("2024-02-29", "02"), (NULL, "3")]:
        folder = tmp_path / "set" / f"day={day}" / f"code={code}"
        folder.mkdir(parents=True)
        (folder / "x.jsonl").write_text('{"v":1}\n')
    _, table = back(isoform, tmp_path / "set", tmp_path / "back.parquet")
    assert table.schema.types[1:] == [pa.date32(), pa.string()]
    assert sorted(table["code"].to_pylist()) == ["02", "1", "3"] and table["day"].null_count == 1


def test_types_that_are_said_are_those_of_the_columns(isoform, tmp_path):
    for year, k in [("2020", "1"), ("2021", "2")]:
        folder = tmp_path / "set" / f"year={year}" / f"k={k}"
        folder.mkdir(parents=True)
        (folder / "x.csv").write_text("v\n1\n")
    _, table = back(isoform, tmp_path / "set", tmp_path / "a.parquet", "--type", "year=text", "--type", "v=int32")
    assert table.schema.types == [pa.int32(), pa.string(), pa.int64()]
    _, table = back(isoform, tmp_path / "set", tmp_path / "b.parquet", "--types", "text")
    assert table.schema.types == [pa.string()] * 3
    for name in ("a", "b"):
        assert "decoded again" in isoform("verify", tmp_path / f"{name}.parquet").expect(0).out
    told = isoform("convert", tmp_path / "set", tmp_path / "c.parquet", "--type", "year=bool").expect(9).err
    assert "year=2020" in told and "which is no bool" in told
    assert "nope" in isoform("convert", tmp_path / "set", tmp_path / "c.parquet", "--type", "nope=text").expect(2).err


@pytest.mark.parametrize("name", ["region=EV", "region=Z", "area=EU"])
def test_a_directory_that_was_renamed_is_found(isoform, source, tmp_path, name):
    target, again = tmp_path / "out", tmp_path / "back.parquet"
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "region").expect(0)
    isoform("convert", target, again).expect(0)
    (target / "region=EU").rename(target / name)
    assert isoform("verify", again, "--source", target).expect(4).err


def test_a_directory_that_was_renamed_and_told_no_column_is_passed_over(isoform, tmp_path):
    run, target = tmp_path / os.fsdecode(b"odd=\xff") / "run=1", tmp_path / "all.parquet"
    for k in ("1", "2"):
        (run / "set" / f"k={k}").mkdir(parents=True)
        (run / "set" / f"k={k}" / "a.csv").write_text("v\n1\n")
    isoform("convert", run / "set", target).expect(0)
    assert "decoded again, and equal" in isoform("verify", target, "--source", run).expect(0).out
    run = run.rename(run.with_name("run=2"))
    assert "decoded again, and equal" in isoform("verify", target, "--source", run).expect(0).out
    (run / "set" / "k=1").rename(run / "set" / "k=3")
    told = isoform("verify", target, "--source", run).expect(4).err
    assert "k=3/a.csv: has the bytes of" in told and "other values" in told
    # The file of the other directory has the same bytes, and is none that is missing.
    shutil.rmtree(run / "set" / "k=3")
    assert "not at hand" in isoform("verify", target, "--source", run).expect(0).out


def test_two_directories_that_were_swapped_are_found(isoform, source, tmp_path):
    target, again = tmp_path / "out", tmp_path / "back.parquet"
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "region").expect(0)
    isoform("convert", target, again).expect(0)
    (target / "region=EU").rename(target / "kept")
    (target / "region=US").rename(target / "region=EU")
    (target / "kept").rename(target / "region=US")
    assert isoform("verify", again).expect(4).err


def test_files_under_different_keys_are_refused(isoform, tmp_path):
    for name in ("year=2020/k=a/x.csv", "year=2021/y.csv"):
        file = tmp_path / "set" / name
        file.parent.mkdir(parents=True)
        file.write_text("v\n1\n")
    before = harness.listing(tmp_path)
    told = isoform("convert", tmp_path / "set", tmp_path / "out.csv").expect(9).err
    assert "y.csv" in told and "--no-partition-columns" in told and harness.listing(tmp_path) == before
    done, _ = back(isoform, tmp_path / "set", tmp_path / "out.parquet", "--no-partition-columns")
    assert [c["name"] for c in done["columns"]] == ["v"] and done["rows"] == 2
    assert "--no-partition-columns" in isoform(
        "convert", tmp_path / "set", "--out-dir", tmp_path / "o", "--to", "csv", "--no-partition-columns").expect(2).err


def test_a_key_that_the_files_hold_too(isoform, tmp_path):
    for year, text in [("2020", "year,v\n2020,1\n2020,2\n"), ("2021", "year,v\n2021,3\n")]:
        folder = tmp_path / "set" / f"year={year}"
        folder.mkdir(parents=True)
        (folder / "x.csv").write_text(text)
    _, table = back(isoform, tmp_path / "set", tmp_path / "back.parquet")
    assert table.to_pydict() == {"year": [2020, 2020, 2021], "v": [1, 2, 3]}
    (folder / "x.csv").write_text("year,v\n2021,3\n2022,4\n")
    told = isoform("convert", tmp_path / "set", tmp_path / "other.parquet").expect(9).err
    assert "year=2021" in told and "record 2" in told and '"2021"' in told and "--no-partition-columns" in told
    _, table = back(isoform, tmp_path / "set", tmp_path / "kept.parquet", "--no-partition-columns")
    assert table["year"].to_pylist() == [2020, 2020, 2021, 2022]


def test_a_key_that_the_files_spell_otherwise(isoform, tmp_path):
    """One value in another type or spelling is the same; the files' own stays."""
    def made(name, held):
        for key, values in held.items():
            folder = tmp_path / name / f"k={key}"
            folder.mkdir(parents=True)
            (folder / "x.csv").write_text("k,v\n" + "".join(f"{value},1\n" for value in values))
        return tmp_path / name

    for name, held, kept in [
        ("points", {"1": ["1.0", "1.0"], "2": ["2.0"]}, ["1.0", "1.0", "2.0"]),
        ("zeros", {"1": ["01", "1"], "2": ["02"]}, ["01", "1", "02"]),
        ("swapped", {"01": ["1"], "02": ["2"]}, ["1", "2"]),
    ]:
        folder = made(name, held)
        isoform("convert", folder, tmp_path / f"{name}.csv").expect(0)
        assert (tmp_path / f"{name}.csv").read_text() == "k,v\n" + "".join(f"{value},1\n" for value in kept)
        isoform("verify", tmp_path / f"{name}.csv", "--source", folder).expect(0)
    folder = made("other", {"1": ["1.0", "1.5"]})
    told = isoform("convert", folder, tmp_path / "other.csv").expect(9).err
    assert "record 2" in told and '"1"' in told and "another value" in told
    table = pa.table({"k": pa.array([3, 3], pa.float64()), "v": [1, 2]})
    (tmp_path / "typed" / "k=3").mkdir(parents=True)
    pyarrow.parquet.write_table(table, tmp_path / "typed" / "k=3" / "x.parquet")
    _, again = back(isoform, tmp_path / "typed", tmp_path / "typed.parquet")
    assert again.schema.types == table.schema.types and again.to_pydict() == table.to_pydict()


@pytest.mark.parametrize("key,held", [
    ("1.25", pa.array([decimal.Decimal("1.3")], pa.decimal128(5, 1))),
    ("0.1", pa.array([decimal.Decimal("0")], pa.decimal128(5, 0))),
    ("2020-01-01T05%3A00%3A00", pa.array([datetime.date(2020, 1, 1)])),
    ("2020-01-01T00%3A00%3A00.123456789", pa.array([datetime.datetime(2020, 1, 1, 0, 0, 0, 123000)], pa.timestamp("ms"))),
    ("1.00000001", pa.array([1.0], pa.float32())),
    ("1e400", pa.array([float("inf")])),
    ("5", pa.array([datetime.date(1970, 1, 6)])),
    ("1", pa.array([True])),
])
def test_a_key_that_is_nearly_what_the_files_hold_is_another_value(isoform, tmp_path, key, held):
    file = tmp_path / "set" / f"k={key}" / "x.parquet"
    file.parent.mkdir(parents=True)
    pyarrow.parquet.write_table(pa.table({"k": held, "v": [1]}), file)
    assert "another value" in isoform("convert", tmp_path / "set", tmp_path / "out.parquet").expect(9).err


def test_what_is_no_data_in_partitioned_directories_is_left_out(isoform, tmp_path):
    folder = tmp_path / "set"
    for name in ("_SUCCESS", "k=1/_metadata", "k=1/.x.csv.crc", "k=1/_x.csv", "_temporary/0/k=1/x.csv", "k=1/README"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("k,v\n9,9\n")
    for name, value in (("k=1/_l=a", 1), ("k=2/_l=b", 2)):
        (folder / name).mkdir(parents=True)
        (folder / name / "x.csv").write_text(f"v\n{value}\n")
    done, table = back(isoform, folder, tmp_path / "back.parquet")
    assert table.to_pydict() == {"v": [1, 2], "k": [1, 2], "_l": ["a", "b"]}
    notes = [note for note in done["notes"] if "left out" in note]
    assert len(notes) == 2
    assert "1 file is of another kind" in notes[0] and str(folder / "k=1" / "README") in notes[0]
    assert notes[1].startswith("5 files are left out") and str(folder / "_SUCCESS") in notes[1]
    assert "decoded again" in isoform("verify", tmp_path / "back.parquet", "--source", folder).expect(0).out
    told = isoform("compare", folder, tmp_path / "back.parquet").expect(0).out
    assert "5 files are left out" in told
    told = isoform("compare", folder, tmp_path / "back.parquet", "--json").expect(0).json()
    assert len(told["notes"]) == 2
    done = isoform("convert", folder, "--out-dir", tmp_path / "o", "--to", "jsonl", "--json").expect(0).json()
    assert done["converted"] == 2 and done["leftOut"] == [str(folder / "k=1" / "README")]
    assert any("5 files are left out" in note for note in done["notes"])


def test_names_with_an_underscore_are_data_elsewhere(isoform, tmp_path):
    (tmp_path / "set").mkdir()
    for name, value in (("_a.csv", 1), (".b.csv", 2), ("c.csv", 3)):
        (tmp_path / "set" / name).write_text(f"v\n{value}\n")
    done, table = back(isoform, tmp_path / "set", tmp_path / "back.parquet")
    assert table.to_pydict() == {"v": [1, 3]}
    notes = [note for note in done["notes"] if "left out" in note]
    assert len(notes) == 1 and notes[0].startswith("1 file is left out") and ".b.csv" in notes[0]


def test_what_is_no_data_in_directories_is_none_for_a_glob_that_does_not_name_it(isoform, tmp_path):
    folder = tmp_path / "set"
    for name, value in (("k=1/a.csv", 1), ("k=1/_b.csv", 2), ("k=1/.c.csv", 3), ("_temporary/k=1/d.csv", 4),
                        ("_temporary/k=1/_e.csv", 5), (".h/k=1/f.csv", 6), (".h/k=1/.g.csv", 7)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"v\n{value}\n")
    for at, (pattern, values, left) in enumerate([
        ("k=*/*.csv", [1], 1), ("**/k=*/*.csv", [1], 3), ("k=*/_*.csv", [2], 0), ("k=*/.*.csv", [3], 0),
        ("_temporary/k=*/*.csv", [4], 1), ("*/k=*/*.csv", None, 1), ("_*/k=*/*.csv", [4], 1),
        (".*/*/*.csv", [6], 0),
    ]):
        command = ("convert", folder / pattern, tmp_path / f"{at}.parquet")
        if values is None:
            assert "no source" in isoform(*command).expect(2).err
            continue
        done, table = back(isoform, *command[1:])
        assert table.to_pydict() == {"v": values, "k": [1] * len(values)}, pattern
        counts = [int(note.split()[0]) for note in done["notes"] if "left out" in note]
        assert counts == [left] * (left > 0), pattern


def test_names_with_an_underscore_are_data_without_columns_of_partitions(isoform, tmp_path):
    folder = tmp_path / "set"
    for name, value in (("k=1/a.csv", 1), ("k=1/_b.csv", 2), (".old/c.csv", 3)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"v\n{value}\n")
    done, table = back(isoform, folder, tmp_path / "all.parquet", "--no-partition-columns")
    assert sorted(table["v"].to_pylist()) == [1, 2] and not any("left out" in note for note in done["notes"])
    assert "decoded again" in isoform("verify", tmp_path / "all.parquet", "--source", folder).expect(0).out
    done, table = back(isoform, folder, tmp_path / "keyed.parquet")
    assert table["v"].to_pylist() == [1]
    counted = [note.split(",")[0] for note in done["notes"] if "left out" in note]
    assert counted == ["1 file is left out", "1 directory is left out"]


def test_a_target_in_its_own_source_is_no_source(isoform, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.csv").write_text("k,v\nx,1\ny,2\n")
    (folder / "b.csv").write_text("k,v\ny,3\nx,4,5\nx,6\n")
    target, rejects = folder / "out.csv", folder / "bad.jsonl"
    command = ("convert", folder, target, "--rejects", rejects, "--json")
    first = isoform(*command).expect(0).json()
    text = "k,v\nx,1\ny,2\ny,3\nx,6\n"
    assert first["rows"] == 4 and target.read_text() == text
    isoform(*command).expect(7)
    second = isoform(*command, "--force").expect(0).json()
    assert second["rows"] == 4 and second["content"] == first["content"]
    notes = [note for note in second["notes"] if "earlier run" in note]
    assert len(notes) == 1 and str(target) in notes[0] and str(rejects) in notes[0]
    assert "decoded again" in isoform("verify", target).expect(0).out
    told = isoform("verify", target, "--source", folder).expect(0).out
    assert "decoded again" in told and "1 of 5 were set aside" in told
    # Where no record is bad any more, the rejects of the run before are no source of the next one.
    (folder / "b.csv").write_text("k,v\ny,3\nx,6\n")
    for _ in range(2):
        assert isoform(*command, "--force").expect(0).json()["rows"] == 4
        assert not rejects.exists() and target.read_text() == text
    # One that was changed since is a source like others, and is not replaced; so is one without a certificate.
    target.write_text(text + "z,7\n")
    assert "same file" in isoform(*command, "--force").expect(2).err
    assert target.read_text() == text + "z,7\n"
    target.write_text(text)
    harness.certificate_of(target).unlink()
    assert "same file" in isoform(*command, "--force").expect(2).err
    assert target.read_text() == text


def test_a_source_that_is_named_as_rejects_is_not_replaced(isoform, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.csv").write_text("k,v\nx,1\n")
    isoform("convert", folder, folder / "out.csv").expect(0)
    (folder / "a.csv").write_text("k,v\nx,1\ny,2,3\n")
    data = '{"k":"z","v":9}\n'
    for name in ("b.jsonl", "bad.jsonl"):
        (folder / name).write_text(data)
        command = ("convert", folder, folder / "out.csv", "--rejects", folder / name, "--force")
        assert "same file" in isoform(*command).expect(2).err
        assert (folder / name).read_text() == data
        (folder / name).unlink()
    isoform(*command).expect(0)
    isoform(*command).expect(0)
    recorded = harness.statement(harness.certificate_of(folder / "out.csv"))["predicate"]["conversion"]["parameters"]
    assert recorded["rejects"]["name"] == "bad.jsonl"
    digest = hashlib.sha256((folder / "bad.jsonl").read_bytes()).hexdigest()
    assert recorded["rejects"]["digest"]["sha256"] == digest
    # What was added to the rejects since is not lost either.
    with open(folder / "bad.jsonl", "a") as file:
        file.write(data)
    assert "same file" in isoform(*command).expect(2).err
    assert (folder / "bad.jsonl").read_text().endswith(data)


def test_a_partitioned_target_in_its_own_source_is_no_source(isoform, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.csv").write_text("k,v\n1,2\n3,4\n")
    command = ("convert", folder, folder / "out", "--to", "csv", "--partition-by", "k")
    isoform(*command).expect(0)
    assert "made for this target" in isoform(*command, "--force").expect(0).out
    isoform("verify", folder / "out", "--source", folder).expect(0)
    # One that was changed since is a source like others, and is not replaced.
    file = folder / "out" / "k=1" / "part-0.csv"
    file.write_text("v\n2\n5\n")
    isoform(*command, "--force", "--no-partition-columns", "--union").expect(2)
    isoform(*command, "--force").expect(9)
    assert file.read_text() == "v\n2\n5\n"


def test_a_directory_without_the_name_of_its_column_is_refused(isoform, tmp_path):
    for name in ("k=1/=1", "k=1/=2"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "x.csv").write_text("v\n1\n")
    told = isoform("convert", tmp_path / "set", tmp_path / "x.parquet").expect(9).err
    assert '"=1"' in told and "k=1/=1/x.csv" in told and "--no-partition-columns" in told
    isoform("convert", tmp_path / "set", tmp_path / "x.parquet", "--no-partition-columns").expect(0)
    (tmp_path / "a.jsonl").write_text('{"":1,"v":2}\n')
    told = isoform("convert", tmp_path / "a.jsonl", tmp_path / "o", "--to", "jsonl", "--partition-by", "").expect(2).err
    assert "--partition-by" in told and not (tmp_path / "o").exists()


def test_a_glob_has_the_keys_below_its_fixed_part(isoform, foreign, tmp_path):
    _, table = back(isoform, f"{foreign}/name=*/n=1/*.parquet", tmp_path / "one.parquet")
    assert table.schema.names == ["v", "name", "n"] and set(table["n"].to_pylist()) == {1}
    files = sorted(foreign.glob("name=*/n=1/*.parquet"))
    done = isoform("convert", *files, tmp_path / "two.parquet", "--json").expect(0).json()
    assert [c["name"] for c in done["columns"]] == ["v"]
    assert sum('"name", "n"' in note and "not taken" in note for note in done["notes"]) == 1


def test_targets_of_their_own_have_one_note(isoform, foreign, tmp_path):
    command = ("convert", foreign, "--to", "csv", "--out-dir")
    out = isoform(*command, tmp_path / "text").expect(0).out
    assert out.count("not taken") == 1 and '"name", "n"' in out
    done = isoform(*command, tmp_path / "json", "--json").expect(0).json()
    assert len(done["notes"]) == 1 and not any(source["notes"] for source in done["sources"])


def test_keys_stay_where_a_text_is_typed_again(isoform, tmp_path):
    """A field that no sample shows changes the type of its column; the columns of paths come after it."""
    for k in ("1", "2"):
        (tmp_path / "set" / f"k={k}").mkdir(parents=True)
        values = "".join("word\n" if i == 150_000 else f"{i}\n" for i in range(300_000))
        (tmp_path / "set" / f"k={k}" / "x.csv").write_text("v\n" + values)
    done, table = back(isoform, tmp_path / "set", tmp_path / "back.parquet", "--source-column", "from")
    assert [(c["name"], c["type"]) for c in done["columns"]] == [("v", "text"), ("k", "int64"), ("from", "text")]
    assert table["k"].to_pylist() == [1] * 300_000 + [2] * 300_000
    isoform("verify", tmp_path / "back.parquet").expect(0)


def test_partitions_of_partitions_and_a_stream(isoform, foreign, tmp_path):
    target = tmp_path / "by_n"
    isoform("convert", foreign, target, "--to", "jsonl", "--partition-by", "n").expect(0)
    assert {p.name for p in target.iterdir()} == {"n=1", "n=-20", f"n={NULL}"}
    assert "decoded again" in isoform("verify", target, "--source", foreign).expect(0).out
    for options in ((), ("--stream",)):
        out = isoform("convert", foreign, "-", "--to", "csv", *options).expect(0).out
        assert out.splitlines()[0] == "v,name,n" and len(out.splitlines()) == 61


def test_directories_are_compared(isoform, source, tmp_path):
    one = tmp_path / "parquet"
    isoform("convert", source, one, "--to", "parquet", "--partition-by", "region").expect(0)
    isoform("convert", one, tmp_path / "back.parquet").expect(0)
    isoform("compare", one, tmp_path / "back.parquet").expect(0)
    for to in ("csv", "jsonl"):
        isoform("convert", source, tmp_path / to, "--to", to, "--partition-by", "region").expect(0)
        isoform("compare", one, tmp_path / to).expect(0)
    isoform("compare", source, one, "--key", "id").expect(0)
    kept = harness.certificate_of(one).rename(tmp_path / "kept")
    told = isoform("compare", source, one, "--key", "id").expect(4).out
    assert "another order" in told and "0 of 2500 cells differ" in told
    kept.rename(harness.certificate_of(one))
    (one / "region=EU").rename(one / "region=EV")
    told = isoform("compare", one, tmp_path / "csv", "--json").expect(4).json()
    assert [column["name"] for column in told["columns"] if column["differing"]] == ["region"]


def test_what_tells_of_a_directory_is_named(isoform, source, tmp_path):
    target = tmp_path / "out"
    isoform("convert", source, target, "--to", "parquet", "--partition-by", "region").expect(0)
    told = isoform("inspect", target).expect(1).err
    assert f"isoform verify {target} checks" in told and str(harness.certificate_of(target)) in told
    harness.certificate_of(target).unlink()
    assert "name a file in it" in isoform("inspect", f"{target}/").expect(1).err


def test_a_directory_whose_name_is_no_text_is_no_column_lost(isoform, tmp_path):
    for name in (b"k=caf\xe9", b"k=caf\xea"):
        folder = os.path.join(os.fsencode(tmp_path / "d"), name)
        os.makedirs(folder)
        with open(os.path.join(folder, b"x.csv"), "w") as file:
            file.write("a,b\n1,x\n")
    run = isoform("convert", tmp_path / "d", tmp_path / "x.parquet").expect(9)
    assert '"k"' in run.err and not (tmp_path / "x.parquet").exists()


def test_links_to_directories_are_followed_and_never_in_circles(isoform, tmp_path):
    inside, other = tmp_path / "d" / "k=1", tmp_path / "other"
    for folder, value in ((inside, 1), (other, 77)):
        folder.mkdir(parents=True)
        (folder / "p.csv").write_text(f"a\n{value}\n")
    (tmp_path / "d" / "k=2").symlink_to(other)
    (inside / "loop").symlink_to(tmp_path / "d")
    isoform("convert", tmp_path / "d", tmp_path / "x.csv").expect(0)
    assert (tmp_path / "x.csv").read_text() == "a,k\n1,1\n77,2\n"


def test_a_target_that_was_made_of_other_sources_is_not_replaced(isoform, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_text("v\n1\n")
    (tmp_path / "raw.jsonl").write_text('{"v":2}\n')
    isoform("convert", tmp_path / "raw.jsonl", data / "c.csv").expect(0)
    before = (data / "c.csv").read_bytes()
    refused = isoform("convert", data, data / "c.csv", "--force").expect(2)
    assert "same file" in refused.err and (data / "c.csv").read_bytes() == before


def test_a_target_of_which_only_the_certificate_came_into_place_is_made_again(isoform, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_text("v\n1\n")
    target = data / "all.csv"
    isoform("convert", data, target).expect(0)
    old = target.read_bytes()
    (data / "a.csv").write_text("v\n1\n2\n")
    isoform("convert", data, target, "--force").expect(0)
    target.rename(data / ".all.csv.isoform-part")
    target.write_bytes(old)
    isoform("convert", data, target, "--force").expect(0)
    assert target.read_text() == "v\n1\n2\n"
    isoform("verify", target).expect(0)


def test_a_pipe_in_the_place_of_the_target_is_not_waited_for(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("v\n1\n")
    target = tmp_path / "all.csv"
    isoform("convert", tmp_path, target).expect(0)
    target.unlink()
    os.mkfifo(target)
    refused = isoform("convert", tmp_path, target, "--force", timeout=30)
    assert refused.code != 0 and target.is_fifo()


def test_a_source_of_a_union_without_the_key_does_not_lose_what_its_directory_tells(isoform, tmp_path):
    for key, text in (("1", "k,v\n1,2\n"), ("2", "v\n3\n")):
        folder = tmp_path / "u" / f"k={key}"
        folder.mkdir(parents=True)
        (folder / "x.csv").write_text(text)
    refused = isoform("convert", tmp_path / "u", tmp_path / "u.csv", "--union").expect(9)
    assert "k=2" in refused.err and '"2"' in refused.err


def test_moments_and_bytes_that_files_hold_too(isoform, tmp_path):
    made = tmp_path / "d"
    duckdb.sql(f"""COPY (SELECT TIMESTAMP '2020-01-01 05:00:00' AS ts, TIME '01:02:03' AS ti, 'a'::BLOB AS b, 1 AS v)
        TO '{made}' (FORMAT parquet, PARTITION_BY (ts, ti, b), WRITE_PARTITION_COLUMNS true)""")
    isoform("convert", made, tmp_path / "x.parquet").expect(0)
    assert pyarrow.parquet.read_table(tmp_path / "x.parquet").num_columns == 4
