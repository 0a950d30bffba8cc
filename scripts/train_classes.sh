#!/usr/bin/env bash
# Makes src/policy/class_weights.txt anew from the generator's prompts: the same seeds give the same
# file. Needs the whole history (git fetch --unshallow). Usage: scripts/train_classes.sh [PER_CLASS]
set -euo pipefail
cd "$(dirname "$0")/.."
per_class=${1:-1200}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scripts/build.sh bench train_classes
python3 scripts/class_prompts/generate.py 7 "$per_class" "$work/train"
python3 scripts/class_prompts/generate.py 8 "$per_class" "$work/all" --all
build/bench/train_classes "$work/train" "$work/train.valid" "$work/all" src/policy/class_weights.txt
