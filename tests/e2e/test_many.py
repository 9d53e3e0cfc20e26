"""Many sources: one target each, one target for all; bad records set aside; standard input and output."""

import base64
import fcntl
import gzip
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

import harness


def read(path):
    return pyarrow.parquet.read_table(path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def parts(tmp_path):
    """Three tables of the same columns; only all together show that `code` is text."""
    folder = tmp_path / "parts"
    write(folder / "a.csv", "id,code\n1,10\n2,11\n")
    write(folder / "b.csv", "id,code\n3,12\n")
    write(folder / "sub" / "c d.csv", "id,code\n4,x\n5,\n")
    return folder


# One target each.


def test_each_source_becomes_a_target_of_its_own(isoform, parts, tmp_path):
    out = tmp_path / "out"
    done = isoform("convert", parts, "--out-dir", out, "--to", "parquet").expect(0)
    made = sorted(out.rglob("*.parquet"))
    assert [str(p.relative_to(out)) for p in made] == ["a.parquet", "b.parquet", "sub/c d.parquet"]
    assert read(out / "a.parquet").to_pydict() == {"id": [1, 2], "code": [10, 11]}
    for target in made:
        isoform("verify", target).expect(0)
    lines = done.out.splitlines()
    assert "EXACT" in lines[1] and "a.csv" in lines[1] and lines[-1] == "3 converted, 0 skipped, 0 failed"


def test_a_run_that_fails_takes_no_directory_away_from_another(isoform, tmp_path):
    bad, good = write(tmp_path / "bad.csv", 'a,b\n1,"2\n'), write(tmp_path / "good.csv", "a,b\n1,2\n")
    out = tmp_path / "new" / "out"
    for _ in range(40):
        command = lambda source: isoform.start("convert", source, "--out-dir", out, "--to", "parquet")
        runs = [command(bad), command(good), command(bad)]
        codes = [run.wait(timeout=60) for run in runs]
        assert codes[1] == 0 and 0 not in (codes[0], codes[2]), codes
        assert (out / "good.parquet").is_file()
        shutil.rmtree(tmp_path / "new")


def test_what_is_done_is_skipped_and_what_changed_is_converted_again(isoform, parts, tmp_path):
    out = tmp_path / "out"
    command = ("convert", parts, "--out-dir", out, "--to", "parquet", "--json")
    first = isoform(*command).expect(0).json()
    assert first["schema"] == "isoform.convert-batch/v1" and first["converted"] == 3
    files = lambda: [p for p in out.rglob("*") if p.is_file()]
    before = {p: (p.stat().st_mtime_ns, harness.sha256(p)) for p in files()}
    again = isoform(*command).expect(0).json()
    assert again["skipped"] == 3 and [s["outcome"] for s in again["sources"]] == ["skipped"] * 3
    assert again["sources"][0]["rows"] == 2
    assert before == {p: (p.stat().st_mtime_ns, harness.sha256(p)) for p in files()}

    write(parts / "b.csv", "id,code\n3,99\n")
    harness.flip(out / "a.parquet", 20)
    plan = {s["source"].rsplit("/", 1)[1]: s["would"] for s in isoform("plan", *command[1:]).expect(3).json()["sources"]}
    assert plan == {"a.csv": "refuse", "b.csv": "convert", "c d.csv": "skip"}
    changed = isoform(*command).expect(3)
    outcomes = {s["source"].rsplit("/", 1)[1]: s for s in changed.json()["sources"]}
    assert [outcomes[n]["outcome"] for n in ("a.csv", "b.csv", "c d.csv")] == ["failed", "converted", "skipped"]
    assert [outcomes[n]["changed"] for n in ("a.csv", "b.csv", "c d.csv")] == [False, True, False]
    assert outcomes["a.csv"]["error"]["exitCode"] == 7 and "--force" in changed.err
    assert read(out / "b.parquet").column("code").to_pylist() == [99]
    isoform("verify", out / "b.parquet").expect(0)

    # What somebody changed stays, whether its source changed or not.
    write(parts / "a.csv", "id,code\n3,98\n")
    edited = harness.sha256(out / "a.parquet")
    assert isoform(*command).expect(3).json()["failed"] == 1 and harness.sha256(out / "a.parquet") == edited
    forced = isoform(*command, "--force").expect(0).json()
    assert (forced["converted"], forced["skipped"]) == (1, 2)
    assert read(out / "a.parquet").column("code").to_pylist() == [98]
    other = isoform(*command, "--compression", "snappy").expect(3).json()
    assert other["failed"] == 3, "other options make another target"


def test_an_error_does_not_stop_the_others(isoform, parts, tmp_path):
    out = tmp_path / "out"
    write(parts / "b.csv", 'id,code\n1,"never closed\n')
    done = isoform("convert", parts / "a.csv", parts / "b.csv", parts / "none.csv", parts / "sub",
                   "--out-dir", out, "--to", "arrow").expect(3)
    assert done.err.count(str(parts / "b.csv")) == 1 and done.err.count(str(parts / "none.csv")) == 1, "named once"
    assert sorted(p.name for p in out.glob("*.arrow")) == ["a.arrow", "c d.arrow"]
    assert "2 converted, 0 skipped, 2 failed" in done.out and not [n for n in harness.listing(out) if n[0] == "."]


def test_sources_that_would_all_become_one_target_fail_each(isoform, parts, tmp_path):
    out = tmp_path / "out"
    shutil.copy(parts / "a.csv", parts / "sub" / "a.csv")
    command = (f"{parts}/**/a.csv", "--out-dir", out, "--to", "parquet")
    done = isoform("convert", *command).expect(3)
    assert done.err.count("several sources would become") == 2 and str(out / "a.parquet") in done.err
    assert "0 converted, 0 skipped, 2 failed" in done.out and not out.exists()
    told = isoform("convert", *command, "--json").expect(3).json()["sources"]
    assert [source["error"]["exitCode"] for source in told] == [2, 2] and not out.exists()
    assert isoform("plan", *command, "--json").expect(3).json()["fail"] == 2


def test_a_file_that_is_named_again_is_converted_once(isoform, parts, tmp_path):
    out, source = tmp_path / "out", parts / "a.csv"
    note = f"1 file is named more than once, and converted once: {source}"
    command = (source, parts / "sub" / ".." / "a.csv", source, "--out-dir", out, "--to", "parquet", "--json")
    planned = isoform("plan", *command).expect(0).json()
    assert planned["convert"] == 1 and note in planned["notes"]
    done = isoform("convert", *command).expect(0).json()
    assert [told["source"] for told in done["sources"]] == [str(source)] and note in done["notes"]
    assert isoform("convert", *command).expect(0).json()["skipped"] == 1
    # By its directory too; below one it has the target that it has there.
    done = isoform("convert", parts, source, parts / "sub" / "c d.csv", "--out-dir", tmp_path / "o", "--to", "csv", "--json")
    done = done.expect(0).json()
    assert done["converted"] == 4 and done["notes"] == [note]


def clashing(isoform, *command):
    """The sources of a batch that clash, as the plan and the run tell them, with what is said of each."""
    planned = isoform("plan", *command, "--json").expect(3).json()["sources"]
    done = isoform("convert", *command, "--json").expect(3).json()["sources"]
    failed = {source["source"]: source["error"]["message"] for source in done if source["outcome"] == "failed"}
    assert {source["source"]: source["why"] for source in planned if source["would"] == "fail"} == failed
    assert {source["outcome"] for source in done if source["source"] not in failed} <= {"converted"}
    return failed


def test_no_target_takes_the_place_of_the_certificate_of_another(isoform, parts, tmp_path):
    """As where a directory with its certificates was packed file by file."""
    out, packed, back = (tmp_path / name for name in ("out", "packed", "back"))
    isoform("convert", parts / "a.csv", parts / "b.csv", "--out-dir", out, "--to", "jsonl").expect(0)
    harness.certificate_of(out / "b.jsonl").unlink()
    assert isoform("convert", out, "--out-dir", packed, "--to", "zstd", "--json").expect(0).json()["converted"] == 3
    failed = clashing(isoform, f"{packed}/*.zst", "--out-dir", back, "--to", "raw")
    at = harness.certificate_of(back / "a.jsonl")
    source = str(packed / "a.jsonl.isoform.sigstore.json.zst")
    assert list(failed) == [source] and failed[source].startswith(f"{at}: ")
    assert str(packed / "a.jsonl.zst") in failed[source]
    assert harness.listing(back) == sorted(f"{name}{end}" for name in ("a.jsonl", "b.jsonl") for end in ("", harness.ENDING))
    isoform("verify", back / "a.jsonl").expect(0)
    # It has its place in a directory of its own.
    isoform("convert", source, "--out-dir", tmp_path / "a.jsonl.isoform.sigstore.json.zst", "--to", "raw").expect(0)
    original, own = (path / f"a.jsonl{harness.ENDING}" for path in (out, tmp_path / "a.jsonl.isoform.sigstore.json.zst"))
    assert own.read_bytes() == original.read_bytes()


def test_no_target_and_no_certificate_takes_the_place_of_another_source(isoform, tmp_path):
    folder, out = tmp_path / "e", tmp_path / "out"
    write(folder / "z", "p")
    at = harness.certificate_of(folder / "z.gz")
    write(at, "q")
    failed = clashing(isoform, folder / "z", at, "--out-dir", folder, "--to", "gzip")
    assert list(failed) == [str(folder / "z")] and f"{at}, the certificate of the target" in failed[str(folder / "z")]
    assert at.read_text() == "q" and not (folder / "z.gz").exists()
    # A target that exists is replaced with --force alone, and not where it is a source.
    write(tmp_path / "s" / "k" / "a.jsonl", '{"v":1}\n')
    write(out / "k" / "a.csv", "w\n2\n")
    source = str(tmp_path / "s" / "k" / "a.jsonl")
    failed = clashing(isoform, tmp_path / "s", out / "k" / "a.csv", "--out-dir", out, "--to", "csv", "--force")
    assert list(failed) == [source] and "a source of this run" in failed[source]
    assert (out / "k" / "a.csv").read_text() == "w\n2\n" == (out / "a.csv").read_text()


@pytest.mark.parametrize("ending", [".isoform-part", ".isoform-journal", ".isoform-former",
                                    f"{harness.ENDING}.isoform-new"])
def test_temporaries_of_targets_take_the_place_of_no_target_and_no_source(isoform, tmp_path, ending):
    hidden, out, source = f".a{ending}", tmp_path / "out", tmp_path / "a.gz"
    named = tmp_path / f"{hidden}.gz"
    for path in (source, named):
        path.write_bytes(gzip.compress(path.name.encode()))
    for sources in ((source, named), (named, source)):
        failed = clashing(isoform, *sources, "--out-dir", out, "--to", "raw")
        assert list(failed) == [str(named)] and f"{hidden} is a name for temporaries" in failed[str(named)]
        assert (out / "a").read_bytes() == b"a.gz" and not (out / hidden).exists()
        shutil.rmtree(out)
    # Another source that has such a name, by whatever way it was found, stays.
    out.mkdir()
    kept = named.rename(out / hidden)
    data = kept.read_bytes()
    (tmp_path / "way.gz").symlink_to(kept)
    failed = clashing(isoform, source, tmp_path / "way.gz", "--out-dir", out, "--to", "raw")
    assert list(failed) == [str(source)] and "a temporary of the target" in failed[str(source)]
    assert kept.read_bytes() == data and (out / "way").read_bytes() == named.name.encode()


def test_links_do_not_hide_that_targets_are_one(isoform, tmp_path):
    sources, out = tmp_path / "s", tmp_path / "out"
    write(sources / "x" / "a.csv", "v\n1\n")
    write(sources / "y" / "a.csv", "v\n2\n")
    (out / "y").mkdir(parents=True)
    (out / "x").symlink_to("y")
    failed = clashing(isoform, sources, "--out-dir", out, "--to", "jsonl", "--force")
    assert sorted(failed) == [str(sources / "x" / "a.csv"), str(sources / "y" / "a.csv")]
    assert all("several sources would become" in why for why in failed.values()) and harness.listing(out / "y") == []
    # The same file by two ways is one source.
    shutil.rmtree(sources / "x")
    (sources / "x").symlink_to("y")
    assert isoform("convert", sources, "--out-dir", out, "--to", "jsonl", "--json").expect(0).json()["converted"] == 1


def test_a_certificate_of_one_of_many_replaces_nothing_else(isoform, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "z").write_text("z")
    at = harness.certificate_of(folder / "z.gz")
    at.write_text("precious")
    command = (folder, "--out-dir", folder, "--to", "gzip")
    assert isoform("plan", *command, "--json").expect(3).json()["refuse"] == 1
    done = isoform("convert", *command).expect(3)
    assert f"{at}: is no certificate" in done.err and at.read_text() == "precious"
    assert harness.listing(folder) == ["z", at.name]
    isoform("convert", *command, "--force").expect(0)
    isoform("verify", folder / "z.gz").expect(0)


def test_sources_of_one_target_do_not_stop_the_others(isoform, parts, tmp_path):
    out = tmp_path / "out"
    shutil.copy(parts / "a.csv", parts / "a.tsv")
    command = (parts / "a.csv", parts / "a.tsv", parts / "b.csv", "--out-dir", out, "--to", "parquet", "--json")
    planned = isoform("plan", *command).expect(3).json()
    assert [source["would"] for source in planned["sources"]] == ["fail", "fail", "convert"]
    done = isoform("convert", *command).expect(3)
    told = done.json()["sources"]
    assert [source["outcome"] for source in told] == ["failed", "failed", "converted"]
    for source in told[:2]:
        assert source["error"]["exitCode"] == 2
        assert all(str(path) in source["error"]["message"] for path in (*command[:2], out / "a.parquet"))
    assert sorted(path.name for path in out.glob("*.parquet")) == ["b.parquet"]


@pytest.mark.parametrize("separator", ["\n", "\0"])
def test_sources_come_from_a_list(isoform, parts, tmp_path, separator):
    listed = separator.join([str(parts / "sub" / "c d.csv"), str(parts / "a.csv")]) + separator
    out = tmp_path / "out"
    isoform("convert", "--sources-from", "-", "--out-dir", out, "--to", "csv", stdin=listed.encode()).expect(0)
    assert sorted(p.name for p in out.glob("*.csv")) == ["a.csv", "c d.csv"]
    file, target = tmp_path / "list", tmp_path / "all.parquet"
    file.write_text(listed)
    isoform("convert", "--sources-from", file, target).expect(0)
    assert read(target).column("id").to_pylist() == [4, 5, 1, 2]


def test_the_folder_of_targets_is_no_source(isoform, parts):
    for _ in range(2):
        done = isoform("convert", parts, "--out-dir", parts / "out", "--to", "csv", "--json").expect(0).json()
        assert len(done["sources"]) == 3


def test_a_batch_stops_at_once(isoform, tall, tmp_path):
    sources = [shutil.copy(tall, tmp_path / f"{i}.csv") for i in range(40)]
    out = tmp_path / "out"
    running = isoform.start("convert", *sources, "--out-dir", out, "--to", "parquet")
    while not (out.exists() and list(out.glob("*.parquet"))):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130
    assert len(list(out.glob("*.parquet"))) < 40
    assert not [name for name in harness.listing(out) if name.startswith(".")]


# One target for all.


def test_several_sources_become_one(isoform, parts, tmp_path):
    target = tmp_path / "all.parquet"
    sources = [str(parts / "a.csv"), str(parts / "b.csv"), str(parts / "sub" / "c d.csv")]
    done = isoform("convert", parts / "a.csv", parts / "b.csv", f"{parts}/sub/*.csv", target, "--json").expect(0).json()
    table = read(target)
    assert table.column("id").to_pylist() == [1, 2, 3, 4, 5]
    assert table.column("code").to_pylist() == ["10", "11", "12", "x", None]
    assert [s["path"] for s in done["sources"]] == sources and done["verdict"] == "EXACT"
    stated = harness.statement(harness.certificate_of(target))["predicate"]
    assert [s["name"] for s in stated["source"]] == ["a.csv", "b.csv", "c d.csv"]
    assert [s["digest"]["sha256"] for s in stated["source"]] == [harness.sha256(s) for s in sources]
    verified = isoform("verify", target, "--json").expect(0).json()
    assert verified["sources"] == sources
    write(parts / "b.csv", "id,code\n3,13\n")
    assert "b.csv" in isoform("verify", target).expect(4).err
    os.remove(parts / "b.csv")
    assert "not at hand" in isoform("verify", target).expect(0).out


def test_many_rows_of_many_sources_do_not_depend_on_threads(isoform, tall, tmp_path):
    late = tmp_path / "late.csv"
    late.write_text(open(tall).read() + "200000,surprise,late\n")
    made = set()
    for threads in (1, 3):
        target = tmp_path / "all.parquet"
        isoform("convert", tall, late, tall, target, "--force", "--threads", threads).expect(0)
        made.add(harness.sha256(target))
    table = read(target)
    assert table.num_rows == 600_001 and table.schema.field("squared").type in (pa.string(), pa.large_string())
    assert table.column("id").to_pylist() == [*range(200_000), *range(200_001), *range(200_000)]
    assert len(made) == 1


def test_columns_that_differ_are_named(isoform, parts, tmp_path):
    target = tmp_path / "all.parquet"
    write(parts / "b.csv", "id,weight\n3,1.5\n")
    done = isoform("convert", parts / "a.csv", parts / "b.csv", target).expect(9)
    assert "b.csv" in done.err and '"weight"' in done.err and "--union" in done.err
    assert not target.exists()
    united = isoform("convert", parts / "a.csv", parts / "b.csv", target, "--union", "--source-column", "from",
                     "--json").expect(0).json()
    names = [str(parts / "a.csv"), str(parts / "b.csv")]
    assert read(target).to_pydict() == {
        "id": [1, 2, 3], "code": [10, 11, None], "weight": [None, None, pytest.approx(1.5)],
        "from": [names[0], names[0], names[1]],
    }
    assert united["fills"] == [{"source": names[0], "column": "weight", "rows": 2},
                               {"source": names[1], "column": "code", "rows": 1}]
    verified = isoform("verify", target, "--json").expect(0).json()
    assert verified["sources"] == names


def test_json_lines_and_binary_sources_are_united_as_well(isoform, tmp_path):
    one = write(tmp_path / "1.jsonl", '{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n')
    two = write(tmp_path / "2.jsonl", '{"b":"z","c":true}\n')
    target = tmp_path / "all.parquet"
    assert '"c"' in isoform("convert", one, two, target).expect(9).err
    isoform("convert", one, two, target, "--union").expect(0)
    wanted = {"a": [1, 2, None], "b": ["x", "y", "z"], "c": [None, None, True]}
    assert read(target).to_pydict() == wanted
    isoform("verify", target).expect(0)
    for source in (one, two):
        isoform("convert", source, source.with_suffix(".parquet")).expect(0)
    isoform("convert", tmp_path / "1.parquet", tmp_path / "2.parquet", tmp_path / "both.csv", "--union").expect(0)
    isoform("verify", tmp_path / "both.csv").expect(0)
    assert (tmp_path / "both.csv").read_text() == "a,b,c\n1,x,\n2,y,\n,z,true\n"
    assert "--out-dir" in isoform("convert", one, tmp_path / "2.parquet", tmp_path / "no.csv").expect(9).err


def test_types_of_binary_sources_must_agree(isoform, tmp_path):
    pyarrow.parquet.write_table(pa.table({"a": pa.array([1], pa.int64())}), tmp_path / "1.parquet")
    pyarrow.parquet.write_table(pa.table({"a": ["x"]}), tmp_path / "2.parquet")
    done = isoform("convert", tmp_path / "1.parquet", tmp_path / "2.parquet", tmp_path / "out.arrow").expect(9)
    assert "2.parquet" in done.err and '"a"' in done.err and "int64" in done.err


def test_a_glob_finds_names_that_are_no_text(isoform, tmp_path):
    for name, row in ((b"a\xff.csv", 2), (b"a0.csv", 1), (b"b\xff.csv", 3)):
        (tmp_path / os.fsdecode(name)).write_text(f"id,word\n{row},x\n")
    isoform("convert", f"{tmp_path}/a*.csv", tmp_path / "out.parquet").expect(0)
    assert read(tmp_path / "out.parquet").column("id").to_pylist() == [1, 2]
    assert "decoded again" in isoform("verify", tmp_path / "out.parquet").expect(0).out


@pytest.mark.parametrize("pattern, rows", [("g*/*.csv", [1, 2, 3]), ("**/?*.csv", [4, 1, 2, 3]), ("g?/3.csv", [3])])
def test_directories_that_a_glob_matches_need_names_that_are_no_text(isoform, tmp_path, pattern, rows):
    for at, (folder, name) in enumerate([(b"g1", b"1.csv"), (b"g1", b"2\xff.csv"), (b"g\xff", b"3.csv"), (b"", b"0.csv")]):
        (tmp_path / os.fsdecode(folder)).mkdir(exist_ok=True)
        (tmp_path / os.fsdecode(folder) / os.fsdecode(name)).write_text(f"id,word\n{at + 1},x\n")
    isoform("convert", f"{tmp_path}/{pattern}", tmp_path / "out.parquet").expect(0)
    assert read(tmp_path / "out.parquet").column("id").to_pylist() == rows


# Bad records.


@pytest.mark.parametrize("encoding, named", [("latin-1", "latin-1"), ("cp1252", "guess"), ("utf-16-le", "utf-16le")])
@pytest.mark.parametrize("name, good, bad", [
    ("in.csv", "id,name\n1,ü\n%s\n2,ü\n%s\n", ["ü", "3,ü,ü"]), ("in.jsonl", '{"a": "ü"}\n%s\n{"a": "ü"}\n%s\n', ['{"ü"}', "ü"])])
def test_bad_records_are_those_bytes_of_the_source(isoform, tmp_path, encoding, named, name, good, bad):
    source, target, rejects = tmp_path / name, tmp_path / "out.parquet", tmp_path / "bad.jsonl"
    whole = (good % tuple(bad)).encode(encoding)
    source.write_bytes(whole)
    isoform("convert", source, target, "--encoding", named, "--rejects", rejects).expect(0)
    lines = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [line["text"] for line in lines] == bad
    for line in lines:
        raw = base64.b64decode(line["base64"])
        assert raw == line["text"].encode(encoding) and whole[line["byte"] :].startswith(raw)


def test_bad_records_of_csv_are_set_aside(isoform, tmp_path):
    source, target, rejects = tmp_path / "in.csv", tmp_path / "out.parquet", tmp_path / "bad.jsonl"
    source.write_bytes(b'id,name\n1,a\n2\n3,"c"x\n4,\xff\xfe\n5,e\x00\n6,"f\nf"\n7,g,h\n8,i')
    isoform("convert", source, target).expect(9)
    done = isoform("convert", source, target, "--rejects", rejects, "--json").expect(0).json()
    assert done["verdict"] == "PARTIAL" and done["rejects"]["records"] == 5 and done["rows"] == 3
    assert read(target).to_pydict() == {"id": [1, 6, 8], "name": ["a", "f\nf", "i"]}
    lines = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [line["record"] for line in lines] == [2, 3, 4, 5, 7]
    whole = source.read_bytes()
    for line in lines:
        raw = base64.b64decode(line["base64"])
        assert whole[line["byte"] :].startswith(raw) and line["reason"] and line["source"] == str(source)
    assert base64.b64decode(lines[2]["base64"]) == b"4,\xff\xfe"
    stated = harness.statement(harness.certificate_of(target))["predicate"]
    assert stated["verification"]["verdict"] == "PARTIAL"
    assert {"set-aside": "5/8"}.items() <= {c["name"]: c["scope"] for c in stated["verification"]["checks"]}.items()
    assert stated["source"][0]["digest"]["sha256"] == harness.sha256(source)
    verified = isoform("verify", target).expect(0).out
    assert "decoded again" in verified and "5 of 8 were set aside" in verified
    assert harness.listing(tmp_path) == ["bad.jsonl", "in.csv", "out.parquet", "out.parquet" + harness.ENDING]
    isoform("convert", source, tmp_path / "b.parquet", "--rejects", rejects).expect(7)
    isoform("convert", source, tmp_path / "b.parquet", "--rejects", tmp_path / "r", "--strict").expect(4)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("name, header, good, bad", [
    ("in.csv", "a,b", "1,x", ["2", "3,y,z"]), ("in.jsonl", '{"a": 0}', '{"a": 1}', ['{"a": 2', "[3] "]),
])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_bad_records_are_set_aside_without_the_end_of_their_line(isoform, tmp_path, name, header, good, bad, end):
    source, target, rejects = tmp_path / name, tmp_path / "out.parquet", tmp_path / "bad.jsonl"
    source.write_bytes("".join(line + end for line in (header, bad[0], good, bad[1])).encode())
    isoform("convert", source, target, "--rejects", rejects).expect(0)
    lines = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [line["text"] for line in lines] == bad
    assert [base64.b64decode(line["base64"]).decode() for line in lines] == bad
    isoform("verify", target).expect(0)


def test_bad_records_of_json_lines_are_set_aside(isoform, tmp_path):
    source, target, rejects = tmp_path / "in.jsonl", tmp_path / "out.parquet", tmp_path / "bad.jsonl"
    source.write_bytes(b'{"a":1}\n{"a":2\n\n[3]\n{"a":4,"a":4}\n{"a":"\xff"}\n{"a":6}')
    done = isoform("convert", source, target, "--rejects", rejects).expect(0)
    assert "PARTIAL" in done.out and "4 bad records" in done.out
    assert read(target).column("a").to_pylist() == [1, 6]
    lines = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [line["record"] for line in lines] == [2, 3, 4, 5]
    assert base64.b64decode(lines[3]["base64"]) == b'{"a":"\xff"}'
    isoform("verify", target).expect(0)


def test_verify_looks_at_the_rejects_where_they_are_at_hand(isoform, tmp_path):
    source, target, rejects = tmp_path / "in.csv", tmp_path / "out.parquet", tmp_path / "bad.jsonl"
    source.write_text("k,v\nx,1\ny,2,3\n")
    isoform("convert", source, target, "--rejects", rejects).expect(0)

    def found(path):
        checks = isoform("verify", path, "--json").expect(0).json()["checks"]
        return [check["found"] for check in checks if check["name"] == "rejects"]

    assert len(found(target)) == 1 and str(rejects) in found(target)[0] and "those of the certificate" in found(target)[0]
    moved = tmp_path / "elsewhere" / target.name
    moved.parent.mkdir()
    shutil.copy(target, moved)
    shutil.copy(harness.certificate_of(target), harness.certificate_of(moved))
    assert len(found(moved)) == 1 and "not at hand" in found(moved)[0]
    rejects.write_text(rejects.read_text().replace("record", "Record"))
    changed = isoform("verify", target).expect(4).err
    assert str(rejects) in changed and "another digest" in changed
    assert "bad.jsonl" in isoform("verify", target, moved).expect(3).out
    rejects.unlink()
    assert "not at hand" in isoform("verify", target).expect(0).out
    source.write_text("k,v\nx,1\n")
    isoform("convert", source, target, "--force").expect(0)
    assert found(target) == []


def test_rejects_in_another_directory_are_looked_for_there(isoform, tmp_path):
    source, target, rejects = tmp_path / "in.csv", tmp_path / "out" / "o.parquet", tmp_path / "bad" / "x.jsonl"
    for path in (target, rejects):
        path.parent.mkdir()
    source.write_text("k,v\nx,1\ny,2,3\n")
    isoform("convert", "../in.csv", "o.parquet", "--rejects", "../bad/x.jsonl", cwd=target.parent).expect(0)
    other = target.parent / "x.jsonl"
    source.write_text("k,v\nx,1\n1,2,3,4\n")
    isoform("convert", source, target.parent / "other.parquet", "--rejects", other).expect(0)

    def found(path):
        checks = isoform("verify", path, "--json").expect(0).json()["checks"]
        return [check["found"] for check in checks if check["name"] == "rejects"]

    assert "x.jsonl: SHA-256 and BLAKE3 are those of the certificate" in found(target)[0] and "bad" in found(target)[0]
    # As a run leaves it that was killed once its target had its name: the next one gives it its own.
    before = rejects.read_bytes()
    rejects.rename(rejects.with_name(".x.jsonl.isoform-rejects"))
    kept, said = target.read_bytes(), harness.certificate_of(target).read_bytes()
    clean = tmp_path / "clean.csv"
    clean.write_text("k,v\nx,1\n")
    isoform("convert", clean, target, "--force").expect(0)
    assert rejects.read_bytes() == before and harness.listing(rejects.parent) == ["x.jsonl"]
    target.write_bytes(kept)
    harness.certificate_of(target).write_bytes(said)
    moved = tmp_path / "bad" / "y.jsonl"
    rejects.rename(moved)
    assert "not at hand" in found(target)[0]
    moved.rename(other)
    assert str(other) in found(target)[0] and "those of the certificate" in found(target)[0]
    # A certificate that tells nothing of the directory accuses no file of that name.
    rejects.write_text("{}\n")
    other.write_text("{}\n")
    said = harness.statement(harness.certificate_of(target))
    assert said["predicate"]["conversion"]["parameters"]["rejects"].pop("directory") == "../bad"
    harness.sign(isoform, harness.certificate_of(target), said)
    assert "not at hand" in found(target)[0] and "another file" in found(target)[0]


@pytest.mark.parametrize("name", ["..", ".", "", "a/..", "/etc/passwd", "sub/bad.jsonl"])
def test_a_recorded_name_of_rejects_that_is_a_path_is_not_followed(isoform, tmp_path, name):
    source, target, rejects = tmp_path / "in.csv", tmp_path / "out.parquet", tmp_path / "bad.jsonl"
    source.write_text("k,v\nx,1\ny,2,3\n")
    isoform("convert", source, target, "--rejects", rejects).expect(0)
    (tmp_path / "sub").mkdir()
    rejects.rename(tmp_path / "sub" / "bad.jsonl")
    said = harness.statement(harness.certificate_of(target))
    said["predicate"]["conversion"]["parameters"]["rejects"]["name"] = name
    harness.sign(isoform, harness.certificate_of(target), said)
    told = isoform("verify", target).expect(9).err
    assert "malformed certificate: rejects is" in told and name in told
    source.write_text("k,v\nx,1\n")
    isoform("convert", source, target, "--force").expect(0)


def test_no_bad_record_makes_no_file(isoform, sales, tmp_path):
    target, rejects = tmp_path / "out.parquet", tmp_path / "bad.jsonl"
    done = isoform("convert", sales, target, "--rejects", rejects).expect(0)
    assert "EXACT" in done.out and "was not made" in done.out and not rejects.exists()


@pytest.mark.parametrize("options", [(), ("--to", "csv", "--partition-by", "a")], ids=["file", "partitioned"])
def test_the_rejects_are_those_of_the_last_run(isoform, tmp_path, options):
    source, target, rejects = tmp_path / "in.csv", tmp_path / "out", tmp_path / "bad.jsonl"
    command = ["convert", source, target, *(options or ("--to", "csv")), "--force", "--json"]
    bad, good = "a,b\n1,2\n3\n", "a,b\n1,2\n3,4\n"

    def run(text, *more):
        source.write_text(text)
        notes = isoform(*command, *more).expect(0).json()["notes"]
        return [note for note in notes if note.startswith(str(rejects))]

    assert run(bad, "--rejects", rejects) == [] and rejects.exists()
    # A run that is to make none leaves the file, and says so; then no certificate tells of it any more.
    told = run(bad.replace("3\n", "3,5\n"))
    assert len(told) == 1 and "is left" in told[0] and rejects.exists()
    told = run(good, "--rejects", rejects)
    assert len(told) == 1 and "so it is left" in told[0] and rejects.exists()
    # What the certificate of this target records is removed, and nothing else.
    assert run(bad, "--rejects", rejects) == []
    told = run(good, "--rejects", rejects)
    assert len(told) == 1 and "was removed" in told[0] and not rejects.exists()
    assert run(good, "--rejects", rejects) == []
    run(bad, "--rejects", rejects)
    rejects.write_text(rejects.read_text() + "{}\n")
    told = run(good, "--rejects", rejects)
    assert len(told) == 1 and "so it is left" in told[0] and rejects.read_text().endswith("{}\n")
    assert not [name for name in harness.listing(tmp_path) if "isoform-rejects" in name]


def test_the_rejects_of_two_targets_stay_for_the_other(isoform, tmp_path):
    rejects, good, bad = tmp_path / "bad.jsonl", tmp_path / "good.csv", tmp_path / "in.csv"
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    good.write_text("a,b\n1,2\n")
    bad.write_text("a,b\n1,2\n3\n")

    def run(source, target):
        notes = isoform("convert", source, target, "--rejects", rejects, "--force", "--json").expect(0).json()["notes"]
        return [note for note in notes if note.startswith(str(rejects))]

    run(bad, one)
    run(bad, two)
    told = run(good, one)
    assert len(told) == 1 and "another target" in told[0] and rejects.exists()
    isoform("verify", two).expect(0)
    told = run(good, two)
    assert len(told) == 1 and "was removed" in told[0] and not rejects.exists()


def test_bad_records_beyond_one_chunk_and_inside_gzip(isoform, tmp_path):
    lines = [f"{i},{i * 7}\n" if i % 1000 else f"{i}\n" for i in range(150_000)]
    source, target, rejects = tmp_path / "in.csv.gz", tmp_path / "out.parquet", tmp_path / "bad.jsonl"
    source.write_bytes(gzip.compress(("a,b\n" + "".join(lines)).encode()))
    isoform("convert", source, target, "--rejects", rejects).expect(0)
    assert read(target).column("a").to_pylist() == [i for i in range(150_000) if i % 1000]
    found = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [line["record"] for line in found] == [i + 1 for i in range(0, 150_000, 1000)]
    isoform("verify", target).expect(0)


# Standard input and output.


def raw(isoform, *args, data=b"", cwd=None):
    done = subprocess.run(isoform.command(*args), input=data, capture_output=True, env=isoform.environment, cwd=cwd)
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.mark.parametrize("data", [b"id,name\n1,a\n2,b\n", b'{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n'])
def test_standard_input_is_a_source(isoform, tmp_path, data):
    target = tmp_path / "out.parquet"
    code, _, err = raw(isoform, "convert", "-", target, data=data)
    assert code == 0, err
    assert read(target).to_pydict() == {"id": [1, 2], "name": ["a", "b"]}
    stated = harness.statement(harness.certificate_of(target))["predicate"]
    assert stated["source"][0]["name"] == "-" and stated["source"][0]["size"] == str(len(data))
    packed = tmp_path / "packed.parquet"
    code, _, err = raw(isoform, "convert", "-", packed, "--from", "csv", data=gzip.compress(b"a\n1\n"))
    assert code == 0 and read(packed).to_pydict() == {"a": [1]}, err
    code, _, err = raw(isoform, "convert", "-", tmp_path / "from.csv", data=target.read_bytes())
    assert code == 0 and (tmp_path / "from.csv").read_text() == "id,name\n1,a\n2,b\n", err


def test_standard_output_is_a_target(isoform, sales, tmp_path):
    code, out, err = raw(isoform, "convert", sales, "-", "--to", "parquet")
    assert code == 0 and "EXACT" in err and "--certificate" in err
    assert pyarrow.parquet.read_table(pa.BufferReader(out)).num_rows == 1000
    certificate = tmp_path / "kept.json"
    code, again, err = raw(isoform, "convert", "-", "-", "--from", "csv", "--to", "parquet", "--certificate", certificate,
                           data=open(sales, "rb").read())
    assert code == 0 and again == out, err
    (tmp_path / "saved.parquet").write_bytes(again)
    isoform("verify", tmp_path / "saved.parquet", "--certificate", certificate).expect(0)
    code, out, err = raw(isoform, "convert", harness.TABLES / "bad" / "unclosed_quote.csv", "-", "--to", "csv")
    assert code == 9 and out == b"", "nothing is released before all of it is verified"
    for options in ([], ["--to", "csv", "--json"]):
        assert raw(isoform, "convert", sales, "-", *options)[0] == 2
    assert harness.listing(tmp_path) == ["kept.json", "sales.csv", "saved.parquet"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_says_how_much_is_out(isoform, tall, tmp_path, number):
    """A pipe does not hold all of it, so the program waits for its reader."""
    command = isoform.command("convert", tall, "-", "--to", "csv", "--certificate", tmp_path / "c.json")
    process = subprocess.Popen(command, env=isoform.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    out = process.stdout.read(11)
    process.send_signal(number)
    out, err = out + process.stdout.read(), process.stderr.read().decode()
    assert process.wait(60) == 130
    assert f"interrupted; {len(out)} bytes on standard output" in err and "nothing was written" not in err, err
    assert tall.read_bytes().startswith(out) and len(out) < tall.stat().st_size
    assert harness.listing(tmp_path) == []


def test_a_closed_reader_is_no_error(isoform, tall):
    command = " ".join(isoform.command("convert", tall, "-", "--to", "csv", "--quiet"))
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | head -n 1"], env=isoform.environment,
                          capture_output=True)
    assert done.returncode == 0 and done.stdout == b"id,squared,word\n" and done.stderr == b""


def test_a_closed_reader_is_told_of(isoform, tall, tmp_path):
    kept = tmp_path / "kept.json"
    command = " ".join(isoform.command("convert", tall, "-", "--to", "csv", "--certificate", kept))
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | head -n 1"], env=isoform.environment,
                          capture_output=True)
    # A certificate was asked for, and there is none.
    assert done.returncode == 1 and done.stdout == b"id,squared,word\n"
    assert b"the reader closed standard output" in done.stderr and b"EXACT" not in done.stderr
    assert b"--certificate" in done.stderr and not kept.exists()
    command = " ".join(isoform.command("convert", tall, "-", "--to", "csv", "--stream", "--certificate", kept))
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | head -n 1"], env=isoform.environment,
                          capture_output=True)
    assert done.returncode == 1 and b"--certificate" in done.stderr and not kept.exists()
    command = " ".join(isoform.command("convert", tall, "-", "--to", "csv"))
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | head -n 1"], env=isoform.environment,
                          capture_output=True)
    assert done.returncode == 0 and b"the reader closed standard output" in done.stderr


def test_a_pipe_is_read(isoform, tmp_path):
    pipe, target = tmp_path / "p.csv", tmp_path / "out.parquet"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("a\n" + "1\n" * 300_000))
    writer.start()
    isoform("convert", pipe, target).expect(0)
    writer.join()
    assert read(target).num_rows == 300_000


def test_a_pipe_that_nobody_writes_to_is_given_up(isoform, tmp_path):
    pipe = tmp_path / "p.csv"
    os.mkfifo(pipe)
    done = isoform("convert", pipe, tmp_path / "out.parquet", timeout=20).expect(5)
    assert "p.csv" in done.err and harness.listing(tmp_path) == ["p.csv"]


def test_no_command_waits_for_ever_for_a_pipe(isoform, sales, tmp_path):
    pipe, target = tmp_path / "p.csv", tmp_path / "out.parquet"
    os.mkfifo(pipe)
    for command in (("compare", pipe, sales), ("compare", sales, pipe), ("inspect", pipe)):
        assert "copy it into a file first" in isoform(*command, timeout=20).expect(9).err, command
    for options in ((sales, target, "--types", pipe), ("--sources-from", pipe, target)):
        assert "nobody opened this pipe" in isoform("convert", *options, timeout=20).expect(5).err, options
    assert harness.listing(tmp_path) == sorted(["p.csv", sales.name])


def test_lists_and_types_come_from_pipes(isoform, sales, tmp_path):
    pipe, source, target = tmp_path / "pipe", tmp_path / "in.csv", tmp_path / "out.parquet"
    os.mkfifo(pipe)
    source.write_text("a\n1\n")
    for text, options in (('a = "text"\n', (source, target, "--types", pipe)), (f"{source}\n", ("--sources-from", pipe, target))):
        writer = threading.Thread(target=lambda: pipe.write_text(text))
        writer.start()
        isoform("convert", *options, "--force").expect(0)
        writer.join()
        assert read(target).num_rows == 1


def test_waiting_for_standard_input_can_be_interrupted(isoform, tmp_path):
    running = subprocess.Popen(isoform.command("convert", "-", tmp_path / "out.parquet"), stdin=subprocess.PIPE,
                               env=isoform.environment, stderr=subprocess.DEVNULL)
    assert harness.until(lambda: harness.handled(running, signal.SIGINT), running)
    running.send_signal(signal.SIGINT)
    assert running.wait(10) == 130
    assert harness.listing(tmp_path) == []


# Standard output, part by part.


def streamed(isoform, source, *options, stdin=None):
    """What comes out, as bytes."""
    done = subprocess.run(isoform.command("convert", source, "-", "--stream", *options), env=isoform.environment,
                          input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True,
                          timeout=300)
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.mark.parametrize("to", ["csv", "tsv", "jsonl", "arrow-stream", "avro"])
def test_parts_come_out_one_by_one(isoform, tall, tmp_path, to):
    """They are the bytes that a file would have, and the certificate is about them."""
    certificate, target = tmp_path / "c.json", tmp_path / "out"
    isoform("convert", tall, target, "--to", to).expect(0)
    for options in ([], ["--threads", "1"]):
        code, out, err = streamed(isoform, tall, "--to", to, "--certificate", certificate, "--force", *options)
        assert code == 0 and out == target.read_bytes() and "EXACT" in err and str(certificate) in err, err
        (tmp_path / "copy").write_bytes(out)
        isoform("verify", tmp_path / "copy", "--certificate", certificate, "--source", tall).expect(0)
        parts = harness.statement(certificate)["predicate"]["verification"]["parts"]
        assert parts["decoded"] == parts["total"] and int(parts["total"]) > 1
    code, out, err = streamed(isoform, tall, "--to", to)
    assert "--certificate FILE keeps it" in err
    assert harness.listing(tmp_path) == ["c.json", "copy", "out", "out" + harness.ENDING]


def test_a_high_table_streams_as_the_bytes_of_a_file(isoform, tmp_path):
    """So high that several chunks would be one part where parts leave a trace."""
    source, target = tmp_path / "in.csv", tmp_path / "out.arrows"
    source.write_text("a\n" + "".join(f"{i}\n" for i in range(15 * 65_536 + 1)))
    isoform("convert", source, target).expect(0)
    assert streamed(isoform, source, "--to", "arrow-stream")[:2] == (0, target.read_bytes())


def test_what_streams_keeps_exceptions_and_takes_a_pipe(isoform, tmp_path):
    lines = [f'{{"a":{i}.5}}\n' if i % 200 else f'{{"a":{i}}}\n' for i in range(140_000)]
    text = "".join(lines).encode()
    code, out, _ = streamed(isoform, "-", "--to", "jsonl", "--strict", "--compression", "gzip", stdin=gzip.compress(text))
    assert code == 0 and gzip.decompress(out) == text
    fields = "".join(f"{'NA' if i % 500 else 'NULL'},{i}\n" for i in range(140_000))
    text = ("a,b\n" + fields).encode()
    code, out, _ = streamed(isoform, "-", "--to", "csv", "--strict", "--null", "NA", "--null", "NULL", stdin=text)
    assert code == 0 and out == text
    for empty in (b"a,b\n", b'{"a":1}\n'):
        for to in ("csv", "jsonl", "arrow-stream", "avro"):
            assert streamed(isoform, "-", "--to", to, stdin=empty)[0] == 0


def test_what_cannot_stream_says_so(isoform, sales, tmp_path):
    for to in ("parquet", "arrow", "gzip"):
        code, out, err = streamed(isoform, sales, "--to", to)
        assert code == 2 and out == b"" and "--stream" in err
    assert "--stream" in isoform("convert", sales, tmp_path / "out.csv", "--stream").expect(2).err
    assert "--stream" in isoform("convert", sales, "--out-dir", tmp_path / "o", "--to", "csv", "--stream").expect(2).err
    (tmp_path / "isoform.toml").write_text("stream = true\n")
    isoform("convert", sales, tmp_path / "out.csv", cwd=tmp_path).expect(2)


def test_nothing_is_out_where_the_verdict_is_not_what_was_asked_for(isoform, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("a\n" + "".join(f"{i}\n" for i in range(100_000)) + "007\n")
    code, out, err = streamed(isoform, source, "--to", "avro", "--types", "value", "--strict")
    assert code == 4 and out == b"" and "EXACT" in err


def test_a_failure_midway_says_how_much_is_out(isoform, tmp_path):
    """The last page of a Parquet file is damaged, so only its last part fails."""
    source = tmp_path / "in.parquet"
    table = pa.table({"a": list(range(300_000)), "s": [f"word {i * 7919 % 10007}" for i in range(300_000)]})
    pyarrow.parquet.write_table(table, source, row_group_size=65_536, compression="zstd", use_dictionary=False)
    column = pyarrow.parquet.read_metadata(source).row_group(4).column(1)
    for offset in range(column.data_page_offset + column.total_compressed_size // 2, column.data_page_offset + column.total_compressed_size, 50):
        harness.flip(source, offset)
    code, out, err = streamed(isoform, source, "--to", "csv", "--certificate", tmp_path / "c.json", "--threads", "1")
    rows = int(re.search(r"(\d+) rows \((\d+) bytes\) on standard output", err)[1])
    assert code == 9 and "no certificate" in err and not (tmp_path / "c.json").exists()
    assert rows % 65_536 == 0 and 0 < rows < 300_000
    assert out == ("a,s\n" + "".join(f"{i},word {i * 7919 % 10007}\n" for i in range(rows))).encode()
    # Without --stream nothing is out.
    done = subprocess.run(isoform.command("convert", source, "-", "--to", "csv"), env=isoform.environment, capture_output=True)
    assert done.returncode == 9 and done.stdout == b""


@pytest.mark.parametrize("options", [["--stream"], []], ids=["stream", "whole"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_reader_that_reads_nothing_can_be_left(isoform, tall, number, options):
    process = subprocess.Popen(isoform.command("convert", tall, "-", "--to", "csv", *options), bufsize=0,
                               env=isoform.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)

    def waiting():
        """Bytes that are in the pipe."""
        return int.from_bytes(fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4)), sys.byteorder)

    # Until the pipe takes no more.
    assert harness.until(lambda: waiting() > 50_000, process)
    process.send_signal(number)
    assert process.wait(20) == 130
    out, err = process.stdout.read(), process.stderr.read().decode()
    assert "interrupted" in err and f"{len(out)} bytes" in err and "on standard output" in err, err
    assert tall.read_bytes().startswith(out)


def test_a_reader_that_has_enough(isoform, tall):
    process = subprocess.Popen(isoform.command("convert", tall, "-", "--to", "csv", "--stream"), env=isoform.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.read(11) == b"id,squared,"
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(60) == 0 and "closed" in err and "no certificate" in err, err


def test_styles_that_no_longer_fit_are_left_before_anything_is_out(isoform, tmp_path):
    """They are advice in the metadata of a binary source, whose values may have changed since."""
    source = tmp_path / "in.csv"
    source.write_text("a,b\n1,2020-01-01T00:00\n2,2020-01-02T00:00\n")
    isoform("convert", source, tmp_path / "a.parquet").expect(0)
    table = read(tmp_path / "a.parquet")
    moved = pa.table({"a": table["a"], "b": pa.array([1577836801000000, None], table["b"].type)})
    kept = pyarrow.parquet.read_metadata(tmp_path / "a.parquet").metadata
    moved = moved.replace_schema_metadata({key: kept[key] for key in kept if key != b"ARROW:schema"})
    pyarrow.parquet.write_table(moved, tmp_path / "b.parquet")
    code, out, err = streamed(isoform, tmp_path / "b.parquet", "--to", "csv")
    assert code == 0 and b"2020-01-01T00:00:01" in out and "defaults were used" in err, (code, out, err)


def test_a_directory_may_be_source_and_target(isoform, parts):
    command = ("convert", parts, "--out-dir", parts, "--to", "parquet", "--json")
    assert isoform(*command).expect(0).json()["converted"] == 3
    again = isoform(*command).expect(0).json()
    assert (again["converted"], again["skipped"], again["notes"]) == (0, 3, [])


def test_no_digest_is_made_where_none_decides(isoform, parts, tmp_path):
    """Files without end, and without bytes on the disk: to read one would take minutes."""
    endless = 1 << 37
    target, command = parts / "out.csv", ("convert", parts, parts / "out.csv")
    isoform(*command).expect(0)
    os.truncate(target, endless)
    assert "already exists" in isoform(*command, timeout=60).expect(7).err
    target.unlink()
    command = ("convert", parts / "a.csv", "--out-dir", tmp_path / "o", "--to", "jsonl")
    isoform(*command).expect(0)
    # As large as before, the bytes decide.
    for text, word in [("id,code\n1,10\n2,12\n", "changed: converted again"), ("id,code\n1,10\n2,12\n", "skipped")]:
        (parts / "a.csv").write_text(text)
        assert word in isoform(*command).expect(0).out


def test_a_changed_source_replaces_its_own_target_alone(isoform, parts, tmp_path):
    """Of every model; a target that was made of another file of the same name is not its own."""
    other, out = tmp_path / "other", tmp_path / "out"
    other.mkdir()
    values = iter(range(100))
    def change(folder):
        number = next(values)
        write(folder / "t.csv", f"id\n{number}\n")
        (folder / "b.log").write_bytes(b"%d\n" % number)
        np.save(folder / "n.npy", np.arange(number + 2))
        Image.new("RGB", (2, 3), (number, 0, 0)).save(folder / "p.png")
    made = {"t.csv": "jsonl", "b.log": "gzip", "n.npy": "npz", "p.png": "qoi"}
    folder = tmp_path / "mine"
    folder.mkdir()
    change(folder)
    for name, to in made.items():
        command = ("convert", folder / name, "--out-dir", out, "--to", to)
        isoform(*command).expect(0)
        change(folder)
        told = isoform(*command).expect(0).out
        assert "changed: converted again" in told and "1 converted, 0 skipped, 0 failed" in told
        assert "1 skipped" in isoform(*command).expect(0).out
        before = harness.listing(out)
        change(other)
        refused = isoform("convert", other / name, *command[2:]).expect(3).err
        assert "another source" in refused or "other options" in refused, refused
        assert harness.listing(out) == before and "1 skipped" in isoform(*command).expect(0).out


def test_decimal_commas_of_several_sources_are_numbers_as_of_one(isoform, tmp_path):
    sources = [write(tmp_path / name, text) for name, text in [("a.csv", "d;e\n1,5;1\n2,25;2\n"), ("b.csv", "d;e\n3,5;3\n")]]
    told = isoform("convert", *sources, tmp_path / "ab.parquet").expect(0)
    assert "',' is the decimal mark of" in told.out, told.out
    assert read(tmp_path / "ab.parquet").to_pydict() == {"d": [1.5, 2.25, 3.5], "e": [1, 2, 3]}
    isoform("verify", tmp_path / "ab.parquet").expect(0)
    isoform("convert", tmp_path / "ab.parquet", tmp_path / "ab.csv").expect(0)
    assert (tmp_path / "ab.csv").read_text() == 'd,e\n"1,5",1\n"2,25",2\n"3,5",3\n'


def test_a_path_as_typed_tells_no_source_by_itself(isoform, tmp_path):
    """Two files have one relative path, seen from two working directories; nor is a pair of another key one's own."""
    out = tmp_path / "out"
    command = ("convert", "data.csv", "--out-dir", "../out", "--to", "parquet")
    for day in ("mon", "tue"):
        write(tmp_path / day / "data.csv", f"a\n{day}\n")
    isoform(*command, cwd=tmp_path / "mon").expect(0)
    before = harness.listing(out)
    refused = isoform(*command, cwd=tmp_path / "tue").expect(3)
    assert "another source" in refused.err and harness.listing(out) == before
    # From wherever it is seen, it is the same file; also where both were moved together.
    for folder in ("elsewhere", "."):
        write(tmp_path / "mon" / "data.csv", f"a\n{folder}\n")
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        again = isoform("convert", "../mon/data.csv", "--out-dir", "../out", "--to", "parquet", cwd=tmp_path / "tue")
        assert "changed: converted again" in again.expect(0).out
    moved = tmp_path / "moved"
    moved.mkdir()
    for folder in ("mon", "out"):
        (tmp_path / folder).rename(moved / folder)
    write(moved / "mon" / "data.csv", "a\nmoved\n")
    assert "changed: converted again" in isoform(*command, cwd=moved / "mon").expect(0).out
    other = {"ISOFORM_CONFIG_DIR": str(tmp_path / "other")}
    assert "1 skipped" in isoform(*command, cwd=moved / "mon", env=other).expect(0).out
    write(moved / "mon" / "data.csv", "a\nagain\n")
    before = harness.listing(moved / "out")
    refused = isoform(*command, cwd=moved / "mon", env=other).expect(3)
    assert "another key signed it" in refused.err and harness.listing(moved / "out") == before


def put(path):
    """What somebody else made, in the place of something."""
    path.with_name("mine").write_text("precious")
    path.with_name("mine").rename(path)


@pytest.mark.parametrize("act, left, why", [
    (lambda target, certificate: put(target), ("precious", None), "it was changed"),
    (lambda target, certificate: put(certificate), (None, "precious"), "its certificate was changed or removed"),
    (lambda target, certificate: certificate.write_text("precious"), (None, "precious"), "its certificate was changed"),
    (lambda target, certificate: certificate.unlink(), (None, ""), "its certificate was changed or removed"),
    # It may have another name now, and no other certificate.
    (lambda target, certificate: target.unlink(), ("", None), "its target is not beside it"),
    (lambda target, certificate: (target.unlink(), certificate.unlink()), None, None),
], ids=["target", "certificate", "edited-certificate", "no-certificate", "no-target", "neither"])
def test_what_somebody_makes_of_an_outdated_target_meanwhile_stays(isoform, tmp_path, act, left, why):
    """The target or its certificate is changed while its changed source is converted again."""
    source, out = tmp_path / "a.csv", tmp_path / "out"
    command = ("convert", source, "--out-dir", out, "--to", "parquet", "--json")
    lines = lambda first: "n,t\n" + "".join(f"{first + n},{n * 7919 % 1000}\n" for n in range(300_000))
    source.write_text(lines(0))
    isoform(*command).expect(0)
    source.write_text(lines(1))
    target, certificate = out / "a.parquet", harness.certificate_of(out / "a.parquet")
    paths = (target, certificate)
    before = [path.read_bytes() for path in paths]
    running = subprocess.Popen(isoform.command(*command), env=isoform.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    assert harness.until((out / ".a.parquet.isoform-part").exists, running)
    act(*paths)
    told = json.loads(running.communicate()[0])["sources"][0]
    if left is None:
        assert running.returncode == 0 and told["changed"]
        isoform("verify", target, "--source", source).expect(0)
        return
    assert (running.returncode, told["error"]["exitCode"]) == (3, 7) and why in told["error"]["message"], told
    assert ("already exists" in told["error"]["message"]) == target.exists()
    stay = [old if new is None else new.encode() for old, new in zip(before, left)]
    assert [path.read_bytes() if path.exists() else b"" for path in paths] == stay
    assert harness.listing(out) == sorted(path.name for path, held in zip(paths, stay) if held)


# Kills the program as soon as a directory is synced: the certificate has its name, and its target does not.
KILLS = """
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int file) {
    struct stat found;
    if (!fstat(file, &found) && S_ISDIR(found.st_mode)) raise(SIGKILL);
    return syscall(SYS_fsync, file);
}
"""


@pytest.mark.parametrize("options", [(), ("--resume",), ("--force",)])
def test_a_batch_that_was_killed_between_two_names_goes_on(isoform, tmp_path, options):
    source, out = write(tmp_path / "in" / "a.csv", "a\n1\n"), tmp_path / "out"
    command = ("convert", source, "--out-dir", out, "--to", "parquet", "--json")
    isoform(*command).expect(0)
    target = out / "a.parquet"
    first = target.read_bytes()
    write(source, "a\n1\n2\n")
    isoform(*command, env=harness.preloaded(tmp_path, KILLS)).expect(-signal.SIGKILL)
    assert target.read_bytes() == first and len(list(out.glob(".*"))) >= 2
    planned = isoform("plan", *command[1:]).expect(0).json()
    assert planned["convert"] == 1 and target.read_bytes() == first
    [told] = isoform(*command, *options).expect(0).json()["sources"]
    assert told.get("changed", False) or options == ("--force",), told
    isoform("verify", target, "--source", source).expect(0)
    assert harness.listing(out) == ["a.parquet", f"a.parquet{harness.ENDING}"]


def test_a_target_that_was_edited_after_a_killed_run_stays(isoform, tmp_path):
    source, out = write(tmp_path / "in" / "a.csv", "a\n1\n"), tmp_path / "out"
    command = ("convert", source, "--out-dir", out, "--to", "parquet")
    isoform(*command).expect(0)
    write(source, "a\n1\n2\n")
    isoform(*command, env=harness.preloaded(tmp_path, KILLS)).expect(-signal.SIGKILL)
    (out / "a.parquet").write_text("precious")
    assert "its bytes are not those of its certificate" in isoform(*command).expect(3).err
    assert (out / "a.parquet").read_text() == "precious"


def test_a_target_that_tells_no_path_to_its_source_is_not_said_to_be_of_another(isoform, tmp_path):
    source, out = write(tmp_path / "a.csv", "a\n1\n"), tmp_path / "out"
    out.mkdir()
    isoform("convert", source, out / "a.parquet", "--to", "parquet").expect(0)
    command = ("convert", source, "--out-dir", out, "--to", "parquet", "--json")
    assert isoform(*command).expect(0).json()["skipped"] == 1
    write(source, "a\n2\n")
    [told] = isoform(*command).expect(3).json()["sources"]
    assert told["error"]["exitCode"] == 7 and "does not tell where its source lies" in told["error"]["message"]


def test_a_source_that_is_its_own_target_is_told_as_such(isoform, tmp_path):
    """--force is not advised, as it is refused."""
    source = write(tmp_path / "a.csv", "a\n1\n")
    for word, *options in [("convert",), ("convert", "--force"), ("plan",)]:
        told = isoform(word, source, "--out-dir", tmp_path, "--to", "csv", *options).expect(3)
        assert "source and target are the same file" in told.out + told.err and "makes it anew" not in told.out + told.err
    assert source.read_text() == "a\n1\n" and harness.listing(tmp_path) == ["a.csv"]


def test_json_lines_that_changed_below_their_certificate_are_converted_again(isoform, tmp_path):
    """What it told is no option; where it went, the types that it told are said to be others."""
    isoform("convert", write(tmp_path / "s.csv", "a,b\n1,1.50\n"), write(tmp_path / "in" / "x.jsonl", ""), "--force").expect(0)
    source, out = tmp_path / "in" / "x.jsonl", tmp_path / "out"
    command = ("convert", source, "--out-dir", out, "--to", "parquet", "--json")
    isoform(*command).expect(0)
    assert isoform(*command).expect(0).json()["skipped"] == 1
    certificate, kept = harness.certificate_of(source), tmp_path / "kept"
    certificate.rename(kept)
    [told] = isoform(*command).expect(3).json()["sources"]
    assert told["error"]["exitCode"] == 7 and "the certificate beside the source told other types" in told["error"]["message"]
    kept.rename(certificate)
    with open(source, "a") as file:
        file.write('{"a": 2, "b": "2.50"}\n')
    [told] = isoform(*command).expect(0).json()["sources"]
    assert told["changed"] and read(out / "x.parquet").num_rows == 2
    isoform("verify", out / "x.parquet", "--source", source).expect(0)


def test_a_changed_source_replaces_no_other_source(isoform, tmp_path):
    """A target of an earlier run may be a source of this one, if it is named."""
    source, target = tmp_path / "a.xz.gz", tmp_path / "a.xz"
    first, second = (lzma.compress(text) for text in (b"first", b"second"))
    source.write_bytes(gzip.compress(first))
    isoform("convert", source, "--out-dir", tmp_path, "--to", "raw").expect(0)
    source.write_bytes(gzip.compress(second))
    command = (source, target, "--out-dir", tmp_path, "--to", "raw")
    for word, code in [("plan", 3), ("convert", 3)]:
        refused = isoform(word, *command).expect(code)
        assert "would replace a source of this run" in refused.out + refused.err
    assert target.read_bytes() == first and (tmp_path / "a").read_bytes() == b"first"


def test_what_has_a_certificate_where_the_targets_lie_is_named(isoform, parts):
    """It is no source there, though it may have been meant: only what is made again goes without a word."""
    isoform("convert", parts / "a.csv", parts / "made.parquet").expect(0)
    isoform("convert", parts / "a.csv", parts / "split", "--to", "csv", "--partition-by", "code").expect(0)
    command = ("convert", parts, "--out-dir", parts, "--to", "arrow", "--json")
    for word in ("plan", "convert", "convert"):
        done = isoform(word, *command[1:]).expect(0).json()
        assert len(done["sources"]) == 3 and len(done["notes"]) == 2
        assert done["notes"][0].startswith("1 file is left out") and str(parts / "made.parquet") in done["notes"][0]
        assert done["notes"][1].startswith("1 directory is left out") and str(parts / "split") in done["notes"][1]
    assert isoform("convert", parts / "made.parquet", *command[2:]).expect(0).json()["converted"] == 1


def test_where_no_file_is_a_source_it_is_said_what_was_left_out(isoform, tmp_path):
    folder = tmp_path / "set"
    write(folder / ".k=1" / "x.csv", "v\n1\n")
    write(folder / ".y.csv", "v\n1\n")
    write(folder / ".z", "")
    told = isoform("convert", folder, tmp_path / "out.parquet").expect(2).err
    why = "left out, since names with a dot in front are hidden"
    assert "no file in it" in told and ".z" not in told
    assert f"1 directory is {why}: {folder}/.k=1" in told and f"1 file is {why}: {folder}/.y.csv" in told
    told = isoform("convert", f"{folder}/*.csv", tmp_path / "out.parquet").expect(2).err
    assert "no file matches; 1 file is left out" in told and ".y.csv" in told
    write(folder / "k=1" / "_x.csv", "v\n1\n")
    told = isoform("convert", f"{folder}/*/*.csv", tmp_path / "out.parquet").expect(2).err
    assert "there is no source; 1 file is left out" in told and "_x.csv" in told
    isoform("convert", folder / "k=1" / "_x.csv", folder / "x.parquet").expect(0)
    shutil.rmtree(folder / "k=1")
    told = isoform("convert", folder, "--out-dir", folder, "--to", "csv").expect(2).err
    assert "whose certificate is beside" in told and "x.parquet" in told and harness.ENDING not in told
    assert "dot" not in isoform("convert", tmp_path / "set" / ".k=1" / "*.txt", tmp_path / "o.csv").expect(2).err


def test_short_and_long_texts_are_one_column(isoform, tmp_path):
    for name, kind in [("a", pa.string()), ("b", pa.large_string()), ("c", pa.string())]:
        pyarrow.parquet.write_table(pa.table({"t": pa.array([name], kind)}), tmp_path / f"{name}.parquet")
    sources = [tmp_path / f"{name}.parquet" for name in "abc"]
    isoform("convert", *sources, tmp_path / "out.arrow").expect(0)
    assert pa.ipc.open_file(tmp_path / "out.arrow").read_all().column("t").to_pylist() == ["a", "b", "c"]
    isoform("verify", tmp_path / "out.arrow").expect(0)


def test_a_plan_knows_how_much_came_from_a_pipe(isoform, tmp_path):
    plan = isoform("plan", "-", tmp_path / "x.arrow", "--from", "csv", "--json", stdin=b"a,b\n1,2\n").expect(0).json()
    assert plan["source"]["bytes"] == 8
