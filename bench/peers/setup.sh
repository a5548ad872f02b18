#!/usr/bin/env bash
# Fetches what the peers of the bench need into this folder; nothing is installed. PyTorch itself is Debian's (python3-torch, python3-torchvision).
#   node_modules/  ONNX Runtime for Node
#   openblas/      OpenBLAS for PyTorch: Debian's default BLAS is the slow reference one, which 1×1 convolutions on one thread and transposed
#                  convolutions would run on
set -euo pipefail
cd "$(dirname "$0")"
npm install --ignore-scripts --no-audit --no-fund
if [ ! -e openblas/libblas.so.3 ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  (cd "$folder" && apt-get download libopenblas0-openmp && dpkg -x libopenblas0-openmp_*.deb .)
  mkdir -p openblas
  cp -L "$folder"/usr/lib/*/openblas-openmp/lib*.so.* openblas/
fi
