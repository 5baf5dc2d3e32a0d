#!/bin/sh
# Builds least_wait.wasm. Needs Python 3.10 or newer; pip installs the rest, once.
set -eu
cd "$(dirname "$0")"
PATH="$PATH:$PWD/.venv/bin"
if ! command -v componentize-py >/dev/null; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet componentize-py==0.25.1
fi
componentize-py --wit-path ../../../wit --world plain componentize least_wait --stub-wasi --output least_wait.wasm
