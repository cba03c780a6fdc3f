#!/bin/sh
# C++ is formatted as native/.clang-format says, by the one version that does so everywhere.
#
# native/check/format.sh PYTHON     that has clang-format beside it; where it hasn't, this says so and ends with 69
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
format=$(dirname "$1")/clang-format
[ -x "$format" ] || { echo "clang-format isn't here (pip install clang-format==19.1.7)"; exit 69; }
find "$here" -path "$here/build" -prune -o -name '*.[ch]pp' -print0 | xargs -0 "$format" --dry-run -Werror
