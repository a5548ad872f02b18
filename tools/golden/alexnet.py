"""Writes tests/Delineate.Tests/Goldens/alexnet: logits of a narrow alexnet in torchvision, and the names and shapes of the full one.

Run with PyTorch 1.13 or later and torchvision:  python3 tools/golden/alexnet.py
The narrow network is torchvision's class with every inner channel count divided by NARROW; nothing of its forward pass is changed. The image is no multiple
of any stride, and its last map is smaller than the 6x6 that the classifier sees.
"""
import json
import os

import numpy as np
import torch
import torchvision
from torch import nn

NARROW, CLASSES, HEIGHT, WIDTH = 32, 7, 131, 99
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "tests", "Delineate.Tests", "Goldens", "alexnet")


def narrow(module):
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            cin = 3 if child.in_channels == 3 else child.in_channels // NARROW
            setattr(module, name, nn.Conv2d(cin, child.out_channels // NARROW, child.kernel_size, child.stride, child.padding))
        elif isinstance(child, nn.Linear):
            wide = child.out_features if child.out_features == CLASSES else child.out_features // NARROW
            setattr(module, name, nn.Linear(child.in_features // NARROW, wide))
        else:
            narrow(child)


def main():
    os.makedirs(OUT, exist_ok=True)
    full = torchvision.models.alexnet()
    with open(os.path.join(OUT, "state.txt"), "w") as file:
        for name, value in full.state_dict().items():
            file.write(f"{name}\t{str(value.dtype).split('.')[1]}\t{list(value.shape)}\n")

    torch.manual_seed(7)
    net = torchvision.models.alexnet(num_classes=CLASSES)
    narrow(net)
    for layer in net.modules():  # values that reach the logits: of PyTorch's own start little but the biases would
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.normal_(layer.bias, std=0.1)
    net.eval()
    generator = torch.Generator().manual_seed(11)
    x = torch.randn(1, 3, HEIGHT, WIDTH, generator=generator)
    with torch.no_grad():
        arrays = {"in.x": x, "feat.features": net.features(x), "out": net(x)}
    for name, array in arrays.items():
        np.save(os.path.join(OUT, f"{name}.npy"), array.numpy())
    torch.save(net.state_dict(), os.path.join(OUT, "model.pth"))
    manifest = {
        "meta": {"torch": torch.__version__, "torchvision": torchvision.__version__, "narrow": NARROW, "classes": CLASSES,
                 "params": sum(p.numel() for p in net.state_dict().values())},
        "tensors": {name: {"shape": list(array.shape)} for name, array in arrays.items()},
    }
    with open(os.path.join(OUT, "manifest.json"), "w") as file:
        json.dump(manifest, file, indent=1)


if __name__ == "__main__":
    main()
