"""Renders DejaVu Sans to the glyph file that Delineate.Imaging embeds.

    python3 tools/font/make_font.py /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf src/Delineate.Imaging/Drawing/dejavu-sans.glyphs

The file is zlib-compressed and little-endian:
    u16 characters, u8 sizes, u16 code point of each character (ascending)
    for each size: u8 pixels, u8 ascent, u8 descent
        for each character: u8 advance, i8 left of the bitmap, i8 top of the bitmap below the top of the line, u8 width, u8 height, alpha[height, width]
"""
import struct
import sys
import zlib

from PIL import Image, ImageDraw, ImageFont

SIZES = [12, 16, 24, 36]
CHARACTERS = sorted([*range(0x20, 0x7F), *range(0xA0, 0x180), *map(ord, "€–—‘’“”…•−≥≤→←↑↓₀₁₂₃₄ᵀ⌊⌋∞√ΣⁿΔ")])


def glyph(font, code):
    text = chr(code)
    left, top, right, bottom = font.getbbox(text, anchor="la")
    width, height = max(right - left, 0), max(bottom - top, 0)
    bitmap = Image.new("L", (max(width, 1), max(height, 1)))
    ImageDraw.Draw(bitmap).text((-left, -top), text, fill=255, font=font, anchor="la")
    ink = bitmap.getbbox()
    if ink is None:
        left = top = width = height = 0
        alpha = b""
    else:
        bitmap = bitmap.crop(ink)
        left, top = left + ink[0], top + ink[1]
        width, height = bitmap.size
        alpha = bitmap.tobytes()
    return struct.pack("<BbbBB", round(font.getlength(text)), left, top, width, height) + alpha


def main(source, target):
    parts = [struct.pack("<HB", len(CHARACTERS), len(SIZES)), struct.pack(f"<{len(CHARACTERS)}H", *CHARACTERS)]
    for size in SIZES:
        font = ImageFont.truetype(source, size, layout_engine=ImageFont.LAYOUT_BASIC)
        ascent, descent = font.getmetrics()
        parts.append(struct.pack("<BBB", size, ascent, descent))
        parts.extend(glyph(font, code) for code in CHARACTERS)
    data = zlib.compress(b"".join(parts), 9)
    with open(target, "wb") as file:
        file.write(data)
    print(f"{target}: {len(CHARACTERS)} characters at {SIZES} pixels, {len(data)} bytes")


main(*sys.argv[1:])
