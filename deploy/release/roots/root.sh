#!/bin/sh
# Makes the root file system of a system that bothends is installed on: Debian's packages, unpacked, of which none is set up and none
# compiles. It is kept in .venv/roots until what stands here changes.
#
# root.sh debian11 | debian12 | debian12-arm64     prints its folder; MIRROR is another of Debian's
set -eu
. "$(dirname "$0")/unpack.sh"
name=$1
root=$roots/$name
case $name in
    debian11) suite=bullseye packages=libbz2-1.0,libffi7,liblzma5,libsqlite3-0,libssl1.1,zlib1g ;; # what its Python is linked with
    debian12 | debian12-arm64) suite=bookworm packages=python3,python3-venv ;;
    *) echo "root.sh: there is no $name" >&2 && exit 64 ;;
esac
case $name in
    *-arm64) architecture=arm64 ;;
    *) architecture=amd64 ;;
esac

if ! fresh "$root" "$0"; then
    [ $name != debian11 ] || "$here/python.sh"
    unpack $suite $architecture "$root.new" "libc6,libstdc++6,coreutils,dash,$packages"
    [ $name != debian11 ] || { mkdir -p "$root.new/opt" && cp -a "$roots/python" "$root.new/opt/python"; }
    keep "$root.new" "$root" "$0"
fi
echo "$root"
