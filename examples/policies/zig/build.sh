#!/bin/sh
# Builds least_wait.wasm, a core module: the gateway takes it as it is. Needs Zig; pip brings it as
# `ziglang`.
set -eu
cd "$(dirname "$0")"
zig="${ZIG:-zig}"
command -v zig >/dev/null || zig="${ZIG:-python3 -m ziglang}"
$zig build-exe least_wait.zig -target wasm32-freestanding -O ReleaseSmall -fno-entry -rdynamic --stack 65536 \
    -femit-bin=least_wait.wasm
