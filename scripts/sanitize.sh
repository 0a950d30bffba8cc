#!/usr/bin/env bash
# Runs every room's tests under the sanitizers: address and undefined behaviour (preset asan), then
# threads (preset tsan). A report of a sanitizer fails its test. Ends with a line that counts them.
# Usage: scripts/sanitize.sh   (after scripts/setup.sh test dev and scripts/build.sh asan, tsan)
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/suites.sh

run_suite asan unit_tests asan
# Real models take the thread sanitizer several minutes each, and run no code that random ones do not.
echo "left out of tsan: tests of installed models (InstalledModel)"
run_suite tsan unit_tests tsan -E InstalledModel
closing_line
