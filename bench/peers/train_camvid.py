"""The peer of `delineate train` on a VOC-layout folder: fcn_resnet18 at output stride 8 by dilation, in PyTorch, with the same recipe.

    /usr/bin/python3 bench/peers/train_camvid.py --data DIR --output curve.jsonl [--threads 2] [--epochs 12]

Recipe (all figures are options of `delineate train` too): random short side 180..720, horizontal flip, pad to and crop 320x320 (image 0,
mask 255), ImageNet normalisation; batch 4, SGD momentum 0.9, weight decay 1e-4, rate 0.02, auxiliary head at ten times the rate and half
the loss, one epoch of linear warm-up from 0.001 of the rate, then poly 0.9 per step; evaluation at the original size.
"""
import argparse, json, math, os, random, time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class BasicBlock(nn.Module):
    """torchvision's block with the dilation that torchvision refuses: where a stage dilates, its first convolution walks the grid of the stage before."""

    def __init__(self, cin, cout, stride, before, dilation, downsample):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, before, before, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.downsample = downsample

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class ResNet18(nn.Module):
    """Output stride 8: the strides of layer3 and layer4 become dilation 2 and 4; see BasicBlock."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.width, self.dilation = 64, 1
        self.layer1 = self.stage(64, 1, False)
        self.layer2 = self.stage(128, 2, False)
        self.layer3 = self.stage(256, 2, True)
        self.layer4 = self.stage(512, 2, True)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def stage(self, width, stride, dilate):
        before = self.dilation
        if dilate:
            self.dilation *= stride
            stride = 1
        down = None
        if stride != 1 or self.width != width:
            down = nn.Sequential(nn.Conv2d(self.width, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        blocks = [BasicBlock(self.width, width, stride, before, self.dilation, down), BasicBlock(width, width, 1, self.dilation, self.dilation, None)]
        self.width = width
        return nn.Sequential(*blocks)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        c3 = self.layer3(self.layer2(self.layer1(x)))
        return self.layer4(c3), c3


def head(cin, classes):
    mid = cin // 4
    return nn.Sequential(nn.Conv2d(cin, mid, 3, padding=1, bias=False), nn.BatchNorm2d(mid), nn.ReLU(), nn.Dropout(0.1), nn.Conv2d(mid, classes, 1))


class Fcn(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.backbone, self.classifier, self.aux_classifier = ResNet18(), head(512, classes), head(256, classes)

    def forward(self, x):
        size = x.shape[-2:]
        c4, c3 = self.backbone(x)
        out = F.interpolate(self.classifier(c4), size=size, mode="bilinear", align_corners=False)
        if not self.training:
            return out
        return out, F.interpolate(self.aux_classifier(c3), size=size, mode="bilinear", align_corners=False)


def read(root, split):
    with open(os.path.join(root, "ImageSets/Segmentation", split + ".txt")) as f:
        names = f.read().split()
    pairs = []
    for n in names:
        image = Image.open(os.path.join(root, "JPEGImages", n + ".jpg")).convert("RGB")
        mask = Image.open(os.path.join(root, "SegmentationClass", n + ".png"))
        image.load(), mask.load()
        pairs.append((image, mask))
    return pairs


def tensor(image):
    return (torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255 - MEAN) / STD


def augment(image, mask, base, crop, rng):
    short = rng.randint(int(0.5 * base), int(2.0 * base))
    w, h = image.size
    size = (short, int(short * h / w)) if w <= h else (int(short * w / h), short)
    image, mask = image.resize(size, Image.BILINEAR), mask.resize(size, Image.NEAREST)
    if rng.random() < 0.5:
        image, mask = image.transpose(Image.FLIP_LEFT_RIGHT), mask.transpose(Image.FLIP_LEFT_RIGHT)
    pixels, labels = np.array(image), np.array(mask)
    ph, pw = max(0, crop - pixels.shape[0]), max(0, crop - pixels.shape[1])
    pixels = np.pad(pixels, ((0, ph), (0, pw), (0, 0)))
    labels = np.pad(labels, ((0, ph), (0, pw)), constant_values=255)
    top, left = rng.randint(0, pixels.shape[0] - crop), rng.randint(0, pixels.shape[1] - crop)
    pixels, labels = pixels[top:top + crop, left:left + crop], labels[top:top + crop, left:left + crop]
    return tensor(pixels), torch.from_numpy(labels.copy()).long()


def evaluate(net, pairs, classes):
    net.eval()
    matrix = np.zeros((classes, classes), np.int64)
    with torch.no_grad():
        for image, mask in pairs:
            guess = net(tensor(image)[None]).argmax(1)[0].numpy()
            truth = np.array(mask)
            keep = truth < classes
            matrix += np.bincount(classes * truth[keep].astype(np.int64) + guess[keep], minlength=classes * classes).reshape(classes, classes)
    net.train()
    right = np.diag(matrix).astype(float)
    union = matrix.sum(0) + matrix.sum(1) - right
    iou = right[union > 0] / union[union > 0]
    return float(iou.mean()), float(right.sum() / matrix.sum()), [float(v) for v in iou]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", required=True)
    p.add_argument("--output", required=True)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--epochs", type=int, default=12)
    p.add_argument("--crop", type=int, default=320)
    p.add_argument("--base", type=int, default=360)
    p.add_argument("--batch", type=int, default=4)
    p.add_argument("--lr", type=float, default=0.02)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--steps", type=int, default=0, help="stop after so many steps and print the seconds of each: for timing")
    p.add_argument("--eval-every", type=int, default=1)
    p.add_argument("--channels-last", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    rng = random.Random(a.seed)
    with open(os.path.join(a.data, "class_names.txt")) as f:
        classes = len(f.read().split())
    train, val = read(a.data, "train"), read(a.data, "val")
    net = Fcn(classes)
    if a.channels_last:
        net = net.to(memory_format=torch.channels_last)
    main_part = [q for n, q in net.named_parameters() if not n.startswith("aux_classifier")]
    groups = [{"params": main_part, "scale": 1.0}, {"params": list(net.aux_classifier.parameters()), "scale": 10.0}]
    opt = torch.optim.SGD(groups, lr=a.lr, momentum=0.9, weight_decay=1e-4)
    per_epoch = len(train) // a.batch + (1 if len(train) % a.batch > 1 else 0)
    total, warm, step = per_epoch * a.epochs, per_epoch, 0
    times, first = [], 0
    checkpoint = a.output + ".pt"  # an interrupted run goes on after its last whole epoch
    if os.path.exists(checkpoint):
        saved = torch.load(checkpoint)
        net.load_state_dict(saved["net"])
        opt.load_state_dict(saved["opt"])
        first, step = saved["epoch"], saved["step"]
        rng.setstate(saved["rng"])
        torch.set_rng_state(saved["torch_rng"])
    for epoch in range(first, a.epochs):
        order = list(range(len(train)))
        rng.shuffle(order)
        began, loss_sum = time.time(), 0.0
        for b in range(per_epoch):
            t = time.time()
            items = [augment(*train[i], a.base, a.crop, rng) for i in order[b * a.batch:(b + 1) * a.batch]]
            x, y = torch.stack([i[0] for i in items]), torch.stack([i[1] for i in items])
            if a.channels_last:
                x = x.to(memory_format=torch.channels_last)
            factor = 0.001 + (1 - 0.001) * step / warm if step < warm else (1 - (step - warm) / (total - warm)) ** 0.9
            for g in opt.param_groups:
                g["lr"] = a.lr * g["scale"] * factor
            out, aux = net(x)
            loss = F.cross_entropy(out, y, ignore_index=255) + 0.5 * F.cross_entropy(aux, y, ignore_index=255)
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            loss_sum += loss.item()
            if not math.isfinite(loss_sum):
                raise SystemExit(f"loss is not finite at step {step}")
            step += 1
            times.append(time.time() - t)
            if a.steps and step >= a.steps:
                print(json.dumps({"threads": a.threads, "channels_last": a.channels_last, "batch": a.batch, "crop": a.crop, "step_s": times}))
                return
        row = {"epoch": epoch + 1, "loss": loss_sum / per_epoch, "train_s": time.time() - began}
        if (epoch + 1) % a.eval_every == 0 or epoch + 1 == a.epochs:
            row["mean_iou"], row["pixel_accuracy"], row["iou"] = evaluate(net, val, classes)
        with open(a.output, "a") as f:
            f.write(json.dumps(row) + "\n")
        state = {"net": net.state_dict(), "opt": opt.state_dict(), "epoch": epoch + 1, "step": step, "rng": rng.getstate(), "torch_rng": torch.get_rng_state()}
        torch.save(state, checkpoint + ".part")
        os.replace(checkpoint + ".part", checkpoint)
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
