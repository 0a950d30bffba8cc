#!/usr/bin/env bash
# Configures and builds one preset. Usage: scripts/build.sh PRESET [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
cmake --preset "$preset" >/dev/null  # every time: packages may have come since
cmake --build "build/$preset" ${@:+--target "$@"}
