#!/usr/bin/env bash
# The fault tests again and again, as faults of timing show only now and then: the ledger's under
# simulated power cuts and kill -9, the sharing of a budget among gateways that fail, the worker's
# supervisor, the server over real sockets, then the whole end-to-end suite.
# SOAK_ROUNDS (20) sets how often. Ends with a line that counts the tests of all rounds.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/suites.sh
export TOPHAND_BIN=$PWD/build/release/bin/tophand
rounds=${SOAK_ROUNDS:-20}

repeat_room() {  # repeat_room NAME: every test of a room, $rounds times over in one process
  local log status ok bad
  log=$(mktemp)
  "build/release/$1_test" --gtest_repeat="$rounds" --gtest_shuffle >"$log" 2>&1
  status=$?
  ok=$(grep -ac '^\[       OK \]' "$log") bad=$(grep -acE '^\[  FAILED  \] .* ms\)$' "$log")
  [ $status -ne 0 ] && grep -aE -B 30 '^\[  FAILED  \] .* ms\)$' "$log"
  [ $status -ne 0 ] && [ "$bad" -eq 0 ] && tail -n 30 "$log"  # it died
  echo "$ok passed, $bad failed, 0 skipped"
  rm -f "$log"
  return $status
}

simulate() {  # power cuts, and gateways that share a budget, of many more seeds than in a test run
  local log status
  log=$(mktemp)
  TOPHAND_SIMULATION_SCALE=$((5 * rounds)) build/release/ledger_simulation_test >"$log" 2>&1
  status=$?
  grep -aE '^(seed|faults|overspent|[0-9]+ (cuts|requests|gateways))|Failure|FAILED' "$log"
  echo "$(grep -ac '^\[       OK \]' "$log") passed, $(grep -acE '^\[  FAILED  \] .* ms\)$' "$log") failed, 0 skipped"
  rm -f "$log"
  return $status
}

run_suite simulation simulate
for room in ledger ledger_crash backend net server; do run_suite "$room" repeat_room "$room"; done
for round in $(seq 1 "$rounds"); do
  run_suite "end-to-end, round $round of $rounds" bash tests/e2e/run.sh
done
closing_line
