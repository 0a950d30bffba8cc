#!/usr/bin/env bash
# The conformance suite: its own controls, then Tophand. Usage: tests/conformance/run.sh [NAME...]
# (TOPHAND_BIN: the program to test; CONFORMANCE_SEED: repeats a run)
set -euo pipefail
cd "$(dirname "$0")/../.."
export TOPHAND_BIN=${TOPHAND_BIN:-$PWD/build/release/bin/tophand}
exec python3 tests/run_unittests.py tests/conformance "$@"
