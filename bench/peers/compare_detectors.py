"""Compares `delineate run` with torchvision's detectors: full-size networks, fresh weights, photos.

    compare_detectors.py Delineate.Cli.dll PHOTO... [--seed N] [--strict] [--only NAME ...] [--frozen] [--double]

For each network it saves a random state dict whose batch-norm statistics are perturbed and whose class scores are spread, so that there are detections of
many classes and scores, runs both on each photo, and matches the detections: of one class, corners within 0.1 pixels, scores within 1e-4. Masks are
compared at the pixels where one is above 0.5 and the other is not, joints by their place and score. A detection whose score lies within 1e-4 of the
threshold may be missing on either side, and so may the last ones of a full list. Ends with 1 where a detection has no partner or a mask is off by more
than 0.1 % of its pixels. With --frozen the norms of the first version are torchvision's FrozenBatchNorm2d, as in the weights that it publishes. With
--double torchvision runs in float64 too, and both are told against that: random deep networks are ill-conditioned.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from PIL import Image
from torchvision.models import detection
from torchvision.ops.misc import FrozenBatchNorm2d

NETWORKS = ["maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2", "keypointrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn"]
THRESHOLD, BOX, SCORE, MASK, JOINT = 0.05, 0.1, 1e-4, 1e-3, 1.0


def build(name, classes, frozen, sizes):
    network = detection.__dict__[name](weights=None, weights_backbone=None, num_classes=classes, **sizes)
    if frozen and not name.endswith("_v2"):
        freeze(network)
    for module in network.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, FrozenBatchNorm2d)):
            # The last norm of a residual block is small, as in trained networks: sums of many equal shares would grow from block to block.
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    for key, module in network.named_modules():
        if key.endswith("bn3"):
            with torch.no_grad():
                module.weight.mul_(0.3)
    return network.eval()


def freeze(module):
    for name, child in module.named_children():
        if isinstance(child, torch.nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features))
        else:
            freeze(child)


@torch.no_grad()
def spread(network, image):
    """Scales the score layers by what they give for an image, so that objectness, classes, deltas and masks are of the sizes that training gives them."""
    seen = {}
    layers = {"rpn.head.cls_logits": 2.0, "rpn.head.bbox_pred": 0.3, "roi_heads.box_predictor.cls_score": 1.6, "roi_heads.box_predictor.bbox_pred": 0.7}
    for key in ("mask_predictor.mask_fcn_logits", "keypoint_predictor.kps_score_lowres"):
        layers["roi_heads." + key] = 3.0
    modules = dict(network.named_modules())
    for key, wanted in layers.items():
        if key not in modules:
            continue
        # [values, channels]: each output gets a mean of 0, so that every class is the likeliest somewhere.
        hook = modules[key].register_forward_hook(lambda m, i, o, key=key: seen.setdefault(key, []).append(o.transpose(0, 1).flatten(1).T))
        network([image])
        hook.remove()
        values = torch.cat(seen[key])
        if len(values) > 1 and values.std(0).mean() > 0:
            scale = wanted / values.std(0).mean()
            modules[key].weight.mul_(scale)
            modules[key].bias.copy_((modules[key].bias - values.mean(0)) * scale)


@torch.no_grad()
def run(network, image):
    found = network([image])[0]
    found = {key: value.numpy() for key, value in found.items()}
    if "masks" in found:
        found["masks"] = found["masks"][:, 0]
    return found


def pairs(truth, ours, limit):
    """For each of torchvision's detections the nearest of ours that is free and close enough."""
    free, partners = set(range(len(ours["scores"]))), {}
    for i in range(len(truth["scores"])):
        near = [k for k in free if ours["labels"][k] == truth["labels"][i] and abs(ours["scores"][k] - truth["scores"][i]) <= SCORE
                and np.abs(ours["boxes"][k] - truth["boxes"][i]).max() <= BOX]
        if near:
            partners[i] = min(near, key=lambda k: np.abs(ours["boxes"][k] - truth["boxes"][i]).max())
            free.remove(partners[i])
    border = lambda scores, k: abs(scores[k] - THRESHOLD) <= SCORE or (len(scores) == limit and scores[k] - scores[-1] <= SCORE)
    lost = [i for i in range(len(truth["scores"])) if i not in partners and not border(truth["scores"], i)]
    extra = [k for k in free if not border(ours["scores"], k)]
    return partners, lost, extra


def compare(truth, ours, limit=100):
    partners, lost, extra = pairs(truth, ours, limit)
    told = {"found": len(truth["scores"]), "classes": len(set(truth["labels"].tolist())), "lost": len(lost), "extra": len(extra)}
    box = max([float(np.abs(ours["boxes"][k] - truth["boxes"][i]).max()) for i, k in partners.items()], default=0)
    score = max([float(abs(ours["scores"][k] - truth["scores"][i])) for i, k in partners.items()], default=0)
    told["box"], told["score"] = f"{box:.1e}", f"{score:.1e}"
    good = not lost and not extra
    if "masks" in truth:
        off = [float(((truth["masks"][i] > 0.5) != (ours["masks"][k] > 0.5)).mean()) for i, k in partners.items()]
        inside = [float(((truth["masks"][i] > 0.5) != (ours["masks"][k] > 0.5)).sum() / max(1, (truth["masks"][i] > 0.5).sum())) for i, k in partners.items()]
        told["pixels"], told["of mask"] = f"{100 * max(off, default=0):.4f} %", f"{100 * max(inside, default=0):.2f} %"
        good &= max(off, default=0) <= MASK
    if "keypoints" in truth:
        moved = np.concatenate([np.abs(ours["keypoints"][k] - truth["keypoints"][i]).max(1) for i, k in partners.items()] or [np.zeros(0)])
        told["joints off"] = f"{int((moved > JOINT).sum())} of {len(moved)}"
        told["joint score"] = f"{max([float(np.abs(ours['keypoint_scores'][k] - truth['keypoints_scores'][i]).max()) for i, k in partners.items()], default=0):.1e}"
        good &= (moved > JOINT).mean() <= 0.01 if len(moved) else True  # two places of a heatmap may tie but for rounding
    return good, told


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--double", action="store_true")
    parser.add_argument("--min-size", type=int, default=800)
    parser.add_argument("--max-size", type=int, default=1333)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--only", nargs="*", default=NETWORKS)
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else int.from_bytes(os.urandom(4), "little")
    torch.manual_seed(seed)
    torch.set_num_threads(given.threads or os.cpu_count())
    sizes = {"min_size": given.min_size, "max_size": given.max_size}
    print(f"seed {seed}, torch {torch.__version__}, {'frozen' if given.frozen else 'batch'} norms")
    photos = [(os.path.basename(p), torch.from_numpy(np.asarray(Image.open(p).convert("RGB"), dtype=np.float32) / 255).permute(2, 0, 1).contiguous()) for p in given.photos]
    good = True
    for name in given.only:
        network = build(name, 2 if name.startswith("keypoint") else 91, given.frozen, sizes)
        spread(network, photos[0][1])
        with tempfile.TemporaryDirectory() as folder:
            at = lambda file: os.path.join(folder, file)
            torch.save(network.state_dict(), at("weights.pth"))
            for photo, image in photos:
                np.save(at("x.npy"), image.numpy())
                began = time.time()
                truth = run(network, image)
                seconds = time.time() - began
                command = ["dotnet", given.program, "run", "--model", name, "--weights", at("weights.pth"), "--input", at("x.npy"), "--output", at("out"),
                           "--min-size", str(given.min_size), "--max-size", str(given.max_size)]
                subprocess.run(command + ["--strict"] * given.strict, check=True, stdout=subprocess.DEVNULL)
                ours = {file[:-4]: np.load(at(os.path.join("out", file))) for file in os.listdir(at("out"))}
                same, told = compare(truth, ours)
                good &= same
                print(f"{name:26} {photo} {tuple(image.shape[1:])} {'same' if same else 'OFF '} " + ", ".join(f"{k} {v}" for k, v in told.items()) + f" (torch {seconds:.1f} s)", flush=True)
                if given.verbose:
                    partners, lost, extra = pairs(truth, ours, 100)
                    for who, found, at_fault in (("torch", truth, lost), ("ours", ours, extra)):
                        for i in at_fault:
                            print(f"    {who} alone: {i} class {int(found['labels'][i])} score {found['scores'][i]:.6f} box {found['boxes'][i].round(3).tolist()}; the last {found['scores'][-1]:.6f}")
                if given.double:
                    exact = run(network.double(), image.double())
                    network.float()
                    for who, found in (("ours", {**ours}), ("torch", {**truth, **({"keypoint_scores": truth["keypoints_scores"]} if "keypoints" in truth else {})})):
                        print(f"    {who:5} against float64: " + ", ".join(f"{k} {v}" for k, v in compare(exact, found)[1].items()), flush=True)
    print("all same" if good else "NOT all same")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
