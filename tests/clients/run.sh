#!/usr/bin/env bash
# The official SDKs against the real gateway. Installs them into .cache/clients (npm ci, pinned).
# Usage: tests/clients/run.sh   (TOPHAND_BIN: the program to test)
set -euo pipefail
cd "$(dirname "$0")/../.."
export TOPHAND_BIN=${TOPHAND_BIN:-$PWD/build/release/bin/tophand}
cache=$PWD/.cache/clients
tests=$(grep -c '^test(' tests/clients/sdks.test.mjs)

skip() {
  echo "skipped: $1"
  echo "0 passed, 0 failed, $tests skipped"
  exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || skip "node and npm are not installed"
mkdir -p "$cache"
if ! cmp -s tests/clients/package-lock.json "$cache/installed.json"; then
  cp tests/clients/package.json tests/clients/package-lock.json "$cache/"
  if ! (cd "$cache" && npm ci --no-audit --no-fund --loglevel=error >npm.log 2>&1); then
    tail -n 5 "$cache/npm.log"
    skip "npm could not install the SDKs"
  fi
  cp tests/clients/package-lock.json "$cache/installed.json"
fi
cp tests/clients/*.mjs "$cache/"
exec python3 tests/clients/with_gateway.py node "$cache/sdks.test.mjs"
