"""Times torchvision on the work of `Delineate.Bench ops --filter '*RegionOps*'`: RoIAlign, RoIPool and NMS.

Usage: python3 region_bench.py [threads] [seconds for each measurement]
"""
import sys
import time

import torch
from torchvision import ops

PROPOSALS, CANDIDATES = 512, 2000


def boxes(count):
    torch.manual_seed(5)
    size = 32 * 10 ** torch.rand(count, 2)
    corner = torch.rand(count, 2) * (torch.tensor([1088.0, 800.0]) - size)
    return torch.cat([corner, corner + size], 1)


def report(name, seconds, work):
    # Processor time on one thread, where other programs disturb it least; the clock on several.
    now = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    work()
    work()
    times = []
    start = time.perf_counter()
    while len(times) < 5 or (time.perf_counter() - start < seconds and len(times) < 1000):
        begin = now()
        work()
        times.append(now() - begin)
    times.sort()
    print(f"{name:<22} best {times[0] * 1e3:8.2f} ms   median {times[len(times) // 2] * 1e3:8.2f} ms")


def main():
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2
    x = torch.rand(1, 256, 100, 136) - 0.5
    candidates = boxes(CANDIDATES)
    scores = torch.rand(CANDIDATES)
    rois = torch.cat([torch.zeros(PROPOSALS, 1), candidates[:PROPOSALS]], 1)
    leaf = x.clone().requires_grad_()

    def there_and_back(op):
        y = op(leaf)
        y.backward(y.detach())
        leaf.grad = None

    report("RoiAlign", seconds, lambda: ops.roi_align(x, rois, 7, 1 / 8, 2))
    report("RoiAlignAndGradient", seconds, lambda: there_and_back(lambda x: ops.roi_align(x, rois, 7, 1 / 8, 2)))
    report("RoiAlignAdaptive", seconds, lambda: ops.roi_align(x, rois, 7, 1 / 8, aligned=True))
    report("RoiPool", seconds, lambda: ops.roi_pool(x, rois, 7, 1 / 8))
    report("RoiPoolAndGradient", seconds, lambda: there_and_back(lambda x: ops.roi_pool(x, rois, 7, 1 / 8)))
    report("NmsOf2000", seconds, lambda: ops.nms(candidates, scores, 0.7))


if __name__ == "__main__":
    main()
