#!/usr/bin/env bash
# The simulator's own tests.
set -euo pipefail
cd "$(dirname "$0")"
exec python3 ../run_unittests.py .
