"""Images: what Pillow finds in the results, exactly or within a budget that numpy measures again."""

import importlib.util
import math
import pathlib

import numpy as np
import pytest
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
    assert "quality 100" in run.err and "nothing was written" in run.err
    assert not list(tmp_path.iterdir())
    # WebP has a way without loss.
    run = isoform("--json", "convert", photograph("coffee.png"), tmp_path / "x.webp", "--within", "psnr=70", "--drop", "metadata")
    assert run.expect(0).json()["verdict"] == "EXACT"


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
    assert "text:Author" in run.err and "--drop metadata" in run.err
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
