#!/usr/bin/env bash
# Runs the benchmarks of every room and, when a model is installed, the engine beside llama.cpp.
# Results go to build/bench-results/*.json. Nothing else should run on the machine meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
out=build/bench-results
mkdir -p $out
lscpu | grep -E 'Model name|^CPU\(s\)'
for program in build/bench/*_bench; do
  [ -x "$program" ] || continue
  name=$(basename "$program")
  echo "--- $name"
  "$program" --benchmark_out="$out/$name.json" --benchmark_out_format=json --benchmark_repetitions=3 \
    --benchmark_report_aggregates_only=true
done
[ -f bench/compare_llama_cpp.py ] && python3 bench/compare_llama_cpp.py || true
