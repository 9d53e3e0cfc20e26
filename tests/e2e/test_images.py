"""Images: what Pillow finds in the results, exactly or within a budget that numpy measures again."""

import importlib.util
import json
import math
import os
import pathlib
import re
import signal
import struct
import subprocess
import zlib

import numpy as np
import pytest
import ssimulacra2
from PIL import Image, PngImagePlugin

import harness


def package_files(package, pattern):
    """Files of a package that is installed for its data; nothing of it is run."""
    root = pathlib.Path(importlib.util.find_spec(package).submodule_search_locations[0])
    return sorted(root.rglob(pattern))


def photographs():
    files = package_files("skimage", "data/*.png") + package_files("skimage", "data/*.jpg")
    return files + package_files("sklearn", "datasets/images/*.jpg")


def photograph(name):
    return next(path for path in photographs() if path.name == name)


def samples(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(np.float64)


def psnr(left, right):
    d_squared = math.fsum(((left - right) ** 2).ravel())
    return math.inf if d_squared == 0 else 20 * math.log10(255 * math.sqrt(left.size / d_squared))


@pytest.mark.parametrize("name", ["astronaut.png", "rocket.jpg", "china.jpg", "logo.png", "camera.png"])
@pytest.mark.parametrize("target", ["png", "webp", "tiff", "qoi"])
def test_photographs_survive_formats_without_loss(isoform, tmp_path, name, target):
    source, made = photograph(name), tmp_path / f"x.{target}"
    run = isoform("--json", "convert", source, made, "--drop", "metadata").expect(0).json()
    assert run["verdict"] == "EXACT" and run["distortion"]["d"] == 0
    isoform("verify", made, "--source", source).expect(0)
    if target == "qoi":
        return
    expected, found = samples(source), samples(made)
    if found.ndim > expected.ndim:
        # Grey is written as equal red, green and blue where the format has no grey.
        assert np.array_equal(found[..., 0], found[..., 1]) and np.array_equal(found[..., 0], found[..., 2])
        found = found[..., 0]
    if expected.ndim == 3 and expected.shape[-1] == 4 and found.shape[-1] == 3:
        # Readers of WebP leave out opacity that is full everywhere.
        assert np.all(expected[..., 3] == 255)
        expected = expected[..., :3]
    if name.endswith(".png"):
        assert np.array_equal(found, expected)
    else:
        # Decoders of JPEG may differ by a little; ours is within what the standard allows of Pillow's.
        assert np.max(np.abs(found - expected)) <= 4


@pytest.mark.parametrize("target", ["jpg", "webp"])
@pytest.mark.parametrize("budget", [35, 40])
def test_a_budget_is_kept_and_a_wider_one_takes_fewer_bytes(isoform, tmp_path, target, budget):
    source, made = photograph("coffee.png"), tmp_path / f"x.{target}"
    run = isoform("--json", "convert", source, made, "--within", f"psnr={budget}", "--drop", "metadata").expect(0).json()
    if (target, budget) == ("webp", 40):
        # Lossy WebP keeps colour at half resolution: only without loss does it come so near to this photograph.
        assert run["verdict"] == "EXACT"
        return
    # JPEG is tried with colour at half resolution first.
    assert run["verdict"] == "BOUNDED" and run["encodes"] <= (6 if budget == 35 else 8)
    assert run["settings"]["subsampled"] == (budget == 35)
    assert run["distortion"]["psnrDb"] >= budget
    # Pillow decodes nearly the same samples, and they are as near to the source as was certified.
    assert psnr(samples(source), samples(made)) == pytest.approx(run["distortion"]["psnrDb"], abs=0.1)
    stated = harness.statement(harness.certificate_of(made))["predicate"]
    assert float(stated["distortion"]["psnrDb"]) == pytest.approx(run["distortion"]["psnrDb"], rel=1e-12)
    isoform("verify", made, "--source", source).expect(0)
    # What was saved for is spent: three decibels less are fewer bytes.
    lower = isoform("--json", "convert", source, tmp_path / f"y.{target}", "--within", f"psnr={budget - 3}", "--drop", "metadata")
    assert lower.expect(0).json()["target"]["bytes"] < run["target"]["bytes"]


def test_loss_without_a_budget_is_refused_with_a_proposal(isoform, tmp_path):
    run = isoform("convert", photograph("coffee.png"), tmp_path / "x.jpg", "--drop", "metadata").expect(2)
    assert "--within psnr=40" in run.err
    assert not list(tmp_path.iterdir())


def test_a_missed_budget_writes_nothing(isoform, tmp_path):
    run = isoform("convert", photograph("coffee.png"), tmp_path / "x.jpg", "--within", "psnr=70", "--drop", "metadata").expect(4)
    assert "at quality 100" in run.err and "nothing was written" in run.err
    # It is told in the measure that was asked for.
    assert re.search(r"it is at PSNR \d+(\.\d+)? dB where at least 70 dB is asked for", run.err), run.err
    assert not list(tmp_path.iterdir())
    # What comes closest is at the best quality, however far the budget is.
    run = isoform("convert", photograph("coffee.png"), tmp_path / "x.jpg", "--within", "max-error=0", "--drop", "metadata").expect(4)
    found = re.search(r"at quality 100, the best of \d+ encodings, it is at largest error (\d+) where 0 is allowed", run.err)
    assert found and int(found[1]) < 8, run.err
    # WebP has a way without loss.
    run = isoform("--json", "convert", photograph("coffee.png"), tmp_path / "x.webp", "--within", "psnr=70", "--drop", "metadata")
    assert run.expect(0).json()["verdict"] == "EXACT"


def test_nothing_is_lost_where_that_is_asked_for_and_the_refusal_says_so(isoform, tmp_path):
    (tmp_path / "types").mkdir()
    (tmp_path / "types" / "j.toml").write_text('[type]\nname = "jpeg"\n[coherence]\nwithin = "psnr=40"\n')
    convert = ["convert", photograph("coffee.png"), tmp_path / "x.jpg", "--drop", "metadata", "--within", "exact"]
    for more in ([], ["--media-types", tmp_path / "types"], ["--quality", "90"]):
        run = isoform(*convert, *more).expect(2)
        assert "--within exact lets nothing be lost" in run.err and "nobody said" not in run.err


def test_full_resolution_of_colour_is_taken_where_it_is_smaller(isoform, tmp_path):
    source, made = photograph("motorcycle_left.png"), tmp_path / "x.jpg"
    run = isoform("--json", "convert", source, made, "--within", "psnr=38", "--drop", "metadata").expect(0).json()
    assert not run["settings"]["subsampled"] and run["encodes"] <= 8
    assert psnr(samples(source), samples(made)) >= 38
    # Half resolution keeps the budget too: in a file that is larger by half.
    with Image.open(source) as image:
        image.save(tmp_path / "half.jpg", quality=98, subsampling=2, optimize=True)
    assert psnr(samples(source), samples(tmp_path / "half.jpg")) >= 38
    assert made.stat().st_size * 1.4 < (tmp_path / "half.jpg").stat().st_size
    # One step less misses it.
    with Image.open(source) as image:
        image.save(tmp_path / "less.jpg", quality=int(run["settings"]["quality"]) - 1, subsampling=0)
    assert psnr(samples(source), samples(tmp_path / "less.jpg")) < 38


@pytest.mark.parametrize("target", ["webp", "avif"])
def test_a_drawing_is_written_without_loss_where_that_is_smaller(isoform, tmp_path, target):
    pixels = np.full((200, 300, 3), 255, np.uint8)
    for row, column, colour in np.random.default_rng(3).integers(0, (190, 280, 3), (40, 3)):
        pixels[row, column:] = np.eye(3, dtype=np.uint8)[colour] * 200
        pixels[row:, column] = 0
    Image.fromarray(pixels).save(tmp_path / "x.png")
    exact = isoform("--json", "convert", tmp_path / "x.png", tmp_path / f"x.{target}").expect(0).json()
    within = isoform("--json", "convert", tmp_path / "x.png", tmp_path / f"y.{target}", "--within", "psnr=35").expect(0).json()
    assert within["target"]["bytes"] <= exact["target"]["bytes"]
    if target == "webp":
        assert within["verdict"] == "EXACT" and within["settings"]["lossless"] and within["encodes"] <= 3


def test_a_damaged_image_is_no_table(isoform, tmp_path):
    with Image.open(photograph("coffee.png")) as image:
        image.crop((0, 0, 40, 30)).save(tmp_path / "x.tif")
    # These bytes begin a stream of Arrow.
    (tmp_path / "x.tif").write_bytes(b"\xff" * 4 + (tmp_path / "x.tif").read_bytes()[4:])
    for target in ["x.png", "x.jpg", "x.npy", "x.tiff"]:
        run = isoform("convert", tmp_path / "x.tif", tmp_path / target, "--drop", "metadata").expect(9)
        assert "x.tif, byte 0: malformed tiff" in run.err, run.err
    assert [path.name for path in tmp_path.iterdir()] == ["x.tif"]


def test_transparency_is_never_taken_away(isoform, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    run = isoform("convert", tmp_path / "x.png", tmp_path / "x.jpg", "--within", "psnr=20").expect(9)
    assert "transparency" in run.err
    isoform("convert", tmp_path / "x.png", tmp_path / "x.webp").expect(0)
    assert np.array_equal(samples(tmp_path / "x.webp"), pixels)
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "y.png")
    isoform("convert", tmp_path / "y.png", tmp_path / "y.jpg", "--within", "psnr=10").expect(0)


def test_sixteen_bits_become_eight_only_within_a_budget(isoform, tmp_path):
    pixels = np.random.default_rng(2).integers(0, 65536, (40, 50), dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    isoform("convert", tmp_path / "x.png", tmp_path / "y.tiff").expect(0)
    assert np.array_equal(samples(tmp_path / "y.tiff"), pixels)
    isoform("convert", tmp_path / "x.png", tmp_path / "x.webp").expect(2)
    run = isoform("--json", "convert", tmp_path / "x.png", tmp_path / "x.webp", "--within", "max-error=129").expect(0).json()
    assert run["verdict"] == "BOUNDED" and run["distortion"]["maxAbs"] <= 129


def test_profiles_and_exif_are_kept_or_named(isoform, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "somebody")
    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    image.save(tmp_path / "x.png", exif=exif, pnginfo=texts, icc_profile=b"profile" * 20)
    run = isoform("convert", tmp_path / "x.png", tmp_path / "x.webp").expect(9)
    assert 'the text "Author"' in run.err and "--drop metadata" in run.err
    isoform("convert", tmp_path / "x.png", tmp_path / "x.webp", "--drop", "metadata").expect(0)
    with Image.open(tmp_path / "x.webp") as found:
        assert found.info["icc_profile"] == b"profile" * 20 and found.getexif()[0x0112] == 6
    isoform("verify", tmp_path / "x.webp").expect(0)
    isoform("convert", tmp_path / "x.png", tmp_path / "y.png").expect(0)
    with Image.open(tmp_path / "y.png") as found:
        assert found.text["Author"] == "somebody" and found.info["icc_profile"] == b"profile" * 20


def test_changes_are_found(isoform, tmp_path):
    source = tmp_path / "x.png"
    Image.open(photograph("astronaut.png")).save(source)
    isoform("convert", source, tmp_path / "x.jpg", "--within", "psnr=38").expect(0)
    for path in (tmp_path / "x.jpg", source):
        good = path.read_bytes()
        bad = bytearray(good)
        bad[len(bad) // 2] ^= 1
        path.write_bytes(bad)
        isoform("verify", tmp_path / "x.jpg").expect(4)
        path.write_bytes(good)
    isoform("verify", tmp_path / "x.jpg").expect(0)
    isoform("compare", source, tmp_path / "x.jpg").expect(4)
    shown = isoform("--json", "inspect", tmp_path / "x.jpg").expect(0).json()
    assert (shown["image"]["width"], shown["image"]["height"]) == (512, 512)


def test_inspect_shows_the_density_and_texts_of_an_image(isoform, tmp_path):
    texts, source = PngImagePlugin.PngInfo(), tmp_path / "x.png"
    texts.add_text("Comment", "by hand")
    Image.new("RGB", (3, 2)).save(source, pnginfo=texts, dpi=(72, 72), icc_profile=b"\0" * 200)
    shown = isoform("--json", "inspect", source).expect(0).json()["attributes"]
    values = {item["key"]: item["value"] for item in shown}
    assert values["icc"] is None and values["density"] == "2835x2835/m"
    assert values["text:Comment"] == "by hand"
    told = isoform("inspect", source).expect(0).out
    assert '  density: "2835x2835/m"\n' in told and '  text:Comment: "by hand"\n' in told, told


@pytest.mark.parametrize("path", sorted((harness.ROOT / "testdata/images/bad").iterdir()), ids=lambda path: path.name)
def test_bad_images_are_refused(isoform, tmp_path, path):
    run = isoform("convert", path, tmp_path / "x.png")
    assert run.code in (2, 9) and "panicked" not in run.err and path.name in run.err
    assert not list(tmp_path.iterdir())


def test_a_folder_of_photographs_is_converted_and_what_is_done_is_skipped(isoform, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for name in ["coffee.png", "rocket.jpg", "chelsea.png"]:
        (album / name).write_bytes(photograph(name).read_bytes())
    convert = ["--json", "convert", album, "--out-dir", tmp_path / "out", "--to", "webp", "--within", "psnr=38", "--drop", "metadata"]
    first = isoform(*convert).expect(0).json()
    assert [item["outcome"] for item in first["sources"]] == ["converted"] * 3
    assert sorted(path.name for path in (tmp_path / "out").glob("*.webp")) == ["chelsea.webp", "coffee.webp", "rocket.webp"]
    again = isoform(*convert).expect(0).json()
    assert [item["outcome"] for item in again["sources"]] == ["skipped"] * 3


def test_a_gate_is_passed_by_the_smallest_file_and_stated_beside_the_distance(isoform, tmp_path):
    source, made = photograph("chelsea.png"), tmp_path / "x.webp"
    run = isoform("--json", "convert", source, made, "--within", "ssimulacra2=80", "--drop", "metadata").expect(0).json()
    [gate] = run["distortion"]["gates"]
    assert run["verdict"] == "BOUNDED" and run["encodes"] <= 6
    assert gate["name"] == "ssimulacra2" and 80 <= gate["found"] < 82
    stated = harness.statement(harness.certificate_of(made))["predicate"]["distortion"]
    [measured] = [gate for gate in stated["gates"] if gate["name"] == "ssimulacra2"]
    assert float(measured["found"]) == gate["found"] and measured["limit"] == "80" and "fast-ssim2" in measured["by"]
    # Alone, a gate bounds the distance by the norm of the source, and the distance is what numpy finds.
    before, after = samples(source), samples(made)
    assert float(stated["epsilon"]) == float(stated["norm"]) == pytest.approx(np.sqrt((before**2).sum()))
    assert float(stated["d"]) == pytest.approx(np.sqrt(((before - after) ** 2).sum()))
    shown = isoform("verify", made, "--source", source).expect(0).out
    assert "ssimulacra2: measured again" in shown
    # Another program finds nearly the same.
    for path in (source, made):
        with Image.open(path) as image:
            image.convert("RGB").save(tmp_path / f"{path.stem}-rgb.png")
    theirs = ssimulacra2.compute_ssimulacra2(str(tmp_path / "chelsea-rgb.png"), str(tmp_path / "x-rgb.png"))
    assert theirs == pytest.approx(gate["found"], abs=1)
    # One step of quality less is smaller.
    quality = run["settings"]["quality"]
    with Image.open(source) as image:
        image.save(tmp_path / "less.webp", quality=quality - 1, method=4)
    assert (tmp_path / "less.webp").stat().st_size <= run["target"]["bytes"]


def test_gates_and_a_distance_hold_together(isoform, tmp_path):
    source = photograph("chelsea.png")
    within = "psnr=33,ssimulacra2=60,butteraugli=3"
    run = isoform("--json", "convert", source, tmp_path / "x.jpg", "--within", within, "--drop", "metadata").expect(0).json()
    assert [gate["name"] for gate in run["distortion"]["gates"]] == ["butteraugli", "ssimulacra2"]
    assert run["distortion"]["gates"][0]["found"] <= 3 and run["distortion"]["gates"][1]["found"] >= 60
    assert psnr(samples(source), samples(tmp_path / "x.jpg")) >= 32.9
    # The tightest of the three decides: each alone gives a file that is no larger.
    for number, alone in enumerate(within.split(",")):
        path = tmp_path / f"{number}.jpg"
        smaller = isoform("--json", "convert", source, path, "--within", alone, "--drop", "metadata").expect(0).json()
        assert smaller["target"]["bytes"] <= run["target"]["bytes"]


def test_gates_that_are_missed_or_mean_nothing_are_refused(isoform, tmp_path):
    source = photograph("chelsea.png")
    run = isoform("convert", source, tmp_path / "x.jpg", "--within", "ssimulacra2=99.9", "--drop", "metadata").expect(4)
    assert "ssimulacra2 at least 99.9" in run.err and "nothing was written" in run.err
    run = isoform("convert", source, tmp_path / "x.jpg", "--within", "psnr=30,rmse=3", "--drop", "metadata").expect(2)
    assert "one distance" in run.err
    run = isoform("convert", source, tmp_path / "x.jpg", "--within", "ssimulacra2=80", "--memory", "16MiB", "--drop", "metadata").expect(9)
    assert "--memory" in run.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 4)], ids=["grey of 16 bits", "opacity"])
def test_gates_see_grey_depth_and_opacity(isoform, tmp_path, shape):
    ramp = np.add.outer(np.arange(40) * 3, np.arange(50) * 2)
    if len(shape) == 2:
        pixels = (ramp * 257).astype(np.uint16)
    else:
        pixels = np.dstack([ramp, 255 - ramp, ramp // 2, 255 - ramp]).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    made = tmp_path / "x.webp"
    run = isoform("--json", "convert", tmp_path / "x.png", made, "--within", "ssimulacra2=50,butteraugli=6").expect(0).json()
    assert all(gate["found"] != {"ssimulacra2": 100, "butteraugli": 0}[gate["name"]] for gate in run["distortion"]["gates"])
    isoform("verify", made, "--source", tmp_path / "x.png").expect(0)


def test_an_interrupted_pair_is_made_again_as_advised(isoform, tmp_path):
    source, target = photograph("coffee.png"), tmp_path / "x.png"
    command = ("convert", source, target, "--drop", "metadata")
    isoform(*command).expect(0)
    target.rename(tmp_path / ".x.png.isoform-part")
    told = isoform("verify", target).expect(1).err
    assert told.rstrip().endswith("convert again"), told
    isoform(*command).expect(0)
    old = target.read_bytes()
    isoform(*command, "--force", "--effort", "1").expect(0)
    target.rename(tmp_path / ".x.png.isoform-part")
    target.write_bytes(old)
    told = isoform("verify", target).expect(4).err
    assert told.rstrip().endswith("convert again with --force"), told
    isoform(*command, "--force").expect(0)
    isoform("verify", target).expect(0)


ALBUM = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"]


@pytest.fixture
def album(tmp_path):
    (tmp_path / "album").mkdir()
    for name in ALBUM:
        (tmp_path / "album" / name).write_bytes(photograph(name).read_bytes())
    return tmp_path / "album"


def album_command(album, *more):
    bounds = ["--within", "psnr=36", "--part-floor", "psnr=32"]
    return ["--json", "convert", album, "--out-dir", album.parent / "out", "--to", "webp", *bounds, "--drop", "metadata", *more]


def test_an_album_keeps_one_bound_with_fewer_bytes_than_one_quality_for_all(isoform, tmp_path, album):
    run = isoform(*album_command(album)).expect(0).json()
    out = tmp_path / "out"
    whole = run["album"]
    made = [out / pathlib.Path(name).with_suffix(".webp") for name in ALBUM]
    assert whole["verdict"] == "BOUNDED" and whole["lambda"] > 0
    assert whole["bytes"] == sum(path.stat().st_size for path in made) == whole["single"]["bytes"] - whole["savedBytes"]
    assert whole["savedBytes"] > 0 and len({item["settings"]["quality"] for item in run["sources"]}) > 1
    # The bound on all of them, and each floor, as numpy measures them on what Pillow decodes.
    before, after = [samples(album / name) for name in ALBUM], [samples(path) for path in made]
    assert all(psnr(a, b) >= 31.9 for a, b in zip(before, after))
    all_before, all_after = (np.concatenate([image.ravel() for image in images]) for images in (before, after))
    assert psnr(all_before, all_after) == pytest.approx(whole["distortion"]["psnrDb"], abs=0.05)
    assert whole["distortion"]["psnrDb"] >= 36
    # One certificate is about all of them, and one about each.
    predicate = harness.statement(harness.certificate_of(out))["predicate"]
    assert [array["name"] for array in predicate["content"]["arrays"]] == [path.name for path in made]
    assert float(predicate["distortion"]["psnrDb"]) == pytest.approx(whole["distortion"]["psnrDb"], rel=1e-12)
    assert predicate["verification"]["parts"]["decoded"] == "4"
    shown = isoform("verify", out).expect(0).out
    assert "4 were decoded again" in shown
    for path in made:
        isoform("verify", path).expect(0)


@pytest.mark.parametrize("within, floor, ending", [
    ("max-error=90", "max-error=100", "webp"), ("psnr=34,ssimulacra2=60", "psnr=31", "jpg"), ("snr=20", "snr=17", "webp"),
    ("coherence=0.95", "coherence=0.9", "jpg"), ("rmse=5", "rmse=7", "jpg"),
])
def test_each_photograph_of_an_album_is_verified_by_itself(isoform, tmp_path, within, floor, ending):
    (tmp_path / "in").mkdir()
    for name in ("astronaut.png", "coffee.png"):
        Image.open(photograph(name)).convert("RGB").resize((150, 100)).save(tmp_path / "in" / name)
    isoform("convert", tmp_path / "in", "--out-dir", tmp_path / "o", "--to", ending, "--within", within, "--part-floor", floor).expect(0)
    made = sorted((tmp_path / "o").glob(f"*.{ending}"))
    assert len(made) == 2
    for path in (tmp_path / "o", *made):
        assert "BOUNDED holds" in isoform("verify", path).expect(0).out


@pytest.mark.parametrize("target, floor", [("jpg", "psnr=60"), ("webp", "coherence=0.95"), ("jpg", "max-error=1")])
def test_an_album_that_misses_a_floor_tells_the_photograph_and_what_was_reached(isoform, tmp_path, target, floor):
    (tmp_path / "al").mkdir()
    flat = np.full((100, 120, 3), 90, np.uint8)
    Image.fromarray(flat).save(tmp_path / "al/a.png")
    Image.fromarray(samples(photograph("astronaut.png"))[:100, :120].astype(np.uint8)).save(tmp_path / "al/b.png")
    # Samples of 16 bits, of which a WebP has 8, so that it has no way without loss.
    if target == "webp":
        png_16(tmp_path / "al/a.png", flat.astype(np.uint16) * 257)
        png_16(tmp_path / "al/b.png", np.random.default_rng(1).integers(0, 65536, (100, 120, 3), dtype=np.uint16))
    whole = "max-error=2" if "max" in floor else "psnr=20"
    run = isoform("convert", tmp_path / "al", "--out-dir", tmp_path / "o", "--to", target, "--within", whole, "--part-floor", floor)
    told = run.expect(4).err
    assert "b.png misses its floor: at quality 100, the best of " in told and "part 0" not in told
    kind, limit = floor.split("=")
    words = {"psnr": "PSNR ", "coherence": "coherence ", "max-error": "largest error "}[kind]
    reached = float(re.search(f"it is at {words}([0-9.]+)", told)[1])
    assert 0 < reached and (reached > float(limit)) == (kind == "max-error"), told
    assert not (tmp_path / "o").exists() or not list((tmp_path / "o").iterdir())


def png_16(path, pixels):
    """A PNG of 16 bits, by hand."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def test_an_album_tells_what_is_left_out(isoform, tmp_path, album):
    (album / "notes.txt").write_text("text")
    (album / ".hidden.png").write_bytes((album / ALBUM[0]).read_bytes())
    for _ in range(2):
        done = isoform(*album_command(album)).expect(0).json()
        assert done["leftOut"] == [str(album / "notes.txt")] and len(done["sources"]) == len(ALBUM)
        assert len(done["notes"]) == 1 and ".hidden.png" in done["notes"][0]


@pytest.fixture
def tiny(tmp_path):
    """An album of six small photographs."""
    album = tmp_path / "tiny"
    album.mkdir()
    generator = np.random.default_rng(1)
    for number in range(6):
        pixels = np.arange(24)[:, None, None] * 4 + np.arange(32)[None, :, None] * 3 + generator.integers(0, 9, (24, 32, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(album / f"{number}.png")
    return album


def test_the_table_of_an_album_is_even_whatever_names_hold(isoform, tmp_path, tiny):
    (tiny / "0.png").rename(tiny / "\x1b[31m.png")
    rows = isoform(*album_command(pathlib.Path("tiny"))[1:], cwd=tmp_path).expect(0).out.splitlines()[:7]
    end = rows[0].index("quality") + len("quality")
    assert any("\\u{1b}[31m.png" in row for row in rows)
    assert all(row[end - 1] != " " and row[end] == " " for row in rows), rows


def test_an_album_is_refused_where_its_files_may_not_be_open_at_once(isoform, tiny):
    """With any limit it is refused before anything is made, or it is made; nothing fails on the way."""
    def limited(most, command):
        command = ["bash", "-c", f'ulimit -n {most}; exec "$@"', "bash", *isoform.command(*command, "--threads", "2")]
        return subprocess.run(command, env=isoform.environment, capture_output=True, text=True, timeout=300)

    codes = []
    for most in range(8, 20):
        planned = json.loads(limited(most, ["--json", "plan", *album_command(tiny)[2:]]).stdout)
        done = limited(most, album_command(tiny))
        codes.append(done.returncode)
        refused = "an album of 6 photographs has up to 10 files open at once" in done.stderr
        assert done.returncode == (2 if refused else 0), (most, done)
        assert planned["refuse"] == (6 if refused else 0), (most, planned)
        if not refused:
            break
    # Three are open from the start, what tells how much memory is held, and the lock; all six and those of two threads
    # must be able to be open besides.
    assert codes == [2] * 7 + [0]
    # What is made already needs no room.
    assert {one["outcome"] for one in json.loads(limited(8, album_command(tiny)).stdout)["sources"]} == {"skipped"}


def test_an_album_needs_files_that_can_be_read_again(isoform, tmp_path, album):
    os.mkfifo(tmp_path / "p.png")
    piped = [tmp_path / "p.png" if word == album else word for word in album_command(album)]
    assert "p.png: is a pipe" in isoform(*piped, timeout=20).expect(2).err
    # Nor does the certificate of all of them take the place of one.
    hidden = tmp_path / f".out{harness.ENDING}.isoform-new"
    hidden.write_bytes(photograph(ALBUM[0]).read_bytes())
    named = [hidden if word == album else word for word in album_command(album)]
    assert "a temporary" in isoform(*named).expect(2).err and hidden.read_bytes() == photograph(ALBUM[0]).read_bytes()
    assert not (tmp_path / "out").exists() or harness.listing(tmp_path / "out") == []


def test_an_album_is_made_again_only_where_something_changed(isoform, tmp_path, album):
    out = tmp_path / "out"
    isoform(*album_command(album)).expect(0)
    first = {path.name: path.read_bytes() for path in out.glob("*.webp")}
    again = isoform(*album_command(album)).expect(0).json()
    assert [item["outcome"] for item in again["sources"]] == ["skipped"] * 4
    # The same sources give the same files, on any number of threads.
    for path in out.iterdir():
        path.unlink()
    isoform(*album_command(album, "--threads", "1")).expect(0)
    assert {path.name: path.read_bytes() for path in out.glob("*.webp")} == first
    # One more photograph: what this album has made is replaced without a question.
    (album / "camera.png").write_bytes(photograph("camera.png").read_bytes())
    more = isoform(*album_command(album)).expect(0).json()
    assert more["converted"] == 5 and more["album"]["distortion"]["psnrDb"] >= 36
    isoform("verify", out).expect(0)
    # What it has not made is not.
    (out / "camera.webp").write_bytes(b"somebody else's")
    isoform(*album_command(album)).expect(7)


def test_an_album_does_not_replace_what_was_edited_while_it_was_made(isoform, tmp_path, album):
    out = tmp_path / "out"
    isoform(*album_command(album)).expect(0)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (album / "camera.png").write_bytes(photograph("camera.png").read_bytes())
    process = isoform.start(*album_command(album, "--threads", "1"))
    assert harness.until((out / ".astronaut.webp.isoform-part").exists, process)
    process.send_signal(signal.SIGSTOP)
    (out / "rocket.webp").write_bytes(b"edited")
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=300) == 7
    # No other photograph was replaced either.
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before | {"rocket.webp": b"edited"}


def test_an_album_of_another_source_says_whether_its_files_are_as_certified(isoform, tmp_path, tiny):
    out = tmp_path / "out"
    isoform(*album_command(tiny)).expect(0)
    (tiny / "2.png").write_bytes((tiny / "3.png").read_bytes())
    told = isoform("verify", out).expect(4).err
    assert "its files and its signature are as certified, but" in told and "2.png is not the source" in told
    harness.flip(out / "4.webp", 30)
    assert "4.webp is missing, or its bytes are not" in isoform("verify", out).expect(4).err


# Gives a file another name as soon as a directory is synced, which happens first when the certificate of the first
# photograph has its name.
PUTS = """
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int file) {
    struct stat found;
    if (!fstat(file, &found) && S_ISDIR(found.st_mode)) rename(getenv("THEIRS"), getenv("PLACE"));
    return syscall(SYS_fsync, file);
}
"""


@pytest.mark.parametrize("place", ["4.webp", f"4.webp{harness.ENDING}", "0.webp"])
def test_an_album_does_not_replace_what_comes_while_its_files_get_their_names(isoform, tmp_path, tiny, place):
    album, out, theirs = tiny, tmp_path / "out", tmp_path / "theirs"
    isoform(*album_command(album)).expect(0)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (24, 32, 3), np.uint8)).save(album / "5.png")
    theirs.write_bytes(b"precious")
    environment = harness.preloaded(tmp_path, PUTS) | {"THEIRS": str(theirs), "PLACE": str(out / place)}
    told = isoform(*album_command(album), env=environment).expect(7).err
    assert f"{place.removesuffix(harness.ENDING)}: already exists, and it" in told and "changed" in told
    assert not theirs.exists() and (out / place).read_bytes() == b"precious"
    # Nothing that comes later in the album got its name, and nothing is left.
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert after | {place: b"precious"} == after and set(before) <= set(after)
    if place == "0.webp":
        assert after == before | {place: b"precious"}
    # It stays when the album is made again, and goes with --force.
    isoform(*album_command(album)).expect(7)
    assert (out / place).read_bytes() == b"precious"
    isoform(*album_command(album, "--force")).expect(0)
    isoform("verify", out).expect(0)
    assert not list(out.glob(".*"))


def test_an_album_replaces_what_it_made_of_the_same_photographs_alone(isoform, tmp_path):
    command = ("convert", "x.png", "y.png", "--out-dir", "../out", "--to", "jpg", "--within", "psnr=38", "--part-floor", "psnr=34")
    for day in ("mon", "tue"):
        (tmp_path / day).mkdir()
        for at, name in enumerate(("x.png", "y.png")):
            Image.new("RGB", (8, 8), (at, 7, day == "mon")).save(tmp_path / day / name)
    isoform(*command, cwd=tmp_path / "mon").expect(0)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    refused = isoform(*command, cwd=tmp_path / "tue").expect(7).err
    assert "exists" in refused and before == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / "mon" / "x.png")
    other = {"ISOFORM_CONFIG_DIR": str(tmp_path / "other")}
    isoform(*command, cwd=tmp_path / "mon", env=other).expect(7)
    isoform(*command, cwd=tmp_path / "mon").expect(0)
    assert min(Image.open(tmp_path / "out" / "x.jpg").getpixel((0, 0))) > 7


def test_an_album_replaces_nothing_that_another_key_signed(isoform, tmp_path):
    album, out = tmp_path / "album", tmp_path / "out"
    album.mkdir()
    command = ("convert", album, "--out-dir", out, "--to", "jpg", "--within", "psnr=38", "--part-floor", "psnr=34")
    for at, name in enumerate(("x.png", "y.png")):
        Image.new("RGB", (8, 8), (at, 7, 9)).save(album / name)
    isoform(*command).expect(0)
    other = {"ISOFORM_CONFIG_DIR": str(tmp_path / "other")}
    assert "skipped" in isoform(*command, env=other).expect(0).out, "nothing is to be done"
    # A photograph is added, so the others are made of what they were made of before.
    Image.new("RGB", (8, 8), (3, 7, 9)).save(album / "z.png")

    def made():
        return {path.name: path.read_bytes() for path in (*out.iterdir(), *tmp_path.glob("*.json"))}

    before = made()
    assert "another key signed it" in isoform(*command, env=other).expect(7).err
    assert made() == before
    # Nor are they what a run of its own left that failed before there was a certificate of them all.
    harness.certificate_of(out).unlink()
    before = made()
    assert "x.jpg: already exists" in isoform(*command, env=other).expect(7).err
    assert made() == before
    isoform(*command).expect(0)
    isoform("verify", out).expect(0)


def test_an_album_that_failed_half_way_is_made_by_the_same_command(isoform, tmp_path, album):
    """As if the third photograph could not get its name."""
    out, half = tmp_path / "out", ["astronaut.webp", "chelsea.webp"]
    isoform(*album_command(album)).expect(0)
    whole = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail_half_way():
        harness.certificate_of(out).unlink()
        for name in set(path.stem for path in album.iterdir()) - set(pathlib.Path(name).stem for name in half):
            harness.remove(out / f"{name}.webp")

    fail_half_way()
    planned = isoform("--json", "plan", *album_command(album)[2:]).expect(0).json()
    assert planned["refuse"] == 0
    isoform(*album_command(album)).expect(0)
    assert {path.name: path.read_bytes() for path in out.glob("*.webp")} == {
        name: data for name, data in whole.items() if name.endswith(".webp")}
    # What another command made stays, and what was made of another source.
    fail_half_way()
    other = ["psnr=37" if word == "psnr=36" else word for word in album_command(album)]
    assert "astronaut.webp: already exists" in isoform(*other).expect(7).err
    (album / "astronaut.png").write_bytes(photograph("camera.png").read_bytes())
    assert "astronaut.webp: already exists" in isoform(*album_command(album)).expect(7).err


def test_an_album_keeps_its_certificate_from_one_that_does_not_hold_its_photographs(isoform, tmp_path, album):
    out = tmp_path / "out"
    isoform(*album_command(album)).expect(0)
    certificate = harness.certificate_of(out)
    before = {path: path.read_bytes() for path in [certificate, *out.iterdir()]}
    # The same photographs in another format would leave the first ones without what proves them together.
    other = ["jpg" if word == "webp" else word for word in album_command(album)]
    refused = isoform(*other).expect(7).err
    assert f"{certificate}: already exists" in refused and "--out-dir" in refused and "--force" in refused
    assert "astronaut.webp and 3 other files" in refused
    assert {path: path.read_bytes() for path in [certificate, *out.iterdir()]} == before
    isoform("verify", out).expect(0)
    # So would a photograph less, until its file is gone too.
    (album / "coffee.png").unlink()
    assert "it is about coffee.webp, which" in isoform(*album_command(album)).expect(7).err
    isoform("verify", out).expect(0)
    (out / "coffee.webp").unlink()
    harness.certificate_of(out / "coffee.webp").unlink()
    assert isoform(*album_command(album)).expect(0).json()["converted"] == 3
    isoform("verify", out).expect(0)
    isoform(*other, "--force").expect(0)
    assert len(harness.statement(certificate)["subject"]) == 3
    # What cannot be read as a certificate is not replaced either.
    certificate.write_text("somebody else's")
    assert str(certificate) in isoform(*other).expect(7).err and certificate.read_text() == "somebody else's"


def test_the_plan_of_an_album_foretells_what_convert_refuses(isoform, tmp_path, album):
    out, convert = tmp_path / "out", album_command(album)
    plan = ["plan" if word == "convert" else word for word in convert]

    def planned(*more, code=0):
        told = isoform(*plan, *more).expect(code).json()
        return {name: told[name] for name in ("convert", "skip", "refuse", "fail")}, told["sources"][0]["why"]

    assert planned() == ({"convert": 4, "skip": 0, "refuse": 0, "fail": 0}, "within the budget")
    counts, why = planned("--strict", code=4)
    assert counts["refuse"] == 4 and "astronaut.png: the verdict would be BOUNDED" in why
    assert why in isoform(*convert, "--strict").expect(4).err and not out.exists()
    (tmp_path / "types").mkdir()
    (tmp_path / "types" / "webp.toml").write_text('[type]\nname = "webp"\n[coherence]\ntau = 0.99999\n')
    for command in (plan, convert):
        missed = isoform(*command, "--media-types", tmp_path / "types").expect(4).err
        assert "astronaut.png: coherence" in missed and "coherence.tau" in missed and not out.exists()
    isoform(*convert).expect(0)
    assert planned() == ({"convert": 0, "skip": 4, "refuse": 0, "fail": 0}, "done already, and still verified")
    plan = ["jpg" if word == "webp" else word for word in plan]
    counts, why = planned(code=7)
    assert counts["refuse"] == 4 and "--out-dir" in why


def test_a_changed_missing_or_added_photograph_is_found(isoform, tmp_path, album):
    out = tmp_path / "out"
    isoform(*album_command(album)).expect(0)
    target = out / "coffee.webp"
    good = target.read_bytes()
    target.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    isoform("verify", out).expect(4)
    target.unlink()
    isoform("verify", out).expect(4)
    target.write_bytes(good)
    isoform("verify", out).expect(0)
    (out / "more.webp").write_bytes(good)
    assert "more.webp" in isoform("verify", out).expect(4).err


def test_the_certificates_of_an_album_replace_nothing_else(isoform, tmp_path, album):
    out = tmp_path / "out"
    last = out / pathlib.Path(ALBUM[-1]).with_suffix(".webp")
    for target in (out, last):
        at = harness.certificate_of(target)
        at.parent.mkdir(exist_ok=True)
        at.write_text("precious")
        assert f"{at}: is no certificate" in isoform(*album_command(album)).expect(7).err
        assert at.read_text() == "precious" and not list(out.glob("*.webp"))
        at.unlink()


def test_an_album_that_cannot_keep_its_bound_writes_nothing(isoform, tmp_path, album):
    bounds = ["--within", "psnr=80", "--part-floor", "psnr=70", "--drop", "metadata"]
    run = isoform("convert", album, "--out-dir", tmp_path / "out", "--to", "jpg", *bounds).expect(4)
    assert "nothing was written" in run.err
    assert not (tmp_path / "out").exists() and not harness.certificate_of(tmp_path / "out").exists()


def test_an_album_tells_what_it_reaches_in_the_measure_of_its_budget(isoform, tmp_path, tiny):
    convert = ["convert", tiny, "--out-dir", tmp_path / "out", "--to", "jpg", "--part-floor"]
    for floor, within, said in [
        ("psnr=20", "psnr=70", r"at PSNR [3-6]\d\.\d+ dB where at least 70 dB is asked for"),
        ("rmse=30", "rmse=0.01", r"at root mean square error [0-9.]+ where 0\.01 is allowed"),
    ]:
        run = isoform(*convert, floor, "--within", within).expect(4)
        assert re.search(said, run.err) and "squared" not in run.err, run.err


def test_the_time_of_the_last_change_of_a_png_stops_nothing(isoform, tmp_path):
    source, kept = tmp_path / "a.png", tmp_path / "b.png"
    info = PngImagePlugin.PngInfo()
    info.add(b"tIME", bytes([7, 0xE9, 2, 28, 23, 59, 60]))
    Image.new("RGB", (20, 10), "red").save(source, pnginfo=info)
    for ending in ("webp", "avif", "tiff"):
        target = tmp_path / f"a.{ending}"
        run = isoform("convert", source, target, "--json").expect(0).json()
        assert run["verdict"] == "EXACT" and [note for note in run["notes"] if "png:tIME" in note] == [
            f"not content in {ending}: the time of its last change, png:tIME"]
        assert "decoded again, and equal" in isoform("verify", target).expect(0).out
        isoform("compare", source, target).expect(0)
    assert isoform("convert", source, kept, "--json").expect(0).json()["notes"] == []
    with Image.open(kept) as found:
        found.load()
        assert b"tIME" in kept.read_bytes()
    isoform("compare", source, kept).expect(0)


def test_the_times_of_the_last_change_of_two_pngs_are_compared(isoform, tmp_path):
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    for path, seconds in zip(paths, (58, 59, None)):
        info = PngImagePlugin.PngInfo()
        if seconds is not None:
            info.add(b"tIME", bytes([7, 0xE9, 2, 28, 23, 59, seconds]))
        Image.new("RGB", (20, 10), "red").save(path, pnginfo=info)
    for one, other in [(0, 1), (0, 2), (2, 1)]:
        assert "attribute png:tIME differs" in isoform("compare", paths[one], paths[other]).expect(4).out
        found = isoform("--json", "compare", paths[one], paths[other]).expect(4).json()
        assert found["attributes"] == ["png:tIME"] and not found["equal"], found


def test_an_image_that_no_quality_keeps_says_why_it_is_without_loss(isoform, tmp_path):
    source, target, out = tmp_path / "a.jpg", tmp_path / "a.webp", tmp_path / "out"
    with Image.open(photograph("coffee.png")) as image:
        image.convert("RGB").resize((300, 200)).save(source, quality=60)
    budget = ["--within", "psnr=60", "--drop", "metadata"]
    run = isoform("convert", source, target, *budget, "--json").expect(0).json()
    [note] = [note for note in run["notes"] if note.startswith("without loss")]
    told = r"without loss, as nothing smaller that was tried keeps the budget: at quality \d+, the best of \d+ encodings, " \
        r".*PSNR [\d.]+ dB where at least 60 dB is asked for.*; the target is larger than the source"
    assert run["settings"]["lossless"] and re.fullmatch(told, note), note
    assert f"note: {note}" in isoform("convert", source, target, *budget, "--force").expect(0).out
    target.unlink()
    assert note in isoform("plan", source, target, *budget, "--json").expect(0).json()["notes"]
    assert note in isoform("convert", source, "--out-dir", out, "--to", "webp", *budget).expect(0).out
    floor = ["--within", "psnr=60", "--part-floor", "psnr=60", "--drop", "metadata"]
    [one] = isoform("convert", source, "--out-dir", tmp_path / "album", "--to", "webp", *floor, "--json").expect(0).json()["sources"]
    assert one["settings"]["lossless"] and any(note.startswith("without loss, as nothing") for note in one["notes"]), one
    # What is smaller without loss is so by itself.
    drawing = Image.new("RGB", (300, 200), "white")
    drawing.paste((200, 0, 0), (40, 40, 160, 120))
    drawing.save(tmp_path / "b.png")
    run = isoform("convert", tmp_path / "b.png", tmp_path / "b.webp", *budget, "--json").expect(0).json()
    assert run["settings"]["lossless"] and run["notes"] == []


@pytest.mark.parametrize("name, options", [("x.jpg", ["--within", "psnr=36"]), ("x.webp", []), ("x.avif", ["--effort", "0"])])
def test_a_plan_of_an_image_says_what_it_comes_to(isoform, tmp_path, name, options):
    command = [photograph("coffee.png"), tmp_path / name, *options, "--drop", "metadata", "--json"]
    plan = isoform("plan", *command).expect(0).json()
    assert harness.listing(tmp_path) == [], "a plan does nothing"
    run = isoform("convert", *command).expect(0).json()
    assert plan["estimate"]["bytes"] == run["target"]["bytes"] and plan["estimate"]["bytesExact"]
    assert (plan["settings"], plan["encodes"]) == (run["settings"], run["encodes"])
    assert plan["estimate"]["seconds"] > 0 and plan["estimate"]["memoryBytes"] > 64 << 20


def test_a_plan_says_that_a_budget_would_be_missed(isoform, tmp_path):
    command = [photograph("coffee.png"), tmp_path / "x.jpg", "--within", "psnr=80", "--drop", "metadata"]
    assert "the budget was missed" in isoform("plan", *command).expect(4).err


@pytest.mark.parametrize("to", ["jpg", "webp"])
def test_time_takes_the_least_effort(isoform, tmp_path, to):
    convert = ["convert", photograph("coffee.png"), "--within", "psnr=36", "--drop", "metadata", "--json"]
    size = isoform(*convert, tmp_path / f"size.{to}", "--minimise", "size").expect(0).json()
    time = isoform(*convert, tmp_path / f"time.{to}", "--minimise", "time").expect(0).json()
    assert time["settings"]["effort"] == 0 and size["settings"]["effort"] > 0
    assert time["target"]["bytes"] > size["target"]["bytes"]
    assert "--effort" in isoform(*convert, tmp_path / f"x.{to}", "--minimise", "time", "--effort", "1").expect(2).err


def test_time_is_not_saved_where_there_is_no_work_to_leave_out(isoform, tmp_path):
    run = isoform("convert", photograph("coffee.png"), tmp_path / "x.qoi", "--drop", "metadata", "--minimise", "time").expect(2)
    assert "no effort" in run.err


def test_a_quality_takes_the_place_of_the_search_and_the_budget_holds_all_the_same(isoform, tmp_path):
    source = photograph("coffee.png")
    convert = ["convert", source, tmp_path / "x.jpg", "--quality", "85", "--drop", "metadata"]
    assert "--within" in isoform(*convert).expect(2).err
    isoform(*convert, "--within", "psnr=45").expect(4)
    run = isoform("--json", *convert, "--within", "psnr=30").expect(0).json()
    assert run["encodes"] == 1 and run["settings"]["quality"] == 85
    with Image.open(source) as image:
        image.save(tmp_path / "y.jpg", quality=85)
    # The same tables of quantisation and colours at half resolution as Pillow.
    with Image.open(tmp_path / "x.jpg") as ours, Image.open(tmp_path / "y.jpg") as theirs:
        assert ours.quantization == theirs.quantization
    isoform("convert", source, tmp_path / "x.png", "--quality", "85", "--within", "psnr=30").expect(2)
    isoform("convert", source, tmp_path / "z.jpg", "--quality", "0", "--within", "psnr=30").expect(2)


def test_near_the_best_quality_the_smallest_is_found(isoform, tmp_path):
    # Half-resolved colours are beyond this budget, and the best quality is ten decibels above it.
    source, target, coarser = photograph("coffee.png"), tmp_path / "out.jpg", tmp_path / "coarser.jpg"
    # The narrow tile at its right edge is to decide nothing here.
    options = ("--within", "psnr=40", "--part-floor", "psnr=36", "--drop", "metadata", "--json")
    done = isoform("convert", source, target, *options).expect(0).json()
    assert 40 <= psnr(samples(source), samples(target)) < 40.8 and done["encodes"] <= 10
    Image.open(source).save(coarser, quality=int(done["settings"]["quality"]) - 2, subsampling=0)
    assert psnr(samples(source), samples(coarser)) < 40


def test_everything_that_would_be_lost_is_named(isoform, tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a square")
    info.add_text("Author", "nobody")
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png", pnginfo=info, dpi=(300, 300))
    told = isoform("convert", tmp_path / "p.png", tmp_path / "p.qoi").expect(9).err
    assert all(words in told for words in ("the pixel density", 'the text "Title"', 'the text "Author"')), told


def test_all_that_stands_in_the_way_is_told_at_once(isoform, tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "glass")
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png", pnginfo=info)
    command = ("convert", tmp_path / "p.png", tmp_path / "p.jpg")
    told = isoform(*command).expect(9).err
    assert f"{tmp_path / 'p.png'}: 3 things stand in the way; see to each of them:\n" in told, told
    assert [line.split(";")[0].strip() for line in told.splitlines()[1:4]] == [
        'jpeg cannot hold the text "Title"',
        "jpeg cannot hold rgba, only rgb",
        "jpeg always loses something, and nobody said how much may be lost",
    ]
    assert all(way in told for way in ("--drop metadata", "with transparency", "--within psnr=40")), told
    told = isoform(*command, "--drop", "metadata").expect(9).err
    assert "2 things" in told and "Title" not in told, told
    told = isoform(*command, "--drop", "metadata", "--within", "psnr=20").expect(9).err
    assert "in the way" not in told and "jpeg cannot hold rgba, only rgb; choose" in told, told
    # No budget helps where a format has nothing like the samples.
    np.save(tmp_path / "i.npy", np.zeros((4, 4), np.int16))
    told = isoform("convert", tmp_path / "i.npy", tmp_path / "i.jpg").expect(9).err
    assert "samples of type i16" in told and "--within" not in told, told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["i.npy", "p.png"]


def test_what_would_not_fit_is_refused_before_it_is_made(isoform, tmp_path):
    """AVIF takes more memory for each sample than PNG, so the source fits and the target does not."""
    Image.new("RGB", (1500, 1000)).save(tmp_path / "p.png")
    command = ("convert", tmp_path / "p.png", tmp_path / "p.avif", "--within", "psnr=30", "--memory", "64MiB")
    told = isoform(*command).expect(9).err
    assert "limit" in told and "--memory 78MiB" in told, told
    isoform("convert", tmp_path / "p.png", tmp_path / "p.qoi", "--memory", "64MiB").expect(0)
