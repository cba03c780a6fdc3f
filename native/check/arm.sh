#!/bin/sh
# The engine's check for AArch64, under qemu: on processors with and without products of bytes and of bf16, and under UBSan. Each
# must have the levels that are for it, and find the bits that x86 finds. Where something is missing it says so, and skips.
#
# native/check/arm.sh PYTHON     that has cmake and ziglang
set -eu
python=$1
here=$(cd "$(dirname "$0")/.." && pwd)
build=$here/build/arm

skip() {
    echo "arm-check is skipped: it needs $1"
    exit
}
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || "$here/../deploy/release/roots/qemu.sh" 2>/dev/null) ||
    skip "qemu-aarch64 (Debian: apt install qemu-user-static)"
"$python" -c 'import ziglang' 2>/dev/null || skip "the ziglang wheel, which isn't made for this machine"

# With musl in place of glibc the program holds its C library, so that nothing of another machine's need be here.
mkdir -p "$build"
"$here/zig.sh" "$python" aarch64-linux-musl "$build/zig"

check() { # check NAME SANITIZERS
    "$(dirname "$python")/cmake" -S "$here" -B "$build/$1" -DMODULES=OFF -DCHECK=ON -DWERROR=ON -DSANITIZE="$2" \
        -DCMAKE_TOOLCHAIN_FILE="$build/zig/toolchain.cmake" -DCMAKE_EXE_LINKER_FLAGS=-static --log-level=WARNING >"$build/$1.log"
    "$(dirname "$python")/cmake" --build "$build/$1" --target check --parallel >>"$build/$1.log" 2>&1 || { cat "$build/$1.log"; exit 1; }
}

on() { # on NAME PROCESSOR LEVELS
    said=$("$qemu" -cpu "$2" "$build/$1/check" 12) || { echo "$1, $2: $said"; exit 1; }
    [ "$said" = "$3 everything holds" ] || { echo "$1, $2: $said; expected levels $3"; exit 1; }
    echo "$1, $2: $said"
}

check plain ''
on plain cortex-a72 "neon portable"
on plain neoverse-n1 "neon_dot neon portable"
on plain neoverse-v1 "neon_bf16 neon_dot neon portable"
on plain max "neon_bf16 neon_dot neon portable"
check undefined undefined
on undefined max "neon_bf16 neon_dot neon portable"
