#!/usr/bin/env bash
# Runs every test and ends with a line that counts them. Each suite prints a line
# "N passed, N failed, N skipped"; this adds them up.
# Usage: scripts/test.sh   (after scripts/setup.sh test and scripts/build.sh release)
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0 skipped=0

count() {  # count NAME LOG STATUS
  local line
  line=$(grep -E '^([A-Za-z_-]+: )?[0-9]+ passed, [0-9]+ failed' "$2" | tail -n 1)
  if [ -z "$line" ]; then  # a suite that ends without its line has failed, whatever it returned
    echo "$1: no closing line (exit status $3)"
    failed=$((failed + 1))
    return
  fi
  local numbers
  read -r -a numbers <<<"$(grep -oE '[0-9]+' <<<"${line#*: }" | tr '\n' ' ')"
  passed=$((passed + numbers[0])) failed=$((failed + numbers[1])) skipped=$((skipped + ${numbers[2]:-0}))
  [ "$3" -ne 0 ] && [ "${numbers[1]}" -eq 0 ] && failed=$((failed + 1))
  echo "$1: ${line#*: }"
}

run_suite() {  # run_suite NAME COMMAND...
  local name=$1 log status
  shift
  log=$(mktemp)
  echo "--- $name"
  "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  count "$name" "$log" "$status"
  rm -f "$log"
}

unit_tests() {
  local report
  report=$(mktemp)
  ctest --test-dir build/release --output-on-failure --no-tests=error -j 2 --output-junit "$report" |
    grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start ' || true
  python3 scripts/count_junit.py "$report"
}

export TOPHAND_BIN=$PWD/build/release/bin/tophand
run_suite unit unit_tests
run_suite tidy python3 tests/tidy/run.py
for suite in tests/*/run.sh; do
  [ -e "$suite" ] && run_suite "$(basename "$(dirname "$suite")")" bash "$suite"
done
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
