#!/bin/sh
# Compiles the kernels and their tests for 64-bit ARM and, where qemu-aarch64 is installed, runs them.
# Arguments go to the test program (--gtest_filter=...). Needs Debian's g++-aarch64-linux-gnu and
# libgtest-dev; qemu-user for the run. Output: build/neon/.
set -eu
cd "$(dirname "$0")/.."
compiler=aarch64-linux-gnu-g++
if ! command -v "$compiler" > /dev/null; then
  echo "skipped: $compiler is not installed"
  exit 0
fi
gtest=/usr/src/googletest/googletest
out=build/neon
mkdir -p "$out"
flags="-std=c++20 -O2 -Isrc -I$gtest/include -I$gtest"
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Werror"
root="-DTOPHAND_SOURCE_DIR=\"$PWD\""
objects=""
for source in src/kernels/*.cc; do
  case "$source" in *_bench.cc|*_fuzz.cc) continue ;; esac
  object="$out/$(basename "$source" .cc).o"
  objects="$objects $object"
  "$compiler" $flags $warnings "$root" -c "$source" -o "$object"
done
"$compiler" $flags -w $objects "$gtest/src/gtest-all.cc" "$gtest/src/gtest_main.cc" -static -pthread \
  -o "$out/kernels_test"
if command -v qemu-aarch64 > /dev/null; then
  qemu-aarch64 -cpu max "$out/kernels_test" --gtest_brief=1 "$@"
else
  echo "compiled; not run: qemu-aarch64 is not installed"
fi
