#!/bin/sh
# Builds least_wait.wasm. It need not be: the gateway takes the text as it is.
set -eu
cd "$(dirname "$0")"
"${POINTSMAN:-pointsman}" policy build least_wait.wat
