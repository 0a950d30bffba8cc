#!/usr/bin/env bash
# Runs every fuzz target for FUZZ_SECONDS (60) each; a finding stops it and its input is kept under
# build/fuzz/findings. Corpora grow under build/fuzz/corpus; they start from the rooms' tests.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}
mkdir -p build/fuzz/findings
run=0 found=0
for target in build/fuzz/*_fuzz; do
  [ -x "$target" ] || continue
  name=$(basename "$target")
  mkdir -p "build/fuzz/corpus/$name"
  room=$(basename "$(dirname src/*/"$name.cc")")
  python3 scripts/fuzz_seeds.py "$room" "build/fuzz/seeds/$room"
  echo "--- $name, $seconds s"
  if ! "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/findings/$name-" "build/fuzz/corpus/$name" "build/fuzz/seeds/$room" \
    >"build/fuzz/$name.log" 2>&1; then
    tail -n 30 "build/fuzz/$name.log"
    found=$((found + 1))
  fi
  run=$((run + 1))
  grep -E 'stat::number_of_executed_units' "build/fuzz/$name.log" || true
done
echo
echo "fuzz: $run targets, $found with findings (build/fuzz/findings)"
[ $found -eq 0 ] && [ $run -gt 0 ]
