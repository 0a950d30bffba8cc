#!/usr/bin/env bash
# Runs every test and ends with a line that counts them.
# Usage: scripts/test.sh   (after scripts/setup.sh test and scripts/build.sh release)
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/suites.sh

export TOPHAND_BIN=$PWD/build/release/bin/tophand
run_suite unit unit_tests release
run_suite tidy python3 tests/tidy/run.py
for suite in tests/*/run.sh; do
  [ -e "$suite" ] && run_suite "$(basename "$(dirname "$suite")")" bash "$suite"
done
closing_line
