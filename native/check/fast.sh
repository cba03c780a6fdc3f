#!/bin/sh
# The engine, the transport and the tokenizer under ASan and UBSan, by those of their tests that take little time: for continuous
# integration. `make native-check` runs all of them, TSan too, and the fuzzer.
#
# native/check/fast.sh PYTHON     that has cmake, nanobind and what the tests need
set -eu
python=$1
here=$(cd "$(dirname "$0")/.." && pwd)
export CXX="${CXX:-g++}"
"$here/check/units.sh"
# Of the engine its arrays alone are looked at, and its kernels take the compiler half of the time where they are optimised.
"$here/check/module.sh" "$python" address address,undefined -O0
"$here/build/modules/address-build/memory"
cd "$here/.."
transport=tests/native/transport
# Leaks are not looked for: an interpreter that ends leaves much behind. The tests ask the transport for what it still holds.
# No conftest.py but the transport's own: fixtures of encoders, and what else needs PyTorch, are for `make native-check`.
# A transport of several parts does all that one of a single part does, and more.
env BOTHENDS_TRANSPORT_SHARDS=4 ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16 PYTHONPATH="$here/build/modules/address:service${PYTHONPATH:+:$PYTHONPATH}" \
    LD_PRELOAD="$("$CXX" -print-file-name=libasan.so) $("$CXX" -print-file-name=libubsan.so)" \
    "$python" -m pytest -q -p no:cacheprovider --confcutdir=$transport \
    $transport/test_compressed.py $transport/test_deadlines.py $transport/test_fast_path.py $transport/test_held.py \
    $transport/test_http1.py $transport/test_http1_strict.py $transport/test_http_calls.py $transport/test_http_fast_path.py \
    $transport/test_http_gzip.py $transport/test_http_lists.py $transport/test_slices.py $transport/test_slices_end.py \
    $transport/test_options.py $transport/test_refusals.py $transport/test_rfc9113.py $transport/test_streams.py \
    $transport/test_unary.py \
    tests/native/wordpiece/test_wordpiece.py tests/native/engine/test_arrays.py
