#!/usr/bin/env bash
# The long versions of the fault tests: the unit tests that read TOPHAND_SOAK run many more rounds, and
# the end-to-end suite is repeated. SOAK_ROUNDS (20) sets how often.
set -euo pipefail
cd "$(dirname "$0")/.."
export TOPHAND_SOAK=${SOAK_ROUNDS:-20} TOPHAND_BIN=$PWD/build/release/bin/tophand
build/release/ledger_test
for round in $(seq 1 "$TOPHAND_SOAK"); do
  echo "--- end-to-end, round $round of $TOPHAND_SOAK"
  bash tests/e2e/run.sh
done
