"""PyTorch's side of `Delineate.Bench load` (which starts it; it is not meant to be run by hand).

    load_bench.py make FOLDER         saves fcn_resnet101 of torchvision, full size with auxiliary head, random weights, in both formats of torch.save
    load_bench.py serve FILE WORK     loads the file whenever a line comes, and answers with the milliseconds that it took, by the clock and of processor time

WORK is `new`, torch.load alone, or `into`, torch.load and load_state_dict of a network that exists.
"""
import gc
import json
import os
import sys
import time

import torch
from torchvision.models import segmentation


def network():
    return segmentation.fcn_resnet101(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)


def make(folder):
    os.makedirs(folder, exist_ok=True)
    files = {os.path.join(folder, f"fcn_resnet101_{form}.pth"): form == "zip" for form in ("zip", "stream")}
    if all(map(os.path.exists, files)):
        return
    torch.manual_seed(7)
    state = network().state_dict()
    for path, zipped in files.items():
        torch.save(state, path + ".partial", _use_new_zipfile_serialization=zipped)
        os.replace(path + ".partial", path)


def serve(path, work):
    target = network() if work == "into" else None
    print(json.dumps({"ready": True}), flush=True)
    state = None
    for _ in sys.stdin:
        state = None  # what the last load made is given back before the next
        gc.collect()
        start, processor = time.perf_counter(), time.process_time()
        state = torch.load(path, map_location="cpu")
        if target is not None:
            target.load_state_dict(state)
        took, processor = time.perf_counter() - start, time.process_time() - processor
        made = 0 if target is not None else sum(t.numel() * t.element_size() for t in state.values())
        print(json.dumps({"ms": took * 1e3, "cpu_ms": processor * 1e3, "new_bytes": made}), flush=True)


if __name__ == "__main__":
    {"make": make, "serve": serve}[sys.argv[1]](*sys.argv[2:])
