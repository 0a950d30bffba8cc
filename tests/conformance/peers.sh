#!/usr/bin/env bash
# Scores other gateways with the same checks: installs them into .cache/peers (npm, PyPI), starts them in
# front of the suite's upstreams, and writes their results beside. Not part of `make test`.
# Usage: tests/conformance/peers.sh [litellm|portkey|ccr...]   then .cache/peers/NAME.result.json, NAME.txt
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/tests/conformance
cache=$PWD/.cache/peers
mkdir -p "$cache"

install_litellm() {
  [ -x "$cache/litellm/bin/litellm" ] && return
  python3 -m venv "$cache/litellm"
  "$cache/litellm/bin/pip" install -q 'litellm[proxy]==1.108.7'
}

start_litellm() {
  exec env -i PATH="$PATH" HOME="$cache" LITELLM_LOCAL_MODEL_COST_MAP=True \
    "$cache/litellm/bin/litellm" --config "$here/peers/litellm.yaml" --host 127.0.0.1 --port 9410
}

install_portkey() {
  [ -d "$cache/portkey/node_modules" ] && return
  mkdir -p "$cache/portkey"
  # With the newest @hono/node-server that its range allows, every answer is 500 "immutable" (Node 20).
  cat > "$cache/portkey/package.json" <<'JSON'
{"private": true, "dependencies": {"@portkey-ai/gateway": "1.15.2"}, "overrides": {"@hono/node-server": "1.13.8"}}
JSON
  (cd "$cache/portkey" && npm install --no-audit --no-fund --loglevel=error)
}

start_portkey() {
  cd "$cache/portkey"
  exec env -i PATH="$PATH" HOME="$cache" \
    node node_modules/@portkey-ai/gateway/build/start-server.js --port=9411 --headless
}

install_ccr() {
  mkdir -p "$cache/ccr-home/.claude-code-router"
  cp "$here/peers/ccr-config.json" "$cache/ccr-home/.claude-code-router/config.json"
  [ -d "$cache/ccr/node_modules" ] && return
  npm install --prefix "$cache/ccr" --no-audit --no-fund --loglevel=error @musistudio/claude-code-router@2.0.0
}

start_ccr() {
  exec env -i PATH="$PATH" HOME="$cache/ccr-home" \
    node "$cache/ccr/node_modules/@musistudio/claude-code-router/dist/cli.js" start
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

score() {
  local name=$1 port=$2
  "install_$name"
  ("start_$name") >"$cache/$name.log" 2>&1 &
  local pid=$!
  for _ in $(seq 240); do answers "$port" && break; sleep 0.5; done
  "$here/conform.py" --target "$here/peers/$name.json" --seed 1 --json "$cache/$name.result.json" \
    | tee "$cache/$name.txt" || true
  kill "$pid"
  wait "$pid" || true
}

[ $# -gt 0 ] || set -- litellm portkey ccr
for peer in "$@"; do
  case "$peer" in
    litellm) score litellm 9410 ;;
    portkey) score portkey 9411 ;;
    ccr) score ccr 9412 ;;
    *) echo "no peer $peer: litellm, portkey, ccr" >&2; exit 2 ;;
  esac
done
