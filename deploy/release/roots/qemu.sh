#!/bin/sh
# Prints the path of a qemu-aarch64 that needs nothing of the system that it runs in: from Debian 13's packages, and kept
# in .venv/roots/qemu until what stands here changes.
set -eu
. "$(dirname "$0")/unpack.sh"
if ! fresh "$roots/qemu" "$0"; then
    unpack trixie "$(dpkg --print-architecture)" "$roots/qemu.root" qemu-user
    mkdir -p "$roots/qemu.new"
    mv "$roots/qemu.root/usr/bin/qemu-aarch64" "$roots/qemu.new"
    keep "$roots/qemu.new" "$roots/qemu" "$0"
    rm -rf "$roots/qemu.root"
fi
echo "$roots/qemu/qemu-aarch64"
