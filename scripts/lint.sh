#!/usr/bin/env bash
# Formatting, the tree checks, clang-tidy, and the syntax of scripts and fuzz targets.
# Usage: scripts/lint.sh [--fix]
# clang-tidy passes over files that have not changed since it found them clean.
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
for script in $(git ls-files '*.sh' .ci/run); do bash -n "$script" || status=1; done
git ls-files -z '*.py' |
  xargs -0 python3 -c 'import ast, sys
for name in sys.argv[1:]: ast.parse(open(name).read(), name)' || status=1
# Nothing but `make fuzz` compiles these.
git ls-files -z 'src/*_fuzz.cc' | xargs -0 -n 1 -P "$(nproc)" clang++-19 -std=c++20 -Isrc -fsyntax-only || status=1
cmake --preset release >/dev/null || status=1
mapfile -t units < <(git ls-files 'src/*.cc' | grep -vE '_(test|bench|fuzz)\.cc$|unicode_table')
python3 scripts/clang_tidy.py build/release "${units[@]}" || status=1
echo
if [ $status -eq 0 ]; then echo "lint: clean"; else
  echo "lint: see above; scripts/lint.sh --fix mends the formatting"
fi
exit $status
