#!/usr/bin/env bash
# Builds while the parts of a model are being downloaded, then lets `tophand pull` check and join them.
# Usage: scripts/fetch_and_build.sh MODEL [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
model=$1
shift
log=$(mktemp)
python3 scripts/prefetch.py "$model" >"$log" 2>&1 &
prefetch=$!
trap 'kill $prefetch 2>/dev/null || true; rm -f "$log"' EXIT
scripts/build.sh release "${@:-tophand}"
if kill -0 $prefetch 2>/dev/null; then
  echo "Waiting for the parts of $model that are still being downloaded ..."
fi
wait $prefetch || true  # what it could not get, pull gets or explains
build/release/bin/tophand pull "$model"
