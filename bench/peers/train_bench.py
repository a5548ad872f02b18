"""The twin of `Delineate.Bench train`: whole training steps of torchvision's fcn_resnet50/101 (or train_camvid.py's fcn_resnet18) on random images.

    /usr/bin/python3 bench/peers/train_bench.py fcn_resnet50 480x480 2 THREADS STEPS [--channels-last]
"""
import argparse, json, os, resource, sys, time

import torch
import torch.nn.functional as F

p = argparse.ArgumentParser()
p.add_argument("model")
p.add_argument("size")
p.add_argument("batch", type=int)
p.add_argument("threads", type=int)
p.add_argument("steps", type=int)
p.add_argument("--classes", type=int, default=21)
p.add_argument("--channels-last", action="store_true")
a = p.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(1)
h, w = map(int, a.size.split("x"))
if a.model == "fcn_resnet18":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from train_camvid import Fcn

    net = Fcn(a.classes)
    run = net
else:
    import torchvision

    net = getattr(torchvision.models.segmentation, a.model)(weights=None, weights_backbone=None, num_classes=a.classes, aux_loss=True)
    run = lambda x: (lambda o: (o["out"], o["aux"]))(net(x))
x = torch.rand(a.batch, 3, h, w)
y = torch.randint(0, a.classes, (a.batch, h, w))
if a.channels_last:
    net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
aux = [q for n, q in net.named_parameters() if n.startswith("aux_classifier")]
rest = [q for n, q in net.named_parameters() if not n.startswith("aux_classifier")]
opt = torch.optim.SGD([{"params": rest}, {"params": aux, "lr": 0.01}], lr=0.001, momentum=0.9, weight_decay=1e-4)
net.train()
times = []
for _ in range(a.steps):
    t = time.time()
    out, aux_out = run(x)
    loss = F.cross_entropy(out, y, ignore_index=255) + 0.5 * F.cross_entropy(aux_out, y, ignore_index=255)
    opt.zero_grad(set_to_none=True)
    loss.backward()
    opt.step()
    times.append(time.time() - t)
print(json.dumps({"engine": "torch " + torch.__version__ + (" channels_last" if a.channels_last else ""), "model": a.model, "threads": a.threads, "batch": a.batch, "size": a.size,
                  "step_s": [round(v, 3) for v in times], "median_s": round(sorted(times)[a.steps // 2], 3), "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
