"""The peer of `delineate train --recipe recipes/nuclei.json` on a folder of instance masks: Mask R-CNN on ResNet-18 with a pyramid, torchvision's own.

    LD_LIBRARY_PATH=bench/peers/openblas /usr/bin/python3 bench/peers/train_nuclei.py --data DIR --output DIR --minutes 60 [--threads 1] [--rate 0.001]

The recipe: random weights, norms that learn, images brought to mean 0 and deviation 1 by their own figures and resized to 384 (at most 640), flips of both
kinds, brightness, contrast and saturation by up to a fifth, batches of 2, AdamW with a weight decay of 0.01, half an epoch of linear warm-up from a
thousandth, then half a cosine over the minutes that it is given for training. After each epoch, and in the end, it writes what it finds in the validation images as
COCO's results, which `delineate eval --results` scores by the same measure as its own; log.jsonl has the seconds and the losses up to there.
"""
import argparse
import json
import math
import os
import random
import time

import numpy as np
import torch
from PIL import Image
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.transforms import ColorJitter


def standardized(image):
    """[H, W, 3] of 0…255 → [3, H, W] of mean 0 and deviation 1, channel by channel."""
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
    mean, square = x.mean((1, 2), keepdim=True), x.square().mean((1, 2), keepdim=True)
    return (x - mean) / (square - mean.square()).clamp(min=0).sqrt().clamp(min=1e-3)


def read(root, split):
    with open(os.path.join(root, split + ".txt")) as f:
        names = f.read().split()
    return [(n, Image.open(os.path.join(root, "images", n + ".png")).convert("RGB"), np.array(Image.open(os.path.join(root, "instances", n + ".png"))).astype(np.int32))
            for n in names]


def target(ids):
    present = np.unique(ids)
    masks, boxes = [], []
    for k in present[present > 0]:
        mask = ids == k
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        masks.append(mask)
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    count = len(boxes)
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(count, 4),
        "labels": torch.ones(count, dtype=torch.int64),
        "masks": torch.from_numpy(np.stack(masks) if count else np.zeros((0, *ids.shape), bool)).to(torch.uint8),
    }


def run_lengths(mask):
    """COCO's uncompressed run lengths: column by column, zeros first."""
    flat = np.concatenate([[0], mask.T.reshape(-1).astype(np.int8), [0]])
    changes = np.flatnonzero(np.diff(flat))
    ends = np.concatenate([[0], changes, [mask.size]]) if changes.size == 0 or changes[-1] != mask.size else np.concatenate([[0], changes])
    return [int(v) for v in np.diff(ends)]


@torch.no_grad()
def evaluate(network, samples, path):
    network.eval()
    found = []
    for i, (name, image, _) in enumerate(samples):
        out = network([standardized(image)])[0]
        for box, score, mask in zip(out["boxes"].tolist(), out["scores"].tolist(), out["masks"]):
            binary = (mask[0] >= 0.5).numpy()
            found.append({"image_id": i + 1, "file_name": name + ".png", "category_id": 1, "score": score,
                          "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                          "segmentation": {"size": list(binary.shape), "counts": run_lengths(binary)}})
    with open(path, "w") as f:
        json.dump(found, f)
    network.train()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", required=True)
    p.add_argument("--output", required=True)
    p.add_argument("--minutes", type=float, required=True)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--rate", type=float, default=0.001)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    rng = random.Random(a.seed)
    os.makedirs(a.output, exist_ok=True)
    train, val = read(a.data, "train"), read(a.data, "val")
    network = MaskRCNN(
        resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5, norm_layer=torch.nn.BatchNorm2d), num_classes=2,
        min_size=384, max_size=640, image_mean=[0, 0, 0], image_std=[1, 1, 1], box_detections_per_img=200, box_batch_size_per_image=128,
        rpn_pre_nms_top_n_train=500, rpn_post_nms_top_n_train=500, rpn_pre_nms_top_n_test=500, rpn_post_nms_top_n_test=300)
    network.train()
    jitter = ColorJitter(0.2, 0.2, 0.2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=a.rate, weight_decay=0.01)
    steps = (len(train) + 1) // 2
    warm, step, trained, budget = steps // 2, 0, 0.0, 60 * a.minutes
    log = open(os.path.join(a.output, "log.jsonl"), "w")
    order, warmed, sums, since = [], 0.0, {}, 0
    while trained < budget:
        started = time.time()
        if not order:
            order = list(range(len(train)))
            rng.shuffle(order)
        images, targets = [], []
        for k in order[:2]:
            _, image, ids = train[k]
            if rng.random() < 0.5:
                image, ids = image.transpose(Image.FLIP_LEFT_RIGHT), ids[:, ::-1]
            if rng.random() < 0.5:
                image, ids = image.transpose(Image.FLIP_TOP_BOTTOM), ids[::-1]
            images.append(standardized(jitter(image)))
            targets.append(target(ids))
        order = order[2:]
        share = 0.001 + 0.999 * step / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (trained - warmed) / (budget - warmed)))
        for group in optimizer.param_groups:
            group["lr"] = a.rate * share
        losses = network(images, targets)
        loss = sum(losses.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step, since = step + 1, since + 1
        for key, value in losses.items():
            sums[key] = sums.get(key, 0) + float(value.detach())
        trained += time.time() - started
        if step == warm:
            warmed = trained
        if step % 20 == 0:
            print(f"step {step}: loss {float(loss.detach()):.3f}, {trained / step:.2f} s a step", flush=True)
        if not order or trained >= budget:
            evaluate(network, val, os.path.join(a.output, f"results_{step}.json"))
            means = {key: value / since for key, value in sums.items()}
            log.write(json.dumps({"step": step, "epoch": step / steps, "trained": trained, "loss": sum(means.values()), **means}) + "\n")
            log.flush()
            sums, since = {}, 0


if __name__ == "__main__":
    main()
