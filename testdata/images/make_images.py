"""Makes the images of this folder with Pillow, tifffile and imagecodecs, and writes down what these read back from them.

    python -m pip install imagecodecs numpy pillow tifffile && python make_images.py

A line of expected.tsv has: file; rows x columns x channels; type of the samples; CRC-32 of the samples as they lie
in memory, little-endian; keys of the attributes with the bytes of their values.
"""

import io
import pathlib
import struct
import zlib

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

HERE = pathlib.Path(__file__).parent
BAD = HERE / "bad"
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# The time of creation is the only thing in the profile that changes.
ICC = ICC[:24] + struct.pack(">6H", 2025, 1, 1, 0, 0, 0) + ICC[36:]
EXIF = b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"
lines = []


def ramp(height, width, channels, dtype=np.uint8):
    top = np.iinfo(dtype).max
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    values = ((x * 7 + y * 3 + c * 11) * (top // 97)) % (top + 1)
    return values.astype(dtype).squeeze()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, color, rows, *chunks, interlace=0):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))
    packed = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + packed + chunk(b"IEND", b"")


def expect(name, samples, meaning, keys=""):
    samples = np.asarray(samples)
    height, width = samples.shape[:2]
    kind = {"u": "u", "i": "i", "f": "f"}[samples.dtype.kind] + str(8 * samples.dtype.itemsize)
    little = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder("<")))
    crc = f"{zlib.crc32(little.tobytes()):08x}"
    lines.append("\t".join([name, f"{height}x{width}x{meaning}", kind, crc, keys]))


def save(name, image, samples, meaning, keys="", **options):
    image.save(HERE / name, **options)
    expect(name, samples, meaning, keys)


def pngs():
    for depth in (1, 2, 4):
        top = (1 << depth) - 1
        values = (np.add.outer(np.arange(5), np.arange(11)) % (top + 1)).astype(np.uint8)
        rows = b""
        for row in values:
            bits = "".join(f"{v:0{depth}b}" for v in row)
            bits += "0" * (-len(bits) % 8)
            rows += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
        (HERE / f"gray-{depth}.png").write_bytes(png(11, 5, depth, 0, rows))
        expect(f"gray-{depth}.png", values * (255 // top), "gray")
        palette = ramp(1, top + 1, 3).reshape(-1, 3)
        plte = chunk(b"PLTE", palette.tobytes())
        (HERE / f"palette-{depth}.png").write_bytes(png(11, 5, depth, 3, rows, plte))
        expect(f"palette-{depth}.png", palette[values], "rgb")
        alpha = np.array([0, 128] + [255] * (top - 1), np.uint8)
        trns = chunk(b"tRNS", alpha[:2].tobytes())
        (HERE / f"palette-{depth}-alpha.png").write_bytes(png(11, 5, depth, 3, rows, plte, trns))
        rgba = np.concatenate([palette[values], alpha[values][..., None]], axis=2)
        expect(f"palette-{depth}-alpha.png", rgba, "rgba")
        clear = chunk(b"tRNS", struct.pack(">H", 1))
        (HERE / f"gray-{depth}-clear.png").write_bytes(png(11, 5, depth, 0, rows, clear))
        both = np.stack([values * (255 // top), np.where(values == 1, 0, 255).astype(np.uint8)], axis=2)
        expect(f"gray-{depth}-clear.png", both, "gray-alpha")
    for name, channels, color in (("gray", 1, 0), ("gray-alpha", 2, 4), ("rgb", 3, 2), ("rgba", 4, 6)):
        for bits, dtype in ((8, np.uint8), (16, np.uint16)):
            values = ramp(6, 9, channels, dtype)
            rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in values)
            (HERE / f"{name}-{bits}.png").write_bytes(png(9, 6, bits, color, rows))
            expect(f"{name}-{bits}.png", values, name)
    values = ramp(6, 9, 3, np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    clear = chunk(b"tRNS", values[2, 3].astype(">u2").tobytes())
    (HERE / "rgb-16-clear.png").write_bytes(png(9, 6, 16, 2, rows, clear))
    alpha = np.where((values == values[2, 3]).all(axis=2), 0, 65535).astype(np.uint16)
    expect("rgb-16-clear.png", np.concatenate([values, alpha[..., None]], axis=2), "rgba")
    values = ramp(19, 23, 3)
    rows = b""
    for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        rows += b"".join(b"\0" + row.tobytes() for row in values[y0::dy, x0::dx])
    (HERE / "interlaced.png").write_bytes(png(23, 19, 8, 2, rows, interlace=1))
    expect("interlaced.png", values, "rgb")
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "A ramp")
    texts.add_text("Author", "½ of it", zip=True)
    texts.add_itxt("Comment", "石")
    texts.add_itxt("Description", "Rampe", "de", "Beschreibung", zip=True)
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    texts.add(b"gAMA", struct.pack(">I", 45455))
    keys = f"density=13 exif={len(EXIF) - 6} icc={len(ICC)} png:gAMA=4 png:iTXt:Description=21 "
    keys += f"text:Author=8 text:Comment=3 text:Title=6 xmp={len(XMP)}"
    save("attributes.png", Image.fromarray(values), values, "rgb", keys,
         pnginfo=texts, icc_profile=ICC, exif=EXIF, dpi=(300, 300))


def jpegs():
    photo = Image.fromarray(ramp(40, 50, 3)).resize((83, 61), Image.Resampling.BICUBIC)
    keys = f"density=11 exif={len(EXIF) - 6} icc={len(ICC)} text:Comment=5 xmp={len(XMP)}"
    for name, options in (
        ("plain.jpg", {}),
        ("progressive.jpg", {"progressive": True}),
        ("444.jpg", {"subsampling": 0}),
        ("422.jpg", {"subsampling": 1}),
        ("restart.jpg", {"restart_marker_blocks": 3}),
        ("rgb.jpg", {"keep_rgb": True}),
        ("attributes.jpg", {"icc_profile": ICC, "exif": EXIF, "xmp": XMP, "comment": "hello", "dpi": (72, 72)}),
    ):
        photo.save(HERE / name, quality=90, **options)
        found = keys if name == "attributes.jpg" else ""
        expect(name, np.asarray(Image.open(HERE / name)), "rgb", found)
    photo.convert("L").save(HERE / "gray.jpg", quality=90)
    expect("gray.jpg", np.asarray(Image.open(HERE / "gray.jpg")), "gray")
    # One scan a component at halved colour, by the crate jpeg-encoder; there are decoders that get this wrong.
    expect("scans.jpg", np.asarray(Image.open(HERE / "scans.jpg")), "rgb")
    photo.convert("CMYK").save(HERE / "cmyk.jpg")
    inks = (HERE / "cmyk.jpg").read_bytes()
    expect("cmyk.jpg", np.asarray(Image.open(HERE / "cmyk.jpg")), "cmyk")
    adobe = inks.index(b"\xff\xee")
    (BAD / "inks.jpg").write_bytes(inks[:adobe] + inks[adobe + 16:])
    whole = io.BytesIO()
    photo.save(whole, "jpeg", icc_profile=ICC)
    (BAD / "icc-missing.jpg").write_bytes(whole.getvalue().replace(b"ICC_PROFILE\0\x01\x01", b"ICC_PROFILE\0\x01\x02"))


def webps():
    rgba = ramp(21, 34, 4)
    for name, image, meaning in (("lossless.webp", rgba[..., :3], "rgb"), ("lossless-alpha.webp", rgba, "rgba")):
        save(name, Image.fromarray(image), image, meaning, lossless=True, exact=True)
    rgb = Image.fromarray(rgba[..., :3])
    for name, image, meaning, keys, options in (
        ("lossy.webp", rgb, "rgb", "", {}),
        ("lossy-alpha.webp", Image.fromarray(rgba), "rgba", "", {}),
        ("attributes.webp", rgb, "rgb", f"exif={len(EXIF) - 6} icc={len(ICC)} xmp={len(XMP)}",
         {"icc_profile": ICC, "exif": EXIF, "xmp": XMP}),
    ):
        image.save(HERE / name, **options)
        expect(name, np.asarray(Image.open(HERE / name)), meaning, keys)
    rgb.save(BAD / "animated.webp", save_all=True, append_images=[rgb.transpose(0)])


def tiffs():
    def write(name, samples, meaning, keys="", read=None, **options):
        options.setdefault("photometric", "rgb" if meaning.startswith("rgb") else "minisblack")
        if meaning in ("rgba", "gray-alpha"):
            options.setdefault("extrasamples", ["unassalpha"])
        tifffile.imwrite(HERE / name, samples, metadata=None, software=False, **options)
        expect(name, samples if read is None else read, meaning, keys)

    rgb = ramp(37, 45, 3)
    for packing in ("lzw", "packbits", "deflate"):
        write(f"{packing}.tif", rgb, "rgb", compression=packing, rowsperstrip=10)
    write("plain.tif", rgb, "rgb")
    write("predictor.tif", rgb, "rgb", compression="lzw", predictor=2)
    write("predictor-16.tif", ramp(37, 45, 3, np.uint16), "rgb", compression="deflate", predictor=2)
    write("tiles.tif", rgb, "rgb", tile=(16, 32), compression="deflate")
    tifffile.imwrite(HERE / "planar.tif", np.moveaxis(rgb, 2, 0), photometric="rgb", planarconfig="separate",
                     metadata=None, software=False)
    expect("planar.tif", rgb, "rgb")
    write("big-endian.tif", ramp(7, 9, 3, np.uint16), "rgb", byteorder=">")
    write("bigtiff.tif", rgb[:5, :5], "rgb", bigtiff=True)
    write("rgba.tif", ramp(7, 9, 4), "rgba")
    write("gray-alpha-16.tif", ramp(7, 9, 2, np.uint16), "gray-alpha")
    write("gray-32.tif", ramp(7, 9, 1, np.uint32), "gray")
    write("gray-i16.tif", ramp(7, 9, 1, np.uint16).astype(np.int16), "gray")
    floats = (ramp(7, 9, 1).astype(np.float32) - 90) / 7
    write("gray-f32.tif", floats, "gray")
    write("gray-f32-predictor.tif", floats, "gray", compression="deflate", predictor=3)
    write("gray-f16.tif", floats.astype(np.float16), "gray")
    write("gray-f64.tif", floats.astype(np.float64), "gray")
    grey = ramp(7, 9, 1)
    write("white.tif", 255 - grey, "gray", photometric="miniswhite", read=grey)
    bits = grey % 2 == 0
    Image.fromarray(bits).save(HERE / "bits.tif")
    expect("bits.tif", bits.astype(np.uint8) * 255, "gray")
    Image.fromarray(bits).save(HERE / "fax.tif", compression="group4")
    expect("fax.tif", bits.astype(np.uint8) * 255, "gray")
    few = Image.fromarray(rgb).quantize(30)
    few.save(HERE / "palette.tif")
    expect("palette.tif", np.asarray(few.convert("RGB")), "rgb")
    write("attributes.tif", rgb[:5, :5], "rgb",
          f"density=13 icc={len(ICC)} text:Author=4 text:Description=6 tiff:33550=25 tiff:orientation=1 xmp={len(XMP)}",
          resolution=(300, 300), resolutionunit="inch", description="a rock", iccprofile=ICC,
          extratags=[(315, 2, 0, "Zoe!", True), (274, 3, 1, 6, True), (700, 1, len(XMP), XMP, True),
                     (33550, 12, 3, (1.0, 2.0, 0.5), True)])
    tifffile.imwrite(BAD / "pages.tif", np.stack([rgb, rgb])[:, :4, :4], photometric="rgb", metadata=None)
    write("cmyk.tif", ramp(4, 4, 4), "cmyk", photometric="separated")
    tifffile.imwrite(BAD / "lab.tif", ramp(4, 4, 3), photometric="cielab", metadata=None)
    tifffile.imwrite(BAD / "premultiplied.tif", ramp(4, 4, 4), photometric="rgb", extrasamples=["assocalpha"],
                     metadata=None)
    broken = bytearray((HERE / "plain.tif").read_bytes())
    broken[4:8] = struct.pack("<I", len(broken) + 5)
    (BAD / "outside.tif").write_bytes(broken)


def gifs():
    rgb = Image.fromarray(ramp(37, 45, 3)).quantize(30)
    samples = np.asarray(rgb.convert("RGB"))
    for name, options in (("plain.gif", {"interlace": 0}), ("interlaced.gif", {"interlace": 1})):
        save(name, rgb, samples, "rgb", **options)
    save("comment.gif", rgb, samples, "rgb", "text:Comment=4", comment="hé!".encode())
    indices = np.asarray(rgb)
    alpha = np.where(indices == 3, 0, 255).astype(np.uint8)
    clear = np.concatenate([samples * (alpha[..., None] > 0), alpha[..., None]], axis=2).astype(np.uint8)
    save("clear.gif", rgb, clear, "rgba", transparency=3, optimize=False)
    rgb.save(BAD / "animated.gif", save_all=True, append_images=[rgb.transpose(0)])


def bmps():
    rgb = ramp(7, 9, 3)
    for name, image, meaning in (
        ("rgb.bmp", Image.fromarray(rgb), "rgb"),
        ("gray.bmp", Image.fromarray(ramp(7, 9, 1)), "gray"),
        ("palette.bmp", Image.fromarray(rgb).quantize(20), "rgb"),
        ("bits.bmp", Image.fromarray(ramp(7, 9, 1) % 2 == 0), "rgb"),
        ("reserved.bmp", Image.fromarray(ramp(7, 9, 4)), "rgb"),
    ):
        image.save(HERE / name)
        expect(name, np.asarray(Image.open(HERE / name).convert({"rgb": "RGB", "gray": "L"}[meaning])), meaning, "density=11")
    rgba = ramp(7, 9, 4)
    (HERE / "rgba.bmp").write_bytes(imagecodecs.bmp_encode(rgba))
    expect("rgba.bmp", rgba, "rgba", "density=11")

    def bmp(bits, packing, pixels, extra=b"", height=3):
        begin = 54 + len(extra)
        head = struct.pack("<IiiHHIIiiII", 40, 5, height, 1, bits, packing, len(pixels), 0, 0, 0, 0)
        return b"BM" + struct.pack("<III", begin + len(pixels), 0, begin) + head + extra + pixels

    table = ramp(1, 256, 3).reshape(-1, 3)
    table_8 = b"".join(bytes([b, g, r, 0]) for r, g, b in table)
    indices = np.array([[9, 9, 9, 9, 9], [1, 2, 3, 4, 5], [7, 7, 0, 0, 8]])
    runs = bytes([2, 7, 0, 2, 2, 0, 1, 8, 0, 0]) + bytes([0, 5, 1, 2, 3, 4, 5, 0, 0, 0]) + bytes([5, 9, 0, 1])
    (HERE / "runs-8.bmp").write_bytes(bmp(8, 1, runs, table_8))
    expect("runs-8.bmp", table[indices], "rgb")
    runs = bytes([2, 0x77, 0, 2, 2, 0, 1, 0x88, 0, 0]) + bytes([0, 5, 0x12, 0x34, 0x50, 0, 0, 0]) + bytes([5, 0x99, 0, 1])
    (HERE / "runs-4.bmp").write_bytes(bmp(4, 2, runs, table_8[:64]))
    expect("runs-4.bmp", table[indices], "rgb")
    (BAD / "run.bmp").write_bytes(bmp(8, 1, bytes([6, 7, 0, 1]), table_8))
    pixels = np.arange(15, dtype=np.uint16).reshape(3, 5) * 4369
    padded = np.pad(pixels, ((0, 0), (0, 1)))
    for name, packing, extra, widths in (
        ("555.bmp", 0, b"", ((10, 5), (5, 5), (0, 5))),
        ("565.bmp", 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F), ((11, 5), (5, 6), (0, 5))),
    ):
        (HERE / name).write_bytes(bmp(16, packing, padded.astype("<u2").tobytes(), extra, height=-3))
        channels = [np.rint(((pixels >> shift) & ((1 << bits) - 1)) * (255 / ((1 << bits) - 1))) for shift, bits in widths]
        expect(name, np.stack(channels, axis=2).astype(np.uint8), "rgb")


def qois():
    for name, samples in (("rgb.qoi", ramp(37, 45, 3)), ("rgba.qoi", ramp(37, 45, 4))):
        (HERE / name).write_bytes(imagecodecs.qoi_encode(samples))
        expect(name, samples, name[:-4], "qoi:linear=0" if name == "rgba.qoi" else "")


def bad_pngs():
    first = Image.fromarray(ramp(6, 9, 3))
    first.save(BAD / "animated.png", save_all=True, append_images=[first.transpose(0)])
    broken = bytearray((HERE / "rgb-8.png").read_bytes())
    broken[-20] ^= 1
    (BAD / "checksum.png").write_bytes(broken)
    text = b"Title\0\0" + zlib.compress(bytes(20 << 20), 9)
    (BAD / "bomb-text.png").write_bytes(png(1, 1, 8, 0, b"\0\0", chunk(b"zTXt", text)))
    (BAD / "bomb-pixels.png").write_bytes(png(100_000, 100_000, 1, 0, b"\0"))


def box(name, data):
    return struct.pack(">I", 8 + len(data)) + name + data


def full(name, version, data):
    return box(name, struct.pack(">I", version << 24) + data)


def children(data):
    at = 0
    while at < len(data):
        size = struct.unpack_from(">I", data, at)[0]
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def av1_of(avif):
    """The configuration and the frame of an AVIF that libavif wrote with one item."""
    top = dict(children(avif))
    properties = dict(children(dict(children(dict(children(top[b"meta"][4:]))[b"iprp"]))[b"ipco"]))
    return properties[b"av1C"], top[b"mdat"]


def avif(items, references, properties, major=b"avif"):
    """A file of items (type, data, numbers of properties), counted from 1, of which the first is shown."""
    def meta(begin):
        places, infos, uses = b"", b"", b""
        for number, (kind, data, used) in enumerate(items, 1):
            places += struct.pack(">HHHII", number, 0, 1, begin, len(data))
            begin += len(data)
            name = b"\0application/rdf+xml\0" if kind == b"mime" else b"\0"
            infos += full(b"infe", 2, struct.pack(">HH", number, 0) + kind + name)
            uses += struct.pack(">HB", number, len(used)) + bytes(used)
        lists = b"".join(box(kind, struct.pack(f">HH{len(to)}H", of, len(to), *to)) for kind, of, *to in references)
        count = struct.pack(">H", len(items))
        return full(b"meta", 0, b"".join([
            full(b"hdlr", 0, b"\0\0\0\0pict" + bytes(13)), full(b"pitm", 0, struct.pack(">H", 1)),
            full(b"iloc", 0, b"\x44\0" + count + places), full(b"iinf", 0, count + infos),
            full(b"iref", 0, lists) if lists else b"",
            box(b"iprp", box(b"ipco", b"".join(properties)) + full(b"ipma", 0, struct.pack(">I", len(items)) + uses)),
        ]))
    head = box(b"ftyp", major + b"\0\0\0\0" + major + b"mif1miaf")
    begin = len(head) + len(meta(0)) + 8
    return head + meta(begin) + box(b"mdat", b"".join(data for _, data, _ in items))


def size(width, height):
    return full(b"ispe", 0, struct.pack(">II", width, height))


RGB = box(b"colr", b"nclx" + struct.pack(">HHHB", 1, 13, 0, 128))


def avifs():
    code = imagecodecs.avif_encode
    rgb, rgba = ramp(21, 34, 3), ramp(21, 34, 4)
    for name, samples, meaning in (("rgb.avif", rgb, "rgb"), ("rgba.avif", rgba, "rgba"), ("gray.avif", ramp(21, 34, 1), "gray")):
        (HERE / name).write_bytes(code(samples, level=100))
        expect(name, samples, meaning)
    for bits in (10, 12):
        samples = ramp(21, 34, 3, np.uint16) >> (16 - bits)
        (HERE / f"rgb-{bits}.avif").write_bytes(code(samples, level=100, bitspersample=bits))
        wide = np.rint(samples * (65535 / (2**bits - 1))).astype(np.uint16)
        expect(f"rgb-{bits}.avif", wide, "rgb")
    # Tiles of 64 x 64 of which the last ones are cut.
    whole = ramp(100, 150, 3)
    padded = np.pad(whole, ((0, 28), (0, 42), (0, 0)), mode="edge")
    tiles = [av1_of(code(np.ascontiguousarray(padded[y : y + 64, x : x + 64]), level=100)) for y in (0, 64) for x in (0, 64, 128)]
    layout = bytes([0, 0, 1, 2]) + struct.pack(">HH", 150, 100)
    items = [(b"grid", layout, [1, 0x82])] + [(b"av01", frame, [3, 0x84]) for _, frame in tiles]
    properties = [size(150, 100), RGB, size(64, 64), box(b"av1C", tiles[0][0])]
    (HERE / "grid.avif").write_bytes(avif(items, [(b"dimg", 1, *range(2, 8))], properties))
    expect("grid.avif", whole, "rgb")
    # A turn of the container takes the place of that in the Exif block, which here says another.
    configuration, frame = av1_of(code(rgb, level=100))
    shown = [size(34, 21), RGB, box(b"av1C", configuration)]
    more = [box(b"colr", b"prof" + ICC), box(b"irot", b"\1"), box(b"pasp", struct.pack(">II", 4, 3)), box(b"clli", struct.pack(">HH", 500, 60))]
    items = [(b"av01", frame, [1, 2, 0x83, 4, 0x85, 6, 7]), (b"Exif", bytes(4) + EXIF[6:], []), (b"mime", XMP, []), (b"jpeg", b"x", [])]
    about = [(b"cdsc", 2, 1), (b"cdsc", 3, 1), (b"thmb", 4, 1)]
    (HERE / "attributes.avif").write_bytes(avif(items, about, shown + more))
    expect("attributes.avif", rgb, "rgb", f"avif:clli=4 density=3 exif={len(EXIF) - 6} icc={len(ICC)} xmp={len(XMP)}")
    plain = [(b"av01", frame, [1, 2, 0x83])]
    (BAD / "moving.avif").write_bytes(avif(plain, [], shown, major=b"avis"))
    (BAD / "hevc.avif").write_bytes(avif([(b"hvc1", frame, [1, 2])], [], shown))
    (BAD / "size.avif").write_bytes(avif(plain, [], [size(35, 21)] + shown[1:]))
    (BAD / "bomb-pixels.avif").write_bytes(avif(plain, [], [size(60_000, 60_000)] + shown[1:]))
    (BAD / "clap.avif").write_bytes(avif([(b"av01", frame, [1, 2, 0x83, 0x84])], [], shown + [box(b"clap", bytes(32))]))
    (BAD / "matrix.avif").write_bytes(avif(plain, [], [shown[0], RGB[:16] + b"\0\x0e\x80", shown[2]]))
    outside = bytearray(avif(plain, [], shown))
    outside[outside.index(b"iloc") + 20] += 1
    (BAD / "outside.avif").write_bytes(outside)
    opacity = av1_of(code(ramp(21, 34, 1), level=100))
    kind = full(b"auxC", 0, b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")
    both = plain + [(b"av01", opacity[1], [1, 4, 5])]
    links = [(b"auxl", 2, 1), (b"prem", 1, 2)]
    (BAD / "premultiplied.avif").write_bytes(avif(both, links, shown + [box(b"av1C", opacity[0]), kind]))
    few = [(b"grid", layout, [1, 2]), (b"av01", tiles[0][1], [3, 4])]
    (BAD / "grid.avif").write_bytes(avif(few, [(b"dimg", 1, 2)], properties))


def jxls():
    code = lambda samples, **options: imagecodecs.jpegxl_encode(samples, lossless=True, **options)
    for name, channels, bits in (("rgb", 3, 8), ("rgba", 4, 8), ("gray", 1, 8), ("rgb", 3, 16), ("gray", 1, 16)):
        samples = ramp(21, 34, channels, np.uint16 if bits == 16 else np.uint8)
        file = f"{name}-{bits}.jxl"
        (HERE / file).write_bytes(code(samples, usecontainer=bits == 16))
        # What libjxl is not told it takes for linear where it has 16 bits.
        expect(file, samples, name, "png:cICP=4" if bits == 16 else "")
    floats = np.random.default_rng(5).random((9, 11, 3), dtype=np.float32)
    (HERE / "rgb-f32.jxl").write_bytes(code(floats))
    expect("rgb-f32.jxl", floats, "rgb", "png:cICP=4")
    rgb = ramp(21, 34, 3)
    packed = imagecodecs.brotli_encode(XMP)
    boxes = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    boxes += box(b"Exif", bytes(4) + EXIF[6:]) + box(b"brob", b"xml " + packed) + box(b"jumb", b"x")
    (HERE / "attributes.jxl").write_bytes(boxes + box(b"jxlc", code(rgb)))
    # The Exif block says that it is to be turned, which the codestream does not, and that counts.
    expect("attributes.jxl", rgb, "rgb", f"exif={len(EXIF) - 6} xmp={len(XMP)}")
    (BAD / "animated.jxl").write_bytes(code(np.stack([rgb, rgb[::-1]]), photometric="rgb"))
    (BAD / "short.jxl").write_bytes(code(rgb)[:-9])
    bomb = imagecodecs.brotli_encode(bytes(20 << 20))
    (BAD / "bomb-exif.jxl").write_bytes(boxes.split(b"jumb")[0][:-4] + box(b"brob", b"xml " + bomb) + box(b"jxlc", code(rgb)))


if __name__ == "__main__":
    BAD.mkdir(exist_ok=True)
    for make in (pngs, jpegs, webps, tiffs, gifs, bmps, qois, avifs, jxls, bad_pngs):
        make()
    (HERE / "expected.tsv").write_text("# Written by make_images.py\n" + "\n".join(sorted(lines)) + "\n")
