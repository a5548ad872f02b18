#!/usr/bin/env bash
# Trains every network of the catalog for two epochs on a data set, interrupts it in the first, resumes it, and predicts with what it saved.
#   tools/train_each_model.sh DATA OUT [MODEL ...]
# Options for 'train' may be given in TRAIN; the default crops are small, so that the largest networks take minutes.
set -euo pipefail
data=$1 out=$2
shift 2
here=$(cd "$(dirname "$0")/.." && pwd)
delineate=(dotnet "${PROGRAM:-$here/src/Delineate.Cli/bin/Release/net10.0/Delineate.Cli.dll}")
[ -e "${delineate[1]}" ] || { echo "build src/Delineate.Cli first"; exit 2; }
read -ra options <<<"${TRAIN:---batch-size 4 --crop 64 --base-size none --eval-short-side none --lr 0.002 --skip-check}"
models=("$@")
[ ${#models[@]} -gt 0 ] || mapfile -t models < <("${delineate[@]}" models --json | grep -oE '"name": *"[^"]+"' | cut -d'"' -f4)
image=$(find -L "$data" -name '*.jpg' -o -name '*.png' | sort | sed -n 1p)
mkdir -p "$out"
failed=0
for model in "${models[@]}"; do
  run="$out/$model"
  log="$out/$model.txt"
  rm -rf "$run"
  "${delineate[@]}" train --data "$data" --model "$model" --epochs 2 "${options[@]}" --output "$run" >"$log" 2>&1 &
  trainer=$!
  # A few steps, then the signal that stops a program in good order.
  until [ -e "$run/last.safetensors" ] || ! kill -0 $trainer 2>/dev/null; do sleep 0.2; done
  sleep "${PATIENCE:-5}"
  kill -TERM $trainer 2>/dev/null || true
  code=0
  wait $trainer || code=$?
  [ "$code" -eq 130 ] || { echo "$model: interrupted, it ended with $code; see $log"; failed=1; continue; }
  if ! "${delineate[@]}" train --resume "$run" >>"$log" 2>&1 || ! "${delineate[@]}" predict --weights "$run/last.safetensors" "$image" --output "$run/predicted" >>"$log" 2>&1; then
    echo "$model: FAILED, see $log"
    failed=1
    continue
  fi
  # epoch,…,train_loss,… : the two epochs' losses
  losses=$(sed -nE 's/^epoch [12]\/2 +loss ([0-9]+\.[0-9]{4}) .*/\1/p' "$log" | tr '\n' ' ')
  read -r first second <<<"$losses"
  falls=$(awk -v a="$first" -v b="$second" 'BEGIN { print (b < a) ? "falls" : "DOES NOT FALL" }')
  [ "$falls" = falls ] || failed=1
  echo "$model: loss $first, $second: $falls; resumed, predicted $(find "$run/predicted" -name '*.png' | wc -l) pictures"
done
exit $failed
