#!/bin/sh
# Builds least_wait.wasm. Needs rustup, and once: rustup target add wasm32-unknown-unknown
set -eu
cd "$(dirname "$0")"
target="${CARGO_TARGET_DIR:-target}"
cargo build --release --target wasm32-unknown-unknown --target-dir "$target"
cp "$target/wasm32-unknown-unknown/release/least_wait.wasm" least_wait.wasm
