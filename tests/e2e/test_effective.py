"""A certificate tells all that was in effect, verify reads the source by it, and inspect shows it."""

import gzip
import shutil

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import soundfile
from PIL import Image, PngImagePlugin

import harness


def predicate(target):
    return harness.statement(harness.certificate_of(target))["predicate"]


def parameters(target):
    return predicate(target)["conversion"]["parameters"]


def names(target):
    """The names in use and those of the source, by the type map."""
    columns = predicate(target)["content"]["typeMap"]
    return [(column["name"], column["style"].get("sourceName")) for column in columns]


def test_a_default_run_tells_its_defaults(isoform, sales, converted, tmp_path):
    told = parameters(converted)
    [reading] = told["reading"]
    assert reading["delimiter"] == "," and reading["header"] == "yes" and reading["encoding"] == "utf-8"
    assert reading["quote"] == '"' and reading["escape"] is None and reading["comment"] is None
    assert reading["byteOrderMark"] is False and reading["skipLines"] == "0" and reading["from"] == "csv"
    assert "NA" in reading["nullTokens"] and reading["decimalMarks"] == "point" and reading["dates"] is None
    writing = told["writing"]
    assert writing["to"] == "parquet" and writing["dictionary"] is True
    assert writing["compression"].startswith("zstd:") and int(writing["partRows"]) > 0
    assert not {"memory", "threads"} & (set(told) | set(reading) | set(writing))
    again = tmp_path / "again.parquet"
    isoform("convert", sales, again, "--memory", "256MiB", "--threads", "1").expect(0)
    assert parameters(again) == told | {"sources": [str(sales)]}


@pytest.mark.parametrize("before, encoding, options", [
    (b"", "utf-8", []), (b"\xef\xbb\xbf", "utf-8", []), (b"\xff\xfe", "utf-16-le", []), (b"\xfe\xff", "utf-16-be", []),
    (b"", "cp1252", ["--encoding", "windows-1252"]), (b"", "utf-8", ["--delimiter", ";"]),
])
def test_a_first_line_for_excel_names_the_delimiter(isoform, tmp_path, before, encoding, options):
    source, target, back = tmp_path / "a.csv", tmp_path / "a.parquet", tmp_path / "back.csv"
    source.write_bytes(before + "Sep=;\r\nid;v;café\r\n1;2,5;é\r\n2;3,5;ö\r\n".encode(encoding))
    done = isoform("convert", source, target, *options, "--json").expect(0).json()
    assert 'the first line, "sep=;", is left out: it names the delimiter; --skip-lines 0 keeps it' in done["notes"]
    [reading] = parameters(target)["reading"]
    assert (reading["skipLines"], reading["delimiter"], reading["header"]) == ("1", ";", "yes")
    table = pyarrow.parquet.read_table(target)
    assert table.column_names == ["id", "v", "café"] and table.column("id").to_pylist() == [1, 2]
    isoform("verify", target).expect(0)
    isoform("compare", source, target, *options[:2] if "--encoding" in options else []).expect(0)
    isoform("convert", target, back).expect(0)
    assert back.read_text() == 'id,v,café\n1,"2,5",é\n2,"3,5",ö\n'


def test_a_first_line_is_a_record_where_no_line_is_to_be_skipped(isoform, tmp_path):
    source, target, back = tmp_path / "a.csv", tmp_path / "a.parquet", tmp_path / "b.csv"
    options = ["--skip-lines", "0", "--header", "no", "--delimiter", "="]
    source.write_text("sep=;\ndec=,\nenc=utf8\n")
    isoform("convert", source, target, *options).expect(0)
    assert pyarrow.parquet.read_table(target).to_pydict() == {"column_1": ["sep", "dec", "enc"], "column_2": [";", ",", "utf8"]}
    told = parameters(target)
    # What was typed and what was in effect: by either, the source is read so again.
    assert told["skipLines"] == "0" and told["reading"][0]["skipLines"] == "0"
    assert f"{source}: decoded again, and equal to the target" in isoform("verify", target).expect(0).out
    isoform("compare", source, target, *options).expect(0)
    certificate = harness.certificate_of(target)
    said = harness.statement(certificate)
    for typed in ("skipLines", "header", "delimiter"):
        del said["predicate"]["conversion"]["parameters"][typed]
    harness.sign(isoform, certificate, said)
    assert f"{source}: decoded again, and equal to the target" in isoform("verify", target).expect(0).out
    source.write_text("sep=;\na;b\n1;2\n")
    assert len(isoform("--json", "inspect", source, "--skip-lines", "0", "--delimiter", "tab").expect(0).json()["columns"]) == 1
    assert len(isoform("--json", "inspect", source).expect(0).json()["columns"]) == 2
    isoform("convert", target, back).expect(0)
    isoform("compare", target, back).expect(0)


def test_a_name_like_a_first_line_for_excel_is_read_back_as_a_name(isoform, tmp_path):
    for names in (["sep=;"], ["sep=", "x"], ["SEP=\t"], ["sep=,"]):
        source, target = tmp_path / "a.arrow", tmp_path / "a.csv"
        table = pyarrow.table({name: ["a", "b"] for name in names})
        with pyarrow.ipc.new_file(source, table.schema) as file:
            file.write_table(table)
        isoform("convert", source, target, "--force").expect(0)
        isoform("verify", target).expect(0)
        isoform("compare", source, target).expect(0)
        isoform("convert", target, tmp_path / "b.parquet", "--force").expect(0)
        assert pyarrow.parquet.read_table(tmp_path / "b.parquet").column_names == names


@pytest.mark.parametrize("name, options, compression", [
    ("a.parquet", ["--compression", "gzip"], "gzip:6"),
    ("a.parquet", ["--compression", "snappy", "--row-group-rows", "70000"], "snappy"),
    ("a.avro", ["--compression", "xz"], "xz:6"),
    ("a.arrow", ["--compression", "zstd"], "zstd"),
    ("a.csv.gz", ["--types", "text"], "gzip:6"),
    ("a.jsonl.zst", ["--compression", "zstd:7"], "zstd:7"),
    ("a.tsv", [], "none"),
])
def test_the_compression_in_effect(isoform, sales, tmp_path, name, options, compression):
    target = tmp_path / name
    isoform("convert", sales, target, *options).expect(0)
    writing = parameters(target)["writing"]
    assert writing["compression"] == compression
    if "70000" in options:
        assert writing["rowGroupRows"] == "70000"
    if name == "a.tsv":
        assert writing["delimiter"] == "tab" and writing["header"] == "yes"
    isoform("verify", target).expect(0)


def test_what_was_found_of_a_text(isoform, tmp_path):
    source, target = tmp_path / "a.txt", tmp_path / "a.parquet"
    source.write_bytes("﻿a;b\r\n1,5;Ä\r\n2,25;x\r\n".encode("utf-16-le"))
    isoform("convert", source, target, "--from", "csv").expect(0)
    [reading] = parameters(target)["reading"]
    assert reading["encoding"] == "utf-16le" and reading["byteOrderMark"] is True
    assert reading["delimiter"] == ";" and reading["decimalMarks"] == "point or comma"
    assert reading["lineEnding"] == "crlf"
    assert "decoded again" in isoform("verify", target).expect(0).out
    guessed, target = tmp_path / "b.csv", tmp_path / "b.parquet"
    guessed.write_bytes("# x\na|b\n1|Ä\n2|NA\n".encode("cp1252"))
    options = ["--encoding", "guess", "--comment", "#", "--null", "NA", "--ragged"]
    isoform("convert", guessed, target, *options).expect(0)
    told = parameters(target)
    assert told["encoding"] == "guess"
    [reading] = told["reading"]
    assert reading["encoding"] == "windows-1252" and reading["delimiter"] == "|"
    assert reading["comment"] == "#" and reading["nullTokens"] == ["NA"] and reading["ragged"] is True
    assert "decoded again" in isoform("verify", target).expect(0).out


def test_sources_that_are_read_differently(isoform, tmp_path):
    first, second, target = tmp_path / "a.csv", tmp_path / "b.tsv", tmp_path / "a.parquet"
    first.write_text("x,y\n1,2\n3,4\n")
    with gzip.open(tmp_path / "b.tsv.gz", "wt") as file:
        file.write("x\ty\n5\t6\n7\t8\n")
    isoform("convert", first, tmp_path / "b.tsv.gz", target).expect(0)
    one, other = parameters(target)["reading"]
    assert (one["delimiter"], other["delimiter"]) == (",", "tab")
    assert (one["wrapping"], other["wrapping"]) == ("none", "gzip")
    assert "decoded again" in isoform("verify", target).expect(0).out
    second.write_text("x\ty\n5\t6\n")
    shutil.copy(first, tmp_path / "c.csv")
    isoform("convert", first, tmp_path / "c.csv", target, "--force").expect(0)
    assert len(parameters(target)["reading"]) == 1


def test_verify_reads_by_what_the_certificate_tells(isoform, tmp_path):
    """A table that is read as one of another delimiter than would be found."""
    source, target = tmp_path / "a.csv", tmp_path / "a.parquet"
    source.write_text("a,b\n1,2\n3,4\n")
    isoform("convert", source, target).expect(0)
    certificate = harness.certificate_of(target)
    said = harness.statement(certificate)
    said["predicate"]["conversion"]["parameters"]["reading"][0]["delimiter"] = ";"
    harness.sign(isoform, certificate, said)
    told = isoform("verify", target).expect(4).err
    assert f'{certificate}: reading tells delimiter ";", and {source} is read by ","' in told and "get it again" in told
    # One of an earlier version has none of it, and what it does not tell is found.
    for key in ("reading", "writing"):
        del said["predicate"]["conversion"]["parameters"][key]
    harness.sign(isoform, certificate, said)
    assert "decoded again" in isoform("verify", target).expect(0).out


def test_a_batch_skips_what_was_made_before(isoform, sales, tmp_path):
    for kind in ("parquet", "csv.gz"):
        for outcome in ("converted", "skipped"):
            told = isoform("convert", sales, "--out-dir", tmp_path / kind, "--to", kind.split(".")[0], "--json")
            assert told.expect(0).json()[outcome] == 1, (kind, outcome)


def test_signals_and_bytes(isoform, tmp_path):
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 255, (32, 32, 3), "u1")).save(tmp_path / "p.png")
    np.save(tmp_path / "n.npy", rng.standard_normal((4, 5)).astype("f4"))
    soundfile.write(tmp_path / "s.wav", rng.standard_normal(4800).clip(-1, 1) * 0.1, 48000, subtype="PCM_16")
    (tmp_path / "t.csv").write_text("a;b\n1,5;2,5\n2,5;3,5\n")
    with gzip.open(tmp_path / "z.gz", "wb") as file:
        file.write(b"content")
    told = {}
    for source, target, options in [
        ("p.png", "p.webp", []),
        ("p.png", "p.jpg", ["--within", "psnr=20"]),
        ("p.png", "q.png", ["--effort", "9"]),
        ("n.npy", "n.safetensors", []),
        ("s.wav", "s.flac", []),
        ("s.wav", "s.opus", ["--within", "snr=1"]),
        ("t.csv", "t.npy", ["--drop", "metadata"]),
        ("z.gz", "z.zst", []),
    ]:
        isoform("convert", tmp_path / source, tmp_path / target, *options).expect(0)
        isoform("verify", tmp_path / target).expect(0)
        told[target] = parameters(tmp_path / target)
    writing = {target: parameters["writing"] for target, parameters in told.items()}
    assert writing["p.webp"]["lossless"] is True and writing["p.webp"]["effort"].isdecimal()
    assert writing["p.jpg"]["effort"].isdecimal() and float(writing["p.jpg"]["quality"]) > 0
    assert writing["q.png"]["effort"] == "9"
    assert writing["n.safetensors"] == {"to": "safetensors", "sampleType": "f32"}
    assert writing["s.flac"] == {"to": "flac", "sampleType": "i16"}
    assert int(writing["s.opus"]["bitrate"]) > 0
    assert told["t.npy"]["reading"][0]["delimiter"] == ";"
    assert writing["z.zst"]["compression"] == "zstd:3" and int(writing["z.zst"]["partBytes"]) > 0


def test_grey_has_no_colours_at_half_resolution(isoform, tmp_path):
    source = tmp_path / "g.png"
    Image.fromarray(np.arange(4096, dtype="u1").reshape(64, 64)).save(source)
    target = tmp_path / "g.jpg"
    planned = isoform("plan", source, target, "--within", "psnr=30", "--json").expect(0).json()
    told = isoform("convert", source, target, "--within", "psnr=30", "--json").expect(0).json()
    assert told["settings"]["subsampled"] is planned["settings"]["subsampled"] is False
    [array] = predicate(target)["content"]["arrays"]
    assert array["style"]["subsampled"] is False
    isoform("verify", target).expect(0)


HEADERS = [
    "a,a,,b",
    "a,a_2,a",
    ",x,",
    '"a, b",x,"a, b"',
    "a,a,a",
]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("way", ["csv", "parquet", "arrow", "avro", "jsonl", "csv.gz"])
def test_a_header_comes_back(isoform, tmp_path, header, way):
    columns = len(harness.fields(header.encode())[0])
    text = header + "\n" + "".join(",".join(str(r * 10 + c) for c in range(columns)) + "\n" for r in range(3))
    source, middle, back = tmp_path / "in.csv", tmp_path / f"middle.{way}", tmp_path / "back.csv"
    source.write_text(text)
    isoform("convert", source, middle, "--header", "yes").expect(0)
    told = names(middle)
    assert len({name for name, _ in told}) == columns and any(original is not None for _, original in told)
    options = ["--header", "yes"] if way.startswith("csv") else []
    assert "the header is that of the source" in isoform("convert", middle, back, *options).expect(0).out
    assert back.read_text() == text
    assert names(back) == told
    for target in (middle, back):
        assert "decoded again" in isoform("verify", target).expect(0).out
    content = lambda path, *more: isoform("inspect", path, "--json", *more).expect(0).json()["content"]
    assert content(source, "--header", "yes") == content(back, "--header", "yes") == content(middle, *options)
    isoform("compare", source, middle, "--header", "yes").expect(0)
    planned = isoform("plan", middle, tmp_path / "new.csv", *options).expect(0).out
    assert "the header is that of the source" in planned
    if way != "jsonl":
        shown = isoform("inspect", middle, *options).expect(0).out
        for name, original in told:
            assert f"  {name}: int64" + (f', headed "{original}"' if original is not None else "") in shown


def test_a_table_that_was_changed_keeps_its_names(isoform, tmp_path):
    source, held, back = tmp_path / "in.csv", tmp_path / "held.parquet", tmp_path / "back.csv"
    source.write_text("a,a,,b\n1,2,3,4\n5,6,7,8\n")
    isoform("convert", source, held).expect(0)
    table = pyarrow.parquet.read_table(held)
    assert table.column_names == ["a", "a_2", "column_3", "b"]
    changed = {
        "a,x,column_3,b": table.rename_columns(["a", "x", "column_3", "b"]),
        "x,a_2,column_3,b": table.rename_columns(["x", "a_2", "column_3", "b"]),
        "column_3,a,a_2,b": table.select(["column_3", "a", "a_2", "b"]),
        "a_2,column_3,b": table.drop_columns(["a"]),
    }
    for header, other in changed.items():
        pyarrow.parquet.write_table(other, tmp_path / "other.parquet")
        isoform("convert", tmp_path / "other.parquet", back, "--force").expect(0)
        assert back.read_text().splitlines()[0] == header
        isoform("verify", back).expect(0)


def test_a_partitioned_target_and_several_sources(isoform, tmp_path):
    source, other = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_text("k,v,v\nx,1,2\ny,3,4\n")
    other.write_text("k,v,v\nx,5,6\n")
    isoform("convert", source, tmp_path / "parts", "--to", "csv", "--partition-by", "k", "--header", "yes").expect(0)
    assert "the header is" not in isoform("plan", source, tmp_path / "new", "--to", "csv", "--partition-by", "k").out
    [part] = (tmp_path / "parts" / "k=x").iterdir()
    assert part.read_text() == "v,v\n1,2\n"
    isoform("verify", tmp_path / "parts").expect(0)
    both = tmp_path / "both.csv"
    isoform("convert", source, other, both).expect(0)
    assert both.read_text() == "k,v,v\nx,1,2\ny,3,4\nx,5,6\n"
    isoform("verify", both).expect(0)
    # Sources of other headers have the same names.
    other.write_text("k,v,v_2\nx,5,6\n")
    isoform("convert", source, other, both, "--force").expect(0)
    assert both.read_text().startswith("k,v,v_2\n") and names(both)[2] == ("v_2", None)
    isoform("verify", both).expect(0)


@pytest.mark.parametrize("key, value", [("encoding", "klingon"), ("delimiter", "abc"), ("header", "maybe"), ("dates", "xyz")])
def test_what_no_option_can_be_is_blamed_on_the_certificate(isoform, converted, key, value):
    certificate = harness.certificate_of(converted)
    said = harness.statement(certificate)
    said["predicate"]["conversion"]["parameters"]["reading"][0][key] = value
    harness.sign(isoform, certificate, said)
    told = isoform("verify", converted).expect(1).err
    assert certificate.name in told and f"({key}: " in told and "--" not in told, told
    assert "it says that this very version made it" in told
    said["predicate"]["conversion"]["tool"]["version"] = "9.9.9"
    harness.sign(isoform, certificate, said)
    assert "; verify with isoform 9.9.9, which made it" in isoform("verify", converted).expect(1).err


@pytest.mark.parametrize("change", [
    {"byteOrderMark": True}, {"lineEnding": "crlf"}, {"wrapping": "gzip"}, {"decimalMarks": "point"}, {"nullTokens": ["zz"]},
    {"delimiter": ","}, {"header": "no"}, {"skipLines": "1"}, {"from": "jsonl"}, {"from": "parquet"},
], ids=lambda change: next(iter(change)))
@pytest.mark.parametrize("partitioned", [False, True])
def test_a_reading_that_is_not_that_of_the_source_is_told_of_the_certificate(isoform, tmp_path, change, partitioned):
    source, target = tmp_path / "r.csv", tmp_path / "r"
    source.write_text("k;v\nx;1,5\ny;2,5\nx;3,5\n")
    isoform("convert", source, target, "--to", "parquet", *(["--partition-by", "k"] if partitioned else [])).expect(0)
    certificate = harness.certificate_of(target)
    said = harness.statement(certificate)
    [reading] = said["predicate"]["conversion"]["parameters"]["reading"]
    reading.update(change)
    harness.sign(isoform, certificate, said)
    told = isoform("verify", target).expect(4).err
    assert f"{certificate}: reading tells {next(iter(change))} " in told and "get it again" in told, told
    # Without the source nothing can be said of it; and another fault is told as such.
    source.rename(tmp_path / "away")
    isoform("verify", target).expect(0)
    (tmp_path / "away").rename(source)
    file = target if not partitioned else target / "k=x" / "part-0.parquet"
    harness.flip(file, 8)
    told = isoform("verify", target).expect(4).err
    assert "these are not the bytes that were certified" in told and "reading tells" not in told


@pytest.mark.parametrize("change", [
    lambda entries: [], lambda entries: "x", lambda entries: entries * 3, lambda entries: [1],
])
def test_a_reading_that_is_not_of_these_sources_is_told_of_the_certificate(isoform, converted, change):
    certificate = harness.certificate_of(converted)
    said = harness.statement(certificate)
    parameters = said["predicate"]["conversion"]["parameters"]
    parameters["reading"] = change(parameters["reading"])
    harness.sign(isoform, certificate, said)
    assert f"{certificate}: reading does not tell" in isoform("verify", converted).expect(4).err


def test_what_another_version_tells_of_a_reading_besides_is_passed_over(isoform, converted):
    certificate = harness.certificate_of(converted)
    said = harness.statement(certificate)
    said["predicate"]["conversion"]["tool"]["version"] = "9.9.9"
    said["predicate"]["conversion"]["parameters"]["reading"][0].update(new="x", nullTokens=["", "NA", "void"])
    harness.sign(isoform, certificate, said)
    assert "decoded again" in isoform("verify", converted).expect(0).out


@pytest.mark.parametrize("name", ["x.parquet", "x.csv.gz", "parts"])
def test_a_bound_that_is_not_known_here_is_not_passed_over(isoform, sales, tmp_path, name):
    target = tmp_path / name
    if name == "parts":
        isoform("convert", sales, target, "--to", "parquet", "--partition-by", "store").expect(0)
    else:
        isoform("convert", sales, target).expect(0)
    certificate = harness.certificate_of(target)
    said = harness.statement(certificate)
    said["predicate"]["conversion"]["tool"]["version"] = "9.9.9"
    said["predicate"]["distortion"]["gates"].append({"name": "part-median", "limit": "1"})
    harness.sign(isoform, certificate, said)
    told = isoform("verify", target).expect(1).err
    assert "part-median" in told and "not known here" in told and "verify with isoform 9.9.9, which made it" in told


def test_what_inspect_shows_of_each_model(isoform, converted, tmp_path):
    page = isoform("inspect", harness.certificate_of(converted)).expect(0).out
    said = harness.statement(harness.certificate_of(converted))
    for digest in (said["subject"][0]["digest"], said["predicate"]["source"][0]["digest"]):
        assert digest["sha256"] in page and digest["blake3"] in page
    for line in ('      delimiter: ","', "  distance 0 over", "  tau 1 requested, 1 reached", "PASSED", "  columns"):
        assert line in page, line
    document = isoform("inspect", harness.certificate_of(converted), "--json").expect(0).json()
    assert document == {
        "schema": "isoform.certificate/v1", "keyId": document["keyId"], "statement": said,
    }
    hostile, target = tmp_path / "h.csv", tmp_path / "h.parquet"
    hostile.write_text("a\x1b[2J,\u202eb\n1,2\n")
    isoform("convert", hostile, target).expect(0)
    page = isoform("inspect", harness.certificate_of(target)).expect(0).out
    assert "\x1b" not in page and "\u202e" not in page and "a\\u{1b}[2J: int64" in page
    image = tmp_path / "p.png"
    Image.fromarray(np.arange(3072, dtype="u1").reshape(32, 32, 3)).save(image)
    isoform("convert", image, tmp_path / "p.jpg", "--within", "psnr=25").expect(0)
    page = isoform("inspect", harness.certificate_of(tmp_path / "p.jpg")).expect(0).out
    assert "PSNR" in page and "    root mean square error" in page and '"image": u8, 32 × 32 × 3, rgb' in page


def test_what_was_dropped_is_told(isoform, tmp_path):
    picture = Image.new("RGB", (40, 30), (9, 8, 7))
    exif = picture.getexif()
    exif[0x0112] = 6
    for name in ("p.png", "al/p.png", "al/q.png"):
        (tmp_path / "al").mkdir(exist_ok=True)
        picture.save(tmp_path / name, exif=exif)
    picture.save(tmp_path / "al/r.png")
    soundfile.write(tmp_path / "s.flac", np.zeros((480, 1)), 48000)
    drop = ["--drop", "metadata"]
    for source, target, options, dropped in [
        ("p.png", "p.qoi", drop, ["exif"]),
        ("p.png", "p.tif", drop, None),
        ("p.png", "p.npy", drop, ["metadata/image.base64:exif"]),
        ("p.png", "w.webp", [*drop, "--via", "qoi"], ["exif"]),
        ("p.png", "v.png", [*drop, "--via", "npy"], ["metadata/image.base64:exif"]),
        ("s.flac", "s.npy", drop, ["sound.rate"]),
    ]:
        run = isoform("convert", tmp_path / source, tmp_path / target, *options).expect(0)
        writing = parameters(tmp_path / target)["writing"]
        assert ("dropped" in run.out.replace(str(tmp_path), "")) == (dropped is not None), (target, run.out)
        if dropped is None:
            assert "dropped" not in writing
        else:
            assert set(dropped) <= set(writing["dropped"]), (target, writing)
            assert 'dropped: ["' in isoform("inspect", str(tmp_path / target) + ".isoform.sigstore.json").expect(0).out
        isoform("verify", tmp_path / target, "--source", tmp_path / source).expect(0)
    # Of several, each tells its own; and so does an album.
    isoform("convert", tmp_path / "al", "--out-dir", tmp_path / "o", "--to", "qoi", *drop).expect(0)
    assert parameters(tmp_path / "o/q.qoi")["writing"]["dropped"] == ["exif"]
    assert "dropped" not in parameters(tmp_path / "o/r.qoi")["writing"]
    again = isoform("convert", tmp_path / "al", "--out-dir", tmp_path / "o", "--to", "qoi", *drop, "--json").expect(0).json()
    assert again["skipped"] == 3
    for name in ("p.png", "q.png"):
        picture.save(tmp_path / "al" / name, pnginfo=software())
    bounds = ["--within", "psnr=30", "--part-floor", "psnr=28"]
    isoform("convert", tmp_path / "al", "--out-dir", tmp_path / "a", "--to", "webp", *bounds, *drop).expect(0)
    arrays = predicate(tmp_path / "a")["content"]["arrays"]
    assert [array["style"].get("dropped") for array in arrays] == [["text:Software"], ["text:Software"], None]
    isoform("verify", tmp_path / "a").expect(0)


def software():
    """A text that WebP has no place for."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", "a program")
    return text
