#!/usr/bin/env bash
# Formatting, the tree checks and clang-tidy. Usage: scripts/lint.sh [--fix]
set -uo pipefail
cd "$(dirname "$0")/.."
status=0
mapfile -t sources < <(git ls-files 'src/*.cc' 'src/*.h' | grep -v unicode_table)  # generated
if [ "${1:-}" = --fix ]; then
  clang-format-19 -i "${sources[@]}"
else
  clang-format-19 --dry-run -Werror "${sources[@]}" || status=1
fi
python3 tests/tidy/run.py || status=1
cmake --preset release >/dev/null
mapfile -t units < <(git ls-files 'src/*.cc' | grep -vE '_(test|bench|fuzz)\.cc$|unicode_table')
# The compile commands are g++'s, whose own warning flags clang does not know.
printf '%s\n' "${units[@]}" |
  xargs -P "$(nproc)" -n 1 clang-tidy-19 -p build/release --quiet \
    --extra-arg=-Wno-unknown-warning-option 2>/dev/null || status=1
[ $status -eq 0 ] && echo "lint: clean" || echo "lint: see above; scripts/lint.sh --fix mends the formatting"
exit $status
