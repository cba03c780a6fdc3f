#!/bin/sh
# The transport under sanitizers: its wire's tests and the attacks on it with each, then a fuzzer on frames and messages.
#
# native/check/transport.sh PYTHON [SECONDS]     PYTHON has cmake, nanobind and what the tests need; the fuzzer needs Clang, and runs for a minute
set -eu
python=$1
seconds=${2:-60}
here=$(cd "$(dirname "$0")/.." && pwd)
build=$here/build
export CXX="${CXX:-g++}"
mkdir -p "$build/transport"
cd "$here/.."

runtime() { "$CXX" -print-file-name="lib$1.so"; }

wire() { # wire NAME SANITIZERS RUNTIMES
    echo "$1:"
    "$here/check/module.sh" "$python" "$1" "$2"
    # No conftest.py but the transport's own: what it needs of PyTorch and gRPC's core isn't looked at here.
    env LD_PRELOAD="$3" PYTHONPATH="$build/modules/$1:service${PYTHONPATH:+:$PYTHONPATH}" \
        "$python" -m pytest -q -p no:cacheprovider --confcutdir=tests/native/transport -m "" tests/native/transport
}

# Leaks are not looked for: an interpreter that ends leaves much behind. The tests ask the transport for what it still holds.
export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16
wire address address,undefined "$(runtime asan) $(runtime ubsan)"
# grpcio wasn't built to be looked at, and takes locks that can't be seen; its strings are those of the old ABI, and ours aren't.
printf 'race:cygrpc\ncalled_from_lib:cygrpc\nrace:std::string::\n' >"$build/transport/suppressions"
export TSAN_OPTIONS="suppressions=$build/transport/suppressions"
wire thread thread "$(runtime tsan)"

# Leaks are looked for here, where no interpreter is.
ASAN_OPTIONS= "$here/check/fuzz.sh" "$seconds"
