#!/usr/bin/env python3
"""Makes the small embedded data set of the demo from the nuclei of the 2018 Data Science Bowl (BBBC038, stage 1, CC0).

usage: make_nuclei.py SOURCE OUTPUT

SOURCE has images/NAME.png (RGB or RGBA), instances/NAME.png (16-bit ids), train.txt and val.txt. Images are chosen evenly over their brightness among those with
at least five nuclei; held-out images come from SOURCE's val.txt. Pictures are stored as 8-bit grey where all three channels agree, else as RGB, and ids as 8-bit grey
where 255 are enough: all of it without loss. Needs Pillow and NumPy.
"""
import hashlib
import json
import pathlib
import shutil
import sys

import numpy
from PIL import Image

# (kind, height, width): how many to train on, how many to hold out
CHOICE = {
    ("fluorescence", 256, 256): (35, 9),
    ("fluorescence", 360, 360): (5, 1),
}
FEWEST_NUCLEI = 5


def read(source, name):
    picture = numpy.asarray(Image.open(source / "images" / f"{name}.png").convert("RGB"))
    ids = numpy.asarray(Image.open(source / "instances" / f"{name}.png")).astype(numpy.int64)
    grey = (picture == picture[..., :1]).all()
    return picture, ids, ("fluorescence" if grey else "stained", *ids.shape)


def choose(source, names, place):
    """Names by kind, evenly spaced over mean brightness; images with equal pixels count once."""
    kinds, seen = {}, set()
    for name in sorted(names):
        picture, ids, kind = read(source, name)
        digest = hashlib.sha256(picture.tobytes()).digest()
        if kind in CHOICE and len(numpy.unique(ids)) > FEWEST_NUCLEI and digest not in seen:
            seen.add(digest)
            kinds.setdefault(kind, []).append((float(picture.mean()), name))
    chosen = []
    for kind, counts in CHOICE.items():
        candidates, count = sorted(kinds[kind]), counts[place]
        chosen += [candidates[(2 * i + 1) * len(candidates) // (2 * count)][1] for i in range(count)]
    return sorted(chosen)


def write(source, output, name):
    picture, ids, kind = read(source, name)
    Image.fromarray(picture[..., 0] if kind[0] == "fluorescence" else picture).save(output / "images" / f"{name}.png", optimize=True)
    depth = numpy.uint8 if ids.max() <= 255 else numpy.uint16
    Image.fromarray(ids.astype(depth)).save(output / "instances" / f"{name}.png", optimize=True)
    with Image.open(output / "images" / f"{name}.png") as again:
        assert (numpy.asarray(again.convert("RGB")) == picture).all(), name
    with Image.open(output / "instances" / f"{name}.png") as again:
        assert (numpy.asarray(again) == ids).all(), name


def main(source, output):
    for folder in ("images", "instances"):
        shutil.rmtree(output / folder, ignore_errors=True)
        (output / folder).mkdir(parents=True)
    for place, split in enumerate(("train", "val")):
        names = choose(source, (source / f"{split}.txt").read_text().split(), place)
        for name in names:
            write(source, output, name)
        (output / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    manifest = {
        "name": "nuclei",
        "description": "Cell nuclei under the microscope, fluorescent: a small part of BBBC038",
        "licence": "CC0-1.0",
        "source": "https://bbbc.broadinstitute.org/BBBC038",
        "classes": ["background", "nucleus"],
        "colors": ["#000000", "#ffb000"],
        "background": "background",
        "masks": {"coding": "instances"},
    }
    (output / "dataset.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
