#!/usr/bin/env bash
# The demonstration behind `make demo`: routine tasks on a scratch repository, answered by the local
# model, and one hard question that goes to Claude (or to the bundled simulator when no key is set).
# Usage: scripts/demo.sh PATH_TO_TOPHAND
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 scripts/demo/demo.py --tophand "${1:-build/release/bin/tophand}"
