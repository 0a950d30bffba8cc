#!/usr/bin/env bash
# Installs the Debian packages that are missing. Usage: scripts/setup.sh [test] [dev]
# Without arguments: what the build and the demonstration need. Runs as root or through sudo; when
# everything is there it asks for neither and takes a fraction of a second.
set -euo pipefail
cd "$(dirname "$0")"

lists=(packages.txt)
for group in "$@"; do lists+=("packages-$group.txt"); done

missing=()
for package in $(cat "${lists[@]}"); do
  case "$package" in  # a newer tool from elsewhere will do
    nodejs | npm) command -v "${package/nodejs/node}" >/dev/null && continue ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 && continue ;;
    python3-venv) python3 -c 'import ensurepip' 2>/dev/null && continue ;;
  esac
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
    missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "These Debian packages are missing, and neither root nor sudo is at hand. Have them installed:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 2
  fi
  as_root=(sudo)
fi
echo "Installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >"$log" 2>&1
}
# A package list from the image may be old or empty: update once, only when it is needed.
if ! install; then
  "${as_root[@]}" apt-get update -qq >>"$log" 2>&1 || true
  if ! install; then
    tail -n 20 "$log" >&2
    echo "Installing packages failed; Tophand is built on Debian 12 (bookworm)." >&2
    exit 1
  fi
fi
