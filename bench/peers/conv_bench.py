"""Times PyTorch on the layers of `Delineate.Bench conv`: forward, and backward to data and weights together and apart.

Usage: python3 conv_bench.py [part of a layer's name] [seconds for each measurement] [threads]
"""
import sys
import time

import torch
import torch.nn.functional as F

# name, batch, size, in, out, kernel, stride, dilation, how often it occurs
LAYERS = [
    ("r50 stem 3-64 7x7 s2 @480", 1, 480, 3, 64, 7, 2, 1, 1),
    ("r50 64-64 3x3 @120", 1, 120, 64, 64, 3, 1, 1, 3),
    ("r50 64-256 1x1 @120", 1, 120, 64, 256, 1, 1, 1, 4),
    ("r50 256-64 1x1 @120", 1, 120, 256, 64, 1, 1, 1, 2),
    ("r50 128-128 3x3 s2 @120", 1, 120, 128, 128, 3, 2, 1, 1),
    ("r50 256-512 1x1 s2 @120", 1, 120, 256, 512, 1, 2, 1, 1),
    ("r50 128-128 3x3 @60", 1, 60, 128, 128, 3, 1, 1, 3),
    ("r50 128-512 1x1 @60", 1, 60, 128, 512, 1, 1, 1, 4),
    ("r50 512-128 1x1 @60", 1, 60, 512, 128, 1, 1, 1, 3),
    ("r50 256-256 3x3 d2 @60", 1, 60, 256, 256, 3, 1, 2, 6),
    ("r50 256-1024 1x1 @60", 1, 60, 256, 1024, 1, 1, 1, 6),
    ("r50 1024-256 1x1 @60", 1, 60, 1024, 256, 1, 1, 1, 5),
    ("r50 512-512 3x3 d4 @60", 1, 60, 512, 512, 3, 1, 4, 3),
    ("r50 512-2048 1x1 @60", 1, 60, 512, 2048, 1, 1, 1, 3),
    ("r50 2048-512 1x1 @60", 1, 60, 2048, 512, 1, 1, 1, 2),
    ("r50 1024-2048 1x1 @60", 1, 60, 1024, 2048, 1, 1, 1, 1),
    ("r50 2048-512 3x3 @60", 1, 60, 2048, 512, 3, 1, 1, 1),
    ("r50 512-21 1x1 @60", 1, 60, 512, 21, 1, 1, 1, 1),
    ("r18 stem 3-64 7x7 s2 @320", 4, 320, 3, 64, 7, 2, 1, 1),
    ("r18 64-64 3x3 @80", 4, 80, 64, 64, 3, 1, 1, 4),
    ("r18 64-128 3x3 s2 @80", 4, 80, 64, 128, 3, 2, 1, 1),
    ("r18 64-128 1x1 s2 @80", 4, 80, 64, 128, 1, 2, 1, 1),
    ("r18 128-128 3x3 @40", 4, 40, 128, 128, 3, 1, 1, 3),
    ("r18 128-256 3x3 @40", 4, 40, 128, 256, 3, 1, 1, 1),
    ("r18 256-256 3x3 d2 @40", 4, 40, 256, 256, 3, 1, 2, 3),
    ("r18 256-512 3x3 d2 @40", 4, 40, 256, 512, 3, 1, 2, 1),
    ("r18 512-512 3x3 d4 @40", 4, 40, 512, 512, 3, 1, 4, 3),
    ("r18 512-128 3x3 @40", 4, 40, 512, 128, 3, 1, 1, 1),
    ("r18 128-21 1x1 @40", 4, 40, 128, 21, 1, 1, 1, 1),
]


def best_and_median(work, seconds):
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
    return times[0], times[len(times) // 2]


def main():
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.5
    torch.set_num_threads(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; GF/s best (median)")
    print(f"{'layer':28} {'layout':14} {'forward':>12} {'backward data':>14} {'backward weights':>17} {'all ms':>9}")
    total = 0.0
    for name, n, size, cin, cout, k, s, d, count in LAYERS:
        if part not in name:
            continue
        p = d * (k - 1) // 2
        fastest = None
        for layout, memory in (("nchw", torch.contiguous_format), ("channels_last", torch.channels_last)):
            x = torch.rand(n, cin, size, size).to(memory_format=memory)
            w = torch.rand(cout, cin, k, k).to(memory_format=memory)
            y = F.conv2d(x, w, None, s, p, d)
            dy = torch.rand_like(y, memory_format=torch.preserve_format)
            flops = 2.0 * y.numel() * cin * k * k

            def backward(data, weights):
                return torch.ops.aten.convolution_backward(dy, x, w, None, [s, s], [p, p], [d, d], False, [0, 0], 1, [data, weights, False])

            with torch.no_grad():
                parts = [best_and_median(work, seconds) for work in (
                    lambda: F.conv2d(x, w, None, s, p, d), lambda: backward(True, False), lambda: backward(False, True))]
            took = sum(best for best, _ in parts)
            cells = [f"{flops / best / 1e9:.0f} ({flops / median / 1e9:.0f})" for best, median in parts]
            print(f"{name:28} {layout:14} {cells[0]:>12} {cells[1]:>14} {cells[2]:>17} {took * 1e3:9.2f}", flush=True)
            fastest = took if fastest is None else min(fastest, took)
        total += count * fastest
    print(f"all layers as often as they occur, best of both layouts: {total * 1e3:.0f} ms")


main()
