"""JSON Lines have the types and spellings that the certificate beside them tells, if their reader signed it."""

import base64
import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import harness

REAL = harness.TABLES / "real"
TEXTS = [harness.TABLES / "sales.csv", *sorted(REAL.glob("*.csv")), REAL / "tabs.tsv"]
SPELLED = "id,day,price,at,n\n300,31/12/2025,1.50,2025-12-31T23:59:58,NA\n301,01/02/2024,2.25,2024-02-01T00:00:00,7\n"
ISO = "id,day,price,at,n\n300,2025-12-31,1.50,2025-12-31T23:59:58.000000,\n301,2024-02-01,2.25,2024-02-01T00:00:00.000000,7\n"


@pytest.fixture
def spelled(isoform, tmp_path):
    """A table whose spelling is not the usual one, and the JSON Lines that it became."""
    source, lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    source.write_text(SPELLED)
    isoform("convert", source, lines).expect(0)
    return lines


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Days, decimals and words for null in more rows than one part has, and one number that is spelled alone."""
    path = tmp_path_factory.mktemp("mixed") / "mixed.csv"
    with open(path, "w") as file:
        file.write("id;day;price;at;flag;n;rate;code\n")
        for i in range(70_000):
            day, month = i % 28 + 1, i % 12 + 1
            rate = "1e5" if i == 69_000 else f"{i % 97}.{i % 9 + 1}"
            fields = [
                i, f"{day:02}/{month:02}/20{i % 30:02}", f"{i % 1000},{i % 100:02}",
                f"2024-{month:02}-{day:02}T{i % 24:02}:{i % 60:02}", "true" if i % 3 else "false",
                "NA" if i % 5 else i, rate, f"{i % 50:03}",
            ]
            file.write(";".join(map(str, fields)) + "\n")
    return path


def both_ways(isoform, source, folder):
    """The text that comes back by way of JSON Lines, and the one by way of Parquet."""
    found = []
    for ending in ("jsonl", "parquet"):
        between, back = folder / f"between.{ending}", folder / f"{ending}.csv"
        isoform("convert", source, between).expect(0)
        assert isoform("convert", between, back, "--json").expect(0).json()["verdict"] == "EXACT"
        found.append(back.read_bytes())
    return found


def names_and_types(isoform, path):
    return [(column["name"], column["type"]) for column in isoform("inspect", path, "--json").expect(0).json()["columns"]]


@pytest.mark.parametrize("source", TEXTS, ids=lambda path: path.name)
def test_text_comes_back_as_by_way_of_a_format_that_holds_types(isoform, tmp_path, source):
    by_json, by_parquet = both_ways(isoform, source, tmp_path)
    assert by_json == by_parquet
    if source.name == "sales.csv":
        assert by_json == source.read_bytes()
    isoform("verify", tmp_path / "jsonl.csv", "--source", tmp_path / "between.jsonl").expect(0)


def test_days_decimals_and_exceptions_come_back(isoform, mixed, tmp_path):
    by_json, by_parquet = both_ways(isoform, mixed, tmp_path)
    assert by_json == by_parquet
    cells = lambda data, delimiter: [[text for text, _ in record] for record in harness.fields(data, delimiter)]
    assert cells(by_json, ",") == cells(mixed.read_bytes(), ";")
    between = tmp_path / "between.jsonl"
    for name in ("again.jsonl", "typed.parquet", "typed.arrow"):
        isoform("convert", between, tmp_path / name).expect(0)
        isoform("convert", tmp_path / name, tmp_path / f"{name}.csv").expect(0)
        assert (tmp_path / f"{name}.csv").read_bytes() == by_json, name
    assert (tmp_path / "again.jsonl").read_bytes() == between.read_bytes()
    assert isoform("convert", between, "-", "--to", "csv", "--stream").expect(0).out.encode() == by_json
    isoform("convert", between, tmp_path / "via.csv", "--via", "avro").expect(0)
    assert (tmp_path / "via.csv").read_bytes() == by_json
    for target in ("jsonl.csv", "again.jsonl", "typed.parquet", "via.csv"):
        harness.certificate_of(between).unlink(missing_ok=True)
        told = isoform("verify", tmp_path / target, "--source", between).expect(0).out
        assert "decoded again" in told, target


def test_the_types_are_those_of_the_first_source(isoform, spelled, tmp_path):
    isoform("convert", tmp_path / "a.csv", tmp_path / "straight.parquet").expect(0)
    isoform("convert", spelled, tmp_path / "around.parquet").expect(0)
    straight, around = pq.read_table(tmp_path / "straight.parquet"), pq.read_table(tmp_path / "around.parquet")
    assert around.replace_schema_metadata() == straight.replace_schema_metadata()
    assert names_and_types(isoform, spelled) == names_and_types(isoform, tmp_path / "a.csv")


def test_types_that_json_does_not_tell_come_back(isoform, tmp_path):
    table = pa.table({
        "i": pa.array([1, None], pa.int8()), "f": pa.array([0.5, None], pa.float32()),
        "t": pa.array([0, None], pa.timestamp("ms", "Europe/Berlin")), "b": pa.array([b"\0\xff", None]),
        "l": pa.array([[1], None], pa.list_(pa.int16())), "s": pa.array([{"x": 1}, None], pa.struct([("x", pa.uint8())])),
        "k": pa.array(["a", None]).dictionary_encode(), "d": pa.array([0, None], pa.date32()),
    })
    pq.write_table(table, tmp_path / "a.parquet")
    isoform("convert", tmp_path / "a.parquet", tmp_path / "a.jsonl").expect(0)
    isoform("convert", tmp_path / "a.jsonl", tmp_path / "b.parquet").expect(0)
    assert names_and_types(isoform, tmp_path / "b.parquet") == names_and_types(isoform, tmp_path / "a.parquet")
    isoform("compare", tmp_path / "a.parquet", tmp_path / "b.parquet").expect(0)
    isoform("convert", tmp_path / "a.jsonl", tmp_path / "found.parquet", "--no-certified-types").expect(0)
    assert dict(names_and_types(isoform, tmp_path / "found.parquet"))["i"] == "int64"


def test_the_certificate_says_where_types_are_from(isoform, spelled, tmp_path):
    told = isoform("convert", spelled, tmp_path / "b.csv", "--json").expect(0).json()
    assert any("types and spellings" in note and "a.jsonl.isoform" in note for note in told["notes"])
    assert (tmp_path / "b.csv").read_text() == SPELLED
    parameters = harness.statement(harness.certificate_of(tmp_path / "b.csv"))["predicate"]["conversion"]["parameters"]
    said = parameters["typesFrom"]
    assert said["certificate"] == harness.certificate_of(spelled).name
    assert said["keyId"] == isoform("key", "show").expect(0).out.strip()
    # Whether it is still there makes no difference, and neither do partitions.
    isoform("convert", spelled, tmp_path / "parts", "--to", "csv", "--partition-by", "id").expect(0)
    assert "31/12/2025" in (tmp_path / "parts" / "id=300" / "part-0.csv").read_text()
    harness.certificate_of(spelled).unlink()
    for target in ("b.csv", "parts"):
        assert "decoded again" in isoform("verify", tmp_path / target, "--source", spelled).expect(0).out
    spelled.write_text(spelled.read_text().replace("2.25", "2.26"))
    isoform("verify", tmp_path / "b.csv", "--source", spelled).expect(4)


def test_plan_and_inspect_tell_the_same(isoform, spelled, tmp_path):
    planned = isoform("plan", spelled, tmp_path / "b.csv", "--json").expect(0).json()
    assert planned["verdict"] == "EXACT" and any("types and spellings" in note for note in planned["notes"])
    done = isoform("convert", spelled, tmp_path / "b.csv", "--json").expect(0).json()
    types = [(column["name"], column["type"]) for column in done["columns"]]
    assert [(column["name"], column["type"]) for column in planned["columns"]] == types
    assert names_and_types(isoform, spelled) == types
    why = f"type from the certificate {harness.certificate_of(spelled).name}"
    assert {column["why"] for column in planned["columns"]} == {why}
    told = isoform("inspect", spelled, "--why", "day", "--json").expect(0).json()
    assert told["why"] == why and told["type"] == "date" and told["style"]["field"]["style"]["form"] == {"date": "%d/%m/%Y"}
    found = isoform("inspect", spelled, "--why", "day", "--no-certified-types", "--json").expect(0).json()
    assert why not in found["why"]


def found_by_values(isoform, lines, folder):
    """Whether the types of JSON Lines are found by their values, by each command; and the notes of all."""
    folder.mkdir()
    told = isoform("convert", lines, folder / "b.csv", "--json").expect(0).json()
    assert "31/12/2025" not in (folder / "b.csv").read_text()
    notes = [told["notes"], isoform("plan", lines, folder / "c.csv", "--json").expect(0).json()["notes"],
             isoform("inspect", lines, "--json").expect(0).json()["notes"]]
    assert dict(names_and_types(isoform, lines))["id"] == "int64"
    parameters = harness.statement(harness.certificate_of(folder / "b.csv"))["predicate"]["conversion"]["parameters"]
    assert "typesFrom" not in parameters
    return notes


def test_a_certificate_of_other_bytes_is_not_followed(isoform, spelled, tmp_path):
    with open(spelled, "a") as file:
        file.write('{"id":302,"day":"2024-02-02","price":9.25,"at":"2024-02-01T00:00:00.000000","n":8}\n')
    for notes in found_by_values(isoform, spelled, tmp_path / "stale"):
        assert any("other bytes" in note and "found by the values" in note for note in notes), notes
    isoform("verify", tmp_path / "stale" / "b.csv", "--source", spelled).expect(0)
    # The same where both have another name now.
    other = tmp_path / "other.jsonl"
    spelled.rename(other)
    harness.certificate_of(spelled).rename(harness.certificate_of(other))
    for notes in found_by_values(isoform, other, tmp_path / "renamed"):
        assert any("other bytes, which were called a.jsonl" in note and "found by the values" in note for note in notes), notes


def test_a_certificate_whose_signature_is_broken_is_not_followed(isoform, spelled, tmp_path):
    certificate = harness.certificate_of(spelled)
    bundle = json.loads(certificate.read_text())
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"]).replace(b"%d/%m/%Y", b"%m/%d/%Y")
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    certificate.write_text(json.dumps(bundle, sort_keys=True, separators=(",", ":")))
    for notes in found_by_values(isoform, spelled, tmp_path / "broken"):
        assert any("signature" in note and "found by the values" in note for note in notes), notes
    certificate.write_text("{}")
    for notes in found_by_values(isoform, spelled, tmp_path / "empty"):
        assert any("found by the values" in note for note in notes), notes


def test_a_pair_that_was_renamed_belongs_together(isoform, spelled, tmp_path):
    other = tmp_path / "z.jsonl"
    harness.certificate_of(spelled).rename(harness.certificate_of(other))
    spelled.rename(other)
    isoform("convert", other, tmp_path / "b.csv").expect(0)
    assert (tmp_path / "b.csv").read_text() == SPELLED


def test_a_person_decides(isoform, spelled, converted, tmp_path):
    isoform("convert", spelled, tmp_path / "b.csv", "--no-certified-types").expect(0)
    told = isoform("convert", spelled, tmp_path / "c.csv", "--presence", "--json").expect(0).json()
    assert not any("certificate" in note for note in told["notes"])
    lines = isoform("convert", "-", "-", "--from", "jsonl", "--to", "csv", stdin=spelled.read_bytes()).expect(0).out
    for text in ((tmp_path / "b.csv").read_text(), (tmp_path / "c.csv").read_text(), lines):
        assert "2025-12-31" in text and "31/12/2025" not in text and "NA" not in text
    for command in (["convert", converted, tmp_path / "x.arrow"], ["inspect", converted]):
        assert "JSON Lines" in isoform(*command, "--no-certified-types").expect(2).err
    # The types of several sources are found by all of them.
    second = shutil.copy(spelled, tmp_path / "second.jsonl")
    isoform("convert", spelled, second, tmp_path / "both.csv").expect(0)
    assert "31/12/2025" not in (tmp_path / "both.csv").read_text()


def test_a_batch_knows_by_what_types_its_targets_were_made(isoform, spelled, tmp_path):
    command = ["convert", spelled, "--out-dir", tmp_path / "out", "--to", "csv", "--json"]
    assert isoform(*command).expect(0).json()["converted"] == 1
    assert (tmp_path / "out" / "a.csv").read_text() == SPELLED
    assert isoform(*command).expect(0).json()["skipped"] == 1
    assert isoform("plan", *command[1:]).expect(0).json()["skip"] == 1
    # A certificate that was made again tells the same.
    isoform("convert", tmp_path / "a.csv", spelled, "--force").expect(0)
    assert isoform(*command).expect(0).json()["skipped"] == 1
    assert isoform(*command, "--no-certified-types").expect(3).json()["failed"] == 1
    harness.certificate_of(spelled).unlink()
    (failed,) = isoform(*command).expect(3).json()["sources"]
    assert "told other types when it was made" in failed["error"]["message"]
    assert isoform(*command, "--force").expect(0).json()["converted"] == 1
    assert "31/12/2025" not in (tmp_path / "out" / "a.csv").read_text()


def test_a_batch_reads_a_source_that_is_done_once(isoform, mixed, tmp_path):
    lines, made = tmp_path / "a.jsonl", tmp_path / "out" / "a.csv"
    isoform("convert", mixed, lines).expect(0)
    command = ["convert", lines, "--out-dir", tmp_path / "out", "--to", "csv", "--json"]
    isoform(*command).expect(0)
    assert isoform(*command).expect(0).json()["skipped"] == 1
    size = lines.stat().st_size + made.stat().st_size
    for run in (command, ["plan", *command[1:]]):
        code, read = harness.bytes_read(isoform, *run)
        assert code == 0 and size < read < size + lines.stat().st_size / 2, (read, size)


def test_a_certificate_by_another_key_is_not_followed(isoform, spelled, tmp_path):
    other = harness.Program(tmp_path / "elsewhere")
    other("convert", tmp_path / "a.csv", spelled, "--force").expect(0)
    key_id = other("key", "show").expect(0).out.strip()
    for notes in found_by_values(isoform, spelled, tmp_path / "foreign"):
        assert any("another key" in note and key_id in note and "found by the values" in note for note in notes), notes
    # Whoever has no key yet follows nothing either, and does not get one by looking.
    fresh = harness.Program(tmp_path / "fresh")
    notes = fresh("inspect", spelled, "--json").expect(0).json()["notes"]
    assert any("another key" in note for note in notes) and not (tmp_path / "fresh" / "signing-key.pem").exists()


PARTED = "id,day,g,price,n\n300,31/12/2025,b,1.50,NA\n301,01/02/2024,a,2.25,7\n302,02/02/2024,b,3.25,8\n"


@pytest.fixture
def parted(isoform, tmp_path):
    """A table whose spelling is not the usual one, and the directory of JSON Lines that it became."""
    source, directory = tmp_path / "p.csv", tmp_path / "parted"
    source.write_text(PARTED)
    isoform("convert", source, directory, "--to", "jsonl", "--partition-by", "g").expect(0)
    return directory


def test_a_partitioned_directory_has_the_types_of_its_certificate(isoform, parted, tmp_path):
    header, b, a, more_b = PARTED.splitlines(keepends=True)
    back, typed = tmp_path / "back.csv", tmp_path / "typed.parquet"
    done = isoform("convert", parted, back, "--json").expect(0).json()
    assert done["verdict"] == "EXACT" and back.read_text() == header + a + b + more_b
    name = harness.certificate_of(parted).name
    assert [note for note in done["notes"] if "certificate" in note] == [f"types and spellings are those of the certificate {name}"]
    recorded = harness.statement(harness.certificate_of(back))["predicate"]["conversion"]["parameters"]["typesFrom"]
    assert recorded["certificate"] == name
    isoform("convert", parted, typed).expect(0)
    isoform("convert", tmp_path / "p.csv", tmp_path / "straight.parquet").expect(0)
    assert names_and_types(isoform, typed) == names_and_types(isoform, tmp_path / "straight.parquet")
    plan = isoform("plan", parted, tmp_path / "none.csv", "--json").expect(0).json()
    assert any(name in note for note in plan["notes"])
    assert isoform("convert", parted, "-", "--to", "csv", "--stream").expect(0).out == back.read_text()
    isoform("convert", parted, tmp_path / "again", "--to", "jsonl", "--partition-by", "g").expect(0)
    isoform("convert", tmp_path / "again", tmp_path / "again.csv").expect(0)
    assert (tmp_path / "again.csv").read_text() == back.read_text()
    # What is no data in a directory is no other file than the certificate tells.
    (parted / "_SUCCESS").touch()
    isoform("convert", parted, tmp_path / "marked.csv").expect(0)
    assert (tmp_path / "marked.csv").read_text() == back.read_text()
    (parted / "_SUCCESS").unlink()
    harness.certificate_of(parted).unlink()
    for target in (back, typed, tmp_path / "again"):
        assert "decoded again" in isoform("verify", target).expect(0).out, target


def test_a_partitioned_directory_is_read_by_its_values_where_its_certificate_is_not_followed(isoform, parted, tmp_path):
    def notes_of(program, number, *options):
        done = program("convert", parted, tmp_path / f"{number}.csv", "--json", *options).expect(0).json()
        assert "2025-12-31" in (tmp_path / f"{number}.csv").read_text()
        return " ".join(done["notes"])

    assert "types and spellings" not in notes_of(isoform, 1, "--no-certified-types")
    assert "types and spellings" not in notes_of(isoform, 2, "--source-column", "file")
    assert "another key" in notes_of(harness.Program(tmp_path / "elsewhere"), 3)
    shutil.copy(parted / "g=a" / "part-0.jsonl", parted / "g=a" / "part-1.jsonl")
    told = notes_of(isoform, 4)
    assert f"is about other files than are taken of {parted}" in told and "found by the values" in told


def test_verifying_needs_no_key(isoform, spelled, tmp_path):
    isoform("convert", spelled, tmp_path / "b.csv").expect(0)
    other = harness.Program(tmp_path / "elsewhere")
    assert "decoded again" in other("verify", tmp_path / "b.csv", "--source", spelled).expect(0).out


def test_a_certificate_about_bytes_tells_no_types(isoform, spelled, tmp_path):
    packed = tmp_path / "a.jsonl.gz"
    isoform("convert", spelled, packed).expect(0)
    notes = isoform("convert", packed, tmp_path / "b.csv", "--json").expect(0).json()["notes"]
    assert any("about bytes alone" in note and "found by the values" in note for note in notes), notes
    assert "31/12/2025" not in (tmp_path / "b.csv").read_text()
    # Whatever both are called now.
    renamed = packed.rename(tmp_path / "z.jsonl.gz")
    harness.certificate_of(packed).rename(harness.certificate_of(renamed))
    notes = isoform("convert", renamed, tmp_path / "c.csv", "--json").expect(0).json()["notes"]
    assert any("about bytes alone" in note and "found by the values" in note for note in notes), notes


def test_a_certificate_beyond_the_memory_is_not_read(isoform, spelled, tmp_path):
    with open(harness.certificate_of(spelled), "a") as file:
        file.write(" " * (9 << 20))
    told = isoform("convert", spelled, tmp_path / "b.csv", "--memory", "256MiB", "--json").expect(0).json()
    assert any("too many for this --memory" in note and "found by the values" in note for note in told["notes"])


def test_what_is_refused_anyway_is_not_hashed(isoform, spelled, tmp_path):
    (tmp_path / "b.csv").write_text("mine")
    told = isoform("convert", spelled, tmp_path / "b.csv", "--progress", "json").expect(7).err
    assert "already exists" in told and "checking" not in told
    told = isoform("convert", spelled, tmp_path / "c.csv", "--progress", "json").expect(0).err
    assert "checking" in told


def test_a_spelling_that_the_target_cannot_have_is_not_used(isoform, tmp_path):
    """Null as `x,y` can stand between semicolons and not between commas."""
    source = tmp_path / "n.csv"
    source.write_text("n;v\n1;a\nx,y;b\n2;c\n")
    for ending in ("jsonl", "parquet", "arrow"):
        between, back = tmp_path / f"n.{ending}", tmp_path / f"{ending}.csv"
        isoform("convert", source, between, "--null", "x,y").expect(0)
        planned = isoform("plan", between, back, "--json").expect(0).json()
        told = isoform("convert", between, back, "--json").expect(0).json()
        assert told["verdict"] == planned["verdict"] == "EXACT", ending
        for notes in (told["notes"], planned["notes"]):
            assert any("defaults were used" in note for note in notes), (ending, notes)
        assert back.read_text() == "n,v\n1,a\n,b\n2,c\n"
        streamed = isoform("convert", between, "-", "--to", "csv", "--stream").expect(0)
        assert streamed.out == back.read_text() and "defaults were used" in streamed.err
        isoform("convert", between, tmp_path / f"{ending}-parts", "--to", "csv", "--partition-by", "v").expect(0)
        isoform("verify", back).expect(0)


def test_a_word_for_null_that_only_the_source_tells_is_named(isoform, tmp_path):
    source = tmp_path / "n.csv"
    source.write_text("n,v\n1,a\n0,b\n2,c\n")
    for ending, tells in (("jsonl", "certificate tells"), ("parquet", "metadata tell")):
        between, back = tmp_path / f"n.{ending}", tmp_path / f"{ending}.csv"
        isoform("convert", source, between, "--null", "0").expect(0)
        notes = isoform("convert", between, back, "--json").expect(0).json()["notes"]
        assert any('null is written as "0" (column "n")' in note and tells in note for note in notes), notes
        assert back.read_text() == source.read_text()
        notes = isoform("convert", between, tmp_path / f"{ending}.arrow", "--json").expect(0).json()["notes"]
        assert not any("null is written" in note for note in notes), notes


def forge(isoform, certificate, change, of=None):
    """Signs a certificate anew, by the key of the program, with changed columns, or about the bytes of a file."""
    said = harness.statement(certificate)
    change({column["name"]: column["style"] for column in said["predicate"]["content"]["typeMap"]})
    if of:
        told = isoform("inspect", of, "--no-certified-types", "--json").expect(0).json()
        said["subject"][0]["digest"] = {"sha256": told["sha256"], "blake3": told["blake3"]}
    harness.sign(isoform, certificate, said)


def as_float(style, reversible):
    layout = {"exponent": "python", "infinity": "inf", "nan": "nan", "point_zero": True}
    style["field"] = {"type": "float64", "style": {"form": {"float": layout}}, "reversible": True}
    layout = {"exponent": "python", "point-zero": True, "words": True}
    style["json"] = {"absence": "null", "reversible": reversible, "style": {"float": layout}}


MISFITS = {
    "a smaller type": (lambda columns: columns["id"]["field"].update(type="int8"), "id"),
    "another type": (lambda columns: as_float(columns["price"], True), "price"),
    "keys that are left out": (lambda columns: columns["n"]["json"].update(absence="missing"), "n"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_certificate_that_does_not_describe_its_file_is_an_error(isoform, spelled, tmp_path, name):
    change, column = MISFITS[name]
    forge(isoform, harness.certificate_of(spelled), change)
    before = harness.listing(tmp_path)
    for command in (["convert", spelled, tmp_path / "b.csv"], ["plan", spelled, tmp_path / "b.csv"],
                    ["convert", spelled, tmp_path / "b.parquet"], ["convert", spelled, "-", "--to", "csv", "--stream"],
                    ["convert", spelled, tmp_path / "p", "--to", "csv", "--partition-by", "id"],
                    ["inspect", spelled], ["inspect", spelled, "--why", "day"]):
        told = isoform(*command).expect(9).err
        assert "does not describe" in told and "--no-certified-types" in told, told
        assert "record 1" in told and f'"{column}"' in told, told
        assert harness.listing(tmp_path) == before
    isoform("convert", spelled, tmp_path / "b.csv", "--no-certified-types").expect(0)


def test_a_reading_that_loses_text_is_not_exact(isoform, spelled, tmp_path):
    forge(isoform, harness.certificate_of(spelled), lambda columns: as_float(columns["price"], False))
    for target in ("b.csv", "b.parquet", "b2.jsonl"):
        planned = isoform("plan", spelled, tmp_path / target, "--json").expect(0).json()
        told = isoform("convert", spelled, tmp_path / target, "--json").expect(0).json()
        assert told["verdict"] == planned["verdict"] == "VALUE-EXACT", target
        assert [c["name"] for c in told["columns"] if not c["reversible"]] == ["price"]
        isoform("convert", spelled, tmp_path / target, "--force", "--strict").expect(4)
        isoform("verify", tmp_path / target, "--source", spelled).expect(0)


def test_spellings_are_advice(isoform, spelled, tmp_path):
    """Those that give back the values are taken, and others are not."""

    def change(columns):
        columns["day"]["field"]["style"]["form"] = {"date": "%m/%d/%Y"}
        columns["at"]["field"]["style"]["form"]["timestamp"]["seconds"] = False
        columns["n"]["field"]["style"]["form"] = "text"

    forge(isoform, harness.certificate_of(spelled), change)
    for options in ((), ("--stream",)):
        if options:
            out = isoform("convert", spelled, "-", "--to", "csv", *options).expect(0)
            text, told = out.out, out.err
        else:
            run = isoform("convert", spelled, tmp_path / "b.csv", "--json").expect(0).json()
            text, told = (tmp_path / "b.csv").read_text(), "\n".join(run["notes"])
            assert run["verdict"] == "EXACT"
        assert text == ISO and "certificate keeps; defaults were used" in told
    isoform("verify", tmp_path / "b.csv").expect(0)
    forge(isoform, harness.certificate_of(spelled), lambda columns: columns["at"]["field"]["style"]["form"]["timestamp"].update(seconds=True))
    isoform("convert", spelled, tmp_path / "b.csv", "--force").expect(0)
    assert "\n300,12/31/2025,1.50,2025-12-31T23:59:58,\n" in (tmp_path / "b.csv").read_text()


NUMBERS = {
    "a number that a double does not hold": ("9007199254740993", {"exceptions": [[0, "9007199254740993"]]}, "found"),
    "too many digits": ("123456789012345678.9", {"exceptions": [[0, "123456789012345678.9"]]}, "found"),
    "a reading that loses the value": ("12345678901234567890123", {"reversible": False}, "misfit"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_no_certificate_makes_a_float_of_what_a_double_does_not_hold(isoform, tmp_path, name):
    text, told, outcome = NUMBERS[name]
    bare, lines = tmp_path / "g.jsonl", tmp_path / "f.jsonl"
    bare.write_text(f'{{"x":{text},"y":1}}\n{{"x":2.5,"y":2}}\n')
    isoform("convert", bare, lines).expect(0)

    def change(columns):
        as_float(columns["x"], True)
        columns["x"]["json"].update(told)

    forge(isoform, harness.certificate_of(lines), change)
    run = isoform("convert", lines, tmp_path / "out.csv", "--json")
    if outcome == "misfit":
        assert "does not describe" in run.expect(9).err
    else:
        assert any("found by the values" in note for note in run.expect(0).json()["notes"])
        assert text in (tmp_path / "out.csv").read_text()


FOREIGN_TYPES = [
    "text_view", "binary_view", "decimal32(9, 2)", "decimal64(18, 2)",
    {"list_view": {"name": "item", "type": "int8", "nullable": True}},
    {"map": {"entries": {"name": "entries", "nullable": False, "type": {"struct": [
        {"name": "key", "type": "text", "nullable": True}, {"name": "value", "type": "int8", "nullable": True},
    ]}}, "sorted": False}},
    {"map": {"entries": {"name": "entries", "nullable": False, "type": {"struct": [
        {"name": "key", "type": "text", "nullable": False},
    ]}}, "sorted": False}},
]


@pytest.mark.parametrize("data_type", FOREIGN_TYPES, ids=str)
def test_types_that_rows_of_json_do_not_have_are_not_followed(isoform, spelled, tmp_path, data_type):
    def change(columns):
        columns["n"]["field"]["type"] = data_type
        columns["n"]["json"]["children"] = [{}, {}]

    forge(isoform, harness.certificate_of(spelled), change)
    for notes in found_by_values(isoform, spelled, tmp_path / "foreign"):
        assert any("found by the values" in note for note in notes), notes


def test_a_column_whose_key_stands_in_no_record_is_named(isoform, tmp_path):
    bare, lines = tmp_path / "g.jsonl", tmp_path / "f.jsonl"
    bare.write_text('{"x":1,"y":2}\n{"x":3}\n')
    isoform("convert", bare, lines).expect(0)
    certificate = harness.certificate_of(lines)
    told = isoform("convert", lines, tmp_path / "a.csv", "--json").expect(0).json()
    assert not any("no record" in note for note in told["notes"]), told["notes"]
    lines.write_text('{"x":1}\n{"x":3}\n')
    forge(isoform, certificate, lambda columns: None, of=lines)
    told = isoform("convert", lines, tmp_path / "b.csv", "--json").expect(0).json()
    assert any('no record has "y"' in note for note in told["notes"]), told["notes"]


def test_styles_that_nobody_knows_are_not_followed(isoform, spelled, tmp_path):
    forge(isoform, harness.certificate_of(spelled), lambda columns: columns["day"]["field"]["style"].update(form={"date": "%y"}))
    for notes in found_by_values(isoform, spelled, tmp_path / "unknown"):
        assert any("a.jsonl.isoform" in note and "found by the values" in note for note in notes), notes
