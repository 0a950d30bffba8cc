#!/usr/bin/env bash
# End-to-end tests: the real gateway and worker, a tiny random model, the Claude simulator.
# Usage: tests/e2e/run.sh [NAME...]   (TOPHAND_BIN: the program to test)
set -euo pipefail
cd "$(dirname "$0")/../.."
export TOPHAND_BIN=${TOPHAND_BIN:-$PWD/build/release/bin/tophand}
exec python3 tests/run_unittests.py tests/e2e "$@"
