#!/usr/bin/env bash
# The comparison with other engines, on programs that only print.
set -euo pipefail
cd "$(dirname "$0")"
exec python3 ../run_unittests.py .
