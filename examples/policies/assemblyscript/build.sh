#!/bin/sh
# Builds least_wait.wasm, a core module: the gateway takes it as it is. Needs Node.js; npm installs
# the rest, once.
set -eu
cd "$(dirname "$0")"
[ -d node_modules ] || npm install --no-audit --no-fund
node_modules/.bin/asc least_wait.ts -O3 --runtime stub --use abort= --outFile build/core.wasm
node rename.mjs build/core.wasm least_wait.wasm
