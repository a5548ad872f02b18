"""PyTorch's side of the whole-network bench (Delineate.Bench networks starts it; it is not meant to be run by hand).

    torch_peer.py prepare WORKLOAD FOLDER [HEIGHTxWIDTH]    makes weights, input, ONNX file and double-precision outputs
    torch_peer.py serve WORKLOAD FOLDER MODE THREADS        loads once, then obeys lines on standard input

Modes: eager, channels_last, jit (torch.jit.optimize_for_inference of a traced and frozen module). Lines: `run N` times N runs and answers with one
JSON line; `save PREFIX` writes the outputs of the last timed run (of a training step: the first step's loss and two of its gradients).
"""
import json
import os
import sys
import time
import warnings

import numpy as np
import torch
from torch import nn
from torchvision.models.resnet import Bottleneck

import compare_detectors
import workloads

SEED = 7
RATE, MOMENTUM, DECAY = 1e-3, 0.9, 1e-4


def reasonable(network, x):
    """Weights with which activations neither vanish nor explode: He's deviation, and running statistics that are those of the input.

    The branches of residual blocks add a fifth, as in trained networks. At full strength a random network multiplies the rounding of its first
    layers a hundredfold, and that is all that a comparison of outputs would see.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.1, 0.1)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.2, 0.2)
            module.momentum = 1.0
    for module in network.modules():
        if isinstance(module, Bottleneck):
            nn.init.uniform_(module.bn3.weight, 0.1, 0.3)
    with torch.no_grad():
        inner = workloads.inner(network)
        if isinstance(network, workloads.Detector):
            inner.backbone.train()(inner.transform([*x])[0].tensors)
        else:
            network.train()(x)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1
    if isinstance(network, workloads.Detector):
        compare_detectors.spread(inner.eval(), x[0])


def picture(shape):
    """A picture for detectors: noise of several scales, as bytes have it, in 0...1."""
    sums = sum(nn.functional.interpolate(torch.randn(shape[0], 3, shape[2] // k, shape[3] // k), shape[2:], mode="bilinear") * k ** 0.5 for k in (1, 4, 16, 32))
    return ((sums / (4 * sums.std()) + 0.5).clamp(0, 1) * 255).round() / 255


def objects(shape):
    """Maps of object numbers: eight ellipses in each, some before others."""
    y, x = torch.meshgrid(torch.arange(shape[2]), torch.arange(shape[3]), indexing="ij")
    maps = torch.zeros(shape[0], *shape[2:], dtype=torch.uint8)
    for ids in maps:
        for i in range(1, 9):
            # Centres on a grid of 3 x 3, so that none is hidden.
            cy, cx = ((i - 1) // 3 + 0.5) / 3 * shape[2], ((i - 1) % 3 + 0.5) / 3 * shape[3]
            ry, rx = 8 + 40 * torch.rand(2)
            ids[((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1] = i
    return maps


def write(tensor, path):
    tensor.detach().contiguous().numpy().tofile(path)


def prepare(name, folder, size=None):
    work = workloads.WORKLOADS[name]
    shape = work.shape if size is None else (*work.shape[:2], *map(int, size.split("x")))
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(SEED)
    network = work.build()
    detects = isinstance(network, workloads.Detector)
    x = picture(shape) if detects else torch.randn(shape)
    reasonable(network, x)
    torch.save(workloads.inner(network).state_dict(), os.path.join(folder, "weights.pth"))
    write(x, os.path.join(folder, "input.f32"))
    if work.trains:
        labels = objects(shape) if detects else torch.randint(0, work.classes, (shape[0], *shape[2:]), dtype=torch.uint8)
        write(labels, os.path.join(folder, "labels.u8"))
        # A detector draws what it learns from, so that its loss is only nearly the same: double precision would be minutes for nothing.
        precision = torch.float32 if detects else torch.float64
        network.to(precision).train()
        loss, direct, fewest = workloads.multiply_adds(network, lambda: workloads.loss_of(network, x.to(precision), labels.long()))
        loss.backward()
        names = ["loss", "first gradient", "last gradient"]
        outputs = [loss.reshape(1), *(p.grad for p in workloads.watched(network))]
        direct, fewest = 3 * direct, 3 * fewest  # the gradients of data and of weights cost as much as the forward pass each
    else:
        network.eval()
        with torch.no_grad():
            names = [f"out{i}" for i in range(len(workloads.compared(network(x))))]
            if not detects:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    torch.onnx.export(network, x, os.path.join(folder, "model.onnx"), opset_version=16, input_names=["x"], output_names=names)
            network.double()
            outputs, direct, fewest = workloads.multiply_adds(network, lambda: network(x.double()))
            outputs = workloads.compared(outputs)
    for i, output in enumerate(outputs):
        write(output.double(), os.path.join(folder, f"expected{i}.f64"))
    about = {"workload": name, "input": list(shape), "outputs": [{"name": n, "shape": list(o.shape)} for n, o in zip(names, outputs)],
             "flops": direct, "fewest_flops": fewest, "trains": work.trains, "parameters": sum(p.numel() for p in network.parameters())}
    with open(os.path.join(folder, "work.json"), "w") as file:  # last: the folder is whole once it is there
        json.dump(about, file, indent=1)


class Scripted:
    """A detector as a script; its parts without lists are frozen into one graph each only by that, so optimize_for_inference gets them too."""

    def __init__(self, detector):
        scripted = torch.jit.script(detector.network.eval())
        self.network = torch.jit.optimize_for_inference(torch.jit.freeze(scripted))

    def __call__(self, x):
        found = self.network([*x])[1][0]
        return found["boxes"], found["labels"], found["scores"], found["masks"]


class Inference:
    def __init__(self, network, x, mode):
        self.kept = None
        network.eval()
        if mode == "channels_last":
            network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        elif mode == "jit" and isinstance(network, workloads.Detector):
            network = Scripted(network)
        elif mode == "jit":
            with torch.no_grad():
                traced = torch.jit.trace(network, x, check_trace=False)
                network = torch.jit.optimize_for_inference(torch.jit.freeze(traced.eval()))
        self.network, self.x = network, x

    def run(self):
        with torch.no_grad():
            wall, cpu = time.perf_counter(), time.process_time()
            outputs = self.network(self.x)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            compared = workloads.compared(outputs)
            self.kept = self.kept or [torch.empty(o.shape) for o in compared]
            for kept, output in zip(self.kept, compared):
                kept.copy_(output)
            for output in outputs:
                if output.is_floating_point():
                    output.fill_(float("nan"))  # the memory goes back poisoned: a value that the next run does not write shows
        return wall, cpu


class Training:
    def __init__(self, network, x, labels, mode):
        self.kept = None
        if mode == "channels_last":
            network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        self.network, self.x, self.labels = network.train(), x, labels
        self.optimizer = torch.optim.SGD(network.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)

    def run(self):
        wall, cpu = time.perf_counter(), time.process_time()
        self.optimizer.zero_grad(set_to_none=True)
        loss = workloads.loss_of(self.network, self.x, self.labels)
        loss.backward()
        self.optimizer.step()
        value = loss.item()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if value != value:
            raise SystemExit("the loss is not a number")
        self.kept = self.kept or [torch.tensor([value]), *(p.grad.clone().contiguous() for p in workloads.watched(self.network))]
        return wall, cpu


def serve(name, folder, mode, threads):
    torch.set_num_threads(int(threads))
    work = workloads.WORKLOADS[name]
    with open(os.path.join(folder, "work.json")) as file:
        shape = json.load(file)["input"]
    network = work.build()
    workloads.inner(network).load_state_dict(torch.load(os.path.join(folder, "weights.pth")))
    x = torch.from_numpy(np.fromfile(os.path.join(folder, "input.f32"), np.float32).reshape(shape))
    if work.trains:
        labels = torch.from_numpy(np.fromfile(os.path.join(folder, "labels.u8"), np.uint8).reshape(shape[0], *shape[2:])).long()
        peer = Training(network, x, labels, mode)
    else:
        peer = Inference(network, x, mode)
    del network
    answer(version=torch.__version__)
    for line in sys.stdin:
        command, argument = line.split(maxsplit=1)
        if command == "run":
            times = [peer.run() for _ in range(int(argument))]
            answer(ms=[1e3 * wall for wall, _ in times], cpu_ms=[1e3 * cpu for _, cpu in times])
        elif command == "save":
            for i, output in enumerate(peer.kept):
                write(output, f"{argument.strip()}{i}.f32")
            answer(saved=len(peer.kept))


def answer(**values):
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    {"prepare": prepare, "serve": serve}[sys.argv[1]](*sys.argv[2:])
