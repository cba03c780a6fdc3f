#!/bin/sh
# The three modules under sanitizers, in native/build/modules/NAME, for Python to find before those that are installed.
#
# native/check/module.sh PYTHON NAME SANITIZERS [OPTIMISATION]
#     PYTHON has cmake and nanobind; SANITIZERS as -fsanitize has them; OPTIMISATION is the engine's, such as -O0
set -eu
python=$1
here=$(cd "$(dirname "$0")/.." && pwd)
to=$here/build/modules/$2 log=$here/build/modules/$2.log
cmake=$(dirname "$python")/cmake

mkdir -p "$to"
"$cmake" -S "$here" -B "$to-build" -DWERROR=ON -DSANITIZE="$3" -DENGINE_OPTIMISATION="${4:-}" -DPython_EXECUTABLE="$python" -Dnanobind_DIR="$("$python" -m nanobind --cmake_dir)" \
    --log-level=WARNING >"$log"
"$cmake" --build "$to-build" --parallel "$(nproc)" >>"$log" 2>&1 || { cat "$log"; exit 1; }
"$cmake" --install "$to-build" --prefix "$to" >>"$log"
cp "$here"/bothends_native/*.py "$to/bothends_native"
