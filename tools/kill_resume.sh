#!/usr/bin/env bash
# Proves that a training survives SIGKILL: trains once undisturbed, then the same run killed at ten random moments and resumed each time, and
# compares the final weights and optimizer state bit for bit. After every kill, both checkpoints must open.
#
#   dotnet build -c Release src/Delineate.Cli
#   tools/kill_resume.sh [DATA-FOLDER [WORK-FOLDER]]
#
# DATA-FOLDER is any data set with the splits train and val (the demo's nuclei where left out). RANDOM_SEED=n repeats a series of moments,
# KILLS=n asks for another number of kills, EPOCHS=n for a longer run.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
data=${1:-$here/src/Delineate.Cli/Demo/nuclei}
work=${2:-$(mktemp -d)}
kills=${KILLS:-10}
RANDOM=${RANDOM_SEED:-$$}
program=$here/src/Delineate.Cli/bin/Release/net10.0/Delineate.Cli.dll
[ -e "$program" ] || { echo "build src/Delineate.Cli first"; exit 2; }
picture=$(find "$data" -name '*.png' -o -name '*.jpg' | head -1)
mkdir -p "$work"

delineate() { dotnet "$program" "$@"; }
start() {
  delineate train --data "$data" --output "$1" --skip-check --model unet --channels 8 --depth 2 --epochs "${EPOCHS:-8}" --batch-size 4 \
    --crop 96 --base-size null --eval-short-side null --color-jitter 0.2 --accumulate-batches 2 --checkpoint-minutes 0.01 >"$1.log" 2>&1
}
# The tensors of a safetensors file: names, shapes and places without the metadata, then the bytes. (Metadata holds seconds, which may differ.)
tensors() {
  local header
  header=$(od -An -t u8 -N 8 "$1" | tr -d ' ')
  dd if="$1" bs=1M iflag=skip_bytes,count_bytes skip=8 count="$header" status=none | grep -o '"[^"]*":{"dtype":"F32"[^}]*}'
  tail -c +$((9 + header)) "$1" | sha256sum
}
opens() {
  [ ! -e "$1" ] || delineate predict --weights "$1" "$picture" --output "$work/opened" >/dev/null 2>"$work/opened.log" ||
    { echo "FAILED: $1 does not open after a kill"; cat "$work/opened.log"; exit 1; }
}

rm -rf "$work/undisturbed" "$work/killed"
began=$(date +%s%N)
start "$work/undisturbed" || { cat "$work/undisturbed.log"; exit 1; }
whole=$((($(date +%s%N) - began) / 1000000))
echo "undisturbed: ${whole} ms"

done_kills=0
while [ "$done_kills" -lt "$kills" ]; do
  if [ -e "$work/killed/run.json" ] && [ -e "$work/killed/recipe.json" ]; then
    dotnet "$program" train --resume "$work/killed" >>"$work/killed.log" 2>&1 &
  else
    rm -rf "$work/killed"
    start "$work/killed" &
  fi
  victim=$!
  wait_ms=$((400 + (RANDOM * 32768 + RANDOM) % (whole / 7)))
  sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
  # The function runs in a shell of its own: its child is the process to kill.
  child=$(ps -o pid= --ppid "$victim" | head -1 | tr -d ' ' || true)
  if ! kill -9 ${child:-$victim} 2>/dev/null; then
    echo "the run ended before kill $((done_kills + 1)): ask for more EPOCHS"
    exit 1
  fi
  wait "$victim" 2>/dev/null || true
  done_kills=$((done_kills + 1))
  steps=$({ cat "$work/killed/log.jsonl" 2>/dev/null || true; } | wc -l)
  echo "kill $done_kills after $wait_ms ms, $steps steps in the log$(ls "$work/killed" 2>/dev/null | grep -c partial | sed 's/^0$//; s/^\([1-9].*\)$/, \1 unfinished files/')"
  opens "$work/killed/best.safetensors"
  opens "$work/killed/last.safetensors"
done
delineate train --resume "$work/killed" >>"$work/killed.log" 2>&1 || { tail -5 "$work/killed.log"; exit 1; }

for file in last best; do
  if ! diff <(tensors "$work/undisturbed/$file.safetensors") <(tensors "$work/killed/$file.safetensors") >"$work/difference"; then
    echo "FAILED: $file.safetensors differs from the undisturbed run's"
    head "$work/difference"
    exit 1
  fi
done
steps() { grep -o '"step":[0-9]*' "$1/log.jsonl"; }
diff <(steps "$work/undisturbed") <(steps "$work/killed") >/dev/null || { echo "FAILED: log.jsonl lacks or repeats steps"; exit 1; }
ls "$work/killed" | grep -q partial && { echo "FAILED: unfinished files were left"; exit 1; }
echo "passed: after $kills kills the same bits of weights and optimizer state, $(steps "$work/killed" | wc -l) steps, each once in the log"
