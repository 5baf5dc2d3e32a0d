#!/bin/sh
# Builds least_wait.wasm: checks the types, leaves them out, packs. Needs Node.js; npm installs the
# rest, once.
set -eu
cd "$(dirname "$0")"
PATH="$PATH:$PWD/node_modules/.bin"
command -v componentize-qjs >/dev/null && command -v esbuild >/dev/null && command -v tsc >/dev/null ||
    npm install --no-audit --no-fund
tsc --project .
mkdir -p build
esbuild least_wait.ts --bundle --format=esm '--external:pointsman:*' --outfile=build/least_wait.js --log-level=warning
componentize-qjs --wit ../../../wit --world plain --js build/least_wait.js --sync --stub-wasi --output least_wait.wasm
