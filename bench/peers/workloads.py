"""The networks of the whole-network bench in PyTorch. Their twins in C# are in bench/Delineate.Bench/Networks, with the same parameter names.

Each network maps one tensor [N, 3, H, W] (the two single layers: their own input; detectors: values in 0...1) to a tuple of tensors.
"""
import collections

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

Workload = collections.namedtuple("Workload", "build shape trains classes")


class Outputs(nn.Module):
    """A network that returns a dictionary, made to return a tuple: what tracing and exporting want."""

    def __init__(self, network, names):
        super().__init__()
        self.network, self.names = network, names

    def forward(self, x):
        out = self.network(x)
        return tuple(out[name] for name in self.names)


def fcn_resnet50(auxiliary):
    network = torchvision.models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, num_classes=21, aux_loss=auxiliary)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # so that every engine computes the same training step
    return Outputs(network, ["out", "aux"] if auxiliary else ["out"])


def resnet50_fpn():
    build = torchvision.models.detection.backbone_utils.resnet_fpn_backbone
    return Outputs(build(backbone_name="resnet50", weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5), ["0", "1", "2", "3", "pool"])


class Fcn8sVgg16(nn.Module):
    """VGG-16 made fully convolutional, scores of three depths added (Long et al. 2015); maps keep their size, so nothing is cropped."""

    def __init__(self, classes=21):
        super().__init__()
        layers, channels = [], 3
        for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.fc6 = nn.Conv2d(512, 4096, 7, padding=3)
        self.fc7 = nn.Conv2d(4096, 4096, 1)
        self.score_fr = nn.Conv2d(4096, classes, 1)
        self.score_pool4 = nn.Conv2d(512, classes, 1)
        self.score_pool3 = nn.Conv2d(256, classes, 1)
        self.upscore2 = nn.ConvTranspose2d(classes, classes, 4, 2, 1, bias=False)
        self.upscore_pool4 = nn.ConvTranspose2d(classes, classes, 4, 2, 1, bias=False)
        self.upscore8 = nn.ConvTranspose2d(classes, classes, 16, 8, 4, bias=False)

    def forward(self, x):
        pool3 = self.features[:17](x)
        pool4 = self.features[17:24](pool3)
        x = self.features[24:](pool4)
        x = self.score_fr(F.relu(self.fc7(F.relu(self.fc6(x)))))
        x = self.upscore2(x) + self.score_pool4(pool4)
        x = self.upscore_pool4(x) + self.score_pool3(pool3)
        return (self.upscore8(x),)


def double_conv(cin, cout):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(inplace=True),
        nn.Conv2d(cout, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(inplace=True))


class Named(nn.Module):
    """A module whose children have the names given."""

    def __init__(self, **children):
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


class UNet(nn.Module):
    """U-Net with batch normalisation and a decoder of transposed convolutions (Ronneberger et al. 2015)."""

    def __init__(self, channels=64, classes=2, depth=4):
        super().__init__()
        self.depth = depth
        self.inc = Named(double_conv=double_conv(3, channels))
        for i in range(1, depth + 1):
            down = Named(double_conv=double_conv(channels << (i - 1), channels << i))
            self.add_module(f"down{i}", Named(maxpool_conv=nn.Sequential(nn.MaxPool2d(2), down)))
            wide = channels << (depth - i + 1)
            self.add_module(f"up{i}", Named(up=nn.ConvTranspose2d(wide, wide // 2, 2, 2), conv=Named(double_conv=double_conv(wide, wide // 2))))
        self.outc = Named(conv=nn.Conv2d(channels, classes, 1))

    def forward(self, x):
        x, skips = self.inc.double_conv(x), []
        for i in range(1, self.depth + 1):
            skips.append(x)
            pool, convs = getattr(self, f"down{i}").maxpool_conv
            x = convs.double_conv(pool(x))
        for i in range(1, self.depth + 1):
            part = getattr(self, f"up{i}")
            x = part.conv.double_conv(torch.cat([skips.pop(), part.up(x)], 1))
        return (self.outc.conv(x),)


class Single(nn.Module):
    """One layer, named as in the twin."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return (self.layer(x),)


class Detector(nn.Module):
    """A detector on a batch instead of a list: boxes, labels, scores and pasted masks of the first image."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        found = self.network([*x])[0]
        return found["boxes"], found["labels"], found["scores"], found["masks"]

    def loss(self, x, objects):
        return sum(self.network([*x], [truth(ids) for ids in objects]).values())


def truth(ids):
    """Boxes and masks of the objects in a map of their numbers (0: none). All are of class 1."""
    masks = torch.stack([ids == i for i in range(1, int(ids.max()) + 1)])
    boxes = torchvision.ops.masks_to_boxes(masks)
    boxes[:, 2:] += 1
    return {"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64), "masks": masks.to(torch.uint8)}


def maskrcnn_resnet50_fpn():
    return Detector(torchvision.models.detection.maskrcnn_resnet50_fpn(weights=None, weights_backbone=None))


def maskrcnn_resnet18_fpn():
    build = torchvision.models.detection.backbone_utils.resnet_fpn_backbone
    backbone = build(backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5)
    return Detector(torchvision.models.detection.MaskRCNN(backbone, num_classes=2, min_size=256, max_size=256))


WORKLOADS = {
    "fcn_resnet50": Workload(lambda: fcn_resnet50(False), (1, 3, 480, 480), False, 21),
    "fcn8s_vgg16": Workload(Fcn8sVgg16, (1, 3, 320, 480), False, 21),
    "unet": Workload(UNet, (1, 3, 512, 512), False, 2),
    "resnet50_fpn": Workload(resnet50_fpn, (1, 3, 800, 1088), False, 0),
    "conv_transpose_64_s32": Workload(lambda: Single(nn.ConvTranspose2d(21, 21, 64, 32, 16, bias=False)), (1, 21, 15, 15), False, 0),
    "conv_transpose_2_s2": Workload(lambda: Single(nn.ConvTranspose2d(512, 256, 2, 2)), (1, 512, 64, 64), False, 0),
    "train_fcn_resnet50": Workload(lambda: fcn_resnet50(True), (2, 3, 480, 480), True, 21),
    "train_unet": Workload(UNet, (2, 3, 256, 256), True, 2),
    "maskrcnn_resnet50_fpn": Workload(maskrcnn_resnet50_fpn, (1, 3, 480, 640), False, 91),
    "train_maskrcnn_resnet18_fpn": Workload(maskrcnn_resnet18_fpn, (4, 3, 256, 256), True, 2),
}


def inner(network):
    """The module whose state dict is saved."""
    return network.network if isinstance(network, (Outputs, Detector)) else network.layer if isinstance(network, Single) else network


def compared(outputs):
    """What is compared of a network's outputs. Of a detector: the sorted scores, and the sorted sums of the masks; places in lists of boxes may swap by rounding."""
    if len(outputs) != 4 or outputs[1].dtype != torch.int64:
        return outputs
    scores, sums = torch.zeros(100, dtype=outputs[2].dtype), torch.zeros(100, dtype=outputs[3].dtype)
    scores[:len(outputs[2])] = outputs[2].sort(descending=True)[0]
    sums[:len(outputs[3])] = outputs[3].sum((1, 2, 3)).sort(descending=True)[0]
    return scores, sums


def loss_of(network, x, labels):
    """Cross-entropy, and half of the auxiliary head's where there is one; a detector's own losses."""
    if isinstance(network, Detector):
        return network.loss(x, labels)
    outputs = network(x)
    loss = F.cross_entropy(outputs[0], labels, ignore_index=255)
    return loss if len(outputs) == 1 else loss + 0.5 * F.cross_entropy(outputs[1], labels, ignore_index=255)


def watched(network):
    """
    The two parameters whose gradients of the first step are compared: the first (which the whole network lies behind) and the last. Of a detector none:
    every engine draws other anchors and boxes.
    """
    if isinstance(network, Detector):
        return ()
    parameters = [p for n, p in network.named_parameters() if "aux_classifier" not in n]
    return parameters[0], parameters[-1]


def multiply_adds(network, run):
    """Runs the network by a function. What that gives, and the operations (2 for a multiply-add) of the convolutions: counted as direct sums, and the fewest that any known algorithm needs.

    The fewest are F(6x6, 3x3) Winograd for 3x3 at stride 1, two levels of Strassen for the rest: a rate above the machine's peak by that count
    means that something was not computed.
    """
    direct, fewest = 0.0, 0.0

    def count(module, inputs, output):
        nonlocal direct, fewest
        per_output = module.in_channels // module.groups * module.kernel_size[0] * module.kernel_size[1]
        if isinstance(module, nn.ConvTranspose2d):
            per_output /= module.stride[0] * module.stride[1]
        operations = 2.0 * output.numel() * per_output
        winograd = isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) and module.stride == (1, 1)
        direct += operations
        fewest += operations / 5.0625 if winograd else operations * 49 / 64

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    outputs = run()
    for hook in hooks:
        hook.remove()
    return outputs, direct, fewest
