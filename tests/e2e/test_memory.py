"""What the program takes stays within --memory, and what does not fit is refused before it is read."""

import base64
import json
import os
import subprocess

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import harness

MEMORY = 128 << 20
WITHIN = ("--memory", "128MiB")
# Address space that the program takes besides: its own code, and the stacks of its threads.
BESIDE = 128 << 20
VALUE = 100_000_000


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Tables of 200 MB: of short rows, and of lists of 8 kB."""
    folder = tmp_path_factory.mktemp("memory")
    rows, random = 3_300_000, np.random.default_rng(1)
    words = pa.array([f"word {i}" for i in range(997)]).take(pa.array(random.integers(0, 997, rows)))
    table = pa.table({"id": np.arange(rows), "number": random.integers(0, 10**9, rows),
                      "price": np.round(random.random(rows) * 1000, 3), "word": words, "other": words[::-1],
                      "long": random.integers(0, 2**40, rows)})
    pa.csv.write_csv(table, folder / "short.csv")
    assert (folder / "short.csv").stat().st_size > 190_000_000
    lists = pa.FixedSizeListArray.from_arrays(pa.array(random.random(25_000_000)), 1000).cast(pa.list_(pa.float64()))
    pq.write_table(pa.table({"id": np.arange(25_000), "v": lists}), folder / "lists.parquet")
    return folder


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Tables of one long value."""
    folder = tmp_path_factory.mktemp("long")
    text = os.urandom(VALUE // 2).hex()
    table = pa.table({"id": [1], "text": [text]})
    pq.write_table(table, folder / "dictionary.parquet")
    pq.write_table(table, folder / "plain.parquet", use_dictionary=False, compression="none")
    pq.write_table(table, folder / "v2.parquet", use_dictionary=False, data_page_version="2.0")
    with pa.ipc.new_file(str(folder / "long.arrow"), table.schema) as writer:
        writer.write_table(table)
    schema = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "long"}, {"name": "text", "type": "string"}]}
    for codec in ("null", "deflate"):
        with open(folder / f"{codec}.avro", "wb") as file:
            fastavro.writer(file, schema, [{"id": 1, "text": text}], codec=codec)
    # What it unpacks to is told by nothing but unpacking.
    with open(folder / "bomb.avro", "wb") as file:
        fastavro.writer(file, schema, [{"id": 1, "text": "a" * VALUE}], codec="deflate")
    (folder / "long.jsonl").write_text(json.dumps({"id": 1, "text": text}) + "\n")
    (folder / "long.csv").write_text(f"id,text\n1,{text}\n")
    return folder


KINDS = ["csv", "jsonl", "avro", "parquet", "arrow"]
# Nearly an eighth of the memory that is given by default, 512 MiB.
EIGHTH = (64 << 20) - 65_536


@pytest.fixture(scope="module")
def eighths(tmp_path_factory):
    """Tables whose second record has an eighth of the memory: in one field, and in 2,000; in quotes, too."""
    folder = tmp_path_factory.mktemp("eighths")
    text = os.urandom(EIGHTH // 2).hex()
    width = EIGHTH // 2_000 - 20
    names = [f"c{i}" for i in range(2_000)]
    many = {name: ["x", text[i * width:(i + 1) * width], "y"] for i, name in enumerate(names)}
    quoted = text[:-200] + ', "' * 40
    for name, table in [("one", {"id": [1, 2, 3], "text": ["x", text, "y"]}), ("many", many),
                        ("quoted", {"id": [1, 2, 3], "text": ["x", quoted, "y"]})]:
        table = pa.table(table)
        pa.csv.write_csv(table, folder / f"{name}.csv", pa.csv.WriteOptions(quoting_style="needed"))
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
        pq.write_table(table, folder / f"{name}.parquet")
        with pa.ipc.new_file(str(folder / f"{name}.arrow"), table.schema) as writer:
            writer.write_table(table)
        fields = [{"name": at.name, "type": "long" if at.name == "id" else "string"} for at in table.schema]
        with open(folder / f"{name}.avro", "wb") as file:
            fastavro.writer(file, {"type": "record", "name": "r", "fields": fields}, table.to_pylist())
    return folder


def limited(isoform, bytes_max, *args):
    """One run of the program that may have so much address space."""
    shell = ["sh", "-c", f'ulimit -v {bytes_max >> 10}; exec "$@"', "sh", *isoform.command(*args)]
    done = subprocess.run(shell, env=isoform.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return harness.Run(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("kind", ["parquet", "arrow", "avro", "jsonl"])
def test_large_tables_keep_to_memory(isoform, large, tmp_path, kind):
    target, back = tmp_path / f"t.{kind}", tmp_path / "back.csv"
    for command in [
        ("convert", large / "short.csv", target), ("verify", target, "--source", large / "short.csv"),
        ("convert", target, back), ("inspect", target), ("compare", large / "short.csv", target),
    ]:
        code, memory, err = harness.measured(isoform, *command, *WITHIN)
        assert code == 0 and memory < MEMORY, (command, memory >> 20, err)


@pytest.mark.parametrize("way", [("--key", "id"), ("--unordered",)])
def test_comparisons_keep_to_memory(isoform, large, way):
    code, memory, err = harness.measured(isoform, "compare", large / "short.csv", large / "short.csv", *way, *WITHIN)
    assert code == 0 and memory < MEMORY, (memory >> 20, err)


@pytest.mark.parametrize("kind", ["parquet", "arrow", "avro", "jsonl"])
def test_long_rows_keep_to_memory(isoform, large, tmp_path, kind):
    target = tmp_path / f"t.{kind}"
    for command in [("convert", large / "lists.parquet", target), ("verify", target), ("inspect", target)]:
        # Messages and row groups of long rows weigh more than is given: what they are may not depend on memory.
        more = 64 << 20 if command[0] == "convert" else 0
        code, memory, err = harness.measured(isoform, *command, *WITHIN)
        assert code == 0 and memory < MEMORY + more, (command, memory >> 20, err)


def test_address_space(isoform, large, tmp_path):
    """Under a hard limit that holds it, it does what it is to do; under a lower one it ends with a word, not a signal."""
    target = tmp_path / "t.parquet"
    for command in [("convert", large / "short.csv", target), ("verify", target), ("inspect", target),
                    ("compare", target, target, "--key", "id")]:
        limited(isoform, MEMORY + BESIDE, *command, *WITHIN).expect(0)
    harness.remove(target)
    # How much its code and the libraries of a system take is their own: so much more than it starts in is not enough.
    start = next(at for at in range(32 << 20, MEMORY, 8 << 20) if limited(isoform, at, "--version").code == 0)
    for more in (8 << 20, 24 << 20):
        done = limited(isoform, start + more, "convert", large / "short.csv", target, *WITHIN).expect(1)
        assert "memory" in done.err and not target.exists(), (start >> 20, done)
    # What is left is of use where there is more.
    isoform("convert", large / "short.csv", target, "--resume").expect(0)


@pytest.mark.parametrize("name", ["dictionary.parquet", "plain.parquet", "v2.parquet", "long.arrow", "null.avro",
                                  "deflate.avro", "bomb.avro", "long.jsonl", "long.csv"])
def test_a_long_value_is_refused_before_it_is_read(isoform, long, tmp_path, name):
    for command in [("convert", long / name, tmp_path / "t.csv"), ("inspect", long / name),
                    ("compare", long / name, long / name), ("compare", long / name, long / name, "--key", "id")]:
        code, memory, err = harness.measured(isoform, *command, *WITHIN)
        assert code == 9 and "--memory" in err and memory < MEMORY, (command, memory >> 20, err)
    assert harness.listing(tmp_path) == []


@pytest.mark.parametrize("name, kind", [*((n, k) for n in ("one", "many") for k in KINDS), ("quoted", "csv"), ("quoted", "jsonl")])
def test_a_record_may_have_an_eighth_of_the_memory(isoform, eighths, tmp_path, name, kind):
    target = tmp_path / ("t.jsonl" if name == "many" else "t.parquet")
    for command in [("convert", eighths / f"{name}.{kind}", target), ("verify", target)]:
        code, memory, err = harness.measured(isoform, *command)
        assert code == 0 and memory < 512 << 20, (command, memory >> 20, err)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_record_of_more_is_refused(isoform, tmp_path, kind):
    source, text = tmp_path / f"s.{kind}", "x" * (32 << 20)
    source.write_text(f"id,text\n1,{text}\n" if kind == "csv" else json.dumps({"id": 1, "text": text}) + "\n")
    done = isoform("convert", source, tmp_path / "t.arrow", "--memory", "256MiB").expect(9)
    assert f"limit of {(192 << 20) // 7}" in done.err and "give it more --memory" in done.err, done.err
    isoform("convert", source, tmp_path / "t.arrow").expect(0)


def test_what_had_more_memory_is_verified_with_as_much(isoform, long, tmp_path):
    target = tmp_path / "t.parquet"
    isoform("convert", long / "plain.parquet", target, "--memory", "2GiB").expect(0)
    code, memory, err = harness.measured(isoform, "verify", target, *WITHIN)
    assert code == 9 and "--memory" in err and memory < MEMORY, (memory >> 20, err)
    isoform("verify", target, "--source", long / "plain.parquet", "--memory", "2GiB").expect(0)


# Nearly as much as a record may have within the memory that is given here.
LONGEST = 9_000_000


@pytest.mark.parametrize("kind", ["many", "long"])
def test_records_that_are_set_aside_keep_to_memory(isoform, tmp_path, kind):
    """All of one chunk, and together as much as there is memory: with fields of another type, and without fields."""
    source, bad = tmp_path / "s.csv", tmp_path / "bad.jsonl"
    count, text = (24_000, "x" * 5_000) if kind == "many" else (13, "x" * LONGEST)
    with source.open("w") as file:
        file.write("id,text\n1,a\n")
        file.writelines(f"{text}{i},b\n" if i % 2 else f"{text}{i}\n" for i in range(count))
    code, memory, err = harness.measured(isoform, "convert", source, tmp_path / "t.parquet", "--header", "yes",
                                         "--type", "id=int64", "--rejects", bad, *WITHIN)
    assert code == 0 and memory < MEMORY, (memory >> 20, err)
    with bad.open() as file:
        assert [json.loads(line)["record"] for line in file] == list(range(2, count + 2))


def test_a_long_record_is_refused_where_bad_ones_are_set_aside(isoform, tmp_path):
    for name, text in [("s.csv", f"id,text\n1,a\n{'x' * 2 * LONGEST}\n"), ("s.jsonl", '{"id": 1}\n' + "x" * 2 * LONGEST)]:
        (tmp_path / name).write_text(text)
        code, memory, err = harness.measured(isoform, "convert", tmp_path / name, tmp_path / "t.parquet",
                                             "--rejects", tmp_path / "bad.jsonl", *WITHIN)
        assert code == 9 and "give it more --memory" in err and memory < MEMORY, (memory >> 20, err)
    assert harness.listing(tmp_path) == ["s.csv", "s.jsonl"]


def test_records_that_are_set_aside_are_in_order_with_any_number_of_threads(isoform, tmp_path):
    source, target, bad = tmp_path / "s.csv", tmp_path / "t.parquet", tmp_path / "bad.jsonl"
    # Bad for its type, its number of fields, its bytes, and its quotes; nothing but bad ones for longer than a batch.
    kinds = [b"x,y", b"1", b"1,\xff", b'1,"a"b']
    at = sorted({*range(3, 70_000, 97), *range(20_000, 30_000)})
    records = [b'7,"y ""z"""'] * 70_000
    for i, record in enumerate(at):
        records[record - 1] = kinds[i % len(kinds)]
    source.write_bytes(b"id,text\n" + b"\n".join(records) + b"\n")
    seen = set()
    for threads in ("1", "3"):
        isoform("convert", source, target, "--type", "id=int64", "--rejects", bad, "--force", "--threads", threads).expect(0)
        lines = [json.loads(line) for line in bad.read_text().splitlines()]
        assert [line["record"] for line in lines] == at
        assert all(source.read_bytes()[line["byte"]:].startswith(base64.b64decode(line["base64"])) for line in lines[::500])
        assert lines[2]["text"] == "1,\ufffd"
        seen.add(bad.read_bytes())
    assert len(seen) == 1 and pq.read_metadata(target).num_rows == 70_000 - len(at)


def test_large_certificates_keep_to_memory(isoform, tmp_path):
    """One that tells of 700,000 rows, as the exceptions of many columns may stand in as many."""
    source, target, at = tmp_path / "s.csv", tmp_path / "parts", harness.certificate_of(tmp_path / "parts")
    source.write_text("k,v\na,1\nb,2\na,3\n")
    isoform("convert", source, target, "--to", "jsonl", "--partition-by", "k").expect(0)
    said = harness.statement(at)
    said["predicate"]["conversion"]["parameters"]["rowsOfExceptions"] = {"k=a": [[row, row] for row in range(700_000)]}
    harness.sign(isoform, at, said)
    assert at.stat().st_size > 14_000_000
    for expected, command in [
        (4, ("verify", target)), (0, ("convert", target, tmp_path / "back.csv")), (0, ("inspect", at)),
        (0, ("inspect", at, "--json")), (0, ("plan", target, tmp_path / "none.csv")),
    ]:
        code, memory, err = harness.measured(isoform, *command, *WITHIN)
        assert code == expected and memory < MEMORY, (command, memory >> 20, err)


def test_certificates_of_many_columns_keep_to_memory(isoform, tmp_path):
    """Within what a conversion of so many columns is allowed."""
    source, columns = tmp_path / "s.jsonl", 20_000
    source.write_text("".join(json.dumps({f"column {i}": i * row + 0.5 for i in range(columns)}) + "\n" for row in range(2)))
    memory_max = 288 << 20
    for command in [("convert", source, tmp_path / "t.jsonl.gz", "--to", "jsonl"), ("verify", tmp_path / "t.jsonl.gz"),
                    ("inspect", harness.certificate_of(tmp_path / "t.jsonl.gz"))]:
        code, memory, err = harness.measured(isoform, *command, "--memory", "288MiB")
        assert code == 0 and memory < memory_max * 2 // 3, (command, memory >> 20, err)


@pytest.mark.parametrize("nested", [False, True])
def test_keys_beyond_memory_are_refused_where_their_types_are_found(isoform, tmp_path, nested):
    source = tmp_path / "s.jsonl"
    keys = {f"key {i}": i for i in range(90_000)}
    record = {f"o{i}": {f"key {i}": i for i in range(4_000)} for i in range(25)} if nested else keys
    source.write_text(json.dumps(record) + "\n")
    for command in [("convert", source, tmp_path / "t.arrow"), ("inspect", source),
                    ("convert", source, tmp_path / "t.arrow", "--rejects", tmp_path / "bad.jsonl")]:
        code, memory, err = harness.measured(isoform, *command, *WITHIN)
        assert code == 9 and "give it more --memory" in err and "record 1" in err, err
        assert memory < MEMORY, (command, memory >> 20)
    # An object of more keys than a type has is one value, whatever their number.
    source.write_text(json.dumps({"dictionary": keys}) + "\n")
    code, memory, err = harness.measured(isoform, "convert", source, tmp_path / "t.parquet", *WITHIN)
    assert code == 0 and memory < MEMORY, (memory >> 20, err)
