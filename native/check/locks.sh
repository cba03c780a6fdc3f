#!/bin/sh
# What a shard's lock guards is touched by whoever holds one: Clang's thread-safety analysis, by transport/lock.hpp's words.
#
# native/check/locks.sh [PYTHON]     where there is no Clang, it says so and looks at nothing; it looks at binding.cpp, too, where
#                                    PYTHON has nanobind
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
clang=$("$here/check/clang.sh") || exit 0
headers='import nanobind, sysconfig; print("-isystem", nanobind.include_dir(), "-isystem", sysconfig.get_path("include"))'
binding=binding.cpp
includes=$("${1:-python3}" -c "$headers" 2>/dev/null) || binding= includes=
# As one file, since most of the time goes into headers.
# shellcheck disable=SC2086
find "$here/transport" -name '*.cpp' \( ! -name binding.cpp -o -name "$binding" \) -printf '#include "%p"\n' | sort |
    "$clang" -std=c++20 -fsyntax-only -Wthread-safety -Werror=thread-safety $includes -x c++ -
