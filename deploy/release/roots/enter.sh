#!/bin/sh
# Runs a command in the root file system of another system, in namespaces of its own: without a network but for loopback, with this
# repository at /repo, which it can't change. When the command ends, all that it started ends too. Needs root or user namespaces.
#
# enter.sh ROOT COMMAND…     QEMU=PROGRAM runs a root of AArch64, as a QEMU_CPU if one is set
set -eu
root=$1
shift
repository=$(cd "$(dirname "$0")/../../.." && pwd)
# shellcheck disable=SC2016  # all of it is for the shell inside
exec unshare --user --map-root-user --mount --net --pid --fork --kill-child -- sh -euc '
    root=$1 repository=$2 qemu=$3
    shift 3
    mkdir -p "$root/dev" "$root/proc" "$root/repo" "$root/sys" "$root/tmp"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmp "$root/tmp"
    mount --bind "$repository" "$root/repo"
    mount -o remount,bind,ro "$root/repo"
    ip link set lo up
    if [ -n "$qemu" ]; then
        # A user namespace has a table of its own. F opens the program now: by its path inside, there is none.
        mount -t binfmt_misc none "$root/proc/sys/fs/binfmt_misc"
        magic="\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00"
        mask="\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff"
        printf %s ":aarch64:M::$magic:$mask:$qemu:F" >"$root/proc/sys/fs/binfmt_misc/register"
    fi
    exec chroot "$root" /usr/bin/env --ignore-environment PATH=/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 \
        ${QEMU_CPU:+QEMU_CPU="$QEMU_CPU"} "$@"
' enter "$root" "$repository" "${QEMU-}" "$@"
