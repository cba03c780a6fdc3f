#!/bin/sh
# Builds a preset of ../CMakePresets.json in native/build/PRESET, with the compiler CXX where that is set, and says nothing but what failed.
# Tests and sanitizers may do so at once: one waits for the other. Modules are
# installed in native/build/PRESET/modules, where the preset makes any.
#
# native/check/build.sh PYTHON PRESET [CMAKE'S OPTION...]     CMake is the one beside PYTHON, or else that of PATH
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") preset=$2
shift 2
cd "$(dirname "$0")/.."
PATH=$(dirname "$python"):$PATH
mkdir -p "build/$preset"
log=build/$preset/log
exec 9>"build/$preset/lock"
flock 9
nanobind=$("$python" -m nanobind --cmake_dir 2>/dev/null) || nanobind= # what has no modules doesn't need it
{
    cmake --preset "$preset" -DPython_EXECUTABLE="$python" ${nanobind:+-Dnanobind_DIR="$nanobind"} "$@" &&
        cmake --build --preset "$preset" --parallel "$(nproc)"
} >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
