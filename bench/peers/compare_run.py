"""Compares `delineate run` with torchvision, and takes weights there and back: full-size networks, fresh random weights, an odd-sized input.

    compare_run.py Delineate.Cli.dll [--size 257x341] [--seed N] [--strict] [--only NAME ...] [--double]

For each network, with and without an auxiliary head, it saves a random state dict with perturbed batch-norm statistics, runs both, and prints the
largest difference as a share of torchvision's largest value. With --double, torchvision also runs in float64, and the errors of both are told against
that: random deep networks can be ill-conditioned, and then the difference of two float32 runs says nothing about either.

The state dict is also converted to a .pth, and to .safetensors and from there to a .pth, with `delineate weights convert`. torchvision's network must take
both with load_state_dict(strict=True), hold the original values in every bit, and give the original output. Ends with 1 where a network is off by more
than 2e-4 or came back changed.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from torchvision.models import segmentation

LIMIT = 2e-4
NETWORKS = [
    "fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large",
]


def build(name, auxiliary):
    options = {} if name.startswith("lraspp") else {"aux_loss": auxiliary}
    network = segmentation.__dict__[name](weights=None, weights_backbone=None, num_classes=21, **options)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def run(network, x):
    with torch.no_grad():
        return {name: value.numpy() for name, value in network(x).items()}


def error(ours, truth):
    if ours.shape != truth.shape:
        return float("inf")
    return float(np.abs(ours.astype(np.float64) - truth).max() / np.abs(truth).max())


def convert(program, name, source, target):
    subprocess.run(["dotnet", program, "weights", "convert", source, "--model", name, "--output", target], check=True, stdout=subprocess.DEVNULL)
    return target


def came_back(name, auxiliary, path, original, x, truth):
    """What is wrong with a converted state dict: nothing, where torchvision's network takes it and is the same with it."""
    network = build(name, auxiliary)  # other random values than the original's
    network.load_state_dict(torch.load(path, map_location="cpu"), strict=True)
    state = network.state_dict()
    changed = [key for key, value in original.items() if value.dtype != state[key].dtype or not torch.equal(value, state[key])]
    if changed or len(state) != len(original):
        return f"{len(changed)} of {len(original)} tensors changed: {', '.join(changed[:3])}"
    off = max(error(value, truth[head]) for head, value in run(network, x).items())
    return f"output off by {off:.1e}" if off > 0 else ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--size", default="257x341")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--double", action="store_true")
    parser.add_argument("--only", nargs="*", default=NETWORKS)
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else int.from_bytes(os.urandom(4), "little")
    height, width = map(int, given.size.split("x"))
    torch.manual_seed(seed)
    print(f"seed {seed}, input 1x3x{height}x{width}, torch {torch.__version__}")
    worst, changed = 0.0, 0
    for name in given.only:
        for auxiliary in [False] if name.startswith("lraspp") else [False, True]:
            with tempfile.TemporaryDirectory() as folder:
                at = lambda file: os.path.join(folder, file)
                network, x = build(name, auxiliary), torch.randn(1, 3, height, width)
                torch.save(network.state_dict(), at("weights.pth"))
                np.save(at("x.npy"), x.numpy())
                truth = run(network, x)
                command = ["dotnet", given.program, "run", "--model", name, "--weights", at("weights.pth"), "--input", at("x.npy"), "--output", at("out")]
                subprocess.run(command + ["--strict"] * given.strict, check=True, stdout=subprocess.DEVNULL)
                ours = {file[:-4]: np.load(at(os.path.join("out", file))) for file in os.listdir(at("out"))}
                if set(ours) != set(truth):
                    sys.exit(f"{name}: outputs {sorted(ours)} instead of {sorted(truth)}")
                original = {key: value.clone() for key, value in network.state_dict().items()}
                direct = convert(given.program, name, at("weights.pth"), at("direct.pth"))
                through = convert(given.program, name, convert(given.program, name, at("weights.pth"), at("model.safetensors")), at("through.pth"))
                for way, path in (("to .pth", direct), ("to .safetensors to .pth", through)):
                    wrong = came_back(name, auxiliary, path, original, x, truth)
                    changed += bool(wrong)
                    print(f"{name:30} {'with aux' if auxiliary else '        '} {way}: {wrong or f'{len(original)} tensors and the output equal in every bit'}", flush=True)
                exact = run(network.double(), x.double()) if given.double else {}
                for head in truth:
                    share = error(ours[head], truth[head])
                    worst = max(worst, share)
                    beside = f"   against float64: ours {error(ours[head], exact[head]):.1e}, torch {error(truth[head], exact[head]):.1e}" if exact else ""
                    print(f"{name:30} {'with aux' if auxiliary else '        '} {head:4} {share:.1e}{beside}", flush=True)
    print(f"worst {worst:.1e}: {'within' if worst <= LIMIT else 'OVER'} {LIMIT:.0e}; {changed} conversions came back changed")
    return 0 if worst <= LIMIT and changed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
