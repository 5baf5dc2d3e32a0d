#!/bin/sh
# Builds least_wait.wasm, a core module: the gateway takes it as it is. Needs clang and lld; or Zig,
# with CC="zig cc" (or CC="python3 -m ziglang cc", which pip brings).
set -eu
cd "$(dirname "$0")"
cc="${CC:-clang}"
case "$cc" in
*zig*) target=wasm32-freestanding stack=-Wl,-z,stack-size=65536 ;; # zig's own stack has 16 MiB
*) target=wasm32 stack=-Wl,-z,stack-size=65536 ;;
esac
$cc --target=$target -std=c11 -O2 -mbulk-memory -Wall -Wextra -nostdlib -Wl,--no-entry -Wl,--strip-all $stack \
    -o least_wait.wasm least_wait.c
