#!/bin/sh
# What a shard's lock guards is touched by whoever holds one: Clang's thread-safety analysis, by transport/lock.hpp's words. The target
# `locks` is built, so that headers are those of the module's own build, and what hasn't changed isn't looked at again.
#
# native/check/locks.sh PYTHON     that has nanobind; says why, and ends with 69, where there is no Clang or no transport can be built
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
CXX=$("$here/check/clang.sh" 2>&1) || { echo "$CXX"; exit 69; }
export CXX
"$1" -c 'import os, sysconfig as s, sys; sys.exit(not os.path.exists(os.path.join(s.get_path("include"), "Python.h")))' ||
    { echo "this needs Python's headers (Debian: apt install python3-dev)"; exit 69; }
"$here/check/build.sh" "$1" locks
! sed -n 's/^-- The transport is left out: //p' "$here/build/locks/log" | grep . || exit 69
