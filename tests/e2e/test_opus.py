"""Opus as a target: what libopus in libsndfile finds in the streams, and the budget that they keep."""

import struct
import subprocess

import numpy as np
import pytest
import soundfile

import harness
from test_sound_budget import RATE, agree, convert, figures, floats, seconds_of, values


def music(seconds=4, channels=2, seed=3):
    """Notes that fade, with overtones and some noise."""
    generator = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    sound = generator.normal(0, 0.0005, (len(time), channels))
    for _ in range(int(6 * seconds)):
        begin = generator.integers(0, len(time) - 1)
        pitch = 110 * 2 ** (generator.integers(0, 36) / 12)
        after = time[: len(time) - begin]
        for tone in range(1, 7):
            wave = np.exp(-2.5 * after * tone**0.5) * np.sin(2 * np.pi * pitch * tone * after) / tone
            sound[begin:] += wave[:, None] * generator.uniform(0.3, 1, channels)
    return 0.7 * sound / np.abs(sound).max()


def pcm(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def pages(path):
    """Every page of an Ogg: flags, position, stream, number, and the lengths of the packets that end on it."""
    content, at, found = path.read_bytes(), 0, []
    while at < len(content):
        magic, version, flags, position, stream, number, _, count = struct.unpack_from("<4sBBqIIIB", content, at)
        assert (magic, version) == (b"OggS", 0)
        table = content[at + 27 : at + 27 + count]
        found.append((flags, position, stream, number, sum(1 for length in table if length < 255)))
        at += 27 + count + sum(table)
    return found


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("within", ["snr=15", "psnr=40", "coherence=0.9", "rmse=200"])
def test_a_stream_keeps_its_budget_and_others_read_it(isoform, tmp_path, channels, within):
    source, made, back = pcm(tmp_path / "x.wav", music(3.1, channels)), tmp_path / "x.opus", tmp_path / "back.wav"
    run = convert(isoform, source, made, "--within", within, "--part-floor", "rmse=3000").json()
    assert run["verdict"] == "BOUNDED" and run["arrays"][0]["targetSampleType"] == "i16"
    assert 1 <= run["encodes"] <= 10 and 6000 <= run["settings"]["bitrate"] <= 510000
    assert made.stat().st_size < source.stat().st_size
    # The samples that were measured are those that come out, and numpy finds the same figures.
    isoform("convert", made, back).expect(0)
    agree(run["distortion"], figures(source, back, 2.0**15))
    kind, bound = within.split("=")
    found = {"snr": "snrDb", "psnr": "psnrDb", "coherence": "coherence", "rmse": "rmse"}[kind]
    measured = run["distortion"][found]
    assert measured <= float(bound) if kind == "rmse" else measured >= float(bound)
    # libopus reads as many frames, and the same samples but for the rounding of its floating-point build.
    with soundfile.SoundFile(made) as found:
        assert (found.samplerate, found.channels, found.format) == (RATE, channels, "OGG")
    others = values(made)
    assert others.shape == values(source).shape
    assert np.abs(others - values(back)).max() < 16 / 2**15
    assert np.sqrt(np.mean((others - values(back)) ** 2)) < 1.5 / 2**15
    assert figures(source, made)["snrDb"] == pytest.approx(run["distortion"]["snrDb"], abs=0.02)
    isoform("verify", made, "--source", source).expect(0)
    compared = isoform("--json", "compare", source, made).expect(4).json()
    assert compared["d"] == pytest.approx(run["distortion"]["d"], rel=1e-12)


def test_fewer_bits_would_miss_the_budget(isoform, tmp_path):
    source, sizes = pcm(tmp_path / "x.wav", music()), []
    for snr in (10, 15, 20, 24):
        made = tmp_path / f"{snr}.opus"
        run = convert(isoform, source, made, "--within", f"snr={snr}", "--part-floor", "snr=1").json()
        # Found by measuring: near the bound, and not beyond it.
        assert snr <= run["distortion"]["snrDb"] < snr + 1
        sizes.append(made.stat().st_size)
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1] / 2


def test_noise_takes_no_more_bits_than_its_budget_needs(isoform, tmp_path):
    # Noise below 6 kHz: every decibel takes some 7,000 bits a second, so all of this lies far above the first coding.
    spectrum = np.fft.rfft(np.random.default_rng(5).normal(0, 1, int(1.4 * RATE)))
    spectrum[int(1.4 * 6000):] = 0
    noise = np.fft.irfft(spectrum, int(1.4 * RATE))
    source, bitrates = pcm(tmp_path / "x.wav", 0.25 * noise / np.abs(noise).max()), []
    for snr in (17, 18.5, 20, 22):
        made = tmp_path / f"{snr}.opus"
        run = convert(isoform, source, made, "--within", f"snr={snr}").json()
        worst = -20 * np.log10(1 - run["worst"]["coherence"])
        # A step of 1,000 bits a second is worth a seventh of a decibel: some steps fewer would miss it.
        assert snr <= worst < snr + 0.8 and run["encodes"] <= 10
        bitrates.append(run["settings"]["bitrate"])
        assert snr != 20 or made.stat().st_size <= 25_000
    assert bitrates == sorted(bitrates) and 64_000 < bitrates[0] and bitrates[-1] < 200_000


def test_pages_are_those_of_the_format(isoform, tmp_path):
    source, made = pcm(tmp_path / "x.wav", music(3.01)), tmp_path / "x.opus"
    convert(isoform, source, made, "--within", "snr=12")
    content = made.read_bytes()
    head = content[content.index(b"OpusHead") :][:19]
    version, channels, skipped, rate, gain, family = struct.unpack_from("<BBHIhB", head, 8)
    assert (version, channels, rate, gain, family) == (1, 2, RATE, 0, 0)
    found = pages(made)
    assert [flags for flags, *_ in found] == [2] + [0] * (len(found) - 2) + [4]
    assert [page[3] for page in found] == list(range(len(found)))
    assert len({page[2] for page in found}) == 1
    assert [page[4] for page in found[:2]] == [1, 1] and max(page[4] for page in found[2:]) <= 50
    positions = [position for _, position, *_ in found]
    assert positions == sorted(positions) and positions[-1] == skipped + len(values(source))
    # The same sound gives the same bytes, on any number of threads.
    for threads in ("1", "2"):
        again = tmp_path / f"{threads}.opus"
        convert(isoform, source, again, "--within", "snr=12", "--threads", threads)
        assert again.read_bytes() == content


@pytest.mark.parametrize("subtype, peak", [("PCM_24", 2.0**23), ("FLOAT", 1.0), ("DOUBLE", 1.0)])
def test_wider_samples_are_measured_as_they_are(isoform, tmp_path, subtype, peak):
    source, made, back = tmp_path / "x.wav", tmp_path / "x.opus", tmp_path / "back.wav"
    soundfile.write(source, music(2), RATE, subtype=subtype)
    # The program that wrote a WAV of floating point has put its peak beside it.
    options = ["--within", "snr=14", "--drop", "metadata"]
    run = convert(isoform, source, made, *options).json()
    isoform("convert", made, back).expect(0)
    agree(run["distortion"], figures(source, back, peak))
    isoform("verify", made, "--source", source).expect(0)
    # A FLAC of it is decoded as it is read.
    packed = tmp_path / "x.flac"
    if subtype == "PCM_24":
        convert(isoform, source, packed)
        again = convert(isoform, packed, tmp_path / "y.opus", "--within", "snr=14").json()
        assert again["distortion"] == run["distortion"]
        assert (tmp_path / "y.opus").read_bytes() == made.read_bytes()


def test_every_second_keeps_its_floor(isoform, tmp_path):
    sound = music(6)
    # Noise takes more bits than notes do; a mean hides what happens to it.
    sound[3 * RATE : 4 * RATE] = np.random.default_rng(8).normal(0, 0.01, (RATE, 2))
    source = pcm(tmp_path / "x.wav", sound)
    each = {}
    for floor in ("snr=1", "snr=6"):
        made, back = tmp_path / f"{floor}.opus", tmp_path / "back.wav"
        run = convert(isoform, source, made, "--within", "snr=10", "--part-floor", floor).json()
        isoform("convert", made, back, "--force").expect(0)
        pairs = zip(seconds_of(values(source)), seconds_of(values(back)))
        ratios = [10 * np.log10(np.sum(a**2) / np.sum((a - b) ** 2)) for a, b in pairs]
        each[floor] = (min(ratios), made.stat().st_size)
        assert run["worst"]["from"] == ratios.index(min(ratios)) == 3
        assert 20 * np.log10(1 / (1 - run["worst"]["coherence"])) == pytest.approx(min(ratios), rel=1e-9)
    assert each["snr=1"][0] < 6 <= each["snr=6"][0]
    assert each["snr=1"][1] < each["snr=6"][1]


def test_a_budget_that_no_stream_keeps_is_missed(isoform, tmp_path):
    source, made = pcm(tmp_path / "x.wav", music(2)), tmp_path / "x.opus"
    missed = isoform("convert", source, made, "--within", "snr=70").expect(4)
    assert "510000 bits a second" in missed.err and "from 0:0" in missed.err and "snr" in missed.err
    assert not made.exists() and not harness.certificate_of(made).exists()


def test_what_opus_cannot_be_is_refused_with_the_reason(isoform, tmp_path):
    source, made = pcm(tmp_path / "x.wav", music(1)), tmp_path / "x.opus"
    nobody = isoform("convert", source, made).expect(2)
    assert "--within snr=20" in nobody.err and "flac" in nobody.err
    exact = isoform("convert", source, made, "--within", "exact").expect(2)
    assert "always loses something" in exact.err
    other = isoform("convert", source, made, "--within", "snr=9", "--sample-type", "i24").expect(9)
    assert "--sample-type" in other.err
    rate = pcm(tmp_path / "cd.wav", music(1), 44100)
    assert "resampled" in isoform("convert", rate, made, "--within", "snr=9").expect(9).err
    many = pcm(tmp_path / "many.wav", music(1, 6))
    assert "FL FR FC" in isoform("convert", many, made, "--within", "snr=9").expect(9).err
    assert not made.exists()


def test_all_that_keeps_a_sound_from_being_opus_is_told_at_once(isoform, tmp_path):
    source, made = pcm(tmp_path / "x.wav", music(1, 6), 44100), tmp_path / "x.opus"
    noted = source.read_bytes() + b"note\x04\0\0\0abcd"
    source.write_bytes(noted[:4] + struct.pack("<I", len(noted) - 8) + noted[8:])
    for command in ("plan", "convert"):
        told = isoform(command, source, made).expect(9).err
        assert "4 things stand in the way" in told, told
        for words in ("riff:note", "--drop metadata", "has 44100", "resample it", "FL FR FC", "--within snr=20"):
            assert words in told, (words, told)
    told = isoform("convert", source, made, "--within", "snr=9", "--drop", "metadata").expect(9).err
    assert "2 things stand in the way" in told and "--drop" not in told and "--within" not in told, told
    assert not made.exists()


def test_tags_and_pictures_are_kept(isoform, tmp_path):
    source, packed, made = pcm(tmp_path / "x.wav", music(1)), tmp_path / "x.flac", tmp_path / "x.opus"
    picture = tmp_path / "x.png"
    picture.write_bytes(bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
        "3a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
    ))
    subprocess.run(["flac", "-s", source, "-o", packed, "-T", "TITLE=Größe", "-T", "MOOD=calm", f"--picture={picture}"], check=True)
    convert(isoform, packed, made, "--within", "snr=9")
    with soundfile.SoundFile(made) as found:
        assert found.title == "Größe"
    ours = {item["key"]: item["bytes"] for item in isoform("--json", "inspect", packed).expect(0).json()["attributes"]}
    theirs = {item["key"]: item["bytes"] for item in isoform("--json", "inspect", made).expect(0).json()["attributes"]}
    assert theirs == ours and "picture" in theirs and "tag:MOOD" in theirs
    # A chunk of a WAV has no place in it.
    noted = source.read_bytes() + b"note\x04\0\0\0abcd"
    source.write_bytes(noted[:4] + struct.pack("<I", len(noted) - 8) + noted[8:])
    refused = isoform("convert", source, tmp_path / "y.opus", "--within", "snr=9").expect(9)
    assert "riff:note" in refused.err
    convert(isoform, source, tmp_path / "y.opus", "--within", "snr=9", "--drop", "metadata")


def test_the_greatest_samples_of_a_wav_are_no_content(isoform, tmp_path):
    """libsndfile writes them into every WAV of floats, and they follow from the samples."""
    source, packed = tmp_path / "x.wav", tmp_path / "x.flac"
    soundfile.write(source, music(1) * 0.5, RATE, subtype="FLOAT")
    assert b"PEAK" in source.read_bytes()[:200]
    run = isoform("--json", "convert", source, tmp_path / "x.opus", "--within", "snr=9").expect(0).json()
    assert 'not content: the chunk "PEAK", which tells the greatest samples' in run["notes"]
    isoform("convert", source, packed, "--within", "snr=60").expect(0)
    assert b"PEAK" not in packed.read_bytes()
    isoform("verify", packed, "--source", source).expect(0)
    isoform("convert", source, tmp_path / "y.wav").expect(0)
    isoform("compare", source, tmp_path / "y.wav").expect(0)


def test_plan_and_folders(isoform, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for name in ("a", "b"):
        pcm(album / f"{name}.wav", music(1, 1, seed=len(name)))
    plan = isoform("--json", "plan", album / "a.wav", tmp_path / "x.opus", "--within", "snr=9").expect(0).json()
    assert plan["arrays"][0]["targetSampleType"] == "i16" and not (tmp_path / "x.opus").exists()
    for fate in ("converted", "skipped"):
        options = ["--out-dir", tmp_path / "out", "--to", "opus", "--within", "snr=9"]
        run = isoform("--json", "convert", album, *options).expect(0).json()
        assert [item["outcome"] for item in run["sources"]] == [fate, fate]


def test_short_and_silent_sounds(isoform, tmp_path):
    for name, sound in [("empty", np.zeros((0, 2))), ("one", np.full((1, 2), 0.3)), ("silent", np.zeros((RATE, 2)))]:
        source, made = pcm(tmp_path / f"{name}.wav", sound), tmp_path / f"{name}.opus"
        run = convert(isoform, source, made, "--within", "max-error=20000").json()
        assert run["samples"] == sound.size
        with soundfile.SoundFile(made) as found:
            assert found.frames == len(sound)


def test_a_long_sound_takes_little_memory(isoform, tmp_path):
    source, made = tmp_path / "x.wav", tmp_path / "x.opus"
    pcm(source, np.tile(music(4), (15, 1)))
    run = convert(isoform, source, made, "--within", "snr=6", "--part-floor", "snr=0.1", "--memory", "160MiB").json()
    assert run["parts"]["total"] > 1 and run["distortion"]["snrDb"] >= 6


def test_samples_that_the_decoder_cuts_are_told(isoform, tmp_path):
    time = np.arange(48_000) / 48_000
    loud = np.clip(1.3 * np.sin(2 * np.pi * 90 * time) + 0.2 * np.sin(2 * np.pi * 3000 * time), -1, 32767 / 32768)
    for name, scale, told in (("loud", 1, True), ("quiet", 0.25, False)):
        soundfile.write(tmp_path / f"{name}.wav", loud * scale, 48_000, subtype="PCM_16")
        made = tmp_path / f"{name}.opus"
        command = [tmp_path / f"{name}.wav", made, "--within", "snr=12", "--json"]
        plan = isoform("plan", *command).expect(0).json()
        run = isoform("convert", *command).expect(0).json()
        assert any("at an end of the range" in note for note in run["notes"]) == told, run["notes"]
        assert plan["notes"] == run["notes"]
