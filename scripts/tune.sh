#!/usr/bin/env bash
# A build laid out for what requests run, by GCC's profile-guided optimisation: builds a program that
# writes down what it runs, gives it the load of bench/gateway_latency.py, and builds again by that, in the
# same folder. Result: build/tuned/bin/tophand. Nothing of the load is kept; it needs no model.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {  # step PROFILE TARGET...
  local profile=$1
  shift
  cmake --preset tuned -DTOPHAND_PROFILE="$profile" >/dev/null
  cmake --build build/tuned --target "$@"
}

find build/tuned -name '*.gcda' -delete 2>/dev/null || true  # of an older program
step record tophand gateway_load
echo "tune: running requests" >&2
python3 bench/gateway_latency.py --tophand build/tuned/bin/tophand --load build/tuned/gateway_load \
  --rate 300 --seconds 2 --rounds 1 --results build/tuned/recording.json >/dev/null
step apply tophand
echo "build/tuned/bin/tophand"
