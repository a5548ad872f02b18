"""Writes tests/Delineate.Imaging.Tests/Fixtures/png.json: small PNG files of every kind, and the pixels that Pillow reads from them.

Pillow writes neither interlaced files nor 16-bit colours, so the files are put together here. Run it again with: python3 tools/golden/make_png.py
"""
import base64
import io
import json
import pathlib
import random
import struct
import zlib

from PIL import Image

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [(0, d) for d in (1, 2, 4, 8, 16)] + [(3, d) for d in (1, 2, 4, 8)] + [(c, d) for c in (2, 4, 6) for d in (8, 16)]
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
PALETTE = [((i * 37) % 256, (i * 91 + 5) % 256, (255 - i * 13) % 256) for i in range(256)]


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def pack_row(samples, depth):
    if depth == 16:
        return b"".join(struct.pack(">H", s) for s in samples)
    bits = "".join(format(s, f"0{depth}b") for s in samples)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filter_row(kind, row, above, step):
    out = bytearray([kind])
    for i, x in enumerate(row):
        a, b, c = (row[i - step] if i >= step else 0), above[i], (above[i - step] if i >= step else 0)
        out.append((x - [0, a, b, (a + b) // 2, paeth(a, b, c)][kind]) & 255)
    return bytes(out)


def make(color, depth, height, width, interlaced, rng):
    channels = CHANNELS[color]
    step = max(1, channels * depth // 8)
    top = (1 << depth) - 1
    # Smooth with noise, so that every filter has something to predict.
    pixels = [[[(((y * 7 + x * 5 + k * 11) * top // 200) + rng.randrange(top // 8 + 2)) & top for k in range(channels)] for x in range(width)] for y in range(height)]
    raw = b""
    for y0, x0, dy, dx in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        rows = [sum(row[x0::dx], []) for row in pixels[y0::dy]]
        if not rows or not rows[0]:
            continue
        above = bytes(len(pack_row(rows[0], depth)))
        for n, samples in enumerate(rows):
            row = pack_row(samples, depth)
            raw += filter_row((n + rng.randrange(2)) % 5, row, above, step)
            above = row
    data = zlib.compress(raw, 9)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced)))
    if color == 3:
        file += chunk(b"PLTE", bytes(v for c in PALETTE[:1 << depth] for v in c)) + chunk(b"tRNS", bytes([0, 128]))
    file += chunk(b"tEXt", b"Title\0fixture") + chunk(b"IDAT", data[:40]) + chunk(b"IDAT", b"") + chunk(b"IDAT", data[40:]) + chunk(b"IEND", b"")
    return file


def main():
    rng = random.Random(7)
    fixtures = []
    for color, depth in KINDS:
        for interlaced in (False, True):
            height, width = rng.randrange(1, 20), rng.randrange(1, 24)
            file = make(color, depth, height, width, interlaced, rng)
            image = Image.open(io.BytesIO(file))
            image.load()
            assert image.size == (width, height)
            if image.mode == "1":
                image = image.convert("L")
            fixtures.append({
                "name": f"color {color}, {depth} bits, {height}x{width}" + (", interlaced" if interlaced else ""),
                "file": base64.b64encode(file).decode(),
                "mode": image.mode,
                "pixels": base64.b64encode(image.tobytes()).decode(),
            })
    target = pathlib.Path(__file__).parents[2] / "tests/Delineate.Imaging.Tests/Fixtures/png.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(fixtures, indent=1) + "\n")
    print(len(fixtures), "files,", target.stat().st_size, "bytes", sorted({f["mode"] for f in fixtures}))


main()
