"""Fields that their column's style does not write, in directories of partitions: their texts come back."""

import hashlib
import json
import shutil

import duckdb
import pytest
from blake3 import blake3

import harness

KEYS = ["a", "b", "c", "NA"]
HEADER = "id,k,x,ok,word"


def line(at):
    """A record. Few fields are written otherwise than the rest of their column, and those stand in all partitions."""
    x = "48.053808600000004" if at == 7 else ["2.50", "1e3", "0.1250"][at // 151 % 3] if at % 151 == 150 else str(at / 8)
    ok = "TRUE" if at % 400 == 399 else ["true", "false"][at % 2]
    return f"{at},{KEYS[at * 7 % 3]},{x},{ok},w{at % 5}"


LINES = [line(at) for at in range(3000)]
WANTED = sorted([HEADER, *LINES])
TO = ["parquet", "arrow", "avro", "csv", "jsonl"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("exceptions") / "in.csv"
    path.write_text("\n".join([HEADER, *LINES, ""]))
    return path


def text_of(path):
    return sorted(path.read_text().splitlines())


def styles(target):
    content = harness.statement(harness.certificate_of(target))["predicate"]
    return content["content"]["typeMap"], content["conversion"]["parameters"].get("rowsOfExceptions")


@pytest.mark.parametrize("to", TO)
def test_texts_come_back(isoform, table, tmp_path, to):
    target, again = tmp_path / "out", tmp_path / "back.csv"
    done = isoform("convert", table, target, "--to", to, "--partition-by", "k", "--strict", "--json").expect(0).json()
    assert (done["verdict"], done["partitions"]) == ("EXACT", 3)
    found = isoform("verify", target).expect(0).out
    assert "EXACT holds" in found and "each partition holds its rows" in found
    done = isoform("convert", target, again, "--strict", "--json").expect(0).json()
    assert done["verdict"] == "EXACT" and text_of(again) == WANTED
    assert "decoded again, and equal to the target" in isoform("verify", again).expect(0).out
    columns, places = styles(target)
    rows = [row for row, _ in columns[2]["style"]["field"]["style"]["exceptions"]]
    assert rows == [7] + [at for at in range(3000) if at % 151 == 150]
    assert sorted(row for of_one in places.values() for row, _ in of_one) == sorted({*rows, *range(399, 3000, 400)})
    for path, pairs in places.items():
        for row, place in pairs:
            assert path == f"k={KEYS[row * 7 % 3]}" and place == row // 3


@pytest.mark.parametrize("to", TO)
def test_a_file_alone_gives_back_its_texts(isoform, table, tmp_path, to):
    target = tmp_path / "out"
    isoform("convert", table, target, "--to", to, "--partition-by", "k").expect(0)
    file = target / "k=b" / f"part-0.{to}"
    own = [text for text in LINES if text.split(",")[1] == "b"]
    without = [",".join([f for at, f in enumerate(text.split(",")) if at != 1]) for text in own]
    if to == "jsonl":
        assert [json.loads(text)["x"] for text in file.read_text().splitlines()] == [float(t.split(",")[2]) for t in own]
        return
    isoform("convert", file, tmp_path / "one.csv", "--no-partition-columns").expect(0)
    assert (tmp_path / "one.csv").read_text().splitlines()[1:] == without


@pytest.mark.parametrize("to", ["parquet", "csv", "jsonl"])
def test_several_sources_and_several_files_of_one_key(isoform, table, tmp_path, to):
    for at in range(3):
        (tmp_path / f"{at}.csv").write_text("\n".join([HEADER, *LINES[at * 1000:at * 1000 + 1000], ""]))
    target = tmp_path / "out"
    sources = [tmp_path / f"{at}.csv" for at in range(3)]
    isoform("convert", *sources, target, "--to", to, "--partition-by", "k", "--strict").expect(0)
    assert "each partition holds its rows" in isoform("verify", target).expect(0).out
    # A second file in each directory, as another conversion would make it; no certificate tells of both.
    more = tmp_path / "more"
    isoform("convert", table, more, "--to", to, "--partition-by", "k").expect(0)
    for file in more.rglob(f"*.{to}"):
        shutil.copy(file, target / file.parent.name / f"part-1.{to}")
    harness.certificate_of(target).unlink()
    isoform("convert", target, tmp_path / "back.csv").expect(0)
    if to != "jsonl":
        order = lambda text: sorted(",".join(sorted(one.split(","))) for one in text)
        assert order((tmp_path / "back.csv").read_text().splitlines()[1:]) == order(LINES * 2)


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_a_killed_run_goes_on(isoform, tmp_path, to):
    source, target = tmp_path / "in.csv", tmp_path / "out"
    texts = [f"{at},k{at % 97},{'1e3' if at % 1009 == 0 else at % 1000 + 0.5}" for at in range(400_000)]
    source.write_text("\n".join(["id,k,x", *texts, ""]))
    options = ("--to", to, "--partition-by", "k")
    isoform("convert", source, tmp_path / "whole", *options).expect(0)
    finished = tmp_path / ".out.isoform-part" / "finished"
    command = ("convert", source, target, *options, "--resume")
    harness.killed_when(lambda: harness.count_in(finished) >= 20,
                        lambda: isoform.start(*command), lambda: shutil.rmtree(target))
    done = isoform(*command, "--json").expect(0).json()
    assert done["verdict"] == "EXACT" and done["parts"]["total"] == 97 and done["parts"]["reused"] >= 10, done["parts"]
    for made in target.rglob(f"*.{to}"):
        assert made.read_bytes() == (tmp_path / "whole" / made.relative_to(target)).read_bytes()
    isoform("verify", target, "--source", source).expect(0)
    # The texts that no style writes come back with the others; rows of partitions follow one another.
    isoform("convert", target, tmp_path / "back.csv").expect(0)
    order = lambda lines: sorted(",".join(sorted(line.split(","))) for line in lines)
    assert order((tmp_path / "back.csv").read_text().splitlines()[1:]) == order(texts)


@pytest.mark.parametrize("to", ["csv", "jsonl", "parquet"])
def test_partitions_of_partitions(isoform, table, tmp_path, to):
    first, second, again = tmp_path / "first", tmp_path / "second", tmp_path / "back.csv"
    isoform("convert", table, first, "--to", to, "--partition-by", "k").expect(0)
    isoform("convert", first, second, "--to", to, "--partition-by", "word", "--strict").expect(0)
    assert "each partition holds its rows" in isoform("verify", second).expect(0).out
    isoform("convert", second, again, "--strict").expect(0)
    assert text_of(again) == WANTED
    assert "decoded again, and equal to the target" in isoform("verify", again).expect(0).out


def test_json_lines_keep_theirs(isoform, tmp_path):
    lines = [f'{{"id":{at},"k":"{KEYS[at * 7 % 3]}","in":{{"x":{"2.50" if at % 151 == 150 else at / 8}}}}}' for at in range(900)]
    source, target, again = tmp_path / "in.jsonl", tmp_path / "out", tmp_path / "back.jsonl"
    source.write_text("\n".join([*lines, ""]))
    for to in ("jsonl", "parquet"):
        isoform("convert", source, target, "--to", to, "--partition-by", "k", "--strict", "--force").expect(0)
        isoform("verify", target).expect(0)
        isoform("convert", target, again, "--strict", "--force").expect(0)
        assert text_of(again) == sorted(lines), to
        isoform("verify", again).expect(0)


def test_a_key_with_exceptions_of_its_own_is_not_given_back(isoform, table, tmp_path):
    done = isoform("convert", table, tmp_path / "out", "--to", "parquet", "--partition-by", "ok", "--json").expect(0).json()
    assert done["verdict"] == "VALUE-EXACT"
    assert "--strict accepts only EXACT" in isoform(
        "convert", table, tmp_path / "more", "--to", "parquet", "--partition-by", "ok", "--strict").expect(4).err
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize("harm", ["usual text", "another exception", "moved"])
def test_a_text_that_was_changed_is_found(isoform, table, tmp_path, harm):
    target = tmp_path / "out"
    isoform("convert", table, target, "--to", "csv", "--partition-by", "k").expect(0)
    file = target / "k=b" / "part-0.csv"
    text = file.read_text()
    if harm == "usual text":
        text = text.replace(",48.053808600000004,", ",48.0538086,", 1)
    elif harm == "another exception":
        text = text.replace(",1e3,", ",1e03,", 1)
    else:
        records = text.splitlines()
        text = "\n".join([records[0], *records[2:], records[1], ""])
    assert text != file.read_text()
    file.write_text(text)
    assert "k=b/part-0.csv" in isoform("verify", target).expect(4).err
    # So it is where the certificate has the digests of these bytes.
    at = harness.certificate_of(target)
    said, changed = harness.statement(at), file.read_bytes()
    subject = next(subject for subject in said["subject"] if "/k=b/" in subject["name"])
    subject["digest"] = {"sha256": hashlib.sha256(changed).hexdigest(), "blake3": blake3(changed).hexdigest()}
    harness.sign(isoform, at, said)
    assert "its content is not the one that was certified" in isoform("verify", target).expect(4).err


def moved_by(places, path=0, row=0, place=0):
    return {f"{at}{'x' * path}": [[a + row, b + place] for a, b in pairs] for at, pairs in places.items()}


@pytest.mark.parametrize("to", ["csv", "jsonl", "parquet"])
def test_a_certificate_that_tells_of_other_rows_is_found(isoform, table, tmp_path, to):
    target, at = tmp_path / "out", harness.certificate_of(tmp_path / "out")
    isoform("convert", table, target, "--to", to, "--partition-by", "k").expect(0)
    honest = harness.statement(at)
    places = honest["predicate"]["conversion"]["parameters"]["rowsOfExceptions"]
    fewer = {path: pairs[1:] for path, pairs in places.items()}
    for other in [moved_by(places, place=1), moved_by(places, row=1), moved_by(places, path=1), fewer, None]:
        said = json.loads(json.dumps(honest))
        parameters = said["predicate"]["conversion"]["parameters"]
        parameters.pop("rowsOfExceptions")
        if other is not None:
            parameters["rowsOfExceptions"] = other
        harness.sign(isoform, at, said)
        told = isoform("verify", target, "--source", table).expect(4).err
        if to == "csv":
            assert "its content is not the one that was certified" in told or "rowsOfExceptions" in told, other
        else:
            assert f"{at}: rowsOfExceptions tells of other rows than those in which the exceptions of {table} stand" in told, other


@pytest.mark.parametrize("record", [[], {"k=a": [["7", 0]]}, {"k=a": [[7, 0], [9, 0]]}, "k=a", 7])
def test_a_record_of_rows_that_is_none_is_told_of_the_certificate(isoform, table, tmp_path, record):
    target, at = tmp_path / "out", harness.certificate_of(tmp_path / "out")
    isoform("convert", table, target, "--to", "jsonl", "--partition-by", "k").expect(0)
    said = harness.statement(at)
    said["predicate"]["conversion"]["parameters"]["rowsOfExceptions"] = record
    harness.sign(isoform, at, said)
    told = isoform("verify", target).expect(9).err
    # Of another shape it may be that of a later version.
    words = "malformed certificate" if record == {"k=a": [[7, 0], [9, 0]]} else "states what is not known here: the statement"
    assert f"{at}: {words}: rowsOfExceptions is " in told and "convert the source again" in told
    done = isoform("convert", target, tmp_path / "back.csv", "--json").expect(0).json()
    assert any(f"{at}: " in note and "types were found by the values" in note for note in done["notes"])


def test_a_style_that_a_target_does_not_have_is_no_fault_of_the_command(isoform, table, tmp_path):
    target, at = tmp_path / "out.csv", harness.certificate_of(tmp_path / "out.csv")
    isoform("convert", table, target).expect(0)
    said = harness.statement(at)
    said["predicate"]["content"]["typeMap"][2]["style"]["field"]["style"]["exceptions"].pop(0)
    harness.sign(isoform, at, said)
    assert f"{target}: its content is not the one that was certified" in isoform("verify", target).expect(4).err


def test_others_read_the_values(isoform, table, tmp_path):
    target = tmp_path / "out"
    isoform("convert", table, target, "--to", "parquet", "--partition-by", "k").expect(0)
    with duckdb.connect() as db:
        query = f"select id, x, ok from read_parquet('{target}/*/*.parquet', hive_partitioning=true) order by id"
        found = db.execute(query).fetchall()
    wanted = [text.split(",") for text in LINES]
    assert found == [(int(f[0]), float(f[2]), f[3].lower() == "true") for f in wanted]
