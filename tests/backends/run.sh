#!/usr/bin/env bash
# The gateway in front of other servers: strict simulators of each kind, and llama-server where it can be had.
# Usage: tests/backends/run.sh [NAME...]   (TOPHAND_BIN: the program to test)
set -euo pipefail
cd "$(dirname "$0")/../.."
export TOPHAND_BIN=${TOPHAND_BIN:-$PWD/build/release/bin/tophand}
exec python3 tests/run_unittests.py tests/backends "$@"
