#!/bin/sh
# What clang-tidy 19 finds by native/.clang-tidy, in some half a minute. Other versions look for other things. What stands on nanobind is
# left out: objects that are made for their effect are its way to do things.
#
# native/check/tidy.sh     where there is no such clang-tidy, it says so and looks at nothing
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
tidy=
for name in clang-tidy clang-tidy-19; do
    ! "$name" --version 2>/dev/null | grep -q ' version 19\.' || tidy=$name
done
[ -n "$tidy" ] || { echo "clang-tidy 19 isn't here (Debian 13: apt install clang-tidy); C++ is linted without it" >&2; exit 0; }
files=$here/build/tidy found=0
mkdir -p "$files"
cp "$here/.clang-tidy" "$files"

look() { # look NAME OPTIONS: files that are named on standard input, as one file
    sort | sed 's/.*/#include "&"/' >"$files/$1.cpp"
    # shellcheck disable=SC2086
    "$tidy" --quiet --header-filter="$here/" "$files/$1.cpp" -- $2 2>"$files/$1.log"
}

find "$here/transport" "$here/wordpiece" -name '*.cpp' ! -name binding.cpp | look transport -std=c++20 || found=1
find "$here/engine" -name '*.cpp' ! -name 'level_*' ! -name binding.cpp ! -name arrays.cpp |
    look engine "-std=c++17 -DBOTHENDS_X86" || found=1
exit $found
