"""A plan says what the conversion will come to: what it says is compared with what the conversion does."""

import gzip
import json
import os

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import safetensors.numpy
import soundfile
from PIL import Image

import harness


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Tables that differ in width, in what fills them, and one that is too large to be converted as a sample."""
    folder = tmp_path_factory.mktemp("plans")
    with open(folder / "narrow.csv", "w") as file:
        file.write("id,word\n")
        file.writelines(f"{i},word {i % 997}\n" for i in range(300_000))
    with open(folder / "large.csv", "w") as file:
        file.write("id,when,amount,text,flag\n")
        file.writelines(
            f"{i},2024-{i % 12 + 1:02d}-{i % 28 + 1:02d},{i * 7919 % 1000003 / 100:.2f},"
            f"some longer text about row {i * 31 % 65537},{'true' if i % 3 else 'false'}\n"
            for i in range(1_000_000))
    (folder / "packed.csv.gz").write_bytes(gzip.compress((folder / "narrow.csv").read_bytes(), 1))
    return folder


def peak(isoform, *args):
    """Peak memory of a run that is done, in bytes."""
    code, memory, err = harness.measured(isoform, *args)
    assert code == 0, err
    return memory


def test_parts_of_long_rows_are_not_held_in_memory(isoform, tmp_path):
    """A part has at least 65,536 rows: here they are all of a table, and more than memory may hold."""
    source, target, back = tmp_path / "in.csv", tmp_path / "out.jsonl", tmp_path / "back.csv"
    text = "".join(f"{i * 7919 % 1000003:x} " for i in range(4_000))
    with open(source, "w") as file:
        file.write("id,text\n")
        file.writelines(f"{i},{text[i % 1000:][:16_000].strip()}\n" for i in range(30_000))
    assert os.path.getsize(source) > 450e6
    assert peak(isoform, "convert", source, target) < 400 << 20
    os.remove(source)
    assert peak(isoform, "convert", target, back) < 400 << 20
    with open(back) as file:
        assert file.readline() == "id,text\n"
        assert all(line == f"{i},{text[i % 1000:][:16_000].strip()}\n" for i, line in enumerate(file))


def test_a_large_record_batch_is_held_within_memory(isoform, tmp_path):
    """It is held whole; what its rows become has what is left."""
    source, target = tmp_path / "in.arrow", tmp_path / "out.jsonl"
    text = "".join(f"{i * 7919 % 1000003:x} " for i in range(2_000))
    table = pa.table({"id": list(range(52_000)), "text": [text[i % 1000:][:5_000] for i in range(52_000)]})
    with pa.ipc.new_file(str(source), table.schema) as writer:
        writer.write_table(table)
    assert os.path.getsize(source) > 250e6
    planned = isoform("plan", source, target, "--json").expect(0).json()["estimate"]["memoryBytes"]
    used = peak(isoform, "convert", source, target)
    assert used <= min(planned, 512 << 20), (used, planned)


LONG = "".join(f"{i * 7919 % 1000003:x} " for i in range(200_000))[:1_000_000]


@pytest.fixture(scope="module")
def long_records(tmp_path_factory):
    """Tables of eight records of 35 MB each."""
    folder = tmp_path_factory.mktemp("long")
    with open(folder / "in.csv", "w") as csv, open(folder / "in.jsonl", "w") as jsonl:
        csv.write("id,text\n")
        for i in range(8):
            csv.write(f"{i}," + LONG * 35 + "\n")
            jsonl.write(f'{{"id":{i},"text":"' + LONG * 35 + '"}\n')
    return folder


@pytest.mark.parametrize("source, target", [
    ("in.csv", "out.parquet"), ("in.csv", "out.avro"), ("in.csv", "out.jsonl"),
    ("in.jsonl", "out.parquet"), ("in.jsonl", "out.arrow"), ("in.jsonl", "out.csv"),
])
def test_long_records_are_held_within_memory(isoform, tmp_path, long_records, source, target):
    source, target = long_records / source, tmp_path / target
    planned = isoform("plan", source, target, "--json").expect(0).json()["estimate"]["memoryBytes"]
    used = peak(isoform, "convert", source, target)
    assert used <= planned <= 512 << 20, (used, planned)


@pytest.mark.parametrize("source", ["in.csv", "in.jsonl"])
def test_a_record_that_memory_does_not_hold_is_refused(isoform, tmp_path, long_records, source):
    for command in ("convert", "plan"):
        told = isoform(command, long_records / source, tmp_path / "out.parquet", "--memory", "256MiB").expect(9).err
        assert "record 1, byte" in told and "give it more --memory" in told, told
    assert harness.listing(tmp_path) == []


def shared_dictionary():
    keys, values = pa.array([0] * 400, pa.int32()), pa.array([LONG])
    return pa.table({"id": list(range(400)), "text": pa.DictionaryArray.from_arrays(keys, values)})


def of_a_dictionary(path):
    pq.write_table(shared_dictionary(), path, compression="zstd", store_schema=False)


def of_beginnings(path):
    table = pa.table({"id": list(range(400)), "text": [LONG] * 400})
    pq.write_table(table, path, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"})


def of_keys(path):
    table = shared_dictionary()
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def of_a_run(path):
    text = pa.RunEndEncodedArray.from_arrays(pa.array([400], pa.int32()), pa.array([LONG]))
    table = pa.table({"id": list(range(400)), "text": text})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def of_keys_in_lists(path):
    items = pa.DictionaryArray.from_arrays(pa.array([0] * 400, pa.int32()), pa.array([LONG]))
    table = pa.table({"id": list(range(40)), "text": pa.ListArray.from_arrays(list(range(0, 401, 10)), items)})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def of_symbols(path):
    symbol = {"type": "enum", "name": "text", "symbols": ["A" * 1_000_000]}
    fields = [{"name": "id", "type": "long"}, {"name": "text", "type": symbol}]
    rows = [{"id": i, "text": "A" * 1_000_000} for i in range(400)]
    with open(path, "wb") as file:
        fastavro.writer(file, {"type": "record", "name": "r", "fields": fields}, rows)


@pytest.mark.parametrize("write, name", [
    (of_a_dictionary, "in.parquet"), (of_beginnings, "in.parquet"), (of_keys, "in.arrow"), (of_a_run, "in.arrow"),
    (of_symbols, "in.avro"),
])
def test_values_that_rows_share_do_not_fill_the_memory(isoform, tmp_path, write, name):
    """The file holds a megabyte once, for 400 rows that each get their own."""
    source, target = tmp_path / name, tmp_path / "out.csv"
    write(source)
    assert os.path.getsize(source) < 2e6
    assert peak(isoform, "convert", source, target) < 460 << 20
    assert os.path.getsize(target) > 400e6
    with open(target) as file:
        lines = [line.rstrip("\n").split(",", 1) for line in file][1:]
    assert [int(number) for number, _ in lines] == list(range(400))
    assert len({text for _, text in lines}) == 1


def test_keys_in_lists_do_not_fill_the_memory(isoform, tmp_path):
    of_keys_in_lists(tmp_path / "in.arrow")
    for name in ("out.parquet", "out.jsonl"):
        assert peak(isoform, "convert", tmp_path / "in.arrow", tmp_path / name) < 500 << 20


@pytest.mark.parametrize("written", [{"store_schema": False}, {}], ids=["texts", "keys"])
def test_texts_that_lists_share_do_not_fill_the_memory(isoform, tmp_path, written):
    source, target = tmp_path / "in.parquet", tmp_path / "out.jsonl"
    texts = [f"{i}" + LONG[:100_000] for i in range(10)]
    lists = [[texts[(i * 7 + j) % 10] for j in range(100)] for i in range(40)]
    items = pa.array([text for row in lists for text in row]).dictionary_encode()
    table = pa.table({"l": pa.ListArray.from_arrays(list(range(0, 4_001, 100)), items)})
    pq.write_table(table, source, **written)
    assert os.path.getsize(source) < 1.5e6
    assert peak(isoform, "convert", source, target) < 460 << 20
    with open(target) as file:
        assert [json.loads(line)["l"] for line in file] == lists


def test_lists_of_which_one_text_is_long_are_read_and_written(isoform, tmp_path):
    lines = [json.dumps({"l": [f"tag{(i * 7 + j) % 9}" for j in range(5)]}) for i in range(60_000)]
    lines[30_000] = json.dumps({"l": ["x" * 20_000]})
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")
    isoform("convert", tmp_path / "a.jsonl", tmp_path / "b.parquet").expect(0)
    isoform("convert", tmp_path / "b.parquet", tmp_path / "c.jsonl").expect(0)
    isoform("compare", tmp_path / "a.jsonl", tmp_path / "c.jsonl").expect(0)
    # Long runs of one number are no bomb either.
    zeros = pa.array([0.0] * 768 * 50_000, pa.float32())
    table = pa.table({"l": pa.FixedSizeListArray.from_arrays(zeros, 768).cast(pa.list_(pa.float32()))})
    pq.write_table(table, tmp_path / "zeros.parquet")
    isoform("convert", tmp_path / "zeros.parquet", tmp_path / "zeros.arrow").expect(0)


@pytest.mark.parametrize("source, name", [
    ("narrow.csv", "out.parquet"), ("narrow.csv", "out.tsv.gz"), ("packed.csv.gz", "out.avro"),
    ("large.csv", "out.parquet"), ("large.csv", "out.arrow"), ("large.csv", "out.jsonl"), ("large.csv", "out.csv"),
    ("large.parquet", "out.csv"), ("large.parquet", "out.arrow"),
])
def test_size_and_memory_are_as_planned(isoform, tables, tmp_path, source, name):
    source, target = tables / source, tmp_path / name
    if not source.exists():
        isoform("convert", tables / "large.csv", source).expect(0)
    plan = isoform("plan", source, target, "--json").expect(0).json()
    assert harness.listing(tmp_path) == [], "a plan does nothing"
    memory = peak(isoform, "convert", source, target)
    found = isoform("inspect", target, "--json").expect(0).json()
    estimate, size = plan["estimate"], target.stat().st_size
    assert plan["rows"] == found["rows"]
    assert plan["parts"] == len(plan["partRows"]) and sum(plan["partRows"]) == plan["rows"]
    if estimate["bytesExact"]:
        assert estimate["bytes"] == size and estimate["partsSampled"] == plan["parts"]
    else:
        assert estimate["partsSampled"] < plan["parts"]
        assert size / estimate["bytesFactor"] <= estimate["bytes"] <= size * estimate["bytesFactor"]
    assert memory <= estimate["memoryBytes"] <= 512 << 20, (memory, estimate)
    assert estimate["seconds"] > 0 and "converted and read back" in estimate["restsOn"]


@pytest.mark.parametrize("to", ["parquet", "csv"])
def test_partitions_are_as_planned(isoform, tables, tmp_path, to):
    target = tmp_path / "out"
    options = ("--to", to, "--partition-by", "when")
    plan = isoform("plan", tables / "large.csv", target, *options, "--json").expect(0).json()
    estimate = plan["estimate"]
    assert harness.listing(tmp_path) == [], "a plan does nothing"
    memory = peak(isoform, "convert", tables / "large.csv", target, *options)
    size = sum(path.stat().st_size for path in target.rglob(f"*.{to}"))
    assert not estimate["bytesExact"] and 1 <= estimate["partsSampled"] < 16 and estimate["seconds"] > 0
    assert size / estimate["bytesFactor"] <= estimate["bytes"] <= size * estimate["bytesFactor"]
    assert memory <= estimate["memoryBytes"] <= 512 << 20, (memory, estimate)


def test_the_parts_are_those_of_the_conversion(isoform, tables, tmp_path):
    target = tmp_path / "out.parquet"
    plan = isoform("plan", tables / "large.csv", target, "--json").expect(0).json()
    done = isoform("convert", tables / "large.csv", target, "--json").expect(0).json()
    assert plan["parts"] == done["parts"]["total"]
    assert [(c["name"], c["type"]) for c in plan["columns"]] == [(c["name"], c["type"]) for c in done["columns"]]


def test_a_plan_says_what_it_rests_on(isoform, tables, tmp_path):
    told = isoform("plan", tables / "large.csv", tmp_path / "out.parquet").expect(0).out
    assert "size of the target: about" in told and "within a factor of" in told
    assert "memory: at most" in told and "estimated" in told and "these rest on:" in told
    told = isoform("plan", tables / "narrow.csv", tmp_path / "out.parquet").expect(0).out
    assert "exactly" in told and "all parts were converted and read back" in told


def test_refusals_are_foretold(isoform, converted, sales, tmp_path):
    plan = isoform("plan", sales, converted, "--json").expect(7).json()
    assert plan["targetExists"] and "--force" in plan["refusals"][0]
    assert isoform("plan", sales, converted, "--force", "--json").expect(0).json()["refusals"] == []
    told = isoform("plan", sales, tmp_path / "nowhere" / "out.parquet").expect(1).out
    assert "convert would refuse" in told and "make it first" in told
    assert "none.csv" in isoform("plan", tmp_path / "none.csv", tmp_path / "new.parquet").expect(1).err


@pytest.mark.parametrize("options, told", [
    (["--stream"], "--stream"), (["--certificate", "c.json"], "--certificate"),
])
def test_what_is_about_standard_output_is_refused_as_by_convert(isoform, sales, tmp_path, options, told):
    for command in ("plan", "convert"):
        assert told in isoform(command, sales, tmp_path / "out.csv", *options, cwd=tmp_path).expect(2).err
    whole = isoform("plan", sales, "-", "--to", "parquet", "--stream").expect(2).err
    assert "only by its end" in whole
    assert isoform("plan", sales, "-", "--to", "csv", "--stream", "--json").expect(0).json()["refusals"] == []


def test_the_verdict_is_foretold(isoform, sales, tmp_path):
    lossy, broken = tmp_path / "lossy.csv", tmp_path / "broken.csv"
    lossy.write_text("a\n" + "1.50\n01.5\n+1.5\n" * 3)
    broken.write_text("a,b\n1,2\n3\n")
    aside = ("--rejects", tmp_path / "aside")
    for source, options, verdict in [
        (sales, (), "EXACT"), (lossy, ("--types", "value"), "VALUE-EXACT"), (broken, aside, "PARTIAL"),
    ]:
        target = tmp_path / "out.parquet"
        plan = isoform("plan", source, target, *options, "--json").expect(0).json()
        assert (plan["verdict"], plan["refusals"]) == (verdict, [])
        code = 0 if verdict == "EXACT" else 4
        strict = isoform("plan", source, target, *options, "--strict", "--json").expect(code).json()
        assert [verdict in why for why in strict["refusals"]] == ([] if verdict == "EXACT" else [True])
        isoform("convert", source, target, *options, "--strict").expect(code)
        done = isoform("convert", source, target, *options, "--json", "--force").expect(0).json()
        assert done["verdict"] == verdict
        harness.remove(target)
        (tmp_path / "aside").unlink(missing_ok=True)
    told = isoform("plan", lossy, "--types", "value", "--strict", "--out-dir", tmp_path / "o", "--to", "avro")
    assert "1 refused" in told.expect(3).out


def test_targets_that_cannot_be_are_foretold(isoform, sales, tmp_path):
    plan = isoform("plan", sales, "/dev/null", "--to", "csv", "--json").expect(7).json()
    assert "device" in plan["refusals"][0]
    isoform("convert", sales, "/dev/null", "--to", "csv").expect(7)


@pytest.mark.parametrize("command, code", [
    (["{sales}", "{folder}/new.arrow"], 0), (["{sales}", "{folder}/sales.parquet"], 7), (["{sales}", "{sales}", "--force"], 2),
    (["{sales}", "{folder}/none/x.csv"], 1), (["{sales}", "{folder}/none/x/", "--to", "csv", "--partition-by", "store"], 0),
    (["{sales}", "{folder}/sales.parquet", "--strict", "--types", "value"], 7),
    (["{sales}", "--out-dir", "{folder}/out", "--to", "parquet"], 0), (["{sales}", "--out-dir", "{folder}", "--to", "parquet"], 3),
    (["{sales}", "-", "--to", "csv"], 0),
])
def test_a_plan_ends_with_the_exit_code_of_the_conversion(isoform, sales, converted, tmp_path, command, code):
    words = [word.format(sales=sales, folder=tmp_path) for word in command]
    for plan in (["plan", *words], ["convert", "--plan", *words]):
        told = isoform(*plan).expect(code).out
        assert ("would refuse" in told or "1 refused" in told) == (code != 0), told
    isoform("convert", *words).expect(code)


@pytest.mark.parametrize("name", ["p.png", "s.wav", "f.npy", "m.safetensors", "a.csv"])
def test_that_source_and_target_are_one_file_is_foretold(isoform, tmp_path, name):
    source, link = tmp_path / name, tmp_path / f"link-{name}"
    if name.endswith("png"):
        Image.new("L", (4, 4)).save(source)
    elif name.endswith("wav"):
        soundfile.write(source, np.zeros(100), 8000)
    elif name.endswith("npy"):
        np.save(source, np.zeros(4, "f4"))
    elif name.endswith("safetensors"):
        safetensors.numpy.save_file({"a": np.zeros(4, "f4")}, source)
    else:
        source.write_text("a\n1\n")
    before = harness.sha256(source)
    os.link(source, link)
    options = ["--to", "gzip"] if name == "a.csv" else []
    for target in (source, link):
        for force in ([], ["--force"]):
            told = isoform("plan", source, target, *options, *force, "--json").expect(2).json()["refusals"]
            assert "the same file" in told[0], told
            assert "the same file" in isoform("convert", source, target, *options, *force).expect(2).err
    assert harness.sha256(source) == before


@pytest.mark.parametrize("source, target", [
    ("bad.csv", "out.parquet"), ("none.csv", "out.parquet"), ("bad.wav", "out.npy"), ("bad.png", "out.jpg"),
    ("bad.npy", "out.safetensors"), ("bad.gz", "out.zst"),
])
def test_the_place_of_a_target_is_looked_at_before_its_source(isoform, tmp_path, source, target):
    (tmp_path / target).write_bytes(b"precious")
    if source.startswith("bad"):
        begun = {"csv": b'a,b\n1,2\n"3', "png": b"\x89PNG\r\n\x1a\n\0\0"}
        (tmp_path / source).write_bytes(begun.get(source.split(".")[1], b"RIFF\0\0\0\0"))
    options = ["--from", "gzip"] if source.endswith("gz") else ["--within", "psnr=30"] if source.endswith("png") else []
    for command in ("plan", "convert"):
        failed = isoform(command, tmp_path / source, tmp_path / target, *options).expect(7)
        assert target in failed.err and "--force" in failed.err, failed.err
    assert (tmp_path / target).read_bytes() == b"precious"


def test_what_refuses_bytes_is_foretold(isoform, tmp_path):
    source, there, folder = tmp_path / "a.csv.gz", tmp_path / "there.zst", tmp_path / "folder.zst"
    source.write_bytes(gzip.compress(b"a\n1\n"))
    there.write_bytes(b"precious")
    folder.mkdir()
    told = [(tmp_path / "nn" / "x.csv.xz", "make it first", 1), (source / "x.csv.zst", "is no directory", 1),
            (there, "--force", 7), (folder, "is a directory", 7)]
    for target, why, code in told:
        isoform("convert", source, target, "--from", "gzip").expect(code)
        plan = isoform("plan", source, target, "--from", "gzip", "--json").expect(code).json()
        assert [why in refusal for refusal in plan["refusals"]] == [True], (target, plan["refusals"])
        shown = isoform("plan", source, target, "--from", "gzip").expect(code).out
        assert shown.count("would refuse") == 1 and f"convert would refuse: {plan['refusals'][0]}" in shown
    for command in ((there, "--force"), (tmp_path / "b.csv.zst",)):
        assert isoform("plan", source, *command, "--from", "gzip", "--json").expect(0).json()["refusals"] == []


def test_several_sources_become_one(isoform, tables, tmp_path):
    sources = [tables / "narrow.csv", tables / "packed.csv.gz"]
    plan = isoform("plan", *sources, tmp_path / "out.parquet", "--json").expect(0).json()
    assert plan["rows"] == 600_000 and plan["sources"] == [str(s) for s in sources]
    isoform("convert", *sources, tmp_path / "out.parquet").expect(0)
    size = (tmp_path / "out.parquet").stat().st_size
    assert plan["estimate"]["bytes"] == size or not plan["estimate"]["bytesExact"]


def test_a_batch(isoform, tables, sales, tmp_path):
    out = tmp_path / "out"
    command = (sales, tables / "narrow.csv", "--out-dir", out, "--to", "parquet")
    isoform("convert", *command).expect(0)
    os.rename(out / "narrow.parquet", out / "kept")
    (tmp_path / "third.csv").write_text("a\n1\n")
    (out / "third.parquet").write_text("not ours")
    bad = harness.TABLES / "bad" / "unclosed_quote.csv"
    before = harness.listing(tmp_path)
    done = isoform("convert", "--plan", *command, tmp_path / "third.csv", bad, "--json").expect(3)
    plan = done.json()
    assert plan["schema"] == "isoform.plan-batch/v1"
    assert [s["would"] for s in plan["sources"]] == ["skip", "convert", "refuse", "fail"]
    assert "certificate" in plan["sources"][2]["why"] and "--force" in plan["sources"][2]["why"]
    assert plan["sources"][3]["exitCode"] == 9 and "record 2" in plan["sources"][3]["why"]
    assert plan["sources"][1]["estimate"]["bytes"] == (out / "kept").stat().st_size
    assert (plan["convert"], plan["skip"], plan["refuse"], plan["fail"]) == (1, 1, 1, 1)
    assert harness.listing(tmp_path) == before, "a plan does nothing"
    told = isoform("plan", *command).expect(0).out
    assert "skip" in told and "1 would be converted" in told
    again = isoform("convert", *command, "--json").expect(0).json()
    assert [s["outcome"] for s in again["sources"]] == ["skipped", "converted"]


def test_the_sample_of_a_text_keeps_its_exceptions(isoform, tmp_path):
    """They stand in rows of the whole, and the parts of a sample are read back by themselves."""
    source = tmp_path / "in.jsonl"
    pad = "x" * 40
    with open(source, "w") as file:
        for i in range(900_000):
            file.write(f'{{"a":{i}{"" if i % 1000 == 0 else ".5"},"pad":"{pad}"}}\n')
    for name in ("out.jsonl", "out.csv"):
        plan = isoform("plan", source, tmp_path / name, "--json").expect(0).json()
        assert not plan["estimate"]["bytesExact"] and plan["columns"][0]["type"] == "float64"


def sound(path, seconds, channels=2):
    """Tones with some noise, of 48,000 frames a second."""
    time = np.arange(seconds * 48_000) / 48_000
    noise = np.random.default_rng(3).normal(0, 0.01, (len(time), channels))
    tones = np.stack([0.4 * np.sin(2 * np.pi * 220 * (c + 1) * time) for c in range(channels)], axis=1)
    soundfile.write(path, tones + noise, 48_000, subtype="PCM_16")
    return path


def as_planned(isoform, tmp_path, *command):
    """The estimate of a plan, and the size of what the conversion writes."""
    before = harness.listing(tmp_path)
    plan = isoform("plan", *command, "--json").expect(0).json()
    assert harness.listing(tmp_path) == before, "a plan does nothing"
    memory = peak(isoform, "convert", *command)
    estimate = plan["estimate"]
    assert memory <= estimate["memoryBytes"] <= 512 << 20, (memory, estimate)
    assert estimate["seconds"] > 0
    # The target exists now.
    told = isoform("plan", *command).expect(7).out
    assert "size of the target: " in told and "time: about " in told and estimate["restsOn"] in told
    return plan, command[1].stat().st_size


@pytest.mark.parametrize("name, options", [
    ("x.flac", []), ("x.wav", ["--within", "snr=30"]), ("x.flac", ["--sample-type", "i24", "--within", "exact"]),
    ("x.opus", ["--within", "snr=12"]), ("x.safetensors", []), ("x.npz", []),
    ("x.flac", ["--via", "safetensors"]),
])
def test_a_sound_is_as_planned(isoform, tmp_path, name, options):
    plan, size = as_planned(isoform, tmp_path, sound(tmp_path / "in.wav", 4), tmp_path / name, *options)
    assert plan["estimate"]["bytesExact"] and plan["estimate"]["bytes"] == size
    assert plan["estimate"].get("partsSampled", plan["parts"]) == plan["parts"]


def test_a_long_sound_is_planned_by_some_of_its_parts(isoform, tmp_path):
    source = sound(tmp_path / "in.wav", 330)
    plan, size = as_planned(isoform, tmp_path, source, tmp_path / "x.flac")
    estimate = plan["estimate"]
    assert not estimate["bytesExact"] and estimate["partsSampled"] < plan["parts"]
    assert size / estimate["bytesFactor"] <= estimate["bytes"] <= size * estimate["bytesFactor"]
    # Without packing the size is known, whatever is sampled.
    plan, size = as_planned(isoform, tmp_path, source, tmp_path / "x.wav", "--within", "snr=60")
    assert plan["estimate"]["bytesExact"] and plan["estimate"]["bytes"] == size


def test_a_sound_for_opus_is_planned_by_its_first_minute(isoform, tmp_path):
    source = sound(tmp_path / "in.wav", 65, channels=1)
    plan, size = as_planned(isoform, tmp_path, source, tmp_path / "x.opus", "--within", "snr=9")
    estimate = plan["estimate"]
    assert not estimate["bytesExact"] and "first 60 of 65 seconds" in estimate["restsOn"]
    assert size / estimate["bytesFactor"] <= estimate["bytes"] <= size * estimate["bytesFactor"]
    missed = isoform("plan", sound(tmp_path / "short.wav", 1), tmp_path / "y.opus", "--within", "snr=90").expect(4)
    assert "the budget was missed" in missed.err


def test_a_second_that_no_bits_keep_ends_the_plan_of_a_long_sound(isoform, tmp_path):
    """White noise is beyond what Opus holds, since this ends at 20 kHz."""
    samples, rate = soundfile.read(sound(tmp_path / "tones.wav", 62, channels=1))
    samples[21 * rate:22 * rate] = np.random.default_rng(5).normal(0, 0.2, rate)
    soundfile.write(tmp_path / "in.wav", samples, rate, subtype="PCM_16")
    command = [tmp_path / "in.wav", tmp_path / "x.opus", "--within"]
    for budget in ("snr=60", "max-error=10"):
        for verb in ("plan", "convert"):
            assert "from 0:21 to 0:22" in isoform(verb, *command, budget).expect(4).err
    # What all seconds miss together, those that follow might make up for.
    mean = ["snr=60", "--part-floor", "snr=3"]
    notes = isoform("plan", *command, *mean, "--json").expect(0).json()["notes"]
    assert any("the first 60 s miss the budget" in note for note in notes), notes
    isoform("convert", *command, *mean).expect(4)


@pytest.mark.parametrize("name, options", [
    ("x.npz", []), ("x.safetensors", ["--sample-type", "f16", "--within", "rmse=1"]),
    ("x.gguf", ["--within", "coherence=0.99"]),
])
def test_arrays_are_as_planned(isoform, tmp_path, name, options):
    source = tmp_path / "in.npz"
    random = np.random.default_rng(5)
    np.savez(source, a=random.normal(size=(300, 64)).astype("f4"), b=np.arange(7, dtype="i4"),
             large=random.normal(size=(4_500, 4_096)).astype("f4"))
    plan, size = as_planned(isoform, tmp_path, source, tmp_path / name, *options)
    assert plan["estimate"]["bytesExact"] and plan["estimate"]["bytes"] == size
    assert 1 <= plan["estimate"]["partsSampled"] < plan["parts"]


def test_a_plan_says_that_samples_would_not_survive(isoform, tmp_path):
    np.save(tmp_path / "in.npy", np.random.default_rng(5).normal(size=1_000).astype("f4"))
    for command in ("plan", "convert"):
        options = ["--sample-type", "f16", "--within", "exact"]
        refused = isoform(command, tmp_path / "in.npy", tmp_path / "x.npy", *options).expect(4)
        assert "does not survive as f16" in refused.err


def missed(isoform, *command):
    """Where the budget is missed, a plan ends as the conversion does, with the same figures."""
    planned, converted = [isoform(verb, *command).expect(4).err for verb in ("plan", "convert")]
    assert "the budget was missed" in converted and "where" in converted
    figures = converted[converted.index("the budget was missed"):].strip()
    assert figures in planned, (planned, converted)


@pytest.mark.parametrize("options", [
    ["--sample-type", "f16", "--within", "rmse=1e-9"], ["--sample-type", "bf16", "--within", "coherence=0.99999"],
    ["--sample-type", "f16", "--within", "max-error=1e-9"],
    ["--sample-type", "f16", "--within", "rmse=1", "--part-floor", "rmse=1e-9"],
])
def test_a_plan_says_that_arrays_would_miss_their_budget(isoform, tmp_path, options):
    np.save(tmp_path / "in.npy", np.random.default_rng(5).normal(size=1_000))
    missed(isoform, tmp_path / "in.npy", tmp_path / "x.safetensors", *options)


@pytest.mark.parametrize("options", [["--within", "snr=90"], ["--within", "snr=5", "--part-floor", "snr=90"]])
def test_a_plan_says_that_a_sound_would_miss_its_budget(isoform, tmp_path, options):
    missed(isoform, sound(tmp_path / "in.wav", 3), tmp_path / "x.wav", "--sample-type", "i8", *options)


def test_a_plan_says_that_no_width_keeps_the_budget(isoform, tmp_path):
    """Samples beyond the range of FLAC are cut."""
    tone = 2 * np.sin(2 * np.pi * 220 * np.arange(48_000) / 48_000)
    soundfile.write(tmp_path / "in.wav", tone.astype("f4"), 48_000, subtype="FLOAT")
    missed(isoform, tmp_path / "in.wav", tmp_path / "x.flac", "--within", "snr=60")


def test_parts_that_were_tried_tell_of_their_floors_and_the_rest_of_the_mean(isoform, tmp_path):
    """Of five parts the first, the middle and the last are tried; the others lose nothing."""
    samples = np.zeros((5, 1 << 22), "f4")
    samples[::2] = np.random.default_rng(5).normal(size=(3, 1 << 22))
    np.save(tmp_path / "in.npy", samples)
    lost = (samples[::2] - samples[::2].astype("f2")).astype("f8")
    rmse = np.sqrt((lost ** 2).mean())
    command = [tmp_path / "in.npy", tmp_path / "x.npy", "--sample-type", "f16"]
    mean = ["--within", f"rmse={rmse * 0.85}", "--part-floor", f"rmse={rmse * 2}"]
    plan = isoform("plan", *command, *mean, "--json").expect(0).json()
    assert plan["estimate"]["partsSampled"] == 3 and plan["parts"] == 5
    assert any("what was tried (3 parts) misses the budget" in note for note in plan["notes"])
    isoform("convert", *command, *mean).expect(0)
    (tmp_path / "x.npy").unlink()
    floor = ["--within", f"rmse={rmse * 2}", "--part-floor", f"rmse={rmse / 2}"]
    for verb in ("plan", "convert"):
        assert "samples 0 to 4194304" in isoform(verb, *command, *floor, "--force").expect(4).err
    # A mean that three of five parts have spent is missed whatever the others lose.
    spent = ["--within", f"rmse={rmse * 0.7}", "--part-floor", f"rmse={rmse * 2}"]
    for verb, all in (("plan", "what was tried is at root mean square error"), ("convert", "the whole is at")):
        assert all in isoform(verb, *command, *spent, "--force").expect(4).err


def test_a_sound_spends_its_mean_in_the_parts_that_were_tried(isoform, tmp_path):
    command = [sound(tmp_path / "in.wav", 330), tmp_path / "x.flac", "--sample-type", "i8"]
    spent = ["--within", "rmse=0.1", "--part-floor", "rmse=1000"]
    for verb in ("plan", "convert"):
        assert "the budget was missed" in isoform(verb, *command, *spent).expect(4).err


def lossy_conversions(folder):
    """An image and an array: source, ending of the target, options."""
    random = np.random.default_rng(5)
    ramp = np.add.outer(np.arange(64), np.arange(96)) + random.integers(0, 9, (64, 96))
    Image.fromarray(ramp.astype("u1")).save(folder / "p.png")
    np.save(folder / "f.npy", random.normal(size=(64, 96)).astype("f4"))
    return [
        (folder / "p.png", "jpg", ["--within", "psnr=40"]),
        (folder / "f.npy", "npz", ["--sample-type", "f16", "--within", "rmse=0.01"]),
    ]


def test_the_verdict_on_samples_is_foretold(isoform, tmp_path):
    for source, ending, options in lossy_conversions(tmp_path):
        target = tmp_path / f"x.{ending}"
        plan = isoform("plan", source, target, *options, "--json").expect(0).json()
        assert (plan["verdict"], plan["refusals"]) == ("BOUNDED", [])
        plan = isoform("plan", source, target, *options, "--strict", "--json").expect(4).json()
        assert ["BOUNDED" in why and "--strict" in why for why in plan["refusals"]] == [True]
        told = isoform("plan", source, target, *options, "--strict").expect(4).out
        assert "convert would refuse: the verdict would be BOUNDED" in told
        isoform("convert", source, target, *options, "--strict").expect(4)
        batch = [source, "--out-dir", tmp_path / "out", "--to", ending, *options]
        assert "1 refused" in isoform("plan", *batch, "--strict").expect(3).out
        assert "1 would be converted" in isoform("plan", *batch).expect(0).out
        isoform("convert", source, target, *options).expect(0)
        plan = isoform("plan", source, target, *options, "--json").expect(7).json()
        assert plan["targetExists"] and ["--force" in why for why in plan["refusals"]] == [True]
        exact = tmp_path / {"jpg": "y.webp", "npz": "y.safetensors"}[ending]
        plan = isoform("plan", source, exact, "--strict", "--json").expect(0).json()
        assert (plan["verdict"], plan["refusals"]) == ("EXACT", [])


def test_the_least_coherence_of_a_type_is_foretold(isoform, tmp_path):
    types = tmp_path / "types"
    types.mkdir()
    for name in ("jpeg", "npz"):
        (types / f"{name}.toml").write_text(f'[type]\nname = "{name}"\n[coherence]\ntau = 0.99999\n')
    for source, ending, options in lossy_conversions(tmp_path):
        options = [*options, "--media-types", types]
        for verb in ("plan", "convert"):
            missed = isoform(verb, source, tmp_path / f"x.{ending}", *options).expect(4)
            assert "coherence.tau" in missed.err
        batch = [source, "--out-dir", tmp_path / "out", "--to", ending, *options, "--json"]
        assert [item["exitCode"] for item in isoform("plan", *batch).expect(3).json()["sources"]] == [4]


def test_a_plan_says_without_loss_only_where_samples_are_kept(isoform, tmp_path):
    random = np.random.default_rng(5)
    Image.fromarray(random.random((64, 64)).astype("f4")).save(tmp_path / "f.tif")
    Image.fromarray(random.integers(0, 65_536, (64, 64)).astype("u2")).save(tmp_path / "u.tif")
    for name, verdict, how, told in [
        ("f", "BOUNDED", "within the budget", "gray f32, as u16, within the budget"),
        ("u", "EXACT", "without loss", "gray u16, without loss"),
    ]:
        source, target = tmp_path / f"{name}.tif", tmp_path / f"{name}.png"
        assert told in isoform("plan", source, target, "--within", "rmse=0.01").expect(0).out
        batch = ["--out-dir", tmp_path / "out", "--to", "png", "--within", "rmse=0.01", "--json"]
        assert [item["why"] for item in isoform("plan", source, *batch).expect(0).json()["sources"]] == [how]
        done = isoform("convert", source, target, "--within", "rmse=0.01", "--json").expect(0).json()
        assert done["verdict"] == verdict


@pytest.mark.parametrize("name, options", [
    ("x.tar.zst", []), ("x.tar.xz", []), ("x.tar.br", ["--compression", "brotli:5"]), ("x.tar.bz2", []), ("x.tar", []),
])
@pytest.mark.parametrize("lines", [0, 1_000, 900_000])
def test_bytes_are_as_planned(isoform, tmp_path, name, options, lines):
    random = np.random.default_rng(5)
    text = b"".join(b"GET /item/%d HTTP/1.1 200\n" % n for n in random.integers(0, 5_000, lines))
    source = tmp_path / "in.tar.gz"
    source.write_bytes(gzip.compress(text, 1))
    plan, size = as_planned(isoform, tmp_path, source, tmp_path / name, *options)
    estimate = plan["estimate"]
    if len(text) <= 4 << 20 or name == "x.tar":
        assert estimate["bytesExact"] and estimate["bytes"] == size
    assert size / estimate["bytesFactor"] <= estimate["bytes"] <= size * estimate["bytesFactor"]


@pytest.mark.parametrize("name", ["x.tar.zst", "x.tar.bz2"])
def test_bytes_are_planned_by_blocks_of_all_their_content(isoform, tmp_path, name):
    """The first 4 MiB are of no use to tell what the rest becomes."""
    source = tmp_path / "in.tar.gz"
    source.write_bytes(gzip.compress(bytes(4 << 20) + np.random.default_rng(5).bytes(20 << 20), 1))
    plan, size = as_planned(isoform, tmp_path, source, tmp_path / name)
    estimate = plan["estimate"]
    assert not estimate["bytesExact"] and "spread over all of it" in estimate["restsOn"]
    assert size / estimate["bytesFactor"] <= estimate["bytes"] <= size * estimate["bytesFactor"]


@pytest.mark.parametrize("period, noisy", [(1 << 19, 1 << 18), (1 << 20, 1 << 18), (1 << 22, 1 << 20)])
def test_bytes_that_repeat_themselves_are_not_in_step_with_their_sample(isoform, tmp_path, period, noisy):
    random = np.random.default_rng(5)
    source = tmp_path / "in.bin"
    source.write_bytes(b"".join(random.bytes(noisy) + bytes(period - noisy) for _ in range((32 << 20) // period)))
    plan, size = as_planned(isoform, tmp_path, source, tmp_path / "in.bin.zst")
    estimate = plan["estimate"]
    assert not estimate["bytesExact"]
    assert size / estimate["bytesFactor"] <= estimate["bytes"] <= size * estimate["bytesFactor"]


def test_a_batch_tells_what_each_sound_comes_to(isoform, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    sources = [sound(folder / f"{name}.wav", 1) for name in ("a", "b")]
    options = [folder, "--out-dir", tmp_path / "out", "--to", "flac"]
    planned = isoform("plan", *options, "--json").expect(0).json()["sources"]
    assert "2 would be converted (about " in isoform("plan", *options).expect(0).out
    isoform("convert", *options).expect(0)
    for item, source in zip(planned, sources):
        assert item["would"] == "convert" and item["estimate"]["seconds"] > 0
        assert item["estimate"]["bytes"] == (tmp_path / "out" / f"{source.stem}.flac").stat().st_size


def test_a_batch_of_images_is_not_estimated(isoform, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.add.outer(np.arange(64), np.arange(96)).astype("u1")).save(folder / f"{name}.png")
    options = [folder, "--out-dir", tmp_path / "out", "--to", "jpg", "--within", "psnr=40"]
    told = isoform("plan", *options).expect(0).out
    assert "2 would be converted, 0 skipped, 0 refused, 0 fail" in told
    assert [item["estimate"] for item in isoform("plan", *options, "--json").expect(0).json()["sources"]] == [None, None]


def test_a_key_that_cannot_be_used_is_told_before_the_work(isoform, sales, tmp_path):
    config = tmp_path / "config"
    env = {"ISOFORM_CONFIG_DIR": str(config)}
    picture, samples = tmp_path / "p.png", tmp_path / "a.npy"
    Image.effect_noise((64, 64), 40).save(picture)
    np.save(samples, np.arange(64, dtype="<f4"))
    commands = [
        (sales, tmp_path / "s.parquet"), (picture, tmp_path / "p.webp"), (samples, tmp_path / "a.npz"),
        (sales, tmp_path / "s.csv.gz"), (sales, tmp_path / "parts", "--to", "csv", "--partition-by", "store"),
        (sales, "--out-dir", tmp_path / "out", "--to", "parquet"),
        (picture, "--out-dir", tmp_path / "out", "--to", "webp", "--within", "psnr=30", "--part-floor", "psnr=20"),
    ]
    # Where there is none yet a plan makes none.
    isoform("plan", *commands[0], env=env).expect(0)
    assert not config.exists()
    isoform("key", "show", env=env).expect(0)
    (config / "signing-key.pem").chmod(0o644)
    for command in commands:
        told = isoform("plan", *command, env=env)
        assert "others can read the signing key" in told.out, (command, told)
        failed = isoform("convert", *command, "-v", env=env)
        assert failed.code == told.code != 0 and "others can read the signing key" in failed.err, (command, failed)
        assert "converting" not in failed.err, (command, failed)
    streamed = isoform("convert", sales, "-", "--to", "csv", "--stream", env=env)
    assert streamed.code == 1 and streamed.out == "", streamed
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"config", "p.png", "a.npy", sales.name}, left
    # Where none can be made that is told too.
    (tmp_path / "dangling").symlink_to("none")
    env = {"ISOFORM_CONFIG_DIR": str(tmp_path / "dangling")}
    assert f"would refuse: {tmp_path / 'dangling'}" in isoform("plan", *commands[0], env=env).expect(1).out
    isoform("convert", *commands[0], env=env).expect(1)
    assert not (tmp_path / "s.parquet").exists()
