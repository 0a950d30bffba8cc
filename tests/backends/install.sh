#!/usr/bin/env bash
# Brings real servers into .cache/backends, from package registries only and without root.
# Usage: tests/backends/install.sh llama-server|ollama   (prints the command that starts it; exit status 3:
# cannot be had here, the reason is on standard error)
#
# llama-server: the package of Debian sid, unpacked beside the C library it was built for (15 s, 90 MB).
# ollama:       built from its Go module (4 to 10 minutes on two cores; needs go and g++).
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=$PWD/.cache/backends
mkdir -p "$cache"

unavailable() {
  echo "$1" >&2
  exit 3
}

# An apt of our own: its lists, its packages and its view of what is installed (nothing).
sid_apt() {
  local apt=$cache/apt
  mkdir -p "$apt"/state/lists/partial "$apt"/cache/archives/partial "$apt"/etc/{apt.conf.d,preferences.d}
  : >"$apt/status"
  # The same mirror that this machine's own sources name.
  local mirror
  mirror=$(grep -rhoE 'https?://[^ ]*/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
    grep -v security | head -n 1 | tr -d ' ') || true
  [ -n "$mirror" ] || unavailable "no Debian mirror in /etc/apt"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$apt/etc/sources.list"
  # Signatures are checked; the date of the list is not, because mirrors in closed networks lag behind.
  cat >"$apt/apt.conf" <<END
Dir "$apt/"; Dir::State "$apt/state"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
Dir::Etc "$apt/etc"; Dir::Etc::sourcelist "$apt/etc/sources.list"; Dir::Etc::sourceparts "-";
Dir::Etc::parts "$apt/etc/apt.conf.d"; Dir::Etc::preferencesparts "$apt/etc/preferences.d";
APT::Architecture "amd64"; APT::Install-Recommends "false"; APT::Sandbox::User "";
Acquire::Languages "none"; Acquire::Check-Valid-Until "false"; Acquire::Retries "1";
END
  APT_CONFIG=$apt/apt.conf "$@"
}

install_llama_server() {
  local root=$cache/llama-server lib
  if [ ! -e "$root/complete" ]; then
    command -v apt-get >/dev/null && [ "$(dpkg --print-architecture)" = amd64 ] || unavailable "no Debian for amd64 here"
    sid_apt apt-get update >"$cache/apt.log" 2>&1 || unavailable "no lists of Debian sid: $(tail -n 1 "$cache/apt.log")"
    sid_apt apt-get install -y --download-only llama.cpp-tools >>"$cache/apt.log" 2>&1 ||
      unavailable "Debian sid has no llama.cpp-tools to be had: $(tail -n 1 "$cache/apt.log")"
    rm -rf "$root"
    for package in "$cache"/apt/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
    touch "$root/complete"
  fi
  lib=$root/usr/lib/x86_64-linux-gnu
  # Its own loader and libraries; the kernels are found in the working directory.
  cat >"$cache/run-llama-server" <<END
#!/bin/sh
cd "$lib/ggml/backends0" && exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib:$lib/llama" "$root/usr/bin/llama-server" "\$@"
END
  chmod +x "$cache/run-llama-server"
  "$cache/run-llama-server" --version >"$cache/llama-server.version" 2>&1 ||
    unavailable "llama-server does not start: $(tail -n 1 "$cache/llama-server.version")"
  echo "$cache/run-llama-server"
}

# The module lacks three vendored headers. Kernels are built for AVX2, else they are very slow (and not for
# the machine at hand: the module has no AMX sources, which a machine with AMX would ask for).
install_ollama() {
  local version=v0.17.4 headers=$cache/headers
  if [ ! -x "$cache/bin/ollama" ]; then
    command -v go >/dev/null || unavailable "go is not installed"
    mkdir -p "$headers/miniaudio" "$cache/source"
    (cd "$cache/source" && apt-get download libstb-dev nlohmann-json3-dev >apt.log 2>&1 &&
      for package in *.deb; do dpkg-deb -x "$package" "$headers"; done) ||
      unavailable "no headers from Debian: $(tail -n 1 "$cache/source/apt.log")"
    (cd "$cache/source" && python3 -m pip download --quiet --no-deps --no-binary :all: miniaudio==1.71 &&
      tar -xzf miniaudio-1.71.tar.gz && cp miniaudio-1.71/miniaudio/miniaudio.h "$headers/miniaudio/") >&2 ||
      unavailable "no miniaudio.h from PyPI"
    GOFLAGS=-mod=mod GOMODCACHE=$cache/gomod GOCACHE=$cache/gocache GOBIN=$cache/bin \
      CGO_CPPFLAGS="-I$headers -I$headers/usr/include" CGO_CFLAGS="-O3 -march=x86-64-v3" CGO_CXXFLAGS="-O3 -march=x86-64-v3" \
      go install "github.com/ollama/ollama@$version" >"$cache/ollama.log" 2>&1 ||
      unavailable "ollama does not build: $(tail -n 1 "$cache/ollama.log")"
  fi
  echo "$cache/bin/ollama"
}

case ${1:-} in
  llama-server) install_llama_server ;;
  ollama) install_ollama ;;
  *) sed -n '2,9p' "$0"; exit 2 ;;
esac
