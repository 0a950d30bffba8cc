#!/usr/bin/env bash
# Runs the benchmarks of every room, the engine's with the default model where it is installed, and
# that one beside llama.cpp where its Python package is. Results go to build/bench-results/*.json.
# BENCH_MODEL names another model or GGUF file, PYTHON another Python. Nothing else should run on the
# machine meanwhile. What is left out says how to get it; what fails makes the whole fail.
set -uo pipefail
cd "$(dirname "$0")/.."
out=build/bench-results
python=${PYTHON:-python3}
done=0 failed=0 left_out=0
mkdir -p $out
lscpu | grep -E 'Model name|^CPU\(s\)'

named=${BENCH_MODEL:-qwen2.5-coder:1.5b}
if [ -f "$named" ]; then
  model=$named
else
  model=$(build/bench/bin/tophand list --json | python3 -c 'import json, sys
print(next((m["path"] for m in json.load(sys.stdin)["models"] if m["name"] == sys.argv[1]), ""))' "$named")
fi

leave_out() {  # leave_out WHAT HOW
  echo "--- $1: left out. $2"
  left_out=$((left_out + 1))
}
benchmark() {  # benchmark NAME COMMAND...
  local name=$1
  shift
  echo "--- $name"
  if "$@"; then done=$((done + 1)); else
    echo "$name failed"
    failed=$((failed + 1))
  fi
}

for program in build/bench/*_bench; do
  name=$(basename "$program")
  if [ "$name" = engine_bench ] && [ -z "$model" ]; then
    leave_out "$name" "It needs a model: build/bench/bin/tophand pull $named"
    continue
  fi
  TOPHAND_BENCH_MODEL=$model benchmark "$name" "$program" --benchmark_out="$out/$name.json" \
    --benchmark_out_format=json --benchmark_repetitions=3 --benchmark_report_aggregates_only=true
done
if [ -z "$model" ]; then
  leave_out "llama.cpp" "It needs a model: build/bench/bin/tophand pull $named"
elif ! "$python" -c 'import llama_cpp' 2>/dev/null; then
  leave_out "llama.cpp" "python3 -m venv .cache/peers && .cache/peers/bin/pip install llama-cpp-python,
    then make bench PYTHON=.cache/peers/bin/python"
else
  benchmark "llama.cpp" "$python" bench/compare_llama_cpp.py "$model"
fi
echo
echo "bench: $done done, $failed failed, $left_out left out; results in $out"
[ $failed -eq 0 ] && [ $done -gt 0 ]
