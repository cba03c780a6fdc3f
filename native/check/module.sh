#!/bin/sh
# The three modules under sanitizers, in native/build/modules/NAME, for Python to find before those that are installed.
#
# native/check/module.sh PYTHON NAME SANITIZERS [OPTION...]
#     PYTHON has cmake and nanobind; SANITIZERS as -fsanitize has them; OPTIONs are cmake's
set -eu
python=$1 name=$2 sanitizers=$3
shift 3
here=$(cd "$(dirname "$0")/.." && pwd)
to=$here/build/modules/$name log=$here/build/modules/$name.log
cmake=$(dirname "$python")/cmake

mkdir -p "$to"
"$cmake" -S "$here" -B "$to-build" -DWERROR=ON -DSANITIZE="$sanitizers" -DPython_EXECUTABLE="$python" -Dnanobind_DIR="$("$python" -m nanobind --cmake_dir)" \
    --log-level=WARNING "$@" >"$log"
"$cmake" --build "$to-build" --parallel "$(nproc)" >>"$log" 2>&1 || { cat "$log"; exit 1; }
"$cmake" --install "$to-build" --prefix "$to" >>"$log"
cp "$here"/bothends_native/*.py "$to/bothends_native"
