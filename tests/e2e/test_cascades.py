"""Chains of conversions across models: tables to arrays, images to arrays and back, judged by NumPy, pandas and Pillow."""

import decimal
import gzip
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image, ImageCms, PngImagePlugin
from safetensors import safe_open
from safetensors.numpy import save_file

import harness
from test_images import photograph

DROP = ("--drop", "metadata")


def predicate(target):
    return harness.statement(harness.certificate_of(target))["predicate"]


def write(path, header, rows):
    text = ",".join(header) + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.fixture
def integers(tmp_path):
    """Three columns of integers, with parts that end within a row: 1 Mi samples are no multiple of 3."""
    numbers = np.arange(400_000, dtype=np.int64)
    values = np.stack([numbers, numbers * 3 - 7, numbers % 11], axis=1)
    path = tmp_path / "n.csv.gz"
    text = "a,b,c\n" + "\n".join(map("{0[0]},{0[1]},{0[2]}".format, values.tolist())) + "\n"
    path.write_bytes(gzip.compress(text.encode(), 1))
    return path, values


@pytest.fixture
def small_parts(tmp_path):
    types = tmp_path / "small"
    types.mkdir()
    (types / "npy.toml").write_text('[type]\nname = "npy"\n[transport]\npart-samples = 1048576\n')
    return ("--media-types", types)


def test_a_packed_table_becomes_one_array(isoform, integers, small_parts, tmp_path):
    source, values = integers
    target = tmp_path / "n.npy"
    refused = isoform("convert", source, target).expect(9)
    assert "columns" in refused.err and "--drop metadata" in refused.err and not target.exists()
    told = isoform("convert", source, target, *DROP, *small_parts, "--json").expect(0).json()
    assert [step["to"] for step in told["chain"]] == ["text/csv", "application/vnd.apache.arrow.file", "application/x-npy"]
    assert told["parts"]["total"] == 2 and told["verdict"] == "VALUE-EXACT"
    found = np.load(target)
    assert found.dtype == np.int64 and np.array_equal(found, values)
    chain = predicate(target)["conversion"]["parameters"]["chain"]
    assert [(step["class"], step["within"]) for step in chain] == [
        ("exact", "exact"), ("reversible", "exact"), ("exact", "exact")]
    assert [step["class"] for step in told["chain"]] == [step["class"] for step in chain]
    assert "decoded again, and equal" in isoform("verify", target, "--source", source).expect(0).out
    isoform("compare", source, target).expect(0)
    damaged = found.copy()
    damaged[234_567, 1] += 1
    np.save(tmp_path / "d.npy", damaged)
    told = isoform("compare", source, tmp_path / "d.npy", "--json").expect(4).json()
    assert told["arrays"][0]["firstDiffering"] == 3 * 234_567 + 1 and told["arrays"][0]["differing"] == 1
    # Nothing but the target and its certificate is left, and threads change nothing.
    isoform("convert", source, tmp_path / "again.npy", *DROP, *small_parts, "--threads", "1").expect(0)
    assert (tmp_path / "again.npy").read_bytes() == target.read_bytes()
    isoform("convert", source, tmp_path / "s.npy", *DROP, "--strict").expect(4)


def test_columns_become_arrays_of_their_own(isoform, tmp_path):
    rows = [(i, f"{i * 1.25:.2f}", str(i % 2 == 0).lower()) for i in range(1000)]
    source = write(tmp_path / "m.csv", ["id", "price", "ok"], rows)
    isoform("convert", source, tmp_path / "m.safetensors").expect(0)
    with safe_open(tmp_path / "m.safetensors", "numpy") as found:
        assert json.loads(found.metadata()["columns"]) == ["id", "price", "ok"]
        assert found.get_tensor("id").dtype == np.int64 and found.get_tensor("ok").dtype == np.bool_
        assert np.array_equal(found.get_tensor("price"), np.array([float(row[1]) for row in rows]))
    isoform("verify", tmp_path / "m.safetensors").expect(0)
    isoform("convert", source, tmp_path / "m.npz").expect(9)
    isoform("convert", source, tmp_path / "m.npz", *DROP).expect(0)
    with np.load(tmp_path / "m.npz") as found:
        assert np.array_equal(found["ok"], [row[2] == "true" for row in rows])
    isoform("compare", source, tmp_path / "m.npz").expect(0)
    narrow = tmp_path / "narrow.safetensors"
    more = ("--sample-type", "bf16", "--within", "coherence=0.99", "--exclude", "ok")
    told = isoform("convert", source, narrow, *more, "--json").expect(0).json()
    assert told["verdict"] == "BOUNDED" and 0.99 <= told["distortion"]["coherence"] < 1
    assert told["chain"][-1]["within"] == "coherence=0.99"
    isoform("verify", narrow, "--source", source).expect(0)


def test_values_that_an_array_cannot_hold_are_named(isoform, tmp_path):
    def refused(name, rows, place, hint, *more, code=9):
        source = write(tmp_path / f"{name}.csv", ["a", "b"], rows)
        told = isoform("convert", source, tmp_path / f"{name}.npy", *DROP, *more).expect(code)
        assert place in told.err and hint in told.err, told.err
        assert not (tmp_path / f"{name}.npy").exists()
        return source

    mixed = refused("mixed", [(1, 1.5), (2, 2.5)], "two types", "--sample-type f64")
    isoform("convert", mixed, tmp_path / "mixed.npy", *DROP, "--sample-type", "f64").expect(0)
    assert np.array_equal(np.load(tmp_path / "mixed.npy"), [[1, 1.5], [2, 2.5]])
    refused("text", [(1, "x"), (2, "y")], 'column "b"', "--type")
    refused("wide", [(1.5, 2**53 + 1), (2.5, 3)], "record 1", "64-bit float", "--sample-type", "f64")
    refused("deep", [("0.12345678901234567", 1.5)], 'column "a"', "digits", "--sample-type", "f64")
    null = refused("null", [(1.5, 2.5), ("", 3.5)], "record 2", "--nulls nan")
    isoform("convert", null, tmp_path / "null.npy", *DROP, "--nulls", "nan").expect(0)
    assert np.array_equal(np.load(tmp_path / "null.npy"), [[1.5, 2.5], [np.nan, 3.5]], equal_nan=True)
    assert predicate(tmp_path / "null.npy")["conversion"]["parameters"]["nulls"] == "nan"
    isoform("verify", tmp_path / "null.npy", "--source", null).expect(0)
    refused("idle", [(1, 2)], "--row-group-rows", "leave it", "--row-group-rows", "5", code=2)


def test_columns_of_text_are_left_out_where_that_is_asked_for(isoform, tmp_path):
    table = pa.table({"word": ["x", "y"], "n": [1, 2], "day": pa.array([1, 2], pa.date32()), "x": [0.5, 1.5]})
    pq.write_table(table, tmp_path / "t.parquet")
    told = isoform("convert", tmp_path / "t.parquet", tmp_path / "t.npz", *DROP, "--exclude", "word").expect(9).err
    assert '"day"' in told and "--exclude" in told and "--type" not in told
    target, chosen = tmp_path / "t.safetensors", ("--exclude", "word", "--exclude", "d*")
    told = isoform("convert", tmp_path / "t.parquet", target, *chosen, "--json").expect(0).json()
    assert "left out: day, word" in told["notes"] and told["verdict"] == "EXACT"
    with safe_open(target, "numpy") as found:
        # Their names tell their order.
        assert set(found.keys()) == {"n", "x"} and not found.metadata()
        assert np.array_equal(found.get_tensor("x"), [0.5, 1.5]) and np.array_equal(found.get_tensor("n"), [1, 2])
    assert "decoded again" in isoform("verify", target).expect(0).out
    (tmp_path / "t.csv").write_text("word,n\nx,1\ny,2\n")
    told = isoform("convert", tmp_path / "t.csv", tmp_path / "c.safetensors").expect(9).err
    assert '"word"' in told and "--exclude" in told and "--type" in told
    isoform("convert", tmp_path / "t.csv", tmp_path / "c.safetensors", "--include", "n").expect(0)


def decimals(path):
    cents = pa.array([decimal.Decimal("1.50"), decimal.Decimal("2.25")], pa.decimal128(10, 2))
    pq.write_table(pa.table({"n": pa.array([1, 2], pa.int64()), "d": cents, "a": [0.5, 1.5]}), path)
    return path


def test_columns_that_are_left_out_decide_nothing(isoform, tmp_path):
    source, target = decimals(tmp_path / "t.parquet"), tmp_path / "t.safetensors"
    done = isoform("convert", source, target, "--exclude", "d", "--strict", "--json").expect(0).json()
    assert done["verdict"] == "EXACT" and done["notes"] == ["left out: d"]
    with safe_open(target, "numpy") as found:
        assert json.loads(found.metadata()["columns"]) == ["n", "a"]
    assert "decoded again" in isoform("verify", target).expect(0).out
    # Of arrays that are left out later, the order of the others is kept alike.
    isoform("convert", target, tmp_path / "n.safetensors", "--exclude", "a").expect(0)
    with safe_open(tmp_path / "n.safetensors", "numpy") as found:
        assert set(found.keys()) == {"n"} and not found.metadata()
    isoform("verify", tmp_path / "n.safetensors").expect(0)
    isoform("convert", target, tmp_path / "back.parquet").expect(0)
    assert pq.read_table(tmp_path / "back.parquet").column_names == ["n", "a"]
    # What leaves nothing open is left out on the way too.
    isoform("convert", source, tmp_path / "via.safetensors", "--via", "npz", *DROP, "--exclude", "d", "--strict").expect(0)


def test_what_arrays_do_not_keep_is_named(isoform, tmp_path):
    source, text = decimals(tmp_path / "t.parquet"), write(tmp_path / "t.csv", ["b", "a"], [(1, 2), (3, 4)])
    cases = [
        (source, "t.safetensors", (), '"d" is decimal, and held as floats', {"d": ("decimalsAsFloats", ["d"])}),
        (text, "c.npy", DROP, 'the text of "b", "a" are not given back', {"": ("textNotKept", ["b", "a"])}),
        (text, "c.npz", DROP, 'the text of "a", "b" are not given back',
         {"a": ("textNotKept", ["a"]), "b": ("textNotKept", ["b"])}),
        (text, "p.safetensors", (*DROP, "--via", "npy", "--type", "a=uint8", "--type", "b=uint8", "--via", "png"),
         'the text of "b", "a" are not given back', {"image": ("textNotKept", ["b", "a"])}),
    ]
    for given, name, options, why, named in cases:
        target = tmp_path / name
        planned = isoform("plan", given, target, *options, "--strict", "--json").expect(4).json()
        assert planned["verdict"] == "VALUE-EXACT" and why in planned["notes"] and why in planned["refusals"][0], planned
        assert why in isoform("convert", given, target, *options, "--strict").expect(4).err
        assert f"note: {why}" in isoform("convert", given, target, *options).expect(0).out
        arrays = predicate(target)["content"]["arrays"]
        keys = ("textNotKept", "decimalsAsFloats")
        found = {array["name"]: (key, array["style"][key]) for array in arrays for key in keys if key in array["style"]}
        assert found == named, found
        page = isoform("inspect", f"{target}.isoform.sigstore.json").expect(0).out
        assert all(key in page for key, _ in named.values())
        isoform("verify", target).expect(0)


def test_npz_keeps_an_order_that_is_that_of_the_names(isoform, tmp_path):
    pq.write_table(pa.table({"a": [1, 2], "b": [0.5, 1.5]}), tmp_path / "t.parquet")
    isoform("convert", tmp_path / "t.parquet", tmp_path / "t.npz", "--strict").expect(0)
    isoform("compare", tmp_path / "t.parquet", tmp_path / "t.npz").expect(0)
    isoform("verify", tmp_path / "t.npz").expect(0)
    isoform("convert", tmp_path / "t.npz", tmp_path / "back.parquet").expect(0)
    back, table = pq.read_table(tmp_path / "back.parquet"), pq.read_table(tmp_path / "t.parquet")
    assert back.to_pydict() == table.to_pydict() and back.column_names == table.column_names
    pq.write_table(pa.table({"b": [1, 2], "a": [0.5, 1.5]}), tmp_path / "u.parquet")
    assert "order of the columns" in isoform("convert", tmp_path / "u.parquet", tmp_path / "u.npz").expect(9).err


def test_a_text_that_names_other_columns_stays_one(isoform, tmp_path):
    source, target = tmp_path / "t.safetensors", tmp_path / "t.parquet"
    save_file({"n": np.array([1, 2])}, source, {"columns": '["n","d"]'})
    done = isoform("convert", source, target, "--json").expect(0).json()
    assert any('"columns" does not name these arrays' in note for note in done["notes"]), done["notes"]
    assert pq.read_schema(target).metadata[b"columns"] == b'["n","d"]'
    isoform("verify", target).expect(0)


def test_all_columns_that_no_array_can_be_are_named(isoform, tmp_path):
    table = {"n": [1], "l": [[1, 2]], "s": ["a"], **{f"w{at}": ["x"] for at in range(9)}}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    told = isoform("convert", tmp_path / "t.parquet", tmp_path / "t.npz").expect(9).err
    assert 'column "l": a column of type list<int64>' in told and '"s" (text)' in told and "and 2 more" in told, told
    np.save(tmp_path / "rgb.npy", np.zeros((2, 3, 3), np.uint8))
    told = isoform("convert", tmp_path / "rgb.npy", tmp_path / "rgb.parquet").expect(9).err
    assert "reshape" in told and "--include" not in told, told


def test_a_binary_table_is_exact(isoform, tmp_path):
    rng = np.random.default_rng(2)
    columns = {"x": rng.normal(size=70_000).astype(np.float32), "n": rng.integers(-9, 9, 70_000, dtype=np.int16)}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    told = isoform("convert", tmp_path / "t.parquet", tmp_path / "t.safetensors", "--json").expect(0).json()
    assert told["verdict"] == "EXACT"
    with safe_open(tmp_path / "t.safetensors", "numpy") as found:
        for name, values in columns.items():
            assert found.get_tensor(name).dtype == values.dtype and np.array_equal(found.get_tensor(name), values)
    isoform("verify", tmp_path / "t.safetensors", "--source", tmp_path / "t.parquet").expect(0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_images_and_arrays(isoform, tmp_path, channels, dtype):
    if dtype == np.uint16 and channels > 1:
        pytest.skip("Pillow holds 16 bits of grey alone")
    values = np.random.default_rng(channels).integers(0, np.iinfo(dtype).max, (40, 30, channels)).astype(dtype)
    Image.fromarray(values[..., 0] if channels == 1 else values).save(tmp_path / "p.png")
    isoform("convert", tmp_path / "p.png", tmp_path / "p.npy").expect(0)
    found = np.load(tmp_path / "p.npy")
    assert found.dtype == dtype and np.array_equal(found, values)
    told = isoform("convert", tmp_path / "p.npy", tmp_path / "q.png", "--json").expect(0).json()
    assert told["verdict"] == "EXACT"
    assert np.array_equal(np.asarray(Image.open(tmp_path / "q.png")).reshape(values.shape), values)
    for name in ("p.npy", "q.png"):
        assert "decoded again, and equal" in isoform("verify", tmp_path / name).expect(0).out
    isoform("compare", tmp_path / "p.png", tmp_path / "q.png").expect(0)
    isoform("compare", tmp_path / "p.png", tmp_path / "p.npy").expect(0)


def test_what_is_attached_to_an_image_comes_back(isoform, tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a ramp, and more")
    ramp = np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3)
    icc = bytes(range(200))
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "p.png", pnginfo=info, dpi=(300, 300), icc_profile=icc)
    refused = isoform("convert", tmp_path / "p.png", tmp_path / "p.npy").expect(9)
    for words in ("the colour profile", "the pixel density", 'the text "Title"', "--drop metadata"):
        assert words in refused.err, refused.err
    assert "base64" not in refused.err
    isoform("convert", tmp_path / "p.png", tmp_path / "p.npy", *DROP).expect(0)
    isoform("convert", tmp_path / "p.png", tmp_path / "p.safetensors").expect(0)
    isoform("convert", tmp_path / "p.safetensors", tmp_path / "back.png").expect(0)
    back = Image.open(tmp_path / "back.png")
    assert back.info["icc_profile"] == icc and back.text["Title"] == "a ramp, and more"
    isoform("compare", tmp_path / "p.png", tmp_path / "back.png").expect(0)
    isoform("verify", tmp_path / "p.safetensors").expect(0)
    isoform("verify", tmp_path / "back.png").expect(0)


@pytest.mark.parametrize("via, within", [("npy", None), ("qoi", None), ("npy", "psnr=36"), ("webp", "psnr=40")])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_was_dropped_on_the_way_does_not_keep_it_from_being_verified(isoform, tmp_path, mode, via, within):
    with Image.open(photograph("chelsea.png")) as image:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        image.convert(mode).resize((90, 60)).save(tmp_path / "x.png", icc_profile=profile)
    made = tmp_path / ("y.jpg" if within else "y.tiff")
    bounds = ["--within", within] if within else []
    isoform("convert", tmp_path / "x.png", made, "--via", via, "--drop", "metadata", *bounds).expect(0)
    run = isoform("--json", "verify", made, "--source", tmp_path / "x.png").expect(0).json()
    assert "decoded again" in json.dumps(run)
    # Another picture is still told apart.
    with Image.open(tmp_path / "x.png") as image:
        image.transpose(Image.Transpose.ROTATE_180).save(tmp_path / "z.png", icc_profile=profile)
    isoform("verify", made, "--source", tmp_path / "z.png").expect(4)


def test_an_array_becomes_a_photograph_within_a_budget(isoform, tmp_path):
    ramp = np.add.outer(np.arange(120), np.arange(160))[..., None] + np.array([0, 20, 40])
    np.save(tmp_path / "a.npy", ramp.astype(np.uint8))
    assert "nobody said how much" in isoform("convert", tmp_path / "a.npy", tmp_path / "a.jpg").expect(2).err
    isoform("convert", tmp_path / "a.npy", tmp_path / "a.jpg", "--within", "psnr=35").expect(0)
    found = np.asarray(Image.open(tmp_path / "a.jpg")).astype(float)
    assert 20 * np.log10(255 / np.sqrt(((found - ramp.astype(np.uint8)) ** 2).mean())) >= 35
    np.save(tmp_path / "b.npy", np.zeros((2, 2, 2, 2), np.uint8))
    assert "is no image" in isoform("convert", tmp_path / "b.npy", tmp_path / "b.png").expect(9).err
    np.save(tmp_path / "c.npy", np.zeros((4, 4, 3), np.float32))
    assert "has no samples of type f32" in isoform("convert", tmp_path / "c.npy", tmp_path / "c.png").expect(2).err
    isoform("convert", tmp_path / "c.npy", tmp_path / "c.png", "--within", "max-error=0.001").expect(0)
    isoform("convert", tmp_path / "c.npy", tmp_path / "c.tiff").expect(0)


def test_a_step_that_loses_something_is_named_where_nothing_may_be_lost(isoform, tmp_path):
    Image.fromarray(np.arange(240, dtype=np.uint8).reshape(10, 8, 3)).save(tmp_path / "p.png")
    np.save(tmp_path / "f.npy", np.random.default_rng(1).normal(size=(4, 64)).astype(np.float32))
    for source, target, via, code, step in [
        ("p.png", "q.webp", "jpeg", 2, "the step into jpeg loses something of samples of type u8"),
        ("p.png", "q.npy", "jpeg", 2, "the step into jpeg loses something of samples of type u8"),
        ("f.npy", "f.gguf", "safetensors:bf16", 4, "the step into safetensors:bf16: it loses something"),
    ]:
        exact = isoform("convert", tmp_path / source, tmp_path / target, "--via", via, "--within", "exact").expect(code).err
        assert step in exact and "--within exact lets nothing be lost" in exact and "budget such as --within" in exact
        assert "nobody said" not in exact
        told = isoform("convert", tmp_path / source, tmp_path / target, "--via", via).expect(2).err
        assert "nobody said how much" in told


def test_what_is_no_content_of_an_image_is_told(isoform, tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "p.png")
    with open(tmp_path / "p.png", "ab") as file:
        file.write(b"more")
    for name in ("p.npy", "p.qoi"):
        told = isoform("convert", tmp_path / "p.png", tmp_path / name, "--json").expect(0).json()
        assert any(note.startswith("not content: ") for note in told["notes"]), told["notes"]


def test_options_that_would_do_nothing_are_refused(isoform, tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6, dtype=np.float32))
    for option in ("--quality", "--effort"):
        told = isoform("convert", tmp_path / "a.npy", tmp_path / "a.npz", option, "5").expect(2).err
        assert option in told and "about images" in told
    np.save(tmp_path / "w.npy", np.arange(6, dtype=np.uint8))
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "p.png")
    for source in ("w.npy", "p.png"):
        for more in (["f64"], ["f32", "--within", "exact"]):
            told = isoform("convert", tmp_path / source, tmp_path / "a.npz", "--sample-type", *more).expect(2).err
            assert "--sample-type" in told and "there are none" in told, told
    assert not (tmp_path / "a.npz").exists()
    two = {"a": np.zeros((2, 2), np.uint8), "b": np.zeros((2, 2), np.uint8)}
    np.savez(tmp_path / "two.npz", **two)
    told = isoform("convert", tmp_path / "two.npz", tmp_path / "two.png").expect(9).err
    assert "npy first (--include NAME)" in told
    isoform("convert", tmp_path / "two.npz", tmp_path / "one.npy", "--include", "b").expect(0)
    isoform("convert", tmp_path / "one.npy", tmp_path / "two.png").expect(0)


def test_whole_samples_of_other_types_go_into_gguf(isoform, tmp_path):
    """GGUF has no unsigned samples: wider ones hold them all."""
    pixels = np.random.default_rng(3).integers(0, 255, (6, 5, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    told = isoform("convert", tmp_path / "p.png", tmp_path / "p.gguf", "--json").expect(0).json()
    assert told["verdict"] == "EXACT"
    assert [(array["sampleType"], array["targetSampleType"]) for array in told["arrays"]] == [("u8", "i16")]
    isoform("verify", tmp_path / "p.gguf").expect(0)
    isoform("convert", tmp_path / "p.gguf", tmp_path / "p.npy").expect(0)
    assert np.array_equal(np.load(tmp_path / "p.npy"), pixels)
    np.save(tmp_path / "w.npy", np.arange(4, dtype=np.uint64))
    told = isoform("convert", tmp_path / "w.npy", tmp_path / "w.gguf").expect(9).err
    assert "u64" in told and "(npz, safetensors)" in told and "--sample-type" not in told


def test_a_narrow_sample_type_for_a_picture_of_floats(isoform, tmp_path):
    np.save(tmp_path / "f.npy", np.random.default_rng(4).normal(size=(20, 30)).astype(np.float32))
    isoform("convert", tmp_path / "f.npy", tmp_path / "f.tiff").expect(0)
    narrow = ("--sample-type", "bf16", "--within", "coherence=0.99")
    told = isoform("convert", tmp_path / "f.tiff", tmp_path / "f.safetensors", *narrow, "--json").expect(0).json()
    assert told["verdict"] == "BOUNDED" and told["arrays"][0]["targetSampleType"] == "bf16"
    isoform("verify", tmp_path / "f.safetensors", "--source", tmp_path / "f.tiff").expect(0)


def test_two_models_are_not_crossed_at_once(isoform, tmp_path):
    """What is refused tells the next step, and that step is possible."""
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(tmp_path / "p.png")
    table = write(tmp_path / "t.csv", ["a", "b"], [(1, 2), (3, 4)])
    for source, target in [("p.png", "p.csv"), ("p.png", "p.parquet"), ("t.csv", "t.png")]:
        for via in ((), ("--via", "npy")):
            told = isoform("convert", tmp_path / source, tmp_path / target, *via).expect(2).err
            assert "npy first" in told, told
    isoform("convert", table, tmp_path / "t.npy", *DROP).expect(0)


def test_columns_are_the_channels_of_a_sound(isoform, tmp_path):
    rows = [(i % 100, -i % 77) for i in range(3000)]
    source = write(tmp_path / "t.csv", ["left", "right"], rows)
    types = ("--type", "left=int16", "--type", "right=int16", "--rate", "8000", *DROP)
    for target in ("t.wav", "t.flac"):
        isoform("convert", source, tmp_path / target, *types).expect(0)
        found, rate = soundfile.read(tmp_path / target, dtype="int16")
        assert rate == 8000 and found.tolist() == [list(row) for row in rows]
        isoform("verify", tmp_path / target, "--source", source).expect(0)


def test_what_changes_the_content_is_no_conversion(isoform, tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "p.png")
    for words in (["--resize", "50%"], ["--crop=2x2"], ["--filter", "lanczos"], ["--resample", "48000"]):
        told = isoform("convert", tmp_path / "p.png", tmp_path / "q.png", *words).expect(2).err
        assert words[0].split("=")[0] in told and "changes the content" in told
    assert not (tmp_path / "q.png").exists()


def test_a_definition_asks_for_gates(isoform, tmp_path):
    ramp = np.add.outer(np.arange(120), np.arange(160))[..., None] + np.array([0, 20, 40])
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "p.png")
    types = tmp_path / "types"
    types.mkdir()
    (types / "j.toml").write_text('[type]\nname = "jpeg"\n[coherence]\nwithin = "ssimulacra2=60"\n')
    told = isoform("convert", tmp_path / "p.png", tmp_path / "p.jpg", "--media-types", types, "--json").expect(0).json()
    assert told["distortion"]["gates"][0]["found"] >= 60


def test_a_plan_shows_the_chain_and_what_has_none(isoform, tmp_path):
    source = write(tmp_path / "n.csv.gz", ["a", "b"], [(1, 2), (3, 4)])
    lines = isoform("plan", source, tmp_path / "n.npy", *DROP).expect(0).out
    assert "by way of gzip → csv (exact) → arrow (reversible) → npy (exact)" in lines
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "p.png")
    isoform("convert", tmp_path / "p.png", tmp_path / "p.csv").expect(2)
    types = tmp_path / "types"
    types.mkdir()
    (types / "a.toml").write_text(
        '[type]\nname = "arrow"\n[[rule]]\nto = "npy"\nclass = "refused"\n'
    )
    told = isoform("plan", source, tmp_path / "n.npy", *DROP, "--media-types", types, "--json").expect(0).json()
    assert told["chain"][1]["to"] == "application/vnd.apache.arrow.stream"


@pytest.mark.parametrize("target", ["ordered.safetensors", "ordered.npz"])
def test_certificates_of_arrays_that_name_no_columns_hold(isoform, tmp_path, target):
    """Of before they named what is not kept, and when the order of columns was told where their names tell it too."""
    shutil.copytree(harness.ROOT / "testdata" / "certificates", tmp_path / "old")
    verified = isoform("verify", tmp_path / "old" / target).expect(0).out
    assert "VALUE-EXACT holds" in verified and "decoded again" in verified
