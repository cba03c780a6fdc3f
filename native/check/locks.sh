#!/bin/sh
# What the transport's lock guards is touched by whoever holds it: Clang's thread-safety analysis, by transport/lock.hpp's words.
#
# native/check/locks.sh     where there is no Clang, it says so and looks at nothing
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
clang=$("$here/check/clang.sh") || exit 0
# As one file, since most of the time goes into headers; Python's are not looked for here.
find "$here/transport" -name '*.cpp' ! -name binding.cpp -printf '#include "%p"\n' |
    "$clang" -std=c++20 -fsyntax-only -Wthread-safety -Werror=thread-safety -x c++ -
