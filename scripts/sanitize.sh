#!/usr/bin/env bash
# Runs every room's tests under the sanitizers: address and undefined behaviour (preset asan), then
# threads (preset tsan). A report of a sanitizer fails its test. Ends with a line that counts them.
# Usage: scripts/sanitize.sh   (after scripts/setup.sh test dev and scripts/build.sh asan, tsan)
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/suites.sh

for preset in asan tsan; do run_suite "$preset" unit_tests "$preset"; done
closing_line
