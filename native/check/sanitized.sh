#!/bin/sh
# Builds the modules by a preset that has sanitizers, and runs pytest on them with those in its process from the start. By GCC, whose
# sanitizers are libraries that anything can be started with.
#
# native/check/sanitized.sh PYTHON address|sanitize|thread PYTEST'S ARGUMENT...
#     PYTHON has nanobind and what the tests need; arguments are relative to the repository's folder
set -eu
python=$1 preset=$2
shift 2
export CXX="${CXX:-g++}"
cd "$(dirname "$0")/../.."
native/check/build.sh "$python" "$preset"
runtimes=
for runtime in $([ "$preset" = thread ] && echo tsan || echo asan ubsan); do
    runtimes="$runtimes $("$CXX" -print-file-name="lib$runtime.so")"
done
# Leaks are not looked for: an interpreter that ends leaves much behind. The tests ask the transport for what it still holds.
exec env LD_PRELOAD="$runtimes" ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16 TSAN_OPTIONS="suppressions=$PWD/native/check/tsan.supp" \
    PYTHONPATH="$PWD/native/build/$preset/modules:service${PYTHONPATH:+:$PYTHONPATH}" "$python" -m pytest -q -p no:cacheprovider "$@"
