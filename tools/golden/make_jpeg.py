"""Writes tests/Delineate.Imaging.Tests/Fixtures/jpeg.json: JPEG files of every kind the decoder reads, with the pixels PIL (libjpeg-turbo) decodes from them.

Most come from PIL's encoder. Kinds that it cannot write (odd sampling factors, restart markers, components in scans of their own, 16-bit quantization
tables, YCCK, RGB) come from the small writer below.  usage: python3 tools/golden/make_jpeg.py   (needs Pillow 9 or later and numpy)
"""
import base64, io, json, os, struct, zlib
import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(HERE, "../../tests/Delineate.Imaging.Tests/Fixtures/jpeg.json")
ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8 if (i // 8 + i % 8) % 2 else i % 8)))


def picture(height, width, seed=0):
    """Slopes, hard edges and noise: something in every frequency."""
    rng = np.random.RandomState(1001 + seed)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    rgb = np.stack([x * 255 / max(1, width - 1), y * 255 / max(1, height - 1), 127 + 120 * np.sin((x + 2 * y) / 5)], -1)
    rgb[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(height, width) / 3) ** 2] = (240, 30, 60)
    rgb += rng.normal(0, 6, rgb.shape)
    return np.clip(rgb, 0, 255).astype(np.uint8)


class Bits:
    def __init__(self):
        self.bits = []

    def put(self, value, count):
        self.bits += [(value >> (count - 1 - i)) & 1 for i in range(count)]

    def bytes(self):
        bits = self.bits + [1] * (-len(self.bits) % 8)
        raw = bytes(int("".join(map(str, bits[i:i + 8])), 2) for i in range(0, len(bits), 8))
        return raw.replace(b"\xff", b"\xff\x00")


# One code for all tables: every symbol has a code of 8 or 9 bits (that length is legal for 256 symbols, all-ones left out), save symbol 0, with 2.
SYMBOLS = [0] + [s for s in range(1, 256)]
COUNTS = [0, 1, 0, 0, 0, 0, 0, 128, 127, 0, 0, 0, 0, 0, 0, 0]


def codes():
    table, code, k = {}, 0, 0
    for length, count in enumerate(COUNTS, 1):
        for _ in range(count):
            table[SYMBOLS[k]] = (code, length)
            code, k = code + 1, k + 1
        code <<= 1
    return table


CODES = codes()
DC_COUNTS = [0, 0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]  # the last code, of 16 bits, is longer than any lookup
DC_SYMBOLS = list(range(16))


def dc_codes():
    table, code, k = {}, 0, 0
    for length, count in enumerate(DC_COUNTS, 1):
        for _ in range(count):
            table[DC_SYMBOLS[k]] = (code, length)
            code, k = code + 1, k + 1
        code <<= 1
    return table


DC_CODES = dc_codes()


def put_number(bits, value, size):
    bits.put(value if value > 0 else value + (1 << size) - 1, size)


def segment(code, content):
    return struct.pack(">BBH", 0xFF, code, len(content) + 2) + content


def write(planes, size, sampling, ids, *, quant, separate=False, restart=0, bands=None, app=b"", wide_quant=False, sof=None):
    """Planes at their own resolution (float, 0..255). bands: a progressive file with these bands, of which the first is (0, 0)."""
    height, width = size
    hmax, vmax = max(h for h, _ in sampling), max(v for _, v in sampling)
    mw, mh = -(-width // (8 * hmax)), -(-height // (8 * vmax))
    k = np.arange(8)
    basis = np.cos((2 * k[None] + 1) * k[:, None] * np.pi / 16) * np.where(k[:, None] == 0, np.sqrt(1 / 8), 0.5)
    coefficients = []
    for plane, (h, v) in zip(planes, sampling):
        full = np.pad(plane, ((0, mh * v * 8 - plane.shape[0]), (0, mw * h * 8 - plane.shape[1])), "edge") - 128.0
        blocks = full.reshape(mh * v, 8, mw * h, 8).transpose(0, 2, 1, 3)
        c = np.rint((basis @ blocks @ basis.T) / quant).astype(int)
        coefficients.append(c.reshape(mh * v, mw * h, 64)[..., ZIGZAG])
    out = b"\xff\xd8" + app
    zig = np.asarray(quant).reshape(64)[ZIGZAG]
    out += segment(0xDB, b"\x10" + struct.pack(">64H", *zig) if wide_quant else b"\x00" + bytes(zig.tolist()))
    frame = struct.pack(">BHHB", 8, height, width, len(planes))
    for i, (h, v) in zip(ids, sampling):
        frame += bytes([i, h << 4 | v, 0])
    out += segment(sof or (0xC2 if bands else 0xC0), frame)
    out += segment(0xC4, b"\x00" + bytes(DC_COUNTS) + bytes(DC_SYMBOLS) + b"\x10" + bytes(COUNTS) + bytes(SYMBOLS))
    if restart:
        out += segment(0xDD, struct.pack(">H", restart))

    def scan(which, first, last):
        header = bytes([len(which)]) + b"".join(bytes([ids[c], 0x00]) for c in which) + bytes([first, last, 0])
        mcus = []
        if len(which) == 1:
            c = which[0]
            h, v = sampling[c]
            bw, bh = -(-(-(-width * h // hmax)) // 8), -(-(-(-height * v // vmax)) // 8)
            mcus = [[(c, y, x)] for y in range(bh) for x in range(bw)]
        else:
            for my in range(mh):
                for mx in range(mw):
                    mcus.append([(c, my * sampling[c][1] + y, mx * sampling[c][0] + x)
                                 for c in which for y in range(sampling[c][1]) for x in range(sampling[c][0])])
        data, bits, last_dc = b"", Bits(), {c: 0 for c in which}
        for n, mcu in enumerate(mcus):
            if restart and n and n % restart == 0:
                data += bits.bytes() + bytes([0xFF, 0xD0 + (n // restart - 1) % 8])
                bits, last_dc = Bits(), {c: 0 for c in which}
            for c, y, x in mcu:
                block = coefficients[c][y, x]
                if first == 0:
                    difference = int(block[0]) - last_dc[c]
                    last_dc[c] = int(block[0])
                    bits.put(*DC_CODES[abs(difference).bit_length()])
                    put_number(bits, difference, abs(difference).bit_length())
                run = 0
                for value in map(int, block[max(first, 1):last + 1]):
                    if value == 0:
                        run += 1
                        continue
                    while run > 15:
                        bits.put(*CODES[0xF0])
                        run -= 16
                    bits.put(*CODES[run << 4 | abs(value).bit_length()])
                    put_number(bits, value, abs(value).bit_length())
                    run = 0
                if run:
                    bits.put(*CODES[0])
        return segment(0xDA, header) + data + bits.bytes()

    everything = range(len(planes))
    if bands:
        for first, last in bands:
            out += scan(everything, 0, 0) if first == 0 else b"".join(scan([c], first, last) for c in everything)
    elif separate:
        out += b"".join(scan([c], 0, 63) for c in everything)
    else:
        out += scan(everything, 0, 63)
    return out + b"\xff\xd9"


def planes_of(channels, size, sampling):
    """Component planes by area means, at ceil(size · factor / largest factor)."""
    height, width = size
    hmax, vmax = max(h for h, _ in sampling), max(v for _, v in sampling)
    planes = []
    for i, (h, v) in enumerate(sampling):
        shape = (-(-width * h // hmax), -(-height * v // vmax))
        planes.append(np.asarray(Image.fromarray(channels[..., i]).resize(shape, Image.BOX), float))
    return planes


QUANT = np.clip(2 + np.add.outer(np.arange(8), np.arange(8)) * 2, 1, 255)
ADOBE = {t: segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00" + bytes([t])) for t in (0, 1, 2)}
JFIF = segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
fixtures = []


def add(name, data, turn=False):
    image = Image.open(io.BytesIO(data))
    image.load()
    pixels = np.asarray((ImageOps.exif_transpose(image) if turn else image).convert("RGB"))
    fixtures.append({"name": name, "height": pixels.shape[0], "width": pixels.shape[1], "file": base64.b64encode(data).decode(),
                     "pixels": base64.b64encode(zlib.compress(pixels.tobytes(), 9)).decode()})


def saved(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def custom(name, size, sampling, ids=(1, 2, 3, 4), space="YCbCr", **options):
    channels = np.asarray(Image.fromarray(picture(*size, seed=len(fixtures))).convert(space))
    channels = channels if channels.ndim == 3 else channels[..., None]
    add(name, write(planes_of(channels, size, sampling), size, sampling, ids, **{"quant": QUANT, "app": JFIF, **options}))


NAMES = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
for height, width in [(1, 1), (1, 2), (2, 1), (2, 4), (3, 3), (5, 6), (7, 9), (8, 8), (9, 7), (15, 17), (16, 16), (17, 19), (18, 5), (33, 65)]:
    for subsampling in (0, 1, 2):
        add(f"{NAMES[subsampling]}, {height}x{width}", saved(Image.fromarray(picture(height, width)), subsampling=subsampling, quality=85))
for subsampling in (0, 1, 2):
    for quality in (10, 50, 92, 100):
        add(f"progressive {NAMES[subsampling]}, quality {quality}",
            saved(Image.fromarray(picture(37, 51)), subsampling=subsampling, quality=quality, progressive=True))
add("baseline, quality 1", saved(Image.fromarray(picture(37, 51)), quality=1))
add("baseline, quality 100, optimized tables", saved(Image.fromarray(picture(37, 51)), quality=100, subsampling=0, optimize=True))
add("grey", saved(Image.fromarray(picture(21, 35)).convert("L"), quality=80))
add("progressive grey", saved(Image.fromarray(picture(21, 35)).convert("L"), quality=80, progressive=True))
add("CMYK of Adobe", saved(Image.fromarray(picture(21, 35)).convert("CMYK"), quality=80))
add("progressive CMYK of Adobe", saved(Image.fromarray(picture(21, 35)).convert("CMYK"), quality=80, progressive=True))
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    add(f"orientation {orientation}", saved(Image.fromarray(picture(11, 18)), quality=90, subsampling=0, exif=exif), turn=True)

for label, sampling in [("4:1:1", [(4, 1), (1, 1), (1, 1)]), ("4:4:0", [(1, 2), (1, 1), (1, 1)]), ("4:1:0", [(4, 2), (1, 1), (1, 1)]),
                        ("4:4:4 declared 2x2", [(2, 1), (2, 1), (2, 1)]), ("3x2 luma", [(3, 2), (1, 1), (1, 1)]), ("1x4 luma", [(1, 4), (1, 2), (1, 1)]),
                        ("subsampled luma", [(1, 1), (2, 2), (2, 1)]), ("Cb 4:2:0, Cr 4:2:2", [(2, 2), (1, 1), (1, 2)])]:
    custom(label, (29, 43), sampling)
    custom(label + ", one pixel wide", (19, 1), sampling)
    custom(label + ", one scan per component", (29, 43), sampling, separate=True)
    custom(label + ", progressive", (29, 43), sampling, bands=[(0, 0), (1, 5), (6, 63)])
custom("grey declared 2x2", (21, 35), [(2, 2)], space="L")
custom("grey declared 2x2, progressive", (21, 35), [(2, 2)], space="L", bands=[(0, 0), (1, 63)])
for interval in (1, 2, 5, 100):
    custom(f"4:2:0, restart every {interval}", (45, 61), [(2, 2), (1, 1), (1, 1)], restart=interval)
custom("one scan per component, restart every 3", (45, 61), [(2, 2), (1, 1), (1, 1)], restart=3, separate=True)
custom("progressive, restart every 3", (45, 61), [(2, 2), (1, 1), (1, 1)], restart=3, bands=[(0, 0), (1, 5), (6, 63)])
custom("extended sequential", (21, 35), [(2, 1), (1, 1), (1, 1)], sof=0xC1)
custom("16-bit quantization", (21, 35), [(2, 1), (1, 1), (1, 1)], sof=0xC1, wide_quant=True, quant=QUANT + 300)
custom("RGB by name", (21, 35), [(1, 1)] * 3, ids=(82, 71, 66), space="RGB", app=b"")
custom("RGB by Adobe marker", (21, 35), [(1, 1)] * 3, space="RGB", app=ADOBE[0])
custom("YCbCr by Adobe marker", (21, 35), [(2, 2), (1, 1), (1, 1)], app=ADOBE[1])
custom("YCbCr, nothing said", (21, 35), [(2, 2), (1, 1), (1, 1)], app=b"", ids=(7, 8, 9))
custom("CMYK, nothing said", (21, 35), [(1, 1)] * 4, space="CMYK", app=b"")
custom("CMYK by Adobe marker, subsampled", (21, 35), [(2, 2), (1, 1), (1, 1), (2, 2)], space="CMYK", app=ADOBE[0])
custom("YCCK by Adobe marker", (21, 35), [(2, 2), (1, 1), (1, 1), (2, 2)], space="CMYK", app=ADOBE[2])

with open(TARGET, "w") as f:
    json.dump(fixtures, f, indent=1)
    f.write("\n")
print(len(fixtures), "fixtures,", os.path.getsize(TARGET), "bytes")
