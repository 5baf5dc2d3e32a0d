#!/bin/sh
# Builds least_wait.wasm. Needs Node.js; npm installs the rest, once.
set -eu
cd "$(dirname "$0")"
PATH="$PATH:$PWD/node_modules/.bin"
command -v componentize-qjs >/dev/null || npm install --no-audit --no-fund
componentize-qjs --wit ../../../wit --world plain --js least_wait.js --sync --stub-wasi --output least_wait.wasm
