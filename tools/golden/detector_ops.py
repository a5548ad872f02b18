"""Writes tests/Delineate.Tensors.Tests/Goldens/detector_ops: what torchvision's RoIAlign, RoIPool and NMS do at odd inputs.

Run with PyTorch 1.13 or later and torchvision:  python3 tools/golden/detector_ops.py
Regions lie on, over and beyond the map's edges, are empty, or have their edges the wrong way round. Boxes for NMS have corners on whole pixels and few
different scores, so that overlaps are the threshold exactly and scores are equal at times; `many` is above the number of boxes from which torchvision
goes through the groups one by one.
"""
import json
import os

import numpy as np
import torch
from torchvision import ops

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "tests", "Delineate.Tensors.Tests", "Goldens", "detector_ops")
SCALE, SIZE = 0.25, (3, 5)
ALIGN = {"align": (-1, False), "align.2": (2, False), "align.aligned": (-1, True), "align.aligned.3": (3, True)}


def regions(tensors):
    rng = np.random.default_rng(5)
    x = torch.from_numpy(rng.normal(size=(2, 19, 9, 11)).astype(np.float32))
    rois = torch.tensor([
        [0, 0, 0, 44, 36], [1, 7.3, 9.1, 31.7, 20.2], [0, -30, -25.5, 70, 80], [1, 20, 20, 20, 20], [1, 30, 25, 10.5, 4], [0, 60, 50, 80, 70],
        [0, -4, -4, 8, 8], [1, 38.2, 30.9, 46.1, 41], [0, 12.25, 3, 12.5, 33], [1, 2.5, 2.5, 42, 34.5],
    ])
    dy = torch.from_numpy(rng.normal(size=(len(rois), 19, *SIZE)).astype(np.float32))
    tensors.update(map=x, rois=rois, dy=dy)
    for name, (ratio, aligned) in ALIGN.items():
        there_and_back(tensors, name, x, dy, lambda x: ops.roi_align(x, rois, SIZE, SCALE, ratio, aligned))
    there_and_back(tensors, "pool", x, dy, lambda x: ops.roi_pool(x, rois, SIZE, SCALE))


def there_and_back(tensors, name, x, dy, op):
    leaf = x.clone().requires_grad_()
    y = op(leaf)
    y.backward(dy)
    tensors[name] = y.detach()
    tensors[f"{name}.dx"] = leaf.grad


def boxes(tensors, name, count, thresholds):
    rng = np.random.default_rng(count)
    heap = rng.integers(0, 1 + count // 8, count)
    corner = np.stack([heap * 37 % 600, heap * 53 % 400], 1) + rng.integers(0, 6, (count, 2))
    b = torch.from_numpy(np.concatenate([corner, corner + rng.integers(0, 21, (count, 2))], 1).astype(np.float32))
    s = torch.from_numpy((rng.integers(0, 50, count) / 50).astype(np.float32))
    g = torch.from_numpy(rng.integers(0, 3, count))
    tensors.update({f"{name}.boxes": b, f"{name}.scores": s, f"{name}.groups": g.to(torch.int32)})
    for t in thresholds:
        tensors[f"{name}.{t}.keep"] = ops.nms(b, s, t).to(torch.int32)
        # Above 1000 boxes torchvision sorts what stays in whatever order it likes among equal scores: here by rising index, as below.
        stays = ops.batched_nms(b, s, g, t).sort()[0]
        tensors[f"{name}.{t}.keep_per_group"] = stays[s[stays].sort(descending=True, stable=True)[1]].to(torch.int32)
    iou = ops.box_iou(b, b)
    print(name, "pairs at a threshold:", {t: int((iou == np.float32(t)).sum()) // 2 for t in thresholds})


def main():
    torch.set_num_threads(1)
    tensors = {}
    regions(tensors)
    boxes(tensors, "few", 300, (0.3, 0.5))
    boxes(tensors, "many", 1300, (0.3, 0.7))
    os.makedirs(OUT, exist_ok=True)
    for name, tensor in tensors.items():
        np.save(os.path.join(OUT, f"{name}.npy"), tensor.numpy())
    with open(os.path.join(OUT, "manifest.json"), "w") as file:
        json.dump({"meta": {"torch": torch.__version__}, "tensors": {name: {"shape": list(t.shape)} for name, t in tensors.items()}}, file, indent=1)


if __name__ == "__main__":
    main()
