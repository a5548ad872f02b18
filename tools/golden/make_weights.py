"""Writes tests/Delineate.Tensors.Tests/Fixtures/weights.json: small weight files as PyTorch, NumPy and pickle write them, each with the arrays that it holds.

usage: python3 tools/golden/make_weights.py   (needs PyTorch and NumPy)
"""
import argparse, base64, collections, io, json, os, pickle
import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(HERE, "../../tests/Delineate.Tensors.Tests/Fixtures/weights.json")

rng = np.random.RandomState(1001)
conv = np.round(rng.normal(size=(4, 3, 2, 1)), 3).astype(np.float32)
arrays = {
    "conv.weight": conv,
    "turned": np.asfortranarray(rng.randint(-9, 9, (3, 5)).astype(np.float64)),
    "half": np.float16([0.5, -2, 65504]),
    "big": np.arange(-3, 4).astype(">i4"),
    "bytes": np.uint8([[0, 255], [7, 8]]),
    "flags": np.array([True, False, True]),
    "scalar": np.array(2.5, np.float32),
    "none": np.zeros((0, 4), np.float32),
}
fixtures = []


def add(name, file, tensors):
    content = file.getvalue() if isinstance(file, io.BytesIO) else file
    fixtures.append({"name": name, "base64": base64.b64encode(content).decode(), "tensors": [
        {"name": key, "shape": list(value.shape), "values": [float(v) for v in np.asarray(value, np.float64).flatten()]} for key, value in tensors.items()]})


def saved(write, *args, **kwargs):
    file = io.BytesIO()
    write(file, *args, **kwargs)
    return file


def pickled(content, protocol, **options):
    return pickle.dumps(content, protocol=protocol, **options)


for key, array in arrays.items():
    add(f"{key}.npy", saved(np.save, array), {key: array})
add("plain.npz", saved(np.savez, **arrays), arrays)
add("packed.npz", saved(np.savez_compressed, **arrays), arrays)
for protocol in range(2, 6):
    add(f"model_{protocol}.pkl", pickled({"model": arrays, "__author__": "somebody", "matching_heuristics": True}, protocol), arrays)
    add(f"bare_{protocol}.pkl", pickled(collections.OrderedDict(arrays), protocol), arrays)
    scalars = {"a": np.float32(1.5), "b": np.int64(-7), "c": arrays["half"]}
    add(f"scalars_{protocol}.pkl", pickled(scalars, protocol), {key: np.asarray(value) for key, value in scalars.items()})

shared = torch.arange(24.0)
tensors = {
    "conv.weight": torch.from_numpy(conv),
    "last": torch.from_numpy(conv).contiguous(memory_format=torch.channels_last),
    "view": shared[3:15].view(3, 4).t(),
    "slice": shared[20:],
    "half": torch.tensor([0.5, -2, 65504]).half(),
    "bfloat": torch.tensor([[1.5], [-3.0]]).bfloat16(),
    "count": torch.tensor(7),
    "flags": torch.tensor([True, False]),
    "none": torch.zeros(0, 4),
}
expected = {key: value.float().numpy() for key, value in tensors.items()}
network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 2), torch.nn.BatchNorm2d(3))
with torch.no_grad():
    for tensor in network.state_dict().values():
        tensor.copy_(torch.from_numpy(np.asarray(np.round(rng.normal(size=tuple(tensor.shape)), 3))))
state = {key: value.numpy() for key, value in network.state_dict().items()}
optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
run = {
    "model": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "best": 0.25, "args": argparse.Namespace(lr=0.1, data="x", sizes=[1, 2]), "lr_scheduler": {"last_epoch": 3},
}
parallel = {"module." + key: value for key, value in network.state_dict().items()}
for zipped in (True, False):
    form = "zip" if zipped else "stream"
    save = lambda content: saved(lambda file: torch.save(content, file, _use_new_zipfile_serialization=zipped))
    add(f"tensors_{form}.pth", save(tensors), expected)
    add(f"state_{form}.pth", save(network.state_dict()), state)
    add(f"parameters_{form}.pth", save({key: torch.nn.Parameter(value) for key, value in tensors.items() if key in ("conv.weight", "view")}), {key: expected[key] for key in ("conv.weight", "view")})
    add(f"parallel_{form}.pth", save({"state_dict": parallel}), state)
    add(f"run_{form}.pth", save(run), state)

os.makedirs(os.path.dirname(TARGET), exist_ok=True)
with open(TARGET, "w") as f:
    json.dump(fixtures, f, indent=1)
    f.write("\n")
print(len(fixtures), "fixtures,", os.path.getsize(TARGET), "bytes")
