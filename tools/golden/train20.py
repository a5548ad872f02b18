"""Writes tests/Delineate.Tests/Goldens/train20: 20 SGD steps of a narrow fcn_resnet50 in PyTorch.

Run with PyTorch 1.13 or later and torchvision:  python3 tools/golden/train20.py
The network is torchvision's, every inner channel count divided by NARROW. Dropout is off, everything else is the usual recipe: momentum 0.9,
weight decay 1e-4, poly 0.9 per step, loss = out + 0.5 * aux, the auxiliary head at 10 times the rate, 255 ignored.
"""
import json
import os

import numpy as np
import torch
import torchvision
from torch import nn

NARROW, CLASSES, STEPS, BATCHES, RATE = 16, 5, 20, 4, 0.01
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "tests", "Delineate.Tests", "Goldens", "train20")


def narrow(module):
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            cin = child.in_channels if child.in_channels == 3 else child.in_channels // NARROW
            cout = child.out_channels if child.out_channels == CLASSES else child.out_channels // NARROW
            setattr(module, name, nn.Conv2d(cin, cout, child.kernel_size, child.stride, child.padding, child.dilation, bias=child.bias is not None))
        elif isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.BatchNorm2d(child.num_features // NARROW))
        elif isinstance(child, nn.Dropout):
            child.p = 0.0
        else:
            narrow(child)


def make():
    torch.manual_seed(7)
    net = torchvision.models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=True)
    narrow(net)
    for m in net.backbone.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    # Every block begins as its shortcut (torchvision's zero_init_residual). From other random weights, batch norm over so few values makes the
    # training chaotic: float32 and float64 part by some percent within three steps.
    for m in net.backbone.modules():
        if isinstance(m, torchvision.models.resnet.Bottleneck):
            nn.init.zeros_(m.bn3.weight)
    return net.train()


def batches():
    """Smooth coloured blobs with the blob's number as its label, so that there is something to learn."""
    rng = np.random.default_rng(11)
    n, h, w = 2, 65, 65
    y, x = np.mgrid[0:h, 0:w]
    images, labels = [], []
    colours = rng.integers(30, 226, (CLASSES, 3))
    for _ in range(BATCHES * n):
        centres = rng.uniform(0, 65, (9, 2))
        kinds = np.concatenate([np.arange(CLASSES), rng.integers(0, CLASSES, 4)])
        nearest = np.argsort(np.stack([(y - c[0]) ** 2 + (x - c[1]) ** 2 for c in centres]), axis=0)
        label = kinds[nearest[0]].astype(np.uint8)
        image = np.clip(colours[label] + rng.normal(0, 25, (h, w, 3)), 0, 255).astype(np.uint8)
        label[rng.random((h, w)) < 0.05] = 255
        images.append(image)
        labels.append(label)
    return np.stack(images).reshape(BATCHES, n, h, w, 3), np.stack(labels).reshape(BATCHES, n, h, w)


def train(net, images, labels, dtype):
    net = net.to(dtype)
    main = [p for k, p in net.named_parameters() if not k.startswith("aux_classifier")]
    optimizer = torch.optim.SGD([{"params": main}, {"params": net.aux_classifier.parameters(), "lr": 10 * RATE}], lr=RATE, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 - step / STEPS) ** 0.9)
    losses = []
    for step in range(STEPS):
        x = torch.tensor(images[step % BATCHES]).permute(0, 3, 1, 2).to(dtype) / 127.5 - 1
        t = torch.tensor(labels[step % BATCHES]).long()
        out = net(x)
        loss = nn.functional.cross_entropy(out["out"], t, ignore_index=255) + 0.5 * nn.functional.cross_entropy(out["aux"], t, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def main():
    os.makedirs(OUT, exist_ok=True)
    torch.set_num_threads(1)
    images, labels = batches()
    net = make()
    start = {k: v.clone() for k, v in net.state_dict().items()}
    losses = train(net, images, labels, torch.float32)
    net.load_state_dict(start)
    exact = train(net, images, labels, torch.float64)
    drift = max(abs(a - b) / b for a, b in zip(losses, exact))
    print("losses", [round(v, 4) for v in losses], "\nlargest relative difference to float64:", drift)
    torch.save(start, os.path.join(OUT, "model.pth"))
    np.save(os.path.join(OUT, "in.images.npy"), images)
    np.save(os.path.join(OUT, "in.labels.npy"), labels)
    np.save(os.path.join(OUT, "out.losses.npy"), np.array(exact))
    meta = {"arch": "fcn_resnet50", "narrow": NARROW, "classes": CLASSES, "steps": STEPS, "batches": BATCHES, "rate": RATE, "torch": torch.__version__, "float32_drift": drift}
    tensors = {n: {} for n in ("in.images", "in.labels", "out.losses")}
    with open(os.path.join(OUT, "manifest.json"), "w") as f:
        json.dump({"meta": meta, "tensors": tensors}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
