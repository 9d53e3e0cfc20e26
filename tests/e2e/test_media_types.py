"""Definitions of media types drive the program: changing a value changes what it does."""

import bz2
import gzip
import lzma
import os
import random
import subprocess
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import soundfile
import zstandard
from PIL import Image

import harness

SENSOR = """[type]
name = "sensor"
media-type = "application/x-sensor+csv"
codec = "csv"
endings = ["sensor"]

[storage]
delimiter = ";"
"""


@pytest.fixture
def types(tmp_path):
    """Writes a definition, and gives the directory of definitions."""
    directory = tmp_path / "types"
    directory.mkdir()

    def write(text, name="a.toml"):
        (directory / name).write_text(text)
        return directory

    return write


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """200,000 rows: four chunks."""
    path = tmp_path_factory.mktemp("media") / "large.csv"
    rng = random.Random(5)
    path.write_text("a,b\n" + "".join(f"{i},{rng.randint(0, 9)}\n" for i in range(200_000)))
    return path


def photo(path):
    ramp = np.add.outer(np.arange(160), np.arange(200)) % 256
    noise = np.random.default_rng(1).integers(0, 24, (160, 200, 3))
    Image.fromarray((ramp[..., None] * 0.9 + noise).astype(np.uint8)).save(path)
    return path


def test_every_command_tells_the_type_that_a_definition_added(isoform, types, tmp_path):
    options = ("--media-types", types(SENSOR), "--json")
    source, target = tmp_path / "a.sensor", tmp_path / "a.parquet"
    source.write_text("a;b\n1;2\n")
    done = isoform("convert", source, target, *options).expect(0).json()
    shown = isoform("inspect", source, *options).expect(0).json()
    assert shown["mediaType"] == done["source"]["mediaType"] == "application/x-sensor+csv"
    array, definition = tmp_path / "a.grid", SENSOR.replace("sensor+csv", "grid").replace("sensor", "grid")
    definition = definition.replace('"csv"', '"npy"').split("[storage]")[0]
    with open(array, "wb") as file:
        np.save(file, np.arange(3.0))
    told = isoform("inspect", array, "--media-types", types(definition, "b.toml"), "--json").expect(0).json()
    assert told["mediaType"] == "application/x-grid"


def test_part_rows_decide_the_row_groups(isoform, types, large, tmp_path):
    isoform("convert", large, tmp_path / "usual.parquet").expect(0)
    few = types('[type]\nname = "parquet"\n[transport]\nleast-parts = 2\n')
    isoform("convert", large, tmp_path / "few.parquet", "--media-types", few).expect(0)
    groups = [pq.ParquetFile(tmp_path / f"{name}.parquet").metadata.num_row_groups for name in ("usual", "few")]
    assert groups == [4, 2]
    parameters = harness.statement(harness.certificate_of(tmp_path / "few.parquet"))["predicate"]["conversion"]["parameters"]
    changed = parameters["mediaTypes"]["application/vnd.apache.parquet"]
    assert changed["codec"] == "parquet" and changed["changed"] == {"transport.least-parts": "2"}
    usual = harness.statement(harness.certificate_of(tmp_path / "usual.parquet"))["predicate"]["conversion"]["parameters"]
    assert "mediaTypes" not in usual
    isoform("verify", tmp_path / "few.parquet", "--source", large).expect(0)


def test_memory_and_threads_follow_the_definition(isoform, types, large, tmp_path):
    plan = lambda *more: isoform("plan", large, tmp_path / "x.parquet", "--json", *more).expect(0).json()
    usual = plan("--threads", "4", "--memory", "2GiB")
    greedy = types('[type]\nname = "parquet"\n[runtime]\nmemory-per-byte = 12\n')
    fewer = plan("--threads", "4", "--memory", "2GiB", "--media-types", greedy)
    single = types('[type]\nname = "parquet"\n[runtime]\nthreads = 2\n')
    assert (usual["workers"], fewer["workers"]) == (4, 1)
    assert plan("--threads", "4", "--memory", "2GiB", "--media-types", single)["workers"] == 2
    packed = types('[type]\nname = "zstd"\n[runtime]\nthreads = 3\n')
    (tmp_path / "a.bin").write_bytes(bytes(40_000_000))
    plan = lambda *more: isoform("plan", tmp_path / "a.bin", tmp_path / "a.zst", "--threads", "4", "--json", *more).expect(0).json()
    assert (plan()["workers"], plan("--media-types", packed)["workers"]) == (4, 3)


def test_defaults_of_compression_and_level(isoform, types, large, tmp_path):
    snappy = types('[type]\nname = "parquet"\n[storage]\ncompression = "snappy"\ndictionary = false\n')
    isoform("convert", large, tmp_path / "a.parquet", "--media-types", snappy).expect(0)
    column = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(1)
    assert column.compression == "SNAPPY" and not column.has_dictionary_page
    isoform("convert", large, tmp_path / "b.parquet", "--media-types", snappy, "--compression", "zstd:3").expect(0)
    assert pq.ParquetFile(tmp_path / "b.parquet").metadata.row_group(0).column(0).compression == "ZSTD"
    level = types('[type]\nname = "gzip"\n[storage]\nlevel = 1\n')
    told = isoform("convert", large, tmp_path / "l.csv.gz", "--media-types", level, "--json").expect(0).json()
    assert told["compression"] == "gzip:1"
    assert gzip.decompress((tmp_path / "l.csv.gz").read_bytes()) == large.read_bytes()


def test_a_new_type_on_a_codec(isoform, types, tmp_path):
    types_dir = types(SENSOR)
    source = tmp_path / "a.sensor"
    source.write_text("t;v\n1;x,y\n2;z\n")
    refused = isoform("convert", source, tmp_path / "no.parquet").expect(9)
    assert "neither the bytes nor the name tell a format" in refused.err
    told = isoform("convert", source, tmp_path / "a.parquet", "--media-types", types_dir, "--json").expect(0).json()
    assert told["source"]["mediaType"] == "application/x-sensor+csv"
    assert pq.read_table(tmp_path / "a.parquet").to_pydict() == {"t": [1, 2], "v": ["x,y", "z"]}
    isoform("convert", tmp_path / "a.parquet", tmp_path / "back.sensor", "--media-types", types_dir).expect(0)
    assert (tmp_path / "back.sensor").read_text() == "t;v\n1;x,y\n2;z\n"
    # Its certificate says what is needed to check it without the definition.
    isoform("verify", tmp_path / "back.sensor", "--source", tmp_path / "a.parquet").expect(0)
    isoform("verify", tmp_path / "a.parquet", "--source", source).expect(0)
    listed = isoform("formats", "--media-types", types_dir).expect(0).out
    assert "application/x-sensor+csv" in listed and ".sensor" in listed
    both = isoform("convert", source, tmp_path / "b.parquet", env={"ISOFORM_MEDIA_TYPES": str(types_dir)})
    both.expect(0)
    # Between two types on one codec it is not only the wrapping that changes.
    (tmp_path / "c.csv").write_text("t,v\n1,2\n")
    isoform("convert", tmp_path / "c.csv", tmp_path / "c.sensor.gz", "--media-types", types_dir).expect(0)
    assert gzip.decompress((tmp_path / "c.sensor.gz").read_bytes()) == b"t;v\n1;2\n"


def test_the_default_budget_and_the_least_coherence(isoform, types, tmp_path):
    source = photo(tmp_path / "p.png")
    assert isoform("convert", source, tmp_path / "no.jpg").expect(2).err.count("--within psnr=40")
    within = types('[type]\nname = "jpeg"\n[coherence]\nwithin = "psnr=30"\n')
    isoform("convert", source, tmp_path / "p.jpg", "--media-types", within).expect(0)
    predicate = harness.statement(harness.certificate_of(tmp_path / "p.jpg"))["predicate"]
    assert predicate["conversion"]["parameters"]["within"] == "psnr=30"
    a, b = (np.asarray(Image.open(tmp_path / name).convert("RGB"), dtype=float) for name in ("p.png", "p.jpg"))
    assert 20 * np.log10(255 / np.sqrt(((a - b) ** 2).mean())) >= 30
    strict = types('[type]\nname = "jpeg"\n[coherence]\nwithin = "psnr=25"\ntau = 0.9999\n')
    missed = isoform("convert", source, tmp_path / "t.jpg", "--media-types", strict).expect(4)
    assert "coherence.tau" in missed.err and not (tmp_path / "t.jpg").exists()


def test_parts_of_arrays(isoform, types, tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3 << 20, dtype=np.float32))
    parts = lambda *more: isoform("plan", tmp_path / "a.npy", tmp_path / "b.safetensors", "--json", *more).expect(0).json()
    small = types('[type]\nname = "safetensors"\n[transport]\npart-samples = 1048576\n[storage]\nsample-type = "f64"\n')
    usual, changed = parts(), parts("--media-types", small)
    assert (usual["parts"], changed["parts"]) == (1, 3)
    assert changed["arrays"][0]["targetSampleType"] == "f64"


def test_refused_edges(isoform, types, large, tmp_path):
    rule = '[type]\nname = "{}"\n[[rule]]\nto = "{}"\nclass = "{}"\nwhy = "a rule of the house"\n'
    refused = types(rule.format("csv", "avro", "refused"))
    told = isoform("convert", large, tmp_path / "x.avro", "--media-types", refused).expect(2)
    assert "csv → avro" in told.err and "a rule of the house" in told.err
    isoform("plan", large, tmp_path / "x.avro", "--media-types", refused).expect(2)
    np.save(tmp_path / "a.npy", np.ones(4, np.float32))
    exact = types(rule.format("npy", "safetensors", "exact"))
    more = ("--media-types", exact, "--within", "snr=20")
    told = isoform("convert", tmp_path / "a.npy", tmp_path / "a.safetensors", *more).expect(2)
    assert "is exact by the definition" in told.err
    isoform("convert", tmp_path / "a.npy", tmp_path / "a.safetensors", "--media-types", exact).expect(0)


def test_faults_name_the_line(isoform, types, tmp_path):
    directory = types('[type]\nname = "csv"\n\n[transport]\npart-rows = 7\n', "bad.toml")
    told = isoform("formats", "--media-types", directory).expect(2)
    assert "bad.toml, line 5, column 13: transport.part-rows: is a multiple of 65536" in told.err
    (directory / "bad.toml").unlink()
    assert "no definition" in isoform("formats", "--media-types", directory).expect(2).err


def test_the_graph(isoform, types):
    dot = isoform("formats", "--graph").expect(0).out
    assert '"csv" -> "parquet" [class="reversible"' in dot and dot.startswith("digraph")
    picture = ET.fromstring(isoform("formats", "--graph=svg").expect(0).out)
    texts = {element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {"csv", "npy", "png", "zstd"} <= texts
    edges = isoform("formats", "--graph", "--json").expect(0).json()["edges"]
    classes = {(edge["from"], edge["to"]): edge["class"] for edge in edges}
    assert classes["safetensors", "gguf"] == "bounded" and ("png", "csv") not in classes
    refused = types('[type]\nname = "csv"\n[[rule]]\nto = "avro"\nclass = "refused"\n')
    assert '"csv" -> "avro" [class="refused"' in isoform("formats", "--graph", "--media-types", refused).expect(0).out


def test_what_is_no_small_text_file_is_refused(isoform, types, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("a\n1\n")
    directory = types("", "a.toml")
    (directory / "a.toml").unlink()
    os.mkfifo(directory / "pipe.toml")
    (tmp_path / "endless").mkdir()
    (tmp_path / "endless" / "a.toml").symlink_to("/dev/zero")
    (tmp_path / "latin").mkdir()
    (tmp_path / "latin" / "a.toml").write_bytes(b"# \xff\n")
    for folder, what in [(directory, "regular file"), (tmp_path / "endless", "regular file"), (tmp_path / "latin", "UTF-8")]:
        done = isoform("convert", source, tmp_path / "out.parquet", "--media-types", folder, timeout=20).expect(2)
        assert what in done.err


def test_a_rule_about_bytes_holds(isoform, types, tmp_path):
    source = tmp_path / "a.log.gz"
    source.write_bytes(gzip.compress(b"line\n" * 100))
    directory = types('[type]\nname = "gzip"\n\n[[rule]]\nto = "zstd"\nclass = "refused"\nwhy = "kept as it came"\n')
    done = isoform("convert", source, tmp_path / "a.log.zst", "--media-types", directory).expect(2)
    assert "kept as it came" in done.err and not (tmp_path / "a.log.zst").exists()
    for ending in ("xz", "gz2.gz"):
        isoform("convert", source, tmp_path / f"a.log.{ending}", "--media-types", directory).expect(0)
    isoform("convert", source, tmp_path / "a.log.zst").expect(0)


def test_quality_is_where_the_search_begins(isoform, types, tmp_path):
    source = photo(tmp_path / "p.png")
    command = ("convert", source, tmp_path / "p.jpg", "--within", "psnr=30", "--json", "--force")
    usual = isoform(*command).expect(0).json()
    near = types(f'[type]\nname = "jpeg"\n[storage]\nquality = {usual["settings"]["quality"]}\n')
    found = isoform(*command, "--media-types", near).expect(0).json()
    assert found["settings"] == usual["settings"] and found["encodes"] < usual["encodes"], "it begins where it ends"


def test_effort_is_spent_where_none_is_asked_for(isoform, types, tmp_path):
    source = photo(tmp_path / "p.png")
    effort = lambda number: types(f'[type]\nname = "png"\n[storage]\neffort = {number}\n')

    def size(*more):
        isoform("convert", source, tmp_path / "q.png", "--force", *more).expect(0)
        return (tmp_path / "q.png").stat().st_size

    none = size("--media-types", effort(0))
    most = size("--media-types", effort(9))
    assert most < none and none == size("--effort", "0") and most == size("--effort", "9")
    assert size("--effort", "9", "--media-types", effort(0)) == most


def test_memory_of_workers_and_readers_of_bytes(isoform, types, tmp_path):
    source = tmp_path / "a.log.gz"
    source.write_bytes(gzip.compress(random.Random(1).randbytes(40 << 20), 1))
    plan = lambda *more: isoform("plan", source, tmp_path / "a.log.zst", "--threads", "4", "--memory", "700MiB", *more)
    assert plan("--json").expect(0).json()["workers"] == 4
    greedy = types('[type]\nname = "zstd"\n[runtime]\nworker-bytes = "200MiB"\n')
    assert plan("--json", "--media-types", greedy).expect(0).json()["workers"] == 2
    by_level = types('[type]\nname = "zstd"\n[runtime]\nworker-bytes = { 1 = "48MiB", 3 = "500MiB" }\n')
    assert plan("--json", "--media-types", by_level).expect(0).json()["workers"] == 1
    reader = types('[type]\nname = "gzip"\n[runtime]\nreader-bytes = "400MiB"\n')
    assert plan("--json", "--media-types", reader).expect(0).json()["workers"] < 4
    much = types('[type]\nname = "gzip"\n[runtime]\nreader-bytes = "700MiB"\n')
    assert "--memory" in plan("--media-types", much).expect(2).err


@pytest.mark.parametrize("key", ["decode-cost", "encode-cost"])
def test_costs_choose_the_way(isoform, types, tmp_path, key):
    source = tmp_path / "n.csv"
    source.write_text("a,b\n1,2\n")
    way = lambda *more: isoform("plan", source, tmp_path / "n.npy", "--drop", "metadata", *more).expect(0).out
    assert "arrow (" in way()
    dear = types(f'[type]\nname = "arrow"\n[runtime]\n{key} = 1000\n')
    assert "arrow-stream (" in way("--media-types", dear)
    costs = lambda *more: {(e["from"], e["to"]): e["cost"] for e in isoform("formats", "--graph", "--json", *more).expect(0).json()["edges"]}
    assert costs("--media-types", dear)["csv", "arrow"] >= costs()["csv", "arrow"] + 900


def member(codec, path):
    """What a reader finds that stops at the end of the first member."""
    single = {"gzip": lambda data: zlib.decompressobj(31).decompress(data), "xz": lambda data: lzma.LZMADecompressor().decompress(data),
              "zstd": lambda data: zstandard.ZstdDecompressor().stream_reader(data).read(), "bzip2": lambda data: bz2.BZ2Decompressor().decompress(data)}
    return single[codec](path.read_bytes())


@pytest.mark.parametrize("codec, ending", [("gzip", "gz"), ("zstd", "zst"), ("xz", "xz"), ("bzip2", "bz2")])
def test_framing_decides_whether_parts_are_members(isoform, types, tmp_path, codec, ending):
    source = tmp_path / "a.log"
    source.write_bytes(b"".join(b"%d\n" % n for n in range(7_000_000)))
    target = tmp_path / f"a.log.{ending}"
    one = types(f'[type]\nname = "{codec}"\n[transport]\nframing = "one"\n')
    members = []
    for more in [(), ("--media-types", one), ("--media-types", one, "--threads", "1")]:
        isoform("convert", source, target, "--force", "--compression", f"{codec}:1", *more).expect(0)
        members.append(isoform("inspect", target, "--json").expect(0).json()["members"])
        isoform("verify", target, "--source", source).expect(0)
    assert members[0] > 1 and members[1:] == [1, 1]
    changed = harness.statement(harness.certificate_of(target))["predicate"]["conversion"]["parameters"]["mediaTypes"]
    assert list(changed.values())[0]["changed"] == {"transport.framing": "one"}
    assert member(codec, target) == source.read_bytes(), "a reader of one member finds all of it"


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
@pytest.mark.parametrize("codec, ending", [("gzip", "gz"), ("zstd", "zst"), ("xz", "xz"), ("bzip2", "bz2")])
def test_framing_decides_about_text_inside_too(isoform, types, tmp_path, codec, ending, name):
    plain, table = tmp_path / name, tmp_path / "t.parquet"
    (tmp_path / "a.csv").write_text("a,b\n" + "".join(f"{n},x\n" for n in range(300_000)))
    isoform("convert", tmp_path / "a.csv", table).expect(0)
    isoform("convert", table, plain).expect(0)
    one = types(f'[type]\nname = "{codec}"\n[transport]\nframing = "one"\n')
    target = tmp_path / f"{name}.{ending}"
    plan = isoform("plan", table, target, "--media-types", one, "--json").expect(0).json()
    written = []
    for threads in ("1", "2"):
        isoform("convert", table, target, "--force", "--media-types", one, "--threads", threads).expect(0)
        assert member(codec, target) == plain.read_bytes(), "a reader of one member finds all of it"
        written.append(target.read_bytes())
    assert written[0] == written[1]
    assert plan["estimate"]["bytes"] == len(written[0]) or not plan["estimate"]["bytesExact"]
    isoform("verify", target, "--source", table).expect(0)
    changed = harness.statement(harness.certificate_of(target))["predicate"]["conversion"]["parameters"]["mediaTypes"]
    assert [each["changed"] for each in changed.values()] == [{"transport.framing": "one"}]
    # A stream, the files of partitions, and a table without rows.
    out = tmp_path / f"out.{ending}"
    stream = isoform.command("convert", table, "-", "--to", f"{name.split('.')[1]}.{ending}", "--media-types", one)
    out.write_bytes(subprocess.run(stream, env=isoform.environment, stdout=subprocess.PIPE, check=True).stdout)
    assert member(codec, out) == plain.read_bytes()
    refused = isoform("convert", table, "-", "--to", f"{name.split('.')[1]}.{ending}", "--media-types", one, "--stream").expect(2)
    assert "transport.framing" in refused.err and not refused.out
    (tmp_path / "few.csv").write_text("k,v\n1,a\n2,b\n1,c\n")
    parts = tmp_path / "parts"
    isoform("convert", tmp_path / "few.csv", parts, "--partition-by", "k", "--to", f"{name.split('.')[1]}.{ending}", "--media-types", one).expect(0)
    files = sorted(path for path in parts.rglob("*") if path.is_file())
    assert len(files) == 2 and all(member(codec, path).count(b"\n") in (1, 2, 3) for path in files)
    (tmp_path / "none.csv").write_text("k,v\n")
    none = tmp_path / f"none.{name.split('.')[1]}.{ending}"
    isoform("convert", tmp_path / "none.csv", none, "--media-types", one).expect(0)
    assert member(codec, none) in (b"k,v\n", b"")


@pytest.mark.parametrize("name, ending", [("parquet", "parquet"), ("avro", "avro"), ("arrow-stream", "arrows")])
def test_a_type_of_another_name_is_read_and_written_as_before(isoform, types, tmp_path, name, ending):
    options = ("--media-types", types(f'[type]\nmedia-type = "{media_type_of(isoform, name)}"\nname = "house"\n'))
    source, made, called, back = (tmp_path / each for each in ("a.csv", f"a.{ending}", "called", "back.csv"))
    source.write_text("a,b\n1,x\n2,y\n")
    listed = isoform("formats", *options, "--json").expect(0).json()
    usual = isoform("formats", "--json").expect(0).json()
    types_of = lambda document, name: next(each["types"] for each in document["formats"] if each["name"] == name)
    assert types_of(listed, "house") == types_of(usual, name)
    isoform("convert", source, made, *options).expect(0)
    isoform("convert", source, called, "--to", "house", *options).expect(0)
    assert made.read_bytes() == called.read_bytes()
    isoform("verify", made).expect(0)
    isoform("convert", made, back, "--from", "house", *options).expect(0)
    assert back.read_bytes() == source.read_bytes()
    isoform("verify", back, "--source", made).expect(0)


def media_type_of(isoform, name):
    return next(each["mediaType"] for each in isoform("formats", "--json").expect(0).json()["formats"] if each["name"] == name)


def test_faults_beyond_one_file_name_the_line(isoform, types):
    directory = types(SENSOR.replace('["sensor"]', '["parquet"]'), "twice.toml")
    told = isoform("formats", "--media-types", directory).expect(2).err
    assert "twice.toml, line 5, column 11: type.endings: \"parquet\" would be" in told
    (directory / "twice.toml").write_text('[type]\nname = "csv"\n\n[[rule]]\nclass = "exact"\nto = "nothing"\n')
    assert "twice.toml, line 6, column 6: rule.to: \"nothing\" is no type" in isoform("formats", "--media-types", directory).expect(2).err


CHECKS = {"none": 0, "crc32": 1, "crc64": 4, "sha256": 10}


@pytest.mark.parametrize("framing", ["parts", "one"])
@pytest.mark.parametrize("codec, ending, digest", [
    *(("xz", "xz", name) for name in CHECKS), ("zstd", "zst", "xxh64"), ("zstd", "zst", "none"), ("lz4", "lz4", "xxh32"), ("lz4", "lz4", "none"),
])
def test_the_digest_of_members(isoform, types, tmp_path, codec, ending, digest, framing):
    if (codec, framing) == ("lz4", "one"):
        return
    source, target = tmp_path / "a.csv", tmp_path / f"a.csv.{ending}"
    source.write_text("a\n" + "".join(f"{n}\n" for n in range(5000)))
    framed = "" if codec == "lz4" else f'framing = "{framing}"\n'
    options = ["--media-types", types(f'[type]\nname = "{codec}"\n[transport]\n{framed}digest = "{digest}"\n')]
    isoform("convert", source, tmp_path / "t.parquet").expect(0)
    for origin in (source, tmp_path / "t.parquet"):
        isoform("convert", origin, target, *options, "--force").expect(0)
        data = target.read_bytes()
        found = {
            "xz": lambda: data[7] == CHECKS[digest],
            "zstd": lambda: zstandard.get_frame_parameters(data).has_checksum == (digest != "none"),
            "lz4": lambda: bool(data[4] & 4) == (digest != "none"),
        }
        assert found[codec]()
        isoform("verify", target, "--source", origin).expect(0)
        isoform("convert", target, tmp_path / "back.csv", "--force").expect(0)
        assert (tmp_path / "back.csv").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("effort", ["0", "1", "2"])
@pytest.mark.parametrize("layout", ["by-effort", "progressive"])
def test_the_layout_of_a_jpeg(isoform, types, tmp_path, layout, effort):
    source, target = photo(tmp_path / "p.png"), tmp_path / "p.jpg"
    options = ["--media-types", types(f'[type]\nname = "jpeg"\n[storage]\nlayout = "{layout}"\n')]
    for more in ([], ["--quality", "90"]):
        isoform("convert", source, target, "--within", "psnr=30", "--effort", effort, *options, *more, "--force").expect(0)
        with Image.open(target) as image:
            progressive = bool(image.info.get("progressive"))
        assert progressive == (layout == "progressive" or effort == "2")
        stated = harness.statement(harness.certificate_of(target))["predicate"]["conversion"]["parameters"]["writing"]["layout"]
        assert stated == ("progressive" if progressive else "sequential")
        isoform("verify", target, "--source", source).expect(0)


@pytest.mark.parametrize("effort", ["0", "6"])
@pytest.mark.parametrize("size", [(256, 256), (300, 200), (1, 700), (513, 257)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16", "F"])
def test_the_layout_of_a_tiff(isoform, types, tmp_path, mode, size, effort):
    kind = {"I;16": "u2", "F": "f4"}.get(mode, "u1")
    bands = {"RGB": (3,), "RGBA": (4,)}.get(mode, ())
    pixels = np.random.default_rng(3).integers(0, 250, (size[1], size[0], *bands)).astype(kind)
    source = tmp_path / "x.tif"
    Image.fromarray(pixels).save(source)
    tiles = types('[type]\nname = "tiff"\n[storage]\nlayout = "tiles"\n')
    for options, layout in [([], "strips"), (["--media-types", tiles], "tiles")]:
        target = tmp_path / f"{layout}.tif"
        run = isoform("convert", source, target, "--effort", effort, *options, "--json").expect(0).json()
        assert run["verdict"] == "EXACT"
        with Image.open(target) as image:
            assert (322 in image.tag_v2, 278 in image.tag_v2) == ((True, False) if layout == "tiles" else (False, True))
            assert np.array_equal(np.asarray(image), pixels)
        stated = harness.statement(harness.certificate_of(target))["predicate"]["conversion"]["parameters"]["writing"]["layout"]
        assert stated == layout
        isoform("verify", target, "--source", source).expect(0)
    assert isoform("compare", tmp_path / "strips.tif", tmp_path / "tiles.tif", "--json").expect(0).json()["equal"]


def test_the_metric_of_a_budget_without_a_name(isoform, types, tmp_path):
    source, array = photo(tmp_path / "p.png"), tmp_path / "a.npy"
    np.save(array, np.random.default_rng(4).normal(size=(50, 40)).astype("f4"))
    soundfile.write(tmp_path / "s.wav", np.random.default_rng(5).normal(0, 0.1, (4800, 1)), 48000, subtype="FLOAT")

    def within(source, target, *options):
        isoform("convert", source, tmp_path / target, "--force", *options).expect(0)
        parameters = harness.statement(harness.certificate_of(tmp_path / target))["predicate"]["conversion"]["parameters"]
        return parameters["within"], parameters.get("partFloor")

    assert within(source, "p.jpg", "--within", "34") == ("psnr=34", None)
    assert within(source, "p.webp", "--within", "34,ssimulacra2=50", "--part-floor", "30") == ("psnr=34,ssimulacra2=50", "psnr=30")
    assert within(array, "a.safetensors", "--within", "0.99", "--sample-type", "f16") == ("coherence=0.99", None)
    assert within(tmp_path / "s.wav", "s.flac", "--within", "40") == ("snr=40", None)
    rmse = types('[type]\nname = "jpeg"\n[coherence]\nmetric = "rmse"\n')
    assert within(source, "q.jpg", "--within", "4", "--media-types", rmse) == ("rmse=4", None)
    difference = samples(source) - samples(tmp_path / "q.jpg")
    assert 2 < np.sqrt(np.mean(difference**2)) <= 4
    for text in ("nan", "-3", "0", "inf"):
        assert f"--within psnr={text}" in isoform("convert", source, tmp_path / "r.jpg", "--within=" + text).expect(2).err


def samples(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(float)


@pytest.mark.parametrize("codec, table, key, value, told", [
    ("xz", "transport", "digest", "md5", "`crc32`, `crc64`, `sha256` or `none`"),
    ("zstd", "transport", "digest", "crc32", "`xxh64` or `none`"),
    ("gzip", "transport", "digest", "crc32", "xz, zstd and lz4"),
    ("tiff", "storage", "layout", "progressive", "`strips` or `tiles`"),
    ("jpeg", "storage", "layout", "tiles", "`by-effort` or `progressive`"),
    ("png", "storage", "layout", "interlaced", "JPEG and TIFF"),
    ("png", "coherence", "metric", "ssimulacra2", "`psnr`, `snr` or `coherence`"),
    ("csv", "coherence", "metric", "psnr", "arrays and images"),
])
def test_values_that_a_codec_does_not_have_name_the_line(isoform, types, codec, table, key, value, told):
    directory = types(f'[type]\nname = "{codec}"\n\n[{table}]\n{key} = "{value}"\n')
    error = isoform("formats", "--media-types", directory).expect(2).err
    assert f"a.toml, line 5, column " in error and f"{table}.{key}" in error and told in error


def test_the_delimiter_of_a_type_holds_for_every_command(isoform, tmp_path):
    (tmp_path / "types").mkdir()
    (tmp_path / "types/sensor.toml").write_text(SENSOR)
    source, types = tmp_path / "a.sensor", ("--media-types", tmp_path / "types")
    source.write_text("a,x;b\n1,2;3\n4,5;6\n")
    isoform("convert", source, tmp_path / "a.parquet", *types).expect(0)
    columns = isoform("inspect", source, *types, "--json").expect(0).json()["columns"]
    assert [column["name"] for column in columns] == ["a,x", "b"]
    isoform("compare", source, tmp_path / "a.parquet", *types).expect(0)
    isoform("compare", tmp_path / "a.parquet", source, *types).expect(0)
