# Sourced by test.sh and sanitize.sh: runs suites and counts what they report. Each suite prints a line
# "N passed, N failed, N skipped"; run_suite adds them up, closing_line prints the sum.
passed=0 failed=0 skipped=0

count() {  # count NAME LOG STATUS
  local line
  line=$(grep -E '^([A-Za-z_-]+: )?[0-9]+ passed, [0-9]+ failed' "$2" | tail -n 1)
  if [ -z "$line" ]; then  # a suite that ends without its line has failed, whatever it returned
    echo "$1: no closing line (exit status $3)"
    failed=$((failed + 1))
    return
  fi
  local numbers
  read -r -a numbers <<<"$(grep -oE '[0-9]+' <<<"${line#*: }" | tr '\n' ' ')"
  passed=$((passed + numbers[0])) failed=$((failed + numbers[1])) skipped=$((skipped + ${numbers[2]:-0}))
  [ "$3" -ne 0 ] && [ "${numbers[1]}" -eq 0 ] && failed=$((failed + 1))
  echo "$1: ${line#*: }"
}

run_suite() {  # run_suite NAME COMMAND...
  local name=$1 log status
  shift
  log=$(mktemp)
  echo "--- $name"
  "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  count "$name" "$log" "$status"
  rm -f "$log"
}

unit_tests() {  # unit_tests PRESET [CTEST OPTIONS]: the GoogleTest programs of every room
  local report status preset=$1
  shift
  report=$(mktemp)
  ctest --test-dir "build/$preset" "$@" --output-on-failure --no-tests=error -j "$(nproc)" --output-junit "$report" |
    grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start ' || true
  python3 scripts/count_junit.py "$report"
  status=$?
  rm -f "$report"
  return $status
}

closing_line() {  # the last line of all; fails when something failed
  echo
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
}
