"""Tiles of images: each keeps the floor of a budget, as numpy finds on what Pillow decodes."""

import json
import math

import numpy as np
import pytest
from PIL import Image

import harness
from test_images import photograph, psnr, samples

SIDE = 512


def tiles(left, right, side=SIDE):
    """Column and row of each tile, and both sides of it."""
    rows, columns = left.shape[:2]
    for y in range(0, rows, side):
        for x in range(0, columns, side):
            square = np.s_[y:y + side, x:x + side]
            yield (x // side, y // side), left[square], right[square]


def stated(made):
    return harness.statement(harness.certificate_of(made))["predicate"]["distortion"]


@pytest.mark.parametrize("target", ["jpg", "webp"])
def test_every_tile_keeps_the_bound_of_the_whole(isoform, tmp_path, target):
    source, made = photograph("retina.jpg"), tmp_path / f"x.{target}"
    run = isoform("--json", "convert", source, made, "--within", "psnr=38", "--drop", "metadata").expect(0).json()
    left, right = samples(source), samples(made)
    found = {at: psnr(ours, theirs) for at, ours, theirs in tiles(left, right)}
    assert len(found) == 9 and min(found.values()) >= 38 and psnr(left, right) >= 38
    at = min(found, key=found.get)
    assert tuple(run["tightest"]["tile"]) == at
    assert math.isclose(run["tightest"]["found"], 255 * 10 ** (-found[at] / 20), rel_tol=1e-9)
    column, row = at
    assert run["tightest"]["x"] == [column * SIDE, min(left.shape[1], column * SIDE + SIDE)]
    assert run["tightest"]["y"] == [row * SIDE, min(left.shape[0], row * SIDE + SIDE)]
    coherence = [1 - np.linalg.norm(ours - theirs) / np.linalg.norm(ours) for _, ours, theirs in tiles(left, right)]
    written = stated(made)
    assert written["pieces"] == {"count": "9", "samples": str(3 * SIDE * SIDE), "side": str(SIDE)}
    assert written["worstPart"]["index"] == str(int(np.argmin(coherence)))
    assert math.isclose(float(written["worstPart"]["coherence"]), min(coherence), rel_tol=1e-9)
    told = isoform("verify", made, "--source", source).expect(0).out
    assert "9 tiles of 512 × 512 pixels measured again" in told


def test_part_floor_loosens_the_floor_of_tiles(isoform, tmp_path):
    source = photograph("retina.jpg")
    convert = lambda name, *more: isoform("--json", "convert", source, tmp_path / name, "--within", "psnr=40", *more, "--drop", "metadata")
    strict, loose = convert("a.jpg").expect(0).json(), convert("b.jpg", "--part-floor", "psnr=37").expect(0).json()
    assert loose["target"]["bytes"] < strict["target"]["bytes"]
    left, right = samples(source), samples(tmp_path / "b.jpg")
    assert psnr(left, right) >= 40 and 37 <= min(psnr(a, b) for _, a, b in tiles(left, right)) < 40
    # A floor above the bound of the whole decides alone.
    convert("c.jpg", "--part-floor", "psnr=42").expect(0)
    assert min(psnr(a, b) for _, a, b in tiles(left, samples(tmp_path / "c.jpg"))) >= 42
    plan = isoform("plan", source, tmp_path / "d.jpg", "--within", "psnr=40", "--part-floor", "psnr=37", "--drop", "metadata").expect(0)
    assert "every tile keeps its bound; the tightest, tile " in plan.out


def test_a_ruined_tile_is_caught_although_the_mean_is_fine(isoform, tmp_path):
    pixels = np.full((1400, 1400, 3), 120, np.uint8)
    pixels[1024:1400, 512:1024] = np.random.default_rng(5).integers(0, 256, (376, 512, 3))
    source, made = tmp_path / "x.png", tmp_path / "x.jpg"
    Image.fromarray(pixels).save(source)
    with Image.open(source) as image:
        image.save(tmp_path / "mean.jpg", quality=85, subsampling=2, optimize=True)
    mean = psnr(samples(source), samples(tmp_path / "mean.jpg"))
    asked = ["convert", source, made, "--quality", "85", "--within", f"psnr={mean - 2:.1f}"]
    run = isoform(*asked).expect(4)
    assert "tile 1,2 (x 512 to 1024, y 1024 to 1400) is at PSNR " in run.err and not made.exists()
    assert f"and all of it at PSNR {mean:.2f} dB" in run.err
    isoform(*asked, "--part-floor", "psnr=5").expect(0)
    # Gates alone ask nothing of tiles.
    isoform("convert", source, tmp_path / "y.jpg", "--within", "ssimulacra2=10").expect(0)
    assert "pieces" not in stated(tmp_path / "y.jpg")


def test_a_black_tile_may_be_off_by_a_step(isoform, tmp_path):
    generator = np.random.default_rng(7)
    pixels = np.zeros((600, 1100, 3), np.uint8)
    pixels[:, :512] = 200
    pixels[:, 512:] = generator.integers(0, 2, (600, 588, 3))
    source, made = tmp_path / "x.png", tmp_path / "x.jpg"
    Image.fromarray(pixels).save(source)
    isoform("convert", source, made, "--within", "snr=30").expect(0)
    gates = {gate["name"]: float(gate["limit"]) for gate in stated(made)["gates"]}
    assert gates["part-absolute-rmse"] == 1
    for _, left, right in tiles(samples(source), samples(made)):
        d = np.linalg.norm(left - right)
        assert d <= max(gates["part"] * np.linalg.norm(left), gates["part-absolute-rmse"] * math.sqrt(left.size))


@pytest.mark.parametrize("target, within", [("webp", "coherence=0.95"), ("jpg", "snr=25"), ("webp", "snr=25"), ("avif", "snr=25")])
@pytest.mark.parametrize("more", [8, 1])
def test_a_narrow_tile_at_an_edge_is_held_like_others(isoform, tmp_path, target, within, more):
    pixels = samples(photograph("astronaut.png"))[:512, :512].astype(np.uint8)
    pixels = np.concatenate([pixels, pixels[:, :more]], 1)
    if more == 1:
        pixels = np.concatenate([pixels, pixels[:1]])
    source, made = tmp_path / "x.png", tmp_path / f"x.{target}"
    Image.fromarray(pixels).save(source)
    run = isoform("--json", "convert", source, made, "--within", within).expect(0).json()
    kind, limit = within.split("=")
    rate = 1 - float(limit) if kind == "coherence" else 10 ** (-float(limit) / 20)
    assert run["worst"]["coherence"] >= 1 - rate
    # Decoders of AVIF differ in how they round.
    rate *= 1.05 if target == "avif" else 1
    for at, left, right in tiles(samples(source), samples(made)):
        allowed = max(rate * np.linalg.norm(left), math.sqrt(left.size))
        assert np.linalg.norm(left - right) <= allowed * (1 + 1e-9), at


def test_the_side_of_tiles_is_that_of_the_type(isoform, tmp_path):
    (tmp_path / "types").mkdir()
    (tmp_path / "types/jpeg.toml").write_text('[type]\nname = "jpeg"\n\n[transport]\ntile-side = 128\n')
    source, made = photograph("chelsea.png"), tmp_path / "x.jpg"
    isoform("convert", source, made, "--within", "psnr=36", "--media-types", tmp_path / "types").expect(0)
    assert stated(made)["pieces"]["side"] == "128"
    assert min(psnr(a, b) for _, a, b in tiles(samples(source), samples(made), 128)) >= 36
    assert "12 tiles of 128 × 128 pixels" in isoform("verify", made, "--source", source).expect(0).out


def test_verify_finds_tiles_that_are_not_as_certified(isoform, tmp_path):
    source, made = photograph("retina.jpg"), tmp_path / "x.jpg"
    isoform("convert", source, made, "--within", "psnr=38", "--drop", "metadata").expect(0)
    at = harness.certificate_of(made)
    honest = at.read_bytes()
    said = harness.statement(at)
    for change, why in [
        (lambda d: d["worstPart"].update(index="1"), "its tiles are not as far"),
        (lambda d: d.update(rmse="0.5"), "its tiles are not as far from their source as was certified: rmse is "),
        (lambda d: d["pieces"].update(side="256", count="36", samples="196608"), "tile"),
        (lambda d: [gate.update(limit="1.5") for gate in d["gates"] if gate["name"] == "part-rmse"], "misses the floor"),
    ]:
        other = json.loads(json.dumps(said))
        change(other["predicate"]["distortion"])
        harness.sign(isoform, at, other)
        told = isoform("verify", made, "--source", source).expect(4).err
        assert f"{made}: " in told and why in told
    # What a later version may bound is not passed over.
    for gate in [{"name": "part-median", "limit": "1"}, {"name": "part-absolute", "limit": "one"}]:
        other = json.loads(json.dumps(said))
        other["predicate"]["distortion"]["gates"].append(gate)
        other["predicate"]["conversion"]["tool"]["version"] = "7.0"
        harness.sign(isoform, at, other)
        told = isoform("verify", made, "--source", source).expect(1).err
        assert f"{made}: " in told and gate["name"] in told and "verify with isoform 7.0, which made it" in told
    # Without its tiles the image is one part, as it was before there were any, and its figures are others.
    del said["predicate"]["distortion"]["pieces"]
    harness.sign(isoform, at, said)
    told = isoform("verify", made, "--source", source).expect(4).err
    assert "its samples are not as far from their source as was certified: worstPart is 0: " in told
    # Tiles of which there would be any number are not measured.
    said["predicate"]["distortion"]["pieces"] = {"side": "1", "samples": "3", "count": "1990921"}
    harness.sign(isoform, at, said)
    told = isoform("verify", made, "--source", source)
    assert told.code == 1 and "distortion.pieces.side" in told.err or told.code == 9, told
    at.write_bytes(honest)


def test_the_floor_of_an_album_is_kept_by_every_tile(isoform, tmp_path):
    (tmp_path / "album").mkdir()
    names = ["rocket.jpg", "chelsea.png", "motorcycle_left.png"]
    for name in names:
        (tmp_path / "album" / name).write_bytes(photograph(name).read_bytes())
    asked = ["--to", "jpeg", "--within", "psnr=36", "--part-floor", "psnr=34", "--drop", "metadata"]
    isoform("convert", tmp_path / "album", "--out-dir", tmp_path / "out", *asked).expect(0)
    for name in names:
        made = next((tmp_path / "out").glob(name.split(".")[0] + ".jp*g"))
        assert min(psnr(a, b) for _, a, b in tiles(samples(tmp_path / "album" / name), samples(made))) >= 34
        assert stated(made)["pieces"]["side"] == "512"
    isoform("verify", tmp_path / "out").expect(0)
