#!/usr/bin/env bash
# Whole training steps of Delineate and of PyTorch (plain and channels_last) in turn, so that a slow minute of the machine hits all of them.
#   bench/compare_training.sh [MODEL] [HEIGHTxWIDTH] [BATCH] [ROUNDS] [STEPS]
# One JSON line for each run; then medians over all steps but each run's first (which warms up), and ratios.
# On one thread PyTorch 1.13 takes minutes a step. Needs Debian's python3-torch and python3-torchvision.
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:-fcn_resnet50} size=${2:-480x480} batch=${3:-2} rounds=${4:-3} steps=${5:-4}
dotnet build -c Release bench/Delineate.Bench --nologo -v quiet
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for threads in 1 2; do
  for ((round = 1; round <= rounds; round++)); do
    dotnet bench/Delineate.Bench/bin/Release/net10.0/Delineate.Bench.dll train "$model" "$size" "$batch" "$threads" "$steps" | tee -a "$log"
    /usr/bin/python3 bench/peers/train_bench.py "$model" "$size" "$batch" "$threads" "$steps" | tee -a "$log"
    /usr/bin/python3 bench/peers/train_bench.py "$model" "$size" "$batch" "$threads" "$steps" --channels-last | tee -a "$log"
  done
done
/usr/bin/python3 - "$log" <<'PY'
import collections, json, statistics, sys

steps, memory = collections.defaultdict(list), collections.defaultdict(int)
for line in open(sys.argv[1]):
    run = json.loads(line)
    key = (run["threads"], run["engine"])
    steps[key] += run["step_s"][1:]
    memory[key] = max(memory[key], run["peak_rss_mb"])
for threads in sorted({t for t, _ in steps}):
    rows = {e: (statistics.median(s), min(s), memory[t, e]) for (t, e), s in steps.items() if t == threads}
    best = min(m for e, (m, _, _) in rows.items() if e != "delineate")
    for engine, (median, least, mb) in rows.items():
        print(f"{threads} thread{'s' if threads > 1 else ''}: {engine:32} median {median:6.3f} s  best {least:6.3f} s  peak {mb} MB  {median / best:.2f} of PyTorch's best mode")
PY
