#!/bin/sh
# The engine under GCC's sanitizers: check.cpp with each, then the tests of its binding and of the tokenizer with two.
#
# native/check/check.sh PYTHON     that has cmake, nanobind, and what the tests need
set -eu
python=$1
here=$(cd "$(dirname "$0")/.." && pwd)
build=$here/build
export CXX="${CXX:-g++}"

check() { # check NAME SANITIZERS
    "$(dirname "$python")/cmake" -S "$here" -B "$build/$1" -DCHECK=ON -DWERROR=ON -DSANITIZE="$2" --log-level=WARNING >"$build/$1.log"
    "$(dirname "$python")/cmake" --build "$build/$1" --parallel >>"$build/$1.log" || { cat "$build/$1.log"; exit 1; }
    printf '%s: ' "$1"
    "$build/$1/check"
}

mkdir -p "$build"
check plain ''
# A function that a level's file shares with others may be the one that the linker keeps for all of them, and it would
# then run where its instructions don't exist.
if find "$build/plain" -name 'level_*.o' -exec nm --extern-only --demangle {} + | grep ' [VWu] '; then
    echo "the levels' files share these functions with others; they must be in an unnamed namespace, or inlined" >&2
    exit 1
fi
check address address,undefined
check thread thread

"$here/check/module.sh" "$python" address address,undefined
cd "$here/.."
# Leaks are not looked for: an interpreter that ends leaves much behind. Errors are named by the sanitizer and end it.
LD_PRELOAD="$("$CXX" -print-file-name=libasan.so) $("$CXX" -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 \
    PYTHONPATH="$build/modules/address${PYTHONPATH:+:$PYTHONPATH}" "$python" -m pytest -q tests/native/engine tests/native/wordpiece
