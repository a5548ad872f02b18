#!/usr/bin/env bash
# The one command before a commit: format, build, tests, file sizes. `./check.sh --isa` also runs the tests with AVX-512 off and with AVX2 off.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; }

step "restore and build"
dotnet build -c Release --nologo -v quiet

step "format"
dotnet format whitespace --no-restore --verify-no-changes

step "tests"
dotnet test -c Release

if [ "${1:-}" = "--isa" ]; then
  step "tests with AVX-512 off"
  DOTNET_EnableAVX512=0 dotnet test -c Release --no-build
  step "tests with AVX2 off"
  DOTNET_EnableAVX2=0 dotnet test -c Release --no-build
fi

step "file sizes (soft limit 400 lines, hard limit 600)"
long=0
while read -r lines file; do
  [ "$file" = total ] && continue
  if [ "$lines" -gt 600 ]; then
    echo "  TOO LONG $lines $file"
    long=1
  elif [ "$lines" -gt 400 ]; then
    echo "  $lines $file"
  fi
done < <(git ls-files '*.cs' | xargs wc -l | sort -rn)
[ "$long" = 0 ] || { echo "a file is over 600 lines: divide it"; exit 1; }
git ls-files 'src/*.cs' | xargs -n 1 wc -l | sort -n | awk '{n[NR]=$1} END{print "  " NR " source files, median " n[int((NR+1)/2)] " lines"}'
